//! Builds one tree from the database, the events and the log files of a run. Pure, no I/O.
//!
//! `parts` is what a loader reads; `pair` matches commands with logs, and `find` finds oddities in
//! the result.

mod find;
mod finding;
mod pair;
mod parts;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::events::Events;
use crate::log::LogPath;
use crate::model::{self, Job, JobId, Outcome, Phase, Run, Sh};
use crate::time::Time;

#[doc(hidden)]
pub use find::{find, next_at, silent_ms};
pub use finding::{Finding, FindingCode, FindingKind, Findings, Place};
#[doc(hidden)]
pub use pair::DatedLog;
#[doc(hidden)]
pub use parts::{JobParts, RunParts};

/// A run's row and what is derived from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunHead {
    /// The row.
    pub run: Run,
    /// Its progress. An interrupted run counts as finished, because nothing more will be recorded.
    pub phase: Phase,
    /// Its outcome; `None` until it ends, or if the store's word for the outcome is unknown.
    pub outcome: Option<Outcome>,
    /// True if the run's recorder exited before the run was finished.
    pub interrupted: bool,
    /// True if it was begun by `rundown begin` and no command is running: more commands may be
    /// added, until `rundown end` finishes it.
    pub waiting: bool,
}

impl RunHead {
    /// Returns true if the run was marked as failed because its writer had died. Its finish time is
    /// then the time at which the writer was restarted.
    #[must_use]
    pub fn is_orphaned(&self) -> bool {
        self.run.reason.as_deref() == Some("orphaned")
    }

    /// Returns the time at which the run ended; `None` if the store does not contain it, as for an
    /// orphaned run.
    #[must_use]
    pub fn ended_at(&self) -> Option<Time> {
        self.run.finished_at.filter(|_| !self.is_orphaned())
    }

    /// Returns its duration in milliseconds, if known.
    #[must_use]
    pub fn lasted_ms(&self) -> Option<i64> {
        Some(self.ended_at()?.millis_since(self.run.started_at?))
    }
}

/// A run with its jobs and commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunNode {
    /// The run itself.
    pub head: RunHead,
    /// The directory of its files; `None` if it is unknown or may not be read.
    pub dir: Option<PathBuf>,
    /// The run's own log: the output of the program that ran its jobs.
    pub log: Option<LogRef>,
    /// The file with the events of the run, and its size when it was read.
    pub events: Option<LogRef>,
    /// The time of the newest change of its rows and files, if the run is active and there is no
    /// lock that shows if its recorder is alive.
    pub changed_at: Option<Time>,
    /// Its jobs, in the order of the database. Jobs without a row come last.
    pub jobs: Vec<JobNode>,
    /// The findings about it, from the run down to its commands.
    pub findings: Findings,
}

impl RunNode {
    /// Counts its failed commands.
    #[must_use]
    pub fn failed_commands(&self) -> usize {
        self.jobs.iter().flat_map(|job| &job.shs).filter(|sh| sh.state == ShState::Failed).count()
    }

    /// Returns the first failed command in time; if no command failed, the first interrupted one.
    #[must_use]
    pub fn first_failed(&self) -> Option<(&JobNode, &ShNode)> {
        self.first_in(ShState::Failed).or_else(|| self.first_in(ShState::Interrupted))
    }

    /// Returns the command in a state that ended first. Commands whose failure has no consequences
    /// come last.
    #[must_use]
    pub fn first_in(&self, state: ShState) -> Option<(&JobNode, &ShNode)> {
        self.shs().filter(|(_, sh)| sh.state == state).min_by_key(|(job, sh)| by_end(job, sh))
    }

    /// Returns the failed and the interrupted commands in the order in which they ended: first the
    /// failed ones, then the interrupted ones, then those whose failure has no consequences.
    #[must_use]
    pub fn failures(&self) -> Vec<(&JobNode, &ShNode)> {
        let mut failures: Vec<_> = self.shs().filter(|(_, sh)| sh.state.is_failure()).collect();
        failures.sort_by_cached_key(|(job, sh)| {
            let (is_harmless, end) = by_end(job, sh);
            (is_harmless, sh.state == ShState::Interrupted, end)
        });
        failures
    }

    fn shs(&self) -> impl Iterator<Item = (&JobNode, &ShNode)> {
        self.jobs.iter().flat_map(|job| job.shs.iter().map(move |sh| (job, sh)))
    }
}

