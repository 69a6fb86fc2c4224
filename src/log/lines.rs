//! Reader of the physical lines of a file, forward from a byte offset.
//!
//! Only a LF ends a line; all other bytes, including CR and NUL, are content. A line longer than
//! 100 MiB is cut (see `bounds`). Reads are positional (`pread`), so several readers can share one
//! open file. Memory is one buffer: the bytes of a line beyond the limit
//! ([`MAX_LINE_BYTES`] or [`MAX_STREAM_LINE_BYTES`]) are skipped and counted, never held. If the
//! file is appended to, truncated or rewritten during a read, the reader may return other bytes,
//! but does not fail because of the change.

use std::io;
use std::num::NonZeroU64;

use memchr::{memchr, memrchr};

use super::bounds::cut_of;
use super::rows::Rows;
use super::source::Source;
use super::start::Starts;
use super::{Format, Tail};

/// The maximum number of bytes held of one line; the rest is counted in [`Line::cut_bytes`].
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// The same limit for readers of a whole log. Memory grows to this size only for lines that need
/// it.
pub const MAX_STREAM_LINE_BYTES: usize = 64 << 20;

/// The number of bytes per read.
const BUFFER_BYTES: usize = 256 << 10;

/// The maximum distance between the pieces of a row in a window, in bytes of the file; see
/// [`Starts`]. If one stream is silent, opening a window reads three times this distance, which
/// takes a third of a millisecond at most.
pub(super) const WINDOW_REACH: NonZeroU64 = NonZeroU64::new(256 << 10).unwrap();

/// The same distance for readers that show rows whole.
const STREAM_REACH: NonZeroU64 = NonZeroU64::new(16 << 20).unwrap();

/// The length up to which a line is never cut; see `bounds`. A search for the start of a line reads
/// at most about this many bytes, which takes some hundredths of a second.
const LINE_REACH: u64 = 100 << 20;

/// The length of the pieces after the first cut. A window of such pieces reads no more bytes than a
/// window of long rows.
const PIECE_BYTES: NonZeroU64 = NonZeroU64::new(256 << 10).unwrap();

/// The size limits of readers; tests use small ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The maximum distance between the pieces of a row; see [`Starts`].
    pub reach: NonZeroU64,
    /// Bytes per read.
    pub buffer: usize,
    /// Bytes held of one line.
    pub line: usize,
    /// The length up to which a line is not cut; see `bounds`.
    pub line_reach: u64,
    /// The length of the pieces of a cut line; see `bounds`.
    pub piece: NonZeroU64,
}

impl Limits {
    /// The default limits of readers outside tests.
    pub const USUAL: Self = Self {
        reach: WINDOW_REACH,
        buffer: BUFFER_BYTES,
        line: MAX_LINE_BYTES,
        line_reach: LINE_REACH,
        piece: PIECE_BYTES,
    };
    /// The limits of a reader that shows rows whole. A look-back of some hundredths of a second is
    /// acceptable there.
    pub const STREAM: Self =
        Self { reach: STREAM_REACH, line: MAX_STREAM_LINE_BYTES, ..Self::USUAL };
}

/// A view of a file up to a fixed end. The end stays the same for one read, even if the file grows.
#[derive(Clone, Copy)]
pub(super) struct View<'f> {
    pub source: &'f dyn Source,
    /// The end of the view; bytes at and after this offset are ignored.
    pub end: u64,
    pub limits: Limits,
    /// The format of the lines.
    pub format: Format,
}

