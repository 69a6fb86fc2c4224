//! The schedule of a pipeline: the jobs that can start, and those that are skipped.
//!
//! ```text
//! when         starts when all jobs that it waits for…       is skipped when…
//! on_success   …have passed                                  …one of them is over but not passed
//! always       …are over                                     never
//! on_failure   …are over, and one of them failed             …are over, and none failed
//! ```
//!
//! A job with `allow_failure` counts as passed if it fails. A job that was skipped because of a
//! failure counts as failed, so a job that waits for the end of a chain notices a failure at its
//! start. With fail-fast, `on_success` jobs are skipped after the first failure.
//!
//! A schedule is a state machine without threads or a clock. Its caller runs the jobs, any number
//! of them at once, and reports their results. Every job is started or skipped exactly once,
//! because the jobs of a [`Pipeline`] do not wait for each other in a cycle.

use super::pipeline::{Pipeline, When, waits};
use crate::store::JobEnd;

/// The reason why a job is skipped. Jobs are positions in [`Pipeline::jobs`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SkipReason {
    /// This job, which it needs, did not pass.
    NotPassed(usize),
    /// It runs after a failure, and there was none.
    NothingFailed,
    /// This job has failed, and fail-fast is on.
    FailFast(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Passed,
    /// It failed, was aborted, or was skipped because of another failed job.
    Failed,
    /// It was skipped for another reason.
    Skipped,
}

struct Job {
    /// The jobs that it waits for.
    waits: Vec<usize>,
    when: When,
    allow_failure: bool,
    state: State,
}

enum Decision {
    Start,
    Skip(SkipReason),
}

/// The states of the jobs of a pipeline that is being executed. Jobs are positions in
/// [`Pipeline::jobs`].
pub struct Schedule {
    jobs: Vec<Job>,
    is_fail_fast: bool,
    /// The first job that failed.
    failed: Option<usize>,
    /// The skipped jobs that the caller has not taken yet.
    skipped: Vec<(usize, SkipReason)>,
}

impl Schedule {
    /// Creates the schedule of a pipeline whose jobs have not started.
    #[must_use]
    pub fn new(pipeline: &Pipeline, is_fail_fast: bool) -> Self {
        let jobs = pipeline.jobs().iter().zip(waits(pipeline.jobs()));
        let job = |(job, waits): (&super::PipelineJob, Vec<usize>)| Job {
            waits,
            when: job.settings.when,
            allow_failure: job.settings.allow_failure,
            state: State::Waiting,
        };
        Self { jobs: jobs.map(job).collect(), is_fail_fast, failed: None, skipped: Vec::new() }
    }

    /// Returns a job that can start now, and counts it as running. Returns `None` if no job can
    /// start until a running job is finished, or if there are no jobs left.
    pub fn next_job(&mut self) -> Option<usize> {
        loop {
            let decided = |(at, job): (usize, &Job)| Some((at, self.decide(job)?));
            match self.jobs.iter().enumerate().find_map(decided)? {
                (at, Decision::Start) => {
                    self.set(at, State::Running);
                    return Some(at);
                }
                (at, Decision::Skip(reason)) => self.skip(at, reason),
            }
        }
    }

    /// Stores the result of a running job. Does nothing for a job that is not running.
    pub fn finish(&mut self, job: usize, end: JobEnd) {
        let Some(found) = self.jobs.get(job).filter(|job| job.state == State::Running) else {
            return;
        };
        let state = match end {
            JobEnd::Complete => State::Passed,
            JobEnd::Failed(_) if found.allow_failure => State::Passed,
            JobEnd::Failed(_) | JobEnd::Aborted => State::Failed,
            JobEnd::Skipped => State::Skipped,
        };
        if state == State::Failed {
            self.failed = self.failed.or(Some(job));
        }
        self.set(job, state);
    }

    /// Returns the jobs that were skipped since the last call, with the reasons. Jobs are skipped
    /// by [`Schedule::next_job`].
    pub fn skipped(&mut self) -> Vec<(usize, SkipReason)> {
        std::mem::take(&mut self.skipped)
    }

    /// Returns all jobs that have not started, and counts them as aborted: the pipeline was
    /// stopped.
    pub fn abort(&mut self) -> Vec<usize> {
        let waiting =
            self.jobs.iter_mut().enumerate().filter(|(_, job)| job.state == State::Waiting);
        let abort = |(at, job): (usize, &mut Job)| {
            job.state = State::Failed;
            at
        };
        let aborted: Vec<usize> = waiting.map(abort).collect();
        self.failed = self.failed.or(aborted.first().copied());
        aborted
    }

    /// Returns true if no job is running or waiting.
    #[cfg(test)]
    fn is_over(&self) -> bool {
        self.jobs.iter().all(Job::is_over)
    }

