//! The sparse index: row numbers, totals and times of a log, from its bytes fed in order. Pure; knows no file.
//!
//! One block per 64 KiB of log, 40 bytes each: about 6 MiB for 10 GiB. It only *adds* what a window cannot know: which number a row
//! has, where a row number or a time lies (to within one block, the rest is a short read), what the whole log holds.
//!
//! An entry that is open and holds no byte so far is no row yet, but may become one; it is counted when it opens, left out
//! of every answer while it is empty, and taken back from the blocks behind it when it is certain that it stays empty.

use memchr::memchr;

use super::lines::{MAX_LINE_BYTES, WINDOW_REACH};
use super::start::Starts;
use super::{Format, Tail};
use crate::cri::{Record, Stream, Tag};
use crate::time::Time;

/// How many bytes of the log one block stands for.
const BLOCK_BYTES: u64 = 64 << 10;

/// What a log holds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Totals {
    /// Rows: joined entries, and lines that are no records.
    pub rows: u64,
    /// Physical records of standard output.
    pub stdout: u64,
    /// Physical records of standard error.
    pub stderr: u64,
    /// Lines that should be records and are none.
    pub malformed: u64,
    /// Bytes, an unterminated tail included whether it is counted as a line or not.
    pub bytes: u64,
}

/// Where a block begins: a row start and what stands before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Where a row begins, in bytes from the start of the file.
    pub offset: u64,
    /// How many rows begin before it: its number, from 0.
    pub row: u64,
    /// How many rows of standard error begin before it.
    pub stderr_rows: u64,
    /// The latest time of any record before it; times in a log may step back. `None` when there is no record before it.
    pub latest: Option<Time>,
}

/// A [`Place`] in 40 bytes, its rows counted with entries that may turn out to be none.
#[derive(Clone, Copy)]
struct Block {
    offset: u64,
    row: u64,
    stderr_rows: u64,
    latest_secs: i64,
    latest_nanos: u32,
    has_latest: bool,
}

/// The index of a log.
#[derive(Clone)]
pub struct Index {
    blocks: Vec<Block>,
    block_bytes: u64,
    /// The first offset of which no block stands yet.
    next_block: u64,
    /// The bytes of a line cut off by the end of what was fed, at most [`Index::line_bytes`], and how many more it has.
    carry: Vec<u8>,
    carry_cut: u64,
    /// What is held of a line; the same as the readers of rows hold, so that both agree on what is a record.
    line_bytes: usize,
    counts: Counts,
}

/// What was counted so far.
#[derive(Clone, Copy)]
struct Counts {
    format: Format,
    totals: Totals,
    stderr_rows: u64,
    latest: Option<Time>,
    starts: Starts,
    /// Per stream: where its open entry begins, if that holds no byte yet.
    empty: [Option<u64>; 2],
}

/// What a line means for the blocks.
#[derive(Default)]
struct Counted {
    begins_row: bool,
    /// An entry before that turned out to be no row: its stream and where it begins.
    no_row: Option<(Stream, u64)>,
}

