//! The cost of masking: bulk output through the sink and through the encoder alone, each with and
//! without a masker of 20 secrets. Only the ratios matter.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench that cannot be set up fails")]

use std::hint::black_box;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rundown::cri::{Encoder, MAX_CONTENT, Stream};
use rundown::record::{Masker, Secrets, Sink};
use rundown::time::Time;
use sha2::{Digest, Sha256};

const BULK_BYTES: usize = 32 << 20;
/// The size of a read by the recorder.
const READ_BYTES: usize = 256 << 10;
const FAILURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/failures");

/// Returns lines of 99 equal bytes, and real output of compilers and tests, repeated.
fn texts() -> [(&'static str, Vec<u8>); 2] {
    let lines = [vec![b'x'; 99], vec![b'\n']].concat();
    let mut logs: Vec<_> =
        std::fs::read_dir(FAILURES).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.sort();
    let logs: Vec<Vec<u8>> = logs.iter().map(|path| content(path)).collect();
    [("equal lines", lines), ("real output", logs.concat())]
        .map(|(name, text)| (name, text.repeat(BULK_BYTES / text.len())))
}

/// Returns the content of the records of a log.
fn content(path: &Path) -> Vec<u8> {
    let log = std::fs::read(path).unwrap();
    let lines = log.split_inclusive(|byte| *byte == b'\n');
    lines.flat_map(|line| line.splitn(4, |byte| *byte == b' ').last().unwrap()).copied().collect()
}

/// Returns 20 tokens of 20 to 39 digits, 19 of them with a private key of 50 lines, and 20 short
/// words.
fn values() -> [(&'static str, Vec<String>); 3] {
    let digits = |seed: usize| BASE64_STANDARD.encode(Sha256::digest(seed.to_string()));
    let tokens: Vec<String> = (0..20).map(|n| digits(n)[..20 + n].to_owned()).collect();
    let lines: Vec<String> =
        (100..150).map(|n| (digits(n) + &digits(2 * n))[..64].to_owned()).collect();
    let key = format!("-----BEGIN KEY-----\n{}\n-----END KEY-----\n", lines.join("\n"));
    let with_key = [&tokens[1..], &[key]].concat();
    let short = tokens.iter().map(|token| token[..6].to_owned()).collect();
    [("20 tokens", tokens), ("19 tokens and a key", with_key), ("20 short words", short)]
}

fn find(values: &[String]) -> Secrets {
    let named = values.iter().enumerate();
    let named = named.map(|(n, value)| (format!("N{n}_TOKEN").into(), value.into()));
    Secrets::find(&[], true, named).0
}

fn mask(masker: Option<&mut Masker>, chunk: &[u8], mut write: impl FnMut(&[u8])) {
    match masker {
        Some(masker) => masker.push(chunk, write),
        None => write(chunk),
    }
}

/// Reads the text like the recorder: into one buffer.
fn read(text: &[u8], mut process: impl FnMut(&[u8])) {
    let mut buffer = vec![0; READ_BYTES];
    for chunk in text.chunks(READ_BYTES) {
        let buffer = &mut buffer[..chunk.len()];
        buffer.copy_from_slice(chunk);
        process(black_box(buffer));
    }
}

fn encode(text: &[u8], secrets: &Secrets) {
    let (mut encoder, mut out) = (Encoder::new(Some(MAX_CONTENT)), Vec::new());
    let mut masker = secrets.masker();
    read(text, |chunk| {
        out.clear();
        mask(masker.as_mut(), chunk, |piece| {
            encoder.write(Stream::Stdout, Time::from_millis(0), piece, &mut out);
        });
        black_box(&out);
    });
}

fn record(text: &[u8], secrets: &Secrets, dir: &Path) {
    let path = dir.join("log");
    let mut sink = Sink::create(&path, Time::now()).unwrap();
    let mut masker = secrets.masker();
    read(text, |chunk| mask(masker.as_mut(), chunk, |piece| sink.write(Stream::Stdout, piece)));
    sink.close().unwrap();
    std::fs::remove_file(&path).unwrap();
}

fn bulk(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let mut secrets = vec![("no secrets", Secrets::default())];
    secrets.extend(values().map(|(of, values)| (of, find(&values))));
    for (name, text) in texts() {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(10);
        for (of, secrets) in &secrets {
            group.bench_function(BenchmarkId::new("encode", of), |bencher| {
                bencher.iter(|| encode(&text, secrets));
            });
            group.bench_function(BenchmarkId::new("sink", of), |bencher| {
                bencher.iter(|| record(&text, secrets, dir.path()));
            });
        }
        group.finish();
    }
}

fn setup(criterion: &mut Criterion) {
    for (of, values) in values() {
        let id = format!("find {of}");
        criterion.bench_function(&id, |bencher| bencher.iter(|| find(black_box(&values))));
    }
}

criterion_group!(benches, bulk, setup);
criterion_main!(benches);
