//! The location of runs, and the store, bundle or path that is there now.

use std::cell::RefCell;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
#[cfg(feature = "remote")]
use std::sync::Arc;
use std::time::SystemTime;

use crate::bundle::Bundle;
use crate::error::{Error, Result};
#[cfg(feature = "remote")]
use crate::log::BlockCache;
use crate::log::{Container, LogPath};
#[cfg(feature = "remote")]
use crate::remote::RemoteStore;
#[cfg(feature = "remote")]
use crate::s3::Bucket;
use crate::store::{self, Reader};

/// The names of the database file in a root, rundown's first.
pub(super) const DATABASES: [&str; 2] = [store::OUR_DATABASE, store::QUIRE_DATABASE];

/// The location of the runs.
#[derive(Clone)]
pub(super) enum Location {
    /// A root, and the database that the caller names; `None` to look for one in the root.
    Store { root: PathBuf, db: Option<PathBuf> },
    /// A bundle, with its path for the user.
    Bundle { path: PathBuf, place: Container },
    /// A store in object storage, with its address for the user.
    #[cfg(feature = "remote")]
    Remote { path: PathBuf, bucket: Arc<Bucket>, cache: Option<Arc<BlockCache>> },
    /// A log or a directory of logs; `log` is the way to read a log that is no plain file.
    Path { path: PathBuf, log: Option<LogPath> },
}

pub(super) enum OpenSource {
    /// A root with a database of its runs.
    Store { root: PathBuf, reader: Box<Reader> },
    /// A root without a database: the log tree alone, and the notices of its last listing.
    Tree { root: PathBuf, notices: RefCell<Vec<String>> },
    /// A bundle, and the state of its file when it was opened.
    Bundle { bundle: Box<Bundle>, file: FileMark },
    /// A store in object storage.
    #[cfg(feature = "remote")]
    Remote(Box<RemoteStore>),
    /// A log or a directory of logs, as in [`Location::Path`].
    Path { path: PathBuf, log: Option<LogPath> },
}

/// The facts by which a file is recognized as unchanged: its identity, its size, and the time of
/// its last change.
type FileMark = Option<(u64, u64, u64, Option<SystemTime>)>;

impl Location {
    /// Returns the store or path to read instead of `last`; `None` if `last` remains in use.
    pub(super) fn changed_from(&self, last: Option<&OpenSource>) -> Result<Option<OpenSource>> {
        let (root, db) = match self {
            Self::Path { path, log } => {
                let open = || OpenSource::Path { path: path.clone(), log: log.clone() };
                return Ok(last.is_none().then(open));
            }
            Self::Bundle { path, place } => {
                let file = place.file().and_then(|path| file_mark(path));
                if matches!(last, Some(OpenSource::Bundle { file: of, .. }) if *of == file) {
                    return Ok(None);
                }
                let bundle = Box::new(Bundle::open(path, place.clone())?);
                return Ok(Some(OpenSource::Bundle { bundle, file }));
            }
            #[cfg(feature = "remote")]
            Self::Remote { bucket, cache, .. } => {
                let store = || RemoteStore::new(Arc::clone(bucket), cache.clone());
                let open = || OpenSource::Remote(Box::new(store()));
                return Ok(last.is_none().then(open));
            }
            Self::Store { root, db } => (root, db),
        };
        let found = match db {
            Some(db) => Some(db.clone()),
            None if root.is_file() => {
                let why = "it is a file, but not a bundle".to_owned();
                return Err(Error::Bundle { path: root.clone(), why });
            }
            None => database_of(root).map_err(Error::io("open the store", root))?,
        };
        Ok(match (found, last) {
            (Some(db), Some(OpenSource::Store { reader, .. })) if reader.path() == db => None,
            (Some(db), _) => {
                Some(OpenSource::Store { root: root.clone(), reader: Box::new(Reader::new(&db)) })
            }
            (None, Some(OpenSource::Store { .. })) => None,
            (None, last) if root.join("runs").is_dir() => last
                .is_none()
                .then(|| OpenSource::Tree { root: root.clone(), notices: RefCell::default() }),
            (None, _) => {
                return Err(Error::NoStore { root: root.clone(), why: why_no_store(root) });
            }
        })
    }
}

/// Returns the mark of a file; `None` if it cannot be examined.
fn file_mark(path: &Path) -> FileMark {
    let facts = std::fs::metadata(path).ok()?;
    Some((facts.dev(), facts.ino(), facts.len(), facts.modified().ok()))
}

fn why_no_store(root: &Path) -> &'static str {
    if root.is_dir() {
        "the directory contains no rundown.db, quire.db or runs/"
    } else {
        "the directory does not exist"
    }
}

/// Finds the database in a root. Returns `None` if there is no database, and fails if the root
/// cannot be accessed.
fn database_of(root: &Path) -> std::io::Result<Option<PathBuf>> {
    for name in DATABASES {
        let path = root.join(name);
        if path.try_exists()? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
