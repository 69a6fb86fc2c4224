//! Gathering in pieces against judging the whole log at once.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::tests::{Growing, line};
use super::*;
use crate::file::FilePath;

/// Any log of the search, with bars that are drawn over several lines among it.
fn log_bytes() -> impl Strategy<Value = Vec<u8>> {
    let redraw = (0_usize..4, "[a-c]{0,3}").prop_map(|(up, text)| {
        format!("2026-01-02T03:04:05.123456789Z stderr F \x1b[{up}A\x1b[2K{text} foo\n").into_bytes()
    });
    vec(prop_oneof![4 => line(), 1 => redraw], 0..60).prop_map(|lines| lines.concat())
}

fn sieve() -> impl Strategy<Value = Sieve> {
    let filter = prop::option::of(
        (prop::sample::select(vec!["foo", "bar", "^$", "o.*r"]), any::<bool>())
            .prop_map(|(pattern, is_inverse)| Filter { query: Query::new(pattern, false).unwrap(), is_inverse }),
    );
    let stream = prop_oneof![3 => Just(None), 1 => Just(Some(Stream::Stdout)), 1 => Just(Some(Stream::Stderr))];
    (stream, filter, 0_usize..4, any::<bool>()).prop_map(|(stream, filter, context, is_folded)| Sieve {
        stream,
        filter,
        context,
        progress: if is_folded { Progress::Last } else { Progress::All },
        keep: None,
    })
}

fn gather(log: &LogFile, hits: Option<&Hits>, sieve: &Sieve, around: Around, step: u64) -> Window {
    let mut sifting = Sifting::new(sieve.clone(), around, Tail::Emit);
    while !sifting.step(log, hits, step).unwrap() {}
    sifting.finish(log)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn pieces_hold_what_the_whole_log_would_show(
        bytes in log_bytes(), mut sieve in sieve(), place in 0_u64..3000, above in 0_usize..30, below in 0_usize..30,
        keep in prop::option::of(0_usize..60), step in 1_u64..500, has_hits: bool, tells_ends: bool,
    ) {
        let growing = Growing::new(&bytes);
        let all = growing.log.window(Anchor::From(0), usize::MAX, Tail::Emit).unwrap().rows;
        sieve.keep = keep.and_then(|keep| all.get(keep)).map(|row| row.offset);
        let mut hits = Hits::new();
        if let Some(filter) = &sieve.filter {
            while super::super::scan(&growing.log, &mut hits, &filter.query, 1 << 20, Tail::Emit).unwrap() > 0 {}
        }
        let hits = Some(&hits).filter(|_| has_hits && sieve.filter.is_some());
        let window = gather(&growing.log, hits, &sieve, Around { place, above, below, tells_ends }, step);

        let shown: Vec<Row> =
            all.iter().zip(sieve.judge(&all)).filter(|(_, shown)| *shown).map(|(row, _)| row.clone()).collect();
        let split = shown.partition_point(|row| row.offset < place);
        let (first, end) = (split.saturating_sub(above), (split + below).min(shown.len()));
        prop_assert_eq!(&window.rows, &shown[first..end]);
        prop_assert!(!window.at_start || first == 0, "there are rows above");
        prop_assert!(!window.at_end || end == shown.len(), "there are rows below");
        prop_assert_eq!(window.at_start, first == 0 && (above > 0 || (split == 0 && tells_ends)), "the first row");
        prop_assert_eq!(window.at_end, end == shown.len() && (below > 0 || (split == shown.len() && tells_ends)), "the last row");
    }
}

#[test]
fn what_is_near_is_counted_in_rows() {
    assert_eq!(near(&[false, false, true, false, false, false], 1), [false, true, true, true, false, false]);
    assert_eq!(near(&[true, false], 0), [true, false]);
}

#[test]
fn rows_that_were_not_asked_for_are_not_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sh-1.log");
    std::fs::write(&path, "2026-01-02T03:04:05Z stdout F row\n".repeat(10)).unwrap();
    let log = LogFile::open(&FilePath::named(&path)).unwrap();
    for progress in [Progress::Last, Progress::All] {
        for below in 1..=11 {
            let around = Around { place: 0, above: 0, below, tells_ends: true };
            let mut sifting = Sifting::new(Sieve { progress, ..Sieve::default() }, around, Tail::Emit);
            while !sifting.step(&log, None, u64::MAX).unwrap() {}
            let window = sifting.finish(&log);
            assert_eq!((window.rows.len(), window.at_end), (below.min(10), below >= 10), "{progress:?}, {below}");
        }
    }
}

#[test]
fn how_much_was_read_is_no_more_than_the_log_has() {
    let bytes = b"2026-01-02T03:04:05Z stdout F one\n".repeat(100);
    let Growing { log, .. } = &Growing::new(&bytes);
    let filter = Filter { query: Query::new("absent", false).unwrap(), is_inverse: false };
    let sieve = Sieve { filter: Some(filter), ..Sieve::default() };
    let mut sifting =
        Sifting::new(sieve, Around { place: u64::MAX, above: 10, below: 0, tells_ends: true }, Tail::Emit);
    let mut read = vec![sifting.read_bytes()];
    while !sifting.step(log, None, 1000).unwrap() {
        read.push(sifting.read_bytes());
    }
    read.dedup();
    assert_eq!(read, [0, 1000, 2000, 3000]);
}
