//! How an open log stands to its name, and what tells a file from another one: what
//! [`super::LogFile::extend`] decides by.
//!
//! A log that is rotated is followed like this:
//!
//! ```text
//! under the name      what is read
//! the open file       that
//! nothing             the open file, also what is still appended to it
//! another, empty      the same: whoever writes has not gone over yet
//! another, not empty  the open file to its end, then the other from its start
//! ```
//!
//! Whoever reads somewhere above the end is not taken away from there: the open file is kept until
//! the end is asked for ([`super::LogFile::stay`]).
//!
//! The first byte of the other file is the sign, not a time: one who has gone over writes nothing
//! to the old file after that. A second writer may. It is read for [`GRACE`] more as long as it
//! goes on; what comes later is counted for [`KEEP`] ([`FileState::late_bytes`]), not shown. What
//! cannot be seen: a file that came and went under the name between two looks.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::lines::View;

/// How many bytes at either end tell a file from another one written into the same inode.
const MARK_BYTES: usize = 64;

/// How long a file that has been replaced is read as long as it goes on growing.
const GRACE: Duration = Duration::from_secs(1);

/// How long a file is looked at after another one was gone over to. Held open, a deleted one keeps
/// its place on the disk.
const KEEP: Duration = Duration::from_secs(30);

/// The most files kept so.
const MAX_KEPT: usize = 8;

/// How an open log stands to its name.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FileState {
    /// What stands under it.
    pub name: Name,
    /// How many bytes were appended to files of this name after others had taken their place. They
    /// are not shown.
    pub late_bytes: u64,
}

/// What stands under the name of an open log.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Name {
    /// The open file.
    #[default]
    Same,
    /// Nothing.
    Missing,
    /// Another file, with nothing in it yet.
    Awaited,
    /// Another file, which is gone over to next unless the open one is to be
    /// [kept](super::LogFile::stay).
    Taken,
}

/// What the open file is to be recognized by.
#[derive(PartialEq, Eq, Default, Debug)]
pub(super) struct Marks {
    head: Vec<u8>,
    /// Those before the end.
    edge: Vec<u8>,
}

impl Marks {
    /// The marks of the file that is seen through `view`.
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

/// The open file's name, and the files that had it before.
#[derive(Debug)]
pub(super) struct Follower {
    /// Device and inode. As long as the file is open no other one gets them.
    id: (u64, u64),
    name: Name,
    /// The open file is kept, whatever has its name.
    stays: bool,
    /// Since when another file is known to have the name.
    taken_at: Option<Instant>,
    kept: Vec<Kept>,
    late_bytes: u64,
}

/// A file that another one has taken the place of.
#[derive(Debug)]
struct Kept {
    file: File,
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

    /// Looks at the name, and at the files that had it.
    pub(super) fn look(&mut self, path: &Path) -> io::Result<Name> {
        self.look_behind();
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

    /// Whether another file is to be opened once this one has been read to its end.
    pub(super) const fn goes_over(&self) -> bool {
        matches!(self.name, Name::Taken) && !self.stays
    }

    /// Whether that is to be done although this one has not been read to its end.
    pub(super) fn is_over(&self) -> bool {
        self.goes_over() && self.taken_at.is_some_and(|at| at.elapsed() >= GRACE)
    }

    /// `self` is the next file's: takes over what `before` kept, and the file that it followed,
    /// read up to `bytes`.
    pub(super) fn succeed(&mut self, before: Self, file: File, bytes: u64) {
        self.late_bytes = before.late_bytes;
        self.kept = before.kept;
        if self.kept.len() == MAX_KEPT {
            self.kept.remove(0);
        }
        self.kept.push(Kept { file, bytes, since: Instant::now() });
        self.look_behind();
    }

    fn look_behind(&mut self) {
        for kept in &mut self.kept {
            // One that cannot be asked has grown by nothing that could be told.
            let bytes = kept.file.metadata().map_or(kept.bytes, |meta| meta.len());
            self.late_bytes = self.late_bytes.saturating_add(bytes.saturating_sub(kept.bytes));
            kept.bytes = bytes;
        }
        self.kept.retain(|kept| kept.since.elapsed() < KEEP);
    }
}

/// Whether nothing stands under a name.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
