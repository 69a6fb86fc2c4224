//! The log on screen: which rows are at hand, which of them are shown, which have to be fetched.
//!
//! The window of rows at hand is never patched: what it lacks is read anew with a page to spare at either side, and the row
//! being read is found again by its offset. At most one request is out; what happens meanwhile waits for its answer: moves as
//! a debt, news from the disk as `stale`.

use super::keys::Move;
use super::tree;
use crate::file::FilePath;
use crate::join::{Place, RunHead, ShState};
use crate::log::{Anchor, Tail};
use crate::model::{Outcome, Phase, RunId};
use crate::tui::model::{Aim, Item, Log, Model, Request, telling_place};
use crate::tui::msg::{Effect, Page, PageRequest, Ticket};

/// How many screens of rows are read at once.
const PAGES: usize = 4;
/// The columns of a step sideways.
const SIDEWAYS: usize = 8;

/// Shows the log of the selected command, unless it is shown already.
pub(super) fn show(model: &mut Model) -> Vec<Effect> {
    let Some(Wanted { key, path, state }) = wanted(model) else {
        model.log = Log { ticket: next_ticket(model), ..Log::default() };
        return Vec::new();
    };
    let is_same = model.log.key.as_ref() == Some(&key);
    // Deleted while it is read: what was read of it stays.
    let path = path.or_else(|| model.log.path.clone().filter(|_| is_same));
    let is_run_active = model.run.as_ref().is_some_and(|run| run.head.phase == Phase::Active);
    // A log without a row in a run that goes on: some stores write the row at the command's end.
    let is_alive = state == ShState::Running || (state == ShState::Unknown && is_run_active);
    if is_same && model.log.path == path {
        // It has ended: an unfinished last line counts from now on.
        let has_changed = std::mem::replace(&mut model.log.is_alive, is_alive) != is_alive;
        return if has_changed { refresh(model) } else { Vec::new() };
    }
    let aim = match state {
        _ if is_alive => Aim::End,
        ShState::Failed | ShState::Interrupted => Aim::End,
        _ => Aim::Start,
    };
    model.log = Log { key: Some(key), path, is_alive, ticket: next_ticket(model), ..Log::default() };
    model.log.follow = aim == Aim::End;
    aim_at(model, aim)
}

/// Whose log is to be shown, its file, and how its command stands.
struct Wanted {
    key: (RunId, Place),
    path: Option<FilePath>,
    state: ShState,
}

fn wanted(model: &Model) -> Option<Wanted> {
    let run = model.run.as_ref()?;
    let item = model.shown()?;
    let (log, state) = match item {
        Item::Run(run) => (&run.log, own_state(&run.head)),
        Item::Sh(_, sh) => (&sh.log, sh.state),
        Item::Job(_) => return None,
    };
    let path = log.as_ref().map(|log| log.path.clone());
    Some(Wanted { key: (run.head.run.id.clone(), item.place()), path, state })
}

/// The run's own log is written as long as the run goes on, and its end says why it failed.
const fn own_state(head: &RunHead) -> ShState {
    match (head.phase, head.outcome) {
        (Phase::Active, _) => ShState::Running,
        (_, Some(Outcome::Failed)) => ShState::Failed,
        _ => ShState::Unknown,
    }
}

/// Moves the rows on screen.
pub(super) fn go(model: &mut Model, how: Move) -> Vec<Effect> {
    match how {
        Move::Top => {
            leave(model);
            aim_at(model, Aim::Start)
        }
        Move::Bottom => {
            model.log.follow = true;
            model.tree.chosen &= !model.log.is_alive;
            aim_at(model, Aim::End)
        }
        how => {
            let height = model.log_height();
            scroll(model, how.rows(height), height)
        }
    }
}

fn scroll(model: &mut Model, by: isize, height: usize) -> Vec<Effect> {
    if let Some(request) = model.log.request.as_mut().filter(|request| request.is_jump) {
        request.debt = request.debt.saturating_add(by);
        if by < 0 {
            leave(model);
        }
        return Vec::new();
    }
    let rest = shift(&mut model.log, by, height);
    if by < 0 && !model.log.follow {
        model.tree.chosen = true;
    }
    let aim = if model.log.follow { Aim::End } else { Aim::Here };
    match &mut model.log.request {
        Some(request) => {
            *request = Request { aim, debt: request.debt.saturating_add(rest), ..*request };
            Vec::new()
        }
        None if rest != 0 => reach(model, rest, rest),
        None => Vec::new(),
    }
}

