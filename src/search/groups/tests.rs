//! Groups in realistic logs and in random ones.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::markers::{Marker, marker};
use super::super::tests::Growing;
use super::*;

/// Returns a log with these rows.
fn recorded(rows: &[u8]) -> Vec<u8> {
    let rows = rows.strip_suffix(b"\n").unwrap_or(rows).split(|byte| *byte == b'\n');
    rows.flat_map(|row| [b"2026-01-02T03:04:05.123456789Z stdout F ", row, b"\n"].concat())
        .collect()
}

fn fixture(name: &str) -> Growing {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/groups/{name}.log"));
    Growing::new(&recorded(&std::fs::read(path).unwrap()))
}

fn of_rows(rows: &str) -> Growing {
    Growing::new(&recorded(rows.as_bytes()))
}

fn scan(log: &LogFile, groups: &mut Groups, step: u64) {
    while group(log, groups, step).unwrap() > 0 {}
}

fn groups_of(log: &LogFile) -> Groups {
    let mut groups = Groups::new();
    scan(log, &mut groups, u64::MAX);
    groups
}

/// Returns a line for each group, indented by its depth: its title, the number of rows that it
/// hides, and the last of these rows.
fn outline(growing: &Growing) -> Vec<String> {
    let rows =
        growing.log.window(crate::log::Anchor::From(0), usize::MAX, Tail::Emit).unwrap().rows;
    let groups = groups_of(&growing.log);
    let described = groups.all().iter().map(|group| {
        let heading = rows.iter().find(|row| row.offset == group.heading).unwrap();
        let Some(Marker::Heading(title)) = marker(&heading.text) else {
            panic!("{heading:?} is no heading")
        };
        let hidden: Vec<_> =
            rows.iter().filter(|row| (group.body..group.end).contains(&row.offset)).collect();
        let last = hidden.last().map_or(String::new(), |row| {
            crate::sanitize::plain(&row.text, crate::sanitize::Progress::Last).into_owned()
        });
        let depth = groups
            .all()
            .iter()
            .filter(|outer| outer.body <= group.heading && group.heading < outer.end)
            .count();
        format!("{}{title}: {} rows, to «{last}»", "  ".repeat(depth), hidden.len())
    });
    described.collect()
}

#[test]
fn commands_do_not_nest_and_an_extra_end_is_ignored() {
    assert_eq!(
        outline(&fixture("actions")),
        [
            "Install dependencies: 3 rows, to «::endgroup::»",
            "Suite \"orders\": 1 rows, to «PASS test/orders.test.js»",
            "Suite \"routes\": 3 rows, to «::endgroup::»",
        ]
    );
    assert_eq!(
        outline(&fixture("github")),
        [
            "Runner Image Provisioner: 3 rows, to «2026-03-04T05:06:14.1234567Z ##[endgroup]»",
            "Run cargo test --workspace: 5 rows, to «2026-03-04T05:06:20.1234567Z ##[endgroup]»",
        ]
    );
}

#[test]
fn sections_nest_by_name_and_include_rows_that_contain_more_than_the_marker() {
    assert_eq!(
        outline(&fixture("gitlab")),
        [
            "Preparing the \"docker\" executor: 1 rows, to \
             «Using Docker executor with image rust:1.95 ...»",
            "Getting source from Git repository: 2 rows, to \
             «Checking out 1f2e3d4c as detached HEAD (ref is main)...»",
            "Executing \"step_script\" stage of the job script: 10 rows, to \
             «make: *** [Makefile:7: check] Error 2»",
            "  Build the parcels: 6 rows, to «»",
            "    link: 2 rows, to «»",
            "Cleaning up project directory and file based variables: 0 rows, to «»",
        ]
    );
    let groups = groups_of(&fixture("gitlab").log);
    assert_eq!(groups.all().iter().filter(|group| group.is_collapsed).count(), 1);
    assert_eq!(
        outline(&fixture("travis")),
        [
            "Worker information: 2 rows, to «»",
            "$ make check: 4 rows, to «The command \"make check\" exited with 2.»",
            "  inner: 2 rows, to «travis_fold:end:inner»"
        ]
    );
}

