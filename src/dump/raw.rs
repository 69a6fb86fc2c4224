//! `--format raw`: the bytes that the commands wrote.
//!
//! An `F` record becomes its content and a newline, and a `P` record its content alone, so no
//! records have to be joined. Lines that are not records, and plain text, are copied unchanged. If
//! one stream is selected (`--stream`), these lines are omitted, because they belong to neither
//! stream.

use std::io::{self, Write};
use std::sync::Arc;

use memchr::memchr;

use super::printing::{Printing, ROW_CAP_BYTES};
use crate::cri::{HeaderScanner, Stream, Tag};
use crate::error::Error;
use crate::join::LogRef;
use crate::log::{Format, Line, LogFile, Row};

pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    for log in printing.shs().filter_map(|(_, sh)| sh.log.as_ref()) {
        write_log(printing, log, out)?;
    }
    Ok(())
}

fn write_log(printing: &mut Printing<'_>, log: &LogRef, out: &mut impl Write) -> io::Result<()> {
    let Some(file) = printing.open(log).map(Arc::new) else { return Ok(()) };
    match printing.reported_tail_start(&file) {
        None => Ok(()),
        Some(0) if printing.look.grep.is_none() => write_lines(printing, &file, out),
        Some(start) => write_rows(printing, &file, start, out),
    }
}

/// Writes a whole log line by line, in the order of the file.
fn write_lines(
    printing: &mut Printing<'_>,
    file: &LogFile,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(mut lines) = printing.report_err(file.lines(0)) else { return Ok(()) };
    let mut content = Content::new(file, printing.look.stream);
    let tail = printing.tail();
    let read = |error| Error::io("read", file.path())(error);
    while let Some(whole) = printing.report_err(lines.whole_lines().map_err(read)) {
        content.write_whole_lines(whole, out)?;
        match printing.report_err(lines.next().map_err(read)) {
            Some(Some(line)) if !tail.holds(&line) => content.write_line(&line, out)?,
            _ => break,
        }
    }
    if content.omitted_lines > 0 {
        let (path, omitted_lines) = (file.path().display(), content.omitted_lines);
        let lines = if omitted_lines == 1 {
            "1 line that is not a CRI record".to_owned()
        } else {
            format!("{omitted_lines} lines that are not CRI records")
        };
        let notice = format!("{path}: omitted {lines} (--stream)");
        printing.report.notices.push(notice);
    }
    Ok(())
}

/// A writer of the content of lines.
struct Content<'f> {
    file: &'f LogFile,
    wanted: Option<Stream>,
    scanner: HeaderScanner,
    /// The treatment of the line that was written last. If the line is read in pieces, this also
    /// applies to its later pieces.
    head: Head,
    /// The number of lines left out because they have no stream.
    omitted_lines: u64,
}

/// The treatment of a line, determined by its start.
#[derive(Clone, Copy)]
struct Head {
    is_wanted: bool,
    /// `None` if the line is not a record.
    tag: Option<Tag>,
}

impl<'f> Content<'f> {
    fn new(file: &'f LogFile, wanted: Option<Stream>) -> Self {
        let head = Head { is_wanted: true, tag: None };
        Self { file, wanted, scanner: HeaderScanner::default(), head, omitted_lines: 0 }
    }

    /// Writes lines that all end with an LF.
    fn write_whole_lines(&mut self, mut lines: &[u8], out: &mut impl Write) -> io::Result<()> {
        let is_cri = self.file.format() == Format::Cri;
        if self.wanted.is_none() && !is_cri {
            return out.write_all(lines);
        }
        while !lines.is_empty() {
            let scanned = if is_cri { self.scanner.scan(lines) } else { None };
            // The search for the LF starts after the header, which contains no LF.
            let from = scanned.map_or(0, |scanned| scanned.content_at);
            let content = lines.get(from..).unwrap_or_default();
            let (content, behind) =
                content.split_at(memchr(b'\n', content).map_or(content.len(), |lf| lf + 1));
            let (head, content) = match scanned {
                Some(scanned) => (self.of_record(scanned.stream, scanned.tag), content),
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

    /// Writes a line, or a piece of a very long line.
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
            // The line is too long for the reader: copy the rest from the file to the output.
            let from = line.offset + line.bytes.len() as u64;
            self.file.copy(from..from + line.cut_bytes, out)?;
        }
        let newline = self.head.tag.map_or(line.terminated, |tag| tag == Tag::Full);
        if newline && !line.has_rest { out.write_all(b"\n") } else { Ok(()) }
    }

    fn head_and_content<'a>(&mut self, line: &'a [u8]) -> (Head, &'a [u8]) {
        // The line may end with an LF.
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        let Ok(record) = self.file.format().parse(bare) else {
            let is_wanted = self.wanted.is_none();
            self.omitted_lines += u64::from(!is_wanted);
            return (Head { is_wanted, tag: None }, line);
        };
        let content = line.get(bare.len() - record.content.len()..).unwrap_or_default();
        (self.of_record(record.stream, record.tag), content)
    }

