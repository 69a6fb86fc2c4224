//! Directories that others made, listed without ever leaving one of them by a link; what leads out
//! is told, never followed.

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

/// What has the name of a file of ours and is not read, with the reason.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LeftOut {
    /// It cannot be read.
    pub unreadable: Vec<String>,
    /// It is left alone on purpose, because it leads out of the run's directory.
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
    /// A link that leads out of what is listed, or nowhere.
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

    /// Says why something that has the name of a file of ours is not read.
    pub(super) fn tell(self, path: &Path, left_out: &mut LeftOut) {
        match self {
            Self::File(_) => {}
            Self::Directory => left_out.unreadable.push(told(path, "it is a directory")),
            Self::Other => left_out.unreadable.push(told(path, "it is no regular file")),
            Self::Outside => left_out.refused.push(leads_out(path)),
        }
    }
}

fn leads_out(path: &Path) -> String {
    told(path, &format!("{LEADS_OUT}, or nowhere"))
}

fn told(path: &Path, why: &str) -> String {
    format!("{} is not read: {why}", path.display())
}

/// Lists directories without ever leaving one of them by a link.
#[derive(Clone, Debug)]
pub(super) struct Beneath {
    /// Resolved: no part of it is a link.
    pub root: Arc<Path>,
}

impl Beneath {
    /// `None` when there is no such directory.
    pub(super) fn new(root: &Path) -> Result<Option<Self>> {
        let resolved = present(fs::canonicalize(root)).map_err(Error::io("read", root))?;
        Ok(resolved.map(|root| Self { root: root.into() }))
    }

    /// The regular files of a directory, by name.
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

    /// The path of a file that was found: it stays inside when it is opened, whatever has taken its
    /// place by then.
    pub(super) fn found(&self, path: PathBuf) -> FilePath {
        FilePath::found(path, Arc::clone(&self.root))
    }

    /// The directories of a directory, by name.
    pub(super) fn dirs(&self, dir: &Path) -> Result<Vec<(String, PathBuf)>> {
        let entries =
            self.entries(dir)?.into_iter().filter(|entry| entry.kind == EntryKind::Directory);
        let mut dirs: Vec<_> = entries.map(|entry| (entry.name, entry.path)).collect();
        dirs.sort();
        Ok(dirs)
    }

    /// What is in a directory, in no order. A name that is not UTF-8 is left out.
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

    /// What an entry is, or what it leads to inside; `None` when it has gone meanwhile.
    fn kind(&self, entry: &DirEntry) -> io::Result<Option<EntryKind>> {
        let own = entry.file_type()?;
        if !own.is_symlink() {
            // What may not be looked at is told to whoever opens it.
            let bytes =
                present(entry.metadata()).map_or(Some(0), |meta| meta.map(|meta| meta.len()));
            return Ok(bytes.map(|bytes| EntryKind::of(own, bytes)));
        }
        Ok(Some(self.linked(&entry.path())))
    }

    /// As [`Self::kind`], of a path.
    pub(super) fn kind_at(&self, path: &Path) -> io::Result<Option<EntryKind>> {
        Ok(match present(fs::symlink_metadata(path))? {
            Some(own) if own.is_symlink() => Some(self.linked(path)),
            own => own.map(|own| EntryKind::of(own.file_type(), own.len())),
        })
    }

    /// What a link leads to. One in a circle, or into a directory that may not be entered, leads
    /// nowhere.
    fn linked(&self, link: &Path) -> EntryKind {
        let inside = if self.holds(link).unwrap_or(false) { fs::metadata(link).ok() } else { None };
        inside.map_or(EntryKind::Outside, |meta| EntryKind::of(meta.file_type(), meta.len()))
    }

    /// Why a directory is left alone, if it is: it is itself a link that leads out, or nowhere.
    pub(super) fn refusal(&self, dir: &Path) -> Result<Option<String>> {
        let failed = || Error::io("read", dir);
        let is_link = present(fs::symlink_metadata(dir))
            .map_err(failed())?
            .is_some_and(|own| own.is_symlink());
        let is_refused = is_link && !self.holds(dir).map_err(failed())?;
        Ok(is_refused.then(|| leads_out(dir)))
    }

    /// Whether a path leads to something inside.
    fn holds(&self, path: &Path) -> io::Result<bool> {
        Ok(present(fs::canonicalize(path))?
            .is_some_and(|resolved| resolved.starts_with(&self.root)))
    }
}

/// What is not there (any more) is data: the file may have gone between being listed and being
/// looked at.
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