    /// Returns true if a job was aborted, or failed without `allow_failure`. Such a pipeline fails.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Decides about a job; `None` if it has started, is over, or must wait.
    fn decide(&self, job: &Job) -> Option<Decision> {
        if job.state != State::Waiting {
            return None;
        }
        let waits = || job.waits.iter().filter_map(|at| Some((*at, self.jobs.get(*at)?)));
        if job.when == When::OnSuccess {
            let missing = waits().find(|(_, need)| need.is_over() && need.state != State::Passed);
            let reason = missing
                .map(|(need, _)| SkipReason::NotPassed(need))
                .or_else(|| self.failed.filter(|_| self.is_fail_fast).map(SkipReason::FailFast));
            if let Some(reason) = reason {
                return Some(Decision::Skip(reason));
            }
        }
        if !waits().all(|(_, need)| need.is_over()) {
            return None;
        }
        let has_failed = || waits().any(|(_, need)| need.state == State::Failed);
        Some(match job.when {
            When::OnFailure if !has_failed() => Decision::Skip(SkipReason::NothingFailed),
            _ => Decision::Start,
        })
    }

    fn skip(&mut self, job: usize, reason: SkipReason) {
        let is_failed = |need: usize| self.jobs.get(need).is_some_and(|n| n.state == State::Failed);
        let state = match reason {
            SkipReason::NotPassed(need) if is_failed(need) => State::Failed,
            _ => State::Skipped,
        };
        self.set(job, state);
        self.skipped.push((job, reason));
    }

    fn set(&mut self, job: usize, state: State) {
        if let Some(job) = self.jobs.get_mut(job) {
            job.state = state;
        }
    }
}

