//! Logs that are compressed or piped are shown like the same log as a file.

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::Path;
use std::process::Stdio;

use flate2::write::GzEncoder;
use rundown::catalog::Catalog;
use rundown::log::{LogFile, LogPath};
use rundown::model::RunId;
use rundown::tui::sim::Sim;
use tempfile::TempDir;

use crate::support::built::{Built, at, failed_run, run_id};
use crate::support::screen::{SMALL, options};
use crate::support::{run, rundown, stderr, stdout, wait_until};

/// Makes a log, and the same log compressed in each way.
fn logs() -> TempDir {
    let dir = TempDir::new().unwrap();
    let line = |n| format!("2026-01-02T03:04:05.{n:09}Z stderr F row {n}\n");
    let log: String = (0..50_000).map(line).collect();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    write("0.log", log.as_bytes());
    gzip(&dir.path().join("0.log.gz"), log.as_bytes());
    let mut zstd = Vec::with_capacity(zstd_safe::compress_bound(log.len()));
    zstd_safe::compress(&mut zstd, log.as_bytes(), 3).unwrap();
    write("0.log.zst", &zstd);
    let mut seekable = Vec::new();
    let path = LogPath::named(dir.path().join("0.log"));
    LogFile::open(&path).unwrap().compress(&mut seekable).unwrap();
    write("seekable.log.zst", &seekable);
    dir
}

fn gzip(path: &Path, bytes: &[u8]) {
    let file = File::create(path).unwrap();
    let mut encoder = GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap();
}

fn rows(dir: &Path, name: &str) -> String {
    stdout(dir, &[&format!("./{name}"), "--once", "--format", "jsonl"], 0)
}

#[test]
fn a_compressed_log_prints_what_the_log_prints() {
    let dir = logs();
    let expected = rows(dir.path(), "0.log");
    for name in ["0.log.gz", "0.log.zst", "seekable.log.zst"] {
        assert!(rows(dir.path(), name) == expected, "{name}");
    }
    let mut piped = rundown(dir.path());
    piped.args(["-", "--once", "--format", "jsonl"]);
    piped.stdin(File::open(dir.path().join("0.log")).unwrap());
    assert!(piped.output().unwrap().stdout == expected.clone().into_bytes());
    piped.stdin(File::open(dir.path().join("0.log.gz")).unwrap());
    assert!(piped.output().unwrap().stdout == expected.into_bytes(), "compressed in the pipe");
}

#[test]
fn the_name_of_a_compressed_log_decides_its_format() {
    let dir = TempDir::new().unwrap();
    for name in ["sh-1.log.gz", "x.log.gz"] {
        gzip(&dir.path().join(name), b"plain text\n");
    }
    let format = |name: &str| stdout(dir.path(), &[name, "--once"], 0);
    assert!(format("./sh-1.log.gz").contains("    plain text"));
    assert!(format("./x.log.gz").contains("  ! plain text"));
}

#[test]
fn a_log_that_cannot_be_unpacked_is_an_error() {
    let dir = logs();
    for name in ["0.log.gz", "0.log.zst"] {
        let bytes = fs::read(dir.path().join(name)).unwrap();
        fs::write(dir.path().join("cut"), &bytes[..bytes.len() / 2]).unwrap();
        let error = stderr(dir.path(), &["./cut", "--once"], 6);
        assert!(error.starts_with("rundown: cannot unpack ./cut: "), "{error}");
    }
    let mut terminal = rundown(dir.path());
    terminal.args(["-", "--once"]).stdin(Stdio::null());
    assert!(terminal.status().unwrap().success(), "an empty log");
}

#[test]
fn a_seekable_log_is_read_in_place() {
    let dir = logs();
    let path = dir.path().join("seekable.log.zst");
    let run = Catalog::of_named(&path).unwrap();
    let run = run.run(&RunId(String::new())).unwrap().unwrap();
    let log = run.jobs[0].shs[0].log.as_ref().unwrap();
    assert!(matches!(log.path, LogPath::Packed(_)), "{log:?}");
    // A log that was taken out of a bundle is one.
    let mut store = Built::new();
    failed_run(&mut store, &run_id(1), 0);
    let log = store.log_path(&run_id(1), "test", 2);
    let mut packed = Vec::new();
    let file = LogFile::open(&LogPath::named(&*log)).unwrap();
    file.compress(&mut packed).unwrap();
    fs::write(dir.path().join("sh-2.log.zst"), packed).unwrap();
    fs::copy(log, dir.path().join("sh-2.log")).unwrap();
    assert_eq!(rows(dir.path(), "sh-2.log.zst"), rows(dir.path(), "sh-2.log"));
}

#[test]
fn a_piped_log_is_shown_while_it_grows() {
    let (read, mut write) = std::io::pipe().unwrap();
    write.write_all(b"the first row\n").unwrap();
    let catalog = Catalog::of_pipe(Path::new("stdin"), read).unwrap();
    let mut sim = Sim::new(catalog, None, options(), SMALL, at(0));
    wait_until("the first row", || sim.disk().screen().contains("the first row"));
    write.write_all(b"the second row\n").unwrap();
    wait_until("the second row", || sim.disk().screen().contains("the second row"));
    drop(write);
    sim.disk();
    assert!(sim.screen().contains("the first row"), "{}", sim.screen());
}

#[test]
fn damage_in_a_piped_log_is_reported() {
    let dir = logs();
    let bytes = fs::read(dir.path().join("0.log.gz")).unwrap();
    let pipe = Cursor::new(bytes[..bytes.len() - 9].to_vec());
    let catalog = Catalog::of_pipe(Path::new("stdin"), pipe).unwrap();
    let mut sim = Sim::new(catalog, None, options(), SMALL, at(0));
    wait_until("the reason", || sim.disk().screen().contains("cannot unpack stdin"));
    assert!(sim.screen().contains("row 4"), "what was read remains: {}", sim.screen());
}

#[test]
fn following_a_compressed_log_ends_with_it() {
    let dir = logs();
    let follow = |name: &str, code: i32| {
        let output = run(dir.path(), &[&format!("./{name}"), "--follow"]);
        let (out, err) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
        assert_eq!(output.status.code(), Some(code), "{name}: {err}");
        String::from_utf8(out).unwrap()
    };
    let whole = follow("seekable.log.zst", 0);
    for name in ["0.log.gz", "0.log.zst"] {
        assert!(follow(name, 0).lines().skip(1).eq(whole.lines().skip(1)), "{name}");
    }
    let bytes = fs::read(dir.path().join("0.log.gz")).unwrap();
    fs::write(dir.path().join("cut"), &bytes[..bytes.len() - 9]).unwrap();
    let cut = follow("cut", 6);
    assert!(cut.lines().count() > 3 && cut.contains("note: cannot unpack ./cut"), "{cut}");
}
