//! Following a log in a real terminal: the time until a line is on screen, the CPU usage, and the
//! response time of keys meanwhile.
//!
//! `cargo bench --bench follow [latency|idle|stream|burst|singly]…` prints plain figures. `latency`
//! also measures `tail -f` in the same terminal, and `stream` also measures `tail -f >/dev/null`.
//! Delays include the time of the terminal itself, an emulator in this process. CPU usage does not.

#![allow(
    clippy::print_stderr,
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and fails when it cannot be set up"
)]

#[path = "../tests/it/support/mod.rs"]
#[allow(dead_code, reason = "the bench uses a part")]
mod support;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use support::built::{Built, run_id};
use support::session::Session;

/// Lines that are appended one by one.
const SINGLES: usize = 300;
/// Time without activity over which CPU usage is measured.
const IDLE: Duration = Duration::from_secs(20);
/// Time over which lines are written.
const POURING: Duration = Duration::from_secs(10);
const STREAM_BYTES_PER_S: u64 = 20_000_000;
const BURST_LINES_PER_S: u64 = 1_000_000;
const SINGLY_LINES_PER_S: u64 = 200_000;
/// The pause between two batches of lines.
const BEAT: Duration = Duration::from_millis(2);

fn main() {
    let chosen: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let parts: [(&str, fn()); 5] = [
        ("latency", latency),
        ("idle", idle),
        ("stream", stream),
        ("burst", burst),
        ("singly", singly),
    ];
    for (name, part) in parts {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            part();
        }
    }
}

/// A store whose only command is running, and its log.
struct Running {
    store: Built,
    log: PathBuf,
}

impl Running {
    fn new() -> Self {
        let (mut store, run) = (Built::new(), run_id(1));
        store.begin(&run, &["build"], 0);
        store.start(&run, "build", 1, "make all", 100);
        let log = store.log_path(&run, "build", 1);
        append(&log, b"2026-05-06T12:00:00.000000000Z stdout F started\n");
        Self { store, log }
    }

    fn watch(&self) -> Session {
        let session = Session::start(&self.store, &[]);
        session.shown.wait_for_text("started");
        session
    }
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn tail(log: &Path) -> Session {
    let session = Session::of_program("tail".as_ref(), &[OsStr::new("-f"), log.as_os_str()], &[]);
    session.shown.wait_for_text("started");
    session
}

/// Appends a line with `pad` bytes after its number. A screen of 80 columns shows the number.
fn push_line(into: &mut String, n: u64, pad: usize) {
    let _ = writeln!(into, "2026-05-06T12:00:00.000000000Z stdout F #{n:09} {:pad$}", "");
}

/// Returns the highest number on screen.
fn newest(session: &Session) -> Option<u64> {
    let contents = session.shown.parser.lock().unwrap().screen().contents();
    let number =
        |line: &str| line.rsplit_once('#').and_then(|(_, rest)| rest.get(..9)?.parse().ok());
    contents.lines().filter_map(number).max()
}

/// Returns the CPU time of a process.
fn spent(pid: Pid) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).unwrap();
    let of_task = |task: fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(tasks.flatten().filter_map(of_task).sum())
}

fn peak_kib(pid: Pid) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Returns the CPU usage of a process in percent of a core, over a period of the length `of`.
/// `before` is its CPU time at the start of the period.
fn share(pid: Pid, before: Duration, of: Duration) -> f64 {
    100.0 * spent(pid).saturating_sub(before).as_secs_f64() / of.as_secs_f64()
}

/// Formats the median, the 99th percentile and the maximum, in milliseconds.
fn spread(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |share: usize| {
        times.get(times.len() * share / 100).or(times.last()).unwrap().as_secs_f64() * 1e3
    };
    format!(
        "median {:.2} ms, p99 {:.2} ms, worst {:.2} ms (n = {})",
        at(50),
        at(99),
        at(100),
        times.len()
    )
}

fn latency() {
    for name in ["rundown", "tail -f"] {
        let running = Running::new();
        let session = if name == "rundown" { running.watch() } else { tail(&running.log) };
        let mut file = OpenOptions::new().append(true).open(&running.log).unwrap();
        let mut times = Vec::new();
        for n in 0..SINGLES as u64 {
            // Varies the delay, so that it is not in step with any timer.
            thread::sleep(Duration::from_millis(40 + n * 7 % 41));
            let mut line = String::new();
            push_line(&mut line, n, 0);
            let started = Instant::now();
            file.write_all(line.as_bytes()).unwrap();
            session.shown.wait_for_text(&format!("#{n:09}"));
            times.push(started.elapsed());
        }
        println!("append -> screen, idle before, {name}: {}", spread(&mut times));
        session.kill(Signal::TERM);
    }
}

fn idle() {
    let running = Running::new();
    let session = running.watch();
    thread::sleep(Duration::from_secs(2));
    let before = spent(session.pid);
    thread::sleep(IDLE);
    let used = share(session.pid, before, IDLE);
    println!("idle, a run goes on: {used:.2} % of a core, peak {}", peak_kib(session.pid));
    session.kill(Signal::TERM);
}

/// A writer of lines at a given rate for [`POURING`]. After each batch, it records the number of
/// the last line and the time.
struct Pour<'t> {
    lines_per_s: u64,
    pad: usize,
    /// True if each line is written with a separate call.
    singly: bool,
    written: &'t Mutex<Vec<(u64, Instant)>>,
    is_over: &'t AtomicBool,
}

