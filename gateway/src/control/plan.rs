//! `/trunks`, `/rules`: what is set up, and what it would do with a call. Passwords and PINs go in and
//! never come out.

use super::Request;
use super::desk::{Desk, Refused};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;
use trunkline_dialplan::{Destination, DispatchRule, Facts, OutboundTrunk, Plan, Trunk, Verdict, evaluate};

/// What stands in place of a secret.
pub const MASK: &str = "…";

/// The trunk without its password.
#[must_use]
pub fn masked_trunk(mut trunk: Trunk) -> Trunk {
    if !trunk.auth_password.is_empty() {
        trunk.auth_password = MASK.into();
    }
    trunk
}

/// The trunk through which calls go out, without its password.
#[must_use]
pub fn masked_outbound(mut trunk: OutboundTrunk) -> OutboundTrunk {
    if !trunk.auth_password.is_empty() {
        trunk.auth_password = MASK.into();
    }
    trunk
}

/// The rule without its PIN.
#[must_use]
pub fn masked_rule(mut rule: DispatchRule) -> DispatchRule {
    match &mut rule.destination {
        Destination::Direct { pin, .. }
        | Destination::Individual { pin, .. }
        | Destination::Callee { pin, .. } => {
            if !pin.is_empty() {
                *pin = MASK.into();
            }
        }
        Destination::Agent { .. } => {}
    }
    rule
}

pub async fn trunks(State(desk): State<Desk>) -> Result<Json<Vec<Trunk>>, Refused> {
    let plan = desk.records(trunkline_records::Records::plan).await?;
    Ok(Json(plan.trunks.into_iter().map(masked_trunk).collect()))
}

pub async fn outbound(State(desk): State<Desk>) -> Result<Json<Vec<OutboundTrunk>>, Refused> {
    let plan = desk.records(trunkline_records::Records::plan).await?;
    Ok(Json(plan.outbound.into_iter().map(masked_outbound).collect()))
}

pub async fn rules(State(desk): State<Desk>) -> Result<Json<Vec<DispatchRule>>, Refused> {
    let plan = desk.records(trunkline_records::Records::plan).await?;
    Ok(Json(plan.rules.into_iter().map(masked_rule).collect()))
}

pub async fn add_trunk(
    State(desk): State<Desk>,
    trunk: Result<Json<Trunk>, JsonRejection>,
) -> Result<Json<Trunk>, Refused> {
    let trunk = read(trunk)?;
    refuse_mask(&trunk.auth_password)?;
    let stored = desk.records(move |records| records.add_trunk(trunk)).await?;
    desk.ask(Request::PlanChanged).await?;
    Ok(Json(masked_trunk(stored)))
}

pub async fn add_outbound(
    State(desk): State<Desk>,
    trunk: Result<Json<OutboundTrunk>, JsonRejection>,
) -> Result<Json<OutboundTrunk>, Refused> {
    let trunk = read(trunk)?;
    refuse_mask(&trunk.auth_password)?;
    let stored = desk.records(move |records| records.add_outbound(trunk)).await?;
    Ok(Json(masked_outbound(stored)))
}

pub async fn add_rule(
    State(desk): State<Desk>,
    rule: Result<Json<DispatchRule>, JsonRejection>,
) -> Result<Json<DispatchRule>, Refused> {
    let rule = read(rule)?;
    refuse_mask(rule.destination.pin())?;
    let stored = desk.records(move |records| records.add_rule(rule)).await?;
    desk.ask(Request::PlanChanged).await?;
    Ok(Json(masked_rule(stored)))
}

pub async fn remove_trunk(State(desk): State<Desk>, Path(id): Path<String>) -> Result<StatusCode, Refused> {
    desk.records(move |records| records.remove_trunk(&id)).await?;
    desk.ask(Request::PlanChanged).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn remove_outbound(
    State(desk): State<Desk>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refused> {
    desk.records(move |records| records.remove_outbound(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn remove_rule(State(desk): State<Desk>, Path(id): Path<String>) -> Result<StatusCode, Refused> {
    desk.records(move |records| records.remove_rule(&id)).await?;
    desk.ask(Request::PlanChanged).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn test(
    State(desk): State<Desk>,
    call: Result<Json<Imagined>, JsonRejection>,
) -> Result<Json<Value>, Refused> {
    let call = read(call)?;
    let plan = desk.records(trunkline_records::Records::plan).await?;
    call.test(&Plan { default: desk.default, ..plan }).map(Json).map_err(Refused::Invalid)
}

fn read<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Refused> {
    body.map(|Json(value)| value).map_err(|rejection| Refused::Invalid(rejection.body_text()))
}

/// A list that was printed and is sent back would set every password to the mask.
fn refuse_mask(secret: &str) -> Result<(), Refused> {
    if secret == MASK {
        return Err(Refused::Invalid("the secret was masked when it was printed; give the real one".into()));
    }
    Ok(())
}

/// A call that nobody makes, for `rule test`.
#[derive(Debug, Clone, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Imagined {
    /// User part of From, or `user@host`.
    #[serde(default)]
    pub from: String,
    /// The number called.
    pub to: String,
    /// Source address; none: unknown, which matches.
    #[serde(default)]
    pub source: Option<String>,
    /// What the caller types.
    #[serde(default)]
    pub pin: Option<String>,
}

impl Imagined {
    /// `{"verdict","reasons"}`, and `challenge` before it where a trunk wants credentials: then verdict
    /// and reasons are those of a caller who has them.
    ///
    /// # Errors
    /// A sentence: the source is no address.
    pub fn test(&self, plan: &Plan) -> Result<Value, String> {
        let source = match self.source.as_deref() {
            None | Some("") => None,
            Some(text) => Some(text.parse::<IpAddr>().map_err(|_| {
                format!("source: expected an IP address, found \"{}\"", crate::shown::Shown(text))
            })?),
        };
        let (from, from_host) = self.from.split_once('@').unwrap_or((&self.from, ""));
        let to = self.to.split_once('@').map_or(self.to.as_str(), |(user, _)| user);
        let facts = Facts { from, from_host, to, source, pin: self.pin.as_deref() };
        let first = evaluate(plan, &facts, None, "");
        let (challenge, last) = match &first.verdict {
            Verdict::Challenge { trunk, .. } => {
                let challenge = first.verdict.to_string();
                (Some(challenge), evaluate(plan, &facts, Some(trunk), ""))
            }
            _ => (None, first),
        };
        let mut answer = json!({ "verdict": last.verdict.to_string(), "reasons": last.reasons });
        if let (Some(challenge), Some(object)) = (challenge, answer.as_object_mut()) {
            object.insert("challenge".into(), challenge.into());
        }
        Ok(answer)
    }
}
