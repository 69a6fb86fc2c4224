//! The log on screen: which rows are at hand, and which have to be fetched.
//!
//! The window of rows at hand is never patched: what it lacks is read anew with a page to spare at either side, and the row
//! being read is found again by its offset. At most one request is out; what happens meanwhile waits for its answer: moves as
//! a debt, news from the disk as `stale`.

use super::moving::{last_top, leave, note_seen, shift, show_at, show_card, show_match};
use super::scroll;
use crate::join::{JobNode, RunHead, ShState};
use crate::log::{Anchor, Tail, Window};
use crate::model::{Outcome, Phase, Sh};
use crate::search::Sieve;
use crate::tui::model::{Aim, Card, Item, Log, LogKey, Model, Request};
use crate::tui::msg::{Effect, Goal, Known, Page, PageRequest, Ticket};
use crate::tui::scroll::{Source, may_grow, readdress};

/// How many screens of rows are read at once.
const PAGES: usize = 4;

/// Shows the log of the selected command, or the scroll of the selected job or run, unless it is shown already.
pub(super) fn show(model: &mut Model) -> Vec<Effect> {
    let Some(Wanted { key, source, state }) = wanted(model) else {
        model.log = Log { ticket: next_ticket(model), ..Log::default() };
        return Vec::new();
    };
    let is_same = model.log.key.as_ref() == Some(&key);
    // Deleted while it is read: what was read of it stays.
    let source = source.or_else(|| model.log.source.clone().filter(|_| is_same));
    let is_run_active = model.run.as_ref().is_some_and(|run| run.head.phase == Phase::Active);
    let is_alive = may_grow(state, is_run_active);
    let is_broken_off = state == ShState::Interrupted;
    if is_same && is_same_file(model.log.source.as_ref(), source.as_ref()) {
        model.log.is_broken_off = is_broken_off;
        let has_ended = std::mem::replace(&mut model.log.is_alive, is_alive) && !is_alive;
        let effects = go_on_with(model, source);
        // Whoever saw it to its end wants to know why it failed.
        let is_due = has_ended && state == ShState::Failed && model.log.follow && !model.is_scroll();
        return if is_due { land(model) } else { effects };
    }
    let is_asked = model.open_at.is_some();
    let aim = match state {
        _ if model.open_at.take_if(|at| at == "end").is_some() => Aim::End,
        _ if model.open_at.take_if(|at| at == "start").is_some() => Aim::Start,
        _ if is_alive => Aim::End,
        ShState::Failed | ShState::Interrupted => Aim::End,
        _ => Aim::Start,
    };
    let ticket = next_ticket(model);
    let first_failed = source.as_ref().filter(|_| !is_alive).and_then(|source| scroll::first_failed(model, source));
    model.log = Log { key: Some(key), source, is_alive, is_broken_off, ticket, ..Log::default() };
    if state == ShState::Failed && !model.is_scroll() && !is_asked {
        return land(model);
    }
    if let Some(heading) = first_failed.filter(|_| !is_asked) {
        return seek(model, Goal::Place(heading), "");
    }
    model.log.follow = aim == Aim::End;
    aim_at(model, aim)
}

/// Shows the log at the likeliest cause of a failure.
pub(super) fn land(model: &mut Model) -> Vec<Effect> {
    let sh = model.shown().and_then(|item| item.sh()?.sh.as_ref());
    let exit_code = sh.and_then(Sh::exit_status);
    seek(model, Goal::Cause(exit_code), "")
}

/// Whether it is the log, or the scroll, that is shown already.
fn is_same_file(before: Option<&Source>, now: Option<&Source>) -> bool {
    match (before, now) {
        (Some(Source::Log(before, _)), Some(Source::Log(now, _))) => before == now,
        (Some(Source::Scroll(_)), Some(Source::Scroll(_))) | (None, None) => true,
        _ => false,
    }
}

