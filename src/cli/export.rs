//! `rundown export`: writes runs in the format of another system, or sends them to it.
//!
//! All runs are found before the first one is written, so that a mistyped name exports nothing.

mod address;
mod files;
#[cfg(feature = "remote")]
mod http;
#[cfg(feature = "remote")]
mod reply;

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};

use self::address::Address;
use self::files::Files;
pub(super) use self::files::{draft, replaceable};
#[cfg(feature = "remote")]
use self::http::Server;
use super::args::{Export, ExportFormat};
use super::place::variable;
use super::{found_run, load_named, print_notices};
use crate::catalog::{Catalog, RunSpec};
use crate::ci;
use crate::dump::{self, OtlpLine, Report, Signal};
use crate::error::{Error, Result};
use crate::join::RunNode;

/// The variable of OpenTelemetry with the name of the service.
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// The name of the service, if the variable is not set.
const DEFAULT_SERVICE: &str = "rundown";

/// Exports runs. Returns the exit code.
pub(super) fn export(export: &Export) -> anyhow::Result<u8> {
    match export.format {
        ExportFormat::Otlp => otlp(export),
    }
}

/// The receiver of the lines.
enum Target {
    Stdout,
    Files(Files),
    #[cfg(feature = "remote")]
    Server(Box<Server>),
}

fn otlp(export: &Export) -> anyhow::Result<u8> {
    let signals = export.signals();
    let mut target = Target::new(export, &signals)?;
    let service = variable(SERVICE_NAME).unwrap_or_else(|| DEFAULT_SERVICE.to_owned());
    let mut report = Report::default();
    let mut out = ci::Output::new(BufWriter::new(io::stdout().lock()));
    let mut write = |line: &OtlpLine<'_>| match &mut target {
        Target::Stdout => write_line(line, &mut out).map_err(Error::Output),
        Target::Files(files) => files.write(line),
        #[cfg(feature = "remote")]
        Target::Server(server) => server.send(line),
    };
    let runs = runs(export)?;
    for (catalog, run) in &runs {
        report.extend(dump::write_otlp(run, &signals, &service, &mut write)?);
        report.notices.extend(catalog.notices());
    }
    let is_rejected = target.finish(&mut out, &mut report)?;
    report.forget_repeated();
    print_notices(&report.notices);
    Ok(if report.unreadable || is_rejected { 6 } else { 0 })
}

/// Loads the named runs, each once.
fn runs(export: &Export) -> anyhow::Result<Vec<(Catalog, RunNode)>> {
    let filter = export.narrow.filter();
    let mut known = HashSet::new();
    let mut runs = Vec::new();
    for named in &export.runs {
        let load =
            |catalog: &Catalog, spec: &RunSpec| found_run(catalog, Some(spec), &filter, named);
        let found = load_named(&export.store, &filter, named, load)?;
        if known.insert(found.1.head.run.id.clone()) {
            runs.push(found);
        }
    }
    Ok(runs)
}

fn write_line(line: &OtlpLine<'_>, out: &mut impl Write) -> io::Result<()> {
    out.write_all(line.json)?;
    out.write_all(b"\n")
}

impl Target {
    fn new(export: &Export, signals: &[Signal]) -> Result<Self> {
        let Some(to) = &export.to else {
            return match signals {
                [_] => Ok(Self::Stdout),
                _ => Err(Error::Usage(
                    "stdout takes one signal: add --signals traces, logs, or metrics\n\
                     to export several, name a server or a file with --to"
                        .into(),
                )),
            };
        };
        match to.to_str().and_then(Address::parse).transpose()? {
            Some(address) => server(&address, signals, export),
            None => Files::create(to.as_ref(), signals).map(Self::Files),
        }
    }

    /// Completes the output, and adds what the receiver rejected to the report. Returns true if it
    /// accepted nothing of a signal.
    fn finish(self, out: &mut impl Write, report: &mut Report) -> Result<bool> {
        match self {
            Self::Stdout => out.flush().map_err(Error::Output).map(|()| false),
            Self::Files(files) => {
                let written = files.finish()?;
                report.notices.push(format!("wrote {written}"));
                Ok(false)
            }
            #[cfg(feature = "remote")]
            Self::Server(server) => Ok(server.finish(report)),
        }
    }
}

#[cfg(feature = "remote")]
fn server(address: &Address, signals: &[Signal], export: &Export) -> Result<Target> {
    Ok(Target::Server(Box::new(Server::new(address, signals, export.timeout)?)))
}

#[cfg(not(feature = "remote"))]
fn server(address: &Address, signals: &[Signal], _: &Export) -> Result<Target> {
    address.of(signals)?;
    let why = "this rundown was built without the feature `remote` and cannot send to a server\n\
               to install it with the feature: cargo install rundown --features remote\n\
               to write files instead, use --to FILE";
    Err(Error::Usage(why.into()))
}
