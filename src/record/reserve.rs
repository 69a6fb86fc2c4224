//! Disk space that is reserved for the row with the result of a command. When a command fills the
//! disk, the space is freed for this row, which is worth more than the few log lines that would fit
//! into the space.

use std::fs::File;
use std::path::Path;

use rustix::fs::FallocateFlags;

/// The space, which a file without a name occupies: it is free again if this process is killed.
/// `None` if no space is reserved: the file system cannot reserve space, or it has been freed.
pub(super) struct Reserve(Option<File>);

impl Reserve {
    /// The size of the space: enough for the pages of some rows, in the write-ahead log and in the
    /// database.
    const BYTES: u64 = 256 << 10;

    /// Reserves the space on the disk of a directory, if possible.
    pub fn take(dir: &Path) -> Self {
        let take = |file: &File| {
            rustix::fs::fallocate(file, FallocateFlags::empty(), 0, Self::BYTES).is_ok()
        };
        Self(tempfile::tempfile_in(dir).ok().filter(take))
    }

    /// Frees the space. Returns false if no space is reserved.
    pub fn give_up(&mut self) -> bool {
        self.0.take().is_some_and(|file| file.set_len(0).is_ok())
    }
}
