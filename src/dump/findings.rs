//! Output of `rundown doctor`: one line per finding, written as soon as it is found, or one JSON
//! document (`"schema": "rundown.doctor/1"`).

use std::io::{self, Write};

use serde::Serialize;

use super::printing::write_harmless;
use crate::display;
use crate::doctor::Oddity;
use crate::model::{JobId, RunId};
use crate::sanitize::name;
use crate::upkeep::Repaired;

/// A writer of findings, one by one.
pub struct FindingsWriter<W> {
    out: W,
    json: bool,
    /// True if the list of a JSON document has an element.
    is_begun: bool,
    count: u64,
}

#[derive(Serialize)]
struct OddityJson<'a> {
    run: Option<&'a str>,
    job: Option<&'a str>,
    n: Option<u32>,
    kind: &'static str,
    meaning: String,
}

impl<W: Write> FindingsWriter<W> {
    /// Begins the output.
    ///
    /// # Errors
    /// If `out` cannot be written, as for all methods here.
    pub fn new(mut out: W, json: bool) -> io::Result<Self> {
        if json {
            write!(out, "{{\"schema\":\"rundown.doctor/1\",\"findings\":[")?;
        }
        Ok(Self { out, json, is_begun: false, count: 0 })
    }

    /// Writes one finding.
    pub fn write(&mut self, oddity: &Oddity) -> io::Result<()> {
        self.count += u64::from(!matches!(oddity, Oddity::Repaired(_)));
        if !self.json {
            return writeln!(self.out, "{}", line(oddity));
        }
        self.out.write_all(if self.is_begun { b",\n" } else { b"\n" })?;
        self.is_begun = true;
        write_harmless(&serde_json::to_string(&oddity_json(oddity))?, &mut self.out)
    }

    /// Ends the output. `complete` is false if an error stopped the examination.
    pub fn finish(&mut self, complete: bool) -> io::Result<()> {
        if self.json {
            writeln!(
                self.out,
                "{}],\"complete\":{complete}}}",
                if self.is_begun { "\n" } else { "" }
            )?;
        }
        self.out.flush()
    }

    /// Returns the number of findings so far, including one that could not be written. Repairs do
    /// not count.
    pub const fn count(&self) -> u64 {
        self.count
    }
}

/// Returns the location and the meaning of a finding: `2fcd4330, job burst, command 140: the log is
/// missing; …`. Logs opened by their path have no run.
fn line(oddity: &Oddity) -> String {
    let short = |id: &RunId| Some(name(id.short()).into_owned()).filter(|id| !id.is_empty());
    let place = match oddity {
        Oddity::Store(_) => vec!["store".into()],
        Oddity::RunWithoutRow(_, id) | Oddity::Repaired(Repaired { run: id, .. }) => {
            short(id).into_iter().collect()
        }
        Oddity::Run(id, finding) => {
            [short(id), display::place(&finding.place)].into_iter().flatten().collect()
        }
    };
    let lead = if place.is_empty() { String::new() } else { format!("{}: ", place.join(", ")) };
    format!("{lead}{}", meaning(oddity))
}

fn meaning(oddity: &Oddity) -> String {
    match oddity {
        Oddity::Store(what) => name(what).into_owned(),
        Oddity::RunWithoutRow(repo, _) => {
            format!("its logs are in {}, but the run is not in the database", name(repo))
        }
        Oddity::Run(_, finding) => display::finding(&finding.kind),
        Oddity::Repaired(repaired) => repair(repaired),
    }
}

fn repair(repaired: &Repaired) -> String {
    let Repaired { commands, jobs, .. } = repaired;
    let plural = |count: &usize| if *count == 1 { "" } else { "s" };
    format!(
        "repaired: the run, {jobs} job{} and {commands} command{} had no end, and are now marked \
         as interrupted",
        plural(jobs),
        plural(commands)
    )
}

fn oddity_json(oddity: &Oddity) -> OddityJson<'_> {
    let (run, job, n, kind) = match oddity {
        Oddity::Store(_) => (None, None, None, "store"),
        Oddity::RunWithoutRow(_, id) => (Some(id.as_str()), None, None, "run-without-row"),
        Oddity::Repaired(repaired) => (Some(repaired.run.as_str()), None, None, "repaired"),
        Oddity::Run(id, finding) => {
            let place = &finding.place;
            (Some(id.as_str()), place.job().map(JobId::as_str), place.n(), finding.kind.code())
        }
    };
    OddityJson { run: run.filter(|id| !id.is_empty()), job, n, kind, meaning: meaning(oddity) }
}
