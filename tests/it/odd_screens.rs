//! Screens, without a terminal, of runs whose records are broken or are still only in
//! `events.jsonl`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use insta::assert_snapshot;
use rundown::catalog::{Catalog, RunSpec};
use rundown::join::Place;
use rundown::model::Phase;
use rundown::time::Time;
use rundown::tui::sim::Sim;
use tempfile::TempDir;

use crate::support::screen::{SMALL, options};
use crate::support::{stdout, store};

const V2: &str = "quire-v2-broken";
const V11: &str = "quire-v11-broken";

/// Half an hour after the start of the active run in the store of version 11:
/// 2025-05-06T13:30:00Z.
const NOW: Time = Time::from_millis(1_746_538_200_000);

fn open_at_now(dir: &Path, id: &str) -> Sim {
    let catalog = Catalog::of_store(dir, None);
    Sim::new(catalog, Some(RunSpec::Id(id.into())), options(), SMALL, NOW)
}

fn screen(name: &str, id: &str, keys: &str) -> String {
    open_at_now(store(name).path(), id).keys(keys).screen()
}

fn place(sim: &Sim) -> String {
    match sim.model.tree.at.as_ref().unwrap() {
        Place::Run => "the run".into(),
        Place::Job(job) => job.0.clone(),
        Place::Sh(job, n) => format!("{} {n}", job.0),
    }
}

#[test]
fn a_stalled_run_shows_the_reason() {
    assert_snapshot!("stalled_80x24", screen(V2, "b0200001", "Tab g"));
}

#[test]
fn a_command_without_a_row_is_marked_above_its_log() {
    let dir = store(V2);
    let mut sim = open_at_now(dir.path(), "b0200001");
    while place(&sim) != "test 4" {
        let before = place(&sim);
        sim.keys("]");
        assert_ne!(place(&sim), before);
    }
    assert_snapshot!("collision_80x24", sim.screen());
}

#[test]
fn an_orphaned_run_shows_which_facts_are_unknown() {
    assert_snapshot!("orphaned_80x24", screen(V11, "b1100004", "Tab g"));
}

#[test]
fn logs_left_by_an_upgrade_are_shown() {
    assert_snapshot!("upgraded_80x24", screen(V11, "b1100001", ""));
}

#[test]
fn a_pipeline_with_a_compile_error_opens_on_its_own_log() {
    assert_snapshot!("does_not_compile_80x24", screen(V11, "b1100005", ""));
}

#[test]
fn a_run_opens_at_the_command_whose_program_is_missing() {
    assert_snapshot!("missing_program_80x24", screen(V11, "b1100007", ""));
}

// ---- an active run without rows ----

const LIVE: &str = "b1100006";
const LIVE_ID: &str = "0196a406-0006-7000-8000-0000b1100006";
const BEGAN_AT_MS: i64 = 1_746_536_400_000;

/// Makes a store with the active run. Returns it and the directory of the run's files. The last
/// line of `events.jsonl` is incomplete.
fn live() -> (TempDir, std::path::PathBuf) {
    let dir = store(V11);
    let files = dir.path().join("runs/demo.git").join(LIVE_ID);
    (dir, files)
}

