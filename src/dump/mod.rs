//! `--once`: a run printed once, one file per format, all over the same [`RunNode`].
//!
//! Logs stream from disk to the output: memory does not grow with them. What cannot be read or was left out is told in the
//! [`Report`], never passed over: data goes to `out`, notices to whoever called.

mod json;
mod jsonl;
mod list;
mod raw;
mod records;
mod text;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::Path;

use globset::GlobMatcher;
use jiff::tz::TimeZone;

use crate::cri::Stream;
use crate::error::Error;
use crate::join::{JobNode, LogRef, RunNode, ShNode, ShState};
use crate::log::{LogFile, Row, Rows, Tail, Totals};
use crate::model::{Outcome, Phase, Run};
use crate::words;

pub use json::write_runs as write_list_json;
pub use list::write_runs as write_list_text;

/// The longest row that is printed whole; what is longer is cut, and said to be.
const ROW_CAP_BYTES: usize = 64 << 20;

/// What is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people.
    Text,
    /// The run as one document, logs counted.
    Json,
    /// An object per row.
    Jsonl,
    /// The bytes that the commands wrote.
    Raw,
    /// An object per physical line.
    Records,
}

/// The time in front of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timestamps {
    /// Nothing.
    None,
    /// The wall clock: `14:00:01.123`.
    Time,
    /// Since the command's start.
    Relative,
    /// Since the row before.
    Delta,
    /// Date, wall clock and offset.
    Full,
}

/// Which jobs and commands of a run.
#[derive(Clone, Default, Debug)]
pub struct Selection {
    /// Jobs whose id matches.
    pub job: Option<GlobMatcher>,
    /// The command of this number.
    pub n: Option<u32>,
    /// Failed commands, and the jobs that failed.
    pub failed: bool,
}

/// How logs are read and rows are shown.
#[derive(Clone, Debug)]
pub struct Look {
    /// Only rows of this stream.
    pub stream: Option<Stream>,
    /// Only the last rows of each log.
    pub tail: Option<usize>,
    /// What stands in front of a row.
    pub timestamps: Timestamps,
    /// Whether text carries colours.
    pub colour: bool,
    /// For times in text.
    pub time_zone: TimeZone,
}

/// What the output does not say.
#[derive(Default, Debug)]
pub struct Report {
    /// Things to tell on stderr.
    pub notices: Vec<String>,
    /// Whether a log could not be read.
    pub unreadable: bool,
}

impl Report {
    /// A report with one thing to tell.
    #[must_use]
    pub fn notice(text: &str) -> Self {
        Self { notices: vec![text.to_owned()], unreadable: false }
    }

    /// Adds what another report tells.
    pub fn extend(&mut self, other: Self) {
        self.notices.extend(other.notices);
        self.unreadable |= other.unreadable;
    }

    fn unreadable(&mut self, error: &Error) {
        self.unreadable = true;
        self.notices.push(crate::error::chain(error));
    }
}

/// Keeps of a run what is selected: jobs without a selected command go, unless the job itself is what was asked for.
#[must_use]
pub fn select(mut run: RunNode, selection: &Selection) -> RunNode {
    run.jobs.retain(|job| selection.job.as_ref().is_none_or(|glob| glob.is_match(job.job.id.as_str())));
    let failed = |sh: &ShNode| matches!(sh.state, ShState::Failed | ShState::Interrupted);
    let narrowed = selection.failed || selection.n.is_some();
    for job in &mut run.jobs {
        job.shs.retain(|sh| (!selection.failed || failed(sh)) && selection.n.is_none_or(|n| sh.n == n));
    }
    run.jobs.retain(|job| {
        let job_failed = selection.failed && (job.outcome == Some(Outcome::Failed) || job.interrupted);
        !narrowed || !job.shs.is_empty() || job_failed
    });
    run
}