impl Job {
    const fn is_over(&self) -> bool {
        !matches!(self.state, State::Waiting | State::Running)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::super::pipeline::parse_pipeline;
    use super::*;

    fn pipeline(jobs: &[&str]) -> Pipeline {
        let job = |(name, settings): (&str, &str)| {
            format!("[jobs.{name}]\ncommands = ['x']\n{settings}\n")
        };
        let text: String =
            jobs.iter().map(|job_text| job(job_text.split_once(':').unwrap())).collect();
        parse_pipeline(&text, Path::new("p.toml")).unwrap()
    }

    /// Runs jobs one after the other; those in `failing` fail. Returns the names of the started
    /// jobs, and the skipped ones with their reasons.
    fn run(jobs: &[&str], failing: &[&str], is_fail_fast: bool) -> (String, String, bool) {
        let pipeline = pipeline(jobs);
        let name = |job: usize| pipeline.jobs()[job].id.as_str();
        let mut schedule = Schedule::new(&pipeline, is_fail_fast);
        let mut started = Vec::new();
        while let Some(job) = schedule.next_job() {
            started.push(name(job));
            let fails = failing.contains(&name(job));
            schedule.finish(job, if fails { JobEnd::Failed(1) } else { JobEnd::Complete });
        }
        assert!(schedule.is_over());
        let reason = |(job, reason)| match reason {
            SkipReason::NotPassed(need) => format!("{}<{}", name(job), name(need)),
            SkipReason::NothingFailed => format!("{}!", name(job)),
            SkipReason::FailFast(failed) => format!("{}/{}", name(job), name(failed)),
        };
        let skipped: Vec<_> = schedule.skipped().into_iter().map(reason).collect();
        assert!(schedule.skipped().is_empty());
        (started.join(" "), skipped.join(" "), schedule.has_failed())
    }

    #[track_caller]
    fn check(jobs: &[&str], failing: &[&str], started: &str, skipped: &str) {
        let (found, found_skipped, _) = run(jobs, failing, false);
        assert_eq!((&*found, &*found_skipped), (started, skipped));
    }

    #[test]
    fn a_job_starts_when_its_needs_have_passed_and_is_skipped_with_the_missing_one() {
        let jobs =
            ["build:", "lint:", "test: needs = ['build']", "deploy: needs = ['lint','test']"];
        check(&jobs, &[], "build lint test deploy", "");
        check(&jobs, &["build"], "build lint", "test<build deploy<test");
        check(&jobs, &["lint"], "build lint test", "deploy<lint");
    }

    #[test]
    fn an_allowed_failure_counts_as_passed() {
        let jobs =
            ["lint: allow_failure = true", "test: needs = ['lint']", "alarm: when = 'on_failure'"];
        assert_eq!(run(&jobs, &["lint"], true), ("lint test".into(), "alarm!".into(), false));
        assert_eq!(run(&jobs, &["test"], true), ("lint test alarm".into(), String::new(), true));
    }

    #[test]
    fn jobs_that_run_after_a_failure_or_always_wait_for_the_end_of_others() {
        let jobs = [
            "clean: when = 'always'",
            "alarm: when = 'on_failure'",
            "undo: when = 'on_failure'\nneeds = ['deploy']",
            "log: when = 'always'\nneeds = ['build']",
            "build:",
            "deploy: needs = ['build']",
        ];
        check(&jobs, &[], "build log deploy clean", "alarm! undo!");
        check(&jobs, &["deploy"], "build log deploy clean alarm undo", "");
        // `deploy` is skipped because of a failure, so `undo` runs, too.
        check(&jobs, &["build"], "build log clean alarm undo", "deploy<build");
        // No other job waits for `log`.
        check(&jobs, &["log"], "build log deploy clean", "alarm! undo!");
    }

    #[test]
    fn a_job_that_needs_a_skipped_one_is_skipped() {
        let jobs = ["a:", "undo: when = 'on_failure'\nneeds = ['a']", "b: needs = ['undo']"];
        check(&jobs, &[], "a", "undo! b<undo");
        assert!(!run(&jobs, &[], false).2);
        check(&jobs, &["a"], "a undo b", "");
    }

    #[test]
    fn fail_fast_starts_only_jobs_with_when_after_a_failure() {
        let jobs = [
            "a:",
            "b:",
            "c: needs = ['b']",
            "undo: when = 'on_failure'\nneeds = ['c']",
            "clean: when = 'always'",
            "alarm: when = 'on_failure'",
        ];
        let (started, skipped, has_failed) = run(&jobs, &["a"], true);
        assert_eq!(started, "a clean alarm");
        assert_eq!(skipped, "b/a c<b undo!");
        assert!(has_failed);
    }

    #[test]
    fn independent_jobs_start_at_once_and_a_stop_aborts_the_others() {
        let pipeline = pipeline(&["a:", "b:", "c: needs = ['a']", "d: when = 'always'"]);
        let mut schedule = Schedule::new(&pipeline, false);
        assert_eq!((schedule.next_job(), schedule.next_job()), (Some(0), Some(1)));
        assert_eq!(schedule.next_job(), None);
        schedule.finish(0, JobEnd::Complete);
        // Only the first result of a job counts.
        schedule.finish(0, JobEnd::Failed(1));
        assert_eq!(schedule.next_job(), Some(2));
        assert_eq!(schedule.abort(), [3]);
        schedule.finish(1, JobEnd::Aborted);
        assert!(!schedule.is_over());
        schedule.finish(2, JobEnd::Complete);
        assert!(schedule.is_over() && schedule.has_failed());
        assert_eq!(schedule.next_job(), None);
    }

    /// A job of a random graph: the earlier jobs that it needs, as bits; `when`; `allow_failure`;
    /// its result.
    type RandomJob = (u16, u8, bool, bool);

    fn text_of(jobs: &[RandomJob]) -> String {
        let job = |(at, (needs, when, allow_failure, _)): (usize, &RandomJob)| {
            let is_needed = |need: &usize| needs & (1 << need) != 0;
            let needs: Vec<_> = (0..at).filter(is_needed).map(|need| format!("'{need}'")).collect();
            let when = ["on_success", "always", "on_failure"][usize::from(*when)];
            format!(
                "[jobs.{at}]\ncommands = ['x']\nneeds = [{}]\nwhen = '{when}'\n\
                 allow_failure = {allow_failure}\n",
                needs.join(",")
            )
        };
        jobs.iter().enumerate().map(job).collect()
    }

    proptest! {
        #[test]
        fn every_job_is_started_or_skipped_exactly_once(
            jobs in prop::collection::vec((any::<u16>(), 0..3_u8, any::<bool>(), any::<bool>()), 1..12),
            workers in 1..4_usize,
            is_fail_fast: bool,
            finish_newest: bool,
        ) {
            // A random graph may have a cycle through a job that waits for all others.
            let Ok(pipeline) = parse_pipeline(&text_of(&jobs), Path::new("p")) else {
                return Ok(());
            };
            let waits = waits(pipeline.jobs());
            let passes = |job: usize| -> bool {
                let place: usize = pipeline.jobs()[job].id.as_str().parse().unwrap();
                jobs[place].3
            };
            let mut schedule = Schedule::new(&pipeline, is_fail_fast);
            let mut running = Vec::new();
            let mut over = vec![0; pipeline.jobs().len()];
            loop {
                while running.len() < workers {
                    let Some(job) = schedule.next_job() else { break };
                    for (job, _) in schedule.skipped() {
                        over[job] += 1;
                    }
                    prop_assert!(waits[job].iter().all(|need| over[*need] == 1));
                    running.push(job);
                }
                for (job, _) in schedule.skipped() {
                    over[job] += 1;
                }
                if running.is_empty() {
                    break;
                }
                let job = running.remove(if finish_newest { running.len() - 1 } else { 0 });
                over[job] += 1;
                let result = if passes(job) { JobEnd::Complete } else { JobEnd::Failed(1) };
                schedule.finish(job, result);
            }
            prop_assert!(schedule.is_over());
            prop_assert!(over.iter().all(|times| *times == 1), "{over:?}");
        }
    }
}
