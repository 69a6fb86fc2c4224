//! Reading in pieces, compared with judging the whole log at once.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::tests::{Growing, line};
use super::*;
use crate::log::LogPath;

/// Generates logs of random lines, as for the search tests, mixed with progress bars that redraw
/// several lines.
fn log_bytes() -> impl Strategy<Value = Vec<u8>> {
    let redraw = (0_usize..4, "[a-c]{0,3}").prop_map(|(up, text)| {
        format!("2026-01-02T03:04:05.123456789Z stderr F \x1b[{up}A\x1b[2K{text} foo\n")
            .into_bytes()
    });
    vec(prop_oneof![4 => line(), 1 => redraw], 0..60).prop_map(|lines| lines.concat())
}

fn row_filter() -> impl Strategy<Value = RowFilter> {
    let filter = prop::option::of(
        (prop::sample::select(vec!["foo", "bar", "^$", "o.*r"]), any::<bool>()).prop_map(
            |(pattern, is_inverse)| PatternFilter {
                query: Query::new(pattern, false).unwrap(),
                is_inverse,
            },
        ),
    );
    let stream = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Stream::Stdout)),
        1 => Just(Some(Stream::Stderr)),
    ];
    (stream, filter, 0_usize..4, any::<bool>(), folds()).prop_map(
        |(stream, filter, context, is_folded, hidden)| RowFilter {
            stream,
            filter,
            context,
            progress: if is_folded { Progress::Last } else { Progress::All },
            hidden,
            keep: None,
        },
    )
}

/// Generates ranges in ascending order, often none. The last one may have no end.
fn folds() -> impl Strategy<Value = Arc<[Range<u64>]>> {
    let folds =
        (vec((0_u64..400, 1_u64..800), 0..5), any::<bool>()).prop_map(|(folds, is_open)| {
            let mut at = 0;
            let mut folds: Vec<_> = folds
                .into_iter()
                .map(|(gap, len)| {
                    let fold = at + gap..at + gap + len;
                    at = fold.end;
                    fold
                })
                .collect();
            if let Some(last) = folds.last_mut().filter(|_| is_open) {
                last.end = u64::MAX;
            }
            folds.into()
        });
    prop_oneof![1 => Just(Arc::from([])), 2 => folds]
}

fn fold(rows: Range<u64>) -> Arc<[Range<u64>]> {
    std::iter::once(rows).collect()
}

/// Returns the shown rows of a log, judged all at once.
fn shown_of(all: &[Row], row_filter: &RowFilter) -> Vec<Row> {
    let unfolded = RowFilter { hidden: Arc::from([]), ..row_filter.clone() };
    let judged =
        all.iter().zip(unfolded.judge(all)).filter(|(_, shown)| *shown).map(|(row, _)| row);
    let is_hidden = |row: &Row| row_filter.hidden.iter().any(|fold| fold.contains(&row.offset));
    let is_shown = |row: &&Row| {
        row_filter.filter.is_some() || row_filter.keep == Some(row.offset) || !is_hidden(row)
    };
    judged.filter(is_shown).cloned().collect()
}

fn gather(
    log: &LogFile,
    hits: Option<&Hits>,
    row_filter: &RowFilter,
    around: Around,
    step: u64,
) -> Window {
    let mut gathering = FilteredRead::new(row_filter.clone(), around, Tail::Emit);
    while !gathering.step(log, hits, step).unwrap() {}
    gathering.finish(log)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn filtered_pieces_equal_the_filtered_whole_log(
        bytes in log_bytes(),
        mut row_filter in row_filter(),
        place in 0_u64..3000,
        above in 0_usize..30,
        below in 0_usize..30,
        keep in prop::option::of(0_usize..60),
        step in 1_u64..500,
        has_hits: bool,
        checks_ends: bool,
    ) {
        let growing = Growing::new(&bytes);
        let all = growing.log.window(Anchor::From(0), usize::MAX, Tail::Emit).unwrap().rows;
        row_filter.keep = keep.and_then(|keep| all.get(keep)).map(|row| row.offset);
        let mut hits = Hits::new();
        if let Some(filter) = &row_filter.filter {
            while super::super::scan(&growing.log, &mut hits, &filter.query, 1 << 20, Tail::Emit)
                .unwrap()
                > 0
            {}
        }
        let hits = Some(&hits).filter(|_| has_hits && row_filter.filter.is_some());
        let window = gather(
            &growing.log,
            hits,
            &row_filter,
            Around { place, above, below, checks_ends },
            step,
        );

        let shown = shown_of(&all, &row_filter);
        let split = shown.partition_point(|row| row.offset < place);
        let (first, end) = (split.saturating_sub(above), (split + below).min(shown.len()));
        prop_assert_eq!(&window.rows, &shown[first..end]);
        prop_assert!(!window.at_start || first == 0, "there are rows above");
        prop_assert!(!window.at_end || end == shown.len(), "there are rows below");
        let at_start = first == 0 && (above > 0 || (split == 0 && checks_ends));
        let at_end = end == shown.len() && (below > 0 || (split == shown.len() && checks_ends));
        if row_filter.hidden.is_empty() {
            prop_assert_eq!(
                (window.at_start, window.at_end),
                (at_start, at_end),
                "the first row and the last"
            );
        }
        // If a hidden row is between the last requested row and a fold, the read does not always
        // report the end. A request for one more row would report it.
        prop_assert!(window.at_start || !at_start || above == split);
        prop_assert!(window.at_end || !at_end || below == shown.len() - split);
    }
}

