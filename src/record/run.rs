//! Recording a run: what it takes to begin one, and to end it.
//!
//! ```text
//! begin:    run directory + recorder.lock (held) ─► rows of the run and its jobs, `pending`
//! command:  row in sh_calls + empty sh-<n>.log ─► spawn … exit, end of output ─► log closed ─► row in sh_events
//! end:      rows of the jobs and the run ─► lock released
//! ```
//!
//! In this order a reader is never told too much: an active run whose lock is free was interrupted, and a finished row
//! means a whole log. **What cannot be begun is not run; what has begun runs, whatever happens to its record.** A failure of
//! the log or the database after [`Recording::begin`] becomes a warning, and the commands' exit codes stand.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::execute::{Executor, Kind, Reserve, Rows};
use super::facts::Facts;
use super::pipeline::Pipeline;
use super::stop::{Stop, Watch};
use crate::error::{Error, Result};
use crate::model::{JobId, RunId};
use crate::store::{NewRun, RunEnd, Writer};
use crate::time::Time;
use crate::{log, store};

/// How to record.
#[derive(Clone, Debug)]
pub struct Options {
    /// The root of the store; made where there is none, for its owner alone.
    pub store_root: PathBuf,
    /// What the run is of.
    pub facts: Facts,
    /// The directory that the commands run in.
    pub cwd: PathBuf,
    /// Whether to keep what the commands write, and how a pipeline goes on, from our own stdout and stderr.
    pub quiet: bool,
    /// Whether SIGINT, SIGTERM and SIGHUP to this process are about the run while it is recorded (see [`Stop`]). They stay
    /// without effect afterwards: for programs that end then.
    pub signals: bool,
}

/// A run that has been recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// Its id.
    pub run: RunId,
    /// For one command its own exit code (128 + signal; 127 not found, 126 not executable); for a pipeline 0 when every job
    /// passed, else 1.
    pub exit_code: u8,
    /// What the record lacks, or could not be run, and why; for stderr. Untrusted names in it are sanitised.
    pub warnings: Vec<String>,
}

/// What a job is called whose command alone is known: the program's file name, as far as it can be a job's.
#[must_use]
pub fn default_job(argv: &[OsString]) -> JobId {
    let program = argv.first().and_then(|program| Path::new(program).file_name());
    JobId(program.map_or_else(|| "command".to_owned(), |name| name.to_string_lossy().into_owned()))
}

/// Records one command as the only one of a job. Its stdin is ours, and it decides alone what a signal means.
///
/// # Errors
/// When the run could not be begun: then nothing was run.
pub fn record_command(options: &Options, job: &JobId, argv: &[OsString]) -> Result<Ended> {
    Ok(Recording::command(options, job, argv)?.execute(&Stop::new()))
}

/// Records the jobs of a pipeline, until they have ended or `stop` is asked to.
///
/// # Errors
/// When the run could not be begun: then nothing was run.
pub fn run_pipeline(options: &Options, pipeline: &Pipeline, stop: &Stop) -> Result<Ended> {
    Ok(Recording::pipeline(options, pipeline)?.execute(stop))
}

/// A run that has been entered into the store, and waits to be executed. Dropped before that, it counts as interrupted.
pub struct Recording {
    pipeline: Pipeline,
    executor: Executor,
    signals: bool,
    /// Held until the run is finished.
    lock: File,
}

impl Recording {
    /// Begins the run of one command.
    ///
    /// # Errors
    /// When there is nothing to run, the store is not ours to write, or one of its files cannot be made.
    pub fn command(options: &Options, job: &JobId, argv: &[OsString]) -> Result<Self> {
        if argv.is_empty() {
            return Err(Error::Usage("there is no command to record".into()));
        }
        Self::begin(options, Pipeline::of_command(job, argv), Kind::Command)
    }

    /// Begins the run of a pipeline.
    ///
    /// # Errors
    /// When the store is not ours to write, or one of its files cannot be made.
    pub fn pipeline(options: &Options, pipeline: &Pipeline) -> Result<Self> {
        Self::begin(options, pipeline.clone(), Kind::Pipeline)
    }

