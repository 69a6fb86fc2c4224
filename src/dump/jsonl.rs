//! `--format jsonl`: one object per row. Rows are in the order of their first records.

use std::borrow::Cow;
use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use super::printing::{LogPlace, Printing, ROW_CAP_BYTES, whole_characters, write_line};
use crate::cri::Stream;
use crate::error::Error;
use crate::log::{LogFile, Row};
use crate::time::Time;

#[derive(Serialize)]
struct RowJson<'a> {
    run: Option<&'a str>,
    job: Option<&'a str>,
    n: Option<u32>,
    row: u64,
    at: Option<String>,
    stream: Option<&'static str>,
    text: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
    complete: bool,
    malformed: Option<String>,
    /// The number of bytes of a very long row that are not in `text`.
    #[serde(skip_serializing_if = "is_zero")]
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
        let Some(file) = printing.open(log) else { continue };
        let Some(start) = printing.reported_tail_start(&file) else { continue };
        let Some(before) = rows_before(printing, &file, start) else { continue };
        let Some(mut rows) = printing.rows(&file, start, ROW_CAP_BYTES) else { continue };
        while let Some(row) = rows.next(printing) {
            printing.report_cut(&file, row.cut_bytes);
            write_line(&row_json(place, before + rows.number, &row), out)?;
        }
    }
    Ok(())
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
    RowJson {
        run: place.run,
        job: place.job,
        n: place.n,
        row: number,
        at: row.at.map(Time::rfc3339_nanos),
        stream: row.stream.map(Stream::as_str),
        text: String::from_utf8_lossy(shown),
        bytes: str::from_utf8(shown).is_err().then(|| BASE64_STANDARD.encode(shown)),
        complete: row.complete,
        malformed: row.malformed.map(|malformed| malformed.reason.to_string()),
        cut_bytes: row.cut_bytes,
    }
}