#[test]
fn context_is_counted_in_rows() {
    assert_eq!(
        near(&[false, false, true, false, false, false], 1),
        [false, true, true, true, false, false]
    );
    assert_eq!(near(&[true, false], 0), [true, false]);
}

#[test]
fn unrequested_rows_are_not_reported_as_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sh-1.log");
    std::fs::write(&path, "2026-01-02T03:04:05Z stdout F row\n".repeat(10)).unwrap();
    let log = LogFile::open(&LogPath::named(&path)).unwrap();
    for progress in [Progress::Last, Progress::All] {
        for below in 1..=11 {
            let around = Around { place: 0, above: 0, below, checks_ends: true };
            let mut gathering = FilteredRead::new(
                RowFilter { progress, ..RowFilter::default() },
                around,
                Tail::Emit,
            );
            while !gathering.step(&log, None, u64::MAX).unwrap() {}
            let window = gathering.finish(&log);
            assert_eq!(
                (window.rows.len(), window.at_end),
                (below.min(10), below >= 10),
                "{progress:?}, {below}"
            );
        }
    }
}

#[test]
fn the_number_of_bytes_read_is_at_most_the_log_size() {
    let bytes = b"2026-01-02T03:04:05Z stdout F one\n".repeat(100);
    let Growing { log, .. } = &Growing::new(&bytes);
    let filter = PatternFilter { query: Query::new("absent", false).unwrap(), is_inverse: false };
    let row_filter = RowFilter { filter: Some(filter), ..RowFilter::default() };
    let mut gathering = FilteredRead::new(
        row_filter,
        Around { place: u64::MAX, above: 10, below: 0, checks_ends: true },
        Tail::Emit,
    );
    let mut read = vec![gathering.read_bytes()];
    while !gathering.step(log, None, 1000).unwrap() {
        read.push(gathering.read_bytes());
    }
    read.dedup();
    assert_eq!(read, [0, 1000, 2000, 3000]);
}

#[test]
fn a_fold_is_skipped_without_reading() {
    let line = b"2026-01-02T03:04:05Z stdout F row\n";
    let growing = Growing::new(&line.repeat(10_000));
    let at = |row: u64| row * line.len() as u64;
    let row_filter = RowFilter { hidden: fold(at(10)..at(9990)), ..RowFilter::default() };
    for place in [0, at(10), at(5000), at(9990), u64::MAX] {
        let mut gathering = FilteredRead::new(
            row_filter.clone(),
            Around { place, above: 15, below: 15, checks_ends: true },
            Tail::Emit,
        );
        let mut steps = 0;
        while !gathering.step(&growing.log, None, u64::MAX).unwrap() {
            steps += 1;
        }
        let rows: Vec<u64> =
            gathering.finish(&growing.log).rows.iter().map(|row| row.offset).collect();
        let shown: Vec<u64> = (0..10).chain(9990..10_000).map(at).collect();
        let split = shown.partition_point(|row| *row < place);
        assert_eq!(rows, shown[split.saturating_sub(15)..(split + 15).min(20)], "around {place}");
        assert!(steps <= 4, "{steps} steps around {place}");
    }
}

#[test]
fn a_fold_at_the_end_makes_the_row_before_it_the_last() {
    let line = b"2026-01-02T03:04:05Z stdout F row\n";
    let growing = Growing::new(&line.repeat(1000));
    let at = |row: u64| row * line.len() as u64;
    for end in [at(1000), u64::MAX] {
        let row_filter = RowFilter { hidden: fold(at(10)..end), ..RowFilter::default() };
        for (below, at_end) in [(9, false), (10, true), (11, true)] {
            let around = Around { place: 0, above: 0, below, checks_ends: true };
            let window = gather(&growing.log, None, &row_filter, around, u64::MAX);
            assert_eq!(
                (window.rows.len(), window.at_end),
                (below.min(10), at_end),
                "{below} to {end}"
            );
        }
    }
}