impl Pour<'_> {
    fn run(&self, log: &Path) {
        let mut file = File::options().append(true).open(log).unwrap();
        let (started, mut next, mut lines) = (Instant::now(), 0, String::new());
        while started.elapsed() < POURING {
            let due = u64::try_from(started.elapsed().as_micros()).unwrap() * self.lines_per_s
                / 1_000_000;
            lines.clear();
            (next..due).for_each(|n| push_line(&mut lines, n, self.pad));
            let chunk = if self.singly {
                lines.len() / usize::try_from(due - next).unwrap().max(1)
            } else {
                lines.len()
            };
            lines.as_bytes().chunks(chunk.max(1)).for_each(|chunk| file.write_all(chunk).unwrap());
            if due > next {
                self.written.lock().unwrap().push((due - 1, Instant::now()));
            }
            next = due;
            thread::sleep(BEAT);
        }
        self.is_over.store(true, Ordering::Release);
        let seconds = started.elapsed().as_secs_f64();
        let bytes = fs::metadata(log).unwrap().len();
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let (lines, mbytes) = (next as f64 / seconds / 1e6, bytes as f64 / seconds / 1e6);
        println!("  written: {lines:.2} M lines/s, {mbytes:.0} MB/s");
    }
}

/// Samples the age of the oldest line that is written but not on screen yet, once per millisecond.
fn lag(
    session: &Session,
    written: &Mutex<Vec<(u64, Instant)>>,
    is_over: &AtomicBool,
) -> Vec<Duration> {
    let mut lags = Vec::new();
    while !is_over.load(Ordering::Acquire) {
        let seen = newest(session);
        let now = Instant::now();
        let first_unseen = written
            .lock()
            .unwrap()
            .iter()
            .rev()
            .take_while(|(n, _)| Some(*n) > seen)
            .last()
            .copied();
        lags.push(first_unseen.map_or(Duration::ZERO, |(_, at)| now.duration_since(at)));
        thread::sleep(Duration::from_millis(1));
    }
    lags
}

fn stream() {
    let pad = 116;
    let mut one = String::new();
    push_line(&mut one, 0, pad);
    let lines_per_s = STREAM_BYTES_PER_S / one.len() as u64;
    let running = Running::new();
    let session = running.watch();
    let (written, is_over) = (Mutex::default(), AtomicBool::new(false));
    let before = spent(session.pid);
    println!("following 20 MB/s for {} s", POURING.as_secs());
    let mut lags = thread::scope(|scope| {
        scope.spawn(|| {
            Pour { lines_per_s, pad, singly: false, written: &written, is_over: &is_over }
                .run(&running.log);
        });
        lag(&session, &written, &is_over)
    });
    let used = share(session.pid, before, POURING);
    println!(
        "  rundown: {used:.1} % of a core, behind by {}, peak {}",
        spread(&mut lags),
        peak_kib(session.pid)
    );
    session.kill(Signal::TERM);

    let running = Running::new();
    let mut tail = Command::new("tail")
        .arg("-f")
        .arg(&running.log)
        .stdout(File::create("/dev/null").unwrap())
        .spawn()
        .unwrap();
    let before = spent(Pid::from_child(&tail));
    let (written, is_over) = (Mutex::default(), AtomicBool::new(false));
    Pour { lines_per_s, pad, singly: false, written: &written, is_over: &is_over }
        .run(&running.log);
    let of_tail = share(Pid::from_child(&tail), before, POURING);
    println!(
        "  tail -f >/dev/null: {of_tail:.1} % of a core; rundown takes {:.1} times that",
        used / of_tail
    );
    tail.kill().unwrap();
    tail.wait().unwrap();
}

/// Opens and closes the help repeatedly, and returns the time that each takes.
fn keys(session: &Session, is_over: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    while !is_over.load(Ordering::Acquire) {
        for is_open in [true, false] {
            let started = Instant::now();
            session.press("?");
            session
                .shown
                .wait_for("the help", |screen| screen.contents().contains("Everywhere") == is_open);
            times.push(started.elapsed());
            thread::sleep(Duration::from_millis(30));
        }
    }
    times
}

fn burst() {
    println!("1,000,000 lines/s for {} s", POURING.as_secs());
    pour_and_press(BURST_LINES_PER_S, false);
}

fn singly() {
    println!("a write for each of 200,000 lines/s for {} s", POURING.as_secs());
    pour_and_press(SINGLY_LINES_PER_S, true);
}

fn pour_and_press(lines_per_s: u64, singly: bool) {
    let running = Running::new();
    let session = running.watch();
    let (written, is_over) = (Mutex::default(), AtomicBool::new(false));
    let before = spent(session.pid);
    let mut times = thread::scope(|scope| {
        let pour = || {
            Pour { lines_per_s, pad: 0, singly, written: &written, is_over: &is_over }
                .run(&running.log);
        };
        scope.spawn(pour);
        keys(&session, &is_over)
    });
    let used = share(session.pid, before, POURING);
    println!("  keys: {}", spread(&mut times));
    println!("  rundown: {used:.1} % of a core, peak {}", peak_kib(session.pid));
    let last = written.lock().unwrap().last().unwrap().0;
    let done = Instant::now();
    session.shown.wait_for_text(&format!("#{last:09}"));
    // The numbers start at 0, and the count includes the line that was there before.
    let rows = rundown::display::count(last + 2);
    session.shown.wait_for_text(&format!("{rows} rows"));
    println!(
        "  all {rows} rows were counted {:.0} ms after the last was written",
        done.elapsed().as_secs_f64() * 1e3
    );
    session.kill(Signal::TERM);
}
