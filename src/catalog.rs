//! The one loader: database and directories -> runs with their jobs and commands, used by every view alike.
//!
//! A catalog is opened on a store (a root directory with or without a database) or on a path (a single log, a directory of
//! logs); what it gives looks the same. It only reads.

use std::collections::HashSet;
use std::fs::TryLockError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{self, Error, Result};
use crate::file::open_regular;
use crate::join::{self, DatedLog, LogRef, Recorder, RunHead, RunNode};
use crate::log::{LogFile, path};
use crate::model::{Job, JobId, Outcome, Phase, Run, RunId, Sh};
use crate::store::{self, ListedRun, Reader, RunPage};
use crate::time::Time;

/// The database files looked for in a root, ours first.
const DATABASES: [&str; 2] = [store::OUR_DATABASE, store::QUIRE_DATABASE];

/// The fewest characters that may stand for an id.
const SHORTEST_ID_PART: usize = 4;

/// Runs, opened for reading.
pub struct Catalog {
    source: Source,
}

enum Source {
    /// A root whose database tells the runs.
    Store { root: PathBuf, reader: Reader },
    /// A root without a database: the log tree alone.
    Tree { root: PathBuf },
    /// A log or a directory of logs.
    Path { path: PathBuf },
}

/// Which runs to list.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RunFilter {
    /// Only runs of this repository.
    pub repo: Option<String>,
    /// Only runs of this ref, full (`refs/heads/main`) or by its last part (`main`).
    pub ref_name: Option<String>,
}

/// Some runs in the order of the list.
struct Page<'a> {
    filter: &'a RunFilter,
    id_part: Option<&'a str>,
    outcome: Option<Outcome>,
    skip: usize,
    limit: usize,
}

impl Default for Page<'_> {
    fn default() -> Self {
        Self { filter: &RunFilter { repo: None, ref_name: None }, id_part: None, outcome: None, skip: 0, limit: 0 }
    }
}

impl RunFilter {
    /// Whether it leaves anything out.
    #[must_use]
    pub const fn narrows(&self) -> bool {
        self.repo.is_some() || self.ref_name.is_some()
    }
}

/// Which run is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunSpec {
    /// The newest, or this many before it.
    Latest(usize),
    /// The newest that ended like this.
    LatestThat(Outcome),
    /// The one whose id is this, or begins or ends so.
    Id(String),
}

impl RunSpec {
    /// `latest`, `latest~N`, `latest-failed`, `latest-passed`, or an id or a part of one.
    ///
    /// # Errors
    /// A `latest~N` whose N is no number, and an id part too short to mean something.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "latest" => return Ok(Self::Latest(0)),
            "latest-failed" => return Ok(Self::LatestThat(Outcome::Failed)),
            "latest-passed" => return Ok(Self::LatestThat(Outcome::Passed)),
            _ => {}
        }
        if let Some(back) = text.strip_prefix("latest~") {
            let back = back
                .parse()
                .map_err(|_| Error::Usage(format!("`{text}`: N in latest~N is a number, as in latest~1")))?;
            return Ok(Self::Latest(back));
        }
        if text.chars().count() < SHORTEST_ID_PART {
            let why = format!(
                "`{text}` is too short for a run's id: give at least {SHORTEST_ID_PART} characters of its beginning or end"
            );
            return Err(Error::Usage(why));
        }
        Ok(Self::Id(text.to_owned()))
    }
}

impl Catalog {
    /// Opens a store: `db`, or the root's own database, or the root's log tree where there is none.
    ///
    /// # Errors
    /// When there is nothing of the kind, or the database cannot be read.
    pub fn open_store(root: &Path, db: Option<&Path>) -> Result<Self> {
        let found = || DATABASES.iter().map(|name| root.join(name)).find(|path| path.exists());
        let root = root.to_owned();
        let source = match db.map(Path::to_owned).or_else(found) {
            Some(db) => Source::Store { reader: Reader::open(&db)?, root },
            None if root.join("runs").is_dir() => Source::Tree { root },
            None => return Err(Error::NoStore { root }),
        };
        Ok(Self { source })
    }

