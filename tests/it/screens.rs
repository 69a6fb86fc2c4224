//! Screens, and the effects of keys and the mouse. The tests draw real stores without a terminal.

use std::fs;

use insta::assert_snapshot;
use proptest::prelude::*;
use rundown::catalog::{Beside, Catalog, RunList, RunSpec};
use rundown::cri::Stream;
use rundown::document::Answer;
use rundown::join::Place;
use rundown::model::{JobId, RunId};
use rundown::store::{JobEnd, RunEnd};
use rundown::tui::Options;
use rundown::tui::keymap::Key;
use rundown::tui::layout::Pane;
use rundown::tui::msg::{
    Effect, Effects, MAX_RUNS, Mouse, Msg, TerminalRequest, Watching, Work, WorkerRequest,
};
use rundown::tui::sim::Sim;
use rundown::tui::update::update;

use crate::support::built::{Built, at, passed_run, run_id, two_runs};
use crate::support::screen::{LARGE, SMALL, TINY, open, open_catalog, options};

/// Makes a store with a run whose only command is running and has printed `rows` rows.
fn running(rows: usize) -> (Built, RunId) {
    let (mut store, run) = (Built::new(), run_id(3));
    store.begin(&run, &["build", "test"], 0);
    store.start(&run, "build", 1, "make all", 100);
    print_rows(&store, &run, 1..=rows);
    (store, run)
}

fn print_rows(store: &Built, run: &RunId, rows: std::ops::RangeInclusive<usize>) {
    let text = rows.map(|n| format!("row {n}\n")).collect::<Vec<_>>().concat();
    store.print(run, "build", 1, 200, Stream::Stdout, &text);
}

fn selected(sim: &Sim) -> (String, Option<u32>) {
    match sim.model.tree.at.clone().unwrap() {
        Place::Run => (String::new(), None),
        Place::Job(job) => (job.0, None),
        Place::Sh(job, n) => (job.0, Some(n)),
    }
}

/// Returns the text of the rows of the log that are on screen.
fn log_rows(sim: &Sim) -> Vec<String> {
    let rows =
        sim.model.log.window.rows.iter().skip(sim.model.log.top).take(sim.model.log.height());
    rows.map(|row| String::from_utf8_lossy(&row.text).into_owned()).collect()
}

fn cursor_row(sim: &Sim) -> String {
    String::from_utf8_lossy(&sim.model.log.current_row().unwrap().text).into_owned()
}

fn first_row(sim: &Sim) -> String {
    log_rows(sim).first().cloned().unwrap_or_default()
}

fn last_row(sim: &Sim) -> String {
    log_rows(sim).last().cloned().unwrap_or_default()
}

fn badge(sim: &mut Sim) -> String {
    let screen = sim.screen();
    let title = screen.lines().next().unwrap().to_owned();
    title.rsplit("  ").next().unwrap().to_owned()
}

// ---- screens ----

#[test]
fn the_screen_needs_neither_color_nor_unicode() {
    let store = two_runs();
    let plain = Options { color: false, ascii: true, ..options() };
    let mut sim = Sim::new(store.catalog(), None, plain, SMALL, at(120_000));
    let screen = sim.keys("Tab").screen();
    assert!(screen.is_ascii(), "{screen}");
    assert_snapshot!("ascii_80x24", screen);
    let styles = sim.styles();
    assert!(styles.contains("REVERSED"), "{styles}");
    assert!(!styles.contains("Red") && !styles.contains("Blue"), "{styles}");
}

#[test]
fn help_contains_every_key_and_scrolls() {
    let store = two_runs();
    let mut sim = open(&store, SMALL);
    let mut seen = sim.keys("?").screen();
    for _ in 0..10 {
        seen.push_str(&sim.keys("Space").screen());
    }
    for binding in rundown::tui::keymap::BINDINGS {
        assert!(seen.contains(binding.label), "{}", binding.label);
    }
    assert!(!sim.keys("Esc").screen().contains("╭ Keys"));
}

#[test]
fn a_running_command_is_followed() {
    let (store, _) = running(3);
    assert_snapshot!("running_80x24", open(&store, SMALL).screen());
}

#[test]
fn an_empty_store_shows_a_waiting_message_and_opens_its_first_run() {
    let mut store = Built::new();
    let mut sim = open(&store, SMALL);
    let screen = sim.screen();
    assert!(
        screen.contains("the store has no runs yet") && screen.contains("rundown record -- CMD"),
        "{screen}"
    );
    passed_run(&mut store, &run_id(1), 0);
    sim.disk();
    assert_eq!(selected(&sim), ("build".into(), Some(1)));
    assert_eq!(first_row(&sim), "nothing to be done");
}

#[test]
fn names_and_rows_cannot_control_the_terminal() {
    let (mut store, run) = (Built::new(), run_id(5));
    let job = "evil\x1b[2J\x07job";
    store.begin(&run, &[job], 0);
    store.start(&run, job, 1, "echo \x1b]0;title\x07 \r\n rm -rf", 1);
    store.print(
        &run,
        job,
        1,
        2,
        Stream::Stdout,
        "\x1b[2J\x1b[1;1Hhome \x07 bell\tand tab \u{202e}bidi\n日本語 wide e\u{301}\n",
    );
    store.append(&run, job, 1, b"what is this\n");
    store.end(&run, job, 1, 0, 9);
    store.end_job(&run, job, JobEnd::Complete, 9);
    store.end_run(&run, RunEnd::Complete, 9);
    let screen = open(&store, SMALL).screen();
    assert!(!screen.chars().any(|c| c.is_control() && c != '\n'), "{screen:?}");
    assert_snapshot!("hostile_80x24", screen);
}

