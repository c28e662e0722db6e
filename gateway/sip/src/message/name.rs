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

/// Longest known name: "Proxy-Authorization", "P-Asserted-Identity", "Content-Disposition".
const LONGEST: usize = 19;
/// Most known names of one length.
const SHARED: usize = 8;

/// Known names by length, worked out when the program is compiled: length and first letter leave one
/// or two candidates out of forty-odd.
static BY_LENGTH: [[HeaderName; SHARED]; LONGEST + 1] = by_length();

#[allow(clippy::indexing_slicing, reason = "runs in the compiler, where a panic is a compile error")]
const fn by_length() -> [[HeaderName; SHARED]; LONGEST + 1] {
    let mut table = [[HeaderName::Other; SHARED]; LONGEST + 1];
    let mut used = [0_usize; LONGEST + 1];
    let mut n = 0;
    while n < ALL.len() {
        let length = ALL[n].as_str().len();
        table[length][used[length]] = ALL[n];
        used[length] += 1;
        n += 1;
    }
    table
}

impl HeaderName {
    /// Recognises a name, long or compact, in any case.
    #[must_use]
    pub fn recognise(name: &[u8]) -> Self {
        let Some(first) = name.first() else { return Self::Other };
        if name.len() == 1 {
            return Self::compact(*first);
        }
        let Some(row) = BY_LENGTH.get(name.len()) else { return Self::Other };
        for known in row {
            let text = known.as_str().as_bytes();
            let Some(letter) = text.first() else { return Self::Other };
            if letter.eq_ignore_ascii_case(first) && text.eq_ignore_ascii_case(name) {
                return *known;
            }
        }
        Self::Other
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
