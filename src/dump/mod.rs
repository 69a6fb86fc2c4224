//! `--once`: a run printed once, one file per format, all over the same [`RunNode`]. `--follow`:
//! printed while it goes on.
//!
//! Logs stream from disk to the output: memory does not grow with them. What cannot be read or was
//! left out is told in the [`Report`], never passed over: data goes to `out`, notices to whoever
//! called.

mod findings;
mod follow;
mod json;
mod jsonl;
mod list;
mod options;
mod printing;
mod raw;
mod records;
mod text;

use std::io::{self, Write};
use std::path::Path;

use crate::join::RunNode;

pub use findings::FindingsWriter;
pub use follow::{Around, FollowOptions, Followed, follow};
pub use json::write_runs as write_list_json;
pub use list::write_runs as write_list_text;
pub use options::{Format, PrintOptions, Report, Selection, Timestamps, select};
use printing::Printing;

/// Prints a run. `root` is the store that its log paths are told relative to.
///
/// # Errors
/// When `out` cannot be written; a log that cannot be read stands in the report.
pub fn write(
    format: Format,
    run: &RunNode,
    root: Option<&Path>,
    look: &PrintOptions,
    out: &mut impl Write,
) -> io::Result<Report> {
    let mut printing = Printing { run, look, report: Report::default() };
    printing.report.unreadable = run.is_unreadable();
    printing.tell_findings(format);
    match format {
        Format::Text => text::write_run(&mut printing, out)?,
        Format::Json => json::write_run(&mut printing, root, out)?,
        Format::Jsonl => jsonl::write_run(&mut printing, out)?,
        Format::Raw => raw::write_run(&mut printing, out)?,
        Format::Records => records::write_run(&mut printing, out)?,
    }
    out.flush()?;
    Ok(printing.report)
}