    /// The id of the run.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.executor.run
    }

    /// Runs it to its end.
    #[must_use]
    pub fn execute(self, stop: &Stop) -> Ended {
        let Self { pipeline, mut executor, signals, lock } = self;
        let watch = signals.then(|| Watch::start(stop));
        if let Some(Err(error)) = &watch {
            executor.rows.warn(format!("signals are not heeded: {error}"));
        }
        let (end, last_exit_code) = executor.run(&pipeline, stop);
        // Unlocked by word: closing alone would leave it to a copy that some other child holds on its way to its program.
        let _ = lock.unlock();
        drop(watch);
        let exit_code = match executor.kind {
            Kind::Command => u8::try_from(last_exit_code).unwrap_or(u8::MAX),
            Kind::Pipeline => u8::from(end != RunEnd::Complete),
        };
        Ended { run: executor.run, exit_code, warnings: executor.rows.into_warnings() }
    }

    fn begin(options: &Options, pipeline: Pipeline, kind: Kind) -> Result<Self> {
        let Options { store_root: root, facts, quiet, signals, .. } = options;
        let cwd = std::path::absolute(&options.cwd).map_err(Error::io("run in", &options.cwd))?;
        if !cwd.is_dir() {
            return Err(Error::io("run in", cwd)(ErrorKind::NotADirectory.into()));
        }
        let run = RunId(Uuid::now_v7().to_string());
        let dir = log::path::run_dir(root, &facts.repo, &run).ok_or_else(|| unsafe_name(&facts.repo))?;
        if let Some(job) = pipeline.jobs().iter().find(|job| log::path::job_dir(&dir, &job.id).is_none()) {
            return Err(unsafe_name(job.id.as_str()));
        }
        create_root(root)?;
        let database = root.join(store::OUR_DATABASE);
        refuse_quire(root, &database)?;
        Writer::check(&database)?;
        let mut writer = Writer::open(&database)?;
        let lock = create_run_dir(&dir)?;
        let jobs: Vec<_> = pipeline.jobs().iter().map(|job| job.id.clone()).collect();
        let (repo, ref_name, sha) = (&facts.repo, &facts.ref_name, &facts.sha);
        let new = NewRun { id: &run, repo, ref_name, sha, workspace: &cwd, queued_at: Time::now() };
        if let Err(error) = writer.begin_run(&new, &jobs) {
            // No row leads to the directory; where it cannot be removed it stays, empty.
            let _ = std::fs::remove_file(log::path::recorder_lock(&dir)).and_then(|()| std::fs::remove_dir(&dir));
            return Err(error);
        }
        let rows = Rows::new(writer, Reserve::held_by(&lock));
        let executor = Executor::new(kind, run, dir, cwd, *quiet, rows);
        Ok(Self { pipeline, executor, signals: *signals, lock })
    }
}

/// A database of ours beside quire's would hide all of its runs.
fn refuse_quire(root: &Path, ours: &Path) -> Result<()> {
    let theirs = root.join(store::QUIRE_DATABASE);
    if theirs.exists() && !ours.exists() {
        return Err(Error::NotOurs { path: theirs, why: "it is quire's store; name another with --root".into() });
    }
    Ok(())
}

fn unsafe_name(name: &str) -> Error {
    let why = "it would be the name of a directory: not empty, not . or .., without /, at most 255 bytes";
    Error::Usage(format!("{name:?} cannot be the name of a job or repository: {why}"))
}

/// A store that is there already keeps its permissions. A new `.rundown` in a work tree is nothing to commit.
fn create_root(root: &Path) -> Result<()> {
    let is_new = !root.exists();
    DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(Error::io("create", root))?;
    if is_new && root.file_name().is_some_and(|name| name == ".rundown") {
        let ignore = root.join(".gitignore");
        std::fs::write(&ignore, "*\n").map_err(Error::io("create", ignore))?;
    }
    Ok(())
}

/// The directory of a run, with its lock taken.
fn create_run_dir(dir: &Path) -> Result<File> {
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let path = log::path::recorder_lock(dir);
    let lock = File::create_new(&path).map_err(Error::io("create", &path))?;
    lock.lock().map_err(Error::io("lock", &path))?;
    Ok(lock)
}
