//! The mapping of a database's tables to one canonical shape: TEMP VIEWs `v_runs`, `v_jobs`,
//! `v_shs`. `v_shs` has all commands. `v_calls` has the commands in `sh_calls`, which have numbers.
//! `v_events` has the commands in `sh` or `sh_events`, which have none; the same commands may also
//! be in `v_calls`.
//!
//! The mapping depends on the tables and columns that exist, not on the version number. Each
//! canonical column is read from the first of its source columns that exists, and is NULL if none
//! does. Only `runs.id` is required. One set of SELECTs ([`super::Reader`]) then reads all
//! versions, including future ones. A notice reports the parts of a future version that are not
//! understood. The views name each column that they read. No other column is ever read, in
//! particular not the tokens that some versions store.
//!
//! | version | columns of a run | commands |
//! |---|---|---|
//! | 1 | `state`, `failure_kind`, `queued_at_ms`, `started_at_ms`, `finished_at_ms` | – |
//! | 2 … 7 | the same | `sh_events`: finished ones only, without a number |
//! | 8 | the same | `sh` |
//! | 9 | the same, with other words in `state` | `sh` |
//! | 10, 11 | `outcome`, `created_at`, `dispatched_at`, `resolved_at` | `sh` |
//! | rundown's | as 1 | `sh_calls`: from their start, with a number; `sh_events` as in 2 |
//! | rundown's 6 | as 1, and `run_details`, `run_variables`, `job_details` | as before |

use std::path::Path;

use rusqlite::Connection;

use super::tables::{Table, Tables, runs_are_indexed_by};
use super::{APPLICATION_ID, schema};
use crate::error::{Error, Result};

/// The newest version of quire's database that is known here.
const NEWEST_THEIRS: i64 = 11;

/// The maximum number of names that a notice lists.
const LISTED: usize = 8;

