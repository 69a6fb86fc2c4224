//! The real binary in a real terminal.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use base64::prelude::{BASE64_STANDARD, Engine};
use pty_process::blocking::{Command, Pts, Pty};
use rundown::cri::Stream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use rustix::termios::{Termios, tcgetattr};
use vt100::{Callbacks, MouseProtocolMode, Parser, Screen};

use super::TIMEOUT;
use super::built::{Built, run_id};

/// The screen of the terminal, with a signal for each change.
pub struct Shown {
    pub parser: Mutex<Parser<Effects>>,
    pub changed: Condvar,
}

/// The effects of a terminal's output outside its screen.
#[derive(Default)]
pub struct Effects {
    /// The text that was copied last, in base64.
    copied: Vec<u8>,
    bells: usize,
    /// The last unknown OSC sequence, which may be a desktop notification.
    notice: String,
    /// The number of frames drawn, each a synchronized update.
    frames: usize,
}

impl Callbacks for Effects {
    fn copy_to_clipboard(&mut self, _: &mut Screen, _: &[u8], data: &[u8]) {
        self.copied = data.to_vec();
    }

    fn audible_bell(&mut self, _: &mut Screen) {
        self.bells += 1;
    }

    fn unhandled_csi(
        &mut self,
        _: &mut Screen,
        lead: Option<u8>,
        _: Option<u8>,
        params: &[&[u16]],
        last: char,
    ) {
        self.frames += usize::from((lead, params, last) == (Some(b'?'), &[&[2026]], 'l'));
    }

    fn unhandled_osc(&mut self, _: &mut Screen, params: &[&[u8]]) {
        self.notice = String::from_utf8(params.join(&b';')).unwrap();
    }
}

impl Shown {
    /// Waits until the screen is as expected.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Screen) -> bool) {
        self.wait_until(what, |parser| wanted(parser.screen()));
    }

    fn wait_until(&self, what: &str, wanted: impl Fn(&Parser<Effects>) -> bool) {
        let end = Instant::now() + TIMEOUT;
        let mut parser = self.parser.lock().unwrap();
        while !wanted(&parser) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}:\n{}", parser.screen().contents());
            parser = self.changed.wait_timeout(parser, left).unwrap().0;
        }
    }

    pub fn wait_for_copy(&self, text: &str) {
        let encoded = BASE64_STANDARD.encode(text);
        self.wait_until(text, |parser| parser.callbacks().copied == encoded.as_bytes());
    }

    pub fn wait_for_text(&self, text: &str) {
        self.wait_for(text, |screen| screen.contents().contains(text));
    }
}

