//! Stores with hostile names, commands and links. None of these controls the terminal, and rundown
//! reads no file outside a run's directory. Findings report the skipped files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Output;

use rundown::catalog::{Catalog, RunFilter, RunSpec};
use rundown::doctor::{Oddity, examine_store};
use rundown::error::chain;
use rundown::join::Place;
use rundown::log::LogFile;
use rundown::model::RunId;
use rundown::sanitize;
use rundown::time::Time;
use rundown::tui::sim::Sim;
use rusqlite::{Connection, params};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::screen::options;
use crate::support::{bytes_of, json, rundown, store};

/// 2025-05-06T12:00:00Z.
const AT_MS: i64 = 1_746_532_800_000;

/// The content of every file that must not be read.
const MARKER: &str = "OUTSIDE-MARKER";

const FORMATS: [&str; 12] = [
    "text",
    "json",
    "jsonl",
    "raw",
    "records",
    "junit",
    "github",
    "codequality",
    "azure",
    "markdown",
    "html",
    "trace",
];

/// A store of quire's version 11, in a directory with other files.
struct Hostile {
    dir: TempDir,
}

impl Hostile {
    fn new() -> Self {
        let dir = store("quire-v11-broken");
        fs::remove_dir_all(dir.path().join("runs")).unwrap();
        let root = dir.path().join("store");
        fs::create_dir_all(root.join("runs")).unwrap();
        fs::rename(dir.path().join("quire.db"), root.join("quire.db")).unwrap();
        let store = Self { dir };
        store
            .database()
            .execute_batch("DELETE FROM sh; DELETE FROM jobs; DELETE FROM runs")
            .unwrap();
        store
    }

    /// Opens the database for a single change, so that it is closed when a test reads the store.
    /// Disables the checks that reject values of future versions.
    fn database(&self) -> Connection {
        let connection = Connection::open(self.root().join("quire.db")).unwrap();
        connection
            .execute_batch(
                "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;
                 PRAGMA synchronous = OFF",
            )
            .unwrap();
        connection
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn run(&self, id: &str, repo: &str, ref_name: &str, outcome: &str) -> PathBuf {
        let sql =
            "INSERT INTO runs VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?5, ?6, ?7, 'secret-token', NULL)";
        let sha = "\x1b[7m0123456789";
        self.database()
            .execute(sql, params![id, repo, ref_name, sha, AT_MS, AT_MS + 900, outcome])
            .unwrap();
        self.root().join("runs").join(repo).join(id)
    }

    fn job(&self, run: &str, job: &str, state: &str) {
        let sql = "INSERT INTO jobs VALUES (?1, ?2, ?3, NULL, ?4, ?5)";
        self.database().execute(sql, params![run, job, state, AT_MS, AT_MS + 800]).unwrap();
    }

    fn sh(&self, run: &str, job: &str, n: i64, cmd: &str) {
        let sql = "INSERT INTO sh VALUES (?1, ?2, ?3, ?4, 1, ?5)";
        self.database().execute(sql, params![run, job, AT_MS + n, AT_MS + n + 1, cmd]).unwrap();
    }

    fn once(&self, args: &[&str]) -> Output {
        once(self.dir.path(), &[&["--root", "store"], args].concat())
    }

    fn sim(&self, run: &str) -> Sim {
        let catalog = Catalog::of_store(&self.root(), None);
        Sim::new(
            catalog,
            Some(RunSpec::Id(run.into())),
            options(),
            (120, 60),
            Time::from_millis(AT_MS + 1000),
        )
    }
}

/// Runs the binary. The test fails if the process panics (status 70) or hangs: `timeout` kills it
/// after 30 seconds (status 124).
fn once(dir: &Path, args: &[&str]) -> Output {
    let rundown = rundown(dir);
    let mut command = std::process::Command::new("timeout");
    command
        .arg("30")
        .arg(rundown.get_program())
        .args(args)
        .current_dir(dir)
        .stdin(std::process::Stdio::null());
    command.env_clear().envs(rundown.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    assert!(
        matches!(output.status.code(), Some(code) if code != 124 && code != 70),
        "{args:?}: {output:?}"
    );
    output
}

/// Asserts that the bytes do not control a terminal. Colors and web links are allowed if `color` is
/// set.
fn assert_harmless(bytes: &[u8], color: bool, of: &str) {
    let text = str::from_utf8(bytes).unwrap();
    let plain = if color { without_colors(&without_links(text)) } else { text.to_owned() };
    let harmful =
        plain.char_indices().find(|(_, found)| *found != '\n' && !sanitize::is_harmless(*found));
    assert!(harmful.is_none(), "{of}: {harmful:?} in {plain:?}");
}

/// Removes the sequences that begin or end a link to http or https.
fn without_links(text: &str) -> String {
    let mut pieces = text.split("\x1b]8;;");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let is_target = |target: &str| {
            (target.is_empty() || target.starts_with("http://") || target.starts_with("https://"))
                && target.bytes().all(|byte| byte.is_ascii_graphic())
        };
        match piece.split_once("\x1b\\").filter(|(target, _)| is_target(target)) {
            Some((_, rest)) => plain.push_str(rest),
            None => plain.extend(["\x1b]8;;", piece]),
        }
    }
    plain
}

/// Removes the sequences `ESC [ digits m`.
fn without_colors(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|found: char| found.is_ascii_digit() || found == ';');
        match rest.strip_prefix('m') {
            Some(rest) => plain.push_str(rest),
            None => plain.extend(["\x1b[", piece]),
        }
    }
    plain
}

