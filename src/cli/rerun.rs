//! `rundown rerun`: runs recorded commands again, as a new run that refers to the original.
//!
//! The jobs keep their names. They also keep their needs, except those of jobs that were not
//! selected. A command runs in its recorded directory and with its recorded shell. Its environment
//! is ours, because the environment of a command is not recorded.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::PathBuf;

use super::args::Rerun;
use super::recording::{Adds, setup};
use super::{exec, found_run};
use crate::catalog::{Catalog, RunFilter, RunSpec};
use crate::display::in_directory;
use crate::dump;
use crate::error::{Error, Result};
use crate::join::{JobNode, RunNode, ShNode};
use crate::model::{JobId, Sh};
use crate::record::{self, Facts, JobSettings, Pipeline, PipelineCommand, PipelineJob, Secrets};
use crate::sanitize;

/// Runs the selected commands of a run again. Returns the exit code.
pub(super) fn rerun(rerun: &Rerun) -> anyhow::Result<u8> {
    let mut setup = setup(&rerun.facts, &rerun.store, Adds::Run)?;
    let root = setup.options.store_root.clone().map_err(Error::Usage)?;
    let catalog = Catalog::of_store(&root, None);
    let spec = RunSpec::parse(&rerun.run)?;
    let node = found_run(&catalog, Some(&spec), &RunFilter::default(), rerun.run.as_ref())?;
    drop(catalog);
    let selection = dump::Selection { job: rerun.job.clone(), n: rerun.sh, ..Default::default() };
    if let Some(why) = dump::why_nothing(&node, &selection) {
        return Err(Error::NotFound(why).into());
    }
    // The other attempts of a command are needed, too.
    let node = dump::select(node, &dump::Selection { n: None, ..selection });
    let pipeline = pipeline(&node, &Selection::of(rerun))?;
    let options = &mut setup.options;
    options.details.repeats = Some(node.head.run.id.clone());
    let run = &node.head.run;
    let given = |given: &Option<String>, recorded: &Option<String>| {
        given.clone().or_else(|| recorded.clone()).unwrap_or_default()
    };
    options.facts = Facts {
        repo: given(&rerun.facts.repo, &run.repo),
        ref_name: given(&rerun.facts.ref_name, &run.ref_name),
        sha: given(&rerun.facts.sha, &run.sha),
    };
    (options.quiet, options.fail_fast) = (rerun.quiet, false);
    let begun = record::Recording::pipeline(options, &pipeline)?;
    let ended = setup.execute(begun);
    Ok(exec::finish(&setup, &rerun.store, &ended))
}

/// The commands to run again.
struct Selection {
    failed: bool,
    n: Option<u32>,
}

impl Selection {
    fn of(rerun: &Rerun) -> Self {
        Self { failed: rerun.failed, n: rerun.sh }
    }

    /// Returns true for a command to run again. Its attempts count as one command, with the state
    /// of the last one; it is run from the row of the first.
    fn has(&self, job: &JobNode, sh: &ShNode) -> bool {
        let has_failed = |sh: &ShNode| sh.state.is_failure();
        is_first(sh)
            && self.n.is_none_or(|n| attempts(job, sh).any(|sh| n == sh.n))
            && (!self.failed || attempts(job, sh).last().is_some_and(has_failed))
    }
}

fn is_first(sh: &ShNode) -> bool {
    sh.sh.as_ref().is_some_and(|sh| sh.attempt.is_none_or(|n| n == 1))
}

/// Returns the attempts of a command, whose first one is `first`.
fn attempts<'a>(job: &'a JobNode, first: &'a ShNode) -> impl Iterator<Item = &'a ShNode> {
    let cmd = |sh: &'a ShNode| sh.sh.as_ref().map(|sh| &sh.cmd);
    let later = job.shs.iter().filter(move |sh| sh.n > first.n && cmd(sh) == cmd(first));
    std::iter::once(first).chain(later.take_while(|sh| !is_first(sh)))
}

/// Returns the pipeline of the selected commands.
///
/// # Errors
/// If nothing is selected, or a command contains a secret that was not recorded.
fn pipeline(run: &RunNode, selection: &Selection) -> Result<Pipeline> {
    let mut jobs = Vec::new();
    for job in &run.jobs {
        let selected = job.shs.iter().filter(|sh| selection.has(job, sh));
        let stored = selected.filter_map(|sh| sh.sh.as_ref());
        let shs: Vec<&Sh> = stored.filter(|sh| !sh.is_unknown()).collect();
        jobs.extend(job_of(job, &shs)?);
    }
    if jobs.is_empty() {
        let what = if selection.failed { "failed command" } else { "command" };
        return Err(Error::NotFound(format!("the run has no {what} that matches")));
    }
    let ids: HashSet<JobId> = jobs.iter().map(|job: &PipelineJob| job.id.clone()).collect();
    for job in &mut jobs {
        job.needs.retain(|need| ids.contains(need));
    }
    Ok(Pipeline::of_jobs(run.head.run.details.name.clone(), jobs))
}

/// Returns a job with these commands; `None` if `shs` is empty. The job has the directory and the
/// shell of the first command.
fn job_of(job: &JobNode, shs: &[&Sh]) -> Result<Option<PipelineJob>> {
    let Some(first) = shs.first() else { return Ok(None) };
    let id = job.job.id.clone();
    let settings = JobSettings {
        dir: first.cwd.clone().map(PathBuf::from),
        shell: first.shell.clone(),
        allow_failure: job.job.allow_failure,
        ..JobSettings::default()
    };
    let commands = shs.iter().map(|sh| command_of(sh, first)).collect::<Result<_>>()?;
    let needs = job.job.needs.iter().cloned().map(JobId).collect();
    Ok(Some(PipelineJob { base: id.clone(), id, needs, commands, settings }))
}

/// Returns a command of a job whose first command is `first`. In another directory, it is a line
/// that changes the directory first.
///
/// # Errors
/// If the command contains a secret that was not recorded.
fn command_of(sh: &Sh, first: &Sh) -> Result<PipelineCommand> {
    if let Some(name) = Secrets::masked_name(&sh.cmd) {
        return Err(Error::Usage(format!(
            "cannot run `{}` again: it contains the secret {name}, which was not recorded",
            sanitize::name(&sh.cmd)
        )));
    }
    if sh.cwd != first.cwd
        && let Some(line) = in_directory(sh)
    {
        return Ok(PipelineCommand::Shell(line));
    }
    Ok(match sh.argv() {
        Some(argv) => PipelineCommand::Argv(argv.into_iter().map(OsString::from).collect()),
        None => PipelineCommand::Shell(sh.cmd.clone()),
    })
}
