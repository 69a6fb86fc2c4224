//! Databases with random damage. Every command that reads them ends soon, uses little memory, does
//! not panic, and changes nothing.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::process::{Cost, alone, cost};
use crate::support::{bytes_of, copy_tree, fixture, rundown, store};

const LONGEST: Duration = Duration::from_secs(15);
const LARGEST_BYTES: u64 = 500_000_000;

const READING: [&[&str]; 3] = [&["list"], &["--once", "--format", "json"], &["doctor"]];

/// A pseudorandom number generator (xorshift64*). The same seed yields the same numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}

/// Makes the stores to be damaged. Their databases are closed, or in the middle of a transaction,
/// or have changes that are only in the `-wal`.
fn undamaged_stores() -> Vec<TempDir> {
    let mut stores =
        vec![store("quire-v2-live"), store("quire-v2-broken"), store("quire-v11-broken")];
    for (version, change) in [
        ("v02", "PRAGMA journal_mode = WAL; UPDATE runs SET repo = repo || 'x'"),
        (
            "v11",
            "PRAGMA cache_size = 1; BEGIN;
             UPDATE runs SET sha = hex(zeroblob(3000)); UPDATE sh SET cmd = sha FROM runs",
        ),
    ] {
        let (made, copied) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let schema =
            fs::read_to_string(fixture(&format!("stores/quire-schema-steps/{version}.sql")))
                .unwrap();
        let writer = Connection::open(made.path().join("quire.db")).unwrap();
        writer.execute_batch(&schema).unwrap();
        writer.execute_batch(change).unwrap();
        copy_tree(made.path(), copied.path());
        assert!(fs::read_dir(copied.path()).unwrap().count() > 1, "{version}");
        let _ = fs::remove_file(copied.path().join("quire.db-shm"));
        stores.push(copied);
    }
    let ours = TempDir::new().unwrap();
    for command in ["true", "false"] {
        rundown(ours.path()).args(["record", "--root", ".", "--", command]).output().unwrap();
    }
    stores.push(ours);
    stores
}

/// Damages a file as faulty disks, incomplete copies and editors do.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let page = 4096.min(bytes.len());
    let (at, other) = (random.below(bytes.len()), random.below(bytes.len()));
    let to = (at + random.below(page)).min(bytes.len());
    match random.below(8) {
        0 => (0..=random.below(64)).for_each(|_| {
            let at = random.below(bytes.len());
            bytes[at] = random.byte();
        }),
        1 => {
            let at = random.below(100.min(bytes.len()));
            bytes[at] = random.byte();
        }
        2 => bytes.truncate(at),
        3 => bytes[at..to].fill([0, 0xff, 0x7f][random.below(3)]),
        4 => bytes[at..to].iter_mut().for_each(|byte| *byte = random.byte()),
        // The header of a page: its type, its cells, its right-most child.
        5 => (0..4).for_each(|_| {
            let at =
                (random.below(bytes.len()) / page * page + random.below(24)).min(bytes.len() - 1);
            bytes[at] = random.byte();
        }),
        // Copy one page over another, which may create a cycle in a tree.
        6 => {
            let (from, to) = (at / page * page, other / page * page);
            let length = page.min(bytes.len() - from).min(bytes.len() - to);
            bytes.copy_within(from..from + length, to);
        }
        _ => (0..page / 2).for_each(|_| bytes.push(random.byte())),
    }
}

fn assert_reads_safely(dir: &Path, of: &str) {
    let before = bytes_of(dir);
    for args in READING {
        let Cost { time, bytes, code, stderr } = cost(dir, args);
        assert!(matches!(code, Some(0 | 1 | 5 | 6)), "{of} {args:?}: {code:?} {stderr}");
        assert!(time < LONGEST && bytes < LARGEST_BYTES, "{of} {args:?}: {time:?}, {bytes} bytes");
        report_worst(time, bytes);
    }
    assert!(bytes_of(dir) == before, "{of}");
}

/// Prints the longest time and the most memory of all commands so far, if either has grown.
fn report_worst(time: Duration, bytes: u64) {
    static WORST: std::sync::Mutex<(Duration, u64)> = std::sync::Mutex::new((Duration::ZERO, 0));
    let mut worst = WORST.lock().unwrap();
    if time > worst.0 || bytes > worst.1 {
        *worst = (time.max(worst.0), bytes.max(worst.1));
        println!("{:?}, {} MiB", worst.0, worst.1 >> 20);
    }
}

fn check_damaged_stores(count: u64, seed: u64) {
    let stores = undamaged_stores();
    for number in 0..count {
        let mut random = Random((seed + number).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let dir = TempDir::new().unwrap();
        let from = &stores[random.below(stores.len())];
        copy_tree(from.path(), dir.path());
        let mut files: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.is_file());
        files.sort();
        for _ in 0..=random.below(3) {
            let file = &files[random.below(files.len())];
            let mut bytes = fs::read(file).unwrap();
            if !bytes.is_empty() {
                damage(&mut bytes, &mut random);
                fs::write(file, bytes).unwrap();
            }
        }
        assert_reads_safely(dir.path(), &format!("seed {seed}, number {number}"));
    }
}

#[test]
fn forty_damaged_databases_cause_no_crash() {
    alone(forty_damaged_databases_cause_no_crash, || {
        check_damaged_stores(40, 1);
    });
}

/// Run it with `cargo test --release --test it mutated_stores -- --ignored --nocapture`.
#[test]
#[ignore = "it takes a minute or more"]
fn hundreds_of_damaged_databases_cause_no_crash() {
    alone(hundreds_of_damaged_databases_cause_no_crash, || {
        check_damaged_stores(350, 1_000);
    });
}
