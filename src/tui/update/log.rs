//! The log on screen: the loaded rows, and requests for more.
//!
//! The window of loaded rows is never patched. If rows are missing, a new window is read with a
//! spare page at either side, and the first row on screen is found again by its offset. At most one
//! request is pending. Events in the meantime wait for its answer: moves as `pending`, changes on
//! disk as `stale`.

use super::answers::add_pending;
use super::moving::leave;
use super::scroll;
use crate::join::{JobNode, RunHead, ShState};
use crate::log::{Anchor, Tail};
use crate::model::{Outcome, Phase, Sh};
use crate::search::RowFilter;
use crate::tui::document::{Document, may_grow};
use crate::tui::model::{Aim, Item, Log, Model, Pending, Request};
use crate::tui::msg::{Effects, Goal, PageRequest, RowsRequest, Ticket, WorkerRequest};

/// The number of screens of rows to read at once.
const PAGES: usize = 4;

/// Shows the log of the selected command, or all commands of the selected job or run, unless they
/// are shown already.
pub(super) fn show(model: &mut Model) -> Effects {
    scroll::keep_open(model);
    let Some((document, state)) = pane_document(model) else {
        model.log = Log { ticket: next_ticket(model), ..Log::default() };
        return Effects::none();
    };
    let is_run_active = model.run.as_ref().is_some_and(|run| run.head.phase == Phase::Active);
    let is_alive = may_grow(state, is_run_active);
    let is_interrupted = state == ShState::Interrupted;
    if let Some(before) = model.log.document.clone().filter(|before| is_going_on(before, &document))
    {
        model.log.is_interrupted = is_interrupted;
        let has_ended = std::mem::replace(&mut model.log.is_alive, is_alive) && !is_alive;
        let has_headings = document.has_headings;
        let effects = go_on_with(model, &before, document);
        // A user who followed the log to its end wants to see why the command failed.
        let is_due = has_ended && state == ShState::Failed && model.log.follow && !has_headings;
        return if is_due { land(model) } else { effects };
    }
    let is_asked = model.open_at.is_some();
    let asked = model.open_at.take_if(|at| at == "end" || at == "start");
    let opens_at_end = is_alive || matches!(state, ShState::Failed | ShState::Interrupted);
    let is_end = asked.map_or(opens_at_end, |at| at == "end");
    let aim = if is_end { Aim::End } else { Aim::Start };
    let ticket = next_ticket(model);
    let is_failed = state == ShState::Failed && !document.has_headings && !is_asked;
    let first_failed = scroll::first_failed(model, &document).filter(|_| !is_alive && !is_asked);
    let document = Some(document);
    model.log = Log { document, is_alive, is_interrupted, ticket, ..Log::default() };
    if is_failed {
        return land(model);
    }
    if let Some(heading) = first_failed {
        return seek(model, Goal::Place(heading), "");
    }
    model.log.follow = aim == Aim::End;
    aim_at(model, aim)
}

/// Shows the log at the likely cause of a failure.
pub(super) fn land(model: &mut Model) -> Effects {
    let sh = model.shown().and_then(|item| item.sh()?.sh.as_ref());
    let exit_code = sh.and_then(Sh::exit_status);
    seek(model, Goal::Cause(0, exit_code), "")
}

/// Returns true if a document is a later state of the one that is shown. Without headings, a log
/// that has just appeared, or another log, is a new document.
fn is_going_on(before: &Document, now: &Document) -> bool {
    let log = |document: &Document| document.sections.first().and_then(|first| first.log.clone());
    let is_same_log = || log(now).is_none() || log(before) == log(now);
    before.is_of_same(now) && (now.has_headings || is_same_log())
}

/// Shows the current state of the same document: a command may have started, or have ended, so that
/// an unfinished last line counts.
fn go_on_with(model: &mut Model, before: &Document, mut now: Document) -> Effects {
    now.keep_logs(before);
    if *before == now {
        return Effects::none();
    }
    let places = |document: &Document| {
        document.sections.iter().map(|section| section.place.clone()).collect::<Vec<_>>()
    };
    let has_moved = places(before) != places(&now);
    if has_moved {
        readdress_all(model, before, &now);
    }
    model.log.document = Some(now);
    let given_up = model.log.request.take_if(|_| has_moved);
    let pending = given_up.map(|request| request.pending).unwrap_or_default();
    let effects = refresh(model);
    add_pending(model, pending, effects)
}

