//! Helpers of all tests: the real binary, stores, the screen with and without a terminal.

#[cfg(feature = "remote")]
pub mod bucket;
pub mod built;
pub mod joiner;
pub mod process;
#[cfg(feature = "remote")]
pub mod proxy;
pub mod screen;
#[cfg(feature = "remote")]
pub mod server;
pub mod session;
pub mod svg;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The longest wait for a state. Only a failing test takes that long.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// Waits until a condition holds. Panics with `what`, its description, after [`TIMEOUT`].
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, || if is_so() { Ok(()) } else { Err(String::new()) });
}

/// Waits until `value` returns `Ok`, and returns its value. Panics with the last error after
/// [`TIMEOUT`].
#[track_caller]
pub fn wait_for<T>(what: &str, mut value: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match value() {
            Ok(value) => return value,
            Err(error) => {
                assert!(started.elapsed() < TIMEOUT, "waited in vain for {what}: {error}");
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Returns a command for the binary. Its environment does not depend on the CI system or the user.
pub fn rundown(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rundown"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", dir)
        .env("TZ", "UTC");
    command.current_dir(dir).stdin(Stdio::null());
    command
}

/// Runs the binary in `dir` and waits for it.
pub fn run(dir: &Path, args: &[&str]) -> Output {
    rundown(dir).args(args).output().unwrap()
}

/// Runs the binary in `dir` and returns its stdout and its stderr. Panics with both if its exit
/// status is not `code`.
fn outputs(dir: &Path, args: &[&str], code: i32) -> (String, String) {
    let output = run(dir, args);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        output.status.code(),
        Some(code),
        "rundown {args:?}\n--- stdout\n{out}\n--- stderr\n{err}"
    );
    (out.into_owned(), err.into_owned())
}

/// Returns the stdout of the binary, which exits with `code`.
pub fn stdout(dir: &Path, args: &[&str], code: i32) -> String {
    outputs(dir, args, code).0
}

/// Returns the stderr of the binary, which exits with `code`.
pub fn stderr(dir: &Path, args: &[&str], code: i32) -> String {
    outputs(dir, args, code).1
}

/// Returns the JSON document that the binary prints.
pub fn json(dir: &Path, args: &[&str], code: i32) -> serde_json::Value {
    serde_json::from_str(&stdout(dir, args, code)).unwrap()
}

/// Returns the objects that the binary prints, one per line.
pub fn json_lines(dir: &Path, args: &[&str]) -> Vec<serde_json::Value> {
    stdout(dir, args, 0).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Makes an executable shell script, and returns its path.
pub fn script(dir: &Path, name: &str, text: &str) -> String {
    let (path, draft) = (dir.join(name), dir.join(format!("{name}.draft")));
    fs::write(&draft, format!("#!/bin/sh\n{text}\n")).unwrap();
    // Another process writes the script, because a file that is open for writing cannot be
    // executed. A descriptor that this process opens could be inherited, and so kept open, by a
    // child that another test is starting.
    let copied = Command::new("cp").args([&draft, &path]).status().unwrap();
    assert!(copied.success());
    fs::remove_file(draft).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    path.to_str().unwrap().into()
}

/// Returns the path of a file or directory below `fixtures/`.
pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// Makes a store from a fixture: its logs, and a database from the SQL file beside them.
pub fn store(name: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let from = fixture("stores").join(name);
    copy_tree(&from.join("runs"), &dir.path().join("runs"));
    let sql = fs::read_to_string(from.join("quire.sql")).unwrap();
    unsynced(&dir.path().join("quire.db")).execute_batch(&sql).unwrap();
    dir
}

/// Creates a database that does not wait for the disk after each statement.
pub fn unsynced(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.pragma_update(None, "synchronous", "OFF").unwrap();
    connection
}

/// Copies a directory and all below it.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Returns the bytes of every file below a directory.
pub fn bytes_of(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(bytes_of(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}
