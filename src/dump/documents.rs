//! The objects of `"schema": "rundown.run/1"` and `"rundown.runs/1"`, as types with a JSON Schema.
//!
//! The comments of types and fields are the descriptions of the schema, for users of the documents.
//! Keys are added, but never renamed or removed. Unknown values are `null`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

use super::values::{Outcome, Progress, UtcMillis, UtcNanos};
use crate::cri::Stream;
use crate::join::{FindingCode, Pairing, ShState};
use crate::log::Format;

/// The value of `schema` in the document of a run.
pub(super) const RUN: &str = "rundown.run/1";

/// The value of `schema` in the list of runs.
pub(super) const RUNS: &str = "rundown.runs/1";

/// The document of `rundown --format json`: one run with its jobs and commands.
#[derive(Serialize, JsonSchema)]
pub(super) struct RunDocument<'a> {
    /// The name and the version of the format.
    #[schemars(extend("const" = RUN))]
    pub schema: &'static str,
    /// The run. A log that was named by its path is a run with one job and one command, without an
    /// id.
    pub run: RunJson<'a>,
}

/// The document of `rundown list --format json`: runs, newest first.
#[derive(Serialize, JsonSchema)]
pub(super) struct RunsDocument<'a> {
    /// The name and the version of the format.
    #[schemars(extend("const" = RUNS))]
    pub schema: &'static str,
    /// The runs, newest first.
    pub runs: Vec<HeadJson<'a>>,
    /// True if there are older runs.
    pub has_more: bool,
}

/// A run without its jobs.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RunSummary")]
pub(super) struct HeadJson<'a> {
    /// The id of the run; `null` for a log that was named by its path.
    pub id: Option<&'a str>,
    /// The name of the repository.
    pub repo: Option<&'a str>,
    /// The Git ref, such as `refs/heads/main`.
    #[serde(rename = "ref")]
    pub ref_name: Option<&'a str>,
    /// The id of the Git commit.
    pub sha: Option<&'a str>,
    /// The state in the word of the program that wrote the store; `outcome` does not depend on it.
    pub state: Option<&'a str>,
    /// The outcome, whatever word the store has for it.
    pub outcome: Outcome,
    /// The progress; `null` if it is unknown.
    pub phase: Option<Progress>,
    /// The reason for the state, as stored.
    pub reason: Option<&'a str>,
    /// The time at which the run was requested, as RFC 3339 in UTC with 3 digits after the second.
    pub queued_at: Option<UtcMillis>,
    /// The time at which it started, as RFC 3339 in UTC with 3 digits after the second.
    pub started_at: Option<UtcMillis>,
    /// The time at which it ended, as RFC 3339 in UTC with 3 digits after the second.
    pub finished_at: Option<UtcMillis>,
    /// The duration in milliseconds; negative if the clock went back. `null` if the run has not
    /// ended, or if the time of its end was not recorded.
    pub duration_ms: Option<i64>,
    /// True if the recorder stopped before the run ended.
    pub interrupted: bool,
    /// True if more commands may be added to the run, and none is running.
    pub waiting: bool,
    /// The name of the pipeline, or the one given to `rundown begin`.
    pub name: Option<&'a str>,
    /// The first line of the commit's message.
    pub commit_subject: Option<&'a str>,
    /// The author of the commit.
    pub author: Option<&'a str>,
    /// The event that started the run, in the word of the CI system.
    pub event: Option<&'a str>,
    /// The address of the run in the CI system.
    pub url: Option<&'a str>,
    /// The number of the attempt in the CI system, from 1.
    pub attempt: Option<i64>,
    /// The name of the job in the CI system.
    pub ci_job: Option<&'a str>,
    /// The name of the machine or agent in the CI system.
    pub runner: Option<&'a str>,
    /// The id of the run whose commands the run repeats.
    pub repeats: Option<&'a str>,
}

