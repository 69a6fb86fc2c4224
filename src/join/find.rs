//! Finds oddities of a run in its tree. Pure.
//!
//! Missing rows and logs are reported once: for a whole run or job where possible, otherwise for
//! the commands.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use super::{Finding, FindingKind, Findings, JobNode, Pairing, Place, RunHead, RunNode, ShNode};
use crate::model::{ABANDONED_AFTER, Origin, Outcome, Phase, Sh};
use crate::sanitize;
use crate::time::Time;

/// The delay, in milliseconds, after which an active run counts as stalled. It begins at the end of
/// the last job.
const STALLED_AFTER_MS: i64 = 10_000;

/// The time without a change from which an active run counts as silent, in milliseconds.
const SILENT_AFTER_MS: i64 = 3_600_000;

/// Returns the findings about a run, from the run down to its commands. The loader adds the
/// findings about the run's files.
#[must_use]
pub fn find(run: &RunNode, now: Time) -> Findings {
    let mut found = Findings::default();
    let head = &run.head;
    let stalled = stalls_at(run).is_some_and(|at| now > at);
    let names = [&head.run.repo, &head.run.ref_name];
    for (kind, is_so) in [
        (FindingKind::Orphaned, head.is_orphaned()),
        // A run that was repaired is still shown as interrupted, but is complete.
        (FindingKind::Interrupted, head.interrupted && head.run.finished_at.is_none()),
        (FindingKind::Stalled, stalled),
        (FindingKind::Silent, !stalled && silent_ms(run, now).is_some()),
        (FindingKind::UnsafeName, names.into_iter().flatten().any(|name| is_unsafe(name))),
    ] {
        if is_so {
            found.add(Place::Run, kind);
        }
    }
    let state = head.run.state.as_deref().filter(|_| !head.interrupted);
    if let Some(kind) = unknown_word(state, head.outcome) {
        found.add(Place::Run, kind);
    }
    if never_ends_at(run).is_some_and(|at| now > at) {
        let age_ms = head.run.started_at.map_or(0, |at| now.millis_since(at));
        found.add(Place::Run, FindingKind::RunNeverEnded { run: head.run.id.clone(), age_ms });
    }
    add_clock(&mut found, Place::Run, head.run.started_at, head.ended_at());
    let mut below = Findings::default();
    if head.run.in_database && (head.phase == Phase::Finished || stalled) {
        add_missing(&mut below, run);
    }
    for job in &run.jobs {
        add_job(&mut below, head, job);
    }
    let is_cut = |finding: &Finding| matches!(finding.kind, FindingKind::RowsEnd { .. });
    if failed_alone(run) && below.iter().any(is_cut) {
        found.add(Place::Run, FindingKind::FailedAlone);
    }
    found.into_iter().chain(below).collect()
}

fn failed_alone(run: &RunNode) -> bool {
    let did_not = |job: &JobNode| {
        job.outcome == Some(Outcome::Failed)
            || job.interrupted
            || job.shs.iter().any(|sh| sh.state.is_failure())
    };
    run.head.outcome == Some(Outcome::Failed)
        && !run.head.is_orphaned()
        && !run.jobs.iter().any(did_not)
}

/// Returns a finding if the word of a state is unknown: it gives no outcome, and is not a word for
/// an unfinished run or job.
fn unknown_word(state: Option<&str>, outcome: Option<Outcome>) -> Option<FindingKind> {
    let is_of_unfinished = |word: &str| matches!(word, "pending" | "queued" | "active");
    let unknown = state.filter(|word| outcome.is_none() && !is_of_unfinished(word));
    unknown.map(|word| FindingKind::UnknownState(word.to_owned()))
}

fn is_unsafe(name: &str) -> bool {
    !sanitize::is_harmless_text(name)
}

/// Returns the time in milliseconds since the last change of an active run, if it is long enough to
/// be reported and no recorder is known to be alive.
#[must_use]
pub fn silent_ms(run: &RunNode, now: Time) -> Option<i64> {
    run.changed_at.map(|at| now.millis_since(at)).filter(|ms| *ms > SILENT_AFTER_MS)
}

/// Returns the next time from which there is a finding about an active run if nothing changes.
#[must_use]
pub fn next_at(run: &RunNode, now: Time) -> Option<Time> {
    let silent_at = run.changed_at.map(|at| after(at, SILENT_AFTER_MS));
    [stalls_at(run), silent_at, never_ends_at(run)]
        .into_iter()
        .flatten()
        .filter(|at| *at >= now)
        .min()
}

