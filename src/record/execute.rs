//! A run that has begun: its jobs and their commands, one after the other, each with its rows.
//!
//! Nothing here returns an error. What the record lacks becomes a warning ([`Rows`]), what a command did becomes an exit code.
//! Rules: a command that fails ends its job; a job runs only when all that it needs have passed; once somebody asked to stop a
//! pipeline, the running job and those that wait are aborted, whatever their commands made of the signal.

use std::error::Error as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::ErrorCode;
use rustix::fs::FallocateFlags;

use super::child::{Exit, Running, Spawn, lock, own_streams};
use super::pipeline::{Command, Job, Pipeline};
use super::sink::{Sink, Tee};
use super::stop::Stop;
use crate::error::{Error, Result};
use crate::file::FilePath;
use crate::model::{self, JobId, RunId, ShKey};
use crate::store::{JobEnd, RunEnd, ShEnd, ShStart, Writer};
use crate::time::Time;
use crate::words::{self, Mark};
use crate::{cri, log, sanitise};

/// The `failure_kind` of a run with a failed command.
const COMMAND_FAILED: &str = "command-failed";

/// Whose run it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// One command's, which has our stdin and decides alone what a signal means.
    Command,
    /// A pipeline's.
    Pipeline,
}

/// Executes a run.
pub struct Executor {
    /// Whose run it is.
    pub kind: Kind,
    /// Its id.
    pub run: RunId,
    /// Its rows.
    pub rows: Rows,
    dir: PathBuf,
    cwd: PathBuf,
    quiet: bool,
    /// Whether there is a terminal whose keys reach what we start.
    has_terminal: bool,
}

impl Executor {
    /// For a run whose rows and directory are there.
    #[must_use]
    pub fn new(kind: Kind, run: RunId, dir: PathBuf, cwd: PathBuf, quiet: bool, rows: Rows) -> Self {
        let has_terminal = File::open("/dev/tty").is_ok();
        Self { kind, run, rows, dir, cwd, quiet, has_terminal }
    }

    /// Runs the jobs. Gives how the run ended and the exit code of the last command that ran.
    pub fn run(&mut self, pipeline: &Pipeline, stop: &Stop) -> (RunEnd, i32) {
        self.rows.note(|writer| writer.start_run(&self.run, Time::now()));
        let mut passed = Vec::new();
        let mut run_end = RunEnd::Complete;
        let mut exit_code = 0;
        for job in pipeline.jobs() {
            let end = self.job(job, &passed, stop);
            run_end = match (end, run_end) {
                (JobEnd::Aborted, _) => RunEnd::Failed(model::ABORTED),
                (JobEnd::Failed(_) | JobEnd::Skipped, RunEnd::Complete) => RunEnd::Failed(COMMAND_FAILED),
                (_, so_far) => so_far,
            };
            match end {
                JobEnd::Complete => passed.push(&job.id),
                JobEnd::Failed(code) => exit_code = code,
                JobEnd::Skipped | JobEnd::Aborted => {}
            }
        }
        self.rows.note(|writer| writer.finish_run(&self.run, run_end, Time::now()));
        (run_end, exit_code)
    }

    fn job(&mut self, job: &Job, passed: &[&JobId], stop: &Stop) -> JobEnd {
        let begun = Time::now();
        let missing = job.needs.iter().find(|need| !passed.contains(need));
        let end = match missing {
            _ if self.is_stopped(stop) => JobEnd::Aborted,
            Some(_) => JobEnd::Skipped,
            None => {
                self.rows.note(|writer| writer.start_job(&self.run, &job.id, begun));
                self.commands(job, stop)
            }
        };
        let ended = Time::now();
        self.rows.note(|writer| writer.finish_job(&self.run, &job.id, end, ended));
        self.tell(|| job_line(&job.id, end, missing, ended.millis_since(begun)));
        end
    }

    fn commands(&mut self, job: &Job, stop: &Stop) -> JobEnd {
        let mut started_ms = None;
        for (n, command) in (1..).zip(&job.commands) {
            self.tell(|| command_line(&job.id, command));
            let started_at = wait_for_start(started_ms);
            started_ms = Some(started_at.floor_millis());
            let key = ShKey { run: self.run.clone(), job: job.id.clone(), n };
            let exit_code = self.command(&key, command, started_at, stop);
            if self.is_stopped(stop) {
                return JobEnd::Aborted;
            }
            if exit_code != 0 {
                return JobEnd::Failed(exit_code);
            }
        }
        JobEnd::Complete
    }

