//! The content of a path that the user named: a store, a database, a bundle, or logs. Other archives
//! are refused, because their bytes would be shown as a log.

use std::io::Read;
use std::path::Path;

use super::source::{Catalog, DATABASES};
use crate::bundle::is_bundle;
use crate::error::{Error, Result};
use crate::file::{dir_of, open_regular};

/// The first bytes of an SQLite database.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Archives and compressed files: the offset and the bytes that identify them, the name of the
/// format, and a program that unpacks them.
const ARCHIVES: [(usize, &[u8], &str, &str); 7] = [
    (0, b"PK\x03\x04", "a zip archive", "unzip"),
    (0, b"\x1f\x8b", "compressed with gzip", "gzip -d, or tar -xzf for an archive"),
    (0, b"\xfd7zXZ\0", "compressed with xz", "xz -d, or tar -xJf for an archive"),
    (0, b"\x28\xb5\x2f\xfd", "compressed with zstd", "zstd -d, or tar --zstd -xf for an archive"),
    (0, b"BZh", "compressed with bzip2", "bzip2 -d, or tar -xjf for an archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "7z x"),
    (257, b"ustar", "a tar archive", "tar -xf"),
];

/// The number of bytes that identify a file.
const HEAD_BYTES: u64 = 512;

impl Catalog {
    /// Creates a catalog of a root: of a bundle if the root is one, and otherwise of a store.
    #[must_use]
    pub fn of_root(root: &Path, db: Option<&Path>) -> Self {
        if db.is_none() && root.is_file() && is_bundle(&head(root)) {
            return Self::of_bundle(root);
        }
        Self::of_store(root, db)
    }

    /// Creates a catalog of an existing path: of the store if it is the directory or the database
    /// of one, of the bundle if it is one, and otherwise of the logs.
    ///
    /// # Errors
    /// If the path is an archive.
    pub fn of_named(path: &Path) -> Result<Self> {
        if path.is_dir() {
            let holds = |name: &str| path.join(name).exists();
            let is_store = DATABASES.iter().any(|name| holds(name)) || path.join("runs").is_dir();
            return Ok(if is_store { Self::of_store(path, None) } else { Self::of_path(path) });
        }
        let head = head(path);
        if head.starts_with(SQLITE) {
            return Ok(Self::of_store(&dir_of(path), Some(path)));
        }
        let is = |(at, magic, ..): &&(usize, &[u8], &str, &str)| {
            head.get(*at..).is_some_and(|bytes| bytes.starts_with(magic))
        };
        if is_bundle(&head) {
            return Ok(Self::of_bundle(path));
        }
        match ARCHIVES.iter().find(is) {
            None => Ok(Self::of_path(path)),
            Some((_, _, what, unpack)) => Err(Error::Usage(format!(
                "{} is {what}, not a log\nunpack it (with {unpack}), and open what it contains",
                path.display()
            ))),
        }
    }
}

/// Returns the first bytes of a file; empty if it cannot be read, which is reported later.
fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    if let Ok(file) = open_regular(path) {
        let _ = file.take(HEAD_BYTES).read_to_end(&mut head);
    }
    head
}
