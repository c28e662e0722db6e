//! What a request for a call says of its INVITE: Request-URI, From, To, Route, headers, credentials. Pure.

use trunkline_psrpc::{InternalCreateSipParticipantRequest as Order, PsrpcError, code};
use trunkline_sip::auth::Credentials;
use trunkline_sip::message::text;
use trunkline_sip::{Extra, Flow};

/// Headers that are ours to write.
const OURS: [&str; 16] = [
    "via",
    "from",
    "to",
    "call-id",
    "cseq",
    "contact",
    "max-forwards",
    "content-length",
    "content-type",
    "record-route",
    "allow",
    "supported",
    "require",
    "authorization",
    "proxy-authorization",
    "session-expires",
];

/// The Request-URI, checked.
pub(super) fn target(order: &Order) -> Result<String, PsrpcError> {
    let invalid = |why: String| PsrpcError::new(code::INVALID_ARGUMENT, why);
    let raw = order.sip_request_uri.as_ref().and_then(|dest| dest.uri.as_ref());
    if let Some(livekit_protocol::sip_request_dest::Uri::Raw(raw)) = raw {
        return Ok(raw.clone());
    }
    if order.address.is_empty() {
        return Err(invalid("the trunk has no address".to_owned()));
    }
    if order.call_to.is_empty() {
        return Err(invalid("sip_call_to: expected a number or user to call, found none".to_owned()));
    }
    let user = &order.call_to;
    if user.contains(|c: char| c.is_control() || c.is_whitespace() || "<>\"@".contains(c)) {
        return Err(invalid(format!(
            "sip_call_to: expected a number or user, found \"{}\"",
            text::Escaped(user)
        )));
    }
    let transport = match order.transport {
        1 => ";transport=udp",
        2 => ";transport=tcp",
        3 => ";transport=tls",
        _ => "",
    };
    let address = order.address.trim_start_matches("sip:");
    Ok(format!("sip:{user}@{address}{transport}"))
}

/// `"Name" <sip:number@host>`. No display name where the request says an empty one: carriers then look it up.
pub(super) fn from(order: &Order, flow: &Flow) -> String {
    if let Some(named) = &order.sip_from_header
        && let Some(livekit_protocol::sip_named_dest::Uri::Raw(raw)) = &named.uri
    {
        let name = if named.display_name.is_empty() {
            String::new()
        } else {
            text::quoted(&named.display_name) + " "
        };
        return format!("{name}<{raw}>");
    }
    let name = match &order.display_name {
        None => text::quoted(&order.number) + " ",
        Some(name) if name.is_empty() => String::new(),
        Some(name) => text::quoted(name) + " ",
    };
    let host = match order.hostname.as_str() {
        "" => flow.local.to_string(),
        host => host.to_owned(),
    };
    format!("{name}<sip:{}@{host}>", user(&order.number))
}

pub(super) fn to(order: &Order) -> String {
    match &order.sip_to_header {
        Some(named) => match &named.uri {
            Some(livekit_protocol::sip_named_dest::Uri::Raw(raw)) => format!("<{raw}>"),
            _ => String::new(),
        },
        None if !order.to_user_override.is_empty() => {
            format!("<sip:{}@{}>", user(&order.to_user_override), order.address)
        }
        None => String::new(),
    }
}

pub(super) fn user(number: &str) -> String {
    let user: String =
        number.chars().filter(|c| c.is_ascii_alphanumeric() || "+-_.*#".contains(*c)).collect();
    if user.is_empty() { "anonymous".to_owned() } else { user }
}

pub(super) fn routes(order: &Order) -> Vec<String> {
    order
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("route"))
        .map(|(_, v)| v.clone())
        .collect()
}

pub(super) fn headers(order: &Order) -> Result<Vec<Extra>, PsrpcError> {
    let mut found: Vec<Extra> = Vec::new();
    for (name, value) in &order.headers {
        let lower = name.to_ascii_lowercase();
        if OURS.contains(&lower.as_str()) {
            let why = format!("headers: {} is written by the gateway", text::Escaped(name));
            return Err(PsrpcError::new(code::INVALID_ARGUMENT, why));
        }
        if lower != "route" {
            found.push((name.clone(), value.clone()));
        }
    }
    found.sort();
    Ok(found)
}

pub(super) fn credentials(order: &Order) -> Option<Credentials> {
    let is_set = !order.username.is_empty() && !order.password.is_empty();
    is_set.then(|| Credentials {
        username: order.username.clone(),
        password: order.password.clone(),
        realm: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_sip::Transport;

    #[test]
    fn a_number_that_would_break_the_request_line_is_refused_by_name() {
        let order = |to: &str| Order { address: "127.0.0.1".into(), call_to: to.into(), ..Order::default() };
        assert_eq!(target(&order("+15550100")).unwrap(), "sip:+15550100@127.0.0.1");
        assert!(target(&order("a b")).unwrap_err().message.contains("sip_call_to"));
        assert!(target(&order("")).unwrap_err().message.contains("sip_call_to"));
    }

    #[test]
    fn a_trunk_that_wants_tls_is_not_called_by_udp() {
        let order = |transport| Order {
            address: "127.0.0.1".into(),
            call_to: "a".into(),
            transport,
            ..Order::default()
        };
        let way = |transport| crate::serve::transport(&target(&order(transport)).unwrap());
        assert_eq!([0, 1, 2, 3].map(way), [Transport::Udp, Transport::Udp, Transport::Tcp, Transport::Tls]);
        assert!(super::super::host_of("sip:a@127.0.0.1;transport=sctp").unwrap_err().contains("found sctp"));
    }
}
