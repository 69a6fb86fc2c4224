//! The binary: parse, run, print the error chain once, exit code. A closed pipe is success.

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
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&chain(error.as_ref()));
            ExitCode::from(error.downcast_ref::<Error>().map_or(70, Error::exit_code))
        }
    }
}

/// Whether whoever read our output has gone (`| head -1`).
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |source: &std::io::Error| source.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|source| source.downcast_ref().is_some_and(broken))
}
