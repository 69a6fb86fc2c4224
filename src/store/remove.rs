//! Lists the runs of rundown's own database with the columns that decide about their removal, and
//! removes runs with all their rows.
//!
//! Rows of other tables are removed by the foreign keys of the schema. The space of removed rows is
//! used again by new ones, so the database does not grow while runs come and go.
//! [`Writer::compact`] returns the space to the file system.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::write::{Writer, until_unlocked};
use super::{access, limits, page, schema};
use crate::error::{Error, Result};
use crate::model::{Outcome, RunId};
use crate::time::Time;

/// The maximum time that upkeep waits for other writers. They write many short transactions.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time limit of a transaction that removes or repairs a run, including the time that it waits
/// for other writers. A run may have hundreds of thousands of commands.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// The minimum free space in a database that is worth compacting it.
const WORTH_COMPACTING_BYTES: i64 = 1 << 20;

/// The maximum length of a name of a run, in characters. A longer one is unsafe as a path.
const MAX_NAME_CHARS: i64 = 1 << 10;

/// The part of a run's row that decides about its removal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// Its repository.
    pub repo: String,
    /// The time at which it was started or, if it has not started, queued.
    pub began_at: Time,
    /// The time at which it ended; `None` if it is unfinished.
    pub finished_at: Option<Time>,
    /// True if it failed. A run that was stopped or interrupted did not.
    pub has_failed: bool,
    /// The time of its last event in the database: its end or, if it is unfinished, the last start
    /// or end of a command.
    pub last_at: Time,
    /// True if it was begun to receive commands from any number of recorders.
    pub is_open: bool,
}

/// A filter for the runs of a database.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RunRowFilter {
    /// Only the run with this id.
    pub id: Option<RunId>,
    /// Only runs of this repository.
    pub repo: Option<String>,
    /// Only runs of this ref, with or without its namespace.
    pub ref_name: Option<String>,
}

/// Reads the rows of runs from a database of rundown, without opening it for writing. Newest runs
/// come first.
///
/// # Errors
/// If the database cannot be read, or is not rundown's own.
pub fn read_run_rows(path: &Path, filter: &RunRowFilter) -> Result<Vec<RunRow>> {
    let access = access::open(path, access::LOCK_TIMEOUT, true)?;
    schema::check(&access.connection, path)?;
    limits::limit_time(&access.connection, TIME_LIMIT)
        .and_then(|()| run_rows(&access.connection, filter))
        .map_err(Error::database("read", path))
}

impl Writer {
    /// Opens an existing database of rundown to remove or repair runs. Waits for other writers
    /// longer than a recorder does. Each commit reaches the disk before the call returns, so that
    /// files are never deleted before their rows are.
    ///
    /// # Errors
    /// As for [`Writer::open`], and if there is no database.
    pub fn open_for_upkeep(path: &Path) -> Result<Self> {
        std::fs::metadata(path).map_err(Error::io("open", path))?;
        let mut writer = until_unlocked(PATIENCE, || Self::open(path))?;
        writer.time_limit = TIME_LIMIT;
        let prepared = writer
            .connection
            .busy_timeout(PATIENCE)
            .and_then(|()| writer.connection.pragma_update(None, "synchronous", "FULL"));
        prepared.map_err(Error::database("open", path))?;
        Ok(writer)
    }

    /// Reads the rows of runs. Newest runs come first.
    ///
    /// # Errors
    /// If SQLite fails. This holds for every method here.
    pub fn run_rows(&self, filter: &RunRowFilter) -> Result<Vec<RunRow>> {
        limits::limit_time(&self.connection, self.time_limit)
            .and_then(|()| run_rows(&self.connection, filter))
            .map_err(Error::database("read", &self.path))
    }

    /// Reads the row of a run; `None` if there is no such run.
    pub fn run_row(&self, id: &RunId) -> Result<Option<RunRow>> {
        let filter = RunRowFilter { id: Some(id.clone()), ..RunRowFilter::default() };
        Ok(self.run_rows(&filter)?.pop())
    }

    /// Removes a run with all its rows. Calls `move_files` within the transaction, after the rows
    /// were deleted. If that fails, the rows stay. If the commit fails, calls `move_back`.
    pub fn remove_run(
        &mut self,
        run: &RunId,
        move_files: impl FnOnce() -> Result<()>,
        move_back: impl FnOnce(),
    ) -> Result<()> {
        let path = self.path.clone();
        let failed = || Error::database("write", &path);
        limits::limit_time(&self.connection, self.time_limit).map_err(failed())?;
        let tx = self.connection.transaction().map_err(failed())?;
        tx.execute("DELETE FROM runs WHERE id = ?", [run.as_str()]).map_err(failed())?;
        move_files()?;
        tx.commit().map_err(failed()).inspect_err(|_| move_back())
    }

