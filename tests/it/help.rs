//! The help and the suggestions for mistyped words, as the binary prints them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::built::{Built, failed_run, passed_run, run_id, running_run};
use crate::support::{json, run, rundown, stderr, stdout};

const COMMANDS: [&str; 11] = [
    "",
    "list",
    "record",
    "exec",
    "doctor",
    "prune",
    "export",
    "demo",
    "config",
    "schema",
    "completions",
];

fn help(command: &str, flag: &str) -> String {
    let dir = TempDir::new().unwrap();
    stdout(dir.path(), &[&words(command)[..], &[flag]].concat(), 0)
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Returns the long options in the long help of a command, without `--help` and `--version`.
fn options(command: &str) -> BTreeSet<String> {
    let help = help(command, "--help");
    let lines = help.lines().map(str::trim_start);
    let options = lines.filter(|line| line.starts_with('-')).map(|line| {
        let long = line.split("--").nth(1).unwrap();
        format!("--{}", long.split([' ', ',']).next().unwrap())
    });
    options.filter(|option| option != "--help" && option != "--version").collect()
}

/// Runs a command line and returns its exit code, stdout and stderr.
fn outcome(dir: &Path, line: &str) -> (Option<i32>, String, String) {
    let output = run(dir, &words(line));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn short_help_of_each_command_fits_on_a_screen() {
    for command in COMMANDS {
        let help = help(command, "-h");
        let widest = help.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(help.lines().count() <= 40 && widest <= 100, "{help}");
        assert!(
            !help.contains("Options:") && !help.contains("Arguments:"),
            "options without a heading: {help}"
        );
    }
}

#[test]
fn long_help_starts_with_examples_and_ends_with_exit_codes_and_variables() {
    for command in COMMANDS {
        let help = help(command, "--help");
        let order = ["Examples:", "Usage:", "Exit codes:", "Environment variables:"];
        let found = order.map(|heading| help.find(heading).unwrap_or_else(|| panic!("{help}")));
        assert!(found.is_sorted() && help.lines().nth(2) == Some("Examples:"), "{help}");
        let by_command = stdout(Path::new("/"), &[&["help"], &words(command)[..]].concat(), 0);
        assert_eq!(by_command, help);
    }
}

/// Tests that each option in the help has an effect: adding it to a command line changes the output
/// or the exit code. Options of the screen have an effect only on a terminal and are not run.
#[test]
fn every_option_of_a_command_that_uses_a_store_has_an_effect() {
    let (mut store, mut other) = (Built::new(), Built::new());
    failed_run(&mut store, &run_id(1), 0);
    passed_run(&mut store, &run_id(2), 100_000);
    running_run(&mut store, &run_id(0));
    store.kill_recorder(&run_id(0));
    passed_run(&mut other, &run_id(3), 0);
    fs::remove_file(other.log_path(&run_id(3), "build", 1)).unwrap();
    let other = other.root().to_str().unwrap();
    let (root, db) = (format!("--root {other}"), format!("--db {other}/rundown.db"));
    let view = [
        ("--repo", "", "--repo nothing"),
        ("--ref", "", "--ref nothing"),
        ("--failed", "00000001", "--failed"),
        ("--job", "00000001", "--job build"),
        ("--sh", "00000001", "--sh 2"),
        ("--stream", "00000001", "--stream stderr"),
        ("--tail", "00000001", "--tail 1"),
        ("--grep", "00000001", "--grep nothing"),
        ("--context", "00000001 --grep error", "--context 1"),
        ("--max-bytes", "00000001", "--max-bytes 100"),
        ("--follow", "00000001", "--follow"),
        ("--format", "", "--format json"),
        ("--junit-file-attribute", "00000001 --format junit", "--junit-file-attribute"),
        ("--timestamps", "", "--timestamps full"),
        ("--exit-status", "00000001", "--exit-status"),
        ("--color", "", "--color always"),
        ("--timezone", "", "--timezone Asia/Tokyo"),
        ("--root", "", &root),
        ("--db", "", &db),
    ];
    let list = [
        ("--repo", "list", "--repo nothing"),
        ("--ref", "list", "--ref nothing"),
        ("--limit", "list", "--limit 1"),
        ("--before", "list", "--before 00000002"),
        ("--state", "list", "--state passed"),
        ("--since", "list", "--since 1d"),
        ("--until", "list", "--until 2020-01-01"),
        ("--job", "list", "--job test"),
        ("--format", "list", "--format json"),
        ("--color", "list", "--color always"),
        ("--timezone", "list", "--timezone Asia/Tokyo"),
        ("--root", "list", &root),
        ("--db", "list", &db),
    ];
    let doctor = [
        ("--repo", "doctor", "--repo nothing"),
        ("--ref", "doctor", "--ref nothing"),
        ("--format", "doctor", "--format json"),
        ("--root", "doctor", &root),
        ("--repair", "doctor", "--repair"),
        ("--db", "doctor", &db),
    ];
    let prune = [
        ("--repo", "prune --dry-run --keep 0", "--repo nothing"),
        ("--ref", "prune --dry-run --keep 0", "--ref nothing"),
        ("--keep", "prune --dry-run --keep 0", "--keep 1"),
        ("--older-than", "prune --dry-run --keep 9", "--older-than 1m"),
        ("--max-bytes", "prune --dry-run --keep 9", "--max-bytes 0"),
        ("--failed-keep", "prune --dry-run --keep 0", "--failed-keep 1"),
        ("--format", "prune --dry-run --keep 0", "--format json"),
        ("--timezone", "prune --dry-run --keep 0", "--timezone Asia/Tokyo"),
        ("--root", "prune --dry-run --keep 0", &root),
        ("--config", "prune --dry-run", "--config limits.toml"),
        ("--dry-run", "prune --keep 0", "--dry-run"),
    ];
    fs::write(store.root().join("limits.toml"), "retention.keep = 0\n").unwrap();
    let screen = ["--once", "--watch", "--at", "--theme", "--ascii", "--notify", "--config"];
    // They have an effect on the addresses of servers: see `remote_store`.
    let server = ["--endpoint", "--path-style"];
    for (command, rows, unseen) in [
        ("", &view[..], &[&screen[..], &server].concat()[..]),
        ("list", &list, &server),
        ("doctor", &doctor, &server),
        ("prune", &prune, &[]),
    ] {
        let listed = rows.iter().map(|(option, ..)| *option).chain(unseen.iter().copied());
        assert_eq!(options(command), listed.map(ToOwned::to_owned).collect(), "{command}");
        for (option, without, added) in rows {
            // `--root` and `--db` take precedence over the variable.
            let in_store = |line: &str| {
                let mut command = rundown(store.root());
                let output = command.env("RUNDOWN_ROOT", ".").args(words(line)).output().unwrap();
                (output.status.code(), output.stdout, output.stderr)
            };
            let with = format!("{without} {added}");
            assert_ne!(in_store(without), in_store(&with), "{option} of `rundown {command}`");
        }
    }
    // `demo` has the options of a view, except for those that select runs or a store.
    let of_runs = ["--repo", "--ref", "--watch", "--root", "--db"];
    let of_runs = of_runs.into_iter().chain(server).map(ToOwned::to_owned);
    assert_eq!(options("demo"), &options("") - &of_runs.collect());
}

#[test]
fn every_option_of_record_has_an_effect() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    fs::write(dir.join("ci.toml"), "[jobs.a]\ncommands = ['echo hello']\n").unwrap();
    fs::write(dir.join("bad.toml"), "no-such-key = 1\n").unwrap();
    fs::write(dir.join("file"), "").unwrap();
    // Runs a command line. Returns its outcome and the run in the store `S`, without ids and times.
    let recorded = |line: &str| {
        let (code, out, err) = outcome(dir, line);
        let run = dir.join("S").exists().then(|| {
            let document = json(dir, &["--root", "S", "--format", "json"], 0);
            fs::remove_dir_all(dir.join("S")).unwrap();
            ["repo", "ref", "sha"].map(|fact| document["run"][fact].to_string()).join(" ")
                + &document["run"]["jobs"][0]["id"].to_string()
        });
        // Ignore the progress and the summary of `exec`, which contain durations and ids.
        let is_summary = |line: &str| {
            line.starts_with("rundown: run ") || line.starts_with("rundown: to open it: ")
        };
        let notices = err.lines().filter(|line| line.starts_with("rundown: "));
        let notices = notices.filter(|line| !is_summary(line));
        (code, out, notices.map(ToOwned::to_owned).collect::<Vec<_>>(), run)
    };
    let facts = [("--repo", "--repo a/b"), ("--ref", "--ref r"), ("--sha", "--sha 12ab")];
    let common = [("--config", "--config bad.toml")];
    for (command, end, own) in [
        ("record", "-- echo hello", ("--job", "--job j")),
        ("exec", "ci.toml", ("--quiet", "--quiet")),
    ] {
        let rows: Vec<_> = facts.into_iter().chain(common).chain([own]).collect();
        let listed = rows.iter().map(|(option, _)| *option).chain(["--root", "--must-record"]);
        // These have tests of their own: `steps`, `record::pipeline`, `record::output`,
        // `record::secrets`, `record::summary`, `push`.
        let own: &[&str] = match command {
            "record" => &["--run"],
            _ => &["--jobs", "--only", "--fail-fast", "--dry-run", "--watch"],
        };
        let listed = listed.chain(own.iter().copied());
        let listed = listed.chain(["--apart", "--merge", "--pty", "--exact", "--max-log"]);
        let listed = listed.chain(["--push", "--push-timeout"]);
        let listed = listed.chain(["--mask", "--no-default-masks", "--mask-output", "--env"]);
        assert_eq!(options(command), listed.map(ToOwned::to_owned).collect(), "{command}");
        let without = recorded(&format!("{command} --root S {end}"));
        assert_eq!((without.0, &without.1[..]), (Some(0), "hello\n"));
        for (option, added) in rows {
            let with = recorded(&format!("{command} --root S {added} {end}"));
            assert_ne!(without, with, "{option} of `rundown {command}`");
            assert_eq!(with.0, Some(0));
        }
        let nowhere = |added: &str| outcome(dir, &format!("{command} --root file{added} {end}"));
        assert_eq!(nowhere("").0, Some(0), "the command runs unrecorded");
        let (code, out, _) = nowhere(" --must-record");
        assert_eq!((code, &out[..]), (Some(6), ""));
    }
}

#[test]
fn every_option_of_config_has_an_effect() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("my.toml"), "wrap = true\n").unwrap();
    let rows = [
        ("--theme", "--theme light"),
        ("--ascii", "--ascii"),
        ("--notify", "--notify"),
        ("--config", "--config my.toml"),
        ("--timezone", "--timezone UTC"),
    ];
    assert_eq!(options("config"), rows.iter().map(|(option, _)| (*option).to_owned()).collect());
    let without = outcome(dir.path(), "config");
    for (option, added) in rows {
        let with = outcome(dir.path(), &format!("config {added}"));
        assert!(with.0 == Some(0) && with != without, "{option}");
    }
}

