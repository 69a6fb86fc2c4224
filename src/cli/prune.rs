//! `rundown prune`: removes the runs that exceed the limits.

use std::io::{self, BufWriter};

use super::args::{LimitArgs, ListFormat, Prune};
use super::config::Config;
use super::{print_notice, print_notices};
use crate::ci;
use crate::display;
use crate::dump::{RemovalsLook, RemovalsWriter};
use crate::error::{Error, Result};
use crate::store::RunRowFilter;
use crate::time::Time;
use crate::upkeep::{self, Limits, Pruned, Removal, Request};

/// Removes the runs that exceed the limits, and prints them. Returns the exit code.
pub(super) fn prune(prune: &Prune) -> anyhow::Result<u8> {
    let request = Request {
        limits: limits(prune)?,
        filter: prune.narrow.row_filter(),
        dry_run: prune.dry_run,
    };
    let root = prune.root.root_to_write()?;
    let out = ci::Output::new(BufWriter::new(io::stdout().lock()));
    let look = RemovalsLook {
        time_zone: prune.zone.time_zone()?,
        is_json: prune.format == ListFormat::Json,
        dry_run: prune.dry_run,
    };
    let mut removals = RemovalsWriter::new(out, look);
    let mut report = |removal: &Removal| removals.write(removal).map_err(Error::Output);
    let pruned = upkeep::prune(&root, &request, Time::now(), &mut report);
    removals.finish(pruned.as_ref().ok()).map_err(Error::Output)?;
    let pruned = pruned?;
    let narrows = request.filter != RunRowFilter::default();
    if pruned.matching == 0 && narrows {
        return Err(Error::NotFound("no run matches --repo or --ref".into()).into());
    }
    print_result(&pruned, prune);
    // A run that is in use is not a failure.
    Ok(if pruned.failures.is_empty() { 0 } else { 6 })
}

/// Returns the limits of the command line or, if it has none, those of the configuration.
fn limits(prune: &Prune) -> Result<Limits> {
    let LimitArgs { keep, older_than, max_bytes, failed_keep } = prune.limits;
    let given = Limits { keep, older_than, max_bytes, failed_keep };
    if given.are_set() {
        return Ok(given);
    }
    let configured = Config::load(prune.config.as_deref())?.retention;
    if configured.are_set() {
        return Ok(Limits { failed_keep: failed_keep.or(configured.failed_keep), ..configured });
    }
    let why = "no limit: use --keep N, --older-than D, or --max-bytes B, or set one in the \
               [retention] table of the configuration";
    Err(Error::Usage(why.into()))
}

fn print_result(pruned: &Pruned, prune: &Prune) {
    print_notices(&pruned.failures);
    for id in &pruned.in_use {
        print_notice(&format!("run {} is in use and was not removed", id.short()));
    }
    if pruned.resumed > 0 {
        let runs = display::runs(pruned.resumed);
        print_notice(&format!("completed the removal of {runs} that had been interrupted"));
    }
    if prune.format == ListFormat::Text {
        print_notice(&total(pruned, prune.dry_run));
    }
}

fn total(pruned: &Pruned, dry_run: bool) -> String {
    let (runs, size) = (display::runs(pruned.runs), display::size(pruned.bytes));
    match (pruned.runs, dry_run) {
        (0, _) => "no run to remove".into(),
        (_, true) => format!("would remove {runs} and free {size}"),
        (_, false) => format!("removed {runs}, freed {size}"),
    }
}
