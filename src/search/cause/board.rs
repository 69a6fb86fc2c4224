//! Which of the rows seen so far may be the cause, in the order in which to believe them. Pure; rows come in the order of the log.

use super::super::errors::Weight;

/// How many rows are kept of a weight: the first ones, and some of the last.
const MAX_FIRST: usize = 12;
const MAX_SIGNS: usize = 16;

/// How far from a heading what it names is told, and how far apart are messages of one mishap, in bytes of log.
const NEAR_BYTES: u64 = 4 << 10;

/// A row that may be the cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sign {
    pub offset: u64,
    pub weight: Weight,
    /// Who prints such rows.
    pub rule: &'static str,
}

/// What has been seen.
#[derive(Debug)]
pub(super) struct Board {
    exit: Exit,
    /// What failed last, and what failed before it was tried again.
    now: Attempt,
    before: Attempt,
    go: Go,
}

/// What is known of an attempt.
#[derive(Default, Debug)]
struct Attempt {
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
    /// Where the last aside was.
    aside: Option<u64>,
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
        let (now, before, go) = Default::default();
        Self { exit: Exit::of(exit_code), now, before, go }
    }

    /// Takes the next row.
    pub(super) fn push(&mut self, sign: Sign, text: &str) {
        match sign.weight {
            Weight::Again => self.try_again(),
            Weight::Begun => self.go.has_failed = false,
            Weight::Passed => self.go.undecided.clear(),
            Weight::Fault if sign.rule == GO_TEST && !self.go.has_failed => keep(&mut self.go.undecided, sign),
            _ => {
                if sign.rule == GO_TEST && sign.weight == Weight::Name {
                    self.go.has_failed = true;
                    let told = self.go.undecided.drain(..).collect::<Vec<_>>();
                    told.into_iter().for_each(|sign| self.now.push(sign));
                }
                if sign.weight > Weight::Name && self.exit.fits(text) {
                    keep_last(&mut self.now.fitting, sign);
                }
                self.now.push(sign);
            }
        }
    }

    /// What may be the cause, the likeliest first.
    pub(super) fn ranked(mut self) -> Vec<Sign> {
        self.now.end();
        self.before.end();
        let Self { now, before, .. } = self;
        let mut ranked = now.fitting;
        ranked.reverse();
        for attempt in [
            (now.headed, now.faults, now.messages, now.asides),
            (before.headed, before.faults, before.messages, before.asides),
        ] {
            let (headed, faults, messages, asides) = attempt;
            ranked.extend(headed.into_iter().chain(faults).chain(messages).chain(asides.into_iter().rev()));
        }
        ranked.extend(now.names.into_iter().chain(before.names).chain(now.aftermath).chain(before.aftermath));
        ranked
    }

    fn try_again(&mut self) {
        if self.now.tells() {
            self.before = std::mem::take(&mut self.now);
        }
    }
}

/// The rule of rows that come before the verdict on their test.
const GO_TEST: &str = "go test";

impl Attempt {
    fn push(&mut self, sign: Sign) {
        match sign.weight {
            Weight::Heading => {
                self.end();
                self.heading = Some(sign);
            }
            Weight::Fault | Weight::Message | Weight::Aside
                if self.heading.is_some_and(|head| is_near(head.offset, sign.offset)) =>
            {
                self.heading = None;
                keep(&mut self.headed, sign);
            }
            Weight::Fault => keep(&mut self.faults, sign),
            Weight::Message => keep(&mut self.messages, sign),
            Weight::Aside => {
                if self.aside.replace(sign.offset).is_none_or(|aside| !is_near(aside, sign.offset)) {
                    keep_last(&mut self.asides, sign);
                }
            }
            Weight::Name => keep(&mut self.names, sign),
            Weight::Aftermath => keep(&mut self.aftermath, sign),
            Weight::Again | Weight::Begun | Weight::Passed => {}
        }
    }

    /// Nothing more is told of the last heading.
    fn end(&mut self) {
        if let Some(heading) = self.heading.take() {
            keep(&mut self.headed, heading);
        }
    }

    const fn tells(&self) -> bool {
        self.heading.is_some()
            || !(self.headed.is_empty() && self.faults.is_empty() && self.messages.is_empty() && self.asides.is_empty())
    }
}

/// How the command ended, as far as a row can fit that.
#[derive(Debug)]
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

fn is_near(above: u64, below: u64) -> bool {
    below - above <= NEAR_BYTES
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
