//! A log of an active run: its state in the bucket, and its new bytes.

use ring::digest::{Context, SHA256};

use crate::bundle::{LogDocument, Piece};
use crate::error::Result;
use crate::join::DatedLog;
use crate::log::{Change, LogFile};
use crate::push::commit::LogError;
use crate::push::volumes::Volumes;
use crate::remote::key::hex;

/// The most bytes of one log in a part.
const MAX_LOG_BYTES: u64 = 32 << 20;

/// If the last pieces of a log, this many, have fewer bytes than this, they become one piece. It
/// bounds the size of the document, and costs little, because the pieces are small.
const MERGED_PIECES: usize = 16;
const MERGED_BYTES: u64 = 8 << 20;

/// A log.
pub(super) struct LiveLog {
    /// Its state in the bucket.
    pub document: LogDocument,
    /// The open file, and the hash of its bytes that are in the bucket. A log that does not grow is
    /// not kept open.
    pub open: Option<(LogFile, Context)>,
    /// Its state after the part that is being written, and the hash then.
    pub next: Option<(LogDocument, Context)>,
}

impl LiveLog {
    /// Creates a log from its state in the bucket.
    pub const fn new(document: LogDocument) -> Self {
        Self { document, open: None, next: None }
    }

    /// Adds the new bytes of the log to the current object, at most `budget`. A log that does not
    /// grow is not kept open: a run may have thousands.
    pub fn extend(
        &mut self,
        volumes: &mut Volumes<'_>,
        base: usize,
        log: &DatedLog,
        grows: bool,
        budget: &mut u64,
    ) -> std::result::Result<(), LogError> {
        let is_whole = !grows && self.open.is_none() && log.log.bytes == self.document.bytes;
        if is_whole || *budget == 0 {
            return Ok(());
        }
        let extended = self.add(volumes, base, log, budget);
        if !grows {
            self.open = None;
        }
        extended
    }

    fn add(
        &mut self,
        volumes: &mut Volumes<'_>,
        base: usize,
        log: &DatedLog,
        budget: &mut u64,
    ) -> std::result::Result<(), LogError> {
        if let Err(why) = self.update(log) {
            // The bytes that are in the bucket remain.
            return if self.document.bytes > 0 { Ok(()) } else { Err(LogError::Unreadable(why)) };
        }
        let Some((file, hash)) = &self.open else { return Ok(()) };
        let pushed = self.document.bytes;
        let end = file.bytes().min(pushed.saturating_add(MAX_LOG_BYTES.min(*budget)));
        if end <= pushed {
            return Ok(());
        }
        *budget = budget.saturating_sub(end.saturating_sub(pushed));
        let mut next = self.document.clone();
        let start = merge(&mut next);
        // The hash has the bytes that are in the bucket already.
        let (mut at, mut hash) = (start, hash.clone());
        let added = volumes.add(|mut out| {
            file.compress_range(start..end, &mut out, |bytes| {
                let known = usize::try_from(pushed.saturating_sub(at)).unwrap_or(usize::MAX);
                hash.update(bytes.get(known..).unwrap_or_default());
                at = at.saturating_add(bytes.len() as u64);
            })
        });
        let (object, range, ()) = added.map_err(LogError::of)?;
        if at <= pushed {
            // The log has become shorter. The next part notices it.
            return Ok(());
        }
        let (object, bytes) = (base.saturating_add(object), at.saturating_sub(start));
        next.pieces.push(Piece { object, range, bytes });
        (next.bytes, next.sha256) = (at, Some(hex(hash.clone().finish().as_ref())));
        self.next = Some((next, hash));
        volumes.end_log(at.saturating_sub(pushed)).map_err(LogError::Push)
    }

    /// Opens the log, or looks for its changes. Begins it again if it does not begin with the bytes
    /// that are in the bucket.
    fn update(&mut self, log: &DatedLog) -> Result<()> {
        if let Some((file, hash)) = &mut self.open {
            let change = file.extend()?;
            // Another format needs no other bytes.
            if change.is_replaced() && change != Change::Reformatted {
                self.document = again(&self.document);
                *hash = Context::new(&SHA256);
            }
            return Ok(());
        }
        let file = LogFile::open(&log.log.path)?;
        let mut hash = Context::new(&SHA256);
        let pushed = self.document.bytes;
        if pushed > 0 {
            let is_same = file.bytes() >= pushed && {
                file.read_batches(0..pushed, |bytes| {
                    hash.update(bytes);
                    Ok(())
                })?;
                self.document.sha256 == Some(hex(hash.clone().finish().as_ref()))
            };
            if !is_same {
                self.document = again(&self.document);
                hash = Context::new(&SHA256);
            }
        }
        self.open = Some((file, hash));
        Ok(())
    }
}

/// Returns the state of a log that begins again.
pub(super) fn again(log: &LogDocument) -> LogDocument {
    let generation = log.generation.saturating_add(1);
    LogDocument { generation, ..LogDocument::new(log.n, log.name.clone(), 0, log.first_at) }
}

/// Removes the last pieces of a log if they are small. Returns the offset of the bytes that are
/// left without a piece.
fn merge(log: &mut LogDocument) -> u64 {
    let from = log.pieces.len().checked_sub(MERGED_PIECES);
    let last = from.and_then(|from| log.pieces.get(from..)).unwrap_or_default();
    let bytes = last.iter().map(|piece| piece.bytes).fold(0, u64::saturating_add);
    match from.filter(|_| bytes < MERGED_BYTES) {
        Some(from) => {
            log.pieces.truncate(from);
            log.bytes.saturating_sub(bytes)
        }
        None => log.bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(pieces: &[u64]) -> LogDocument {
        let pieces = pieces.iter().map(|bytes| Piece { object: 0, range: 0..1, bytes: *bytes });
        let pieces: Vec<_> = pieces.collect();
        let bytes = pieces.iter().map(|piece| piece.bytes).sum();
        LogDocument { pieces, ..LogDocument::new(1, "jobs/a/sh-1.log".into(), bytes, None) }
    }

    #[test]
    fn the_last_small_pieces_become_one() {
        let mut few = log(&[10; MERGED_PIECES - 1]);
        assert_eq!((merge(&mut few), few.pieces.len()), (few.bytes, MERGED_PIECES - 1));
        let mut small = log(&[&[MERGED_BYTES][..], &[10; MERGED_PIECES]].concat());
        assert_eq!((merge(&mut small), small.pieces.len()), (MERGED_BYTES, 1));
        let mut large = log(&[MERGED_BYTES / 16; MERGED_PIECES]);
        assert_eq!((merge(&mut large), large.pieces.len()), (large.bytes, MERGED_PIECES));
    }

    #[test]
    fn a_log_of_days_has_few_pieces() {
        let mut log = log(&[]);
        let mut resent = 0;
        for _ in 0..20_000 {
            let start = merge(&mut log);
            let bytes = log.bytes + 50_000 - start;
            resent += bytes;
            log.pieces.push(Piece { object: 0, range: 0..1, bytes });
            log.bytes += 50_000;
        }
        assert!(log.pieces.len() < 200, "{}", log.pieces.len());
        assert!(resent < 10 * log.bytes, "{resent} of {}", log.bytes);
    }
}
