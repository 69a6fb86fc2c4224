//! Durations, ages, counts and sizes as short text.

use crate::time::Time;

/// Formats a duration in at most two units: `0ms`, `12ms`, `1.2s`, `34.1s`, `1m23s`, `2h05m`,
/// `3d04h`. Negative durations (the clock was set back) keep their sign.
#[must_use]
pub fn duration(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    let (secs, mins, hours) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..1000 => format!("{sign}{ms}ms"),
        1000..60_000 => format!("{sign}{secs}.{}s", ms % 1000 / 100),
        60_000..3_600_000 => format!("{sign}{mins}m{:02}s", secs % 60),
        3_600_000..86_400_000 => format!("{sign}{hours}h{:02}m", mins % 60),
        _ => format!("{sign}{}d{:02}h", hours / 24, hours % 24),
    }
}

/// Formats the duration between two times. Returns `None` if one of them is unknown.
#[must_use]
pub fn lasted(from: Option<Time>, to: Option<Time>) -> Option<String> {
    Some(duration(to?.millis_since(from?)))
}

/// Formats an age in one unit: `now`, `42s`, `5m`, `3h`, `12d`.
#[must_use]
pub fn age(ms: i64) -> String {
    match ms / 1000 {
        ..5 => "now".into(),
        secs @ 5..60 => format!("{secs}s"),
        secs @ 60..3600 => format!("{}m", secs / 60),
        secs @ 3600..86_400 => format!("{}h", secs / 3600),
        secs => format!("{}d", secs / 86_400),
    }
}

/// Formats a count: exact below 10,000, then shortened: `9999`, `12.3k`, `4.5M`.
#[must_use]
pub fn count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{}.{}k", n / 1000, n % 1000 / 100),
        _ => format!("{}.{}M", n / 1_000_000, n % 1_000_000 / 100_000),
    }
}

/// Formats a number of rows: `1 row`, `12.3k rows`.
#[must_use]
pub fn rows(rows: u64) -> String {
    if rows == 1 { "1 row".into() } else { format!("{} rows", count(rows)) }
}

/// Formats a number of runs: `1 run`, `12.3k runs`.
#[must_use]
pub fn runs(runs: u64) -> String {
    if runs == 1 { "1 run".into() } else { format!("{} runs", count(runs)) }
}

/// Formats a size in binary units: `512 B`, `4.0 KiB`, `1.2 GiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let mut value = bytes;
    let mut rest = 0;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if value < 1024 {
            return if unit == "B" {
                format!("{value} B")
            } else {
                format!("{value}.{} {unit}", rest * 10 / 1024)
            };
        }
        rest = value % 1024;
        value /= 1024;
    }
    format!("{value}.{} PiB", rest * 10 / 1024)
}

/// Returns the notice about bytes that were written to a log file after another file replaced it.
#[must_use]
pub fn late(bytes: u64) -> String {
    format!("{} more were written to the replaced file and are not shown", size(bytes))
}

/// Formats seconds with a sign: `+12.345s`.
#[must_use]
pub fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { '-' } else { '+' };
    let ms = ms.unsigned_abs();
    format!("{sign}{}.{:03}s", ms / 1000, ms % 1000)
}

/// Formats an ordinal number: `1st`, `12th`, `23rd`.
#[must_use]
pub fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// Formats a number with thousands separators: `12,345`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        for (ms, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1000, "1.0s"),
            (34_099, "34.0s"),
            (59_999, "59.9s"),
            (83_012, "1m23s"),
            (7_500_000, "2h05m"),
            (273_600_000, "3d04h"),
            (-1500, "-1.5s"),
        ] {
            assert_eq!(duration(ms), text);
        }
        assert_eq!(duration(i64::MIN), "-106751991167d07h");
    }

    #[test]
    fn ordinals_have_the_english_suffix() {
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 102, 113].map(ordinal).join(" "),
            "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 113th"
        );
    }

    #[test]
    fn sizes_and_counts_stay_short() {
        assert_eq!(
            [size(0), size(1023), size(1024), size(1536)],
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB"]
        );
        assert_eq!(size(u64::MAX), "16383.9 PiB");
        assert_eq!([count(9999), count(12_345), count(4_560_000)], ["9999", "12.3k", "4.5M"]);
    }

    #[test]
    fn ages_have_one_unit() {
        assert_eq!(
            [-5, 4999, 42_000, 300_000, 10_800_000, 1_036_800_000].map(age),
            ["now", "now", "42s", "5m", "3h", "12d"]
        );
    }
}
