//! Measurements of screens: the time until the end of a log, the number of its rows, the hits, or
//! the response to a key is shown.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Result;
use rundown::display;
use vt100::Screen;

use crate::log::{FIRST, LAST, Log, Manner, NEEDLE, warm};
use crate::pipes::{command, once, piped, wc};
use crate::rounds::{Contender, Mebibytes, Sample, compare, report_latencies};
use crate::terminal::{TIMEOUT, Terminal};
use crate::{BIG, Bench, gap, rows_text};

/// Measures the time from the start to the last row on the screen.
pub fn open(bench: &mut Bench) -> Result<()> {
    let sizes = BTreeSet::from([100, bench.arguments.mib, bench.largest()]);
    for mebibytes in sizes {
        let log = bench.logs.get(mebibytes, Manner::Large)?;
        let mut contenders = vec![
            viewer(bench, "rundown", &[], &log),
            viewer(bench, "less", &["+G"], &log).goal(2.0),
        ];
        // The other programs read the whole log.
        if mebibytes < BIG {
            contenders.extend([viewer(bench, "lnav", &[], &log), viewer(bench, "tl", &[], &log)]);
        }
        compare(
            &format!("open at the end, {mebibytes} MiB"),
            bench.arguments.rounds,
            &log.path,
            contenders,
        )?;
    }
    Ok(())
}

fn viewer<'a>(bench: &'a Bench, name: &str, args: &'static [&str], log: &'a Log) -> Contender<'a> {
    let label = [&[name], args].concat().join(" ");
    let Some(program) = bench.program(name) else { return Contender::absent(&label) };
    Contender::new(&label, move || bench.at_end(&program, args, &log.path)?.map(sample).transpose())
}

/// Returns the time from the start to the expected screen, and the memory usage.
fn sample((terminal, seen): (Terminal, Instant)) -> Result<Sample> {
    let took = seen - terminal.begin;
    Ok(Sample { took, memory: terminal.end()? })
}

/// Measures the time from the start to the number of rows on the screen, and the time of
/// `--once --format json`, which counts the rows without a screen.
pub fn index(bench: &mut Bench) -> Result<()> {
    for manner in [Manner::Large, Manner::Small] {
        let log = bench.logs.get(bench.arguments.mib, manner)?;
        let title = format!("count the rows, {} MiB, {}", log.mebibytes, manner.words());
        let on_screen = Contender::new("rundown, on screen", || {
            let mut terminal = bench.rundown(&log.path)?;
            let seen = terminal.wait_for(&rows_text(log.rows))?;
            seen.map(|seen| sample((terminal, seen))).transpose()
        });
        let json = piped(
            "rundown --once --format json | cat",
            once(&bench.arguments.rundown, "json", &log.path),
        );
        for contender in [on_screen, json] {
            compare(
                &title,
                bench.arguments.rounds,
                &log.path,
                vec![contender, wc(&log.path).goal(1.3)],
            )?;
        }
    }
    Ok(())
}

/// Measures the time from typing a rare word to the number of its hits on the screen.
pub fn search(bench: &mut Bench) -> Result<()> {
    let log = bench.logs.get(bench.arguments.mib, Manner::Large)?;
    let ours = Contender::new("rundown, on screen", || {
        let mut terminal = bench.rundown(&log.path)?;
        // Waits until the rows are counted, because counting is measured separately.
        if terminal.wait_for(&rows_text(log.rows))?.is_none() {
            return Ok(None);
        }
        let begin = Instant::now();
        terminal.press(&format!("/{NEEDLE}\r"))?;
        let seen = terminal.wait(TIMEOUT, |screen| shows_all_hits(screen, log.needles))?;
        let Some(seen) = seen else { return Ok(None) };
        Ok(Some(Sample { took: seen - begin, memory: terminal.end()? }))
    });
    let peer = match bench.program("rg") {
        None => Contender::absent("rg -c"),
        Some(rg) => piped("rg -c | cat", command(rg, &["-c", NEEDLE], &log.path)).goal(1.5),
    };
    let title = format!("search a word with {} hits, {} MiB", log.needles, log.mebibytes);
    compare(&title, bench.arguments.rounds, &log.path, vec![ours, peer])
}

/// Returns true if the screen shows the number of all hits: `6 rows` or `1 of 6` after the word.
/// While the search is running, the number is `6+`.
pub fn shows_all_hits(screen: &Screen, hits: u64) -> bool {
    let (contents, hits) = (screen.contents(), display::grouped(hits));
    let found = contents.split_once(&format!("/{NEEDLE} "));
    found.is_some_and(|(_, count)| count.split_whitespace().take(3).any(|word| word == hits))
}

/// Measures the time from a key until the log on the screen has moved, while the rows are being
/// counted.
pub fn keys(bench: &mut Bench) -> Result<()> {
    let log = bench.logs.get(bench.largest(), Manner::Large)?;
    warm(&log.path)?;
    println!("\nj and k while the rows of {} MiB are counted", log.mebibytes);
    let mut terminal = bench.rundown(&log.path)?;
    terminal.wait(TIMEOUT, is_open)?;
    // The row in the middle of the screen. No two rows of the log are the same.
    let row = |screen: &Screen| screen.rows(0, screen.size().1.get()).nth(20);
    let keys = if shows(terminal.screen(), FIRST) { ["j", "k"] } else { ["k", "j"] };
    let (counted, mut latencies) = (rows_text(log.rows), Vec::new());
    while !shows(terminal.screen(), &counted) && terminal.begin.elapsed() < TIMEOUT {
        let (before, n) = (row(terminal.screen()), latencies.len());
        let pressed = Instant::now();
        terminal.press(keys[n % 2])?;
        let moved = terminal.wait(TIMEOUT, |screen| row(screen) != before)?;
        latencies.push(moved.map_or(TIMEOUT, |moved| moved - pressed));
        terminal.rest(gap(n as u64))?;
    }
    report_latencies("rundown", &latencies, ", goal: max 16");
    println!("  {}", Mebibytes(terminal.end()?));
    Ok(())
}

/// Returns true if the first or the last row is on the screen.
fn is_open(screen: &Screen) -> bool {
    let contents = screen.contents();
    contents.contains(FIRST) || contents.contains(LAST)
}

pub fn shows(screen: &Screen, text: &str) -> bool {
    screen.contents().contains(text)
}
