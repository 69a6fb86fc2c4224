//! What most likely made a command fail, and the rows that show it.
//!
//! Every error row of the end of a log is weighed by its text ([`judge`]); this module decides
//! between them by where they stand.
//!
//! ```text
//! thread 'main' panicked at …          first: it says what is wrong          ◄ the cause
//! error: test failed, to rerun …       it says only that something failed
//! make: *** [test] Error 101           so does this
//! ```
//!
//! Nothing is guessed: where no rule matches there is no cause, and the end of the log is shown.
//! Memory is bounded by the rows of a card and some places.

mod candidates;
mod card;
mod choose;
mod end;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use super::errors::{judge, tool};
use super::query::Query;
use super::shown::{Progress, plain};
use super::walk::walk;
use crate::error::Result;
use crate::log::{LogFile, Row, Tail};
use candidates::{Candidate, Candidates};

/// How much of the end of a log is looked at.
pub const MAX_LOOKED_BYTES: u64 = 32 << 20;

/// The most rows that are shown of a cause.
pub const MAX_CAUSE_ROWS: usize = 10;

/// What most likely made a command fail, with the rows around it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cause {
    /// Where its row begins; `None` when no rule matched.
    pub at: Option<u64>,
    /// Who prints such rows, for people: `rust`, `pytest`. `None` also where many do.
    pub rule: Option<&'static str>,
    /// The rows around it, at most [`MAX_CAUSE_ROWS`], none of them blank: of its stream, in
    /// order. When no rule matched, the last of standard error and of the log.
    pub rows: Vec<Row>,
    /// How much of the end of the log was looked at.
    pub looked_bytes: u64,
}

/// Looks for what made a command fail at the end of its log. `exit_code` is 128 + the signal where
/// one ended it.
///
/// # Errors
/// When the log cannot be read.
pub fn find_cause(log: &LogFile, exit_code: Option<i64>, tail: Tail) -> Result<Cause> {
    find_at_end(log, exit_code, MAX_LOOKED_BYTES, tail)
}

/// The same in so much of the end.
fn find_at_end(log: &LogFile, exit_code: Option<i64>, max_bytes: u64, tail: Tail) -> Result<Cause> {
    let end = log.bytes_now()?;
    let from = log.checkpoint_at(end.saturating_sub(max_bytes))?;
    let looked_bytes = end - from.offset.min(end);
    let query = Query::clues();
    let mut candidates = Candidates::new(exit_code);
    walk(log, &query, from, end, tail, &mut |row| {
        let text = plain(row.text, Progress::Last);
        if let Some((weight, rule)) = judge(&text) {
            candidates.push(Candidate { offset: row.offset, weight, rule }, &text);
        }
        ControlFlow::Continue(())
    })?;
    match choose::choose(log, &candidates.ranked(end), tail)? {
        Some(cause) => {
            let rows = card::around(log, &cause, tail)?;
            Ok(Cause { at: Some(cause.offset), rule: tool(cause.rule), rows, looked_bytes })
        }
        None => Ok(Cause { at: None, rule: None, rows: card::tail(log, tail)?, looked_bytes }),
    }
}
