//! Where lines begin, found from anywhere by a bounded look around.
//!
//! A LF ends a line. But a line may be of any length (a sparse file of 1 TB is one), and a read
//! must not be; so what is longer than a *line reach* is cut into small pieces from there on, in
//! the spirit of `start`:
//!
//! **A multiple of the piece size begins a line if no LF lies within one line reach before it.**
//!
//! So a line of up to one reach is never cut, and everybody who looks back one reach and a piece
//! agrees about the cuts. What begins at a cut is the *rest* of a line: a row of its own, no record
//! whatever it looks like.

use std::io;
use std::num::NonZeroU64;
use std::ops::Range;

use memchr::{memchr, memrchr};

use super::lines::{Limits, View, usize_of};

/// The first look: lines are short, so it nearly always suffices.
const LOOK_BYTES: usize = 8 << 10;

/// Where a line that begins at `start` is cut unless a LF comes before.
pub(super) const fn cut_of(start: u64, is_rest: bool, limits: &Limits) -> u64 {
    let uncut = if is_rest { limits.piece.get() } else { limits.line_reach };
    multiple_from(start.saturating_add(uncut), limits.piece)
}

/// Returns the first multiple of `unit` at or after an offset.
pub(super) const fn multiple_from(offset: u64, unit: NonZeroU64) -> u64 {
    offset.div_ceil(unit.get()).saturating_mul(unit.get())
}

impl View<'_> {
    /// The start of the first line that begins at or after an offset; the end of the file when
    /// there is none.
    pub fn next_line_start(self, offset: u64) -> io::Result<u64> {
        let Some(before) = offset.checked_sub(1) else { return Ok(0) };
        let multiple = multiple_from(offset, self.limits.piece);
        if let Some(lf) = self.find_lf(before..multiple)? {
            return Ok(lf.saturating_add(1));
        }
        if multiple >= self.end {
            return Ok(self.end);
        }
        // The line that holds all up to there began so near that it is not cut there.
        let start = match self.rfind_lf(multiple.saturating_sub(self.limits.line_reach)..before)? {
            Some(lf) => lf.saturating_add(1),
            None if multiple < self.limits.line_reach => 0,
            None => return Ok(multiple),
        };
        let cut = cut_of(start, false, &self.limits);
        Ok(self.find_lf(multiple..cut)?.map_or(cut.min(self.end), |lf| lf.saturating_add(1)))
    }

    /// The start of the last line that begins at or before an offset.
    pub fn line_start(self, offset: u64) -> io::Result<u64> {
        let to = offset.min(self.end);
        let multiple = to.saturating_sub(to % self.limits.piece);
        let from = multiple.saturating_sub(self.limits.line_reach);
        let cut = if multiple < self.limits.line_reach { 0 } else { multiple };
        Ok(self.rfind_lf(from..to)?.map_or(cut, |lf| lf.saturating_add(1)))
    }

    /// Whether what begins at the start of a line is the rest of one.
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

    /// Makes the next look twice as large, up to a read's size.
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
