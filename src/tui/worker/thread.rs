//! The worker's thread: takes in all pending requests, does the most important one, and reports the
//! path that it reads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant};

use super::Worker;
use super::inbox::Inbox;
use crate::tui::msg::{Msg, Work, WorkerRequest};

/// The shortest time between two reads of the store.
const RELOAD_PAUSE: Duration = Duration::from_millis(150);
/// The shortest time between two attempts at a store that cannot be read; the log on screen is read
/// in between.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// The interval at which the path is reported again while a long read makes progress.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);
/// The pause after a read of the store, in multiples of the time that the read took.
const RELOAD_PAUSE_FACTOR: u32 = 4;

/// Works until the sender of requests or the receiver of messages is gone. A path is reported
/// before it is read, because the read may never return.
pub(in crate::tui) fn work(
    mut worker: Worker,
    requests: &Receiver<WorkerRequest>,
    messages: &Sender<Msg>,
) {
    let (mut inbox, mut reads) = (Inbox::default(), Reads::default());
    loop {
        let now = Instant::now();
        let timeout = if worker.has_work() { Some(Duration::ZERO) } else { inbox.timeout(now) };
        if timeout != Some(Duration::ZERO) && !reads.report(None, messages) {
            return;
        }
        let request = match timeout {
            Some(timeout) => requests.recv_timeout(timeout),
            None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match request {
            Ok(request) => inbox.take_in(request),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        loop {
            match requests.try_recv() {
                Ok(request) => inbox.take_in(request),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        let start = Instant::now();
        let request = inbox.next(start);
        if !reads.report(worker.path_of(request.as_ref()), messages) {
            return;
        }
        for message in turn(&mut worker, &mut inbox, request, start) {
            if messages.send(message).is_err() {
                return;
            }
        }
    }
}

/// The path that was last reported as being read, and the time of the report.
#[derive(Default)]
struct Reads(Option<(PathBuf, Instant)>);

impl Reads {
    /// Reports the path if it is new, and again after [`SIGN_OF_LIFE`]. Returns false if the
    /// receiver is gone.
    fn report(&mut self, path: Option<PathBuf>, messages: &Sender<Msg>) -> bool {
        let is_known = match (&self.0, &path) {
            (Some((known, at)), Some(path)) => known == path && at.elapsed() < SIGN_OF_LIFE,
            (known, path) => known.is_none() && path.is_none(),
        };
        if is_known {
            return true;
        }
        self.0 = path.clone().map(|path| (path, Instant::now()));
        messages.send(Msg::Reads(path)).is_ok()
    }
}

/// Does one piece of work: a request, or a slice of the background work.
fn turn(
    worker: &mut Worker,
    inbox: &mut Inbox,
    request: Option<WorkerRequest>,
    start: Instant,
) -> Vec<Msg> {
    let Some(request) = request else {
        let work = worker.open.as_ref().map_or(Work::Store, |open| Work::Log(open.ticket()));
        return guarded(worker, work, Worker::go_on);
    };
    let work = match &request {
        WorkerRequest::ReadLog(ticket, _) => Work::Log(*ticket),
        WorkerRequest::CopyRows(..) => Work::External,
        WorkerRequest::Load(_)
        | WorkerRequest::Refresh { .. }
        | WorkerRequest::ReadRuns(_)
        | WorkerRequest::ReadHighlights(_)
        | WorkerRequest::FindRuns(_)
        | WorkerRequest::Step(_) => Work::Store,
    };
    let answers = guarded(worker, work, |worker| worker.serve(request));
    let end = Instant::now();
    if work == Work::Store && worker.seen.is_stale {
        // A server that does not answer must not keep the worker from the log on screen.
        inbox.pause = Some(end + RETRY_PAUSE.max(end - start));
    } else if work == Work::Store && !answers.is_empty() {
        inbox.pause = Some(end + RELOAD_PAUSE.max((end - start) * RELOAD_PAUSE_FACTOR));
    }
    answers
}

/// Runs a job. A panic in it becomes a message, and resets the open log and the search, so that the
/// next job starts from a valid state. The report of the panic is printed once the terminal has
/// been restored.
pub(super) fn guarded(
    worker: &mut Worker,
    work: Work,
    job: impl FnOnce(&mut Worker) -> Vec<Msg>,
) -> Vec<Msg> {
    let done = catch_unwind(AssertUnwindSafe(|| job(worker)));
    done.unwrap_or_else(|panic| {
        (worker.open, worker.search) = (None, None);
        let text = panic
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| panic.downcast_ref::<String>().cloned());
        vec![Msg::Failed(work, format!("internal error: {}", text.unwrap_or_default()))]
    })
}
