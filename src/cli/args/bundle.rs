//! The arguments of `rundown bundle`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::view::{Narrow, StoreArgs};
use super::{FIRST, parse_count};
use crate::cli::help;

#[derive(Args, Debug)]
pub(in crate::cli) struct Bundle {
    /// Runs: ids, refs, commits, latest~N, latest-failed, or paths
    ///
    /// Each is one of the forms that `rundown RUN` accepts. The default is latest.
    #[arg(value_name = "RUN", help_heading = help::SELECT, display_order = FIRST)]
    pub runs: Vec<OsString>,
    /// Bundle the N newest runs
    #[arg(
        long,
        value_name = "N",
        value_parser = parse_count,
        conflicts_with = "runs",
        help_heading = help::SELECT
    )]
    pub last: Option<usize>,
    /// Bundle only failed runs: the newest one, or with --last the N newest ones
    #[arg(long, conflicts_with = "runs", help_heading = help::SELECT)]
    pub failed: bool,
    #[command(flatten)]
    pub narrow: Narrow,
    /// Write the bundle to FILE, which is replaced if it exists
    #[arg(
        short,
        long,
        value_name = "FILE",
        required_unless_present = "check",
        help_heading = help::OUTPUT
    )]
    pub output: Option<PathBuf>,
    /// Read all of the bundle FILE, and report damage
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["runs", "last", "failed", "repo", "ref_name", "output"],
        help_heading = help::OUTPUT
    )]
    pub check: Option<PathBuf>,
    #[command(flatten)]
    pub store: StoreArgs,
}
