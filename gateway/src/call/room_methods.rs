//! The two room methods that agents call at a SIP participant, as livekit/sip registers them: the end of the call
//! with headers for its BYE, and the headers that the telephone's side sent.

use super::desk::Desk;
use super::{Call, words};
use std::collections::BTreeMap;
use trunkline_sip::Extra;

/// RPC errors of LiveKit's SDKs.
const UNSUPPORTED_METHOD: u32 = 1_400;
const APPLICATION_ERROR: u32 = 1_500;

impl Call {
    /// Somebody in the room calls one.
    pub(super) fn method(&mut self, desk: &mut Desk, from: &str, id: &str, method: &str, payload: &str) {
        let Some(guest) = &self.guest else { return };
        let who = guest.who;
        let answer = match method {
            "lk.sip.EndCall" => match headers_in(payload) {
                Ok(headers) => {
                    self.goodbye_headers = headers;
                    Ok("{}".to_owned())
                }
                Err(why) => Err((APPLICATION_ERROR, why)),
            },
            "lk.sip.GetRemoteHeaders" => Ok(self.remote_headers_as_json(payload)),
            _ => Err((UNSUPPORTED_METHOD, format!("Method not supported at destination: {method}"))),
        };
        let ends = method == "lk.sip.EndCall" && answer.is_ok();
        if let Some(live) = &desk.live {
            live.answer(who, id, from, answer);
        }
        if ends {
            self.hang_up(desk, words::NORMAL, &format!("{from} ended it (lk.sip.EndCall)"));
        }
    }

    fn remote_headers_as_json(&self, payload: &str) -> String {
        let asked: serde_json::Value = serde_json::from_str(payload).unwrap_or_default();
        let names = |key: &str| -> Vec<String> {
            let list = asked.get(key).and_then(serde_json::Value::as_array);
            let texts = list.into_iter().flatten().filter_map(serde_json::Value::as_str);
            texts.map(str::to_ascii_lowercase).collect()
        };
        let (include, exclude) = (names("include"), names("exclude"));
        let wanted = |name: &str| {
            let name = name.to_ascii_lowercase();
            (include.is_empty() || include.contains(&name)) && !exclude.contains(&name)
        };
        let found: BTreeMap<&str, &str> = self
            .remote_headers
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        serde_json::json!({ "headers": found }).to_string()
    }
}

/// `{"headers": {"X-A": "b"}}`
fn headers_in(payload: &str) -> Result<Vec<Extra>, String> {
    if payload.trim().is_empty() {
        return Ok(Vec::new());
    }
    let read: serde_json::Value =
        serde_json::from_str(payload).map_err(|error| format!("expected a JSON object: {error}"))?;
    let Some(headers) = read.get("headers").and_then(serde_json::Value::as_object) else {
        return Ok(Vec::new());
    };
    let pair = |(name, value): (&String, &serde_json::Value)| {
        let value = value.as_str().filter(|v| !v.contains(char::is_control))?;
        Some((name.clone(), value.to_owned())).filter(|(name, _)| !name.contains(char::is_control))
    };
    Ok(headers.iter().filter_map(pair).collect())
}
