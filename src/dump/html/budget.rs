//! The division of the space of a page among jobs, commands and logs.

use super::rows;
use crate::dump::printing::Printing;
use crate::join::ShNode;

/// The approximate maximum size of all rows in a page.
pub(super) const MAX_ROWS_BYTES: u64 = 16 << 20;

/// The maximum numbers of jobs and commands in a page. Those that failed come first.
pub(super) const MAX_JOBS: usize = 5_000;
pub(super) const MAX_COMMANDS: usize = 5_000;

/// The space of the logs.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    /// The space of the log of a failed command; `u64::MAX` if each of them has enough.
    failed: u64,
    /// The space of any other log.
    pub other: u64,
}

impl Budget {
    /// Divides the space by the sizes of the logs.
    pub(super) fn new(printing: &mut Printing<'_>) -> Self {
        let (mut failed, mut other) = (Vec::new(), Vec::new());
        let mut left =
            Chooser::new(MAX_COMMANDS, printing.shs().map(|(_, sh)| sh.state.is_failure()));
        for (_, sh) in printing.shs().filter(|(_, sh)| left.takes(sh.state.is_failure())) {
            let Some(log) = &sh.log else { continue };
            let size = rows::measure(printing, log, MAX_ROWS_BYTES);
            if sh.state.is_failure() { failed.push(size) } else { other.push(size) }
        }
        if let Some(log) = &printing.run.log {
            other.push(rows::measure(printing, log, MAX_ROWS_BYTES));
        }
        // Passed commands get a quarter, if they need it.
        let needed: u64 = other.iter().fold(0, |sum, size| sum.saturating_add(*size));
        let for_failed = MAX_ROWS_BYTES - needed.min(MAX_ROWS_BYTES / 4);
        let share = level(&mut failed, for_failed);
        let used: u64 = failed.iter().map(|size| share.min(*size)).sum();
        Self { failed: share, other: level(&mut other, MAX_ROWS_BYTES.saturating_sub(used)) }
    }

    pub(super) const fn of(self, sh: &ShNode) -> u64 {
        if sh.state.is_failure() { self.failed } else { self.other }
    }
}

/// Returns the largest equal share of a total, if those who need less leave the rest to the others.
/// Returns `u64::MAX` if the total suffices.
fn level(sizes: &mut [u64], total: u64) -> u64 {
    sizes.sort_unstable();
    let (mut left, mut count) = (total, sizes.len() as u64);
    for size in sizes {
        let share = left / count;
        if *size > share {
            return share;
        }
        left -= *size;
        count -= 1;
    }
    u64::MAX
}

/// A choice of at most a number of items, first of those that failed.
pub(super) struct Chooser {
    failed: usize,
    others: usize,
}

impl Chooser {
    /// Creates a choice. `items` is true for each item that failed.
    pub(super) fn new(max: usize, items: impl Iterator<Item = bool>) -> Self {
        let failed = items.filter(|has_failed| *has_failed).count().min(max);
        Self { failed, others: max - failed }
    }

    /// Returns true if the next item is chosen.
    pub(super) const fn takes(&mut self, has_failed: bool) -> bool {
        let left = if has_failed { &mut self.failed } else { &mut self.others };
        let is_taken = *left > 0;
        *left = left.saturating_sub(1);
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_logs_leave_their_space_to_large_ones() {
        for (sizes, total, share) in [
            (&mut [1, 2, 3][..], 6, u64::MAX),
            (&mut [9, 1, 9], 11, 5),
            (&mut [9, 9], 0, 0),
            (&mut [u64::MAX, 1], 10, 9),
            (&mut [], 0, u64::MAX),
        ] {
            assert_eq!(level(sizes, total), share, "{sizes:?}");
        }
    }

    #[test]
    fn failed_items_are_chosen_first() {
        let items = [false, true, false, true, false];
        let mut chooser = Chooser::new(3, items.into_iter());
        assert_eq!(items.map(|item| chooser.takes(item)), [true, true, false, true, false]);
        let mut chooser = Chooser::new(1, items.into_iter());
        assert_eq!(items.map(|item| chooser.takes(item)), [false, true, false, false, false]);
    }
}
