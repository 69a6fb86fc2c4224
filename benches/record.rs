//! The cost of recording. Bulk output through the sink is compared with a plain write of the same
//! bytes. Recording short commands is compared with spawning them. Only the ratios matter. With
//! lines of 100 bytes, the records take 1.4 times as many bytes.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench that cannot be set up fails")]

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rundown::cri::Stream;
use rundown::record::{Facts, Options, Sink, Stop, parse_pipeline, run_pipeline};
use rundown::time::Time;

const BULK_BYTES: usize = 32 << 20;
/// The size of a read by the recorder.
const READ_BYTES: usize = 256 << 10;
const COMMANDS: usize = 100;

fn bulk(criterion: &mut Criterion) {
    let lines = [vec![b'x'; 99], vec![b'\n']].concat().repeat(BULK_BYTES / 100);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut group = criterion.benchmark_group("bulk");
    group.throughput(Throughput::Bytes(lines.len() as u64)).sample_size(10);
    group.bench_function("plain file", |bencher| {
        bencher.iter(|| {
            let mut file = File::create(&path).unwrap();
            lines.chunks(READ_BYTES).for_each(|chunk| file.write_all(black_box(chunk)).unwrap());
        });
    });
    group.bench_function("sink", |bencher| {
        bencher.iter(|| {
            std::fs::remove_file(&path).unwrap();
            let mut sink = Sink::create(&path, Time::now()).unwrap();
            lines.chunks(READ_BYTES).for_each(|chunk| sink.write(Stream::Stdout, black_box(chunk)));
            sink.close().unwrap();
        });
    });
    group.finish();
}

fn short_commands(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("[jobs.short]\ncommands = [{}]", vec!["['true']"; COMMANDS].join(","));
    let pipeline = parse_pipeline(&text, Path::new("short.toml")).unwrap();
    let facts = Facts { repo: "bench".into(), ..Facts::default() };
    let mut options = Options::new(dir.path().join("store"));
    (options.facts, options.cwd) = (facts, dir.path().to_owned());
    (options.quiet, options.must_record) = (true, true);
    let mut group = criterion.benchmark_group("short commands");
    group.throughput(Throughput::Elements(COMMANDS as u64)).sample_size(10);
    group.bench_function("bare", |bencher| {
        bencher.iter(|| {
            for _ in 0..COMMANDS {
                Command::new("true").stdin(Stdio::null()).output().unwrap();
            }
        });
    });
    group.bench_function("recorded", |bencher| {
        bencher.iter(|| run_pipeline(&options, &pipeline, &Stop::new()).unwrap());
    });
    group.finish();
}

criterion_group!(benches, bulk, short_commands);
criterion_main!(benches);
