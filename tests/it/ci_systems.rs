//! Workflow commands in logs and names, printed in every format in the environment of every CI
//! system. A model of the system's runner executes none of them, only the commands that rundown
//! adds to disable and enable commands.

use std::fs;
use std::io::Read;
use std::process::{Output, Stdio};
use std::sync::LazyLock;

use regex::Regex;
use rundown::cri::Stream;
use rundown::store::{JobEnd, RunEnd};

use crate::support::built::{Built, run_id};
use crate::support::rundown;

/// Commands of all systems that can be part of a name.
pub const NAME: &str = "::error::x ##[error]x ##vso[task.complete result=Failed;]x \
                    ##teamcity[buildStop] section_start:1:x travis_fold:start:x";

/// A command that is valid only at the start of a line.
const HEADER: &str = "+++ x";

/// Returns the output of a hostile command.
pub fn log() -> String {
    let commands = [
        "::error::x",
        "::add-mask::x",
        "::stop-commands::x",
        "##[error]x",
        "x ##[set-env name=A]x",
        "##vso[task.setvariable variable=A]x",
        "x ##vso[task.complete result=Failed;]x",
        "##teamcity[buildStop comment='x']",
        "section_start:1:x\r\x1b[0Kx",
        "\x1b[0Ksection_end:1:x\r\x1b[0K",
        "travis_fold:start:x\r\x1b[0K",
        "--- x",
        "+++ x",
        "~~~ x",
        "^^^ +++",
        "\x1b[8mha:AAAA\x1b[0m",
        "\x1b]1338;url=x\x07",
        "\x1b_bk;t=1\x07",
    ];
    let mut log = String::new();
    for command in commands {
        let (first, rest) = command.split_at(2);
        for row in [
            command.to_owned(),
            format!(" \t\u{a0}{command}"),
            format!("\x1b[31m{command}\x1b[0m"),
            format!("{first}\x1b[31m{rest}"),
            format!("\x1b[0m{first}\x1b[0m\x0f{rest}"),
            format!("hidden\r\x1b[2K{command}"),
            format!("{}\r{}", "-".repeat(first.len()), command),
            format!("{first}\x1b[?25l{rest}"),
            format!("x\u{85}{command}\u{2028}{command}"),
            format!(
                "\x1b]8;;http://x/{}\x1b\\x\x1b]8;;\x1b\\",
                command.replace([' ', '\r', '\x1b'], "")
            ),
        ] {
            log.extend([row.as_str(), "\n"]);
        }
    }
    log + "\travis_fold:x\n"
}

fn store() -> Built {
    let (mut store, run) = (Built::new(), run_id(1));
    for (run, job) in [(&run, NAME), (&run_id(2), HEADER)] {
        store.begin(run, &[job], 0);
        store.start(run, job, 1, NAME, 10);
        store.print(run, job, 1, 20, Stream::Stdout, &log());
        store.print(run, job, 1, 30, Stream::Stderr, &log());
        store.append(run, job, 1, format!("{NAME} is no record\n").as_bytes());
        store.end(run, job, 1, 1, 40);
        store.end_job(run, job, JobEnd::Failed(1), 50);
        store.end_run(run, RunEnd::Failed("job-failed"), 60);
    }
    let named = "UPDATE runs SET ref_name = ?1, sha = ?1, failure_kind = ?1";
    rusqlite::Connection::open(store.root().join("rundown.db"))
        .unwrap()
        .execute(named, [NAME])
        .unwrap();
    fs::write(store.root().join("::error::x.log"), log()).unwrap();
    store
}

