//! The words that complete an argument: runs, refs, repositories and jobs of the store.
//!
//! Only the newest runs are read. A store that cannot be read has no words.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};

use clap_complete::engine::CompletionCandidate;

use crate::catalog::{Catalog, RunFilter};
use crate::cli::args::{NEWEST, StoreArgs};
use crate::cli::{once, open};
use crate::display::{self, Status};
use crate::error::Result;
use crate::join::{JobNode, RunHead, RunNode};
use crate::model::JobId;
use crate::sanitize::is_harmless;
use crate::time::Time;

/// The number of newest runs whose ids are words.
const OFFERED_RUNS: usize = 30;

/// The number of newest runs whose refs, repositories and jobs are words.
const READ_RUNS: usize = 200;

/// The maximum number of commands of a run that are words for `--at`.
const OFFERED_COMMANDS: usize = 100;

/// The maximum length of a word and of a description, in characters.
const MAX_CHARS: usize = 100;

/// The store and the run that the rest of the command line names.
#[derive(Default)]
pub struct Context {
    pub store: StoreArgs,
    pub filter: RunFilter,
    /// RUN, if it is given.
    pub run: Option<OsString>,
}

/// A kind of words that the shell adds itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Files,
    Directories,
    Commands,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Files, Self::Directories, Self::Commands];

    /// Returns the name in an answer.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Directories => "directories",
            Self::Commands => "commands",
        }
    }

    /// Returns a candidate that stands for these words.
    fn candidate(self) -> CompletionCandidate {
        CompletionCandidate::new("").tag(Some(self.name().into()))
    }

    /// Returns the kind that a candidate stands for; `None` for a word.
    pub fn of(candidate: &CompletionCandidate) -> Option<Self> {
        let tag = candidate.get_tag()?.to_string();
        Self::ALL.into_iter().find(|kind| kind.name() == tag)
    }
}

/// The source of the words for an argument.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A run in the store, or a path.
    Run {
        may_be_path: bool,
    },
    /// A run that steps can be added to. Its id must be complete.
    OpenRun,
    Ref,
    Repo,
    Job,
    Position,
    Shell(Kind),
}

/// A word and its description.
type Word = (String, String);

impl Source {
    /// Returns the source for an argument of a command.
    pub fn of(command: &str, arg: &str) -> Option<Self> {
        Some(match (command, arg) {
            ("record" | "end", "run") => Self::OpenRun,
            ("rundown" | "doctor", "run") | ("export" | "bundle", "runs") | ("push", "named") => {
                Self::Run { may_be_path: true }
            }
            (_, "run" | "before") => Self::Run { may_be_path: false },
            (_, "ref_name") => Self::Ref,
            (_, "repo") => Self::Repo,
            (_, "job") => Self::Job,
            (_, "at") => Self::Position,
            ("man", "dir") | (_, "root") => Self::Shell(Kind::Directories),
            (_, "db" | "config" | "file") | ("export", "to") => Self::Shell(Kind::Files),
            ("record", "argv") => Self::Shell(Kind::Commands),
            _ => return None,
        })
    }

    /// Returns the words that begin with `current`.
    pub fn candidates(self, context: &Context, current: &str) -> Vec<CompletionCandidate> {
        let words = match self {
            Self::Shell(kind) => return vec![kind.candidate()],
            Self::Run { .. } => Ok(runs(context)),
            Self::OpenRun => open_runs(context),
            Self::Ref => refs(context),
            Self::Repo => repos(context),
            Self::Job => jobs(context),
            Self::Position => Ok(positions(context)),
        };
        let mut known = HashSet::new();
        let words = words.unwrap_or_default().into_iter();
        let words = words.filter(|(word, _)| word.starts_with(current) && is_plain(word));
        let words = words.filter(|(word, _)| known.insert(word.clone()));
        let candidate =
            |(word, about): Word| CompletionCandidate::new(word).help(Some(plain(&about).into()));
        let is_path = current.contains('/') || current.starts_with(['.', '~']);
        let path = matches!(self, Self::Run { may_be_path: true }) && is_path;
        let path = path.then(|| Kind::Files.candidate());
        words.map(candidate).chain(path).collect()
    }
}

fn heads(context: &Context, limit: usize) -> Result<Vec<RunHead>> {
    Ok(context.store.catalog()?.runs(&context.filter, limit)?.heads)
}

fn runs(context: &Context) -> Vec<Word> {
    let words = [
        (NEWEST, "the newest run"),
        ("latest-failed", "the newest run that failed"),
        ("latest-passed", "the newest run that passed"),
    ];
    let mut words = words.map(|(word, about)| (word.to_owned(), about.to_owned())).to_vec();
    let heads = heads(context, READ_RUNS).unwrap_or_default();
    let of_run = |head: &RunHead| (head.run.id.short().to_owned(), described(head));
    words.extend(heads.iter().take(OFFERED_RUNS).map(of_run));
    words.extend(refs_of(&heads));
    words
}

