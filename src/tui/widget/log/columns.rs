//! How the width of the log's pane is divided.

use super::GUTTER;
use crate::tui::view_options::Times;

/// How the width of the pane is divided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Columns {
    /// For the number and a blank; 0 for none.
    pub number: u16,
    /// For the time and a blank; 0 for none.
    pub time: u16,
    /// For the text.
    pub text: u16,
    /// For the bar that shows how far down one is.
    pub bar: u16,
}

impl Columns {
    /// Divides a pane of this width; `largest` is the largest number, if rows are numbered. Where
    /// it is narrow the text comes first.
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
