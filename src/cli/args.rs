//! The raw arguments, as clap reads them, with the help text of each. [`super::help`] has the rest
//! of the help.
#![allow(
    clippy::doc_markdown,
    clippy::doc_link_with_quotes,
    reason = "the comments of arguments are their help texts"
)]

mod bundle;
mod export;
mod push;
mod recording;
mod view;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub(super) use self::bundle::Bundle;
pub(super) use self::export::{Export, ExportFormat};
#[cfg(feature = "remote")]
pub(super) use self::push::Background;
pub(super) use self::push::{Push, PushArgs};
pub(super) use self::recording::{
    Begin, BeginFormat, End, EndState, Exec, Record, RecordArgs, Rerun, RunFacts, Sh,
};
pub(super) use self::view::{
    Color, FormatName, LookArgs, Narrow, OutputArgs, Root, RowArgs, ScreenArgs, Server, StoreArgs,
    View, Zone,
};
use super::amounts::{When, parse_age, parse_size};
use super::help;
use crate::display::Status;
use crate::search::Query;

/// The default value of RUN.
pub(super) const NEWEST: &str = "latest";

/// The display order of a positional argument: before the options under the same heading.
const FIRST: usize = 0;

/// The command line. Without a command, it opens one run: on the screen if stdout is a terminal,
/// otherwise as printed text.
#[derive(Parser, Debug)]
#[command(
    name = "rundown",
    version,
    about = help::VIEW.about,
    next_display_order = FIRST + 1,
    max_term_width = 100,
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true,
    override_usage = help::VIEW_USAGE
)]
pub struct Arguments {
    #[command(flatten)]
    pub(super) view: View,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Print help (-h prints a summary)
    #[arg(
        short,
        long,
        global = true,
        action = ArgAction::Help,
        help_heading = "Other",
        hide_short_help = true
    )]
    help: Option<bool>,
    /// Print the version
    #[arg(
        short = 'V',
        long,
        action = ArgAction::Version,
        help_heading = "Other",
        hide_short_help = true
    )]
    version: Option<bool>,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    #[command(
        about = help::LIST.about,
        mut_args = shown_in_short
    )]
    List(List),
    #[command(
        about = help::RECORD.about,
        next_display_order = FIRST + 1,
        override_usage = help::RECORD_USAGE,
        mut_args = shown_in_short
    )]
    Record(Record),
    #[command(
        about = help::EXEC.about,
        next_display_order = FIRST + 1,
        mut_args = shown_in_short
    )]
    Exec(Exec),
    #[command(
        about = help::RERUN.about,
        next_display_order = FIRST + 1,
        mut_args = shown_in_short
    )]
    Rerun(Rerun),
    #[command(
        about = help::BEGIN.about,
        mut_args = shown_in_short
    )]
    Begin(Begin),
    #[command(
        about = help::END.about,
        next_display_order = FIRST + 1,
        mut_args = shown_in_short
    )]
    End(End),
    #[command(
        about = help::SH.about,
        override_usage = help::SH_USAGE,
        mut_args = shown_in_short
    )]
    Sh(Sh),
    #[command(
        about = help::DOCTOR.about,
        next_display_order = FIRST + 1,
        mut_args = shown_in_short
    )]
    Doctor(Doctor),
    #[command(
        about = help::BUNDLE.about,
        next_display_order = FIRST + 1,
        mut_args = shown_in_short
    )]
    Bundle(Bundle),
    #[command(
        about = help::PUSH.about,
        next_display_order = FIRST + 1,
        override_usage = help::PUSH_USAGE,
        mut_args = shown_in_short
    )]
    Push(Push),
    #[command(
        about = help::PRUNE.about,
        mut_args = shown_in_short
    )]
    Prune(Prune),
    #[command(
        about = help::EXPORT.about,
        next_display_order = FIRST + 1,
        mut_args = shown_in_short
    )]
    Export(Export),
    #[command(
        about = help::DEMO.about,
        mut_args = shown_in_short
    )]
    Demo(Demo),
    #[command(
        about = help::CONFIG.about,
        mut_args = shown_in_short
    )]
    Config(PrintConfig),
    #[command(
        about = help::SCHEMA.about,
        next_display_order = FIRST + 1,
        override_usage = help::SCHEMA_USAGE,
        mut_args = shown_in_short
    )]
    Schema(PrintSchema),
    #[command(
        about = help::COMPLETIONS.about,
        next_display_order = FIRST + 1,
        override_usage = help::COMPLETIONS_USAGE,
        mut_args = shown_in_short
    )]
    Completions(Completions),
    #[command(
        about = help::MAN.about,
        next_display_order = FIRST + 1,
        mut_args = shown_in_short
    )]
    Man(Man),
}

