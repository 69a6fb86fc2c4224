//! Detection of overwritten rows: rows of a log that a terminal no longer shows, because later rows
//! were drawn over them. Progress displays of several lines overwrite rows in this way.
//!
//! ```text
//! row 1  layer one 10%             line 1    overwritten
//! row 2  layer two  5%             line 2    overwritten
//! row 3  ␛[2A␛[2Klayer one 100%    line 1
//! row 4  ␛[2Klayer two 100%        line 2
//! ```
//!
//! Each line is divided into pieces: ranges of columns that show the same row. A row with visible
//! text is overwritten if none of its text is left. A row without visible text counts as
//! overwritten if the line on which it ended contains text, or if a later row has ended on that
//! line. After an unknown sequence, later rows no longer overwrite earlier rows.

use std::collections::VecDeque;
use std::iter;

use unicode_width::UnicodeWidthStr;

use super::canvas::{EDGE, next_tab};
use super::ops::{Control, Op, Ops};
use super::{is_printable_ascii, push_visible, without_line_end};

/// The maximum distance, in rows, between a row and a later row that overwrites it. Overwriting
/// from farther below is not detected.
pub const MAX_FRAME_ROWS: usize = 100;

/// The maximum number of pieces of a line, more than a progress bar ever needs. If a line has more,
/// later rows no longer overwrite earlier rows.
const MAX_PIECES: usize = 1000;

/// Returns, for each row, true if a later row has overwritten it by moving the cursor up. `rows`
/// must contain the rows of both streams in the order of the log, because one terminal showed both.
pub fn overwritten<'a>(rows: impl IntoIterator<Item = &'a [u8]>) -> Vec<bool> {
    let mut frames = Frames::default();
    let mut settled = Vec::new();
    for row in rows {
        frames.push(row);
        if frames.is_full() {
            settled.extend(frames.settle());
        }
    }
    settled.extend(iter::from_fn(|| frames.settle()));
    settled
}

/// A model of the lines that a terminal shows for the last rows of a log.
pub struct Frames {
    /// The pending rows. `first` is the number of the first one.
    rows: VecDeque<Drawn>,
    first: u64,
    /// The lines that the cursor can reach, always [`LINES`] of them. `top` is the number of the
    /// first one.
    lines: VecDeque<Line>,
    top: u64,
    /// The index of the cursor's line.
    line: usize,
    column: usize,
    run: Option<Run>,
}

/// The number of lines in the model: the lowest line and [`MAX_FRAME_ROWS`] lines above it.
const LINES: usize = MAX_FRAME_ROWS + 1;

/// Text that is written without moving the cursor in between.
struct Run {
    from: usize,
    /// The columns from the first visible character to the end of the last one.
    ink: Option<(usize, usize)>,
}

/// The state of a pending row.
#[derive(Default)]
struct Drawn {
    /// The number of columns that still show the row.
    columns: usize,
    /// True if some text of the row was visible when the row ended.
    has_left: bool,
    /// True if the row contained a control, such as a cursor movement.
    has_moved: bool,
    /// The number of the line on which the row ended.
    line: u64,
}

#[derive(Default)]
struct Line {
    /// Pieces from left to right.
    pieces: Vec<Piece>,
    /// The last row that ended on this line.
    ended: Option<u64>,
}

/// A range of columns that show a row.
#[derive(Clone, Copy)]
struct Piece {
    from: usize,
    to: usize,
    row: u64,
}

impl Frames {
    /// Adds the next row.
    pub fn push(&mut self, bytes: &[u8]) {
        self.rows.push_back(Drawn::default());
        let bytes = without_line_end(bytes);
        if is_printable_ascii(bytes) {
            let is_ink = |byte: &u8| *byte != b' ';
            let ink = bytes.iter().position(is_ink).zip(bytes.iter().rposition(is_ink));
            let ink = ink.map(|(first, last)| (first, last.saturating_add(1)));
            (self.run, self.column) = (Some(Run { from: 0, ink }), bytes.len());
            return self.end_row();
        }
        for op in Ops::new(bytes) {
            self.apply(op);
        }
        self.end_row();
    }

    fn end_row(&mut self) {
        self.draw_run();
        let row = self.current();
        let line = self.top.saturating_add(self.line as u64);
        self.drawn(row, |drawn| {
            drawn.line = line;
            drawn.has_left = drawn.columns > 0;
        });
        if let Some(line) = self.lines.get_mut(self.line) {
            line.ended = Some(row);
        }
        self.column = 0;
        if self.line < LINES - 1 {
            self.line = self.line.saturating_add(1);
        } else {
            self.top = self.top.saturating_add(1);
            // The top line is now out of reach. Reuse it as the new lowest line.
            self.lines.rotate_left(1);
            if let Some(line) = self.lines.back_mut() {
                line.pieces.clear();
                line.ended = None;
            }
        }
    }

