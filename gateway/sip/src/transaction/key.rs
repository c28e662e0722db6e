//! By what a message finds its transaction (RFC 3261 §17.1.3, §17.2.3).

use crate::message::{Message, Method, Via};
use crate::random::Keyed;

const COOKIE: &str = "z9hG4bK";

/// The branch of one of our requests; its number is the transaction's key.
pub(crate) fn branch(number: u64) -> String {
    format!("{COOKIE}{number:016x}")
}

/// CANCEL bears the branch of its INVITE (§9.1) and is a transaction all the same.
fn method_mark(method: &str) -> u64 {
    if method == "CANCEL" { 0x9e37_79b9_7f4a_7c15 } else { 0 }
}

/// The key of a request that we sent under this branch number.
pub(crate) fn client_key(number: u64, method: &str) -> u64 {
    number ^ method_mark(method)
}

impl Via<'_> {
    /// The number in a branch of ours; `None` for any other.
    pub(crate) fn our_branch(&self) -> Option<u64> {
        let digits = self.branch()?.strip_prefix(COOKIE).filter(|d| d.len() == 16)?;
        u64::from_str_radix(digits, 16).ok()
    }
}

/// The key of a request that came, under `method` (that of the INVITE for an ACK or a CANCEL).
///
/// Without a branch that promises to be unique the request is one of RFC 2543: then Request-URI, From
/// tag, Call-ID, CSeq number and the whole topmost Via count. The To tag does not, so that the ACK,
/// which bears ours, is found by the same key.
pub(crate) fn server_key(keyed: &Keyed, request: &Message, via: &Via<'_>, method: Method<'_>) -> u64 {
    let method = if method == Method::Ack { Method::Invite } else { method };
    let port = via.port.unwrap_or(0).to_be_bytes();
    if via.has_unique_branch() {
        let branch = via.branch().unwrap_or("");
        return keyed.hash(&[branch.as_bytes(), via.host.as_bytes(), &port, method.as_str().as_bytes()]);
    }
    let number = request.cseq().map_or(0, |c| c.number).to_be_bytes();
    keyed.hash(&[
        request.request_uri_raw().as_bytes(),
        request.from().ok().and_then(|f| f.tag()).unwrap_or("").as_bytes(),
        request.call_id().unwrap_or("").as_bytes(),
        &number,
        via.host.as_bytes(),
        &port,
        via.params.as_str().as_bytes(),
        method.as_str().as_bytes(),
    ])
}

/// What two copies of one request that came by different paths have in common (§8.2.2.2).
pub(crate) fn merge_key(keyed: &Keyed, request: &Message) -> u64 {
    let cseq = request.cseq();
    let number = cseq.map_or(0, |c| c.number).to_be_bytes();
    keyed.hash(&[
        request.from().ok().and_then(|f| f.tag()).unwrap_or("").as_bytes(),
        request.call_id().unwrap_or("").as_bytes(),
        &number,
        cseq.map_or("", |c| c.method.as_str()).as_bytes(),
    ])
}
