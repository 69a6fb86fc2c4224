//! The most likely cause of a failure, and the rows around it.
//!
//! The text of each error row determines its score ([`judge`]). This module
//! chooses between the rows by their positions.
//!
//! ```text
//! thread 'main' panicked at …      first: it names the defect                ◄ the cause
//! error: test failed, to rerun …   reports only that something failed
//! make: *** [test] Error 101       likewise
//! ```
//!
//! If no rule matches, the last words of the command may be its complaint, and the end of the log
//! is shown. Memory is limited to the rows around the cause and a fixed number of candidates.

mod candidates;
mod card;
mod choose;
mod end;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::{ControlFlow, Range};

pub use stored::stored_cause;

use super::errors::judge;
use super::query::Query;
use super::shown::{Progress, plain};
use super::walk::walk;
use crate::cri::Stream;
use crate::error::Result;
use crate::log::{Anchor, Checkpoint, LogFile, Row, Tail};
use candidates::{Candidate, Candidates, has_failed_by_itself};

/// The number of bytes at the end of a log that are searched first.
const FIRST_BYTES: u64 = 32 << 20;

/// The maximum number of bytes at the end of a log that are searched without pauses, which takes
/// some seconds.
const MAX_BYTES: u64 = 1 << 30;

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
    /// True if no rule matched: the row at `at` is a complaint at the end of the log, the last
    /// traced command of a shell, or the last one of the few rows that a failed command wrote to
    /// standard error.
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

impl Cause {
    /// Describes what the row at `at` is, in a few words.
    #[must_use]
    pub fn title(&self) -> &'static str {
        let row = self.rows.iter().find(|row| Some(row.offset) == self.at);
        match row.map(|row| row.stream) {
            _ if !self.is_last_words => "likely cause",
            Some(Some(Stream::Stderr)) => "last words on stderr",
            _ => "last words",
        }
    }
}

/// A row that may be the cause.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Why {
    /// Its offset in the log, in bytes.
    pub at: u64,
    /// Its bytes.
    pub text: Vec<u8>,
    /// The name of the tool, as [`Cause::rule`].
    pub rule: Option<&'static str>,
    /// Its score, from 10 to 80; 100 if it fits the exit code.
    pub score: u8,
    /// The reason for that score, as a phrase.
    pub reason: &'static str,
}

/// Finds the most likely cause of a failure. Searches the end of the log and, if no defect is
/// stated there, the last GiB. If a signal ended the command, `exit_code` is 128 plus the number of
/// the signal. A command that exited with 0 has no cause, whatever words it printed.
///
/// # Errors
/// If the log cannot be read.
pub fn find_cause(log: &LogFile, exit_code: Option<i64>, tail: Tail) -> Result<Cause> {
    let found = search(log, exit_code, tail)?;
    let chosen = choose::choose(log, &found.ranked, tail)?;
    cause(log, chosen, exit_code, &found, tail)
}

/// Finds the most likely cause as [`find_cause`] does, and after it up to `max` other failures in
/// the order of the log: one for each other defect or failed test that the command reported. The
/// rows around one failure may contain those of another one. Only the cause has explanations.
///
/// # Errors
/// If the log cannot be read.
pub fn find_causes(
    log: &LogFile,
    exit_code: Option<i64>,
    max: usize,
    tail: Tail,
) -> Result<Vec<Cause>> {
    let mut found = search(log, exit_code, tail)?;
    let chosen = choose::choose(log, &found.ranked, tail)?;
    let others = match &chosen {
        Some(chosen) => choose::others(log, &found.ranked, chosen, max, tail)?,
        None => Vec::new(),
    };
    let first = cause(log, chosen, exit_code, &found, tail)?;
    found.ranked.clear();
    let others = others.into_iter().map(|other| cause(log, Some(other), exit_code, &found, tail));
    std::iter::once(Ok(first)).chain(others).collect()
}

/// Finds the rows that may be the cause: at the end of the log or, if it states no defect, in the
/// last GiB.
fn search(log: &LogFile, exit_code: Option<i64>, tail: Tail) -> Result<Ranked> {
    let end = CauseSearch::of_end(log, exit_code, FIRST_BYTES)?.finished(log, tail)?;
    if end.is_sure() || end.searched_bytes >= log.bytes_now()? {
        return Ok(end);
    }
    CauseSearch::of_end(log, exit_code, MAX_BYTES)?.finished(log, tail)
}

/// The rows that may be the cause, most likely first.
struct Ranked {
    ranked: Vec<Candidate>,
    searched_bytes: u64,
}

impl Ranked {
    /// Returns true if an earlier part of the log can hardly contain a better candidate.
    fn is_sure(&self) -> bool {
        self.ranked.first().is_some_and(|first| first.fits_exit || first.judgment.is_sure())
    }
}

