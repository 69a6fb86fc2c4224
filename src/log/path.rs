//! Where a store keeps its logs, and the refusal of names that would lead elsewhere.
//!
//! ```text
//! <root>/runs/<repo>/<run-id>/jobs/<job-id>/sh-<n>.log      repo: one name or two
//!                            /quire-ci.log                  what the program that ran the jobs said: plain text
//!                            /events.jsonl                  what it tells of jobs and commands as they go on
//! ```
//!
//! Names come from programs and pushes. One is used as a part of a path only if it is a single, plain segment; a link is
//! followed only if what it leads to lies inside the run's directory. What is refused is left out, never an error: a store
//! is shown without it.

use std::fs::{self, DirEntry, FileType};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::model::{JobId, RunId};

/// The longest name that Linux's file systems take.
const MAX_NAME_BYTES: usize = 255;

/// The name of a quire run's own log, in the run's directory: plain text.
pub const RUN_LOG: &str = "quire-ci.log";

/// The name of the file beside it that tells of the run's jobs and commands as they go on.
pub const RUN_EVENTS: &str = "events.jsonl";

/// The directory of a run's files: `<root>/runs/<repo>/<run-id>`; `None` when a name is unsafe as a path.
#[must_use]
pub fn run_dir(root: &Path, repo: &str, run: &RunId) -> Option<PathBuf> {
    let mut dir = root.join("runs");
    match repo.split_once('/') {
        Some((group, name)) => dir.extend([plain(group)?, plain(name)?]),
        None => dir.push(plain(repo)?),
    }
    dir.push(plain(run.as_str())?);
    Some(dir)
}

/// The directory of a job's logs: `<run-dir>/jobs/<job-id>`; `None` when the id is unsafe as a path.
#[must_use]
pub fn job_dir(run_dir: &Path, job: &JobId) -> Option<PathBuf> {
    Some(run_dir.join("jobs").join(plain(job.as_str())?))
}

/// The log of a job's n-th command: `<job-dir>/sh-<n>.log`.
#[must_use]
pub fn sh_log(job_dir: &Path, n: u32) -> PathBuf {
    job_dir.join(format!("sh-{n}.log"))
}

/// The file that a recorder of ours keeps locked while it works on a run.
#[must_use]
pub fn recorder_lock(run_dir: &Path) -> PathBuf {
    run_dir.join("recorder.lock")
}

/// A name that stays where it is put, whatever else it holds (spaces, newlines, escapes, backslashes are names for real).
fn plain(name: &str) -> Option<&str> {
    let plain = !matches!(name, "" | "." | "..")
        && name.len() <= MAX_NAME_BYTES
        && !name.bytes().any(|b| matches!(b, b'/' | 0));
    plain.then_some(name)
}

/// A log found in a job's directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundLog {
    /// Its number, from its name; in other directories than a job's, its place in the order of names, from 1.
    pub n: u32,
    /// Where it is.
    pub path: PathBuf,
    /// Its size when it was listed.
    pub bytes: u64,
}

/// What a job's directory holds.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct JobLogs {
    /// Its logs, by number.
    pub logs: Vec<FoundLog>,
    /// What has the name of a log and cannot be read, with the reason.
    pub unreadable: Vec<String>,
    /// What has the name of a log and is left alone on purpose, because it leads out of the run's directory.
    pub refused: Vec<String>,
}

/// The logs of a job of a run; nothing when there is no such directory.
///
/// Only regular files are read; links only where they stay inside the run's directory.
///
/// # Errors
/// When the directory is there and cannot be read.
pub fn list_logs(run_dir: &Path, job: &JobId) -> Result<JobLogs> {
    let mut found = JobLogs::default();
    let Some(dir) = job_dir(run_dir, job) else {
        let why = "cannot be a part of a path: if it has logs they are not read";
        found.refused.push(format!("the job's name {:?} {why}", job.as_str()));
        return Ok(found);
    };
    let Some(inside) = Inside::new(run_dir)? else { return Ok(found) };
    for Entry { name, path, kind } in inside.entries(&dir)? {
        let Some(n) = log_number(&name) else { continue };
        match kind {
            Kind::File(bytes) => found.logs.push(FoundLog { n, path, bytes }),
            kind => kind.tell(&path, &mut found.unreadable, &mut found.refused),
        }
    }
    found.logs.sort_by_key(|log| log.n);
    Ok(found)
}

