//! The numbers of the commands of a job.
//!
//! Any number of recorders may add commands to one job. The file `sh.last` in the job's directory
//! contains the number and the start in milliseconds of the last command: `12 1764288000123`. A
//! recorder locks the file, creates the next log, and updates the file. So numbers and starts grow
//! together, as readers of version 2 expect. The database is not needed, so a locked database
//! delays no command.
//!
//! Invariant: no two commands of a job have the same number or start in the same millisecond.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use crate::file::create_private;
use crate::time::Time;

/// The maximum time to wait for another recorder. It holds the lock for less than a millisecond,
/// unless it was stopped. After that time, the file is used without the lock. Numbers stay unique,
/// because a log is never created twice.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause before another attempt to lock the file.
const LOCK_PAUSE: Duration = Duration::from_millis(1);

/// The number and the time of the start of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Numbered {
    /// Its number in the job, from 1.
    pub n: u32,
    /// The time of its start.
    pub started_at: Time,
}

/// Takes the next free number of a job. Calls `create`, which creates the log with this number and
/// fails if the log exists. Returns the number and the log.
///
/// # Errors
/// If the file of the last number cannot be used, or `create` fails for another reason.
pub(super) fn take<T>(
    job_dir: &Path,
    mut create: impl FnMut(Numbered) -> io::Result<T>,
) -> io::Result<(Numbered, T)> {
    let mut file = open_locked(&job_dir.join("sh.last"))?;
    let (mut n, last_ms) = read(&mut file)?;
    loop {
        n = n.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        let next = Numbered { n, started_at: start_after(last_ms, Time::now()) };
        match create(next) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => {
                let created = created?;
                write(&mut file, next)?;
                return Ok((next, created));
            }
        }
    }
}

/// Opens the file, creates it if it is missing, and locks it.
fn open_locked(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let mut opened = options.open(path);
    if opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        match create_private(path) {
            // Another recorder may create it at the same time.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        opened = options.open(path);
    }
    let file = opened?;
    let started = Instant::now();
    while let Err(TryLockError::WouldBlock) = file.try_lock() {
        if started.elapsed() >= LOCK_TIMEOUT {
            break;
        }
        thread::sleep(LOCK_PAUSE);
    }
    Ok(file)
}

/// Reads the number and the start in milliseconds of the last command. An incomplete text counts as
/// no command. The numbers in use are then skipped, because their logs exist.
fn read(file: &mut File) -> io::Result<(u32, Option<i64>)> {
    let mut text = String::new();
    if let Err(error) = file.take(64).read_to_string(&mut text)
        && error.kind() != io::ErrorKind::InvalidData
    {
        return Err(error);
    }
    let parsed = text
        .trim_end()
        .split_once(' ')
        .and_then(|(n, ms)| Some((n.parse().ok()?, Some(ms.parse().ok()?))));
    Ok(parsed.unwrap_or((0, None)))
}

fn write(file: &mut File, Numbered { n, started_at }: Numbered) -> io::Result<()> {
    let text = format!("{n} {}\n", started_at.floor_millis());
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}

/// Returns the start of a command: now, or the millisecond after the last start if that is later.
fn start_after(last_ms: Option<i64>, now: Time) -> Time {
    match last_ms {
        Some(last) if now.floor_millis() <= last => Time::from_millis(last.saturating_add(1)),
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_a_job_start_in_different_milliseconds() {
        let at = Time::from_millis;
        assert_eq!(start_after(None, at(5000)), at(5000));
        assert_eq!(start_after(Some(4999), at(5000)), at(5000));
        assert_eq!(start_after(Some(5000), at(5000)), at(5001));
        assert_eq!(start_after(Some(5000), at(4200)), at(5001));
        assert_eq!(start_after(Some(i64::MAX), at(0)), at(i64::MAX));
    }

    fn take_log(dir: &Path) -> Numbered {
        let create = |next: Numbered| create_private(&dir.join(format!("sh-{}.log", next.n)));
        take(dir, create).unwrap().0
    }

    #[test]
    fn numbers_and_starts_of_many_recorders_grow_together() {
        let dir = tempfile::tempdir().unwrap();
        let mut all: Vec<Numbered> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..50).map(|_| take_log(dir.path())).collect::<Vec<_>>()))
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        all.sort_by_key(|next| next.n);
        assert!(all.iter().map(|next| next.n).eq(1..=200));
        let grows =
            |two: &[Numbered]| two[0].started_at.floor_millis() < two[1].started_at.floor_millis();
        assert!(all.windows(2).all(grows));
    }

    #[test]
    fn a_log_without_a_number_in_the_file_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        for torn in ["", "1", "\u{0}\u{0}", "x 5", "1 17"] {
            std::fs::write(dir.path().join("sh.last"), torn).unwrap();
            let before = std::fs::read_dir(dir.path()).unwrap().count();
            assert_eq!(take_log(dir.path()).n as usize, before);
        }
    }

    #[test]
    fn a_file_that_cannot_be_created_is_an_error_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = open_locked(&file.join("sh.last")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("sh.last")).unwrap();
        assert!(take(dir.path(), |_| Ok(())).is_err());
    }
}
