//! Execution of a run that has started: runs its jobs and their commands one after the other, and
//! adds the rows of each to the record.
//!
//! Nothing here returns an error. Missing parts of the record become warnings, and the result of a
//! command becomes an exit code. A run whose store cannot be used runs without a record: its
//! commands inherit our own stdout and stderr. A failed command ends its job. A job runs only if
//! all jobs that it needs have passed. Once a stop of the pipeline is requested, the running job
//! and all pending jobs count as aborted, even if the running command ignored the signal.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::child::{Ended, Exit, NotStarted, Running, Spare, Spawn, lock};
use super::context::{self, TRACEPARENT};
use super::logs::{self, NewLog};
use super::pipeline::{Pipeline, PipelineCommand, PipelineJob};
use super::row_queue::RowQueue;
use super::sink::Sink;
use super::stop::Stop;
use crate::display::{self, Status};
use crate::error::Result;
use crate::file::{self, Identity};
use crate::model::{self, JobId, RunId, ShKey};
use crate::store::{COMMAND_FAILED, JobEnd, RunEnd, ShEnd, ShStart, Writer};
use crate::time::Time;
use crate::{ci, sanitize};

/// The kind of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunKind {
    /// A single command, which inherits our stdin and handles signals itself.
    Command,
    /// A single command, too, in a run that another process began and will finish.
    Step,
    /// A pipeline.
    Pipeline,
}

/// The time limit for completing the record, counted from the exit of the last command. Within this
/// time, rows may wait for a locked database, and logs for the disk.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// The minimum time for completing the record, counted from the end of all output. It applies if
/// the output of the last command ended long after the exit of that command.
const LEAST_END_TIMEOUT: Duration = Duration::from_secs(1);

/// The executor of a run.
pub struct Executor {
    /// The kind of the run.
    pub kind: RunKind,
    /// Its id.
    pub run: RunId,
    /// The record of the run; `None` if it is not recorded.
    pub record: Option<Record>,
    /// Messages for the user, printed at the end.
    pub warnings: Vec<String>,
    cwd: PathBuf,
    quiet: bool,
    spare: Spare,
    /// The time at which the last command exited.
    last_exit: Option<Instant>,
    /// True if there is a terminal whose keys reach the commands.
    has_terminal: bool,
}

/// The record of a run.
pub struct Record {
    /// Its rows.
    pub rows: RowQueue,
    /// The root of its store.
    pub root: PathBuf,
    /// Its directory.
    pub dir: PathBuf,
    /// True if its logs are synced to disk at the end.
    pub sync: bool,
    /// The identity of the run's directory at the beginning.
    identity: Option<Identity>,
    /// The paths of the complete logs so far, which are synced at the end.
    logs: Vec<PathBuf>,
}

impl Record {
    /// Creates the record of a run whose files already exist.
    pub fn new(rows: RowQueue, root: PathBuf, dir: PathBuf, sync: bool) -> Self {
        let identity = file::identity(&dir);
        Self { rows, root, dir, sync, identity, logs: Vec::new() }
    }
}

impl Executor {
    /// Creates an executor for a run that has started.
    #[must_use]
    pub fn new(
        kind: RunKind,
        run: RunId,
        cwd: PathBuf,
        quiet: bool,
        spare: Spare,
        record: Option<Record>,
    ) -> Self {
        // Check stdin, too: without free file descriptors, /dev/tty cannot be opened even if there
        // is a terminal.
        let has_terminal = File::open("/dev/tty").is_ok() || io::stdin().is_terminal();
        Self {
            kind,
            run,
            record,
            warnings: Vec::new(),
            cwd,
            quiet,
            spare,
            last_exit: None,
            has_terminal,
        }
    }

    /// Runs the jobs and completes the record. Returns the result of the run, and the exit code of
    /// the last command that failed, or 0 if none did.
    pub fn run(&mut self, pipeline: &Pipeline, stop: &Stop) -> (RunEnd, i32) {
        let started = Time::now();
        if self.owns_run() {
            self.note(move |writer, run| writer.start_run(run, started));
        }
        let mut passed = Vec::new();
        let mut run_end = RunEnd::Complete;
        let mut exit_code = 0;
        for job in pipeline.jobs() {
            let end = self.job(job, &passed, stop);
            run_end = match (end, run_end) {
                (JobEnd::Aborted, _) => RunEnd::Failed(model::ABORTED),
                (JobEnd::Failed(_) | JobEnd::Skipped, RunEnd::Complete) => {
                    RunEnd::Failed(COMMAND_FAILED)
                }
                (_, so_far) => so_far,
            };
            match end {
                JobEnd::Complete => passed.push(&job.id),
                JobEnd::Failed(code) => exit_code = code,
                JobEnd::Skipped | JobEnd::Aborted => {}
            }
        }
        self.complete(run_end, stop);
        (run_end, exit_code)
    }

