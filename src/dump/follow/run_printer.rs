//! Prints the changes of a run as lines: each command when it starts, its rows when they are
//! complete, and how it ended.

use std::io::{self, Write};
use std::mem;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::display::{self, Status};
use crate::dump::failure_summary::FailureSummary;
use crate::dump::options::{PrintOptions, Report};
use crate::dump::picker::{Grep, Picker};
use crate::dump::printing::{Printing, TEXT_ROW_CAP_BYTES, is_match, run_id};
use crate::dump::text::{Clock, Held, date_time, sign, write_row};
use crate::error;
use crate::join::{JobNode, LogRef, Place, RunNode, ShNode, ShState};
use crate::log::{LiveRows, Row};
use crate::model::{JobId, Phase};
use crate::sanitize::{Sanitizer, name};
use crate::time::Time;

/// The time after a failure in which a log is not read.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// A printer of a run. Each call prints only the data that earlier calls have not printed.
pub(super) struct RunPrinter<'a, W> {
    look: &'a PrintOptions,
    out: &'a mut W,
    sources: Vec<Source<'a>>,
    /// The index of the source of the last printed line; `None` if that line belongs to no source.
    last_printed: Option<usize>,
    ended_jobs: Vec<JobId>,
    has_begun: bool,
    report: Report,
}

/// A command that has a log or may get one, or the run with its own log.
struct Source<'a> {
    key: Key,
    /// The displayed name, sanitized.
    name: String,
    /// The command line, once it has been printed.
    command: Option<String>,
    state: State<'a>,
    has_ended: bool,
}

/// The identity of a source. Logs without a run have no stable number, so their files identify
/// them.
#[derive(PartialEq, Eq)]
enum Key {
    Place(Place),
    File(PathBuf),
}

enum State<'a> {
    /// There is no log yet.
    Waiting,
    Open(Box<OpenLog<'a>>),
    /// The log has been read to its end, or cannot be read.
    Closed,
}

/// An open log.
struct OpenLog<'a> {
    live: LiveRows,
    sanitizer: Sanitizer,
    clock: Clock<'a>,
    picker: Picker<Row>,
    held: Held,
    /// The number of late bytes (written to replaced files of this log) that has been reported.
    late_bytes: u64,
    /// True if a failure may be temporary: the log is read from a server.
    is_remote: bool,
    /// The time of the next read after a failure.
    retry_at: Option<Instant>,
}

impl OpenLog<'_> {
    /// Adds a row, which is printed if it is selected.
    fn push(&mut self, row: Row, grep: Option<&Grep>) {
        let bytes = row.text.len();
        let is_match = is_match(grep, &row);
        self.picker.push(row, bytes, is_match);
        while let Some(mut picked) = self.picker.pop() {
            self.held.push(&mut picked.row);
        }
    }
}

impl<'a, W: Write> RunPrinter<'a, W> {
    pub(super) fn new(look: &'a PrintOptions, out: &'a mut W) -> Self {
        Self {
            look,
            out,
            sources: Vec::new(),
            last_printed: None,
            ended_jobs: Vec::new(),
            has_begun: false,
            report: Report::default(),
        }
    }

    /// Returns the notices since the last call.
    pub(super) fn take_report(&mut self) -> Report {
        mem::take(&mut self.report)
    }

    /// Returns true if no job or command has been printed.
    pub(super) const fn printed_nothing(&self) -> bool {
        self.sources.is_empty() && self.ended_jobs.is_empty()
    }

    /// Prints the changes in a run since the last call.
    pub(super) fn take_in(&mut self, run: &RunNode) -> io::Result<()> {
        if !mem::replace(&mut self.has_begun, true) {
            self.begin(run)?;
        }
        for job in &run.jobs {
            for sh in &job.shs {
                self.command(run, job, sh)?;
            }
            self.end_job(run, job)?;
        }
        if let Some(log) = &run.log {
            let at = self.source(Key::Place(Place::Run), || "run log".into());
            self.open(run, at, log, None)?;
        }
        self.read_on()?;
        if run.head.phase == Phase::Finished { self.end(run) } else { Ok(()) }
    }

