//! Stores that do not exist yet, or are locked, replaced or deleted: the screen while rundown
//! waits, its update without a key press once the store can be read, and the errors for scripts.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use insta::assert_snapshot;
use rundown::catalog::{Catalog, RunSpec, Wait};
use rundown::error::Error;
use rundown::model::Outcome;
use rundown::tui::msg::Msg;
use rundown::tui::sim::Sim;
use tempfile::TempDir;

use crate::support::built::{Built, at, failed_run, passed_run, run_id};
use crate::support::process;
use crate::support::screen::{HUGE, LARGE, SMALL, TINY, open_catalog, options};
use crate::support::{copy_tree, stderr, store};

fn open_root(root: &Path, size: (u16, u16)) -> Sim {
    open_catalog(Catalog::of_store(root, None), size)
}

/// Makes a store with an older run that failed and a newer one that passed.
fn two_runs() -> Built {
    let mut store = Built::new();
    failed_run(&mut store, &run_id(1), 0);
    passed_run(&mut store, &run_id(2), 60_000);
    store
}

fn open_run(sim: &Sim) -> Option<&str> {
    sim.model.run.as_ref().map(|run| run.head.run.id.short())
}

#[track_caller]
fn assert_shows(sim: &mut Sim, text: &str) {
    let screen = sim.screen();
    assert!(screen.contains(text), "no {text:?} in\n{screen}");
}

/// Removes a file and returns its path.
fn remove(root: &Path, name: &str) -> PathBuf {
    let path = root.join(name);
    fs::remove_file(&path).unwrap();
    path
}

/// Locks the database at the path in the variable `DATABASE` until stdin is closed. [`Locker`] runs
/// this test as a child process.
#[test]
#[ignore = "other tests run it as a child process"]
fn lock_holder_in_a_child_process() {
    let Some(path) = std::env::var_os("DATABASE") else { return };
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
    println!("\nlocked");
    let _ = std::io::stdin().read(&mut [0]);
}

/// A child process that locks a database until this value is dropped.
struct Locker(Child);

