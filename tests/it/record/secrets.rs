//! Secrets: their values never reach the disk.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::rundown;

const SECRET: &str = "hunter2-hunter2";

/// Returns the content of all files below a directory.
fn all_bytes(dir: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend(if path.is_dir() { all_bytes(&path) } else { fs::read(path).unwrap() });
    }
    bytes
}

/// Records a command that prints a secret in several ways, some of them in two writes. Returns its
/// output and the content of the store.
fn record(args: &[&str], config: &str) -> (String, String) {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("config.toml"), config).unwrap();
    let script = "echo it is $DEPLOY_TOKEN; printf 'split hunter2-'; printf 'hunter2\\n' >&1
        printf %s $DEPLOY_TOKEN | base64; echo err $DEPLOY_TOKEN >&2; echo own $MINE; echo end";
    let mut command = rundown(dir.path());
    command
        .env("DEPLOY_TOKEN", SECRET)
        .env("MINE", "my own secret")
        .args(["record", "--root", "S"]);
    command.args(["--config", "config.toml", "--env", "DEPLOY_TOKEN"]).args(args);
    let output = command.args(["--", "sh", "-c", script, SECRET]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let passed = [output.stdout, output.stderr].concat();
    let stored = String::from_utf8_lossy(&all_bytes(&dir.path().join("S"))).into_owned();
    (String::from_utf8(passed).unwrap(), stored)
}

#[test]
fn a_secret_never_reaches_the_disk() {
    for connection in ["--apart", "--merge", "--pty", "--exact"] {
        let (passed, stored) = record(&[connection, "--mask", "MINE"], "");
        assert!(passed.contains("it is hunter2-hunter2"), "it is passed on: {passed}");
        for form in [SECRET, "aHVudGVyMi1odW50ZXIy", "my own secret"] {
            assert!(!stored.contains(form), "{connection}: {form}");
        }
        for masked in ["it is [DEPLOY_TOKEN]", "split [DEPLOY_TOKEN]", "own [MINE]", "F end"] {
            assert!(stored.contains(masked), "{connection}: {masked}");
        }
    }
}

#[test]
fn masking_is_configured() {
    let own = |stored: &str| stored.contains("my own secret");
    let token = |stored: &str| stored.contains(SECRET);
    let (passed, stored) = record(&["--no-default-masks"], "");
    assert!(own(&stored) && token(&stored) && token(&passed));
    let (passed, stored) = record(&[], "mask = ['MINE']\nmask-output = true");
    assert!(!own(&stored) && !token(&stored) && !own(&passed) && !token(&passed), "{passed}");
    assert!(passed.contains("it is [DEPLOY_TOKEN]\nsplit [DEPLOY_TOKEN]\n"), "{passed}");
    let (_, stored) = record(&[], "default-masks = false");
    assert!(token(&stored));
}

#[test]
fn a_short_value_is_not_masked_and_causes_a_warning() {
    let dir = TempDir::new().unwrap();
    let mut command = rundown(dir.path());
    command.env("A_TOKEN", "short").args(["record", "--root", "S", "--", "true"]);
    let notice = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert_eq!(notice, "rundown: the value of A_TOKEN is not masked: it has less than 6 bytes\n");
}

#[test]
fn the_secrets_of_a_job_are_masked() {
    let dir = TempDir::new().unwrap();
    let text = format!(
        "[jobs.a]\nenv = {{ KEY = \"{SECRET}\", A_PASSWORD = \"xyzzy-xyzzy\" }}\nmask = [\"KEY\"]
         commands = [\"echo $KEY $A_PASSWORD\"]\n"
    );
    fs::write(dir.path().join("ci.toml"), text).unwrap();
    let mut command = rundown(dir.path());
    let ended = command.args(["exec", "--root", "S", "ci.toml"]).output().unwrap();
    assert!(ended.status.success());
    let stored = String::from_utf8_lossy(&all_bytes(&dir.path().join("S"))).into_owned();
    assert!(stored.contains("F [KEY] [A_PASSWORD]\n"));
    assert!(!stored.contains(SECRET) && !stored.contains("xyzzy"));
}
