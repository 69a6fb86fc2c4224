//! The event loop: waits for messages, handles all that have arrived, performs the effects, and
//! draws.
//!
//! The first change after a pause is drawn at once; during a burst of changes, a frame is drawn at
//! most every 16 ms. While nothing runs, the loop draws only twice a minute, to update the ages in
//! the list of runs.
//!
//! While an editor or a pager has the terminal, the loop continues but neither draws nor takes
//! keys. Ctrl-C then goes to that program.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::{Handle, Signals};

use super::copies::Copies;
use super::excerpt;
use super::external::{self, ExternalCommand};
use super::input::Gate;
use super::layout;
use super::model::Model;
use super::msg::{Effect, Effects, ExternalRequest, Msg, TerminalRequest, Work, WorkerRequest};
use super::term::{self, Screen};
use super::update::{start, update};
use super::view::view;
use super::watch::{self, Order};
use super::worker::{self, Worker};
use super::{Left, Options, input};
use crate::catalog::{Catalog, RunSpec};
use crate::display;
use crate::document::Answer;
use crate::error::{Error, Result};
use crate::time::Time;

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(16);
/// The time between two frames while something runs: durations are in whole seconds then.
const TICK_ALIVE: Duration = Duration::from_secs(1);
/// The time between two frames while nothing runs: most ages are in minutes.
const TICK_IDLE: Duration = Duration::from_secs(30);

/// The time that the loop has to react to a signal before the program ends at once. A terminal that
/// does not read its output blocks the loop.
const GRACE: Duration = Duration::from_secs(2);

/// The time in which the signal of a Ctrl-C for an external program may still arrive after its end.
const LATE: Duration = Duration::from_secs(1);

/// The longest wait for the worker at the end; it may be reading the database.
const PARTING: Duration = Duration::from_millis(300);

/// See [`super::run`].
pub(super) fn run(catalog: Catalog, open: Option<RunSpec>, options: Options) -> Result<Left> {
    let screen = Screen::take()?;
    let (width, height) = screen.size()?;
    let model = options.model(layout::screen(width, height));
    let threads = Threads::start(Worker::new(catalog, open, options.filter))?;
    let mut session = Session {
        model,
        screen,
        threads,
        is_dirty: true,
        started: Instant::now(),
        drawn_at: None,
        came_back_at: None,
        other: Other::None,
        owed: Effects::none(),
        is_over: false,
    };
    session.run()?;
    let Session { model, .. } = session;
    Ok(Left { at: model.at(), run: model.run, notices: model.notices, signal: model.signal })
}

struct Session {
    model: Model,
    screen: Screen,
    threads: Threads,
    is_dirty: bool,
    started: Instant,
    drawn_at: Option<Instant>,
    other: Other,
    /// The time at which the last external program ended.
    came_back_at: Option<Instant>,
    /// The effects to perform once the external program has ended.
    owed: Effects,
    is_over: bool,
}

/// The state of an external program that needs the terminal.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Other {
    #[default]
    None,
    /// The data for the program is being prepared.
    Awaited,
    /// The program has the terminal.
    OnScreen,
}

