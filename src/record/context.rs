//! The variables that a recorded command gets: its run, its job, and its trace context. A command
//! that records other commands, or sends traces, connects them to the run with these variables.
//!
//! The trace id of a run is its id, a UUID of 16 bytes, unless it was started in a trace. The span
//! id of a command is a hash of its run, job and number. Both can be computed again from the store.

use std::ffi::OsString;
use std::path::Path;

use crate::model::{RunId, ShKey};

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
        (TRACEPARENT, traceparent(&key.run, parent, span_of(key)).into()),
    ]
}

/// Returns the trace context of a run, for the steps that add commands to it.
#[must_use]
pub fn traceparent_of_run(run: &RunId, parent: Option<&str>) -> String {
    traceparent(run, parent, fnv1a(run.as_str().bytes()))
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
fn traceparent(run: &RunId, parent: Option<&str>, span: u64) -> String {
    let of_parent = parent.filter(|text| is_traceparent(text)).and_then(|text| text.get(3..35));
    let (trace, flags) = match of_parent {
        Some(trace) => (trace.to_owned(), parent.and_then(|text| text.get(53..)).unwrap_or("01")),
        None => (trace_id(run), "01"),
    };
    format!("00-{trace}-{:016x}-{flags}", span.max(1))
}

/// Returns the id of a run as a trace id: 32 hexadecimal digits. An id that is no UUID is hashed.
fn trace_id(run: &RunId) -> String {
    let hex: String = run.as_str().chars().filter(|c| *c != '-').collect();
    if hex.len() == 32 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return hex;
    }
    let text = run.as_str();
    format!("{:016x}{:016x}", fnv1a(text.bytes()), fnv1a(text.bytes().rev()).max(1))
}

fn span_of(key: &ShKey) -> u64 {
    let n = key.n.to_string();
    fnv1a([key.run.as_str(), key.job.as_str(), &n].join("\0").bytes())
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
    use crate::model::JobId;

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
        let odd = traceparent_of_run(&RunId("no uuid".into()), None);
        assert!(is_traceparent(&odd), "{odd}");
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
