//! The scroll, which contains all commands of a job or a run: folds, groups, and the card with the
//! likely cause. The tests draw real stores without a terminal.

use std::fs;

use insta::assert_snapshot;
use proptest::prelude::*;
use rundown::catalog::{Catalog, RunSpec};
use rundown::cri::Stream;
use rundown::document::{Document, RowAddress, Section, log_bytes};
use rundown::join::Place;
use rundown::log::{LogFile, Tail};
use rundown::model::{JobId, RunId};
use rundown::store::{JobEnd, RunEnd};
use rundown::tui::layout::Pane;
use rundown::tui::msg::{Effect, ExternalRequest, TerminalRequest};
use rundown::tui::sim::Sim;

use crate::support::built::{Built, at, failed_run, run_id};
use crate::support::json;
use crate::support::screen::{HUGE, LARGE, SMALL, TINY, open, options};

const SIZES: [(u16, u16); 4] = [TINY, SMALL, LARGE, HUGE];

fn failed() -> Built {
    let mut store = Built::new();
    failed_run(&mut store, &run_id(2), 0);
    store
}

/// Opens the newest run of a store, and shows the scroll of all its commands.
fn whole(store: &Built, size: (u16, u16)) -> Sim {
    let mut sim = open(store, size);
    sim.keys("Esc Tab");
    while sim.model.focus != Pane::Tree {
        sim.keys("Tab");
    }
    sim.keys("g Enter");
    assert!(sim.model.log.has_headings());
    let (run, sections) = (sim.model.run.as_ref().unwrap(), &document(&sim).sections);
    assert_eq!(log_bytes(run, &Place::Run).len(), sections.len(), "each section has a size");
    sim
}

fn document(sim: &Sim) -> &Document {
    sim.model.log.document.as_ref().unwrap()
}

/// Returns the text of the current row.
fn current(sim: &Sim) -> String {
    String::from_utf8_lossy(&sim.model.log.current_row().unwrap().text).into_owned()
}

/// Returns the position of the current row.
fn here(sim: &Sim) -> RowAddress {
    document(sim).row(sim.model.log.current_row().unwrap().offset)
}

/// Returns the rows of the log that are on screen. A heading is returned as `# 1` if its section is
/// the first, and so on; any other row is returned as its text.
fn rows(sim: &Sim) -> Vec<String> {
    let log = &sim.model.log;
    let shown = log.window.rows.iter().skip(log.top).take(sim.model.log.height());
    let text = |row: &rundown::log::Row| match (log.heading(row), document(sim).row(row.offset)) {
        (Some(_), spot) => format!("# {}", spot.section() + 1),
        (None, _) => String::from_utf8_lossy(&row.text).into_owned(),
    };
    shown.map(text).collect()
}

/// Makes a store with a run that has ended. Each item is a command: its job, its number, the number
/// of its rows, and its exit code.
fn run_of(rows_of: &[(&str, u32, usize, i32)]) -> (Built, RunId) {
    let (mut store, run) = (Built::new(), run_id(4));
    let mut jobs: Vec<_> = rows_of.iter().map(|(job, ..)| *job).collect();
    jobs.dedup();
    store.begin(&run, &jobs, 0);
    for (time, (job, n, count, exit)) in rows_of.iter().enumerate() {
        let start = i64::try_from(time).unwrap() * 1_000 + 1;
        store.start(&run, job, *n, &format!("make {job} {n}"), start);
        let text =
            (0..*count).map(|row| format!("{job} {n} row {row}\n")).collect::<Vec<_>>().concat();
        store.print(&run, job, *n, start + 10, Stream::Stdout, &text);
        store.end(&run, job, *n, *exit, start + 900);
    }
    for job in &jobs {
        store.end_job(&run, job, JobEnd::Complete, 90_000);
    }
    store.end_run(&run, RunEnd::Failed("job-failed"), 90_001);
    (store, run)
}

#[test]
fn a_run_is_one_scroll_with_passed_commands_folded() {
    for (width, height) in SIZES {
        let store = failed();
        let mut sim = whole(&store, (width, height));
        assert_snapshot!(format!("run_{width}x{height}"), sim.screen());
    }
    let store = failed();
    assert_snapshot!("styles_of_a_scroll", whole(&store, SMALL).styles());
}

#[test]
fn a_job_is_one_scroll_and_escape_returns_to_the_tree() {
    let store = failed();
    let mut sim = open(&store, SMALL);
    sim.keys("Tab h Enter");
    assert_eq!(document(&sim).of, Place::Job(JobId("test".into())));
    assert_eq!(rows(&sim)[0], "# 2", "it opens at the failed command");
    sim.keys("Esc");
    assert_eq!(sim.model.focus, Pane::Tree);
    sim.keys("j");
    assert!(!sim.model.log.has_headings(), "a single command has no headings");
}

