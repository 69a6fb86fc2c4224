//! The variables that a recorded command gets: its run, its job, and its trace context. A command
//! that records other commands, or sends traces, connects them to the run with these variables.
//!
//! The trace id of a run is its id, a UUID of 16 bytes, unless it was started in a trace. The span
//! ids of the run, its jobs and its commands are hashes of their names. All of them can be computed
//! again from the store, so that exported spans have the ids that the commands got.

use std::ffi::OsString;
use std::path::Path;

use crate::model::{JobId, RunId, ShKey};

/// The variable that contains the id of the run.
pub const RUN: &str = "RUNDOWN_RUN";
/// The variable that contains the name of the job.
pub const JOB: &str = "RUNDOWN_JOB";
/// The variable that contains the root of the store.
pub const ROOT: &str = "RUNDOWN_ROOT";
/// The variable that contains the trace context (<https://www.w3.org/TR/trace-context/>).
pub const TRACEPARENT: &str = "TRACEPARENT";

/// Returns the variables of a command.
pub(super) fn variables(
    root: &Path,
    key: &ShKey,
    parent: Option<&str>,
) -> [(&'static str, OsString); 4] {
    [
        (RUN, key.run.as_str().into()),
        (JOB, key.job.as_str().into()),
        (ROOT, root.into()),
        (TRACEPARENT, traceparent(&key.run, parent, &span_id(key)).into()),
    ]
}

/// Returns the trace context of a run, for the steps that add commands to it.
#[must_use]
pub fn traceparent_of_run(run: &RunId, parent: Option<&str>) -> String {
    traceparent(run, parent, &span_id_of_run(run))
}

/// Returns the trace id of a run, which was started in the trace context `parent`: 32 hexadecimal
/// digits.
#[must_use]
pub fn trace_id(run: &RunId, parent: Option<&str>) -> String {
    parent_ids(parent).map_or_else(|| own_trace_id(run), |(trace, _)| trace.to_owned())
}

/// Returns the id of the span in which a run was started, if the context is valid.
#[must_use]
pub fn parent_span_id(parent: Option<&str>) -> Option<&str> {
    parent_ids(parent).map(|(_, span)| span)
}

/// Returns the span id of a run: 16 hexadecimal digits.
#[must_use]
pub fn span_id_of_run(run: &RunId) -> String {
    hex(fnv1a(run.as_str().bytes()))
}

/// Returns the span id of a run's time in the queue: 16 hexadecimal digits.
#[must_use]
pub fn span_id_of_queue(run: &RunId) -> String {
    hex(fnv1a([run.as_str(), "", "queue"].join("\0").bytes()))
}

/// Returns the span id of a job: 16 hexadecimal digits.
#[must_use]
pub fn span_id_of_job(run: &RunId, job: &JobId) -> String {
    hex(fnv1a([run.as_str(), job.as_str()].join("\0").bytes()))
}

/// Returns the span id of a command: 16 hexadecimal digits.
#[must_use]
pub fn span_id(key: &ShKey) -> String {
    let n = key.n.to_string();
    hex(fnv1a([key.run.as_str(), key.job.as_str(), &n].join("\0").bytes()))
}

/// Returns true if a text is a valid trace context of version 00.
#[must_use]
pub fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_set = |part: &str| part.bytes().any(|byte| byte != b'0');
    match parts[..] {
        ["00", trace, span, flags] => {
            [(trace, 32), (span, 16), (flags, 2)].iter().all(|(part, len)| part.len() == *len)
                && is_hex(&parts.concat())
                && is_set(trace)
                && is_set(span)
        }
        _ => false,
    }
}

/// Returns a trace context: the trace of `parent` if that is valid, or else the trace of the run.
fn traceparent(run: &RunId, parent: Option<&str>, span: &str) -> String {
    let is_in_parent = parent_ids(parent).is_some();
    let flags = parent.filter(|_| is_in_parent).and_then(|text| text.get(53..)).unwrap_or("01");
    format!("00-{}-{span}-{flags}", trace_id(run, parent))
}

/// Returns the ids of the trace and of the span of a context; `None` if it is invalid.
fn parent_ids(parent: Option<&str>) -> Option<(&str, &str)> {
    let text = parent.filter(|text| is_traceparent(text))?;
    Some((text.get(3..35)?, text.get(36..52)?))
}

/// Returns the id of a run as a trace id: 32 hexadecimal digits, not all of them zero. An id that
/// is no UUID is hashed.
fn own_trace_id(run: &RunId) -> String {
    let hex: String = run.as_str().chars().filter(|c| *c != '-').collect();
    let is_hex = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if hex.len() == 32 && is_hex && hex.bytes().any(|byte| byte != b'0') {
        return hex;
    }
    let text = run.as_str();
    format!("{:016x}{:016x}", fnv1a(text.bytes()), fnv1a(text.bytes().rev()).max(1))
}

/// Formats the hash of a span as its id, which must not be zero.
fn hex(span: u64) -> String {
    format!("{:016x}", span.max(1))
}

/// Returns the 64-bit FNV-1a hash of bytes (<http://www.isthe.com/chongo/tech/comp/fnv/>). Unlike
/// the hashes of the standard library, it is the same in every version.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> ShKey {
        let run = RunId("01a2078a-83c0-7cf2-8c6a-6911d61998d3".into());
        ShKey { run, job: JobId("test".into()), n }
    }

    fn context(n: u32, parent: Option<&str>) -> String {
        let variables = variables(Path::new("/store"), &key(n), parent);
        variables[3].1.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_command_is_in_the_trace_of_its_run() {
        let context_1 = context(1, None);
        assert!(context_1.starts_with("00-01a2078a83c07cf28c6a6911d61998d3-"), "{context_1}");
        assert!(is_traceparent(&context_1) && is_traceparent(&context(2, None)));
        assert_ne!(context_1, context(2, None));
        for id in ["no uuid", "00000000-0000-0000-0000-000000000000"] {
            let odd = traceparent_of_run(&RunId(id.into()), None);
            assert!(is_traceparent(&odd), "{odd}");
        }
    }

    #[test]
    fn the_ids_of_spans_are_those_that_commands_get() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        let (key, job) = (key(1), JobId("test".into()));
        for (parent, of_parent) in
            [(None, None), (Some("zz"), None), (Some(parent), Some("b7ad6b7169203331"))]
        {
            let given = format!("{}-{}", trace_id(&key.run, parent), span_id(&key));
            assert!(context(1, parent).contains(&given));
            assert_eq!(parent_span_id(parent), of_parent);
        }
        let spans = [span_id_of_run(&key.run), span_id_of_job(&key.run, &job), span_id(&key)];
        assert!(spans[0] != spans[1] && spans[1] != spans[2], "{spans:?}");
    }

    #[test]
    fn a_valid_trace_context_from_outside_is_continued() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        let child = context(1, Some(parent));
        assert!(child.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{child}");
        assert!(child.ends_with("-00") && !child.contains("b7ad6b7169203331"));
        for invalid in ["", "00-0-0-0", "zz", &parent.replace("0af7", "0AF7")] {
            assert!(!is_traceparent(invalid));
            assert_eq!(context(1, Some(invalid)), context(1, None));
        }
    }

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a("foobar".bytes()), 0x8594_4171_f739_67e8);
    }
}