/// The files of a run itself.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RunFiles {
    /// Its own log and that one's size.
    pub log: Option<(PathBuf, u64)>,
    /// Its events.
    pub events: Option<PathBuf>,
    /// What has such a name and cannot be read, with the reason.
    pub unreadable: Vec<String>,
    /// What has such a name and is left alone on purpose.
    pub refused: Vec<String>,
}

/// The files of a run itself; nothing when there is no such directory. As for [`list_logs`], only regular files inside.
///
/// # Errors
/// When the directory is there and cannot be read.
pub fn list_run_files(run_dir: &Path) -> Result<RunFiles> {
    let mut found = RunFiles::default();
    let Some(inside) = Inside::new(run_dir)? else { return Ok(found) };
    for name in [RUN_LOG, RUN_EVENTS] {
        let path = run_dir.join(name);
        match inside.kind_at(&path).map_err(Error::io("read", &path))? {
            Some(Kind::File(bytes)) if name == RUN_LOG => found.log = Some((path, bytes)),
            Some(Kind::File(_)) => found.events = Some(path),
            None => {}
            Some(kind) => kind.tell(&path, &mut found.unreadable, &mut found.refused),
        }
    }
    Ok(found)
}

/// The n of `sh-<n>.log`.
pub(super) fn log_number(name: &str) -> Option<u32> {
    decimal(name.strip_prefix("sh-")?.strip_suffix(".log")?).filter(|n| *n > 0)
}

/// The runs that have a directory with jobs: repository and id, by name.
///
/// # Errors
/// When a directory is there and cannot be read.
pub fn list_runs(root: &Path) -> Result<Vec<(String, RunId)>> {
    let runs = root.join("runs");
    let Some(inside) = Inside::new(&runs)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (group, dir) in inside.dirs(&runs)? {
        for (name, dir) in inside.dirs(&dir)? {
            if dir.join("jobs").is_dir() {
                found.push((group.clone(), RunId(name)));
                continue;
            }
            let nested = inside.dirs(&dir)?.into_iter().filter(|(_, dir)| dir.join("jobs").is_dir());
            found.extend(nested.map(|(id, _)| (format!("{group}/{name}"), RunId(id))));
        }
    }
    Ok(found)
}

/// The directories in which a new run without a database appears: `runs` and those of the repositories in it.
#[must_use]
pub fn list_run_parents(root: &Path) -> Vec<PathBuf> {
    let runs = root.join("runs");
    let groups = Inside::new(&runs).ok().flatten().and_then(|inside| inside.dirs(&runs).ok()).unwrap_or_default();
    std::iter::once(runs).chain(groups.into_iter().map(|(_, dir)| dir)).collect()
}

/// The ids of the jobs that have a directory, by name. A name that is not UTF-8 is left out: no job has such an id.
///
/// # Errors
/// When the directory is there and cannot be read.
pub fn list_jobs(run_dir: &Path) -> Result<Vec<JobId>> {
    match Inside::new(run_dir)? {
        Some(inside) => Ok(inside.dirs(&run_dir.join("jobs"))?.into_iter().map(|(name, _)| JobId(name)).collect()),
        None => Ok(Vec::new()),
    }
}

/// The logs of a directory without a database, by the name of the job, or of what comes nearest to one:
///
/// - a run's directory: its jobs;
/// - a job's directory (`sh-<n>.log`): that job;
/// - a Kubernetes pod's directory (`<container>/<n>.log`): its containers;
/// - any other directory: its `*.log` files, as one job with the directory's name.
///
/// Rotated files (`0.log.20060102-150405`, `.gz`) are left out. Links out of the directory are not followed; so a directory of
/// nothing but links (`/var/log/containers`) has no logs.
///
/// # Errors
/// When a directory cannot be read.
pub fn discover(dir: &Path) -> Result<Vec<(String, Vec<FoundLog>)>> {
    let jobs = list_jobs(dir)?;
    if !jobs.is_empty() {
        return jobs.into_iter().map(|job| list_logs(dir, &job).map(|found| (job.0, found.logs))).collect();
    }
    let Some(inside) = Inside::new(dir)? else { return Ok(Vec::new()) };
    let mut found = vec![(name_of(&inside.root), logs_of(inside.files(dir)?))];
    for (name, path) in inside.dirs(dir)? {
        let files = inside.files(&path)?.into_iter().filter(|(name, ..)| restart_count(name).is_some()).collect();
        found.push((name, in_order(files)));
    }
    found.retain(|(_, logs)| !logs.is_empty());
    Ok(found)
}

