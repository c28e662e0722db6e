//! Addresses: `sip:`, `sips:`, `tel:`, and any other scheme as data (RFC 3261 §19.1, RFC 3966).

use super::text::{Params, are_uri_bytes, cut, is_host_byte, unescaped};
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

/// The scheme of a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// Any other, as written.
    Other(&'a str),
}

/// A parsed URI that borrows its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uri<'a> {
    /// What kind of address.
    pub scheme: Scheme<'a>,
    /// The user part, still escaped; for `tel:` the number; for other schemes everything.
    pub user: Option<&'a str>,
    /// The password, which nobody should use.
    pub password: Option<&'a str>,
    /// Host name, IPv4, or IPv6 in brackets; empty for `tel:` and other schemes.
    pub host: &'a str,
    /// The port, if one is given.
    pub port: Option<u16>,
    /// Parameters of the URI.
    pub params: Params<'a>,
    /// What follows `?`.
    pub headers: Option<&'a str>,
}

/// What is wrong with a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// No colon, or nothing before it.
    #[error("URI has no scheme")]
    NoScheme,
    /// Empty or broken host.
    #[error("URI has no valid host")]
    Host,
    /// Not a number from 0 to 65,535.
    #[error("URI has no valid port")]
    Port,
    /// White space, control characters, angle brackets.
    #[error("URI holds a character that must be escaped")]
    Character,
}

impl<'a> Uri<'a> {
    /// Parses a URI without angle brackets.
    ///
    /// # Errors
    /// [`UriError`]; what merely looks odd is kept.
    pub fn parse(text: &'a str) -> Result<Self, UriError> {
        if !are_uri_bytes(text) {
            return Err(UriError::Character);
        }
        let (scheme, rest) = cut(text, b':').ok_or(UriError::NoScheme)?;
        if scheme.is_empty()
            || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        {
            return Err(UriError::NoScheme);
        }
        let scheme = match scheme {
            s if s.eq_ignore_ascii_case("sip") => Scheme::Sip,
            s if s.eq_ignore_ascii_case("sips") => Scheme::Sips,
            s if s.eq_ignore_ascii_case("tel") => Scheme::Tel,
            s => Scheme::Other(s),
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => Self::sip(scheme, rest),
            Scheme::Tel => {
                let (number, params) = cut(rest, b';').unwrap_or((rest, ""));
                Ok(Self { user: Some(number), params: Params::new(params), ..Self::bare(scheme) })
            }
            Scheme::Other(_) => Ok(Self { user: Some(rest), ..Self::bare(scheme) }),
        }
    }

    fn bare(scheme: Scheme<'a>) -> Self {
        Self {
            scheme,
            user: None,
            password: None,
            host: "",
            port: None,
            params: Params::default(),
            headers: None,
        }
    }

    fn sip(scheme: Scheme<'a>, rest: &'a str) -> Result<Self, UriError> {
        // The user part may hold `;` and `?` (RFC 4475 §3.1.1.9 semiuri), so the @ comes first; a second
        // one would have to be escaped.
        let (user_info, rest) = match cut(rest, b'@') {
            Some((_, rest)) if memchr::memchr(b'@', rest.as_bytes()).is_some() => {
                return Err(UriError::Character);
            }
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let (user, password) = match user_info {
            Some(u) => match cut(u, b':') {
                Some((u, p)) => (Some(u), Some(p)),
                None => (Some(u), None),
            },
            None => (None, None),
        };
        let (rest, headers) = match cut(rest, b'?') {
            Some((r, h)) => (r, Some(h)),
            None => (rest, None),
        };
        let (host_port, params) = cut(rest, b';').unwrap_or((rest, ""));
        let (host, port) = host_and_port(host_port)?;
        Ok(Self { scheme, user, password, host, port, params: Params::new(params), headers })
    }

    /// The user part without escapes; for `tel:` the number without visual separators.
    #[must_use]
    pub fn user_unescaped(&self) -> Cow<'a, str> {
        let user = self.user.unwrap_or("");
        if self.scheme == Scheme::Tel {
            return Cow::Owned(user.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect());
        }
        unescaped(user)
    }

