//! Joiner of records to entries, per stream: the oracle for the log reader and the recorder.
//!
//! The streams are independent. Between two pieces of an entry there may be any number of records
//! of the other stream, and of malformed lines, which are not passed to the joiner. Pieces are
//! joined as bytes, because a split may fall inside a character. The length of an entry is not
//! limited: a caller that reads untrusted files sets the bound.

use rundown::cri::{Record, Stream, Tag};
use rundown::time::Time;

/// One entry of a stream, its pieces joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The stream of the entry.
    pub stream: Stream,
    /// The time of its first piece.
    pub first_at: Time,
    /// The time of its last piece.
    pub last_at: Time,
    /// The contents of the pieces, with nothing between them.
    pub content: Vec<u8>,
    /// True if an `F` ended the entry. If false, no newline may be added.
    pub complete: bool,
}

/// A joiner for the records of a file.
#[derive(Clone, Default, Debug)]
pub struct Joiner {
    /// At most one entry per stream, in the order of their first pieces. Times cannot give this
    /// order, because they may go backward.
    open: Vec<Joined>,
}

impl Joiner {
    /// Adds the next record. Returns the entry that it completes.
    pub fn push(&mut self, record: &Record<'_>) -> Option<Joined> {
        let open = self.open.iter().position(|entry| entry.stream == record.stream);
        let mut entry = match open {
            Some(at) => self.open.remove(at),
            None => empty(record),
        };
        append(&mut entry, record);
        if record.tag == Tag::Full {
            return Some(entry);
        }
        self.open.insert(open.unwrap_or(self.open.len()), entry);
        None
    }

    /// Returns the entries left open at the end of the file, in the order of their first pieces.
    /// Omits entries without content.
    #[must_use]
    pub fn finish(mut self) -> Vec<Joined> {
        self.open.retain(|entry| !entry.content.is_empty());
        self.open
    }
}

/// Returns the entry that begins with a record, without the record's content.
const fn empty(record: &Record<'_>) -> Joined {
    Joined {
        stream: record.stream,
        first_at: record.at,
        last_at: record.at,
        content: Vec::new(),
        complete: false,
    }
}

fn append(entry: &mut Joined, record: &Record<'_>) {
    entry.last_at = record.at;
    entry.content.extend_from_slice(record.content);
    entry.complete = record.tag == Tag::Full;
}