#[test]
fn sections_fold_and_keep_their_position_on_the_screen() {
    let (store, _) = run_of(&[("a", 1, 3, 0), ("a", 2, 3, 0), ("b", 1, 40, 1), ("b", 2, 2, 0)]);
    let mut sim = whole(&store, SMALL);
    assert_eq!(&rows(&sim)[..2], ["# 3", "b 1 row 0"], "it opens at the failed command");
    sim.keys("g Enter");
    assert_eq!(&rows(&sim)[..5], ["# 1", "a 1 row 0", "a 1 row 1", "a 1 row 2", "# 2"]);
    sim.keys("j j z a");
    assert_eq!(&rows(&sim)[..2], ["# 1", "# 2"], "any row of a section can fold it");
    sim.keys("z M");
    assert_eq!(rows(&sim), ["# 1", "# 2", "# 3", "# 4"]);
    sim.keys("z R");
    assert_eq!(
        &rows(&sim)[..6],
        ["# 1", "a 1 row 0", "a 1 row 1", "a 1 row 2", "# 2", "a 2 row 0"]
    );
    sim.keys("G");
    assert_eq!(rows(&sim).last().unwrap(), "b 2 row 1");
    sim.keys("z c");
    let shown = rows(&sim);
    assert_eq!(
        &shown[shown.len() - 4..],
        ["b 1 row 37", "b 1 row 38", "b 1 row 39", "# 4"],
        "the section under the cursor folds"
    );
}

#[test]
fn brackets_move_between_commands_and_braces_between_failed_ones() {
    let (store, _) = run_of(&[("a", 1, 30, 0), ("a", 2, 30, 3), ("b", 1, 30, 0), ("b", 2, 30, 1)]);
    let mut sim = whole(&store, SMALL);
    assert_eq!(here(&sim), RowAddress::Heading(1), "it opens at the first failed command");
    sim.keys("]");
    assert_eq!(here(&sim), RowAddress::Heading(2));
    sim.keys("}");
    assert_eq!(here(&sim), RowAddress::Heading(3));
    sim.keys("{");
    assert_eq!(here(&sim), RowAddress::Heading(1));
    sim.keys("{");
    assert_eq!(here(&sim), RowAddress::Heading(1));
    assert!(sim.screen().contains("no failed command above"));
    sim.keys("[");
    assert_eq!(here(&sim), RowAddress::Heading(0));
}

#[test]
fn a_search_counts_matches_in_all_commands_and_unfolds_them() {
    let (store, _) = run_of(&[("a", 1, 20, 0), ("b", 1, 20, 1), ("c", 1, 20, 0)]);
    let mut sim = whole(&store, SMALL);
    let mut find = |keys: &str| {
        sim.keys(keys);
        let row = sim.model.log.current_row().unwrap();
        let text = String::from_utf8_lossy(&row.text).into_owned();
        let hits = sim.model.log.known.hits.unwrap();
        (text, hits.rows, hits.number, hits.is_all)
    };
    assert_eq!(find("/ r o w Space 7 Enter"), ("b 1 row 7".into(), 3, Some(2), true));
    assert_eq!(find("n"), ("c 1 row 7".into(), 3, Some(3), true));
    assert_eq!(find("n"), ("a 1 row 7".into(), 3, Some(1), true));
    assert_eq!(find("N"), ("c 1 row 7".into(), 3, Some(3), true));
    let shown = rows(&sim);
    let at = shown.iter().position(|row| row == "c 1 row 7").unwrap();
    assert_eq!(shown[at - 1], "c 1 row 6", "the section of the match is unfolded: {shown:?}");
}

#[test]
fn a_command_that_passes_folds_only_while_the_log_is_followed() {
    for is_read in [false, true] {
        let (mut store, run) = (Built::new(), run_id(5));
        store.begin(&run, &["build"], 0);
        store.start(&run, "build", 1, "make", 100);
        let text = (0..40).map(|row| format!("row {row}\n")).collect::<Vec<_>>().concat();
        store.print(&run, "build", 1, 200, Stream::Stdout, &text);
        let mut sim = whole(&store, SMALL);
        assert_eq!(rows(&sim).last().unwrap(), "row 39", "the log is followed");
        if is_read {
            sim.keys("k k");
        }
        let before = rows(&sim);
        store.end(&run, "build", 1, 0, 1_000);
        store.start(&run, "build", 2, "make check", 1_001);
        store.print(&run, "build", 2, 1_100, Stream::Stdout, "checking\n");
        sim.disk();
        if is_read {
            assert_eq!(rows(&sim), before);
        } else {
            assert_eq!(rows(&sim), ["# 1", "# 2", "checking"]);
            store.end(&run, "build", 2, 0, 2_000);
            sim.disk();
            store.end_job(&run, "build", JobEnd::Complete, 2_001);
            store.end_run(&run, RunEnd::Complete, 2_002);
            sim.disk();
            assert_eq!(rows(&sim), ["# 1", "# 2", "checking"], "the last command stays unfolded");
        }
    }
}

#[test]
fn a_command_that_starts_above_the_viewport_does_not_move_it() {
    let (mut store, run) = (Built::new(), run_id(6));
    store.begin(&run, &["a", "b"], 0);
    store.start(&run, "a", 1, "make a", 100);
    store.print(&run, "a", 1, 200, Stream::Stdout, "a\n");
    store.start(&run, "b", 1, "make b", 101);
    let text = (0..60).map(|row| format!("row {row}\n")).collect::<Vec<_>>().concat();
    store.print(&run, "b", 1, 200, Stream::Stdout, &text);
    let mut sim = whole(&store, SMALL);
    sim.keys("k k");
    let (before, section) = (rows(&sim), here(&sim).section());
    store.end(&run, "a", 1, 0, 300);
    store.start(&run, "a", 2, "make a too", 301);
    sim.disk();
    assert_eq!(rows(&sim), before);
    assert_eq!(here(&sim).section(), section + 1);
    assert_eq!(rows(sim.keys("G")).last().unwrap(), "row 59");
}