#[derive(Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    pub narrow: Narrow,
    /// List at most N runs
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        value_parser = parse_number::<usize>,
        help_heading = help::SELECT
    )]
    pub limit: usize,
    /// List only runs older than RUN (an id, ref, or latest~N)
    #[arg(long, value_name = "RUN", help_heading = help::SELECT)]
    pub before: Option<String>,
    /// Only runs in this state: passed, failed, stopped, skipped, running, queued, interrupted, or
    /// unknown
    ///
    /// Repeat the option, or separate states with commas, for several states. A run that waits for
    /// its next step is running.
    #[arg(
        long,
        value_name = "STATE",
        value_parser = state_parser(),
        value_delimiter = ',',
        action = ArgAction::Append,
        hide_possible_values = true,
        help_heading = help::SELECT
    )]
    pub state: Vec<Status>,
    /// Only runs since then: 2h, 7d, 2026-05-06, or a time
    ///
    /// An age (90min, 2h, 7d) counts back from now. A date, or a date and time such as
    /// 2026-05-06T12:00, is in the time zone of --timezone unless it has an offset or Z. The time
    /// of a run is that of its push, or else that of its creation.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, help_heading = help::SELECT)]
    pub since: Option<When>,
    /// Only runs until then; a date includes the whole day
    #[arg(long, value_name = "WHEN", value_parser = When::parse, help_heading = help::SELECT)]
    pub until: Option<When>,
    /// Only runs with this job, or with a job that matches, as in 'test-*'
    #[arg(long, value_name = "GLOB", help_heading = help::SELECT)]
    pub job: Option<String>,
    /// Print text (default), json, or jsonl
    #[arg(
        long,
        value_enum,
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = help::OUTPUT
    )]
    pub format: RunsFormat,
    #[command(flatten)]
    pub color: Color,
    #[command(flatten)]
    pub zone: Zone,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// Run to check: an id, ref, latest~N, or path [default: all]
    #[arg(help_heading = help::SELECT, display_order = FIRST)]
    pub run: Option<OsString>,
    #[command(flatten)]
    pub narrow: Narrow,
    /// Print text (default) or json
    #[arg(
        long,
        value_enum,
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = help::OUTPUT
    )]
    pub format: ListFormat,
    /// Finish interrupted runs, and print what was changed
    ///
    /// Applies only to stores of rundown. A run is interrupted if its recorder was killed, or if it
    /// was begun with `rundown begin` and had no command for a day.
    #[arg(long, conflicts_with = "db", help_heading = help::STORE)]
    pub repair: bool,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args, Debug)]
pub(super) struct Prune {
    #[command(flatten)]
    pub narrow: Narrow,
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Print the runs that would be removed, and remove none
    #[arg(long, help_heading = help::OUTPUT)]
    pub dry_run: bool,
    /// Print text (default) or json
    #[arg(
        long,
        value_enum,
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = help::OUTPUT
    )]
    pub format: ListFormat,
    #[command(flatten)]
    pub zone: Zone,
    #[command(flatten)]
    pub root: Root,
    /// Configuration file; only its `retention` table is used
    ///
    /// The default is $RUNDOWN_CONFIG, or rundown/config.toml in $XDG_CONFIG_HOME or ~/.config.
    #[arg(long, value_name = "FILE", help_heading = help::STORE)]
    pub config: Option<PathBuf>,
}

/// The limits on the runs of a store. If one is given, those of the configuration do not apply.
#[derive(Args, Debug)]
#[command(next_help_heading = help::LIMITS)]
pub(super) struct LimitArgs {
    /// Keep only the N newest runs
    #[arg(long, value_name = "N", value_parser = parse_number::<u64>)]
    pub keep: Option<u64>,
    /// Remove runs that ended more than D ago, such as 30d
    ///
    /// A number with a unit: 90min, 36h, 30d, 8w.
    #[arg(long, value_name = "D", value_parser = parse_age)]
    pub older_than: Option<Duration>,
    /// Remove the oldest runs until the others fit into B, such as 2GiB
    ///
    /// Counts the disk space of logs, not that of the database. A number with a unit: MiB, GiB, and
    /// TiB are powers of 1024 (as M, G, and T are), MB, GB, and TB are powers of 1000. The newest
    /// run stays, even if it does not fit.
    #[arg(long, value_name = "B", value_parser = parse_size)]
    pub max_bytes: Option<u64>,
    /// Keep the N newest failed runs in any case
    #[arg(long, value_name = "N", value_parser = parse_number::<u64>)]
    pub failed_keep: Option<u64>,
}

