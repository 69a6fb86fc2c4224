//! Search for times and for silent gaps in a log.
//!
//! The index narrows the search for a time to one block. The part that is not indexed yet is
//! bisected by probes of a few kilobytes, so any time is found with a few reads. The search for
//! gaps covers only the indexed part, and skips blocks that span less time than the shortest gap.
//!
//! Times are compared in microseconds. Both searches assume that times increase. If the times of a
//! log step back, the search for a time may miss a record that is followed by records with earlier
//! times. The search for gaps may then miss a gap that is longer than the difference between the
//! first and the last time of its block.

use std::io;
use std::ops::Range;

use super::index::{BlockStart, Index};
use super::lines::{Limits, View};
use super::start::Starts;
use super::{Format, Tail};
use crate::cri::Tag;
use crate::time::Time;

/// The size up to which a range is read instead of bisected, and the number of bytes in which a
/// probe looks for a record.
const NEAR_BYTES: u64 = 64 << 10;

/// Read size of a probe.
const PROBE_BUFFER: usize = 4 << 10;

/// A silent gap before a row: the time between the row's first record and the previous record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The length in microseconds.
    pub us: i64,
    /// The byte at which the row begins.
    pub offset: u64,
}

impl View<'_> {
    /// Returns the offset of the first row that begins at or after the first record whose time is
    /// at least `time`. Returns `None` if there is no such record or row.
    pub(super) fn offset_of_time(
        self,
        index: &Index,
        time: Time,
        tail: Tail,
    ) -> io::Result<Option<u64>> {
        if self.format == Format::Plain {
            return Ok(None);
        }
        let wanted = time.floor_micros();
        let (before, behind) = index.places_of_time(wanted);
        let range =
            before.map_or(0, |block| block.offset)..behind.map_or(self.end, |block| block.offset);
        let near = self.halved(range, wanted)?;
        let Some((found, _)) = self.record_from(near, wanted, tail)? else { return Ok(None) };
        // The record may continue a row that began before it.
        let mut rows = self.rows(found, self.starts_at(found)?, 0, tail);
        Ok(rows.next().transpose()?.map(|row| row.offset))
    }

    /// Bisects a range in which to find the first record that is not earlier than `wanted`. Returns
    /// the start of a line shortly before that record. All records before the range must be earlier
    /// than `wanted`; then all records before the returned offset are earlier too.
    fn halved(self, mut range: Range<u64>, wanted: i64) -> io::Result<u64> {
        let limits = Limits { buffer: PROBE_BUFFER.min(self.limits.buffer), ..self.limits };
        while range.end.saturating_sub(range.start) > NEAR_BYTES {
            let middle = range.start.midpoint(range.end);
            let probe =
                View { end: self.end.min(middle.saturating_add(NEAR_BYTES)), limits, ..self };
            match probe.record_from(probe.next_line_start(middle)?, i64::MIN, Tail::Hold)? {
                Some((at, us)) if us < wanted => range.start = at,
                _ => range.end = middle,
            }
        }
        Ok(range.start)
    }

    /// Returns the offset and the time of the first record at or after `from` whose time is at
    /// least `least_us`. `from` must be the start of a line.
    fn record_from(self, from: u64, least_us: i64, tail: Tail) -> io::Result<Option<(u64, i64)>> {
        let mut lines = self.lines(from);
        while let Some(line) = lines.next()? {
            if tail.holds(&line) {
                break;
            }
            let us =
                self.format.parse_line(&line).map_or(i64::MIN, |record| record.at.floor_micros());
            if us >= least_us && us > i64::MIN {
                return Ok(Some((line.offset, us)));
            }
        }
        Ok(None)
    }

    /// Returns the gaps of at least `least_us` in the indexed blocks that begin at or after `from`.
    /// Stops after a read of `max_bytes`, and then also returns where to continue.
    pub(super) fn gaps(
        self,
        index: &Index,
        from: u64,
        max_bytes: u64,
        least_us: i64,
        tail: Tail,
    ) -> io::Result<(Vec<Gap>, Option<u64>)> {
        let view = View { end: self.end.min(index.bytes()), ..self };
        let (mut found, mut read) = (Vec::new(), 0_u64);
        for (block, next) in index.blocks_from(from) {
            let end_us = next.map(|next| next.before_us);
            let spans_less = match (block.before_us, end_us) {
                (_, None) | (None, Some(Some(_))) => false,
                (_, Some(None)) => true,
                (Some(first), Some(Some(last))) => last.saturating_sub(first) < least_us,
            };
            if spans_less {
                continue;
            }
            if read >= max_bytes {
                return Ok((found, Some(block.offset)));
            }
            let end = next.map_or(view.end, |next| next.offset);
            read = read.saturating_add(end.saturating_sub(block.offset));
            view.add_gaps_in(block, end, least_us, tail, &mut found)?;
        }
        Ok((found, None))
    }

    /// Adds the gaps of one block.
    fn add_gaps_in(
        self,
        block: BlockStart,
        end: u64,
        least_us: i64,
        tail: Tail,
        found: &mut Vec<Gap>,
    ) -> io::Result<()> {
        let mut starts = self.starts_at(block.offset)?;
        let mut before_us = block.before_us;
        let mut lines = self.lines(block.offset);
        while let Some(line) = lines.next()? {
            if tail.holds(&line) || line.offset >= end {
                break;
            }
            let Ok(record) = self.format.parse_line(&line) else { continue };
            let now_us = record.at.floor_micros();
            let gap_us = before_us.replace(now_us).map(|before| now_us.saturating_sub(before));
            let state = starts;
            let begins_row = starts.record(line.offset, record.stream, record.tag);
            let Some(us) = gap_us.filter(|us| begins_row && *us >= least_us) else { continue };
            let may_be_none = record.tag == Tag::Partial && record.content.is_empty();
            if !may_be_none || self.is_row(line.offset, state, tail)? {
                found.push(Gap { us, offset: line.offset });
            }
        }
        Ok(())
    }

    fn is_row(self, offset: u64, starts: Starts, tail: Tail) -> io::Result<bool> {
        let first = self.rows(offset, starts, 0, tail).next().transpose()?;
        Ok(first.is_some_and(|row| row.offset == offset))
    }
}