/// Command lines that print logs, names or messages. `--format raw` is not among them: it prints
/// the log unchanged.
const COMMAND_LINES: &[&[&str]] = &[
    &["--once", "--root", ".", "00000001"],
    &["--once", "--root", ".", "00000002"],
    &["--once", "--root", ".", "00000001", "--color=always"],
    &["--once", "--root", ".", "00000001", "-t", "time"],
    &["--once", "--root", ".", "00000001", "--failed"],
    &["--once", "--root", ".", "00000001", "--tail", "7"],
    &["--once", "--root", ".", "00000001", "--format", "jsonl"],
    &["--once", "--root", ".", "00000001", "--format", "json"],
    &["--once", "--root", ".", "00000001", "--format", "records"],
    &["--once", "--root", ".", "00000001", "--format", "junit"],
    &["--once", "--root", ".", "00000002", "--format", "junit"],
    &["--once", "--root", ".", "00000001", "--format", "markdown"],
    &["--once", "--root", ".", "00000001", "--format", "html"],
    &["--once", "--root", ".", "00000001", "--format", "trace"],
    &["export", "otlp", "--root", ".", "00000001", "--signals", "logs"],
    &["export", "otlp", "--root", ".", "00000001", "--signals", "traces"],
    &["--once", "./::error::x.log"],
    &["--once", "runs/example"],
    &["list", "--root", "."],
    &["list", "--root", ".", "--format", "json"],
    &["doctor", "--root", "."],
    &["doctor", "--root", ".", "--format", "json"],
    &["--follow", "--root", ".", "00000001"],
    &["--follow", "--root", ".", "00000001", "--color=always"],
    // Errors and notices.
    &["--once", "--root", ".", "x\n::error::x ##[error]x ##vso[task.complete]x"],
    &["--once", "--root", "##vso[task.complete]\n::error::x"],
    &["--once", "--root", ".", "--job", NAME, "--sh", "7"],
    &["x", "--bogus\n::error::x\n##vso[task.complete]x section_end:1:x\r\x1b[0K"],
    &["--format", "\n::error::x\n+++ x"],
    &["exec", "pipeline.toml"],
    &["exec", "not\n::error::there ##[error]x"],
];

fn print(store: &Built, variables: &[&str], args: &[&str]) -> Output {
    let pipeline =
        format!("[jobs.\"{}\"]\ncommands = [\"true {NAME}\"]\n", NAME.replace([':', '.'], "_"));
    fs::write(store.root().join("pipeline.toml"), pipeline).unwrap();
    let mut command = rundown(store.root());
    command
        .args(args)
        .env("RUNDOWN_ROOT", store.root().join("own"))
        .envs(variables.iter().map(|name| (name, "true")));
    command.output().unwrap()
}

/// A model of a CI runner, which reads lines and collects those that it executes as commands.
#[derive(Default)]
pub struct Runner {
    executed: Vec<String>,
    /// The token that resumes commands on GitHub.
    token: Option<String>,
}

const GITHUB_COMMANDS: &[&str] = &[
    "error",
    "warning",
    "notice",
    "debug",
    "group",
    "endgroup",
    "add-mask",
    "add-path",
    "set-env",
    "set-output",
    "save-state",
    "add-matcher",
    "remove-matcher",
    "echo",
    "stop-commands",
];

impl Runner {
    /// Reads a line like actions/runner: `ActionCommand.TryParseV2`, then `TryParse`;
    /// `ActionCommandManager.TryProcessCommand`.
    pub fn github(&mut self, line: &str) {
        let is_known = |name: &str| {
            GITHUB_COMMANDS.iter().any(|known| known.eq_ignore_ascii_case(name))
                || self.token.as_deref() == Some(name)
        };
        let new = line.trim_start().strip_prefix("::").and_then(|rest| rest.split_once("::"));
        let old = || line.split_once("##[").and_then(|(_, rest)| rest.split_once(']'));
        let name = |info: &str| info.split(' ').next().unwrap().to_owned();
        let new = new.map(|(info, data)| (name(info), data)).filter(|(name, _)| is_known(name));
        let old = old().map(|(info, data)| (name(info), data)).filter(|(name, _)| is_known(name));
        let Some((name, data)) = new.or(old) else { return };
        match &self.token {
            Some(token) if *token == name => self.token = None,
            Some(_) => {}
            None if name == "stop-commands" => self.token = Some(data.to_owned()),
            None => self.executed.push(line.to_owned()),
        }
    }

    /// Reads a line like act and the runners of Gitea and Forgejo: `commandPatternGA` and
    /// `commandPatternADO`.
    pub fn act(&mut self, line: &str) {
        static NEW: LazyLock<Regex> = LazyLock::new(|| regex(r"^::([^ ]+?)( (.+?))?::([^\r\n]*)"));
        static OLD: LazyLock<Regex> =
            LazyLock::new(|| regex(r"^##\[([^ \]]+)( ([^\]]*))?\]([^\r\n]*)"));
        for pattern in [&NEW, &OLD] {
            let Some(found) = pattern.captures(line) else { continue };
            match &self.token {
                Some(token) if *token == found[1] => self.token = None,
                None if &found[1] == "stop-commands" => self.token = Some(found[4].to_owned()),
                // act logs an unknown command but does not execute it.
                None if GITHUB_COMMANDS.contains(&&found[1]) => self.executed.push(line.to_owned()),
                Some(_) | None => {}
            }
        }
    }

    /// Reads a line like azure-pipelines-agent, `Command.TryParse` (and its warning about similar
    /// lines), and like its log viewer, which interprets `##[`.
    pub fn azure(&mut self, line: &str) {
        if line.contains("##vso") || line.contains("##[") {
            self.executed.push(line.to_owned());
        }
    }

