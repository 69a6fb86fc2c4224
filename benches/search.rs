//! Scanning a log for a word, compared with the minimum work of a search: reading the log and
//! finding the word. Also compared with `rg`, if it is installed. Half of the lines are colored.
#![expect(clippy::unwrap_used, reason = "a benchmark stops at an error")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use memchr::memmem::Finder;
use rundown::log::{LogFile, LogPath, Tail};
use rundown::search::{Groups, Hits, Query, group as scan_groups, scan};

const LOG_BYTES: usize = 256 << 20;
const WRITE_BYTES: usize = 1 << 20;
const READ_BYTES: usize = 256 << 10;

/// The contents of the lines. Each is used equally often.
const CONTENTS: &[&str] = &[
    "\x1b[1m\x1b[32m   Compiling\x1b[0m serde_derive v1.0.219 \
     (/home/ci/build/target/release/deps/libserde_derive)",
    "test parcels::route::takes_the_short_way_over_the_bridge_and_back_again ... ok",
    "{\"level\":\"info\",\"time\":1767323045123,\
     \"msg\":\"request done\",\"url\":\"/api/v1/items/1234567\",\"status\":200}",
    "\x1b[0m\x1b[7m\x1b[1m\x1b[32m PASS \x1b[39m\x1b[22m\x1b[27m\x1b[0m \
     \x1b[2msrc/components/\x1b[22m\x1b[1mButton.test.tsx\x1b[22m (5.123 s)",
    "npm warn deprecated inflight@1.0.6: This module is not supported, and leaks memory. Do not \
     use it.",
    "\x1b[38;5;244m2026-01-02 03:04:05\x1b[0m \x1b[36mDEBUG\x1b[0m [worker-7] \
     \x1b[35mhandler\x1b[0m=delivery took 12.7 ms, waited 3.1 ms",
    "",
    "\x1b[33mwarning\x1b[0m\x1b[1m: unused variable: `parcel`, \
     consider prefixing it with an underscore\x1b[0m",
];

/// Generates a log: 10 % stderr, 0.1 % partial records. One line in 100,000 ends with the rare
/// words `needle Nadel`.
fn generate(path: &Path) {
    let mut file = File::create(path).unwrap();
    let mut log = String::new();
    let mut written = 0;
    let mut n = 0_usize;
    while written < LOG_BYTES {
        log.clear();
        while log.len() < WRITE_BYTES {
            let (second, nanos) = (n / 1000 % 60, n.wrapping_mul(104_729) % 1_000_000_000);
            let stream = if n.is_multiple_of(10) { "stderr" } else { "stdout" };
            let tag = if n % 1000 == 999 { "P" } else { "F" };
            let content = CONTENTS[(n ^ (n / 8)) % CONTENTS.len()];
            let rare = if n % 100_000 == 99_998 { " needle Nadel" } else { "" };
            writeln!(
                log,
                "2026-01-02T03:04:{second:02}.{nanos:09}Z {stream} {tag} {content} {n}{rare}"
            )
            .unwrap();
            n += 1;
        }
        file.write_all(log.as_bytes()).unwrap();
        written += log.len();
    }
}

fn count_with_memmem(path: &Path, word: &str) -> usize {
    let mut file = File::open(path).unwrap();
    let mut buffer = vec![0; READ_BYTES];
    let finder = Finder::new(word);
    let mut found = 0;
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return found,
            filled => found += finder.find_iter(&buffer[..filled]).count(),
        }
    }
}

fn rg(args: &[&str], path: &Path) -> bool {
    let rg = Command::new("rg")
        .args(args)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .output();
    rg.is_ok_and(|rg| rg.status.success())
}

fn search(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("0.log");
    generate(&path);
    let log = LogFile::open(&LogPath::named(&path)).unwrap();

    let mut group = c.benchmark_group("search");
    group.sample_size(10).throughput(Throughput::Bytes(log.bytes()));
    group.bench_function("memmem over buffers (the limit)", |b| {
        b.iter(|| count_with_memmem(&path, "needle Nadel"));
    });
    for (word, args) in [
        ("Nadel", &["-c"][..]),
        ("nadel", &["-ic"]),
        (r"needle \w+$", &["-ic"]),
        (r"\d{9}x", &["-c"]),
        ("memory", &["-ic"]),
    ] {
        if rg(&[args, &["Compiling"]].concat(), &path) {
            let args = [args, &["-e", word]].concat();
            group.bench_function(BenchmarkId::new("rg", word), |b| b.iter(|| rg(&args, &path)));
        }
        let query = Query::new(word, false).unwrap();
        group.bench_function(BenchmarkId::new("scan", word), |b| {
            b.iter(|| scan(&log, &mut Hits::new(), &query, u64::MAX, Tail::Hold).unwrap());
        });
    }
    group.bench_function("scan for errors", |b| {
        b.iter(|| scan(&log, &mut Hits::new(), &Query::errors(), u64::MAX, Tail::Hold).unwrap());
    });
    group.bench_function("scan for groups", |b| {
        b.iter(|| scan_groups(&log, &mut Groups::new(), u64::MAX).unwrap());
    });
    group.finish();
}

criterion_group!(benches, search);
criterion_main!(benches);
