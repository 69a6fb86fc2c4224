//! The rows that are printed of each log: `--grep`, `-C`, `--tail`, `--max-bytes` and `--failed`.

use std::fs;
use std::path::Path;

use rundown::cri::Stream;
use rundown::store::{JobEnd, RunEnd};
use tempfile::TempDir;

use crate::support::built::{Built, run_id};
use crate::support::{json_lines, run, stderr, stdout};

/// Records a run with a passed command of 4 rows, and a failed one of 501 rows that reports an
/// error in its row 101.
fn recorded() -> TempDir {
    let dir = TempDir::new().unwrap();
    let pipeline = "[jobs.test]
        commands = ['seq 4', 'seq 100; echo error: no such file: x.c:7; seq 101 500; exit 3']
        [jobs.other]
        commands = ['echo no more']";
    fs::write(dir.path().join("p.toml"), pipeline).unwrap();
    run(dir.path(), &["exec", "--root", "R", "--quiet", "--merge", "p.toml"]);
    dir
}

fn printed(dir: &Path, args: &[&str]) -> Vec<String> {
    let text = stdout(dir, &[&["--root", "R", "--once", "--job", "test"], args].concat(), 0);
    let commands = text.split("\n\n").last().unwrap();
    commands.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn matches_are_printed_with_their_context() {
    let dir = recorded();
    let sh = ["--sh", "2"];
    let rows = |args: &[&str]| printed(dir.path(), &[&sh[..], args].concat())[2..].to_vec();
    assert_eq!(rows(&["--grep", "^(22|33)$"]), ["22", "33"]);
    assert_eq!(
        rows(&["--grep", "^(22|25)$", "-C", "1"]),
        ["… 20 rows omitted", "21", "22", "23", "24", "25", "26", "… 475 rows omitted"]
    );
    let last = rows(&["--grep", "22|error", "--tail", "2"]);
    assert!(last[0].ends_with("KiB omitted") && last[1..] == ["322", "422"], "{last:?}");
    assert_eq!(rows(&["--grep", "ERROR"]), [""; 0]);
    assert_eq!(rows(&["--grep", "no such", "--stream", "stderr"]), [""; 0]);
    let bytes = rows(&["--max-bytes", "100"]);
    assert!(bytes[0].ends_with(" omitted") && bytes[1..] == ["499", "500"], "{bytes:?}");
}

#[test]
fn data_formats_print_the_same_rows() {
    let dir = recorded();
    let args = ["--root", "R", "--job", "test", "--sh", "2", "--grep", "^22$", "-C", "1"];
    let format = |format| [&args[..], &["--format", format]].concat();
    let rows = json_lines(dir.path(), &format("jsonl"));
    let rows: Vec<_> = rows.iter().map(|row| (row["row"].clone(), row["text"].clone())).collect();
    assert_eq!(
        rows,
        [(21.into(), "21".into()), (22.into(), "22".into()), (23.into(), "23".into())]
    );
    assert_eq!(stdout(dir.path(), &format("raw"), 0), "21\n22\n23\n");
    let lines = json_lines(dir.path(), &format("records"));
    let lines: Vec<_> = lines.iter().map(|line| line["content"].clone()).collect();
    assert_eq!(lines, ["21", "22", "23"]);
    let end = ["--root", "R", "--job", "test", "--max-bytes", "100", "--format", "raw"];
    assert_eq!(stdout(dir.path(), &end, 0).lines().last(), Some("500"));
    assert!(stderr(dir.path(), &end, 0).contains("omitted the first"), "the cut is reported");
}

#[test]
fn failed_commands_are_printed_with_their_cause_and_their_end() {
    let dir = recorded();
    let lines = printed(dir.path(), &["--failed", "--tail", "2"]);
    let [job, passed, failed, rows @ ..] = &lines[..] else { panic!("{lines:?}") };
    assert!(job.starts_with("✗ failed  test"), "{lines:?}");
    assert!(passed.starts_with("✓ passed  1  seq 4"), "{lines:?}");
    assert!(failed.starts_with("✗ failed  2  ") && failed.ends_with("exit 3"), "{lines:?}");
    let at = rows.iter().position(|row| row == "error: no such file: x.c:7").unwrap();
    assert!(rows[0].ends_with("KiB omitted") && at > 1, "{rows:?}");
    let [gap, end @ ..] = &rows[rows.len() - 3..] else { panic!("{rows:?}") };
    assert!(gap.ends_with("KiB omitted"), "{rows:?}");
    assert_eq!(end, ["499", "500"]);
    assert!(rows.len() < 20, "{rows:?}");
    let text = stdout(dir.path(), &["--root", "R", "--once", "--failed"], 0);
    assert!(!text.contains("other"), "{text}");
}

#[test]
fn a_failed_run_begins_with_the_first_failure_in_time() {
    let (mut store, run) = (Built::new(), run_id(1));
    store.begin(&run, &["late", "early"], 0);
    for (job, end_ms) in [("early", 1_000), ("late", 2_000)] {
        store.start(&run, job, 1, "make", 10);
        store.print(&run, job, 1, 20, Stream::Stderr, &format!("error: {job}\n"));
        store.end(&run, job, 1, 1, end_ms);
        store.end_job(&run, job, JobEnd::Failed(1), end_ms);
    }
    store.end_run(&run, RunEnd::Failed("command-failed"), 3_000);
    let text = stdout(store.root(), &["--root", ".", "--once"], 0);
    let lines: Vec<&str> = text.lines().skip(1).take(3).collect();
    let title = "first failure: job early, command 1: make: exit 1; likely cause:";
    assert_eq!(lines, ["", title, "  E error: early"]);
}

#[test]
fn an_option_without_effect_on_the_format_is_refused() {
    let dir = recorded();
    for (args, named) in [
        (&["--format", "json", "--tail", "5"][..], "--tail"),
        (&["--format", "json", "--stream", "stdout"], "--stream"),
        (&["--format", "digest", "--grep", "x"], "--grep"),
        (&["--format", "json", "--max-bytes", "5"], "--max-bytes"),
        (&["--format", "jsonl", "-t", "time"], "--timestamps"),
        (&["--format", "raw", "--timezone", "UTC"], "--timezone"),
        (&["--once", "--at", "end"], "--at"),
        (&["--once", "-C", "2"], "--grep"),
    ] {
        let message = stderr(dir.path(), &[&["--root", "R"], args].concat(), 2);
        assert!(message.contains(named), "{args:?}: {message}");
    }
    let message = stderr(dir.path(), &["--root", "R", "--format", "json", "--tail", "5"], 2);
    let why = "--tail has no effect on --format json; it applies to text, ";
    assert!(message.starts_with(&format!("rundown: {why}")), "{message}");
}
