//! Instants of records and rows: nanoseconds since 1970-01-01T00:00:00 UTC.
//!
//! [`jiff::Timestamp`] alone does not suffice: a log may contain `9999-12-31T23:59:59.999999999Z`,
//! and a database any `i64` of milliseconds, both outside jiff's range. [`Time`] keeps, orders and
//! prints every such value; nothing wraps and nothing panics. Code that needs a calendar and a time
//! zone uses jiff ([`Time::to_jiff`]).

use std::io::Write;
use std::num::NonZeroU32;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NANOS_PER_SEC: u32 = 1_000_000_000;
const SECS_PER_DAY: i64 = 86_400;

/// The seconds since 1970 of `0000-01-01T00:00:00Z` and `9999-12-31T23:59:59Z`.
const FIRST_SECS: i64 = -62_167_219_200;
const LAST_SECS: i64 = 253_402_300_799;

/// An instant: seconds since 1970 (may be negative), and nanoseconds after that second, always
/// below 1,000,000,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Time {
    secs: i64,
    /// The nanoseconds plus 1, so that an `Option<Time>` is not larger than a `Time`.
    nanos_plus_1: NonZeroU32,
}

/// As exact nanoseconds since 1970.
impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i128(self.as_nanos())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let nanos = i128::deserialize(deserializer)?;
        let second = i128::from(NANOS_PER_SEC);
        let secs = i64::try_from(nanos.div_euclid(second)).map_err(serde::de::Error::custom)?;
        let nanos = u32::try_from(nanos.rem_euclid(second)).unwrap_or_default();
        Ok(Self::from_unix(secs, nanos))
    }
}

impl Time {
    /// Creates an instant from seconds since 1970 in UTC and nanoseconds after that second. Larger
    /// nanoseconds are clamped to the end of the second.
    #[must_use]
    pub const fn from_unix(secs: i64, nanos: u32) -> Self {
        let nanos = if nanos < NANOS_PER_SEC { nanos } else { NANOS_PER_SEC - 1 };
        Self { secs, nanos_plus_1: NonZeroU32::MIN.saturating_add(nanos) }
    }

    /// Creates an instant from milliseconds since 1970 in UTC, as the databases store them. Any
    /// `i64` is a valid instant.
    #[must_use]
    pub const fn from_millis(ms: i64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "rem_euclid(1000) is in 0..1000")]
        let nanos = ms.rem_euclid(1000) as u32 * 1_000_000;
        Self::from_unix(ms.div_euclid(1000), nanos)
    }

    /// Returns the time of the wall clock. Call this only in code that does I/O; pure code receives
    /// the time as an argument.
    #[must_use]
    pub fn now() -> Self {
        Self::from_system(SystemTime::now())
    }

    /// Converts a time of the system, such as that of a file. A time before 1970 becomes 1970.
    #[must_use]
    pub fn from_system(at: SystemTime) -> Self {
        match at.duration_since(UNIX_EPOCH) {
            Ok(since) => {
                let secs = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
                Self::from_unix(secs, since.subsec_nanos())
            }
            Err(_) => Self::from_unix(0, 0),
        }
    }

    /// Returns the whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn unix_secs(self) -> i64 {
        self.secs
    }

    /// Returns the nanoseconds after [`Time::unix_secs`], below 1,000,000,000.
    #[must_use]
    pub const fn subsec_nanos(self) -> u32 {
        self.nanos_plus_1.get() - 1
    }

    /// Returns the exact nanoseconds since 1970.
    #[must_use]
    pub const fn as_nanos(self) -> i128 {
        self.secs as i128 * NANOS_PER_SEC as i128 + self.subsec_nanos() as i128
    }

    /// Returns the milliseconds since 1970, rounded down. Saturates at the ends of `i64`.
    #[must_use]
    pub fn floor_millis(self) -> i64 {
        saturate(self.as_nanos().div_euclid(1_000_000))
    }

    /// Returns the microseconds since 1970, rounded down. Saturates at the ends of `i64`, far
    /// beyond the range of four-digit years.
    #[must_use]
    pub const fn floor_micros(self) -> i64 {
        self.secs.saturating_mul(1_000_000).saturating_add((self.subsec_nanos() / 1000) as i64)
    }

    /// Returns the whole milliseconds from `earlier` to `self`, negative if the clock stepped back.
    /// Saturates.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> i64 {
        saturate((self.as_nanos() - earlier.as_nanos()).div_euclid(1_000_000))
    }

    /// Returns the instant as a jiff timestamp, for calendar work. Returns `None` outside jiff's
    /// years -9999 to 9999.
    #[must_use]
    pub fn to_jiff(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::new(self.secs, i32::try_from(self.subsec_nanos()).ok()?).ok()
    }

    /// Formats as RFC 3339 in UTC with milliseconds, as in the JSON documents:
    /// `2026-05-06T12:00:00.000Z`. Returns `None` outside the years 0 to 9999, the range of RFC
    /// 3339.
    #[must_use]
    pub fn rfc3339_millis(self) -> Option<String> {
        let is_printable = (FIRST_SECS..=LAST_SECS).contains(&self.secs);
        is_printable.then(|| self.rfc3339::<3>(self.subsec_nanos() / 1_000_000))
    }

    /// Formats as RFC 3339 in UTC with nanoseconds, as the recorder writes it: 30 bytes for the
    /// years 0 to 9999. Other years have a sign and at least four digits (the expanded form of ISO
    /// 8601).
    #[must_use]
    pub fn rfc3339_nanos(self) -> String {
        self.rfc3339::<9>(self.subsec_nanos())
    }

    /// Appends what [`Time::rfc3339_nanos`] returns.
    pub fn push_rfc3339_nanos(self, text: &mut Vec<u8>) {
        self.push_rfc3339::<9>(self.subsec_nanos(), text);
    }

    /// Formats with `DIGITS` digits of the second.
    fn rfc3339<const DIGITS: usize>(self, fraction: u32) -> String {
        let mut text = Vec::with_capacity("2026-05-06T12:00:00.123456789Z".len());
        self.push_rfc3339::<DIGITS>(fraction, &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// Appends the text with `DIGITS` digits of the second. Fast, because it is called for each
    /// row.
    fn push_rfc3339<const DIGITS: usize>(self, fraction: u32, text: &mut Vec<u8>) {
        let (year, month, day) = civil_from_days(self.secs.div_euclid(SECS_PER_DAY));
        let second = self.secs.rem_euclid(SECS_PER_DAY);
        if (0..=9999).contains(&year) {
            text.extend_from_slice(&digits::<4>(year));
        } else {
            // Writing to a Vec cannot fail.
            let _ = write!(text, "{year:+05}");
        }
        for (separator, value) in [
            (b'-', month),
            (b'-', day),
            (b'T', second / 3600),
            (b':', second / 60 % 60),
            (b':', second % 60),
        ] {
            let [tens, ones] = digits(value);
            text.extend_from_slice(&[separator, tens, ones]);
        }
        text.push(b'.');
        text.extend_from_slice(&digits::<DIGITS>(i64::from(fraction)));
        text.push(b'Z');
    }
}

/// Returns the last `WIDTH` digits of a number that is not negative, in ASCII.
fn digits<const WIDTH: usize>(value: i64) -> [u8; WIDTH] {
    let mut digits = [b'0'; WIDTH];
    let mut rest = value.unsigned_abs();
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789".get((rest % 10) as usize).copied().unwrap_or(b'0');
        rest /= 10;
    }
    digits
}