/// rundown in a terminal of 80x24 cells.
pub struct Session {
    pub shown: Arc<Shown>,
    pub pty: Arc<Pty>,
    /// Kept open, so that the terminal outlives the program.
    pts: Pts,
    before: Termios,
    pub pid: Pid,
    exits: Receiver<ExitStatus>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Session {
    pub fn start(store: &Built, env: &[(&str, &str)]) -> Self {
        Self::start_with(store, &[], env)
    }

    pub fn start_with(store: &Built, args: &[&str], env: &[(&str, &str)]) -> Self {
        let root = ["--root".as_ref(), store.root().as_os_str()];
        Self::of(&[&args.iter().map(AsRef::as_ref).collect::<Vec<_>>(), &root[..]].concat(), env)
    }

    pub fn of(args: &[&OsStr], env: &[(&str, &str)]) -> Self {
        Self::of_program(env!("CARGO_BIN_EXE_rundown").as_ref(), args, env)
    }

    pub fn of_program(program: &OsStr, args: &[&OsStr], env: &[(&str, &str)]) -> Self {
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(pty_process::Size::new(24, 80)).unwrap();
        let before = tcgetattr(&pts).unwrap();
        let mut command = Command::new(program)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs([
                ("TERM", "xterm-256color"),
                ("TZ", "UTC"),
                ("LANG", "C.UTF-8"),
                ("XDG_CONFIG_HOME", "/nowhere"),
            ])
            .envs(env.iter().copied());
        let child = command.spawn_borrowed(&pts).unwrap();
        let pid = Pid::from_child(&child);
        let size = |n| NonZeroU16::new(n).unwrap();
        let parser = Parser::new_with_callbacks(size(24), size(80), 0, Effects::default());
        let shown = Shown { parser: Mutex::new(parser), changed: Condvar::new() };
        let (shown, pty, stop) = (Arc::new(shown), Arc::new(pty), Arc::new(AtomicBool::new(false)));
        let reader = thread::spawn({
            let (shown, pty, stop) = (Arc::clone(&shown), Arc::clone(&pty), Arc::clone(&stop));
            move || read(&pty, &shown, &stop)
        });
        Self { shown, pty, pts, before, pid, exits: wait(child), stop, reader: Some(reader) }
    }

    pub fn press(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    pub fn kill(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Returns the number of bells so far.
    pub fn bells(&self) -> usize {
        self.shown.parser.lock().unwrap().callbacks().bells
    }

    pub fn wait_for_notice(&self, notice: &str) {
        self.shown.wait_until(notice, |parser| parser.callbacks().notice == notice);
    }

    /// Reports another size to the program. The screen of the emulator keeps its size.
    pub fn report_size(&self, columns: u16, rows: u16) {
        self.pty.resize(pty_process::Size::new(rows, columns)).unwrap();
    }

    /// Changes the size of the screen, and reports it to the program.
    pub fn resize(&self, columns: u16, rows: u16) {
        let [height, width] = [rows, columns].map(|n| NonZeroU16::new(n).unwrap());
        self.shown.parser.lock().unwrap().screen_mut().set_size(height, width);
        self.report_size(columns, rows);
    }

    /// Changes the size of the screen to 90x30, prints a row, and waits for a whole frame with it.
    pub fn settle(&self, store: &Built, row: &str) {
        self.resize(90, 30);
        store.print(&run_id(1), "build", 1, 30, Stream::Stdout, &format!("{row}\n"));
        self.shown.wait_for("a frame of the last size", |screen| {
            let hints = screen.rows(0, 90).nth(29).unwrap_or_default();
            screen.contents().contains(row) && hints.contains("help")
        });
    }

    /// Reports another size to the program, and waits for a frame after that.
    pub fn redraw(&self, columns: u16, rows: u16) {
        let before = self.shown.parser.lock().unwrap().callbacks().frames;
        self.report_size(columns, rows);
        let size = format!("a frame at {columns}x{rows}");
        self.shown.wait_until(&size, |parser| parser.callbacks().frames > before);
    }

    pub fn wait_until_stopped(&self) {
        let (stopped, stops) = channel();
        let pid = WaitId::Pid(self.pid);
        thread::spawn(move || stopped.send(waitid(pid, WaitIdOptions::STOPPED).is_ok()));
        assert!(stops.recv_timeout(TIMEOUT).unwrap(), "it stops");
    }

    pub fn exit(&self) -> ExitStatus {
        self.exits.recv_timeout(TIMEOUT).unwrap()
    }

    /// Asserts that the main screen, the mouse, the cursor and the line settings are restored.
    pub fn assert_given_back(&self) {
        self.shown.wait_for("the main screen", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && screen.mouse_protocol_mode() == MouseProtocolMode::None
        });
        self.assert_modes_given_back();
    }

    /// Asserts that the line settings are restored.
    pub fn assert_modes_given_back(&self) {
        let after = tcgetattr(&self.pts).unwrap();
        assert_eq!(after.local_modes, self.before.local_modes);
        assert_eq!(after.input_modes, self.before.input_modes);
        assert_eq!(after.output_modes, self.before.output_modes);
    }

    /// Stops reading from the terminal. Once its buffer is full, the program cannot write to it any
    /// more.
    pub fn stop_reading(&mut self) {
        self.end_reader();
    }

    /// Closes the terminal. The returned channel receives the exit status of the program.
    pub fn close(mut self) -> Receiver<ExitStatus> {
        self.end_reader();
        let (_, unused) = channel();
        std::mem::replace(&mut self.exits, unused)
    }

    fn end_reader(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end_reader();
    }
}

fn read(mut pty: &Pty, shown: &Shown, stop: &AtomicBool) {
    let mut buffer = vec![0; 1 << 16];
    let pause = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    while !stop.load(Ordering::Relaxed) {
        let mut fds = [PollFd::new(pty, PollFlags::IN)];
        if !poll(&mut fds, Some(&pause)).is_ok_and(|ready| ready > 0) {
            continue;
        }
        let Ok(bytes) = pty.read(&mut buffer) else { return };
        shown.parser.lock().unwrap().process(&buffer[..bytes]);
        shown.changed.notify_all();
    }
}

fn wait(mut child: Child) -> Receiver<ExitStatus> {
    let (send, exits) = channel();
    thread::spawn(move || send.send(child.wait().unwrap()));
    exits
}