/// A canonical column and its source columns. The first source column that exists is read.
type ColumnSource = (&'static str, &'static [&'static str]);

const RUNS: &[ColumnSource] = &[
    ("id", &["id"]),
    ("repo", &["repo"]),
    ("ref_name", &["ref_name"]),
    ("sha", &["sha"]),
    // `outcome` is NULL until the run ends. Until then, the state is derived from the times.
    ("state", &["state", "outcome"]),
    ("queued_at_ms", &["queued_at_ms", "created_at"]),
    ("started_at_ms", &["started_at_ms", "dispatched_at"]),
    ("finished_at_ms", &["finished_at_ms", "resolved_at"]),
];

/// The canonical columns that are read from `run_details`.
const RUN_DETAILS: &[ColumnSource] = &[
    ("is_open", &["is_open"]),
    ("name", &["name"]),
    ("subject", &["subject"]),
    ("author", &["author"]),
    ("event", &["event"]),
    ("url", &["url"]),
    ("attempt", &["attempt"]),
    ("ci_job", &["ci_job"]),
    ("runner", &["runner"]),
    ("repeats", &["repeats"]),
    ("traceparent", &["traceparent"]),
];

/// The columns of `run_variables`.
const RUN_VARIABLES: &[ColumnSource] =
    &[("run_id", &["run_id"]), ("name", &["name"]), ("value", &["value"])];

const RUN_ORDER: ColumnSource = ("pushed_at_ms", &["pushed_at_ms", "created_at", "queued_at_ms"]);

/// The columns that identify the run or job of a row of details.
const KEY: &[ColumnSource] = &[("run_id", &["run_id"]), ("job_id", &["job_id"])];

const RUN_REASON: ColumnSource = ("failure_kind", &["failure_kind", "outcome"]);

const JOBS: &[ColumnSource] = &[
    ("run_id", &["run_id"]),
    ("job_id", &["job_id"]),
    ("state", &["state"]),
    ("exit_code", &["exit_code"]),
    ("started_at_ms", &["started_at_ms"]),
    ("finished_at_ms", &["finished_at_ms"]),
];

/// The canonical columns that are read from `job_details`.
const JOB_DETAILS: &[ColumnSource] =
    &[("needs", &["needs"]), ("allow_failure", &["allow_failure"])];

/// The canonical columns that are read from `sh_calls`.
const CALLS: &[ColumnSource] = &[
    ("run_id", &["run_id"]),
    ("job_id", &["job_id"]),
    ("n", &["n"]),
    ("cmd", &["cmd"]),
    ("cwd", &["cwd"]),
    ("pid", &["pid"]),
    ("started_at_ms", &["started_at_ms"]),
    ("signal", &["signal"]),
    ("cpu_ms", &["cpu_ms"]),
    ("max_rss_bytes", &["max_rss_bytes"]),
    ("lost_bytes", &["lost_bytes"]),
    ("log_bytes", &["log_bytes"]),
    ("start_error", &["start_error"]),
    ("shell", &["shell"]),
    ("output", &["output"]),
    ("attempt", &["attempt"]),
    ("ended_by", &["ended_by"]),
    ("cut_at", &["cut_at"]),
    ("cut_bytes", &["cut_bytes"]),
];

/// The columns of `sh_calls` that earlier versions of rundown lack.
const LATER: [&str; 8] =
    ["log_bytes", "start_error", "shell", "output", "attempt", "ended_by", "cut_at", "cut_bytes"];

/// The canonical columns that are read from `sh` or `sh_events`.
const EVENTS: &[ColumnSource] = &[
    ("run_id", &["run_id"]),
    ("job_id", &["job_id"]),
    ("cmd", &["cmd"]),
    ("started_at_ms", &["started_at_ms"]),
    ("finished_at_ms", &["finished_at_ms"]),
    ("exit_code", &["exit_code"]),
];

/// The columns of `sh_events` that are added to a row of `sh_calls`.
const ENDS: &[ColumnSource] =
    &[("finished_at_ms", &["finished_at_ms"]), ("exit_code", &["exit_code"])];

/// The canonical columns of a command.
const SHS: [&str; 21] = [
    "run_id",
    "job_id",
    "n",
    "cmd",
    "cwd",
    "pid",
    "started_at_ms",
    "finished_at_ms",
    "exit_code",
    "signal",
    "cpu_ms",
    "max_rss_bytes",
    "lost_bytes",
    "log_bytes",
    "start_error",
    "shell",
    "output",
    "attempt",
    "ended_by",
    "cut_at",
    "cut_bytes",
];

/// Columns of `runs` that some versions have and that do not affect the display of a run.
const IGNORED: [&str; 12] = [
    "container_id",
    "image_tag",
    "build_started_at_ms",
    "build_finished_at_ms",
    "container_started_at_ms",
    "container_stopped_at_ms",
    "workspace_path",
    "auth_token",
    "run_token",
    "git_dir",
    "sentry_trace_id",
    "traceparent",
];

/// The properties of a database, determined when its views are defined.
pub(super) struct Dialect {
    /// True if rundown's recorder wrote it.
    pub ours: bool,
    /// The way to list its runs, newest first.
    pub walk: Walk,
    /// Messages for the user about parts of the database that are new, missing or ignored.
    pub notices: Vec<String>,
}

/// The index that lists runs, newest first, without reading all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Walk {
    /// An index contains the runs in this order.
    ByTime,
    /// An index contains the runs of each repository in this order.
    ByRepo,
    /// No index helps.
    Scan,
}

/// Defines the views. Reading `v_runs` needs the SQL function `is_name` of
/// `read::define_functions`.
///
/// # Errors
/// A database without a table `runs` with an `id` is refused. The error lists its tables, so that
/// the user can recognize a wrong path.
pub(super) fn define_views(connection: &Connection, path: &Path) -> Result<Dialect> {
    let failed = || Error::database("read", path);
    let tables = Tables::read(connection).map_err(failed())?;
    let Some(runs) = tables.with("runs", &["id"]) else {
        return Err(Error::NotAStore { path: path.to_owned(), why: describe_other(&tables) });
    };
    let views =
        [runs_view(&tables, runs), variables_view(&tables), jobs_view(&tables), shs_view(&tables)]
            .concat();
    connection.execute_batch(&views).map_err(failed())?;
    let pragma = |name| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed())
    };
    let ours = pragma("application_id")? == i64::from(APPLICATION_ID);
    let news = news(&tables, pragma("user_version")?, ours);
    let notices = news.into_iter().map(|news| format!("{}: {news}", path.display())).collect();
    Ok(Dialect { ours, walk: walk(connection, runs).map_err(failed())?, notices })
}

