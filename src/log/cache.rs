//! Blocks of objects on disk, so that a run that was opened before needs few requests.
//!
//! A block is a file with the SHA-256 hash of its content as its first bytes. It is written under a
//! temporary name, so that other processes see all of it or nothing. A block that is damaged or
//! cannot be read is requested again. Errors are ignored: the cache only saves time.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use tempfile::NamedTempFile;

/// The size from which the oldest blocks are removed, in bytes, and the size down to which.
const MAX_BYTES: u64 = 512 << 20;
const KEPT_BYTES: u64 = 384 << 20;

/// The largest block that is read, in bytes.
const MAX_BLOCK_BYTES: u64 = 16 << 20;

/// A directory with blocks. Any number of processes share it.
#[derive(Debug)]
pub struct BlockCache {
    dir: PathBuf,
    /// The limits that [`MAX_BYTES`] and [`KEPT_BYTES`] are for users.
    limits: (u64, u64),
    /// The number of bytes that may be written before the next look at the size.
    left_bytes: AtomicU64,
    /// True if a block could not be written. No further one is, because each costs time.
    has_failed: AtomicBool,
}

impl BlockCache {
    /// Creates a cache in a directory, which need not exist.
    #[must_use]
    pub const fn new(dir: PathBuf) -> Self {
        let (left_bytes, has_failed) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { dir, limits: (MAX_BYTES, KEPT_BYTES), left_bytes, has_failed }
    }

    /// Returns the block with a name; `None` if it is not there or damaged.
    pub(super) fn get(&self, name: &str) -> Option<Vec<u8>> {
        let file = File::open(self.path(name)).ok()?;
        let mut bytes = Vec::new();
        (&file).take(MAX_BLOCK_BYTES).read_to_end(&mut bytes).ok()?;
        let (hash, block) = bytes.split_at_checked(SHA256_OUTPUT_LEN)?;
        if digest(&SHA256, block).as_ref() != hash {
            return None;
        }
        // The oldest blocks are those that were not used for the longest time.
        let _ = file.set_modified(SystemTime::now());
        bytes.drain(..SHA256_OUTPUT_LEN);
        Some(bytes)
    }

    /// Keeps a block under a name.
    pub(super) fn put(&self, name: &str, block: &[u8]) {
        if self.has_failed.load(Ordering::Relaxed) {
            return;
        }
        let taken = |left: u64| left.checked_sub(block.len() as u64);
        if self.left_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_err() {
            self.tidy();
            // Several processes may write at the same time, so not all of the space is used up.
            let space = self.limits.0.saturating_sub(self.limits.1);
            self.left_bytes.store(space / 2, Ordering::Relaxed);
        }
        let write = || -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
            let mut file = NamedTempFile::new_in(&self.dir)?;
            file.write_all(digest(&SHA256, block).as_ref())?;
            file.write_all(block)?;
            file.persist(self.path(name))?;
            Ok(())
        };
        if write().is_err() {
            self.has_failed.store(true, Ordering::Relaxed);
        }
    }

    /// Returns the path of a block. A name may contain anything.
    fn path(&self, name: &str) -> PathBuf {
        let hash = digest(&SHA256, name.as_bytes());
        let hex = |byte: &u8| format!("{byte:02x}");
        let digits: String = hash.as_ref().iter().map(hex).collect();
        self.dir.join(digits)
    }

    /// Removes the oldest files if there are too many.
    fn tidy(&self) {
        let mut files = files(&self.dir);
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        if total <= self.limits.0 {
            return;
        }
        files.sort();
        for (_, bytes, path) in files {
            if total <= self.limits.1 {
                break;
            }
            if fs::remove_file(path).is_ok() {
                total = total.saturating_sub(bytes);
            }
        }
    }
}

/// Returns the files of a directory: the time of the last use, the size and the path of each.
fn files(dir: &Path) -> Vec<(SystemTime, u64, PathBuf)> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let file = |entry: io::Result<fs::DirEntry>| {
        let entry = entry.ok()?;
        let facts = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some((facts.modified().ok()?, facts.len(), entry.path()))
    };
    entries.filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_block_is_kept_for_other_processes_and_only_for_this_user() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("cache/blocks");
        let cache = BlockCache::new(dir.clone());
        assert_eq!(cache.get("../a"), None);
        cache.put("../a", b"content");
        assert_eq!(BlockCache::new(dir.clone()).get("../a").as_deref(), Some(&b"content"[..]));
        assert_eq!(cache.get("b"), None);
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        let [(_, _, path)] = &files(&dir)[..] else { panic!() };
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_block_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let cache = BlockCache::new(dir.path().to_owned());
        cache.put("a", b"content");
        let path = cache.path("a");
        for damaged in [&b""[..], b"short", &[0; 40]] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(cache.get("a"), None);
        }
    }

    #[test]
    fn the_blocks_that_were_not_used_for_long_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let cache = || BlockCache { limits: (1100, 500), ..BlockCache::new(dir.path().to_owned()) };
        let old = SystemTime::now() - Duration::from_secs(1000);
        for n in 0..9 {
            cache().put(&n.to_string(), &[0; 100]);
            let file = File::open(cache().path(&n.to_string())).unwrap();
            file.set_modified(old + Duration::from_secs(n)).unwrap();
        }
        assert!(cache().get("0").is_some());
        cache().put("9", &[0; 100]);
        let kept: Vec<_> = (0..10).filter(|n| cache().get(&n.to_string()).is_some()).collect();
        assert_eq!(kept, [0, 7, 8, 9]);
    }

    #[test]
    fn the_size_is_limited_while_one_process_writes() {
        let dir = tempfile::tempdir().unwrap();
        let cache = BlockCache { limits: (4000, 2000), ..BlockCache::new(dir.path().to_owned()) };
        for n in 0..100 {
            cache.put(&n.to_string(), &[0; 100]);
        }
        let total: u64 = files(dir.path()).iter().map(|(_, bytes, _)| bytes).sum();
        assert!(total < 6000, "{total}");
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_no_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let cache = BlockCache::new(file.path().join("dir"));
        cache.put("a", b"content");
        assert_eq!(cache.get("a"), None);
    }
}
