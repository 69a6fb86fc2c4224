//! The runs, jobs and commands of a store as plain data, without I/O or display.
//!
//! A state keeps the store's own word (`complete`, `succeeded`, `failed-pipeline`, …). [`Phase`]
//! and [`Outcome`] are derived from it and are never stored. A value that the store lacks is
//! `None`, never invented. All strings were written by other programs: they reach a terminal only
//! through [`crate::sanitize`], and a path only through [`crate::log::path`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A run's id in the store: a UUIDv7 in practice, any text in principle.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct RunId(pub String);

impl RunId {
    /// Returns the id as stored. Untrusted text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the form that people see and type: the last 8 characters. A UUIDv7 begins with the
    /// time, so its end distinguishes runs.
    #[must_use]
    pub fn short(&self) -> &str {
        let start = self.0.char_indices().rev().nth(7).map_or(0, |(at, _)| at);
        self.0.get(start..).unwrap_or_default()
    }

    /// Returns the time in a UUIDv7, at which the run was created; `None` for any other id.
    #[must_use]
    pub fn time(&self) -> Option<Time> {
        const VERSION_AT: usize = 14;
        let is_v7 = self.0.len() == 36 && self.0.as_bytes().get(VERSION_AT) == Some(&b'7');
        let (high, low) = self.0.get(..VERSION_AT)?.trim_end_matches('-').split_once('-')?;
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_time = is_v7 && (high.len(), low.len()) == (8, 4) && is_hex(high) && is_hex(low);
        let ms = i64::from_str_radix(&[high, low].concat(), 16).ok().filter(|_| is_time)?;
        Some(Time::from_millis(ms))
    }
}

/// A job's id, unique in its run. Untrusted text: ids in real stores contain spaces, newlines,
/// escape sequences and `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct JobId(pub String);

impl JobId {
    /// Returns the id as stored. Untrusted text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of one command of a job, in the database and the log files. `n` counts from 1 within the
/// job.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShKey {
    /// The run of the command.
    pub run: RunId,
    /// The job of the command.
    pub job: JobId,
    /// Its number within the job, from 1; the `n` of `sh-<n>.log`.
    pub n: u32,
}

/// A row of `runs`: one execution of a pipeline for one push.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The repository as the store names it; `None` if it is unknown, as for logs that were opened
    /// by their path.
    pub repo: Option<String>,
    /// The full ref name, `refs/heads/main`.
    pub ref_name: Option<String>,
    /// The commit, in hex.
    pub sha: Option<String>,
    /// The store's own word for its state; `None` if there is no row, or no word in the row. From
    /// version 10 on, quire stores a word only for the outcome of a run.
    pub state: Option<String>,
    /// The reason for its failure, in the store's own word (`failure_kind`, or the part after
    /// `failed-` in an outcome).
    pub reason: Option<String>,
    /// The time at which it was queued.
    pub queued_at: Option<Time>,
    /// The time at which its first job could start.
    pub started_at: Option<Time>,
    /// The time at which it ended.
    pub finished_at: Option<Time>,
    /// True if a database has a row for it; otherwise it is known only from its files.
    pub in_database: bool,
    /// The facts about it that only rundown records.
    #[serde(default)]
    pub details: RunDetails,
}

/// Facts about a run that only rundown records, since version 6 of its database. Apart from
/// `is_open`, they come from the variables of the CI system, from git, or from the user.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct RunDetails {
    /// True if it was begun by `rundown begin`: any number of recorders add commands to it, until
    /// `rundown end` finishes it. Each of them holds a lock on the log of its command.
    pub is_open: bool,
    /// The name of its pipeline, or the name that the user gave it.
    pub name: Option<String>,
    /// The first line of the commit's message.
    pub subject: Option<String>,
    /// The author of the commit.
    pub author: Option<String>,
    /// The event that started it, in the CI system's own word, such as `push`.
    pub event: Option<String>,
    /// The address of the run in the CI system.
    pub url: Option<String>,
    /// The number of the attempt in the CI system, from 1.
    pub attempt: Option<i64>,
    /// The name of the job in the CI system.
    pub ci_job: Option<String>,
    /// The name of the machine or agent in the CI system.
    pub runner: Option<String>,
    /// The run whose commands it repeats.
    pub repeats: Option<RunId>,
    /// The W3C trace context that it was started in.
    pub traceparent: Option<String>,
    /// The environment variables that the user chose to record, by name. Only read for a single
    /// run, not for a list.
    pub variables: Vec<(String, String)>,
}

