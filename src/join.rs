//! Pairs the rows of a database with the log files on disk: pure, no I/O.
//!
//! Where the store keeps a command's number (ours does, `sh_calls`), the pairing is exact. Elsewhere the rule of the first
//! writer holds: the n-th row of a job by start time belongs to `sh-<n>.log`. Real stores break it, so it is checked against the
//! logs' first timestamps; where they disagree rows and logs are paired by time, and the leftovers of either side stay in the
//! tree.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;

use crate::model::{Job, Outcome, Phase, Run, Sh};
use crate::time::Time;

/// A run's row and what is derived from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunHead {
    /// The row.
    pub run: Run,
    /// How far it has come. An interrupted run is finished: nothing more will come.
    pub phase: Phase,
    /// How it ended; `None` while it has not, or where the store's word says nothing.
    pub outcome: Option<Outcome>,
    /// Its recorder is gone without having finished it.
    pub interrupted: bool,
}

/// A run with its jobs and commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunNode {
    /// The run itself.
    pub head: RunHead,
    /// Where its logs are; `None` when its names are unsafe as a path.
    pub dir: Option<PathBuf>,
    /// Its jobs, in order of execution.
    pub jobs: Vec<JobNode>,
    /// What of its directory could not be read, and why. Untrusted names are in it.
    pub faults: Vec<String>,
    /// What of its directory is left alone on purpose, and why. Untrusted names are in it.
    pub notes: Vec<String>,
}

/// A job with its commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobNode {
    /// The row, or what a directory without a row tells.
    pub job: Job,
    /// How far it has come.
    pub phase: Phase,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Its recorder is gone without having finished it.
    pub interrupted: bool,
    /// Its commands, by number.
    pub shs: Vec<ShNode>,
}

/// A command: its row, its log, or both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShNode {
    /// Its number in the job, from 1; of its log, or for a row without one its place in the order of start, where no log has that.
    pub n: u32,
    /// Its row.
    pub sh: Option<Sh>,
    /// Its log.
    pub log: Option<LogRef>,
    /// How the two were brought together.
    pub pairing: Pairing,
    /// How it stands.
    pub state: ShState,
}

/// A log file as a directory listing tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRef {
    /// Where it is.
    pub path: PathBuf,
    /// Its size when it was listed.
    pub bytes: u64,
}

/// How a row and a log were brought together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pairing {
    /// The store keeps the number.
    Exact,
    /// The log's first timestamp is the row's start.
    Time,
    /// By order alone: the log is empty, there is nothing to check.
    Position,
    /// A row without a log.
    RowOnly,
    /// A log without a row.
    FileOnly,
}

impl Pairing {
    /// The word in the JSON documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Time => "time",
            Self::Position => "position",
            Self::RowOnly => "row-only",
            Self::FileOnly => "file-only",
        }
    }
}

/// How a command stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ShState {
    /// Started, not ended.
    Running,
    /// Ended with exit code 0.
    Passed,
    /// Ended with another, or by a signal.
    Failed,
    /// Started; its recorder is gone.
    Interrupted,
    /// No row, and no way to tell.
    Unknown,
}

impl ShState {
    /// The word in the JSON documents.
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
}

/// Whether somebody still works on a run, as far as can be seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Recorder {
    /// It holds the run's lock.
    Alive,
    /// The run is ours and its lock is free.
    Gone,
    /// The run is not ours: there is no lock to tell.
    Unknown,
}

/// A log file of a job, as found on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DatedLog {
    /// The number in its name.
    pub n: u32,
    /// The file.
    pub log: LogRef,
    /// The time of its first record, where it was needed and the log has one.
    pub first_at: Option<Time>,
}

/// Derives how far a run has come and how it ended.
#[must_use]
pub fn run_head(run: Run, recorder: Recorder) -> RunHead {
    let outcome = run.state.as_deref().and_then(|state| Outcome::from_word(state, run.reason.as_deref()));
    let told = told_phase(is_told(&run), outcome, run.started_at, run.finished_at);
    let interrupted = recorder == Recorder::Gone && matches!(told, Phase::Queued | Phase::Active);
    let phase = if interrupted { Phase::Finished } else { told };
    RunHead { run, phase, outcome, interrupted }
}

