//! `--format jsonl`: an object per row, in the order of their first records.

use std::borrow::Cow;
use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use super::{LogPlace, LogRows, Look, Report, cut_notice, open_log, tail_of, tail_start};
use crate::cri::Stream;
use crate::join::{JobNode, RunNode, ShNode};
use crate::log::Row;
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
    /// Bytes of a very long row that are not in `text`.
    #[serde(skip_serializing_if = "is_zero")]
    cut_bytes: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

pub(super) fn write_run(run: &RunNode, look: &Look, out: &mut impl Write, report: &mut Report) -> io::Result<()> {
    for job in &run.jobs {
        for sh in &job.shs {
            write_log(run, job, sh, look, out, report)?;
        }
    }
    Ok(())
}

fn write_log(run: &RunNode, job: &JobNode, sh: &ShNode, look: &Look, out: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let Some(log) = &sh.log else { return Ok(()) };
    let Some(file) = open_log(log, report) else { return Ok(()) };
    let Some(start) = tail_start(&file, run, look, report) else { return Ok(()) };
    if start > 0 {
        report.notices.push(cut_notice(&log.path, start));
    }
    let place = LogPlace::of(run, job, sh);
    // Every row has its number in the log, whichever are shown.
    let mut rows = file.rows(0, 0, tail_of(run)).take_while(|row| row.as_ref().is_ok_and(|row| row.offset < start));
    let mut number = (&mut rows).count() as u64;
    let everything = Look { stream: None, ..look.clone() };
    let mut rows = LogRows::from(&file, start, run, &everything);
    while let Some(row) = rows.next(&file, report) {
        number += 1;
        if look.stream.is_none() || row.stream == look.stream {
            serde_json::to_writer(&mut *out, &row_json(place, number, &row))?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

fn row_json<'a>(place: LogPlace<'a>, number: u64, row: &'a Row) -> RowJson<'a> {
    RowJson {
        run: place.run,
        job: place.job,
        n: place.n,
        row: number,
        at: row.at.map(Time::rfc3339_nanos),
        stream: row.stream.map(Stream::as_str),
        text: String::from_utf8_lossy(&row.text),
        bytes: str::from_utf8(&row.text).is_err().then(|| BASE64_STANDARD.encode(&row.text)),
        complete: row.complete,
        malformed: row.malformed.map(|malformed| malformed.reason.to_string()),
        cut_bytes: row.cut_bytes,
    }
}
