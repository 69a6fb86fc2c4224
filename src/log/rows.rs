//! Streaming reader of rows in the order of their first records.
//!
//! One cursor walks over the lines. When a row begins with a `P`, a second cursor reads ahead from
//! there and gathers its pieces; the walking cursor later skips them. So memory is one row and two
//! buffers, regardless of the file.
//!
//! Reading a whole file takes linear time. Reading ahead for a row ends with its closing `F`, or at
//! the first line out of its reach. The next row of the stream begins after that `F`, or out of
//! reach as well. So the ranges read ahead for a stream do not overlap, and each line is read at
//! most three times: once by the walking cursor, and once ahead for each stream. The second cursor
//! also keeps its buffer between rows, so many short rows cost one read.

use std::{io, mem};

use memchr::memrchr;

use super::lines::{Line, Lines, View, WINDOW_REACH};
use super::start::Starts;
use super::{Format, Piece, Row, Tail};
use crate::cri::{Malformed, PerStream, Record, Stream, Tag};
use crate::time::Time;

/// An iterator over rows in order. Its results after an error are meaningless. Its errors do not
/// contain the path; the caller has it ([`super::LogFile::path`]).
pub struct Rows<'f> {
    walk: Lines<'f>,
    ahead: Lines<'f>,
    format: Format,
    starts: Starts,
    cap: Cap,
    tail: Tail,
    /// The state before the last line that the walking cursor passed. If a row was just returned,
    /// this is its first line.
    before: Checkpoint,
    /// The offset after that line.
    after: u64,
    /// The state before the first row that appended bytes may still change.
    open: Option<Checkpoint>,
}

/// The state of a row reader before some line. Another reader can continue from there.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoint {
    /// The offset of that line.
    pub offset: u64,
    pub(super) starts: Starts,
}

impl Checkpoint {
    /// The checkpoint before the first line of a file.
    pub(crate) const START: Self = Self { offset: 0, starts: Starts::new(WINDOW_REACH) };

    /// Creates a checkpoint before the line at `offset`. It is valid only if earlier records do not
    /// affect later rows ([`Self::is_settled`]).
    pub(crate) const fn settled_at(offset: u64) -> Self {
        Self { offset, ..Self::START }
    }

    /// Returns true if no entry is open, so that earlier records do not affect later rows.
    pub(crate) fn is_settled(&self) -> bool {
        !self.starts.is_open_at(self.offset)
    }
}

impl<'f> Rows<'f> {
    pub(super) fn new(
        view: View<'f>,
        from: u64,
        starts: Starts,
        cap_bytes: usize,
        tail: Tail,
    ) -> Self {
        Self {
            walk: view.lines(from),
            ahead: view.lines(from),
            format: view.format,
            starts,
            cap: Cap { bytes: cap_bytes, keeps_last: false },
            tail,
            before: Checkpoint { offset: from, starts },
            after: from,
            open: None,
        }
    }

    /// Returns the checkpoint before the last line that the walking cursor passed. If a row was
    /// just returned, this is its first line. After the last row, it may be a line that begins no
    /// row.
    pub(crate) const fn before(&self) -> Checkpoint {
        self.before
    }

    /// Returns the checkpoint after the line of [`Self::before`]. The next row begins there or
    /// later.
    pub(crate) const fn after(&self) -> Checkpoint {
        Checkpoint { offset: self.after, starts: self.starts }
    }

    /// Returns the checkpoint before the first row that appended bytes may still change, among the
    /// rows that were returned, skipped as empty, or held back ([`Tail::Hold`]). Returns `None` if
    /// there is no such row.
    pub(crate) const fn open(&self) -> Option<Checkpoint> {
        self.open
    }

    /// Sets the maximum number of bytes of text for the following rows.
    pub(super) fn set_cap(&mut self, cap_bytes: usize) {
        self.cap.bytes = cap_bytes;
    }

    /// Changes which part of a row is kept: a row that exceeds the cap and has overwritten itself
    /// with CRs keeps its last state, as a terminal would show it, instead of its first bytes.
    #[must_use]
    pub fn keeping_last(mut self) -> Self {
        self.cap.keeps_last = true;
        self
    }

