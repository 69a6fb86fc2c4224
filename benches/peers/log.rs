//! Logs to measure, similar to the output of builds and tests. Logs of the same size and [`Manner`]
//! have the same bytes.
//!
//! A line has about 169 bytes. Half of the lines have colors, a tenth is stderr, one in a thousand
//! is a partial record. Times never decrease. No two rows are the same: the first and the last row
//! have unique texts, and every other row contains its number.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::thread;

use anyhow::{Context, Result};
use jiff::Timestamp;
use rundown::time::Time;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tempfile::TempDir;

/// The text that only the first row contains.
pub const FIRST: &str = "the very first row";
/// The text that only the last row contains.
pub const LAST: &str = "the very last row";
/// The text that a few rows contain.
pub const NEEDLE: &str = "needle-in-the-hay";
/// One row in this many contains the needle.
const NEEDLE_EVERY: u64 = 100_003;

/// 2026-01-02T03:04:05Z, in seconds.
const BEGIN: i64 = 1_767_323_045;
/// Twice the mean time between two lines.
const MAX_STEP_NANOS: u64 = 300_000;

/// The texts after the row number. With them, lines have the mean length stated above.
const BODIES: [&str; 8] = [
    "\x1b[1m\x1b[32m   Compiling\x1b[0m serde_json v1.0.145 \
     (registry+https://github.com/rust-lang/crates.io-index) with 14 features in 2 units",
    "test parser::tests::a_header_that_is_torn_between_two_reads_\
     is_one_header_all_the_same_case_17 ... \x1b[32mok\x1b[0m",
    "{\"level\":\"info\",\"ts\":1767323045.123,\"caller\":\"server/handler.go:218\",\
     \"msg\":\"request served\",\"status\":200,\"took\":\"1.72ms\",\"parcel\":\"7f3a9c01\",\
     \"nodes\":[\"depot\",\"mill\"]}",
    "\x1b[2m12:00:07\x1b[0m \x1b[38;5;39mINFO\x1b[0m served \
     \x1b[38;2;200;120;20m/api/v1/parcels/7f3a9c01/route\x1b[0m from cache, age 12 s, of 4 nodes",
    "npm warn deprecated inflight@1.0.6: This module is not supported, and leaks memory. Do not \
     use it; see lru-cache for a way out",
    "    at processTicksAndRejections (node:internal/process/task_queues:95:5) in async \
     Promise.all (index 3) of main.test.ts, called by Object.deliver",
    "\x1b[33mwarning\x1b[0m: unused variable: `parcel_weight_in_grams`, which is \
     \x1b[1massigned\x1b[0m in src/route/way.rs:42:9 and read nowhere",
    "",
];

/// The size of the writes and the form of the times. The size of the writes determines the layout
/// in the page cache.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manner {
    /// Writes of 1 MiB; times with nine digits, as written by rundown.
    Large,
    /// Writes of 4 KiB, as to a live log; times without trailing zeros, as written by containerd.
    Small,
}

impl Manner {
    pub const fn words(self) -> &'static str {
        match self {
            Self::Large => "written in 1 MiB, times of 9 digits",
            Self::Small => "written in 4 KiB, times trimmed",
        }
    }

    const fn write_bytes(self) -> usize {
        match self {
            Self::Large => 1 << 20,
            Self::Small => 4 << 10,
        }
    }
}

/// A log on disk and its properties.
#[derive(Clone)]
pub struct Log {
    pub path: PathBuf,
    pub mebibytes: u64,
    pub rows: u64,
    pub needles: u64,
    pub first_at: Time,
    pub last_at: Time,
}

/// The logs made so far. Dropping this deletes them.
pub struct Logs {
    dir: TempDir,
    made: BTreeMap<(u64, Manner), Log>,
}

impl Logs {
    pub fn new() -> Result<Self> {
        let dir = TempDir::with_prefix("rundown-peers-")?;
        remove_when_stopped(dir.path().to_owned())?;
        Ok(Self { dir, made: BTreeMap::new() })
    }

    /// Returns the directory of the logs; also used as the home of programs that need one.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns a log of this size. Makes it on the first call.
    pub fn get(&mut self, mebibytes: u64, manner: Manner) -> Result<Log> {
        if let Some(log) = self.made.get(&(mebibytes, manner)) {
            return Ok(log.clone());
        }
        let letter = if manner == Manner::Large { 'l' } else { 's' };
        let path = self.dir.path().join(format!("{mebibytes}-{letter}.log"));
        let (log, _) = write(&path, mebibytes, manner)
            .with_context(|| format!("cannot write {}", path.display()))?;
        self.made.insert((mebibytes, manner), log.clone());
        Ok(log)
    }

    /// Makes a log to append to, and returns it with the generator of its next lines. The other
    /// logs remain unchanged for later measurements.
    pub fn live(&self, mebibytes: u64) -> Result<(Log, Lines)> {
        let path = self.dir.path().join("live.log");
        write(&path, mebibytes, Manner::Small)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Deletes the logs on a signal, because they are too large to leave behind.
fn remove_when_stopped(dir: PathBuf) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let _ = fs::remove_dir_all(dir);
            exit(128 + signal);
        }
    });
    Ok(())
}

