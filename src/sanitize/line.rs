//! Renderer for rows whose text is shown in the order it was written: the usual case, in one pass.
//!
//! Text is only appended. With [`Progress::Last`], this renderer handles rows whose cursor never
//! leaves the end of the text; [`super::canvas`] handles the others. With [`Progress::All`], it
//! handles every row.

use unicode_width::UnicodeWidthStr;

use super::ops::{Control, Op, Ops};
use super::{Link, Progress, Span, Style, push_visible};

/// A row under construction.
pub(super) struct Line<'a> {
    /// The style of the next text.
    style: Style,
    link: Option<Link>,
    /// The target of the open link; empty if no link is open. With [`Progress::All`], it is shown
    /// after the text of the link.
    target: &'a str,
    spans: Vec<Span>,
    /// The number of cells used so far.
    column: usize,
    /// The number of cells that the caller needs. Text after them may be omitted.
    columns: usize,
    progress: Progress,
    /// True if the caller needs styles and links.
    is_styled: bool,
}

impl<'a> Line<'a> {
    pub(super) fn new(style: Style, columns: usize, progress: Progress) -> Self {
        Self {
            style,
            link: None,
            target: "",
            spans: Vec::new(),
            column: 0,
            columns,
            progress,
            is_styled: true,
        }
    }

    /// Creates a line for a caller that needs only the text, which becomes one span.
    pub(super) fn unstyled(progress: Progress) -> Self {
        Self { is_styled: false, ..Self::new(Style::default(), usize::MAX, progress) }
    }

    /// Returns the style that the next row begins with, and the visible spans of this row. Returns
    /// `None` if the row must be drawn on a canvas.
    pub(super) fn write(mut self, bytes: &'a [u8]) -> Option<(Style, Vec<Span>)> {
        let mut ops = Ops::new(bytes);
        loop {
            if self.column >= self.columns {
                ops.skip_text();
            }
            match ops.next() {
                None => break,
                Some(Op::Text(text)) => self.push(text),
                Some(Op::Tab) => self.push(TAB.get(self.column % 8..).unwrap_or(TAB)),
                Some(Op::Special(found)) => self.glyphs(found.encode_utf8(&mut [0; 4])),
                Some(Op::Invalid) => self.push("\u{fffd}"),
                Some(Op::Sgr(sequence)) if self.is_styled => {
                    self.style = self.style.after(sequence);
                }
                Some(Op::Sgr(_)) => {}
                Some(Op::Link(target)) => self.link(target),
                Some(Op::Control(_, written)) if self.progress == Progress::All => {
                    self.glyphs(written);
                }
                Some(Op::Control(control, _)) if self.is_at_end_after(control) => {}
                Some(Op::Control(..)) => return None,
            }
        }
        self.link("");
        Some((self.style, self.spans))
    }

    /// Returns true if a control leaves the text unchanged and the cursor at its end.
    fn is_at_end_after(&self, control: Control) -> bool {
        // If no cells of the row are visible, only its styles matter.
        let is_empty = self.columns == 0 || self.spans.is_empty();
        match control {
            Control::Nothing
            | Control::EraseRight
            | Control::EraseBelow
            | Control::Erase(_)
            | Control::Delete(_)
            | Control::Insert(_) => true,
            Control::Column(0)
            | Control::Left(_)
            | Control::Vertical { .. }
            | Control::EraseLeft
            | Control::EraseLine => is_empty,
            Control::Column(_) | Control::Right(_) => self.columns == 0,
        }
    }

    /// Closes the open link and opens another one. An empty target opens no link.
    fn link(&mut self, target: &'a str) {
        if self.progress == Progress::All && !self.target.is_empty() {
            for part in [" <", self.target, ">"] {
                self.push(part);
            }
        }
        self.target = target;
        self.link = if self.is_styled { Link::new(target) } else { None };
    }

    /// Appends characters, with replacements for those that are not harmless.
    fn glyphs(&mut self, written: &str) {
        let mut shown = String::new();
        written.chars().for_each(|found| push_visible(&mut shown, found));
        self.push(&shown);
    }

    fn push(&mut self, text: &str) {
        // ASCII text is cut to the free columns. Other text is added whole if a column is free, so
        // it may extend beyond the last column.
        let room = self.columns.saturating_sub(self.column);
        let is_ascii = text.is_ascii();
        let text = if is_ascii || room == 0 { text.get(..room).unwrap_or(text) } else { text };
        if text.is_empty() {
            return;
        }
        let width = if is_ascii { text.len() } else { text.width() };
        self.column = self.column.saturating_add(width);
        let style = self.style.legible();
        match self.spans.last_mut() {
            Some(span) if span.style == style && span.link == self.link => span.text.push_str(text),
            _ => self.spans.push(Span { text: text.to_owned(), style, link: self.link.clone() }),
        }
    }
}

/// The blanks of a tab in column 0.
const TAB: &str = "        ";
