//! Writing of a bundle. The same runs always give the same bytes.

use std::io::{Seek, Write};

use serde::Serialize;
use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::document::{
    CONTENTS, CONTENTS_SCHEMA, CauseDocument, CauseRow, Contents, ContentsRun, GROUPS_EXTENSION,
    INDEX_EXTENSION, JobDocument, LOG_EXTENSION, LogDocument, RUN, RUN_SCHEMA, RunDocument,
};
use super::names::part;
use crate::error::{self, Error, Result};
use crate::join::{
    DatedLog, FindingKind, JobParts, LogRef, Place, Recorder, RunNode, RunParts, ShNode,
};
use crate::log::path::{RUN_EVENTS, RUN_LOG};
use crate::log::{Index, LogFile, Row, Tail};
use crate::model::{JobId, Phase, Sh};
use crate::search::{Cause, Groups, find_cause, group};
use crate::time::Time;

/// The size of a log from which facts about it are stored, in bytes. Smaller logs are scanned at
/// once.
const INDEXED_BYTES: u64 = 1 << 20;

/// The size of a log from which its entry has the fields of zip for large files, in bytes. It is
/// below their limit of 4 GiB, because the size of a compressed log is not known before.
const LARGE_BYTES: u64 = 2 << 30;

/// The content of a bundle that was written.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Bundled {
    /// The number of logs.
    pub logs: usize,
    /// Their size without compression, in bytes.
    pub bytes: u64,
    /// Messages for the user about logs that are missing because they could not be read.
    pub missing: Vec<String>,
}

/// Writes a bundle of runs, which are ordered from the newest to the oldest. A run that has not
/// ended is marked as a copy. A log that cannot be read is left out, with a message and a finding.
///
/// # Errors
/// If the output cannot be written.
pub fn write(mut runs: Vec<RunParts>, out: impl Write + Seek) -> Result<Bundled> {
    for run in &mut runs {
        if matches!(run.head().phase, Phase::Queued | Phase::Active) {
            run.recorder = Recorder::Copied;
        }
    }
    let listed = runs.iter().enumerate().map(|(number, parts)| {
        let repo = part(parts.run.repo.as_deref().unwrap_or_default(), number);
        let dir = format!("runs/{repo}/{}", part(parts.run.id.as_str(), number));
        ContentsRun { dir, run: parts.run.clone(), recorder: parts.recorder }
    });
    let contents = Contents { schema: CONTENTS_SCHEMA.into(), runs: listed.collect() };
    let mut writer = Writer { zip: ZipWriter::new(out), done: Bundled::default() };
    writer.document(CONTENTS, &contents)?;
    for (parts, listed) in runs.into_iter().zip(&contents.runs) {
        writer.run(&listed.dir, parts)?;
    }
    let Writer { zip, done } = writer;
    output(zip.finish())?.flush().map_err(Error::Output)?;
    Ok(done)
}

struct Writer<W: Write + Seek> {
    zip: ZipWriter<W>,
    done: Bundled,
}

impl<W: Write + Seek> Writer<W> {
    /// Writes the logs of a run, and then its document.
    fn run(&mut self, dir: &str, parts: RunParts) -> Result<()> {
        let causes = causes(&parts.clone().join(Time::now(), |_| None));
        let document = document(parts, causes, |name, log| self.log(dir, name, log))?;
        self.document(&format!("{dir}/{RUN}"), &document)
    }

    /// Copies a log, with its index and its groups if it is large. If the log cannot be read,
    /// returns the finding.
    fn log(
        &mut self,
        dir: &str,
        name: String,
        log: &DatedLog,
    ) -> Result<std::result::Result<LogDocument, FindingKind>> {
        let file = match LogFile::open(&log.log.path) {
            Ok(file) => file,
            Err(error) => return Ok(Err(self.missing(&error))),
        };
        let entry = format!("{dir}/{name}{LOG_EXTENSION}");
        self.start(&entry, CompressionMethod::Stored, file.bytes() >= LARGE_BYTES)?;
        let index = match file.compress(&mut self.zip) {
            Ok(index) => index,
            Err(error @ Error::Output(_)) => return Err(error),
            Err(error) => {
                // Removes the entry that was started.
                output(self.zip.abort_file())?;
                return Ok(Err(self.missing(&error)));
            }
        };
        // A log may have been truncated since it was opened.
        let bytes = index.bytes();
        if bytes == file.bytes() {
            let [index, groups] = facts(&file, &index);
            for (extension, facts) in [(INDEX_EXTENSION, index), (GROUPS_EXTENSION, groups)] {
                let Some(facts) = facts else { continue };
                self.start(&format!("{dir}/{name}{extension}"), CompressionMethod::Stored, false)?;
                self.zip.write_all(&facts).map_err(Error::Output)?;
            }
        }
        self.done.logs += 1;
        self.done.bytes += bytes;
        Ok(Ok(LogDocument::new(log.n, name, bytes, log.first_at)))
    }