fn write(path: &Path, mebibytes: u64, manner: Manner) -> io::Result<(Log, Lines)> {
    let mut file = File::create(path)?;
    let mut lines = Lines::new(manner == Manner::Small);
    let mut batch = Vec::new();
    lines.full(FIRST, &mut batch);
    for _ in 0..(mebibytes << 20) / manner.write_bytes() as u64 {
        while batch.len() < manner.write_bytes() {
            lines.usual(&mut batch);
        }
        let rest = batch.split_off(manner.write_bytes());
        file.write_all(&batch)?;
        batch.clear();
        batch.extend(rest);
    }
    lines.close(&mut batch);
    lines.full(LAST, &mut batch);
    file.write_all(&batch)?;
    let (first_at, last_at) = (Time::from_millis(BEGIN * 1000), lines.now());
    let (path, rows, needles) = (path.to_owned(), lines.rows, lines.needles);
    Ok((Log { path, mebibytes, rows, needles, first_at, last_at }, lines))
}

/// Reads a file into the page cache.
pub fn warm(path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    while file.read(&mut buffer)? > 0 {}
    Ok(())
}

/// A generator of lines.
pub struct Lines {
    is_trimmed: bool,
    nanos: u64,
    /// The second in `prefix`.
    second: u64,
    prefix: String,
    random: u64,
    /// True if a partial entry is open: for stdout at index 0, for stderr at index 1.
    open: [bool; 2],
    pub rows: u64,
    needles: u64,
}

impl Lines {
    pub fn new(is_trimmed: bool) -> Self {
        Self {
            is_trimmed,
            nanos: 0,
            second: u64::MAX,
            prefix: String::new(),
            random: 0x9e37_79b9_7f4a_7c15,
            open: [false; 2],
            rows: 0,
            needles: 0,
        }
    }

    /// Appends an ordinary line.
    pub fn usual(&mut self, out: &mut Vec<u8>) {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let random = self.random;
        self.nanos += 1 + random % MAX_STEP_NANOS;
        let (is_stderr, is_piece) =
            ((random >> 20).is_multiple_of(10), (random >> 24).is_multiple_of(1000));
        self.head(is_stderr, is_piece, out);
        let row = self.rows;
        out.push(b'#');
        digits(row, 10, out);
        out.push(b' ');
        if row.is_multiple_of(NEEDLE_EVERY) && !is_piece {
            self.needles += 1;
            out.extend(NEEDLE.as_bytes());
        } else {
            let body = usize::try_from((random >> 40) % (BODIES.len() as u64)).unwrap_or(0);
            out.extend(BODIES.get(body).unwrap_or(&"").as_bytes());
        }
        out.push(b'\n');
    }

    /// Appends a row of one line with this text.
    pub fn full(&mut self, text: &str, out: &mut Vec<u8>) {
        self.head(false, false, out);
        out.extend(text.as_bytes());
        out.push(b'\n');
    }

    /// Ends the open entries.
    pub fn close(&mut self, out: &mut Vec<u8>) {
        for is_stderr in [false, true] {
            if self.open.get(usize::from(is_stderr)) == Some(&true) {
                self.head(is_stderr, false, out);
                out.push(b'\n');
            }
        }
    }

    fn now(&self) -> Time {
        Time::from_millis(BEGIN * 1000 + i64::try_from(self.nanos / 1_000_000).unwrap_or(0))
    }

    fn head(&mut self, is_stderr: bool, is_piece: bool, out: &mut Vec<u8>) {
        let (second, nanos) = (self.nanos / 1_000_000_000, self.nanos % 1_000_000_000);
        if second != self.second {
            self.second = second;
            let at = Timestamp::from_second(BEGIN + i64::try_from(second).unwrap_or(0))
                .unwrap_or_default();
            self.prefix = at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        }
        out.extend(self.prefix.as_bytes());
        out.push(b'.');
        digits(nanos, 9, out);
        if self.is_trimmed {
            while out.last() == Some(&b'0') {
                out.pop();
            }
            out.pop_if(|last| *last == b'.');
        }
        out.extend(if is_stderr { b"Z stderr " } else { b"Z stdout " });
        out.extend(if is_piece { b"P " } else { b"F " });
        if let Some(open) = self.open.get_mut(usize::from(is_stderr)) {
            self.rows += u64::from(!*open);
            *open = is_piece;
        }
    }
}

/// Appends a number with this many digits. Formatting with `write!` would be too slow: the
/// generator must be faster than the measured programs.
fn digits(mut n: u64, width: usize, out: &mut Vec<u8>) {
    let from = out.len();
    for _ in 0..width {
        out.push(b'0' + u8::try_from(n % 10).unwrap_or(0));
        n /= 10;
    }
    out.get_mut(from..).unwrap_or_default().reverse();
}
