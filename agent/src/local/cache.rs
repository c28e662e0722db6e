//! Sentences that have been spoken before, kept as sound: greetings, menus, "sorry, I did not get that".

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Sound by sentence, bounded by what it holds; what was asked for longest ago goes first.
#[derive(Debug)]
pub(super) struct Cache {
    limit: usize,
    held: usize,
    sounds: HashMap<String, (Arc<[i16]>, u64)>,
    /// Uses in order, each with its number; one that is not a sentence's latest counts for nothing.
    uses: VecDeque<(String, u64)>,
    clock: u64,
}

impl Cache {
    /// Holds up to `limit` samples.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, held: 0, sounds: HashMap::new(), uses: VecDeque::new(), clock: 0 }
    }

    pub(super) fn get(&mut self, sentence: &str) -> Option<Arc<[i16]>> {
        self.clock += 1;
        let (sound, used) = self.sounds.get_mut(sentence)?;
        *used = self.clock;
        let sound = Arc::clone(sound);
        self.uses.push_back((sentence.to_owned(), self.clock));
        self.forget_old_uses();
        Some(sound)
    }

    pub(super) fn put(&mut self, sentence: &str, sound: &Arc<[i16]>) {
        if sound.len() > self.limit / 8 || self.sounds.contains_key(sentence) {
            return;
        }
        self.clock += 1;
        self.held += sound.len();
        self.sounds.insert(sentence.to_owned(), (Arc::clone(sound), self.clock));
        self.uses.push_back((sentence.to_owned(), self.clock));
        while self.held > self.limit {
            let Some((oldest, used)) = self.uses.pop_front() else { break };
            if self.sounds.get(&oldest).is_some_and(|(_, latest)| *latest == used)
                && let Some((sound, _)) = self.sounds.remove(&oldest)
            {
                self.held -= sound.len();
            }
        }
    }

    /// The list of uses grows with every use; once most of it is stale it is swept.
    fn forget_old_uses(&mut self) {
        if self.uses.len() > 64 + 4 * self.sounds.len() {
            let sounds = &self.sounds;
            self.uses
                .retain(|(sentence, used)| sounds.get(sentence).is_some_and(|(_, latest)| latest == used));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(len: usize) -> Arc<[i16]> {
        vec![1; len].into()
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let mut cache = Cache::new(80);
        for n in 0..8 {
            cache.put(&n.to_string(), &sound(10));
        }
        assert!(cache.get("0").is_some());
        cache.put("new", &sound(10));
        assert!(cache.get("0").is_some(), "was used just now");
        assert!(cache.get("1").is_none(), "was used longest ago");
        assert!(cache.get("new").is_some());
    }

    #[test]
    fn neither_sound_nor_bookkeeping_grows_without_bound() {
        let mut cache = Cache::new(800);
        for n in 0..10_000 {
            cache.put(&(n % 150).to_string(), &sound(10));
            cache.get(&(n % 7).to_string());
            assert!(cache.held <= 800 && cache.sounds.len() <= 80 && cache.uses.len() <= 500);
        }
    }
}
