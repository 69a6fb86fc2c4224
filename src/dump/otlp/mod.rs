//! `rundown export otlp`: the traces, logs and metrics of a run, as OTLP/JSON.
//!
//! ```text
//! line of traces   resource ─ scope ─ spans     run ┬ queue
//!                                                   └ job ─ command    needs: links between jobs
//! line of logs     resource ─ scope ─ records   one per row, with the ids of its command
//! line of metrics  resource ─ scope ─ metrics   durations and errors of a finished run
//! ```
//!
//! A line is a complete document: a line of a file, or a request to a server. Its size is limited
//! ([`MAX_RECORDS`], [`MAX_BYTES`]), so memory does not grow with the logs. The names are those of
//! the semantic conventions for CI/CD and version control, version 1.43; names of our own begin
//! with `rundown.`. Unknown values are left out.
//!
//! The ids are those that recorded commands get ([`crate::record::trace_id`]), so each export of a
//! run has the same ids. docs/otlp.md describes the output for users.
//!
//! Sources: <https://opentelemetry.io/docs/specs/otel/protocol/> for files and requests, and
//! <https://opentelemetry.io/docs/specs/semconv/cicd/> for names.

mod batch;
mod logs;
mod metrics;
mod resource;
mod result;
mod spans;
mod wire;

use std::fmt;

use jiff::tz::TimeZone;

use self::batch::Batch;
use super::options::{PrintOptions, Report};
use super::printing::{Printing, run_id};
use crate::display;
use crate::error::{Error, Result};
use crate::join::RunNode;

/// The maximum number of records in a line.
const MAX_RECORDS: u64 = 1000;

/// The maximum size of a line in bytes, with its newline, unless a single record is larger. The
/// Collector cuts longer lines of files by default; servers accept 20 MiB.
const MAX_BYTES: usize = (1 << 20) - 1;

/// A kind of telemetry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Spans of runs, jobs and commands.
    Traces,
    /// Rows of logs.
    Logs,
    /// Durations and numbers of errors.
    Metrics,
}

impl Signal {
    /// All signals, in the order in which they are written.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Logs, Self::Metrics];

    /// Returns the name, which is also the last part of the address of a server.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A complete document with a part of a run.
#[derive(Clone, Copy, Debug)]
pub struct OtlpLine<'a> {
    /// The kind of its records.
    pub signal: Signal,
    /// The document on one line, without a newline. It contains no characters that could control a
    /// terminal.
    pub json: &'a [u8],
    /// The number of its spans, log records or data points.
    pub records: u64,
}

/// A function that writes or sends a line. It is called once for each line, in the order of
/// [`Signal::ALL`]. An error ends the export.
pub type WriteLine<'w> = dyn FnMut(&OtlpLine<'_>) -> Result<()> + 'w;

/// Writes the signals of a run. `service` is the value of `service.name`.
///
/// # Errors
/// The error of `write`, and a usage error for logs that were opened by their path. A log that
/// cannot be read is only added to the report.
pub fn write_otlp(
    run: &RunNode,
    signals: &[Signal],
    service: &str,
    write: &mut WriteLine<'_>,
) -> Result<Report> {
    if run_id(&run.head.run).is_none() {
        let why = "logs without a run have no ids to export\nname a run of a store";
        return Err(Error::Usage(why.into()));
    }
    let look = PrintOptions::new(TimeZone::UTC);
    let mut printing = Printing { run, look: &look, report: Report::default() };
    printing.report.unreadable = run.is_unreadable();
    let losses = run.findings.iter().filter(|finding| finding.kind.is_loss());
    printing.report.notices.extend(losses.map(display::finding_with_place));
    for signal in Signal::ALL.into_iter().filter(|signal| signals.contains(signal)) {
        let mut batch = Batch::new(signal, &resource::of_run(run, signal, service), write)?;
        match signal {
            Signal::Traces => spans::write(&mut printing, &mut batch)?,
            Signal::Logs => logs::write(&mut printing, &mut batch)?,
            Signal::Metrics => metrics::write(&mut printing, &mut batch)?,
        }
        batch.finish()?;
    }
    Ok(printing.report)
}