fn saturate(wide: i128) -> i64 {
    i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
}

/// Returns the days from 1970-01-01 to a date of the proleptic Gregorian calendar. Month and day
/// must be valid.
///
/// Howard Hinnant's `days_from_civil` (<https://howardhinnant.github.io/date_algorithms.html>).
#[must_use]
pub const fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = ((153 * month_from_march + 2) / 5 + day - 1) as i64;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Returns the date of a day, as the inverse of [`days_from_civil`]: year, month 1–12, day 1–31.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn millis_before_1970_round_toward_the_past() {
        let time = Time::from_millis(-1);
        assert_eq!((time.unix_secs(), time.subsec_nanos()), (-1, 999_000_000));
        assert_eq!(time.floor_millis(), -1);
        assert_eq!(time.rfc3339_millis().unwrap(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn instants_outside_of_all_calendars_are_kept_and_printed() {
        for ms in [i64::MIN, i64::MAX] {
            assert_eq!(Time::from_millis(ms).floor_millis(), ms);
            assert!(Time::from_millis(ms).rfc3339_nanos().ends_with('Z'));
            assert_eq!(Time::from_millis(ms).rfc3339_millis(), None);
            assert_eq!(Time::from_millis(ms).to_jiff(), None);
        }
        assert_eq!(
            Time::from_unix(LAST_SECS, 0).rfc3339_millis().unwrap(),
            "9999-12-31T23:59:59.000Z"
        );
        assert_eq!(
            Time::from_unix(FIRST_SECS, 0).rfc3339_millis().unwrap(),
            "0000-01-01T00:00:00.000Z"
        );
        assert_eq!(
            Time::from_unix(253_402_300_800, 0).rfc3339_nanos(),
            "+10000-01-01T00:00:00.000000000Z"
        );
    }

    #[test]
    fn differences_saturate() {
        let (low, high) = (Time::from_unix(i64::MIN, 0), Time::from_unix(i64::MAX, 0));
        assert_eq!(high.millis_since(low), i64::MAX);
        assert_eq!(low.millis_since(high), i64::MIN);
    }

    proptest! {
        #[test]
        fn times_are_printed_as_jiff_prints_them(
            secs in -62_135_596_800_i64..253_402_207_200,
            nanos in 0_u32..1_000_000_000,
        ) {
            let time = Time::from_unix(secs, nanos);
            let jiff = time.to_jiff().map(|t| format!("{t:.9}"));
            prop_assert_eq!(Some(time.rfc3339_nanos()), jiff);
        }

        #[test]
        fn days_and_dates_are_inverse_conversions(days in -100_000_000_i64..100_000_000) {
            let (year, month, day) = civil_from_days(days);
            let back =
                days_from_civil(year, u32::try_from(month).unwrap(), u32::try_from(day).unwrap());
            prop_assert_eq!(back, days);
        }
    }
}
