//! Physical lines of a file, forward from a byte offset.
//!
//! LF is the only line end; everything else, CR and NUL included, is content. What is too long to
//! be read at once is cut (see `bounds`). Reads go by position (`pread`), so one open
//! file serves many readers at once. Memory is one buffer: what a line has beyond
//! [`MAX_LINE_BYTES`] is skipped and counted, never held. A file that is appended to, truncated or
//! rewritten meanwhile gives other bytes, never a fault.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;

use memchr::{memchr, memrchr};

use super::bounds::cut_of;
use super::rows::Rows;
use super::start::Starts;
use super::{Format, Tail};

/// The most bytes of one line that are held; the rest is counted in [`Line::cut_bytes`].
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// As [`MAX_LINE_BYTES`], for readers of a whole log: memory grows to this only where a line does.
pub const MAX_STREAM_LINE_BYTES: usize = 64 << 20;

/// How much is read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// How far apart, in bytes of the file, the pieces of a row may lie in a window; see [`Starts`].
/// Three times as much is read to open a window where one stream is silent: a third of a
/// millisecond at most.
pub(super) const WINDOW_REACH: NonZeroU64 = NonZeroU64::new(256 << 10).unwrap();

/// As [`WINDOW_REACH`], for readers that show rows whole.
const STREAM_REACH: NonZeroU64 = NonZeroU64::new(16 << 20).unwrap();

/// How long a line may be without being cut; see `bounds`. So much is read to tell that a place
/// lies in such a line: some hundredths of a second.
const LINE_REACH: u64 = 100 << 20;

/// How long the pieces behind are: a window of them is no more to read than one of long rows.
const PIECE_BYTES: NonZeroU64 = NonZeroU64::new(256 << 10).unwrap();

/// The sizes that readers work with; tests make them small.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// See [`Starts`].
    pub reach: NonZeroU64,
    /// Bytes per read.
    pub buffer: usize,
    /// Bytes held of one line.
    pub line: usize,
    /// See `bounds`.
    pub line_reach: u64,
    /// See `bounds`.
    pub piece: NonZeroU64,
}

impl Limits {
    /// Of every reader outside tests.
    pub const USUAL: Self = Self {
        reach: WINDOW_REACH,
        buffer: BUFFER_BYTES,
        line: MAX_LINE_BYTES,
        line_reach: LINE_REACH,
        piece: PIECE_BYTES,
    };
    /// Of a reader that shows rows whole: it can afford to look back some hundredths of a second.
    pub const STREAM: Self =
        Self { reach: STREAM_REACH, line: MAX_STREAM_LINE_BYTES, ..Self::USUAL };
}

/// A file up to a fixed size: what one reading looks at, however the file grows meanwhile.
#[derive(Clone, Copy)]
pub(super) struct View<'f> {
    pub file: &'f File,
    /// Bytes at and after this offset are not there.
    pub end: u64,
    pub limits: Limits,
    /// How its lines are read.
    pub format: Format,
}

impl<'f> View<'f> {
    /// The lines from an offset, which must be the start of a line.
    pub fn lines(self, from: u64) -> Lines<'f> {
        Lines { view: self, buffer: Vec::new(), base: from, next: 0, filled: 0, is_rest: None }
    }

    /// The rows from the start of a line on, `starts` being the state before it.
    pub fn rows(self, from: u64, starts: Starts, cap_bytes: usize, tail: Tail) -> Rows<'f> {
        Rows::new(self, from, starts, cap_bytes, tail)
    }

    /// Some bytes from an offset on; 0 at the end.
    pub fn read(self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let len = into.len().min(usize_of(self.end.saturating_sub(offset)));
        let into = into.get_mut(..len).unwrap_or_default();
        loop {
            match self.file.read_at(into, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    /// As many bytes as fit; fewer only at the end.
    pub fn read_full(self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read(offset.saturating_add(filled as u64), rest)? {
                0 => break,
                n => filled = filled.saturating_add(n),
            }
        }
        Ok(filled)
    }
}

/// A count of bytes that is only used as an upper bound of what to hold: saturating is right.
pub(super) fn usize_of(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// One physical line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'a> {
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// Its bytes without the LF, at most [`MAX_STREAM_LINE_BYTES`].
    pub bytes: &'a [u8],
    /// How many more it has.
    pub cut_bytes: u64,
    /// Where the next line begins: past the LF.
    pub end: u64,
    /// Whether a LF ended it; only the last line of a file may lack it, and one that was cut.
    pub terminated: bool,
    /// Whether it is the rest of a line that was cut: no record, whatever it looks like.
    pub is_rest: bool,
    /// Whether it was cut itself: the next line is its rest.
    pub has_rest: bool,
}

/// Reads physical lines forward; lends each until the next is asked for.
pub struct Lines<'f> {
    view: View<'f>,
    /// Grows from one read's size to that and [`MAX_LINE_BYTES`].
    buffer: Vec<u8>,
    /// The offset of `buffer[0]` in the file.
    base: u64,
    /// Where in the buffer the next line begins. Before it may stand the head of a long line, with
    /// a gap behind it.
    next: usize,
    filled: usize,
    /// Whether the next line is the rest of one, where that is known.
    is_rest: Option<bool>,
}

