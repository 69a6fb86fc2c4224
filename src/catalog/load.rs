//! One run from what the database and its directory tell, and whether somebody still records it.

use std::collections::HashSet;
use std::fs::TryLockError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{self, Error, Result};
use crate::file::open_regular;
use crate::join::{self, DatedLog, LogRef, Recorder, RunHead, RunNode};
use crate::log::path::{FoundLog, JobLogs};
use crate::log::{LogFile, path};
use crate::model::{Job, JobId, Phase, Run, RunId, Sh};
use crate::store::{ListedRun, Reader, RunPage};

/// A run of a database.
pub(super) fn stored_run(root: &Path, reader: &Reader, id: &RunId) -> Result<Option<RunNode>> {
    let Some(mut rows) = reader.run(id)? else { return Ok(None) };
    let dir = run_dir(root, &rows.run);
    let recorder = recorder(rows.ours, &rows.run, dir.as_deref());
    if recorder == Recorder::Gone {
        // It may have finished the run between the two looks: what its rows say after the lock was free counts.
        let Some(again) = reader.run(id)? else { return Ok(None) };
        rows = again;
    }
    Ok(Some(load_node(join::run_head(rows.run, recorder), rows.ours, rows.jobs, dir)))
}

/// A run of a log tree without a database.
pub(super) fn tree_run(root: &Path, id: &RunId) -> Result<Option<RunNode>> {
    let Some(run) = tree_runs(root)?.into_iter().find(|run| &run.id == id) else { return Ok(None) };
    let dir = run_dir(root, &run);
    Ok(Some(load_node(join::run_head(run, Recorder::Unknown), false, Vec::new(), dir)))
}

fn run_dir(root: &Path, run: &Run) -> Option<PathBuf> {
    path::run_dir(root, run.repo.as_deref()?, &run.id)
}

/// Runs for a list; `None` when the run that they lie beside is not there. Those that nobody records any more are read again
/// after that was seen: they may just have been finished.
pub(super) fn listed_heads(root: &Path, reader: &Reader, page: &RunPage) -> Result<Option<Vec<RunHead>>> {
    let recorder_of = |listed: &ListedRun| recorder(listed.ours, &listed.run, run_dir(root, &listed.run).as_deref());
    let Some(mut listed) = reader.runs(page)? else { return Ok(None) };
    let is_gone = |listed: &&ListedRun| recorder_of(listed) == Recorder::Gone;
    let gone: HashSet<RunId> = listed.iter().filter(is_gone).map(|listed| listed.run.id.clone()).collect();
    if !gone.is_empty() {
        let Some(again) = reader.runs(page)? else { return Ok(None) };
        listed = again;
    }
    let head = |listed: ListedRun| {
        let recorder = if gone.contains(&listed.run.id) { Recorder::Gone } else { Recorder::Unknown };
        join::run_head(listed.run, recorder)
    };
    Ok(Some(listed.into_iter().map(head).collect()))
}

/// Whether the recorder of an unfinished run of ours still holds its lock. A shared lock is tried on the file as it is: nothing is
/// written.
fn recorder(ours: bool, run: &Run, run_dir: Option<&Path>) -> Recorder {
    let Some(dir) = run_dir.filter(|_| ours && run.finished_at.is_none()) else { return Recorder::Unknown };
    match open_regular(&path::recorder_lock(dir)).map(|file| file.try_lock_shared()) {
        Ok(Err(TryLockError::WouldBlock)) => Recorder::Alive,
        Ok(Ok(())) => Recorder::Gone,
        Err(missing) if missing.kind() == ErrorKind::NotFound => Recorder::Gone,
        Ok(Err(TryLockError::Error(_))) | Err(_) => Recorder::Unknown,
    }
}

/// The jobs of the database, then those that are known by their directory alone. What cannot be read of a run's directory takes
/// nothing else away.
fn load_node(head: RunHead, ours: bool, mut jobs: Vec<(Job, Vec<Sh>)>, dir: Option<PathBuf>) -> RunNode {
    let (mut faults, mut notes) = (Vec::new(), Vec::new());
    let ours_goes_on = ours && head.phase != Phase::Finished;
    if let Some(dir) = &dir {
        let known: HashSet<JobId> = jobs.iter().map(|(job, _)| job.id.clone()).collect();
        let listed = path::list_jobs(dir).unwrap_or_else(|error| {
            faults.push(error::chain(&error));
            Vec::new()
        });
        let alone = listed.into_iter().filter(|id| !known.contains(id));
        jobs.extend(alone.map(|id| (Job::without_row(id), Vec::new())));
    }
    let mut loaded = Vec::with_capacity(jobs.len());
    for (job, shs) in jobs {
        let listed = dir.as_ref().map_or(Ok(JobLogs::default()), |dir| path::list_logs(dir, &job.id));
        let found =
            listed.unwrap_or_else(|error| JobLogs { unreadable: vec![error::chain(&error)], ..JobLogs::default() });
        faults.extend(found.unreadable);
        // A job without commands (quire's own `quire/push`) misses nothing by its name.
        if !shs.is_empty() || job.state.is_none() {
            notes.extend(found.refused);
        }
        // Times are worth a read only where they decide.
        let guessed = !shs.is_empty() && shs.iter().all(|sh| sh.n.is_none());
        // A recorder of ours writes a command's row before its log: a log without one is newer than the rows that were read.
        let known: Option<HashSet<u32>> = ours_goes_on.then(|| shs.iter().filter_map(|sh| sh.n).collect());
        let is_known = |log: &FoundLog| known.as_ref().is_none_or(|known| known.contains(&log.n));
        let logs = found.logs.into_iter().filter(is_known).map(|found| dated(found, guessed)).collect();
        loaded.push(join::job_node(&head, job, shs, logs));
    }
    RunNode { head, dir, jobs: loaded, faults, notes }
}

/// A log that cannot be read has no time; whoever shows it says why.
fn dated(found: FoundLog, wanted: bool) -> DatedLog {
    let first_at = if wanted && found.bytes > 0 {
        LogFile::open(&found.path).and_then(|log| log.first_time()).ok().flatten()
    } else {
        None
    };
    DatedLog { n: found.n, log: LogRef { path: found.path, bytes: found.bytes }, first_at }
}

/// The runs of a log tree, newest first: ids are UUIDv7, so they sort by time.
pub(super) fn tree_runs(root: &Path) -> Result<Vec<Run>> {
    let mut runs: Vec<Run> =
        path::list_runs(root)?.into_iter().map(|(repo, id)| Run::without_row(id, Some(repo))).collect();
    runs.sort_by(|a, b| b.id.cmp(&a.id));
    Ok(runs)
}

pub(super) fn path_run_id() -> RunId {
    RunId(String::new())
}

/// The logs under a path as a run without a row.
pub(super) fn path_run(path: &Path) -> Result<RunNode> {
    let head = join::run_head(Run::without_row(path_run_id(), None), Recorder::Unknown);
    let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
    let dir = Some(path.to_owned()).filter(|_| metadata.is_dir());
    let found = match &dir {
        Some(dir) => path::discover(dir)?,
        None => vec![(String::new(), vec![FoundLog { n: 1, path: path.to_owned(), bytes: metadata.len() }])],
    };
    let node = |(job, found): (String, Vec<FoundLog>)| {
        let logs = found.into_iter().map(|found| dated(found, false)).collect();
        join::job_node(&head, Job::without_row(JobId(job)), Vec::new(), logs)
    };
    let jobs = found.into_iter().map(node).collect();
    Ok(RunNode { head, dir, jobs, faults: Vec::new(), notes: Vec::new() })
}
