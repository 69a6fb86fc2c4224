//! The arguments of `rundown push`, and of the commands that push the run that they record.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::export::parse_seconds;
use super::view::{Narrow, StoreArgs};
use super::{FIRST, parse_count};
use crate::cli::help;

#[derive(Args, Debug)]
pub(in crate::cli) struct Push {
    /// Runs (ids, refs, commits, latest~N, latest-failed, or paths), then s3://BUCKET/PREFIX
    ///
    /// Each run is one of the forms that `rundown RUN` accepts. The default is latest. The default
    /// of the address is $RUNDOWN_PUSH, or `push` of the configuration.
    #[arg(value_name = "RUN", help_heading = help::SELECT, display_order = FIRST)]
    pub named: Vec<OsString>,
    /// Push the N newest runs
    #[arg(long, value_name = "N", value_parser = parse_count, help_heading = help::SELECT)]
    pub last: Option<usize>,
    /// Push only failed runs: the newest one, or with --last the N newest ones
    #[arg(long, help_heading = help::SELECT)]
    pub failed: bool,
    #[command(flatten)]
    pub narrow: Narrow,
    /// Stop SECONDS after the end of the run [default: no limit]
    ///
    /// A run that has ended before counts from now. What was pushed until then stays, and the next
    /// push continues there.
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, help_heading = help::OUTPUT)]
    pub timeout: Option<Duration>,
    #[command(flatten)]
    pub store: StoreArgs,
    /// Push for another process, which waits or not
    #[arg(long, value_enum, hide = true)]
    pub background: Option<Background>,
}

/// The process that started a push.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli) enum Background {
    /// A recorder. It closes our stdin when its run has ended, and waits.
    Recorder,
    /// `rundown begin`, which has exited.
    Detached,
}

/// The object storage that the recorded run is pushed to.
#[derive(Args, Clone, Default, Debug)]
#[command(next_help_heading = help::STORE)]
pub struct PushArgs {
    /// Also push the run to s3://BUCKET/PREFIX while it is recorded
    ///
    /// The default is $RUNDOWN_PUSH, or `push` of the configuration. An empty URL pushes nothing.
    /// Failures never affect the commands or the exit code.
    #[arg(long, value_name = "URL")]
    pub push: Option<String>,
    /// Wait at most SECONDS for the push after the run [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub push_timeout: Option<Duration>,
}