    /// Prints the new rows of all open logs.
    pub(super) fn read_on(&mut self) -> io::Result<()> {
        for at in 0..self.sources.len() {
            self.read(at, false)?;
        }
        self.out.flush()
    }

    fn begin(&mut self, run: &RunNode) -> io::Result<()> {
        let head = &run.head;
        let since = head.run.started_at.filter(|_| head.phase == Phase::Active && !head.waiting);
        let since = since.and_then(|at| date_time(at, &self.look.time_zone));
        let since = since.map(|at| format!(" since {at}")).unwrap_or_default();
        match run_id(&head.run) {
            Some(_) => {
                self.write_message(&format!("{}: {}{since}", run_name(run), display::state(head)))
            }
            None => Ok(()),
        }
    }

    /// Prints the start of a command, its new rows, and its end.
    fn command(&mut self, run: &RunNode, job: &JobNode, node: &ShNode) -> io::Result<()> {
        let place = Place::Sh(job.job.id.clone(), node.n);
        let file = node.log.as_ref().filter(|_| run_id(&run.head.run).is_none());
        let key =
            file.map_or_else(|| Key::Place(place.clone()), |log| Key::File(log.path.to_path_buf()));
        let known = self.sources.len();
        let at = self.source(key, || {
            let of_file = || {
                format!("{} {}", name(job.job.id.as_str()), display::log_name(node))
                    .trim()
                    .to_owned()
            };
            display::place(&place).filter(|_| file.is_none()).unwrap_or_else(of_file)
        });
        if self.sources.get(at).is_none_or(|source| source.has_ended) {
            return Ok(());
        }
        if at == known {
            self.print_heading(at, node)?;
        }
        if let Some(log) = &node.log {
            self.open(run, at, log, node.sh.as_ref().and_then(|sh| sh.started_at))?;
        }
        let may_grow = match node.state {
            ShState::Running => true,
            ShState::Unknown => run.head.phase != Phase::Finished,
            ShState::Passed | ShState::Failed | ShState::Interrupted => false,
        };
        self.read(at, !may_grow)?;
        if may_grow { Ok(()) } else { self.end_command(run, node, at) }
    }

    /// Returns the index of a source. Adds the source at the end if it is new.
    fn source(&mut self, key: Key, name: impl FnOnce() -> String) -> usize {
        self.sources.iter().position(|source| source.key == key).unwrap_or_else(|| {
            let source = Source {
                key,
                name: name(),
                command: None,
                state: State::Waiting,
                has_ended: false,
            };
            self.sources.push(source);
            self.sources.len() - 1
        })
    }

    fn print_heading(&mut self, at: usize, node: &ShNode) -> io::Result<()> {
        let Some(source) = self.sources.get_mut(at) else { return Ok(()) };
        source.command = node.sh.as_ref().map(display::command);
        let attempt = node.sh.as_ref().and_then(|sh| display::attempt(sh.attempt));
        let name = [Some(source.name.clone()), attempt].into_iter().flatten().collect::<Vec<_>>();
        let line = [Some(name.join(", ")), source.command.clone()];
        self.write_message(&line.into_iter().flatten().collect::<Vec<_>>().join(": "))?;
        self.last_printed = Some(at);
        Ok(())
    }