#[test]
fn a_heading_ends_the_previous_one_but_not_inside_a_diff() {
    assert_eq!(
        outline(&fixture("buildkite")),
        [
            "Running global environment hook: 1 rows, to «\
             $ /etc/buildkite-agent/hooks/environment»",
            "Preparing working directory: 9 rows, to «+    return past_the_mill();»",
            ":rust: Build: 1 rows, to «   Compiling parcel v0.1.0»",
            ":test_tube: Test: 3 rows, to «^^^ +++»",
            "Upload artifacts: 1 rows, to «Uploading 2 files»",
        ]
    );
    assert_eq!(outline(&fixture("lookalikes")), [""; 0]);
}

#[test]
fn groups_of_several_kinds_nest() {
    let log = of_rows("--- one\n::group::two\n--- three\n--- four\n::endgroup::\nx\n--- five\n");
    assert_eq!(
        outline(&log),
        [
            "one: 5 rows, to «x»",
            "  two: 3 rows, to «::endgroup::»",
            "    three: 0 rows, to «»",
            "    four: 0 rows, to «»",
            "five: 0 rows, to «»"
        ]
    );
}

#[test]
fn a_group_continues_after_a_false_heading() {
    let log = of_rows(
        "--- one\nx\n--- old\n+++ new\n@@ -1 +1 @@\ny\n+++ a\n+++ b\n++ c\nz\n--- two\n+++ three\n",
    );
    assert_eq!(
        outline(&log),
        ["one: 9 rows, to «z»", "two: 0 rows, to «»", "three: 0 rows, to «»"]
    );
    let log = of_rows("+++ one\nx\n@@ -1 +1 @@\n--- two\n@@ is no diff\n");
    assert_eq!(
        outline(&log),
        ["one: 2 rows, to «@@ -1 +1 @@»", "two: 1 rows, to «@@ is no diff»"],
        "not directly behind"
    );
}

#[test]
fn an_end_without_a_start_or_with_another_name_ends_nothing() {
    let log = of_rows("::endgroup::\ntravis_fold:start:a\ntravis_fold:end:b\n::endgroup::\nx\n");
    assert_eq!(outline(&log), ["a: 3 rows, to «x»"]);
    let log =
        of_rows("travis_fold:start:a\ntravis_fold:start:b\ntravis_fold:end:a\ntravis_fold:end:b\n");
    assert_eq!(outline(&log), ["a: 2 rows, to «travis_fold:end:a»", "  b: 0 rows, to «»"]);
    let log = of_rows("travis_fold:start:a\nx\ntravis_fold:start:a\n");
    assert_eq!(outline(&log), ["a: 1 rows, to «x»", "a: 0 rows, to «»"]);
}

#[test]
fn a_marker_in_chunks_counts_once_it_is_complete() {
    let piece =
        |tag: &str, text: &str| format!("2026-01-02T03:04:05Z stdout {tag} {text}\n").into_bytes();
    let mut growing = Growing::new(&piece("P", "::group::Bu"));
    let mut groups = groups_of(&growing.log);
    assert!(groups.all().is_empty());
    growing.append(&piece("F", "ild"));
    growing.append(&piece("F", "x"));
    scan(&growing.log, &mut groups, u64::MAX);
    assert_eq!(outline(&growing), ["Build: 1 rows, to «x»"]);
    assert_eq!(groups.all(), groups_of(&growing.log).all());
}

#[test]
fn markers_beyond_the_limits_are_plain_rows() {
    let deep: Vec<String> =
        (0..=MAX_DEPTH).map(|depth| format!("travis_fold:start:{depth}\n")).collect();
    let groups = groups_of(&of_rows(&deep.concat()).log);
    assert_eq!((groups.all().len(), groups.is_full()), (MAX_DEPTH, true));

    let many = "::group::x\n".repeat(MAX_GROUPS);
    let mut growing = of_rows(&many);
    let mut groups = groups_of(&growing.log);
    assert_eq!((groups.all().len(), groups.is_full()), (MAX_GROUPS, false));
    assert_eq!(groups.all().last().map(|group| group.end), Some(u64::MAX));
    growing.append(&recorded(b"::group::x\n"));
    scan(&growing.log, &mut groups, u64::MAX);
    assert_eq!((groups.all().len(), groups.is_full()), (MAX_GROUPS, true));
    assert_eq!(
        groups.all().last().map(|group| group.end),
        Some(growing.log.bytes()),
        "it ends the one before all the same"
    );
}

