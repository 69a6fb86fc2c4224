//! Iteration over the matches of a query in a part of a log, in order.
//!
//! An entry is open from its first partial record to its end. While no entry is open, each full
//! record is a row of its own, so only the raw lines that pass the prefilter are examined. From a
//! partial record on, rows are read one by one until no entry is open any more.

use std::ops::ControlFlow;

use memchr::{memchr, memrchr};

use super::prefilter::PrefilteredLines;
use super::query::Query;
use crate::cri::Tag;
use crate::error::{Error, Result};
use crate::log::{Checkpoint, LogFile, MAX_LINE_BYTES, Tail};

/// Bytes per read. The buffer is scanned several times, so it should fit in the CPU cache.
const READ_BYTES: usize = 256 << 10;

/// A matching row.
#[derive(Clone, Copy)]
pub(super) struct Match<'a> {
    pub offset: u64,
    /// The end of its first line. The next row begins there or later.
    pub after: u64,
    pub text: &'a [u8],
    /// True if a newline ended it.
    pub is_complete: bool,
    /// True if appended data may change this row, or a row before it.
    pub is_open: bool,
}

/// Calls `found` with each matching row that begins before `end`, in order, until `found` returns
/// `Break`. Returns the point before the first row that was not examined or that may still change.
/// If `found` returned `Break`, this point may be before the row that `found` was called with.
pub(super) fn walk(
    log: &LogFile,
    query: &Query,
    from: Checkpoint,
    end: u64,
    tail: Tail,
    found: &mut dyn FnMut(Match<'_>) -> ControlFlow<()>,
) -> Result<Checkpoint> {
    let mut walk = Walk { log, query, end, tail, found };
    let mut at = from;
    let mut buffer = Vec::new();
    while at.offset < end {
        let mut lines: &[u8] = &[];
        if at.is_settled() {
            if buffer.is_empty() {
                buffer = vec![0; READ_BYTES];
            }
            lines = walk.whole_lines(at.offset, &mut buffer)?;
        }
        let went = if lines.is_empty() { walk.rows(at)? } else { walk.lines(at.offset, lines)? };
        match went {
            ControlFlow::Continue(behind) => at = behind,
            ControlFlow::Break(behind) => return Ok(behind),
        }
    }
    Ok(at)
}

/// The point to continue from; `Break` if `found` returned `Break` or the end was reached.
type Went = ControlFlow<Checkpoint, Checkpoint>;

struct Walk<'a> {
    log: &'a LogFile,
    query: &'a Query,
    end: u64,
    tail: Tail,
    found: &'a mut dyn FnMut(Match<'_>) -> ControlFlow<()>,
}

impl Walk<'_> {
    /// Reads the whole lines that begin at or after `offset` and before `end`, as many as fit in
    /// the buffer. Returns no lines if `offset` is a cut inside a very long line, because the rest
    /// of such a line is not a record.
    fn whole_lines<'b>(&self, offset: u64, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
        let filled = self.log.read_at(offset.saturating_sub(1), buffer)?;
        let bytes = buffer.get(..filled).unwrap_or_default();
        let bytes = if offset == 0 { bytes } else { bytes.strip_prefix(b"\n").unwrap_or_default() };
        // The last line may extend beyond `end`.
        let last = usize::try_from(self.end - offset)
            .map_or(bytes.len(), |end| bytes.len().min(end))
            .saturating_sub(1);
        let lf = memchr(b'\n', bytes.get(last..).unwrap_or_default()).map(|lf| last + lf);
        let lf = lf.or_else(|| memrchr(b'\n', bytes));
        Ok(lf.and_then(|lf| bytes.get(..=lf)).unwrap_or_default())
    }

    /// Examines whole lines. No entry is open at `offset`, where they begin.
    fn lines(&mut self, offset: u64, bytes: &[u8]) -> Result<Went> {
        let format = self.log.format();
        let mut candidates = PrefilteredLines::new(bytes, self.query.prefilter());
        let mut at = 0;
        while let Some((start, lf)) = candidates.next(at) {
            let line = bytes.get(start..lf).unwrap_or_default();
            let place = Checkpoint::settled_at(offset + start as u64);
            let shown = match format.parse(line) {
                Ok(record) if record.tag == Tag::Partial => match self.rows(place)? {
                    ControlFlow::Continue(behind)
                        if behind.offset < offset + bytes.len() as u64 =>
                    {
                        at = usize::try_from(behind.offset - offset).unwrap_or(bytes.len());
                        continue;
                    }
                    went => return Ok(went),
                },
                Ok(record) => record.content,
                Err(_) => line,
            };
            let is_match = self.query.is_in(shown, self.query.progress());
            let after = offset + lf as u64 + 1;
            let found = Match {
                offset: place.offset,
                after,
                text: shown,
                is_complete: true,
                is_open: false,
            };
            if is_match && (self.found)(found).is_break() {
                return Ok(ControlFlow::Break(place));
            }
            at = lf + 1;
        }
        Ok(ControlFlow::Continue(Checkpoint::settled_at(offset + bytes.len() as u64)))
    }

    /// Examines rows one by one. Returns `Continue` as soon as no entry is open, and `Break` at the
    /// end or if `found` returns `Break`.
    fn rows(&mut self, from: Checkpoint) -> Result<Went> {
        let mut rows = self.log.rows_from(from, MAX_LINE_BYTES, self.tail)?;
        while rows.after().offset < self.end {
            let row = rows.next().transpose().map_err(Error::io("read", self.log.path()))?;
            let Some(row) = row else { break };
            if row.offset >= self.end {
                return Ok(ControlFlow::Break(rows.open().unwrap_or_else(|| rows.before())));
            }
            let is_open = rows.open().is_some();
            let (offset, after, is_complete) = (row.offset, rows.after().offset, row.complete);
            let found = Match { offset, after, text: &row.text, is_complete, is_open };
            if self.query.matches(&row, self.query.progress()) && (self.found)(found).is_break() {
                break;
            }
            if !is_open && rows.after().is_settled() {
                return Ok(ControlFlow::Continue(rows.after()));
            }
        }
        Ok(ControlFlow::Break(rows.open().unwrap_or_else(|| rows.after())))
    }
}
