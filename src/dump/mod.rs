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
use serde::Serialize;

use crate::cri::Stream;
use crate::error::{Error, Result};
use crate::join::{JobNode, LogRef, RunNode, ShNode, ShState};
use crate::log::{LogFile, Row, Rows, Tail};
use crate::model::{Outcome, Phase, Run};
use crate::{sanitise, words};

pub use json::write_runs as write_list_json;
pub use list::write_runs as write_list_text;

/// The longest row that is printed whole as data; what is longer is cut, and said to be.
const ROW_CAP_BYTES: usize = 64 << 20;

/// The longest row of text: colours in it take many times its bytes.
const TEXT_ROW_CAP_BYTES: usize = 4 << 20;

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
pub fn write(
    format: Format,
    run: &RunNode,
    root: Option<&Path>,
    look: &Look,
    out: &mut impl Write,
) -> io::Result<Report> {
    let mut printing = Printing { run, look, report: Report::default() };
    printing.report.unreadable = !run.faults.is_empty();
    printing.report.notices.clone_from(&run.faults);
    match format {
        Format::Text => text::write_run(&mut printing, out)?,
        Format::Json => json::write_run(&mut printing, root, out)?,
        Format::Jsonl => jsonl::write_run(&mut printing, out)?,
        Format::Raw => raw::write_run(&mut printing, out)?,
        Format::Records => records::write_run(&mut printing, out)?,
    }
    out.flush()?;
    Ok(printing.report)
}

/// A run's id, where it has one: logs opened by path have none.
fn run_id(run: &Run) -> Option<&str> {
    Some(run.id.as_str()).filter(|id| !id.is_empty())
}

/// One run being printed: what every format has at hand.
struct Printing<'a> {
    run: &'a RunNode,
    look: &'a Look,
    report: Report,
}

impl<'a> Printing<'a> {
    /// The value, or `None` with the error in the report.
    fn told<T>(&mut self, result: Result<T>) -> Option<T> {
        result.inspect_err(|error| self.report.unreadable(error)).ok()
    }

    fn open(&mut self, log: &LogRef) -> Option<LogFile> {
        self.told(LogFile::open(&log.path))
    }

    /// Whether an unterminated last line may still grow.
    fn tail(&self) -> Tail {
        if self.run.head.phase == Phase::Active { Tail::Hold } else { Tail::Emit }
    }

    /// Every command with its job.
    fn shs(&self) -> impl Iterator<Item = (&'a JobNode, &'a ShNode)> + use<'a> {
        self.run.jobs.iter().flat_map(|job| job.shs.iter().map(move |sh| (job, sh)))
    }

    /// Where in a log the wanted rows begin, in bytes.
    fn tail_start(&mut self, file: &LogFile) -> Option<u64> {
        match (self.look.tail, self.look.stream) {
            (None, _) => Some(0),
            (Some(rows), None) => self.told(file.tail_offset(rows, self.tail())),
            (Some(rows), Some(_)) => {
                let mut wanted = self.told(LogRows::open(file, 0, 0, self))?;
                let mut last = VecDeque::new();
                let mut left_out = false;
                while let Some(row) = wanted.next(self) {
                    last.push_back(row.offset);
                    if last.len() > rows {
                        last.pop_front();
                        left_out = true;
                    }
                }
                Some(if left_out { last.front().copied().unwrap_or(file.bytes()) } else { 0 })
            }
        }
    }

    /// As [`Printing::tail_start`], for formats whose output is data alone: what is left out is told in the report.
    fn told_tail_start(&mut self, file: &LogFile) -> Option<u64> {
        let start = self.tail_start(file)?;
        if start > 0 {
            let left_out =
                format!("{}: the first {} were left out (--tail)", file.path().display(), words::size(start));
            self.report.notices.push(left_out);
        }
        Some(start)
    }

    /// The wanted rows from an offset on.
    fn rows<'f>(&mut self, file: &'f LogFile, start: u64, cap_bytes: usize) -> Option<LogRows<'f>> {
        self.told(LogRows::open(file, start, cap_bytes, self))
    }

    /// Where a log's rows come from, as the JSON formats tell it.
    fn place(&self, job: &'a JobNode, sh: &ShNode) -> LogPlace<'a> {
        let job = Some(job.job.id.as_str()).filter(|id| !id.is_empty());
        LogPlace { run: run_id(&self.run.head.run), job, n: job.map(|_| sh.n) }
    }
}

/// Writes an object on a line of its own.
fn write_line(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    write_harmless(&serde_json::to_string(value)?, out)?;
    out.write_all(b"\n")
}

/// Writes JSON with every character escaped that could steer a terminal or hide text. JSON itself escapes C0 only; all of these can
/// stand within strings only, so it remains the same document.
fn write_harmless(json: &str, out: &mut impl Write) -> io::Result<()> {
    let mut rest = json;
    let is_harmful = |found: char| !sanitise::is_harmless(found) && found != '\n';
    while let Some((at, harmful)) = rest.char_indices().find(|(_, found)| is_harmful(*found)) {
        out.write_all(rest.get(..at).unwrap_or_default().as_bytes())?;
        for unit in harmful.encode_utf16(&mut [0; 2]) {
            write!(out, "\\u{unit:04x}")?;
        }
        rest = rest.get(at + harmful.len_utf8()..).unwrap_or_default();
    }
    out.write_all(rest.as_bytes())
}

/// A command's place; all `None` for a log opened by its path.
#[derive(Clone, Copy)]
struct LogPlace<'a> {
    run: Option<&'a str>,
    job: Option<&'a str>,
    n: Option<u32>,
}

/// The rows of one log that are of the wanted stream.
struct LogRows<'f> {
    file: &'f LogFile,
    rows: Rows<'f>,
}

impl<'f> LogRows<'f> {
    fn open(file: &'f LogFile, start: u64, cap_bytes: usize, printing: &Printing<'_>) -> Result<Self> {
        Ok(Self { file, rows: file.rows(start, cap_bytes, printing.tail())? })
    }

    /// The next row; an error of the log ends it and stands in the report.
    fn next(&mut self, printing: &mut Printing<'_>) -> Option<Row> {
        loop {
            let row = self.rows.next()?.map_err(Error::io("read", self.file.path()));
            let row = printing.told(row)?;
            if printing.look.stream.is_none() || row.stream == printing.look.stream {
                return Some(row);
            }
        }
    }
}
