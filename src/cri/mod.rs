//! The Kubernetes CRI log format, as pure functions over bytes.
//!
//! ```text
//! 2026-01-02T03:04:05.123456789Z stdout F content…LF
//! └ timestamp, RFC 3339          │      │ └ bytes, verbatim, up to LF
//!                                │      └ tag: F ends the entry, P continues it in a later record
//!                                │        of the same stream
//!                                └ stream: stdout or stderr, two independent byte streams in one
//!                                  file
//! ```
//!
//! [`parse`] reads one line, and [`HeaderScanner`] reads its header without computing the time.
//! [`Encoder`] is the inverse of [`parse`]: an `F` record stands for its content and a LF, a `P`
//! record for its content alone. Joined in order, they give the bytes of a stream. Nothing in this
//! module does I/O.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod encode;
mod header_scan;
mod parse;

#[cfg(test)]
#[path = "../../tests/it/support/joiner.rs"]
pub(crate) mod joiner;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Time;

pub use encode::{Encoder, MAX_CONTENT};
pub use header_scan::{HeaderScanner, ScannedHeader};
pub use parse::parse;
#[doc(hidden)]
pub use parse::parse_by_nom;

/// The stream to which the bytes were written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Both streams.
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// Returns the word in a record: `stdout` or `stderr`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// A value for each stream.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct PerStream<T> {
    /// The value of standard output.
    pub stdout: T,
    /// The value of standard error.
    pub stderr: T,
}

impl<T> PerStream<T> {
    /// Applies a function to both values.
    #[must_use]
    pub fn map<U>(self, of: impl Fn(T) -> U) -> PerStream<U> {
        PerStream { stdout: of(self.stdout), stderr: of(self.stderr) }
    }

    /// Returns the value of a stream.
    #[must_use]
    #[inline]
    pub const fn get(&self, stream: Stream) -> &T {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    /// Returns the value of a stream for mutation.
    #[must_use]
    #[inline]
    pub const fn get_mut(&mut self, stream: Stream) -> &mut T {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

/// The tag of a record: it ends its entry or leaves it open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum Tag {
    /// `P`: the entry continues in a later record of the same stream.
    #[serde(rename = "P")]
    Partial,
    /// `F`: the entry ends here, and a newline follows it in the stream.
    #[serde(rename = "F")]
    Full,
}

/// One physical line of a log, borrowed from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// The time at which the record was written, converted from the offset in the line to UTC.
    pub at: Time,
    /// The stream of the record.
    pub stream: Stream,
    /// The tag: `F` ends the entry, `P` continues it.
    pub tag: Tag,
    /// The content: any bytes but LF.
    pub content: &'a [u8],
}

/// A line that is not a record. This is data, not an error; the caller has the bytes of the line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Malformed {
    /// The kind of defect.
    pub reason: Reason,
    /// The position in bytes, from 1, of the wrong number, separator or field. If the line ends
    /// before it or within the stream field, this is the position after the last byte. If the line
    /// ends within a number, this is the position of the number.
    pub column: usize,
}

/// The reason why a line is not a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// The line is empty.
    Blank,
    /// The line does not begin with an RFC 3339 date-time and a space.
    Timestamp,
    /// The line begins with a date, time or offset that does not exist.
    Calendar,
    /// The field after the timestamp is neither `stdout` nor `stderr`.
    Stream,
    /// The first tag of the field after the stream is neither `P` nor `F`.
    Tag,
    /// The line ends within its header, after a complete timestamp, as when its writer was stopped.
    Torn,
    /// The line is a continuation of a line that is too long for one row. File readers use this
    /// reason; [`parse`] never returns it.
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