impl Table {
    /// Returns the source of a canonical column: the first of its source columns that exists.
    fn source_column(&self, source: ColumnSource) -> Option<&'static str> {
        source.1.iter().copied().find(|name| self.has(name))
    }

    /// Returns the select list of canonical columns; a column without a source is NULL.
    fn select(&self, sources: &[ColumnSource]) -> Vec<String> {
        let one = |source: &ColumnSource| match self.source_column(*source) {
            Some(column) => format!("{}.{column} AS {}", self.name, source.0),
            None => format!("NULL AS {}", source.0),
        };
        sources.iter().map(one).collect()
    }
}

/// Returns the select list of canonical columns of a table that may not exist, and the join with
/// this table.
fn joined(table: Option<&Table>, sources: &[ColumnSource], on: &str) -> (Vec<String>, String) {
    match table {
        Some(table) => (table.select(sources), format!(" LEFT JOIN main.{} ON {on}", table.name)),
        None => (nulls(sources), String::new()),
    }
}

fn nulls(sources: &[ColumnSource]) -> Vec<String> {
    sources.iter().map(|source| format!("NULL AS {}", source.0)).collect()
}

fn runs_view(tables: &Tables, runs: &Table) -> String {
    let (details, join) = joined(
        tables.with("run_details", &["run_id"]),
        RUN_DETAILS,
        "run_details.run_id = runs.id",
    );
    let mut columns = runs.select(RUNS);
    columns.extend(details);
    columns.push(match runs.source_column(RUN_REASON) {
        Some("outcome") => {
            "CASE WHEN substr(runs.outcome, 1, 7) = 'failed-' THEN substr(runs.outcome, 8) END \
             AS reason"
                .to_owned()
        }
        Some(column) => format!("runs.{column} AS reason"),
        None => "NULL AS reason".to_owned(),
    });
    columns.push(match order_column(runs) {
        Some((column, false)) => format!("runs.{column} AS order_ms"),
        // A run without a time sorts after all others, as the oldest. A NULL could not be compared.
        Some((column, true)) => format!("coalesce(runs.{column}, {}) AS order_ms", i64::MIN),
        None => "0 AS order_ms".to_owned(),
    });
    format!(
        "CREATE TEMP VIEW v_runs AS SELECT {} FROM main.runs{join} WHERE is_name(runs.id);\n",
        columns.join(", ")
    )
}

fn variables_view(tables: &Tables) -> String {
    let names: Vec<&str> = RUN_VARIABLES.iter().map(|source| source.0).collect();
    let select = match tables.with("run_variables", &names) {
        Some(table) => {
            format!("{} FROM main.run_variables", table.select(RUN_VARIABLES).join(", "))
        }
        None => format!("{} WHERE false", nulls(RUN_VARIABLES).join(", ")),
    };
    format!("CREATE TEMP VIEW v_variables AS SELECT {select};\n")
}

/// Returns the column that orders runs, and true if it may be NULL. Returns `None` if no such
/// column exists.
fn order_column(runs: &Table) -> Option<(&'static str, bool)> {
    let name = runs.source_column(RUN_ORDER)?;
    Some((name, runs.column(name)?.is_nullable))
}

fn walk(connection: &Connection, runs: &Table) -> rusqlite::Result<Walk> {
    let Some((order, false)) = order_column(runs) else { return Ok(Walk::Scan) };
    // A run whose repository is NULL would be in no arm of the query (see `page`).
    let has_repo = runs.column("repo").is_some_and(|repo| !repo.is_nullable);
    Ok(match runs_are_indexed_by(connection, &[order])? {
        true => Walk::ByTime,
        false if has_repo && runs_are_indexed_by(connection, &["repo", order])? => Walk::ByRepo,
        false => Walk::Scan,
    })
}

