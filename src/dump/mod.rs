//! `--once`: prints a run once. Each format has its own module, and all print the same [`RunNode`].
//! `--follow`: prints a run while it is running.
//!
//! Logs are streamed from disk to the output, so memory does not grow with their size. Data goes to
//! `out`. Everything that cannot be read or was left out is added to the [`Report`], for the caller
//! to show.

mod annotations;
mod azure;
mod bar;
mod ci_log;
mod codequality;
mod digest;
mod documents;
mod failure;
mod failure_summary;
mod findings;
mod follow;
mod github;
mod gitlab;
mod html;
mod json;
mod jsonl;
mod junit;
mod list;
mod markdown;
mod options;
mod otlp;
mod picker;
mod printing;
mod raw;
mod records;
mod removals;
mod schema;
mod selection;
mod source_path;
mod text;
mod trace;
mod unexplained;
mod unique_names;
mod values;

use std::io::{self, Write};
use std::path::Path;

use crate::join::RunNode;

pub use failure_summary::FailureSummary;
pub use findings::FindingsWriter;
pub use follow::{FollowOptions, Followed, Hooks, follow};
pub use json::write_run_lines as write_list_jsonl;
pub use json::write_runs as write_list_json;
pub use list::write_runs as write_list_text;
pub use options::{FAILED_TAIL_ROWS, Format, PrintOptions, Report, Timestamps};
pub use otlp::{OtlpLine, Signal, WriteLine, write_otlp};
pub use picker::Grep;
use printing::Printing;
pub use removals::{RemovalsLook, RemovalsWriter};
pub use schema::Document;
pub use selection::{Selection, select, why_nothing};
pub(crate) use text::date_time;

/// Prints a run. Log paths are printed relative to `root`, the store.
///
/// # Errors
/// If `out` cannot be written. A log that cannot be read is only added to the report.
pub fn write(
    format: Format,
    run: &RunNode,
    root: Option<&Path>,
    look: &PrintOptions,
    out: &mut impl Write,
) -> io::Result<Report> {
    let mut printing = Printing { run, look, report: Report::default() };
    printing.report.unreadable = run.is_unreadable();
    printing.report_findings(format);
    match format {
        Format::Text => text::write_run(&mut printing, out)?,
        Format::Digest => digest::write_run(&mut printing, out)?,
        Format::Json => json::write_run(&mut printing, root, out)?,
        Format::Jsonl => jsonl::write_run(&mut printing, out)?,
        Format::Raw => raw::write_run(&mut printing, out)?,
        Format::Records => records::write_run(&mut printing, out)?,
        Format::Junit { has_file } => junit::write_run(&mut printing, has_file, out)?,
        Format::GitHub => github::write_run(&mut printing, out)?,
        Format::GitLab => gitlab::write_run(&mut printing, out)?,
        Format::CodeQuality => codequality::write_run(&mut printing, out)?,
        Format::Azure => azure::write_run(&mut printing, out)?,
        Format::Markdown => markdown::write_run(&mut printing, out)?,
        Format::Html => html::write_run(&mut printing, out)?,
        Format::Trace => trace::write_run(&mut printing, out)?,
    }
    out.flush()?;
    Ok(printing.report)
}
