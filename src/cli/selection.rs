//! The runs that the arguments of a command select: those that are named, or the newest ones.

use std::ffi::OsStr;

use super::args::{NEWEST, Narrow, StoreArgs};
use super::{load_named, print_notice, use_rules};
use crate::catalog::{Catalog, ListFilter, RunSpec};
use crate::error::{Error, Result};
use crate::model::{Outcome, Phase, RunId};

/// The arguments that select runs.
pub(super) struct Selection<'a> {
    pub runs: Vec<&'a OsStr>,
    pub last: Option<usize>,
    pub failed: bool,
    /// True if active runs of a list are left out.
    pub skips_active: bool,
    pub narrow: &'a Narrow,
    pub store: &'a StoreArgs,
}

impl Selection<'_> {
    /// Calls `take` with each run and its catalog, in the order of the arguments. Runs of a list are
    /// taken newest first.
    ///
    /// # Errors
    /// If there is no such run, if the store cannot be read, or with the error of `take`.
    pub fn for_each(
        &self,
        mut take: impl FnMut(&Catalog, &RunId) -> Result<()>,
    ) -> anyhow::Result<()> {
        let filter = self.narrow.filter();
        if self.last.is_some() || self.failed {
            let catalog = self.store.catalog()?;
            use_rules(None, catalog.root());
            let outcomes = self.failed.then_some(Some(Outcome::Failed)).into_iter().collect();
            let conditions = ListFilter { runs: filter, outcomes, ..ListFilter::default() };
            let list = catalog.filtered_runs(&conditions, None, self.last.unwrap_or(1))?;
            for head in &list.heads {
                if self.skips_active && head.phase != Phase::Finished {
                    let id = head.run.id.short();
                    print_notice(&format!("run {id} is left out: it has not ended"));
                } else {
                    take(&catalog, &head.run.id)?;
                }
            }
            if list.heads.is_empty() {
                let failed = if self.failed { "failed " } else { "" };
                let path = catalog.path();
                return Err(Error::NoRun(format!("no {failed}runs in {}", path.display())).into());
            }
            return Ok(());
        }
        let newest = [OsStr::new(NEWEST)];
        let named = if self.runs.is_empty() { &newest[..] } else { &self.runs };
        for run in named {
            let find = |catalog: &Catalog, spec: &RunSpec| catalog.find(spec, &filter);
            let (catalog, id) = load_named(self.store, &filter, run, find)?;
            use_rules(None, catalog.root());
            take(&catalog, &id)?;
        }
        Ok(())
    }
}