    /// The host as an address, if it is one (IPv6 without its brackets).
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The `transport` parameter.
    #[must_use]
    pub fn transport(&self) -> Option<&'a str> {
        self.params.get("transport")
    }

    /// Does `lr` say that the proxy of this Route is a loose router (RFC 3261 §16.12)?
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.params.get("lr").is_some()
    }

    /// Comparison by RFC 3261 §19.1.4: case of scheme and host does not count, order of parameters
    /// neither; user, ttl, method, maddr and transport count even when only one side has them. What is the
    /// same text is the same; otherwise nothing is the same as a URI of more than 64 parameters, as each
    /// of them would have to be looked for among the others.
    #[must_use]
    pub fn same_as(&self, other: &Uri<'_>) -> bool {
        if self == other {
            return true;
        }
        if [self, other].iter().any(|uri| uri.params.iter().nth(MOST_COMPARED).is_some()) {
            return false;
        }
        let scheme = match (self.scheme, other.scheme) {
            (Scheme::Other(a), Scheme::Other(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a == b,
        };
        scheme
            && self.user.map(unescaped) == other.user.map(unescaped)
            && self.password == other.password
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
            && self.headers.unwrap_or("") == other.headers.unwrap_or("")
            && self.params.iter().all(|(n, v)| match other.params.get(n) {
                Some(o) => v.eq_ignore_ascii_case(o),
                None => !must_match(n),
            })
            && other.params.iter().all(|(n, _)| self.params.get(n).is_some() || !must_match(n))
    }
}

/// Parameters of a URI that is compared.
const MOST_COMPARED: usize = 64;

fn must_match(name: &str) -> bool {
    ["user", "ttl", "method", "maddr", "transport"].iter().any(|m| m.eq_ignore_ascii_case(name))
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`.
pub(crate) fn host_and_port(text: &str) -> Result<(&str, Option<u16>), UriError> {
    let (host, port) = if text.starts_with('[') {
        let end = text.find(']').ok_or(UriError::Host)?;
        let host = text.get(..=end).ok_or(UriError::Host)?;
        host.get(1..end).and_then(|h| h.parse::<std::net::Ipv6Addr>().ok()).ok_or(UriError::Host)?;
        let rest = text.get(end + 1..).unwrap_or("");
        (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(UriError::Host)?) })
    } else {
        match cut(text, b':') {
            Some((h, p)) => (h, Some(p)),
            None => (text, None),
        }
    };
    if !host.starts_with('[') && (host.is_empty() || !host.bytes().all(is_host_byte)) {
        return Err(UriError::Host);
    }
    let port = match port {
        Some(p) if !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()) => {
            Some(p.parse().map_err(|_| UriError::Port)?)
        }
        Some(_) => return Err(UriError::Port),
        None => None,
    };
    Ok((host, port))
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::Sip => f.write_str("sip:")?,
            Scheme::Sips => f.write_str("sips:")?,
            Scheme::Tel => f.write_str("tel:")?,
            Scheme::Other(s) => write!(f, "{s}:")?,
        }
        if let Some(user) = self.user {
            f.write_str(user)?;
            if let Some(password) = self.password {
                write!(f, ":{password}")?;
            }
            if !self.host.is_empty() {
                f.write_str("@")?;
            }
        }
        f.write_str(self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if !self.params.as_str().is_empty() {
            write!(f, ";{}", self.params.as_str())?;
        }
        if let Some(headers) = self.headers {
            write!(f, "?{headers}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_comes_back_as_it_was_written() {
        for text in [
            "sip:alice@example.com",
            "sips:alice:pw@example.com:5061;transport=tls?subject=x",
            "sip:[2001:db8::1]:5060;lr",
            "tel:+1-201-555-0123;phone-context=example.com",
            "sip:user;par=u%40example.net@example.com",
            "nobodyKnowsThisScheme:totallyopaquecontent",
        ] {
            assert_eq!(Uri::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_telephone_number_loses_its_visual_separators() {
        assert_eq!(Uri::parse("tel:+1-(201)-555.0123").unwrap().user_unescaped(), "+12015550123");
    }

    #[test]
    fn broken_hosts_and_ports_are_named() {
        assert_eq!(Uri::parse("sip:a@"), Err(UriError::Host));
        assert_eq!(Uri::parse("sip:a@h:99999"), Err(UriError::Port));
        assert_eq!(Uri::parse("sip:a@[::zz]"), Err(UriError::Host));
        assert_eq!(Uri::parse("alice"), Err(UriError::NoScheme));
        assert_eq!(Uri::parse("sip:a b@h"), Err(UriError::Character));
    }

    #[test]
    fn comparison_follows_the_examples_of_the_rfc() {
        let same = |a, b| Uri::parse(a).unwrap().same_as(&Uri::parse(b).unwrap());
        assert!(same("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"));
        assert!(same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
        assert!(!same("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"));
        assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
        assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
    }

    #[test]
    fn a_uri_is_the_same_as_itself_whatever_stands_in_it() {
        let many = format!("sip:a@b{}", ";x=1;x=2".repeat(1000));
        for text in ["sip:a@b;p=;p=2", many.as_str()] {
            let uri = Uri::parse(text).unwrap();
            assert!(uri.same_as(&uri));
        }
        assert!(!Uri::parse(&many).unwrap().same_as(&Uri::parse("sip:a@b").unwrap()));
    }

    #[test]
    fn empty_parameters_do_not_dwindle_from_one_writing_to_the_next() {
        let written = Uri::parse("tel:+1;;;ext=2").unwrap().to_string();
        assert_eq!(Uri::parse(&written).unwrap().to_string(), written);
    }
}
