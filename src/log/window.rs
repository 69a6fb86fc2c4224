//! Windows: the rows around a position in a file, with short reads regardless of the size of the
//! file.
//!
//! A window forward from an offset is read from there. A window backward is a forward read from an
//! earlier offset, which moves back until enough rows are found. Rows cannot be read backward,
//! because the lines before a line decide if it begins a row.

use std::io;

use super::lines::{Limits, View};
use super::rows::Rows;
use super::start::Starts;
use super::{Anchor, BlockStart, Tail, Window};

/// The maximum number of bytes of a row's text in a window.
pub const WINDOW_ROW_BYTES: usize = 64 << 10;

/// The first look-back for the last rows before an offset. It grows each time it finds too few
/// rows.
const BACK_BYTES: u64 = 64 << 10;

/// The maximum factor by which a look-back grows.
const FARTHER: u64 = 256;

/// The read size for checking if a row is the first of the file.
const FIRST_ROW_BUFFER: usize = 4 << 10;

/// The offset from which a row is far from the start of the file.
const FAR_BYTES: u64 = 1 << 20;

/// A range of rows about to be read.
struct Reading<'f> {
    rows: Rows<'f>,
    /// The maximum number of rows in the window.
    count: usize,
    /// The start of the window if it has no rows.
    place: u64,
}

impl<'f> View<'f> {
    /// Returns a window; see [`super::LogFile::window`].
    pub(super) fn window(self, anchor: Anchor, count: usize, tail: Tail) -> io::Result<Window> {
        let mut reading = match anchor {
            Anchor::From(offset) => self.reading_from(offset, count, tail)?,
            Anchor::Before(offset) => self.reading_before(offset, count, tail)?,
            Anchor::End => self.reading_before(self.end, count, tail)?,
        };
        reading.rows.set_cap(WINDOW_ROW_BYTES);
        reading.rows = reading.rows.keeping_last();
        let rows = reading.rows.by_ref().take(reading.count).collect::<io::Result<Vec<_>>>()?;
        reading.rows.set_cap(0);
        let at_end = reading.rows.next().transpose()?.is_none();
        let at_start = match rows.first() {
            Some(first) if self.follows_row(first.offset, tail)? => false,
            // A first line longer than the line limit is a row before these rows. It is not read to
            // its end, because that may take too long just for this check.
            Some(first) if first.offset > 0 && self.begins_long()? => false,
            first => {
                self.begins_at_or_after(first.map_or(reading.place, |row| row.offset), tail)?
            }
        };
        Ok(Window { rows, at_start, at_end, file_bytes: self.end })
    }

    /// Returns the offset at which the last `count` rows of the file begin, or the end of the file
    /// if there are no rows.
    pub(super) fn tail_offset(self, count: usize, tail: Tail) -> io::Result<u64> {
        let mut reading = self.reading_before(self.end, count, tail)?;
        let first = reading.rows.by_ref().take(reading.count).next().transpose()?;
        Ok(first.map_or(self.end, |row| row.offset))
    }

    /// Returns the offset of the row with this number, counted from a block start before it.
    /// Returns `None` if there is no such row.
    pub(super) fn offset_of_row(
        self,
        place: BlockStart,
        row: u64,
        tail: Tail,
    ) -> io::Result<Option<u64>> {
        let mut rows = self.rows(place.offset, self.starts_at(place.offset)?, 0, tail);
        for _ in place.row..row {
            if rows.next().transpose()?.is_none() {
                return Ok(None);
            }
        }
        Ok(rows.next().transpose()?.map(|row| row.offset))
    }

    /// Returns the number of rows before an offset, counted from a block start before it.
    pub(super) fn rows_before(self, offset: u64, place: BlockStart, tail: Tail) -> io::Result<u64> {
        let rows = self.rows(place.offset, self.starts_at(place.offset)?, 0, tail);
        Ok(place.row.saturating_add(count_before(rows, offset)? as u64))
    }

