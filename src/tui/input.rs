//! The thread that reads the terminal: keys, mouse and size become messages.
//!
//! It waits with a time-out, so that it ends some time after the loop has; never with one of zero, with which crossterm's
//! `use-dev-tty` source reads nothing at all. When the terminal has vanished, reading fails: it says so once and ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use crossterm::event::{self, Event, MouseButton, MouseEvent, MouseEventKind};

use super::keymap::Key;
use super::msg::{Mouse, Msg};

/// How soon the thread notices that it is to end; nobody waits for it. Not shorter: crossterm spends the last millisecond of
/// every such wait polling without a pause.
const POLL: Duration = Duration::from_secs(10);

/// Reads until `stop` is set or nobody listens any more.
pub(super) fn read(stop: &Arc<AtomicBool>, messages: &Sender<Msg>) {
    while !stop.load(Ordering::Relaxed) {
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