    /// Returns true if no further row can overwrite the first pending row.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.rows.len() > MAX_FRAME_ROWS
    }

    /// Removes the first pending row. Returns true if it was overwritten by the rows added so far,
    /// and `None` if there is no pending row.
    pub fn settle(&mut self) -> Option<bool> {
        let drawn = self.rows.pop_front()?;
        let number = self.first;
        self.first = self.first.saturating_add(1);
        let line = drawn
            .line
            .checked_sub(self.top)
            .and_then(|line| self.lines.get(usize::try_from(line).ok()?));
        let shows_empty_line = |line: &Line| line.pieces.is_empty() && line.ended == Some(number);
        Some(if drawn.has_left {
            drawn.columns == 0
        } else if line.is_some_and(|line| !shows_empty_line(line)) {
            true
        } else {
            // The last row does not count as an empty line if it contained a control, such as
            // `ESC[?25h`.
            drawn.has_moved && self.rows.is_empty()
        })
    }

    fn apply(&mut self, op: Op<'_>) {
        match op {
            Op::Text(text) => self.text(text),
            Op::Tab => {
                self.draw_run();
                self.column = next_tab(self.column);
            }
            Op::Special(found) => {
                if found == '\x1b' {
                    self.draw_run();
                    self.reset();
                }
                let mut shown = String::new();
                push_visible(&mut shown, found);
                self.text(&shown);
            }
            Op::Invalid => self.text("\u{fffd}"),
            Op::Sgr(_) | Op::Link(_) => {}
            Op::Control(control, _) => {
                self.draw_run();
                let row = self.current();
                self.drawn(row, |drawn| drawn.has_moved = true);
                self.control(control);
            }
        }
    }

    fn control(&mut self, control: Control) {
        let column = self.column;
        match control {
            Control::Nothing => {}
            Control::Column(column) => self.move_to(column),
            Control::Left(count) => self.column = column.saturating_sub(count),
            Control::Right(count) => self.move_to(column.saturating_add(count)),
            Control::Vertical { down, to_start } => {
                self.line = self.line.saturating_add_signed(down).min(LINES - 1);
                self.column = 0;
                self.move_to(if to_start { 0 } else { column });
            }
            Control::EraseRight => self.cover(column, usize::MAX, None),
            Control::EraseLeft => self.cover(0, column.saturating_add(1), None),
            Control::EraseLine => self.cover(0, usize::MAX, None),
            Control::EraseBelow => {
                self.cover(column, usize::MAX, None);
                let below: Vec<_> = self
                    .lines
                    .iter_mut()
                    .skip(self.line.saturating_add(1))
                    .flat_map(|line| line.pieces.drain(..))
                    .collect();
                for piece in below {
                    self.lose(piece.row, piece.to.saturating_sub(piece.from));
                }
            }
            Control::Erase(count) => self.cover(column, column.saturating_add(count), None),
            Control::Delete(count) => {
                self.cover(column, column.saturating_add(count), None);
                self.shift(|at| at.saturating_sub(count));
            }
            Control::Insert(count) => {
                // This covers nothing, but splits a piece that is on both sides of the cursor.
                self.cover(column, column, None);
                self.shift(|at| at.saturating_add(count));
            }
        }
    }

    /// Appends text to the current run, or starts a run at the cursor.
    fn text(&mut self, text: &str) {
        let width = |text: &str| if text.is_ascii() { text.len() } else { text.width() };
        let without_lead = text.trim_start_matches(' ');
        let ink = without_lead.trim_end_matches(' ');
        let behind = |column: usize, width| column.saturating_add(width);
        let from = behind(self.column, text.len().saturating_sub(without_lead.len()));
        let to = behind(from, width(ink));
        let run = self.run.get_or_insert(Run { from: self.column, ink: None });
        if to > from {
            run.ink = Some((run.ink.map_or(from, |(start, _)| start), to));
        }
        self.column = behind(to, without_lead.len().saturating_sub(ink.len()));
    }

    /// Draws the run of text up to the cursor. Leading and trailing blanks erase their columns;
    /// other blanks belong to the text.
    fn draw_run(&mut self) {
        let Some(Run { from, ink }) = self.run.take() else { return };
        let (start, end) = ink.unwrap_or((self.column, self.column));
        self.cover(from, start, None);
        if ink.is_some() {
            self.cover(start, end, Some(self.current()));
        }
        if end < self.column {
            self.cover(end, self.column, None);
        }
    }

    /// Assigns columns of the cursor's line to a row, or erases them if `row` is `None`.
    fn cover(&mut self, from: usize, to: usize, row: Option<u64>) {
        let Some(Line { pieces, .. }) = self.lines.get_mut(self.line) else { return };
        if pieces.is_empty() {
            if let Some(row) = row {
                pieces.push(Piece { from, to, row });
                self.drawn(row, |drawn| {
                    drawn.columns = drawn.columns.saturating_add(to.saturating_sub(from));
                });
            }
            return;
        }
        let start = pieces.partition_point(|piece| piece.to <= from);
        let end = pieces.partition_point(|piece| piece.from < to).max(start);
        let covered: Vec<Piece> = pieces.get(start..end).unwrap_or_default().to_vec();
        let left = covered
            .first()
            .filter(|piece| piece.from < from)
            .map(|piece| Piece { to: from, ..*piece });
        let right =
            covered.last().filter(|piece| piece.to > to).map(|piece| Piece { from: to, ..*piece });
        let new = row.map(|row| Piece { from, to, row });
        pieces.splice(start..end, [left, new, right].into_iter().flatten());
        let is_torn = pieces.len() > MAX_PIECES;
        for piece in covered {
            self.lose(piece.row, piece.to.min(to).saturating_sub(piece.from.max(from)));
        }
        if let Some(row) = row {
            self.drawn(row, |drawn| {
                drawn.columns = drawn.columns.saturating_add(to.saturating_sub(from));
            });
        }
        if is_torn {
            self.reset();
        }
    }

    /// Moves the pieces of the cursor's line that begin at or after the cursor. `moved` returns the
    /// new column for an old one.
    fn shift(&mut self, moved: impl Fn(usize) -> usize) {
        let column = self.column;
        let pieces = self.lines.get_mut(self.line).into_iter().flat_map(|line| &mut line.pieces);
        for piece in pieces.filter(|piece| piece.from >= column) {
            (piece.from, piece.to) = (moved(piece.from), moved(piece.to));
        }
    }

    /// Starts again with lines below all earlier ones, so that later rows can overwrite no earlier
    /// row.
    fn reset(&mut self) {
        self.lines.iter_mut().for_each(|line| *line = Line::default());
        self.top = self.top.saturating_add(LINES as u64);
        self.line = LINES - 1;
    }

    fn lose(&mut self, row: u64, columns: usize) {
        self.drawn(row, |drawn| drawn.columns = drawn.columns.saturating_sub(columns));
    }

    /// Updates a row, if it is still pending.
    fn drawn(&mut self, row: u64, change: impl FnOnce(&mut Drawn)) {
        let at = row.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(drawn) = at.and_then(|at| self.rows.get_mut(at)) {
            change(drawn);
        }
    }

    /// Returns the number of the row that is being added.
    fn current(&self) -> u64 {
        self.first.saturating_add(self.rows.len() as u64).saturating_sub(1)
    }

    /// Moves the cursor to a column, but no farther right than the end of the text, [`EDGE`] or the
    /// current column, whichever is greatest.
    fn move_to(&mut self, column: usize) {
        let text = self
            .lines
            .get(self.line)
            .and_then(|line| line.pieces.last())
            .map_or(0, |piece| piece.to);
        self.column = column.min(EDGE.max(text).max(self.column));
    }
}

