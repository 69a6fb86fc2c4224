//! Loads runs from the database and their directories, and checks if a recorder is still alive.

use std::collections::{HashMap, HashSet};
use std::fs::TryLockError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{self, Error, Result};
use crate::events::Events;
use crate::file::FilePath;
use crate::join::{
    self, DatedLog, FindingKind, Findings, JobParts, LogRef, Place, Recorder, RunHead, RunNode,
    RunParts,
};
use crate::log::path::{FoundLog, LeftOut, RunDir};
use crate::log::{LogFile, LogPath, Tail, is_replaced, path};
use crate::model::{Job, JobId, Origin, Phase, Run, RunId, Sh};
use crate::store::{ListedRun, Reader, RunPage, RunRows};
use crate::time::Time;

/// Loads a run of a database; `None` if the database does not contain it.
pub(super) fn stored_run(root: &Path, reader: &Reader, id: &RunId) -> Result<Option<RunParts>> {
    reader.run(id)?.map_or(Ok(None), |rows| stored_parts(root, reader, rows))
}

/// Loads the runs with these ids, in order, until the rows fill the memory for one read. Returns
/// them with the number of ids that were looked up. Runs that do not exist are left out.
pub(super) fn stored_runs(
    root: &Path,
    reader: &Reader,
    ids: &[RunId],
) -> Result<(Vec<RunNode>, usize)> {
    let (rows, read) = reader.runs_with_rows(ids)?;
    let parts = rows.into_iter().filter_map(|rows| stored_parts(root, reader, rows).transpose());
    Ok((parts.map(|parts| parts.map(node)).collect::<Result<_>>()?, read))
}

fn stored_parts(root: &Path, reader: &Reader, mut rows: RunRows) -> Result<Option<RunParts>> {
    let mut recorder = recorder(reader, rows.ours, &rows.run, root)?;
    if matches!(recorder, Recorder::Gone | Recorder::Waiting) {
        // The recorder may have finished the run after its rows were read and before its lock was
        // checked. Rows that are read while the lock is free are final.
        let Some(again) = reader.run(&rows.run.id)? else { return Ok(None) };
        rows = again;
        if rows.run.finished_at.is_some() {
            recorder = Recorder::Unknown;
        }
    }
    let dir = run_dir(root, &rows.run);
    if let Ok(Some(dir)) = &dir
        && rows.run.details.is_open
        && rows.run.finished_at.is_none()
    {
        mark_abandoned(dir, &mut rows.jobs);
    }
    let count = rows.jobs.iter().map(|(_, shs)| shs.len().saturating_add(1)).sum();
    let mut parts = load_parts(rows.run, recorder, rows.ours, rows.jobs, dir);
    if rows.is_cut {
        parts.findings.add(Place::Run, FindingKind::RowsCut { rows: count });
    }
    Ok(Some(parts))
}

/// Builds the tree of a run from its parts.
pub(super) fn node(parts: RunParts) -> RunNode {
    // Our recorder holds a lock while it is alive.
    let ours = parts.ours;
    parts.join(Time::now(), |node| (!ours).then(|| changed_at(node)).flatten())
}

/// Loads a run of a log tree without a database; `None` if the log tree does not contain it.
pub(super) fn tree_run(root: &Path, id: &RunId) -> Result<Option<RunParts>> {
    let Some(run) = tree_runs(root)?.0.into_iter().find(|run| &run.id == id) else {
        return Ok(None);
    };
    let dir = run_dir(root, &run);
    Ok(Some(load_parts(run, Recorder::Unknown, false, Vec::new(), dir)))
}

/// Finds the directory of a run. Returns `None` if the repository of the run is unknown. The error
/// is the reason why the directory is not read.
fn run_dir(root: &Path, run: &Run) -> std::result::Result<Option<RunDir>, FindingKind> {
    let Some(repo) = run.repo.as_deref() else { return Ok(None) };
    let dir = path::run_dir(root, repo, &run.id).ok_or(FindingKind::UnsafeRunName)?;
    match RunDir::of_store(root, dir.clone()) {
        Ok(Some(dir)) => Ok(Some(dir)),
        Ok(None) => {
            let why = "it links outside the store";
            Err(FindingKind::Refused(format!("{} is not read: {why}", dir.display())))
        }
        Err(error) => Err(FindingKind::Unreadable(error::chain(&error))),
    }
}

