//! The rules that match a row, found without compiling all of them.
//!
//! The set of all rules finds the matches in a row in one pass, but compiling it takes several
//! milliseconds, longer than reading a small log. For the first rows, the rules are tried one by
//! one: only those with a literal that is in the row, and each is compiled when it is first tried.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex_lite::Regex;

use super::{Kind, RULES, Severity, rules};

/// The number of rows after which the set of all rules is compiled.
const FEW_ROWS: usize = 100;

/// The number of rows that were tried so far.
static ROWS: AtomicUsize = AtomicUsize::new(0);

static TABLE: LazyLock<Option<Table>> = LazyLock::new(Table::new);

/// The rules by the literals in them. Every match of a rule contains one of its literals.
struct Table {
    /// Finds the literals in a row.
    literals: AhoCorasick,
    /// The rules of each literal, by the number of the literal.
    rules_of: Vec<Vec<usize>>,
    compiled: Vec<OnceLock<Option<Regex>>>,
}

/// Returns the numbers of the rules that match a text, in order. Returns `None` if so many rows
/// were tried that the set of all rules is faster.
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
    Some(any_is_in(&HARMLESS, text))
}

/// Returns true if a text is a remark.
pub(super) fn is_remark(text: &str) -> bool {
    any_is_in(&REMARKS, text)
}

/// Returns the greatest severity of the complaints in a text.
pub(super) fn complaint(text: &str) -> Option<Severity> {
    let found = COMPLAINTS.iter().filter(|(pattern, _)| pattern.is_match(text));
    found.map(|(_, severity)| *severity).max()
}

static HARMLESS: LazyLock<Vec<Option<Regex>>> = LazyLock::new(|| compiled(Kind::Harmless));
static REMARKS: LazyLock<Vec<Option<Regex>>> = LazyLock::new(|| compiled(Kind::Remark));
static COMPLAINTS: LazyLock<Vec<(Regex, Severity)>> = LazyLock::new(|| {
    let rules = rules::table().filter(|rule| rule.kind == Kind::Complaint);
    rules.filter_map(|rule| Some((Regex::new(rule.pattern).ok()?, rule.severity))).collect()
});

fn compiled(kind: Kind) -> Vec<Option<Regex>> {
    let rules = rules::table().filter(|rule| rule.kind == kind);
    rules.map(|rule| Regex::new(rule.pattern).ok()).collect()
}

fn any_is_in(patterns: &[Option<Regex>], text: &str) -> bool {
    patterns.iter().flatten().any(|pattern| pattern.is_match(text))
}

impl Table {
    fn new() -> Option<Self> {
        let mut rules_of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (n, rule) in RULES.iter().enumerate() {
            for literal in rule.literals {
                rules_of.entry(literal).or_default().push(n);
            }
        }
        let (literals, rules_of): (Vec<_>, Vec<_>) = rules_of.into_iter().unzip();
        let kind = Some(AhoCorasickKind::NoncontiguousNFA);
        let literals = AhoCorasick::builder().kind(kind).prefilter(false).build(literals).ok()?;
        Some(Self { literals, rules_of, compiled: RULES.iter().map(|_| OnceLock::new()).collect() })
    }

    fn matches(&self, text: &str) -> Vec<usize> {
        let found = self.literals.find_overlapping_iter(text);
        let found = found.filter_map(|found| self.rules_of.get(found.pattern().as_usize()));
        let mut rules: Vec<usize> = found.flatten().copied().collect();
        rules.sort_unstable();
        rules.dedup();
        rules.retain(|n| self.rule(*n).is_some_and(|rule| rule.is_match(text)));
        rules
    }

    fn rule(&self, n: usize) -> Option<&Regex> {
        let rule = self.compiled.get(n)?;
        rule.get_or_init(|| Regex::new(RULES.get(n)?.pattern).ok()).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::strategy::Union;

    use super::*;
    use crate::search::errors::tests::{LOGS, described, fixture, rows};
    use crate::search::errors::{HARMLESS_SET, RULE_SET};

    /// Returns the matches of both ways to find them.
    fn both(text: &str) -> [Vec<usize>; 2] {
        let all = RULE_SET.matches(text.as_bytes()).into_iter().collect();
        [TABLE.as_ref().unwrap().matches(text), all]
    }

    #[test]
    fn every_rule_compiles() {
        let table = TABLE.as_ref().unwrap();
        assert!((0..table.compiled.len()).all(|n| table.rule(n).is_some()));
    }

    #[test]
    fn both_ways_find_the_same_harmless_rows() {
        assert!(HARMLESS.iter().chain(&*REMARKS).all(Option::is_some));
        for (name, ..) in LOGS {
            for (_, text) in rows(&fixture(name)) {
                let few = any_is_in(&HARMLESS, &text);
                assert_eq!(few, HARMLESS_SET.is_match(text.as_bytes()), "{name}: {text}");
            }
        }
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
                9 => Union::new(RULES.iter().map(|rule| described(rule.pattern))),
                1 => ".{0,80}",
            ],
        ) {
            let [few, all] = both(&text);
            prop_assert_eq!(few, all, "{:?}", text);
        }
    }
}