/// A run with its jobs.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub(super) struct RunJson<'a> {
    #[serde(flatten)]
    pub head: HeadJson<'a>,
    /// The recorded environment variables, by name.
    pub variables: BTreeMap<&'a str, &'a str>,
    /// The jobs, in the order of the store. Jobs that are known only from files come last.
    pub jobs: Seq<'a, JobJson<'a>>,
    /// The log of the run itself: the output of the program that ran its jobs.
    pub log: Lazy<'a, Option<LogJson>>,
    /// The inconsistencies of the run as it was recorded.
    pub findings: Vec<FindingJson<'a>>,
}

/// An inconsistency of a run.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Finding")]
pub(super) struct FindingJson<'a> {
    /// The id of the job; `null` if the finding is about the run itself.
    pub job: Option<&'a str>,
    /// The number of the command in its job; `null` if the finding is not about a command.
    pub n: Option<u32>,
    /// The class of the finding.
    pub kind: FindingCode,
    /// A sentence for people, which may differ between versions.
    pub meaning: String,
}

/// A job with its commands.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Job")]
pub(super) struct JobJson<'a> {
    /// The name of the job, unique in the run; `null` for a log that was named by its path.
    pub id: Option<&'a str>,
    /// The state in the word of the program that wrote the store; `outcome` does not depend on it.
    pub state: Option<&'a str>,
    /// The outcome, whatever word the store has for it.
    pub outcome: Outcome,
    /// The progress; `null` if it is unknown.
    pub phase: Option<Progress>,
    /// The exit code of the job.
    pub exit_code: Option<i64>,
    /// The time at which it started, as RFC 3339 in UTC with 3 digits after the second.
    pub started_at: Option<UtcMillis>,
    /// The time at which it ended, as RFC 3339 in UTC with 3 digits after the second.
    pub finished_at: Option<UtcMillis>,
    /// The duration in milliseconds; negative if the clock went back.
    pub duration_ms: Option<i64>,
    /// The ids of the jobs that had to pass before the job could start.
    pub needs: &'a [String],
    /// True if the run may pass although the job failed.
    pub allow_failure: bool,
    /// The commands, by number.
    pub commands: Seq<'a, ShJson<'a>>,
}

/// A command.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Command")]
pub(super) struct ShJson<'a> {
    /// The number of the command in its job, from 1.
    pub n: u32,
    /// The command line.
    pub cmd: Option<&'a str>,
    /// The program and its arguments; `null` for a shell command.
    pub argv: Option<Vec<String>>,
    /// The working directory.
    pub cwd: Option<&'a str>,
    /// The state, derived from the exit code and the times.
    pub state: ShState,
    /// The outcome, with the same words as for runs and jobs.
    pub outcome: Outcome,
    /// The exit code.
    pub exit_code: Option<i64>,
    /// The number of the signal that ended the command.
    pub signal: Option<i32>,
    /// The time at which it started, as RFC 3339 in UTC with 3 digits after the second.
    pub started_at: Option<UtcMillis>,
    /// The time at which it ended, as RFC 3339 in UTC with 3 digits after the second.
    pub finished_at: Option<UtcMillis>,
    /// The duration in milliseconds; negative if the clock went back.
    pub duration_ms: Option<i64>,
    /// The CPU time in milliseconds, user and system.
    pub cpu_ms: Option<i64>,
    /// The peak memory in bytes.
    pub max_rss_bytes: Option<i64>,
    /// The number of bytes of output that could not be written to the log.
    pub lost_bytes: Option<i64>,
    /// The reason why the command could not be started.
    pub start_error: Option<&'a str>,
    /// The way in which the streams were read, as stored: `apart`, `merge`, `pty` or `exact`.
    pub output: Option<&'a str>,
    /// The number of the attempt, from 1, if the command is repeated when it fails.
    pub attempt: Option<i64>,
    /// The reason for the end, as stored: `timeout` if the command exceeded its time limit, `lost`
    /// if its end was not recorded; `null` if it ended by itself.
    pub ended_by: Option<&'a str>,
    /// The byte offset in the log at which output was removed because of a limit on its size.
    pub cut_at: Option<i64>,
    /// The number of bytes of output that were removed there.
    pub cut_bytes: Option<i64>,
    /// True if the database has a row for the command.
    pub has_row: bool,
    /// The way in which the row and the log were paired; `null` if the command has neither, only
    /// events.
    pub join: Option<Pairing>,
    /// The log; `null` if there is no file.
    pub log: Option<LogJson>,
    /// The cause of a failure; `null` if the command did not fail, or has no rows.
    pub cause: Option<CauseJson>,
}

