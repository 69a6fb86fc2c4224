//! Records a run of two commands, and prints its results as they are in the store.
//!
//! ```sh
//! cargo run --no-default-features --features record --example record -- /tmp/store
//! ```

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use rundown::catalog::Catalog;
use rundown::model::JobId;
use rundown::record::{Facts, Given, Options, begin_run, end_run, record_command};
use rundown::sanitize::name;

/// The jobs, each with a command.
const JOBS: [(&str, &[&str]); 2] = [
    ("build", &["echo", "built"]),
    ("test", &["sh", "-c", "echo '2 tests passed'; echo 'error: 1 test failed'; exit 3"]),
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args_os().nth(1).ok_or("usage: record STORE")?;
    record(Path::new(&root), &mut io::stdout())
}

/// Records the run into the store `root`, which is created if it is missing.
///
/// # Errors
/// If a command cannot be recorded, the store cannot be read, or `out` cannot be written.
pub fn record(root: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut options = Options::new(root);
    // The repository, ref and commit, from the variables of the CI system or from git.
    options.facts = Facts::find(&Given::default(), &options.cwd);
    options.must_record = true;
    options.quiet = true;

    let run = begin_run(&options)?;
    options.run = Some(run.clone());
    for (job, argv) in JOBS {
        let argv: Vec<OsString> = argv.iter().map(Into::into).collect();
        let ended = record_command(&options, &JobId(job.into()), &argv)?;
        writeln!(out, "{job}: exit code {}", ended.exit_code)?;
        for warning in &ended.warnings {
            writeln!(out, "warning: {warning}")?;
        }
    }
    end_run(root, &run, None, true)?;

    let stored = Catalog::of_store(root, None).run(&run)?.ok_or("the run is not in the store")?;
    writeln!(out, "run {}: {:?}", run.short(), stored.head.outcome)?;
    for job in &stored.jobs {
        for sh in &job.shs {
            let log_bytes = sh.log.as_ref().map_or(0, |log| log.bytes);
            let (job, state) = (name(job.job.id.as_str()), sh.state.as_str());
            writeln!(out, "{job}: {state}, a log of {log_bytes} bytes")?;
        }
    }
    Ok(())
}
