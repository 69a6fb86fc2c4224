//! What a database's tables are called and how they map to one canonical shape: TEMP VIEWs `v_runs`, `v_jobs`, `v_shs`.
//!
//! A dialect is decided by the tables that are there, not by the version number alone. One set of SELECTs
//! ([`super::Reader`]) then speaks to all of them.

use std::path::Path;

use rusqlite::Connection;

use crate::error::{Error, Result};

/// Versions 1 to 9 of the records' first writer, and ours.
const RUNS_AND_JOBS: &str = "
CREATE TEMP VIEW v_runs AS
  SELECT id, repo, ref_name, sha, state, failure_kind AS reason, pushed_at_ms AS order_ms,
         queued_at_ms, started_at_ms, finished_at_ms FROM main.runs;
CREATE TEMP VIEW v_jobs AS
  SELECT run_id, job_id, state, exit_code, started_at_ms, finished_at_ms, rowid AS place FROM main.jobs;
";

/// Version 1 knows no commands.
const NO_SHS: &str = "
CREATE TEMP VIEW v_shs AS
  SELECT NULL AS run_id, NULL AS job_id, NULL AS n, NULL AS cmd, NULL AS cwd, NULL AS pid, NULL AS started_at_ms,
         NULL AS finished_at_ms, NULL AS exit_code, NULL AS signal, NULL AS cpu_ms, NULL AS max_rss_bytes,
         NULL AS lost_bytes, NULL AS place
  WHERE false;
";

/// From version 2 on: finished commands only, and no number. Version 8 renamed the table to `sh`.
const SH_EVENTS: &str = "
CREATE TEMP VIEW v_shs AS
  SELECT run_id, job_id, NULL AS n, cmd, NULL AS cwd, NULL AS pid, started_at_ms, finished_at_ms, exit_code,
         NULL AS signal, NULL AS cpu_ms, NULL AS max_rss_bytes, NULL AS lost_bytes, rowid AS place FROM main.TABLE;
";

/// Ours: a row from the moment a command starts, with its number.
const SH_CALLS: &str = "
CREATE TEMP VIEW v_shs AS
  SELECT c.run_id, c.job_id, c.n, c.cmd, c.cwd, c.pid, c.started_at_ms, e.finished_at_ms, e.exit_code,
         c.signal, c.cpu_ms, c.max_rss_bytes, c.lost_bytes, c.n AS place
  FROM main.sh_calls c LEFT JOIN main.sh_events e
    ON e.run_id = c.run_id AND e.job_id = c.job_id AND e.started_at_ms = c.started_at_ms;
";

/// Defines the views for the database's dialect.
///
/// # Errors
/// A database of something else is refused with the tables it has, so that a wrong path is recognised.
pub(super) fn define_views(connection: &Connection, path: &Path) -> Result<()> {
    let read = Error::database("read", path);
    let columns = columns(connection).map_err(read)?;
    let has = |table: &str, column: &str| columns.iter().any(|(t, c)| t == table && c == column);
    if !(has("runs", "id") && has("jobs", "run_id")) {
        return Err(Error::NotAStore { path: path.to_owned(), why: something_else(&columns) });
    }
    if !(has("runs", "state") && has("runs", "pushed_at_ms") && has("runs", "queued_at_ms")) {
        let why = "its runs have columns that this rundown does not know (a later version of quire?)".into();
        return Err(Error::NotAStore { path: path.to_owned(), why });
    }
    let shs = match (has("sh_calls", "n"), has("sh_events", "cmd"), has("sh", "cmd")) {
        (true, true, _) => SH_CALLS.to_owned(),
        (false, true, _) => SH_EVENTS.replace("TABLE", "sh_events"),
        (_, false, true) => SH_EVENTS.replace("TABLE", "sh"),
        (_, false, false) => NO_SHS.to_owned(),
    };
    connection.execute_batch(&[RUNS_AND_JOBS, &shs].concat()).map_err(Error::database("read", path))
}

/// Every table and column of the main database.
fn columns(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = "SELECT s.name, c.name FROM main.sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table'";
    connection.prepare(sql)?.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn something_else(columns: &[(String, String)]) -> String {
    let mut tables: Vec<&str> = columns.iter().map(|(table, _)| table.as_str()).collect();
    tables.dedup();
    tables.truncate(5);
    match tables.as_slice() {
        [] => "it has no tables".into(),
        some => format!("it has no tables `runs` and `jobs` (but {})", some.join(", ")),
    }
}