/// Updates the addresses of the loaded rows after commands have appeared before others.
fn readdress_all(model: &mut Model, before: &Document, now: &Document) {
    let new = |address: u64| now.readdress(before, address);
    for row in &mut model.log.window.rows {
        row.offset = new(row.offset);
    }
    for head in &mut model.log.known.heads {
        head.at = new(head.at);
    }
    model.log.cursor = model.log.cursor.map(new);
    model.log.at = model.log.at.map(new);
    model.log.marked = model.log.marked.map(new);
    model.log.asked = None;
}

/// Returns the document of the selection, and the state of its command, job or run.
fn pane_document(model: &Model) -> Option<(Document, ShState)> {
    let run = model.run.as_ref()?;
    let (id, item) = (run.head.run.id.clone(), model.shown()?);
    let place = item.place();
    let (log, state) = match item {
        Item::Run(run) => (&run.log, own_state(&run.head)),
        Item::Sh(_, sh) => (&sh.log, sh.state),
        Item::Job(job) if model.tree.shows_all => (&None, job_state(job)),
        Item::Job(_) => return None,
    };
    if model.tree.shows_all {
        let sections = scroll::sections_of(model, run, &place);
        return Some((Document { run: id, of: place, has_headings: true, sections }, state));
    }
    let may_grow = may_grow(state, run.head.phase == Phase::Active);
    let tail = if may_grow { Tail::Hold } else { Tail::Emit };
    let log = log.as_ref().map(|log| log.path.clone());
    Some((Document::of_log(id, place, log, tail), state))
}

/// Returns the state of the run's own log, which is written while the run is active. Its end
/// contains the reason for a failure.
const fn own_state(head: &RunHead) -> ShState {
    match (head.phase, head.outcome) {
        (Phase::Active, _) => ShState::Running,
        (_, Some(Outcome::Failed)) => ShState::Failed,
        _ => ShState::Unknown,
    }
}

/// Returns the state of a job, in the terms of its commands.
const fn job_state(job: &JobNode) -> ShState {
    match (job.phase, job.outcome) {
        (Phase::Active, _) => ShState::Running,
        (_, Some(Outcome::Failed)) => ShState::Failed,
        (_, Some(Outcome::Passed)) => ShState::Passed,
        _ => ShState::Unknown,
    }
}

/// Requests the rows at the start or the end of the log, in place of any pending request.
pub(super) fn aim_at(model: &mut Model, aim: Aim) -> Effects {
    let anchor = if aim == Aim::End { Anchor::End } else { Anchor::From(0) };
    let request = Request { aim, pending: Pending::default(), stale: false, is_jump: true };
    send(model, request, Goal::Rows(anchor), PAGES * model.log_height(), false)
}

/// Requests the rows from this byte. The first row that begins there or later is the first on
/// screen.
pub(super) fn open_from(model: &mut Model, byte: u64) -> Effects {
    leave(model);
    let request =
        Request { aim: Aim::Start, pending: Pending::default(), stale: false, is_jump: true };
    send(model, request, Goal::Rows(Anchor::From(byte)), PAGES * model.log_height(), false)
}

/// Requests the rows around one that must be searched for, in place of any pending request. Shows
/// the message `if_missed` if that row is not found.
pub(super) fn seek(model: &mut Model, goal: Goal, if_missed: &str) -> Effects {
    let stale =
        model.log.request.is_some_and(|request| request.stale || request.aim != Aim::Target);
    if_missed.clone_into(&mut model.log.if_missed);
    let request = Request { aim: Aim::Target, pending: Pending::default(), stale, is_jump: true };
    send(model, request, goal, PAGES * model.log_height(), false)
}

/// Requests the rows around the current one, after a change of the rows to show.
pub(super) fn reload_rows(model: &mut Model) -> Effects {
    if !model.log.has_rows() {
        return Effects::none();
    }
    let place = model.current_row().map_or(0, |row| row.offset);
    // If the filter hides the row found last, no longer show it. As soon as the row is loaded
    // again, it becomes the current row.
    model.log.marked = model.log.at.take().or(model.log.marked);
    if model.log.follow {
        return aim_at(model, Aim::End);
    }
    seek(model, Goal::Around(place), "")
}

