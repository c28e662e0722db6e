//! `trunkline trunk`: who may call.

use super::table::Table;
use super::{Door, Failure, Outcome, import};
use crate::cli::Context;
use crate::shown::Shown;
use serde_json::json;
use std::path::PathBuf;
use trunkline_dialplan::Trunk;

/// What can be said after `trunkline trunk`.
#[derive(Debug, clap::Subcommand)]
pub enum TrunkVerb {
    /// All trunks through which calls come in
    List,
    /// All trunks through which calls go out; LiveKit's API and `import` add them
    Outbound,
    /// Add a trunk, or replace the one with the same --id
    Add(Box<New>),
    /// Remove a trunk of either kind
    Remove {
        /// ST_…
        id: String,
    },
    /// Add the trunks and dispatch rules of a file of livekit's (YAML or JSON)
    Import(import::Arguments),
}

/// A new trunk.
#[derive(Debug, clap::Args)]
pub struct New {
    /// What to call it
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// A number that is called through it; repeat for more; none: any number
    #[arg(long = "number", value_name = "NUMBER")]
    numbers: Vec<String>,
    /// An address, block (10.0.0.0/8) or From host that may call; repeat for more; none: any
    #[arg(long = "allow-address", alias = "allow", value_name = "ADDRESS")]
    allowed_addresses: Vec<String>,
    /// A number that may call; repeat for more; none: any
    #[arg(long = "caller", value_name = "NUMBER")]
    allowed_numbers: Vec<String>,
    /// Digest user that callers must be
    #[arg(long, default_value = "", hide_default_value = true)]
    username: String,
    /// Its password; other users of this machine may see it: prefer --password-file
    #[arg(long, default_value = "", hide_default_value = true, conflicts_with = "password_file")]
    password: String,
    /// A file that holds the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Realm of the challenge
    #[arg(long, default_value = "", hide_default_value = true)]
    realm: String,
    /// Free text that is kept with it
    #[arg(long, default_value = "", hide_default_value = true)]
    metadata: String,
    /// Calls at a time; 0: no limit
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    max_calls: u32,
    /// New calls a second; 0: no limit
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    calls_per_second: u32,
    /// Its id, instead of one that is made up
    #[arg(long, default_value = "", hide_default_value = true)]
    id: String,
}

/// Does it.
pub fn run(context: &Context, verb: TrunkVerb) -> Result<Outcome, Failure> {
    match verb {
        TrunkVerb::List => list(context),
        TrunkVerb::Outbound => outbound(context),
        TrunkVerb::Add(new) => {
            let stored = Door::open(&context.config)?.add_trunk(new.into_trunk()?)?;
            Ok(if context.json {
                Outcome::json(&json!(stored))
            } else {
                Outcome::said(format!("added {}", Shown(&stored.id)))
            })
        }
        TrunkVerb::Remove { id } => {
            Door::open(&context.config)?.remove_trunk(&id)?;
            Ok(if context.json {
                Outcome::json(&json!({ "removed": id }))
            } else {
                Outcome::said("removed".into())
            })
        }
        TrunkVerb::Import(arguments) => import::run(context, &arguments),
    }
}

impl New {
    fn into_trunk(self) -> Result<Trunk, Failure> {
        let auth_password = match self.password_file {
            None => self.password,
            Some(file) => std::fs::read_to_string(&file)
                .map_err(|error| Failure::Failed(format!("{}: {error}", file.display())))?
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
        };
        Ok(Trunk {
            id: self.id,
            name: self.name,
            numbers: self.numbers,
            allowed_addresses: self.allowed_addresses,
            allowed_numbers: self.allowed_numbers,
            auth_username: self.username,
            auth_password,
            auth_realm: self.realm,
            metadata: self.metadata,
            max_calls: self.max_calls,
            calls_per_second: self.calls_per_second,
            ..Trunk::default()
        })
    }
}

fn list(context: &Context) -> Result<Outcome, Failure> {
    let trunks = Door::open(&context.config)?.trunks()?;
    if context.json {
        return Ok(Outcome::json(&json!(trunks)));
    }
    if trunks.is_empty() {
        return Ok(Outcome::said(
            "no trunk is set up, so anybody may call; `trunkline trunk add --help` says how to close the door".into(),
        ));
    }
    let mut table = Table::new(&["TRUNK", "NAME", "NUMBERS", "MAY CALL FROM", "CALLERS", "USER", "LIMITS"]);
    for trunk in &trunks {
        let user =
            if trunk.wants_credentials() { format!("{} …", trunk.auth_username) } else { String::new() };
        table.row(&[
            &trunk.id,
            &trunk.name,
            &any(&trunk.numbers),
            &any(&trunk.allowed_addresses),
            &any(&trunk.allowed_numbers),
            &user,
            &limits(trunk),
        ]);
    }
    Ok(Outcome::said(table.fitted()))
}

fn outbound(context: &Context) -> Result<Outcome, Failure> {
    let trunks = Door::open(&context.config)?.outbound()?;
    if context.json {
        return Ok(Outcome::json(&json!(trunks)));
    }
    if trunks.is_empty() {
        return Ok(Outcome::said(
            "no trunk is set up through which calls could go out; LiveKit's API and `trunkline trunk import` add them"
                .into(),
        ));
    }
    let mut table = Table::new(&["TRUNK", "NAME", "ADDRESS", "NUMBERS", "USER"]);
    for trunk in &trunks {
        let has_user = !trunk.auth_username.is_empty();
        let user = if has_user { format!("{} …", trunk.auth_username) } else { String::new() };
        table.row(&[&trunk.id, &trunk.name, &trunk.address, &any(&trunk.numbers), &user]);
    }
    Ok(Outcome::said(table.fitted()))
}

/// A list in a cell; an empty one means that it does not matter.
pub(super) fn any(list: &[String]) -> String {
    if list.is_empty() { "any".into() } else { list.join(" ") }
}

fn limits(trunk: &Trunk) -> String {
    let mut limits = Vec::new();
    if trunk.max_calls > 0 {
        limits.push(format!("{} calls", trunk.max_calls));
    }
    if trunk.calls_per_second > 0 {
        limits.push(format!("{}/s", trunk.calls_per_second));
    }
    limits.join(" ")
}
