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

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::errors::judge;
use super::query::Query;
use super::shown::{Progress, plain};
use super::walk::walk;
use crate::error::Result;
use crate::log::{LogFile, Row, Tail};
use candidates::{Candidate, Candidates, has_failed_by_itself};

/// The maximum number of bytes at the end of a log that are searched for a cause.
const MAX_SEARCHED_BYTES: u64 = 32 << 20;

/// The maximum size of a log, in bytes, that is searched without a prefilter.
const SMALL_BYTES: u64 = 16 << 10;

/// The maximum number of candidates that are listed.
const MAX_WHY: usize = 10;

/// The maximum number of rows that are shown for a cause.
const MAX_CAUSE_ROWS: usize = 10;

/// The most likely cause of a failure, with the rows around it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Cause {
    /// The offset of the row with the cause; `None` if no row is likely to contain it.
    pub at: Option<u64>,
    /// True if no rule matched: the row at `at` is the last one of the few rows that a failed
    /// command wrote to standard error.
    pub is_last_words: bool,
    /// The tool that prints such rows, as a display name: `rust`, `pytest`. `None` if no rule
    /// matched or if several tools print such rows.
    pub rule: Option<&'static str>,
    /// The rows around the cause, in order: at most `MAX_CAUSE_ROWS`, none of them blank,
    /// preferably of the same stream. If no rule matched, the last rows of standard error and of
    /// the log.
    pub rows: Vec<Row>,
    /// The number of bytes at the end of the log that were searched.
    pub searched_bytes: u64,
    /// The rows that may be the cause, most likely first, at most `MAX_WHY`. The row at `at` is the
    /// first of them that its program did not survive, or the row that explains it.
    pub why: Vec<Why>,
}

/// A row that may be the cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Why {
    /// Its offset in the log, in bytes.
    pub at: u64,
    /// The name of the tool, as [`Cause::rule`].
    pub rule: Option<&'static str>,
    /// The weight of its kind, from 10 to 80; 100 if it fits the exit code.
    pub score: u8,
    /// The reason for that score, as a phrase.
    pub reason: &'static str,
}

/// Finds the most likely cause of a failure at the end of a command's log. If a signal ended the
/// command, `exit_code` is 128 plus the number of the signal. A command that exited with 0 has no
/// cause, whatever words it printed.
///
/// # Errors
/// If the log cannot be read.
pub fn find_cause(log: &LogFile, exit_code: Option<i64>, tail: Tail) -> Result<Cause> {
    find_at_end(log, exit_code, MAX_SEARCHED_BYTES, tail)
}

/// Finds the most likely cause as [`find_cause`] does, and after it up to `max` other failures in
/// the order of the log: one for each other defect or failed test that the command reported. The
/// rows around one failure may contain those of another one.
///
/// # Errors
/// If the log cannot be read.
pub fn find_causes(
    log: &LogFile,
    exit_code: Option<i64>,
    max: usize,
    tail: Tail,
) -> Result<Vec<Cause>> {
    let found = candidates_at_end(log, exit_code, MAX_SEARCHED_BYTES, tail)?;
    let chosen = choose::choose(log, &found.ranked, tail)?;
    let others = match &chosen {
        Some(chosen) => choose::others(log, &found.ranked, chosen, max, tail)?,
        None => Vec::new(),
    };
    let chosen = std::iter::once(chosen);
    let all = chosen.chain(others.into_iter().map(Some));
    all.map(|chosen| cause(log, chosen, exit_code, &found, tail)).collect()
}

/// Finds the cause in the last `max_bytes` of the log.
fn find_at_end(log: &LogFile, exit_code: Option<i64>, max_bytes: u64, tail: Tail) -> Result<Cause> {
    let found = candidates_at_end(log, exit_code, max_bytes, tail)?;
    let chosen = choose::choose(log, &found.ranked, tail)?;
    cause(log, chosen, exit_code, &found, tail)
}

/// The rows that may be the cause, most likely first.
struct Ranked {
    ranked: Vec<Candidate>,
    searched_bytes: u64,
}

/// Finds the rows that may be the cause in the last `max_bytes` of the log.
fn candidates_at_end(
    log: &LogFile,
    exit_code: Option<i64>,
    max_bytes: u64,
    tail: Tail,
) -> Result<Ranked> {
    let end = log.bytes_now()?;
    let from = log.checkpoint_at(end.saturating_sub(max_bytes))?;
    if exit_code == Some(0) {
        let searched_bytes = end - from.offset.min(end);
        return Ok(Ranked { ranked: Vec::new(), searched_bytes });
    }
    let is_small = end - from.offset.min(end) <= SMALL_BYTES;
    let query = if is_small { Query::any_row() } else { Query::clues() };
    let mut candidates = Candidates::new(exit_code);
    walk(log, &query, from, end, tail, &mut |row| {
        let text = plain(row.text, Progress::Last);
        if let Some(judgment) = judge(&text) {
            candidates.push(Candidate::new(row.offset, judgment), &text);
        }
        ControlFlow::Continue(())
    })?;
    let searched_bytes = end - from.offset.min(end);
    Ok(Ranked { ranked: candidates.ranked(end), searched_bytes })
}

/// Reads the rows around a chosen candidate or, without one, the last rows.
fn cause(
    log: &LogFile,
    chosen: Option<Candidate>,
    exit_code: Option<i64>,
    found: &Ranked,
    tail: Tail,
) -> Result<Cause> {
    let searched_bytes = found.searched_bytes;
    let why = why(&found.ranked);
    if let Some(chosen) = chosen {
        let rows = card::around(log, &chosen, tail)?;
        let (at, rule) = (Some(chosen.offset), chosen.judgment.tool());
        return Ok(Cause { at, is_last_words: false, rule, rows, searched_bytes, why });
    }
    let end = card::end(log, tail)?;
    let at = end.last_words.filter(|_| has_failed_by_itself(exit_code));
    let is_last_words = at.is_some();
    Ok(Cause { at, is_last_words, rule: None, rows: end.rows, searched_bytes, why })
}

/// Explains the order of the candidates.
fn why(ranked: &[Candidate]) -> Vec<Why> {
    let mut seen = HashSet::new();
    let distinct = ranked.iter().filter(|candidate| seen.insert(candidate.offset));
    let explained = distinct.map(|candidate| {
        let (score, reason) = if candidate.fits_exit {
            (100, "fits the exit code")
        } else {
            (candidate.judgment.score(), candidate.judgment.reason())
        };
        Why { at: candidate.offset, rule: candidate.judgment.tool(), score, reason }
    });
    explained.take(MAX_WHY).collect()
}
