//! The sparse index: row numbers, totals and times of a log, computed from its bytes in order.
//! Pure: it does no I/O.
//!
//! There is one block of 40 bytes per 64 KiB of log: about 6 MiB for 10 GiB. The index only *adds*
//! the facts that a window cannot provide: the number of a row, the position of a row number or a
//! time (to within one block; a short read does the rest), and the totals of the log.
//!
//! Nearly every line is a full record in the usual form, and no entry of its stream is open before
//! it. Such a line is always a row. These lines are counted by their headers alone
//! ([`HeaderScanner`]); a time is parsed only once per block.
//!
//! An open entry without any bytes is not a row yet, but may become one. It is counted when it
//! opens, excluded from every result while it is empty, and subtracted from later blocks once it
//! can no longer get any bytes.

mod stored;

use std::num::NonZeroU64;

use memchr::memchr;
use serde::{Deserialize, Serialize};

use super::bounds::{cut_of, multiple_from};
use super::lines::{Limits, usize_of};
use super::start::Starts;
use super::{Format, Tail};
use crate::cri::{self, HeaderScanner, PerStream, Record, Stream, Tag};

/// The number of bytes of the log per block.
const BLOCK_BYTES: NonZeroU64 = NonZeroU64::new(64 << 10).unwrap();

/// The totals of a log.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Totals {
    /// Rows: joined entries, and lines that are not records.
    pub rows: u64,
    /// The rows of standard error.
    pub stderr_rows: u64,
    /// Physical records of standard output.
    pub stdout: u64,
    /// Physical records of standard error.
    pub stderr: u64,
    /// Malformed lines of a CRI log.
    pub malformed: u64,
    /// Bytes, including an unterminated last line even if it is not counted as a line.
    pub bytes: u64,
}

/// The start of a block: the start of a row, with the counts before it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct BlockStart {
    /// The offset of a row, in bytes from the start of the file.
    pub offset: u64,
    /// The number of this row, from 0: the number of rows that begin before `offset`.
    pub row: u64,
    /// The number of rows of standard error that begin before `offset`.
    pub stderr_rows: u64,
    /// The time of the last record before `offset`, in microseconds; `None` if there is no such
    /// record.
    pub before_us: Option<i64>,
}

/// A [`BlockStart`] in 40 bytes. Its counts include open entries that may turn out not to be rows.
#[derive(Clone, Copy)]
struct Block {
    offset: u64,
    row: u64,
    stderr_rows: u64,
    /// See [`BlockStart::before_us`]; [`NO_TIME`] stands for `None`.
    before_us: i64,
    /// The latest `before_us` of this and all earlier blocks: times in a log may step back.
    reached_us: i64,
}

/// A value below the time of any record.
const NO_TIME: i64 = i64::MIN;

/// The index of a log.
#[derive(Clone)]
pub struct Index {
    blocks: Vec<Block>,
    block_bytes: NonZeroU64,
    /// An offset: the first row that begins at or after it also begins a new block.
    next_block: u64,
    /// The first bytes of a line whose end has not been fed, at most [`Limits::line`].
    carry: Vec<u8>,
    /// The number of further bytes of that line.
    carry_cut: u64,
    /// True if the line at the end of the fed bytes is the rest of a cut line.
    is_rest: bool,
    /// The limits of the row readers. The index uses the same ones, so that both find the same
    /// records.
    limits: Limits,
    scanner: HeaderScanner,
    counts: Counts,
}

/// The counts so far.
#[derive(Clone, Copy)]
struct Counts {
    format: Format,
    totals: Totals,
    stderr_rows: u64,
    /// The time of the last record.
    last_us: i64,
    starts: Starts,
    /// The start of each stream's open entry, if the entry has no bytes yet.
    empty: PerStream<Option<u64>>,
}

/// A line, or a piece of one that was cut.
#[derive(Clone, Copy)]
struct Piece<'b> {
    bytes: &'b [u8],
    /// The number of bytes omitted after `bytes`.
    cut_bytes: u64,
    is_rest: bool,
}

/// The effect of a line on the blocks.
#[derive(Default)]
struct Counted {
    begins_row: bool,
    /// An earlier entry that turned out not to be a row: its stream and its start.
    no_row: Option<(Stream, u64)>,
}

