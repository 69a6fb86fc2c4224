//! What is handed over: rows and commands to the clipboard, the log to an editor or a pager.

use crate::log::Tail;
use crate::sanitise::{name, plain};
use crate::tui::model::{Log, Model};
use crate::tui::msg::{Effect, LogRow};

/// The log at the current row, for another program.
pub(super) fn show(model: &mut Model, how: fn(LogRow) -> Effect) -> Vec<Effect> {
    let row = model.log.path.clone().zip(model.current_row());
    let row = row.map(|(log, row)| LogRow { log, offset: row.offset, tail: tail(&model.log) });
    // It is on screen for a moment only, unless the file system does not answer.
    model.said = row.as_ref().map(|row| format!("reading {}", name(&row.log.to_string_lossy())));
    row.map(how).into_iter().collect()
}

/// Copies the current row, as it is shown.
pub(super) fn copy_row(model: &mut Model) -> Vec<Effect> {
    let text = model.current_row().map(|row| plain(&row.text, model.lens.sieve.progress).into_owned());
    copy(model, text, "the row")
}

/// Copies all rows.
pub(super) fn copy_rows(model: &mut Model) -> Vec<Effect> {
    let path = model.log.path.clone();
    path.map(|path| Effect::CopyRows(path, tail(&model.log))).into_iter().collect()
}

/// Copies the command line, or the script, that was run.
pub(super) fn copy_command(model: &mut Model) -> Vec<Effect> {
    let sh = model.shown().and_then(|item| item.sh()?.sh.as_ref());
    let text = sh.map(|sh| sh.cmd.lines().map(name).collect::<Vec<_>>().join("\n"));
    copy(model, text, "the command")
}

fn copy(model: &mut Model, text: Option<String>, what: &str) -> Vec<Effect> {
    model.said = text.is_some().then(|| format!("copied {what}"));
    text.map(Effect::Copy).into_iter().collect()
}

const fn tail(log: &Log) -> Tail {
    if log.is_alive { Tail::Hold } else { Tail::Emit }
}