    /// Syncs the logs to disk, if requested, and then writes the last rows, all within one time
    /// limit.
    fn complete(&mut self, run_end: RunEnd, stop: &Stop) {
        let (ended, now) = (Time::now(), Instant::now());
        let deadline = (self.last_exit.unwrap_or(now) + END_TIMEOUT).max(now + LEAST_END_TIMEOUT);
        stop.all_ended();
        let is_hurried = || stop.is_hurried();
        if let Some(record) = self.record.as_mut().filter(|record| record.sync) {
            let logs = std::mem::take(&mut record.logs);
            self.warnings.extend(logs::sync(logs, deadline, is_hurried));
        }
        if self.owns_run() {
            self.note(move |writer, run| writer.finish_parts(run, ended));
            self.note(move |writer, run| writer.finish_run(run, Some(run_end), ended));
        }
        if let Some(Record { rows, dir, .. }) = self.record.take() {
            self.warnings.extend(rows.close(&dir, deadline, is_hurried));
        }
    }

    /// Adds a row to the record. Does nothing if the run is not recorded.
    fn note(&self, write: impl Fn(&mut Writer, &RunId) -> Result<()> + Send + 'static) {
        if let Some(record) = &self.record {
            let run = self.run.clone();
            record.rows.write(move |writer| write(writer, &run));
        }
    }

    fn job(&mut self, job: &PipelineJob, passed: &[&JobId], stop: &Stop) -> JobEnd {
        let started = Time::now();
        let missing = job.needs.iter().find(|need| !passed.contains(need));
        let end = match missing {
            _ if self.is_stopped(stop) => JobEnd::Aborted,
            Some(_) => JobEnd::Skipped,
            None => {
                let id = job.id.clone();
                if self.owns_run() {
                    self.note(move |writer, run| writer.start_job(run, &id, started));
                }
                self.commands(job, stop)
            }
        };
        let ended = Time::now();
        let id = job.id.clone();
        if self.owns_run() {
            self.note(move |writer, run| writer.finish_job(run, &id, end, ended));
        }
        self.print_progress(|| job_line(&job.id, end, missing, ended.millis_since(started)));
        end
    }

    fn commands(&mut self, job: &PipelineJob, stop: &Stop) -> JobEnd {
        for (n, command) in (1..).zip(&job.commands) {
            self.print_progress(|| command_line(&job.id, command));
            let exit_code = self.command(&job.id, n, command, stop);
            if self.is_stopped(stop) {
                return JobEnd::Aborted;
            }
            if exit_code != 0 {
                return JobEnd::Failed(exit_code);
            }
        }
        JobEnd::Complete
    }

    /// Runs a command to its end, and returns its exit code. `n` is its number in the pipeline.
    fn command(&mut self, job: &JobId, n: u32, command: &PipelineCommand, stop: &Stop) -> i32 {
        let is_alone = self.kind != RunKind::Pipeline;
        let argv = command.argv();
        let spawn = Spawn {
            argv: &argv,
            cwd: &self.cwd,
            env: &[],
            inherit_stdin: is_alone,
            own_group: !self.has_terminal,
            may_be_killed: !is_alone,
            spare: &self.spare,
        };
        let whose = match self.kind {
            RunKind::Command | RunKind::Step => String::new(),
            RunKind::Pipeline => format!("{}, command {n}: ", sanitize::name(job.as_str())),
        };
        let ended = match &mut self.record {
            Some(record) => {
                let new = NewSh { run: &self.run, job, own_n: n, cmd: command.stored() };
                recorded(record, new, &spawn, self.quiet, stop)
            }
            None => run(&spawn, None, self.quiet, stop, |_| ()),
        };
        self.warnings.extend(ended.warnings.into_iter().map(|warning| format!("{whose}{warning}")));
        self.last_exit = Some(ended.at);
        ended.exit.code
    }

    /// Returns true if this recorder began the run, and will finish it.
    fn owns_run(&self) -> bool {
        self.kind != RunKind::Step
    }

    fn is_stopped(&self, stop: &Stop) -> bool {
        self.kind == RunKind::Pipeline && stop.is_requested()
    }

    /// Prints a line about the progress of a pipeline to stderr. Ignores errors: if stderr is
    /// closed, the line is not needed.
    fn print_progress(&self, line: impl FnOnce() -> String) {
        if self.kind == RunKind::Pipeline && !self.quiet {
            let _ = writeln!(ci::Output::new(io::stderr()), "{}", line());
        }
    }
}

/// A command that is about to be recorded.
struct NewSh<'a> {
    run: &'a RunId,
    job: &'a JobId,
    /// Its number if no log can be created.
    own_n: u32,
    /// The command line as it is stored.
    cmd: String,
}

