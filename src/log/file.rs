//! An open log: its location, the detection of changes, and its readers.
//!
//! All reads are safe while another process appends to the file, truncates it or replaces it. They
//! are positional, and each one covers the file up to the size that it had when the read began. A
//! [`LogFile`] keeps its descriptor, so it can be read after its name is gone. Only
//! [`LogFile::extend`] switches to another file. A log in a bundle never changes.
//!
//! A byte offset is valid for one *generation*: the same file, only appended to, and read in the
//! same [`Format`].

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::format::{DETECTION_BYTES, Format};
use super::index::Index;
use super::lines::{Limits, Lines, View, usize_of};
use super::location::LogPath;
use super::packed::Packed;
use super::rotation::{FileState, Follower, Marks, Name, is_missing};
use super::rows::{Checkpoint, Rows};
use super::seekable::{BATCH_BYTES, SeekableWriter};
use super::shortened::{Continuation, continuation};
use super::source::Source;
use super::stored::Beside;
use super::{Anchor, Gap, Tail, Window};
use crate::error::{Error, Result};
use crate::time::Time;

/// The read size for a few rows.
const FEW_ROWS_BUFFER: usize = 16 << 10;

/// The number of bytes that are searched for the first record.
const TIME_BYTES: u64 = 64 << 10;

/// An open log.
#[derive(Debug)]
pub struct LogFile {
    path: LogPath,
    source: Box<dyn Source>,
    /// The state of the name of a file; `None` for a log in a bundle.
    follower: Option<Follower>,
    /// The marks at the time of the last check.
    marks: Marks,
    /// The size at that time.
    bytes: u64,
    format: Format,
    generation: u64,
}

/// A change of a log since it was last checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing.
    Same,
    /// Bytes were appended.
    Grown {
        /// The size before.
        from: u64,
        /// The size now.
        to: u64,
    },
    /// The file was truncated, or truncated and rewritten: a new generation of the same file.
    Truncated,
    /// Bytes were appended, and they show that the file has another [`Format`]: a new generation of
    /// the same file.
    Reformatted,
    /// Another file has taken the name and is open now: a new generation. Before that, the old file
    /// was read to its end, or kept growing for too long.
    Replaced,
    /// The same as [`Self::Replaced`], but the file is the same log: its recorder has removed its
    /// middle because of its size limit.
    Shortened {
        /// The offset after the end of the old file, or of the removed middle if it contains that
        /// end.
        at: u64,
        /// True if records were removed that were not in the old file.
        has_gap: bool,
    },
    /// No file has the name. The open file can still be read.
    Gone,
}

impl Change {
    /// Returns true if neither the open file nor its content has changed.
    #[must_use]
    pub const fn is_same(&self) -> bool {
        matches!(self, Self::Same | Self::Gone)
    }

    /// Returns true if rows that were read before may be different now.
    #[must_use]
    pub const fn is_replaced(&self) -> bool {
        matches!(
            self,
            Self::Truncated | Self::Reformatted | Self::Replaced | Self::Shortened { .. }
        )
    }
}

impl LogFile {
    /// Opens a log for reading. Never blocks, regardless of the type of the file.
    ///
    /// # Errors
    /// Fails if the file cannot be opened, is not a regular file, or is outside of the directory
    /// that the path must not leave, or if a bundle does not contain such a log (any more).
    /// [`Self::extend`] fails for the same reasons when it opens another file.
    pub fn open(path: &LogPath) -> Result<Self> {
        Self::open_io(path).map_err(Error::io("read", &**path))
    }

    fn open_io(path: &LogPath) -> io::Result<Self> {
        let (source, follower): (Box<dyn Source>, _) = match path {
            LogPath::File(path) => {
                let file = path.open()?;
                let follower = Follower::of(&file)?;
                (Box::new(file), Some(follower))
            }
            LogPath::Packed(packed) => (Box::new(Packed::open(packed)?), None),
            LogPath::Spooled(spool) => (Box::new(spool.clone()), None),
            #[cfg(feature = "remote")]
            LogPath::Pieces(log) => (Box::new(log.open()), None),
        };
        let (path, marks, format) = (path.clone(), Marks::default(), Format::Cri);
        let mut log = Self { path, source, follower, marks, bytes: 0, format, generation: 0 };
        log.record_state()?;
        Ok(log)
    }

    /// Returns the path by which the log was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the directories to watch for changes of the log.
    #[must_use]
    pub fn dirs(&self) -> Vec<PathBuf> {
        self.path.dirs()
    }

