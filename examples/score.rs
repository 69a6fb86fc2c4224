//! Scores the search for causes on a directory of labelled logs. Run it before and after a change
//! to the rules:
//!
//! ```sh
//! cargo run --release --example score -- /tmp/labelled
//! ```
//!
//! Each line of `labels.jsonl` in the directory is an object: `file` (a log of a failed command,
//! relative to the directory), `tool`, `lines` (the rows that contain the cause, from 1; empty if
//! the log does not contain it), and, each optional, `alternates` (rows that are equally good
//! places for the mark), `equal` (rows of other failures of the command), `exit_code` and `signal`.
//!
//! - **card**: the card contains one of `lines` or `equal`.
//! - **mark**: the marked row is one of `lines`, `alternates` or `equal`.
//! - **screen**: one of `lines` or `equal` is on the first screen of 80x24.
//! - **silent**: the log does not contain the cause, and the search claims nothing.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use jiff::tz::TimeZone;
use rundown::catalog::{Catalog, RunFilter};
use rundown::log::{LogFile, LogPath, Tail, path};
use rundown::model::{JobId, RunDetails, RunId, ShKey};
use rundown::sanitize::{Progress, plain};
use rundown::search::find_cause;
use rundown::store::{JobEnd, NewJob, NewRun, RunEnd, ShEnd, ShStart, Writer};
use rundown::time::Time;
use rundown::tui::sim::Sim;
use rundown::tui::{Options, Settings};
use serde::Deserialize;
use tempfile::TempDir;

/// The number of bytes of a row that are kept: no cause needs more to be recognized in the report.
const ROW_BYTES: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os().nth(1).ok_or("usage: score DIRECTORY")?;
    score(Path::new(&dir), &mut io::stdout())
}

/// A line of `labels.jsonl`.
#[derive(Deserialize)]
struct Label {
    file: String,
    tool: String,
    lines: Vec<usize>,
    #[serde(default)]
    alternates: Vec<usize>,
    #[serde(default)]
    equal: Vec<usize>,
    exit_code: Option<i64>,
    signal: Option<i64>,
}

/// The number of logs of a tool, and of those with each result.
#[derive(Default)]
struct Score {
    logs: usize,
    silent_logs: usize,
    card: usize,
    mark: usize,
    screen: usize,
    silent: usize,
}

/// Prints every miss, and a table of the scores per tool.
///
/// # Errors
/// If the labels or a log cannot be read, or `out` cannot be written.
pub fn score(dir: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for line in fs::read_to_string(dir.join("labels.jsonl"))?.lines() {
        let label: Label = serde_json::from_str(line)?;
        add(dir, &label, scores.entry(label.tool.clone()).or_default(), out)?;
    }
    let names = ["card", "mark", "screen", "silent"].map(|name| format!("{name:>7}"));
    writeln!(out, "{:20} {}", "tool", names.join(" "))?;
    let total = scores.values().fold(Score::default(), |sum, score| Score {
        logs: sum.logs + score.logs,
        silent_logs: sum.silent_logs + score.silent_logs,
        card: sum.card + score.card,
        mark: sum.mark + score.mark,
        screen: sum.screen + score.screen,
        silent: sum.silent + score.silent,
    });
    for (tool, score) in scores.iter().chain([(&"total".to_owned(), &total)]) {
        let of_logs = [score.card, score.mark, score.screen];
        let [card, mark, screen] = of_logs.map(|hits| format!("{hits}/{}", score.logs));
        let silent = format!("{}/{}", score.silent, score.silent_logs);
        writeln!(out, "{tool:20} {card:>7} {mark:>7} {screen:>7} {silent:>7}")?;
    }
    Ok(())
}