// ---- names ----

/// Returns hostile names of jobs. Some cannot be the name of a directory, so their jobs have no
/// logs.
fn names() -> Vec<String> {
    let names = [
        "new\nline",
        "carriage\rreturn",
        "tab\tbed",
        "\x1b[31mred\x1b[0m",
        "\x1b]0;title\x07",
        "\u{9b}31mC1",
        "\u{202e}reversed",
        "\u{2028}separated",
        "zero\u{200b}width",
        "back\\slash",
        " ",
        "with  spaces ",
        "quote'and\"both",
        "<script>",
        "%s{}$(id)`id`",
        "-rf",
        "テスト",
        "e\u{301}",
        "sh-1.log",
        ".",
        "..",
        "quire/push",
        "../../../etc",
        "/etc",
    ];
    names.into_iter().map(Into::into).chain(["x".repeat(200), "y".repeat(5000)]).collect()
}

fn commands() -> Vec<String> {
    let commands = [
        "",
        "\n\n",
        "first\nsecond\nthird",
        "[\"sh\", \"-c\", \"echo \"unescaped\"\"]",
        "[\"printf\", \"\\u001b[2J\"]",
        "\x1b[2J\x1b[H\x1b]52;c;ZXZpbA==\x07",
        "echo \u{202e}gnp.exe\u{7f}\u{85}",
    ];
    commands
        .into_iter()
        .map(Into::into)
        .chain(["z".repeat(7000), "echo long\n".repeat(700)])
        .collect()
}

const ROWS: &str = "\x1b[2J\x1b[31mred\x1b[0m \x07\x08\x0b\x0c\x7f \x1b]8;;http://x\x1b\\link \
                    \x1bP1$r\x1b\\ a\rb \u{9b}2J \u{202e}x\u{2028}y\tz";

/// Adds a run with every name and every command, and a hostile log and events of the run itself.
/// Returns its ID.
fn with_all_names(store: &Hostile) -> &'static str {
    let id = "run\x1b[2J\n\u{202e}0001";
    let run = store.run(
        id,
        "work/grouped.git",
        "refs/heads/\x1b]0;ref\x07\nmain\u{202e}",
        "failed-\x1b[5mnew\u{85}",
    );
    for (place, name) in names().iter().enumerate() {
        store.job(id, name, if place % 2 == 0 { "failed" } else { "\x1b[1mstate" });
        let cmd = &commands()[place % commands().len()];
        store.sh(id, name, 0, cmd);
        let is_part = !name.contains('/') && name != "." && name != ".." && name.len() < 256;
        let dir = run.join("jobs").join(name);
        if is_part {
            fs::create_dir_all(&dir).unwrap();
            let log = format!(
                "2025-05-06T12:00:00Z stdout F {ROWS}\n\
                 2025-05-06T12:00:00Z stderr F {ROWS}\n{ROWS}\n"
            );
            fs::write(dir.join("sh-1.log"), log).unwrap();
        }
    }
    fs::write(run.join("quire-ci.log"), format!("{ROWS}\n")).unwrap();
    let job = serde_json::to_string("only\x1b[2Jin\u{202e}events\n").unwrap();
    let events = format!(
        "{{\"at_ms\":{AT_MS},\"type\":\"job_started\",\"job_id\":{job}}}\n\
         {{\"at_ms\":{AT_MS},\"type\":\"sh_started\",\"job_id\":{job},\"cmd\":{job}}}\n\x1b[2J\n"
    );
    fs::write(run.join("events.jsonl"), events).unwrap();
    id
}

