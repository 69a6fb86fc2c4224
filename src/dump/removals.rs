//! Output of `rundown prune`: one line per removed run, or one JSON document (`"schema":
//! "rundown.prune/1"`). Each run is written as soon as it is removed.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;

use super::printing::{list_frame, write_harmless};
use super::text::date_time;
use super::values::UtcMillis;
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

/// The value of `schema` in the document.
const PRUNE: &str = "rundown.prune/1";

/// The document of `rundown prune --format json`.
// The comments are the descriptions of the JSON Schema.
#[derive(Serialize, JsonSchema)]
pub(super) struct RemovalsDocument<'a> {
    /// The name and the version of the format.
    #[schemars(extend("const" = PRUNE))]
    schema: &'static str,
    /// True if the runs would be removed, and were not.
    dry_run: bool,
    /// The removed runs, in the order of their removal.
    runs: Vec<RemovalJson<'a>>,
    /// The totals; `null` if an error ended the removal.
    total: Option<TotalJson>,
}

/// A removed run.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Removal")]
struct RemovalJson<'a> {
    /// The id of the run.
    run: &'a str,
    /// The name of the repository.
    repo: &'a str,
    /// The time at which the run began, as RFC 3339 in UTC with 3 digits after the second.
    began_at: Option<UtcMillis>,
    /// The time at which it ended, as RFC 3339 in UTC with 3 digits after the second.
    finished_at: Option<UtcMillis>,
    /// The disk space of its files in bytes.
    bytes: u64,
}

/// The totals of a removal.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Total")]
struct TotalJson {
    /// The number of removed runs.
    removed_runs: u64,
    /// Their disk space in bytes.
    freed_bytes: u64,
    /// The number of runs that were kept because they are in use.
    in_use_runs: usize,
    /// The number of runs that could not be removed.
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
        if self.count == 0 {
            self.begin()?;
        }
        self.out.write_all(if self.count > 0 { b",\n" } else { b"\n" })?;
        self.count = self.count.saturating_add(1);
        write_harmless(&serde_json::to_string(&removal_json(removal))?, &mut self.out)
    }

    fn begin(&mut self) -> io::Result<()> {
        self.out.write_all(self.frame(None)?.0.as_bytes())
    }

    /// Returns the document before and after its runs.
    fn frame(&self, total: Option<TotalJson>) -> io::Result<(String, String)> {
        let dry_run = self.look.dry_run;
        list_frame(&RemovalsDocument { schema: PRUNE, dry_run, runs: Vec::new(), total })
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
            writeln!(self.out, "{end}{}", self.frame(total)?.1)?;
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
        began_at: UtcMillis::of(Some(run.began_at)),
        finished_at: UtcMillis::of(run.finished_at),
        bytes: removal.bytes,
    }
}
