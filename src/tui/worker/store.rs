//! Reading of the store on the worker's thread, whenever there is a sign of a change.
//!
//! Invariant: while the store cannot be read, the worker keeps the data read before and waits.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::Worker;
use crate::catalog::RunList;
use crate::document::DocumentReader;
use crate::error::{Error, Result};
use crate::join::{self, LogRef, RunHead, RunNode};
use crate::log::path;
use crate::model::{Phase, RunId};
use crate::time::Time;
use crate::tui::msg::{Msg, PAGE_RUNS};
use crate::tui::wait::Wait;

/// The most directories watched.
pub(super) const MAX_WATCHED: usize = 256;
/// The interval at which an active run is checked even if no file has changed: the death of a
/// recorder changes no file.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// The interval at which a list on a server is read again: nothing else reports a new run.
const LIST_AGAIN: Duration = Duration::from_secs(5);

/// The state of the store at the last read.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) run: Option<RunId>,
    /// The newest runs; `None` if the open run is not among them.
    pub(super) runs: Option<RunList>,
    pub(super) dirs: Vec<(PathBuf, Option<SystemTime>)>,
    /// The event file of the run, with the size up to which it was read. If nothing of the run has
    /// changed for long, also the logs that its recorder may still write.
    pub(super) files: Vec<LogRef>,
    /// The time of the last read, if a run was active then, or if the store is on a server.
    pub(super) alive_at: Option<Instant>,
    /// The time of the next finding about the open run if nothing happens before. A stall changes
    /// no file.
    pub(super) next_at: Option<Time>,
    /// True if the last read failed.
    pub(super) is_stale: bool,
}

impl Worker {
    /// Reads the store if it may have changed. `needs_list` is false if the list of runs is not on
    /// screen.
    pub(super) fn refresh(&mut self, run: Option<RunId>, needs_list: bool) -> Vec<Msg> {
        let is_remote = self.catalog.is_remote();
        let dirs_changed =
            self.seen.dirs.iter().any(|(dir, modified)| modified_at(dir) != *modified);
        let grown =
            |file: &LogRef| fs::metadata(&*file.path).is_ok_and(|meta| meta.len() != file.bytes);
        let files_changed = dirs_changed || self.seen.files.iter().any(grown);
        match self.catalog.changed() {
            Err(error) => self.fail(run, &error),
            Ok(changed)
                if changed || files_changed || self.seen.is_stale || self.seen.run != run =>
            {
                let mut messages = self.load(run);
                // The log on screen was read before, and no file reports that it has grown.
                messages
                    .extend(self.open.as_ref().filter(|_| changed && is_remote).map(|_| Msg::Disk));
                messages
            }
            Ok(_) if self.seen.next_at.is_some_and(|at| Time::now() > at) => self.load(run),
            Ok(_) if is_remote && !needs_list => Vec::new(),
            Ok(_) if self.seen.alive_at.is_some_and(|at| at.elapsed() >= look_again(is_remote)) => {
                self.check_recorder(run)
            }
            Ok(_) => Vec::new(),
        }
    }

    /// Checks whether a recorder was killed, which changes no file. The list of runs is quick to
    /// read, and shows that a run was interrupted.
    fn check_recorder(&mut self, run: Option<RunId>) -> Vec<Msg> {
        match self.catalog.runs(&self.filter, PAGE_RUNS) {
            Ok(runs) if self.seen.runs.as_ref() == Some(&runs) => {
                self.seen.alive_at = Some(Instant::now());
                Vec::new()
            }
            Ok(_) => self.load(run),
            Err(error) => self.fail(run, &error),
        }
    }

    /// Reports a failure. Keeps the data read before, and its watches. If nothing was read before,
    /// watches the store's own directories.
    pub(super) fn fail(&mut self, run: Option<RunId>, error: &Error) -> Vec<Msg> {
        self.seen.is_stale = true;
        let has_read = !self.seen.dirs.is_empty();
        let mut messages = self.wait_for(Some(Wait::of(error, has_read)));
        if !has_read {
            messages.push(Msg::Dirs(run, self.catalog.watched(None)));
        }
        messages
    }

