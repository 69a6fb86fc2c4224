//! A line being typed: a search, a filter, or a position to go to. Pure.

use jiff::tz::TimeZone;
use tui_input::Input;

use crate::document::Goal;
use crate::time::Time;
use crate::tui::keymap::Key;

/// The most patterns remembered.
const MAX_PAST: usize = 50;

/// A line being typed.
#[derive(Debug)]
pub struct Prompt {
    /// Its purpose.
    pub kind: PromptKind,
    /// The typed text, and the cursor in it.
    pub input: Input,
    /// True if a pattern is literal text, not a regular expression.
    pub is_literal: bool,
    /// The reason why the typed text was rejected.
    pub fault: Option<String>,
    /// The number of steps back in the history of patterns; 0 is the line being typed.
    pub back: usize,
    /// The text that was typed before the first step back.
    pub draft: String,
}

/// The purpose of a prompt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PromptKind {
    /// A pattern to search for.
    Search,
    /// A pattern that rows must match to be shown, or must not match after a `!`.
    Filter,
    /// A row, a time or a percentage to go to.
    Goto,
    /// The name of a mark to set.
    Mark,
    /// The name of a mark to go to.
    GoToMark,
}

impl PromptKind {
    /// Returns the text in front of the line.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Search => "/",
            Self::Filter => "&",
            Self::Goto => ":",
            Self::Mark => "mark ",
            Self::GoToMark => "go to mark ",
        }
    }

    /// Returns true if a pattern is typed.
    #[must_use]
    pub const fn is_pattern(self) -> bool {
        matches!(self, Self::Search | Self::Filter)
    }
}

impl Prompt {
    /// Returns an empty line.
    #[must_use]
    pub fn new(kind: PromptKind) -> Self {
        Self {
            kind,
            input: Input::default(),
            is_literal: false,
            fault: None,
            back: 0,
            draft: String::new(),
        }
    }

    /// Types a key, or edits the line. A key without a meaning here is ignored.
    pub fn type_key(&mut self, key: Key) {
        if let Some(request) = key.input_request() {
            self.fault = None;
            self.input.handle(request);
        }
    }

    /// Replaces the typed text.
    pub fn fill(&mut self, text: &str) {
        self.input = Input::new(text.to_owned());
    }
}

/// The patterns used before, without duplicates, the newest last.
#[derive(Default, Debug)]
pub struct Past(Vec<String>);

impl Past {
    /// Adds a pattern as the newest.
    pub fn push(&mut self, pattern: &str) {
        self.0.retain(|past| past != pattern);
        self.0.push(pattern.to_owned());
        let surplus = self.0.len().saturating_sub(MAX_PAST);
        self.0.drain(..surplus);
    }

    /// Returns the pattern `back` steps ago; 1 is the newest.
    #[must_use]
    pub fn get(&self, back: usize) -> Option<&str> {
        self.0.len().checked_sub(back).and_then(|at| self.0.get(at)).map(String::as_str)
    }

    /// Returns the number of patterns.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if there are no patterns.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The start and end of the command of a log, if known; the end is the current time while it runs.
pub type Span = Option<(Time, Time)>;

/// Parses a position to go to: `1200` is a row, from 1; `50%` is a percentage; `12:34:56` or
/// `12:34` is a wall-clock time in this zone; `+90s` or `+1h2m` is a time after the start.
///
/// # Errors
/// If the text is invalid, or the log has no times. The error contains valid examples.
pub fn parse_goto(text: &str, times: Span, zone: &TimeZone) -> Result<Goal, &'static str> {
    const NO_TIMES: &str = "this log has no timestamps";
    const UNKNOWN: &str = "try 1200, 50%, 12:34:56 or +90s";
    let text = text.trim();
    if let Some(percent) = text.strip_suffix('%') {
        let percent = percent.trim().parse::<u8>().ok().filter(|percent| *percent <= 100);
        return percent.map(Goal::Percent).ok_or("use 0% to 100%");
    }
    if let Some(span) = text.strip_prefix('+') {
        let span: jiff::SignedDuration = span.parse().map_err(|_| "use +90s, +5m or +1h2m3s")?;
        let (start, _) = times.ok_or(NO_TIMES)?;
        let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        return Ok(Goal::Time(Time::from_millis(start.floor_millis().saturating_add(ms))));
    }
    if text.contains(':') {
        let time = text.parse::<jiff::civil::Time>().map_err(|_| "use 12:34 or 12:34:56")?;
        return at_clock(time, times.ok_or(NO_TIMES)?, zone).map(Goal::Time).ok_or(UNKNOWN);
    }
    let row = text.replace([',', '_'], "").parse::<u64>().map_err(|_| UNKNOWN)?;
    Ok(Goal::Row(row.saturating_sub(1)))
}

/// Returns the moment of this wall-clock time: on the day of the start, or on the next day if the
/// time is earlier than the start and the log had not ended by then.
fn at_clock(time: jiff::civil::Time, (start, end): (Time, Time), zone: &TimeZone) -> Option<Time> {
    let day = start.to_jiff()?.to_zoned_datetime(zone.clone()).date();
    let on = |date: jiff::civil::Date| {
        let at = date.to_datetime(time).to_zoned_datetime(zone.clone()).ok()?;
        Some(Time::from_millis(at.timestamp().as_millisecond()))
    };
    let today = on(day)?;
    let tomorrow =
        day.tomorrow().ok().and_then(on).filter(|tomorrow| today < start && *tomorrow <= end);
    Some(tomorrow.unwrap_or(today))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn rows_shares_times_and_spans_are_told_apart() {
        let times = Some((at("2026-05-06T23:50:00Z"), at("2026-05-07T00:20:00Z")));
        let goto = |text| parse_goto(text, times, &TimeZone::UTC);
        assert_eq!(goto("1200"), Ok(Goal::Row(1199)));
        assert_eq!(goto(" 1,200 "), Ok(Goal::Row(1199)));
        assert_eq!(goto("0"), Ok(Goal::Row(0)));
        assert_eq!(goto("50%"), Ok(Goal::Percent(50)));
        assert_eq!(goto("23:55"), Ok(Goal::Time(at("2026-05-06T23:55:00Z"))));
        assert_eq!(goto("00:10:30"), Ok(Goal::Time(at("2026-05-07T00:10:30Z"))), "past midnight");
        assert_eq!(
            goto("23:49:59"),
            Ok(Goal::Time(at("2026-05-06T23:49:59Z"))),
            "before the start, not a day later"
        );
        assert_eq!(goto("+90s"), Ok(Goal::Time(at("2026-05-06T23:51:30Z"))));
        for nonsense in ["", "x", "101%", "-1", "25:00", "+", "+x", "1:2:3:4"] {
            assert!(goto(nonsense).is_err(), "{nonsense:?}");
        }
        assert!(parse_goto("12:00", None, &TimeZone::UTC).is_err());
        assert!(parse_goto("+1s", None, &TimeZone::UTC).is_err());
    }

    #[test]
    fn patterns_are_remembered_once_and_the_newest_comes_first() {
        let mut past = Past::default();
        for pattern in ["a", "b", "a"] {
            past.push(pattern);
        }
        assert_eq!(
            (past.get(1), past.get(2), past.get(3), past.get(0)),
            (Some("a"), Some("b"), None, None)
        );
    }
}