impl Locker {
    fn of(database: &Path) -> Self {
        let mut child = process::command(&process::argv(lock_holder_in_a_child_process))
            .env("DATABASE", database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut message =
            BufReader::new(child.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
        assert!(message.any(|line| line == "locked"));
        Self(child)
    }
}

impl Drop for Locker {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

#[test]
fn a_missing_store_has_its_own_page_at_every_size() {
    let root = Path::new("no/such/store");
    assert_snapshot!("no_store_80x24", open_root(root, SMALL).screen());
    assert_snapshot!("no_store_120x40", open_root(root, LARGE).screen());
    assert_snapshot!("no_store_40x10", open_root(root, TINY).screen());
    assert_snapshot!("no_store_250x70", open_root(root, HUGE).screen());
    assert_snapshot!("no_store_80x24_styles", open_root(root, SMALL).styles());
    let mut sim = open_root(root, SMALL);
    sim.send(Msg::Tick(at(120_000))).send(Msg::Tick(at(132_345)));
    assert_shows(&mut sim, "for 12s; opens automatically");
    for (width, height) in [(1, 1), (3, 2), (9, 5), (300, 100)] {
        sim.resize(width, height).screen();
    }
}

#[test]
fn a_store_that_is_created_step_by_step_opens_by_itself() {
    let (dir, made) = (TempDir::new().unwrap(), two_runs());
    let root = dir.path().join("deep/store");
    let mut sim = open_root(&root, SMALL);
    assert_shows(&mut sim, "the directory does not exist");
    fs::create_dir_all(&root).unwrap();
    assert_shows(sim.disk(), "the directory contains no rundown.db, quire.db or runs/");
    fs::write(root.join("rundown.db"), "").unwrap();
    assert_shows(sim.disk(), "the file is empty");
    let without_tables = rusqlite::Connection::open(root.join("rundown.db")).unwrap();
    without_tables.execute_batch("PRAGMA user_version = 1").unwrap();
    assert_shows(sim.disk(), "it has no tables");
    drop(without_tables);
    remove(&root, "rundown.db");
    copy_tree(made.root(), &root);
    assert_eq!(open_run(sim.disk()), Some("00000002"));
    assert_shows(&mut sim, "nothing to be done");
}

#[test]
fn a_file_that_is_not_a_database_is_reported_until_it_is_replaced() {
    let made = two_runs();
    let path = made.root().join("rundown.db");
    let good = fs::read(&path).unwrap();
    fs::write(&path, "hello, I am a text").unwrap();
    let mut sim = open_root(made.root(), SMALL);
    assert_shows(&mut sim, "it is not an SQLite file");
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert_shows(sim.disk(), "the database cannot be read");
    assert_eq!(sim.screen().matches("malformed").count(), 1, "{}", sim.screen());
    fs::write(&path, good).unwrap();
    assert_eq!(open_run(sim.disk()), Some("00000002"));
}

#[test]
fn a_requested_run_is_opened_as_soon_as_it_exists() {
    let (dir, made) = (TempDir::new().unwrap(), two_runs());
    let (catalog, run) =
        (Catalog::of_store(dir.path(), None), RunSpec::LatestThat(Outcome::Failed));
    let mut sim = Sim::new(catalog, Some(run), options(), SMALL, at(120_000));
    assert_eq!(open_run(&sim), None);
    copy_tree(made.root(), dir.path());
    assert_eq!(open_run(sim.disk()), Some("00000001"));
}

#[test]
fn a_log_tree_becomes_a_store_when_its_database_appears() {
    let (dir, made) = (TempDir::new().unwrap(), two_runs());
    copy_tree(&made.root().join("runs"), &dir.path().join("runs"));
    let mut sim = open_root(dir.path(), SMALL);
    assert_eq!(open_run(&sim), Some("00000002"));
    assert!(!sim.screen().contains("passed"), "without a database, the result is unknown");
    fs::copy(made.root().join("rundown.db"), dir.path().join("rundown.db")).unwrap();
    assert_shows(sim.disk(), "✓ passed");
}

#[test]
fn the_loaded_data_stays_on_the_screen_after_the_database_is_deleted() {
    let made = two_runs();
    let mut sim = open_root(made.root(), SMALL);
    let aside = made.root().join("aside");
    fs::rename(made.root().join("rundown.db"), &aside).unwrap();
    assert_shows(sim.disk(), "! rundown.db was removed; retrying");
    assert_shows(&mut sim, "nothing to be done");
    assert!(sim.screen().lines().next().unwrap().ends_with("waiting"), "{}", sim.screen());
    fs::rename(aside, made.root().join("rundown.db")).unwrap();
    assert!(!sim.disk().screen().contains("was removed"));
}

#[test]
fn a_leftover_wal_causes_a_notice() {
    let (made, dir) = (store("quire-v2-live"), TempDir::new().unwrap());
    let writer = rusqlite::Connection::open(made.path().join("quire.db")).unwrap();
    writer.execute_batch("PRAGMA journal_mode = WAL; UPDATE runs SET repo = 'later.git'").unwrap();
    for name in ["quire.db", "quire.db-wal"] {
        fs::copy(made.path().join(name), dir.path().join(name)).unwrap();
    }
    let wal = fs::File::open(dir.path().join("quire.db-wal")).unwrap();
    wal.set_modified(std::time::SystemTime::now() - Duration::from_mins(1)).unwrap();
    let sim = open_root(dir.path(), SMALL);
    let [notice] = &sim.model.notices[..] else { panic!("{:?}", sim.model.notices) };
    assert!(notice.contains("its -wal file is left over from a crash or a copy"), "{notice}");
}

#[test]
fn a_replaced_database_of_any_writer_is_read() {
    let (made, other) = (two_runs(), store("quire-v2-live"));
    let mut sim = open_root(made.root(), SMALL);
    copy_tree(&other.path().join("runs"), &made.root().join("runs"));
    fs::rename(other.path().join("quire.db"), made.root().join("rundown.db")).unwrap();
    assert_eq!(open_run(sim.disk()), Some("780b2e4c"));
    let connection = rusqlite::Connection::open(made.root().join("rundown.db")).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM runs").unwrap();
    assert_shows(sim.disk(), "this run is no longer in the store");
}

#[test]
fn a_locked_database_is_reported_and_read_once_unlocked() {
    let made = store("quire-v2-live");
    let path = made.path().join("quire.db");
    let locker = Locker::of(&path);
    let mut sim = open_root(made.path(), SMALL);
    assert_shows(&mut sim, "the database is locked by another process");
    assert!(
        !sim.screen().contains("record"),
        "the page does not suggest `rundown record`: {}",
        sim.screen()
    );
    drop(locker);
    assert_eq!(open_run(sim.disk()), Some("780b2e4c"));
    let locker = Locker::of(&path);
    fs::File::open(&path).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    assert_shows(sim.disk(), "! the database is locked by another process; retrying");
    sim.send(Msg::Tick(at(180_000))).send(Msg::Tick(at(192_000)));
    assert_shows(&mut sim, "another process; retrying for 12s");
    drop(locker);
    assert!(!sim.disk().screen().contains("locked"));
}

#[test]
fn scripts_get_a_lock_error_after_a_bounded_wait() {
    let made = store("quire-v2-live");
    let _locker = Locker::of(&made.path().join("quire.db"));
    let query = |args: &[&str]| {
        let message = stderr(made.path(), &[&["--root", "."], args].concat(), 6);
        assert!(
            message.contains("quire.db is locked by another process; try again later"),
            "{message}"
        );
    };
    std::thread::scope(|scope| {
        for args in [
            &["--once"][..],
            &["--once", "--format", "json"],
            &["list"],
            &["list", "--format", "json"],
        ] {
            scope.spawn(move || query(args));
        }
    });
}

#[test]
fn an_unresponsive_read_is_reported_after_a_second_and_keys_still_work() {
    let store = two_runs();
    let mut sim = open_root(store.root(), SMALL);
    let db = store.root().join("rundown.db");
    sim.send(Msg::Reads(Some(db.clone())))
        .send(Msg::Tick(at(120_000)))
        .send(Msg::Tick(at(120_900)));
    assert!(!sim.screen().contains("no response"), "{}", sim.screen());
    sim.send(Msg::Tick(at(132_000)));
    assert_shows(&mut sim, "no response for 12s: /");
    assert_shows(sim.keys("?"), "╭ Keys");
    assert_shows(sim.keys("q ["), "no response for 12s: /");
    sim.send(Msg::Reads(Some(db))).send(Msg::Tick(at(133_000)));
    assert!(
        !sim.screen().contains("no response"),
        "a new read restarts the timer: {}",
        sim.screen()
    );
    sim.send(Msg::Tick(at(135_000))).send(Msg::Reads(None));
    assert!(!sim.screen().contains("no response"), "the read has ended: {}", sim.screen());
}

#[test]
fn the_reason_of_a_failed_read_stays_during_the_next_one() {
    let mut sim = open_root(Path::new("no/such/store"), SMALL);
    let fails = |after: u32| {
        let (url, why) = ("s3://runs/ci".into(), format!("refused; gave up after {after} s"));
        Msg::Waiting(Some(Wait::of(&Error::Remote { doing: "list", url, why }, false)))
    };
    sim.send(fails(8)).send(Msg::Tick(at(120_000)));
    sim.send(Msg::Reads(Some("s3://runs/ci".into())));
    sim.send(Msg::Tick(at(121_000))).send(Msg::Tick(at(132_000)));
    assert_shows(&mut sim, "gave up after 8 s");
    sim.send(fails(11)).send(Msg::Tick(at(133_000)));
    assert_shows(&mut sim, "waiting for 13s; ");
}

#[test]
fn an_unresponsive_store_at_startup_has_its_own_page() {
    let mut sim = open_root(Path::new("no/such/store"), SMALL);
    sim.send(Msg::Reads(Some("/mnt/far/quire.db".into())))
        .send(Msg::Tick(at(120_000)))
        .send(Msg::Tick(at(132_000)));
    assert_snapshot!("hanging_80x24", sim.screen());
}
