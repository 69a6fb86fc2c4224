//! `--format jsonl`: one object per row. Rows are in the order of their first records.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;

use memchr::memchr2;
use schemars::JsonSchema;
use serde::Serialize;

use super::printing::{LogPlace, Printing, ROW_CAP_BYTES, whole_characters, write_line};
use super::values::{Base64, UtcNanos};
use crate::ci;
use crate::cri::Stream;
use crate::error::Error;
use crate::log::{LogFile, Row};
use crate::sanitize::is_printable_ascii;

/// A line of `rundown --format jsonl`: a row of a log, in the order of the first records.
// The comments are the descriptions of the JSON Schema. `schemars(required)` is for a key that is
// left out in place of `null`.
#[derive(Serialize, JsonSchema)]
pub(super) struct RowJson<'a> {
    /// The id of the run; `null` for a log that was named by its path.
    run: Option<&'a str>,
    /// The id of the job; `null` for the log of the run itself, and for one that was named by its
    /// path.
    job: Option<&'a str>,
    /// The number of the command in its job, from 1; `null` if `job` is.
    n: Option<u32>,
    /// The number of the row in its log, from 1.
    #[schemars(range(min = 1))]
    row: u64,
    /// The time of its first record, as RFC 3339 in UTC with 9 digits after the second; `null` for
    /// a line that is not a CRI record. The year of a time outside of the years 0 to 9999 has a
    /// sign.
    at: Option<UtcNanos>,
    /// The stream; `null` for a line that is not a CRI record.
    stream: Option<Stream>,
    /// The text, with replacement characters for bytes that are not UTF-8.
    text: Cow<'a, str>,
    /// The bytes of the text in base64, if they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    bytes: Option<Base64>,
    /// False for a last row that is unfinished.
    complete: bool,
    /// The reason why the line is not a CRI record, as a sentence for people; `null` for a record,
    /// and for a line of plain text.
    malformed: Option<String>,
    /// The number of bytes of a very long row that are not in `text`.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 1))]
    cut_bytes: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    let own = printing.run.log.as_ref().filter(|_| printing.look.stream.is_none());
    let logs =
        printing.shs().filter_map(|(job, sh)| Some((sh.log.as_ref()?, printing.place(job, sh))));
    let logs: Vec<_> = logs.chain(own.map(|log| (log, printing.own_place()))).collect();
    for (log, place) in logs {
        let Some(file) = printing.open(log).map(Arc::new) else { continue };
        let Some(start) = printing.reported_tail_start(&file) else { continue };
        let Some(before) = rows_before(printing, &file, start) else { continue };
        let Some(mut rows) = printing.rows(&file, start, ROW_CAP_BYTES) else { continue };
        let mut writer = RowWriter::new(place)?;
        let mut row = Row::default();
        while rows.read(printing, &mut row) {
            printing.report_cut(&file, row.cut_bytes);
            writer.write(before + rows.number, &row, out)?;
        }
    }
    Ok(())
}

/// A writer of the rows of a log. Most rows are a complete record of printable ASCII: they are
/// written without a serializer, which takes twice as long.
struct RowWriter<'a> {
    place: LogPlace<'a>,
    /// The start of each line, up to the number of the row.
    start: String,
    line: Vec<u8>,
}

impl<'a> RowWriter<'a> {
    fn new(place: LogPlace<'a>) -> io::Result<Self> {
        let mut json = Vec::new();
        write_line(&row_json(place, 0, &Row::default()), &mut json)?;
        let json = String::from_utf8(json).map_err(io::Error::other)?;
        // A quote in a name is escaped, so the text does not occur in one.
        let start = json.split_once("\"row\":0").map_or("", |(start, _)| start);
        Ok(Self { place, start: format!("{start}\"row\":"), line: Vec::new() })
    }

