//! `rundown exec --watch`: the screen for a run that another process records. No process both reads
//! and writes a store (see `store::access`).
//!
//! The recorder is this program with the option `--watched`. It prints only the id of the run on
//! stdout. Its stderr is a temporary file, which is printed at the end. It has a session of its
//! own, so our terminal sends it no signals. We pass on each signal once.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use super::args::{Exec, LookArgs, Root, ScreenArgs, StoreArgs, View};
use super::follow::pause_while_read;
use super::{check_screen, color, print_notice, print_notices, screen_config, show, use_rules};
use crate::catalog::{Catalog, RunSpec};
use crate::ci;
use crate::dump::{self, FollowOptions, Hooks};
use crate::error::{Error, Result, chain};
use crate::model::RunId;

/// The time limit for reading the end of the run after its recorder has exited.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Separates this process, which records for a screen, from the terminal.
pub(super) fn detach() -> Result<()> {
    let detached = rustix::process::setsid().map(drop);
    detached.map_err(|error| Error::io("detach", Path::new("the recorder"))(error.into()))
}

/// Runs a pipeline in another process, and opens the screen on the run. Returns the exit code of
/// that process.
pub(super) fn exec(exec: &Exec) -> anyhow::Result<u8> {
    let mut view = View {
        screen: ScreenArgs {
            look: LookArgs { config: exec.store.config.clone(), ..LookArgs::default() },
            ..ScreenArgs::default()
        },
        ..View::default()
    };
    check_screen(&view, "to print the output of the commands, leave out --watch")?;
    let root = exec.store.root.root_to_write()?;
    view.store = StoreArgs { root: Root { dir: Some(root) }, ..StoreArgs::default() };
    let config = screen_config(&view)?;
    let mut recorder = Recorder::start(exec)?;
    let Some(run) = recorder.run()? else { return Ok(recorder.wait()?) };
    let spec = RunSpec::Id(run.0);
    use_rules(view.screen.look.config.as_deref(), view.store.root.dir.as_deref());
    match show(&view, config, view.store.catalog()?, Some(spec.clone())) {
        Ok(left) => print_notices(&left.notices),
        Err(error) => print_notice(&chain(&error)),
    }
    if !exec.quiet && !recorder.has_ended()? {
        // An error here does not affect the run.
        let _ = follow(&view, view.store.catalog()?, spec, &recorder);
    }
    Ok(recorder.wait()?)
}

/// Prints the run until it has ended, or until the recorder has exited and [`END_TIMEOUT`] is over.
fn follow(view: &View, mut catalog: Catalog, spec: RunSpec, recorder: &Recorder) -> Result<()> {
    let stdout = io::stdout();
    let look = view.look(color(&stdout))?;
    let wanted = FollowOptions {
        spec: Some(spec),
        filter: view.narrow.filter(),
        selection: view.selection(),
    };
    let mut out = ci::Output::new(BufWriter::new(stdout.lock()));
    let mut ended_at = None;
    let mut pause = || {
        pause_while_read()?;
        // If the store is gone, the end of the run never appears.
        if recorder.has_ended().unwrap_or(true) {
            let ended_at = ended_at.get_or_insert_with(Instant::now);
            if ended_at.elapsed() > END_TIMEOUT {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    };
    let mut hooks = Hooks { show: &mut print_notice, pause: &mut pause };
    dump::follow(&mut catalog, &wanted, &look, &mut hooks, &mut out).map(drop)
}

/// The process that records the run.
struct Recorder {
    child: Child,
    /// Its stderr.
    messages: File,
    signals: ForwardedSignals,
}

impl Recorder {
    /// Starts this program again, with the same arguments except for `--watch`.
    fn start(exec: &Exec) -> Result<Self> {
        let program =
            std::env::current_exe().map_err(Error::io("locate the executable of", "rundown"))?;
        let messages =
            tempfile::tempfile().map_err(Error::io("create a file in", std::env::temp_dir()))?;
        let stderr =
            messages.try_clone().map_err(Error::io("create a file in", std::env::temp_dir()))?;
        let args = std::env::args_os().skip(1);
        let args = args.map(|arg| if arg == "--watch" { "--watched".into() } else { arg });
        let reads_stdin = exec.file == Path::new("-");
        let child = Command::new(&program)
            .args(args)
            .stdin(if reads_stdin { Stdio::inherit() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(Error::io("start", &program))?;
        let signals = ForwardedSignals::start(Pid::from_child(&child)).map_err(Error::Terminal)?;
        Ok(Self { child, messages, signals })
    }

    /// Waits for the beginning of the run, and returns its id; `None` if it did not begin.
    fn run(&mut self) -> Result<Option<RunId>> {
        let mut line = String::new();
        if let Some(stdout) = self.child.stdout.take() {
            let mut stdout = BufReader::new(stdout);
            stdout.read_line(&mut line).map_err(Error::io("read from", "the recorder"))?;
        }
        Ok(line.strip_suffix('\n').map(|id| RunId(id.to_owned())))
    }

    fn has_ended(&self) -> Result<bool> {
        let (pid, options) =
            (Pid::from_child(&self.child), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        let ended = waitid(WaitId::Pid(pid), options | WaitIdOptions::NOHANG);
        ended.map(|status| status.is_some()).map_err(not_waited)
    }

    /// Waits for the exit of the recorder, prints its messages, and returns its exit code.
    fn wait(self) -> Result<u8> {
        let Self { mut child, mut messages, signals } = self;
        // This does not reap the process: no signal may be sent to its id afterward.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(error) = waitid(WaitId::Pid(Pid::from_child(&child)), options) {
            if error != rustix::io::Errno::INTR {
                return Err(not_waited(error));
            }
        }
        signals.end();
        let status = child.wait().map_err(Error::io("wait for", "the recorder"))?;
        // Errors are ignored: the reader may be gone.
        let _ = messages.rewind().and_then(|()| io::copy(&mut messages, &mut io::stderr().lock()));
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }
}

fn not_waited(error: rustix::io::Errno) -> Error {
    Error::io("wait for", "the recorder")(error.into())
}

/// A thread that passes signals on to the recorder until it has exited.
struct ForwardedSignals {
    handle: Handle,
    thread: JoinHandle<()>,
}

impl ForwardedSignals {
    fn start(recorder: Pid) -> io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])?;
        let handle = signals.handle();
        let forward = move || {
            for signal in signals.forever().filter_map(Signal::from_named_raw) {
                let _ = kill_process(recorder, signal);
            }
        };
        let thread = std::thread::Builder::new().name("signals".into()).spawn(forward)?;
        Ok(Self { handle, thread })
    }

    fn end(self) {
        self.handle.close();
        // A panic of the thread is reported by the hook for panics.
        let _ = self.thread.join();
    }
}
