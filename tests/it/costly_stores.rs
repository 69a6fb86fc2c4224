//! Stores with views in place of tables, whose queries take unlimited time or memory. Every command
//! that reads them ends in time and uses little memory.

use std::time::Duration;

use tempfile::TempDir;

use crate::support::process::{Cost, alone, cost};
use crate::support::unsynced;

/// The limit of the CPU time of a command: 10 s for the database, and 4 s for the rest.
const LONGEST: Duration = Duration::from_secs(14);

/// The memory limit of a command: 64 MiB for the database and its rows, and 16 MiB for the rest.
const LARGEST_BYTES: u64 = (64 + 16) << 20;

const READING: [&[&str]; 6] = [
    &["list"],
    &["list", "--format", "json"],
    &["--once"],
    &["--once", "--format", "json"],
    &["doctor"],
    &["doctor", "--format", "json"],
];

/// The tables that a view may replace: name, key columns, and one more column that is read.
const TABLES: [(&str, &str, &str); 5] = [
    ("runs", "'run-' || i AS id, -i AS pushed_at_ms", "repo"),
    ("jobs", "'run-1' AS run_id, 'job-' || i AS job_id", "state"),
    ("sh", "'run-1' AS run_id, 'job-1' AS job_id, i AS started_at_ms", "cmd"),
    ("sh_events", "'run-1' AS run_id, 'job-1' AS job_id, i AS started_at_ms", "cmd"),
    ("sh_calls", "'run-1' AS run_id, 'job-1' AS job_id, i AS n, i AS started_at_ms", "cmd"),
];

const COUNT: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n";

/// The views: a name, and the query. `COLUMNS` and `VALUE` stand for the columns of [`TABLES`],
/// `COUNT` for [`COUNT`].
const ATTACKS: &[(&str, &str)] = &[
    ("endless", "COUNT) SELECT COLUMNS, 1 AS VALUE FROM n"),
    ("endless without a row", "COUNT) SELECT COLUMNS, 1 AS VALUE FROM n WHERE i < 0"),
    ("many rows", "COUNT LIMIT 5000000) SELECT COLUMNS, 1 AS VALUE FROM n"),
    (
        "rows of a megabyte",
        "COUNT LIMIT 500),
         w(x, k) AS (SELECT 'x', 0 UNION ALL SELECT x || x, k + 1 FROM w LIMIT 21)
         SELECT COLUMNS, (SELECT x FROM w WHERE k = 20) AS VALUE FROM n",
    ),
    (
        "rows of three megabytes",
        "COUNT LIMIT 500),
         w(x, k) AS (SELECT 'xyz', 0 UNION ALL SELECT x || x, k + 1 FROM w LIMIT 21)
         SELECT COLUMNS, (SELECT x FROM w WHERE k = 20) AS VALUE FROM n",
    ),
    (
        "an endless value",
        "w(i, x) AS (SELECT 1, 'x' UNION ALL SELECT i + 1, x || x FROM w)
         SELECT COLUMNS, x AS VALUE FROM w",
    ),
    ("zeros", "COUNT LIMIT 9) SELECT COLUMNS, zeroblob(900000000) AS VALUE FROM n"),
    ("padding", "COUNT LIMIT 9) SELECT COLUMNS, printf('%.*c', 900000000, 'x') AS VALUE FROM n"),
    (
        "a growing replacement",
        "COUNT LIMIT 9)
         SELECT COLUMNS, replace(hex(zeroblob(3000)), '0', hex(zeroblob(9000))) AS VALUE FROM n",
    ),
    (
        "a cross join",
        "COUNT LIMIT 9999)
         SELECT COLUMNS, count(*) AS VALUE
         FROM (SELECT a.i FROM n a, n b, n c WHERE a.i + b.i + c.i < 0 UNION ALL SELECT 1 AS i)",
    ),
    (
        "rows that take two seconds each",
        "COUNT LIMIT 300), m(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM m LIMIT 3000000)
         SELECT COLUMNS, (SELECT count(*) FROM m WHERE k <> n.i) AS VALUE FROM n",
    ),
    (
        "a sort",
        "COUNT LIMIT 3000000)
         SELECT COLUMNS, 'x' || i AS VALUE
         FROM n ORDER BY 'abc' || (i * 7919 % 1000003) || 'defghijklmnopqrstuvw'",
    ),
    (
        "an endless set",
        "n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n) SELECT COLUMNS, 1 AS VALUE FROM n",
    ),
];

/// Makes a store with a view in place of one table. The other tables have 250 rows each.
fn store_with_view(table: &str, attack: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let connection = unsynced(&dir.path().join("quire.db"));
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

#[track_caller]
fn assert_cheap(cost: &Cost, of: &str) {
    println!(
        "{of}: {:?}, {} MiB, {:?} {}",
        cost.time,
        cost.bytes >> 20,
        cost.code,
        cost.stderr.lines().next().unwrap_or("")
    );
    assert!(matches!(cost.code, Some(0 | 1 | 6)), "{of}: {:?}: {}", cost.code, cost.stderr);
    assert!(cost.time < LONGEST, "{of}: {:?}", cost.time);
    assert!(cost.bytes < LARGEST_BYTES, "{of}: {} MiB", cost.bytes >> 20);
}

/// Tests one view of each kind that ends soon. A unit test of the reader covers endless views.
#[test]
fn a_view_in_place_of_a_table_costs_little() {
    alone(a_view_in_place_of_a_table_costs_little, || {
        for (attack, tables) in [
            ("rows of a megabyte", &["runs", "jobs", "sh_calls"][..]),
            ("an endless value", &["sh"]),
            ("padding", &["jobs"]),
            ("many rows", &["sh_events"]),
        ] {
            let (_, query) = ATTACKS.iter().find(|(name, _)| *name == attack).unwrap();
            for table in tables {
                let dir = store_with_view(table, query);
                for args in READING {
                    assert_cheap(&cost(dir.path(), args), &format!("{attack}, {table}, {args:?}"));
                }
            }
        }
    });
}

/// Takes half an hour. Run it with
/// `cargo test --release --test it costly_stores -- --ignored --nocapture`. The environment
/// variable `ATTACK` selects the views whose names contain its value.
#[test]
#[ignore = "it takes half an hour"]
fn every_view_in_place_of_any_table_costs_little() {
    alone(every_view_in_place_of_any_table_costs_little, || {
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
