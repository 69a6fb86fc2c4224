//! The worker: owns the catalog and the open log, and does the work that the model requests.
//!
//! [`Worker`] does one thing at a time and answers with messages; a headless test calls it
//! directly. [`work`] is its thread: it takes in all pending requests, drops those that a newer one
//! replaces, reads the log before the store, and searches for runs and counts rows while it is
//! idle. A panic is reported by a message, and the worker then serves the next request.

mod inbox;
mod store;
#[cfg(test)]
mod tests;
mod thread;

use std::path::PathBuf;

use super::excerpt;
use super::msg::{Msg, PAGE_RUNS, Work, WorkerRequest};
use super::runs::RunsSearch;
use super::wait::Wait;
use crate::catalog::{Catalog, RunFilter, RunSpec};
use crate::document::{Answer, DocumentReader, PageRequest, Ticket};
use crate::error::{self, Result};

use store::{MAX_WATCHED, Seen, modified_at};
pub(super) use thread::work;

/// The state of the worker.
pub(super) struct Worker {
    catalog: Catalog,
    /// The run to open, until it has been found.
    sought: Option<RunSpec>,
    filter: RunFilter,
    open: Option<DocumentReader>,
    search: Option<RunsSearch>,
    seen: Seen,
    /// The wait that was reported last.
    waiting: Option<Wait>,
    /// The notices that were reported last.
    notices: Vec<String>,
}

impl Worker {
    pub(super) fn new(catalog: Catalog, sought: Option<RunSpec>, filter: RunFilter) -> Self {
        Self {
            catalog,
            sought,
            filter,
            open: None,
            search: None,
            seen: Seen::default(),
            waiting: None,
            notices: Vec::new(),
        }
    }

    /// Serves a request and returns the answers.
    pub(super) fn serve(&mut self, request: WorkerRequest) -> Vec<Msg> {
        self.catalog.renew();
        match request {
            WorkerRequest::Load(run) => self.load(run),
            WorkerRequest::Refresh { run, needs_list } => self.refresh(run, needs_list),
            WorkerRequest::ReadRuns(beside) => {
                match self.catalog.runs_beside(&beside, &self.filter, PAGE_RUNS) {
                    Ok(runs) => vec![Msg::RunsBeside(beside, runs)],
                    Err(error) => self.fail(self.seen.run.clone(), &error),
                }
            }
            WorkerRequest::ReadHighlights(runs) => {
                // If the store cannot be read, the list of runs shows no highlights for these runs.
                let found = self.catalog.highlights(&runs).unwrap_or_default();
                vec![Msg::Highlights(runs, found)]
            }
            WorkerRequest::FindRuns(request) => {
                self.search = request.map(RunsSearch::new);
                self.search_runs()
            }
            WorkerRequest::Step(step) => {
                let (outcome, filter) = (step.outcome, &self.filter);
                match self.catalog.nearest(&step.beside, outcome, step.same_ref, filter) {
                    Ok(head) => vec![Msg::Stepped(step, head.map(Box::new))],
                    Err(error) => {
                        let failed = self.fail(self.seen.run.clone(), &error);
                        failed.into_iter().chain([Msg::StepFailed]).collect()
                    }
                }
            }
            WorkerRequest::ReadLog(ticket, request) => {
                let answers = self.read_log(ticket, *request);
                let again = self.look_again(&answers);
                answers.into_iter().chain(again).chain(self.watch_log()).collect()
            }
            WorkerRequest::CopyRows(log, tail) => vec![match excerpt::copied(&log, tail) {
                Ok((text, is_cut)) => Msg::Copied(text, is_cut),
                Err(error) => Msg::Failed(Work::External, error::line(&error)),
            }],
        }
    }

