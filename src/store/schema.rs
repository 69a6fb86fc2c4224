//! The migrations of rundown's database: files under `migrations/`. New files are added, but a
//! shipped file is never edited (a test compares the checksums).
//!
//! `user_version` counts the applied migrations. Versions 1 and 2 equal those of quire, the first
//! writer, so quire's tools can read rundown's stores. `application_id` distinguishes rundown's
//! later versions from those of quire.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use crate::error::{Error, Result};

/// The `application_id` of a database that rundown may write: `rund` in ASCII.
pub const APPLICATION_ID: i32 = 0x7275_6e64;

const FILES: &[&str] = &[
    include_str!("../../migrations/0001_initial.sql"),
    include_str!("../../migrations/0002_sh_events.sql"),
    include_str!("../../migrations/0003_sh_calls.sql"),
    include_str!("../../migrations/0004_log_bytes.sql"),
    include_str!("../../migrations/0005_start_error.sql"),
    include_str!("../../migrations/0006_many_recorders.sql"),
];

/// The objects of the newest version, as [`dump`] formats them (a test compares them with the
/// migrations). A comparison with this text is much faster than a migration of an empty database,
/// and every recorder checks the schema of its database.
const NEWEST: &str = include_str!("schema.txt");

/// Returns the newest version.
pub(super) fn newest() -> i64 {
    i64::try_from(FILES.len()).unwrap_or(i64::MAX)
}

/// Returns true if the header of a database file, its first 100 bytes, contains our
/// `application_id` and a version that this program supports (offsets 68 and 60, big-endian:
/// <https://sqlite.org/fileformat2.html#the_database_header>).
pub(super) fn is_ours(header: &[u8]) -> bool {
    let number = |bytes: std::ops::Range<usize>| {
        header.get(bytes).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes)
    };
    header.starts_with(b"SQLite format 3\0")
        && number(68..72) == Some(APPLICATION_ID)
        && number(60..64).is_some_and(|version| (1..=newest()).contains(&version.into()))
}

/// Migrates a database to the newest version. Call [`check`] first, so that a database that rundown
/// did not create is refused before anything is written to it.
///
/// # Errors
/// If a migration fails, or if [`check`] refuses the result.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    let migrated = migrations(FILES).to_latest(connection);
    // The migration may have failed because another recorder applied it first. Then the version is
    // up to date.
    if check(connection, path)? == newest() {
        return Ok(());
    }
    migrated.map_err(|source| match source {
        rusqlite_migration::Error::RusqliteError { err, .. } => {
            Error::database("set up", path)(err)
        }
        other => Error::NotOurs { path: path.to_owned(), why: other.to_string() },
    })
}

fn migrations(files: &'static [&'static str]) -> Migrations<'static> {
    Migrations::new(files.iter().map(|sql| M::up(sql)).collect())
}

/// Returns the version of a database if it may be written: rundown created it, it is not newer than
/// this program, and no other program changed its schema. A new, empty database has version 0.
///
/// # Errors
/// If the database must not be written, or cannot be read. The error contains the reason.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<i64> {
    let read = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let header = read("application_id")
        .and_then(|id| Ok((id, read("user_version")?, read("schema_version")?)));
    let (id, version, schema_changes) = header.map_err(Error::database("read", path))?;
    let refuse = |why| Err(Error::NotOurs { path: path.to_owned(), why });
    if (id, version, schema_changes) == (0, 0, 0) {
        return Ok(0);
    }
    if id != i64::from(APPLICATION_ID) {
        return refuse("it was not created by rundown; choose another store with --root".into());
    }
    let Some(files) = usize::try_from(version).ok().and_then(|version| FILES.get(..version)) else {
        return refuse(format!(
            "its version is {version}, but rundown supports up to {}; update rundown",
            newest()
        ));
    };
    let found = objects(connection).map_err(Error::database("read", path))?;
    if version == newest() && dump(&found) == NEWEST {
        return Ok(version);
    }
    let wanted = expected_objects(files);
    let name =
        |object: Option<&Object>| object.map(|(kind, name, _)| format!("the {kind} `{name}`"));
    if let Some(unexpected) = name(found.difference(&wanted).next()) {
        return refuse(format!(
            "another program added or changed {unexpected}; choose another store with --root"
        ));
    }
    if let Some(missing) = name(wanted.difference(&found).next()) {
        return refuse(format!("{missing} is missing; choose another store with --root"));
    }
    Ok(version)
}

/// A table, index, trigger or view: its type, its name, and the statement that created it.
type Object = (String, String, Option<String>);

