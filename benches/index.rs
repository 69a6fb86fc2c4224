//! The index of a log, compared with the least work that any index must do: finding the newlines.
//!
//! Two files with the same content are measured. One is written at once, the other in appends of 4
//! KiB, so that its pages are placed differently in the page cache. Goal for each file: indexing
//! takes at most 1.3 times as long as `read and count newlines`, which does the same as `wc -l`.
//! The goal applies to indexing at once, and in slices as in the background worker. A time is
//! looked up with and without the index; the goal is at most 1 ms.
#![expect(clippy::unwrap_used, reason = "a benchmark stops at an error")]

use std::fmt::Write as _;
use std::fs::File;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::path::Path;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use rundown::log::{Format, Index, LogFile, LogPath, Tail};
use rundown::time::Time;

const LOG_BYTES: usize = 64 << 20;
const READ_BYTES: usize = 1 << 20;
const SLICE_BYTES: u64 = 16 << 20;

/// Generates lines of about 170 bytes: 10 % stderr, 0.1 % partial records.
fn generate(bytes: usize) -> Vec<u8> {
    let mut log = String::with_capacity(bytes + 256);
    let mut n = 0_u32;
    while log.len() < bytes {
        let (minute, second, nanos) = (4 + n / 480_000, n / 8000 % 60, n % 8000 * 125_000 + 123);
        let stream = if n.is_multiple_of(10) { "stderr" } else { "stdout" };
        let tag = if n % 1000 == 999 { "P" } else { "F" };
        let width = 64 + usize::try_from(n % 128).unwrap();
        writeln!(
            log,
            "2026-01-02T03:{minute:02}:{second:02}.{nanos:09}Z {stream} {tag} {n:>width$}"
        )
        .unwrap();
        n += 1;
    }
    log.into_bytes()
}

/// Counts lines like `wc -l` of coreutils 9.1: with the same buffer size, and the same work.
fn read_and_count(path: &Path) -> usize {
    let (mut file, mut buffer) = (File::open(path).unwrap(), vec![0; 16 << 10]);
    let mut lines = 0;
    loop {
        let filled = file.read(&mut buffer).unwrap();
        if filled == 0 {
            return lines;
        }
        lines += memchr::memchr_iter(b'\n', &buffer[..filled]).count();
    }
}

fn whole(log: &LogFile) -> Index {
    let mut index = Index::new(Format::Cri);
    log.feed(&mut index, u64::MAX).unwrap();
    index
}

fn in_slices(log: &LogFile) -> Index {
    let mut index = Index::new(Format::Cri);
    while log.feed(&mut index, SLICE_BYTES).unwrap() > 0 {}
    index
}

fn memory(group: &mut BenchmarkGroup<'_, WallTime>, log: &[u8]) {
    group.bench_function("count newlines (the limit)", |b| {
        b.iter(|| {
            log.chunks(READ_BYTES)
                .map(|chunk| memchr::memchr_iter(b'\n', chunk).count())
                .sum::<usize>()
        });
    });
    group.bench_function("visit newlines", |b| {
        b.iter(|| memchr::memchr_iter(b'\n', log).fold(0, |sum, at| black_box(sum ^ at)));
    });
    group.bench_function("from memory", |b| {
        b.iter(|| {
            let mut index = Index::new(Format::Cri);
            log.chunks(READ_BYTES).for_each(|chunk| index.feed(chunk));
            black_box(index.totals(Tail::Hold))
        });
    });
}

fn file(group: &mut BenchmarkGroup<'_, WallTime>, log: &[u8], append_bytes: usize) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    log.chunks(append_bytes).for_each(|chunk| file.write_all(chunk).unwrap());
    let opened = LogFile::open(&LogPath::named(file.path())).unwrap();
    group.bench_function("read and count newlines", |b| b.iter(|| read_and_count(file.path())));
    group.bench_function("from a file", |b| b.iter(|| whole(&opened)));
    group.bench_function("from a file in slices", |b| b.iter(|| in_slices(&opened)));
}

fn index(c: &mut Criterion) {
    let log = generate(LOG_BYTES);
    for (name, append_bytes) in [("written at once", LOG_BYTES), ("written in appends", 4 << 10)] {
        let mut group = c.benchmark_group(name);
        group.sample_size(10).throughput(Throughput::Bytes(log.len() as u64));
        file(&mut group, &log, append_bytes);
    }
    let mut group = c.benchmark_group("index");
    group.sample_size(10).throughput(Throughput::Bytes(log.len() as u64));
    memory(&mut group, &log);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&log).unwrap();
    let opened = LogFile::open(&LogPath::named(file.path())).unwrap();
    group.bench_function("rows of a file", |b| {
        b.iter(|| opened.rows(0, 1 << 16, Tail::Hold).unwrap().count());
    });
    group.finish();

    let mut group = c.benchmark_group("time");
    let middle = Time::from_unix(1_767_323_040 + 30, 0);
    for (name, index) in [("with the index", whole(&opened)), ("without", Index::new(Format::Cri))]
    {
        group.bench_function(name, |b| {
            b.iter(|| opened.offset_of_time(&index, middle, Tail::Hold).unwrap().unwrap());
        });
    }
}

criterion_group!(benches, index);
criterion_main!(benches);
