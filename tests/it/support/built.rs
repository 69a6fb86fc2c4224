//! Stores that a test makes step by step, with fixed times, through the recorder's writer and
//! encoder.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rundown::catalog::Catalog;
use rundown::cri::{Encoder, MAX_CONTENT, Stream};
use rundown::log::path;
use rundown::model::{JobId, RunDetails, RunId, ShKey};
use rundown::store::{JobEnd, NewJob, NewRun, RunEnd, ShEnd, ShStart, Writer};
use rundown::time::Time;
use tempfile::TempDir;

pub const REPO: &str = "example";

/// Returns the time `ms` milliseconds after 2026-05-06T12:00:00Z.
pub fn at(ms: i64) -> Time {
    Time::from_millis(1_778_068_800_000 + ms)
}

/// Returns the ID of run `n`. Its last eight characters are `0000000n`.
pub fn run_id(n: u32) -> RunId {
    RunId(format!("01a2078a-83c0-7cf2-8c6a-6911{n:08}"))
}

/// Writes a database without runs. Only the first one is made by the recorder's writer, which
/// applies every migration and waits for the disk. The others are copies of the first.
fn empty_database(path: &Path) {
    static EMPTY: OnceLock<(Vec<u8>, Permissions)> = OnceLock::new();
    let (bytes, permissions) = EMPTY.get_or_init(|| {
        drop(Writer::open(path).unwrap());
        (fs::read(path).unwrap(), fs::metadata(path).unwrap().permissions())
    });
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, permissions.clone()).unwrap();
}

/// A store that a test fills step by step. Each step opens and closes the database, so that no
/// process reads and writes it at the same time.
pub struct Built {
    dir: TempDir,
    locks: RefCell<Vec<(RunId, File)>>,
    starts: RefCell<Vec<ShStart>>,
}

impl Built {
    pub fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("runs")).unwrap();
        empty_database(&dir.path().join("rundown.db"));
        Self { dir, locks: RefCell::default(), starts: RefCell::default() }
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn catalog(&self) -> Catalog {
        Catalog::of_store(self.root(), None)
    }

    fn write(&self, step: impl FnOnce(&mut Writer)) {
        step(&mut Writer::open(&self.root().join("rundown.db")).unwrap());
    }

    pub fn run_dir(&self, run: &RunId) -> PathBuf {
        path::run_dir(self.root(), REPO, run).unwrap()
    }

    pub fn log_path(&self, run: &RunId, job: &str, n: u32) -> PathBuf {
        path::sh_log(&path::job_dir(&self.run_dir(run), &JobId(job.into())).unwrap(), n)
    }

    /// Starts a run, and locks it as its recorder does.
    pub fn begin(&mut self, run: &RunId, jobs: &[&str], ms: i64) {
        let jobs: Vec<_> = jobs.iter().map(|job| NewJob::new(JobId((*job).into()))).collect();
        self.begin_with(run, &RunDetails::default(), &jobs, ms);
    }

    /// Starts a run with details. Locks it as its recorder does, unless it is open.
    pub fn begin_with(&mut self, run: &RunId, details: &RunDetails, jobs: &[NewJob], ms: i64) {
        let new = NewRun {
            id: run,
            repo: REPO,
            ref_name: "refs/heads/main",
            sha: "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
            workspace: Path::new("/src"),
            queued_at: at(ms),
            starts: true,
            details,
        };
        let dir = self.run_dir(run);
        fs::create_dir_all(dir.join("jobs")).unwrap();
        if !details.is_open {
            let lock = File::create(path::recorder_lock(&dir)).unwrap();
            lock.lock().unwrap();
            self.locks.get_mut().push((run.clone(), lock));
        }
        self.write(|writer| writer.begin_run(&new, jobs).unwrap());
    }

    /// Starts a command, and its job if the command is the first.
    pub fn start(&self, run: &RunId, job: &str, n: u32, cmd: &str, ms: i64) {
        self.start_attempt(None, run, job, n, cmd, ms);
    }

    /// Starts an attempt of a command that is repeated when it fails.
    pub fn start_attempt(
        &self,
        attempt: Option<u32>,
        run: &RunId,
        job: &str,
        n: u32,
        cmd: &str,
        ms: i64,
    ) {
        let key = ShKey { run: run.clone(), job: JobId(job.into()), n };
        let log = self.log_path(run, job, n);
        fs::create_dir_all(log.parent().unwrap()).unwrap();
        self.write(|writer| {
            if n == 1 {
                writer.start_job(run, &key.job, at(ms)).unwrap();
            }
            let start = ShStart {
                key,
                started_at: at(ms),
                cmd: cmd.into(),
                cwd: "/src".into(),
                attempt,
                shell: None,
            };
            writer.begin_sh(&start).unwrap();
            self.starts.borrow_mut().push(start);
        });
        let log = File::create(log).unwrap();
        log.lock().unwrap();
        self.locks.borrow_mut().push((run.clone(), log));
    }

    /// Encodes output of a command as records, and appends them to its log.
    pub fn print(&self, run: &RunId, job: &str, n: u32, ms: i64, stream: Stream, text: &str) {
        let mut encoder = Encoder::new(Some(MAX_CONTENT));
        let mut records = Vec::new();
        encoder.write(stream, at(ms), text.as_bytes(), &mut records);
        encoder.flush(stream, at(ms), &mut records);
        self.append(run, job, n, &records);
    }

    /// Appends bytes to a log.
    pub fn append(&self, run: &RunId, job: &str, n: u32, bytes: &[u8]) {
        OpenOptions::new()
            .append(true)
            .open(self.log_path(run, job, n))
            .unwrap()
            .write_all(bytes)
            .unwrap();
    }

    /// Ends a command with an exit code.
    pub fn end(&self, run: &RunId, job: &str, n: u32, exit_code: i32, ms: i64) {
        self.finish(run, job, n, &ShEnd::new(at(ms), exit_code));
    }

    /// Ends a command that was started.
    pub fn finish(&self, run: &RunId, job: &str, n: u32, end: &ShEnd) {
        let key = ShKey { run: run.clone(), job: JobId(job.into()), n };
        let starts = self.starts.borrow();
        let start = starts.iter().find(|start| start.key == key).unwrap();
        self.write(|writer| writer.finish_sh(start, end).unwrap());
    }

    /// Ends a job.
    pub fn end_job(&self, run: &RunId, job: &str, end: JobEnd, ms: i64) {
        self.write(|writer| writer.finish_job(run, &JobId(job.into()), end, at(ms)).unwrap());
    }

    /// Ends a run, and releases its lock.
    pub fn end_run(&mut self, run: &RunId, end: RunEnd, ms: i64) {
        self.write(|writer| writer.finish_run(run, Some(end), at(ms)).unwrap());
        self.kill_recorder(run);
    }

    /// Releases the lock of a run, as when its recorder is killed.
    pub fn kill_recorder(&mut self, run: &RunId) {
        for (_, lock) in self.locks.get_mut().extract_if(.., |(id, _)| id == run) {
            // Unlock explicitly: a child between fork and exec may still hold the descriptor.
            lock.unlock().unwrap();
        }
    }
}

