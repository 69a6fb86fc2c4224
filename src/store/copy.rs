//! Private copies of databases: of small ones, and of those that cannot be read in place. A copy
//! has no file name.
//!
//! A small database is copied into memory, so that reading it needs no directory for temporary
//! files. A large one is copied into a file that is deleted before any data is written to it. So
//! nothing of a copy remains if the process is killed. A `-wal` or `-journal` that SQLite would
//! have to recover is [recovered](super::recover) in the copy.

use std::fs::{File, Permissions};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::statvfs;
use tempfile::TempDir;

use super::access::{Access, Way, begin, open_uri};
use super::files::{beside, bytes_of, is_held, is_hot, is_old};
use super::recover::Patch;
use crate::error::{Error, Result};
use crate::file::{dir_of, open_regular};

/// The largest database, including the files beside it, that is copied into memory.
pub(super) const SMALL_BYTES: u64 = 16 << 20;

/// The maximum number of attempts to read a small database without a change during the reading.
const READ_STABLE_ATTEMPTS: u32 = 20;

/// The pause after the first attempt. Each later pause is longer than the last one by this time.
const READ_STABLE_PAUSE: Duration = Duration::from_millis(1);

/// The offset in a database of two bytes: its format versions for writing and for reading. In both,
/// 1 means that the database is not in WAL mode.
const VERSIONS_AT: u64 = 18;

/// Opens a copy of a small WAL database; `None` if the database is too large, before or after its
/// recovery, or changes during every attempt to read it.
pub(super) fn open_small(path: &Path, small_bytes: u64) -> Result<Option<Access>> {
    let wal = beside(path, "-wal");
    let Some((main, log)) = read_stable(path, &wal, small_bytes)? else { return Ok(None) };
    let is_left = !log.is_empty() && !is_held(&beside(path, "-shm")) && is_old(&wal);
    let Some(access) = open_in_memory(path, Way::ReadStable, main, &[], &log)? else {
        return Ok(None);
    };
    Ok(Some(Access { left: is_left.then_some("-wal"), ..access }))
}

/// Copies a database, and recovers the copy from the files beside it.
///
/// # Errors
/// If one of the files cannot be read, or if there is no room for a large copy.
pub(super) fn copy_files(path: &Path, small_bytes: u64) -> Result<Access> {
    let (wal, journal) = (beside(path, "-wal"), beside(path, "-journal"));
    let is_journal_hot = is_hot(&journal);
    // A database whose journal belongs to a live writer is read in place, so a hot journal here was
    // most likely left by a crash.
    let left = if is_journal_hot {
        Some("-journal")
    } else {
        (bytes_of(&wal) > 0 && is_old(&wal)).then_some("-wal")
    };
    let access = match copy_small(path, small_bytes)? {
        Some(access) => access,
        None => copy_large(path)?,
    };
    Ok(Access { left, ..access })
}

fn copy_small(path: &Path, small_bytes: u64) -> Result<Option<Access>> {
    let (wal, journal) = (beside(path, "-wal"), beside(path, "-journal"));
    let bytes = [path, &wal, &journal].map(bytes_of).into_iter().fold(0, u64::saturating_add);
    if bytes > small_bytes {
        return Ok(None);
    }
    let read = |path: &Path| read_small_if_there(path).map_err(Error::io("read", path));
    let main = read_small(path).map_err(Error::io("read", path))?;
    open_in_memory(path, Way::Copy, main, &read(&journal)?, &read(&wal)?)
}

