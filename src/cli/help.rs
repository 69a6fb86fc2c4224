//! The parts of the help that are not about a single option: examples, exit codes and environment
//! variables.
//!
//! The long help of a command starts with a sentence and examples, and ends with its exit codes and
//! variables. Each example is a command line that parses, which a test checks.

use clap::Command;
use clap::builder::StyledStr;
use textwrap::Options;

/// The headings of options.
pub(super) const SELECT: &str = "Select";
pub(super) const RUN: &str = "Run";
pub(super) const OUTPUT: &str = "Output";
pub(super) const SCREEN: &str = "Screen";
pub(super) const LIMITS: &str = "Limits";
pub(super) const STORE: &str = "Store";

pub(super) const VIEW_USAGE: &str = "rundown [OPTIONS] [RUN]\n       rundown <COMMAND>";

pub(super) const RECORD_USAGE: &str = "rundown record [OPTIONS] [--] <CMD> [ARG]...";

pub(super) const SH_USAGE: &str = "rundown sh [ARG]...";

pub(super) const PUSH_USAGE: &str = "rundown push [OPTIONS] [RUN]... [URL]";

pub(super) const SCHEMA_USAGE: &str = "rundown schema <NAME>";

pub(super) const COMPLETIONS_USAGE: &str = "rundown completions <SHELL>";

/// The width, in columns, to which the texts are wrapped.
const WIDTH: usize = 80;

/// The maximum width of the first column of a table. The meaning of a longer term starts on the
/// next line.
const MAX_FIRST_COLUMN: usize = 46;

/// The rows of a table: a term and its meaning.
pub(super) type Table = &'static [(&'static str, &'static str)];

/// The help of a command, except for its options.
pub(super) struct Page {
    /// The command as it is typed.
    pub name: &'static str,
    /// One sentence. The list of commands in `rundown --help` shows only this sentence.
    pub about: &'static str,
    /// Three to five command lines.
    pub examples: Table,
    /// Paragraphs after the options; a line that starts with a space is kept as it is.
    pub notes: &'static str,
    pub exit_codes: Table,
    pub environment: &'static [Table],
}

impl Page {
    fn add_to(&self, command: Command) -> Command {
        command.long_about(self.start()).after_help(self.short_end()).after_long_help(self.end())
    }

    /// Returns the start of the long help: the sentence and the examples.
    fn start(&self) -> StyledStr {
        StyledStr::from(format!("{}\n\n{}", self.about, table("Examples", [self.examples])))
    }

    /// Returns the end of the short help.
    fn short_end(&self) -> String {
        let more = if self.name == VIEW.name { "options, examples" } else { "examples" };
        format!("`{} --help` adds {more}, exit codes, and environment variables.", self.name)
    }

    /// Returns the end of the long help: notes, exit codes and environment variables.
    fn end(&self) -> StyledStr {
        let notes = Some(wrapped(self.notes)).filter(|notes| !notes.is_empty());
        let variables = || table("Environment variables", self.environment.iter().copied());
        let variables = (!self.environment.is_empty()).then(variables);
        let exit_codes = Some(table("Exit codes", [self.exit_codes]));
        let parts: Vec<String> = [notes, exit_codes, variables].into_iter().flatten().collect();
        StyledStr::from(parts.join("\n\n"))
    }
}

/// The commands with their pages.
pub(super) static COMMANDS: [(&str, Page); 17] = [
    ("list", LIST),
    ("record", RECORD),
    ("exec", EXEC),
    ("rerun", RERUN),
    ("begin", BEGIN),
    ("end", END),
    ("sh", SH),
    ("doctor", DOCTOR),
    ("bundle", BUNDLE),
    ("push", PUSH),
    ("prune", PRUNE),
    ("export", EXPORT),
    ("demo", DEMO),
    ("config", CONFIG),
    ("schema", SCHEMA),
    ("completions", COMPLETIONS),
    ("man", MAN),
];

/// Returns the names of the commands.
pub(super) fn command_names() -> [&'static str; 17] {
    COMMANDS.each_ref().map(|(name, _)| *name)
}

/// Adds to each command its [`Page`].
pub(super) fn with_pages(root: Command) -> Command {
    COMMANDS.iter().fold(VIEW.add_to(root), |root, (name, page)| {
        root.mut_subcommand(name, |command| page.add_to(command))
    })
}

