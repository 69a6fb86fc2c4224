//! Runs in rundown's own store, read by another process while they are recorded and after their
//! recorders are killed.

use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{rundown, stdout, wait_for};

/// Records a command that prints `started` and then waits for the end of its stdin.
fn waiting(dir: &Path) -> Child {
    let script = "echo started; printf 'a prompt: '; cat >/dev/null; exit 7";
    let mut command = rundown(dir);
    command.args(["record", "--root", "R", "--job", "wait", "--", "sh", "-c", script]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

/// Waits until the JSON document of the run meets a condition, and returns it.
fn run_when(dir: &Path, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || {
        let output =
            rundown(dir).args(["--root", "R", "--once", "--format", "json"]).output().unwrap();
        let run = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()["run"].take();
        let error = String::from_utf8_lossy(&output.stderr);
        if is_so(&run) { Ok(run) } else { Err(format!("{run:#}\n{error}")) }
    })
}

/// Ends the command that a killed recorder left running.
fn kill_left_behind(dir: &Path) {
    let connection = rusqlite::Connection::open(dir.join("R/rundown.db")).unwrap();
    let pid: i32 = connection.query_row("SELECT pid FROM sh_calls", (), |row| row.get(0)).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
}

fn is_waiting(run: &Value) -> bool {
    run["jobs"][0]["commands"][0]["log"]["rows"] == 2
}

#[test]
fn a_running_command_is_shown_with_its_output_so_far() {
    let dir = TempDir::new().unwrap();
    let mut recorder = waiting(dir.path());
    let run = run_when(dir.path(), "waiting", is_waiting);
    assert_eq!(
        (&run["phase"], &run["state"], &run["interrupted"]),
        (&json!("active"), &json!("active"), &json!(false))
    );
    let sh = &run["jobs"][0]["commands"][0];
    assert_eq!(
        (&sh["state"], &sh["join"], &sh["n"]),
        (&json!("running"), &json!("exact"), &json!(1))
    );
    assert_eq!((&sh["exit_code"], &sh["duration_ms"]), (&Value::Null, &Value::Null));
    let text = stdout(dir.path(), &["--root", "R", "--once", "--exit-status"], 4);
    assert!(text.contains("● running  wait") && text.contains("    a prompt: \n"), "{text}");

    drop(recorder.stdin.take());
    assert_eq!(recorder.wait().unwrap().code(), Some(7));
    let run = run_when(dir.path(), "finished", |run| run["phase"] == "finished");
    assert_eq!((&run["state"], &run["jobs"][0]["exit_code"]), (&json!("failed"), &json!(7)));
    assert_eq!(
        run["jobs"][0]["commands"][0]["log"]["rows"], 2,
        "the prompt without a newline is one row"
    );
}

#[test]
fn a_run_with_a_killed_recorder_is_interrupted_and_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let mut recorder = waiting(dir.path());
    run_when(dir.path(), "waiting", is_waiting);
    recorder.kill().unwrap();
    recorder.wait().unwrap();
    let before = crate::support::bytes_of(&dir.path().join("R"));
    let run = run_when(dir.path(), "interrupted", |run| run["interrupted"] == true);
    assert_eq!(
        (&run["phase"], &run["state"]),
        (&json!("finished"), &json!("active")),
        "the recorded state is unchanged"
    );
    let sh = &run["jobs"][0]["commands"][0];
    assert_eq!(
        (&sh["state"], &sh["finished_at"], &sh["log"]["rows"]),
        (&json!("interrupted"), &Value::Null, &json!(2))
    );
    stdout(dir.path(), &["--root", "R", "--once", "--exit-status"], 3);
    assert!(
        crate::support::bytes_of(&dir.path().join("R")) == before,
        "reading changes no file that the killed recorder left, including -wal and -shm"
    );

    stdout(dir.path(), &["record", "--root", "R", "--", "true"], 0);
    let listed = stdout(dir.path(), &["--root", "R", "list"], 0);
    assert!(listed.lines().next().unwrap().starts_with("✓ passed"), "{listed}");
    assert!(listed.lines().nth(1).unwrap().starts_with("! interrupted"), "{listed}");
}

#[test]
fn many_recorders_create_and_share_a_store() {
    let dir = TempDir::new().unwrap();
    let start = |n: u32| {
        let mut command = rundown(dir.path());
        command
            .args(["record", "--root", "R", "--", "echo", &n.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let recorders: Vec<Child> = (0..12).map(start).collect();
    for mut recorder in recorders {
        assert_eq!(recorder.wait().unwrap().code(), Some(0));
    }
    let listed = stdout(dir.path(), &["--root", "R", "list"], 0);
    assert_eq!(listed.matches("✓ passed").count(), 12, "{listed}");
}

#[test]
fn jobs_not_started_by_an_interrupted_pipeline_are_skipped() {
    let dir = TempDir::new().unwrap();
    let pipeline = "[jobs.a]\ncommands = [\"echo started; exec sleep 60\"]\n\
                    [jobs.b]\nneeds = [\"a\"]\ncommands = [\"true\"]\n";
    std::fs::write(dir.path().join("p.toml"), pipeline).unwrap();
    let mut command = rundown(dir.path());
    let mut recorder = command.args(["exec", "--root", "R", "--quiet", "p.toml"]).spawn().unwrap();
    let running =
        run_when(dir.path(), "running", |run| run["jobs"][0]["commands"][0]["log"]["rows"] == 1);
    assert_eq!(running["jobs"][1]["phase"], "queued");
    recorder.kill().unwrap();
    recorder.wait().unwrap();
    kill_left_behind(dir.path());
    let run = run_when(dir.path(), "interrupted", |run| run["interrupted"] == true);
    assert_eq!(
        (&run["jobs"][1]["state"], &run["jobs"][1]["phase"]),
        (&json!("pending"), &json!("finished"))
    );
    let text = stdout(dir.path(), &["--root", "R", "--once"], 0);
    assert!(text.contains("! interrupted  a") && text.contains("⊘ skipped  b"), "{text}");
}

#[test]
fn a_run_that_just_ended_is_never_reported_as_interrupted() {
    let dir = TempDir::new().unwrap();
    stdout(dir.path(), &["record", "--root", "R", "--", "true"], 0);
    for _ in 0..25 {
        let mut command = rundown(dir.path());
        let mut recorder = command.args(["record", "--root", "R", "--", "true"]).spawn().unwrap();
        while recorder.try_wait().unwrap().is_none() {
            let listed = stdout(dir.path(), &["--root", "R", "list", "--limit", "1"], 0);
            assert!(!listed.contains("interrupted"), "{listed}");
        }
    }
}

/// SQLite does not empty the `-wal` if a reader has the database open when the last writer closes
/// it.
#[test]
fn readers_do_not_prevent_checkpoints() {
    let dir = TempDir::new().unwrap();
    stdout(dir.path(), &["record", "--root", "R", "--", "true"], 0);
    let wal = dir.path().join("R/rundown.db-wal");
    for _ in 0..15 {
        let mut command = rundown(dir.path());
        let mut recorder = command.args(["record", "--root", "R", "--", "true"]).spawn().unwrap();
        while recorder.try_wait().unwrap().is_none() {
            stdout(dir.path(), &["--root", "R", "list", "--limit", "1"], 0);
        }
        assert_eq!(std::fs::metadata(&wal).map_or(0, |wal| wal.len()), 0);
    }
}
