//! Feeding of a file to an index: reads and counts in parallel.
//!
//! Reading takes about as much time as counting, so a second thread reads ahead if there is enough
//! to read. Two buffers circulate between the two threads, and either thread may wait for the
//! other.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::index::Index;
use super::lines::{View, usize_of};

/// The number of bytes per read. Two such buffers fit in the cache of a core, and are cheap to
/// allocate even if only some megabytes are fed.
const READ_BYTES: usize = 512 << 10;

/// The minimum number of bytes for which a second thread is worth starting.
const MANY_BYTES: u64 = 2 << 20;

/// A buffer, and the number of bytes read into it.
type Filled = io::Result<(Vec<u8>, usize)>;

impl View<'_> {
    /// Feeds an index with the bytes that it does not cover yet. Returns their number.
    pub(super) fn feed(self, index: &mut Index) -> io::Result<u64> {
        let from = index.bytes();
        if self.end.saturating_sub(from) < MANY_BYTES {
            self.feed_alone(index)?;
        } else {
            self.feed_ahead(index)?;
        }
        Ok(index.bytes().saturating_sub(from))
    }

    fn feed_alone(self, index: &mut Index) -> io::Result<()> {
        let mut buffer = vec![0; READ_BYTES.min(usize_of(self.end.saturating_sub(index.bytes())))];
        loop {
            let filled = self.read(index.bytes(), &mut buffer)?;
            if filled == 0 {
                return Ok(());
            }
            index.feed(buffer.get(..filled).unwrap_or_default());
        }
    }

    fn feed_ahead(self, index: &mut Index) -> io::Result<()> {
        let (to_fill, empty) = sync_channel(2);
        let (to_count, filled) = sync_channel(2);
        for _ in 0..2 {
            // This send cannot fail: the channel has room for both buffers, and its receiver
            // exists.
            let _ = to_fill.send(vec![0; READ_BYTES]);
        }
        let from = index.bytes();
        thread::scope(move |scope| {
            scope.spawn(move || self.read_ahead(from, &empty, &to_count));
            for read in filled {
                let (buffer, len) = read?;
                index.feed(buffer.get(..len).unwrap_or_default());
                // This send fails once the reading thread has ended.
                let _ = to_fill.send(buffer);
            }
            Ok(())
        })
    }

    /// Fills empty buffers up to the end of the file, or until the counting thread has stopped.
    fn read_ahead(self, from: u64, empty: &Receiver<Vec<u8>>, to_count: &SyncSender<Filled>) {
        let mut at = from;
        for mut buffer in empty {
            let read = self.read(at, &mut buffer);
            let is_last = read.as_ref().map_or(true, |len| *len == 0);
            at = at.saturating_add(*read.as_ref().unwrap_or(&0) as u64);
            if to_count.send(read.map(|len| (buffer, len))).is_err() || is_last {
                return;
            }
        }
    }
}
