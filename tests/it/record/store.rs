//! Helpers for the tests of the recorder: a store in a temporary directory, and its contents.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use rundown::cri::{Stream, parse};
use rundown::model::{JobId, RunId};
use rundown::record::{Ended, Facts, Options, Recording, Stop, parse_pipeline, record_command};
use tempfile::TempDir;

use crate::support::joiner::Joiner;

pub struct Store {
    pub dir: TempDir,
    pub options: Options,
}

impl Store {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let facts =
            Facts { repo: "o/r".into(), ref_name: "refs/heads/main".into(), sha: "ab12".into() };
        let mut options = Options::new(dir.path().join("store"));
        (options.facts, options.cwd, options.quiet) = (facts, dir.path().to_owned(), true);
        Self { dir, options }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    pub fn record(&self, argv: &[&str]) -> Ended {
        let argv: Vec<_> = argv.iter().map(OsString::from).collect();
        record_command(&self.options, &job("job"), &argv).unwrap()
    }

    /// Executes a recording while `meanwhile` runs. Stops the command if `meanwhile` panics.
    pub fn execute_while(recording: Recording, meanwhile: impl FnOnce(&Stop)) -> Ended {
        let stop = Stop::new();
        thread::scope(|scope| {
            let running = scope.spawn(|| recording.execute(&stop));
            let _guard = StopOnPanic(&stop);
            meanwhile(&stop);
            running.join().unwrap()
        })
    }

    /// Records a shell script while `meanwhile` runs.
    pub fn shell_while(&self, script: &str, meanwhile: impl FnOnce()) -> Ended {
        let argv = ["sh", "-c", script].map(Into::into);
        let recording = Recording::command(&self.options, &job("job"), &argv).unwrap();
        Self::execute_while(recording, |_| meanwhile())
    }

    pub fn shell(&self, script: &str) -> Ended {
        self.record(&["sh", "-c", script])
    }

    pub fn run_dir(&self, run: &RunId) -> PathBuf {
        self.root().join("runs/o/r").join(run.as_str())
    }

    pub fn log_path(&self, run: &RunId, job: &str, n: u32) -> PathBuf {
        self.run_dir(run).join(format!("jobs/{job}/sh-{n}.log"))
    }

    /// Returns the bytes of the only log of the only run; no bytes if the log does not exist yet.
    pub fn first_log(&self) -> Vec<u8> {
        let runs = std::fs::read_dir(self.root().join("runs/o/r"));
        let run = runs.ok().and_then(|mut runs| runs.next()).and_then(Result::ok);
        let jobs = run.and_then(|run| std::fs::read_dir(run.path().join("jobs")).ok());
        let job = jobs.and_then(|mut jobs| jobs.next()).and_then(Result::ok);
        job.and_then(|job| std::fs::read(job.path().join("sh-1.log")).ok()).unwrap_or_default()
    }

    /// Returns the bytes that a command wrote to a stream, according to its log.
    pub fn written(&self, run: &RunId, job: &str, n: u32, stream: Stream) -> Vec<u8> {
        joined(&std::fs::read(self.log_path(run, job, n)).unwrap(), stream)
    }

    pub fn stdout(&self, ended: &Ended) -> String {
        String::from_utf8(self.written(&ended.run, "job", 1, Stream::Stdout)).unwrap()
    }

    pub fn sql<T: rusqlite::types::FromSql>(&self, sql: &str) -> Vec<T> {
        let connection =
            rusqlite::Connection::open(self.root().join(rundown::store::OUR_DATABASE)).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map((), |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    pub fn break_table(&self, table: &str) {
        let connection =
            rusqlite::Connection::open(self.root().join(rundown::store::OUR_DATABASE)).unwrap();
        connection.execute_batch(&format!("DROP TABLE {table}")).unwrap();
    }
}

/// Stops a recording if the test panics. Without it, the test would wait for the end of the
/// recording, and the recorded command would wait for the test.
struct StopOnPanic<'a>(&'a Stop);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

/// Returns the permissions of a file.
pub fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

pub fn job(name: &str) -> JobId {
    JobId(name.into())
}

pub fn pipeline(text: &str) -> rundown::record::Pipeline {
    parse_pipeline(text, "p.toml".as_ref()).unwrap()
}

/// Returns the bytes that a command wrote to a stream, joined from the records of a log. Ignores an
/// unterminated last record, because the log may still grow.
pub fn joined(log: &[u8], stream: Stream) -> Vec<u8> {
    let mut joiner = Joiner::default();
    let lines =
        log.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
    let mut entries: Vec<_> = lines.filter_map(|line| joiner.push(&parse(line).unwrap())).collect();
    entries.extend(joiner.finish());
    let mine = entries.into_iter().filter(|entry| entry.stream == stream);
    mine.flat_map(|entry| [entry.content, vec![b'\n'; usize::from(entry.complete)]].concat())
        .collect()
}