/// Runs a command, records its output, and adds its rows to the queue.
fn recorded(
    record: &mut Record,
    new: NewSh<'_>,
    spawn: &Spawn<'_>,
    quiet: bool,
    stop: &Stop,
) -> Ended {
    let NewLog { numbered, sink, path, warning } = logs::create(&record.dir, new.job, new.own_n);
    let key = ShKey { run: new.run.clone(), job: new.job.clone(), n: numbered.n };
    let env = context::variables(&record.root, &key, std::env::var(TRACEPARENT).ok().as_deref());
    let start = ShStart {
        key: key.clone(),
        started_at: numbered.started_at,
        cmd: new.cmd,
        cwd: spawn.cwd.to_owned(),
        attempt: None,
    };
    let started = start.clone();
    record.rows.write(move |writer| writer.begin_sh(&started));
    record.rows.settle();
    let sink = Arc::new(Mutex::new(sink));
    let mut ended = run(&Spawn { env: &env, ..*spawn }, Some(&sink), quiet, stop, |pid| {
        record.rows.write(move |writer| writer.set_pid(&key, pid));
    });
    ended.warnings.extend(warning);
    let closed = logs::close(&mut lock(&sink), path.as_deref(), ended.is_recorded);
    record.logs.extend(path.filter(|_| closed.log_bytes.is_some() && closed.warning.is_none()));
    // A missing run directory is reported once, at the end of the run.
    let is_in_place = file::identity(&record.dir) == record.identity;
    ended.warnings.extend(closed.warning.filter(|_| is_in_place || closed.lost_bytes.is_some()));
    let integer = |bytes: u64| i64::try_from(bytes).ok();
    let end = ShEnd {
        finished_at: Time::now(),
        exit_code: ended.exit.code,
        signal: ended.exit.signal,
        cpu_ms: ended.exit.cpu_ms,
        max_rss_bytes: ended.exit.max_rss_bytes,
        lost_bytes: closed.lost_bytes.and_then(integer),
        log_bytes: closed.log_bytes.and_then(integer),
        start_error: ended.start_error.clone(),
        output: None,
        ended_by: None,
        cut: None,
    };
    record.rows.write(move |writer| writer.finish_sh(&start, &end));
    ended
}

/// Runs a command to its end; `started` receives its process id.
fn run(
    spawn: &Spawn<'_>,
    sink: Option<&Arc<Mutex<Sink>>>,
    quiet: bool,
    stop: &Stop,
    started: impl FnOnce(u32),
) -> Ended {
    match Running::start(spawn, sink, quiet, stop) {
        Ok(running) => {
            started(running.pid());
            running.wait()
        }
        Err(NotStarted { exit_code, why }) => Ended {
            exit: Exit::without_run(exit_code),
            at: Instant::now(),
            is_recorded: true,
            warnings: vec![format!("cannot run `{}`: {why}", sanitize::name(&program(spawn)))],
            start_error: Some(why),
        },
    }
}

fn program<'a>(spawn: &Spawn<'a>) -> Cow<'a, str> {
    spawn.argv.first().map(|program| program.to_string_lossy()).unwrap_or_default()
}

fn command_line(job: &JobId, command: &PipelineCommand) -> String {
    format!("▶ {} · {}", sanitize::name(job.as_str()), display::first_line(&command.shown()))
}

fn job_line(job: &JobId, end: JobEnd, missing: Option<&JobId>, ms: i64) -> String {
    let (mark, why) = match end {
        JobEnd::Complete => (Status::Passed, display::duration(ms)),
        JobEnd::Failed(code) => {
            (Status::Failed, format!("exit {code} · {}", display::duration(ms)))
        }
        JobEnd::Skipped => {
            let need =
                missing.map(|need| format!(": {} did not pass", sanitize::name(need.as_str())));
            (Status::Skipped, format!("skipped{}", need.unwrap_or_default()))
        }
        JobEnd::Aborted => (Status::Stopped, Status::Stopped.word().into()),
    };
    format!("{} {} · {why}", mark.glyph(), sanitize::name(job.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_prints_one_line_per_event() {
        let job = JobId("build".into());
        let shell = PipelineCommand::Shell("\n  set -e\n  make\n".into());
        assert_eq!(command_line(&job, &shell), "▶ build · set -e …");
        let argv = PipelineCommand::Argv(vec!["cargo".into(), "build".into()]);
        assert_eq!(command_line(&job, &argv), "▶ build · cargo build");
        let need = JobId("test".into());
        for (end, line) in [
            (JobEnd::Complete, "✓ build · 1.2s"),
            (JobEnd::Failed(101), "✗ build · exit 101 · 1.2s"),
            (JobEnd::Skipped, "⊘ build · skipped: test did not pass"),
            (JobEnd::Aborted, "■ build · stopped"),
        ] {
            assert_eq!(job_line(&job, end, Some(&need), 1200), line);
        }
    }
}
