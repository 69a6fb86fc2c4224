//! The index of a log against the least that any index must do: find its newlines.
#![expect(clippy::unwrap_used, reason = "a benchmark stops where it cannot go on")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rundown::file::FilePath;
use rundown::log::{Format, Index, LogFile, Tail};

const LOG_BYTES: usize = 64 << 20;
const READ_BYTES: usize = 1 << 20;

/// Lines of about 170 bytes, a tenth of them on standard error, one in a thousand a piece.
fn generate(bytes: usize) -> Vec<u8> {
    let mut log = String::with_capacity(bytes + 256);
    let mut n = 0_u32;
    while log.len() < bytes {
        let (second, nanos) = (n / 1000 % 60, n.wrapping_mul(104_729) % 1_000_000_000);
        let stream = if n.is_multiple_of(10) { "stderr" } else { "stdout" };
        let tag = if n % 1000 == 999 { "P" } else { "F" };
        let width = 64 + usize::try_from(n % 128).unwrap();
        writeln!(log, "2026-01-02T03:04:{second:02}.{nanos:09}Z {stream} {tag} {n:>width$}").unwrap();
        n += 1;
    }
    log.into_bytes()
}

fn index(c: &mut Criterion) {
    let log = generate(LOG_BYTES);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&log).unwrap();
    let opened = LogFile::open(&FilePath::named(file.path())).unwrap();

    let mut group = c.benchmark_group("index");
    group.sample_size(10).throughput(Throughput::Bytes(log.len() as u64));
    group.bench_function("count newlines (the limit)", |b| {
        b.iter(|| log.chunks(READ_BYTES).map(|chunk| memchr::memchr_iter(b'\n', chunk).count()).sum::<usize>());
    });
    group.bench_function("visit newlines", |b| {
        b.iter(|| memchr::memchr_iter(b'\n', &log).fold(0, |sum, at| black_box(sum ^ at)));
    });
    group.bench_function("from memory", |b| {
        b.iter(|| {
            let mut index = Index::new(Format::Cri);
            log.chunks(READ_BYTES).for_each(|chunk| index.feed(chunk));
            black_box(index.totals(Tail::Hold))
        });
    });
    group.bench_function("from a file", |b| b.iter(|| opened.feed(&mut Index::new(Format::Cri), u64::MAX).unwrap()));
    group.bench_function("rows of a file", |b| b.iter(|| opened.rows(0, 1 << 16, Tail::Hold).unwrap().count()));
    group.finish();
}

criterion_group!(benches, index);
criterion_main!(benches);
