//! The CRI codec on the test cases of other implementations (`fixtures/cri-corpus`), and round
//! trips.
//!
//! The tests use only the public API. They split a log into lines as every reader must: at LF and
//! nowhere else.

use std::num::NonZeroUsize;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;
use rundown::cri::{self, Encoder, PerStream, Record, Stream, Tag};
use rundown::time::Time;
use serde::Deserialize;

use crate::support::joiner::{Joined, Joiner};

#[derive(Deserialize)]
struct Case {
    name: String,
    input_b64: String,
    expect: Vec<Expected>,
    expect_joined: Vec<ExpectedEntry>,
    expect_errors: Vec<usize>,
    #[serde(default)]
    unterminated_tail: bool,
}

#[derive(Deserialize, PartialEq, Debug)]
struct Expected {
    /// Absent in the cases for writers, whose times come from the test.
    ts_ns: Option<i128>,
    stream: String,
    partial: bool,
    content_b64: String,
}

#[derive(Deserialize, PartialEq, Debug)]
struct ExpectedEntry {
    stream: String,
    content_b64: String,
    #[serde(default = "yes")]
    complete: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct WriterCase {
    name: String,
    max_content: Option<NonZeroUsize>,
    ops: Vec<Op>,
    expect: Vec<Expected>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Op {
    Write {
        write: String,
        bytes_b64: String,
    },
    Eof {
        eof: String,
    },
    /// The idle timeout, which flushes both streams.
    Flush {
        flush: bool,
    },
}

const AT: Time = Time::from_unix(1_767_323_045, 0);

/// Returns the lines of a finished file. A last line without LF counts.
fn lines(file: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<_> = file.split(|byte| *byte == b'\n').collect();
    lines.pop_if(|last| last.is_empty());
    lines
}

fn records(file: &[u8]) -> Vec<Record<'_>> {
    lines(file).into_iter().filter_map(|line| cri::parse(line).ok()).collect()
}

fn joined(file: &[u8]) -> Vec<Joined> {
    let mut joiner = Joiner::default();
    let mut entries: Vec<_> =
        records(file).iter().filter_map(|record| joiner.push(record)).collect();
    entries.extend(joiner.finish());
    entries
}

fn bytes_of_both(file: &[u8]) -> PerStream<Vec<u8>> {
    PerStream { stdout: bytes_of(Stream::Stdout, file), stderr: bytes_of(Stream::Stderr, file) }
}

/// Returns the bytes that were written to a stream, reconstructed from the records in `file`.
fn bytes_of(stream: Stream, file: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in joined(file).iter().filter(|entry| entry.stream == stream) {
        bytes.extend_from_slice(&entry.content);
        bytes.extend_from_slice(if entry.complete { b"\n" } else { b"" });
    }
    bytes
}

fn flush_all(encoder: &mut Encoder, file: &mut Vec<u8>) {
    for stream in Stream::ALL {
        encoder.flush(stream, AT, file);
    }
}

fn expected(record: &Record<'_>, with_time: bool) -> Expected {
    Expected {
        ts_ns: with_time.then_some(record.at.as_nanos()),
        stream: record.stream.as_str().to_owned(),
        partial: record.tag == Tag::Partial,
        content_b64: BASE64_STANDARD.encode(record.content),
    }
}

fn expected_entry(entry: &Joined) -> ExpectedEntry {
    ExpectedEntry {
        stream: entry.stream.as_str().to_owned(),
        content_b64: BASE64_STANDARD.encode(&entry.content),
        complete: entry.complete,
    }
}

fn stream(word: &str) -> Stream {
    Stream::ALL.into_iter().find(|stream| stream.as_str() == word).expect(word)
}

fn cases<T: for<'a> Deserialize<'a>>(jsonl: &str) -> Vec<T> {
    jsonl.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn every_case_of_other_parsers_parses_and_joins_as_expected() {
    let cases: Vec<Case> = cases(include_str!("../../fixtures/cri-corpus/cases.jsonl"));
    assert_eq!(cases.len(), 134);
    for case in cases {
        let file = BASE64_STANDARD.decode(&case.input_b64).expect(&case.name);
        let found: Vec<_> = records(&file).iter().map(|record| expected(record, true)).collect();
        assert_eq!(found, case.expect, "{}", case.name);
        let malformed = (1..).zip(lines(&file)).filter(|(_, line)| cri::parse(line).is_err());
        assert_eq!(
            malformed.map(|(n, _)| n).collect::<Vec<_>>(),
            case.expect_errors,
            "{}",
            case.name
        );
        let entries: Vec<_> = joined(&file).iter().map(expected_entry).collect();
        assert_eq!(entries, case.expect_joined, "{}", case.name);
        if case.unterminated_tail {
            assert_eq!(
                records(&[file.as_slice(), b"\n"].concat()),
                records(&file),
                "{}",
                case.name
            );
        }
    }
}

#[test]
fn every_case_of_other_writers_encodes_as_expected_and_parses_back() {
    let cases: Vec<WriterCase> =
        cases(include_str!("../../fixtures/cri-corpus/writer-cases.jsonl"));
    assert_eq!(cases.len(), 12);
    for case in cases {
        let (mut encoder, mut file) = (Encoder::new(case.max_content), Vec::new());
        let mut written = PerStream::<Vec<u8>>::default();
        for op in &case.ops {
            match op {
                Op::Write { write, bytes_b64 } => {
                    let bytes = BASE64_STANDARD.decode(bytes_b64).expect(&case.name);
                    encoder.write(stream(write), AT, &bytes, &mut file);
                    written.get_mut(stream(write)).extend(bytes);
                }
                Op::Eof { eof } => encoder.flush(stream(eof), AT, &mut file),
                Op::Flush { flush } => {
                    assert!(*flush, "{}", case.name);
                    flush_all(&mut encoder, &mut file);
                }
            }
        }
        let found: Vec<_> = records(&file).iter().map(|record| expected(record, false)).collect();
        assert_eq!(found, case.expect, "{}", case.name);
        assert_eq!(lines(&file).len(), case.expect.len(), "{}", case.name);
        assert_eq!(bytes_of_both(&file), written, "{}", case.name);
    }
}

/// Generates the actions of a recorder: a write to a stream, or an idle flush of it (`None`).
fn writes() -> impl Strategy<Value = Vec<(Stream, Option<Vec<u8>>)>> {
    let byte = prop_oneof![3 => any::<u8>(), 1 => Just(b'\n'), 1 => Just(b' ')];
    vec(
        (
            prop::sample::select(Stream::ALL.as_slice()),
            prop::option::weighted(0.8, vec(byte, 0..40)),
        ),
        0..12,
    )
}

/// Generates files from fragments of records, so that some lines are valid or almost valid.
fn almost_a_log() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"2026-01-02T03:04:05.123456789Z".to_vec()),
        Just(b"2026-01-02T03:04:05+01:00".to_vec()),
        Just(b" stdout F ".to_vec()),
        Just(b" stderr P ".to_vec()),
        Just(b"\n".to_vec()),
        vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn each_stream_round_trips_byte_for_byte(
        writes in writes(),
        max_content in prop::option::of(1..50_usize),
    ) {
        let mut encoder = Encoder::new(max_content.and_then(NonZeroUsize::new));
        let (mut file, mut written) = (Vec::new(), PerStream::<Vec<u8>>::default());
        for (stream, bytes) in &writes {
            match bytes {
                Some(bytes) => {
                    encoder.write(*stream, AT, bytes, &mut file);
                    written.get_mut(*stream).extend_from_slice(bytes);
                }
                None => encoder.flush(*stream, AT, &mut file),
            }
        }
        flush_all(&mut encoder, &mut file);
        for line in lines(&file) {
            let (record, max) = (cri::parse(line), max_content.unwrap_or(usize::MAX));
            prop_assert!(record.is_ok_and(|record| record.content.len() <= max));
        }
        prop_assert_eq!(bytes_of_both(&file), written);
    }

