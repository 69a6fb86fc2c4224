//! Output of `rundown doctor`: one line per finding, written as soon as it is found, or one JSON
//! document (`"schema": "rundown.doctor/1"`).

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::printing::{list_frame, write_harmless};
use crate::display;
use crate::doctor::Oddity;
use crate::join::{Finding, FindingCode};
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

/// The value of `schema` in the document.
const DOCTOR: &str = "rundown.doctor/1";

/// The document of `rundown doctor --format json`.
// The comments are the descriptions of the JSON Schema.
#[derive(Serialize, JsonSchema)]
pub(super) struct FindingsDocument<'a> {
    /// The name and the version of the format.
    #[schemars(extend("const" = DOCTOR))]
    schema: &'static str,
    /// The findings, newest run first, then those about the store as a whole.
    findings: Vec<OddityJson<'a>>,
    /// False if the examination stopped early.
    complete: bool,
}

/// A finding.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Finding")]
struct OddityJson<'a> {
    /// The id of the run; `null` if the finding is about the store as a whole, or about a log that
    /// was named by its path.
    run: Option<&'a str>,
    /// The id of the job; `null` if the finding is about the run itself.
    job: Option<&'a str>,
    /// The number of the command in its job; `null` if the finding is not about a command.
    n: Option<u32>,
    /// The class of the finding.
    kind: Kind,
    /// A sentence for people, which may differ between versions.
    meaning: String,
}

/// A class of findings.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Kind {
    OfRun(FindingCode),
    OfStore(StoreKind),
}

/// A class of findings that no single run has.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum StoreKind {
    /// The store itself, or the way in which it was read.
    Store,
    /// There are logs of a run that is not in the database.
    RunWithoutRow,
    /// The run was finished by `--repair`. This is not a finding any more.
    Repaired,
}

impl<W: Write> FindingsWriter<W> {
    /// Begins the output.
    ///
    /// # Errors
    /// If `out` cannot be written, as for all methods here.
    pub fn new(mut out: W, json: bool) -> io::Result<Self> {
        if json {
            out.write_all(frame(false)?.0.as_bytes())?;
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
            let lead = if self.is_begun { "\n" } else { "" };
            writeln!(self.out, "{lead}{}", frame(complete)?.1)?;
        }
        self.out.flush()
    }

    /// Returns the number of findings so far, including one that could not be written. Repairs do
    /// not count.
    pub const fn count(&self) -> u64 {
        self.count
    }
}

/// Returns the document before and after its findings.
fn frame(complete: bool) -> io::Result<(String, String)> {
    list_frame(&FindingsDocument { schema: DOCTOR, findings: Vec::new(), complete })
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
        Oddity::Store(_) => (None, None, None, Kind::OfStore(StoreKind::Store)),
        Oddity::RunWithoutRow(_, id) => {
            (Some(id.as_str()), None, None, Kind::OfStore(StoreKind::RunWithoutRow))
        }
        Oddity::Repaired(repaired) => {
            (Some(repaired.run.as_str()), None, None, Kind::OfStore(StoreKind::Repaired))
        }
        Oddity::Run(id, Finding { place, kind }) => {
            let job = place.job().map(JobId::as_str);
            (Some(id.as_str()), job, place.n(), Kind::OfRun(kind.code()))
        }
    };
    OddityJson { run: run.filter(|id| !id.is_empty()), job, n, kind, meaning: meaning(oddity) }
}
