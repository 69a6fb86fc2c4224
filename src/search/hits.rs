//! Counts of the matching rows that begin in each 64 KiB block of a log. Pure: uses no file and no
//! query.
//!
//! Each block takes 4 bytes: 640 KiB for a log of 10 GiB, however many rows match. While a log is
//! being written, the rows at its end may change, because their line or entry is incomplete. These
//! rows are counted separately, and counted again when the log has grown.

use std::ops::Range;

use crate::log::{Checkpoint, Tail};

/// The size of a block: the number of bytes of the log per count.
const BLOCK_BYTES: u64 = 64 << 10;

/// The number of matching rows in the scanned part of a log.
#[derive(Clone, Debug)]
pub struct Hits {
    settled: Counts,
    /// Counts of the rows from `checkpoint` on.
    open: Counts,
    /// The point before the first row that may change or has not been scanned.
    checkpoint: Checkpoint,
    bytes: u64,
    /// The treatment of an incomplete last line in the scan.
    tail: Tail,
}

/// Numbers of rows by the block in which they begin.
#[derive(Clone, Default, Debug)]
pub(super) struct Counts {
    /// The block of the first count.
    base: usize,
    blocks: Vec<u32>,
    total: u64,
}

/// The matching rows in a part of a log.
#[derive(Default, Debug)]
pub(super) struct Counted {
    /// Rows that will not change.
    pub settled: Counts,
    /// Rows that appended data may change.
    pub open: Counts,
}

impl Default for Hits {
    fn default() -> Self {
        Self::new()
    }
}

impl Hits {
    /// Creates the hits of a log that has not been scanned yet.
    #[must_use]
    pub fn new() -> Self {
        let (settled, open) = (Counts::default(), Counts::default());
        Self { settled, open, checkpoint: Checkpoint::START, bytes: 0, tail: Tail::Hold }
    }

    /// Returns how many bytes of the log have been scanned.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the number of matching rows in the scanned part of the log.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.settled.total + self.open.total
    }

    /// Returns how many matching rows begin before the block that contains `offset`.
    /// [`super::rank`] also counts those within the block.
    #[must_use]
    pub fn before(&self, offset: u64) -> u64 {
        let block = block_of(offset);
        self.settled.before(block) + self.open.before(block)
    }

    /// Returns the memory used by the counts, in bytes.
    #[must_use]
    #[cfg(test)]
    pub const fn memory_bytes(&self) -> usize {
        (self.settled.blocks.capacity() + self.open.blocks.capacity()) * size_of::<u32>()
    }

    /// Returns the start of the block that contains `offset`.
    pub(super) const fn block_start(offset: u64) -> u64 {
        offset / BLOCK_BYTES * BLOCK_BYTES
    }

    /// Returns the next range at or after `offset` that may contain a match: a block with hits, or
    /// the rest of the log, which has not been scanned or may have changed since.
    pub(super) fn down_from(&self, offset: u64) -> Range<u64> {
        let scanned = block_of(self.checkpoint.offset);
        match (block_of(offset)..scanned).find(|block| self.has(*block)) {
            Some(block) => offset.max(start_of(block))..start_of(block + 1),
            None => offset.max(start_of(scanned))..u64::MAX,
        }
    }

    /// Returns the last range before `offset` that may contain a match; empty if no match can begin
    /// there.
    pub(super) fn up_from(&self, offset: u64) -> Range<u64> {
        if offset > self.checkpoint.offset {
            return self.checkpoint.offset..offset;
        }
        let blocks = block_of(offset.saturating_add(BLOCK_BYTES - 1));
        match (0..blocks).rev().find(|block| self.has(*block)) {
            Some(block) => start_of(block)..offset.min(start_of(block + 1)),
            None => 0..0,
        }
    }

    /// Returns the point from which to continue the scan.
    pub(super) const fn checkpoint(&self) -> Checkpoint {
        self.checkpoint
    }

    /// Returns true if a log of this many bytes needs no further scan.
    pub(super) fn has_all(&self, bytes: u64, tail: Tail) -> bool {
        self.bytes >= bytes && self.tail == tail
    }

    /// Adds the counts of the rows that begin between [`Self::checkpoint`] and the offset `bytes`.
    /// The next scan continues from the new `checkpoint`. Rows that begin before it are final.
    pub(super) fn take(
        &mut self,
        counted: Counted,
        checkpoint: Checkpoint,
        bytes: u64,
        tail: Tail,
    ) {
        self.settled.add(&counted.settled);
        self.open = counted.open;
        (self.checkpoint, self.bytes, self.tail) = (checkpoint, bytes, tail);
    }

    /// Returns true if matching rows that will not change begin in a block.
    fn has(&self, block: usize) -> bool {
        self.settled.count(block) > 0
    }
}

impl Counts {
    /// Counts a row. Rows must be counted in the order of the log.
    pub(super) fn push(&mut self, offset: u64) {
        self.add_to(block_of(offset), 1);
    }

    pub(super) fn add(&mut self, others: &Self) {
        let counts = others.blocks.iter().enumerate().filter(|(_, count)| **count > 0);
        counts.for_each(|(at, count)| self.add_to(others.base + at, *count));
    }

    fn add_to(&mut self, block: usize, rows: u32) {
        if self.blocks.is_empty() {
            self.base = block;
        }
        let len = block.saturating_sub(self.base) + 1;
        if len > self.blocks.len() {
            if len > self.blocks.capacity() {
                // The default growth doubles the capacity, and could use twice the documented
                // memory.
                self.blocks.reserve_exact(len - self.blocks.len() + (len / 8).max(64));
            }
            self.blocks.resize(len, 0);
        }
        if let Some(count) = self.blocks.get_mut(len - 1) {
            *count += rows;
            self.total += u64::from(rows);
        }
    }

    fn before(&self, block: usize) -> u64 {
        self.blocks
            .iter()
            .take(block.saturating_sub(self.base))
            .map(|count| u64::from(*count))
            .sum()
    }

    fn count(&self, block: usize) -> u32 {
        let count = block.checked_sub(self.base).and_then(|at| self.blocks.get(at));
        count.copied().unwrap_or(0)
    }
}

fn block_of(offset: u64) -> usize {
    usize::try_from(offset / BLOCK_BYTES).unwrap_or(usize::MAX)
}

const fn start_of(block: usize) -> u64 {
    block as u64 * BLOCK_BYTES
}