fn after(at: Time, ms: i64) -> Time {
    Time::from_millis(at.floor_millis().saturating_add(ms))
}

/// Returns the time from which a run that waits for its next command counts as abandoned; `None` if
/// it does not wait.
fn never_ends_at(run: &RunNode) -> Option<Time> {
    let shs = run.jobs.iter().flat_map(|job| &job.shs).filter_map(|sh| sh.sh.as_ref());
    let last = shs.flat_map(|sh| [sh.started_at, sh.finished_at]).flatten().max();
    let last = last.max(run.head.run.started_at).filter(|_| run.head.waiting);
    last.map(|last| after(last, i64::try_from(ABANDONED_AFTER.as_millis()).unwrap_or(i64::MAX)))
}

/// Returns the time from which an active run counts as stalled because all its jobs have ended;
/// `None` if the run is not active, has no jobs, has a job that has not ended, or was begun by
/// `rundown begin`: it may wait for its next command.
fn stalls_at(run: &RunNode) -> Option<Time> {
    if run.head.run.details.is_open {
        return None;
    }
    let have_ended =
        !run.jobs.is_empty() && run.jobs.iter().all(|job| job.phase == Phase::Finished);
    let is_recorded = run.head.phase == Phase::Active && !run.head.waiting;
    let last = run.jobs.iter().filter_map(|job| job.job.finished_at).max();
    let last = last.or(run.head.run.started_at).filter(|_| have_ended && is_recorded);
    last.map(|last| after(last, STALLED_AFTER_MS))
}

fn add_clock(found: &mut Findings, place: Place, start: Option<Time>, end: Option<Time>) {
    let by_ms = start.zip(end).map_or(0, |(start, end)| start.millis_since(end));
    if by_ms > 0 {
        found.add(place, FindingKind::ClockWentBack { by_ms });
    }
}

/// Adds findings about missing rows and logs. Reports each of them once, at the highest level that
/// applies: run, job or command.
fn add_missing(found: &mut Findings, run: &RunNode) {
    let shs = || run.jobs.iter().flat_map(|job| &job.shs);
    let logs = shs().filter(|sh| sh.log.is_some()).count();
    let rows = shs().filter(|sh| has_row(sh)).count();
    let known_jobs = run.jobs.iter().any(|job| job.job.in_database);
    if !known_jobs && rows == 0 && logs > 0 {
        return found
            .add(Place::Run, FindingKind::JobsGone { logs, orphaned: run.head.is_orphaned() });
    }
    if logs == 0 && rows > 0 {
        return found.add(Place::Run, FindingKind::LogsGone { commands: rows });
    }
    for job in &run.jobs {
        let has_any_row = job.job.in_database || job.shs.iter().any(has_row);
        let is_told = !job.shs.is_empty() || job.job.started_at.is_some();
        if !has_any_row && known_jobs && is_told {
            found.add(place_of(job), FindingKind::JobWithoutRow);
        }
        if has_any_row {
            add_missing_rows(found, job);
        }
        add_missing_logs(found, job);
    }
}

fn add_missing_rows(found: &mut Findings, job: &JobNode) {
    let is_alone = |sh: &&ShNode| sh.log.is_some() && !has_row(sh);
    let alone: Vec<&ShNode> = job.shs.iter().filter(is_alone).collect();
    let Some(first) = alone.first() else { return };
    let mut starts: HashMap<i64, u32> = HashMap::new();
    job.shs.iter().filter_map(began_ms).for_each(|at| *starts.entry(at).or_default() += 1);
    let collided = alone.iter().filter_map(|sh| began_ms(sh)).any(|at| starts.get(&at) > Some(&1));
    found.add(place_in(job, first.n), FindingKind::RowsEnd { commands: alone.len(), collided });
}

fn add_missing_logs(found: &mut Findings, job: &JobNode) {
    let is_alone = |sh: &&ShNode| sh.log.is_none() && has_row(sh);
    let commands = job.shs.iter().filter(is_alone).count();
    if commands > 1 && job.shs.iter().all(|sh| sh.log.is_none()) {
        return found.add(place_of(job), FindingKind::LogsGone { commands });
    }
    for sh in job.shs.iter().filter(is_alone) {
        found.add(place_in(job, sh.n), FindingKind::LogMissing);
    }
}

