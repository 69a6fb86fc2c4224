//! Paths of the logs of a store, and the rejection of names that would lead out of it.
//!
//! ```text
//! <root>/runs/<repo>/<run-id>/jobs/<job-id>/sh-<n>.log  repo: one name or two
//!                            /quire-ci.log              output of the job runner: plain text
//!                            /events.jsonl              events of jobs and commands, live
//! ```
//!
//! Names come from programs and pushes, so they are not trusted. A name becomes part of a path only
//! if it is a single plain segment. A link is followed only if its target is inside the run's
//! directory. A file that was found stays bound to that directory whenever it is opened
//! ([`FilePath`]). Refused entries are left out, and are never an error: the store is shown without
//! them.

use std::path::{Path, PathBuf};

use super::beneath::{Beneath, Entry, EntryKind, File};
use super::hold::RECORDER_LOCK;
use crate::error::{Error, Result};
use crate::file::FilePath;
use crate::model::{JobId, RunId};

pub use super::beneath::LeftOut;

/// The longest name that Linux file systems accept.
const MAX_NAME_BYTES: usize = 255;

/// The name of the log of a quire run itself, in the run's directory: plain text.
pub const RUN_LOG: &str = "quire-ci.log";

/// The name of the file next to [`RUN_LOG`], with the events of the run's jobs and commands as they
/// happen.
pub const RUN_EVENTS: &str = "events.jsonl";

/// Returns the directory of a run's files: `<root>/runs/<repo>/<run-id>`. Returns `None` if a name
/// is unsafe as part of a path.
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

/// The directory of a run, resolved once. Nothing outside the resolved directory is read, even if
/// the original path leads to another directory later.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// `None` if there was no such directory.
    inside: Option<Beneath>,
}

impl RunDir {
    /// Resolves a directory that the user named. It may be a link to anywhere, or missing.
    ///
    /// # Errors
    /// Fails if the path cannot be resolved.
    pub fn named(path: PathBuf) -> Result<Self> {
        let inside = Beneath::new(&path)?;
        Ok(Self { path, inside })
    }

    /// Resolves the directory of a run of a store. Returns `None` if a link leads it out of the
    /// directory of all runs.
    ///
    /// # Errors
    /// The same as for [`RunDir::named`].
    pub fn of_store(root: &Path, path: PathBuf) -> Result<Option<Self>> {
        let Some(runs) = Beneath::new(&root.join("runs"))? else {
            return Ok(Some(Self { path, inside: None }));
        };
        let dir = Self::named(path)?;
        let is_inside =
            dir.inside.as_ref().is_none_or(|inside| inside.root.starts_with(&runs.root));
        Ok(is_inside.then_some(dir))
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the file that a rundown recorder keeps locked while it works on the run.
    /// Returns `None` if there is no such directory.
    #[must_use]
    pub fn recorder_lock(&self) -> Option<FilePath> {
        Some(self.inside.as_ref()?.found(recorder_lock(&self.path)))
    }

    /// Returns the path of a command's log, which need not exist. Returns `None` if there is no
    /// such run directory, or the job's id is unsafe as part of a path.
    #[must_use]
    pub fn sh_log(&self, job: &JobId, n: u32) -> Option<FilePath> {
        Some(self.inside.as_ref()?.found(sh_log(&job_dir(&self.path, job)?, n)))
    }
}

/// Returns the directory of a job's logs: `<run-dir>/jobs/<job-id>`. Returns `None` if the id is
/// unsafe as part of a path.
#[must_use]
pub fn job_dir(run_dir: &Path, job: &JobId) -> Option<PathBuf> {
    Some(run_dir.join("jobs").join(plain(job.as_str())?))
}

/// Returns the log of a job's n-th command: `<job-dir>/sh-<n>.log`.
#[must_use]
pub fn sh_log(job_dir: &Path, n: u32) -> PathBuf {
    job_dir.join(format!("sh-{n}.log"))
}

/// Returns the path of the file that a rundown recorder keeps locked while it works on a run.
#[must_use]
pub fn recorder_lock(run_dir: &Path) -> PathBuf {
    run_dir.join(RECORDER_LOCK)
}

/// Returns a name if it is a single path segment, otherwise `None`. All characters except `/` and
/// NUL are allowed: spaces, newlines, escapes and backslashes occur in real names.
fn plain(name: &str) -> Option<&str> {
    let plain = !matches!(name, "" | "." | "..")
        && name.len() <= MAX_NAME_BYTES
        && !name.bytes().any(|b| matches!(b, b'/' | 0));
    plain.then_some(name)
}

/// A log found in a job's directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundLog {
    /// Its number, from its name. In directories other than a job's, its position in the sorted
    /// list, from 1.
    pub n: u32,
    /// Its path.
    pub path: FilePath,
    /// Its size when it was listed.
    pub bytes: u64,
}

