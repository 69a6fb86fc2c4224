//! Unpacked copies of logs that cannot be read in place: compressed as one stream, or read from a
//! pipe. The copy is a temporary file without a name, so nothing is left behind.

use std::env::temp_dir;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use zstd_safe::{DCtx, InBuffer, OutBuffer, get_error_name};

use super::source::Source;
use crate::error::{Error, Result};

/// The largest copy in bytes. A small file may unpack to any size.
const MAX_BYTES: u64 = 64 << 30;

/// The size of a read in bytes.
const BUFFER_BYTES: usize = 128 << 10;

/// The interval at which the size of a copy is checked.
const POLL: Duration = Duration::from_millis(10);

/// A way in which a log is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// Not at all: the log comes from a pipe.
    None,
    /// With gzip.
    Gzip,
    /// With zstd.
    Zstd,
}

/// A copy of a log, which grows until the log has ended. Copies are equal if they are the same copy.
#[derive(Clone, Debug)]
pub struct Spool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    file: File,
    /// The result; `None` while the copy is being made.
    ended: Mutex<Option<std::result::Result<(), Failure>>>,
    has_ended: Condvar,
}

impl Spool {
    /// Begins to unpack `packed` into a copy, in a thread. `path` identifies the log for the user.
    ///
    /// # Errors
    /// If there is no space for the copy.
    pub fn start(
        path: &Path,
        packed: impl Read + Send + 'static,
        compression: Compression,
    ) -> Result<Self> {
        let no_space = |source| Error::Copy { path: path.to_owned(), dir: temp_dir(), source };
        let file = tempfile::tempfile().map_err(no_space)?;
        let copy = Copy { file: file.try_clone().map_err(no_space)?, left: MAX_BYTES };
        let (path, ended, has_ended) = (path.to_owned(), Mutex::default(), Condvar::new());
        let spool = Self(Arc::new(Shared { path, file, ended, has_ended }));
        let shared = Arc::clone(&spool.0);
        thread::spawn(move || {
            let result = copy.make(packed, compression);
            *shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            shared.has_ended.notify_all();
        });
        Ok(spool)
    }

    /// Waits until the copy has at least so many bytes, or is complete.
    ///
    /// # Errors
    /// If the log cannot be read or is damaged, or if there is no space for the copy.
    pub fn wait_for(&self, bytes: u64) -> Result<()> {
        let mut ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*ended {
                Some(Ok(())) => return Ok(()),
                Some(Err(failure)) => return Err(failure.error(&self.0.path)),
                None if self.0.file.size().is_ok_and(|size| size >= bytes) => return Ok(()),
                None => {
                    let wait = self.0.has_ended.wait_timeout(ended, POLL);
                    ended = wait.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    /// Returns true if the copy does not grow any more: it is complete, or cannot be completed.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.ended.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Returns the reason why the copy cannot be completed. Its bytes can be read nevertheless.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        match &*self.0.ended.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Err(failure)) => Some(failure.error(&self.0.path)),
            _ => None,
        }
    }

    /// Returns the path of the log from which the copy is made.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

impl PartialEq for Spool {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Spool {}

impl Hash for Spool {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.path().hash(state);
    }
}

impl Source for Spool {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.file.read_at(offset, into)
    }

    fn size(&self) -> io::Result<u64> {
        self.0.file.size()
    }
}

/// A copy that is being made.
struct Copy {
    file: File,
    /// The number of bytes that may still be written.
    left: u64,
}

/// The reason why a copy is not made.
#[derive(Debug)]
enum Failure {
    Input(io::Error),
    Output(io::Error),
}

impl Failure {
    fn error(&self, path: &Path) -> Error {
        match self {
            Self::Input(_) => Error::io("unpack", path)(self.source()),
            Self::Output(_) => {
                Error::Copy { path: path.to_owned(), dir: temp_dir(), source: self.source() }
            }
        }
    }