/// Lists the jobs in the directory and the events of a run; none if they cannot be read.
pub(super) fn dir_jobs(root: &Path, run: &Run) -> Vec<JobId> {
    let Ok(Some(dir)) = run_dir(root, run) else { return Vec::new() };
    let mut jobs = path::list_jobs(&dir).map(|jobs| jobs.ids).unwrap_or_default();
    let events = path::list_run_files(&dir).ok().and_then(|files| files.events);
    if let Some(Ok((events, _))) = events.map(|path| read_events(&path, Tail::Hold)) {
        let of_events = join::with_events(Vec::new(), events).into_iter();
        jobs.extend(of_events.map(|(job, _)| job.id));
    }
    jobs
}

/// Returns true if the directory of a run contains a log, or cannot be read. A recorder that is
/// killed before it has written the row of its run leaves a directory without logs.
pub(super) fn may_have_logs(root: &Path, repo: &str, id: &RunId) -> bool {
    let run = Run::without_row(id.clone(), Some(repo.to_owned()));
    let Ok(Some(dir)) = run_dir(root, &run) else { return true };
    let has_logs = || -> Result<bool> {
        let own = path::list_run_files(&dir)?;
        let mut logs = path::list_jobs(&dir)?
            .ids
            .into_iter()
            .map(|job| path::list_logs(&dir, &job).map(|found| found != path::JobLogs::default()));
        let has_own = own != path::RunFiles::default();
        Ok(has_own || logs.any(|has_logs| has_logs.unwrap_or(true)))
    };
    has_logs().unwrap_or(true)
}

/// Loads runs for a list; `None` if the run that the page starts from does not exist. If the
/// recorder of a run is gone, the page is read a second time, because the recorder may have just
/// finished the run.
pub(super) fn listed_heads(
    root: &Path,
    reader: &Reader,
    page: &RunPage,
) -> Result<Option<Vec<RunHead>>> {
    let Some(mut listed) = reader.runs(page)? else { return Ok(None) };
    let mut recorders = HashMap::new();
    for ListedRun { run, ours } in &listed {
        recorders.insert(run.id.clone(), recorder(reader, *ours, run, root)?);
    }
    if recorders.values().any(|recorder| *recorder == Recorder::Gone) {
        let Some(again) = reader.runs(page)? else { return Ok(None) };
        listed = again;
    }
    let head = |listed: ListedRun| {
        let recorder = recorders.get(&listed.run.id).copied().unwrap_or(Recorder::Unknown);
        join::run_head(listed.run, recorder)
    };
    Ok(Some(listed.into_iter().map(head).collect()))
}

/// Checks if our recorder still holds the lock of an unfinished run, or the lock of one of its
/// commands if the run was begun by `rundown begin`. Returns `Unknown` for finished runs, for runs
/// of other recorders, and if the lock cannot be checked.
///
/// # Errors
/// If the commands of a run cannot be read.
fn recorder(reader: &Reader, ours: bool, run: &Run, root: &Path) -> Result<Recorder> {
    if !ours || run.finished_at.is_some() {
        return Ok(Recorder::Unknown);
    }
    let Ok(Some(dir)) = run_dir(root, run) else { return Ok(Recorder::Unknown) };
    if run.details.is_open {
        let running = reader.unfinished(&run.id)?;
        let is_alive = running.iter().any(|(job, n)| is_running(&dir, job, *n));
        return Ok(if is_alive { Recorder::Alive } else { Recorder::Waiting });
    }
    Ok(match dir.recorder_lock().map_or(Lock::Free, |lock| Lock::of(&lock)) {
        Lock::Held => Recorder::Alive,
        Lock::Free => Recorder::Gone,
        Lock::Unknown => Recorder::Unknown,
    })
}

/// Marks the unfinished commands of an open run whose recorders have exited. In other runs, the
/// recorder of the run is responsible for all commands.
fn mark_abandoned(dir: &RunDir, jobs: &mut [(Job, Vec<Sh>)]) {
    for (job, shs) in jobs {
        for sh in shs.iter_mut().filter(|sh| sh.finished_at.is_none()) {
            sh.is_abandoned = sh.n.is_some_and(|n| !is_running(dir, &job.id, n));
        }
    }
}

