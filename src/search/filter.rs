//! The rows around an offset of a log that pass a row filter.
//!
//! [`FilteredRead`] reads from its offset in both directions, one bounded piece per step. A filter
//! may match nothing for gigabytes, so the caller can do other work or cancel between two steps. A
//! row may be shown or hidden because of the rows around it (context lines, redraws of progress
//! bars), so each piece is judged together with some rows on either side. Folded rows are skipped
//! without being read. Memory is limited to the requested rows and one piece.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::{Found, Hits, Query, Towards, find};
use crate::cri::Stream;
use crate::error::Result;
use crate::log::{Anchor, LogFile, Row, Tail, Window};
use crate::sanitize::{MAX_FRAME_ROWS, Progress, overwritten};

/// Minimum number of rows judged at once if rows are filtered by stream or text.
const PIECE_ROWS: usize = 512;

/// The rows to show.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RowFilter {
    /// Only rows of this stream; a row without a stream does not pass.
    pub stream: Option<Stream>,
    /// Only rows that pass this filter, and their context.
    pub filter: Option<PatternFilter>,
    /// Context: the number of rows that are also shown on each side of a row that passes `filter`.
    pub context: usize,
    /// Determines if rows that a later row has overwritten are shown.
    pub progress: Progress,
    /// The folded groups: rows that begin within these ranges are hidden. In ascending order.
    /// Ignored if there is a `filter`, which also searches folded groups.
    pub hidden: Arc<[Range<u64>]>,
    /// The row at this offset is always shown: it is the target of a jump.
    pub keep: Option<u64>,
}

/// A filter by the text of a row.
#[derive(Clone, PartialEq, Debug)]
pub struct PatternFilter {
    /// The query that rows are matched with.
    pub query: Query,
    /// True if rows that do not match are shown, instead of those that do.
    pub is_inverse: bool,
}

impl RowFilter {
    /// Returns true if rows are filtered by stream or text, not only because they were overwritten
    /// or folded.
    #[must_use]
    pub const fn narrows(&self) -> bool {
        self.stream.is_some() || self.filter.is_some()
    }

    /// Returns how many rows before a piece are needed to judge its rows.
    fn before(&self) -> usize {
        let context = if self.filter.is_some() { self.context } else { 0 };
        context.max(self.redraws())
    }

    /// Returns how many rows after a piece are needed to judge its rows; at least one, to find the
    /// start of the next piece.
    fn behind(&self) -> usize {
        self.before().max(1)
    }

    /// Returns the maximum distance, in rows, between a row and one that overwrites it.
    const fn redraws(&self) -> usize {
        match self.progress {
            Progress::Last => MAX_FRAME_ROWS,
            Progress::All => 0,
        }
    }

    /// Returns the query of the filter. Returns `None` if there is no filter or if it is inverse.
    fn wanted(&self) -> Option<&Query> {
        self.filter.as_ref().filter(|filter| !filter.is_inverse).map(|filter| &filter.query)
    }

    /// Returns the fold that hides a row that begins at `offset`.
    fn fold_at(&self, offset: u64) -> Option<&Range<u64>> {
        let before = self.hidden.partition_point(|fold| fold.start <= offset).checked_sub(1)?;
        self.hidden.get(before).filter(|fold| offset < fold.end && self.filter.is_none())
    }

    /// Returns the offset at which to continue reading downwards: `offset`, or the end of the fold
    /// that contains it. If the row `keep` is between the two, returns `keep`.
    fn unfolded_from(&self, offset: u64) -> u64 {
        let Some(fold) = self.fold_at(offset) else { return offset };
        self.keep.filter(|keep| (offset..fold.end).contains(keep)).unwrap_or(fold.end)
    }

    /// Returns the offset before which to continue reading upwards: `offset`, or the start of the
    /// fold that contains the byte before it. If the row `keep` is between the two, returns the
    /// offset just after `keep`.
    fn unfolded_before(&self, offset: u64) -> u64 {
        let Some(fold) = offset.checked_sub(1).and_then(|last| self.fold_at(last)) else {
            return offset;
        };
        self.keep
            .filter(|keep| (fold.start..offset).contains(keep))
            .map_or(fold.start, |keep| keep + 1)
    }

    /// Judges consecutive rows: true for each row that is shown.
    fn judge(&self, rows: &[Row]) -> Vec<bool> {
        let mut shown = match &self.filter {
            None => vec![true; rows.len()],
            Some(filter) => {
                let passes = |row: &Row| {
                    filter.query.matches(row, filter.query.progress()) != filter.is_inverse
                };
                near(&rows.iter().map(passes).collect::<Vec<_>>(), self.context)
            }
        };
        let hidden = match self.progress {
            Progress::Last => overwritten(rows.iter().map(|row| row.text.as_slice())),
            Progress::All => vec![false; rows.len()],
        };
        for ((shown, hidden), row) in shown.iter_mut().zip(hidden).zip(rows) {
            *shown &= !hidden && self.fold_at(row.offset).is_none();
            *shown &= self.stream.is_none() || row.stream == self.stream;
            *shown |= self.keep == Some(row.offset);
        }
        shown
    }
}

