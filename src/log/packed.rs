//! Logs in a bundle: compressed, with an index.

use std::fs::File;
use std::io;

use super::Index;
use super::location::PackedLog;
use super::seekable::Seekable;
use super::source::Source;

/// The largest stored index that is read, in bytes: that of a log of about 400 GB.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// An open log of a bundle.
#[derive(Debug)]
pub(super) struct Packed {
    log: Seekable<File>,
    place: PackedLog,
}

impl Packed {
    /// Opens a log of a bundle. Reads its seek table.
    ///
    /// # Errors
    /// If the bundle cannot be opened, or does not contain a compressed log at this place.
    pub(super) fn open(place: &PackedLog) -> io::Result<Self> {
        let log = Seekable::open(place.bundle.open()?, place.range.clone())?;
        Ok(Self { log, place: place.clone() })
    }
}

impl Source for Packed {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.log.read_at(offset, into)
    }

    fn size(&self) -> io::Result<u64> {
        self.log.size()
    }

    fn stored_index(&self) -> Option<Index> {
        let range = self.place.index.clone()?;
        let bytes = range.end.checked_sub(range.start).filter(|bytes| *bytes <= MAX_INDEX_BYTES)?;
        let mut packed = vec![0; usize::try_from(bytes).ok()?];
        let file = self.place.bundle.open().ok()?;
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut packed, range.start).ok()?;
        Index::decode(&packed)
    }
}
