//! Reading logs of any size: a window of rows from a byte offset, an index that only adds what a
//! window cannot know.
//!
//! The anchor is a byte offset, never a row number: any place opens with a short read, whatever the
//! size of the file. A row is what a reader sees as one line: a full record, the `P…PF` pieces of
//! one stream joined, or one malformed line; in a log of plain text ([`Format`]), one line.
//! **Rows are ordered by their first record**; a record is the first of a row when it does not
//! continue an open `P` of its stream. An entry that was opened, never closed and holds no byte is
//! no row.
//!
//! ```text
//! path   names -> where logs lie          start  which records begin a row (pure)
//! bounds where lines begin                lines  bytes -> physical lines           format CRI or plain text
//! rows   lines -> rows, streaming         window the rows around an anchor         index  bytes -> row numbers (pure)
//! file   path, what changed               feed   a file -> its index               times  where a time or a gap lies
//! file_state  which file the name means             live   rows as they end          inside directories that others made
//! ```
//!
//! A window and the index join pieces that lie up to 256 KiB apart into rows that stretch over up
//! to 512 KiB of the file (see `start`), so that both need but a bounded look around. Reading a log
//! from its start ([`LogFile::rows`]) and its totals ([`LogFile::totals`]) join however far apart
//! the pieces lie. What is cut apart is never lost: it is a row of its own, and the row
//! before it is not `complete`. A line longer than 100 MiB is cut into rows too (see `bounds`).
//!
//! Offsets and counts saturate: a file may claim any size.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod beneath;
mod bounds;
mod feed;
mod file;
mod format;
mod index;
mod lines;
mod live;
pub mod path;
mod rotation;
mod rows;
mod start;
#[cfg(test)]
mod tests;
mod times;
mod window;

use crate::cri::{Malformed, Stream};
use crate::time::Time;

pub use file::{Change, LogFile};
pub use format::Format;
pub use index::{BlockStart, Index, Totals};
pub use lines::{Line, Lines, MAX_LINE_BYTES, MAX_STREAM_LINE_BYTES};
pub use live::{Batch, LiveRows};
pub use rotation::{FileState, Name};
pub use rows::{Checkpoint, Rows};
pub use window::WINDOW_ROW_BYTES;

/// What a reader sees as one line.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Row {
    /// Where its first record or its line begins, in bytes from the start of the file: the row's
    /// lasting name.
    pub offset: u64,
    /// The time of its first record; `None` for a line that is none.
    pub at: Option<Time>,
    /// The time of its last record.
    pub last_at: Option<Time>,
    /// Its stream; `None` for a line that is no record.
    pub stream: Option<Stream>,
    /// Its bytes without the newline: the contents of its pieces, or the line that is no record as
    /// it stands.
    pub text: Vec<u8>,
    /// How many of its first bytes `text` leaves out because a reader of bounded memory keeps the
    /// last state of a row that overwrote itself.
    pub overwritten_bytes: u64,
    /// How many of its bytes `text` leaves out because the row is longer than the reader's cap.
    pub cut_bytes: u64,
    /// Whether a newline ended it: an `F`, or the LF of a line that is no record.
    pub complete: bool,
    /// Why it is no record, where it should be one.
    pub malformed: Option<Malformed>,
    /// Its pieces behind the first, as far as `text` holds them: what was printed when.
    pub pieces: Vec<Piece>,
}

/// A piece of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Where it begins in the text of the row, in bytes.
    pub start: usize,
    /// Its time.
    pub at: Time,
}

/// What the last line of a file is while no LF ends it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Tail {
    /// Nothing yet: the writer may be in the middle of it.
    Hold,
    /// A line like the others: nobody writes any more.
    Emit,
}

/// Where a window lies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Anchor {
    /// The first row that begins at or after this byte offset is the window's first.
    From(u64),
    /// The window's rows are the last ones that begin before this byte offset.
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

/// Some rows in a row.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Window {
    /// The rows, in order.
    pub rows: Vec<Row>,
    /// Whether nothing comes before them.
    pub at_start: bool,
    /// Whether nothing comes after them (yet).
    pub at_end: bool,
    /// The size of the file when they were read.
    pub file_bytes: u64,
}