/// Marks all elements that are at most `reach` places from a true one.
fn near(found: &[bool], reach: usize) -> Vec<bool> {
    let mut near = vec![false; found.len()];
    for (at, _) in found.iter().enumerate().filter(|(_, found)| **found) {
        let end = (at + reach + 1).min(found.len());
        near[at.saturating_sub(reach)..end].fill(true);
    }
    near
}

impl Found {
    /// Returns this result, or `row` if a search in the direction `towards` reaches that row
    /// sooner.
    fn or_sooner(self, row: Option<u64>, towards: Towards) -> Self {
        let Some(row) = row else { return self };
        let is_sooner = |than: u64| if towards == Towards::Down { row < than } else { row >= than };
        match self {
            Self::At(found) if found == row => self,
            Self::At(place) | Self::Beyond(place) if !is_sooner(place) => self,
            Self::At(_) | Self::Beyond(_) | Self::Nothing => Self::At(row),
        }
    }
}

/// The rows that are requested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Around {
    /// The offset that rows are counted from, in bytes from the start of the file.
    pub place: u64,
    /// The maximum number of rows that begin before `place`.
    pub above: usize,
    /// The maximum number of rows that begin at or after `place`.
    pub below: usize,
    /// True if [`Window::at_start`] and [`Window::at_end`] must be right even in a direction in
    /// which no rows are requested. The read then searches for one row there, which may take long
    /// if the filter rarely matches. If false, these fields are false for such a direction.
    pub checks_ends: bool,
}

/// The progress of reading in one direction.
#[derive(Clone, Copy, Debug)]
struct Side {
    at: u64,
    /// True if there are no more shown rows in this direction.
    is_over: bool,
    /// True if the next rows may be context of the last match, so that no search is needed.
    goes_on: bool,
}

/// A read in progress of the rows that pass a filter.
#[derive(Debug)]
pub struct FilteredRead {
    row_filter: RowFilter,
    around: Around,
    tail: Tail,
    above: VecDeque<Row>,
    below: Vec<Row>,
    /// Upwards: rows before this offset have not been examined.
    up: Side,
    /// Downwards: rows from this offset on have not been examined.
    down: Side,
    /// The size of the log at the last step.
    log_bytes: u64,
}

impl FilteredRead {
    /// Creates a read that has not read anything yet.
    #[must_use]
    pub const fn new(row_filter: RowFilter, around: Around, tail: Tail) -> Self {
        // The rows at `place` may be context of a match on the other side of `place`.
        let side = Side { at: around.place, is_over: false, goes_on: row_filter.context > 0 };
        Self {
            row_filter,
            around,
            tail,
            above: VecDeque::new(),
            below: Vec::new(),
            up: side,
            down: side,
            log_bytes: 0,
        }
    }

