//! Tests of the readers and the index against a naive reader that holds the whole file.

use std::fs::File;
use std::io::Write;
use std::num::NonZeroU64;

use proptest::collection::vec;
use proptest::prelude::*;

use super::index::Index;
use super::lines::{Limits, View};
use super::start::Starts;
use super::{Anchor, Format, Gap, Piece, Row, Tail, Totals, Window};
use crate::cri::joiner::Joiner;
use crate::cri::{self, Malformed, PerStream, Reason, Record, Stream, Tag};
use crate::time::Time;

/// A physical line, or a piece of one that was cut, in the naive reader.
#[derive(Clone, PartialEq, Eq, Debug)]
struct NaiveLine {
    offset: u64,
    held: Vec<u8>,
    cut_bytes: u64,
    terminated: bool,
    is_rest: bool,
    has_rest: bool,
}

impl NaiveLine {
    fn new(offset: u64, content: &[u8], limits: Limits, terminated: bool, is_rest: bool) -> Self {
        let held = content.len().min(limits.line);
        let cut_bytes = (content.len() - held) as u64;
        Self {
            offset,
            held: content[..held].to_vec(),
            cut_bytes,
            terminated,
            is_rest,
            has_rest: false,
        }
    }

    fn is_held(&self, tail: Tail) -> bool {
        tail == Tail::Hold && !self.terminated && !self.has_rest
    }

    fn parse(&self) -> Result<Record<'_>, Malformed> {
        if self.is_rest {
            Err(Malformed { reason: Reason::Rest, column: 1 })
        } else {
            cri::parse(&self.held)
        }
    }
}

fn naive_lines(bytes: &[u8], limits: Limits) -> Vec<NaiveLine> {
    let mut offset = 0;
    let mut lines = Vec::new();
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let (mut content, terminated) =
            (line.strip_suffix(b"\n").unwrap_or(line), line.ends_with(b"\n"));
        let (mut start, mut is_rest) = (offset, false);
        let cuts = (1..)
            .map(|k| k * limits.piece.get())
            .skip_while(|cut| *cut < offset + limits.line_reach);
        for cut in cuts.take_while(|cut| *cut <= offset + line.len() as u64 - u64::from(terminated))
        {
            let (piece, rest) = content.split_at(usize::try_from(cut - start).unwrap());
            lines.push(NaiveLine {
                has_rest: true,
                ..NaiveLine::new(start, piece, limits, false, is_rest)
            });
            (content, start, is_rest) = (rest, cut, true);
        }
        if !content.is_empty() || terminated {
            lines.push(NaiveLine::new(start, content, limits, terminated, is_rest));
        }
        offset += line.len() as u64;
    }
    lines
}

/// An entry that may continue. `first` is true if the row is the first of the entry; `last` is the
/// start of the last piece.
#[derive(Clone, Copy)]
struct NaiveOpen {
    row: usize,
    row_began: u64,
    first: bool,
    last: u64,
}

impl NaiveOpen {
    fn takes(self, offset: u64, reach: u64) -> bool {
        if reach == Starts::UNBOUNDED.get() {
            return true;
        }
        let multiples = || (0..).map(|k| k * reach);
        let cut = multiples()
            .find(|m| if self.first { *m >= self.row_began + reach } else { *m > self.row_began });
        offset < cut.unwrap()
    }
}

/// Returns the offset in a piece at which the last nonempty state begins, if there is one.
fn naive_state(text: &[u8], cut: u64, content: &[u8]) -> Option<usize> {
    let is_visible = |from: usize| content[from..].iter().any(|byte| *byte != b'\r');
    let inside = (0..content.len()).rev().find(|at| content[*at] == b'\r' && is_visible(*at));
    inside.or_else(|| (cut == 0 && text.ends_with(b"\r") && is_visible(0)).then_some(0))
}

