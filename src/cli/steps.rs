//! `rundown begin`, `end` and `sh`: runs of many steps.

use std::io::{self, Write};

use super::args::{Begin, BeginFormat, End, EndState, RecordArgs, RunFacts, Sh};
use super::place::variable;
use super::recording::{Adds, config_or_default, details, prune_old, setup};
use super::uploader::{PUSH, Target};
use super::{exit_status, print_notices};
use crate::catalog::{Catalog, RunFilter, RunSpec};
use crate::display::{Status, duration};
use crate::error::{Error, Result};
use crate::join::RunNode;
use crate::model::{ABORTED, JobId, RunDetails, RunId};
use crate::record::{self, Facts, Options};
use crate::store::{COMMAND_FAILED, RunEnd};

/// Begins a run, and prints its id or the variables for its steps. Returns the exit code.
pub(super) fn begin(begin: Begin) -> anyhow::Result<u8> {
    let root = begin.root.root_to_write()?;
    let root = std::path::absolute(&root).unwrap_or(root);
    let mut options = Options::new(&root);
    options.facts = Facts::find(&begin.facts.given(), &options.cwd);
    let parent = variable(record::TRACEPARENT).filter(|text| record::is_traceparent(text));
    let found = details(&begin.facts.env);
    options.details = RunDetails {
        name: begin.name.or(found.name.clone()),
        traceparent: parent.clone(),
        ..found
    };
    options.reads_commit = true;
    let config = config_or_default(None);
    options.masking = begin.facts.masking(&config);
    let target = Target::of(&begin.push, &config);
    let run = record::begin_run(&options)?;
    if let Some(target) = &target {
        target.upload_detached(&root, &run);
    }
    let push = target.as_ref().map(|target| target.url.as_str());
    let text = match begin.format {
        BeginFormat::Id => run.0,
        BeginFormat::Env => variables(&run, &root.to_string_lossy(), parent.as_deref(), push)?,
    };
    writeln!(io::stdout().lock(), "{text}").map_err(Error::Output)?;
    Ok(0)
}

/// Returns the variables for the steps of a run, one on each line.
fn variables(run: &RunId, root: &str, parent: Option<&str>, push: Option<&str>) -> Result<String> {
    if root.contains(['\n', '\r']) {
        return Err(Error::Usage(format!("the path of the store {root:?} contains a line break")));
    }
    let trace = record::traceparent_of_run(run, parent);
    let lines =
        [(record::RUN, run.as_str()), (record::ROOT, root), (record::TRACEPARENT, trace.as_str())];
    let lines = lines.into_iter().chain(push.map(|url| (PUSH, url)));
    Ok(lines.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\n"))
}

/// Ends a run, prints a notice with its result, and removes old runs if that is due. Returns the
/// exit code.
pub(super) fn end(end: &End) -> anyhow::Result<u8> {
    let run = end.run.clone().or_else(|| variable(record::RUN)).ok_or_else(|| {
        Error::Usage(
            "no run to end; name its ID, or set RUNDOWN_RUN as `rundown begin` does".into(),
        )
    })?;
    let root = end.root.root_to_write()?;
    let state = end.state.map(|state| match state {
        EndState::Passed => RunEnd::Complete,
        EndState::Failed => RunEnd::Failed(COMMAND_FAILED),
        EndState::Stopped => RunEnd::Failed(ABORTED),
    });
    let run = RunId(run);
    let config = config_or_default(None);
    let warning = record::end_run(&root, &run, state, config.sync)?;
    let catalog = Catalog::of_store(&root, None);
    let found = catalog.find(&RunSpec::Id(run.0), &RunFilter::default())?;
    let Some(node) = catalog.run(&found)? else { return Ok(0) };
    drop(catalog);
    print_notices(&[warning, Some(result(&node))].into_iter().flatten().collect::<Vec<_>>());
    if let Some(target) = Target::of(&end.push, &config)
        && let Some(uploader) = target.upload(&root, &found)
    {
        uploader.wait();
    }
    prune_old(&root, &config.retention);
    Ok(if end.exit_status { exit_status(&node.head)? } else { 0 })
}

/// Returns the result of a run: `run 6d11 passed: 12 commands in 3 jobs, 1m 2s`.
pub(super) fn result(node: &RunNode) -> String {
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let commands = plural(node.jobs.iter().map(|job| job.shs.len()).sum(), "command");
    let jobs = plural(node.jobs.len(), "job");
    let took = node.head.lasted_ms().map(|ms| format!(", {}", duration(ms))).unwrap_or_default();
    let (id, word) = (node.head.run.id.short(), Status::of_run(&node.head).word());
    format!("run {id} {word}: {commands} in {jobs}{took}")
}

/// Runs the shell with these arguments, and records it as one command. Returns the exit code.
pub(super) fn run_line(sh: &Sh) -> anyhow::Result<u8> {
    let facts = RunFacts::default();
    let store = RecordArgs::default();
    let setup = setup(&facts, &store, Adds::Command(None))?;
    let options = &setup.options;
    let shell = variable("RUNDOWN_SHELL").unwrap_or_else(|| "sh".into());
    let job = variable(record::JOB).map(JobId).or_else(record::find_job);
    let job = job.unwrap_or_else(|| JobId("sh".into()));
    let begun = match sh.args.as_slice() {
        [option, line] if option == "-c" && shell == "sh" && line.to_str().is_some() => {
            record::Recording::line(options, &job, &line.to_string_lossy())?
        }
        args => {
            let shell = std::iter::once(shell.into());
            let command: Vec<_> = shell.chain(args.iter().cloned()).collect();
            record::Recording::command(options, &job, &command)?
        }
    };
    let ended = setup.execute(begun);
    Ok(setup.finish(&ended))
}
