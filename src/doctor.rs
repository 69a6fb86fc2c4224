//! Finds oddities in a store: those of each run (every class of [`FindingKind`]), and those of the
//! store as a whole.
//!
//! Runs are read in pages, their directories one repository at a time, and their logs line by line,
//! so memory does not grow with the number of repositories or the size of logs. Each oddity is
//! passed on as soon as it is found.

use std::path::Path;

use crate::catalog::{Beside, Catalog, RunFilter};
use crate::display;
use crate::error::{Error, Result};
use crate::join::{Finding, FindingKind, LogRef, Place, RunNode, ShState};
use crate::log::{Format, LogFile, Tail};
use crate::model::{Phase, RunId};
use crate::upkeep::{Repaired, count_leftovers};

/// The number of runs per list. Large, because each list reads all runs if the database has no
/// index.
const PAGE: usize = 1000;

/// The number of runs whose rows are read at once. Reading them one by one would be slow if the
/// database is being written to, because each read then makes a copy of it.
const AT_ONCE: usize = 20;

/// An oddity in a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Oddity {
    /// About the store itself: a notice about the way it was read, or about a directory that cannot
    /// be read. Contains untrusted names.
    Store(String),
    /// A directory of logs whose run is not in the database, by repository and id.
    RunWithoutRow(String, RunId),
    /// About a run.
    Run(RunId, Finding),
    /// A repair of a run. This is no oddity any more.
    Repaired(Repaired),
}

/// Examines the runs that match a filter, newest first, then the store as a whole. Passes each
/// oddity to the callback, whose error ends the examination.
///
/// # Errors
/// If the store cannot be read, no run matches the filter, a run is deleted during the examination,
/// or the callback fails. A log that cannot be read is a finding.
pub fn examine_store(
    catalog: &Catalog,
    filter: &RunFilter,
    report: &mut impl FnMut(Oddity) -> Result<()>,
) -> Result<()> {
    let mut page = catalog.runs(filter, PAGE)?;
    if page.heads.is_empty() && filter.narrows() {
        return Err(Error::NotFound("no run matches --repo or --ref".into()));
    }
    report_notices(catalog, report)?;
    catalog.extend_for_all();
    loop {
        let ids: Vec<RunId> = page.heads.iter().map(|head| head.run.id.clone()).collect();
        let mut ids = &ids[..];
        while !ids.is_empty() {
            let (runs, read) = catalog.runs_whole(ids.get(..AT_ONCE).unwrap_or(ids))?;
            runs.iter().try_for_each(|run| report_run(run, report))?;
            ids = ids.get(read.max(1)..).unwrap_or_default();
        }
        let last = page.heads.last().filter(|_| page.has_more).map(|head| head.run.id.clone());
        let Some(last) = last else { break };
        // If the last run of a page is deleted meanwhile, the rest of the list cannot be found.
        // Starting again would report the same findings twice.
        let gone = || {
            Error::NotFound(format!(
                "run {} was deleted during the examination; try again",
                last.as_str()
            ))
        };
        page = catalog.runs_beside(&Beside::Older(last.clone()), filter, PAGE)?.ok_or_else(gone)?;
    }
    if !filter.narrows() {
        let notices =
            catalog.dirs_without_row(|repo, id| report(Oddity::RunWithoutRow(repo, id)))?;
        notices.into_iter().try_for_each(|notice| report(Oddity::Store(notice)))?;
        let root = catalog.root().filter(|_| !catalog.is_remote());
        root.map_or(Ok(()), |root| report_leftovers(root, report))?;
    }
    Ok(())
}

/// Reports the notices about the store, then examines one run.
///
/// # Errors
/// If the callback fails.
pub fn examine_run(
    catalog: &Catalog,
    run: &RunNode,
    report: &mut impl FnMut(Oddity) -> Result<()>,
) -> Result<()> {
    report_notices(catalog, report)?;
    report_run(run, report)
}

/// Reports the notices that the catalog collected while it read the store.
fn report_notices(catalog: &Catalog, report: &mut impl FnMut(Oddity) -> Result<()>) -> Result<()> {
    catalog.notices().into_iter().try_for_each(|notice| report(Oddity::Store(notice)))
}

/// Reports the removals of runs that were interrupted.
fn report_leftovers(root: &Path, report: &mut impl FnMut(Oddity) -> Result<()>) -> Result<()> {
    let count = count_leftovers(root).unwrap_or(0);
    if count == 0 {
        return Ok(());
    }
    let runs = display::runs(u64::try_from(count).unwrap_or(u64::MAX));
    report(Oddity::Store(format!(
        "the removal of {runs} was interrupted; `rundown doctor --repair` completes it"
    )))
}

fn report_run(run: &RunNode, report: &mut impl FnMut(Oddity) -> Result<()>) -> Result<()> {
    let id = &run.head.run.id;
    run.findings
        .iter()
        .cloned()
        .chain(log_findings(run))
        .try_for_each(|finding| report(Oddity::Run(id.clone(), finding)))
}

/// Finds oddities within the logs of the commands.
fn log_findings(run: &RunNode) -> impl Iterator<Item = Finding> {
    let shs = run.jobs.iter().flat_map(|job| job.shs.iter().map(move |sh| (&job.job.id, sh)));
    shs.filter_map(|(job, sh)| Some((job, sh, sh.log.as_ref()?))).flat_map(|(job, sh, log)| {
        let is_over = run.head.phase != Phase::Active && sh.state != ShState::Running;
        let kinds = line_findings(log, is_over)
            .unwrap_or_else(|error| vec![FindingKind::Unreadable(crate::error::chain(&error))]);
        kinds.into_iter().map(move |kind| Finding { place: Place::Sh(job.clone(), sh.n), kind })
    })
}

/// Reads a log from start to end. An unterminated last line is a finding only if the writer is done
/// (`is_over`).
fn line_findings(log: &LogRef, is_over: bool) -> Result<Vec<FindingKind>> {
    let file = LogFile::open(&log.path)?;
    let mut reader = file.lines(0)?;
    let (mut number, mut malformed, mut first, mut is_torn) = (0, 0, None, false);
    while let Some(line) = reader.next().map_err(Error::io("read", &*log.path))? {
        number += u64::from(!line.is_rest);
        is_torn = !line.terminated && !line.has_rest && file.format() == Format::Cri;
        if !Tail::Hold.holds(&line) && matches!(file.format().parse_line(&line), Err(Some(_))) {
            malformed += 1;
            first.get_or_insert(number);
        }
    }
    let malformed = first.map(|first_line| FindingKind::Malformed { lines: malformed, first_line });
    Ok(malformed.into_iter().chain((is_torn && is_over).then_some(FindingKind::Torn)).collect())
}
