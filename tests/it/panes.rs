//! The runs pane, the jobs pane and the header of a command, at four screen sizes. The tests draw
//! real stores without a terminal.

use insta::assert_snapshot;
use rundown::catalog::Catalog;
use rundown::cri::Stream;
use rundown::join::Place;
use rundown::model::{JobId, RunId};
use rundown::store::{JobEnd, RunEnd, ShEnd};
use rundown::tui::Options;
use rundown::tui::keymap::{Context, Key};
use rundown::tui::layout::Pane;
use rundown::tui::msg::{Effects, Msg};
use rundown::tui::sim::Sim;
use rundown::tui::update::update;

use crate::support::built::{Built, at, failed_run, passed_run, run_id, running_run, two_runs};
use crate::support::screen::{HUGE, LARGE, SMALL, TINY, open, options};

/// Makes a store with `count` runs. Run `n` starts `n` seconds after [`at`]`(0)`. Every hundredth
/// run failed. Every third run is on the branch `fix-login`, the others are on `main`. Runs with an
/// even number belong to the repository `oxide/crucible`, the others to `example`.
fn many_runs(count: u32) -> Built {
    let store = Built::new();
    let (id, zero) = (run_id(0).0, at(0).floor_millis());
    let sql = format!(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
         INSERT INTO runs(id, repo, ref_name, sha, pushed_at_ms, state, queued_at_ms,
                          started_at_ms, finished_at_ms, workspace_path)
         SELECT substr('{id}', 1, 28) || printf('%08d', n), iif(n % 2, 'example', 'oxide/crucible'),
                'refs/heads/' || iif(n % 3, 'main', 'fix-login'), printf('%07xcafe', n * 65537),
                {zero} + n * 1000,
                iif(n % 100, 'complete', 'failed'), {zero}, {zero} + n * 1000,
                {zero} + n * 1000 + n * 7, '' FROM n"
    );
    rusqlite::Connection::open(store.root().join("rundown.db"))
        .unwrap()
        .execute_batch(&sql)
        .unwrap();
    store
}

/// Types a text, one key press per letter.
fn type_text(sim: &mut Sim, text: &str) {
    for letter in text.chars() {
        sim.keys(if letter == ' ' { "Space".to_owned() } else { letter.to_string() }.as_str());
    }
}

fn open_run(sim: &Sim) -> Option<RunId> {
    sim.model.run.as_ref().map(|run| run.head.run.id.clone())
}

fn found(sim: &Sim) -> Vec<RunId> {
    sim.model.runs.active_finder().unwrap().heads.iter().map(|head| head.run.id.clone()).collect()
}

fn heading(sim: &mut Sim) -> String {
    sim.screen().lines().nth(1).unwrap().split('─').nth(1).unwrap().trim().to_owned()
}

// ---- the screens ----

#[test]
fn the_panes_fit_every_size() {
    let store = two_runs();
    for (name, size) in [("40x10", TINY), ("80x24", SMALL), ("120x40", LARGE), ("250x70", HUGE)] {
        let mut sim = open(&store, size);
        assert_snapshot!(format!("tree_{name}"), sim.keys("Shift-Tab").screen());
        assert_snapshot!(format!("tree_{name}_styles"), sim.styles());
        assert_snapshot!(format!("runs_{name}"), sim.keys("r").screen());
    }
}

#[test]
fn the_query_is_shown_and_highlighted_in_its_results() {
    let store = many_runs(3_400);
    for (name, size) in [("40x10", TINY), ("80x24", SMALL), ("120x40", LARGE)] {
        let mut sim = open(&store, size);
        sim.keys("r");
        type_text(&mut sim, "fail oxcr");
        assert_snapshot!(format!("finder_{name}"), sim.screen());
        assert_snapshot!(format!("finder_{name}_styles"), sim.styles());
    }
}

