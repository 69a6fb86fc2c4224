//! The raw arguments, as clap reads them, with the help text of each. [`super::help`] has the rest
//! of the help.
#![allow(
    clippy::doc_markdown,
    clippy::doc_link_with_quotes,
    reason = "the comments of arguments are their help texts"
)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand, ValueEnum};

use super::amounts::{parse_age, parse_log_size, parse_size};
use super::help;
use crate::cri::Stream;
use crate::dump::{Format, Timestamps};
use crate::record::Output;
use crate::tui::at::At;
use crate::tui::theme::Scheme;

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

/// The options of a view of one run.
#[derive(Args, Default, Debug)]
pub(super) struct View {
    /// Run id, ref, commit, latest~N, latest-failed, or path
    ///
    /// One of latest, latest~N (N runs before the newest), latest-failed, and latest-passed; the
    /// path of a log file or of a directory of logs; a run id, or at least 4 characters of its
    /// start or end; a ref, such as main or refs/heads/main, for its newest run; or a commit, or at
    /// least 4 of its first digits, for its newest run. If RUN has several of these meanings, the
    /// first one in this order applies. The default is latest.
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
pub(super) struct Narrow {
    /// Only runs of this repository
    #[arg(long)]
    pub repo: Option<String>,
    /// Only runs of this ref, such as main or refs/heads/main
    #[arg(long = "ref", value_name = "REF")]
    pub ref_name: Option<String>,
}

/// The part of a run that is printed.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::SELECT)]
pub(super) struct RowArgs {
    /// Print only failed commands and their jobs
    #[arg(long)]
    pub failed: bool,
    /// Print only jobs whose id matches, as in 'test-*'
    #[arg(long, value_name = "GLOB")]
    pub job: Option<String>,
    /// Print only command number N of each job
    #[arg(long, value_name = "N", value_parser = parse_number::<u32>, hide_short_help = true)]
    pub sh: Option<u32>,
    /// Print only stdout or only stderr
    #[arg(long, value_enum, hide_possible_values = true, hide_short_help = true)]
    pub stream: Option<StreamName>,
    /// Print only the last N rows of each log
    #[arg(long, value_name = "N", value_parser = parse_number::<usize>)]
    pub tail: Option<usize>,
}

/// The output of a run.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::OUTPUT)]
pub(super) struct OutputArgs {
    /// Print the run and exit (implied by --format, …)
    ///
    /// Implied by --failed, --format, --job, --sh, --stream, --tail, and --timestamps, and if
    /// stdout is not a terminal.
    #[arg(long)]
    pub once: bool,
    /// Print rows as they arrive, until the run ends
    ///
    /// Prints plain lines and opens no screen. For screen readers and simple terminals,
    /// ACCESSIBLE=1 or TERM=dumb selects this output without the option.
    #[arg(long, conflicts_with = "once")]
    pub follow: bool,
    /// Print text (default), json, jsonl, raw, or records
    ///
    /// text     for people
    /// json     one document: the run, its jobs, and its commands, without rows
    /// jsonl    one object per row
    /// raw      the bytes of the logs, unchanged
    /// records  one object per physical line of the logs
    #[arg(long, value_enum, hide_possible_values = true, verbatim_doc_comment)]
    pub format: Option<FormatName>,
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
        verbatim_doc_comment
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
pub(super) struct Color {
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
pub(super) struct Zone {
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
pub(super) struct ScreenArgs {
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
pub(super) struct LookArgs {
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
pub(super) struct StoreArgs {
    #[command(flatten)]
    pub root: Root,
    /// Database file [default: rundown.db or quire.db in the store]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub db: Option<PathBuf>,
}

/// The directory of a store.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::STORE)]
pub(super) struct Root {
    /// Store directory [default: the nearest .rundown/, …]
    ///
    /// The default is $RUNDOWN_ROOT, or the nearest .rundown/ in this directory or above, or
    /// rundown in $XDG_DATA_HOME or ~/.local/share.
    #[arg(id = "root", long = "root", value_name = "DIR")]
    pub dir: Option<PathBuf>,
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
        about = help::PRUNE.about,
        mut_args = shown_in_short
    )]
    Prune(Prune),
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

/// The repository, ref and commit of a new run.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::RUN)]
pub(super) struct RunFacts {
    /// Repository [default: from the CI system or git]
    #[arg(long)]
    pub repo: Option<String>,
    /// Ref [default: from the CI system or git]
    #[arg(long = "ref", value_name = "REF")]
    pub ref_name: Option<String>,
    /// Commit [default: from the CI system or git]
    #[arg(long)]
    pub sha: Option<String>,
    /// Replace the value of VAR by [VAR] in the record
    ///
    /// Also replaces it encoded as base64, in URLs, in JSON, and quoted for a shell. By default,
    /// the variables *_PASSWORD, *_SECRET, *_TOKEN, *_PRIVATE_KEY, *_SSH_KEY, *_ACCESS_KEY,
    /// *_SECRET_KEY, *_CONNECTION_STRING and *_API_KEY are replaced. A value of less than 6 bytes is
    /// not. Repeat the option for more variables.
    #[arg(long, value_name = "VAR")]
    pub mask: Vec<String>,
    /// Replace only the variables of --mask and of the configuration
    #[arg(long)]
    pub no_default_masks: bool,
    /// Record the value of this environment variable
    ///
    /// No other variables are recorded. Secrets in it are replaced. Repeat the option for more
    /// variables.
    #[arg(long, value_name = "NAME")]
    pub env: Vec<String>,
}

/// The connection of the commands' output. Without an option, the configuration decides.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::OUTPUT)]
#[group(multiple = false)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct ConnectionArgs {
    /// Record stdout and stderr through two pipes (default)
    ///
    /// Under load, lines of different streams that were written within milliseconds of each other
    /// may change places.
    #[arg(long)]
    pub apart: bool,
    /// Record both as stdout through one pipe, in exact order
    #[arg(long)]
    pub merge: bool,
    /// Record both as stdout through a terminal, in exact order
    ///
    /// Commands print colors and flush each line, as on a terminal, and interactive commands work.
    /// A `record` in a terminal passes on its keys; any other stdin is inherited. A background
    /// process loses the terminal when its command exits. Ctrl-Z stops a command that does not
    /// handle this key itself.
    #[arg(long)]
    pub pty: bool,
    /// Record both streams apart, in exact order; has limits
    ///
    /// The streams are datagram sockets, which some commands do not support: Node.js prints
    /// nothing, `/dev/stdout` and `/dev/stderr` cannot be opened (as in `echo >/dev/stderr`), and a
    /// single write of more than 415 KiB fails (the limit is twice net.core.wmem_max, or 4 MiB).
    /// The output of a background process is lost once rundown exits.
    #[arg(long)]
    pub exact: bool,
}

impl ConnectionArgs {
    /// Returns the chosen form.
    pub(super) fn chosen(&self) -> Option<Output> {
        let forms = [self.apart, self.merge, self.pty, self.exact].into_iter().zip(Output::ALL);
        forms.into_iter().find_map(|(is_chosen, form)| is_chosen.then_some(form))
    }
}

/// The store to record into, and the settings of the recording.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::STORE)]
pub(super) struct RecordArgs {
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Replace secrets also in the output that is passed on
    #[arg(long, help_heading = help::OUTPUT)]
    pub mask_output: bool,
    #[command(flatten)]
    pub root: Root,
    /// Run no command that cannot be recorded; exit with 6
    ///
    /// Without this option, the commands run anyway, and a notice at the end reports the parts that
    /// were not recorded.
    #[arg(long)]
    pub must_record: bool,
    /// Cut the middle of each log that reaches SIZE, such as 100MiB
    ///
    /// When a log reaches SIZE (at least 128KiB), rundown removes its middle, keeps a quarter of
    /// SIZE on each side, and continues to record. A notice at the end reports the number of bytes
    /// that were left out. The output that is passed on is complete. By default, a log has no
    /// limit.
    #[arg(long, value_name = "SIZE", value_parser = parse_log_size)]
    pub max_log: Option<u64>,
    /// Configuration file; only its settings for recording are used
    ///
    /// The default is $RUNDOWN_CONFIG, or rundown/config.toml in $XDG_CONFIG_HOME or ~/.config.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct Record {
    /// The command to run, with its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        value_name = "CMD",
        help_heading = help::RUN,
        display_order = FIRST
    )]
    pub argv: Vec<OsString>,
    /// Job name [default: $RUNDOWN_JOB, the CI job, or the program]
    #[arg(long, value_name = "NAME", help_heading = help::RUN)]
    pub job: Option<String>,
    /// Add the command to this run [default: $RUNDOWN_RUN]
    ///
    /// The run was begun by `rundown begin`, or is being recorded: a recorded command has its run
    /// in RUNDOWN_RUN. The ID must be complete. If the run has ended, the command is recorded as a
    /// run of its own.
    #[arg(long, value_name = "ID", help_heading = help::RUN)]
    pub run: Option<String>,
    #[command(flatten)]
    pub facts: RunFacts,
    #[command(flatten)]
    pub store: RecordArgs,
}

#[derive(Args, Debug)]
pub(super) struct Rerun {
    /// The run to repeat: an id, ref, or latest~N [default: latest]
    #[arg(
        default_value = NEWEST,
        hide_default_value = true,
        help_heading = help::SELECT,
        display_order = FIRST
    )]
    pub run: String,
    /// Run again only the failed and interrupted commands
    #[arg(long, help_heading = help::SELECT)]
    pub failed: bool,
    /// Run again only jobs whose id matches, as in 'test-*'
    #[arg(long, value_name = "GLOB", help_heading = help::SELECT)]
    pub job: Option<String>,
    /// Run again only command number N of each job
    #[arg(long, value_name = "N", value_parser = parse_number::<u32>, help_heading = help::SELECT)]
    pub sh: Option<u32>,
    #[command(flatten)]
    pub facts: RunFacts,
    /// Print neither the output of the commands nor the progress
    #[arg(long, help_heading = help::OUTPUT)]
    pub quiet: bool,
    #[command(flatten)]
    pub store: RecordArgs,
}

