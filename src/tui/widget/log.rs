//! The rows of a log: only those on screen are looked at.
//!
//! ```text
//!   running 2 tests
//! E error: test failed                     standard error: a mark and a colour
//! ! 2026-01-01 what is this  (neither stdout nor stderr)
//! ```
//!
//! Whatever the rows hold reaches the screen through the sanitiser. A row longer than the pane is wide ends in `›`.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::row_of;
use crate::cri::Stream;
use crate::log::Row;
use crate::sanitise::{Sanitiser, Span};
use crate::tui::theme::Theme;
use crate::words::size;

/// The columns of the mark at the left.
const GUTTER: u16 = 2;
/// A row is looked at up to so many bytes per column, and some more: what is behind is beyond the screen's edge.
const BYTES_PER_COLUMN: usize = 32;

/// The rows on screen.
pub struct LogRows<'a> {
    /// From the first one on screen.
    pub rows: &'a [Row],
    /// How many columns are scrolled out at the left.
    pub sideways: usize,
    /// How they look.
    pub theme: &'a Theme,
}

impl LogRows<'_> {
    /// Draws the rows that fit.
    pub fn draw(&self, buffer: &mut Buffer, body: Rect) {
        let mut sanitiser = Sanitiser::default();
        for (index, row) in self.rows.iter().enumerate() {
            let Some(area) = row_of(body, index) else { break };
            self.draw_row(buffer, area.intersection(buffer.area), row, &mut sanitiser);
        }
    }

    fn draw_row(&self, buffer: &mut Buffer, area: Rect, row: &Row, sanitiser: &mut Sanitiser) {
        let theme = self.theme;
        let (sign, mark, base) = match (row.malformed, row.stream) {
            (Some(_), _) => ("!", theme.warn, theme.muted),
            (None, Some(Stream::Stderr)) => ("E", theme.stderr, theme.stderr),
            (None, _) => (" ", theme.muted, Style::new()),
        };
        if area.width > GUTTER {
            buffer.set_stringn(area.x, area.y, sign, 1, mark);
        }
        let text = Rect { x: area.x + GUTTER.min(area.width), width: area.width.saturating_sub(GUTTER), ..area };
        let most = (self.sideways + usize::from(text.width)).saturating_mul(BYTES_PER_COLUMN).saturating_add(1024);
        let spans = sanitiser.row(row.text.get(..most).unwrap_or(&row.text));
        let mut pen = Pen { buffer, area: text, column: 0, from: self.sideways, is_cut: false };
        for Span { text, style } in &spans {
            pen.write(text, theme.span(base, *style));
        }
        if let Some(malformed) = row.malformed {
            pen.write(&format!("  ({})", malformed.reason), theme.warn);
        }
        if row.cut_bytes > 0 {
            pen.write(&format!(" {} {} more", theme.signs.ellipsis, size(row.cut_bytes)), theme.muted);
        }
        pen.finish(theme);
    }
}

/// Writes graphemes into a row of which the first `from` columns are out of sight.
struct Pen<'b> {
    buffer: &'b mut Buffer,
    area: Rect,
    column: usize,
    from: usize,
    is_cut: bool,
}

impl Pen<'_> {
    fn write(&mut self, text: &str, style: Style) {
        let end = self.from.saturating_add(usize::from(self.area.width));
        for grapheme in text.graphemes(true) {
            let width = grapheme.width();
            let next = self.column.saturating_add(width);
            if next > end {
                self.is_cut = true;
                return;
            }
            // Half of a wide character at the left edge leaves a blank.
            if self.column >= self.from
                && let Ok(x) = u16::try_from(self.column - self.from)
            {
                self.buffer.set_stringn(self.area.x + x, self.area.y, grapheme, width, style);
            }
            self.column = next;
        }
    }

    fn finish(self, theme: &Theme) {
        if self.is_cut && self.area.width > 0 {
            let x = self.area.right() - 1;
            self.buffer.set_stringn(x, self.area.y, theme.signs.more, 1, theme.muted);
        }
    }
}
