//! The display options of logs: they apply to every log until the user changes them.

use super::Log;
use crate::sanitize::Progress;
use crate::search::{Query, RowFilter};
use crate::tui::msg::{AppEvent, Events};

/// The display options of logs.
#[derive(Clone, Default, Debug)]
pub struct ViewOptions {
    /// True if the full header is shown above the rows.
    pub header: bool,
    /// True if rows wider than the pane are wrapped instead of cut.
    pub wrap: bool,
    /// The kind of time in front of each row.
    pub times: Times,
    /// True if each row has its number in front.
    pub numbers: bool,
    /// The filter of the rows.
    pub row_filter: RowFilter,
    /// The pattern being searched for.
    pub search: Option<Query>,
}

impl ViewOptions {
    /// Returns true if each row takes one line.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        !self.wrap && self.row_filter.progress == Progress::Last
    }
}

impl Log {
    /// Shows the next kind of time in front of each row.
    pub(in crate::tui) fn next_times(&mut self) -> Events {
        self.options.times = self.options.times.next();
        self.viewport.take();
        AppEvent::status(self.options.times.as_str())
    }

    /// Shows or hides the row numbers.
    pub(in crate::tui) fn toggle_numbers(&mut self) -> Events {
        self.options.numbers = !self.options.numbers;
        self.viewport.take();
        Events::none()
    }

    /// Toggles the wrapping of long rows. The first row on screen stays the same.
    pub(in crate::tui) fn toggle_wrap(&mut self) -> Events {
        self.options.wrap = !self.options.wrap;
        (self.line, self.sideways) = (0, 0);
        self.viewport.take();
        AppEvent::status(if self.options.wrap {
            "long rows are wrapped"
        } else {
            "long rows are cut off"
        })
    }
}

/// A kind of time in front of a row.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Times {
    /// No time.
    #[default]
    None,
    /// The time since the command's start.
    Relative,
    /// The time since the previous row.
    Delta,
    /// The wall clock, in the time zone of the screen.
    Wall,
}

impl Times {
    /// Returns the next kind; the first one follows the last.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::None => Self::Relative,
            Self::Relative => Self::Delta,
            Self::Delta => Self::Wall,
            Self::Wall => Self::None,
        }
    }

    /// All kinds.
    pub const ALL: [Self; 4] = [Self::None, Self::Relative, Self::Delta, Self::Wall];

    /// Returns the name of the kind in a configuration and for `--timestamps`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Relative => "relative",
            Self::Delta => "delta",
            Self::Wall => "time",
        }
    }

    /// Returns the description of the kind for the screen.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "timestamps: none",
            Self::Relative => "timestamps: since the start",
            Self::Delta => "timestamps: since the previous row",
            Self::Wall => "timestamps: wall clock",
        }
    }
}

/// The percentage of a command's duration from which a gap between two rows is slow.
pub const SLOW_PERCENT: i64 = 5;

/// The shortest slow gap, in milliseconds. A user does not notice a shorter wait.
pub const SLOW_MS: i64 = 100;

/// Returns the gap in milliseconds from which a row is slow, given the duration of the command.
#[must_use]
pub fn slow_ms(command_ms: i64) -> i64 {
    (command_ms.saturating_mul(SLOW_PERCENT) / 100).max(SLOW_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_round() {
        let round = std::iter::successors(Some(Times::None), |times| Some(times.next()));
        assert_eq!(round.take(5).last(), Some(Times::None));
    }

    #[test]
    fn a_gap_is_slow_by_its_share_of_the_command_but_never_below_a_blink() {
        assert_eq!((slow_ms(100_000), slow_ms(500), slow_ms(-1)), (5000, 100, 100));
    }
}
