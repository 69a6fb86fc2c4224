//! Reading of a bundle in place.

use std::cell::RefCell;
use std::error::Error as StdError;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::document::{
    CONTENTS, CONTENTS_SCHEMA, Contents, ContentsRun, GROUPS_EXTENSION, INDEX_EXTENSION,
    LOG_EXTENSION, LogDocument, RUN, RUN_SCHEMA, RunDocument,
};
use crate::error::{Error, Result};
use crate::join::{self, DatedLog, LogRef, RunHead, RunParts};
use crate::log::{Container, ContainerReader, LogPath, PackedLog};
use crate::model::RunId;

/// The largest document that is read, in bytes: that of a run with more than 100,000 commands. In
/// memory, it takes at most ten times as much.
pub(super) const MAX_DOCUMENT_BYTES: u64 = 128 << 20;

/// The offset of the name of the first entry in a zip archive.
const NAME_AT: usize = 30;

/// Returns true if a file with these first bytes is a bundle: a zip archive whose first entry is
/// the list of runs.
#[must_use]
pub fn is_bundle(head: &[u8]) -> bool {
    let name = head.get(NAME_AT..).is_some_and(|name| name.starts_with(CONTENTS.as_bytes()));
    head.starts_with(b"PK\x03\x04") && name
}

/// An open bundle.
pub struct Bundle {
    path: PathBuf,
    place: Container,
    zip: RefCell<ZipArchive<BufReader<ContainerReader>>>,
    runs: Vec<ContentsRun>,
}

impl Bundle {
    /// Opens a bundle, and reads its list of runs. `path` identifies it for the user.
    ///
    /// # Errors
    /// If the file cannot be read, or is not a bundle that this version reads.
    pub fn open(path: &Path, place: Container) -> Result<Self> {
        let zip = RefCell::new(archive(path, &place)?);
        let mut bundle = Self { path: path.to_owned(), place, zip, runs: Vec::new() };
        let contents: Contents = bundle.document(CONTENTS)?;
        bundle.check_version(&contents.schema, CONTENTS_SCHEMA)?;
        bundle.runs = contents.runs;
        Ok(bundle)
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns its runs, from the newest to the oldest.
    pub fn heads(&self) -> impl Iterator<Item = RunHead> + '_ {
        self.runs.iter().map(|listed| join::run_head(listed.run.clone(), listed.recorder))
    }

    /// Returns the parts of a run; `None` if the bundle does not contain it.
    ///
    /// # Errors
    /// If the bundle cannot be read, or is damaged.
    pub fn run(&self, id: &RunId) -> Result<Option<RunParts>> {
        let Some(listed) = self.runs.iter().find(|listed| listed.run.id == *id) else {
            return Ok(None);
        };
        let dir = &listed.dir;
        let document: RunDocument = self.document(&format!("{dir}/{RUN}"))?;
        self.check_version(&document.schema, RUN_SCHEMA)?;
        let open = |log: &LogDocument| {
            let LogDocument { n, first_at, .. } = *log;
            self.log(dir, log).map(|log| DatedLog { n, log, first_at })
        };
        Ok(Some(document.parts(open)))
    }

    /// Returns the location of a log.
    fn log(&self, dir: &str, log: &LogDocument) -> Result<LogRef> {
        let entry = format!("{dir}/{}", log.name);
        let missing = || damaged(&self.path, format!("it does not contain {entry}"));
        let packed = PackedLog {
            bundle: self.place.clone(),
            path: self.path.join(&entry),
            range: self.range(&format!("{entry}{LOG_EXTENSION}"))?.ok_or_else(missing)?,
            index: self.range(&format!("{entry}{INDEX_EXTENSION}"))?,
            groups: self.range(&format!("{entry}{GROUPS_EXTENSION}"))?,
            cause: log.cause.clone(),
            bytes: log.bytes,
        };
        Ok(LogRef { path: LogPath::Packed(Box::new(packed)), bytes: log.bytes })
    }

    /// Returns the bytes of an entry in the file; `None` if there is no such entry.
    fn range(&self, name: &str) -> Result<Option<Range<u64>>> {
        let mut zip = self.zip.borrow_mut();
        let Some(number) = zip.index_for_name(name) else { return Ok(None) };
        let entry = zip.by_index_raw(number).map_err(|error| unreadable(&self.path, error))?;
        let start = entry.data_start();
        let is_plain = entry.compression() == CompressionMethod::Stored && !entry.encrypted();
        match start
            .filter(|_| is_plain)
            .and_then(|start| Some(start..start.checked_add(entry.compressed_size())?))
        {
            Some(range) => Ok(Some(range)),
            None => Err(damaged(&self.path, format!("{name} is not stored as it is"))),
        }
    }

    /// Reads a document.
    fn document<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let mut zip = self.zip.borrow_mut();
        let entry = zip.by_name(name).map_err(|error| unreadable(&self.path, error))?;
        let mut json = Vec::new();
        // The size that the entry claims is not trusted.
        let read = entry.take(MAX_DOCUMENT_BYTES).read_to_end(&mut json);
        let read = read.map_err(|error| damaged(&self.path, format!("{name}: {error}")))?;
        if read as u64 == MAX_DOCUMENT_BYTES {
            return Err(damaged(&self.path, format!("{name} is larger than 128 MiB")));
        }
        serde_json::from_slice(&json)
            .map_err(|error| damaged(&self.path, format!("{name}: {error}")))
    }

    fn check_version(&self, schema: &str, known: &str) -> Result<()> {
        if schema == known {
            return Ok(());
        }
        let why = format!("its version is {schema:?}, and this rundown reads {known:?}");
        Err(damaged(&self.path, format!("{why}; a newer rundown may read it")))
    }
}

/// Opens the archive. Reads its directory.
pub(super) fn archive(
    path: &Path,
    place: &Container,
) -> Result<ZipArchive<BufReader<ContainerReader>>> {
    let reader = place.reader().map_err(Error::io("open", path))?;
    ZipArchive::new(BufReader::new(reader)).map_err(|error| unreadable(path, error))
}

pub(super) fn unreadable(path: &Path, error: ZipError) -> Error {
    match error {
        ZipError::Io(error) => Error::io("read", path)(error),
        error => damaged(path, error),
    }
}

fn damaged(path: &Path, why: impl Into<Box<dyn StdError>>) -> Error {
    Error::Bundle { path: path.to_owned(), why: why.into().to_string() }
}
