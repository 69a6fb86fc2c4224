//! A generator of large stores, to check that the cost of a read does not grow with the store.
//! `benches/list.sh` measures on such a store.
//!
//! ```text
//! cargo run --release --example big_store -- DIR --kind quire11 --runs 100000 --jobs 10
//! ```
//!
//! The database has the schema and the indexes of its kind: `quire2` and `quire11` use those of
//! the fixtures, `ours` is set up by the recorder's own writer. The same arguments give the same
//! store. Only the newest `--logs N` runs have logs.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use rundown::store::{OUR_DATABASE, QUIRE_DATABASE, Writer};
use rusqlite::{Connection, Statement, Transaction, params};

/// The command line: the size and the kind of the store.
#[derive(Parser)]
pub struct Arguments {
    /// Directory of the new store; must not exist
    dir: PathBuf,
    /// Schema of the database
    #[arg(long, value_enum, default_value = "quire11")]
    kind: Kind,
    /// Number of runs
    #[arg(long, default_value_t = 100_000)]
    runs: i64,
    /// Number of jobs of each run
    #[arg(long, default_value_t = 10)]
    jobs: i64,
    /// Number of commands of each job
    #[arg(long, default_value_t = 10)]
    commands: i64,
    /// Number of the newest runs that have logs
    #[arg(long, default_value_t = 1)]
    logs: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Ours,
    Quire2,
    Quire11,
}

/// A result with an error of any type. The program only prints the error.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// 2026-01-01T00:00:00Z, in milliseconds.
const BEGIN: i64 = 1_767_225_600_000;
/// Milliseconds from one run to the next.
const PACE: i64 = 60_000;
const REPOS: i64 = 8;
const REFS: i64 = 50;

fn main() -> Result<()> {
    generate(&Arguments::parse())
}

/// Creates the store.
///
/// # Errors
/// If its directory exists (it may contain valuable data) or cannot be written.
pub fn generate(arguments: &Arguments) -> Result<()> {
    fs::create_dir(&arguments.dir)?;
    fs::create_dir(arguments.dir.join("runs"))?;
    let mut connection = create(&arguments.dir, arguments.kind)?;
    connection.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000; \
         PRAGMA foreign_keys = OFF;",
    )?;
    let tx = connection.transaction()?;
    fill(&tx, arguments)?;
    tx.commit()?;
    connection.execute_batch("PRAGMA journal_mode = WAL;")?;
    drop(connection);
    (arguments.runs - arguments.logs.min(arguments.runs)..arguments.runs)
        .try_for_each(|run| write_logs(arguments, run))
}

fn create(dir: &Path, kind: Kind) -> Result<Connection> {
    let fixture = match kind {
        Kind::Ours => {
            drop(Writer::open(&dir.join(OUR_DATABASE))?);
            return Ok(Connection::open(dir.join(OUR_DATABASE))?);
        }
        Kind::Quire2 => include_str!("../fixtures/stores/quire-schema-steps/v02.sql"),
        Kind::Quire11 => include_str!("../fixtures/stores/quire-schema-steps/v11.sql"),
    };
    let connection = Connection::open(dir.join(QUIRE_DATABASE))?;
    connection.execute_batch(fixture)?;
    let shs = if kind == Kind::Quire2 { "sh_events" } else { "sh" };
    connection.execute_batch(&format!("DELETE FROM {shs}; DELETE FROM jobs; DELETE FROM runs;"))?;
    Ok(connection)
}

/// Statements that insert a row, one per table.
struct Inserts<'c> {
    run: Statement<'c>,
    job: Statement<'c>,
    sh: Statement<'c>,
    call: Option<Statement<'c>>,
}

