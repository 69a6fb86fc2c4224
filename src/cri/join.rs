//! Records -> entries, per stream.

use super::{Record, Stream};
use crate::time::Time;

/// One entry of a stream, its pieces joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// Which stream it belongs to.
    pub stream: Stream,
    /// The time of its first piece.
    pub first_at: Time,
    /// The time of its last piece.
    pub last_at: Time,
    /// The pieces' contents, nothing between them.
    pub content: Vec<u8>,
    /// Whether an `F` ended it. If not, no newline may be invented.
    pub complete: bool,
}

/// Joins the records of a file.
#[derive(Default)]
pub struct Joiner {}

impl Joiner {
    /// Takes the next record; gives the entry that it completes.
    pub fn push(&mut self, record: &Record<'_>) -> Option<Joined> {
        let _ = record;
        todo!()
    }

    /// The entries left open at the end of the file, in the order of their first pieces.
    #[must_use]
    pub fn finish(self) -> Vec<Joined> {
        todo!()
    }
}