/// Requests the rows on screen again, because the log may have grown.
pub(super) fn refresh(model: &mut Model) -> Effects {
    if let Some(request) = &mut model.log.request {
        request.stale = true;
        return Effects::none();
    }
    let aim = if model.log.follow { Aim::End } else { Aim::Here };
    let rows = (PAGES * model.log_height()).max(model.log.window.rows.len());
    let anchor = match (aim, model.log.window.rows.first()) {
        (Aim::End, _) => Anchor::End,
        (_, first) => Anchor::From(first.map_or(0, |row| row.offset)),
    };
    let is_at_hand = !model.log.window.rows.is_empty();
    let request = Request { aim, pending: Pending::default(), stale: false, is_jump: false };
    send(model, request, Goal::Rows(anchor), rows, is_at_hand)
}

/// Requests rows further up (`towards` negative) or down, for the rest of a move. Does nothing if
/// that was the last request.
pub(super) fn reach(model: &mut Model, towards: isize, pending: Pending) -> Effects {
    let height = model.log_height();
    let log = &model.log;
    let offset = |row: usize| {
        log.window.rows.get(row).or(log.window.rows.last()).map_or(0, |row| row.offset)
    };
    let anchor = if towards < 0 {
        Anchor::Before(offset(log.top + 2 * height))
    } else {
        Anchor::From(offset(log.top.saturating_sub(height)))
    };
    let goal = Goal::Rows(anchor);
    let rows = PAGES * height;
    if log.asked.as_ref().is_some_and(|asked| *asked == (goal.clone(), rows)) {
        return Effects::none();
    }
    send(
        model,
        Request { aim: Aim::Here, pending, stale: false, is_jump: false },
        goal,
        rows,
        false,
    )
}

/// Returns the ticket of the next log or request. Answers to earlier tickets are ignored.
const fn next_ticket(model: &Model) -> Ticket {
    Ticket(model.log.ticket.0 + 1)
}

fn send(
    model: &mut Model,
    request: Request,
    goal: Goal,
    max_rows: usize,
    is_refresh: bool,
) -> Effects {
    let next = next_ticket(model);
    let log = &mut model.log;
    let Some(document) = log.document.clone().filter(Document::has_rows) else {
        return Effects::none();
    };
    log.ticket = next;
    log.asked = Some((goal.clone(), max_rows));
    log.request = Some(request);
    log.looking = None;
    let row_filter = RowFilter { keep: log.at, ..model.view_options.row_filter.clone() };
    let search = model.view_options.search.clone();
    let folds = scroll::folds(&model.tree, &document);
    let rows = RowsRequest { goal, max_rows, row_filter, folds, search, is_refresh };
    WorkerRequest::ReadLog(log.ticket, Box::new(PageRequest { document, rows })).into()
}

/// Stops the search for a row, and refreshes the rows on screen instead. Returns `None` if there is
/// no search.
pub(super) fn stop_looking(model: &mut Model) -> Option<Effects> {
    model.log.request.filter(|_| model.log.is_seeking())?;
    (model.log.request, model.log.looking) = (None, None);
    Some(refresh(model))
}

/// Requests more rows near either end of the loaded ones. Keeps the end on screen while the log is
/// followed.
pub(super) fn settle(model: &mut Model) -> Effects {
    let height = model.log_height();
    if model.log.request.is_some() || model.log.window.rows.is_empty() {
        return Effects::none();
    }
    let viewport = model.viewport();
    if model.log.window.at_end {
        let last = viewport.last_top();
        let here = (model.log.top, model.log.line);
        (model.log.top, model.log.line) = if model.log.follow { last } else { here.min(last) };
    }
    // After a change of the width or of the display options, the row may have fewer lines.
    model.log.line = model.log.line.min(viewport.lines_of(model.log.top).saturating_sub(1));
    let log = &model.log;
    let below = log.window.rows.len().saturating_sub(log.top + height);
    if !log.window.at_start && log.top < height / 2 {
        reach(model, -1, Pending::default())
    } else if !log.window.at_end && below < height / 2 {
        reach(model, 1, Pending::default())
    } else {
        Effects::none()
    }
}
