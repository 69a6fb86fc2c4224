//! The arguments of views of runs, and of the store that they read.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, ColorChoice, ValueEnum};

use super::{FIRST, NEWEST, parse_number, parse_pattern};
use crate::cli::amounts::parse_size;
use crate::cli::help;
use crate::cri::Stream;
use crate::dump::{Format, Timestamps};
use crate::search::Query;
use crate::tui::at::At;
use crate::tui::theme::Scheme;

/// The options of a view of one run.
#[derive(Args, Default, Debug)]
pub struct View {
    /// Run id, ref, commit, latest~N, latest-failed, or path
    ///
    /// One of latest, latest~N (N runs before the newest), latest-failed, and latest-passed; the
    /// path of a log file (also compressed with gzip or zstd), of a directory of logs, of a store,
    /// of its database, or of a bundle; - for a log on stdin; a run id, or at least 4 characters of
    /// its start or end; a ref, such as main or refs/heads/main, for its newest run; or a commit,
    /// or at least 4 of its first digits, for its newest run. If RUN has several of these meanings,
    /// the first one in this order applies. The default is latest.
    #[arg(
        default_value = NEWEST,
        hide_default_value = true,
        help_heading = help::SELECT,
        display_order = FIRST
    )]
    pub run: OsString,
    #[command(flatten)]
    pub narrow: Narrow,
    #[command(flatten)]
    pub rows: RowArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// Switch to each new run as soon as it begins
    ///
    /// Opens the newest run, and then each new run. With --repo or --ref, opens only matching runs.
    /// A run in a queue is opened when it starts. Applies to the screen only, and takes no RUN.
    #[arg(
        long,
        conflicts_with_all = ["once", "follow"],
        help_heading = help::SCREEN,
        hide_short_help = true
    )]
    pub watch: bool,
    #[command(flatten)]
    pub screen: ScreenArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The filter for runs.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::SELECT)]
pub struct Narrow {
    /// Only runs of this repository
    #[arg(long, hide_short_help = true)]
    pub repo: Option<String>,
    /// Only runs of this ref, such as main or refs/heads/main
    #[arg(long = "ref", value_name = "REF", hide_short_help = true)]
    pub ref_name: Option<String>,
}

/// The part of a run that is printed.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::SELECT)]
pub struct RowArgs {
    /// Print only failed commands and their jobs
    #[arg(long)]
    pub failed: bool,
    /// Print only this job, or jobs that match, as in 'test-*'
    #[arg(long, value_name = "GLOB")]
    pub job: Option<String>,
    /// Print only command number N of each job
    #[arg(long, value_name = "N", value_parser = parse_number::<u32>, hide_short_help = true)]
    pub sh: Option<u32>,
    /// Print only stdout or only stderr
    #[arg(long, value_enum, hide_possible_values = true, hide_short_help = true)]
    pub stream: Option<StreamName>,
    /// Print only the last N rows of each log
    ///
    /// With --grep, N counts the rows that match. With --failed, the default for text is 50.
    #[arg(long, value_name = "N", value_parser = parse_number::<usize>, hide_short_help = true)]
    pub tail: Option<usize>,
    /// Print only rows that match a regular expression
    ///
    /// The text of a row is searched as the screen shows it, without colors. Case matters if RE
    /// contains an upper-case letter.
    #[arg(long, value_name = "RE", value_parser = parse_pattern, hide_short_help = true)]
    pub grep: Option<Query>,
    /// With --grep: also print N rows before and after each match
    #[arg(
        short = 'C',
        long,
        value_name = "N",
        value_parser = parse_number::<usize>,
        requires = "grep",
        hide_short_help = true
    )]
    pub context: Option<usize>,
    /// Print only the last N bytes of each log, such as 64KiB
    ///
    /// A number of bytes, or a number with a unit: KiB, MiB, and GiB are powers of 1024.
    #[arg(long, value_name = "N", value_parser = parse_size, hide_short_help = true)]
    pub max_bytes: Option<u64>,
}

