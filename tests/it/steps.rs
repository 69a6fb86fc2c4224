//! Runs of many steps: `begin`, commands from any process, `end`, and the recording shell.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{rundown, wait_until};

/// A directory with a store and the id of a begun run.
struct Begun {
    dir: TempDir,
    run: String,
}

impl Begun {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let run = stdout(&mut rundown_at(dir.path(), &["begin", "--name", "nightly"]));
        Self { dir, run: run.trim_end().to_owned() }
    }

    /// Returns a command for the binary in the run.
    fn step(&self, args: &[&str]) -> Command {
        let mut command = rundown_at(self.dir.path(), args);
        command.env("RUNDOWN_RUN", &self.run);
        command
    }

    fn document(&self) -> Value {
        let args = ["--format", "json", &self.run];
        serde_json::from_str(&stdout(&mut rundown_at(self.dir.path(), &args))).unwrap()
    }

    fn sql(&self, sql: &str) -> Vec<String> {
        let database = Connection::open(self.dir.path().join("S/rundown.db")).unwrap();
        let mut statement = database.prepare(sql).unwrap();
        let rows = statement.query_map((), |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

fn rundown_at(dir: &Path, args: &[&str]) -> Command {
    let mut command = rundown(dir);
    command.env("RUNDOWN_ROOT", dir.join("S")).args(args);
    command
}

/// Runs a command that succeeds without a notice, and returns its stdout.
#[track_caller]
fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{:?}: {stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Formats the jobs of a document: each job and its commands with their states.
fn jobs(document: &Value) -> Vec<String> {
    let commands = |job: &Value| {
        let commands = job["commands"].as_array().unwrap().iter();
        commands.map(|sh| format!(" {}:{}", sh["cmd"], sh["state"])).collect::<Vec<_>>().concat()
    };
    let jobs = document["run"]["jobs"].as_array().unwrap().iter();
    jobs.map(|job| format!("{}{}", job["id"], commands(job)).replace(['"', '\\'], "")).collect()
}

#[test]
fn steps_of_a_run_are_added_until_it_is_ended() {
    let begun = Begun::new();
    assert_eq!(begun.document()["run"]["waiting"], true);
    assert_eq!(stdout(&mut begun.step(&["record", "--job", "a", "--", "echo", "one"])), "one\n");
    let failed = begun.step(&["record", "--job", "b", "--", "false"]).output().unwrap();
    assert_eq!((failed.status.code(), failed.stderr.len()), (Some(1), 0));
    let named = ["record", "--run", &begun.run, "--job", "a", "--", "echo", "two"];
    assert_eq!(stdout(&mut rundown_at(begun.dir.path(), &named)), "two\n");
    assert_eq!(stdout(&mut rundown_at(begun.dir.path(), &["list"])).lines().count(), 1);
    let document = begun.document();
    assert_eq!(jobs(&document), ["a [echo,one]:passed [echo,two]:passed", "b [false]:failed"]);
    assert_eq!(
        (&document["run"]["phase"], &document["run"]["waiting"]),
        (&"active".into(), &true.into())
    );
    let end = begun.step(&["end", "--exit-status"]).output().unwrap();
    let notice = String::from_utf8(end.stderr).unwrap();
    assert_eq!(end.status.code(), Some(1), "{notice}");
    let short = &begun.run[begun.run.len() - 8..];
    let result = format!("rundown: run {short} failed: 3 commands in 2 jobs, ");
    assert!(notice.starts_with(&result), "{notice}");
    let document = begun.document();
    assert_eq!(
        (&document["run"]["state"], &document["run"]["waiting"]),
        (&"failed".into(), &false.into())
    );
    let wal = begun.dir.path().join("S/rundown.db-wal");
    assert!(!wal.exists(), "the end empties the write-ahead log");
    let again = begun.step(&["end"]).output().unwrap();
    assert_eq!(again.status.code(), Some(5));
}

#[test]
fn a_state_overrides_that_of_the_jobs() {
    for (state, word, code) in [("passed", "passed", 0), ("stopped", "stopped", 3)] {
        let begun = Begun::new();
        begun.step(&["record", "--", "false"]).output().unwrap();
        let end = begun.step(&["end", "--exit-status", "--state", state]).output().unwrap();
        let notice = String::from_utf8(end.stderr).unwrap();
        assert_eq!(end.status.code(), Some(code), "{notice}");
        assert!(notice.contains(word), "{notice}");
    }
}

#[test]
fn the_variables_of_a_run_lead_its_steps_to_its_store() {
    let dir = TempDir::new().unwrap();
    let begin = ["begin", "--root", "S", "--format", "env"];
    let text = stdout(rundown(dir.path()).args(begin));
    let variables: Vec<_> = text.lines().map(|line| line.split_once('=').unwrap()).collect();
    let names: Vec<_> = variables.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["RUNDOWN_RUN", "RUNDOWN_ROOT", "TRACEPARENT"]);
    let below = dir.path().join("below");
    fs::create_dir(&below).unwrap();
    let print = "echo $RUNDOWN_RUN; echo $RUNDOWN_ROOT; echo $TRACEPARENT; echo $RUNDOWN_JOB";
    let mut step = rundown(&below);
    step.envs(variables.iter().copied()).args(["record", "--job", "j", "--", "sh", "-c", print]);
    let printed = stdout(&mut step);
    let printed: Vec<_> = printed.lines().collect();
    assert_eq!(&printed[..2], [variables[0].1, variables[1].1]);
    assert_eq!(printed[3], "j");
    assert_eq!(printed[2][..36], variables[2].1[..36], "the same trace");
    assert_ne!(printed[2], variables[2].1, "another span");
}

#[test]
fn recorders_of_one_run_lose_nothing_and_report_no_lock() {
    const RECORDERS: usize = 8;
    const COMMANDS: usize = 12;
    let begun = Begun::new();
    thread::scope(|scope| {
        for recorder in 0..RECORDERS {
            let begun = &begun;
            scope.spawn(move || {
                for command in 0..COMMANDS {
                    let job = if recorder % 2 == 0 { "even" } else { "odd" };
                    let text = format!("{recorder} {command}");
                    let args = ["record", "--job", job, "--", "echo", &text];
                    assert_eq!(stdout(&mut begun.step(&args)), format!("{text}\n"));
                }
            });
        }
    });
    begun.step(&["end"]).output().unwrap();
    // A reader of version 2 pairs the n-th row with the n-th log.
    let sql = "SELECT run_id || '/jobs/' || job_id || '/sh-' ||
                 row_number() OVER (PARTITION BY job_id ORDER BY started_at_ms) || '.log ' ||
                 json_extract(cmd, '$[1]')
               FROM sh_events";
    let repo = begun.sql("SELECT repo FROM runs").remove(0);
    let rows = begun.sql(sql);
    assert_eq!(rows.len(), RECORDERS * COMMANDS);
    for row in rows {
        let (log, text) = row.split_once(' ').unwrap();
        let log =
            fs::read_to_string(begun.dir.path().join("S/runs").join(&repo).join(log)).unwrap();
        assert!(log.ends_with(&format!(" stdout F {text}\n")), "{row}: {log}");
    }
}

#[test]
fn a_killed_step_is_interrupted_and_its_run_goes_on() {
    let begun = Begun::new();
    let mut step = begun.step(&["record", "--job", "j", "--", "sh", "-c", "echo x; exec sleep 60"]);
    let mut step = step.stdout(Stdio::null()).spawn().unwrap();
    wait_until("the pid", || {
        !begun.sql("SELECT CAST(pid AS TEXT) FROM sh_calls WHERE pid IS NOT NULL").is_empty()
    });
    assert_eq!(begun.document()["run"]["waiting"], false);
    step.kill().unwrap();
    step.wait().unwrap();
    let pid = begun.sql("SELECT CAST(pid AS TEXT) FROM sh_calls").remove(0);
    assert!(Command::new("kill").arg(pid).status().unwrap().success());
    let document = begun.document();
    assert_eq!(document["run"]["waiting"], true);
    assert_eq!(document["run"]["jobs"][0]["commands"][0]["state"], "interrupted");
    stdout(&mut begun.step(&["record", "--job", "j", "--", "true"]));
    begun.step(&["end"]).output().unwrap();
    let document = begun.document();
    assert_eq!(document["run"]["jobs"][0]["commands"][0]["state"], "interrupted");
    assert_eq!(document["run"]["jobs"][0]["commands"][1]["state"], "passed");
    assert_eq!(
        begun.sql("SELECT CAST(exit_code AS TEXT) FROM sh_events ORDER BY started_at_ms"),
        ["-1", "0"]
    );
}

/// The recorder of the second command is killed before it writes the row. Readers of version 2 pair
/// the n-th row of a job with `sh-<n>.log`.
#[test]
fn a_step_that_was_killed_before_its_row_gets_one_at_the_end_of_the_run() {
    let begun = Begun::new();
    let record = |job: &str| {
        stdout(&mut begun.step(&["record", "--job", job, "--", "echo", job]));
    };
    record("j");
    let repo = begun.sql("SELECT repo FROM runs").remove(0);
    let jobs = begun.dir.path().join("S/runs").join(repo).join(&begun.run).join("jobs");
    fs::write(jobs.join("j/sh-2.log"), "").unwrap();
    record("j");
    fs::create_dir(jobs.join("running")).unwrap();
    let running = fs::File::create(jobs.join("running/sh-1.log")).unwrap();
    running.lock().unwrap();
    begun.step(&["end"]).output().unwrap();
    let rows = begun.sql(
        "SELECT n || ' ' || call.cmd || ' ' || exit_code FROM sh_events
         JOIN sh_calls AS call USING (run_id, job_id, started_at_ms) ORDER BY started_at_ms",
    );
    assert_eq!(rows, [r#"1 ["echo","j"] 0"#, "2  -1", r#"3 ["echo","j"] 0"#]);
    // The other command is running.
    assert_eq!(begun.sql("SELECT job_id || ' ' || state FROM jobs"), ["j failed"]);
    assert_eq!(begun.sql("SELECT state FROM runs"), ["failed"]);
    let document = begun.document();
    assert_eq!(document["run"]["jobs"][0]["commands"][1]["state"], "interrupted");
    // The lost command is not run again.
    let again = rundown_at(begun.dir.path(), &["rerun", "--quiet", &begun.run]).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(begun.sql("SELECT CAST(count(*) AS TEXT) FROM sh_calls"), ["5"]);
}

/// A command of a run of many steps fills the disk, a small file system of a new namespace.
#[test]
fn the_end_of_a_step_that_fills_the_disk_is_recorded() {
    let dir = TempDir::new().unwrap();
    let script = r#"mount -t tmpfs -o size=2m tmpfs S || exit
        export RUNDOWN_RUN="$("$0" begin)"
        "$0" record --job j -- sh -c 'head -c 4m /dev/zero; exit 7' >/dev/null
        echo "exit $?"
        rm S/runs/*/*/jobs/j/*
        "$0" --once --format json "$RUNDOWN_RUN""#;
    fs::create_dir(dir.path().join("S")).unwrap();
    let mut unshare = Command::new("unshare");
    unshare.args(["-Urm", "sh", "-c", script, env!("CARGO_BIN_EXE_rundown")]);
    unshare.current_dir(dir.path()).env("RUNDOWN_ROOT", "S");
    let output = unshare.output().unwrap();
    if output.stdout.is_empty() {
        // Not every system allows namespaces.
        return;
    }
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (exit, document) = stdout.split_once('\n').unwrap();
    let document: Value = serde_json::from_str(document).unwrap();
    let command = &document["run"]["jobs"][0]["commands"][0];
    assert_eq!((exit, command["exit_code"].as_i64()), ("exit 7", Some(7)), "{command}");
    assert!(command["lost_bytes"].as_i64() > Some(1 << 20), "{command}");
}

#[test]
fn a_command_is_recorded_as_a_run_of_its_own_if_its_run_has_ended() {
    let begun = Begun::new();
    begun.step(&["end"]).output().unwrap();
    let step = begun.step(&["record", "--", "echo", "x"]).output().unwrap();
    let notice = String::from_utf8(step.stderr).unwrap();
    assert_eq!((step.status.code(), &step.stdout[..]), (Some(0), &b"x\n"[..]));
    assert!(notice.starts_with("rundown: recorded as a run of its own: the run "), "{notice}");
    assert_eq!(begun.sql("SELECT state FROM runs"), ["complete", "complete"]);
    let step = begun.step(&["record", "--must-record", "--", "echo", "x"]).output().unwrap();
    assert_eq!((step.status.code(), step.stdout.len()), (Some(5), 0));
    // The run in the environment is in another store.
    let other = ["record", "--root", "other", "--", "echo", "x"];
    assert_eq!(stdout(&mut begun.step(&other)), "x\n");
}

#[test]
fn each_line_of_the_recording_shell_is_a_command() {
    let begun = Begun::new();
    let line = "echo $0; exit 3";
    let ended = begun.step(&["sh", "-c", line]).output().unwrap();
    assert_eq!((ended.status.code(), &ended.stdout[..]), (Some(3), &b"sh\n"[..]));
    fs::write(begun.dir.path().join("script"), "echo \"$1\"\n").unwrap();
    let mut script = begun.step(&["sh", "-eu", "script", "--help"]);
    assert_eq!(stdout(script.env("RUNDOWN_JOB", "j")), "--help\n");
    let commands = begun.sql("SELECT job_id || ' ' || cmd FROM sh_calls ORDER BY job_id DESC");
    assert_eq!(commands, ["sh echo $0; exit 3", r#"j ["sh","-eu","script","--help"]"#]);
    let mut alone = rundown_at(begun.dir.path(), &["sh", "-c", "echo alone"]);
    assert_eq!(stdout(&mut alone), "alone\n");
    assert_eq!(begun.sql("SELECT id FROM runs").len(), 2);
}

#[test]
fn a_recorded_command_adds_commands_to_its_own_job() {
    let dir = TempDir::new().unwrap();
    let binary = env!("CARGO_BIN_EXE_rundown");
    let commands =
        format!("[jobs.outer]\ncommands = [\"{binary} sh -c 'echo inner'\", \"echo after\"]\n");
    fs::write(dir.path().join("ci.toml"), commands).unwrap();
    let ended = rundown_at(dir.path(), &["exec", "--quiet", "ci.toml"]).output().unwrap();
    let summary = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), summary.lines().count()), (Some(0), 2), "{summary}");
    let text = stdout(&mut rundown_at(dir.path(), &["--format", "json"]));
    let document: Value = serde_json::from_str(&text).unwrap();
    let commands = jobs(&document).remove(0);
    let outer = format!("outer {binary} sh -c 'echo inner':passed");
    assert_eq!(commands, format!("{outer} echo inner:passed echo after:passed"));
    let numbers: Vec<_> = document["run"]["jobs"][0]["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sh| sh["n"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn recorded_commands_run_again_as_a_new_run() {
    let begun = Begun::new();
    let below = begun.dir.path().join("below");
    fs::create_dir(&below).unwrap();
    stdout(
        begun
            .step(&["record", "--job", "a", "--", "sh", "-c", "basename $PWD"])
            .current_dir(&below),
    );
    begun.step(&["record", "--job", "a", "--", "test", "-e", "made"]).output().unwrap();
    begun.step(&["record", "--job", "b", "--", "echo", "deploy [A_TOKEN]"]).output().unwrap();
    begun.step(&["end"]).output().unwrap();
    let rerun = |args: &[&str]| {
        let args = [&["rerun", "--quiet", begun.run.as_str()], args].concat();
        rundown_at(begun.dir.path(), &args).output().unwrap().status.code()
    };
    assert_eq!(rerun(&["--failed"]), Some(1));
    fs::write(begun.dir.path().join("made"), "").unwrap();
    assert_eq!(rerun(&["--failed"]), Some(0));
    assert_eq!(rerun(&["--job", "a"]), Some(0));
    assert_eq!(rerun(&["--job", "b"]), Some(2), "it contains a secret");
    assert_eq!(rerun(&["--job", "c"]), Some(5));
    let repeats = "SELECT name || ' ' || repeats FROM run_details WHERE repeats IS NOT NULL";
    assert_eq!(begun.sql(repeats), [(); 3].map(|()| format!("nightly {}", begun.run)));
    let commands = "SELECT job_id || n || ' ' || cmd FROM sh_calls
                    WHERE run_id = (SELECT max(id) FROM runs) ORDER BY n";
    let again = begun.sql(commands);
    assert_eq!(again[0], r#"a1 ["sh","-c","basename $PWD"]"#);
    assert!(again[1].starts_with("a2 cd ") && again[1].ends_with(" && test -e made"), "{again:?}");
}

/// The first command passes on its second attempt; the second command never passes.
#[test]
fn attempts_of_a_command_are_run_again_as_one_command() {
    let dir = TempDir::new().unwrap();
    let commands = "retry = 1\n[jobs.a]
        commands = ['test -e made || { touch made; exit 3; }', 'exit 4']\n";
    fs::write(dir.path().join("ci.toml"), commands).unwrap();
    let run = |args: &[&str]| {
        let ended = rundown_at(dir.path(), args).output().unwrap().status.code();
        let text = stdout(&mut rundown_at(dir.path(), &["--format", "json"]));
        (ended, jobs(&serde_json::from_str(&text).unwrap()))
    };
    let first = "test -e made || { touch made; exit 3; }";
    let all = format!("a {first}:failed {first}:passed exit 4:failed exit 4:failed");
    assert_eq!(run(&["exec", "--quiet", "ci.toml"]), (Some(1), vec![all]));
    let original = newest_run(&dir);
    for (args, again) in [
        (&["--failed"][..], "a exit 4:failed".to_owned()),
        (&["--sh", "2"], format!("a {first}:passed")),
        (&["--sh", "4"], "a exit 4:failed".to_owned()),
    ] {
        let args = [&["rerun", "--quiet", original.as_str()], args].concat();
        assert_eq!(run(&args).1, [again], "{args:?}");
    }
}

/// Returns the id of the newest run of a store.
fn newest_run(dir: &TempDir) -> String {
    let text = stdout(&mut rundown_at(dir.path(), &["--format", "json"]));
    let document: Value = serde_json::from_str(&text).unwrap();
    document["run"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_faulty_configuration_and_an_unusable_variable_are_reported() {
    let dir = TempDir::new().unwrap();
    let config = dir.path().join("config.toml");
    fs::write(&config, "mask = 1\n").unwrap();
    let begin = |args: &[&str]| {
        let mut begin = rundown_at(dir.path(), &[&["begin"], args].concat());
        begin.env("RUNDOWN_CONFIG", &config).env("EMPTY", "").env_remove("UNSET");
        begin.env("BYTES", OsStr::from_bytes(b"\xff"));
        String::from_utf8(begin.output().unwrap().stderr).unwrap()
    };
    let notices = begin(&["--env", "EMPTY", "--env", "UNSET", "--env", "BYTES"]);
    for expected in [
        "ignoring the configuration: ",
        "the variable UNSET is not recorded: it is not set\n",
        "the variable BYTES is not recorded: it is not UTF-8\n",
    ] {
        assert!(notices.contains(expected), "{notices}");
    }
    assert!(!notices.contains("EMPTY"), "{notices}");
}
