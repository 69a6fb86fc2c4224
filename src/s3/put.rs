//! Writes of objects, with a condition, from memory or from a file.

use std::fs::File;
use std::io::{self, Read};

use ring::digest;
use ureq::http::StatusCode;
use uuid::Uuid;

use super::Bucket;
use super::bucket::Operation;
use super::exchange::Part;
use super::sign::hex;
use crate::error::Result;

/// The header with the id of a write.
const WRITE_ID: &str = "x-amz-meta-rundown-write";

/// The size of the buffer for reading files.
const BUFFER_BYTES: usize = 64 << 10;

/// The content of an object.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// The first bytes of a file. They are read twice, for the hash and for the request, and again
    /// for each repetition, so they must not change.
    File {
        /// The file. Its position is not used.
        file: &'a File,
        /// The number of bytes.
        bytes: u64,
    },
}

/// The condition of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// Creates the object, or replaces it.
    Any,
    /// Creates the object, or changes nothing if it exists. Only safe at a server for which
    /// [`Bucket::checks_conditions`] returns true.
    IfAbsent,
}

/// The result of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Put {
    /// The object has this content.
    Written,
    /// The object existed, and was not changed.
    Exists,
}

impl Bucket {
    /// Writes an object.
    ///
    /// # Repetitions
    ///
    /// If the answer to an attempt is lost, the server may have created the object. A repetition
    /// with [`Condition::IfAbsent`] then finds an object. So each write stores a random id in the
    /// metadata of the object, and an object with the same id is [`Put::Written`]. If the id cannot
    /// be read because the object was deleted since, or because the server stores no metadata, the
    /// result is [`Put::Exists`].
    ///
    /// # Errors
    /// If the server does not confirm the write. It may have happened nevertheless.
    pub fn put(&self, key: &str, body: Body<'_>, condition: Condition) -> Result<Put> {
        let id = Uuid::new_v4().simple().to_string();
        let mut headers = vec![(WRITE_ID, id.clone())];
        if condition == Condition::IfAbsent {
            headers.push(("if-none-match", "*".to_owned()));
        }
        let put = Operation {
            doing: "write",
            action: "s3:PutObject",
            method: "PUT",
            headers,
            body,
            ..self.operation(key)
        };
        let reply = self.perform(&put)?;
        match reply.answer.status {
            StatusCode::PRECONDITION_FAILED if reply.is_repeated => self.resolved(key, &id),
            StatusCode::PRECONDITION_FAILED => Ok(Put::Exists),
            status if status.is_success() => Ok(Put::Written),
            status => Err(self.error(&put, format!("the server answered {status}"))),
        }
    }

    /// Determines if this write created the object that a repetition found.
    fn resolved(&self, key: &str, id: &str) -> Result<Put> {
        let head = Operation { method: "HEAD", ..self.operation(key) };
        let answer = self.perform(&head)?.answer;
        let is_ours = answer.status.is_success() && answer.header(WRITE_ID) == Some(id);
        Ok(if is_ours { Put::Written } else { Put::Exists })
    }
}

impl<'a> Body<'a> {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { bytes, .. } => *bytes,
        }
    }

    /// Returns a reader from the start of the body on; `None` for an empty body.
    pub(super) fn reader(&self) -> Option<Part<'a>> {
        match *self {
            Self::Bytes([]) => None,
            Self::Bytes(bytes) => Some(Part::Bytes(bytes)),
            Self::File { file, bytes } => Some(Part::File { file, at: 0, end: bytes }),
        }
    }

    /// Computes the hash of the body, in hexadecimal digits.
    ///
    /// # Errors
    /// If the file cannot be read, or is shorter than stated.
    pub(super) fn sha256(&self) -> io::Result<String> {
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut left = self.len();
        if let Some(mut part) = self.reader() {
            let mut buffer = vec![0; BUFFER_BYTES];
            loop {
                let found = part.read(&mut buffer)?;
                if found == 0 {
                    break;
                }
                hash.update(buffer.get(..found).unwrap_or_default());
                left = left.saturating_sub(found as u64);
            }
        }
        if left > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(hex(hash.finish().as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_has_the_hash_of_its_first_bytes() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abcdef").unwrap();
        let of_bytes = Body::Bytes(b"abc").sha256().unwrap();
        assert_eq!(of_bytes, super::super::sign::sha256(b"abc"));
        assert_eq!(Body::File { file: &file, bytes: 3 }.sha256().unwrap(), of_bytes);
        let error = Body::File { file: &file, bytes: 7 }.sha256().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
