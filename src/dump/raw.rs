//! `--format raw`: byte for byte what the commands wrote.
//!
//! An `F` stands for its content and a newline, a `P` for its content alone, so nothing has to be joined. A line that is no
//! record is passed on as it is (a plain text log), unless one stream is asked for: it belongs to neither.

use std::io::{self, Write};

use super::Printing;
use crate::cri::{self, Tag};
use crate::error::Error;
use crate::join::LogRef;

pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    for log in printing.shs().filter_map(|(_, sh)| sh.log.as_ref()) {
        write_log(printing, log, out)?;
    }
    Ok(())
}

fn write_log(printing: &mut Printing<'_>, log: &LogRef, out: &mut impl Write) -> io::Result<()> {
    let Some(file) = printing.open(log) else { return Ok(()) };
    let Some(start) = printing.told_tail_start(&file) else { return Ok(()) };
    let Some(mut lines) = printing.told(file.lines(start)) else { return Ok(()) };
    let wanted = printing.look.stream;
    let mut strangers = 0_u64;
    while let Some(Some(line)) = printing.told(lines.next().map_err(Error::io("read", &log.path))) {
        let (content, newline) = match cri::parse(line.bytes) {
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
        let notice =
            format!("{}: {strangers} lines are no CRI records, so of no stream, and were left out", log.path.display());
        printing.report.notices.push(notice);
    }
    Ok(())
}