/// The user reads something that is not the end: it stays.
fn leave(model: &mut Model) {
    model.log.follow = false;
    model.tree.chosen = true;
}

/// Scrolls as far as the rows at hand allow; what is left over is returned unless nothing lies there.
fn shift(log: &mut Log, by: isize, height: usize) -> isize {
    let last = last_top(log, height);
    let wanted = isize::try_from(log.top).unwrap_or(isize::MAX).saturating_add(by);
    let top = usize::try_from(wanted.max(0)).unwrap_or(0).min(last);
    let rest = wanted.saturating_sub(isize::try_from(top).unwrap_or(isize::MAX));
    log.top = top;
    log.follow = log.window.at_end && top == last;
    note_seen(log);
    let is_at_edge = if rest < 0 { log.window.at_start } else { log.window.at_end };
    if is_at_edge { 0 } else { rest }
}

const fn last_top(log: &Log, height: usize) -> usize {
    log.window.rows.len().saturating_sub(height)
}

/// What was there when the log was opened counts as seen, wherever one reads.
fn note_seen(log: &mut Log) {
    if log.follow || log.seen_rows.is_none() {
        log.seen_rows = log.total_rows;
    }
}

/// All rows have been counted.
pub(super) fn counted(model: &mut Model, ticket: Ticket, rows: u64) -> Vec<Effect> {
    if ticket == model.log.ticket {
        model.log.total_rows = Some(rows);
        note_seen(&mut model.log);
    }
    Vec::new()
}

/// Scrolls sideways by steps; positive shows what is further right.
pub(super) fn sideways(model: &mut Model, steps: isize) -> Vec<Effect> {
    let by = steps.saturating_mul(isize::try_from(SIDEWAYS).unwrap_or(1));
    // A byte takes one column at most, but for tabs and the glyphs of controls: eight.
    let longest = model.log.window.rows.iter().map(|row| row.text.len()).max().unwrap_or(0);
    model.log.sideways = model.log.sideways.saturating_add_signed(by).min(longest.saturating_mul(8));
    Vec::new()
}

/// Follows what runs: goes to the end of the log, and on to the command that runs if this one has ended.
pub(super) fn follow(model: &mut Model) -> Vec<Effect> {
    let is_run_active = model.run.as_ref().is_some_and(|run| run.head.phase == Phase::Active);
    if is_run_active {
        model.tree.chosen = false;
        let place = model.run.as_ref().and_then(telling_place).filter(|_| !model.log.is_alive);
        if let Some(place) = place {
            let mut effects = tree::select(model, place);
            effects.extend(go(model, Move::Bottom));
            return effects;
        }
    }
    go(model, Move::Bottom)
}

/// Asks for the rows at the start or the end of the log, whatever was asked before.
fn aim_at(model: &mut Model, aim: Aim) -> Vec<Effect> {
    let anchor = if aim == Aim::End { Anchor::End } else { Anchor::From(0) };
    let rows = PAGES * model.log_height();
    send(model, Request { aim, debt: 0, stale: false, is_jump: true }, anchor, rows, false)
}

/// The log may have grown.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    if let Some(request) = &mut model.log.request {
        request.stale = true;
        return Vec::new();
    }
    let aim = if model.log.follow { Aim::End } else { Aim::Here };
    let rows = (PAGES * model.log_height()).max(model.log.window.rows.len());
    let anchor = match (aim, model.log.window.rows.first()) {
        (Aim::End, _) => Anchor::End,
        (_, first) => Anchor::From(first.map_or(0, |row| row.offset)),
    };
    let is_at_hand = !model.log.window.rows.is_empty();
    send(model, Request { aim, debt: 0, stale: false, is_jump: false }, anchor, rows, is_at_hand)
}

/// Fetches rows further up (`towards` negative) or down, to be scrolled by `debt`; nothing if that was what came last.
fn reach(model: &mut Model, towards: isize, debt: isize) -> Vec<Effect> {
    let height = model.log_height();
    let log = &model.log;
    let offset = |row: usize| log.window.rows.get(row).or(log.window.rows.last()).map_or(0, |row| row.offset);
    let anchor = if towards < 0 {
        Anchor::Before(offset(log.top + 2 * height))
    } else {
        Anchor::From(offset(log.top.saturating_sub(height)))
    };
    let rows = PAGES * height;
    if log.asked == Some((anchor, rows)) {
        return Vec::new();
    }
    send(model, Request { aim: Aim::Here, debt, stale: false, is_jump: false }, anchor, rows, false)
}

