//! The binary: parse, run, print the error chain once, exit code. A closed pipe is success: a command
//! whose exit code reports a result returns that result instead of the error.

use std::process::ExitCode;

use clap::Parser;
use rundown::cli::{Arguments, print_usage, tell};
use rundown::error::{Error, chain};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => return ExitCode::from(print_usage(&usage)),
    };
    match arguments.run() {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.downcast_ref().is_some_and(Error::is_closed_pipe) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&chain(error.as_ref()));
            ExitCode::from(error.downcast_ref::<Error>().map_or(70, Error::exit_code))
        }
    }
}
