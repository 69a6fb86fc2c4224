//! Search for line boundaries from any offset, with bounded reads.
//!
//! A LF ends a line. A line may have any length (a sparse file of 1 TB is one line), but every read
//! must be bounded. So the part of a line beyond one *line reach* is cut into small pieces, by a
//! rule similar to that of `start`:
//!
//! **A line begins at each multiple of the piece size that has no LF within one line reach before
//! it.**
//!
//! So a line of up to one reach is never cut, and all readers that look back one reach and one
//! piece agree on the cuts. The text after a cut is the *rest* of a line. It is a row of its own,
//! and never a record.

use std::io;
use std::num::NonZeroU64;
use std::ops::Range;

use memchr::{memchr, memrchr};

use super::lines::{Limits, View, usize_of};

/// The size of the first read: lines are short, so it is nearly always enough.
const LOOK_BYTES: usize = 8 << 10;

/// Returns the offset at which a line that begins at `start` is cut, unless a LF comes before that
/// offset.
pub(super) const fn cut_of(start: u64, is_rest: bool, limits: &Limits) -> u64 {
    let uncut = if is_rest { limits.piece.get() } else { limits.line_reach };
    multiple_from(start.saturating_add(uncut), limits.piece)
}

/// Returns the first multiple of `unit` at or after an offset.
pub(super) const fn multiple_from(offset: u64, unit: NonZeroU64) -> u64 {
    offset.div_ceil(unit.get()).saturating_mul(unit.get())
}

impl View<'_> {
    /// Returns the start of the first line that begins at or after an offset, or the end of the
    /// file if no line begins there.
    pub fn next_line_start(self, offset: u64) -> io::Result<u64> {
        let Some(before) = offset.checked_sub(1) else { return Ok(0) };
        let multiple = multiple_from(offset, self.limits.piece);
        if let Some(lf) = self.find_lf(before..multiple)? {
            return Ok(lf.saturating_add(1));
        }
        if multiple >= self.end {
            return Ok(self.end);
        }
        // A line that begins less than one line reach before `multiple` is not cut at `multiple`.
        let start = match self.rfind_lf(multiple.saturating_sub(self.limits.line_reach)..before)? {
            Some(lf) => lf.saturating_add(1),
            None if multiple < self.limits.line_reach => 0,
            None => return Ok(multiple),
        };
        let cut = cut_of(start, false, &self.limits);
        Ok(self.find_lf(multiple..cut)?.map_or(cut.min(self.end), |lf| lf.saturating_add(1)))
    }

    /// Returns the start of the last line that begins at or before an offset.
    pub fn line_start(self, offset: u64) -> io::Result<u64> {
        let to = offset.min(self.end);
        let multiple = to.saturating_sub(to % self.limits.piece);
        let from = multiple.saturating_sub(self.limits.line_reach);
        let cut = if multiple < self.limits.line_reach { 0 } else { multiple };
        Ok(self.rfind_lf(from..to)?.map_or(cut, |lf| lf.saturating_add(1)))
    }

    /// Returns true if the line at `line_start` is the rest of a cut line.
    pub(super) fn is_rest(self, line_start: u64) -> io::Result<bool> {
        let Some(before_start) =
            line_start.checked_sub(1).filter(|_| line_start % self.limits.piece == 0)
        else {
            return Ok(false);
        };
        let mut before = [b'\n'];
        self.read(before_start, &mut before)?;
        Ok(before != [b'\n'])
    }

    pub(super) fn find_lf(self, range: Range<u64>) -> io::Result<Option<u64>> {
        let (mut at, end) = (range.start, range.end.min(self.end));
        let mut buffer = Vec::new();
        while at < end {
            self.grow_look(&mut buffer);
            let filled = self.read(at, within(&mut buffer, end.saturating_sub(at)))?;
            if let Some(lf) = memchr(b'\n', buffer.get(..filled).unwrap_or_default()) {
                return Ok(Some(at.saturating_add(lf as u64)));
            }
            if filled == 0 {
                break;
            }
            at = at.saturating_add(filled as u64);
        }
        Ok(None)
    }

    fn rfind_lf(self, range: Range<u64>) -> io::Result<Option<u64>> {
        let mut to = range.end;
        let mut buffer = Vec::new();
        while to > range.start {
            self.grow_look(&mut buffer);
            let look = within(&mut buffer, to.saturating_sub(range.start));
            let from = to.saturating_sub(look.len() as u64);
            let filled = self.read_full(from, look)?;
            if let Some(lf) = memrchr(b'\n', look.get(..filled).unwrap_or_default()) {
                return Ok(Some(from.saturating_add(lf as u64)));
            }
            to = from;
        }
        Ok(None)
    }

    /// Doubles the size of the next read, up to the limit.
    fn grow_look(self, buffer: &mut Vec<u8>) {
        let len = buffer.len().saturating_mul(2).max(LOOK_BYTES).min(self.limits.buffer);
        if buffer.len() < len {
            *buffer = vec![0; len];
        }
    }
}

fn within(buffer: &mut [u8], bytes: u64) -> &mut [u8] {
    let len = buffer.len().min(usize_of(bytes));
    buffer.get_mut(..len).unwrap_or_default()
}
