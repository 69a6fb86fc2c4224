//! What the tests of the real binary share: running it, making stores, looking at every byte of
//! them.

pub mod built;
pub mod joiner;
pub mod process;
pub mod session;
pub mod svg;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The binary, in an environment that no CI and no user can change.
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

/// Its stdout, when it exits with `code`; both outputs are shown when it does not.
pub fn stdout(dir: &Path, args: &[&str], code: i32) -> String {
    let output = run(dir, args);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        output.status.code(),
        Some(code),
        "rundown {args:?}\n--- stdout\n{out}\n--- stderr\n{err}"
    );
    out.into_owned()
}

/// Its stderr, when it exits with `code`.
pub fn stderr(dir: &Path, args: &[&str], code: i32) -> String {
    let output = run(dir, args);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        output.status.code(),
        Some(code),
        "rundown {args:?}\n--- stdout\n{out}\n--- stderr\n{err}"
    );
    err.into_owned()
}

/// A JSON document that it prints.
pub fn json(dir: &Path, args: &[&str], code: i32) -> serde_json::Value {
    serde_json::from_str(&stdout(dir, args, code)).unwrap()
}

/// The objects that it prints, one a line.
pub fn json_lines(dir: &Path, args: &[&str]) -> Vec<serde_json::Value> {
    stdout(dir, args, 0).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A program of the user's: a script of the shell.
pub fn script(dir: &Path, name: &str, text: &str) -> String {
    let (path, draft) = (dir.join(name), dir.join(format!("{name}.draft")));
    fs::write(&draft, format!("#!/bin/sh\n{text}\n")).unwrap();
    // Another process writes the script. A descriptor of this one may be inherited by a child that
    // another test is just starting, and a file that is open for writing cannot be executed.
    let copied = Command::new("cp").args([&draft, &path]).status().unwrap();
    assert!(copied.success());
    fs::remove_file(draft).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    path.to_str().unwrap().into()
}

pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// A store made from a fixture: its database from the SQL beside the logs.
pub fn store(name: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let from = fixture("stores").join(name);
    copy_tree(&from.join("runs"), &dir.path().join("runs"));
    let sql = fs::read_to_string(from.join("quire.sql")).unwrap();
    let connection = rusqlite::Connection::open(dir.path().join("quire.db")).unwrap();
    connection.execute_batch(&sql).unwrap();
    dir
}

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

/// Every file of a directory with its bytes.
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
