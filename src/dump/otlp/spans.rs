//! The spans of a run: the run with its time in the queue, its jobs, and their commands.
//!
//! ```text
//! run       ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒   from its queueing to its end
//!  queue    ████
//!  build        ▒▒▒▒▒▒▒▒▒▒▒▒
//!   make        ████████████
//!  test ⇢ build              ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒   with a link to each job that it needs
//! ```
//!
//! The span of a skipped job has no length. Memory grows with the number of commands, by some dozen
//! bytes for each.

use std::collections::HashSet;

use super::batch::Batch;
use super::result::Verdict;
use super::wire::{Attributes, INTERNAL, Link, Nanos, SERVER, Span, Status, cut, nanos};
use crate::dump::bar::Bar;
use crate::dump::failure::message;
use crate::dump::printing::Printing;
use crate::error::Result;
use crate::join::{JobNode, RunHead, ShNode};
use crate::model::{JobId, Phase, RunId, ShKey};
use crate::{display, record};

/// The only value of `cicd.pipeline.action.name`: the purpose of a pipeline is not recorded.
const ACTION: &str = "RUN";

/// A job with the times of its span and of those of its commands.
struct Timed<'a> {
    job: &'a JobNode,
    bar: Bar,
    shs: Vec<(&'a ShNode, Bar)>,
}

/// The ids that all spans of a run share.
struct Ids {
    trace: String,
    run: String,
}

/// Writes the spans of a run.
pub(super) fn write(printing: &mut Printing<'_>, batch: &mut Batch<'_, '_>) -> Result<()> {
    let (node, head) = (printing.run, &printing.run.head);
    let parent = head.run.details.traceparent.as_deref();
    let ids = Ids {
        trace: record::trace_id(&head.run.id, parent),
        run: record::span_id_of_run(&head.run.id),
    };
    let jobs: Vec<_> = node.jobs.iter().filter_map(|job| timed(printing, job)).collect();
    let first = jobs.iter().map(|job| job.bar.start).min();
    let last = jobs.iter().map(|job| job.bar.end).max();
    let bar = printing.run_bar(first, last).filter(|bar| times(*bar).is_some());
    let Some(bar) = bar else {
        let id = head.run.id.short();
        printing.report.notices.push(format!("run {id} has no start time and no spans"));
        return Ok(());
    };
    report_missing(printing, &jobs);
    write_run(printing, &ids, bar, batch)?;
    let with_span: HashSet<&str> = jobs.iter().map(|job| job.job.job.id.as_str()).collect();
    for timed in &jobs {
        write_job(printing, &ids, timed, &with_span, batch)?;
        for (sh, bar) in &timed.shs {
            write_command(printing, &ids, (timed.job, sh), *bar, batch)?;
        }
    }
    Ok(())
}

/// Returns the times of a job; `None` if none is known. A job that never started has the time at
/// which it was skipped.
fn timed<'a>(printing: &mut Printing<'_>, job: &'a JobNode) -> Option<Timed<'a>> {
    let mut shs = printing.sh_bars(job);
    shs.retain(|(_, bar)| times(*bar).is_some());
    let skipped = || job.job.finished_at.map(|at| Bar::new(at, Some(at), at));
    let bar = Bar::of_job(job, &shs).or_else(skipped).filter(|bar| times(*bar).is_some())?;
    Some(Timed { job, bar, shs })
}

/// Returns the start and the end of a span; `None` if OTLP cannot represent them.
fn times(bar: Bar) -> Option<(Nanos, Nanos)> {
    nanos(bar.start).zip(nanos(bar.end))
}

/// Reports the number of jobs and commands that have no span.
fn report_missing(printing: &mut Printing<'_>, jobs: &[Timed<'_>]) {
    let all: usize = printing.run.jobs.iter().map(|job| 1 + job.shs.len()).sum();
    let written: usize = jobs.iter().map(|job| 1 + job.shs.len()).sum();
    let id = printing.run.head.run.id.short();
    let notice = match all.saturating_sub(written) {
        0 => return,
        1 => format!("run {id}: a job or command has no start time and no span"),
        missing => format!("run {id}: {missing} jobs and commands have no start time and no span"),
    };
    printing.report.notices.push(notice);
}

/// Writes the span of the run and, if it waited, that of its time in the queue.
fn write_run(
    printing: &Printing<'_>,
    ids: &Ids,
    bar: Bar,
    batch: &mut Batch<'_, '_>,
) -> Result<()> {
    let head = &printing.run.head;
    let queued_at = head.run.queued_at.filter(|at| *at < bar.start);
    let queue = queued_at.map(|at| Bar::new(at, Some(bar.start), at));
    let queue = queue.and_then(times);
    let Some((start, end)) = times(bar) else { return Ok(()) };
    let verdict = Verdict::of_run(head);
    let why = || printing.run_failure().or_else(|| display::reason(head));
    let name = display::pipeline(&head.run).map(|name| format!("{ACTION} {name}"));
    batch.push(&Span {
        trace_id: &ids.trace,
        span_id: &ids.run,
        parent_span_id: record::parent_span_id(head.run.details.traceparent.as_deref()),
        name: name.as_deref().unwrap_or(ACTION),
        kind: SERVER,
        start_time_unix_nano: queue.map_or(start, |(queued_at, _)| queued_at),
        end_time_unix_nano: end,
        attributes: run_attributes(head, &verdict, bar.is_open),
        links: Vec::new(),
        status: verdict.is_error.then(|| Status::error(why().as_deref())),
    })?;
    queue.map_or(Ok(()), |times| write_queue(head, ids, times, batch))
}

