//! `--format raw`: byte for byte what the commands wrote.
//!
//! An `F` stands for its content and a newline, a `P` for its content alone, so nothing has to be joined. A line that is no
//! record is passed on as it is (a plain text log), unless one stream is asked for: it belongs to neither.

use std::io::{self, Write};

use super::{Look, Report, cut_notice, open_log, tail_start};
use crate::cri::{self, Tag};
use crate::error::Error;
use crate::join::{LogRef, RunNode};

pub(super) fn write_run(run: &RunNode, look: &Look, out: &mut impl Write, report: &mut Report) -> io::Result<()> {
    for log in run.jobs.iter().flat_map(|job| &job.shs).filter_map(|sh| sh.log.as_ref()) {
        write_log(run, log, look, out, report)?;
    }
    Ok(())
}

fn write_log(run: &RunNode, log: &LogRef, look: &Look, out: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let Some(file) = open_log(log, report) else { return Ok(()) };
    let Some(start) = tail_start(&file, run, look, report) else { return Ok(()) };
    if start > 0 {
        report.notices.push(cut_notice(&log.path, start));
    }
    let mut lines = file.lines(start);
    let mut strangers = 0_u64;
    loop {
        let line = match lines.next() {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(source) => {
                report.unreadable(&Error::io("read", &log.path)(source));
                break;
            }
        };
        let (content, newline) = match cri::parse(line.bytes) {
            Ok(record) if look.stream.is_some_and(|stream| stream != record.stream) => continue,
            Ok(record) => (record.content, record.tag == Tag::Full),
            Err(_) if look.stream.is_some() => {
                strangers += 1;
                continue;
            }
            Err(_) => (line.bytes, line.terminated),
        };
        out.write_all(content)?;
        if line.cut_bytes > 0 {
            // A line longer than the reader holds: its rest goes from file to output.
            let from = line.offset + line.bytes.len() as u64;
            file.copy(from..from + line.cut_bytes, out)?;
        }
        if newline {
            out.write_all(b"\n")?;
        }
    }
    if strangers > 0 {
        let text = format!("{}: {strangers} lines belong to no stream (no CRI records) and were left out", log.path.display());
        report.notices.push(text);
    }
    Ok(())
}