/// The logs in a job's directory.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct JobLogs {
    /// The logs, sorted by number.
    pub logs: Vec<FoundLog>,
    /// Entries that have the name of a log but are not read.
    pub left_out: LeftOut,
}

/// Lists the logs of a job of a run. The list is empty if there is no such directory.
///
/// Only regular files are included, and links only if they stay inside the run's directory.
///
/// # Errors
/// Fails if the directory exists but cannot be read.
pub fn list_logs(run_dir: &RunDir, job: &JobId) -> Result<JobLogs> {
    let mut found = JobLogs::default();
    let Some(dir) = job_dir(&run_dir.path, job) else {
        let why = "is not a valid directory name, so its logs are not read";
        found.left_out.refused.push(format!("the job name {:?} {why}", job.as_str()));
        return Ok(found);
    };
    let Some(inside) = &run_dir.inside else { return Ok(found) };
    if let Some(why) = inside.refusal(&dir)? {
        found.left_out.refused.push(why);
        return Ok(found);
    }
    for Entry { name, path, kind } in inside.entries(&dir)? {
        let Some(n) = log_number(&name) else { continue };
        match kind {
            EntryKind::File(bytes) => {
                found.logs.push(FoundLog { n, path: inside.found(path), bytes });
            }
            kind => kind.record_reason(&path, &mut found.left_out),
        }
    }
    found.logs.sort_by_key(|log| log.n);
    Ok(found)
}

/// The files of a run itself.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RunFiles {
    /// Its own log, and the size of that log.
    pub log: Option<(FilePath, u64)>,
    /// Its events.
    pub events: Option<FilePath>,
    /// Entries that have such a name but are not read.
    pub left_out: LeftOut,
}

/// Lists the files of a run itself. The list is empty if there is no such directory. As for
/// [`list_logs`], only regular files inside the directory are included.
///
/// # Errors
/// Fails if the directory exists but cannot be read.
pub fn list_run_files(run_dir: &RunDir) -> Result<RunFiles> {
    let mut found = RunFiles::default();
    let Some(inside) = &run_dir.inside else { return Ok(found) };
    for name in [RUN_LOG, RUN_EVENTS] {
        let path = run_dir.path.join(name);
        match inside.kind_at(&path).map_err(Error::io("read", &path))? {
            Some(EntryKind::File(bytes)) if name == RUN_LOG => {
                found.log = Some((inside.found(path), bytes));
            }
            Some(EntryKind::File(_)) => found.events = Some(inside.found(path)),
            None => {}
            Some(kind) => kind.record_reason(&path, &mut found.left_out),
        }
    }
    Ok(found)
}

/// Returns the n of `sh-<n>.log`.
pub(super) fn log_number(name: &str) -> Option<u32> {
    decimal(name.strip_prefix("sh-")?.strip_suffix(".log")?).filter(|n| *n > 0)
}

/// The runs of a repository, or of a group of repositories, that have a directory.
#[derive(Default)]
pub struct RepoRuns {
    /// The repository and id of each run, in the order of their directories.
    pub runs: Vec<(String, RunId)>,
    /// The errors of directories that cannot be read. The runs in them are not listed.
    pub unreadable: Vec<Error>,
}

/// Returns true if a directory belongs to a run: it contains a `jobs` directory, or the log or the
/// events of a run.
#[must_use]
pub fn is_run_dir(dir: &Path) -> bool {
    dir.join("jobs").is_dir() || [RUN_LOG, RUN_EVENTS].iter().any(|name| dir.join(name).is_file())
}

/// Lists the runs that have a directory (see [`is_run_dir`]), one repository or group of
/// repositories at a time. A directory that cannot be read does not affect the others.
///
/// # Errors
/// Fails if the directory of all runs exists but cannot be read.
pub fn list_runs(root: &Path) -> Result<impl Iterator<Item = RepoRuns>> {
    let runs = root.join("runs");
    let listed = match Beneath::new(&runs)? {
        Some(inside) => Some((inside.dirs(&runs)?, inside)),
        None => None,
    };
    let repos = |(groups, inside): (Vec<(String, PathBuf)>, Beneath)| {
        groups.into_iter().map(move |(group, dir)| runs_of(&inside, &group, &dir))
    };
    Ok(listed.into_iter().flat_map(repos))
}

