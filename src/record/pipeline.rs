//! A pipeline: the file that `exec` reads, checked as a whole before anything runs.
//!
//! ```toml
//! name = "demo"                    # optional
//!
//! [jobs.build]
//! commands = ["cargo build"]       # a text goes to `sh -c`, a list is a program and its arguments
//!
//! [jobs.test]
//! needs = ["build"]
//! commands = [["cargo", "test"]]
//! ```
//!
//! The invariant of a [`Pipeline`]: at least one job, at least one command in each job, and names
//! that are safe as a path. Every job comes after the jobs that it needs; apart from that, jobs are
//! in the order of the file. An invalid file is refused with the line of the error and the correct
//! form. Nothing is run here.

use std::ffi::OsString;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::error::{Error, Result};
use crate::model::JobId;
use crate::{display, log};

/// An example file that shows within seconds the possible results of a run: passing, failing and
/// skipped jobs.
pub const DEMO: &str = include_str!("demo.toml");

/// Jobs in an order in which they can run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pipeline {
    name: Option<String>,
    jobs: Vec<PipelineJob>,
}

/// A named list of commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PipelineJob {
    /// Its name.
    pub id: JobId,
    /// The jobs that must have passed before it starts.
    pub needs: Vec<JobId>,
    /// Its commands, run one after the other until one fails.
    pub commands: Vec<PipelineCommand>,
}

/// A command as written by the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PipelineCommand {
    /// A text for `sh -c`.
    Shell(String),
    /// A program and its arguments.
    Argv(Vec<OsString>),
}

impl Pipeline {
    /// Returns its name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns its jobs, in the order of their execution.
    #[must_use]
    pub fn jobs(&self) -> &[PipelineJob] {
        &self.jobs
    }

    /// Creates a pipeline of one job with one command.
    #[must_use]
    pub(super) fn of_command(job: &JobId, command: PipelineCommand) -> Self {
        let job = PipelineJob { id: job.clone(), needs: Vec::new(), commands: vec![command] };
        Self { name: None, jobs: vec![job] }
    }
}

impl PipelineCommand {
    /// Returns the program and its arguments.
    #[must_use]
    pub fn argv(&self) -> Vec<OsString> {
        match self {
            Self::Shell(text) => ["sh", "-c", text].map(OsString::from).into(),
            Self::Argv(argv) => argv.clone(),
        }
    }

    /// Returns the command as it is stored: the text unchanged, or the list as JSON. Bytes that are
    /// not UTF-8 are replaced.
    #[must_use]
    pub fn stored(&self) -> String {
        match self {
            Self::Shell(text) => text.clone(),
            Self::Argv(argv) => argv
                .iter()
                .map(|arg| arg.to_string_lossy())
                .collect::<serde_json::Value>()
                .to_string(),
        }
    }

    /// Returns the command as a user would type it. The text is untrusted.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Shell(text) => text.clone(),
            Self::Argv(argv) => {
                let argv: Vec<_> = argv.iter().map(|arg| arg.to_string_lossy()).collect();
                display::typed(argv.iter().map(AsRef::as_ref))
            }
        }
    }
}

/// Reads and checks a pipeline file.
///
/// # Errors
/// If the file cannot be read or is not a valid pipeline. For the latter, the error contains the
/// line and the correct form.
pub fn load_pipeline(path: &Path) -> Result<Pipeline> {
    let unreadable =
        |error| Error::Usage(format!("cannot read the pipeline {}: {error}", path.display()));
    let bytes = std::fs::read(path).map_err(unreadable)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse_pipeline(text, path),
        Err(error) => {
            let line = line_of(&bytes, error.valid_up_to());
            Err(Error::Pipeline {
                path: path.to_owned(),
                line,
                message: "invalid UTF-8; save the file as UTF-8".into(),
            })
        }
    }
}

/// Parses and checks the text of a pipeline file; `path` is for the messages.
///
/// # Errors
/// If the text is not a valid pipeline. The error contains the line and the correct form.
pub fn parse_pipeline(text: &str, path: &Path) -> Result<Pipeline> {
    parse(text).map_err(|Refusal { at, message }| Error::Pipeline {
        path: path.to_owned(),
        line: line_of(text.as_bytes(), at),
        message,
    })
}

/// Returns the line of a byte offset, counted from 1.
fn line_of(text: &[u8], at: usize) -> usize {
    1 + text.iter().take(at).filter(|byte| **byte == b'\n').count()
}

/// The reason why a text is not a pipeline.
struct Refusal {
    /// The byte offset of the error in the text.
    at: usize,
    message: String,
}