/// Recovers a database in memory and opens it; `None` if it is larger than twice [`SMALL_BYTES`]
/// after the recovery.
fn open_in_memory(
    path: &Path,
    way: Way,
    mut main: Vec<u8>,
    journal: &[u8],
    wal: &[u8],
) -> Result<Option<Access>> {
    let failed = || Error::io("recover", path);
    let both = [
        (Patch::of_journal(&mut Cursor::new(journal)).map_err(failed())?, journal),
        (Patch::of_wal(&mut Cursor::new(wal)).map_err(failed())?, wal),
    ];
    for (pages, from) in both {
        let Some(pages) = pages else { continue };
        let Some(bytes) = usize::try_from(pages.bytes_after())
            .ok()
            .filter(|bytes| *bytes as u64 <= 2 * SMALL_BYTES)
        else {
            return Ok(None);
        };
        main.resize(bytes, 0);
        pages.apply(&mut Cursor::new(from), &mut Cursor::new(&mut main)).map_err(failed())?;
    }
    if main.is_empty() {
        return Err(Error::NotAStore { path: path.to_owned(), why: "the file is empty".into() });
    }
    // A database in memory cannot be in WAL mode.
    main.iter_mut().skip(18).take(2).for_each(|version| *version = 1);
    let failed = || Error::database("open", path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_in_memory_with_flags(flags).map_err(failed())?;
    connection.deserialize_read_exact("main", &main[..], main.len(), true).map_err(failed())?;
    drop(main);
    begin(path, connection, way).map(Some)
}

/// Copies a database into a file and opens the copy. SQLite opens the file while it is empty and
/// still has a name. The name is removed before any data is copied.
fn copy_large(path: &Path) -> Result<Access> {
    let (wal, journal) = (beside(path, "-wal"), beside(path, "-journal"));
    let place =
        place_for(path, [path, &wal].map(bytes_of).into_iter().fold(0, u64::saturating_add))?;
    let name = place.path().join("copy.db");
    let dir = dir_of(place.path());
    let no_place = || no_place(path, &dir);
    let mut copy =
        File::options().read(true).write(true).create_new(true).open(&name).map_err(no_place())?;
    // Not `immutable`: SQLite would then rely on the size of the empty file.
    let connection = open_uri(&name, "?mode=ro&vfs=unix-none", OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    place.close().map_err(no_place())?;
    copy_bytes(path, &mut copy, no_place())?;
    for (name, pages_of) in [(&journal, of_journal as PagesOf), (&wal, of_wal)] {
        let Some(from) = open_if_there(name).map_err(Error::io("read", name))? else { continue };
        let Some(pages) = pages_of(&from).map_err(Error::io("read", name))? else { continue };
        let resized = copy.set_len(pages.bytes_after());
        resized.and_then(|()| pages.apply(&mut &from, &mut copy)).map_err(no_place())?;
    }
    copy.write_all_at(&[1, 1], VERSIONS_AT).map_err(no_place())?;
    begin(path, connection, Way::Copy)
}

type PagesOf = fn(&File) -> io::Result<Option<Patch>>;

fn of_journal(file: &File) -> io::Result<Option<Patch>> {
    Patch::of_journal(&mut BufReader::new(file))
}

fn of_wal(file: &File) -> io::Result<Option<Patch>> {
    Patch::of_wal(&mut BufReader::new(file))
}

/// Creates a private directory on a file system with room for a copy. The free space is checked
/// first, because a full disk would also harm other programs.
fn place_for(path: &Path, bytes: u64) -> Result<TempDir> {
    let mut refused = None;
    for dir in [std::env::temp_dir(), "/var/tmp".into(), "/dev/shm".into()] {
        let private = Permissions::from_mode(0o700);
        let make =
            || tempfile::Builder::new().prefix("rundown-").permissions(private).tempdir_in(&dir);
        match check_room(&dir, bytes).and_then(|()| make()) {
            Ok(place) => return Ok(place),
            Err(error) => refused = refused.or_else(|| Some(no_place(path, &dir)(error))),
        }
    }
    Err(refused.unwrap_or_else(|| Error::Internal("no directory for a copy".into())))
}

fn check_room(dir: &Path, bytes: u64) -> io::Result<()> {
    let room = statvfs(dir).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    if room >= bytes {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "it needs {} MiB, but only {} MiB are free",
        bytes >> 20,
        room >> 20
    )))
}