/// Returns the SQL that defines `v_jobs`. Its column `place` gives the order of execution: the
/// `rowid`, or the start time in a table without a `rowid`.
fn jobs_view(tables: &Tables) -> String {
    let Some(jobs) = tables.with("jobs", &["run_id", "job_id"]) else {
        let columns = [nulls(JOBS), nulls(JOB_DETAILS)].concat().join(", ");
        return format!(
            "CREATE TEMP VIEW v_jobs AS SELECT {columns}, NULL AS place WHERE false;\n"
        );
    };
    let place = if jobs.has_rowid {
        "jobs.rowid".to_owned()
    } else {
        let started = jobs.source_column(("", &["started_at_ms"]));
        started.map_or_else(|| "NULL".to_owned(), |column| format!("jobs.{column}"))
    };
    let on = "job_details.run_id = jobs.run_id AND job_details.job_id = jobs.job_id";
    let (details, join) =
        joined(tables.with("job_details", &["run_id", "job_id"]), JOB_DETAILS, on);
    let columns = [jobs.select(JOBS), details].concat().join(", ");
    format!("CREATE TEMP VIEW v_jobs AS SELECT {columns}, {place} AS place FROM main.jobs{join};\n")
}

/// Returns the SQL that defines the views of commands. A store of rundown has two tables of
/// commands, `sh_calls` and `sh_events`. A command that was recorded by a writer of version 2 is
/// only in `sh_events`.
fn shs_view(tables: &Tables) -> String {
    let key = ["run_id", "job_id", "started_at_ms"];
    let only_event = "WHERE NOT EXISTS (
        SELECT 1 FROM main.sh_calls AS call
        WHERE call.run_id = sh_events.run_id AND call.job_id = sh_events.job_id
        AND call.started_at_ms = sh_events.started_at_ms)";
    let calls = tables.with("sh_calls", &["run_id", "job_id", "n"]);
    let joined = tables
        .with("sh_events", &key)
        .filter(|_| calls.is_some_and(|calls| calls.has("started_at_ms")));
    let none = || arm(&[], "WHERE false");
    let all_calls = calls.map_or_else(none, |calls| calls_arm(calls, joined));
    let all_events = events(tables).map_or_else(none, |events| events_arm(events, ""));
    let all = match (calls, joined) {
        (Some(_), Some(events)) => {
            format!("{all_calls} UNION ALL {}", events_arm(events, only_event))
        }
        (Some(_), None) => all_calls.clone(),
        (None, _) => all_events.clone(),
    };
    [("v_shs", all), ("v_calls", all_calls), ("v_events", all_events)]
        .map(|(name, select)| format!("CREATE TEMP VIEW {name} AS {select};\n"))
        .concat()
}

fn calls_arm(calls: &Table, events: Option<&Table>) -> String {
    let mut columns = calls.select(CALLS);
    columns.extend(events.into_iter().flat_map(|events| events.select(ENDS)));
    columns.push("sh_calls.n AS place".into());
    let join =
        events.map_or("", |_| " LEFT JOIN main.sh_events USING (run_id, job_id, started_at_ms)");
    arm(&columns, &format!("FROM main.sh_calls{join}"))
}

fn events_arm(events: &Table, filter: &str) -> String {
    let mut columns = events.select(EVENTS);
    columns.push(if events.has_rowid { "rowid AS place".into() } else { "NULL AS place".into() });
    arm(&columns, &format!("FROM main.{} {filter}", events.name))
}

/// Returns a SELECT of the canonical columns of commands, in their order.
fn arm(columns: &[String], from: &str) -> String {
    let column = |name: &str| {
        let found = columns.iter().find(|column| column.ends_with(&format!(" AS {name}")));
        found.cloned().unwrap_or_else(|| format!("NULL AS {name}"))
    };
    let columns: Vec<String> = SHS.into_iter().chain(["place"]).map(column).collect();
    format!("SELECT {} {from}", columns.join(", "))
}