    fn command(&mut self, key: &ShKey, command: &Command, started_at: Time, stop: &Stop) -> i32 {
        let (argv, cmd) = (command.argv(), command.stored());
        let start = ShStart { key: key.clone(), started_at, cmd, cwd: self.cwd.clone() };
        self.rows.note(|writer| writer.begin_sh(&start));
        let (sink, tees) = (Arc::new(Mutex::new(self.open_log(key, started_at))), self.tees());
        let is_alone = self.kind == Kind::Command;
        let own_group = !self.has_terminal;
        let spawn = Spawn { argv: &argv, cwd: &self.cwd, inherit_stdin: is_alone, own_group, may_be_killed: !is_alone };
        let (exit, warnings) = match Running::start(&spawn, &sink, tees, stop) {
            Ok(running) => {
                self.rows.note(|writer| writer.set_pid(key, running.pid()));
                running.wait()
            }
            Err(not_started) => (Exit::without_run(not_started.exit_code), vec![not_started.why]),
        };
        let (closed, received_bytes) = {
            let mut sink = lock(&sink);
            (sink.close(), sink.received_bytes())
        };
        let lost_bytes = closed.as_ref().err().map(|_| received_bytes.saturating_sub(self.recorded_bytes(key)));
        let lost = closed.err().map(|error| format!("the log is not whole: cannot write it: {error}"));
        for warning in warnings.into_iter().chain(lost) {
            let whose = match self.kind {
                Kind::Command => String::new(),
                Kind::Pipeline => format!("{}, command {}: ", sanitise::name(key.job.as_str()), key.n),
            };
            self.rows.warn(format!("{whose}{warning}"));
        }
        let Exit { code: exit_code, signal, cpu_ms, max_rss_bytes } = exit;
        let lost_bytes = lost_bytes.and_then(|bytes| i64::try_from(bytes).ok());
        let log_bytes = None;
        let end = ShEnd { finished_at: Time::now(), exit_code, signal, cpu_ms, max_rss_bytes, lost_bytes, log_bytes };
        self.rows.note(|writer| writer.finish_sh(&start, &end));
        exit_code
    }

    /// Where it cannot be made the command runs without: the sink keeps the reason.
    fn open_log(&self, key: &ShKey, started_at: Time) -> Sink {
        let create = || {
            let dir = log::path::job_dir(&self.dir, &key.job).ok_or(io::ErrorKind::InvalidFilename)?;
            std::fs::create_dir_all(&dir)?;
            Sink::create(&log::path::sh_log(&dir, key.n), started_at)
        };
        create().unwrap_or_else(|error| Sink::failed(error, started_at))
    }

    /// What a log has of what its command wrote; asked only of one that could not be written to its end.
    fn recorded_bytes(&self, key: &ShKey) -> u64 {
        let Some(dir) = log::path::job_dir(&self.dir, &key.job) else { return 0 };
        let Ok(file) = log::LogFile::open(&FilePath::named(log::path::sh_log(&dir, key.n))) else { return 0 };
        let Ok(mut lines) = file.lines(0) else { return 0 };
        let mut bytes = 0;
        while let Ok(Some(line)) = lines.next() {
            if let Ok(record) = cri::parse(line.bytes) {
                bytes += record.content.len() as u64 + u64::from(record.tag == cri::Tag::Full);
            }
        }
        bytes
    }

    fn tees(&mut self) -> [Tee; 2] {
        own_streams(self.quiet).unwrap_or_else(|error| {
            self.rows.warn(format!("the output is not passed on: {error}"));
            [Tee::new(None), Tee::new(None)]
        })
    }

    fn is_stopped(&self, stop: &Stop) -> bool {
        self.kind == Kind::Pipeline && stop.is_asked()
    }

    /// How a pipeline goes on, on stderr. Where that is closed nobody wants to know.
    fn tell(&self, line: impl FnOnce() -> String) {
        if self.kind == Kind::Pipeline && !self.quiet {
            let _ = writeln!(io::stderr(), "{}", line());
        }
    }
}

/// The writer of a run that goes on when it fails.
pub struct Rows {
    writer: Writer,
    reserve: Reserve,
    warnings: Vec<String>,
    failed: bool,
}

impl Rows {
    /// With room kept for the last rows.
    #[must_use]
    pub const fn new(writer: Writer, reserve: Reserve) -> Self {
        Self { writer, reserve, warnings: Vec::new(), failed: false }
    }

    /// Writes a row; on a full disk once more with the reserve given up. Each is tried, as the disk may have room again; only the
    /// first failure is worth a word.
    pub fn note(&mut self, write: impl Fn(&mut Writer) -> Result<()>) {
        let written = write(&mut self.writer).or_else(|error| {
            if is_disk_full(&error) && self.reserve.give_up() { write(&mut self.writer) } else { Err(error) }
        });
        if let Err(error) = written
            && !std::mem::replace(&mut self.failed, true)
        {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            self.warn(format!("the record of this run is not whole: {error}{cause}"));
        }
    }

