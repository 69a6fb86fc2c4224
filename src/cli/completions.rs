//! `rundown completions`: a script for the shell that completes command lines of rundown.
//!
//! The script passes the words of the line to the hidden option `--complete`. The answer is one
//! line with a [`Kind`] of words that the shell adds itself (files, for example) or an empty line,
//! and then one line for each word. Nothing is printed on stderr: an error is an empty answer.
//!
//! The words come from a store, which may be hostile, and the shell inserts them into a command
//! line. So [`values`] returns only words without a character that has a meaning in a shell.

mod values;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use clap::{ArgMatches, Command, CommandFactory};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, complete};

use self::values::{Context, Kind, Source};
use super::args::{Completions, Root, Server, Shell, StoreArgs};
use super::parse::{command_first, first_word};
use super::{Arguments, NEWEST};
use crate::catalog::RunFilter;
use crate::error::{Error, Result};

/// The time limit of an answer, for a store on a file system that does not respond.
const SOON: Duration = Duration::from_secs(1);

/// Prints the script, or the answer to it.
pub(super) fn print(completions: Completions) -> Result<u8> {
    let shell = completions.shell;
    let text = match completions.complete {
        Some(index) => answer_soon(shell, Line { words: completions.words, index }),
        None => script(shell).to_owned(),
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::Output)?;
    Ok(0)
}

const fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => include_str!("completions/rundown.bash"),
        Shell::Zsh => include_str!("completions/rundown.zsh"),
        Shell::Fish => include_str!("completions/rundown.fish"),
    }
}

/// A command line: its words, the name of the program first, and the index of the word to complete.
struct Line {
    words: Vec<OsString>,
    index: usize,
}

/// Returns the answer, or an empty one after [`SOON`].
fn answer_soon(shell: Shell, line: Line) -> String {
    let (send, answer) = mpsc::channel();
    thread::spawn(move || send.send(answer_to(shell, line)));
    answer.recv_timeout(SOON).unwrap_or_default()
}

fn answer_to(shell: Shell, mut line: Line) -> String {
    if shell == Shell::Bash {
        line = joined(line);
    }
    line.words.resize(line.index.saturating_add(1), OsString::new());
    let current = line.words.pop().unwrap_or_default();
    let root = Arguments::command();
    let before = command_first(&root, line.words);
    let has_run = first_word(&root, &before)
        .and_then(|at| before.get(at))
        .is_some_and(|word| root.find_subcommand(word).is_none());
    let context = Arc::new(context(&before));
    let index = before.len();
    let words = before.into_iter().chain([current.clone()]).collect();
    let found = complete(&mut completing(&context), words, index, None).unwrap_or_default();
    let is_option = |word: &OsStr| begins_with(word, "-");
    let is_fitting = |candidate: &CompletionCandidate| {
        // clap gives its own candidates an id, and those of the store have none.
        let is_command = candidate.get_id().is_some_and(|id| id.starts_with("command::"));
        let is_unwanted_option = is_option(candidate.get_value()) && !is_option(&current);
        !(is_unwanted_option || has_run && is_command)
    };
    let found: Vec<_> = found.into_iter().filter(is_fitting).collect();
    written(shell, &found, &current.to_string_lossy())
}

/// Undoes the splitting of bash, which makes words of `=` and `:`. `--job=x` becomes `--job x`, and
/// `a:b` becomes one word.
fn joined(line: Line) -> Line {
    let mut words: Vec<OsString> = Vec::new();
    let mut is_continued = false;
    for word in line.words.into_iter().take(line.index.saturating_add(1)) {
        let is_after = |start| words.last().is_some_and(|last| begins_with(last, start));
        let separates = word == "=" && is_after("--");
        is_continued |= word == ":";
        match words.last_mut().filter(|_| is_continued) {
            Some(last) => last.push(&word),
            None if separates => words.push(OsString::new()),
            None => words.push(word.clone()),
        }
        is_continued = separates || word == ":";
    }
    let index = words.len().saturating_sub(1);
    Line { words, index }
}

fn begins_with(word: &OsStr, start: &str) -> bool {
    word.as_encoded_bytes().starts_with(start.as_bytes())
}

