//! The rows that a row_filter lets through, around a place in a log: what a screen shows of it,
//! filtered or not.
//!
//! [`FilteredRead`] reads away from its place in both directions, a bounded piece at a step, so
//! that whoever reads for a screen can do something else between two steps, or give up: a filter
//! may let nothing through for gigabytes. Whether a row is shown depends on the rows around it
//! (context lines, redraws of progress bars), so each piece is judged with some rows more at either
//! side. What folds hide is passed over unread. Memory is the rows asked for and one piece.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::{Found, Hits, Query, Towards, find};
use crate::cri::Stream;
use crate::error::Result;
use crate::log::{Anchor, LogFile, Row, Tail, Window};
use crate::sanitize::{MAX_FRAME_ROWS, Progress, overwritten};

/// How many rows are judged at once where not every row is shown.
const PIECE_ROWS: usize = 512;

/// Which rows are shown.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RowFilter {
    /// Only rows of this stream; a row of no stream is none of it.
    pub stream: Option<Stream>,
    /// Only rows that a filter lets through, and those around them.
    pub filter: Option<PatternFilter>,
    /// How many rows at either side of one that the filter lets through are shown too.
    pub context: usize,
    /// Whether rows that a later one has overwritten are shown.
    pub progress: Progress,
    /// Rows that begin within these ranges, which ascend, are hidden: those of folded groups. A
    /// filter looks inside.
    pub hidden: Arc<[Range<u64>]>,
    /// The row that begins at this offset is shown in any case: it is what was looked for.
    pub keep: Option<u64>,
}

/// Rows by what they say.
#[derive(Clone, PartialEq, Debug)]
pub struct PatternFilter {
    /// What is looked for.
    pub query: Query,
    /// Rows without it are shown, instead of those with it.
    pub is_inverse: bool,
}

impl RowFilter {
    /// Whether rows are left out because of what they are, and not only because they were
    /// overwritten.
    #[must_use]
    pub const fn narrows(&self) -> bool {
        self.stream.is_some() || self.filter.is_some()
    }

    /// How many rows before a piece tell whether rows of it are shown.
    fn before(&self) -> usize {
        let context = if self.filter.is_some() { self.context } else { 0 };
        context.max(self.redraws())
    }

    /// How many rows behind a piece tell; at least where the next piece begins.
    fn behind(&self) -> usize {
        self.before().max(1)
    }

    /// How far apart a row and one that overwrites it may be.
    const fn redraws(&self) -> usize {
        match self.progress {
            Progress::Last => MAX_FRAME_ROWS,
            Progress::All => 0,
        }
    }

    /// The filter, if only rows that match it and those around them are shown.
    fn wanted(&self) -> Option<&Query> {
        self.filter.as_ref().filter(|filter| !filter.is_inverse).map(|filter| &filter.query)
    }

    /// The fold that hides the row that begins at an offset.
    fn fold_at(&self, offset: u64) -> Option<&Range<u64>> {
        let before = self.hidden.partition_point(|fold| fold.start <= offset).checked_sub(1)?;
        self.hidden.get(before).filter(|fold| offset < fold.end && self.filter.is_none())
    }

    /// Where the next row that no fold hides may begin, at or behind an offset.
    fn unfolded_from(&self, offset: u64) -> u64 {
        let Some(fold) = self.fold_at(offset) else { return offset };
        self.keep.filter(|keep| (offset..fold.end).contains(keep)).unwrap_or(fold.end)
    }

    /// Behind where the last row that no fold hides may begin, before an offset.
    fn unfolded_before(&self, offset: u64) -> u64 {
        let Some(fold) = offset.checked_sub(1).and_then(|last| self.fold_at(last)) else {
            return offset;
        };
        self.keep
            .filter(|keep| (fold.start..offset).contains(keep))
            .map_or(fold.start, |keep| keep + 1)
    }

    /// Which of these neighboring rows are shown.
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

/// What is at most `reach` places away from something true.
fn near(found: &[bool], reach: usize) -> Vec<bool> {
    let mut near = vec![false; found.len()];
    for (at, _) in found.iter().enumerate().filter(|(_, found)| **found) {
        let end = (at + reach + 1).min(found.len());
        near[at.saturating_sub(reach)..end].fill(true);
    }
    near
}

impl Found {
    /// This, or another row if that is met sooner.
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

/// Which rows are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Around {
    /// The place, in bytes from the start of the file.
    pub place: u64,
    /// How many rows that begin before it.
    pub above: usize,
    /// How many that begin at or behind it.
    pub below: usize,
    /// Whether a row is looked for also where none is asked for, to tell whether that is an end of
    /// the log; a filter that lets little through may have to look far. If not, it counts as
    /// none.
    pub tells_ends: bool,
}

/// How far reading has come in one direction.
#[derive(Clone, Copy, Debug)]
struct Side {
    at: u64,
    /// Nothing that is shown lies further on.
    is_over: bool,
    /// The next rows may belong to what was found last: nothing has to be looked for.
    goes_on: bool,
}

/// Rows being gathered.
#[derive(Debug)]
pub struct FilteredRead {
    row_filter: RowFilter,
    around: Around,
    tail: Tail,
    above: VecDeque<Row>,
    below: Vec<Row>,
    /// Upwards: rows before it have not been looked at.
    up: Side,
    /// Downwards: rows from there on have not been looked at.
    down: Side,
    /// The size of the log.
    log_bytes: u64,
}

impl FilteredRead {
    /// Nothing has been read yet.
    #[must_use]
    pub const fn new(row_filter: RowFilter, around: Around, tail: Tail) -> Self {
        // The rows at the place may belong to a match on its other side.
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

    /// Reads on by one piece, or by at most `max_bytes` where nothing is let through: whether all
    /// that was asked for is there. `hits` are those of the row_filter's filter.
    ///
    /// # Errors
    /// When the log cannot be read.
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

    /// How far apart are the places up to which it has read, in bytes.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        // The end of the log may have been asked for by a place far behind it.
        let [up, down] = [self.up.at, self.down.at].map(|at| at.min(self.log_bytes));
        down - up
    }

    /// What was gathered.
    #[must_use]
    pub fn finish(mut self, log: &LogFile) -> Window {
        // Where one direction was not asked for, a row of it was read to tell whether there is one.
        let Around { above, below, .. } = self.around;
        let at_start = self.up.is_over && self.above.len() <= above;
        let at_end = self.down.is_over && self.below.len() <= below;
        self.above.drain(..self.above.len().saturating_sub(above));
        self.below.truncate(below);
        let rows = Vec::from(self.above).into_iter().chain(self.below).collect();
        Window { rows, at_start, at_end, file_bytes: log.bytes() }
    }

    /// How many rows are read upwards and downwards. What a row_filter hides is no row.
    fn wanted(&self) -> (usize, usize) {
        let least = usize::from(self.around.tells_ends);
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
        // One row behind the piece in any case: it tells where the next piece begins, and that
        // there is one.
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

    /// Goes on to where the next rows may be that the filter lets through: whether it has come
    /// there, and a piece is to be read.
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

    /// How many rows are read to gain so many.
    const fn piece_rows(&self, wanted: usize) -> usize {
        if self.row_filter.narrows() && wanted < PIECE_ROWS { PIECE_ROWS } else { wanted }
    }

    /// From where to where the rows lie that are shown with the one that begins at `row`.
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
