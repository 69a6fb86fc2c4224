//! Scanner for the stream and tag of a record. It validates the time without computing it, which is
//! enough for counting and copying and takes a fraction of the time of [`super::parse`].
//!
//! The scanner accepts the shape of nearly all lines: a time in UTC, one tag and the third space.
//! It leaves all other lines to [`super::parse`]; a property test checks that the two agree. It
//! validates the date once per minute of the log, because lines of the same minute begin with the
//! same bytes.

use super::parse::{Shape, UsualHeader, padded, split_header, stream_and_tag, usual_time, word};
use super::{Stream, Tag};

/// The header of a line, without its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScannedHeader {
    /// The stream of the record.
    pub stream: Stream,
    /// The tag: `F` ends the entry, `P` continues it.
    pub tag: Tag,
    /// The byte offset in the line at which the content begins.
    pub content_at: usize,
}

/// A scanner for the headers of lines. It caches the minute of the last line.
#[derive(Clone, Copy, Debug)]
pub struct HeaderScanner {
    /// The beginning of a valid time, down to the minute.
    minute: [u8; 16],
}

impl Default for HeaderScanner {
    fn default() -> Self {
        Self { minute: *b"0000-01-01T00:00" }
    }
}

impl HeaderScanner {
    /// Scans the header of the line at the start of `bytes`; the rest of the line is not examined.
    /// Returns `None` if the header is invalid or has an unusual shape: only [`super::parse`] can
    /// decide between these.
    #[inline]
    pub fn scan(&mut self, bytes: &[u8]) -> Option<ScannedHeader> {
        match split_header(bytes) {
            Some((header, _)) => self.header(header, header.len()),
            None => self.trimmed(bytes),
        }
    }

    /// Scans a header with fewer than 9 fraction digits. Not inlined, to keep the usual path short.
    #[inline(never)]
    fn trimmed(&mut self, bytes: &[u8]) -> Option<ScannedHeader> {
        let (header, content_at) = padded(bytes)?;
        self.header(&header, content_at)
    }

    #[inline]
    fn header(&mut self, header: &UsualHeader, content_at: usize) -> Option<ScannedHeader> {
        let (stream, tag) = stream_and_tag(header)?;
        let minute = header.first_chunk()?;
        if *minute == self.minute {
            let is_time = const { Shape::new(*b":59.9999") }.matches(word(header, 16))
                && const { Shape::new(*b"9999999Z") }.matches(word(header, 22));
            is_time.then_some(())?;
        } else {
            usual_time(header)?;
            self.minute = *minute;
        }
        Some(ScannedHeader { stream, tag, content_at })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::cri::parse;

    /// Generates lines with up to nine fraction digits. Their times are in one of four minutes; one
    /// of these minutes does not exist (on February 30).
    fn any_line() -> impl Strategy<Value = Vec<u8>> {
        let minute = prop::sample::select(vec![
            "2026-01-02T03:04",
            "2026-02-30T03:04",
            "2026-01-02T03:05",
            "0000-01-01T00:00",
        ]);
        let end = prop::sample::select(vec![
            " stdout F ",
            " stderr P ",
            " stdout P:x ",
            " stdout F",
            " stdin F ",
        ]);
        (minute, 0..70_u32, 0..1_000_000_000_u32, 0..11_usize, end).prop_map(
            |(minute, second, nanos, digits, end)| {
                let fraction = format!(".{nanos:09}");
                let fraction = &fraction[..digits.min(fraction.len())];
                format!("{minute}:{second:02}{fraction}Z{end}x Z\n").into_bytes()
            },
        )
    }

    proptest! {
        #[test]
        fn a_scanned_header_equals_the_parsed_one(
            lines in vec((any_line(), vec((0..50_usize, any::<u8>()), 0..2)), 1..6),
        ) {
            let mut scanner = HeaderScanner::default();
            for (mut line, edits) in lines {
                for (at, byte) in edits {
                    let at = at % line.len();
                    line[at] = byte;
                }
                if let Some(scanned) = scanner.scan(&line) {
                    let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
                    let record = parse(&line[..end]).unwrap();
                    let content = &line[scanned.content_at..end];
                    prop_assert_eq!(
                        (scanned.stream, scanned.tag, content),
                        (record.stream, record.tag, record.content)
                    );
                }
            }
        }
    }

    #[test]
    fn headers_of_known_recorders_can_be_scanned() {
        let mut scanner = HeaderScanner::default();
        for time in ["05.123456789", "59.12345678", "00.1", "05"] {
            let line = format!("2026-01-02T03:04:{time}Z stderr P x");
            let expected = ScannedHeader {
                stream: Stream::Stderr,
                tag: Tag::Partial,
                content_at: line.len() - 1,
            };
            assert_eq!(scanner.scan(line.as_bytes()), Some(expected), "{time}");
            assert_eq!(scanner.scan(line.as_bytes()), Some(expected), "{time} again");
        }
        for time in ["60.123456789", "05.", "05.12345678x", "05,123456789"] {
            assert_eq!(
                scanner.scan(format!("2026-01-02T03:04:{time}Z stderr P x").as_bytes()),
                None,
                "{time}"
            );
        }
    }

    #[test]
    fn a_line_of_nul_bytes_has_no_minute() {
        let line = [&[0; 16][..], b":05.123456789Z stdout F x"].concat();
        assert_eq!(HeaderScanner::default().scan(&line), None);
    }
}