    pub(super) fn load(&mut self, run: Option<RunId>) -> Vec<Msg> {
        let found = if run.is_none() { self.find() } else { Ok(None) };
        let (id, found) = match found {
            Ok(Some(id)) => (Some(id.clone()), Some(Msg::Found(id))),
            Ok(None) => (run, None),
            Err(error) => return self.fail(run, &error),
        };
        match self.try_load(id.clone()) {
            Ok(messages) => {
                self.sought = None;
                let first_run = || Wait::for_first_run(self.catalog.root(), self.filter.narrows());
                let waiting = self.wait_for(self.seen.run.is_none().then(first_run));
                let notices = self.take_notices();
                found.into_iter().chain(messages).chain(waiting).chain(notices).collect()
            }
            Err(error) => found.into_iter().chain(self.fail(id, &error)).collect(),
        }
    }

    /// Finds the run to open, if one was requested.
    fn find(&self) -> Result<Option<RunId>> {
        self.sought.as_ref().map(|spec| self.catalog.find(spec, &self.filter)).transpose()
    }

    /// Returns the notices about how the store is read, if they are new.
    fn take_notices(&mut self) -> Option<Msg> {
        let notices = self.catalog.notices();
        let is_new = self.notices != notices;
        self.notices.clone_from(&notices);
        is_new.then_some(Msg::Notices(notices))
    }

    /// Reports the current wait, if it is new.
    fn wait_for(&mut self, wait: Option<Wait>) -> Vec<Msg> {
        if self.waiting == wait {
            return Vec::new();
        }
        self.waiting.clone_from(&wait);
        vec![Msg::Waiting(wait)]
    }

    fn try_load(&mut self, run: Option<RunId>) -> Result<Vec<Msg>> {
        let runs = self.catalog.runs(&self.filter, PAGE_RUNS)?;
        let id = run.or_else(|| runs.heads.first().map(|head| head.run.id.clone()));
        let node = match &id {
            Some(id) => self.catalog.run(id)?,
            None => None,
        };
        let dirs = self.dirs(node.as_ref());
        // A list on a server has less of each run, so the two are never equal.
        let is_remote = self.catalog.is_remote();
        let is_listed =
            is_remote || node.as_ref().is_none_or(|node| runs.heads.contains(&node.head));
        let is_active = |head: &RunHead| head.phase == Phase::Active;
        let is_alive = runs.heads.iter().any(is_active)
            || node.as_ref().is_some_and(|node| is_active(&node.head));
        self.seen = Seen {
            run: id.clone(),
            runs: Some(runs.clone()).filter(|_| is_listed),
            dirs: dirs.iter().map(|dir| (dir.clone(), modified_at(dir))).collect(),
            files: node.as_ref().map(files_of).unwrap_or_default(),
            alive_at: (is_alive || is_remote).then(Instant::now),
            next_at: node.as_ref().and_then(|node| join::next_at(node, Time::now())),
            is_stale: false,
        };
        let mut messages = vec![Msg::Runs(runs)];
        messages.extend(id.clone().map(|id| Msg::Run(id, node.map(Box::new))));
        messages.push(Msg::Dirs(id, dirs));
        Ok(messages)
    }

    /// Returns the directories to watch, the most important first: those of the log on screen,
    /// those of the running jobs, whose first log may not exist yet, then those of the catalog.
    fn dirs(&self, node: Option<&RunNode>) -> Vec<PathBuf> {
        let mut dirs: Vec<_> = self.open.iter().flat_map(DocumentReader::dirs).collect();
        if let Some((node, run_dir)) = node.and_then(|node| Some((node, node.dir.as_ref()?))) {
            let open = node.jobs.iter().filter(|job| job.phase == Phase::Active);
            dirs.extend(open.filter_map(|job| path::job_dir(run_dir, &job.job.id)));
        }
        dirs.extend(self.catalog.watched(node));
        let mut known = HashSet::new();
        dirs.retain(|dir| known.insert(dir.clone()));
        dirs.truncate(MAX_WATCHED);
        dirs
    }
}

const fn look_again(is_remote: bool) -> Duration {
    if is_remote { LIST_AGAIN } else { LOOK_AGAIN }
}

fn files_of(run: &RunNode) -> Vec<LogRef> {
    let open = run.jobs.iter().filter(|job| job.phase != Phase::Finished);
    let logs = open.filter_map(|job| job.shs.last()?.log.as_ref()).chain(&run.log);
    let is_silent = join::silent_ms(run, Time::now()).is_some();
    logs.filter(|_| is_silent).chain(&run.events).cloned().collect()
}

pub(super) fn modified_at(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|meta| meta.modified()).ok()
}
