//! The thread that notices changes on disk and says so: a hint, nothing more. Whoever reads decides what has changed.
//!
//! Directories are watched, not files: logs and jobs appear in them, and a write to a file in a watched directory is told too. Where
//! the system cannot tell (no inotify left, a network file system), looking often takes its place; looking slowly always
//! goes on beside it, because some file systems accept a watch and never tell anything.

use std::collections::HashSet;
use std::path::PathBuf;
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
    let mut eyes = Eyes::open(orders_of_watcher);
    let mut told = None;
    loop {
        if told != Some(eyes.watching()) {
            told = Some(eyes.watching());
            if messages.send(Msg::Watching(eyes.watching())).is_err() {
                return;
            }
        }
        let patience = if eyes.watching() == Watching::Told { SLOW } else { FAST };
        match orders.recv_timeout(patience) {
            Ok(Order::Watch(dirs)) => eyes.point(dirs),
            Ok(Order::Event) | Err(RecvTimeoutError::Timeout) => {
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
    !has_event || messages.send(Msg::Disk).is_ok()
}

/// The system's watcher, if there is one, and what it watches.
struct Eyes {
    watcher: Option<RecommendedWatcher>,
    watched: HashSet<PathBuf>,
    /// Wanted, but not there yet.
    missing: HashSet<PathBuf>,
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
        Self { watcher, watched: HashSet::new(), missing: HashSet::new() }
    }

    const fn watching(&self) -> Watching {
        if self.watcher.is_some() { Watching::Told } else { Watching::Polling }
    }

    fn point(&mut self, dirs: Vec<PathBuf>) {
        let wanted: HashSet<PathBuf> = dirs.into_iter().collect();
        let Some(watcher) = &mut self.watcher else { return };
        for old in self.watched.difference(&wanted) {
            // It may be gone, and its watch with it.
            let _ = watcher.unwatch(old);
        }
        self.watched.retain(|dir| wanted.contains(dir));
        self.missing = wanted.difference(&self.watched).cloned().collect();
        self.retry();
    }

    /// Watches what was not there before; when the system's watches are used up, gives all of them up for looking often.
    fn retry(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let missing = std::mem::take(&mut self.missing);
        for dir in missing {
            match watcher.watch(&dir, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(dir);
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
    use std::fs;
    use std::io::Write;
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
    fn a_write_into_a_directory_that_appears_later_is_told() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("jobs");
        let (order, orders) = channel();
        let (message, messages) = channel();
        let watcher = order.clone();
        let thread = std::thread::spawn(move || watch(&orders, watcher, &message));
        order.send(Order::Watch(vec![root.path().to_owned(), dir.clone()])).unwrap();
        assert!(matches!(messages.recv_timeout(PATIENCE).unwrap(), Msg::Watching(_)));
        fs::create_dir(&dir).unwrap();
        let mut log = fs::File::create(dir.join("sh-1.log")).unwrap();
        for _ in 0..3 {
            log.write_all(b"x").unwrap();
            assert_eq!(messages.recv_timeout(PATIENCE).unwrap(), Msg::Disk);
        }
        drop(messages);
        order.send(Order::Event).unwrap();
        order.send(Order::Event).unwrap();
        thread.join().unwrap();
    }
}
