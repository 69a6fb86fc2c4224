//! A queue of datagrams with two senders, one for each stream of a command. It keeps the streams
//! apart and their writes in order.
//!
//! ```text
//! command ─stdout─► sender ┐
//!         ─stderr─► sender ┴─► one queue of the kernel ─► (sender, bytes), in order of the writes
//! ```
//!
//! Each write of the command is one datagram. The name of its sender identifies the stream. All
//! names are in a private directory, so no other user can send to the queue.
//!
//! A queue has no end of stream. A stream has ended if no process has its sender open: connecting
//! to the sender's name is then refused.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt;
use tempfile::TempDir;

use crate::cri::{PerStream, Stream};

/// The maximum length of a write of the command, if the system allows it. The kernel copies most of
/// a datagram to contiguous memory, which limits it to about 4 MiB.
const LARGEST_BYTES: usize = 4 << 20;
/// The bytes of a send buffer that a datagram cannot use.
const OVERHEAD_BYTES: usize = 32;
/// The pause between two checks for processes that have a sender open, after the command has
/// exited.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// The receiving end of a queue.
pub(super) struct Queue {
    socket: UnixDatagram,
    /// The directory of the names.
    dir: TempDir,
    /// Our copies of the senders, for [`Queue::cut`]. `None` once the command has exited.
    senders: Option<PerStream<OwnedFd>>,
    /// True if no process had a sender open at the last check.
    is_closed: bool,
    send_buffer_bytes: usize,
}

impl Queue {
    /// Creates a queue. Returns it with its senders, for stdout and stderr.
    ///
    /// # Errors
    /// If there is no directory for temporary files, or there are no free descriptors.
    pub(super) fn new() -> io::Result<(Self, [OwnedFd; 2])> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("queue");
        let socket = UnixDatagram::bind(&path)?;
        socket.set_nonblocking(true)?;
        let sender = |stream: Stream| {
            let sender = UnixDatagram::bind(dir.path().join(stream.as_str()))?;
            sender.connect(&path)?;
            widen(&sender);
            io::Result::Ok(OwnedFd::from(sender))
        };
        let [stdout, stderr] = [sender(Stream::Stdout)?, sender(Stream::Stderr)?];
        let send_buffer_bytes = sockopt::socket_send_buffer_size(&stdout)?;
        let senders = Some(PerStream { stdout: stdout.try_clone()?, stderr: stderr.try_clone()? });
        let queue = Self { socket, dir, senders, is_closed: false, send_buffer_bytes };
        Ok((queue, [stdout, stderr]))
    }

    /// Returns its socket, for `poll`.
    pub(super) fn socket(&self) -> &UnixDatagram {
        &self.socket
    }

    /// Returns the length of the buffer that is needed for the longest datagram.
    pub(super) fn longest_bytes(&self) -> usize {
        self.send_buffer_bytes
    }

    /// Returns the maximum number of bytes in the queue. The send buffers limit it.
    pub(super) fn capacity_bytes(&self) -> usize {
        2 * self.send_buffer_bytes
    }

    /// Receives the next datagram, and returns its stream and its length in bytes. Returns `None`
    /// if its sender is unknown.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<(Stream, usize)>> {
        let (count, sender) = self.socket.recv_from(buffer)?;
        let path = sender.as_pathname();
        let stream = Stream::ALL.into_iter().find(|stream| path == Some(&self.name(*stream)));
        Ok(stream.map(|stream| (stream, count)))
    }

    /// Makes later writes of the command to a stream fail, because their reader is gone.
    pub(super) fn cut(&self, stream: Stream) {
        if let Some(senders) = &self.senders {
            // On failure, the writes are still received.
            let _ = rustix::net::connect_unspec(senders.get(stream));
        }
    }

    /// Closes our senders. Call it once the command has exited.
    pub(super) fn exited(&mut self) {
        self.senders = None;
        self.is_closed = self.has_no_senders();
    }

    /// Returns the time after which [`Queue::has_ended`] is to be called if no datagram arrives;
    /// `None` if the command is still running.
    pub(super) fn check_after(&self) -> Option<Duration> {
        let after = if self.is_closed { Duration::ZERO } else { CHECK_INTERVAL };
        self.senders.is_none().then_some(after)
    }

    /// Returns true if the queue, which the caller found empty just now, is at its end. A process
    /// may send and exit between a look at the queue and a check of the senders, so the end is
    /// certain only if the queue is empty after a check.
    pub(super) fn has_ended(&mut self) -> bool {
        let was_closed = self.is_closed;
        self.is_closed = self.has_no_senders();
        was_closed
    }

    /// Returns true if no process has a sender open; false if that is unknown.
    fn has_no_senders(&self) -> bool {
        self.senders.is_none() && Stream::ALL.iter().all(|stream| is_refused(&self.name(*stream)))
    }

    fn name(&self, stream: Stream) -> PathBuf {
        self.dir.path().join(stream.as_str())
    }
}

/// Returns true if the socket with this name has been closed. Connecting has no effect on an open
/// one.
fn is_refused(name: &Path) -> bool {
    let connected = UnixDatagram::unbound().and_then(|socket| socket.connect(name));
    connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Enlarges the send buffer, which limits the length of a write. The kernel doubles the requested
/// size. Ignores errors: only privileged users may exceed the system's limit.
fn widen(sender: &UnixDatagram) {
    let bytes = LARGEST_BYTES / 2 + OVERHEAD_BYTES;
    #[cfg(target_os = "linux")]
    let widened = sockopt::set_socket_send_buffer_size_force(sender, bytes).is_ok();
    #[cfg(not(target_os = "linux"))]
    let widened = false;
    if !widened {
        let _ = sockopt::set_socket_send_buffer_size(sender, bytes);
    }
}