#[test]
fn a_screen_of_any_size_can_be_drawn() {
    let store = two_runs();
    let mut sim = open(&store, SMALL);
    for width in [1, 2, 3, 5, 9, 20, 59, 60, 61, 99, 100, 101, 300] {
        for height in [1, 2, 3, 4, 5, 7, 8, 24, 80] {
            for keys in ["", "r", "Esc Tab", "Esc Z", "z z ?", "z", "?"] {
                sim.keys(keys).resize(width, height).screen();
            }
        }
    }
}

// ---- moving between commands and panes ----

#[test]
fn brackets_move_between_commands_and_braces_between_failures() {
    let store = two_runs();
    let mut sim = open(&store, SMALL);
    assert_eq!(selected(&sim), ("test".into(), Some(2)));
    sim.keys("[");
    assert_eq!(selected(&sim), ("test".into(), Some(1)));
    sim.keys("[");
    assert_eq!(selected(&sim), ("build".into(), Some(1)));
    sim.keys("[ [");
    assert_eq!(selected(&sim), ("build".into(), Some(1)), "no command comes before it");
    sim.keys("}");
    assert_eq!(selected(&sim), ("test".into(), Some(2)));
    sim.keys("} ]");
    assert_eq!(selected(&sim), ("test".into(), Some(2)), "no command comes after it");
    sim.keys("[ {");
    assert_eq!(selected(&sim), ("test".into(), Some(1)), "no command before it failed");
}

#[test]
fn a_log_is_shown_again_after_leaving_it() {
    let store = two_runs();
    let mut sim = open(&store, SMALL);
    let rows = log_rows(&sim);
    assert!(!rows.is_empty());
    // Selects a job without commands, and then the command again.
    let place = sim.model.tree.at.clone();
    sim.keys("Tab G");
    assert_eq!(log_rows(&sim), Vec::<String>::new());
    while sim.model.tree.at != place {
        sim.keys("k");
    }
    assert_eq!(log_rows(&sim), rows);
}

#[test]
fn keys_move_the_selection_in_the_tree_and_fold_jobs() {
    let store = two_runs();
    let mut sim = open(&store, SMALL);
    sim.keys("Tab g");
    assert_eq!(sim.model.tree.at, Some(Place::Run), "the first row of the tree is the run");
    sim.keys("j");
    assert_eq!(selected(&sim), ("build".into(), None));
    assert_eq!(
        first_row(&sim),
        "\x1b[1m\x1b[32m   Compiling\x1b[0m example v0.1.0",
        "without a failed command, a job shows its first command"
    );
    sim.keys("h");
    assert!(sim.screen().contains("build +1"));
    sim.keys("j");
    assert_eq!(selected(&sim), ("test".into(), None));
    sim.keys("l l");
    assert_eq!(
        selected(&sim),
        ("test".into(), Some(1)),
        "l on an unfolded job selects its first command"
    );
    sim.keys("h h [");
    assert_eq!(selected(&sim), ("build".into(), Some(1)), "a selected command unfolds its job");
    assert!(!sim.screen().contains("build +1"));
    sim.keys("G");
    assert_eq!(selected(&sim), ("deploy".into(), None));
    assert!(sim.screen().contains("skipped because test failed"));
    sim.keys("k l l Enter");
    assert_eq!((selected(&sim), sim.model.focus), (("test".into(), Some(1)), Pane::Log));
}

/// A terminal may report any size.
#[test]
fn a_card_without_room_is_drawn_without_a_panic() {
    let store = two_runs();
    let mut sim = open(&store, LARGE);
    assert!(sim.model.log.cause().is_some());
    for (width, height) in [(0, 12), (1, 12), (2, 12), (12, 0), (12, 1), (3, 3), (1, 65535), (0, 0)]
    {
        sim.resize(width, height).screen();
    }
}

#[test]
fn escape_goes_back_and_never_quits() {
    let store = two_runs();
    let mut sim = open(&store, LARGE);
    sim.keys("Z ?").keys("Esc");
    assert_eq!((sim.model.help.is_none(), sim.model.zoom), (true, true));
    assert!(sim.model.log.cause().is_some());
    sim.keys("Esc");
    assert!(sim.model.log.cause().is_none());
    sim.keys("Esc");
    assert_eq!((sim.model.zoom, sim.model.focus), (false, Pane::Log));
    sim.keys("Esc");
    assert_eq!(sim.model.focus, Pane::Tree);
    sim.keys("Esc Esc Esc Esc");
    assert_eq!(sim.model.focus, Pane::Runs);
    assert!(!sim.others.contains(&Effect::Quit));
    sim.keys("q");
    assert!(sim.others.contains(&Effect::Quit));
}

#[test]
fn tab_cycles_through_the_visible_panes() {
    let store = two_runs();
    let visit = |size, keys: &[&str]| {
        let mut sim = open(&store, size);
        keys.iter().map(|key| sim.keys(key).model.focus).collect::<Vec<_>>()
    };
    assert_eq!(visit(LARGE, &["Tab", "Tab", "Tab"]), [Pane::Runs, Pane::Tree, Pane::Log]);
    assert_eq!(visit(SMALL, &["Tab", "Tab", "Shift-Tab"]), [Pane::Tree, Pane::Log, Pane::Tree]);
    assert_eq!(
        visit(SMALL, &["Tab", "r", "Tab"]),
        [Pane::Tree, Pane::Runs, Pane::Tree],
        "Tab leaves the popup"
    );
    let tree = open(&store, TINY).keys("Tab").screen();
    assert!(tree.contains("deploy") && !tree.contains("case_17"), "{tree}");
}