fn naive_rows(bytes: &[u8], format: Format, limits: Limits, cap: usize, tail: Tail) -> Vec<Row> {
    let is_of_window = cap == super::WINDOW_ROW_BYTES;
    let mut rows: Vec<(Row, Vec<u8>, u64)> = Vec::new();
    let mut open: PerStream<Option<NaiveOpen>> = PerStream::default();
    for naive in naive_lines(bytes, limits) {
        if naive.is_held(tail) {
            break;
        }
        let (offset, line, cut) = (naive.offset, naive.held.clone(), naive.cut_bytes);
        let empty = Row {
            offset,
            at: None,
            last_at: None,
            stream: None,
            text: Vec::new(),
            overwritten_bytes: 0,
            cut_bytes: 0,
            complete: naive.terminated,
            malformed: None,
            pieces: Vec::new(),
        };
        match naive.parse() {
            _ if format == Format::Plain => rows.push((empty, line, cut)),
            Err(malformed) => rows.push((Row { malformed: Some(malformed), ..empty }, line, cut)),
            Ok(record) => {
                let slot = open.get_mut(record.stream);
                let linked = slot.filter(|open| offset - open.last <= limits.reach.get());
                let joined = linked.filter(|open| open.takes(offset, limits.reach.get()));
                let row = joined.map_or(rows.len(), |open| open.row);
                if joined.is_none() {
                    let (at, stream) = (Some(record.at), Some(record.stream));
                    rows.push((Row { at, stream, ..empty }, Vec::new(), 0));
                }
                let (head, text, row_cut) = &mut rows[row];
                (head.last_at, head.complete) =
                    (Some(record.at), record.tag == Tag::Full && !naive.has_rest);
                let mut content = record.content;
                // If a window omits bytes of a row, its text starts over at a later CR.
                let is_over = *row_cut > 0 || text.len() + content.len() > cap;
                if let Some(start) =
                    naive_state(text, *row_cut, content).filter(|_| is_over && is_of_window)
                {
                    head.overwritten_bytes += text.len() as u64 + *row_cut + start as u64;
                    (*row_cut, content) = (0, &content[start..]);
                    text.clear();
                    head.pieces.clear();
                }
                // Once bytes are omitted, all later bytes are omitted too.
                if *row_cut == 0 {
                    let is_next = joined.is_some() && !content.is_empty();
                    head.pieces
                        .extend(is_next.then_some(Piece { start: text.len(), at: record.at }));
                    text.extend_from_slice(content);
                } else {
                    *row_cut += content.len() as u64;
                }
                *row_cut += cut;
                let began = joined.map_or(offset, |open| open.row_began);
                let first = joined.map_or(linked.is_none(), |open| open.first);
                let next = NaiveOpen { row, row_began: began, first, last: offset };
                *slot = (record.tag == Tag::Partial).then_some(next);
            }
        }
    }
    let cap_row = |(mut row, text, cut): (Row, Vec<u8>, u64)| {
        let held = text.len().min(cap);
        row.cut_bytes = cut + (text.len() - held) as u64;
        row.pieces.retain(|piece| piece.start < cap);
        row.text = text[..held].to_vec();
        row
    };
    let is_row = |row: &Row| {
        row.stream.is_none() || row.complete || !row.text.is_empty() || row.cut_bytes > 0
    };
    rows.into_iter().map(cap_row).filter(is_row).collect()
}

fn naive_window(all: &[Row], anchor: Anchor, count: usize, bytes: u64) -> Window {
    let split = match anchor {
        Anchor::From(offset) | Anchor::Before(offset) => {
            all.partition_point(|row| row.offset < offset.min(bytes))
        }
        Anchor::End => all.len(),
    };
    let range = match anchor {
        Anchor::From(_) => split..(split + count).min(all.len()),
        _ => split.saturating_sub(count)..split,
    };
    let (at_start, at_end) = (range.start == 0, range.end == all.len());
    Window { rows: all[range].to_vec(), at_start, at_end, file_bytes: bytes }
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn view<'f>(file: &'f File, bytes: &[u8], format: Format, limits: Limits) -> View<'f> {
    View { source: file, end: bytes.len() as u64, limits, format }
}

/// Lines of every kind: mixed pieces of both streams, blank lines, malformed lines, NULs, times
/// that step back, and long lines.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let content = prop_oneof![
        3 => Just(Vec::new()),
        5 => vec(any::<u8>().prop_map(|b| if b == b'\n' { 0 } else { b }), 1..12),
        1 => (1_usize..300, any::<bool>()).prop_map(|(n, nul)| vec![if nul { 0 } else { b'x' }; n]),
    ];
    let record = (0..60_u8, any::<bool>(), any::<bool>(), content.clone()).prop_map(
        |(s, err, full, content)| {
            let (stream, tag) =
                (if err { "stderr" } else { "stdout" }, if full { "F" } else { "P" });
            [format!("2026-01-02T03:04:{s:02}Z {stream} {tag} ").into_bytes(), content].concat()
        },
    );
    prop_oneof![8 => record, 1 => content]
}