    /// Reads a line like GitLab, `Gitlab::Regex.build_trace_section_regex`. Does not require the CR
    /// and the escape sequence around a section marker, because copies of logs lose them.
    pub fn gitlab(&mut self, line: &str) {
        static SECTION: LazyLock<Regex> =
            LazyLock::new(|| regex(r"section_(start|end):(\d+):([a-zA-Z0-9_.-]+)"));
        self.match_any(line, &[&SECTION]);
    }

    /// Reads a line like Buildkite, whose agent strips colors. Images are OSC 1338 and 1339, times
    /// are APC.
    fn buildkite(&mut self, line: &str) {
        static COLOR: LazyLock<Regex> = LazyLock::new(|| regex(r"\x1b\[([;\d]+)?[mK]"));
        static HEADER: LazyLock<Regex> = LazyLock::new(|| regex(r"^(---|\+\+\+|~~~|\^\^\^)\s"));
        static ESCAPE: LazyLock<Regex> = LazyLock::new(|| regex(r"\x1b(\]133[89];|_bk;)"));
        self.match_any(&COLOR.replace_all(line, ""), &[&HEADER, &ESCAPE]);
    }

    /// Reads a line like `TeamCity`, which finds a service message anywhere in it.
    fn teamcity(&mut self, line: &str) {
        static MESSAGE: LazyLock<Regex> = LazyLock::new(|| regex(r"##teamcity\["));
        self.match_any(line, &[&MESSAGE]);
    }

    /// Reads a line like the log viewer of Travis.
    fn travis(&mut self, line: &str) {
        static MARK: LazyLock<Regex> = LazyLock::new(|| regex("travis_(fold|time):"));
        self.match_any(line, &[&MARK]);
    }

    /// Reads a line like Jenkins, `hudson.console.ConsoleNote.PREAMBLE`.
    fn jenkins(&mut self, line: &str) {
        static NOTE: LazyLock<Regex> = LazyLock::new(|| regex(r"\x1b\[8mha:"));
        self.match_any(line, &[&NOTE]);
    }

