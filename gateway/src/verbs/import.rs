//! `trunkline trunk|rule import`: livekit's files, as they stand.

use super::{Door, Failure, Outcome, counted};
use crate::cli::Context;
use crate::control::plan::{masked_outbound, masked_rule, masked_trunk};
use crate::shown::Shown;
use serde_json::json;
use std::fmt::Write;
use std::io::Read;
use trunkline_dialplan::import::{Imported, import};

/// What can be said after `import`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file; - for stdin. A rule names its trunk, so both kinds are taken from one file
    file: String,
    /// Say what would be added, and add nothing
    #[arg(long)]
    dry_run: bool,
}

/// Largest file that is read; livekit's are a few kB.
const LARGEST: u64 = 4 << 20;

/// Adds what the file holds: trunks first, so that rules may name them. A file with a fault changes nothing.
pub fn run(context: &Context, arguments: &Arguments) -> Result<Outcome, Failure> {
    let name = if arguments.file == "-" { "stdin" } else { arguments.file.as_str() };
    let text = read(&arguments.file).map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
    let imported = import(&text).map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
    let Imported { trunks, rules, outbound, notes } = imported;
    let (mut added_trunks, mut added_rules, mut added_outbound) = (trunks, rules, outbound);
    if !arguments.dry_run {
        let door = Door::open(&context.config)?;
        added_trunks =
            added_trunks.into_iter().map(|trunk| door.add_trunk(trunk)).collect::<Result<_, _>>()?;
        added_outbound =
            added_outbound.into_iter().map(|trunk| door.add_outbound(trunk)).collect::<Result<_, _>>()?;
        added_rules = added_rules.into_iter().map(|rule| door.add_rule(rule)).collect::<Result<_, _>>()?;
    } else {
        added_trunks = added_trunks.into_iter().map(masked_trunk).collect();
        added_outbound = added_outbound.into_iter().map(masked_outbound).collect();
        added_rules = added_rules.into_iter().map(masked_rule).collect();
    }
    if context.json {
        return Ok(Outcome::json(&json!({
            "added": !arguments.dry_run, "trunks": added_trunks, "outbound": added_outbound, "rules": added_rules, "notes": notes,
        })));
    }
    let mut said = String::new();
    // Writing to a String cannot fail.
    for note in &notes {
        let _ = writeln!(said, "note: {}", Shown(note));
    }
    for trunk in &added_trunks {
        said.push_str(&line("trunk", &trunk.id, &trunk.name));
    }
    for trunk in &added_outbound {
        said.push_str(&line("trunk", &trunk.id, &trunk.name));
    }
    for rule in &added_rules {
        said.push_str(&line("rule", &rule.id, &rule.name));
    }
    let verb = if arguments.dry_run { "would be added" } else { "added" };
    let _ = writeln!(
        said,
        "{}, {} {verb}",
        counted(added_trunks.len() + added_outbound.len(), "trunk"),
        counted(added_rules.len(), "rule")
    );
    Ok(Outcome::said(said))
}

fn line(kind: &str, id: &str, name: &str) -> String {
    let line = format!("{kind:<5} {} {}", Shown(id), Shown(name));
    format!("{}\n", line.trim_end())
}

fn read(file: &str) -> std::io::Result<String> {
    let mut text = String::new();
    if file == "-" {
        std::io::stdin().take(LARGEST).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(file)?.take(LARGEST).read_to_string(&mut text)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_config::Config;

    const TEXT: &str = "trunk:\n  name: Main\n  numbers: [\"+1234567890\"]\n  auth_username: u\n  auth_password: secret\n\
        dispatch_rule:\n  trunk_ids: [the_trunk]\n  room_name: incoming-calls\n";

    #[test]
    fn a_file_is_added_whole_and_a_dry_run_adds_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("livekit.yaml");
        std::fs::write(&file, TEXT).expect("written");
        let yaml = format!("state_dir: {}\n", folder.path().display());
        let config = Config::parse("test.yaml", &yaml, &|_| None).expect("a configuration");
        let context = Context { config, file_name: "test.yaml".into(), json: false };
        let import = |dry_run| {
            run(&context, &Arguments { file: file.display().to_string(), dry_run }).expect("imported").text
        };
        assert!(import(true).ends_with("1 trunk, 1 rule would be added\n"));
        assert!(Door::open(&context.config).expect("open").trunks().expect("trunks").is_empty());
        let said = import(false);
        assert!(said.ends_with("1 trunk, 1 rule added\n") && !said.contains("secret"), "{said}");
        let door = Door::open(&context.config).expect("open");
        let (trunks, rules) = (door.trunks().expect("trunks"), door.rules().expect("rules"));
        assert_eq!(rules[0].trunk_ids, [trunks[0].id.clone()]);
    }
}
