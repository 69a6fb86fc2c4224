//! `--format records`: one object per physical line, including lines that are not records. A line
//! that is split because of its length has one object per piece, with the same line number. Lines
//! are not joined into rows. A line of a plain log has content, but no time, stream or tag.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::picker::{Picked, Picker};
use super::printing::{LogPlace, Printing, whole_characters, write_json_line};
use super::values::{Base64, UtcNanos};
use crate::cri::{Malformed, Record, Stream, Tag};
use crate::error::Error;
use crate::log::{Line, LogFile};
use crate::sanitize::Progress;

/// A line of `rundown --format records`: a physical line of a log, without joining.
// The comments are the descriptions of the JSON Schema. `schemars(required)` is for a key that is
// left out in place of `null`.
#[derive(Serialize, JsonSchema)]
pub(super) struct LineJson<'a> {
    /// The id of the run; left out for a log that was named by its path.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    run: Option<&'a str>,
    /// The id of the job; left out for a log that was named by its path.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    job: Option<&'a str>,
    /// The number of the command in its job, from 1; left out for a log that was named by its path.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    n: Option<u32>,
    /// The number of the line in its log, from 1. The pieces of a very long line have the same one.
    #[schemars(range(min = 1))]
    line: u64,
    /// The offset of the line, or of its piece, in bytes from the start of the log.
    offset: u64,
    #[serde(flatten)]
    parsed: Parsed<'a>,
    /// True for a last line without its newline; otherwise left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("const" = true))]
    unterminated: bool,
    /// The number of bytes of a very long line that are not in `content` or `raw`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, range(min = 1))]
    cut_bytes: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Parsed<'a> {
    /// A CRI record, or a line of plain text.
    Record {
        /// The time of the record, as RFC 3339 in UTC with 9 digits after the second; `null` for
        /// plain text. The year of a time outside of the years 0 to 9999 has a sign.
        at: Option<UtcNanos>,
        /// The stream; `null` for plain text.
        stream: Option<Stream>,
        /// The tag of the record; `null` for plain text.
        tag: Option<Tag>,
        #[serde(flatten)]
        content: Content<'a>,
    },
    /// A line that is not a CRI record.
    Malformed {
        /// The reason why the line is not a CRI record, as a sentence for people.
        malformed: String,
        /// The position of the defect in the line, in bytes from 1.
        #[schemars(range(min = 1))]
        column: usize,
        #[serde(flatten)]
        raw: Raw<'a>,
    },
}

#[derive(Serialize, JsonSchema)]
enum Content<'a> {
    #[serde(rename = "content")]
    Text(
        /// The content of the record or the line, without its newline.
        &'a str,
    ),
    #[serde(rename = "bytes")]
    Bytes(
        /// The content in base64, in place of `content`, if it is not UTF-8.
        Base64,
    ),
}

#[derive(Serialize, JsonSchema)]
enum Raw<'a> {
    #[serde(rename = "raw")]
    Text(
        /// The whole line, without its newline.
        &'a str,
    ),
    #[serde(rename = "bytes")]
    Bytes(
        /// The whole line in base64, in place of `raw`, if it is not UTF-8.
        Base64,
    ),
}

pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    for (job, sh) in printing.shs() {
        let Some(file) = sh.log.as_ref().and_then(|log| printing.open(log)) else { continue };
        write_log(printing, printing.place(job, sh), &file, out)?;
    }
    Ok(())
}