/// The same log, or scroll, as it stands now: a command may have ended, so that an unfinished last line counts, or have begun.
fn go_on_with(model: &mut Model, source: Option<Source>) -> Vec<Effect> {
    let before = std::mem::replace(&mut model.log.source, source);
    if before == model.log.source {
        return Vec::new();
    }
    let old = before.iter().flat_map(Source::sections).collect::<Vec<_>>();
    let now = model.log.source.iter().flat_map(Source::sections);
    let has_moved = !old.iter().map(|section| &section.place).eq(now.map(|section| &section.place));
    if let (true, Some(before)) = (has_moved, &before) {
        readdress_all(model, before);
    }
    let debt = model.log.request.take_if(|_| has_moved).map_or(0, |request| request.debt);
    let effects = refresh(model);
    owe(model, debt, effects)
}

/// Commands have appeared before others: the rows at hand have other addresses now.
fn readdress_all(model: &mut Model, before: &Source) {
    let Some(now) = model.log.source.clone() else { return };
    let new = |address: u64| readdress(before.sections(), now.sections(), address);
    for row in &mut model.log.window.rows {
        row.offset = new(row.offset);
    }
    model.log.at = model.log.at.map(new);
    model.log.asked = None;
}

/// Whose log is to be shown, its file, and how its command stands.
struct Wanted {
    key: LogKey,
    source: Option<Source>,
    state: ShState,
}

fn wanted(model: &Model) -> Option<Wanted> {
    let run = model.run.as_ref()?;
    let item = model.shown()?;
    let is_scroll = model.is_scroll();
    let key = LogKey { run: run.head.run.id.clone(), place: item.place(), is_scroll };
    let (log, state) = match item {
        Item::Run(run) => (&run.log, own_state(&run.head)),
        Item::Sh(_, sh) => (&sh.log, sh.state),
        Item::Job(job) if is_scroll => (&None, job_state(job)),
        Item::Job(_) => return None,
    };
    let is_run_active = run.head.phase == Phase::Active;
    let tail = if may_grow(state, is_run_active) { Tail::Hold } else { Tail::Emit };
    let alone = || log.as_ref().map(|log| Source::Log(log.path.clone(), tail));
    let source = if is_scroll { Some(Source::Scroll(scroll::sections_of(model, run, &key.place))) } else { alone() };
    Some(Wanted { key, source, state })
}

/// The run's own log is written as long as the run goes on, and its end says why it failed.
const fn own_state(head: &RunHead) -> ShState {
    match (head.phase, head.outcome) {
        (Phase::Active, _) => ShState::Running,
        (_, Some(Outcome::Failed)) => ShState::Failed,
        _ => ShState::Unknown,
    }
}

/// How a job stands, as its commands do.
const fn job_state(job: &JobNode) -> ShState {
    match (job.phase, job.outcome) {
        (Phase::Active, _) => ShState::Running,
        (_, Some(Outcome::Failed)) => ShState::Failed,
        (_, Some(Outcome::Passed)) => ShState::Passed,
        _ => ShState::Unknown,
    }
}

/// More is known of the log.
pub(super) fn known(model: &mut Model, ticket: Ticket, known: Known) -> Vec<Effect> {
    if ticket == model.log.ticket {
        take_known(&mut model.log, known);
    }
    Vec::new()
}

/// What was known of rows stays until it is known anew: counting begins again with every row that is appended.
fn take_known(log: &mut Log, known: Known) {
    let total_rows = known.total_rows.or(log.known.total_rows);
    let stderr_rows = known.stderr_rows.or(log.known.stderr_rows);
    // An answer without rows says nothing of those on screen, and one that is counting anew nothing of what was counted.
    let before = std::mem::take(&mut log.known.numbers);
    let is_of_window = known.numbers.len() == log.window.rows.len();
    let numbers = if !is_of_window || known.numbers.iter().all(Option::is_none) { before } else { known.numbers };
    log.known = Known { total_rows, stderr_rows, numbers, ..known };
    note_seen(log);
}

/// Asks for the rows at the start or the end of the log, whatever was asked before.
pub(super) fn aim_at(model: &mut Model, aim: Aim) -> Vec<Effect> {
    let anchor = if aim == Aim::End { Anchor::End } else { Anchor::From(0) };
    let request = Request { aim, debt: 0, stale: false, is_jump: true };
    send(model, request, Goal::Rows(anchor), PAGES * model.log_height(), false)
}

