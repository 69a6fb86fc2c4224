//! Benchmarks of reading one screen of rows. The time must not depend on the file's size.
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first error")]

use std::fmt::Write as _;
use std::io::Write as _;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rundown::log::{Anchor, Format, Index, LogFile, LogPath, Tail};

const ROWS: usize = 40;

/// Generates lines of about 170 bytes. With `one_stream`, only the first line is `stderr`, so a
/// backward search for a `stderr` line runs to its limit.
fn generate(bytes: usize, one_stream: bool) -> Vec<u8> {
    let mut log = String::with_capacity(bytes + 256);
    let mut n = 0_u32;
    while log.len() < bytes {
        let stream =
            if n == 0 || (n.is_multiple_of(10) && !one_stream) { "stderr" } else { "stdout" };
        writeln!(log, "2026-01-02T03:04:05.123456789Z {stream} F {n:>128}").unwrap();
        n += 1;
    }
    log.into_bytes()
}

fn window(c: &mut Criterion) {
    for (streams, one_stream) in [("both streams", false), ("one stream", true)] {
        let mut group = c.benchmark_group(format!("window, {streams}"));
        for mebibytes in [4_u64, 128] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&generate(usize::try_from(mebibytes << 20).unwrap(), one_stream))
                .unwrap();
            let log = LogFile::open(&LogPath::named(file.path())).unwrap();
            let middle = mebibytes << 19;
            for (name, anchor) in [
                ("from the middle", Anchor::From(middle)),
                ("before it", Anchor::Before(middle)),
                ("the end", Anchor::End),
            ] {
                group.bench_with_input(
                    BenchmarkId::new(name, format!("{mebibytes} MiB")),
                    &anchor,
                    |b, anchor| {
                        b.iter(|| log.window(*anchor, ROWS, Tail::Hold).unwrap());
                    },
                );
            }
            let mut index = Index::new(Format::Cri);
            log.feed(&mut index, u64::MAX).unwrap();
            let row = index.totals(Tail::Hold).rows / 2;
            group.bench_function(
                BenchmarkId::new("row by number", format!("{mebibytes} MiB")),
                |b| {
                    b.iter(|| {
                        let offset = log.offset_of_row(&index, row, Tail::Hold).unwrap().unwrap();
                        log.window(Anchor::From(offset), ROWS, Tail::Hold).unwrap()
                    });
                },
            );
        }
        group.finish();
    }
}

criterion_group!(benches, window);
criterion_main!(benches);