impl Refusal {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

type Read<T> = std::result::Result<T, Refusal>;

/// A job as written in the file.
struct Draft {
    at: usize,
    id: JobId,
    needs: Vec<Need>,
    commands: Vec<PipelineCommand>,
}

struct Need {
    at: usize,
    name: String,
}

fn parse(text: &str) -> Read<Pipeline> {
    let root = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Refusal::new(at, error.message().replace('\n', ", "))
    })?;
    let root = root.get_ref();
    check_keys(root, &["name", "jobs"])?;
    let name = root.get("name").map(|name| text_of(name, "`name`")).transpose()?;
    let Some(jobs) = root.get("jobs") else {
        return Err(Refusal::new(0, "no jobs; add a table [jobs.NAME] with commands = [\"…\"]"));
    };
    let jobs_at = jobs.span().start;
    let jobs = table_of(jobs, "`jobs`", "[jobs.NAME]")?;
    let mut drafts =
        jobs.iter().map(|(name, job)| draft_of(name, job)).collect::<Read<Vec<_>>>()?;
    if drafts.is_empty() {
        return Err(Refusal::new(
            jobs_at,
            "no jobs; add a table [jobs.NAME] with commands = [\"…\"]",
        ));
    }
    // The parser's table is sorted by name: restore the order of the file.
    drafts.sort_by_key(|draft| draft.at);
    Ok(Pipeline { name, jobs: in_order(drafts)? })
}

fn draft_of(name: &Spanned<DeString<'_>>, job: &Spanned<DeValue<'_>>) -> Read<Draft> {
    let (at, id) = (name.span().start, JobId(name.get_ref().to_string()));
    if log::path::job_dir(Path::new(""), &id).is_none() {
        return Err(Refusal::new(
            at,
            format!("invalid job name {:?}: not a valid directory name", id.as_str()),
        ));
    }
    let what = format!("job `{}`", id.as_str());
    let table = table_of(job, &what, &format!("[jobs.{}]", id.as_str()))?;
    check_keys(table, &["needs", "commands"])?;
    let Some(commands) = table.get("commands") else {
        return Err(Refusal::new(at, format!("{what} has no commands; add commands = [\"…\"]")));
    };
    let commands_at = commands.span().start;
    let commands: Vec<_> =
        list_of(commands, "`commands`")?.iter().map(command_of).collect::<Read<_>>()?;
    if commands.is_empty() {
        return Err(Refusal::new(commands_at, format!("{what} has no commands; add at least one")));
    }
    let needs = match table.get("needs") {
        None => Vec::new(),
        Some(needs) => list_of(needs, "`needs`")?.iter().map(need_of).collect::<Read<_>>()?,
    };
    Ok(Draft { at, id, needs, commands })
}

fn need_of(value: &Spanned<DeValue<'_>>) -> Read<Need> {
    Ok(Need { at: value.span().start, name: text_of(value, "an entry of `needs`")? })
}

fn command_of(value: &Spanned<DeValue<'_>>) -> Read<PipelineCommand> {
    let at = value.span().start;
    match value.get_ref() {
        DeValue::String(text) if text.trim().is_empty() => {
            Err(Refusal::new(at, "empty command; remove it"))
        }
        DeValue::String(_) => text_of(value, "a command").map(PipelineCommand::Shell),
        DeValue::Array(list) => {
            let argv: Vec<_> = list
                .iter()
                .map(|arg| text_of(arg, "an argument").map(OsString::from))
                .collect::<Read<_>>()?;
            match argv.first() {
                Some(program) if !program.is_empty() => Ok(PipelineCommand::Argv(argv)),
                _ => Err(Refusal::new(
                    at,
                    "command without a program; name one, as in [\"cargo\", \"test\"]",
                )),
            }
        }
        other => Err(wrong_type(at, "a command", "a string or an array of strings", other)),
    }
}

fn wrong_type(at: usize, what: &str, right: &str, wrong: &DeValue<'_>) -> Refusal {
    Refusal::new(at, format!("{what} must be {right}, not {}", type_word(wrong)))
}

fn type_word(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

fn text_of(value: &Spanned<DeValue<'_>>, what: &str) -> Read<String> {
    let wrong = || wrong_type(value.span().start, what, "a string", value.get_ref());
    let text = value.get_ref().as_str().ok_or_else(wrong)?;
    if text.contains('\0') {
        return Err(Refusal::new(
            value.span().start,
            format!("{what} contains a NUL byte, which no program accepts; remove it"),
        ));
    }
    Ok(text.to_owned())
}

fn list_of<'a, 'i>(
    value: &'a Spanned<DeValue<'i>>,
    what: &str,
) -> Read<&'a [Spanned<DeValue<'i>>]> {
    match value.get_ref() {
        DeValue::Array(list) => Ok(list),
        other => Err(wrong_type(value.span().start, what, "an array", other)),
    }
}