fn any_file() -> impl Strategy<Value = Vec<u8>> {
    (vec(any_line(), 0..40), 0_usize..40).prop_map(|(lines, torn)| {
        let mut bytes = lines.join(&b'\n');
        bytes.push(b'\n');
        bytes.truncate(bytes.len().saturating_sub(torn.saturating_sub(20)));
        bytes
    })
}

fn nz(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).unwrap()
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let line = prop_oneof![4 => Just(400_usize), 1 => 1_usize..150];
    // The reach is at least as long as a header, because a line cut within its header would be a
    // record without content.
    let line_reach = prop_oneof![4 => Just(1000_u64), 1 => 40_u64..200];
    (1_u64..500, 1_usize..800, line, line_reach, 1_u64..100).prop_map(
        |(reach, buffer, line, line_reach, piece)| Limits {
            reach: nz(reach),
            buffer,
            line,
            line_reach,
            piece: nz(piece),
        },
    )
}

fn any_format() -> impl Strategy<Value = Format> {
    prop_oneof![2 => Just(Format::Cri), 1 => Just(Format::Plain)]
}

fn any_tail() -> impl Strategy<Value = Tail> {
    prop_oneof![Just(Tail::Hold), Just(Tail::Emit)]
}

proptest! {
    #[test]
    fn lines_equal_a_split_at_newlines(
        bytes in any_file(),
        format in any_format(),
        limits in any_limits(),
    ) {
        let file = file_of(&bytes);
        let mut lines = view(&file, &bytes, format, limits).lines(0);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            prop_assert_eq!(
                line.end - line.offset,
                line.bytes.len() as u64 + line.cut_bytes + u64::from(line.terminated)
            );
            seen.push(NaiveLine {
                offset: line.offset,
                held: line.bytes.to_vec(),
                cut_bytes: line.cut_bytes,
                terminated: line.terminated,
                is_rest: line.is_rest,
                has_rest: line.has_rest,
            });
        }
        prop_assert_eq!(seen, naive_lines(&bytes, limits));
    }

    #[test]
    fn line_starts_are_found_from_any_offset(
        bytes in any_file(),
        format in any_format(),
        limits in any_limits(),
        offset in 0_u64..3000,
    ) {
        let file = file_of(&bytes);
        let view = view(&file, &bytes, format, limits);
        let lines = naive_lines(&bytes, limits);
        let mut starts: Vec<u64> = lines.iter().map(|line| line.offset).collect();
        if lines.last().is_none_or(|line| line.terminated || line.has_rest) {
            starts.push(bytes.len() as u64);
        }
        let next =
            starts.iter().copied().find(|start| *start >= offset).unwrap_or(bytes.len() as u64);
        let before = starts.iter().copied().rfind(|start| *start <= offset).unwrap_or(0);
        prop_assert_eq!(view.next_line_start(offset).unwrap(), next);
        prop_assert_eq!(view.line_start(offset).unwrap(), before);
    }

    #[test]
    fn rows_read_forward_equal_the_naive_rows(
        bytes in any_file(),
        format in any_format(),
        limits in any_limits(),
        unbounded in any::<bool>(),
        cap in 0_usize..200,
        tail in any_tail(),
    ) {
        let reach = if unbounded { Starts::UNBOUNDED } else { limits.reach };
        let limits = Limits { reach, ..limits };
        let file = file_of(&bytes);
        let rows = view(&file, &bytes, format, limits).rows(0, Starts::new(reach), cap, tail);
        let rows: Vec<Row> = rows.map(Result::unwrap).collect();
        prop_assert_eq!(rows, naive_rows(&bytes, format, limits, cap, tail));
    }

    #[test]
    fn the_rows_of_a_whole_file_equal_the_joined_entries(bytes in any_file()) {
        let limits = Limits::USUAL;
        let mut joiner = Joiner::default();
        let mut entries = Vec::new();
        for line in naive_lines(&bytes, limits) {
            entries.extend(line.parse().ok().and_then(|record| joiner.push(&record)));
        }
        entries.extend(joiner.finish().into_iter().filter(|open| !open.content.is_empty()));
        let mut entries: Vec<_> = entries
            .into_iter()
            .map(|e| (e.stream, e.content, Some(e.first_at), Some(e.last_at), e.complete))
            .collect();
        let file = file_of(&bytes);
        let rows = view(&file, &bytes, Format::Cri, limits).rows(
            0,
            Starts::new(Starts::UNBOUNDED),
            usize::MAX,
            Tail::Emit,
        );
        let mut rows: Vec<_> = rows
            .map(Result::unwrap)
            .filter_map(|row| Some((row.stream?, row.text, row.at, row.last_at, row.complete)))
            .collect();
        // Entries are ordered by their ends, rows by their beginnings.
        entries.sort();
        rows.sort();
        prop_assert_eq!(rows, entries);
    }

    #[test]
    fn rows_of_plain_text_are_its_lines_even_if_they_resemble_records(
        bytes in any_file(),
        limits in any_limits(),
    ) {
        let limits = Limits { line: usize::MAX, line_reach: Limits::USUAL.line_reach, ..limits };
        let file = file_of(&bytes);
        let rows = view(&file, &bytes, Format::Plain, limits).rows(
            0,
            Starts::new(limits.reach),
            usize::MAX,
            Tail::Emit,
        );
        let mut text = Vec::new();
        for row in rows.map(Result::unwrap) {
            prop_assert_eq!(
                (row.at, row.last_at, row.stream, row.malformed),
                (None, None, None, None)
            );
            text.extend_from_slice(&row.text);
            text.extend(row.complete.then_some(b'\n'));
        }
        prop_assert_eq!(text, bytes);
    }

    #[test]
    fn windows_are_slices_of_the_naive_rows(
        bytes in any_file(),
        format in any_format(),
        limits in any_limits(),
        offset in 0_u64..3000,
        kind in 0_usize..3,
        count in 0_usize..12,
        tail in any_tail(),
    ) {
        let anchor = [Anchor::From(offset), Anchor::Before(offset), Anchor::End][kind];
        let file = file_of(&bytes);
        let window = view(&file, &bytes, format, limits).window(anchor, count, tail).unwrap();
        let all = naive_rows(&bytes, format, limits, super::WINDOW_ROW_BYTES, tail);
        prop_assert_eq!(window, naive_window(&all, anchor, count, bytes.len() as u64));
    }

    #[test]
    fn paging_from_any_position_in_either_direction_shows_every_row_once(
        bytes in any_file(),
        format in any_format(),
        limits in any_limits(),
        offset in 0_u64..3000,
        count in 1_usize..8,
    ) {
        let file = file_of(&bytes);
        let view = view(&file, &bytes, format, limits);
        let mut rows = Vec::new();
        let mut anchor = Anchor::Before(offset);
        loop {
            let mut page = view.window(anchor, count, Tail::Emit).unwrap();
            page.rows.append(&mut rows);
            rows = page.rows;
            if page.at_start {
                break;
            }
            anchor = Anchor::Before(rows[0].offset);
        }
        let mut anchor = Anchor::From(offset);
        loop {
            let page = view.window(anchor, count, Tail::Emit).unwrap();
            rows.extend(page.rows);
            if page.at_end {
                break;
            }
            anchor = Anchor::From(rows.last().unwrap().offset + 1);
        }
        prop_assert_eq!(
            rows,
            naive_rows(&bytes, format, limits, super::WINDOW_ROW_BYTES, Tail::Emit)
        );
    }

    #[test]
    fn a_file_truncated_during_the_read_gives_the_remaining_rows(
        bytes in any_file(),
        format in any_format(),
        limits in any_limits(),
        offset in 0_u64..3000,
        left in 0_usize..3000,
        count in 0_usize..12,
    ) {
        let file = file_of(&bytes);
        let view = view(&file, &bytes, format, limits);
        let left = left.min(bytes.len());
        file.set_len(left as u64).unwrap();
        let all = naive_rows(&bytes[..left], format, limits, super::WINDOW_ROW_BYTES, Tail::Emit);
        for anchor in [Anchor::From(offset), Anchor::Before(offset), Anchor::End] {
            let window = view.window(anchor, count, Tail::Emit).unwrap();
            prop_assert!(window.rows.iter().all(|row| all.contains(row)));
        }
        prop_assert!(view.tail_offset(count, Tail::Emit).unwrap() <= bytes.len() as u64);
    }

    #[test]
    fn the_last_rows_start_at_the_tail_offset(
        bytes in any_file(),
        format in any_format(),
        limits in any_limits(),
        count in 0_usize..50,
        tail in any_tail(),
    ) {
        let file = file_of(&bytes);
        let all = naive_rows(&bytes, format, limits, 0, tail);
        let expected = all[all.len().saturating_sub(count)..]
            .first()
            .map_or(bytes.len() as u64, |row| row.offset);
        let view = view(&file, &bytes, format, limits);
        let offset = view.tail_offset(count, tail).unwrap();
        prop_assert_eq!(offset, expected);
        // Reading from this offset joins more pieces than windows do. So it may return fewer rows,
        // but at least one if the file has rows.
        let shown =
            view.rows(offset, view.starts_at(offset).unwrap().unbounded_from(offset), 0, tail);
        let shown: Vec<u64> = shown.map(|row| row.unwrap().offset).collect();
        prop_assert_eq!(shown.first().copied().unwrap_or(bytes.len() as u64), expected);
    }

    #[test]
    fn a_stored_index_continues_as_the_original(
        bytes in any_file(),
        format in any_format(),
        limits in any_limits(),
        block in 1_u64..400,
        at in any::<prop::sample::Index>(),
        tail in any_tail(),
    ) {
        let (before, after) = bytes.split_at(at.index(bytes.len() + 1));
        let mut original = Index::with(format, limits, nz(block));
        original.feed(before);
        let empty = Index::with(Format::Cri, limits, nz(block));
        let mut stored = empty.restored(&original.encode().unwrap()).unwrap();
        prop_assert!(stored.bytes() <= original.bytes());
        original.feed(after);
        stored.feed(&bytes[usize::try_from(stored.bytes()).unwrap()..]);
        prop_assert_eq!(stored.totals(tail), original.totals(tail));
        for offset in 0..bytes.len() as u64 + 2 {
            prop_assert_eq!(stored.place_of_offset(offset), original.place_of_offset(offset));
            prop_assert_eq!(stored.place_of_row(offset), original.place_of_row(offset));
            let us = i64::try_from(offset).unwrap() * 1_000_000;
            prop_assert_eq!(stored.places_of_time(us), original.places_of_time(us));
        }
    }

    #[test]
    fn a_damaged_stored_index_never_panics(
        bytes in any_file(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut index = Index::new(Format::Cri);
        index.feed(&bytes);
        let mut packed = index.encode().unwrap();
        for (at, byte) in changes {
            let at = at.index(packed.len());
            packed[at] = byte;
        }
        if let Some(index) = Index::decode(&packed) {
            let _ = (index.totals(Tail::Emit), index.place_of_row(3), index.bytes());
        }
    }

    #[test]
    fn the_index_agrees_with_the_naive_rows_for_any_chunking(
        bytes in any_file(),
        format in any_format(),
        limits in any_limits(),
        unbounded in any::<bool>(),
        block in 1_u64..300,
        chunks in vec(1_usize..400, 1..8),
        tail in any_tail(),
    ) {
        let reach = if unbounded { Starts::UNBOUNDED } else { limits.reach };
        let limits = Limits { reach, ..limits };
        let mut index = Index::with(format, limits, nz(block));
        let (mut fed, mut sizes) = (0, chunks.iter().cycle());
        while fed < bytes.len() {
            let to = (fed + sizes.next().unwrap()).min(bytes.len());
            index.feed(&bytes[fed..to]);
            fed = to;
            prop_assert_eq!(index.totals(tail), naive_totals(&bytes[..fed], format, limits, tail));
            check_places(&index, &bytes[..fed], format, limits)?;
        }
    }

    #[test]
    fn times_and_gaps_of_rising_times_equal_those_of_a_linear_scan(
        lines in vec((any_line(), 0..3_000_000_i64), 0..40),
        limits in any_limits(),
        block in 1_u64..600,
        indexed in 0_usize..3000,
        wanted in 0..60_000_000_i64,
        slice in 1_u64..3000,
        least_ms in 0..3000_i64,
        tail in any_tail(),
    ) {
        let bytes = with_rising_times(&lines);
        let mut index = Index::with(Format::Cri, limits, nz(block));
        let indexed = indexed.min(bytes.len());
        index.feed(&bytes[..indexed]);
        let file = file_of(&bytes);
        let view = view(&file, &bytes, Format::Cri, limits);
        let rows: Vec<u64> =
            naive_rows(&bytes, Format::Cri, limits, 0, tail).iter().map(|row| row.offset).collect();
        let all = naive_lines(&bytes, limits);
        let records = all.iter().filter(|line| !line.is_held(tail));
        let records =
            records.filter_map(|line| Some((line.offset, line.parse().ok()?.at.floor_micros())));
        let records: Vec<(u64, i64)> = records.collect();

        let wanted = RISING_FROM + wanted;
        let first = records.iter().find(|record| record.1 >= wanted);
        let expected = first.and_then(|first| rows.iter().copied().find(|row| *row >= first.0));
        let time =
            Time::from_unix(wanted / 1_000_000, u32::try_from(wanted % 1_000_000).unwrap() * 1000);
        prop_assert_eq!(view.offset_of_time(&index, time, tail).unwrap(), expected);

        let least_us = least_ms * 1000;
        let gaps = records
            .windows(2)
            .map(|two| Gap { us: two[1].1 - two[0].1, offset: two[1].0 })
            .filter(|gap| gap.us >= least_us && rows.contains(&gap.offset));
        index.feed(&bytes[indexed..]);
        let (mut found, mut next) = (Vec::new(), Some(0));
        while let Some(from) = next {
            let more;
            (more, next) = view.gaps(&index, from, slice, least_us, tail).unwrap();
            found.extend(more);
        }
        prop_assert_eq!(found, gaps.collect::<Vec<_>>());
    }

    #[test]
    fn rows_are_found_by_number_and_numbered_by_offset(
        bytes in any_file(),
        format in any_format(),
        limits in any_limits(),
        block in 1_u64..600,
        row in 0_u64..45,
        step in 1_usize..9,
    ) {
        let mut index = Index::with(format, limits, nz(block));
        index.feed(&bytes);
        let file = file_of(&bytes);
        let view = view(&file, &bytes, format, limits);
        let all = naive_rows(&bytes, format, limits, 0, Tail::Hold);
        if let Some(place) = index.place_of_row(row) {
            let found = view.offset_of_row(place, row, Tail::Hold).unwrap();
            prop_assert_eq!(found, all.get(usize::try_from(row).unwrap()).map(|row| row.offset));
            prop_assert_eq!(view.offset_of_row(place, u64::MAX, Tail::Hold).unwrap(), None);
        } else {
            prop_assert!(all.is_empty());
        }
        let some = || all.iter().enumerate().skip(usize::try_from(row).unwrap()).step_by(step);
        let offsets: Vec<u64> = some().map(|(_, row)| row.offset).collect();
        let numbers =
            view.numbers(&offsets, |offset| index.place_of_offset(offset), Tail::Hold).unwrap();
        prop_assert_eq!(numbers, some().map(|(number, _)| Some(number as u64)).collect::<Vec<_>>());
        for offset in (row * 20..bytes.len() as u64).step_by(step * 7) {
            let Some(place) = index.place_of_offset(offset) else { continue };
            let before = all.partition_point(|row| row.offset < offset) as u64;
            prop_assert_eq!(view.rows_before(offset, place, Tail::Hold).unwrap(), before);
        }
    }
}

