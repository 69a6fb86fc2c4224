//! Durations of runs, jobs and commands, which grow while they are active.

use crate::display;
use crate::join::{RunHead, ShNode, ShState};
use crate::model::Phase;
use crate::time::Time;

/// Formats the duration of a run, in whole seconds while it is active; `None` if it is unknown.
#[must_use]
pub fn spent(head: &RunHead, now: Option<Time>) -> Option<String> {
    span(head.phase, head.run.started_at, head.ended_at(), now)
}

/// Returns the duration of a run in milliseconds, so far if it is active; `None` if it is unknown.
#[must_use]
pub fn spent_ms(head: &RunHead, now: Option<Time>) -> Option<i64> {
    span_ms(head.phase, head.run.started_at, head.ended_at(), now)
}

/// Formats a duration, in whole seconds while the phase is active; `None` if it is unknown.
#[must_use]
pub fn span(
    phase: Phase,
    start: Option<Time>,
    end: Option<Time>,
    now: Option<Time>,
) -> Option<String> {
    let ms = span_ms(phase, start, end, now)?;
    Some(if end.is_some() { display::duration(ms) } else { so_far(ms) })
}

/// Returns a duration in milliseconds, so far if the phase is active; `None` if it is unknown.
#[must_use]
pub fn span_ms(
    phase: Phase,
    start: Option<Time>,
    end: Option<Time>,
    now: Option<Time>,
) -> Option<i64> {
    let until = end.or(now.filter(|_| phase == Phase::Active))?;
    Some(until.millis_since(start?))
}

/// Formats a growing duration in whole seconds: tenths that change once a second would only
/// distract.
#[must_use]
pub fn so_far(ms: i64) -> String {
    let secs = ms.max(0) / 1000;
    if secs < 60 { format!("{secs}s") } else { display::duration(secs * 1000) }
}

/// Formats the duration of a command, so far if it is running.
#[must_use]
pub fn spent_by(sh: &ShNode, now: Option<Time>) -> Option<String> {
    let row = sh.sh.as_ref()?;
    span(phase(sh), row.started_at, row.finished_at, now)
}

/// Returns the duration of a command in milliseconds, so far if it is running.
#[must_use]
pub fn spent_ms_by(sh: &ShNode, now: Option<Time>) -> Option<i64> {
    let row = sh.sh.as_ref()?;
    span_ms(phase(sh), row.started_at, row.finished_at, now)
}

fn phase(sh: &ShNode) -> Phase {
    if sh.state == ShState::Running { Phase::Active } else { Phase::Finished }
}
