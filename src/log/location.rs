//! The location of a log, by which it is opened and recognized.

use std::fs;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use crate::file::{FilePath, dirs_of};

/// The location of a log. It dereferences to a path that identifies the log for the user.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum LogPath {
    /// A file.
    File(FilePath),
    /// A part of a bundle.
    Packed(Box<PackedLog>),
}

/// A log in a bundle: a range of bytes that is compressed with zstd in frames, with a seek table at
/// its end.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PackedLog {
    /// The file of the bundle.
    pub bundle: FilePath,
    /// The path of the bundle with the name of the log in it. No file has this path.
    pub path: PathBuf,
    /// The bytes of the compressed log in the file.
    pub range: Range<u64>,
    /// The bytes of the index in the file; `None` if the log has no index.
    pub index: Option<Range<u64>>,
    /// The size of the log without compression, as the bundle states it.
    pub bytes: u64,
}

impl LogPath {
    /// Creates the location of a file that the user named. It may be anywhere.
    #[must_use]
    pub fn named(path: impl Into<PathBuf>) -> Self {
        Self::File(FilePath::named(path))
    }

    /// Returns the path if the log is a file.
    #[must_use]
    pub const fn file(&self) -> Option<&FilePath> {
        match self {
            Self::File(path) => Some(path),
            Self::Packed(_) => None,
        }
    }

    /// Returns the current size of the log in bytes; `None` if it cannot be determined.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        match self {
            Self::File(path) => Some(fs::symlink_metadata(&**path).ok()?.len()),
            Self::Packed(packed) => Some(packed.bytes),
        }
    }

    /// Returns the directories to watch for changes of the log.
    #[must_use]
    pub fn dirs(&self) -> Vec<PathBuf> {
        match self {
            Self::File(path) => dirs_of(path),
            Self::Packed(packed) => dirs_of(&packed.bundle),
        }
    }
}

impl From<FilePath> for LogPath {
    fn from(path: FilePath) -> Self {
        Self::File(path)
    }
}

impl Deref for LogPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Packed(packed) => &packed.path,
        }
    }
}
