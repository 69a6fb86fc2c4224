//! Rows of a log: every way to read them gives parts of the same list.
//!
//! The input is an offset (two bytes, as a part of the file), a number of rows (one byte) and the
//! log. The oracle is one pass from the start of the file, which itself is checked against the
//! physical lines and the joined entries of the bytes in memory.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use rundown::cri::parse;
use rundown::log::{
    Anchor, Change, Format, Index, LogFile, LogPath, Row, Tail, WINDOW_ROW_BYTES, Window,
};

use super::joiner::Joiner;

/// The largest log that is made from an input.
const MAX_LOG_BYTES: usize = 5 << 18;

/// The most rows that are looked up one by one.
const MAX_PROBES: usize = 5;

/// Reads a log from all offsets.
pub fn log_rows(data: &[u8]) {
    let [low, high, count, data @ ..] = data else { return };
    let bytes = inflate(data);
    let part = usize::from(u16::from_le_bytes([*low, *high]));
    let offset = (bytes.len() + 2) * part / usize::from(u16::MAX);
    let dir = super::scratch();
    let path = dir.path().join("0.log");
    fs::write(&path, &bytes).unwrap();
    let log = LogFile::open(&LogPath::named(&path)).unwrap();
    check_lines(&log, &bytes);
    for tail in [Tail::Hold, Tail::Emit] {
        let all = window_rows(&log, 0, tail);
        check_bounds(&all, &bytes);
        let reading = Reading { log: &log, all: &all, tail };
        reading.check_windows(offset as u64, usize::from(*count));
        reading.check_pages(usize::from(*count));
        reading.check_index();
        check_whole_rows(&log, &bytes, offset as u64, tail);
    }
    check_growth(&dir.path().join("1.log"), &bytes, offset.min(bytes.len()));
}

/// Returns the log: the input bytes, in which 0xFF, 0xFE and a byte `n` become 4·n KiB of filler,
/// so that a short input reaches the limits of the readers (256 KiB between pieces, 1 MiB of a
/// line).
fn inflate(mut data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_LOG_BYTES {
        match data {
            [0xff, 0xfe, blocks, rest @ ..] => {
                bytes.resize(bytes.len() + usize::from(*blocks) * 4096, b'x');
                data = rest;
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                data = rest;
            }
            [] => break,
        }
    }
    bytes
}

fn window_rows(log: &LogFile, from: u64, tail: Tail) -> Vec<Row> {
    let rows = log.window_rows(from, WINDOW_ROW_BYTES, tail).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Asserts that the physical lines cover the file without gaps and contain its bytes.
fn check_lines(log: &LogFile, bytes: &[u8]) {
    let mut lines = log.lines(0).unwrap();
    let mut end = 0;
    while let Some(line) = lines.next().unwrap() {
        assert_eq!(line.offset, end);
        let held = &bytes[usize_of(line.offset)..][..line.bytes.len()];
        assert!(held == line.bytes && !held.contains(&b'\n'));
        let content = line.bytes.len() as u64 + line.cut_bytes;
        end = line.offset + content + u64::from(line.terminated);
        assert_eq!(end, line.end);
    }
    assert_eq!(end, bytes.len() as u64);
}

/// Asserts that rows ascend, begin at line starts, and contain a bounded text.
fn check_bounds(all: &[Row], bytes: &[u8]) {
    assert!(all.is_sorted_by(|a, b| a.offset < b.offset));
    for row in all {
        let at = usize_of(row.offset);
        assert!(at == 0 || bytes[at - 1] == b'\n');
        assert!(row.text.len() <= WINDOW_ROW_BYTES && row.text.len() <= bytes.len() - at);
        assert!(row.overwritten_bytes + row.cut_bytes <= (bytes.len() - at) as u64);
        assert!(row.pieces.iter().all(|piece| piece.start < row.text.len()));
    }
}

/// A log, all its rows as windows return them, and the treatment of its last line.
struct Reading<'a> {
    log: &'a LogFile,
    all: &'a [Row],
    tail: Tail,
}