/// The output of a run.
#[expect(clippy::struct_excessive_bools, reason = "options are independent switches")]
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::OUTPUT)]
pub struct OutputArgs {
    /// Print the run and exit (implied by --format, …)
    ///
    /// Implied by --failed, --format, --grep, --job, --max-bytes, --sh, --stream, --tail, and
    /// --timestamps, and if stdout is not a terminal.
    #[arg(long)]
    pub once: bool,
    /// Print rows as they arrive, until the run ends
    ///
    /// Prints plain lines and opens no screen. For screen readers and simple terminals,
    /// ACCESSIBLE=1 or TERM=dumb selects this output without the option.
    #[arg(long, conflicts_with = "once")]
    pub follow: bool,
    /// Print text (default), digest, json, html, junit, …
    ///
    /// text         for people
    /// digest       a short report of the failures, at most 4,000 bytes or --max-bytes
    /// markdown     a summary for CI systems, at most 1 MiB or --max-bytes
    /// html         a page for browsers, in one file
    /// trace        Chrome trace events, for Perfetto
    /// json         one document: the run, its jobs, and its commands, without rows
    /// jsonl        one object per row
    /// raw          the bytes of the logs, unchanged
    /// records      one object per physical line of the logs
    /// junit        a test report for Jenkins, GitLab, and Buildkite
    /// github       annotations and groups, for a step of GitHub Actions
    /// gitlab       sections, for the log of a GitLab job
    /// codequality  a code quality report for GitLab
    /// azure        issues and groups, for a step of Azure Pipelines
    #[arg(long, value_enum, hide_possible_values = true, verbatim_doc_comment)]
    pub format: Option<FormatName>,
    /// With --format junit: add the file of each failure
    ///
    /// GitLab links to it. The attribute `file` is not part of the schema of Jenkins, which then
    /// may reject the report.
    #[arg(long, hide_short_help = true)]
    pub junit_file_attribute: bool,
    /// Times: none (default), time, relative, delta, or full
    ///
    /// time      time of day
    /// relative  time since the start of the command
    /// delta     time since the previous row
    /// full      date, time, and offset from UTC
    #[arg(
        short,
        long,
        value_enum,
        value_name = "KIND",
        hide_possible_values = true,
        verbatim_doc_comment,
        hide_short_help = true
    )]
    pub timestamps: Option<TimestampsName>,
    /// Exit with the run's status: 0 passed, 1 failed, …
    ///
    /// 0  passed
    /// 1  failed
    /// 3  stopped, superseded, or interrupted
    /// 4  not finished
    #[arg(long, verbatim_doc_comment)]
    pub exit_status: bool,
    #[command(flatten)]
    pub color: Color,
    #[command(flatten)]
    pub zone: Zone,
}

/// The use of color.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::OUTPUT)]
pub struct Color {
    /// Use color: auto (default), always, or never
    ///
    /// auto uses color if stdout is a terminal. NO_COLOR and CLICOLOR_FORCE change that.
    #[arg(
        id = "color",
        long = "color",
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_default_value = true,
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub when: ColorChoice,
}

/// The time zone of times in text and on the screen.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::OUTPUT)]
pub struct Zone {
    /// Time zone, such as Europe/Berlin or UTC
    ///
    /// Applies to text and the screen; data formats use UTC. The default is the time zone of the
    /// system.
    #[arg(id = "timezone", long = "timezone", value_name = "NAME", hide_short_help = true)]
    pub name: Option<String>,
}

