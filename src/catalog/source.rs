//! A store or a path, and the requests that every view makes to it.
//!
//! Nothing is opened before the first request. Each request looks for the database again: it may
//! appear, vanish or be replaced while a view is open. If it has vanished, requests fail until it
//! is back. They do not read the log tree instead, which contains less about the same runs.

use std::cell::{Ref, RefCell};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
#[cfg(feature = "remote")]
use std::sync::Arc;

use super::load;
use super::location::{Location, OpenSource};
use super::matching::matching;
use super::select::{RunFilter, RunList};
use crate::error::{Error, Result};
use crate::file::{FilePath, dir_of};
use crate::join::{self, Recorder, RunHead, RunNode, RunParts};
#[cfg(feature = "remote")]
use crate::log::BlockCache;
use crate::log::{Container, LogPath, path};
use crate::model::{Outcome, Phase, RunId};
#[cfg(feature = "remote")]
use crate::remote::{PAGE_KEYS, RemoteStore};
#[cfg(feature = "remote")]
use crate::s3::Bucket;
use crate::store::{Beside, Highlight, RunPage};

/// The runs of a store or a path, for reading.
pub struct Catalog {
    pub(super) place: Location,
    /// The store or path as the last request found it; `None` before the first request.
    source: RefCell<Option<OpenSource>>,
}

impl Catalog {
    /// Creates a catalog of a store: the database `db`, or else the root's own database, or else
    /// the root's log tree. Nothing has to exist yet.
    #[must_use]
    pub fn of_store(root: &Path, db: Option<&Path>) -> Self {
        let place = Location::Store { root: root.to_owned(), db: db.map(Path::to_owned) };
        Self { place, source: RefCell::default() }
    }

    /// Creates a catalog of the runs in a bundle. The file need not exist yet.
    #[must_use]
    pub fn of_bundle(path: &Path) -> Self {
        Self::of_container(path, Container::File(FilePath::named(path)))
    }

    /// Creates a catalog of the runs in a bundle at any place. `path` identifies it for the user.
    #[must_use]
    pub fn of_container(path: &Path, place: Container) -> Self {
        let place = Location::Bundle { path: path.to_owned(), place };
        Self { place, source: RefCell::default() }
    }

    /// Creates a catalog of the store in object storage below the prefix of a bucket. What is read
    /// of logs is kept in `cache`. Nothing has to exist yet.
    #[cfg(feature = "remote")]
    #[must_use]
    pub fn of_bucket(bucket: Bucket, cache: Option<Arc<BlockCache>>) -> Self {
        let path = PathBuf::from(bucket.url().to_string());
        let place = Location::Remote { path, bucket: Arc::new(bucket), cache };
        Self { place, source: RefCell::default() }
    }

    /// Creates a catalog of a log file or of a directory of logs (of a run without its database, or
    /// of a Kubernetes pod). Nothing has to exist yet.
    #[must_use]
    pub fn of_path(path: &Path) -> Self {
        let place = Location::Path { path: path.to_owned(), log: None };
        Self { place, source: RefCell::default() }
    }

    /// Creates a catalog of a log that is no plain file.
    #[must_use]
    pub fn of_log(log: LogPath) -> Self {
        let place = Location::Path { path: log.to_path_buf(), log: Some(log) };
        Self { place, source: RefCell::default() }
    }

    /// Creates a new catalog of the same location. The new catalog has read nothing yet.
    #[must_use]
    pub fn reopened(&self) -> Self {
        Self { place: self.place.clone(), source: RefCell::default() }
    }

    /// Looks for a store, without reading it.
    ///
    /// # Errors
    /// If there is no store, or if its directory cannot be accessed.
    pub fn check_exists(&self) -> Result<()> {
        self.source().map(drop)
    }

