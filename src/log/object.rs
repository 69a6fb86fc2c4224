//! An object of a bucket that does not change while it is read. Its bytes are requested in blocks,
//! some of which are kept.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::mem;
use std::ops;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::cache::BlockCache;
use super::source::Source;
use crate::error::Error;
use crate::s3::{Bucket, Got, Range};

/// The smallest size of a request in bytes. Half as much takes about as long, because most of the
/// time is the answer time of the server.
const BLOCK_BYTES: u64 = 256 << 10;

/// The size of a request for a reader that goes on, in bytes.
const AHEAD_BYTES: u64 = 1 << 20;

/// The largest size of a request in bytes: that of the largest frame of a compressed log, and of
/// two blocks.
const MAX_REQUEST_BYTES: u64 = 9 << 20;

/// The number of bytes that are kept.
const KEPT_BYTES: usize = 16 << 20;

/// An object of a bucket. Clones share what they have read. Objects are equal if they are clones of
/// each other.
#[derive(Clone)]
pub struct Object(Arc<Shared>);

struct Shared {
    bucket: Arc<Bucket>,
    key: String,
    /// True if the object is named by its content.
    is_fixed: bool,
    facts: Mutex<Facts>,
    blocks: Arc<Blocks>,
}

/// The facts about an object that do not change. Locked during a request, so that two readers do
/// not request the same bytes.
struct Facts {
    /// The size; `None` before the first read, unless its creator knew it.
    bytes: Option<u64>,
    /// True if a part of the object was read.
    is_read: bool,
    /// The version that was read first; `None` if the server does not state it.
    etag: Option<String>,
    /// True if what was kept of the object was damaged. Nothing more is read from the disk.
    was_damaged: bool,
}

/// The last bytes that were read of some objects of a bucket.
#[derive(Default)]
pub struct Blocks {
    /// In memory, from the least to the most recently used.
    kept: Mutex<Vec<Block>>,
    /// On disk.
    cache: Option<Arc<BlockCache>>,
}

#[derive(Clone)]
struct Block {
    /// The key of the object.
    key: String,
    /// The offset in the object.
    start: u64,
    bytes: Arc<Vec<u8>>,
}

impl Object {
    /// Creates an object of a bucket. `bytes` is its size if it is named by its content, and so never
    /// changes. Objects with the same `blocks` share the memory for the bytes that are kept, and must
    /// be of the same bucket. Sends no request.
    #[must_use]
    pub fn new(bucket: Arc<Bucket>, key: String, bytes: Option<u64>, blocks: Arc<Blocks>) -> Self {
        let facts = Mutex::new(Facts { bytes, is_read: false, etag: None, was_damaged: false });
        Self(Arc::new(Shared { bucket, key, is_fixed: bytes.is_some(), facts, blocks }))
    }

    /// Returns the address of the object, for the user.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("{}/{}", self.0.bucket.url(), self.0.key))
    }

    /// Returns the size of the object, if it is known.
    pub(crate) fn known_bytes(&self) -> Option<u64> {
        self.0.facts.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Reads a range in one request, unless it is kept, so that the next reads within it need none.
    /// A failure is left to these reads.
    pub(super) fn prefetch(&self, range: ops::Range<u64>) {
        let mut facts = self.0.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_kept = |(start, bytes): &(u64, Arc<Vec<u8>>)| {
            start.saturating_add(bytes.len() as u64) >= range.end
        };
        if !range.is_empty()
            && self.0.blocks.find(&self.0.key, range.start).is_none_or(|it| !is_kept(&it))
        {
            let _ = self.0.read(&mut facts, range);
        }
    }
}

impl Shared {
    /// Returns the size of the object. The first call reads its last block, which contains the
    /// directory of a bundle.
    fn size(&self, facts: &mut Facts) -> io::Result<u64> {
        if let Some(bytes) = facts.bytes {
            return Ok(bytes);
        }
        let got = self.get(&Range::Suffix(BLOCK_BYTES), BLOCK_BYTES)?;
        let total = got.total_bytes;
        (facts.bytes, facts.is_read, facts.etag) = (Some(total), true, got.etag);
        self.blocks.keep(&self.key, total.saturating_sub(got.bytes.len() as u64), got.bytes);
        Ok(total)
    }

    /// Returns bytes that contain an offset, and the offset of the first of them. If they are not
    /// kept, requests whole blocks, if possible up to `len` bytes after the offset. The offset must
    /// be below the size of the object.
    ///
    /// A reader that has come from the block before probably goes on, so it gets several blocks.
    /// Any other one also gets the block before, where a row may begin.
    fn block(&self, facts: &mut Facts, offset: u64, len: usize) -> io::Result<(u64, Arc<Vec<u8>>)> {
        if let Some(block) = self.blocks.find(&self.key, offset) {
            return Ok(block);
        }
        let within = offset.checked_rem(BLOCK_BYTES).unwrap_or_default();
        let start = offset.saturating_sub(within);
        let before = start.saturating_sub(BLOCK_BYTES);
        let goes_on = start > 0 && self.blocks.find(&self.key, before).is_some();
        let (from, ahead) = if goes_on { (start, AHEAD_BYTES) } else { (before, BLOCK_BYTES) };
        let bytes = within.saturating_add(len as u64).max(ahead);
        let bytes = bytes.checked_next_multiple_of(BLOCK_BYTES).unwrap_or(u64::MAX);
        let end = start.saturating_add(bytes.min(MAX_REQUEST_BYTES));
        let read = self.read(facts, from..end)?;
        // A server may have returned fewer bytes than it should.
        let within = offset.checked_sub(read.0);
        if within.is_none_or(|within| within >= read.1.len() as u64) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(read)
    }

