//! The execution of a run that has begun: runs its jobs and adds their rows to the record. If
//! several jobs may run at the same time, each has a thread.
//!
//! ```text
//! run ─► schedule ─► job threads ─► command by command: log, rows, process
//!           ▲             │
//!           └── results ──┘
//! ```
//!
//! Nothing here returns an error. Missing parts of the record become warnings, and the result of a
//! command becomes an exit code. A run whose store cannot be used runs without a record: its
//! commands inherit our own stdout and stderr, unless jobs may run at the same time. A failed
//! command ends its job after the last retry. Once a stop of the pipeline is requested, the running
//! jobs and all pending jobs count as aborted, even if a running command ignored the signal.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::child::{Output, Spare};
use super::command::Command;
use super::console::{Console, Destination};
use super::facts::find_commit;
use super::logs;
use super::mask::{Masking, Secrets};
use super::pipeline::{JobSettings, Pipeline, PipelineCommand, PipelineJob};
use super::row_queue::RowQueue;
use super::run::masked;
use super::schedule::{Schedule, SkipReason};
use super::stop::Stop;
use crate::display::{self, Status};
use crate::error::Result;
use crate::file::{self, Identity};
use crate::model::{self, JobId, RunId};
use crate::sanitize;
use crate::store::{COMMAND_FAILED, JobEnd, RunEnd, Writer};
use crate::time::Time;

/// The kind of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunKind {
    /// A single command, which inherits our stdin and handles signals itself.
    Command,
    /// A single command in a run that another process began and will finish.
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

/// The executor of a run. The threads of the jobs share it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the run or a fact about it"
)]
pub struct Executor {
    /// The kind of the run.
    pub kind: RunKind,
    /// Its id.
    pub run: RunId,
    /// The record of the run; `None` if it is not recorded.
    pub record: Option<Record>,
    /// The directory of its commands.
    pub cwd: PathBuf,
    /// True if neither output nor progress is passed on.
    pub quiet: bool,
    /// True if the names of jobs that run at the same time have colors on a terminal.
    pub color: bool,
    /// The connection of the commands' output, unless a job has another one.
    pub output: Output,
    /// The size limit of each log in bytes.
    pub max_log: Option<u64>,
    /// The descriptors that were reserved for the first job.
    pub spare: Mutex<Option<Spare>>,
    /// True if there is a terminal whose keys reach the commands.
    pub has_terminal: bool,
    /// The maximum number of jobs that run at the same time.
    pub jobs: usize,
    /// True if no job starts after a failure, except those that wait for one.
    pub fail_fast: bool,
    /// The rules by which secrets are found.
    pub masking: Masking,
    /// The secrets in our environment.
    pub secrets: Secrets,
    /// The commit whose subject and author are read from git; `None` if they are not needed.
    pub commit: Option<String>,
    /// The console; `None` if no two jobs run at the same time, or nothing is passed on.
    console: Option<Arc<Console>>,
    outcome: Mutex<Outcome>,
}

/// The results that the threads collect.
#[derive(Default)]
struct Outcome {
    /// Messages for the user, printed at the end.
    warnings: Vec<String>,
    /// The time at which the last command exited.
    last_exit: Option<Instant>,
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
    logs: Mutex<Vec<PathBuf>>,
}

impl Record {
    /// Creates the record of a run whose files already exist.
    pub fn new(rows: RowQueue, root: PathBuf, dir: PathBuf, sync: bool) -> Self {
        let identity = file::identity(&dir);
        Self { rows, root, dir, sync, identity, logs: Mutex::default() }
    }

    /// Returns true if the directory of the run is still at its path.
    pub fn is_in_place(&self) -> bool {
        file::identity(&self.dir) == self.identity
    }

    /// Adds a complete log, to be synced at the end.
    pub fn add_log(&self, path: PathBuf) {
        locked(&self.logs).push(path);
    }
}