    fn write(&mut self, number: u64, row: &Row, out: &mut impl Write) -> io::Result<()> {
        let Some((at, stream)) = row.at.zip(row.stream).filter(|_| is_plain(row)) else {
            return write_line(&row_json(self.place, number, row), out);
        };
        self.line.clear();
        self.line.extend_from_slice(self.start.as_bytes());
        write!(self.line, "{number}")?;
        self.line.extend_from_slice(b",\"at\":\"");
        at.push_rfc3339_nanos(&mut self.line);
        self.line.extend_from_slice(b"\",\"stream\":\"");
        self.line.extend_from_slice(stream.as_str().as_bytes());
        self.line.extend_from_slice(b"\",\"text\":\"");
        self.line.extend_from_slice(&row.text);
        self.line.extend_from_slice(b"\",\"complete\":true,\"malformed\":null}\n");
        out.write_all(&self.line)
    }
}

/// Returns true for a complete record whose text needs no escape.
fn is_plain(row: &Row) -> bool {
    let is_whole = row.complete && row.malformed.is_none() && row.cut_bytes == 0;
    let has_markers = |text: &[u8]| {
        ci::may_have_markers(text)
            && str::from_utf8(text).is_ok_and(|text| ci::markers(text).next().is_some())
    };
    is_whole
        && is_printable_ascii(&row.text)
        && memchr2(b'"', b'\\', &row.text).is_none()
        && !has_markers(&row.text)
}

/// Returns the number of rows that begin before an offset, including those that are not printed: a
/// row is numbered by its position in the log. Returns `None`, after a report, if the log cannot be
/// read.
fn rows_before(printing: &mut Printing<'_>, file: &LogFile, start: u64) -> Option<u64> {
    let rows = printing.report_err(file.rows(0, 0, printing.tail()))?;
    let mut before = 0;
    for row in rows {
        let row = row.map_err(|error| Error::io("read", file.path())(error));
        if printing.report_err(row)?.offset >= start {
            break;
        }
        before += 1;
    }
    Some(before)
}

fn row_json<'a>(place: LogPlace<'a>, number: u64, row: &'a Row) -> RowJson<'a> {
    let shown = if row.cut_bytes > 0 { whole_characters(&row.text) } else { &row.text };
    let (text, bytes) = match str::from_utf8(shown) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(_) => (String::from_utf8_lossy(shown), Some(Base64::of(shown))),
    };
    RowJson {
        run: place.run,
        job: place.job,
        n: place.n,
        row: number,
        at: row.at.map(UtcNanos::of),
        stream: row.stream,
        text,
        bytes,
        complete: row.complete,
        malformed: row.malformed.map(|malformed| malformed.reason.to_string()),
        cut_bytes: row.cut_bytes,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::Time;

    proptest! {
        #[test]
        fn rows_are_written_as_the_serializer_writes_them(
            text in prop_oneof![
                "[ -~]{0,40}",
                "[a-z#:_\\[ ]{0,12}(##\\[|##vso|section_start:|travis_fold:)?[a-z]{0,4}",
                ".{0,20}",
            ],
            (secs, nanos) in (any::<i64>(), 0_u32..1_000_000_000),
            number in any::<u64>(),
            (has_record, is_stderr, complete) in any::<(bool, bool, bool)>(),
            job in "[a-z\"\\\\#:\\[]{0,8}",
        ) {
            let stream = if is_stderr { Stream::Stderr } else { Stream::Stdout };
            let row = Row {
                at: has_record.then(|| Time::from_unix(secs, nanos)),
                stream: has_record.then_some(stream),
                text: text.into_bytes(),
                complete,
                ..Row::default()
            };
            let place = LogPlace { run: Some("a"), job: Some(&job), n: Some(3) };
            let (mut fast, mut slow) = (Vec::new(), Vec::new());
            RowWriter::new(place).unwrap().write(number, &row, &mut fast).unwrap();
            write_line(&row_json(place, number, &row), &mut slow).unwrap();
            prop_assert_eq!(String::from_utf8(fast), String::from_utf8(slow));
        }
    }
}
