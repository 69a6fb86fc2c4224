//! The metrics of a finished run: the durations of its states, and its errors by class.
//!
//! Each point is a delta: it covers the time of one run. A run that has not finished has no
//! metrics, because the points would be wrong once it has.

use std::collections::BTreeMap;

use super::batch::Batch;
use super::result::Verdict;
use super::wire::{
    Attributes, DELTA, HistogramPoint, Int64, Metric, Nanos, NumberPoint, Points, nanos,
};
use crate::dump::printing::Printing;
use crate::error::Result;
use crate::join::RunNode;
use crate::model::Phase;
use crate::time::Time;

/// The upper bounds of the buckets in seconds: from a quick check to a nightly build. The semantic
/// conventions define none.
const BOUNDS: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0,
];

/// Writes the metrics of a run.
pub(super) fn write(printing: &mut Printing<'_>, batch: &mut Batch<'_, '_>) -> Result<()> {
    let node = printing.run;
    let run = &node.head.run;
    let ended_at = node.head.ended_at().filter(|_| node.head.phase == Phase::Finished);
    let Some((start, end)) = run.started_at.zip(ended_at) else {
        let id = run.id.short();
        let why = "has not ended, or its times are unknown: it has no metrics";
        printing.report.notices.push(format!("run {id} {why}"));
        return Ok(());
    };
    let Some(times) = nanos(start).zip(nanos(end.max(start))) else { return Ok(()) };
    let durations = durations(node, start, end);
    let count = durations.len() as u64;
    let metric = Metric {
        name: "cicd.pipeline.run.duration",
        description: "Duration of a pipeline run grouped by pipeline, state and result.",
        unit: "s",
        points: Points::Histogram { aggregation_temporality: DELTA, data_points: durations },
    };
    batch.push_many(&metric, count)?;
    let errors = errors(node, times);
    let count = errors.len() as u64;
    if count > 0 {
        let metric = Metric {
            name: "cicd.pipeline.run.errors",
            description: "The number of errors encountered in pipeline runs.",
            unit: "{error}",
            points: Points::Sum {
                aggregation_temporality: DELTA,
                is_monotonic: true,
                data_points: errors,
            },
        };
        batch.push_many(&metric, count)?;
    }
    Ok(())
}

/// Returns the points of the time in the queue, if it is known, and of the time of the jobs.
fn durations(node: &RunNode, start: Time, end: Time) -> Vec<HistogramPoint<'_>> {
    let pending = node.head.run.queued_at.and_then(|queued_at| {
        let mut attributes = of_pipeline(node);
        attributes.text("cicd.pipeline.run.state", Some("pending"));
        point(attributes, queued_at, start)
    });
    let verdict = Verdict::of_run(&node.head);
    let mut attributes = of_pipeline(node);
    attributes.text("cicd.pipeline.run.state", Some("executing"));
    attributes.text("cicd.pipeline.result", verdict.word);
    attributes.text("error.type", verdict.error_type);
    pending.into_iter().chain(point(attributes, start, end)).collect()
}

/// Returns a point with one duration; `None` if OTLP cannot represent its times. A clock that was
/// set back makes no negative duration.
fn point(attributes: Attributes<'_>, from: Time, to: Time) -> Option<HistogramPoint<'_>> {
    let to = to.max(from);
    let (start_time_unix_nano, time_unix_nano) = nanos(from).zip(nanos(to))?;
    let ms = u32::try_from(to.millis_since(from)).unwrap_or(u32::MAX);
    let seconds = f64::from(ms) / 1000.0;
    let bucket = BOUNDS.iter().filter(|bound| seconds > **bound).count();
    Some(HistogramPoint {
        attributes,
        start_time_unix_nano,
        time_unix_nano,
        count: Int64(1),
        sum: seconds,
        bucket_counts: (0..=BOUNDS.len()).map(|at| Int64(u64::from(at == bucket))).collect(),
        explicit_bounds: BOUNDS,
        min: seconds,
        max: seconds,
    })
}

/// Returns the points of the errors: the failed commands by the class of their error, also those
/// whose failure has no consequences. A run that failed without a failed command has one error.
fn errors(node: &RunNode, (start, end): (Nanos, Nanos)) -> Vec<NumberPoint<'_>> {
    let shs = node.jobs.iter().flat_map(|job| job.shs.iter().map(move |sh| (job, sh)));
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for error_type in shs.filter_map(|(job, sh)| Verdict::of_sh(job, sh).error_type) {
        *counts.entry(error_type).or_default() += 1;
    }
    if counts.is_empty() {
        counts.extend(Verdict::of_run(&node.head).error_type.map(|error_type| (error_type, 1)));
    }
    let point = |(error_type, count)| {
        let mut attributes = of_pipeline(node);
        attributes.text("error.type", Some::<String>(error_type));
        NumberPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: end,
            as_int: Int64(count),
        }
    };
    counts.into_iter().map(point).collect()
}

fn of_pipeline(node: &RunNode) -> Attributes<'_> {
    let mut attributes = Attributes::default();
    attributes.text("cicd.pipeline.name", node.head.run.details.name.as_deref());
    attributes
}
