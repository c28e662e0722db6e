//! `allowed_addresses`: an IP address, a CIDR block or the host that the caller's From names.

use std::net::IpAddr;

/// One entry, read.
enum Mask<'a> {
    Address(IpAddr),
    /// Network address and prefix length.
    Block(IpAddr, u8),
    Host(&'a str),
}

fn read(entry: &str) -> Option<Mask<'_>> {
    if let Some((address, length)) = entry.split_once('/') {
        let address: IpAddr = address.parse().ok()?;
        let length: u8 = length.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        return (length <= most).then_some(Mask::Block(address, length));
    }
    if let Ok(address) = entry.parse() {
        return Some(Mask::Address(address));
    }
    let plausible = !entry.is_empty()
        && entry.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    plausible.then_some(Mask::Host(entry))
}

/// Is this an IP address, a CIDR block or a host name? What is none of them is ignored when calls are
/// matched (as in livekit), so it should be refused where it is entered.
#[must_use]
pub fn is_address_mask(entry: &str) -> bool {
    read(entry).is_some()
}

/// Who a trunk's address list lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// The list is empty.
    Anyone,
    /// No entry of the list can be read: livekit lets everyone in.
    AnyoneNoneReadable,
    /// The source is unknown: livekit lets it in.
    SourceUnknown,
    Listed,
    NotListed,
}

impl Allowed {
    pub(crate) fn yes(self) -> bool {
        self != Self::NotListed
    }
}

/// May a call from this address, with this host in From, come in?
pub(crate) fn allowed(source: Option<IpAddr>, from_host: &str, list: &[String]) -> Allowed {
    if list.is_empty() {
        return Allowed::Anyone;
    }
    // An IPv4 peer on a dual-stack socket shows up as ::ffff:a.b.c.d.
    let Some(source) = source.map(|address| address.to_canonical()) else {
        return Allowed::SourceUnknown;
    };
    let mut readable = false;
    for mask in list.iter().filter_map(|entry| read(entry)) {
        readable = true;
        let takes = match mask {
            Mask::Address(address) => address.to_canonical() == source || same_address(from_host, address),
            Mask::Block(network, length) => contains(network, length, source),
            Mask::Host(host) => host.eq_ignore_ascii_case(from_host),
        };
        if takes {
            return Allowed::Listed;
        }
    }
    if readable { Allowed::NotListed } else { Allowed::AnyoneNoneReadable }
}

/// livekit compares From's host with each entry as text, so an address in From counts, too.
fn same_address(host: &str, address: IpAddr) -> bool {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().is_ok_and(|host| host == address)
}

fn contains(network: IpAddr, length: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            u32::from(network) & mask == u32::from(address) & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            u128::from(network) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(source: &str, host: &str, list: &[&str]) -> Allowed {
        let list: Vec<String> = list.iter().map(ToString::to_string).collect();
        allowed(source.parse().ok(), host, &list)
    }

    #[test]
    fn a_source_is_let_in_by_address_block_or_from_host() {
        use Allowed::{Anyone, AnyoneNoneReadable, Listed, NotListed, SourceUnknown};
        let table: &[(&str, &str, &[&str], Allowed)] = &[
            ("10.0.0.1", "x", &[], Anyone),
            ("10.0.0.1", "x", &["10.0.0.1"], Listed),
            ("10.0.0.2", "x", &["10.0.0.1"], NotListed),
            ("10.0.0.2", "x", &["10.0.0.0/8"], Listed),
            ("11.0.0.2", "x", &["10.0.0.0/8"], NotListed),
            ("11.0.0.2", "x", &["0.0.0.0/0"], Listed),
            ("10.0.0.9", "x", &["10.0.0.8/31"], Listed),
            ("10.0.0.10", "x", &["10.0.0.8/31"], NotListed),
            ("::ffff:10.0.0.1", "x", &["10.0.0.1"], Listed),
            ("::ffff:10.0.0.1", "x", &["10.0.0.0/24"], Listed),
            ("2001:db8::7", "x", &["2001:db8::/32"], Listed),
            ("2001:db9::7", "x", &["2001:db8::/32"], NotListed),
            ("2001:db9::7", "x", &["0.0.0.0/0"], NotListed),
            ("10.0.0.1", "Carrier.Example", &["carrier.example"], Listed),
            ("10.0.0.1", "other.example", &["carrier.example"], NotListed),
            ("10.0.0.1", "192.0.2.7", &["192.0.2.7"], Listed),
            ("10.0.0.1", "x", &["10.0.0.1/99"], AnyoneNoneReadable),
            ("10.0.0.1", "x", &["10.0.0.1/99", "10.9.9.9"], NotListed),
            ("no address", "x", &["10.0.0.1"], SourceUnknown),
        ];
        for (source, host, list, expected) in table {
            assert_eq!(verdict(source, host, list), *expected, "{source} {host} {list:?}");
        }
    }

    #[test]
    fn what_is_no_address_block_or_host_is_told_apart() {
        for good in ["1.2.3.4", "::1", "10.0.0.0/8", "2001:db8::/32", "sip.example.com", "0.0.0.0/0"] {
            assert!(is_address_mask(good), "{good}");
        }
        for bad in ["", "1.2.3.4/33", "::/129", "a/8", "1.2.3.4/", "two words", "x/y/z"] {
            assert!(!is_address_mask(bad), "{bad}");
        }
    }
}
