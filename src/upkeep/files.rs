//! The directories of a store and of its runs. No link below the root of the store is followed.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::file::Dir;
use crate::log::{has_locked_log, is_recorded, path};
use crate::model::ABANDONED_AFTER;
use crate::store::{OUR_DATABASE, QUIRE_DATABASE, RunRow, Writer};
use crate::time::Time;

/// A store of rundown.
pub(super) struct StoreFiles {
    root: PathBuf,
    pub dir: Dir,
}

/// The directory of a run.
pub(super) struct RunDir {
    pub path: PathBuf,
    pub dir: Dir,
    pub name: OsString,
    /// The directory that contains it.
    pub parent: Dir,
}

impl StoreFiles {
    /// Opens a store with rundown's database. A store of quire is refused: only rundown's own are
    /// changed.
    pub fn open(root: &Path) -> Result<Self> {
        let no_store = |why| Error::NoStore { root: root.to_owned(), why };
        let dir = Dir::named(root).map_err(|error| match error.kind() {
            ErrorKind::NotFound => no_store("the directory does not exist"),
            _ => Error::io("open", root)(error),
        })?;
        let database = root.join(OUR_DATABASE);
        if !database.exists() {
            let theirs = root.join(QUIRE_DATABASE);
            if theirs.exists() {
                let why = "it belongs to quire, and only rundown's own stores are changed; choose \
                           another store with --root";
                return Err(Error::NotOurs { path: theirs, why: why.into() });
            }
            return Err(no_store("it has no rundown.db"));
        }
        Writer::check(&database)?;
        Ok(Self { root: root.to_owned(), dir })
    }

    pub fn database(&self) -> PathBuf {
        self.root.join(OUR_DATABASE)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Opens the directory of a run. Returns `None` if it does not exist, or if a name of the run
    /// is unsafe as a path.
    pub fn run(&self, row: &RunRow) -> Result<Option<RunDir>> {
        let Some(relative) = path::run_dir(Path::new(""), &row.repo, &row.id) else {
            return Ok(None);
        };
        let path = self.root.join(&relative);
        let open = || -> io::Result<Option<(Dir, OsString, Dir)>> {
            let Some((parent, name)) = relative.parent().zip(relative.file_name()) else {
                return Ok(None);
            };
            let parent = self.dir.open(parent)?;
            Ok(Some((parent.open(name)?, name.to_owned(), parent)))
        };
        match open() {
            Ok(opened) => Ok(opened.map(|(dir, name, parent)| RunDir { path, dir, name, parent })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("open", path)(error)),
        }
    }

    /// Returns true if a run is unfinished and may still continue. A run whose locks cannot be
    /// checked counts as active.
    pub fn is_active(&self, row: &RunRow, now: Time) -> bool {
        let is_held = || match self.run(row) {
            Ok(Some(files)) => is_recorded(&files.dir).unwrap_or(true),
            Ok(None) => false,
            Err(_) => true,
        };
        row.finished_at.is_none() && (is_waiting(row, now) || is_held())
    }
}

/// Returns true if a run whose lock is held by this process may still continue: it waits for its
/// next command, or one of its commands is running, possibly after the end of the run.
///
/// # Errors
/// If the locks of the logs of an unfinished run cannot be checked.
pub(super) fn may_continue(run: Option<&RunDir>, row: &RunRow, now: Time) -> Result<bool> {
    if is_waiting(row, now) {
        return Ok(true);
    }
    let Some(run) = run else { return Ok(false) };
    match has_locked_log(&run.dir) {
        Err(error) if row.finished_at.is_none() => {
            Err(Error::io("lock the logs of", &run.path)(error))
        }
        is_locked => Ok(is_locked.unwrap_or(false)),
    }
}

/// Returns true if a run was begun by `rundown begin`, and its next command may still come.
fn is_waiting(row: &RunRow, now: Time) -> bool {
    let idle_ms = u128::try_from(now.millis_since(row.last_at)).unwrap_or(0);
    row.is_open && row.finished_at.is_none() && idle_ms < ABANDONED_AFTER.as_millis()
}
