//! Bundles: every view of a run is the same as in its store, and no damage goes unnoticed.

use std::fs;
use std::io::Write;
use std::path::Path;

use rundown::catalog::{Catalog, RunFilter};
use rundown::cri::Stream;
use rundown::log::{Anchor, LogFile, Tail};
use serde_json::Value;

use crate::support::built::{Built, failed_run, passed_run, run_id, running, two_runs};
use crate::support::{bytes_of, json, run, stderr, stdout, store};

/// Bundles all runs of a store into `all.rundown`.
fn bundle_all(root: &Path) {
    stderr(root, &["bundle", "--root", ".", "--last", "1000", "-o", "all.rundown"], 0);
}

fn ids(dir: &Path, root: &str) -> Vec<String> {
    let list = json(dir, &["list", "--root", root, "--limit", "1000", "--format", "json"], 0);
    let runs = list["runs"].as_array().unwrap().iter();
    runs.map(|run| run["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_bundle_prints_what_its_store_prints() {
    for name in ["quire-v2-live", "quire-v2-broken", "quire-v11-broken"] {
        let dir = store(name);
        let _ = fs::remove_file(dir.path().join("all.rundown"));
        bundle_all(dir.path());
        let all = ids(dir.path(), ".");
        assert_eq!(all, ids(dir.path(), "all.rundown"), "{name}");
        for id in all {
            let print = |root, format| {
                let output = run(dir.path(), &["--root", root, "--once", &id, "--format", format]);
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                (output.status.code(), text)
            };
            let stored: Value = serde_json::from_str(&print(".", "json").1).unwrap();
            if stored["run"]["phase"] != "finished" {
                continue;
            }
            for format in ["text", "json", "jsonl", "raw", "records", "digest", "junit", "trace"] {
                let (stored, bundled) = (print(".", format), print("all.rundown", format));
                assert_eq!(without_paths(bundled), without_paths(stored), "{name} {id} {format}");
            }
        }
    }
}

/// Removes the lines that depend on the place of a log: its path, in which an unusual name of a job
/// is replaced, and the commands to run next.
fn without_paths((code, text): (Option<i32>, String)) -> (Option<i32>, String) {
    let is_other = |line: &&str| {
        let line = line.trim_start();
        !["\"path\":", "to rerun:", "to read more:"].iter().any(|start| line.starts_with(start))
    };
    (code, text.lines().filter(is_other).collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_list_shows_the_failed_command_of_each_run() {
    let store = two_runs();
    bundle_all(store.root());
    let catalogs = [store.catalog(), Catalog::of_bundle(&store.root().join("all.rundown"))];
    let [stored, bundled] = catalogs.map(|catalog| {
        let heads = catalog.runs(&RunFilter::default(), 100).unwrap().heads;
        catalog.highlights(&heads).unwrap()
    });
    assert_eq!((stored.len(), &bundled), (1, &stored));
}

#[test]
fn commands_to_run_next_name_the_bundle() {
    let store = two_runs();
    bundle_all(store.root());
    let args = ["--root", "all.rundown", "--once", "latest-failed", "--format", "digest"];
    let digest = stdout(store.root(), &args, 0);
    assert!(digest.contains("--root all.rundown") && !digest.contains("rundown rerun"), "{digest}");
    let newest = stdout(store.root(), &["all.rundown", "--once", "--format", "digest"], 0);
    assert_eq!(newest.matches("to read more").count(), newest.matches("--root all").count());
    for (command, code) in [("rerun", 2), ("begin", 6)] {
        let error = stderr(store.root(), &[command, "--root", "all.rundown"], code);
        assert!(error.contains("a bundle is only read"), "{error}");
    }
}

#[test]
fn the_same_runs_give_the_same_bytes() {
    let store = two_runs();
    bundle_all(store.root());
    let first = fs::read(store.root().join("all.rundown")).unwrap();
    bundle_all(store.root());
    assert!(fs::read(store.root().join("all.rundown")).unwrap() == first);
}

#[test]
fn a_bundle_contains_the_selected_runs() {
    let mut store = Built::new();
    for n in 1..=3 {
        failed_run(&mut store, &run_id(n), i64::from(n) * 1_000_000);
    }
    passed_run(&mut store, &run_id(4), 4_000_000);
    for (args, expected) in [
        (&[][..], &[4][..]),
        (&["latest~1", "latest~3", "latest~1"], &[3, 1]),
        (&["--last", "2"], &[4, 3]),
        (&["--failed"], &[3]),
        (&["--failed", "--last", "2"], &[3, 2]),
    ] {
        let all = [&["bundle", "--root", ".", "-o", "x.rundown"], args].concat();
        stderr(store.root(), &all, 0);
        let expected: Vec<_> = expected.iter().map(|n| run_id(*n).0).collect();
        assert_eq!(ids(store.root(), "x.rundown"), expected, "{args:?}");
    }
    let args = ["bundle", "--root", ".", "x.rundown", "latest~1", "latest", "-o", "y.rundown"];
    stderr(store.root(), &args, 0);
    let expected = [4, 3].map(|n| run_id(n).0);
    assert_eq!(ids(store.root(), "y.rundown"), expected, "each run once, also from a bundle");
    let before = bytes_of(store.root());
    let usage = stderr(store.root(), &["bundle", "--root", ".", "latest"], 2);
    assert!(usage.contains("--output"), "{usage}");
    stderr(store.root(), &["bundle", "--root", ".", "nothing", "-o", "z.rundown"], 5);
    let error = stderr(store.root(), &["bundle", "--root", ".", "-o", "no/dir.rundown"], 6);
    assert!(error.starts_with("rundown: cannot write no/dir.rundown"), "{error}");
    assert_eq!(bytes_of(store.root()), before, "nothing is left behind");
}

#[test]
fn a_run_that_has_not_ended_is_bundled_as_it_is() {
    let store = running();
    bundle_all(store.root());
    let document = json(store.root(), &["all.rundown", "--once", "--format", "json"], 0);
    let run = &document["run"];
    assert_eq!((&run["phase"], &run["interrupted"]), (&"finished".into(), &true.into()));
    let kinds: Vec<_> =
        run["findings"].as_array().unwrap().iter().map(|it| it["kind"].clone()).collect();
    assert_eq!(kinds, ["copied-early"]);
    // It never changes, so following it ends.
    stdout(store.root(), &["all.rundown", "--follow"], 0);
}

#[test]
fn names_of_any_kind_are_kept() {
    let mut store = Built::new();
    let names = ["a b", "%1", "ä/../..".trim_end_matches("/../.."), "C:\\x", "-x", "..."];
    store.begin(&run_id(1), &names, 0);
    for (n, name) in (1..).zip(names) {
        store.start(&run_id(1), name, 1, "echo", n);
        store.print(&run_id(1), name, 1, n, Stream::Stdout, name);
        store.end(&run_id(1), name, 1, 0, n + 1);
    }
    bundle_all(store.root());
    let rows = stdout(store.root(), &["all.rundown", "--once", "--format", "raw"], 0);
    assert_eq!(rows, names.concat());
}

/// Makes a store with a log of several frames, and bundles it.
fn large() -> Built {
    let mut store = Built::new();
    failed_run(&mut store, &run_id(1), 0);
    passed_run(&mut store, &run_id(2), 1_000_000);
    let line = |n: usize| format!("2026-01-02T03:04:05.{n:09}Z stdout F row {}\n", n * 7919 % 1009);
    let log: String = (0..40_000).map(line).collect();
    fs::write(store.log_path(&run_id(2), "build", 1), log).unwrap();
    bundle_all(store.root());
    store
}

#[test]
fn damage_is_reported_with_its_place() {
    let store = large();
    let path = store.root().join("all.rundown");
    let check = |code| stderr(store.root(), &["bundle", "--check", "all.rundown"], code);
    assert!(check(0).contains("all.rundown is complete: 2 runs with"));
    let whole = fs::read(&path).unwrap();
    // In the middle of the large log.
    let at = whole.len() / 2;
    let mut bytes = whole.clone();
    bytes[at] ^= 0x55;
    fs::write(&path, bytes).unwrap();
    let report = check(1);
    assert!(report.contains("jobs/build/sh-1.log.zst"), "{report}");
    assert!(report.contains("all.rundown is damaged"), "{report}");
    fs::write(&path, &whole[..at]).unwrap();
    let report = check(6);
    assert!(report.contains("cannot read the bundle all.rundown"), "{report}");
    fs::write(&path, b"PK\x03\x04 another archive").unwrap();
    let report = stderr(store.root(), &["all.rundown", "--once"], 2);
    assert!(report.contains("is a zip archive, not a log"), "{report}");
}

#[test]
fn a_log_that_cannot_be_read_is_missing_alone() {
    let store = large();
    let path = store.root().join("all.rundown");
    let whole = fs::read(&path).unwrap();
    let magic = 0x8F92_EAB1_u32.to_le_bytes();
    let ends = whole.windows(4).enumerate().filter(|(_, bytes)| *bytes == magic);
    let ends: Vec<usize> = ends.map(|(at, _)| at).collect();
    assert!(ends.len() > 2, "the ends of the logs");
    let mut changed = 0;
    for end in ends {
        let mut bytes = whole.clone();
        bytes[end] ^= 1;
        fs::write(&path, bytes).unwrap();
        let args = ["bundle", "--root", "all.rundown", "--last", "9", "-o", "again.rundown"];
        let notice = stderr(store.root(), &args, 6);
        assert!(notice.contains("the compressed log has no seek table"), "{notice}");
        stderr(store.root(), &["bundle", "--check", "again.rundown"], 1);
        let all = ids(store.root(), "again.rundown");
        assert_eq!(all, ids(store.root(), "."));
        let rows = |root, id: &str| {
            let output = run(store.root(), &["--root", root, "--once", id, "--format", "jsonl"]);
            output.stdout.len()
        };
        let fewer: Vec<&String> =
            all.iter().filter(|id| rows("again.rundown", id) != rows(".", id)).collect();
        assert!(fewer.len() <= 1, "the run of the damaged log");
        changed += fewer.len();
    }
    assert!(changed > 1, "only an empty log changes nothing");
}

#[test]
fn logs_that_were_named_by_their_path_are_bundled_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("app.log"), "hello\n").unwrap();
    let print = |name: &str| stdout(dir.path(), &[name, "--once", "--format", "json"], 0);
    stderr(dir.path(), &["bundle", "./app.log", "-o", "x.rundown"], 0);
    assert_eq!(
        without_paths((None, print("./app.log"))),
        without_paths((None, print("./x.rundown")))
    );
    fs::write(dir.path().join("b.log"), "hello\n").unwrap();
    let error = stderr(dir.path(), &["bundle", "./app.log", "./b.log", "-o", "y.rundown"], 2);
    assert!(error.contains("at most one path of logs"), "{error}");
}

#[test]
fn only_a_regular_file_is_replaced() {
    let store = two_runs();
    std::os::unix::fs::symlink("real.rundown", store.root().join("link.rundown")).unwrap();
    fs::write(store.root().join("real.rundown"), "").unwrap();
    let bundle = |to| ["bundle", "--root", ".", "-o", to];
    stderr(store.root(), &bundle("link.rundown"), 0);
    assert!(store.root().join("link.rundown").is_symlink());
    assert_eq!(ids(store.root(), "real.rundown").len(), 1);
    for target in ["/dev/null", "."] {
        stderr(store.root(), &bundle(target), 2);
    }
}

/// Reads everything of a bundle that a view reads. Errors are fine.
#[test]
fn a_root_that_is_another_file_is_refused() {
    let store = two_runs();
    fs::write(store.root().join("x.zip"), b"PK\x03\x04").unwrap();
    let error = stderr(store.root(), &["list", "--root", "x.zip"], 6);
    assert_eq!(error, "rundown: cannot read the bundle x.zip: it is a file, but not a bundle\n");
}

fn read_all(path: &Path) {
    let catalog = Catalog::of_bundle(path);
    let Ok(list) = catalog.runs(&RunFilter::default(), 100) else { return };
    for head in list.heads {
        let Ok(Some(run)) = catalog.run(&head.run.id) else { continue };
        let shs = run.jobs.iter().flat_map(|job| &job.shs);
        for log in shs.filter_map(|sh| sh.log.as_ref()) {
            let Ok(file) = LogFile::open(&log.path) else { continue };
            let _ = file.window(Anchor::End, 50, Tail::Emit);
            let mut index = file.stored_index();
            let _ = file.offset_of_row(&index, 30_000, Tail::Emit);
            let _ = file.feed(&mut index, u64::MAX);
        }
    }
}

#[test]
fn a_thousand_damaged_bundles_are_read_without_a_panic() {
    let store = large();
    let whole = fs::read(store.root().join("all.rundown")).unwrap();
    let path = store.root().join("damaged.rundown");
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = |limit: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % limit as u64).unwrap()
    };
    for round in 0..1000 {
        let mut bytes = whole.clone();
        // Half of the changes are in the directory of the archive at its end.
        let start = if round % 2 == 0 { bytes.len() - 1500 } else { 0 };
        for _ in 0..=random(4) {
            let at = start + random(bytes.len() - start);
            bytes[at] = u8::try_from(random(256)).unwrap();
        }
        if round % 10 == 0 {
            bytes.truncate(random(bytes.len()));
        }
        fs::File::create(&path).unwrap().write_all(&bytes).unwrap();
        read_all(&path);
    }
}
