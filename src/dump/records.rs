//! `--format records`: one object per physical line, including lines that are not records. A line
//! that is split because of its length has one object per piece, with the same line number. Lines
//! are not joined into rows. A line of a plain log has content, but no time, stream or tag.

use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use super::picker::{Picked, Picker};
use super::printing::{LogPlace, Printing, whole_characters, write_json_line};
use crate::cri::{Malformed, Record, Tag};
use crate::error::Error;
use crate::log::{Line, LogFile};
use crate::sanitize::Progress;

#[derive(Serialize)]
struct LineJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
    /// The line number, from 1.
    line: u64,
    offset: u64,
    #[serde(flatten)]
    parsed: Parsed<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unterminated: bool,
    /// The number of bytes of a very long line that are not in `content` or `raw`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut_bytes: Option<u64>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Parsed<'a> {
    Record {
        at: Option<String>,
        stream: Option<&'static str>,
        tag: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<String>,
    },
    Malformed {
        malformed: String,
        column: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        raw: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<String>,
    },
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
    match parsed {
        Ok(Record { at, stream, tag, content }) => {
            let (content, bytes) = text_or_base64(content, line.cut_bytes > 0);
            let tag = if tag == Tag::Partial { "P" } else { "F" };
            let (at, stream, tag) = (Some(at.rfc3339_nanos()), Some(stream.as_str()), Some(tag));
            Parsed::Record { at, stream, tag, content, bytes }
        }
        Err(None) => {
            let (content, bytes) = text_or_base64(line.bytes, line.cut_bytes > 0);
            Parsed::Record { at: None, stream: None, tag: None, content, bytes }
        }
        Err(Some(Malformed { reason, column })) => {
            let (raw, bytes) = text_or_base64(line.bytes, line.cut_bytes > 0);
            Parsed::Malformed { malformed: reason.to_string(), column, raw, bytes }
        }
    }
}

fn text_or_base64(bytes: &[u8], is_cut: bool) -> (Option<&str>, Option<String>) {
    let bytes = if is_cut { whole_characters(bytes) } else { bytes };
    match str::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(BASE64_STANDARD.encode(bytes))),
    }
}