#[test]
fn no_name_command_or_row_controls_a_terminal_in_any_format() {
    let store = Hostile::new();
    with_all_names(&store);
    let before = bytes_of(&store.root());
    for color in ["never", "always"] {
        for format in FORMATS {
            let output = store.once(&["--once", "--format", format, "--color", color]);
            let of = format!("{format}, color {color}");
            if format != "raw" {
                assert!(!output.stdout.is_empty(), "{of}");
                assert_harmless(&output.stdout, color == "always", &of);
            }
            assert_harmless(&output.stderr, color == "always", &of);
        }
        for args in [
            &["list"][..],
            &["list", "--format", "json"],
            &["--once", "--failed"],
            &["--once", "--job", "\x1b[2J*"],
            &["--once", "\x1b[2Jno-such-run"],
            &["--once", "run\x1b"],
            &["list", "--repo", "\x1b[2J"],
        ] {
            let output = store.once(&[args, &["--color", color]].concat());
            assert!(!(output.stdout.is_empty() && output.stderr.is_empty()), "{args:?}");
            assert_harmless(&output.stdout, color == "always", &format!("{args:?}"));
            assert_harmless(&output.stderr, color == "always", &format!("{args:?}"));
        }
    }
    for args in [&["doctor"][..], &["doctor", "--format", "json"]] {
        let output = store.once(args);
        assert!(!output.stdout.is_empty(), "{args:?}");
        assert_harmless(&output.stdout, false, &format!("{args:?}"));
        assert_harmless(&output.stderr, false, &format!("{args:?}"));
    }
    assert!(bytes_of(&store.root()) == before);
}

#[test]
fn data_formats_contain_every_name_in_full() {
    let store = Hostile::new();
    let id = with_all_names(&store);
    let document = json(store.dir.path(), &["--root", "store", "--once", "--format", "json"], 0);
    let run = &document["run"];
    assert_eq!((run["id"].as_str(), run["repo"].as_str()), (Some(id), Some("work/grouped.git")));
    let jobs = run["jobs"].as_array().unwrap();
    let kinds = |job: &str| -> Vec<&str> {
        let of_job =
            run["findings"].as_array().unwrap().iter().filter(|finding| finding["job"] == job);
        of_job.map(|finding| finding["kind"].as_str().unwrap()).collect()
    };
    for (job, name) in jobs.iter().zip(names()) {
        let sh = &job["commands"][0];
        assert_eq!(job["id"], name);
        let is_part = !name.contains('/') && name != "." && name != ".." && name.len() < 256;
        assert_eq!(sh["log"].is_object(), is_part, "{name:?}");
        assert_eq!(kinds(&name).contains(&"refused"), !is_part, "{name:?}");
        assert_eq!(
            kinds(&name).contains(&"unsafe-name"),
            !name.chars().all(sanitize::is_harmless),
            "{name:?}"
        );
    }
    assert_eq!(jobs.len(), names().len() + 1, "and one job that only the events contain");
    let printed: Vec<&str> =
        jobs.iter().filter_map(|job| job["commands"][0]["cmd"].as_str()).collect();
    assert!(
        commands().iter().all(|cmd| printed.contains(&cmd.as_str())),
        "every command is printed in full"
    );
}

#[test]
fn no_name_command_or_row_controls_the_screen() {
    let store = Hostile::new();
    let id = with_all_names(&store);
    let mut sim = store.sim(id);
    assert_harmless(sim.keys("Tab g").screen().as_bytes(), false, "the first row");
    for step in 0..70 {
        assert_harmless(sim.keys("j").screen().as_bytes(), false, &format!("row {step}"));
    }
    assert_harmless(sim.keys("r").screen().as_bytes(), false, "the runs");
    for (width, height) in [(120, 40), (40, 10), (7, 5)] {
        assert_harmless(sim.resize(width, height).screen().as_bytes(), false, "another size");
    }
}

// ---- links and special files ----