#[test]
fn copy_edit_and_mark_apply_to_the_command_under_the_cursor() {
    let (store, _) = run_of(&[("a", 1, 3, 1), ("b", 1, 3, 1)]);
    let mut sim = whole(&store, SMALL);
    sim.keys("g ] j c");
    assert_eq!(sim.others.pop(), Some(TerminalRequest::Copy("make b 1".into()).into()));
    sim.keys("y v");
    let Some(Effect::External(ExternalRequest::Edit(row, None))) = sim.others.pop() else {
        panic!("no editor")
    };
    assert!(row.log.ends_with("b/sh-1.log"), "{:?}", row.log);
    sim.keys("/ b Space 1 Space r o w Space 2 Enter m x g ' x");
    assert_eq!(current(&sim), "b 1 row 2");
}

#[test]
fn the_editor_opens_the_source_on_the_row_of_the_cause() {
    let (mut store, run) = (Built::new(), run_id(8));
    store.begin(&run, &["a"], 0);
    store.start(&run, "a", 1, "make", 1);
    for row in ["building", "lib/a.c:7:5: error: bad", "make: *** [a.o] Error 1"] {
        store.print(&run, "a", 1, 2, Stream::Stderr, &format!("{row}\n"));
    }
    store.end(&run, "a", 1, 2, 3);
    store.end_run(&run, RunEnd::Complete, 4);
    let mut sim = whole(&store, SMALL);
    let mut edited = |keys| match sim.keys(keys).others.pop() {
        Some(Effect::External(ExternalRequest::Edit(_, source))) => {
            source.map(|source| (source.dir, source.location.to_string()))
        }
        _ => panic!("no editor"),
    };
    assert_eq!(edited("C v"), Some(("/src".into(), "lib/a.c:7:5".into())));
    assert_eq!(edited("j v"), None, "another row");
    assert_eq!(edited("k C C v"), None, "the card is closed");
}

#[test]
fn gaps_of_all_unfolded_commands_are_ranked_together() {
    let (mut store, run) = (Built::new(), run_id(8));
    store.begin(&run, &["a", "b"], 0);
    for (job, at, gap) in [("a", 0, 2_000), ("b", 10_000, 9_000)] {
        store.start(&run, job, 1, &format!("make {job}"), at);
        store.print(&run, job, 1, at, Stream::Stdout, &format!("{job} first\n"));
        store.print(&run, job, 1, at + gap, Stream::Stdout, &format!("{job} late\n"));
        store.end(&run, job, 1, 1, at + gap + 1);
    }
    store.end_run(&run, RunEnd::Complete, 20_000);
    let mut sim = whole(&store, SMALL);
    assert_eq!(current(sim.keys("g s")), "b late");
    assert!(sim.screen().contains("longest gap of 2: 9.0s"), "{}", sim.screen());
    assert_eq!(current(sim.keys("s")), "a late");
    sim.keys("g ] z c s");
    assert_eq!(current(&sim), "a late", "a folded command has no gaps");
    assert!(sim.screen().contains("longest gap of 1: 2.0s"), "{}", sim.screen());
}

#[test]
fn the_cause_of_a_command_is_shown_among_the_others() {
    let (mut store, run) = (Built::new(), run_id(9));
    store.begin(&run, &["a", "b"], 0);
    for (job, error) in [("a", "error[E0308]: mismatched types"), ("b", "fatal: not a repository")]
    {
        store.start(&run, job, 1, &format!("make {job}"), 100);
        let rows = (0..40).map(|row| format!("{job} {row}\n")).collect::<Vec<_>>().concat();
        store.print(&run, job, 1, 200, Stream::Stderr, &format!("{rows}{error}\n"));
        store.end(&run, job, 1, 2, 1_100);
    }
    store.end_run(&run, RunEnd::Complete, 2_000);
    let mut sim = whole(&store, SMALL);
    assert_eq!(current(sim.keys("g ] C")), "fatal: not a repository");
    assert!(sim.screen().contains("b/1: exit 2 after 1.0s · likely cause"), "{}", sim.screen());
    assert!(!sim.screen().contains("more failed below"));
    assert_eq!(current(sim.keys("g C")), "error[E0308]: mismatched types");
    assert!(sim.screen().contains("a/1: exit 2 after 1.0s · likely cause"), "{}", sim.screen());
    let explained = sim.keys("C").screen();
    assert!(
        explained.contains("70 states a defect  error[E0308]: mismatched types"),
        "{explained}"
    );
    assert!(!sim.keys("C").screen().contains("likely cause"), "a third time hides it");
    sim.keys("g z c C");
    assert_eq!(current(&sim), "error[E0308]: mismatched types", "its section is unfolded");
}

