//! Stores in the buckets of real servers, which `tests/servers.sh` starts.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::servers::variable;
use crate::support::built::two_runs;
use crate::support::{rundown, wait_until};

/// The number of recorders of a fleet.
const FLEET: usize = 200;

/// A store in a bucket: a new prefix for each test.
struct Remote {
    endpoint: String,
    url: String,
    home: TempDir,
}

impl Remote {
    fn new(server: &str, prefix: &str) -> Self {
        let url = format!("s3://rundown/{prefix}");
        Self { endpoint: variable(server), url, home: TempDir::new().unwrap() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = rundown(self.home.path());
        command.env("AWS_ENDPOINT_URL_S3", &self.endpoint).args(args);
        command.env("AWS_ACCESS_KEY_ID", "rundown");
        command.env("AWS_SECRET_ACCESS_KEY", "secret-of-rundown");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn stdout(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {err}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns the bytes of a bundle with runs of a store.
    fn bundle(&self, root: &str, run: &[&str]) -> Vec<u8> {
        let path = self.home.path().join("x.rundown");
        let path_text = path.to_str().unwrap();
        self.stdout(&[&["bundle", "--root", root, "-o", path_text][..], run].concat());
        fs::read(path).unwrap()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Pushes the runs of a store, and compares what is read from the bucket with the store.
fn check_push(server: &str) {
    let remote = Remote::new(server, "push");
    let store = two_runs();
    let root = text(store.root());
    remote.stdout(&["push", "--root", root, "--last", "9", &remote.url]);
    let again = remote.run(&["push", "--root", root, "--last", "9", &remote.url]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("already pushed"));
    for args in [&["list"][..], &["--once", "latest-failed"], &["--once", "--format", "jsonl"]] {
        let of = |root: &str| remote.run(&[args, &["--root", root]].concat());
        let (local, there) = (of(root), of(&remote.url));
        let shown = String::from_utf8_lossy(&there.stdout);
        assert_eq!(shown, String::from_utf8_lossy(&local.stdout), "{args:?}");
        assert_eq!(there.status.code(), local.status.code());
    }
    assert!(
        remote.bundle(&remote.url, &["--last", "9"]) == remote.bundle(root, &["--last", "9"]),
        "the bundles differ"
    );
}

/// Follows a run from the bucket while it is recorded, and compares the rows with those of the
/// store.
fn check_live(server: &str) {
    let remote = Remote::new(server, "live");
    let dir = TempDir::new().unwrap();
    let (root, gate) = (dir.path().join("store"), dir.path().join("gate"));
    let line = format!(
        "for n in 1 2 3; do echo row $n; done; while ! [ -e {} ]; do sleep 0.1; done; echo last",
        text(&gate)
    );
    let record = ["record", "--root", text(&root), "--push", &remote.url, "--", "sh", "-c", &line];
    let mut recorder = remote.command(&record).stdout(Stdio::null()).spawn().unwrap();
    wait_until("the run is in the list", || {
        String::from_utf8_lossy(&remote.run(&["list", "--root", &remote.url]).stdout)
            .contains("running")
    });
    let follow = ["--root", &remote.url, "--follow"];
    let child = remote.command(&follow).stdout(Stdio::piped()).spawn().unwrap();
    wait_until("the rows are in the bucket", || {
        let shown = remote.run(&["--root", &remote.url, "--once"]).stdout;
        String::from_utf8_lossy(&shown).contains("row 3")
    });
    fs::write(&gate, "").unwrap();
    assert!(recorder.wait().unwrap().success());
    let followed = child.wait_with_output().unwrap();
    let followed = String::from_utf8_lossy(&followed.stdout);
    for row in ["row 1", "row 2", "row 3", "last"] {
        let found = followed.lines().filter(|line| line.trim() == row).count();
        assert_eq!(found, 1, "{row}: {followed}");
    }
    let rows = ["--once", "--format", "jsonl"];
    let of = |root: &str| remote.stdout(&[&rows[..], &["--root", root]].concat());
    assert_eq!(of(&remote.url), of(text(&root)));
}

/// Records and pushes many runs at the same time.
fn check_fleet(server: &str) {
    let remote = Remote::new(server, "fleet");
    let dir = TempDir::new().unwrap();
    let started = Instant::now();
    let record = |n: usize| {
        let root = dir.path().join(n.to_string());
        let code = i32::from(n.is_multiple_of(3));
        let line = format!("seq {n} {}; echo error of {n} >&2; exit {code}", n * 50);
        let args =
            ["record", "--root", text(&root), "--push", &remote.url, "--push-timeout", "300"];
        let mut command = remote.command(&[&args[..], &["--", "sh", "-c", &line]].concat());
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let fleet: Vec<Child> = (0..FLEET).map(record).collect();
    for (n, recorder) in fleet.into_iter().enumerate() {
        let output = recorder.wait_with_output().unwrap();
        let code = i32::from(n.is_multiple_of(3));
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "recorder {n}: {err}");
    }
    eprintln!("{FLEET} recorders: {} ms", started.elapsed().as_millis());
    let listed =
        remote.stdout(&["list", "--root", &remote.url, "--limit", "500", "--format", "jsonl"]);
    assert_eq!(listed.lines().count(), FLEET, "{listed}");
    for n in 0..FLEET {
        let root = dir.path().join(n.to_string());
        let listed = remote.stdout(&["list", "--root", text(&root), "--format", "json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let id = listed["runs"][0]["id"].as_str().unwrap().to_owned();
        let (there, local) =
            (remote.bundle(&remote.url, &[&id]), remote.bundle(text(&root), &[&id]));
        assert!(there == local, "run {n} is different in the bucket");
    }
}

#[test]
#[ignore = "needs the servers of tests/servers.sh"]
fn s3_servers_stores_in_seaweedfs() {
    check_push("RUNDOWN_TEST_SEAWEEDFS");
    check_live("RUNDOWN_TEST_SEAWEEDFS");
}

#[test]
#[ignore = "needs the servers of tests/servers.sh"]
fn s3_servers_fleet_in_seaweedfs() {
    check_fleet("RUNDOWN_TEST_SEAWEEDFS");
}

#[test]
#[ignore = "needs the servers of tests/servers.sh"]
fn s3_servers_stores_in_moto() {
    check_push("RUNDOWN_TEST_MOTO");
    check_live("RUNDOWN_TEST_MOTO");
}

#[test]
#[ignore = "needs the servers of tests/servers.sh"]
fn s3_servers_rclone_is_not_written_to() {
    let remote = Remote::new("RUNDOWN_TEST_RCLONE", "push");
    let store = two_runs();
    let refused = remote.run(&["push", "--root", text(store.root()), &remote.url]);
    let err = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && err.contains("If-None-Match"), "{err}");
    let listed = remote.run(&["list", "--root", &remote.url]);
    assert!(!String::from_utf8_lossy(&listed.stdout).contains("passed"));
}
