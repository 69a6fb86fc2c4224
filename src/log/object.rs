//! An object of a bucket that does not change while it is read. Its bytes are requested in blocks,
//! some of which are kept.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::source::Source;
use crate::error::Error;
use crate::s3::{Bucket, Got, Range};

/// The size of a request in bytes. Half as much takes about as long, because most of the time is
/// the answer time of the server.
const BLOCK_BYTES: u64 = 256 << 10;

/// The number of blocks that are kept.
const KEPT_BLOCKS: usize = 64;

/// An object of a bucket. Clones share the blocks that they read. Objects are equal if they are
/// clones of each other.
#[derive(Clone)]
pub struct Object(Arc<Shared>);

struct Shared {
    bucket: Arc<Bucket>,
    key: String,
    read: Mutex<ReadSoFar>,
}

/// The facts and the bytes that were read.
#[derive(Default)]
struct ReadSoFar {
    /// The size of the object; `None` before the first read, unless its creator knew it.
    bytes: Option<u64>,
    /// The version of the object; `None` before the first read.
    etag: Option<Option<String>>,
    /// Blocks by their offset, from the least to the most recently used.
    blocks: Vec<(u64, Arc<Vec<u8>>)>,
}

impl Object {
    /// Creates an object of a bucket. `bytes` is its size, if it is known. Sends no request.
    #[must_use]
    pub fn new(bucket: Arc<Bucket>, key: String, bytes: Option<u64>) -> Self {
        let read = ReadSoFar { bytes, ..ReadSoFar::default() };
        Self(Arc::new(Shared { bucket, key, read: Mutex::new(read) }))
    }

    /// Returns the address of the object, for the user.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("{}/{}", self.0.bucket.url(), self.0.key))
    }
}

impl Shared {
    /// Returns the size of the object. The first call reads its last block, which contains the
    /// directory of a bundle.
    fn size(&self, read: &mut ReadSoFar) -> io::Result<u64> {
        if let Some(bytes) = read.bytes {
            return Ok(bytes);
        }
        let got = self.get(&Range::Suffix(BLOCK_BYTES))?;
        let total = got.total_bytes;
        (read.bytes, read.etag) = (Some(total), Some(got.etag));
        read.keep(total.saturating_sub(got.bytes.len() as u64), got.bytes);
        Ok(total)
    }

    /// Returns the block that contains an offset, and the offset of the block. The offset must be
    /// below the size of the object.
    fn block(&self, read: &mut ReadSoFar, offset: u64) -> io::Result<(u64, Arc<Vec<u8>>)> {
        if let Some(block) = read.kept(offset) {
            return Ok(block);
        }
        let start = offset.saturating_sub(offset.checked_rem(BLOCK_BYTES).unwrap_or_default());
        let got = self.get(&Range::Part(start..start.saturating_add(BLOCK_BYTES)))?;
        if read.bytes.is_some_and(|bytes| bytes != got.total_bytes)
            || *read.etag.get_or_insert_with(|| got.etag.clone()) != got.etag
        {
            return Err(io::Error::other("it was replaced while it was read; open it again"));
        }
        Ok(read.keep(start, got.bytes))
    }

    fn get(&self, range: &Range) -> io::Result<Got> {
        let got = self.bucket.get(&self.key, range, BLOCK_BYTES).map_err(|error| match error {
            // The caller adds the address.
            Error::Remote { why, .. } => io::Error::other(why),
            error => io::Error::other(error),
        })?;
        got.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the bucket has no such object"))
    }
}

impl ReadSoFar {
    /// Returns a kept block that contains an offset.
    fn kept(&mut self, offset: u64) -> Option<(u64, Arc<Vec<u8>>)> {
        let holds = |(start, bytes): &(u64, Arc<Vec<u8>>)| {
            offset.checked_sub(*start).is_some_and(|within| within < bytes.len() as u64)
        };
        let at = self.blocks.iter().position(holds)?;
        let block = self.blocks.remove(at);
        self.blocks.push(block.clone());
        Some(block)
    }

    fn keep(&mut self, start: u64, bytes: Vec<u8>) -> (u64, Arc<Vec<u8>>) {
        if self.blocks.len() >= KEPT_BLOCKS {
            self.blocks.remove(0);
        }
        let block = (start, Arc::new(bytes));
        self.blocks.push(block.clone());
        block
    }
}

impl Source for Object {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        if offset >= self.0.size(&mut read)? {
            return Ok(0);
        }
        let (start, block) = self.0.block(&mut read, offset)?;
        let within = usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
        let bytes = block.get(within..).unwrap_or_default();
        let len = bytes.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..len), bytes.get(..len)) {
            to.copy_from_slice(from);
        }
        Ok(len)
    }

    fn size(&self) -> io::Result<u64> {
        let mut read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.size(&mut read)
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