/// Asks for the row that begins at this byte, or the next one, as the first on screen.
pub(super) fn open_from(model: &mut Model, byte: u64) -> Vec<Effect> {
    leave(model);
    let request = Request { aim: Aim::Start, debt: 0, stale: false, is_jump: true };
    send(model, request, Goal::Rows(Anchor::From(byte)), PAGES * model.log_height(), false)
}

/// Asks for the rows around one that has to be looked for, whatever was asked before. `if_missed` is said if there is none.
pub(super) fn seek(model: &mut Model, goal: Goal, if_missed: &str) -> Vec<Effect> {
    if !matches!(goal, Goal::Cause(_) | Goal::Around(_)) {
        show_card(model, false);
    }
    let stale = model.log.request.is_some_and(|request| request.stale || request.aim != Aim::Target);
    if_missed.clone_into(&mut model.log.if_missed);
    let request = Request { aim: Aim::Target, debt: 0, stale, is_jump: true };
    send(model, request, goal, PAGES * model.log_height(), false)
}

/// Other rows are shown from now on: asks for those at the place that is being read.
pub(super) fn look_anew(model: &mut Model) -> Vec<Effect> {
    if model.log.source.is_none() {
        return Vec::new();
    }
    let place = model.current_row().map_or(0, |row| row.offset);
    // What was looked for before is shown among other rows only if it is one of them.
    model.log.at = None;
    if model.log.follow {
        return aim_at(model, Aim::End);
    }
    seek(model, Goal::Around(place), "")
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
    let request = Request { aim, debt: 0, stale: false, is_jump: false };
    send(model, request, Goal::Rows(anchor), rows, is_at_hand)
}

/// Fetches rows further up (`towards` negative) or down, to be scrolled by `debt`; nothing if that was what came last.
pub(super) fn reach(model: &mut Model, towards: isize, debt: isize) -> Vec<Effect> {
    let height = model.log_height();
    let log = &model.log;
    let offset = |row: usize| log.window.rows.get(row).or(log.window.rows.last()).map_or(0, |row| row.offset);
    let anchor = if towards < 0 {
        Anchor::Before(offset(log.top + 2 * height))
    } else {
        Anchor::From(offset(log.top.saturating_sub(height)))
    };
    let (goal, rows) = (Goal::Rows(anchor), PAGES * height);
    if log.asked.as_ref().is_some_and(|asked| *asked == (goal.clone(), rows)) {
        return Vec::new();
    }
    send(model, Request { aim: Aim::Here, debt, stale: false, is_jump: false }, goal, rows, false)
}

/// With another log or request, what still comes for the one before is of no use.
const fn next_ticket(model: &Model) -> Ticket {
    Ticket(model.log.ticket.0 + 1)
}

fn send(model: &mut Model, request: Request, goal: Goal, rows: usize, is_refresh: bool) -> Vec<Effect> {
    let next = next_ticket(model);
    let log = &mut model.log;
    let Some(source) = log.source.clone() else { return Vec::new() };
    log.ticket = next;
    log.asked = Some((goal.clone(), rows));
    log.request = Some(request);
    log.looking = None;
    let sieve = Sieve { keep: log.at, ..model.lens.sieve.clone() };
    let search = model.lens.search.clone();
    let folds = scroll::folds(&model.tree, log.key.as_ref(), &source);
    let page = PageRequest { source, goal, rows, sieve, folds, search, is_refresh };
    vec![Effect::ReadLog(log.ticket, Box::new(page))]
}

/// Gives up what is being looked for, if something is: what is at hand is looked at again in its place.
pub(super) fn stop_looking(model: &mut Model) -> Option<Vec<Effect>> {
    model.log.request.filter(|_| model.log.is_seeking())?;
    (model.log.request, model.log.looking) = (None, None);
    Some(refresh(model))
}

