//! A terminal for a command, and its newlines.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use pty_process::blocking::{Pts, Pty};
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{OptionalActions, Winsize, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

/// The size of a terminal if we have none.
const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// Opens a terminal. Returns our end in non-blocking mode, the command's end, and a copy of it. The
/// terminal has the size of ours and, if it gets our keyboard, its settings.
///
/// # Errors
/// If there is no free terminal or descriptor.
pub(super) fn open(has_keyboard: bool) -> io::Result<(Pty, Pts, OwnedFd)> {
    let (pty, pts) = pty_process::blocking::open().map_err(io_error)?;
    rustix::io::ioctl_fionbio(&pty, true)?;
    if let Some(settings) = has_keyboard.then(|| tcgetattr(stdin()).ok()).flatten() {
        tcsetattr(&pts, OptionalActions::Now, &settings)?;
    }
    tcsetwinsize(&pty, own_size().unwrap_or(SIZE))?;
    let copy = pts.as_fd().try_clone_to_owned()?;
    Ok((pty, pts, copy))
}

/// Returns the size of our terminal; `None` if we have none, or if it reports no size.
pub(super) fn own_size() -> Option<Winsize> {
    let sizes = [stdin(), stdout(), stderr()].into_iter().filter_map(|fd| tcgetwinsize(fd).ok());
    sizes.into_iter().find(|size| size.ws_row > 0 && size.ws_col > 0)
}

/// Returns the I/O error that an error of the terminal library contains.
pub(super) fn io_error(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(error) => error.into(),
    }
}

/// A conversion of the output of a terminal to the output of the command: leaves out one `\r`
/// before each `\n`, because the terminal adds it.
///
/// If a program switches that off, as an editor does, its own `\r` before a `\n` is missing from
/// the log.
#[derive(Default)]
pub(super) struct Newlines {
    /// True if the bytes so far ended with a `\r`, which is held back.
    holds_return: bool,
}

impl Newlines {
    /// Converts the next bytes. A `\r` at their end is held back.
    pub(super) fn convert(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut converted = Vec::with_capacity(bytes.len() + 1);
        for byte in bytes {
            if self.holds_return && *byte != b'\n' {
                converted.push(b'\r');
            }
            self.holds_return = *byte == b'\r';
            if !self.holds_return {
                converted.push(*byte);
            }
        }
        converted
    }

    /// Returns the `\r` that is held back, if there is one.
    pub(super) fn finish(&mut self) -> &'static [u8] {
        if std::mem::take(&mut self.holds_return) { b"\r" } else { b"" }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_return_before_each_newline_is_left_out() {
        let convert = |bytes: &[u8]| {
            let mut newlines = Newlines::default();
            let mut converted = newlines.convert(bytes);
            converted.extend(newlines.finish());
            converted
        };
        assert_eq!(convert(b"a\r\nb\r\r\n\r\n"), b"a\nb\r\n\n");
        assert_eq!(convert(b"10%\r20%\r\r"), b"10%\r20%\r\r");
        assert_eq!(convert(b"a\nb"), b"a\nb");
    }

    proptest! {
        #[test]
        fn the_output_of_a_terminal_is_converted_back(
            written in "[a\r\n]{0,40}",
            cuts in prop::collection::vec(1_usize..8, 1..20),
        ) {
            let shown = written.replace('\n', "\r\n").into_bytes();
            let mut newlines = Newlines::default();
            let (mut rest, mut converted) = (shown.as_slice(), Vec::new());
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() { break; }
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                converted.extend(newlines.convert(head));
                rest = tail;
            }
            converted.extend(newlines.finish());
            prop_assert_eq!(converted, written.into_bytes());
        }
    }
}
