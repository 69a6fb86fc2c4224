//! One command of a run: its log, its rows, its process, and its time limit.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::child::{Ended, Exit, NotStarted, Output, Running, Spare, Spawn, lock};
use super::console::Destination;
use super::context::{self, TRACEPARENT};
use super::execute::{Executor, Record, RunKind, locked};
use super::logs::{self, NewLog};
use super::mask::Secrets;
use super::pipeline::{PipelineCommand, PipelineJob};
use super::sink::{Cut, Limit, Sink};
use super::stop::Stop;
use crate::model::{ShKey, TIMEOUT};
use crate::sanitize;
use crate::store::{ShEnd, ShStart, StoredCut};
use crate::time::Time;

/// The time that a command has to react to SIGTERM at its time limit, before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// The exit code of a command that reacted to its time limit by exiting with 0, as of `timeout(1)`.
const TIMED_OUT: i32 = 124;

/// The commands of one job, run one after the other.
pub(super) struct Command<'a> {
    executor: &'a Executor,
    job: &'a PipelineJob,
    stop: &'a Stop,
    to: &'a Destination,
    cwd: PathBuf,
    spare: Spare,
    /// The secrets of the job.
    secrets: Secrets,
    /// The end of the job's time limit.
    deadline: Option<Instant>,
}

/// The result of a command.
pub(super) struct CommandEnd {
    /// Its exit code, or 128 + the signal that ended it.
    pub exit_code: i32,
    /// The time of its exit.
    pub at: Instant,
    /// Messages for the user.
    pub warnings: Vec<String>,
}

impl<'a> Command<'a> {
    /// Prepares the commands of a job that starts now.
    pub fn of_job(
        executor: &'a Executor,
        job: &'a PipelineJob,
        stop: &'a Stop,
        to: &'a Destination,
    ) -> Self {
        let cwd = match &job.settings.dir {
            Some(dir) => executor.cwd.join(dir),
            None => executor.cwd.clone(),
        };
        let spare = locked(&executor.spare).take().unwrap_or_else(Spare::take);
        let secrets = executor.secrets_of(job);
        Self { executor, job, stop, to, cwd, spare, secrets, deadline: deadline(job) }
    }

    /// Runs a command to its end. `n` is its position in the job, from 1, and `attempt` counts from
    /// 1. A repeated command restarts the time limit of its job.
    pub fn run(&mut self, n: u32, command: &PipelineCommand, attempt: u8) -> CommandEnd {
        if attempt > 1 {
            self.deadline = deadline(self.job);
        }
        let is_alone = self.executor.kind != RunKind::Pipeline;
        let output = self.job.settings.output.unwrap_or(self.executor.output);
        let argv = self.job.argv(command);
        let spawn = Spawn {
            argv: &argv,
            cwd: &self.cwd,
            env: &[],
            inherit_stdin: is_alone,
            // A signal at the time limit must reach all processes of the command.
            own_group: !self.executor.has_terminal || self.deadline.is_some(),
            may_be_killed: !is_alone,
            output,
            ends_with_reader: is_alone,
            masked: Some(&self.secrets).filter(|_| self.executor.masking.masks_output),
            spare: &self.spare,
        };
        let ended = if let Some(record) = &self.executor.record {
            let attempt = (self.job.settings.retry > 0).then(|| attempt.into());
            self.recorded(record, &NewCommand { n, cmd: command.stored(), attempt }, &spawn)
        } else {
            let env = variables(&self.job.settings.env, []);
            let sink = self.sink_without_log();
            self.spawn(&Spawn { env: &env, ..spawn }, sink.as_ref(), |_| ()).0
        };
        let whose = match self.executor.kind {
            RunKind::Command | RunKind::Step => String::new(),
            RunKind::Pipeline => format!("{}, command {n}: ", sanitize::name(self.job.id.as_str())),
        };
        let warnings = ended.warnings.into_iter().map(|warning| format!("{whose}{warning}"));
        CommandEnd { exit_code: ended.exit.code, at: ended.at, warnings: warnings.collect() }
    }