/// An entry that a run's directory must not contain, and its finding: the job and the kind.
struct Trap {
    name: &'static str,
    /// Creates the entry. The first argument is the directory of a run that has
    /// `jobs/build/sh-2.log`, the second a directory outside the store with the files of
    /// [`lay_markers`].
    lay: fn(&Path, &Path),
    job: Option<&'static str>,
    kind: &'static str,
}

const TRAPS: &[Trap] = &[
    Trap {
        name: "log-link",
        lay: |run, outside| link(&outside.join("sh-1.log"), &run.join("jobs/build/sh-1.log")),
        job: Some("build"),
        kind: "refused",
    },
    Trap {
        name: "log-link-link",
        lay: |run, outside| {
            link(&outside.join("sh-1.log"), &run.join("way"));
            link(Path::new("../../way"), &run.join("jobs/build/sh-1.log"));
        },
        job: Some("build"),
        kind: "refused",
    },
    Trap {
        name: "log-link-climbs",
        lay: |run, _| {
            link(Path::new("../../../../../../outside/sh-1.log"), &run.join("jobs/build/sh-1.log"));
        },
        job: Some("build"),
        kind: "refused",
    },
    Trap {
        name: "log-link-loop",
        lay: |run, _| link(Path::new("sh-1.log"), &run.join("jobs/build/sh-1.log")),
        job: Some("build"),
        kind: "refused",
    },
    Trap {
        name: "log-link-device",
        lay: |run, _| link(Path::new("/dev/zero"), &run.join("jobs/build/sh-1.log")),
        job: Some("build"),
        kind: "refused",
    },
    Trap {
        name: "log-fifo",
        lay: |run, _| fifo(&run.join("jobs/build/sh-1.log")),
        job: Some("build"),
        kind: "unreadable",
    },
    Trap {
        name: "log-directory",
        lay: |run, _| fs::create_dir(run.join("jobs/build/sh-1.log")).unwrap(),
        job: Some("build"),
        kind: "unreadable",
    },
    Trap {
        name: "job-link",
        lay: |run, outside| instead(&run.join("jobs/build"), outside),
        job: Some("build"),
        kind: "refused",
    },
    Trap {
        name: "job-link-loop",
        lay: |run, _| instead(&run.join("jobs/build"), Path::new("build")),
        job: Some("build"),
        kind: "unreadable",
    },
    Trap {
        name: "job-link-other-run",
        lay: |run, _| {
            instead(&run.join("jobs/build"), Path::new("../../../other.git/other/jobs/build"));
        },
        job: Some("build"),
        kind: "refused",
    },
    Trap {
        name: "stray-link",
        lay: |run, outside| link(outside, &run.join("jobs/stray")),
        job: Some("stray"),
        kind: "refused",
    },
    Trap {
        name: "jobs-link",
        lay: |run, outside| instead(&run.join("jobs"), &outside.join("run/jobs")),
        job: None,
        kind: "refused",
    },
    Trap {
        name: "jobs-link-loop",
        lay: |run, _| instead(&run.join("jobs"), Path::new("jobs")),
        job: None,
        kind: "unreadable",
    },
    Trap {
        name: "run-link",
        lay: |run, outside| instead(run, &outside.join("run")),
        job: None,
        kind: "refused",
    },
    Trap { name: "run-link-loop", lay: |run, _| instead(run, run), job: None, kind: "unreadable" },
    Trap {
        name: "own-log-link",
        lay: |run, outside| link(&outside.join("run/quire-ci.log"), &run.join("quire-ci.log")),
        job: None,
        kind: "refused",
    },
    Trap {
        name: "own-log-fifo",
        lay: |run, _| fifo(&run.join("quire-ci.log")),
        job: None,
        kind: "unreadable",
    },
    Trap {
        name: "own-log-device",
        lay: |run, _| link(Path::new("/dev/zero"), &run.join("quire-ci.log")),
        job: None,
        kind: "refused",
    },
    Trap {
        name: "events-link",
        lay: |run, outside| link(&outside.join("run/events.jsonl"), &run.join("events.jsonl")),
        job: None,
        kind: "refused",
    },
    Trap {
        name: "events-fifo",
        lay: |run, _| fifo(&run.join("events.jsonl")),
        job: None,
        kind: "unreadable",
    },
    Trap {
        name: "events-directory",
        lay: |run, _| fs::create_dir(run.join("events.jsonl")).unwrap(),
        job: None,
        kind: "unreadable",
    },
];

