//! Findings and missing records as text.

use super::{age, duration, size};
use crate::join::{Finding, FindingKind, Pairing, Place, RunHead, ShNode, ShState};
use crate::model::{JobId, LogCut, Sh};
use crate::sanitize::name;

/// Returns a note on the missing data of a command: its row, its log or a part of its output.
/// `None` if nothing is missing.
#[must_use]
pub fn missing(head: &RunHead, node: &ShNode) -> Option<String> {
    let lost =
        node.sh.as_ref().and_then(|sh| sh.lost_bytes).and_then(|bytes| u64::try_from(bytes).ok());
    match (lost, node.pairing) {
        (Some(bytes), _) => Some(format!("the last {} of output were lost", size(bytes))),
        // Some writers write a log, or a row, only when the command or the run has ended.
        (_, Pairing::RowOnly) => {
            Some(if node.state == ShState::Running { "no log yet" } else { "no log" }.into())
        }
        (_, Pairing::FileOnly) if !head.run.in_database => None,
        (_, Pairing::FileOnly) => Some("no row in the database".into()),
        (None, Pairing::Exact | Pairing::Time | Pairing::Position) => None,
    }
}

/// Returns a note on the output that is missing in the middle of a command's log.
#[must_use]
pub fn cut(sh: &Sh) -> Option<String> {
    sh.cut().map(removed)
}

/// Returns the notice about output that was removed from the middle of a log.
#[must_use]
pub fn removed(cut: LogCut) -> String {
    let least = if cut.may_be_more { "at least " } else { "" };
    format!("{least}{} not recorded: size limit", size(cut.bytes))
}

/// Returns the meaning of a finding and its likely reason. Sanitized.
#[must_use]
pub fn finding(kind: &FindingKind) -> String {
    match kind {
        FindingKind::Orphaned => "the CI server died during this run and marked it failed on \
            restart; duration unknown"
            .into(),
        FindingKind::Interrupted => {
            "the recorder exited before the run finished; the record ends here".into()
        }
        FindingKind::CopiedEarly => "the run had not ended when it was copied; what was recorded \
                                     later is not here"
            .into(),
        FindingKind::Stalled => "all jobs have finished but the run has not; the recorder has \
            stopped, perhaps because two commands started in the same millisecond"
            .into(),
        FindingKind::Silent => {
            "nothing of this run has changed for more than an hour; its recorder \
            has probably stopped"
                .into()
        }
        FindingKind::RunNeverEnded { run, age_ms } => format!(
            "begun {} ago and never ended; end it with `rundown end {}`",
            age(*age_ms),
            name(run.as_str())
        ),
        FindingKind::FailedAlone => "the run failed but none of its commands did; the recorder \
            stopped before it recorded all of them (see the notes of the jobs)"
            .into(),
        FindingKind::UnknownState(word) => {
            format!("unknown state `{}`; a newer version of rundown may support it", name(word))
        }
        FindingKind::JobsGone { logs, orphaned } => jobs_gone(*logs, *orphaned),
        FindingKind::LogsGone { commands: 1 } => {
            "the log of 1 command is missing; it was removed or never copied".into()
        }
        FindingKind::LogsGone { commands } => {
            format!(
                "the logs of {commands} commands are missing; they were removed or never copied"
            )
        }
        FindingKind::RowsEnd { commands, collided } => rows_end(*commands, *collided),
        FindingKind::LogMissing => "the log is missing; it was removed or never copied".into(),
        FindingKind::LogShorter { by_bytes } => format!(
            "the log is {} shorter than when the command ended; it was truncated, or the machine \
             lost power",
            size(*by_bytes)
        ),
        FindingKind::LogLonger { by_bytes } => format!(
            "the log is {} longer than when the command ended; another process wrote to it",
            size(*by_bytes)
        ),
        FindingKind::NumberMissing { numbers: 1, first_n } => format!(
            "sh-{first_n}.log is missing, but later logs exist; it was removed or never copied"
        ),
        FindingKind::NumberMissing { numbers, first_n } => format!(
            "{numbers} logs are missing (the first is sh-{first_n}.log), but later logs exist; \
             they were removed or never copied"
        ),
        FindingKind::OutOfOrder => "the commands did not start in the order of their logs; the \
            clock was set back during the run"
            .into(),
        FindingKind::NeverEnded => {
            "the command started but never ended; perhaps the program does not exist".into()
        }
        FindingKind::JobNeverEnded => "the job has not ended, but the run has".into(),
        FindingKind::JobOutlivesRun { by_ms } => {
            format!("the job ended {} after the run", duration(*by_ms))
        }
        FindingKind::JobWithoutRow => "the database has no row of this job".into(),
        FindingKind::ClockWentBack { by_ms } => {
            format!("the end is {} before the start; the clock was set back", duration(*by_ms))
        }
        FindingKind::UnknownEvents { lines: 1 } => {
            "1 line of events.jsonl is not a known event".into()
        }
        FindingKind::UnknownEvents { lines } => {
            format!("{lines} lines of events.jsonl are not known events")
        }
        FindingKind::EventsCut { read_bytes } => {
            format!("events.jsonl is too large; only the first {} are read", size(*read_bytes))
        }
        FindingKind::RowsCut { rows } => {
            format!("the run is too large; only {rows} of its jobs and commands are shown")
        }
        FindingKind::UnsafeRunName => {
            "the repository and id of the run are not a valid path, so its logs are not read".into()
        }
        FindingKind::UnsafeName => "the name contains characters that could control the \
            terminal; symbols are shown instead"
            .into(),
        FindingKind::Refused(what) | FindingKind::Unreadable(what) => name(what).into_owned(),
        FindingKind::Malformed { lines: 1, first_line } => {
            format!("line {first_line} of the log is not a CRI record")
        }
        FindingKind::Malformed { lines, first_line } => {
            format!("{lines} lines of the log are not CRI records; the first is line {first_line}")
        }
        FindingKind::Torn => "the last line of the log is incomplete".into(),
    }
}

