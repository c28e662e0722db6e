//! Headers as values. Each accessor reads what it is asked for and borrows; `None` is "missing",
//! `Some(Err)` is never silent where a call depends on it.

use super::address::{AddressError, NameAddr};
use super::method::Method;
use super::text::{Params, Split, cut};
use super::via::{Via, ViaError};
use super::{HeaderName, Message};

/// `CSeq: 4711 INVITE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Below 2^31 (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The method.
    pub method: Method<'a>,
}

/// `RAck: 776656 1 INVITE` (RFC 3262 §7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RAck<'a> {
    /// RSeq of the provisional response.
    pub rseq: u32,
    /// CSeq number of the request.
    pub cseq: u32,
    /// Its method.
    pub method: Method<'a>,
}

/// Who refreshes a session (RFC 4028 §7): named by the roles in the request that negotiates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresher {
    /// The one who sent the request.
    Uac,
    /// The one who answers it.
    Uas,
}

/// `Session-Expires: 1800;refresher=uac`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionExpires {
    /// Seconds.
    pub seconds: u32,
    /// Who refreshes, if it is said.
    pub refresher: Option<Refresher>,
}

fn parse_cseq(text: &str) -> Option<CSeq<'_>> {
    let mut words = text.split_ascii_whitespace();
    let number = words.next()?.parse::<u32>().ok().filter(|n| *n < 1 << 31)?;
    let method = words.next()?;
    if words.next().is_some() || !super::text::is_token(method) {
        return None;
    }
    Some(CSeq { number, method: Method::recognise(method) })
}

fn seconds(text: &str) -> Option<u32> {
    let digits = text.trim_ascii().split([';', ' ', '(', '\t']).next()?;
    digits.parse().ok()
}

impl Message {
    /// The topmost Via.
    ///
    /// # Errors
    /// [`ViaError`] when it is missing or broken.
    pub fn via(&self) -> Result<Via<'_>, ViaError> {
        let line = self.header(HeaderName::Via).ok_or(ViaError)?;
        Via::parse(Split::new(line, b',').next().ok_or(ViaError)?)
    }

    /// All Vias, topmost first.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'_>, ViaError>> {
        self.list(HeaderName::Via).map(Via::parse)
    }

    /// From.
    ///
    /// # Errors
    /// [`AddressError`]; [`AddressError::Empty`] when it is missing.
    pub fn from(&self) -> Result<NameAddr<'_>, AddressError> {
        NameAddr::parse(self.header(HeaderName::From).ok_or(AddressError::Empty)?)
    }

    /// To.
    ///
    /// # Errors
    /// [`AddressError`]; [`AddressError::Empty`] when it is missing.
    pub fn to(&self) -> Result<NameAddr<'_>, AddressError> {
        NameAddr::parse(self.header(HeaderName::To).ok_or(AddressError::Empty)?)
    }

    /// CSeq, if it is there and sound.
    #[must_use]
    pub fn cseq(&self) -> Option<CSeq<'_>> {
        parse_cseq(self.header(HeaderName::CSeq)?)
    }

    /// Call-ID, if it is there and not empty.
    #[must_use]
    pub fn call_id(&self) -> Option<&str> {
        self.header(HeaderName::CallId).filter(|v| !v.is_empty())
    }

    /// Addresses of Contact; `*` is none.
    pub fn contacts(&self) -> impl Iterator<Item = Result<NameAddr<'_>, AddressError>> {
        self.list(HeaderName::Contact).filter(|c| *c != "*").map(NameAddr::parse)
    }

    /// Route, in order.
    pub fn routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, AddressError>> {
        self.list(HeaderName::Route).map(NameAddr::parse)
    }

    /// Record-Route, in order.
    pub fn record_routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, AddressError>> {
        self.list(HeaderName::RecordRoute).map(NameAddr::parse)
    }

    /// Max-Forwards, if it is there and sound.
    #[must_use]
    pub fn max_forwards(&self) -> Option<u32> {
        self.header(HeaderName::MaxForwards)?.trim_ascii().parse().ok()
    }

    /// Type and parameters of the body: `("application/sdp", …)`; case of the type does not count.
    #[must_use]
    pub fn content_type(&self) -> Option<(&str, Params<'_>)> {
        let text = self.header(HeaderName::ContentType)?;
        let (kind, params) = cut(text, b';').unwrap_or((text, ""));
        Some((kind.trim_ascii(), Params::new(params)))
    }

    /// The body that is of this type, by itself or inside a multipart.
    #[must_use]
    pub fn body_of(&self, wanted: &str) -> Option<bytes::Bytes> {
        let body = self.body();
        if body.is_empty() {
            return None;
        }
        let (kind, params) = self.content_type()?;
        if kind.eq_ignore_ascii_case(wanted) {
            return Some(body);
        }
        super::multipart::find(kind, params, &body, wanted)
    }

    /// Session-Expires (RFC 4028).
    #[must_use]
    pub fn session_expires(&self) -> Option<SessionExpires> {
        let text = self.header(HeaderName::SessionExpires)?;
        let refresher = match Params::new(cut(text, b';').map_or("", |(_, p)| p)).get("refresher") {
            Some(r) if r.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(r) if r.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Some(SessionExpires { seconds: seconds(text)?, refresher })
    }

    /// Min-SE in seconds (RFC 4028).
    #[must_use]
    pub fn min_se(&self) -> Option<u32> {
        seconds(self.header(HeaderName::MinSe)?)
    }

    /// RSeq (RFC 3262).
    #[must_use]
    pub fn rseq(&self) -> Option<u32> {
        self.header(HeaderName::RSeq)?.trim_ascii().parse().ok()
    }

    /// RAck (RFC 3262).
    #[must_use]
    pub fn rack(&self) -> Option<RAck<'_>> {
        let mut words = self.header(HeaderName::RAck)?.split_ascii_whitespace();
        Some(RAck {
            rseq: words.next()?.parse().ok()?,
            cseq: words.next()?.parse().ok()?,
            method: Method::recognise(words.next()?),
        })
    }

    /// Retry-After in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        seconds(self.header(HeaderName::RetryAfter)?)
    }
}