    /// Returns true if the log is read from a server, so that each read may take long.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        self.path.is_remote()
    }

    /// Returns the reason why the log ends early, as [`LogPath::failure`] does.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        self.path.failure()
    }

    /// Returns true if the log was opened by this path and is bound to the same directory.
    #[must_use]
    pub fn is_at(&self, path: &LogPath) -> bool {
        self.path == *path
    }

    /// Returns the size of the log when it was opened or last [extended](Self::extend).
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the format of the lines, detected from the name and the content when the log was
    /// opened or last [extended](Self::extend).
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Returns a number that increases when offsets become invalid: after a truncation or a
    /// replacement, or when the format changes.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the relation of the open file to its name when it was opened or last
    /// [extended](Self::extend).
    #[must_use]
    pub fn file_state(&self) -> FileState {
        self.follower.as_ref().map(Follower::file_state).unwrap_or_default()
    }

    /// Sets whether this file is kept after another one has taken its name. By default, and after a
    /// switch to another file, it is not kept.
    pub const fn stay(&mut self, stays: bool) {
        if let Some(follower) = &mut self.follower {
            follower.stay(stays);
        }
    }

    /// Returns true if the next [`Self::extend`] opens another file once this one has been read to
    /// its end.
    #[must_use]
    pub fn awaits_switch(&self) -> bool {
        self.follower.as_ref().is_some_and(Follower::awaits_switch)
    }

    /// Checks the file and its path for changes.
    ///
    /// Each call reports one change. Growth of the open file is reported before a replacement under
    /// its name: the old file is read to its end first, and bytes that are appended to it later are
    /// counted (see [`FileState`]). A rewrite between two calls is not detected if the file is not
    /// shorter than before and has the same 64 bytes at its start and before its old end.
    ///
    /// # Errors
    /// Fails if the file or its directory cannot be read, or if [`Self::open`] fails for the file
    /// that replaces it.
    pub fn extend(&mut self) -> Result<Change> {
        self.extend_io().map_err(Error::io("read", &*self.path))
    }

    fn extend_io(&mut self) -> io::Result<Change> {
        let Some(follower) = &mut self.follower else {
            // The other sources never change what they contain.
            let to = self.source.size()?;
            return if to > self.bytes { self.grow(to) } else { Ok(Change::Same) };
        };
        // Check the name before the size, so that bytes which a writer appended before it switched
        // to another file are included.
        let name = follower.check(&self.path);
        let is_over = follower.is_over();
        let from = self.bytes;
        let to = self.source.size()?;
        if to < from || Marks::of(self.view(from))? != self.marks {
            self.record_state()?;
            self.generation = self.generation.saturating_add(1);
            return Ok(Change::Truncated);
        }
        if to > from && !is_over {
            return self.grow(to);
        }
        match name? {
            Name::Missing => Ok(Change::Gone),
            Name::Taken if self.awaits_switch() => self.go_over(),
            Name::Same | Name::Awaited | Name::Taken => Ok(Change::Same),
        }
    }

    fn grow(&mut self, to: u64) -> io::Result<Change> {
        let from = std::mem::replace(&mut self.bytes, to);
        self.marks = self.marks_at(to)?;
        if from < DETECTION_BYTES && self.detect_format()? {
            self.generation = self.generation.saturating_add(1);
            return Ok(Change::Reformatted);
        }
        Ok(Change::Grown { from, to })
    }

    /// Opens the file that has the name now.
    fn go_over(&mut self) -> io::Result<Change> {
        let next = match Self::open_io(&self.path) {
            Err(error) if is_missing(&error) => return Ok(Change::Gone),
            opened => opened?,
        };
        let old = std::mem::replace(self, next);
        self.generation = old.generation.saturating_add(1);
        let found = continuation(old.view(old.bytes), self.view(self.bytes))?;
        if let (Some(follower), Some(before)) = (&mut self.follower, old.follower) {
            follower.succeed(before, old.source, old.bytes);
        }
        Ok(found.map_or(Change::Replaced, |Continuation { at, has_gap }| Change::Shortened {
            at,
            has_gap,
        }))
    }

    /// Returns the rows at an anchor, at most `rows` of them, each with at most
    /// [`super::WINDOW_ROW_BYTES`] of text.
    ///
    /// # Errors
    /// Fails if the file cannot be read, as all readers of this type do.
    pub fn window(&self, anchor: Anchor, rows: usize, tail: Tail) -> Result<Window> {
        self.reading(|view| view.window(anchor, rows, tail))
    }

    /// Returns the offset at which the last `rows` rows begin, or the size of the file if there are
    /// no rows. Reads backward from the end.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn tail_offset(&self, rows: usize, tail: Tail) -> Result<u64> {
        self.reading(|view| View { limits: Limits::STREAM, ..view }.tail_offset(rows, tail))
    }

    /// Returns the offset of the first line that begins at or after `at`, or the size of the file.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn row_start(&self, at: u64) -> Result<u64> {
        self.reading(|view| view.next_line_start(at.min(view.end)))
    }

    /// Returns the rows from the first line that begins at or after `from`, up to the current size
    /// of the file, each with at most `cap_bytes` of text. Pieces are joined at any distance.
    /// Later pieces of a row that began before `from` are omitted if a piece at `from` can still be
    /// joined to that row, with a reach of 16 MiB (see `start`). Otherwise they begin a row.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn rows(&self, from: u64, cap_bytes: usize, tail: Tail) -> Result<Rows<'_>> {
        self.reading(|view| {
            let view = View { limits: Limits::STREAM, ..view };
            let from = view.next_line_start(from.min(view.end))?;
            let starts = view.starts_at(from)?.unbounded_from(from);
            Ok(view.rows(from, starts, cap_bytes, tail))
        })
    }

    /// Returns the checkpoint before the first line that begins at or after an offset. Rows read
    /// from there are the same as those of windows.
    pub(crate) fn checkpoint_at(&self, offset: u64) -> Result<Checkpoint> {
        self.reading(|view| {
            let offset = view.next_line_start(offset.min(view.end))?;
            Ok(Checkpoint { offset, starts: view.starts_at(offset)? })
        })
    }

    /// Returns the rows from the first line that begins at or after `from`, as windows show them:
    /// only the last state of a long row that overwrote itself is kept, and pieces are joined only
    /// within the reach of windows. Each row is therefore a bounded read.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn window_rows(&self, from: u64, cap_bytes: usize, tail: Tail) -> Result<Rows<'_>> {
        self.reading(|view| {
            let from = view.next_line_start(from.min(view.end))?;
            Ok(view.rows(from, view.starts_at(from)?, cap_bytes, tail).keeping_last())
        })
    }

    /// Returns the rows from a checkpoint on, with the same offsets as in windows. Each row has at
    /// most the first `cap_bytes` of its text. Meant for a few rows.
    pub(crate) fn rows_from(
        &self,
        checkpoint: Checkpoint,
        cap_bytes: usize,
        tail: Tail,
    ) -> Result<Rows<'_>> {
        self.reading(|view| {
            let limits = Limits { buffer: FEW_ROWS_BUFFER, ..view.limits };
            Ok(View { limits, ..view }.rows(checkpoint.offset, checkpoint.starts, cap_bytes, tail))
        })
    }

    /// Reads raw bytes of the file until `into` is full or the file ends. Returns the number of
    /// bytes read.
    pub(crate) fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.reading(|view| view.read_full(offset, into))
    }

    /// Returns the current size of the file.
    pub(crate) fn bytes_now(&self) -> Result<u64> {
        self.reading(|view| Ok(view.end))
    }

    /// Returns the physical lines from the first one that begins at or after `from`, up to the
    /// current size of the file.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn lines(&self, from: u64) -> Result<Lines<'_>> {
        self.reading(|view| {
            let view = View { limits: Limits::STREAM, ..view };
            Ok(view.lines(view.next_line_start(from.min(view.end))?))
        })
    }

    /// Copies raw bytes of the file, such as those that a [`Line`](super::Line) omits.
    ///
    /// # Errors
    /// Fails if the file cannot be read or `out` cannot be written.
    pub fn copy(&self, mut range: Range<u64>, out: &mut impl io::Write) -> io::Result<()> {
        let view = self.view(range.end);
        let mut buffer = vec![0; Limits::USUAL.buffer];
        while !range.is_empty() {
            let filled = view.read(range.start, &mut buffer)?;
            out.write_all(buffer.get(..filled).unwrap_or_default())?;
            range.start =
                if filled == 0 { range.end } else { range.start.saturating_add(filled as u64) };
        }
        Ok(())
    }

    /// Writes the whole log, compressed in frames that can be read one by one, and returns its
    /// index.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or with [`Error::Output`] if `out` cannot be written.
    pub fn compress(&self, out: &mut impl io::Write) -> Result<Index> {
        let mut index = Index::new(self.format);
        self.compress_range(0..self.bytes, out, |bytes| index.feed(bytes))?;
        Ok(index)
    }

    /// Writes a range of the log, compressed in frames that can be read one by one. `take` gets the
    /// bytes that were read, which are fewer if the file has become shorter.
    ///
    /// # Errors
    /// As [`Self::compress`].
    pub(crate) fn compress_range(
        &self,
        range: Range<u64>,
        out: &mut impl io::Write,
        mut take: impl FnMut(&[u8]),
    ) -> Result<()> {
        let mut writer = SeekableWriter::new(out).map_err(Error::Output)?;
        self.read_batches(range, |bytes| {
            writer.write(bytes, || take(bytes)).map_err(Error::Output)
        })?;
        writer.finish().map_err(Error::Output)?;
        Ok(())
    }

    /// Reads a range of the log. `take` gets its bytes in order, which are fewer if the file has
    /// become shorter.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or with the error of `take`.
    pub(crate) fn read_batches(
        &self,
        mut range: Range<u64>,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let view = self.view(range.end);
        let bytes = usize_of(range.end.saturating_sub(range.start));
        let mut buffer = vec![0; bytes.clamp(1, BATCH_BYTES)];
        loop {
            let filled = view.read_full(range.start, &mut buffer);
            let filled = filled.map_err(Error::io("read", &*self.path))?;
            if filled == 0 {
                return Ok(());
            }
            take(buffer.get(..filled).unwrap_or_default())?;
            range.start = range.start.saturating_add(filled as u64);
        }
    }

    /// Returns the index to [feed](Self::feed) for this generation and format: the one that is
    /// stored with the log, or else an empty one.
    #[must_use]
    pub fn stored_index(&self) -> Index {
        let stored = self.beside(Beside::Index).and_then(|packed| Index::decode(&packed));
        stored
            .filter(|index| index.format() == self.format && index.bytes() <= self.bytes)
            .unwrap_or_else(|| Index::new(self.format))
    }

    /// Returns facts that are stored beside the log, in their stored form.
    pub(crate) fn beside(&self, kind: Beside) -> Option<Vec<u8>> {
        self.source.beside(kind)
    }

    /// Returns an index of the whole file. Reads all of it.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn index(&self) -> Result<Index> {
        let mut index = Index::unbounded(self.format);
        self.feed(&mut index, u64::MAX)?;
        Ok(index)
    }

    /// Feeds an index of this generation and format with the next bytes of the file, at most
    /// `max_bytes`. Returns the number of bytes fed, 0 at the end.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn feed(&self, index: &mut Index, max_bytes: u64) -> Result<u64> {
        self.reading(|view| {
            View { end: view.end.min(index.bytes().saturating_add(max_bytes)), ..view }.feed(index)
        })
    }

    /// Returns the offset of the row with this number, from 0. Returns `None` if the index is empty
    /// or the file has no such row.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn offset_of_row(&self, index: &Index, row: u64, tail: Tail) -> Result<Option<u64>> {
        let Some(place) = index.place_of_row(row) else { return Ok(None) };
        self.reading(|view| view.offset_of_row(place, row, tail))
    }

    /// Returns the numbers, from 0, of the rows that begin at these offsets, which must ascend. A
    /// number is `None` if the offset is beyond the index or is not the start of a row.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn row_numbers(
        &self,
        index: &Index,
        offsets: &[u64],
        tail: Tail,
    ) -> Result<Vec<Option<u64>>> {
        let place_of = |offset| index.place_of_offset(offset).filter(|_| offset < index.bytes());
        self.reading(|view| view.numbers(offsets, place_of, tail))
    }

    /// Returns the number of rows that begin within a range, by reading at most two blocks of the
    /// index. Returns `None` if the index does not cover the range yet.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn rows_within(&self, index: &Index, range: Range<u64>, tail: Tail) -> Result<Option<u64>> {
        if range.end > index.bytes() && index.bytes() < self.bytes {
            return Ok(None);
        }
        let before = |offset: u64| match index.place_of_offset(offset) {
            _ if offset >= index.bytes() => Ok(index.totals(tail).rows),
            Some(place) => self.reading(|view| view.rows_before(offset, place, tail)),
            None => Ok(0),
        };
        Ok(Some(before(range.end)?.saturating_sub(before(range.start)?)))
    }

    /// Returns the offset of the first row at or after a time. Also searches the part of the file
    /// that is not indexed yet. Returns `None` if there is no such row. See `times` for logs whose
    /// times step back.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn offset_of_time(&self, index: &Index, time: Time, tail: Tail) -> Result<Option<u64>> {
        self.reading(|view| view.offset_of_time(index, time, tail))
    }

    /// Returns the rows whose first record is at least `min_ms` milliseconds later than the
    /// previous record of either stream, in the order of the log. Searches the indexed part from
    /// the offset `from` on. Stops after a read of `max_bytes`, and then also returns where to
    /// continue.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn gaps(
        &self,
        index: &Index,
        from: u64,
        max_bytes: u64,
        min_ms: i64,
        tail: Tail,
    ) -> Result<(Vec<Gap>, Option<u64>)> {
        let least_us = min_ms.saturating_mul(1000);
        self.reading(|view| view.gaps(index, from, max_bytes, least_us, tail))
    }

    /// Returns the time of the first record, if it is in the first 64 KiB.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn first_time(&self) -> Result<Option<Time>> {
        self.reading(|view| {
            // The first record is nearly always the first line.
            let limits = Limits { buffer: FEW_ROWS_BUFFER, ..view.limits };
            let mut lines = View { end: view.end.min(TIME_BYTES), limits, ..view }.lines(0);
            while let Some(line) = lines.next()? {
                if let Ok(record) = view.format.parse_line(&line) {
                    return Ok(Some(record.at));
                }
            }
            Ok(None)
        })
    }

    /// Returns the time of the last record, if it is in the last 64 KiB. An incomplete last line
    /// counts if it has a time.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn last_time(&self) -> Result<Option<Time>> {
        self.reading(|view| {
            let near_end = view.end.saturating_sub(TIME_BYTES);
            let mut lines = view.lines(view.next_line_start(near_end)?);
            let mut last = None;
            while let Some(line) = lines.next()? {
                last = view.format.parse_line(&line).map(|record| record.at).ok().or(last);
            }
            Ok(last)
        })
    }

    /// Runs one read over the file up to its current size.
    fn reading<'f, T>(&'f self, read: impl FnOnce(View<'f>) -> io::Result<T>) -> Result<T> {
        self.source
            .size()
            .and_then(|end| read(self.view(end)))
            .map_err(Error::io("read", &*self.path))
    }

    fn view(&self, end: u64) -> View<'_> {
        View { source: &*self.source, end, limits: Limits::USUAL, format: self.format }
    }

    /// Records the current state of the file.
    fn record_state(&mut self) -> io::Result<()> {
        self.bytes = self.source.size()?;
        self.marks = self.marks_at(self.bytes)?;
        match self.beside(Beside::Index).and_then(|packed| Index::decode(&packed)) {
            Some(index) => self.format = index.format(),
            None => _ = self.detect_format()?,
        }
        Ok(())
    }

    /// Returns the marks of the log at a size. Only a file may be rewritten, so the others need
    /// none, which would be read from their ends.
    fn marks_at(&self, bytes: u64) -> io::Result<Marks> {
        if self.follower.is_some() { Marks::of(self.view(bytes)) } else { Ok(Marks::default()) }
    }

    /// Detects the format again. Returns true if it has changed.
    fn detect_format(&mut self) -> io::Result<bool> {
        let format = Format::of(self.path.log_name(), self.view(self.bytes))?;
        Ok(std::mem::replace(&mut self.format, format) != format)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::fs::File;
    use std::io::Write;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::log::Row;
    use crate::log::Totals;

    fn open(path: &Path) -> Result<LogFile> {
        LogFile::open(&LogPath::named(path))
    }

    fn append(path: &Path, bytes: &[u8]) {
        File::options().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
    }

    fn all_rows(log: &LogFile) -> Vec<Row> {
        let rows: Vec<Row> =
            log.rows(0, usize::MAX, Tail::Hold).unwrap().map(io::Result::unwrap).collect();
        assert_eq!(log.window(Anchor::From(0), usize::MAX, Tail::Hold).unwrap().rows, rows);
        rows
    }

    fn texts(log: &LogFile) -> Vec<String> {
        all_rows(log).into_iter().map(|row| String::from_utf8(row.text).unwrap()).collect()
    }

    const ONE: &[u8] = b"2026-01-02T03:04:05Z stdout F one\n";
    const TWO: &[u8] = b"2026-01-02T03:04:05Z stderr F two\n";

    #[test]
    fn a_special_file_is_rejected_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        for path in [dir.path(), &fifo, Path::new("/dev/null"), &dir.path().join("missing")] {
            let error = open(path).unwrap_err();
            assert!(
                matches!(&error, Error::Io { doing: "read", path: of, .. } if of == path),
                "{error:?}"
            );
        }
    }

    #[test]
    fn appended_bytes_are_reported_before_a_replacement() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("0.log"), dir.path().join("0.log.old"));
        append(&path, ONE);
        let mut log = open(&path).unwrap();
        assert_eq!(log.extend().unwrap(), Change::Same);
        fs::rename(&path, &old).unwrap();
        assert_eq!(log.extend().unwrap(), Change::Gone);
        append(&old, TWO);
        append(&path, b"plain\n");
        assert_eq!(log.extend().unwrap(), Change::Grown { from: 34, to: 68 });
        assert_eq!((texts(&log), log.generation()), (vec!["one".into(), "two".into()], 0));
        assert_eq!(log.file_state().name, Name::Taken);
        assert_eq!(log.extend().unwrap(), Change::Replaced);
        assert_eq!((texts(&log), log.generation()), (vec!["plain".into()], 1));
        assert_eq!(log.file_state(), FileState::default());
    }

    #[test]
    fn an_empty_new_file_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("0.log"), dir.path().join("0.log.old"));
        append(&path, ONE);
        let mut log = open(&path).unwrap();
        fs::rename(&path, &old).unwrap();
        append(&path, b"");
        assert_eq!((log.extend().unwrap(), log.file_state().name), (Change::Same, Name::Awaited));
        append(&old, TWO);
        assert_eq!(log.extend().unwrap(), Change::Grown { from: 34, to: 68 });
        append(&path, TWO);
        assert_eq!(log.extend().unwrap(), Change::Replaced);
        assert_eq!(texts(&log), ["two"]);
    }

    #[test]
    fn late_bytes_of_old_files_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let [path, old, older] = ["0.log", "0.log.1", "0.log.2"].map(|name| dir.path().join(name));
        append(&path, ONE);
        let mut log = open(&path).unwrap();
        for to in [&older, &old] {
            fs::rename(&path, to).unwrap();
            append(&path, ONE);
            assert_eq!(log.extend().unwrap(), Change::Replaced);
        }
        append(&older, TWO);
        append(&old, b"half");
        assert_eq!(log.extend().unwrap(), Change::Same);
        assert_eq!(log.file_state(), FileState { name: Name::Same, late_bytes: 38 });
        append(&old, b" a line\n");
        append(&path, TWO);
        assert_eq!(log.extend().unwrap(), Change::Grown { from: 34, to: 68 });
        assert_eq!(log.file_state().late_bytes, 46);
    }

    #[test]
    fn a_file_read_above_its_end_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("0.log"), dir.path().join("0.log.old"));
        append(&path, ONE);
        let mut log = open(&path).unwrap();
        log.stay(true);
        fs::rename(&path, &old).unwrap();
        append(&path, TWO);
        assert_eq!(
            (log.extend().unwrap(), log.file_state().name, log.awaits_switch()),
            (Change::Same, Name::Taken, false)
        );
        append(&old, TWO);
        assert_eq!(log.extend().unwrap(), Change::Grown { from: 34, to: 68 });
        log.stay(false);
        assert_eq!((log.extend().unwrap(), texts(&log)), (Change::Replaced, vec!["two".into()]));
    }

    #[test]
    fn a_rotated_file_with_two_writers_is_closed_eventually() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("0.log"), dir.path().join("0.log.old"));
        append(&path, ONE);
        let mut log = open(&path).unwrap();
        fs::rename(&path, &old).unwrap();
        append(&path, TWO);
        let started = std::time::Instant::now();
        let mut appended = 0;
        while log.generation() == 0 {
            assert!(started.elapsed().as_secs() < 20, "never left");
            append(&old, ONE);
            appended += 1;
            log.extend().unwrap();
        }
        assert!(appended > 1, "what comes at once is still read");
        assert_eq!((texts(&log), log.file_state().late_bytes), (vec!["two".into()], 34));
    }

    #[test]
    fn a_link_with_another_target_is_another_file() {
        let dir = tempfile::tempdir().unwrap();
        let [path, next, a, b] = ["0.log", "next", "a", "b"].map(|name| dir.path().join(name));
        append(&a, ONE);
        append(&b, TWO);
        std::os::unix::fs::symlink(&a, &path).unwrap();
        let mut log = open(&path).unwrap();
        std::os::unix::fs::symlink(&b, &next).unwrap();
        fs::rename(&next, &path).unwrap();
        assert_eq!((log.extend().unwrap(), texts(&log)), (Change::Replaced, vec!["two".into()]));
        fs::remove_file(&b).unwrap();
        assert_eq!((log.extend().unwrap(), texts(&log)), (Change::Gone, vec!["two".into()]));
    }

    #[test]
    fn a_file_rewritten_beyond_its_old_size_is_a_new_generation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        append(&path, ONE);
        let mut log = open(&path).unwrap();
        fs::write(&path, [TWO, ONE].concat()).unwrap();
        assert_eq!(log.extend().unwrap(), Change::Truncated);
        assert_eq!((log.generation(), log.bytes()), (1, 68));
        fs::write(&path, b"").unwrap();
        assert_eq!(log.extend().unwrap(), Change::Truncated);
        assert_eq!(log.extend().unwrap(), Change::Same);
        append(&path, TWO);
        assert_eq!(log.extend().unwrap(), Change::Grown { from: 0, to: 34 });
        assert_eq!((texts(&log), log.generation()), (vec!["two".into()], 2));
    }

    #[test]
    fn a_file_rewritten_with_the_same_start_is_detected_by_its_old_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        let with_end = |end: &str| {
            ["a beginning that never differs\n".repeat(8).as_bytes(), end.as_bytes()].concat()
        };
        append(&path, &with_end("one\n"));
        let mut log = open(&path).unwrap();
        fs::write(&path, with_end("two\n")).unwrap();
        assert_eq!(log.extend().unwrap(), Change::Truncated, "of the same size");
        fs::write(&path, with_end("three\n")).unwrap();
        assert_eq!(log.extend().unwrap(), Change::Truncated, "longer");
        append(&path, b"four\n");
        assert_eq!(log.extend().unwrap(), Change::Grown { from: 254, to: 259 });
    }

    #[test]
    fn a_log_whose_format_changes_is_a_new_generation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sh-1.log");
        append(&path, b"");
        let mut log = open(&path).unwrap();
        assert_eq!(log.format(), Format::Cri);
        append(&path, b"\nhello\nwor");
        assert_eq!(log.extend().unwrap(), Change::Reformatted);
        assert_eq!(
            (log.format(), log.generation(), log.first_time().unwrap()),
            (Format::Plain, 1, None)
        );
        assert_eq!(texts(&log), ["", "hello"], "the rest of a line may be still to come");
        append(&path, b"ld\n");
        assert_eq!(log.extend().unwrap(), Change::Grown { from: 10, to: 13 });
        assert_eq!(texts(&log), ["", "hello", "world"]);
        let totals = log.index().unwrap().totals(Tail::Hold);
        assert_eq!(totals, Totals { rows: 3, bytes: 13, ..Totals::default() });
        append(&path, ONE);
        assert_eq!(log.extend().unwrap(), Change::Reformatted);
        assert_eq!((log.format(), log.generation()), (Format::Cri, 2));
        assert_eq!(log.index().unwrap().totals(Tail::Hold).malformed, 3);
    }

    #[test]
    fn late_bytes_do_not_change_the_format() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sh-1.log");
        append(&path, &b"hello, how are you\n".repeat(4000));
        let mut log = open(&path).unwrap();
        append(&path, ONE);
        assert_eq!(log.extend().unwrap(), Change::Grown { from: 76_000, to: 76_034 });
        assert_eq!((log.format(), log.first_time().unwrap()), (Format::Plain, None));
        assert_eq!(texts(&log).last().unwrap().as_bytes(), ONE.trim_ascii_end());
    }

    #[test]
    fn an_unlinked_log_can_still_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        append(&path, ONE);
        let mut log = open(&path).unwrap();
        fs::remove_dir_all(dir.path()).unwrap();
        assert_eq!(log.extend().unwrap(), Change::Gone);
        assert_eq!(texts(&log), ["one"]);
    }

    #[test]
    fn the_first_time_is_that_of_the_first_valid_record() {
        let dir = tempfile::tempdir().unwrap();
        for (name, content, time) in [
            ("empty", b"".as_slice(), None),
            ("plain", b"no record\n", None),
            ("late", b"\nno record\n1970-01-01T00:00:07Z stdout F x", Some(Time::from_unix(7, 0))),
            ("torn", b"1970-01-01T00:00:07Z std", None),
        ] {
            append(&dir.path().join(name), content);
            assert_eq!(open(&dir.path().join(name)).unwrap().first_time().unwrap(), time, "{name}");
        }
    }

    #[test]
    fn a_long_entry_is_one_row_of_the_tail_even_if_its_start_is_out_of_reach() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        let piece = [b"2026-01-02T03:04:05Z stdout P ", [b'x'; 16_384].as_slice(), b"\n"].concat();
        append(&path, &piece.repeat(200));
        assert_eq!(open(&path).unwrap().tail_offset(1, Tail::Hold).unwrap(), 0, "3 MiB");
        append(&path, &piece.repeat(1000));
        let log = open(&path).unwrap();
        assert_eq!(all_rows_len(&log, 0), 1);
        let tail = log.tail_offset(1, Tail::Hold).unwrap();
        assert!(tail > 15 << 20 && log.bytes() - tail < 16 << 20, "{tail}");
        assert_eq!(all_rows_len(&log, tail), 1);
        assert_eq!(log.index().unwrap().totals(Tail::Hold).rows, 1);
    }

    fn all_rows_len(log: &LogFile, from: u64) -> usize {
        log.rows(from, 0, Tail::Hold).unwrap().map(io::Result::unwrap).count()
    }

    /// An action of a writer between two checks.
    #[derive(Clone, Debug)]
    enum Act {
        Append(Vec<u8>),
        Truncate,
        Replace(Vec<u8>),
    }

    fn any_act() -> impl Strategy<Value = Act> {
        let piece = prop_oneof![
            Just(b"2026-01-02T03:04:05Z stdout P a\n".to_vec()),
            Just(b"2026-01-02T03:04:06Z stdout F b\n2026-01-02T03:04:06Z stderr P \n".to_vec()),
            vec(any::<u8>(), 1..4),
            Just(b"\n".to_vec()),
            Just(b"text\n".to_vec()),
        ];
        prop_oneof![
            8 => piece.clone().prop_map(Act::Append),
            1 => Just(Act::Truncate),
            1 => piece.prop_map(Act::Replace),
        ]
    }

    /// Splits an append into single bytes, with a check after each; returns any other act
    /// unchanged.
    fn by_bytes((act, by_bytes): (Act, bool)) -> Vec<Act> {
        match act {
            Act::Append(bytes) if by_bytes => {
                bytes.chunks(1).map(|byte| Act::Append(byte.to_vec())).collect()
            }
            act => vec![act],
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn following_shows_the_same_rows_as_reopening(
            name in prop::sample::select(vec!["0.log", "sh-1.log", "quire-ci.log"]),
            acts in vec((any_act(), any::<bool>()), 1..20),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (path, next) = (dir.path().join(name), dir.path().join("next"));
            append(&path, b"");
            let mut log = open(&path).unwrap();
            let mut index = Index::new(log.format());
            for act in acts.into_iter().flat_map(by_bytes) {
                match &act {
                    Act::Append(bytes) => append(&path, bytes),
                    Act::Truncate => {
                        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
                    }
                    Act::Replace(bytes) => {
                        append(&next, bytes);
                        fs::rename(&next, &path).unwrap();
                    }
                }
                let (before, format, generation) = (log.bytes(), log.format(), log.generation());
                let change = log.extend().unwrap();
                match &act {
                    Act::Append(_) if log.format() != format => {
                        prop_assert_eq!(change, Change::Reformatted);
                    }
                    Act::Append(bytes) => prop_assert_eq!(
                        change,
                        Change::Grown { from: before, to: before + bytes.len() as u64 }
                    ),
                    Act::Truncate => prop_assert_eq!(
                        change,
                        if before == 0 { Change::Same } else { Change::Truncated }
                    ),
                    Act::Replace(_) => prop_assert_eq!(change, Change::Replaced),
                }
                if log.generation() != generation {
                    index = Index::new(log.format());
                }
                log.feed(&mut index, u64::MAX).unwrap();
                let reopened = open(&path).unwrap();
                prop_assert_eq!(log.format(), reopened.format());
                prop_assert_eq!(all_rows(&log), all_rows(&reopened));
                prop_assert_eq!(index.totals(Tail::Emit), reopened.index().unwrap().totals(Tail::Emit));
            }
        }
    }
}