impl Run {
    /// Returns the time that lists are ordered by: that of its push, or else of its creation.
    #[must_use]
    pub fn listed_at(&self) -> Option<Time> {
        self.queued_at.or_else(|| self.id.time())
    }

    /// Creates a run of which only the location of its logs is known.
    #[must_use]
    pub fn without_row(id: RunId, repo: Option<String>) -> Self {
        Self {
            id,
            repo,
            ref_name: None,
            sha: None,
            state: None,
            reason: None,
            queued_at: None,
            started_at: None,
            finished_at: None,
            in_database: false,
            details: RunDetails::default(),
        }
    }
}

/// A row of `jobs`: a named unit inside a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The store's own word for its state; `None` if the store has no word, as for a job that is
    /// known only from its directory.
    pub state: Option<String>,
    /// Its exit code, if the store keeps one (quire never does).
    pub exit_code: Option<i64>,
    /// The time at which it started, before its first command.
    pub started_at: Option<Time>,
    /// The time at which it ended.
    pub finished_at: Option<Time>,
    /// True if a database has a row for it; otherwise it is known from its directory, commands or
    /// events.
    pub in_database: bool,
    /// The jobs that had to pass before it could start, if its recorder stored them.
    #[serde(default)]
    pub needs: Vec<String>,
    /// True if its run may pass although the job failed.
    #[serde(default)]
    pub allow_failure: bool,
}

impl Job {
    /// Creates a job of which only the name is known, from its directory or its commands.
    #[must_use]
    pub const fn without_row(id: JobId) -> Self {
        Self {
            id,
            state: None,
            exit_code: None,
            started_at: None,
            finished_at: None,
            in_database: false,
            needs: Vec::new(),
            allow_failure: false,
        }
    }
}

/// The source of a command in a store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A row of rundown's `sh_calls`, with a number.
    Call,
    /// A row of `sh_events` or `sh`, without a number.
    #[default]
    Row,
    /// Lines of `events.jsonl`, whose order gives the number; the database has no row (yet).
    Event,
    /// A start in `events.jsonl`, followed by an event which shows that the command will never end.
    /// The command has no number and no log.
    GivenUp,
}

impl Origin {
    /// Returns true if the source is a row of a database.
    #[must_use]
    pub const fn is_row(self) -> bool {
        matches!(self, Self::Call | Self::Row)
    }
}

/// A command in a store. The default is a command of which nothing is known.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Sh {
    /// The source of its data.
    pub origin: Origin,
    /// Its number within the job, if the store contains it; `None` if it can only be guessed from
    /// the order of the commands.
    pub n: Option<u32>,
    /// The command line: a shell string, or an argv as `["prog", "arg"]` (quire does not escape
    /// it).
    pub cmd: String,
    /// The directory it ran in.
    pub cwd: Option<String>,
    /// Its process id.
    pub pid: Option<i64>,
    /// The time at which it was started; `None` if the stored value is not a number.
    pub started_at: Option<Time>,
    /// The time at which it ended; `None` while it runs.
    pub finished_at: Option<Time>,
    /// Its exit code; -1 if quire saw a signal.
    pub exit_code: Option<i64>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// CPU time of the command and the children it waited for, user and system, in milliseconds.
    pub cpu_ms: Option<i64>,
    /// The largest resident set size of the command or one of its children, in bytes.
    pub max_rss_bytes: Option<i64>,
    /// The number of bytes it wrote that are missing from its log, because the log could not be
    /// written.
    pub lost_bytes: Option<i64>,
    /// The length of its log when the log was closed, in bytes.
    pub log_bytes: Option<i64>,
    /// The reason why it could not be started, if its recorder stored one.
    pub start_error: Option<String>,
    /// The program that ran it, with the arguments before it, as `["docker", "exec", …]`; `None`
    /// for `sh -c`, and for a program with arguments.
    pub shell: Option<Vec<String>>,
    /// The way in which its streams were read: `apart`, `merge`, `pty` or `exact`.
    pub output: Option<String>,
    /// The number of the attempt, from 1, if it was repeated because it had failed.
    pub attempt: Option<i64>,
    /// The reason for its end if it did not end by itself: `timeout`, or `lost` if no recorder saw
    /// its end.
    pub ended_by: Option<String>,
    /// The byte offset in its log at which output was removed, if the log reached its size limit.
    pub cut_at: Option<i64>,
    /// The number of bytes of output that were removed there. Until the command has ended, only
    /// those of the first time, so the rest is unknown if its recorder was killed.
    pub cut_bytes: Option<i64>,
    /// True if it is unfinished, and its recorder holds no lock on its log any more. Not stored.
    pub is_abandoned: bool,
}

