//! Suggestions for mistyped commands, runs and options.
//!
//! A suggestion never changes the meaning of a command line. It is only added to an error that is
//! reported anyway, and the exit code stays the same.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::builder::styling::Styles;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use super::Arguments;
use super::args::StoreArgs;
use super::parse::first_word;
use crate::catalog::{RunFilter, RunSpec};
use crate::error::Error;
use crate::model::Run;
use crate::sanitize::is_harmless;

/// The minimum length of a word that is completed or corrected.
const SHORTEST_START: usize = 3;

/// The maximum length, in characters, of a command line that a suggestion repeats in full.
const MAX_REPEATED: usize = 100;

/// The number of newest runs that are searched for a name similar to a mistyped RUN.
const MAX_RUNS: usize = 200;

/// Words of other tools, and the words of rundown that replace them. An empty replacement means
/// that the word is not needed.
const WORDS: &[(&str, &str)] = &[
    ("run", "record"),
    ("ls", "list"),
    ("runs", "list"),
    ("history", "list"),
    ("check", "doctor"),
    ("fsck", "doctor"),
    ("verify", "doctor"),
    ("repair", "doctor --repair"),
    ("gc", "prune"),
    ("clean", "prune"),
    ("cleanup", "prune"),
    ("settings", "config"),
    ("completion", "completions"),
    ("manual", "man"),
    ("otlp", "export otlp"),
    ("show", ""),
    ("view", ""),
    ("open", ""),
    ("log", "--once"),
    ("logs", "--once"),
    ("tail", "--follow"),
    ("watch", "--follow"),
    ("follow", "--follow"),
    ("print", "--once"),
    ("version", "--version"),
    ("last", "latest"),
    ("newest", "latest"),
    ("failed", "latest-failed"),
    ("passed", "latest-passed"),
];

/// Options of other tools, and their equivalents. The first equivalent that the command supports is
/// suggested.
const OPTIONS: &[(&str, &[&str])] = &[
    ("--json", &["--format json"]),
    ("--jsonl", &["--format jsonl"]),
    ("--ndjson", &["--format jsonl"]),
    ("--raw", &["--format raw"]),
    ("--junit", &["--format junit"]),
    ("--github", &["--format github"]),
    ("--gitlab", &["--format gitlab"]),
    ("--text", &["--format text"]),
    ("--html", &["--format html"]),
    ("--markdown", &["--format markdown"]),
    ("--md", &["--format markdown"]),
    ("--trace", &["--format trace"]),
    ("--plain", &["--format text"]),
    ("--output", &["--format FORMAT"]),
    ("-o", &["--format FORMAT"]),
    ("-f", &["--follow"]),
    ("--watch", &["--follow"]),
    ("-w", &["--follow"]),
    ("--print", &["--once"]),
    ("--no-tui", &["--once"]),
    ("--last", &["--tail N", "--limit N"]),
    ("--lines", &["--tail N", "--limit N"]),
    ("--tail", &["--limit N"]),
    ("-n", &["--tail N", "--limit N"]),
    ("--branch", &["--ref REF"]),
    ("--commit", &["--sha SHA"]),
    ("--step", &["--sh N"]),
    ("--no-color", &["--color never"]),
    ("--colour", &["--color WHEN"]),
    ("--utc", &["--timezone UTC"]),
    ("--tz", &["--timezone NAME"]),
    ("--store", &["--root DIR"]),
    ("--dir", &["--root DIR"]),
    ("-C", &["--root DIR"]),
    ("-q", &["--quiet"]),
    ("-v", &["--version"]),
];

/// Adds a tip to an error of the parser. `args` is the command line that caused the error.
pub(super) fn for_arguments(error: clap::Error, args: &[OsString]) -> clap::Error {
    let root = Arguments::command();
    let Some((_, ContextValue::String(unknown))) = error.context().next() else { return error };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let tip = for_command(&root, args).or_else(|| for_option(&root, args, unknown));
            with_tip(error, tip)
        }
        ErrorKind::InvalidSubcommand if is_help(&root, args) => {
            let tip = closest(unknown, &names_of(&root));
            with_tip(error, tip.map(|name| format!("did you mean {}?", quoted(name))))
        }
        // The parser interprets an argument after the RUN as a command. Report it as an unexpected
        // argument instead.
        ErrorKind::InvalidSubcommand => {
            let mut unexpected = clap::Error::new(ErrorKind::UnknownArgument).with_cmd(&root);
            for (kind, value) in error.context() {
                let kind = match kind {
                    ContextKind::InvalidSubcommand => ContextKind::InvalidArg,
                    ContextKind::Usage => kind,
                    _ => continue,
                };
                unexpected.insert(kind, value.clone());
            }
            with_tip(unexpected, for_command(&root, args))
        }
        _ => error,
    }
}