/// Rows have come.
pub(super) fn arrived(model: &mut Model, ticket: Ticket, page: Page) -> Vec<Effect> {
    let Some(request) = take_request(model, ticket) else { return Vec::new() };
    let log = &mut model.log;
    log.fault = None;
    let here = log.window.rows.get(log.top).map(|row| row.offset);
    let is_other_file = page.generation != log.generation && here.is_some();
    let first = page.window.rows.first().map(|row| row.offset);
    if request.aim == Aim::Here && !is_other_file && !page.window.at_start && first > here {
        // Scrolled up while the end was being read: what is read now has to be read again.
        let effects = refresh(model);
        return owe(model, request.debt, effects);
    }
    if let Some(place) = page.opened {
        scroll::open_found(model, place);
    }
    scroll::note_folds(model, &page.folded);
    let is_landing = page.cause.is_some();
    let has_no_cause = is_landing && page.target.is_none();
    if let Some(cause) = page.cause {
        model.log.card = Some(Card { cause, is_open: true });
        model.log.follow = has_no_cause;
    }
    let target = page.target.map(|target| target.offset);
    let aimed = target.or_else(|| model.current_row().map(|row| row.offset)).unwrap_or(0);
    let is_heading = model.log.source.as_ref().is_some_and(|source| source.heading(aimed).is_some());
    // A heading comes first on the screen, what it heads below it.
    let line_before = line_on_screen(model, aimed).or_else(|| is_heading.then_some(0));
    let log = &mut model.log;
    log.generation = page.generation;
    log.standing = page.standing;
    log.style = page.style;
    // Nothing comes before the first row later on: a refresh does not ask for it again.
    let was_at_start = log.window.at_start && first == log.window.rows.first().map(|row| row.offset);
    let at_start = page.window.at_start || (was_at_start && !is_other_file && request.aim != Aim::Target);
    log.window = Window { at_start, ..page.window };
    log.known.numbers.clear();
    log.known.total_rows = log.known.total_rows.filter(|_| !is_other_file);
    log.known.stderr_rows = log.known.stderr_rows.filter(|_| !is_other_file);
    take_known(log, page.known);
    let is_scroll = log.key.as_ref().is_some_and(|key| key.is_scroll);
    let has_rows = is_scroll || (log.window.file_bytes > 0 && !model.lens.sieve.narrows());
    let is_beyond_end = log.window.rows.is_empty() && has_rows;
    let is_short_of_end = request.aim == Aim::End && !log.window.at_end;
    if is_other_file || is_beyond_end || is_short_of_end {
        if is_other_file {
            model.said = Some("the log was begun anew: this is its end".into());
        }
        log.seen_rows = log.seen_rows.filter(|_| !is_other_file);
        log.at = log.at.filter(|_| !is_other_file);
        log.follow = true;
        if log.asked.as_ref().is_none_or(|(goal, _)| *goal != Goal::Rows(Anchor::End)) {
            let effects = aim_at(model, Aim::End);
            return owe(model, request.debt, effects);
        }
    }
    match request.aim {
        Aim::Start => (model.log.top, model.log.line) = (0, 0),
        Aim::End => (model.log.top, model.log.line) = last_top(model),
        Aim::Target if has_no_cause => (model.log.top, model.log.line) = last_top(model),
        Aim::Here => stay(model, here),
        Aim::Target => {
            model.log.at = target.or(model.log.at);
            if page.target.is_some_and(|target| target.has_wrapped) {
                model.said = Some("went on from the other end".into());
            }
            show_at(model, aimed, line_before);
            show_match(model, aimed);
        }
    }
    match model.open_at.take() {
        Some(at) => super::seek::open_at(model, &at),
        // Nobody has chosen what one lands on.
        None if is_landing => pay(model, Request { aim: Aim::Here, ..request }),
        None => pay(model, request),
    }
}

/// What is still to be scrolled waits for the next answer.
fn owe(model: &mut Model, debt: isize, effects: Vec<Effect>) -> Vec<Effect> {
    if let Some(next) = &mut model.log.request {
        next.debt = next.debt.saturating_add(debt);
    }
    effects
}

