//! The summary of `rundown exec`, and `exec --watch`.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use vt100::Screen;

use crate::support::session::Session;
use crate::support::{rundown, script, stderr};

const FAILING: &str = "
    [jobs.build]\ncommands = ['echo built']
    [jobs.test]\nretry = 1\ncommands = ['echo fine', 'echo \"error: no rule\" >&2; exit 3']
    [jobs.lint]\nallow_failure = true\ncommands = ['echo untidy; exit 1']
    [jobs.deploy]\nneeds = ['test']\ncommands = ['true']";

fn with_pipeline(text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("p.toml"), text).unwrap();
    script(dir.path(), "nap", "sleep 0.01");
    dir
}

/// Returns the summary without the id of the run and without durations.
fn summary(dir: &Path, args: &[&str], code: i32) -> String {
    let all = stderr(dir, args, code);
    let at = all.find("rundown: ").unwrap_or(all.len());
    let run = fs::read_dir(dir.join("R/runs/demo")).unwrap().next().unwrap().unwrap().file_name();
    let run = run.into_string().unwrap();
    let shown = all[at..].replace(&run[run.len() - 8..], "ID");
    let lines = shown.lines().map(|line| match line.split_once(" jobs, ") {
        Some((line, _)) => format!("{line} jobs\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn a_failed_run_ends_with_its_failures_its_result_and_the_command_that_opens_it() {
    let expected = "\
rundown: failed: job test, command 3: echo \"error: no rule\" >&2; exit 3: exit 3; likely cause:
E error: no rule
rundown: run ID failed: 5 commands in 4 jobs
rundown: to open it: rundown --root R ID
";
    let args = ["exec", "--root", "R", "--repo", "demo", "--jobs", "1", "p.toml"];
    for quiet in [&[][..], &["--quiet"]] {
        let dir = with_pipeline(FAILING);
        assert_eq!(summary(dir.path(), &[&args, quiet].concat(), 1), expected, "{quiet:?}");
    }
}

#[test]
fn a_passed_run_ends_with_two_lines_and_an_unrecorded_one_with_none() {
    let text = "[jobs.a]\ncommands = ['true']\n[jobs.b]\ncommands = ['true']";
    let dir = with_pipeline(text);
    let args = ["exec", "--quiet", "--root", "R", "--repo", "demo", "p.toml"];
    let expected =
        "rundown: run ID passed: 2 commands in 2 jobs\nrundown: to open it: rundown --root R ID\n";
    assert_eq!(summary(dir.path(), &args, 0), expected);
    fs::remove_dir_all(dir.path().join("R")).unwrap();
    fs::write(dir.path().join("R"), "no directory").unwrap();
    let unrecorded = stderr(dir.path(), &args, 0);
    assert!(unrecorded.starts_with("rundown: not recorded: "), "{unrecorded}");
    assert!(!unrecorded.contains("passed") && !unrecorded.contains("to open"), "{unrecorded}");
}

#[test]
fn a_default_store_needs_no_option() {
    let dir = with_pipeline("[jobs.a]\ncommands = ['true']");
    fs::create_dir(dir.path().join(".rundown")).unwrap();
    let shown = stderr(dir.path(), &["exec", "--quiet", "p.toml"], 0);
    let (_, command) = shown.trim_end().split_once("to open it: rundown ").unwrap();
    assert_eq!(command.len(), 8, "{shown}");
    let opened = rundown(dir.path()).args(["--once", command]).output().unwrap();
    assert!(opened.status.success());
}

/// Opens the screen on a pipeline that runs until `go` exists.
fn watching(dir: &TempDir, option: &str) -> Session {
    let cd = format!("cd '{}' && exec \"$@\"", dir.path().display());
    let program = env!("CARGO_BIN_EXE_rundown");
    let args = ["-c", &cd, "sh", program, "exec", "--watch", "--root", "R", option, "p.toml"];
    let session = Session::of_program("sh".as_ref(), &args.map(AsRef::as_ref), &[]);
    session.shown.wait_for("the alternate screen", Screen::alternate_screen);
    session.shown.wait_for_text("the first row");
    session
}

/// Leaves the screen while the run continues, and waits for its output.
fn leave(session: &Session) {
    session.press("q");
    session.shown.wait_for("the output after the screen", |screen| {
        !screen.alternate_screen() && screen.contents().contains("\n  the first row")
    });
}

const WATCHED: &str = "[jobs.build]\ncommands = ['echo the first row; \
                       until [ -e go ]; do ./nap; done; echo the last row; exit 3']";

#[test]
fn watch_shows_the_run_and_exits_as_it_ended() {
    let dir = with_pipeline(WATCHED);
    let session = watching(&dir, "--jobs=2");
    fs::write(dir.path().join("go"), "").unwrap();
    session.shown.wait_for_text("the last row");
    session.shown.wait_for_text("exit 3");
    session.press("q");
    assert_eq!(session.exit().code(), Some(1));
    session.assert_given_back();
    session.shown.wait_for_text("to open it: rundown --root R");
}

#[test]
fn a_watched_run_continues_after_the_screen_and_its_output_follows() {
    let dir = with_pipeline(WATCHED);
    let session = watching(&dir, "--jobs=2");
    leave(&session);
    fs::write(dir.path().join("go"), "").unwrap();
    assert_eq!(session.exit().code(), Some(1));
    session.shown.wait_for_text("the last row");
    session.shown.wait_for_text("to open it: rundown --root R");
}

#[test]
fn ctrl_c_after_the_screen_stops_a_watched_run() {
    let dir = with_pipeline(WATCHED);
    let session = watching(&dir, "--jobs=2");
    leave(&session);
    session.press("\x03");
    assert_eq!(session.exit().code(), Some(1));
    session.shown.wait_for_text("stopped: 1 command in 1 job");
}

#[test]
fn watch_without_a_terminal_is_a_usage_error_and_runs_nothing() {
    let dir = with_pipeline("[jobs.a]\ncommands = ['touch ran']");
    let shown = stderr(dir.path(), &["exec", "--watch", "p.toml"], 2);
    assert!(shown.contains("--watch needs the screen, but stdout is not a terminal"), "{shown}");
    assert!(!dir.path().join("ran").exists());
}

#[test]
fn watch_reports_why_a_run_did_not_begin() {
    let dir = with_pipeline("[jobs.a]\ncommands = []");
    let cd = format!("cd '{}' && exec \"$@\"", dir.path().display());
    let program = env!("CARGO_BIN_EXE_rundown");
    let args = ["-c", &cd, "sh", program, "exec", "--watch", "--root", "R", "none.toml"];
    let session = Session::of_program("sh".as_ref(), &args.map(AsRef::as_ref), &[]);
    assert_ne!(session.exit().code(), Some(0));
    session.shown.wait_for_text("none.toml");
}
