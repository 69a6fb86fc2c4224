//! The rows of a stretch of a log that match a query, in order.
//!
//! Where no entry is open, a full record is a row by itself: there only the suspects among the raw lines are looked at. From a piece
//! on rows are read one by one, until no entry is open any more.

use std::ops::ControlFlow;

use memchr::{memchr, memrchr};

use super::query::Query;
use super::shown::Progress;
use super::suspects::Suspects;
use crate::cri::Tag;
use crate::error::{Error, Result};
use crate::log::{Checkpoint, Format, LogFile, MAX_LINE_BYTES, Tail};

/// How much is read at once. It is gone over several times, so it should stay in the cache.
const READ_BYTES: usize = 256 << 10;

/// A matching row.
#[derive(Clone, Copy)]
pub(super) struct Match {
    pub offset: u64,
    /// Whether what is appended to the log may change it.
    pub is_open: bool,
}

/// Gives the matching rows that begin before `end`, in order, until `found` breaks off. What comes back stands before the first
/// row that was not looked at, or that may still change.
pub(super) fn walk(
    log: &LogFile,
    query: &Query,
    from: Checkpoint,
    end: u64,
    tail: Tail,
    found: &mut dyn FnMut(Match) -> ControlFlow<()>,
) -> Result<Checkpoint> {
    let mut walk = Walk { log, query, end, tail, found };
    let (mut at, mut buffer) = (from, Vec::new());
    while at.offset < end {
        if at.is_settled() {
            if buffer.is_empty() {
                buffer = vec![0; READ_BYTES];
            }
            let filled = log.read_at(at.offset, &mut buffer)?;
            let lines = walk.whole_lines(at.offset, buffer.get(..filled).unwrap_or_default());
            match walk.lines(at.offset, lines) {
                Ended::Behind(offset) if offset > at.offset => {
                    at = Checkpoint::settled_at(offset);
                    continue;
                }
                Ended::Behind(_) => {}
                Ended::Piece(offset) => at = Checkpoint::settled_at(offset),
                Ended::Broken => break,
            }
        }
        match walk.rows(at)? {
            ControlFlow::Continue(behind) => at = behind,
            ControlFlow::Break(behind) => return Ok(behind),
        }
    }
    Ok(at)
}

struct Walk<'a> {
    log: &'a LogFile,
    query: &'a Query,
    end: u64,
    tail: Tail,
    found: &'a mut dyn FnMut(Match) -> ControlFlow<()>,
}

/// How going over whole lines ended.
enum Ended {
    /// Behind the last one, where the next begins.
    Behind(u64),
    /// Before a piece of a row.
    Piece(u64),
    /// By `found`.
    Broken,
}

impl Walk<'_> {
    /// The whole lines at the start of some bytes that begin before the end.
    fn whole_lines<'b>(&self, offset: u64, bytes: &'b [u8]) -> &'b [u8] {
        // The last one goes on behind the end.
        let last = usize::try_from(self.end - offset).map_or(bytes.len(), |end| bytes.len().min(end)).saturating_sub(1);
        let lf = memchr(b'\n', bytes.get(last..).unwrap_or_default()).map(|lf| last + lf);
        let lf = lf.or_else(|| memrchr(b'\n', bytes));
        lf.and_then(|lf| bytes.get(..=lf)).unwrap_or_default()
    }

    /// Goes over lines that begin where no entry is open.
    fn lines(&mut self, offset: u64, bytes: &[u8]) -> Ended {
        let format = self.log.format();
        let mut suspects = Suspects::new(bytes, self.query.suspicion(), format == Format::Cri);
        let mut at = 0;
        while let Some((start, lf)) = suspects.next(at) {
            let line = bytes.get(start..lf).unwrap_or_default();
            let line_offset = offset + start as u64;
            let shown = match format.parse(line) {
                Ok(record) if record.tag == Tag::Partial => return Ended::Piece(line_offset),
                Ok(record) => record.content,
                Err(_) => line,
            };
            let is_match = self.query.is_in(shown, Progress::Last);
            if is_match && (self.found)(Match { offset: line_offset, is_open: false }).is_break() {
                return Ended::Broken;
            }
            at = lf + 1;
        }
        Ended::Behind(offset + bytes.len() as u64)
    }

    /// Goes over rows one by one: breaks at the end, or by `found`; else no entry is open any more.
    fn rows(&mut self, from: Checkpoint) -> Result<ControlFlow<Checkpoint, Checkpoint>> {
        let mut rows = self.log.rows_from(from, MAX_LINE_BYTES, self.tail)?;
        while rows.after().offset < self.end {
            let row = rows.next().transpose().map_err(Error::io("read", self.log.path()))?;
            let Some(row) = row else { break };
            if row.offset >= self.end {
                return Ok(ControlFlow::Break(rows.open().unwrap_or_else(|| rows.before())));
            }
            let found = Match { offset: row.offset, is_open: rows.open().is_some() };
            if self.query.matches(&row, Progress::Last) && (self.found)(found).is_break() {
                break;
            }
            if !found.is_open && rows.after().is_settled() {
                return Ok(ControlFlow::Continue(rows.after()));
            }
        }
        Ok(ControlFlow::Break(rows.open().unwrap_or_else(|| rows.after())))
    }
}
