//! The fuzz targets of `fuzz/`, run on their seeds and on inputs that once failed. Unlike
//! cargo-fuzz, the tests run on any toolchain.
//!
//! They generate the seeds from the fixtures and write them to `target/tmp/fuzz/TARGET`, from where
//! cargo-fuzz reads them (see CONTRIBUTING.md). Inputs that failed are in
//! `fuzz/regressions/TARGET`.

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rundown::cli::Config;
use rundown::record::DEMO;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::built::{Built, failed_run, passed_run, run_id};
use crate::support::process::alone;
use crate::support::{fixture, unsynced};

/// The largest seed that is made from a log. The fuzzer mutates short inputs faster.
const MAX_SEED_BYTES: usize = 8 << 10;

/// Writes the seeds of a target for cargo-fuzz, and runs the target on them and on its regression
/// inputs.
fn run(target: &str, check: fn(&[u8]), seeds: &[(String, Vec<u8>)]) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz").join(target);
    fs::create_dir_all(&dir).unwrap();
    assert!(!seeds.is_empty(), "{target}");
    for (name, seed) in seeds {
        fs::write(dir.join(name), seed).unwrap();
        eprintln!("{target}: seed {name}");
        check(seed);
    }
    let regressions = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions").join(target);
    for path in if regressions.is_dir() { files_in(&regressions) } else { Vec::new() } {
        eprintln!("{target}: {}", path.display());
        check(&fs::read(path).unwrap());
    }
}

