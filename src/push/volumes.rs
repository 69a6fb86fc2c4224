//! The objects with data: parts of logs one after the other, in a temporary file until it is sent.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;

use ring::digest::{Context, SHA256};

use super::Progress;
use super::directory::Directory;
use crate::error::{Error, Result};
use crate::remote::document::ObjectDocument;
use crate::remote::key::data_name;

/// The size from which an object is sent, in bytes.
const VOLUME_BYTES: u64 = 64 << 20;

/// The objects of a push.
pub(super) struct Volumes<'a> {
    directory: &'a Directory<'a>,
    progress: &'a Progress,
    volume: Option<Volume>,
    /// Those that were sent.
    objects: Vec<ObjectDocument>,
    /// The bytes that were sent.
    sent_bytes: u64,
}

/// An object that is written.
struct Volume {
    file: File,
    hash: Context,
    bytes: u64,
    /// The number of bytes of logs that are only in it.
    log_bytes: u64,
}

impl<'a> Volumes<'a> {
    pub fn new(directory: &'a Directory<'a>, progress: &'a Progress) -> Self {
        Self { directory, progress, volume: None, objects: Vec::new(), sent_bytes: 0 }
    }

    /// Adds what `write` writes to the current object. Returns the number of the object, and the
    /// range in it. If `write` fails, nothing is added.
    ///
    /// # Errors
    /// If the temporary file cannot be written, and the errors of `write`, except for
    /// [`Error::Output`].
    pub fn add<T>(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> Result<T>,
    ) -> Result<(usize, Range<u64>, T)> {
        let volume = match &mut self.volume {
            Some(volume) => volume,
            none => none.insert(Volume::new().map_err(temporary)?),
        };
        let (start, hash) = (volume.bytes, volume.hash.clone());
        match write(&mut *volume) {
            Ok(done) => Ok((self.objects.len(), start..volume.bytes, done)),
            Err(error) => {
                (volume.bytes, volume.hash) = (start, hash);
                volume.file.seek(SeekFrom::Start(start)).map_err(temporary)?;
                Err(match error {
                    Error::Output(source) => temporary(source),
                    error => error,
                })
            }
        }
    }

    /// Marks the end of a log, or of a part of one, of which the current object contains this many
    /// bytes. Sends the object if it is large enough.
    pub fn end_log(&mut self, bytes: u64) -> Result<()> {
        let Some(volume) = &mut self.volume else { return Ok(()) };
        volume.log_bytes = volume.log_bytes.saturating_add(bytes);
        if volume.bytes >= VOLUME_BYTES { self.send() } else { Ok(()) }
    }

    /// Sends the last object. Returns all objects, and the number of bytes that were sent.
    pub fn finish(mut self) -> Result<(Vec<ObjectDocument>, u64)> {
        self.send()?;
        Ok((self.objects, self.sent_bytes))
    }

    fn send(&mut self) -> Result<()> {
        let Some(Volume { file, hash, bytes, log_bytes }) = self.volume.take() else {
            return Ok(());
        };
        if bytes == 0 {
            return Ok(());
        }
        let name = data_name(hash.finish().as_ref());
        if self.directory.put_data(&name, &file, bytes)? {
            self.sent_bytes = self.sent_bytes.saturating_add(bytes);
        }
        self.progress.sent(log_bytes);
        self.objects.push(ObjectDocument { name, bytes });
        Ok(())
    }
}

impl Volume {
    fn new() -> io::Result<Self> {
        let file = tempfile::tempfile()?;
        Ok(Self { file, hash: Context::new(&SHA256), bytes: 0, log_bytes: 0 })
    }
}

impl Write for Volume {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Returns an error of the temporary file.
fn temporary(source: io::Error) -> Error {
    Error::io("write a temporary file in", std::env::temp_dir())(source)
}