/// Returns the sort key of a command by the time of its end. Commands whose failure has no
/// consequences come last, and before them those without a time.
fn by_end(job: &JobNode, node: &ShNode) -> (bool, (bool, Option<Time>)) {
    let end = node.sh.as_ref().and_then(|sh| sh.finished_at.or(sh.started_at));
    (!job.counts(node), (end.is_none(), end))
}

/// A job with its commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobNode {
    /// Its row, or a job that is known only by its events or its directory.
    pub job: Job,
    /// Its progress.
    pub phase: Phase,
    /// Its outcome.
    pub outcome: Option<Outcome>,
    /// True if its run ended while the job was active, or if it waits and the end of one of its
    /// commands was not recorded.
    pub interrupted: bool,
    /// True if its run is open (see [`RunHead::waiting`]), and none of its commands is running:
    /// more commands may be added. The outcome is that of its commands so far, if one of them
    /// failed.
    pub waiting: bool,
    /// Its commands, by number.
    pub shs: Vec<ShNode>,
}

impl JobNode {
    /// Returns true if it failed and its run may pass nevertheless.
    #[must_use]
    pub fn is_tolerated(&self) -> bool {
        self.job.allow_failure && self.outcome == Some(Outcome::Failed)
    }

    /// Returns true if the failure of a command has consequences: the job did not pass and was not
    /// allowed to fail, and the command was not repeated.
    #[must_use]
    pub fn counts(&self, sh: &ShNode) -> bool {
        !self.job.allow_failure && self.outcome != Some(Outcome::Passed) && !self.has_repeated(sh)
    }

    /// Returns true if a command was repeated because it had failed.
    fn has_repeated(&self, node: &ShNode) -> bool {
        let Some((sh, attempt)) = node.sh.as_ref().and_then(|sh| Some((sh, sh.attempt?))) else {
            return false;
        };
        let mut later = self.shs.iter().filter_map(|sh| sh.sh.as_ref());
        later.any(|next| next.attempt > Some(attempt) && next.cmd == sh.cmd)
    }

    /// Returns the time at which it ended, or at which the last of its commands ended while it
    /// waits for more; `None` if it is unknown.
    #[must_use]
    pub fn ended_at(&self) -> Option<Time> {
        if self.waiting {
            return self.shs.iter().filter_map(|sh| sh.sh.as_ref()?.finished_at).max();
        }
        self.job.finished_at.filter(|_| !self.interrupted)
    }
}

/// A command: its row or events, its log, or both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShNode {
    /// Its number in the job, from 1: the stored number, or the number of its log. A row with
    /// neither gets its position among the rows of the job, or a free number.
    pub n: u32,
    /// Its row, or a command that is known only by its events.
    pub sh: Option<Sh>,
    /// Its log.
    pub log: Option<LogRef>,
    /// The time of the log's first record, if it was needed and the log has one.
    pub first_at: Option<Time>,
    /// The way in which row and log were matched.
    pub pairing: Pairing,
    /// Its state.
    pub state: ShState,
}

/// A log file as found in a directory listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRef {
    /// Its path.
    pub path: LogPath,
    /// Its size when it was listed.
    pub bytes: u64,
}

/// The way in which a row and a log were matched.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(rename = "Join"))]
#[serde(rename_all = "kebab-case")]
pub enum Pairing {
    /// By the number in the store.
    Exact,
    /// By time: the log's first timestamp equals the row's start, within a millisecond.
    Time,
    /// By order alone: there are no times to compare, or the times differ.
    Position,
    /// A row without a log.
    RowOnly,
    /// A log without a row.
    FileOnly,
}

/// The state of a command.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(rename = "CommandState"))]
#[serde(rename_all = "lowercase")]
pub enum ShState {
    /// Started, not ended.
    Running,
    /// Ended with exit code 0.
    Passed,
    /// Ended with another exit code, or by a signal.
    Failed,
    /// Started, but its end was never recorded.
    Interrupted,
    /// Without a row, or ended without an exit code.
    Unknown,
}

impl ShState {
    /// Returns the word in the JSON documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Unknown => "unknown",
        }
    }

    /// Returns true if the command failed or was interrupted.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Interrupted)
    }
}

