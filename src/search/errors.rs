//! Error rules: patterns for the error rows of compilers, test runners, build tools and shells.
//!
//! A row is judged by its text alone, without its stream and the rows around it. So texts that are
//! harmless in one place and the cause in another are no error rows: entries of level ERROR in a
//! program's own log (tests print them on purpose), and everything that merely mentions errors. The
//! kind and the severity of a rule determine the score of its rows as a cause; [`super::cause`]
//! also considers the rows around them. The name of a tool is only shown.

mod few;
mod prefix;
mod rules;
mod user;

use std::cmp::Reverse;
use std::sync::LazyLock;

use regex::bytes::{RegexSet, RegexSetBuilder};

use prefix::without_prefix;
pub(super) use prefix::without_time;
pub(super) use user::has_user_rules;
pub use user::{MAX_RULES, UserRule, use_rules};

/// The literals of error rules. Every text that reports an error contains one of them,
/// case-sensitive, so bytes without any of them need no closer look. Most are a word or a part of
/// one, because tools switch colors between words. All have at least three bytes, and there are at
/// most 62: shorter or more literals would make the search for errors take twice as long.
#[rustfmt::skip]
static ERROR_LITERALS: &[&str] = &[
    "rror", "ERR", "FAIL", "ailed", "ailure", "ailing", "atal", "FATAL", "panic", "xception",
    "raceback", "Sanitizer", "***", "SEGFAULT", "aborted)", "not ok", "not found",
    "parameter not set", "can't cd", "E   ", "undefined ", "multiple definition", "uplicate symbol",
    "annot ", "ould not ", "nable to", "No such file", "enied", "refused", "space left",
    "ut of memory", "Killed", "Aborted", "egmentation fault", "core dumped", "llegal instruction",
    "timed out", ": line ", "d option", "curl: (", ".go:", ".py:", "e: file://", "CONFLICT (",
    "exited with", "BackOff", "(): ", "corrupt", "type mismatch", "●", "✕", "✖", "✗", "✘", "× ",
];

/// The maximum size of a compiled set in bytes. The rules of the user take at most a half.
const MAX_SET_BYTES: usize = 64 << 20;

/// The maximum size of the cache of a set in bytes. A log with the errors of many tools fills the
/// default of 2 MiB again and again, and its search takes many times as long.
const MAX_CACHE_BYTES: usize = 8 << 20;

/// The number of bytes of a literal that are searched for.
const MAX_LITERAL_BYTES: usize = 8;

/// A rule for rows of one kind.
#[derive(PartialEq, Eq, Debug)]
struct Rule {
    /// The tools that print such rows, separated by commas; empty if there are too many.
    tool: &'static str,
    kind: Kind,
    severity: Severity,
    /// An expression for the text without its prefixes. `\w`, `\d` and `\s` are ASCII, and `.` is
    /// one byte.
    pattern: &'static str,
    /// Every text that the pattern matches contains one of these, at least three bytes long. A rule
    /// finds error rows if all are in [`ERROR_LITERALS`]; otherwise, its rows are only considered
    /// as a cause. Empty for the kinds `Harmless`, `Remark` and
    /// `Complaint`.
    literals: &'static [&'static str],
    /// A text that the pattern matches.
    example: &'static str,
    /// A similar text that the pattern does not match.
    counterexample: &'static str,
}

/// The part of a row in a failure. In ascending order: of several rules
/// that match a row and have the same score, the one with the greater kind counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Kind {
    /// A warning, a note, or a message of a passed test. Another rule that matches the row does not
    /// apply, unless it is about the state of tests, or of the kind `Finding`.
    Harmless,
    /// A hint, progress or a total, which explains no failure.
    Remark,
    /// A text with a word that often states a problem. It counts only at the end of a log.
    Complaint,
    /// A retry after the failure above it.
    Retry,
    /// A declaration that the failure above it does not count.
    Ignored,
    /// The start of a task, whose failure may be ignored.
    Task,
    /// The verdict of a test runner or a build tool that nothing failed: exceptions and messages
    /// above it were survived.
    Succeeded,
    /// The start of a test.
    Started,
    /// A passed test.
    Passed,
    /// A row that points at the problem in the row above it, such as its source location.
    Detail,
    /// The start of a difference between files, such as a file that is not formatted.
    Diff,
    /// An entry in a program's own log. It does not always stop the program.
    Entry,
    /// A report of a failure that other rows describe. Takes precedence over all other rules that
    /// match the same row.
    Status,
    /// The name of a failed test or step.
    Name,
    /// The statement of a problem. Only one that is fatal always stops the program.
    Headline,
    /// The statement of a problem in the code, even if it is called a warning.
    Finding,
    /// A message of a test, which counts only if the test fails.
    TestOutput,
    /// A panic. Tests expect some.
    Panic,
    /// An exception, often the last row of a trace.
    Exception,
    /// The first row of a trace whose last row states the problem.
    Trace,
    /// The reason why a test failed.
    Assertion,
    /// The name of a failed test or step, printed above its details.
    Heading,
}

