//! The location of a log, by which it is opened and recognized.

use std::ffi::OsStr;
use std::fs;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use super::container::Container;
use super::packed::Packed;
#[cfg(feature = "remote")]
use super::pieces::PiecedLog;
use super::source::Source;
use super::spool::Spool;
use crate::error::Error;
use crate::file::{FilePath, dirs_of};

/// The location of a log. It dereferences to a path that identifies the log for the user.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum LogPath {
    /// A file.
    File(FilePath),
    /// A part of a bundle.
    Packed(Box<PackedLog>),
    /// An unpacked copy, which may grow.
    Spooled(Spool),
    /// Pieces in objects, which may grow.
    #[cfg(feature = "remote")]
    Pieces(PiecedLog),
}

/// A log in a bundle: a range of bytes that is compressed with zstd in frames, with a seek table at
/// its end.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PackedLog {
    /// The bundle.
    pub bundle: Container,
    /// The path of the bundle with the name of the log in it. No file has this path.
    pub path: PathBuf,
    /// The bytes of the compressed log in the file.
    pub range: Range<u64>,
    /// The bytes of the index in the file; `None` if the log has no index.
    pub index: Option<Range<u64>>,
    /// The bytes of its groups in the file; `None` if they are not stored.
    pub groups: Option<Range<u64>>,
    /// The likely cause of the failure of its command, as JSON; `None` if it is not stored.
    pub cause: Option<String>,
    /// The size of the log without compression, as the bundle states it.
    pub bytes: u64,
}

impl PackedLog {
    /// Returns the location of a log that is a compressed file of its own; `None` if the file cannot
    /// be read in place, because it has no seek table.
    #[must_use]
    pub fn of_file(path: &Path) -> Option<Self> {
        let (bundle, path) = (Container::File(FilePath::named(path)), path.to_owned());
        let range = 0..bundle.open().ok()?.size().ok()?;
        let packed = Self { bundle, path, range, index: None, groups: None, cause: None, bytes: 0 };
        let bytes = Packed::open(&packed).ok()?.size().ok()?;
        Some(Self { bytes, ..packed })
    }
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
            _ => None,
        }
    }

    /// Returns true if the log is read from a server, so that each read may take long.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        match self {
            Self::Packed(packed) => packed.bundle.file().is_none(),
            #[cfg(feature = "remote")]
            Self::Pieces(_) => true,
            _ => false,
        }
    }

    /// Returns the name of the log without the extension of a compressed file.
    #[must_use]
    pub fn log_name(&self) -> Option<&OsStr> {
        let name = self.file_name()?;
        let is_packed = |extension: &OsStr| extension == "gz" || extension == "zst";
        if self.file().is_none() && self.extension().is_some_and(is_packed) {
            return self.file_stem();
        }
        Some(name)
    }

    /// Returns the current size of the log in bytes; `None` if it cannot be determined.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        match self {
            Self::File(path) => Some(fs::symlink_metadata(&**path).ok()?.len()),
            Self::Packed(packed) => Some(packed.bytes),
            Self::Spooled(spool) => spool.size().ok(),
            #[cfg(feature = "remote")]
            Self::Pieces(log) => Some(log.bytes()),
        }
    }

    /// Returns true if the log consists of pieces in objects.
    #[must_use]
    pub const fn is_pieced(&self) -> bool {
        #[cfg(feature = "remote")]
        return matches!(self, Self::Pieces(_));
        #[cfg(not(feature = "remote"))]
        return false;
    }

    /// Returns the reason why the log ends early, if the rest of it could not be unpacked or read
    /// from its pipe.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        match self {
            Self::Spooled(spool) => spool.failure(),
            _ => None,
        }
    }

    /// Returns the directories to watch for changes of the log.
    #[must_use]
    pub fn dirs(&self) -> Vec<PathBuf> {
        match self {
            Self::File(path) => dirs_of(path),
            Self::Packed(packed) => packed.bundle.dirs(),
            Self::Spooled(_) => Vec::new(),
            #[cfg(feature = "remote")]
            Self::Pieces(_) => Vec::new(),
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
            Self::Spooled(spool) => spool.path(),
            #[cfg(feature = "remote")]
            Self::Pieces(log) => log.path(),
        }
    }
}