fn with_tip(mut error: clap::Error, tip: Option<String>) -> clap::Error {
    if let Some(tip) = tip {
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Returns true for `rundown help …`.
fn is_help(root: &clap::Command, args: &[OsString]) -> bool {
    first_word(root, args).and_then(|at| args.get(at)).is_some_and(|word| word == "help")
}

fn names_of(root: &clap::Command) -> Vec<&str> {
    root.get_subcommands().map(clap::Command::get_name).collect()
}

/// Returns a tip if the first word, which the parser interpreted as a RUN, is close to a command.
fn for_command(root: &clap::Command, args: &[OsString]) -> Option<String> {
    let at = first_word(root, args)?;
    let word = args.get(at)?;
    if root.find_subcommand(word).is_some() {
        return None;
    }
    let intended = intended(word).filter(|intended| !is_run(intended))?;
    let correct = Some(OsString::from(&intended)).filter(|word| !word.is_empty());
    let mut corrected = args.to_vec();
    corrected.splice(at..=at, correct);
    let whole = Arguments::try_parse_from(&corrected).is_ok().then(|| typed(&corrected)).flatten();
    Some(format!("did you mean {}?", quoted(&whole.unwrap_or_else(|| command_line(&intended)))))
}

/// Returns the arguments as they can be typed; `None` if they are too long or not printable.
fn typed(args: &[OsString]) -> Option<String> {
    let args = args.iter().skip(1).map(|arg| arg.to_str()).collect::<Option<Vec<_>>>()?;
    let line = format!("rundown {}", shlex::try_join(args).ok()?);
    (line.chars().count() <= MAX_REPEATED && line.chars().all(is_harmless)).then_some(line)
}

/// Returns a tip for an option that other tools have, or that other commands of rundown have.
fn for_option(root: &clap::Command, args: &[OsString], unknown: &str) -> Option<String> {
    let name = unknown.split('=').next().unwrap_or(unknown);
    let at = first_word(root, args);
    let command = at.and_then(|at| root.find_subcommand(args.get(at)?)).unwrap_or(root);
    let known = OPTIONS.iter().filter(|(other, _)| *other == name).flat_map(|(_, ours)| *ours);
    if let Some(ours) = known.into_iter().find(|ours| has(command, option_of(ours))) {
        return Some(format!("use {}", quoted(ours)));
    }
    let owners: Vec<String> = std::iter::once(root)
        .chain(root.get_subcommands())
        .filter(|command| has(command, name))
        .map(|command| quoted(&name_of(root, command)))
        .collect();
    let (last, others) = owners.split_last()?;
    let of =
        if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) };
    Some(format!("{} is an option of {of}", quoted(name)))
}

fn option_of(text: &str) -> &str {
    text.split(' ').next().unwrap_or(text)
}

/// Returns true if a command has an option of this name, `--long` or `-s`.
fn has(command: &clap::Command, name: &str) -> bool {
    command.get_arguments().any(|arg| {
        let is_long = name.strip_prefix("--").is_some_and(|long| arg.get_long() == Some(long));
        is_long || arg.get_short().is_some_and(|short| name == format!("-{short}"))
    })
}

fn name_of(root: &clap::Command, command: &clap::Command) -> String {
    let (root, name) = (root.get_name(), command.get_name());
    if name == root { root.to_owned() } else { format!("{root} {name}") }
}

/// Returns a text in the quotes and the style of clap's tips.
fn quoted(text: &str) -> String {
    let valid = *Styles::styled().get_valid();
    format!("'{valid}{text}{valid:#}'")
}