/// 2026-01-02T03:04:00Z, in microseconds.
const RISING_FROM: i64 = 1_767_323_040_000_000;

/// Replaces the times of the lines, so that the time of each line is the given number of
/// microseconds after the previous one.
fn with_rising_times(lines: &[(Vec<u8>, i64)]) -> Vec<u8> {
    let mut us = RISING_FROM;
    let mut bytes = Vec::new();
    for (line, step) in lines {
        us += step;
        let time = Time::from_unix(us / 1_000_000, u32::try_from(us % 1_000_000).unwrap() * 1000)
            .rfc3339_nanos();
        let is_record = cri::parse(line).is_ok();
        bytes.extend(if is_record {
            [time.as_bytes(), &line[20..]].concat()
        } else {
            line.clone()
        });
        bytes.push(b'\n');
    }
    bytes
}

fn naive_totals(bytes: &[u8], format: Format, limits: Limits, tail: Tail) -> Totals {
    let mut totals = Totals { bytes: bytes.len() as u64, ..Totals::default() };
    for line in naive_lines(bytes, limits) {
        if format == Format::Cri && !line.is_held(tail) {
            match line.parse().map(|record| record.stream) {
                Ok(Stream::Stdout) => totals.stdout += 1,
                Ok(Stream::Stderr) => totals.stderr += 1,
                Err(_) => totals.malformed += 1,
            }
        }
    }
    let rows = naive_rows(bytes, format, limits, 0, tail);
    totals.rows = rows.len() as u64;
    totals.stderr_rows =
        rows.iter().filter(|row| row.stream == Some(Stream::Stderr)).count() as u64;
    totals
}

