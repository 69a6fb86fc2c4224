//! The worker: owns the catalog and the open log, and does what the model asks.
//!
//! [`Desk`] does one thing at a time and answers with messages; a headless test calls it directly. [`work`] is its thread:
//! it takes everything that has been asked, forgets what a newer request has made pointless, reads the log before the store,
//! and counts rows while nothing else is to be done. A panic becomes a message; the next request finds a working desk.

use std::collections::HashSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant, SystemTime};

use super::excerpt;
use super::msg::{Effect, Msg, PAGE_RUNS, PageRequest, Ticket, Work};
use super::reading::Reading;
use super::runs_search::RunsSearch;
use super::scroll::Source;
use super::scrolling::Scrolling;
use super::wait::Wait;
use crate::catalog::{Catalog, RunFilter, RunList, RunSpec};
use crate::error::{Error, Result, chain};
use crate::join::{self, LogRef, RunHead, RunNode};
use crate::log::path;
use crate::model::{Phase, RunId};
use crate::time::Time;

/// The most directories watched.
const MAX_WATCHED: usize = 256;
/// A recorder that was killed changes no file: a run that goes on is looked at after this time in any case.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// The least time between two readings of the store.
const RELOAD_PAUSE: Duration = Duration::from_millis(150);
/// The least time between two attempts at a store that cannot be read: the log on screen is read in between.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How often it is said that reading goes on.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);
/// Reading the store takes at most one part in so many of the time.
const RELOAD_SHARE: u32 = 4;

/// What the worker works with.
pub(super) struct Desk {
    catalog: Catalog,
    /// The run to open, until it has been found.
    sought: Option<RunSpec>,
    filter: RunFilter,
    open: Option<Open>,
    search: Option<RunsSearch>,
    seen: Seen,
    /// What was last said to be waited for.
    waiting: Option<Wait>,
    /// What was last said of how the store is read.
    notices: Vec<String>,
}

/// What the store was like when it was read last.
#[derive(Default)]
struct Seen {
    run: Option<RunId>,
    /// The newest runs; `None` when the open one is not among them.
    runs: Option<RunList>,
    dirs: Vec<(PathBuf, Option<SystemTime>)>,
    /// The run's events, as far as they were read.
    events: Option<LogRef>,
    /// When, if what was read goes on by itself.
    alive_at: Option<Instant>,
    /// When the open run is taken to stand still, if nothing comes of it until then: no file changes by that.
    stalls_at: Option<Time>,
    /// The last reading failed.
    is_stale: bool,
}

impl Desk {
    pub(super) fn new(catalog: Catalog, sought: Option<RunSpec>, filter: RunFilter) -> Self {
        Self {
            catalog,
            sought,
            filter,
            open: None,
            search: None,
            seen: Seen::default(),
            waiting: None,
            notices: Vec::new(),
        }
    }

    /// Does what is asked, if it is for the worker, and says what came of it.
    pub(super) fn serve(&mut self, effect: Effect) -> Vec<Msg> {
        match effect {
            Effect::Load(run) => self.load(run),
            Effect::Refresh(run) => self.refresh(run),
            Effect::ReadRuns(beside) => match self.catalog.runs_beside(&beside, &self.filter, PAGE_RUNS) {
                Ok(runs) => vec![Msg::RunsBeside(beside, runs)],
                Err(error) => self.fail(self.seen.run.clone(), &error),
            },
            Effect::FindRuns(request) => {
                self.search = request.map(RunsSearch::new);
                self.search_runs()
            }
            Effect::Step(step) => match self.catalog.nearest(&step.beside, step.outcome, &self.filter) {
                Ok(head) => vec![Msg::Stepped(step, head.map(Box::new))],
                Err(error) => self.fail(self.seen.run.clone(), &error),
            },
            Effect::ReadLog(ticket, request) => match self.read_log(ticket, *request) {
                Ok(messages) => messages.into_iter().chain(self.look_again()).chain(self.watch_log()).collect(),
                Err(error) => vec![Msg::Failed(Work::Log(ticket), plain(&error))],
            },
            Effect::CopyRows(log, tail) => vec![match excerpt::copied(&log, tail) {
                Ok((text, is_cut)) => Msg::Copied(text, is_cut),
                Err(error) => Msg::Failed(Work::Outside, plain(&error)),
            }],
            _ => Vec::new(),
        }
    }

