//! Measurements of the library in this process.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rundown::log::{Anchor, Index, LogFile, LogPath, Tail};
use rundown::time::Time;

use crate::Bench;
use crate::log::{Log, Manner, warm};
use crate::rounds::report_latencies;

/// The number of places to jump to.
const PLACES: u64 = 2000;
/// Rows per screen.
const ROWS: usize = 40;
/// Measures the time to read a screen of rows at a random row number or a random time.
pub fn goto(bench: &mut Bench) -> Result<()> {
    let log = bench.logs.get(bench.largest(), Manner::Large)?;
    warm(&log.path)?;
    let file = LogFile::open(&LogPath::named(&log.path))?;
    let mut index = Index::new(file.format());
    file.feed(&mut index, u64::MAX)?;
    println!(
        "\ngo to a place in {} MiB; the index takes {} KiB",
        log.mebibytes,
        index.memory_bytes() >> 10
    );
    let by_row = latencies(|share| {
        let offset =
            file.offset_of_row(&index, share % log.rows, Tail::Emit)?.context("no such row")?;
        Ok(file.window(Anchor::From(offset), ROWS, Tail::Emit).map(|_| ())?)
    })?;
    report_latencies("rundown, by row", &by_row, ", goal: p99 1");
    let by_time = latencies(|share| {
        let offset = offset_of_time(&file, &index, time(&log, share))?;
        Ok(file.window(Anchor::From(offset), ROWS, Tail::Emit).map(|_| ())?)
    })?;
    report_latencies("rundown, by time", &by_time, ", goal: p99 1");
    Ok(())
}

/// Returns the duration of each of [`PLACES`] jumps.
fn latencies(mut go: impl FnMut(u64) -> Result<()>) -> Result<Vec<Duration>> {
    (1..=PLACES)
        .map(|n| {
            let begin = Instant::now();
            // Far from the previous place.
            go(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20)?;
            Ok(begin.elapsed())
        })
        .collect()
}

fn time(log: &Log, share: u64) -> Time {
    let all = log.last_at.millis_since(log.first_at).max(1);
    Time::from_millis(log.first_at.floor_millis() + i64::try_from(share).unwrap_or(0) % all)
}

/// Returns the offset of the first row at or after a time.
fn offset_of_time(file: &LogFile, index: &Index, time: Time) -> Result<u64> {
    file.offset_of_time(index, time, Tail::Emit)?.context("no such time")
}
