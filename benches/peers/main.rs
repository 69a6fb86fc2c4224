//! rundown beside the programs that people use for the same, on the same logs, in turn: ratios to
//! read, no test to fail.
//!
//! ```console
//! cargo bench --bench peers                       # which sections there are
//! cargo bench --bench peers -- open raw           # two of them
//! cargo bench --bench peers -- all --big          # all of them; takes some 15 GB of $TMPDIR and an hour
//! ```
//!
//! # How to read it
//!
//! A machine's speed drifts by a factor of two within minutes, that of pairs run one after the
//! other much less: quote the ratio, a median of all rounds with its range, not the milliseconds.
//! The first contender is rundown. Files are read right before each measurement, so that all find
//! them in memory. Screens are those of an emulator that reads a terminal of 120x40; the time that
//! it takes is in all figures, little where a screen is drawn, nearly all where a program prints
//! everything (`tail -f`, `less +F`). Memory is looked at every 5 ms: `anonymous` is the process's
//! own, the rest are files that it maps.
//!
//! A goal is printed where there is one; a single range that crosses it says nothing.
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

/// Measures rundown beside its peers. Without a section, nothing is measured.
#[derive(Parser)]
#[command(name = "peers")]
struct Arguments {
    /// What is measured
    #[arg(value_enum)]
    sections: Vec<Section>,
    /// The size of the usual log
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// Measure on a log of 10 GiB too, or instead
    #[arg(long)]
    big: bool,
    /// How many rounds count; one more is run before them
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The program that is measured
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_rundown"))]
    rundown: PathBuf,
    /// A peer to leave out; may be given more than once
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// All of them
    All,
    /// Start → the last row is on the screen; beside less +G, lnav, tl (toolong)
    Open,
    /// Start → the number of rows is on the screen, and --once --format json; beside wc -l
    Index,
    /// --once --format raw into a pipe; beside cut -d' ' -f4- and cat
    Raw,
    /// A rare word is sought → the number of its hits is on the screen; beside rg -c
    Search,
    /// A line is appended → it is on the screen, and the CPU while nothing happens; beside tail -f,
    /// less +F, lnav, tl
    Append,
    /// 20 MB/s for 5 s: the CPU, and how far behind the screen is at the end; beside the same
    Follow,
    /// 1,000,000 lines/s for 10 s: the last row and the number of rows come; the answer to keys
    /// meanwhile
    Burst,
    /// A row by its number or its time → the rows of a screen, in process
    Goto,
    /// j and k while rows are counted → the screen has moved
    Keys,
}

/// What all sections share.
struct Bench {
    arguments: Arguments,
    logs: Logs,
}

/// MiB of the log that is large for every program.
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
    /// The size of the log for what is to work on the largest.
    const fn largest(&self) -> u64 {
        if self.arguments.big { BIG } else { self.arguments.mib }
    }

    /// A program, unless it is not installed or left out.
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

    /// A viewer of a log, and when the last row was on its screen; `None` when that does not come.
    fn at_end(
        &self,
        program: &Path,
        args: &[&str],
        log: &Path,
    ) -> Result<Option<(Terminal, Instant)>> {
        // rundown opens a log of which nothing else is known at its start.
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

/// How the screen tells how many rows there are.
fn rows_text(rows: u64) -> String {
    format!("{} rows", display::count(rows))
}

/// The time between two of the `n`-th keys or lines: never less than 20 ms, and in no step with
/// what a program does by the clock.
fn gap(n: u64) -> Duration {
    Duration::from_millis(20 + n * 7 % 23)
}