#[test]
fn another_run_opens_from_the_list() {
    let store = two_runs();
    for size in [SMALL, LARGE] {
        let mut sim = open(&store, size);
        sim.keys("r Down");
        assert_eq!(selected(&sim), ("test".into(), Some(2)), "the cursor alone opens nothing");
        sim.keys("Enter");
        assert_eq!(sim.model.run.as_ref().unwrap().head.run.id, run_id(1));
        assert_eq!(first_row(&sim), "nothing to be done");
        assert_ne!(sim.model.focus, Pane::Runs);
    }
}

#[test]
fn a_deleted_run_is_replaced_by_the_newest() {
    let store = two_runs();
    let mut sim = open(&store, SMALL);
    let connection = rusqlite::Connection::open(store.root().join("rundown.db")).unwrap();
    connection.execute_batch("DELETE FROM runs WHERE state = 'failed'").unwrap();
    sim.disk();
    assert_eq!(sim.model.run.as_ref().unwrap().head.run.id, run_id(1));
    connection.execute_batch("DELETE FROM runs").unwrap();
    sim.disk();
    assert!(sim.screen().contains("this run is no longer in the store"));
    assert_eq!(sim.model.run.as_ref().unwrap().head.run.id, run_id(1), "the loaded run stays open");
}

#[test]
fn the_requested_run_is_opened() {
    let store = two_runs();
    let sim = Sim::new(store.catalog(), Some(RunSpec::Id(run_id(1).0)), options(), SMALL, at(0));
    assert_eq!(sim.model.run.unwrap().head.run.id, run_id(1));
}

#[test]
fn the_mouse_scrolls_the_pane_under_it_and_selects() {
    let store = two_runs();
    let mut sim = open(&store, SMALL);
    let before = first_row(&sim);
    sim.mouse(Mouse::Wheel(-1), 50, 10);
    assert_ne!(first_row(&sim), before);
    sim.mouse(Mouse::Click, 5, 4);
    assert_eq!((selected(&sim), sim.model.focus), (("build".into(), Some(1)), Pane::Tree));
    sim.mouse(Mouse::Click, 50, 10);
    assert_eq!(sim.model.focus, Pane::Log);
    sim.mouse(Mouse::Click, 5, 20);
    assert_eq!(
        selected(&sim),
        ("build".into(), Some(1)),
        "a click below the last row selects nothing"
    );
    sim.keys("r").mouse(Mouse::Click, 10, 3);
    assert_eq!(sim.model.focus, Pane::Tree, "the clicked run is already open");
    sim.keys("r").mouse(Mouse::Click, 10, 4);
    assert_eq!(sim.model.run.as_ref().unwrap().head.run.id, run_id(1));
    sim.keys("M");
    assert_eq!(sim.others.last(), Some(&TerminalRequest::CaptureMouse(false).into()));
}

// ---- a long list of runs ----

/// Makes a store with `count` runs that passed. Run `n` was pushed one second after run `n - 1`.
fn many_runs(count: u32) -> Built {
    let store = Built::new();
    sql(&store, &insert_runs(1, count));
    store
}

fn sql(store: &Built, sql: &str) {
    rusqlite::Connection::open(store.root().join("rundown.db"))
        .unwrap()
        .execute_batch(sql)
        .unwrap();
}

fn insert_runs(first: u32, last: u32) -> String {
    let (id, zero) = (run_id(0).0, at(0).floor_millis());
    format!(
        "WITH RECURSIVE n(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM n WHERE n < {last})
         INSERT INTO runs(id, repo, ref_name, sha, pushed_at_ms, state, queued_at_ms,
                          started_at_ms, finished_at_ms, workspace_path)
         SELECT substr('{id}', 1, 28) || printf('%08d', n), 'example', 'refs/heads/b' || n, 'cafe',
                {zero} + n * 1000, 'complete',
                {zero}, {zero}, {zero}, '' FROM n"
    )
}

fn listed(sim: &Sim) -> Vec<RunId> {
    sim.model.runs.heads.iter().flatten().map(|head| head.run.id.clone()).collect()
}

fn newest_first(last: u32, first: u32) -> Vec<RunId> {
    (first..=last).rev().map(run_id).collect()
}

#[test]
fn scrolling_the_list_loads_all_runs_page_by_page() {
    let store = many_runs(350);
    let mut sim = open(&store, SMALL);
    assert_eq!(listed(&sim), newest_first(350, 251), "the screen needs only one page");
    sim.keys("r");
    for step in 1..=350 {
        sim.keys("Down");
        assert_eq!(sim.model.runs.at, Some(run_id(350 - step.min(349))));
    }
    assert_eq!(listed(&sim), newest_first(350, 1));
    assert!(sim.screen().contains("b1 "), "{}", sim.screen());
    for (keys, times) in [("End", 5), ("PageDown", 40)] {
        let mut sim = open(&store, LARGE);
        sim.keys("r");
        (0..times).for_each(|_| _ = sim.keys(keys));
        assert_eq!(sim.model.runs.at, Some(run_id(1)), "{keys}");
    }
    let mut sim = open(&store, LARGE);
    (0..130).for_each(|_| _ = sim.mouse(Mouse::Wheel(1), 3, 5));
    assert_eq!(listed(&sim).len(), 350, "the wheel also loads all pages");
    assert_eq!(sim.model.runs.at, Some(run_id(350)), "the wheel does not move the cursor");
}

