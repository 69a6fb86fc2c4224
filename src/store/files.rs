//! The state of a database's files, determined without opening the database: the files beside it,
//! the processes that have it open, and the changes since an earlier state.

use std::borrow::Cow;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rustix::process::{Flock, FlockType, fcntl_getlk};

use crate::error::{Error, Result};
use crate::file::open_regular;

/// The age from which a `-wal` counts as abandoned if no process has it open. A writer may also
/// leave a `-wal` behind between two connections, but not for this long.
const ABANDONED: Duration = Duration::from_secs(2);

/// The visible state of a database's files. If two stamps are equal, nothing was committed between
/// them.
///
/// Two commits within one tick of the clock may leave the same file times. The change counters of
/// the header and the wal-index (<https://www.sqlite.org/walformat.html#the_wal_index_header>)
/// distinguish them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    main: FileStamp,
    change_counter: [u8; 4],
    wal: Option<FileStamp>,
    journal: Option<FileStamp>,
    wal_index_change: Option<[u8; 4]>,
}

/// The time within which two changes may leave the same file times.
const CLOCK_TICK: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FileStamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl FileStamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Stamp {
    /// Reads the state of the files, without opening the database.
    pub fn taken(path: &Path) -> io::Result<Self> {
        let path = &real(path)?;
        let file = open_regular(path)?;
        let stamp_beside =
            |suffix| fs::metadata(beside(path, suffix)).ok().as_ref().map(FileStamp::of);
        let mut change_counter = [0; 4];
        // A file shorter than a header has no counter; opening it reports the error.
        let _ = file.read_exact_at(&mut change_counter, 24);
        Ok(Self {
            main: FileStamp::of(&file.metadata()?),
            change_counter,
            wal: stamp_beside("-wal"),
            journal: stamp_beside("-journal"),
            wal_index_change: wal_index_change(&beside(path, "-shm")),
        })
    }

    /// Returns true if the last change is old enough that any later change gives a different stamp.
    pub fn is_settled(&self) -> bool {
        let beside = [self.wal, self.journal].into_iter().flatten();
        let (secs, nanos) =
            beside.fold(self.main.modified, |newest, file| newest.max(file.modified));
        let changed = u64::try_from(secs).ok().zip(u32::try_from(nanos).ok());
        let changed = changed.and_then(|(secs, nanos)| {
            // A file system can report any number of seconds and nanoseconds.
            let since =
                Duration::from_secs(secs).checked_add(Duration::from_nanos(nanos.into()))?;
            UNIX_EPOCH.checked_add(since)
        });
        changed.is_some_and(|changed| changed.elapsed().is_ok_and(|age| age >= CLOCK_TICK))
    }
}

/// Reads the counter of committed transactions in the wal-index; `None` if the file cannot be read.
fn wal_index_change(shm: &Path) -> Option<[u8; 4]> {
    let mut counter = [0; 4];
    open_regular(shm).ok()?.read_exact_at(&mut counter, 8).ok()?;
    Some(counter)
}

/// Resolves a symbolic link, because SQLite looks for the other files beside the target of the
/// link. Returns any other path unchanged.
pub(super) fn real(path: &Path) -> io::Result<Cow<'_, Path>> {
    let is_link = fs::symlink_metadata(path)?.is_symlink();
    if is_link { fs::canonicalize(path).map(Cow::Owned) } else { Ok(Cow::Borrowed(path)) }
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Returns an error if a file beside a database is a link or a special file. SQLite would open it
/// nevertheless: it would wait for the writer of a FIFO, and follow a link to a file of another
/// user.
pub(super) fn check_beside(path: &Path) -> Result<()> {
    for other in ["-wal", "-shm", "-journal"].map(|suffix| beside(path, suffix)) {
        let what = match fs::symlink_metadata(&other) {
            Ok(metadata) if metadata.is_symlink() => {
                "a symbolic link, which rundown does not follow"
            }
            Ok(metadata) if !metadata.is_file() => "not a regular file",
            Ok(_) | Err(_) => continue,
        };
        return Err(Error::NotAStore {
            path: path.to_owned(),
            why: format!("{} is {what}", other.display()),
        });
    }
    Ok(())
}

/// Returns true if a `-wal` or `-journal` has another owner or group than the database.
pub(super) fn is_owned_by_several(path: &Path) -> bool {
    let owner =
        |path: &Path| fs::metadata(path).map(|metadata| (metadata.uid(), metadata.gid())).ok();
    let main = owner(path);
    ["-wal", "-journal"]
        .iter()
        .filter_map(|suffix| owner(&beside(path, suffix)))
        .any(|other| Some(other) != main)
}

/// Returns the number of bytes that a database and its `-wal` occupy on disk. A sparse file may be
/// far longer than that.
pub(super) fn occupied_bytes(path: &Path) -> u64 {
    let of = |path: &Path| {
        fs::metadata(path).map_or(0, |file| file.len().min(file.blocks().saturating_mul(512)))
    };
    of(path).saturating_add(of(&beside(path, "-wal")))
}

/// Returns the length of a file; 0 if it does not exist.
pub(super) fn bytes_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Returns true if a `-journal` may have to be rolled back. After the end of its transaction, a
/// journal is empty or begins with a zero byte.
pub(super) fn is_hot(journal: &Path) -> bool {
    let mut first = [0];
    open_regular(journal).and_then(|file| file.read_exact_at(&mut first, 0)).is_ok() && first != [0]
}

pub(super) fn is_old(wal: &Path) -> bool {
    let modified = fs::metadata(wal).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age >= ABANDONED))
}

/// Returns true if a connection has the wal-index open. Each connection holds a shared lock on its
/// "dead man switch", byte 128 (`UNIX_SHM_DMS` in SQLite's `os_unix.c`).
pub(super) fn is_held(shm: &Path) -> bool {
    let probe = Flock { start: 128, length: 1, ..Flock::from(FlockType::WriteLock) };
    open_regular(shm)
        .is_ok_and(|file| fcntl_getlk(&file, &probe).is_ok_and(|holder| holder.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recently_changed_file_is_not_settled() {
        let file = FileStamp { device: 0, inode: 0, bytes: 0, modified: (1, 0) };
        for (secs, nanos, settled) in [
            (1, 0, true),
            (-1, 0, false),
            (i64::MAX, 999_999_999, false),
            (i64::MAX, 1_000_000_000, false),
        ] {
            let main = FileStamp { modified: (secs, nanos), ..file };
            let stamp = Stamp {
                main,
                change_counter: [0; 4],
                wal: None,
                journal: None,
                wal_index_change: None,
            };
            assert_eq!(stamp.is_settled(), settled, "{secs}.{nanos}");
        }
    }
}
