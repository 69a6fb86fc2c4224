//! The likely cause of a command's failure: a line in place of the facts above the log.
//!
//! ```text
//! ✗ exit 101 after 34.0s · likely cause · rust · src/lib.rs:7:5 · } 2 more failed below
//! ```
//!
//! The log opens at the cause, and the rows of the cause are marked there. Those that are then
//! neither on screen nor near the cause are listed between this line and the log.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::next_step;
use crate::cri::Stream;
use crate::display::{self, Status};
use crate::join::ShState;
use crate::log::Row;
use crate::sanitize;
use crate::search::{Cause, Location};
use crate::tui::at::name_of;
use crate::tui::keymap::{Action, Context};
use crate::tui::log::{Card, Columns, LogRows, Stamps, Times};
use crate::tui::model::Model;
use crate::tui::tree::{Item, item_of, items_of};
use crate::tui::widget::{Strip, spent_by};

/// Returns the facts about the cause, for the line above the log. If not all of them fit into
/// `room` columns, the place in the source takes precedence over the tool.
pub(super) fn facts(model: &Model, cause: &Cause, room: usize) -> Vec<Option<String>> {
    let (what, place) = (what(model, cause), place(model));
    let named = place.as_ref().map(|place| format!("cause: {place}"));
    let width = what.width() + place.as_ref().map_or(0, |place| place.width() + 3);
    match named.filter(|named| width > room && named.width() <= room) {
        Some(named) => vec![Some(named), failed_below(model)],
        // Without a known cause, the exit status explains the most.
        None if cause.at.is_none() => {
            let sh = item(model).and_then(|item| item.sh()?.sh.as_ref());
            // A command that never ran has no output that contains a cause.
            let what = sh.is_none_or(|sh| sh.start_error.is_none()).then_some(what);
            let meaning = sh.filter(|sh| !sh.timed_out()).and_then(display::exit_meaning);
            vec![meaning, what, failed_below(model)]
        }
        None => vec![Some(what), place, failed_below(model)],
    }
}

/// Draws the explanation of the cause, or else the rows that belong to it but are not beside it,
/// and a line below them.
pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    let Some(card) = model.log.card.as_ref().filter(|_| area.height > 1) else { return };
    let rows = Rect { height: area.height - 1, ..area };
    if card.is_explained {
        draw_candidates(model, &card.cause, rows, buffer);
    } else {
        draw_far_rows(model, card, rows, buffer);
    }
    let line = Rect { y: rows.bottom(), height: 1, ..area };
    let signs = model.theme.signs;
    Strip::new(buffer, line, signs.ellipsis).fill(signs.rule, model.theme.muted);
}

/// Lists the rows that may be the cause, with their scores and reasons.
fn draw_candidates(model: &Model, cause: &Cause, area: Rect, buffer: &mut Buffer) {
    let theme = &model.theme;
    let widest = cause.why.iter().map(|why| why.reason.width()).max().unwrap_or(0);
    for (y, why) in (area.y..area.bottom()).zip(&cause.why) {
        let line = Rect { y, height: 1, ..area };
        let is_cause = cause.at == Some(why.at);
        let style = if is_cause { theme.strong } else { theme.base };
        let text = sanitize::plain(&why.text, sanitize::Progress::Last);
        let mut strip = Strip::new(buffer, line, theme.signs.ellipsis);
        strip.put(if is_cause { theme.signs.here } else { " " }, theme.bad);
        strip.put(&format!("{:>4} {:widest$}  ", why.score, why.reason), theme.muted);
        strip.put(text.trim_start(), style);
    }
}

fn draw_far_rows(model: &Model, card: &Card, rows: Rect, buffer: &mut Buffer) {
    LogRows {
        rows: &card.far,
        headings: &[],
        numbers: &[],
        depths: &[],
        cuts: &[],
        above: &[],
        style: sanitize::Style::default(),
        sideways: 0,
        wrap: false,
        wrapped: None,
        line: 0,
        columns: Columns::new(rows.width, None, Times::None, false),
        stamps: Stamps {
            times: Times::None,
            start: None,
            before: None,
            zone: &model.time_zone,
            slow_ms: 0,
        },
        search: None,
        at: None,
        marked: &[],
        cursor: None,
        progress: sanitize::Progress::Last,
        is_interrupted: false,
        theme: &model.theme,
    }
    .draw(buffer, rows);
}

/// Returns the status of the command of the card, and describes its end: `exit 101 after 34.0s`. In
/// the document of several commands, it is named: `test/2: exit 101 after 34.0s`.
pub(super) fn ending(model: &Model) -> (Status, String) {
    let Some(item) = item(model) else { return (Status::Unknown, String::new()) };
    let (status, sh) = (next_step::status(&item), item.sh());
    let exit = sh.and_then(|sh| sh.sh.as_ref()).and_then(display::ending);
    let exit = exit.unwrap_or_else(|| status.word().into());
    let named =
        if model.log.has_headings() { format!("{}: {exit}", name_of(&item.place())) } else { exit };
    let ending = match sh.and_then(|sh| spent_by(sh, model.now)) {
        Some(spent) if status == Status::Active => format!("{named} for {spent}"),
        Some(spent) => format!("{named} after {spent}"),
        None => named,
    };
    (status, ending)
}

/// Returns the command, or the run, whose cause the card shows.
fn item(model: &Model) -> Option<Item<'_>> {
    item_of(model.run.as_ref()?, &model.log.card.as_ref()?.place)
}

/// Describes the result of the search for the cause: `likely cause · rust`.
fn what(model: &Model, cause: &Cause) -> String {
    let log = item(model).and_then(|item| item.sh()?.log.as_ref());
    let bytes = match log.filter(|_| model.log.has_headings()) {
        Some(log) => log.bytes,
        None => model.log.window.file_bytes,
    };
    let is_part = cause.searched_bytes < bytes;
    let part = if is_part {
        format!(" in the last {}", display::size(cause.searched_bytes))
    } else {
        String::new()
    };
    if cause.at.is_some() {
        let dot = model.theme.signs.dot;
        let by = cause.rule.map(|rule| format!(" {dot} {rule}")).unwrap_or_default();
        return format!("{}{part}{by}", cause.title());
    }
    let is_stderr = |row: &Row| row.stream == Some(Stream::Stderr);
    let far = model.log.card.iter().flat_map(|card| &card.far);
    let shown = if far.clone().next().is_some() && far.clone().all(is_stderr) {
        "; last lines of stderr:"
    } else {
        ""
    };
    format!("cause not recognized{part}{shown}")
}

/// Returns the place in the source that the cause names: `src/lib.rs:7:5`.
fn place(model: &Model) -> Option<String> {
    model.log.card.as_ref()?.location.as_ref().map(Location::to_string)
}

/// Counts the failed commands after the one that is shown: `} 2 more failed below`.
fn failed_below(model: &Model) -> Option<String> {
    let items = items_of(model.run.as_ref()?);
    let shown = item(model).map(|item| item.place());
    let after = items.iter().position(|item| Some(item.place()) == shown).map_or(0, |at| at + 1);
    let is_failed = |item: &&Item<'_>| item.sh().is_some_and(|sh| sh.state == ShState::Failed);
    let below = items.iter().skip(after).filter(is_failed).count();
    let keys = model.keymap.keys_of(Context::Log, Action::NextFailed).filter(|_| below > 0)?;
    Some(format!("{} {below} more failed below", model.theme.signs.keys(keys)))
}
