//! Bytes of a stream -> records; the inverse of [`super::parse`].

use std::num::NonZeroUsize;

use super::Stream;
use crate::time::Time;

/// The most content bytes of a record: the default of containerd and Docker.
pub const MAX_CONTENT: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// Turns the bytes of two streams into records.
pub struct Encoder {}

impl Encoder {
    /// An encoder that splits entries at `max_content` bytes; `None`: never.
    #[must_use]
    pub fn new(max_content: Option<NonZeroUsize>) -> Self {
        let _ = max_content;
        todo!()
    }

    /// Takes bytes of a stream, read at `at`, and appends the records that they complete to `out`. An unterminated end
    /// stays pending.
    pub fn write(&mut self, stream: Stream, at: Time, bytes: &[u8], out: &mut Vec<u8>) {
        let _ = (stream, at, bytes, out);
        todo!()
    }

    /// Whether bytes of a stream wait for their newline.
    #[must_use]
    pub fn has_pending(&self, stream: Stream) -> bool {
        let _ = stream;
        todo!()
    }

    /// Appends a stream's pending bytes as a `P` record, if there are any: at the end of a stream, or when it has been silent.
    pub fn flush(&mut self, stream: Stream, at: Time, out: &mut Vec<u8>) {
        let _ = (stream, at, out);
        todo!()
    }
}
