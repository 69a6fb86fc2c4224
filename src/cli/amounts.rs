//! Sizes, ages and times in options and in the configuration, as text.

use std::fmt;
use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

use crate::record::MIN_LOG_BYTES;

/// The units of a size in lower case, with their bytes. A single letter is a power of 1024, as in
/// most tools.
const UNITS: [(&str, u64); 14] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("kb", 1000),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
    ("t", 1 << 40),
    ("tib", 1 << 40),
    ("tb", 1_000_000_000_000),
];

/// The units of [`size_text`], largest first.
const EXACT: [&str; 4] = ["TiB", "GiB", "MiB", "KiB"];

/// The description of a size in an error.
pub(super) const SIZE: &str = "a size, such as 500MiB or 2GiB";

/// The description of the size of a log in an error.
pub(super) const LOG_SIZE: &str = "a size of at least 128KiB, such as 100MiB";

/// The description of an age in an error.
pub(super) const AGE: &str = "an age in minutes, hours, days, or weeks, such as 36h or 30d";

const SECS_PER_DAY: u64 = 24 * 60 * 60;

/// Parses a size: a number, which may have a fraction, and an optional unit. Returns bytes.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    size(text).ok_or_else(|| format!("expected {SIZE}"))
}

/// Parses the size limit of a log. Returns bytes.
pub(super) fn parse_log_size(text: &str) -> Result<u64, String> {
    size(text).filter(|bytes| *bytes >= MIN_LOG_BYTES).ok_or_else(|| format!("expected {LOG_SIZE}"))
}

fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let unit = unit.trim_start().to_ascii_lowercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().ok()?;
    // More digits change the result by less than a byte.
    let digits = fraction.get(..fraction.len().min(15))?;
    let scale = 10_u128.checked_pow(u32::try_from(digits.len()).ok()?)?;
    let part = u128::from(*factor).checked_mul(digits.parse().ok()?)?.checked_div(scale)?;
    whole.checked_mul(*factor)?.checked_add(u64::try_from(part).ok()?)
}

/// Formats a size in bytes as the text that [`parse_size`] parses to the same number.
pub(super) fn size_text(bytes: u64) -> String {
    let exact = EXACT.iter().find_map(|unit| {
        let factor = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1;
        (bytes > 0 && bytes.is_multiple_of(factor)).then(|| format!("{}{unit}", bytes / factor))
    });
    exact.unwrap_or_else(|| format!("{bytes}B"))
}

/// Parses an age in jiff's format for durations. Months and years are refused, because they have no
/// fixed length.
pub(super) fn parse_age(text: &str) -> Result<Duration, String> {
    age(text).ok_or_else(|| format!("expected {AGE}"))
}

fn age(text: &str) -> Option<Duration> {
    let span: Span = text.trim().parse().ok()?;
    let duration: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    duration.try_into().ok()
}

/// A time in an option.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum When {
    /// This long before now.
    Ago(Duration),
    At(Timestamp),
    /// A time of day in the time zone of the user.
    Local(DateTime),
    /// A whole day in the time zone of the user.
    Day(Date),
}

/// The description of a time in an error.
const WHEN: &str = "an age such as 2h or 7d, a date such as 2026-05-06, or a time such as \
                    2026-05-06T12:00 or 2026-05-06T12:00:00Z";

impl When {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let at = || text.parse().ok().map(Self::At);
        age(text)
            .map(Self::Ago)
            .or_else(at)
            .or_else(|| local(text))
            .ok_or(format!("expected {WHEN}"))
    }

    /// Returns the first instant; `None` if it is out of range.
    pub(super) fn start(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            // A time before the calendar begins is as good as its begin.
            Self::Ago(age) => Some(now.checked_sub(*age).unwrap_or(Timestamp::MIN)),
            Self::At(at) => Some(*at),
            Self::Local(at) => zone.to_timestamp(*at).ok(),
            Self::Day(day) => zone.to_timestamp(day.to_datetime(Time::midnight())).ok(),
        }
    }

    /// Returns the last instant, which is the end of a day; `None` if it is out of range.
    pub(super) fn end(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Day(day) => {
                let next = day.tomorrow().ok().and_then(|next| Self::Day(next).start(now, zone));
                let last =
                    next.and_then(|next| next.checked_sub(SignedDuration::from_nanos(1)).ok());
                // The last day of the calendar has no next day.
                Some(last.unwrap_or(Timestamp::MAX))
            }
            _ => self.start(now, zone),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ago(age) => f.write_str(&age_text(*age)),
            Self::At(at) => at.fmt(f),
            Self::Local(at) => at.fmt(f),
            Self::Day(day) => day.fmt(f),
        }
    }
}