#[derive(Args, Debug)]
pub(super) struct Demo {
    #[command(flatten)]
    pub rows: RowArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub screen: ScreenArgs,
}

#[derive(Args, Debug)]
pub(super) struct PrintConfig {
    #[command(flatten)]
    pub look: LookArgs,
    #[command(flatten)]
    pub zone: Zone,
}

#[derive(Args, Debug)]
pub(super) struct PrintSchema {
    /// Format: run, list, doctor, prune, jsonl, or records
    // Not required for clap, whose error message would not list the names.
    #[arg(
        value_enum,
        hide_possible_values = true,
        help_heading = help::OUTPUT,
        display_order = FIRST
    )]
    pub name: Option<SchemaName>,
}

#[derive(Args, Debug)]
pub(super) struct Completions {
    /// Shell: bash, zsh, or fish
    #[arg(
        value_enum,
        hide_possible_values = true,
        help_heading = help::SELECT,
        display_order = FIRST
    )]
    pub shell: Shell,
    /// Answer the script: complete the word with this index, counted from 0
    #[arg(long, value_name = "INDEX", hide = true)]
    pub complete: Option<usize>,
    /// The words of the command line
    #[arg(last = true, hide = true)]
    pub words: Vec<OsString>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Args, Debug)]
pub(super) struct Man {
    /// Command of the page [default: rundown itself]
    #[arg(
        value_parser = PossibleValuesParser::new(help::command_names()),
        help_heading = help::SELECT,
        display_order = FIRST
    )]
    pub command: Option<String>,
    /// Write the pages of all commands to DIR
    #[arg(long, value_name = "DIR", conflicts_with = "command", help_heading = help::OUTPUT)]
    pub dir: Option<PathBuf>,
}

impl From<Demo> for View {
    /// Returns the options for a view of the newest run, without a filter. The store is not named,
    /// because the demo opens its own store.
    fn from(demo: Demo) -> Self {
        let Demo { rows, output, screen } = demo;
        let (narrow, store) = (Narrow::default(), StoreArgs::default());
        Self { run: NEWEST.into(), narrow, rows, output, watch: false, screen, store }
    }
}

/// Lists an option in the short help of a command too, unless it is rarely needed. There is room for
/// it, because a command has fewer options than `rundown` itself.
fn shown_in_short(arg: clap::Arg) -> clap::Arg {
    let is_rare = arg.get_id() == "push_timeout";
    arg.hide_short_help(is_rare)
}

/// Parses a number of rows, runs or commands.
fn parse_number<N: std::str::FromStr>(text: &str) -> Result<N, &'static str> {
    text.parse().map_err(|_| "expected a whole number, such as 20")
}

/// Parses a number of runs.
fn parse_count(text: &str) -> Result<usize, &'static str> {
    let count = parse_number(text)?;
    if count == 0 { Err("expected at least 1") } else { Ok(count) }
}

/// Returns the parser of the states of runs. A run that waits for its next step is running.
fn state_parser() -> impl TypedValueParser<Value = Status> {
    let words = Status::OUTCOMES.map(|status| {
        let word = PossibleValue::new(status.word());
        if status == Status::Active { word.alias(Status::Waiting.word()) } else { word }
    });
    PossibleValuesParser::new(words).map(|word| {
        let named = |status: &&Status| status.word() == word;
        Status::OUTCOMES.iter().find(named).map_or(Status::Active, |status| *status)
    })
}

/// Parses a regular expression.
fn parse_pattern(text: &str) -> Result<Query, String> {
    Query::new(text, false)
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(super) enum SchemaName {
    Run,
    List,
    Doctor,
    Prune,
    Jsonl,
    Records,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ListFormat {
    Text,
    Json,
}

/// The formats of `list`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RunsFormat {
    Text,
    Json,
    Jsonl,
}
