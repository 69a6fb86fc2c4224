//! The process that pushes a run while it is recorded: this program, started again.
//!
//! It never affects the commands of the run, or the exit code of the recorder. If it cannot be
//! started, or takes too long after the end of the run, that is only a notice.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::args::PushArgs;
use super::config::Config;
use super::leaving::push_command;
use super::place::variable;
use super::{print_notice, remote};
use crate::error::{Error, Result, chain};
use crate::model::RunId;

/// The variable with the address that runs are pushed to.
pub(super) const PUSH: &str = "RUNDOWN_PUSH";

/// The time for the push after the end of a run, unless it is set.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The time after the time limit until the process is killed. It ends before by itself.
const GRACE: Duration = Duration::from_secs(2);

/// The interval at which the end of the process is checked.
const POLL: Duration = Duration::from_millis(10);

/// The object storage that a run is pushed to.
pub(super) struct Target {
    pub url: String,
    timeout: Duration,
}

/// A process that pushes. Dropping it stops the process.
pub(super) struct Uploader<'a> {
    target: &'a Target,
    root: &'a Path,
    run: RunId,
    child: Child,
}

impl Target {
    /// Returns the target of the arguments, of the environment, or of the configuration; `None` if
    /// there is none. One that is not valid is ignored, with a notice.
    pub fn of(args: &PushArgs, config: &Config) -> Option<Self> {
        let named = args.push.clone().or_else(|| variable(PUSH)).or_else(|| config.push.clone());
        let url = named.filter(|url| !url.is_empty())?;
        let timeout = args.push_timeout.or(config.push_timeout).unwrap_or(TIMEOUT);
        if let Err(error) = remote::check(OsStr::new(&url)) {
            not_pushed(&error);
            return None;
        }
        Some(Self { url, timeout })
    }

    /// Starts to push a run that is being recorded. A failure is only a notice.
    pub fn upload<'a>(&'a self, root: &'a Path, run: &RunId) -> Option<Uploader<'a>> {
        let stderr = Stdio::inherit();
        let child = self.start(root, run, "recorder", Stdio::piped(), stderr);
        let child = child.inspect_err(not_pushed).ok()?;
        Some(Uploader { target: self, root, run: run.clone(), child })
    }

    /// Starts to push a run to which later processes add commands. A failure is only a notice.
    pub fn upload_detached(&self, root: &Path, run: &RunId) {
        let started = self.start(root, run, "detached", Stdio::null(), Stdio::null());
        let _ = started.inspect_err(not_pushed);
    }

    fn start(
        &self,
        root: &Path,
        run: &RunId,
        background: &str,
        stdin: Stdio,
        stderr: Stdio,
    ) -> Result<Child> {
        let program =
            std::env::current_exe().map_err(Error::io("locate the executable of", "rundown"))?;
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        Command::new(&program)
            .args(["push", "--background", background, "--timeout"])
            .arg(self.timeout.as_secs().to_string())
            .arg("--root")
            .arg(root)
            .args([run.as_str(), &self.url])
            .stdin(stdin)
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(Error::io("start", &program))
    }
}

impl Uploader<'_> {
    /// Waits for the rest of the push after the run has ended, at most for the time limit. A signal
    /// such as that of Ctrl-C ends the wait.
    pub fn wait(mut self) {
        // Its end shows that the run has ended.
        drop(self.child.stdin.take());
        let deadline = Instant::now().checked_add(self.target.timeout.saturating_add(GRACE));
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).ok();
        loop {
            match self.child.try_wait() {
                Ok(Some(_)) => return,
                Ok(None) => {}
                Err(error) => return not_pushed(&Error::io("wait for", "the push")(error)),
            }
            let is_stopped =
                signals.as_mut().is_some_and(|signals| signals.pending().next().is_some());
            if is_stopped || deadline.is_none_or(|deadline| Instant::now() >= deadline) {
                break;
            }
            thread::sleep(POLL);
        }
        let command = push_command(Some(self.root), &self.run, &self.target.url);
        let help = command.map(|command| format!("\nto continue: {command}")).unwrap_or_default();
        let id = self.run.short();
        print_notice(&format!("run {id}: the push was stopped before its end{help}"));
    }
}

impl Drop for Uploader<'_> {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn not_pushed(error: &Error) {
    print_notice(&format!("the run is not pushed: {}", chain(error)));
}
