//! The way to what is written down: through the running trunkline, or where none runs, straight into
//! the store, which then is free.

use super::Failure;
use crate::control::client::{Client, ClientError, segment};
use crate::control::plan::{Imagined, MASK, masked_outbound, masked_rule, masked_trunk};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::PathBuf;
use trunkline_config::Config;
use trunkline_dialplan::{DefaultRoute, DispatchRule, OutboundTrunk, Plan, Trunk};
use trunkline_records::Records;

/// One of the two ways.
#[derive(Debug)]
pub enum Door {
    /// A trunkline runs.
    Running(Client),
    /// None runs.
    Store(Records, DefaultRoute),
}

impl Door {
    /// Finds the way.
    ///
    /// # Errors
    /// The socket or the store cannot be used.
    pub fn open(config: &Config) -> Result<Self, Failure> {
        match Client::connect(&config.state_dir) {
            Ok(client) => Ok(Self::Running(client)),
            Err(ClientError::NotRunning { .. }) => {
                let (records, _) = Records::open(&config.state_dir)?;
                let default =
                    if config.dialplan.default_agent { DefaultRoute::Agent } else { DefaultRoute::Reject };
                Ok(Self::Store(records, default))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// All trunks, without their passwords.
    pub fn trunks(&self) -> Result<Vec<Trunk>, Failure> {
        match self {
            Self::Running(client) => typed(client.get("/trunks")?),
            Self::Store(records, _) => Ok(records.plan()?.trunks.into_iter().map(masked_trunk).collect()),
        }
    }

    /// All trunks through which calls go out, without their passwords.
    pub fn outbound(&self) -> Result<Vec<OutboundTrunk>, Failure> {
        match self {
            Self::Running(client) => typed(client.get("/outbound")?),
            Self::Store(records, _) => {
                Ok(records.plan()?.outbound.into_iter().map(masked_outbound).collect())
            }
        }
    }

    /// All rules, without their PINs.
    pub fn rules(&self) -> Result<Vec<DispatchRule>, Failure> {
        match self {
            Self::Running(client) => typed(client.get("/rules")?),
            Self::Store(records, _) => Ok(records.plan()?.rules.into_iter().map(masked_rule).collect()),
        }
    }

    /// Adds a trunk; as stored.
    pub fn add_trunk(&self, trunk: Trunk) -> Result<Trunk, Failure> {
        refuse_mask(&trunk.auth_password)?;
        match self {
            Self::Running(client) => typed(client.post("/trunks", &value(&trunk)?)?),
            Self::Store(records, _) => Ok(masked_trunk(records.add_trunk(trunk)?)),
        }
    }

    /// Adds a trunk through which calls go out; as stored.
    pub fn add_outbound(&self, trunk: OutboundTrunk) -> Result<OutboundTrunk, Failure> {
        refuse_mask(&trunk.auth_password)?;
        match self {
            Self::Running(client) => typed(client.post("/outbound", &value(&trunk)?)?),
            Self::Store(records, _) => Ok(masked_outbound(records.add_outbound(trunk)?)),
        }
    }

    /// Adds a rule; as stored.
    pub fn add_rule(&self, rule: DispatchRule) -> Result<DispatchRule, Failure> {
        refuse_mask(rule.destination.pin())?;
        match self {
            Self::Running(client) => typed(client.post("/rules", &value(&rule)?)?),
            Self::Store(records, _) => Ok(masked_rule(records.add_rule(rule)?)),
        }
    }

    /// Removes a trunk of either kind.
    pub fn remove_trunk(&self, id: &str) -> Result<(), Failure> {
        if self.outbound()?.iter().any(|trunk| trunk.id == id) {
            return match self {
                Self::Running(client) => Ok(client.delete(&format!("/outbound/{}", segment(id)))?),
                Self::Store(records, _) => Ok(records.remove_outbound(id)?),
            };
        }
        match self {
            Self::Running(client) => Ok(client.delete(&format!("/trunks/{}", segment(id)))?),
            Self::Store(records, _) => Ok(records.remove_trunk(id)?),
        }
    }

    /// Removes a rule.
    pub fn remove_rule(&self, id: &str) -> Result<(), Failure> {
        match self {
            Self::Running(client) => Ok(client.delete(&format!("/rules/{}", segment(id)))?),
            Self::Store(records, _) => Ok(records.remove_rule(id)?),
        }
    }

    /// What the plan would do with a call.
    pub fn test(&self, call: &Imagined) -> Result<Value, Failure> {
        match self {
            Self::Running(client) => Ok(client.post("/rules/test", &value(call)?)?),
            Self::Store(records, default) => {
                let plan = Plan { default: *default, ..records.plan()? };
                call.test(&plan).map_err(Failure::Failed)
            }
        }
    }

    /// `{"up","ended"}`
    pub fn calls(&self, most: usize) -> Result<Value, Failure> {
        match self {
            Self::Running(client) => Ok(client.get(&format!("/calls?most={most}"))?),
            Self::Store(records, _) => Ok(json!({ "up": [], "ended": records.cdrs(most)? })),
        }
    }

    /// `{"cdr","timeline"}`
    pub fn call(&self, id: &str) -> Result<Value, Failure> {
        match self {
            Self::Running(client) => Ok(client.get(&format!("/calls/{}", segment(id)))?),
            Self::Store(records, _) => {
                let cdr = records.cdr(id)?;
                let timeline = records.timeline(&cdr.id)?;
                Ok(json!({ "cdr": cdr, "timeline": timeline }))
            }
        }
    }

    /// A call for Wireshark.
    pub fn pcap(&self, id: &str) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Running(client) => Ok(client.bytes(&format!("/calls/{}/pcap", segment(id)))?.to_vec()),
            Self::Store(records, _) => {
                let cdr = records.cdr(id)?;
                let recording = cdr.recording.as_ref().map(PathBuf::from);
                Ok(trunkline_records::pcap(&records.timeline(&cdr.id)?, &cdr, recording.as_deref())?)
            }
        }
    }
}

fn refuse_mask(secret: &str) -> Result<(), Failure> {
    if secret == MASK {
        return Err(Failure::Failed(
            "a password or PIN was masked when it was printed; give the real one".into(),
        ));
    }
    Ok(())
}

fn value(thing: &impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(thing).map_err(|error| Failure::Failed(error.to_string()))
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value)
        .map_err(|error| Failure::Failed(format!("the running trunkline is of another version: {error}")))
}