impl Index {
    /// The index of a log of this format, empty so far; its row numbers agree with the rows of windows.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self::with(format, WINDOW_REACH, MAX_LINE_BYTES, BLOCK_BYTES)
    }

    /// For [`Totals`] that agree with reading the whole log.
    pub(super) fn unbounded(format: Format) -> Self {
        Self::with(format, Starts::UNBOUNDED, MAX_LINE_BYTES, BLOCK_BYTES)
    }

    pub(super) fn with(format: Format, reach: u64, line_bytes: usize, block_bytes: u64) -> Self {
        let counts = Counts {
            format,
            totals: Totals::default(),
            stderr_rows: 0,
            latest: None,
            starts: Starts::new(reach),
            empty: [None; 2],
        };
        Self { blocks: Vec::new(), block_bytes, next_block: 0, carry: Vec::new(), carry_cut: 0, line_bytes, counts }
    }

    /// Takes the log's next bytes, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if !self.carry.is_empty() || self.carry_cut > 0 {
            rest = self.feed_carry(bytes);
        }
        while let Some(lf) = memchr(b'\n', rest) {
            let (line, behind) = rest.split_at(lf);
            self.line(line, 0);
            rest = behind.get(1..).unwrap_or_default();
        }
        self.keep(rest);
    }

    /// How much was fed: the offset at which to go on.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.counts.totals.bytes
    }

    /// What the log held so far; an unterminated last line is counted as `tail` says.
    #[must_use]
    pub fn totals(&self, tail: Tail) -> Totals {
        let mut counts = self.counts;
        if tail == Tail::Emit && self.has_carry() {
            counts.line(self.tail_offset(), &self.carry, self.carry_cut);
        }
        let empty = counts.empty.iter().flatten().count() as u64;
        Totals { rows: counts.totals.rows - empty, ..counts.totals }
    }

    /// The last known row start at or before an offset.
    #[must_use]
    pub fn place_of_offset(&self, offset: u64) -> Option<Place> {
        let after = self.blocks.partition_point(|block| block.offset <= offset);
        self.place(after.checked_sub(1)?)
    }

    /// The last known row start whose number is at most `row`; that row begins less than a block and a row behind it.
    #[must_use]
    pub fn place_of_row(&self, row: u64) -> Option<Place> {
        let after = self.blocks.partition_point(|block| self.shown(block).row <= row);
        self.place(after.checked_sub(1)?)
    }

    /// The last known row start before which every record is earlier than `time`: the first record that is not lies
    /// behind it, less than a block and a row away, if there is one.
    #[must_use]
    pub fn place_of_time(&self, time: Time) -> Option<Place> {
        let after = self.blocks.partition_point(|block| block.latest().is_none_or(|latest| latest < time));
        self.place(after.checked_sub(1)?)
    }

    /// The memory that the blocks take, in bytes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<Block>() + self.carry.capacity()
    }

    const fn has_carry(&self) -> bool {
        !self.carry.is_empty()
    }

    const fn tail_offset(&self) -> u64 {
        self.counts.totals.bytes - self.carry.len() as u64 - self.carry_cut
    }

    /// Completes the line in `carry`, if its LF has come: what is left of the bytes.
    fn feed_carry<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Some(lf) = memchr(b'\n', bytes) else {
            self.keep(bytes);
            return &[];
        };
        let (line, behind) = bytes.split_at(lf);
        self.keep(line);
        let (mut whole, cut) = (std::mem::take(&mut self.carry), std::mem::take(&mut self.carry_cut));
        self.counts.totals.bytes -= whole.len() as u64 + cut;
        self.line(&whole, cut);
        whole.clear();
        self.carry = whole;
        behind.get(1..).unwrap_or_default()
    }

    /// Keeps the bytes of a line whose LF has not come.
    fn keep(&mut self, bytes: &[u8]) {
        let room = self.line_bytes.saturating_sub(self.carry.len());
        let (held, cut) = bytes.split_at(bytes.len().min(room));
        self.carry.extend_from_slice(held);
        self.carry_cut += cut.len() as u64;
        self.counts.totals.bytes += bytes.len() as u64;
    }

    /// Takes a line; `cut_bytes` of it are not in `line`.
    fn line(&mut self, line: &[u8], cut_bytes: u64) {
        let offset = self.counts.totals.bytes;
        let (held, cut) = line.split_at(line.len().min(self.line_bytes));
        let before = (offset >= self.next_block).then_some(self.counts);
        let counted = self.counts.line(offset, held, cut_bytes + cut.len() as u64);
        self.counts.totals.bytes += line.len() as u64 + cut_bytes + 1;
        if let Some((stream, start)) = counted.no_row {
            self.take_back(stream, start);
        }
        if let Some(before) = before.filter(|_| counted.begins_row) {
            self.push(offset, &before, counted.no_row);
        }
    }

    /// The entry that begins at `start` is no row after all.
    fn take_back(&mut self, stream: Stream, start: u64) {
        for block in self.blocks.iter_mut().rev().take_while(|block| block.offset > start) {
            block.row -= 1;
            block.stderr_rows -= u64::from(stream == Stream::Stderr);
        }
    }

    fn push(&mut self, offset: u64, before: &Counts, no_row: Option<(Stream, u64)>) {
        let stderr = no_row.is_some_and(|(stream, _)| stream == Stream::Stderr);
        if self.blocks.len() == self.blocks.capacity() {
            // Doubling would hold up to twice the memory that this index promises.
            self.blocks.reserve_exact((self.blocks.len() / 8).max(64));
        }
        self.blocks.push(Block {
            offset,
            row: before.totals.rows - u64::from(no_row.is_some()),
            stderr_rows: before.stderr_rows - u64::from(stderr),
            latest_secs: before.latest.map_or(0, Time::unix_secs),
            latest_nanos: before.latest.map_or(0, Time::subsec_nanos),
            has_latest: before.latest.is_some(),
        });
        self.next_block = (offset / self.block_bytes + 1) * self.block_bytes;
    }

    fn place(&self, block: usize) -> Option<Place> {
        self.blocks.get(block).map(|block| self.shown(block))
    }

    /// A block without the entries before it that are no rows so far.
    fn shown(&self, block: &Block) -> Place {
        let behind = |stream: Stream| self.counts.empty[stream.index()].is_some_and(|start| start < block.offset);
        let (stdout, stderr) = (u64::from(behind(Stream::Stdout)), u64::from(behind(Stream::Stderr)));
        Place {
            offset: block.offset,
            row: block.row - stdout - stderr,
            stderr_rows: block.stderr_rows - stderr,
            latest: block.latest(),
        }
    }
}

impl Block {
    fn latest(&self) -> Option<Time> {
        self.has_latest.then(|| Time::from_unix(self.latest_secs, self.latest_nanos))
    }
}

impl Counts {
    /// Counts a line, but not its bytes.
    fn line(&mut self, offset: u64, line: &[u8], cut_bytes: u64) -> Counted {
        let record = match self.format.parse(line) {
            Ok(record) => record,
            Err(malformed) => {
                self.totals.malformed += u64::from(malformed.is_some());
                self.totals.rows += 1;
                return Counted { begins_row: true, no_row: None };
            }
        };
        *match record.stream {
            Stream::Stdout => &mut self.totals.stdout,
            Stream::Stderr => &mut self.totals.stderr,
        } += 1;
        self.latest = self.latest.max(Some(record.at));
        let begins_row = self.starts.record(offset, record.stream, record.tag);
        let no_row = self.note_empty(offset, &record, begins_row, cut_bytes).map(|start| (record.stream, start));
        if begins_row {
            self.totals.rows += 1;
            self.stderr_rows += u64::from(record.stream == Stream::Stderr);
        }
        if let Some((stream, _)) = no_row {
            self.totals.rows -= 1;
            self.stderr_rows -= u64::from(stream == Stream::Stderr);
        }
        Counted { begins_row, no_row }
    }

    /// Keeps track of an open entry without bytes: where one began that has just turned out to be no row.
    fn note_empty(&mut self, offset: u64, record: &Record<'_>, begins_row: bool, cut_bytes: u64) -> Option<u64> {
        let empty = &mut self.empty[record.stream.index()];
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
