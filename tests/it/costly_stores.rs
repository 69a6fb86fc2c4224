//! Stores whose views are made to cost time or memory without end: every reading command ends in
//! time, small, and with a word about it.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;
use wait4::Wait4;

use crate::support::process::alone;
use crate::support::rundown;

/// What a whole command may take: 10 s of the database, and the rest of it.
const LONGEST: Duration = Duration::from_secs(14);

/// The most memory: 64 MiB and what rundown takes anyway.
const LARGEST_BYTES: u64 = (64 + 16) << 20;

const READING: [&[&str]; 6] = [
    &["list"],
    &["list", "--format", "json"],
    &["--once"],
    &["--once", "--format", "json"],
    &["doctor"],
    &["doctor", "--format", "json"],
];

/// The tables that a view may take the place of, with the columns that lead to it.
const TABLES: [(&str, &str, &str); 5] = [
    ("runs", "'run-' || i AS id, -i AS pushed_at_ms", "repo"),
    ("jobs", "'run-1' AS run_id, 'job-' || i AS job_id", "state"),
    ("sh", "'run-1' AS run_id, 'job-1' AS job_id, i AS started_at_ms", "cmd"),
    ("sh_events", "'run-1' AS run_id, 'job-1' AS job_id, i AS started_at_ms", "cmd"),
    ("sh_calls", "'run-1' AS run_id, 'job-1' AS job_id, i AS n, i AS started_at_ms", "cmd"),
];

const COUNT: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n";

