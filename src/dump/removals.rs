//! Output of `rundown prune`: one line per removed run, or one JSON document (`"schema":
//! "rundown.prune/1"`). Each run is written as soon as it is removed.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use serde::Serialize;

use super::printing::write_harmless;
use super::text::date_time;
use crate::display;
use crate::sanitize::name;
use crate::upkeep::{Pruned, Removal};

/// A writer of removed runs, one by one.
pub struct RemovalsWriter<W> {
    out: W,
    look: RemovalsLook,
    count: u64,
}

/// The look of the output.
pub struct RemovalsLook {
    /// The time zone of times in text.
    pub time_zone: TimeZone,
    /// True for a JSON document, false for text.
    pub is_json: bool,
    /// True if the runs would be removed and are not.
    pub dry_run: bool,
}

#[derive(Serialize)]
struct RemovalJson<'a> {
    run: &'a str,
    repo: &'a str,
    began_at: Option<String>,
    finished_at: Option<String>,
    bytes: u64,
}

#[derive(Serialize)]
struct TotalJson {
    removed_runs: u64,
    freed_bytes: u64,
    in_use_runs: usize,
    failed_runs: usize,
}

impl<W: Write> RemovalsWriter<W> {
    /// Creates a writer, which writes nothing before the first run.
    pub const fn new(out: W, look: RemovalsLook) -> Self {
        Self { out, look, count: 0 }
    }

    /// Writes one run.
    ///
    /// # Errors
    /// If `out` cannot be written, as for all methods here.
    pub fn write(&mut self, removal: &Removal) -> io::Result<()> {
        if !self.look.is_json {
            return writeln!(self.out, "{}", self.line(removal));
        }
        let separator: &[u8] = if self.count > 0 { b",\n" } else { self.begin()? };
        self.out.write_all(separator)?;
        self.count = self.count.saturating_add(1);
        write_harmless(&serde_json::to_string(&removal_json(removal))?, &mut self.out)
    }

    /// Writes the start of the document, and returns the separator for the first run.
    fn begin(&mut self) -> io::Result<&'static [u8]> {
        let dry_run = self.look.dry_run;
        write!(self.out, "{{\"schema\":\"rundown.prune/1\",\"dry_run\":{dry_run},\"runs\":[")?;
        Ok(b"\n")
    }

    /// Ends the output. `pruned` is `None` if an error ended the removal. Then nothing is written
    /// if no run was.
    pub fn finish(&mut self, pruned: Option<&Pruned>) -> io::Result<()> {
        if self.look.is_json && (self.count > 0 || pruned.is_some()) {
            if self.count == 0 {
                self.begin()?;
            }
            let total = pruned.map(|pruned| TotalJson {
                removed_runs: pruned.runs,
                freed_bytes: pruned.bytes,
                in_use_runs: pruned.in_use.len(),
                failed_runs: pruned.failures.len(),
            });
            let end = if self.count > 0 { "\n" } else { "" };
            writeln!(self.out, "{end}],\"total\":{}}}", serde_json::to_string(&total)?)?;
        }
        self.out.flush()
    }

    fn line(&self, removal: &Removal) -> String {
        let run = &removal.run;
        let at = date_time(run.began_at, &self.look.time_zone);
        [
            name(run.id.short()).into_owned(),
            name(&run.repo).into_owned(),
            at.unwrap_or_else(|| "–".into()),
            display::size(removal.bytes),
        ]
        .join("  ")
    }
}

fn removal_json(removal: &Removal) -> RemovalJson<'_> {
    let run = &removal.run;
    RemovalJson {
        run: run.id.as_str(),
        repo: &run.repo,
        began_at: run.began_at.rfc3339_millis(),
        finished_at: run.finished_at.and_then(crate::time::Time::rfc3339_millis),
        bytes: removal.bytes,
    }
}
