//! Renderer for rows that overwrite themselves: a grid of cells, as in a terminal, that never
//! wraps.
//!
//! The cursor may also move to the lines above and below. The text of other rows on those lines is
//! unknown here, so only the row's own text is shown, line by line.
//!
//! The size of the grid is bounded by the bytes of the row, not by the numbers in its sequences.
//! Text and tabs make a line longer. A jump of the cursor, also to another line, goes no farther
//! than the width of a wide terminal ([`EDGE`]) or the end of longer text. The cursor moves at most
//! [`MAX_LINES`] lines up or down. The number of blanks that are inserted, and of cells that are
//! erased or shifted, is limited. A canvas takes about 12 bytes per byte of the row, or more with
//! tabs, so a row of more than [`MAX_BYTES`] is shown in full instead.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthChar;

use super::frames::MAX_FRAME_ROWS;
use super::ops::{Control, Op, Ops};
use super::{Link, Span, Style, push_visible};

/// The last of 256 columns, the width of a wide terminal. A jump to the right goes no farther,
/// unless the text of the line is longer.
pub(super) const EDGE: usize = 255;

/// The length in bytes of the longest row that is drawn.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// The number of lines that the cursor can move up or down.
const MAX_LINES: isize = MAX_FRAME_ROWS.cast_signed();

/// The number of cells that may be moved or erased per byte of the row.
const CELLS_PER_BYTE: usize = 64;

/// The separator between two lines of one row.
pub(super) const LINE_END: &str = " ␊ ";

/// A character cell.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Cell {
    found: char,
    /// The index of the cell's look in [`Canvas::looks`].
    look: u32,
    /// The index of the cell's zero-width characters in [`Canvas::joined`].
    joined: u32,
}

impl Cell {
    /// An unwritten cell. Except for this cell and [`Self::HALF`], cells contain no control
    /// characters.
    const BLANK: Self = Self { found: '\0', look: 0, joined: 0 };
    /// The right half of the wide character before it.
    const HALF: Self = Self { found: '\x01', look: 0, joined: 0 };

    const fn is_blank(self) -> bool {
        matches!(self.found, ' ' | '\0')
    }
}

/// The look of a cell.
#[derive(Clone, PartialEq, Eq, Default)]
struct CellLook {
    style: Style,
    link: Option<Link>,
}

/// The grid of cells that a row has drawn.
pub(super) struct Canvas {
    /// Lines by their distance from the line on which the row began.
    lines: BTreeMap<isize, Vec<Cell>>,
    line: isize,
    column: usize,
    /// The look of the next text.
    pen: CellLook,
    /// The looks of cells; the first is that of blank cells.
    looks: Vec<CellLook>,
    /// Zero-width characters that are appended to the characters of cells; the first entry is
    /// empty.
    joined: Vec<String>,
    /// The number of cells that may still be moved or erased.
    cells_left: usize,
    /// The number of blanks that may still be inserted.
    blanks_left: usize,
}

impl Canvas {
    pub(super) fn new(style: Style, bytes: usize) -> Self {
        Self {
            lines: BTreeMap::new(),
            line: 0,
            column: 0,
            pen: CellLook { style, link: None },
            looks: vec![CellLook::default()],
            joined: vec![String::new()],
            cells_left: bytes.saturating_mul(CELLS_PER_BYTE),
            blanks_left: bytes.saturating_add(EDGE),
        }
    }

    /// Draws a row. Returns the style that the next row begins with, and the final spans of this
    /// row.
    pub(super) fn draw(mut self, bytes: &[u8]) -> (Style, Vec<Span>) {
        for op in self.after_wipes(Ops::new(bytes)) {
            self.apply(op);
        }
        (self.pen.style, self.spans())
    }

