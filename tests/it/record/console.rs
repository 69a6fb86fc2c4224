//! The output of jobs that run at the same time: blocks, lines with names, and closed outputs.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::TempDir;

use crate::support::session::Session;
use crate::support::{rundown, script};

/// Two jobs that write in turns: `a` waits for `b`, which writes while `a` is running.
const TURNS: &str = "
    [jobs.a]\ncommands = ['echo a1; touch a; until [ -e b ]; do ./nap; done; echo a2 >&2', 'echo a3']
    [jobs.b]\ncommands = ['until [ -e a ]; do ./nap; done; echo b1; echo b2 >&2; echo b3; touch b']";

/// A directory with a pipeline.
fn with_pipeline(text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("p.toml"), text).unwrap();
    script(dir.path(), "nap", "sleep 0.01");
    dir
}

fn exec(dir: &Path, options: &[&str]) -> Output {
    let args = [&["exec", "--root", "R", "p.toml"], options].concat();
    rundown(dir).args(args).output().unwrap()
}

/// Returns the lines without durations, which follow the last `·` of a job's last line.
fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let shown = text.lines().map(|line| match line.rsplit_once(" · ") {
        Some((line, _)) if line.starts_with('✓') => line.to_owned(),
        _ => line.to_owned(),
    });
    shown.collect()
}

#[test]
fn each_job_is_one_block_and_the_streams_stay_apart() {
    let dir = with_pipeline(TURNS);
    let output = exec(dir.path(), &["--jobs", "2"]);
    assert_eq!(lines(&output.stdout), ["a1", "a3", "b1", "b3"]);
    let errors = lines(&output.stderr);
    let [first, a2, third, passed, other, b2, other_passed, ..] = &errors[..] else {
        panic!("{errors:#?}")
    };
    assert!(first.starts_with("▶ a · echo a1;"), "{errors:#?}");
    assert_eq!([a2, third, passed], ["a2", "▶ a · echo a3", "✓ a"]);
    assert!(other.starts_with("▶ b · until"), "{errors:#?}");
    assert_eq!([b2, other_passed], ["b2", "✓ b"]);
}

#[test]
fn both_streams_of_a_block_are_in_the_order_of_the_record() {
    let dir = with_pipeline(&TURNS.replace("[jobs.b]", "[jobs.b]\noutput = 'exact'"));
    let merged = dir.path().join("merged");
    let file = fs::File::create(&merged).unwrap();
    let mut command = rundown(dir.path());
    command.args(["exec", "--jobs", "2", "p.toml"]);
    command.stdout(file.try_clone().unwrap()).stderr(file);
    assert!(command.status().unwrap().success());
    let all = lines(&fs::read(merged).unwrap());
    let at = all.iter().position(|line| line == "b1").unwrap();
    assert_eq!(all[at..at + 4], ["b1", "b2", "b3", "✓ b"]);
}

