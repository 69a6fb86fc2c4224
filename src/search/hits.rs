//! How many matching rows begin in each 64 KiB of a log. Pure; knows neither file nor query.
//!
//! 4 bytes per block: 640 KiB for 10 GiB, however many rows match. The rows at the end of a log
//! that is still written to may change (their line or entry is not ended): what they count is kept
//! apart, and counted anew when the log has grown.

use std::ops::Range;

use crate::log::{Checkpoint, Tail};

/// How many bytes of the log one count stands for.
const BLOCK_BYTES: u64 = 64 << 10;

/// How many rows of a log match, as far as it was scanned.
#[derive(Clone, Debug)]
pub struct Hits {
    settled: Counts,
    /// Of the rows from `checkpoint` on.
    open: Counts,
    /// Before the first row that may change, or that was not scanned.
    checkpoint: Checkpoint,
    bytes: u64,
    /// How the last line was taken.
    tail: Tail,
}

/// Rows by the block that they begin in.
#[derive(Clone, Default, Debug)]
pub(super) struct Counts {
    /// The block that the first count is of.
    base: usize,
    blocks: Vec<u32>,
    total: u64,
}

/// What a stretch of a log holds.
#[derive(Default, Debug)]
pub(super) struct Counted {
    /// Rows that will not change.
    pub settled: Counts,
    /// Rows that what is appended may change.
    pub open: Counts,
}

impl Default for Hits {
    fn default() -> Self {
        Self::new()
    }
}

impl Hits {
    /// Of a log that was not scanned yet.
    #[must_use]
    pub fn new() -> Self {
        let (settled, open) = (Counts::default(), Counts::default());
        Self { settled, open, checkpoint: Checkpoint::START, bytes: 0, tail: Tail::Hold }
    }

    /// How far the log was scanned.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many rows match, as far as the log was scanned.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.settled.total + self.open.total
    }

    /// How many matching rows begin before the 64 KiB that an offset lies in; [`super::rank`]
    /// counts on from there.
    #[must_use]
    pub fn before(&self, offset: u64) -> u64 {
        let block = block_of(offset);
        self.settled.before(block) + self.open.before(block)
    }

    /// The memory that it takes, in bytes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        (self.settled.blocks.capacity() + self.open.blocks.capacity()) * size_of::<u32>()
    }

    /// Where the 64 KiB begin that an offset lies in.
    pub(super) const fn block_start(offset: u64) -> u64 {
        offset / BLOCK_BYTES * BLOCK_BYTES
    }

    /// The next stretch, at or after an offset, in which matching rows begin, or may begin because
    /// it was not scanned or has changed since.
    pub(super) fn down_from(&self, offset: u64) -> Range<u64> {
        let scanned = block_of(self.checkpoint.offset);
        match (block_of(offset)..scanned).find(|block| self.has(*block)) {
            Some(block) => offset.max(start_of(block))..start_of(block + 1),
            None => offset.max(start_of(scanned))..u64::MAX,
        }
    }

    /// The last stretch before an offset in which matching rows begin, or may begin.
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

    /// Where a scan goes on.
    pub(super) const fn checkpoint(&self) -> Checkpoint {
        self.checkpoint
    }

    /// Whether nothing is to be scanned of a log of so many bytes.
    pub(super) fn has_all(&self, bytes: u64, tail: Tail) -> bool {
        self.bytes >= bytes && self.tail == tail
    }

    /// Takes what was counted from [`Self::checkpoint`] up to `bytes`. What begins before
    /// `checkpoint` will not change.
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

    /// Whether matching rows that will not change begin in a block.
    fn has(&self, block: usize) -> bool {
        self.settled.count(block) > 0
    }
}

impl Counts {
    /// Counts a row; one after the other, in their order.
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
                // Doubling would hold up to twice the memory that this promises.
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
