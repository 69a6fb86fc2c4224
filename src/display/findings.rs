//! Findings and missing records as text.

use super::{duration, size};
use crate::join::{Finding, FindingKind, Pairing, Place, RunHead, ShNode, ShState};
use crate::model::JobId;
use crate::sanitize::name;

/// Returns a note on the records of a command that are missing; `None` if all are there.
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

/// Returns the meaning of a finding and its likely reason. Sanitized.
#[must_use]
pub fn finding(kind: &FindingKind) -> String {
    let commands = |n: usize| if n == 1 { "1 command".to_owned() } else { format!("{n} commands") };
    let logs = |n: usize| if n == 1 { "1 log is".to_owned() } else { format!("{n} logs are") };
    match kind {
        FindingKind::Orphaned => {
            "its writer stopped before it had ended, and called it failed when started anew: how long it took is not known".into()
        }
        FindingKind::Interrupted => "its recorder is gone without having finished it: nothing more will come".into(),
        FindingKind::Stalled => {
            "all its jobs have ended but the run has not: its writer has stopped, perhaps because two commands began in one millisecond".into()
        }
        FindingKind::FailedAlone => {
            "none of its commands failed: its writer stopped while it wrote what they did, see the notes of its jobs".into()
        }
        FindingKind::UnknownState(word) => format!("its state, `{}`, is a word that this rundown does not know", name(word)),
        FindingKind::JobsGone { logs: n, orphaned: true } => {
            format!("the database has no jobs of this run, though {} here: its writer stopped before it wrote them", logs(*n))
        }
        FindingKind::JobsGone { logs: n, orphaned: false } => {
            format!("the database has no jobs of this run, though {} here: they were deleted, perhaps by an upgrade (quire's version 7 did so)", logs(*n))
        }
        FindingKind::LogsGone { commands: n } => {
            format!("no log of {} is here: they were removed, or never copied", commands(*n))
        }
        FindingKind::RowsEnd { commands, collided } => {
            let which = if *commands == 1 { "no row of this command".into() } else { format!("no rows of {commands} commands from this one on") };
            let why = if *collided { "two commands began in one millisecond, which it cannot hold" } else { "its writer stopped, perhaps because two commands began in one millisecond" };
            format!("the database has {which}: {why}")
        }
        FindingKind::LogMissing => "its log is not here: it was removed, or never copied".into(),
        FindingKind::LogShorter { by_bytes } => {
            format!("its log is {} shorter than when the command ended: it was cut, or the machine lost power", size(*by_bytes))
        }
        FindingKind::LogLonger { by_bytes } => {
            format!("its log is {} longer than when the command ended: something else was written to it", size(*by_bytes))
        }
        FindingKind::NumberMissing { numbers: 1, first_n } => {
            format!("sh-{first_n}.log is not here, though later ones are: it was removed, or never copied")
        }
        FindingKind::NumberMissing { numbers, first_n } => {
            format!("{numbers} logs, the first of them sh-{first_n}.log, are not here, though later ones are: they were removed, or never copied")
        }
        FindingKind::OutOfOrder => "its commands did not begin in the order of their logs: the clock was set back meanwhile".into(),
        FindingKind::NeverEnded => "it was started and never ended: perhaps there is no such program".into(),
        FindingKind::JobNeverEnded => "it has not ended, though its run has".into(),
        FindingKind::JobOutlivesRun { by_ms } => format!("it ended {} after its run did", duration(*by_ms)),
        FindingKind::JobWithoutRow => "the database has no row of it".into(),
        FindingKind::ClockWentBack { by_ms } => {
            format!("it ended {} before it began: the clock was set back meanwhile", duration(*by_ms))
        }
        FindingKind::UnknownEvents { lines: 1 } => "a line of its events.jsonl is no event that is known".into(),
        FindingKind::UnknownEvents { lines } => format!("{lines} lines of its events.jsonl are no events that are known"),
        FindingKind::EventsCut { read_bytes } => {
            format!("its events.jsonl is larger than any run should need: only the first {} are read", size(*read_bytes))
        }
        FindingKind::RowsCut { rows } => {
            format!("it has more rows than are read of one run: {rows} of its jobs and commands are shown, the others are not")
        }
        FindingKind::UnsafeRunName => "its names cannot be a path: if it has logs they are not read".into(),
        FindingKind::UnsafeName => "its name has characters that could steer a terminal: signs are shown in their place".into(),
        FindingKind::Refused(what) | FindingKind::Unreadable(what) => name(what).into_owned(),
        FindingKind::Malformed { lines: 1, first_line } => format!("line {first_line} of its log is no record"),
        FindingKind::Malformed { lines, first_line } => {
            format!("{lines} lines of its log are no records, the first is line {first_line}")
        }
        FindingKind::Torn => "the last line of its log is cut off".into(),
    }
}

/// Returns the location of a finding in its run: `job build, command 3`. `None` for the run itself.
/// Sanitized.
#[must_use]
pub fn place(place: &Place) -> Option<String> {
    // A log opened by its path has no job.
    let job = name(place.job().map(JobId::as_str).filter(|id| !id.is_empty())?);
    Some(place.n().map_or_else(|| format!("job {job}"), |n| format!("job {job}, command {n}")))
}

/// Returns the meaning of a finding after its location. Messages that contain a path get no
/// location.
#[must_use]
pub fn finding_with_place(finding: &Finding) -> String {
    let what = self::finding(&finding.kind);
    let names_itself = matches!(finding.kind, FindingKind::Refused(_) | FindingKind::Unreadable(_));
    match place(&finding.place).filter(|_| !names_itself) {
        Some(place) => format!("{place}: {what}"),
        None => what,
    }
}
