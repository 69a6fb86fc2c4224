//! The rows seen so far that may be the cause, in order of likelihood. Pure. Rows must be added in
//! the order of the log.

use std::mem;

use super::super::errors::{Judgment, Kind, Severity};

/// The number of early candidates that [`keep`] always keeps. The rest of a list is for the latest
/// candidates.
const MAX_FIRST: usize = 12;
/// The maximum number of candidates in a list.
const MAX_CANDIDATES: usize = 16;

/// Maximum distance from a heading to its explanation, or from the first row of a trace to its
/// last, in bytes of log.
const HEADED_BYTES: u64 = 16 << 10;

/// Maximum distance from a retry to the end of the log, in bytes, if almost nothing follows it.
const LAST_BYTES: u64 = 200;

/// Maximum distance from the last row of a failure to its retry.
const NEAR_BYTES: u64 = 4 << 10;

/// Maximum distance from a failure that does not count to the row that declares it, in bytes. A
/// task ends earlier.
const IGNORED_BYTES: u64 = 8 << 10;

/// Maximum distances between messages, and between asides, of one failure. The distance of asides
/// is shorter, because they also occur before a failure.
const MESSAGE_BYTES: u64 = 8 << 10;
const ASIDE_BYTES: u64 = 1 << 10;

/// Maximum distance from a message to its source location.
const PLACE_BYTES: u64 = 1 << 10;

/// Maximum distance from the cause to the end of the log, if the command was cut short. It does not
/// apply to rows that fit the exit code.
const END_BYTES: u64 = 4 << 10;

/// A row that may be the cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Candidate {
    pub offset: u64,
    pub judgment: Judgment,
    /// The offset of the last exception of a chain, if this is the exception that caused it.
    pub head: Option<u64>,
    /// True if it fits the exit code.
    pub fits_exit: bool,
}

impl Candidate {
    pub(super) const fn new(offset: u64, judgment: Judgment) -> Self {
        Self { offset, judgment, head: None, fits_exit: false }
    }

    /// Returns true if the program that printed it often continues.
    pub(super) fn may_be_survived(&self) -> bool {
        match self.judgment.kind {
            Kind::Headline | Kind::Finding => self.judgment.severity < Severity::Fatal,
            kind => matches!(kind, Kind::Entry | Kind::Trace | Kind::Exception | Kind::Panic),
        }
    }
}

/// The candidates since the last retry of a failure.
#[derive(Default, Debug)]
pub(super) struct Candidates {
    exit: Exit,
    /// Candidates that fit the exit code. Later ones rank first.
    fitting: Vec<Candidate>,
    headed: Vec<Candidate>,
    /// Headings that no row explains.
    unexplained: Vec<Candidate>,
    faults: Vec<Candidate>,
    messages: Clusters,
    asides: Clusters,
    /// Rows that point at the row above them.
    details: Vec<Candidate>,
    names: Vec<Candidate>,
    diffs: Vec<Candidate>,
    logged: Option<Candidate>,
    aftermath: Vec<Candidate>,
    /// A heading that has not been explained yet.
    heading: Option<Candidate>,
    /// The start of the last task; 0 if there are no tasks.
    task: u64,
    /// The offset of the last verdict of a tool, or report of a failure.
    verdict: Option<u64>,
    /// The start of a trace whose last row has not been reached yet.
    trace: Option<u64>,
    /// The last candidate.
    last: Option<Candidate>,
    tests: Tests,
    /// The offset of the last retry, and the candidates above it.
    retry: Option<(u64, Box<Candidates>)>,
}

/// Clusters of rows that are close together. If the command survived an error, the last cluster is
/// fatal. Within a cluster the first row counts, and the others are fallout.
#[derive(Default, Debug)]
struct Clusters {
    /// The first row of each cluster.
    firsts: Vec<Candidate>,
    last: Option<u64>,
}

impl Clusters {
    fn push(&mut self, candidate: Candidate, gap_bytes: u64) {
        if self
            .last
            .replace(candidate.offset)
            .is_none_or(|last| !is_within(gap_bytes, last, candidate.offset))
        {
            keep_last(&mut self.firsts, candidate);
        }
    }

    fn late_first(self) -> impl Iterator<Item = Candidate> {
        self.firsts.into_iter().rev()
    }
}

/// The state of tests whose messages are printed before their verdicts, as by `go test`.
#[derive(Default, Debug)]
struct Tests {
    /// True after the verdict on a failed test, until another test starts.
    has_failed: bool,
    /// The name of the running test; empty if it is not printed before the verdict.
    name: String,
    /// Rows of tests without a verdict, with the names of the tests. The verdicts on subtests
    /// follow the verdict on the whole test.
    undecided: Vec<(String, Candidate)>,
}

impl Tests {
    fn begin(&mut self, text: &str) {
        (self.has_failed, self.name) = (false, nth_word(text, 2));
    }