fn wrapped(notes: &str) -> String {
    let lines = notes.lines().map(|line| {
        if line.starts_with(' ') { line.to_owned() } else { textwrap::fill(line, WIDTH) }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Formats a table of two columns below a heading in the style of clap's headings.
fn table(heading: &str, rows: impl IntoIterator<Item = Table>) -> String {
    let rows: Vec<_> = rows.into_iter().flatten().collect();
    let lengths = rows.iter().map(|(term, _)| term.chars().count());
    let first = lengths.filter(|length| *length <= MAX_FIRST_COLUMN).max().unwrap_or_default();
    let indent = " ".repeat(first + 4);
    let lines = rows.iter().map(|(term, meaning)| {
        let lead = if term.chars().count() > first {
            format!("  {term}\n{indent}")
        } else {
            format!("  {term:<first$}  ")
        };
        let options = Options::new(WIDTH).initial_indent(&indent).subsequent_indent(&indent);
        let text = textwrap::fill(meaning, options);
        format!("{lead}{}", text.trim_start())
    });
    let lines: Vec<String> = lines.collect();
    format!("\x1b[1;4m{heading}:\x1b[0m\n{}", lines.join("\n"))
}

pub(super) const VIEW: Page = Page {
    name: "rundown",
    about: "Inspect CI runs in the terminal: what is running, and why a run failed",
    examples: &[
        ("rundown", "open the newest run"),
        ("rundown latest-failed", "open the newest run that failed"),
        ("rundown --failed --tail 20", "the failed commands, the last 20 rows of each"),
        ("rundown --follow --exit-status", "print a live run; exit with its status"),
        ("rundown main --format json", "print the newest run of a ref as JSON"),
    ],
    notes: "\
rundown opens the screen if stdout is a terminal, and prints the run otherwise.

In CI, rundown inserts a dot into text of a log that the CI system would take for a workflow \
command (:·:error::). --format raw prints the text unchanged.",
    exit_codes: &[
        ("0", "done; with --exit-status: the run passed"),
        ("1", "with --exit-status: the run failed"),
        ("2", "usage error, or invalid configuration"),
        ("3", "with --exit-status: the run was stopped, superseded, or interrupted"),
        ("4", "with --exit-status: the run has not finished"),
        ("5", "no such run, or nothing in it matched"),
        ("6", "the store or a log cannot be read"),
        ("70", "internal error"),
        ("128+N", "ended by signal N"),
    ],
    environment: &[
        STORE_VARIABLES,
        CONFIG_VARIABLES,
        SECURE,
        SCREEN_VARIABLES,
        COLOR,
        TIME_ZONE,
        COPIES,
        CI,
    ],
};

pub(super) const LIST: Page = Page {
    name: "rundown list",
    about: "List recorded runs, newest first",
    examples: &[
        ("rundown list", "the 20 newest runs"),
        ("rundown list --ref main --limit 5", "the 5 newest runs of a branch"),
        ("rundown list --before 34369c10", "the next page: runs older than this one"),
        ("rundown list --state failed --since 24h", "the failures of the last day"),
        ("rundown list --job 'test-*' --format jsonl", "one JSON object per run, for scripts"),
    ],
    notes: "",
    exit_codes: &[
        ("0", "done"),
        ("2", "usage error"),
        ("5", "no run matches the filters, or --before names no run"),
        ("6", "the store cannot be read"),
        ("70", "internal error"),
    ],
    environment: &[STORE_VARIABLES, COLOR, TIME_ZONE, DATABASE_COPIES, CI],
};

pub(super) const RECORD: Page = Page {
    name: "rundown record",
    about: "Run a command and record it",
    examples: &[
        ("rundown record -- cargo test", "record one command"),
        ("rundown record --job lint -- npm run lint", "record it as job `lint`"),
        ("rundown record -- sh -c 'make && make check'", "record a shell command"),
        ("rundown record --pty -- npm test", "in a terminal, with colors"),
        ("rundown record --must-record -- ./deploy", "only if it can be recorded"),
    ],
    notes: "\
The command always runs, and its output passes through unchanged. If something cannot be \
recorded, a notice at the end reports it (see --must-record). If the reader of stdout exits early \
(| head), the command gets a SIGPIPE at its next write, as without rundown.

stdout and stderr are two pipes. Under load, lines of different streams that were written within \
milliseconds of each other may change places. --merge, --pty and --exact keep the exact order.",
    exit_codes: &[
        ("N", "the command exited with N"),
        ("126", "the command is not executable"),
        ("127", "the command was not found"),
        ("128+N", "the command was killed by signal N"),
        ("2", "usage error; nothing was run"),
        ("6", "with --must-record: cannot be recorded; nothing was run"),
    ],
    environment: &[RUN_VARIABLES, STORE_VARIABLES, PUSH_VARIABLES, CONFIG_VARIABLES, FACTS],
};

pub(super) const EXEC: Page = Page {
    name: "rundown exec",
    about: "Run the jobs of a pipeline file and record them",
    examples: &[
        ("rundown exec ci.toml", "run all jobs of ci.toml, and record them"),
        ("rundown exec --only test ci.toml", "run one job"),
        ("rundown exec --quiet ci.toml", "print no output of the commands"),
        ("rundown exec --ref main ci.toml", "record them as a run of a ref"),
    ],
    notes: "\
A pipeline file has a table for each job:

  [jobs.build]
  commands = [\"make\"]

  [jobs.test]
  needs = [\"build\"]
  commands = [\"make check\", [\"./report\", \"--all\"]]

A string runs in `sh -c`; a list is a program and its arguments. A job runs its commands in \
order until one fails. It is skipped if a job that it needs did not pass.

Jobs that run at the same time print one block each, or on a terminal lines with the name of the \
job. At the end, a summary on stderr lists the failures.",
    exit_codes: &[
        ("0", "all jobs passed"),
        ("1", "a job failed or was skipped, or the run was stopped"),
        ("2", "usage error, or invalid pipeline file; nothing was run"),
        ("6", "with --must-record: cannot be recorded; nothing was run"),
    ],
    environment: &[STORE_VARIABLES, PUSH_VARIABLES, CONFIG_VARIABLES, FACTS],
};

pub(super) const RERUN: Page = Page {
    name: "rundown rerun",
    about: "Run recorded commands again, as a new run",
    examples: &[
        ("rundown rerun", "repeat the newest run"),
        ("rundown rerun --failed", "only its failed commands"),
        ("rundown rerun latest~1 --job test", "one job of the run before"),
    ],
    notes: "\
Each command runs in its recorded directory and with its recorded shell, and the jobs in their \
order. Variables, time limits and retries of a pipeline are not recorded, so the commands run \
without them. A command with a secret that was not recorded is refused.",
    exit_codes: &[
        ("0", "all jobs passed"),
        ("1", "a job failed or was skipped, or the run was stopped"),
        ("2", "usage error, or a command contains a secret"),
        ("5", "no such run, or no command matches"),
        ("6", "the store cannot be read"),
    ],
    environment: &[STORE_VARIABLES, PUSH_VARIABLES, CONFIG_VARIABLES, FACTS],
};

pub(super) const BEGIN: Page = Page {
    name: "rundown begin",
    about: "Begin a run of many commands, and print its id",
    examples: &[
        ("rundown begin", "begin a run, and print its id"),
        ("rundown begin --name nightly --ref main", "with a name and a ref"),
        ("rundown begin --format env", "for $GITHUB_ENV, or a dotenv file"),
    ],
    notes: "\
The steps of a CI job, or of a script, become commands of one run:

  export RUNDOWN_RUN=$(rundown begin)
  rundown record --job build -- make
  rundown record --job test -- make check
  rundown end

Between two steps, the run is shown as waiting. On GitHub, the first step runs \
`rundown begin --format env >> \"$GITHUB_ENV\"`, and a last step with `if: always()` runs \
`rundown end`.",
    exit_codes: &[
        ("0", "the run was begun"),
        ("2", "usage error"),
        ("6", "the store cannot be written"),
    ],
    environment: &[STORE_VARIABLES, PUSH_VARIABLES, FACTS],
};

pub(super) const END: Page = Page {
    name: "rundown end",
    about: "End a run that was begun with `rundown begin`",
    examples: &[
        ("rundown end", "end the run in $RUNDOWN_RUN"),
        ("rundown end --state failed", "with a state of your own"),
        ("rundown end --exit-status", "fail if the run failed"),
    ],
    notes: "\
A run has failed if one of its commands has. Commands that are still running count as interrupted \
until they end.",
    exit_codes: &[
        ("0", "the run was ended (with --exit-status: it passed)"),
        ("1", "with --exit-status: it failed"),
        ("2", "usage error, or no run was named"),
        ("3", "with --exit-status: it was stopped"),
        ("5", "no such run, or it has already ended"),
        ("6", "the store cannot be written"),
    ],
    environment: &[RUN_VARIABLES, STORE_VARIABLES, PUSH_VARIABLES],
};

pub(super) const SH: Page = Page {
    name: "rundown sh",
    about: "Run a line in a shell and record it, as the shell of make",
    examples: &[
        ("rundown sh -c 'make check'", "record one line"),
        ("rundown sh -e script.sh", "record a script"),
        ("rundown sh -c 'echo \"$1\"' sh hello", "with arguments for the line"),
    ],
    notes: "\
A shell that records each line as a command, for programs that run their lines in a shell of your \
choice:

  make SHELL=\"$(command -v rundown)\" .SHELLFLAGS='sh -c' -j8
  set shell := [\"rundown\", \"sh\", \"-c\"]        (in a justfile)

The commands are added to the run in RUNDOWN_RUN; without one, each line is a run of its own. The \
arguments go to `sh`, or to the program in RUNDOWN_SHELL.",
    exit_codes: &[("N", "the shell exited with N"), ("128+N", "the shell was killed by signal N")],
    environment: &[RUN_VARIABLES, SHELL_VARIABLES, STORE_VARIABLES, PUSH_VARIABLES],
};

pub(super) const DOCTOR: Page = Page {
    name: "rundown doctor",
    about: "Check a store for missing or inconsistent data",
    examples: &[
        ("rundown doctor", "check all runs of the store"),
        ("rundown doctor latest", "check the newest run"),
        ("rundown doctor --repair", "finish interrupted runs, and check all runs"),
        ("rundown doctor --format json", "one JSON document, for scripts"),
    ],
    notes: "\
Prints one line for each finding, with its place and the likely reason: commands without a row or \
a log, runs that were interrupted, clocks that went back, malformed log lines, and files that are \
links out of the store. doctor changes nothing without --repair.

--repair finishes the runs whose recorder was killed. Their commands and the runs are still shown \
as interrupted. Logs stay as they are.",
    exit_codes: &[
        ("0", "nothing found"),
        ("1", "at least one finding"),
        ("2", "usage error"),
        ("5", "no such run, or no run matches --repo or --ref"),
        ("6", "the store cannot be read, or a run cannot be repaired"),
        ("70", "internal error"),
    ],
    environment: &[STORE_VARIABLES, DATABASE_COPIES, CI],
};

pub(super) const BUNDLE: Page = Page {
    name: "rundown bundle",
    about: "Write runs with their logs to one portable file",
    examples: &[
        ("rundown bundle -o run.rundown", "bundle the newest run"),
        ("rundown bundle --failed --last 5 -o failed.rundown", "bundle the last 5 failures"),
        ("rundown bundle --check run.rundown", "check that nothing is damaged"),
    ],
    notes: "\
A bundle contains the rows, logs and likely causes of its runs, about a tenth of their size. It is \
a zip archive, and `zstd -d` reads the logs in it.

`rundown FILE` opens it in place, on any machine, and every command that reads a store accepts it \
with --root FILE.

The same runs always give the same bytes. A run that has not ended is bundled as it is now. Secrets \
that are in the logs are in the bundle, too.",
    exit_codes: &[
        ("0", "done"),
        ("1", "with --check: the bundle is damaged"),
        ("2", "usage error"),
        ("5", "no such run"),
        ("6", "the store or a log cannot be read, or the bundle cannot be read or written"),
        ("70", "internal error"),
    ],
    environment: &[STORE_VARIABLES, CI],
};

pub(super) const PUSH: Page = Page {
    name: "rundown push",
    about: "Push runs to object storage, also while they are recorded",
    examples: &[
        ("rundown push s3://bucket/ci", "push the newest run"),
        ("rundown push latest-failed s3://bucket/ci", "push the newest failed run"),
        ("rundown push --last 100 s3://bucket/ci", "push the last 100 runs"),
        (
            "rundown push --timeout 60 main s3://bucket/ci",
            "push the newest run of a ref, in a minute",
        ),
    ],
    notes: "\
A run that has ended is pushed as a whole: first its logs, compressed, and then one object that \
makes it visible. A run that is there already is not sent again.

An active run is pushed to its end: every five seconds its rows and the new bytes of its logs. \
Ctrl-C stops, and what was pushed stays. The next push of the run continues there.

`rundown record --push s3://bucket/ci -- make` pushes a run while it is recorded.

The bucket is at AWS S3, or at any server with its API that honors the condition If-None-Match. \
Secrets that are in the logs are in the bucket, too.",
    exit_codes: &[
        ("0", "the runs are pushed"),
        ("2", "usage error"),
        ("5", "no such run"),
        ("6", "the store or a log cannot be read, the bucket cannot be written, or the time is up"),
        ("70", "internal error"),
    ],
    environment: &[STORE_VARIABLES, PUSH_VARIABLES, BUCKET, CONFIG_VARIABLES, CI],
};

pub(super) const PRUNE: Page = Page {
    name: "rundown prune",
    about: "Remove old runs with their logs",
    examples: &[
        ("rundown prune --keep 100", "keep the 100 newest runs"),
        ("rundown prune --older-than 30d --dry-run", "show the runs of more than 30 days ago"),
        ("rundown prune --max-bytes 2GiB --failed-keep 10", "limit the size, keep 10 failures"),
        ("rundown prune --ref main --keep 20", "keep the 20 newest runs of a branch"),
    ],
    notes: "\
A run is removed if it exceeds one of the limits. With --repo or --ref, the limits apply to the \
matching runs only. Active runs are never removed: those with a recorder, and those that were \
begun with `rundown begin` and had a command within the last day.

Without a limit on the command line, those in the [retention] table of the configuration apply. \
They also apply after a recording, at most once an hour. If rundown is interrupted, the next \
prune completes the removal.",
    exit_codes: &[
        ("0", "done"),
        ("2", "usage error, no limit, or invalid configuration"),
        ("5", "no run matches --repo or --ref"),
        ("6", "the store cannot be read or written, or a run cannot be removed"),
        ("70", "internal error"),
    ],
    environment: &[STORE_VARIABLES, CONFIG_VARIABLES, TIME_ZONE, CI],
};

pub(super) const EXPORT: Page = Page {
    name: "rundown export",
    about: "Export runs to other systems: traces, logs, and metrics",
    examples: &[
        ("rundown export otlp --to http://localhost:4318", "send the newest run"),
        ("rundown export otlp latest-failed --to ci", "write a file per signal"),
        ("rundown export otlp --signals traces", "print the spans of the newest run"),
    ],
    notes: "\
otlp is the format of OpenTelemetry, as JSON. Each export of a run has the same ids, which are \
also those in $TRACEPARENT of its commands.

A request is repeated if the connection fails or the server is temporarily unavailable. If the \
server rejects some records, a notice reports their number and the reason.",
    exit_codes: &[
        ("0", "done"),
        ("2", "usage error"),
        ("5", "no such run"),
        (
            "6",
            "the store or a log cannot be read, a file cannot be written, or the server did not \
             accept a request or rejected all records of a signal",
        ),
        ("70", "internal error"),
    ],
    environment: &[STORE_VARIABLES, OTLP, DATABASE_COPIES, CI],
};

pub(super) const DEMO: Page = Page {
    name: "rundown demo",
    about: "Record a small sample pipeline and show it",
    examples: &[
        ("rundown demo", "watch a 10-second run that fails"),
        ("rundown demo --follow", "print its rows as they arrive"),
        ("rundown demo --failed", "print its failed commands"),
    ],
    notes: "\
The demo records into a temporary store, which is deleted when the demo ends.",
    exit_codes: &[
        ("0", "done"),
        ("1", "with --exit-status: the run failed (the demo always fails)"),
        ("2", "usage error, or invalid configuration"),
        ("5", "nothing in the run matched"),
        ("6", "the temporary store cannot be written or read"),
        ("70", "internal error"),
        ("128+N", "ended by signal N"),
    ],
    environment: &[CONFIG_VARIABLES, SECURE, SCREEN_VARIABLES, COLOR, TIME_ZONE, DEMO_STORE, CI],
};

pub(super) const CONFIG: Page = Page {
    name: "rundown config",
    about: "Print the effective configuration, with all settings and keys",
    examples: &[
        ("rundown config", "print all settings, with comments"),
        ("rundown config --config new.toml", "check a file, and print the result"),
        ("rundown config --theme dark", "print the settings with another theme"),
    ],
    notes: "\
The output is a valid configuration file. Copy the lines to change to \
~/.config/rundown/config.toml.",
    exit_codes: &[
        ("0", "done"),
        ("2", "usage error, or invalid configuration"),
        ("6", "the configuration file cannot be read"),
        ("70", "internal error"),
    ],
    environment: &[CONFIG_VARIABLES, SECURE],
};

pub(super) const SCHEMA: Page = Page {
    name: "rundown schema",
    about: "Print the JSON Schema of a JSON format",
    examples: &[
        ("rundown schema run", "the document of --format json"),
        ("rundown schema list", "the document of list --format json"),
        ("rundown schema jsonl", "one line of --format jsonl"),
    ],
    notes: "\
NAME is run (the document of --format json), list, doctor, or prune (the document of that command \
with --format json), jsonl, or records (one line of that format).

A schema follows JSON Schema draft 2020-12 and describes each key. It accepts unknown keys: later \
versions of a format may have more keys and more words, but never rename or remove one.",
    exit_codes: &[("0", "done"), ("2", "usage error"), ("70", "internal error")],
    environment: &[COLOR],
};

pub(super) const COMPLETIONS: Page = Page {
    name: "rundown completions",
    about: "Print a script that completes command lines in a shell",
    examples: &[
        ("rundown completions bash", "for bash: source it in ~/.bashrc"),
        ("rundown completions zsh", "for zsh: save it as _rundown in a directory of $fpath"),
        ("rundown completions fish", "for fish: save it in ~/.config/fish/completions/"),
    ],
    notes: "\
The script completes commands, options, and values, and runs, refs, repositories, and jobs of the \
store. It calls the rundown in $PATH, so it stays correct after an update.

To enable completions:

  # bash, in ~/.bashrc
  source <(rundown completions bash)
  # zsh, in ~/.zshrc, after compinit
  source <(rundown completions zsh)
  # fish
  rundown completions fish > ~/.config/fish/completions/rundown.fish

Names with spaces or other characters that have a meaning in a shell are not offered.",
    exit_codes: &[("0", "done"), ("2", "usage error"), ("70", "internal error")],
    environment: &[STORE_VARIABLES, DATABASE_COPIES],
};

pub(super) const MAN: Page = Page {
    name: "rundown man",
    about: "Print the manual page of rundown or of a command",
    examples: &[
        ("rundown man", "print the page of rundown itself, as roff"),
        ("rundown man list", "print the page of `rundown list`"),
        ("rundown man --dir man1", "write rundown.1, rundown-list.1, and so on"),
    ],
    notes: "\
To read a page without installing it:

  rundown man list | man -l -

To install all pages for the current user:

  rundown man --dir ~/.local/share/man/man1",
    exit_codes: &[
        ("0", "done"),
        ("2", "usage error"),
        ("6", "a page cannot be written"),
        ("70", "internal error"),
    ],
    environment: &[],
};

const STORE_VARIABLES: Table = &[
    ("RUNDOWN_ROOT", "store directory, if --root is not given"),
    ("XDG_DATA_HOME", "directory of the default store, rundown/"),
];

const CONFIG_VARIABLES: Table = &[
    ("RUNDOWN_CONFIG", "configuration file, if --config is not given"),
    ("XDG_CONFIG_HOME", "directory of the default file, rundown/config.toml"),
];

const SECURE: Table = &[("RUNDOWN_SECURE", "1: no editor, pager, clipboard, or hyperlinks")];

const SCREEN_VARIABLES: Table = &[
    ("ACCESSIBLE", "1: print lines instead of opening the screen, as with TERM=dumb"),
    ("VISUAL, EDITOR, PAGER", "programs for the keys `v` and `|`"),
];

const COLOR: Table = &[
    ("NO_COLOR", "set: no color, unless --color always is given"),
    ("CLICOLOR_FORCE", "1: color, even if stdout is not a terminal"),
];

const TIME_ZONE: Table = &[("TZ", "time zone, if --timezone is not given")];

const COPIES: Table =
    &[("TMPDIR", "directory for private copies of databases over 16 MiB, and of a log for `v`")];

const DATABASE_COPIES: Table =
    &[("TMPDIR", "directory for private copies of databases over 16 MiB")];

const OTLP: Table = &[
    ("OTEL_SERVICE_NAME", "service name of the telemetry; default: rundown"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "headers of requests, such as authorization=Bearer%20TOKEN"),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "certificates to trust, in place of those of the system"),
    ("https_proxy, http_proxy, no_proxy", "proxy for requests"),
];

const DEMO_STORE: Table = &[("TMPDIR", "directory for the temporary store")];

const CI: Table = &[(
    "CI, GITHUB_ACTIONS, GITLAB_CI, TF_BUILD, BUILDKITE, TEAMCITY_VERSION, TRAVIS",
    "set: prevent text of logs from acting as commands of the CI system",
)];

const RUN_VARIABLES: Table = &[
    ("RUNDOWN_RUN", "the run that commands are added to"),
    ("RUNDOWN_JOB", "the job that commands are added to"),
];

const PUSH_VARIABLES: Table =
    &[("RUNDOWN_PUSH", "the object storage that runs are pushed to: s3://BUCKET/PREFIX")];

const BUCKET: Table = &[
    ("AWS_ACCESS_KEY_ID, AWS_PROFILE, …", "credentials, as for the tools of AWS"),
    ("AWS_REGION", "region; default: us-east-1"),
    ("AWS_ENDPOINT_URL_S3", "address of a server other than AWS"),
];

const SHELL_VARIABLES: Table =
    &[("RUNDOWN_SHELL", "the shell that `rundown sh` runs; default: sh")];

const FACTS: Table = &[(
    "GITHUB_SHA, CI_COMMIT_SHA, …",
    "repository, ref, and commit, from GitHub, GitLab, Bitbucket, CircleCI, Buildkite, \
     Woodpecker, Drone, Travis, AppVeyor, Azure Pipelines, or Jenkins",
)];

#[cfg(test)]
mod tests {
    use clap::{ColorChoice, CommandFactory};

    use super::with_pages;
    use crate::cli::{Arguments, parse};

    /// Returns `rundown` and its subcommands, except `help`.
    fn commands(width: usize) -> Vec<clap::Command> {
        let mut root = with_pages(Arguments::command()).term_width(width).color(ColorChoice::Never);
        root.build();
        let subcommands = root.get_subcommands().filter(|command| command.get_name() != "help");
        let subcommands: Vec<_> = subcommands.cloned().collect();
        std::iter::once(root).chain(subcommands).collect()
    }

    fn widest(text: &str) -> usize {
        text.lines().map(|line| line.chars().count()).max().unwrap_or_default()
    }

    #[test]
    fn short_help_fits_on_a_screen_and_long_help_fits_its_columns() {
        assert_eq!(commands(80).len(), 18);
        for width in [80, 100] {
            for mut command in commands(width) {
                let name = command.get_name().to_owned();
                let short = command.render_help().to_string();
                assert!(short.lines().count() <= 40, "{name}, {width} columns:\n{short}");
                assert!(widest(&short) <= width, "{name}, {width} columns:\n{short}");
                let long = command.render_long_help().to_string();
                assert!(widest(&long) <= width, "{name}, {width} columns:\n{long}");
            }
        }
    }

    #[test]
    fn the_long_help_starts_with_examples_that_parse() {
        for mut command in commands(80) {
            let (name, about) =
                (command.get_name().to_owned(), command.get_about().unwrap().to_string());
            let help = command.render_long_help().to_string();
            let rest = help.strip_prefix(&format!("{about}\n\nExamples:\n"));
            let rest = rest.unwrap_or_else(|| panic!("{name}:\n{help}"));
            let examples = rest.split("\n\n").next().unwrap();
            let examples: Vec<&str> =
                examples.lines().filter_map(|line| line.strip_prefix("  rundown")).collect();
            assert!((3..=5).contains(&examples.len()), "{name}: {examples:?}");
            for example in examples {
                let line = example.split("  ").next().unwrap();
                let words = shlex::split(line).unwrap();
                let args = std::iter::once("rundown".into()).chain(words.iter().map(Into::into));
                let parsed = format!("{:?}", parse(args.collect()).unwrap());
                let is_here = if name == "rundown" {
                    parsed.contains("command: None")
                } else {
                    words.first() == Some(&name)
                };
                assert!(is_here, "{name}: {line}");
            }
        }
    }

    #[test]
    fn the_long_help_ends_with_exit_codes_and_environment_variables() {
        for mut command in commands(80) {
            let help = command.render_long_help().to_string();
            let mut parts: Vec<&str> = help.split("\n\n").collect();
            if command.get_name() == "man" {
                // No variable has an effect on it.
                parts.push("Environment variables:\n  ");
            }
            let [.., codes, variables] = parts.as_slice() else { unreachable!() };
            assert!(codes.starts_with("Exit codes:\n  "), "{help}");
            assert!(variables.starts_with("Environment variables:\n  "), "{help}");
        }
    }

    #[test]
    fn help_headings_are_the_same_for_all_commands() {
        let headings = |command: &clap::Command| {
            let mut found: Vec<String> = Vec::new();
            for heading in command.get_arguments().filter_map(clap::Arg::get_help_heading) {
                if found.last().is_none_or(|last| last != heading) {
                    found.push(heading.to_owned());
                }
            }
            found.join(" ")
        };
        let found: Vec<(String, String)> = commands(80)
            .iter()
            .map(|command| (command.get_name().to_owned(), headings(command)))
            .collect();
        let found: Vec<(&str, &str)> =
            found.iter().map(|(name, headings)| (&name[..], &headings[..])).collect();
        assert_eq!(
            found,
            [
                ("rundown", "Select Output Screen Store Other"),
                ("list", "Select Output Store Other"),
                ("record", "Run Output Store Other"),
                ("exec", "Run Output Store Other"),
                ("rerun", "Select Run Output Store Other"),
                ("begin", "Run Output Store Other"),
                ("end", "Run Output Store Other"),
                ("sh", "Run Other"),
                ("doctor", "Select Output Store Other"),
                ("bundle", "Select Output Store Other"),
                ("push", "Select Output Store Other"),
                ("prune", "Select Limits Output Store Other"),
                ("export", "Select Output Store Other"),
                ("demo", "Select Output Screen Other"),
                ("config", "Screen Output Other"),
                ("schema", "Output Other"),
                ("completions", "Select Other"),
                ("man", "Select Output Other"),
            ]
        );
    }

    #[test]
    fn help_lists_the_values_that_clap_does_not_list() {
        for command in commands(80) {
            let hides = |arg: &&clap::Arg| arg.is_hide_possible_values_set();
            for arg in command.get_arguments().filter(hides) {
                let short = arg.get_help().unwrap().to_string();
                // An unfinished list is completed by the long help.
                let long = arg.get_long_help().filter(|_| short.ends_with('…'));
                let help = long.map_or(short, ToString::to_string);
                let words: Vec<&str> = help.split(|found: char| !found.is_alphanumeric()).collect();
                for value in arg.get_possible_values() {
                    let mut parts = value.get_name().split('-');
                    assert!(
                        parts.all(|part| words.contains(&part)),
                        "{}: {help}",
                        value.get_name()
                    );
                }
            }
        }
    }

    #[test]
    fn the_clap_definition_is_consistent() {
        with_pages(Arguments::command()).debug_assert();
    }

    #[test]
    fn short_help_of_rundown() {
        let help = commands(80)[0].render_help().to_string();
        insta::assert_snapshot!(help, @"
        Inspect CI runs in the terminal: what is running, and why a run failed

        Usage: rundown [OPTIONS] [RUN]
               rundown <COMMAND>

        Commands:
          list         List recorded runs, newest first
          record       Run a command and record it
          exec         Run the jobs of a pipeline file and record them
          rerun        Run recorded commands again, as a new run
          begin        Begin a run of many commands, and print its id
          end          End a run that was begun with `rundown begin`
          sh           Run a line in a shell and record it, as the shell of make
          doctor       Check a store for missing or inconsistent data
          bundle       Write runs with their logs to one portable file
          push         Push runs to object storage, also while they are recorded
          prune        Remove old runs with their logs
          export       Export runs to other systems: traces, logs, and metrics
          demo         Record a small sample pipeline and show it
          config       Print the effective configuration, with all settings and keys
          schema       Print the JSON Schema of a JSON format
          completions  Print a script that completes command lines in a shell
          man          Print the manual page of rundown or of a command
          help         Print this message or the help of the given subcommand(s)

        Select:
          [RUN]             Run id, ref, commit, latest~N, latest-failed, or path
              --failed      Print only failed commands and their jobs
              --job <GLOB>  Print only this job, or jobs that match, as in 'test-*'

        Output:
              --once             Print the run and exit (implied by --format, …)
              --follow           Print rows as they arrive, until the run ends
              --format <FORMAT>  Print text (default), digest, json, html, junit, …
              --exit-status      Exit with the run's status: 0 passed, 1 failed, …

        Store:
              --root <DIR>  Store directory [default: the nearest .rundown/, …]

        `rundown --help` adds options, examples, exit codes, and environment variables.
        ");
    }
}