impl Executor {
    /// Creates an executor for a run that has started.
    #[must_use]
    pub fn new(
        kind: RunKind,
        run: RunId,
        cwd: PathBuf,
        spare: Spare,
        record: Option<Record>,
    ) -> Self {
        // Check stdin, too: without free file descriptors, /dev/tty cannot be opened even if there
        // is a terminal.
        let has_terminal = File::open("/dev/tty").is_ok() || io::stdin().is_terminal();
        let (quiet, color, jobs, fail_fast, commit) = (false, false, 1, false, None);
        let (output, masking, secrets) =
            (Output::default(), Masking::default(), Secrets::default());
        let (outcome, spare) = (Mutex::default(), Mutex::new(Some(spare)));
        Self {
            kind,
            run,
            record,
            cwd,
            quiet,
            color,
            output,
            max_log: None,
            spare,
            has_terminal,
            jobs,
            fail_fast,
            masking,
            secrets,
            commit,
            console: None,
            outcome,
        }
    }

    /// Runs the jobs and completes the record. Returns the result of the run, the exit code of the
    /// last job that failed (0 if none did), and the messages for the user.
    pub fn run(mut self, pipeline: &Pipeline, stop: &Stop) -> (RunEnd, i32, Vec<String>) {
        let started = Time::now();
        if self.kind == RunKind::Pipeline {
            self.note(move |writer, run| writer.start_run(run, started));
        }
        if self.runs_parallel(pipeline) && !self.quiet {
            let console = Console::new(pipeline.jobs().iter().map(|job| &job.id), self.color);
            // Without free descriptors, the output of the jobs is mixed.
            self.console = console.ok();
        }
        let mut schedule = Schedule::new(pipeline, self.fail_fast);
        let exit_code = thread::scope(|scope| {
            if let Some(sha) = self.commit.as_ref().filter(|_| self.owns_run()) {
                scope.spawn(|| self.add_commit(sha));
            }
            self.run_jobs(scope, pipeline, &mut schedule, stop)
        });
        if let Some(console) = &self.console {
            self.warn(console.take_failures());
        }
        let run_end = if self.is_stopped(stop) {
            RunEnd::Failed(model::ABORTED)
        } else if schedule.has_failed() {
            RunEnd::Failed(COMMAND_FAILED)
        } else {
            RunEnd::Complete
        };
        self.complete(run_end, stop);
        (run_end, exit_code, std::mem::take(&mut locked(&self.outcome).warnings))
    }