impl Session {
    fn run(&mut self) -> Result<()> {
        let effects = start(&self.model);
        self.perform(effects)?;
        while !self.is_over {
            match self.threads.messages.recv_timeout(self.timeout()) {
                Ok(message) => self.take_in(message)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Internal("all threads have ended".into()));
                }
            }
            while let (false, Ok(message)) = (self.is_over, self.threads.messages.try_recv()) {
                self.take_in(message)?;
            }
            self.is_dirty |= self.since_frame() >= self.tick();
            if self.is_dirty && self.is_due() && !self.is_over && !self.is_away() {
                self.draw()?;
            }
        }
        Ok(())
    }

    /// Returns true if it is time for a frame. The first frame is due as soon as everything on it
    /// is loaded, and after [`FRAME`] in any case.
    fn is_due(&self) -> bool {
        self.since_frame() >= FRAME || (self.drawn_at.is_none() && self.model.is_ready())
    }

    /// Returns true if an external program has the terminal.
    fn is_away(&self) -> bool {
        self.other == Other::OnScreen
    }

    /// Returns true if an external program has just ended. A signal for it may arrive after its
    /// end, because another thread sends the message.
    fn is_just_back(&self) -> bool {
        self.came_back_at.is_some_and(|at| at.elapsed() < LATE)
    }

    /// Returns the time since the last frame, or since the loop began.
    fn since_frame(&self) -> Duration {
        self.drawn_at.unwrap_or(self.started).elapsed()
    }

    fn timeout(&self) -> Duration {
        if self.is_away() {
            return TICK_IDLE;
        }
        let due = if self.is_dirty { FRAME } else { self.tick() };
        due.saturating_sub(self.since_frame())
    }

    fn tick(&self) -> Duration {
        if self.model.is_alive() { TICK_ALIVE } else { TICK_IDLE }
    }

    fn take_in(&mut self, message: Msg) -> Result<()> {
        match message {
            Msg::Ready => self.leave(),
            Msg::Returned => self.come_back()?,
            // Ignore keys typed before the external program began to read, and the signal of a
            // Ctrl-C that was meant for that program.
            Msg::Key(_) | Msg::Mouse(..) | Msg::Resumed if self.is_away() => return Ok(()),
            Msg::Signal(SIGINT | SIGQUIT) if self.is_away() || self.is_just_back() => {
                return Ok(());
            }
            Msg::Stop if self.is_away() => return term::stop(),
            _ => {}
        }
        let is_hint = matches!(
            message,
            Msg::Disk | Msg::Reads(_) | Msg::Log(_, Answer::Unchanged(_)) | Msg::Dirs(..)
        );
        let seen = |model: &Model| {
            (
                model.log.top,
                model.log.fault.is_some(),
                model.log.known.clone(),
                model.hangs().is_some(),
            )
        };
        let before = seen(&self.model);
        let effects = update(&mut self.model, message);
        self.is_dirty |= !is_hint || before != seen(&self.model);
        self.perform(effects)
    }

    fn draw(&mut self) -> Result<()> {
        let effects = update(&mut self.model, Msg::Tick(Time::now()));
        self.perform(effects)?;
        let model = &self.model;
        self.screen.draw(|frame| view(model, frame))?;
        self.is_dirty = false;
        self.drawn_at = Some(Instant::now());
        Ok(())
    }

    fn perform(&mut self, effects: Effects) -> Result<()> {
        for effect in effects {
            match effect {
                Effect::Worker(request) => {
                    // Sending fails only if the worker has panicked, and then [`Msg::Lost`] ends
                    // the loop.
                    let _ = self.threads.requests.as_ref().map(|requests| requests.send(request));
                }
                Effect::Watch(dirs) => {
                    let _ = self.threads.orders.send(Order::Watch(dirs));
                }
                Effect::Terminal(request) => self.use_terminal(request)?,
                Effect::External(request) => self.begin(match request {
                    ExternalRequest::Edit(row, source) => ExternalCommand::Edit(row, source),
                    ExternalRequest::Page(row) => {
                        ExternalCommand::Page(row, self.model.theme.has_color())
                    }
                }),
                Effect::Quit => self.is_over = true,
            }
        }
        Ok(())
    }

    fn use_terminal(&mut self, request: TerminalRequest) -> Result<()> {
        match request {
            TerminalRequest::Copy(_) | TerminalRequest::Notify(_) if self.is_away() => {
                self.owed.extend(request);
                Ok(())
            }
            TerminalRequest::Copy(text) => self.copy(text),
            TerminalRequest::Notify(text) => self.screen.notify(&text),
            TerminalRequest::CaptureMouse(on) => self.screen.capture_mouse(on),
            TerminalRequest::Redraw => self.retake(Screen::retake),
            TerminalRequest::Suspend => self.retake(Screen::suspend),
        }
    }

    fn copy(&mut self, mut text: String) -> Result<()> {
        let is_cut = excerpt::clip(&mut text);
        self.screen.copy(&text)?;
        if is_cut {
            let why = format!(
                "copied only the first {} (the limit of a terminal)",
                display::size(text.len() as u64)
            );
            let effects = update(&mut self.model, Msg::Failed(Work::External, why));
            self.perform(effects)?;
        }
        Ok(())
    }

    /// Starts to prepare the data for an external program, unless another one is in progress.
    /// Sending fails only if the thread has panicked.
    fn begin(&mut self, external_command: ExternalCommand) {
        if self.other == Other::None {
            self.other = Other::Awaited;
            let _ = self
                .threads
                .external_commands
                .as_ref()
                .map(|external_commands| external_commands.send(external_command));
        }
    }

    /// Gives the terminal to the external program.
    fn leave(&mut self) {
        self.threads.gate.close();
        term::give_back();
        self.other = Other::OnScreen;
        let _ = self
            .threads
            .external_commands
            .as_ref()
            .map(|external_commands| external_commands.send(ExternalCommand::Go));
    }

    /// Takes the terminal back if the external program had it.
    fn come_back(&mut self) -> Result<()> {
        if std::mem::take(&mut self.other) != Other::OnScreen {
            return Ok(());
        }
        self.came_back_at = Some(Instant::now());
        self.retake(Screen::take_back)?;
        self.threads.gate.open();
        let owed = std::mem::take(&mut self.owed);
        self.perform(owed)
    }

    /// Takes the terminal again. Its size may have changed, and the screen must be redrawn.
    fn retake(&mut self, how: fn(&mut Screen) -> Result<()>) -> Result<()> {
        how(&mut self.screen)?;
        let (width, height) = self.screen.size()?;
        self.is_dirty = true;
        let effects = update(&mut self.model, Msg::Resize(width, height));
        self.perform(effects)
    }
}

