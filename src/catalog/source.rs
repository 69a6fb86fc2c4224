//! A store or a path: the questions that every view asks of it.
//!
//! Nothing is opened before something is asked, and what a store has is looked for each time: its
//! database may appear, vanish or give way to another while somebody looks on. One that has
//! vanished is waited for: the log tree alone would tell less of the same runs.

use std::cell::{Ref, RefCell};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::load;
use super::select::{RunFilter, RunList, RunSpec};
use crate::error::{Error, Result};
use crate::file::dir_of;
use crate::join::{self, Recorder, RunHead, RunNode};
use crate::log::path;
use crate::model::{Outcome, Run, RunId};
use crate::store::{self, Beside, Reader, RunPage};
use crate::time::Time;

/// The database files looked for in a root, ours first.
const DATABASES: [&str; 2] = [store::OUR_DATABASE, store::QUIRE_DATABASE];

/// Runs, for reading.
pub struct Catalog {
    place: Location,
    /// What was there when something was asked last.
    source: RefCell<Option<Opened>>,
}

/// Where the runs are.
#[derive(Clone)]
enum Location {
    /// A root, and the database if another one than its own is named.
    Store { root: PathBuf, db: Option<PathBuf> },
    /// A log or a directory of logs.
    Path(PathBuf),
}

enum Opened {
    /// A root whose database tells the runs.
    Store { root: PathBuf, reader: Box<Reader> },
    /// A root without a database: the log tree alone, and what was to be said of it when its runs
    /// were listed last.
    Tree { root: PathBuf, notices: RefCell<Vec<String>> },
    /// A log or a directory of logs.
    Path { path: PathBuf },
}

impl Catalog {
    /// A store: `db`, or the root's own database, or the root's log tree where there is none.
    /// Nothing of it needs to be there yet.
    #[must_use]
    pub fn of_store(root: &Path, db: Option<&Path>) -> Self {
        let place = Location::Store { root: root.to_owned(), db: db.map(Path::to_owned) };
        Self { place, source: RefCell::default() }
    }

    /// A log file, or a directory of logs (a run's without its database, a Kubernetes pod's).
    /// Nothing needs to be there yet.
    #[must_use]
    pub fn of_path(path: &Path) -> Self {
        Self { place: Location::Path(path.to_owned()), source: RefCell::default() }
    }

