//! The rows of a log. Only rows on screen are drawn; rows above are scanned for colors.
//!
//! ```text
//!        12  +0.103s running 2 tests                    optional numbers and times
//! E▌     13  +4.210s error: test failed                 a mark for standard error
//! !      14          2026-01-01 what is this  (neither stdout nor stderr)
//! ```
//!
//! The `▌` marks the current row, which may also be drawn as the cursor. All text of the rows
//! passes the sanitizer. A row wider than the pane ends in `›`, or continues on the next line if
//! rows are wrapped. Invariant: a row takes as many lines as [`lines_of`] returns.

mod columns;
mod heading;
mod lead;
mod lines;
mod pen;
#[cfg(test)]
mod tests;
mod text;

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::cri::Stream;
use crate::log::Row;
use crate::model::LogCut;
use crate::sanitize::{self, Progress, Sanitizer};
use crate::search::Query;
use crate::time::Time;
use crate::tui::theme::Theme;
use crate::tui::widget::draw_selection;

pub use columns::Columns;
pub use heading::Heading;
pub use lead::Stamps;
pub use lines::lines_of;
use lines::{notes, states};

/// The width of the mark at the left, in columns.
const GUTTER: u16 = 2;
/// The number of rows above the screen that are scanned for colors left switched on. This covers
/// all loaded rows on most screens.
const MAX_ABOVE: usize = 1000;

/// The number of columns by which a row is indented for each group around it, and the largest
/// indentation.
const INDENT: usize = 2;
const MAX_INDENT: usize = 8;

/// Returns the number of columns by which a row is indented: two per group, at most eight, and at
/// most a quarter of the width of the text.
#[must_use]
pub fn indent(depths: &[usize], index: usize, width: u16) -> u16 {
    let columns = depths.get(index).map_or(0, |depth| (depth * INDENT).min(MAX_INDENT));
    u16::try_from(columns).unwrap_or(0).min(width / 4)
}

/// The rows on screen.
pub struct LogRows<'a> {
    /// The rows, from the first one on screen.
    pub rows: &'a [Row],
    /// The headings, at the indices of their rows.
    pub headings: &'a [Option<Heading>],
    /// The numbers of the rows, from 0, where they are known.
    pub numbers: &'a [Option<u64>],
    /// For each row, the number of groups that contain it.
    pub depths: &'a [usize],
    /// For each row, the output that was removed from the log after it.
    pub cuts: &'a [Option<LogCut>],
    /// The loaded rows before `rows`: a color that they leave switched on is still on.
    pub above: &'a [Row],
    /// The style that the rows before `above` leave switched on.
    pub style: sanitize::Style,
    /// The number of columns scrolled out at the left.
    pub sideways: usize,
    /// True if long rows are wrapped.
    pub wrap: bool,
    /// The offset of a row that is wrapped in any case.
    pub wrapped: Option<u64>,
    /// The number of lines of the first row that are scrolled out.
    pub line: usize,
    /// The division of the width.
    pub columns: Columns,
    /// The times in front of the rows.
    pub stamps: Stamps<'a>,
    /// The search whose matches are marked.
    pub search: Option<&'a Query>,
    /// The offset of the current row.
    pub at: Option<u64>,
    /// The offsets of the rows that belong to the likely cause.
    pub marked: &'a [u64],
    /// True if the current row is drawn as the selection of a pane with the focus, false if as the
    /// selection of a pane without it; `None` if the row only has a sign.
    pub cursor: Option<bool>,
    /// The amount of overwritten text that is shown.
    pub progress: Progress,
    /// True if the writer was interrupted: an incomplete row will not be completed.
    pub is_interrupted: bool,
    /// The theme.
    pub theme: &'a Theme,
}