    /// Reads the next piece, or searches at most `max_bytes` of the log for the next match. Returns
    /// true, without reading, once all requested rows that exist have been read. The caller repeats
    /// the call until then. `hits` must be those of the filter's query.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn step(&mut self, log: &LogFile, hits: Option<&Hits>, max_bytes: u64) -> Result<bool> {
        let (above, below) = self.wanted();
        self.log_bytes = log.bytes();
        if self.below.len() < below && !self.down.is_over {
            self.read_below(log, hits, max_bytes)?;
        } else if self.above.len() < above && !self.up.is_over {
            self.read_above(log, hits, max_bytes)?;
        } else {
            return Ok(true);
        }
        Ok(false)
    }

    /// Returns the distance, in bytes, between the offsets reached upwards and downwards.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        // A request for the end of the log has a `place` far beyond the end.
        let [up, down] = [self.up.at, self.down.at].map(|at| at.min(self.log_bytes));
        down - up
    }

    /// Returns the rows that were read.
    #[must_use]
    pub fn finish(mut self, log: &LogFile) -> Window {
        // In a direction without requested rows, one row may have been read for `checks_ends`.
        let Around { above, below, .. } = self.around;
        let at_start = self.up.is_over && self.above.len() <= above;
        let at_end = self.down.is_over && self.below.len() <= below;
        self.above.drain(..self.above.len().saturating_sub(above));
        self.below.truncate(below);
        let rows = Vec::from(self.above).into_iter().chain(self.below).collect();
        Window { rows, at_start, at_end, file_bytes: log.bytes() }
    }

    /// Returns how many shown rows to read upwards and downwards.
    fn wanted(&self) -> (usize, usize) {
        let least = usize::from(self.around.checks_ends);
        (self.around.above.max(least), self.around.below.max(least))
    }

    fn read_below(&mut self, log: &LogFile, hits: Option<&Hits>, max_bytes: u64) -> Result<()> {
        self.down.at = self.row_filter.unfolded_from(self.down.at);
        if self.down.at >= log.bytes() {
            self.down.is_over = true;
            return Ok(());
        }
        if !self.meet(log, hits, max_bytes, Towards::Down)? {
            return Ok(());
        }
        let wanted = self.wanted().1 - self.below.len();
        let (before, core) = (self.row_filter.before(), self.piece_rows(wanted));
        // Read at least one row after the piece, to find out if there is a next piece and at which
        // offset it begins.
        let window = log.window(
            Anchor::From(self.down.at),
            core + self.row_filter.behind().max(1),
            self.tail,
        )?;
        let mut rows = self.rows_before(log, self.down.at, before)?;
        let first = rows.len();
        rows.extend(window.rows);
        let end = if window.at_end { rows.len() } else { rows.len().min(first + core) };
        let next = rows.get(end).map(|row| row.offset).and_then(|next| {
            let shown = self.row_filter.unfolded_from(next);
            (shown == next || shown < log.bytes()).then_some(shown)
        });
        let shown = self.row_filter.judge(&rows);
        self.down.goes_on = shown.iter().skip(end).any(|shown| *shown);
        let judged = rows.into_iter().zip(shown).take(end).skip(first);
        let mut judged = judged.filter(|(_, shown)| *shown).map(|(row, _)| row);
        self.below.extend(judged.by_ref().take(wanted));
        self.down.is_over = next.is_none() && judged.next().is_none();
        self.down.at = next.unwrap_or_else(|| log.bytes().max(self.down.at));
        Ok(())
    }

    fn read_above(&mut self, log: &LogFile, hits: Option<&Hits>, max_bytes: u64) -> Result<()> {
        self.up.at = self.row_filter.unfolded_before(self.up.at);
        if !self.meet(log, hits, max_bytes, Towards::Up)? {
            return Ok(());
        }
        let wanted = self.wanted().0 - self.above.len();
        let (before, core) = (self.row_filter.before(), self.piece_rows(wanted));
        let window = log.window(Anchor::Before(self.up.at), core + before, self.tail)?;
        let mut rows = window.rows;
        let first = if window.at_start { 0 } else { before.min(rows.len()) };
        let end = rows.len();
        if self.up.at < log.bytes() {
            rows.extend(
                log.window(Anchor::From(self.up.at), self.row_filter.behind(), self.tail)?.rows,
            );
        }
        let top = rows.get(first).map_or(0, |row| row.offset);
        let shown = self.row_filter.judge(&rows);
        self.up.goes_on = shown.iter().take(first).any(|shown| *shown);
        let judged = rows.into_iter().zip(shown).take(end).skip(first).rev();
        let mut judged = judged.filter(|(_, shown)| *shown).map(|(row, _)| row);
        for row in judged.by_ref().take(wanted) {
            self.above.push_front(row);
        }
        self.up.is_over = window.at_start && judged.next().is_none();
        self.up.at = top.min(self.up.at);
        Ok(())
    }

    /// Advances to the next rows that may pass the filter. Returns true if a piece is to be read
    /// there; false if there is no match within `max_bytes`, or no match at all.
    fn meet(
        &mut self,
        log: &LogFile,
        hits: Option<&Hits>,
        max_bytes: u64,
        towards: Towards,
    ) -> Result<bool> {
        let is_down = towards == Towards::Down;
        let mut side = if is_down { self.down } else { self.up };
        let Some(query) = self.row_filter.wanted().filter(|_| !side.goes_on) else {
            return Ok(true);
        };
        let keep = self.row_filter.keep.filter(|keep| (*keep >= side.at) == is_down);
        let found = find(log, query, hits, side.at, towards, max_bytes, self.tail)?
            .or_sooner(keep, towards);
        match found {
            Found::At(row) => {
                let shown = self.context_of(log, row)?;
                side.at = if is_down { side.at.max(shown.start) } else { side.at.min(shown.end) };
            }
            Found::Beyond(at) => side.at = at,
            Found::Nothing => side.is_over = true,
        }
        *if is_down { &mut self.down } else { &mut self.up } = side;
        Ok(matches!(found, Found::At(_)))
    }

    /// Returns how many rows to read in order to get `wanted` shown rows.
    const fn piece_rows(&self, wanted: usize) -> usize {
        if self.row_filter.narrows() && wanted < PIECE_ROWS { PIECE_ROWS } else { wanted }
    }

    /// Returns the range of offsets of a row and its context. `row` is the offset of the row.
    fn context_of(&self, log: &LogFile, row: u64) -> Result<Range<u64>> {
        let context = self.row_filter.context;
        let start = self.rows_before(log, row, context)?.first().map_or(row, |row| row.offset);
        let behind = log.window(Anchor::From(row), context + 2, self.tail)?.rows;
        let end = behind.get(context + 1).map_or(u64::MAX, |row| row.offset);
        Ok(start..end)
    }

    fn rows_before(&self, log: &LogFile, place: u64, count: usize) -> Result<Vec<Row>> {
        if count == 0 {
            Ok(Vec::new())
        } else {
            Ok(log.window(Anchor::Before(place), count, self.tail)?.rows)
        }
    }
}

#[cfg(test)]
mod tests;
