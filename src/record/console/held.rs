//! Output that is held back in a temporary file without a name.
//!
//! The file is a sequence of frames: the stream (one byte), the length (four bytes, little-endian)
//! and the bytes. Memory does not grow with the output.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;

use crate::cri::Stream;

/// The maximum number of bytes that are read back at once.
const PART_BYTES: usize = 64 << 10;

/// The held output of one job.
#[derive(Default)]
pub(super) struct Held {
    /// `None` until there is output.
    file: Option<File>,
    /// The length of the complete frames.
    len: u64,
}

impl Held {
    /// Adds bytes of a stream.
    ///
    /// # Errors
    /// If the file cannot be created or written. The bytes are then not held.
    pub(super) fn add(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile()?,
        };
        let file = self.file.insert(file);
        let count = u32::try_from(bytes.len()).map_err(|_| ErrorKind::FileTooLarge)?;
        let mut head = [0; 5];
        let [tag, length @ ..] = &mut head;
        *tag = u8::from(stream == Stream::Stderr);
        *length = count.to_le_bytes();
        let at = self.len + head.len() as u64;
        file.write_all_at(&head, self.len)?;
        file.write_all_at(bytes, at)?;
        self.len = at + u64::from(count);
        Ok(())
    }

    /// Passes all held output to `pass`, in parts, in the order in which it was added.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn replay(self, mut pass: impl FnMut(Stream, &[u8])) -> io::Result<()> {
        let Some(file) = self.file else { return Ok(()) };
        let mut frames = BufReader::new(FileFrom { file, at: 0 }.take(self.len));
        let mut part = Vec::new();
        let mut left = self.len;
        while left > 0 {
            let mut head = [0; 5];
            frames.read_exact(&mut head)?;
            let [tag, length @ ..] = head;
            let stream = if tag == 0 { Stream::Stdout } else { Stream::Stderr };
            let count = u64::from(u32::from_le_bytes(length));
            left = left.saturating_sub(head.len() as u64 + count);
            let mut bytes = (&mut frames).take(count);
            while bytes.limit() > 0 {
                part.clear();
                if (&mut bytes).take(PART_BYTES as u64).read_to_end(&mut part)? == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                pass(stream, &part);
            }
        }
        Ok(())
    }
}

/// A reader of a file from an offset, which leaves the position of the file unchanged.
struct FileFrom {
    file: File,
    at: u64,
}

impl Read for FileFrom {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replayed(held: Held) -> Vec<(Stream, Vec<u8>)> {
        let mut all: Vec<(Stream, Vec<u8>)> = Vec::new();
        held.replay(|stream, part| match all.last_mut() {
            Some((last, bytes)) if *last == stream => bytes.extend_from_slice(part),
            _ => all.push((stream, part.to_vec())),
        })
        .unwrap();
        all
    }

    #[test]
    fn held_output_is_replayed_in_order_in_bounded_parts() {
        let mut held = Held::default();
        let long = vec![b'x'; 3 * PART_BYTES + 1];
        held.add(Stream::Stdout, b"one\n").unwrap();
        held.add(Stream::Stderr, &long).unwrap();
        held.add(Stream::Stdout, b"two").unwrap();
        held.add(Stream::Stdout, b"").unwrap();
        let expected = [
            (Stream::Stdout, b"one\n".to_vec()),
            (Stream::Stderr, long),
            (Stream::Stdout, b"two".to_vec()),
        ];
        assert_eq!(replayed(held), expected);
        assert!(replayed(Held::default()).is_empty());
    }

    #[test]
    fn a_failed_write_leaves_the_frames_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("held");
        let mut held = Held { file: Some(File::create_new(&path).unwrap()), len: 0 };
        held.add(Stream::Stdout, b"one").unwrap();
        let writable = held.file.replace(File::open(&path).unwrap());
        assert!(held.add(Stream::Stdout, b"two").is_err(), "the file is read-only");
        drop(writable);
        assert_eq!(replayed(held), [(Stream::Stdout, b"one".to_vec())]);
    }
}