/// Checks that every block start of the index is correct, and that every row has a block start at
/// or before it.
fn check_places(
    index: &Index,
    bytes: &[u8],
    format: Format,
    limits: Limits,
) -> Result<(), TestCaseError> {
    let all = naive_rows(bytes, format, limits, 0, Tail::Hold);
    let lines = naive_lines(bytes, limits);
    let times = |before: u64| {
        let lines = lines.iter().filter(move |line| format == Format::Cri && line.offset < before);
        lines.filter_map(|line| Some(line.parse().ok()?.at))
    };
    for (number, row) in (0..).zip(&all) {
        let place = index.place_of_row(number).unwrap();
        let before: Vec<_> = all.iter().take_while(|row| row.offset < place.offset).collect();
        prop_assert!(place.offset <= row.offset);
        prop_assert_eq!(place.row, before.len() as u64);
        let stderr = before.iter().filter(|row| row.stream == Some(Stream::Stderr)).count();
        prop_assert_eq!(place.stderr_rows, stderr as u64);
        prop_assert_eq!(place.before_us, times(place.offset).next_back().map(Time::floor_micros));
        prop_assert_eq!(index.place_of_offset(row.offset), index.place_of_row(number));
    }
    Ok(())
}

#[test]
fn a_line_of_many_megabytes_is_one_row_and_not_kept_in_memory() {
    let mut bytes = vec![0; 5 << 20];
    bytes.extend_from_slice(b"\n2026-01-02T03:04:05Z stdout F after\n");
    let file = file_of(&bytes);
    let window = view(&file, &bytes, Format::Cri, Limits::USUAL)
        .window(Anchor::End, 10, Tail::Hold)
        .unwrap();
    let [nul, after] = window.rows.as_slice() else { panic!("{} rows", window.rows.len()) };
    assert_eq!((nul.text.len() as u64 + nul.cut_bytes, nul.offset), (5 << 20, 0));
    assert_eq!(nul.text.len(), super::WINDOW_ROW_BYTES);
    assert_eq!(after.text, b"after");
    let mut lines = view(&file, &bytes, Format::Cri, Limits::USUAL).lines(0);
    assert_eq!(lines.next().unwrap().unwrap().bytes.len(), super::MAX_LINE_BYTES);
    let mut index = Index::new(Format::Cri);
    bytes.chunks(1 << 20).for_each(|chunk| index.feed(chunk));
    assert_eq!(index.totals(Tail::Hold).rows, 2);
    assert!(index.memory_bytes() < 2 << 20);
}

