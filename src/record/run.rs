//! A recording: its options, its beginning and its result.
//!
//! ```text
//! begin:    run directory + recorder.lock (held) ─► row of the run; `exec`: rows of its jobs
//! command:  row in sh_calls + empty sh-<n>.log ─► spawn … exit, end of output
//!           ─► log closed ─► row in sh_events
//! end:      rows of the jobs and the run ─► lock released
//! ```
//!
//! Because of this order, every state that a reader can find is consistent: an active run whose
//! lock is free was interrupted, and a log with a finished row does not change any more.
//!
//! **The command always runs.** If the store cannot be used, or does not respond when the run
//! begins, the command still runs, and a warning reports the parts that were not recorded. With
//! [`Options::must_record`], the command does not run in these cases. One limit: a log is written
//! while its command runs, so a file system that stops responding delays the command.
//!
//! A single command may also be added to a run that another process began (see `steps`).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use super::child::{self, Output, Spare};
use super::execute::{Executor, Record, RunKind};
use super::facts::Facts;
use super::logs;
use super::mask::{Masking, Secrets};
use super::pipeline::{Pipeline, PipelineCommand, PipelineJob};
use super::row_queue::{Begin, RowQueue, RunFiles, RunStart, remove_run_dir};
use super::stop::{Stop, Watch, prepare_signals};
use crate::error::{Error, Result, chain};
use crate::model::{JobId, RunDetails, RunId};
use crate::store::{NewJob, NewRun, RunEnd, Writer};
use crate::time::Time;
use crate::{file, log, sanitize, store};

/// The maximum time that the start of a run waits for the store.
const BEGIN_TIMEOUT: Duration = Duration::from_millis(1500);

/// The same maximum for a run that must be recorded.
const MUST_BEGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The same maximum for a command that is added to a run. Its database may have many writers.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// The options of a recording. [`Options::new`] has the defaults; set the fields that differ.
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line or the configuration"
)]
#[derive(Clone, Debug)]
pub struct Options {
    /// The root of the store, created for its owner alone if missing; or the reason why no store
    /// can be used.
    pub store_root: std::result::Result<PathBuf, String>,
    /// True if the run must be recorded. It does not start if recording is not possible.
    pub must_record: bool,
    /// True if the logs are synced to disk when the run ends (`fdatasync`), so that they survive a
    /// power failure.
    pub sync: bool,
    /// The repository, ref and commit of the run.
    pub facts: Facts,
    /// The other facts about the run.
    pub details: RunDetails,
    /// True if the subject and the author of the commit are read from git. This takes some
    /// milliseconds, during which the command already runs.
    pub reads_commit: bool,
    /// The rules by which secrets are found. Secrets reach neither the logs nor the database.
    pub masking: Masking,
    /// The run that a single command is added to. If there is no such run, or if it has ended, the
    /// command is recorded as a run of its own.
    pub run: Option<RunId>,
    /// The directory that the commands run in.
    pub cwd: PathBuf,
    /// The connection of the commands' output to the recorder.
    pub output: Output,
    /// True if the output of the commands and the progress of a pipeline are not passed on to our
    /// own stdout and stderr.
    pub quiet: bool,
    /// True if the names of jobs in their output have colors, where it is a terminal and jobs run
    /// at the same time.
    pub color: bool,
    /// The size limit of each log in bytes. A log that reaches it loses its middle. `None` if there
    /// is no limit. A limit below [`MIN_LOG_BYTES`](super::MIN_LOG_BYTES) counts as that.
    pub max_log: Option<u64>,
    /// The maximum number of jobs of a pipeline that run at the same time.
    pub jobs: usize,
    /// True if no job of a pipeline starts after one has failed, except those that wait for a
    /// failure or for the end of other jobs.
    pub fail_fast: bool,
    /// True if signals to this process, such as SIGINT, SIGTERM and SIGHUP, control the run while
    /// it is recorded (see [`Stop`]). Afterward they have no effect, so this is for programs that
    /// then exit.
    pub signals: bool,
}

