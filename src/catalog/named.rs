//! The content of a path that the user named: a store, a database, a bundle, or logs, which may be
//! compressed. Archives are refused, because their bytes would be shown as a log.

use std::io::{Cursor, ErrorKind, Read};
use std::path::Path;

use super::location::{DATABASES, Location};
use super::source::Catalog;
use crate::bundle::is_bundle;
use crate::error::{Error, Result};
use crate::file::{dir_of, open_regular};
use crate::log::{Compression, LogFile, LogPath, PackedLog, Spool};

/// The first bytes of an SQLite database.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// The first bytes of compressed logs.
const COMPRESSED: [(&[u8], Compression); 2] =
    [(b"\x1f\x8b", Compression::Gzip), (b"\x28\xb5\x2f\xfd", Compression::Zstd)];

/// Archives and files that are not unpacked: the offset and the bytes that identify them, the name
/// of the format, and a program that unpacks them.
const ARCHIVES: [(usize, &[u8], &str, &str); 5] = [
    (0, b"PK\x03\x04", "a zip archive", "unzip"),
    (0, b"\xfd7zXZ\0", "compressed with xz", "xz -d, or tar -xJf for an archive"),
    (0, b"BZh", "compressed with bzip2", "bzip2 -d, or tar -xjf for an archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "7z x"),
    (257, b"ustar", "a tar archive", "tar -xf"),
];

/// The number of bytes that identify a compressed log.
const MAGIC_BYTES: usize = 4;

/// The number of bytes that identify a file.
const HEAD_BYTES: usize = 512;

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
    /// If the path is an archive, or a compressed log that cannot be unpacked.
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
        if is_bundle(&head) {
            return Ok(Self::of_bundle(path));
        }
        check_archive(path, &head)?;
        match compression(&head) {
            Some(compression) => compressed(path, compression).map(Self::of_log),
            None => Ok(Self::of_path(path)),
        }
    }

    /// Creates a catalog of a log that is read from a pipe. The log grows until the pipe is closed.
    /// Waits for the first bytes.
    ///
    /// # Errors
    /// If the pipe cannot be read, or does not contain a log.
    pub fn of_pipe(name: &Path, mut pipe: impl Read + Send + 'static) -> Result<Self> {
        let mut head = vec![0; HEAD_BYTES];
        let mut filled = 0_usize;
        // The first bytes of a compressed log may come one by one.
        while filled < MAGIC_BYTES {
            match pipe.read(head.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(len) => filled = filled.saturating_add(len),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("read", name)(error)),
            }
        }
        head.truncate(filled);
        check_archive(name, &head)?;
        let compression = compression(&head).unwrap_or(Compression::None);
        let pipe = Cursor::new(head).chain(pipe);
        spooled(name, pipe, compression).map(Self::of_log)
    }

    /// Waits until a log that is unpacked or read from a pipe is complete.
    ///
    /// # Errors
    /// If the log cannot be read or is damaged.
    pub fn complete(&self) -> Result<()> {
        match &self.place {
            Location::Path { log: Some(LogPath::Spooled(spool)), .. } => spool.wait_for(u64::MAX),
            _ => Ok(()),
        }
    }
}

/// Returns the compression of a log that begins with these bytes; `None` if it is not compressed.
fn compression(head: &[u8]) -> Option<Compression> {
    let found = COMPRESSED.iter().find(|(magic, _)| head.starts_with(magic));
    found.map(|(_, compression)| *compression)
}

/// Returns the location of a compressed log. With a seek table, it is read in place.
fn compressed(path: &Path, compression: Compression) -> Result<LogPath> {
    let file = open_regular(path).map_err(Error::io("open", path))?;
    if compression == Compression::Zstd
        && let Some(packed) = PackedLog::of_file(path)
    {
        return Ok(LogPath::Packed(Box::new(packed)));
    }
    spooled(path, file, compression)
}

/// Begins to unpack a log. A compressed log is checked for an archive.
fn spooled(
    path: &Path,
    packed: impl Read + Send + 'static,
    compression: Compression,
) -> Result<LogPath> {
    let spool = Spool::start(path, packed, compression)?;
    if compression == Compression::None {
        return Ok(LogPath::Spooled(spool));
    }
    spool.wait_for(HEAD_BYTES as u64)?;
    let spool = LogPath::Spooled(spool);
    let mut head = vec![0; HEAD_BYTES];
    let filled = LogFile::open(&spool)?.read_at(0, &mut head)?;
    head.truncate(filled);
    check_archive(path, &head)?;
    Ok(spool)
}

/// Rejects the content of a path that begins as an archive does.
fn check_archive(path: &Path, head: &[u8]) -> Result<()> {
    let is = |(at, magic, ..): &&(usize, &[u8], &str, &str)| {
        head.get(*at..).is_some_and(|bytes| bytes.starts_with(magic))
    };
    let Some((_, _, what, unpack)) = ARCHIVES.iter().find(is) else { return Ok(()) };
    Err(Error::Usage(format!(
        "{} is {what}, not a log\nunpack it (with {unpack}), and open what it contains",
        path.display()
    )))
}

/// Returns the first bytes of a file; empty if it cannot be read, which is reported later.
fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    if let Ok(file) = open_regular(path) {
        let _ = file.take(HEAD_BYTES as u64).read_to_end(&mut head);
    }
    head
}