    fn read(&self, facts: &mut Facts, range: ops::Range<u64>) -> io::Result<(u64, Arc<Vec<u8>>)> {
        let start = range.start;
        let name = self.block_name(facts, &range);
        if let (Some(cache), Some(name), false) = (&self.blocks.cache, &name, facts.was_damaged)
            && let Some(bytes) = cache.get(name)
        {
            return Ok(self.blocks.keep(&self.key, start, bytes));
        }
        let limit = range.end.saturating_sub(start);
        let got = self.get(&Range::Part(range), limit)?;
        if facts.bytes.is_some_and(|bytes| bytes != got.total_bytes)
            || facts.is_read && !self.is_fixed && facts.etag != got.etag
        {
            return Err(io::Error::other("it was replaced while it was read; open it again"));
        }
        (facts.is_read, facts.etag) = (true, got.etag);
        if let (Some(cache), Some(name)) = (&self.blocks.cache, name) {
            cache.put(&name, &got.bytes);
        }
        Ok(self.blocks.keep(&self.key, start, got.bytes))
    }

    /// Returns the name of a range of this version of the object in the cache on disk; `None` if
    /// the version is not known.
    fn block_name(&self, facts: &Facts, range: &ops::Range<u64>) -> Option<String> {
        let version = if self.is_fixed { "" } else { facts.etag.as_deref()? };
        let (server, url) = (self.bucket.server(), self.bucket.url());
        Some(format!("{server} {url}/{} {version} {range:?} {:?}", self.key, facts.bytes))
    }

    fn get(&self, range: &Range, limit_bytes: u64) -> io::Result<Got> {
        let got = self.bucket.get(&self.key, range, limit_bytes).map_err(|error| match error {
            // The caller adds the address.
            Error::Remote { why, .. } | Error::Refused { why, .. } => io::Error::other(why),
            error => io::Error::other(error),
        })?;
        got.ok_or_else(|| {
            let why = format!("the bucket has no object {}", self.key);
            io::Error::new(io::ErrorKind::NotFound, why)
        })
    }
}

impl Blocks {
    /// Creates an empty memory for the objects of a bucket, beside a cache on disk.
    #[must_use]
    pub fn with(cache: Option<Arc<BlockCache>>) -> Self {
        Self { kept: Mutex::default(), cache }
    }

    /// Returns kept bytes of an object that contain an offset, and the offset of the first of them.
    fn find(&self, key: &str, offset: u64) -> Option<(u64, Arc<Vec<u8>>)> {
        let holds = |block: &Block| {
            let within = offset.checked_sub(block.start);
            block.key == key && within.is_some_and(|within| within < block.bytes.len() as u64)
        };
        let mut blocks = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = blocks.iter().position(holds)?;
        let block = blocks.remove(at);
        blocks.push(block.clone());
        Some((block.start, block.bytes))
    }

    /// Removes all kept bytes of an object from the memory.
    fn forget(&self, key: &str) {
        let mut blocks = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.retain(|block| block.key != key);
    }

    fn keep(&self, key: &str, start: u64, bytes: Vec<u8>) -> (u64, Arc<Vec<u8>>) {
        let block = Block { key: key.to_owned(), start, bytes: Arc::new(bytes) };
        let mut blocks = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = blocks
            .iter()
            .fold(block.bytes.len(), |sum, block| sum.saturating_add(block.bytes.len()));
        while kept > KEPT_BYTES && !blocks.is_empty() {
            kept = kept.saturating_sub(blocks.remove(0).bytes.len());
        }
        blocks.push(block.clone());
        (block.start, block.bytes)
    }
}

impl Source for Object {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut facts = self.0.facts.lock().unwrap_or_else(PoisonError::into_inner);
        if offset >= self.0.size(&mut facts)? {
            return Ok(0);
        }
        let (start, block) = self.0.block(&mut facts, offset, into.len())?;
        let within = usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
        let bytes = block.get(within..).unwrap_or_default();
        let len = bytes.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..len), bytes.get(..len)) {
            to.copy_from_slice(from);
        }
        Ok(len)
    }

    fn size(&self) -> io::Result<u64> {
        let mut facts = self.0.facts.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.size(&mut facts)
    }

    /// Returns true once per object: if it is damaged in the bucket, further reads do not help.
    fn forget(&self) -> bool {
        let mut facts = self.0.facts.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.blocks.forget(&self.0.key);
        !mem::replace(&mut facts.was_damaged, true)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Object({})", self.path().display())
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Object {}

impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}