#[test]
fn the_index_of_ten_gibibytes_takes_at_most_eight_mebibytes() {
    // Only the number of blocks matters, so each block is a single line of the block's length.
    let mut index = Index::with(Format::Cri, Limits { line: 16, ..Limits::USUAL }, nz(64));
    let line = [&[b'x'; 63][..], b"\n"].concat().repeat(1024);
    (0..160).for_each(|_| index.feed(&line));
    assert_eq!(index.totals(Tail::Hold).rows, (10 << 30) / (64 << 10));
    assert!(index.memory_bytes() <= 8 << 20, "{}", index.memory_bytes());
}

#[test]
fn a_line_of_a_terabyte_is_read_in_chunks_from_any_offset() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(1 << 40).unwrap();
    let limits = Limits { line_reach: 5 << 20, piece: nz(1 << 20), line: 1 << 10, ..Limits::USUAL };
    let view = View { source: &file, end: 1 << 40, limits, format: Format::Cri };
    let offsets = |anchor: Anchor| {
        let window = view.window(anchor, 3, Tail::Emit).unwrap();
        let offsets: Vec<u64> = window.rows.iter().map(|row| row.offset >> 20).collect();
        (offsets, window.at_start, window.at_end)
    };
    let last = (1 << 20) - 1;
    assert_eq!(offsets(Anchor::End), (vec![last - 2, last - 1, last], false, true));
    assert_eq!(
        offsets(Anchor::Before((last - 2) << 20)),
        (vec![last - 5, last - 4, last - 3], false, false)
    );
    assert_eq!(offsets(Anchor::From(9 << 20)), (vec![9, 10, 11], false, false));
    assert_eq!(offsets(Anchor::From(0)), (vec![0, 5, 6], true, false));
    assert_eq!(offsets(Anchor::Before(6 << 20)), (vec![0, 5], true, false));
    assert_eq!(view.tail_offset(1, Tail::Emit).unwrap(), last << 20);
    let mut index = Index::with(Format::Cri, limits, nz(1 << 20));
    let slice =
        |index: &mut Index| View { end: index.bytes() + (13 << 19), ..view }.feed(index).unwrap();
    assert_eq!((slice(&mut index), index.totals(Tail::Hold).rows), (13 << 19, 2));
    assert_eq!((slice(&mut index), index.totals(Tail::Hold).rows), (13 << 19, 9));
    assert_eq!(
        (index.totals(Tail::Hold).malformed, index.place_of_row(3).unwrap().offset),
        (9, 7 << 20)
    );
}

