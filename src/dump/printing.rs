//! The state shared by all formats while a run is printed. It reads logs, writes harmless JSON, and
//! reports the data that could not be printed.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{self, Write};
use std::mem;
use std::sync::Arc;

use serde::Serialize;

use super::options::{Format, PrintOptions, Report};
use super::picker::{Grep, Picked, Picker};
use crate::error::{Error, Result};
use crate::join::{FindingKind, JobNode, LogRef, RunNode, ShNode};
use crate::log::{self, Index, LogFile, Reading, Row, RowsAhead, Tail};
use crate::model::{Phase, Run};
use crate::{ci, display, sanitize};

/// The maximum number of bytes of a row that are printed as data. Longer rows are cut, with a
/// notice.
pub(super) const ROW_CAP_BYTES: usize = 64 << 20;

/// The maximum number of bytes of a row that are printed as text. This limit is lower because
/// parsed colors need many times the memory of the row.
pub(super) const TEXT_ROW_CAP_BYTES: usize = 4 << 20;

/// Returns the id of a run; `None` for logs opened by path.
pub(super) fn run_id(run: &Run) -> Option<&str> {
    Some(run.id.as_str()).filter(|id| !id.is_empty())
}

/// A run that is being printed.
pub(super) struct Printing<'a> {
    pub run: &'a RunNode,
    pub look: &'a PrintOptions,
    pub report: Report,
}

impl<'a> Printing<'a> {
    /// Returns the value of a result. For an error, adds the error to the report and returns
    /// `None`.
    pub(super) fn report_err<T>(&mut self, result: Result<T>) -> Option<T> {
        result.inspect_err(|error| self.report.unreadable(error)).ok()
    }

