//! The log records of a run: one per row, in the order of the commands.
//!
//! The text of a record is that of the row as a terminal shows it, without colors. The stream is an
//! attribute and not a severity, because many programs write progress to stderr.

use std::sync::Arc;

use super::batch::Batch;
use super::spans::task_run_id;
use super::wire::{Attributes, Body, LogRecord, Nanos, nanos};
use crate::cri::Stream;
use crate::dump::failure::text;
use crate::dump::printing::Printing;
use crate::error::Result;
use crate::join::LogRef;
use crate::log::Row;
use crate::model::ShKey;
use crate::record;

/// The maximum size of the text of a record in bytes. Many servers reject longer ones.
const MAX_BODY_BYTES: usize = 256 << 10;

/// A log with the span and the attributes of its records.
struct Source<'a> {
    log: &'a LogRef,
    span_id: String,
    attributes: Attributes<'static>,
}

/// Writes the rows of all commands, and then those of the run's own log.
pub(super) fn write(printing: &mut Printing<'_>, batch: &mut Batch<'_, '_>) -> Result<()> {
    let run = &printing.run.head.run;
    let trace_id = record::trace_id(&run.id, run.details.traceparent.as_deref());
    for (job, sh) in printing.shs() {
        let Some(log) = &sh.log else { continue };
        let key = ShKey { run: run.id.clone(), job: job.job.id.clone(), n: sh.n };
        let (span_id, mut attributes) = (record::span_id(&key), Attributes::default());
        attributes.text("cicd.pipeline.task.run.id", Some(task_run_id(job, sh)));
        let source = Source { log, span_id, attributes };
        write_log(printing, source, &trace_id, batch)?;
    }
    if let Some(log) = &printing.run.log {
        let (span_id, attributes) = (record::span_id_of_run(&run.id), Attributes::default());
        write_log(printing, Source { log, span_id, attributes }, &trace_id, batch)?;
    }
    Ok(())
}

fn write_log(
    printing: &mut Printing<'_>,
    source: Source<'_>,
    trace_id: &str,
    batch: &mut Batch<'_, '_>,
) -> Result<()> {
    let Some(file) = printing.open(source.log).map(Arc::new) else { return Ok(()) };
    let Some(mut rows) = printing.shown_rows(&file, 0, MAX_BODY_BYTES) else { return Ok(()) };
    let Source { span_id, mut attributes, .. } = source;
    let shared = attributes.len();
    let mut row = Row::default();
    let mut observed: Option<Nanos> = None;
    while rows.read(printing, &mut row) {
        printing.report_cut(&file, row.cut_bytes);
        let at = row.at.and_then(nanos);
        observed = at.or(observed);
        attributes.truncate(shared);
        attributes.text("log.iostream", row.stream.map(Stream::as_str));
        attributes.int("rundown.row", i64::try_from(rows.number).ok());
        batch.push(&LogRecord {
            time_unix_nano: at,
            observed_time_unix_nano: observed,
            body: Body { string_value: &text(&row) },
            attributes: &attributes,
            trace_id,
            span_id: &span_id,
        })?;
    }
    Ok(())
}
