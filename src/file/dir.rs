//! Directories that are opened without following links, and changes to their entries.
//!
//! Each step leads from an open directory to one of its entries, by name. So neither a link nor a
//! directory that is replaced meanwhile leads a change out of the directory that the caller opened
//! first. A tree deeper than [`MAX_DEPTH`] is refused.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, mkdirat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;

use super::{WITHOUT_WAITING, regular, step};

/// The maximum number of directories inside each other in a tree that is measured or removed. A run
/// has three.
const MAX_DEPTH: usize = 64;

/// The size of a block in `st_blocks`.
const BLOCK_BYTES: u64 = 512;

/// An open directory.
#[derive(Debug)]
pub struct Dir(OwnedFd);

impl Dir {
    /// Opens a directory that the user named. It may be a link.
    pub fn named(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, path, flags, Mode::empty())?))
    }

    /// Opens a directory below this one. Each name on the way must be that of a directory, and not
    /// of a link.
    pub fn open(&self, path: impl AsRef<Path>) -> io::Result<Self> {
        let mut dir = Self(self.0.try_clone()?);
        for part in path.as_ref().components() {
            let Component::Normal(name) = part else {
                return Err(io::ErrorKind::InvalidFilename.into());
            };
            dir = dir.open_one(name)?;
        }
        Ok(dir)
    }

    /// Opens an entry. The error for a link has the kind `NotADirectory`.
    fn step(&self, name: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
        step(self.0.as_fd(), name.as_ref(), flags).map_err(|error| {
            if self.is_link(name) {
                let why = "it is a symbolic link, which is not followed";
                return io::Error::new(io::ErrorKind::NotADirectory, why);
            }
            error
        })
    }

    fn open_one(&self, name: &OsStr) -> io::Result<Self> {
        self.step(name, OFlags::RDONLY | OFlags::DIRECTORY).map(Self)
    }

    fn is_link(&self, name: &OsStr) -> bool {
        statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_symlink())
    }

    /// Opens a directory in this one, and creates it for its owner alone if it is missing.
    pub fn create_private(&self, name: &str) -> io::Result<Self> {
        match mkdirat(&self.0, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.open_one(name.as_ref()),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a regular file in this directory for reading.
    pub fn file(&self, name: &str) -> io::Result<File> {
        regular(self.step(name.as_ref(), WITHOUT_WAITING)?.into())
    }

    /// Opens a regular file in this directory for reading and writing.
    pub fn file_to_write(&self, name: &str) -> io::Result<File> {
        regular(self.step(name.as_ref(), WITHOUT_WAITING | OFlags::RDWR)?.into())
    }

    /// Creates an empty file in this directory that only its owner may read and write. Fails if
    /// there is an entry with this name.
    pub fn create_private_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = File::from(openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?);
        let _ = file.set_permissions(Permissions::from_mode(0o600));
        Ok(file)
    }

    /// Returns the names of all entries.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    /// Moves an entry to another directory of the same file system. The entry keeps its name. Fails
    /// if the other directory contains a directory of this name that is not empty.
    pub fn move_to(&self, name: &OsStr, other: &Self) -> io::Result<()> {
        Ok(renameat(&self.0, name, &other.0, name)?)
    }

    /// Returns the disk space that all files below this directory occupy. Files that vanish
    /// meanwhile do not count.
    pub fn occupied_bytes(&self) -> io::Result<u64> {
        self.occupied(MAX_DEPTH)
    }

    fn occupied(&self, depth: usize) -> io::Result<u64> {
        let depth = deeper(depth)?;
        let mut bytes = 0_u64;
        for name in self.names()? {
            let of_entry = match statat(&self.0, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_dir() => {
                    self.open_one(&name).and_then(|dir| dir.occupied(depth))
                }
                Ok(stat) => Ok(u64::try_from(stat.st_blocks).unwrap_or(0) * BLOCK_BYTES),
                Err(error) => Err(error.into()),
            };
            bytes = bytes.saturating_add(unless_missing(of_entry)?);
        }
        Ok(bytes)
    }

    /// Removes an entry, and everything below it if it is a directory. A link is removed, and its
    /// target is left as it is. It is no error if the entry does not exist.
    pub fn remove_all(&self, name: &OsStr) -> io::Result<()> {
        unless_missing(self.remove(name, MAX_DEPTH))
    }

    fn remove(&self, name: &OsStr, depth: usize) -> io::Result<()> {
        let depth = deeper(depth)?;
        let dir = match self.open_one(name) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Ok(unlinkat(&self.0, name, AtFlags::empty())?);
            }
            dir => dir?,
        };
        for name in dir.names()? {
            unless_missing(dir.remove(&name, depth))?;
        }
        Ok(unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Removes a directory in this one if it is empty.
    pub fn remove_empty(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }
}