/// The state of a run's recorder, as far as it can be detected.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recorder {
    /// The recorder holds the run's lock.
    Alive,
    /// The run was recorded by rundown, and its lock is free.
    Gone,
    /// The run was begun by `rundown begin`, and no recorder is adding a command to it now.
    Waiting,
    /// The run was copied before it had ended. Nothing is added to the copy.
    Copied,
    /// The state was not detected: the run was not recorded by rundown, has ended, or has a lock
    /// that cannot be checked.
    Unknown,
}

/// Derives the progress and the outcome of a run.
#[doc(hidden)]
#[must_use]
pub fn run_head(run: Run, recorder: Recorder) -> RunHead {
    let outcome =
        run.state.as_deref().and_then(|state| Outcome::from_word(state, run.reason.as_deref()));
    let stored = stored_phase(has_progress(&run), outcome, run.started_at, run.finished_at);
    let is_open = matches!(stored, Phase::Queued | Phase::Active);
    let is_lost = matches!(recorder, Recorder::Gone | Recorder::Copied) && is_open;
    let interrupted = is_lost || run.reason.as_deref() == Some(model::INTERRUPTED);
    let phase = if is_lost { Phase::Finished } else { stored };
    RunHead { run, phase, outcome, interrupted, waiting: recorder == Recorder::Waiting && is_open }
}

/// Returns true if the run has a row with a state or a time. A row in an unknown format may have
/// neither.
fn has_progress(run: &Run) -> bool {
    let has_time = [run.queued_at, run.started_at, run.finished_at].iter().any(Option::is_some);
    run.in_database && (run.state.is_some() || has_time)
}

/// Derives the progress of a job, and pairs its commands with their logs.
#[doc(hidden)]
#[must_use]
pub fn job_node(head: &RunHead, job: Job, shs: Vec<Sh>, logs: Vec<DatedLog>) -> JobNode {
    let outcome = job.state.as_deref().and_then(|state| Outcome::from_word(state, None));
    let stored = stored_phase(job.state.is_some(), outcome, job.started_at, job.finished_at);
    // Nothing is active in a run that has ended, whatever the row of the job contains.
    let is_over = head.phase == Phase::Finished;
    // The repair of an interrupted run ends its active jobs as stopped ones.
    let is_repaired = head.interrupted && head.run.finished_at.is_some();
    let was_interrupted =
        is_over && stored == Phase::Active || is_repaired && outcome == Some(Outcome::Stopped);
    let (phase, outcome) = match stored {
        _ if was_interrupted => (Phase::Finished, None),
        Phase::Queued if is_over => (Phase::Finished, Some(Outcome::Skipped)),
        stored => (stored, outcome),
    };
    let is_over = is_over || phase == Phase::Finished;
    let shs: Vec<_> =
        pair::pair(shs, logs).into_iter().map(|paired| paired.node(is_over)).collect();
    let has = |state| shs.iter().any(|sh| sh.state == state);
    let is_open = head.run.details.is_open && phase == Phase::Active;
    let waiting = is_open && !has(ShState::Running);
    let outcome = outcome.or((waiting && has(ShState::Failed)).then_some(Outcome::Failed));
    let interrupted = was_interrupted || waiting && has(ShState::Interrupted);
    JobNode { job, phase, outcome, interrupted, waiting, shs }
}

fn stored_phase(
    has_row: bool,
    outcome: Option<Outcome>,
    started: Option<Time>,
    finished: Option<Time>,
) -> Phase {
    match (outcome.is_some() || finished.is_some(), started) {
        (true, _) => Phase::Finished,
        (_, Some(_)) => Phase::Active,
        (_, None) if has_row => Phase::Queued,
        (_, None) => Phase::Unknown,
    }
}

/// Adds to the rows of a run the jobs and commands that are only in its events. If the events of a
/// job are complete, its commands are in the order of the events. A command that also has a row is
/// replaced by the row. The result contains each row, and each command that is only in the events,
/// exactly once.
#[doc(hidden)]
#[must_use]
pub fn with_events(mut rows: Vec<(Job, Vec<Sh>)>, events: Events) -> Vec<(Job, Vec<Sh>)> {
    let places: HashMap<JobId, usize> =
        rows.iter().enumerate().map(|(place, (job, _))| (job.id.clone(), place)).collect();
    for (job, event_shs) in events.jobs {
        match places.get(&job.id).and_then(|place| rows.get_mut(*place)) {
            Some((_, shs)) => *shs = with_rows(event_shs, std::mem::take(shs)),
            None => rows.push((job, event_shs)),
        }
    }
    rows
}