fn append(files: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(files.join("events.jsonl")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_run_without_rows_is_shown_from_its_events() {
    let (dir, _) = live();
    assert_snapshot!("live_by_events_80x24", open_at_now(dir.path(), LIVE).screen());
}

#[test]
fn a_run_without_a_writer_is_silent() {
    let (dir, files) = live();
    let at_ms = |ms: i64| Time::from_millis(BEGAN_AT_MS + ms);
    let open = |now: Time| {
        let catalog = Catalog::of_store(dir.path(), None);
        Sim::new(catalog, Some(RunSpec::Id(LIVE.into())), options(), SMALL, now)
    };
    let title = |sim: &mut Sim| sim.screen().lines().next().unwrap().to_owned();
    let note = "nothing of this run has changed";
    assert!(title(&mut open(Time::now())).ends_with(" live"), "the files are new");
    let changed = UNIX_EPOCH + Duration::from_millis(u64::try_from(BEGAN_AT_MS).unwrap() + 900);
    let jobs = fs::read_dir(files.join("jobs")).unwrap().map(|job| job.unwrap().path());
    let logs = jobs.flat_map(|job| fs::read_dir(job).unwrap()).map(|log| log.unwrap().path());
    for file in logs.chain([files.join("events.jsonl"), files.join("quire-ci.log")]) {
        if let Ok(file) = fs::File::options().append(true).open(file) {
            file.set_modified(changed).unwrap();
        }
    }
    assert!(title(&mut open(at_ms(3_600_000))).ends_with(" live"));
    let mut sim = open(at_ms(11_520_900));
    assert!(title(&mut sim).ends_with(" silent for 3h12m"), "{}", title(&mut sim));
    let screen = sim.keys("Tab g").screen();
    assert!(screen.contains("! nothing of this run has changed"), "{screen}");
    let text = stdout(dir.path(), &["--root", ".", "--once", LIVE], 0);
    assert!(text.lines().any(|line| line.contains(note)), "{text}");
    // A new row ends the silence, also on a screen that is open.
    assert!(title(sim.disk()).contains("silent"));
    let log = files.join("quire-ci.log");
    let mut log = fs::File::options().append(true).open(log).unwrap();
    log.write_all(b"INFO more\n").unwrap();
    assert!(!title(sim.disk()).contains("silent"), "{}", sim.screen());
    append(&files, "400700,\"type\":\"sh_finished\",\"job_id\":\"build\",\"exit_code\":0}\n");
    assert!(!title(&mut open(at_ms(11_520_900))).contains("silent"));
    let text = stdout(dir.path(), &["--root", ".", "--once", LIVE], 0);
    assert!(!text.contains(note), "{text}");
}

#[test]
fn the_screen_follows_events_and_shows_the_rows_at_the_end() {
    let (dir, files) = live();
    let mut sim = open_at_now(dir.path(), LIVE);
    assert_eq!(place(&sim), "build 3");
    // The rest of the partial line, then another command.
    append(&files, "400700,\"type\":\"sh_finished\",\"job_id\":\"build\",\"exit_code\":0}\n");
    fs::write(files.join("jobs/build/sh-3.log"), "2025-05-06T13:00:00.65Z stdout F 41 passed\n")
        .unwrap();
    append(
        &files,
        "{\"at_ms\":1746536400710,\"type\":\"sh_started\",\"job_id\":\"build\",\
         \"cmd\":\"make strip\"}\n",
    );
    let moved = sim.disk().screen();
    assert!(moved.contains("make strip"), "{moved}");
    let states: Vec<&str> = sim
        .model
        .run
        .as_ref()
        .unwrap()
        .jobs
        .iter()
        .flat_map(|job| &job.shs)
        .map(|sh| sh.state.as_str())
        .collect();
    assert_eq!(states, ["passed", "failed", "passed", "running"]);
    assert!(sim.keys("[").screen().contains("41 passed"), "{}", sim.screen());
    sim.keys("]");

    append(
        &files,
        "{\"at_ms\":1746536400800,\"type\":\"sh_finished\",\"job_id\":\"build\",\"exit_code\":0}\n",
    );
    append(
        &files,
        "{\"at_ms\":1746536400801,\"type\":\"job_finished\",\"job_id\":\"build\",\
         \"outcome\":\"succeeded\"}\n",
    );
    append(
        &files,
        "{\"at_ms\":1746536400802,\"type\":\"run_finished\",\"outcome\":\"succeeded\"}\n",
    );
    fs::write(files.join("jobs/build/sh-4.log"), "").unwrap();
    write_rows(dir.path());
    let screen = sim.disk().screen();
    let run = sim.model.run.as_ref().unwrap();
    assert_eq!(
        (run.head.phase, run.findings.iter().count()),
        (Phase::Finished, 0),
        "{:?}",
        run.findings
    );
    assert!(
        run.jobs.iter().all(|job| job.job.in_database && job.shs.iter().all(|sh| sh.log.is_some()))
    );
    assert_snapshot!("live_ended_80x24", screen);
}

/// Writes the rows that quire writes at the end of the run.
fn write_rows(root: &Path) {
    let connection = rusqlite::Connection::open(root.join("quire.db")).unwrap();
    let run = LIVE_ID;
    let at = |ms: i64| BEGAN_AT_MS + ms;
    let sql = "UPDATE runs SET resolved_at = ?2, outcome = 'succeeded' WHERE id = ?1";
    connection.execute(sql, (run, at(810))).unwrap();
    for (job, start, end) in [("quire/push", 501, 505), ("build", 510, 801)] {
        let sql = "INSERT INTO jobs VALUES (?1, ?2, 'succeeded', NULL, ?3, ?4)";
        connection.execute(sql, (run, job, at(start), at(end))).unwrap();
    }
    for (start, end, exit, cmd) in [
        (512, 590, 0, "make"),
        (600, 640, 3, "make docs"),
        (650, 700, 0, "make check"),
        (710, 800, 0, "make strip"),
    ] {
        let sql = "INSERT INTO sh VALUES (?1, 'build', ?2, ?3, ?4, ?5)";
        connection.execute(sql, (run, at(start), at(end), exit, cmd)).unwrap();
    }
}
