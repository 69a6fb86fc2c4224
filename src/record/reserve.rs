//! Disk space that is reserved for the row with the result of a command. When a command fills the
//! disk, the space is freed for this row, which is worth more than the few log lines that would fit
//! into the space.

use std::fs::File;

use rustix::fs::FallocateFlags;

/// The space, which the run's lock file occupies. `None` if no space is reserved: the file system
/// cannot do that, or the space was freed.
pub(super) struct Reserve(Option<File>);

impl Reserve {
    /// The size of the space: enough for the pages of some rows, in the write-ahead log and in the
    /// database.
    const BYTES: u64 = 256 << 10;

    /// Reserves the space in a file, if possible.
    pub fn held_by(file: Option<&File>) -> Self {
        let take = |file: &&File| {
            rustix::fs::fallocate(file, FallocateFlags::empty(), 0, Self::BYTES).is_ok()
        };
        Self(file.filter(take).and_then(|file| file.try_clone().ok()))
    }

    /// Frees the space. Returns false if there is none.
    pub fn give_up(&mut self) -> bool {
        self.0.take().is_some_and(|file| file.set_len(0).is_ok())
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.give_up();
    }
}