/// Returns true if a recorder holds the lock of a command of an ended run. The end of a run gives
/// its unfinished commands a negative exit code, which their recorders replace.
pub(super) fn has_running_command(root: &Path, run: &RunParts) -> bool {
    if run.run.finished_at.is_none() {
        return false;
    }
    let Ok(Some(dir)) = run_dir(root, &run.run) else { return false };
    let is_running = |job: &JobId, sh: &Sh| {
        let n = sh.n.filter(|_| sh.exit_code.is_none_or(|code| code < 0));
        let log = n.and_then(|n| dir.sh_log(job, n));
        log.is_some_and(|log| Lock::of(&log) == Lock::Held)
    };
    run.jobs.iter().any(|parts| parts.shs.iter().any(|sh| is_running(&parts.job.id, sh)))
}

/// Returns true unless the recorder of an unfinished command has certainly exited.
fn is_running(dir: &RunDir, job: &JobId, n: u32) -> bool {
    dir.sh_log(job, n).is_some_and(|log| Lock::of(&log) != Lock::Free)
}

/// The state of a file that a recorder keeps locked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    Held,
    /// Not locked, or missing.
    Free,
    Unknown,
}

impl Lock {
    /// Tries to take a shared lock on an existing file. Writes nothing.
    fn of(path: &FilePath) -> Self {
        // A recorder never creates a link.
        if path.is_symlink() {
            return Self::Unknown;
        }
        let file = match path.open() {
            Err(missing) if missing.kind() == ErrorKind::NotFound => return Self::Free,
            Err(_) => return Self::Unknown,
            Ok(file) => file,
        };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Self::Held,
            Ok(()) if is_replaced(&file, path.open()) => Self::Held,
            Ok(()) => Self::Free,
            Err(TryLockError::Error(_)) => Self::Unknown,
        }
    }
}

/// Collects the parts of a run from its rows, its events and its directory. A part that cannot be
/// read does not affect the other parts.
fn load_parts(
    mut run: Run,
    mut recorder: Recorder,
    ours: bool,
    rows: Vec<(Job, Vec<Sh>)>,
    dir: std::result::Result<Option<RunDir>, FindingKind>,
) -> RunParts {
    let mut load_findings = FileFindings { hides_all: dir.is_err(), ..FileFindings::default() };
    let dir = dir.map_err(|why| load_findings.findings.add(Place::Run, why)).ok().flatten();
    let files = dir
        .as_ref()
        .map(path::list_run_files)
        .and_then(|files| load_findings.record_err(&Place::Run, files))
        .unwrap_or_default();
    load_findings.left_out(&Place::Run, files.left_out);
    let mut phase = join::run_head(run.clone(), recorder).phase;
    let mut jobs = rows;
    let mut events_file = None;
    // For our own runs, everything in the events is also in the database.
    if let Some(path) = files.events.filter(|_| !ours) {
        let tail = if phase == Phase::Finished { Tail::Emit } else { Tail::Hold };
        let read = read_events(&path, tail);
        let (events, bytes) = load_findings.record_err(&Place::Run, read).unwrap_or_default();
        events_file = Some(LogRef { path: path.into(), bytes });
        load_findings.of_events(&events, bytes);
        if !run.in_database {
            (run, recorder) = (join::run_of_events(run, &events), Recorder::Unknown);
            phase = join::run_head(run.clone(), recorder).phase;
        }
        jobs = join::with_events(jobs, events);
    }
    if let Some(dir) = &dir {
        load_findings.add_jobs_of_dir(dir, &mut jobs);
    }
    let logs_dir = dir.as_ref().filter(|_| !load_findings.hides_all);
    // Our recorder writes a command's row before it creates the log. A log without a row is
    // therefore newer than the rows that were read, and is left out.
    let is_running_here = ours && phase != Phase::Finished;
    let load = |(job, shs)| load_job(logs_dir, job, shs, is_running_here, &mut load_findings);
    let jobs = jobs.into_iter().map(load).collect();
    RunParts {
        run,
        recorder,
        ours,
        dir: dir.map(|dir| dir.path().to_owned()),
        log: files.log.map(|(path, bytes)| LogRef { path: path.into(), bytes }),
        events: events_file,
        jobs,
        findings: load_findings.findings,
        hides_all: load_findings.hides_all,
    }
}