impl Options {
    /// Finds the secrets in our environment. Also returns messages for the user.
    pub(super) fn secrets(&self) -> (Secrets, Vec<String>) {
        self.masking.find(&BTreeMap::new(), &[])
    }

    /// Returns the options of a recording without any facts about the run. The commands run in the
    /// current directory, and their output is passed on.
    #[must_use]
    pub fn new(store_root: impl Into<PathBuf>) -> Self {
        Self {
            store_root: Ok(store_root.into()),
            must_record: false,
            sync: true,
            facts: Facts::default(),
            details: RunDetails::default(),
            reads_commit: false,
            masking: Masking::default(),
            run: None,
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            output: Output::default(),
            quiet: false,
            color: false,
            max_log: None,
            jobs: 1,
            fail_fast: false,
            signals: false,
        }
    }
}

/// The result of a run, recorded or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// The run's id.
    pub run: RunId,
    /// For one command, its own exit code (128 + signal; 127 not found, 126 not executable). For a
    /// pipeline, 0 if every job passed, else 1.
    pub exit_code: u8,
    /// True if the run was recorded, possibly with missing parts.
    pub is_recorded: bool,
    /// Messages for stderr: the missing parts of the record, the commands that could not be run,
    /// and the reasons. Untrusted names in them are sanitized.
    pub warnings: Vec<String>,
}

/// Returns the job name for a single command: the file name of its program, or else `command`.
#[must_use]
pub fn default_job(argv: &[OsString]) -> JobId {
    let program = argv.first().and_then(|program| Path::new(program).file_name());
    JobId(program.map_or_else(|| "command".to_owned(), |name| name.to_string_lossy().into_owned()))
}

/// Records one command. It inherits our stdin and handles signals itself. It is the only command of
/// a new run, or is added to the run in [`Options::run`].
///
/// # Errors
/// As for [`Recording::command`]. If an error is returned, nothing was run.
pub fn record_command(options: &Options, job: &JobId, argv: &[OsString]) -> Result<Ended> {
    Ok(Recording::command(options, job, argv)?.execute(&Stop::new()))
}

/// Records one line for `sh -c`, as [`record_command`] records a program with its arguments.
///
/// # Errors
/// As for [`Recording::command`]. If an error is returned, nothing was run.
pub fn record_line(options: &Options, job: &JobId, line: &str) -> Result<Ended> {
    Ok(Recording::line(options, job, line)?.execute(&Stop::new()))
}

/// Records the jobs of a pipeline, until they have ended or `stop` is used.
///
/// # Errors
/// As for [`Recording::pipeline`]. If an error is returned, nothing was run.
pub fn run_pipeline(options: &Options, pipeline: &Pipeline, stop: &Stop) -> Result<Ended> {
    Ok(Recording::pipeline(options, pipeline)?.execute(stop))
}

/// A run that is ready to be executed. Its record has started, unless the store cannot be used. If
/// the run is dropped before it is executed, its record counts as interrupted.
pub struct Recording {
    pipeline: Pipeline,
    executor: Executor,
    signals: bool,
    /// Held until the run is finished.
    lock: Option<File>,
}

impl Recording {
    /// Begins the run of one command.
    ///
    /// # Errors
    /// If there is nothing to run, a name is unsafe as a path, or the directory to run in is
    /// missing. Also if the run [must be recorded](Options::must_record) and cannot be.
    pub fn command(options: &Options, job: &JobId, argv: &[OsString]) -> Result<Self> {
        if argv.is_empty() {
            return Err(Error::Usage("no command to record".into()));
        }
        let command = PipelineCommand::Argv(argv.to_vec());
        Self::begin(options, Pipeline::of_command(job, command), RunKind::Command)
    }

    /// Begins the run of one line for `sh -c`.
    ///
    /// # Errors
    /// As for [`Recording::command`].
    pub fn line(options: &Options, job: &JobId, line: &str) -> Result<Self> {
        let command = PipelineCommand::Shell(line.to_owned());
        Self::begin(options, Pipeline::of_command(job, command), RunKind::Command)
    }

