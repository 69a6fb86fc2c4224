//! The process that pushes a run while it is recorded: this program, started again.
//!
//! It never affects the commands of the run, or the exit code of the recorder. If it cannot be
//! started, or takes too long after the end of the run, that is only a notice.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::args::{PushArgs, Server};
use super::config::Config;
use super::leaving::to_continue;
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

/// The script that starts a detached process. It closes the descriptors that callers usually pass
/// on, such as those of locks and pipes: the process may live for hours.
const DETACHED: &str = r#"exec "$@" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-"#;

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
    /// Returns the target of the arguments, of the environment, or of the configuration; `None`
    /// without one. An invalid target is ignored, with a notice.
    pub fn of(args: &PushArgs, config: &Config) -> Option<Self> {
        let named = [
            ("--push", args.push.clone()),
            (PUSH, variable(PUSH)),
            ("`push` in the configuration", config.push.clone()),
        ];
        let (source, url) = named.into_iter().find_map(|(source, url)| Some((source, url?)))?;
        if url.is_empty() {
            return None;
        }
        let timeout = args.push_timeout.or(config.push_timeout).unwrap_or(TIMEOUT);
        if let Err(error) = remote::check(OsStr::new(&url)) {
            not_pushed(&Error::Usage(format!("{source}: {}", chain(&error))));
            return None;
        }
        Some(Self { url, timeout })
    }

    /// Starts to push a run that is being recorded. A failure is only a notice.
    pub fn upload<'a>(&'a self, root: &'a Path, run: &RunId) -> Option<Uploader<'a>> {
        let started = self
            .command(root, run, "recorder", None)
            .and_then(|mut command| spawn(command.stdin(Stdio::piped())));
        let child = started.inspect_err(not_pushed).ok()?;
        Some(Uploader { target: self, root, run: run.clone(), child })
    }

    /// Starts to push a run to which later processes add commands. A failure is only a notice.
    pub fn upload_detached(&self, root: &Path, run: &RunId) {
        let started = self
            .command(root, run, "detached", Some(DETACHED))
            .and_then(|mut command| spawn(command.stdin(Stdio::null()).stderr(Stdio::null())));
        let _ = started.inspect_err(not_pushed);
    }

    /// Returns the command that pushes a run, run by a script of the shell if there is one.
    fn command(
        &self,
        root: &Path,
        run: &RunId,
        background: &str,
        script: Option<&str>,
    ) -> Result<Command> {
        let program =
            std::env::current_exe().map_err(Error::io("locate the executable of", "rundown"))?;
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let mut command = match script {
            Some(script) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", script, "sh"]).arg(program);
                shell
            }
            None => Command::new(program),
        };
        command
            .args(["push", "--background", background, "--timeout"])
            .arg(self.timeout.as_secs().to_string())
            .arg("--root")
            .arg(root)
            .args([run.as_str(), &self.url])
            .stdout(Stdio::null());
        Ok(command)
    }
}

fn spawn(command: &mut Command) -> Result<Child> {
    let program = command.get_program().to_owned();
    command.spawn().map_err(Error::io("start", program))
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
                // It has reported a failure itself, unless a signal has ended it.
                Ok(Some(status)) if status.signal().is_none() => return,
                Ok(Some(_)) => break,
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
        let help = to_continue(Some(self.root), &Server::default(), &self.run, &self.target.url);
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
