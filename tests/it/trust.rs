//! Stores that are found without `--root`: the conditions on which they are used, and the messages
//! about rejected ones.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{bytes_of, copy_tree, rundown, store};

/// Makes a project with a store in `.rundown` and a directory `src`, from which the store is found.
/// Returns the project and the path of the store.
fn project() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let found = dir.path().join(".rundown");
    copy_tree(store("quire-v2-live").path(), &found);
    fs::create_dir(dir.path().join("src")).unwrap();
    (dir, found)
}

/// Runs the binary in the project's `src/`, and returns its exit code and its stderr.
fn run(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = rundown(dir);
    let output =
        command.args(args).envs(env.iter().copied()).current_dir(dir.join("src")).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

const READING: [&[&str]; 4] = [&["list"], &["--once"], &["doctor"], &[]];

/// Asserts that the store is rejected for the reason `why`, and used if the user selects it with
/// `--root`, `--db` or `RUNDOWN_ROOT`.
#[track_caller]
fn assert_refused(dir: &Path, found: &Path, why: &str) {
    let before = bytes_of(found);
    for args in READING.into_iter().chain([&["record", "--", "true"][..]]) {
        let (code, message) = run(dir, args, &[]);
        let command = format!("to use it anyway: rundown --root {}", found.display());
        assert!(
            message.contains(why) && message.contains(&command),
            "{args:?}: {code:?} {message}"
        );
        assert!(args.first() == Some(&"record") || code == Some(6), "{args:?}: {code:?} {message}");
    }
    assert!(bytes_of(found) == before, "nothing is recorded into the store");
    assert_eq!(run(dir, &["list", "--root", found.to_str().unwrap()], &[]).0, Some(0));
    assert_eq!(run(dir, &["list"], &[("RUNDOWN_ROOT", found.to_str().unwrap())]).0, Some(0));
    let database = found.join("quire.db");
    assert_eq!(run(dir, &["list", "--db", database.to_str().unwrap()], &[]).0, Some(0));
}

#[test]
fn a_store_of_this_user_is_used() {
    let (dir, _) = project();
    for args in READING {
        let (code, message) = run(dir.path(), args, &[]);
        assert!(matches!(code, Some(0 | 1)), "{args:?}: {message}");
    }
}

#[test]
fn a_store_writable_by_every_user_is_rejected() {
    for part in ["", "quire.db"] {
        let (dir, found) = project();
        let part = found.join(part);
        let mode = fs::metadata(&part).unwrap().permissions().mode();
        fs::set_permissions(&part, Permissions::from_mode(mode | 0o002)).unwrap();
        assert_refused(dir.path(), &found, "can be written by every user");
    }
}

/// Only root can change the owner of a file, so the test does nothing for other users.
#[test]
fn a_store_of_another_user_is_rejected() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for part in ["", "quire.db"] {
        let (dir, found) = project();
        chown(found.join(part), Some(4711), None).unwrap();
        assert_refused(dir.path(), &found, "belongs to another user (uid 4711)");
        assert_eq!(run(dir.path(), &["list"], &[("SUDO_UID", "4711")]).0, Some(0));
        assert_eq!(run(dir.path(), &["list"], &[("SUDO_UID", "4712")]).0, Some(6));
    }
    let (dir, found) = project();
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&found, &elsewhere).unwrap();
    symlink(&elsewhere, &found).unwrap();
    assert_eq!(run(dir.path(), &["list"], &[]).0, Some(0));
    lchown(&found, Some(4711), None).unwrap();
    assert_refused(dir.path(), &found, "belongs to another user (uid 4711)");
    lchown(&found, Some(0), None).unwrap();
    chown(&elsewhere, Some(4711), None).unwrap();
    assert_refused(dir.path(), &found, "belongs to another user (uid 4711)");
}

fn git(dir: &Path, args: &[&str]) {
    let names = [
        "-c",
        "user.name=somebody",
        "-c",
        "user.email=somebody@example.org",
        "-c",
        "init.defaultBranch=main",
    ];
    let mut command = Command::new("git");
    let output = command.current_dir(dir).args(names).args(args).env("HOME", dir).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
}

#[test]
fn nothing_is_recorded_into_a_store_that_git_tracks() {
    let (made, _) = project();
    git(made.path(), &["init", "--quiet"]);
    git(made.path(), &["add", "--all"]);
    git(made.path(), &["commit", "--quiet", "-m", "a store"]);
    let (dir, clone) = (TempDir::new().unwrap(), "clone");
    git(dir.path(), &["clone", "--quiet", made.path().to_str().unwrap(), clone]);
    let clone = dir.path().join(clone);
    fs::create_dir(clone.join("src")).unwrap();
    let before = bytes_of(&clone.join(".rundown"));
    assert_eq!(run(&clone, &["list"], &[]).0, Some(0), "the store may be read");
    fs::write(clone.join("src/p.toml"), "[jobs.j]\ncommands = [\"true\"]\n").unwrap();
    for args in [&["record", "--", "true"][..], &["exec", "p.toml"]] {
        let (_, message) = run(&clone, args, &[("GIT_DIR", "/nowhere")]);
        assert!(
            message.contains("git tracks files in it, so it came with the repository"),
            "{args:?}: {message}"
        );
    }
    assert!(bytes_of(&clone.join(".rundown")) == before);
}

#[test]
fn recording_is_allowed_if_git_tracks_only_the_gitignore_of_the_store() {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("src")).unwrap();
    fs::create_dir_all(dir.path().join(".rundown")).unwrap();
    assert_eq!(
        run(dir.path(), &["record", "--", "true"], &[]),
        (Some(0), String::new()),
        "without a repository"
    );
    git(dir.path(), &["init", "--quiet"]);
    fs::write(dir.path().join(".rundown/.gitignore"), "*\n!.gitignore\n").unwrap();
    git(dir.path(), &["add", "--all"]);
    assert_eq!(run(dir.path(), &["record", "--", "true"], &[]), (Some(0), String::new()));
    let listed = rundown(dir.path()).args(["list", "--format", "json"]).output().unwrap().stdout;
    assert_eq!(String::from_utf8(listed).unwrap().matches("\"id\"").count(), 2);
}
