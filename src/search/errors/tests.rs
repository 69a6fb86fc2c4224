use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::Union;
use proptest::string::string_regex;

use super::*;
use crate::search::prefilter::PrefilteredLines;
use crate::search::query::Query;

/// The log of a failed command: its name, the rows that contain the cause, and the other error
/// rows. Rows are numbered from 1.
pub(super) type Log = (&'static str, &'static [usize], &'static [usize]);

/// Real outputs. They contain no error rows other than the listed ones.
#[rustfmt::skip]
pub(super) const LOGS: &[Log] = &[
    ("asan-overflow", &[2], &[16]),
    ("bash-messages", &[3, 4, 5, 6, 7, 8, 10, 11, 12, 14, 15], &[]),
    ("bats-fail", &[4], &[]),
    ("cmake-error", &[9, 14], &[7]),
    ("cpp-terminate", &[], &[4]),
    ("ctest-failure", &[56, 57, 60], &[73, 78, 79]),
    ("ctest-output", &[12], &[23, 28]),
    ("docker-build-gcc", &[4], &[11, 28]),
    ("eslint-errors", &[4, 5], &[7]),
    ("flaky-retry", &[12, 29, 46, 63], &[14, 15, 31, 32, 48, 49, 65, 66]),
    ("gcc-nested-make", &[23], &[30, 32]),
    ("gcc-probe-then-import", &[51], &[5, 49]),
    ("gcc-template-cascade", &[19, 59, 83, 110], &[127]),
    ("gcc-then-cleanup", &[3], &[8, 9, 10]),
    ("gcc-undefined-reference", &[21], &[22, 23]),
    ("git-fatal", &[1, 2, 3, 4], &[]),
    ("git-push-rejected", &[], &[3]),
    ("go-build-error", &[6, 7, 8], &[]),
    ("go-race", &[], &[37, 39, 40, 41]),
    ("go-test-fail", &[42], &[45, 48, 143, 144, 149]),
    ("go-test-logs", &[], &[
        2, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44,
        68, 69, 70, 71,
    ]),
    ("go-test-panic", &[2, 4, 5], &[1, 3, 20, 21]),
    ("javac-and-java", &[1, 4, 10, 12], &[9]),
    ("jest-fail", &[18, 37, 39], &[11, 15, 16, 48, 49]),
    ("jest-suite-fails-to-run", &[2, 4], &[1, 72]),
    ("jest-throws", &[10, 12], &[5, 8, 23, 24]),
    ("json-log", &[], &[]),
    ("long-log-middle", &[11], &[]),
    ("make-keep-going", &[10], &[119, 127]),
    ("maven-surefire-failure", &[33, 37, 46, 48], &[31, 32, 36, 45, 47, 50, 58]),
    ("minitest-fail", &[16], &[9, 14, 22]),
    ("mocha-fail", &[16, 30], &[11]),
    ("ninja-fail", &[5, 9, 12], &[2, 16]),
    ("node-test", &[3, 34], &[2, 30, 33]),
    ("npm-404", &[6, 12, 14], &[11]),
    ("npm-eresolve", &[2, 9, 10], &[1, 4]),
    ("npm-tsc", &[9, 10, 11], &[]),
    ("precommit-wrapper", &[1, 19, 26, 34], &[]),
    ("py-traceback-chained", &[13, 29], &[6, 17]),
    ("py-traceback-direct-cause", &[5, 15], &[1, 9]),
    ("py-traces-logged", &[36], &[2, 6, 8, 12, 14, 18, 20, 24, 26, 30, 32]),
    ("pytest-assert-diff", &[69], &[52, 85, 87, 102]),
    ("pytest-collection-error", &[19], &[10, 21, 22, 23]),
    ("pytest-fixtures", &[8, 14, 24, 31], &[3, 10, 11, 35, 36, 37, 38, 39]),
    ("retry-then-other", &[], &[1, 2, 3]),
    ("rust-cascade", &[2, 38, 70, 102, 135, 146, 162, 173, 189, 198], &[216, 218]),
    ("rust-test-assert-eq", &[238, 239], &[103, 248, 250]),
    ("rust-test-harmless-errors", &[66, 67], &[72, 87, 89]),
    ("rust-test-nocapture", &[116], &[7, 12, 118, 119, 126]),
    ("segfault", &[16], &[]),
    ("sh-command-not-found", &[5], &[]),
    // The command prints nothing before it stops.
    ("sh-set-e-silent", &[], &[]),
    ("sh-survived-error", &[54], &[1, 2, 3]),
    // The command hangs.
    ("timeout-124-hang", &[], &[]),
    ("tsc-errors", &[5, 6, 7], &[]),
    ("unittest-fail", &[14, 23], &[3, 5, 8, 10, 17, 19, 28]),
    ("unittest-prints-traces", &[24], &[5, 8, 9, 14, 18, 20, 29]),
    ("vitest-fail", &[12], &[4, 6, 11, 30, 31]),
];

pub(super) fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/failures/{name}.log"));
    fs::read_to_string(path).unwrap()
}