fn local(text: &str) -> Option<When> {
    let pieces = Pieces::parse(text).ok()?;
    let is_local = pieces.offset().is_none() && pieces.time_zone_annotation().is_none();
    let day = Some(pieces.date()).filter(|_| is_local)?;
    Some(pieces.time().map_or(When::Day(day), |time| When::Local(day.to_datetime(time))))
}

/// Formats an age as the text that [`parse_age`] parses to the same age.
pub(super) fn age_text(age: Duration) -> String {
    let secs = age.as_secs();
    if secs > 0 && secs.is_multiple_of(SECS_PER_DAY) && age.subsec_nanos() == 0 {
        return format!("{}d", secs / SECS_PER_DAY);
    }
    SignedDuration::try_from(age).map_or_else(|_| format!("{secs}s"), |age| format!("{age:#}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        for (text, bytes) in [
            ("0", 0),
            ("1024", 1024),
            ("10B", 10),
            ("2GiB", 2 << 30),
            ("2g", 2 << 30),
            ("500 MB", 500_000_000),
            ("1.5 KiB", 1536),
            ("0.1GB", 100_000_000),
            ("16777215TiB", 16_777_215 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "-1", "1.", ".5K", "1..2K", "1,5K", "1 XiB", "1e3", "16777216TiB"] {
            assert_eq!(
                parse_size(text),
                Err("expected a size, such as 500MiB or 2GiB".into()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_log_has_a_smallest_size() {
        assert_eq!(parse_log_size("128KiB"), Ok(MIN_LOG_BYTES));
        for text in ["131071", "0", "", "-1"] {
            let message = "expected a size of at least 128KiB, such as 100MiB";
            assert_eq!(parse_log_size(text), Err(message.into()), "{text}");
        }
    }

    #[test]
    fn ages_have_units_of_a_fixed_length() {
        for (text, secs) in
            [("30d", 30 * 86_400), ("2 weeks", 14 * 86_400), ("36h", 36 * 3600), ("1h 30m", 5400)]
        {
            assert_eq!(parse_age(text), Ok(Duration::from_secs(secs)), "{text}");
        }
        for text in ["", "30", "1mo", "1y", "-3d", "d", "3d ago"] {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_ages_instants_or_local_times() {
        let (now, zone) = ("2026-05-06T12:00:00Z", TimeZone::get("Europe/Berlin").unwrap());
        let now: Timestamp = now.parse().unwrap();
        for (text, start, end) in [
            ("2h", "2026-05-06T10:00:00Z", ""),
            ("7d", "2026-04-29T12:00:00Z", ""),
            ("0s", "2026-05-06T12:00:00Z", ""),
            ("1000000 weeks", "-009999-01-02T01:59:59Z", ""),
            ("2026-05-06T01:02:03.5Z", "2026-05-06T01:02:03.5Z", ""),
            ("2026-05-06 01:02:03+02:00", "2026-05-05T23:02:03Z", ""),
            ("2026-05-06T01:02", "2026-05-05T23:02:00Z", ""),
            ("2026-05-06", "2026-05-05T22:00:00Z", "2026-05-06T21:59:59.999999999Z"),
            // The day on which summer time begins has 23 hours.
            ("2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59.999999999Z"),
        ] {
            let when = When::parse(text).unwrap();
            let shown = |at: Option<Timestamp>| at.unwrap().to_string();
            assert_eq!(shown(when.start(now, &zone)), start, "{text}");
            let end = if end.is_empty() { start } else { end };
            assert_eq!(shown(when.end(now, &zone)), end, "{text}");
            assert_eq!(When::parse(&when.to_string()), Ok(when), "{text}");
        }
        for text in ["", "2", "h", "yesterday", "-2h", "2026-13-01", "12:00", "2026-05-06T25:00"] {
            assert!(When::parse(text).is_err(), "{text}");
        }
        let last = When::parse("9999-12-31").unwrap();
        assert_eq!((last.start(now, &zone), last.end(now, &zone)), (None, Some(Timestamp::MAX)));
    }

    proptest! {
        #[test]
        fn printed_amounts_parse_to_the_same_values(
            bytes in any::<u64>(), shift in 0_u32..64, secs in 0_u64..1 << 39,
        ) {
            let bytes = bytes << shift;
            prop_assert_eq!(parse_size(&size_text(bytes)), Ok(bytes));
            for secs in [secs, secs / 86_400 * 86_400] {
                let age = Duration::from_secs(secs);
                prop_assert_eq!(parse_age(&age_text(age)), Ok(age));
            }
        }
    }
}
