//! A store in a temporary directory, and what a test wants to know of it.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rundown::cri::{Stream, parse};
use rundown::model::{JobId, RunId};
use rundown::record::{Ended, Facts, Options, parse_pipeline, record_command};
use tempfile::TempDir;

use crate::support::joiner::Joiner;

/// How long a state may take to come: only ever used up by a failing test.
const TIME_OUT: Duration = Duration::from_secs(20);

pub struct Store {
    pub dir: TempDir,
    pub options: Options,
}

impl Store {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let facts =
            Facts { repo: "o/r".into(), ref_name: "refs/heads/main".into(), sha: "ab12".into() };
        let (store_root, cwd) = (Ok(dir.path().join("store")), dir.path().to_owned());
        let options = Options {
            store_root,
            facts,
            cwd,
            quiet: true,
            signals: false,
            must_record: false,
            sync: true,
        };
        Self { dir, options }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    pub fn record(&self, argv: &[&str]) -> Ended {
        let argv: Vec<_> = argv.iter().map(OsString::from).collect();
        record_command(&self.options, &job("job"), &argv).unwrap()
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

    /// The only log of the only run, while it is recorded; empty until it is there.
    pub fn first_log(&self) -> Vec<u8> {
        let runs = std::fs::read_dir(self.root().join("runs/o/r"));
        let run = runs.ok().and_then(|mut runs| runs.next()).and_then(Result::ok);
        let jobs = run.and_then(|run| std::fs::read_dir(run.path().join("jobs")).ok());
        let job = jobs.and_then(|mut jobs| jobs.next()).and_then(Result::ok);
        job.and_then(|job| std::fs::read(job.path().join("sh-1.log")).ok()).unwrap_or_default()
    }

    /// What a command wrote to a stream, by its log.
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

/// A file's permissions.
pub fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

pub fn job(name: &str) -> JobId {
    JobId(name.into())
}

pub fn pipeline(text: &str) -> rundown::record::Pipeline {
    parse_pipeline(text, "p.toml".as_ref()).unwrap()
}

/// What was written to a stream, by a log that may still grow.
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

pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > TIME_OUT {
            // A panic would wait for the recording thread, and that for a command which waits for
            // this test.
            let _ = writeln!(std::io::stderr(), "still not there: {what}");
            std::process::abort();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
