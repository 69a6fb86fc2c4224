//! A log in object storage: pieces in objects, each compressed in frames.
//!
//! While a run is pushed, its logs grow by further pieces. When it is complete, each log is stored
//! again as one piece. Its bytes remain the same, and so do the addresses of its rows.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::object::Object;
use super::seekable::{Seekable, read_exact, table_bytes};
use super::source::Source;
use super::stored::Beside;

/// The largest compressed facts that are read, in bytes.
const MAX_FACTS_BYTES: u64 = 64 << 20;

/// The number of pieces whose seek tables and last frames are kept, per reader.
const KEPT_PIECES: usize = 4;

/// The largest range that is requested at once to open a piece, in bytes.
const MAX_OPENING_BYTES: u64 = 2 << 20;

/// A log whose pieces may be replaced by others with the same bytes and more. Clones share them.
/// Logs are equal if they are clones of each other.
#[derive(Clone)]
pub struct PiecedLog(Arc<Shared>);

struct Shared {
    path: PathBuf,
    content: Mutex<Arc<Content>>,
}

/// A range of bytes in an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogPiece {
    /// The object.
    pub object: Object,
    /// The bytes in the object.
    pub range: Range<u64>,
    /// The number of bytes of the log that it contains.
    pub bytes: u64,
}

#[derive(Default)]
struct Content {
    /// The pieces, with the offsets of their first bytes in the log.
    pieces: Vec<(u64, LogPiece)>,
    bytes: u64,
    facts: Facts,
}

/// Facts about a log that are stored with it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Facts {
    /// The index.
    pub index: Option<LogPiece>,
    /// The groups.
    pub groups: Option<LogPiece>,
    /// The likely cause of the failure of its command, as JSON.
    pub cause: Option<String>,
}

impl PiecedLog {
    /// Creates an empty log. `path` identifies it for the user.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(Arc::new(Shared { path, content: Mutex::default() }))
    }

    /// Returns the path that identifies it for the user.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Returns the current size of the log in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.content().bytes
    }

    /// Replaces the pieces and the facts. The bytes that the log had remain the same.
    pub fn set(&self, pieces: Vec<LogPiece>, facts: Facts) {
        let mut bytes = 0_u64;
        // An empty piece would be found in place of the one at the same offset.
        let pieces = pieces.into_iter().filter(|piece| piece.bytes > 0).map(|piece| {
            let start = bytes;
            bytes = bytes.saturating_add(piece.bytes);
            (start, piece)
        });
        let pieces = pieces.collect();
        *self.0.content.lock().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(Content { pieces, bytes, facts });
    }

    /// Opens the log for reading. Sends no request.
    pub(super) fn open(&self) -> OpenPieces {
        OpenPieces { log: self.clone(), open: Mutex::default() }
    }

    fn content(&self) -> Arc<Content> {
        Arc::clone(&self.0.content.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Content {
    /// Returns the piece that contains an offset of the log, and its start.
    fn piece_at(&self, offset: u64) -> Option<&(u64, LogPiece)> {
        let number = self.pieces.partition_point(|(start, _)| *start <= offset);
        self.pieces.get(number.checked_sub(1)?)
    }

    /// Reads the seek table of a piece and the facts after it in one request. A log without facts
    /// is small: it is read in blocks, which often contain the next logs, too.
    fn prefetch(&self, piece: &LogPiece) {
        let is_next = |fact: &&LogPiece| fact.object == piece.object;
        let facts = [&self.facts.index, &self.facts.groups].into_iter().flatten();
        let end = facts.filter(is_next).fold(piece.range.end, |end, fact| {
            if fact.range.start == end { fact.range.end } else { end }
        });
        let table = piece.range.end.saturating_sub(table_bytes(piece.bytes));
        let start = table.max(piece.range.start);
        if end > piece.range.end && end.saturating_sub(start) <= MAX_OPENING_BYTES {
            piece.object.prefetch(start..end);
        }
    }
}

/// A reader of a log. Keeps the pieces that it has read last open.
#[derive(Debug)]
pub(super) struct OpenPieces {
    log: PiecedLog,
    /// From the least to the most recently used.
    open: Mutex<Vec<(LogPiece, Arc<Seekable>)>>,
}

impl OpenPieces {
    fn opened(&self, content: &Content, piece: &LogPiece) -> io::Result<Arc<Seekable>> {
        let lock = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = lock();
        if let Some(at) = open.iter().position(|(opened, _)| opened == piece) {
            let found = open.remove(at);
            let seekable = Arc::clone(&found.1);
            open.push(found);
            return Ok(seekable);
        }
        // Read without the lock: another thread may need another piece.
        drop(open);
        content.prefetch(piece);
        let opened = Seekable::open(Box::new(piece.object.clone()), piece.range.clone())?;
        if opened.size()? != piece.bytes {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a piece of the log has another size than stated",
            ));
        }
        let opened = Arc::new(opened);
        let mut open = lock();
        if open.len() >= KEPT_PIECES {
            open.remove(0);
        }
        open.push((piece.clone(), Arc::clone(&opened)));
        Ok(opened)
    }
}

impl Source for OpenPieces {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let content = self.log.content();
        let Some((start, piece)) = content.piece_at(offset).filter(|_| offset < content.bytes)
        else {
            return Ok(0);
        };
        let read = self.opened(&content, piece);
        read.and_then(|opened| opened.read_at(offset.saturating_sub(*start), into)).map_err(
            |error| {
                // The log exists, although a part of it is missing.
                match error.kind() {
                    io::ErrorKind::NotFound => {
                        io::Error::new(io::ErrorKind::InvalidData, error.to_string())
                    }
                    _ => error,
                }
            },
        )
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.log.bytes())
    }

    fn beside(&self, kind: Beside) -> Option<Vec<u8>> {
        let content = self.log.content();
        let LogPiece { object, range, .. } = match kind {
            Beside::Index => content.facts.index.as_ref()?,
            Beside::Groups => content.facts.groups.as_ref()?,
            Beside::Cause => return content.facts.cause.clone().map(String::into_bytes),
        };
        // A log with facts is in one piece.
        if let Some((_, piece)) = content.pieces.first() {
            content.prefetch(piece);
        }
        let bytes = range.end.checked_sub(range.start).filter(|it| *it <= MAX_FACTS_BYTES)?;
        let mut packed = vec![0; usize::try_from(bytes).ok()?];
        read_exact(object, range.start, &mut packed).ok()?;
        Some(packed)
    }
}

impl fmt::Debug for PiecedLog {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PiecedLog({})", self.path().display())
    }
}

impl PartialEq for PiecedLog {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for PiecedLog {}

impl Hash for PiecedLog {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}
