//! Search of a log in bounded steps: counts the matching rows, and finds the next one.

use std::ops::ControlFlow;
use std::thread;

use memchr::memchr;

use super::hits::{Counted, Hits};
use super::query::Query;
use super::walk::walk;
use crate::error::Result;
use crate::log::{Checkpoint, LogFile, Tail, Towards};

/// Bytes read by the first step of an upward search. Rows can only be read downwards, so each step
/// reads a part of the log and takes the last match in it.
const FIRST_STEP_BYTES: u64 = 256 << 10;

/// Maximum bytes per step of an upward search; the size doubles up to this.
const MAX_STEP_BYTES: u64 = 8 << 20;

/// Minimum size of a range that is scanned by two threads, in bytes.
pub(super) const THREAD_BYTES: u64 = 4 << 20;

/// Bytes read from the middle of a range to find the start of a line.
const MIDDLE_BYTES: usize = 16 << 10;

/// The result of [`find`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// The offset of a matching row.
    At(u64),
    /// No match so far: continue from this offset.
    Beyond(u64),
    /// No match.
    Nothing,
}

/// Scans about `max_bytes` more of the log, from the point where `hits` ends. Returns how many
/// bytes were scanned; 0 at the end of the log.
///
/// `hits` must be of this query and of this generation of the log. After the log has grown, call
/// this function again to scan the appended data. A row that was incomplete when it was counted is
/// counted again.
///
/// # Errors
/// If the log cannot be read, as for all functions of this module. `hits` is unchanged then.
pub fn scan(
    log: &LogFile,
    hits: &mut Hits,
    query: &Query,
    max_bytes: u64,
    tail: Tail,
) -> Result<u64> {
    let bytes = log.bytes_now()?;
    if hits.has_all(bytes, tail) {
        return Ok(0);
    }
    let end = bytes.min(hits.bytes().saturating_add(max_bytes));
    let stretch = Stretch { log, query, tail };
    let work = |from, end| stretch.count(from, end);
    let (mut counted, others, checkpoint) =
        stretch.by_two(hits.checkpoint(), end, work, |_| false)?;
    if let Some(others) = others {
        counted.settled.add(&others.settled);
        counted.open = others.open;
    }
    let came = end.saturating_sub(hits.bytes());
    hits.take(counted, checkpoint, end, tail);
    Ok(came)
}

/// Finds the nearest matching row that begins at or after `from`, or before `from` for
/// [`Towards::Up`]. Searches about `max_bytes` of the log. Skips blocks in which `hits` has no
/// matches.
///
/// # Errors
/// If the log cannot be read.
pub fn find(
    log: &LogFile,
    query: &Query,
    hits: Option<&Hits>,
    from: u64,
    towards: Towards,
    max_bytes: u64,
    tail: Tail,
) -> Result<Found> {
    let search = Search { log, query, hits, tail };
    match towards {
        Towards::Down => search.down(from, max_bytes),
        Towards::Up => search.up(from, max_bytes),
    }
}

