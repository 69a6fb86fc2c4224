//! One run being printed: what every format has at hand. Reads logs, writes JSON harmlessly, tells
//! what could not be shown.

use std::collections::VecDeque;
use std::io::{self, Write};

use serde::Serialize;

use super::options::{Format, PrintOptions, Report};
use crate::error::{Error, Result};
use crate::join::{FindingKind, JobNode, LogRef, RunNode, ShNode};
use crate::log::{self, LogFile, Row, Rows, Tail};
use crate::model::{Phase, Run};
use crate::{ci, display, sanitize};

/// The longest row that is printed whole as data; what is longer is cut, and said to be.
pub(super) const ROW_CAP_BYTES: usize = 64 << 20;

/// The longest row of text: colors in it take many times its bytes.
pub(super) const TEXT_ROW_CAP_BYTES: usize = 4 << 20;

/// A run's id, where it has one: logs opened by path have none.
pub(super) fn run_id(run: &Run) -> Option<&str> {
    Some(run.id.as_str()).filter(|id| !id.is_empty())
}

/// One run being printed: what every format has at hand.
pub(super) struct Printing<'a> {
    pub run: &'a RunNode,
    pub look: &'a PrintOptions,
    pub report: Report,
}

impl<'a> Printing<'a> {
    /// The value, or `None` with the error in the report.
    pub(super) fn told<T>(&mut self, result: Result<T>) -> Option<T> {
        result.inspect_err(|error| self.report.unreadable(error)).ok()
    }

    /// An open log. One that was removed after it had been found is missing, not unreadable.
    pub(super) fn open(&mut self, log: &LogRef) -> Option<LogFile> {
        match LogFile::open(&log.path) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                self.report.notices.push(format!("{} was removed meanwhile", log.path.display()));
                None
            }
            opened => self.told(opened),
        }
    }

    /// Whether an unterminated last line may still grow.
    pub(super) fn tail(&self) -> Tail {
        if self.run.head.phase == Phase::Active { Tail::Hold } else { Tail::Emit }
    }

    /// Tells what is odd about the run and not seen in the output; what is not read of it in any
    /// case, for scripts that look at stderr.
    pub(super) fn tell_findings(&mut self, format: Format) {
        let is_told = |kind: &FindingKind| match format {
            Format::Text | Format::Json => {
                matches!(kind, FindingKind::Unreadable(_) | FindingKind::Refused(_))
            }
            Format::Jsonl | Format::Raw | Format::Records => kind.is_loss(),
        };
        let told = self.run.findings.iter().filter(|finding| is_told(&finding.kind));
        self.report.notices.extend(told.map(display::finding_with_place));
    }

    /// Every command with its job.
    pub(super) fn shs(&self) -> impl Iterator<Item = (&'a JobNode, &'a ShNode)> + use<'a> {
        self.run.jobs.iter().flat_map(|job| job.shs.iter().map(move |sh| (job, sh)))
    }

    /// Where in a log the wanted rows begin, in bytes; `None`, with the reason in the report, when
    /// it is not to be printed.
    pub(super) fn tail_start(&mut self, file: &LogFile) -> Option<u64> {
        if self.look.stream.is_some() && file.format() == log::Format::Plain {
            let path = file.path().display();
            self.report.notices.push(format!(
                "{path}: it is plain text, so of no stream, and was left out (--stream)"
            ));
            return None;
        }
        match (self.look.tail, self.look.stream) {
            (None, _) => Some(0),
            (Some(rows), None) => self.told(file.tail_offset(rows, self.tail())),
            (Some(rows), Some(_)) => {
                let mut wanted = self.told(LogRows::open(file, 0, 0, self))?;
                let mut last = VecDeque::new();
                let mut left_out = false;
                while let Some(row) = wanted.next(self) {
                    last.push_back(row.offset);
                    if last.len() > rows {
                        last.pop_front();
                        left_out = true;
                    }
                }
                Some(if left_out { last.front().copied().unwrap_or(file.bytes()) } else { 0 })
            }
        }
    }

    /// As [`Printing::tail_start`], for formats whose output is data alone: what is left out is
    /// told in the report.
    pub(super) fn told_tail_start(&mut self, file: &LogFile) -> Option<u64> {
        let start = self.tail_start(file)?;
        if start > 0 {
            let left_out = format!(
                "{}: the first {} were left out (--tail)",
                file.path().display(),
                display::size(start)
            );
            self.report.notices.push(left_out);
        }
        Some(start)
    }

    /// Where the rows of the run's own log come from.
    pub(super) fn own_place(&self) -> LogPlace<'a> {
        LogPlace { run: run_id(&self.run.head.run), job: None, n: None }
    }

    /// Tells of a line or row too long to be printed whole.
    pub(super) fn tell_cut(&mut self, file: &LogFile, cut_bytes: u64) {
        if cut_bytes > 0 {
            let cut = format!(
                "{}: {} of a very long row were left out",
                file.path().display(),
                display::size(cut_bytes)
            );
            self.report.notices.push(cut);
        }
    }

    /// The wanted rows from an offset on.
    pub(super) fn rows<'f>(
        &mut self,
        file: &'f LogFile,
        start: u64,
        cap_bytes: usize,
    ) -> Option<LogRows<'f>> {
        self.told(LogRows::open(file, start, cap_bytes, self))
    }

    /// Where a log's rows come from, as the JSON formats tell it.
    pub(super) fn place(&self, job: &'a JobNode, sh: &ShNode) -> LogPlace<'a> {
        let job = Some(job.job.id.as_str()).filter(|id| !id.is_empty());
        LogPlace { run: run_id(&self.run.head.run), job, n: job.map(|_| sh.n) }
    }
}

