//! Scanning and finding, compared with a reader that examines every row of the whole log.

use std::io::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::shown::Progress;
use super::*;
use crate::log::{LogFile, LogPath, MAX_LINE_BYTES, Tail};

/// A log that can be appended to.
pub(super) struct Growing {
    file: tempfile::NamedTempFile,
    pub(super) log: LogFile,
}

impl Growing {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let log = LogFile::open(&LogPath::named(file.path())).unwrap();
        Self { file, log }
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).unwrap();
    }

    /// Returns the offsets of the matching rows.
    fn naive(&self, query: &Query, tail: Tail) -> Vec<u64> {
        let rows = self.log.rows(0, MAX_LINE_BYTES, tail).unwrap().map(|row| row.unwrap());
        rows.filter(|row| query.matches(row, Progress::Last)).map(|row| row.offset).collect()
    }

    fn scan_all(&self, hits: &mut Hits, query: &Query, step: u64, tail: Tail) {
        while scan(&self.log, hits, query, step, tail).unwrap() > 0 {}
    }

    /// Returns the first match, after any number of steps.
    fn find(
        &self,
        query: &Query,
        hits: Option<&Hits>,
        from: u64,
        towards: Towards,
        step: u64,
        tail: Tail,
    ) -> Option<u64> {
        let mut from = from;
        loop {
            match find(&self.log, query, hits, from, towards, step, tail).unwrap() {
                Found::At(offset) => return Some(offset),
                Found::Nothing => return None,
                Found::Beyond(offset) => {
                    assert_ne!(offset, from, "a step goes somewhere");
                    from = offset;
                }
            }
        }
    }
}

