//! The thread that detects changes on disk and sends hints. For a store on a server, and for a log
//! that is unpacked or comes from a pipe, it only keeps the time: the worker finds the changes. A
//! hint does not contain the change; the worker reads the disk to find it.
//!
//! The thread watches directories, not files: logs and jobs appear in them, and the system also
//! reports a write to a file in a watched directory. If the system cannot report changes (no
//! inotify watches left, a network file system), the thread polls often until the system can. The
//! thread always polls slowly as well, because some file systems accept a watch and never report
//! anything.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::msg::{Msg, Watching};
use crate::file::{Identity, identity};

/// The shortest time between two hints; the first one after a pause is sent at once.
const COALESCE: Duration = Duration::from_millis(15);
/// The polling interval while the system reports changes.
const SLOW: Duration = Duration::from_secs(1);
/// The polling interval while the system does not report changes.
const FAST: Duration = Duration::from_millis(100);
/// The polling interval without a directory to watch. The worker requests the changes from a
/// server, at every second hint, or a log grows that comes from a pipe or is unpacked.
const UNWATCHED: Duration = Duration::from_millis(650);
/// The interval at which the thread retries to create a watcher.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// A message to the thread.
pub(super) enum Order {
    /// A change that the system reported.
    Event,
    /// Watch these directories from now on.
    Watch(Vec<PathBuf>),
}

/// Watches until the receiver of `messages` is gone. `orders_of_watcher` is the sending end of
/// `orders`, for the system's watcher.
pub(super) fn watch(
    orders: &Receiver<Order>,
    orders_of_watcher: Sender<Order>,
    messages: &Sender<Msg>,
) {
    keep_watch(DiskWatcher::open(orders_of_watcher), orders, messages);
}