/// The effect of the problem in a row on the program, in ascending order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Severity {
    /// No problem.
    Info,
    /// A problem that does not always stop the program.
    Warning,
    /// A problem, in a program's own words.
    Error,
    /// A defect, often with its location. A program that reports one has failed.
    Fatal,
}

/// The result of judging a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Judgment {
    pub kind: Kind,
    pub severity: Severity,
    tool: &'static str,
}

impl Judgment {
    /// The judgment on a row that no rule matches, but that explains a row that a rule matches.
    pub(super) const MESSAGE: Self =
        Self { kind: Kind::Status, severity: Severity::Error, tool: "" };

    /// The score of the name of a failed test or step.
    pub(super) const NAME: u8 = 30;

    /// The score of a defect.
    const DEFECT: u8 = 70;

    /// The likelihood that such a row is the cause; 0 if it never is.
    pub(super) const fn score(self) -> u8 {
        match (self.kind, self.severity) {
            (Kind::Heading, _) => 80,
            (Kind::Headline | Kind::Finding, Severity::Error) => 60,
            (Kind::Headline | Kind::Finding, Severity::Warning | Severity::Info) => 40,
            (Kind::Detail, _) => 50,
            (Kind::Name, _) => Self::NAME,
            (Kind::Entry, _) => 20,
            (Kind::Diff, _) => 15,
            (Kind::Status, _) => 10,
            (kind, _) if kind as u8 > Kind::Status as u8 => Self::DEFECT,
            _ => 0,
        }
    }

    /// The reason for the score, as a phrase.
    pub(super) const fn reason(self) -> &'static str {
        match self.score() {
            80 => "heads the details",
            Self::DEFECT => "states a defect",
            60 => "states a problem",
            50 => "points at the row above",
            40 => "is often survived",
            Self::NAME => "names what failed",
            20 => "is an entry of a log",
            15 => "begins a difference",
            _ => "reports a failure",
        }
    }

    /// Returns true for a row that states a problem, not only what failed.
    pub(super) const fn states_problem(self) -> bool {
        self.score() >= 40 && !matches!(self.kind, Kind::Detail)
    }

    /// Returns true for a row that states a problem that usually stops the program.
    pub(super) const fn is_serious(self) -> bool {
        self.score() >= 60
    }

    /// Returns true if a row elsewhere can hardly be a better cause.
    pub(super) const fn is_sure(self) -> bool {
        self.score() >= Self::DEFECT
    }

    /// Returns true for a row that states a defect.
    pub(super) const fn is_defect(self) -> bool {
        self.score() == Self::DEFECT
    }

    /// Returns the name of the tool that prints such rows; `None` if several tools do.
    pub(super) fn tool(self) -> Option<&'static str> {
        Some(self.tool).filter(|tool| !tool.is_empty() && !tool.contains(", "))
    }
}

impl Rule {
    const fn judgment(&self) -> Judgment {
        Judgment { kind: self.kind, severity: self.severity, tool: self.tool }
    }

    /// Returns true if its kind and severity apply to the rows that it matches.
    const fn is_found(&self) -> bool {
        !matches!(self.kind, Kind::Harmless | Kind::Remark | Kind::Complaint)
    }

    /// Returns true if its rows are error rows.
    fn finds_errors(&self) -> bool {
        !matches!(self.kind, Kind::Entry | Kind::Detail | Kind::Diff)
            && self.judgment().score() > 0
            && (self.literals.iter().all(|literal| ERROR_LITERALS.contains(literal))
                || user::is_users(self))
    }

    /// Returns true if the rule does not apply to rows that are harmless.
    fn yields(&self) -> bool {
        let is_problem = self.judgment().score() > 0 && self.kind != Kind::Finding;
        is_problem || self.kind == Kind::Retry
    }
}

/// Returns true if a row's displayed text, without escapes, reports an error.
#[must_use]
pub(super) fn is_error(text: &str) -> bool {
    let bare = without_prefix(text);
    let mut found = matches(bare).peekable();
    let is_users = found.peek().is_some_and(|rule| user::is_users(rule));
    found.any(Rule::finds_errors) && !user::is_harmless(bare) && (is_users || !is_harmless(text))
}