    /// Begins the run of a pipeline.
    ///
    /// # Errors
    /// As for [`Recording::command`].
    pub fn pipeline(options: &Options, pipeline: &Pipeline) -> Result<Self> {
        Self::begin(options, pipeline.clone(), RunKind::Pipeline)
    }

    /// Returns the id of the run.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.executor.run
    }

    /// Returns true if the run is recorded.
    #[must_use]
    pub const fn is_recorded(&self) -> bool {
        self.executor.record.is_some()
    }

    /// Executes the run to its end.
    #[must_use]
    pub fn execute(self, stop: &Stop) -> Ended {
        let Self { pipeline, executor, signals, lock } = self;
        let watch = signals.then(|| Watch::start(stop));
        if let Some(Err(error)) = &watch {
            executor.warn([format!("signals are not forwarded to the command: {error}")]);
        }
        let (kind, run) = (executor.kind, executor.run.clone());
        let is_recorded = executor.record.is_some();
        let (end, last_exit_code, warnings) = executor.run(&pipeline, stop);
        // Unlock explicitly: a child between fork and exec may still hold the descriptor.
        let _ = lock.map(|lock| lock.unlock());
        drop(watch);
        let exit_code = match kind {
            RunKind::Command | RunKind::Step => u8::try_from(last_exit_code).unwrap_or(u8::MAX),
            RunKind::Pipeline => u8::from(end != RunEnd::Complete),
        };
        Ended { run, exit_code, is_recorded, warnings }
    }

    fn begin(options: &Options, pipeline: Pipeline, kind: RunKind) -> Result<Self> {
        let cwd = std::path::absolute(&options.cwd).unwrap_or_else(|_| options.cwd.clone());
        // Our own directory may have been deleted or become inaccessible. Commands still run there.
        if !child::is_own_dir(&cwd) && !cwd.is_dir() {
            return Err(Error::io("run in", cwd)(ErrorKind::NotADirectory.into()));
        }
        let own = RunId(Uuid::now_v7().to_string());
        let dir = new_run_dir(&options.facts, &own)?;
        if let Some(job) =
            pipeline.jobs().iter().find(|job| log::path::job_dir(&dir, &job.id).is_none())
        {
            return Err(unsafe_name(job.id.as_str()));
        }
        let mut warnings: Vec<String> =
            prepare_signals().err().map(|error| error.to_string()).into_iter().collect();
        let spare = Spare::take();
        let (secrets, unmasked) = options.secrets();
        warnings.extend(unmasked);
        let step = options.run.as_ref().filter(|_| kind == RunKind::Command);
        let joined = step.map(|run| (run, join_record(options, run)));
        let (kind, run, started) = match joined {
            Some((run, Err(Error::NoRun(why)))) if !options.must_record => {
                let run = sanitize::name(run.as_str());
                warnings.push(format!("recorded as a run of its own: the run {run} {why}"));
                (
                    kind,
                    own.clone(),
                    begin_record(options, &secrets, &own, kind, &dir, &cwd, &pipeline),
                )
            }
            Some((run, joined)) => (RunKind::Step, run.clone(), joined),
            None => (
                kind,
                own.clone(),
                begin_record(options, &secrets, &own, kind, &dir, &cwd, &pipeline),
            ),
        };
        let (lock, record) = match started {
            Ok((files, record)) => {
                warnings.extend(files.warnings);
                (files.lock, Some(record))
            }
            Err(Error::NoRun(why)) => {
                let run = sanitize::name(run.as_str()).into_owned();
                return Err(Error::NoRun(format!("cannot add to the run {run}: it {why}")));
            }
            Err(error) if options.must_record => return Err(error),
            Err(error) => {
                warnings.push(format!("not recorded: {}", chain(&error)));
                (None, None)
            }
        };
        let mut executor = Executor::new(kind, run, cwd, spare, record);
        (executor.quiet, executor.color) = (options.quiet, options.color);
        executor.jobs = options.jobs;
        (executor.fail_fast, executor.output) = (options.fail_fast, options.output);
        (executor.masking, executor.secrets) = (options.masking.clone(), secrets);
        executor.max_log = options.max_log;
        executor.commit = options.reads_commit.then(|| options.facts.sha.clone());
        executor.warn(warnings);
        Ok(Self { pipeline, executor, signals: options.signals, lock })
    }
}

