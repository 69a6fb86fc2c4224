//! The times of the parts of an active run.

use std::time::{Duration, Instant};

/// The time between two parts.
const INTERVAL: Duration = Duration::from_secs(5);

/// The number of new bytes of logs that make a part due at once.
const DUE_BYTES: u64 = 2_000_000;

/// The longest wait after a failure.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// The times of the parts.
pub(super) struct Pace {
    /// The end of the last attempt, or the beginning.
    tried_at: Instant,
    /// The shortest time until the next one, and until the next one with few bytes.
    rest: Duration,
    wait: Duration,
    pub has_succeeded: bool,
    /// The time of the last part with anything new.
    pub changed_at: Instant,
}

impl Pace {
    /// Begins with a wait before the first part.
    pub fn new(wait: Duration) -> Self {
        Self {
            tried_at: Instant::now(),
            rest: wait,
            wait,
            has_succeeded: false,
            changed_at: Instant::now(),
        }
    }

    pub fn is_due(&self, new_bytes: u64) -> bool {
        let wait = if new_bytes >= DUE_BYTES { self.rest } else { self.wait };
        self.tried_at.elapsed() >= wait
    }

    /// Notes an attempt that took some time. `is_new` is `None` if it failed.
    pub fn note(&mut self, took: Duration, is_new: Option<bool>) {
        self.tried_at = Instant::now();
        if is_new == Some(true) {
            self.changed_at = Instant::now();
        }
        if is_new.is_some() {
            // A large run, or a slow server, is not kept busy all the time.
            let wait = took.saturating_mul(4).clamp(INTERVAL, MAX_WAIT);
            (self.has_succeeded, self.rest, self.wait) = (true, took, wait);
        } else {
            self.wait = self.wait.saturating_mul(2).clamp(INTERVAL, MAX_WAIT);
            self.rest = self.wait;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_waits_longer_after_failures_and_less_for_many_bytes() {
        let mut pace = Pace::new(Duration::ZERO);
        assert!(pace.is_due(0));
        pace.note(Duration::ZERO, Some(true));
        assert!(!pace.is_due(1) && pace.is_due(DUE_BYTES));
        pace.note(MAX_WAIT, Some(true));
        assert_eq!(pace.wait, MAX_WAIT, "a sign of life is due after a minute");
        for _ in 0..9 {
            pace.note(Duration::ZERO, None);
        }
        assert!(!pace.is_due(DUE_BYTES) && pace.wait == MAX_WAIT);
    }
}