    /// Opens a log file, or a directory of logs (a run's without its database, a Kubernetes pod's).
    ///
    /// # Errors
    /// When there is no such path.
    pub fn open_path(path: &Path) -> Result<Self> {
        std::fs::metadata(path).map_err(Error::io("open", path))?;
        Ok(Self { source: Source::Path { path: path.to_owned() } })
    }

    /// The newest runs, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read; so for every method here.
    pub fn runs(&self, filter: &RunFilter, limit: usize) -> Result<Vec<RunHead>> {
        self.page(&Page { filter, limit, ..Page::default() })
    }

    /// A run with its jobs and commands; `None` when it is not there (any more).
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn run(&self, id: &RunId) -> Result<Option<RunNode>> {
        match &self.source {
            Source::Store { root, reader } => {
                let Some(mut rows) = reader.run(id)? else { return Ok(None) };
                let dir = run_dir(root, &rows.run);
                let recorder = recorder(rows.ours, &rows.run, dir.as_deref());
                if recorder == Recorder::Gone {
                    // It may have finished the run between the two looks: what its rows say after the lock was free counts.
                    let Some(again) = reader.run(id)? else { return Ok(None) };
                    rows = again;
                }
                Ok(Some(load_node(join::run_head(rows.run, recorder), rows.jobs, dir)))
            }
            Source::Tree { root } => {
                let Some(run) = tree_runs(root)?.into_iter().find(|run| &run.id == id) else { return Ok(None) };
                let dir = run_dir(root, &run);
                Ok(Some(load_node(join::run_head(run, Recorder::Unknown), Vec::new(), dir)))
            }
            Source::Path { path } => path_run(path).map(Some),
        }
    }

    /// The run that is meant.
    ///
    /// # Errors
    /// When there is none, or when several ids match: they are listed.
    pub fn find(&self, spec: &RunSpec, filter: &RunFilter) -> Result<RunId> {
        if let Source::Path { .. } = self.source {
            return Ok(path_run_id());
        }
        match spec {
            RunSpec::Latest(back) => {
                let found = self.page(&Page { filter, skip: *back, limit: 1, ..Page::default() })?.pop();
                let what =
                    if *back == 0 { "no run yet".to_owned() } else { format!("no run {back} before the newest") };
                found.map(|head| head.run.id).ok_or_else(|| self.not_found(&what, filter))
            }
            RunSpec::LatestThat(outcome) => {
                let page = Page { filter, outcome: Some(*outcome), limit: 1, ..Page::default() };
                let what = if *outcome == Outcome::Passed { "no run has passed" } else { "no run has failed" };
                self.page(&page)?.pop().map(|head| head.run.id).ok_or_else(|| self.not_found(what, filter))
            }
            RunSpec::Id(part) => self.by_id(part, filter),
        }
    }

