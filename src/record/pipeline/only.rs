//! The selection of jobs by name: `--only JOB`.

use std::collections::HashSet;

use globset::Glob;

use super::values::suggestion;
use super::{Pipeline, PipelineJob, When, waits};
use crate::error::{Error, Result};

impl Pipeline {
    /// Returns a pipeline of the selected jobs. Their needs of other jobs are dropped. A job with
    /// [`When::OnFailure`] that then waits for no job always runs.
    ///
    /// A selector is the name of a job, the name of a matrix in the file, or a glob that matches
    /// such names.
    ///
    /// # Errors
    /// If a selector matches no job. The error contains the name that was probably meant.
    pub fn only<S: AsRef<str>>(&self, selectors: &[S]) -> Result<Self> {
        let mut selected = HashSet::new();
        for selector in selectors {
            selected.extend(self.select(selector.as_ref())?.into_iter().map(|job| &job.id));
        }
        let mut jobs: Vec<PipelineJob> =
            self.jobs.iter().filter(|job| selected.contains(&job.id)).cloned().collect();
        for job in &mut jobs {
            job.needs.retain(|need| selected.contains(need));
        }
        let waits = waits(&jobs);
        for (job, waits) in jobs.iter_mut().zip(waits) {
            if waits.is_empty() && job.settings.when == When::OnFailure {
                job.settings.when = When::Always;
            }
        }
        Ok(Self { name: self.name.clone(), jobs })
    }

    /// Returns the jobs that a selector matches: at least one.
    fn select(&self, selector: &str) -> Result<Vec<&PipelineJob>> {
        let names: Vec<_> =
            self.jobs.iter().flat_map(|job| [job.id.as_str(), job.base.as_str()]).collect();
        let selects = selects(selector, &names);
        let is_selected =
            |job: &&PipelineJob| selects(job.id.as_str()) || selects(job.base.as_str());
        let found: Vec<_> = self.jobs.iter().filter(is_selected).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let mut names: Vec<_> = self.jobs.iter().map(|job| job.base.as_str()).collect();
        names.dedup();
        let suggestion = suggestion(selector, names.into_iter(), "the jobs are");
        Err(Error::Usage(format!("the pipeline has no job {selector:?}; {suggestion}")))
    }
}

/// Returns a function that is true for the names that a selector selects: the name that equals it
/// or, if none of `names` does, those that match it as a glob.
pub(crate) fn selects<'s>(selector: &'s str, names: &[&str]) -> impl Fn(&str) -> bool + use<'s> {
    let is_name = names.contains(&selector);
    let glob = Glob::new(selector).ok().filter(|_| !is_name).map(|glob| glob.compile_matcher());
    move |name| match &glob {
        Some(glob) => glob.is_match(name),
        None => is_name && name == selector,
    }
}
