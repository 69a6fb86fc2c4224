//! Our end of the connection to a command.
//!
//! A source is created together with the command's end ([`connect`]). It is read by one thread, and
//! has one stream or both.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use pty_process::blocking::{Pts, Pty};
use rustix::io::Errno;

use super::output::Output;
use super::queue::Queue;
use super::terminal;
use crate::cri::Stream;

/// The requested size of the pipes. With larger pipes, a command with much output waits less. More
/// than this size needs privileges on Linux.
const PIPE_BYTES: usize = 1 << 20;
/// The maximum number of unread bytes in a terminal: the buffers of Linux.
const TERMINAL_BYTES: u64 = 128 << 10;
/// The size of the buffer for reading from a pipe or a terminal.
const BUFFER_BYTES: usize = 256 << 10;

/// The ends that a command writes to.
pub(super) enum CommandEnds {
    /// Its stdout and its stderr.
    Two([OwnedFd; 2]),
    /// One terminal.
    Terminal(Pts),
}

/// Our end.
pub(super) enum Source {
    /// A pipe.
    Pipe(Stream, PipeReader),
    /// A terminal. The second value is our copy of the command's end. We keep it until the command
    /// exits, so that the terminal survives if the command closes and reopens it.
    Terminal(Arc<Pty>, Option<OwnedFd>),
    /// A queue for both streams.
    Queue(Queue),
}

/// The result of a read.
pub(super) enum Got {
    /// This number of bytes of a stream is in the buffer.
    Bytes(Stream, usize),
    /// There is nothing to read at the moment.
    Nothing,
    /// No process can write any more.
    End,
}

/// Creates a connection. The sources are in the order of the streams.
///
/// # Errors
/// If there are not enough free descriptors, or the system does not support this form.
pub(super) fn connect(
    output: Output,
    has_keyboard: bool,
) -> io::Result<(Vec<Source>, CommandEnds)> {
    Ok(match output {
        Output::Apart => {
            let (stdout, stdout_end) = pipe(Stream::Stdout)?;
            let (stderr, stderr_end) = pipe(Stream::Stderr)?;
            let ends = [stdout_end.into(), stderr_end.into()];
            (vec![stdout, stderr], CommandEnds::Two(ends))
        }
        Output::Merge => {
            let (source, end) = pipe(Stream::Stdout)?;
            let ends = [end.try_clone()?.into(), end.into()];
            (vec![source], CommandEnds::Two(ends))
        }
        Output::Pty => {
            let (pty, end, copy) = terminal::open(has_keyboard)?;
            (vec![Source::Terminal(Arc::new(pty), Some(copy))], CommandEnds::Terminal(end))
        }
        Output::Exact => {
            let (queue, ends) = Queue::new()?;
            (vec![Source::Queue(queue)], CommandEnds::Two(ends))
        }
    })
}

fn pipe(stream: Stream) -> io::Result<(Source, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    widen(&reader);
    Ok((Source::Pipe(stream, reader), writer))
}

/// Enlarges a pipe. Ignores errors: an unprivileged user may have used up the amount that the
/// system allows.
#[cfg(target_os = "linux")]
fn widen(pipe: &PipeReader) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
}

#[cfg(not(target_os = "linux"))]
fn widen(_: &PipeReader) {
    let _ = PIPE_BYTES;
}

impl Source {
    /// Returns the streams that it carries.
    pub(super) fn streams(&self) -> &[Stream] {
        match self {
            Self::Pipe(stream, _) => std::slice::from_ref(stream),
            Self::Terminal(..) => &[Stream::Stdout],
            Self::Queue(_) => &Stream::ALL,
        }
    }

    /// Returns a buffer for [`Source::read`].
    pub(super) fn buffer(&self) -> Vec<u8> {
        let bytes = match self {
            Self::Pipe(..) | Self::Terminal(..) => BUFFER_BYTES,
            Self::Queue(queue) => queue.longest_bytes(),
        };
        vec![0; bytes]
    }

    /// Reads into a buffer.
    ///
    /// # Errors
    /// If reading fails for good.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Got> {
        let got = match self {
            Self::Pipe(stream, pipe) => pipe.read(buffer).map(|count| got(*stream, count)),
            Self::Terminal(pty, _) => match pty.as_ref().read(buffer) {
                // Linux reports the end of a terminal in this way.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => Ok(Got::End),
                result => result.map(|count| got(Stream::Stdout, count)),
            },
            // A write of no bytes is a datagram, too.
            Self::Queue(queue) => queue.receive(buffer).map(|datagram| match datagram {
                Some((stream, count @ 1..)) => Got::Bytes(stream, count),
                _ => Got::Nothing,
            }),
        };
        match got {
            Err(error)
                if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) =>
            {
                Ok(Got::Nothing)
            }
            got => got,
        }
    }

    /// Closes our copies of the command's ends. Call it once the command has exited.
    pub(super) fn exited(&mut self) {
        match self {
            Self::Pipe(..) => {}
            Self::Terminal(_, copy) => *copy = None,
            Self::Queue(queue) => queue.exited(),
        }
    }

    /// Returns the maximum number of bytes that can be read at the moment.
    pub(super) fn unread_bytes(&self) -> u64 {
        match self {
            Self::Pipe(_, pipe) => rustix::io::ioctl_fionread(pipe).unwrap_or(0),
            Self::Terminal(..) => TERMINAL_BYTES,
            Self::Queue(queue) => queue.capacity_bytes() as u64,
        }
    }

    /// Returns the time after which [`Source::has_ended`] is to be called if there is nothing to
    /// read; `None` if a read reports the end.
    pub(super) fn check_after(&self) -> Option<Duration> {
        match self {
            Self::Pipe(..) | Self::Terminal(..) => None,
            Self::Queue(queue) => queue.check_after(),
        }
    }

    /// Returns true if the source, which was found empty just now, is at its end.
    pub(super) fn has_ended(&mut self) -> bool {
        match self {
            Self::Pipe(..) | Self::Terminal(..) => false,
            Self::Queue(queue) => queue.has_ended(),
        }
    }

    /// Makes later writes to a stream fail, because the reader of that stream is gone. Returns true
    /// if the source must be dropped for that.
    pub(super) fn cut(&self, stream: Stream) -> bool {
        match self {
            Self::Pipe(..) | Self::Terminal(..) => true,
            Self::Queue(queue) => {
                queue.cut(stream);
                false
            }
        }
    }

    /// Returns its stream, and a descriptor from which another program can read the stream.
    ///
    /// # Errors
    /// If other programs cannot read from this source, or there is no free descriptor.
    pub(super) fn for_other_program(&self) -> io::Result<(Stream, OwnedFd)> {
        match self {
            Self::Pipe(stream, pipe) => Ok((*stream, pipe.as_fd().try_clone_to_owned()?)),
            Self::Terminal(pty, _) => {
                // Another program expects a descriptor in blocking mode.
                rustix::io::ioctl_fionbio(pty, false)?;
                Ok((Stream::Stdout, pty.as_fd().try_clone_to_owned()?))
            }
            Self::Queue(_) => Err(ErrorKind::Unsupported.into()),
        }
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Pipe(_, pipe) => pipe.as_fd(),
            Self::Terminal(pty, _) => pty.as_fd(),
            Self::Queue(queue) => queue.socket().as_fd(),
        }
    }
}

/// Returns the result of a read from a stream, where 0 bytes are its end.
fn got(stream: Stream, count: usize) -> Got {
    if count == 0 { Got::End } else { Got::Bytes(stream, count) }
}
