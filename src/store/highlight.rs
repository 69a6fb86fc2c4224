//! The job and the command that represent a run in a list: those that failed, or those that are
//! running.
//!
//! A list needs a highlight for each run on screen. Therefore a highlight is found without reading
//! all commands of a run: only the last commands of one job are examined. All runs of one request
//! share the time limit [`BUDGET`]. A run that is not examined in time has no highlight.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use super::page::outcome_code;
use super::read::{SH_COLUMNS, integer, sh, text};
use crate::model::{JobId, Outcome, RunId, Sh};

/// The time limit of one request.
pub(super) const BUDGET: Duration = Duration::from_millis(200);

/// The maximum number of commands of a job that are examined, from the last one back.
const MOST_COMMANDS: usize = 32;

/// The job and the command that represent a run in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Highlight {
    /// The first job that failed or is unfinished, preferably one that was not allowed to fail.
    pub job: JobId,
    /// The last failed or running command of that job; `None` if the examined commands include no
    /// such command.
    pub sh: Option<Sh>,
}

/// Finds the highlight of a run; `None` if no job of the run failed or is unfinished. Prefers an
/// unfinished job if `is_open` is true, else a failed one. The unfinished jobs of an interrupted
/// run that was repaired have the state of stopped ones.
pub(super) fn highlight(
    connection: &Connection,
    id: &RunId,
    is_open: bool,
) -> rusqlite::Result<Option<Highlight>> {
    let sql = format!(
        "SELECT job_id, finished_at_ms IS NULL AS is_open FROM v_jobs WHERE run_id = ?1
         AND (started_at_ms IS NOT NULL AND finished_at_ms IS NULL
              OR outcome(state, NULL) = {} OR ?2 AND outcome(state, NULL) = {})
         ORDER BY is_open = ?2 DESC, allow_failure IS 1, place IS NULL, place, job_id LIMIT 1",
        outcome_code(Outcome::Failed),
        outcome_code(Outcome::Stopped)
    );
    let job = |row: &Row<'_>| Ok((text(row, 0)?.unwrap_or_default(), integer(row, 1)? == Some(1)));
    let mut jobs = connection.prepare_cached(&sql)?;
    let Some((job, is_open)) = jobs.query_row((id.as_str(), is_open), job).optional()? else {
        return Ok(None);
    };
    let (has_rows, call) = last(connection, "v_calls", id, &job, is_open)?;
    let sh = if has_rows { call } else { last(connection, "v_events", id, &job, is_open)?.1 };
    Ok(Some(Highlight { job: JobId(job), sh }))
}

