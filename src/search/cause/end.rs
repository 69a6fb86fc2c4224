//! Better causes near the end of a log. If the command survived a failure, the cause is the later
//! failure that ended it. If a row only reports that something failed, the cause is the last
//! message before that row.

use super::super::errors::{Weight, is_harmless, judge};
use super::super::shown::{Progress, plain};
use super::candidates::{COMPILERS, Candidate, EXCEPTION, MAKE, NPM, TRACE, WRAPPERS};
use crate::cri::Stream;
use crate::error::Result;
use crate::log::{Anchor, LogFile, Row, Tail};

/// The number of rows at the end of the log that are examined.
const END_ROWS: usize = 250;

/// The minimum number of ordinary rows that shows that a command continued.
const ORDINARY_ROWS: usize = 20;

/// The number of rows above a report of a failure that are searched for the last message.
const MESSAGE_ROWS: usize = 20;

/// A row with its weight.
struct End {
    offset: u64,
    text: String,
    weighed: Option<(Weight, &'static str)>,
}

impl End {
    fn of(row: &Row) -> Self {
        let text = plain(&row.text, Progress::Last).into_owned();
        Self { offset: row.offset, weighed: judge(&text), text }
    }

    fn weight(&self) -> Option<Weight> {
        self.weighed.map(|(weight, _)| weight)
    }

    fn rule(&self) -> Option<&'static str> {
        self.weighed.map(|(_, rule)| rule)
    }

    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Returns true if the row reports no problem and does not belong to the row above it.
    fn is_ordinary(&self) -> bool {
        !self.is_blank() && !self.text.starts_with([' ', '\t']) && !self.may_be_cause()
    }

    /// Returns true if the row may be the cause.
    fn may_be_cause(&self) -> bool {
        self.weight().is_some_and(|weight| weight >= Weight::Name)
    }
}

/// Returns the failure that ended the command, if the command survived `candidate`. That failure
/// must be at the end of the log. Ordinary rows between `candidate` and that failure must show that
/// the command continued. Otherwise, returns `None`.
///
/// The findings of a compiler or a test count more than their consequences: only an uncaught
/// exception replaces a compiler error, and nothing replaces a failed test.
pub(super) fn ended_by(
    log: &LogFile,
    candidate: &Candidate,
    tail: Tail,
) -> Result<Option<Candidate>> {
    let is_survivable = match candidate.weight {
        Weight::Fault => [TRACE, EXCEPTION, COMPILERS].contains(&candidate.rule),
        Weight::Message => true,
        _ => false,
    };
    if !is_survivable {
        return Ok(None);
    }
    let rows = log.window(Anchor::Before(u64::MAX), END_ROWS, tail)?.rows;
    let rows: Vec<End> = rows.iter().map(End::of).collect();
    let is_over = |row: &&End| !row.is_blank() && row.weight() != Some(Weight::Aftermath);
    let Some(last) = rows.iter().rposition(|row| is_over(&row)) else { return Ok(None) };
    let Some((started, cause)) = rows.get(..=last).and_then(|rows| failure(rows, candidate.weight))
    else {
        return Ok(None);
    };
    let above = rows.get(..started).unwrap_or_default();
    let quiet =
        above.iter().rev().take_while(|row| !row.may_be_cause() && row.offset > candidate.offset);
    Ok((quiet.filter(|row| row.is_ordinary()).count() >= ORDINARY_ROWS).then_some(cause))
}

/// Returns the failure that ends with the last of these rows, and the index of its first row. The
/// failure is a trace, or successive error rows.
fn failure(rows: &[End], replaced_weight: Weight) -> Option<(usize, Candidate)> {
    let last = rows.last()?;
    let is_raised = |row: &End| row.rule() == Some(EXCEPTION) || row.weight().is_none();
    if is_raised(last) && !last.text.starts_with([' ', '\t']) {
        let lines =
            rows.iter().rev().skip(1).take_while(|row| row.text.starts_with([' ', '\t'])).count();
        let started = rows.len().checked_sub(lines + 2)?;
        let first = rows.get(started).filter(|row| row.rule() == Some(TRACE))?;
        return Some((started, Candidate::new(first.offset, Weight::Fault, TRACE)));
    }
    if last.weight() != Some(Weight::Aside) || replaced_weight != Weight::Message {
        return None;
    }
    let trailing = rows
        .iter()
        .rev()
        .take_while(|row| matches!(row.weight(), Some(Weight::Aside | Weight::Message)))
        .count();
    let started = rows.len().checked_sub(trailing)?;
    let first = rows.get(started)?;
    let (weight, rule) = first.weighed?;
    Some((started, Candidate::new(first.offset, weight, rule)))
}

impl Candidate {
    /// Returns this candidate at a row of a tool that is unknown.
    fn moved_to(self, row: &End) -> Self {
        Self { offset: row.offset, rule: WRAPPERS, ..self }
    }
}

/// Returns the last row of standard error before a report of `make`, if no rule matches it: it is
/// the last message of the failed command, as `make` prints the commands to standard output.
fn last_error_before(log: &LogFile, candidate: Candidate, tail: Tail) -> Result<Candidate> {
    let rows = log.window(Anchor::Before(candidate.offset), MESSAGE_ROWS, tail)?.rows;
    let errors = rows.iter().rev().filter(|row| row.stream == Some(Stream::Stderr)).map(End::of);
    let last = errors.into_iter().find(|row| !row.is_blank() && !row.text.contains("make["));
    let is_message =
        |row: &End| row.is_ordinary() && row.weight().is_none() && !is_harmless(&row.text);
    let message = last.filter(is_message);
    Ok(message.as_ref().map_or(candidate, |message| candidate.moved_to(message)))
}

/// Returns true for the lines of code that Node prints above an exception.
fn is_excerpt(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("node:")
        || text.starts_with("throw ")
        || text.chars().all(|found| found == '^')
}

/// Returns the last message before `candidate`, if `candidate` only reports that something failed.
/// The rule of the message is `WRAPPERS`, because the tool that printed it is unknown. Returns
/// `candidate` if it is another kind of row, if it names what failed, or if no message is near.
pub(super) fn message_before(log: &LogFile, candidate: Candidate, tail: Tail) -> Result<Candidate> {
    if candidate.rule == MAKE {
        return last_error_before(log, candidate, tail);
    }
    if ![WRAPPERS, NPM].contains(&candidate.rule) {
        return Ok(candidate);
    }
    let report = log.window(Anchor::From(candidate.offset), 1, tail)?.rows;
    if report.iter().any(|row| plain(&row.text, Progress::Last).contains(" FAIL ")) {
        return Ok(candidate);
    }
    let rows = log.window(Anchor::Before(candidate.offset), MESSAGE_ROWS, tail)?.rows;
    let is_message = |row: &End| {
        let is_report = matches!(row.weight(), Some(Weight::Aftermath | Weight::Passed));
        !row.is_blank() && !is_report && !is_harmless(&row.text) && !is_excerpt(&row.text)
    };
    let message = rows.iter().map(End::of).rfind(is_message);
    Ok(message.as_ref().map_or(candidate, |message| candidate.moved_to(message)))
}