/// Returns true if a row's displayed text looks like a report of an error, but is harmless: a
/// warning, a note, or a message of a passed test.
pub(super) fn is_harmless(text: &str) -> bool {
    let is_match =
        |text| few::is_harmless(text).unwrap_or_else(|| HARMLESS_SET.is_match(text.as_bytes()));
    let bare = without_prefix(text);
    user::is_harmless(bare) || is_match(text) || (bare.len() < text.len() && is_match(bare))
}

/// Returns true if a row displays nothing but prefixes.
pub(super) fn is_blank(text: &str) -> bool {
    without_prefix(text).trim().is_empty()
}

/// Returns true for a hint, progress or a total, which explains no failure.
pub(super) fn is_remark(text: &str) -> bool {
    few::is_remark(without_prefix(text))
}

/// Returns how likely a text without a rule states a problem: `Error` if it has a word that often
/// gives a reason, `Warning` if it has a general one. `None` if it is harmless or has neither.
pub(super) fn complaint(text: &str) -> Option<Severity> {
    let found = few::complaint(without_prefix(text));
    found.filter(|_| !is_harmless(text) && !is_remark(text))
}

/// Judges a row by its displayed text. `None` if no rule applies.
pub(super) fn judge(text: &str) -> Option<Judgment> {
    let bare = without_prefix(text);
    let mut found = matches(bare).peekable();
    let first = found.peek()?;
    if user::is_harmless(bare) {
        return None;
    }
    if user::is_users(first) {
        return Some(first.judgment());
    }
    let is_harmless = is_harmless(text);
    let applied = found.filter(|rule| !(is_harmless && rule.yields())).map(Rule::judgment);
    // Of several rules with the same score, the first one wins.
    let rank = |judgment: &Judgment| {
        (judgment.kind == Kind::Status, judgment.score(), judgment.kind, judgment.severity)
    };
    applied.min_by_key(|judgment| Reverse(rank(judgment)))
}

/// Returns the rules that match a text without prefixes, in order, except for harmless ones.
fn matches(bare: &str) -> impl Iterator<Item = &'static Rule> {
    let found = few::matches(bare)
        .unwrap_or_else(|| RULE_SET.matches(bare.as_bytes()).into_iter().collect());
    found.into_iter().filter_map(|n| RULES.get(n).copied())
}

/// Returns the literals of the rows that report an error.
pub(super) fn error_literals() -> Vec<&'static str> {
    literals(Rule::finds_errors)
}

/// Returns the literals of the rows that report an error or affect the choice of the cause.
pub(super) fn all_literals() -> Vec<&'static str> {
    literals(|_| true)
}

/// Returns texts such that every text with a literal of one of these rules contains one of them.
/// Few and short texts make a small automaton, which is fast.
fn literals(is_wanted: impl Fn(&Rule) -> bool) -> Vec<&'static str> {
    let wanted = RULES.iter().filter(|rule| is_wanted(rule)).flat_map(|rule| rule.literals);
    let begin = |literal: &&'static str| {
        let end = literal.ceil_char_boundary(MAX_LITERAL_BYTES);
        literal.get(..end).unwrap_or(literal)
    };
    let mut literals: Vec<_> = wanted.map(begin).collect();
    literals.sort_unstable_by_key(|literal| (literal.len(), *literal));
    literals.dedup();
    let mut kept: Vec<&'static str> = Vec::new();
    for literal in literals {
        if !kept.iter().any(|shorter| literal.contains(shorter)) {
            kept.push(literal);
        }
    }
    kept
}

/// The rules that may apply to a row, except for harmless ones.
static RULES: LazyLock<Vec<&'static Rule>> = LazyLock::new(|| {
    let table = rules::table().filter(|rule| rule.is_found());
    user::rules().iter().copied().chain(table).collect()
});

static RULE_SET: LazyLock<RegexSet> = LazyLock::new(|| set(RULES.iter().copied()));

static HARMLESS_SET: LazyLock<RegexSet> =
    LazyLock::new(|| set(rules::table().filter(|rule| rule.kind == Kind::Harmless)));

/// Compiles patterns. ASCII classes make small automata that compile quickly; without Unicode, `.`
/// matches one byte.
#[expect(clippy::expect_used, reason = "constants, and rules of the user of limited size")]
fn set(rules: impl Iterator<Item = &'static Rule>) -> RegexSet {
    RegexSetBuilder::new(rules.map(|rule| rule.pattern))
        .unicode(false)
        .size_limit(MAX_SET_BYTES)
        .dfa_size_limit(MAX_CACHE_BYTES)
        .build()
        .expect("a table of expressions")
}

#[cfg(test)]
mod tests;
