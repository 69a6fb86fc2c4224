//! The thread that reads the terminal: keys, mouse and size become messages.
//!
//! It waits with a time-out, so that it ends some time after the loop has; never with one of zero,
//! with which crossterm's `use-dev-tty` source reads nothing at all. When the terminal has
//! vanished, reading fails: it says so once and ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossterm::event::{self, Event, MouseButton, MouseEvent, MouseEventKind};

use signal_hook::consts::SIGWINCH;
use signal_hook::low_level::raise;

use super::keymap::Key;
use super::msg::{Mouse, Msg};

/// How soon the thread notices that it is to end; nobody waits for it. Not shorter: crossterm
/// spends the last millisecond of every such wait polling without a pause.
const POLL: Duration = Duration::from_secs(10);

/// How long the thread may take to let go of the terminal; it does so at once unless it has ended.
const PARTING: Duration = Duration::from_secs(1);

/// Keeps the thread from reading while another program has the terminal: they would share out the
/// keys between them.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Open,
    /// To be passed no more; the thread may still be reading.
    Closing,
    /// The thread stands before it.
    Closed,
}

impl Gate {
    /// Returns once the thread does not read any more. It is woken by the one signal that ends its
    /// wait.
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

    /// Waits until it is open.
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

/// Reads until `stop` is set or nobody listens any more.
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