#[test]
fn changed_runs_are_updated_on_the_first_and_on_the_visible_page() {
    let store = many_runs(350);
    let mut sim = open(&store, SMALL);
    sim.keys("r End End End");
    let (top, cursor) = (listed(&sim)[sim.model.runs.top].clone(), sim.model.runs.at.clone());
    let (changed, deleted) = (
        listed(&sim)[sim.model.runs.top + 2].0.clone(),
        listed(&sim)[sim.model.runs.top + 4].0.clone(),
    );
    sql(&store, &insert_runs(351, 353));
    sql(
        &store,
        &format!("UPDATE runs SET state = 'failed' WHERE id IN ('{changed}', '{}')", run_id(340).0),
    );
    sql(&store, &format!("DELETE FROM runs WHERE id = '{deleted}'"));
    sim.disk();
    let now = listed(&sim);
    assert_eq!(now[..4], newest_first(353, 350));
    assert!(!now.contains(&RunId(deleted)));
    assert!(
        now.windows(2).all(|pair| pair[0] > pair[1]),
        "the runs are in order, without duplicates: {now:?}"
    );
    assert_eq!(
        (&now[sim.model.runs.top], &sim.model.runs.at),
        (&top, &cursor),
        "the viewport and the cursor do not move"
    );
    let failed = sim
        .model
        .runs
        .heads
        .iter()
        .flatten()
        .filter(|head| head.run.state.as_deref() == Some("failed"));
    assert_eq!(failed.count(), 2);
}

#[test]
fn a_list_continues_after_a_deleted_run_and_after_many_new_ones() {
    let store = many_runs(350);
    let mut sim = open(&store, SMALL);
    sql(&store, &format!("DELETE FROM runs WHERE id = '{}'", run_id(251).0));
    sim.keys("r End End End End End");
    let expected: Vec<RunId> =
        newest_first(350, 1).into_iter().filter(|id| *id != run_id(251)).collect();
    assert_eq!(listed(&sim), expected);
    sql(&store, &insert_runs(351, 600));
    sim.disk();
    let reloaded = listed(&sim);
    assert_eq!(
        reloaded[..100],
        newest_first(600, 501),
        "runs between the new page and the old ones are missing, so the list is read again"
    );
    assert!(reloaded.len() < 300 && reloaded.windows(2).all(|pair| pair[0] > pair[1]));
    sim.keys("End End End End End End End");
    assert_eq!(listed(&sim).len(), 599);
    sql(&store, "DELETE FROM runs");
    sim.disk();
    assert!(listed(&sim).is_empty());
}

#[test]
fn only_runs_around_the_viewport_are_kept_in_memory() {
    let store = many_runs(5_000);
    let mut sim = open(&store, SMALL);
    sim.keys("r");
    let is_whole = |listed: &[RunId]| {
        listed.windows(2).all(|pair| {
            pair[0].0[28..].parse::<u32>().unwrap() - 1 == pair[1].0[28..].parse::<u32>().unwrap()
        })
    };
    while sim.model.runs.at != Some(run_id(1)) {
        let before = sim.model.runs.at.clone();
        sim.keys("End");
        assert!(sim.model.runs.at < before, "each End moves the cursor on");
        assert!(listed(&sim).len() <= MAX_RUNS && is_whole(&listed(&sim)));
    }
    let top = listed(&sim)[sim.model.runs.top].clone();
    sql(&store, &insert_runs(5_001, 5_003));
    sql(&store, &format!("UPDATE runs SET state = 'failed' WHERE id = '{}'", run_id(2).0));
    sim.disk();
    assert_eq!(listed(&sim)[sim.model.runs.top], top, "new runs do not move the viewport");
    assert!(
        sim.screen().contains("✗ failed       b2"),
        "the visible page was read again: {}",
        sim.screen()
    );
    for n in 1..=5_003 {
        assert_eq!(sim.model.runs.at, Some(run_id(n)), "no run is missed on the way up");
        sim.keys("Up");
        assert!(listed(&sim).len() <= MAX_RUNS + 3);
    }
    (0..60).for_each(|_| _ = sim.keys("End"));
    assert_eq!(sim.model.runs.at, Some(run_id(1)));
    sim.keys("Home");
    assert_eq!(sim.model.runs.at, Some(run_id(5_003)));
    assert_eq!(listed(&sim), newest_first(5_003, 4_904));
    sim.keys("Down Enter");
    assert_eq!(sim.model.run.as_ref().unwrap().head.run.id, run_id(5_002));
}

#[test]
fn stale_pages_of_runs_change_nothing() {
    let store = many_runs(350);
    let mut sim = open(&store, SMALL);
    let heads = sim.model.runs.heads.clone();
    let late = RunList { heads: heads.clone().unwrap(), has_more: false };
    sim.send(Msg::RunsBeside(Beside::Older(run_id(251)), Some(late)));
    assert_eq!(sim.model.runs.heads, heads);
}

#[test]
fn a_page_that_could_not_be_read_is_requested_again() {
    let store = many_runs(350);
    let mut sim = open(&store, SMALL);
    sim.keys("r");
    let bottom = || Msg::Key(Key::parse("End").unwrap());
    let requested = WorkerRequest::ReadRuns(Beside::Older(run_id(251)));
    assert_eq!(update(&mut sim.model, bottom()), requested.clone().into());
    let busy = Msg::Failed(Work::Store, "the database is busy; trying again".into());
    assert_eq!(
        update(&mut sim.model, busy),
        Effects::none(),
        "the request is not repeated at once"
    );
    assert_eq!(update(&mut sim.model, bottom()), Effects::none());
    let list = RunList { heads: sim.model.runs.heads.clone().unwrap(), has_more: true };
    assert_eq!(update(&mut sim.model, Msg::Runs(list)), requested.into());
}

// ---- the log ----

