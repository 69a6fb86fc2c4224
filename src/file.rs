//! Opening files that others made: never waits, whatever the path names.
//!
//! Opening a FIFO waits for its writer, and a device may do anything; only regular files are read.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file for reading.
///
/// # Errors
/// When it cannot be opened, or is a directory, a FIFO, a socket or a device.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        return Ok(file);
    }
    let kind = if metadata.is_dir() { "it is a directory" } else { "it is no regular file" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(open_regular(&fifo).unwrap_err().to_string(), "it is no regular file");
        assert_eq!(open_regular(dir.path()).unwrap_err().to_string(), "it is a directory");
        std::fs::write(dir.path().join("file"), "x").unwrap();
        assert!(open_regular(&dir.path().join("file")).is_ok());
    }
}
