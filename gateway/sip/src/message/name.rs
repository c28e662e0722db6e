//! Header names: the ones that the stack reads by itself are an enum, the rest are data.

/// Declares the known names: long form, and compact form where one exists (RFC 3261 §7.3.3 and later).
macro_rules! names {
    ($($variant:ident $long:literal $($compact:literal)?;)*) => {
        /// A header that some part of the stack reads. Everything else is [`HeaderName::Other`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum HeaderName {
            $(#[doc = $long] $variant,)*
            /// A header known only by its text.
            Other,
        }

        impl HeaderName {
            /// The name as it is written, or `""` for [`HeaderName::Other`].
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $long,)* Self::Other => "" }
            }

            fn compact(letter: u8) -> Self {
                $($(if letter.eq_ignore_ascii_case(&$compact) { return Self::$variant; })?)*
                Self::Other
            }
        }

        const ALL: &[HeaderName] = &[$(HeaderName::$variant,)*];
    };
}

names! {
    Accept "Accept";
    AcceptEncoding "Accept-Encoding";
    Allow "Allow";
    AllowEvents "Allow-Events" b'u';
    Authorization "Authorization";
    CallId "Call-ID" b'i';
    Contact "Contact" b'm';
    ContentDisposition "Content-Disposition";
    ContentEncoding "Content-Encoding" b'e';
    ContentLength "Content-Length" b'l';
    ContentType "Content-Type" b'c';
    CSeq "CSeq";
    Date "Date";
    Diversion "Diversion";
    Event "Event" b'o';
    Expires "Expires";
    From "From" b'f';
    MaxForwards "Max-Forwards";
    MinSe "Min-SE";
    PAssertedIdentity "P-Asserted-Identity";
    Privacy "Privacy";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthorization "Proxy-Authorization";
    ProxyRequire "Proxy-Require";
    RAck "RAck";
    Reason "Reason";
    RecordRoute "Record-Route";
    ReferTo "Refer-To" b'r';
    ReferredBy "Referred-By" b'b';
    Replaces "Replaces";
    Require "Require";
    RetryAfter "Retry-After";
    Route "Route";
    RSeq "RSeq";
    Server "Server";
    SessionExpires "Session-Expires" b'x';
    Subject "Subject" b's';
    SubscriptionState "Subscription-State";
    Supported "Supported" b'k';
    Timestamp "Timestamp";
    To "To" b't';
    Unsupported "Unsupported";
    UserAgent "User-Agent";
    Via "Via" b'v';
    Warning "Warning";
    WwwAuthenticate "WWW-Authenticate";
}

/// How many names are known; [`HeaderName::Other`] comes behind them.
pub(super) const KNOWN: usize = ALL.len();

/// Places of the table below: a power of two with room enough that no two names share one.
const PLACES: usize = 256;

/// Known names by length, first and last letter; worked out when the program is compiled, where a name
/// that would share its place with another is an error.
static BY_LETTERS: [HeaderName; PLACES] = by_letters();

#[allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "runs in the compiler, where a panic is a compile error"
)]
const fn by_letters() -> [HeaderName; PLACES] {
    let mut table = [HeaderName::Other; PLACES];
    let mut n = 0;
    while n < ALL.len() {
        let name = ALL[n].as_str().as_bytes();
        let place = place(name[0], name[name.len() - 1], name.len());
        assert!(
            matches!(table[place], HeaderName::Other),
            "two header names share a place: change the factors"
        );
        table[place] = ALL[n];
        n += 1;
    }
    table
}

/// Bit 5 is the case of a letter.
const fn place(first: u8, last: u8, length: usize) -> usize {
    let mixed =
        ((first | 0x20) as usize) * FACTORS.0 + ((last | 0x20) as usize) * FACTORS.1 + length * FACTORS.2;
    mixed % PLACES
}

/// Found by trying, so that no two known names meet.
const FACTORS: (usize, usize, usize) = (1, 3, 20);

impl HeaderName {
    /// Recognises a name, long or compact, in any case.
    #[must_use]
    pub fn recognise(name: &[u8]) -> Self {
        match name {
            [] => Self::Other,
            [letter] => Self::compact(*letter),
            [first, .., last] => {
                let Some(known) = BY_LETTERS.get(place(*first, *last, name.len())) else {
                    return Self::Other;
                };
                let text = known.as_str().as_bytes();
                // Nearly everyone writes names as the RFC does.
                if text == name || text.eq_ignore_ascii_case(name) { *known } else { Self::Other }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_recognised_in_any_case() {
        for name in ALL {
            assert_eq!(HeaderName::recognise(name.as_str().as_bytes()), *name);
            assert_eq!(HeaderName::recognise(name.as_str().to_uppercase().as_bytes()), *name);
        }
    }

    #[test]
    fn compact_forms_stand_for_their_long_names() {
        for (letter, name) in
            [("i", HeaderName::CallId), ("F", HeaderName::From), ("x", HeaderName::SessionExpires)]
        {
            assert_eq!(HeaderName::recognise(letter.as_bytes()), name);
        }
        assert_eq!(HeaderName::recognise(b"z"), HeaderName::Other);
    }
}