    /// A slice of the search for runs.
    fn search_runs(&mut self) -> Vec<Msg> {
        let Some(search) = &mut self.search else { return Vec::new() };
        let found = search.go_on(&self.catalog, &self.filter);
        self.search.take_if(|search| search.is_over());
        found.map_or_else(|error| self.fail(self.seen.run.clone(), &error), |found| vec![found])
    }

    /// While the store cannot be read the search waits.
    const fn is_searching(&self) -> bool {
        self.search.is_some() && !self.seen.is_stale
    }

    fn refresh(&mut self, run: Option<RunId>) -> Vec<Msg> {
        let dirs_changed = self.seen.dirs.iter().any(|(dir, modified)| modified_at(dir) != *modified);
        let grown = |events: &LogRef| fs::metadata(&*events.path).is_ok_and(|meta| meta.len() != events.bytes);
        let files_changed = dirs_changed || self.seen.events.as_ref().is_some_and(grown);
        match self.catalog.changed() {
            Err(error) => self.fail(run, &error),
            Ok(changed) if changed || files_changed || self.seen.is_stale || self.seen.run != run => self.load(run),
            Ok(_) if self.seen.stalls_at.is_some_and(|at| Time::now() > at) => self.load(run),
            Ok(_) if self.seen.alive_at.is_some_and(|at| at.elapsed() >= LOOK_AGAIN) => self.look_for_the_dead(run),
            Ok(_) => Vec::new(),
        }
    }

    /// No file has changed, but a recorder may have been killed: the list of runs tells, and is read in no time.
    fn look_for_the_dead(&mut self, run: Option<RunId>) -> Vec<Msg> {
        match self.catalog.runs(&self.filter, PAGE_RUNS) {
            Ok(runs) if self.seen.runs.as_ref() == Some(&runs) => {
                self.seen.alive_at = Some(Instant::now());
                Vec::new()
            }
            Ok(_) => self.load(run),
            Err(error) => self.fail(run, &error),
        }
    }

    /// What was read stays; and so does what is watched, if there is anything.
    fn fail(&mut self, run: Option<RunId>, error: &Error) -> Vec<Msg> {
        self.seen.is_stale = true;
        let has_read = !self.seen.dirs.is_empty();
        let mut messages = self.wait_for(Some(Wait::of(error, has_read)));
        if !has_read {
            messages.push(Msg::Dirs(run, self.catalog.watched(None)));
        }
        messages
    }

    fn load(&mut self, run: Option<RunId>) -> Vec<Msg> {
        let found = if run.is_none() { self.find() } else { Ok(None) };
        let (id, found) = match found {
            Ok(Some(id)) => (Some(id.clone()), Some(Msg::Found(id))),
            Ok(None) => (run, None),
            Err(error) => return self.fail(run, &error),
        };
        match self.try_load(id.clone()) {
            Ok(messages) => {
                self.sought = None;
                let first_run = || Wait::for_first_run(self.catalog.root(), self.filter.narrows());
                let waiting = self.wait_for(self.seen.run.is_none().then(first_run));
                let notices = self.take_notices();
                found.into_iter().chain(messages).chain(waiting).chain(notices).collect()
            }
            Err(error) => found.into_iter().chain(self.fail(id, &error)).collect(),
        }
    }

    /// The run that is sought, if one is.
    fn find(&self) -> Result<Option<RunId>> {
        self.sought.as_ref().map(|spec| self.catalog.find(spec, &self.filter)).transpose()
    }

    /// What is to be said of how the store is read, if that is new.
    fn take_notices(&mut self) -> Option<Msg> {
        let notices = self.catalog.notices();
        let is_new = self.notices != notices;
        self.notices.clone_from(&notices);
        is_new.then_some(Msg::Notices(notices))
    }

