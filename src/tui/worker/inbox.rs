//! The pending requests to the worker; only the newest of each kind is kept.

use std::time::{Duration, Instant};

use crate::tui::msg::WorkerRequest;

/// The pending requests.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) log: Option<WorkerRequest>,
    pub(super) load: Option<WorkerRequest>,
    pub(super) runs: Option<WorkerRequest>,
    pub(super) highlights: Option<WorkerRequest>,
    pub(super) find: Option<WorkerRequest>,
    pub(super) step: Option<WorkerRequest>,
    pub(super) refresh: Option<WorkerRequest>,
    pub(super) copy: Option<WorkerRequest>,
    /// The time before which the store is not refreshed.
    pub(super) pause: Option<Instant>,
}

impl Inbox {
    pub(super) fn take_in(&mut self, request: WorkerRequest) {
        let slot = match request {
            WorkerRequest::ReadLog(..) => &mut self.log,
            WorkerRequest::CopyRows(..) => &mut self.copy,
            // A load makes a pending refresh unnecessary.
            WorkerRequest::Load(_) => {
                self.refresh = None;
                &mut self.load
            }
            WorkerRequest::ReadRuns(_) => &mut self.runs,
            WorkerRequest::ReadHighlights(_) => &mut self.highlights,
            WorkerRequest::FindRuns(_) => &mut self.find,
            WorkerRequest::Step(_) => &mut self.step,
            WorkerRequest::Refresh { .. } => &mut self.refresh,
        };
        *slot = Some(request);
    }

    /// Returns the next request: the newest of each kind, the log first.
    pub(super) fn next(&mut self, now: Instant) -> Option<WorkerRequest> {
        let is_pausing = self.pause.is_some_and(|until| now < until);
        // A step comes before a load: a run that the step leaves at once need not be loaded.
        let next = self.log.take().or_else(|| self.copy.take()).or_else(|| self.step.take());
        let next = next
            .or_else(|| self.load.take())
            .or_else(|| self.find.take())
            .or_else(|| self.runs.take())
            .or_else(|| self.highlights.take());
        next.or_else(|| if is_pausing { None } else { self.refresh.take() })
    }

    /// Returns the time until a pending refresh is due; `None` if there is no pending refresh.
    pub(super) fn timeout(&self, now: Instant) -> Option<Duration> {
        self.refresh.as_ref()?;
        Some(self.pause.map_or(Duration::ZERO, |until| until.saturating_duration_since(now)))
    }
}
