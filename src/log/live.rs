//! Reader of a log while it is written. It returns each row once, as soon as the row has ended.
//!
//! Rows come in the order in which they *end*, not in the order of their first records as
//! elsewhere: a progress bar of one stream that runs for minutes must not delay the rows of the
//! other stream. Rows that are open when a log ends are returned too ([`LiveRows::read_end`]).
//! A log that its recorder has shortened is read on after the rows that were returned.
//! Rotation, truncation and replacement are followed as [`LogFile::extend`] reports them: rows that
//! were returned stay valid, and a new file or a rewritten one is read from its start.

use super::lines::Line;
use super::rows::{Cap, begin_line, begin_row};
use super::{Change, Format, LogFile, Row, Tail};
use crate::cri::{PerStream, Record, Tag};
use crate::error::{Error, Result};

/// The number of bytes per batch, which limits the rows in memory.
const BATCH_BYTES: u64 = 1 << 20;

/// A reader of a log while it is written.
#[derive(Debug)]
pub struct LiveRows {
    file: LogFile,
    /// The offset after the last line that was read.
    at: u64,
    /// The rows that have started but not ended, by stream.
    open: PerStream<Option<Row>>,
    cap: Cap,
}

/// A batch of rows.
#[derive(Default, Debug)]
pub struct Batch {
    /// The rows, in the order in which they ended.
    pub rows: Vec<Row>,
    /// True if there is nothing more to read now.
    pub is_last: bool,
}

impl LiveRows {
    /// Creates a reader that begins at the first line at or after `from`. A row holds at most
    /// `cap_bytes` of text; a longer row that overwrote itself holds its last state.
    ///
    /// # Errors
    /// Fails if the log cannot be read, as all methods of this type do.
    pub fn new(file: LogFile, from: u64, cap_bytes: usize) -> Result<Self> {
        let at = file.lines(from)?.offset();
        Ok(Self {
            file,
            at,
            open: PerStream::default(),
            cap: Cap { bytes: cap_bytes, keeps_last: true },
        })
    }

    /// Returns the log that is read now.
    #[must_use]
    pub const fn file(&self) -> &LogFile {
        &self.file
    }

    /// Returns rows that have ended since the last call, at most one batch of them. Repeat the call
    /// until [`Batch::is_last`].
    #[expect(clippy::missing_errors_doc, reason = "see new")]
    pub fn read(&mut self) -> Result<Batch> {
        let batch = self.read_lines(Tail::Hold)?;
        if !batch.is_last {
            return Ok(batch);
        }
        // Check for another file only now, after all complete lines of this one have been read.
        let torn = self.torn()?;
        let change = match self.file.extend() {
            // The next call fails. These rows must not be lost.
            Err(_) if !batch.rows.is_empty() => return Ok(Batch { is_last: false, ..batch }),
            change => change?,
        };
        match change {
            Change::Same | Change::Gone => Ok(batch),
            Change::Grown { .. } | Change::Reformatted => Ok(Batch { is_last: false, ..batch }),
            Change::Shortened { at, has_gap: false } => {
                self.at = at;
                Ok(Batch { is_last: false, ..batch })
            }
            change => {
                self.at = match change {
                    Change::Shortened { at, .. } => at,
                    _ => 0,
                };
                let rows = batch.rows.into_iter().chain(torn).chain(self.open_rows()).collect();
                Ok(Batch { rows, is_last: false })
            }
        }
    }

    /// Returns the remaining rows when no writer is left. Works like [`Self::read`], but the last
    /// batch ends with the rows that are still open.
    #[expect(clippy::missing_errors_doc, reason = "see new")]
    pub fn read_end(&mut self) -> Result<Batch> {
        let mut batch = self.read()?;
        if batch.is_last {
            batch.rows.extend(self.read_lines(Tail::Emit)?.rows);
            batch.rows.extend(self.open_rows());
        }
        Ok(batch)
    }