#[test]
fn an_option_without_an_effect_is_rejected() {
    let dir = TempDir::new().unwrap();
    for line in [
        "record --timezone UTC -- true",
        "--timezone UTC record -- true",
        "record --color never -- true",
        "exec --color never ci.toml",
        "doctor --timezone UTC",
        "doctor --config f",
        "list --config f",
        "list --theme dark",
        "--failed list",
        "--once record -- true",
        "demo --root R",
        "config --root R",
        "config --color never",
    ] {
        let (code, out, err) = outcome(dir.path(), line);
        assert_eq!((code, &out[..]), (Some(2), ""), "{line}");
        assert!(err.contains("unexpected argument") && err.contains("is an option of"), "{err}");
    }
    assert!(!dir.path().join(".local").exists(), "nothing was recorded");
}

#[test]
fn a_mistyped_command_is_reported_with_the_closest_match() {
    let mut store = Built::new();
    passed_run(&mut store, &run_id(1), 0);
    let error_text = |line: &str, code| {
        let output = rundown(store.root()).env("RUNDOWN_ROOT", ".").args(words(line)).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}");
        assert_eq!(output.stdout, b"", "{line}");
        String::from_utf8(output.stderr).unwrap()
    };
    for (line, code, message) in [
        ("lits", 5, "no run `lits`; did you mean `rundown list`?"),
        ("recrod", 5, "no run `recrod`; did you mean `rundown record -- CMD`?"),
        ("exce", 5, "no run `exce`; did you mean `rundown exec FILE`?"),
        ("docter --once", 5, "no run `docter`; did you mean `rundown doctor`?"),
        ("lits --follow", 5, "no run `lits`; did you mean `rundown list`?"),
        ("ls", 5, "no run `ls`; did you mean `rundown list`?"),
        ("run", 5, "no run `run`; did you mean `rundown record -- CMD`?"),
        ("show", 5, "no run `show`; did you mean `rundown`?"),
        ("latest-fail", 5, "no run `latest-fail`; did you mean `latest-failed`?"),
        ("latest-1", 5, "no run `latest-1`; did you mean `latest~1`?"),
        ("doctor latest-fail", 5, "no run `latest-fail`; did you mean `latest-failed`?"),
        ("list --before lastest", 5, "no run `lastest`; did you mean `latest`?"),
    ] {
        assert_eq!(error_text(line, code), format!("rundown: {message}\n"), "{line}");
    }
    // No command is suggested where `doctor` or `list` expects a run, and not every word is close
    // to a command.
    for line in ["doctor lits", "list --before lits", "34369c10", "nothing-like-it"] {
        let error_text = error_text(line, 5);
        assert!(
            error_text.contains("no run id, ref or commit matches")
                && !error_text.contains("did you mean"),
            "{error_text}"
        );
    }
    let error_text = error_text("run -- x", 2);
    assert!(error_text.contains("\n  tip: did you mean 'rundown record -- x'?\n"), "{error_text}");
}