impl Default for Frames {
    fn default() -> Self {
        let lines = iter::repeat_with(Line::default).take(LINES).collect();
        Self {
            rows: VecDeque::new(),
            first: 0,
            lines,
            top: 0,
            line: LINES - 1,
            column: 0,
            run: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the rows that are not overwritten.
    fn left<'r>(rows: &[&'r str]) -> Vec<&'r str> {
        let settled = overwritten(rows.iter().map(|row| row.as_bytes()));
        rows.iter()
            .zip(settled)
            .filter(|(_, is_overwritten)| !is_overwritten)
            .map(|(row, _)| *row)
            .collect()
    }

    #[test]
    fn a_row_with_visible_text_is_kept() {
        for (rows, stay) in [
            (&["10%", "\x1b[1A20%"][..], &["\x1b[1A20%"][..]),
            (&["Starting", "\x1b[1A\x1b[20G[ok]"], &["Starting", "\x1b[1A\x1b[20G[ok]"]),
            (&["a", "b", "\x1b[2A\x1b[J"], &[]),
            (&["a", "b", "\x1b[2A\x1b[J", "c"], &["\x1b[2A\x1b[J", "c"]),
            (&["a", "\x1b[1A\x1b[2K\x1b[1B"], &[]),
            (&["one", "", "two"], &["one", "", "two"]),
            (&["one", ""], &["one", ""]),
            (&["", "\x1b[1A\rlayer\x1b[1B", "done"], &["\x1b[1A\rlayer\x1b[1B", "done"]),
            (&["x", "\x1b[?25h"], &["x"]),
            (&["spinner\r\x1b[K", "done"], &["spinner\r\x1b[K", "done"]),
        ] {
            assert_eq!(left(rows), stay, "{rows:?}");
        }
    }

    #[test]
    fn unknown_sequences_hide_no_rows() {
        for screen in ["\x1b[2J", "\x1b[H", "\x1b[5;1H", "\x1bc", "\x1b[?1049h", "\x1b[3L"] {
            let row = format!("{screen}\x1b[1A\x1b[2Knew");
            assert_eq!(left(&["old", &row]), ["old", &row]);
            assert_eq!(left(&["old", "", "", &row]), ["old", "", "", &row], "blank rows");
        }
    }

    #[test]
    fn redraws_are_tracked_for_a_limited_number_of_rows() {
        let hidden = |between: usize| {
            let up = format!("\x1b[{}A\x1b[2K", between + 1);
            let rows =
                iter::once("old").chain(iter::repeat_n("between", between)).chain([up.as_str()]);
            overwritten(rows.map(str::as_bytes))[0]
        };
        assert!(hidden(MAX_FRAME_ROWS - 1));
        assert!(!hidden(MAX_FRAME_ROWS));
    }
}
