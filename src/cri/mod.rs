//! The Kubernetes CRI log format, as pure functions over bytes.
//!
//! ```text
//! 2026-01-02T03:04:05.123456789Z stdout F content…LF
//! └ timestamp, RFC 3339          │      │ └ bytes, verbatim, up to LF
//!                                │      └ tag: F ends the entry, P goes on in a later record of the same stream
//!                                └ stream: stdout or stderr, two independent byte streams sharing a file
//! ```
//!
//! [`parse`] reads one line, [`HeaderScanner`] all of it but the time, [`Encoder`] is its inverse,
//! [`Joiner`] puts the pieces of a stream together again. An `F` stands for its content and a LF, a
//! `P` for its content alone: so `join(parse(encode(bytes)))` gives a stream's bytes back.
//! Nothing here knows of files.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod encode;
mod header_scan;
mod join;
mod parse;

use std::fmt;

use crate::time::Time;

pub use encode::{Encoder, MAX_CONTENT};
pub use header_scan::{HeaderScanner, ScannedHeader};
pub use join::{Joined, Joiner};
pub use parse::parse;
#[doc(hidden)]
pub use parse::parse_by_nom;

/// Where the bytes were written to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Both streams.
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// The word in a record: `stdout` or `stderr`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// A value for each stream.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PerStream<T> {
    /// The value of standard output.
    pub stdout: T,
    /// The value of standard error.
    pub stderr: T,
}

impl<T> PerStream<T> {
    /// Returns the value of a stream.
    #[must_use]
    #[inline]
    pub const fn get(&self, stream: Stream) -> &T {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    /// Returns the value of a stream, to be changed.
    #[must_use]
    #[inline]
    pub const fn get_mut(&mut self, stream: Stream) -> &mut T {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

/// Whether a record ends its entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Tag {
    /// `P`: the entry goes on in a later record of the same stream.
    Partial,
    /// `F`: the entry ends here; stands for a newline.
    Full,
}

/// One physical line of a log, borrowed from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// When it was written; UTC, whatever offset the line has.
    pub at: Time,
    /// Which stream it belongs to.
    pub stream: Stream,
    /// Whether it ends its entry.
    pub tag: Tag,
    /// What it carries: any bytes but LF.
    pub content: &'a [u8],
}

/// A line that is no record: data, not an error. The caller has its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Malformed {
    /// What is wrong.
    pub reason: Reason,
    /// The byte of the line, from 1, at which it stops being a record: the first of the wrong
    /// number, sign or field, or the one after the last where the line ends too early.
    pub column: usize,
}

/// Why a line is no record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// A line without a byte.
    Blank,
    /// It does not begin with an RFC 3339 date-time and a space.
    Timestamp,
    /// It begins with a date, a time or an offset that exists in no calendar and on no clock.
    Calendar,
    /// The field after the timestamp is neither `stdout` nor `stderr`.
    Stream,
    /// The first tag of the field after the stream is neither `P` nor `F`.
    Tag,
    /// After a whole timestamp the line ends within its header, as when its writer was stopped.
    Torn,
    /// It is what is left of a line too long to be read as one; readers of files say so, [`parse`]
    /// never does.
    Rest,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blank => "blank line",
            Self::Timestamp => "no RFC 3339 timestamp",
            Self::Calendar => "no such date, time or offset",
            Self::Stream => "neither stdout nor stderr",
            Self::Tag => "neither P nor F",
            Self::Torn => "the line ends within its header",
            Self::Rest => "the rest of a line too long for one row",
        })
    }
}
