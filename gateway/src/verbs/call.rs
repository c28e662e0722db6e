//! `trunkline call`: a telephone in the terminal.

use super::{Failure, Outcome, print};
use crate::cli::Context;
use crate::control::client::{Client, segment};
use crate::phone::PhoneError;
use crate::phone::conversation::{Dial, Progress, Report, converse};
use crate::phone::ears;
use crate::phone::handset::Mouth;
use crate::phone::line::{Line, LineConfig};
use crate::phone::sound::{self, Script, Step};
use crate::phone::sound_card::SoundCard;
use serde_json::{Value, json};
use std::fmt::Write;
use std::io::{BufRead, IsTerminal};
use std::net::IpAddr;
use std::path::PathBuf;
use tokio::sync::mpsc;
use trunkline_config::Config;
use trunkline_media::session::Codec;
use trunkline_sip::Time;
use trunkline_sip::auth::Credentials;
use trunkline_sip::message::Escaped;

/// What can be said after `trunkline call`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "In a terminal, keys typed and sent with Enter are pressed in the call; q hangs up.\n\
    Files and keys are spoken and pressed in order, each when the far party has finished; then it hangs up."
)]
pub struct Arguments {
    /// Whom to call: sip:agent@127.0.0.1 (;transport=tcp for TCP)
    pub uri: String,
    /// Talk through the sound card
    #[arg(long, conflicts_with_all = ["wav", "keys"])]
    mic: bool,
    /// Speak this WAV file; may be given several times
    #[arg(long, value_name = "FILE")]
    wav: Vec<PathBuf>,
    /// Press these keys, after the files; may be given several times
    #[arg(long, value_name = "KEYS")]
    keys: Vec<String>,
    /// Keep a stereo recording: left the far party, right this end
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Speak without waiting for the far party to finish
    #[arg(long)]
    at_once: bool,
    /// Hang up when the far party was quiet for so many seconds after the last file or key
    #[arg(long, value_name = "SECONDS", default_value_t = 6)]
    patience: u64,
    /// Hang up after so many seconds, whatever happens
    #[arg(long, value_name = "SECONDS")]
    longest: Option<u64>,
    /// Send keys as SIP INFO instead of with the sound
    #[arg(long)]
    keys_by_info: bool,
    /// Who calls: the user part of From
    #[arg(long, value_name = "USER", default_value = "terminal")]
    from: String,
    /// Codecs, best first: opus, g722, pcmu, pcma
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = codec, default_value = "g722,pcmu,pcma,opus")]
    codecs: Vec<Codec>,
    /// User name, where the far party asks for one
    #[arg(long, requires = "password_env")]
    username: Option<String>,
    /// Environment variable that holds the password
    #[arg(long, value_name = "NAME")]
    password_env: Option<String>,
    /// Our own address, where the machine has several
    #[arg(long, value_name = "IP")]
    ip: Option<IpAddr>,
    /// Give up when nobody answers within so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    ring: u64,
}

fn codec(text: &str) -> Result<Codec, String> {
    [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma]
        .into_iter()
        .find(|codec| codec.name().eq_ignore_ascii_case(text))
        .ok_or_else(|| format!("expected opus, g722, pcmu or pcma, found {text}"))
}

impl From<PhoneError> for Failure {
    fn from(error: PhoneError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Places the call and stays with it.
pub fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let credentials = credentials(&arguments)?;
    let mouth = mouth(&arguments)?;
    let dial = Dial {
        uri: arguments.uri.clone(),
        user: arguments.from,
        credentials,
        codecs: arguments.codecs,
        record: arguments.record,
        ring_timeout: Time::from_secs(arguments.ring),
        longest: arguments.longest.map(Time::from_secs),
        keys_by_info: arguments.keys_by_info,
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(PhoneError::from)?;
    let quiet = context.json;
    let report = runtime.block_on(async {
        let mut keys = typed_keys();
        let mut line = Line::open(&LineConfig { ip: arguments.ip, port: 0, calls: 1 })?;
        let report = converse(&mut line, dial, mouth, &mut keys, |progress| tell(quiet, &progress)).await;
        line.close().await;
        report
    });
    // A thread that still reads the keyboard must not keep the program.
    runtime.shutdown_background();
    let report = report?;
    let transcript = transcript(&context.config, &report);
    let text = if context.json {
        Outcome::json(&as_json(&report, &transcript))
    } else {
        Outcome::said(table(&report, &transcript))
    };
    Ok(Outcome { ok: report.status == 200, ..text })
}

fn credentials(arguments: &Arguments) -> Result<Option<Credentials>, Failure> {
    let (Some(username), Some(name)) = (&arguments.username, &arguments.password_env) else {
        return Ok(None);
    };
    let password = std::env::var(name)
        .map_err(|_| Failure::Usage(format!("--password-env: there is no environment variable {name}")))?;
    Ok(Some(Credentials { username: username.clone(), password, realm: None }))
}

fn mouth(arguments: &Arguments) -> Result<Mouth, Failure> {
    if arguments.mic {
        return Ok(Mouth::Person(Box::new(SoundCard::open()?)));
    }
    let mut steps = Vec::new();
    for path in &arguments.wav {
        steps.push(Step::Say(sound::read(path)?));
    }
    steps.extend(arguments.keys.iter().cloned().map(Step::Press));
    // Without anything to say, somebody at the keyboard decides when the call is over.
    let patience = if steps.is_empty() && std::io::stdin().is_terminal() { 3600 } else { arguments.patience };
    Ok(Mouth::Script(Script::new(steps, arguments.at_once, Time::from_secs(patience))))
}

/// Lines that a person types; closed where there is no terminal.
fn typed_keys() -> mpsc::Receiver<String> {
    let (typed, keys) = mpsc::channel(16);
    if std::io::stdin().is_terminal() {
        // Without the thread nothing can be typed, which is no reason not to call.
        let _ = std::thread::Builder::new().name("keyboard".into()).spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if typed.blocking_send(line).is_err() {
                    return;
                }
            }
        });
    }
    keys
}

