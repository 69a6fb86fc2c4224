//! The binary: parses the arguments, runs the program, prints an error chain once and exits. If the
//! reader of stdout has gone, the exit code is that of the command if it reports a result (as
//! `--exit-status` and `doctor` do), and otherwise 0.

use std::process::ExitCode;

use rundown::cli::{parse, print_notice, print_usage};
use rundown::error::{Error, chain};
use rundown::panics;

fn main() -> ExitCode {
    ExitCode::from(panics::guard(run))
}

/// Runs the program and returns its exit code.
fn run() -> u8 {
    let arguments = match parse(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(usage) => return print_usage(&usage),
    };
    let records = arguments.records();
    let code = match arguments.run() {
        Ok(code) => code,
        Err(error) if error.downcast_ref().is_some_and(Error::is_closed_pipe) => 0,
        Err(error) => {
            print_notice(&chain(error.as_ref()));
            error.downcast_ref::<Error>().map_or(70, Error::exit_code)
        }
    };
    // A recorded command's exit code takes precedence, even if a part of the recording is lost.
    if records { code } else { panics::exit_code(code) }
}
