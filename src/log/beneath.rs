//! Listing of directories that other programs created. Links that lead out of a root directory are
//! reported, never followed.

use std::fs::{self, DirEntry, FileType};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::file::{FilePath, LEADS_OUT};

/// A regular file of a directory.
#[derive(Clone)]
pub(super) struct File {
    pub name: String,
    pub path: FilePath,
    pub bytes: u64,
}

/// Entries that have the name of a store's file but are not read, with the reason.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LeftOut {
    /// Entries that cannot be read.
    pub unreadable: Vec<String>,
    /// Entries that are refused because they lead out of the run's directory.
    pub refused: Vec<String>,
}

/// An entry of a directory.
pub(super) struct Entry {
    pub name: String,
    pub path: PathBuf,
    pub kind: EntryKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// A regular file of this size.
    File(u64),
    Directory,
    /// A FIFO, a socket, a device.
    Other,
    /// A link that leads out of the root, or to nothing.
    Outside,
}

impl EntryKind {
    fn of(kind: FileType, bytes: u64) -> Self {
        match kind {
            kind if kind.is_file() => Self::File(bytes),
            kind if kind.is_dir() => Self::Directory,
            _ => Self::Other,
        }
    }

    /// Records the reason why an entry with the name of a store's file is not read. Does nothing
    /// for a regular file.
    pub(super) fn record_reason(self, path: &Path, left_out: &mut LeftOut) {
        match self {
            Self::File(_) => {}
            Self::Directory => left_out.unreadable.push(not_read(path, "it is a directory")),
            Self::Other => left_out.unreadable.push(not_read(path, "it is not a regular file")),
            Self::Outside => left_out.refused.push(leads_out(path)),
        }
    }
}

fn leads_out(path: &Path) -> String {
    not_read(path, &format!("{LEADS_OUT}, or to nothing"))
}

fn not_read(path: &Path, why: &str) -> String {
    format!("{} is not read: {why}", path.display())
}

/// A root directory whose entries are listed without leaving it through a link.
#[derive(Clone, Debug)]
pub(super) struct Beneath {
    /// The resolved path: no part of it is a link.
    pub root: Arc<Path>,
}

impl Beneath {
    /// Resolves a directory. Returns `None` if it does not exist.
    pub(super) fn new(root: &Path) -> Result<Option<Self>> {
        let resolved = present(fs::canonicalize(root)).map_err(Error::io("read", root))?;
        Ok(resolved.map(|root| Self { root: root.into() }))
    }

    /// Returns the regular files of a directory, sorted by name.
    pub(super) fn files(&self, dir: &Path) -> Result<Vec<File>> {
        let entries = self.entries(dir)?.into_iter();
        let mut files: Vec<File> = entries
            .filter_map(|Entry { name, path, kind }| match kind {
                EntryKind::File(bytes) => Some(File { name, path: self.found(path), bytes }),
                _ => None,
            })
            .collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    /// Returns the path of a file that was found. Opening it never leaves the root, even if another
    /// file has taken its place.
    pub(super) fn found(&self, path: PathBuf) -> FilePath {
        FilePath::found(path, Arc::clone(&self.root))
    }

    /// Returns the subdirectories of a directory, sorted by name.
    pub(super) fn dirs(&self, dir: &Path) -> Result<Vec<(String, PathBuf)>> {
        let entries =
            self.entries(dir)?.into_iter().filter(|entry| entry.kind == EntryKind::Directory);
        let mut dirs: Vec<_> = entries.map(|entry| (entry.name, entry.path)).collect();
        dirs.sort();
        Ok(dirs)
    }

    /// Returns the entries of a directory in no particular order. Names that are not UTF-8 are left
    /// out. Returns no entries if the directory is missing or outside the root.
    pub(super) fn entries(&self, dir: &Path) -> Result<Vec<Entry>> {
        self.entries_io(dir).map_err(Error::io("read", dir))
    }

    fn entries_io(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        if !self.holds(dir)? {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for entry in present(fs::read_dir(dir))?.into_iter().flatten() {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if let Some(kind) = self.kind(&entry)? {
                found.push(Entry { name, path: entry.path(), kind });
            }
        }
        Ok(found)
    }

    /// Returns the kind of an entry; for a link, the kind of its target or [`EntryKind::Outside`].
    /// Returns `None` if the entry no longer exists.
    fn kind(&self, entry: &DirEntry) -> io::Result<Option<EntryKind>> {
        let own = entry.file_type()?;
        if !own.is_symlink() {
            // If the metadata cannot be read, opening the file will report that.
            let bytes =
                present(entry.metadata()).map_or(Some(0), |meta| meta.map(|meta| meta.len()));
            return Ok(bytes.map(|bytes| EntryKind::of(own, bytes)));
        }
        Ok(Some(self.linked(&entry.path())))
    }

    /// Returns the kind of a path, as [`Self::kind`] does.
    pub(super) fn kind_at(&self, path: &Path) -> io::Result<Option<EntryKind>> {
        Ok(match present(fs::symlink_metadata(path))? {
            Some(own) if own.is_symlink() => Some(self.linked(path)),
            own => own.map(|own| EntryKind::of(own.file_type(), own.len())),
        })
    }

    /// Returns the kind of a link's target. A circular link, or a link through a directory without
    /// search permission, is [`EntryKind::Outside`].
    fn linked(&self, link: &Path) -> EntryKind {
        let inside = if self.holds(link).unwrap_or(false) { fs::metadata(link).ok() } else { None };
        inside.map_or(EntryKind::Outside, |meta| EntryKind::of(meta.file_type(), meta.len()))
    }

    /// Returns the reason to refuse a directory that is itself a link out of the root or to
    /// nothing. Returns `None` in all other cases.
    pub(super) fn refusal(&self, dir: &Path) -> Result<Option<String>> {
        let failed = || Error::io("read", dir);
        let is_link = present(fs::symlink_metadata(dir))
            .map_err(failed())?
            .is_some_and(|own| own.is_symlink());
        let is_refused = is_link && !self.holds(dir).map_err(failed())?;
        Ok(is_refused.then(|| leads_out(dir)))
    }

    /// Returns true if a path resolves to something inside the root.
    fn holds(&self, path: &Path) -> io::Result<bool> {
        Ok(present(fs::canonicalize(path))?
            .is_some_and(|resolved| resolved.starts_with(&self.root)))
    }
}

/// Turns a missing file into `None`: a file may be removed between listing and reading.
pub(super) fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