#[test]
fn the_panes_need_neither_color_nor_unicode() {
    let store = two_runs();
    let plain = Options { color: false, ascii: true, ..options() };
    let mut sim = Sim::new(store.catalog(), None, plain, HUGE, at(120_000));
    let screen = sim.keys("r f Tab").screen();
    assert!(screen.is_ascii(), "{screen}");
    assert!(screen.contains("#####"), "{screen}");
    assert!(screen.contains("exit 101"), "{screen}");
}

/// Makes a store with four runs in two repositories: one that passed, one that failed, one that was
/// interrupted, and one that is running.
fn mixed_runs() -> Built {
    let mut store = two_runs();
    store.begin(&run_id(3), &["build"], 60_000);
    store.start(&run_id(3), "build", 1, "cargo build --release", 60_010);
    store.kill_recorder(&run_id(3));
    running_run(&mut store, &run_id(4));
    let sql = "UPDATE runs SET ref_name = 'refs/heads/fix-login', pushed_at_ms = pushed_at_ms + 9 \
               WHERE id LIKE '%4'; UPDATE runs SET repo = 'oxide/crucible' WHERE id LIKE '%1'";
    rusqlite::Connection::open(store.root().join("rundown.db"))
        .unwrap()
        .execute_batch(sql)
        .unwrap();
    store
}

#[test]
fn the_list_shows_the_failed_or_running_command_of_each_run() {
    let store = mixed_runs();
    for (name, size) in [("40x10", TINY), ("80x24", SMALL), ("120x40", LARGE), ("250x70", HUGE)] {
        let mut sim = open(&store, size);
        assert_snapshot!(format!("list_{name}"), top_rows(sim.keys("r")));
    }
    assert_snapshot!("list_zoomed_250x70", top_rows(open(&store, HUGE).keys("Tab Z")));
}

