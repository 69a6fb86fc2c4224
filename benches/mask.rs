//! The cost of masking: bulk output through the sink and through the encoder alone, each with and
//! without a masker of 20 secrets. Only the ratios matter.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench that cannot be set up fails")]

use std::hint::black_box;

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
    let logs: Vec<Vec<u8>> = logs.iter().map(|path| std::fs::read(path).unwrap()).collect();
    [("equal lines", lines), ("real output", logs.concat())]
        .map(|(name, text)| (name, text.repeat(BULK_BYTES / text.len())))
}

/// Returns 20 tokens of 20 to 39 digits, and 19 of them with a private key of 50 lines.
fn secrets() -> [(&'static str, Secrets); 2] {
    let digits = |seed: usize| BASE64_STANDARD.encode(Sha256::digest(seed.to_string()));
    let mut values: Vec<String> = (0..20).map(|n| digits(n)[..20 + n].to_owned()).collect();
    let find = |values: &[String]| {
        let named = values.iter().enumerate();
        let named = named.map(|(n, value)| (format!("N{n}_TOKEN").into(), value.into()));
        Secrets::find(&[], true, named).0
    };
    let tokens = find(&values);
    let lines: Vec<String> =
        (100..150).map(|n| (digits(n) + &digits(2 * n))[..64].to_owned()).collect();
    values[0] = format!("-----BEGIN KEY-----\n{}\n-----END KEY-----\n", lines.join("\n"));
    [("20 tokens", tokens), ("19 tokens and a key", find(&values))]
}

fn mask(masker: Option<&mut Masker>, chunk: &[u8], mut write: impl FnMut(&[u8])) {
    match masker {
        Some(masker) => masker.push(chunk, write),
        None => write(chunk),
    }
}

fn encode(text: &[u8], secrets: &Secrets) {
    let (mut encoder, mut out) = (Encoder::new(Some(MAX_CONTENT)), Vec::new());
    let mut masker = secrets.masker();
    for chunk in text.chunks(READ_BYTES) {
        out.clear();
        mask(masker.as_mut(), black_box(chunk), |piece| {
            encoder.write(Stream::Stdout, Time::from_millis(0), piece, &mut out);
        });
        black_box(&out);
    }
}

fn record(text: &[u8], secrets: &Secrets, dir: &std::path::Path) {
    let path = dir.join("log");
    let mut sink = Sink::create(&path, Time::now()).unwrap();
    let mut masker = secrets.masker();
    for chunk in text.chunks(READ_BYTES) {
        mask(masker.as_mut(), black_box(chunk), |piece| sink.write(Stream::Stdout, piece));
    }
    sink.close().unwrap();
    std::fs::remove_file(&path).unwrap();
}

fn bulk(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let [tokens, key] = secrets();
    let secrets = [("no secrets", Secrets::default()), tokens, key];
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
    criterion.bench_function("find 20 secrets", |bencher| bencher.iter(secrets));
}

criterion_group!(benches, bulk, setup);
criterion_main!(benches);