#[test]
fn a_file_read_ahead_has_the_same_totals_as_its_bytes() {
    let bytes = (0..60_000_u32).flat_map(numbered_line).collect::<Vec<u8>>();
    let file = file_of(&bytes);
    let view = view(&file, &bytes, Format::Cri, Limits::USUAL);
    let (mut expected, mut ahead, mut sliced) =
        (Index::new(Format::Cri), Index::new(Format::Cri), Index::new(Format::Cri));
    expected.feed(&bytes);
    assert_eq!(view.feed(&mut ahead).unwrap(), bytes.len() as u64);
    while (View { end: view.end.min(sliced.bytes() + (7 << 19) + 1), ..view })
        .feed(&mut sliced)
        .unwrap()
        > 0
    {}
    for index in [&ahead, &sliced] {
        assert_eq!(index.totals(Tail::Emit), expected.totals(Tail::Emit));
        for row in (0..60_000).step_by(777) {
            assert_eq!(index.place_of_row(row), expected.place_of_row(row));
        }
    }
    assert_eq!(
        (expected.totals(Tail::Emit).rows, expected.totals(Tail::Emit).stderr),
        (60_000, 6_000)
    );
}

#[test]
fn a_time_is_found_in_unindexed_data_and_after_malformed_lines() {
    let bytes: Vec<u8> = (0..20_000_u32).flat_map(numbered_line).collect();
    let (first, second) = bytes.split_at(10_000 * NUMBERED_BYTES);
    let malformed_lines = b"no record\n".repeat(30_000);
    let bytes = [first, &malformed_lines, second].concat();
    let file = file_of(&bytes);
    let view = view(&file, &bytes, Format::Cri, Limits::USUAL);
    let mut whole = Index::new(Format::Cri);
    whole.feed(&bytes);
    let mut half = Index::new(Format::Cri);
    half.feed(&bytes[..1 << 20]);
    for n in [0, 1, 777, 9_999, 10_000, 10_001, 15_555, 19_999, 20_000] {
        let malformed_lines = if n < 10_000 { 0 } else { malformed_lines.len() };
        let expected = (n < 20_000).then_some((n * NUMBERED_BYTES + malformed_lines) as u64);
        let time = Time::from_millis(1_767_323_045_000 + i64::try_from(n).unwrap());
        for index in [&Index::new(Format::Cri), &half, &whole] {
            assert_eq!(view.offset_of_time(index, time, Tail::Hold).unwrap(), expected, "{n}");
        }
    }
}

