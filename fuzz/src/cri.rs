//! CRI lines: the fast paths agree with the grammar, and encoded records are parsed back.

use std::num::NonZeroUsize;

use rundown::cri::{
    Encoder, HeaderScanner, PerStream, Reason, Record, Stream, Tag, parse, parse_by_nom,
};
use rundown::time::Time;

use super::joiner::Joiner;

/// The times that a record can hold: 0000-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
const RECORD_SECS: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// Parses the input as lines, and encodes it as the output of a command.
pub fn cri_lines(data: &[u8]) {
    let mut scanner = HeaderScanner::default();
    for line in data.split(|byte| *byte == b'\n') {
        check_line(line, &mut scanner);
    }
    check_streams(data);
}

fn check_line(line: &[u8], scanner: &mut HeaderScanner) {
    let parsed = parse(line);
    assert_eq!(parsed, parse_by_nom(line));
    let header = scanner.scan(line);
    match parsed {
        Ok(record) => {
            assert!(line.ends_with(record.content) && !record.content.contains(&b'\n'));
            if let Some(header) = header {
                let content = &line[header.content_at..];
                let found = (header.stream, header.tag, content);
                assert_eq!(found, (record.stream, record.tag, record.content));
            }
            check_encoded(&record, scanner);
        }
        Err(malformed) => {
            assert_eq!(header, None);
            assert!((1..=line.len() + 1).contains(&malformed.column));
            assert_eq!(malformed.reason == Reason::Blank, line.is_empty());
            assert_ne!(malformed.reason, Reason::Rest);
        }
    }
}

/// Asserts that the content of a record, encoded again, gives the same record.
fn check_encoded(record: &Record<'_>, scanner: &mut HeaderScanner) {
    let (mut encoder, mut out) = (Encoder::new(None), Vec::new());
    encoder.write(record.stream, record.at, record.content, &mut out);
    match record.tag {
        Tag::Full => encoder.write(record.stream, record.at, b"\n", &mut out),
        Tag::Partial => encoder.flush(record.stream, record.at, &mut out),
    }
    let Some(line) = out.strip_suffix(b"\n") else {
        assert!(out.is_empty() && record.tag == Tag::Partial && record.content.is_empty());
        return;
    };
    let again = parse(line).unwrap();
    assert_eq!(
        (again.stream, again.tag, again.content),
        (record.stream, record.tag, record.content)
    );
    assert!(!RECORD_SECS.contains(&record.at.unix_secs()) || again.at == record.at);
    assert!(scanner.scan(line).is_some(), "the usual form");
}

/// Asserts that the input, encoded as chunks of both streams and joined, gives the same streams.
///
/// The first two bytes are the sizes of records and chunks.
fn check_streams(data: &[u8]) {
    let [record_bytes, chunk_bytes, data @ ..] = data else { return };
    let max_content = NonZeroUsize::new(usize::from(*record_bytes));
    let (mut encoder, mut out) = (Encoder::new(max_content), Vec::new());
    let mut written = PerStream::<Vec<u8>>::default();
    let at = Time::from_millis(1_767_323_045_000);
    for chunk in data.chunks(usize::from(*chunk_bytes).max(1)) {
        let stream = Stream::ALL[usize::from(chunk[0] & 1)];
        written.get_mut(stream).extend_from_slice(chunk);
        encoder.write(stream, at, chunk, &mut out);
        if chunk[0] & 2 != 0 {
            encoder.flush(stream, at, &mut out);
        }
    }
    for stream in Stream::ALL {
        encoder.flush(stream, at, &mut out);
    }
    assert_eq!(joined(&out, max_content), written);
}

/// Joins the lines of a log into the bytes of both streams.
fn joined(log: &[u8], max_content: Option<NonZeroUsize>) -> PerStream<Vec<u8>> {
    let (mut joiner, mut entries) = (Joiner::default(), Vec::new());
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        let record = parse(line.strip_suffix(b"\n").unwrap()).unwrap();
        assert!(max_content.is_none_or(|most| record.content.len() <= most.get()));
        entries.extend(joiner.push(&record));
    }
    entries.extend(joiner.finish());
    let mut streams = PerStream::<Vec<u8>>::default();
    for entry in entries {
        let stream = streams.get_mut(entry.stream);
        stream.extend_from_slice(&entry.content);
        stream.extend(entry.complete.then_some(b'\n'));
    }
    streams
}
