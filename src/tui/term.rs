//! The terminal. It is restored when the user leaves, and after an error, a panic or a signal
//! (which ends the loop).
//!
//! Errors while restoring the terminal are ignored: the terminal may be gone, and the panic hook
//! must not panic.

use std::io::{self, Stdout, Write};
use std::mem::ManuallyDrop;
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::style::{Print, force_color_output};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::layout::{Rect, Size};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};
use rustix::stdio::stdin;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::SIGTSTP;

use crate::error::{Error, Result};
use crate::panics;
use crate::sanitize::notification;
use crate::tui::layout;

/// True if there is something to restore.
static TAKEN: AtomicBool = AtomicBool::new(false);

type Hook = Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// The terminal while rundown draws on it.
pub(super) struct Screen {
    /// Never dropped: a drop would show the cursor once more and, on failure, print to stderr,
    /// which may be gone too.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
    /// The part of the terminal that is drawn.
    area: Rect,
    mouse: bool,
    /// The modes of the terminal before it was taken.
    modes: Option<Termios>,
    previous_hook: Hook,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn take() -> Result<Self> {
        // NO_COLOR is handled by the monochrome theme. crossterm's own reaction to NO_COLOR also
        // resets bold and reverse video.
        force_color_output(true);
        let (previous_hook, modes) = (chain_hook(), tcgetattr(stdin()).ok());
        let taken = take(true).and_then(|()| begin());
        match taken {
            Ok((terminal, area)) => {
                let terminal = ManuallyDrop::new(terminal);
                Ok(Self { terminal, area, mouse: true, modes, previous_hook })
            }
            Err(error) => {
                give_back();
                unchain_hook(previous_hook);
                Err(Error::Terminal(error))
            }
        }
    }

    /// Returns the numbers of columns and rows.
    pub(super) fn size(&self) -> Result<(u16, u16)> {
        let size = self.terminal.size().map_err(Error::Terminal)?;
        Ok((size.width, size.height))
    }

    /// Draws a frame. A terminal that supports synchronized updates shows the whole frame at once.
    pub(super) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> Result<()> {
        self.try_draw(view).map_err(Error::Terminal)
    }

    fn try_draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let area = drawn(self.terminal.size()?);
        if area != self.area {
            self.area = area;
            self.terminal.resize(area)?;
        }
        self.terminal.draw(view)?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    /// Captures or releases the mouse. While the mouse is released, the terminal's own selection
    /// works.
    pub(super) fn capture_mouse(&mut self, on: bool) -> Result<()> {
        self.mouse = on;
        let backend = self.terminal.backend_mut();
        let done = if on {
            execute!(backend, EnableMouseCapture)
        } else {
            execute!(backend, DisableMouseCapture)
        };
        done.map_err(Error::Terminal)
    }

    /// Takes the terminal back from another program, and resets the modes that the program may have
    /// changed.
    pub(super) fn take_back(&mut self) -> Result<()> {
        if let Some(modes) = &self.modes {
            // If the terminal is gone, its next use reports that.
            let _ = tcsetattr(stdin(), OptionalActions::Now, modes);
        }
        self.retake()
    }

    /// Forgets the content of the screen, and takes the terminal again in case another program had
    /// it.
    pub(super) fn retake(&mut self) -> Result<()> {
        let _ = disable_raw_mode();
        take(self.mouse).and_then(|()| self.clear()).map_err(Error::Terminal)
    }

    /// Clears the screen by a resize. `Terminal::clear` would query the cursor position, and the
    /// input thread would take the answer.
    fn clear(&mut self) -> io::Result<()> {
        self.terminal.resize(self.area)
    }

    /// Copies a text to the clipboard of the user at the terminal (OSC 52). This also works over
    /// ssh.
    pub(super) fn copy(&mut self, text: &str) -> Result<()> {
        execute!(self.terminal.backend_mut(), CopyToClipboard::to_clipboard_from(text))
            .map_err(Error::Terminal)
    }

    /// Notifies the user at the terminal with a text.
    pub(super) fn notify(&mut self, text: &str) -> Result<()> {
        execute!(self.terminal.backend_mut(), Print(notification(text))).map_err(Error::Terminal)
    }

    /// Restores the terminal and stops this process until it is continued.
    pub(super) fn suspend(&mut self) -> Result<()> {
        give_back();
        stop()?;
        self.retake()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
        panics::print_deferred();
        if !thread::panicking() {
            unchain_hook(Arc::clone(&self.previous_hook));
        }
    }
}

/// Stops this process, as a job of the shell, until it is continued.
pub(super) fn stop() -> Result<()> {
    // Raises SIGSTOP; returns after SIGCONT.
    signal_hook::low_level::emulate_default_handler(SIGTSTP).map_err(Error::Terminal)
}

