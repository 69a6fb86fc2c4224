//! The arguments of the commands that record.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::push::PushArgs;
use super::{FIRST, NEWEST, Root, parse_number};
use crate::cli::amounts::parse_log_size;
use crate::cli::help;
use crate::record::Output;

/// The facts about a new run, and the variables that are masked or recorded.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::RUN)]
pub struct RunFacts {
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
pub struct ConnectionArgs {
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
    pub fn chosen(&self) -> Option<Output> {
        let forms = [self.apart, self.merge, self.pty, self.exact].into_iter().zip(Output::ALL);
        forms.into_iter().find_map(|(is_chosen, form)| is_chosen.then_some(form))
    }
}

/// The store to record into, and the settings of the recording.
#[derive(Args, Default, Debug)]
#[command(next_help_heading = help::STORE)]
pub struct RecordArgs {
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
    #[command(flatten)]
    pub push: PushArgs,
    /// Configuration file; only its settings for recording are used
    ///
    /// The default is $RUNDOWN_CONFIG, or rundown/config.toml in $XDG_CONFIG_HOME or ~/.config.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Record {
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
pub struct Rerun {
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
    /// Run again only this job, or jobs that match, as in 'test-*'
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
pub struct Begin {
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
    #[command(flatten)]
    pub push: PushArgs,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum BeginFormat {
    Id,
    Env,
}

#[derive(Args, Debug)]
pub struct End {
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
    #[command(flatten)]
    pub push: PushArgs,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndState {
    Passed,
    Failed,
    Stopped,
}

#[derive(Args, Debug)]
pub struct Sh {
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
pub struct Exec {
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
