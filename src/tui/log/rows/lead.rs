//! The lead of a row: its mark, number and time.

use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::{GUTTER, LogRows};
use crate::display;
use crate::log::Row;
use crate::time::Time;
use crate::tui::log::Times;

/// The times in front of rows.
#[derive(Clone)]
pub struct Stamps<'a> {
    /// The kind of time.
    pub times: Times,
    /// The start of the command, or of the job or run.
    pub start: Option<Time>,
    /// The time before the first row of a log, if a single log is shown.
    pub before: Option<Time>,
    /// The time zone of the wall clock.
    pub zone: &'a TimeZone,
    /// The gap between two rows, in milliseconds, from which the later row is slow.
    pub slow_ms: i64,
}

impl LogRows<'_> {
    /// Returns the number of a row from 1, or `~` if it is unknown.
    pub(super) fn number(&self, index: usize) -> String {
        let number = self.numbers.get(index).copied().flatten();
        number.map_or_else(|| "~".to_owned(), |number| (number + 1).to_string())
    }

    /// Draws the mark, the number and the time of a row, or of one of its states. Only the first
    /// state has a number.
    pub(super) fn draw_lead(
        &self,
        buffer: &mut Buffer,
        body: Rect,
        y: i32,
        (row, number): (&Row, &str),
        (at, before): (Option<Time>, Option<Time>),
    ) {
        let Some(y) = u16::try_from(y)
            .ok()
            .filter(|y| (body.y..body.bottom().min(buffer.area.bottom())).contains(y))
        else {
            return;
        };
        let (sign, style) = self.sign(row);
        if body.width > GUTTER {
            buffer.set_stringn(body.x, y, sign, 1, style);
            let (sign, style) = if self.at == Some(row.offset) {
                (self.theme.signs.here, self.theme.accent)
            } else if self.marked.contains(&row.offset) {
                (self.theme.signs.bar, self.theme.card)
            } else {
                (" ", self.theme.muted)
            };
            buffer.set_stringn(body.x + 1, y, sign, 1, style);
        }
        let mut x = body.x + GUTTER.min(body.width);
        if self.columns.number > 0 {
            let width = usize::from(self.columns.number) - 1;
            buffer.set_stringn(x, y, format!("{number:>width$}"), width, self.theme.muted);
            x += self.columns.number;
        }
        if self.columns.time > 0 {
            let width = usize::from(self.columns.time) - 1;
            let (time, style) = self.stamp(at, before);
            buffer.set_stringn(x, y, format!("{time:>width$}"), width, style);
        }
    }

    fn stamp(&self, at: Option<Time>, before: Option<Time>) -> (String, Style) {
        let Some(at) = at else { return (String::new(), self.theme.muted) };
        let stamps = &self.stamps;
        let since = |from: Option<Time>| from.map(|from| at.millis_since(from));
        match stamps.times {
            Times::None => (String::new(), self.theme.muted),
            Times::Relative => {
                (since(stamps.start).map(display::seconds).unwrap_or_default(), self.theme.muted)
            }
            Times::Delta => {
                let gap = since(before.or(stamps.before));
                (gap.map(display::seconds).unwrap_or_default(), self.slowness(gap.unwrap_or(0)))
            }
            Times::Wall => {
                let clock = at.to_jiff().map(|at| {
                    at.to_zoned_datetime(stamps.zone.clone()).strftime("%H:%M:%S%.3f").to_string()
                });
                (clock.unwrap_or_default(), self.theme.muted)
            }
        }
    }

    /// Returns the style of a gap: slow gaps stand out, very slow ones more so.
    fn slowness(&self, gap_ms: i64) -> Style {
        match gap_ms {
            gap if gap >= self.stamps.slow_ms.saturating_mul(4) => {
                self.theme.bad.add_modifier(Modifier::BOLD)
            }
            gap if gap >= self.stamps.slow_ms => self.theme.warn,
            _ => self.theme.muted,
        }
    }
}