/// The options of the screen.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::SCREEN)]
pub struct ScreenArgs {
    /// Open the log at start, end, 1200, 50%, 12:34:56, JOB/N
    ///
    /// start, end      the first row, or the last row and new ones
    /// 1200            a row
    /// b1024           a byte
    /// 50%             a percentage of the file
    /// 12:34:56, +90s  a time of day, a time since the start
    /// JOB/N           the log of command N of a job
    /// JOB/N@POSITION  a position in that log
    #[arg(
        long,
        value_name = "POSITION",
        value_parser = At::parse,
        hide_short_help = true,
        verbatim_doc_comment
    )]
    pub at: Option<At>,
    #[command(flatten)]
    pub look: LookArgs,
}

/// The settings of the screen that replace those of the configuration.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::SCREEN)]
pub struct LookArgs {
    /// Colors: default, dark, light, high-contrast, monochrome
    ///
    /// Replaces the whole [theme] table of the configuration.
    #[arg(
        long,
        value_name = "NAME",
        value_parser = PossibleValuesParser::new(Scheme::ALL.map(Scheme::name)),
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub theme: Option<String>,
    /// Draw with ASCII characters only
    #[arg(long, hide_short_help = true)]
    pub ascii: bool,
    /// Ring the bell when a running run ends
    ///
    /// Also sends a notification to the terminal (OSC 9).
    #[arg(long, hide_short_help = true)]
    pub notify: bool,
    /// Configuration file
    ///
    /// The default is $RUNDOWN_CONFIG, or rundown/config.toml in $XDG_CONFIG_HOME or ~/.config.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub config: Option<PathBuf>,
}

/// The store to read.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::STORE)]
pub struct StoreArgs {
    #[command(flatten)]
    pub root: Root,
    /// Database file [default: rundown.db or quire.db in the store]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub db: Option<PathBuf>,
    #[command(flatten)]
    pub server: Server,
}

/// The server of a store in object storage.
#[derive(Clone, Args, Default, Debug)]
#[command(next_help_heading = help::STORE)]
pub struct Server {
    /// S3 server of an s3:// address, such as http://localhost:9000
    ///
    /// The default is $AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL, the profile, or AWS.
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub endpoint: Option<String>,
    /// Put the bucket into the path of each request, not into the host
    ///
    /// Most servers other than AWS need this, so it is the default for them.
    #[arg(long, hide_short_help = true)]
    pub path_style: bool,
}

impl Server {
    /// Returns the options as they are typed.
    pub fn words(&self) -> impl Iterator<Item = String> {
        let endpoint = self.endpoint.iter().flat_map(|url| ["--endpoint", url]);
        let path_style = self.path_style.then_some("--path-style");
        endpoint.chain(path_style).map(ToOwned::to_owned)
    }
}

/// The directory of a store.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::STORE)]
pub struct Root {
    /// Store directory [default: the nearest .rundown/, …]
    ///
    /// Commands that only read also accept a bundle, and the address of either in object storage, such
    /// as s3://bucket/ci or s3://bucket/run.rundown.
    ///
    /// The default is $RUNDOWN_ROOT, or the nearest .rundown/ in this directory or above, or
    /// rundown in $XDG_DATA_HOME or ~/.local/share.
    #[arg(id = "root", long = "root", value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum FormatName {
    Text,
    Digest,
    Json,
    Jsonl,
    Raw,
    Records,
    Junit,
    Github,
    Gitlab,
    Codequality,
    Azure,
    Markdown,
    Html,
    Trace,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum StreamName {
    Stdout,
    Stderr,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum TimestampsName {
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
            FormatName::Digest => Self::Digest,
            FormatName::Json => Self::Json,
            FormatName::Jsonl => Self::Jsonl,
            FormatName::Raw => Self::Raw,
            FormatName::Records => Self::Records,
            FormatName::Junit => Self::Junit { has_file: false },
            FormatName::Github => Self::GitHub,
            FormatName::Gitlab => Self::GitLab,
            FormatName::Codequality => Self::CodeQuality,
            FormatName::Azure => Self::Azure,
            FormatName::Markdown => Self::Markdown,
            FormatName::Html => Self::Html,
            FormatName::Trace => Self::Trace,
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
