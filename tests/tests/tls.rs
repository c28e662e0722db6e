//! SIP over TLS with strangers: OpenSSL's client, and baresip as a telephone that calls and one that is called.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use trunkline_tests::baresip::Baresip;
use trunkline_tests::ears;
use trunkline_tests::gateway::{Gateway, binary};

/// A certificate authority of the tests, and what it vouched for.
struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let authority = Self { folder: tempfile::tempdir().unwrap() };
        let (key, root) = (authority.path("ca.key"), authority.root());
        openssl(
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "30",
            ]
            .map(str::to_owned)
            .into_iter()
            .chain([
                "-subj".into(),
                "/CN=authority".into(),
                "-keyout".into(),
                key,
                "-out".into(),
                text(&root),
            ])
            .collect::<Vec<_>>(),
        );
        authority
    }

    fn path(&self, name: &str) -> String {
        text(&self.folder.path().join(name))
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Certificate and key for this name, such as `DNS:sip.example.test`; and both in one file.
    fn vouch(&self, file: &str, name: &str) -> (String, String, PathBuf) {
        let [key, request, certificate, names] =
            ["key", "csr", "pem", "ext"].map(|end| self.path(&format!("{file}.{end}")));
        std::fs::write(&names, format!("subjectAltName={name}\n")).unwrap();
        let line = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        openssl(&line(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={file} -keyout {key} -out {request}"
        )));
        let (root, authority) = (text(&self.root()), self.path("ca.key"));
        openssl(&line(&format!(
            "x509 -req -days 30 -in {request} -CA {root} -CAkey {authority} -CAcreateserial -extfile {names} -out {certificate}"
        )));
        let both = self.folder.path().join(format!("{file}.both"));
        let read = |path: &str| std::fs::read_to_string(path).unwrap();
        std::fs::write(&both, read(&key) + &read(&certificate)).unwrap();
        (certificate, key, both)
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn openssl(words: &[String]) {
    let output = Command::new("openssl").args(words).output().expect("openssl runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn yaml(port: u16, certificates: &[(String, String, PathBuf)], more: &str) -> String {
    let certs: Vec<String> = certificates
        .iter()
        .map(|(cert, key, _)| format!("    - {{cert_file: \"{cert}\", key_file: \"{key}\"}}\n"))
        .collect();
    format!("tls:\n  port: {port}\n{more}  certs:\n{}", certs.concat())
}

/// What OpenSSL's client prints and receives when it sends an OPTIONS.
fn ask(port: u16, authority: &Authority, name: &str, more: &[&str]) -> String {
    let options = format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: {name}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-CAfile", &text(&authority.root())])
        .args(["-verify_return_error", "-verify_hostname", name, "-servername", name, "-quiet"])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl runs");
    let mut input = child.stdin.take().unwrap();
    let _ = input.write_all(options.as_bytes());
    std::thread::sleep(Duration::from_millis(700));
    let _ = child.kill();
    let mut printed = String::new();
    let _ = child.stdout.take().unwrap().read_to_string(&mut printed);
    let _ = child.wait();
    printed
}

#[test]
fn openssls_client_is_shown_the_certificate_for_the_name_it_asks_for_and_is_answered() {
    let authority = Authority::new();
    let certificates =
        [authority.vouch("one", "DNS:one.example.test"), authority.vouch("two", "DNS:two.example.test")];
    let port = trunkline_tests::free_port();
    let _gateway = Gateway::with(&yaml(port, &certificates, "  min_version: tls1.2\n"));
    for name in ["one.example.test", "two.example.test"] {
        for version in ["-tls1_2", "-tls1_3"] {
            let heard = ask(port, &authority, name, &[version, "-alpn", "sip"]);
            assert!(heard.starts_with("SIP/2.0 200 OK"), "{name} {version}: {heard}");
        }
    }
    assert_eq!(ask(port, &authority, "three.example.test", &[]), "", "there is no certificate for this name");
    assert_eq!(ask(port, &authority, "one.example.test", &["-alpn", "h2"]), "", "HTTP is not spoken here");
}

#[test]
fn telephones_over_tls_with_encrypted_sound_call_and_hear_each_other() {
    let authority = Authority::new();
    let port = trunkline_tests::free_port();
    let mut gateway = Gateway::with(&yaml(port, &[authority.vouch("gateway", "IP:127.0.0.1")], ""));
    let added = gateway.cli(&["rule", "add", "--room", "lobby", "--number", "4000"]);
    assert!(added.status.success());
    let folder = tempfile::tempdir().unwrap();
    let uri = format!("sip:4000@127.0.0.1:{port};transport=tls");
    let one = Baresip::call_over_tls(&uri, &ears::tone(folder.path(), 500, 30), 7, &authority.root());
    let two = Baresip::call_over_tls(&uri, &ears::tone(folder.path(), 1_200, 30), 7, &authority.root());
    for (phone, hears) in [(one, 1_200.0), (two, 500.0)] {
        let (heard, printed, _kept) = phone.finish(Duration::from_secs(40));
        assert!(heard.exists(), "baresip recorded nothing:\n{printed}\n{}", gateway.log());
        let share = ears::tone_heard(&heard, 0, hears);
        assert!(share > 0.7, "{hears} Hz has only {share:.3} of what was heard:\n{printed}");
    }
    gateway.wait_until_idle();
    let call = gateway.last_call();
    assert_eq!(call["cdr"]["encryption"], "AES_CM_128_HMAC_SHA1_80", "{call:#}");
    let ok = call.to_string();
    assert!(ok.contains(";transport=tls>") && ok.contains(&format!("127.0.0.1:{port}")), "{call:#}");
}

/// Our telephone calls a URI; does it come to a conversation, and what did it print?
fn place(uri: &str, authority: &Path) -> (bool, String) {
    let output = Command::new(binary())
        .args(["call", uri, "--longest", "2", "--json", "--patience", "5"])
        .env("SSL_CERT_FILE", authority)
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), said + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_telephone_is_called_over_tls_only_if_its_certificate_is_for_the_name_that_was_called() {
    let (authority, other) = (Authority::new(), Authority::new());
    let speech = ears::tone(authority.folder.path(), 440, 20);
    let (_, _, right) = authority.vouch("right", "DNS:localhost");
    let (_, _, wrong) = authority.vouch("wrong", "DNS:elsewhere.example.test");
    for (certificate, believed, comes) in
        [(&right, &authority, true), (&wrong, &authority, false), (&right, &other, false)]
    {
        let port = trunkline_tests::free_port();
        let _phone = Baresip::answer_over_tls(port, &speech, 8, certificate);
        std::thread::sleep(Duration::from_secs(1));
        let uri = format!("sip:baresip@localhost:{};transport=tls", port + 1);
        let (came, printed) = place(&uri, &believed.root());
        assert_eq!(came, comes, "{printed}");
        assert!(came || printed.contains("certificate"), "the reason is told: {printed}");
    }
}

#[test]
fn a_certificate_that_cannot_be_read_is_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let missing = text(&folder.path().join("missing.pem"));
    let port = trunkline_tests::free_port();
    let state = text(&folder.path().join("state"));
    let config = format!(
        "sip_port: {port}\nlisten_ip: 127.0.0.1\nstate_dir: {state}\n\
         tls: {{port: {}, certs: [{{cert_file: {missing}, key_file: {missing}}}]}}\n",
        trunkline_tests::free_port()
    );
    let output = Command::new(binary()).args(["--config-body", &config]).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&missing), "{said}");
}

#[test]
fn renewed_certificates_are_shown_after_a_hangup_and_a_broken_file_changes_nothing() {
    let authority = Authority::new();
    let certificate = authority.vouch("one", "DNS:old.example.test");
    let port = trunkline_tests::free_port();
    let mut gateway = Gateway::with(&yaml(port, std::slice::from_ref(&certificate), ""));
    assert!(ask(port, &authority, "old.example.test", &[]).starts_with("SIP/2.0 200"));
    let hang_up = |gateway: &Gateway| {
        let pid = gateway.pid().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    };
    let _ = authority.vouch("one", "DNS:new.example.test");
    hang_up(&gateway);
    gateway.wait_until("the new one is read", |g| g.log().contains("read anew"));
    assert!(ask(port, &authority, "new.example.test", &[]).starts_with("SIP/2.0 200"));
    std::fs::write(&certificate.0, "no certificate").unwrap();
    hang_up(&gateway);
    gateway.wait_until("the fault is told", |g| g.log().contains("the certificates stay as they were"));
    assert!(ask(port, &authority, "new.example.test", &[]).starts_with("SIP/2.0 200"));
}
