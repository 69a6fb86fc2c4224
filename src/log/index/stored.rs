//! The form in which an index is stored beside its log.
//!
//! A column of blocks contains the differences between neighbors, which compress well: about 100 KB
//! for a log of 1 GiB. An incomplete last line is left out, so a reader feeds it again.

use serde::{Deserialize, Serialize};

use super::super::start::Open;
use super::super::stored::{pack, unpack};
use super::{Block, Counts, Index, NO_TIME, Totals};
use crate::cri::PerStream;
use crate::log::Format;

/// The version of the form.
const SCHEMA: &str = "rundown.index/1";

/// The document. All offsets are in bytes from the start of the log.
#[derive(Serialize, Deserialize)]
struct Stored {
    schema: String,
    format: Format,
    totals: Totals,
    stderr_rows: u64,
    last_us: Option<i64>,
    is_rest: bool,
    /// Of each stream, the last record of the open entry and the end of its reach.
    open: PerStream<Option<(u64, u64)>>,
    /// Of each stream, the start of the open entry if it has no bytes yet.
    empty: PerStream<Option<u64>>,
    blocks: Columns,
}

/// The blocks by column: differences to the block before.
#[derive(Default, Serialize, Deserialize)]
struct Columns {
    offset: Vec<u64>,
    row: Vec<u64>,
    stderr_row: Vec<u64>,
    before_us: Vec<i64>,
}

impl Index {
    /// Returns the stored form of the index, without an incomplete last line. Returns `None` if it
    /// cannot be compressed.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let Counts { format, totals, stderr_rows, last_us, starts, empty } = self.counts;
        pack(&Stored {
            schema: SCHEMA.into(),
            format,
            totals: Totals { bytes: self.tail_offset(), ..totals },
            stderr_rows,
            last_us: Some(last_us).filter(|at| *at != NO_TIME),
            is_rest: self.is_rest,
            open: starts.open.map(|open| open.map(|Open { last, end }| (last, end))),
            empty,
            blocks: Columns::of(&self.blocks),
        })
    }

    /// Returns the index of a stored form; `None` if it is not one, or is damaged.
    #[must_use]
    pub fn decode(packed: &[u8]) -> Option<Self> {
        Self::new(Format::Cri).restored(packed)
    }

    /// Returns this empty index with the content of a stored form. Its own limits apply.
    pub(in crate::log) fn restored(mut self, packed: &[u8]) -> Option<Self> {
        let stored: Stored = unpack(packed)?;
        self.blocks = stored.blocks.blocks(stored.totals.bytes)?;
        let next_block = self.blocks.last().map_or(0, |block| block.offset.saturating_add(1));
        self.next_block = super::multiple_from(next_block, self.block_bytes);
        self.is_rest = stored.is_rest;
        let mut starts = self.counts.starts;
        starts.open = stored.open.map(|open| open.map(|(last, end)| Open { last, end }));
        self.counts = Counts {
            format: stored.format,
            totals: stored.totals,
            stderr_rows: stored.stderr_rows,
            last_us: stored.last_us.unwrap_or(NO_TIME),
            starts,
            empty: stored.empty,
        };
        (stored.schema == SCHEMA).then_some(self)
    }
}

impl Columns {
    fn of(blocks: &[Block]) -> Self {
        let mut columns = Self::default();
        let mut last = Block { offset: 0, row: 0, stderr_rows: 0, before_us: 0, reached_us: 0 };
        for block in blocks {
            columns.offset.push(block.offset.wrapping_sub(last.offset));
            columns.row.push(block.row.wrapping_sub(last.row));
            columns.stderr_row.push(block.stderr_rows.wrapping_sub(last.stderr_rows));
            columns.before_us.push(block.before_us.wrapping_sub(last.before_us));
            last = *block;
        }
        columns
    }

    /// Returns the blocks, the last of which begins before `end`. Returns `None` unless their
    /// offsets and rows ascend, as searches in them require.
    fn blocks(self, end: u64) -> Option<Vec<Block>> {
        let Self { offset, row, stderr_row, before_us } = self;
        if [row.len(), stderr_row.len(), before_us.len()] != [offset.len(); 3] {
            return None;
        }
        let mut last =
            Block { offset: 0, row: 0, stderr_rows: 0, before_us: 0, reached_us: NO_TIME };
        let mut blocks = Vec::with_capacity(offset.len());
        for (((offset, row), stderr_row), before_us) in
            offset.into_iter().zip(row).zip(stderr_row).zip(before_us)
        {
            let before_us = last.before_us.wrapping_add(before_us);
            last = Block {
                offset: last.offset.checked_add(offset).filter(|offset| *offset < end)?,
                row: last.row.checked_add(row)?,
                stderr_rows: last.stderr_rows.checked_add(stderr_row)?,
                before_us,
                reached_us: before_us.max(last.reached_us),
            };
            blocks.push(last);
        }
        Some(blocks)
    }
}
