//! `rundown prune` and the removal of runs by recorders, with the real binary: limits, active runs,
//! interruption at any moment, hostile stores.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rundown::store::Writer;
use rusqlite::params;
use tempfile::TempDir;

use crate::support::built::{Built, run_id, running_run};
use crate::support::{bytes_of, json, run, rundown, stderr, stdout, store, unsynced, wait_until};

const DAY_MS: i64 = 86_400_000;

/// The size of each log, which is much larger than the other files of a run.
const LOG_BYTES: usize = 64 << 10;

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A store whose runs are made without a recorder.
struct Runs {
    dir: TempDir,
}

impl Runs {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        drop(Writer::open(&dir.path().join("rundown.db")).unwrap());
        Self { dir }
    }

    /// Makes a store with `count` runs that passed. Run 1 ended a day ago and is the newest; run 2
    /// ended two days ago.
    fn passed(count: u32) -> Self {
        let runs = Self::new();
        (1..=count).for_each(|n| runs.add(n, "o/r", "complete", i64::from(n)));
        runs
    }

    fn root(&self) -> &Path {
        self.dir.path()
    }

    fn id(n: u32) -> String {
        run_id(n).0
    }

    fn run_dir(&self, repo: &str, n: u32) -> PathBuf {
        self.root().join("runs").join(repo).join(Self::id(n))
    }

    /// Adds a run with a job and a command. It ended `days` ago, unless its state is `active`.
    fn add(&self, n: u32, repo: &str, state: &str, days: i64) {
        let database = unsynced(&self.root().join("rundown.db"));
        let (id, end) = (Self::id(n), now_ms() - days * DAY_MS);
        let (start, is_active) = (end - 1000, state == "active");
        let finished = Some(end).filter(|_| !is_active);
        let reason = Some("command-failed").filter(|_| state == "failed");
        let sql = "INSERT INTO runs(id, repo, ref_name, sha, pushed_at_ms, state, failure_kind,
                                    queued_at_ms, started_at_ms, finished_at_ms, workspace_path)
                   VALUES (?1, ?2, 'refs/heads/main', '', ?3, ?4, ?5, ?3, ?3, ?6, '/')";
        database.execute(sql, params![id, repo, start, state, reason, finished]).unwrap();
        for sql in [
            "INSERT INTO jobs(run_id, job_id, state, started_at_ms, finished_at_ms)
             VALUES (?1, 'build', ?4, ?2, ?3)",
            "INSERT INTO sh_calls(run_id, job_id, n, started_at_ms, cmd, cwd)
             SELECT ?1, 'build', 1, ?2, 'make', '/' WHERE ?3 OR ?4 = 'active'",
            "INSERT INTO sh_events(run_id, job_id, started_at_ms, finished_at_ms, exit_code, cmd)
             SELECT ?1, 'build', ?2, ?3, 0, 'make' WHERE ?4 <> 'active'",
            "INSERT INTO run_details(run_id, is_open)
             SELECT ?1, 0 WHERE ?2 OR ?3 OR ?4",
            "INSERT INTO run_variables(run_id, name, value)
             SELECT ?1, 'A', 'b' WHERE ?2 OR ?3 OR ?4",
            "INSERT INTO job_details(run_id, job_id, needs, allow_failure)
             SELECT ?1, 'build', '[]', 0 WHERE ?2 OR ?3 OR ?4",
        ] {
            database.execute(sql, params![id, start, finished, state]).unwrap();
        }
        self.add_files(repo, n);
    }

    fn add_files(&self, repo: &str, n: u32) {
        let dir = self.run_dir(repo, n);
        fs::create_dir_all(dir.join("jobs/build")).unwrap();
        fs::write(dir.join("recorder.lock"), "").unwrap();
        let record = "2026-01-02T03:04:05Z stdout F text\n";
        let log = record.repeat(LOG_BYTES / record.len() + 1);
        fs::write(dir.join("jobs/build/sh-1.log"), log).unwrap();
    }

    fn open(&self, n: u32) {
        let sql = "UPDATE run_details SET is_open = 1 WHERE run_id = ?";
        unsynced(&self.root().join("rundown.db")).execute(sql, [Self::id(n)]).unwrap();
    }

    /// Returns the ids of all rows, and checks that all tables contain rows of the same runs.
    fn rows(&self) -> BTreeSet<String> {
        let database = unsynced(&self.root().join("rundown.db"));
        let names = |sql: &str| -> Vec<String> {
            let mut statement = database.prepare(sql).unwrap();
            let rows = statement.query_map((), |row| row.get(0)).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        };
        let ids: BTreeSet<String> = names("SELECT id FROM runs").into_iter().collect();
        let tables = names(
            "SELECT t.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
             WHERE t.type = 'table' AND c.name = 'run_id'",
        );
        assert!(tables.len() >= 6, "{tables:?}");
        for table in tables {
            let others =
                format!("SELECT run_id FROM {table} WHERE run_id NOT IN (SELECT id FROM runs)");
            assert_eq!(names(&others), Vec::<String>::new(), "{table}");
        }
        ids
    }

    /// Returns the ids of all directories of runs of a repository.
    fn dirs(&self, repo: &str) -> BTreeSet<String> {
        names_in(&self.root().join("runs").join(repo))
    }

    fn prune(&self, args: &[&str]) -> String {
        stdout(self.root(), &[&["prune", "--root", "."], args].concat(), 0)
    }

    /// Checks that the runs with these numbers exist, with rows and files, and no others.
    #[track_caller]
    fn assert_left(&self, numbers: &[u32]) {
        let ids: BTreeSet<String> = numbers.iter().map(|n| Self::id(*n)).collect();
        assert_eq!((self.rows(), self.dirs("o/r")), (ids.clone(), ids));
        assert!(!self.root().join(".trash").exists());
    }
}