impl Sh {
    /// Returns its exit status as in a shell: its exit code, or 128 plus the signal that ended it.
    #[must_use]
    pub fn exit_status(&self) -> Option<i64> {
        self.signal.map(|signal| i64::from(signal) + 128).or(self.exit_code)
    }

    /// Returns true if its recorder did not see its end: the run was finished later.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.ended_by.as_deref() == Some(LOST)
    }

    /// Returns true if its recorder was killed before it stored the command: only the log is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.cmd.is_empty() && self.is_lost()
    }

    /// Returns the output that was removed from the middle of its log, if any was.
    #[must_use]
    pub fn cut(&self) -> Option<LogCut> {
        let at = self.cut_at.and_then(|at| u64::try_from(at).ok())?;
        let bytes = self.cut_bytes.and_then(|bytes| u64::try_from(bytes).ok())?;
        let may_be_more = self.finished_at.is_none() || self.is_lost();
        Some(LogCut { at, bytes, may_be_more }).filter(|cut| cut.bytes > 0)
    }

    /// Returns true if it was stopped because it exceeded its time limit.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.ended_by.as_deref() == Some(TIMEOUT)
    }

    /// Returns the argument vector, if the command was stored as one and is certainly not a shell
    /// string.
    ///
    /// Rundown stores the arguments as JSON. Quire joins the arguments without escaping them, so
    /// its text is trusted only if it contains no backslash (which has another meaning in JSON).
    #[must_use]
    pub fn argv(&self) -> Option<Vec<String>> {
        let ours = self.origin == Origin::Call;
        let stored = Some(&self.cmd).filter(|cmd| ours || !cmd.contains('\\'));
        stored
            .and_then(|cmd| serde_json::from_str(cmd).ok())
            .filter(|argv: &Vec<String>| !argv.is_empty())
    }
}

/// Output that was removed from the middle of a log, because the log reached its size limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogCut {
    /// The byte offset in the log at which it was removed.
    pub at: u64,
    /// The number of bytes of output that were removed.
    pub bytes: u64,
    /// True if more bytes may have been removed.
    pub may_be_more: bool,
}

/// The progress of a run, job or command, derived from times and liveness.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Phase {
    /// The phase cannot be derived, because there is no row, or neither a state nor a time in it.
    Unknown,
    /// Not started.
    Queued,
    /// Started and not ended, with no evidence that its recorder has stopped.
    Active,
    /// Ended, or interrupted for good: no more data will be recorded.
    Finished,
}

/// The result of a run or job, derived from the store's word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// It succeeded.
    Passed,
    /// It failed.
    Failed,
    /// It was stopped or superseded by a newer one (`aborted`, `canceled`, `superseded`).
    Stopped,
    /// It never ran, because something before it failed.
    Skipped,
}

