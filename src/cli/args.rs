//! The raw arguments, as clap reads them: what may be written, and the help text for it. [`super`]
//! checks and obeys them.
#![allow(
    clippy::doc_markdown,
    clippy::doc_link_with_quotes,
    reason = "the comments of arguments are their help texts"
)]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cri::Stream;
use crate::dump::{Format, Timestamps};
use crate::tui::at::At;
use crate::tui::theme::Scheme;

/// What the help ends with.
const ENVIRONMENT: &str = "\
RUNDOWN_SECURE=1 (or `secure = true` in the configuration) disables the editor, the pager, the clipboard and hyperlinks. \
In CI (GITHUB_ACTIONS, GITLAB_CI, TF_BUILD, BUILDKITE, TEAMCITY_VERSION, TRAVIS or CI is set) text in a log that the \
system would obey is broken by a dot (:·:error::); --format raw prints it as it is.";

/// See what your CI is doing, and why it failed.
///
/// Without a command, opens the terminal UI on RUN; printed to a pipe or with --once, prints it and
/// leaves.
#[derive(Parser, Debug)]
#[command(name = "rundown", version, max_term_width = 100, after_help = ENVIRONMENT)]
pub struct Arguments {
    #[command(flatten)]
    pub(super) place: StoreArgs,
    #[command(flatten)]
    pub(super) view: View,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Args, Debug)]
pub(super) struct StoreArgs {
    /// The store's directory [default: $RUNDOWN_ROOT, the nearest .rundown/ at or above this
    /// directory, or $XDG_DATA_HOME/rundown]
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    #[command(flatten)]
    pub color: colorchoice_clap::Color,
    /// For times in text: an IANA name such as Europe/Berlin, or UTC [default: the system's]
    #[arg(long, global = true, value_name = "NAME")]
    pub timezone: Option<String>,
    /// The screen's configuration [default: $RUNDOWN_CONFIG, or rundown/config.toml in
    /// $XDG_CONFIG_HOME or ~/.config]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Args, Debug)]
pub(super) struct View {
    /// An id, its beginning or end, latest, latest~N, latest-failed, latest-passed; or the path of
    /// a log or of a directory of logs
    #[arg(default_value = "latest")]
    pub run: OsString,
    /// Print and leave; so does every option that narrows or shapes what is printed
    #[arg(long)]
    pub once: bool,
    /// Print rows as they come until the run has ended: plain lines, for screen readers and simple
    /// terminals. So does rundown in place of opening a screen where ACCESSIBLE=1 is set, or
    /// TERM=dumb
    #[arg(long, conflicts_with = "once")]
    pub follow: bool,
    /// Ring the bell, and have the terminal notify, when a run that was seen running has ended
    #[arg(long)]
    pub notify: bool,
    /// Where the log opens on the screen: start, end, a row (1200), a byte (b1024), a share (50%),
    /// a time (12:34:56, or +90s after the start); JOB/N or JOB/N@WHERE for that command's
    #[arg(long, value_name = "WHERE", value_parser = At::parse)]
    pub at: Option<At>,
    #[command(flatten)]
    pub narrow: Narrow,
    /// What is printed [default: text]
    #[arg(long, value_enum)]
    pub format: Option<FormatName>,
    /// Only failed commands, and their jobs
    #[arg(long)]
    pub failed: bool,
    /// Only jobs whose id matches, as in 'test-*'
    #[arg(long, value_name = "GLOB")]
    pub job: Option<String>,
    /// Only the command of this number
    #[arg(long, value_name = "N")]
    pub sh: Option<u32>,
    /// Only rows of this stream
    #[arg(long, value_enum)]
    pub stream: Option<StreamName>,
    /// Only the last N rows of each log
    #[arg(long, value_name = "N")]
    pub tail: Option<usize>,
    /// What stands in front of each row [default: none]
    #[arg(short, long, value_enum)]
    pub timestamps: Option<TimestampsName>,
    /// The exit code tells how the run stands: 0 passed, 1 failed, 3 stopped, 4 not finished
    #[arg(long)]
    pub exit_status: bool,
    /// Draw with ASCII characters only
    #[arg(long)]
    pub ascii: bool,
    /// The screen's colors, in place of all that the configuration says of them
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Scheme::ALL.map(Scheme::name)))]
    pub theme: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Narrow {
    /// The database file [default: rundown.db or quire.db in the store]
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Only runs of this repository
    #[arg(long)]
    pub repo: Option<String>,
    /// Only runs of this ref: refs/heads/main, or main
    #[arg(long = "ref", value_name = "REF")]
    pub ref_name: Option<String>,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// List the runs of the store, newest first
    List(List),
    /// Examine a store: list what is odd in it, a line each; exits with 1 if anything is
    ///
    /// Commands without a row or a log, runs whose writer was gone, clocks that stepped back, lines
    /// that are no records, names that lead elsewhere: what it is, where, and why it may be.
    /// Nothing is changed.
    Doctor(Doctor),
    /// Run a command and record it; exits as the command did
    ///
    /// The command always runs: what could not be recorded is reported at the end (see
    /// --must-record). Its output is passed on as it is and recorded to its end, also when
    /// nobody reads it any more (| head). Which of two lines came first is known to some
    /// microseconds only when one went to stdout and the other to stderr: they are two pipes.
    Record(Record),
    /// Run the jobs of a pipeline file and record them
    Exec(Exec),
    /// See rundown at work: runs a small pipeline in a store of its own and shows it
    Demo,
    /// Print the screen's configuration as it holds, keys and all: a file to start from
    Config,
}