impl Index {
    /// Creates an empty index for a log of this format. Its row numbers match the rows of windows.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self::with(format, Limits::USUAL, BLOCK_BYTES)
    }

    /// Creates an index for [`Totals`] that match a read of the whole log.
    pub(super) fn unbounded(format: Format) -> Self {
        Self::with(format, Limits { reach: Starts::UNBOUNDED, ..Limits::USUAL }, BLOCK_BYTES)
    }

    pub(super) fn with(format: Format, limits: Limits, block_bytes: NonZeroU64) -> Self {
        let counts = Counts {
            format,
            totals: Totals::default(),
            stderr_rows: 0,
            last_us: NO_TIME,
            starts: Starts::new(limits.reach),
            empty: PerStream::default(),
        };
        Self {
            blocks: Vec::new(),
            block_bytes,
            next_block: 0,
            carry: Vec::new(),
            carry_cut: 0,
            is_rest: false,
            limits,
            scanner: HeaderScanner::default(),
            counts,
        }
    }

    /// Returns the format of the lines that it counts.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.counts.format
    }

    /// Adds the next bytes of the log, which may end anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if !self.has_carry() && !self.is_rest {
                rest = self.feed_usual(rest);
            }
            rest = self.feed_line(rest);
        }
    }

    /// Returns the number of bytes fed: the offset at which to continue.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.counts.totals.bytes
    }

    /// Returns the totals so far. `tail` decides if an unterminated last line is counted.
    #[must_use]
    pub fn totals(&self, tail: Tail) -> Totals {
        let mut counts = self.counts;
        if tail == Tail::Emit && self.has_carry() {
            let piece =
                Piece { bytes: &self.carry, cut_bytes: self.carry_cut, is_rest: self.is_rest };
            counts.line(self.tail_offset(), &piece);
        }
        let stdout = u64::from(counts.empty.stdout.is_some());
        let stderr = u64::from(counts.empty.stderr.is_some());
        Totals {
            rows: counts.totals.rows.saturating_sub(stdout).saturating_sub(stderr),
            stderr_rows: counts.stderr_rows.saturating_sub(stderr),
            ..counts.totals
        }
    }

    /// Returns the last block start at or before an offset; `None` if the index is empty.
    #[must_use]
    pub fn place_of_offset(&self, offset: u64) -> Option<BlockStart> {
        let after = self.blocks.partition_point(|block| block.offset <= offset);
        self.place_before(after)
    }

    /// Returns the last block start whose row number is at most `row`; `None` if the index is
    /// empty. The row with the number `row` begins less than one block and one row after it.
    #[must_use]
    pub fn place_of_row(&self, row: u64) -> Option<BlockStart> {
        let after = self.blocks.partition_point(|block| self.shown(block).row <= row);
        self.place_before(after)
    }

    /// Returns two adjacent block starts: the last one before which all records are earlier than
    /// `us` (in microseconds), and the next one. Compares only the last record before each block
    /// start.
    pub(super) fn places_of_time(&self, us: i64) -> (Option<BlockStart>, Option<BlockStart>) {
        let behind = self.blocks.partition_point(|block| block.reached_us < us);
        (behind.checked_sub(1).and_then(|before| self.place(before)), self.place(behind))
    }

    /// Returns the blocks that begin at or after an offset: the start of each block, and the start
    /// of the one after it.
    pub(super) fn blocks_from(
        &self,
        offset: u64,
    ) -> impl Iterator<Item = (BlockStart, Option<BlockStart>)> + use<'_> {
        let first = self.blocks.partition_point(|block| block.offset < offset);
        (first..self.blocks.len())
            .filter_map(|block| Some((self.place(block)?, self.place(block.saturating_add(1)))))
    }

    /// Returns the memory that the blocks and the incomplete last line take, in bytes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.blocks
            .capacity()
            .saturating_mul(size_of::<Block>())
            .saturating_add(self.carry.capacity())
    }

    const fn has_carry(&self) -> bool {
        !self.carry.is_empty()
    }

    const fn tail_offset(&self) -> u64 {
        self.counts
            .totals
            .bytes
            .saturating_sub(self.carry.len() as u64)
            .saturating_sub(self.carry_cut)
    }

    /// Counts full records in the usual form, each of which is a row, at the start of `bytes`.
    /// Stops at the next block and at any other kind of line. Returns the remaining bytes.
    fn feed_usual<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let counts = &mut self.counts;
        let to_block =
            usize_of(self.next_block.saturating_sub(counts.totals.bytes)).min(bytes.len());
        let is_open = PerStream {
            stdout: counts.starts.is_open(Stream::Stdout),
            stderr: counts.starts.is_open(Stream::Stderr),
        };
        let (mut next, mut last, mut seen) = (0_usize, None, PerStream::<u64>::default());
        // Lines that may be cut, and headers that exceed the line limit, are left to `feed_line`.
        let longest = usize_of(self.limits.line_reach);
        while next < to_block && counts.format == Format::Cri {
            let line = bytes.get(next..).unwrap_or_default();
            let Some(scanned) = self.scanner.scan(line) else { break };
            let content = line.get(scanned.content_at..).unwrap_or_default();
            let Some(lf) = memchr(b'\n', content) else { break };
            let len = scanned.content_at.saturating_add(lf);
            let is_row = scanned.tag == Tag::Full && !is_open.get(scanned.stream);
            if !is_row || len >= longest || scanned.content_at > self.limits.line {
                break;
            }
            add(seen.get_mut(scanned.stream), 1);
            last = Some(line.get(..len).unwrap_or_default());
            next = next.saturating_add(len).saturating_add(1);
        }
        add(&mut counts.totals.stdout, seen.stdout);
        add(&mut counts.totals.stderr, seen.stderr);
        add(&mut counts.totals.rows, seen.stdout);
        add(&mut counts.totals.rows, seen.stderr);
        add(&mut counts.stderr_rows, seen.stderr);
        add(&mut counts.totals.bytes, next as u64);
        if let Some(record) = last.and_then(|line| cri::parse(line).ok()) {
            counts.last_us = record.at.floor_micros();
        }
        bytes.get(next..).unwrap_or_default()
    }

    /// Counts the first line of `bytes`, or keeps it in `carry` if it is incomplete. Returns the
    /// remaining bytes.
    fn feed_line<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let offset = self.tail_offset();
        let cut = cut_of(offset, self.is_rest, &self.limits);
        let to_cut = usize_of(cut.saturating_sub(self.counts.totals.bytes));
        let (within, _) = bytes.split_at(bytes.len().min(to_cut));
        let lf = memchr(b'\n', within);
        let end = lf.unwrap_or(within.len());
        let (line, behind) = bytes.split_at(end);
        if lf.is_none() && end < to_cut {
            self.keep(line);
        } else if self.has_carry() {
            self.keep(line);
            let (mut whole, cut_bytes) =
                (std::mem::take(&mut self.carry), std::mem::take(&mut self.carry_cut));
            self.counts.totals.bytes = offset;
            self.line(&whole, cut_bytes, lf.is_some());
            whole.clear();
            self.carry = whole;
        } else {
            let (held, cut) = line.split_at(end.min(self.limits.line));
            self.line(held, cut.len() as u64, lf.is_some());
        }
        behind.get(usize::from(lf.is_some())..).unwrap_or_default()
    }

    /// Adds bytes of an incomplete line to `carry`.
    fn keep(&mut self, bytes: &[u8]) {
        let room = self.limits.line.saturating_sub(self.carry.len());
        let (held, cut) = bytes.split_at(bytes.len().min(room));
        self.carry.extend_from_slice(held);
        add(&mut self.carry_cut, cut.len() as u64);
        add(&mut self.counts.totals.bytes, bytes.len() as u64);
    }

    /// Counts a line, or the piece of one before a cut; `cut_bytes` is the number of its bytes that
    /// are not in `bytes`.
    fn line(&mut self, bytes: &[u8], cut_bytes: u64, terminated: bool) {
        let offset = self.counts.totals.bytes;
        let piece = Piece { bytes, cut_bytes, is_rest: self.is_rest };
        let before = (offset >= self.next_block).then_some(self.counts);
        let counted = self.counts.line(offset, &piece);
        let len =
            (bytes.len() as u64).saturating_add(cut_bytes).saturating_add(u64::from(terminated));
        add(&mut self.counts.totals.bytes, len);
        self.is_rest = !terminated;
        if let Some((stream, start)) = counted.no_row {
            self.take_back(stream, start);
        }
        if let Some(before) = before.filter(|_| counted.begins_row) {
            self.push(offset, &before, counted.no_row);
        }
    }

    /// Subtracts the entry that begins at `start` from later blocks: it is not a row after all.
    fn take_back(&mut self, stream: Stream, start: u64) {
        for block in self.blocks.iter_mut().rev().take_while(|block| block.offset > start) {
            block.row = block.row.saturating_sub(1);
            block.stderr_rows =
                block.stderr_rows.saturating_sub(u64::from(stream == Stream::Stderr));
        }
    }

    fn push(&mut self, offset: u64, before: &Counts, no_row: Option<(Stream, u64)>) {
        let stderr = no_row.is_some_and(|(stream, _)| stream == Stream::Stderr);
        if self.blocks.len() == self.blocks.capacity() {
            // Doubling could take up to twice the memory that the module docs promise.
            self.blocks.reserve_exact((self.blocks.len() / 8).max(64));
        }
        self.blocks.push(Block {
            offset,
            row: before.totals.rows.saturating_sub(u64::from(no_row.is_some())),
            stderr_rows: before.stderr_rows.saturating_sub(u64::from(stderr)),
            before_us: before.last_us,
            reached_us: before
                .last_us
                .max(self.blocks.last().map_or(NO_TIME, |block| block.reached_us)),
        });
        self.next_block = multiple_from(offset.saturating_add(1), self.block_bytes);
    }

    /// Returns the start of the last of the first `blocks` blocks. If no line has been completed,
    /// there is no block yet; the row of the incomplete line is at the start of the file.
    fn place_before(&self, blocks: usize) -> Option<BlockStart> {
        match blocks.checked_sub(1) {
            Some(last) => self.place(last),
            None => (self.blocks.is_empty() && self.has_carry()).then(BlockStart::default),
        }
    }

    fn place(&self, block: usize) -> Option<BlockStart> {
        self.blocks.get(block).map(|block| self.shown(block))
    }

    /// Returns the start of a block. Its counts exclude open entries that have no bytes so far.
    fn shown(&self, block: &Block) -> BlockStart {
        let behind =
            |empty: Option<u64>| u64::from(empty.is_some_and(|start| start < block.offset));
        let PerStream { stdout, stderr } = self.counts.empty;
        let (stdout, stderr) = (behind(stdout), behind(stderr));
        BlockStart {
            offset: block.offset,
            row: block.row.saturating_sub(stdout).saturating_sub(stderr),
            stderr_rows: block.stderr_rows.saturating_sub(stderr),
            before_us: Some(block.before_us).filter(|at| *at != NO_TIME),
        }
    }
}

