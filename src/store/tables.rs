//! The schema of a database: its tables, their columns, and the indexes that can list its runs in
//! order. Reads no rows.
//!
//! Names are compared as in SQLite, without regard to case. A view counts as a table. Only tables
//! with a known name are inspected: a view of another program may refer to a table that does not
//! exist.

use rusqlite::{Connection, OptionalExtension};

/// The tables that runs are read from, in any version.
const KNOWN: [&str; 8] =
    ["runs", "run_details", "run_variables", "jobs", "job_details", "sh", "sh_events", "sh_calls"];

/// The tables of a database.
pub(super) struct Tables {
    known: Vec<Table>,
    /// The names of all other tables.
    pub others: Vec<String>,
}

/// A table, or a view.
pub(super) struct Table {
    pub name: &'static str,
    pub columns: Vec<Column>,
    /// True if its rows have a `rowid`, which gives the order in which they were written.
    pub has_rowid: bool,
}

/// A column of a table.
pub(super) struct Column {
    pub name: String,
    /// True if it may contain NULL.
    pub is_nullable: bool,
}

impl Tables {
    /// Reads the schema.
    pub fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let sql =
            "SELECT name FROM main.sqlite_schema WHERE type IN ('table', 'view') ORDER BY name";
        let names: Vec<String> =
            connection.prepare(sql)?.query_map((), |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut tables = Self { known: Vec::new(), others: Vec::new() };
        for name in names {
            match KNOWN.iter().find(|known| name.eq_ignore_ascii_case(known)) {
                Some(known) => tables.known.push(Table::read(connection, known)?),
                None if name.starts_with("sqlite_") => {}
                None => tables.others.push(name),
            }
        }
        Ok(tables)
    }

    /// Returns the table with this known name; `None` if it does not exist or lacks one of the
    /// columns.
    pub fn with(&self, name: &str, columns: &[&str]) -> Option<&Table> {
        self.known
            .iter()
            .find(|table| table.name == name)
            .filter(|table| columns.iter().all(|column| table.has(column)))
    }

    /// Returns the tables with a known name.
    pub fn known(&self) -> &[Table] {
        &self.known
    }
}

impl Table {
    fn read(connection: &Connection, name: &'static str) -> rusqlite::Result<Self> {
        // `hidden` is 2 or 3 for generated columns, which are included. It is 1 for the arguments
        // of a virtual table, which are not.
        let sql = "SELECT name, \"notnull\" FROM pragma_table_xinfo(?1, 'main') WHERE hidden <> 1";
        let column = |row: &rusqlite::Row<'_>| {
            Ok(Column { name: row.get(0)?, is_nullable: !row.get::<_, bool>(1)? })
        };
        let columns =
            connection.prepare(sql)?.query_map([name], column)?.collect::<Result<_, _>>()?;
        let has_rowid = connection.prepare(&format!("SELECT rowid FROM main.{name}")).is_ok();
        Ok(Self { name, columns, has_rowid })
    }

    /// Returns the column with this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Returns true if the table has a column with this name.
    pub fn has(&self, name: &str) -> bool {
        self.column(name).is_some()
    }
}

/// Returns true if an index of `runs` begins with these columns. Partial indexes do not count: they
/// leave rows out.
pub(super) fn runs_are_indexed_by(
    connection: &Connection,
    columns: &[&str],
) -> rusqlite::Result<bool> {
    let sql = "SELECT name FROM pragma_index_list('runs', 'main') WHERE partial = 0";
    let indexes: Vec<String> =
        connection.prepare(sql)?.query_map((), |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut nth =
        connection.prepare("SELECT name FROM pragma_index_info(?1, 'main') WHERE seqno = ?2")?;
    for index in indexes {
        let mut begins_so = true;
        for (place, column) in (0_i64..).zip(columns) {
            // An indexed expression has no column name.
            let found: Option<Option<String>> =
                nth.query_row((&index, place), |row| row.get(0)).optional()?;
            begins_so &= found.flatten().is_some_and(|found| found.eq_ignore_ascii_case(column));
        }
        if begins_so {
            return Ok(true);
        }
    }
    Ok(false)
}