    fn read_lines(&mut self, tail: Tail) -> Result<Batch> {
        let (mut rows, started) = (Vec::new(), self.at);
        let mut lines = self.file.lines(self.at)?;
        while self.at.saturating_sub(started) < BATCH_BYTES {
            match lines.next().map_err(Error::io("read", self.file.path()))? {
                Some(line) if !tail.holds(&line) => {
                    self.at = line.end;
                    rows.extend(take(&mut self.open, self.file.format(), &line, self.cap));
                }
                Some(_) | None => return Ok(Batch { rows, is_last: true }),
            }
        }
        Ok(Batch { rows, is_last: false })
    }

    /// Returns the row of the unterminated last line, as if the line ended there.
    fn torn(&self) -> Result<Option<Row>> {
        let mut lines = self.file.lines(self.at)?;
        let line = lines.next().map_err(Error::io("read", self.file.path()))?;
        Ok(line.and_then(|line| take(&mut self.open.clone(), self.file.format(), &line, self.cap)))
    }

    /// Returns the rows that are still open and will not end, in the order in which they began.
    /// Omits entries without bytes.
    fn open_rows(&mut self) -> Vec<Row> {
        let open = std::mem::take(&mut self.open);
        let mut rows: Vec<Row> = [open.stdout, open.stderr].into_iter().flatten().collect();
        rows.retain(|row| !row.text.is_empty() || row.cut_bytes > 0);
        rows.sort_by_key(|row| row.offset);
        rows
    }
}

