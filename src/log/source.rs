//! The source of the bytes of a log, below all readers: a file, or a compressed part of a bundle.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::stored::Beside;

/// The bytes of a log at their positions. Readers of several threads share one source.
///
/// # Contract
///
/// - **Positional reads.** A read returns the bytes at an offset, and does not depend on earlier
///   reads. It may return fewer bytes than requested, but returns none only at the end.
/// - **Growth.** The size may increase between two calls. Bytes below an earlier size remain the
///   same. Only a local file may break this rule: its writer may truncate or rewrite it, which
///   [`super::LogFile::extend`] detects.
/// - **Missing bytes** are an error of the reads that need them, with the reason: a damaged or
///   missing part never looks like the end, and is never filled. Reads elsewhere succeed.
pub(super) trait Source: Debug + Send + Sync {
    /// Reads bytes from an offset on, and returns their number.
    ///
    /// # Errors
    /// If the bytes cannot be read. An interrupted read may be repeated.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Returns the current size in bytes.
    ///
    /// # Errors
    /// If the size cannot be determined.
    fn size(&self) -> io::Result<u64>;

    /// Forgets the bytes that are kept, because they are damaged. Returns true if another read may
    /// return other bytes.
    fn forget(&self) -> bool {
        false
    }

    /// Returns facts that are stored beside the log, in their stored form. Returns `None` if they
    /// are not stored or cannot be read: they can be computed from the log.
    fn beside(&self, _kind: Beside) -> Option<Vec<u8>> {
        None
    }
}

impl Source for File {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, into, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}
