//! Joiner of records to entries, per stream.
//!
//! The streams are independent. Between two pieces of an entry there may be any number of records
//! of the other stream, and malformed lines, which never get here. Pieces are joined as bytes,
//! because a split may fall inside a character. The length of an entry is not limited: a caller
//! that reads untrusted files sets the bound.

use super::{Record, Stream, Tag};
use crate::time::Time;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn record(secs: i64, stream: Stream, tag: Tag, content: &[u8]) -> Record<'_> {
        Record { at: Time::from_unix(secs, 0), stream, tag, content }
    }

    #[test]
    fn pieces_join_over_records_of_the_other_stream_and_keep_both_times() {
        let mut joiner = Joiner::default();
        assert_eq!(joiner.push(&record(5, Stream::Stdout, Tag::Partial, b"a")), None);
        assert!(joiner.push(&record(6, Stream::Stderr, Tag::Full, b"e")).is_some());
        let entry = joiner.push(&record(7, Stream::Stdout, Tag::Full, b"b")).unwrap();
        assert_eq!((entry.first_at.unix_secs(), entry.last_at.unix_secs()), (5, 7));
        assert_eq!((entry.content.as_slice(), entry.complete), (b"ab".as_slice(), true));
        assert_eq!(joiner.finish(), []);
    }

    #[test]
    fn what_is_left_open_comes_in_the_order_it_began_whatever_the_clock_said() {
        let mut joiner = Joiner::default();
        joiner.push(&record(9, Stream::Stderr, Tag::Partial, b"e"));
        joiner.push(&record(1, Stream::Stdout, Tag::Partial, b"o"));
        let left = joiner.finish();
        assert_eq!(
            left.iter().map(|entry| entry.stream).collect::<Vec<_>>(),
            [Stream::Stderr, Stream::Stdout]
        );
        assert!(left.iter().all(|entry| !entry.complete));
    }

    #[test]
    fn an_empty_partial_left_open_is_nothing_but_one_that_is_closed_is_an_empty_line() {
        let mut joiner = Joiner::default();
        joiner.push(&record(1, Stream::Stdout, Tag::Partial, b""));
        assert_eq!(joiner.clone().finish(), []);
        assert_eq!(joiner.push(&record(2, Stream::Stdout, Tag::Full, b"")).unwrap().content, b"");
    }
}
