//! Databases: for any files, reading ends in time, changes nothing, and fails only with the errors
//! of a database.
//!
//! ```text
//! byte 0    bit 0: rundown.db or quire.db; bits 1 and 2: nothing, a -wal, a -journal beside it
//! bytes 1-3 the size of the database, little-endian; the rest belongs to the file beside it
//! ```

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rundown::catalog::{Catalog, RunFilter, RunSpec};
use rundown::error::{Error, Result};
use rundown::model::{Outcome, RunId};
use rusqlite::Connection;

/// The most runs that are listed, and opened one by one.
const RUNS: usize = 4;

/// The time limit of a query: the readers' own limit of 10 seconds, and the work around it.
const PATIENCE: Duration = Duration::from_secs(15);

/// Reads the input as the database of a store.
pub fn database(data: &[u8]) {
    let [kind, low, mid, high, files @ ..] = data else { return };
    let main_bytes = u32::from_le_bytes([*low, *mid, *high, 0]) as usize;
    let (main, beside) = files.split_at(main_bytes.min(files.len()));
    let dir = super::scratch();
    let name = if kind & 1 == 0 { "rundown.db" } else { "quire.db" };
    fs::write(dir.path().join(name), main).unwrap();
    match kind >> 1 & 3 {
        1 => fs::write(dir.path().join(format!("{name}-wal")), beside).unwrap(),
        2 => fs::write(dir.path().join(format!("{name}-journal")), beside).unwrap(),
        _ => {}
    }
    fs::create_dir(dir.path().join("runs")).unwrap();
    let before = super::snapshot(dir.path());
    let missing = ask(&Catalog::of_store(dir.path(), None));
    assert!(super::snapshot(dir.path()) == before, "the store has changed");
    assert!(
        missing.is_empty() || is_corrupt(&dir.path().join(name)),
        "listed and not found: {missing:?}"
    );
}

/// Runs every query that a view runs. Returns the runs that were listed but not found.
fn ask(catalog: &Catalog) -> Vec<RunId> {
    let (filter, mut missing) = (RunFilter::default(), Vec::new());
    let Some(list) = answer(|| catalog.runs(&filter, RUNS)) else { return missing };
    assert!(list.heads.len() <= RUNS);
    for head in &list.heads {
        match answer(|| catalog.run(&head.run.id)) {
            Some(Some(run)) if run.head.run.id == head.run.id => super::assert_prints(&run),
            Some(_) => missing.push(head.run.id.clone()),
            None => {}
        }
    }
    for spec in [RunSpec::Latest(0), RunSpec::LatestThat(Outcome::Failed)] {
        answer(|| catalog.find(&spec, &filter));
    }
    let first = list.heads.first().map(|head| RunSpec::Id(head.run.id.as_str().to_owned()));
    first.and_then(|spec| answer(|| catalog.find(&spec, &filter)));
    let narrow = RunFilter { repo: Some("demo.git".into()), ref_name: Some("main".into()) };
    answer(|| catalog.runs(&narrow, RUNS));
    assert!(catalog.notices().iter().all(|notice| !notice.is_empty()));
    missing
}

/// Returns true if the tables and the indexes of a database differ. May write to it.
fn is_corrupt(path: &Path) -> bool {
    let check = |connection: Connection| {
        connection.query_row("PRAGMA integrity_check(1)", (), |row| row.get::<_, String>(0))
    };
    Connection::open(path).and_then(check).ok().as_deref() != Some("ok")
}

/// Returns the result of a query; `None` if it fails with a documented error.
fn answer<T>(question: impl FnOnce() -> Result<T>) -> Option<T> {
    let begun = Instant::now();
    let answer = question();
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    match answer {
        Ok(answer) => Some(answer),
        Err(error) if is_documented(&error) => None,
        Err(other) => panic!("{other:?}"),
    }
}

/// Returns true for errors that a store of arbitrary bytes may cause. No other process locks it or
/// writes to it.
fn is_documented(error: &Error) -> bool {
    use Error::{Database, NotAStore, NotFound, TooLarge, TooLong};
    matches!(
        error,
        Database { .. } | NotAStore { .. } | NotFound(_) | TooLarge { .. } | TooLong { .. }
    )
}
