//! `trunkline check`: could it serve? A line for each thing that must be there, with what to do.

mod livekit;
mod ports;

use super::{Failure, Outcome, counted};
use crate::cli::ConfigSource;
use crate::control::client::{Client, ClientError};
use crate::shown::Shown;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use trunkline_agent::dialogue::Dialogue;
use trunkline_agent::local::Engines;
use trunkline_config::Config;
use trunkline_records::{Records, RecordsError};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Came {
    Ok,
    /// It serves all the same, but whoever runs it should know.
    Note,
    Fail,
}

/// One line.
#[derive(Debug, Serialize)]
struct Line {
    result: Came,
    check: &'static str,
    /// What was found; for a failure also what to do.
    found: String,
}

/// The lines so far.
#[derive(Debug, Default)]
struct Report(Vec<Line>);

impl Report {
    fn add(&mut self, result: Came, check: &'static str, found: impl Into<String>) {
        self.0.push(Line { result, check, found: found.into() });
    }

    fn result(&mut self, check: &'static str, result: Result<String, String>) {
        match result {
            Ok(found) => self.add(Came::Ok, check, found),
            Err(fault) => self.add(Came::Fail, check, fault),
        }
    }

    fn outcome(self, as_json: bool) -> Outcome {
        let failed = self.0.iter().filter(|line| line.result == Came::Fail).count();
        let text = if as_json {
            format!("{:#}", json!({ "ok": failed == 0, "checks": self.0 }))
        } else {
            let mut text = String::new();
            for Line { result, check, found } in &self.0 {
                let word = match result {
                    Came::Ok => "ok",
                    Came::Note => "note",
                    Came::Fail => "FAIL",
                };
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{word:<5} {check:<14} {}", Shown(found));
            }
            text + &if failed == 0 {
                "ready\n".into()
            } else {
                format!("{} failed\n", counted(failed, "check"))
            }
        };
        Outcome { ok: failed == 0, ..Outcome::said(text) }
    }
}

/// Looks at everything; goes on after a failure, except where there is no configuration.
pub fn run(source: Result<ConfigSource, String>, as_json: bool) -> Result<Outcome, Failure> {
    let mut report = Report::default();
    match source.and_then(ConfigSource::parse) {
        Err(fault) => report.add(Came::Fail, "configuration", fault),
        Ok((config, name)) => {
            report.add(Came::Ok, "configuration", name);
            for note in &config.notes {
                report.add(Came::Note, "configuration", note);
            }
            look(&mut report, &config);
        }
    }
    Ok(report.outcome(as_json))
}

fn look(report: &mut Report, config: &Config) {
    report.result("dialogue", dialogue(config));
    let (_, fault) = Engines::open();
    match fault {
        None => report.add(Came::Ok, "engines", "speech in, speech out"),
        Some(fault) => {
            report.add(Came::Fail, "engines", format!("{fault}; calls for the agent would get 503"))
        }
    }
    let running = running(report, config);
    match running {
        Some(pid) => {
            let held = format!("held by the running trunkline, pid {pid}");
            report.add(Came::Ok, "store", held.clone());
            report.add(Came::Ok, "ports", held);
        }
        None => {
            store(report, config);
            ports::look(report, config);
        }
    }
    livekit::look(report, config);
    if config.use_external_ip {
        report.result("address", external(config));
    }
    ports::open_files(report, config);
    if config.recording.enabled {
        report.result("recordings", writable(&config.recording.folder));
    }
}

fn external(config: &Config) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = crate::stun::external(config.listen_ip, &config.stun_servers);
    let (address, server) = runtime.map_err(|error| error.to_string())?.block_on(asked)?;
    Ok(format!("{address}, as {server} sees it; peers are told it"))
}

fn dialogue(config: &Config) -> Result<String, String> {
    let Some(file) = &config.agent.dialogue else {
        return Ok("the example that is compiled in".into());
    };
    let name = file.display().to_string();
    let yaml =
        std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}; agent.dialogue names it"))?;
    Dialogue::parse(&name, &yaml).map(|_| name).map_err(|error| error.to_string())
}

/// The process that serves this state folder, if one does.
fn running(report: &mut Report, config: &Config) -> Option<u64> {
    match Client::connect(&config.state_dir).and_then(|client| client.get("/status")) {
        Ok(status) => status.get("pid").and_then(Value::as_u64),
        Err(ClientError::NotRunning { .. }) => None,
        Err(error) => {
            report.add(Came::Fail, "control socket", error.to_string());
            None
        }
    }
}

fn store(report: &mut Report, config: &Config) {
    let records = match Records::open(&config.state_dir) {
        Ok((records, 0)) => {
            report.add(Came::Ok, "store", config.state_dir.display().to_string());
            records
        }
        Ok((records, interrupted)) => {
            let found = format!(
                "{}; {} that an earlier process left up marked as interrupted",
                config.state_dir.display(),
                counted(interrupted, "call")
            );
            report.add(Came::Note, "store", found);
            records
        }
        Err(error @ RecordsError::InUse { .. }) => {
            let found = format!("{error}, which does not answer; end that process");
            return report.add(Came::Fail, "store", found);
        }
        Err(error) => return report.add(Came::Fail, "store", format!("{error}; state_dir names the folder")),
    };
    match records.plan() {
        Ok(plan) if plan.trunks.is_empty() => report.add(
            Came::Note,
            "trunks",
            "none is set up, so anybody may call; `trunkline trunk add` closes the door",
        ),
        Ok(plan) => {
            let found =
                format!("{}, {}", counted(plan.trunks.len(), "trunk"), counted(plan.rules.len(), "rule"));
            report.add(Came::Ok, "trunks", found);
        }
        Err(error) => report.add(Came::Fail, "trunks", error.to_string()),
    }
}

/// Can files be made in this folder?
fn writable(folder: &Path) -> Result<String, String> {
    let name = folder.display().to_string();
    let probe = folder.join(".trunkline-check");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe))
        .map(|()| name.clone())
        .map_err(|error| format!("{name}: {error}; recording.folder names it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_configuration_names_file_and_line_and_nothing_else_is_looked_at() {
        let source = ConfigSource { name: "bad.yaml".into(), yaml: "sip_port: 5060\nsip_prt: 1\n".into() };
        let outcome = run(Ok(source), false).expect("looked");
        assert!(!outcome.ok);
        assert!(outcome.text.starts_with("FAIL  configuration  bad.yaml:2: sip_prt: "), "{}", outcome.text);
        assert!(outcome.text.ends_with("\n1 check failed\n"), "{}", outcome.text);
    }

    #[test]
    fn a_failed_check_makes_the_outcome_fail_and_every_line_stands_alone() {
        let mut report = Report::default();
        report.add(Came::Ok, "configuration", "trunkline.yaml");
        report.result("SIP port", Err("5060 is taken\nby \u{1b}[31msomebody".into()));
        let outcome = report.outcome(false);
        assert!(!outcome.ok);
        assert_eq!(
            outcome.text,
            "ok    configuration  trunkline.yaml\n\
             FAIL  SIP port       5060 is taken\\u{a}by \\u{1b}[31msomebody\n\
             1 check failed\n"
        );
    }
}
