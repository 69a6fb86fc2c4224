//! Values that several JSON formats have in common, as types with a JSON Schema: the words of a
//! fixed set, times, and text that may not be UTF-8. The words are serialized from these types, so
//! the output and its schema have the same ones.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::Serialize;

use crate::display::Status;
use crate::model::Phase;
use crate::time::Time;

/// The outcome of a run, a job or a command: a word that does not depend on the store.
#[derive(Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// It ended successfully.
    Passed,
    /// It ended with a failure.
    Failed,
    /// It was aborted, canceled or superseded.
    Stopped,
    /// It was not started.
    Skipped,
    /// It has started and not ended, or it waits for its next step.
    Running,
    /// It has not started yet.
    Queued,
    /// Its recorder stopped before it ended.
    Interrupted,
    /// The data of the store does not determine an outcome.
    Unknown,
}

impl From<Status> for Outcome {
    fn from(status: Status) -> Self {
        match status {
            Status::Passed => Self::Passed,
            Status::Failed => Self::Failed,
            Status::Stopped => Self::Stopped,
            Status::Skipped => Self::Skipped,
            Status::Active | Status::Waiting => Self::Running,
            Status::Queued => Self::Queued,
            Status::Interrupted => Self::Interrupted,
            Status::Unknown => Self::Unknown,
        }
    }
}

/// The progress of a run or a job.
#[derive(Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Phase")]
pub(super) enum Progress {
    /// It has not started yet.
    Queued,
    /// It has started and not ended.
    Active,
    /// It has ended. An interrupted run counts as finished.
    Finished,
}

impl Progress {
    /// Returns the progress for a phase; `None` if it is unknown.
    pub(super) const fn of(phase: Phase) -> Option<Self> {
        match phase {
            Phase::Unknown => None,
            Phase::Queued => Some(Self::Queued),
            Phase::Active => Some(Self::Active),
            Phase::Finished => Some(Self::Finished),
        }
    }
}

/// A time as RFC 3339 in UTC with 3 digits after the second.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("format" = "date-time", "pattern" = UtcMillis::PATTERN))]
pub(super) struct UtcMillis(String);

impl UtcMillis {
    const PATTERN: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$";

    /// Formats a time; `None` if it is unknown or outside of the years 0 to 9999.
    pub(super) fn of(time: Option<Time>) -> Option<Self> {
        time.and_then(Time::rfc3339_millis).map(Self)
    }
}

/// A time as RFC 3339 in UTC with 9 digits after the second. The year of a time outside of the
/// years 0 to 9999 has a sign and more digits.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
// No "format": a year with a sign is no RFC 3339.
#[schemars(inline, extend("pattern" = UtcNanos::PATTERN))]
pub(super) struct UtcNanos(String);

impl UtcNanos {
    const PATTERN: &str = "^([0-9]{4}|[+-][0-9]{4,})-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\
                           \\.[0-9]{9}Z$";

    /// Formats a time.
    pub(super) fn of(time: Time) -> Self {
        Self(time.rfc3339_nanos())
    }
}

/// Bytes in base64 (RFC 4648, with padding).
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("contentEncoding" = "base64"))]
pub(super) struct Base64(String);

impl Base64 {
    /// Encodes bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(BASE64_STANDARD.encode(bytes))
    }
}