fn deeper(depth: usize) -> io::Result<usize> {
    let why = "directories are nested too deeply";
    depth.checked_sub(1).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, why))
}

/// Replaces the error for a missing file with a default value.
fn unless_missing<T: Default>(result: io::Result<T>) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_removed_tree_leaves_the_targets_of_its_links() {
        let (tmp, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tree = tmp.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(tree.join("a/b/file"), "x").unwrap();
        fs::write(outside.path().join("precious"), "x").unwrap();
        symlink(outside.path(), tree.join("a/dir-link")).unwrap();
        symlink(outside.path().join("precious"), tree.join("a/file-link")).unwrap();
        symlink("nowhere", tree.join("a/lost-link")).unwrap();
        symlink(outside.path(), tmp.path().join("link")).unwrap();
        rustix::fs::mknodat(CWD, tree.join("fifo"), FileType::Fifo, 0o600.into(), 0).unwrap();
        let dir = Dir::named(tmp.path()).unwrap();
        for name in ["tree", "link", "missing"] {
            dir.remove_all(name.as_ref()).unwrap();
        }
        assert_eq!(dir.names().unwrap(), Vec::<OsString>::new());
        assert!(outside.path().join("precious").exists());
    }

    #[test]
    fn no_way_leads_through_a_link_or_out_of_the_directory() {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir_all(tmp.path().join("a/b")).unwrap();
        symlink("a", tmp.path().join("link")).unwrap();
        let dir = Dir::named(tmp.path()).unwrap();
        assert!(dir.open("a/b").is_ok());
        for (path, why) in [
            ("link/b", "it is a symbolic link, which is not followed"),
            ("link", "it is a symbolic link, which is not followed"),
            ("..", "invalid filename"),
            ("a/../a", "invalid filename"),
            ("/", "invalid filename"),
        ] {
            assert_eq!(dir.open(path).unwrap_err().to_string(), why, "{path}");
        }
        assert!(dir.file("link").is_err() && dir.file_to_write("link").is_err());
        assert!(dir.create_private("link").is_err() && dir.create_private_file("link").is_err());
    }

    #[test]
    fn a_tree_that_is_too_deep_is_refused() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = Dir::named(tmp.path()).unwrap();
        fs::create_dir_all(tmp.path().join(["d"; MAX_DEPTH + 1].join("/"))).unwrap();
        for refused in
            [dir.remove_all("d".as_ref()).unwrap_err(), dir.occupied_bytes().unwrap_err()]
        {
            assert_eq!(refused.to_string(), "directories are nested too deeply");
        }
        assert!(tmp.path().join("d/d").exists());
    }

    #[test]
    fn the_occupied_space_is_that_of_all_files_below() {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir_all(tmp.path().join("a/b")).unwrap();
        let dir = Dir::named(tmp.path()).unwrap();
        let empty = dir.occupied_bytes().unwrap();
        for path in ["file", "a/file", "a/b/file"] {
            fs::write(tmp.path().join(path), vec![7; 1 << 20]).unwrap();
        }
        symlink("/", tmp.path().join("a/b/link")).unwrap();
        let bytes = dir.occupied_bytes().unwrap() - empty;
        assert!((3 << 20..4 << 20).contains(&bytes), "{bytes}");
    }
}