    /// Opens a log. A log that was removed after it had been found is reported as missing, not as
    /// unreadable.
    pub(super) fn open(&mut self, log: &LogRef) -> Option<LogFile> {
        match LogFile::open(&log.path) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                self.report.notices.push(format!("{} no longer exists", log.path.display()));
                None
            }
            opened => self.report_err(opened),
        }
    }

    /// Returns the treatment of an incomplete last line, which may still grow while the run is
    /// active.
    pub(super) fn tail(&self) -> Tail {
        if self.run.head.phase == Phase::Active { Tail::Hold } else { Tail::Emit }
    }

    /// Adds findings to the report, for scripts that check stderr. For formats whose output
    /// contains the findings, adds only those about files that could not be read or were refused.
    /// For all other formats, adds all findings about missing data.
    pub(super) fn report_findings(&mut self, format: Format) {
        let is_reported = |kind: &FindingKind| match format {
            Format::Text
            | Format::Json
            | Format::GitHub
            | Format::GitLab
            | Format::Azure
            | Format::Html => {
                matches!(kind, FindingKind::Unreadable(_) | FindingKind::Refused(_))
            }
            Format::Digest
            | Format::Jsonl
            | Format::Raw
            | Format::Records
            | Format::Junit { .. }
            | Format::CodeQuality
            | Format::Markdown
            | Format::Trace => kind.is_loss(),
        };
        let reported = self.run.findings.iter().filter(|finding| is_reported(&finding.kind));
        self.report.notices.extend(reported.map(display::finding_with_place));
    }

    /// Returns every command with its job.
    pub(super) fn shs(&self) -> impl Iterator<Item = (&'a JobNode, &'a ShNode)> + use<'a> {
        self.run.jobs.iter().flat_map(|job| job.shs.iter().map(move |sh| (job, sh)))
    }

    /// Returns the offset from which to print the rows of a log. `None`, with the reason in the
    /// report, if the log cannot be printed.
    pub(super) fn tail_start(&mut self, file: &LogFile) -> Option<u64> {
        if self.look.stream.is_some() && file.format() == log::Format::Plain {
            let path = file.path().display();
            self.report
                .notices
                .push(format!("{path}: omitted, as plain text has no streams (--stream)"));
            return None;
        }
        let from = match self.look.max_bytes.map(|max| file.bytes().saturating_sub(max)) {
            None | Some(0) => 0,
            Some(at) => self.report_err(file.row_start(at))?,
        };
        match self.look.tail {
            None => Some(from),
            Some(rows) if self.look.stream.is_none() && self.look.grep.is_none() => {
                Some(self.report_err(file.tail_offset(rows, self.tail()))?.max(from))
            }
            Some(rows) => self.start_of_last(file, from, rows),
        }
    }

    /// Returns the offset at which the last `count` selected rows begin, with the context of the
    /// first one. Returns `from` if there are no more selected rows after it.
    fn start_of_last(&mut self, file: &LogFile, from: u64, count: usize) -> Option<u64> {
        let grep = self.look.grep.as_ref();
        let cap_bytes = if grep.is_some() { TEXT_ROW_CAP_BYTES } else { 0 };
        let rows = self.report_err(file.rows(from, cap_bytes, self.tail()))?.keeping_last();
        let (mut context, mut last, mut left_out) = (VecDeque::new(), VecDeque::new(), false);
        for row in rows {
            let row = row.map_err(|error| Error::io("read", file.path())(error));
            let row = self.report_err(row)?;
            if !self.look.selects_stream(&row) {
                continue;
            }
            context.push_back(row.offset);
            if context.len() > grep.map_or(0, |grep| grep.context) + 1 {
                context.pop_front();
            }
            if is_match(grep, &row) {
                last.extend(context.front().copied());
            }
            if last.len() > count {
                last.pop_front();
                left_out = true;
            }
        }
        Some(if left_out { last.front().copied().unwrap_or(file.bytes()) } else { from })
    }

    /// Works like [`Printing::tail_start`], and also reports the number of omitted bytes. For
    /// formats whose output contains only data.
    pub(super) fn reported_tail_start(&mut self, file: &LogFile) -> Option<u64> {
        let start = self.tail_start(file)?;
        if start > 0 {
            let (path, left_out) = (file.path().display(), display::size(start));
            let options = self.look.tail_options();
            self.report.notices.push(format!("{path}: omitted the first {left_out} ({options})"));
        }
        Some(start)
    }

    /// Returns the place of the run's own log.
    pub(super) fn own_place(&self) -> LogPlace<'a> {
        LogPlace { run: run_id(&self.run.head.run), job: None, n: None }
    }

    /// Reports that a row was too long to be printed whole.
    pub(super) fn report_cut(&mut self, file: &LogFile, cut_bytes: u64) {
        if cut_bytes > 0 {
            let cut = format!(
                "{}: omitted {} of a very long row",
                file.path().display(),
                display::size(cut_bytes)
            );
            self.report.notices.push(cut);
        }
    }

    /// Opens the selected rows from an offset on. A very long row keeps its first bytes.
    pub(super) fn rows<'f>(
        &mut self,
        file: &'f Arc<LogFile>,
        from: u64,
        cap_bytes: usize,
    ) -> Option<LogRows<'f>> {
        self.read(file, Reading { from, cap_bytes, tail: self.tail(), keeps_last: false })
    }

    /// Opens the selected rows from an offset on, as a terminal shows them: a very long row that
    /// overwrites itself keeps its last state.
    pub(super) fn shown_rows<'f>(
        &mut self,
        file: &'f Arc<LogFile>,
        from: u64,
        cap_bytes: usize,
    ) -> Option<LogRows<'f>> {
        self.read(file, Reading { from, cap_bytes, tail: self.tail(), keeps_last: true })
    }

    fn read<'f>(&mut self, file: &'f Arc<LogFile>, reading: Reading) -> Option<LogRows<'f>> {
        let rows = self.report_err(RowsAhead::new(file, reading))?;
        let picker = self.look.grep.as_ref().map(|grep| Picker::new(grep.context));
        Some(LogRows { rows, passed: 0, picker, number: 0, skipped: 0 })
    }

    /// Returns the place of a command's log, for the JSON formats.
    pub(super) fn place(&self, job: &'a JobNode, sh: &ShNode) -> LogPlace<'a> {
        let job = Some(job.job.id.as_str()).filter(|id| !id.is_empty());
        LogPlace { run: run_id(&self.run.head.run), job, n: job.map(|_| sh.n) }
    }
}

/// Returns the numbers, from 1, of the rows at these offsets.
pub(super) fn row_numbers(
    file: &LogFile,
    index: &Index,
    offsets: impl Iterator<Item = u64>,
    tail: Tail,
) -> Result<HashMap<u64, u64>> {
    // The lookup needs ascending offsets, and rows around one cause may be those of another one.
    let offsets: Vec<u64> = offsets.collect::<BTreeSet<_>>().into_iter().collect();
    let numbers = file.row_numbers(index, &offsets, tail)?;
    let numbered = offsets.into_iter().zip(numbers);
    Ok(numbered.filter_map(|(offset, number)| Some((offset, number? + 1))).collect())
}

/// Writes an object on a line of its own.
pub(super) fn write_line(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    write_json_line(&serde_json::to_string(value)?, out)
}