/// Returns the table of commands without numbers: `sh`, or else `sh_events`. Returns `None` if
/// neither exists.
fn events(tables: &Tables) -> Option<&Table> {
    let with_key = |name| tables.with(name, &["run_id", "job_id"]);
    with_key("sh").or_else(|| with_key("sh_events"))
}

/// Describes a version that is newer than this program supports, and missing tables and columns. If
/// there are any of these, also lists the tables and columns that are ignored. Returns `None` if
/// the version is supported and nothing is missing.
fn news(tables: &Tables, version: i64, ours: bool) -> Option<String> {
    let newest = if ours { schema::newest() } else { NEWEST_THEIRS };
    let missing = missing(tables, version);
    let is_newer = version > newest;
    let mut parts = Vec::new();
    if is_newer {
        parts.push(format!("version {version} is newer than rundown supports ({newest})"));
    }
    if !missing.is_empty() {
        parts.push(format!("missing: {}", listed(&missing)));
    }
    let unknown = unknown(tables);
    if !parts.is_empty() && !unknown.is_empty() {
        parts.push(format!("ignored: {}", listed(&unknown)));
    }
    Some(parts.join("; ")).filter(|text| !text.is_empty())
}

/// Lists the missing tables and columns that a reader needs.
fn missing(tables: &Tables, version: i64) -> Vec<String> {
    let lacks = |table: &Table, sources: &[ColumnSource]| -> Vec<String> {
        let needed = sources.iter().filter(|source| !LATER.contains(&source.0));
        let absent = needed.filter(|source| table.source_column(**source).is_none());
        absent.map(|source| format!("column {} of {}", source.1.join(" or "), table.name)).collect()
    };
    let mut missing = Vec::new();
    if let Some(runs) = tables.with("runs", &[]) {
        missing.extend(lacks(runs, RUNS));
        missing.extend(lacks(runs, &[RUN_ORDER, RUN_REASON]));
    }
    match tables.with("jobs", &["run_id", "job_id"]) {
        Some(jobs) => missing.extend(lacks(jobs, JOBS)),
        None => missing.push("jobs".into()),
    }
    match (tables.with("sh_calls", &["run_id", "job_id", "n"]), events(tables)) {
        (Some(calls), events) => {
            missing.extend(lacks(calls, CALLS));
            missing.extend(
                events.map_or_else(|| vec!["sh_events".into()], |events| lacks(events, EVENTS)),
            );
        }
        (None, Some(events)) => missing.extend(lacks(events, EVENTS)),
        // Version 1 stored no commands.
        (None, None) if version == 1 => {}
        (None, None) => missing.push("commands".into()),
    }
    missing
}

/// Lists the tables and columns that exist and are not read.
fn unknown(tables: &Tables) -> Vec<String> {
    let is_known = |table: &Table, name: &str| {
        let sources: &[&[ColumnSource]] = match table.name {
            "runs" => &[RUNS, &[RUN_ORDER, RUN_REASON]],
            "run_details" => &[KEY, RUN_DETAILS],
            "run_variables" => &[RUN_VARIABLES],
            "jobs" => &[JOBS],
            "job_details" => &[KEY, JOB_DETAILS],
            "sh_calls" => &[CALLS],
            _ => &[EVENTS],
        };
        let mut sources_of_table = sources.iter().copied().flatten().flat_map(|source| source.1);
        let is_ignored = IGNORED.iter().any(|ignored| name.eq_ignore_ascii_case(ignored));
        sources_of_table.any(|source_column| name.eq_ignore_ascii_case(source_column))
            || table.name == "runs"
                && (is_ignored || name.to_ascii_lowercase().starts_with("bootstrap_"))
    };
    let mut unknown: Vec<String> =
        tables.others.iter().map(|name| format!("table {name}")).collect();
    for table in tables.known() {
        let columns = table.columns.iter().filter(|column| !is_known(table, &column.name));
        unknown.extend(columns.map(|column| format!("column {} of {}", column.name, table.name)));
    }
    unknown
}