    /// Keeps something that people should know at the end.
    pub fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// What people should know.
    #[must_use]
    pub fn into_warnings(self) -> Vec<String> {
        self.warnings
    }
}

/// SQLite says so, or only that it could not write (a quota, a limit on the size of files).
fn is_disk_full(error: &Error) -> bool {
    let Error::Database { source, .. } = error else { return false };
    matches!(source.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
}

/// Room on the disk, held by the run's lock file, so that a command that fills the disk still gets its row: how it ended is worth
/// more than the last lines before the disk was full. Where a file system cannot reserve there is none.
pub struct Reserve(Option<File>);

impl Reserve {
    /// Enough for the pages of some rows, in the write-ahead log and in the database.
    const BYTES: u64 = 256 << 10;

    /// Takes the room, where there is any.
    #[must_use]
    pub fn held_by(file: &File) -> Self {
        let taken = rustix::fs::fallocate(file, FallocateFlags::empty(), 0, Self::BYTES);
        Self(file.try_clone().ok().filter(|_| taken.is_ok()))
    }

    /// Frees the room; whether there was any.
    fn give_up(&mut self) -> bool {
        self.0.take().is_some_and(|file| file.set_len(0).is_ok())
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// The start of a job's next command. Each has a millisecond of its own, the key of its row: this waits for the next one.
fn wait_for_start(last_ms: Option<i64>) -> Time {
    loop {
        match next_start(last_ms, Time::now()) {
            Ok(start) => return start,
            Err(wait) => std::thread::sleep(wait),
        }
    }
}

/// The start, or how long to wait for it. A clock that stepped back is not waited for.
fn next_start(last_ms: Option<i64>, now: Time) -> std::result::Result<Time, Duration> {
    let now_ms = now.floor_millis();
    match last_ms {
        Some(last) if now_ms == last => {
            Err(Duration::from_nanos(u64::from(1_000_000 - now.subsec_nanos() % 1_000_000)))
        }
        Some(last) if now_ms < last => Ok(Time::from_millis(last.saturating_add(1))),
        _ => Ok(now),
    }
}

fn command_line(job: &JobId, command: &Command) -> String {
    format!("▶ {} · {}", sanitise::name(job.as_str()), words::first_line(&command.shown()))
}

fn job_line(job: &JobId, end: JobEnd, missing: Option<&JobId>, ms: i64) -> String {
    let (mark, why) = match end {
        JobEnd::Complete => (Mark::Passed, words::duration(ms)),
        JobEnd::Failed(code) => (Mark::Failed, format!("exit {code} · {}", words::duration(ms))),
        JobEnd::Skipped => {
            let need = missing.map(|need| format!(": {} has not passed", sanitise::name(need.as_str())));
            (Mark::Skipped, format!("skipped{}", need.unwrap_or_default()))
        }
        JobEnd::Aborted => (Mark::Stopped, Mark::Stopped.word().into()),
    };
    format!("{} {} · {why}", mark.glyph(), sanitise::name(job.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_a_job_has_a_millisecond_of_its_own() {
        let at = |ms: i64, nanos| Time::from_unix(ms / 1000, u32::try_from(ms % 1000).unwrap() * 1_000_000 + nanos);
        assert_eq!(next_start(None, at(5000, 7)), Ok(at(5000, 7)));
        assert_eq!(next_start(Some(4999), at(5000, 7)), Ok(at(5000, 7)));
        assert_eq!(next_start(Some(5000), at(5000, 400_000)), Err(Duration::from_micros(600)));
        assert_eq!(next_start(Some(5000), at(4200, 0)), Ok(at(5001, 0)));
        assert_eq!(next_start(Some(i64::MAX), at(0, 0)), Ok(Time::from_millis(i64::MAX)));
    }

    #[test]
    fn progress_is_one_line_for_each_thing() {
        let job = JobId("build".into());
        let shell = Command::Shell("\n  set -e\n  make\n".into());
        assert_eq!(command_line(&job, &shell), "▶ build · set -e …");
        let argv = Command::Argv(vec!["cargo".into(), "build".into()]);
        assert_eq!(command_line(&job, &argv), "▶ build · cargo build");
        let need = JobId("test".into());
        for (end, line) in [
            (JobEnd::Complete, "✓ build · 1.2s"),
            (JobEnd::Failed(101), "✗ build · exit 101 · 1.2s"),
            (JobEnd::Skipped, "⊘ build · skipped: test has not passed"),
            (JobEnd::Aborted, "■ build · stopped"),
        ] {
            assert_eq!(job_line(&job, end, Some(&need), 1200), line);
        }
    }
}