    /// Returns a copy of the error.
    fn source(&self) -> io::Error {
        let (Self::Input(error) | Self::Output(error)) = self;
        io::Error::new(error.kind(), error.to_string())
    }
}

impl Copy {
    fn make(
        mut self,
        packed: impl Read,
        compression: Compression,
    ) -> std::result::Result<(), Failure> {
        let mut packed = BufReader::with_capacity(BUFFER_BYTES, packed);
        match compression {
            Compression::None => self.all(&mut packed),
            Compression::Gzip => self.all(&mut MultiGzDecoder::new(packed)),
            Compression::Zstd => self.zstd(&mut packed),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::result::Result<(), Failure> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or_else(|| {
            Failure::Input(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 64 GiB"))
        })?;
        self.file.write_all(bytes).map_err(Failure::Output)
    }

    fn all(&mut self, input: &mut impl Read) -> std::result::Result<(), Failure> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match input.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(len) => self.write(buffer.get(..len).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::Input(error)),
            }
        }
    }

    /// Unpacks the frames of zstd.
    fn zstd(&mut self, input: &mut impl Read) -> std::result::Result<(), Failure> {
        let damaged = |why| Failure::Input(io::Error::new(io::ErrorKind::InvalidData, why));
        let mut context = DCtx::try_create().ok_or_else(|| damaged("out of memory"))?;
        let (mut packed, mut unpacked) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
        let mut missing = 0;
        loop {
            let len = match input.read(&mut packed) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(Failure::Input)?,
            };
            if len == 0 {
                return if missing == 0 { Ok(()) } else { Err(damaged("it ends early")) };
            }
            let mut from = InBuffer::around(packed.get(..len).unwrap_or_default());
            let mut is_full = false;
            while from.pos() < len || is_full {
                let mut to = OutBuffer::around(&mut *unpacked);
                let done = context.decompress_stream(&mut to, &mut from);
                missing = done.map_err(|code| damaged(get_error_name(code)))?;
                let filled = to.pos();
                // At the end of a frame, nothing is left to write.
                is_full = filled == BUFFER_BYTES && missing != 0;
                self.write(unpacked.get(..filled).unwrap_or_default())?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use flate2::write::GzEncoder;

    use super::*;

    fn unpacked(packed: &[u8], compression: Compression) -> Result<Vec<u8>> {
        let source = Spool::start(Path::new("a.log"), Cursor::new(packed.to_vec()), compression)?;
        source.wait_for(u64::MAX)?;
        let mut bytes = vec![0; usize::try_from(source.size().unwrap()).unwrap()];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += source.read_at(filled as u64, &mut bytes[filled..]).unwrap();
        }
        Ok(bytes)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
        zstd_safe::compress(&mut packed, bytes, 3).unwrap();
        packed
    }

    #[test]
    fn streams_of_several_parts_are_unpacked() {
        let rows: Vec<u8> = (0..60_000).flat_map(|n| format!("row {n}\n").into_bytes()).collect();
        for log in [&b""[..], b"one\n", &rows, &rows[..BUFFER_BYTES], &rows[..4 * BUFFER_BYTES]] {
            assert!(unpacked(log, Compression::None).unwrap() == log);
            let twice = [log, log].concat();
            let (gzip, zstd) = ([gzip(log), gzip(log)].concat(), [zstd(log), zstd(log)].concat());
            assert!(unpacked(&gzip, Compression::Gzip).unwrap() == twice);
            assert!(unpacked(&zstd, Compression::Zstd).unwrap() == twice);
        }
    }

    #[test]
    fn the_start_of_an_incomplete_stream_can_be_read() {
        let packed = zstd(&b"some rows\n".repeat(1000));
        let incomplete = Cursor::new([&packed[..], &packed[..9]].concat());
        let spool = Spool::start(Path::new("a.log"), incomplete, Compression::Zstd).unwrap();
        assert!(spool.wait_for(u64::MAX).is_err() && spool.has_ended());
        assert_eq!(spool.size().unwrap(), 10_000);
        assert!(spool.failure().unwrap().to_string().starts_with("cannot unpack a.log"));
    }

    #[test]
    fn damaged_and_incomplete_streams_are_errors() {
        let log = b"some rows\n".repeat(1000);
        let mut damaged = gzip(&log);
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        assert!(unpacked(&damaged, Compression::Gzip).is_err());
        for (packed, compression) in
            [(gzip(&log), Compression::Gzip), (zstd(&log), Compression::Zstd)]
        {
            for len in [1, 4, packed.len() / 2, packed.len() - 1] {
                let error = unpacked(&packed[..len], compression).unwrap_err();
                assert!(error.to_string().starts_with("cannot unpack a.log"), "{error}");
            }
        }
    }
}
