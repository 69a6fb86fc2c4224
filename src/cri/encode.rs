//! Encoder from the bytes of a stream to records; the inverse of [`super::parse`].
//!
//! Every record has a header of 40 bytes: a UTC time with 9 fraction digits and `Z`, the stream,
//! the tag, and the third space even if the content is empty. Every reader of the format accepts
//! such times, and they sort correctly as text. Content bytes never change: CR is kept, an entry
//! may be split within a character, and no newline is added to an unterminated end. All records of
//! one [`Encoder::write`] have the time passed to it. The encoder uses no file and no clock.

use std::num::NonZeroUsize;

use memchr::memchr;

use super::{PerStream, Stream, Tag};
use crate::time::Time;

/// The maximum number of content bytes in a record: the default of containerd and Docker.
pub const MAX_CONTENT: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: the range of four-digit years.
const YEARS_SECS: (i64, i64) = (-62_167_219_200, 253_402_300_799);

/// An encoder that turns the bytes of two streams into records.
#[derive(Clone, Debug)]
pub struct Encoder {
    max_content: usize,
    /// Bytes since the last record of each stream: no LF, and at most `max_content` bytes.
    pending: PerStream<Vec<u8>>,
}

impl Encoder {
    /// Creates an encoder that splits entries at `max_content` bytes. With `None`, entries are
    /// never split, and an entry is held in memory until its newline.
    #[must_use]
    pub fn new(max_content: Option<NonZeroUsize>) -> Self {
        Self {
            max_content: max_content.map_or(usize::MAX, NonZeroUsize::get),
            pending: PerStream::default(),
        }
    }

    /// Encodes bytes of a stream, read at `at`, and appends the records that they complete to
    /// `out`. An unterminated end of up to `max_content` bytes stays pending. Only a byte beyond
    /// that causes a `P` record, so an entry of exactly `max_content` bytes becomes one `F` record.
    ///
    /// A time before the year 0 or after 9999, which a record cannot represent, is clamped.
    pub fn write(&mut self, stream: Stream, at: Time, bytes: &[u8], out: &mut Vec<u8>) {
        let header = Header::new(at, stream);
        let mut unterminated = bytes;
        while let Some(lf) = memchr(b'\n', unterminated)
            && let Some((line, [_, behind @ ..])) = unterminated.split_at_checked(lf)
        {
            let rest = self.split(&header, line, out);
            let pending = self.pending.get_mut(stream);
            header.record(Tag::Full, [pending, rest], out);
            pending.clear();
            unterminated = behind;
        }
        let rest = self.split(&header, unterminated, out);
        self.pending.get_mut(stream).extend_from_slice(rest);
    }

    /// Returns true if bytes of a stream are waiting for their newline.
    #[must_use]
    pub fn has_pending(&self, stream: Stream) -> bool {
        !self.pending.get(stream).is_empty()
    }

    /// Appends the pending bytes of a stream, if any, as a `P` record. Call this at the end of a
    /// stream, or when no bytes of the stream have arrived for a while.
    pub fn flush(&mut self, stream: Stream, at: Time, out: &mut Vec<u8>) {
        let pending = self.pending.get_mut(stream);
        if !pending.is_empty() {
            Header::new(at, stream).record(Tag::Partial, [pending, &[]], out);
            pending.clear();
        }
    }

    /// Writes `P` records while the pending bytes and `piece` exceed one record. Returns the rest
    /// of `piece`.
    fn split<'a>(&mut self, header: &Header, mut piece: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let pending = self.pending.get_mut(header.stream);
        while let Some((now, later)) =
            piece.split_at_checked(self.max_content.saturating_sub(pending.len()))
            && !later.is_empty()
        {
            header.record(Tag::Partial, [pending, now], out);
            pending.clear();
            piece = later;
        }
        piece
    }
}

/// The part of the header that all records of one write share.
struct Header {
    stream: Stream,
    /// `2026-01-02T03:04:05.123456789Z stdout `
    text: String,
}

impl Header {
    fn new(at: Time, stream: Stream) -> Self {
        let (first, last) = YEARS_SECS;
        let at = match at.unix_secs() {
            secs if secs < first => Time::from_unix(first, 0),
            secs if secs > last => Time::from_unix(last, u32::MAX),
            _ => at,
        };
        Self { stream, text: format!("{} {} ", at.rfc3339_nanos(), stream.as_str()) }
    }

    fn record(&self, tag: Tag, [first, second]: [&[u8]; 2], out: &mut Vec<u8>) {
        let tag: &[u8] = match tag {
            Tag::Full => b"F ",
            Tag::Partial => b"P ",
        };
        let parts = [self.text.as_bytes(), tag, first, second, b"\n"];
        out.reserve(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            out.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cri::parse;

    const AT: Time = Time::from_unix(1_767_323_045, 120_000_000);
    const HEAD: &str = "2026-01-02T03:04:05.120000000Z";

    fn encoder(max_content: usize) -> Encoder {
        Encoder::new(NonZeroUsize::new(max_content))
    }

    fn text(out: &[u8]) -> &str {
        std::str::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_is_one_full_record_with_nine_digits_and_a_space_even_if_empty() {
        let mut out = Vec::new();
        encoder(10).write(Stream::Stderr, AT, b"a\r\n\n", &mut out);
        assert_eq!(text(&out), format!("{HEAD} stderr F a\r\n{HEAD} stderr F \n"));
    }

    #[test]
    fn an_entry_is_split_only_when_a_byte_exceeds_the_limit() {
        let (mut encoder, mut out) = (encoder(3), Vec::new());
        encoder.write(Stream::Stdout, AT, b"abc", &mut out);
        assert_eq!(text(&out), "");
        encoder.write(Stream::Stdout, AT, b"\nabc", &mut out);
        assert_eq!(text(&out), format!("{HEAD} stdout F abc\n"));
        out.clear();
        encoder.write(Stream::Stdout, AT, b"d", &mut out);
        assert_eq!(text(&out), format!("{HEAD} stdout P abc\n"));
        assert!(encoder.has_pending(Stream::Stdout));
    }

    #[test]
    fn an_unterminated_end_is_a_partial_record_and_flushed_once() {
        let (mut encoder, mut out) = (encoder(10), Vec::new());
        encoder.write(Stream::Stdout, AT, b"prompt> ", &mut out);
        encoder.flush(Stream::Stderr, AT, &mut out);
        assert!(encoder.has_pending(Stream::Stdout) && !encoder.has_pending(Stream::Stderr));
        encoder.flush(Stream::Stdout, AT, &mut out);
        encoder.flush(Stream::Stdout, AT, &mut out);
        assert_eq!(text(&out), format!("{HEAD} stdout P prompt> \n"));
        assert!(!encoder.has_pending(Stream::Stdout));
    }

    #[test]
    fn an_instant_outside_the_format_becomes_the_nearest_valid_one() {
        for (secs, expected) in [
            (i64::MIN, "0000-01-01T00:00:00.000000000Z"),
            (i64::MAX, "9999-12-31T23:59:59.999999999Z"),
        ] {
            let mut out = Vec::new();
            encoder(10).write(Stream::Stdout, Time::from_unix(secs, 5), b"x\n", &mut out);
            let record = parse(out.trim_ascii_end()).unwrap();
            assert_eq!(record.at.rfc3339_nanos(), expected);
        }
    }
}
