//! `--format json`: one document per run, `"schema": "rundown.run/1"`; and the list of runs,
//! `"schema": "rundown.runs/1"`.
//!
//! The documents are a stable interface for scripts: keys are added, but never renamed or removed.
//! Unknown values are `null`.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::documents::{
    CauseJson, CauseRowJson, FindingJson, HeadJson, JobJson, Lazy, LogJson, RUN, RUNS, RunDocument,
    RunJson, RunsDocument, Seq, ShJson, WhyJson,
};
use super::printing::{Printing, row_numbers, run_id, write_harmless, write_line};
use super::values::{Progress, UtcMillis, UtcNanos};
use crate::catalog::RunList;
use crate::display::{self, Status};
use crate::error::Result;
use crate::join::{Finding, JobNode, LogRef, RunHead, ShNode, ShState};
use crate::log::{Index, LogFile, Tail};
use crate::model::{JobId, RunId, Sh};
use crate::search::find_cause;
use crate::time::Time;

/// Writes a run. Reads every log once to count its rows, and the end of the log of a failed command
/// again to find the cause.
pub(super) fn write_run<'a>(
    printing: &mut Printing<'a>,
    root: Option<&Path>,
    out: &mut impl Write,
) -> io::Result<()> {
    let run = printing.run;
    let findings = run.findings.iter().map(finding_json).collect();
    let variables = &run.head.run.details.variables;
    let variables = variables.iter().map(|(name, value)| (&**name, &**value)).collect();
    let printing = &RefCell::new(printing);
    let sh = move |node| sh_json(&mut printing.borrow_mut(), node, root);
    let log = move |log| read_log(&mut printing.borrow_mut(), log, root, None).0;
    let job = move |job: &'a JobNode| job_json(job, Seq::new(move || job.shs.iter().map(sh)));
    let run = RunJson {
        head: head_json(&run.head),
        variables,
        jobs: Seq::new(move || run.jobs.iter().map(job)),
        log: Lazy(Box::new(move || run.log.as_ref().map(log))),
        findings,
    };
    write_pretty(&RunDocument { schema: RUN, run }, out)
}

fn finding_json(finding: &Finding) -> FindingJson<'_> {
    let Finding { place, kind } = finding;
    FindingJson {
        job: place.job().map(JobId::as_str),
        n: place.n(),
        kind: kind.code(),
        meaning: display::finding(kind),
    }
}

/// Writes a list of runs.
///
/// # Errors
/// If `out` cannot be written.
pub fn write_runs(list: &RunList, out: &mut impl Write) -> io::Result<()> {
    let runs = list.heads.iter().map(head_json).collect();
    write_pretty(&RunsDocument { schema: RUNS, runs, has_more: list.has_more }, out)
}

/// Writes a list of runs, one object per line.
///
/// # Errors
/// If `out` cannot be written.
pub fn write_run_lines(list: &RunList, out: &mut impl Write) -> io::Result<()> {
    list.heads.iter().try_for_each(|head| write_line(&head_json(head), out))
}

fn write_pretty(document: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    let mut harmless = Harmless { json: Vec::new(), out };
    serde_json::to_writer_pretty(&mut harmless, document)?;
    harmless.write_all(b"\n")?;
    harmless.pass_on()
}

/// Passes JSON on, in pieces of whole lines, with escapes for all harmful characters. No string of
/// a JSON document contains a line break, so no character is split.
struct Harmless<W> {
    json: Vec<u8>,
    out: W,
}

impl<W: Write> Harmless<W> {
    /// The size of a piece in bytes; a longer line is passed on as a whole.
    const PIECE_BYTES: usize = 64 << 10;

    /// Passes on all complete lines.
    fn pass_on(&mut self) -> io::Result<()> {
        let end = memchr::memrchr(b'\n', &self.json).map_or(0, |at| at + 1);
        let lines = self.json.get(..end).unwrap_or_default();
        write_harmless(str::from_utf8(lines).map_err(io::Error::other)?, &mut self.out)?;
        self.json.drain(..end);
        Ok(())
    }
}

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.json.extend_from_slice(bytes);
        // Only a new line break is looked for: a long line is written in many parts.
        if self.json.len() >= Self::PIECE_BYTES && memchr::memchr(b'\n', bytes).is_some() {
            self.pass_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn head_json(head: &RunHead) -> HeadJson<'_> {
    let run = &head.run;
    let details = &run.details;
    HeadJson {
        id: run_id(run),
        repo: run.repo.as_deref(),
        ref_name: run.ref_name.as_deref(),
        sha: run.sha.as_deref(),
        state: run.state.as_deref(),
        outcome: Status::of_run(head).into(),
        phase: Progress::of(head.phase),
        reason: run.reason.as_deref(),
        queued_at: UtcMillis::of(run.queued_at),
        started_at: UtcMillis::of(run.started_at),
        finished_at: UtcMillis::of(run.finished_at),
        duration_ms: head.lasted_ms(),
        interrupted: head.interrupted,
        waiting: head.waiting,
        name: details.name.as_deref(),
        commit_subject: details.subject.as_deref(),
        author: details.author.as_deref(),
        event: details.event.as_deref(),
        url: details.url.as_deref(),
        attempt: details.attempt,
        ci_job: details.ci_job.as_deref(),
        runner: details.runner.as_deref(),
        repeats: details.repeats.as_ref().map(RunId::as_str),
    }
}