const NUMBERED_BYTES: usize = 140;

/// Returns a record that contains `n`, with a time `n` milliseconds after 2026-01-02T03:04:05Z.
fn numbered_line(n: u32) -> Vec<u8> {
    let at = Time::from_millis(1_767_323_045_000 + i64::from(n)).rfc3339_nanos();
    let stream = if n.is_multiple_of(10) { "stderr" } else { "stdout" };
    format!("{at} {stream} F {n:>99}\n").into_bytes()
}

#[test]
fn a_single_row_has_a_number_before_its_newline_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("0.log");
    for text in ["plain", "2026-01-02T03:04:05Z stdout F text"] {
        std::fs::write(&path, text).unwrap();
        let log = super::LogFile::open(&crate::log::LogPath::named(&path)).unwrap();
        let mut index = Index::new(log.format());
        assert_eq!(log.row_numbers(&index, &[0], Tail::Emit).unwrap(), [None], "not fed yet");
        log.feed(&mut index, u64::MAX).unwrap();
        assert_eq!(log.row_numbers(&index, &[0], Tail::Emit).unwrap(), [Some(0)]);
        assert_eq!(log.offset_of_row(&index, 0, Tail::Emit).unwrap(), Some(0));
        assert_eq!(log.rows_within(&index, 0..3, Tail::Emit).unwrap(), Some(1));
        assert_eq!(log.row_numbers(&index, &[0], Tail::Hold).unwrap(), [None]);
        assert_eq!(log.offset_of_row(&index, 0, Tail::Hold).unwrap(), None);
    }
}