#[derive(Args, Debug)]
pub(super) struct Begin {
    /// Name of the run
    #[arg(long, help_heading = help::RUN)]
    pub name: Option<String>,
    #[command(flatten)]
    pub facts: RunFacts,
    /// Print the id (default) or env: lines for $GITHUB_ENV
    ///
    /// id   the id of the run
    /// env  lines NAME=VALUE with the run, the store and the trace context, for $GITHUB_ENV or a
    ///      dotenv file of GitLab
    #[arg(
        long,
        value_enum,
        default_value = "id",
        hide_default_value = true,
        hide_possible_values = true,
        verbatim_doc_comment,
        help_heading = help::OUTPUT
    )]
    pub format: BeginFormat,
    #[command(flatten)]
    pub root: Root,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BeginFormat {
    Id,
    Env,
}

#[derive(Args, Debug)]
pub(super) struct End {
    /// Full id of the run [default: $RUNDOWN_RUN]
    #[arg(value_name = "ID", help_heading = help::RUN, display_order = FIRST)]
    pub run: Option<String>,
    /// State: passed, failed, or stopped [default: from its jobs]
    ///
    /// By default, the run has failed if one of its commands has, and passed otherwise.
    #[arg(long, value_enum, hide_possible_values = true, help_heading = help::RUN)]
    pub state: Option<EndState>,
    /// Exit with the run's status: 0 passed, 1 failed, 3 stopped
    #[arg(long, help_heading = help::OUTPUT)]
    pub exit_status: bool,
    #[command(flatten)]
    pub root: Root,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum EndState {
    Passed,
    Failed,
    Stopped,
}

#[derive(Args, Debug)]
pub(super) struct Sh {
    /// Arguments for the shell, usually -c LINE
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARG",
        help_heading = help::RUN
    )]
    pub args: Vec<OsString>,
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct Exec {
    /// The pipeline file; - reads it from stdin
    #[arg(help_heading = help::RUN, display_order = FIRST)]
    pub file: PathBuf,
    /// Run up to N jobs at the same time [default: CPUs]
    #[arg(long, value_name = "N", value_parser = parse_number::<usize>, help_heading = help::RUN)]
    pub jobs: Option<usize>,
    /// Run only jobs that match, as in test or 'test*'
    ///
    /// A name without a wildcard also selects all jobs of its matrix. The needs of other jobs are
    /// ignored. Repeat the option for more jobs.
    #[arg(long, value_name = "JOB", help_heading = help::RUN)]
    pub only: Vec<String>,
    /// Start no more jobs after one has failed
    ///
    /// Jobs with `when = "always"` or `when = "on_failure"` still run.
    #[arg(long, help_heading = help::RUN)]
    pub fail_fast: bool,
    /// Print the jobs and their commands, and run nothing
    #[arg(long, help_heading = help::RUN)]
    pub dry_run: bool,
    /// Open the screen on the run
    ///
    /// If the screen is left before the end, the run continues, and its output is printed. The run
    /// must be recorded, as with --must-record.
    #[arg(long, conflicts_with = "dry_run", help_heading = help::RUN)]
    pub watch: bool,
    /// Record for a process with a screen, and print the id of the run first
    #[arg(long, hide = true)]
    pub watched: bool,
    #[command(flatten)]
    pub facts: RunFacts,
    /// Print neither the output of the commands nor the progress
    #[arg(long, help_heading = help::OUTPUT)]
    pub quiet: bool,
    #[command(flatten)]
    pub store: RecordArgs,
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

impl From<Demo> for View {
    /// Returns the options for a view of the newest run, without a filter. The store is not named,
    /// because the demo opens its own store.
    fn from(demo: Demo) -> Self {
        let Demo { rows, output, screen } = demo;
        let (narrow, store) = (Narrow::default(), StoreArgs::default());
        Self { run: NEWEST.into(), narrow, rows, output, watch: false, screen, store }
    }
}

/// Lists an option in the short help of a command too. There is room for it, because a command has
/// fewer options than `rundown` itself.
fn shown_in_short(arg: clap::Arg) -> clap::Arg {
    arg.hide_short_help(false)
}

/// Parses a number of rows, runs or commands.
fn parse_number<N: std::str::FromStr>(text: &str) -> Result<N, &'static str> {
    text.parse().map_err(|_| "expected a whole number, such as 20")
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
