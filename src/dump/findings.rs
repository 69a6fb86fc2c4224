//! `rundown doctor`: what is odd in a store, a line each as it is found, or one document (`"schema": "rundown.doctor/1"`).

use std::io::{self, Write};

use serde::Serialize;

use super::printing::write_harmless;
use crate::doctor::Oddity;
use crate::model::JobId;
use crate::sanitise::name;
use crate::words;

/// Writes findings as they come.
pub struct FindingsWriter<W> {
    out: W,
    json: bool,
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
    /// When `out` cannot be written; so for every method here.
    pub fn new(mut out: W, json: bool) -> io::Result<Self> {
        if json {
            write!(out, "{{\"schema\":\"rundown.doctor/1\",\"findings\":[")?;
        }
        Ok(Self { out, json, count: 0 })
    }

    /// Writes one.
    #[expect(clippy::missing_errors_doc, reason = "see new")]
    pub fn write(&mut self, oddity: &Oddity) -> io::Result<()> {
        self.count += 1;
        if !self.json {
            return writeln!(self.out, "{}", line(oddity));
        }
        self.out.write_all(if self.count > 1 { b",\n" } else { b"\n" })?;
        write_harmless(&serde_json::to_string(&oddity_json(oddity))?, &mut self.out)
    }

    /// Ends the output: how many there were.
    #[expect(clippy::missing_errors_doc, reason = "see new")]
    pub fn finish(mut self) -> io::Result<u64> {
        if self.json {
            writeln!(self.out, "{}]}}", if self.count > 0 { "\n" } else { "" })?;
        }
        self.out.flush()?;
        Ok(self.count)
    }
}

/// Where it is and what it means: `2fcd4330, job burst, command 140: from here on …`.
fn line(oddity: &Oddity) -> String {
    match oddity {
        Oddity::Store(what) => format!("store: {}", name(what)),
        Oddity::RunWithoutRow(_, id) => format!("{}: {}", name(id.short()), meaning(oddity)),
        Oddity::Run(id, finding) => {
            let job = finding.job.as_ref().map(|job| format!(", job {}", name(job.as_str())));
            let n = finding.n.map(|n| format!(", command {n}"));
            let place = [job, n].into_iter().flatten().collect::<String>();
            format!("{}{place}: {}", name(id.short()), meaning(oddity))
        }
    }
}

fn meaning(oddity: &Oddity) -> String {
    match oddity {
        Oddity::Store(what) => name(what).into_owned(),
        Oddity::RunWithoutRow(repo, _) => {
            format!("a directory of logs in {} whose run is not in the database", name(repo))
        }
        Oddity::Run(_, finding) => words::finding(&finding.kind),
    }
}

fn oddity_json(oddity: &Oddity) -> OddityJson<'_> {
    let (run, job, n, kind) = match oddity {
        Oddity::Store(_) => (None, None, None, "store"),
        Oddity::RunWithoutRow(_, id) => (Some(id.as_str()), None, None, "run-without-row"),
        Oddity::Run(id, finding) => {
            (Some(id.as_str()), finding.job.as_ref().map(JobId::as_str), finding.n, finding.kind.code())
        }
    };
    OddityJson { run: run.filter(|id| !id.is_empty()), job, n, kind, meaning: meaning(oddity) }
}
