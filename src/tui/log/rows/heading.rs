//! The headings among the rows: those of commands, and those of groups in a log.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{LogRows, indent};
use crate::display::Status;
use crate::time::Time;
use crate::tui::widget::Strip;

/// The content of a heading, shown in place of the row's text.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Heading {
    /// True if the rows below it are shown; `None` if they cannot be folded.
    pub is_open: Option<bool>,
    /// The state of the command.
    pub status: Option<Status>,
    /// The start of the command.
    pub start: Option<Time>,
    /// Secondary text before the title.
    pub lead: String,
    /// The title.
    pub title: String,
    /// The facts at the right.
    pub facts: String,
}

impl LogRows<'_> {
    /// Draws `▾ ✗ 2 cargo test          exit 101  34.0s`.
    pub(super) fn draw_heading(
        &self,
        buffer: &mut Buffer,
        body: Rect,
        y: i32,
        (index, heading): (usize, &Heading),
        is_here: bool,
    ) {
        let Some(y) = u16::try_from(y).ok().filter(|y| (body.y..body.bottom()).contains(y)) else {
            return;
        };
        let theme = self.theme;
        let bar = self.columns.bar.min(body.width);
        let mut strip = Strip::new(
            buffer,
            Rect { y, height: 1, width: body.width - bar, ..body },
            theme.signs.ellipsis,
        );
        let sign = match heading.is_open {
            Some(true) => theme.signs.open,
            Some(false) => theme.signs.folded,
            None => " ",
        };
        strip
            .put(sign, theme.accent)
            .put(if is_here { theme.signs.here } else { " " }, theme.accent)
            .skip(indent(self.depths, index, self.columns.text));
        if let Some(status) = heading.status {
            strip.put(theme.signs.status(status), theme.status(status)).skip(1);
        }
        let facts = heading
            .status
            .filter(|status| *status != Status::Passed)
            .map_or(theme.muted, |status| theme.status(status));
        strip.skip_right(1).put_right(&heading.facts, facts, 12).skip_right(1);
        let title = if heading.status.is_some() { theme.heading } else { theme.group };
        strip.put(&heading.lead, theme.muted).put(&heading.title, title).skip(1);
        if heading.status.is_some() {
            strip.fill(theme.signs.rule, theme.muted);
        }
    }
}