fn table_of<'a, 'i>(
    value: &'a Spanned<DeValue<'i>>,
    what: &str,
    example: &str,
) -> Read<&'a DeTable<'i>> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table),
        other => Err(wrong_type(value.span().start, what, &format!("a table ({example})"), other)),
    }
}

fn check_keys(table: &DeTable<'_>, known: &[&str]) -> Read<()> {
    let unknown = table
        .keys()
        .filter(|key| !known.contains(&key.get_ref().as_ref()))
        .min_by_key(|key| key.span().start);
    let Some(key) = unknown else { return Ok(()) };
    let known = known.iter().copied();
    let message = format!(
        "unknown key {:?}; {}",
        key.get_ref(),
        suggestion(key.get_ref(), known, "expected one of")
    );
    Err(Refusal::new(key.span().start, message))
}

/// Returns the name that was probably meant, or a list of all names.
fn suggestion<'a>(wrong: &str, known: impl Iterator<Item = &'a str> + Clone, all: &str) -> String {
    match display::nearest(wrong, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!(
            "{all} {}",
            known.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Sorts the jobs so that each comes after the jobs that it needs. Of the jobs that can be next,
/// the first one in the file is taken.
fn in_order(drafts: Vec<Draft>) -> Read<Vec<PipelineJob>> {
    let needs = resolve(&drafts)?;
    // The position of each job in the order; `None` until it is assigned.
    let mut places: Vec<Option<usize>> = vec![None; drafts.len()];
    for place in 0..drafts.len() {
        let has_place = |job: &usize| places.get(*job).copied().flatten().is_some();
        let is_next =
            |(job, needs): &(usize, &Vec<usize>)| !has_place(job) && needs.iter().all(has_place);
        let Some((job, _)) = needs.iter().enumerate().find(is_next) else {
            return Err(circle(&drafts, &needs, has_place));
        };
        if let Some(free) = places.get_mut(job) {
            *free = Some(place);
        }
    }
    let mut sorted: Vec<_> = places.into_iter().zip(drafts).collect();
    sorted.sort_by_key(|(place, _)| *place);
    let needed = |needs: Vec<Need>| needs.into_iter().map(|need| JobId(need.name)).collect();
    let job_of =
        |Draft { id, needs, commands, .. }| PipelineJob { id, needs: needed(needs), commands };
    Ok(sorted.into_iter().map(|(_, draft)| job_of(draft)).collect())
}

/// Returns the needs of each job as positions in the list of drafts.
fn resolve(drafts: &[Draft]) -> Read<Vec<Vec<usize>>> {
    let names = drafts.iter().map(|draft| draft.id.as_str());
    let place = |need: &Need| {
        names.clone().position(|name| name == need.name).ok_or_else(|| {
            let suggestion = suggestion(&need.name, names.clone(), "the jobs are");
            Refusal::new(need.at, format!("unknown job {:?} in `needs`; {suggestion}", need.name))
        })
    };
    drafts.iter().map(|draft| draft.needs.iter().map(place).collect()).collect()
}

/// Reports the cycle that keeps the remaining jobs from starting. Each of them needs a remaining
/// job, so following the needs leads back to a job that was seen before.
fn circle(drafts: &[Draft], needs: &[Vec<usize>], is_done: impl Fn(&usize) -> bool) -> Refusal {
    let waiting_for =
        |job: usize| needs.get(job).and_then(|all| all.iter().copied().find(|need| !is_done(need)));
    let mut path: Vec<usize> = Vec::new();
    let mut next = (0..drafts.len()).find(|job| !is_done(job));
    while let Some(job) = next.filter(|job| !path.contains(job)) {
        path.push(job);
        next = waiting_for(job);
    }
    let start = path.iter().position(|job| Some(*job) == next).unwrap_or(0);
    // Start the cycle at the job that comes first in the file: users look there first.
    let mut around = path.split_off(start);
    let first = around.iter().enumerate().min_by_key(|(_, job)| **job).map_or(0, |(at, _)| at);
    around.rotate_left(first);
    around.extend(around.first().copied());
    let round: Vec<_> = around.iter().filter_map(|job| drafts.get(*job)).collect();
    let names: Vec<_> = round.iter().map(|draft| format!("`{}`", draft.id.as_str())).collect();
    let at = round.first().map_or(0, |draft| draft.at);
    Refusal::new(
        at,
        format!("dependency cycle: {}; remove one of these needs", names.join(" needs ")),
    )
}

#[cfg(test)]
mod tests;
