//! Detection of the format of a log: CRI records or plain text.
//!
//! Not every log of a store is a CRI log. A run's own log is text, and programs that fill a store
//! with sample data for development write text in place of the logs of commands. A line of text may
//! look like a record (the lines of a run's own log begin with a time), so the format is detected
//! once per log, never per line.
//!
//! Only a file that is named like a log of a store can be plain. In any other file, lines that are
//! not records are reported as malformed.

use std::ffi::OsStr;
use std::io;

use serde::{Deserialize, Serialize};

use super::lines::{Limits, Line, View};
use super::path;
use crate::cri::{self, Malformed, Reason, Record};

/// The number of bytes at the start of a log that decide its format.
pub(super) const DETECTION_BYTES: u64 = 64 << 10;

/// The read size. Usually the first line of a CRI log decides.
const BUFFER_BYTES: usize = 4 << 10;

/// The format of the lines of a log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(rename = "LogFormat"))]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// CRI records; all other lines are malformed.
    Cri,
    /// Text: each line is a row without a stream or a time, and is never malformed.
    Plain,
}

impl Format {
    /// Parses one line, without its LF.
    ///
    /// # Errors
    /// Returns [`Malformed`] for a line that is not a record, as [`cri::parse`] does, and `None`
    /// for a line of plain text. Both are data for the caller.
    #[inline]
    pub fn parse(self, line: &[u8]) -> Result<Record<'_>, Option<Malformed>> {
        match self {
            Self::Cri => cri::parse(line).map_err(Some),
            Self::Plain => Err(None),
        }
    }

    /// Parses as [`Self::parse`] does, except that the rest of a cut line is never a record.
    ///
    /// # Errors
    /// As [`Self::parse`].
    #[inline]
    pub fn parse_line<'a>(self, line: &Line<'a>) -> Result<Record<'a>, Option<Malformed>> {
        if line.is_rest { Err(self.rest()) } else { self.parse(line.bytes) }
    }

    /// Returns the parse error for the rest of a cut line.
    pub(super) fn rest(self) -> Option<Malformed> {
        (self == Self::Cri).then_some(Malformed { reason: Reason::Rest, column: 1 })
    }

    /// Detects the format of the log in `view` by the name of its file and its first lines. A run's
    /// own log is plain. A command's log is plain if its first lines contain text, but no record
    /// and no line that begins like one; otherwise it is a CRI log for now. Any other file is a CRI
    /// log.
    pub(super) fn of(name: Option<&OsStr>, view: View<'_>) -> io::Result<Self> {
        match name.and_then(OsStr::to_str) {
            Some(path::RUN_LOG) => Ok(Self::Plain),
            Some(name) if path::log_number(name).is_some() => Self::detect_by_lines(view),
            _ => Ok(Self::Cri),
        }
    }

    fn detect_by_lines(view: View<'_>) -> io::Result<Self> {
        let limits = Limits { buffer: BUFFER_BYTES, ..Limits::USUAL };
        let mut lines = View { end: view.end.min(DETECTION_BYTES), limits, ..view }.lines(0);
        let mut format = Self::Cri;
        while let Some(line) = lines.next()? {
            match cri::parse(line.bytes) {
                Err(Malformed { reason: Reason::Blank, .. }) => {}
                // This line has no LF yet and may become a record, so it is ignored after a line of
                // plain text.
                _ if !line.terminated && format == Self::Plain => {}
                Err(Malformed { reason: Reason::Timestamp, .. })
                    if line.terminated || !may_become_record(line.bytes) =>
                {
                    format = Self::Plain;
                }
                Ok(_) | Err(_) => return Ok(Self::Cri),
            }
        }
        Ok(format)
    }
}

/// Returns true if bytes without a LF may be the beginning of a record.
fn may_become_record(bytes: &[u8]) -> bool {
    let fits = |(byte, shape): (&u8, &u8)| {
        if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape }
    };
    bytes.iter().zip(b"0000-00-00T00:00:00").all(fits)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn format_of(name: &str, bytes: &[u8]) -> Format {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let view = View {
            source: &file,
            end: bytes.len() as u64,
            limits: Limits::USUAL,
            format: Format::Cri,
        };
        Format::of(Some(OsStr::new(name)), view).unwrap()
    }

    const RECORD: &[u8] = b"2026-01-02T03:04:05Z stdout F x\n";

    #[test]
    fn unknown_names_are_cri_logs_and_the_log_of_a_run_is_plain_text() {
        for name in ["app.log", "0.log", "sh-0.log", "sh-01.log", "sh-1.log.gz", "sh-1"] {
            assert_eq!(format_of(name, b"hello\n"), Format::Cri, "{name}");
        }
        assert_eq!(format_of("sh-12.log", b"hello\n"), Format::Plain);
        assert_eq!(format_of("quire-ci.log", RECORD), Format::Plain);
        assert_eq!(format_of("quire-ci.log", b""), Format::Plain);
    }

    #[test]
    fn a_command_log_is_plain_text_if_no_line_resembles_a_record() {
        let is_plain = |bytes: &[u8]| format_of("sh-1.log", bytes) == Format::Plain;
        for text in [
            &b"\n\nhello\n"[..],
            b"hello\n2026-01-02T03:04:05Z stdout F a record if a LF comes",
            b"2026-01-02 is a date\n",
            b"\0\xff\n",
            b"20 lines\n",
            b"hello, no LF yet",
            b"\n\nhello, no LF yet",
        ] {
            assert!(is_plain(text), "{:?}", text.escape_ascii());
        }
        for records in [
            &b""[..],
            b"\n\n",
            RECORD,
            b"2026-01-02T03:04:05Z stdout F no LF yet",
            b"2026-01-02T03:04:05Z std",
            b"2026-01-02T03:0",
            b"20",
            b"hello\n2026-13-02T03:04:05Z stdout F x\n",
            b"hello\n2026-01-02T03:04:05Z stdin F x\n",
            b"hello\n2026-01-02T03:04:05Z stdout Q x\n",
            b"hello\n2026-01-02T03:04:05Z stdout\n",
        ] {
            assert!(!is_plain(records), "{:?}", records.escape_ascii());
        }
    }

    #[test]
    fn the_first_64_kib_decide_the_format_even_if_they_are_one_line() {
        let limit = usize::try_from(DETECTION_BYTES).unwrap();
        let text = |len: usize| [vec![b'x'; len - 1], b"\n".to_vec()].concat();
        assert_eq!(
            format_of("sh-1.log", &[&text(limit - RECORD.len()), RECORD].concat()),
            Format::Cri
        );
        assert_eq!(format_of("sh-1.log", &[&text(limit), RECORD].concat()), Format::Plain);
        assert_eq!(format_of("sh-1.log", &[&text(2 * limit), RECORD].concat()), Format::Plain);
        let long = [RECORD.trim_ascii_end(), &text(2 * limit)].concat();
        assert_eq!(format_of("sh-1.log", &long), Format::Cri);
    }
}
