//! The file or the object that contains packed logs.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

#[cfg(feature = "remote")]
use super::object::Object;
use super::source::Source;
use crate::file::{FilePath, dirs_of};

/// The place of a bundle.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Container {
    /// A file.
    File(FilePath),
    /// An object of a server.
    #[cfg(feature = "remote")]
    Object(Object),
}

impl Container {
    /// Opens the bundle for reading.
    pub(super) fn open(&self) -> io::Result<Box<dyn Source>> {
        match self {
            Self::File(path) => Ok(Box::new(path.open()?)),
            #[cfg(feature = "remote")]
            Self::Object(object) => Ok(Box::new(object.clone())),
        }
    }

    /// Opens a reader of the whole bundle.
    ///
    /// # Errors
    /// If the bundle cannot be opened.
    pub fn reader(&self) -> io::Result<ContainerReader> {
        Ok(ContainerReader { source: self.open()?, at: 0 })
    }

    /// Returns the path if the bundle is a file.
    #[must_use]
    pub const fn file(&self) -> Option<&FilePath> {
        match self {
            Self::File(path) => Some(path),
            #[cfg(feature = "remote")]
            Self::Object(_) => None,
        }
    }

    /// Returns the directories to watch for changes of the bundle.
    #[must_use]
    pub fn dirs(&self) -> Vec<PathBuf> {
        match self {
            Self::File(path) => dirs_of(path),
            #[cfg(feature = "remote")]
            Self::Object(_) => Vec::new(),
        }
    }
}

/// A reader of a bundle from its start.
#[derive(Debug)]
pub struct ContainerReader {
    source: Box<dyn Source>,
    at: u64,
}

impl Read for ContainerReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.source.read_at(self.at, into)?;
        self.at = self.at.saturating_add(len as u64);
        Ok(len)
    }
}

impl Seek for ContainerReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.source.size()?.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