    /// Opens a log if it is not open yet. Reports once if it cannot be read.
    fn open(
        &mut self,
        run: &RunNode,
        at: usize,
        log: &LogRef,
        started_at: Option<Time>,
    ) -> io::Result<()> {
        match self.sources.get(at).map(|source| &source.state) {
            Some(State::Waiting) => {}
            // A log whose earlier bytes were replaced in object storage is read from its start.
            Some(State::Open(rows))
                if log.path.is_pieced() && !rows.live.file().is_at(&log.path) =>
            {
                self.print(at, true)?;
                self.write_message("note: the log was replaced; it begins again")?;
            }
            Some(State::Open(_) | State::Closed) | None => return Ok(()),
        }
        let Some(source) = self.sources.get_mut(at) else { return Ok(()) };
        let mut printing = Printing { run, look: self.look, report: mem::take(&mut self.report) };
        let live = printing.open(log).and_then(|file| {
            let start = printing.tail_start(&file)?;
            let live = LiveRows::new(file, start, TEXT_ROW_CAP_BYTES);
            printing.report_err(live).map(|live| (live, start))
        });
        self.report = printing.report;
        source.state = live.map_or(State::Closed, |(live, start)| {
            if start > 0 {
                let (left_out, options) = (display::size(start), self.look.tail_options());
                self.report
                    .notices
                    .push(format!("{}: omitted the first {left_out} ({options})", source.name));
            }
            let clock = Clock::new(self.look, started_at, start == 0);
            State::Open(Box::new(OpenLog {
                live,
                sanitizer: Sanitizer::default(),
                clock,
                picker: Picker::new(self.look.grep.as_ref().map_or(0, |grep| grep.context)),
                held: Held::default(),
                late_bytes: 0,
                is_remote: log.path.is_remote(),
                retry_at: None,
            }))
        });
        Ok(())
    }

    /// Prints the complete rows of a source. With `is_end`, prints all remaining rows and closes
    /// the log.
    fn read(&mut self, at: usize, is_end: bool) -> io::Result<()> {
        loop {
            let Some(Source { state: State::Open(rows), .. }) = self.sources.get_mut(at) else {
                return Ok(());
            };
            if !is_end && rows.retry_at.is_some_and(|at| Instant::now() < at) {
                return Ok(());
            }
            let read = if is_end { rows.live.read_end() } else { rows.live.read() };
            let batch = match read {
                Ok(batch) => batch,
                Err(error) if rows.is_remote && !is_end => {
                    // The first failure of several is reported. The last one is, if it remains.
                    if rows.retry_at.replace(Instant::now() + RETRY_PAUSE).is_none() {
                        self.report.notices.push(error::line(&error));
                    }
                    return Ok(());
                }
                Err(error) => {
                    self.print(at, true)?;
                    self.report.unreadable(&error);
                    self.close(at);
                    return Ok(());
                }
            };
            rows.retry_at = None;
            for row in batch.rows {
                if self.look.selects_stream(&row) {
                    rows.push(row, self.look.grep.as_ref());
                }
            }
            let late_bytes = rows.live.file().file_state().late_bytes;
            let is_news = std::mem::replace(&mut rows.late_bytes, late_bytes) < late_bytes;
            self.print(at, batch.is_last)?;
            if is_news {
                self.write_message(&format!("note: {}", display::late(late_bytes)))?;
            }
            if batch.is_last {
                if is_end {
                    self.close(at);
                }
                return Ok(());
            }
        }
    }

    /// Closes a log that will not be read any more.
    fn close(&mut self, at: usize) {
        if let Some(source) = self.sources.get_mut(at) {
            source.state = State::Closed;
        }
    }

    /// Prints the held rows that cannot be overwritten any more. With `is_last`, prints all held
    /// rows, because the next row may take long to arrive.
    fn print(&mut self, at: usize, is_last: bool) -> io::Result<()> {
        let Some(Source { state: State::Open(rows), name, .. }) = self.sources.get_mut(at) else {
            return Ok(());
        };
        while let Some((row, is_overwritten)) = rows.held.pop(is_last) {
            if is_overwritten {
                // The colors that an overwritten row sets stay in effect.
                rows.sanitizer.row_within(&row.text, 0);
                continue;
            }
            if self.last_printed.replace(at) != Some(at) {
                writeln!(self.out, "{name} continues:")?;
            }
            let lead = format!("{}{}", sign(&row), rows.clock.stamp(row.at));
            write_row(&row, &lead, &mut rows.sanitizer, self.look, self.out)?;
        }
        Ok(())
    }