/// With another log or request, what still comes for the one before is of no use.
const fn next_ticket(model: &Model) -> Ticket {
    Ticket(model.log.ticket.0 + 1)
}

fn send(model: &mut Model, request: Request, anchor: Anchor, rows: usize, is_refresh: bool) -> Vec<Effect> {
    let next = next_ticket(model);
    let log = &mut model.log;
    let Some(path) = log.path.clone() else { return Vec::new() };
    log.ticket = next;
    log.asked = Some((anchor, rows));
    log.request = Some(request);
    let tail = if log.is_alive { Tail::Hold } else { Tail::Emit };
    vec![Effect::ReadLog(log.ticket, PageRequest { path, anchor, rows, tail, is_refresh })]
}

/// Rows have come.
pub(super) fn arrived(model: &mut Model, ticket: Ticket, page: Page) -> Vec<Effect> {
    let Some(request) = take_request(model, ticket) else { return Vec::new() };
    let height = model.log_height();
    let log = &mut model.log;
    log.fault = None;
    let here = log.window.rows.get(log.top).map(|row| row.offset);
    let is_other_file = page.generation != log.generation && here.is_some();
    let first = page.window.rows.first().map(|row| row.offset);
    if request.aim == Aim::Here && !is_other_file && !page.window.at_start && first > here {
        // Scrolled up while the end was being read: what is read now has to be read again.
        return refresh(model);
    }
    log.generation = page.generation;
    log.standing = page.standing;
    log.window = page.window;
    log.total_rows = page.total_rows.or(log.total_rows.filter(|_| !is_other_file));
    let is_beyond_end = log.window.rows.is_empty() && log.window.file_bytes > 0;
    let is_short_of_end = request.aim == Aim::End && !log.window.at_end;
    if is_other_file || is_beyond_end || is_short_of_end {
        log.seen_rows = log.seen_rows.filter(|_| !is_other_file);
        log.follow = true;
        if log.asked.is_none_or(|(anchor, _)| anchor != Anchor::End) {
            return aim_at(model, Aim::End);
        }
    }
    let last = last_top(log, height);
    log.top = match request.aim {
        Aim::Start => 0,
        Aim::End => last,
        Aim::Here => log.window.rows.iter().position(|row| Some(row.offset) >= here).unwrap_or(last),
    };
    pay(model, request, height)
}

/// Nothing has changed: what was waiting for the answer goes on with the rows at hand.
pub(super) fn unchanged(model: &mut Model, ticket: Ticket, rows: Option<u64>) -> Vec<Effect> {
    let Some(request) = take_request(model, ticket) else { return Vec::new() };
    let height = model.log_height();
    model.log.fault = None;
    model.log.total_rows = rows.or(model.log.total_rows);
    match request.aim {
        Aim::Start => model.log.top = 0,
        Aim::End => model.log.top = last_top(&model.log, height),
        Aim::Here => {}
    }
    pay(model, request, height)
}

/// The log could not be read; the next hint from the disk tries again.
pub(super) fn failed(model: &mut Model, ticket: Ticket, why: String) -> Vec<Effect> {
    if take_request(model, ticket).is_some() {
        model.log.fault = Some(why);
    }
    Vec::new()
}

fn take_request(model: &mut Model, ticket: Ticket) -> Option<Request> {
    if ticket == model.log.ticket { model.log.request.take() } else { None }
}

/// Makes the moves that were waiting, and asks again if the file has changed meanwhile.
fn pay(model: &mut Model, request: Request, height: usize) -> Vec<Effect> {
    let rest = shift(&mut model.log, request.debt, height);
    let effects = if rest == 0 { Vec::new() } else { reach(model, rest, rest) };
    match &mut model.log.request {
        Some(next) => next.stale = request.stale,
        None if request.stale => return refresh(model),
        None => {}
    }
    effects
}

/// Keeps rows at hand at either side of the screen, and the end on it while it is followed.
pub(super) fn settle(model: &mut Model) -> Vec<Effect> {
    let height = model.log_height();
    let log = &mut model.log;
    if log.request.is_some() || log.window.rows.is_empty() {
        return Vec::new();
    }
    let last = last_top(log, height);
    if log.window.at_end {
        log.top = if log.follow { last } else { log.top.min(last) };
    }
    let below = log.window.rows.len().saturating_sub(log.top + height);
    if !log.window.at_start && log.top < height / 2 {
        reach(model, -1, 0)
    } else if !log.window.at_end && below < height / 2 {
        reach(model, 1, 0)
    } else {
        Vec::new()
    }
}