/// Returns how many matching rows begin before `offset`, in the part of the log that `hits` covers.
/// This is the rank, counted from 0, of a matching row at `offset`.
///
/// # Errors
/// If the log cannot be read.
pub fn rank(log: &LogFile, query: &Query, hits: &Hits, offset: u64, tail: Tail) -> Result<u64> {
    let mut rows = hits.before(offset);
    let checkpoint = log.checkpoint_at(Hits::block_start(offset))?;
    walk(log, query, checkpoint, offset.min(hits.bytes()), tail, &mut |_| {
        rows += 1;
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

/// A scanner for stretches of a log: ranges from a checkpoint to an offset.
#[derive(Clone, Copy)]
struct Stretch<'a> {
    log: &'a LogFile,
    query: &'a Query,
    tail: Tail,
}

impl Stretch<'_> {
    /// Counts the matching rows that begin before `end`, and returns the point to continue from.
    fn count(self, from: Checkpoint, end: u64) -> Result<(Counted, Checkpoint)> {
        let mut counted = Counted::default();
        let checkpoint = walk(self.log, self.query, from, end, self.tail, &mut |row| {
            let counts = if row.is_open { &mut counted.open } else { &mut counted.settled };
            counts.push(row.offset);
            ControlFlow::Continue(())
        })?;
        Ok((counted, checkpoint))
    }

    /// Returns the first matching row that begins before `end`, if there is one, and the point to
    /// continue from.
    fn first(self, from: Checkpoint, end: u64) -> Result<(Option<u64>, Checkpoint)> {
        let mut found = None;
        let checkpoint = walk(self.log, self.query, from, end, self.tail, &mut |row| {
            found = Some(row.offset);
            ControlFlow::Break(())
        })?;
        Ok((found, checkpoint))
    }

    /// Returns the last matching row that begins before `end`, if there is one, and the point to
    /// continue from.
    fn last(self, from: Checkpoint, end: u64) -> Result<(Option<u64>, Checkpoint)> {
        let mut found = None;
        let checkpoint = walk(self.log, self.query, from, end, self.tail, &mut |row| {
            found = Some(row.offset);
            ControlFlow::Continue(())
        })?;
        Ok((found, checkpoint))
    }

    /// Applies `work` to a range, or to its halves in two threads if it is large. Returns the
    /// result of the whole range, or of both halves. If `is_enough` accepts the result of the first
    /// half, the result of the second half is dropped.
    fn by_two<T: Send>(
        self,
        from: Checkpoint,
        end: u64,
        work: impl Fn(Checkpoint, u64) -> Result<(T, Checkpoint)> + Sync,
        is_enough: impl FnOnce(&T) -> bool,
    ) -> Result<(T, Option<T>, Checkpoint)> {
        let alone = |(all, behind)| (all, None, behind);
        let Some(middle) = self.middle(from.offset, end)? else {
            return work(from, end).map(alone);
        };
        let (first, second) = thread::scope(|scope| {
            let second = scope.spawn(|| work(Checkpoint::settled_at(middle), end));
            (work(from, middle), second.join())
        });
        let (first, at) = first?;
        if is_enough(&first) {
            return Ok(alone((first, at)));
        }
        // The second thread assumes that no entry extends over the middle, which is usually true.
        // If the assumption was wrong, or if the thread panicked, do its work again here.
        let (second, behind) = match second {
            Ok(second) if at.offset == middle && at.is_settled() => second?,
            _ => work(at, end)?,
        };
        Ok((first, Some(second), behind))
    }

    /// Returns the start of a line near the middle of a range. `None` if the range is too small for
    /// two threads or if there is no such line.
    fn middle(self, from: u64, end: u64) -> Result<Option<u64>> {
        if end.saturating_sub(from) < THREAD_BYTES {
            return Ok(None);
        }
        let (middle, mut bytes) = (from + (end - from) / 2, vec![0; MIDDLE_BYTES]);
        let filled = self.log.read_at(middle, &mut bytes)?;
        let lf = memchr(b'\n', bytes.get(..filled).unwrap_or_default());
        Ok(lf.map(|lf| middle + lf as u64 + 1).filter(|line| *line < end))
    }
}

struct Search<'a> {
    log: &'a LogFile,
    query: &'a Query,
    hits: Option<&'a Hits>,
    tail: Tail,
}

impl Search<'_> {
    fn down(&self, from: u64, max_bytes: u64) -> Result<Found> {
        let (bytes, mut at, mut left) = (self.log.bytes_now()?, from, max_bytes);
        loop {
            let likely = self.hits.map_or(at..u64::MAX, |hits| hits.down_from(at));
            if likely.start >= bytes {
                return Ok(Found::Nothing);
            }
            if left == 0 {
                return Ok(Found::Beyond(likely.start));
            }
            let to = likely.end.min(bytes).min(likely.start.saturating_add(left));
            if let Some(offset) = self.first(likely.start, to)? {
                return Ok(Found::At(offset));
            }
            (left, at) = (left.saturating_sub(to - likely.start), to);
        }
    }

    fn up(&self, from: u64, max_bytes: u64) -> Result<Found> {
        let (mut to, mut left, mut step) =
            (from.min(self.log.bytes_now()?), max_bytes, FIRST_STEP_BYTES);
        loop {
            let likely = self.hits.map_or(0..to, |hits| hits.up_from(to));
            if likely.is_empty() {
                return Ok(Found::Nothing);
            }
            if left == 0 {
                return Ok(Found::Beyond(likely.end));
            }
            let at = likely.start.max(likely.end.saturating_sub(left.min(step)));
            if let Some(offset) = self.last(at, likely.end)? {
                return Ok(Found::At(offset));
            }
            (left, step, to) =
                (left.saturating_sub(likely.end - at), MAX_STEP_BYTES.min(step * 2), at);
        }
    }

    /// Returns the first matching row that begins at or after `at` and before `to`.
    fn first(&self, at: u64, to: u64) -> Result<Option<u64>> {
        let (stretch, from) = (self.stretch(), self.log.checkpoint_at(at)?);
        let (first, second, _) =
            stretch.by_two(from, to, |from, end| stretch.first(from, end), Option::is_some)?;
        Ok(first.or(second.flatten()))
    }

    /// Returns the last matching row that begins at or after `at` and before `to`.
    fn last(&self, at: u64, to: u64) -> Result<Option<u64>> {
        let (stretch, from) = (self.stretch(), self.log.checkpoint_at(at)?);
        let (first, second, _) =
            stretch.by_two(from, to, |from, end| stretch.last(from, end), |_| false)?;
        Ok(second.flatten().or(first))
    }

    const fn stretch(&self) -> Stretch<'_> {
        Stretch { log: self.log, query: self.query, tail: self.tail }
    }
}
