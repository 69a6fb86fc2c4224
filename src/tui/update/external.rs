//! Passing text to other programs: rows and commands to the clipboard, the log to an editor or a
//! pager.

use crate::file::FilePath;
use crate::log::Tail;
use crate::sanitize::{name, plain};
use crate::tui::model::Model;
use crate::tui::msg::{Effects, ExternalRequest, LogRow, TerminalRequest, WorkerRequest};
use crate::tui::tree::item_of;

/// The message for actions that secure mode disables.
pub(super) const SECURE: &str =
    "disabled in secure mode (RUNDOWN_SECURE, or `secure` in the config)";

/// Shows the log in another program, at the current row.
pub(super) fn show(model: &mut Model, how: fn(LogRow) -> ExternalRequest) -> Effects {
    let row = current_log(model).map(|(log, tail, offset)| LogRow { log, offset, tail });
    // The message is on screen only for a moment, unless the file system does not respond.
    model.message = row.as_ref().map(|row| format!("reading {}", name(&row.log.to_string_lossy())));
    row.map(how).into()
}

/// Returns the log of the current row, the treatment of its last line, and the row's offset.
fn current_log(model: &Model) -> Option<(FilePath, Tail, u64)> {
    model.log.document.as_ref()?.log_at(model.log.current_row()?.offset)
}

/// Copies the current row, as it is shown.
pub(super) fn copy_row(model: &mut Model) -> Effects {
    let text = model
        .log
        .current_row()
        .map(|row| plain(&row.text, model.log.options.row_filter.progress).into_owned());
    copy(model, text, "the row")
}

/// Copies all rows.
pub(super) fn copy_rows(model: &mut Model) -> Effects {
    current_log(model).map(|(log, tail, _)| WorkerRequest::CopyRows(log, tail)).into()
}

/// Copies the command line, or the script, that was run.
pub(super) fn copy_command(model: &mut Model) -> Effects {
    let here = model
        .log
        .current_row()
        .and_then(|row| model.log.place_at(row.offset))
        .filter(|_| model.log.has_headings());
    let item = here.map_or_else(
        || model.shown(),
        |(place, _)| model.run.as_ref().and_then(|run| item_of(run, &place)),
    );
    let sh = item.and_then(|item| item.sh()?.sh.as_ref());
    let text = sh.map(|sh| sh.cmd.lines().map(name).collect::<Vec<_>>().join("\n"));
    copy(model, text, "the command")
}

fn copy(model: &mut Model, text: Option<String>, what: &str) -> Effects {
    model.message = text.is_some().then(|| format!("copied {what}"));
    text.map(TerminalRequest::Copy).into()
}