    /// Runs all jobs, as many at the same time as allowed. Returns the exit code of the last job
    /// that failed, or 0.
    fn run_jobs<'s>(
        &'s self,
        scope: &'s thread::Scope<'s, '_>,
        pipeline: &'s Pipeline,
        schedule: &mut Schedule,
        stop: &Stop,
    ) -> i32 {
        let (send, ended) = mpsc::channel();
        let (mut running, mut exit_code) = (0_usize, 0);
        loop {
            while running < self.jobs.max(1) && !self.is_stopped(stop) {
                let next = schedule.next_job();
                self.note_skipped(pipeline, schedule.skipped());
                let Some((at, job)) = next.and_then(|at| Some((at, pipeline.jobs().get(at)?)))
                else {
                    break;
                };
                running = running.saturating_add(1);
                let (send, stop) = (send.clone(), stop.branch());
                // Begin the output here, not in the thread, so that jobs are in the order of their
                // starts.
                let to = self.destination(&job.id);
                let work = move || {
                    // The result is sent even if the thread panics.
                    let mut done = Done { at, end: JobEnd::Aborted, send };
                    // Drop `to` before `done`: the output of a job that waits for this one follows.
                    let to = to;
                    done.end = self.job(job, &stop, &to);
                };
                if self.runs_parallel(pipeline) {
                    scope.spawn(work);
                } else {
                    work();
                }
            }
            if running == 0 {
                break;
            }
            let Ok((at, end)) = ended.recv() else { break };
            running = running.saturating_sub(1);
            if let JobEnd::Failed(code) = end {
                exit_code = code;
            }
            schedule.finish(at, end);
        }
        self.abort_rest(pipeline, schedule);
        exit_code
    }

    /// Ends the jobs that did not start because the pipeline was stopped.
    fn abort_rest(&self, pipeline: &Pipeline, schedule: &mut Schedule) {
        for job in schedule.abort().into_iter().filter_map(|at| pipeline.jobs().get(at)) {
            self.finish_job(&job.id, JobEnd::Aborted);
            let line = || job_line(&job.id, JobEnd::Aborted, 0);
            self.print_progress(&self.destination(&job.id), line);
        }
    }

    fn note_skipped(&self, pipeline: &Pipeline, skipped: Vec<(usize, SkipReason)>) {
        let name = |at: usize| {
            let job = pipeline.jobs().get(at);
            job.map(|job| sanitize::name(job.id.as_str()).into_owned()).unwrap_or_default()
        };
        for (at, reason) in skipped {
            let Some(job) = pipeline.jobs().get(at) else { continue };
            self.finish_job(&job.id, JobEnd::Skipped);
            let why = match reason {
                SkipReason::NotPassed(need) => format!("{} did not pass", name(need)),
                SkipReason::NothingFailed => "nothing failed".to_owned(),
                SkipReason::FailFast(failed) => format!("{} failed", name(failed)),
            };
            self.print_progress(&self.destination(&job.id), || {
                format!("{} {} · skipped: {why}", Status::Skipped.glyph(), name(at))
            });
        }
    }

    /// Syncs the logs to disk, if requested, and then writes the last rows, all within one time
    /// limit.
    fn complete(&mut self, run_end: RunEnd, stop: &Stop) {
        let (ended, now) = (Time::now(), Instant::now());
        let last_exit = locked(&self.outcome).last_exit.unwrap_or(now);
        let deadline = (last_exit + END_TIMEOUT).max(now + LEAST_END_TIMEOUT);
        stop.all_ended();
        let is_hurried = || stop.is_hurried();
        if let Some(record) = self.record.as_ref().filter(|record| record.sync) {
            let mut logs = std::mem::take(&mut *locked(&record.logs));
            logs.sort();
            self.warn(logs::sync(logs, deadline, is_hurried));
        }
        if self.owns_run() {
            self.note(move |writer, run| writer.finish_parts(run, ended));
            self.note(move |writer, run| writer.finish_run(run, Some(run_end), ended));
        }
        if let Some(Record { rows, dir, .. }) = self.record.take() {
            self.warn(rows.close(&dir, deadline, is_hurried));
        }
    }

    /// Adds the subject and the author of the commit to the record.
    fn add_commit(&self, sha: &str) {
        if let Some(found) = find_commit(&self.cwd, sha) {
            let found = masked(found, &self.secrets);
            self.note(move |writer, run| writer.set_commit(run, &found));
        }
    }

    /// Returns the secrets of a job: those in our environment, and those in its own.
    pub(super) fn secrets_of(&self, job: &PipelineJob) -> Secrets {
        let JobSettings { env, mask, .. } = &job.settings;
        if env.is_empty() && mask.is_empty() {
            return self.secrets.clone();
        }
        let (secrets, warnings) = self.masking.find(env, mask);
        let known = locked(&self.outcome).warnings.clone();
        self.warn(warnings.into_iter().filter(|warning| !known.contains(warning)));
        secrets
    }

    /// Adds messages for the user.
    pub fn warn(&self, warnings: impl IntoIterator<Item = String>) {
        locked(&self.outcome).warnings.extend(warnings);
    }

    /// Adds a row to the record. Does nothing if the run is not recorded.
    fn note(&self, write: impl Fn(&mut Writer, &RunId) -> Result<()> + Send + 'static) {
        if let Some(record) = &self.record {
            let run = self.run.clone();
            record.rows.write(move |writer| write(writer, &run));
        }
    }

    fn job(&self, job: &PipelineJob, stop: &Stop, to: &Destination) -> JobEnd {
        let started = Time::now();
        if self.kind == RunKind::Pipeline {
            let id = job.id.clone();
            self.note(move |writer, run| writer.start_job(run, &id, started));
        }
        let end = self.commands(job, stop, to);
        self.finish_job(&job.id, end);
        self.print_progress(to, || job_line(&job.id, end, Time::now().millis_since(started)));
        end
    }

    fn finish_job(&self, id: &JobId, end: JobEnd) {
        if self.owns_run() {
            let (id, ended) = (id.clone(), Time::now());
            self.note(move |writer, run| writer.finish_job(run, &id, end, ended));
        }
    }

    /// Runs the commands of a job until one fails, each as often as the job allows.
    fn commands(&self, job: &PipelineJob, stop: &Stop, to: &Destination) -> JobEnd {
        let mut command = Command::of_job(self, job, stop, to);
        for (n, line) in (1..).zip(&job.commands) {
            for attempt in 1..=job.settings.retry.saturating_add(1) {
                self.print_progress(to, || command_line(&job.id, line, attempt));
                let ended = command.run(n, line, attempt);
                let mut outcome = locked(&self.outcome);
                outcome.warnings.extend(ended.warnings);
                outcome.last_exit = outcome.last_exit.max(Some(ended.at));
                drop(outcome);
                if self.is_stopped(stop) {
                    return JobEnd::Aborted;
                }
                if ended.exit_code == 0 {
                    break;
                }
                if attempt > job.settings.retry {
                    return JobEnd::Failed(ended.exit_code);
                }
            }
        }
        JobEnd::Complete
    }

    /// Returns true if this recorder began the run, and will finish it.
    fn owns_run(&self) -> bool {
        self.kind != RunKind::Step
    }

    fn is_stopped(&self, stop: &Stop) -> bool {
        self.kind == RunKind::Pipeline && stop.is_requested()
    }

    /// Returns true if jobs of the pipeline may run at the same time.
    fn runs_parallel(&self, pipeline: &Pipeline) -> bool {
        self.jobs > 1 && pipeline.jobs().len() > 1
    }

    /// Returns the destination of a job's output. The output begins with this call, and ends when
    /// the destination is dropped.
    fn destination(&self, job: &JobId) -> Destination {
        match &self.console {
            _ if self.quiet => Destination::Nothing,
            Some(console) => Destination::Job(console.begin(job)),
            None => Destination::Own,
        }
    }

    /// Prints a line about the progress of a pipeline.
    fn print_progress(&self, to: &Destination, line: impl FnOnce() -> String) {
        if self.kind == RunKind::Pipeline {
            to.print_progress(line);
        }
    }
}