/// Whether a row says anything of how far the run has come. One of a shape nobody knows yet may not.
fn is_told(run: &Run) -> bool {
    let has_time = [run.queued_at, run.started_at, run.finished_at].iter().any(Option::is_some);
    run.in_database && (run.state.is_some() || has_time)
}

/// Derives how far a job has come, and pairs its commands with their logs.
#[must_use]
pub fn job_node(head: &RunHead, job: Job, shs: Vec<Sh>, logs: Vec<DatedLog>) -> JobNode {
    let outcome = job.state.as_deref().and_then(|state| Outcome::from_word(state, None));
    let has_row = job.state.is_some() || job.started_at.is_some() || job.finished_at.is_some();
    let told = told_phase(has_row, outcome, job.started_at, job.finished_at);
    // Nothing goes on in a run that has ended, whatever the job's row was left at.
    let is_over = head.phase == Phase::Finished;
    let (phase, outcome) = match told {
        Phase::Queued if is_over => (Phase::Finished, Some(Outcome::Skipped)),
        Phase::Active if is_over => (Phase::Finished, None),
        told => (told, outcome),
    };
    let interrupted = is_over && told == Phase::Active;
    let is_over = is_over || phase == Phase::Finished;
    let shs = pair(shs, logs).into_iter().map(|paired| paired.node(is_over)).collect();
    JobNode { job, phase, outcome, interrupted, shs }
}

fn told_phase(has_row: bool, outcome: Option<Outcome>, started: Option<Time>, finished: Option<Time>) -> Phase {
    match (has_row, outcome.is_some() || finished.is_some(), started) {
        (false, ..) => Phase::Unknown,
        (_, true, _) => Phase::Finished,
        (_, _, Some(_)) => Phase::Active,
        (_, _, None) => Phase::Queued,
    }
}

/// A row, a log, or both, before its state is derived.
#[derive(Debug)]
struct Paired {
    n: u32,
    sh: Option<Sh>,
    log: Option<LogRef>,
    pairing: Pairing,
}

impl Paired {
    fn both(sh: Sh, found: DatedLog, pairing: Pairing) -> Self {
        Self { n: found.n, sh: Some(sh), log: Some(found.log), pairing }
    }

    fn row_only(n: u32, sh: Sh) -> Self {
        Self { n, sh: Some(sh), log: None, pairing: Pairing::RowOnly }
    }

    fn file_only(found: DatedLog) -> Self {
        Self { n: found.n, sh: None, log: Some(found.log), pairing: Pairing::FileOnly }
    }

    fn node(self, is_over: bool) -> ShNode {
        let state = match &self.sh {
            Some(Sh { exit_code: Some(0), .. }) => ShState::Passed,
            Some(Sh { exit_code: Some(_), .. }) => ShState::Failed,
            None | Some(Sh { finished_at: Some(_), .. }) => ShState::Unknown,
            Some(_) if is_over => ShState::Interrupted,
            Some(_) => ShState::Running,
        };
        ShNode { n: self.n, sh: self.sh, log: self.log, pairing: self.pairing, state }
    }
}

/// Pairs a job's rows (in order of start) with its logs; each of either side comes out exactly once, ordered by number.
fn pair(shs: Vec<Sh>, mut logs: Vec<DatedLog>) -> Vec<Paired> {
    logs.sort_by_key(|found| found.n);
    let mut paired = if shs.iter().any(|sh| sh.n.is_some()) {
        pair_by_number(shs, logs)
    } else if follows_the_order(&shs, &logs) {
        pair_by_order(shs, logs)
    } else {
        pair_by_time(shs, logs)
    };
    paired.sort_by_key(|paired| (paired.n, paired.log.is_none()));
    paired
}

fn pair_by_number(shs: Vec<Sh>, logs: Vec<DatedLog>) -> Vec<Paired> {
    let mut logs: BTreeMap<u32, DatedLog> = logs.into_iter().map(|found| (found.n, found)).collect();
    let mut paired: Vec<Paired> = (1..)
        .zip(shs)
        .map(|(place, sh)| match sh.n.and_then(|n| logs.remove(&n)) {
            Some(found) => Paired::both(sh, found, Pairing::Exact),
            None => Paired::row_only(sh.n.unwrap_or(place), sh),
        })
        .collect();
    paired.extend(logs.into_values().map(Paired::file_only));
    paired
}

