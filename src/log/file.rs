//! An open log: what it is, whether it is still the same, and readers over it.
//!
//! Everything is safe while another process appends to the file, truncates it or puts another in
//! its place: reads go by position into buffers, and each reading looks at the file up to the size
//! it had when the reading began. A [`LogFile`] keeps its descriptor, so it can be read after its
//! name is gone; only [`LogFile::extend`] changes what it looks at.
//!
//! What a byte offset means lasts for one *generation*: the same file, only appended to, and read
//! in the same [`Format`].

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::format::{Format, TELLING_BYTES};
use super::index::{Index, Totals};
use super::lines::{Limits, Lines, View};
use super::rotation::{FileState, Follower, Marks, Name, is_missing};
use super::rows::{Checkpoint, Rows};
use super::times::Gap;
use super::{Anchor, Tail, Towards, Window};
use crate::error::{Error, Result};
use crate::file::FilePath;
use crate::time::Time;

/// Read size for a few rows.
const FEW_ROWS_BUFFER: usize = 16 << 10;

/// How far the first record is looked for.
const FIRST_TIME_BYTES: u64 = 64 << 10;

/// An open log.
#[derive(Debug)]
pub struct LogFile {
    path: FilePath,
    file: File,
    follower: Follower,
    /// As they were when it was last looked at.
    marks: Marks,
    /// The size then.
    bytes: u64,
    format: Format,
    generation: u64,
}

/// What has happened to a log since it was last looked at.
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
    /// It was cut off, or cut off and written anew: a new generation of the same file.
    Truncated,
    /// Bytes were appended, and with them it turns out to be of another [`Format`]: a new
    /// generation of the same file.
    Reformatted,
    /// Another file stands under its name and was opened, now that the old one is read to its end:
    /// a new generation.
    Replaced,
    /// Nothing stands under its name. What was open can still be read.
    Gone,
}

impl LogFile {
    /// Opens a log for reading. Never waits, whatever the path names.
    ///
    /// # Errors
    /// When it cannot be opened, is no regular file, or leads out of its directory; so whenever it
    /// is opened again.
    pub fn open(path: &FilePath) -> Result<Self> {
        Self::open_io(path).map_err(Error::io("read", &**path))
    }

    fn open_io(path: &FilePath) -> io::Result<Self> {
        let file = path.open()?;
        let follower = Follower::of(&file)?;
        let (path, marks, format) = (path.clone(), Marks::default(), Format::Cri);
        let mut log = Self { path, file, follower, marks, bytes: 0, format, generation: 0 };
        log.look()?;
        Ok(log)
    }

    /// The path that it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was opened by this path, and bound to the same directory.
    #[must_use]
    pub fn is_at(&self, path: &FilePath) -> bool {
        self.path == *path
    }

    /// Its size when it was opened or last [extended](Self::extend).
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How its lines are read, as far as is known from what it held when it was opened or last
    /// [extended](Self::extend).
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Counts up when offsets lose their meaning: after a truncation or a replacement, or when it
    /// is read in another format.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// How it stands to its name, as far as was known when it was opened or last
    /// [extended](Self::extend).
    #[must_use]
    pub const fn file_state(&self) -> FileState {
        self.follower.file_state()
    }

    /// Whether this file is to be kept although another one has taken its name; it is not at first,
    /// nor is one that was gone over to.
    pub const fn stay(&mut self, stays: bool) {
        self.follower.stay(stays);
    }

    /// Whether the next [`Self::extend`] opens another file as soon as this one has been read to
    /// its end.
    #[must_use]
    pub const fn goes_over(&self) -> bool {
        self.follower.goes_over()
    }

    /// Looks at the file and at its path again.
    ///
    /// One change is told at a time. What was appended to the open file is told before a
    /// replacement under its name is: the old file is read to its end first, and what comes
    /// after that is counted (see [`FileState`]). Written anew between two looks and
    /// not shorter than before, with the same 64 bytes at its start and before its old end, a file
    /// passes for grown.
    ///
    /// # Errors
    /// When the file or its directory cannot be read, or what replaces it is none that
    /// [`Self::open`] opens.
    pub fn extend(&mut self) -> Result<Change> {
        self.extend_io().map_err(Error::io("read", &*self.path))
    }