/// Replaces the error for a RUN that was not found, if `word` is similar to a valid one: a word of
/// rundown, or the id or ref of one of the newest runs. The new error suggests the valid word.
/// `takes_commands` is true if a command is also valid in the position of the word.
pub(super) fn for_run(
    error: anyhow::Error,
    word: &OsStr,
    takes_commands: bool,
    (store, filter): (&StoreArgs, &RunFilter),
) -> anyhow::Error {
    let Some(found) = error.downcast_ref::<Error>() else { return error };
    let why = match found {
        Error::NoRun(_) => None,
        Error::NoStore { .. } => Some(found.to_string()),
        _ => return error,
    };
    let code = found.exit_code();
    let run = || newest_runs(store, filter).and_then(|runs| closest_run(word, &runs));
    let intended = intended(word)
        .filter(|intended| takes_commands || is_run(intended))
        .map(|intended| if is_run(&intended) { intended } else { command_line(&intended) })
        .or_else(|| if why.is_none() { run() } else { None });
    let Some(intended) = intended else { return error };
    let mut text = format!("no run `{}`; did you mean `{intended}`?", word.to_string_lossy());
    if let Some(line) = why.as_ref().and_then(|why| why.lines().next()) {
        text = format!("{text}\n{line}");
    }
    Error::Mistyped { text, code }.into()
}

/// Reads the newest runs. Returns `None` if the store cannot be read. That error is dropped,
/// because the caller already has one to report.
fn newest_runs(store: &StoreArgs, filter: &RunFilter) -> Option<Vec<Run>> {
    let list = store.catalog().and_then(|catalog| catalog.runs(filter, MAX_RUNS)).ok()?;
    Some(list.heads.into_iter().map(|head| head.run).collect())
}

/// Returns the ref whose last part is the word, or else the ref or id that [`closest`] selects.
/// Returns `None` if the word is not a name, or if it is close to no ref or id.
fn closest_run(word: &OsStr, runs: &[Run]) -> Option<String> {
    let word = word.to_str()?;
    if !matches!(RunSpec::parse(word), Ok(RunSpec::Named(_))) {
        return None;
    }
    let is_full = word.starts_with("refs/");
    let of_run = |run: &Run| {
        [run.ref_name.as_deref().map(|name| shown_ref(name, is_full)), id_like(word, run)]
    };
    let names: Vec<String> =
        runs.iter().flat_map(of_run).flatten().filter(|name| is_typed(name)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let is_last_part = |name: &&&str| name.rsplit_once('/').is_some_and(|(_, last)| last == word);
    names
        .iter()
        .find(is_last_part)
        .copied()
        .or_else(|| closest(word, &names))
        .map(ToOwned::to_owned)
}

/// Returns a ref without `refs/heads/` or `refs/tags/`, or the full ref if `is_full` is true.
fn shown_ref(name: &str, is_full: bool) -> String {
    let short = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/"));
    short.filter(|_| !is_full).unwrap_or(name).to_owned()
}

/// Returns the end of a run's id, as long as the word but at least as long as the short id. Returns
/// `None` if the word is too short for a part of an id.
fn id_like(word: &str, run: &Run) -> Option<String> {
    let (id, wanted) = (run.id.as_str(), word.chars().count());
    let from = id.chars().count().saturating_sub(wanted.max(run.id.short().chars().count()));
    RunSpec::may_be_id(word).then(|| id.chars().skip(from).collect())
}

/// Returns true if a name can be typed as it is shown.
fn is_typed(name: &str) -> bool {
    let is_plain = |found: char| is_harmless(found) && !found.is_whitespace();
    !name.starts_with('-') && name.chars().count() <= MAX_REPEATED && name.chars().all(is_plain)
}

/// Returns true if a correction names a run, not a command.
fn is_run(intended: &str) -> bool {
    RunSpec::WORDS.iter().any(|word| intended.starts_with(word))
}

/// Returns a whole command line for a first word, with placeholders for the missing arguments.
fn command_line(first: &str) -> String {
    match first {
        "" => "rundown".to_owned(),
        "record" => "rundown record -- CMD".to_owned(),
        "exec" => "rundown exec FILE".to_owned(),
        "schema" => "rundown schema NAME".to_owned(),
        "completions" => "rundown completions SHELL".to_owned(),
        _ => format!("rundown {first}"),
    }
}

/// Returns the replacement of a mistyped word: a command, an option, a RUN, or nothing (an empty
/// text). `None` if the word is valid, is a path, or resembles no valid word.
fn intended(word: &OsStr) -> Option<String> {
    let word = word.to_str().filter(|word| !word.contains('/') && !Path::new(word).exists())?;
    let commands = Arguments::command();
    let valid = [&names_of(&commands)[..], &RunSpec::WORDS[..]].concat();
    if valid.contains(&word) {
        return None;
    }
    let alias = WORDS.iter().find(|(other, _)| *other == word).map(|(_, ours)| (*ours).to_owned());
    // Too many refs resemble a short command: `main` is close to `man`.
    let long: Vec<&str> = valid.into_iter().filter(|name| name.len() > SHORTEST_START).collect();
    let near = || closest(word, &long).map(ToOwned::to_owned);
    alias.or_else(|| RunSpec::corrected(word)).or_else(near)
}

/// Returns the shortest valid word that begins with `word`. Otherwise, returns the word with the
/// smallest edit distance. Returns `None` if this distance exceeds both 1 and a third of the length
/// of the shorter word, or if `word` is too short.
fn closest<'w>(word: &str, valid: &[&'w str]) -> Option<&'w str> {
    let chars = word.chars().count();
    let is_start = |valid: &&&str| chars >= SHORTEST_START && valid.starts_with(word);
    if let Some(whole) = valid.iter().filter(is_start).min_by_key(|valid| valid.len()) {
        return Some(whole);
    }
    let distances = valid.iter().map(|valid| (strsim::osa_distance(word, valid), *valid));
    let (distance, nearest) = distances.min()?;
    (chars >= SHORTEST_START && distance <= (chars.min(nearest.chars().count()) / 3).max(1))
        .then_some(nearest)
}

