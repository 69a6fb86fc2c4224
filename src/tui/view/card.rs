//! The likely cause of a command's failure: a line in place of the facts above the log.
//!
//! ```text
//! ✗ exit 101 after 34.0s · likely cause · rust · src/lib.rs:7:5 · } 2 more failed below
//! ```
//!
//! The log opens at the cause, and the rows of the cause are marked there. Those that are not on
//! screen then are listed between this line and the log.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::cri::Stream;
use crate::display::{self, Status};
use crate::join::ShState;
use crate::log::Row;
use crate::sanitize::{self, plain};
use crate::search::{Cause, location};
use crate::tui::keymap::{Action, Context};
use crate::tui::log::{Columns, LogRows, Stamps, Times};
use crate::tui::model::Model;
use crate::tui::tree::{Item, items_of};
use crate::tui::widget::{Strip, spent_by};

/// Returns the facts about the cause, for the line above the log.
pub(super) fn facts(model: &Model, cause: &Cause) -> Vec<Option<String>> {
    vec![Some(what(model, cause)), place(cause), failed_below(model)]
}

/// Draws the rows that belong to the cause but are not beside it, and a line below them.
pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    let Some(card) = model.log.card.as_ref().filter(|_| area.height > 1) else { return };
    let rows = Rect { height: area.height - 1, ..area };
    LogRows {
        rows: &card.far,
        headings: &[],
        numbers: &[],
        above: &[],
        style: sanitize::Style::default(),
        sideways: 0,
        wrap: false,
        line: 0,
        columns: Columns::new(area.width, None, Times::None, false),
        stamps: Stamps { times: Times::None, start: None, zone: &model.time_zone, slow_ms: 0 },
        search: None,
        at: None,
        marked: &[],
        cursor: None,
        progress: sanitize::Progress::Last,
        is_interrupted: false,
        theme: &model.theme,
    }
    .draw(buffer, rows);
    let line = Rect { y: rows.bottom(), height: 1, ..area };
    let signs = model.theme.signs;
    Strip::new(buffer, line, signs.ellipsis).fill(signs.rule, model.theme.muted);
}

/// Describes the end of the command: `exit 101 after 34.0s`.
pub(super) fn ending(model: &Model) -> String {
    let sh = model.shown().and_then(|item| item.sh());
    let status = match model.shown() {
        Some(Item::Sh(_, sh)) => Status::of_sh(sh),
        Some(Item::Run(run)) => Status::of_run(&run.head),
        Some(Item::Job(_)) | None => Status::Unknown,
    };
    let exit = sh
        .and_then(|sh| sh.sh.as_ref())
        .and_then(display::exit)
        .unwrap_or_else(|| status.word().into());
    match sh.and_then(|sh| spent_by(sh, model.now)) {
        Some(spent) if status == Status::Active => format!("{exit} for {spent}"),
        Some(spent) => format!("{exit} after {spent}"),
        None => exit,
    }
}

/// Describes the result of the search for the cause: `likely cause · rust`.
fn what(model: &Model, cause: &Cause) -> String {
    let is_part = cause.searched_bytes < model.log.window.file_bytes;
    let part = if is_part {
        format!(" in the last {}", display::size(cause.searched_bytes))
    } else {
        String::new()
    };
    if cause.at.is_some() {
        let dot = model.theme.signs.dot;
        let by = cause.rule.map(|rule| format!(" {dot} {rule}")).unwrap_or_default();
        return format!("likely cause{part}{by}");
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

/// Returns the place in the source that the row of the cause names: `src/lib.rs:7:5`.
fn place(cause: &Cause) -> Option<String> {
    let row = cause.rows.iter().find(|row| Some(row.offset) == cause.at)?;
    let text: Cow<'_, str> = plain(&row.text, sanitize::Progress::Last);
    location(&text).map(ToOwned::to_owned)
}

/// Counts the failed commands after the one that is shown: `} 2 more failed below`.
fn failed_below(model: &Model) -> Option<String> {
    let items = items_of(model.run.as_ref()?);
    let shown = model.shown().map(|item| item.place());
    let after = items.iter().position(|item| Some(item.place()) == shown).map_or(0, |at| at + 1);
    let is_failed = |item: &&Item<'_>| item.sh().is_some_and(|sh| sh.state == ShState::Failed);
    let below = items.iter().skip(after).filter(is_failed).count();
    let keys = model.keymap.keys_of(Context::Log, Action::NextFailed).filter(|_| below > 0)?;
    Some(format!("{} {below} more failed below", model.theme.signs.keys(keys)))
}