fn name_of(dir: &Path) -> String {
    dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy().into_owned()
}

/// A job's logs where there are any, else every log.
fn logs_of(files: Vec<File>) -> Vec<FoundLog> {
    let numbered = numbered(files.clone());
    if numbered.is_empty() { in_order(files) } else { numbered }
}

/// A regular file: its name, path and size.
type File = (String, PathBuf, u64);

fn numbered(files: Vec<File>) -> Vec<FoundLog> {
    let found =
        files.into_iter().filter_map(|(name, path, bytes)| Some(FoundLog { n: log_number(&name)?, path, bytes }));
    let mut logs: Vec<_> = found.collect();
    logs.sort_by_key(|log| log.n);
    logs
}

/// `<n>.log` by number, then all other `.log` files by name.
fn in_order(mut files: Vec<File>) -> Vec<FoundLog> {
    files.retain(|(name, ..)| Path::new(name).extension().is_some_and(|extension| extension == "log"));
    files.sort_by_key(|(name, ..)| (restart_count(name).is_none(), restart_count(name), name.clone()));
    (1..).zip(files).map(|(n, (_, path, bytes))| FoundLog { n, path, bytes }).collect()
}

/// The number in `<n>.log`: how often Kubernetes had restarted the container.
fn restart_count(name: &str) -> Option<u32> {
    decimal(name.strip_suffix(".log")?)
}