    /// Says what is waited for, if that is new.
    fn wait_for(&mut self, wait: Option<Wait>) -> Vec<Msg> {
        if self.waiting == wait {
            return Vec::new();
        }
        self.waiting.clone_from(&wait);
        vec![Msg::Waiting(wait)]
    }

    fn try_load(&mut self, run: Option<RunId>) -> Result<Vec<Msg>> {
        let runs = self.catalog.runs(&self.filter, PAGE_RUNS)?;
        let id = run.or_else(|| runs.heads.first().map(|head| head.run.id.clone()));
        let node = match &id {
            Some(id) => self.catalog.run(id)?,
            None => None,
        };
        let dirs = self.dirs(node.as_ref());
        let is_listed = node.as_ref().is_none_or(|node| runs.heads.contains(&node.head));
        let is_active = |head: &RunHead| head.phase == Phase::Active;
        let is_alive = runs.heads.iter().any(is_active) || node.as_ref().is_some_and(|node| is_active(&node.head));
        self.seen = Seen {
            run: id.clone(),
            runs: Some(runs.clone()).filter(|_| is_listed),
            dirs: dirs.iter().map(|dir| (dir.clone(), modified_at(dir))).collect(),
            events: node.as_ref().and_then(|node| node.events.clone()),
            alive_at: is_alive.then(Instant::now),
            stalls_at: node.as_ref().and_then(join::stalls_at).filter(|at| *at >= Time::now()),
            is_stale: false,
        };
        let mut messages = vec![Msg::Runs(runs)];
        messages.extend(id.clone().map(|id| Msg::Run(id, node.map(Box::new))));
        messages.push(Msg::Dirs(id, dirs));
        Ok(messages)
    }

    /// That of the log on screen, those of the running jobs, whose first log may still be to come, then the catalog's: the most
    /// telling ones first.
    fn dirs(&self, node: Option<&RunNode>) -> Vec<PathBuf> {
        let mut dirs: Vec<_> = self.open.iter().flat_map(Open::dirs).collect();
        if let Some((node, run_dir)) = node.and_then(|node| Some((node, node.dir.as_ref()?))) {
            let open = node.jobs.iter().filter(|job| job.phase == Phase::Active);
            dirs.extend(open.filter_map(|job| path::job_dir(run_dir, &job.job.id)));
        }
        dirs.extend(self.catalog.watched(node));
        let mut known = HashSet::new();
        dirs.retain(|dir| known.insert(dir.clone()));
        dirs.truncate(MAX_WATCHED);
        dirs
    }

    fn read_log(&mut self, ticket: Ticket, request: PageRequest) -> Result<Vec<Msg>> {
        match request.source.clone() {
            Source::Log(path, tail) => {
                let is_open = matches!(&self.open, Some(Open::Log(reading)) if reading.file().is_at(&path));
                if !is_open {
                    self.open = None;
                    self.open = Some(Open::Log(Box::new(Reading::open(&path)?)));
                }
                let Some(Open::Log(reading)) = &mut self.open else { return Ok(Vec::new()) };
                reading.ask(ticket, tail, request)
            }
            Source::Scroll(sections) => {
                let scroll = match self.open.take() {
                    Some(Open::Scroll(scroll)) => scroll,
                    _ => Box::new(Scrolling::new()),
                };
                let Open::Scroll(scroll) = self.open.insert(Open::Scroll(scroll)) else { return Ok(Vec::new()) };
                Ok(scroll.ask(ticket, &sections, request))
            }
        }
    }

    /// The log that was read is to be left for another one: no event may come to say so again.
    fn look_again(&self) -> Option<Msg> {
        self.open.as_ref().filter(|open| open.goes_over()).map(|_| Msg::Disk)
    }

    /// A log that is a link is written in a directory that the catalog knows nothing of.
    fn watch_log(&mut self) -> Option<Msg> {
        let is_known = |dir: &PathBuf| self.seen.dirs.iter().any(|(known, _)| known == dir);
        let new: Vec<_> = self.open.as_ref()?.dirs().into_iter().filter(|dir| !is_known(dir)).collect();
        if new.is_empty() {
            return None;
        }
        self.seen.dirs.splice(0..0, new.into_iter().map(|dir| (dir.clone(), modified_at(&dir))));
        self.seen.dirs.truncate(MAX_WATCHED);
        Some(Msg::Dirs(self.seen.run.clone(), self.seen.dirs.iter().map(|(dir, _)| dir.clone()).collect()))
    }