    /// Returns the numbers of rows that begin at these ascending offsets, each counted from a block
    /// start before it. A number is `None` if there is no such block start or no such row.
    pub(super) fn numbers(
        self,
        offsets: &[u64],
        place_of: impl Fn(u64) -> Option<BlockStart>,
        tail: Tail,
    ) -> io::Result<Vec<Option<u64>>> {
        let mut numbers = Vec::with_capacity(offsets.len());
        let mut walk: Option<(Rows<'f>, u64, u64)> = None;
        for offset in offsets {
            let Some(place) = place_of(*offset) else {
                numbers.push(None);
                continue;
            };
            // Continue from the previous row, unless a block starts nearer.
            if walk.as_ref().is_none_or(|(_, _, at)| *at < place.offset) {
                walk = Some((
                    self.rows(place.offset, self.starts_at(place.offset)?, 0, tail),
                    place.row,
                    place.offset,
                ));
            }
            let Some((rows, next, at)) = &mut walk else { continue };
            let mut number = None;
            while *at <= *offset && number.is_none() {
                let Some(row) = rows.next().transpose()? else { break };
                number = (row.offset == *offset).then_some(*next);
                (*next, *at) = (next.saturating_add(1), row.offset.saturating_add(1));
            }
            numbers.push(number);
        }
        Ok(numbers)
    }

    fn reading_from(self, offset: u64, count: usize, tail: Tail) -> io::Result<Reading<'f>> {
        let place = self.next_line_start(offset.min(self.end))?;
        let rows = self.rows(place, self.starts_at(place)?, 0, tail);
        Ok(Reading { rows, count, place })
    }

    fn reading_before(self, before: u64, count: usize, tail: Tail) -> io::Result<Reading<'f>> {
        let before = before.min(self.end);
        let mut back = BACK_BYTES.min(self.limits.buffer as u64);
        loop {
            let from = self.line_start(before.saturating_sub(back))?;
            let starts = self.starts_at(from)?;
            let found = count_before(self.rows(from, starts, 0, tail), before)?;
            if found >= count || from == 0 {
                let mut rows = self.rows(from, starts, 0, tail);
                for _ in count..found {
                    rows.next().transpose()?;
                }
                return Ok(Reading { rows, count: count.min(found), place: before });
            }
            // This is far enough if the earlier rows are as long as these.
            let times = (count.checked_div(found).unwrap_or(count) as u64).saturating_add(1);
            back = back
                .saturating_mul(4)
                .max(before.saturating_sub(from).saturating_mul(times.min(FARTHER)));
        }
    }

    /// Returns true if the first line is longer than the line limit.
    fn begins_long(self) -> io::Result<bool> {
        let held = self.limits.line as u64;
        Ok(self.end > held && self.find_lf(0..held.saturating_add(1))?.is_none())
    }

    /// Returns true if the line before a row far from the start begins another row. Otherwise, the
    /// start of the log decides, which may be on a server.
    fn follows_row(self, offset: u64, tail: Tail) -> io::Result<bool> {
        if offset < FAR_BYTES {
            return Ok(false);
        }
        let from = self.line_start(offset.saturating_sub(1))?;
        let mut rows = self.rows(from, self.starts_at(from)?, 0, tail);
        Ok(rows.next().transpose()?.is_some_and(|row| row.offset < offset))
    }

    /// Returns true if no row begins before the offset.
    fn begins_at_or_after(self, offset: u64, tail: Tail) -> io::Result<bool> {
        if offset == 0 {
            return Ok(true);
        }
        let limits = Limits { buffer: FIRST_ROW_BUFFER.min(self.limits.buffer), ..self.limits };
        let mut rows = View { limits, ..self }.rows(0, Starts::new(limits.reach), 0, tail);
        Ok(rows.next().transpose()?.is_none_or(|first| first.offset >= offset))
    }
}

fn count_before(rows: Rows<'_>, before: u64) -> io::Result<usize> {
    let mut found = 0_usize;
    for row in rows {
        if row?.offset >= before {
            break;
        }
        found = found.saturating_add(1);
    }
    Ok(found)
}