fn link(to: &Path, at: &Path) {
    symlink(to, at).unwrap();
}

fn instead(dir: &Path, to: &Path) {
    fs::remove_dir_all(dir).unwrap();
    link(to, dir);
}

fn fifo(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
}

fn log_of(text: &str) -> String {
    format!("2025-05-06T12:00:00.001Z stdout F {text}\n")
}

/// Creates files that must not be read, in the layouts of a job and of a run. Each contains
/// [`MARKER`].
fn lay_markers(dir: &Path) {
    for file in [
        "sh-1.log",
        "sh-2.log",
        "run/jobs/build/sh-1.log",
        "run/jobs/build/sh-2.log",
        "run/quire-ci.log",
    ] {
        fs::create_dir_all(dir.join(file).parent().unwrap()).unwrap();
        fs::write(dir.join(file), log_of(MARKER)).unwrap();
    }
    let events =
        format!("{{\"at_ms\":{AT_MS},\"type\":\"job_started\",\"job_id\":\"{MARKER}\"}}\n");
    fs::write(dir.join("run/events.jsonl"), events).unwrap();
}

/// Makes a store with one run per trap.
fn trapped() -> Hostile {
    let store = Hostile::new();
    let outside = store.dir.path().join("outside");
    lay_markers(&outside);
    let other = store.root().join("runs/other.git/other/jobs/build");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("sh-1.log"), log_of(MARKER)).unwrap();
    for trap in TRAPS {
        let run = store.run(trap.name, "demo.git", "refs/heads/main", "failed-pipeline");
        store.job(trap.name, "build", "failed");
        store.sh(trap.name, "build", 1, "make");
        store.sh(trap.name, "build", 2, "make check");
        fs::create_dir_all(run.join("jobs/build")).unwrap();
        fs::write(run.join("jobs/build/sh-2.log"), log_of("inside")).unwrap();
        (trap.lay)(&run, &outside);
    }
    store
}

fn without_marker(output: &Output, of: &str) {
    for bytes in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains(MARKER), "{of}: {text}");
    }
}