impl LogRows<'_> {
    /// Draws the rows that fit.
    pub fn draw(&self, buffer: &mut Buffer, body: Rect) {
        let mut sanitizer = Sanitizer::going_on(self.progress, self.style);
        for row in self.above.iter().skip(self.above.len().saturating_sub(MAX_ABOVE)) {
            sanitizer.row_within(&row.text, 0);
        }
        let mut before = self.above.iter().rfind(|row| row.at.is_some()).and_then(|row| row.at);
        let mut y = i32::from(body.y).saturating_sub(i32::try_from(self.line).unwrap_or(i32::MAX));
        for (index, row) in self.rows.iter().enumerate() {
            if y >= i32::from(body.bottom()) {
                break;
            }
            let top = y;
            if let Some(heading) = self.headings.get(index).and_then(Option::as_ref) {
                self.draw_heading(buffer, body, y, (index, heading), self.at == Some(row.offset));
                // Colors and times before a command do not apply to it. The heading of a group is a
                // row of the log.
                if row.at.is_none() {
                    (sanitizer, before) = (Sanitizer::new(self.progress), heading.start);
                } else {
                    sanitizer.row_within(&row.text, 0);
                    before = row.at;
                }
                y += 1;
            } else {
                y = self.draw_row(buffer, body, y, (index, row), (&mut sanitizer, &mut before));
            }
            if self.at == Some(row.offset) {
                self.draw_cursor(buffer, body, top..y);
            }
        }
    }

    /// Draws a row, and returns the line below it. `before` is the time of the row above, and is
    /// replaced with the time of this row.
    fn draw_row(
        &self,
        buffer: &mut Buffer,
        body: Rect,
        mut y: i32,
        (index, row): (usize, &Row),
        (sanitizer, before): (&mut Sanitizer, &mut Option<Time>),
    ) -> i32 {
        let states = states(row, self.progress);
        for (state_index, state) in states.iter().enumerate() {
            if y >= i32::from(body.bottom()) {
                break;
            }
            let number = if state_index == 0 { self.number(index) } else { String::new() };
            self.draw_lead(buffer, body, y, (row, &number), (state.at, *before));
            *before = state.at.or(*before);
            let notes = if state_index + 1 == states.len() {
                let removed = self.cuts.get(index).copied().flatten();
                notes(row, self.progress, (self.is_interrupted, removed))
            } else {
                Vec::new()
            };
            y += self.draw_text(buffer, body, y, index, (row, state.text, &notes), sanitizer);
        }
        y
    }

    /// Draws the cursor over the lines of a row, but not over marked matches.
    fn draw_cursor(&self, buffer: &mut Buffer, body: Rect, lines: Range<i32>) {
        let Some(has_focus) = self.cursor else { return };
        let width = body.width.saturating_sub(self.columns.bar);
        let shown = (body.top()..body.bottom()).filter(|y| lines.contains(&i32::from(*y)));
        for y in shown {
            let line = Rect { y, height: 1, width, ..body }.intersection(buffer.area);
            let marked = |x: &u16| {
                let cell = buffer.cell((*x, y))?.style();
                let is_mark = self.search.is_some() && self.theme.is_mark(cell);
                is_mark.then_some((*x, cell))
            };
            let marks: Vec<_> = (line.left()..line.right()).filter_map(|x| marked(&x)).collect();
            draw_selection(buffer, line, self.theme, has_focus);
            for (x, style) in marks {
                let of_cursor = buffer.cell((x, y)).map(ratatui::buffer::Cell::style);
                let style = self.theme.mark_in(style, of_cursor.unwrap_or_default());
                buffer.set_style(Rect { x, width: 1, ..line }, style);
            }
        }
    }

    /// Returns the sign of a row and its style. The text is not styled by its stream: most programs
    /// write ordinary progress to standard error, and another color would hide the colors of the
    /// log.
    const fn sign(&self, row: &Row) -> (&'static str, Style) {
        let theme = self.theme;
        match (row.malformed, row.stream) {
            (Some(_), _) => ("!", theme.warn),
            (None, Some(Stream::Stderr)) => ("E", theme.stderr),
            (None, _) => (" ", theme.muted),
        }
    }
}
