//! `Via`: the way back of a response (RFC 3261 §18.2.2, RFC 3581).

use super::text::{Params, cut};
use super::uri::host_and_port;

/// One `Via` value; borrows its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, `TCP`, `TLS`, `WS`, … as written.
    pub transport: &'a str,
    /// sent-by host, IPv6 in brackets.
    pub host: &'a str,
    /// sent-by port.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport`, …
    pub params: Params<'a>,
}

/// A `Via` that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed Via")]
pub struct ViaError;

impl<'a> Via<'a> {
    /// Parses one value (no list).
    ///
    /// # Errors
    /// [`ViaError`] when protocol or sent-by are broken.
    pub fn parse(text: &'a str) -> Result<Self, ViaError> {
        let (protocol, rest) = Self::protocol(text.trim_ascii()).ok_or(ViaError)?;
        let (sent_by, params) = cut(rest, b';').unwrap_or((rest, ""));
        let sent_by = sent_by.trim_ascii();
        let (host, port) = match host_and_port(sent_by) {
            Ok(found) => found,
            // White space may surround the colon (RFC 4475 §3.1.1.1); bare IPv6 is seen in the wild.
            Err(_) => Self::loose(sent_by)?,
        };
        Ok(Self { transport: protocol, host, port, params: Params::new(params) })
    }

    /// `SIP / 2.0 / UDP` with any white space around the slashes, line ends of a fold too.
    fn protocol(text: &'a str) -> Option<(&'a str, &'a str)> {
        let (name, rest) = cut(text, b'/')?;
        let (version, rest) = cut(rest, b'/')?;
        if !name.trim_ascii().eq_ignore_ascii_case("SIP") || version.trim_ascii() != "2.0" {
            return None;
        }
        let rest = rest.trim_ascii_start();
        let end = rest.find(|c: char| c.is_ascii_whitespace())?;
        let transport = rest.get(..end)?;
        if !super::text::is_token(transport) {
            return None;
        }
        Some((transport, rest.get(end..)?.trim_ascii_start()))
    }

    fn loose(sent_by: &'a str) -> Result<(&'a str, Option<u16>), ViaError> {
        let (host, port) = sent_by.rsplit_once(':').ok_or(ViaError)?;
        let (host, _) = host_and_port(host.trim_ascii()).map_err(|_| ViaError)?;
        Ok((host, Some(port.trim_ascii().parse().map_err(|_| ViaError)?)))
    }

    /// The branch; empty counts as none.
    #[must_use]
    pub fn branch(&self) -> Option<&'a str> {
        self.params.get("branch").filter(|b| !b.is_empty())
    }

    /// Does the branch promise uniqueness (RFC 3261 §8.1.1.7) and keep the promise (a bare cookie
    /// does not: RFC 4475 §3.2.1)?
    #[must_use]
    pub fn has_unique_branch(&self) -> bool {
        self.branch()
            .is_some_and(|b| b.get(..7).is_some_and(|c| c.eq_ignore_ascii_case("z9hG4bK")) && b.len() > 7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_slashes_and_colon_is_allowed() {
        let via = Via::parse("SIP  / 2.0\t/ UDP    192.0.2.2 : 5060;branch=z9hG4bK390skdjuw").unwrap();
        assert_eq!((via.transport, via.host, via.port), ("UDP", "192.0.2.2", Some(5060)));
        assert!(via.has_unique_branch());
    }

    #[test]
    fn a_branch_of_the_cookie_alone_is_not_unique() {
        assert!(!Via::parse("SIP/2.0/UDP h;branch=z9hG4bK").unwrap().has_unique_branch());
    }

    #[test]
    fn another_protocol_is_refused() {
        assert_eq!(Via::parse("SIP/7.0/UDP h"), Err(ViaError));
    }
}