impl Reading<'_> {
    /// Asserts that windows from an offset, before it and at the end contain the rows around it.
    fn check_windows(&self, offset: u64, count: usize) {
        let split = self.all.partition_point(|row| row.offset < offset);
        assert_eq!(window_rows(self.log, offset, self.tail), self.all[split..]);
        let len = self.all.len();
        for (anchor, count, range) in [
            (Anchor::From(offset), count, split..split.saturating_add(count).min(len)),
            (Anchor::Before(offset), count, split.saturating_sub(count)..split),
            (Anchor::End, count, len.saturating_sub(count)..len),
            (Anchor::From(0), usize::MAX, 0..len),
        ] {
            let window = self.log.window(anchor, count, self.tail).unwrap();
            let expected = Window {
                rows: self.all[range.clone()].to_vec(),
                at_start: range.start == 0,
                at_end: range.end == len,
                file_bytes: self.log.bytes(),
            };
            assert_eq!(window, expected, "{anchor:?}, {count}");
        }
    }

    /// Asserts that pages backward from the end contain the rows in reverse.
    fn check_pages(&self, count: usize) {
        let count = count.max(1 + self.all.len() / MAX_PROBES);
        let mut left = self.all;
        let mut anchor = Anchor::End;
        while let Some(last) = left.len().checked_sub(1) {
            let page = self.log.window(anchor, count, self.tail).unwrap();
            let (rest, expected) = left.split_at((last + 1).saturating_sub(count));
            assert_eq!((page.rows.as_slice(), page.at_start), (expected, rest.is_empty()));
            anchor = Anchor::Before(expected[0].offset);
            left = rest;
        }
    }

    /// Asserts that row numbers, counts, times and gaps of the index match the rows.
    fn check_index(&self) {
        let (log, all, tail) = (self.log, self.all, self.tail);
        let mut index = Index::new(log.format());
        while log.feed(&mut index, 100_000).unwrap() > 0 {}
        let totals = index.totals(tail);
        assert_eq!((totals.rows, totals.bytes), (all.len() as u64, log.bytes()));
        let number = |row: usize| row as u64;
        assert_eq!(log.offset_of_row(&index, number(all.len()), tail).unwrap(), None);
        let step = 1 + all.len() / MAX_PROBES;
        let probes: Vec<usize> = (0..all.len()).step_by(step).collect();
        let offsets: Vec<u64> = probes.iter().map(|row| all[*row].offset).collect();
        let numbers: Vec<_> = probes.iter().map(|row| Some(number(*row))).collect();
        assert_eq!(log.row_numbers(&index, &offsets, tail).unwrap(), numbers);
        let is_row = |offset: u64| all.binary_search_by_key(&offset, |row| row.offset).is_ok();
        for (row, offset) in probes.into_iter().zip(offsets) {
            assert_eq!(log.offset_of_row(&index, number(row), tail).unwrap(), Some(offset));
            assert_eq!(log.rows_within(&index, 0..offset, tail).unwrap(), Some(number(row)));
            if let Some(at) = all[row].at {
                let found = log.offset_of_time(&index, at, tail).unwrap();
                assert!(found.is_none_or(is_row), "{found:?}");
            }
        }
        let (gaps, rest) = log.gaps(&index, 0, u64::MAX, 1000, tail).unwrap();
        assert!(rest.is_none() && gaps.iter().all(|gap| is_row(gap.offset)), "{gaps:?}");
    }
}

/// Asserts that rows read whole, from any offset, are the joined entries and the lines that are not
/// records.
fn check_whole_rows(log: &LogFile, bytes: &[u8], offset: u64, tail: Tail) {
    let whole = |from| -> Vec<Row> {
        log.rows(from, usize::MAX, tail).unwrap().map(Result::unwrap).collect()
    };
    let all = whole(0);
    assert_eq!(log.index().unwrap().totals(tail).rows, all.len() as u64);
    let split = all.partition_point(|row| row.offset < offset);
    assert_eq!(whole(offset), all[split..]);
    for count in [1, 3] {
        let first = all.get(all.len().saturating_sub(count)).map(|row| row.offset);
        assert_eq!(log.tail_offset(count, tail).unwrap(), first.unwrap_or(log.bytes()));
    }
    if tail == Tail::Emit {
        let mut rows: Vec<_> =
            all.into_iter().map(|row| (row.at, row.complete, row.text)).collect();
        let mut expected = expected_rows(log.format(), bytes);
        rows.sort();
        expected.sort();
        assert_eq!(rows, expected);
    }
}

/// Returns the time, completeness and text of every row, from the bytes in memory, in the order of
/// their ends.
fn expected_rows(
    format: Format,
    bytes: &[u8],
) -> Vec<(Option<rundown::time::Time>, bool, Vec<u8>)> {
    let (mut joiner, mut entries, mut rows) = (Joiner::default(), Vec::new(), Vec::new());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        match parse(content) {
            Ok(record) if format == Format::Cri => entries.extend(joiner.push(&record)),
            _ => rows.push((None, content.len() < line.len(), content.to_vec())),
        }
    }
    entries.extend(joiner.finish());
    let entries =
        entries.into_iter().map(|entry| (Some(entry.first_at), entry.complete, entry.content));
    rows.extend(entries);
    rows
}

/// Asserts that a log that grows is read like one that was complete from the start.
fn check_growth(path: &Path, bytes: &[u8], split: usize) {
    let (head, tail) = bytes.split_at(split);
    fs::write(path, head).unwrap();
    let mut log = LogFile::open(&LogPath::named(path)).unwrap();
    let mut index = Index::new(log.format());
    while log.feed(&mut index, u64::MAX).unwrap() > 0 {}
    File::options().append(true).open(path).unwrap().write_all(tail).unwrap();
    let change = log.extend().unwrap();
    let (from, to) = (head.len() as u64, bytes.len() as u64);
    match change {
        Change::Same => assert!(tail.is_empty()),
        Change::Grown { .. } => assert_eq!(change, Change::Grown { from, to }),
        Change::Reformatted => index = Index::new(log.format()),
        Change::Truncated | Change::Replaced | Change::Shortened { .. } | Change::Gone => {
            panic!("{change:?}")
        }
    }
    while log.feed(&mut index, u64::MAX).unwrap() > 0 {}
    let whole = LogFile::open(&LogPath::named(path)).unwrap();
    assert_eq!(log.format(), whole.format());
    for tail in [Tail::Hold, Tail::Emit] {
        let rows = window_rows(&whole, 0, tail);
        assert_eq!(window_rows(&log, 0, tail), rows);
        assert_eq!(index.totals(tail).rows, rows.len() as u64);
    }
}

fn usize_of(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}