    fn match_any(&mut self, line: &str, patterns: &[&Regex]) {
        if patterns.iter().any(|pattern| pattern.is_match(line)) {
            self.executed.push(line.to_owned());
        }
    }
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

/// Returns the lines of an output that a runner executes, without the lines that contain `skips`.
/// Runners in .NET also end a line at a CR.
pub fn executed(rule: fn(&mut Runner, &str), output: &[u8], skips: Option<&str>) -> Vec<String> {
    let mut runner = Runner::default();
    let text = String::from_utf8_lossy(output);
    // Also read the whole line, because the section marker of GitLab contains a CR.
    let lines =
        text.split('\n').flat_map(|line| [line].into_iter().chain(line.split('\r').skip(1)));
    lines
        .filter(|line| !skips.is_some_and(|skipped| line.contains(skipped)))
        .for_each(|line| rule(&mut runner, line));
    assert_eq!(runner.token, None, "commands are not enabled again:\n{text}");
    runner.executed
}

#[track_caller]
fn assert_no_command_is_executed(variables: &[&str], rules: &[fn(&mut Runner, &str)]) {
    let store = store();
    for args in COMMAND_LINES {
        let output = print(&store, variables, args);
        let printed = [&output.stdout[..], &output.stderr[..]].concat();
        assert!(printed.len() > 20, "{args:?} prints something");
        for rule in rules {
            assert_eq!(executed(*rule, &printed, None), [""; 0], "{args:?}");
            // A filter such as `grep` may remove the line that disables commands.
            assert_eq!(executed(*rule, &printed, Some("stop-commands::")), [""; 0], "{args:?}");
        }
    }
    // The same rules find commands in the raw log, so they are not too narrow.
    let raw = print(&store, variables, &["--once", "--root", ".", "00000002", "--format", "raw"]);
    let raw = [&raw.stdout[..], log().as_bytes()].concat();
    let raw = String::from_utf8(raw).unwrap().replace("::stop-commands::x", "");
    assert!(rules.iter().all(|rule| executed(*rule, raw.as_bytes(), None).len() > 1));
}

#[test]
fn github_runs_no_printed_command() {
    assert_no_command_is_executed(&["GITHUB_ACTIONS", "CI"], &[Runner::github]);
}

#[test]
fn gitea_and_forgejo_run_no_printed_command() {
    assert_no_command_is_executed(&["GITHUB_ACTIONS", "GITEA_ACTIONS", "CI"], &[Runner::act]);
}

#[test]
fn azure_runs_no_printed_command() {
    assert_no_command_is_executed(&["TF_BUILD"], &[Runner::azure]);
}

#[test]
fn gitlab_runs_no_printed_command() {
    assert_no_command_is_executed(&["GITLAB_CI", "CI"], &[Runner::gitlab]);
}

#[test]
fn buildkite_runs_no_printed_command() {
    assert_no_command_is_executed(&["BUILDKITE", "CI"], &[Runner::buildkite]);
}

#[test]
fn teamcity_runs_no_printed_command() {
    assert_no_command_is_executed(&["TEAMCITY_VERSION"], &[Runner::teamcity]);
}

#[test]
fn travis_runs_no_printed_command() {
    assert_no_command_is_executed(&["TRAVIS", "CI"], &[Runner::travis]);
}

#[test]
fn jenkins_runs_no_printed_command() {
    assert_no_command_is_executed(&["JENKINS_URL"], &[Runner::jenkins]);
}

#[test]
fn an_unknown_ci_system_gets_no_command_of_any_other() {
    let rules = [
        Runner::github,
        Runner::azure,
        Runner::gitlab,
        Runner::buildkite,
        Runner::teamcity,
        Runner::travis,
    ];
    assert_no_command_is_executed(&["CI"], &rules);
}

#[test]
fn only_on_github_a_random_token_disables_and_enables_commands() {
    let store = store();
    let token = |variables: &[&str]| {
        let printed = String::from_utf8(print(&store, variables, COMMAND_LINES[0]).stdout).unwrap();
        let lines: Vec<&str> = printed.lines().collect();
        let token = lines[0].strip_prefix("::stop-commands::").map(str::to_owned)?;
        assert_eq!(*lines.last().unwrap(), format!("::{token}::"));
        Some(token)
    };
    let (one, other) = (token(&["GITHUB_ACTIONS"]).unwrap(), token(&["GITHUB_ACTIONS"]).unwrap());
    assert!(one.len() == 32 && one != other, "{one} {other}");
    for variables in [&["TF_BUILD"][..], &["CI"], &[]] {
        assert_eq!(token(variables), None);
    }
}

#[test]
fn text_is_unchanged_outside_of_ci() {
    let store = store();
    let printed = String::from_utf8(print(&store, &[], COMMAND_LINES[0]).stdout).unwrap();
    for row in
        ["    ::error::x", "    ##[error]x", "    ##vso[task.setvariable variable=A]x", "    --- x"]
    {
        assert!(printed.lines().any(|line| line == row), "{row}");
    }
}

#[test]
fn commands_are_enabled_again_if_the_reader_closes_the_pipe() {
    let (mut store, run) = (Built::new(), run_id(1));
    store.begin(&run, &["a"], 0);
    store.start(&run, "a", 1, "yes", 10);
    store.print(&run, "a", 1, 20, Stream::Stdout, &"a row like any other\n".repeat(400_000));
    let mut command = rundown(store.root());
    command.args(["--once", "--root", "."]).env("GITHUB_ACTIONS", "true");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 64];
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut first).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let first = String::from_utf8(first.to_vec()).unwrap();
    let token = first.lines().next().unwrap().strip_prefix("::stop-commands::").unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("::{token}::\n"));
}

#[test]
fn json_and_raw_output_are_the_same_in_every_ci_system() {
    let store = store();
    for format in ["json", "jsonl", "records", "raw", "junit", "codequality", "trace"] {
        let args = ["--once", "--root", ".", "00000001", "--format", format];
        let outside = print(&store, &[], &args);
        for variables in [&["GITHUB_ACTIONS"][..], &["TF_BUILD"], &["CI"]] {
            let inside = print(&store, variables, &args);
            assert!(inside.stdout == outside.stdout, "{format}");
            let message = String::from_utf8(inside.stderr).unwrap();
            assert_eq!(
                message.contains("workflow commands of the log as they are"),
                format == "raw",
                "{message}"
            );
        }
        let message = String::from_utf8(outside.stderr).unwrap();
        assert!(!message.contains("workflow commands"), "{message}");
    }
    let rows =
        print(&store, &[], &["--once", "--root", ".", "00000001", "--format", "jsonl"]).stdout;
    let texts = String::from_utf8(rows).unwrap();
    let texts = texts
        .lines()
        .map(|row| serde_json::from_str::<serde_json::Value>(row).unwrap()["text"].clone());
    let texts: Vec<String> = texts.map(|text| text.as_str().unwrap().to_owned()).collect();
    for text in ["##[error]x", "\travis_fold:x", "section_start:1:x\r\x1b[0Kx"] {
        assert!(texts.iter().any(|row| row == text), "{text:?}");
    }
}