/// The end of a job, sent when the job's thread ends.
struct Done {
    at: usize,
    end: JobEnd,
    send: mpsc::Sender<(usize, JobEnd)>,
}

impl Drop for Done {
    fn drop(&mut self) {
        let _ = self.send.send((self.at, self.end));
    }
}

/// Locks a mutex. Ignores poisoning: after a panic of a thread, the others continue.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn command_line(job: &JobId, command: &PipelineCommand, attempt: u8) -> String {
    let line = display::first_line(&command.shown());
    let again = if attempt > 1 { format!(" · attempt {attempt}") } else { String::new() };
    format!("{} {} · {line}{again}", "▶", sanitize::name(job.as_str()))
}

fn job_line(job: &JobId, end: JobEnd, ms: i64) -> String {
    let (mark, why) = match end {
        JobEnd::Complete => (Status::Passed, display::duration(ms)),
        JobEnd::Failed(code) => {
            (Status::Failed, format!("exit {code} · {}", display::duration(ms)))
        }
        JobEnd::Skipped => (Status::Skipped, Status::Skipped.word().into()),
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
        assert_eq!(command_line(&job, &shell, 1), "▶ build · set -e …");
        let argv = PipelineCommand::Argv(vec!["cargo".into(), "build".into()]);
        assert_eq!(command_line(&job, &argv, 2), "▶ build · cargo build · attempt 2");
        for (end, line) in [
            (JobEnd::Complete, "✓ build · 1.2s"),
            (JobEnd::Failed(101), "✗ build · exit 101 · 1.2s"),
            (JobEnd::Skipped, "⊘ build · skipped"),
            (JobEnd::Aborted, "■ build · stopped"),
        ] {
            assert_eq!(job_line(&job, end, 1200), line);
        }
    }
}