    /// Runs a command, records its output, and adds its rows to the queue.
    fn recorded(&self, record: &Record, new: &NewCommand, spawn: &Spawn<'_>) -> Ended {
        let NewLog { numbered, mut sink, path, warning } =
            logs::create(&record.dir, &self.job.id, new.n);
        sink.mask(&self.secrets);
        let key = ShKey { run: self.executor.run.clone(), job: self.job.id.clone(), n: numbered.n };
        let parent = std::env::var(TRACEPARENT).ok();
        let own = context::variables(&record.root, &key, parent.as_deref());
        let env = variables(&self.job.settings.env, own);
        let start = ShStart {
            key: key.clone(),
            started_at: numbered.started_at,
            cmd: self.secrets.mask_text(&new.cmd),
            cwd: self.secrets.mask_text(&spawn.cwd.to_string_lossy()).into(),
            attempt: new.attempt,
            shell: self.job.settings.shell.as_ref().map(|shell| {
                self.secrets.mask_text(&serde_json::Value::from(shell.clone()).to_string())
            }),
        };
        let started = start.clone();
        record.rows.write(move |writer| writer.begin_sh(&started));
        record.rows.settle();
        if let Some((path, bytes)) = path.clone().zip(self.executor.max_log) {
            sink.set_limit(limit(path, bytes, record, key.clone()));
        }
        let sink = Arc::new(Mutex::new(sink));
        let (mut ended, timed_out) =
            self.spawn(&Spawn { env: &env, ..*spawn }, Some(&sink), |pid| {
                record.rows.write(move |writer| writer.set_pid(&key, pid));
            });
        ended.warnings.extend(warning);
        let mut end = finish_log(record, &sink, path, &mut ended, timed_out);
        end.start_error = end.start_error.map(|why| self.secrets.mask_text(&why));
        record.rows.write(move |writer| writer.finish_sh(&start, &end));
        ended
    }

    /// Returns a sink for a command that is not recorded; `None` if the command writes to our own
    /// streams directly.
    fn sink_without_log(&self) -> Option<Arc<Mutex<Sink>>> {
        let is_read = matches!(self.to, Destination::Job(_));
        is_read
            .then(|| Sink::failed(ErrorKind::Unsupported.into(), Time::now()))
            .map(|sink| Arc::new(Mutex::new(sink)))
    }

    /// Runs a process to its end. Ends it at the time limit of the job. `started` receives its
    /// process id. Also returns true if the time limit was exceeded.
    fn spawn(
        &self,
        spawn: &Spawn<'_>,
        sink: Option<&Arc<Mutex<Sink>>>,
        started: impl FnOnce(u32),
    ) -> (Ended, bool) {
        let running = match Running::start(spawn, sink, self.to, self.stop) {
            Ok(running) => running,
            Err(NotStarted { exit_code, why }) => {
                return (not_started(spawn, exit_code, why), false);
            }
        };
        started(running.pid());
        let Some(deadline) = self.deadline else { return (running.wait(), false) };
        thread::scope(|scope| {
            let (ended, is_ended) = mpsc::channel::<()>();
            let stop = self.stop;
            let limit = scope.spawn(move || end_at(deadline, &is_ended, stop));
            let mut waited = running.wait();
            drop(ended);
            let timed_out = limit.join().unwrap_or(false);
            if timed_out && waited.exit.code == 0 {
                waited.exit.code = TIMED_OUT;
            }
            (waited, timed_out)
        })
    }
}

/// A command that is about to be recorded.
struct NewCommand {
    /// Its number in the job if no log can be created.
    n: u32,
    /// The command line as it is stored.
    cmd: String,
    attempt: Option<u32>,
}