fn runs_of(inside: &Beneath, group: &str, dir: &Path) -> RepoRuns {
    let mut found = RepoRuns::default();
    for (name, dir) in found.dirs(inside, dir) {
        if is_run_dir(&dir) {
            found.runs.push((group.to_owned(), RunId(name)));
            continue;
        }
        let nested = found.dirs(inside, &dir).into_iter().filter(|(_, dir)| is_run_dir(dir));
        found.runs.extend(nested.map(|(id, _)| (format!("{group}/{name}"), RunId(id))));
    }
    found
}

impl RepoRuns {
    fn dirs(&mut self, inside: &Beneath, dir: &Path) -> Vec<(String, PathBuf)> {
        inside.dirs(dir).unwrap_or_else(|error| {
            self.unreadable.push(error);
            Vec::new()
        })
    }
}

/// Lists the directories in which a new run of a store without a database may appear: `runs` and
/// the directories directly in it.
#[must_use]
pub fn list_run_parents(root: &Path) -> Vec<PathBuf> {
    let runs = root.join("runs");
    let groups = Beneath::new(&runs)
        .ok()
        .flatten()
        .and_then(|inside| inside.dirs(&runs).ok())
        .unwrap_or_default();
    std::iter::once(runs).chain(groups.into_iter().map(|(_, dir)| dir)).collect()
}

/// The jobs that have a directory.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct JobDirs {
    /// Their ids, sorted by name. A name that is not UTF-8 is left out, because no job has such an
    /// id. Links that lead out are included, so that [`list_logs`] can report them.
    pub ids: Vec<JobId>,
    /// The reason why the directory of all jobs was refused; `ids` is empty then.
    pub refused: Option<String>,
}

/// Lists the jobs that have a directory.
///
/// # Errors
/// Fails if the directory exists but cannot be read.
pub fn list_jobs(run_dir: &RunDir) -> Result<JobDirs> {
    let Some(inside) = &run_dir.inside else { return Ok(JobDirs::default()) };
    let jobs = run_dir.path.join("jobs");
    if let refused @ Some(_) = inside.refusal(&jobs)? {
        return Ok(JobDirs { ids: Vec::new(), refused });
    }
    let entries = inside.entries(&jobs)?.into_iter();
    let is_job = |entry: &Entry| matches!(entry.kind, EntryKind::Directory | EntryKind::Outside);
    let mut ids: Vec<JobId> = entries.filter(is_job).map(|entry| JobId(entry.name)).collect();
    ids.sort();
    Ok(JobDirs { ids, refused: None })
}

/// Finds the logs of a directory without a database. Returns them with the name of their job or of
/// its nearest equivalent:
///
/// - a run's directory: its jobs;
/// - a job's directory (`sh-<n>.log`): that job;
/// - a Kubernetes pod's directory (`<container>/<n>.log`): its containers;
/// - any other directory: its `*.log` files, as one job with the directory's name.
///
/// Rotated files (`0.log.20060102-150405`, `.gz`) are left out. Links out of the directory are not
/// followed, so a directory that contains only such links (`/var/log/containers`) has no logs.
///
/// # Errors
/// Fails if a directory cannot be read.
pub fn discover(dir: &Path) -> Result<Vec<(String, Vec<FoundLog>)>> {
    let run_dir = RunDir::named(dir.to_owned())?;
    let jobs = list_jobs(&run_dir)?.ids;
    if !jobs.is_empty() {
        return jobs
            .into_iter()
            .map(|job| list_logs(&run_dir, &job).map(|found| (job.0, found.logs)))
            .collect();
    }
    let Some(inside) = run_dir.inside else { return Ok(Vec::new()) };
    let mut found = vec![(name_of(&inside.root), logs_of(inside.files(dir)?))];
    for (name, path) in inside.dirs(dir)? {
        let files = inside
            .files(&path)?
            .into_iter()
            .filter(|file| restart_count(&file.name).is_some())
            .collect();
        found.push((name, in_order(files)));
    }
    found.retain(|(_, logs)| !logs.is_empty());
    Ok(found)
}

fn name_of(dir: &Path) -> String {
    dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy().into_owned()
}

/// Returns the numbered logs if there are any, otherwise every log.
fn logs_of(files: Vec<File>) -> Vec<FoundLog> {
    let numbered = numbered(files.clone());
    if numbered.is_empty() { in_order(files) } else { numbered }
}

