//! How logs are looked at: it holds for every log until the user changes it. Pure data.

use crate::sanitize::Progress;
use crate::search::{Query, RowFilter};

/// How logs are looked at.
#[derive(Clone, Default, Debug)]
pub struct ViewOptions {
    /// All that is known of the command stands above them.
    pub header: bool,
    /// Rows longer than the pane is wide go on in the next line, instead of beyond its edge.
    pub wrap: bool,
    /// The time in front of each row.
    pub times: Times,
    /// The number in front of each row.
    pub numbers: bool,
    /// Which rows are shown.
    pub row_filter: RowFilter,
    /// What is searched for.
    pub search: Option<Query>,
}

impl ViewOptions {
    /// Whether each row takes one line.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        !self.wrap && self.row_filter.progress == Progress::Last
    }
}

/// The time in front of a row.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Times {
    /// Nothing.
    #[default]
    None,
    /// Since the command's start.
    Relative,
    /// Since the row before.
    Delta,
    /// The wall clock, in the zone of the screen.
    Wall,
}

impl Times {
    /// The next in the round.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::None => Self::Relative,
            Self::Relative => Self::Delta,
            Self::Delta => Self::Wall,
            Self::Wall => Self::None,
        }
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Relative, Self::Delta, Self::Wall];

    /// Its name in a configuration: what `--timestamps` calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Relative => "relative",
            Self::Delta => "delta",
            Self::Wall => "time",
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "no times",
            Self::Relative => "times since the command's start",
            Self::Delta => "times since the row before",
            Self::Wall => "times of the wall clock",
        }
    }
}

/// A gap between two rows is slow from so many hundredths of the command's time on.
pub const SLOW_PERCENT: i64 = 5;

/// And from so many milliseconds on: less is no waiting.
pub const SLOW_MS: i64 = 100;

/// From how many milliseconds on a gap is slow, for a command that took so long.
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
