//! `rundown exec`: runs a pipeline, and prints a summary on stderr.
//!
//! ```text
//! rundown: failed: job test, command 1: make check: exit 2; likely cause:
//! E main.c:3:1: error: unknown type name
//! rundown: run 34369c10 failed: 12 commands in 3 jobs, 1m 2s
//! rundown: to open it: rundown 34369c10
//! ```

use std::io::{self, Write};
use std::path::Path;
use std::thread;

use jiff::tz::TimeZone;

use super::args::{Exec, RecordArgs};
use super::leaving::open_command;
use super::recording::{Adds, Setup, config_or_default, setup};
use super::steps::result;
use super::{color, print_notice, use_rules, watch};
use crate::catalog::Catalog;
use crate::ci;
use crate::dump::{FailureSummary, PrintOptions};
use crate::error::{Error, Result};
use crate::join::RunNode;
use crate::model::{Phase, RunId};
use crate::record::{self, Ended, Pipeline};

/// The maximum number of failures in a summary.
const MAX_FAILURES: usize = 10;

/// Runs a pipeline, or prints its plan. Returns the exit code.
pub(super) fn exec(exec: &Exec) -> anyhow::Result<u8> {
    if exec.watch {
        return watch::exec(exec);
    }
    if exec.watched {
        watch::detach()?;
    }
    let pipeline = pipeline(exec)?;
    if exec.dry_run {
        let mut out = ci::Output::new(io::stdout().lock());
        let config = config_or_default(exec.store.config.as_deref());
        let plan = pipeline.plan(&exec.facts.masking(&config));
        out.write_all(plan.as_bytes()).map_err(Error::Output)?;
        return Ok(0);
    }
    let setup = setup_of(exec)?;
    let begun = record::Recording::pipeline(&setup.options, &pipeline)?;
    if exec.watched {
        writeln!(io::stdout().lock(), "{}", begun.run().as_str()).map_err(Error::Output)?;
    }
    let ended = setup.execute(begun);
    Ok(finish(&setup, &exec.store, &ended))
}

/// Does the work after a run: prints the messages, removes old runs if that is due, and prints the
/// summary. Returns the exit code.
pub(super) fn finish(setup: &Setup, store: &RecordArgs, ended: &Ended) -> u8 {
    let code = setup.finish(ended);
    if let Ok(root) = &setup.options.store_root
        && ended.is_recorded
    {
        print_summary(root, store, &ended.run);
    }
    code
}

/// Loads the pipeline, without the jobs that were not selected.
fn pipeline(exec: &Exec) -> Result<Pipeline> {
    let pipeline = if exec.file == Path::new("-") {
        record::read_pipeline(&mut io::stdin().lock(), Path::new("<stdin>"))?
    } else {
        record::load_pipeline(&exec.file)?
    };
    if exec.only.is_empty() { Ok(pipeline) } else { pipeline.only(&exec.only) }
}

fn setup_of(exec: &Exec) -> Result<Setup> {
    let mut setup = setup(&exec.facts, &exec.store, Adds::Run)?;
    let options = &mut setup.options;
    options.must_record |= exec.watched;
    (options.quiet, options.fail_fast) = (exec.quiet || exec.watched, exec.fail_fast);
    options.color = color(&io::stdout());
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    options.jobs = exec.jobs.unwrap_or_else(cores);
    Ok(setup)
}

/// Prints the failures of a run, its result, and the command that opens it. Prints nothing if the
/// end of the run could not be recorded, which has been reported.
fn print_summary(root: &Path, store: &RecordArgs, id: &RunId) {
    let Ok(Some(run)) = Catalog::of_store(root, None).run(id) else { return };
    use_rules(store.config.as_deref(), Some(root));
    if run.head.phase != Phase::Finished {
        return;
    }
    // Errors are ignored: the reader may be gone.
    let _ = print_failures(&run);
    print_notice(&result(&run));
    if let Some(command) = open_command(store.root.dir.as_deref(), id) {
        print_notice(&format!("to open it: {command}"));
    }
}

fn print_failures(run: &RunNode) -> io::Result<()> {
    let choice = anstream::AutoStream::choice(&io::stderr());
    let look = PrintOptions {
        color: choice != anstream::ColorChoice::Never,
        ..PrintOptions::new(TimeZone::UTC)
    };
    let mut failures = FailureSummary::of_jobs(run);
    for failure in failures.by_ref().take(MAX_FAILURES) {
        print_notice(&failure.title);
        let mut stderr = ci::Output::new(io::stderr().lock());
        failure.write_rows("", &look, &mut stderr)?;
        stderr.flush()?;
    }
    if failures.next().is_some() {
        print_notice(&format!("more than {MAX_FAILURES} jobs failed; the others are not listed"));
    }
    Ok(())
}