#[test]
fn the_cause_stays_marked_when_a_command_starts_above_it() {
    let (mut store, run) = (Built::new(), run_id(6));
    store.begin(&run, &["a", "b"], 0);
    store.start(&run, "a", 1, "make a", 100);
    store.print(&run, "a", 1, 200, Stream::Stdout, "a\n");
    store.start(&run, "b", 1, "make b", 101);
    store.print(&run, "b", 1, 200, Stream::Stderr, "one\nerror[E0308]: mismatched types\n");
    store.end(&run, "b", 1, 1, 300);
    let mut sim = whole(&store, SMALL);
    sim.keys("g ] C");
    store.start(&run, "a", 2, "make a too", 311);
    sim.disk();
    let (cursor, cause) = (sim.model.log.cursor, sim.model.log.cause().unwrap());
    assert_eq!(cause.at, cursor);
    assert!(cause.rows.iter().any(|row| Some(row.offset) == cursor));
}

#[test]
fn a_requested_cause_stays_on_screen_when_another_command_starts() {
    let (mut store, run) = (Built::new(), run_id(6));
    store.begin(&run, &["a", "b"], 0);
    store.start(&run, "a", 1, "make a", 100);
    store.start(&run, "b", 1, "make b", 101);
    store.print(&run, "b", 1, 200, Stream::Stderr, "error[E0308]: mismatched types\n");
    store.end(&run, "b", 1, 1, 300);
    let mut sim = whole(&store, SMALL);
    sim.keys("G C");
    let cause = sim.model.log.cause().unwrap().at;
    assert!(cause.is_some() && sim.model.log.cursor == cause);
    store.end(&run, "a", 1, 0, 310);
    store.start(&run, "a", 2, "make a too", 311);
    sim.disk();
    assert!(sim.screen().contains("likely cause"), "{}", sim.screen());
}

#[test]
fn without_a_known_cause_the_end_of_the_command_is_shown_and_stays() {
    let (mut store, run) = (Built::new(), run_id(9));
    store.begin(&run, &["a", "b"], 0);
    for job in ["a", "b"] {
        store.start(&run, job, 1, &format!("make {job}"), 100);
        let rows = (0..60).map(|row| format!("{job} {row}\n")).collect::<Vec<_>>().concat();
        store.print(&run, job, 1, 200, Stream::Stdout, &rows);
        store.end(&run, job, 1, 2, 1_100);
    }
    let mut sim = whole(&store, SMALL);
    sim.keys("g C");
    assert!(sim.screen().contains("a/1: exit 2 after 1.0s · cause not recognized"));
    assert_eq!(rows(&sim).last().unwrap(), "a 59");
    store.end_run(&run, RunEnd::Complete, 2_000);
    sim.disk();
    assert_eq!(rows(&sim).last().unwrap(), "a 59", "{}", sim.screen());
}

#[test]
fn without_a_log_there_is_no_cause() {
    let (mut store, run) = (Built::new(), run_id(6));
    store.begin(&run, &["a", "b"], 0);
    store.start(&run, "a", 1, "make a", 100);
    store.end(&run, "a", 1, 1, 300);
    store.end_run(&run, RunEnd::Failed("job-failed"), 400);
    let mut sim = whole(&store, SMALL);
    sim.keys("G C");
    assert_eq!(sim.model.message.as_deref(), Some("no output here"), "the job was skipped");
}

#[test]
fn the_end_of_a_short_command_without_a_known_cause_is_shown_above_the_next_command() {
    let (store, _) = run_of(&[("a", 1, 3, 1), ("b", 1, 60, 1)]);
    let mut sim = whole(&store, SMALL);
    sim.keys("g C");
    assert_eq!(rows(&sim)[..4], ["# 1", "a 1 row 0", "a 1 row 1", "a 1 row 2"], "{}", sim.screen());
    let current = sim.model.log.current_row().unwrap();
    assert_eq!(current.text, b"a 1 row 2");
    sim.keys("C");
    assert!(sim.model.log.cause().is_none(), "the card of this command is closed");
}