    fn end_command(&mut self, run: &RunNode, node: &ShNode, at: usize) -> io::Result<()> {
        let Some(source) = self.sources.get_mut(at) else { return Ok(()) };
        source.has_ended = true;
        let sh = node.sh.as_ref();
        let name = match sh.map(display::command).filter(|_| source.command.is_none()) {
            Some(command) => format!("{} ({command})", source.name),
            None => source.name.clone(),
        };
        let missing = [display::missing(&run.head, node), sh.and_then(display::cut)];
        let missing: Vec<_> = missing.into_iter().flatten().collect();
        let missing = match missing.join("; ") {
            nothing if nothing.is_empty() => nothing,
            missing => format!(" ({missing})"),
        };
        let ended = ended(
            Status::of_sh(node),
            sh.and_then(display::exit_explained),
            sh.and_then(|sh| display::lasted(sh.started_at, sh.finished_at)),
        );
        let place = match &source.key {
            Key::Place(place) => Some(place.clone()),
            Key::File(_) => None,
        };
        self.write_message(&format!("{name} {ended}{missing}"))?;
        place.map_or(Ok(()), |place| self.notes(run, &place))
    }

    /// Prints how a job ended, after all of its commands have ended.
    fn end_job(&mut self, run: &RunNode, job: &JobNode) -> io::Result<()> {
        let id = &job.job.id;
        if job.phase != Phase::Finished
            || run_id(&run.head.run).is_none()
            || self.ended_jobs.contains(id)
        {
            return Ok(());
        }
        self.ended_jobs.push(id.clone());
        let place = Place::Job(id.clone());
        let why = display::why_skipped(run, job);
        let why = why.or_else(|| display::tolerated(job).map(String::from));
        let lasted = display::lasted(job.job.started_at, job.ended_at());
        let ended = ended(Status::of_job(job), why, lasted);
        self.write_message(&format!("{} {ended}", display::place(&place).unwrap_or_default()))?;
        self.notes(run, &place)
    }

    /// Prints the rest of logs that do not grow any more, and that belong to no run with an end.
    pub(super) fn end_logs(&mut self, run: &RunNode) -> io::Result<()> {
        for at in 0..self.sources.len() {
            self.read(at, true)?;
        }
        for finding in &run.findings {
            self.write_message(&format!("note: {}", display::finding(&finding.kind)))?;
        }
        self.out.flush()
    }

    /// Prints how the run ended, and why.
    fn end(&mut self, run: &RunNode) -> io::Result<()> {
        for at in 0..self.sources.len() {
            self.read(at, true)?;
        }
        let head = &run.head;
        let lasted = head.lasted_ms().map(display::duration);
        self.write_message(&format!(
            "{} {}",
            run_name(run),
            ended(Status::of_run(head), display::reason(head), lasted)
        ))?;
        self.notes(run, &Place::Run)?;
        if let Some(last) = FailureSummary::of_run(run) {
            self.write_message(&last.title)?;
            last.write_rows("", self.look, self.out)?;
        }
        self.out.flush()
    }

    /// Prints the findings on a place.
    fn notes(&mut self, run: &RunNode, place: &Place) -> io::Result<()> {
        for kind in run.findings.at(place) {
            self.write_message(&format!("note: {}", display::finding(kind)))?;
        }
        Ok(())
    }

    /// Prints a line that is not a row. The next row then needs a `… continues:` line before it.
    fn write_message(&mut self, line: &str) -> io::Result<()> {
        self.last_printed = None;
        writeln!(self.out, "{line}")
    }
}

/// Returns the name of a run: `run d61998d3, example, main@12d4999, nightly`.
fn run_name(run: &RunNode) -> String {
    let run = &run.head.run;
    let id = Some(format!("run {}", name(run.id.short())));
    let repo = run.repo.as_deref().map(|repo| name(repo).into_owned());
    [id, repo, display::revision(run), display::pipeline(run)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
}

/// Formats the end of a run, job or command: `failed: exit 101, after 34.0s`.
fn ended(status: Status, why: Option<String>, lasted: Option<String>) -> String {
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let comma = if why.is_empty() { "" } else { "," };
    let lasted = lasted.map(|lasted| format!("{comma} after {lasted}")).unwrap_or_default();
    format!("{}{why}{lasted}", status.word())
}