    /// Does a slice of the search for runs.
    fn search_runs(&mut self) -> Vec<Msg> {
        let Some(search) = &mut self.search else { return Vec::new() };
        let found = search.go_on(&self.catalog, &self.filter);
        self.search.take_if(|search| search.is_over());
        found.map_or_else(|error| self.fail(self.seen.run.clone(), &error), |found| vec![found])
    }

    /// Returns true if a search is in progress and the store can be read.
    const fn is_searching(&self) -> bool {
        self.search.is_some() && !self.seen.is_stale
    }

    fn read_log(&mut self, ticket: Ticket, request: PageRequest) -> Vec<Msg> {
        let reader = self.open.get_or_insert_with(|| DocumentReader::new(request.document.clone()));
        let answer = reader.ask(ticket, request);
        self.answer(answer)
    }

    /// Returns the answer of the reader as a message. After a failure, nothing is tried again until
    /// the next request.
    fn answer(&mut self, answer: Result<Option<Answer>>) -> Vec<Msg> {
        let Some(reader) = &mut self.open else { return Vec::new() };
        let ticket = reader.ticket();
        match answer {
            Ok(answer) => answer.map(|answer| Msg::Log(ticket, answer)).into_iter().collect(),
            Err(error) => {
                reader.give_up();
                vec![Msg::Failed(Work::Log(ticket), error::line(&error))]
            }
        }
    }

    /// Returns [`Msg::Disk`] if another file has replaced the one that was read. The new file must
    /// be read, but the disk watcher may report no further change. Returns `None` after a failure:
    /// the worker then waits for the disk watcher.
    fn look_again(&self, answers: &[Msg]) -> Option<Msg> {
        let has_failed = answers.iter().any(|answer| matches!(answer, Msg::Failed(..)));
        self.open.as_ref().filter(|open| open.awaits_switch() && !has_failed).map(|_| Msg::Disk)
    }

    /// Returns all directories to watch if an open log is in a directory that is not watched yet.
    /// If a log is a symbolic link, its target may be in a directory that the catalog does not
    /// watch.
    fn watch_log(&mut self) -> Option<Msg> {
        let is_known = |dir: &PathBuf| self.seen.dirs.iter().any(|(known, _)| known == dir);
        let new: Vec<_> =
            self.open.as_ref()?.dirs().into_iter().filter(|dir| !is_known(dir)).collect();
        if new.is_empty() {
            return None;
        }
        self.seen.dirs.splice(0..0, new.into_iter().map(|dir| (dir.clone(), modified_at(&dir))));
        self.seen.dirs.truncate(MAX_WATCHED);
        Some(Msg::Dirs(
            self.seen.run.clone(),
            self.seen.dirs.iter().map(|(dir, _)| dir.clone()).collect(),
        ))
    }

    /// Returns the path that a request reads. Without a request, returns the path of the open log
    /// if there is background work, even if that work is a search for runs.
    fn path_of(&self, request: Option<&WorkerRequest>) -> Option<PathBuf> {
        match request {
            Some(WorkerRequest::ReadLog(_, page)) => {
                page.document.log_of(0).map(|(log, _)| log.to_path_buf())
            }
            Some(WorkerRequest::CopyRows(log, _)) => Some(log.to_path_buf()),
            Some(_) => Some(self.catalog.path()),
            None => self.open.as_ref().filter(|_| self.has_work()).and_then(DocumentReader::path),
        }
    }

    /// Returns true if there is background work: a search for runs, the rest of an unanswered
    /// request for a page, or rows and matches to count.
    pub(super) fn has_work(&self) -> bool {
        self.is_searching() || self.open.as_ref().is_some_and(DocumentReader::has_work)
    }

    /// Does a slice of the background work.
    pub(super) fn go_on(&mut self) -> Vec<Msg> {
        self.catalog.renew();
        // A user who types waits for the result, so the search comes first.
        if self.is_searching() {
            return self.search_runs();
        }
        let Some(reader) = &mut self.open else { return Vec::new() };
        let answer = reader.go_on();
        self.answer(answer)
    }
}
