//! The rules that match a row, found without compiling all of them.
//!
//! The set of all rules finds the matches in a row in one pass, but compiling it takes several
//! milliseconds, longer than reading a small log. For the first rows, the rules are tried one by
//! one: only those with a literal that is in the row, and each is compiled when it is first tried.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex_lite::Regex;

use super::{CLUE_LITERALS, CLUES, LITERALS, RULES};

/// The number of rows after which the set of all rules is compiled.
const FEW_ROWS: usize = 100;

/// The number of rows that were tried so far.
static ROWS: AtomicUsize = AtomicUsize::new(0);

static TABLE: LazyLock<Option<Table>> = LazyLock::new(Table::new);

/// The rules and clues by the literals in them.
struct Table {
    /// Finds the literals in a row.
    literals: AhoCorasick,
    /// The rules that contain a literal, by literal. Every match of such a rule contains one of its
    /// literals.
    rules_of: Vec<Vec<usize>>,
    /// The rules without a literal.
    others: Vec<usize>,
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

fn patterns() -> impl Iterator<Item = &'static str> {
    RULES.iter().chain(CLUES).map(|(_, _, pattern, _)| *pattern)
}

impl Table {
    fn new() -> Option<Self> {
        let all: Vec<&str> = LITERALS.iter().chain(CLUE_LITERALS).copied().collect();
        let kind = Some(AhoCorasickKind::NoncontiguousNFA);
        let literals = AhoCorasick::builder().kind(kind).prefilter(false).build(&all).ok()?;
        // A literal may be escaped in a pattern, and a blank at its end may be outside of the group
        // that contains it.
        let texts: Vec<String> = patterns().map(|pattern| pattern.replace('\\', "")).collect();
        let with = |literal: &&str| {
            let numbered = texts.iter().enumerate();
            numbered.filter(|(_, text)| text.contains(literal.trim())).map(|(n, _)| n).collect()
        };
        let rules_of: Vec<Vec<usize>> = all.iter().map(with).collect();
        let linked: HashSet<&usize> = rules_of.iter().flatten().collect();
        let others = (0..texts.len()).filter(|n| !linked.contains(n)).collect();
        let compiled = patterns().map(|_| OnceLock::new()).collect();
        Some(Self { literals, rules_of, others, compiled })
    }

    fn matches(&self, text: &str) -> Vec<usize> {
        let found = self.literals.find_overlapping_iter(text);
        let found = found.filter_map(|found| self.rules_of.get(found.pattern().as_usize()));
        let mut rules: Vec<usize> = found.flatten().chain(&self.others).copied().collect();
        rules.sort_unstable();
        rules.dedup();
        rules.retain(|n| self.rule(*n).is_some_and(|rule| rule.is_match(text)));
        rules
    }

    fn rule(&self, n: usize) -> Option<&Regex> {
        let rule = self.compiled.get(n)?;
        rule.get_or_init(|| Regex::new(patterns().nth(n)?).ok()).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::strategy::Union;

    use super::*;
    use crate::search::errors::WEIGHED;
    use crate::search::errors::tests::{LOGS, described, fixture, rows};

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
