//! `--follow`: prints a run as plain lines while it runs. This also replaces the screen on a dumb
//! terminal, and if `ACCESSIBLE` is set.

use std::io::{self, BufWriter, IsTerminal, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::args::{FormatName, LookArgs, View};
use super::config::Config;
use super::place::is_switched_on;
use super::{color, exit_status, no_exit_status, print_notice, print_notices};
use crate::catalog::{Catalog, RunSpec};
use crate::ci;
use crate::dump::{self, FollowOptions, Followed, Hooks};
use crate::error::{Error, Result};
use crate::{display, sanitize};

/// The pause between two polls.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Returns true if plain lines replace the screen: if `ACCESSIBLE` is set, or if `TERM` is `dumb`.
pub(super) fn is_plain() -> bool {
    is_switched_on("ACCESSIBLE") || std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Rejects options that conflict with `--follow`.
pub(super) fn check(view: &View) -> Result<()> {
    let why = match (&view.output.format, &view.screen.at) {
        (Some(FormatName::Text) | None, None) => return Ok(()),
        (_, Some(_)) => {
            "--at applies to the screen; --follow starts at the first row, or with --tail N at the \
             last N rows"
        }
        (Some(_), _) => "--follow prints text only; for another --format, use --once",
    };
    Err(Error::Usage(why.into()))
}

/// Prints a run until it has ended.
///
/// A closed pipe is an error that ends the function early. With `--exit-status`, it is not: the run
/// is followed to its end without further output.
pub(super) fn run(view: &View, mut catalog: Catalog, spec: Option<RunSpec>) -> anyhow::Result<u8> {
    if view.output.exit_status && catalog.root().is_none() {
        return Err(no_exit_status().into());
    }
    leave_on_signals()?;
    let stdout = io::stdout();
    let look = view.look(color(&stdout))?;
    let wanted = FollowOptions { spec, filter: view.narrow.filter(), selection: view.selection() };
    let discards = view.output.exit_status;
    let mut out = ci::Output::new(BufWriter::new(Discarding {
        out: stdout.lock(),
        discards,
        is_closed: false,
    }));
    let mut pause = || if discards { pause(&mut []) } else { pause_while_read() };
    let mut hooks = Hooks { show: &mut print_notice, pause: &mut pause };
    let followed = dump::follow(&mut catalog, &wanted, &look, &mut hooks, &mut out)?;
    if stdout.is_terminal() && is_to_notify(&view.screen.look) {
        notify(&followed, &mut out).map_err(Error::Output)?;
    }
    print_notices(&catalog.notices());
    let status = if view.output.exit_status { exit_status(&followed.head)? } else { 0 };
    Ok(if followed.unreadable { 6 } else { status })
}

/// Returns true if the user requested a notification for the end of the run. A faulty configuration
/// is ignored, because most of its settings apply to the screen only.
fn is_to_notify(look: &LookArgs) -> bool {
    look.notify || Config::load(look.config.as_deref()).is_ok_and(|config| config.settings.notify)
}

fn notify(followed: &Followed, out: &mut impl Write) -> io::Result<()> {
    if !followed.was_seen_running {
        return Ok(());
    }
    out.write_all(sanitize::notification(&display::ended(&followed.head)).as_bytes())?;
    out.flush()
}

/// An output that discards all further data once its pipe is closed, if `discards` is true.
/// Otherwise, writing to the closed pipe is an error.
struct Discarding<W> {
    out: W,
    discards: bool,
    is_closed: bool,
}

impl<W: Write> Write for Discarding<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Ok(bytes.len());
        }
        let written = self.out.write(bytes);
        self.unless_discarded(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let flushed = self.out.flush();
        self.unless_discarded(flushed, ())
    }
}

impl<W> Discarding<W> {
    fn unless_discarded<T>(&mut self, result: io::Result<T>, discarded: T) -> io::Result<T> {
        self.is_closed = self.discards
            && matches!(&result, Err(error) if error.kind() == io::ErrorKind::BrokenPipe);
        if self.is_closed { Ok(discarded) } else { result }
    }
}

/// Pauses as [`pause`] does. Fails if the reader of stdout is gone, even if there is nothing to
/// write.
pub(super) fn pause_while_read() -> io::Result<()> {
    pause(&mut [PollFd::new(&io::stdout(), PollFlags::empty())])
}

/// Waits for [`PAUSE`]. Fails as soon as a pipe among `outputs` is closed.
fn pause(outputs: &mut [PollFd<'_>]) -> io::Result<()> {
    // Errors are ignored: a signal only shortens the wait.
    let _ = poll(outputs, Some(&PAUSE));
    let gone = PollFlags::ERR | PollFlags::HUP;
    let is_gone = outputs.iter().any(|output| output.revents().intersects(gone));
    if is_gone { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
}

/// Makes SIGINT and SIGTERM end the program at once, even during a read that hangs. There is
/// nothing to clean up.
fn leave_on_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Error::Terminal)?;
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            std::process::exit(128 + signal);
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(wait)
        .map(drop)
        .map_err(Error::Terminal)
}
