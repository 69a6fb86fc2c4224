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
/// How many rows before the screen are looked at for colours left switched on.
const MAX_ABOVE: usize = 100;

/// The rows on screen.
pub struct LogRows<'a> {
    /// From the first one on screen.
    pub rows: &'a [Row],
    /// Those before it, as far as they are at hand: a colour that one of them leaves switched on is still on.
    pub above: &'a [Row],
    /// How many columns are scrolled out at the left.
    pub sideways: usize,
    /// Whoever wrote them was cut short: a row without its end will not get one.
    pub is_broken_off: bool,
    /// How they look.
    pub theme: &'a Theme,
}

impl LogRows<'_> {
    /// Draws the rows that fit.
    pub fn draw(&self, buffer: &mut Buffer, body: Rect) {
        let mut sanitiser = Sanitiser::default();
        for row in self.above.iter().skip(self.above.len().saturating_sub(MAX_ABOVE)) {
            sanitiser.row_within(&row.text, 0);
        }
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
        // One more than fit, so that the edge is seen to cut something.
        let columns = self.sideways.saturating_add(usize::from(text.width)).saturating_add(1);
        let spans = sanitiser.row_within(&row.text, columns);
        let mut pen = Pen { buffer, area: text, column: 0, from: self.sideways, is_cut: false };
        for Span { text, style } in &spans {
            pen.write(text, theme.span(base, *style));
        }
        if let Some(malformed) = row.malformed {
            pen.write(&format!("  ({})", malformed.reason), theme.warn);
        }
        if self.is_broken_off && !row.complete {
            pen.write("  (unfinished)", theme.warn);
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
            // In the second half of a wide character the mark would not be drawn: the character goes.
            if let Some(before) = x.checked_sub(1).and_then(|x| self.buffer.cell_mut((x, self.area.y)))
                && before.symbol().width() > 1
            {
                before.set_symbol(" ");
            }
            self.buffer.set_stringn(x, self.area.y, theme.signs.more, 1, theme.muted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cri::{Malformed, Reason};
    use ratatui::style::{Color, Modifier};

    fn row(stream: Option<Stream>, text: &str) -> Row {
        let malformed = stream.is_none().then_some(Malformed { reason: Reason::Blank, column: 1 });
        let text = text.as_bytes().to_vec();
        Row { offset: 0, at: None, last_at: None, stream, text, cut_bytes: 0, complete: true, malformed }
    }

    /// Draws into a screen of this width and height.
    fn draw(rows: &[Row], sideways: usize, width: u16, height: u16) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        let area = buffer.area;
        LogRows { rows, above: &[], sideways, is_broken_off: false, theme: &Theme::new(true, false) }
            .draw(&mut buffer, area);
        buffer
    }

    fn lines(rows: &[Row], sideways: usize, width: u16) -> String {
        crate::tui::sim::text(&draw(rows, sideways, width, u16::try_from(rows.len()).unwrap()))
    }

    #[test]
    fn streams_and_malformed_lines_are_told_by_a_mark() {
        let rows = [row(Some(Stream::Stdout), "out"), row(Some(Stream::Stderr), "err"), row(None, "")];
        assert_eq!(lines(&rows, 0, 20), "  out\nE err\n!   (blank line)\n");
    }

    #[test]
    fn a_row_of_exactly_the_width_is_whole_and_a_longer_one_is_marked() {
        let out = |text| [row(Some(Stream::Stdout), text)];
        assert_eq!(lines(&out("123456"), 0, 8), "  123456\n");
        assert_eq!(lines(&out("1234567"), 0, 8), "  12345›\n");
        assert_eq!(lines(&out("1234567"), 1, 8), "  234567\n");
        assert_eq!(lines(&out("1234567"), 9, 8), "\n");
    }

    #[test]
    fn wide_characters_are_never_halved() {
        let out = |text| [row(Some(Stream::Stdout), text)];
        assert_eq!(lines(&out("日本語"), 0, 8), "  日本語\n");
        assert_eq!(lines(&out("日本語"), 0, 7), "  日本›\n");
        assert_eq!(lines(&out("a日本語"), 0, 7), "  a日 ›\n");
        assert_eq!(lines(&out("日本語"), 1, 8), "   本語\n", "half of it is out of sight");
        assert_eq!(lines(&out("e\u{301}e\u{301}"), 1, 8), "  e\u{301}\n");
    }

    #[test]
    fn colours_of_a_row_lie_over_the_colour_of_its_stream() {
        let buffer = draw(&[row(Some(Stream::Stderr), "a\x1b[1;32mb\x1b[0mc")], 0, 8, 1);
        let style = |x| (buffer[(x, 0)].fg, buffer[(x, 0)].modifier);
        let (plain, bold) = (Modifier::empty(), Modifier::BOLD);
        assert_eq!([2, 3, 4].map(style), [(Color::Magenta, plain), (Color::Green, bold), (Color::Magenta, plain)]);
    }

    #[test]
    fn a_colour_left_on_above_the_screen_is_still_on() {
        let rows = [row(Some(Stream::Stdout), "\x1b[32mgreen"), row(Some(Stream::Stdout), "too")];
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
        let (area, theme) = (buffer.area, Theme::new(true, false));
        LogRows { rows: &rows[1..], above: &rows[..1], sideways: 0, is_broken_off: false, theme: &theme }
            .draw(&mut buffer, area);
        assert_eq!(buffer[(2, 0)].fg, Color::Green);
    }

    #[test]
    fn a_long_row_hands_its_last_colour_down() {
        let long = format!("\x1b[31m{}\x1b[32m", "x".repeat(5000));
        let rows = [row(Some(Stream::Stdout), &long), row(Some(Stream::Stdout), "next")];
        let buffer = draw(&rows, 0, 8, 2);
        assert_eq!((buffer[(2, 0)].fg, buffer[(2, 1)].fg), (Color::Red, Color::Green));
        assert_eq!(buffer[(7, 0)].symbol(), "›");
    }

    #[test]
    fn a_row_whose_end_will_not_come_is_unfinished() {
        let rows = [row(Some(Stream::Stdout), "whole"), Row { complete: false, ..row(Some(Stream::Stdout), "half") }];
        let mut buffer = Buffer::empty(Rect::new(0, 0, 30, 2));
        let (area, theme) = (buffer.area, Theme::new(true, false));
        LogRows { rows: &rows, above: &[], sideways: 0, is_broken_off: true, theme: &theme }.draw(&mut buffer, area);
        assert_eq!(crate::tui::sim::text(&buffer), "  whole\n  half  (unfinished)\n");
        assert_eq!(lines(&rows, 0, 30), "  whole\n  half\n");
    }

    #[test]
    fn what_was_left_out_of_a_row_is_said() {
        let cut = Row { cut_bytes: 2048, ..row(Some(Stream::Stdout), "ab") };
        assert_eq!(lines(&[cut], 0, 30), "  ab … 2.0 KiB more\n");
    }
}
