//! A pipeline: the file that `exec` reads, checked and expanded as a whole before anything runs.
//!
//! ```toml
//! name = "demo"                    # optional
//! timeout = "10m"                  # a setting for all jobs
//!
//! [jobs.build]
//! commands = ["cargo build"]       # strings for the shell, or arrays: a program and its arguments
//!
//! [jobs.test]
//! needs = ["build"]
//! matrix = { os = ["linux", "mac"] }  # two jobs, `test (os=linux)` and `test (os=mac)`
//! commands = [["cargo", "test"]]
//! ```
//!
//! `docs/pipeline.md` describes all keys. Invariant of a [`Pipeline`]: it has at least one job,
//! each job has at least one command, and the names of the jobs are different and safe as a path.
//! Every job comes after the jobs that it waits for; apart from that, jobs are in the order of the
//! file. The error for an invalid file contains the line and the correct form. Nothing is run here.

mod matrix;
mod only;
mod order;
mod plan;
mod settings;
mod values;

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use self::matrix::Axis;
#[cfg(feature = "cli")]
pub(crate) use self::only::selects;
pub(super) use self::order::waits;
use self::order::{Need, in_order, resolve};
use self::settings::Settings;
use self::values::{
    Read, Refusal, Value, argv_of, check_keys, list_of, optional, table_of, text_of, wrong_type,
};
use super::child::Output;
use crate::error::{Error, Result};
use crate::model::JobId;
use crate::{display, log};

/// An example file whose run takes seconds and has passing, failing and skipped jobs.
pub const DEMO: &str = include_str!("demo.toml");

/// The maximum number of jobs of a pipeline.
const MAX_JOBS: usize = 4096;

/// Jobs in an order in which they can run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pipeline {
    name: Option<String>,
    jobs: Vec<PipelineJob>,
}

/// A named list of commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PipelineJob {
    /// Its name: `test`, or `test (os=linux)` for a job of a matrix.
    pub id: JobId,
    /// Its name in the file, `test`. All jobs of a matrix share it.
    pub base: JobId,
    /// The jobs that it waits for. If this list is empty and [`JobSettings::when`] is not
    /// [`When::OnSuccess`], it waits for all jobs that run [`When::OnSuccess`].
    pub needs: Vec<JobId>,
    /// Its commands, run one after the other until one fails.
    pub commands: Vec<PipelineCommand>,
    /// The way in which its commands run.
    pub settings: JobSettings,
}

/// The settings of a job, completed with the defaults of the file.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct JobSettings {
    /// The variables that its commands get in addition to our own, with those of the matrix.
    pub env: BTreeMap<String, String>,
    /// The directory of its commands, relative to that of the run. It may be missing until the job
    /// starts.
    pub dir: Option<PathBuf>,
    /// The program that runs each command, with the arguments before the command; `None` for
    /// `sh -c`. See [`PipelineJob::argv`].
    pub shell: Option<Vec<String>>,
    /// The time limit of the job. Each retry of a command restarts it.
    pub timeout: Option<Duration>,
    /// True if the job counts as passed even if it fails.
    pub allow_failure: bool,
    /// The number of times that a failed command is run again.
    pub retry: u8,
    /// The condition for running the job, after the jobs that it waits for.
    pub when: When,
    /// The names of the variables whose values are secret.
    pub mask: Vec<String>,
    /// The way in which the output is captured; `None` for the default of the recorder.
    pub output: Option<Output>,
}

/// The condition for running a job, after the jobs that it waits for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum When {
    /// The job runs if all of them passed.
    #[default]
    OnSuccess,
    /// The job runs once they are over.
    Always,
    /// The job runs once they are over, if one of them failed.
    OnFailure,
}

/// A command as written by the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PipelineCommand {
    /// A text for the shell.
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

    /// Returns its jobs, each after the jobs that it waits for.
    #[must_use]
    pub fn jobs(&self) -> &[PipelineJob] {
        &self.jobs
    }

    /// Creates a pipeline of these jobs, each of which comes after the jobs that it needs.
    #[must_use]
    pub fn of_jobs(name: Option<String>, jobs: Vec<PipelineJob>) -> Self {
        Self { name, jobs }
    }

    /// Creates a pipeline of one job with one command.
    #[must_use]
    pub(super) fn of_command(job: &JobId, command: PipelineCommand) -> Self {
        let job = PipelineJob {
            id: job.clone(),
            base: job.clone(),
            needs: Vec::new(),
            commands: vec![command],
            settings: JobSettings::default(),
        };
        Self { name: None, jobs: vec![job] }
    }
}

impl PipelineJob {
    /// Returns the program and the arguments that run one of its commands: the command itself or,
    /// if the job has a shell, the shell with the command as its last argument. A list is then
    /// quoted for the shell.
    #[must_use]
    pub fn argv(&self, command: &PipelineCommand) -> Vec<OsString> {
        let Some(shell) = &self.settings.shell else { return command.argv() };
        shell.iter().map(OsString::from).chain([command.line()]).collect()
    }
}

impl PipelineCommand {
    /// Returns the program and the arguments that run the command in a job without a shell.
    #[must_use]
    pub fn argv(&self) -> Vec<OsString> {
        match self {
            Self::Shell(text) => ["sh", "-c", text].map(OsString::from).into(),
            Self::Argv(argv) => argv.clone(),
        }
    }