    /// Returns true if the runs are in object storage, whose changes are found only by requests.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        #[cfg(feature = "remote")]
        return matches!(self.place, Location::Remote { .. });
        #[cfg(not(feature = "remote"))]
        return false;
    }

    /// Returns true if this is a catalog of a log that does not grow any more: a compressed log
    /// that is complete, or a pipe that was closed. A file may always grow.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        match &self.place {
            Location::Path { log: Some(LogPath::Spooled(spool)), .. } => spool.has_ended(),
            Location::Path { log: Some(LogPath::Packed(_)), .. } => true,
            _ => false,
        }
    }

    /// Looks for changes, and returns the store or path to read now.
    pub(super) fn source(&self) -> Result<Ref<'_, OpenSource>> {
        let next = self.place.changed_from(self.source.borrow().as_ref())?;
        if next.is_some() {
            self.source.replace(next);
        }
        Ref::filter_map(self.source.borrow(), Option::as_ref)
            .map_err(|_| Error::Internal("no source".into()))
    }

    /// Returns the newest runs, newest first, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be read. This holds for every method here.
    pub fn runs(&self, filter: &RunFilter, limit: usize) -> Result<RunList> {
        Ok(self.list(page_of(filter), limit)?.unwrap_or_default())
    }

    /// Returns the nearest runs on one side of a run, newest first; `None` if that run is not in
    /// the database (any more).
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn runs_beside(
        &self,
        beside: &Beside,
        filter: &RunFilter,
        limit: usize,
    ) -> Result<Option<RunList>> {
        self.list(RunPage { beside: Some(beside.clone()), ..page_of(filter) }, limit)
    }

    /// Returns the nearest run on one side of a run; `None` if there is no such run. If `outcome`
    /// is given, only runs with this outcome count. If `same_ref` is true, only runs of the same
    /// repository and ref count.
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn nearest(
        &self,
        beside: &Beside,
        outcome: Option<Outcome>,
        same_ref: bool,
        filter: &RunFilter,
    ) -> Result<Option<RunHead>> {
        let outcomes = outcome.map(Some).into_iter().collect();
        let mut page = RunPage { beside: Some(beside.clone()), outcomes, ..page_of(filter) };
        if same_ref {
            let id_part = Some(beside.run().as_str().to_owned());
            let Some(from) = self.newest(RunPage { id_part, ..page_of(filter) })? else {
                return Ok(None);
            };
            page.repo = from.run.repo.or(page.repo);
            page.ref_names.extend(from.run.ref_name);
        }
        self.newest(page)
    }

    /// Loads a run with its jobs and commands; `None` if it does not exist (any more).
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn run(&self, id: &RunId) -> Result<Option<RunNode>> {
        Ok(self.run_parts(id)?.map(load::node))
    }

    /// Loads the parts of a run, before its commands are matched with its logs; `None` if it does
    /// not exist (any more).
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn run_parts(&self, id: &RunId) -> Result<Option<RunParts>> {
        match &*self.source()? {
            OpenSource::Store { root, reader } => load::stored_run(root, reader, id),
            OpenSource::Tree { root, .. } => load::tree_run(root, id),
            OpenSource::Bundle { bundle, .. } => bundle.run(id),
            #[cfg(feature = "remote")]
            OpenSource::Remote(store) => store.run(id),
            OpenSource::Path { path, log } => load::path_run(path, log.as_ref()).map(Some),
        }
    }

    /// Returns true if a recorder still adds to a command of a run that has ended: of one that was
    /// begun by `rundown begin`, and ended before its last steps.
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn has_running_command(&self, run: &RunParts) -> Result<bool> {
        Ok(match &*self.source()? {
            OpenSource::Store { root, .. } => load::has_running_command(root, run),
            _ => false,
        })
    }

    /// Loads the runs with these ids, in order, with their jobs and commands, until the rows fill
    /// the memory for one read. Returns them with the number of ids that were looked up. Runs that
    /// do not exist (any more) are left out.
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn runs_whole(&self, ids: &[RunId]) -> Result<(Vec<RunNode>, usize)> {
        if let OpenSource::Store { root, reader } = &*self.source()? {
            return load::stored_runs(root, reader, ids);
        }
        let nodes = ids.iter().filter_map(|id| self.run(id).transpose());
        Ok((nodes.collect::<Result<_>>()?, ids.len()))
    }

    /// Finds the job and the command that represent each of these runs in a list. Runs without such
    /// a job, and runs whose rows cannot be read in time, are left out. Returns no highlights of a
    /// log tree.
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn highlights(&self, runs: &[RunHead]) -> Result<Vec<(RunId, Highlight)>> {
        let source = self.source()?;
        let reader = match &*source {
            OpenSource::Store { reader, .. } => reader,
            OpenSource::Bundle { bundle, .. } => {
                let highlight = |head: &RunHead| {
                    // A run that cannot be read is reported when it is opened.
                    let parts = bundle.run(&head.run.id).ok()??;
                    Some((head.run.id.clone(), highlight(&load::node(parts))?))
                };
                return Ok(runs.iter().filter_map(highlight).collect());
            }
            #[cfg(feature = "remote")]
            OpenSource::Remote(store) => {
                let highlight = |head: &RunHead| {
                    let job = store.failed_job(&head.run.id)?;
                    Some((head.run.id.clone(), Highlight { job, sh: None }))
                };
                return Ok(runs.iter().filter_map(highlight).collect());
            }
            OpenSource::Tree { .. } | OpenSource::Path { .. } => return Ok(Vec::new()),
        };
        let is_open = |head: &RunHead| head.phase == Phase::Active || head.interrupted;
        let runs: Vec<_> = runs.iter().map(|head| (head.run.id.clone(), is_open(head))).collect();
        reader.highlights(&runs)
    }

    /// Resets the time limit of the store. All reads between two calls may together use up to 10
    /// seconds of database time.
    pub fn renew(&self) {
        if let Some(OpenSource::Store { reader, .. }) = &*self.source.borrow() {
            reader.renew();
        }
    }

    /// Gives the store more time, in proportion to the size of its database, to read all runs.
    pub fn extend_for_all(&self) {
        if let Some(OpenSource::Store { reader, .. }) = &*self.source.borrow() {
            reader.extend_for_all();
        }
    }

    /// Returns the root of the store, which contains its logs, or the bundle; `None` for a catalog
    /// of a path.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        match &self.place {
            Location::Store { root, .. } | Location::Bundle { path: root, .. } => Some(root),
            #[cfg(feature = "remote")]
            Location::Remote { path, .. } => Some(path),
            Location::Path { .. } => None,
        }
    }

    /// Returns the path that requests read: the database if one is known, else the path that was
    /// given.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match (&*self.source.borrow(), &self.place) {
            (Some(OpenSource::Store { reader, .. }), _) => reader.path().to_owned(),
            (
                _,
                Location::Store { db: Some(path), .. }
                | Location::Store { root: path, .. }
                | Location::Bundle { path, .. }
                | Location::Path { path, .. },
            ) => path.clone(),
            #[cfg(feature = "remote")]
            (_, Location::Remote { path, .. }) => path.clone(),
        }
    }

    /// Calls `take` with the repository and id of each run that has a directory of logs but no row
    /// in the database. Does nothing without a database. Repositories are read one after the other,
    /// so that not all are in memory at once. Returns notices about directories that cannot be
    /// read.
    ///
    /// # Errors
    /// As for [`Catalog::runs`], or an error of `take`.
    pub fn dirs_without_row(
        &self,
        mut take: impl FnMut(String, RunId) -> Result<()>,
    ) -> Result<Vec<String>> {
        let mut notices = Vec::new();
        if let OpenSource::Store { root, reader } = &*self.source()? {
            for repo in path::list_runs(root)? {
                notices.extend(repo.unreadable.iter().map(load::hidden_runs));
                for (repo, id) in reader.unknown(repo.runs)? {
                    if load::may_have_logs(root, &repo, &id) {
                        take(repo, id)?;
                    }
                }
            }
        }
        Ok(notices)
    }

    /// Returns messages for the user about the way the store was read; empty before the first
    /// request.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        match &*self.source.borrow() {
            Some(OpenSource::Store { reader, .. }) => reader.notices(),
            Some(OpenSource::Tree { notices, .. }) => notices.borrow().clone(),
            #[cfg(feature = "remote")]
            Some(OpenSource::Remote(store)) => store.notices(),
            Some(OpenSource::Bundle { .. } | OpenSource::Path { .. }) | None => Vec::new(),
        }
    }

    /// Returns true if the database may have changed since the last call, and on the first call.
    /// Cheap: reads no table. Returns false without a database: changes of logs and directories are
    /// not detected (see [`Catalog::watched`]).
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn changed(&mut self) -> Result<bool> {
        self.check_exists()?;
        match self.source.get_mut() {
            Some(OpenSource::Store { reader, .. }) => reader.changed(),
            #[cfg(feature = "remote")]
            Some(OpenSource::Remote(store)) => store.changed(),
            _ => Ok(false),
        }
    }

    /// Returns the directories in which a change may affect the list of runs or `run`, the most
    /// important ones first.
    #[must_use]
    pub fn watched(&self, run: Option<&RunNode>) -> Vec<PathBuf> {
        let mut dirs = match &self.place {
            Location::Store { db: Some(db), .. } => vec![dir_of(db)],
            Location::Store { root, db: None } => vec![root.clone()],
            Location::Path { log: Some(log), .. } => log.dirs(),
            Location::Path { path, .. } if path.is_dir() => vec![path.clone()],
            Location::Bundle { place, .. } => place.dirs(),
            #[cfg(feature = "remote")]
            Location::Remote { .. } => Vec::new(),
            Location::Path { path, .. } => vec![dir_of(path)],
        };
        if let Some(OpenSource::Tree { root, .. }) = &*self.source.borrow() {
            dirs.extend(path::list_run_parents(root));
        }
        if let Some(run) = run {
            dirs.extend(run.dir.clone());
            dirs.extend(run.dir.as_ref().map(|dir| dir.join("jobs")));
            // The last jobs are the most likely to be still running.
            let logs =
                run.jobs.iter().rev().flat_map(|job| &job.shs).filter_map(|sh| sh.log.as_ref());
            dirs.extend(logs.filter_map(|log| Some(dir_of(log.path.file()?))));
        }
        let mut known = HashSet::new();
        dirs.retain(|dir| known.insert(dir.clone()));
        dirs
    }

    /// Returns a page of at most `limit` runs; `None` if the page starts from a run that does not
    /// exist (any more). Requests one run more than `limit`, to find out if the list continues.
    pub(super) fn list(&self, page: RunPage, limit: usize) -> Result<Option<RunList>> {
        let page = RunPage { limit: limit.saturating_add(1), ..page };
        let Some(mut heads) = self.page_if_there(&page)? else { return Ok(None) };
        let has_more = heads.len() > limit;
        match page.beside {
            Some(Beside::Newer(_)) => _ = heads.drain(..heads.len().saturating_sub(limit)),
            Some(Beside::Older(_)) | None => heads.truncate(limit),
        }
        Ok(Some(RunList { heads, has_more }))
    }

    pub(super) fn page(&self, page: &RunPage) -> Result<Vec<RunHead>> {
        Ok(self.page_if_there(page)?.unwrap_or_default())
    }

    pub(super) fn page_if_there(&self, page: &RunPage) -> Result<Option<Vec<RunHead>>> {
        let heads: Vec<RunHead> = match &*self.source()? {
            OpenSource::Store { root, reader } => return load::listed_heads(root, reader, page),
            OpenSource::Tree { root, notices } => {
                let (runs, tree_notices) = load::tree_runs(root)?;
                notices.replace(tree_notices);
                runs.into_iter().map(|run| join::run_head(run, Recorder::Unknown)).collect()
            }
            OpenSource::Bundle { bundle, .. } => bundle.heads().collect(),
            #[cfg(feature = "remote")]
            OpenSource::Remote(store) => return remote_page(store, page),
            OpenSource::Path { .. } if page.beside.is_some() => return Ok(Some(Vec::new())),
            OpenSource::Path { path, log } => {
                return Ok(Some(vec![load::path_run(path, log.as_ref())?.head()]));
            }
        };
        Ok(matching(&heads, page))
    }
}

