//! The resource usage of a process, from `/proc`.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::rounds::Sample;

/// Interval between two samples of memory. Shorter peaks are missed.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(5);

/// The memory usage of a process, in KiB: one sample, or the maximum of several.
#[derive(Clone, Copy, Default)]
pub struct Memory {
    /// The process's own memory, without mapped files.
    pub anonymous: u64,
    /// All resident memory, at its peak.
    pub resident: u64,
}

impl Memory {
    /// Samples the memory of a process; zero if it has ended.
    fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
        };
        Self { anonymous: field("RssAnon:"), resident: field("VmHWM:") }
    }

    pub fn max(self, other: Self) -> Self {
        Self {
            anonymous: self.anonymous.max(other.anonymous),
            resident: self.resident.max(other.resident),
        }
    }
}

/// A thread that samples the memory of a process.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Memory>,
}

impl Watch {
    pub fn start(pid: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let mut peak = Memory::default();
                while !stop.load(Ordering::Acquire) {
                    peak = peak.max(Memory::of(pid));
                    thread::park_timeout(SAMPLE_INTERVAL);
                }
                peak.max(Memory::of(pid))
            }
        });
        Self { stop, thread }
    }

    /// Takes a last sample, and returns the peak. Call this before the process is reaped, because
    /// its id may later belong to another process.
    pub fn end(self) -> Memory {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        self.thread.join().unwrap_or_default()
    }
}

/// Returns the CPU time of a process, without threads that have ended. Reads `schedstat`, which
/// counts nanoseconds: the ticks of 10 ms in `stat` are too coarse for an idle process.
pub fn cpu(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let spent = threads.filter_map(|thread| {
        let line = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

/// Returns the CPU usage of a process during `work`, in percent of a core.
pub fn cpu_share<T>(pid: u32, work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let (before, begin) = (cpu(pid), Instant::now());
    let done = work()?;
    let spent = cpu(pid).saturating_sub(before);
    Ok((100.0 * spent.as_secs_f64() / begin.elapsed().as_secs_f64(), done))
}

/// Runs a pipeline of commands until all have ended. Samples the memory of the first command.
pub fn run_piped(mut commands: Vec<Command>) -> Result<Sample> {
    let last = commands.len().saturating_sub(1);
    let mut children: Vec<Child> = Vec::new();
    let mut watch = None;
    let begin = Instant::now();
    for (at, command) in commands.iter_mut().enumerate() {
        let before = children.last_mut().and_then(|child| child.stdout.take());
        command.stdin(before.map_or_else(Stdio::null, Stdio::from));
        command.stdout(if at == last { Stdio::null() } else { Stdio::piped() });
        let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        watch.get_or_insert_with(|| Watch::start(child.id()));
        children.push(child);
    }
    for child in &children {
        await_exit(child)?;
    }
    let took = begin.elapsed();
    let memory = watch.map_or_else(Memory::default, Watch::end);
    for child in &mut children {
        child.wait()?;
    }
    Ok(Sample { took, memory })
}

/// Waits until a child has exited, without reaping it.
fn await_exit(child: &Child) -> Result<()> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(error) = waitid(WaitId::Pid(Pid::from_child(child)), options) {
        if error != Errno::INTR {
            return Err(error.into());
        }
    }
    Ok(())
}