#[test]
fn each_scroll_key_moves_by_its_step_in_a_long_log() {
    let (store, _) = running(5_000);
    let mut sim = open(&store, SMALL);
    assert_eq!(last_row(&sim), "row 5000");
    sim.keys("g");
    assert_eq!(first_row(&sim), "row 1");
    for (key, step, turns) in [("Ctrl-e", 1, 120), ("Ctrl-d", 10, 60), ("PageDown", 19, 40)] {
        sim.keys("g");
        for turn in 1..=turns {
            sim.keys(key);
            assert_eq!(first_row(&sim), format!("row {}", 1 + turn * step), "{key}");
        }
    }
    for (key, step, turns) in [("Ctrl-y", 1, 120), ("Ctrl-u", 10, 60), ("b", 19, 40)] {
        sim.keys("G");
        assert_eq!(last_row(&sim), "row 5000");
        for turn in 1..=turns {
            sim.keys(key);
            assert_eq!(last_row(&sim), format!("row {}", 5000 - turn * step), "{key}");
        }
    }
    assert!(sim.model.log.window.rows.len() <= 4 * 24, "only rows near the viewport are in memory");
}

#[test]
fn the_cursor_moves_by_rows_and_the_view_scrolls_at_its_edges() {
    let (store, _) = running(200);
    let mut sim = open(&store, SMALL);
    assert_eq!(cursor_row(&sim), "row 200", "while following, the cursor is on the last row");
    sim.keys("g j j");
    assert_eq!((cursor_row(&sim), first_row(&sim)), ("row 3".into(), "row 1".into()));
    for row in 4..=120 {
        sim.keys("j");
        assert_eq!(cursor_row(&sim), format!("row {row}"));
    }
    assert_eq!(last_row(&sim), "row 120", "the cursor has scrolled the view");
    for row in (1..120).rev() {
        sim.keys("k");
        assert_eq!(cursor_row(&sim), format!("row {row}"));
    }
    assert_eq!(first_row(&sim), "row 1");
    sim.keys("Ctrl-e Ctrl-e");
    assert_eq!((cursor_row(&sim), first_row(&sim)), ("row 3".into(), "row 3".into()));
    sim.keys("j j Ctrl-y");
    assert_eq!((cursor_row(&sim), first_row(&sim)), ("row 5".into(), "row 2".into()));
    sim.keys("PageDown");
    assert_eq!((cursor_row(&sim), first_row(&sim)), ("row 24".into(), "row 21".into()));
}

#[test]
fn a_log_is_followed_only_while_the_cursor_is_on_its_last_row() {
    let (store, run) = running(100);
    let mut sim = open(&store, SMALL);
    sim.keys("k");
    assert!(!sim.model.log.follow);
    print_rows(&store, &run, 101..=110);
    sim.disk();
    assert_eq!(
        (cursor_row(&sim).as_str(), badge(&mut sim).as_str()),
        ("row 99", "paused, 10 new rows")
    );
    sim.keys("PageDown");
    assert!(sim.model.log.follow, "the end of a growing log is followed");
    sim.keys("k j");
    assert!(sim.model.log.follow);
    print_rows(&store, &run, 111..=130);
    sim.disk();
    assert_eq!((cursor_row(&sim), last_row(&sim)), ("row 130".into(), "row 130".into()));
}

#[test]
fn following_keeps_the_last_row_on_screen() {
    let (store, run) = running(100);
    let mut sim = open(&store, SMALL);
    assert_eq!((last_row(&sim).as_str(), badge(&mut sim).as_str()), ("row 100", "live"));
    print_rows(&store, &run, 101..=150);
    sim.disk();
    assert_eq!(last_row(&sim), "row 150");
}

#[test]
fn new_rows_do_not_move_the_viewport() {
    let (store, run) = running(100);
    let mut sim = open(&store, SMALL);
    sim.keys("k k k");
    let reading = log_rows(&sim);
    assert_eq!(badge(&mut sim), "paused");
    for n in 0..20 {
        print_rows(&store, &run, 101 + n * 50..=150 + n * 50);
        sim.disk();
        assert_eq!(log_rows(&sim), reading);
    }
    assert_eq!(badge(&mut sim), "paused, 1000 new rows");
    for resume in ["f", "G", "End"] {
        sim.keys("k").keys(resume);
        assert_eq!(
            (last_row(&sim).as_str(), badge(&mut sim).as_str()),
            ("row 1100", "live"),
            "{resume}"
        );
    }
    sim.keys("k j");
    assert_eq!(badge(&mut sim), "live", "the cursor is on the last row again");
}

#[test]
fn only_a_log_that_may_grow_is_live_or_paused() {
    let (mut store, run) = running(100);
    let mut sim = open(&store, SMALL);
    store.end(&run, "build", 1, 0, 1_000);
    store.start(&run, "build", 2, "make install", 1_001);
    sim.disk();
    assert_eq!(badge(&mut sim), "live");
    let state = "● running 2m00s";
    for keys in ["[", "g", "f [ k"] {
        assert!(badge(sim.keys(keys)).ends_with(state), "{keys}: {}", badge(&mut sim));
    }
    sim.keys("f");
    assert_eq!(badge(&mut sim), "live");
    store.print(&run, "build", 2, 1_002, Stream::Stdout, &"x\n".repeat(100));
    sim.disk().keys("k");
    assert_eq!(badge(&mut sim), "paused");
    store.end(&run, "build", 2, 0, 2_000);
    store.end_run(&run, RunEnd::Complete, 2_000);
    sim.disk();
    assert_eq!(badge(&mut sim), "ended");
}

#[test]
fn a_log_opened_by_its_path_is_paused_once_it_has_grown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("some.log");
    let mut rows = "2026-05-06T12:00:00Z stdout F row\n".repeat(100);
    fs::write(&path, &rows).unwrap();
    let mut sim = open_catalog(Catalog::of_path(&path), SMALL);
    assert!(badge(&mut sim).ends_with("some.log"), "{}", badge(&mut sim));
    rows.push_str("2026-05-06T12:00:01Z stdout F new\n");
    fs::write(&path, &rows).unwrap();
    assert_eq!(badge(sim.disk()), "paused, 1 new row");
    assert_eq!(badge(sim.keys("G")), "live");
}