/// Returns the directory of a new run, below the root of the store. The root is not part of it,
/// because the safety of the names does not depend on the store.
///
/// # Errors
/// If the name of the repository is unsafe as a path.
pub(super) fn new_run_dir(facts: &Facts, run: &RunId) -> Result<PathBuf> {
    log::path::run_dir(Path::new(""), &facts.repo, run).ok_or_else(|| unsafe_name(&facts.repo))
}

/// Opens the record of a run that another process began, and waits a limited time for its database.
///
/// # Errors
/// If the store cannot be used. If there is no such run or it has ended, the error is
/// [`Error::NoRun`]. Its text continues a sentence that begins with the run.
fn join_record(options: &Options, run: &RunId) -> Result<(RunFiles, Record)> {
    let root = options.store_root.clone().map_err(Error::Usage)?;
    let database = root.join(store::OUR_DATABASE);
    let missing =
        |root: &Path| Error::NoRun(format!("has ended, or is not in the store {}", root.display()));
    if !database.exists() {
        return Err(missing(&root));
    }
    let (store_root, run) = (root.clone(), run.clone());
    let find = move |writer: &mut Writer| {
        writer.keep_wal()?;
        let repo = writer.repo_of_unfinished(&run)?;
        let dir = repo.and_then(|repo| log::path::run_dir(&store_root, &repo, &run));
        let dir = dir.ok_or_else(|| missing(&store_root))?;
        Ok(RunFiles { dir, lock: None, warnings: Vec::new() })
    };
    let rows = RowQueue::start(database, Begin::Step(Box::new(find)))
        .map_err(Error::io("start a thread for the database of", &root))?;
    let files = match rows.started(STEP_TIMEOUT) {
        RunStart::Yes(files) | RunStart::FilesOnly { files, .. } => files,
        RunStart::Nothing => return Err(silent(root)),
        RunStart::Failed(error) => return Err(error),
    };
    // The end of the run syncs all its logs.
    let record = Record::new(rows, root, files.dir.clone(), false);
    Ok((files, record))
}

/// Begins the record of a run: creates its files, and waits a limited time for its first row.
///
/// # Errors
/// If the store cannot be used. If the run [must be recorded](Options::must_record), also if its
/// row was not written in time.
fn begin_record(
    options: &Options,
    secrets: &Secrets,
    run: &RunId,
    kind: RunKind,
    dir: &Path,
    cwd: &Path,
    pipeline: &Pipeline,
) -> Result<(RunFiles, Record)> {
    let root = options.store_root.clone().map_err(Error::Usage)?;
    let (database, dir) = (root.join(store::OUR_DATABASE), root.join(dir));
    let (facts, id, workspace, queued_at) =
        (options.facts.clone(), run.clone(), cwd.to_owned(), Time::now());
    let name = pipeline.name().map(str::to_owned).or_else(|| options.details.name.clone());
    let details = masked(RunDetails { name, ..options.details.clone() }, secrets);
    // The job of a single command is added with it.
    let starts = kind == RunKind::Command;
    let jobs = if starts { &[][..] } else { pipeline.jobs() };
    let jobs: Vec<_> = jobs.iter().map(new_job).collect();
    let rows = move |writer: &mut Writer| {
        writer.begin_run(&new_run(&id, &facts, &details, &workspace, queued_at, starts), &jobs)
    };
    let files = {
        let (root, database, dir) = (root.clone(), database.clone(), dir.clone());
        move || prepare(&root, &database, dir)
    };
    let begin = Begin::Run { files: Box::new(files), rows: Box::new(rows) };
    let rows = RowQueue::start(database, begin)
        .map_err(Error::io("start a thread for the database of", &root))?;
    let timeout = if options.must_record { MUST_BEGIN_TIMEOUT } else { BEGIN_TIMEOUT };
    let files = match rows.started(timeout) {
        RunStart::Yes(files) => files,
        RunStart::FilesOnly { files, .. } if !options.must_record => files,
        RunStart::FilesOnly { files, is_locked } => {
            files.remove();
            let path = root.join(store::OUR_DATABASE);
            return Err(if is_locked { Error::Locked { path } } else { silent(root) });
        }
        RunStart::Nothing => return Err(silent(root)),
        RunStart::Failed(error) => return Err(error),
    };
    Ok((files, Record::new(rows, root, dir, options.sync)))
}

