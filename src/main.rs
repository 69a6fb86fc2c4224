//! The binary: parses the arguments, runs the program, prints an error chain once and exits. If the
//! reader of stdout has gone, the exit code is that of the command if it reports a result (as
//! `--exit-status` and `doctor` do), and otherwise 0.

use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use rundown::cli::{parse, print_notice, print_usage};
use rundown::error::{Error, chain};
use rundown::panics;

/// True if stdout was closed when the program started. Before `main`, Rust's runtime opens
/// `/dev/null` in its place, so that all output would vanish without an error.
static IS_STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

ctor::declarative::ctor! {
    #[ctor(unsafe)]
    fn look_at_stdout() {
        let is_closed = rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err();
        IS_STDOUT_CLOSED.store(is_closed, Ordering::Relaxed);
    }
}

fn main() -> ExitCode {
    ExitCode::from(panics::guard(run))
}

/// Runs the program and returns its exit code.
fn run() -> u8 {
    let arguments = match parse(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(usage) => {
            let checked = if usage.use_stderr() { Ok(()) } else { check_stdout() };
            let printed = checked.and_then(|()| print_usage(&usage));
            return printed.unwrap_or_else(|error| failed(&error.into()));
        }
    };
    let records = arguments.records();
    let checked = if arguments.prints() { check_stdout() } else { Ok(()) };
    let done = checked.map_err(Into::into).and_then(|()| arguments.run());
    let code = done.unwrap_or_else(|error| failed(&error));
    // A recorded command's exit code takes precedence, even if a part of the recording is lost.
    if records { code } else { panics::exit_code(code) }
}

/// Fails if stdout was closed when the program started.
fn check_stdout() -> Result<(), Error> {
    if IS_STDOUT_CLOSED.load(Ordering::Relaxed) {
        return Err(Error::Output(io::Error::other("it is closed")));
    }
    Ok(())
}

/// Prints an error, and returns its exit code. A closed pipe is not an error.
fn failed(error: &anyhow::Error) -> u8 {
    if error.downcast_ref().is_some_and(Error::is_closed_pipe) {
        return 0;
    }
    print_notice(&chain(error.as_ref()));
    error.downcast_ref::<Error>().map_or(70, Error::exit_code)
}
