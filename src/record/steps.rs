//! The beginning and the end of a run to which other processes add commands, its steps.
//!
//! ```text
//! rundown begin ─► run directory, rows of the run (open, active)
//! rundown record --run ID, rundown sh ─► commands, any number at the same time
//! rundown end ─► ends of lost commands and of jobs ─► row of the run
//! ```
//!
//! An open run has no recorder and no `recorder.lock`. Readers check the locks on the logs of its
//! commands.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::facts::find_commit;
use super::logs;
use super::run::{Options, create_dirs, masked, new_run, new_run_dir};
use crate::error::{Error, Result};
use crate::log::{self, path::RunDir};
use crate::model::{RunDetails, RunId};
use crate::store::{self, RunEnd, Writer, until_unlocked};
use crate::time::Time;
use crate::upkeep::add_lost_rows;

/// The maximum time that the beginning and the end of a run wait for a locked database.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Begins a run to which other processes add commands.
///
/// # Errors
/// If the store cannot be used, or the name of the repository is unsafe as a path.
pub fn begin_run(options: &Options) -> Result<RunId> {
    let root = options.store_root.clone().map_err(Error::Usage)?;
    let run = RunId(Uuid::now_v7().to_string());
    let dir = root.join(new_run_dir(&options.facts, &run)?);
    let database = root.join(store::OUR_DATABASE);
    until_unlocked(LOCK_TIMEOUT, || Writer::check(&database))?;
    create_dirs(&root, &database, &dir)?;
    let mut details = RunDetails { is_open: true, ..options.details.clone() };
    let commit = options.reads_commit.then(|| find_commit(&options.cwd, &options.facts.sha));
    if let Some(found) = commit.flatten() {
        (details.subject, details.author) = (found.subject, found.author);
    }
    let details = masked(details, &options.secrets().0);
    let row = new_run(&run, &options.facts, &details, &options.cwd, Time::now(), true);
    let mut writer = until_unlocked(LOCK_TIMEOUT, || Writer::open(&database))?;
    until_unlocked(LOCK_TIMEOUT, || writer.begin_run(&row, &[]))?;
    Ok(run)
}

fn not_open(run: &RunId) -> Error {
    Error::NoRun(format!(
        "the run {} was not begun by `rundown begin`, or has already ended",
        run.as_str()
    ))
}

/// The maximum time that the end of a run waits for its logs to be written to the disk.
const SYNC_TIMEOUT: Duration = Duration::from_secs(5);

/// Ends a run that was begun by [`begin_run`]. If `sync` is true, first syncs its logs to the disk,
/// so that a power failure cannot lose data that the rows refer to. If `end` is `None`, the run has
/// failed if one of its commands has. Returns a message for the user, if there is one. Commands
/// that are still running are marked as lost. Their recorders complete their rows later, but the
/// result of the run stays.
///
/// # Errors
/// If the store cannot be used, or there is no such run that is open.
pub fn end_run(
    root: &Path,
    run: &RunId,
    end: Option<RunEnd>,
    sync: bool,
) -> Result<Option<String>> {
    let database = root.join(store::OUR_DATABASE);
    if !database.exists() {
        return Err(Error::NoStore { root: root.to_owned(), why: "it has no rundown.db" });
    }
    until_unlocked(LOCK_TIMEOUT, || Writer::check(&database))?;
    let mut writer = until_unlocked(LOCK_TIMEOUT, || Writer::open(&database))?;
    if !until_unlocked(LOCK_TIMEOUT, || writer.is_open(run))? {
        return Err(not_open(run));
    }
    let repo = until_unlocked(LOCK_TIMEOUT, || writer.repo_of_unfinished(run))?.unwrap_or_default();
    let dir = log::path::run_dir(root, &repo, run);
    let warning = dir
        .as_deref()
        .filter(|_| sync)
        .and_then(|dir| logs::sync(logs_in(dir), Instant::now() + SYNC_TIMEOUT, || false));
    if let Some(dir) = dir.map(|dir| RunDir::of_store(root, dir)).transpose()?.flatten() {
        until_unlocked(LOCK_TIMEOUT, || add_lost_rows(&mut writer, run, &dir))?;
    }
    let now = Time::now();
    until_unlocked(LOCK_TIMEOUT, || {
        writer.together(|writer| {
            if !writer.is_open(run)? {
                return Err(not_open(run));
            }
            writer.finish_parts(run, now)?;
            writer.finish_run(run, end, now)
        })
    })?;
    Ok(warning)
}

/// Lists the logs of a run. A directory that cannot be read has none.
fn logs_in(run_dir: &Path) -> Vec<PathBuf> {
    let entries = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten();
    let jobs = entries(&run_dir.join("jobs"));
    jobs.flat_map(|job| entries(&job.path()).map(|file| file.path()).collect::<Vec<_>>())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect()
}