    /// Reads the next row into `row`, whose buffers are used again. Returns false at the end.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn read(&mut self, row: &mut Row) -> io::Result<bool> {
        while let Some(line) = self.walk.next()? {
            let before = Checkpoint { offset: line.offset, starts: self.starts };
            if !line.terminated && !line.has_rest {
                self.open = self.open.or(Some(before));
            }
            if self.tail.holds(&line) {
                break;
            }
            (self.before, self.after) = (before, line.end);
            let record = match self.format.parse_line(&line) {
                Ok(record) => record,
                Err(malformed) => {
                    begin_line(row, &line, malformed, self.cap);
                    return Ok(true);
                }
            };
            if !self.starts.record(line.offset, record.stream, record.tag) {
                continue;
            }
            begin_row(row, &line, &record, self.cap);
            let (stream, tag, end) = (record.stream, record.tag, line.end);
            if tag == Tag::Partial {
                let is_ended = self.gather(row, stream, end)?;
                self.open = self.open.or((!is_ended).then_some(before));
            }
            if row.complete || !row.text.is_empty() || row.cut_bytes > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds the other pieces of a row, which are at or after `from`: up to the closing `F`, the
    /// reach, or the end of the file. Returns false if the row extends to the end of the file, so
    /// that appended bytes may change it.
    fn gather(&mut self, row: &mut Row, stream: Stream, from: u64) -> io::Result<bool> {
        let mut starts = self.starts;
        self.ahead.seek(from);
        while let Some(line) = self.ahead.next()? {
            if !starts.reaches(line.offset, stream) {
                return Ok(true);
            }
            if self.tail.holds(&line) {
                return Ok(false);
            }
            let Ok(record) = self.format.parse_line(&line) else { continue };
            if record.stream != stream {
                continue;
            }
            starts.record(line.offset, stream, record.tag);
            self.cap.append(row, record.content, line.cut_bytes, Some(record.at));
            row.last_at = Some(record.at);
            if record.tag == Tag::Full {
                row.complete = !line.has_rest;
                return Ok(line.terminated || line.has_rest);
            }
        }
        Ok(false)
    }
}

impl Iterator for Rows<'_> {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut row = Row::default();
        self.read(&mut row).map(|is_read| is_read.then_some(row)).transpose()
    }
}

impl Tail {
    /// Returns true if the line is an unterminated last line that is to be held back.
    #[must_use]
    pub fn holds(self, line: &Line<'_>) -> bool {
        self == Self::Hold && !line.terminated && !line.has_rest
    }
}

/// Makes `row` the row that begins with a record.
pub(super) fn begin_row(row: &mut Row, line: &Line<'_>, record: &Record<'_>, cap: Cap) {
    begin(
        row,
        Row {
            offset: line.offset,
            at: Some(record.at),
            last_at: Some(record.at),
            stream: Some(record.stream),
            complete: record.tag == Tag::Full && !line.has_rest,
            ..Row::default()
        },
    );
    cap.append(row, record.content, line.cut_bytes, None);
}

/// Makes `row` the row of a line that is not a record.
pub(super) fn begin_line(row: &mut Row, line: &Line<'_>, malformed: Option<Malformed>, cap: Cap) {
    begin(row, Row { offset: line.offset, complete: line.terminated, malformed, ..Row::default() });
    cap.append(row, line.bytes, line.cut_bytes, None);
}

/// Replaces a row with one without text, and keeps the buffer of the text.
fn begin(row: &mut Row, new: Row) {
    *row = Row { text: mem::take(row).emptied().text, ..new };
}

impl Row {
    /// The maximum number of bytes of a buffer that is used again.
    const MAX_REUSED_BYTES: usize = 16 << 10;

    /// Returns an empty row with the buffer of this one, if it is small enough to be kept.
    pub(crate) fn emptied(mut self) -> Self {
        if self.text.capacity() > Self::MAX_REUSED_BYTES {
            return Self::default();
        }
        self.text.clear();
        Self { text: self.text, ..Self::default() }
    }
}