    /// Notes that a log is missing, and returns the finding.
    fn missing(&mut self, error: &Error) -> FindingKind {
        let why = error::chain(error);
        self.done.missing.push(why.clone());
        FindingKind::Unreadable(why)
    }

    fn document(&mut self, name: &str, document: &impl Serialize) -> Result<()> {
        self.start(name, CompressionMethod::Deflated, false)?;
        serde_json::to_writer(&mut self.zip, document).map_err(|error| Error::Output(error.into()))
    }

    /// Starts an entry. Its time is the same in each bundle.
    fn start(&mut self, name: &str, method: CompressionMethod, is_large: bool) -> Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644)
            .large_file(is_large);
        output(self.zip.start_file(name, options))
    }
}

fn output<T>(result: ZipResult<T>) -> Result<T> {
    result.map_err(|error| Error::Output(error.into()))
}

/// Returns the document of a run. `copy` copies a log under a name, and returns its entry or the
/// reason why it could not be read, which becomes a finding.
///
/// # Errors
/// If `copy` cannot write.
pub(crate) fn document(
    parts: RunParts,
    causes: Vec<CauseDocument>,
    mut copy: impl FnMut(String, &DatedLog) -> Result<std::result::Result<LogDocument, FindingKind>>,
) -> Result<RunDocument> {
    let (mut findings, mut jobs) = (parts.findings, Vec::new());
    let mut of_run = |log: Option<LogRef>, name: &str| match log {
        Some(log) => {
            let copied = copy(name.to_owned(), &DatedLog { n: 0, log, first_at: None })?;
            Ok(copied.map_err(|why| findings.add(Place::Run, why)).ok())
        }
        None => Ok(None),
    };
    let (log, events) = (of_run(parts.log, RUN_LOG)?, of_run(parts.events, RUN_EVENTS)?);
    for (number, JobParts { job, shs, logs }) in parts.jobs.into_iter().enumerate() {
        let mut copied = Vec::new();
        for log in logs {
            // The name of a log may determine its format.
            let file = log.log.path.log_name().unwrap_or_default().to_string_lossy();
            let file = part(&file, log.n as usize);
            let name = format!("jobs/{}/{file}", part(job.id.as_str(), number));
            match copy(name, &log)? {
                Ok(log) => copied.push(log),
                Err(why) => findings.add(Place::Sh(job.id.clone(), log.n), why),
            }
        }
        jobs.push(JobDocument { job, shs, logs: copied });
    }
    Ok(RunDocument {
        schema: RUN_SCHEMA.into(),
        run: parts.run,
        recorder: parts.recorder,
        ours: parts.ours,
        log,
        events,
        jobs,
        findings: findings.into_iter().collect(),
        hides_all: parts.hides_all,
        causes,
    })
}

/// Returns the stored forms of the index and the groups of a log. `None` for those of a small log,
/// and for those that cannot be computed.
pub(crate) fn facts(file: &LogFile, index: &Index) -> [Option<Vec<u8>>; 2] {
    if file.bytes() < INDEXED_BYTES {
        return [None, None];
    }
    [index.encode(), groups(file)]
}

/// Scans a log for groups; `None` if it cannot be read.
fn groups(log: &LogFile) -> Option<Vec<u8>> {
    let mut groups = Groups::new();
    group(log, &mut groups, u64::MAX).ok()?;
    groups.encode()
}

/// Finds the causes of the failed commands. A log that cannot be read has none.
pub(crate) fn causes(run: &RunNode) -> Vec<CauseDocument> {
    let shs = run.jobs.iter().flat_map(|job| job.shs.iter().map(move |sh| (&job.job.id, sh)));
    let failed = shs.filter(|(_, sh)| sh.state.is_failure());
    failed.filter_map(|(job, sh)| cause(job, sh)).collect()
}

fn cause(job: &JobId, node: &ShNode) -> Option<CauseDocument> {
    let file = LogFile::open(&node.log.as_ref()?.path).ok()?;
    let exit_code = node.sh.as_ref().and_then(Sh::exit_status);
    let Cause { at, is_last_words, rule, rows, .. } =
        find_cause(&file, exit_code, Tail::Emit).ok()?;
    let row = |row: Row| CauseRow {
        offset: row.offset,
        at: row.at,
        stream: row.stream,
        text: String::from_utf8_lossy(&row.text).into_owned(),
    };
    let (tool, rows) = (rule.map(Into::into), rows.into_iter().map(row).collect());
    Some(CauseDocument { job: job.clone(), n: node.n, at, is_last_words, tool, rows })
}