#[test]
fn another_generation_is_scanned_from_its_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sh-1.log");
    std::fs::write(&path, recorded(b"::group::one\n::group::two\n")).unwrap();
    let mut log = LogFile::open(&crate::log::LogPath::named(&path)).unwrap();
    let mut groups = groups_of(&log);
    assert_eq!(groups.all().len(), 2);
    std::fs::write(&path, recorded(b"x\n")).unwrap();
    log.extend().unwrap();
    scan(&log, &mut groups, u64::MAX);
    assert_eq!((groups.all().len(), groups.bytes()), (0, log.bytes()));
}

#[test]
fn stored_groups_are_the_scanned_ones() {
    for name in ["gitlab", "github", "buildkite"] {
        let growing = fixture(name);
        let scanned = groups_of(&growing.log);
        let stored = Groups::decode(&scanned.encode().unwrap()).unwrap();
        assert!(!stored.all().is_empty() && stored.all().len() == scanned.all().len(), "{name}");
        assert_eq!(stored.hidden(|_| true), scanned.hidden(|_| true), "{name}");
        for at in 0..growing.log.bytes() {
            assert_eq!(stored.depth(at), scanned.depth(at), "{name} {at}");
            assert_eq!(stored.headed_by(at).is_some(), scanned.headed_by(at).is_some());
        }
        let mut again = stored.clone();
        assert_eq!(
            group(&growing.log, &mut again, u64::MAX).unwrap(),
            0,
            "nothing is left to scan"
        );
    }
}

#[test]
fn stored_groups_out_of_order_are_refused() {
    let document = |heading: u64, parent: Option<u32>| {
        let group = |heading, parent: Option<u32>| {
            serde_json::json!({"heading": heading, "body": heading + 9, "end": null,
                               "is_collapsed": false, "parent": parent})
        };
        let groups = [group(5, None), group(heading, parent)];
        let document =
            serde_json::json!({"schema": "rundown.groups/1", "bytes": 99, "groups": groups});
        Groups::decode(&crate::log::pack(&document).unwrap())
    };
    assert!(document(20, Some(0)).is_some());
    assert!(document(5, None).is_none());
    assert!(document(20, Some(1)).is_none(), "a group that contains itself");
}

#[test]
fn nested_folds_hide_their_rows_once() {
    let growing = fixture("gitlab");
    let groups = groups_of(&growing.log);
    let all = groups.hidden(|_| true);
    let outer: Vec<_> =
        [0, 1, 2].map(|at| groups.all()[at]).iter().map(|group| group.body..group.end).collect();
    assert_eq!(*all, outer, "the last one is empty");
    let collapsed = groups.hidden(|group| group.is_collapsed);
    assert_eq!(collapsed.first(), Some(&(groups.all()[3].body..groups.all()[3].end)));
    assert_eq!(collapsed.len(), 1);
    assert!(groups.hidden(|_| false).is_empty());
}

#[test]
fn the_depth_of_a_row_is_the_number_of_groups_around_it() {
    let section = |at: &str| format!("\x1b[0Ksection_{at}\r\x1b[0K{at}\n");
    let (start, end) =
        (|name| section(&format!("start:1:{name}")), |name| section(&format!("end:1:{name}")));
    let rows = ["a\n", &start("o"), "b\n", &start("i"), "c\n", &end("i"), "d\n", &end("o"), "e\n"];
    let growing = of_rows(&rows.concat());
    let groups = groups_of(&growing.log);
    let window = growing.log.window(crate::log::Anchor::From(0), 20, Tail::Emit).unwrap();
    let depths: Vec<_> = window.rows.iter().map(|row| groups.depth(row.offset)).collect();
    assert_eq!(depths, [0, 0, 1, 1, 2, 1, 1, 0, 0], "the end marker of GitLab is after its group");
}

#[test]
fn the_row_count_of_a_group_is_available_once_its_rows_are_indexed() {
    let growing = of_rows("a\n::group::b\nc\nd\n::endgroup::\ne\n::group::f\ng\n");
    let (log, groups) = (&growing.log, groups_of(&growing.log));
    let rows_of = |index: &crate::log::Index| {
        let rows =
            |group: &Group| log.rows_within(index, group.body..group.end, Tail::Hold).unwrap();
        groups.all().iter().map(rows).collect::<Vec<_>>()
    };
    let mut index = crate::log::Index::new(log.format());
    assert_eq!(rows_of(&index), [None, None]);
    log.feed(&mut index, groups.all()[0].end).unwrap();
    assert_eq!(rows_of(&index), [Some(3), None]);
    log.feed(&mut index, u64::MAX).unwrap();
    assert_eq!(rows_of(&index), [Some(3), Some(1)]);
}