fn listed(names: &[String]) -> String {
    let more = if names.len() > LISTED { ", …" } else { "" };
    let shown: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
    format!("{}{more}", shown.join(", "))
}

fn describe_other(tables: &Tables) -> String {
    if tables.with("runs", &[]).is_some() {
        return "its table `runs` has no column `id`".into();
    }
    let names: Vec<String> = tables
        .others
        .iter()
        .cloned()
        .chain(tables.known().iter().map(|table| table.name.to_owned()))
        .collect();
    if names.is_empty() {
        "it has no tables".into()
    } else {
        format!("it has no table `runs` (its tables: {})", listed(&names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIRE_2: &str = include_str!("../../fixtures/stores/quire-schema-steps/v02.sql");
    const QUIRE_11: &str = include_str!("../../fixtures/stores/quire-schema-steps/v11.sql");

    fn defined(sql: &str) -> (Connection, Result<Dialect>) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(sql).unwrap();
        let dialect = define_views(&connection, Path::new("some.db"));
        (connection, dialect)
    }

    fn notice(sql: &str) -> String {
        defined(sql).1.unwrap().notices.concat()
    }

    #[test]
    fn no_view_contains_a_token() {
        let later = QUIRE_11.to_owned()
            + "ALTER TABLE jobs ADD COLUMN run_token; ALTER TABLE sh ADD COLUMN auth_token;";
        for sql in [QUIRE_2.to_owned() + "ALTER TABLE runs ADD COLUMN auth_token TEXT", later] {
            let (connection, _) = defined(&sql);
            let views = "SELECT group_concat(sql) FROM sqlite_temp_schema";
            let views: String = connection.query_row(views, (), |row| row.get(0)).unwrap();
            assert!(
                views.contains("v_shs") && !views.contains("token") && !views.contains('*'),
                "{views}"
            );
        }
    }

    #[test]
    fn a_known_version_has_no_notice() {
        for sql in [QUIRE_2, QUIRE_11] {
            assert_eq!(notice(sql), "");
        }
        let more = "ALTER TABLE runs ADD COLUMN bootstrap_at; CREATE TABLE extra(x);";
        assert_eq!(
            notice(&(QUIRE_11.to_owned() + more)),
            "",
            "nothing that is shown depends on it"
        );
    }

    #[test]
    fn an_earlier_version_of_rundown_has_no_notice() {
        let version_3 = concat!(
            include_str!("../../migrations/0001_initial.sql"),
            include_str!("../../migrations/0002_sh_events.sql"),
            include_str!("../../migrations/0003_sh_calls.sql"),
        );
        assert_eq!(notice(version_3), "");
    }

    #[test]
    fn a_later_version_is_reported_with_the_parts_that_are_not_read() {
        let later = "PRAGMA user_version = 12; CREATE TABLE events(x);
                     ALTER TABLE jobs ADD COLUMN attempt;
                     ALTER TABLE runs ADD COLUMN bootstrap_at;
                     ALTER TABLE runs ADD COLUMN Traceparent2;";
        assert_eq!(
            notice(&(QUIRE_11.to_owned() + later)),
            "some.db: version 12 is newer than rundown supports (11); ignored: table events, \
             column attempt of jobs, column Traceparent2 of runs"
        );
        let same = QUIRE_11.to_owned() + "PRAGMA user_version = 12;";
        assert_eq!(notice(&same), "some.db: version 12 is newer than rundown supports (11)");
    }

    #[test]
    fn a_database_of_another_program_is_rejected_with_its_tables() {
        for (sql, why) in [
            ("", "it has no tables"),
            (
                "CREATE TABLE songs(id); CREATE VIEW best AS SELECT 1",
                "it has no table `runs` (its tables: best, songs)",
            ),
            ("CREATE TABLE runs(name)", "its table `runs` has no column `id`"),
            // A broken view does not matter here.
            (
                "CREATE VIEW odd AS SELECT x FROM y; CREATE TABLE jobs(id)",
                "it has no table `runs` (its tables: odd, jobs)",
            ),
        ] {
            let refused = defined(sql).1.err().unwrap().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