/// Merges the commands of a job's events with their rows. The writer makes the rows from these
/// events, so the start and the command line identify the event of a row. Rows without an event
/// come last. However, if there are such rows and every event has its row, the events are
/// incomplete. Then the commands are sorted by start and their numbers are dropped, so that they
/// are paired with their logs as rows without numbers are.
fn with_rows(mut event_shs: Vec<Sh>, rows: Vec<Sh>) -> Vec<Sh> {
    let mut places: HashMap<(Option<Time>, String), VecDeque<usize>> = HashMap::new();
    // A command without a number was given up, and has no row.
    for (place, sh) in event_shs.iter().enumerate().filter(|(_, sh)| sh.n.is_some()) {
        places.entry((sh.started_at, sh.cmd.clone())).or_default().push_back(place);
    }
    let mut unmatched = Vec::new();
    for row in rows {
        let place =
            places.get_mut(&(row.started_at, row.cmd.clone())).and_then(VecDeque::pop_front);
        match place.and_then(|place| event_shs.get_mut(place)) {
            Some(sh) => *sh = Sh { n: sh.n, ..row },
            None => unmatched.push(row),
        }
    }
    let is_cut = !unmatched.is_empty() && event_shs.iter().all(|sh| sh.origin.is_row());
    event_shs.extend(unmatched);
    if is_cut {
        for sh in &mut event_shs {
            sh.n = None;
        }
        event_shs.sort_by_key(|sh| sh.started_at);
    }
    event_shs
}