/// A plain decimal: digits only, no leading zero.
fn decimal(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// An entry of a directory.
struct Entry {
    name: String,
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A regular file of this size.
    File(u64),
    Directory,
    /// A FIFO, a socket, a device.
    Other,
    /// A link that leads out of what is listed, or nowhere.
    Stranger,
}

impl Kind {
    fn of(kind: FileType, bytes: u64) -> Self {
        match kind {
            kind if kind.is_file() => Self::File(bytes),
            kind if kind.is_dir() => Self::Directory,
            _ => Self::Other,
        }
    }

    /// Says why something that has the name of a file of ours is not read.
    fn tell(self, path: &Path, unreadable: &mut Vec<String>, refused: &mut Vec<String>) {
        let told = |why: &str| format!("{} is not read: {why}", path.display());
        match self {
            Self::File(_) => {}
            Self::Directory => unreadable.push(told("it is a directory")),
            Self::Other => unreadable.push(told("it is no regular file")),
            Self::Stranger => refused.push(told("it is a link that leads out of the run's directory, or nowhere")),
        }
    }
}

/// Lists directories without ever leaving one of them by a link.
struct Inside {
    /// Resolved: no part of it is a link.
    root: PathBuf,
}

impl Inside {
    /// `None` when there is no such directory.
    fn new(root: &Path) -> Result<Option<Self>> {
        let resolved = present(fs::canonicalize(root)).map_err(Error::io("read", root))?;
        Ok(resolved.map(|root| Self { root }))
    }

    /// The regular files of a directory, by name.
    fn files(&self, dir: &Path) -> Result<Vec<File>> {
        let entries = self.entries(dir)?.into_iter();
        let mut files: Vec<File> = entries
            .filter_map(|Entry { name, path, kind }| match kind {
                Kind::File(bytes) => Some((name, path, bytes)),
                _ => None,
            })
            .collect();
        files.sort();
        Ok(files)
    }

    /// The directories of a directory, by name.
    fn dirs(&self, dir: &Path) -> Result<Vec<(String, PathBuf)>> {
        let entries = self.entries(dir)?.into_iter().filter(|entry| entry.kind == Kind::Directory);
        let mut dirs: Vec<_> = entries.map(|entry| (entry.name, entry.path)).collect();
        dirs.sort();
        Ok(dirs)
    }

    /// What is in a directory, in no order. A name that is not UTF-8 is left out.
    fn entries(&self, dir: &Path) -> Result<Vec<Entry>> {
        self.entries_io(dir).map_err(Error::io("read", dir))
    }

    fn entries_io(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        if !self.holds(dir)? {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for entry in present(fs::read_dir(dir))?.into_iter().flatten() {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if let Some(kind) = self.kind(&entry)? {
                found.push(Entry { name, path: entry.path(), kind });
            }
        }
        Ok(found)
    }

    /// What an entry is, or what it leads to inside; `None` when it has gone meanwhile.
    fn kind(&self, entry: &DirEntry) -> io::Result<Option<Kind>> {
        let own = entry.file_type()?;
        if !own.is_symlink() {
            // What may not be looked at is told to whoever opens it.
            let bytes = present(entry.metadata()).map_or(Some(0), |meta| meta.map(|meta| meta.len()));
            return Ok(bytes.map(|bytes| Kind::of(own, bytes)));
        }
        Ok(Some(self.linked(&entry.path())))
    }

    /// As [`Self::kind`], of a path.
    fn kind_at(&self, path: &Path) -> io::Result<Option<Kind>> {
        Ok(match present(fs::symlink_metadata(path))? {
            Some(own) if own.is_symlink() => Some(self.linked(path)),
            own => own.map(|own| Kind::of(own.file_type(), own.len())),
        })
    }

    /// What a link leads to. One in a circle, or into a directory that may not be entered, leads nowhere.
    fn linked(&self, link: &Path) -> Kind {
        let inside = if self.holds(link).unwrap_or(false) { fs::metadata(link).ok() } else { None };
        inside.map_or(Kind::Stranger, |meta| Kind::of(meta.file_type(), meta.len()))
    }

    /// Whether a path leads to something inside.
    fn holds(&self, path: &Path) -> io::Result<bool> {
        Ok(present(fs::canonicalize(path))?.is_some_and(|resolved| resolved.starts_with(&self.root)))
    }
}

/// What is not there (any more) is data: the file may have gone between being listed and being looked at.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(path: &Path, content: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn job(id: &str) -> JobId {
        JobId(id.into())
    }

    fn names(logs: &[FoundLog]) -> Vec<(u32, String)> {
        logs.iter().map(|log| (log.n, name_of(&log.path))).collect()
    }

    #[test]
    fn plain_names_of_any_look_are_parts_of_a_path() {
        let run = RunId("01a2".into());
        let long = "x".repeat(200);
        for name in ["build", "テスト", " ", "a b", "new\nline", "\x1b[2J", "back\\slash", "...", "-", "~", &long] {
            assert_eq!(job_dir(Path::new("/r"), &job(name)), Some(Path::new("/r/jobs").join(name)));
            assert_eq!(run_dir(Path::new("/r"), name, &run), Some(Path::new("/r/runs").join(name).join("01a2")));
        }
        let grouped = run_dir(Path::new("/r"), "work/grouped.git", &run);
        assert_eq!(grouped, Some(PathBuf::from("/r/runs/work/grouped.git/01a2")));
        assert_eq!(sh_log(Path::new("/j"), 10), Path::new("/j/sh-10.log"));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let too_long = "x".repeat(256);
        for name in ["", ".", "..", "/", "/etc", "a/b", "a/", "../x", "nul\0", &too_long] {
            assert_eq!(job_dir(Path::new("/r"), &job(name)), None, "{name:?}");
            assert_eq!(run_dir(Path::new("/r"), "repo", &RunId(name.into())), None, "{name:?}");
        }
        for repo in ["", "..", "/etc", "a//b", "a/b/c", "../x", "x/..", "a/", "nul\0/x"] {
            assert_eq!(run_dir(Path::new("/r"), repo, &RunId("01a2".into())), None, "{repo:?}");
        }
    }

    #[test]
    fn logs_are_listed_by_number_and_other_names_are_left_out() {
        let run = tempfile::tempdir().unwrap();
        let dir = run.path().join("jobs/build");
        for name in ["sh-10.log", "sh-2.log", "sh-1.log", "sh-4294967295.log"] {
            write(&dir.join(name), "12345");
        }
        for name in ["sh-0.log", "sh-01.log", "sh-+3.log", "sh-.log", "sh-4294967296.log", "sh-5.log.gz", "x.log"] {
            write(&dir.join(name), "");
        }
        fs::create_dir(dir.join("sh-6.log")).unwrap();
        let logs = list_logs(run.path(), &job("build")).unwrap().logs;
        assert_eq!(logs.iter().map(|log| log.n).collect::<Vec<_>>(), [1, 2, 10, 4_294_967_295]);
        assert!(logs.iter().all(|log| log.bytes == 5 && log.path == sh_log(&dir, log.n)));
    }

    #[test]
    fn what_is_not_there_is_empty() {
        let run = tempfile::tempdir().unwrap();
        let missing = run.path().join("missing");
        assert_eq!(list_jobs(&missing).unwrap(), []);
        assert_eq!(list_jobs(run.path()).unwrap(), []);
        assert_eq!(list_logs(&missing, &job("build")).unwrap().logs, []);
        assert_eq!(list_logs(run.path(), &job("build")).unwrap().logs, []);
        assert_eq!(discover(run.path()).unwrap(), []);
    }

    #[test]
    fn links_are_followed_only_inside_the_run() {
        let (run, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let jobs = run.path().join("jobs");
        write(&jobs.join("build/sh-1.log"), "in");
        write(&outside.path().join("sh-1.log"), "out");
        symlink(outside.path().join("sh-1.log"), jobs.join("build/sh-2.log")).unwrap();
        symlink("sh-1.log", jobs.join("build/sh-3.log")).unwrap();
        symlink("sh-4.log", jobs.join("build/sh-4.log")).unwrap();
        symlink("nowhere", jobs.join("build/sh-5.log")).unwrap();
        symlink(outside.path(), jobs.join("evil")).unwrap();
        symlink("build", jobs.join("alias")).unwrap();
        let build = list_logs(run.path(), &job("build")).unwrap().logs;
        assert_eq!(build.iter().map(|log| (log.n, log.bytes)).collect::<Vec<_>>(), [(1, 2), (3, 2)]);
        assert_eq!(list_jobs(run.path()).unwrap(), [job("alias"), job("build")]);
        assert_eq!(list_logs(run.path(), &job("evil")).unwrap().logs, []);
        assert_eq!(list_logs(run.path(), &job("..")).unwrap().logs, []);
        // A run whose `jobs` leads elsewhere has none.
        let other = tempfile::tempdir().unwrap();
        symlink(&jobs, other.path().join("jobs")).unwrap();
        assert_eq!(list_jobs(other.path()).unwrap(), []);
        assert_eq!(list_logs(other.path(), &job("build")).unwrap().logs, []);
    }

    #[test]
    fn directories_without_a_database_are_recognised() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        write(&at("run/jobs/test/sh-2.log"), "");
        write(&at("run/jobs/build/sh-1.log"), "");
        write(&at("run/workspace/0.log"), "");
        for name in ["10.log", "9.log", "0.log.20060102-150405", "8.log.gz"] {
            write(&at("pod/app").join(name), "");
        }
        write(&at("pod/side-car/0.log"), "");
        write(&at("flat/b.log"), "");
        write(&at("flat/a.log"), "");
        let found = |path: &str| -> Vec<(String, Vec<(u32, String)>)> {
            discover(&at(path)).unwrap().into_iter().map(|(job, logs)| (job, names(&logs))).collect()
        };
        let one = |job: &str, logs: &[(u32, &str)]| {
            (job.to_owned(), logs.iter().map(|(n, name)| (*n, (*name).to_owned())).collect::<Vec<_>>())
        };
        assert_eq!(found("run"), [one("build", &[(1, "sh-1.log")]), one("test", &[(2, "sh-2.log")])]);
        assert_eq!(found("run/jobs/test"), [one("test", &[(2, "sh-2.log")])]);
        let app = one("app", &[(1, "9.log"), (2, "10.log")]);
        assert_eq!(found("pod"), [app.clone(), one("side-car", &[(1, "0.log")])]);
        assert_eq!(found("pod/app"), [app]);
        assert_eq!(found("flat"), [one("flat", &[(1, "a.log"), (2, "b.log")])]);
    }
}