fn write_log(
    printing: &mut Printing<'_>,
    place: LogPlace<'_>,
    file: &LogFile,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(start) = printing.reported_tail_start(file) else { return Ok(()) };
    let Some(mut number) = lines_before(printing, file, start) else { return Ok(()) };
    let Some(mut lines) = printing.report_err(file.lines(start)) else { return Ok(()) };
    let grep = printing.look.grep.as_ref();
    let mut picker = Picker::new(grep.map_or(0, |grep| grep.context));
    while let Some(Some(line)) =
        printing.report_err(lines.next().map_err(|error| Error::io("read", file.path())(error)))
    {
        if printing.tail().holds(&line) {
            break;
        }
        number += u64::from(!line.is_rest);
        let parsed = file.format().parse_line(&line);
        let of_stream = |stream| parsed.is_ok_and(|record| record.stream == stream);
        if !printing.look.stream.is_none_or(of_stream) {
            continue;
        }
        let text = parsed.map_or(line.bytes, |record| record.content);
        let is_match = grep.is_none_or(|grep| grep.query.is_in(text, Progress::Last));
        // Without context, a line that does not match needs no JSON.
        if is_match || grep.is_some_and(|grep| grep.context > 0) {
            let json = serde_json::to_string(&line_json(place, number, &line, parsed))?;
            picker.push((json, line.cut_bytes), line.bytes.len(), is_match);
        }
        while let Some(Picked { row: (json, cut_bytes), .. }) = picker.pop() {
            printing.report_cut(file, cut_bytes);
            write_json_line(&json, out)?;
        }
    }
    Ok(())
}

/// Returns the number of lines that begin before an offset, including those that are not printed: a
/// line is numbered by its position in the log. Returns `None`, after a report, if the log cannot
/// be read.
fn lines_before(printing: &mut Printing<'_>, file: &LogFile, start: u64) -> Option<u64> {
    let mut lines = printing.report_err(file.lines(0))?;
    let mut number = 0;
    while let Some(line) =
        printing.report_err(lines.next().map_err(|error| Error::io("read", file.path())(error)))?
    {
        if line.offset >= start {
            break;
        }
        number += u64::from(!line.is_rest);
    }
    Some(number)
}

fn line_json<'a>(
    place: LogPlace<'a>,
    number: u64,
    line: &Line<'a>,
    parsed: Result<Record<'a>, Option<Malformed>>,
) -> LineJson<'a> {
    LineJson {
        run: place.run,
        job: place.job,
        n: place.n,
        line: number,
        offset: line.offset,
        parsed: parsed_json(line, parsed),
        unterminated: !line.terminated && !line.has_rest,
        cut_bytes: Some(line.cut_bytes).filter(|cut| *cut > 0),
    }
}

/// Converts a line. A text that was cut ends with a whole character.
fn parsed_json<'a>(line: &Line<'a>, parsed: Result<Record<'a>, Option<Malformed>>) -> Parsed<'a> {
    let is_cut = line.cut_bytes > 0;
    match parsed {
        Ok(Record { at, stream, tag, content }) => {
            let (at, stream, tag) = (Some(UtcNanos::of(at)), Some(stream), Some(tag));
            Parsed::Record { at, stream, tag, content: Content::of(content, is_cut) }
        }
        Err(None) => {
            let content = Content::of(line.bytes, is_cut);
            Parsed::Record { at: None, stream: None, tag: None, content }
        }
        Err(Some(Malformed { reason, column })) => {
            let raw = Raw::of(line.bytes, is_cut);
            Parsed::Malformed { malformed: reason.to_string(), column, raw }
        }
    }
}

impl<'a> Content<'a> {
    fn of(bytes: &'a [u8], is_cut: bool) -> Self {
        text_or_base64(bytes, is_cut).map_or_else(Self::Bytes, Self::Text)
    }
}

impl<'a> Raw<'a> {
    fn of(bytes: &'a [u8], is_cut: bool) -> Self {
        text_or_base64(bytes, is_cut).map_or_else(Self::Bytes, Self::Text)
    }
}

/// Returns bytes as text, or in base64 if they are not UTF-8.
fn text_or_base64(bytes: &[u8], is_cut: bool) -> Result<&str, Base64> {
    let bytes = if is_cut { whole_characters(bytes) } else { bytes };
    str::from_utf8(bytes).map_err(|_| Base64::of(bytes))
}