    /// The store's directory, which the paths of its logs lie under.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        match &self.source {
            Source::Store { root, .. } | Source::Tree { root } => Some(root),
            Source::Path { .. } => None,
        }
    }

    /// Whether the database may have changed since the last call; the first call says yes. Cheap: no table is read. Logs and
    /// directories are not looked at.
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn changed(&mut self) -> Result<bool> {
        match &mut self.source {
            Source::Store { reader, .. } => reader.changed(),
            Source::Tree { .. } | Source::Path { .. } => Ok(true),
        }
    }

    /// The directories in which a change may mean something new about the list of runs, or about `run`.
    #[must_use]
    pub fn watched(&self, run: Option<&RunNode>) -> Vec<PathBuf> {
        let parent = |file: &Path| file.parent().map(Path::to_owned).unwrap_or_default();
        let mut dirs = match &self.source {
            Source::Store { reader, .. } => vec![parent(reader.path())],
            Source::Tree { root } => vec![root.join("runs")],
            Source::Path { path } if path.is_dir() => vec![path.clone()],
            Source::Path { path } => vec![parent(path)],
        };
        if let Some(run) = run {
            dirs.extend(run.dir.clone());
            dirs.extend(run.dir.as_ref().map(|dir| dir.join("jobs")));
            let logs = run.jobs.iter().flat_map(|job| &job.shs).filter_map(|sh| sh.log.as_ref());
            dirs.extend(logs.map(|log| parent(&log.path)));
        }
        dirs.sort();
        dirs.dedup();
        dirs
    }

    fn page(&self, page: &Page<'_>) -> Result<Vec<RunHead>> {
        let Page { filter, id_part, outcome, skip, limit } = *page;
        match &self.source {
            Source::Store { root, reader } => {
                let page = RunPage {
                    repo: filter.repo.clone(),
                    ref_name: filter.ref_name.clone(),
                    id_part: id_part.map(str::to_owned),
                    outcome,
                    skip,
                    limit,
                };
                listed_heads(root, reader, &page)
            }
            Source::Tree { root } => {
                let wanted = |run: &Run| {
                    let id = run.id.as_str();
                    filter.ref_name.is_none()
                        && outcome.is_none()
                        && (filter.repo.is_none() || filter.repo == run.repo)
                        && id_part.is_none_or(|part| id.starts_with(part) || id.ends_with(part))
                };
                let runs = tree_runs(root)?.into_iter().filter(wanted).skip(skip).take(limit);
                Ok(runs.map(|run| join::run_head(run, Recorder::Unknown)).collect())
            }
            Source::Path { path } => {
                Ok(path_run(path).map(|run| run.head).into_iter().skip(skip).take(limit).collect())
            }
        }
    }

    fn by_id(&self, part: &str, filter: &RunFilter) -> Result<RunId> {
        const SHOWN: usize = 10;
        let mut found = self.page(&Page { filter, id_part: Some(part), limit: SHOWN + 1, ..Page::default() })?;
        if let Some(exact) = found.iter().find(|head| head.run.id.as_str() == part) {
            return Ok(exact.run.id.clone());
        }
        if found.len() > 1 {
            let more = if found.len() > SHOWN { "\n  …" } else { "" };
            let listed: Vec<String> = found.iter().take(SHOWN).map(candidate).collect();
            let text = format!("several runs match `{part}`; give more of one:\n  {}{more}", listed.join("\n  "));
            return Err(Error::NotFound(text));
        }
        let one = found.pop().map(|head| head.run.id);
        one.ok_or_else(|| self.not_found(&format!("no run whose id begins or ends with `{part}`"), filter))
    }

    fn not_found(&self, what: &str, filter: &RunFilter) -> Error {
        let place = match &self.source {
            Source::Store { reader, .. } => reader.path(),
            Source::Tree { root } => root,
            Source::Path { path } => path,
        };
        let of =
            |name: &str, value: &Option<String>| value.as_ref().map(|v| format!(" {name} {v}")).unwrap_or_default();
        let narrowed = [of("of repo", &filter.repo), of("on ref", &filter.ref_name)].concat();
        Error::NotFound(format!("{what}{narrowed} in {}\n`rundown list` shows the runs there are", place.display()))
    }
}

fn candidate(head: &RunHead) -> String {
    let queued = head.run.queued_at.map(Time::rfc3339_millis).unwrap_or_default();
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}  {}  {}  {queued}", head.run.id.as_str(), word(&head.run.repo), word(&head.run.state))
}

fn run_dir(root: &Path, run: &Run) -> Option<PathBuf> {
    path::run_dir(root, run.repo.as_deref()?, &run.id)
}

