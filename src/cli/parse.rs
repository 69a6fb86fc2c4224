//! Parses the command line.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, FromArgMatches};

use super::{Arguments, help, hints};

/// Parses the arguments of the process, the name of the program first.
///
/// # Errors
/// If the arguments are invalid, or request the help or the version: see [`super::print_usage`].
pub fn parse(args: Vec<OsString>) -> Result<Arguments, clap::Error> {
    let mut root = Arguments::command();
    let args = command_first(&root, args);
    let run = first_word(&root, &args).and_then(|at| args.get(at));
    let is_after_run = run.is_some_and(|run| root.find_subcommand(run).is_none());
    let read = |root: &mut clap::Command| {
        let matches = root.try_get_matches_from_mut(&args)?;
        Arguments::from_arg_matches(&matches)
    };
    // Wrapping the texts of the help takes longer than parsing, and only an error prints them.
    let parsed = read(&mut root).or_else(|error| {
        if error.kind() == ErrorKind::DisplayVersion {
            return Err(error);
        }
        root = help::with_pages(Arguments::command());
        read(&mut root).map_err(|error| hints::for_arguments(error.format(&mut root), &args))
    })?;
    match run {
        Some(run) if parsed.command.is_some() && is_after_run => {
            let why = format!("a command cannot follow the RUN '{}'", run.to_string_lossy());
            Err(root.error(ErrorKind::ArgumentConflict, why))
        }
        _ => Ok(parsed),
    }
}

/// Moves a command in front of the options that precede it, because they are options of the
/// command: `rundown --root DIR list` is `rundown list --root DIR`. Other arguments stay as they
/// are.
pub(super) fn command_first(root: &clap::Command, mut args: Vec<OsString>) -> Vec<OsString> {
    let is_command =
        |at: &usize| args.get(*at).is_some_and(|word| root.find_subcommand(word).is_some());
    if let Some(at) = first_word(root, &args).filter(is_command)
        && let Some(before) = args.get_mut(1..=at)
    {
        before.rotate_right(1);
    }
    args
}

/// Returns the index of the first argument that is neither an option of `root` nor its value.
/// `None` if there is no such argument, or if an option is unknown or prints the help or the
/// version.
pub(super) fn first_word(root: &clap::Command, args: &[OsString]) -> Option<usize> {
    let mut at = 1;
    loop {
        let arg = args.get(at)?.to_string_lossy();
        let (option, is_complete) = if let Some(long) = arg.strip_prefix("--") {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let option = root.get_arguments().find(|option| option.get_long() == Some(name));
            (option?, value.is_some())
        } else if let Some(short) = arg.strip_prefix('-').filter(|short| !short.is_empty()) {
            let mut letters = short.chars();
            let letter = letters.next();
            let option = root.get_arguments().find(|option| option.get_short() == letter);
            (option?, letters.next().is_some())
        } else {
            return Some(at);
        };
        at += match option.get_action() {
            ArgAction::Set if !is_complete => 2,
            ArgAction::Set | ArgAction::SetTrue => 1,
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<String, String> {
        let args = std::iter::once("rundown").chain(words.iter().copied()).map(Into::into);
        match parse(args.collect()) {
            Ok(arguments) => Ok(format!("{arguments:?}")),
            Err(error) => Err(error.render().to_string()),
        }
    }

    #[test]
    fn an_option_before_a_command_belongs_to_the_command() {
        for (before, after) in [
            (&["--root", "X", "list"][..], &["list", "--root", "X"][..]),
            (&["--root=X", "--format", "json", "list"], &["list", "--root", "X", "--format=json"]),
            (&["--root", "list", "list"], &["list", "--root", "list"]),
            (&["--root", "A", "list", "--root", "B"], &["list", "--root", "B"]),
            (&["--ref", "main", "record", "--", "list"], &["record", "--ref", "main", "list"]),
            (&["--failed", "-t", "full", "demo"], &["demo", "-tfull", "--failed"]),
            (&["--theme", "dark", "--ascii", "config"], &["config", "--theme=dark", "--ascii"]),
        ] {
            let parsed = parsed(before);
            assert!(parsed.is_ok(), "{parsed:?}");
            assert_eq!(parsed, super::tests::parsed(after), "{before:?}");
        }
        let refused = parsed(&["--failed", "list"]).unwrap_err();
        assert!(refused.starts_with("error: unexpected argument '--failed' found"), "{refused}");
        assert!(refused.contains("Usage: rundown list"), "{refused}");
    }

    #[test]
    fn a_word_after_a_run_or_without_a_matching_command_is_not_moved() {
        for (words, run) in [
            (&["--once", "--", "list"][..], "list"),
            (&["--root", "list"], "latest"),
            (&["-t", "full", "abcd"], "abcd"),
            (&["--root", "X", "abcd"], "abcd"),
            (&["abcd", "--root", "X"], "abcd"),
        ] {
            let parsed = parsed(words).unwrap();
            assert!(parsed.contains(&format!("run: {run:?}")), "{words:?}: {parsed}");
            assert!(parsed.ends_with("command: None, help: None, version: None }"), "{parsed}");
        }
        let refused = parsed(&["abcd", "list"]).unwrap_err();
        assert!(
            refused.starts_with("error: a command cannot follow the RUN 'abcd'\n"),
            "{refused}"
        );
        let printed = parsed(&["--version", "list"]).unwrap_err();
        assert!(printed.starts_with("rundown "), "{printed}");
        let printed = parsed(&["--root", "X", "-h", "list"]).unwrap_err();
        assert!(printed.contains("\nUsage: rundown [OPTIONS] [RUN]\n"), "{printed}");
    }

    #[test]
    fn the_last_of_two_values_wins() {
        assert_eq!(parsed(&["--tail", "5", "--tail", "6"]), parsed(&["--tail", "6"]));
    }
}
