//! The division of the log pane's width into columns.

use super::GUTTER;
use crate::tui::log::Times;

/// The division of the pane's width into columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Columns {
    /// The width of the row number and a blank; 0 without numbers.
    pub number: u16,
    /// The width of the time and a blank; 0 without times.
    pub time: u16,
    /// The width of the text.
    pub text: u16,
    /// The width of the bar that shows the position in the log.
    pub bar: u16,
}

impl Columns {
    /// Divides a pane of this width; `largest` is the largest row number, if rows are numbered. In
    /// a narrow pane the text takes precedence.
    #[must_use]
    pub fn new(width: u16, largest: Option<u64>, times: Times, has_bar: bool) -> Self {
        let digits = |number: u64| u16::try_from(number.to_string().len()).unwrap_or(0);
        let number = largest.map_or(0, |largest| digits(largest.saturating_add(1)).max(3) + 1);
        let time = match times {
            Times::None => 0,
            Times::Relative | Times::Delta => 11,
            Times::Wall => 13,
        };
        let bar = u16::from(has_bar);
        let room = width.saturating_sub(GUTTER + bar);
        let least = 16;
        let time = if room >= time + least { time } else { 0 };
        let number = if room >= time + number + least { number } else { 0 };
        Self { number, time, text: room - time - number, bar }
    }
}