/// What ends a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Lf,
    Cut,
    File,
}

impl Lines<'_> {
    /// The next line; `None` at the end of what the file held when this reader was made.
    ///
    /// # Errors
    /// When the file cannot be read.
    #[expect(
        clippy::should_implement_trait,
        reason = "a line is lent from the buffer, which Iterator cannot say"
    )]
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let is_rest = match self.is_rest {
            Some(is_rest) => is_rest,
            None => self.view.is_rest(self.offset())?,
        };
        let mut searched = self.next;
        loop {
            let unseen = self.buffer.get(searched..self.filled).unwrap_or_default();
            let lf = memchr(b'\n', unseen).map(|lf| searched.saturating_add(lf));
            if let Some(cut) = self.cut_within(lf.unwrap_or(self.filled), is_rest) {
                return Ok(Some(self.lend(cut, End::Cut, is_rest)));
            }
            if let Some(lf) = lf {
                return Ok(Some(self.lend(lf, End::Lf, is_rest)));
            }
            let pending = self.filled.saturating_sub(self.next);
            if pending >= self.view.limits.line {
                return self.lend_long(is_rest).map(Some);
            }
            if self.fill()? == 0 {
                return Ok((pending > 0).then(|| self.lend(self.filled, End::File, is_rest)));
            }
            searched = self.next.saturating_add(pending);
        }
    }

    /// All lines that lie in the buffer from their beginning to their LF, nearly always many; none
    /// where [`Self::next`] has to decide what the next line is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn whole_lines(&mut self) -> io::Result<&[u8]> {
        if self.next == self.filled {
            self.fill()?;
        }
        let buffered = self.buffer.get(self.next..self.filled).unwrap_or_default();
        let end = memrchr(b'\n', buffered).map_or(0, |lf| lf.saturating_add(1));
        // No line of these is longer than all of them.
        if self.is_rest != Some(false)
            || end as u64 >= self.view.limits.line_reach
            || end > self.view.limits.line
        {
            return Ok(&[]);
        }
        let lines = buffered.get(..end).unwrap_or_default();
        self.next = self.next.saturating_add(end);
        Ok(lines)
    }

    /// Where the next line begins.
    pub(super) const fn offset(&self) -> u64 {
        self.base.saturating_add(self.next as u64)
    }

    /// Goes on from the start of another line. Cheap where its bytes are in the buffer.
    pub(super) fn seek(&mut self, line_start: u64) {
        self.is_rest = None;
        // No line starts within the gap behind the head of a long line, so what is in the buffer
        // from a line's start on is whole.
        let buffered = line_start.checked_sub(self.base).map(usize_of);
        if let Some(at) = buffered.filter(|at| *at <= self.filled) {
            self.next = at;
        } else {
            (self.base, self.next, self.filled) = (line_start, 0, 0);
        }
    }

    /// Where in the buffer the line from `next` is cut, if it goes on to `end` and that is far
    /// enough.
    fn cut_within(&self, end: usize, is_rest: bool) -> Option<usize> {
        let limits = &self.view.limits;
        if !is_rest && (end.saturating_sub(self.next) as u64) < limits.line_reach {
            return None;
        }
        let cut = cut_of(self.offset(), is_rest, limits).saturating_sub(self.base);
        Some(usize_of(cut)).filter(|cut| *cut <= end)
    }

    /// Lends the line from `next` to `to`, all of which is in the buffer.
    fn lend(&mut self, to: usize, end: End, is_rest: bool) -> Line<'_> {
        let (from, offset) = (self.next, self.offset());
        let cut = to.saturating_sub(from).saturating_sub(self.view.limits.line);
        self.next = to.saturating_add(usize::from(end == End::Lf));
        self.is_rest = Some(end == End::Cut);
        Line {
            offset,
            bytes: self.buffer.get(from..to.saturating_sub(cut)).unwrap_or_default(),
            cut_bytes: cut as u64,
            end: self.offset(),
            terminated: end == End::Lf,
            is_rest,
            has_rest: end == End::Cut,
        }
    }

    /// Moves what is pending to the front and reads on behind it: how many bytes came.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.next..self.filled, 0);
        self.base = self.offset();
        self.filled = self.filled.saturating_sub(self.next);
        self.next = 0;
        // Half a read's room will do: else the few bytes of a cut line would have the buffer grow
        // at every read.
        if self.buffer.len().saturating_sub(self.filled) < self.view.limits.buffer.div_ceil(2) {
            let wanted = self.filled.saturating_mul(2).min(self.view.limits.line);
            self.grow(wanted.max(self.filled).saturating_add(self.view.limits.buffer));
        }
        let offset = self.base.saturating_add(self.filled as u64);
        let into = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let came = self.view.read(offset, into)?;
        self.filled = self.filled.saturating_add(came);
        Ok(came)
    }

    /// Makes the buffer at least so large. A new zeroed allocation costs less than `resize`: pages
    /// are zero when they come.
    fn grow(&mut self, len: usize) {
        if self.buffer.len() < len {
            let mut buffer = vec![0; len];
            if let (Some(to), Some(from)) =
                (buffer.get_mut(..self.buffer.len()), self.buffer.get(..))
            {
                to.copy_from_slice(from);
            }
            self.buffer = buffer;
        }
    }

    /// A line whose end is not in the buffer although all that is held of it is: keeps its head at
    /// the front of the buffer and reads on behind that until its end comes.
    fn lend_long(&mut self, is_rest: bool) -> io::Result<Line<'_>> {
        let (offset, held) = (self.offset(), self.view.limits.line);
        let cut = cut_of(offset, is_rest, &self.view.limits);
        let mut at = self.base.saturating_add(self.filled as u64);
        self.buffer.copy_within(self.next..self.next.saturating_add(held), 0);
        self.grow(held.saturating_add(self.view.limits.buffer));
        let (content_end, end) = loop {
            let room = self.buffer.get_mut(held..).unwrap_or_default();
            let len = room.len().min(usize_of(cut.saturating_sub(at)));
            let into = room.get_mut(..len).unwrap_or_default();
            let came = self.view.read(at, into)?;
            // `at >= offset + held`, so the base of a buffer that holds `at` at `held` is not
            // negative.
            (self.base, self.filled) = (at.saturating_sub(held as u64), held.saturating_add(came));
            let behind = at.saturating_add(came as u64);
            match memchr(b'\n', into.get(..came).unwrap_or_default()) {
                Some(lf) => break (at.saturating_add(lf as u64), End::Lf),
                None if behind == cut => break (cut, End::Cut),
                None if came == 0 => break (at, End::File),
                None => at = behind,
            }
        };
        let (terminated, has_rest) = (end == End::Lf, end == End::Cut);
        let end = content_end.saturating_add(u64::from(terminated));
        self.next = usize_of(end.saturating_sub(self.base));
        self.is_rest = Some(has_rest);
        let bytes = self.buffer.get(..held).unwrap_or_default();
        let cut_bytes = content_end.saturating_sub(offset).saturating_sub(held as u64);
        Ok(Line { offset, bytes, cut_bytes, end, terminated, is_rest, has_rest })
    }
}