/// If a row ends two nested sections, it also ends a heading between them.
#[test]
fn a_row_that_ends_a_group_and_one_around_its_parent_ends_all_three() {
    let growing = of_rows(
        "section_start:1:a\r\x1b[0K\n--- a\nsection_start:1:b\r\x1b[0K\nx\n\
         section_end:1:b\r\x1b[0Ksection_end:1:a\r\x1b[0K",
    );
    let ends: Vec<u64> = groups_of(&growing.log).all().iter().map(|group| group.end).collect();
    assert_eq!(ends.len(), 3);
    assert!(ends.windows(2).all(|pair| pair[0] >= pair[1]), "{ends:?}");
}

fn line() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        4 => Just("x"),
        2 => Just("::group::a"),
        2 => Just("::endgroup::"),
        1 => Just("section_start:1:a\r\x1b[0KA"),
        1 => Just("section_start:1:b[collapsed=true]\r\x1b[0K"),
        1 => Just("section_end:1:a\r\x1b[0K"),
        1 => Just("section_end:1:b\r\x1b[0Ksection_start:1:a\r\x1b[0K"),
        1 => Just("section_start:1:b\r\x1b[0Ksection_end:1:b\r\x1b[0K"),
        1 => Just("section_end:1:b\r\x1b[0Kdone"),
        1 => Just("travis_fold:start:a"),
        1 => Just("travis_fold:end:a"),
        2 => Just("--- a"),
        2 => Just("+++ a"),
        1 => Just("++ a"),
        1 => Just("@@ -1 +1 @@"),
    ];
    let header = prop_oneof![
        12 => Just("2026-01-02T03:04:05.123456789Z stdout F "),
        4 => Just("2026-01-02T03:04:05.123456789Z stderr F "),
        1 => Just("2026-01-02T03:04:05.123456789Z stdout P "),
        1 => Just("2026-01-02T03:04:05Z stderr P "),
        1 => Just(""),
    ];
    (header, text).prop_map(|(header, text)| format!("{header}{text}\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn incremental_scans_equal_one_scan_and_groups_nest(
        lines in vec(line(), 0..60),
        step in 1_u64..700,
    ) {
        let growing = Growing::new(lines.concat().as_bytes());
        let whole = groups_of(&growing.log);
        let mut groups = Groups::new();
        scan(&growing.log, &mut groups, step);
        prop_assert_eq!(groups.all(), whole.all());
        for (at, group) in whole.all().iter().enumerate() {
            prop_assert!(group.heading < group.body && group.body <= group.end);
            for later in &whole.all()[at + 1..] {
                prop_assert!(group.heading <= later.heading);
                prop_assert!(
                    later.body >= group.end || later.end <= group.end,
                    "{group:?} and {later:?}"
                );
            }
        }
    }

    #[test]
    fn appended_rows_are_found_as_in_one_scan(
        lines in vec(line(), 0..40),
        cuts in vec(0_usize..4000, 0..6),
    ) {
        let bytes: Vec<u8> = lines.concat().replace(" P ", " F ").into_bytes();
        let mut cuts: Vec<usize> =
            cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let mut growing = Growing::new(b"");
        let mut groups = Groups::new();
        for cut in cuts.windows(2) {
            growing.append(&bytes[cut[0]..cut[1]]);
            scan(&growing.log, &mut groups, u64::MAX);
        }
        let whole = groups_of(&growing.log);
        prop_assert_eq!(groups.all(), whole.all());
    }

    #[test]
    fn the_group_of_a_row_is_the_innermost(lines in vec(line(), 0..60)) {
        let growing = Growing::new(lines.concat().as_bytes());
        let groups = groups_of(&growing.log);
        for row in
            growing.log.window(crate::log::Anchor::From(0), usize::MAX, Tail::Emit).unwrap().rows
        {
            let is_in = |group: &&Group| {
                group.heading == row.offset || (group.body..group.end).contains(&row.offset)
            };
            prop_assert_eq!(groups.around(row.offset), groups.all().iter().rfind(is_in));
        }
    }
}
