//! The binary: parse, run, print the error chain once, exit code. A closed pipe is success: a
//! command whose exit code reports a result returns that result instead of the error.

use std::process::ExitCode;

use clap::Parser;
use rundown::cli::{Arguments, print_usage, tell};
use rundown::error::{Error, chain};
use rundown::panics;

fn main() -> ExitCode {
    ExitCode::from(panics::guard(run))
}

/// Runs the program and returns its exit code.
fn run() -> u8 {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => return print_usage(&usage),
    };
    let records = arguments.records();
    let code = match arguments.run() {
        Ok(code) => code,
        Err(error) if error.downcast_ref().is_some_and(Error::is_closed_pipe) => 0,
        Err(error) => {
            tell(&chain(error.as_ref()));
            error.downcast_ref::<Error>().map_or(70, Error::exit_code)
        }
    };
    // The exit code of a recorded command stands, even if a part of its record is lost.
    if records { code } else { panics::exit_code(code) }
}
