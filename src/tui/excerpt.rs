//! Rows of a log as text for other programs: a file for an editor, a pipe to a pager, the
//! clipboard.
//!
//! Each row is a sanitized line. If a log is too large to be passed on whole, the excerpt contains
//! the rows around the current one, and its first line reports that. Only one row at a time is held
//! in memory.

use std::io::{self, Write};

use super::msg::{LogRow, MAX_COPY_BYTES};
use crate::display;
use crate::error::{Error, Result};
use crate::log::LogPath;
use crate::log::{LogFile, Row, Tail};
use crate::sanitize::{Sanitizer, Span, Style, sgr};

/// The most bytes of a large log before the row. An excerpt for an editor has at most twice as many
/// bytes in total.
const REACH: u64 = 32 << 20;

/// The most bytes of one row.
const ROW_BYTES: usize = 1 << 20;

/// The rows around a row.
pub(super) struct Excerpt {
    file: LogFile,
    tail: Tail,
    /// The start: 0, or some byte before the row.
    from: u64,
    /// The end: rows that begin here or later are left out.
    to: u64,
    /// The byte at which the row begins.
    offset: u64,
}

impl Excerpt {
    /// Opens the whole log if it has at most twice [`REACH`] bytes, else the part around the row.
    pub(super) fn around(row: &LogRow) -> Result<Self> {
        Self::near(row, REACH)
    }

    /// Opens the log from [`REACH`] bytes before the row to its end.
    pub(super) fn from_before(row: &LogRow) -> Result<Self> {
        Self::after(row, REACH)
    }

    fn near(row: &LogRow, reach: u64) -> Result<Self> {
        let excerpt = Self::after(row, reach)?;
        if excerpt.file.bytes() <= 2 * reach {
            return Ok(Self { from: 0, ..excerpt });
        }
        Ok(Self { to: excerpt.from.saturating_add(2 * reach), ..excerpt })
    }

    fn after(row: &LogRow, reach: u64) -> Result<Self> {
        let file = LogFile::open(&row.log)?;
        let from = row.offset.saturating_sub(reach);
        Ok(Self { file, tail: row.tail, from, to: u64::MAX, offset: row.offset })
    }

    /// Returns the line number of the row, from 1.
    pub(super) fn line(&self) -> Result<u64> {
        let mut line = u64::from(self.message().is_some());
        for row in self.file.window_rows(self.from, 0, self.tail)? {
            if row.map_err(Error::io("read", self.file.path()))?.offset > self.offset {
                break;
            }
            line += 1;
        }
        Ok(line.max(1))
    }

    /// Writes the lines, with or without colors.
    pub(super) fn write(&self, color: bool, out: &mut impl Write) -> io::Result<()> {
        if let Some(message) = self.message() {
            writeln!(out, "{message}")?;
        }
        let mut sanitizer = Sanitizer::default();
        for row in
            self.file.window_rows(self.from, ROW_BYTES, self.tail).map_err(io::Error::other)?
        {
            let row = row?;
            if row.offset >= self.to {
                break;
            }
            write_line(&row, &mut sanitizer, color, out)?;
        }
        Ok(())
    }

    /// Returns a first line that reports the part that follows; `None` for a whole log.
    fn message(&self) -> Option<String> {
        let end = self.to.min(self.file.bytes());
        let size = display::size(end.saturating_sub(self.from));
        let is_whole = self.from == 0 && end == self.file.bytes();
        (!is_whole).then(|| {
            format!(
                "[rundown: {size} of {}, from byte {}]",
                display::size(self.file.bytes()),
                self.from
            )
        })
    }
}

/// Reads the beginning of a log, as much as can be copied. The flag is true if the rest is left
/// out.
pub(super) fn copied(log: &LogPath, tail: Tail) -> Result<(String, bool)> {
    let file = LogFile::open(log)?;
    let (mut text, mut sanitizer) = (Vec::new(), Sanitizer::default());
    for row in file.window_rows(0, MAX_COPY_BYTES, tail)? {
        let row = row.map_err(Error::io("read", file.path()))?;
        // Writing to a Vec cannot fail.
        let _ = write_line(&row, &mut sanitizer, false, &mut text);
        if text.len() > MAX_COPY_BYTES {
            break;
        }
    }
    let mut text = String::from_utf8_lossy(&text).into_owned();
    let is_cut = clip(&mut text);
    Ok((text, is_cut))
}

