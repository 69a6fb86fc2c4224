//! The check of a bundle: reads all of it.

use std::io::{self, Read};
use std::path::Path;

use super::Bundle;
use super::read::{MAX_DOCUMENT_BYTES, archive, unreadable};
use crate::error::{self, Result};
use crate::join::{FindingKind, LogRef, RunParts};
use crate::log::{Container, Index, LogFile, Tail};

/// The content of a bundle that was checked.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Checked {
    /// The number of runs.
    pub runs: usize,
    /// The number of logs.
    pub logs: usize,
    /// Their size without compression, in bytes.
    pub bytes: u64,
    /// The defects, for the user.
    pub defects: Vec<String>,
}

/// Reads all entries of a bundle, and compares them with their checksums and with the documents.
/// `path` identifies the bundle for the user.
///
/// # Errors
/// If the file cannot be read, or its list of runs is damaged.
pub fn check(path: &Path, place: &Container) -> Result<Checked> {
    let bundle = Bundle::open(path, place.clone())?;
    let mut checked = Checked::default();
    checked.defects.extend(damaged_entries(path, place)?);
    for head in bundle.heads() {
        checked.runs += 1;
        match bundle.run(&head.run.id) {
            Ok(Some(run)) => checked.run(&run),
            Ok(None) => {}
            Err(error) => checked.defects.push(error::chain(&error)),
        }
    }
    Ok(checked)
}

/// Compares the entries with the checksums of the archive.
fn damaged_entries(path: &Path, place: &Container) -> Result<Vec<String>> {
    let mut zip = archive(path, place)?;
    let mut found = Vec::new();
    // Few bytes could belong to many overlapping entries, which would take hours to read.
    if zip.has_overlapping_files().map_err(|error| unreadable(path, error))? {
        return Ok(vec!["entries of the archive overlap".into()]);
    }
    for number in 0..zip.len() {
        let read = zip.by_index(number).map_err(io::Error::from);
        let read = read.and_then(|entry| {
            // The checksum is compared at the end, which is beyond the last byte.
            let limit = entry.compressed_size().max(MAX_DOCUMENT_BYTES).saturating_add(1);
            io::copy(&mut entry.take(limit), &mut io::sink())
        });
        if let Err(error) = read {
            let name = zip.name_for_index(number).and_then(|name| Some(name.ok()?.into_owned()));
            found.push(format!("{}: {error}", name.unwrap_or_default()));
        }
    }
    Ok(found)
}

impl Checked {
    fn run(&mut self, run: &RunParts) {
        let missing = run.findings.iter().filter_map(|finding| match &finding.kind {
            FindingKind::Unreadable(why) => Some(why.clone()),
            _ => None,
        });
        self.defects.extend(missing);
        let of_jobs = run.jobs.iter().flat_map(|job| job.logs.iter().map(|log| &log.log));
        for log in of_jobs.chain(&run.log).chain(&run.events) {
            self.logs += 1;
            self.bytes = self.bytes.saturating_add(log.bytes);
            match defect(log) {
                Ok(None) => {}
                Ok(Some(why)) => self.defects.push(format!("{}: {why}", log.path.display())),
                Err(error) => self.defects.push(error::chain(&error)),
            }
        }
    }
}

/// Reads a log, and compares it with its size and its stored index.
fn defect(log: &LogRef) -> Result<Option<String>> {
    let file = LogFile::open(&log.path)?;
    let mut index = Index::new(file.format());
    file.feed(&mut index, u64::MAX)?;
    if index.bytes() != log.bytes {
        let why = format!("it has {} bytes, and its run states {}", index.bytes(), log.bytes);
        return Ok(Some(why));
    }
    let mut stored = file.stored_index();
    file.feed(&mut stored, u64::MAX)?;
    let differs = stored.totals(Tail::Emit) != index.totals(Tail::Emit);
    Ok(differs.then(|| "its index does not fit".into()))
}