    /// What is read to do this, or to go on with what goes on by itself.
    fn path_of(&self, effect: Option<&Effect>) -> Option<PathBuf> {
        match effect {
            Some(Effect::ReadLog(_, request)) => request.source.log_at(0).map(|(log, ..)| log.to_path_buf()),
            Some(Effect::CopyRows(log, _)) => Some(log.to_path_buf()),
            Some(_) => Some(self.catalog.path()),
            None => self.open.as_ref().filter(|_| self.has_work()).and_then(Open::path),
        }
    }

    /// Whether something goes on by itself: rows are looked for or counted.
    pub(super) fn has_work(&self) -> bool {
        let has_work = |open: &Open| match open {
            Open::Log(reading) => reading.has_work(),
            Open::Scroll(scroll) => scroll.has_work(),
        };
        self.is_searching() || self.open.as_ref().is_some_and(has_work)
    }

    /// Does a slice of it.
    pub(super) fn go_on(&mut self) -> Vec<Msg> {
        // Somebody types and looks on.
        if self.is_searching() {
            return self.search_runs();
        }
        match &mut self.open {
            None => Vec::new(),
            Some(Open::Scroll(scroll)) => scroll.go_on(),
            Some(Open::Log(reading)) => reading.go_on().unwrap_or_else(|error| {
                reading.give_up();
                vec![Msg::Failed(Work::Log(reading.ticket()), plain(&error))]
            }),
        }
    }
}

/// What the pane of the log shows.
enum Open {
    Log(Box<Reading>),
    Scroll(Box<Scrolling>),
}

impl Open {
    /// Where a change may be one of it.
    fn dirs(&self) -> Vec<PathBuf> {
        match self {
            Self::Log(reading) => reading.dirs().to_vec(),
            Self::Scroll(scroll) => scroll.dirs(),
        }
    }

    fn goes_over(&self) -> bool {
        match self {
            Self::Log(reading) => reading.file().goes_over(),
            Self::Scroll(scroll) => scroll.goes_over(),
        }
    }

    /// What is being read now.
    fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Log(reading) => Some(reading.file().path().into()),
            Self::Scroll(scroll) => scroll.path(),
        }
    }

    const fn ticket(&self) -> Ticket {
        match self {
            Self::Log(reading) => reading.ticket(),
            Self::Scroll(scroll) => scroll.ticket(),
        }
    }
}