    /// Skips text that is never visible, such as most of a progress bar. Returns the operations
    /// after the last point at which the whole line was erased. Of the operations before that
    /// point, only the changes to the pen are applied.
    fn after_wipes<'a>(&mut self, mut ops: Ops<'a>) -> Ops<'a> {
        let (mut left, mut pen) = (ops.clone(), self.pen.clone());
        let (mut is_at_start, mut is_erased) = (true, true);
        while let Some(op) = ops.next() {
            match op {
                Op::Sgr(sequence) => pen.style = pen.style.after(sequence),
                Op::Link(target) => pen.link = Link::new(target),
                Op::Control(Control::Nothing, _) => {}
                Op::Control(Control::Column(0), _) => is_at_start = true,
                Op::Control(Control::EraseLine, _) => is_erased = true,
                Op::Control(Control::EraseRight | Control::EraseBelow, _) => {
                    is_erased |= is_at_start;
                }
                // Text may have been written on other lines.
                Op::Control(Control::Vertical { .. }, _) => break,
                _ => (is_at_start, is_erased) = (false, false),
            }
            if is_at_start && is_erased {
                left = ops.clone();
                self.pen.clone_from(&pen);
            }
        }
        left
    }

    fn apply(&mut self, op: Op<'_>) {
        match op {
            Op::Text(text) => self.text(text),
            Op::Tab => self.column = next_tab(self.column),
            Op::Special(found) => self.visible(found.encode_utf8(&mut [0; 4])),
            Op::Invalid => self.text("\u{fffd}"),
            Op::Sgr(sequence) => self.pen.style = self.pen.style.after(sequence),
            Op::Link(target) => self.pen.link = Link::new(target),
            Op::Control(control, written) => {
                if !self.control(control) {
                    self.visible(written);
                }
            }
        }
    }

    /// Applies a control. Returns false, and changes no cell, if the control would exceed the
    /// budget of cells.
    fn control(&mut self, control: Control) -> bool {
        let length = self.cells().len();
        let right = length.saturating_sub(self.column);
        let cost = match control {
            Control::EraseLeft => length.saturating_sub(right),
            Control::Erase(count) => count.min(right),
            Control::Delete(_) | Control::Insert(_) => right,
            _ => 0,
        };
        let Some(left) = self.cells_left.checked_sub(cost) else { return false };
        self.cells_left = left;
        match control {
            Control::Nothing => {}
            Control::Column(column) => self.move_to(column),
            Control::Left(count) => self.column = self.column.saturating_sub(count),
            Control::Right(count) => self.move_to(self.column.saturating_add(count)),
            Control::Vertical { down, to_start } => {
                self.line = self.line.saturating_add(down).clamp(-MAX_LINES, MAX_LINES);
                let column = std::mem::take(&mut self.column);
                self.move_to(if to_start { 0 } else { column });
            }
            Control::EraseRight => self.erase(self.column, length),
            Control::EraseLeft => self.erase(0, self.column.saturating_add(1)),
            Control::EraseLine => self.erase(0, length),
            Control::EraseBelow => {
                self.erase(self.column, length);
                self.lines.split_off(&self.line.saturating_add(1));
            }
            Control::Erase(count) => self.erase(self.column, self.column.saturating_add(count)),
            Control::Delete(count) => self.delete(count),
            Control::Insert(count) => self.insert(count.min(EDGE)),
        }
        true
    }

    /// Returns the cells of the cursor's line.
    fn cells(&mut self) -> &mut Vec<Cell> {
        self.lines.entry(self.line).or_default()
    }

    /// Moves the cursor to a column, but no farther right than the end of the text, [`EDGE`] or the
    /// current column, whichever is greatest.
    fn move_to(&mut self, column: usize) {
        let edge = self.cells().len().max(EDGE).max(self.column);
        self.column = column.min(edge);
    }

    /// Writes characters, with replacements for those that are not harmless.
    fn visible(&mut self, written: &str) {
        let mut shown = String::new();
        written.chars().for_each(|found| push_visible(&mut shown, found));
        self.text(&shown);
    }

    fn text(&mut self, text: &str) {
        if self.looks.last() != Some(&self.pen) {
            self.looks.push(self.pen.clone());
        }
        let (look, mut column) = (index(self.looks.len().saturating_sub(1)), self.column);
        let cells = self.lines.entry(self.line).or_default();
        if text.is_ascii() {
            self.column = column.saturating_add(text.len());
            let room = make_room(cells, column, self.column);
            room.iter_mut()
                .zip(text.chars())
                .for_each(|(cell, found)| *cell = Cell { found, look, joined: 0 });
            return;
        }
        for found in text.chars() {
            let width = found.width().unwrap_or(1).min(2);
            let end = column.saturating_add(width);
            match make_room(cells, column, end) {
                [] => join(cells, &mut self.joined, column, found),
                [first, rest @ ..] => {
                    *first = Cell { found, look, joined: 0 };
                    rest.fill(Cell::HALF);
                }
            }
            column = end;
        }
        self.column = column;
    }

    /// Erases cells of the cursor's line. If only one half of a wide character is in the range,
    /// both halves are erased.
    fn erase(&mut self, from: usize, to: usize) {
        let cells = self.cells();
        split(cells, from);
        split(cells, to);
        if to >= cells.len() {
            cells.truncate(from);
        } else if let Some(erased) = cells.get_mut(from..to) {
            erased.fill(Cell::BLANK);
        }
    }

    fn delete(&mut self, count: usize) {
        let from = self.column;
        let cells = self.cells();
        let to = from.saturating_add(count).min(cells.len());
        split(cells, from);
        split(cells, to);
        if from < to {
            cells.drain(from..to);
        }
    }

    fn insert(&mut self, count: usize) {
        let at = self.column;
        let count = count.min(self.blanks_left);
        let cells = self.cells();
        split(cells, at);
        if at < cells.len() {
            cells.splice(at..at, std::iter::repeat_n(Cell::BLANK, count));
            self.blanks_left = self.blanks_left.saturating_sub(count);
        }
    }

    /// Returns the spans of the lines with visible text, from top to bottom. The next row begins
    /// below the cursor and may overwrite the lines there. So the lines below the cursor are shown
    /// only if all others are blank.
    fn spans(&self) -> Vec<Span> {
        let has_ink = |cells: &&Vec<Cell>| cells.iter().any(|cell| !cell.is_blank());
        let mut seen: Vec<_> =
            self.lines.range(..=self.line).map(|(_, cells)| cells).filter(has_ink).collect();
        if seen.is_empty() {
            seen.extend(self.lines.range(self.line..).map(|(_, cells)| cells).filter(has_ink));
        }
        let mut out = Vec::new();
        for (number, cells) in seen.into_iter().enumerate() {
            if number > 0 {
                LINE_END.chars().for_each(|found| push(&mut out, found, &CellLook::default()));
            }
            self.line_spans(cells, &mut out);
        }
        out
    }

    fn line_spans(&self, cells: &[Cell], out: &mut Vec<Span>) {
        let written = cells
            .iter()
            .rposition(|cell| *cell != Cell::BLANK)
            .map_or(0, |last| last.saturating_add(1));
        for cell in cells.iter().take(written) {
            let Some(look) = self.looks.get(cell.look as usize) else { continue };
            match *cell {
                Cell::HALF => {}
                Cell::BLANK => push(out, ' ', look),
                Cell { found, .. } => push(out, found, look),
            }
            let joined = self.joined.get(cell.joined as usize);
            joined
                .into_iter()
                .flat_map(|joined| joined.chars())
                .for_each(|found| push(out, found, look));
        }
    }
}

