//! Passing text to other programs: rows and commands to the clipboard, the log to an editor or a
//! pager.

use crate::display;
use crate::log::LogPath;
use crate::log::Tail;
use crate::model::Sh;
use crate::sanitize::{name, plain};
use crate::tui::app::show_message;
use crate::tui::model::Model;
use crate::tui::msg::{Effects, ExternalRequest, LogRow, Source, TerminalRequest, WorkerRequest};
use crate::tui::tree::item_of;

/// The message for actions that secure mode disables.
const SECURE: &str = "disabled in secure mode (RUNDOWN_SECURE, or `secure` in the config)";

/// Passes something to another program, unless secure mode disables that.
pub(super) fn pass(model: &mut Model, pass: fn(&mut Model) -> Effects) -> Effects {
    if model.secure { show_message(model, SECURE) } else { pass(model) }
}

/// Shows the log in another program, at the current row.
pub(super) fn show(model: &mut Model, how: impl FnOnce(LogRow) -> ExternalRequest) -> Effects {
    let row = current_log(model).map(|(log, tail, offset)| LogRow { log, offset, tail });
    // The message is on screen only for a moment, unless the file system does not respond.
    model.message = row.as_ref().map(|row| format!("reading {}", name(&row.log.to_string_lossy())));
    row.map(how).into()
}

/// Shows the log in the editor, at the current row. On the row of the cause, shows the source file
/// that the cause names, if it is below the directory of the command.
pub(super) fn edit(model: &mut Model) -> Effects {
    let source = source(model);
    show(model, |row| ExternalRequest::Edit(row, source))
}

/// Returns the location in the source that the cause names, if its row is the current one.
fn source(model: &Model) -> Option<Source> {
    let (log, run) = (&model.log, model.run.as_ref()?);
    let card = log.card.as_ref().filter(|card| card.is_open)?;
    let is_here =
        card.cause.at.is_some() && log.current_row().map(|row| row.offset) == card.cause.at;
    let dir = item_of(run, &card.place)?.sh()?.sh.as_ref()?.cwd.as_ref().filter(|_| is_here)?;
    Some(Source { dir: dir.into(), location: card.location.clone()? })
}

/// Handles the start of another program. The message stays on screen until the program has ended.
pub(super) fn ready(model: &mut Model) -> Effects {
    model.message =
        not_only_filtered(model).map(|filtered| format!("opened unfiltered rows, {filtered}"));
    Effects::none()
}

/// Returns the log of the current row, the treatment of its last line, and the row's offset.
fn current_log(model: &Model) -> Option<(LogPath, Tail, u64)> {
    model.log.document.as_ref()?.log_at(model.log.current_row()?.offset)
}

/// Copies the current row, as it is shown.
pub(super) fn copy_row(model: &mut Model) -> Effects {
    let text = model
        .log
        .current_row()
        .map(|row| plain(&row.text, model.log.options.row_filter.progress).into_owned());
    copy(model, text, "copied the row")
}

/// Copies all rows.
pub(super) fn copy_rows(model: &mut Model) -> Effects {
    let Some((log, tail, _)) = current_log(model) else { return copy(model, None, "") };
    WorkerRequest::CopyRows(log, tail).into()
}

/// Handles the rows to copy: all rows of the log, or its beginning if the rest is left out.
pub(super) fn copied(model: &mut Model, text: String, is_cut: bool) -> Effects {
    let (size, filtered) = (display::size(text.len() as u64), not_only_filtered(model));
    let rows = display::rows(text.lines().count() as u64);
    let message = match filtered {
        Some(_) if is_cut => format!("copied only the first {size}, unfiltered ({LIMIT})"),
        None if is_cut => format!("copied only the first {size} ({LIMIT})"),
        Some(filtered) => format!("copied all {rows}, {filtered}"),
        None => format!("copied {size}"),
    };
    copy(model, Some(text), &message)
}

/// The reason why a text is cut.
const LIMIT: &str = "the limit of a terminal";

/// Returns `not only the 18 filtered` if a filter hides rows. With headings, the number of rows
/// that the filter passes is that of several logs.
fn not_only_filtered(model: &Model) -> Option<String> {
    let filter = Some(&model.log.options.row_filter).filter(|filter| filter.narrows())?;
    let is_exact = filter.stream.is_none() && filter.context == 0 && !model.log.has_headings();
    let passed = model.log.known.passed.filter(|passed| is_exact && passed.is_all);
    Some(passed.map_or_else(
        || "not only the filtered ones".into(),
        |passed| format!("not only the {} filtered", display::grouped(passed.rows)),
    ))
}

/// Copies the command of the current row as a user would type it.
pub(super) fn copy_command(model: &mut Model) -> Effects {
    let text = current_sh(model).map(|sh| harmless(&display::shell_line(sh)));
    copy(model, text, "copied the command")
}

/// Copies the command of the current row, after a `cd` to its directory.
pub(super) fn copy_in_directory(model: &mut Model) -> Effects {
    let text = current_sh(model).and_then(display::in_directory).map(|text| harmless(&text));
    if text.is_some() || current_sh(model).is_none() {
        return copy(model, text, "copied the command with its directory");
    }
    let effects = copy_command(model);
    model.message = Some("directory unknown; copied the command alone".into());
    effects
}

/// Returns the command of the current row.
fn current_sh(model: &Model) -> Option<&Sh> {
    let here = model
        .log
        .current_row()
        .and_then(|row| model.log.place_at(row.offset))
        .filter(|_| model.log.has_headings());
    let item = here.map_or_else(
        || model.shown(),
        |(place, _)| model.run.as_ref().and_then(|run| item_of(run, &place)),
    );
    item.and_then(|item| item.sh()?.sh.as_ref())
}

/// Replaces the characters of a script that control a terminal, except tabs and line ends.
fn harmless(script: &str) -> String {
    let line = |line: &str| line.split('\t').map(name).collect::<Vec<_>>().join("\t");
    script.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn copy(model: &mut Model, text: Option<String>, message: &str) -> Effects {
    model.message = Some(if text.is_some() { message } else { "nothing to copy" }.into());
    text.map(TerminalRequest::Copy).into()
}
