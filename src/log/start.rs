//! Which records begin a row: pure state, shared by everything that counts or shows rows so that
//! all agree.
//!
//! A record begins a row unless it continues an open `P` of its stream. How far a row may stretch
//! over the file is bounded by a *reach*, so that a window can tell from a bounded look-back what
//! it shows, and so that two windows never disagree:
//!
//! - a piece more than `reach` bytes behind the one before it begins a row of its own;
//! - a row that stretches over more than `reach` bytes is cut at a multiple of `reach`: the first
//!   piece at or after it begins a row of its own. The first cut is the first multiple at least
//!   `reach` behind the row's beginning, the next ones follow at each multiple.
//!
//! Cutting at fixed places is what makes a look-back of [`Starts::LOOK_BACK`] reaches enough, begun
//! as if at the start of a file. Where the first record that it meets really goes on an older
//! entry, that record lies in its first third; both the true row and the supposed one are cut by
//! the end of the second third, and from there on at the same multiples. A row never stretches over
//! more than two reaches.
//!
//! Invariant: a stream is open here exactly when its last record was a `P`.

use std::num::NonZeroU64;

use super::bounds::multiple_from;
use crate::cri::{PerStream, Stream, Tag};

/// The open entries of both streams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Starts {
    open: PerStream<Option<Open>>,
    reach: NonZeroU64,
}

/// An entry whose last record so far was a `P`.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Where that record begins.
    last: u64,
    /// Pieces that begin at or after this offset are not the row's.
    end: u64,
}

impl Starts {
    /// A reach without bounds: pieces are joined however far apart they lie.
    pub const UNBOUNDED: NonZeroU64 = NonZeroU64::MAX;

    /// From how many reaches before an offset on the records suffice to know the state at it.
    pub const LOOK_BACK: u64 = 3;

    /// The state at the start of a file.
    pub const fn new(reach: NonZeroU64) -> Self {
        Self { open: PerStream { stdout: None, stderr: None }, reach }
    }

    /// Takes the next record, which begins at `offset`: whether it begins a row.
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

    /// Whether the last record of the stream was a `P`: if not, its next one begins a row.
    pub fn is_open(&self, stream: Stream) -> bool {
        self.open(stream).is_some()
    }

    /// Whether a piece of the stream at `offset` would still belong to the open row.
    pub fn reaches(&self, offset: u64, stream: Stream) -> bool {
        let open = self.open(stream);
        open.is_some_and(|open| {
            offset < open.end && offset.saturating_sub(open.last) <= self.reach.get()
        })
    }

    /// Whether an entry of either stream is open and in reach of a piece at `offset`.
    pub fn is_open_at(&self, offset: u64) -> bool {
        let mut open = Stream::ALL.into_iter().filter_map(|stream| self.open(stream));
        open.any(|open| offset.saturating_sub(open.last) <= self.reach.get())
    }

    /// The state for reading on from `offset` with pieces joined however far apart they lie: what
    /// is out of reach there stays so.
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
