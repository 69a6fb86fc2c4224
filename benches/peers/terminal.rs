//! A program in a terminal of 120x40, seen as a user sees it: the screen of an emulator, not the
//! bytes that were sent.
//!
//! Nobody but the one who waits reads the terminal: no thread stands between a byte that comes and
//! the look at the screen. What the emulator takes to draw a flood is in the times of all that
//! flood it.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vt100::{Parser, Screen};

use crate::process::{Memory, Watch};

const ROWS: NonZeroU16 = NonZeroU16::new(40).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(120).unwrap();
/// The one time-out: the slowest that is waited for reads 1 GiB in 10 s.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// So much of a flood is drawn between two looks at the screen.
const LOOK_BYTES: usize = 1 << 16;

/// A program in a terminal.
pub struct Terminal {
    pty: Pty,
    child: Child,
    watch: Watch,
    parser: Parser,
    buffer: Vec<u8>,
    /// Just before it was started.
    pub begin: Instant,
}

impl Terminal {
    /// Starts a program that finds nothing of the user's: `home` is a directory for what it may
    /// write.
    pub fn start(program: &Path, args: &[&OsStr], home: &Path) -> Result<Self> {
        let (pty, pts) = open()?;
        pty.resize(Size::new(ROWS.get(), COLUMNS.get()))?;
        let command = Command::new(program)
            .args(args)
            .env_clear()
            .envs([
                ("TERM", "xterm-256color"),
                ("LANG", "C.UTF-8"),
                ("TZ", "UTC"),
                ("LESSHISTFILE", "-"),
            ])
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home);
        let begin = Instant::now();
        let child =
            command.spawn(pts).with_context(|| format!("cannot run {}", program.display()))?;
        let watch = Watch::start(child.id());
        Ok(Self {
            pty,
            child,
            watch,
            parser: Parser::new(ROWS, COLUMNS, 0),
            buffer: vec![0; 1 << 16],
            begin,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn screen(&self) -> &Screen {
        self.parser.screen()
    }

    pub fn press(&mut self, keys: &str) -> Result<()> {
        Ok(self.pty.write_all(keys.as_bytes())?)
    }

    /// When the screen was first seen as wanted; `None` when it did not become so, in this time or
    /// before the program's end.
    pub fn wait(
        &mut self,
        patience: Duration,
        mut wanted: impl FnMut(&Screen) -> bool,
    ) -> Result<Option<Instant>> {
        let end = Instant::now() + patience;
        loop {
            if wanted(self.parser.screen()) {
                return Ok(Some(Instant::now()));
            }
            if !self.draw(end.saturating_duration_since(Instant::now()))? {
                return Ok(None);
            }
        }
    }

    pub fn wait_for(&mut self, text: &str) -> Result<Option<Instant>> {
        self.wait(PATIENCE, |screen| screen.contents().contains(text))
    }

    /// Draws what comes in this time.
    pub fn rest(&mut self, time: Duration) -> Result<()> {
        self.wait(time, |_| false).map(|_| ())
    }

    /// The most memory that it has had. Ends it.
    pub fn end(mut self) -> Result<Memory> {
        let peak = self.watch.end();
        self.child.kill()?;
        self.child.wait()?;
        Ok(peak)
    }

    /// Draws what comes next; whether anything came.
    fn draw(&mut self, patience: Duration) -> Result<bool> {
        let mut drawn = 0;
        while drawn < LOOK_BYTES
            && self.is_ready(if drawn == 0 { patience } else { Duration::ZERO })?
        {
            // Reading fails once the program has ended.
            let Ok(bytes @ 1..) = self.pty.read(&mut self.buffer) else { break };
            self.parser.process(self.buffer.get(..bytes).unwrap_or_default());
            drawn += bytes;
        }
        Ok(drawn > 0)
    }

    fn is_ready(&self, patience: Duration) -> Result<bool> {
        let patience = Timespec::try_from(patience)?;
        let mut fds = [PollFd::new(&self.pty, PollFlags::IN)];
        Ok(poll(&mut fds, Some(&patience))? > 0)
    }
}
