//! The output of processes that a command left behind, after it is no longer recorded.
//!
//! Such a process must not lose the reader of its output: a server would be killed by SIGPIPE when
//! we exit. So a detached process, the *relay*, takes over our end and passes the output on. It
//! ignores the signals that end a job, and ends when no process has the output open any more. If
//! the destination is closed, it reads on and discards the rest.
//!
//! The relay is `cat`, started by a shell that exits at once, so no zombie is left. It holds our
//! stdout or stderr open, but so would the process itself if it were not recorded.

use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags};

use super::source::{Got, Source};
use crate::cri::PerStream;
use crate::record::sink::Tee;

/// Descriptor 3 is needed because a shell gives a background job an empty stdin.
const SCRIPT: &str = "command -v cat >/dev/null || exit 1
trap '' HUP INT QUIT PIPE ALRM TERM TSTP TTIN TTOU USR1 USR2
exec 3<&0
{ cat; exec cat >/dev/null; } <&3 3<&- &";

/// A source that another process still writes to, and the destinations of its output.
pub(super) struct Rest {
    pub(super) source: Source,
    pub(super) tees: PerStream<Tee>,
}

/// Passes on the rest of the output. Returns a message for the user; `None` if there is no rest.
pub(super) fn pass_on(rests: Vec<Rest>) -> Option<String> {
    let held = match rests.as_slice() {
        [] => return None,
        [Rest { source: Source::Pipe(stream, _), .. }] => stream.as_str(),
        _ => "output",
    };
    // Every rest is passed on, even after a failure.
    let unrelayed = rests.into_iter().filter_map(|rest| (!rest.pass_on()).then_some(())).count();
    let until = if unrelayed > 0 { ", and fails once rundown exits" } else { "" };
    Some(format!(
        "the command exited, but a background process still holds its {held} open: later output \
         is passed on but not recorded{until}"
    ))
}

impl Rest {
    /// Passes on the rest. Returns false if this ends when we exit.
    fn pass_on(self) -> bool {
        let is_relayed = self.start_relay().is_ok();
        if !is_relayed {
            // If no thread can be started, the effect is the same as if we had already exited.
            let _ = std::thread::Builder::new().name("left behind".into()).spawn(|| self.read());
        }
        is_relayed
    }

    fn start_relay(&self) -> io::Result<()> {
        let (stream, from) = self.source.for_other_program()?;
        let to = self.tees.get(stream).duplicate()?.map_or_else(Stdio::null, Stdio::from);
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT]).stdin(from).stdout(to).stderr(Stdio::null());
        // The directory may be on a file system that is to be unmounted.
        let status = shell.current_dir("/").process_group(0).status()?;
        if status.success() { Ok(()) } else { Err(ErrorKind::Other.into()) }
    }

    /// Passes on the rest until we exit.
    fn read(mut self) {
        let mut buffer = self.source.buffer();
        loop {
            let _ = rustix::event::poll(&mut [PollFd::new(&self.source, PollFlags::IN)], None);
            match self.source.read(&mut buffer) {
                Ok(Got::Bytes(stream, count)) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    let _ = self.tees.get_mut(stream).pass(bytes);
                }
                Ok(Got::Nothing) => {}
                Ok(Got::End) | Err(_) => return,
            }
        }
    }
}