#[cfg(test)]
mod tests {
    use crate::cli::parse;
    use crate::model::{Run, RunId};

    fn tip(words: &[&str]) -> String {
        let args = std::iter::once("rundown").chain(words.iter().copied()).map(Into::into);
        let error = parse(args.collect()).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{words:?}");
        let text = error.render().to_string();
        let tips: Vec<&str> =
            text.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).collect();
        tips.join("\n")
    }

    #[test]
    fn a_mistyped_command_is_corrected_in_the_command_line() {
        for (words, corrected) in [
            (&["run", "--", "x"][..], "rundown record -- x"),
            (&["run", "cargo", "test"], "rundown record cargo test"),
            (&["recrod", "--", "sh", "-c", "a b"], "rundown record -- sh -c 'a b'"),
            (&["--root", "X", "recrod", "--", "x"], "rundown --root X record -- x"),
            (&["lits", "--limit", "5"], "rundown list --limit 5"),
            (&["rec", "--", "x"], "rundown record -- x"),
            (&["exce", "ci.toml", "--quiet"], "rundown exec ci.toml --quiet"),
            (&["show", "34369c10", "--once"], "rundown 34369c10 --once"),
            (&["tail", "34369c10"], "rundown --follow 34369c10"),
            // The whole line would not parse.
            (&["lits", "--limit"], "rundown list"),
            (&["lits", "--json"], "rundown list"),
            (&["run", "--bogus"], "rundown record -- CMD"),
            // A command line with control characters is not repeated.
            (&["run", "a\x1b[2J"], "rundown record -- CMD"),
        ] {
            assert_eq!(tip(words), format!("did you mean '{corrected}'?"), "{words:?}");
        }
    }

    #[test]
    fn an_option_of_another_tool_is_translated() {
        for (words, ours) in [
            (&["--json"][..], "--format json"),
            (&["list", "--json"], "--format json"),
            (&["doctor", "--json"], "--format json"),
            (&["demo", "--json"], "--format json"),
            (&["--jsonl"], "--format jsonl"),
            (&["--raw"], "--format raw"),
            (&["--text"], "--format text"),
            (&["-f"], "--follow"),
            (&["34369c10", "-f"], "--follow"),
            (&["--no-color"], "--color never"),
            (&["list", "--no-color"], "--color never"),
            (&["--last", "5"], "--tail N"),
            (&["--last=5"], "--tail N"),
            (&["-n", "5"], "--tail N"),
            (&["list", "-n5"], "--limit N"),
            (&["list", "--last", "5"], "--limit N"),
            (&["list", "--tail", "5"], "--limit N"),
            (&["record", "--branch", "main", "--", "x"], "--ref REF"),
            (&["exec", "-q", "ci.toml"], "--quiet"),
            (&["-v"], "--version"),
            // The RUN is mistyped too; it is reported once the line parses.
            (&["latest-fail", "--json"], "--format json"),
        ] {
            assert_eq!(tip(words), format!("use '{ours}'"), "{words:?}");
        }
    }

    #[test]
    fn an_option_without_effect_is_reported_with_the_commands_that_have_it() {
        for (words, expected) in [
            (
                &["record", "--timezone", "UTC", "--", "x"][..],
                "'--timezone' is an option of 'rundown', 'rundown list', 'rundown prune', 'rundown demo' and \
                 'rundown config'",
            ),
            (&["--limit", "5"], "'--limit' is an option of 'rundown list'"),
            (
                &["--failed", "list"],
                "'--failed' is an option of 'rundown', 'rundown rerun', 'rundown bundle', 'rundown push' and 'rundown demo'",
            ),
            (&["exec", "-t", "x"], "'-t' is an option of 'rundown' and 'rundown demo'"),
        ] {
            assert_eq!(tip(words), expected, "{words:?}");
        }
    }

    #[test]
    fn a_mistyped_option_or_value_gets_the_suggestion_of_clap() {
        assert_eq!(tip(&["--fromat", "json"]), "a similar argument exists: '--format'");
        assert_eq!(tip(&["--format", "jsno"]), "a similar value exists: 'json'");
        assert_eq!(tip(&["list", "--limits", "3"]), "a similar argument exists: '--limit'");
        assert_eq!(tip(&["help", "recrod"]), "did you mean 'record'?");
        assert_eq!(tip(&["list", "bogus"]), "");
    }

    #[test]
    fn only_words_with_few_differences_are_close() {
        for (word, close) in [
            ("lits", Some("list")),
            ("recrod", Some("record")),
            ("recordings", None),
            ("latest-fail", Some("latest-failed")),
            ("latest-pased", Some("latest-passed")),
            ("lastest", Some("latest")),
            ("lat", Some("latest")),
            ("latest-1", Some("latest~1")),
            ("latest2", Some("latest~2")),
            ("failed", Some("latest-failed")),
            ("docter", Some("doctor")),
            ("completion", Some("completions")),
            ("main", None),
            ("mian", None),
            ("conf", Some("config")),
            ("show", Some("")),
            ("run", Some("record")),
            // Valid, or a path, or another word.
            ("latest", None),
            ("latest-failed", None),
            ("list", None),
            ("./lits", None),
            ("src", None),
            ("test", None),
            ("dead", None),
            ("34369c10", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(super::intended(word.as_ref()).as_deref(), close, "{word}");
        }
    }

    #[test]
    fn a_word_is_close_to_refs_and_ids_that_can_be_typed() {
        let run = |id: &str, ref_name: &str| Run {
            ref_name: Some(ref_name.into()),
            ..Run::without_row(RunId(id.into()), None)
        };
        let runs = [
            run("01a2078a-83c0-7cf2-8c6a-6911d61998d3", "refs/heads/main"),
            run("01a2078a-a4e8-7cf2-8c6a-6911780b2e4c", "feature/login"),
            run("x", "refs/tags/release-1.0"),
            run("y", "refs/heads/two words"),
            run("z", "refs/heads/\u{1b}[2Jclear"),
            run("-option", "-option"),
        ];
        for (word, close) in [
            ("mian", Some("main")),
            ("refs/heads/mian", Some("refs/heads/main")),
            ("login", Some("feature/login")),
            ("featur/login", Some("feature/login")),
            ("feat", Some("feature/login")),
            ("relese-1.0", Some("release-1.0")),
            ("d61998d4", Some("d61998d3")),
            ("780b2e", Some("780b2e4c")),
            ("01a2078a-83c0-7cf2-8c6a-6911d61998d4", Some("01a2078a-83c0-7cf2-8c6a-6911d61998d3")),
            ("two word", None),
            ("-optio", None),
            ("clear", None),
            ("latest-failed", None),
            ("latest~7", None),
            ("m", None),
            ("99999999", None),
        ] {
            assert_eq!(super::closest_run(word.as_ref(), &runs).as_deref(), close, "{word}");
        }
    }
}
