//! Reading of many rows ahead of their use: parsing rows takes about as much time as printing them,
//! so a second thread parses if there is enough to read.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::{io, mem, thread};

use super::rows::Rows;
use super::{LogFile, Row, Tail};
use crate::error::{Error, Result};

/// The minimum number of bytes for which a second thread is worth starting.
const MANY_BYTES: u64 = 2 << 20;

/// The number of rows that are handed over at once, and the number of bytes of text after which
/// fewer are.
const BATCH_ROWS: usize = 512;
const BATCH_BYTES: usize = 256 << 10;

/// The part of a log that is read, and how.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The offset from which rows are read, see [`LogFile::rows`].
    pub from: u64,
    /// The maximum number of bytes of text of a row.
    pub cap_bytes: usize,
    /// The treatment of an incomplete last line.
    pub tail: Tail,
    /// True if a row that exceeds the cap keeps its last state ([`Rows::keeping_last`]).
    pub keeps_last: bool,
}

/// A reader of the rows of a log. Its results after an error are meaningless.
pub struct RowsAhead<'f> {
    log: &'f LogFile,
    source: Source<'f>,
}

enum Source<'f> {
    /// The rows are few: they are read when they are needed.
    Here(Box<Rows<'f>>),
    /// A second thread reads batches of rows.
    There(Batches),
}

/// Batches of rows circulate between two threads, so that their buffers are used again: buffers
/// that one thread allocates and another one frees make both threads wait.
struct Batches {
    batch: Vec<Row>,
    /// The number of rows of the batch that were taken.
    taken: usize,
    filled: Receiver<Result<Vec<Row>>>,
    used: SyncSender<Vec<Row>>,
}

impl<'f> RowsAhead<'f> {
    /// Opens the rows of a log.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn new(log: &'f Arc<LogFile>, reading: Reading) -> Result<Self> {
        let is_much = log.bytes().saturating_sub(reading.from) >= MANY_BYTES;
        let source = match is_much.then(|| start(log, reading)).flatten() {
            Some(batches) => Source::There(batches),
            None => Source::Here(Box::new(rows(log, reading)?)),
        };
        Ok(Self { log, source })
    }

    /// Reads the next row into `row`, whose buffers are used again. Returns false at the end.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn read(&mut self, row: &mut Row) -> Result<bool> {
        match &mut self.source {
            Source::Here(rows) => rows.read(row).map_err(|error| unreadable(self.log, error)),
            Source::There(batches) => batches.read(row),
        }
    }
}

impl Batches {
    fn read(&mut self, row: &mut Row) -> Result<bool> {
        while self.taken == self.batch.len() {
            // The other thread may have ended.
            let _ = self.used.try_send(mem::take(&mut self.batch));
            let Ok(batch) = self.filled.recv() else { return Ok(false) };
            (self.batch, self.taken) = (batch?, 0);
        }
        let next = self.batch.get_mut(self.taken);
        self.taken = self.taken.saturating_add(1);
        Ok(next.map(|next| mem::swap(row, next)).is_some())
    }
}

fn unreadable(log: &LogFile, error: io::Error) -> Error {
    Error::io("read", log.path())(error)
}

fn rows(log: &LogFile, reading: Reading) -> Result<Rows<'_>> {
    let rows = log.rows(reading.from, reading.cap_bytes, reading.tail)?;
    Ok(if reading.keeps_last { rows.keeping_last() } else { rows })
}

/// Starts a thread that reads. It ends when it has read everything, or when nothing takes its rows
/// any more. Returns `None` if the system starts no thread.
fn start(log: &Arc<LogFile>, reading: Reading) -> Option<Batches> {
    let (to_use, filled) = sync_channel(0);
    let (used, to_fill) = sync_channel(2);
    let log = Arc::clone(log);
    let read = move || {
        if let Err(error) = send_all(&log, reading, &to_use, &to_fill) {
            let _ = to_use.send(Err(error));
        }
    };
    thread::Builder::new().spawn(read).ok()?;
    Some(Batches { batch: Vec::new(), taken: 0, filled, used })
}

/// Sends the rows in batches up to the end, or until nothing takes them any more.
fn send_all(
    log: &LogFile,
    reading: Reading,
    to_use: &SyncSender<Result<Vec<Row>>>,
    to_fill: &Receiver<Vec<Row>>,
) -> Result<()> {
    let mut rows = rows(log, reading)?;
    loop {
        let mut batch = to_fill.try_recv().unwrap_or_default();
        let has_more = fill(&mut batch, &mut rows);
        let is_taken = to_use.send(Ok(batch)).is_ok();
        if !has_more.map_err(|error| unreadable(log, error))? || !is_taken {
            return Ok(());
        }
    }
}

/// Replaces the rows of a batch with the next rows. Returns false at the end of the log.
fn fill(batch: &mut Vec<Row>, rows: &mut Rows<'_>) -> io::Result<bool> {
    batch.resize_with(BATCH_ROWS, Row::default);
    let (mut filled, mut bytes) = (0_usize, 0_usize);
    let mut has_more = Ok(true);
    for row in batch.iter_mut() {
        has_more = rows.read(row);
        if !matches!(has_more, Ok(true)) {
            break;
        }
        filled = filled.saturating_add(1);
        bytes = bytes.saturating_add(row.text.len());
        if bytes >= BATCH_BYTES {
            break;
        }
    }
    batch.truncate(filled);
    has_more
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::fs;

    use super::*;
    use crate::log::LogPath;

    /// Returns a log of two streams with long rows, pieces, and lines that are not records.
    fn log(dir: &tempfile::TempDir, bytes: u64) -> Arc<LogFile> {
        let mut text = String::new();
        for n in 0_usize.. {
            let (stream, tag) = (["stdout", "stderr"][n % 2], if n % 7 == 0 { 'P' } else { 'F' });
            let content = "x".repeat(if n % 1000 == 0 { 300_000 } else { n % 90 });
            writeln!(text, "2026-01-02T03:04:05.{n:09}Z {stream} {tag} {n} {content}").unwrap();
            if n % 500 == 0 {
                writeln!(text, "not a record {n}").unwrap();
            }
            if text.len() as u64 >= bytes {
                break;
            }
        }
        let path = dir.path().join("sh-1.log");
        fs::write(&path, text).unwrap();
        Arc::new(LogFile::open(&LogPath::named(path)).unwrap())
    }

    fn reading(from: u64) -> Reading {
        Reading { from, cap_bytes: 100_000, tail: Tail::Emit, keeps_last: false }
    }

    fn read_all(rows: &mut RowsAhead<'_>) -> Vec<Row> {
        let mut all = Vec::new();
        let mut row = Row::default();
        while rows.read(&mut row).unwrap() {
            all.push(row.clone());
        }
        all
    }

    #[test]
    fn both_ways_to_read_return_the_same_rows() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(&dir, MANY_BYTES + 1);
        for from in [0, log.bytes() / 3] {
            let source = Source::There(start(&log, reading(from)).unwrap());
            let mut ahead = RowsAhead { log: &log, source };
            let expected: Vec<Row> =
                rows(&log, reading(from)).unwrap().map(io::Result::unwrap).collect();
            assert!(expected.len() > BATCH_ROWS);
            assert_eq!(read_all(&mut ahead), expected);
        }
    }
}
