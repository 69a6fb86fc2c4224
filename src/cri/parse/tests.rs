//! Tests of the grammar, of the columns of malformed lines, and of the agreement between the
//! fast path and the grammar.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const T: &str = "2026-01-02T03:04:05.123456789Z";

fn time_of(timestamp: &str) -> Result<(i64, u32), Malformed> {
    let line = format!("{timestamp} stdout F x");
    parse(line.as_bytes()).map(|record| (record.at.unix_secs(), record.at.subsec_nanos()))
}

fn reason_of(line: &str) -> (Reason, usize) {
    let malformed = parse(line.as_bytes()).expect_err(line);
    (malformed.reason, malformed.column)
}

#[test]
fn a_parsed_record_borrows_from_its_line() {
    let line = format!("{T} stderr P  two spaces\r");
    let record = parse(line.as_bytes()).unwrap();
    assert_eq!(record.at.rfc3339_nanos(), T);
    assert_eq!((record.stream, record.tag), (Stream::Stderr, Tag::Partial));
    assert_eq!(record.content, b" two spaces\r");
    assert!(line.as_bytes().as_ptr_range().contains(&record.content.as_ptr()));
}

#[test]
fn fractions_of_any_length_keep_nine_digits() {
    let secs = 1_767_323_045;
    for (fraction, nanos) in [
        ("", 0),
        (".1", 100_000_000),
        (".000000001", 1),
        (".12345678", 123_456_780),
        (".9999999999999", 999_999_999),
        (".000", 0),
    ] {
        assert_eq!(
            time_of(&format!("2026-01-02T03:04:05{fraction}Z")),
            Ok((secs, nanos)),
            "{fraction}"
        );
    }
}

#[test]
fn time_zone_offsets_are_applied() {
    let utc = time_of("2026-01-02T03:04:05Z");
    for local in [
        "2026-01-02T08:49:05+05:45",
        "2026-01-01T15:04:05-12:00",
        "2026-01-02T03:04:05-00:00",
        "2026-01-03T03:03:05+23:59",
    ] {
        assert_eq!(time_of(local), utc, "{local}");
    }
}

#[test]
fn dates_outside_the_calendar_are_rejected() {
    for real in [
        "2024-02-29",
        "2000-02-29",
        "0000-02-29",
        "2026-12-31",
        "9999-12-31",
        "0001-01-01",
        "2026-04-30",
    ] {
        assert!(time_of(&format!("{real}T23:59:59.999999999Z")).is_ok(), "{real}");
        assert!(time_of(&format!("{real}T23:59:59Z")).is_ok(), "{real}");
    }
    for (none, column) in [
        ("2023-02-29", 9),
        ("1900-02-29", 9),
        ("2026-04-31", 9),
        ("2026-13-01", 6),
        ("2026-00-01", 6),
        ("2026-01-00", 9),
    ] {
        let wrong = Err(Malformed { reason: Reason::Calendar, column });
        assert_eq!(time_of(&format!("{none}T00:00:00.000000000Z")), wrong, "{none}");
        assert_eq!(time_of(&format!("{none}T00:00:00Z")), wrong, "{none}");
    }
}

#[test]
fn a_malformed_line_reports_the_reason_and_the_column() {
    for (line, reason, column) in [
        ("", Reason::Blank, 1),
        (" ", Reason::Timestamp, 1),
        ("plain text", Reason::Timestamp, 1),
        ("\0\0\x002026-01-02T03:04:05Z stdout F x", Reason::Timestamp, 1),
        ("2026", Reason::Timestamp, 5),
        ("2026-1-02T03:04:05Z stdout F x", Reason::Timestamp, 6),
        ("2026-01-02t03:04:05Z stdout F x", Reason::Timestamp, 11),
        ("2026-01-02T3:04:05Z stdout F x", Reason::Timestamp, 12),
        ("2026-01-02T24:00:00Z stdout F x", Reason::Calendar, 12),
        ("2026-01-02T03:60:05Z stdout F x", Reason::Calendar, 15),
        ("2026-01-02T03:04:60Z stdout F x", Reason::Calendar, 18),
        ("2026-01-02T03:04:05,5Z stdout F x", Reason::Timestamp, 20),
        ("2026-01-02T03:04:05.Z stdout F x", Reason::Timestamp, 21),
        ("2026-01-02T03:04:05z stdout F x", Reason::Timestamp, 20),
        ("2026-01-02T03:04:05.123", Reason::Timestamp, 24),
        ("2026-01-02T03:04:05+0200 stdout F x", Reason::Timestamp, 23),
        ("2026-01-02T03:04:05+24:00 stdout F x", Reason::Calendar, 21),
        ("2026-01-02T03:04:05+02:60 stdout F x", Reason::Calendar, 24),
        ("2026-01-02T03:04:05Z\tstdout F x", Reason::Timestamp, 21),
        ("2026-01-02T03:04:05Z", Reason::Torn, 21),
        ("2026-01-02T03:04:05Z ", Reason::Torn, 22),
        ("2026-01-02T03:04:05Z stdo", Reason::Torn, 26),
        ("2026-01-02T03:04:05Z stdout", Reason::Torn, 28),
        ("2026-01-02T03:04:05Z stdout ", Reason::Torn, 29),
        ("2026-01-02T03:04:05Z stdout2 F x", Reason::Stream, 22),
        ("2026-01-02T03:04:05Z stdoux", Reason::Stream, 22),
        ("2026-01-02T03:04:05Z STDOUT F x", Reason::Stream, 22),
        ("2026-01-02T03:04:05Z  stdout F x", Reason::Stream, 22),
        ("2026-01-02T03:04:05Z stdout hello world", Reason::Tag, 29),
        ("2026-01-02T03:04:05Z stdout FF x", Reason::Tag, 29),
        ("2026-01-02T03:04:05Z stdout F\r", Reason::Tag, 29),
        ("2026-01-02T03:04:05Z stdout :F x", Reason::Tag, 29),
        ("2026-01-02T03:04:05Z stdout  F x", Reason::Tag, 29),
        ("2026-01-02T03:04:05Z stdout 2026-01-02T03:04:06Z stdout F x", Reason::Tag, 29),
    ] {
        assert_eq!(reason_of(line), (reason, column), "{line:?}");
    }
}

