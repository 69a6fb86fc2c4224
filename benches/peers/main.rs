//! Compares rundown with the programs that people use for the same tasks, on the same logs, in
//! turn. Prints ratios. The exit status does not depend on them.
//!
//! ```console
//! cargo bench --bench peers                  # list the sections
//! cargo bench --bench peers -- open raw      # run two of them
//! cargo bench --bench peers -- all --big     # run all; takes about 15 GB of $TMPDIR and an hour
//! ```
//!
//! # Reading the results
//!
//! The speed of a machine drifts by a factor of two within minutes, but much less between two
//! consecutive runs. So quote the ratio (the median of all rounds, with its range), not the
//! milliseconds. The first contender is rundown. Before each measurement the files are read, so
//! that all programs find them in memory.
//!
//! Screens are read by a terminal emulator of 120x40 cells. The measured times include the
//! emulator's work: a small part of the time for a program that draws a screen, but nearly all of
//! the time for a program that prints every new line of a flood (`tail -f`, `less +F`). Memory is
//! sampled every 5 ms: `anonymous` is the process's own memory, the rest are mapped files.
//!
//! If a section has a goal, the goal is printed. A single result that misses it proves nothing.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod inside;
mod live;
mod log;
mod pipes;
mod process;
mod rounds;
mod screens;
mod terminal;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::{CommandFactory, Parser, ValueEnum};
use rundown::display;

use crate::log::{LAST, Logs};
use crate::terminal::Terminal;

/// Measures rundown and similar programs. Without a section, nothing is measured.
#[derive(Parser)]
#[command(name = "peers")]
struct Arguments {
    /// Sections to measure
    #[arg(value_enum)]
    sections: Vec<Section>,
    /// Size of the usual log, in MiB
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// Add a log of 10 GiB to the section open, and use only that log for goto and keys
    #[arg(long)]
    big: bool,
    /// Number of rounds, after one for warming up
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The rundown program to measure
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_rundown"))]
    rundown: PathBuf,
    /// Name of a program to leave out; can be repeated
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// Passed by cargo to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// All sections
    All,
    /// Start → the last row is on the screen; compared with less +G, lnav, tl (toolong)
    Open,
    /// Start → the number of rows is on the screen, and --once --format json; compared with wc -l
    Index,
    /// --once --format raw into a pipe; compared with cut -d' ' -f4- and cat
    Raw,
    /// Search for a rare word → the number of hits is on the screen; compared with rg -c
    Search,
    /// Append of a line → it is on the screen, and the CPU usage without activity; compared with
    /// tail -f, less +F, lnav, tl
    Append,
    /// 20 MB/s for 5 s: CPU usage, and how late the last row is on the screen; compared with the
    /// same programs
    Follow,
    /// 1,000,000 lines/s for 10 s: response time of keys meanwhile, and then the time until the
    /// screen shows the last row and the number of rows
    Burst,
    /// Jump to a row number or a time → the rows of a screen are read, without a terminal
    Goto,
    /// While rows are counted: press of j or k → the screen has moved
    Keys,
}

/// The state shared by all sections.
struct Bench {
    arguments: Arguments,
    logs: Logs,
}

/// The size of the log of `--big`, in MiB.
const BIG: u64 = 10 << 10;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.sections.is_empty() {
        return Ok(Arguments::command().print_long_help()?);
    }
    ensure!(arguments.rounds > 0, "no rounds, no figures");
    let (sections, logs) = (arguments.sections.clone(), Logs::new()?);
    let mut bench = Bench { arguments, logs };
    for (section, measure) in SECTIONS {
        if sections.contains(section) || sections.contains(&Section::All) {
            measure(&mut bench)?;
        }
    }
    Ok(())
}

type Measure = fn(&mut Bench) -> Result<()>;

const SECTIONS: &[(Section, Measure)] = &[
    (Section::Open, screens::open),
    (Section::Index, screens::index),
    (Section::Raw, pipes::raw),
    (Section::Search, screens::search),
    (Section::Append, live::append),
    (Section::Follow, live::follow),
    (Section::Burst, live::burst),
    (Section::Goto, inside::goto),
    (Section::Keys, screens::keys),
];

impl Bench {
    /// Returns the size of the log, in MiB, for sections that support the log of `--big`.
    const fn largest(&self) -> u64 {
        if self.arguments.big { BIG } else { self.arguments.mib }
    }

    /// Returns the path of a program; `None` if it is not installed or is left out. For rundown,
    /// the path is always that of `--rundown`.
    fn program(&self, name: &str) -> Option<PathBuf> {
        if name == "rundown" {
            return Some(self.arguments.rundown.clone());
        }
        let path = std::env::var_os("PATH")?;
        let found =
            std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file())?;
        (!self.arguments.without.iter().any(|without| without == name)).then_some(found)
    }

    fn rundown(&self, log: &Path) -> Result<Terminal> {
        Terminal::start(&self.arguments.rundown, &[log.as_os_str()], self.logs.dir())
    }

    /// Starts a viewer of a log and waits until the last row is on its screen. Returns `None` if
    /// the row does not appear.
    fn at_end(
        &self,
        program: &Path,
        args: &[&str],
        log: &Path,
    ) -> Result<Option<(Terminal, Instant)>> {
        // By default, rundown shows the start of a log that belongs to no known run.
        let place: &[&str] = if program == self.arguments.rundown { &["--at", "end"] } else { &[] };
        let args: Vec<&OsStr> = [args, place]
            .concat()
            .into_iter()
            .map(AsRef::as_ref)
            .chain([log.as_os_str()])
            .collect();
        let mut terminal = Terminal::start(program, &args, self.logs.dir())?;
        Ok(terminal.wait_for(LAST)?.map(|seen| (terminal, seen)))
    }
}

/// Returns the number of rows as the screen shows it.
fn rows_text(rows: u64) -> String {
    format!("{} rows", display::count(rows))
}

/// Returns the delay between keys or lines: at least 20 ms, and varied to be out of step with
/// timers of the program.
fn gap(n: u64) -> Duration {
    Duration::from_millis(20 + n * 7 % 23)
}