    /// Removes and returns the rows of the test with this verdict, and the rows of tests whose name
    /// is unknown.
    fn decided(&mut self, verdict: &str) -> Vec<Candidate> {
        let name = nth_word(verdict, 2);
        let own = self.undecided.extract_if(.., |(by, _)| by.is_empty() || *by == name);
        own.map(|(_, candidate)| candidate).collect()
    }
}

fn nth_word(text: &str, n: usize) -> String {
    text.split_whitespace().nth(n).unwrap_or_default().to_owned()
}

impl Candidates {
    pub(super) fn new(exit_code: Option<i64>) -> Self {
        Self { exit: Exit::of(exit_code), ..Self::default() }
    }

    /// Adds the next row.
    pub(super) fn push(&mut self, candidate: Candidate, text: &str) {
        match candidate.judgment.kind {
            Kind::Retry => self.try_again(candidate.offset),
            Kind::Ignored => self.ignore(candidate.offset),
            Kind::Task => self.task = candidate.offset,
            Kind::Succeeded => self.succeed(candidate.offset),
            Kind::Detail => self.point(candidate),
            Kind::Started => self.tests.begin(text),
            Kind::Passed => {
                drop(self.tests.decided(text));
                self.end_heading();
            }
            Kind::TestOutput if !self.tests.has_failed => {
                keep(&mut self.tests.undecided, (self.tests.name.clone(), candidate));
            }
            kind => {
                if kind == Kind::Name {
                    self.tests.has_failed = true;
                    for candidate in self.tests.decided(text) {
                        self.take(candidate);
                    }
                }
                if candidate.judgment.states_problem() && self.exit.fits(text) {
                    keep_last(&mut self.fitting, Candidate { fits_exit: true, ..candidate });
                }
                self.take(candidate);
            }
        }
    }

    /// Returns the candidates, most likely first, for a log of this many bytes.
    pub(super) fn ranked(mut self, log_bytes: u64) -> Vec<Candidate> {
        self.end_heading();
        let retry = self.retry.take_if(|(at, _)| is_within(LAST_BYTES, *at, log_bytes));
        let fitting = self.fitting.into_iter().rev();
        // Among headings with explanations, a heading without one keeps its place. Alone, it
        // explains less than a fault.
        let mut headed = self.headed;
        let mut unexplained = self.unexplained;
        if !headed.is_empty() {
            headed.append(&mut unexplained);
            headed.sort_by_key(|heading| heading.offset);
        }
        let located = headed.into_iter().chain(self.faults).chain(unexplained);
        let located = located.chain(self.messages.late_first()).chain(self.details);
        let named = self.asides.late_first().chain(self.names).chain(self.logged);
        let named = named.chain(self.diffs).chain(self.aftermath);
        let from = if self.exit.cuts_short { log_bytes.saturating_sub(END_BYTES) } else { 0 };
        let ranked: Vec<_> = fitting
            .chain(located.chain(named).filter(|candidate| candidate.offset >= from))
            .collect();
        match retry {
            // Nothing follows this retry: its error rows were written before it, to another stream.
            Some((_, failed)) if ranked.is_empty() => failed.ranked(log_bytes),
            _ => ranked,
        }
    }

    /// Drops all candidates if the last one is just above the retry: if the retry fails too, the
    /// failure is printed again.
    fn try_again(&mut self, offset: u64) {
        if self.last.is_some_and(|last| is_within(NEAR_BYTES, last.offset, offset)) {
            let exit = self.exit;
            let failed = mem::replace(self, Self { exit, ..Self::default() });
            self.retry = Some((offset, Box::new(Self { retry: None, ..failed })));
        }
    }

    /// Drops the exceptions and messages since the last verdict of a tool: they were survived.
    fn succeed(&mut self, offset: u64) {
        let from = self.verdict;
        self.drop_all(|candidate| {
            from.is_none_or(|from| candidate.offset >= from) && candidate.may_be_survived()
        });
        self.verdict = Some(offset);
    }

    /// Drops the candidates of the failure above an offset: those of its task or, without tasks,
    /// those nearby.
    fn ignore(&mut self, offset: u64) {
        let near = offset.saturating_sub(IGNORED_BYTES);
        let from =
            if self.task > 0 { self.task } else { near.max(self.verdict.map_or(0, |at| at + 1)) };
        self.drop_all(|candidate| candidate.offset >= from);
    }

    fn drop_all(&mut self, is_dropped: impl Fn(&Candidate) -> bool) {
        let lists = [
            &mut self.fitting,
            &mut self.headed,
            &mut self.unexplained,
            &mut self.faults,
            &mut self.messages.firsts,
            &mut self.asides.firsts,
            &mut self.details,
            &mut self.names,
            &mut self.diffs,
            &mut self.aftermath,
        ];
        for list in lists {
            list.retain(|candidate| !is_dropped(candidate));
        }
        // The next message begins a cluster of its own.
        (self.messages.last, self.asides.last) = (None, None);
        for pending in [&mut self.logged, &mut self.heading, &mut self.last] {
            pending.take_if(|candidate| is_dropped(candidate));
        }
    }