/// Reads all objects of a schema except SQLite's own: the indexes of keys, and the statistics of
/// `ANALYZE`.
fn objects(connection: &Connection) -> rusqlite::Result<BTreeSet<Object>> {
    let mut statement = connection.prepare(
        "SELECT type, name, sql FROM sqlite_schema WHERE substr(name, 1, 7) <> 'sqlite_'",
    )?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

/// Formats objects for the comparison with [`NEWEST`].
fn dump(objects: &BTreeSet<Object>) -> String {
    let line = |(kind, name, sql): &Object| {
        format!("{kind} {name}\n{}\n\n", sql.as_deref().unwrap_or_default())
    };
    objects.iter().map(line).collect()
}

/// Returns the objects that these migrations create. Returns an empty set, which no database
/// matches, if the migrations fail.
fn expected_objects(files: &'static [&'static str]) -> BTreeSet<Object> {
    let made = Connection::open_in_memory().ok().and_then(|mut connection| {
        migrations(files).to_latest(&mut connection).ok()?;
        objects(&connection).ok()
    });
    made.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// If this test fails, a shipped migration was edited: add a new file instead.
    #[test]
    fn shipped_migrations_never_change() {
        let hex = |byte: &u8| format!("{byte:02x}");
        let sum = |sql: &&str| Sha256::digest(sql).iter().map(hex).collect::<Vec<_>>().concat();
        let sums: Vec<String> = FILES.iter().map(sum).collect();
        assert_eq!(
            sums,
            [
                "0df0090a5315d65a7913b731a053451451a7b0d1608da9f95f863de6f8e98abc",
                "1ba62470e19f635c5478991851caf00c7cbecc02c055fa09f5481633727e7d54",
                "183b6d5b715bf600698baf83add287fcbb5d86a804e2357f3ab9fa7a7d06b668",
                "b17b1aba5252018e74e6f7fe8cbeda71298e658ae7752fe90df864a2b1f9b3ba",
                "5281954cb0f6b1bdceb33b2a1ee331040b67dee551647de212d20beef39a0574",
                "fcca3d1fa2610df1020bec4a57e1066ce3136a191cb9a58ce138bd9d58321611",
            ]
        );
    }

    /// The tables of versions 1 and 2 equal those of a real database of that version, word for
    /// word.
    #[test]
    fn our_first_versions_equal_those_of_quire() {
        let theirs = include_str!("../../fixtures/stores/quire-v2-live/quire.sql");
        let ours = [FILES[0], FILES[1]].concat();
        let statements = |sql: &str, start: &str| -> Vec<String> {
            let found = sql
                .split(';')
                .filter_map(|statement| statement.find(start).map(|at| &statement[at..]));
            found
                .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect()
        };
        assert_eq!(statements(&ours, "CREATE TABLE"), statements(theirs, "CREATE TABLE"));
        assert_eq!(statements(&ours, "CREATE INDEX"), statements(theirs, "CREATE INDEX"));
    }

    #[test]
    fn the_text_of_the_newest_schema_equals_the_migrations() {
        let newest = dump(&expected_objects(FILES));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/schema.txt");
            std::fs::write(path, &newest).unwrap();
        }
        assert_eq!(newest, NEWEST, "to update src/store/schema.txt, set UPDATE_DOCS=1");
    }

    #[test]
    fn every_migration_file_is_applied() {
        let files =
            std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
        assert_eq!(files, FILES.len());
    }

    #[test]
    fn a_foreign_database_is_rejected_unchanged() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs(x); PRAGMA user_version = 2").unwrap();
        let refused = migrate(&mut connection, Path::new("their.db")).unwrap_err();
        assert!(refused.to_string().contains("not created by rundown"), "{refused}");
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
            .unwrap();
        assert_eq!(tables, 1);
    }

    #[test]
    fn a_newer_database_of_ours_is_rejected() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Path::new("ours.db")).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let refused = migrate(&mut connection, Path::new("ours.db")).unwrap_err();
        assert!(refused.to_string().contains("version is 99"), "{refused}");
    }

    fn ours() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Path::new("ours.db")).unwrap();
        connection
    }

    #[test]
    fn a_database_of_ours_with_foreign_changes_is_rejected() {
        for (change, name) in [
            (
                "CREATE TRIGGER evil AFTER INSERT ON runs BEGIN SELECT 1; END",
                "added or changed the trigger `evil`",
            ),
            ("CREATE VIEW evil AS SELECT 1", "added or changed the view `evil`"),
            ("CREATE INDEX evil ON runs(hex(zeroblob(1e8)))", "added or changed the index `evil`"),
            (
                "ALTER TABLE runs ADD COLUMN evil AS (hex(id))",
                "another program added or changed the table `runs`",
            ),
            ("DROP TABLE sh_events", "the table `sh_events` is missing"),
        ] {
            let mut connection = ours();
            connection.execute_batch(change).unwrap();
            let refused = migrate(&mut connection, Path::new("ours.db")).unwrap_err().to_string();
            assert!(refused.contains(name), "{change}: {refused}");
        }
        let mut analyzed = ours();
        analyzed.execute_batch("ANALYZE").unwrap();
        migrate(&mut analyzed, Path::new("ours.db")).unwrap();
    }

    #[test]
    fn every_older_version_of_ours_is_migrated() {
        for version in 1..FILES.len() {
            let mut connection = Connection::open_in_memory().unwrap();
            migrations(&FILES[..version]).to_latest(&mut connection).unwrap();
            assert_eq!(
                check(&connection, Path::new("ours.db")).unwrap(),
                i64::try_from(version).unwrap()
            );
            migrate(&mut connection, Path::new("ours.db")).unwrap();
            assert_eq!(check(&connection, Path::new("ours.db")).unwrap(), newest());
        }
    }
}
