//! baresip, a telephone that we did not write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A baresip with a configuration of its own that speaks one WAV file and records what it hears.
pub struct Baresip {
    child: Child,
    folder: TempDir,
}

/// How a telephone is set up.
struct Setup<'a> {
    codec: &'a str,
    transport: &'a str,
    /// Parameters of its account, each with its semicolon.
    account: &'a str,
    /// More lines of its configuration.
    lines: &'a str,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self { codec: "PCMU/8000/1", transport: "udp", account: "", lines: "" }
    }
}

impl Setup<'_> {
    fn calls(&self, uri: &str, speech: &Path, seconds: u32) -> Baresip {
        self.start(crate::free_port(), speech, seconds, &["-e", &format!("/dial {uri}")])
    }

    fn start(&self, port: u16, speech: &Path, seconds: u32, more: &[&str]) -> Baresip {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("config"), config(folder.path(), port, speech) + self.lines)
            .expect("config");
        fs::write(
            folder.path().join("accounts"),
            format!(
                "<sip:baresip@127.0.0.1:{port};transport={}>;regint=0;audio_codecs={}{}\n",
                self.transport, self.codec, self.account
            ),
        )
        .expect("accounts");
        fs::write(folder.path().join("contacts"), "").expect("contacts");
        let log = fs::File::create(folder.path().join("log.txt")).expect("log");
        let child = Command::new("baresip")
            .args(["-f".as_ref(), folder.path().as_os_str()])
            .args(["-s", "-t", &seconds.to_string()])
            .args(more)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("baresip runs; Debian package baresip-core");
        Baresip { child, folder }
    }
}

impl Baresip {
    /// Calls `uri`, speaks `speech`, and hangs up after `seconds` if the other side has not.
    ///
    /// `codec` is baresip's own name and rate, such as `PCMU/8000/1` or `opus/48000/2`.
    #[must_use]
    pub fn call(uri: &str, speech: &Path, seconds: u32, codec: &str, transport: &str) -> Self {
        Setup { codec, transport, ..Setup::default() }.calls(uri, speech, seconds)
    }

    /// The same in PCMU over UDP, with credentials for whoever asks for them.
    #[must_use]
    pub fn call_as(uri: &str, speech: &Path, seconds: u32, username: &str, password: &str) -> Self {
        let account = format!(";auth_user={username};auth_pass={password}");
        Setup { account: &account, ..Setup::default() }.calls(uri, speech, seconds)
    }

    /// The same in PCMU, with its sound encrypted as `mediaenc` has it: `srtp` offers keys in RTP/AVP, `srtp-mand`
    /// RTP/SAVP.
    #[must_use]
    pub fn call_encrypted(uri: &str, speech: &Path, seconds: u32, mediaenc: &str) -> Self {
        let account = format!(";mediaenc={mediaenc}");
        Setup { account: &account, ..Setup::default() }.calls(uri, speech, seconds)
    }

    /// The same, for a call that it answers.
    #[must_use]
    pub fn answer_encrypted(port: u16, speech: &Path, seconds: u32, mediaenc: &str) -> Self {
        let account = format!(";answermode=auto;mediaenc={mediaenc}");
        Setup { account: &account, ..Setup::default() }.start(port, speech, seconds, &[])
    }

    /// Answers calls at this port of loopback, speaks `speech`, and ends after `seconds`.
    #[must_use]
    pub fn answer(port: u16, speech: &Path, seconds: u32) -> Self {
        Setup { account: ";answermode=auto", ..Setup::default() }.start(port, speech, seconds, &[])
    }

    /// Calls with TLS to whom this authority vouches for, its sound encrypted.
    #[must_use]
    pub fn call_over_tls(uri: &str, speech: &Path, seconds: u32, authority: &Path) -> Self {
        let lines = format!("sip_cafile {}\nsip_verify_server yes\n", authority.display());
        let setup =
            Setup { transport: "tls", account: ";mediaenc=srtp-mand", lines: &lines, ..Setup::default() };
        setup.calls(uri, speech, seconds)
    }

    /// Answers calls over TLS at the port after this one, with this certificate and key in one file.
    #[must_use]
    pub fn answer_over_tls(port: u16, speech: &Path, seconds: u32, certificate: &Path) -> Self {
        let lines = format!("sip_certificate {}\n", certificate.display());
        let account = ";answermode=auto;mediaenc=srtp";
        Setup { transport: "tls", account, lines: &lines, ..Setup::default() }.start(
            port,
            speech,
            seconds,
            &[],
        )
    }

    /// Waits for its end and gives what it heard (a WAV file), and what it printed.
    #[must_use]
    pub fn finish(mut self, patience: Duration) -> (PathBuf, String, TempDir) {
        let end = Instant::now() + patience;
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let printed = fs::read_to_string(self.folder.path().join("log.txt")).unwrap_or_default();
        let heard = fs::read_dir(self.folder.path())
            .expect("folder")
            .filter_map(Result::ok)
            .map(|e| e.path())
            .find(|p| p.to_string_lossy().ends_with("-dec.wav"))
            .unwrap_or_default();
        let kept = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder"));
        (heard, printed, kept)
    }
}

fn config(folder: &Path, port: u16, speech: &Path) -> String {
    let media = crate::free_port();
    format!(
        "sip_listen 127.0.0.1:{port}\naudio_player aufile,{heard}\naudio_source aufile,{speech}\naudio_alert aufile,{heard}\n\
             audio_level no\nausrc_srate 8000\nauplay_srate 8000\nausrc_format s16\nauplay_format s16\nausrc_channels 1\nauplay_channels 1\n\
             rtp_ports {media}-{end}\nrtcp_mux no\njitter_buffer_delay 2-5\n\
             module_path /usr/lib/baresip/modules\nmodule stdio.so\nmodule g711.so\nmodule g722.so\nmodule opus.so\nmodule aufile.so\nmodule sndfile.so\nmodule srtp.so\n\
             module_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\nsnd_path {folder}\n",
        heard = folder.join("heard.wav").display(),
        speech = speech.display(),
        end = media + 100,
        folder = folder.display(),
    )
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