#[test]
fn only_the_first_tag_counts_and_the_third_space_is_optional() {
    for (tail, tag, content) in [
        ("F", Tag::Full, ""),
        ("P", Tag::Partial, ""),
        ("F:P", Tag::Full, ""),
        ("F ", Tag::Full, ""),
        ("F:P x", Tag::Full, "x"),
        ("P:F x", Tag::Partial, "x"),
        ("F: x", Tag::Full, "x"),
        ("P::a:b  x", Tag::Partial, " x"),
        ("F F P x", Tag::Full, "F P x"),
    ] {
        let line = format!("{T} stdout {tail}");
        let record = parse(line.as_bytes()).unwrap();
        assert_eq!((record.tag, record.content), (tag, content.as_bytes()), "{tail}");
    }
}

#[test]
fn the_fast_path_accepts_records_of_the_recorder() {
    for line in [format!("{T} stdout F "), format!("{T} stderr P content")] {
        assert_eq!(parse_usual(line.as_bytes()), parse_by_nom(line.as_bytes()).ok());
        assert!(parse_usual(line.as_bytes()).is_some());
    }
}

/// Generates lines of the usual shape, whose date or time may not exist.
fn usual_line() -> impl Strategy<Value = Vec<u8>> {
    let date = (0..=9999_u32, 0..=13_u32, 0..=32_u32)
        .prop_map(|(y, m, d)| format!("{y:04}-{m:02}-{d:02}"));
    let clock = (0..=25_u32, 0..=61_u32, 0..=61_u32, 0..1_000_000_000_u32)
        .prop_map(|(h, m, s, n)| format!("{h:02}:{m:02}:{s:02}.{n:09}"));
    let rest = prop::sample::select(vec!["stdout F ", "stderr P ", "stdout P:x ", "stdout F"]);
    (date, clock, rest, vec(any::<u8>(), 0..20)).prop_map(|(date, clock, rest, content)| {
        let mut line = format!("{date}T{clock}Z {rest}").into_bytes();
        line.extend(content);
        line
    })
}

proptest! {
    #[test]
    fn any_bytes_parse_without_a_panic_and_with_a_column_inside_the_line(
        line in vec(any::<u8>(), 0..80),
    ) {
        if let Err(malformed) = parse(&line) {
            prop_assert!((1..=line.len() + 1).contains(&malformed.column));
        }
    }

    #[test]
    fn the_fast_path_agrees_with_the_grammar(
        line in usual_line(),
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut line = line;
        for (at, byte) in edits {
            let at = at.index(line.len().min(42));
            line[at] = byte;
        }
        prop_assert_eq!(parse(&line), parse_by_nom(&line));
    }

    #[test]
    fn the_fast_path_rejects_a_header_with_wrong_bytes(at in 0..40_usize, byte in any::<u8>()) {
        let mut line = format!("{T} stdout F x").into_bytes();
        line[at] = byte;
        prop_assert_eq!(parse(&line), parse_by_nom(&line));
    }

    #[test]
    fn every_printed_time_parses_to_itself(
        secs in -62_167_219_200_i64..=253_402_300_799,
        nanos in 0..1_000_000_000_u32,
    ) {
        let time = Time::from_unix(secs, nanos);
        let line = format!("{} stdout F x", time.rfc3339_nanos());
        prop_assert_eq!(parse(line.as_bytes()).map(|record| record.at), Ok(time));
        prop_assert_eq!(parse_by_nom(line.as_bytes()).map(|record| record.at), Ok(time));
    }
}