fn deadline(job: &PipelineJob) -> Option<Instant> {
    job.settings.timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

/// Ends the running command at its time limit: with SIGTERM, and after a grace period with SIGKILL.
/// Returns true if the limit was exceeded, false if the command ended before.
fn end_at(deadline: Instant, is_ended: &mpsc::Receiver<()>, stop: &Stop) -> bool {
    let runs_for = |time: Duration| is_ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
    if !runs_for(deadline.saturating_duration_since(Instant::now())) {
        return false;
    }
    stop.time_out(Signal::TERM);
    if runs_for(GRACE) {
        stop.time_out(Signal::KILL);
    }
    true
}

/// Returns the variables that a command gets in addition to ours: those of its job, and those of
/// its run.
fn variables<const N: usize>(
    of_job: &BTreeMap<String, String>,
    of_run: [(&'static str, OsString); N],
) -> Vec<(OsString, OsString)> {
    let of_job = of_job.iter().map(|(name, value)| (name.into(), value.into()));
    of_job.chain(of_run.into_iter().map(|(name, value)| (name.into(), value))).collect()
}

/// Returns the limit of a log. Its first cut is stored at once, so that readers see that output is
/// missing even if this recorder is killed.
fn limit(path: PathBuf, bytes: u64, record: &Record, key: ShKey) -> Limit {
    let send = record.rows.sender();
    Limit::new(path, bytes, move |cut| {
        if let Some(cut) = stored(cut) {
            send(Box::new(move |writer| writer.set_cut(&key, cut)));
        }
    })
}

fn stored(cut: Cut) -> Option<StoredCut> {
    Some(StoredCut { at: cut.at.try_into().ok()?, bytes: cut.bytes.try_into().ok()? })
}

/// Closes the log of a command that has ended, and returns the facts about its end.
fn finish_log(
    record: &Record,
    sink: &Mutex<Sink>,
    path: Option<PathBuf>,
    ended: &mut Ended,
    timed_out: bool,
) -> ShEnd {
    let closed = logs::close(&mut lock(sink), path.as_deref(), ended.is_recorded);
    if let Some(path) = path.filter(|_| closed.log_bytes.is_some() && closed.warning.is_none()) {
        record.add_log(path);
    }
    // A missing run directory is reported once, at the end of the run.
    let is_reported = record.is_in_place() || closed.lost_bytes.is_some();
    ended.warnings.extend(closed.warning.filter(|_| is_reported));
    ended.warnings.extend(closed.cut.map(|cut| cut.to_string()));
    let integer = |bytes: u64| i64::try_from(bytes).ok();
    ShEnd {
        signal: ended.exit.signal,
        cpu_ms: ended.exit.cpu_ms,
        max_rss_bytes: ended.exit.max_rss_bytes,
        lost_bytes: closed.lost_bytes.and_then(integer),
        log_bytes: closed.log_bytes.and_then(integer),
        start_error: ended.start_error.clone(),
        output: ended.output.map(Output::name),
        ended_by: timed_out.then_some(TIMEOUT),
        cut: closed.cut.and_then(stored),
        ..ShEnd::new(ended.finished_at, ended.exit.code)
    }
}

fn not_started(spawn: &Spawn<'_>, exit_code: i32, why: String) -> Ended {
    let program = program(spawn.argv);
    let why = if spawn.cwd.is_dir() || is_here(spawn.cwd) {
        why
    } else {
        format!("the directory {} does not exist", spawn.cwd.display())
    };
    Ended {
        exit: Exit::without_run(exit_code),
        at: Instant::now(),
        finished_at: Time::now(),
        output: None,
        is_recorded: true,
        warnings: vec![format!(
            "cannot run `{}`: {}",
            sanitize::name(&program),
            sanitize::name(&why)
        )],
        start_error: Some(why),
    }
}

/// Returns true for our own directory, which may have been deleted.
fn is_here(dir: &Path) -> bool {
    super::child::is_own_dir(dir)
}

fn program(argv: &[OsString]) -> Cow<'_, str> {
    argv.first().map(|program| program.to_string_lossy()).unwrap_or_default()
}