/// The maximum number of pieces of a row whose times are kept: each piece may be a single byte.
const MAX_PIECES: usize = 4096;

/// The limit on the text of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cap {
    pub bytes: usize,
    /// See [`Rows::keeping_last`].
    pub keeps_last: bool,
}

impl Cap {
    /// Adds a piece. `at` is its time, or `None` for the first piece of a row. The text of a row
    /// has no gap: once some bytes are omitted, all later bytes are omitted too, unless the text
    /// starts over at a later CR (`keeps_last`).
    pub fn append(self, row: &mut Row, bytes: &[u8], cut_bytes: u64, at: Option<Time>) {
        let is_over = row.cut_bytes > 0 || row.text.len().saturating_add(bytes.len()) > self.bytes;
        let bytes = if is_over && self.keeps_last { from_last_state(row, bytes) } else { bytes };
        let room = if row.cut_bytes > 0 { 0 } else { self.bytes.saturating_sub(row.text.len()) };
        if let Some(at) =
            at.filter(|_| room > 0 && !bytes.is_empty() && row.pieces.len() < MAX_PIECES)
        {
            row.pieces.push(Piece { start: row.text.len(), at });
        }
        let (held, cut) = bytes.split_at(bytes.len().min(room));
        row.text.extend_from_slice(held);
        row.cut_bytes = row.cut_bytes.saturating_add(cut.len() as u64).saturating_add(cut_bytes);
    }
}

/// Drops the text that a later state of the row overwrites, if such a state begins in these bytes.
/// Returns the bytes from the start of that state, or all bytes if there is no such state.
fn from_last_state<'b>(row: &mut Row, bytes: &'b [u8]) -> &'b [u8] {
    // A CR with nothing after it overwrites nothing yet.
    let end =
        bytes.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last.saturating_add(1));
    let visible = bytes.get(..end).unwrap_or_default();
    let start = match memrchr(b'\r', visible) {
        Some(cr) => cr,
        None if row.cut_bytes == 0 && row.text.ends_with(b"\r") && !visible.is_empty() => 0,
        None => return bytes,
    };
    let dropped =
        (row.text.len() as u64).saturating_add(row.cut_bytes).saturating_add(start as u64);
    row.overwritten_bytes = row.overwritten_bytes.saturating_add(dropped);
    row.text.clear();
    row.pieces.clear();
    row.cut_bytes = 0;
    bytes.get(start..).unwrap_or_default()
}

impl View<'_> {
    /// Returns the state before the line that begins at `at`, from a bounded look-back. A short
    /// look-back suffices if it contains the end of an entry of each stream.
    pub(super) fn starts_at(self, at: u64) -> io::Result<Starts> {
        if self.format == Format::Plain {
            return Ok(Starts::new(self.limits.reach));
        }
        let short = at.saturating_sub(self.limits.buffer as u64 / 4);
        let enough = at.saturating_sub(Starts::LOOK_BACK.saturating_mul(self.limits.reach.get()));
        match self.look_back(short.max(enough), at)? {
            (starts, PerStream { stdout: true, stderr: true }) => Ok(starts),
            _ => Ok(self.look_back(enough, at)?.0),
        }
    }

    /// Returns the state at `at`, computed from the records after `from`, and true for each stream
    /// that has an `F` among them.
    fn look_back(self, from: u64, at: u64) -> io::Result<(Starts, PerStream<bool>)> {
        let (mut starts, mut settled) = (Starts::new(self.limits.reach), PerStream::default());
        let view = Self { end: at, ..self };
        let mut lines = view.lines(view.next_line_start(from)?);
        while let Some(line) = lines.next()? {
            if let Ok(record) = self.format.parse_line(&line) {
                starts.record(line.offset, record.stream, record.tag);
                *settled.get_mut(record.stream) |= record.tag == Tag::Full;
            }
        }
        Ok((starts, settled))
    }
}
