//! A row that was written over itself: cells, as a terminal has them, wide enough never to wrap.
//!
//! The cursor may also leave the row's line for those above and below. What lies there of other
//! rows is not known here: the row shows what it wrote itself, line by line.
//!
//! Bounded by the row's bytes, whatever it asks for: columns are made by text, or by a jump, also
//! to another line, as far as a wide terminal has some ([`EDGE`]); lines reach as far as redraws
//! are followed; and blanks that are inserted are counted, as is what erasing and shifting may
//! cost. It takes some 12 bytes per byte, more where there are tabs, so a row of more than
//! [`MAX_BYTES`] is shown in full.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthChar;

use super::frames::MAX_FRAME_ROWS;
use super::ops::{Control, Op, Ops};
use super::{Link, Span, Style, push_visible};

/// Where a jump to the right ends at the latest, unless there is text: the last column of a
/// terminal.
pub(super) const EDGE: usize = 255;

/// The longest row that is drawn.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// How far up or down the cursor may be.
const MAX_LINES: isize = MAX_FRAME_ROWS.cast_signed();

/// Cells that may be moved or erased per byte of the row.
const CELLS_PER_BYTE: usize = 64;

/// Between two lines of one row.
pub(super) const LINE_END: &str = " ␊ ";

/// The place of a character.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Cell {
    found: char,
    /// Which of the canvas' looks.
    look: u32,
    /// Which of what joins characters there joins this one.
    joined: u32,
}

impl Cell {
    /// Nothing was written here. Controls themselves never stand in cells.
    const BLANK: Self = Self { found: '\0', look: 0, joined: 0 };
    /// The right half of the wide character before it.
    const HALF: Self = Self { found: '\x01', look: 0, joined: 0 };

    const fn is_blank(self) -> bool {
        matches!(self.found, ' ' | '\0')
    }
}

/// How a cell looks.
#[derive(Clone, PartialEq, Eq, Default)]
struct CellLook {
    style: Style,
    link: Option<Link>,
}

/// What a row has drawn.
pub(super) struct Canvas {
    /// By their distance from the line on which the row began.
    lines: BTreeMap<isize, Vec<Cell>>,
    line: isize,
    column: usize,
    /// How what comes next looks.
    pen: CellLook,
    /// How cells look; the first is that of blank ones.
    looks: Vec<CellLook>,
    /// Characters without a width that join those of cells; the first is nothing.
    joined: Vec<String>,
    /// How many cells may still be moved or erased.
    cells_left: usize,
    /// How many blanks may still be inserted.
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

    /// What is to be seen of a row in the end, and the style that the next one begins with.
    pub(super) fn draw(mut self, bytes: &[u8]) -> (Style, Vec<Span>) {
        for op in self.after_wipes(Ops::new(bytes)) {
            self.obey(op);
        }
        (self.pen.style, self.spans())
    }

    /// What is written after the line was last erased whole: most of a progress bar is never seen.
    /// Takes what comes before it for the pen's sake only.
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
                    is_erased |= is_at_start
                }
                // Other lines may have been written on.
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

    fn obey(&mut self, op: Op<'_>) {
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

    /// Obeys a control, if that does not cost too much.
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

    /// The cells of the cursor's line.
    fn cells(&mut self) -> &mut Vec<Cell> {
        self.lines.entry(self.line).or_default()
    }

    /// Moves the cursor right, not beyond text and the edge.
    fn move_to(&mut self, column: usize) {
        let edge = self.cells().len().max(EDGE).max(self.column);
        self.column = column.min(edge);
    }

    /// Writes characters, those that are not harmless as what stands for them.
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

    /// Erases cells of the cursor's line, and the other halves of wide characters that are cut.
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

    /// The lines that the row leaves, top down. What lies below the one on which it ends is where
    /// the next row begins, so it counts only where there is nothing else.
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

/// The cells of some columns, to be written. What they cover of wide characters leaves blanks.
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

/// Adds a character without a width to the one before the cursor. Where none is, a terminal shows
/// nothing of it.
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

/// Rows are far too short for more.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Makes blanks of a wide character whose halves lie on both sides of a column's left edge.
fn split(cells: &mut [Cell], column: usize) {
    if let Some(before) = column.checked_sub(1)
        && let Some([left, right]) = cells.get_mut(before..=column)
        && *right == Cell::HALF
    {
        (*left, *right) = (Cell::BLANK, Cell::BLANK);
    }
}