/// Generates content that breaks words in every way that a terminal supports.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop_oneof![
            "foo", "bar", "fo", "o", "b", "ar", "Foo", " ", "error: ", "fatal", "not", "ok", "E",
            ": l", "ine 2: x", "FAIL", "ED", "404", "é", "größe",
        ]
        .prop_map(String::into_bytes),
        3 => Just(b"\x1b[31m".to_vec()),
        2 => Just(b"\x1b[m".to_vec()),
        1 => Just(b"\x1b[K".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\x08".to_vec()),
        2 => Just(b"\t".to_vec()),
        1 => Just(b"\x0f".to_vec()),
        1 => Just(b"\x1b(B".to_vec()),
        1 => Just(b"\x1b[2D".to_vec()),
        1 => Just(b"\x1b[1G".to_vec()),
        1 => Just(b"\x1b[2K".to_vec()),
        1 => Just(b"\x1b]8;;http://foo/\x1b\\".to_vec()),
        1 => Just(b"\x1b".to_vec()),
        1 => Just(b"\xff".to_vec()),
        1 => Just(b"\xc3".to_vec()),
        1 => Just(b"\0".to_vec()),
        1 => Just(b"\x0f".to_vec()),
        1 => Just("\u{200b}".as_bytes().to_vec()),
        1 => Just("\u{e0404}".as_bytes().to_vec()),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

pub(super) fn line() -> impl Strategy<Value = Vec<u8>> {
    let header = prop_oneof![
        12 => Just("2026-01-02T03:04:05.123456789Z stdout F "),
        4 => Just("2026-01-02T03:04:05.123456789Z stderr F "),
        2 => Just("2026-01-02T03:04:05.123456789Z stdout P "),
        1 => Just("2026-01-02T03:04:05Z stderr P "),
        1 => Just("2026-01-02T03:04:05Z stderr P:F "),
        1 => Just("2026-01-02T03:04:05Z stdout F:P "),
        1 => Just("2026-01-02T03:04:05Z stdout X "),
        1 => Just(""),
    ];
    (header, content()).prop_map(|(header, content)| [header.as_bytes(), &content, b"\n"].concat())
}

/// Generates lines, of which the last one may be cut.
fn log_bytes() -> impl Strategy<Value = Vec<u8>> {
    (vec(line(), 0..40), 0..12_usize).prop_map(|(lines, cut)| {
        let mut bytes = lines.concat();
        bytes.truncate(bytes.len().saturating_sub(cut));
        bytes
    })
}

const PATTERNS: &[&str] = &[
    "foo",
    "Foo",
    "bar",
    "foobar",
    "fo+",
    "o.b",
    "^foo",
    "bar$",
    "^$",
    "",
    "a|foo",
    "(?i)FOO",
    "f[ou]o",
    "404",
    "é",
    "GRÖSSE",
    "größe",
    "foo bar",
    "error:",
    "FAILED",
    "[^a-z]",
    "�",
    "␀",
    "200b",
    "<u",
    r"\bfoo",
    "(foo|bar)r",
    "foo.*bar",
    "x",
    "stdout",
    "2026",
    "[2K",
    "31m",
    "o f",
    "  ",
    "  f",
    "foo  bar",
    "f.?o",
    "(?:)",
    "[k]o",
    "s",
];

fn query() -> impl Strategy<Value = Query> {
    prop_oneof![
        8 => (0..PATTERNS.len())
            .prop_filter_map("no regex", |at| Query::new(PATTERNS[at], false).ok()),
        4 => (0..PATTERNS.len()).prop_map(|at| Query::new(PATTERNS[at], true).unwrap()),
        1 => Just(Query::errors()),
    ]
}

fn tail() -> impl Strategy<Value = Tail> {
    prop_oneof![Just(Tail::Hold), Just(Tail::Emit)]
}

proptest! {
    #[test]
    fn colored_rows_match_by_their_displayed_text(bytes in content(), all in any::<bool>()) {
        let progress = if all { Progress::All } else { Progress::Last };
        prop_assert_eq!(shown::plain(&bytes, progress), crate::sanitize::plain(&bytes, progress));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_scan_counts_every_matching_row_while_the_log_grows(
        bytes in log_bytes(),
        cuts in vec(any::<Index>(), 0..5),
        query in query(),
        step in prop_oneof![30..300_u64, Just(u64::MAX)],
        tail in tail(),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let (mut log, mut hits, mut from) = (Growing::new(b""), Hits::new(), 0);
        for to in cuts.into_iter().chain([bytes.len()]) {
            log.append(&bytes[from..to]);
            from = to;
            log.scan_all(&mut hits, &query, step, tail);
            let naive = log.naive(&query, tail);
            prop_assert_eq!(hits.total(), naive.len() as u64, "{} bytes", to);
            prop_assert_eq!(hits.bytes(), to as u64);
            for (rank, offset) in naive.iter().enumerate() {
                prop_assert_eq!(
                    super::rank(&log.log, &query, &hits, *offset, tail).unwrap(),
                    rank as u64
                );
            }
        }
    }

    #[test]
    fn the_next_match_in_either_direction_is_found(
        bytes in log_bytes(),
        query in query(),
        scanned in prop_oneof![Just(None), (1..4000_u64).prop_map(Some)],
        step in prop_oneof![30..300_u64, Just(u64::MAX)],
        grown in any::<Index>(),
        froms in vec(any::<Index>(), 1..4),
        tail in tail(),
    ) {
        let (before, behind) = bytes.split_at(grown.index(bytes.len() + 1));
        let mut log = Growing::new(before);
        let hits = scanned.map(|scanned| {
            let mut hits = Hits::new();
            scan(&log.log, &mut hits, &query, scanned, tail).unwrap();
            hits
        });
        log.append(behind);
        let naive = log.naive(&query, tail);
        let froms = froms.iter().map(|from| from.index(bytes.len() + 2) as u64);
        for from in froms.chain(naive.iter().copied().take(3)) {
            let split = naive.partition_point(|offset| *offset < from);
            let found = |towards| log.find(&query, hits.as_ref(), from, towards, step, tail);
            prop_assert_eq!(found(Towards::Down), naive.get(split).copied(), "down from {}", from);
            prop_assert_eq!(
                found(Towards::Up),
                split.checked_sub(1).map(|at| naive[at]),
                "up from {}",
                from
            );
        }
    }
}

/// Both logs are large enough for two threads. In the second log, every other row consists of
/// several lines, so that the middle is within a row.
#[test]
fn two_threads_count_the_same_matches_even_if_a_row_spans_the_middle() {
    const FULL: &[u8] = b"2026-01-02T03:04:05.123456789Z stdout F f\x1b[1moo\n";
    const OTHER: &[u8] = b"2026-01-02T03:04:05.123456789Z stderr F bar\n";
    const PIECE: &[u8] = b"2026-01-02T03:04:05.123456789Z stdout P fo\n";
    let query = Query::new("foo", false).unwrap();
    for lines in [vec![FULL, OTHER], vec![PIECE, OTHER, PIECE, FULL]] {
        let lines = lines.concat();
        let times = usize::try_from(scan::THREAD_BYTES).unwrap() / lines.len() + 1000;
        let log = Growing::new(&lines.repeat(times));
        let mut hits = Hits::new();
        log.scan_all(&mut hits, &query, u64::MAX, Tail::Hold);
        assert_eq!(hits.total(), times as u64);
        for step in [1, times / 2, times - 1] {
            let offset = (step * lines.len()) as u64;
            assert_eq!(rank(&log.log, &query, &hits, offset, Tail::Hold).unwrap(), step as u64);
        }
        assert!(hits.memory_bytes() < 1 << 10);
    }
}

#[test]
fn two_threads_find_the_same_matches_in_either_half() {
    const PIECE: &[u8] = b"2026-01-02T03:04:05.123456789Z stdout P fo\n";
    const OTHER: &[u8] = b"2026-01-02T03:04:05.123456789Z stderr F bar\n";
    let query = Query::new("foo", false).unwrap();
    let times = usize::try_from(scan::THREAD_BYTES).unwrap() / (PIECE.len() + OTHER.len()) + 1000;
    for filler in [OTHER, PIECE] {
        let filler = [filler, OTHER].concat().repeat(times / 4);
        for places in [vec![1], vec![3], vec![1, 3], vec![0, 1], vec![2, 3], vec![]] {
            let (mut bytes, mut starts) = (Vec::new(), Vec::new());
            for quarter in 0..4 {
                if places.contains(&quarter) {
                    starts.push(bytes.len() as u64);
                    bytes.extend(b"2026-01-02T03:04:05.123456789Z stderr F foo\n");
                }
                bytes.extend(&filler);
            }
            bytes.extend(b"2026-01-02T03:04:05.123456789Z stdout F bar\n");
            let log = Growing::new(&bytes);
            let found = |from, towards| log.find(&query, None, from, towards, u64::MAX, Tail::Hold);
            assert_eq!(found(0, Towards::Down), starts.first().copied(), "{places:?}");
            assert_eq!(found(u64::MAX, Towards::Up), starts.last().copied(), "{places:?}");
        }
    }
}

#[test]
fn a_line_longer_than_the_buffer_is_searched_as_a_row_and_later_lines_as_usual() {
    let header = b"2026-01-02T03:04:05.123456789Z stdout F ";
    let row = |text: &[u8]| [header, text, b"\n"].concat();
    let text = [vec![b'x'; 700_000], b"foo".to_vec()].concat();
    let bytes = [row(b"foo"), row(&text), row(b"bar"), row(b"foo")].concat();
    let (log, query, mut hits) =
        (Growing::new(&bytes), Query::new("foo", false).unwrap(), Hits::new());
    log.scan_all(&mut hits, &query, u64::MAX, Tail::Hold);
    assert_eq!(hits.total(), 3);
    let end = (bytes.len() - row(b"foo").len()) as u64;
    let second = row(b"foo").len() as u64;
    let up = |from| log.find(&query, Some(&hits), from, Towards::Up, u64::MAX, Tail::Hold);
    assert_eq!(
        [up(u64::MAX), up(end), up(second), up(0)],
        [Some(end), Some(second), Some(0), None]
    );
}

#[test]
fn a_row_that_grew_after_the_scan_is_found() {
    const HEAD: &str = "2026-01-02T03:04:05Z stdout";
    let query = Query::new("error", false).unwrap();
    let far = format!("{HEAD} F {}\n", "x".repeat(100)).repeat(1000);
    for (scanned, appended) in [
        // An incomplete line, and an incomplete entry that begins some blocks before its last
        // piece.
        (format!("{HEAD} F err"), "or\n".to_owned()),
        (format!("{HEAD} P err\n{}", far.replace("stdout", "stderr")), format!("{HEAD} F or\n")),
    ] {
        let mut log = Growing::new(far.as_bytes());
        log.append(scanned.as_bytes());
        let mut hits = Hits::new();
        log.scan_all(&mut hits, &query, u64::MAX, Tail::Hold);
        log.append(appended.as_bytes());
        let expected = Some(far.len() as u64);
        for (from, towards) in [(u64::MAX, Towards::Up), (0, Towards::Down)] {
            assert_eq!(
                log.find(&query, Some(&hits), from, towards, 1 << 20, Tail::Hold),
                expected,
                "{towards:?}"
            );
        }
    }
}