fn jobs_gone(logs: usize, orphaned: bool) -> String {
    let logs = if logs == 1 { "1 log exists".to_owned() } else { format!("{logs} logs exist") };
    let why = if orphaned {
        "the CI server died before it recorded them"
    } else {
        "the jobs were deleted, perhaps by an upgrade (quire's version 7 did so)"
    };
    format!("the database has no jobs of this run, but {logs}; {why}")
}

fn rows_end(commands: usize, collided: bool) -> String {
    let which = if commands == 1 {
        "no row of this command".to_owned()
    } else {
        format!("no rows of {commands} commands from this one on")
    };
    let why = if collided {
        "two commands started in the same millisecond, which its schema does not allow"
    } else {
        "the recorder stopped, perhaps because two commands started in the same millisecond"
    };
    format!("the database has {which}; {why}")
}

/// Returns the location of a finding in its run: `job build, command 3`. `None` for the run itself.
/// Sanitized.
#[must_use]
pub fn place(place: &Place) -> Option<String> {
    // A log opened by its path has no job.
    let job = name(place.job().map(JobId::as_str).filter(|id| !id.is_empty())?);
    Some(place.n().map_or_else(|| format!("job {job}"), |n| format!("job {job}, command {n}")))
}

/// Returns the location of a finding and its meaning. The location is omitted if the message
/// contains a path.
#[must_use]
pub fn finding_with_place(finding: &Finding) -> String {
    let what = self::finding(&finding.kind);
    let names_itself = matches!(finding.kind, FindingKind::Refused(_) | FindingKind::Unreadable(_));
    match place(&finding.place).filter(|_| !names_itself) {
        Some(place) => format!("{place}: {what}"),
        None => what,
    }
}
