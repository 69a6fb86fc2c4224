//! The rules that match a row, found without compiling all of them.
//!
//! The set of all rules finds the matches in a row in one pass, but compiling it takes several
//! milliseconds, longer than reading a small log. For the first rows, the rules are tried one by
//! one: only those with a literal that is in the row, and each is compiled when it is first tried.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex_lite::Regex;

use super::{CLUE_LITERALS, CLUES, HARMLESS, LITERALS, RULES};

/// The number of rows after which the set of all rules is compiled.
const FEW_ROWS: usize = 100;

/// The number of rows that were tried so far.
static ROWS: AtomicUsize = AtomicUsize::new(0);

static TABLE: LazyLock<Option<Table>> = LazyLock::new(Table::new);

/// The rules and clues by the literals in them. Every match of a rule contains a literal that is in
/// its pattern.
struct Table {
    /// Finds the literals in a row.
    literals: AhoCorasick,
    /// The patterns without escapes: a literal may be escaped in a pattern.
    texts: Vec<String>,
    /// The rules that contain a literal, by literal.
    rules_of: Vec<OnceLock<Vec<usize>>>,
    compiled: Vec<OnceLock<Option<Regex>>>,
}

/// Returns the numbers of the rules and clues that match a text, in order. Returns `None` if so
/// many rows were tried that the set of all rules is faster.
pub(super) fn matches(text: &str) -> Option<Vec<usize>> {
    if ROWS.fetch_add(1, Ordering::Relaxed) >= FEW_ROWS {
        return None;
    }
    TABLE.as_ref().map(|table| table.matches(text))
}

/// Returns true if a harmless pattern matches a text. Returns `None` if so many rows were tried
/// that the set of these patterns is faster.
pub(super) fn is_harmless(text: &str) -> Option<bool> {
    if ROWS.load(Ordering::Relaxed) >= FEW_ROWS {
        return None;
    }
    let mut patterns = HARMLESS_PATTERNS.iter();
    Some(patterns.any(|pattern| pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))))
}

static HARMLESS_PATTERNS: LazyLock<Vec<Option<Regex>>> =
    LazyLock::new(|| HARMLESS.iter().map(|(pattern, _)| Regex::new(pattern).ok()).collect());

fn patterns() -> impl Iterator<Item = &'static str> {
    RULES.iter().chain(CLUES).map(|(_, _, pattern, _)| *pattern)
}

fn literals() -> impl Iterator<Item = &'static str> {
    LITERALS.iter().chain(CLUE_LITERALS).copied()
}

impl Table {
    fn new() -> Option<Self> {
        let kind = Some(AhoCorasickKind::NoncontiguousNFA);
        let found = AhoCorasick::builder().kind(kind).prefilter(false).build(literals()).ok()?;
        let texts: Vec<String> = patterns().map(|pattern| pattern.replace('\\', "")).collect();
        let compiled = texts.iter().map(|_| OnceLock::new()).collect();
        let rules_of = literals().map(|_| OnceLock::new()).collect();
        Some(Self { literals: found, texts, rules_of, compiled })
    }

    fn matches(&self, text: &str) -> Vec<usize> {
        let found = self.literals.find_overlapping_iter(text);
        let found = found.map(|found| self.rules_of(found.pattern().as_usize()));
        let mut rules: Vec<usize> = found.flatten().copied().collect();
        rules.sort_unstable();
        rules.dedup();
        rules.retain(|n| self.rule(*n).is_some_and(|rule| rule.is_match(text)));
        rules
    }

    /// Returns the rules that contain the nth literal.
    fn rules_of(&self, n: usize) -> &[usize] {
        let Some((rules, literal)) = self.rules_of.get(n).zip(literals().nth(n)) else {
            return &[];
        };
        // A blank at the end of a literal may be outside of the group that contains the literal.
        let has_literal = |(_, text): &(usize, &String)| text.contains(literal.trim());
        rules.get_or_init(|| {
            self.texts.iter().enumerate().filter(has_literal).map(|(n, _)| n).collect()
        })
    }

    fn rule(&self, n: usize) -> Option<&Regex> {
        let rule = self.compiled.get(n)?;
        rule.get_or_init(|| Regex::new(patterns().nth(n)?).ok()).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use proptest::strategy::Union;

    use super::*;
    use crate::search::errors::tests::{LOGS, described, fixture, rows};
    use crate::search::errors::{HARMLESS_SET, WEIGHED};

    /// Returns the matches of both ways to find them.
    fn both(text: &str) -> [Vec<usize>; 2] {
        let all = WEIGHED.matches(text.as_bytes()).into_iter().collect();
        [TABLE.as_ref().unwrap().matches(text), all]
    }

    #[test]
    fn every_rule_compiles() {
        let table = TABLE.as_ref().unwrap();
        assert!((0..table.compiled.len()).all(|n| table.rule(n).is_some()));
    }

    #[test]
    fn both_ways_find_the_same_harmless_rows() {
        assert!(HARMLESS_PATTERNS.iter().all(Option::is_some));
        for (name, ..) in LOGS {
            for (_, text) in rows(&fixture(name)) {
                let few = HARMLESS_PATTERNS.iter().flatten().any(|few| few.is_match(&text));
                assert_eq!(few, HARMLESS_SET.is_match(text.as_bytes()), "{name}: {text}");
            }
        }
    }

    #[test]
    fn every_rule_contains_a_literal() {
        let table = TABLE.as_ref().unwrap();
        let linked: BTreeSet<&usize> =
            (0..table.rules_of.len()).flat_map(|n| table.rules_of(n)).collect();
        assert_eq!(linked.len(), table.texts.len());
    }

    #[test]
    fn rows_of_real_logs_match_the_same_rules_as_in_the_set() {
        for (name, ..) in LOGS {
            for (_, text) in rows(&fixture(name)) {
                let [few, all] = both(&text);
                assert_eq!(few, all, "{name}: {text}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn texts_match_the_same_rules_as_in_the_set(
            text in prop_oneof![
                9 => Union::new(patterns().map(described)),
                1 => ".{0,80}",
            ],
        ) {
            let [few, all] = both(&text);
            prop_assert_eq!(few, all, "{:?}", text);
        }
    }
}
