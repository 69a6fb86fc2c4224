//! `--format raw`: byte for byte what the commands wrote.
//!
//! An `F` stands for its content and a newline, a `P` for its content alone, so nothing has to be joined. A line that is no
//! record is passed on as it is, and so is plain text, unless one stream is asked for: it belongs to neither.

use std::io::{self, Write};

use super::printing::{Printing, ROW_CAP_BYTES};
use crate::cri::Tag;
use crate::error::Error;
use crate::join::LogRef;
use crate::log::{LogFile, Tail};

pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    for log in printing.shs().filter_map(|(_, sh)| sh.log.as_ref()) {
        write_log(printing, log, out)?;
    }
    Ok(())
}

fn write_log(printing: &mut Printing<'_>, log: &LogRef, out: &mut impl Write) -> io::Result<()> {
    let Some(file) = printing.open(log) else { return Ok(()) };
    match printing.told_tail_start(&file) {
        None => Ok(()),
        Some(0) => write_lines(printing, &file, out),
        Some(start) => write_rows(printing, &file, start, out),
    }
}

/// A whole log, line by line, in the order of the file.
fn write_lines(printing: &mut Printing<'_>, file: &LogFile, out: &mut impl Write) -> io::Result<()> {
    let Some(mut lines) = printing.told(file.lines(0)) else { return Ok(()) };
    let (wanted, tail) = (printing.look.stream, printing.tail());
    let mut strangers = 0_u64;
    while let Some(Some(line)) = printing.told(lines.next().map_err(|error| Error::io("read", file.path())(error))) {
        if !line.terminated && tail == Tail::Hold {
            break;
        }
        let (content, newline) = match file.format().parse(line.bytes) {
            Ok(record) if wanted.is_some_and(|stream| stream != record.stream) => continue,
            Ok(record) => (record.content, record.tag == Tag::Full),
            Err(_) if wanted.is_some() => {
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
        let path = file.path().display();
        let notice = format!("{path}: {strangers} lines are no CRI records, so of no stream, and were left out");
        printing.report.notices.push(notice);
    }
    Ok(())
}

/// The last rows of a log: pieces of rows that begin before them are none of theirs.
fn write_rows(printing: &mut Printing<'_>, file: &LogFile, start: u64, out: &mut impl Write) -> io::Result<()> {
    let Some(mut rows) = printing.rows(file, start, ROW_CAP_BYTES) else { return Ok(()) };
    while let Some(row) = rows.next(printing) {
        out.write_all(&row.text)?;
        printing.tell_cut(file, row.cut_bytes);
        if row.complete {
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}