#[derive(Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    pub narrow: Narrow,
    /// How many runs
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Only runs older than this one: an id, its beginning or end, latest~N
    #[arg(long, value_name = "RUN")]
    pub before: Option<String>,
    /// How to print them
    #[arg(long, value_enum, default_value = "text")]
    pub format: ListFormat,
}

#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// The run, or the path of one [default: every run of the store]
    pub run: Option<OsString>,
    #[command(flatten)]
    pub narrow: Narrow,
    /// How to print what is found
    #[arg(long, value_enum, default_value = "text")]
    pub format: ListFormat,
}

#[derive(Args, Debug)]
pub(super) struct RunFacts {
    /// What the run is of [default: from the CI's variables, or git]
    #[arg(long)]
    pub repo: Option<String>,
    /// The ref
    #[arg(long = "ref", value_name = "REF")]
    pub ref_name: Option<String>,
    /// The commit
    #[arg(long)]
    pub sha: Option<String>,
    /// Run nothing if it cannot be recorded, and exit with 6 [default: run it anyway, and report
    /// at the end what was not recorded]
    #[arg(long)]
    pub must_record: bool,
}

#[derive(Args, Debug)]
pub(super) struct Record {
    #[command(flatten)]
    pub source: RunFacts,
    /// The job's name [default: the command's]
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub argv: Vec<OsString>,
}

#[derive(Args, Debug)]
pub(super) struct Exec {
    #[command(flatten)]
    pub source: RunFacts,
    /// Print nothing of what the commands print
    #[arg(long)]
    pub quiet: bool,
    /// The pipeline: [jobs.NAME] tables with needs = ["…"] and commands = ["…"]
    pub file: PathBuf,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(super) enum FormatName {
    Text,
    Json,
    Jsonl,
    Raw,
    Records,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ListFormat {
    Text,
    Json,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(super) enum StreamName {
    Stdout,
    Stderr,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(super) enum TimestampsName {
    None,
    Time,
    Relative,
    Delta,
    Full,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Text => Self::Text,
            FormatName::Json => Self::Json,
            FormatName::Jsonl => Self::Jsonl,
            FormatName::Raw => Self::Raw,
            FormatName::Records => Self::Records,
        }
    }
}

impl From<StreamName> for Stream {
    fn from(name: StreamName) -> Self {
        match name {
            StreamName::Stdout => Self::Stdout,
            StreamName::Stderr => Self::Stderr,
        }
    }
}

impl From<TimestampsName> for Timestamps {
    fn from(name: TimestampsName) -> Self {
        match name {
            TimestampsName::None => Self::None,
            TimestampsName::Time => Self::Time,
            TimestampsName::Relative => Self::Relative,
            TimestampsName::Delta => Self::Delta,
            TimestampsName::Full => Self::Full,
        }
    }
}
