//! The text of a row, the notes after it, and the marked matches in it.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;

use super::lines::Flow;
use super::pen::Pen;
use super::{GUTTER, LogRows, indent};
use crate::log::Row;
use crate::sanitize::{Sanitizer, Span};

/// The number of columns beyond the right edge that are searched, to mark matches across the edge.
const MARK_COLUMNS: usize = 256;

impl LogRows<'_> {
    /// Draws the text of a row, or of a state of it, from line `y` on, which may be above the pane.
    /// Returns the number of lines it takes.
    pub(super) fn draw_text(
        &self,
        buffer: &mut Buffer,
        body: Rect,
        y: i32,
        index: usize,
        (row, bytes, notes): (&Row, &[u8], &[String]),
        sanitizer: &mut Sanitizer,
    ) -> i32 {
        let indent = indent(self.depths, index, self.columns.text);
        let lead = (GUTTER + self.columns.number + self.columns.time + indent).min(body.width);
        let width = self.columns.text - indent;
        let text = Rect { x: body.x + lead, width: width.min(body.width - lead), ..body };
        let text = text.intersection(buffer.area);
        let is_wrapped = self.wrap || self.wrapped == Some(row.offset);
        let columns = if is_wrapped { usize::MAX } else { self.columns_looked_at(text.width) };
        let spans = sanitizer.row_within(bytes, columns);
        let marks = self.marks(&spans);
        let flow =
            is_wrapped.then(|| Flow { width: usize::from(width).max(1), line: 0, column: 0 });
        let mut pen =
            Pen { buffer, area: text, y, column: 0, from: self.sideways, is_cut: false, flow };
        let mut place = 0;
        for Span { text, style, .. } in &spans {
            let style = self.theme.span(Style::new(), *style);
            let marked = self.theme.marked(style);
            // Mark whole characters: a mark that begins within one would split it.
            for (at, grapheme) in text.grapheme_indices(true) {
                let is_marked = marks.iter().any(|mark| mark.contains(&(place + at)));
                if !pen.write_one(grapheme, if is_marked { marked } else { style }) {
                    break;
                }
            }
            place += text.len();
        }
        for note in notes {
            let style = if row.cut_bytes > 0 { self.theme.muted } else { self.theme.warn };
            pen.write(&note.replace('…', self.theme.signs.ellipsis), style);
        }
        pen.finish(self.theme)
    }

    /// Returns the number of columns of an unwrapped row to process: one more than fits, to detect
    /// a cut, or some more to mark matches across the edge.
    const fn columns_looked_at(&self, width: u16) -> usize {
        let beyond = if self.search.is_some() { MARK_COLUMNS } else { 1 };
        self.sideways.saturating_add(width as usize).saturating_add(beyond)
    }

    /// Returns the byte ranges of the shown text that match.
    fn marks(&self, spans: &[Span]) -> Vec<Range<usize>> {
        let Some(query) = self.search else { return Vec::new() };
        let text: String = spans.iter().map(|span| span.text.as_str()).collect();
        query.marks(&text)
    }
}
