//! The pending requests to the worker; only the newest of each kind is kept.

use std::time::{Duration, Instant};

use crate::tui::msg::Effect;

/// The pending requests.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) log: Option<Effect>,
    pub(super) load: Option<Effect>,
    pub(super) runs: Option<Effect>,
    pub(super) find: Option<Effect>,
    pub(super) step: Option<Effect>,
    pub(super) refresh: Option<Effect>,
    pub(super) copy: Option<Effect>,
    /// The time before which the store is not refreshed.
    pub(super) pause: Option<Instant>,
}

impl Inbox {
    pub(super) fn take_in(&mut self, effect: Effect) {
        let slot = match effect {
            Effect::ReadLog(..) => &mut self.log,
            Effect::CopyRows(..) => &mut self.copy,
            // A load makes a pending refresh unnecessary.
            Effect::Load(_) => {
                self.refresh = None;
                &mut self.load
            }
            Effect::ReadRuns(_) => &mut self.runs,
            Effect::FindRuns(_) => &mut self.find,
            Effect::Step(_) => &mut self.step,
            Effect::Refresh(_) => &mut self.refresh,
            _ => return,
        };
        *slot = Some(effect);
    }

    /// Returns the next request: the newest of each kind, the log first.
    pub(super) fn next(&mut self, now: Instant) -> Option<Effect> {
        let is_pausing = self.pause.is_some_and(|until| now < until);
        let next = self.log.take().or_else(|| self.copy.take()).or_else(|| self.load.take());
        let next = next
            .or_else(|| self.step.take())
            .or_else(|| self.find.take())
            .or_else(|| self.runs.take());
        next.or_else(|| if is_pausing { None } else { self.refresh.take() })
    }

    /// Returns the time until a pending refresh is due; `None` if there is no pending refresh.
    pub(super) fn patience(&self, now: Instant) -> Option<Duration> {
        self.refresh.as_ref()?;
        Some(self.pause.map_or(Duration::ZERO, |until| until.saturating_duration_since(now)))
    }
}