/// Returns the time of the newest change of an active run. Of a job in progress, only the last log
/// is examined, which was written last.
fn changed_at(run: &RunNode) -> Option<Time> {
    if run.head.phase != Phase::Active {
        return None;
    }
    let row = &run.head.run;
    let open = run.jobs.iter().filter(|job| job.phase != Phase::Finished);
    let last_logs = open.filter_map(|job| job.shs.last()?.log.as_ref());
    let files = last_logs.chain(&run.log).chain(&run.events).filter_map(|log| {
        Some(Time::from_system(log.path.file()?.open().ok()?.metadata().ok()?.modified().ok()?))
    });
    let shs = run.jobs.iter().flat_map(|job| &job.shs).filter_map(|sh| sh.sh.as_ref());
    let of_shs = shs.flat_map(|sh| [sh.started_at, sh.finished_at]);
    let of_jobs = run.jobs.iter().flat_map(|job| [job.job.started_at, job.job.finished_at]);
    let rows = of_shs.chain(of_jobs).chain([row.queued_at, row.started_at]).flatten();
    rows.chain(files).max()
}

/// Lists the logs of a job. If `has_only_known` is true, logs without a row are left out.
fn load_job(
    dir: Option<&RunDir>,
    job: Job,
    shs: Vec<Sh>,
    has_only_known: bool,
    load_findings: &mut FileFindings,
) -> JobParts {
    let place = Place::Job(job.id.clone());
    let listed = dir
        .map(|dir| path::list_logs(dir, &job.id))
        .and_then(|listed| load_findings.record_err(&place, listed));
    let found = listed.unwrap_or_default();
    // A job without commands, such as quire's own `quire/push`, has no logs. It does not matter
    // that its name is not a valid directory name.
    let is_no_path = || dir.is_some_and(|dir| path::job_dir(dir.path(), &job.id).is_none());
    let left_out = if shs.is_empty() && is_no_path() { LeftOut::default() } else { found.left_out };
    load_findings.left_out(&place, left_out);
    // Read the times of logs only if the pairing of commands with logs depends on them.
    let guessed = shs.iter().any(|sh| sh.origin != Origin::Call);
    let known: Option<HashSet<u32>> =
        has_only_known.then(|| shs.iter().filter_map(|sh| sh.n).collect());
    let is_known = |log: &FoundLog| known.as_ref().is_none_or(|known| known.contains(&log.n));
    let logs = found.logs.into_iter().filter(is_known).map(|found| dated(found, guessed)).collect();
    JobParts { job, shs, logs }
}

/// The findings about the files of a run, collected while they are loaded.
#[derive(Default)]
struct FileFindings {
    findings: Findings,
    /// True if the directory of the run, or its list of jobs, was not read.
    hides_all: bool,
}

impl FileFindings {
    /// Adds the findings about the events of a run, whose file has this size.
    fn of_events(&mut self, events: &Events, bytes: u64) {
        if events.unknown_lines > 0 {
            let kind = FindingKind::UnknownEvents { lines: events.unknown_lines };
            self.findings.add(Place::Run, kind);
        }
        if bytes > MAX_EVENTS_BYTES {
            let kind = FindingKind::EventsCut { read_bytes: MAX_EVENTS_BYTES };
            self.findings.add(Place::Run, kind);
        }
    }

    /// Adds the jobs that are known only from the directory of a run.
    fn add_jobs_of_dir(&mut self, dir: &RunDir, jobs: &mut Vec<(Job, Vec<Sh>)>) {
        let known: HashSet<JobId> = jobs.iter().map(|(job, _)| job.id.clone()).collect();
        let listed = self.record_err(&Place::Run, path::list_jobs(dir));
        self.hides_all = listed.as_ref().is_none_or(|listed| listed.refused.is_some());
        let listed = listed.unwrap_or_default();
        let refused = listed.refused.into_iter().collect();
        self.left_out(&Place::Run, LeftOut { refused, ..LeftOut::default() });
        let alone = listed.ids.into_iter().filter(|id| !known.contains(id));
        jobs.extend(alone.map(|id| (Job::without_row(id), Vec::new())));
    }

    /// Returns the value, or adds the error to the findings and returns `None`.
    fn record_err<T>(&mut self, place: &Place, result: Result<T>) -> Option<T> {
        result
            .map_err(|error| {
                self.findings.add(place.clone(), FindingKind::Unreadable(error::chain(&error)));
            })
            .ok()
    }

    fn left_out(&mut self, place: &Place, left_out: LeftOut) {
        let kinds = left_out.unreadable.into_iter().map(FindingKind::Unreadable);
        for kind in kinds.chain(left_out.refused.into_iter().map(FindingKind::Refused)) {
            self.findings.add(place.clone(), kind);
        }
    }
}