#[test]
fn a_mistyped_command_is_reported_without_a_store() {
    let dir = TempDir::new().unwrap();
    let store = dir.path().join(".local/share/rundown");
    assert_eq!(
        stderr(dir.path(), &["recrod"], 6),
        format!(
            "rundown: no run `recrod`; did you mean `rundown record -- CMD`?\n         \
             no store at {}: the directory does not exist\n",
            store.display()
        )
    );
    assert!(!stderr(dir.path(), &["34369c10"], 6).contains("did you mean"));
}

#[test]
fn a_run_or_a_path_takes_precedence_over_a_similar_command() {
    let dir = TempDir::new().unwrap();
    let logs = |run: &str| dir.path().join(format!("S/runs/demo.git/{run}/jobs/build"));
    for run in ["recrod", "lits-1", "lits-2", "2-show"] {
        fs::create_dir_all(logs(run)).unwrap();
        let log = format!("2026-01-02T03:04:05Z stdout F output of {run}\n");
        fs::write(logs(run).join("sh-1.log"), log).unwrap();
    }
    let printed = |args: &[&str]| stdout(dir.path(), &[&["--root", "S"], args].concat(), 0);
    assert!(printed(&["recrod"]).contains("output of recrod"));
    assert!(printed(&["show"]).contains("output of 2-show"), "an id that ends with `show`");
    fs::copy(logs("recrod").join("sh-1.log"), dir.path().join("run")).unwrap();
    assert!(printed(&["run"]).contains("output of recrod"), "the path of a log");
    // These are not typos: two runs match `lits`, and the run `recrod` has no job `x`.
    for args in [&["lits"][..], &["recrod", "--job", "x"]] {
        let error_text = stderr(dir.path(), &[&["--root", "S"], args].concat(), 5);
        assert!(!error_text.contains("did you mean"), "{error_text}");
    }
    fs::create_dir(dir.path().join("exce")).unwrap();
    assert!(stderr(dir.path(), &["--root", "S", "exce"], 5).starts_with("rundown: no logs under"));
}

#[test]
fn the_error_for_an_option_of_another_tool_names_the_equivalent() {
    let dir = TempDir::new().unwrap();
    let error_text = stderr(dir.path(), &["--json"], 2);
    assert_eq!(
        error_text,
        "error: unexpected argument '--json' found\n\n  tip: use '--format json'\n\n\
         Usage: rundown [OPTIONS] [RUN]\n       rundown <COMMAND>\n\n\
         For more information, try '--help'.\n"
    );
}