/// Returns the first rows of the screen.
fn top_rows(sim: &mut Sim) -> String {
    sim.screen().lines().take(7).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_list_updates_the_command_of_a_running_run() {
    let (mut store, run) = (Built::new(), run_id(1));
    running_run(&mut store, &run);
    let mut sim = open(&store, LARGE);
    sim.keys("r");
    let row = |sim: &mut Sim| sim.screen().lines().nth(3).unwrap().to_owned();
    assert!(row(&mut sim).contains("build: make all "), "{}", row(&mut sim));
    store.end(&run, "build", 1, 0, 40);
    store.start(&run, "build", 2, "make check", 50);
    sim.disk();
    assert!(row(&mut sim).contains("build: make check "), "{}", row(&mut sim));
    store.end(&run, "build", 2, 2, 60);
    store.end_job(&run, "build", JobEnd::Failed(2), 70);
    store.end_run(&run, RunEnd::Failed("job-failed"), 80);
    sim.disk();
    let row = row(&mut sim);
    assert!(row.contains("✗ failed ") && row.contains("exit 2 "), "{row}");
}

#[test]
fn the_list_shows_the_stored_reason_if_no_job_failed() {
    let mut store = Built::new();
    store.begin(&run_id(1), &[], 0);
    store.end_run(&run_id(1), RunEnd::Failed("pipeline-invalid"), 10);
    let mut sim = open(&store, SMALL);
    assert!(sim.keys("r").screen().contains("✗ failed       main  pipeline-invalid"));
}

// ---- finding runs ----

#[test]
fn typing_searches_the_whole_store_and_enter_opens_a_run() {
    let store = many_runs(3_400);
    let mut sim = open(&store, SMALL);
    sim.keys("r");
    assert_eq!(sim.model.context(), Context::RunsFilter);
    type_text(&mut sim, "failed main");
    let expected: Vec<RunId> =
        (1..=34).rev().map(|n| n * 100).filter(|n| n % 3 != 0).map(run_id).collect();
    assert_eq!(found(&sim), expected);
    assert_eq!(heading(&mut sim), "Runs 23 of 3,400");
    sim.keys("Down Down Enter");
    assert_eq!(open_run(&sim), Some(run_id(3_100)));
    assert_eq!(sim.model.focus, Pane::Log, "the focus returns to the log");
    sim.keys("r");
    assert_eq!(heading(&mut sim), "Runs", "the finder opens with an empty query");
    assert_eq!(sim.model.runs.at, Some(run_id(3_100)));
    assert!(
        sim.screen().contains("▌✗ failed       main"),
        "the cursor is on the open run: {}",
        sim.screen()
    );
    sim.keys("Down Enter");
    assert_eq!(open_run(&sim), Some(run_id(3_099)));
}

#[test]
fn escape_clears_the_query_and_then_closes_the_finder() {
    let store = many_runs(10);
    for size in [SMALL, LARGE] {
        let mut sim = open(&store, size);
        sim.keys("r x y z");
        assert!(sim.screen().contains("no matching runs"), "{}", sim.screen());
        sim.keys("Enter Esc");
        assert_eq!((sim.model.context(), open_run(&sim)), (Context::RunsFilter, Some(run_id(10))));
        assert!(sim.screen().contains("fix-login"));
        sim.keys("Esc");
        assert_eq!(sim.model.focus, Pane::Log);
        assert!(sim.others.is_empty() || !sim.others.contains(&rundown::tui::msg::Effect::Quit));
    }
}

#[test]
fn a_docked_finder_keeps_its_results_until_escape() {
    let store = many_runs(400);
    let mut sim = open(&store, LARGE);
    sim.keys("Tab");
    assert_eq!((sim.model.focus, sim.model.context()), (Pane::Runs, Context::Runs));
    sim.keys("j /");
    type_text(&mut sim, "failed");
    sim.keys("Down Enter");
    assert_eq!((open_run(&sim), sim.model.focus), (Some(run_id(300)), Pane::Tree));
    assert_eq!(heading(&mut sim), "Runs 4 of 400");
    sim.keys("Shift-Tab j Enter");
    assert_eq!(
        open_run(&sim),
        Some(run_id(200)),
        "j moves the cursor while no query is being typed"
    );
    sim.keys("Shift-Tab Esc");
    assert_eq!((sim.model.focus, heading(&mut sim).as_str()), (Pane::Runs, "Runs"));
    assert!(sim.screen().contains("00000200"), "{}", sim.screen());
}

#[test]
fn more_results_are_loaded_near_the_last_one() {
    let store = many_runs(5_000);
    let mut sim = open(&store, SMALL);
    sim.keys("r");
    type_text(&mut sim, "fix-login");
    let first = found(&sim).len();
    assert!((100..300).contains(&first), "{first}");
    assert!(heading(&mut sim).starts_with(&format!("Runs {first}+ of ")), "{}", heading(&mut sim));
    for _ in 0..20 {
        sim.keys("End");
    }
    let expected: Vec<RunId> = (1..=5_000).rev().filter(|n| n % 3 == 0).map(run_id).collect();
    assert_eq!(found(&sim), expected);
    assert_eq!(heading(&mut sim), "Runs 1,666 of 5,000");
}

#[test]
fn search_results_are_updated_when_runs_change() {
    let mut store = many_runs(400);
    let mut sim = open(&store, SMALL);
    sim.keys("r");
    type_text(&mut sim, "failed");
    sim.keys("Down");
    let sql = format!("UPDATE runs SET state = 'failed' WHERE id = '{}'", run_id(350).0);
    rusqlite::Connection::open(store.root().join("rundown.db"))
        .unwrap()
        .execute_batch(&sql)
        .unwrap();
    failed_run(&mut store, &run_id(401), 500_000);
    sim.disk();
    assert_eq!(found(&sim), [401, 400, 350, 300, 200, 100].map(run_id));
    assert_eq!(sim.model.runs.shown().1, Some(&run_id(300)), "the cursor stays on its run");
}

#[test]
fn enter_before_any_result_opens_the_first_result() {
    let store = many_runs(400);
    let mut sim = open(&store, SMALL);
    sim.keys("r");
    // Simulates a slow worker: its responses arrive after all key presses.
    let mut late = Effects::none();
    for key in ["f", "a", "i", "l", "Enter"] {
        late.extend(update(&mut sim.model, Msg::Key(Key::parse(key).unwrap())));
    }
    sim.perform(late);
    assert_eq!(open_run(&sim), Some(run_id(400)));
}

// ---- moving between runs ----

#[test]
fn parentheses_comma_and_period_move_between_runs() {
    let store = many_runs(350);
    let mut sim = open(&store, SMALL);
    let mut go = |keys: &str| {
        sim.keys(keys);
        (open_run(&sim).unwrap(), sim.model.message.clone().unwrap_or_default())
    };
    let at = |n| (run_id(n), String::new());
    assert_eq!(go("("), at(349));
    assert_eq!(go("( ( )"), at(348));
    assert_eq!(go(","), at(300));
    assert_eq!(go("Tab ,"), at(200));
    assert_eq!(go(", ,"), (run_id(100), "no older failed run".into()));
    assert_eq!(go("."), at(200));
    assert_eq!(go(". ."), (run_id(300), "no newer failed run".into()));
    assert_eq!(go("r Home Enter )"), (run_id(350), "no newer run".into()));
    sim.keys("r");
    assert_eq!(sim.model.runs.at, Some(run_id(350)));
}

/// Adds run `n` of a ref, with the jobs `build` and `test`. The job `test` has the commands `cmds`.
/// If `fails` is true, the last of them fails.
fn pipeline(store: &mut Built, n: u32, ref_name: &str, cmds: &[&str], fails: bool) {
    let (run, ms) = (run_id(n), i64::from(n) * 1_000);
    store.begin(&run, &["build", "test"], ms);
    for (job, cmds) in [("build", &["make"][..]), ("test", cmds)] {
        for (n, cmd) in (1..).zip(cmds) {
            let start = ms + i64::from(n) * 10;
            store.start(&run, job, n, cmd, start);
            store.print(&run, job, n, start + 1, Stream::Stdout, "row\n");
            let fails = fails && job == "test" && cmds.last() == Some(cmd);
            store.end(&run, job, n, i32::from(fails), start + 5);
        }
        if !cmds.is_empty() {
            let end = if fails && job == "test" { JobEnd::Failed(1) } else { JobEnd::Complete };
            store.end_job(&run, job, end, ms + 100);
        }
    }
    let end = if fails { RunEnd::Failed("job-failed") } else { RunEnd::Complete };
    store.end_run(&run, end, ms + 110);
    let database = rusqlite::Connection::open(store.root().join("rundown.db")).unwrap();
    let sql = "UPDATE runs SET ref_name = 'refs/heads/' || ?1 WHERE id = ?2";
    database.execute(sql, (ref_name, run.as_str())).unwrap();
}

/// Returns the number of the open run, and the name of the selected item, such as `test/2`.
fn place(sim: &Sim) -> (u32, String) {
    let run = open_run(sim).unwrap();
    let at = sim.model.tree.at.as_ref().map(rundown::tui::at::name_of).unwrap_or_default();
    (run.as_str()[28..].parse().unwrap(), at)
}

#[test]
fn a_step_to_another_run_keeps_the_job_and_the_command() {
    let mut store = Built::new();
    pipeline(&mut store, 1, "main", &["fmt", "cargo test"], true);
    pipeline(&mut store, 2, "main", &["lint", "fmt", "cargo test"], true);
    pipeline(&mut store, 3, "main", &[], false);
    pipeline(&mut store, 4, "main", &["fmt", "cargo test"], false);
    let mut sim = open(&store, LARGE);
    let mut go = |keys: &str| {
        sim.keys(keys);
        place(&sim)
    };
    assert_eq!(go("] ]"), (4, "test/2".into()));
    assert_eq!(go("("), (3, "test/".into()), "this run has the job, but not the command");
    assert_eq!(go("("), (2, "test/3".into()), "the same command line is number 3 here");
    assert_eq!(go("("), (1, "test/2".into()));
    assert_eq!(go(") ) )"), (4, "test/2".into()));
    assert_eq!(
        go("( [ ("),
        (2, "build/1".into()),
        "a selection made in a run without the command is kept"
    );
    assert!(sim.model.log.card.is_none(), "the selected command passed");
    sim.keys("] ] ] (");
    assert_eq!(place(&sim), (1, "test/2".into()));
    assert!(sim.model.log.card.is_some(), "the failed command opens at its likely cause");
    sim.keys("Tab Tab r End Up Up Up Enter");
    assert_eq!(
        place(&sim),
        (4, "build/1".into()),
        "a run opened from the list is shown at its default place"
    );
}

#[test]
fn angle_brackets_stay_on_the_ref_but_comma_and_period_do_not() {
    let mut store = Built::new();
    for (n, ref_name) in [(1, "main"), (2, "fix"), (3, "main"), (4, "fix"), (5, "main")] {
        pipeline(&mut store, n, ref_name, &["cargo test"], n != 3);
    }
    let mut sim = open(&store, SMALL);
    let mut go = |keys: &str| {
        sim.keys(keys);
        (place(&sim).0, sim.model.message.clone().unwrap_or_default())
    };
    assert_eq!(go("<"), (1, String::new()));
    assert_eq!(go("<"), (1, "no older failed run on this ref".into()));
    assert_eq!(go(". . >"), (4, "no newer failed run on this ref".into()));
    assert_eq!(go(","), (2, String::new()));
    assert_eq!(go(", ,"), (1, "no older failed run".into()));
}

#[test]
fn several_steps_in_one_burst_all_take_effect() {
    let store = many_runs(350);
    let mut sim = open(&store, LARGE);
    // Simulates a slow worker: its responses arrive after all key presses.
    let mut late = Effects::none();
    for key in ["(", "(", "(", ")", "(", ","] {
        late.extend(update(&mut sim.model, Msg::Key(Key::parse(key).unwrap())));
    }
    sim.perform(late);
    assert_eq!(open_run(&sim), Some(run_id(300)));
    assert_eq!(sim.model.runs.at, Some(run_id(300)));
}

#[test]
fn a_step_that_fails_does_not_block_later_ones() {
    let store = many_runs(10);
    let mut sim = open(&store, LARGE);
    let database = store.root().join("rundown.db");
    let bytes = std::fs::read(&database).unwrap();
    std::fs::write(&database, "no database").unwrap();
    sim.keys("( (");
    std::fs::write(&database, bytes).unwrap();
    sim.keys("(");
    assert_eq!(open_run(&sim), Some(run_id(9)));
}

#[test]
fn the_list_highlights_the_open_run() {
    let store = many_runs(400);
    let mut sim = open(&store, LARGE);
    let marked = |sim: &mut Sim| {
        let screen = sim.screen();
        screen.lines().skip(2).filter(|row| row.starts_with('▌')).count()
    };
    sim.keys("Tab /");
    type_text(&mut sim, "failed");
    sim.keys("Down Down Tab");
    assert_eq!(sim.model.runs.shown().1, Some(&run_id(400)));
    assert_eq!(marked(&mut sim), 1);
    sim.keys(",");
    assert_eq!((open_run(&sim), sim.model.runs.shown().1), (Some(run_id(300)), Some(&run_id(300))));
    sim.keys("(");
    assert_eq!(open_run(&sim), Some(run_id(299)));
    assert_eq!(marked(&mut sim), 0, "the open run is not among the matches");
}

#[test]
fn f_moves_from_an_ended_run_to_a_newer_one_in_progress() {
    let mut store = Built::new();
    passed_run(&mut store, &run_id(1), -3_600_000);
    let mut sim = open(&store, SMALL);
    sim.keys("f");
    assert_eq!(open_run(&sim), Some(run_id(1)), "there is no newer run in progress");
    running_run(&mut store, &run_id(2));
    sim.disk();
    assert_eq!(open_run(&sim), Some(run_id(1)), "the screen does not switch by itself");
    sim.keys("f");
    assert_eq!(place(&sim), (2, "build/1".into()));
    assert!(sim.model.log.follow && !sim.model.tree.chosen);
}

#[test]
fn a_single_log_has_no_adjacent_runs() {
    let mut store = Built::new();
    passed_run(&mut store, &run_id(1), 0);
    let catalog = Catalog::of_path(&store.log_path(&run_id(1), "build", 1));
    let mut sim = Sim::new(catalog, None, options(), SMALL, at(120_000));
    for key in ["(", ")", "<", ">", ",", "."] {
        sim.keys(key);
        assert_eq!(sim.model.tree.at.clone().and_then(|place| place.n()), Some(1), "{key}");
    }
}

#[test]
fn braces_in_the_list_move_between_failed_runs() {
    let store = many_runs(350);
    let mut sim = open(&store, LARGE);
    sim.keys("Tab } } {");
    assert_eq!((sim.model.runs.at.clone(), open_run(&sim)), (Some(run_id(300)), Some(run_id(350))));
    assert!(sim.screen().contains("00000300"), "{}", sim.screen());
    sim.keys("r");
    type_text(&mut sim, "main");
    sim.keys("Tab Shift-Tab } }");
    assert_eq!(
        sim.model.runs.shown().1,
        Some(&run_id(100)),
        "only matches count, and run 300 is on another branch"
    );
}

// ---- the tree ----

#[test]
fn s_selects_commands_from_slowest_to_fastest() {
    let store = two_runs();
    let mut sim = open(&store, SMALL);
    let place = |sim: &Sim| sim.model.tree.at.clone().unwrap();
    let sh = |job: &str, n| Place::Sh(JobId(job.into()), n);
    sim.keys("Tab g s");
    assert_eq!(
        (place(&sim), sim.model.message.as_deref()),
        (sh("test", 2), Some("slowest of 3: 34.0s"))
    );
    sim.keys("s");
    assert_eq!(
        (place(&sim), sim.model.message.as_deref()),
        (sh("build", 1), Some("2nd slowest of 3: 12.1s"))
    );
    sim.keys("s s S");
    assert_eq!(place(&sim), sh("build", 1));
    sim.keys("g s");
    assert_eq!(place(&sim), sh("test", 2), "after another move, s starts with the slowest again");
}

// ---- the header of a command ----

/// Makes a store with one run. Its only command is a long script that used much CPU time and
/// memory, wrote to both streams, and was killed by a signal.
fn costly_run() -> Built {
    let (mut store, run) = (Built::new(), run_id(7));
    let script = "#!/bin/bash\nset -euo pipefail\n\n\
                  cargo build --workspace --all-targets --all-features --locked\n";
    let many_lines = (1..=40).map(|n| format!("echo step {n}\n")).collect::<Vec<_>>().concat();
    store.begin(&run, &["build"], 0);
    store.start(&run, "build", 1, &format!("{script}{many_lines}"), 100);
    store.print(&run, "build", 1, 200, Stream::Stdout, &"compiling\n".repeat(20));
    store.print(&run, "build", 1, 300, Stream::Stderr, "warning: unused\nwarning: odd\n");
    let end = ShEnd {
        signal: Some(9),
        cpu_ms: Some(62_400),
        max_rss_bytes: Some(512 << 20),
        ..ShEnd::new(at(34_100), 137)
    };
    store.finish(&run, "build", 1, &end);
    store.end_job(&run, "build", JobEnd::Failed(137), 34_200);
    store.end_run(&run, RunEnd::Failed("job-failed"), 34_300);
    store
}

/// Replaces the path of the store with `/store`, because it differs each time the test runs.
fn without_root(store: &Built, screen: &str) -> String {
    screen.replace(&*store.root().to_string_lossy(), "/store")
}

#[test]
fn the_full_header_shows_all_known_facts() {
    let store = costly_run();
    for (name, size) in [("40x10", TINY), ("80x24", SMALL), ("120x40", LARGE), ("250x70", HUGE)] {
        let mut sim = open(&store, size);
        assert_snapshot!(format!("header_folded_{name}"), sim.keys("C").screen());
        let screen = sim.keys("i").screen();
        // Omits the path of the log, which contains the name of the temporary directory: the
        // length of that name varies.
        let shown: Vec<_> = screen.lines().filter(|line| !line.contains("log      /")).collect();
        assert_snapshot!(format!("header_{name}"), shown.join("\n"));
    }
    assert_snapshot!("header_80x24_styles", open(&store, SMALL).keys("C i").styles());
}

#[test]
fn a_command_that_could_not_be_started_shows_the_reason_in_place_of_rows() {
    let (mut store, run) = (Built::new(), run_id(7));
    store.begin(&run, &["build"], 0);
    store.start(&run, "build", 1, r#"["./missing"]"#, 100);
    let start_error = Some("No such file or directory".into());
    let end = ShEnd { log_bytes: Some(0), start_error, ..ShEnd::new(at(110), 127) };
    store.finish(&run, "build", 1, &end);
    store.end_run(&run, RunEnd::Failed("command-failed"), 200);
    let screen = open(&store, SMALL).screen();
    let reason = "could not be started: No such file or directory";
    assert!(screen.contains("exit 127 after 10ms"), "{screen}");
    assert!(!screen.contains("cause not recognized"), "{screen}");
    assert!(screen.lines().any(|line| line.ends_with(reason)), "{screen}");
    assert!(!screen.contains("press }"), "no other command failed: {screen}");
}

#[test]
fn the_header_of_a_run_shows_its_full_id() {
    let store = costly_run();
    let mut sim = open(&store, LARGE);
    let screen = without_root(&store, &sim.keys("Shift-Tab g i").screen());
    assert!(screen.contains(run_id(7).as_str()), "{screen}");
    assert!(screen.contains("commands 1, 1 failed"), "{screen}");
}

#[test]
fn the_full_header_hides_the_card_while_it_is_open() {
    let store = two_runs();
    let mut sim = open(&store, LARGE);
    let cause = "▌thread";
    for (keys, has_card) in [("i", false), ("i", true), ("i C", true)] {
        let screen = sim.keys(keys).screen();
        assert_eq!(screen.contains("· cause: src/parser.rs"), has_card, "{keys}: {screen}");
        assert_eq!(screen.contains("result   exit 101"), !has_card, "{keys}: {screen}");
        assert!(screen.contains(cause), "{keys}: {screen}");
    }
}

#[test]
fn a_log_below_the_full_header_is_followed() {
    let (mut store, run) = (Built::new(), run_id(3));
    store.begin(&run, &["build"], 0);
    store.start(&run, "build", 1, "make all", 100);
    let text = (1..=100).map(|n| format!("row {n}\n")).collect::<Vec<_>>().concat();
    store.print(&run, "build", 1, 200, Stream::Stdout, &text);
    let mut sim = open(&store, SMALL);
    sim.keys("i");
    store.print(&run, "build", 1, 300, Stream::Stdout, "row 101\n");
    let screen = sim.disk().screen();
    assert!(screen.contains("row 101") && screen.contains("command  make all"), "{screen}");
    assert!(sim.model.log.follow);
}
