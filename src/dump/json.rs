//! `--format json`: one document per run, `"schema": "rundown.run/1"`; and the list of runs,
//! `"schema": "rundown.runs/1"`.
//!
//! The documents are a stable interface for scripts: keys are added, but never renamed or removed.
//! Unknown values are `null`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::printing::{Printing, run_id, write_harmless};
use crate::catalog::RunList;
use crate::display;
use crate::join::{Finding, JobNode, LogRef, RunHead, ShNode};
use crate::model::{JobId, Phase, RunId};
use crate::time::Time;

#[derive(Serialize)]
struct RunDocument<'a> {
    schema: &'static str,
    run: RunJson<'a>,
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

#[derive(Serialize)]
struct RunJson<'a> {
    #[serde(flatten)]
    head: HeadJson<'a>,
    variables: BTreeMap<&'a str, &'a str>,
    jobs: Vec<JobJson<'a>>,
    /// The run's own log.
    log: Option<LogJson>,
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

#[derive(Serialize)]
struct JobJson<'a> {
    id: Option<&'a str>,
    state: Option<&'a str>,
    phase: Option<&'static str>,
    exit_code: Option<i64>,
    started_at: Option<String>,
    finished_at: Option<String>,
    duration_ms: Option<i64>,
    needs: &'a [String],
    allow_failure: bool,
    commands: Vec<ShJson<'a>>,
}

#[derive(Serialize)]
struct ShJson<'a> {
    n: u32,
    cmd: Option<&'a str>,
    argv: Option<Vec<String>>,
    cwd: Option<&'a str>,
    state: &'static str,
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

/// Writes a run. Reads every log once to count its rows.
pub(super) fn write_run(
    printing: &mut Printing<'_>,
    root: Option<&Path>,
    out: &mut impl Write,
) -> io::Result<()> {
    let run = printing.run;
    let jobs = run.jobs.iter().map(|job| job_json(printing, job, root)).collect();
    let log = run.log.as_ref().map(|log| log_json(printing, log, root));
    let findings = run.findings.iter().map(finding_json).collect();
    let variables = &run.head.run.details.variables;
    let variables = variables.iter().map(|(name, value)| (&**name, &**value)).collect();
    let run = RunJson { head: head_json(&run.head), variables, jobs, log, findings };
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
    write_harmless(&serde_json::to_string_pretty(document)?, out)?;
    out.write_all(b"\n")
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

fn job_json<'a>(
    printing: &mut Printing<'_>,
    node: &'a JobNode,
    root: Option<&Path>,
) -> JobJson<'a> {
    let job = &node.job;
    JobJson {
        // A log opened by its path has no job.
        id: Some(job.id.as_str()).filter(|id| !id.is_empty()),
        state: job.state.as_deref(),
        phase: phase(node.phase),
        exit_code: job.exit_code,
        started_at: time(job.started_at),
        finished_at: time(job.finished_at),
        duration_ms: lasted(job.started_at, job.finished_at),
        needs: &job.needs,
        allow_failure: job.allow_failure,
        commands: node.shs.iter().map(|sh| sh_json(printing, sh, root)).collect(),
    }
}

fn sh_json<'a>(printing: &mut Printing<'_>, node: &'a ShNode, root: Option<&Path>) -> ShJson<'a> {
    let sh = node.sh.as_ref();
    let has_row = sh.is_some_and(|sh| sh.origin.is_row());
    let known = sh.filter(|sh| !sh.is_unknown());
    ShJson {
        n: node.n,
        cmd: known.map(|sh| sh.cmd.as_str()),
        argv: sh.and_then(crate::model::Sh::argv),
        cwd: known.and_then(|sh| sh.cwd.as_deref()),
        state: node.state.as_str(),
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
        log: node.log.as_ref().map(|log| log_json(printing, log, root)),
    }
}

fn log_json(printing: &mut Printing<'_>, log: &LogRef, root: Option<&Path>) -> LogJson {
    let file = printing.open(log);
    let totals = file.as_ref().and_then(|file| printing.report_err(file.totals(printing.tail())));
    LogJson {
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
