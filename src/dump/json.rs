//! `--format json`: one document per run, `"schema": "rundown.run/1"`; and the list of runs,
//! `"schema": "rundown.runs/1"`.
//!
//! The documents are a stable interface for scripts: keys are added, but never renamed or removed.
//! Unknown values are `null`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::{Serialize, Serializer};

use super::printing::{Printing, run_id, write_harmless};
use crate::catalog::RunList;
use crate::cri::Stream;
use crate::display::{self, Status};
use crate::error::Result;
use crate::join::{Finding, JobNode, LogRef, RunHead, ShNode, ShState};
use crate::log::{Index, LogFile, Tail};
use crate::model::{JobId, Phase, RunId, Sh};
use crate::search::find_cause;
use crate::time::Time;

#[derive(Serialize)]
struct RunDocument<R> {
    schema: &'static str,
    run: R,
}

#[derive(Serialize)]
struct RunsDocument<'a> {
    schema: &'static str,
    runs: Vec<HeadJson<'a>>,
    /// True if there are older runs.
    has_more: bool,
}

#[derive(Serialize)]
struct HeadJson<'a> {
    id: Option<&'a str>,
    repo: Option<&'a str>,
    #[serde(rename = "ref")]
    ref_name: Option<&'a str>,
    sha: Option<&'a str>,
    state: Option<&'a str>,
    outcome: &'static str,
    phase: Option<&'static str>,
    reason: Option<&'a str>,
    queued_at: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
    duration_ms: Option<i64>,
    interrupted: bool,
    /// True if more commands may be added to the run, and none is running.
    waiting: bool,
    name: Option<&'a str>,
    commit_subject: Option<&'a str>,
    author: Option<&'a str>,
    event: Option<&'a str>,
    url: Option<&'a str>,
    attempt: Option<i64>,
    ci_job: Option<&'a str>,
    runner: Option<&'a str>,
    /// The id of the run whose commands the run repeats.
    repeats: Option<&'a str>,
}

/// A run. `J` is the list of its jobs, and `L` its own log.
#[derive(Serialize)]
struct RunJson<'a, J, L> {
    #[serde(flatten)]
    head: HeadJson<'a>,
    variables: BTreeMap<&'a str, &'a str>,
    jobs: J,
    log: L,
    findings: Vec<FindingJson<'a>>,
}

/// A finding. It is about the run itself if `job` is `null`.
#[derive(Serialize)]
struct FindingJson<'a> {
    job: Option<&'a str>,
    n: Option<u32>,
    kind: &'static str,
    meaning: String,
}

/// A job. `C` is the list of its commands.
#[derive(Serialize)]
struct JobJson<'a, C> {
    id: Option<&'a str>,
    state: Option<&'a str>,
    outcome: &'static str,
    phase: Option<&'static str>,
    exit_code: Option<i64>,
    started_at: Option<String>,
    finished_at: Option<String>,
    duration_ms: Option<i64>,
    needs: &'a [String],
    allow_failure: bool,
    commands: C,
}

#[derive(Serialize)]
struct ShJson<'a> {
    n: u32,
    cmd: Option<&'a str>,
    argv: Option<Vec<String>>,
    cwd: Option<&'a str>,
    state: &'static str,
    outcome: &'static str,
    exit_code: Option<i64>,
    signal: Option<i32>,
    started_at: Option<String>,
    finished_at: Option<String>,
    duration_ms: Option<i64>,
    cpu_ms: Option<i64>,
    max_rss_bytes: Option<i64>,
    /// The number of bytes of output that are missing from the log.
    lost_bytes: Option<i64>,
    /// The reason why the command could not be started.
    start_error: Option<&'a str>,
    /// The way in which the streams were read.
    output: Option<&'a str>,
    attempt: Option<i64>,
    /// The reason for the end, if the command did not end by itself.
    ended_by: Option<&'a str>,
    /// The byte offset in the log at which output was removed, and its size.
    cut_at: Option<i64>,
    cut_bytes: Option<i64>,
    has_row: bool,
    /// `null` if the command has neither a row nor a log, only events.
    join: Option<&'static str>,
    log: Option<LogJson>,
    /// The cause of a failure.
    cause: Option<CauseJson>,
}

/// The cause of a failure as the screen shows it: the row that a rule matched, with the rows around
/// it; or, if no rule matched, the last rows.
#[derive(Serialize)]
struct CauseJson {
    matched: bool,
    /// The tool that prints such rows.
    tool: Option<&'static str>,
    /// The number of the row that the rule matched, counted from 1 as in `jsonl`.
    row: Option<u64>,
    rows: Vec<CauseRowJson>,
}

#[derive(Serialize)]
struct CauseRowJson {
    row: Option<u64>,
    stream: Option<&'static str>,
    at: Option<String>,
    text: String,
}

