//! Our migrations: append-only files under `migrations/`, never edited once shipped (a test holds their checksums).
//!
//! `user_version` counts the migrations applied. Versions 1 and 2 are those of the records' first writer, so its tools read our
//! stores; `application_id` tells ours from its own version 3 and later.

use std::path::Path;

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use crate::error::{Error, Result};

/// `rund` in ASCII: the mark of a database that we may write.
pub const APPLICATION_ID: i32 = 0x7275_6e64;

const FILES: &[&str] = &[
    include_str!("../../migrations/0001_initial.sql"),
    include_str!("../../migrations/0002_sh_events.sql"),
    include_str!("../../migrations/0003_sh_calls.sql"),
];

/// The newest version.
pub(super) fn newest() -> i64 {
    i64::try_from(FILES.len()).unwrap_or(i64::MAX)
}

/// Brings a database of ours, or a new and empty one, to the newest version.
///
/// # Errors
/// A database without our mark or of a newer version is refused before anything is written.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    check(connection, path)?;
    Migrations::new(FILES.iter().map(|sql| M::up(sql)).collect()).to_latest(connection).map_err(|source| match source {
        rusqlite_migration::Error::RusqliteError { err, .. } => Error::database("set up", path)(err),
        other => Error::NotOurs { path: path.to_owned(), why: other.to_string() },
    })
}

/// Whether a database is ours, or new and empty, and not newer than this program.
///
/// # Errors
/// When it is not: why.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<()> {
    let read = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let header = read("application_id").and_then(|id| Ok((id, read("user_version")?, read("schema_version")?)));
    let (id, version, schema_changes) = header.map_err(Error::database("read", path))?;
    let refuse = |why| Err(Error::NotOurs { path: path.to_owned(), why });
    let newest = FILES.len();
    if id != i64::from(APPLICATION_ID) && (id, version, schema_changes) != (0, 0, 0) {
        return refuse("it was not made by rundown (only `record` makes stores; name another with --root)".into());
    }
    if usize::try_from(version).is_ok_and(|version| version > newest) {
        return refuse(format!("it has version {version}, this rundown knows up to {newest}; update rundown"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// A change here means that a shipped migration was edited: add a new file instead.
    #[test]
    fn shipped_migrations_never_change() {
        let sums: Vec<String> = FILES.iter().map(|sql| format!("{:x}", Sha256::digest(sql))).collect();
        assert_eq!(
            sums,
            [
                "0df0090a5315d65a7913b731a053451451a7b0d1608da9f95f863de6f8e98abc",
                "1ba62470e19f635c5478991851caf00c7cbecc02c055fa09f5481633727e7d54",
                "183b6d5b715bf600698baf83add287fcbb5d86a804e2357f3ab9fa7a7d06b668",
            ]
        );
    }

    /// The tables of versions 1 and 2, word for word as a real database of that version has them.
    #[test]
    fn our_first_versions_are_those_of_the_first_writer() {
        let theirs = include_str!("../../fixtures/stores/quire-v2-live/quire.sql");
        let ours = [FILES[0], FILES[1]].concat();
        let statements = |sql: &str, start: &str| -> Vec<String> {
            let found = sql.split(';').filter_map(|statement| statement.find(start).map(|at| &statement[at..]));
            found.map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
        };
        assert_eq!(statements(&ours, "CREATE TABLE"), statements(theirs, "CREATE TABLE"));
        assert_eq!(statements(&ours, "CREATE INDEX"), statements(theirs, "CREATE INDEX"));
    }

    #[test]
    fn every_migration_file_is_applied() {
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
        assert_eq!(files, FILES.len());
    }

    #[test]
    fn a_foreign_database_is_refused_untouched() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs(x); PRAGMA user_version = 2").unwrap();
        let refused = migrate(&mut connection, Path::new("their.db")).unwrap_err();
        assert!(refused.to_string().contains("not made by rundown"), "{refused}");
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }

    #[test]
    fn a_newer_database_of_ours_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Path::new("ours.db")).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let refused = migrate(&mut connection, Path::new("ours.db")).unwrap_err();
        assert!(refused.to_string().contains("version 99"), "{refused}");
    }
}
