//! Output in one block per job.
//!
//! The *foreground* job passes its output on at once, so that a reader sees progress. The output of
//! the other jobs is held in files. When the foreground job has ended, the jobs that ended in the
//! meantime are printed, in the order of their end. Then the oldest running job becomes the
//! foreground job. Invariant: at most one job is being printed, unless a file cannot be written.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::OwnStreams;
use super::held::Held;
use crate::cri::Stream;
use crate::record::execute::locked;

/// The jobs whose output has not been printed completely.
#[derive(Default)]
pub(super) struct Blocks(Mutex<Order>);

#[derive(Default)]
struct Order {
    /// The job that is being printed; `None` if everything has been printed.
    foreground: Option<Arc<Block>>,
    /// The other running jobs, the oldest first.
    running: VecDeque<Arc<Block>>,
    /// The jobs that have ended and are not printed yet.
    ended: VecDeque<Arc<Block>>,
}

/// The held output of a job; `None` once its output is passed on directly.
pub(super) struct Block(Mutex<Option<Held>>);

impl Blocks {
    pub(super) fn begin(&self) -> Arc<Block> {
        let mut order = locked(&self.0);
        let is_held = order.foreground.is_some();
        let block = Arc::new(Block(Mutex::new(is_held.then(Held::default))));
        if is_held {
            order.running.push_back(Arc::clone(&block));
        } else {
            order.foreground = Some(Arc::clone(&block));
        }
        block
    }

    /// Ends the output of a job. If it is the foreground job, prints the jobs that waited for it.
    pub(super) fn end(&self, block: &Arc<Block>, own: &OwnStreams) {
        let is_it = |other: &Arc<Block>| Arc::ptr_eq(other, block);
        {
            let mut order = locked(&self.0);
            if !order.foreground.as_ref().is_some_and(is_it) {
                order.running.retain(|other| !is_it(other));
                order.ended.push_back(Arc::clone(block));
                return;
            }
        }
        // Another thread may have just made this job the foreground job, and still print it.
        block.release(own);
        while let Some(ended) = locked(&self.0).next_ended() {
            ended.release(own);
        }
        let next = locked(&self.0).foreground.clone();
        if let Some(next) = next {
            next.release(own);
        }
    }
}

impl Order {
    /// Returns a job that has ended and is to be printed. If no job has, the oldest running job
    /// becomes the foreground job.
    fn next_ended(&mut self) -> Option<Arc<Block>> {
        let ended = self.ended.pop_front();
        if ended.is_none() {
            self.foreground = self.running.pop_front();
        }
        ended
    }
}

impl Block {
    /// Passes bytes on, or holds them. If they cannot be held, all output of the job is passed on
    /// directly from now on.
    pub(super) fn pass(&self, stream: Stream, bytes: &[u8], own: &OwnStreams) {
        let mut held = locked(&self.0);
        if let Some(file) = held.as_mut() {
            if file.add(stream, bytes).is_ok() {
                return;
            }
            print(held.take(), own);
        }
        // Without the lock, because a slow reader of one stream must not delay the other.
        drop(held);
        own.pass(stream, bytes);
    }

    /// Prints the held output. Later output is passed on directly.
    fn release(&self, own: &OwnStreams) {
        let mut held = locked(&self.0);
        print(held.take(), own);
    }
}

fn print(held: Option<Held>, own: &OwnStreams) {
    let printed = held.map_or(Ok(()), |held| held.replay(|stream, part| own.pass(stream, part)));
    if let Err(error) = printed {
        own.report(format!("a part of the output was not passed on: {error}"));
    }
}