/// The counts are `null` if the log could not be read.
#[derive(Serialize)]
struct LogJson {
    path: String,
    bytes: u64,
    format: Option<&'static str>,
    rows: Option<u64>,
    /// Physical records: a row can consist of several.
    stdout_records: Option<u64>,
    stderr_records: Option<u64>,
    malformed: Option<u64>,
}

/// A value that is made only when it is written.
struct Lazy<F>(F);

impl<T: Serialize, F: Fn() -> T> Serialize for Lazy<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        (self.0)().serialize(serializer)
    }
}

/// A list whose elements are made one by one when they are written, so that a run of any number of
/// commands takes little memory.
struct Seq<F>(F);

impl<I: IntoIterator<Item: Serialize>, F: Fn() -> I> Serialize for Seq<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// Writes a run. Reads every log once to count its rows, and the end of the log of a failed command
/// again to find the cause.
pub(super) fn write_run(
    printing: &mut Printing<'_>,
    root: Option<&Path>,
    out: &mut impl Write,
) -> io::Result<()> {
    let run = printing.run;
    let findings = run.findings.iter().map(finding_json).collect();
    let variables = &run.head.run.details.variables;
    let variables = variables.iter().map(|(name, value)| (&**name, &**value)).collect();
    let printing = RefCell::new(printing);
    let sh = |node| sh_json(&mut printing.borrow_mut(), node, root);
    let log = |log| read_log(&mut printing.borrow_mut(), log, root, None).0;
    let run = RunJson {
        head: head_json(&run.head),
        variables,
        jobs: Seq(|| run.jobs.iter().map(|job| job_json(job, Seq(|| job.shs.iter().map(sh))))),
        log: Lazy(|| run.log.as_ref().map(log)),
        findings,
    };
    write_pretty(&RunDocument { schema: "rundown.run/1", run }, out)
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
    write_pretty(&RunsDocument { schema: "rundown.runs/1", runs, has_more: list.has_more }, out)
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
        outcome: outcome(Status::of_run(head)),
        phase: phase(head.phase),
        reason: run.reason.as_deref(),
        queued_at: time(run.queued_at),
        started_at: time(run.started_at),
        finished_at: time(run.finished_at),
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

fn job_json<C>(node: &JobNode, commands: C) -> JobJson<'_, C> {
    let job = &node.job;
    JobJson {
        // A log opened by its path has no job.
        id: Some(job.id.as_str()).filter(|id| !id.is_empty()),
        state: job.state.as_deref(),
        outcome: outcome(Status::of_job(node)),
        phase: phase(node.phase),
        exit_code: job.exit_code,
        started_at: time(job.started_at),
        finished_at: time(job.finished_at),
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
        state: node.state.as_str(),
        outcome: outcome(Status::of_sh(node)),
        exit_code: sh.and_then(|sh| sh.exit_code),
        signal: sh.and_then(|sh| sh.signal),
        started_at: time(sh.and_then(|sh| sh.started_at)),
        finished_at: time(sh.and_then(|sh| sh.finished_at)),
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
        join: (has_row || node.log.is_some()).then_some(node.pairing.as_str()),
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
        format: file.map(|file| file.format().as_str()),
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
    let offsets: Vec<u64> = cause.rows.iter().map(|row| row.offset).collect();
    let numbers = file.row_numbers(index, &offsets, tail)?;
    let numbers: Vec<Option<u64>> = numbers.into_iter().map(|at| Some(at? + 1)).collect();
    let of_cause = cause.rows.iter().zip(&numbers).find(|(row, _)| Some(row.offset) == cause.at);
    let row = of_cause.and_then(|(_, number)| *number);
    let rows = cause.rows.iter().zip(&numbers).map(|(row, number)| CauseRowJson {
        row: *number,
        stream: row.stream.map(Stream::as_str),
        at: row.at.map(Time::rfc3339_nanos),
        text: String::from_utf8_lossy(&row.text).into_owned(),
    });
    let rows = rows.collect();
    Ok(Some(CauseJson { matched: cause.at.is_some(), tool: cause.rule, row, rows }))
}

/// Returns the outcome of a run, a job or a command: a word that does not depend on the store. A
/// run or job that waits for its next step is running.
const fn outcome(status: Status) -> &'static str {
    match status {
        Status::Waiting => Status::Active.word(),
        _ => status.word(),
    }
}

fn phase(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::Unknown => None,
        Phase::Queued => Some("queued"),
        Phase::Active => Some("active"),
        Phase::Finished => Some("finished"),
    }
}

fn time(time: Option<Time>) -> Option<String> {
    time.and_then(Time::rfc3339_millis)
}

fn lasted(from: Option<Time>, to: Option<Time>) -> Option<i64> {
    Some(to?.millis_since(from?))
}
