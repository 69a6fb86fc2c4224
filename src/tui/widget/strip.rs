//! One row of the screen, filled from the left and from the right. Text is drawn only in the
//! columns that are still free.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A row with its free columns.
pub struct Strip<'b> {
    buffer: &'b mut Buffer,
    y: u16,
    left: u16,
    right: u16,
    ellipsis: &'static str,
}

impl<'b> Strip<'b> {
    /// Creates a strip from the first row of an area. The part outside the buffer is not drawn.
    pub fn new(buffer: &'b mut Buffer, area: Rect, ellipsis: &'static str) -> Self {
        let area = area.intersection(buffer.area);
        let right = if area.height == 0 { area.x } else { area.right() };
        Self { buffer, y: area.y, left: area.x, right, ellipsis }
    }

    /// Returns the number of free columns.
    #[must_use]
    pub const fn free(&self) -> usize {
        self.right.saturating_sub(self.left) as usize
    }

    /// Leaves columns blank at the left.
    pub fn skip(&mut self, columns: u16) -> &mut Self {
        self.left = self.left.saturating_add(columns).min(self.right);
        self
    }

    /// Draws a text at the left, cut to the free columns.
    pub fn put(&mut self, text: &str, style: Style) -> &mut Self {
        // A text that was cut earlier may also contain an ellipsis.
        let text = text.replace('…', self.ellipsis);
        let text = cut(&text, self.free(), self.ellipsis);
        let (end, _) = self.buffer.set_stringn(self.left, self.y, &text, self.free(), style);
        self.left = end.max(self.left).min(self.right);
        self
    }

    /// Draws a text at the right, if all of it fits and `reserve` columns stay free for the left.
    pub fn put_right(&mut self, text: &str, style: Style, reserve: usize) -> &mut Self {
        let width = text.width();
        if width == 0 || width + reserve > self.free() {
            return self;
        }
        self.right -= u16::try_from(width).unwrap_or(self.right - self.left);
        self.buffer.set_stringn(self.right, self.y, text, width, style);
        self
    }

    /// Leaves columns blank at the right.
    pub fn skip_right(&mut self, columns: u16) -> &mut Self {
        self.right = self.right.saturating_sub(columns).max(self.left);
        self
    }

    /// Fills the free columns with one sign.
    pub fn fill(&mut self, sign: &str, style: Style) {
        for x in self.left..self.right {
            self.buffer.set_stringn(x, self.y, sign, 1, style);
        }
        self.left = self.right;
    }
}

/// Cuts a text to at most `width` columns. A text that was cut ends in the ellipsis.
#[must_use]
pub fn cut<'t>(text: &'t str, width: usize, ellipsis: &str) -> Cow<'t, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    let mut columns = 0;
    for grapheme in text.graphemes(true) {
        columns += grapheme.width();
        if columns + ellipsis.width() > width {
            break;
        }
        kept.push_str(grapheme);
    }
    if width > 0 {
        kept.push_str(ellipsis);
    }
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_ends_in_an_ellipsis_and_never_in_half_a_character() {
        assert_eq!(cut("cargo test", 10, "…"), "cargo test");
        assert_eq!(cut("cargo test", 9, "…"), "cargo te…");
        assert_eq!(cut("日本語", 6, "…"), "日本語");
        assert_eq!(cut("日本語", 5, "…"), "日本…");
        assert_eq!(cut("日本語", 4, "…"), "日…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2, "…"), "e\u{301}…");
        assert_eq!(cut("abc", 0, "…"), "");
    }

    #[test]
    fn left_and_right_never_overlap() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        let area = buffer.area;
        Strip::new(&mut buffer, area, "…")
            .put_right("34.0s", Style::new(), 3)
            .put("cargo test", Style::new());
        assert_eq!(buffer, Buffer::with_lines(["cargo …34.0s"]));
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        let area = buffer.area;
        Strip::new(&mut buffer, area, "…")
            .put_right("34.0s", Style::new(), 3)
            .put("cargo test", Style::new());
        assert_eq!(buffer, Buffer::with_lines(["cargo…"]));
    }

    #[test]
    fn outside_the_buffer_nothing_is_drawn() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 3, 1));
        Strip::new(&mut buffer, Rect::new(1, 5, 9, 1), "…")
            .put("abc", Style::new())
            .fill("─", Style::new());
        Strip::new(&mut buffer, Rect::new(1, 0, 9, 1), "…").put("abc", Style::new());
        assert_eq!(buffer, Buffer::with_lines([" a…"]));
    }
}
