//! The choice of the runs to remove, without I/O.

use std::time::Duration;

/// Limits on the runs of a store. A run that exceeds one of them is removed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Limits {
    /// The number of newest runs to keep.
    pub keep: Option<u64>,
    /// The age of a run, counted from its end, above which it is removed.
    pub older_than: Option<Duration>,
    /// The disk space of all runs together. The oldest runs are removed until the others fit. The
    /// newest run is kept, even if it does not fit.
    pub max_bytes: Option<u64>,
    /// The number of newest failed runs that are kept, whatever the other limits are.
    pub failed_keep: Option<u64>,
}

impl Limits {
    /// Returns true if there is a limit that a run may exceed.
    #[must_use]
    pub const fn are_set(&self) -> bool {
        self.keep.is_some() || self.older_than.is_some() || self.max_bytes.is_some()
    }

    fn exceeds_age(&self, age_ms: i64) -> bool {
        let age_ms = u128::try_from(age_ms).unwrap_or(0);
        self.older_than.is_some_and(|limit| age_ms > limit.as_millis())
    }
}

/// A run that may be removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Candidate {
    /// The time since its end; since its last event if it is unfinished.
    pub age_ms: i64,
    /// Its disk space. Needed only for [`Limits::max_bytes`].
    pub bytes: u64,
    pub has_failed: bool,
    /// True if it may still continue.
    pub is_active: bool,
}

/// Chooses the runs to remove. `runs` are all runs that the limits apply to, newest first. Returns
/// true for each run to remove.
pub(super) fn plan(limits: &Limits, runs: &[Candidate]) -> Vec<bool> {
    let (mut place, mut failed) = (0_u64, 0_u64);
    let mut is_removable = Vec::with_capacity(runs.len());
    let mut is_removed = Vec::with_capacity(runs.len());
    for run in runs {
        place = place.saturating_add(1);
        failed = failed.saturating_add(u64::from(run.has_failed));
        let is_protected = run.has_failed && limits.failed_keep.is_some_and(|keep| failed <= keep);
        let exceeds =
            limits.keep.is_some_and(|keep| place > keep) || limits.exceeds_age(run.age_ms);
        is_removable.push(!run.is_active && !is_protected);
        is_removed.push(!run.is_active && !is_protected && exceeds);
    }
    if let Some(max_bytes) = limits.max_bytes {
        remove_by_size(max_bytes, runs, &is_removable, &mut is_removed);
    }
    is_removed
}