/// Runs for a list. Those that nobody records any more are read again after that was seen: they may just have been finished.
fn listed_heads(root: &Path, reader: &Reader, page: &RunPage) -> Result<Vec<RunHead>> {
    let recorder_of = |listed: &ListedRun| recorder(listed.ours, &listed.run, run_dir(root, &listed.run).as_deref());
    let mut listed = reader.runs(page)?;
    let is_gone = |listed: &&ListedRun| recorder_of(listed) == Recorder::Gone;
    let gone: HashSet<RunId> = listed.iter().filter(is_gone).map(|listed| listed.run.id.clone()).collect();
    if !gone.is_empty() {
        listed = reader.runs(page)?;
    }
    let head = |listed: ListedRun| {
        let recorder = if gone.contains(&listed.run.id) { Recorder::Gone } else { Recorder::Unknown };
        join::run_head(listed.run, recorder)
    };
    Ok(listed.into_iter().map(head).collect())
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
fn load_node(head: RunHead, mut jobs: Vec<(Job, Vec<Sh>)>, dir: Option<PathBuf>) -> RunNode {
    let mut faults = Vec::new();
    let mut told = |error: Error| faults.push(error::chain(&error));
    if let Some(dir) = &dir {
        let known: HashSet<JobId> = jobs.iter().map(|(job, _)| job.id.clone()).collect();
        let listed = path::list_jobs(dir).unwrap_or_else(|error| {
            told(error);
            Vec::new()
        });
        let alone = listed.into_iter().filter(|id| !known.contains(id));
        jobs.extend(alone.map(|id| (Job::without_row(id), Vec::new())));
    }
    let mut load = |(job, shs): (Job, Vec<Sh>)| {
        let found = dir.as_ref().map_or(Ok(Vec::new()), |dir| path::list_logs(dir, &job.id));
        let found = found.unwrap_or_else(|error| {
            told(error);
            Vec::new()
        });
        // Times are worth a read only where they decide.
        let guessed = !shs.is_empty() && shs.iter().all(|sh| sh.n.is_none());
        let logs = found.into_iter().map(|found| dated(found, guessed)).collect();
        join::job_node(&head, job, shs, logs)
    };
    let jobs = jobs.into_iter().map(&mut load).collect();
    RunNode { head, dir, jobs, faults }
}

/// A log that cannot be read has no time; whoever shows it says why.
fn dated(found: path::FoundLog, wanted: bool) -> DatedLog {
    let first_at = if wanted && found.bytes > 0 {
        LogFile::open(&found.path).and_then(|log| log.first_time()).ok().flatten()
    } else {
        None
    };
    DatedLog { n: found.n, log: LogRef { path: found.path, bytes: found.bytes }, first_at }
}

fn run_without_row(id: RunId, repo: Option<String>) -> Run {
    Run {
        id,
        repo,
        ref_name: None,
        sha: None,
        state: None,
        reason: None,
        queued_at: None,
        started_at: None,
        finished_at: None,
    }
}

/// The runs of a log tree, newest first: ids are UUIDv7, so they sort by time.
fn tree_runs(root: &Path) -> Result<Vec<Run>> {
    let mut runs: Vec<Run> =
        path::list_runs(root)?.into_iter().map(|(repo, id)| run_without_row(id, Some(repo))).collect();
    runs.sort_by(|a, b| b.id.cmp(&a.id));
    Ok(runs)
}

fn path_run_id() -> RunId {
    RunId(String::new())
}

/// The logs under a path as a run without a row.
fn path_run(path: &Path) -> Result<RunNode> {
    let head = join::run_head(run_without_row(path_run_id(), None), Recorder::Unknown);
    let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
    let dir = Some(path.to_owned()).filter(|_| metadata.is_dir());
    let found = match &dir {
        Some(dir) => path::discover(dir)?,
        None => vec![(String::new(), vec![path::FoundLog { n: 1, path: path.to_owned(), bytes: metadata.len() }])],
    };
    let node = |(job, found): (String, Vec<path::FoundLog>)| {
        let logs = found.into_iter().map(|found| dated(found, false)).collect();
        join::job_node(&head, Job::without_row(JobId(job)), Vec::new(), logs)
    };
    let jobs = found.into_iter().map(node).collect();
    Ok(RunNode { head, dir, jobs, faults: Vec::new() })
}

/// How a run stands, for scripts: the exit code of `--exit-status`. `None`: logs without a row tell nothing of it.
#[must_use]
pub const fn exit_status(head: &RunHead) -> Option<u8> {
    Some(match (head.phase, head.outcome) {
        (Phase::Unknown, _) => return None,
        (Phase::Queued | Phase::Active, _) => 4,
        (Phase::Finished, Some(Outcome::Stopped | Outcome::Skipped)) => 3,
        (Phase::Finished, _) if head.interrupted => 3,
        (Phase::Finished, Some(Outcome::Passed)) => 0,
        (Phase::Finished, Some(Outcome::Failed) | None) => 1,
    })
}