/// Ends the program from another thread, because the drawing thread is stuck. Restores only the
/// modes that need no output.
pub(super) fn leave_at_once(signal: i32) {
    let _ = disable_raw_mode();
    signal_hook::low_level::exit(128 + signal);
}

/// Prepares to draw on the terminal, and returns the part of it that is drawn. The viewport has a
/// fixed size, which is updated before each frame. A full-screen viewport would follow the reported
/// size, and its buffers would take 200 GB each for 65,535 columns and rows.
fn begin() -> io::Result<(Terminal<CrosstermBackend<Stdout>>, Rect)> {
    let backend = CrosstermBackend::new(io::stdout());
    let area = drawn(backend.size()?);
    let options = TerminalOptions { viewport: Viewport::Fixed(area) };
    Ok((Terminal::with_options(backend, options)?, area))
}

fn drawn(size: Size) -> Rect {
    layout::screen(size.width, size.height)
}

fn take(mouse: bool) -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    let mut out = io::stdout();
    execute!(out, EnterAlternateScreen)?;
    if mouse { execute!(out, EnableMouseCapture) } else { Ok(()) }
}

/// Restores the terminal until [`Screen::retake`]. Does nothing if it is already restored.
pub(super) fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _ = execute!(out, EndSynchronizedUpdate, DisableMouseCapture, LeaveAlternateScreen, Show);
    let _ = out.flush();
    let _ = disable_raw_mode();
}

/// Makes a panic of this thread restore the terminal before its report is printed. Other threads
/// catch their panics and show them on the screen; their reports are printed once the terminal has
/// been restored.
fn chain_hook() -> Hook {
    let previous: Hook = Arc::from(panic::take_hook());
    let next = Arc::clone(&previous);
    let drawing = thread::current().id();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == drawing {
            give_back();
            next(info);
        } else {
            panics::defer(info);
        }
    }));
    previous
}

fn unchain_hook(previous: Hook) {
    panic::set_hook(Box::new(move |info| previous(info)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    use pty_process::blocking::{Command, open};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::termios::tcgetattr;

    /// Runs in the child process of [`a_panic_gives_the_terminal_back`]; it is not a test of its
    /// own.
    #[test]
    #[ignore = "a process of its own, started by another test"]
    fn panics_in_a_terminal() {
        let Ok(place) = std::env::var("PANIC_IN") else { return };
        std::process::exit(i32::from(panics::guard(|| {
            let mut screen = Screen::take().unwrap();
            screen.draw(|frame| frame.render_widget("the screen", frame.area())).unwrap();
            let panics = || panic!("on purpose");
            if place == "main" {
                panics();
            }
            assert!(thread::spawn(panics).join().is_err());
            screen.draw(|frame| frame.render_widget("another screen", frame.area())).unwrap();
            drop(screen);
            panics::exit_code(0)
        })));
    }

    #[test]
    fn a_panic_gives_the_terminal_back() {
        for place in ["main", "another thread"] {
            let (mut pty, pts) = open().unwrap();
            pty.resize(pty_process::Size::new(24, 80)).unwrap();
            let before = tcgetattr(&pts).unwrap();
            let mut command = Command::new(std::env::current_exe().unwrap())
                .args([
                    "--ignored",
                    "--nocapture",
                    "--exact",
                    "tui::term::tests::panics_in_a_terminal",
                ])
                .env_remove("RUST_BACKTRACE")
                .env("PANIC_IN", place);
            let status = command.spawn_borrowed(&pts).unwrap().wait().unwrap();
            let mut printed = Vec::new();
            let mut buffer = [0; 4096];
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            while poll(&mut [PollFd::new(&pty, PollFlags::IN)], Some(&now)).unwrap() > 0 {
                let read = pty.read(&mut buffer).unwrap();
                printed.extend_from_slice(&buffer[..read]);
            }
            assert_eq!(status.code(), Some(70), "{place}");
            let mut parser = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0);
            parser.process(&printed);
            let (screen, printed) = (parser.screen(), String::from_utf8_lossy(&printed));
            assert!(
                !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste(),
                "{printed:?}"
            );
            assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "{printed:?}");
            // All of the report is on the main screen, once, and each of its lines begins at the
            // left.
            let shown = screen.contents();
            let begin = shown
                .find("rundown: bug: on purpose\n         in thread ")
                .unwrap_or_else(|| panic!("{shown}"));
            assert!(shown[begin..].contains("Please report this bug"), "{shown}");
            assert!(!shown.contains("the screen"), "{shown}");
            assert_eq!(printed.matches("on purpose").count(), 1, "{place}: {printed:?}");
            let after = tcgetattr(&pts).unwrap();
            assert_eq!(after.local_modes, before.local_modes);
            assert_eq!(
                (after.input_modes, after.output_modes),
                (before.input_modes, before.output_modes)
            );
        }
    }
}
