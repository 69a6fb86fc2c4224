//! `rundown push`: pushes runs to object storage, now or while they are recorded.
//!
//! A thread pushes. The main thread bounds the time after the end of the run, whatever the server
//! does, and then exits.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::args::{Background, Push, Server};
use super::leaving::to_continue;
use super::place::variable;
use super::recording::config_or_default;
use super::selection::Selection;
use super::uploader::PUSH;
use super::{print_notice, print_notices, remote};
use crate::catalog::Catalog;
use crate::display;
use crate::error::{self, Error, Result};
use crate::model::RunId;
use crate::push::{self, Mode, Progress, Pushed, Report};
use crate::s3::Bucket;

/// Pushes the selected runs. Returns the exit code.
pub(super) fn push(args: &Push) -> anyhow::Result<u8> {
    let (runs, url) = runs_and_url(args)?;
    let job = Job {
        bucket: Arc::new(remote::bucket(&url, &args.store.server)?),
        mode: match args.background {
            None => Mode::Foreground,
            Some(Background::Recorder) => Mode::Recorder,
            Some(Background::Detached) => Mode::Detached,
        },
        timeout: args.timeout,
        root: args.store.root.dir.clone(),
        server: args.store.server.clone(),
    };
    if let (Some(_), [run]) = (args.background, runs.as_slice()) {
        return job.in_background(args, run);
    }
    if (args.last.is_some() || args.failed) && !runs.is_empty() {
        let why = "--last and --failed select runs, so no RUN can be named with them";
        return Err(Error::Usage(why.into()).into());
    }
    let Push { last, failed, narrow, store, .. } = args;
    let (last, failed) = (*last, *failed);
    // Each would be pushed until it ends.
    let skips_active = true;
    let selection = Selection { runs, last, failed, skips_active, narrow, store };
    let are_listed = last.is_some() || failed;
    let mut code = 0;
    selection.for_each(|catalog, run| {
        print_notices(&catalog.notices());
        match job.push(catalog.reopened(), run) {
            Ok(pushed) => {
                job.print(run, &pushed);
                code = if pushed.missing.is_empty() { code } else { 6 };
            }
            // A server that fails once would fail for each run.
            Err(error) if are_listed && !is_of_server(&error) => {
                print_notice(&format!("run {}: {}", run.short(), error::chain(&error)));
                code = 6;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    })?;
    Ok(code)
}

/// Returns true for errors of the server.
const fn is_of_server(error: &Error) -> bool {
    matches!(error, Error::Remote { .. } | Error::Refused { .. })
}

/// Returns the named runs, and the address that they are pushed to.
fn runs_and_url(args: &Push) -> Result<(Vec<&OsStr>, OsString)> {
    let mut runs: Vec<&OsStr> = args.named.iter().map(AsRef::as_ref).collect();
    if runs.last().is_some_and(remote::is_url)
        && let Some(url) = runs.pop()
    {
        return Ok((runs, url.to_owned()));
    }
    let url = variable(PUSH).or_else(|| config_or_default(None).push);
    let url = url.ok_or_else(|| {
        let last = runs.last().map(|last| {
            format!("{} is not an address in object storage\n", last.to_string_lossy())
        });
        Error::Usage(format!(
            "{}name the object storage to push to, as in: rundown push s3://BUCKET/PREFIX\n\
             or set RUNDOWN_PUSH, or `push` in the configuration",
            last.unwrap_or_default()
        ))
    })?;
    Ok((runs, url.into()))
}

/// The circumstances of a push.
struct Job {
    bucket: Arc<Bucket>,
    mode: Mode,
    timeout: Option<Duration>,
    /// The store, if it was named.
    root: Option<PathBuf>,
    server: Server,
}

/// An event of a push.
enum Event {
    /// The run has ended, or its recorder has.
    Ended,
    Done(Result<Pushed>),
}

impl Job {
    /// Pushes a run for another process. Prints nothing before the run has ended.
    fn in_background(&self, args: &Push, run: &OsStr) -> anyhow::Result<u8> {
        // Errors are ignored: without them, keys of the terminal end the push, or it competes with
        // the commands of the run.
        let _ = rustix::process::setsid();
        let _ = rustix::process::nice(10);
        let run = RunId(run.to_string_lossy().into_owned());
        let pushed = self.push(args.store.catalog()?, &run);
        if self.mode == Mode::Recorder {
            // Returns at once if the recorder has ended.
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        }
        match &pushed {
            Ok(pushed) => self.print(&run, pushed),
            Err(error) => {
                let why = error::chain(error);
                let help = if is_of_server(error) { self.to_continue(&run) } else { String::new() };
                print_notice(&format!("run {} is not pushed: {why}{help}", run.short()));
            }
        }
        Ok(pushed.map_or_else(|error| error.exit_code(), |_| 0))
    }

    /// Pushes a run within the time limit.
    fn push(&self, mut catalog: Catalog, run: &RunId) -> Result<Pushed> {
        let (send, events) = mpsc::channel();
        let progress = Arc::new(Progress::default());
        let worker = Arc::new(OnceLock::<Thread>::new());
        if self.mode == Mode::Recorder {
            let (send, progress, worker) = (send.clone(), Arc::clone(&progress), worker.clone());
            thread::spawn(move || {
                let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
                progress.set_over();
                let _ = send.send(Event::Ended);
                worker.wait().unpark();
            });
        }
        let (bucket, mode, id) = (Arc::clone(&self.bucket), self.mode, run.clone());
        let of_worker = Arc::clone(&progress);
        let thread = thread::spawn(move || {
            let has_failed = Cell::new(false);
            let report = |report| match report {
                Report::Ended => _ = send.send(Event::Ended),
                Report::Follows if mode == Mode::Foreground => {
                    let id = id.short();
                    print_notice(&format!("run {id}: pushed until it ends; Ctrl-C stops"));
                }
                Report::Failed(why) if mode == Mode::Foreground && !has_failed.replace(true) => {
                    print_notice(&format!("{why}\ntrying again until the run ends"));
                }
                Report::Follows | Report::Failed(_) => {}
            };
            let done = push::push(&bucket, &mut catalog, &id, mode, &of_worker, &report);
            let _ = send.send(Event::Done(done));
        });
        let _ = worker.set(thread.thread().clone());
        self.wait(&events, run, &progress)
    }

    /// Waits for the end of the push, or of the time limit.
    fn wait(
        &self,
        events: &mpsc::Receiver<Event>,
        run: &RunId,
        progress: &Progress,
    ) -> Result<Pushed> {
        let mut deadline = None;
        loop {
            let event = match deadline {
                None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => events
                    .recv_timeout(Instant::saturating_duration_since(&deadline, Instant::now())),
            };
            match event {
                Ok(Event::Done(done)) => return done,
                Ok(Event::Ended) => {
                    let end = self.timeout.and_then(|time| Instant::now().checked_add(time));
                    deadline = deadline.or(end.filter(|_| self.mode != Mode::Detached));
                }
                Err(RecvTimeoutError::Timeout) => return Err(self.late(run, progress)),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Internal("the thread that pushes has ended".into()));
                }
            }
        }
    }

    /// Returns the error for the end of the time limit.
    fn late(&self, run: &RunId, progress: &Progress) -> Error {
        let left = match progress.left_bytes() {
            0 => String::new(),
            bytes => format!("; {} of logs are left", display::size(bytes)),
        };
        let time = self.timeout.unwrap_or_default().as_secs();
        let trouble = self.bucket.trouble().map(|why| format!("; {why}")).unwrap_or_default();
        // In the background, every error of the server gets this line.
        let help =
            if self.mode == Mode::Foreground { self.to_continue(run) } else { String::new() };
        let why = format!("the time limit of {time} s has passed{left}{trouble}{help}");
        Error::Remote { doing: "push to", url: self.bucket.url().to_string(), why }
    }

    /// Returns a line with the command that continues, after a line break.
    fn to_continue(&self, run: &RunId) -> String {
        to_continue(self.root.as_deref(), &self.server, run, &self.bucket.url().to_string())
    }

    /// Prints the result of a push.
    fn print(&self, run: &RunId, pushed: &Pushed) {
        print_notices(&pushed.missing);
        let (id, url) = (run.short(), self.bucket.url());
        let logs =
            if pushed.logs == 1 { "1 log".to_owned() } else { format!("{} logs", pushed.logs) };
        let logs = format!("{logs} of {}", display::size(pushed.bytes));
        print_notice(&if pushed.was_there {
            format!("run {id}: already pushed to {url}: {logs}")
        } else {
            let sent = display::size(pushed.sent_bytes);
            format!("run {id}: pushed to {url}: {logs}, {sent} sent")
        });
        if let Some(why) = pushed.leftovers.first() {
            print_notice(&format!("objects that are not needed any more are left: {why}"));
        }
    }
}
