//! The parts of a run, as they are read from a store: its rows, and the logs of each job. Joined,
//! they are a [`RunNode`].

use std::collections::HashSet;
use std::path::PathBuf;

use super::{
    DatedLog, Finding, FindingKind, Findings, LogRef, Place, Recorder, RunHead, RunNode, find,
    job_node, run_head,
};
use crate::model::{Job, JobId, Run, Sh};
use crate::time::Time;

/// The parts of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunParts {
    /// Its row.
    pub run: Run,
    /// The state of its recorder.
    pub recorder: Recorder,
    /// True if our recorder wrote it.
    pub ours: bool,
    /// The directory of its files; `None` if it is unknown or may not be read.
    pub dir: Option<PathBuf>,
    /// The run's own log.
    pub log: Option<LogRef>,
    /// The file with its events, which are also among the commands.
    pub events: Option<LogRef>,
    /// Its jobs: those in the database, then those only in the events, then those only in the
    /// directory.
    pub jobs: Vec<JobParts>,
    /// The findings about its files.
    pub findings: Findings,
    /// True if the directory of the run, or its list of jobs, was not read.
    pub hides_all: bool,
}

/// The parts of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobParts {
    /// Its row.
    pub job: Job,
    /// Its commands, in the order in which their rows were written.
    pub shs: Vec<Sh>,
    /// Its logs, by number.
    pub logs: Vec<DatedLog>,
}

impl RunParts {
    /// Derives the progress and the outcome of the run.
    #[must_use]
    pub fn head(&self) -> RunHead {
        run_head(self.run.clone(), self.recorder)
    }

    /// Returns the ids of its jobs.
    #[must_use]
    pub fn job_ids(&self) -> Vec<JobId> {
        self.jobs.iter().map(|parts| parts.job.id.clone()).collect()
    }

    /// Matches the commands with the logs, and adds all findings. `changed_at` returns the time of
    /// the newest change of the run, as far as it is known from its files.
    #[must_use]
    pub fn join(mut self, now: Time, changed_at: impl FnOnce(&RunNode) -> Option<Time>) -> RunNode {
        let head = run_head(self.run, self.recorder);
        let jobs = self.jobs.into_iter();
        let jobs = jobs.map(|JobParts { job, shs, logs }| job_node(&head, job, shs, logs));
        let mut node = RunNode {
            jobs: jobs.collect(),
            head,
            dir: self.dir,
            log: self.log,
            events: self.events,
            changed_at: None,
            findings: Findings::default(),
        };
        node.changed_at = changed_at(&node);
        let mut found = find(&node, now);
        if self.recorder == Recorder::Copied && node.head.run.finished_at.is_none() {
            self.findings.add(Place::Run, FindingKind::CopiedEarly);
            found = found.into_iter().filter(|it| it.kind != FindingKind::Interrupted).collect();
        }
        node.findings = beside(found, self.findings, self.hides_all);
        node
    }
}

/// Appends the findings about files to `found`. First drops findings about missing logs from
/// `found`, because a missing log may be one that was not read. A finding about a job is dropped if
/// a part of the job was not read, a finding about the run if a part of any job was not read, and
/// all of them if `hides_all` is true.
fn beside(found: Findings, of_files: Findings, hides_all: bool) -> Findings {
    let hides =
        |kind: &FindingKind| matches!(kind, FindingKind::Refused(_) | FindingKind::Unreadable(_));
    let hiding = of_files.iter().filter(|finding| hides(&finding.kind));
    let hidden: HashSet<JobId> =
        hiding.filter_map(|finding| finding.place.job().cloned()).collect();
    let is_hidden =
        |job: Option<&JobId>| job.map_or(!hidden.is_empty(), |job| hidden.contains(job));
    let is_reported = |finding: &Finding| {
        !(finding.kind.is_missing_log() && (hides_all || is_hidden(finding.place.job())))
    };
    found.into_iter().filter(is_reported).chain(of_files).collect()
}