#[test]
fn a_passed_run_with_a_tolerated_failure_opens_at_its_start() {
    let (mut store, run) = running(3);
    store.end(&run, "build", 1, 0, 1_000);
    store.start(&run, "build", 2, "make lint", 1_001);
    store.print(&run, "build", 2, 1_002, Stream::Stdout, "a.c:1:1: error: odd\n");
    let mut sim = open(&store, SMALL);
    store.end(&run, "build", 2, 1, 2_000);
    store.end_job(&run, "build", JobEnd::Complete, 2_000);
    store.end_run(&run, RunEnd::Complete, 2_000);
    sim.disk();
    assert_eq!(selected(&sim), ("build".into(), Some(2)), "the selection stays");
    let mut sim = open(&store, SMALL);
    assert_eq!(sim.model.tree.at, Some(Place::Run));
    assert_eq!((sim.model.log.top, sim.model.log.window.at_start), (0, true));
    assert!(!sim.screen().contains("likely cause"), "{}", sim.screen());
}

#[test]
fn moves_while_rows_are_loading_are_not_lost() {
    let (store, _) = running(1_000);
    let mut sim = open(&store, SMALL);
    sim.keys("g");
    let step =
        |sim: &mut Sim, key: &str| update(&mut sim.model, Msg::Key(Key::parse(key).unwrap()));
    // Simulates a slow worker: its responses arrive after all key presses, and only the response to
    // the newest request counts.
    let mut late = Vec::new();
    for _ in 0..12 {
        late.extend(step(&mut sim, "PageDown"));
    }
    for effect in late {
        sim.perform(effect.into());
    }
    assert_eq!(first_row(&sim), format!("row {}", 1 + 12 * 19));
}

#[test]
fn a_stale_response_changes_nothing() {
    let store = two_runs();
    let mut sim = open(&store, SMALL);
    let (rows, old) = (log_rows(&sim), sim.model.log.ticket);
    sim.keys("[ ]");
    sim.send(Msg::Log(old, Answer::Page(Box::default())));
    sim.send(Msg::Run(run_id(1), None));
    sim.send(Msg::Failed(Work::Log(old), "too late".into()));
    assert_eq!(log_rows(&sim), rows);
    assert!(!sim.screen().contains("too late"));
}

#[test]
fn the_screen_follows_the_run_until_the_user_selects_something() {
    for has_chosen in [false, true] {
        let (mut store, run) = running(3);
        let mut sim = open(&store, SMALL);
        if has_chosen {
            sim.keys("Tab k j");
        }
        store.end(&run, "build", 1, 0, 1_000);
        store.start(&run, "build", 2, "make install", 1_001);
        sim.disk();
        let expected = if has_chosen { 1 } else { 2 };
        assert_eq!(selected(&sim), ("build".into(), Some(expected)));
        store.end(&run, "build", 2, 3, 2_000);
        store.end_job(&run, "build", JobEnd::Failed(3), 2_000);
        store.end_job(&run, "test", JobEnd::Skipped, 2_000);
        store.end_run(&run, RunEnd::Failed("job-failed"), 2_000);
        sim.disk();
        assert_eq!(selected(&sim), ("build".into(), Some(expected)));
        assert_eq!(badge(&mut sim), "ended");
    }
}

#[test]
fn f_returns_to_the_running_command() {
    let (store, run) = running(100);
    let mut sim = open(&store, SMALL);
    sim.keys("g");
    store.end(&run, "build", 1, 0, 1_000);
    store.start(&run, "build", 2, "make install", 1_001);
    sim.disk();
    assert_eq!(
        selected(&sim),
        ("build".into(), Some(1)),
        "the selection stays, because the user has moved in this log"
    );
    sim.keys("f");
    assert_eq!(selected(&sim), ("build".into(), Some(2)));
}

#[test]
fn a_run_without_a_recorder_is_interrupted() {
    let (mut store, run) = running(2);
    store.kill_recorder(&run);
    let mut sim = open(&store, SMALL);
    assert_eq!(badge(&mut sim), "interrupted");
}

#[test]
fn an_unfinished_row_is_shown() {
    let (store, run) = running(1);
    store.print(&run, "build", 1, 300, Stream::Stdout, "50% of");
    let mut sim = open(&store, SMALL);
    assert_eq!(last_row(&sim), "50% of");
    store.print(&run, "build", 1, 301, Stream::Stdout, " all\n");
    assert_eq!(last_row(sim.disk()), "50% of all");
}

#[test]
fn long_rows_are_cut_at_the_edge_and_scroll_sideways() {
    let (store, run) = running(0);
    let text = (0..40).map(|n| format!("{n:04}")).collect::<Vec<_>>().concat();
    store.print(&run, "build", 1, 300, Stream::Stdout, &format!("{text}\n日本{text}\n"));
    let mut sim = open(&store, TINY);
    assert_snapshot!("cut_40x10", sim.screen());
    assert_snapshot!("sideways_40x10", sim.keys("l").screen());
    sim.keys("h h h");
    assert_eq!(sim.model.log.sideways, 0);
}