/// Replaces the secrets in all texts of the details.
pub(super) fn masked(mut details: RunDetails, secrets: &Secrets) -> RunDetails {
    let RunDetails { name, subject, author, event, url, ci_job, runner, variables, .. } =
        &mut details;
    for text in [name, subject, author, event, url, ci_job, runner].into_iter().flatten() {
        *text = secrets.mask_text(text);
    }
    for (_, value) in variables {
        *value = secrets.mask_text(value);
    }
    details
}

/// Returns the row of a new run.
pub(super) fn new_run<'a>(
    id: &'a RunId,
    facts: &'a Facts,
    details: &'a RunDetails,
    workspace: &'a Path,
    queued_at: Time,
    starts: bool,
) -> NewRun<'a> {
    let Facts { repo, ref_name, sha } = facts;
    NewRun { id, repo, ref_name, sha, workspace, queued_at, starts, details }
}

fn new_job(job: &PipelineJob) -> NewJob {
    let allow_failure = job.settings.allow_failure;
    NewJob { id: job.id.clone(), needs: job.needs.clone(), allow_failure }
}

fn silent(root: PathBuf) -> Error {
    Error::io("use the store", root)(io::Error::new(
        ErrorKind::TimedOut,
        "it did not respond in time",
    ))
}

/// Creates the files of a run, and the root of the store if it is missing. Fails if the root
/// belongs to quire.
fn prepare(root: &Path, database: &Path, dir: PathBuf) -> Result<RunFiles> {
    create_dirs(root, database, &dir)?;
    let path = log::path::recorder_lock(&dir);
    let created = file::create_private(&path).map_err(Error::io("create", &path));
    let lock = created.inspect_err(|_| remove_run_dir(&dir))?;
    let unlocked = |error| logs::unlocked(&path, &error);
    let warnings = lock.try_lock().map_err(unlocked).err().into_iter().collect();
    Ok(RunFiles { dir, lock: Some(lock), warnings })
}

/// Creates the directories of a run, and the root of the store if it is missing.
///
/// # Errors
/// If one of them cannot be created, or the root belongs to quire.
pub(super) fn create_dirs(root: &Path, database: &Path, dir: &Path) -> Result<()> {
    refuse_quire(root, database)?;
    create_root(root)?;
    file::create_private_dirs(&dir.join("jobs"))
        .map_err(Error::io("create", dir))
        .inspect_err(|_| remove_run_dir(dir))
}

/// Refuses the root of a quire store, because a rundown database next to quire's database would
/// hide all runs of quire.
fn refuse_quire(root: &Path, ours: &Path) -> Result<()> {
    let theirs = root.join(store::QUIRE_DATABASE);
    if theirs.exists() && !ours.exists() {
        return Err(Error::NotOurs {
            path: theirs,
            why: "it belongs to quire; choose another store with --root".into(),
        });
    }
    Ok(())
}

fn unsafe_name(name: &str) -> Error {
    Error::Usage(format!(
        "invalid name {name:?} of a job or repository: it must be a directory name (1 to 255 \
         bytes, no `/`, not `.` or `..`)"
    ))
}

/// Creates the root of the store. An existing root keeps its permissions. A new `.rundown` gets a
/// `.gitignore`, as it must not be committed.
fn create_root(root: &Path) -> Result<()> {
    let is_new = !root.exists();
    file::create_private_dirs(root).map_err(Error::io("create", root))?;
    if is_new && root.file_name().is_some_and(|name| name == ".rundown") {
        let path = root.join(".gitignore");
        let created = file::create_private(&path).and_then(|mut ignore| ignore.write_all(b"*\n"));
        created.map_err(Error::io("create", path))?;
    }
    Ok(())
}