#[test]
fn the_first_job_passes_on_while_it_runs_and_the_next_one_after_its_end() {
    // `a` ends after `c` has ended; then `c` is printed, and `b`, which still runs, passes on.
    let text = "
        [jobs.a]\ncommands = ['echo a1; until [ -e seen1 ]; do ./nap; done']
        [jobs.b]\ncommands = ['echo b1; until [ -e seen2 ]; do ./nap; done; echo b2']
        [jobs.c]\ncommands = ['echo c1']
        [jobs.d]\nneeds = ['c']\ncommands = ['touch seen1']";
    let dir = with_pipeline(text);
    let mut command = rundown(dir.path());
    command.args(["exec", "--jobs", "3", "p.toml"]).stderr(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut next = |expected: &str| {
        let mut got = vec![0; expected.len()];
        out.read_exact(&mut got).unwrap();
        String::from_utf8(got).unwrap()
    };
    assert_eq!(next("a1\n"), "a1\n");
    assert_eq!(next("c1\nb1\n"), "c1\nb1\n");
    fs::write(dir.path().join("seen2"), "").unwrap();
    assert_eq!(next("b2\n"), "b2\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn output_that_cannot_be_held_is_passed_on_directly() {
    let dir = with_pipeline(TURNS);
    let mut command = rundown(dir.path());
    command.args(["exec", "--jobs", "2", "p.toml"]).env("TMPDIR", "/nowhere");
    let output = command.output().unwrap();
    assert_eq!(lines(&output.stdout), ["a1", "b1", "b3", "a3"]);
    assert!(output.status.success());
}

#[test]
fn jobs_that_are_not_recorded_have_blocks_too() {
    let dir = with_pipeline(TURNS);
    fs::write(dir.path().join("R"), "no directory").unwrap();
    let output = exec(dir.path(), &["--jobs", "2"]);
    assert_eq!(lines(&output.stdout), ["a1", "a3", "b1", "b3"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("rundown: not recorded"));
}

#[test]
fn a_quiet_pipeline_passes_nothing_on() {
    let dir = with_pipeline(TURNS);
    let output = exec(dir.path(), &["--jobs", "2", "--quiet"]);
    assert!(output.stdout.is_empty());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.lines().all(|line| line.starts_with("rundown: ")), "{errors}");
}

#[test]
fn the_jobs_continue_if_the_reader_of_the_output_is_gone() {
    let dir = with_pipeline(&TURNS.replace("[jobs.b]", "[jobs.b]\noutput = 'exact'"));
    let mut command = rundown(dir.path());
    command.args(["exec", "--root", "R", "--jobs", "2", "p.toml"]).stderr(Stdio::null());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert!(command.stdout(writer).status().unwrap().success());
    let mut recorded = rundown(dir.path());
    recorded.args(["--root", "R", "--once", "--format", "raw"]);
    let recorded = recorded.output().unwrap();
    assert_eq!(recorded.stdout, b"a1\na2\na3\nb1\nb2\nb3\n");
}

#[test]
fn on_a_terminal_each_line_has_the_name_of_its_job() {
    let text = "
        [jobs.build]\ncommands = ['echo one; touch a; until [ -e b ]; do ./nap; done; echo three']
        [jobs.it]\ncommands = ['until [ -e a ]; do ./nap; done; printf two; echo; touch b']";
    let dir = with_pipeline(text);
    let cd = format!("cd '{}' && exec \"$@\"", dir.path().display());
    let program = env!("CARGO_BIN_EXE_rundown");
    let args = ["-c", &cd, "sh", program, "exec", "--root", "R", "--jobs", "2", "p.toml"];
    let session = Session::of_program("sh".as_ref(), &args.map(AsRef::as_ref), &[]);
    assert!(session.exit().success());
    session.shown.wait_for_text("✓ build");
    session.shown.wait_for("lines with names", |screen| {
        let rows: Vec<String> = screen.rows(0, 80).collect();
        let at = |row: &str| rows.iter().position(|shown| shown.trim_end() == row);
        // The order of two jobs is only known approximately.
        let (one, three) = (at("build │ one"), at("build │ three"));
        one.is_some() && one < three && at("it    │ two").is_some()
    });
    session.shown.wait_for("colored names", |screen| {
        let color = |text: &str| {
            let row = screen.rows(0, 80).position(|row| row.starts_with(text)).unwrap();
            screen.cell(u16::try_from(row).unwrap(), 0).unwrap().fgcolor()
        };
        color("build │") != color("it    │") && color("build │") != vt100::Color::Default
    });
}

#[test]
fn a_prompt_of_a_job_appears_before_its_line_ends() {
    let text = "
        [jobs.asks]\ncommands = ['printf \"Ready? \"; until [ -e go ]; do ./nap; done; echo yes']
        [jobs.other]\ncommands = ['true']";
    let dir = with_pipeline(text);
    let cd = format!("cd '{}' && exec \"$@\"", dir.path().display());
    let program = env!("CARGO_BIN_EXE_rundown");
    let args = ["-c", &cd, "sh", program, "exec", "--root", "R", "--jobs", "2", "p.toml"];
    let session =
        Session::of_program("sh".as_ref(), &args.map(AsRef::as_ref), &[("NO_COLOR", "1")]);
    session.shown.wait_for_text("asks  │ Ready?");
    fs::write(dir.path().join("go"), "").unwrap();
    session.shown.wait_for_text("yes");
    assert!(session.exit().success());
}