/// Finds the last running command of a job if `is_open` is true, else the last failed one. Examines
/// the last [`MOST_COMMANDS`] commands of the job in a view. The flag that is returned is false if
/// the view has no commands of the job.
fn last(
    connection: &Connection,
    view: &str,
    id: &RunId,
    job: &str,
    is_open: bool,
) -> rusqlite::Result<(bool, Option<Sh>)> {
    let sql = format!(
        "SELECT {SH_COLUMNS} FROM {view} WHERE run_id = ?1 AND job_id = ?2
         ORDER BY started_at_ms DESC LIMIT {MOST_COMMANDS}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((id.as_str(), job))?;
    let mut has_rows = false;
    while let Some(row) = rows.next()? {
        has_rows = true;
        let (finished_at, exit_code, signal) =
            (integer(row, 6)?, integer(row, 7)?, integer(row, 8)?);
        let has_failed = signal.is_some() || exit_code.is_some_and(|code| code != 0);
        if if is_open { finished_at.is_none() } else { has_failed } {
            return Ok((true, Some(sh(row)?)));
        }
    }
    Ok((has_rows, None))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::dialect::define_views;
    use super::super::read::define_functions;
    use super::super::schema;
    use super::*;

    const QUIRE_2: &str = include_str!("../../fixtures/stores/quire-schema-steps/v02.sql");

    /// Opens a database in memory, with its views.
    fn opened(sql: &str) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        if !sql.contains("TABLE") {
            schema::migrate(&mut connection, Path::new("ours.db")).unwrap();
        }
        connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
        define_views(&connection, Path::new("some.db")).unwrap();
        define_functions(&connection).unwrap();
        connection
    }

    /// Formats the highlight of run `r`: its job, command and exit status.
    fn of(connection: &Connection, is_open: bool) -> Option<String> {
        let found = highlight(connection, &RunId("r".into()), is_open).unwrap()?;
        let sh = found.sh.map(|sh| format!(": {}, {:?}", sh.cmd, sh.exit_status()));
        Some(format!("{}{}", found.job.0, sh.unwrap_or_default()))
    }

    #[test]
    fn the_last_failed_command_of_the_first_failed_job_is_found() {
        let ours = "
            INSERT INTO jobs VALUES ('r', 'a', 'complete', 0, 1, 9), ('r', 'b', 'failed', 7, 1, 9),
                                    ('r', 'c', 'failed', 8, 1, 9);
            INSERT INTO sh_calls(run_id, job_id, n, started_at_ms, cmd, cwd, signal)
              VALUES ('r', 'a', 1, 1, 'tolerated', '', NULL), ('r', 'b', 1, 1, 'one', '', NULL),
                     ('r', 'b', 2, 2, 'two', '', 9), ('r', 'b', 3, 3, 'cleanup', '', NULL);
            INSERT INTO sh_events
              VALUES ('r', 'a', 1, 2, 1, ''), ('r', 'b', 1, 2, 1, ''), ('r', 'b', 2, 3, 137, ''),
                     ('r', 'b', 3, 4, 0, ''), ('r', 'c', 1, 2, 8, 'without a number')";
        let connection = opened(ours);
        assert_eq!(of(&connection, false).as_deref(), Some("b: two, Some(137)"));
        connection.execute_batch("DELETE FROM jobs WHERE job_id = 'b'").unwrap();
        assert_eq!(of(&connection, false).as_deref(), Some("c: without a number, Some(8)"));
        connection.execute_batch("DELETE FROM sh_events").unwrap();
        assert_eq!(of(&connection, false).as_deref(), Some("c"), "a job without commands");
        connection.execute_batch("DELETE FROM jobs WHERE job_id = 'c'").unwrap();
        assert_eq!(of(&connection, false), None);
    }

    #[test]
    fn a_job_that_was_not_allowed_to_fail_is_preferred() {
        let sql = "
            INSERT INTO jobs VALUES ('r', 'a', 'failed', 1, 1, 9), ('r', 'b', 'failed', 1, 1, 9);
            INSERT INTO job_details VALUES ('r', 'a', '[]', 1), ('r', 'b', '[]', 0)";
        let connection = opened(sql);
        assert_eq!(of(&connection, false).as_deref(), Some("b"));
        connection.execute_batch("DELETE FROM jobs WHERE job_id = 'b'").unwrap();
        assert_eq!(of(&connection, false).as_deref(), Some("a"));
    }

    #[test]
    fn of_an_unfinished_run_the_running_command_is_found() {
        let ours = "
            INSERT INTO jobs
              VALUES ('r', 'a', 'failed', 1, 1, 9), ('r', 'b', 'active', NULL, 1, NULL);
            INSERT INTO sh_calls(run_id, job_id, n, started_at_ms, cmd, cwd)
              VALUES ('r', 'b', 1, 1, 'one', ''), ('r', 'b', 2, 2, 'two', '')";
        let connection =
            opened(&format!("{ours}; INSERT INTO sh_events VALUES ('r','b',1,2,0,'')"));
        assert_eq!(of(&connection, true).as_deref(), Some("b: two, None"));
        assert_eq!(of(&connection, false).as_deref(), Some("a"));
        let insert = "INSERT INTO sh_events VALUES ('r', 'b', 2, 3, 0, '')";
        connection.execute_batch(insert).unwrap();
        assert_eq!(of(&connection, true).as_deref(), Some("b"), "between two commands");
    }

    #[test]
    fn commands_are_read_from_the_end_of_their_index() {
        for (sql, view) in [("", "v_calls"), ("", "v_events"), (QUIRE_2, "v_events")] {
            let connection = opened(sql);
            let sql = format!(
                "EXPLAIN QUERY PLAN SELECT {SH_COLUMNS} FROM {view}
                 WHERE run_id = 'r' AND job_id = 'j' ORDER BY started_at_ms DESC LIMIT 1"
            );
            let mut plan = connection.prepare(&sql).unwrap();
            let steps = plan.query_map((), |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<String> = steps.map(|step| step.unwrap()).collect();
            let is_costly = |step: &String| step.contains("SCAN") || step.contains("B-TREE");
            assert!(!steps.is_empty() && !steps.iter().any(is_costly), "{view}: {steps:?}");
        }
    }

    #[test]
    fn tables_without_the_columns_have_no_highlights() {
        let table = "CREATE TABLE runs(id, state); INSERT INTO runs VALUES ('r', 'failed');";
        assert_eq!(of(&opened(table), false), None);
        let odd = "CREATE TABLE jobs(run_id, job_id, state); CREATE TABLE sh(run_id, job_id);
                   INSERT INTO jobs VALUES ('r', x'ff', 'failed'); INSERT INTO sh VALUES ('r', 1)";
        assert_eq!(of(&opened(&format!("{table} {odd}")), false).as_deref(), Some("\u{fffd}"));
    }
}