    /// Another one of the same place, which has read nothing yet.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self { place: self.place.clone(), source: RefCell::default() }
    }

    /// Looks for a store, without reading anything of it.
    ///
    /// # Errors
    /// When there is none, or it cannot be told.
    pub fn look(&self) -> Result<()> {
        self.source().map(drop)
    }

    /// What there is to be read now.
    fn source(&self) -> Result<Ref<'_, Opened>> {
        let next = self.place.changed_from(self.source.borrow().as_ref())?;
        if next.is_some() {
            self.source.replace(next);
        }
        Ref::filter_map(self.source.borrow(), Option::as_ref)
            .map_err(|_| Error::Internal("no source".into()))
    }

    /// The newest runs, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read; so for every method here.
    pub fn runs(&self, filter: &RunFilter, limit: usize) -> Result<RunList> {
        Ok(self.list(page_of(filter), limit)?.unwrap_or_default())
    }

    /// The nearest runs on one side of a run, newest first; `None` when that run is not there (any
    /// more).
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn runs_beside(
        &self,
        beside: &Beside,
        filter: &RunFilter,
        limit: usize,
    ) -> Result<Option<RunList>> {
        self.list(RunPage { beside: Some(beside.clone()), ..page_of(filter) }, limit)
    }

    /// The nearest run on one side of a run, of those that ended in this way if one is named;
    /// `None` when there is none.
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn nearest(
        &self,
        beside: &Beside,
        outcome: Option<Outcome>,
        filter: &RunFilter,
    ) -> Result<Option<RunHead>> {
        let page = RunPage { beside: Some(beside.clone()), outcome, limit: 1, ..page_of(filter) };
        Ok(self.page(&page)?.pop())
    }

    /// A run with its jobs and commands; `None` when it is not there (any more).
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn run(&self, id: &RunId) -> Result<Option<RunNode>> {
        match &*self.source()? {
            Opened::Store { root, reader } => load::stored_run(root, reader, id),
            Opened::Tree { root, .. } => load::tree_run(root, id),
            Opened::Path { path } => load::path_run(path).map(Some),
        }
    }

    /// Runs with their jobs and commands, as many as may be read at once, and how many of the ids
    /// that was; those that are not there (any more) are left out.
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn runs_whole(&self, ids: &[RunId]) -> Result<(Vec<RunNode>, usize)> {
        if let Opened::Store { root, reader } = &*self.source()? {
            return load::stored_runs(root, reader, ids);
        }
        let nodes = ids.iter().filter_map(|id| self.run(id).transpose());
        Ok((nodes.collect::<Result<_>>()?, ids.len()))
    }

    /// Resets the time limit of the store: all readings between two calls take at most 10 seconds
    /// of the database.
    pub fn renew(&self) {
        if let Some(Opened::Store { reader, .. }) = &*self.source.borrow() {
            reader.renew();
        }
    }

    /// Gives the store more time, to read all runs: how much depends on the size of its database.
    pub fn extend_for_all(&self) {
        if let Some(Opened::Store { reader, .. }) = &*self.source.borrow() {
            reader.extend_for_all();
        }
    }

    /// The run that is meant.
    ///
    /// # Errors
    /// When there is none, or when several ids match: they are listed.
    pub fn find(&self, spec: &RunSpec, filter: &RunFilter) -> Result<RunId> {
        if let Location::Path(_) = self.place {
            return Ok(load::path_run_id());
        }
        match spec {
            RunSpec::Latest(back) => {
                let found = self.page(&RunPage { skip: *back, limit: 1, ..page_of(filter) })?.pop();
                let what = if *back == 0 {
                    "no run yet".to_owned()
                } else {
                    format!("no run {back} before the newest")
                };
                found.map(|head| head.run.id).ok_or_else(|| self.not_found(&what, filter))
            }
            RunSpec::LatestThat(outcome) => {
                let page = RunPage { outcome: Some(*outcome), limit: 1, ..page_of(filter) };
                let what = if *outcome == Outcome::Passed {
                    "no run has passed"
                } else {
                    "no run has failed"
                };
                self.page(&page)?
                    .pop()
                    .map(|head| head.run.id)
                    .ok_or_else(|| self.not_found(what, filter))
            }
            RunSpec::Id(part) => self.by_id(part, filter),
        }
    }

    /// The store's directory, which the paths of its logs lie under.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        match &self.place {
            Location::Store { root, .. } => Some(root),
            Location::Path(_) => None,
        }
    }

    /// What is read when something is asked: the database where one is known, or what was named.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match (&*self.source.borrow(), &self.place) {
            (Some(Opened::Store { reader, .. }), _) => reader.path().to_owned(),
            (
                _,
                Location::Store { db: Some(path), .. }
                | Location::Store { root: path, .. }
                | Location::Path(path),
            ) => path.clone(),
        }
    }

    /// Hands on the runs that have a directory of logs and no row in the database, by repository
    /// and id, as it goes through the repositories: not all are in memory at once. Returns what
    /// is to be said of directories that cannot be read.
    ///
    /// # Errors
    /// As for [`Catalog::runs`], or as `take` says.
    pub fn dirs_without_row(
        &self,
        mut take: impl FnMut(String, RunId) -> Result<()>,
    ) -> Result<Vec<String>> {
        let mut notices = Vec::new();
        if let Opened::Store { root, reader } = &*self.source()? {
            for repo in path::list_runs(root)? {
                notices.extend(repo.unreadable.iter().map(load::hidden_runs));
                for (repo, id) in reader.unknown(repo.runs)? {
                    take(repo, id)?;
                }
            }
        }
        Ok(notices)
    }

    /// What a user should know of how the store is read, once it has been.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        match &*self.source.borrow() {
            Some(Opened::Store { reader, .. }) => reader.notices(),
            Some(Opened::Tree { notices, .. }) => notices.borrow().clone(),
            Some(Opened::Path { .. }) | None => Vec::new(),
        }
    }

    /// Whether the database may have changed since the last call; the first call says yes. Cheap:
    /// no table is read. Where there is none it never has: logs and directories are not looked
    /// at (see [`Catalog::watched`]).
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn changed(&mut self) -> Result<bool> {
        self.look()?;
        match self.source.get_mut() {
            Some(Opened::Store { reader, .. }) => reader.changed(),
            _ => Ok(false),
        }
    }

    /// The directories in which a change may mean something new about the list of runs, or about
    /// `run`: the most telling first.
    #[must_use]
    pub fn watched(&self, run: Option<&RunNode>) -> Vec<PathBuf> {
        let mut dirs = match &self.place {
            Location::Store { db: Some(db), .. } => vec![dir_of(db)],
            Location::Store { root, db: None } => vec![root.clone()],
            Location::Path(path) if path.is_dir() => vec![path.clone()],
            Location::Path(path) => vec![dir_of(path)],
        };
        if let Some(Opened::Tree { root, .. }) = &*self.source.borrow() {
            dirs.extend(path::list_run_parents(root));
        }
        if let Some(run) = run {
            dirs.extend(run.dir.clone());
            dirs.extend(run.dir.as_ref().map(|dir| dir.join("jobs")));
            // The last jobs are the likeliest to go on.
            let logs =
                run.jobs.iter().rev().flat_map(|job| &job.shs).filter_map(|sh| sh.log.as_ref());
            dirs.extend(logs.map(|log| dir_of(&log.path)));
        }
        let mut known = HashSet::new();
        dirs.retain(|dir| known.insert(dir.clone()));
        dirs
    }

    /// One run more than are listed tells whether there are more.
    fn list(&self, page: RunPage, limit: usize) -> Result<Option<RunList>> {
        let page = RunPage { limit: limit.saturating_add(1), ..page };
        let Some(mut heads) = self.page_if_there(&page)? else { return Ok(None) };
        let has_more = heads.len() > limit;
        match page.beside {
            Some(Beside::Newer(_)) => _ = heads.drain(..heads.len().saturating_sub(limit)),
            Some(Beside::Older(_)) | None => heads.truncate(limit),
        }
        Ok(Some(RunList { heads, has_more }))
    }

    fn page(&self, page: &RunPage) -> Result<Vec<RunHead>> {
        Ok(self.page_if_there(page)?.unwrap_or_default())
    }

    fn page_if_there(&self, page: &RunPage) -> Result<Option<Vec<RunHead>>> {
        let runs = match &*self.source()? {
            Opened::Store { root, reader } => return load::listed_heads(root, reader, page),
            Opened::Tree { root, notices } => {
                let (runs, told) = load::tree_runs(root)?;
                notices.replace(told);
                runs
            }
            Opened::Path { .. } if page.beside.is_some() => return Ok(Some(Vec::new())),
            Opened::Path { path } => return Ok(Some(vec![load::path_run(path)?.head])),
        };
        // An id that is named whole means that run, however many others begin or end with it.
        let is_whole = page
            .id_part
            .as_ref()
            .is_some_and(|part| runs.iter().any(|run| run.id.as_str() == part));
        let has_part = |id: &str, part: &String| {
            id == part || !is_whole && (id.starts_with(part) || id.ends_with(part))
        };
        let wanted = |run: &Run| {
            page.ref_name.is_none()
                && page.outcome.is_none()
                && (page.repo.is_none() || page.repo == run.repo)
                && page.id_part.as_ref().is_none_or(|part| has_part(run.id.as_str(), part))
                && match &page.beside {
                    Some(Beside::Older(id)) => run.id < *id,
                    Some(Beside::Newer(id)) => run.id > *id,
                    None => true,
                }
        };
        let mut runs: Vec<Run> = runs.into_iter().filter(wanted).collect();
        if let Some(Beside::Newer(_)) = page.beside {
            runs.drain(..runs.len().saturating_sub(page.limit));
        }
        let runs = runs.into_iter().skip(page.skip).take(page.limit);
        Ok(Some(runs.map(|run| join::run_head(run, Recorder::Unknown)).collect()))
    }

    fn by_id(&self, part: &str, filter: &RunFilter) -> Result<RunId> {
        const SHOWN: usize = 10;
        let mut found = self.page(&RunPage {
            id_part: Some(part.to_owned()),
            limit: SHOWN + 1,
            ..page_of(filter)
        })?;
        if found.len() > 1 {
            let more = if found.len() > SHOWN { "\n  …" } else { "" };
            let listed: Vec<String> = found.iter().take(SHOWN).map(candidate).collect();
            let text = format!(
                "several runs match `{part}`; give more of one:\n  {}{more}",
                listed.join("\n  ")
            );
            return Err(Error::NotFound(text));
        }
        let one = found.pop().map(|head| head.run.id);
        one.ok_or_else(|| {
            self.not_found(&format!("no run whose id begins or ends with `{part}`"), filter)
        })
    }

    fn not_found(&self, what: &str, filter: &RunFilter) -> Error {
        let of = |name: &str, value: &Option<String>| {
            value.as_ref().map(|v| format!(" {name} {v}")).unwrap_or_default()
        };
        let narrowed = [of("of repo", &filter.repo), of("on ref", &filter.ref_name)].concat();
        Error::NotFound(format!(
            "{what}{narrowed} in {}\n`rundown list` shows the runs there are",
            self.path().display()
        ))
    }
}