impl<'c> Inserts<'c> {
    fn new(tx: &'c Transaction<'_>, kind: Kind) -> Result<Self> {
        let run = match kind {
            Kind::Quire11 => {
                "INSERT INTO runs(id, repo, ref_name, sha, pushed_at_ms, created_at,
                                  dispatched_at, resolved_at, outcome)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5 + 200,
                         ?5 + 400, ?5 + 30000, iif(?6, 'succeeded', 'failed-pipeline'))"
            }
            Kind::Ours | Kind::Quire2 => {
                "INSERT INTO runs(id, repo, ref_name, sha, pushed_at_ms, queued_at_ms,
                                  started_at_ms, finished_at_ms, state, workspace_path)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5 + 200,
                         ?5 + 400, ?5 + 30000, iif(?6, 'complete', 'failed'), '/src')"
            }
        };
        let word = if kind == Kind::Quire11 { "succeeded" } else { "complete" };
        let job = format!(
            "INSERT INTO jobs(run_id, job_id, state, started_at_ms, finished_at_ms)
             VALUES (?1, ?2, '{word}', ?3, ?3 + 2500)"
        );
        let sh = format!(
            "INSERT INTO {}(run_id, job_id, started_at_ms, finished_at_ms, exit_code, cmd)
             VALUES (?1, ?2, ?3, ?3 + 90, 0, ?4)",
            if kind == Kind::Quire11 { "sh" } else { "sh_events" }
        );
        let call = "INSERT INTO sh_calls(run_id, job_id, n, started_at_ms, cmd, cwd)
                    VALUES (?1, ?2, ?5, ?3, ?4, '/src')";
        let call = if kind == Kind::Ours { Some(tx.prepare(call)?) } else { None };
        Ok(Self { run: tx.prepare(run)?, job: tx.prepare(&job)?, sh: tx.prepare(&sh)?, call })
    }
}

fn fill(tx: &Transaction<'_>, arguments: &Arguments) -> Result<()> {
    let mut inserts = Inserts::new(tx, arguments.kind)?;
    for run in 0..arguments.runs {
        let id = run_id(run);
        let at = BEGIN + run * PACE;
        let (ref_name, sha) =
            (format!("refs/heads/branch-{}", run % REFS), format!("{:040x}", run * 7919));
        inserts.run.execute(params![id, repo(run), ref_name, sha, at, run % 7 != 3])?;
        for job in 0..arguments.jobs {
            let job_id = job_id(job);
            let at = at + 400 + job * 2_600;
            inserts.job.execute(params![id, job_id, at])?;
            for n in 1..=arguments.commands {
                let at = at + n * 100;
                let cmd = format!("make target-{job}-{n}");
                inserts.sh.execute(params![id, job_id, at, cmd])?;
                if let Some(call) = &mut inserts.call {
                    call.execute(params![id, job_id, at, cmd, n])?;
                }
            }
        }
    }
    Ok(())
}

fn write_logs(arguments: &Arguments, run: i64) -> Result<()> {
    for job in 0..arguments.jobs {
        let dir = arguments
            .dir
            .join("runs")
            .join(repo(run))
            .join(run_id(run))
            .join("jobs")
            .join(job_id(job));
        fs::create_dir_all(&dir)?;
        for n in 1..=arguments.commands {
            let at = jiff::Timestamp::from_millisecond(
                BEGIN + run * PACE + 400 + job * 2_600 + n * 100,
            )?;
            fs::write(
                dir.join(format!("sh-{n}.log")),
                format!("{at} stdout F command {n} of {job}\n"),
            )?;
        }
    }
    Ok(())
}

fn repo(run: i64) -> String {
    format!("repo-{}.git", run * 31 % REPOS)
}

/// Returns a UUIDv7: it begins with the time, and its end differs between runs.
fn run_id(run: i64) -> String {
    let at = BEGIN + run * PACE;
    format!(
        "{:08x}-{:04x}-7000-8000-0000{:08x}",
        at >> 16,
        at & 0xffff,
        run.wrapping_mul(2_654_435_761) & 0xffff_ffff
    )
}

fn job_id(job: i64) -> String {
    format!("job-{job:02}")
}