fn names_in(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn runs_that_exceed_a_limit_are_removed_with_rows_and_files() {
    for (args, left) in [
        (&["--keep", "2"][..], &[1, 2][..]),
        (&["--older-than", "60h"], &[1, 2]),
        (&["--older-than", "60h", "--keep", "1"], &[1]),
        (&["--max-bytes", "200KiB"], &[1, 2]),
        (&["--max-bytes", "1"], &[1]),
        (&["--keep", "1", "--failed-keep", "1"], &[1, 4]),
        (&["--keep", "0"], &[]),
        (&["--keep", "9"], &[1, 2, 3, 4, 5]),
        (&["--keep", "2", "--ref", "main"], &[1, 2]),
        (&["--keep", "0", "--repo", "o/r", "--older-than", "9d"], &[]),
    ] {
        let runs = Runs::passed(3);
        runs.add(4, "o/r", "failed", 4);
        runs.add(5, "o/r", "failed", 5);
        let printed = runs.prune(args);
        runs.assert_left(left);
        assert_eq!(printed.lines().count(), 5 - left.len(), "{args:?}: {printed}");
    }
}

#[test]
fn each_removed_run_and_the_freed_space_are_printed() {
    let runs = Runs::passed(3);
    let output = run(runs.root(), &["prune", "--root", ".", "--keep", "1"]);
    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let words: Vec<Vec<&str>> = out.lines().map(|line| line.split("  ").collect()).collect();
    for (words, id) in words.iter().zip(["00000003", "00000002"]) {
        assert_eq!((words[0], words[1], words.len()), (id, "o/r", 4), "oldest first: {out}");
        assert!(words[3].ends_with(" KiB"), "{out}");
    }
    let total = err.strip_prefix("rundown: removed 2 runs, freed ").unwrap();
    assert!(total.trim_end().ends_with(" KiB"), "{err}");
    let err = stderr(runs.root(), &["prune", "--root", ".", "--keep", "1"], 0);
    assert_eq!(err, "rundown: no run to remove\n");

    let document =
        json(runs.root(), &["prune", "--root", ".", "--keep", "0", "--format", "json"], 0);
    assert_eq!(document["schema"], "rundown.prune/1");
    assert_eq!(document["runs"][0]["run"], Runs::id(1));
    assert_eq!(document["total"]["removed_runs"], 1);
    let bytes = document["total"]["freed_bytes"].as_u64().unwrap();
    assert!(bytes >= LOG_BYTES as u64 && bytes == document["runs"][0]["bytes"], "{document}");
}

#[test]
fn a_dry_run_prints_the_same_runs_and_changes_nothing() {
    let runs = Runs::passed(4);
    let before = bytes_of(runs.root());
    let printed = runs.prune(&["--keep", "1", "--dry-run"]);
    assert_eq!(bytes_of(runs.root()), before);
    let err = stderr(runs.root(), &["prune", "--root", ".", "--keep", "1", "--dry-run"], 0);
    assert!(err.starts_with("rundown: would remove 3 runs and free "), "{err}");
    assert_eq!(runs.prune(&["--keep", "1"]), printed);
    runs.assert_left(&[1]);
}

#[test]
fn only_runs_that_match_the_filter_count_and_are_removed() {
    let runs = Runs::passed(2);
    runs.add(3, "other", "complete", 3);
    runs.prune(&["--keep", "1", "--repo", "o/r"]);
    assert_eq!(runs.rows(), [1, 3].map(Runs::id).into());
    let err = stderr(runs.root(), &["prune", "--root", ".", "--keep", "0", "--repo", "x"], 5);
    assert_eq!(err, "rundown: no run matches --repo or --ref\n");
}

#[test]
fn an_active_run_is_never_removed() {
    let runs = Runs::new();
    for n in 1..=5 {
        runs.add(n, "o/r", "active", i64::from(n) - 1);
    }
    // Run 1 was begun a moment ago and waits for its next command; run 2 was abandoned.
    runs.open(1);
    runs.open(2);
    fs::remove_file(runs.run_dir("o/r", 1).join("recorder.lock")).unwrap();
    let lock = File::open(runs.run_dir("o/r", 3).join("recorder.lock")).unwrap();
    lock.try_lock().unwrap();
    let log = File::open(runs.run_dir("o/r", 4).join("jobs/build/sh-1.log")).unwrap();
    log.try_lock().unwrap();
    let dry = runs.prune(&["--keep", "0", "--dry-run"]);
    assert_eq!(dry.lines().count(), 2, "{dry}");
    runs.prune(&["--keep", "0"]);
    runs.assert_left(&[1, 3, 4]);
    drop((lock, log));
    runs.prune(&["--keep", "0"]);
    runs.assert_left(&[1]);
}

/// The row of a run is finished before its recorder releases the lock.
#[test]
fn a_finished_run_whose_recorder_is_still_at_work_is_kept_and_reported() {
    let runs = Runs::passed(2);
    let lock = File::open(runs.run_dir("o/r", 2).join("recorder.lock")).unwrap();
    lock.try_lock().unwrap();
    let err = stderr(runs.root(), &["prune", "--root", ".", "--keep", "0"], 0);
    assert!(err.starts_with("rundown: run 00000002 is in use and was not removed\n"), "{err}");
    runs.assert_left(&[2]);
    drop(lock);
    // A command goes on after the end of its run.
    let log = File::open(runs.run_dir("o/r", 2).join("jobs/build/sh-1.log")).unwrap();
    log.try_lock().unwrap();
    let err = stderr(runs.root(), &["prune", "--root", ".", "--keep", "0"], 0);
    assert!(err.starts_with("rundown: run 00000002 is in use and was not removed\n"), "{err}");
    runs.assert_left(&[2]);
}

#[test]
fn an_interrupted_run_can_be_removed() {
    let mut store = Built::new();
    running_run(&mut store, &run_id(1));
    let prune = ["prune", "--root", ".", "--keep", "0"];
    assert_eq!(stdout(store.root(), &prune, 0), "");
    store.kill_recorder(&run_id(1));
    assert_eq!(stdout(store.root(), &prune, 0).lines().count(), 1);
    assert!(!store.run_dir(&run_id(1)).exists());
}

#[test]
fn without_rows_or_files_the_rest_of_a_run_is_removed() {
    let runs = Runs::passed(2);
    fs::remove_dir_all(runs.run_dir("o/r", 1)).unwrap();
    unsynced(&runs.root().join("rundown.db"))
        .execute("UPDATE runs SET repo = '../evil' WHERE id = ?", [Runs::id(2)])
        .unwrap();
    runs.prune(&["--keep", "0"]);
    assert_eq!(runs.rows(), BTreeSet::new());
    assert!(runs.run_dir("o/r", 2).exists(), "it belongs to no run");
}

/// Starts a process that removes all runs.
fn pruning(runs: &Runs) -> Child {
    let mut command = rundown(runs.root());
    command.args(["prune", "--root", ".", "--keep", "0"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_killed_prune_leaves_no_run_that_the_next_one_does_not_complete() {
    const RUNS: u32 = 60;
    let runs = Runs::passed(RUNS);
    let all: BTreeSet<String> = (1..=RUNS).map(Runs::id).collect();
    let mut left = runs.dirs("o/r").len();
    let mut interrupted = 0;
    for round in 0_u32.. {
        if left == 0 {
            break;
        }
        let mut child = pruning(&runs);
        let goal = left.saturating_sub(1 + round as usize % 7);
        wait_until("removed runs", || runs.dirs("o/r").len() <= goal);
        // The moment within the removal of a run differs in each round.
        for _ in 0..round * 997 % 20_000 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (rows, dirs, trash) =
            (runs.rows(), runs.dirs("o/r"), names_in(&runs.root().join(".trash")));
        interrupted += trash.len();
        assert!(dirs.is_subset(&rows), "no files without rows");
        assert!(trash.len() <= 1 && trash.is_subset(&all));
        let without_files: BTreeSet<String> = rows.difference(&dirs).cloned().collect();
        assert!(without_files.is_subset(&trash), "{without_files:?}");
        if !trash.is_empty() {
            let text = stdout(runs.root(), &["doctor", "--root", "."], 1);
            assert!(text.contains("store: the removal of 1 run was interrupted; "), "{text}");
        }
        // This removes no further run.
        runs.prune(&["--keep", "1000"]);
        let rows = runs.rows();
        assert_eq!(rows, runs.dirs("o/r"));
        assert!(!runs.root().join(".trash").exists());
        assert_eq!(rows, dirs, "all other runs are left");
        left = dirs.len();
    }
    println!("{interrupted} removals of {RUNS} were interrupted");
}

#[test]
fn a_removal_that_was_interrupted_is_completed_and_reported() {
    for (has_rows, complete) in [
        (true, &["prune", "--root", ".", "--keep", "9"][..]),
        (false, &["prune", "--root", ".", "--keep", "9"]),
        (true, &["doctor", "--root", ".", "--repair"]),
    ] {
        let runs = Runs::passed(2);
        fs::create_dir(runs.root().join(".trash")).unwrap();
        fs::rename(runs.run_dir("o/r", 2), runs.root().join(".trash").join(Runs::id(2))).unwrap();
        if !has_rows {
            let sql = "PRAGMA foreign_keys = ON; DELETE FROM runs WHERE id LIKE '%2'";
            unsynced(&runs.root().join("rundown.db")).execute_batch(sql).unwrap();
        }
        let listed = stdout(runs.root(), &["list", "--root", "."], 0);
        assert_eq!(listed.lines().count(), 1 + usize::from(has_rows), "{listed}");
        let err = stderr(runs.root(), complete, 0);
        assert!(err.contains("completed the removal of 1 run that had been interrupted"), "{err}");
        runs.assert_left(&[1]);
    }
}

/// A copy of a removed run, restored from a backup, is not removed again.
#[test]
fn a_run_with_a_directory_of_its_own_keeps_its_rows() {
    let runs = Runs::passed(1);
    fs::create_dir_all(runs.root().join(".trash").join(Runs::id(1)).join("jobs")).unwrap();
    runs.prune(&["--keep", "9"]);
    runs.assert_left(&[1]);
}

#[test]
fn a_second_prune_at_the_same_time_is_refused() {
    let runs = Runs::passed(1);
    let lock = File::create(runs.root().join("last-prune")).unwrap();
    lock.try_lock().unwrap();
    let err = stderr(runs.root(), &["prune", "--root", ".", "--keep", "0"], 6);
    assert!(err.contains("another process is removing runs from it; try again later"), "{err}");
    runs.assert_left(&[1]);
}

#[test]
fn recorders_lose_nothing_while_runs_are_removed() {
    const RECORDERS: usize = 4;
    const COMMANDS: usize = 12;
    let runs = Runs::passed(60);
    let record = || {
        let mut command = rundown(runs.root());
        command.args(["record", "--root", ".", "--repo", "new", "--", "echo", "hello"]);
        let output = command.output().unwrap();
        assert_eq!(
            (output.status.code(), &output.stdout[..], &output.stderr[..]),
            (Some(0), &b"hello\n"[..], &b""[..])
        );
    };
    std::thread::scope(|scope| {
        let recorders: Vec<_> =
            (0..RECORDERS).map(|_| scope.spawn(|| (0..COMMANDS).for_each(|_| record()))).collect();
        let mut keep = 60_u32;
        while !recorders.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            let keep_of_old = keep.to_string();
            runs.prune(&["--repo", "o/r", "--keep", &keep_of_old]);
            // No run of the recorders is that old.
            runs.prune(&["--older-than", "1000d"]);
            keep = keep.saturating_sub(1);
        }
    });
    let dirs = runs.dirs("new");
    assert_eq!(dirs.len(), RECORDERS * COMMANDS);
    let rows = runs.rows();
    assert!(dirs.is_subset(&rows));
    assert_eq!(rows.len(), dirs.len() + runs.dirs("o/r").len());
    assert_eq!(stdout(runs.root(), &["doctor", "--root", ".", "--repo", "new"], 0), "");
}

#[test]
fn finished_runs_can_be_removed_as_soon_as_their_recorder_has_ended() {
    let runs = Runs::passed(1);
    let record = || {
        let mut command = rundown(runs.root());
        command.args(["record", "--root", ".", "--repo", "o/r", "--", "echo", "hello"]);
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
    };
    std::thread::scope(|scope| {
        let recorder = scope.spawn(|| (0..20).for_each(|_| record()));
        while !recorder.is_finished() {
            runs.prune(&["--keep", "0"]);
        }
    });
    runs.prune(&["--keep", "0"]);
    runs.assert_left(&[]);
}

#[test]
fn links_in_a_store_lead_no_removal_out_of_it() {
    let outside = TempDir::new().unwrap();
    let precious = outside.path().join("o/r").join(Runs::id(1)).join("jobs/build/sh-1.log");
    fs::create_dir_all(precious.parent().unwrap()).unwrap();
    fs::write(&precious, "precious").unwrap();
    fs::create_dir_all(outside.path().join("o/r").join(Runs::id(2))).unwrap();
    let before = bytes_of(outside.path());
    let id = Runs::id(1);
    for (at, to, is_refused) in [
        ("runs".to_owned(), String::new(), true),
        ("runs/o".to_owned(), "o".to_owned(), true),
        ("runs/o/r".to_owned(), "o/r".to_owned(), true),
        (format!("runs/o/r/{id}"), format!("o/r/{id}"), true),
        (format!("runs/o/r/{id}/jobs"), format!("o/r/{id}/jobs"), false),
        (format!("runs/o/r/{id}/jobs/build"), format!("o/r/{id}/jobs/build"), false),
        (
            format!("runs/o/r/{id}/jobs/build/sh-1.log"),
            format!("o/r/{id}/jobs/build/sh-1.log"),
            false,
        ),
        (format!("runs/o/r/{id}/recorder.lock"), format!("o/r/{id}/jobs/build/sh-1.log"), true),
        (".trash".to_owned(), "o".to_owned(), true),
        ("last-prune".to_owned(), format!("o/r/{id}/jobs/build/sh-1.log"), true),
        (format!(".trash/{id}"), format!("o/r/{id}"), false),
    ] {
        let runs = Runs::passed(1);
        let link = runs.root().join(&at);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        let _ = fs::remove_dir_all(&link);
        let _ = fs::remove_file(&link);
        symlink(outside.path().join(to), &link).unwrap();
        let output = run(runs.root(), &["prune", "--root", ".", "--keep", "0"]);
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(if is_refused { 6 } else { 0 }), "{at}: {err}");
        assert_eq!(runs.rows().len(), usize::from(is_refused), "{at}: {err}");
        assert_eq!(bytes_of(outside.path()), before, "{at}");
        assert!(outside.path().join("o/r").join(Runs::id(2)).exists(), "{at}");
        let _ = run(runs.root(), &["doctor", "--root", ".", "--repair"]);
        assert_eq!(bytes_of(outside.path()), before, "{at}");
    }
}

#[test]
fn a_run_that_cannot_be_removed_does_not_keep_the_others() {
    let runs = Runs::passed(3);
    let dir = runs.run_dir("o/r", 2);
    fs::rename(&dir, runs.root().join("elsewhere")).unwrap();
    symlink(runs.root().join("elsewhere"), &dir).unwrap();
    let err = stderr(runs.root(), &["prune", "--root", ".", "--keep", "0"], 6);
    assert!(err.contains("run 00000002 was not removed: cannot open "), "{err}");
    assert!(err.contains("it is a symbolic link, which is not followed"), "{err}");
    assert!(err.ends_with(" KiB\n"), "{err}");
    runs.assert_left(&[2]);
}

#[test]
fn only_stores_of_rundown_are_changed() {
    let theirs = store("quire-v2-live");
    let before = bytes_of(theirs.path());
    for args in [
        &["prune", "--root", ".", "--keep", "0"][..],
        &["prune", "--root", ".", "--keep", "0", "--dry-run"],
        &["doctor", "--root", ".", "--repair"],
    ] {
        let err = stderr(theirs.path(), args, 6);
        assert!(err.contains("it belongs to quire, and only rundown's own stores"), "{err}");
        assert_eq!(bytes_of(theirs.path()), before);
    }
    fs::rename(theirs.path().join("quire.db"), theirs.path().join("rundown.db")).unwrap();
    let before = bytes_of(theirs.path());
    for args in [&["--dry-run"][..], &[]] {
        let args = [&["prune", "--root", ".", "--keep", "0"], args].concat();
        let err = stderr(theirs.path(), &args, 6);
        assert!(err.contains("it was not created by rundown"), "{err}");
        assert_eq!(bytes_of(theirs.path()), before);
    }
    let empty = TempDir::new().unwrap();
    for root in ["missing", "."] {
        let err = stderr(empty.path(), &["prune", "--root", root, "--keep", "0"], 6);
        assert!(err.contains("no store at "), "{err}");
    }
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[test]
fn the_limits_of_the_configuration_apply_unless_the_command_line_has_one() {
    let runs = Runs::passed(5);
    let prune = |args: &[&str], code| {
        let args = [&["prune", "--root", ".", "--config", "c.toml"], args].concat();
        stderr(runs.root(), &args, code)
    };
    fs::write(runs.root().join("c.toml"), "wrap = true\n").unwrap();
    let err = prune(&[], 2);
    assert!(err.contains("no limit: use --keep N, --older-than D, or --max-bytes B"), "{err}");
    assert!(prune(&["--failed-keep", "3"], 2).contains("no limit"), "nothing would be removed");
    let retention = "[retention]\nkeep = 4\nolder-than = \"60h\"\nmax-bytes = \"1TiB\"\n";
    fs::write(runs.root().join("c.toml"), retention).unwrap();
    prune(&["--keep", "4"], 0);
    runs.assert_left(&[1, 2, 3, 4]);
    prune(&[], 0);
    runs.assert_left(&[1, 2]);
    fs::write(runs.root().join("c.toml"), "retention.keep = -1\n").unwrap();
    let err = prune(&[], 2);
    assert!(err.contains("`keep` must be a whole number of runs, such as 100"), "{err}");
    prune(&["--keep", "9"], 0);
}

/// The space of removed rows is used again, so the database does not grow while runs come and go.
/// A prune that frees at least half of the database makes it smaller.
#[test]
fn the_database_does_not_grow_while_runs_come_and_go() {
    let runs = Runs::new();
    let add = |n: u32| {
        let database = unsynced(&runs.root().join("rundown.db"));
        runs.add(n, "o/r", "complete", 1);
        let sql = "WITH RECURSIVE i(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM i WHERE n < 4000)
                   INSERT INTO sh_calls(run_id, job_id, n, started_at_ms, cmd, cwd)
                   SELECT ?, 'build', n, n, hex(zeroblob(300)), '/' FROM i";
        database.execute(sql, [Runs::id(n)]).unwrap();
    };
    let bytes = || fs::metadata(runs.root().join("rundown.db")).unwrap().len();
    add(1);
    add(2);
    runs.prune(&["--keep", "2"]);
    let two = bytes();
    for n in 3..8 {
        runs.prune(&["--keep", "1"]);
        add(n);
    }
    runs.prune(&["--keep", "9"]);
    assert!(bytes() <= two * 11 / 10, "{two} {}", bytes());
    runs.prune(&["--keep", "0"]);
    assert!(bytes() * 10 < two, "{two} {}", bytes());
}

/// Many recorders may end at the same time, and each checks if a removal is due.
#[test]
fn recorders_remove_runs_at_most_once_an_hour() {
    use rundown::upkeep::{Limits, prune_if_due};
    let runs = Runs::passed(3);
    let keep = |keep| Limits { keep: Some(keep), ..Limits::default() };
    assert_eq!(prune_if_due(runs.root(), &Limits::default()).unwrap(), None, "no limit");
    assert!(!runs.root().join("last-prune").exists());
    let count = |limits: Limits| {
        let done = || prune_if_due(runs.root(), &limits).unwrap().map(|pruned| pruned.runs);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..64).map(|_| scope.spawn(done)).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        })
    };
    assert_eq!(count(keep(2)), [1]);
    runs.assert_left(&[1, 2]);
    assert_eq!(count(keep(1)), [0_u64; 0]);
    let set_age = |hours: u64| {
        let at = SystemTime::now() - Duration::from_secs(hours * 3600);
        File::options().write(true).open(runs.root().join("last-prune")).unwrap().set_modified(at)
    };
    set_age(2).unwrap();
    assert_eq!(count(keep(1)), [1]);
    runs.assert_left(&[1]);
}