    /// Returns the command as a line for a shell.
    fn line(&self) -> OsString {
        match self {
            Self::Shell(text) => text.into(),
            Self::Argv(argv) => {
                let quoter = shlex::bytes::Quoter::new().allow_nul(true);
                let line = quoter.join(argv.iter().map(|arg| arg.as_bytes()));
                // Quoting fails only for a NUL, which is allowed here: starting the program fails.
                OsString::from_vec(line.unwrap_or_default())
            }
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
    read_pipeline(&mut File::open(path).map_err(unreadable(path))?, path)
}

/// Reads and checks a pipeline from an open file or another source; `path` is for the messages, for
/// example `<stdin>`.
///
/// # Errors
/// As for [`load_pipeline`].
pub fn read_pipeline(source: &mut dyn std::io::Read, path: &Path) -> Result<Pipeline> {
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).map_err(unreadable(path))?;
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

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::Usage(format!("cannot read the pipeline {}: {error}", path.display()))
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

/// A table `[jobs.NAME]`, before it is expanded to jobs.
struct Draft {
    /// The byte offset of its name in the text.
    at: usize,
    base: JobId,
    needs: Vec<Need>,
    commands: Vec<PipelineCommand>,
    settings: JobSettings,
    matrix: Vec<Axis>,
}

fn parse(text: &str) -> Read<Pipeline> {
    let root = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Refusal::new(at, error.message().replace('\n', ", "))
    })?;
    let root = root.get_ref();
    check_keys(root, &[&["name", "jobs"], &settings::KEYS[..]].concat())?;
    let name = optional(root, "name", text_of)?;
    let defaults = Settings::read(root)?;
    let no_jobs = |at| Refusal::new(at, "no jobs; add a table [jobs.NAME] with commands = [\"…\"]");
    let jobs = root.get("jobs").ok_or_else(|| no_jobs(0))?;
    let table = table_of(jobs, "`jobs`", "[jobs.NAME]")?;
    if table.is_empty() {
        return Err(no_jobs(jobs.span().start));
    }
    let mut drafts =
        table.iter().map(|(name, job)| draft_of(name, job, &defaults)).collect::<Read<Vec<_>>>()?;
    // The parser's table is sorted by name: restore the order of the file.
    drafts.sort_by_key(|draft| draft.at);
    Ok(Pipeline { name, jobs: expand(drafts)? })
}

fn draft_of(name: &Spanned<DeString<'_>>, job: &Value<'_>, defaults: &Settings) -> Read<Draft> {
    let (at, base) = (name.span().start, JobId(name.get_ref().to_string()));
    check_name(at, &base)?;
    let what = format!("job `{}`", base.as_str());
    let table = table_of(job, &what, &format!("[jobs.{}]", base.as_str()))?;
    check_keys(table, &[&["needs", "commands"], &settings::KEYS[..]].concat())?;
    let Some(commands) = table.get("commands") else {
        return Err(Refusal::new(at, format!("{what} has no commands; add commands = [\"…\"]")));
    };
    let commands_at = commands.span().start;
    let commands: Vec<_> =
        list_of(commands, "`commands`")?.iter().map(command_of).collect::<Read<_>>()?;
    if commands.is_empty() {
        return Err(Refusal::new(commands_at, format!("{what} has no commands; add at least one")));
    }
    let needs = optional(table, "needs", |needs, what| {
        list_of(needs, what)?.iter().map(need_of).collect::<Read<_>>()
    })?;
    let (settings, matrix) = Settings::read(table)?.complete(defaults);
    Ok(Draft { at, base, needs: needs.unwrap_or_default(), commands, settings, matrix })
}

/// Returns an error if the name of a job cannot be the name of its directory.
fn check_name(at: usize, id: &JobId) -> Read<()> {
    if log::path::job_dir(Path::new(""), id).is_some() {
        return Ok(());
    }
    let name = id.as_str();
    Err(Refusal::new(at, format!("invalid job name {name:?}: not a valid directory name")))
}

fn need_of(value: &Value<'_>) -> Read<Need> {
    Ok(Need { at: value.span().start, name: text_of(value, "an entry of `needs`")? })
}

fn command_of(value: &Value<'_>) -> Read<PipelineCommand> {
    let at = value.span().start;
    match value.get_ref() {
        DeValue::String(text) if text.trim().is_empty() => {
            Err(Refusal::new(at, "empty command; remove it"))
        }
        DeValue::String(_) => text_of(value, "a command").map(PipelineCommand::Shell),
        DeValue::Array(_) => {
            let argv = argv_of(value, "command", "[\"cargo\", \"test\"]")?;
            Ok(PipelineCommand::Argv(argv.into_iter().map(OsString::from).collect()))
        }
        other => Err(wrong_type(at, "a command", "a string or an array of strings", other)),
    }
}

/// Returns the jobs of all drafts, sorted. Each matrix becomes one job per combination.
fn expand(drafts: Vec<Draft>) -> Read<Vec<PipelineJob>> {
    let (mut jobs, mut needs, mut at) = (Vec::new(), Vec::new(), Vec::new());
    let mut names = HashSet::new();
    for draft in drafts {
        for combination in matrix::combinations(&draft.matrix) {
            let id = JobId(matrix::name_of(draft.base.as_str(), &combination));
            check_name(draft.at, &id)?;
            if !names.insert(id.clone()) {
                let message = format!("two jobs have the name {:?}; rename one", id.as_str());
                return Err(Refusal::new(draft.at, message));
            }
            let mut settings = draft.settings.clone();
            settings.env.extend(combination);
            let (base, commands) = (draft.base.clone(), draft.commands.clone());
            jobs.push(PipelineJob { id, base, needs: Vec::new(), commands, settings });
            needs.push(draft.needs.clone());
            at.push(draft.at);
        }
        if jobs.len() > MAX_JOBS {
            let message = format!("more than {MAX_JOBS} jobs; divide the pipeline");
            return Err(Refusal::new(draft.at, message));
        }
    }
    resolve(&mut jobs, &needs)?;
    in_order(jobs, &at)
}

#[cfg(test)]
mod tests;
