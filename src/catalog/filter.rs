//! The list of runs that meet conditions on their time, state and jobs.
//!
//! The database checks times and outcomes. Other conditions depend on locks or on several rows, so
//! they are checked here, page by page, until enough runs are found. The first page is small,
//! because often the newest runs suffice; each later page is twice as large, because a page of a
//! store without a database costs a listing of the whole store.

use super::load;
use super::location::OpenSource;
use super::select::{RunFilter, RunList};
use super::source::{Catalog, page_of};
use crate::error::Result;
use crate::join::RunHead;
use crate::model::{JobId, Outcome, RunId};
use crate::store::{Beside, RunPage};
use crate::time::Time;

/// The number of runs of the first page and of the largest page.
const PAGE_RUNS: (usize, usize) = (64, 4096);

/// A test for runs with certain jobs.
type HasJob<'a> = dyn Fn(&[JobId]) -> bool + 'a;

/// The conditions that the runs of a list meet. The default has no conditions.
#[derive(Default)]
pub struct ListFilter<'a> {
    /// The repository and the ref.
    pub runs: RunFilter,
    /// Only runs of this time or later. The time of a run is the one that the list is ordered by:
    /// of its push, or else of its creation. A run that is known only from its directory has the
    /// time in its id.
    pub since: Option<Time>,
    /// Only runs of this time or earlier.
    pub until: Option<Time>,
    /// Only runs with one of these outcomes; `None` stands for runs without an outcome. Empty for
    /// all runs.
    pub outcomes: Vec<Option<Outcome>>,
    /// Returns true for the runs to list.
    pub selects: Option<&'a dyn Fn(&RunHead) -> bool>,
    /// Returns true if a run with these jobs is listed.
    pub has_job: Option<&'a HasJob<'a>>,
}

impl ListFilter<'_> {
    fn page(&self, beside: Option<Beside>) -> RunPage {
        let outcomes = self.outcomes.clone();
        let (since, until) = (self.since, self.until);
        RunPage { outcomes, since, until, beside, ..page_of(&self.runs) }
    }

    /// Returns the runs of a page to list.
    fn keep(&self, catalog: &Catalog, mut heads: Vec<RunHead>) -> Result<Vec<RunHead>> {
        heads.retain(|head| self.selects.is_none_or(|selects| selects(head)));
        let Some(has_job) = self.has_job else { return Ok(heads) };
        let (mut kept, mut rest) = (Vec::new(), &heads[..]);
        while !rest.is_empty() {
            let jobs = catalog.job_names(rest)?;
            let is_kept = |(_, jobs): &(&RunHead, &Vec<JobId>)| has_job(jobs);
            kept.extend(rest.iter().zip(&jobs).filter(is_kept).map(|(head, _)| head.clone()));
            rest = rest.get(jobs.len()..).unwrap_or_default();
        }
        Ok(kept)
    }
}

impl Catalog {
    /// Returns the names of the jobs of the first `runs`: of as many runs as fit into the memory
    /// for one read, but at least of one. The directory and the events of a run are read only if
    /// its rows name no job.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn job_names(&self, runs: &[RunHead]) -> Result<Vec<Vec<JobId>>> {
        let ids: Vec<RunId> = runs.iter().map(|head| head.run.id.clone()).collect();
        match &*self.source()? {
            OpenSource::Store { root, reader } => {
                let mut names = reader.job_names(&ids)?;
                for (names, head) in
                    names.iter_mut().zip(runs).filter(|(names, _)| names.is_empty())
                {
                    *names = load::dir_jobs(root, &head.run);
                }
                Ok(names)
            }
            OpenSource::Tree { root, .. } => {
                Ok(runs.iter().map(|head| load::dir_jobs(root, &head.run)).collect())
            }
            OpenSource::Bundle { bundle, .. } => {
                let jobs_of = |id| Ok(bundle.run(id)?.map_or_else(Vec::new, |run| run.job_ids()));
                ids.iter().map(jobs_of).collect()
            }
            #[cfg(feature = "remote")]
            OpenSource::Remote(store) => {
                let jobs_of = |id| Ok(store.run(id)?.map_or_else(Vec::new, |run| run.job_ids()));
                ids.iter().map(jobs_of).collect()
            }
            OpenSource::Path { path, log } => {
                Ok(vec![load::path_run(path, log.as_ref())?.job_ids()])
            }
        }
    }

    /// Returns the newest runs that meet the conditions, newest first, at most `limit`. With
    /// `before`, returns only runs older than this one; no run if it does not exist (any more).
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn filtered_runs(
        &self,
        filter: &ListFilter<'_>,
        before: Option<&RunId>,
        limit: usize,
    ) -> Result<RunList> {
        let mut page = filter.page(before.cloned().map(Beside::Older));
        if filter.selects.is_none() && filter.has_job.is_none() {
            return Ok(self.list(page, limit)?.unwrap_or_default());
        }
        self.extend_for_all();
        let mut list = RunList::default();
        page.limit = limit.saturating_add(1).clamp(PAGE_RUNS.0, PAGE_RUNS.1);
        loop {
            // No page follows a run that was removed in the meantime, and the older ones with it.
            let heads = self.page_if_there(&page)?.unwrap_or_default();
            let next = heads.last().map(|head| Beside::Older(head.run.id.clone()));
            let is_last = heads.len() < page.limit;
            list.heads.extend(filter.keep(self, heads)?);
            list.has_more = list.heads.len() > limit;
            if list.has_more || is_last {
                list.heads.truncate(limit);
                return Ok(list);
            }
            page.beside = next;
            page.limit = page.limit.saturating_mul(2).min(PAGE_RUNS.1);
        }
    }
}
