//! Which of the rows seen so far may be the cause, in the order in which to believe them. Pure;
//! rows come in the order of the log.

use super::super::errors::Weight;

/// How many rows are kept of a weight: the first ones, and some of the last.
const MAX_FIRST: usize = 12;
const MAX_CANDIDATES: usize = 16;

/// How far below a heading, or the first row of a trace, it is told what it was, in bytes of log.
const HEADED_BYTES: u64 = 16 << 10;

/// How far behind its last message a failure is tried again.
const NEAR_BYTES: u64 = 4 << 10;

/// How far apart are messages of one failure, and asides, which also come before it.
const MESSAGE_BYTES: u64 = 8 << 10;
const ASIDE_BYTES: u64 = 1 << 10;

/// How far below a message the place that it is about is told.
const PLACE_BYTES: u64 = 1 << 10;

/// How near to the end of a log is what has to do with how it was cut short.
const END_BYTES: u64 = 4 << 10;

/// Rules that are more than others: rows that come before the verdict on their test, rows that no
/// passing test prints, the first and the last row of a trace, a panic.
pub(super) const GO: &str = "go";
pub(super) const COMPILERS: &str = "compilers";
pub(super) const WRAPPERS: &str = "wrappers";
pub(super) const NPM: &str = "npm, pnpm, yarn";
const GO_TEST: &str = "go test";
const PYTEST: &str = "pytest";
pub(super) const TRACE: &str = "python";
pub(super) const PANIC: &str = "rust";
pub(super) const EXCEPTION: &str = "python, java, node";

/// A row that may be the cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Candidate {
    pub offset: u64,
    pub weight: Weight,
    /// Who prints such rows.
    pub rule: &'static str,
}

/// What has been seen since it was last tried again.
#[derive(Default, Debug)]
pub(super) struct Candidates {
    exit: Exit,
    /// What fits how the command ended; the later ones first.
    fitting: Vec<Candidate>,
    headed: Vec<Candidate>,
    faults: Vec<Candidate>,
    messages: Groups,
    asides: Groups,
    names: Vec<Candidate>,
    logged: Option<Candidate>,
    aftermath: Vec<Candidate>,
    /// A heading of which nothing has been told yet.
    heading: Option<Candidate>,
    /// A trace whose last row has not come yet.
    trace: Option<u64>,
    /// The last row.
    last: Option<Candidate>,
    go: Go,
}

/// Rows that come in groups. Who goes on after a failure is done in by a later one, but that has
/// consequences.
#[derive(Default, Debug)]
struct Groups {
    /// The first row of each group.
    firsts: Vec<Candidate>,
    last: Option<u64>,
}

impl Groups {
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

/// What the test that wrote the last rows of `go test` has come to.
#[derive(Default, Debug)]
struct Go {
    has_failed: bool,
    /// Of the one that writes; empty where it is not told before the verdict.
    name: String,
    /// The rows that tests wrote before it is known, with their names: the verdicts on subtests
    /// come behind that on the whole.
    undecided: Vec<(String, Candidate)>,
}

impl Go {
    fn begin(&mut self, text: &str) {
        (self.has_failed, self.name) = (false, nth_word(text, 2));
    }

    /// What the test of this verdict wrote.
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

    /// Takes the next row.
    pub(super) fn push(&mut self, candidate: Candidate, text: &str) {
        match (candidate.weight, candidate.rule) {
            (Weight::Again, _) => self.try_again(candidate.offset),
            (Weight::Place, _) => self.place(candidate.offset),
            (Weight::Begun, _) => self.go.begin(text),
            (Weight::Passed, GO_TEST) => drop(self.go.decided(text)),
            (Weight::Passed, _) => self.end_heading(),
            (Weight::Fault, GO_TEST) if !self.go.has_failed => {
                keep(&mut self.go.undecided, (self.go.name.clone(), candidate));
            }
            _ => {
                if (candidate.weight, candidate.rule) == (Weight::Name, GO_TEST) {
                    self.go.has_failed = true;
                    for candidate in self.go.decided(text) {
                        self.take(candidate);
                    }
                }
                if candidate.weight > Weight::Name && self.exit.fits(text) {
                    keep_last(&mut self.fitting, candidate);
                }
                self.take(candidate);
            }
        }
    }

