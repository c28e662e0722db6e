//! Which words are likely after which: a trigram model in ARPA's format, made of the phrases that a
//! dialogue expects over a background of everyday words.
//!
//! Absolute discounting with interpolation: what a phrase's words leave of the probability goes to the
//! shorter context, in the end to the background. So a caller may wrap a phrase into words of his own
//! ("could you tell me your opening hours please"), and one who says something else is heard as that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Taken off every count, to be given to what was never seen.
const DISCOUNT: f64 = 0.4;
/// Share of a word's probability, without any context, that is the background's.
const BACKGROUND: f64 = 0.3;
/// Before the first word of an utterance.
pub const BEGIN: &str = "<s>";
/// After its last.
pub const END: &str = "</s>";

type Counts<'p> = BTreeMap<Vec<&'p str>, u32>;

/// A model's text. `phrases` are words in the dictionary's spelling, with [`BEGIN`] and [`END`] where they
/// begin or end what is said; `background` are everyday words with a weight each, which need not sum to one.
#[must_use]
pub fn arpa(phrases: &[Vec<String>], background: &[(String, f64)]) -> String {
    let grams = count(phrases);
    let unigrams = unigrams(&grams, background);
    let mut levels = vec![unigrams.iter().map(|(word, p)| (vec![*word], *p)).collect::<BTreeMap<_, _>>()];
    for order in 2..=3 {
        let level = interpolate(&grams[order - 1], &levels[order - 2]);
        levels.push(level);
    }
    write(&levels, &grams)
}

/// Runs of one, two and three words.
fn count(phrases: &[Vec<String>]) -> [Counts<'_>; 3] {
    let mut grams: [Counts<'_>; 3] = Default::default();
    for phrase in phrases.iter().filter(|phrase| !phrase.is_empty()) {
        let line: Vec<&str> = phrase.iter().map(String::as_str).collect();
        for (order, counts) in grams.iter_mut().enumerate() {
            for run in line.windows(order + 1) {
                *counts.entry(run.to_vec()).or_default() += 1;
            }
        }
    }
    grams
}

fn unigrams<'p>(grams: &[Counts<'p>; 3], background: &'p [(String, f64)]) -> BTreeMap<&'p str, f64> {
    let counted = |run: &&Vec<&str>| run.first() != Some(&BEGIN);
    let total: f64 = grams[0].iter().filter(|(run, _)| counted(run)).map(|(_, n)| f64::from(*n)).sum();
    let weight: f64 = background.iter().map(|(_, p)| p).sum();
    let share = if total == 0.0 { 1.0 } else { BACKGROUND };
    let mut out = BTreeMap::from([(END, 0.0)]);
    for (word, p) in background {
        *out.entry(word.as_str()).or_default() += share * p / weight.max(f64::MIN_POSITIVE);
    }
    for (run, n) in grams[0].iter().filter(|(run, _)| counted(run)) {
        for word in run {
            *out.entry(word).or_default() += (1.0 - share) * f64::from(*n) / total;
        }
    }
    if out[END] == 0.0 {
        out.insert(END, 0.05); // every utterance ends
    }
    out
}

/// How often a context was seen and how many different words followed it.
fn contexts<'p>(counts: &Counts<'p>) -> BTreeMap<Vec<&'p str>, (f64, f64)> {
    let mut out: BTreeMap<Vec<&str>, (f64, f64)> = BTreeMap::new();
    for (run, n) in counts {
        if let Some((_, context)) = run.split_last() {
            let (seen, kinds) = out.entry(context.to_vec()).or_default();
            *seen += f64::from(*n);
            *kinds += 1.0;
        }
    }
    out
}

fn interpolate<'p>(
    counts: &Counts<'p>,
    shorter: &BTreeMap<Vec<&'p str>, f64>,
) -> BTreeMap<Vec<&'p str>, f64> {
    let contexts = contexts(counts);
    let mut out = BTreeMap::new();
    for (run, n) in counts {
        let Some((_, context)) = run.split_last() else { continue };
        let Some((seen, kinds)) = contexts.get(context) else { continue };
        let less = run.get(1..).and_then(|rest| shorter.get(rest)).copied().unwrap_or(0.0);
        let p = (f64::from(*n) - DISCOUNT) / seen + DISCOUNT * kinds / seen * less;
        out.insert(run.clone(), p);
    }
    out
}

fn write(levels: &[BTreeMap<Vec<&str>, f64>], grams: &[Counts<'_>; 3]) -> String {
    let backoffs: Vec<_> = grams.iter().skip(1).map(contexts).collect();
    let mut out = String::from("\\data\\\n");
    let mut begins = BTreeSet::from([BEGIN]);
    for (order, level) in levels.iter().enumerate() {
        let extra = usize::from(order == 0);
        let _infallible = writeln!(out, "ngram {}={}", order + 1, level.len() + extra);
    }
    for (order, level) in levels.iter().enumerate() {
        let _infallible = writeln!(out, "\n\\{}-grams:", order + 1);
        let begin = if order == 0 { begins.pop_first() } else { None };
        let begin = begin.map(|word| (vec![word], 0.0));
        let lines = level.iter().map(|(run, p)| (run.clone(), *p)).chain(begin);
        for (run, p) in lines {
            let log = if p > 0.0 { p.log10() } else { -99.0 };
            let _infallible = write!(out, "{log:.4} {}", run.join(" "));
            if let Some(contexts) = backoffs.get(order) {
                let backoff =
                    contexts.get(&run).map_or(0.0, |(seen, kinds)| (DISCOUNT * kinds / seen).log10());
                let _infallible = write!(out, " {backoff:.4}");
            }
            out.push('\n');
        }
    }
    out.push_str("\n\\end\\\n");
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
    use super::*;
    use crate::pronunciation::words_of;

    fn whole(phrase: &str) -> Vec<String> {
        [vec![BEGIN.to_owned()], words_of(phrase), vec![END.to_owned()]].concat()
    }

    fn model() -> String {
        let phrases: Vec<_> = ["what are your opening hours", "opening hours", "goodbye"].map(whole).into();
        let background = ["the", "hours", "please"].map(|word| (word.to_owned(), 0.2));
        arpa(&phrases, &background)
    }

    fn probability(model: &str, run: &str) -> Option<f64> {
        let wanted: Vec<_> = run.split(' ').collect();
        model.lines().find_map(|line| {
            let fields: Vec<_> = line.split(' ').collect();
            (fields.get(1..=wanted.len())? == wanted && fields.len() <= wanted.len() + 2)
                .then(|| 10f64.powf(fields[0].parse().unwrap()))
        })
    }

    #[test]
    fn the_words_of_a_phrase_follow_each_other() {
        let model = model();
        assert!(probability(&model, "opening hours").unwrap() > 0.5);
        assert!(probability(&model, "your opening hours").unwrap() > 0.4);
        assert!(probability(&model, "hours </s>").unwrap() > 0.5);
    }

    #[test]
    fn an_everyday_word_is_possible_anywhere() {
        let model = model();
        let please = probability(&model, "please").unwrap();
        assert!((0.05..0.5).contains(&please), "{please}");
        assert!(probability(&model, "hours please").is_none(), "reached by the backoff");
    }

    #[test]
    fn the_words_without_context_are_all_there_is() {
        let model = model();
        let section = model.split("\\1-grams:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let sum: f64 =
            section.lines().map(|line| 10f64.powf(line.split(' ').next().unwrap().parse().unwrap())).sum();
        assert!((0.98..1.02).contains(&sum), "{sum}");
    }
}