/// Fills a run without a row with the data of its events.
#[doc(hidden)]
#[must_use]
pub fn run_of_events(run: Run, events: &Events) -> Run {
    let (state, finished_at) = events.ended.clone().unzip();
    Run { state, started_at: events.began_at, finished_at, ..run }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Origin, RunId};

    fn log(n: u32) -> DatedLog {
        DatedLog {
            n,
            log: LogRef { path: LogPath::named(format!("sh-{n}.log")), bytes: 10 },
            first_at: None,
        }
    }

    fn head(
        state: &str,
        started: Option<i64>,
        finished: Option<i64>,
        recorder: Recorder,
    ) -> RunHead {
        let run = Run {
            id: RunId("r".into()),
            repo: None,
            ref_name: None,
            sha: None,
            state: Some(state.into()),
            reason: None,
            queued_at: Some(Time::from_millis(0)),
            started_at: started.map(Time::from_millis),
            finished_at: finished.map(Time::from_millis),
            in_database: true,
            details: crate::model::RunDetails::default(),
        };
        run_head(run, recorder)
    }

    #[test]
    fn an_active_run_without_a_recorder_is_interrupted() {
        let alive = head("active", Some(1), None, Recorder::Alive);
        assert_eq!((alive.phase, alive.interrupted), (Phase::Active, false));
        let gone = head("active", Some(1), None, Recorder::Gone);
        assert_eq!((gone.phase, gone.interrupted), (Phase::Finished, true));
        let theirs = head("active", Some(1), None, Recorder::Unknown);
        assert_eq!((theirs.phase, theirs.interrupted), (Phase::Active, false));
        let done = head("complete", Some(1), Some(2), Recorder::Gone);
        assert_eq!(
            (done.phase, done.outcome, done.interrupted),
            (Phase::Finished, Some(Outcome::Passed), false)
        );
    }

    #[test]
    fn a_job_of_an_open_run_waits_between_its_commands() {
        let mut waiting = head("active", Some(1), None, Recorder::Waiting);
        waiting.run.details.is_open = true;
        let job = Job {
            state: Some("active".into()),
            started_at: Some(Time::from_millis(1)),
            ..Job::without_row(JobId("build".into()))
        };
        let sh = |exit_code: Option<i64>, is_abandoned| Sh {
            origin: Origin::Call,
            n: Some(1),
            finished_at: exit_code.map(Time::from_millis),
            exit_code,
            is_abandoned,
            ..Sh::default()
        };
        for (sh, waits, outcome, interrupted) in [
            (sh(Some(0), false), true, None, false),
            (sh(Some(1), false), true, Some(Outcome::Failed), false),
            (sh(None, true), true, None, true),
            (sh(None, false), false, None, false),
        ] {
            let node = job_node(&waiting, job.clone(), vec![sh], vec![log(1)]);
            assert_eq!(node.phase, Phase::Active);
            assert_eq!(
                (node.waiting, node.outcome, node.interrupted),
                (waits, outcome, interrupted)
            );
        }
    }

    /// Generates the start times of rows, and the commands of the events. Each command is its start
    /// time and a flag, which is true if the events also contain the end of the command.
    fn commands() -> impl Strategy<Value = (Vec<i64>, Vec<(i64, bool)>)> {
        let rows = prop::collection::btree_set(0_i64..12, 0..8)
            .prop_map(|rows| rows.into_iter().collect());
        (rows, prop::collection::vec((0_i64..12, any::<bool>()), 0..8))
    }

    fn events_of(shs: &[(i64, bool)]) -> Events {
        let mut events = Events::default();
        let mut sorted = shs.to_vec();
        sorted.sort_unstable();
        for (at, has_ended) in sorted {
            events.take(
                format!(r#"{{"at_ms":{at},"type":"sh_started","job_id":"j","cmd":"c"}}"#)
                    .as_bytes(),
            );
            if has_ended {
                events.take(
                    format!(r#"{{"at_ms":{at},"type":"sh_finished","job_id":"j","exit_code":0}}"#)
                        .as_bytes(),
                );
            }
        }
        events
    }

    proptest! {
        #[test]
        fn every_row_and_every_event_command_is_joined_exactly_once(
            (rows, event_shs) in commands(),
        ) {
            let row = |at: &i64| Sh {
                cmd: "c".into(),
                started_at: Some(Time::from_millis(*at)),
                exit_code: Some(9),
                ..Sh::default()
            };
            let events = events_of(&event_shs);
            let event_shs: Vec<Sh> = events.jobs.iter().flat_map(|(_, shs)| shs.clone()).collect();
            let joined = with_events(
                vec![(Job::without_row(JobId("j".into())), rows.iter().map(row).collect())],
                events,
            );
            prop_assert_eq!(joined.len(), 1);
            let starts = |shs: &mut dyn Iterator<Item = &Sh>| {
                let mut starts: Vec<Option<Time>> = shs.map(|sh| sh.started_at).collect();
                starts.sort();
                starts
            };
            let is_row = |sh: &&Sh| sh.origin == Origin::Row;
            let shs = &joined[0].1;
            let expected: Vec<Option<Time>> =
                rows.iter().map(|at| Some(Time::from_millis(*at))).collect();
            prop_assert_eq!(starts(&mut shs.iter().filter(is_row)), expected, "rows");
            // A row replaces the first event that may have created it.
            let mut left = event_shs.clone();
            for at in &rows {
                let made =
                    |sh: &Sh| sh.n.is_some() && sh.started_at == Some(Time::from_millis(*at));
                if let Some(place) = left.iter().position(made) {
                    left.remove(place);
                }
            }
            prop_assert_eq!(
                starts(&mut shs.iter().filter(|sh| !is_row(sh))),
                starts(&mut left.iter()),
                "events"
            );
            let numbers: Vec<u32> = shs.iter().filter_map(|sh| sh.n).collect();
            prop_assert!(numbers.is_sorted(), "{numbers:?}");
        }
    }

    #[test]
    fn running_jobs_and_commands_of_an_interrupted_run_are_interrupted() {
        let job = Job {
            id: JobId("build".into()),
            state: Some("active".into()),
            exit_code: None,
            started_at: Some(Time::from_millis(1)),
            finished_at: None,
            in_database: true,
            needs: Vec::new(),
            allow_failure: false,
        };
        let unfinished = Sh {
            origin: Origin::Call,
            n: Some(1),
            started_at: Some(Time::from_millis(1)),
            ..Sh::default()
        };
        for (recorder, state) in
            [(Recorder::Alive, ShState::Running), (Recorder::Gone, ShState::Interrupted)]
        {
            let run = head("active", Some(1), None, recorder);
            let node = job_node(&run, job.clone(), vec![unfinished.clone()], vec![log(1)]);
            assert_eq!(node.shs[0].state, state);
            assert_eq!(node.interrupted, recorder == Recorder::Gone);
        }
    }
}
