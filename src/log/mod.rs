//! Readers for logs of any size: windows of rows around a byte offset, and an index that adds the
//! row numbers, totals and times that a window cannot provide.
//!
//! A position is a byte offset, never a row number, so opening any position is a short read,
//! regardless of the size of the file. A row is one line for the user: a full record, the joined
//! `P…PF` pieces of one stream (an *entry*), or one malformed line. In a log of plain text
//! ([`Format`]), every line is a row. **Rows are ordered by their first record.** A record begins a
//! row unless it continues an entry of its stream that a `P` left open. An entry without an `F` and
//! without any content is not a row.
//!
//! ```text
//! path      names -> paths of logs          start   which records begin a row (pure)
//! bounds    line boundaries                 lines   bytes -> physical lines
//! rows      lines -> rows, streaming        format  CRI or plain text
//! window    the rows around an anchor       index   bytes -> row numbers (pure)
//! file      an open log and its changes     feed    a file -> its index
//! rotation  the file that has the name now  times   positions of times and gaps
//! live      rows as they end                beneath files within one directory
//! hold      the locks of recorders        shortened a log without its middle
//! location  where a log is                source   its bytes, wherever they are
//! seekable  compressed logs               packed   logs in a bundle
//! spool     unpacked copies               stored   facts beside a log
//! container bundles                       object   objects of a server
//! ```
//!
//! Windows and the index join only pieces that are at most 256 KiB apart, and a joined row spans at
//! most 512 KiB of the file (see `start`). So both need only a bounded look-back.
//! [`LogFile::rows`] and [`LogFile::index`] join pieces at any distance. A piece that is not
//! joined is never lost: it begins a row of its own, and the row before it is not `complete`. A
//! line longer than 100 MiB is also cut into rows (see `bounds`).
//!
//! Arithmetic on offsets and counts saturates, because the reported size of a file may be any
//! number.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod ahead;
mod beneath;
mod bounds;
#[cfg(feature = "remote")]
mod cache;
mod container;
mod feed;
mod file;
mod format;
mod hold;
mod index;
mod lines;
mod live;
mod location;
#[cfg(feature = "remote")]
mod object;
mod packed;
pub mod path;
#[cfg(feature = "remote")]
mod pieces;
mod rotation;
mod rows;
mod seekable;
mod shortened;
mod source;
mod spool;
mod start;
mod stored;
#[cfg(test)]
mod tests;
mod times;
mod window;

use crate::cri::{Malformed, Stream};
use crate::time::Time;

pub use ahead::{Reading, RowsAhead};
#[cfg(feature = "remote")]
pub use cache::BlockCache;
pub use container::{Container, ContainerReader};
pub use file::{Change, LogFile};
pub use format::Format;
pub(crate) use hold::{RunHold, has_locked_log, is_recorded, is_replaced};
pub use index::{BlockStart, Index, Totals};
pub use lines::{Line, Lines, MAX_LINE_BYTES, MAX_STREAM_LINE_BYTES};
pub use live::{Batch, LiveRows};
pub use location::{LogPath, PackedLog};
#[cfg(feature = "remote")]
pub use object::{Blocks, Object};
#[cfg(feature = "remote")]
pub use pieces::{Facts, LogPiece, PiecedLog};
pub use rotation::{FileState, Name};
pub use rows::{Checkpoint, Rows};
pub use spool::{Compression, Spool};
pub use stored::Beside;
#[cfg(feature = "remote")]
pub(crate) use stored::unpack_json;
pub(crate) use stored::{pack, unpack};
pub use times::Gap;
pub use window::WINDOW_ROW_BYTES;

/// A unit of a log that the user sees as one line.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Row {
    /// The offset of its first record or line, in bytes from the start of the file. It identifies
    /// the row as long as the file is only appended to.
    pub offset: u64,
    /// The time of its first record; `None` if it is not a record.
    pub at: Option<Time>,
    /// The time of its last record; `None` if it is not a record.
    pub last_at: Option<Time>,
    /// Its stream; `None` if it is not a record.
    pub stream: Option<Stream>,
    /// Its bytes without the newline: the contents of its pieces, or the whole line if it is not a
    /// record.
    pub text: Vec<u8>,
    /// The number of bytes omitted before `text`. A reader that keeps the last state of a row
    /// ([`Rows::keeping_last`]) omits overwritten bytes if the row exceeds the reader's cap.
    pub overwritten_bytes: u64,
    /// The number of bytes omitted after `text`, because they exceed the reader's cap.
    pub cut_bytes: u64,
    /// True if the row has ended: with an `F`, or with the LF of a line that is not a record.
    pub complete: bool,
    /// The reason why a line of a CRI log is not a record; `None` for any other row.
    pub malformed: Option<Malformed>,
    /// The pieces whose bytes are in `text`, without the first piece of the row, at most 4096. They
    /// give the times of the parts of `text`.
    pub pieces: Vec<Piece>,
}

/// A piece of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// The offset in the text of the row at which the piece begins, in bytes.
    pub start: usize,
    /// Its time.
    pub at: Time,
}

/// The treatment of a last line that has no LF yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Tail {
    /// Hold it back: its writer may not have finished it.
    Hold,
    /// Emit it like any other line: no writer is left.
    Emit,
}

/// The position of a window.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Anchor {
    /// The first row of the window is the first one that begins at or after this byte offset.
    From(u64),
    /// The rows of the window are the last ones that begin before this byte offset.
    Before(u64),
    /// The last rows of the file.
    End,
}

/// The direction of a step from a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Towards {
    /// To later rows.
    Down,
    /// To earlier rows.
    Up,
}

impl Towards {
    /// Returns the other direction.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Down => Self::Up,
            Self::Up => Self::Down,
        }
    }
}

/// A range of consecutive rows.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Window {
    /// The rows, in order.
    pub rows: Vec<Row>,
    /// True if no row comes before them.
    pub at_start: bool,
    /// True if no row comes after them (yet).
    pub at_end: bool,
    /// The size of the file at the time of the read.
    pub file_bytes: u64,
}