    #[test]
    fn chunk_boundaries_do_not_affect_the_encoding(
        bytes in vec(prop_oneof![any::<u8>(), Just(b'\n')], 0..120),
        cut in any::<prop::sample::Index>(),
        max_content in 1..20_usize,
    ) {
        let encode = |chunks: &[&[u8]]| {
            let mut encoder = Encoder::new(NonZeroUsize::new(max_content));
            let mut file = Vec::new();
            for chunk in chunks {
                encoder.write(Stream::Stdout, AT, chunk, &mut file);
            }
            encoder.flush(Stream::Stdout, AT, &mut file);
            file
        };
        let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
        prop_assert_eq!(encode(&[head, tail]), encode(&[&bytes]));
    }

    #[test]
    fn every_byte_belongs_to_one_record_or_malformed_line(file in almost_a_log()) {
        let mut rebuilt = Vec::new();
        for line in lines(&file) {
            match cri::parse(line) {
                // A record consists of a header and the content, which ends the line.
                Ok(record) => {
                    prop_assert!(line.ends_with(record.content));
                    let (header, content) = line.split_at(line.len() - record.content.len());
                    prop_assert!(std::ptr::eq(content, record.content));
                    rebuilt.extend_from_slice(header);
                    rebuilt.extend_from_slice(record.content);
                }
                Err(malformed) => {
                    prop_assert!((1..=line.len() + 1).contains(&malformed.column));
                    rebuilt.extend_from_slice(line);
                }
            }
            rebuilt.push(b'\n');
        }
        rebuilt.truncate(file.len());
        prop_assert_eq!(rebuilt, file);
    }
}

fn record(secs: i64, stream: Stream, tag: Tag, content: &[u8]) -> Record<'_> {
    Record { at: Time::from_unix(secs, 0), stream, tag, content }
}

#[test]
fn partial_records_join_across_the_other_stream_and_keep_both_times() {
    let mut joiner = Joiner::default();
    assert_eq!(joiner.push(&record(5, Stream::Stdout, Tag::Partial, b"a")), None);
    assert!(joiner.push(&record(6, Stream::Stderr, Tag::Full, b"e")).is_some());
    let entry = joiner.push(&record(7, Stream::Stdout, Tag::Full, b"b")).unwrap();
    assert_eq!((entry.first_at.unix_secs(), entry.last_at.unix_secs()), (5, 7));
    assert_eq!((entry.content.as_slice(), entry.complete), (b"ab".as_slice(), true));
    assert_eq!(joiner.finish(), []);
}

#[test]
fn unfinished_entries_are_in_the_order_of_their_first_record_regardless_of_times() {
    let mut joiner = Joiner::default();
    joiner.push(&record(9, Stream::Stderr, Tag::Partial, b"e"));
    joiner.push(&record(1, Stream::Stdout, Tag::Partial, b"o"));
    let left = joiner.finish();
    assert_eq!(
        left.iter().map(|entry| entry.stream).collect::<Vec<_>>(),
        [Stream::Stderr, Stream::Stdout]
    );
    assert!(left.iter().all(|entry| !entry.complete));
}

#[test]
fn an_empty_partial_record_is_an_empty_line_if_finished_and_dropped_if_not() {
    let mut joiner = Joiner::default();
    joiner.push(&record(1, Stream::Stdout, Tag::Partial, b""));
    assert_eq!(joiner.clone().finish(), []);
    assert_eq!(joiner.push(&record(2, Stream::Stdout, Tag::Full, b"")).unwrap().content, b"");
}
