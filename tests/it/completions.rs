//! Completions in shells: the answers of the binary, and the scripts in the shells that are present.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::built::{Built, failed_run, passed_run, run_id};
use crate::support::{rundown, stdout};

/// Makes a store with a run that passed and a newer one that failed.
fn store() -> Built {
    let mut store = Built::new();
    passed_run(&mut store, &run_id(1), 0);
    failed_run(&mut store, &run_id(2), 100_000);
    store
}

/// Returns the kind and the words of an answer. The last word of the line is the one to complete.
#[track_caller]
fn answer(root: &Path, shell: &str, words: &[&str]) -> (String, Vec<String>) {
    let index = (words.len() - 1).to_string();
    let mut command = rundown(root);
    command.env("RUNDOWN_ROOT", ".").args(["completions", shell, "--complete", &index, "--"]);
    let Output { status, stdout, stderr } = command.args(words).output().unwrap();
    assert_eq!((status.code(), &stderr[..]), (Some(0), &b""[..]), "{words:?}");
    let text = String::from_utf8(stdout).unwrap();
    let mut lines = text.lines().map(ToOwned::to_owned);
    (lines.next().unwrap_or_default(), lines.collect())
}

#[track_caller]
fn completed(root: &Path, words: &[&str]) -> Vec<String> {
    answer(root, "bash", words).1
}

#[test]
fn words_come_from_the_store_and_the_rest_of_the_line() {
    let store = store();
    let complete = |words: &[&str]| completed(store.root(), words);
    for (words, found) in [
        (&["rundown", "li"][..], &["list"][..]),
        (&["rundown", "latest"], &["latest", "latest-failed", "latest-passed"]),
        (&["rundown", "00000"], &["00000002", "00000001"]),
        (&["rundown", "ma"], &["man", "main"]),
        (&["rundown", "00000001", "l"], &[]),
        (&["rundown", "rerun", "ma"], &["main"]),
        (&["rundown", "list", "--before", "0000000"], &["00000002", "00000001"]),
        (&["rundown", "--ref", ""], &["main"]),
        (&["rundown", "prune", "--repo", ""], &["example"]),
        (&["rundown", "--job", ""], &["build", "deploy", "test"]),
        (&["rundown", "00000001", "--job", ""], &["build"]),
        (&["rundown", "--job=t"], &["--job=test"]),
        (&["rundown", "--job", "=", "t"], &["test"]),
        (&["rundown", "00000001", "--at", ""], &["end", "start", "build/1"]),
        (&["rundown", "list", "--state", "failed,s"], &["failed,stopped", "failed,skipped"]),
        (&["rundown", "list", "--sta"], &["--state"]),
        (&["rundown", "completions", ""], &["bash", "zsh", "fish"]),
        (&["rundown", "man", "rec"], &["record"]),
        (&["rundown", "--repo", "no such", "--job", ""], &[]),
        (&["rundown", "--bogus", "--ref", ""], &["main"]),
        (&["rundown", "--root", "/nowhere", "--ref", ""], &[]),
    ] {
        assert_eq!(complete(words), found, "{words:?}");
    }
    let elsewhere = TempDir::new().unwrap();
    let root = store.root().to_str().unwrap();
    for line in [&["--root", root, "list"][..], &["list", "--root", root]] {
        let words = [&["rundown"], line, &["--ref", ""]].concat();
        assert_eq!(completed(elsewhere.path(), &words), ["main"], "{words:?}");
    }
}

#[test]
fn paths_and_programs_are_left_to_the_shell() {
    let store = store();
    for (words, kind) in [
        (&["rundown", "--root", ""][..], "directories"),
        (&["rundown", "man", "--dir", ""], "directories"),
        (&["rundown", "--db=x"], "files"),
        (&["rundown", "exec", ""], "files"),
        (&["rundown", "./x"], "files"),
        (&["rundown", "record", "--", ""], "commands"),
        (&["rundown", "--ref", ""], ""),
    ] {
        assert_eq!(answer(store.root(), "bash", words).0, kind, "{words:?}");
    }
}

#[test]
fn only_open_runs_are_offered_for_more_steps() {
    let dir = TempDir::new().unwrap();
    let begin = |args: &[&str]| stdout(dir.path(), &[&["begin", "--root", "."], args].concat(), 0);
    let ended = begin(&[]).trim().to_owned();
    stdout(dir.path(), &["end", "--root", ".", &ended], 0);
    let open = begin(&[]).trim().to_owned();
    for words in [&["rundown", "record", "--run", ""][..], &["rundown", "end", ""]] {
        assert_eq!(completed(dir.path(), words), [&open[..]], "{words:?}");
    }
}

