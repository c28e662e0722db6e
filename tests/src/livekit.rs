//! LiveKit itself: livekit-server and Redis, and its API by its own packages.

use crate::ears::python;
use crate::person::Person;
use crate::place::Place;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The keys of every house.
pub const KEY: &str = "devkey";
/// As long as livekit-server wants it.
pub const SECRET: &str = "a-secret-of-thirty-two-characters";

/// A livekit-server with a Redis of its own.
pub struct House {
    pub port: u16,
    pub redis_port: u16,
    rtc_port: u16,
    folder: TempDir,
    server: Option<Child>,
    redis: Option<Child>,
    more: String,
    /// Where its media is.
    place: String,
    has_redis: bool,
}

impl House {
    /// Both, ready.
    #[must_use]
    pub fn start() -> Self {
        Self::with("")
    }

    /// The same, with more lines of livekit-server's YAML.
    #[must_use]
    pub fn with(more: &str) -> Self {
        Self::whole("127.0.0.1", more)
    }

    /// Its media has an address of its own.
    #[must_use]
    pub fn at(place: &Place) -> Self {
        Self::whole(place.ip, "")
    }

    /// A livekit-server alone.
    #[must_use]
    pub fn without_redis() -> Self {
        Self::built(false, "127.0.0.1", "")
    }

    fn whole(place: &str, more: &str) -> Self {
        Self::built(true, place, more)
    }

    fn built(has_redis: bool, place: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut house = Self {
            port: crate::free_port(),
            redis_port: crate::free_port(),
            rtc_port: free_pair(),
            folder,
            server: None,
            redis: None,
            more: more.to_owned(),
            place: place.to_owned(),
            has_redis,
        };
        if has_redis {
            house.start_redis();
        }
        house.start_server();
        house
    }

