//! The pane of the log: the command line as its heading, a line of facts, the rows; or why there are none.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::say;
use crate::join::{JobNode, RunNode, ShNode, ShState};
use crate::model::Phase;
use crate::sanitise::name;
use crate::tui::layout::log_parts;
use crate::tui::model::{Item, Model};
use crate::tui::widget::{LogRows, Strip, command, own_name, spent, spent_by};
use crate::words::{self, Mark};

/// The heading: the command line, or the job when it has none.
pub(super) fn title(model: &Model) -> String {
    match model.shown() {
        None => "Log".into(),
        Some(Item::Run(run)) => own_name(run).into(),
        Some(Item::Sh(_, sh)) if sh.sh.is_some() => format!("$ {}", command(sh)),
        Some(Item::Sh(_, sh)) => command(sh),
        Some(Item::Job(job)) => name(job.job.id.as_str()).into_owned(),
    }
}

/// Draws the pane below its heading.
pub(super) fn draw(model: &Model, body: Rect, buffer: &mut Buffer) {
    let Some(item) = model.shown() else {
        match &model.run {
            Some(run) if run.jobs.is_empty() => {
                let reason = words::reason(&run.head).unwrap_or_default();
                say(model, buffer, body, &[no_jobs(run), &reason]);
            }
            None if model.waiting.is_none() => say(model, buffer, body, &["reading the store"]),
            Some(_) | None => {}
        }
        return;
    };
    let (mark, facts, nothing) = match item {
        Item::Run(run) => (
            Mark::of_run(&run.head),
            run_facts(model, run).to_vec(),
            why_no_rows(model, ShState::Unknown, "it has no log of its own"),
        ),
        Item::Sh(_, sh) => {
            (Mark::of_sh(sh), sh_facts(model, sh).to_vec(), why_no_rows(model, sh.state, "its log is not here"))
        }
        Item::Job(job) => (Mark::of_job(job), Vec::new(), Some(why_no_command(job))),
    };
    let notes = model.notes(body.width);
    let parts = log_parts(body, notes.len(), nothing.is_none());
    draw_facts(model, mark, &facts, parts.facts, buffer);
    draw_notes(model, &notes, parts.notes, buffer);
    if let Some(why) = nothing {
        return say(model, buffer, parts.rows, &[why]);
    }
    let (above, shown) = model.log.window.rows.split_at_checked(model.log.top).unwrap_or_default();
    let is_broken_off = mark == Mark::Interrupted;
    LogRows { rows: shown, above, sideways: model.log.sideways, is_broken_off, theme: &model.theme }
        .draw(buffer, parts.rows);
}

/// Why a run has no jobs.
pub(super) const fn no_jobs(run: &RunNode) -> &'static str {
    match run.head.phase {
        Phase::Queued | Phase::Active => "no jobs yet",
        Phase::Finished | Phase::Unknown => "it has no jobs",
    }
}

/// Why no rows are shown, if there are none to show.
fn why_no_rows(model: &Model, state: ShState, no_log: &'static str) -> Option<&'static str> {
    if model.log.path.is_none() {
        return Some(if state == ShState::Running { "no log yet" } else { no_log });
    }
    let is_empty = model.log.window.rows.is_empty() && model.log.request.is_none() && model.log.fault.is_none();
    is_empty.then_some(if state == ShState::Running { "no output yet" } else { "no output" })
}

/// What is odd, in the lines that the model has broken it into.
fn draw_notes(model: &Model, notes: &[String], area: Rect, buffer: &mut Buffer) {
    let cut = notes.len() > usize::from(area.height);
    for (line, y) in notes.iter().zip(area.top()..area.bottom()) {
        let row = Rect { y, height: 1, ..area };
        let mut strip = Strip::new(buffer, row, model.theme.signs.ellipsis);
        strip.put("! ", model.theme.warn).put(line, model.theme.warn);
        if cut && y + 1 == area.bottom() {
            strip.put(" ", model.theme.warn).put(model.theme.signs.ellipsis, model.theme.warn);
        }
    }
}

const fn why_no_command(job: &JobNode) -> &'static str {
    match (Mark::of_job(job), job.phase) {
        (Mark::Skipped, _) => "skipped: it ran no command",
        (_, Phase::Queued) => "waiting to start",
        (_, Phase::Active) => "waiting for its first command",
        (_, Phase::Finished | Phase::Unknown) => "it ran no command",
    }
}

/// `✗ failed · exit 101 · 34.0s · 1.2k rows` and, at the right, where in the log this is.
fn draw_facts(model: &Model, mark: Mark, facts: &[Option<String>], area: Rect, buffer: &mut Buffer) {
    let theme = &model.theme;
    let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
    strip.skip_right(1).put_right(&position(model), theme.muted, 24).skip_right(1);
    strip.put(theme.signs.mark(mark), theme.mark(mark)).skip(1).put(mark.word(), theme.mark(mark));
    for fact in facts.iter().flatten() {
        let fact = format!(" {} {fact}", theme.signs.dot);
        if fact.width() > strip.free() {
            break;
        }
        strip.put(&fact, theme.muted);
    }
}

fn sh_facts(model: &Model, sh: &ShNode) -> [Option<String>; 6] {
    let head = model.run.as_ref().map(|run| &run.head);
    let missing = head.and_then(|head| words::missing(head, sh)).filter(|_| sh.log.is_some());
    let [rows, bytes] = log_facts(model);
    [sh.sh.as_ref().and_then(words::exit), missing, spent_by(sh, model.now), rows, bytes, started(model, sh)]
}

fn run_facts(model: &Model, run: &RunNode) -> [Option<String>; 4] {
    let [rows, bytes] = log_facts(model);
    [words::reason(&run.head), spent(&run.head, model.now), rows, bytes]
}

/// How many rows the log has, and how large it is.
fn log_facts(model: &Model) -> [Option<String>; 2] {
    let rows = model.log.total_rows.map(|rows| match rows {
        1 => "1 row".to_owned(),
        rows => format!("{} rows", words::count(rows)),
    });
    [rows, model.log.path.as_ref().map(|_| words::size(model.log.window.file_bytes))]
}

/// The wall clock at the command's start, in the zone of the screen.
fn started(model: &Model, sh: &ShNode) -> Option<String> {
    let start = sh.sh.as_ref()?.started_at?.to_jiff()?.to_zoned(model.time_zone.clone());
    Some(format!("at {}", start.strftime("%H:%M:%S")))
}

/// How far down the last row on screen is, by bytes: `top`, `end`, or a share.
fn position(model: &Model) -> String {
    let (log, height) = (&model.log, model.log_height());
    let below = log.top + height;
    match log.window.rows.get(below) {
        _ if log.window.rows.is_empty() => String::new(),
        _ if log.window.at_start && log.top == 0 && log.window.rows.len() <= height => String::new(),
        None if log.window.at_end => "end".into(),
        _ if log.window.at_start && log.top == 0 => "top".into(),
        next => {
            let offset = next.or(log.window.rows.last()).map_or(0, |row| row.offset);
            format!("{}%", u128::from(offset) * 100 / u128::from(log.window.file_bytes.max(1)))
        }
    }
}
