//! Limits on the cost of reading a database.
//!
//! A database is untrusted input: a view, or a damaged page, may multiply rows or values without
//! end. SQLite stops a reading at these limits, and the reading returns an error:
//!
//! | cost | limit |
//! |---|---|
//! | time | the rest of [`BUDGET`], checked every [`STEPS`] steps |
//! | memory of SQLite, including a copy in memory | [`HEAP_BYTES`] for the process |
//! | a value, or a row | [`LONGEST_BYTES`] |
//! | work between two checks | [`MOST_OPCODES`], each in linear time: only [`FUNCTIONS`] run |
//!
//! [`super::Reader`] limits the memory for the rows that were read.

use std::time::{Duration, Instant};

use rusqlite::functions::FunctionFlags;
use rusqlite::limits::Limit;
use rusqlite::{Connection, Error};

/// The time limit of readings, unless more time is given.
pub(super) const BUDGET: Duration = Duration::from_secs(10);

/// The number of bytes of a database for which the time limit grows by one second, if all of the
/// database is read.
const BYTES_PER_SECOND: u64 = 2 << 20;

/// The memory limit of SQLite, in bytes. It leaves room for a small database in memory, its cache,
/// and the rows that are sorted.
const HEAP_BYTES: u32 = 40 << 20;

/// The maximum size of a value and of a row, in bytes. A command line has at most 2 MiB by default,
/// plus the JSON around it.
const LONGEST_BYTES: i32 = 4 << 20;

/// The number of SQLite steps between two checks of the clock.
const STEPS: i32 = 256;

/// The maximum number of opcodes in the program of a statement.
const MOST_OPCODES: i32 = 2_000;

/// The maximum number of opcodes in the program of a list of runs with an arm per repository (see
/// `page`).
const MOST_OPCODES_OF_ARMS: i32 = 50_000;

/// The functions that a statement, a view or a computed column may call. The time they take is
/// proportional to the bytes that they read, and they return no more bytes than that.
const FUNCTIONS: [&str; 26] = [
    "abs",
    "avg",
    "coalesce",
    "count",
    "date",
    "datetime",
    "ifnull",
    "iif",
    "julianday",
    "length",
    "lower",
    "max",
    "min",
    "nullif",
    "round",
    "row_number",
    "strftime",
    "substr",
    "substring",
    "subtype",
    "sum",
    "time",
    "total",
    "typeof",
    "unixepoch",
    "upper",
];

/// Sets all limits of a connection.
pub(super) fn guard(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    limit_time(connection, BUDGET)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_BYTES)?;
    connection.set_limit(Limit::SQLITE_LIMIT_VDBE_OP, MOST_OPCODES)?;
    // The dialect's views and sorted rows stay in memory, never in a file. The views and computed
    // columns of the database can neither call rundown's functions nor read virtual tables that
    // reach outside the database.
    connection.execute_batch(&format!(
        "PRAGMA temp_store = MEMORY; PRAGMA hard_heap_limit = {HEAP_BYTES}; \
         PRAGMA trusted_schema = OFF"
    ))?;
    refuse_functions(connection)
}

/// Replaces every function that is not in [`FUNCTIONS`] with one that fails. An authorizer would
/// not suffice, because it is not called for functions in computed columns.
fn refuse_functions(connection: &Connection) -> rusqlite::Result<()> {
    let mut names =
        connection.prepare("SELECT DISTINCT name FROM pragma_function_list WHERE builtin")?;
    let names: Vec<String> = names.query_map((), |row| row.get(0))?.collect::<Result<_, _>>()?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    for name in names.iter().filter(|name| !FUNCTIONS.contains(&name.as_str())) {
        let refusal = format!("the function {name}() is not allowed here");
        connection.create_scalar_function(
            name.as_str(),
            -1,
            flags,
            move |_| -> rusqlite::Result<bool> {
                Err(Error::UserFunctionError(refusal.clone().into()))
            },
        )?;
    }
    Ok(())
}

/// Interrupts the statements of a connection when `budget` has passed from now. Without a limit, a
/// view may produce rows endlessly.
pub(super) fn limit_time(connection: &Connection, budget: Duration) -> rusqlite::Result<()> {
    let started = Instant::now();
    connection.progress_handler(STEPS, Some(move || started.elapsed() > budget))
}

/// Returns the time limit for reading all of a database of this size.
pub(super) const fn time_for(bytes: u64) -> Duration {
    Duration::from_secs(bytes / BYTES_PER_SECOND)
}

