//! `--format raw`: byte for byte what the commands wrote.
//!
//! An `F` stands for its content and a newline, a `P` for its content alone, so nothing has to be joined. A line that is no
//! record is passed on as it is, and so is plain text, unless one stream is asked for: it belongs to neither.

use std::io::{self, Write};

use memchr::memchr;

use super::printing::{Printing, ROW_CAP_BYTES};
use crate::cri::{Skimmer, Stream, Tag};
use crate::error::Error;
use crate::join::LogRef;
use crate::log::{Format, Line, LogFile};

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
    let mut content = Content::new(file, printing.look.stream);
    let tail = printing.tail();
    let read = |error| Error::io("read", file.path())(error);
    while let Some(whole) = printing.told(lines.whole_lines().map_err(read)) {
        content.write_whole_lines(whole, out)?;
        match printing.told(lines.next().map_err(read)) {
            Some(Some(line)) if !tail.holds(&line) => content.write_line(&line, out)?,
            _ => break,
        }
    }
    if content.strangers > 0 {
        let (path, strangers) = (file.path().display(), content.strangers);
        let notice = format!("{path}: {strangers} lines are no CRI records, so of no stream, and were left out");
        printing.report.notices.push(notice);
    }
    Ok(())
}

/// What lines stand for, being written.
struct Content<'f> {
    file: &'f LogFile,
    wanted: Option<Stream>,
    skimmer: Skimmer,
    /// What the last line was: its rest, if it was cut, goes the same way.
    head: Head,
    /// How many lines of no stream were left out.
    strangers: u64,
}

/// What is to be done with a line.
#[derive(Clone, Copy)]
struct Head {
    is_wanted: bool,
    /// `None` of what is no record.
    tag: Option<Tag>,
}

impl<'f> Content<'f> {
    fn new(file: &'f LogFile, wanted: Option<Stream>) -> Self {
        let head = Head { is_wanted: true, tag: None };
        Self { file, wanted, skimmer: Skimmer::default(), head, strangers: 0 }
    }

    /// Lines that end with their LF.
    fn write_whole_lines(&mut self, mut lines: &[u8], out: &mut impl Write) -> io::Result<()> {
        if self.wanted.is_none() && self.file.format() == Format::Plain {
            return out.write_all(lines);
        }
        while !lines.is_empty() {
            let skimmed = self.skimmer.skim(lines);
            // The LF lies behind the header.
            let from = skimmed.map_or(0, |skimmed| skimmed.content_at);
            let content = lines.get(from..).unwrap_or_default();
            let (content, behind) = content.split_at(memchr(b'\n', content).map_or(content.len(), |lf| lf + 1));
            let (head, content) = match skimmed {
                Some(skimmed) => (self.of_record(skimmed.stream, skimmed.tag), content),
                None => self.head_and_content(content),
            };
            if head.is_wanted {
                let without_lf = content.len() - usize::from(head.tag == Some(Tag::Partial));
                out.write_all(content.get(..without_lf).unwrap_or_default())?;
            }
            lines = behind;
        }
        Ok(())
    }

    /// Any line, and any piece of one that was cut.
    fn write_line(&mut self, line: &Line<'_>, out: &mut impl Write) -> io::Result<()> {
        let mut content = line.bytes;
        if !line.is_rest {
            (self.head, content) = self.head_and_content(line.bytes);
        }
        if !self.head.is_wanted {
            return Ok(());
        }
        out.write_all(content)?;
        if line.cut_bytes > 0 {
            // A line longer than the reader holds: its rest goes from file to output.
            let from = line.offset + line.bytes.len() as u64;
            self.file.copy(from..from + line.cut_bytes, out)?;
        }
        let newline = self.head.tag.map_or(line.terminated, |tag| tag == Tag::Full);
        if newline && !line.has_rest { out.write_all(b"\n") } else { Ok(()) }
    }

    fn head_and_content<'a>(&mut self, line: &'a [u8]) -> (Head, &'a [u8]) {
        // With its LF or without.
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        match self.file.format().parse(bare) {
            Ok(record) => (
                self.of_record(record.stream, record.tag),
                line.get(bare.len() - record.content.len()..).unwrap_or_default(),
            ),
            Err(_) => {
                let is_wanted = self.wanted.is_none();
                self.strangers += u64::from(!is_wanted);
                (Head { is_wanted, tag: None }, line)
            }
        }
    }

    fn of_record(&self, stream: Stream, tag: Tag) -> Head {
        Head { is_wanted: self.wanted.is_none_or(|wanted| wanted == stream), tag: Some(tag) }
    }
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
