//! A log in object storage: pieces in objects, each compressed in frames.
//!
//! While a run is pushed, its logs grow by further pieces. When it is complete, each log is stored
//! again as one piece. Its bytes remain the same, and so do the addresses of its rows.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::object::Object;
use super::seekable::{Seekable, read_exact};
use super::source::Source;
use super::stored::Beside;

/// The largest compressed facts that are read, in bytes.
const MAX_FACTS_BYTES: u64 = 64 << 20;

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
    pieces: Vec<Arc<OpenPiece>>,
    bytes: u64,
    index: Option<LogPiece>,
    groups: Option<LogPiece>,
}

struct OpenPiece {
    /// The offset of its first byte in the log.
    start: u64,
    piece: LogPiece,
    /// Opened by the first read that needs it.
    open: OnceLock<Seekable>,
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

    /// Replaces the pieces, the index and the groups. The bytes that the log had remain the same.
    pub fn set(&self, pieces: Vec<LogPiece>, index: Option<LogPiece>, groups: Option<LogPiece>) {
        let mut content = self.0.content.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = 0_u64;
        let pieces = pieces.into_iter().enumerate().map(|(number, piece)| {
            let start = bytes;
            bytes = bytes.saturating_add(piece.bytes);
            // The pieces that remain stay open.
            match content.pieces.get(number) {
                Some(open) if (open.start, &open.piece) == (start, &piece) => Arc::clone(open),
                _ => Arc::new(OpenPiece { start, piece, open: OnceLock::new() }),
            }
        });
        let pieces = pieces.collect();
        *content = Arc::new(Content { pieces, bytes, index, groups });
    }

    fn content(&self) -> Arc<Content> {
        Arc::clone(&self.0.content.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl OpenPiece {
    fn open(&self) -> io::Result<&Seekable> {
        if let Some(open) = self.open.get() {
            return Ok(open);
        }
        let opened = Seekable::open(Box::new(self.piece.object.clone()), self.piece.range.clone())?;
        if opened.size()? != self.piece.bytes {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a piece of the log has another size than stated",
            ));
        }
        Ok(self.open.get_or_init(|| opened))
    }
}

impl Source for PiecedLog {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let content = self.content();
        if offset >= content.bytes {
            return Ok(0);
        }
        let number = content.pieces.partition_point(|piece| piece.start <= offset);
        let Some(piece) = number.checked_sub(1).and_then(|number| content.pieces.get(number))
        else {
            return Ok(0);
        };
        piece.open()?.read_at(offset.saturating_sub(piece.start), into)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.content().bytes)
    }

    fn beside(&self, kind: Beside) -> Option<Vec<u8>> {
        let content = self.content();
        let LogPiece { object, range, .. } = match kind {
            Beside::Index => content.index.as_ref()?,
            Beside::Groups => content.groups.as_ref()?,
        };
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