/// A search for the cause of a failure, in slices: the rows that may be the cause so far.
#[derive(Debug)]
pub struct CauseSearch {
    exit_code: Option<i64>,
    candidates: Candidates,
    query: Query,
    /// The part of the log to search, in bytes.
    range: Range<u64>,
    /// The point to continue from.
    at: Checkpoint,
    /// The offset from which rows are new. Earlier ones are read again if an entry was open before
    /// them.
    new_from: u64,
    /// The factor of the size of the next slice. It grows while an entry is longer than a slice.
    slices: u64,
}

impl CauseSearch {
    /// Starts a search of the last `max_bytes` of a log.
    fn of_end(log: &LogFile, exit_code: Option<i64>, max_bytes: u64) -> Result<Self> {
        let end = log.bytes_now()?;
        let at = log.checkpoint_at(end.saturating_sub(max_bytes))?;
        let range = at.offset.min(end)..end;
        let is_small = range.end - range.start <= SMALL_BYTES;
        let query = if is_small { Query::any_row() } else { Query::clues() };
        let candidates = Candidates::new(exit_code);
        Ok(Self { exit_code, candidates, query, range, at, new_from: 0, slices: 1 })
    }

    /// Starts a search of a whole log.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn of_whole(log: &LogFile, exit_code: Option<i64>) -> Result<Self> {
        Self::of_end(log, exit_code, u64::MAX)
    }

    /// Searches about `max_bytes` more. Returns true at the end.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn go_on(&mut self, log: &LogFile, max_bytes: u64, tail: Tail) -> Result<bool> {
        // A command that succeeded has no cause.
        if self.exit_code == Some(0) {
            return Ok(true);
        }
        let bytes = max_bytes.saturating_mul(self.slices);
        let end = self.at.offset.saturating_add(bytes).min(self.range.end);
        let (candidates, new_from) = (&mut self.candidates, &mut self.new_from);
        let at = walk(log, &self.query, self.at, end, tail, &mut |row| {
            if row.offset >= *new_from {
                *new_from = row.offset + 1;
                let text = plain(row.text, Progress::Last);
                if let Some(judgment) = judge(&text) {
                    candidates.push(Candidate::new(row.offset, judgment), &text);
                }
            }
            ControlFlow::Continue(())
        })?;
        self.slices = if at.offset > self.at.offset { 1 } else { self.slices.saturating_mul(2) };
        self.at = at;
        Ok(end >= self.range.end)
    }

    /// Returns the cause that was found so far.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn cause(self, log: &LogFile, tail: Tail) -> Result<Cause> {
        let exit_code = self.exit_code;
        let found = self.ranked();
        let chosen = choose::choose(log, &found.ranked, tail)?;
        cause(log, chosen, exit_code, &found, tail)
    }

    fn finished(mut self, log: &LogFile, tail: Tail) -> Result<Ranked> {
        while !self.go_on(log, FIRST_BYTES, tail)? {}
        Ok(self.ranked())
    }

    fn ranked(self) -> Ranked {
        let searched_bytes = self.range.end - self.range.start;
        Ranked { ranked: self.candidates.ranked(self.range.end), searched_bytes }
    }
}

/// Finds the cause at the end of the log, and starts a search of the whole log if that may find a
/// better one.
///
/// # Errors
/// If the log cannot be read.
pub fn find_cause_at_end(
    log: &LogFile,
    exit_code: Option<i64>,
    tail: Tail,
) -> Result<(Cause, Option<CauseSearch>)> {
    find_within(log, exit_code, FIRST_BYTES, tail)
}

/// Finds the cause in the last `max_bytes` of the log.
fn find_within(
    log: &LogFile,
    exit_code: Option<i64>,
    max_bytes: u64,
    tail: Tail,
) -> Result<(Cause, Option<CauseSearch>)> {
    let end = CauseSearch::of_end(log, exit_code, max_bytes)?.finished(log, tail)?;
    let is_part = end.searched_bytes < log.bytes_now()? && exit_code != Some(0);
    let rest = (is_part && !end.is_sure()).then(|| CauseSearch::of_whole(log, exit_code));
    let chosen = choose::choose(log, &end.ranked, tail)?;
    Ok((cause(log, chosen, exit_code, &end, tail)?, rest.transpose()?))
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
    let why = why(log, &found.ranked, tail)?;
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
fn why(log: &LogFile, ranked: &[Candidate], tail: Tail) -> Result<Vec<Why>> {
    let mut seen = HashSet::new();
    let distinct = ranked.iter().filter(|candidate| seen.insert(candidate.offset));
    let explained = distinct.take(MAX_WHY).map(|candidate| {
        let (score, reason) = if candidate.fits_exit {
            (100, "fits the exit code")
        } else {
            (candidate.judgment.score(), candidate.judgment.reason())
        };
        let at = candidate.offset;
        let row = log.window(Anchor::From(at), 1, tail)?.rows.into_iter().next();
        let text = row.map(|row| row.text).unwrap_or_default();
        Ok(Why { at, text, rule: candidate.judgment.tool(), score, reason })
    });
    explained.collect()
}