fn modified_at(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

/// What went wrong, in a line that helps.
fn plain(error: &Error) -> String {
    chain(error).lines().collect::<Vec<_>>().join("; ")
}

/// What has been asked and not been done.
#[derive(Default)]
struct Inbox {
    log: Option<Effect>,
    load: Option<Effect>,
    runs: Option<Effect>,
    find: Option<Effect>,
    step: Option<Effect>,
    refresh: Option<Effect>,
    copy: Option<Effect>,
    /// No reading of the store before this.
    pause: Option<Instant>,
}

impl Inbox {
    fn take_in(&mut self, effect: Effect) {
        let slot = match effect {
            Effect::ReadLog(..) => &mut self.log,
            Effect::CopyRows(..) => &mut self.copy,
            // What was to be refreshed is not looked at any more.
            Effect::Load(_) => {
                self.refresh = None;
                &mut self.load
            }
            Effect::ReadRuns(_) => &mut self.runs,
            Effect::FindRuns(_) => &mut self.find,
            Effect::Step(_) => &mut self.step,
            Effect::Refresh(_) => &mut self.refresh,
            _ => return,
        };
        *slot = Some(effect);
    }

    /// What is to be done now: the newest of each kind, the log first.
    fn next(&mut self, now: Instant) -> Option<Effect> {
        let is_pausing = self.pause.is_some_and(|until| now < until);
        let next = self.log.take().or_else(|| self.copy.take()).or_else(|| self.load.take());
        let next = next.or_else(|| self.step.take()).or_else(|| self.find.take()).or_else(|| self.runs.take());
        next.or_else(|| if is_pausing { None } else { self.refresh.take() })
    }

    /// How long to wait for more; `None`: until there is some.
    fn patience(&self, now: Instant) -> Option<Duration> {
        self.refresh.as_ref()?;
        Some(self.pause.map_or(Duration::ZERO, |until| until.saturating_duration_since(now)))
    }
}

/// Works until nobody asks or listens any more. What is read is said before it is, since it may never be.
pub(super) fn work(mut desk: Desk, requests: &Receiver<Effect>, messages: &Sender<Msg>) {
    let (mut inbox, mut reads) = (Inbox::default(), Reads::default());
    loop {
        let now = Instant::now();
        let patience = if desk.has_work() { Some(Duration::ZERO) } else { inbox.patience(now) };
        if patience != Some(Duration::ZERO) && !reads.say(None, messages) {
            return;
        }
        let request = match patience {
            Some(patience) => requests.recv_timeout(patience),
            None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match request {
            Ok(effect) => inbox.take_in(effect),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        loop {
            match requests.try_recv() {
                Ok(effect) => inbox.take_in(effect),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        let start = Instant::now();
        let effect = inbox.next(start);
        if !reads.say(desk.path_of(effect.as_ref()), messages) {
            return;
        }
        for message in turn(&mut desk, &mut inbox, effect, start) {
            if messages.send(message).is_err() {
                return;
            }
        }
    }
}

/// What was last said to be read, and when.
#[derive(Default)]
struct Reads(Option<(PathBuf, Instant)>);

impl Reads {
    /// Says it, unless that is known; from time to time also what is known, as a sign of life. False when nobody listens.
    fn say(&mut self, path: Option<PathBuf>, messages: &Sender<Msg>) -> bool {
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

/// One piece of work.
fn turn(desk: &mut Desk, inbox: &mut Inbox, effect: Option<Effect>, start: Instant) -> Vec<Msg> {
    let Some(effect) = effect else {
        let work = desk.open.as_ref().map_or(Work::Store, |open| Work::Log(open.ticket()));
        return guarded(desk, work, Desk::go_on);
    };
    let work = match &effect {
        Effect::ReadLog(ticket, _) => Work::Log(*ticket),
        Effect::CopyRows(..) => Work::Outside,
        _ => Work::Store,
    };
    let answers = guarded(desk, work, |desk| desk.serve(effect));
    let end = Instant::now();
    if work == Work::Store && desk.seen.is_stale {
        inbox.pause = Some(end + RETRY_PAUSE);
    } else if work == Work::Store && !answers.is_empty() {
        inbox.pause = Some(end + RELOAD_PAUSE.max((end - start) * RELOAD_SHARE));
    }
    answers
}

/// A panic is a fault of ours that must not take the screen with it.
fn guarded(desk: &mut Desk, work: Work, job: impl FnOnce(&mut Desk) -> Vec<Msg>) -> Vec<Msg> {
    let done = catch_unwind(AssertUnwindSafe(|| job(desk)));
    done.unwrap_or_else(|panic| {
        (desk.open, desk.search) = (None, None);
        let text =
            panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
        vec![Msg::Failed(work, format!("a fault of rundown itself: {}", text.unwrap_or_default()))]
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::catalog::Beside;
    use crate::file::FilePath;
    use crate::log::{Anchor, Tail};
    use crate::search::Sieve;
    use crate::tui::msg::{Folds, Goal};

    fn desk(dir: &Path) -> Desk {
        Desk::new(Catalog::of_path(dir), None, RunFilter::default())
    }

    fn read(ticket: u64, path: &Path) -> Effect {
        request(ticket, path, false)
    }

    fn request(ticket: u64, path: &Path, is_refresh: bool) -> Effect {
        let path = FilePath::named(path);
        Effect::ReadLog(
            Ticket(ticket),
            Box::new(PageRequest {
                source: Source::Log(path, Tail::Emit),
                goal: Goal::Rows(Anchor::End),
                rows: 10,
                sieve: Sieve::default(),
                folds: Folds::default(),
                search: None,
                is_refresh,
            }),
        )
    }

    #[test]
    fn the_newest_of_each_kind_wins_and_the_log_comes_first() {
        let mut inbox = Inbox::default();
        let path = Path::new("a.log");
        let run = |id: &str| Some(RunId(id.into()));
        let runs = |id: &str| Effect::ReadRuns(Beside::Older(RunId(id.into())));
        for effect in [
            Effect::Refresh(run("a")),
            Effect::Load(run("a")),
            read(1, path),
            runs("b"),
            Effect::Load(run("b")),
            Effect::Refresh(None),
            runs("c"),
            read(2, path),
        ] {
            inbox.take_in(effect);
        }
        let now = Instant::now();
        let order: Vec<_> = std::iter::from_fn(|| inbox.next(now)).collect();
        assert_eq!(order, [read(2, path), Effect::Load(run("b")), runs("c"), Effect::Refresh(None)]);
    }

    #[test]
    fn a_refresh_waits_for_the_pause_and_nothing_else_does() {
        let now = Instant::now();
        let mut inbox = Inbox { pause: Some(now + Duration::from_secs(1)), ..Inbox::default() };
        inbox.take_in(Effect::Load(None));
        inbox.take_in(Effect::Refresh(None));
        assert_eq!(inbox.next(now), Some(Effect::Load(None)));
        assert_eq!(inbox.next(now), None);
        assert_eq!(inbox.patience(now), Some(Duration::from_secs(1)));
        assert_eq!(inbox.next(now + Duration::from_secs(1)), Some(Effect::Refresh(None)));
        assert_eq!(inbox.patience(now), None, "nothing is left to be done");
    }

    #[test]
    fn a_refreshed_log_that_has_not_changed_needs_no_answer_and_a_missing_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let (path, missing) = (dir.path().join("a.log"), dir.path().join("b.log"));
        fs::write(&path, b"2026-05-06T12:00:00Z stdout F one\n").unwrap();
        let mut desk = desk(dir.path());
        let [Msg::Page(Ticket(1), page), Msg::Dirs(None, _)] = &desk.serve(read(1, &path))[..] else {
            panic!("no page")
        };
        assert_eq!((page.window.rows.len(), page.known.total_rows), (1, Some(1)));
        assert_eq!(desk.serve(request(2, &path, true)), [Msg::Unchanged(Ticket(2), page.known.clone())]);
        let [Msg::Page(Ticket(3), again)] = &desk.serve(read(3, &path))[..] else { panic!("asked anew, answered") };
        assert_eq!(again, page);
        let [Msg::Failed(Work::Log(Ticket(4)), why)] = &desk.serve(read(4, &missing))[..] else { panic!("no failure") };
        assert!(why.contains("b.log") && !why.contains('\n'), "{why}");
    }

    #[test]
    fn what_is_read_is_said_before_it_is_and_that_it_has_been_after() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        fs::write(&path, b"2026-05-06T12:00:00Z stdout F one\n").unwrap();
        let (request, requests) = channel();
        let (message, messages) = channel();
        let desk = desk(dir.path());
        let worker = std::thread::spawn(move || work(desk, &requests, &message));
        request.send(read(1, &path)).unwrap();
        let next = || messages.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(next(), Msg::Reads(Some(path)));
        assert!(matches!(next(), Msg::Page(..)));
        while next() != Msg::Reads(None) {}
        drop(request);
        worker.join().unwrap();
    }

    #[test]
    fn a_panic_is_told_and_the_next_request_is_served() {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = desk(dir.path());
        let told = guarded(&mut desk, Work::Store, |_| panic!("of no use"));
        assert_eq!(told, [Msg::Failed(Work::Store, "a fault of rundown itself: of no use".into())]);
        assert!(matches!(
            &guarded(&mut desk, Work::Store, |desk| desk.serve(Effect::Load(None)))[..],
            [Msg::Runs(_), ..]
        ));
    }
}