fn tell(quiet: bool, progress: &Progress<'_>) {
    if quiet {
        return;
    }
    let line = match progress {
        Progress::Ringing(status) => format!("ringing ({status})"),
        Progress::Answered { after, codec } => {
            format!("answered after {} ms, {}", after.as_millis(), codec.name())
        }
        Progress::Said => "speaking".into(),
        Progress::Pressed(key) => format!("pressed {key}"),
        Progress::Heard(key) => format!("the far party pressed {key}"),
        Progress::Session(session) => format!("the session changed: {}", session.codec.name()),
    };
    print(&format!("{line}\n"));
}

/// Who said what: as the gateway that took the call wrote it down, where it is ours; else what we heard.
struct Transcript {
    source: &'static str,
    lines: Vec<(bool, String)>,
}

fn transcript(config: &Config, report: &Report) -> Transcript {
    if report.status != 200 {
        return Transcript { source: "nobody answered", lines: Vec::new() };
    }
    let asked = Client::connect(&config.state_dir)
        .and_then(|c| c.get(&format!("/calls/{}", segment(&report.call_id))));
    if let Ok(call) = asked {
        let lines: Vec<_> = spoken(&call).collect();
        if !lines.is_empty() {
            return Transcript { source: "by the gateway", lines };
        }
    }
    match ears::transcribe(&report.heard) {
        Ok(heard) => {
            Transcript { source: "as heard here", lines: heard.into_iter().map(|t| (false, t)).collect() }
        }
        Err(_) => Transcript { source: "no ears on this machine", lines: Vec::new() },
    }
}

fn spoken(call: &Value) -> impl Iterator<Item = (bool, String)> {
    let timeline = call.get("timeline").and_then(Value::as_array).cloned().unwrap_or_default();
    timeline.into_iter().filter_map(|entry| {
        let caller = entry.get("caller")?.as_bool()?;
        Some((caller, entry.get("text")?.as_str()?.to_owned()))
    })
}

fn table(report: &Report, transcript: &Transcript) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<11} {value}");
    };
    row("end", Escaped(&report.end).to_string());
    if let Some(set_up) = report.set_up {
        row("set-up", format!("{:.1} ms", set_up.as_secs_f64() * 1000.0));
        row("talked", format!("{:.1} s", report.talked.as_secs_f64()));
    }
    if let Some(first) = report.first_sound {
        row("first sound", format!("{} ms after the answer", first.as_millis()));
    }
    if let Some(leg) = &report.leg {
        let expected = leg.received + leg.lost;
        let loss = if expected == 0 { 0.0 } else { leg.lost as f64 * 100.0 / expected as f64 };
        row("codec", leg.codec.name().to_owned());
        row("packets", format!("{} sent, {} received", leg.sent, leg.received));
        row("loss", format!("{loss:.2} %"));
        row("jitter", format!("{:.1} ms (at most {:.1})", leg.jitter_ms, leg.jitter_max_ms));
        row("MOS", format!("{:.2} (R {:.0})", leg.mos, leg.r_factor));
    }
    row("transcript", transcript.source.to_owned());
    for (caller, line) in &transcript.lines {
        let who = if *caller { "you" } else { "they" };
        row(who, Escaped(line).to_string());
    }
    text
}

fn as_json(report: &Report, transcript: &Transcript) -> Value {
    let lines: Vec<Value> =
        transcript.lines.iter().map(|(caller, text)| json!({ "caller": caller, "text": text })).collect();
    json!({
        "call_id": report.call_id,
        "status": report.status,
        "end": report.end,
        "set_up_ms": report.set_up.map(|t| t.as_secs_f64() * 1000.0),
        "first_sound_ms": report.first_sound.map(|t| t.as_secs_f64() * 1000.0),
        "talked_s": report.talked.as_secs_f64(),
        "media": report.leg,
        "transcript": { "source": transcript.source, "lines": lines },
    })
}
