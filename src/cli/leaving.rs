//! The line that stays in the terminal after the screen is gone: the state of the run, and the
//! command that opens the same rows again.
//!
//! ```text
//! ✗ failed 34369c10 demo after 8.6s, make: exit 2; to reopen: rundown --at test/2@b1024 34369c10
//! ```

use std::ffi::OsStr;
use std::path::Path;

use super::args::{Server, View};
use super::print_notice;
use crate::display::{self, Status};
use crate::join::RunNode;
use crate::model::{Outcome, RunId};
use crate::sanitize::{is_harmless, name};
use crate::tui::Left;

/// The maximum number of characters of a failed command that are printed.
const MAX_COMMAND: usize = 40;

/// Prints the state of the run and the command that reopens it, on one line.
pub(super) fn print_reopen_command(view: &View, left: &Left) {
    let Some(run) = &left.run else { return };
    let state = Some(run)
        .filter(|run| !run.head.run.id.as_str().is_empty())
        .map(|run| state_of(run, view.screen.look.ascii));
    let again = again(view, left, run).map(|again| format!("to reopen: {again}"));
    let line = [state, again].into_iter().flatten().collect::<Vec<_>>().join("; ");
    if !line.is_empty() {
        print_notice(&line);
    }
}

/// Describes the state of a run in a few words.
fn state_of(run: &RunNode, ascii: bool) -> String {
    let (head, mark) = (&run.head, Status::of_run(&run.head));
    let glyph = if ascii { mark.ascii_glyph() } else { mark.glyph() };
    let repo = head.run.repo.as_deref().map(|repo| format!(" {}", name(repo))).unwrap_or_default();
    let lasted =
        head.lasted_ms().map(|ms| format!(" after {}", display::duration(ms))).unwrap_or_default();
    let failed = run.first_failed().filter(|_| head.outcome == Some(Outcome::Failed)).and_then(
        |(_, node)| {
            let sh = node.sh.as_ref()?;
            Some(format!(", {}: {}", short(&display::command(sh)), display::exit_explained(sh)?))
        },
    );
    format!(
        "{glyph} {} {}{repo}{lasted}{}",
        mark.word(),
        name(head.run.id.short()),
        failed.unwrap_or_default()
    )
}

/// Returns at most [`MAX_COMMAND`] characters of a command line, and `…` if it is longer.
fn short(command: &str) -> String {
    let cut: String = command.chars().take(MAX_COMMAND).collect();
    if cut.len() < command.len() { format!("{}…", cut.trim_end()) } else { cut }
}

/// Returns the command that reopens the run. Returns `None` if an argument is not UTF-8, cannot be
/// quoted, or contains a character that is not harmless.
fn again(view: &View, left: &Left, run: &RunNode) -> Option<String> {
    let id = run.head.run.id.short();
    let (root, db) = (view.store.root.dir.as_deref(), view.store.db.as_deref());
    let options = [
        ("--root", root.map(Path::as_os_str)),
        ("--db", db.map(Path::as_os_str)),
        ("--repo", view.narrow.repo.as_deref().map(OsStr::new)),
        ("--ref", view.narrow.ref_name.as_deref().map(OsStr::new)),
    ];
    let at = left.at.as_ref().and_then(crate::tui::at::At::typed);
    let at = ("--at", at.as_deref().map(OsStr::new));
    let run = if id.is_empty() { view.run.as_os_str() } else { id.as_ref() };
    typed(&["rundown"], options.into_iter().chain([at]), &view.store.server, &[run])
}

/// Returns the command that opens a run of a store; `root` is the named root of the store. Returns
/// `None` as [`again`] does.
pub(super) fn open_command(root: Option<&Path>, run: &RunId) -> Option<String> {
    let root = [("--root", root.map(Path::as_os_str))];
    typed(&["rundown"], root, &Server::default(), &[run.short().as_ref()])
}

/// Returns a line break, and a line with the command that continues a push; `root` is the named
/// root of the store. Returns an empty text if [`again`] would return `None`.
pub(super) fn to_continue(root: Option<&Path>, server: &Server, run: &RunId, url: &str) -> String {
    let root = [("--root", root.map(Path::as_os_str))];
    let command = typed(&["rundown", "push"], root, server, &[run.short().as_ref(), url.as_ref()]);
    command.map(|command| format!("\nto continue: {command}")).unwrap_or_default()
}

/// Returns a command with the options that have a value, those of the server, and the arguments.
fn typed<'a>(
    command: &[&str],
    options: impl IntoIterator<Item = (&'a str, Option<&'a OsStr>)>,
    server: &Server,
    args: &[&OsStr],
) -> Option<String> {
    let mut words: Vec<String> = command.iter().copied().map(ToOwned::to_owned).collect();
    for (flag, value) in options {
        match value.map(OsStr::to_str) {
            None => {}
            // As a separate word, the value would be parsed as an option.
            Some(Some(value)) if value.starts_with('-') => words.push(format!("{flag}={value}")),
            Some(value) => words.extend([flag.to_owned(), value?.to_owned()]),
        }
    }
    words.extend(server.words());
    for arg in args {
        words.push(arg.to_str()?.to_owned());
    }
    let typed = shlex::try_join(words.iter().map(String::as_str)).ok()?;
    typed.chars().all(is_harmless).then_some(typed)
}