/// Cuts a text to the size that can be copied. Returns true if it was longer.
pub(super) fn clip(text: &mut String) -> bool {
    let is_cut = text.len() > MAX_COPY_BYTES;
    text.truncate(text.floor_char_boundary(MAX_COPY_BYTES));
    is_cut
}

fn write_line(
    row: &Row,
    sanitizer: &mut Sanitizer,
    color: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    for Span { text, style, .. } in sanitizer.row(&row.text) {
        if color && style != Style::default() {
            write!(out, "{}{text}\x1b[0m", sgr(&style))?;
        } else {
            out.write_all(text.as_bytes())?;
        }
    }
    if row.cut_bytes > 0 {
        write!(out, "… {} more", display::size(row.cut_bytes))?;
    }
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::BufWriter;
    use std::path::Path;

    use super::*;

    const AT: &str = "2026-01-02T03:04:05.000000000Z";

    fn row(path: &Path, offset: u64) -> LogRow {
        LogRow { log: LogPath::named(path), offset, tail: Tail::Emit }
    }

    fn text(excerpt: &Excerpt, color: bool) -> String {
        let mut out = Vec::new();
        excerpt.write(color, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_row_is_a_line_and_harmless() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let log = [
            format!("{AT} stdout F \x1b[31mred\x1b[m\x07\n"),
            format!("{AT} stdout P one, \n"),
            format!("{AT} stderr F between\n"),
            format!("{AT} stdout F two\n"),
        ];
        fs::write(&path, log.concat()).unwrap();
        let excerpt = Excerpt::around(&row(&path, (log[0].len() + log[1].len()) as u64)).unwrap();
        assert_eq!(text(&excerpt, false), "red␇\none, two\nbetween\n");
        assert_eq!(text(&excerpt, true), "\x1b[0;31mred\x1b[0m␇\none, two\nbetween\n");
        assert_eq!(excerpt.line().unwrap(), 3);
        assert_eq!(
            copied(&LogPath::named(&*path), Tail::Emit).unwrap(),
            ("red␇\none, two\nbetween\n".into(), false)
        );
    }

    #[test]
    fn of_a_large_log_the_rows_around_the_one_are_given_and_its_line_is_right() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large.log");
        let (row_bytes, rows, reach) = (64, 4096, 64 << 10);
        let mut out = BufWriter::new(File::create(&path).unwrap());
        for n in 0..rows {
            let head = format!("{AT} stdout F {n} ");
            writeln!(out, "{head}{}", "x".repeat(row_bytes - 1 - head.len())).unwrap();
        }
        out.into_inner().unwrap();
        for n in [0, rows / 2, rows - 1] {
            let row = row(&path, (n * row_bytes) as u64);
            for (excerpt, first, last) in [
                (
                    Excerpt::near(&row, reach).unwrap(),
                    n.saturating_sub(1024),
                    (n.saturating_sub(1024) + 2047).min(rows - 1),
                ),
                (Excerpt::after(&row, reach).unwrap(), n.saturating_sub(1024), rows - 1),
            ] {
                let text = text(&excerpt, false);
                let mut lines: Vec<&str> = text.lines().collect();
                let at = usize::try_from(excerpt.line().unwrap()).unwrap() - 1;
                assert!(lines[at].starts_with(&format!("{n} x")), "{n}: {}", lines[at]);
                let is_whole = (first, last) == (0, rows - 1);
                assert_eq!(lines[0].starts_with("[rundown: "), !is_whole);
                let rows = lines.split_off(usize::from(!is_whole));
                assert_eq!(rows.len(), last - first + 1);
                assert!(rows[0].starts_with(&format!("{first} x")), "{}", rows[0]);
            }
        }
    }

    #[test]
    fn what_is_copied_is_cut_between_characters() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        fs::write(&path, format!("{AT} stdout F x{}\n", "é".repeat(MAX_COPY_BYTES))).unwrap();
        let (text, is_cut) = copied(&LogPath::named(&*path), Tail::Emit).unwrap();
        assert!(is_cut);
        assert!((MAX_COPY_BYTES - 3..=MAX_COPY_BYTES).contains(&text.len()), "{}", text.len());
        let mut short = String::from("short");
        assert!(!clip(&mut short));
    }
}