/// Writes JSON on a line of its own.
pub(super) fn write_json_line(json: &str, out: &mut impl Write) -> io::Result<()> {
    write_harmless(json, out)?;
    out.write_all(b"\n")
}

/// Returns the JSON of a document before and after the elements of its list, which is empty, for a
/// writer that adds the elements one by one.
pub(super) fn list_frame(document: &impl Serialize) -> io::Result<(String, String)> {
    let json = serde_json::to_string(document)?;
    let (before, after) = json.split_once("[]").unwrap_or((&json, ""));
    Ok((format!("{before}["), format!("]{after}")))
}

/// Returns truncated bytes without an incomplete character at their end.
pub(super) fn whole_characters(bytes: &[u8]) -> &[u8] {
    let torn = bytes.utf8_chunks().last().map_or(0, |last| last.invalid().len());
    let is_torn = torn > 0
        && str::from_utf8(bytes.get(bytes.len() - torn..).unwrap_or_default())
            .is_err_and(|error| error.error_len().is_none());
    bytes.get(..bytes.len() - if is_torn { torn } else { 0 }).unwrap_or(bytes)
}

/// Writes JSON and escapes every character that could control a terminal, hide text or begin a
/// command of a CI system. JSON itself only requires escapes for C0. All of these characters occur
/// only in strings, so the document keeps its meaning.
pub(super) fn write_harmless(json: &str, out: &mut impl Write) -> io::Result<()> {
    let mut from = 0;
    for at in ci::markers(json) {
        write_printable(json.get(from..at).unwrap_or_default(), out)?;
        from = at + write_escaped(json.get(at..).unwrap_or_default(), out)?;
    }
    write_printable(json.get(from..).unwrap_or_default(), out)
}

fn write_printable(json: &str, out: &mut impl Write) -> io::Result<()> {
    if sanitize::is_printable_ascii(json.as_bytes()) {
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

/// Writes the first character of a text as an escape. Returns the number of bytes that it replaces.
fn write_escaped(text: &str, out: &mut impl Write) -> io::Result<usize> {
    let Some(first) = text.chars().next() else { return Ok(0) };
    for unit in first.encode_utf16(&mut [0; 2]) {
        write!(out, "\\u{unit:04x}")?;
    }
    Ok(first.len_utf8())
}

/// The run, job and command of a log; all `None` for a log opened by its path.
#[derive(Clone, Copy)]
pub(super) struct LogPlace<'a> {
    pub run: Option<&'a str>,
    pub job: Option<&'a str>,
    pub n: Option<u32>,
}

/// Returns true if a row matches, or if all rows are selected.
pub(super) fn is_match(grep: Option<&Grep>, row: &Row) -> bool {
    grep.is_none_or(|grep| grep.query.matches(row, sanitize::Progress::Last))
}

/// The selected rows of one log.
pub(super) struct LogRows<'f> {
    rows: RowsAhead<'f>,
    /// The number of rows that were read, of both streams.
    passed: u64,
    picker: Option<Picker<(u64, Row)>>,
    /// The number of the row that was returned last, from 1 for the first row read.
    pub number: u64,
    /// The number of rows of the selected stream that were left out before the row that was
    /// returned last; after the last row, the number of those at the end.
    pub skipped: u64,
}

impl LogRows<'_> {
    /// Reads the next row into `row`, whose buffers are used again. Returns false at the end. A
    /// read error is added to the report and ends the rows.
    pub(super) fn read(&mut self, printing: &mut Printing<'_>, row: &mut Row) -> bool {
        loop {
            if let Some(Picked { row: (number, picked), skipped }) =
                self.picker.as_mut().and_then(Picker::pop)
            {
                (self.number, self.skipped, *row) = (number, skipped, picked);
                return true;
            }
            let is_read = self.read_of_stream(printing, row);
            let Some(picker) = &mut self.picker else {
                self.number = self.passed;
                return is_read;
            };
            if !is_read {
                self.skipped = picker.skipped_at_end();
                return false;
            }
            let is_match = is_match(printing.look.grep.as_ref(), row);
            let bytes = row.text.len();
            picker.push((self.passed, mem::take(row)), bytes, is_match);
        }
    }

    /// Reads the next row of the selected stream, whether it matches or not.
    fn read_of_stream(&mut self, printing: &mut Printing<'_>, row: &mut Row) -> bool {
        while printing.report_err(self.rows.read(row)) == Some(true) {
            self.passed += 1;
            if printing.look.selects_stream(row) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_text_ends_at_a_character_boundary() {
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
