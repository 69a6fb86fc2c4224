//! What a store tells about runs, jobs and commands, as plain data: no I/O, no screen.
//!
//! A state keeps the store's own word (`complete`, `succeeded`, `failed-pipeline`, …); [`Phase`]
//! and [`Outcome`] are derived from it and are never stored. What a store does not say is `None`,
//! never made up. Every string here was written by somebody else's program: it reaches a terminal
//! only through [`crate::sanitize`], a path only through [`crate::log::path`].

use crate::time::Time;

/// A run's id as the store has it: a UUIDv7 in practice, any text in principle.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RunId(pub String);

impl RunId {
    /// The id as the store has it. Untrusted text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form people see and type: the last 8 characters (a UUIDv7 begins with the time, so its
    /// end tells runs apart).
    #[must_use]
    pub fn short(&self) -> &str {
        let start = self.0.char_indices().rev().nth(7).map_or(0, |(at, _)| at);
        self.0.get(start..).unwrap_or_default()
    }
}

/// A job's id, unique in its run. Untrusted text: real stores hold spaces, newlines, escape
/// sequences, `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct JobId(pub String);

impl JobId {
    /// The id as the store has it. Untrusted text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One command of a job, across database and log files: `n` counts from 1 within the job.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShKey {
    /// The run it belongs to.
    pub run: RunId,
    /// The job it belongs to.
    pub job: JobId,
    /// Its number within the job, from 1; the `n` of `sh-<n>.log`.
    pub n: u32,
}

/// A row of `runs`: one execution of a pipeline for one push.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The repository as the store names it; `None` when there is no database to say so.
    pub repo: Option<String>,
    /// The full ref name, `refs/heads/main`.
    pub ref_name: Option<String>,
    /// The commit, in hex.
    pub sha: Option<String>,
    /// The store's own word for its state; `None` when there is no row, or no word in it: from
    /// version 10 on quire has one for how a run ended only.
    pub state: Option<String>,
    /// Why it failed, in the store's own word (`failure_kind`, or what follows `failed-` in an
    /// outcome).
    pub reason: Option<String>,
    /// When it was queued.
    pub queued_at: Option<Time>,
    /// When its first job could start.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// A database has a row of it; otherwise it is known by its logs alone.
    pub in_database: bool,
}

impl Run {
    /// A run of which nothing is known but where its logs lie.
    #[must_use]
    pub const fn without_row(id: RunId, repo: Option<String>) -> Self {
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
        }
    }
}

/// A row of `jobs`: a named unit inside a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The store's own word for its state; `None` when the job is known by its directory alone.
    pub state: Option<String>,
    /// Its exit code, where the store keeps one (quire never does).
    pub exit_code: Option<i64>,
    /// When its first command started.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// A database has a row of it; otherwise its directory, its commands or events tell of it.
    pub in_database: bool,
}

impl Job {
    /// A job of which nothing but its name is known: by its directory, or by its commands.
    #[must_use]
    pub const fn without_row(id: JobId) -> Self {
        Self {
            id,
            state: None,
            exit_code: None,
            started_at: None,
            finished_at: None,
            in_database: false,
        }
    }
}

/// Where a store tells of a command.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Origin {
    /// A row of our `sh_calls`, with its number.
    Call,
    /// A row of `sh_events` or `sh`, without a number.
    #[default]
    Row,
    /// Lines of `events.jsonl`, whose order tells the number; the database has no row (yet).
    Event,
    /// A line of `events.jsonl` that says it was started, followed by something else than its end:
    /// it has no number and no log.
    GivenUp,
}

impl Origin {
    /// Whether a database tells of it.
    #[must_use]
    pub const fn is_row(self) -> bool {
        matches!(self, Self::Call | Self::Row)
    }
}

/// A command as the store tells it. The default is one of which nothing is known.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Sh {
    /// Where it is told.
    pub origin: Origin,
    /// Its number within the job where the store tells it; `None` where it has to be guessed from
    /// the order.
    pub n: Option<u32>,
    /// The command line: a shell string, or an argv as `["prog", "arg"]` (quire does not escape
    /// it).
    pub cmd: String,
    /// The directory it ran in.
    pub cwd: Option<String>,
    /// Its process id.
    pub pid: Option<i64>,
    /// When it was started; `None` where the store has no number there.
    pub started_at: Option<Time>,
    /// When it ended; `None` while it runs.
    pub finished_at: Option<Time>,
    /// Its exit code; -1 where quire saw a signal.
    pub exit_code: Option<i64>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// CPU time of the command and the children it waited for, user and system, in milliseconds.
    pub cpu_ms: Option<i64>,
    /// The largest resident set of it or one of its children, in bytes.
    pub max_rss_bytes: Option<i64>,
    /// How many bytes it wrote that its log lacks, because the log could not be written.
    pub lost_bytes: Option<i64>,
    /// The length of its log in bytes when it was closed.
    pub log_bytes: Option<i64>,
}

impl Sh {
    /// How it ended as a shell tells it: its exit code, or 128 and the signal that ended it.
    #[must_use]
    pub fn exit_status(&self) -> Option<i64> {
        self.signal.map(|signal| i64::from(signal) + 128).or(self.exit_code)
    }

    /// The argument vector, where the command was stored as one and can be told from a shell
    /// string.
    ///
    /// Ours are JSON. The records' first writer joins the arguments without escaping them, so what
    /// it wrote is trusted only without a backslash (which in JSON would mean something else).
    #[must_use]
    pub fn argv(&self) -> Option<Vec<String>> {
        let ours = self.origin == Origin::Call;
        let stored = Some(&self.cmd).filter(|cmd| ours || !cmd.contains('\\'));
        stored
            .and_then(|cmd| serde_json::from_str(cmd).ok())
            .filter(|argv: &Vec<String>| !argv.is_empty())
    }
}

/// How far a run, job or command has come. Derived from times and liveness.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Phase {
    /// There is no row to say so.
    Unknown,
    /// Not started.
    Queued,
    /// Started, not ended, and nothing says that nobody works on it any more.
    Active,
    /// Ended; also an interrupted one, from which nothing more will come.
    Finished,
}

/// How something ended, derived from the store's word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// It did what it should.
    Passed,
    /// It did not.
    Failed,
    /// It was stopped, or a newer one took its place (`aborted`, `canceled`, `superseded`).
    Stopped,
    /// It never ran because something before it failed.
    Skipped,
}

impl Outcome {
    /// What the word of a store means; `None` for words of things that have not ended, and for
    /// words nobody knows. `reason` is the run's `failure_kind`: ours says `aborted` there,
    /// since version 1 has no such run state.
    #[must_use]
    pub fn from_word(state: &str, reason: Option<&str>) -> Option<Self> {
        match state {
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

/// The `failure_kind` of a run of ours that somebody stopped.
pub const ABORTED: &str = "aborted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_is_the_last_eight_characters() {
        assert_eq!(RunId("01a2078a-83c0-7cf2-8c6a-6911d61998d3".into()).short(), "d61998d3");
        assert_eq!(RunId("abc".into()).short(), "abc");
        assert_eq!(RunId("日本語日本語日本語".into()).short(), "本語日本語日本語");
    }

    #[test]
    fn an_argv_is_given_only_where_it_is_certain() {
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
    fn words_of_every_version_have_their_outcome() {
        for (word, reason, outcome) in [
            ("complete", None, Some(Outcome::Passed)),
            ("succeeded", None, Some(Outcome::Passed)),
            ("failed", Some("orphaned"), Some(Outcome::Failed)),
            ("failed", Some("aborted"), Some(Outcome::Stopped)),
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
