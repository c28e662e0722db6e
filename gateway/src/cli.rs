//! The command line: which verb, with which configuration.

mod config_source;

pub use config_source::ConfigSource;

use crate::verbs::{
    self, Failure, Outcome, call, calls, check, drain, load, room, rule, status, tail, trunk,
};
use crate::{logging, serve};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use trunkline_config::Config;

const AFTER_HELP: &str = "\
The configuration is found by --config, else SIP_CONFIG_FILE, else SIP_CONFIG_BODY
(the YAML itself), else ./trunkline.yaml, else /etc/trunkline/trunkline.yaml; without
any, the defaults hold. RUST_LOG goes before logging.level.

Exit codes: 0 done; 1 failed; 2 the command line is wrong; 3 no trunkline is running.";

/// A SIP voice gateway with an agent inside. Without a verb it serves.
#[derive(Debug, Parser)]
#[command(name = "trunkline", version, after_help = AFTER_HELP)]
struct Cli {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The configuration itself
    #[arg(long, global = true, value_name = "YAML", conflicts_with = "config", hide_short_help = true)]
    config_body: Option<String>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Take calls until a signal or `trunkline drain` says to stop (the default)
    Serve,
    /// Look whether it could serve: configuration, dialogue, ports, engines, store
    Check,
    /// Call somebody: a telephone in the terminal
    Call(call::Arguments),
    /// Inbound trunks: who may call
    #[command(subcommand)]
    Trunk(trunk::TrunkVerb),
    /// Dispatch rules: where calls go
    #[command(subcommand)]
    Rule(rule::RuleVerb),
    /// Local rooms
    #[command(subcommand)]
    Room(room::RoomVerb),
    /// Calls that are up and calls that were
    Calls(calls::Arguments),
    /// Show what happens, as it happens
    Tail(tail::Arguments),
    /// What the running trunkline is doing
    Status,
    /// Refuse new calls and end when the last one is over, as SIGTERM does
    Drain(drain::Arguments),
    /// Generate calls
    Load(load::Arguments),
}

/// What every verb knows.
#[derive(Debug)]
pub struct Context {
    /// The configuration.
    pub config: Config,
    /// Where it came from, for people.
    pub file_name: String,
    /// Print JSON.
    pub json: bool,
}

/// The program.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap knows where each is printed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(verbs::USAGE));
        }
    };
    let verb = cli.verb.unwrap_or(Verb::Serve);
    let source = config_source::find(cli.config, cli.config_body, &|name| std::env::var(name).ok());
    if matches!(verb, Verb::Check) {
        return verbs::exit_code(check::run(source, cli.json));
    }
    let (config, file_name) = match source.and_then(ConfigSource::parse) {
        Ok(read) => read,
        Err(sentence) => return verbs::exit_code(Err(Failure::Failed(sentence))),
    };
    let context = Context { config, file_name, json: cli.json };
    if matches!(verb, Verb::Serve) {
        logging::start(&context.config.logging);
        return serve::run(context.config, &context.file_name);
    }
    logging::start_for_a_verb();
    verbs::exit_code(dispatch(&context, verb))
}

fn dispatch(context: &Context, verb: Verb) -> Result<Outcome, Failure> {
    match verb {
        Verb::Serve | Verb::Check => Ok(Outcome::nothing()),
        Verb::Call(arguments) => call::run(context, arguments),
        Verb::Load(arguments) => load::run(context, arguments),
        Verb::Trunk(verb) => trunk::run(context, verb),
        Verb::Rule(verb) => rule::run(context, verb),
        Verb::Room(verb) => room::run(context, &verb),
        Verb::Calls(arguments) => calls::run(context, arguments),
        Verb::Tail(arguments) => tail::run(context, &arguments),
        Verb::Status => status::run(context),
        Verb::Drain(arguments) => drain::run(context, &arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn json_may_stand_after_the_verb() {
        let cli = Cli::try_parse_from(["trunkline", "calls", "list", "--json"]).expect("parsed");
        assert!(cli.json);
    }
}