/// Returns the runs of a page from a store in object storage. Reads its list as far as needed.
#[cfg(feature = "remote")]
fn remote_page(store: &RemoteStore, page: &RunPage) -> Result<Option<Vec<RunHead>>> {
    let list = RemoteStore::list_of(page.repo.as_deref(), page.ref_names.first().map(|it| &**it));
    // A list contains all runs of its repository or ref, but other conditions leave some out.
    let is_plain = page.beside.is_none()
        && page.outcomes.is_empty()
        && page.commit.is_none()
        && page.id_part.is_none()
        && page.until.is_none();
    let wanted = page.skip.saturating_add(page.limit);
    let mut keys = if is_plain { wanted } else { PAGE_KEYS };
    loop {
        let read = store.heads(&list, keys)?;
        let found = matching(&read.runs, page);
        if read.is_all || found.as_ref().is_some_and(|found| is_enough(&read.runs, found, page)) {
            return Ok(found);
        }
        keys = keys.max(read.keys).saturating_add(PAGE_KEYS);
    }
}

/// Returns true if older runs than `heads` need not be read, because they cannot be on a page, or
/// because the newest match counts.
#[cfg(feature = "remote")]
fn is_enough(heads: &[RunHead], found: &[RunHead], page: &RunPage) -> bool {
    let oldest = heads.last().and_then(|head| head.run.listed_at());
    let is_before = page.since.is_some_and(|since| oldest.is_some_and(|oldest| oldest < since));
    let is_complete = |part: &String| heads.iter().any(|head| is_complete_id(&head.run.id, part));
    // The digits of a commit most often mean a new run.
    let is_named = page.id_part.as_ref().is_some_and(is_complete) && !found.is_empty()
        || page.not_commit.is_some();
    let is_newer = matches!(page.beside, Some(Beside::Newer(_)));
    is_before || is_named || is_newer || found.len() >= page.limit
}