fn push(spans: &mut Vec<Span>, found: char, look: &CellLook) {
    let style = look.style.legible();
    match spans.last_mut() {
        Some(span) if span.style == style && span.link == look.link => span.text.push(found),
        _ => spans.push(Span { text: found.into(), style, link: look.link.clone() }),
    }
}

/// Returns the cells of a range of columns for writing. A wide character with only one half in the
/// range becomes blanks.
fn make_room(cells: &mut Vec<Cell>, from: usize, to: usize) -> &mut [Cell] {
    if from == to {
        return &mut [];
    }
    if cells.len() > from {
        split(cells, from);
        split(cells, to);
    }
    if cells.len() < to {
        cells.resize(to, Cell::BLANK);
    }
    cells.get_mut(from..to).unwrap_or_default()
}

/// Returns the tab stop after a column.
pub(super) const fn next_tab(column: usize) -> usize {
    (column | 7).saturating_add(1)
}

/// Adds a zero-width character to the cell before the cursor. In column 0 it is dropped, as in a
/// terminal.
fn join(cells: &mut Vec<Cell>, combinations: &mut Vec<String>, column: usize, found: char) {
    let Some(before) = column.checked_sub(1) else { return };
    if cells.len() < column {
        cells.resize(column, Cell::BLANK);
    }
    let is_half = cells.get(before) == Some(&Cell::HALF);
    let Some(cell) = cells.get_mut(before.saturating_sub(usize::from(is_half))) else { return };
    if *cell == Cell::BLANK {
        cell.found = ' ';
    }
    if cell.joined == 0 {
        cell.joined = index(combinations.len());
        combinations.push(String::new());
    }
    if let Some(joined) = combinations.get_mut(cell.joined as usize) {
        joined.push(found);
    }
}

/// Converts an index. Rows are far too short to exceed `u32`.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Replaces a wide character by blanks if its right half is in `column`.
fn split(cells: &mut [Cell], column: usize) {
    if let Some(before) = column.checked_sub(1)
        && let Some([left, right]) = cells.get_mut(before..=column)
        && *right == Cell::HALF
    {
        (*left, *right) = (Cell::BLANK, Cell::BLANK);
    }
}