    fn extend_io(&mut self) -> io::Result<Change> {
        // Before the size: what a writer appended before it went over to another file is then seen.
        let name = self.follower.look(&self.path);
        let from = self.bytes;
        let to = self.file.metadata()?.len();
        if to < from || Marks::of(self.view(from))? != self.marks {
            self.look()?;
            self.generation = self.generation.saturating_add(1);
            return Ok(Change::Truncated);
        }
        if to > from && !self.follower.is_over() {
            return self.grow(to);
        }
        match name? {
            Name::Missing => Ok(Change::Gone),
            Name::Taken if self.goes_over() => self.go_over(),
            Name::Same | Name::Awaited | Name::Taken => Ok(Change::Same),
        }
    }

    fn grow(&mut self, to: u64) -> io::Result<Change> {
        let from = std::mem::replace(&mut self.bytes, to);
        self.marks = Marks::of(self.view(to))?;
        if from < TELLING_BYTES && self.look_at_format()? {
            self.generation = self.generation.saturating_add(1);
            return Ok(Change::Reformatted);
        }
        Ok(Change::Grown { from, to })
    }

    /// Opens what stands under the name now.
    fn go_over(&mut self) -> io::Result<Change> {
        let next = match Self::open_io(&self.path) {
            Err(error) if is_missing(&error) => return Ok(Change::Gone),
            opened => opened?,
        };
        let old = std::mem::replace(self, next);
        self.generation = old.generation.saturating_add(1);
        self.follower.succeed(old.follower, old.file, old.bytes);
        Ok(Change::Replaced)
    }

    /// The rows at an anchor, at most `rows` of them, each with at most [`super::WINDOW_ROW_BYTES`]
    /// of text.
    ///
    /// # Errors
    /// When the file cannot be read; so for every reader here.
    pub fn window(&self, anchor: Anchor, rows: usize, tail: Tail) -> Result<Window> {
        self.reading(|view| view.window(anchor, rows, tail))
    }