/// The row that was the first on screen stays it.
fn stay(model: &mut Model, here: Option<u64>) {
    let rows = &model.log.window.rows;
    let place = rows.iter().enumerate().find(|(_, row)| Some(row.offset) >= here);
    (model.log.top, model.log.line) = match place {
        Some((top, row)) if Some(row.offset) == here => (top, model.log.line),
        Some((top, _)) => (top, 0),
        None => last_top(model),
    };
}

/// In which line of the pane a row begins, if it is on screen.
fn line_on_screen(model: &Model, offset: u64) -> Option<usize> {
    let (lines_of, mut line) = (model.lines_of(), 0_usize);
    for row in model.log.window.rows.iter().skip(model.log.top) {
        if row.offset == offset {
            return Some(line.saturating_sub(model.log.line));
        }
        line += lines_of(row);
        if line >= model.log_height() + model.log.line {
            return None;
        }
    }
    None
}

/// Nothing has changed: what was waiting for the answer goes on with the rows at hand.
pub(super) fn unchanged(model: &mut Model, ticket: Ticket, known: Known) -> Vec<Effect> {
    let Some(request) = take_request(model, ticket) else { return Vec::new() };
    model.log.fault = None;
    take_known(&mut model.log, known);
    match request.aim {
        Aim::Start => (model.log.top, model.log.line) = (0, 0),
        Aim::End => (model.log.top, model.log.line) = last_top(model),
        Aim::Here | Aim::Target => {}
    }
    pay(model, request)
}

/// There is no such row as was looked for.
pub(super) fn missed(model: &mut Model, ticket: Ticket) -> Vec<Effect> {
    let Some(request) = take_request(model, ticket) else { return Vec::new() };
    let asked = model.log.asked.take();
    if let (Some((Goal::Fold(_, how), _)), true) = (asked, model.is_scroll()) {
        return scroll::fold_section(model, how);
    }
    model.said = Some(std::mem::take(&mut model.log.if_missed)).filter(|said| !said.is_empty());
    pay(model, Request { aim: Aim::Here, ..request })
}

/// A row is being looked for, and that takes long.
pub(super) fn looking(model: &mut Model, ticket: Ticket, percent: u8) -> Vec<Effect> {
    if ticket == model.log.ticket && model.log.request.is_some() {
        model.log.looking = Some(percent);
    }
    Vec::new()
}

/// The log could not be read; the next hint from the disk tries again.
pub(super) fn failed(model: &mut Model, ticket: Ticket, why: String) -> Vec<Effect> {
    if ticket == model.log.ticket {
        let _ = take_request(model, ticket);
        model.log.fault = Some(why);
        model.open_at = None;
    }
    Vec::new()
}

fn take_request(model: &mut Model, ticket: Ticket) -> Option<Request> {
    if ticket != model.log.ticket {
        return None;
    }
    model.log.looking = None;
    model.log.request.take()
}

/// Makes the moves that were waiting, and asks again if the file has changed meanwhile.
fn pay(model: &mut Model, request: Request) -> Vec<Effect> {
    let rest = shift(model, request.debt);
    if request.aim == Aim::Target {
        leave(model);
    }
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
    if model.log.request.is_some() || model.log.window.rows.is_empty() {
        return Vec::new();
    }
    if model.log.window.at_end {
        let last = last_top(model);
        let here = (model.log.top, model.log.line);
        (model.log.top, model.log.line) = if model.log.follow { last } else { here.min(last) };
    }
    // Another width, or another look, may have left the row fewer lines.
    let lines = model.log.window.rows.get(model.log.top).map_or(1, model.lines_of());
    model.log.line = model.log.line.min(lines.saturating_sub(1));
    let log = &model.log;
    let below = log.window.rows.len().saturating_sub(log.top + height);
    if !log.window.at_start && log.top < height / 2 {
        reach(model, -1, 0)
    } else if !log.window.at_end && below < height / 2 {
        reach(model, 1, 0)
    } else {
        Vec::new()
    }
}