/// Returns a function that wraps an I/O error of the copy.
fn no_place(path: &Path, dir: &Path) -> impl FnOnce(io::Error) -> Error {
    let (path, dir) = (path.to_owned(), dir.to_owned());
    move |source| Error::Copy { path, dir, source }
}

fn copy_bytes(from: &Path, to: &mut File, no_place: impl FnOnce(io::Error) -> Error) -> Result<()> {
    let mut source = open_regular(from).map_err(Error::io("read", from))?;
    // The error does not reveal which of the two files failed. If the source failed, it fails
    // again.
    io::copy(&mut source, to).map(drop).map_err(|error| match source.read(&mut [0]) {
        Err(error) => Error::io("read", from)(error),
        Ok(_) => no_place(error),
    })
}

/// Reads a small database and its `-wal` (empty if missing) twice, and repeats this until both
/// readings are the same, which shows that no process wrote to the files in between. Returns `None`
/// if the files are too large, or change during every attempt.
fn read_stable(path: &Path, wal: &Path, small_bytes: u64) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    for attempt in 1..=READ_STABLE_ATTEMPTS {
        if bytes_of(path).saturating_add(bytes_of(wal)) > small_bytes {
            return Ok(None);
        }
        let main = read_small(path).map_err(Error::io("read", path))?;
        let log = read_small_if_there(wal).map_err(Error::io("read", wal))?;
        let is_same = has_content(path, &main).map_err(Error::io("read", path))?;
        if is_same && has_content(wal, &log).map_err(Error::io("read", wal))? {
            return Ok(Some((main, log)));
        }
        thread::sleep(READ_STABLE_PAUSE.saturating_mul(attempt));
    }
    Ok(None)
}

/// Returns true if a file still has these bytes; a missing file counts as empty.
fn has_content(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let Some(file) = open_if_there(path)? else { return Ok(bytes.is_empty()) };
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut rest = bytes;
    loop {
        let read = file.fill_buf()?;
        if read.is_empty() {
            return Ok(rest.is_empty());
        }
        let Some(after) = rest.strip_prefix(read) else { return Ok(false) };
        rest = after;
        let count = read.len();
        file.consume(count);
    }
}

fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(2 * SMALL_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_small_if_there(path: &Path) -> io::Result<Vec<u8>> {
    match read_small(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    match open_regular(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_unreadable_file_is_reported_with_its_path() {
        let dir = TempDir::new().unwrap();
        let (path, odd) = (dir.path().join("held.db"), dir.path().join("held.db-wal"));
        fs::write(&path, "main").unwrap();
        fs::create_dir(&odd).unwrap();
        let mut to = tempfile::tempfile().unwrap();
        let place = || no_place(&path, dir.path());
        for error in [
            read_stable(&path, &odd, SMALL_BYTES).unwrap_err(),
            copy_bytes(&odd, &mut to, place()).unwrap_err(),
        ] {
            let message = crate::error::chain(&error);
            assert!(
                message.contains("cannot read")
                    && message.contains("held.db-wal: it is a directory"),
                "{message}"
            );
        }
        let mut full = File::options().read(true).open(&path).unwrap();
        let message = copy_bytes(&path, &mut full, place()).unwrap_err().to_string();
        assert!(message.contains("TMPDIR"), "{message}");
    }

    #[test]
    fn a_file_that_changes_during_the_read_is_detected() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("file");
        let bytes = vec![7; 200_000];
        fs::write(&path, &bytes).unwrap();
        assert!(has_content(&path, &bytes).unwrap());
        assert!(
            !has_content(&path, &bytes[1..]).unwrap()
                && !has_content(&path, &[&bytes[..], &[7]].concat()).unwrap()
        );
        assert!(
            has_content(&dir.path().join("none"), &[]).unwrap()
                && !has_content(&dir.path().join("none"), &[1]).unwrap()
        );
    }
}