#[test]
fn a_store_that_cannot_be_read_has_no_words_and_no_errors() {
    let dir = TempDir::new().unwrap();
    assert_eq!(completed(dir.path(), &["rundown", "--ref", ""]), [""; 0]);
    assert_eq!(completed(dir.path(), &["rundown", "latest-f"]), ["latest-failed"]);
    fs::write(dir.path().join("rundown.db"), "no database").unwrap();
    assert_eq!(completed(dir.path(), &["rundown", "--job", ""]), [""; 0]);
    for odd in
        [&["rundown", "--root"][..], &["rundown", "-h", ""], &["rundown", "no", "no", ""], &[""]]
    {
        answer(dir.path(), "zsh", odd);
    }
}

#[test]
fn a_word_of_a_hostile_store_cannot_act_in_a_shell() {
    let dir = TempDir::new().unwrap();
    let hostile =
        ["x$(id)", "x`id`", "x;id", "x|id", "x'q", "x\"q", "x y", "x*", "x\\y", "-x", "x\u{1b}[2J"];
    for name in hostile.iter().chain(&["xgood"]) {
        let [repo, ref_name, job] =
            ["repo", "ref", "job"].map(|option| format!("--{option}={name}"));
        let words = ["record", "--root", ".", &repo, &ref_name, &job, "--", "true"];
        stdout(dir.path(), &words, 0);
    }
    // The recorder stores the name of a repository only if it is harmless.
    for option in ["--ref", "--job"] {
        for shell in ["bash", "zsh", "fish"] {
            let (_, found) = answer(dir.path(), shell, &["rundown", option, "x"]);
            let [only] = &found[..] else { panic!("{option}: {found:?}") };
            assert!(only.starts_with("xgood"), "{option}: {only}");
        }
    }
    let offered = [&["rundown", ""][..], &["rundown", "--repo", ""]];
    let words = offered.map(|line| answer(dir.path(), "fish", line).1).concat();
    for word in words.iter().filter(|word| word.contains("passed ")) {
        assert!(!word.contains(['$', '`', ';', '|', '\'', '"', '*', '\\', '\u{1b}']), "{word}");
    }
}

/// Runs a script in a shell that finds the binary in its PATH; `None` without the shell.
fn in_shell(root: &Path, shell: &[&str], script: &str) -> Option<String> {
    let bin = TempDir::new().unwrap();
    symlink(env!("CARGO_BIN_EXE_rundown"), bin.path().join("rundown")).unwrap();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg(script).env("PATH", path).env("RUNDOWN_ROOT", root);
    let output = command.current_dir(root).output().ok()?;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    assert_eq!(text(output.stderr), "", "{shell:?}");
    Some(text(output.stdout))
}

#[test]
fn bash_completes_with_the_script() {
    let store = store();
    fs::create_dir(store.root().join("a dir")).unwrap();
    for (words, current, found) in [
        ("rundown latest-f", "latest-f", "latest-failed\n"),
        ("rundown --job = t", "t", "test\n"),
        ("rundown --job =", "", "build\ndeploy\ntest\n"),
        ("rundown --root a", "a", "a dir\n"),
        ("rundown --no", "--no", "--notify\n"),
    ] {
        let script = format!(
            "source <(rundown completions bash); COMP_WORDS=({words}); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _rundown rundown '{current}' x; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"; complete -p rundown"
        );
        let Some(printed) = in_shell(store.root(), &["bash", "--norc", "-c"], &script) else {
            return;
        };
        assert_eq!(printed, format!("{found}complete -F _rundown rundown\n"), "{words}");
    }
}

#[test]
fn fish_completes_with_the_script() {
    let store = store();
    let script =
        "rundown completions fish | source; complete --do-complete 'rundown 00000001 --job '";
    let Some(printed) = in_shell(store.root(), &["fish", "--no-config", "-c"], script) else {
        return;
    };
    assert_eq!(printed, "build\tpassed\n");
}

#[test]
fn zsh_accepts_the_script() {
    let store = store();
    // Completions of zsh need a terminal.
    let script = "compdef() { print $@ }; source <(rundown completions zsh)";
    let Some(printed) = in_shell(store.root(), &["zsh", "-f", "-c"], script) else { return };
    assert_eq!(printed, "_rundown rundown\n");
}
