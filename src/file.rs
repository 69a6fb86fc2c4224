//! Opening of files that other programs made. Opening never blocks, regardless of the type of the
//! file. A path can be bound to a directory; then only files inside it are opened.
//!
//! Opening a FIFO would wait for a writer, and reading a device may have any effect. So files are
//! opened without blocking, and only regular files are read. A path is checked each time it is
//! opened, because a link may have replaced the file.

mod dir;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, openat};

pub(crate) use dir::Dir;

/// The reason why a link that leads out is not followed.
pub const LEADS_OUT: &str = "it links outside the run's directory";

/// The flags for opening a directory on the way to a file. On Linux, `O_PATH` needs no permission
/// to list the directory.
#[cfg(target_os = "linux")]
const WAY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
#[cfg(not(target_os = "linux"))]
const WAY: OFlags = OFlags::DIRECTORY;

/// The flags for opening a file. With them, a FIFO without a writer opens at once, and a terminal
/// does not become the controlling terminal.
const WITHOUT_WAITING: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

/// The path of a file, and the directory that it must not leave.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FilePath {
    path: PathBuf,
    within: Option<Arc<Path>>,
}

impl FilePath {
    /// Creates a path that the user named. It may lead anywhere.
    #[must_use]
    pub fn named(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), within: None }
    }

    /// Creates a path that was found in the directory `within`. Opening it fails if it leads out of
    /// this directory, even if a link replaces a part of the path later. `within` must be resolved:
    /// no component of it may be a link.
    #[must_use]
    pub const fn found(path: PathBuf, within: Arc<Path>) -> Self {
        Self { path, within: Some(within) }
    }

    /// Opens the file, which must be a regular one, for reading.
    ///
    /// # Errors
    /// Fails as [`open_regular`] does, and if the path leads out of its directory. The file outside
    /// is not opened.
    pub fn open(&self) -> io::Result<File> {
        match &self.within {
            Some(within) => open_inside(&self.path, within),
            None => open_regular(&self.path),
        }
    }
}

/// The identity of a file: device and inode. A file that replaces another one has a different
/// identity.
pub type Identity = (u64, u64);

/// Returns the identity of the file at a path; `None` if there is no file or it cannot be examined.
#[must_use]
pub fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Returns the identity of an open file.
///
/// # Errors
/// If it cannot be examined.
pub fn identity_of(file: &File) -> io::Result<Identity> {
    file.metadata().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Creates a file that only its owner may read and write, regardless of the umask and the defaults
/// of the directory. A file system without modes (FAT, some network file systems) applies its own
/// permissions.
///
/// # Errors
/// Fails if the file exists already or cannot be created.
pub fn create_private(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(path)?;
    let _ = file.set_permissions(Permissions::from_mode(0o600));
    Ok(file)
}

/// Creates a directory as [`create_private_dir`] does, and its missing parents.
///
/// # Errors
/// Fails if one of them cannot be created, or exists but is not a directory.
pub fn create_private_dirs(path: &Path) -> io::Result<()> {
    match create_private_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent =
                path.parent().filter(|parent| !parent.as_os_str().is_empty()).ok_or(error)?;
            create_private_dirs(parent)?;
            create_private_dir(path)
        }
        created => created,
    }
}

/// Creates a directory that only its owner may enter, regardless of the umask. An existing
/// directory keeps its permissions.
///
/// # Errors
/// Fails if it cannot be created, or exists but is not a directory.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {
            let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
            Ok(())
        }
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Returns the directories to watch for changes of the file: the directory of its name and, if the
/// name is a link, the directory of its target.
#[must_use]
pub fn dirs_of(path: &Path) -> Vec<PathBuf> {
    let dir = dir_of(path);
    let real = fs::canonicalize(path).ok().map(|file| dir_of(&file));
    let is_other = |real: &PathBuf| fs::canonicalize(&dir).is_ok_and(|dir| dir != *real);
    let real = real.filter(is_other);
    std::iter::once(dir).chain(real).collect()
}

/// Returns the directory that contains a path's last component.
#[must_use]
pub fn dir_of(path: &Path) -> PathBuf {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    dir.unwrap_or(Path::new(".")).to_owned()
}

impl Deref for FilePath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

/// Opens the file that a path resolves to, component by component from `/`. If a link replaces a
/// component in the meantime, opening fails; this includes the components of `within`.
fn open_inside(path: &Path, within: &Path) -> io::Result<File> {
    let resolved = fs::canonicalize(path)?;
    if !resolved.starts_with(within) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, LEADS_OUT));
    }
    let mut dir = step(CWD, Path::new("/"), WAY)?;
    for name in resolved.parent().into_iter().flat_map(Path::components).skip(1) {
        dir = step(dir.as_fd(), name.as_ref(), WAY)?;
    }
    let name = resolved.file_name().map_or(Path::new("."), Path::new);
    regular(step(dir.as_fd(), name, WITHOUT_WAITING)?.into())
}