const fn add(count: &mut u64, more: u64) {
    *count = count.saturating_add(more);
}

impl Counts {
    /// Counts a line, but not its bytes.
    fn line(&mut self, offset: u64, piece: &Piece<'_>) -> Counted {
        let parsed =
            if piece.is_rest { Err(self.format.rest()) } else { self.format.parse(piece.bytes) };
        let record = match parsed {
            Ok(record) => record,
            Err(malformed) => {
                add(&mut self.totals.malformed, u64::from(malformed.is_some()));
                add(&mut self.totals.rows, 1);
                return Counted { begins_row: true, no_row: None };
            }
        };
        match record.stream {
            Stream::Stdout => add(&mut self.totals.stdout, 1),
            Stream::Stderr => add(&mut self.totals.stderr, 1),
        }
        self.last_us = record.at.floor_micros();
        let begins_row = self.starts.record(offset, record.stream, record.tag);
        let no_row = self
            .note_empty(offset, &record, begins_row, piece.cut_bytes)
            .map(|start| (record.stream, start));
        if begins_row {
            add(&mut self.totals.rows, 1);
            add(&mut self.stderr_rows, u64::from(record.stream == Stream::Stderr));
        }
        if let Some((stream, _)) = no_row {
            self.totals.rows = self.totals.rows.saturating_sub(1);
            self.stderr_rows = self.stderr_rows.saturating_sub(u64::from(stream == Stream::Stderr));
        }
        Counted { begins_row, no_row }
    }

    /// Tracks an open entry without bytes. Returns the start of an earlier entry that has just
    /// turned out not to be a row.
    fn note_empty(
        &mut self,
        offset: u64,
        record: &Record<'_>,
        begins_row: bool,
        cut_bytes: u64,
    ) -> Option<u64> {
        let empty = self.empty.get_mut(record.stream);
        let still_empty = record.tag == Tag::Partial && record.content.is_empty() && cut_bytes == 0;
        let before = *empty;
        *empty = match (begins_row, still_empty) {
            (true, true) => Some(offset),
            (false, true) => before,
            (_, false) => None,
        };
        before.filter(|_| begins_row)
    }
}