/// Adds a run that has started the command `make all`, which has printed `the first row`.
pub fn running_run(store: &mut Built, run: &RunId) {
    store.begin(run, &["build"], 0);
    store.start(run, "build", 1, "make all", 10);
    store.print(run, "build", 1, 20, Stream::Stdout, "the first row\n");
}

/// Makes a store with run 1, which is running.
pub fn running() -> Built {
    let mut store = Built::new();
    running_run(&mut store, &run_id(1));
    store
}

/// Makes a store with an older run that passed and a newer one that failed.
pub fn two_runs() -> Built {
    let mut store = Built::new();
    passed_run(&mut store, &run_id(1), -3_600_000);
    failed_run(&mut store, &run_id(2), 0);
    store
}

/// Adds a run with three jobs: one that passed, one that failed, one that was skipped.
pub fn failed_run(store: &mut Built, run: &RunId, ms: i64) {
    store.begin(run, &["build", "test", "deploy"], ms);
    store.start(run, "build", 1, "cargo build --workspace", ms + 10);
    store.print(
        run,
        "build",
        1,
        ms + 500,
        Stream::Stderr,
        "\x1b[1m\x1b[32m   Compiling\x1b[0m example v0.1.0\n",
    );
    store.print(
        run,
        "build",
        1,
        ms + 12_000,
        Stream::Stderr,
        "\x1b[1m\x1b[32m    Finished\x1b[0m dev in 11.9s\n",
    );
    store.end(run, "build", 1, 0, ms + 12_110);
    store.end_job(run, "build", JobEnd::Complete, ms + 12_310);
    store.start(run, "test", 1, "cargo fmt --check", ms + 12_400);
    store.end(run, "test", 1, 0, ms + 12_800);
    store.start(run, "test", 2, "cargo test --workspace", ms + 12_900);
    store.print(run, "test", 2, ms + 13_000, Stream::Stdout, "\nrunning 30 tests\n");
    for n in 1..=30 {
        let line = format!(
            "test parser::tests::case_{n:02} ... {}\n",
            if n == 17 { "FAILED" } else { "ok" }
        );
        store.print(run, "test", 2, ms + 13_000 + n * 600, Stream::Stdout, &line);
    }
    store.print(
        run,
        "test",
        2,
        ms + 40_000,
        Stream::Stdout,
        "\nfailures:\n\n---- parser::tests::case_17 stdout ----\n",
    );
    let panic = "thread 'parser::tests::case_17' panicked at src/parser.rs:42:9:\n\
                 assertion `left == right` failed\n";
    store.print(run, "test", 2, ms + 40_001, Stream::Stdout, panic);
    store.print(
        run,
        "test",
        2,
        ms + 40_002,
        Stream::Stdout,
        "  left: \x1b[31m3\x1b[0m\n right: \x1b[32m4\x1b[0m\n\n",
    );
    store.print(
        run,
        "test",
        2,
        ms + 46_000,
        Stream::Stdout,
        "test result: FAILED. 29 passed; 1 failed\n\n",
    );
    store.print(
        run,
        "test",
        2,
        ms + 46_900,
        Stream::Stderr,
        "\x1b[1m\x1b[31merror\x1b[0m: test failed, to rerun pass `--lib`\n",
    );
    store.end(run, "test", 2, 101, ms + 46_900);
    store.end_job(run, "test", JobEnd::Failed(101), ms + 47_000);
    store.end_job(run, "deploy", JobEnd::Skipped, ms + 47_010);
    store.end_run(run, RunEnd::Failed("job-failed"), ms + 47_020);
}

/// Adds a short run that passed.
pub fn passed_run(store: &mut Built, run: &RunId, ms: i64) {
    store.begin(run, &["build"], ms);
    store.start(run, "build", 1, "make", ms + 10);
    store.print(run, "build", 1, ms + 20, Stream::Stdout, "nothing to be done\n");
    store.end(run, "build", 1, 0, ms + 1_200);
    store.end_job(run, "build", JobEnd::Complete, ms + 1_210);
    store.end_run(run, RunEnd::Complete, ms + 1_220);
}