/// The threads around the loop, and the channels to and from them. The threads end some time after
/// this value is dropped.
struct Threads {
    messages: Receiver<Msg>,
    /// The requests to the worker; `None` ends the worker.
    requests: Option<Sender<WorkerRequest>>,
    orders: Sender<Order>,
    /// The requests to the thread of external programs; `None` ends the thread.
    external_commands: Option<Sender<ExternalCommand>>,
    gate: Arc<Gate>,
    stop: Arc<AtomicBool>,
    signals: Handle,
    worker: JoinHandle<()>,
    copies: Arc<Copies>,
}

impl Threads {
    fn start(worker: Worker) -> Result<Self> {
        let (message, messages) = channel();
        let (requests, requested) = channel();
        let (orders, ordered) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let mut caught = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT])
            .map_err(Error::Terminal)?;
        let signals = caught.handle();

        let worker =
            spawn(&message, "worker", move |messages| worker::work(worker, &requested, messages))?;
        let orders_of_watcher = orders.clone();
        spawn(&message, "watch", move |messages| {
            watch::watch(&ordered, orders_of_watcher, messages);
        })?;
        let (is_stopped, gate) = (Arc::clone(&stop), Arc::new(Gate::default()));
        let passed = Arc::clone(&gate);
        spawn(&message, "input", move |messages| input::read(&is_stopped, &passed, messages))?;
        let (external_commands, sent_on) = channel();
        let copies = Arc::new(Copies::default());
        let (of_external, of_signals) = (Arc::clone(&copies), Arc::clone(&copies));
        spawn(&message, "external", move |messages| {
            external::work(&sent_on, &of_external, messages);
        })?;
        spawn(&message, "signals", move |messages| {
            for signal in caught.forever() {
                let message = match signal {
                    SIGTSTP => Msg::Stop,
                    SIGCONT => Msg::Resumed,
                    signal => Msg::Signal(signal),
                };
                if messages.send(message).is_err() {
                    return;
                }
                if matches!(signal, SIGTERM | SIGHUP) {
                    of_signals.remove_all();
                    thread::sleep(GRACE);
                    term::leave_at_once(signal);
                }
            }
        })?;
        Ok(Self {
            messages,
            requests: Some(requests),
            orders,
            external_commands: Some(external_commands),
            gate,
            stop,
            signals,
            worker,
            copies,
        })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.signals.close();
        (self.requests, self.external_commands) = (None, None);
        // Delete the copies here: the external thread may still be waiting for an editor.
        self.copies.remove_all();
        // Wait only for a short time: the worker may hang on a file system.
        let started = Instant::now();
        while !self.worker.is_finished() && started.elapsed() < PARTING {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Starts a thread. A panic of the thread ends the loop: without the thread, the user may have no
/// way to leave.
fn spawn(
    messages: &Sender<Msg>,
    name: &str,
    body: impl FnOnce(&Sender<Msg>) + Send + 'static,
) -> Result<JoinHandle<()>> {
    let messages = messages.clone();
    let guarded = move || {
        if catch_unwind(AssertUnwindSafe(|| body(&messages))).is_err() {
            let _ = messages.send(Msg::Lost);
        }
    };
    thread::Builder::new().name(name.into()).spawn(guarded).map_err(Error::Terminal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_thread_ends_the_loop() {
        let (message, messages) = channel();
        let thread = spawn(&message, "input", |_| panic!("on purpose")).unwrap();
        thread.join().unwrap();
        assert_eq!(messages.recv(), Ok(Msg::Lost));
    }
}
