//! The forms of the connection between a command and the recorder.

/// The connection of a command's stdout and stderr to the recorder.
///
/// No form has every advantage:
///
/// | form | order of the two streams | the streams in the log | the command sees |
/// |---|---|---|---|
/// | [`Apart`](Self::Apart) | may be wrong by milliseconds | apart | two pipes |
/// | [`Merge`](Self::Merge) | exact | all stdout | one pipe |
/// | [`Pty`](Self::Pty) | exact | all stdout | a terminal |
/// | [`Exact`](Self::Exact) | exact | apart | two datagram sockets |
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Output {
    /// Two pipes. Each stream is recorded byte for byte. Under load, lines of different streams
    /// that were written within milliseconds of each other may change places.
    #[default]
    Apart,
    /// One pipe for both streams, as with `2>&1`. Everything is recorded and passed on as stdout.
    Merge,
    /// One terminal for both streams, with our window size. Everything is recorded and passed on as
    /// stdout. The command has a session of its own, with the terminal as its controlling terminal.
    ///
    /// - If our stdin is a terminal, it is in raw mode while the command runs, and its input is
    ///   passed on. Any other stdin is inherited: the command reads it byte for byte to its end.
    /// - The terminal writes `\r\n` for `\n`. The log has the `\n` of the command: one `\r` before
    ///   each `\n` is left out.
    /// - A background process loses its terminal when the command exits, as in a window that is
    ///   closed.
    Pty,
    /// Two datagram sockets with one queue. This affects some commands:
    ///
    /// - One write of more than 415 KiB fails with `EMSGSIZE`. (The limit is twice
    ///   `net.core.wmem_max` less 32 bytes, but at most 4 MiB; with `CAP_NET_ADMIN`, 4 MiB.)
    /// - `/dev/stdout` and `/dev/stderr` cannot be opened (`ENXIO`), for example by
    ///   `echo >/dev/stderr` in a shell.
    /// - Node.js discards all output to a datagram socket.
    /// - If the reader of our output is gone, a write fails with `ENOTCONN`, without a SIGPIPE.
    /// - The output of a background process is not passed on after we exit.
    Exact,
}

impl Output {
    /// All forms, the default first.
    pub const ALL: [Self; 4] = [Self::Apart, Self::Merge, Self::Pty, Self::Exact];

    /// Returns its name in a configuration or a pipeline.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Apart => "apart",
            Self::Merge => "merge",
            Self::Pty => "pty",
            Self::Exact => "exact",
        }
    }
}