fn open_runs(context: &Context) -> Result<Vec<Word>> {
    let is_open = |head: &RunHead| head.run.details.is_open && head.run.finished_at.is_none();
    let heads = heads(context, READ_RUNS)?.into_iter().filter(is_open);
    Ok(heads.map(|head| (head.run.id.as_str().to_owned(), described(&head))).collect())
}

fn refs(context: &Context) -> Result<Vec<Word>> {
    Ok(refs_of(&heads(context, READ_RUNS)?).collect())
}

/// Returns the refs of runs, each with the newest run.
fn refs_of(heads: &[RunHead]) -> impl Iterator<Item = Word> {
    heads.iter().filter_map(|head| Some((display::short_ref(&head.run)?, described(head))))
}

fn repos(context: &Context) -> Result<Vec<Word>> {
    let heads = heads(context, READ_RUNS)?.into_iter();
    Ok(heads.filter_map(|head| Some((head.run.repo.clone()?, described(&head)))).collect())
}

/// Returns the jobs of the RUN, or else those of the newest runs.
fn jobs(context: &Context) -> Result<Vec<Word>> {
    if context.run.is_some() {
        let of_job =
            |job: &JobNode| (job.job.id.as_str().to_owned(), Status::of_job(job).word().to_owned());
        return Ok(run(context)?.jobs.iter().map(of_job).collect());
    }
    let catalog = context.store.catalog()?;
    let heads = catalog.runs(&context.filter, READ_RUNS)?.heads;
    let names = catalog.job_names(&heads)?;
    let of_run = |(head, jobs): (&RunHead, Vec<JobId>)| {
        let about = described(head);
        jobs.into_iter().map(move |job| (job.0, about.clone()))
    };
    Ok(heads.iter().zip(names).flat_map(of_run).collect())
}

/// Returns the positions in the log of a command.
fn positions(context: &Context) -> Vec<Word> {
    let words = [("end", "the last row, and new ones"), ("start", "the first row")];
    let mut words = words.map(|(word, about)| (word.to_owned(), about.to_owned())).to_vec();
    if let Ok(run) = run(context) {
        let shs = run.jobs.iter().flat_map(|job| job.shs.iter().map(move |sh| (job, sh)));
        words.extend(shs.take(OFFERED_COMMANDS).map(|(job, sh)| {
            let cmd = sh.sh.as_ref().map(display::command).unwrap_or_default();
            (format!("{}/{}", job.job.id.as_str(), sh.n), cmd)
        }));
    }
    words
}

/// Loads the RUN, or else the newest one.
fn run(context: &Context) -> Result<RunNode> {
    let named = context.run.as_deref().unwrap_or(OsStr::new(NEWEST));
    let (catalog, spec): (Catalog, _) = open(&context.store, &context.filter, named)?;
    once::found_run(&catalog, spec.as_ref(), &context.filter, named)
}

/// Describes a run: its state, repository, ref, commit and age.
fn described(head: &RunHead) -> String {
    let run = &head.run;
    let at = run.started_at.or(run.queued_at).or_else(|| run.id.time());
    let age = at.map(|at| display::age(Time::now().millis_since(at)) + " ago");
    let state = Status::of_run(head).word().to_owned();
    let parts = [Some(state), run.repo.clone(), display::revision(run), age];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Returns true if a word has no meaning in a shell other than itself. The shell inserts it into a
/// command line without quotes.
fn is_plain(word: &str) -> bool {
    let is_first = |found: char| found.is_alphanumeric() || "_./@".contains(found);
    let is_inner = |found: char| found.is_alphanumeric() || "_./@:+,=%~-".contains(found);
    word.starts_with(is_first)
        && word.chars().all(|found| is_inner(found) && is_harmless(found))
        && word.chars().count() <= MAX_CHARS
}

/// Returns a description without characters that a shell or a terminal could act on.
fn plain(about: &str) -> String {
    let shown = |found: char| {
        let is_shown = found.is_alphanumeric() || " _./@:+,=#()-".contains(found);
        if is_shown && is_harmless(found) { found } else { '?' }
    };
    about.chars().take(MAX_CHARS).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_words_without_a_meaning_in_a_shell_are_offered() {
        for word in ["main", "feature/login", "v1.0", "34369c10", "latest~1", "a:b", "größe", "x=1"]
        {
            assert!(is_plain(word), "{word}");
        }
        let long = "x".repeat(MAX_CHARS + 1);
        for word in
            ["", "-x", "~root", "=ls", "%1", "a b", "a;b", "$(id)", "`id`", "a'b", "a*", &long]
        {
            assert!(!is_plain(word), "{word}");
        }
    }

    proptest! {
        #[test]
        fn no_text_of_a_store_reaches_a_shell_with_a_special_character(text in any::<String>()) {
            const SPECIAL: &str = " \t\r\n\x0b\\\"'`$&|;<>(){}[]*?!#^\x1b\x7f";
            let is_special = |found: char| SPECIAL.contains(found) || found.is_control();
            prop_assert!(!is_plain(&text) || !text.contains(is_special));
            let about = plain(&text);
            prop_assert!(!about.contains(|found: char| found.is_control() || "`$\\\"';&|<>%".contains(found)));
        }
    }
}
