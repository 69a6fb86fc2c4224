//! A row whose text is shown as it stands: the usual one, in one pass.
//!
//! Text is only added at the end. So of [`Progress::Last`] this can show rows whose cursor never
//! leaves that end; the others are for [`super::canvas`]. Of [`Progress::All`] it shows every row.

use unicode_width::UnicodeWidthStr;

use super::ops::{Control, Op, Ops};
use super::{Link, Progress, Span, Style, push_visible};

/// A row being made.
pub(super) struct Line<'a> {
    /// How what comes next looks.
    style: Style,
    link: Option<Link>,
    /// The target of the link that is open, where it is to be shown.
    target: &'a str,
    spans: Vec<Span>,
    /// Cells used so far.
    column: usize,
    /// How many may be seen.
    columns: usize,
    progress: Progress,
    /// Whether anybody wants to know of styles and links.
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

    /// One of which nobody wants to know but the text: it becomes one span.
    pub(super) fn unstyled(progress: Progress) -> Self {
        Self { is_styled: false, ..Self::new(Style::default(), usize::MAX, progress) }
    }

    /// The style that the next row begins with, and what is to be seen of this one; `None` if only
    /// a canvas can show it.
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
                    self.style = self.style.after(sequence)
                }
                Some(Op::Sgr(_)) => {}
                Some(Op::Link(target)) => self.link(target),
                Some(Op::Control(_, written)) if self.progress == Progress::All => {
                    self.glyphs(written)
                }
                Some(Op::Control(control, _)) if self.is_at_end_after(control) => {}
                Some(Op::Control(..)) => return None,
            }
        }
        self.link("");
        Some((self.style, self.spans))
    }

    /// Whether the row is the same with the cursor at its end when a control was obeyed.
    fn is_at_end_after(&self, control: Control) -> bool {
        // Of a row of which nothing is seen, the styles are all that is wanted.
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

    /// Ends the link that is open, and begins another one.
    fn link(&mut self, target: &'a str) {
        if self.progress == Progress::All && !self.target.is_empty() {
            for part in [" <", self.target, ">"] {
                self.push(part);
            }
        }
        self.target = target;
        self.link = if self.is_styled { Link::new(target) } else { None };
    }

    /// Adds characters, those that are not harmless as what stands for them.
    fn glyphs(&mut self, written: &str) {
        let mut shown = String::new();
        written.chars().for_each(|found| push_visible(&mut shown, found));
        self.push(&shown);
    }

    fn push(&mut self, text: &str) {
        // What is plain is cut exactly; anything else is bounded by the row.
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

/// A tab in column 0.
const TAB: &str = "        ";
