//! Logs in a bundle: compressed, with facts beside them.

use std::io;

use super::location::PackedLog;
use super::seekable::{Seekable, read_exact};
use super::source::Source;
use super::stored::Beside;

/// The largest compressed facts that are read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// An open log of a bundle.
#[derive(Debug)]
pub(super) struct Packed {
    log: Seekable,
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

    fn beside(&self, kind: Beside) -> Option<Vec<u8>> {
        let range = match kind {
            Beside::Index => self.place.index.clone()?,
            Beside::Groups => self.place.groups.clone()?,
            Beside::Cause => return self.place.cause.clone().map(String::into_bytes),
        };
        let bytes = range.end.checked_sub(range.start).filter(|bytes| *bytes <= MAX_BYTES)?;
        let mut packed = vec![0; usize::try_from(bytes).ok()?];
        read_exact(&*self.place.bundle.open().ok()?, range.start, &mut packed).ok()?;
        Some(packed)
    }
}