fn add_job(found: &mut Findings, head: &RunHead, job: &JobNode) {
    let outlived =
        head.ended_at().zip(job.job.finished_at).map_or(0, |(run, job)| job.millis_since(run));
    let missing = missing_numbers(job)
        .map(|(numbers, first_n)| FindingKind::NumberMissing { numbers, first_n });
    let never_ended = head.phase == Phase::Finished && job.interrupted && !head.interrupted;
    let kinds = [
        is_unsafe(job.job.id.as_str()).then_some(FindingKind::UnsafeName),
        unknown_word(
            job.job.state.as_deref(),
            Outcome::from_word(job.job.state.as_deref().unwrap_or_default(), None),
        ),
        never_ended.then_some(FindingKind::JobNeverEnded),
        (outlived > 0).then_some(FindingKind::JobOutlivesRun { by_ms: outlived }),
        is_out_of_order(job).then_some(FindingKind::OutOfOrder),
        missing,
    ];
    kinds.into_iter().flatten().for_each(|kind| found.add(place_of(job), kind));
    add_clock(found, place_of(job), job.job.started_at, job.job.finished_at);
    for (node, sh) in job.shs.iter().filter_map(|node| Some((node, node.sh.as_ref()?))) {
        if sh.origin == Origin::GivenUp {
            found.add(place_in(job, node.n), FindingKind::NeverEnded);
        }
        if let Some(kind) = wrong_length(node, sh) {
            found.add(place_in(job, node.n), kind);
        }
        add_clock(found, place_in(job, node.n), sh.started_at, sh.finished_at);
    }
}

/// Compares the length of a finished command's log with the length that was stored when the log was
/// closed.
fn wrong_length(node: &ShNode, sh: &Sh) -> Option<FindingKind> {
    let stored = sh.finished_at.and(sh.log_bytes).and_then(|bytes| u64::try_from(bytes).ok())?;
    let found = node.log.as_ref()?.bytes;
    match found.cmp(&stored) {
        Ordering::Less => Some(FindingKind::LogShorter { by_bytes: stored - found }),
        Ordering::Greater => Some(FindingKind::LogLonger { by_bytes: found - stored }),
        Ordering::Equal => None,
    }
}

fn place_of(job: &JobNode) -> Place {
    Place::Job(job.job.id.clone())
}

fn place_in(job: &JobNode, n: u32) -> Place {
    Place::Sh(job.job.id.clone(), n)
}

/// Looks for numbers that no command has, up to the number of the last log. Returns their count and
/// the first of them; `None` if no number is missing. The count is a subtraction, not a loop,
/// because a hostile store may leave out millions of numbers.
fn missing_numbers(job: &JobNode) -> Option<(u32, u32)> {
    let last = job.shs.iter().rev().find(|sh| sh.log.is_some())?.n;
    let numbers: HashSet<u32> =
        job.shs.iter().map(|sh| sh.n).filter(|n| (1..=last).contains(n)).collect();
    let missing =
        last.checked_sub(u32::try_from(numbers.len()).ok()?).filter(|missing| *missing > 0)?;
    Some((missing, (1..last).find(|n| !numbers.contains(n))?))
}

fn has_row(sh: &ShNode) -> bool {
    sh.sh.as_ref().is_some_and(|sh| sh.origin.is_row())
}

/// Returns the start of a command in milliseconds, from its row or else from its log.
fn began_ms(sh: &ShNode) -> Option<i64> {
    sh.sh.as_ref().and_then(|sh| sh.started_at).or(sh.first_at).map(Time::floor_millis)
}