    /// Starts Redis (again, on the same port, with what it held when it was stopped in good order).
    pub fn start_redis(&mut self) {
        let child = Command::new("redis-server")
            .args(["--port", &self.redis_port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(self.folder.path())
            .args(["--appendonly", "yes"])
            .stdin(Stdio::null())
            .stdout(self.log_file("redis"))
            .spawn()
            .expect("redis-server runs; Debian package redis-server");
        self.redis = Some(child);
        wait_for_port(self.redis_port, "redis-server");
    }

    /// Starts livekit-server (again).
    pub fn start_server(&mut self) {
        let ips = match self.place.as_str() {
            "127.0.0.1" => String::new(),
            ip => format!(", ips: {{ includes: [{ip}/32] }}"),
        };
        let redis = match self.has_redis {
            true => format!("redis: {{ address: 127.0.0.1:{} }}\n", self.redis_port),
            false => String::new(),
        };
        let place = &self.place;
        let config = format!(
            "port: {}\nbind_addresses: [127.0.0.1]\nkeys: {{ {KEY}: {SECRET} }}\n{redis}\
             rtc: {{ udp_port: {}, tcp_port: {}, node_ip: {place}, use_external_ip: false, enable_loopback_candidate: true{ips} }}\n\
             logging: {{ level: info, json: true }}\n{}",
            self.port,
            self.rtc_port,
            self.rtc_port + 1,
            self.more
        );
        let file = self.folder.path().join("livekit.yaml");
        std::fs::write(&file, config).expect("configuration written");
        let child = Command::new(server_binary())
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(self.log_file("livekit-server"))
            .stderr(self.log_file("livekit-server"))
            .spawn()
            .expect("livekit-server runs; go install, or TRUNKLINE_LIVEKIT_SERVER");
        self.server = Some(child);
        wait_for_port(self.port, "livekit-server");
    }

    /// Ends Redis at once.
    pub fn kill_redis(&mut self) {
        end(self.redis.take(), "KILL");
    }

    /// Ends livekit-server at once: nobody in its rooms is told.
    pub fn kill_server(&mut self) {
        end(self.server.take(), "KILL");
        self.forget_nodes();
    }

    /// A node that was killed stands in Redis for half a minute, and the next one sends participants to it: LiveKit's
    /// SDK (1.2.0) does not survive the retries (a panic of its own), so the next node finds nobody there.
    fn forget_nodes(&self) {
        if let Ok(mut redis) = TcpStream::connect(("127.0.0.1", self.redis_port)) {
            let _ = redis.write_all(b"DEL nodes\r\n");
            let _ = redis.read(&mut [0; 64]);
        }
    }

    /// Stops livekit-server from doing anything, or lets it go on (SIGSTOP, SIGCONT).
    pub fn freeze_server(&self, frozen: bool) {
        let Some(server) = &self.server else { return };
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let _ = Command::new("kill").args([signal, &server.id().to_string()]).status();
    }

    /// Process of livekit-server.
    #[must_use]
    pub fn server_pid(&self) -> u32 {
        self.server.as_ref().map_or(0, Child::id)
    }

    /// `ws://127.0.0.1:…`
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// The lines of livekit/sip's YAML that lead here: keys, URL, Redis.
    #[must_use]
    pub fn yaml(&self) -> String {
        format!(
            // A busy test machine takes calls all the same.
            "api_key: {KEY}\napi_secret: {SECRET}\nws_url: {}\nmax_cpu_utilization: 1\nredis:\n  address: 127.0.0.1:{}\n",
            self.url(),
            self.redis_port
        )
    }

    /// The same without Redis: trunks and rules are the gateway's own.
    #[must_use]
    pub fn yaml_without_redis(&self) -> String {
        format!("api_key: {KEY}\napi_secret: {SECRET}\nws_url: {}\nrooms:\n  backend: livekit\n", self.url())
    }

    /// LiveKit's API through its Python package: the answer, or `{"error": …}`.
    #[must_use]
    pub fn api(&self, arguments: &[&str]) -> Value {
        api_at(&self.url(), arguments)
    }

    /// A method of the SIP service that must succeed.
    #[must_use]
    pub fn sip(&self, method: &str, request: &Value) -> Value {
        let answer = self.api(&[method, &request.to_string()]);
        assert!(
            answer.get("error").is_none(),
            "{method} {request}: {answer}\n{}",
            self.log("livekit-server")
        );
        answer
    }

    /// A method of the room service that must succeed.
    #[must_use]
    pub fn room(&self, method: &str, request: &Value) -> Value {
        let answer = self.api(&["room", method, &request.to_string()]);
        assert!(answer.get("error").is_none(), "{method} {request}: {answer}");
        answer
    }

    /// An inbound trunk for a number that takes calls from loopback, and a rule that leads into one room.
    pub fn number_into_room(&self, number: &str, room: &str) -> (String, String) {
        let trunk = self.sip(
            "create_inbound_trunk",
            &json!({"trunk": {"name": "test", "numbers": [number], "allowed_addresses": ["127.0.0.0/8"]}}),
        );
        let trunk = trunk["sip_trunk_id"].as_str().expect("a trunk id").to_owned();
        let rule = self.sip(
            "create_dispatch_rule",
            &json!({"dispatch_rule": {"name": "test", "trunk_ids": [trunk],
                "rule": {"dispatch_rule_direct": {"room_name": room}}}}),
        );
        (trunk, rule["sip_dispatch_rule_id"].as_str().expect("a rule id").to_owned())
    }

    /// A token for somebody.
    #[must_use]
    pub fn token(&self, room: &str, identity: &str) -> String {
        let wanted = json!({"identity": identity, "room": room}).to_string();
        let made = self.api(&["token", &wanted]);
        made["token"].as_str().unwrap_or_else(|| panic!("no token: {made}")).to_owned()
    }

    /// A token for a telephone, as the gateway makes them.
    #[must_use]
    pub fn sip_token(&self, room: &str, identity: &str) -> String {
        let wanted = json!({"identity": identity, "room": room, "kind": "sip"}).to_string();
        let made = self.api(&["token", &wanted]);
        made["token"].as_str().unwrap_or_else(|| panic!("no token: {made}")).to_owned()
    }

    /// Somebody joins a room, speaks silence and listens.
    #[must_use]
    pub fn person(&self, room: &str, identity: &str) -> Person {
        Person::join(&self.url(), &self.token(room, identity))
    }

    /// Somebody joins with a browser.
    #[must_use]
    pub fn browser(&self, room: &str, identity: &str) -> Person {
        Person::browse(&self.url(), &self.token(room, identity))
    }

    /// What Redis or livekit-server logged.
    #[must_use]
    pub fn log(&self, of: &str) -> String {
        let text = std::fs::read_to_string(self.folder.path().join(format!("{of}.log"))).unwrap_or_default();
        // Whole SDPs stand in it: the beginnings of the last lines are what a person reads.
        let lines: Vec<String> = text.lines().map(|line| line.chars().take(400).collect()).collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn log_file(&self, of: &str) -> std::fs::File {
        let path = self.folder.path().join(format!("{of}.log"));
        std::fs::OpenOptions::new().create(true).append(true).open(path).expect("log")
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of livekit-server\n{}", self.log("livekit-server"));
        }
        self.freeze_server(false);
        end(self.server.take(), "KILL");
        end(self.redis.take(), "KILL");
    }
}

/// LiveKit's API at any address.
#[must_use]
pub fn api_at(url: &str, arguments: &[&str]) -> Value {
    let url = url.replacen("ws", "http", 1);
    // An API that never answers is a fault of the test's, not a test that never ends.
    let output = Command::new("timeout")
        .arg("90")
        .arg(python())
        .arg(peer("livekit_api.py"))
        .args([&url, KEY, SECRET])
        .args(arguments)
        .output()
        .expect("python runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{arguments:?}: {e}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// LiveKit's SIP API at any address, through its JavaScript package: a method of its `SipClient`, and the arguments.
#[must_use]
pub fn javascript_at(url: &str, method: &str, arguments: &Value) -> Value {
    let output = Command::new("timeout")
        .args(["90", "node"])
        .arg(peer("livekit_api.mjs"))
        .arg(node_folder())
        .args([url, KEY, SECRET, method, &arguments.to_string()])
        .output()
        .expect("node runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{method}: {e}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// Twirp as it goes over the wire: what `tests/peer/twirp.py` takes, and what came back of each.
#[must_use]
pub fn twirp_at(url: &str, requests: &Value) -> Vec<Value> {
    let mut child = Command::new(python())
        .arg(peer("twirp.py"))
        .args([url, KEY, SECRET])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    let mut input = child.stdin.take().expect("standard input");
    input.write_all(requests.to_string().as_bytes()).expect("written");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A port that is free, with the next one for TCP.
fn free_pair() -> u16 {
    loop {
        let port = crate::free_port();
        if std::net::TcpListener::bind(("0.0.0.0", port + 1)).is_ok() {
            return port;
        }
    }
}

/// Where livekit-server is: `TRUNKLINE_LIVEKIT_SERVER`, or on the path.
#[must_use]
pub fn server_binary() -> PathBuf {
    std::env::var_os("TRUNKLINE_LIVEKIT_SERVER").map_or_else(|| "livekit-server".into(), PathBuf::from)
}

/// The folder with LiveKit's npm packages in its `node_modules`: `TRUNKLINE_TEST_NODE`.
#[must_use]
pub fn node_folder() -> PathBuf {
    std::env::var_os("TRUNKLINE_TEST_NODE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/node"), PathBuf::from)
}

pub(crate) fn peer(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peer").join(file)
}

fn wait_for_port(port: u16, who: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "{who} does not listen on {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn end(child: Option<Child>, signal: &str) {
    let Some(mut child) = child else { return };
    let _ = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
    let _ = child.wait();
}
