//! Detection of a log that its recorder has shortened: a file without the middle of the log has
//! replaced it, because of its size limit.
//!
//! ```text
//! file before   | head |        removed        |  tail  |
//! file now      | head |  tail  | new records |
//!                               ^ reading continues here
//! ```
//!
//! The records of rundown have times in nanoseconds. So two files that begin with the same record
//! are the same log.

use std::io;

use memchr::memmem;

use super::lines::{View, usize_of};
use crate::cri::HeaderScanner;

/// The number of bytes before the end of the old file that are searched in the new one.
const MARK_BYTES: u64 = 128;

/// The size of a read.
const CHUNK_BYTES: usize = 64 << 10;

/// The shortest header with a time in nanoseconds.
const HEADER_BYTES: usize = 40;

/// The place in a shortened log at which its reader continues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Continuation {
    /// Its offset.
    pub at: u64,
    /// True if records between the end of the old file and this place were removed.
    pub has_gap: bool,
}

/// Returns the place in the new file at which the records after the end of the old file begin. If
/// that end was removed, too, returns the place at which the files differ. Returns `None` if the
/// new file is another log.
pub(super) fn continuation(old: View<'_>, new: View<'_>) -> io::Result<Option<Continuation>> {
    let mut header = [0; HEADER_BYTES];
    old.read_full(0, &mut header)?;
    let header = HeaderScanner::default().scan(&header);
    let common = common_bytes(old, new)?;
    if common < HEADER_BYTES as u64 || header.is_none_or(|it| it.content_at != HEADER_BYTES) {
        return Ok(None);
    }
    let common = new.line_start(common)?;
    Ok(Some(match end_of_mark(old, new, common)? {
        Some(at) => Continuation { at, has_gap: false },
        None => Continuation { at: common, has_gap: true },
    }))
}

/// Returns the number of bytes that two files have in common at their starts.
fn common_bytes(old: View<'_>, new: View<'_>) -> io::Result<u64> {
    let (mut theirs, mut ours) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
    let mut common = 0_u64;
    loop {
        let filled = old.read_full(common, &mut theirs)?.min(new.read_full(common, &mut ours)?);
        let pairs = theirs.iter().zip(&ours).take(filled);
        let same = pairs.take_while(|(old, new)| old == new).count();
        common = common.saturating_add(same as u64);
        if same < CHUNK_BYTES {
            return Ok(common);
        }
    }
}

/// Finds the last bytes of the old file in the new one, from an offset on. Returns the offset after
/// them.
fn end_of_mark(old: View<'_>, new: View<'_>, from: u64) -> io::Result<Option<u64>> {
    let start = old.end.saturating_sub(MARK_BYTES);
    let mut mark = vec![0; usize_of(old.end.saturating_sub(start))];
    let filled = old.read_full(start, &mut mark)?;
    mark.truncate(filled);
    let (finder, mut chunk) = (memmem::Finder::new(&mark), vec![0; CHUNK_BYTES]);
    let mut at = from.saturating_sub(MARK_BYTES);
    loop {
        let filled = new.read_full(at, &mut chunk)?;
        if let Some(found) = finder.find(chunk.get(..filled).unwrap_or_default()) {
            return Ok(Some(at.saturating_add((found.saturating_add(mark.len())) as u64)));
        }
        if filled < CHUNK_BYTES {
            return Ok(None);
        }
        at = at.saturating_add((CHUNK_BYTES.saturating_sub(mark.len())) as u64);
    }
}