/// Sets the limit on opcodes: higher if `are_allowed` is true, for a list of runs with an arm per
/// repository. The higher limit is safe, because the rows of such a list come from an indexed
/// table, not from a view.
pub(super) fn allow_arms(connection: &Connection, are_allowed: bool) -> rusqlite::Result<()> {
    let most = if are_allowed { MOST_OPCODES_OF_ARMS } else { MOST_OPCODES };
    connection.set_limit(Limit::SQLITE_LIMIT_VDBE_OP, most).map(drop)
}

#[cfg(test)]
mod tests {
    use rusqlite::ErrorCode;

    use super::*;

    fn guarded(schema: &str) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(schema).unwrap();
        guard(&connection).unwrap();
        connection
    }

    fn refusal(schema: &str, query: &str) -> (Option<ErrorCode>, String) {
        let connection = guarded(schema);
        limit_time(&connection, Duration::from_millis(300)).unwrap();
        let read = |connection: &Connection| -> rusqlite::Result<i64> {
            let mut statement = connection.prepare(query)?;
            let mut rows = statement.query(())?;
            let mut bytes = 0;
            while let Some(row) = rows.next()? {
                bytes +=
                    row.get_ref(0)?.as_str().map_or(8, |text| i64::try_from(text.len()).unwrap());
            }
            Ok(bytes)
        };
        let started = Instant::now();
        let error = read(&connection).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(5), "{query}: {:?}", started.elapsed());
        (error.sqlite_error_code(), error.to_string())
    }

    #[test]
    fn an_endless_query_is_canceled_and_the_next_has_its_own_time_limit() {
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
        let connection = guarded(&format!(
            "CREATE VIEW endless AS {endless} SELECT i FROM n; CREATE TABLE t(x)"
        ));
        limit_time(&connection, Duration::ZERO).unwrap();
        let read = |sql| connection.query_row(sql, (), |row| row.get::<_, i64>(0));
        let error = read("SELECT count(*) FROM endless")
            .map_err(crate::error::Error::database("read", "x"))
            .unwrap_err();
        assert!(
            error.to_string().contains("did not respond in time") && error.exit_code() == 6,
            "{error}"
        );
        limit_time(&connection, BUDGET).unwrap();
        assert_eq!(read("SELECT count(*) FROM t").unwrap(), 0);
    }

    /// Reads two values that are too long: one that a query doubles repeatedly, and one that a
    /// table contains.
    #[test]
    fn no_value_exceeds_the_length_limit() {
        let twice = "WITH RECURSIVE d(n, x) AS (SELECT 1, 'a' UNION ALL SELECT n + 1, x || x \
                     FROM d LIMIT 40)";
        assert_eq!(refusal("", &format!("{twice} SELECT x FROM d")).0, Some(ErrorCode::TooBig));
        assert_eq!(
            refusal(
                "CREATE TABLE t(x); INSERT INTO t VALUES (zeroblob(5 << 20))",
                "SELECT x FROM t"
            )
            .0,
            Some(ErrorCode::TooBig)
        );
    }

    #[test]
    fn only_cheap_functions_can_be_called() {
        for (schema, query) in [
            ("", "SELECT replace('aa', 'a', 'bbb')"),
            ("CREATE VIEW v AS SELECT printf('%.*c', 1000, 'x') AS x", "SELECT x FROM v"),
            ("CREATE VIEW v AS SELECT CAST(zeroblob(1000) AS TEXT) AS x", "SELECT x FROM v"),
            ("CREATE VIEW v AS SELECT 'a' LIKE '%a%' AS x", "SELECT x FROM v"),
            (
                "CREATE VIEW v AS SELECT group_concat(name) AS x FROM sqlite_schema",
                "SELECT x FROM v",
            ),
            (
                "CREATE TABLE t(y, x AS (instr(y, y))); INSERT INTO t VALUES ('a')",
                "SELECT x FROM t",
            ),
        ] {
            let (_, why) = refusal(schema, query);
            assert!(
                why.contains("unsafe use of") || why.contains("is not allowed here"),
                "{query}: {why}"
            );
        }
        let connection =
            guarded("CREATE VIEW v AS SELECT substr(lower('ABC'), 2) || length('x') AS x");
        assert_eq!(
            connection.query_row("SELECT x FROM v", (), |row| row.get::<_, String>(0)).unwrap(),
            "bc1"
        );
    }

    #[test]
    fn no_statement_runs_long_without_a_check_of_the_clock() {
        let wide = vec![vec!["upper(x)"; 900].join("||"); 9].join(",");
        let schema = "CREATE TABLE t(x); INSERT INTO t VALUES (1)";
        assert_eq!(
            refusal(schema, &format!("SELECT {wide} FROM t")).0,
            Some(ErrorCode::OutOfMemory)
        );
    }
}
