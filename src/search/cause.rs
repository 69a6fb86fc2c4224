//! The most likely cause of a failure, and the rows around it.
//!
//! The text of each error row at the end of a log determines its weight ([`judge`]). This module
//! chooses between the rows by their positions.
//!
//! ```text
//! thread 'main' panicked at …      first: it names the defect                ◄ the cause
//! error: test failed, to rerun …   reports only that something failed
//! make: *** [test] Error 101       likewise
//! ```
//!
//! There are no guesses: if no rule matches, there is no cause, and the end of the log is shown.
//! Memory is limited to the rows around the cause and a fixed number of candidates.

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

/// The maximum number of bytes at the end of a log that are searched for a cause.
const MAX_SEARCHED_BYTES: u64 = 32 << 20;

/// The maximum number of rows that are shown for a cause.
const MAX_CAUSE_ROWS: usize = 10;

/// The most likely cause of a failure, with the rows around it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cause {
    /// The offset of the row with the cause; `None` if no rule matched.
    pub at: Option<u64>,
    /// The tool that prints such rows, as a display name: `rust`, `pytest`. `None` if no rule
    /// matched or if several tools print such rows.
    pub rule: Option<&'static str>,
    /// The rows around the cause, in order: at most `MAX_CAUSE_ROWS`, none of them blank,
    /// preferably of the same stream. If no rule matched, the last rows of standard error and of
    /// the log.
    pub rows: Vec<Row>,
    /// The number of bytes at the end of the log that were searched.
    pub searched_bytes: u64,
}

/// Finds the most likely cause of a failure at the end of a command's log. If a signal ended the
/// command, `exit_code` is 128 plus the number of the signal.
///
/// # Errors
/// If the log cannot be read.
pub fn find_cause(log: &LogFile, exit_code: Option<i64>, tail: Tail) -> Result<Cause> {
    find_at_end(log, exit_code, MAX_SEARCHED_BYTES, tail)
}

/// Finds the cause in the last `max_bytes` of the log.
fn find_at_end(log: &LogFile, exit_code: Option<i64>, max_bytes: u64, tail: Tail) -> Result<Cause> {
    let end = log.bytes_now()?;
    let from = log.checkpoint_at(end.saturating_sub(max_bytes))?;
    let searched_bytes = end - from.offset.min(end);
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
            Ok(Cause { at: Some(cause.offset), rule: tool(cause.rule), rows, searched_bytes })
        }
        None => Ok(Cause { at: None, rule: None, rows: card::tail(log, tail)?, searched_bytes }),
    }
}