/// Writes the span of a run's time in the queue.
fn write_queue(
    head: &RunHead,
    ids: &Ids,
    (start, end): (Nanos, Nanos),
    batch: &mut Batch<'_, '_>,
) -> Result<()> {
    let mut attributes = Attributes::default();
    attributes.text("cicd.pipeline.run.state", Some("pending"));
    batch.push(&Span {
        trace_id: &ids.trace,
        span_id: &record::span_id_of_queue(&head.run.id),
        parent_span_id: Some(&ids.run),
        name: "queue",
        kind: INTERNAL,
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes,
        links: Vec::new(),
        status: None,
    })
}

fn run_attributes<'a>(head: &'a RunHead, verdict: &Verdict, is_open: bool) -> Attributes<'a> {
    let state = match head.phase {
        Phase::Queued => Some("pending"),
        Phase::Active => Some("executing"),
        Phase::Finished | Phase::Unknown => None,
    };
    let details = &head.run.details;
    let mut attributes = Attributes::default();
    attributes.text("cicd.pipeline.action.name", Some(ACTION));
    attributes.text("cicd.pipeline.result", verdict.word);
    attributes.text("cicd.pipeline.run.state", state);
    attributes.text("error.type", verdict.error_type.clone());
    attributes.text("rundown.event", details.event.as_deref());
    attributes.int("rundown.attempt", details.attempt);
    attributes.text("rundown.repeats", details.repeats.as_ref().map(RunId::as_str));
    attributes.flag("rundown.unfinished", is_open);
    attributes
}

fn write_job(
    printing: &Printing<'_>,
    ids: &Ids,
    timed: &Timed<'_>,
    with_span: &HashSet<&str>,
    batch: &mut Batch<'_, '_>,
) -> Result<()> {
    let Some((start, end)) = times(timed.bar) else { return Ok(()) };
    let (run, job) = (&printing.run.head.run.id, timed.job);
    let verdict = Verdict::of_job(job);
    let mut attributes = task(job.job.id.as_str(), job.job.id.as_str().to_owned(), &verdict);
    attributes.flag("rundown.allow_failure", job.job.allow_failure);
    attributes.flag("rundown.unfinished", timed.bar.is_open);
    let needs = job.job.needs.iter().filter(|need| with_span.contains(need.as_str()));
    let links = needs.map(|need| Link {
        trace_id: &ids.trace,
        span_id: record::span_id_of_job(run, &JobId(need.clone())),
    });
    batch.push(&Span {
        trace_id: &ids.trace,
        span_id: &record::span_id_of_job(run, &job.job.id),
        parent_span_id: Some(&ids.run),
        name: cut(job.job.id.as_str()),
        kind: INTERNAL,
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes,
        links: links.collect(),
        status: verdict.is_error.then(|| Status::error(printing.job_failure(job).as_deref())),
    })
}

fn write_command(
    printing: &mut Printing<'_>,
    ids: &Ids,
    (job, node): (&JobNode, &ShNode),
    bar: Bar,
    batch: &mut Batch<'_, '_>,
) -> Result<()> {
    let Some((start, end)) = times(bar) else { return Ok(()) };
    let run = &printing.run.head.run.id;
    let key = ShKey { run: run.clone(), job: job.job.id.clone(), n: node.n };
    let verdict = Verdict::of_sh(job, node);
    let name = display::command_of(node);
    let status = verdict.is_error.then(|| {
        let causes = printing.causes(node, 0);
        Status::error(Some(&message(causes.first(), node.sh.as_ref())))
    });
    let mut attributes = task(&name, task_run_id(job, node), &verdict);
    push_process(node, &mut attributes);
    attributes.flag("rundown.unfinished", bar.is_open);
    batch.push(&Span {
        trace_id: &ids.trace,
        span_id: &record::span_id(&key),
        parent_span_id: Some(&record::span_id_of_job(run, &job.job.id)),
        name: &name,
        kind: INTERNAL,
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes,
        links: Vec::new(),
        status,
    })
}

/// Returns the id of a command, which is unique in its run.
pub(super) fn task_run_id(job: &JobNode, node: &ShNode) -> String {
    format!("{}/{}", cut(job.job.id.as_str()), node.n)
}

/// Returns the attributes that jobs and commands share.
fn task<'a>(name: &'a str, id: String, verdict: &Verdict) -> Attributes<'a> {
    let mut attributes = Attributes::default();
    attributes.text("cicd.pipeline.task.name", Some(name));
    attributes.text("cicd.pipeline.task.run.id", Some(id));
    attributes.text("cicd.pipeline.task.run.result", verdict.word);
    attributes.text("error.type", verdict.error_type.clone());
    attributes
}

/// Adds what is known about the process of a command.
fn push_process<'a>(node: &'a ShNode, attributes: &mut Attributes<'a>) {
    let Some(sh) = &node.sh else { return };
    attributes.text("process.command_line", Some(display::shell_line(sh)));
    attributes.text("process.working_directory", sh.cwd.as_deref());
    attributes.int("process.pid", sh.pid);
    attributes.int("process.exit.code", sh.exit_status());
    attributes.int("rundown.attempt", sh.attempt);
    attributes.int("rundown.cpu_ms", sh.cpu_ms);
    attributes.int("rundown.max_rss_bytes", sh.max_rss_bytes);
}
