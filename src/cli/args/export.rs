//! The arguments of `rundown export`.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{FIRST, NEWEST, Narrow, StoreArgs, parse_number};
use crate::cli::help;
use crate::dump::Signal;

#[derive(Args, Debug)]
pub(in crate::cli) struct Export {
    /// Format: otlp (traces, logs, and metrics of OpenTelemetry)
    #[arg(
        value_enum,
        hide_possible_values = true,
        help_heading = help::SELECT,
        display_order = FIRST
    )]
    pub format: ExportFormat,
    /// Runs: each an id, ref, commit, latest~N, or latest-failed [default: latest]
    ///
    /// Each RUN is named as for `rundown` itself. The path of logs without a run is not accepted.
    #[arg(
        value_name = "RUN",
        default_value = NEWEST,
        hide_default_value = true,
        help_heading = help::SELECT,
        display_order = FIRST
    )]
    pub runs: Vec<OsString>,
    #[command(flatten)]
    pub narrow: Narrow,
    /// Send to a URL, or write to a file [default: stdout]
    ///
    /// The URL is that of a server for OTLP over HTTP, such as http://localhost:4318; v1/traces,
    /// v1/logs, and v1/metrics are appended. A file has JSON lines, and is replaced as a whole.
    /// Several signals are written to one file each: of `--to ci.jsonl`, the files are
    /// ci.traces.jsonl, ci.logs.jsonl, and ci.metrics.jsonl. stdout takes one signal.
    #[arg(long, value_name = "TARGET", help_heading = help::OUTPUT)]
    pub to: Option<OsString>,
    /// Export only traces, logs, or metrics
    ///
    /// Repeat the option, or separate signals with commas, for two of them.
    #[arg(
        long,
        value_enum,
        value_name = "SIGNAL",
        value_delimiter = ',',
        hide_possible_values = true,
        help_heading = help::OUTPUT
    )]
    pub signals: Vec<SignalName>,
    /// Give up on a request after N seconds, with its retries [default: 30]
    #[arg(
        long,
        value_name = "N",
        default_value = "30",
        hide_default_value = true,
        value_parser = parse_seconds,
        help_heading = help::OUTPUT
    )]
    pub timeout: Duration,
    #[command(flatten)]
    pub store: StoreArgs,
}

impl Export {
    /// Returns the selected signals in their order; all of them by default.
    pub fn signals(&self) -> Vec<Signal> {
        let is_selected = |signal: &Signal| {
            self.signals.is_empty()
                || self.signals.iter().any(|name| Signal::from(*name) == *signal)
        };
        Signal::ALL.into_iter().filter(is_selected).collect()
    }
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli) enum ExportFormat {
    Otlp,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli) enum SignalName {
    Traces,
    Logs,
    Metrics,
}

impl From<SignalName> for Signal {
    fn from(name: SignalName) -> Self {
        match name {
            SignalName::Traces => Self::Traces,
            SignalName::Logs => Self::Logs,
            SignalName::Metrics => Self::Metrics,
        }
    }
}

/// Parses a number of seconds, which may be added to the current time.
pub(super) fn parse_seconds(text: &str) -> Result<Duration, &'static str> {
    parse_number::<u32>(text).map(|seconds| Duration::from_secs(seconds.into()))
}