/// Prints a run. `root` is the store that its log paths are told relative to.
///
/// # Errors
/// When `out` cannot be written; a log that cannot be read stands in the report.
pub fn write(format: Format, run: &RunNode, root: Option<&Path>, look: &Look, out: &mut impl Write) -> io::Result<Report> {
    let mut report = Report::default();
    match format {
        Format::Text => text::write_run(run, look, out, &mut report)?,
        Format::Json => json::write_run(run, root, out, &mut report)?,
        Format::Jsonl => jsonl::write_run(run, look, out, &mut report)?,
        Format::Raw => raw::write_run(run, look, out, &mut report)?,
        Format::Records => records::write_run(run, look, out, &mut report)?,
    }
    out.flush()?;
    Ok(report)
}

/// A run's id, where it has one: logs opened by path have none.
fn run_id(run: &Run) -> Option<&str> {
    Some(run.id.as_str()).filter(|id| !id.is_empty())
}

/// Whether an unterminated last line may still grow.
fn tail_of(run: &RunNode) -> Tail {
    if run.head.phase == Phase::Active { Tail::Hold } else { Tail::Emit }
}

fn count_log(run: &RunNode, log: &LogRef, report: &mut Report) -> Option<Totals> {
    let counted = LogFile::open(&log.path).and_then(|file| file.totals(tail_of(run)));
    counted.inspect_err(|error| report.unreadable(error)).ok()
}

/// Where a row comes from, as the JSON formats tell it; all `None` for a log opened by its path.
#[derive(Clone, Copy)]
struct LogPlace<'a> {
    run: Option<&'a str>,
    job: Option<&'a str>,
    n: Option<u32>,
}

impl<'a> LogPlace<'a> {
    fn of(run: &'a RunNode, job: &'a JobNode, sh: &ShNode) -> Self {
        let job = Some(job.job.id.as_str()).filter(|id| !id.is_empty());
        Self { run: run_id(&run.head.run), job, n: job.map(|_| sh.n) }
    }
}

fn open_log(log: &LogRef, report: &mut Report) -> Option<LogFile> {
    LogFile::open(&log.path).inspect_err(|error| report.unreadable(error)).ok()
}

fn cut_notice(log: &Path, bytes: u64) -> String {
    format!("{}: the first {} were left out (--tail)", log.display(), words::size(bytes))
}

/// Where in a log the wanted rows begin, in bytes. `None`: the log cannot be read, the report says why.
fn tail_start(file: &LogFile, run: &RunNode, look: &Look, report: &mut Report) -> Option<u64> {
    let tail = tail_of(run);
    match (look.tail, look.stream) {
        (None, _) => Some(0),
        (Some(rows), None) => file.tail_offset(rows, tail).inspect_err(|error| report.unreadable(error)).ok(),
        (Some(rows), Some(_)) => {
            let mut wanted = LogRows { rows: file.rows(0, 0, tail), stream: look.stream };
            let mut last = VecDeque::new();
            while let Some(row) = wanted.next(file, report) {
                last.push_back(row.offset);
                if last.len() > rows {
                    last.pop_front();
                }
            }
            Some(last.front().copied().unwrap_or(file.bytes()))
        }
    }
}

/// The rows of one log that are to be shown.
struct LogRows<'f> {
    rows: Rows<'f>,
    stream: Option<Stream>,
}

impl<'f> LogRows<'f> {
    fn from(file: &'f LogFile, start: u64, run: &RunNode, look: &Look) -> Self {
        Self { rows: file.rows(start, ROW_CAP_BYTES, tail_of(run)), stream: look.stream }
    }

    /// The next row of the wanted stream; an error of the log ends it and stands in the report.
    fn next(&mut self, file: &LogFile, report: &mut Report) -> Option<Row> {
        loop {
            let row = self.rows.next()?.map_err(Error::io("read", file.path()));
            let row = row.inspect_err(|error| report.unreadable(error)).ok()?;
            if self.stream.is_none() || row.stream == self.stream {
                return Some(row);
            }
        }
    }
}