/// Removes the oldest runs until the others fit into `max_bytes`. The newest run stays.
fn remove_by_size(
    max_bytes: u64,
    runs: &[Candidate],
    is_removable: &[bool],
    is_removed: &mut [bool],
) {
    let kept = runs.iter().zip(&*is_removed).filter(|(_, is_removed)| !**is_removed);
    let mut total = kept.fold(0_u64, |total, (run, _)| total.saturating_add(run.bytes));
    let older = runs.iter().zip(is_removable).zip(is_removed).skip(1).rev();
    for ((run, is_removable), is_removed) in older {
        if total > max_bytes && *is_removable && !*is_removed {
            *is_removed = true;
            total = total.saturating_sub(run.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    /// Makes runs, newest first, each a day older than the one before: `F` failed, `A` is active,
    /// any other letter passed. Each occupies 100 bytes.
    fn runs(letters: &str) -> Vec<Candidate> {
        let run = |(days, letter)| Candidate {
            age_ms: days * DAY_MS,
            bytes: 100,
            has_failed: letter == 'F',
            is_active: letter == 'A',
        };
        (0..).zip(letters.chars()).map(run).collect()
    }

    fn removed(limits: Limits, letters: &str) -> String {
        let planned = plan(&limits, &runs(letters));
        planned.into_iter().map(|is_removed| if is_removed { 'x' } else { '.' }).collect()
    }

    #[test]
    fn each_limit_removes_the_oldest_runs() {
        let none = Limits::default();
        let keep = Limits { keep: Some(2), ..none };
        let days = |days: u64| Some(Duration::from_secs(days * 86_400));
        for (limits, letters, expected) in [
            (none, "PPP", "..."),
            (keep, "PPPP", "..xx"),
            (keep, "P", "."),
            (keep, "PPAP", "...x"),
            (keep, "AAPA", "..x."),
            (Limits { keep: Some(0), ..none }, "PAF", "x.x"),
            (Limits { older_than: days(1), ..none }, "PPPP", "..xx"),
            (Limits { max_bytes: Some(250), ..none }, "PPPP", "..xx"),
            (Limits { max_bytes: Some(250), ..none }, "PPPA", ".xx."),
            (Limits { max_bytes: Some(0), ..none }, "PPPP", ".xxx"),
            (Limits { failed_keep: Some(2), ..keep }, "PPFPFPF", "...x.xx"),
            (Limits { failed_keep: Some(1), ..keep }, "FPFP", "..xx"),
            (Limits { failed_keep: Some(1), max_bytes: Some(200), ..none }, "PPPF", ".xx."),
            (Limits { max_bytes: Some(200), older_than: days(2), ..keep }, "PPPP", "..xx"),
        ] {
            assert_eq!(removed(limits, letters), expected, "{limits:?} {letters}");
        }
    }

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let run = (0_i64..100, 0_u64..1000, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
            |(age_ms, bytes, has_failed, is_active)| Candidate {
                age_ms,
                bytes,
                has_failed: has_failed && !is_active,
                is_active,
            },
        );
        prop::collection::vec(run, 0..20)
    }

    fn limits() -> impl Strategy<Value = Limits> {
        let count = || prop::option::of(0_u64..20);
        (count(), prop::option::of(0_u64..100), prop::option::of(0_u64..5000), count()).prop_map(
            |(keep, age_ms, max_bytes, failed_keep)| Limits {
                keep,
                older_than: age_ms.map(Duration::from_millis),
                max_bytes,
                failed_keep,
            },
        )
    }

    proptest! {
        #[test]
        fn only_runs_that_must_be_kept_exceed_the_limits(limits in limits(), runs in candidates()) {
            let removed = plan(&limits, &runs);
            prop_assert_eq!(removed.len(), runs.len());
            let (mut failed, mut bytes, mut removable_bytes) = (0, 0, 0);
            for (place, (run, is_removed)) in (1..).zip(runs.iter().zip(&removed)) {
                failed += u64::from(run.has_failed);
                let is_protected = run.has_failed && Some(failed) <= limits.failed_keep;
                let is_removable = !run.is_active && !is_protected;
                prop_assert!(is_removable || !is_removed);
                let exceeds = limits.keep.is_some_and(|keep| place > keep)
                    || limits.exceeds_age(run.age_ms);
                prop_assert!(*is_removed || !exceeds || !is_removable);
                prop_assert!(!is_removed || exceeds || limits.max_bytes.is_some());
                if !is_removed {
                    bytes += run.bytes;
                    removable_bytes += if is_removable && place > 1 { run.bytes } else { 0 };
                }
            }
            prop_assert!(removable_bytes == 0 || limits.max_bytes.is_none_or(|max| bytes <= max));
        }

        /// Removing one more of the runs that `max_bytes` removed last would be too much.
        #[test]
        fn no_more_runs_are_removed_by_size_than_needed(
            max_bytes in 0_u64..5000, runs in candidates(),
        ) {
            let limits = Limits { max_bytes: Some(max_bytes), ..Limits::default() };
            let removed = plan(&limits, &runs);
            if let Some(newest) = removed.iter().position(|is_removed| *is_removed) {
                let kept = runs.iter().zip(&removed).filter(|(_, is_removed)| !**is_removed);
                let bytes: u64 = kept.map(|(run, _)| run.bytes).sum();
                prop_assert!(bytes + runs[newest].bytes > max_bytes);
            }
        }
    }
}