    /// Where the last `rows` rows begin, read backward from the end; the size when there are none.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn tail_offset(&self, rows: usize, tail: Tail) -> Result<u64> {
        self.reading(|view| View { limits: Limits::STREAM, ..view }.tail_offset(rows, tail))
    }

    /// The rows from the first line that begins at or after `from`, up to the size that the file
    /// has now; each holds at most `cap_bytes` of text. Pieces are joined however far apart
    /// they lie; pieces of a row that begins before `from` are left out if it begins near
    /// enough (see [`super`]), else they are rows.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn rows(&self, from: u64, cap_bytes: usize, tail: Tail) -> Result<Rows<'_>> {
        self.reading(|view| {
            let view = View { limits: Limits::STREAM, ..view };
            let from = view.next_line_start(from.min(view.end))?;
            let starts = view.starts_at(from)?.unbounded_from(from);
            Ok(view.rows(from, starts, cap_bytes, tail))
        })
    }

    /// Where a reading stands before the first line that begins at or after an offset: its rows
    /// will be those of windows.
    pub(crate) fn checkpoint_at(&self, offset: u64) -> Result<Checkpoint> {
        self.reading(|view| {
            let offset = view.next_line_start(offset.min(view.end))?;
            Ok(Checkpoint { offset, starts: view.starts_at(offset)? })
        })
    }

    /// The rows from the first line that begins at or after `from`, as windows show them: joined
    /// within their reach, so that each is a bounded read, in their last state.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn window_rows(&self, from: u64, cap_bytes: usize, tail: Tail) -> Result<Rows<'_>> {
        self.reading(|view| {
            let from = view.next_line_start(from.min(view.end))?;
            Ok(view.rows(from, view.starts_at(from)?, cap_bytes, tail).keeping_last())
        })
    }

    /// The rows from where a reading stood, as windows show them; each holds at most `cap_bytes` of
    /// text. For a few rows.
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

    /// Bytes as they stand in the file, as many as fit; fewer only at its end.
    pub(crate) fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.reading(|view| view.read_full(offset, into))
    }

    /// The size that the file has now.
    pub(crate) fn bytes_now(&self) -> Result<u64> {
        self.reading(|view| Ok(view.end))
    }

    /// The physical lines from the first one that begins at or after `from`, up to the size that
    /// the file has now.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn lines(&self, from: u64) -> Result<Lines<'_>> {
        self.reading(|view| {
            let view = View { limits: Limits::STREAM, ..view };
            Ok(view.lines(view.next_line_start(from.min(view.end))?))
        })
    }

    /// Copies bytes as they stand in the file: what a [`Line`](super::Line) leaves out.
    ///
    /// # Errors
    /// When the file cannot be read or `out` cannot be written.
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

    /// What the whole file holds. Reads all of it.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn totals(&self, tail: Tail) -> Result<Totals> {
        let mut index = Index::unbounded(self.format);
        self.feed(&mut index, u64::MAX)?;
        Ok(index.totals(tail))
    }

    /// Feeds an index of this generation and format with what follows on what it has, at most
    /// `max_bytes`: how many bytes there were. 0 at the end.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn feed(&self, index: &mut Index, max_bytes: u64) -> Result<u64> {
        self.reading(|view| {
            View { end: view.end.min(index.bytes().saturating_add(max_bytes)), ..view }.feed(index)
        })
    }

    /// Where the row with this number, from 0, begins; `None` when the index does not know or the
    /// file has not as many.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn offset_of_row(&self, index: &Index, row: u64, tail: Tail) -> Result<Option<u64>> {
        let Some(place) = index.place_of_row(row) else { return Ok(None) };
        self.reading(|view| view.offset_of_row(place, row, tail))
    }

    /// The numbers, from 0, of the rows that begin at these offsets, which ascend; `None` where the
    /// index has not come that far.
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

    /// How many rows begin within a range, by at most two blocks of the index; `None` where it has
    /// not come that far.
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

    /// Where the first row at or after a time begins, also where the index has not come yet; `None`
    /// when there is none. See `times` for logs whose times step back.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn offset_of_time(&self, index: &Index, time: Time, tail: Tail) -> Result<Option<u64>> {
        self.reading(|view| view.offset_of_time(index, time, tail))
    }

    /// The nearest row behind (or before) the one at `from` that comes at least `min_ms` later than
    /// the record before it, of whichever stream; as far as the index has come.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn next_gap(
        &self,
        index: &Index,
        from: u64,
        towards: Towards,
        min_ms: i64,
        tail: Tail,
    ) -> Result<Option<u64>> {
        let gap = Gap { from, towards, least_us: min_ms.saturating_mul(1000) };
        self.reading(|view| view.next_gap(index, gap, tail))
    }

    /// The time of the first record, if one lies in the first 64 KiB.
    #[expect(clippy::missing_errors_doc, reason = "see window")]
    pub fn first_time(&self) -> Result<Option<Time>> {
        self.reading(|view| {
            // It is in the first line, nearly always.
            let limits = Limits { buffer: FEW_ROWS_BUFFER, ..view.limits };
            let mut lines = View { end: view.end.min(FIRST_TIME_BYTES), limits, ..view }.lines(0);
            while let Some(line) = lines.next()? {
                if let Ok(record) = view.format.parse_line(&line) {
                    return Ok(Some(record.at));
                }
            }
            Ok(None)
        })
    }

    /// One reading: the file up to the size that it has now.
    fn reading<'f, T>(&'f self, read: impl FnOnce(View<'f>) -> io::Result<T>) -> Result<T> {
        let size = self.file.metadata().map(|meta| meta.len());
        size.and_then(|end| read(self.view(end))).map_err(Error::io("read", &*self.path))
    }

    const fn view(&self, end: u64) -> View<'_> {
        View { file: &self.file, end, limits: Limits::USUAL, format: self.format }
    }

    /// Takes the file as it is now.
    fn look(&mut self) -> io::Result<()> {
        self.bytes = self.file.metadata()?.len();
        self.marks = Marks::of(self.view(self.bytes))?;
        self.look_at_format().map(|_| ())
    }

    /// Whether it is another one than it was taken for.
    fn look_at_format(&mut self) -> io::Result<bool> {
        let format = Format::of(self.path.file_name(), self.view(self.bytes))?;
        Ok(std::mem::replace(&mut self.format, format) != format)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::log::Row;

    fn open(path: &Path) -> Result<LogFile> {
        LogFile::open(&FilePath::named(path))
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
    fn what_is_no_regular_file_is_refused_without_waiting() {
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
    fn appended_bytes_are_told_before_a_replacement() {
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
    fn a_new_file_without_a_byte_is_not_gone_over_to() {
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
    fn what_comes_late_to_the_old_files_is_counted() {
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
    fn a_file_that_is_read_above_its_end_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("0.log"), dir.path().join("0.log.old"));
        append(&path, ONE);
        let mut log = open(&path).unwrap();
        log.stay(true);
        fs::rename(&path, &old).unwrap();
        append(&path, TWO);
        assert_eq!(
            (log.extend().unwrap(), log.file_state().name, log.goes_over()),
            (Change::Same, Name::Taken, false)
        );
        append(&old, TWO);
        assert_eq!(log.extend().unwrap(), Change::Grown { from: 34, to: 68 });
        log.stay(false);
        assert_eq!((log.extend().unwrap(), texts(&log)), (Change::Replaced, vec!["two".into()]));
    }

    #[test]
    fn a_file_that_two_write_to_is_left_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("0.log"), dir.path().join("0.log.old"));
        append(&path, ONE);
        let mut log = open(&path).unwrap();
        fs::rename(&path, &old).unwrap();
        append(&path, TWO);
        let begun = std::time::Instant::now();
        let mut appended = 0;
        while log.generation() == 0 {
            assert!(begun.elapsed().as_secs() < 20, "never left");
            append(&old, ONE);
            appended += 1;
            log.extend().unwrap();
        }
        assert!(appended > 1, "what comes at once is still read");
        assert_eq!((texts(&log), log.file_state().late_bytes), (vec!["two".into()], 34));
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_another_file() {
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
    fn a_file_written_anew_beyond_its_old_size_is_a_new_generation() {
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
    fn a_file_written_anew_with_the_same_beginning_is_told_by_what_stood_at_its_end() {
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
    fn a_log_that_turns_out_to_be_of_another_format_is_a_new_generation() {
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
        let totals = log.totals(Tail::Hold).unwrap();
        assert_eq!(totals, Totals { rows: 3, bytes: 13, ..Totals::default() });
        append(&path, ONE);
        assert_eq!(log.extend().unwrap(), Change::Reformatted);
        assert_eq!((log.format(), log.generation()), (Format::Cri, 2));
        assert_eq!(log.totals(Tail::Hold).unwrap().malformed, 3);
    }

    #[test]
    fn what_comes_late_changes_no_format() {
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
    fn a_log_whose_name_is_gone_can_still_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        append(&path, ONE);
        let mut log = open(&path).unwrap();
        fs::remove_dir_all(dir.path()).unwrap();
        assert_eq!(log.extend().unwrap(), Change::Gone);
        assert_eq!(texts(&log), ["one"]);
    }

    #[test]
    fn the_first_time_is_that_of_the_first_record() {
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
    fn a_long_entry_is_one_row_of_the_tail_and_one_begun_out_of_reach_is_its_end() {
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
        assert_eq!(log.totals(Tail::Hold).unwrap().rows, 1);
    }

    fn all_rows_len(log: &LogFile, from: u64) -> usize {
        log.rows(from, 0, Tail::Hold).unwrap().map(io::Result::unwrap).count()
    }

    /// What a writer may do between two looks.
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

    /// An append byte by byte, each followed by a look; or the act as it is.
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
        fn following_sees_what_opening_anew_sees(
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
                    Act::Truncate => File::options().write(true).open(&path).unwrap().set_len(0).unwrap(),
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
                    Act::Append(bytes) =>
                        prop_assert_eq!(change, Change::Grown { from: before, to: before + bytes.len() as u64 }),
                    Act::Truncate =>
                        prop_assert_eq!(change, if before == 0 { Change::Same } else { Change::Truncated }),
                    Act::Replace(_) => prop_assert_eq!(change, Change::Replaced),
                }
                if log.generation() != generation {
                    index = Index::new(log.format());
                }
                log.feed(&mut index, u64::MAX).unwrap();
                let anew = open(&path).unwrap();
                prop_assert_eq!(log.format(), anew.format());
                prop_assert_eq!(all_rows(&log), all_rows(&anew));
                prop_assert_eq!(index.totals(Tail::Emit), anew.totals(Tail::Emit).unwrap());
            }
        }
    }
}
