//! What is printed into a pipe.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::Bench;
use crate::log::Manner;
use crate::process::run_piped;
use crate::rounds::{Contender, compare};

/// What the commands have written, without what stands in front of it.
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

/// `wc -l`, the measure of what reads every line.
pub fn wc(path: &Path) -> Contender<'static> {
    piped("wc -l | cat", command("wc", &["-l"], path))
}

/// `rundown --once`.
pub fn once(rundown: &Path, format: &str, log: &Path) -> Command {
    command(rundown, &["--once", "--format", format], log)
}

/// A program that is given options and a log.
pub fn command(program: impl AsRef<std::ffi::OsStr>, args: &[&str], path: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(args).arg(path);
    command
}

/// A command, its output into `cat`, and that into nothing: some that find nothing at their own end
/// do not do their work.
pub fn piped(name: &str, first: Command) -> Contender<'static> {
    Contender::new(name, move || run_piped(vec![copy(&first), Command::new("cat")]).map(Some))
}

/// The same command once more.
fn copy(command: &Command) -> Command {
    let mut copy = Command::new(command.get_program());
    copy.args(command.get_args());
    copy
}