/// Whether a log's first timestamp is the row's start, to the millisecond and one to either side; `None`: nothing to compare.
fn agree(sh: &Sh, found: &DatedLog) -> Option<bool> {
    let (log, row) = (found.first_at?.floor_millis(), sh.started_at?.floor_millis());
    Some(log.abs_diff(row) <= 1)
}

/// The rule of the first writer: the i-th row belongs to `sh-<i>.log`. Holds unless a log's time contradicts it.
fn follows_the_order(shs: &[Sh], logs: &[DatedLog]) -> bool {
    logs.iter().all(|found| row_at(shs, found.n).and_then(|sh| agree(sh, found)) != Some(false))
}

fn row_at(shs: &[Sh], n: u32) -> Option<&Sh> {
    shs.get(usize::try_from(n).ok()?.checked_sub(1)?)
}

fn pair_by_order(shs: Vec<Sh>, logs: Vec<DatedLog>) -> Vec<Paired> {
    let mut logs: BTreeMap<u32, DatedLog> = logs.into_iter().map(|found| (found.n, found)).collect();
    let mut paired: Vec<Paired> = (1..)
        .zip(shs)
        .map(|(n, sh)| match logs.remove(&n) {
            Some(found) if agree(&sh, &found).is_some() => Paired::both(sh, found, Pairing::Time),
            Some(found) => Paired::both(sh, found, Pairing::Position),
            None => Paired::row_only(n, sh),
        })
        .collect();
    paired.extend(logs.into_values().map(Paired::file_only));
    paired
}

/// Where the order is contradicted: every log with a time takes the row that started then; between two such pairs, as many
/// timeless logs as there are rows take them in order; the rest stays alone.
fn pair_by_time(shs: Vec<Sh>, logs: Vec<DatedLog>) -> Vec<Paired> {
    let row_of = rows_by_time(&shs, &logs);
    let row_of = fill_gaps(row_of, shs.len(), &logs);
    let mut shs: Vec<Option<Sh>> = shs.into_iter().map(Some).collect();
    let mut paired = Vec::new();
    for (found, row) in logs.into_iter().zip(row_of) {
        let pairing = if found.first_at.is_some() { Pairing::Time } else { Pairing::Position };
        match row.and_then(|row| shs.get_mut(row)).and_then(Option::take) {
            Some(sh) => paired.push(Paired::both(sh, found, pairing)),
            None => paired.push(Paired::file_only(found)),
        }
    }
    // A row alone has its place in the order for a number, unless a log has that number already.
    let taken: HashSet<u32> = paired.iter().map(|paired| paired.n).collect();
    let mut free = (1..).filter(|n| !taken.contains(n));
    paired.extend(shs.into_iter().flatten().zip(free.by_ref()).map(|(sh, n)| Paired::row_only(n, sh)));
    paired
}

/// For each log the row that started at its first timestamp: the same millisecond first, then one to either side; each row once.
fn rows_by_time(shs: &[Sh], logs: &[DatedLog]) -> Vec<Option<usize>> {
    let mut starting: HashMap<i64, VecDeque<usize>> = HashMap::new();
    for (row, sh) in shs.iter().enumerate() {
        if let Some(at) = sh.started_at {
            starting.entry(at.floor_millis()).or_default().push_back(row);
        }
    }
    let mut row_of = vec![None; logs.len()];
    for distance in [0, -1, 1] {
        for (row, found) in row_of.iter_mut().zip(logs).filter(|(row, _)| row.is_none()) {
            let near = found.first_at.map(|at| at.floor_millis().saturating_add(distance));
            *row = near.and_then(|ms| starting.get_mut(&ms)).and_then(VecDeque::pop_front);
        }
    }
    row_of
}