/// The maximum number of bytes of `events.jsonl` that are read: enough for hundreds of thousands of
/// commands.
const MAX_EVENTS_BYTES: u64 = 64 << 20;

/// Reads the events up to [`MAX_EVENTS_BYTES`], and returns them with the size of the file when it
/// was opened. With [`Tail::Hold`], a last line without LF is left out.
fn read_events(path: &FilePath, tail: Tail) -> Result<(Events, u64)> {
    let file = LogFile::open(&path.clone().into())?;
    let mut lines = file.lines(0)?;
    let mut events = Events::default();
    while let Some(line) = lines.next().map_err(Error::io("read", &**path))? {
        if line.end > MAX_EVENTS_BYTES || tail.holds(&line) {
            break;
        }
        events.take(line.bytes);
    }
    Ok((events, file.bytes()))
}

/// Adds the time of a log's first record, if `wanted`. A log that cannot be read has no time; the
/// view that shows the log reports the error.
fn dated(found: FoundLog, wanted: bool) -> DatedLog {
    let FoundLog { n, path, bytes } = found;
    let path = path.into();
    let first_at = if wanted && bytes > 0 {
        LogFile::open(&path).and_then(|log| log.first_time()).ok().flatten()
    } else {
        None
    };
    DatedLog { n, log: LogRef { path, bytes }, first_at }
}

/// Lists the runs of a log tree, newest first (ids are UUIDv7, so they sort by time), and returns
/// notices about runs that may be missing.
pub(super) fn tree_runs(root: &Path) -> Result<(Vec<Run>, Vec<String>)> {
    let (mut runs, mut notices) = (Vec::new(), Vec::new());
    for repo in path::list_runs(root)? {
        runs.extend(repo.runs.into_iter().map(|(repo, id)| Run::without_row(id, Some(repo))));
        notices.extend(repo.unreadable.iter().map(hidden_runs));
    }
    runs.sort_by(|a, b| b.id.cmp(&a.id));
    Ok((runs, notices))
}

/// Returns the notice about a directory that may contain runs and cannot be read.
pub(super) fn hidden_runs(error: &Error) -> String {
    format!("runs may be missing: {}", error::chain(error))
}

pub(super) fn path_run_id() -> RunId {
    RunId(String::new())
}

/// Loads the logs at a path (a file or a directory) as a run that is in no database. `log` is the
/// way to read a log that is no plain file.
pub(super) fn path_run(path: &Path, log: Option<&LogPath>) -> Result<RunParts> {
    if let Some(log) = log {
        let log = LogRef { path: log.clone(), bytes: log.bytes().unwrap_or_default() };
        let failure = log.path.failure();
        let logs = vec![DatedLog { n: 1, log, first_at: None }];
        let mut parts = logs_alone(None, [(String::new(), logs)]);
        if let Some(failure) = failure {
            let kind = FindingKind::Unreadable(error::chain(&failure));
            parts.findings.add(Place::Sh(JobId(String::new()), 1), kind);
        }
        return Ok(parts);
    }
    let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
    if path::is_run_dir(path) {
        let run = Run::without_row(path_run_id(), None);
        let dir = Ok(Some(RunDir::named(path.to_owned())?));
        return Ok(load_parts(run, Recorder::Unknown, false, Vec::new(), dir));
    }
    let dir = Some(path.to_owned()).filter(|_| metadata.is_dir());
    let found = match &dir {
        Some(dir) => path::discover(dir)?,
        None => vec![(
            String::new(),
            vec![FoundLog { n: 1, path: FilePath::named(path), bytes: metadata.len() }],
        )],
    };
    let dated = |found: Vec<FoundLog>| found.into_iter().map(|found| dated(found, false)).collect();
    Ok(logs_alone(dir, found.into_iter().map(|(job, found)| (job, dated(found)))))
}

/// Returns the parts of a run of which only the logs are known, by the names of their jobs.
fn logs_alone(
    dir: Option<PathBuf>,
    logs: impl IntoIterator<Item = (String, Vec<DatedLog>)>,
) -> RunParts {
    let parts = |(job, logs)| JobParts { job: Job::without_row(JobId(job)), shs: Vec::new(), logs };
    RunParts {
        run: Run::without_row(path_run_id(), None),
        recorder: Recorder::Unknown,
        ours: false,
        dir,
        log: None,
        events: None,
        jobs: logs.into_iter().map(parts).collect(),
        findings: Findings::default(),
        hides_all: false,
    }
}
