//! The pane of the log: the command line as its heading, a line of facts, the rows; or why there are none.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::say;
use crate::join::{JobNode, ShNode, ShState};
use crate::model::Phase;
use crate::sanitise::name;
use crate::tui::layout::log_parts;
use crate::tui::model::Model;
use crate::tui::widget::{LogRows, Strip, command, spent_by};
use crate::words::{self, Mark};

/// The heading: the command line, or the job when it has none.
pub(super) fn title(model: &Model) -> String {
    let Some(item) = model.shown() else { return "Log".into() };
    match item.sh {
        Some(sh) if sh.sh.is_some() => format!("$ {}", command(sh)),
        Some(sh) => command(sh),
        None => name(item.job.job.id.as_str()).into_owned(),
    }
}

/// Draws the pane below its heading.
pub(super) fn draw(model: &Model, body: Rect, buffer: &mut Buffer) {
    let (facts, rows) = log_parts(body);
    let Some(item) = model.shown() else {
        if model.run.as_ref().is_some_and(|run| run.jobs.is_empty()) {
            say(model, buffer, body, &["this run has no jobs"]);
        }
        return;
    };
    let Some(sh) = item.sh else {
        return say(model, buffer, body, &[why_no_command(item.job)]);
    };
    draw_facts(model, sh, facts, buffer);
    if model.log.path.is_none() {
        return say(model, buffer, rows, &["this command left no log"]);
    }
    if model.log.window.rows.is_empty() && model.log.request.is_none() && model.log.fault.is_none() {
        let text = if sh.state == ShState::Running { "no output yet" } else { "no output" };
        return say(model, buffer, rows, &[text]);
    }
    let (above, shown) = model.log.window.rows.split_at_checked(model.log.top).unwrap_or_default();
    LogRows { rows: shown, above, sideways: model.log.sideways, theme: &model.theme }.draw(buffer, rows);
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
fn draw_facts(model: &Model, sh: &ShNode, area: Rect, buffer: &mut Buffer) {
    let theme = &model.theme;
    let mark = Mark::of_sh(sh);
    let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
    strip.skip_right(1).put_right(&position(model), theme.muted, 24).skip_right(1);
    strip.put(theme.signs.mark(mark), theme.mark(mark)).skip(1).put(mark.word(), theme.mark(mark));
    let rows = model.log.total_rows.map(|rows| match rows {
        1 => "1 row".to_owned(),
        rows => format!("{} rows", words::count(rows)),
    });
    let bytes = model.log.path.as_ref().map(|_| words::size(model.log.window.file_bytes));
    let has_database = model.run.as_ref().is_some_and(|run| !run.head.run.id.as_str().is_empty());
    let missing = words::missing(sh).filter(|_| has_database && sh.log.is_some());
    let facts =
        [sh.sh.as_ref().and_then(words::exit), missing, spent_by(sh, model.now), rows, bytes, started(model, sh)];
    for fact in facts.into_iter().flatten() {
        let fact = format!(" {} {fact}", theme.signs.dot);
        if fact.width() > strip.free() {
            break;
        }
        strip.put(&fact, theme.muted);
    }
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