impl Outcome {
    /// Returns the outcome that a store's word stands for; `None` for the words of runs and jobs
    /// that have not ended, and for unknown words. `reason` is the run's `failure_kind`. Rundown's
    /// own stores record a stopped run as `failed` with the `failure_kind` `aborted`, because
    /// version 1 of the schema has no state for stopped runs. An interrupted run has no outcome; if
    /// it was repaired, it has the state `failed` and the `failure_kind` `interrupted`.
    #[must_use]
    pub fn from_word(state: &str, reason: Option<&str>) -> Option<Self> {
        match state {
            _ if reason == Some(INTERRUPTED) => None,
            "complete" | "succeeded" | "success" => Some(Self::Passed),
            "failed" if reason == Some(ABORTED) => Some(Self::Stopped),
            "aborted" | "superseded" | "replaced" | "canceled" | "cancelled" => Some(Self::Stopped),
            "skipped" => Some(Self::Skipped),
            "pipeline_failure" | "failed" => Some(Self::Failed),
            word if word.starts_with("failed-") => Some(Self::Failed),
            _ => None,
        }
    }
}

/// The time without a command after which a run that was begun by `rundown begin` counts as
/// abandoned.
pub const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// The `failure_kind` of a run that was stopped, in rundown's own stores.
pub const ABORTED: &str = "aborted";

/// The `failure_kind` of an interrupted run that was finished later, in rundown's own stores.
pub const INTERRUPTED: &str = "interrupted";

/// The value of [`Sh::ended_by`] if no recorder saw the end of the command.
pub const LOST: &str = "lost";

/// The value of [`Sh::ended_by`] if the command was stopped because it exceeded its time limit.
pub const TIMEOUT: &str = "timeout";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_id_is_the_last_eight_characters() {
        assert_eq!(RunId("01a2078a-83c0-7cf2-8c6a-6911d61998d3".into()).short(), "d61998d3");
        assert_eq!(RunId("abc".into()).short(), "abc");
        assert_eq!(RunId("日本語日本語日本語".into()).short(), "本語日本語日本語");
    }

    #[test]
    fn only_a_uuid_of_version_7_contains_a_time() {
        let time = |id: &str| RunId(id.into()).time();
        assert_eq!(
            time("01a2078a-83c0-7cf2-8c6a-6911d61998d3").and_then(Time::rfc3339_millis).unwrap(),
            "2026-11-23T08:34:07.936Z"
        );
        for id in [
            "01a2078a-83c0-4cf2-8c6a-6911d61998d3",
            "01a2078a-83c0-7cf2-8c6a-6911d61998d",
            "01a2078a-83cx-7cf2-8c6a-6911d61998d3",
            "01a2078a83-c0-7cf2-8c6a-6911d61998d3",
            "+1a2078a-83c0-7cf2-8c6a-6911d61998d3",
            "日本語日本語日本語日本語日本語日本語",
            "日本語日-7本語-7cf2",
            "",
        ] {
            assert_eq!(time(id), None, "{id}");
        }
    }

    #[test]
    fn argv_is_returned_only_if_it_is_certain() {
        let sh = |origin, cmd: &str| Sh { origin, cmd: cmd.into(), ..Sh::default() };
        assert_eq!(
            sh(Origin::Row, r#"["git", "--version"]"#).argv().unwrap(),
            ["git", "--version"]
        );
        assert_eq!(sh(Origin::Call, r#"["printf","a\\nb"]"#).argv().unwrap(), ["printf", "a\\nb"]);
        assert_eq!(sh(Origin::Row, r#"["printf", "a\nb"]"#).argv(), None);
        for shell in ["echo hi", "[ -f x ]", "[]", "", r#"["unescaped "quote"]"#] {
            assert_eq!(sh(Origin::Event, shell).argv(), None, "{shell}");
        }
    }

    #[test]
    fn the_outcome_words_of_every_schema_version_are_known() {
        for (word, reason, outcome) in [
            ("complete", None, Some(Outcome::Passed)),
            ("succeeded", None, Some(Outcome::Passed)),
            ("failed", Some("orphaned"), Some(Outcome::Failed)),
            ("failed", Some("aborted"), Some(Outcome::Stopped)),
            ("failed", Some("interrupted"), None),
            ("failed-interrupted", Some("interrupted"), None),
            ("failed-pipeline", None, Some(Outcome::Failed)),
            ("superseded", None, Some(Outcome::Stopped)),
            ("canceled", None, Some(Outcome::Stopped)),
            ("skipped", None, Some(Outcome::Skipped)),
            ("active", None, None),
            ("a word of the future", None, None),
        ] {
            assert_eq!(Outcome::from_word(word, reason), outcome, "{word}");
        }
    }
}