/// What a view does: its name, and the query behind the columns of its table, with `VALUE` for one
/// more column.
const ATTACKS: &[(&str, &str)] = &[
    ("endless", "COUNT) SELECT COLUMNS, 1 AS VALUE FROM n"),
    ("endless and never a row", "COUNT) SELECT COLUMNS, 1 AS VALUE FROM n WHERE i < 0"),
    ("many rows", "COUNT LIMIT 5000000) SELECT COLUMNS, 1 AS VALUE FROM n"),
    ("rows of a megabyte", "COUNT LIMIT 500), w(x, k) AS (SELECT 'x', 0 UNION ALL SELECT x || x, k + 1 FROM w LIMIT 21)
        SELECT COLUMNS, (SELECT x FROM w WHERE k = 20) AS VALUE FROM n"),
    ("rows of three megabytes", "COUNT LIMIT 500), w(x, k) AS (SELECT 'xyz', 0 UNION ALL SELECT x || x, k + 1 FROM w LIMIT 21)
        SELECT COLUMNS, (SELECT x FROM w WHERE k = 20) AS VALUE FROM n"),
    ("a value without end", "w(i, x) AS (SELECT 1, 'x' UNION ALL SELECT i + 1, x || x FROM w) SELECT COLUMNS, x AS VALUE FROM w"),
    ("zeros", "COUNT LIMIT 9) SELECT COLUMNS, zeroblob(900000000) AS VALUE FROM n"),
    ("padding", "COUNT LIMIT 9) SELECT COLUMNS, printf('%.*c', 900000000, 'x') AS VALUE FROM n"),
    ("replacing", "COUNT LIMIT 9) SELECT COLUMNS, replace(hex(zeroblob(3000)), '0', hex(zeroblob(9000))) AS VALUE FROM n"),
    ("crossing", "COUNT LIMIT 9999) SELECT COLUMNS, count(*) AS VALUE FROM (SELECT a.i FROM n a, n b, n c WHERE a.i + b.i + c.i < 0
        UNION ALL SELECT 1 AS i)"),
    ("rows of two seconds", "COUNT LIMIT 300), m(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM m LIMIT 3000000)
        SELECT COLUMNS, (SELECT count(*) FROM m WHERE k <> n.i) AS VALUE FROM n"),
    ("sorted", "COUNT LIMIT 3000000) SELECT COLUMNS, 'x' || i AS VALUE FROM n ORDER BY 'abc' || (i * 7919 % 1000003) || 'defghijklmnopqrstuvw'"),
    ("an endless set", "n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n) SELECT COLUMNS, 1 AS VALUE FROM n"),
];

/// A store of which a view is one table; the others have a few rows, with an index or not.
fn store_with_view(table: &str, attack: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let connection = Connection::open(dir.path().join("quire.db")).unwrap();
    let left_out: &[&str] = match table {
        "sh_calls" => &["sh"],
        "sh_events" => &["sh", "sh_calls"],
        _ => &["sh_calls"],
    };
    for (name, columns, value) in TABLES.iter().filter(|(name, ..)| !left_out.contains(name)) {
        let sql = if *name == table {
            let with = if attack.starts_with("COUNT") { "" } else { "WITH RECURSIVE " };
            let query =
                attack.replace("COUNT", COUNT).replace("COLUMNS", columns).replace("VALUE", value);
            format!("CREATE VIEW {name} AS {with}{query}")
        } else {
            format!(
                "CREATE TABLE {name} AS {COUNT} LIMIT 250) SELECT {columns}, 'x' AS {value} FROM n"
            )
        };
        connection.execute_batch(&sql).unwrap();
    }
    dir
}

struct Cost {
    time: Duration,
    bytes: u64,
    code: Option<i32>,
    said: String,
}

/// Runs a command and measures it. The system counts the memory of this process at the start of the
/// child as the child's, so each test here runs alone and needs little memory itself.
fn cost(dir: &Path, args: &[&str]) -> Cost {
    let said = dir.join("said.txt");
    let begun = Instant::now();
    let mut command = rundown(dir);
    command
        .args(["--root", "."])
        .args(args)
        .stdout(Stdio::null())
        .stderr(fs::File::create(&said).unwrap());
    let used = command.spawn().unwrap().wait4().unwrap();
    let said = fs::read_to_string(said).unwrap();
    Cost { time: begun.elapsed(), bytes: used.rusage.maxrss, code: used.status.code(), said }
}

#[track_caller]
fn assert_cheap(cost: &Cost, of: &str) {
    println!(
        "{of}: {:?}, {} MiB, {:?} {}",
        cost.time,
        cost.bytes >> 20,
        cost.code,
        cost.said.lines().next().unwrap_or("")
    );
    assert!(matches!(cost.code, Some(0 | 1 | 6)), "{of}: {:?}: {}", cost.code, cost.said);
    assert!(cost.time < LONGEST, "{of}: {:?}", cost.time);
    assert!(cost.bytes < LARGEST_BYTES, "{of}: {} MiB", cost.bytes >> 20);
}

/// One of each kind that is over soon, and one that needs all of the time.
#[test]
fn a_view_in_place_of_a_table_costs_little() {
    alone(a_view_in_place_of_a_table_costs_little, || {
        for (attack, tables) in [
            ("rows of a megabyte", &["runs", "jobs", "sh_calls"][..]),
            ("a value without end", &["sh"]),
            ("padding", &["jobs"]),
            ("many rows", &["sh_events"]),
            ("endless and never a row", &["sh"]),
        ] {
            let (_, query) = ATTACKS.iter().find(|(name, _)| *name == attack).unwrap();
            for table in tables {
                let dir = store_with_view(table, query);
                let commands =
                    if attack.starts_with("endless") { &READING[4..5] } else { &READING[..] };
                for args in commands {
                    assert_cheap(&cost(dir.path(), args), &format!("{attack}, {table}, {args:?}"));
                }
            }
        }
    });
}

/// Half an hour: `cargo test --release --test it costly_stores -- --ignored --nocapture`.
#[test]
#[ignore = "it takes half an hour"]
fn no_view_in_place_of_any_table_costs_more_in_any_command() {
    alone(no_view_in_place_of_any_table_costs_more_in_any_command, || {
        let only = std::env::var("ATTACK").unwrap_or_default();
        for (attack, query) in ATTACKS.iter().filter(|(attack, _)| attack.contains(&only)) {
            for (table, ..) in TABLES {
                let dir = store_with_view(table, query);
                for args in READING {
                    assert_cheap(&cost(dir.path(), args), &format!("{attack}, {table}, {args:?}"));
                }
            }
        }
    });
}
