//! Rounds of measurements, in which the contenders run in turn (A B C A B C …), and their
//! evaluation. Ratios compare results of the same round, because the speed of a machine drifts.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::log::warm;
use crate::process::Memory;

/// One measurement of a contender.
#[derive(Clone, Copy)]
pub struct Sample {
    pub took: Duration,
    pub memory: Memory,
}

type Run<'a> = Box<dyn FnMut() -> Result<Option<Sample>> + 'a>;

/// A program that is measured.
pub struct Contender<'a> {
    name: String,
    /// The maximum ratio of the first contender's time to this one's.
    goal: Option<f64>,
    /// The function that takes a sample; `None` if the program is not installed or is left out. The
    /// function returns `None` if the expected screen did not appear.
    run: Option<Run<'a>>,
}

impl<'a> Contender<'a> {
    pub fn new(name: &str, run: impl FnMut() -> Result<Option<Sample>> + 'a) -> Self {
        Self { name: name.to_owned(), goal: None, run: Some(Box::new(run)) }
    }

    pub fn goal(self, goal: f64) -> Self {
        Self { goal: Some(goal), ..self }
    }

    pub fn absent(name: &str) -> Self {
        Self { name: name.to_owned(), goal: None, run: None }
    }
}

/// Runs the contenders in turn on a file, after a warm-up round, and prints the ratio of the first
/// one to each of the others. A contender that fails is not run again.
pub fn compare(
    title: &str,
    rounds: usize,
    file: &Path,
    mut contenders: Vec<Contender>,
) -> Result<()> {
    println!("\n{title}");
    let mut samples: Vec<Vec<Sample>> = contenders.iter().map(|_| Vec::new()).collect();
    let mut failed: Vec<bool> = vec![false; contenders.len()];
    for round in 0..=rounds {
        for ((contender, samples), failed) in
            contenders.iter_mut().zip(&mut samples).zip(&mut failed)
        {
            let Some(run) = contender.run.as_mut().filter(|_| !*failed) else { continue };
            warm(file)?;
            match run()? {
                Some(sample) if round > 0 => samples.push(sample),
                Some(_) => {}
                None => *failed = true,
            }
        }
    }
    let ours = samples.first().cloned().unwrap_or_default();
    for (at, ((contender, samples), failed)) in
        contenders.iter().zip(&samples).zip(failed).enumerate()
    {
        let name = &contender.name;
        match contender.run {
            None => println!("  {name:<34} not here"),
            Some(_) if failed => println!("  {name:<34} what was waited for did not come"),
            Some(_) => {
                let times = Figures::of(samples.iter().map(|sample| ms(sample.took)));
                let beside =
                    if at == 0 { String::new() } else { ratio(&ours, samples, contender.goal) };
                println!("  {name:<34} {times} ms  {}{beside}", peak(samples));
            }
        }
    }
    Ok(())
}

fn ratio(ours: &[Sample], theirs: &[Sample], goal: Option<f64>) -> String {
    if ours.is_empty() {
        return String::new();
    }
    let ratios = ours
        .iter()
        .zip(theirs)
        .map(|(ours, theirs)| ours.took.as_secs_f64() / theirs.took.as_secs_f64());
    let goal = goal.map(|goal| format!(", goal {goal}")).unwrap_or_default();
    format!("  the first takes {} x{goal}", Figures::of(ratios))
}

fn peak(samples: &[Sample]) -> Mebibytes {
    Mebibytes(samples.iter().fold(Memory::default(), |peak, sample| peak.max(sample.memory)))
}

/// A formatter for memory.
pub struct Mebibytes(pub Memory);

impl fmt::Display for Mebibytes {
    #[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = |kib: u64| kib as f64 / 1024.0;
        write!(
            out,
            "peak {:.1} MiB, {:.1} of it anonymous",
            mebibytes(self.0.resident),
            mebibytes(self.0.anonymous)
        )
    }
}

/// Values in ascending order, displayed as their median and range.
struct Figures {
    sorted: Vec<f64>,
}

impl Figures {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Self { sorted }
    }

    /// Returns the given percentile.
    fn at(&self, percent: usize) -> f64 {
        let rank = (self.sorted.len() * percent).div_ceil(100).saturating_sub(1);
        self.sorted.get(rank).copied().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:>9.2} ({:.2}–{:.2})", self.at(50), self.at(0), self.at(100))
    }
}

/// Prints the distribution of latencies; `goal` is appended.
pub fn report_latencies(name: &str, latencies: &[Duration], goal: &str) {
    if latencies.is_empty() {
        println!("  {name:<34} it was over before anything could be measured");
        return;
    }
    let figures = Figures::of(latencies.iter().map(|latency| ms(*latency)));
    let [p50, p90, p99, max] = [50, 90, 99, 100].map(|percent| figures.at(percent));
    let n = latencies.len();
    println!(
        "  {name:<34} p50 {p50:.3}  p90 {p90:.3}  p99 {p99:.3}  max {max:.3} ms, n = {n}{goal}"
    );
}

/// Converts to milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