/// Writes an object on a line of its own.
pub(super) fn write_line(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    write_harmless(&serde_json::to_string(value)?, out)?;
    out.write_all(b"\n")
}

/// Bytes that were cut somewhere, without the beginning of a character at their end.
pub(super) fn whole_characters(bytes: &[u8]) -> &[u8] {
    let torn = bytes.utf8_chunks().last().map_or(0, |last| last.invalid().len());
    let is_torn = torn > 0
        && str::from_utf8(bytes.get(bytes.len() - torn..).unwrap_or_default())
            .is_err_and(|error| error.error_len().is_none());
    bytes.get(..bytes.len() - if is_torn { torn } else { 0 }).unwrap_or(bytes)
}

/// Writes JSON with every character escaped that could steer a terminal, hide text or begin a
/// command of a CI system. JSON itself escapes C0 only; all of these can stand within strings
/// only, so it remains the same document.
pub(super) fn write_harmless(json: &str, out: &mut impl Write) -> io::Result<()> {
    let mut from = 0;
    for at in ci::markers(json) {
        write_printable(json.get(from..at).unwrap_or_default(), out)?;
        from = at + write_escaped(json.get(at..).unwrap_or_default(), out)?;
    }
    write_printable(json.get(from..).unwrap_or_default(), out)
}

fn write_printable(json: &str, out: &mut impl Write) -> io::Result<()> {
    // Nearly always, and told many bytes at a time.
    if json.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return out.write_all(json.as_bytes());
    }
    let mut rest = json;
    while !rest.is_empty() {
        let (printable, harmful) = rest.split_at(sanitize::harmless_len(rest));
        out.write_all(printable.as_bytes())?;
        rest = if let Some(after) = harmful.strip_prefix('\n') {
            out.write_all(b"\n")?;
            after
        } else {
            let bytes = write_escaped(harmful, out)?;
            harmful.get(bytes..).unwrap_or_default()
        };
    }
    Ok(())
}

/// Writes the first character of a text escaped, and returns how many bytes it has.
fn write_escaped(text: &str, out: &mut impl Write) -> io::Result<usize> {
    let Some(first) = text.chars().next() else { return Ok(0) };
    for unit in first.encode_utf16(&mut [0; 2]) {
        write!(out, "\\u{unit:04x}")?;
    }
    Ok(first.len_utf8())
}

/// A command's place; all `None` for a log opened by its path.
#[derive(Clone, Copy)]
pub(super) struct LogPlace<'a> {
    pub run: Option<&'a str>,
    pub job: Option<&'a str>,
    pub n: Option<u32>,
}

/// The rows of one log that are of the wanted stream.
pub(super) struct LogRows<'f> {
    pub file: &'f LogFile,
    pub rows: Rows<'f>,
}

impl<'f> LogRows<'f> {
    pub(super) fn open(
        file: &'f LogFile,
        start: u64,
        cap_bytes: usize,
        printing: &Printing<'_>,
    ) -> Result<Self> {
        Ok(Self { file, rows: file.rows(start, cap_bytes, printing.tail())? })
    }

    /// See [`Rows::keeping_last`]: for people, who are shown what a terminal showed; data is not
    /// rearranged.
    pub(super) fn keeping_last(self) -> Self {
        Self { rows: self.rows.keeping_last(), ..self }
    }

    /// The next row; an error of the log ends it and stands in the report.
    pub(super) fn next(&mut self, printing: &mut Printing<'_>) -> Option<Row> {
        loop {
            let row = self.rows.next()?.map_err(|error| Error::io("read", self.file.path())(error));
            let row = printing.told(row)?;
            if printing.look.stream.is_none() || row.stream == printing.look.stream {
                return Some(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_ends_with_a_whole_character() {
        for (bytes, whole) in [
            (&b"plain"[..], &b"plain"[..]),
            ("aあ".as_bytes(), "aあ".as_bytes()),
            (&"aあ".as_bytes()[..3], b"a"),
            (&"aあ".as_bytes()[..2], b"a"),
            (b"invalid \xff", b"invalid \xff"),
            (b"", b""),
        ] {
            assert_eq!(whole_characters(bytes), whole);
        }
    }
}
