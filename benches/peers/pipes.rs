//! Measurements of output to a pipe.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::Bench;
use crate::log::Manner;
use crate::process::run_piped;
use crate::rounds::{Contender, compare};

/// Measures printing a log without the header of each line (time, stream and tag).
pub fn raw(bench: &mut Bench) -> Result<()> {
    for manner in [Manner::Large, Manner::Small] {
        let log = bench.logs.get(bench.arguments.mib, manner)?;
        let path = &log.path;
        let rundown = once(&bench.arguments.rundown, "raw", path);
        let contenders = vec![
            piped("rundown --once --format raw | cat", rundown),
            piped("cut -d' ' -f4- | cat", command("cut", &["-d", " ", "-f4-"], path)).goal(0.2),
            piped("cat | cat", command("cat", &[], path)),
        ];
        let title = format!("print what was written, {} MiB, {}", log.mebibytes, manner.words());
        compare(&title, bench.arguments.rounds, path, contenders)?;
    }
    Ok(())
}

/// Returns the contender `wc -l`, the reference for programs that read every line.
pub fn wc(path: &Path) -> Contender<'static> {
    piped("wc -l | cat", command("wc", &["-l"], path))
}

/// Returns the command `rundown --once`.
pub fn once(rundown: &Path, format: &str, log: &Path) -> Command {
    command(rundown, &["--once", "--format", format], log)
}

/// Returns a command with these arguments and the path of a log.
pub fn command(program: impl AsRef<std::ffi::OsStr>, args: &[&str], path: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(args).arg(path);
    command
}

/// Returns a contender that pipes the output of a command through `cat` to `/dev/null`. Without
/// `cat`, some programs would detect `/dev/null` and skip their work.
pub fn piped(name: &str, first: Command) -> Contender<'static> {
    Contender::new(name, move || run_piped(vec![copy(&first), Command::new("cat")]).map(Some))
}

/// Returns a copy of a command.
fn copy(command: &Command) -> Command {
    let mut copy = Command::new(command.get_program());
    copy.args(command.get_args());
    copy
}
