//! The card: the likely cause of a command's failure, with the rows that show it, above its log.
//!
//! ```text
//! ╭ likely cause · rust ─────────────────────────╮
//! │ $ cargo test --workspace                     │
//! │ ✗ exit 101 after 34.0s                       │
//! │ ▌ thread 'merges' panicked at src/lib.rs:7:5 │
//! │   assertion `left == right` failed           │
//! ╰──────────── } 2 more failed below · C close ─╯
//! ```
//!
//! On a low screen, the card has no frame, and only one line above the rows nearest to the cause.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::log::title;
use crate::cri::Stream;
use crate::display::{self, Status};
use crate::join::ShState;
use crate::log::Row;
use crate::sanitize;
use crate::search::Cause;
use crate::tui::keymap::{Action, Context};
use crate::tui::layout::{CARD_LINES, FRAMED_CARD};
use crate::tui::model::{Item, Model, cause_lines};
use crate::tui::view_options::Times;
use crate::tui::widget::{Columns, LogRows, Stamps, Strip, draw_frame, spent_by};

/// Draws the card, if it is open.
pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    let Some(cause) = model.card().filter(|_| area.height > 0) else { return };
    if area.height < FRAMED_CARD.min(u16::try_from(cause.rows.len()).unwrap_or(0) + CARD_LINES) {
        let (line, rows) =
            (Rect { height: 1, ..area }, Rect { y: area.y + 1, height: area.height - 1, ..area });
        let text = format!("{}: {}", ending(model), what(model, cause));
        draw_status(model, &text, line, buffer);
        return draw_rows(model, cause, rows, buffer);
    }
    let foot = foot(model);
    let inside = draw_frame(buffer, area, &what(model, cause), &foot, &model.theme);
    // A terminal of one column has no room within the frame.
    if inside.is_empty() {
        return;
    }
    let line = |y: u16| Rect { y: inside.y + y, height: 1, ..inside };
    Strip::new(buffer, line(0), model.theme.signs.ellipsis)
        .skip(1)
        .put(&title(model), model.theme.strong);
    draw_status(
        model,
        &ending(model),
        Rect { x: inside.x + 1, width: inside.width.saturating_sub(1), ..line(1) },
        buffer,
    );
    draw_rows(
        model,
        cause,
        Rect { y: inside.y + 2, height: inside.height.saturating_sub(2), ..inside },
        buffer,
    );
}

fn draw_status(model: &Model, text: &str, line: Rect, buffer: &mut Buffer) {
    let theme = &model.theme;
    let mut strip = Strip::new(buffer, line, theme.signs.ellipsis);
    let status = status(model);
    strip
        .put(theme.signs.status(status), theme.status(status))
        .skip(1)
        .put(text, theme.status(status));
}

/// Returns the title of the card: `likely cause · rust`.
fn what(model: &Model, cause: &Cause) -> String {
    let is_part = cause.searched_bytes < model.log.window.file_bytes;
    let part = if is_part {
        format!(" in the last {}", display::size(cause.searched_bytes))
    } else {
        String::new()
    };
    if cause.at.is_some() {
        let by =
            cause.rule.map(|rule| format!(" {} {rule}", model.theme.signs.dot)).unwrap_or_default();
        return format!("likely cause{part}{by}");
    }
    let is_stderr = |row: &Row| row.stream == Some(Stream::Stderr);
    let shown = match (cause.rows.iter().any(is_stderr), cause.rows.iter().all(is_stderr)) {
        _ if cause.rows.is_empty() => "No output.",
        (true, true) => "Last lines of stderr:",
        (true, false) => "Last lines of stderr and of the log:",
        (false, _) => "Last lines:",
    };
    format!("Cause not recognized{part}. {shown}")
}

/// Returns the state of the command.
fn status(model: &Model) -> Status {
    match model.shown() {
        Some(Item::Sh(_, sh)) => Status::of_sh(sh),
        Some(Item::Run(run)) => Status::of_run(&run.head),
        Some(Item::Job(_)) | None => Status::Unknown,
    }
}

/// Describes the end of the command: `exit 101 after 34.0s`.
fn ending(model: &Model) -> String {
    let sh = model.shown().and_then(|item| item.sh());
    let exit = sh
        .and_then(|sh| sh.sh.as_ref())
        .and_then(display::exit)
        .unwrap_or_else(|| status(model).word().into());
    match sh.and_then(|sh| spent_by(sh, model.now)) {
        Some(spent) if status(model) == Status::Active => format!("{exit} for {spent}"),
        Some(spent) => format!("{exit} after {spent}"),
        None => exit,
    }
}

/// Returns the foot of the card: the number of other failures, and the card's keys.
fn foot(model: &Model) -> String {
    let keys = |action, what: &str| {
        let keys = model.keymap.keys_of(Context::Log, action)?;
        Some(format!("{} {what}", model.theme.signs.keys(keys)))
    };
    let below = failed_below(model);
    let below = (below > 0)
        .then(|| keys(Action::NextFailed, &format!("{below} more failed below")))
        .flatten();
    let close = keys(Action::Cause, "close");
    let all: Vec<_> = below.into_iter().chain(close).collect();
    all.join(&format!(" {} ", model.theme.signs.dot))
}

/// Counts the failed commands after the one that is shown.
fn failed_below(model: &Model) -> usize {
    let items = model.all_items();
    let shown = model.shown().map(|item| item.place());
    let after = items.iter().position(|item| Some(item.place()) == shown).map_or(0, |at| at + 1);
    let is_failed = |item: &&Item<'_>| item.sh().is_some_and(|sh| sh.state == ShState::Failed);
    items.iter().skip(after).filter(is_failed).count()
}

/// Draws the rows around the cause, as many as fit. The row of the cause is wrapped if there is
/// room.
fn draw_rows(model: &Model, cause: &Cause, area: Rect, buffer: &mut Buffer) {
    let at = cause.at.and_then(|at| cause.rows.iter().position(|row| row.offset == at));
    let lines = usize::from(cause_lines(cause, area.width)).min(usize::from(area.height));
    let height = usize::from(area.height).saturating_sub(lines.saturating_sub(1));
    let last = cause.rows.len().saturating_sub(height);
    let top = at.map_or(last, |at| at.saturating_sub(height / 3).min(last));
    let rows: &[Row] = cause.rows.get(top..).unwrap_or_default();
    let (before, from) = at.and_then(|at| rows.split_at_checked(at - top)).unwrap_or((rows, &[]));
    let (here, after) = from.split_at_checked(1).unwrap_or_default();
    let mut y = area.y;
    for (rows, height, wrap) in [
        (before, before.len(), false),
        (here, lines * here.len(), true),
        (after, after.len(), false),
    ] {
        let height = u16::try_from(height).unwrap_or(u16::MAX).min(area.bottom() - y);
        log_rows(model, cause, rows, area.width, wrap).draw(buffer, Rect { y, height, ..area });
        y += height;
    }
}

/// Returns rows of the log as they are drawn on the card.
fn log_rows<'a>(
    model: &'a Model,
    cause: &Cause,
    rows: &'a [Row],
    width: u16,
    wrap: bool,
) -> LogRows<'a> {
    LogRows {
        rows,
        headings: &[],
        numbers: &[],
        above: &[],
        style: sanitize::Style::default(),
        sideways: 0,
        wrap,
        line: 0,
        columns: Columns::new(width, None, Times::None, false),
        stamps: Stamps { times: Times::None, start: None, zone: &model.time_zone, slow_ms: 0 },
        search: None,
        at: cause.at,
        progress: sanitize::Progress::Last,
        is_interrupted: false,
        theme: &model.theme,
    }
}