/// Returns the content of each record, and its displayed text without colors.
pub(super) fn rows(log: &str) -> impl Iterator<Item = (&str, String)> {
    let escapes = regex::Regex::new("\x1b\\[[0-9;]*[mK]").unwrap();
    log.lines().map(move |line| {
        let content = line.splitn(4, ' ').nth(3).unwrap_or_default();
        (content, escapes.replace_all(content, "").into_owned())
    })
}

fn has_literal(text: &str, literals: &[&str]) -> bool {
    literals.iter().any(|literal| text.contains(literal))
}

/// Returns true if the pattern of a rule matches a text, with and without prefixes.
fn is_in(rule: &Rule, text: &str) -> bool {
    let set = set([rule.pattern]);
    set.is_match(without_prefix(text).as_bytes())
        || (!rule.is_found() && set.is_match(text.as_bytes()))
}

fn set<'p>(patterns: impl IntoIterator<Item = &'p str>) -> RegexSet {
    RegexSetBuilder::new(patterns).unicode(false).build().unwrap()
}

#[test]
fn every_rule_matches_its_example_and_not_its_counterexample() {
    let is_right = |rule: &&Rule| is_in(rule, rule.example) && !is_in(rule, rule.counterexample);
    let wrong: Vec<_> = rules::table().filter(|rule| !is_right(rule)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_rule_applies_to_its_example() {
    let is_right = |rule: &&&Rule| judge(rule.example) == Some(rule.judgment());
    let wrong: Vec<_> = RULES.iter().filter(|rule| !is_right(rule)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_rule_has_literals() {
    for rule in &*RULES {
        assert!(!rule.literals.is_empty(), "{rule:?}");
        assert!(rule.literals.iter().all(|literal| literal.len() >= 3), "{rule:?}");
        assert!(has_literal(rule.example, rule.literals), "{rule:?}");
    }
    assert!(ERROR_LITERALS.len() <= 62);
    for literal in ERROR_LITERALS {
        let needs = |rule: &&Rule| rule.finds_errors() && rule.literals.contains(literal);
        assert!(RULES.iter().copied().any(|rule| needs(&rule)), "no rule needs {literal:?}");
    }
}

#[test]
fn files_with_the_name_of_a_level_are_not_harmless() {
    for text in [
        "debug.go:3:1: x declared and not used",
        "help.c:3:1: error: bad",
        "info/a.c:3:1: error: bad",
        "cat: info.json: No such file or directory",
        "error: help text missing",
    ] {
        assert!(is_error(text), "{text}");
    }
}

#[test]
fn every_example_of_a_complaint_is_one() {
    for rule in rules::table().filter(|rule| rule.kind == Kind::Complaint) {
        assert_eq!(complaint(rule.example), Some(rule.severity), "{rule:?}");
        assert_eq!(complaint(rule.counterexample), None, "{rule:?}");
    }
}

#[test]
fn harmless_rules_override_a_rule() {
    for rule in rules::table().filter(|rule| rule.kind == Kind::Harmless) {
        let overridden = matches(without_prefix(rule.example)).any(Rule::yields);
        assert!(overridden, "no rule finds {}", rule.example);
        assert!(!is_error(rule.example), "{}", rule.example);
    }
}

#[test]
fn exactly_the_error_rows_of_real_logs_are_found() {
    let mut wrong = Vec::new();
    for (name, cause, also) in LOGS {
        let log = fixture(name);
        let found: Vec<usize> =
            (1..).zip(rows(&log)).filter(|(_, (_, text))| is_error(text)).map(|(n, _)| n).collect();
        let expected: BTreeSet<usize> = cause.iter().chain(*also).copied().collect();
        if !found.iter().eq(&expected) {
            wrong.push(format!("{name}: found {found:?}, expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_log_fixture_is_in_the_table() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/failures");
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let stored: BTreeSet<String> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().into()).collect();
    assert_eq!(stored, LOGS.iter().map(|(name, ..)| (*name).to_owned()).collect());
}

#[test]
fn colored_error_rows_pass_the_prefilter() {
    let query = Query::errors();
    for (name, ..) in LOGS {
        for (bytes, text) in rows(&fixture(name)) {
            let line = format!("{bytes}\n");
            let may_match =
                PrefilteredLines::new(line.as_bytes(), query.prefilter()).next(0).is_some();
            assert!(!is_error(&text) || may_match, "{name}: {bytes:?}");
        }
    }
}

#[test]
fn prefixes_of_a_message_are_skipped() {
    for before in [
        "",
        "\t",
        "2026-01-02T03:04:05.678Z ",
        "[2026-01-02 03:04:05,678] ",
        "#12 0.345 ",
        "web-1  | ",
        "│ ",
    ] {
        assert!(is_error(&format!("{before}error: no such target")), "{before:?}");
    }
    assert!(!is_error("   13 |     error: a label of C"), "a line of source");
}

#[test]
fn rows_that_only_mention_errors_do_not_match() {
    let harmless = [
        "0 errors",
        "errors=0",
        "no error",
        "error count 0",
        "test error_is_shown ... ok",
        "test declined_error_2 ... charge 2 -> Ok(2), 0 errors, 0 failed",
        "warning: unused import: `std::error::Error`",
        "gcc -Wall -Werror -c src/error.c -o error.o",
        "   Compiling thiserror v2.0.12",
        "ERROR gateway: charge 6 failed: card declined (expected in test)",
        "2026-11-23 09:44:23,710 INFO nightly: step collect failed: 0 errors",
        "    orders_test.go:31: expected error 400: request failed",
        "[INFO] Tests run: 2, Failures: 0, Errors: 0, Skipped: 0",
        "test result: ok. 3 passed; 0 failed; 0 ignored",
        "fail on error markers..................................................Passed",
        "main.go:23: listening",
    ];
    for text in harmless {
        assert!(!is_error(text), "{text}");
    }
}

/// Generates texts that match a rule's expression without its anchors. So some of them do not match
/// the rule.
pub(super) fn described(pattern: &str) -> impl Strategy<Value = String> + use<> {
    let anchors = regex::Regex::new(r"\\b|([^\[])\^|^\^|\$(\)|$|\|)").unwrap();
    let pattern = anchors.replace_all(pattern, "$1$2");
    let pattern = anchors.replace_all(&pattern, "$1$2");
    let ascii = [(r"\d", "[0-9]"), (r"\w", "[A-Za-z0-9_]"), (r"\s", "[ \t]")];
    string_regex(
        &ascii.iter().fold(pattern.into_owned(), |text, (from, to)| text.replace(from, to)),
    )
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn every_match_of_a_rule_contains_one_of_its_literals(
        (rule, text) in Union::new(RULES.iter().map(|rule| {
            described(rule.pattern).prop_map(move |text| (rule, text))
        })),
    ) {
        prop_assert!(
            !is_in(rule, &text) || has_literal(&text, rule.literals),
            "{rule:?}: {text:?}"
        );
    }
}
