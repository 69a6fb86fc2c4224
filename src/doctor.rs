//! What is odd in a store: every class of [`FindingKind`], run by run, and what only the store as a whole shows.
//!
//! Runs are taken in pages and their logs are read line by line, so memory does not grow with the store; each finding is handed
//! on as it is made.

use std::path::Path;

use crate::catalog::{Beside, Catalog, RunFilter};
use crate::error::{Error, Result};
use crate::join::{Finding, FindingKind, LogRef, RunNode, ShNode, ShState};
use crate::log::{Format, LogFile};
use crate::model::{JobId, Phase, RunId};

/// How many runs are taken at once.
const PAGE: usize = 100;

/// Something odd in a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Oddity {
    /// About the store itself: how it is read, and why. Untrusted names are in it.
    Store(String),
    /// A directory of logs whose run is not in the database: its repository and id.
    RunWithoutRow(String, RunId),
    /// About a run.
    Run(RunId, Finding),
}

/// Examines the runs that a filter leaves, newest first, then the store as a whole; `tell` takes what is found and says whether
/// to go on.
///
/// # Errors
/// When the store cannot be read, or `tell` fails. A log that cannot be read is a finding.
pub fn examine_store(catalog: &Catalog, filter: &RunFilter, tell: &mut impl FnMut(Oddity) -> Result<()>) -> Result<()> {
    let mut page = catalog.runs(filter, PAGE)?;
    for notice in catalog.notices() {
        tell(Oddity::Store(notice))?;
    }
    loop {
        for head in &page.heads {
            examine_run(catalog, &head.run.id, tell)?;
        }
        let last = page.heads.last().filter(|_| page.has_more).map(|head| head.run.id.clone());
        let Some(last) = last else { break };
        // A run that is deleted meanwhile takes the rest of the list with it: begun anew, what was told would be told again.
        let gone =
            || Error::NotFound(format!("run {} was deleted while the store was examined; try again", last.as_str()));
        page = catalog.runs_beside(&Beside::Older(last.clone()), filter, PAGE)?.ok_or_else(gone)?;
    }
    if !filter.narrows() {
        for (repo, id) in catalog.dirs_without_row()? {
            tell(Oddity::RunWithoutRow(repo, id))?;
        }
    }
    Ok(())
}

/// Examines one run.
///
/// # Errors
/// As [`examine_store`]. A run that is not there (any more) has nothing odd.
pub fn examine_run(catalog: &Catalog, id: &RunId, tell: &mut impl FnMut(Oddity) -> Result<()>) -> Result<()> {
    let Some(run) = catalog.run(id)? else { return Ok(()) };
    for finding in run.findings.iter().cloned().chain(log_findings(&run)) {
        tell(Oddity::Run(id.clone(), finding))?;
    }
    Ok(())
}

/// What is odd within the logs of the commands.
fn log_findings(run: &RunNode) -> impl Iterator<Item = Finding> {
    let shs = run.jobs.iter().flat_map(|job| job.shs.iter().map(move |sh| (&job.job.id, sh)));
    shs.filter_map(|(job, sh)| Some((job, sh, sh.log.as_ref()?))).flat_map(|(job, sh, log)| {
        let is_over = run.head.phase != Phase::Active && sh.state != ShState::Running;
        let kinds = line_findings(log, is_over).unwrap_or_else(|error| vec![unreadable(&error)]);
        kinds.into_iter().map(move |kind| of(job, sh, kind))
    })
}

fn of(job: &JobId, sh: &ShNode, kind: FindingKind) -> Finding {
    Finding { job: Some(job.clone()), n: Some(sh.n), kind }
}

fn unreadable(error: &Error) -> FindingKind {
    FindingKind::Unreadable(crate::error::chain(error))
}

/// Reads a log from its start to its end. An unterminated last line counts only when nobody writes any more.
fn line_findings(log: &LogRef, is_over: bool) -> Result<Vec<FindingKind>> {
    let file = LogFile::open(&log.path)?;
    let read = Error::io("read", Path::new(&log.path));
    let (mut number, mut malformed, mut first, mut is_torn) = (0, 0, 0, false);
    let mut lines = file.lines(0)?;
    let scanned = loop {
        match lines.next() {
            Ok(Some(line)) => {
                number += 1;
                is_torn = !line.terminated && file.format() == Format::Cri;
                if matches!(file.format().parse(line.bytes), Err(Some(_))) && line.terminated {
                    malformed += 1;
                    first = if first == 0 { number } else { first };
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    scanned.map_err(read)?;
    let mut found = Vec::new();
    if malformed > 0 {
        found.push(FindingKind::Malformed(malformed, first));
    }
    if is_torn && is_over {
        found.push(FindingKind::Torn);
    }
    Ok(found)
}