/// Returns true if a text is an id, or the short form of an id that is a `UUIDv7`. Other texts may
/// be a part of this id and the complete id of an older run.
#[cfg(feature = "remote")]
fn is_complete_id(id: &RunId, text: &str) -> bool {
    id.as_str() == text || id.short() == text && id.time().is_some()
}

/// Finds the job and the command that represent a run; `None` if nothing failed.
fn highlight(run: &RunNode) -> Option<Highlight> {
    let (job, _) = run.first_failed()?;
    let sh = job.shs.iter().rev().find(|sh| sh.state.is_failure())?.sh.clone();
    Some(Highlight { job: job.job.id.clone(), sh })
}

/// Returns a request for the runs that match a filter; the caller sets the limit.
pub(super) fn page_of(filter: &RunFilter) -> RunPage {
    let ref_names = filter.ref_name.iter().cloned().collect();
    RunPage { repo: filter.repo.clone(), ref_names, ..RunPage::default() }
}

#[cfg(all(test, feature = "remote"))]
mod tests {
    use super::*;
    use crate::model::Run;

    #[test]
    fn a_list_is_read_on_until_an_id_is_complete() {
        let uuid = "0198f000-0000-7000-8000-00000000abcd";
        let head =
            |id: &str| join::run_head(Run::without_row(RunId(id.into()), None), Recorder::Gone);
        let heads = [head("nightly-10"), head(uuid)];
        for (part, enough) in [
            ("nightly-10", true),
            ("nightly-1", false),
            ("ghtly-10", false),
            (uuid, true),
            ("0000abcd", true),
            ("0198f000", false),
        ] {
            let page = RunPage { id_part: Some(part.into()), limit: 11, ..RunPage::default() };
            let found = matching(&heads, &page).unwrap();
            assert_eq!((found.len(), is_enough(&heads, &found, &page)), (1, enough), "{part}");
        }
    }
}
