//! The rows of a log: only those on screen are looked at.
//!
//! ```text
//!        12  +0.103s running 2 tests                        numbers and times where they are wanted
//! E▌     13  +4.210s error: test failed                     standard error: a mark and a color; the current row
//! !      14          2026-01-01 what is this  (neither stdout nor stderr)
//! ```
//!
//! Whatever the rows hold reaches the screen through the sanitizer. A row longer than the pane is
//! wide ends in `›`, or goes on in the next line where rows are wrapped. Invariant: a row takes as
//! many lines as [`lines_of`] says.

mod columns;
mod heading;
mod lead;
mod lines;
mod pen;
#[cfg(test)]
mod tests;
mod text;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::cri::Stream;
use crate::log::Row;
use crate::sanitize::{self, Progress, Sanitizer};
use crate::search::Query;
use crate::tui::theme::Theme;

pub use columns::Columns;
pub use heading::Heading;
pub use lead::Stamps;
pub use lines::lines_of;
use lines::{notes, states};

/// The columns of the mark at the left.
const GUTTER: u16 = 2;
/// How many rows before the screen are looked at for colors left switched on: all that are at hand,
/// on most screens.
const MAX_ABOVE: usize = 1000;

/// The rows on screen.
pub struct LogRows<'a> {
    /// From the first one on screen.
    pub rows: &'a [Row],
    /// Which of them are headings.
    pub headings: &'a [Option<Heading>],
    /// Their numbers, from 0, where they are known.
    pub numbers: &'a [Option<u64>],
    /// Those before it, as far as they are at hand: a color that one of them leaves switched on is
    /// still on.
    pub above: &'a [Row],
    /// What the rows before those have left switched on.
    pub style: sanitize::Style,
    /// How many columns are scrolled out at the left.
    pub sideways: usize,
    /// Long rows go on in the next line.
    pub wrap: bool,
    /// How many lines of the first row are scrolled out of sight.
    pub line: usize,
    /// How the width is divided.
    pub columns: Columns,
    /// The times.
    pub stamps: Stamps<'a>,
    /// What is marked.
    pub search: Option<&'a Query>,
    /// Where the current row begins.
    pub at: Option<u64>,
    /// How much of what was overwritten is shown.
    pub progress: Progress,
    /// Whoever wrote them was cut short: a row without its end will not get one.
    pub is_interrupted: bool,
    /// How they look.
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
            if let Some(heading) = self.headings.get(index).and_then(Option::as_ref) {
                self.draw_heading(buffer, body, y, heading, self.at == Some(row.offset));
                // What one log leaves switched on has no bearing on the next, nor when it ended.
                (sanitizer, before) = (Sanitizer::new(self.progress), None);
                y += 1;
                continue;
            }
            let states = states(row, self.progress);
            for (state_index, state) in states.iter().enumerate() {
                if y >= i32::from(body.bottom()) {
                    break;
                }
                let number = if state_index == 0 { self.number(index) } else { String::new() };
                self.draw_lead(buffer, body, y, (row, &number), (state.at, before));
                before = state.at.or(before);
                let notes = if state_index + 1 == states.len() {
                    notes(row, self.progress, self.is_interrupted)
                } else {
                    Vec::new()
                };
                y += self.draw_text(buffer, body, y, (row, state.text, &notes), &mut sanitizer);
            }
        }
    }

    /// The sign of a row, and how that and its text look.
    const fn looks(&self, row: &Row) -> (&'static str, Style, Style) {
        let theme = self.theme;
        match (row.malformed, row.stream) {
            (Some(_), _) => ("!", theme.warn, theme.muted),
            (None, Some(Stream::Stderr)) => ("E", theme.stderr, theme.stderr),
            (None, _) => (" ", theme.muted, Style::new()),
        }
    }
}