/// Adds a line to the open rows. Returns the row that ends with the line; `None` if the row stays
/// open.
fn take(
    open: &mut PerStream<Option<Row>>,
    format: Format,
    line: &Line<'_>,
    cap: Cap,
) -> Option<Row> {
    let record = match format.parse_line(line) {
        Ok(record) => record,
        Err(malformed) => {
            let mut row = Row::default();
            begin_line(&mut row, line, malformed, cap);
            return Some(row);
        }
    };
    let Record { stream, tag, at, content } = record;
    let slot = open.get_mut(stream);
    let row = match slot.take() {
        None => {
            let mut row = Row::default();
            begin_row(&mut row, line, &record, cap);
            row
        }
        Some(mut row) => {
            cap.append(&mut row, content, line.cut_bytes, Some(at));
            row.last_at = Some(at);
            row.complete = tag == Tag::Full && !line.has_rest;
            row
        }
    };
    match tag {
        Tag::Full => Some(row),
        Tag::Partial => {
            *slot = Some(row);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::path::Path;

    use super::*;
    use crate::log::LogPath;

    fn append(path: &Path, bytes: &str) {
        File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap()
            .write_all(bytes.as_bytes())
            .unwrap();
    }

    fn record(stream: &str, tag: char, text: &str) -> String {
        format!("2026-01-02T03:04:05Z {stream} {tag} {text}\n")
    }

    fn live(path: &Path) -> LiveRows {
        LiveRows::new(LogFile::open(&LogPath::named(path)).unwrap(), 0, 1 << 20).unwrap()
    }

    fn texts(mut read: impl FnMut() -> Batch) -> Vec<String> {
        let mut texts = Vec::new();
        loop {
            let batch = read();
            texts.extend(batch.rows.into_iter().map(|row| String::from_utf8(row.text).unwrap()));
            if batch.is_last {
                return texts;
            }
        }
    }

    #[test]
    fn a_row_is_printed_at_its_end_and_does_not_delay_the_other_stream() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        append(&path, &record("stderr", 'P', "10%\r"));
        append(&path, &record("stdout", 'F', "one"));
        let mut rows = live(&path);
        assert_eq!(texts(|| rows.read().unwrap()), ["one"]);
        append(&path, "2026-01-02T03:04:05Z stdout F tw");
        assert!(texts(|| rows.read().unwrap()).is_empty(), "its writer is in the middle of it");
        append(&path, "o\n");
        append(&path, &record("stderr", 'F', "100%"));
        assert_eq!(texts(|| rows.read().unwrap()), ["two", "10%\r100%"]);
        append(&path, &record("stdout", 'P', "a prompt: "));
        append(&path, "2026-01-02T03:04:05Z stderr F torn");
        assert!(texts(|| rows.read().unwrap()).is_empty());
        assert_eq!(texts(|| rows.read_end().unwrap()), ["torn", "a prompt: "]);
    }

    #[test]
    fn a_rotated_or_truncated_log_is_read_from_the_start_of_the_new_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        append(&path, &record("stdout", 'F', "one"));
        let mut rows = live(&path);
        assert_eq!(texts(|| rows.read().unwrap()), ["one"]);
        let old = dir.path().join("0.log.1");
        fs::rename(&path, &old).unwrap();
        append(&old, &record("stdout", 'P', "its end, "));
        append(&old, "2026-01-02T03:04:05Z stderr F torn");
        append(&path, &record("stdout", 'F', "two"));
        assert_eq!(texts(|| rows.read().unwrap()), ["torn", "its end, ", "two"]);
        fs::write(&path, record("stderr", 'F', "x")).unwrap();
        assert_eq!(texts(|| rows.read().unwrap()), ["x"]);
    }

    #[test]
    fn a_shortened_log_is_read_on_behind_the_rows_that_were_returned() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sh-1.log");
        let new = dir.path().join("sh-1.log.cut");
        let line =
            |n: u32, tag, text: &str| format!("2026-01-02T03:04:05.{n:09}Z stdout {tag} {text}\n");
        let lines = |numbers: std::ops::Range<u32>| -> String {
            numbers.map(|n| line(n, 'F', &n.to_string())).collect()
        };
        let numbers = |from: u32, to: u32| (from..to).map(|n| n.to_string()).collect::<Vec<_>>();
        append(&path, &lines(0..5000));
        append(&path, &line(5000, 'P', "open "));
        let mut rows = live(&path);
        assert_eq!(texts(|| rows.read().unwrap()), numbers(0, 5000));

        append(&new, &(lines(0..1000) + &lines(3000..5000) + &line(5000, 'P', "open ")));
        fs::rename(&new, &path).unwrap();
        append(&path, &line(5001, 'F', "row"));
        append(&path, &lines(5002..5003));
        assert_eq!(texts(|| rows.read().unwrap()), ["open row", "5002"]);

        append(&new, &(lines(0..1000) + &lines(7000..7002)));
        fs::rename(&new, &path).unwrap();
        assert_eq!(texts(|| rows.read().unwrap()), ["7000", "7001"], "5003 to 6999 are missing");
    }

    #[test]
    fn reading_in_chunks_gives_the_same_rows_as_reading_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        let whole: String = (0..60_000)
            .map(|n| match n % 5 {
                0 => record("stdout", 'P', &format!("{n} ")),
                1 => record("stderr", 'F', &format!("{n}")),
                2 => format!("no record {n}\n"),
                _ => record("stdout", 'F', &format!("{n}")),
            })
            .collect();
        let (mut rows, mut got) = (None, Vec::new());
        for piece in whole.as_bytes().chunks(99_991) {
            append(&path, str::from_utf8(piece).unwrap());
            let rows = rows.get_or_insert_with(|| live(&path));
            got.extend(texts(|| rows.read().unwrap()));
        }
        let file = LogFile::open(&LogPath::named(&*path)).unwrap();
        let mut all: Vec<_> =
            file.rows(0, 1 << 20, Tail::Emit).unwrap().map(|row| row.unwrap().text).collect();
        let mut got: Vec<_> = got.into_iter().map(String::into_bytes).collect();
        assert_eq!(got.len(), all.len());
        all.sort();
        got.sort();
        assert_eq!(got, all);
    }
}