    /// What may be the cause, the likeliest first, in a log of so many bytes.
    pub(super) fn ranked(mut self, log_bytes: u64) -> Vec<Candidate> {
        self.end_heading();
        let fitting = self.fitting.into_iter().rev();
        let told = self.headed.into_iter().chain(self.faults).chain(self.messages.late_first());
        let named =
            self.asides.late_first().chain(self.names).chain(self.logged).chain(self.aftermath);
        let from = if self.exit.cuts_short { log_bytes.saturating_sub(END_BYTES) } else { 0 };
        fitting.chain(told.chain(named).filter(|candidate| candidate.offset >= from)).collect()
    }

    /// What failed just before is forgotten: were it to fail again, that would be told again.
    fn try_again(&mut self, offset: u64) {
        if self.last.is_some_and(|last| is_within(NEAR_BYTES, last.offset, offset)) {
            let exit = std::mem::take(&mut self.exit);
            *self = Self { exit, ..Self::default() };
        }
    }

    /// Who says where it is has found a fault.
    fn place(&mut self, offset: u64) {
        let message = self.last.filter(|last| {
            last.weight == Weight::Message && is_within(PLACE_BYTES, last.offset, offset)
        });
        if let Some(message) = message {
            keep(&mut self.faults, Candidate { weight: Weight::Fault, ..message });
        }
    }

    fn take(&mut self, candidate: Candidate) {
        self.last = Some(candidate);
        let heading = self
            .heading
            .filter(|heading| is_within(HEADED_BYTES, heading.offset, candidate.offset));
        match candidate.weight {
            Weight::Heading => {
                self.end_heading();
                self.heading = Some(candidate);
            }
            Weight::Fault
                if candidate.rule == EXCEPTION
                    && self
                        .trace
                        .take()
                        .is_some_and(|trace| is_within(HEADED_BYTES, trace, candidate.offset)) => {}
            Weight::Fault | Weight::Message | Weight::Aside
                if heading.is_some()
                    || (candidate.weight, candidate.rule) == (Weight::Fault, PYTEST) =>
            {
                self.trace = Some(candidate.offset).filter(|_| candidate.rule == TRACE);
                keep(&mut self.headed, candidate);
                self.end_heading();
            }
            Weight::Fault => {
                self.trace = Some(candidate.offset).filter(|_| candidate.rule == TRACE);
                keep(&mut self.faults, candidate);
            }
            Weight::Message => self.messages.push(candidate, MESSAGE_BYTES),
            Weight::Aside => self.asides.push(candidate, ASIDE_BYTES),
            Weight::Name => keep(&mut self.names, candidate),
            Weight::Logged => self.logged = Some(candidate),
            Weight::Aftermath => keep(&mut self.aftermath, candidate),
            Weight::Again | Weight::Begun | Weight::Passed | Weight::Place => {}
        }
    }

    /// Nothing more is told of the last heading.
    fn end_heading(&mut self) {
        if let Some(heading) = self.heading.take() {
            keep(&mut self.headed, heading);
        }
    }
}

/// How the command ended, as far as a row can fit that.
#[derive(Default, Debug)]
struct Exit {
    /// What such a row contains.
    words: &'static [&'static str],
    /// Whether something else ended it: what it said long before is not why.
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
        Self { words, cuts_short: matches!(code, Some(124 | 130 | 137 | 143)) }
    }

    fn fits(&self, text: &str) -> bool {
        self.words.iter().any(|word| text.contains(word))
    }
}

/// Whether a row comes so soon behind another. Not every row is taken when it comes: a test's wait
/// for the verdict on it.
fn is_within(bytes: u64, above: u64, below: u64) -> bool {
    below.checked_sub(above).is_some_and(|apart| apart <= bytes)
}

/// Keeps the first ones and the last ones.
fn keep<T>(candidates: &mut Vec<T>, candidate: T) {
    if candidates.len() == MAX_CANDIDATES {
        candidates.remove(MAX_FIRST);
    }
    candidates.push(candidate);
}

/// Keeps the last ones.
fn keep_last(candidates: &mut Vec<Candidate>, candidate: Candidate) {
    if candidates.len() == MAX_CANDIDATES {
        candidates.remove(0);
    }
    candidates.push(candidate);
}