#[test]
fn a_truncated_or_replaced_log_is_read_again() {
    let (store, run) = running(500);
    let mut sim = open(&store, SMALL);
    sim.keys("k k");
    let path = store.log_path(&run, "build", 1);
    fs::write(&path, b"2026-05-06T12:00:09.000000000Z stdout F a new beginning\n").unwrap();
    sim.disk();
    assert_eq!(log_rows(&sim), ["a new beginning"]);
    fs::remove_file(&path).unwrap();
    sim.disk();
    assert!(sim.screen().contains("deleted"), "{}", sim.screen());
    fs::write(&path, b"2026-05-06T12:00:09.000000000Z stdout F again\n").unwrap();
    sim.disk();
    assert_eq!(log_rows(&sim), ["again"]);
    assert!(!sim.screen().contains("deleted"));
}

#[test]
fn an_error_is_shown_until_the_next_successful_read() {
    let store = two_runs();
    let mut sim = open(&store, SMALL);
    sim.send(Msg::Failed(Work::Store, "the database is busy; trying again".into()));
    assert!(sim.screen().contains("! the database is busy; trying again"));
    let heads = sim.model.runs.heads.clone().unwrap();
    sim.send(Msg::Runs(RunList { heads, has_more: false }));
    assert!(!sim.screen().contains("busy"));
}

#[test]
fn plain_text_is_followed_and_has_no_malformed_rows() {
    let (store, run) = running(0);
    let mut sim = open(&store, SMALL);
    store.append(&run, "build", 1, b"\n\x1b[32mok\x1b[0m\nbuil");
    sim.disk();
    assert_eq!(log_rows(&sim), ["", "\x1b[32mok\x1b[0m"], "an unterminated line is not shown yet");
    let text = "ding\n2026-05-06 is a date\nprogress 1%\rprogress 2%\r\n";
    store.append(&run, "build", 1, text.as_bytes());
    store.append(&run, "build", 1, &vec![b'.'; 64 << 10]);
    store.append(&run, "build", 1, b"\n2026-05-06T12:00:00Z stderr F no record\n");
    sim.disk();
    assert_eq!(last_row(&sim), "2026-05-06T12:00:00Z stderr F no record");
    assert_snapshot!("plain_80x24", sim.screen());
    sim.keys("g");
    assert_eq!(log_rows(&sim)[2], "building");
}

#[test]
fn a_plain_log_that_turns_out_to_contain_records_is_read_again() {
    let (store, run) = running(0);
    let mut sim = open(&store, SMALL);
    store.append(&run, "build", 1, b"hello\n");
    sim.disk();
    assert!(!sim.screen().contains("! hello"));
    print_rows(&store, &run, 1..=2);
    let screen = sim.disk().screen();
    assert!(
        screen.contains("! hello  (no RFC 3339 timestamp)") && screen.contains("3 rows"),
        "{screen}"
    );
    assert_eq!(log_rows(&sim), ["hello", "row 1", "row 2"]);
}

#[test]
fn a_single_log_is_shown_and_followed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("some.log");
    fs::write(&path, b"2026-05-06T12:00:09.000000000Z stderr F one\n").unwrap();
    let mut sim = Sim::new(Catalog::of_path(&path), None, options(), SMALL, at(0));
    assert_eq!(log_rows(&sim), ["one"]);
    let both = "2026-05-06T12:00:09.000000000Z stderr F one\n\
                2026-05-06T12:00:10.000000000Z stdout F two\n";
    fs::write(&path, both).unwrap();
    sim.disk();
    assert_eq!(log_rows(&sim), ["one", "two"]);
    assert_snapshot!("log_alone_80x24", sim.screen());
    sim.keys("Tab r");
    assert_eq!(sim.model.focus, Pane::Log, "there are no other panes");
    for key in ["r", "W"] {
        sim.keys(key);
        assert!(sim.screen().ends_with("this log does not belong to a run\n"), "{}", sim.screen());
    }
    assert!(sim.model.new_runs.is_none());
}

#[test]
fn a_log_truncated_in_the_scroll_of_a_run_leaves_no_pending_request() {
    let (store, run) = running(120);
    let mut sim = open(&store, SMALL);
    sim.keys("Esc PageUp Enter Space Up");
    fs::write(store.log_path(&run, "build", 1), b"").unwrap();
    sim.disk();
    assert!(sim.model.log.request.is_none());
    assert!(!sim.screen().contains("row 1"), "{}", sim.screen());
}

#[test]
fn commands_without_logs_and_jobs_without_commands_cause_no_panic() {
    let (mut store, run) = (Built::new(), run_id(7));
    store.begin(&run, &["lost", "none"], 0);
    store.start(&run, "lost", 1, "rm -f log", 1);
    fs::remove_file(store.log_path(&run, "lost", 1)).unwrap();
    let mut sim = open(&store, SMALL);
    assert!(sim.screen().contains("no log yet"), "{}", sim.screen());
    sim.keys("Tab G");
    assert!(sim.screen().contains("waiting to start"), "{}", sim.screen());
    sim.keys("j k g G f [ ] { } h l Enter Enter Space Space Tab j k g G f h l PageUp b");
    store.end(&run, "lost", 1, 0, 4);
    store.end_run(&run, RunEnd::Complete, 5);
    sim.disk().screen();
    sim.keys("g j ]");
    assert!(sim.screen().contains("the log is missing"), "{}", sim.screen());
}

#[test]
fn the_selection_stays_on_its_command_while_others_appear() {
    let (mut store, run) = (Built::new(), run_id(8));
    store.begin(&run, &["a", "b"], 0);
    store.start(&run, "b", 1, "second", 50);
    let mut sim = open(&store, SMALL);
    sim.keys("Tab k j");
    assert_eq!(selected(&sim), ("b".into(), Some(1)));
    for n in 1..=30 {
        store.start(&run, "a", n, "first", 60 + i64::from(n));
        store.end(&run, "a", n, 0, 60 + i64::from(n));
    }
    sim.disk();
    assert_eq!(selected(&sim), ("b".into(), Some(1)));
    assert_eq!(sim.model.shown().unwrap().job().unwrap().job.id, JobId("b".into()));
}

