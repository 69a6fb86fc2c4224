//! Measurements of a log that grows while it is viewed.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::log::{Lines, Log, warm};
use crate::process::{cpu, cpu_share};
use crate::rounds::{Mebibytes, ms, report_latencies};
use crate::screens::shows;
use crate::terminal::{TIMEOUT, Terminal};
use crate::{Bench, gap, rows_text};

/// The size of a log before it grows, in MiB.
const BEFORE: u64 = 100;
/// Lines that are appended one by one.
const APPENDS: u64 = 200;
/// Time without activity.
const IDLE: Duration = Duration::from_secs(5);
/// The text of the last row of a flood.
const FLOOD_END: &str = "the end of the flood";

/// The programs that follow a log, with their options.
const FOLLOWERS: &[(&str, &[&str])] =
    &[("rundown", &[]), ("tail", &["-f"]), ("less", &["+F"]), ("lnav", &[]), ("tl", &[])];

/// Starts each installed program on a new log, waits until the screen shows the end of the log, and
/// calls `work`.
fn with_each(
    bench: &Bench,
    mebibytes: u64,
    mut work: impl FnMut(&str, Terminal, &Log, Lines) -> Result<()>,
) -> Result<()> {
    for &(name, args) in FOLLOWERS {
        let label = [&[name], args].concat().join(" ");
        let Some(program) = bench.program(name) else {
            println!("  {label:<34} not here");
            continue;
        };
        let (log, lines) = bench.logs.live(mebibytes)?;
        warm(&log.path)?;
        match bench.at_end(&program, args, &log.path)? {
            None => println!("  {label:<34} what was waited for did not come"),
            Some((terminal, _)) => work(&label, terminal, &log, lines)?,
        }
    }
    Ok(())
}

/// Measures the time from an append to the line on the screen, and the CPU usage without activity.
pub fn append(bench: &mut Bench) -> Result<()> {
    println!("\na line is appended to {BEFORE} MiB → it is on the screen");
    with_each(bench, BEFORE, |label, mut terminal, log, mut lines| {
        // Leaves time to complete the index.
        terminal.rest(IDLE)?;
        let (idle, ()) = cpu_share(terminal.pid(), || terminal.rest(IDLE))?;
        let mut file = File::options().append(true).open(&log.path)?;
        let mut latencies = Vec::new();
        for n in 0..APPENDS {
            let (text, mut line) = (format!("mark {n} of {APPENDS}"), Vec::new());
            lines.full(&text, &mut line);
            let written = Instant::now();
            file.write_all(&line)?;
            let seen = terminal.wait_for(&text)?;
            latencies.push(seen.map_or(TIMEOUT, |seen| seen - written));
            terminal.rest(gap(n))?;
        }
        let goal = if label == "rundown" { ", goal: p50 2, p99 20" } else { "" };
        report_latencies(label, &latencies, goal);
        println!("  {:<34} idle {idle:.3} % of a core, {}", "", Mebibytes(terminal.end()?));
        Ok(())
    })
}

/// The rate at which a log grows.
#[derive(Clone, Copy)]
struct Pace {
    lines: usize,
    every: Duration,
    batches: u32,
}

/// The data that was appended.
struct Flood {
    rows: u64,
    bytes: u64,
    took: Duration,
    end: Instant,
}

/// Starts a thread that appends lines at a given rate, then the last row.
fn flood(path: &Path, mut lines: Lines, pace: Pace) -> Result<JoinHandle<Result<Flood>>> {
    let mut file = File::options().append(true).open(path)?;
    Ok(thread::spawn(move || {
        let (begin, mut bytes, mut batch) = (Instant::now(), 0, Vec::new());
        for n in 1..=pace.batches {
            (0..pace.lines).for_each(|_| lines.usual(&mut batch));
            file.write_all(&batch)?;
            bytes += batch.len() as u64;
            batch.clear();
            thread::sleep((begin + pace.every * n).saturating_duration_since(Instant::now()));
        }
        let took = begin.elapsed();
        lines.close(&mut batch);
        lines.full(FLOOD_END, &mut batch);
        file.write_all(&batch)?;
        Ok(Flood { rows: lines.rows, bytes, took, end: Instant::now() })
    }))
}

