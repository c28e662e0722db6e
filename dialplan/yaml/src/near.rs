//! The key that was probably meant.

/// The known name nearest to `found`: at most two letters off, or a third of its length. Case and the
/// difference between `-`, `_` and nothing do not count.
#[must_use]
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bare = |name: &str| -> Vec<char> {
        name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).take(64).collect()
    };
    let found = bare(found);
    let most = (found.len() / 3).max(2);
    known
        .into_iter()
        .map(|name| (distance(&found, &bare(name)), name))
        .filter(|(distance, name)| *distance <= most && *distance < name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Levenshtein's distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (right, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let here = (diagonal + usize::from(left != right)).min(before + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = here;
            before = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found_and_a_far_one_is_not() {
        let known = ["sip_port", "rtp_port", "health_port", "nat_1_to_1_ip"];
        assert_eq!(nearest("sip_prot", known), Some("sip_port"));
        assert_eq!(nearest("rtpPort", known), Some("rtp_port"));
        assert_eq!(nearest("helth_port", known), Some("health_port"));
        assert_eq!(nearest("banana", known), None);
    }
}