#[test]
fn polling_is_reported() {
    let (store, _) = running(1);
    let mut sim = open(&store, SMALL);
    sim.send(Msg::Watching(Watching::Polling));
    assert_eq!(badge(&mut sim), "polling");
}

// ---- random input ----

#[derive(Clone, Debug)]
enum Event {
    Press(&'static str),
    Wheel(i8, u16, u16),
    Click(u16, u16),
    Resize(u16, u16),
    Print(usize),
    NextCommand,
    CutOff,
}

fn event() -> impl Strategy<Value = Event> {
    let keys: Vec<&str> =
        rundown::tui::keymap::BINDINGS.iter().flat_map(|binding| binding.keys).copied().collect();
    prop_oneof![
        8 => prop::sample::select(keys).prop_map(Event::Press),
        1 => (-2_i8..3, 0_u16..130, 0_u16..45).prop_map(|(by, x, y)| Event::Wheel(by, x, y)),
        1 => (0_u16..130, 0_u16..45).prop_map(|(x, y)| Event::Click(x, y)),
        1 => (0_u16..140, 0_u16..50).prop_map(|(width, height)| Event::Resize(width, height)),
        3 => (1_usize..200).prop_map(Event::Print),
        1 => Just(Event::NextCommand),
        1 => Just(Event::CutOff),
    ]
}

fn moving_key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["j", "k", "PageDown", "PageUp", "g", "G", "f"])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_sequence_of_events_causes_a_panic(events in prop::collection::vec(event(), 1..60)) {
        let (store, run) = running(120);
        let (mut n, mut printed) = (1, 0);
        let mut sim = open(&store, SMALL);
        for event in events {
            match event {
                Event::Press(key) => _ = sim.keys(key),
                Event::Wheel(by, x, y) => _ = sim.mouse(Mouse::Wheel(by), x, y),
                Event::Click(x, y) => _ = sim.mouse(Mouse::Click, x, y),
                Event::Resize(width, height) => _ = sim.resize(width, height),
                Event::Print(rows) => {
                    let numbers = printed..printed + rows;
                    let lines: Vec<String> = numbers.map(|row| format!("more {row}\n")).collect();
                    let text = lines.concat();
                    printed += rows;
                    store.print(&run, "build", n, 300, Stream::Stdout, &text);
                    sim.disk();
                }
                Event::NextCommand => {
                    store.end(&run, "build", n, i32::from(n % 3 == 0), 400);
                    n += 1;
                    store.start(&run, "build", n, "again", 400 + i64::from(n));
                    sim.disk();
                }
                Event::CutOff => {
                    fs::write(store.log_path(&run, "build", n), b"").unwrap();
                    sim.disk();
                }
            }
            sim.screen();
            let (log, height) = (&sim.model.log, sim.model.log.height());
            prop_assert!(log.request.is_none(), "every request is answered: {:?}", log.request);
            prop_assert!(log.top == 0 || log.top < log.window.rows.len());
            if log.follow {
                prop_assert!(log.window.at_end || log.window.rows.is_empty());
                let rows = log.window.rows.len();
                prop_assert!(rows <= log.top + height, "the last row is on screen");
            }
            prop_assert!(sim.model.shown().is_some());
            let path = log.document.as_ref().and_then(|document| Some(document.log_of(0)?.0));
            let meta = path.as_deref().and_then(|path| fs::metadata(path).ok());
            let has_text = meta.is_some_and(|log| log.len() > 0);
            let narrows = sim.model.log.options.row_filter.narrows();
            let is_shown = !log.window.rows.is_empty();
            prop_assert!(!has_text || narrows || is_shown, "a log with rows is shown");
        }
    }

    /// The worker responds at random times, and only to the newest request for the log.
    #[test]
    fn a_slow_worker_loses_no_movement_and_no_row(
        moves in prop::collection::vec((moving_key(), 0_u8..4), 1..60),
    ) {
        let (store, run) = running(400);
        let mut sim = open(&store, SMALL);
        let mut requested = Vec::new();
        let mut printed = 400;
        for (key, what) in moves {
            requested.extend(update(&mut sim.model, Msg::Key(Key::parse(key).unwrap())));
            if what == 0 {
                print_rows(&store, &run, printed + 1..=printed + 30);
                printed += 30;
                requested.extend(update(&mut sim.model, Msg::Disk));
            }
            if what == 1 {
                answer(&mut sim, &mut requested);
            }
            let log = &sim.model.log;
            prop_assert!(log.top < log.window.rows.len());
        }
        answer(&mut sim, &mut requested);
        sim.disk();
        let log = &sim.model.log;
        prop_assert!(log.request.is_none());
        prop_assert_eq!(log.known.total_rows, Some(printed as u64));
        if log.follow {
            prop_assert_eq!(last_row(&sim), format!("row {printed}"));
        }
        // The rows are consecutive: no row is missing or shown twice.
        let rows = log_rows(&sim);
        let number = |row: &String| row["row ".len()..].parse::<usize>().unwrap();
        let numbers: Vec<_> = rows.iter().map(number).collect();
        prop_assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{:?}", numbers);
    }
}

/// Performs the newest of the requests for the log, and all other effects.
fn answer(sim: &mut Sim, requested: &mut Vec<Effect>) {
    let is_log = |effect: &Effect| matches!(effect, Effect::Worker(WorkerRequest::ReadLog(..)));
    let newest = requested.iter().rfind(|effect| is_log(effect)).cloned();
    let others = requested.drain(..).filter(|effect| !is_log(effect));
    let effects = others.chain(newest).collect();
    sim.perform(effects);
}
