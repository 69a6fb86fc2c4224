//! The events of a run in `events.jsonl`. Later versions of quire write this file before the
//! database has rows of the run. Parsing is pure and takes one line at a time.
//!
//! ```text
//! {"at_ms":1778068800100,"type":"job_started","job_id":"build"}
//! {"at_ms":1778068800110,"type":"sh_started","job_id":"build","cmd":"echo hi"}
//! {"at_ms":1778068800190,"type":"sh_finished","job_id":"build","exit_code":0}
//! {"at_ms":1778068800250,"type":"job_finished","job_id":"build","outcome":"succeeded"}
//! {"at_ms":1778068800260,"type":"run_finished","outcome":"succeeded"}
//! ```
//!
//! Each line is one object, appended and flushed as the event happens; quire makes its rows from
//! these lines after the run. The commands of a job run one after another, and the n-th that ended
//! wrote `sh-<n>.log`. A command whose program is missing has a start but no end, no log and no
//! number. The format is defined in quire's `quire-core/src/ci/event.rs`.

use std::collections::HashMap;

use serde::Deserialize;

use crate::model::{Job, JobId, Origin, Sh};
use crate::time::Time;

/// The events of a run so far.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Events {
    /// The jobs in the order of their start, each with its commands in order.
    pub jobs: Vec<(Job, Vec<Sh>)>,
    /// The time of the first event.
    pub began_at: Option<Time>,
    /// The outcome of the run, as quire writes it, and the time at which it ended.
    pub ended: Option<(String, Time)>,
    /// The number of lines that are not a known event, or that end a command that is not running.
    pub unknown_lines: u64,
    known: HashMap<JobId, Known>,
}

/// The state of a job that is needed for its next event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Known {
    /// The index of the job in [`Events::jobs`].
    place: usize,
    /// The number for the command that ends next in the job.
    next_n: u32,
}

#[derive(Deserialize)]
struct Line {
    at_ms: i64,
    #[serde(flatten)]
    event: Event,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    JobStarted { job_id: String },
    JobFinished { job_id: String, outcome: String },
    ShStarted { job_id: String, cmd: String },
    ShFinished { job_id: String, exit_code: i64 },
    RunFinished { outcome: String },
}

impl Events {
    /// Adds the next line, without its LF. Ignores blank lines.
    pub fn take(&mut self, line: &[u8]) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let Ok(Line { at_ms, event }) = serde_json::from_slice(line) else {
            self.unknown_lines += 1;
            return;
        };
        let at = Time::from_millis(at_ms);
        self.began_at.get_or_insert(at);
        match event {
            Event::JobStarted { job_id } => self.job(job_id).0.started_at = Some(at),
            Event::JobFinished { job_id, outcome } => {
                let (job, shs, _) = self.job(job_id);
                (job.state, job.finished_at) = (Some(outcome), Some(at));
                mark_given_up(shs);
            }
            Event::ShStarted { job_id, cmd } => {
                let (_, shs, next_n) = self.job(job_id);
                mark_given_up(shs);
                let (n, started_at) = (Some(*next_n), Some(at));
                shs.push(Sh { n, cmd, started_at, origin: Origin::Event, ..Sh::default() });
            }
            Event::ShFinished { job_id, exit_code } => {
                let (_, shs, next_n) = self.job(job_id);
                if let Some(sh) = shs.last_mut().filter(|sh| is_open(sh)) {
                    (sh.exit_code, sh.finished_at) = (Some(exit_code), Some(at));
                    *next_n = next_n.saturating_add(1);
                } else {
                    self.unknown_lines += 1;
                }
            }
            Event::RunFinished { outcome } => {
                // Only once: otherwise a file of many jobs and many such lines would take quadratic
                // time.
                if self.ended.replace((outcome, at)).is_none() {
                    self.jobs.iter_mut().for_each(|(_, shs)| mark_given_up(shs));
                }
            }
        }
    }

    /// Returns a job, its commands, and the number for its command that ends next.
    fn job(&mut self, id: String) -> (&mut Job, &mut Vec<Sh>, &mut u32) {
        let known = self.known.entry(JobId(id)).or_insert_with_key(|id| {
            self.jobs.push((Job::without_row(id.clone()), Vec::new()));
            Known { place: self.jobs.len() - 1, next_n: 1 }
        });
        // The index is valid: the job was added just now or earlier.
        let (job, shs) = &mut self.jobs[known.place];
        (job, shs, &mut known.next_n)
    }
}

fn is_open(sh: &Sh) -> bool {
    sh.finished_at.is_none() && sh.origin == Origin::Event
}

