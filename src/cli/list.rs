//! `rundown list`: the newest runs or, with `--before`, the runs older than a given one.

use std::io::{self, BufWriter, IsTerminal, Write};

use super::args::{List, ListFormat};
use super::{color, hints, print_notice, print_notices};
use crate::catalog::{Beside, RunSpec};
use crate::ci;
use crate::dump;
use crate::error::Error;

pub(super) fn list_runs(list: &List) -> anyhow::Result<u8> {
    list.color.apply();
    let catalog = list.store.catalog()?;
    let filter = list.narrow.filter();
    let found = match &list.before {
        None => catalog.runs(&filter, list.limit)?,
        Some(run) => {
            let id = RunSpec::parse(run).and_then(|spec| catalog.find(&spec, &filter));
            let id = id.map_err(|error| {
                hints::for_run(error.into(), run.as_ref(), false, (&list.store, &filter))
            })?;
            catalog.runs_beside(&Beside::Older(id), &filter, list.limit)?.unwrap_or_default()
        }
    };
    let stdout = io::stdout();
    let color = color(&stdout);
    let mut out = ci::Output::new(BufWriter::new(stdout.lock()));
    let written = match list.format {
        ListFormat::Text => {
            dump::write_list_text(&found.heads, color, &list.zone.time_zone()?, &mut out)
        }
        ListFormat::Json => dump::write_list_json(&found, &mut out),
    };
    written.and_then(|()| out.flush()).map_err(Error::Output)?;
    print_notices(&catalog.notices());
    let for_people = list.format == ListFormat::Text && stdout.is_terminal();
    match found.heads.last() {
        Some(oldest) if for_people && found.has_more => {
            print_notice(&format!("older runs: add --before {}", oldest.run.id.short()));
        }
        // A filter that matches nothing is an error, as is a named run that does not exist.
        None if list.limit > 0 && filter.narrows() && list.before.is_none() => {
            return Err(Error::NotFound(nothing_listed(list).into()).into());
        }
        None if list.limit > 0 => print_notice(nothing_listed(list)),
        Some(_) | None => {}
    }
    Ok(0)
}

fn nothing_listed(list: &List) -> &'static str {
    match list.before {
        Some(_) => "no older run matches",
        None if list.narrow.filter().narrows() => "no run matches --repo or --ref",
        None => "no runs yet; `rundown record -- CMD` records one",
    }
}
