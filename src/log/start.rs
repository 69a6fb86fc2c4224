//! The state that determines if a record begins a row. Pure. The windows, the other readers of rows
//! in file order, and the index share it, so that their rows agree.
//!
//! A record begins a row unless it continues an open `P` of its stream. The extent of a row in the
//! file is bounded by a *reach*, so that a window can be read with a bounded look-back, and so that
//! two windows never disagree:
//!
//! - A piece more than `reach` bytes after the previous one begins a row of its own.
//! - A row that spans more than `reach` bytes is cut at a multiple of `reach`: the first piece at
//!   or after this multiple begins a row of its own. The first cut is the first multiple at least
//!   `reach` after the start of the row; the next cuts follow at each multiple.
//!
//! A row never spans more than two reaches. Because cuts are at fixed positions, a look-back of
//! three reaches ([`Starts::LOOK_BACK`]) suffices, even though it begins as if at the start of a
//! file. Suppose that the first record in it actually continues an older entry. That record is then
//! at most one reach after the start of the look-back. Both the actual row and the assumed one,
//! which begins with that record, are cut within the next two reaches, and from there on at the
//! same multiples.
//!
//! Invariant: after [`Starts::record`], the stream is open exactly if the record was a `P`.

use std::num::NonZeroU64;

use super::bounds::multiple_from;
use crate::cri::{PerStream, Stream, Tag};

/// The open entries of both streams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Starts {
    pub(super) open: PerStream<Option<Open>>,
    reach: NonZeroU64,
}

/// An entry whose last record so far was a `P`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// The offset of that record.
    pub last: u64,
    /// The offset from which pieces no longer belong to the row.
    pub end: u64,
}

impl Starts {
    /// An unlimited reach: pieces are joined at any distance.
    pub const UNBOUNDED: NonZeroU64 = NonZeroU64::MAX;

    /// The look-back, in reaches, that suffices to determine the state at an offset.
    pub const LOOK_BACK: u64 = 3;

    /// Returns the state at the start of a file.
    pub const fn new(reach: NonZeroU64) -> Self {
        Self { open: PerStream { stdout: None, stderr: None }, reach }
    }

    /// Adds the next record, which begins at `offset`. Returns true if it begins a row.
    pub fn record(&mut self, offset: u64, stream: Stream, tag: Tag) -> bool {
        let linked =
            self.open(stream).filter(|open| offset.saturating_sub(open.last) <= self.reach.get());
        let joined = linked.filter(|open| offset < open.end);
        *self.open.get_mut(stream) = match tag {
            Tag::Full => None,
            Tag::Partial => {
                let end = match (joined, linked) {
                    (Some(open), _) => open.end,
                    (None, Some(_)) => self.multiple_after(offset),
                    (None, None) => self.first_cut(offset),
                };
                Some(Open { last: offset, end })
            }
        };
        joined.is_none()
    }

    /// Returns true if the last record of the stream was a `P`. If not, its next record begins a
    /// row.
    pub fn is_open(&self, stream: Stream) -> bool {
        self.open(stream).is_some()
    }

    /// Returns true if a piece of the stream at `offset` would still belong to the open row.
    pub fn reaches(&self, offset: u64, stream: Stream) -> bool {
        let open = self.open(stream);
        open.is_some_and(|open| {
            offset < open.end && offset.saturating_sub(open.last) <= self.reach.get()
        })
    }

    /// Returns true if an entry of either stream is open and within reach of a piece at `offset`.
    pub fn is_open_at(&self, offset: u64) -> bool {
        let mut open = Stream::ALL.into_iter().filter_map(|stream| self.open(stream));
        open.any(|open| offset.saturating_sub(open.last) <= self.reach.get())
    }

    /// Returns the state for reading on from `offset` with pieces joined at any distance. Entries
    /// that are out of reach at `offset` are closed. A row that stays open still ends at its next
    /// cut.
    pub fn unbounded_from(mut self, offset: u64) -> Self {
        for stream in Stream::ALL {
            if !self.reaches(offset, stream) {
                *self.open.get_mut(stream) = None;
            }
        }
        self.reach = Self::UNBOUNDED;
        self
    }

    const fn open(&self, stream: Stream) -> Option<Open> {
        *self.open.get(stream)
    }

    fn multiple_after(&self, offset: u64) -> u64 {
        multiple_from(offset.saturating_add(1), self.reach)
    }

    fn first_cut(&self, offset: u64) -> u64 {
        multiple_from(offset.saturating_add(self.reach.get()), self.reach)
    }
}
