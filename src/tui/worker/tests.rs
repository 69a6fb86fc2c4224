//! Tests of the worker and its thread, without a screen.

use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::inbox::Inbox;
use super::thread::guarded;
use super::*;
use crate::catalog::Beside;
use crate::document::{Document, Folds, Goal, RowsRequest, Section, own_section};
use crate::log::{Anchor, LogPath};
use crate::model::RunId;
use crate::search::RowFilter;

fn refresh(run: Option<RunId>) -> WorkerRequest {
    WorkerRequest::Refresh { run, needs_list: true }
}

fn worker(dir: &Path) -> Worker {
    Worker::new(Catalog::of_path(dir), None, RunFilter::default())
}

fn read(ticket: u64, path: &Path) -> WorkerRequest {
    request(ticket, path, false)
}

fn request(ticket: u64, path: &Path, is_refresh: bool) -> WorkerRequest {
    let log = Some(LogPath::named(path));
    let document =
        Document::of_log(RunId(String::new()), Section { log, ..own_section(None, false) });
    let rows = RowsRequest {
        goal: Goal::Rows(Anchor::End),
        max_rows: 10,
        row_filter: RowFilter::default(),
        folds: Folds::default(),
        search: None,
        is_refresh,
    };
    WorkerRequest::ReadLog(Ticket(ticket), Box::new(PageRequest { document, rows }))
}

#[test]
fn the_newest_of_each_kind_wins_and_the_log_comes_first() {
    let mut inbox = Inbox::default();
    let path = Path::new("a.log");
    let run = |id: &str| Some(RunId(id.into()));
    let runs = |id: &str| WorkerRequest::ReadRuns(Beside::Older(RunId(id.into())));
    for effect in [
        refresh(run("a")),
        WorkerRequest::Load(run("a")),
        read(1, path),
        runs("b"),
        WorkerRequest::Load(run("b")),
        refresh(None),
        runs("c"),
        read(2, path),
    ] {
        inbox.take_in(effect);
    }
    let now = Instant::now();
    let order: Vec<_> = std::iter::from_fn(|| inbox.next(now)).collect();
    assert_eq!(order, [read(2, path), WorkerRequest::Load(run("b")), runs("c"), refresh(None)]);
}

#[test]
fn a_refresh_waits_for_the_pause_and_nothing_else_does() {
    let now = Instant::now();
    let mut inbox = Inbox { pause: Some(now + Duration::from_secs(1)), ..Inbox::default() };
    inbox.take_in(WorkerRequest::Load(None));
    inbox.take_in(refresh(None));
    assert_eq!(inbox.next(now), Some(WorkerRequest::Load(None)));
    assert_eq!(inbox.next(now), None);
    assert_eq!(inbox.timeout(now), Some(Duration::from_secs(1)));
    assert_eq!(inbox.next(now + Duration::from_secs(1)), Some(refresh(None)));
    assert_eq!(inbox.timeout(now), None, "nothing is left to be done");
}

/// Serves a request for a page to its end: on a busy machine, one slice of work may not be enough.
fn served(worker: &mut Worker, request: WorkerRequest) -> Vec<Msg> {
    let is_answer = |msg: &Msg| {
        matches!(msg, Msg::Log(_, Answer::Page(_) | Answer::Unchanged(_)) | Msg::Failed(..))
    };
    let mut messages = worker.serve(request);
    while !messages.iter().any(is_answer) && worker.has_work() {
        messages.splice(0..0, worker.go_on());
    }
    messages.retain(|msg| is_answer(msg) || matches!(msg, Msg::Dirs(..)));
    messages
}

#[test]
fn an_unchanged_log_needs_no_answer_and_a_missing_one_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (path, missing) = (dir.path().join("a.log"), dir.path().join("b.log"));
    fs::write(&path, b"2026-05-06T12:00:00Z stdout F one\n").unwrap();
    let mut worker = worker(dir.path());
    let [Msg::Log(Ticket(1), Answer::Page(page)), Msg::Dirs(None, _)] =
        &served(&mut worker, read(1, &path))[..]
    else {
        panic!("no page")
    };
    assert_eq!((page.window.rows.len(), page.known.total_rows), (1, Some(1)));
    assert_eq!(
        served(&mut worker, request(2, &path, true)),
        [Msg::Log(Ticket(2), Answer::Unchanged(page.known.clone()))]
    );
    let [Msg::Log(Ticket(3), Answer::Page(again))] = &served(&mut worker, read(3, &path))[..]
    else {
        panic!("asked anew, answered")
    };
    assert_eq!(again, page);
    let [Msg::Failed(Work::Log(Ticket(4)), why)] = &served(&mut worker, read(4, &missing))[..]
    else {
        panic!("no failure")
    };
    assert!(why.contains("b.log") && !why.contains('\n'), "{why}");
}

#[test]
fn what_is_read_is_said_before_it_is_and_that_it_has_been_after() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    fs::write(&path, b"2026-05-06T12:00:00Z stdout F one\n").unwrap();
    let (request, requests) = channel();
    let (message, messages) = channel();
    let worker = worker(dir.path());
    let worker = std::thread::spawn(move || work(worker, &requests, &message));
    request.send(read(1, &path)).unwrap();
    let next = || messages.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(next(), Msg::Reads(Some(path)));
    while !matches!(next(), Msg::Log(_, Answer::Page(_))) {}
    while next() != Msg::Reads(None) {}
    drop(request);
    worker.join().unwrap();
}

#[test]
fn a_panic_is_reported_and_the_next_request_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let mut worker = worker(dir.path());
    let failure = guarded(&mut worker, Work::Store, |_| panic!("of no use"));
    assert_eq!(failure, [Msg::Failed(Work::Store, "internal error: of no use".into())]);
    assert!(matches!(
        &guarded(&mut worker, Work::Store, |worker| worker.serve(WorkerRequest::Load(None)))[..],
        [Msg::Runs(_), ..]
    ));
}
