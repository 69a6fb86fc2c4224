//! A program in a terminal of 120x40 cells. A terminal emulator draws its output, and benchmarks
//! check the text on the screen.
//!
//! One thread reads the terminal, draws and checks, so times do not include a switch of threads.
//! They include the work of the emulator, which takes long for programs that print a lot.

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
/// The timeout of all waits. The slowest program needs 10 s, to read 1 GiB.
pub const TIMEOUT: Duration = Duration::from_mins(1);
/// The number of drawn bytes after which the screen is checked, even if more output is ready.
const LOOK_BYTES: usize = 1 << 16;

/// A program in a terminal.
pub struct Terminal {
    pty: Pty,
    child: Child,
    watch: Watch,
    parser: Parser,
    buffer: Vec<u8>,
    /// The time just before the program was started.
    pub begin: Instant,
}

impl Terminal {
    /// Starts a program without the user's files and settings. `home` is a directory that it may
    /// write to.
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

    /// Waits until `wanted` accepts the screen, and returns the time when it does. Returns `None`
    /// on a timeout, or if the program ends first.
    pub fn wait(
        &mut self,
        timeout: Duration,
        mut wanted: impl FnMut(&Screen) -> bool,
    ) -> Result<Option<Instant>> {
        let end = Instant::now() + timeout;
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
        self.wait(TIMEOUT, |screen| screen.contents().contains(text))
    }

    /// Draws output until `time` has passed or the program ends.
    pub fn rest(&mut self, time: Duration) -> Result<()> {
        self.wait(time, |_| false).map(|_| ())
    }

    /// Ends the program, and returns its peak memory.
    pub fn end(mut self) -> Result<Memory> {
        let peak = self.watch.end();
        self.child.kill()?;
        self.child.wait()?;
        Ok(peak)
    }

    /// Waits for output, and draws it. Returns false if no output arrives within `timeout`, or if
    /// the program has ended.
    fn draw(&mut self, timeout: Duration) -> Result<bool> {
        let mut drawn = 0;
        while drawn < LOOK_BYTES
            && self.is_ready(if drawn == 0 { timeout } else { Duration::ZERO })?
        {
            // A read fails if the program has ended.
            let Ok(bytes @ 1..) = self.pty.read(&mut self.buffer) else { break };
            self.parser.process(self.buffer.get(..bytes).unwrap_or_default());
            drawn += bytes;
        }
        Ok(drawn > 0)
    }

    fn is_ready(&self, timeout: Duration) -> Result<bool> {
        let timeout = Timespec::try_from(timeout)?;
        let mut fds = [PollFd::new(&self.pty, PollFlags::IN)];
        Ok(poll(&mut fds, Some(&timeout))? > 0)
    }
}
