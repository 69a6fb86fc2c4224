//! The speed of parsing lines, compared with the minimum work of a log reader: finding the
//! newlines.
//!
//! All benchmarks use the same 16 MiB in memory: about 170 bytes per line, 10 % stderr, 0.1 % `P`.
//! Each runs twice: with 9 digits in every timestamp, as recorded by rundown, and without trailing
//! zeros, as written by containerd. One timestamp in ten has trailing zeros. Goals, relative to
//! `newlines/walk`: at most 2 for `parse`, at most 3 for `nom`. `header_scan` does not parse the
//! times; the index uses it.

#![expect(clippy::cast_possible_truncation, reason = "the numbers are made here, and small")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use memchr::{memchr, memchr_iter};
use rundown::cri::{self, HeaderScanner, Malformed, PerStream, Record, Stream, Tag};
use rundown::time::Time;

const BYTES: usize = 16 << 20;

/// A random generator with a fixed seed: every run measures the same bytes. The constants are those
/// of Knuth's MMIX.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn log(trimmed: bool) -> Vec<u8> {
    let contents = [
        "",
        "   Compiling serde_json v1.0.154",
        "\x1b[0m\x1b[1m\x1b[32m   Compiling\x1b[0m rustix v1.1.6 \
         (/build/cargo/registry/src/index.crates.io/rustix-1.1.6)",
        "test catalog::tests::a_run_without_rows_keeps_its_logs_\
         and_says_so_in_the_tree_of_the_whole_store ... \x1b[32mok\x1b[0m",
        "{\"level\":\"info\",\"ts\":1767323045.123,\"caller\":\"server/serve.go:211\",\
         \"msg\":\"request\",\"method\":\"GET\",\"path\":\"/api/v1/runs\",\"status\":200,\
         \"duration_ms\":12.5,\"remote\":\"10.0.0.17:51234\",\"agent\":\"curl/8.5.0\"}",
        "{\"reason\":\"compiler-artifact\",\
         \"package_id\":\"registry+https://github.com/rust-lang/crates.io-index#memchr@2.8.3\",\
         \"target\":{\"kind\":[\"lib\"],\"crate_types\":[\"lib\"],\"name\":\"memchr\",\
         \"edition\":\"2021\",\"doc\":true,\"test\":true}}",
        "    at Object.<anonymous> \
         (/app/node_modules/jest-circus/build/legacy-code-todo-rewrite/jestAdapterInit.js:121:9) \
         [as callback] (internal/process/task_queues.js:95:5) { code: 'ERR_ASSERTION', \
         generatedMessage: true }",
    ];
    let mut numbers = Numbers(7);
    let mut nanos = 0;
    let mut log = String::new();
    while log.len() < BYTES {
        nanos += numbers.below(2_000_000);
        let at = Time::from_unix(
            1_767_323_045 + (nanos / 1_000_000_000).cast_signed(),
            (nanos % 1_000_000_000) as u32,
        )
        .rfc3339_nanos();
        let at = if trimmed {
            at.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.')
        } else {
            &at[..29]
        };
        let stream = if numbers.below(10) == 0 { "stderr" } else { "stdout" };
        let tag = if numbers.below(1000) == 0 { "P" } else { "F" };
        let content = contents[numbers.below(contents.len() as u64) as usize];
        let _ = writeln!(log, "{at}Z {stream} {tag} {content}");
    }
    log.into_bytes()
}

/// Uses every field of every record, so that none is optimized away.
#[inline]
fn sum(log: &[u8], parse: impl for<'a> Fn(&'a [u8]) -> Result<Record<'a>, Malformed>) -> [u64; 4] {
    let mut start = 0;
    let mut sum = [0; 4];
    for end in memchr_iter(b'\n', log) {
        if let Ok(record) = parse(&log[start..end]) {
            sum[0] += u64::from(record.stream == Stream::Stderr);
            sum[1] += u64::from(record.tag == Tag::Partial);
            sum[2] += record.content.len() as u64;
            sum[3] = sum[3].wrapping_add(
                record.at.unix_secs().cast_unsigned() ^ u64::from(record.at.subsec_nanos()),
            );
        }
        start = end + 1;
    }
    sum
}

/// Visits every line, and only uses its end.
fn walk(log: &[u8]) -> usize {
    memchr_iter(b'\n', log).fold(0, |sum, end| sum ^ black_box(end))
}

fn header_scan(log: &[u8]) -> PerStream<usize> {
    let mut scanner = HeaderScanner::default();
    let mut rest = log;
    let mut sum = PerStream::default();
    while let Some(scanned) = scanner.scan(rest)
        && let Some(lf) = memchr(b'\n', &rest[scanned.content_at..])
    {
        *sum.get_mut(scanned.stream) += lf;
        rest = &rest[scanned.content_at + lf + 1..];
    }
    assert!(rest.is_empty());
    sum
}

fn group(group: &mut BenchmarkGroup<'_, WallTime>, log: &[u8]) {
    assert_eq!(sum(log, cri::parse), sum(log, cri::parse_by_nom));
    group.throughput(Throughput::Bytes(log.len() as u64)).sample_size(20);
    group.bench_function("newlines/count", |b| {
        b.iter(|| memchr_iter(b'\n', black_box(log)).count());
    });
    group.bench_function("newlines/walk", |b| b.iter(|| walk(black_box(log))));
    group.bench_function("parse", |b| b.iter(|| sum(black_box(log), cri::parse)));
    group.bench_function("header_scan", |b| b.iter(|| header_scan(black_box(log))));
    group.bench_function("nom", |b| b.iter(|| sum(black_box(log), cri::parse_by_nom)));
}

fn bench(criterion: &mut Criterion) {
    for (name, trimmed) in [("fixed", false), ("trimmed", true)] {
        let log = log(trimmed);
        group(&mut criterion.benchmark_group(name), &log);
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
