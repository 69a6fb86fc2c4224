//! The thread that reads the terminal and sends keys, mouse events and sizes as messages.
//!
//! The thread polls with a timeout, so that it notices the end of the event loop. The timeout is
//! never zero: with a zero timeout, crossterm's `use-dev-tty` source reads nothing. If the terminal
//! vanishes, reading fails; the thread sends [`Msg::Lost`] and ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossterm::event::{self, Event, MouseButton, MouseEvent, MouseEventKind};

use signal_hook::consts::SIGWINCH;
use signal_hook::low_level::raise;

use super::keymap::Key;
use super::msg::{Mouse, Msg};

/// The poll timeout. The thread may end this long after the event loop, but nothing waits for it.
/// The timeout is not shorter because crossterm spends the last millisecond of every poll in a busy
/// loop.
const POLL: Duration = Duration::from_secs(10);

/// The longest wait for the thread to stop reading. A running thread stops at once; a thread that
/// has ended never reports that it stopped.
const PARTING: Duration = Duration::from_secs(1);

/// A gate that keeps the thread from reading while another program has the terminal. Otherwise each
/// of the two would get some of the keys.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Open,
    /// The gate is closing; the thread may still be reading.
    Closing,
    /// The thread waits at the gate.
    Closed,
}

impl Gate {
    /// Closes the gate and waits until the thread no longer reads. SIGWINCH, the only signal that
    /// ends its poll, wakes the thread.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        *state = State::Closing;
        let _ = raise(SIGWINCH);
        let closing =
            self.changed.wait_timeout_while(state, PARTING, |state| *state == State::Closing);
        drop(closing.unwrap_or_else(PoisonError::into_inner));
    }

    /// Lets the thread read again.
    pub(super) fn open(&self) {
        *self.lock() = State::Open;
        self.changed.notify_all();
    }

    /// Waits until the gate is open.
    fn pass(&self) {
        let mut state = self.lock();
        if *state == State::Closing {
            *state = State::Closed;
            self.changed.notify_all();
        }
        let open = self.changed.wait_while(state, |state| *state != State::Open);
        drop(open.unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads events until `stop` is set or the receiver of `messages` is gone.
pub(super) fn read(stop: &Arc<AtomicBool>, gate: &Gate, messages: &Sender<Msg>) {
    while !stop.load(Ordering::Relaxed) {
        gate.pass();
        let message = match event::poll(POLL) {
            Ok(false) => continue,
            Ok(true) => event::read().map(|event| translate(&event)),
            Err(error) => Err(error),
        };
        let sent = match message {
            Ok(None) => continue,
            Ok(Some(message)) => messages.send(message),
            Err(_) => {
                let _ = messages.send(Msg::Lost);
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

fn translate(event: &Event) -> Option<Msg> {
    match event {
        Event::Key(key) => Key::from_event(key).map(Msg::Key),
        Event::Mouse(mouse) => translate_mouse(*mouse),
        Event::Resize(width, height) => Some(Msg::Resize(*width, *height)),
        Event::FocusGained | Event::FocusLost | Event::Paste(_) => None,
    }
}

fn translate_mouse(mouse: MouseEvent) -> Option<Msg> {
    let what = match mouse.kind {
        MouseEventKind::ScrollDown => Mouse::Wheel(1),
        MouseEventKind::ScrollUp => Mouse::Wheel(-1),
        MouseEventKind::Down(MouseButton::Left) => Mouse::Click,
        _ => return None,
    };
    Some(Msg::Mouse(what, mouse.column, mouse.row))
}