/// Adds the result of one log to the score of its tool, and prints a miss.
fn add(
    dir: &Path,
    label: &Label,
    score: &mut Score,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let log = LogFile::open(&LogPath::named(dir.join(&label.file)))?;
    let status = label.signal.map(|signal| signal + 128).or(label.exit_code);
    let cause = find_cause(&log, status, Tail::Emit)?;
    let rows: Vec<_> = log.rows(0, ROW_BYTES, Tail::Emit)?.collect::<Result<_, _>>()?;
    let number = |offset: u64| rows.iter().position(|row| row.offset == offset).map(|at| at + 1);
    let text = |n: usize| {
        let row = n.checked_sub(1).and_then(|at| rows.get(at));
        row.map(|row| plain(&row.text, Progress::Last).into_owned()).unwrap_or_default()
    };
    let marked = cause.at.and_then(number);
    let card: Vec<usize> = cause.rows.iter().filter_map(|row| number(row.offset)).collect();
    let is_cause = |n: &usize| label.lines.contains(n) || label.equal.contains(n);
    let is_silent = label.lines.is_empty();
    let has_card = !is_silent && card.iter().any(is_cause);
    let has_mark = marked.is_some_and(|n| is_cause(&n) || label.alternates.contains(&n));
    let on_screen = || -> Result<bool, Box<dyn Error>> {
        let shown = first_screen(&dir.join(&label.file), status)?;
        Ok(shown.into_iter().filter_map(number).any(|n| is_cause(&n)))
    };
    let has_screen = !is_silent && on_screen()?;
    if is_silent {
        score.silent_logs += 1;
        score.silent += usize::from(marked.is_none());
    } else {
        score.logs += 1;
        score.card += usize::from(has_card);
        score.mark += usize::from(has_mark);
        score.screen += usize::from(has_screen);
    }
    let missed = match (is_silent, has_card, has_mark, has_screen) {
        (true, ..) if marked.is_some() => "silent",
        (false, false, ..) => "card",
        (false, true, false, _) => "mark",
        (false, true, true, false) => "screen",
        _ => return Ok(()),
    };
    let chosen = marked.map_or_else(|| "none".to_owned(), |n| format!("{n} {}", text(n)));
    writeln!(out, "missed {missed}: {}\n  marked {chosen}", label.file)?;
    for n in &label.lines {
        writeln!(out, "  labelled {n} {}", text(*n))?;
    }
    Ok(())
}

/// Returns the offsets of the rows on the first screen of a failed run with this log.
fn first_screen(log: &Path, status: Option<i64>) -> Result<Vec<u64>, Box<dyn Error>> {
    let store = failed_run(log, status)?;
    let options = Options {
        color: false,
        ascii: false,
        time_zone: TimeZone::UTC,
        filter: RunFilter::default(),
        at: None,
        watch: false,
        settings: Settings::default(),
    };
    let catalog = Catalog::of_store(store.path(), None);
    let sim = Sim::new(catalog, None, options, (80, 24), Time::from_millis(1_000));
    let log = &sim.model.log;
    let rows = log.window.rows.get(log.viewport().rows((log.top, log.line))).unwrap_or_default();
    // Rows of the cause that are far from it are listed above the others.
    let far = log.card.iter().flat_map(|card| &card.far);
    Ok(rows.iter().chain(far).map(|row| row.offset).collect())
}

/// Makes a store with a failed run whose only command has this log.
fn failed_run(log: &Path, status: Option<i64>) -> Result<TempDir, Box<dyn Error>> {
    let at = Time::from_millis(0);
    let dir = TempDir::new()?;
    let id = RunId("01a2078a-83c0-7cf2-8c6a-691100000001".to_owned());
    let job = JobId("job".to_owned());
    let run = path::run_dir(dir.path(), "example", &id).ok_or("invalid name")?;
    let job_dir = path::job_dir(&run, &job).ok_or("invalid name")?;
    fs::create_dir_all(&job_dir)?;
    fs::copy(log, path::sh_log(&job_dir, 1))?;
    let mut writer = Writer::open(&dir.path().join("rundown.db"))?;
    let new = NewRun {
        id: &id,
        repo: "example",
        ref_name: "refs/heads/main",
        sha: "",
        workspace: dir.path(),
        queued_at: at,
        starts: true,
        details: &RunDetails::default(),
    };
    writer.begin_run(&new, &[NewJob::new(job.clone())])?;
    writer.start_job(&id, &job, at)?;
    let start = ShStart {
        key: ShKey { run: id.clone(), job: job.clone(), n: 1 },
        started_at: at,
        cmd: "command".into(),
        cwd: "/".into(),
        attempt: None,
        shell: None,
    };
    let code = status.and_then(|status| i32::try_from(status).ok()).unwrap_or(1);
    writer.begin_sh(&start)?;
    writer.finish_sh(&start, &ShEnd::new(at, code))?;
    writer.finish_job(&id, &job, JobEnd::Failed(code), at)?;
    writer.finish_run(&id, Some(RunEnd::Failed("job-failed")), at)?;
    Ok(dir)
}
