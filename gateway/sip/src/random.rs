//! Tags, branches, Call-IDs: everything that must be unguessable, out of the one seed that was handed in.

use sha2::{Digest, Sha256};
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};

/// SHA-256 over seed and counter: as unpredictable as the seed, and the same for the same seed.
pub(crate) struct Random {
    seed: [u8; 32],
    counter: u64,
    block: [u64; 4],
    left: usize,
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Random").finish_non_exhaustive()
    }
}

impl Random {
    pub fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0, block: [0; 4], left: 0 }
    }

    pub fn next(&mut self) -> u64 {
        if self.left == 0 {
            let mut state = Sha256::new();
            state.update(self.seed);
            state.update(self.counter.to_be_bytes());
            self.counter += 1;
            let out = state.finalize();
            for (slot, bytes) in self.block.iter_mut().zip(out.chunks_exact(8)) {
                *slot = bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b));
            }
            self.left = self.block.len();
        }
        self.left -= 1;
        self.block.get(self.left).copied().unwrap_or(0)
    }

    /// A number below `limit` (at least 1); the bias of the remainder is far below what matters here.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// Sixteen hex digits: a tag (RFC 3261 §19.3 asks for 32 bits), half a Call-ID.
    pub fn token(&mut self) -> String {
        format!("{:016x}", self.next())
    }

    pub fn key(&mut self) -> [u8; 32] {
        let mut out = [0; 32];
        for chunk in out.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes());
        }
        out
    }
}

/// Hashes what strangers send. The secret makes it useless to look for two requests of one hash.
#[derive(Debug)]
pub(crate) struct Keyed(u64, u64);

impl Keyed {
    pub fn new(random: &mut Random) -> Self {
        Self(random.next(), random.next())
    }

    pub fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut state = DefaultHasher::new();
        state.write_u64(self.0);
        for part in parts {
            state.write_usize(part.len());
            state.write(part);
        }
        state.write_u64(self.1);
        state.finish()
    }
}

/// For maps whose keys are hashes already.
#[derive(Debug, Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*b);
        }
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

/// A map from hashes.
pub(crate) type HashedMap<V> = std::collections::HashMap<u64, V, BuildHasherDefault<AsItIs>>;
