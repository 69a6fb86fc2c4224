//! The thread that notices changes on disk and says so: a hint, nothing more. Whoever reads decides what has changed.
//!
//! Directories are watched, not files: logs and jobs appear in them, and a write to a file in a watched directory is told too. Where
//! the system cannot tell (no inotify left, a network file system), looking often takes its place; looking slowly always
//! goes on beside it, because some file systems accept a watch and never tell anything.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::msg::{Msg, Watching};

/// Hints come no faster than this; the first after a silence comes at once.
const COALESCE: Duration = Duration::from_millis(15);
/// How often the disk is looked at where the system tells.
const SLOW: Duration = Duration::from_secs(1);
/// How often where it does not.
const FAST: Duration = Duration::from_millis(100);

/// What the thread is told.
pub(super) enum Order {
    /// The system saw something.
    Event,
    /// Watch these directories from now on.
    Watch(Vec<PathBuf>),
}

/// Watches until nobody gives orders or listens any more. `orders_of_watcher` is the other end of `orders`.
pub(super) fn watch(orders: &Receiver<Order>, orders_of_watcher: Sender<Order>, messages: &Sender<Msg>) {
    keep_watch(Eyes::open(orders_of_watcher), orders, messages);
}

fn keep_watch(mut eyes: Eyes, orders: &Receiver<Order>, messages: &Sender<Msg>) {
    let mut told = None;
    loop {
        if told != Some(eyes.watching()) {
            told = Some(eyes.watching());
            if messages.send(Msg::Watching(eyes.watching())).is_err() {
                return;
            }
        }
        let patience = if eyes.watching() == Watching::Told { eyes.slow } else { FAST };
        match orders.recv_timeout(patience) {
            Ok(Order::Watch(dirs)) => eyes.point(dirs),
            order @ (Ok(Order::Event) | Err(RecvTimeoutError::Timeout)) => {
                if order.is_err() {
                    eyes.renew();
                }
                eyes.retry();
                if messages.send(Msg::Disk).is_err() || !settle(orders, &mut eyes, messages) {
                    return;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Lets a moment pass; what happens in it becomes one hint. False when nobody listens any more.
fn settle(orders: &Receiver<Order>, eyes: &mut Eyes, messages: &Sender<Msg>) -> bool {
    let end = Instant::now() + COALESCE;
    let mut has_event = false;
    loop {
        match orders.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(Order::Event) => has_event = true,
            Ok(Order::Watch(dirs)) => eyes.point(dirs),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    if !has_event {
        return true;
    }
    // What appeared in that moment may be a directory that was waited for.
    eyes.retry();
    messages.send(Msg::Disk).is_ok()
}

/// The system's watcher, if there is one, and what it watches.
struct Eyes {
    watcher: Option<RecommendedWatcher>,
    watched: HashMap<PathBuf, Option<Identity>>,
    /// Wanted, but not there yet.
    missing: HashSet<PathBuf>,
    /// How often the disk is looked at although the system tells.
    slow: Duration,
}

/// Device and inode: a directory that was deleted and made again is another one, and its watch is gone.
type Identity = (u64, u64);

fn identity(dir: &Path) -> Option<Identity> {
    fs::metadata(dir).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

impl Eyes {
    fn open(orders: Sender<Order>) -> Self {
        let tell = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| is_change(event.kind)) {
                // Nobody listens any more: then nobody misses it either.
                let _ = orders.send(Order::Event);
            }
        };
        let watcher = notify::recommended_watcher(tell).ok();
        Self { watcher, watched: HashMap::new(), missing: HashSet::new(), slow: SLOW }
    }

    const fn watching(&self) -> Watching {
        if self.watcher.is_some() { Watching::Told } else { Watching::Polling }
    }

    fn point(&mut self, dirs: Vec<PathBuf>) {
        let wanted: HashSet<PathBuf> = dirs.into_iter().collect();
        let Some(watcher) = &mut self.watcher else { return };
        self.watched.retain(|dir, _| {
            let is_wanted = wanted.contains(dir);
            if !is_wanted {
                // It may be gone, and its watch with it.
                let _ = watcher.unwatch(dir);
            }
            is_wanted
        });
        self.missing = wanted.into_iter().filter(|dir| !self.watched.contains_key(dir)).collect();
        self.retry();
    }

    /// Watches anew what was deleted and made again under its name.
    fn renew(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for (dir, _) in self.watched.extract_if(|dir, then| identity(dir) != *then) {
            let _ = watcher.unwatch(&dir);
            self.missing.insert(dir);
        }
    }

    /// Watches what was not there before; when the system's watches are used up, gives all of them up for looking often.
    fn retry(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let missing = std::mem::take(&mut self.missing);
        for dir in missing {
            match watcher.watch(&dir, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    let now = identity(&dir);
                    self.watched.insert(dir, now);
                }
                Err(error) if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) => {
                    self.watcher = None;
                    return;
                }
                Err(_) => {
                    self.missing.insert(dir);
                }
            }
        }
    }
}

/// Reading a file is an event too, and our own reading would keep us busy for ever.
const fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(_)) || matches!(kind, EventKind::Access(AccessKind::Close(AccessMode::Write)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn reading_is_no_change_and_writing_is() {
        use notify::event::{CreateKind, ModifyKind};
        assert!(!is_change(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        assert!(is_change(EventKind::Access(AccessKind::Close(AccessMode::Write))));
        assert!(is_change(EventKind::Create(CreateKind::File)));
        assert!(is_change(EventKind::Modify(ModifyKind::Any)));
    }

    #[test]
    fn where_the_system_cannot_tell_we_look_often_and_say_so() {
        let eyes = Eyes { watcher: None, watched: HashMap::new(), missing: HashSet::new(), slow: SLOW };
        let (order, orders) = channel();
        let (message, messages) = channel();
        let thread = std::thread::spawn(move || keep_watch(eyes, &orders, &message));
        order.send(Order::Watch(vec![PathBuf::from("anywhere")])).unwrap();
        assert_eq!(messages.recv_timeout(PATIENCE).unwrap(), Msg::Watching(Watching::Polling));
        for _ in 0..2 {
            assert_eq!(messages.recv_timeout(PATIENCE).unwrap(), Msg::Disk);
        }
        drop(order);
        thread.join().unwrap();
    }

    #[test]
    fn a_write_into_a_directory_that_appears_later_is_told() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("jobs");
        let (order, orders) = channel();
        let (message, messages) = channel();
        // Nothing is told but what the system tells.
        let eyes = Eyes { slow: Duration::MAX, ..Eyes::open(order.clone()) };
        let thread = std::thread::spawn(move || keep_watch(eyes, &orders, &message));
        order.send(Order::Watch(vec![root.path().to_owned(), dir.clone()])).unwrap();
        assert!(matches!(messages.recv_timeout(PATIENCE).unwrap(), Msg::Watching(_)));
        // Each is done again until it is told: the watch may not have begun when it was first done.
        let told_of = |what: &dyn Fn()| {
            let begun = Instant::now();
            while messages.try_recv().is_ok() {}
            what();
            while messages.recv_timeout(Duration::from_millis(50)).is_err() {
                assert!(begun.elapsed() < PATIENCE, "never told");
                what();
            }
        };
        told_of(&|| fs::write(root.path().join("rundown.db"), "x").unwrap());
        fs::create_dir(&dir).unwrap();
        for _ in 0..3 {
            told_of(&|| fs::write(dir.join("sh-1.log"), "x").unwrap());
        }
        drop(messages);
        // It ends at the next thing that it has to tell; an event of the last write may have been that already.
        let _ = order.send(Order::Event);
        let _ = order.send(Order::Event);
        thread.join().unwrap();
    }
}