fn keep_watch(mut watcher: DiskWatcher, orders: &Receiver<Order>, messages: &Sender<Msg>) {
    let mut told = None;
    loop {
        if told != Some(watcher.watching()) {
            told = Some(watcher.watching());
            if messages.send(Msg::Watching(watcher.watching())).is_err() {
                return;
            }
        }
        let timeout = match watcher.watching() {
            Watching::Told if watcher.wanted.is_empty() => watcher.slow.min(UNWATCHED),
            Watching::Told => watcher.slow,
            Watching::Polling => FAST,
        };
        match orders.recv_timeout(timeout) {
            Ok(Order::Watch(dirs)) => watcher.point(dirs),
            order @ (Ok(Order::Event) | Err(RecvTimeoutError::Timeout)) => {
                if order.is_err() {
                    watcher.renew();
                }
                watcher.heed();
                watcher.retry();
                if messages.send(Msg::Disk).is_err() || !settle(orders, &mut watcher, messages) {
                    return;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Waits for [`COALESCE`], and sends one hint for all changes in that time. Returns false if a
/// channel is closed.
fn settle(orders: &Receiver<Order>, watcher: &mut DiskWatcher, messages: &Sender<Msg>) -> bool {
    let end = Instant::now() + COALESCE;
    let mut has_event = false;
    loop {
        match orders.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(Order::Event) => has_event = true,
            Ok(Order::Watch(dirs)) => watcher.point(dirs),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    if !has_event {
        return true;
    }
    watcher.heed();
    // A missing directory may have been created in that time.
    watcher.retry();
    messages.send(Msg::Disk).is_ok()
}

/// The system's watcher, if there is one, and the directories that it watches.
struct DiskWatcher {
    orders: Sender<Order>,
    watcher: Option<RecommendedWatcher>,
    /// True if an event is pending for this thread. While it is pending, no further event is sent.
    has_told: Arc<AtomicBool>,
    wanted: HashSet<PathBuf>,
    watched: HashMap<PathBuf, Watched>,
    /// The polling interval while the system reports changes.
    slow: Duration,
    asked_at: Instant,
}

/// A directory as it was when its watch began.
struct Watched {
    /// The directory's identity. A directory that was deleted and created again has another
    /// identity, and is no longer watched.
    identity: Option<Identity>,
    is_remote: bool,
}

impl DiskWatcher {
    fn open(orders: Sender<Order>) -> Self {
        let mut watcher = Self {
            orders,
            watcher: None,
            has_told: Arc::default(),
            wanted: HashSet::new(),
            watched: HashMap::new(),
            slow: SLOW,
            asked_at: Instant::now(),
        };
        watcher.ask();
        watcher
    }

    /// Creates a watcher, if the system allows one.
    fn ask(&mut self) {
        let (orders, has_told) = (self.orders.clone(), Arc::clone(&self.has_told));
        let tell = move |event: notify::Result<notify::Event>| {
            // An error may mean that events were lost.
            let is_news = event.map_or(true, |event| is_change(event.kind));
            if is_news && !has_told.swap(true, Ordering::AcqRel) {
                // If the receiver is gone, the event is of no use.
                let _ = orders.send(Order::Event);
            }
        };
        self.watcher = notify::recommended_watcher(tell).ok();
        self.asked_at = Instant::now();
    }

    /// Makes the next change send a new event. Must be called before the disk is read, so that no
    /// later change is missed.
    fn heed(&self) {
        self.has_told.store(false, Ordering::Release);
    }

    fn watching(&self) -> Watching {
        let is_told =
            self.watcher.is_some() && !self.watched.values().any(|watched| watched.is_remote);
        if is_told { Watching::Told } else { Watching::Polling }
    }

    fn point(&mut self, dirs: Vec<PathBuf>) {
        self.wanted = dirs.into_iter().collect();
        for (dir, _) in self.watched.extract_if(|dir, _| !self.wanted.contains(dir)) {
            // The directory may be gone, and its watch with it.
            let _ = self.watcher.as_mut().map(|watcher| watcher.unwatch(&dir));
        }
        self.retry();
    }

    /// Drops the watches of directories that were deleted or replaced. If there is no watcher,
    /// retries to create one every [`ASK_AGAIN`].
    fn renew(&mut self) {
        match &mut self.watcher {
            None if self.asked_at.elapsed() >= ASK_AGAIN => self.ask(),
            None => {}
            Some(watcher) => {
                for (dir, _) in
                    self.watched.extract_if(|dir, watched| identity(dir) != watched.identity)
                {
                    let _ = watcher.unwatch(&dir);
                }
            }
        }
    }

    /// Watches the requested directories that are not watched yet, such as new ones. If the system
    /// has no watches left, drops all of them; the thread then polls often.
    fn retry(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for dir in self
            .wanted
            .iter()
            .filter(|dir| !self.watched.contains_key(*dir))
            .cloned()
            .collect::<Vec<_>>()
        {
            match watcher.watch(&dir, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    let now = Watched { identity: identity(&dir), is_remote: is_remote(&dir) };
                    self.watched.insert(dir, now);
                }
                Err(error) if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) => {
                    self.watcher = None;
                    self.watched.clear();
                    return;
                }
                Err(_) => {}
            }
        }
    }
}

/// Returns true if a directory is on a remote file system: other hosts may write to it without an
/// event on this one.
#[cfg(target_os = "linux")]
#[expect(clippy::cast_sign_loss, reason = "a pattern of 32 bits")]
fn is_remote(dir: &Path) -> bool {
    rustix::fs::statfs(dir).is_ok_and(|found| REMOTE.contains(&(found.f_type as u64 & 0xffff_ffff)))
}

#[cfg(not(target_os = "linux"))]
fn is_remote(_: &Path) -> bool {
    false
}

/// The types of remote file systems, see statfs(2): NFS, SMB, CIFS, SMB 2, 9P, AFS, Ceph, and
/// mounts through FUSE or virtiofs.
#[cfg(target_os = "linux")]
const REMOTE: [u64; 9] = [
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x0102_1997,
    0x5346_414f,
    0x00c3_6400,
    0x6573_5546,
    0x6a65_6a63,
];

/// Returns true if an event is a change. A read is an event too, and rundown's own reads would keep
/// the thread busy forever.
const fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(_))
        || matches!(kind, EventKind::Access(AccessKind::Close(AccessMode::Write)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::mpsc::channel;

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn reading_is_no_change_and_writing_is() {
        use notify::event::{CreateKind, ModifyKind};
        assert!(!is_change(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        assert!(is_change(EventKind::Access(AccessKind::Close(AccessMode::Write))));
        assert!(is_change(EventKind::Create(CreateKind::File)));
        assert!(is_change(EventKind::Modify(ModifyKind::Any)));
        assert!(is_change(EventKind::Other), "events were lost: the queue was full");
    }

    #[test]
    fn without_notifications_files_are_polled_and_polling_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let (order, orders) = channel();
        let (message, messages) = channel();
        let asked_at = Instant::now().checked_sub(ASK_AGAIN).unwrap();
        let watcher = DiskWatcher { watcher: None, asked_at, ..DiskWatcher::open(order.clone()) };
        let thread = std::thread::spawn(move || keep_watch(watcher, &orders, &message));
        order.send(Order::Watch(vec![dir.path().to_owned()])).unwrap();
        assert_eq!(messages.recv_timeout(TIMEOUT).unwrap(), Msg::Watching(Watching::Polling));
        assert_eq!(messages.recv_timeout(TIMEOUT).unwrap(), Msg::Disk, "without a notification");
        while messages.recv_timeout(TIMEOUT).unwrap() != Msg::Watching(Watching::Told) {}
        drop(messages);
        let _ = order.send(Order::Event);
        thread.join().unwrap();
    }

    #[test]
    fn what_is_watched_on_a_remote_file_system_is_looked_at_often() {
        let (order, _orders) = channel();
        let mut watcher = DiskWatcher::open(order);
        for (is_remote, watching) in [(true, Watching::Polling), (false, Watching::Told)] {
            watcher
                .watched
                .insert(PathBuf::from("anywhere"), Watched { identity: None, is_remote });
            assert_eq!(watcher.watching(), watching);
        }
        assert!(!is_remote(Path::new("/proc")) && !is_remote(Path::new("/missing")));
    }

    #[test]
    fn a_write_into_a_directory_that_appears_later_is_reported() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("jobs");
        let (order, orders) = channel();
        let (message, messages) = channel();
        // Only the system's events cause hints here.
        let watcher = DiskWatcher { slow: Duration::MAX, ..DiskWatcher::open(order.clone()) };
        let thread = std::thread::spawn(move || keep_watch(watcher, &orders, &message));
        order.send(Order::Watch(vec![root.path().to_owned(), dir.clone()])).unwrap();
        assert!(matches!(messages.recv_timeout(TIMEOUT).unwrap(), Msg::Watching(_)));
        // Each change is repeated until a hint comes: the watch may not have started at the first
        // one.
        let told_of = |what: &dyn Fn()| {
            let started = Instant::now();
            while messages.try_recv().is_ok() {}
            what();
            while messages.recv_timeout(Duration::from_millis(50)).is_err() {
                assert!(started.elapsed() < TIMEOUT, "no notification");
                what();
            }
        };
        told_of(&|| fs::write(root.path().join("rundown.db"), "x").unwrap());
        fs::create_dir(&dir).unwrap();
        for _ in 0..3 {
            told_of(&|| fs::write(dir.join("sh-1.log"), "x").unwrap());
        }
        drop(messages);
        // The thread ends when it cannot send a hint. An event of the last write may already have
        // ended it.
        let _ = order.send(Order::Event);
        let _ = order.send(Order::Event);
        thread.join().unwrap();
    }
}
