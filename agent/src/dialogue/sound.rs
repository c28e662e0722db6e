//! How alike words sound, by their spelling: a recogniser that mishears takes one word for another that
//! sounds like it, and cuts the same sounds into other words.

/// The sounds of a word, roughly: voiced and voiceless are one, all vowels are one, what is silent is gone.
fn sounds(word: &str, out: &mut Vec<u8>) {
    let letters: Vec<char> = word.chars().collect();
    let begin = out.len();
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        let next = letters.get(at + 1).copied().unwrap_or(' ');
        let soft = matches!(next, 'e' | 'i' | 'y');
        let (sound, taken) = match (letter, next) {
            ('k', 'n') | ('w', 'r') if at == 0 => (None, 1),
            ('p', 'h') => (Some(b'f'), 2),
            ('g', 'h') => (None, 2),
            ('s' | 'c' | 't', 'h') => (Some(if letter == 't' { b't' } else { b'j' }), 2),
            ('c', _) if soft => (Some(b's'), 1),
            ('g', _) if soft => (Some(b'j'), 1),
            ('j', _) => (Some(b'j'), 1),
            ('b' | 'p', _) => (Some(b'p'), 1),
            ('d' | 't', _) => (Some(b't'), 1),
            ('f' | 'v', _) => (Some(b'f'), 1),
            ('c' | 'g' | 'k' | 'q' | 'x', _) => (Some(b'k'), 1),
            ('s' | 'z', _) => (Some(b's'), 1),
            ('m' | 'n', _) => (Some(b'n'), 1),
            ('l', _) => (Some(b'l'), 1),
            ('r', _) => (Some(b'r'), 1),
            ('w', _) => (Some(b'w'), 1),
            ('h', _) if at == 0 => (Some(b'h'), 1),
            // A vowel that is only written.
            ('e', ' ') if at > 1 => (None, 1),
            ('h', _) => (None, 1),
            _ => (Some(VOWEL), 1),
        };
        if let Some(sound) = sound
            && (out.last() != Some(&sound) || out.len() == begin)
        {
            out.push(sound);
        }
        at += taken;
    }
}

const VOWEL: u8 = b'a';

/// The sounds of words one after the other.
pub(super) fn sounds_of<W: AsRef<str>>(words: &[W]) -> Vec<u8> {
    let mut out = Vec::new();
    words.iter().for_each(|word| sounds(word.as_ref(), &mut out));
    out
}

/// Of a sound that is more, less, or another, in halves: a vowel is soon lost, a consonant is not.
fn cost(sound: u8) -> usize {
    if sound == VOWEL || sound == b'h' { 1 } else { 2 }
}

/// How far apart two runs of sounds are, 0.0 the same, 1.0 nothing in common (and more).
pub(super) fn distance(one: &[u8], other: &[u8]) -> f32 {
    let whole = |sounds: &[u8]| sounds.iter().map(|sound| cost(*sound)).sum::<usize>();
    let mut row: Vec<usize> = std::iter::once(0)
        .chain(other.iter().scan(0, |sum, sound| {
            *sum += cost(*sound);
            Some(*sum)
        }))
        .collect();
    for a in one {
        let mut diagonal = row.first().copied().unwrap_or(0);
        if let Some(first) = row.first_mut() {
            *first += cost(*a);
        }
        let mut left = row.first().copied().unwrap_or(0);
        for (b, above) in other.iter().zip(row.iter_mut().skip(1)) {
            let change = if a == b { 0 } else { cost(*a).max(cost(*b)) };
            let best = (diagonal + change).min(*above + cost(*a)).min(left + cost(*b));
            diagonal = *above;
            *above = best;
            left = best;
        }
    }
    let apart = row.last().copied().unwrap_or(0);
    apart as f32 / whole(one).max(whole(other)).max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(one: &str, other: &str) -> f32 {
        let sounds = |text: &str| sounds_of(&text.split(' ').collect::<Vec<_>>());
        distance(&sounds(one), &sounds(other))
    }

    #[test]
    fn words_that_sound_alike_are_near_however_they_are_spelled_and_cut() {
        for (one, other) in [
            ("your address", "you're a dress"),
            ("opening hours", "open in hours"),
            ("the office", "the of his"),
            ("phone", "fone"),
            ("night", "nite"),
        ] {
            assert!(apart(one, other) < 0.3, "{one}, {other}: {}", apart(one, other));
        }
        assert_eq!(apart("goodbye", "goodbye"), 0.0);
    }

    #[test]
    fn other_words_are_far() {
        for (one, other) in [
            ("opening hours", "the weather"),
            ("tell me a joke", "buy a bicycle"),
            ("your address", "my newspaper"),
            ("goodbye", "hello"),
        ] {
            assert!(apart(one, other) > 0.5, "{one}, {other}: {}", apart(one, other));
        }
        assert_eq!(apart("", "hello"), 1.0);
    }
}
