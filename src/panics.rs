//! Panics: bugs in rundown. Each is reported on stderr with the details that a bug report needs.
//! The program then exits with 70, unless it passes on the exit code of a recorded command.
//!
//! ```text
//! rundown: bug: index out of bounds: the len is 3 but the index is 7
//!          in thread worker at src/log/index.rs:12:5, rundown 0.1.0 on linux x86_64
//!          Please report this bug with these lines and the arguments. …
//! ```
//!
//! A report contains the panic's own message and nothing else from a log or a store. The hook takes
//! no lock of [`std::io`] and ignores a closed stderr, because a panic in a hook aborts the
//! program.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::env::consts::{ARCH, OS};
use std::fmt::Write;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo, catch_unwind, set_hook};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::ci;
use crate::sanitize::name;

/// The exit code of a bug.
const EXIT_CODE: u8 = 70;

/// The maximum number of characters of a message that are printed. The limit is necessary because a
/// message can quote input of any length.
const MESSAGE_CHARS: usize = 2_000;

static HAPPENED: AtomicBool = AtomicBool::new(false);

/// Reports to be printed after the terminal is restored.
static DEFERRED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs the program and returns its exit code, or 70 if this thread panics. Reports the panics of
/// all threads.
pub fn guard(run: impl FnOnce() -> u8) -> u8 {
    set_hook(Box::new(report));
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(EXIT_CODE)
}

/// Returns 70 if any thread has panicked, else `code`.
#[must_use]
pub fn exit_code(code: u8) -> u8 {
    if HAPPENED.load(Ordering::Relaxed) { EXIT_CODE } else { code }
}

/// Keeps the report of a panic until [`print_deferred`]. Printing the report at once would garble
/// the screen.
pub fn defer(info: &PanicHookInfo<'_>) {
    HAPPENED.store(true, Ordering::Relaxed);
    DEFERRED.lock().unwrap_or_else(PoisonError::into_inner).push(text_of(info));
}

/// Prints the deferred reports, once each.
pub fn print_deferred() {
    let reports = mem::take(&mut *DEFERRED.lock().unwrap_or_else(PoisonError::into_inner));
    for report in &reports {
        print(report);
    }
}

/// The panic hook.
fn report(info: &PanicHookInfo<'_>) {
    HAPPENED.store(true, Ordering::Relaxed);
    print(&text_of(info));
}

fn text_of(info: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let mut text =
        text(info.payload_as_str().unwrap_or("no message"), thread.name(), info.location());
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        let _ = write!(text, "{backtrace}");
    }
    ci::broken(&text)
}

/// Returns the lines of a report.
fn text(message: &str, thread: Option<&str>, location: Option<&Location<'_>>) -> String {
    let message: String = message.chars().take(MESSAGE_CHARS).collect();
    let message: Vec<_> = message.lines().map(name).collect();
    let (message, thread) = (message.join("\n         "), name(thread.unwrap_or("(unnamed)")));
    let place = location.map(|location| format!(" at {location}")).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "rundown: bug: {message}
         in thread {thread}{place}, rundown {version} on {OS} {ARCH}
         Please report this bug. Include these lines, the arguments and, if possible, the store
         or the log that was open. RUST_BACKTRACE=1 adds a stack trace.\n"
    )
}

/// Writes to stderr without the lock and the buffer of [`std::io::Stderr`], because the panicking
/// thread may hold them.
fn print(text: &str) {
    let mut rest = text.as_bytes();
    while let Ok(written @ 1..) = rustix::io::write(rustix::stdio::stderr(), rest) {
        rest = rest.get(written..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use std::env::current_exe;
    use std::io;
    use std::process::{Command, Stdio, exit};

    use super::*;

    #[test]
    fn a_panic_report_is_sanitized_and_bounded() {
        let report = text("one\x1b[2J\ntwo", Some("worker\r"), Some(Location::caller()));
        let lines: Vec<_> = report.lines().collect();
        assert_eq!(lines[..2], ["rundown: bug: one␛[2J", "         two"]);
        assert!(lines[2].starts_with("         in thread worker␍ at src/panics.rs:"), "{report}");
        assert!(report.contains(env!("CARGO_PKG_VERSION")) && report.contains("Please report"));
        assert!(text(&"x".repeat(1 << 20), None, None).len() < 2 * MESSAGE_CHARS);
    }

    /// Not a separate test: the child process of the tests below.
    #[test]
    #[ignore = "a process of its own, started by other tests"]
    fn panics_in_a_child_process() {
        let Ok(place) = std::env::var("PANIC_IN") else { return };
        let in_thread = || {
            drop(
                thread::Builder::new()
                    .name("reader".into())
                    .spawn(|| panic!("on purpose"))
                    .unwrap()
                    .join(),
            );
        };
        exit(i32::from(guard(|| match place.as_str() {
            "main" => panic!("on purpose"),
            "thread" => {
                in_thread();
                exit_code(0)
            }
            "recorder" => {
                in_thread();
                3
            }
            "marker" => panic!("##vso[task.complete]"),
            // The lock of stderr is held, and its buffer borrowed by this thread.
            "stderr" => {
                let _lock = io::stderr().lock();
                panic!("on purpose");
            }
            _ => 0,
        })));
    }

    fn child(place: &str) -> Command {
        let mut command = Command::new(current_exe().unwrap());
        let name = "panics::tests::panics_in_a_child_process";
        command.args(["--ignored", "--exact", "--nocapture", name]).env("PANIC_IN", place);
        command.env_remove("RUST_BACKTRACE").stdout(Stdio::null());
        command
    }

    #[test]
    fn a_panic_of_any_thread_is_reported_and_exits_with_70() {
        for (place, code, reports) in [
            ("none", 0, 0),
            ("main", 70, 1),
            ("stderr", 70, 1),
            ("thread", 70, 1),
            ("recorder", 3, 1),
        ] {
            let output = child(place).output().unwrap();
            let printed = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{place}: {printed}");
            assert_eq!(
                printed.matches("rundown: bug: on purpose\n").count(),
                reports,
                "{place}: {printed}"
            );
            assert_eq!(printed.matches("panicked at").count(), 0, "{place}: {printed}");
        }
    }

    #[test]
    fn a_panic_report_contains_no_ci_command() {
        let output = child("marker").env("TF_BUILD", "True").output().unwrap();
        let printed = String::from_utf8(output.stderr).unwrap();
        assert!(printed.contains("rundown: bug: #·#vso[task.complete]"), "{printed}");
    }

    #[test]
    fn a_panic_without_stderr_exits_with_70() {
        let closed_pipe = || {
            let (reader, writer) = io::pipe().unwrap();
            drop(reader);
            Stdio::from(writer)
        };
        for place in ["main", "thread"] {
            let status = child(place).stderr(closed_pipe()).status().unwrap();
            assert_eq!(status.code(), Some(70), "{place}");
        }
    }
}