/// Gives runs of timeless logs between two paired ones the rows between those, where there are as many of them.
fn fill_gaps(mut row_of: Vec<Option<usize>>, rows: usize, logs: &[DatedLog]) -> Vec<Option<usize>> {
    let taken: HashSet<usize> = row_of.iter().copied().flatten().collect();
    let mut gap: Vec<usize> = Vec::new();
    let mut first_row = 0;
    for place in 0..=logs.len() {
        let row = row_of.get(place).copied().flatten();
        let timeless = logs.get(place).is_some_and(|found| found.first_at.is_none());
        if timeless && row.is_none() {
            gap.push(place);
        } else if row.is_some() || place == logs.len() {
            let between: Vec<usize> = (first_row..row.unwrap_or(rows)).filter(|row| !taken.contains(row)).collect();
            if between.len() == gap.len() {
                for (place, row) in gap.iter().zip(between) {
                    row_of[*place] = Some(row);
                }
            }
            gap.clear();
            first_row = row.map_or(first_row, |row| row + 1);
        }
    }
    row_of
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{JobId, RunId};

    fn sh(n: Option<u32>, started_ms: i64) -> Sh {
        Sh {
            n,
            cmd: format!("at {started_ms}"),
            started_at: Some(Time::from_millis(started_ms)),
            finished_at: Some(Time::from_millis(started_ms + 1)),
            exit_code: Some(0),
            ..Sh::default()
        }
    }

    fn log(n: u32, first_ms: Option<i64>) -> DatedLog {
        let log = LogRef { path: PathBuf::from(format!("sh-{n}.log")), bytes: 10 };
        DatedLog { n, log, first_at: first_ms.map(Time::from_millis) }
    }

    /// `n:start-of-row:log`, a dash for what is missing, and the pairing.
    fn told(paired: &[Paired]) -> Vec<String> {
        paired
            .iter()
            .map(|p| {
                let row = p.sh.as_ref().map_or("-", |sh| sh.cmd.trim_start_matches("at "));
                let log = p.log.as_ref().map_or("-".into(), |log| log.path.display().to_string());
                format!("{}:{row}:{log} {}", p.n, p.pairing.as_str())
            })
            .collect()
    }

    #[test]
    fn a_stored_number_decides_whatever_the_times_say() {
        let paired = pair(
            vec![sh(Some(2), 10), sh(Some(1), 20), sh(Some(4), 30)],
            vec![log(1, Some(99)), log(2, None), log(3, None)],
        );
        assert_eq!(
            told(&paired),
            ["1:20:sh-1.log exact", "2:10:sh-2.log exact", "3:-:sh-3.log file-only", "4:30:- row-only"]
        );
    }

    #[test]
    fn rows_that_end_at_a_collision_leave_logs_alone() {
        let paired = pair(
            vec![sh(None, 10), sh(None, 20)],
            vec![log(1, Some(10)), log(2, None), log(3, Some(20)), log(10, None)],
        );
        assert_eq!(
            told(&paired),
            ["1:10:sh-1.log time", "2:20:sh-2.log position", "3:-:sh-3.log file-only", "10:-:sh-10.log file-only"]
        );
    }

    #[test]
    fn a_millisecond_to_either_side_agrees() {
        let paired = pair(vec![sh(None, 10), sh(None, 20)], vec![log(1, Some(11)), log(2, Some(19))]);
        assert_eq!(told(&paired), ["1:10:sh-1.log time", "2:20:sh-2.log time"]);
    }

    #[test]
    fn a_clock_that_stepped_back_is_paired_by_time() {
        // Executed 100, 200, 50: the rows sort as 50, 100, 200.
        let rows = vec![sh(None, 50), sh(None, 100), sh(None, 200)];
        let paired = pair(rows, vec![log(1, Some(100)), log(2, Some(200)), log(3, Some(50))]);
        assert_eq!(told(&paired), ["1:100:sh-1.log time", "2:200:sh-2.log time", "3:50:sh-3.log time"]);
    }

    #[test]
    fn timeless_logs_between_two_paired_ones_take_the_rows_between() {
        let rows = vec![sh(None, 10), sh(None, 20), sh(None, 30), sh(None, 40)];
        // sh-1 has lost its row: everything is shifted by one.
        let logs = vec![log(1, Some(5)), log(2, Some(10)), log(3, None), log(4, Some(30)), log(5, None)];
        assert_eq!(
            told(&pair(rows, logs)),
            [
                "1:-:sh-1.log file-only",
                "2:10:sh-2.log time",
                "3:20:sh-3.log position",
                "4:30:sh-4.log time",
                "5:40:sh-5.log position"
            ]
        );
    }

    fn head(state: &str, started: Option<i64>, finished: Option<i64>, recorder: Recorder) -> RunHead {
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
        };
        run_head(run, recorder)
    }

    #[test]
    fn an_active_run_whose_recorder_is_gone_is_interrupted() {
        let alive = head("active", Some(1), None, Recorder::Alive);
        assert_eq!((alive.phase, alive.interrupted), (Phase::Active, false));
        let gone = head("active", Some(1), None, Recorder::Gone);
        assert_eq!((gone.phase, gone.interrupted), (Phase::Finished, true));
        let theirs = head("active", Some(1), None, Recorder::Unknown);
        assert_eq!((theirs.phase, theirs.interrupted), (Phase::Active, false));
        let done = head("complete", Some(1), Some(2), Recorder::Gone);
        assert_eq!((done.phase, done.outcome, done.interrupted), (Phase::Finished, Some(Outcome::Passed), false));
    }

    #[test]
    fn what_an_interrupted_run_left_running_is_interrupted_too() {
        let job = Job {
            id: JobId("build".into()),
            state: Some("active".into()),
            exit_code: None,
            started_at: Some(Time::from_millis(1)),
            finished_at: None,
        };
        let unfinished = Sh { finished_at: None, exit_code: None, ..sh(Some(1), 1) };
        for (recorder, state) in [(Recorder::Alive, ShState::Running), (Recorder::Gone, ShState::Interrupted)] {
            let run = head("active", Some(1), None, recorder);
            let node = job_node(&run, job.clone(), vec![unfinished.clone()], vec![log(1, None)]);
            assert_eq!(node.shs[0].state, state);
            assert_eq!(node.interrupted, recorder == Recorder::Gone);
        }
    }

    fn rows() -> impl Strategy<Value = Vec<Sh>> {
        prop::collection::vec((prop::option::of(1_u32..12), 0_i64..40), 0..12).prop_map(|mut rows| {
            rows.sort_by_key(|row| row.1);
            let numbered = rows.iter().all(|row| row.0.is_some());
            rows.into_iter().map(|(n, at)| sh(n.filter(|_| numbered), at)).collect()
        })
    }

    fn logs() -> impl Strategy<Value = Vec<DatedLog>> {
        prop::collection::btree_map(1_u32..14, prop::option::of(0_i64..40), 0..12)
            .prop_map(|logs| logs.into_iter().map(|(n, at)| log(n, at)).collect())
    }

    proptest! {
        #[test]
        fn every_row_and_every_log_comes_out_exactly_once(shs in rows(), logs in logs()) {
            let mut expected_rows: Vec<String> = shs.iter().map(|sh| sh.cmd.clone()).collect();
            let expected_logs: Vec<u32> = logs.iter().map(|found| found.n).collect();
            let paired = pair(shs, logs);
            let mut rows: Vec<String> = paired.iter().filter_map(|p| p.sh.as_ref().map(|sh| sh.cmd.clone())).collect();
            let found: Vec<u32> = paired.iter().filter(|p| p.log.is_some()).map(|p| p.n).collect();
            expected_rows.sort();
            rows.sort();
            prop_assert_eq!(rows, expected_rows);
            prop_assert_eq!(found, expected_logs);
            prop_assert!(paired.iter().all(|p| p.sh.is_some() || p.log.is_some()));
        }

        #[test]
        fn a_pairing_by_time_never_contradicts_the_times(shs in rows(), logs in logs()) {
            prop_assume!(shs.iter().all(|sh| sh.n.is_none()));
            let times: BTreeMap<u32, Option<Time>> = logs.iter().map(|found| (found.n, found.first_at)).collect();
            for p in pair(shs, logs).iter().filter(|p| p.pairing == Pairing::Time) {
                let row = p.sh.as_ref().and_then(|sh| sh.started_at).unwrap().floor_millis();
                prop_assert!(times[&p.n].unwrap().floor_millis().abs_diff(row) <= 1);
            }
        }

        #[test]
        fn an_undisturbed_job_is_paired_in_order(starts in prop::collection::btree_set(0_i64..1_000_000, 0..40)) {
            let shs = starts.iter().map(|&at| sh(None, at)).collect();
            let logs = (1..).zip(&starts).map(|(n, &at)| log(n, (n % 3 > 0).then_some(at))).collect();
            for (at, p) in starts.iter().zip(pair(shs, logs)) {
                prop_assert_eq!(p.sh.unwrap().cmd, format!("at {at}"));
                prop_assert!(p.log.is_some());
            }
        }
    }
}