    /// Returns the space of removed rows to the file system, if it is at least half of the
    /// database and 1 MiB. Recorders wait meanwhile, as for any other writer.
    pub fn compact(&mut self) -> Result<()> {
        let connection = &self.connection;
        let read = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let compact = || -> rusqlite::Result<()> {
            limits::limit_time(connection, self.time_limit)?;
            let (all, free) = (read("page_count")?, read("freelist_count")?);
            let free_bytes = free.saturating_mul(read("page_size")?);
            if free >= all.saturating_sub(free) && free_bytes >= WORTH_COMPACTING_BYTES {
                // The copy that VACUUM makes may exceed the memory limit.
                connection.execute_batch("PRAGMA temp_store = FILE; VACUUM")?;
            }
            Ok(())
        };
        compact().map_err(Error::database("write", &self.path))
    }
}

/// Reads the rows of runs. A row whose id or repository is not text is left out: a recorder writes
/// only text.
fn run_rows(connection: &Connection, filter: &RunRowFilter) -> rusqlite::Result<Vec<RunRow>> {
    let mut values = Vec::new();
    let conditions = conditions(filter, &mut values);
    // A database that is only read may have an earlier version.
    let of_run = |table: &str, value: &str| -> rusqlite::Result<String> {
        let select = format!("(SELECT {value} FROM {table} WHERE {table}.run_id = runs.id)");
        Ok(if has_table(connection, table)? { select } else { "NULL".to_owned() })
    };
    let is_open = of_run("run_details", "is_open")?;
    let last_start = of_run("sh_calls", "max(started_at_ms)")?;
    let last_end = of_run("sh_events", "max(finished_at_ms)")?;
    let began = "coalesce(started_at_ms, queued_at_ms)";
    let sql = format!(
        "SELECT id, repo, {began}, finished_at_ms, state, failure_kind, {is_open},
                CASE WHEN finished_at_ms IS NULL THEN
                  max({began}, coalesce({last_start}, {began}), coalesce({last_end}, {began}))
                END
         FROM runs WHERE {conditions} ORDER BY pushed_at_ms DESC, id DESC"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(run_row(row)?);
    }
    Ok(found)
}

fn conditions(filter: &RunRowFilter, values: &mut Vec<Value>) -> String {
    let mut wanted: Vec<String> = ["id", "repo"]
        .map(|name| format!("typeof({name}) = 'text' AND length({name}) <= {MAX_NAME_CHARS}"))
        .into();
    if let Some(id) = &filter.id {
        wanted.push("id = ?".into());
        values.push(id.as_str().to_owned().into());
    }
    if let Some(repo) = &filter.repo {
        wanted.push("repo = ?".into());
        values.push(repo.clone().into());
    }
    if let Some(ref_name) = &filter.ref_name {
        let forms = page::forms_of(ref_name);
        wanted.push(format!("ref_name IN ({})", vec!["?"; forms.len()].join(", ")));
        values.extend(forms.into_iter().map(Value::from));
    }
    wanted.join(" AND ")
}

fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?")?
        .exists([name])
}

/// Reads a row; `None` if its id or repository is not UTF-8.
fn run_row(row: &Row<'_>) -> rusqlite::Result<Option<RunRow>> {
    let text = |at| row.get_ref(at).map(|value| value.as_str().ok().map(ToOwned::to_owned));
    let time = |at| row.get_ref(at).map(|value| value.as_i64().ok().map(Time::from_millis));
    let (Some(id), Some(repo)) = (text(0)?, text(1)?) else { return Ok(None) };
    let (state, reason) = (text(4)?, text(5)?);
    let (began_at, finished_at) = (time(2)?.unwrap_or(Time::from_millis(0)), time(3)?);
    let outcome = state.and_then(|state| Outcome::from_word(&state, reason.as_deref()));
    Ok(Some(RunRow {
        id: RunId(id),
        repo,
        began_at,
        finished_at,
        last_at: finished_at.or(time(7)?).unwrap_or(began_at),
        has_failed: outcome == Some(Outcome::Failed),
        is_open: row.get_ref(6)?.as_i64().is_ok_and(|is_open| is_open != 0),
    }))
}
