//! Prints the failed commands of the newest failed run of a store, with the last rows of each and
//! the likely cause.
//!
//! ```sh
//! cargo run --no-default-features --example read -- /tmp/store
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use rundown::catalog::{Catalog, RunFilter, RunSpec};
use rundown::join::{ShNode, ShState};
use rundown::log::{Anchor, LogFile, Row, Tail};
use rundown::model::{Outcome, Sh};
use rundown::sanitize::{Progress, name, plain};
use rundown::search::find_cause;

/// The maximum number of rows that are printed of a log.
const ROWS: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args_os().nth(1).ok_or("usage: read STORE")?;
    read(Path::new(&root), &mut io::stdout())
}

/// Prints the failed commands.
///
/// # Errors
/// If there is no failed run, the store or a log cannot be read, or `out` cannot be written.
pub fn read(root: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let catalog = Catalog::of_store(root, None);
    let newest = catalog.find(&RunSpec::LatestThat(Outcome::Failed), &RunFilter::default())?;
    let run = catalog.run(&newest)?.ok_or("the run was removed in the meantime")?;
    for job in &run.jobs {
        for node in job.shs.iter().filter(|node| node.state == ShState::Failed) {
            writeln!(out, "{}, command {}:", name(job.job.id.as_str()), node.n)?;
            print_end(node, out)?;
        }
    }
    Ok(())
}

/// Prints the end of a command's log, and the likely cause of its failure.
fn print_end(node: &ShNode, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let Some(found) = &node.log else { return Ok(writeln!(out, "  no log")?) };
    let log = LogFile::open(&found.path)?;
    // The command has ended, so its last line is complete even without a newline.
    for row in log.window(Anchor::End, ROWS, Tail::Emit)?.rows {
        writeln!(out, "  {}", text(&row))?;
    }
    let exit_status = node.sh.as_ref().and_then(Sh::exit_status);
    let cause = find_cause(&log, exit_status, Tail::Emit)?;
    if let Some(row) = cause.rows.iter().find(|row| Some(row.offset) == cause.at) {
        writeln!(out, "likely cause: {}", text(row))?;
    }
    Ok(())
}

/// Returns the text of a row without anything that could control a terminal.
fn text(row: &Row) -> String {
    plain(&row.text, Progress::Last).into_owned()
}
