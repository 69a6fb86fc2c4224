//! The pen that writes the text of a row into its cells, character by character.

use std::num::NonZeroU16;

use ratatui::buffer::{Buffer, CellDiffOption};
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::lines::Flow;
use crate::tui::theme::Theme;

/// Returns true if terminals disagree on the width of a character. These are characters in which
/// several code points have a width (flags, skin tones, families, vowels of some scripts), and
/// characters marked as emoji.
pub(super) fn is_ambiguous(grapheme: &str) -> bool {
    let is_joined =
        |found: char| matches!(found, '\u{200d}' | '\u{fe0f}') || found.width() != Some(0);
    !grapheme.is_ascii() && grapheme.chars().skip(1).any(is_joined)
}

/// Keeps a character within its own columns, whatever width a terminal gives it: blanks the columns
/// first, then writes the character at its place, and moves to the place of the next one.
fn pin(buffer: &mut Buffer, x: u16, y: u16, width: usize) {
    let columns = u16::try_from(width).ok().and_then(NonZeroU16::new);
    let Some(columns) = columns.filter(|columns| x + columns.get() + 2 < buffer.area.right())
    else {
        return;
    };
    let next = x + columns.get();
    if let Some(cell) = buffer.cell_mut((x, y)) {
        let (line, here, behind) = (y + 1, x + 1, next + 1);
        let symbol =
            format!("{:width$}\x1b[{line};{here}H{}\x1b[{line};{behind}H", "", cell.symbol());
        cell.set_symbol(&symbol).set_diff_option(CellDiffOption::ForcedWidth(columns));
    }
    // Also mark the following columns: those of the character are not sent with this frame, but
    // anything that replaces them later must count as a change.
    for x in x + 1..next + 2 {
        buffer.cell_mut((x, y)).map(|cell| cell.set_diff_option(CellDiffOption::AlwaysUpdate));
    }
}

/// Draws a mark in place of a character. A mark in one half of a wide character would leave the
/// other half: the whole character is removed.
fn mark(buffer: &mut Buffer, x: u16, y: u16, sign: &str, theme: &Theme) {
    for x in x.saturating_sub(1)..=x {
        if let Some(cell) = buffer.cell_mut((x, y)).filter(|cell| cell.symbol().width() > 1) {
            cell.set_symbol(" ").set_diff_option(CellDiffOption::None);
        }
    }
    buffer.set_stringn(x, y, sign, 1, theme.muted);
}

/// A pen that writes graphemes, either into one line whose first `from` columns are scrolled out,
/// or into as many lines as needed.
pub(super) struct Pen<'b> {
    pub(super) buffer: &'b mut Buffer,
    pub(super) area: Rect,
    pub(super) y: i32,
    pub(super) column: usize,
    pub(super) from: usize,
    pub(super) is_cut: bool,
    pub(super) flow: Option<Flow>,
}

impl Pen<'_> {
    pub(super) fn write(&mut self, text: &str, style: Style) {
        for grapheme in text.graphemes(true) {
            if !self.write_one(grapheme, style) {
                return;
            }
        }
    }

    /// Writes a grapheme. Returns false if the text after it is not visible.
    pub(super) fn write_one(&mut self, grapheme: &str, style: Style) -> bool {
        let width = grapheme.width();
        let (line, column) = if let Some(flow) = &mut self.flow {
            flow.put(width)
        } else {
            let next = self.column.saturating_add(width);
            if next > self.from.saturating_add(usize::from(self.area.width)) {
                self.is_cut = true;
                return false;
            }
            let column = std::mem::replace(&mut self.column, next);
            // Half of a wide character at the left edge leaves a blank.
            let Some(column) = column.checked_sub(self.from) else { return true };
            (0, column)
        };
        if let (Ok(x), Some(y)) = (u16::try_from(column), self.line_at(line)) {
            self.buffer.set_stringn(self.area.x + x, y, grapheme, width, style);
            if is_ambiguous(grapheme) {
                pin(self.buffer, self.area.x + x, y, width);
            }
        }
        true
    }

    /// Returns the row of the screen for a line; `None` if it is not visible.
    fn line_at(&self, line: usize) -> Option<u16> {
        let y = self.y.saturating_add(i32::try_from(line).ok()?);
        u16::try_from(y).ok().filter(|y| (self.area.y..self.area.bottom()).contains(y))
    }

    /// Marks the line at the edges beyond which it continues, and returns the number of lines.
    pub(super) fn finish(self, theme: &Theme) -> i32 {
        if let (Some(y), 1..) = (self.line_at(0), self.area.width) {
            let marks = [
                (self.from > 0 && self.column > 0, self.area.x, theme.signs.before),
                (self.is_cut, self.area.right() - 1, theme.signs.more),
            ];
            for (_, x, sign) in marks.into_iter().filter(|(is_shown, ..)| *is_shown) {
                mark(self.buffer, x, y, sign, theme);
            }
        }
        let lines = self.flow.map_or(1, |flow| flow.line + 1);
        i32::try_from(lines).unwrap_or(i32::MAX)
    }
}