/// Returns the files of a directory, sorted by name.
fn files_in(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Returns the logs of the fixtures, at most [`MAX_SEED_BYTES`] of each.
fn logs() -> Vec<(String, Vec<u8>)> {
    let files = ["failures", "groups", "progress"].iter().flat_map(|dir| files_in(&fixture(dir)));
    let seed = |path: PathBuf| {
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(MAX_SEED_BYTES);
        (name_of(&path), bytes)
    };
    files.map(seed).collect()
}

/// Returns the name and the input of each CRI test case with at most [`MAX_SEED_BYTES`].
fn cri_cases() -> Vec<(String, Vec<u8>)> {
    let text = fs::read_to_string(fixture("cri-corpus/cases.jsonl")).unwrap();
    let seed = |line: &str| {
        let case: Value = serde_json::from_str(line).unwrap();
        let input = BASE64_STANDARD.decode(case["input_b64"].as_str().unwrap()).unwrap();
        (case["name"].as_str().unwrap().to_owned(), input)
    };
    text.lines().map(seed).filter(|(_, input)| input.len() <= MAX_SEED_BYTES).collect()
}

/// Prepends to each seed the bytes that a target reads before the file.
fn with_head(head: &[u8], seeds: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    seeds.into_iter().map(|(name, seed)| (name, [head, &seed].concat())).collect()
}

#[test]
fn cri_lines() {
    run("cri_lines", fuzz::cri_lines, &cri_cases());
}

#[test]
fn log_rows() {
    // Read three rows from the middle of the log on.
    let head = [0, 0x80, 3];
    let mut seeds = with_head(&head, [logs(), cri_cases()].concat());
    // `far`: partial records of one row that are too far apart to be joined in a window, and rows
    // that are as far apart. `long`: a line of more than 1 MiB.
    let piece = |stream: &str, tag: &str, blocks: u8| {
        let header = format!("2026-01-02T03:04:05.1Z {stream} {tag} ");
        [header.as_bytes(), &[0xff, 0xfe, blocks], b"\n"].concat()
    };
    let far = [("stdout", "P", 3), ("stderr", "F", 70), ("stdout", "P", 40), ("stdout", "F", 1)];
    let far: Vec<u8> =
        far.iter().flat_map(|(stream, tag, blocks)| piece(stream, tag, *blocks)).collect();
    let long = [piece("stdout", "P", 255), piece("stdout", "P", 2), b"\rlast\xff\xfe\xff".to_vec()]
        .concat();
    seeds.extend([("far".to_owned(), [&head[..], &far].concat())]);
    seeds.extend([("long".to_owned(), [&head[..], &long].concat())]);
    run("log_rows", fuzz::log_rows, &seeds);
}

/// Rows with sequences that a terminal may execute (colors, links, cursor moves, titles, the
/// clipboard, modes, C0, C1) and with characters that reorder or hide text.
const HOSTILE_ROWS: &str = "\
\x1b[1;31mred\x1b[m \x1b]8;;https://a.example/x\x07link\x1b]8;;\x1b\\ 日本\t👩\u{200d}👧\tx
one\rtwo\x1b[K\x1b[2A\x1b[3Cup\x08\x1b[2K\x1b[1B\x1b[4@\x1b[2P\x1b[9X\x1b[38;2;1;2;3mrgb\x1b[48:5:7m
\x1b]0;title\x07\x1b]52;c;aGk=\x1b\\\x1bP+q\x1b\\\x1b_apc\x1b\\\x1bc\x1b(0\x1b[?1049h\x1b[2J\
\x1b[?25l
a\0b\x07c\x7f\x0b\x0c\x0e\u{85}\u{9b}31m\u{202e}gpj.exe\u{2066}\u{200f}\u{61c}\u{200b}\u{feff}\
\u{ad}\u{2028}
";

#[test]
fn sanitizer() {
    // The first byte selects, in turn, the last state of progress (80) or all states (81), with 40
    // visible columns.
    let logs = logs().into_iter().zip([80_u8, 81].into_iter().cycle());
    let contents = |log: &[u8]| -> Vec<u8> {
        let lines = log.split_inclusive(|byte| *byte == b'\n');
        lines
            .flat_map(|line| line.splitn(4, |byte| *byte == b' ').last().unwrap_or(line))
            .copied()
            .collect()
    };
    let seed = |((name, log), first): ((String, Vec<u8>), u8)| {
        (name, [&[first], &contents(&log)[..]].concat())
    };
    let mut seeds: Vec<_> = logs.map(seed).collect();
    for (name, first) in [("last", 80), ("full", 81)] {
        seeds.push((name.into(), [&[first], HOSTILE_ROWS.as_bytes(), b"\x9b31m\xe2\x82"].concat()));
    }
    run("sanitizer", fuzz::sanitizer, &seeds);
}

#[test]
fn events() {
    let mut seeds = Vec::new();
    for repo in ["demo.git", "work/grouped.git"] {
        for run in files_in(&fixture("stores/quire-v11-broken/runs").join(repo)) {
            if let Ok(events) = fs::read(run.join("events.jsonl")) {
                seeds.push((name_of(&run), events));
            }
        }
    }
    run("events", fuzz::events, &seeds);
}

#[test]
fn pipeline() {
    let files = files_in(&fixture("pipelines"));
    let mut seeds: Vec<_> =
        files.iter().map(|path| (name_of(path), fs::read(path).unwrap())).collect();
    seeds.push(("demo.toml".into(), DEMO.as_bytes().to_vec()));
    let all = "name = \"all\"\n[jobs.a]\ncommands = [\"true\", [\"echo\", \"a b\"]]\n\
               [jobs.'b c']\nneeds = [\"a\"]\ncommands = ['''x\ny''']\n\
               [jobs]\nd.commands = [[\"sh\"]]\n";
    let circle = "jobs = { a = { needs = [\"b\"], commands = [\"x\"] }, \
                  b = { needs = [\"a\"], commands = [\"x\"] } }";
    seeds.extend([("all".into(), all.into()), ("circle".into(), circle.into())]);
    run("pipeline", fuzz::pipeline, &seeds);
}

#[test]
fn mask() {
    let key = "-----BEGIN KEY-----\\nMIIEpAIBAAKCAQEA\\nshort\\n-----END KEY-----";
    let text = "-----BEGIN KEY-----\r\nMIIEpAIBAAKCAQEA\r\nshort\r\n-----END KEY-----\r\n \
                aHVudGVyMg== cGFzc3dvcmQ6aHVudGVyMg it\\'s%20aabaab aabaabaab hunter2hunter2";
    let seeds = [
        ("key", format!("{key}|hunter2|it's aabaab|aabaab\n\x03{text}")),
        (
            "overlap",
            "aabaab|abcabcabd|a b a b a b|bababa\n\x02aabaabaab abcabcabcabd a  b a\tb a b".into(),
        ),
    ];
    run("mask", fuzz::mask, &seeds.map(|(name, seed)| (name.into(), seed.into_bytes())));
}

#[test]
fn config() {
    let some = "ascii = true\nmouse = false\nwrap = true\nnumbers = true\nnotify = true\n\
                times = \"delta\"\ntimezone = \"Europe/Berlin\"\n\
                theme = { name = \"dark\", match = \"black on #d787af\", bad = \"plain\" }\n\
                [keys]\nnext-error = [\"x\", \"g e\"]\ntop = \"Home\"\nfollow = []\n\
                [keys.tree]\nopen = \"Ctrl-o\"\n";
    assert!(Config::checked(Path::new("some"), some.as_bytes()).is_ok());
    let faults = "wrap = 1\n[theme]\nbad = \"rde\"\nname = 3\n[keys.log]\nnope = 1\nwrap = 2\n";
    let printed = Config::default().to_toml();
    let seeds = [("some", some), ("faults", faults), ("all", &printed), ("empty", "")];
    run("config", fuzz::config, &seeds.map(|(name, text)| (name.into(), text.into())));
}

/// Makes a database from SQL. Its pages are small, so that a changed byte has an effect more often.
fn database_of(sql: &str) -> Vec<u8> {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("made.db");
    let connection = unsynced(&path);
    connection.execute_batch("PRAGMA page_size = 512").unwrap();
    connection.execute_batch(sql).unwrap();
    drop(connection);
    fs::read(path).unwrap()
}

/// Returns the contents of a database and of the file beside it with the suffix `beside`, as they
/// are while a writer has changed the database and still has it open. `pragma` is executed first.
fn left_open(pragma: &str, beside: &str) -> (Vec<u8>, Vec<u8>) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("quire.db");
    let sql = fs::read_to_string(fixture("stores/quire-schema-steps/v02.sql")).unwrap();
    fs::write(&path, database_of(&sql)).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(pragma).unwrap();
    connection.execute_batch("BEGIN; UPDATE runs SET sha = 'changed'").unwrap();
    if beside == "-wal" {
        connection.execute_batch("COMMIT").unwrap();
    } else {
        connection.cache_flush().unwrap();
    }
    let files = [path.clone(), path.with_file_name(format!("quire.db{beside}"))]
        .map(|path| fs::read(path).unwrap());
    let [main, beside] = files;
    assert!(!beside.is_empty());
    (main, beside)
}

/// Encodes a database and the file beside it as an input of the target: see
/// `fuzz/src/database.rs`.
fn files_seed(kind: u8, main: &[u8], beside: &[u8]) -> Vec<u8> {
    let [a, b, c, ..] = u32::try_from(main.len()).unwrap().to_le_bytes();
    [&[kind, a, b, c], main, beside].concat()
}

#[test]
fn database() {
    alone(database, || {
        let mut seeds = Vec::new();
        let steps = files_in(&fixture("stores/quire-schema-steps"));
        let stores = ["quire-v2-broken/quire.sql", "quire-v11-broken/quire.sql"];
        for path in steps.into_iter().chain(stores.map(|store| fixture("stores").join(store))) {
            let name = format!("{}-{}", name_of(path.parent().unwrap()), name_of(&path));
            let main = database_of(&fs::read_to_string(path).unwrap());
            seeds.push((name, files_seed(0b001, &main, b"")));
        }
        let (main, wal) = left_open("PRAGMA journal_mode = WAL", "-wal");
        seeds.push(("wal".into(), files_seed(0b011, &main, &wal)));
        let (main, journal) = left_open("PRAGMA journal_mode = DELETE", "-journal");
        seeds.push(("journal".into(), files_seed(0b101, &main, &journal)));
        let mut ours = Built::new();
        failed_run(&mut ours, &run_id(1), 0);
        passed_run(&mut ours, &run_id(2), 100_000);
        let path = ours.root().join("rundown.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM")
            .unwrap();
        drop(connection);
        let main = fs::read(path).unwrap();
        seeds.push(("ours".into(), files_seed(0, &main, b"")));
        run("database", fuzz::database, &seeds);
    });
}