#[test]
fn links_that_leave_a_run_are_reported_and_never_read() {
    let store = trapped();
    for Trap { name, job, kind, .. } in TRAPS {
        for format in FORMATS {
            let output = store.once(&["--once", name, "--format", format]);
            without_marker(&output, name);
            assert_eq!(
                output.status.code(),
                Some(if *kind == "unreadable" { 6 } else { 0 }),
                "{name}: {output:?}"
            );
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(
                message.contains("is not read: ") || message.contains("cannot read "),
                "{name} {format}: {message}"
            );
        }
        let output = store.once(&["--once", name, "--format", "json"]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = document["run"]["findings"].as_array().unwrap();
        let is_expected =
            |finding: &&Value| finding["kind"] == *kind && finding["job"].as_str() == *job;
        assert_eq!(findings.iter().filter(is_expected).count(), 1, "{name}: {findings:?}");
        let is_missing = |finding: &Value| {
            ["log-missing", "logs-gone"].contains(&finding["kind"].as_str().unwrap())
        };
        let is_about_logs =
            !name.starts_with("own-log") && !name.starts_with("events") && *name != "stray-link";
        assert!(
            !(is_about_logs && findings.iter().any(is_missing)),
            "{name}: not reported as missing: {findings:?}"
        );
        assert_eq!(
            findings.iter().filter(|finding| finding["kind"] == *kind).count(),
            1,
            "{name}: reported once: {findings:?}"
        );
        let screen = store.sim(name).keys("Tab g j j j j").screen();
        assert!(!screen.contains(MARKER), "{screen}");
    }
}

/// Makes a run whose files are regular and whose logs contain `inside`. Returns the store, the
/// directory of the run, and a directory outside the store with the files of [`lay_markers`].
fn with_regular_log() -> (Hostile, PathBuf, PathBuf) {
    let store = Hostile::new();
    let outside = store.dir.path().join("outside");
    lay_markers(&outside);
    let run = store.run("honest", "demo.git", "refs/heads/main", "failed-pipeline");
    store.job("honest", "build", "failed");
    store.sh("honest", "build", 1, "make");
    fs::create_dir_all(run.join("jobs/build")).unwrap();
    fs::write(run.join("jobs/build/sh-1.log"), log_of("inside")).unwrap();
    fs::write(run.join("quire-ci.log"), "inside\n").unwrap();
    fs::write(run.join("events.jsonl"), "").unwrap();
    (store, run, outside)
}

/// Replacements of entries of a run's directory by links: the entry, and the target outside.
const SWAPS: [(&str, &str); 6] = [
    ("jobs/build/sh-1.log", "sh-1.log"),
    ("jobs/build", "run/jobs/build"),
    ("jobs", "run/jobs"),
    ("quire-ci.log", "run/quire-ci.log"),
    ("events.jsonl", "run/events.jsonl"),
    ("", "run"),
];

/// Replaces an entry by a link. The replacement is atomic unless the entry is a directory.
fn swap(at: &Path, to: &Path) {
    // Remove the trailing slash that results from joining an empty path.
    let at: PathBuf = at.components().collect();
    let (new, kept) = (at.with_extension("new"), at.with_extension("kept"));
    link(to, &new);
    if at.is_dir() {
        fs::rename(&at, kept).unwrap();
    }
    fs::rename(new, &at).unwrap();
}

#[test]
fn a_link_that_replaces_an_open_log_is_reported_and_not_shown() {
    for (part, outer) in SWAPS {
        let (store, run, outside) = with_regular_log();
        let mut sim = store.sim("honest");
        let own_log = part == "quire-ci.log";
        if own_log {
            sim.keys("Tab Tab g");
        }
        assert_eq!(sim.model.tree.at == Some(Place::Run), own_log);
        let before = sim.screen();
        assert!(before.contains("inside") && !before.contains("it links outside"), "{before}");
        swap(&run.join(part), &outside.join(outer));
        for _ in 0..2 {
            let screen = sim.disk().screen();
            assert!(screen.contains("inside") && !screen.contains(MARKER), "{part}: {screen}");
            assert!(
                part == "events.jsonl" || screen.contains("it links outside"),
                "{part}: {screen}"
            );
        }
        let screen = sim.keys("G g").screen();
        assert!(!screen.contains(MARKER), "{part}: {screen}");
    }
}

#[test]
fn a_link_that_replaces_a_found_file_is_not_followed() {
    for (part, outer) in SWAPS {
        let (store, run, outside) = with_regular_log();
        let found =
            Catalog::of_store(&store.root(), None).run(&RunId("honest".into())).unwrap().unwrap();
        swap(&run.join(part), &outside.join(outer));
        let mut read = 0;
        let sh = found.jobs[0].shs[0].log.clone();
        for log in [sh, found.log, found.events].into_iter().flatten() {
            let is_swapped = log.path.starts_with(run.join(part));
            match LogFile::open(&log.path) {
                Ok(file) => assert!(!is_swapped && file.path() == &*log.path, "{part}"),
                Err(error) => {
                    assert!(
                        is_swapped && chain(&error).contains("it links outside"),
                        "{part}: {error:?}"
                    );
                }
            }
            read += 1;
        }
        assert_eq!(read, 3);
    }
}

#[test]
fn a_repository_that_links_outside_of_the_store_is_not_read() {
    let store = trapped();
    fs::rename(store.root().join("runs/demo.git"), store.dir.path().join("outside/demo.git"))
        .unwrap();
    link(&store.dir.path().join("outside/demo.git"), &store.root().join("runs/demo.git"));
    let output = store.once(&["--once", "own-log-fifo"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("it links outside the store"), "{message}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("inside"));
}

#[test]
fn the_directory_of_the_runs_may_be_a_link_to_another_disk() {
    let store = trapped();
    fs::rename(store.root().join("runs"), store.dir.path().join("disk")).unwrap();
    link(&store.dir.path().join("disk"), &store.root().join("runs"));
    let output = store.once(&["--once", "events-fifo"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("    inside\n"), "{output:?}");
}

#[test]
fn doctor_and_list_read_nothing_outside_of_the_store() {
    let store = trapped();
    let before = fs::read_dir(store.dir.path().join("outside")).unwrap().count();
    for args in [&["doctor"][..], &["doctor", "--format", "json"], &["list", "--limit", "100"]] {
        without_marker(&store.once(args), &format!("{args:?}"));
    }
    let text = String::from_utf8(store.once(&["doctor"]).stdout).unwrap();
    let message = text
        .lines()
        .filter(|line| line.contains("is not read: ") || line.contains("cannot read "))
        .count();
    assert_eq!(message, TRAPS.len(), "{text}");
    assert_eq!(fs::read_dir(store.dir.path().join("outside")).unwrap().count(), before);
}

#[test]
fn nothing_outside_of_a_store_without_a_database_is_read() {
    let store = trapped();
    fs::remove_file(store.root().join("quire.db")).unwrap();
    let list = store.once(&["list", "--limit", "100"]);
    without_marker(&list, "list");
    for Trap { name, .. } in TRAPS {
        without_marker(&store.once(&["--once", name]), name);
        // Skip these runs: rundown follows links in a path that is given on the command line.
        if !name.starts_with("run-link") {
            without_marker(
                &once(store.dir.path(), &["--once", &format!("store/runs/demo.git/{name}/")]),
                name,
            );
        }
    }
}

#[test]
fn an_unreadable_repository_is_reported_and_hides_no_run() {
    let store = Hostile::new();
    // Nest the store so deep that the path of a long name in it exceeds the limit of the system,
    // which applies to root, too.
    let mut root = store.dir.path().to_owned();
    while root.as_os_str().len() < 3850 {
        root.push("d".repeat(100));
    }
    fs::create_dir_all(root.join("runs/demo.git/one/jobs/build")).unwrap();
    fs::write(root.join("runs/demo.git/one/jobs/build/sh-1.log"), "").unwrap();
    let runs = fs::File::open(root.join("runs")).unwrap();
    rustix::fs::mkdirat(&runs, "x".repeat(255), 0o700.into()).unwrap();
    let is_expected = |notice: &String| {
        notice.starts_with("runs may be missing: cannot read ") && notice.contains("xxx")
    };

    let tree = Catalog::of_store(&root, None);
    assert_eq!(tree.runs(&RunFilter::default(), 10).unwrap().heads.len(), 1);
    assert!(matches!(&tree.notices()[..], [notice] if is_expected(notice)), "{:?}", tree.notices());

    let with_rows = Catalog::of_store(&root, Some(&store.root().join("quire.db")));
    let mut found = Vec::new();
    let report = &mut |oddity| {
        found.push(oddity);
        Ok(())
    };
    examine_store(&with_rows, &RunFilter::default(), report).unwrap();
    let is_reported =
        |oddity: &Oddity| matches!(oddity, Oddity::Store(notice) if is_expected(notice));
    assert!(
        found.contains(&Oddity::RunWithoutRow("demo.git".into(), RunId("one".into()))),
        "{found:?}"
    );
    assert_eq!(found.iter().filter(|oddity| is_reported(oddity)).count(), 1, "{found:?}");
}

#[test]
fn no_log_is_read_through_a_name_with_parent_components() {
    let store = Hostile::new();
    lay_markers(&store.root().join("runs/climbed"));
    lay_markers(&store.dir.path().join("outside"));
    for (id, repo, job) in [
        ("a", "demo.git", "../../../climbed"),
        ("b", "demo.git", ".."),
        ("c", "demo.git", "."),
        ("d", "../../outside", "build"),
        ("e", "x/../../../outside", "build"),
        ("../climbed/run", "demo.git", "build"),
        ("run", "../../outside", "build"),
    ] {
        let run = store.run(id, repo, "refs/heads/main", "failed-pipeline");
        store.job(id, job, "failed");
        store.sh(id, job, 1, "make");
        if !id.contains('/') && repo == "demo.git" {
            fs::create_dir_all(run.join("jobs")).unwrap();
            fs::write(run.join("sh-1.log"), log_of(MARKER)).unwrap();
            fs::write(run.join("jobs/sh-1.log"), log_of(MARKER)).unwrap();
        }
    }
    let listed = json(store.dir.path(), &["--root", "store", "list", "--format", "json"], 0);
    let runs = listed["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 7);
    for run in 0..runs.len() {
        for format in FORMATS {
            let output = store.once(&["--once", &format!("latest~{run}"), "--format", format]);
            without_marker(&output, format);
            let message = [output.stdout, output.stderr].concat();
            let message = String::from_utf8_lossy(&message);
            assert!(message.contains("its logs are not read"), "latest~{run} {format}: {message}");
        }
    }
    without_marker(&store.once(&["doctor"]), "doctor");
}