impl<'f> View<'f> {
    /// Returns the lines from an offset, which must be the start of a line.
    pub fn lines(self, from: u64) -> Lines<'f> {
        Lines { view: self, buffer: Vec::new(), base: from, next: 0, filled: 0, is_rest: None }
    }

    /// Returns the rows from the start of a line on; `starts` is the state before that line.
    pub fn rows(self, from: u64, starts: Starts, cap_bytes: usize, tail: Tail) -> Rows<'f> {
        Rows::new(self, from, starts, cap_bytes, tail)
    }

    /// Reads bytes from an offset on, possibly fewer than fit. Returns their number, 0 at the end.
    pub fn read(self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let len = into.len().min(usize_of(self.end.saturating_sub(offset)));
        let into = into.get_mut(..len).unwrap_or_default();
        loop {
            match self.source.read_at(offset, into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    /// Reads as many bytes as fit, and fewer only at the end. Returns their number.
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

/// Converts a number of bytes that is only used as an upper bound for a buffer, so it may saturate.
pub(super) fn usize_of(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// One physical line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'a> {
    /// Its start, in bytes from the start of the file.
    pub offset: u64,
    /// Its bytes without the LF, at most [`MAX_STREAM_LINE_BYTES`].
    pub bytes: &'a [u8],
    /// The number of bytes omitted after `bytes`.
    pub cut_bytes: u64,
    /// The start of the next line, after the LF.
    pub end: u64,
    /// True if a LF ended it. False only for the last line of a file and for a line that was cut.
    pub terminated: bool,
    /// True if it is the rest of a cut line, and therefore never a record.
    pub is_rest: bool,
    /// True if it was cut itself; the next line is its rest.
    pub has_rest: bool,
}

/// A forward reader of physical lines. It lends each line until the next call.
pub struct Lines<'f> {
    view: View<'f>,
    /// A buffer that grows from the size of one read to at most the sum of that size and
    /// [`Limits::line`].
    buffer: Vec<u8>,
    /// The offset of `buffer[0]` in the file.
    base: u64,
    /// The offset in the buffer of the next line. The bytes before it may include the head of a
    /// long line, moved from an earlier offset of the file.
    next: usize,
    filled: usize,
    /// True if the next line is the rest of a cut line, `None` if unknown.
    is_rest: Option<bool>,
}

/// The end of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Lf,
    Cut,
    File,
}

impl Lines<'_> {
    /// Returns the next line, or `None` at the end of the view.
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

    /// Returns all lines that are complete in the buffer, usually many. Returns an empty slice if
    /// only [`Self::next`] can return the next line, or if there is no next line.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn whole_lines(&mut self) -> io::Result<&[u8]> {
        if self.next == self.filled {
            self.fill()?;
        }
        let buffered = self.buffer.get(self.next..self.filled).unwrap_or_default();
        let end = memrchr(b'\n', buffered).map_or(0, |lf| lf.saturating_add(1));
        // No single line is longer than all of them together, so this also checks each line.
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

    /// Returns the offset of the next line.
    pub(super) const fn offset(&self) -> u64 {
        self.base.saturating_add(self.next as u64)
    }

    /// Continues from the start of another line. This is cheap if its bytes are in the buffer.
    pub(super) fn seek(&mut self, line_start: u64) {
        self.is_rest = None;
        // The buffer may begin with the head of a long line, at an index where later bytes of that
        // line belong. No line starts among these bytes, so the bytes after any line start are
        // those of the file.
        let buffered = line_start.checked_sub(self.base).map(usize_of);
        if let Some(at) = buffered.filter(|at| *at <= self.filled) {
            self.next = at;
        } else {
            (self.base, self.next, self.filled) = (line_start, 0, 0);
        }
    }

    /// Returns the buffer offset at which the line at `next` is cut. Returns `None` if the line,
    /// known up to `end`, is not long enough to be cut.
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

    /// Moves the pending bytes to the front and reads more after them. Returns the number of bytes
    /// read.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.next..self.filled, 0);
        self.base = self.offset();
        self.filled = self.filled.saturating_sub(self.next);
        self.next = 0;
        let offset = self.base.saturating_add(self.filled as u64);
        let read = self.view.limits.buffer.min(usize_of(self.view.end.saturating_sub(offset)));
        // Room for half a read is enough. Otherwise, the few bytes of a partial line would make the
        // buffer grow at every read.
        if self.buffer.len().saturating_sub(self.filled) < read.div_ceil(2) {
            let wanted = self.filled.saturating_mul(2).min(self.view.limits.line);
            self.grow(wanted.max(self.filled).saturating_add(read));
        }
        let into = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let came = self.view.read(offset, into)?;
        self.filled = self.filled.saturating_add(came);
        Ok(came)
    }

    /// Grows the buffer to at least this size. A new zeroed allocation costs less than `resize`,
    /// because the system provides zeroed pages.
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

    /// Lends a line that is longer than the line limit and whose end is not in the buffer. Keeps
    /// its head at the front of the buffer, and reads on after the head up to the end of the line.
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
            // `base` is chosen so that the byte at the offset `at` has the index `held`. It is not
            // negative, because `at >= offset + held`.
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
