//! The search for runs on the worker's thread. It examines the store from the newest run on, a
//! slice at a time, and stops once enough runs match.

use super::RunsQuery;
use crate::catalog::{Beside, Catalog, RunFilter};
use crate::error::Result;
use crate::model::RunId;
use crate::tui::msg::{FoundRuns, Msg, Next, PAGE_RUNS, RunsRequest};

/// The number of runs examined before newer requests are handled: a few milliseconds of work.
const SLICE_RUNS: usize = 500;
/// The number of matches after which the search stops until more are requested.
const ENOUGH: usize = PAGE_RUNS;

/// A search in progress.
pub struct RunsSearch {
    request: RunsRequest,
    query: RunsQuery,
    /// The last run examined.
    after: Option<RunId>,
    found: usize,
    is_over: bool,
}

impl RunsSearch {
    pub fn new(request: RunsRequest) -> Self {
        let (query, after) = (RunsQuery::new(&request.text), request.after.clone());
        Self { request, query, after, found: 0, is_over: false }
    }

    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Examines the next slice. A slice that cannot be read is retried by the next call.
    pub fn go_on(&mut self, catalog: &Catalog, filter: &RunFilter) -> Result<Msg> {
        let beside = self.after.clone().map(Beside::Older);
        let list = match &beside {
            Some(beside) => catalog.runs_beside(beside, filter, SLICE_RUNS)?,
            None => None,
        };
        // Begin at the newest run if this is the first slice, or if the last run examined is no
        // longer in the store.
        let is_anew = list.is_none();
        let list = list.map_or_else(|| catalog.runs(filter, SLICE_RUNS), Ok)?;
        self.after = list.heads.last().map(|head| head.run.id.clone());
        let looked = list.heads.len();
        let heads: Vec<_> =
            list.heads.into_iter().filter(|head| self.query.matches(head)).collect();
        self.found = heads.len() + if is_anew { 0 } else { self.found };
        let next = match &self.after {
            Some(after) if list.has_more && self.found >= ENOUGH => Next::After(after.clone()),
            Some(_) if list.has_more => Next::Looking,
            _ => Next::End,
        };
        self.is_over = next != Next::Looking;
        Ok(Msg::RunsFound(self.request.ticket, FoundRuns { heads, looked, is_anew, next }))
    }
}
