//! The relation of an open log to its name (rotation), and the marks by which rewrites are
//! detected. [`super::LogFile::extend`] uses both.
//!
//! A rotated log is followed like this:
//!
//! ```text
//! file with the name   file that is read
//! the open file        the open file
//! none                 the open file, including bytes that are still appended to it
//! another, empty       the open file: the writer has not switched yet
//! another, not empty   the open file to its end, then the other from its start
//! ```
//!
//! A reader that has scrolled up keeps the rotated file until it requests the end
//! ([`super::LogFile::stay`]).
//!
//! The switch is triggered by the first byte of the other file, not by a time: a writer that has
//! switched appends nothing more to the old file. A second writer may still append to it. If the
//! old file keeps growing, it is read for [`GRACE`] longer. Bytes after that are counted for
//! [`KEEP`] ([`FileState::late_bytes`]), but not shown. A file that had the name only between two
//! checks is not detected.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::lines::View;
use super::source::Source;

/// The number of bytes at the start and at the end of a file that are compared to detect a rewrite
/// in the same inode.
const MARK_BYTES: usize = 64;

/// The time for which a replaced file is still read while it keeps growing.
const GRACE: Duration = Duration::from_secs(1);

/// The time for which a file is checked for late bytes after a switch. It is limited because a
/// deleted file takes space on the disk as long as it is open.
const KEEP: Duration = Duration::from_secs(30);

/// The maximum number of files that are checked for late bytes.
const MAX_KEPT: usize = 8;

/// The relation of an open log to its name.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FileState {
    /// The file that has the name.
    pub name: Name,
    /// The number of bytes appended to earlier files of this name after they were replaced. These
    /// bytes are not shown.
    pub late_bytes: u64,
}

/// The file that has the name of an open log.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Name {
    /// The open file.
    #[default]
    Same,
    /// No file.
    Missing,
    /// Another file, which is still empty.
    Awaited,
    /// Another file with content. It is opened next, unless the open file is
    /// [kept](super::LogFile::stay).
    Taken,
}

/// The bytes by which the open file is recognized.
#[derive(PartialEq, Eq, Default, Debug)]
pub(super) struct Marks {
    head: Vec<u8>,
    /// The bytes before the end.
    edge: Vec<u8>,
}

impl Marks {
    /// Returns the marks of the file in `view`.
    pub(super) fn of(view: View<'_>) -> io::Result<Self> {
        let len = MARK_BYTES.min(usize::try_from(view.end).unwrap_or(MARK_BYTES));
        let read = |from| -> io::Result<Vec<u8>> {
            let mut bytes = vec![0; len];
            let filled = view.read_full(from, &mut bytes)?;
            bytes.truncate(filled);
            Ok(bytes)
        };
        Ok(Self { head: read(0)?, edge: read(view.end.saturating_sub(len as u64))? })
    }
}

/// The state of the open file's name, and the files that had the name before.
#[derive(Debug)]
pub(super) struct Follower {
    /// The device and inode. No other file can have them while this file is open.
    id: (u64, u64),
    name: Name,
    /// True if the open file is kept even if another file has its name.
    stays: bool,
    /// The time at which another file was first seen under the name.
    taken_at: Option<Instant>,
    kept: Vec<Kept>,
    late_bytes: u64,
}

/// A file that was replaced by another one.
#[derive(Debug)]
struct Kept {
    source: Box<dyn Source>,
    bytes: u64,
    since: Instant,
}

impl Follower {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let meta = file.metadata()?;
        let id = (meta.dev(), meta.ino());
        Ok(Self {
            id,
            name: Name::Same,
            stays: false,
            taken_at: None,
            kept: Vec::new(),
            late_bytes: 0,
        })
    }

    pub(super) const fn file_state(&self) -> FileState {
        FileState { name: self.name, late_bytes: self.late_bytes }
    }

    pub(super) const fn stay(&mut self, stays: bool) {
        self.stays = stays;
    }

    /// Checks which file has the name now, and counts the late bytes of the files that had it.
    pub(super) fn check(&mut self, path: &Path) -> io::Result<Name> {
        self.check_old_files();
        self.name = match fs::metadata(path) {
            Ok(meta) if (meta.dev(), meta.ino()) == self.id => Name::Same,
            Ok(meta) if meta.len() == 0 => Name::Awaited,
            Ok(_) => Name::Taken,
            Err(error) if is_missing(&error) => Name::Missing,
            Err(error) => return Err(error),
        };
        self.taken_at =
            (self.name == Name::Taken).then(|| self.taken_at.unwrap_or_else(Instant::now));
        Ok(self.name)
    }

    /// Returns true if another file is to be opened once this one has been read to its end.
    pub(super) const fn awaits_switch(&self) -> bool {
        matches!(self.name, Name::Taken) && !self.stays
    }

    /// Returns true if another file is to be opened even if this one keeps growing.
    pub(super) fn is_over(&self) -> bool {
        self.awaits_switch() && self.taken_at.is_some_and(|at| at.elapsed() >= GRACE)
    }

    /// Takes over the state of `before`, the follower of the previous file. Keeps the files that
    /// `before` kept, and the previous file itself: `source`, which was read up to `bytes`.
    pub(super) fn succeed(&mut self, before: Self, source: Box<dyn Source>, bytes: u64) {
        self.late_bytes = before.late_bytes;
        self.kept = before.kept;
        if self.kept.len() == MAX_KEPT {
            self.kept.remove(0);
        }
        self.kept.push(Kept { source, bytes, since: Instant::now() });
        self.check_old_files();
    }

    fn check_old_files(&mut self) {
        for kept in &mut self.kept {
            // Treat a file whose size cannot be read as unchanged.
            let bytes = kept.source.size().unwrap_or(kept.bytes);
            self.late_bytes = self.late_bytes.saturating_add(bytes.saturating_sub(kept.bytes));
            kept.bytes = bytes;
        }
        self.kept.retain(|kept| kept.since.elapsed() < KEEP);
    }
}

/// Returns true if an error means that no file has the name.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