/// Returns true if the start times of rows that were paired by time are not in the order of their
/// logs' numbers.
fn is_out_of_order(job: &JobNode) -> bool {
    let by_time = job.shs.iter().filter(|sh| sh.pairing == Pairing::Time);
    let starts: Vec<Option<Time>> =
        by_time.map(|sh| sh.sh.as_ref().and_then(|sh| sh.started_at)).collect();
    !starts.is_sorted()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::{DatedLog, LogRef, Recorder, job_node, run_head};
    use crate::log::LogPath;
    use crate::model::{Job, JobId, Run, RunDetails, RunId};

    /// The current time of these tests, later than all other times in them.
    const NOW: Time = Time::from_millis(1_000_000);

    fn ms(ms: Option<i64>) -> Option<Time> {
        ms.map(Time::from_millis)
    }

    /// Returns a run in the database that began at 0.
    fn run(state: &str, finished: Option<i64>) -> Run {
        let run = Run::without_row(RunId("r".into()), Some("demo.git".into()));
        Run {
            state: Some(state.into()),
            started_at: ms(Some(0)),
            finished_at: ms(finished),
            in_database: true,
            ..run
        }
    }

    fn ended() -> Run {
        run("complete", Some(1000))
    }

    fn orphaned(finished: i64) -> Run {
        Run { reason: Some("orphaned".into()), ..run("failed", Some(finished)) }
    }

    fn job(id: &str, state: &str, finished: Option<i64>) -> Job {
        let (state, in_database) = (Some(state.into()), true);
        Job {
            state,
            started_at: ms(Some(1)),
            finished_at: ms(finished),
            in_database,
            ..Job::without_row(JobId(id.into()))
        }
    }

    fn sh(started: i64) -> Sh {
        Sh {
            started_at: ms(Some(started)),
            finished_at: ms(Some(started + 1)),
            exit_code: Some(0),
            ..Sh::default()
        }
    }

    fn log(n: u32, first: i64) -> DatedLog {
        DatedLog {
            n,
            log: LogRef { path: LogPath::named(format!("sh-{n}.log")), bytes: 9 },
            first_at: ms(Some(first)),
        }
    }

    type Parts = (Job, Vec<Sh>, Vec<DatedLog>);

    /// Returns a job of one command with its log.
    fn intact() -> Parts {
        (job("build", "complete", Some(20)), vec![sh(10)], vec![log(1, 10)])
    }

    fn bare(head: RunHead) -> RunNode {
        RunNode {
            head,
            dir: None,
            log: None,
            events: None,
            changed_at: None,
            jobs: Vec::new(),
            findings: Findings::default(),
        }
    }

    /// Returns the findings as `job n kind`, with dashes for the run itself.
    fn found_of(run: Run, recorder: Recorder, jobs: Vec<Parts>) -> Vec<String> {
        let head = run_head(run, recorder);
        let jobs =
            jobs.into_iter().map(|(job, shs, logs)| job_node(&head, job, shs, logs)).collect();
        let run = RunNode { jobs, ..bare(head) };
        let described = |finding: Finding| {
            let job = finding.place.job().map_or("-", JobId::as_str);
            format!(
                "{job} {} {:?}",
                finding.place.n().map_or("-".into(), |n| n.to_string()),
                finding.kind
            )
        };
        find(&run, NOW).into_iter().map(described).collect()
    }

    fn found(jobs: Vec<Parts>) -> Vec<String> {
        found_of(ended(), Recorder::Unknown, jobs)
    }

    #[test]
    fn an_intact_run_has_no_findings() {
        let without_commands = (job("quire/push", "complete", Some(2)), vec![], vec![]);
        assert_eq!(found(vec![without_commands, intact()]), [""; 0]);
    }

    #[test]
    fn unusual_ends_of_a_run_are_reported() {
        assert_eq!(
            found_of(orphaned(900_000), Recorder::Unknown, vec![intact()]),
            ["- - Orphaned"]
        );
        let active = run("active", None);
        assert_eq!(found_of(active.clone(), Recorder::Gone, vec![intact()]), ["- - Interrupted"]);
        assert_eq!(found_of(active, Recorder::Unknown, vec![intact()]), ["- - Stalled"]);
    }

    #[test]
    fn a_run_is_silent_an_hour_after_its_last_change() {
        let head = run_head(run("active", None), Recorder::Unknown);
        let jobs = vec![job_node(&head, job("test", "active", None), vec![], vec![])];
        let changed_at = ms(Some(5_000));
        let run = RunNode { changed_at, jobs, ..bare(head) };
        for (now, silent) in [(3_605_000, None), (3_605_001, Some(3_600_001))] {
            let now = Time::from_millis(now);
            assert_eq!(silent_ms(&run, now), silent);
            assert_eq!(next_at(&run, now).is_some(), silent.is_none());
            let mut kinds = find(&run, now).into_iter().map(|finding| finding.kind);
            assert_eq!(kinds.any(|kind| kind == FindingKind::Silent), silent.is_some());
        }
    }

    #[test]
    fn a_waiting_run_is_never_ended_a_day_after_its_last_command() {
        let details = RunDetails { is_open: true, ..RunDetails::default() };
        let head = run_head(Run { details, ..run("active", None) }, Recorder::Waiting);
        let jobs = vec![job_node(&head, job("test", "active", None), vec![sh(10)], vec![])];
        let run = RunNode { jobs, ..bare(head) };
        for (now, age_ms) in [(86_400_011, None), (86_400_012, Some(86_400_012))] {
            let now = Time::from_millis(now);
            let found: Vec<_> = find(&run, now).into_iter().map(|finding| finding.kind).collect();
            let id = RunId("r".into());
            let expected = age_ms.map(|age_ms| FindingKind::RunNeverEnded { run: id, age_ms });
            assert_eq!(found, Vec::from_iter(expected));
            assert_eq!(next_at(&run, now).is_some(), age_ms.is_none());
        }
    }

    #[test]
    fn a_run_is_stalled_only_after_a_delay_without_a_running_job() {
        let active = || run("active", None);
        let just_ended = (job("build", "complete", Some(999_000)), vec![], vec![]);
        assert_eq!(found_of(active(), Recorder::Unknown, vec![just_ended]), [""; 0]);
        assert_eq!(
            found_of(
                active(),
                Recorder::Unknown,
                vec![intact(), (job("test", "active", None), vec![], vec![])]
            ),
            [""; 0]
        );
        assert_eq!(found_of(active(), Recorder::Unknown, vec![]), [""; 0]);
    }

    #[test]
    fn missing_data_is_reported_once_at_the_highest_level_that_applies() {
        let dir_only =
            || (Job::without_row(JobId("stray".into())), vec![], vec![log(1, 10), log(2, 20)]);
        let rows_only = || (job("test", "complete", Some(40)), vec![sh(30), sh(35)], vec![]);
        assert_eq!(found(vec![dir_only()]), ["- - JobsGone { logs: 2, orphaned: false }"]);
        assert_eq!(
            found_of(orphaned(1000), Recorder::Unknown, vec![dir_only()]),
            ["- - Orphaned", "- - JobsGone { logs: 2, orphaned: true }"]
        );
        assert_eq!(found(vec![rows_only()]), ["- - LogsGone { commands: 2 }"]);
        assert_eq!(found(vec![intact(), rows_only()]), ["test - LogsGone { commands: 2 }"]);
        assert_eq!(found(vec![intact(), dir_only()]), ["stray - JobWithoutRow"]);
        let one_log_gone =
            (job("test", "complete", Some(40)), vec![sh(30), sh(35)], vec![log(2, 35)]);
        assert_eq!(found(vec![one_log_gone]), ["test 1 LogMissing"]);
        let rows_end = |colliding| {
            (
                job("test", "complete", Some(40)),
                vec![sh(30), sh(35)],
                vec![log(1, 30), log(2, 35), log(3, colliding)],
            )
        };
        assert_eq!(found(vec![rows_end(35)]), ["test 3 RowsEnd { commands: 1, collided: true }"]);
        assert_eq!(found(vec![rows_end(37)]), ["test 3 RowsEnd { commands: 1, collided: false }"]);
        let a_gap =
            (job("test", "complete", Some(40)), vec![], vec![log(2, 30), log(u32::MAX, 35)]);
        let missing = format!("test - NumberMissing {{ numbers: {}, first_n: 1 }}", u32::MAX - 2);
        assert_eq!(
            found(vec![intact(), a_gap]),
            ["test 2 RowsEnd { commands: 2, collided: false }", &missing]
        );
    }

    #[test]
    fn a_failed_run_without_a_failed_command_is_reported_where_its_rows_end() {
        let failed = || run("failed-internal", Some(1000));
        let cut = |exit_code| {
            let shs = vec![Sh { exit_code: Some(exit_code), ..sh(30) }];
            (job("test", "complete", Some(40)), shs, vec![log(1, 30), log(2, 30)])
        };
        let rows_end = "test 2 RowsEnd { commands: 1, collided: true }";
        assert_eq!(
            found_of(failed(), Recorder::Unknown, vec![cut(0)]),
            ["- - FailedAlone", rows_end]
        );
        assert_eq!(found_of(failed(), Recorder::Unknown, vec![cut(7)]), [rows_end]);
        assert_eq!(found_of(failed(), Recorder::Unknown, vec![intact()]), [""; 0]);
    }

    #[test]
    fn an_unknown_state_is_reported() {
        let exploded = (job("test", "exploded", Some(40)), vec![], vec![]);
        assert_eq!(
            found_of(run("imploded", Some(1000)), Recorder::Unknown, vec![intact(), exploded]),
            ["- - UnknownState(\"imploded\")", "test - UnknownState(\"exploded\")"]
        );
    }

    #[test]
    fn nothing_of_a_running_run_is_reported_as_missing() {
        let active = run("active", None);
        let logs_first = (job("build", "active", None), vec![], vec![log(1, 10)]);
        let row_first = (job("test", "active", None), vec![sh(30)], vec![]);
        assert_eq!(found_of(active, Recorder::Unknown, vec![logs_first, row_first]), [""; 0]);
    }

    #[test]
    fn commands_found_only_in_events_have_no_row() {
        let event_job = |id: &str| Job { in_database: false, ..job(id, "succeeded", Some(40)) };
        let event = Sh { origin: Origin::Event, n: Some(1), ..sh(30) };
        let given_up = Sh { origin: Origin::GivenUp, finished_at: None, exit_code: None, ..sh(35) };
        let test = (event_job("test"), vec![event, given_up], vec![log(1, 30)]);
        assert_eq!(found(vec![intact(), test]), ["test - JobWithoutRow", "test 2 NeverEnded"]);
    }

    #[test]
    fn inconsistent_times_are_reported() {
        let never_ended = (job("test", "active", None), vec![], vec![]);
        let outlives = (job("test", "complete", Some(1500)), vec![], vec![]);
        let back = (job("test", "complete", Some(-4)), vec![], vec![]);
        assert_eq!(found(vec![intact(), never_ended]), ["test - JobNeverEnded"]);
        assert_eq!(found(vec![intact(), outlives]), ["test - JobOutlivesRun { by_ms: 500 }"]);
        assert_eq!(found(vec![intact(), back]), ["test - ClockWentBack { by_ms: 5 }"]);
        let command_back = Sh { finished_at: ms(Some(7)), ..sh(10) };
        assert_eq!(
            found(vec![(job("test", "complete", Some(20)), vec![command_back], vec![log(1, 10)])]),
            ["test 1 ClockWentBack { by_ms: 3 }"]
        );
        assert_eq!(
            found_of(run("complete", Some(-2)), Recorder::Unknown, vec![]),
            ["- - ClockWentBack { by_ms: 2 }"]
        );
        let set_back =
            (job("test", "complete", Some(40)), vec![sh(10), sh(20)], vec![log(1, 20), log(2, 10)]);
        assert_eq!(found(vec![set_back]), ["test - OutOfOrder"]);
    }

    #[test]
    fn a_log_of_another_length_than_the_stored_one_is_reported() {
        let with = |log_bytes| {
            (job("test", "complete", Some(20)), vec![Sh { log_bytes, ..sh(10) }], vec![log(1, 10)])
        };
        assert_eq!(found(vec![with(Some(9))]), [""; 0]);
        assert_eq!(found(vec![with(Some(-1))]), [""; 0]);
        assert_eq!(found(vec![with(Some(12))]), ["test 1 LogShorter { by_bytes: 3 }"]);
        assert_eq!(found(vec![with(Some(0))]), ["test 1 LogLonger { by_bytes: 9 }"]);
        let running = Sh { finished_at: None, exit_code: None, log_bytes: Some(0), ..sh(10) };
        let growing = (job("test", "active", None), vec![running], vec![log(1, 10)]);
        assert_eq!(found_of(run("active", None), Recorder::Unknown, vec![growing]), [""; 0]);
    }

    #[test]
    fn names_with_terminal_control_characters_are_reported() {
        let run = Run { ref_name: Some("refs/heads/\u{202e}niam".into()), ..ended() };
        let evil = (job("\x1b[2J", "complete", Some(20)), vec![], vec![]);
        assert_eq!(
            found_of(run, Recorder::Unknown, vec![evil]),
            ["- - UnsafeName", "\x1b[2J - UnsafeName"]
        );
        let plain = (job("with space 日本", "complete", Some(20)), vec![], vec![]);
        assert_eq!(found(vec![plain]), [""; 0]);
    }
}
