//! The encryption of a leg, as offer and answer agree on it: the mode, and our own keys, one a suite, the same in
//! every description until the suite is left.

use super::SdpError;
use super::crypto::{Crypto, Encryption};
use super::stream::Stream;
use crate::session::Session;
use crate::srtp::{KeySource, MasterKey, Security, Suite};

/// What we offer. First what every telephone has; the others for those who insist, or choose. An offer in all
/// six suites would not fit into a datagram with its INVITE (RFC 3261 §18.1.1); all six are answered.
const OFFERED: [Suite; 4] =
    [Suite::AesCm128Sha1_80, Suite::AesCm128Sha1_32, Suite::AesCm256Sha1_80, Suite::AesGcm128];

#[derive(Debug, Default)]
pub(super) struct Encrypting {
    pub(super) mode: Encryption,
    source: Option<KeySource>,
    keys: Vec<MasterKey>,
}

impl Encrypting {
    pub(super) fn new(mode: Encryption, source: KeySource) -> Self {
        Self { mode, source: Some(source), keys: Vec::new() }
    }

    /// Our lines in an offer: several suites at first, then the one in use.
    pub(super) fn offer(&mut self, standing: Option<&Session>) -> Vec<Crypto> {
        match standing {
            Some(session) => {
                let suite = session.security.as_deref().map(Security::suite);
                suite.and_then(|suite| self.line(1, suite)).into_iter().collect()
            }
            None if self.mode == Encryption::Disable => Vec::new(),
            None => (1..).zip(OFFERED).filter_map(|(tag, suite)| self.line(tag, suite)).collect(),
        }
    }

    /// Our line in the answer, and the keys of both; `None`: in the clear.
    pub(super) fn answer(&mut self, stream: &Stream) -> Result<Option<(Crypto, Box<Security>)>, SdpError> {
        if stream.port == 0 {
            return Ok(None);
        }
        let Some(theirs) = stream.encrypted(self.mode)? else { return Ok(None) };
        let Some(ours) = self.line(theirs.tag, theirs.key.suite()) else { return Ok(None) };
        let security = Box::new(Security { ours: ours.key.clone(), theirs: theirs.key.clone() });
        Ok(Some((ours, security)))
    }

    /// The keys of an answer to our offer: exactly one of the lines that we offered, by tag and suite.
    pub(super) fn accept(
        &self,
        offered: &[Crypto],
        stream: &Stream,
    ) -> Result<Option<Box<Security>>, SdpError> {
        if offered.is_empty() {
            return stream.encrypted(Encryption::Disable).map(|_| None);
        }
        let Some(theirs) = stream.encrypted(self.mode)? else { return Ok(None) };
        let suite = theirs.key.suite();
        match offered.iter().find(|line| line.tag == theirs.tag && line.key.suite() == suite) {
            Some(line) => Ok(Some(Box::new(Security { ours: line.key.clone(), theirs: theirs.key.clone() }))),
            None => Err(SdpError::Encryption(format!(
                "the answer takes crypto line {} as {}, which was not offered",
                theirs.tag,
                suite.name()
            ))),
        }
    }

    /// Another session stands. A key of a suite that it leaves is never used again: its packets would be numbered
    /// anew.
    pub(super) fn stands(&mut self, before: Option<&Session>, session: &Session) {
        let suite = |session: &Session| session.security.as_deref().map(Security::suite);
        if let Some(left) = before.and_then(suite)
            && suite(session) != Some(left)
        {
            self.keys.retain(|key| key.suite() != left);
        }
    }

    /// Our key of this suite, under this tag.
    fn line(&mut self, tag: u32, suite: Suite) -> Option<Crypto> {
        if let Some(key) = self.keys.iter().find(|key| key.suite() == suite) {
            return Some(Crypto { tag, key: key.clone() });
        }
        let key = self.source.as_mut()?.next(suite);
        self.keys.push(key.clone());
        Some(Crypto { tag, key })
    }
}