/// The cause of a failure as the screen shows it: the row that a rule matched, with the rows around
/// it; or, if no rule matched, the last rows.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Cause")]
pub(super) struct CauseJson {
    /// True if a rule recognized the cause.
    pub matched: bool,
    /// The tool that prints such rows; `null` if no rule matched, or if several tools do.
    pub tool: Option<&'static str>,
    /// The number of the row with the cause, from 1, as in `jsonl`: the row that the rule matched
    /// or, if no rule matched, the last of one to three rows on standard error.
    #[schemars(range(min = 1))]
    pub row: Option<u64>,
    /// The place in the source that the cause names, as `file:line` or `file:line:column`. Relative
    /// to the directory of the command, unless it begins with `/`.
    pub location: Option<String>,
    /// The rows around it, in order, without blank ones.
    pub rows: Vec<CauseRowJson>,
    /// The rows that may be the cause, most likely first, at most 10. The cause is the first of
    /// them that its program did not survive, or the row that explains it.
    pub why: Vec<WhyJson>,
}

/// A row that may be the cause.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CauseCandidate")]
pub(super) struct WhyJson {
    /// The number of the row in its log, from 1, as in `jsonl`.
    #[schemars(range(min = 1))]
    pub row: Option<u64>,
    /// The tool that prints such rows; `null` if several tools do.
    pub tool: Option<&'static str>,
    /// The weight of its kind, from 10 to 80; 100 if it fits the exit code.
    #[schemars(range(max = 100))]
    pub score: u8,
    /// The reason for that score, as a phrase for people.
    pub reason: &'static str,
}

/// A row of a cause.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CauseRow")]
pub(super) struct CauseRowJson {
    /// The number of the row in its log, from 1, as in `jsonl`.
    #[schemars(range(min = 1))]
    pub row: Option<u64>,
    /// The stream; `null` for a line that is not a CRI record.
    pub stream: Option<Stream>,
    /// The time of the row, as RFC 3339 in UTC with 9 digits after the second; `null` for a line
    /// that is not a CRI record. The year of a time outside of the years 0 to 9999 has a sign.
    pub at: Option<UtcNanos>,
    /// The text, with replacement characters for bytes that are not UTF-8.
    pub text: String,
}

/// A log file. The counts are `null` if it could not be read.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Log")]
pub(super) struct LogJson {
    /// The path, relative to the store.
    pub path: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The format of its lines.
    pub format: Option<Format>,
    /// The number of rows: joined records, and lines that are not CRI records.
    pub rows: Option<u64>,
    /// The number of records of standard output. A row can consist of several.
    pub stdout_records: Option<u64>,
    /// The number of records of standard error. A row can consist of several.
    pub stderr_records: Option<u64>,
    /// The number of lines that are not CRI records.
    pub malformed: Option<u64>,
}

/// A value that is made only when it is written.
pub(super) struct Lazy<'a, T>(pub Box<dyn Fn() -> T + 'a>);

impl<T: Serialize> Serialize for Lazy<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0)().serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for Lazy<'_, T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

/// A list whose elements are made one by one when they are written, so that a run of any number of
/// commands takes little memory.
pub(super) struct Seq<'a, T>(Box<Elements<'a, T>>);

type Elements<'a, T> = dyn Fn() -> Box<dyn Iterator<Item = T> + 'a> + 'a;

impl<'a, T> Seq<'a, T> {
    /// Creates a list from a function that returns its elements.
    pub(super) fn new<I: Iterator<Item = T> + 'a>(elements: impl Fn() -> I + 'a) -> Self {
        Self(Box::new(move || Box::new(elements())))
    }
}

impl<T: Serialize> Serialize for Seq<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

impl<T: JsonSchema> JsonSchema for Seq<'_, T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Vec::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Vec<T>>()
    }
}