/// Reads from the words before the current one which store and which run they name.
fn context(before: &[OsString]) -> Context {
    let matches = Arguments::command().ignore_errors(true).try_get_matches_from(before);
    let matches = matches.unwrap_or_default();
    let of_command = matches.subcommand().map_or(&matches, |(_, of_command)| of_command);
    let value = |id: &str| value(of_command, id);
    let text = |id: &str| value(id).and_then(|value| value.into_string().ok());
    let dir = value("root").map(Into::into);
    Context {
        store: StoreArgs {
            root: Root { dir },
            db: value("db").map(Into::into),
            server: Server {
                endpoint: text("endpoint"),
                path_style: of_command.try_contains_id("path_style").is_ok_and(|given| given)
                    && of_command.get_flag("path_style"),
            },
        },
        filter: RunFilter { repo: text("repo"), ref_name: text("ref_name") },
        run: value("run").filter(|run| *run != NEWEST),
    }
}

fn value(matches: &ArgMatches, id: &str) -> Option<OsString> {
    let values = matches.try_get_raw(id).ok().flatten();
    values.and_then(Iterator::last).map(ToOwned::to_owned)
}

/// Returns the commands, with a source of words for the arguments that clap has no words for.
fn completing(context: &Arc<Context>) -> Command {
    let add_to = |command: Command| {
        let name = command.get_name().to_owned();
        command.mut_args(|arg| match Source::of(&name, arg.get_id().as_str()) {
            Some(source) => {
                let context = Arc::clone(context);
                arg.add(ArgValueCompleter::new(move |current: &OsStr| {
                    source.candidates(&context, &current.to_string_lossy())
                }))
            }
            None => arg,
        })
    };
    add_to(Arguments::command()).mut_subcommands(add_to)
}

/// Formats an answer. In bash, the part before the last colon is a word of its own.
fn written(shell: Shell, found: &[CompletionCandidate], current: &str) -> String {
    let kind = found.iter().find_map(Kind::of);
    let mut text = kind.map_or("", Kind::name).to_owned() + "\n";
    for candidate in found.iter().filter(|candidate| Kind::of(candidate).is_none()) {
        let Some(value) = candidate.get_value().to_str() else { continue };
        let help = candidate.get_help().map(ToString::to_string);
        let help = help.as_deref().and_then(|help| help.lines().next());
        let cut = current.rfind(':').map_or(0, |at| at + 1);
        let word = match shell {
            Shell::Bash => value.get(cut..).unwrap_or_default().to_owned(),
            Shell::Zsh => value.replace(':', "\\:"),
            Shell::Fish => value.to_owned(),
        };
        text += &match (shell, help) {
            (Shell::Zsh, Some(help)) => [&word, ":", help, "\n"].concat(),
            (Shell::Fish, Some(help)) => [&word, "\t", help, "\n"].concat(),
            _ => word + "\n",
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_bash_are_joined_again() {
        for (words, joined_words) in [
            (&["rundown", "--job", "=", "te"][..], &["rundown", "--job", "te"][..]),
            (&["rundown", "--job", "="], &["rundown", "--job", ""]),
            (&["rundown", "--job", "=", "a", ":", "b"], &["rundown", "--job", "a:b"]),
            (&["rundown", "--job", "a", ":", ""], &["rundown", "--job", "a:"]),
            (&["rundown", "a", ":", "b", ""], &["rundown", "a:b", ""]),
            (&["rundown", "list", ""], &["rundown", "list", ""]),
            (&["rundown", "a", "=", "b"], &["rundown", "a", "=", "b"]),
            (&[], &[]),
        ] {
            let index = words.len().saturating_sub(1);
            let line = joined(Line { words: words.iter().map(Into::into).collect(), index });
            assert_eq!(line.words, joined_words, "{words:?}");
            assert_eq!(line.index, joined_words.len().saturating_sub(1));
        }
    }

    #[test]
    fn the_context_is_read_from_the_words_before_the_current_one() {
        let of = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
            let Context { store, filter, run } =
                context(&command_first(&Arguments::command(), words));
            (store.root.dir, store.db, filter.repo, filter.ref_name, run)
        };
        for line in ["rundown --root R", "rundown --root R list", "rundown list --root=R --job"] {
            assert_eq!(of(line), (Some("R".into()), None, None, None, None), "{line}");
        }
        let (_, db, repo, ref_name, run) =
            of("rundown --repo a --ref b 1234 --db D --bogus --format");
        assert_eq!((db, repo, ref_name), (Some("D".into()), Some("a".into()), Some("b".into())));
        assert_eq!(run, Some("1234".into()));
    }
}
