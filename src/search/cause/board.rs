//! Which of the rows seen so far may be the cause, in the order in which to believe them. Pure; rows come in the order of the log.

use super::super::errors::Weight;

/// How many rows are kept of a weight: the first ones, and some of the last.
const MAX_FIRST: usize = 12;
const MAX_SIGNS: usize = 16;

/// How far below a heading, or the first row of a trace, it is told what it was, in bytes of log.
const HEADED_BYTES: u64 = 16 << 10;

/// How far behind its last message a failure is tried again.
const NEAR_BYTES: u64 = 4 << 10;

/// How far apart are asides of one mishap.
const ASIDE_BYTES: u64 = 1 << 10;

/// Rules that are more than others: rows that come before the verdict on their test, rows that no passing test prints, and the
/// first and the last row of a trace.
const GO_TEST: &str = "go test";
const PYTEST: &str = "pytest";
pub(super) const TRACE: &str = "python";
const EXCEPTION: &str = "python, java, node";

/// A row that may be the cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sign {
    pub offset: u64,
    pub weight: Weight,
    /// Who prints such rows.
    pub rule: &'static str,
}

/// What has been seen since it was last tried again.
#[derive(Default, Debug)]
pub(super) struct Board {
    exit: Exit,
    /// What fits how the command ended; the later ones first.
    fitting: Vec<Sign>,
    headed: Vec<Sign>,
    faults: Vec<Sign>,
    messages: Vec<Sign>,
    /// The first of each group of asides; the later ones first.
    asides: Vec<Sign>,
    names: Vec<Sign>,
    aftermath: Vec<Sign>,
    /// A heading of which nothing has been told yet.
    heading: Option<Sign>,
    /// A trace whose last row has not come yet.
    trace: Option<u64>,
    /// Where the last row was, and the last aside.
    last: Option<u64>,
    aside: Option<u64>,
    go: Go,
}

/// What the test that wrote the last rows of `go test` has come to.
#[derive(Default, Debug)]
struct Go {
    has_failed: bool,
    /// The rows that it wrote before it is known.
    undecided: Vec<Sign>,
}

impl Board {
    pub(super) fn new(exit_code: Option<i64>) -> Self {
        Self { exit: Exit::of(exit_code), ..Self::default() }
    }

    /// Takes the next row.
    pub(super) fn push(&mut self, sign: Sign, text: &str) {
        match (sign.weight, sign.rule) {
            (Weight::Again, _) => self.try_again(sign.offset),
            (Weight::Begun, _) => self.go.has_failed = false,
            (Weight::Passed, GO_TEST) => self.go.undecided.clear(),
            (Weight::Passed, _) => self.end_heading(),
            (Weight::Fault, GO_TEST) if !self.go.has_failed => keep(&mut self.go.undecided, sign),
            _ => {
                if (sign.weight, sign.rule) == (Weight::Name, GO_TEST) {
                    self.go.has_failed = true;
                    let told = std::mem::take(&mut self.go.undecided);
                    told.into_iter().for_each(|sign| self.take(sign));
                }
                if sign.weight > Weight::Name && self.exit.fits(text) {
                    keep_last(&mut self.fitting, sign);
                }
                self.take(sign);
            }
        }
    }

    /// What may be the cause, the likeliest first.
    pub(super) fn ranked(mut self) -> Vec<Sign> {
        self.end_heading();
        let late_first = self.fitting.into_iter().rev();
        let sure = late_first.chain(self.headed).chain(self.faults).chain(self.messages);
        sure.chain(self.asides.into_iter().rev()).chain(self.names).chain(self.aftermath).collect()
    }

    /// What failed just before is forgotten: were it to fail again, that would be told again.
    fn try_again(&mut self, offset: u64) {
        if self.last.is_some_and(|last| offset - last <= NEAR_BYTES) {
            let exit = std::mem::take(&mut self.exit);
            *self = Self { exit, ..Self::default() };
        }
    }

    fn take(&mut self, sign: Sign) {
        self.last = Some(sign.offset);
        let heading = self.heading.filter(|heading| sign.offset - heading.offset <= HEADED_BYTES);
        match sign.weight {
            Weight::Heading => {
                self.end_heading();
                self.heading = Some(sign);
            }
            Weight::Fault if sign.rule == EXCEPTION && self.trace.take().is_some_and(|trace| sign.offset - trace <= HEADED_BYTES) => {}
            Weight::Fault | Weight::Message | Weight::Aside
                if heading.is_some() || (sign.weight, sign.rule) == (Weight::Fault, PYTEST) => {
                self.trace = Some(sign.offset).filter(|_| sign.rule == TRACE);
                keep(&mut self.headed, sign);
                self.end_heading();
            }
            Weight::Fault => {
                self.trace = Some(sign.offset).filter(|_| sign.rule == TRACE);
                keep(&mut self.faults, sign);
            }
            Weight::Message => keep(&mut self.messages, sign),
            Weight::Aside => {
                if self.aside.replace(sign.offset).is_none_or(|aside| sign.offset - aside > ASIDE_BYTES) {
                    keep_last(&mut self.asides, sign);
                }
            }
            Weight::Name => {
                self.end_heading();
                keep(&mut self.names, sign);
            }
            Weight::Aftermath => keep(&mut self.aftermath, sign),
            Weight::Again | Weight::Begun | Weight::Passed => {}
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
struct Exit(&'static [&'static str]);

impl Exit {
    fn of(code: Option<i64>) -> Self {
        Self(match code {
            Some(124) => &["imed out", "imeout"],
            Some(126) => &["ermission denied", "annot execute", "Exec format", "Is a directory"],
            Some(127) => &["not found", "No such file"],
            Some(137) => &["Killed", "ut of memory"],
            Some(139) => &["egmentation fault"],
            _ => &[],
        })
    }

    fn fits(&self, text: &str) -> bool {
        self.0.iter().any(|word| text.contains(word))
    }
}

/// Keeps the first ones and the last ones.
fn keep(signs: &mut Vec<Sign>, sign: Sign) {
    if signs.len() == MAX_SIGNS {
        signs.remove(MAX_FIRST);
    }
    signs.push(sign);
}

/// Keeps the last ones.
fn keep_last(signs: &mut Vec<Sign>, sign: Sign) {
    if signs.len() == MAX_SIGNS {
        signs.remove(0);
    }
    signs.push(sign);
}