impl Location {
    /// What is to be read instead of what was read last; `None`: the same.
    fn changed_from(&self, last: Option<&Opened>) -> Result<Option<Opened>> {
        let (root, db) = match self {
            Self::Path(path) => {
                return Ok(last.is_none().then(|| Opened::Path { path: path.clone() }));
            }
            Self::Store { root, db } => (root, db),
        };
        let found = match db {
            Some(db) => Some(db.clone()),
            None => database_of(root).map_err(Error::io("open the store", root))?,
        };
        Ok(match (found, last) {
            (Some(db), Some(Opened::Store { reader, .. })) if reader.path() == db => None,
            (Some(db), _) => {
                Some(Opened::Store { root: root.clone(), reader: Box::new(Reader::new(&db)) })
            }
            (None, Some(Opened::Store { .. })) => None,
            (None, last) if root.join("runs").is_dir() => last
                .is_none()
                .then(|| Opened::Tree { root: root.clone(), notices: RefCell::default() }),
            (None, _) => {
                return Err(Error::NoStore { root: root.clone(), why: why_no_store(root) });
            }
        })
    }
}

fn why_no_store(root: &Path) -> &'static str {
    if root.is_dir() {
        "the directory has no rundown.db, quire.db or runs/"
    } else {
        "there is no such directory"
    }
}

/// The runs that a filter leaves; how many is for the caller to say.
fn page_of(filter: &RunFilter) -> RunPage {
    RunPage { repo: filter.repo.clone(), ref_name: filter.ref_name.clone(), ..RunPage::default() }
}

/// The database in a root; what may not be looked at is not taken for missing.
fn database_of(root: &Path) -> std::io::Result<Option<PathBuf>> {
    for name in DATABASES {
        let path = root.join(name);
        if path.try_exists()? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn candidate(head: &RunHead) -> String {
    let queued = head.run.queued_at.and_then(Time::rfc3339_millis).unwrap_or_default();
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    format!(
        "{}  {}  {}  {queued}",
        head.run.id.as_str(),
        word(&head.run.repo),
        word(&head.run.state)
    )
}
