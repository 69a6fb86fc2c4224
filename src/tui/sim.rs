//! The event loop without a terminal, for tests: keys go in, screens come out, effects run on the
//! same thread.

use std::fmt::Write;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::Options;
use super::keymap::Key;
use super::model::Model;
use super::msg::{Effect, Effects, Mouse, Msg};
use super::update::{start, update};
use super::view::view;
use super::worker::Worker;
use crate::catalog::{Catalog, RunSpec};
use crate::time::Time;

/// The most effects and slices of work that one message may cause. More mean an endless loop.
const MAX_ROUNDS: usize = 20_000;

/// A simulated user without a terminal.
pub struct Sim {
    /// The state of the screen.
    pub model: Model,
    /// The effects that were not for the worker, in order.
    pub others: Vec<Effect>,
    worker: Worker,
    terminal: Terminal<TestBackend>,
}

impl Sim {
    /// Opens a catalog on a screen of this size, at this time.
    ///
    /// # Panics
    /// Never: a test terminal does not fail.
    #[must_use]
    pub fn new(
        catalog: Catalog,
        open: Option<RunSpec>,
        options: Options,
        size: (u16, u16),
        now: Time,
    ) -> Self {
        let Ok(terminal) = Terminal::new(TestBackend::new(size.0, size.1));
        let model = options.model(Rect::new(0, 0, size.0, size.1));
        let worker = Worker::new(catalog, open, options.filter);
        let mut sim = Self { model, others: Vec::new(), worker, terminal };
        sim.send(Msg::Tick(now));
        let effects = start(&sim.model);
        sim.perform(effects);
        sim
    }

    /// Sends a message and performs all effects that follow from it, until nothing is left to do.
    pub fn send(&mut self, message: Msg) -> &mut Self {
        let effects = update(&mut self.model, message);
        self.perform(effects);
        self
    }

    /// Performs effects, and all effects that follow from them.
    ///
    /// # Panics
    /// If the effects have no end.
    pub fn perform(&mut self, effects: Effects) {
        let mut effects = std::collections::VecDeque::from_iter(effects);
        let mut rounds = 0;
        loop {
            rounds += 1;
            assert!(rounds <= MAX_ROUNDS, "endless requests: {:?}", self.model.log.asked);
            let answers = match effects.pop_front() {
                Some(Effect::Worker(request)) => self.worker.serve(request),
                Some(other) => {
                    self.others.push(other);
                    continue;
                }
                None if self.worker.has_work() => self.worker.go_on(),
                None => return,
            };
            for answer in answers {
                effects.extend(update(&mut self.model, answer));
            }
        }
    }

    /// Presses keys, named as in the configuration and separated by blanks: `j j Ctrl-d G`. Unknown
    /// names are ignored.
    pub fn keys(&mut self, names: &str) -> &mut Self {
        for key in names.split_whitespace().filter_map(Key::parse) {
            self.send(Msg::Key(key));
        }
        self
    }

    /// Turns the wheel or clicks at a column and row of the screen.
    pub fn mouse(&mut self, mouse: Mouse, x: u16, y: u16) -> &mut Self {
        self.send(Msg::Mouse(mouse, x, y))
    }

    /// Sends a hint that the disk has changed.
    pub fn disk(&mut self) -> &mut Self {
        self.send(Msg::Disk)
    }

    /// Resizes the screen.
    pub fn resize(&mut self, width: u16, height: u16) -> &mut Self {
        self.terminal.backend_mut().resize(width, height);
        self.send(Msg::Resize(width, height))
    }

    /// Returns the screen as cells.
    pub fn buffer(&mut self) -> &Buffer {
        let model = &self.model;
        let Ok(_) = self.terminal.draw(|frame| view(model, frame));
        self.terminal.backend().buffer()
    }

    /// Returns the screen as text, without blanks at the ends of its rows.
    pub fn screen(&mut self) -> String {
        text(self.buffer())
    }

    /// Returns the pieces of the screen's rows that are not in the plain style, with their styles.
    pub fn styles(&mut self) -> String {
        styles(self.buffer())
    }
}

/// Formats a buffer as text, without blanks at the ends of its rows.
#[must_use]
pub fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        let mut row = String::new();
        let mut x = buffer.area.left();
        while x < buffer.area.right() {
            let symbol = buffer.cell((x, y)).map_or(" ", |cell| shown(cell.symbol()));
            row.push_str(symbol);
            // The following cells of a wide character belong to it.
            x = x.saturating_add(u16::try_from(symbol.width()).unwrap_or(1).max(1));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// Returns the text of a cell, without the escape sequences with which some cells move the cursor.
fn shown(symbol: &str) -> &str {
    let pinned = symbol
        .split_once('H')
        .and_then(|(_, rest)| rest.split_once('\x1b'))
        .map(|(grapheme, _)| grapheme);
    pinned.filter(|_| symbol.contains('\x1b')).unwrap_or(symbol)
}

/// Formats the pieces of a buffer's rows that are not in the plain style: row, column, style, text.
#[must_use]
pub fn styles(buffer: &Buffer) -> String {
    let mut dump = String::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        let cells = (buffer.area.left()..buffer.area.right())
            .filter_map(|x| Some((x, buffer.cell((x, y))?)));
        let cells: Vec<_> = cells.collect();
        for run in cells.chunk_by(|(_, a), (_, b)| a.style() == b.style()) {
            let Some((x, first)) = run.first() else { continue };
            if first.fg == ratatui::style::Color::Reset
                && first.bg == ratatui::style::Color::Reset
                && first.modifier.is_empty()
            {
                continue;
            }
            let piece: String = run.iter().map(|(_, cell)| shown(cell.symbol())).collect();
            let style = format!("{:?}/{:?} {:?}", first.fg, first.bg, first.modifier);
            let _ = writeln!(dump, "{y:>3},{x:<3} {style:<40} {piece:?}");
        }
    }
    dump
}