fn join(flood: JoinHandle<Result<Flood>>) -> Result<Flood> {
    flood.join().map_err(|_| anyhow!("the thread that appends has panicked"))?
}

/// Measures a log that grows by 20 MB/s in small appends: the CPU usage, and the delay until the
/// last row is on the screen.
pub fn follow(bench: &mut Bench) -> Result<()> {
    println!("\n20 MB/s for 5 s, in appends of 1 ms; goal: 25 % of a core, 50 ms behind");
    with_each(bench, 1, |label, mut terminal, log, lines| {
        terminal.rest(Duration::from_secs(1))?;
        let pace = Pace { lines: 119, every: Duration::from_millis(1), batches: 5000 };
        let pid = terminal.pid();
        let (share, (flood, seen)) = cpu_share(pid, || {
            let flood = flood(&log.path, lines, pace)?;
            let seen = terminal.wait_for(FLOOD_END)?;
            Ok((join(flood)?, seen))
        })?;
        let behind = seen.map_or_else(
            || "never came".into(),
            |seen| format!("{:.1} ms behind", ms(seen - flood.end)),
        );
        let speed = megabytes_per_second(&flood);
        println!(
            "  {label:<34} {share:.1} % of a core, {behind}, at {speed:.1} MB/s, {}",
            Mebibytes(terminal.end()?)
        );
        Ok(())
    })
}

#[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
fn megabytes_per_second(flood: &Flood) -> f64 {
    flood.bytes as f64 / 1e6 / flood.took.as_secs_f64()
}

/// Measures a log that grows by 1,000,000 lines per second: the response time of keys meanwhile,
/// and the time from the last line until the screen is up to date.
pub fn burst(bench: &mut Bench) -> Result<()> {
    println!("\n1,000,000 lines/s for 10 s; the help is opened and closed meanwhile");
    let (log, lines) = bench.logs.live(1)?;
    let Some((mut terminal, _)) = bench.at_end(&bench.arguments.rundown, &[], &log.path)? else {
        println!("  the last row did not come");
        return Ok(());
    };
    let flood = flood(
        &log.path,
        lines,
        Pace { lines: 10_000, every: Duration::from_millis(10), batches: 1000 },
    )?;
    let (spent, mut latencies) = (cpu(terminal.pid()), Vec::new());
    while !flood.is_finished() {
        for (key, is_open) in [("?", true), ("\x1b", false)] {
            let pressed = Instant::now();
            terminal.press(key)?;
            let seen = terminal.wait(TIMEOUT, |screen| shows(screen, "Everywhere") == is_open)?;
            latencies.push(seen.map_or(TIMEOUT, |seen| seen - pressed));
            terminal.rest(gap(latencies.len() as u64))?;
        }
    }
    let flood = join(flood)?;
    let last = terminal.wait_for(FLOOD_END)?;
    let counted = terminal.wait_for(&rows_text(flood.rows))?;
    let spent = cpu(terminal.pid()).saturating_sub(spent);
    report_latencies("rundown", &latencies, ", goal: max 33");
    let after = |seen: Option<Instant>| {
        seen.map_or_else(|| "NEVER".into(), |seen| format!("{:.1} ms", ms(seen - flood.end)))
    };
    println!(
        "  appended in {:.1} s at {:.0} MB/s; after the last append:",
        flood.took.as_secs_f64(),
        megabytes_per_second(&flood)
    );
    println!("  its row is shown: {}; {}: {}", after(last), rows_text(flood.rows), after(counted));
    println!("  {:.1} s of CPU, {}", spent.as_secs_f64(), Mebibytes(terminal.end()?));
    Ok(())
}
