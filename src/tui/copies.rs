//! The private copies of logs that editors show.
//!
//! A copy is deleted when its editor has ended. If rundown ends earlier, because of a signal or an
//! error, the thread that made the copy may still wait for the editor, or hang on a file system.
//! Another thread then deletes the copy with [`Copies::remove_all`].
//!
//! Invariant: the name of a copy is listed from before its file is created until after its file is
//! deleted.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The longest wait for the deletion of the copies, whose file system may hang.
const TIMEOUT: Duration = Duration::from_millis(300);

/// The list of all copies. No file operation is done while it is locked.
#[derive(Default)]
pub(super) struct Copies(Mutex<List>);

#[derive(Default)]
struct List {
    paths: Vec<PathBuf>,
    /// True if rundown is about to end, and no more copies may be created.
    is_closed: bool,
}

/// A copy, which is deleted on drop.
pub(super) struct PrivateCopy {
    path: PathBuf,
    copies: Arc<Copies>,
}

impl Copies {
    /// Creates an empty file in a directory, with a unique name. Only the user can read it.
    ///
    /// # Errors
    /// If the file cannot be created, or after [`Copies::remove_all`].
    pub(super) fn create(self: &Arc<Self>, dir: &Path) -> io::Result<(File, PrivateCopy)> {
        let file = tempfile::Builder::new()
            .prefix("rundown-")
            .suffix(".log")
            .make_in(dir, |path| self.create_listed(path))?;
        let (file, path) = file.keep().map_err(|error| error.error)?;
        Ok((file, PrivateCopy { path, copies: Arc::clone(self) }))
    }

    fn create_listed(&self, path: &Path) -> io::Result<File> {
        self.list().paths.push(path.to_owned());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        // `remove_all` may have closed the list and tried to delete the file before it existed.
        if file.is_ok() && self.list().is_closed {
            self.remove(path);
            return Err(io::Error::other("rundown is about to end"));
        }
        if file.is_err() {
            self.forget(path);
        }
        file
    }

    /// Deletes all copies, and prevents new ones. Waits for at most [`TIMEOUT`].
    pub(super) fn remove_all(&self) {
        let paths = {
            let mut list = self.list();
            list.is_closed = true;
            // Keep the paths listed: another thread that ends the program calls this function, too,
            // and must also wait for the deletion.
            list.paths.clone()
        };
        if paths.is_empty() {
            return;
        }
        let (done, is_done) = channel();
        let remove = move || {
            for path in paths {
                let _ = fs::remove_file(path);
            }
            let _ = done.send(());
        };
        if thread::Builder::new().name("copies".into()).spawn(remove).is_ok() {
            let _ = is_done.recv_timeout(TIMEOUT);
        }
    }

    /// Deletes a copy. Errors are ignored: it may be deleted already.
    fn remove(&self, path: &Path) {
        let _ = fs::remove_file(path);
        self.forget(path);
    }

    fn forget(&self, path: &Path) {
        self.list().paths.retain(|listed| listed != path);
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PrivateCopy {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        self.copies.remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_copy_is_private_and_deleted_when_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let copies = Arc::new(Copies::default());
        let (_, copy) = copies.create(dir.path()).unwrap();
        assert_eq!(fs::metadata(copy.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let (_, other) = copies.create(dir.path()).unwrap();
        let path = copy.path().to_owned();
        drop(copy);
        assert!(!path.exists() && other.path().exists());
        assert_eq!(copies.list().paths, [other.path()]);
    }

    #[test]
    fn a_copy_of_a_thread_that_hangs_is_deleted_and_no_other_is_created() {
        let dir = tempfile::tempdir().unwrap();
        let copies = Arc::new(Copies::default());
        let (gate, opens) = channel::<()>();
        let (made, is_made) = channel();
        let thread = thread::spawn({
            let (copies, dir) = (Arc::clone(&copies), dir.path().to_owned());
            move || {
                let (mut file, copy) = copies.create(&dir).unwrap();
                made.send(copy.path().to_owned()).unwrap();
                let _ = opens.recv();
                // The deleted file can still be written.
                file.write_all(b"more").unwrap();
            }
        });
        let path = is_made.recv().unwrap();
        assert!(path.exists());
        copies.remove_all();
        assert!(!path.exists());
        let error = copies.create(dir.path()).err().unwrap();
        assert_eq!(error.to_string(), "rundown is about to end");
        drop(gate);
        thread.join().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_could_not_be_created_is_not_listed() {
        let dir = tempfile::tempdir().unwrap();
        let copies = Arc::new(Copies::default());
        assert!(copies.create(&dir.path().join("missing")).is_err());
        let other = dir.path().join("of-another-process");
        fs::write(&other, "").unwrap();
        assert!(copies.create_listed(&other).is_err());
        copies.remove_all();
        assert!(other.exists());
    }
}