    /// Raises the message that a row points at to a fault: a tool that prints locations has found a
    /// defect. If there is no message, the row above may be one that no rule matches.
    fn point(&mut self, candidate: Candidate) {
        let offset = candidate.offset;
        let message = self.last.take_if(|last| {
            (last.judgment.kind, last.judgment.severity) == (Kind::Headline, Severity::Error)
                && is_within(PLACE_BYTES, last.offset, offset)
        });
        if let Some(mut message) = message {
            message.judgment.severity = Severity::Fatal;
            keep(&mut self.faults, message);
        } else {
            keep(&mut self.details, candidate);
        }
    }

    fn take(&mut self, candidate: Candidate) {
        self.last = Some(candidate);
        let heading = self
            .heading
            .filter(|heading| is_within(HEADED_BYTES, heading.offset, candidate.offset));
        let Judgment { kind, severity, .. } = candidate.judgment;
        let explains = candidate.judgment.states_problem() && heading.is_some();
        match (kind, severity) {
            (Kind::Heading, _) => {
                self.end_heading();
                self.heading = Some(candidate);
            }
            (Kind::Exception, _)
                if self
                    .trace
                    .take()
                    .is_some_and(|trace| is_within(HEADED_BYTES, trace, candidate.offset)) => {}
            (Kind::Name, _) => keep(&mut self.names, candidate),
            (Kind::Diff, _) => keep(&mut self.diffs, candidate),
            // Of the entries with the greatest severity, the last one counts.
            (Kind::Entry, _) => {
                let before = self.logged.filter(|logged| logged.judgment.severity > severity);
                self.logged = before.or(Some(candidate));
            }
            (Kind::Status, _) => {
                self.verdict = Some(candidate.offset);
                keep(&mut self.aftermath, candidate);
            }
            _ if explains || kind == Kind::Assertion => {
                self.trace = Some(candidate.offset).filter(|_| kind == Kind::Trace);
                keep(&mut self.headed, candidate);
                self.heading = None;
            }
            (Kind::Headline | Kind::Finding, Severity::Error) => {
                self.messages.push(candidate, MESSAGE_BYTES);
            }
            (Kind::Headline | Kind::Finding, Severity::Info | Severity::Warning) => {
                self.asides.push(candidate, ASIDE_BYTES);
            }
            _ if candidate.judgment.states_problem() => {
                self.trace = Some(candidate.offset).filter(|_| kind == Kind::Trace);
                keep(&mut self.faults, candidate);
            }
            _ => {}
        }
    }

    /// Adds the pending heading, if there is one, to the candidates. Later rows no longer count as
    /// its explanation.
    fn end_heading(&mut self) {
        if let Some(heading) = self.heading.take() {
            keep(&mut self.unexplained, heading);
        }
    }
}

/// The effects of the exit code on the ranking.
#[derive(Clone, Copy, Default, Debug)]
struct Exit {
    /// A row that contains one of these texts fits the exit code.
    words: &'static [&'static str],
    /// True if a timeout or a signal ended the command, so that earlier messages are not the cause.
    cuts_short: bool,
}

impl Exit {
    fn of(code: Option<i64>) -> Self {
        let words: &[&str] = match code {
            Some(124) => &["imed out", "imeout"],
            Some(126) => &["ermission denied", "annot execute", "Exec format", "Is a directory"],
            Some(127) => &["not found", "No such file"],
            Some(137) => &["Killed", "ut of memory"],
            Some(139) => &["egmentation fault"],
            _ => &[],
        };
        Self { words, cuts_short: is_cut_short(code) }
    }

    fn fits(&self, text: &str) -> bool {
        self.words.iter().any(|word| text.contains(word))
    }
}

/// Returns true for the exit codes of a command that was stopped by a timeout or a signal.
fn is_cut_short(code: Option<i64>) -> bool {
    matches!(code, Some(124 | 130 | 137 | 143))
}

/// Returns true for the exit codes of a command that failed without being stopped.
pub(super) fn has_failed_by_itself(code: Option<i64>) -> bool {
    code.is_some_and(|code| code != 0) && !is_cut_short(code)
}

/// Returns true if `below` is at most `bytes` after `above`. Returns false if `below` is before
/// `above`, which happens because the rows of a test are not taken until its verdict.
fn is_within(bytes: u64, above: u64, below: u64) -> bool {
    below.checked_sub(above).is_some_and(|apart| apart <= bytes)
}

/// Adds a candidate. If there are too many, keeps the first ones and the last ones.
fn keep<T>(candidates: &mut Vec<T>, candidate: T) {
    if candidates.len() == MAX_CANDIDATES {
        candidates.remove(MAX_FIRST);
    }
    candidates.push(candidate);
}

/// Adds a candidate. If there are too many, keeps the last ones.
fn keep_last(candidates: &mut Vec<Candidate>, candidate: Candidate) {
    if candidates.len() == MAX_CANDIDATES {
        candidates.remove(0);
    }
    candidates.push(candidate);
}