fn numbered(files: Vec<File>) -> Vec<FoundLog> {
    let found = |File { name, path, bytes }| Some(FoundLog { n: log_number(&name)?, path, bytes });
    let mut logs: Vec<_> = files.into_iter().filter_map(found).collect();
    logs.sort_by_key(|log| log.n);
    logs
}

/// Orders the logs: `<n>.log` by number, then all other `.log` files by name.
fn in_order(mut files: Vec<File>) -> Vec<FoundLog> {
    files.retain(|file| {
        Path::new(&file.name).extension().is_some_and(|extension| extension == "log")
    });
    files.sort_by_key(|File { name, .. }| {
        (restart_count(name).is_none(), restart_count(name), name.clone())
    });
    (1..).zip(files).map(|(n, File { path, bytes, .. })| FoundLog { n, path, bytes }).collect()
}

/// Returns the number in `<n>.log`: how often Kubernetes had restarted the container.
fn restart_count(name: &str) -> Option<u32> {
    decimal(name.strip_suffix(".log")?)
}

/// Parses a plain decimal: digits only, no leading zero.
fn decimal(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(path: &Path, content: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn job(id: &str) -> JobId {
        JobId(id.into())
    }

    fn dir_of(path: &Path) -> RunDir {
        RunDir::named(path.to_owned()).unwrap()
    }

    fn names(logs: &[FoundLog]) -> Vec<(u32, String)> {
        logs.iter().map(|log| (log.n, name_of(&log.path))).collect()
    }

    #[test]
    fn any_plain_name_is_a_valid_path_component() {
        let run = RunId("01a2".into());
        let long = "x".repeat(200);
        for name in [
            "build",
            "テスト",
            " ",
            "a b",
            "new\nline",
            "\x1b[2J",
            "back\\slash",
            "...",
            "-",
            "~",
            &long,
        ] {
            assert_eq!(job_dir(Path::new("/r"), &job(name)), Some(Path::new("/r/jobs").join(name)));
            assert_eq!(
                run_dir(Path::new("/r"), name, &run),
                Some(Path::new("/r/runs").join(name).join("01a2"))
            );
        }
        let grouped = run_dir(Path::new("/r"), "work/grouped.git", &run);
        assert_eq!(grouped, Some(PathBuf::from("/r/runs/work/grouped.git/01a2")));
        assert_eq!(sh_log(Path::new("/j"), 10), Path::new("/j/sh-10.log"));
    }

    #[test]
    fn names_that_leave_the_directory_are_rejected() {
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
    fn logs_are_listed_by_number_and_other_names_are_skipped() {
        let run = tempfile::tempdir().unwrap();
        let dir = run.path().join("jobs/build");
        for name in ["sh-10.log", "sh-2.log", "sh-1.log", "sh-4294967295.log"] {
            write(&dir.join(name), "12345");
        }
        for name in [
            "sh-0.log",
            "sh-01.log",
            "sh-+3.log",
            "sh-.log",
            "sh-4294967296.log",
            "sh-5.log.gz",
            "x.log",
        ] {
            write(&dir.join(name), "");
        }
        fs::create_dir(dir.join("sh-6.log")).unwrap();
        let logs = list_logs(&dir_of(run.path()), &job("build")).unwrap().logs;
        assert_eq!(logs.iter().map(|log| log.n).collect::<Vec<_>>(), [1, 2, 10, 4_294_967_295]);
        assert!(logs.iter().all(|log| log.bytes == 5 && *log.path == *sh_log(&dir, log.n)));
    }

    #[test]
    fn a_missing_directory_is_empty() {
        let run = tempfile::tempdir().unwrap();
        let missing = run.path().join("missing");
        assert_eq!(list_jobs(&dir_of(&missing)).unwrap(), JobDirs::default());
        assert_eq!(list_jobs(&dir_of(run.path())).unwrap(), JobDirs::default());
        assert_eq!(list_logs(&dir_of(&missing), &job("build")).unwrap().logs, []);
        assert_eq!(list_logs(&dir_of(run.path()), &job("build")).unwrap().logs, []);
        assert_eq!(discover(run.path()).unwrap(), []);
    }

    #[test]
    fn links_are_followed_only_inside_the_run_directory() {
        let (run, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let jobs = run.path().join("jobs");
        write(&jobs.join("build/sh-1.log"), "in");
        write(&outside.path().join("sh-1.log"), "out");
        symlink(outside.path().join("sh-1.log"), jobs.join("build/sh-2.log")).unwrap();
        symlink("sh-1.log", jobs.join("build/sh-3.log")).unwrap();
        symlink("sh-4.log", jobs.join("build/sh-4.log")).unwrap();
        symlink("nowhere", jobs.join("build/sh-5.log")).unwrap();
        symlink(outside.path(), jobs.join("evil")).unwrap();
        symlink("loop", jobs.join("loop")).unwrap();
        symlink("nowhere", jobs.join("lost")).unwrap();
        symlink("build", jobs.join("alias")).unwrap();
        let build = list_logs(&dir_of(run.path()), &job("build")).unwrap().logs;
        assert_eq!(
            build.iter().map(|log| (log.n, log.bytes)).collect::<Vec<_>>(),
            [(1, 2), (3, 2)]
        );
        let jobs_of_run = list_jobs(&dir_of(run.path())).unwrap();
        assert_eq!(
            (jobs_of_run.ids, jobs_of_run.refused),
            (["alias", "build", "evil", "loop", "lost"].map(job).to_vec(), None)
        );
        for refused in ["evil", "lost"] {
            let listed = list_logs(&dir_of(run.path()), &job(refused)).unwrap();
            assert_eq!((listed.logs, listed.left_out.refused.len()), (vec![], 1), "{refused}");
        }
        assert!(list_logs(&dir_of(run.path()), &job("loop")).is_err());
        assert_eq!(list_logs(&dir_of(run.path()), &job("..")).unwrap().logs, []);
        // A run whose `jobs` directory is a link out of the run's directory has no jobs.
        let other = tempfile::tempdir().unwrap();
        symlink(&jobs, other.path().join("jobs")).unwrap();
        let elsewhere = list_jobs(&dir_of(other.path())).unwrap();
        assert_eq!((elsewhere.ids, elsewhere.refused.is_some()), (vec![], true));
        assert_eq!(
            list_logs(&dir_of(other.path()), &job("build")).unwrap(),
            JobLogs::default(),
            "said of `jobs` already"
        );
    }

    #[test]
    fn runs_of_all_repositories_are_listed_despite_an_unreadable_one() {
        let dir = tempfile::tempdir().unwrap();
        // The root is so deep that paths of ordinary length can still be created in it, but a path
        // with a long name cannot be read, even by root.
        let mut root = dir.path().to_owned();
        while root.as_os_str().len() < 3850 {
            root.push("d".repeat(100));
        }
        for run in ["one.git/a", "group/two.git/b", "group/three.git/c"] {
            fs::create_dir_all(root.join("runs").join(run).join("jobs")).unwrap();
        }
        for parent in ["runs", "runs/group", "runs/group/two.git"] {
            let parent = fs::File::open(root.join(parent)).unwrap();
            rustix::fs::mkdirat(&parent, "x".repeat(255), 0o700.into()).unwrap();
        }
        let listed: Vec<RepoRuns> = list_runs(&root).unwrap().collect();
        let runs = listed
            .iter()
            .flat_map(|repo| &repo.runs)
            .map(|(repo, id)| format!("{repo} {}", id.as_str()));
        assert_eq!(runs.collect::<Vec<_>>(), ["group/three.git c", "group/two.git b", "one.git a"]);
        assert_eq!(listed.iter().map(|repo| repo.unreadable.len()).collect::<Vec<_>>(), [1, 0, 1]);
    }

    #[test]
    fn a_directory_of_logs_without_a_database_is_recognized() {
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
            discover(&at(path))
                .unwrap()
                .into_iter()
                .map(|(job, logs)| (job, names(&logs)))
                .collect()
        };
        let one = |job: &str, logs: &[(u32, &str)]| {
            (
                job.to_owned(),
                logs.iter().map(|(n, name)| (*n, (*name).to_owned())).collect::<Vec<_>>(),
            )
        };
        assert_eq!(
            found("run"),
            [one("build", &[(1, "sh-1.log")]), one("test", &[(2, "sh-2.log")])]
        );
        assert_eq!(found("run/jobs/test"), [one("test", &[(2, "sh-2.log")])]);
        let app = one("app", &[(1, "9.log"), (2, "10.log")]);
        assert_eq!(found("pod"), [app.clone(), one("side-car", &[(1, "0.log")])]);
        assert_eq!(found("pod/app"), [app]);
        assert_eq!(found("flat"), [one("flat", &[(1, "a.log"), (2, "b.log")])]);
    }
}