    fn of_record(&self, stream: Stream, tag: Tag) -> Head {
        Head { is_wanted: self.wanted.is_none_or(|wanted| wanted == stream), tag: Some(tag) }
    }
}

/// Writes the rows that begin at or after an offset.
fn write_rows(
    printing: &mut Printing<'_>,
    file: &Arc<LogFile>,
    start: u64,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(mut rows) = printing.rows(file, start, ROW_CAP_BYTES) else { return Ok(()) };
    let mut row = Row::default();
    while rows.read(printing, &mut row) {
        out.write_all(&row.text)?;
        printing.report_cut(file, row.cut_bytes);
        if row.complete {
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogPath;

    const HEADER: &str = "2026-01-02T03:04:05Z stderr";

    fn open(dir: &tempfile::TempDir, bytes: &[u8]) -> LogFile {
        std::fs::write(dir.path().join("0.log"), bytes).unwrap();
        LogFile::open(&LogPath::named(dir.path().join("0.log"))).unwrap()
    }

    #[test]
    fn the_rest_of_a_line_is_written_to_the_stream_of_its_start() {
        let dir = tempfile::tempdir().unwrap();
        for (head, whole, of_stderr, of_stdout) in [
            (format!("{HEADER} F he"), "he11F 2\n", "he11F 2\n", ""),
            (format!("{HEADER} P he"), "he11F 2", "he11F 2", ""),
            ("no record".into(), "no record11F 2\n", "", ""),
        ] {
            // The rest of a line may look like a record.
            let text = format!("{head}11F 2\n");
            let file = open(&dir, text.as_bytes());
            let at = |from: usize, len: usize| {
                (from as u64, text.as_bytes().get(from..from + len).unwrap())
            };
            let pieces = [
                (at(0, head.len()), 0, false),
                (at(head.len(), 1), 1, true),
                (at(head.len() + 2, 3), 0, true),
            ];
            for (wanted, expected) in [
                (None, whole),
                (Some(Stream::Stderr), of_stderr),
                (Some(Stream::Stdout), of_stdout),
            ] {
                let (mut content, mut out) = (Content::new(&file, wanted), Vec::new());
                for (index, ((offset, bytes), cut_bytes, is_rest)) in pieces.into_iter().enumerate()
                {
                    let (terminated, has_rest) = (index == 2, index < 2);
                    let end = offset + bytes.len() as u64 + cut_bytes + u64::from(terminated);
                    let line =
                        Line { offset, bytes, cut_bytes, end, terminated, is_rest, has_rest };
                    content.write_line(&line, &mut out).unwrap();
                }
                assert_eq!(String::from_utf8(out).unwrap(), expected, "{head} {wanted:?}");
                let left_out = u64::from(wanted.is_some() && head == "no record");
                assert_eq!(content.omitted_lines, left_out);
            }
        }
    }

    #[test]
    fn a_block_of_whole_lines_is_written_like_single_lines() {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "{HEADER} F a\n\nno record\n{HEADER} P b\n{HEADER} F\n\
             2026-01-02T03:04:05.123456789+00:00 stdout F:x c\r\n{HEADER} F \n"
        );
        assert_as_single_ones(&open(&dir, text.as_bytes()), &text);
        // In plain text, a line that looks like a record is not one.
        let plain = dir.path().join("quire-ci.log");
        std::fs::write(&plain, &text).unwrap();
        assert_as_single_ones(&LogFile::open(&LogPath::named(plain)).unwrap(), &text);
    }

    fn assert_as_single_ones(file: &LogFile, text: &str) {
        for wanted in [None, Some(Stream::Stdout), Some(Stream::Stderr)] {
            let (mut content, mut out) = (Content::new(file, wanted), Vec::new());
            content.write_whole_lines(text.as_bytes(), &mut out).unwrap();
            let (mut single, mut expected, mut lines) =
                (Content::new(file, wanted), Vec::new(), file.lines(0).unwrap());
            while let Some(line) = lines.next().unwrap() {
                single.write_line(&line, &mut expected).unwrap();
            }
            assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
            assert_eq!(content.omitted_lines, single.omitted_lines);
        }
    }
}