/// Marks the last command as given up if it has not ended: the current event shows that it will
/// never end. It loses its number, because it has no log.
fn mark_given_up(shs: &mut [Sh]) {
    if let Some(sh) = shs.last_mut().filter(|sh| is_open(sh)) {
        (sh.n, sh.origin) = (None, Origin::GivenUp);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(lines: &str) -> Events {
        let mut events = Events::default();
        lines.lines().for_each(|line| events.take(line.as_bytes()));
        events
    }

    /// Formats the jobs as `job state n:cmd:exit …`, with a dash for unknown values.
    fn summary(events: &Events) -> Vec<String> {
        let known = |value: Option<String>| value.unwrap_or("-".into());
        let sh = |sh: &Sh| {
            format!(
                "{}:{}:{}",
                known(sh.n.map(|n| n.to_string())),
                sh.cmd,
                known(sh.exit_code.map(|code| code.to_string()))
            )
        };
        let job = |(job, shs): &(Job, Vec<Sh>)| {
            let shs: Vec<String> = shs.iter().map(sh).collect();
            format!("{} {} {}", job.id.as_str(), known(job.state.clone()), shs.join(" "))
        };
        events.jobs.iter().map(job).collect()
    }

    const RUN: &str = r#"{"at_ms":100,"type":"job_started","job_id":"build"}
{"at_ms":110,"type":"sh_started","job_id":"build","cmd":"a"}
{"at_ms":110,"type":"sh_finished","job_id":"build","exit_code":0}
{"at_ms":110,"type":"sh_started","job_id":"build","cmd":"b"}
{"at_ms":130,"type":"sh_finished","job_id":"build","exit_code":-1}
{"at_ms":140,"type":"job_finished","job_id":"build","outcome":"complete"}
{"at_ms":150,"type":"job_started","job_id":"test"}
{"at_ms":160,"type":"sh_started","job_id":"test","cmd":"c"}"#;

    #[test]
    fn a_running_run_is_read_from_its_events() {
        let events = parsed(RUN);
        assert_eq!(summary(&events), ["build complete 1:a:0 2:b:-1", "test - 1:c:-"]);
        assert_eq!(
            (events.began_at, &events.ended, events.unknown_lines),
            (Some(Time::from_millis(100)), &None, 0)
        );
        assert_eq!(events.jobs[1].0.started_at, Some(Time::from_millis(150)));
    }

    #[test]
    fn a_command_that_could_not_start_has_no_number() {
        let events = parsed(
            r#"{"at_ms":1,"type":"sh_started","job_id":"j","cmd":"missing"}
{"at_ms":2,"type":"sh_started","job_id":"j","cmd":"there"}
{"at_ms":3,"type":"sh_finished","job_id":"j","exit_code":0}
{"at_ms":4,"type":"sh_started","job_id":"j","cmd":"gone"}
{"at_ms":5,"type":"job_finished","job_id":"j","outcome":"failed"}
{"at_ms":6,"type":"sh_finished","job_id":"j","exit_code":0}
{"at_ms":7,"type":"run_finished","outcome":"pipeline_failure"}"#,
        );
        assert_eq!(summary(&events), ["j failed -:missing:- 1:there:0 -:gone:-"]);
        assert_eq!(events.ended, Some(("pipeline_failure".into(), Time::from_millis(7))));
        assert_eq!(events.unknown_lines, 1, "a command that has been given up does not end");
    }

    #[test]
    fn unknown_events_are_counted_and_skipped() {
        let torn = &RUN[..RUN.len() - 20];
        assert_eq!(summary(&parsed(torn)), ["build complete 1:a:0 2:b:-1", "test - "]);
        let odd = "\n  \n{}\n[]\nnull\n{\"at_ms\":1,\"type\":\"log_line\",\"job_id\":\"j\"}\n\
                   {\"at_ms\":\"1\",\"type\":\"job_started\",\"job_id\":\"j\"}";
        assert_eq!((parsed(odd).unknown_lines, parsed(odd).jobs.len()), (5, 0));
        let more = r#"{"at_ms":1,"type":"job_started","job_id":"j","attempt":2}"#;
        assert_eq!(
            (parsed(more).unknown_lines, parsed(more).jobs.len()),
            (0, 1),
            "more fields are no harm"
        );
    }

    proptest! {
        #[test]
        fn numbers_count_the_commands_that_may_have_a_log(
            kinds in prop::collection::vec(0_u8..5, 0..40),
        ) {
            let line = |kind: &u8| match kind {
                0 => r#"{"at_ms":1,"type":"job_started","job_id":"j"}"#,
                1 | 2 => r#"{"at_ms":1,"type":"sh_started","job_id":"j","cmd":"c"}"#,
                3 => r#"{"at_ms":1,"type":"sh_finished","job_id":"j","exit_code":0}"#,
                _ => r#"{"at_ms":1,"type":"job_finished","job_id":"j","outcome":"failed"}"#,
            };
            let lines: Vec<&str> = kinds.iter().map(line).collect();
            for (_, shs) in parsed(&lines.join("\n")).jobs {
                let numbers: Vec<u32> = shs.iter().filter_map(|sh| sh.n).collect();
                let expected: Vec<u32> = (1..).take(numbers.len()).collect();
                prop_assert_eq!(numbers, expected);
                let (_, before) =
                    shs.split_last().map_or((None, &[][..]), |(last, before)| (Some(last), before));
                prop_assert!(before.iter().all(|sh| sh.n.is_some() == sh.finished_at.is_some()));
            }
        }
    }
}
