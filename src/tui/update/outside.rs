//! What is handed over: rows and commands to the clipboard, the log to an editor or a pager.

use crate::log::{Row, Tail};
use crate::sanitise::{Sanitiser, name};
use crate::tui::model::{Log, Model};
use crate::tui::msg::{Effect, LogRow};

/// The log at the row that stands at the top of the screen, for another program.
pub(super) fn show(model: &mut Model, how: fn(LogRow) -> Effect) -> Vec<Effect> {
    let log = &model.log;
    let row =
        log.path.clone().zip(top(log)).map(|(path, row)| LogRow { log: path, offset: row.offset, tail: tail(log) });
    row.map(how).into_iter().collect()
}

/// Copies the row that stands at the top of the screen.
pub(super) fn copy_row(model: &mut Model) -> Vec<Effect> {
    let spans = top(&model.log).map(|row| Sanitiser::default().row(&row.text));
    let text = spans.map(|spans| spans.into_iter().map(|span| span.text).collect());
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
    model.told = text.is_some().then(|| format!("copied {what}"));
    text.map(Effect::Copy).into_iter().collect()
}

fn top(log: &Log) -> Option<&Row> {
    log.window.rows.get(log.top)
}

const fn tail(log: &Log) -> Tail {
    if log.is_alive { Tail::Hold } else { Tail::Emit }
}