fn step(dir: BorrowedFd<'_>, name: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(openat(dir, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens a regular file for reading.
///
/// # Errors
/// Fails if it cannot be opened, or is a directory, a FIFO, a socket or a device.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let flags = WITHOUT_WAITING.bits().cast_signed();
    regular(OpenOptions::new().read(true).custom_flags(flags).open(path)?)
}

fn regular(file: File) -> io::Result<File> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        return Ok(file);
    }
    let kind = if metadata.is_dir() { "it is a directory" } else { "it is not a regular file" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, kind))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn created_files_and_directories_are_accessible_to_their_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let deep = dir.path().join("a/b/c");
        create_private_dirs(&deep).unwrap();
        create_private_dirs(&deep).unwrap();
        assert_eq!(["a", "a/b", "a/b/c"].map(|name| mode(&dir.path().join(name))), [0o700; 3]);
        let path = deep.join("file");
        create_private(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(create_private(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(create_private_dirs(&path).is_err(), "a file is in the way");
        assert!(create_private_dirs(&path.join("below")).is_err());
        assert!(
            create_private_dirs(Path::new("/proc/nowhere/below")).is_err(),
            "no parent can be made"
        );
        assert_eq!(identity(&path), identity(&dir.path().join("a/b/c/file")));
        assert_ne!(identity(&path), identity(&deep));
        assert_eq!(identity(&dir.path().join("missing")), None);
    }

    #[test]
    fn a_found_file_is_not_opened_through_a_replaced_path() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let (run, outside) = (root.join("run"), root.join("outside"));
        for (dir, text) in [(&run, "in"), (&outside, "out")] {
            fs::create_dir_all(dir.join("jobs/build")).unwrap();
            fs::write(dir.join("jobs/build/sh-1.log"), text).unwrap();
        }
        let log = run.join("jobs/build/sh-1.log");
        let found = FilePath::found(log.clone(), run.clone().into());
        let read = |path: &FilePath| {
            path.open().and_then(io::read_to_string).map_err(|error| error.to_string())
        };
        let swap = |at: &Path, to: &Path| {
            fs::rename(at, at.with_extension("kept")).unwrap();
            symlink(to, at).unwrap();
        };
        let back = |at: &Path| fs::rename(at.with_extension("kept"), at).unwrap();
        assert_eq!(read(&found), Ok("in".into()));

        swap(&log, Path::new("sh-1.kept"));
        assert_eq!(read(&found), Ok("in".into()), "a link inside");
        back(&log);
        for (at, to) in
            [(&log, "jobs/build/sh-1.log"), (&run.join("jobs/build"), "jobs/build"), (&run, "")]
        {
            swap(at, &outside.join(to));
            assert_eq!(read(&found), Err(LEADS_OUT.into()), "{}", at.display());
            assert_eq!(
                read(&FilePath::named(&*log)),
                Ok("out".into()),
                "one that was named is followed"
            );
            fs::remove_file(at).unwrap();
            back(at);
        }
        assert_eq!(
            read(&FilePath::found(run.clone(), run.clone().into())),
            Err("it is a directory".into())
        );
        fs::remove_file(&log).unwrap();
        assert_eq!(found.open().unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_link_is_watched_in_its_directory_and_in_that_of_its_target() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(root.join("a")).unwrap();
        fs::create_dir(root.join("b")).unwrap();
        fs::write(root.join("a/file"), "").unwrap();
        symlink("file", root.join("a/link")).unwrap();
        symlink("../a/file", root.join("b/link")).unwrap();
        symlink("../a", root.join("a/self")).unwrap();
        assert_eq!(dirs_of(&root.join("a/link")), [root.join("a")]);
        assert_eq!(
            dirs_of(&root.join("a/self/file")),
            [root.join("a/self")],
            "one directory by two names"
        );
        assert_eq!(dirs_of(&root.join("b/link")), [root.join("b"), root.join("a")]);
        assert_eq!(dirs_of(Path::new("missing")), [Path::new(".")]);
    }

    #[test]
    fn a_special_file_is_rejected_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        assert_eq!(open_regular(&fifo).unwrap_err().to_string(), "it is not a regular file");
        assert_eq!(open_regular(dir.path()).unwrap_err().to_string(), "it is a directory");
        std::fs::write(dir.path().join("file"), "x").unwrap();
        assert!(open_regular(&dir.path().join("file")).is_ok());
    }
}