#[test]
fn a_command_is_copied_as_typed_in_a_shell_and_with_its_directory() {
    let (mut store, run) = (Built::new(), run_id(1));
    store.begin(&run, &["a"], 0);
    for (n, command) in
        (1..).zip([r#"["sh","-c","echo \"$1\""]"#, "set -e\n\tmake \x1b[2J\nmake install\n"])
    {
        store.start(&run, "a", n, command, i64::from(n));
        store.end(&run, "a", n, 0, i64::from(n) + 10);
    }
    let mut sim = whole(&store, SMALL);
    let mut copied = |keys: &str| {
        let Some(Effect::Terminal(TerminalRequest::Copy(text))) = sim.keys(keys).others.pop()
        else {
            panic!("nothing copied")
        };
        (text, sim.model.message.clone().unwrap())
    };
    let (command, with_directory) =
        ("copied the command".to_owned(), "copied the command with its directory".to_owned());
    assert_eq!(copied("g c"), (r#"sh -c 'echo "$1"'"#.into(), command.clone()));
    assert_eq!(copied("D"), (r#"cd /src && sh -c 'echo "$1"'"#.into(), with_directory.clone()));
    let script = "set -e\n\tmake ␛[2J\nmake install";
    assert_eq!(copied("] c"), (script.into(), command));
    assert_eq!(copied("D"), (format!("cd /src && (\n{script}\n)"), with_directory));
}

#[test]
fn without_a_known_directory_the_command_is_copied_alone() {
    let dir = crate::support::store("quire-v2-live");
    let (catalog, run) = (Catalog::of_store(dir.path(), None), RunSpec::Id("d61998d3".into()));
    let mut sim = Sim::new(catalog, Some(run), options(), SMALL, at(0));
    sim.keys("D");
    let message = sim.model.message.clone();
    assert_eq!(message.as_deref(), Some("directory unknown; copied the command alone"));
    let copied = sim.others.pop();
    assert!(matches!(copied, Some(Effect::Terminal(TerminalRequest::Copy(_)))), "{copied:?}");
}

#[test]
fn times_of_a_command_do_not_depend_on_the_commands_before() {
    let (mut store, run) = (Built::new(), run_id(8));
    store.begin(&run, &["a", "b"], 0);
    for (job, start) in [("a", 0), ("b", 60_000)] {
        store.start(&run, job, 1, &format!("make {job}"), start);
        store.print(&run, job, 1, start + 500, Stream::Stdout, "::group::one\n");
        store.print(&run, job, 1, start + 700, Stream::Stdout, "a row\n::endgroup::\n");
        store.end(&run, job, 1, 1, start + 1_000);
    }
    store.end_run(&run, RunEnd::Complete, 62_000);
    let mut sim = whole(&store, SMALL);
    let rows = |sim: &mut Sim| {
        let screen = sim.screen();
        let rows = screen.lines().filter(|line| line.contains("a row"));
        rows.map(|row| {
            row.split_whitespace().find(|word| word.starts_with('+')).unwrap().to_owned()
        })
        .collect::<Vec<_>>()
    };
    sim.keys("g t");
    assert_eq!(rows(&mut sim), ["+0.700s", "+60.700s"], "since the start of the run");
    sim.keys("t");
    assert_eq!(rows(&mut sim), ["+0.200s", "+0.200s"], "since the heading of the group");
}

/// Makes a store with a log that contains two groups.
fn grouped() -> Built {
    let (mut store, run) = (Built::new(), run_id(7));
    store.begin(&run, &["build"], 0);
    store.start(&run, "build", 1, "ci/build", 100);
    let part = |name: &str, rows: usize| {
        let rows = (0..rows).map(|row| format!("{name} {row}\n")).collect::<Vec<_>>().concat();
        format!("::group::{name}\n{rows}::endgroup::\n")
    };
    let text = format!("before\n{}between\n{}after\n", part("one", 40), part("two", 3));
    store.print(&run, "build", 1, 200, Stream::Stdout, &text);
    store.end(&run, "build", 1, 0, 900);
    store.end_job(&run, "build", JobEnd::Complete, 950);
    store.end_run(&run, RunEnd::Complete, 1_000);
    store
}

#[test]
fn groups_fold_under_their_headings_and_a_search_opens_them() {
    let store = grouped();
    let mut sim = open(&store, SMALL);
    assert_eq!(&rows(&sim)[..3], ["before", "::group::one", "one 0"]);
    assert_snapshot!("groups_80x24", sim.screen());
    sim.keys("j j j z a");
    assert_eq!(&rows(&sim)[..4], ["before", "::group::one", "between", "::group::two"]);
    assert_snapshot!("group_folded_80x24", sim.screen());
    sim.keys("z M");
    assert_eq!(rows(&sim), ["before", "::group::one", "between", "::group::two", "after"]);
    sim.keys("/ o n e Space 2 0 Enter");
    assert_eq!(current(&sim), "one 20");
    assert!(rows(&sim).contains(&"one 21".to_owned()), "the group of the match is unfolded");
    sim.keys("G");
    assert!(!rows(&sim).contains(&"two 0".to_owned()), "the other group stays folded");
    sim.keys("z R");
    assert!(rows(sim.keys("G")).contains(&"two 0".to_owned()));
}

#[test]
fn a_click_on_a_heading_toggles_its_fold() {
    let store = grouped();
    let mut sim = open(&store, SMALL);
    let y = u16::try_from(sim.screen().lines().position(|line| line.contains("▾ one")).unwrap())
        .unwrap();
    sim.mouse(rundown::tui::msg::Mouse::Click, 60, y);
    assert_eq!(&rows(&sim)[..3], ["before", "::group::one", "between"]);
    sim.mouse(rundown::tui::msg::Mouse::Click, 60, y);
    assert_eq!(rows(&sim)[2], "one 0");
}

#[test]
fn a_failed_run_opens_at_its_cause() {
    for (width, height) in SIZES {
        let store = failed();
        let mut sim = open(&store, (width, height));
        assert_snapshot!(format!("cause_{width}x{height}"), sim.screen());
    }
    assert_snapshot!("styles_of_the_cause", open(&failed(), SMALL).styles());
}

#[test]
fn opening_and_closing_the_card_moves_no_rows() {
    let store = failed();
    let mut sim = open(&store, SMALL);
    let is_open = |sim: &Sim| sim.model.log.cause().is_some();
    assert!(is_open(&sim));
    let lines = |sim: &mut Sim| {
        let screen = sim.screen();
        let found = |text: &str| screen.lines().filter(|line| line.contains(text)).count();
        let line = screen.lines().position(|line| line.contains("left: 3")).unwrap();
        assert_eq!((found("left: 3"), found("right: 4")), (1, 1), "no row appears twice: {screen}");
        line
    };
    let first = lines(&mut sim);
    assert!(sim.screen().contains("likely cause · rust"), "{}", sim.screen());
    sim.keys("C C");
    assert!(!is_open(&sim) && !sim.screen().contains("likely cause"));
    assert_eq!(lines(&mut sim), first);
    sim.keys("C j");
    assert!(is_open(&sim), "the card stays open while the cursor moves");
    assert_eq!(lines(&mut sim), first);
    sim.keys("Esc");
    assert!(!is_open(&sim));
    assert_eq!(sim.model.focus, Pane::Log, "closing the card leaves the focus on the log");
}

#[test]
fn details_above_a_growing_log_do_not_move_the_cursor_to_its_end() {
    for (size, panes) in [(SMALL, ""), (TINY, "Shift-Tab")] {
        let (mut store, run) = (Built::new(), run_id(5));
        store.begin(&run, &["build"], 0);
        store.start(&run, "build", 1, "make", 100);
        let text = (0..40).map(|row| format!("row {row}\n")).collect::<Vec<_>>().concat();
        store.print(&run, "build", 1, 200, Stream::Stdout, &text);
        let mut sim = open(&store, size);
        while sim.model.focus != Pane::Log {
            sim.keys("Tab");
        }
        sim.keys("k").keys(panes);
        let cursor = sim.model.log.cursor;
        sim.keys("i");
        assert_eq!(sim.model.log.cursor, cursor);
        assert!(!sim.model.log.follow);
    }
}

#[test]
fn an_unrecognized_failure_shows_the_end_of_stderr() {
    let (mut store, run) = (Built::new(), run_id(8));
    store.begin(&run, &["build"], 0);
    store.start(&run, "build", 1, "./odd", 100);
    for n in 0..20 {
        store.print(&run, "build", 1, 200 + n, Stream::Stderr, &format!("step {n} of the way\n"));
        store.print(&run, "build", 1, 200 + n, Stream::Stdout, "noise\n");
    }
    store.end(&run, "build", 1, 7, 900);
    store.end_job(&run, "build", JobEnd::Failed(7), 950);
    store.end_run(&run, RunEnd::Failed("job-failed"), 1_000);
    let mut sim = open(&store, SMALL);
    assert_snapshot!("no_rule_80x24", sim.screen());
}

#[test]
fn a_failure_moves_the_log_to_its_cause_only_while_following() {
    for is_read in [false, true] {
        let (store, run) = {
            let (mut store, run) = (Built::new(), run_id(9));
            store.begin(&run, &["build"], 0);
            (store, run)
        };
        store.start(&run, "build", 1, "make", 100);
        let text = (0..40).map(|row| format!("row {row}\n")).collect::<Vec<_>>().concat();
        store.print(&run, "build", 1, 200, Stream::Stdout, &text);
        let mut sim = open(&store, SMALL);
        if is_read {
            sim.keys("k");
        }
        store.print(&run, "build", 1, 300, Stream::Stderr, "src/a.c:3:5: error: expected ';'\n");
        store.print(&run, "build", 1, 301, Stream::Stderr, "make: *** [Makefile:2: a.o] Error 1\n");
        store.end(&run, "build", 1, 2, 400);
        sim.disk();
        assert_eq!(sim.model.log.cause().is_some(), !is_read);
        let row = current(&sim);
        assert_eq!(row.contains("error: expected"), !is_read, "{row}");
    }
}

/// Keys that move, fold, search or filter.
const KEYS: &[&str] = &[
    "j",
    "k",
    "PageDown",
    "PageUp",
    "Ctrl-d",
    "Ctrl-u",
    "g",
    "G",
    "z a",
    "z o",
    "z c",
    "[",
    "]",
    "{",
    "}",
    "z M",
    "z R",
    "/ r o w Space 1 Enter",
    "n",
    "N",
    ": 5 0 % Enter",
    ": 7 Enter",
    "Enter",
    "w",
    "2",
    "0",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// After any folds and moves, the loaded rows are consecutive rows of the scroll.
    #[test]
    fn a_scroll_contains_its_headings_and_the_rows_of_its_open_sections(
        counts in prop::collection::vec((0_usize..90, 0_i32..2), 1..7),
        keys in prop::collection::vec(prop::sample::select(KEYS), 1..30),
    ) {
        let command = |(index, (rows, exit)): (u32, &(usize, i32))| match index {
            0..3 => ("a", index + 1, *rows, *exit),
            _ => ("b", index - 2, *rows, *exit),
        };
        let commands: Vec<_> = (0..).zip(&counts).map(command).collect();
        let (store, _) = run_of(&commands);
        let mut sim = whole(&store, SMALL);
        for key in keys {
            sim.keys(key);
            let log = &sim.model.log;
            prop_assert!(log.request.is_none());
            let only_stderr = sim.model.log.options.row_filter.stream.is_some();
            let all = all_addresses(&sim, only_stderr);
            let offsets = log.window.rows.iter().map(|row| row.offset);
            let at_hand: Vec<_> = offsets.filter(|at| all.contains(at)).collect();
            let start = all.iter().position(|at| Some(at) == at_hand.first()).unwrap();
            prop_assert_eq!(&all[start..start + at_hand.len()], &at_hand[..]);
            prop_assert!(!log.window.at_start || start == 0);
            prop_assert!(!log.window.at_end || start + at_hand.len() == all.len());
            prop_assert!(log.top < log.window.rows.len());
        }
    }
}

/// Returns the addresses of all rows of a scroll, read from the logs.
fn all_addresses(sim: &Sim, only_stderr: bool) -> Vec<u64> {
    let sections = &document(sim).sections;
    let address = |row| document(sim).address(row);
    let of = |(at, section): (usize, &Section)| {
        let log = section.log.as_ref().filter(|_| section.is_open && !only_stderr);
        let rows = log.map(|log| {
            let file = LogFile::open(log).unwrap();
            let rows: Vec<_> =
                file.rows(0, 1000, Tail::Emit).unwrap().map(|row| row.unwrap().offset).collect();
            rows
        });
        let rows = rows
            .unwrap_or_default()
            .into_iter()
            .map(move |offset| address(RowAddress::Row(at, offset)));
        std::iter::once(address(RowAddress::Heading(at))).chain(rows).collect::<Vec<_>>()
    };
    sections.iter().enumerate().flat_map(of).collect()
}

#[test]
fn a_filter_searches_folded_rows_and_then_restores_the_folds() {
    let (store, _) = run_of(&[("a", 1, 20, 0), ("b", 1, 20, 1)]);
    let mut sim = whole(&store, SMALL);
    sim.keys("g & r o w Space 7 Enter");
    assert_eq!(rows(&sim), ["# 1", "a 1 row 7", "# 2", "b 1 row 7"]);
    sim.keys("Esc g");
    assert_eq!(&rows(&sim)[..3], ["# 1", "# 2", "b 1 row 0"]);
}

#[test]
fn the_selected_row_stays_selected_when_filters_change() {
    let (mut store, run) = (Built::new(), run_id(8));
    store.begin(&run, &["build"], 0);
    store.start(&run, "build", 1, "make", 100);
    for n in 0..9 {
        store.print(&run, "build", 1, 200 + n, Stream::Stdout, &format!("out {n}\n"));
        store.print(
            &run,
            "build",
            1,
            200 + n,
            Stream::Stderr,
            &format!("src/{n}.c:1:1: warning: odd\n"),
        );
    }
    store.print(&run, "build", 1, 300, Stream::Stderr, "src/a.c:3:5: error: expected ';'\n");
    store.end(&run, "build", 1, 2, 900);
    let mut sim = open(&store, SMALL);
    let copied = |sim: &mut Sim| {
        let Some(Effect::Terminal(TerminalRequest::Copy(text))) = sim.keys("y").others.pop() else {
            panic!("nothing copied")
        };
        text
    };
    let error = "src/a.c:3:5: error: expected ';'";
    assert_eq!(copied(&mut sim), error);
    for keys in ["2", "0", "& error Enter", "Esc", "1 0"] {
        sim.keys(&keys.replace("error", "e r r o r"));
        assert_eq!(copied(&mut sim), error, "{keys}");
    }
}

#[test]
fn the_rows_that_may_be_the_cause_are_listed_with_scores_and_reasons() {
    for (size, name) in [(SMALL, "80x24"), (LARGE, "120x40")] {
        let mut sim = open(&failed(), size);
        let cause = current(&sim);
        assert_snapshot!(format!("cause_explained_{name}"), sim.keys("C").screen());
        assert_eq!(current(&sim), cause, "the cause stays on screen");
    }
}

#[test]
fn a_long_row_of_the_cause_is_wrapped_until_the_rows_are_scrolled_sideways() {
    let mut sim = open(&failed(), TINY);
    let place = "src/parser.rs:42:9";
    assert!(sim.screen().contains(place), "{}", sim.screen());
    let shown = sim.keys("Right").screen();
    assert!(!shown.lines().any(|line| line.trim_start().starts_with("ked at")), "{shown}");
    assert!(sim.keys("Left").screen().contains(place), "{}", sim.screen());
    assert!(sim.keys("w").screen().contains(place), "all rows are wrapped");
}

/// A failed run whose log has one error, more than 32 MiB before its end.
fn long_ago() -> Built {
    let (mut built, run) = (Built::new(), run_id(1));
    built.begin(&run, &["a"], 0);
    built.start(&run, "a", 1, "make", 1);
    built.print(&run, "a", 1, 2, Stream::Stderr, "starting\nerror: long ago\n");
    let row = format!("{}\n", "x".repeat(60_000));
    built.print(&run, "a", 1, 3, Stream::Stdout, &row.repeat(570));
    built.end(&run, "a", 1, 2, 4);
    built.end_job(&run, "a", JobEnd::Failed(2), 5);
    built.end_run(&run, RunEnd::Failed("job-failed"), 6);
    built
}

#[test]
fn the_whole_log_is_searched_if_its_end_states_no_defect() {
    let store = long_ago();
    let mut sim = open(&store, SMALL);
    assert_eq!(current(&sim), "error: long ago");
    assert!(sim.screen().contains("likely cause"), "{}", sim.screen());
    assert!(!sim.screen().contains("in the last 32"), "{}", sim.screen());
    let root = store.root().to_str().unwrap();
    let document = json(store.root(), &["--root", root, "latest", "--once", "--format", "json"], 0);
    assert_eq!(document["run"]["jobs"][0]["commands"][0]["cause"]["row"], 2);
}

#[test]
fn closing_the_card_on_a_small_screen_leaves_the_log_at_the_cause() {
    let store = failed();
    let mut sim = open(&store, (40, 10));
    assert!(!sim.keys("C C").screen().contains("likely cause"));
    assert!(sim.screen().contains("▌thread"), "{}", sim.screen());
}

// ---- row counts and log changes in the scroll of a run ----

/// Makes a run with two running commands, and opens its scroll.
fn live_run() -> (Built, RunId, Sim) {
    let (mut store, run) = (Built::new(), run_id(9));
    store.begin(&run, &["a", "b"], 0);
    store.start(&run, "a", 1, "make a", 1);
    store.print(&run, "a", 1, 10, Stream::Stdout, "a one\na two\n");
    store.print(&run, "a", 1, 11, Stream::Stderr, "a three\n");
    store.start(&run, "b", 1, "make b", 20);
    store.print(&run, "b", 1, 30, Stream::Stdout, "b one\nb two\n");
    let sim = whole(&store, SMALL);
    (store, run, sim)
}

#[test]
fn a_document_that_is_followed_stays_when_a_command_starts() {
    for key in ["G", "f"] {
        let (store, run, mut sim) = live_run();
        sim.keys("g").keys(key);
        store.end(&run, "b", 1, 0, 40);
        store.start(&run, "b", 2, "make more", 41);
        store.print(&run, "b", 2, 50, Stream::Stdout, "more\n");
        sim.disk();
        assert!(sim.model.log.has_headings(), "{key}: {}", sim.screen());
        assert_eq!(rows(&sim).last().unwrap(), "more", "{key}");
    }
}

/// Returns the lines of the screen that contain a notice.
fn note(sim: &mut Sim) -> String {
    let screen = sim.screen();
    screen.lines().filter(|line| line.contains("! ")).collect()
}

#[test]
fn the_row_counts_of_a_run_are_the_sums_of_its_logs() {
    let (store, run, mut sim) = live_run();
    let totals = |sim: &Sim| {
        let known = &sim.model.log.known;
        (known.total_rows, known.stderr_rows)
    };
    assert_eq!(totals(&sim), (Some(5), Some(1)));
    store.print(&run, "b", 1, 40, Stream::Stdout, &"more\n".repeat(40));
    sim.disk();
    assert_eq!(totals(&sim), (Some(45), Some(1)));
    sim.keys("k");
    store.print(&run, "b", 1, 50, Stream::Stdout, "b three\nb four\n");
    sim.disk();
    assert_eq!(totals(&sim), (Some(47), Some(1)));
    assert!(sim.screen().contains("2 new rows"), "{}", sim.screen());
}

#[test]
fn a_filter_counts_the_matching_rows_of_all_logs() {
    let (_store, _, mut sim) = live_run();
    sim.keys("& o n e Enter");
    assert!(sim.screen().contains("&one 2 rows"), "{}", sim.screen());
    sim.keys("& ! o n e Enter");
    assert!(sim.screen().contains("&!one 3 rows"), "{}", sim.screen());
}

#[test]
fn a_truncated_log_is_reported_in_a_run() {
    let (store, run, mut sim) = live_run();
    let row = "2026-05-06T12:00:00Z stdout F fresh\n";
    fs::write(store.log_path(&run, "b", 1), row).unwrap();
    sim.disk();
    let screen = sim.screen();
    assert!(screen.contains("log of b/1 truncated or replaced"), "{screen}");
    assert!(screen.contains("fresh") && !screen.contains("b one"), "{screen}");
}

#[test]
fn a_deleted_log_is_reported_in_a_run_and_can_still_be_read() {
    let (store, run, mut sim) = live_run();
    fs::remove_file(store.log_path(&run, "b", 1)).unwrap();
    sim.disk();
    sim.disk();
    assert!(note(&mut sim).contains("b/1: the log was deleted"), "{}", sim.screen());
    assert!(sim.screen().contains("b one"), "{}", sim.screen());
    assert!(sim.screen().lines().next().unwrap().ends_with("deleted"), "{}", sim.screen());
}

#[test]
fn a_rotated_log_is_reported_in_a_run_and_then_followed() {
    let (store, run, mut sim) = live_run();
    let log = store.log_path(&run, "b", 1);
    fs::rename(&log, log.with_extension("old")).unwrap();
    fs::write(&log, "").unwrap();
    sim.disk();
    assert!(note(&mut sim).contains("b/1: the log was rotated"), "{}", sim.screen());
    fs::write(&log, "2026-05-06T12:00:00Z stdout F fresh\n").unwrap();
    sim.disk();
    sim.disk();
    assert!(sim.screen().contains("fresh"), "{}", sim.screen());
}

/// The number of files that a process may open is limited. So a log that is read only to count its
/// rows is closed again.
#[cfg(target_os = "linux")]
#[test]
fn counting_the_logs_of_a_long_run_keeps_few_of_them_open() {
    let commands: Vec<_> = (1..=300).map(|n| ("a", n, 2, 0)).collect();
    let (store, _) = run_of(&commands);
    let open_logs = || {
        let links = fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
        links.filter(|path| path.starts_with(store.root())).count()
    };
    let sim = whole(&store, SMALL);
    assert_eq!(sim.model.log.known.total_rows, Some(600));
    assert!(open_logs() < 30, "{} logs are open", open_logs());
}
