//! The choice of rows by `--grep`: the matches, each with some rows before and after it. Pure.

use std::collections::VecDeque;

use crate::search::Query;

/// The maximum number of bytes of rows that are held as the context of a possible match. Beyond it,
/// the first held rows are left out.
const MAX_HELD_BYTES: usize = 4 << 20;

/// The rows to print: those that match a query, with context.
#[derive(Clone, Debug)]
pub struct Grep {
    /// The query.
    pub query: Query,
    /// The number of rows to print before and after each match.
    pub context: usize,
}

/// A row that was picked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Picked<T> {
    pub row: T,
    /// The number of rows that were left out since the row before it that was picked.
    pub skipped: u64,
}

/// A filter that picks the matches and their context.
pub(super) struct Picker<T> {
    context: usize,
    /// The last rows, which belong to the context if the next row matches.
    held: VecDeque<(T, usize)>,
    held_bytes: usize,
    /// The number of further rows that belong to the context of the last match.
    after: usize,
    skipped: u64,
    picked: VecDeque<Picked<T>>,
}

impl<T> Picker<T> {
    pub(super) const fn new(context: usize) -> Self {
        Self {
            context,
            held: VecDeque::new(),
            held_bytes: 0,
            after: 0,
            skipped: 0,
            picked: VecDeque::new(),
        }
    }

    /// Adds the next row, which takes this many bytes.
    pub(super) fn push(&mut self, row: T, bytes: usize, is_match: bool) {
        if is_match {
            for (held, _) in std::mem::take(&mut self.held) {
                self.pick(held);
            }
            (self.held_bytes, self.after) = (0, self.context);
            self.pick(row);
        } else if self.after > 0 {
            self.after -= 1;
            self.pick(row);
        } else {
            self.hold(row, bytes);
        }
    }

    /// Returns the next picked row; `None` if another row must be added first.
    pub(super) fn pop(&mut self) -> Option<Picked<T>> {
        self.picked.pop_front()
    }

    /// Returns the number of rows that were left out after the last picked row, if no more rows are
    /// added.
    pub(super) fn skipped_at_end(&self) -> u64 {
        self.skipped + self.held.len() as u64
    }

    fn pick(&mut self, row: T) {
        let skipped = std::mem::take(&mut self.skipped);
        self.picked.push_back(Picked { row, skipped });
    }

    fn hold(&mut self, row: T, bytes: usize) {
        self.held.push_back((row, bytes));
        self.held_bytes += bytes;
        while self.held.len() > self.context || self.held_bytes > MAX_HELD_BYTES {
            let Some((_, bytes)) = self.held.pop_front() else { break };
            self.held_bytes -= bytes;
            self.skipped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picked(picker: &mut Picker<usize>) -> Vec<Picked<usize>> {
        std::iter::from_fn(|| picker.pop()).collect()
    }

    proptest! {
        #[test]
        fn the_picked_rows_are_those_near_a_match(
            matches in prop::collection::vec(prop::bool::weighted(0.2), 0..60),
            context in 0..5_usize,
        ) {
            let mut picker = Picker::new(context);
            for (row, is_match) in matches.iter().enumerate() {
                picker.push(row, 1, *is_match);
            }
            let picked = picked(&mut picker);
            let is_near = |row: &usize| {
                let near = row.saturating_sub(context)..(row + context + 1).min(matches.len());
                matches[near].contains(&true)
            };
            let expected: Vec<usize> = (0..matches.len()).filter(is_near).collect();
            let rows: Vec<usize> = picked.iter().map(|picked| picked.row).collect();
            prop_assert_eq!(&rows, &expected);
            let skipped: u64 = picked.iter().map(|picked| picked.skipped).sum();
            let left_out = (matches.len() - expected.len()) as u64;
            prop_assert_eq!(skipped + picker.skipped_at_end(), left_out);
            let mut next = 0;
            for Picked { row, skipped } in picked {
                prop_assert_eq!(row as u64, next + skipped);
                next = row as u64 + 1;
            }
        }
    }

    #[test]
    fn context_of_many_bytes_is_left_out() {
        let mut picker = Picker::new(10);
        for row in 0..8 {
            picker.push(row, MAX_HELD_BYTES / 2, false);
        }
        picker.push(8, 1, true);
        let rows = picked(&mut picker);
        assert_eq!(rows.iter().map(|picked| picked.row).collect::<Vec<_>>(), [6, 7, 8]);
        assert_eq!(rows[0].skipped, 6);
    }
}
