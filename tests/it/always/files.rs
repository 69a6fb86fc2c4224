//! Stores whose files are removed, moved or changed during or after the recording of a run.

use super::*;

#[test]
fn a_removed_moved_or_replaced_store_is_reported() {
    for (change, gone) in [
        ("mv store moved", "store/rundown.db was removed, moved or replaced"),
        ("rm -r store", "store/rundown.db was removed, moved or replaced"),
        ("rm store/rundown.db", "store/rundown.db was removed, moved or replaced"),
        (
            "cp store/rundown.db x; mv x store/rundown.db",
            "store/rundown.db was removed, moved or replaced",
        ),
        ("mv store/runs moved", "was removed, moved or replaced"),
        ("rm store/runs/*/*/jobs/sh/sh-1.log", "sh-1.log was removed, moved or replaced"),
        (
            "cd store/runs/*/*/jobs/sh; rm *; mkfifo sh-1.log",
            "sh-1.log was removed, moved or replaced",
        ),
    ] {
        let dir = TempDir::new().unwrap();
        let output = run(
            dir.path(),
            &["--repo", "r"],
            &["sh", "-c", &format!("{change}; echo out; exit 7")],
        );
        let err = text(&output.stderr);
        assert_eq!(
            (output.status.code(), text(&output.stdout).as_str()),
            (Some(7), "out\n"),
            "{change}: {err}"
        );
        assert!(err.contains(gone), "{change}: {err}");
        assert_eq!(err.matches("rundown: ").count(), 1, "{change}: {err}");
    }
}

#[test]
fn a_moved_store_is_not_created_again() {
    let dir = recorded();
    fs::write(
        dir.path().join("p.toml"),
        "[jobs.a]\ncommands = ['mv store moved', 'echo 2', 'exit 3']",
    )
    .unwrap();
    let output = rundown(dir.path()).args(["--root", "store", "exec", "p.toml"]).output().unwrap();
    let err = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), "2\n"), "{err}");
    assert!(err.contains("store/rundown.db was removed, moved or replaced"), "{err}");
    assert!(!dir.path().join("store").exists(), "{err}");
}

#[test]
fn doctor_finds_a_log_whose_length_differs_from_the_recorded_one() {
    let dir = TempDir::new().unwrap();
    let script = "for i in 1 2 3; do echo line $i; done";
    assert!(run(dir.path(), &["--repo", "r"], &["sh", "-c", script]).status.success());
    let doctor = || text(&crate::support::run(dir.path(), &["--root", "store", "doctor"]).stdout);
    assert_eq!(doctor(), "");
    let log = crate::support::bytes_of(&dir.path().join("store/runs"))
        .into_keys()
        .find(|path| path.ends_with("sh-1.log"));
    let (log, bytes) = log.map(|log| (log.clone(), fs::read(log).unwrap())).unwrap();
    assert_eq!(sql(&dir, "SELECT log_bytes || '' FROM sh_calls"), [bytes.len().to_string()]);
    let first_line = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    fs::write(&log, &bytes[..first_line]).unwrap();
    let shorter =
        format!("the log is {} B shorter than when the command ended", bytes.len() - first_line);
    assert!(doctor().contains(&shorter), "{}", doctor());
    fs::write(&log, [&bytes[..], &bytes[..first_line]].concat()).unwrap();
    let longer = format!("the log is {first_line} B longer than when the command ended");
    assert!(doctor().contains(&longer), "{}", doctor());
}

#[cfg(all(target_os = "linux", not(target_env = "musl")))]
#[test]
fn logs_are_synced_once_at_the_end_of_the_run_unless_disabled() {
    let dir = TempDir::new().unwrap();
    let shim = shim(dir.path());
    fs::write(
        dir.path().join("p.toml"),
        "[jobs.a]\ncommands = ['echo 1', 'echo 2']\n[jobs.b]\ncommands = ['true']",
    )
    .unwrap();
    fs::write(dir.path().join("off.toml"), "sync = false").unwrap();
    let synced = |config: &[&str]| {
        let list = dir.path().join("synced");
        let _ = fs::remove_file(&list);
        let mut command = rundown(dir.path());
        command
            .env("LD_PRELOAD", &shim)
            .env("SYNC_LOG", &list)
            .args(["--root", "store"])
            .args(config);
        assert!(command.args(["exec", "p.toml"]).status().unwrap().success());
        let paths = fs::read_to_string(&list).unwrap_or_default();
        let logs = paths
            .lines()
            .filter_map(|path| path.split_once("/jobs/"))
            .map(|(_, log)| log.to_owned());
        logs.collect::<Vec<_>>()
    };
    assert_eq!(synced(&[]), ["a/sh-1.log", "a/sh-2.log", "b/sh-1.log"]);
    assert_eq!(synced(&["--config", "off.toml"]), [""; 0]);
}