fn job_json<'a>(node: &'a JobNode, commands: Seq<'a, ShJson<'a>>) -> JobJson<'a> {
    let job = &node.job;
    JobJson {
        // A log opened by its path has no job.
        id: Some(job.id.as_str()).filter(|id| !id.is_empty()),
        state: job.state.as_deref(),
        outcome: Status::of_job(node).into(),
        phase: Progress::of(node.phase),
        exit_code: job.exit_code,
        started_at: UtcMillis::of(job.started_at),
        finished_at: UtcMillis::of(job.finished_at),
        duration_ms: lasted(job.started_at, job.finished_at),
        needs: &job.needs,
        allow_failure: job.allow_failure,
        commands,
    }
}

fn sh_json<'a>(printing: &mut Printing<'_>, node: &'a ShNode, root: Option<&Path>) -> ShJson<'a> {
    let sh = node.sh.as_ref();
    let has_row = sh.is_some_and(|sh| sh.origin.is_row());
    let known = sh.filter(|sh| !sh.is_unknown());
    let failed = has_cause(printing, node).then_some(node);
    let (log, cause) = node.log.as_ref().map(|log| read_log(printing, log, root, failed)).unzip();
    ShJson {
        n: node.n,
        cmd: known.map(|sh| sh.cmd.as_str()),
        argv: sh.and_then(Sh::argv),
        cwd: known.and_then(|sh| sh.cwd.as_deref()),
        state: node.state,
        outcome: Status::of_sh(node).into(),
        exit_code: sh.and_then(|sh| sh.exit_code),
        signal: sh.and_then(|sh| sh.signal),
        started_at: UtcMillis::of(sh.and_then(|sh| sh.started_at)),
        finished_at: UtcMillis::of(sh.and_then(|sh| sh.finished_at)),
        duration_ms: sh.and_then(|sh| lasted(sh.started_at, sh.finished_at)),
        cpu_ms: sh.and_then(|sh| sh.cpu_ms),
        max_rss_bytes: sh.and_then(|sh| sh.max_rss_bytes),
        lost_bytes: sh.and_then(|sh| sh.lost_bytes),
        start_error: sh.and_then(|sh| sh.start_error.as_deref()),
        output: sh.and_then(|sh| sh.output.as_deref()),
        attempt: sh.and_then(|sh| sh.attempt),
        ended_by: sh.and_then(|sh| sh.ended_by.as_deref()),
        cut_at: sh.and_then(|sh| sh.cut_at),
        cut_bytes: sh.and_then(|sh| sh.cut_bytes),
        has_row,
        join: (has_row || node.log.is_some()).then_some(node.pairing),
        log,
        cause: cause.flatten(),
    }
}

/// Returns true if the log of a command may contain the cause of a failure: the command failed, or
/// only its log is known.
fn has_cause(printing: &Printing<'_>, node: &ShNode) -> bool {
    node.state == ShState::Failed || run_id(&printing.run.head.run).is_none()
}

/// Reads a log: its totals and, if it is the log of `failed`, the cause of the failure.
fn read_log(
    printing: &mut Printing<'_>,
    log: &LogRef,
    root: Option<&Path>,
    failed: Option<&ShNode>,
) -> (LogJson, Option<CauseJson>) {
    let file = printing.open(log);
    let tail = printing.tail();
    let index = file.as_ref().and_then(|file| printing.report_err(file.index()));
    let totals = index.as_ref().map(|index| index.totals(tail));
    let found = failed.zip(file.as_ref()).zip(index.as_ref());
    let cause = found.and_then(|((node, file), index)| {
        printing.report_err(cause_json(node, file, index, tail)).flatten()
    });
    let log = LogJson {
        path: root
            .and_then(|root| log.path.strip_prefix(root).ok())
            .unwrap_or(&log.path)
            .to_string_lossy()
            .into_owned(),
        bytes: totals.as_ref().map_or(log.bytes, |totals| totals.bytes),
        format: file.map(|file| file.format()),
        rows: totals.as_ref().map(|totals| totals.rows),
        stdout_records: totals.as_ref().map(|totals| totals.stdout),
        stderr_records: totals.as_ref().map(|totals| totals.stderr),
        malformed: totals.as_ref().map(|totals| totals.malformed),
    };
    (log, cause)
}

/// Returns the cause of a failure. Returns `None` if the log is empty, or if nothing is known about
/// the command and no rule matched.
fn cause_json(
    node: &ShNode,
    file: &LogFile,
    index: &Index,
    tail: Tail,
) -> Result<Option<CauseJson>> {
    let cause = find_cause(file, node.sh.as_ref().and_then(Sh::exit_status), tail)?;
    if cause.rows.is_empty() || (cause.at.is_none() && node.state != ShState::Failed) {
        return Ok(None);
    }
    let shown = cause.rows.iter().map(|row| row.offset);
    let offsets = shown.chain(cause.why.iter().map(|why| why.at));
    let numbers = row_numbers(file, index, offsets, tail)?;
    let number_of = |offset: u64| numbers.get(&offset).copied();
    let rows = cause.rows.iter().map(|row| CauseRowJson {
        row: number_of(row.offset),
        stream: row.stream,
        at: row.at.map(UtcNanos::of),
        text: String::from_utf8_lossy(&row.text).into_owned(),
    });
    let why = cause.why.iter().map(|why| WhyJson {
        row: number_of(why.at),
        tool: why.rule,
        score: why.score,
        reason: why.reason,
    });
    Ok(Some(CauseJson {
        matched: cause.at.is_some() && !cause.is_last_words,
        tool: cause.rule,
        row: cause.at.and_then(number_of),
        location: cause.location().map(|location| location.to_string()),
        rows: rows.collect(),
        why: why.collect(),
    }))
}

fn lasted(from: Option<Time>, to: Option<Time>) -> Option<i64> {
    Some(to?.millis_since(from?))
}
