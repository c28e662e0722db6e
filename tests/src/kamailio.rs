//! Kamailio, a proxy that we did not write: it puts itself into the route of every call (Record-Route) and
//! hands it to one gateway.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Requests of a dialog must bear a Route that leads through here; whatever else comes is a new call.
const ROUTING: &str = r#"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"

request_route {
    if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
    if (has_totag()) {
        if (loose_route()) { t_relay(); exit; }
        if (is_method("ACK")) { if (t_check_trans()) { t_relay(); } exit; }
        sl_send_reply("404", "No route through here");
        exit;
    }
    record_route();
    $du = GATEWAY;
    t_relay();
}
"#;

/// A running Kamailio that listens on UDP and TCP.
pub struct Kamailio {
    pub port: u16,
    child: Child,
    folder: TempDir,
}

impl Kamailio {
    /// Starts one that reaches the gateway by `udp` or `tcp`.
    #[must_use]
    pub fn before(gateway_port: u16, transport: &str) -> Self {
        let port = crate::free_port();
        let folder = tempfile::tempdir().expect("a folder");
        let gateway = format!("\"sip:127.0.0.1:{gateway_port};transport={transport}\"");
        let text = format!(
            // One worker: two could let a 200 overtake the 180 before it.
            "#!KAMAILIO\ndebug=2\nlog_stderror=yes\nchildren=1\ntcp_children=1\nlisten=udp:127.0.0.1:{port}\n\
             listen=tcp:127.0.0.1:{port}\nauto_aliases=no\n{}",
            ROUTING.replace("GATEWAY", &gateway)
        );
        let config = folder.path().join("kamailio.cfg");
        fs::write(&config, text).expect("configuration written");
        let log = fs::File::create(folder.path().join("log.txt")).expect("log");
        let child = Command::new(binary())
            .args(["-DD", "-E", "-m", "32", "-M", "4", "-f"])
            .arg(&config)
            .arg("-Y")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("kamailio runs; Debian package kamailio");
        let mut kamailio = Self { port, child, folder };
        kamailio.wait_until_ready();
        kamailio
    }

    fn wait_until_ready(&mut self) {
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.try_wait().is_ok_and(|status| status.is_some());
            assert!(!ended && Instant::now() < end, "kamailio does not listen\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log.txt")).unwrap_or_default()
    }
}

/// Debian puts it where only administrators look.
fn binary() -> PathBuf {
    let known = PathBuf::from("/usr/sbin/kamailio");
    if known.exists() { known } else { "kamailio".into() }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // SIGTERM, so that it takes its children along.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of kamailio\n{}", self.log());
        }
    }
}
