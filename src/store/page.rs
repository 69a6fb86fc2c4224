//! SQL for one page of a list of runs. The query reads as few rows as the indexes allow.
//!
//! A page continues after a run, not after a number of runs, so the thousandth page costs as much
//! as the first. Each arm of the query (a SELECT of its UNION ALL) walks an index, newest run
//! first. If the only index groups the runs by repository, each repository has an arm, and SQLite
//! merges the arms as far as the page needs. Conditions without an index are checked on the merged
//! runs: inside an arm, they could read a whole repository without finding a run. Without any
//! index, all rows are scanned and only the listed ones are kept.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::dialect::{Dialect, Walk};
use crate::model::{Outcome, RunId};
use crate::time::Time;

/// The maximum number of arms with one repository each. SQLite allows 500 arms.
const MAX_ARMS: usize = 256;

/// A request for a page of runs, newest first.
#[derive(Clone, Default, Debug)]
pub struct RunPage {
    /// Only runs of this repository.
    pub repo: Option<String>,
    /// Only runs that match each of these refs, with or without `refs/heads/` or `refs/tags/`.
    pub ref_names: Vec<String>,
    /// Only runs of a commit that begins with these hexadecimal digits.
    pub commit: Option<String>,
    /// Only runs of another commit than this one.
    pub not_commit: Option<String>,
    /// Only the run with this id. If there is no such run, the runs whose ids begin or end with
    /// this text.
    pub id_part: Option<String>,
    /// Only runs with one of these outcomes; `None` stands for runs without an outcome. Empty for
    /// all runs.
    pub outcomes: Vec<Option<Outcome>>,
    /// Only runs of this time or later. The time of a run is the one that the list is ordered by.
    pub since: Option<Time>,
    /// Only runs of this time or earlier.
    pub until: Option<Time>,
    /// Only the nearest runs on one side of a run.
    pub beside: Option<Beside>,
    /// The number of newer runs to skip.
    pub skip: usize,
    /// The maximum number of runs to return.
    pub limit: usize,
}

/// A side of a run in the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Beside {
    /// Runs older than this one.
    Older(RunId),
    /// Runs newer than this one.
    Newer(RunId),
}

impl Beside {
    /// Returns the run itself.
    #[must_use]
    pub const fn run(&self) -> &RunId {
        match self {
            Self::Older(run) | Self::Newer(run) => run,
        }
    }
}

/// A query for runs, and its values. If the page is of runs newer than a given run, the rows come
/// oldest first.
pub(super) struct Query {
    pub sql: String,
    pub values: Vec<Value>,
}

/// One SELECT of the query: its source and its conditions.
struct Arm {
    from: &'static str,
    wanted: Vec<String>,
}

impl Arm {
    fn new(wanted: impl IntoIterator<Item = String>) -> Self {
        Self { from: "v_runs", wanted: wanted.into_iter().collect() }
    }

    fn sql(&self, columns: &str, also: &[String]) -> String {
        let wanted =
            self.wanted.iter().chain(also).map(String::as_str).collect::<Vec<_>>().join(" AND ");
        let filter = if wanted.is_empty() { String::new() } else { format!(" WHERE {wanted}") };
        format!("SELECT {columns}, order_ms FROM {}{filter}", self.from)
    }
}

/// Builds the query for a page; `None` if the page starts from a run that does not exist (any
/// more).
pub(super) fn query(
    connection: &Connection,
    dialect: &Dialect,
    columns: &str,
    page: &RunPage,
) -> rusqlite::Result<Option<Query>> {
    let mut values = Vec::new();
    let mut also = Vec::new();
    if let Some(repo) = &page.repo {
        also.push(format!("repo = {}", bind(&mut values, repo.clone())));
    }
    let (side, way) =
        if let Some(Beside::Newer(_)) = page.beside { (">", "ASC") } else { ("<", "DESC") };
    if let Some(beside) = &page.beside {
        let id = beside.run();
        if !is_there(connection, id)? {
            return Ok(None);
        }
        let id = bind(&mut values, id.as_str().to_owned());
        // The sort value is compared inside SQLite: it may be text that is not UTF-8.
        also.push(format!(
            "(order_ms, id) {side} ((SELECT order_ms FROM v_runs WHERE id = {id}), {id})"
        ));
    }
    for (bound, side) in [(page.since, ">="), (page.until, "<=")] {
        if let Some(at) = bound {
            also.push(format!("order_ms {side} {}", bind(&mut values, at.floor_millis())));
        }
    }
    let unindexed = unindexed(page, &mut values);
    let arms = arms(connection, dialect, page, &mut values)?;
    let is_merged = page.id_part.is_none() && arms.len() > 1;
    if !is_merged {
        also.extend_from_slice(&unindexed);
    }
    let arms: Vec<String> = arms.iter().map(|arm| arm.sql(columns, &also)).collect();
    let sorted = format!("{} ORDER BY order_ms {way}, id {way}", arms.join(" UNION ALL "));
    let rows = if is_merged && !unindexed.is_empty() {
        // A LIMIT keeps SQLite from flattening the inner query into the outer one, which would lose
        // the order of the inner one.
        format!("SELECT * FROM ({sorted} LIMIT -1) WHERE {}", unindexed.join(" AND "))
    } else {
        sorted
    };
    let sql = format!("{rows} LIMIT {} OFFSET {}", as_sql(page.limit), as_sql(page.skip));
    Ok(Some(Query { sql, values }))
}

/// Returns the conditions that no index helps with.
fn unindexed(page: &RunPage, values: &mut Vec<Value>) -> Vec<String> {
    let mut wanted = Vec::new();
    for ref_name in &page.ref_names {
        let forms: Vec<String> =
            forms_of(ref_name).into_iter().map(|form| bind(values, form)).collect();
        wanted.push(format!("ref_name IN ({})", forms.join(", ")));
    }
    if let Some(commit) = &page.commit {
        let commit = bind(values, commit.to_ascii_lowercase());
        wanted.push(format!("lower(substr(sha, 1, length({commit}))) = {commit}"));
    }
    if let Some(commit) = &page.not_commit {
        wanted.push(format!("sha <> {}", bind(values, commit.clone())));
    }
    if !page.outcomes.is_empty() {
        let codes = page.outcomes.iter().map(|outcome| outcome.map_or(NO_OUTCOME, outcome_code));
        let codes: Vec<String> = codes.map(|code| bind(values, code)).collect();
        let outcome = format!("coalesce(outcome(state, reason), {NO_OUTCOME})");
        wanted.push(format!("{outcome} IN ({})", codes.join(", ")));
    }
    wanted
}

/// Returns the forms in which a store may contain a ref: as it is, and with or without the
/// namespace of branches or tags.
pub(crate) fn forms_of(ref_name: &str) -> Vec<String> {
    const NAMESPACES: [&str; 2] = ["refs/heads/", "refs/tags/"];
    let longer = NAMESPACES.iter().map(|space| format!("{space}{ref_name}"));
    let shorter = NAMESPACES.iter().filter_map(|space| ref_name.strip_prefix(space));
    std::iter::once(ref_name.to_owned())
        .chain(longer)
        .chain(shorter.map(ToOwned::to_owned))
        .collect()
}

fn arms(
    connection: &Connection,
    dialect: &Dialect,
    page: &RunPage,
    values: &mut Vec<Value>,
) -> rusqlite::Result<Vec<Arm>> {
    if let Some(part) = &page.id_part {
        return Ok(if is_there(connection, &RunId(part.clone()))? {
            vec![Arm::new([format!("id = {}", bind(values, part.clone()))])]
        } else {
            by_part(part, values)
        });
    }
    let repos = match dialect.walk {
        Walk::ByRepo if page.repo.is_none() => repos(connection)?,
        Walk::ByTime | Walk::ByRepo | Walk::Scan => None,
    };
    let Some(repos) = repos else { return Ok(vec![Arm::new([])]) };
    Ok(repos.into_iter().map(|repo| Arm::new([format!("repo = {}", bind(values, repo))])).collect())
}

/// Builds two arms. The first finds the ids that begin with `part`, which are adjacent in the
/// index. The second scans all ids in the index, and reads only the rows whose id ends with `part`.
fn by_part(part: &str, values: &mut Vec<Value>) -> Vec<Arm> {
    let (first, last) = (bind(values, part.to_owned()), bind(values, format!("{part}\u{10FFFF}")));
    let begins_so = format!("substr(id, 1, length({first})) = {first}");
    let ending = "(SELECT id AS found FROM v_runs) CROSS JOIN v_runs ON id = found";
    let ends_so = format!("substr(found, -length({first})) = {first}");
    vec![
        Arm::new([format!("id BETWEEN {first} AND {last}"), begins_so.clone()]),
        Arm { from: ending, wanted: vec![ends_so, format!("NOT {begins_so}")] },
    ]
}

/// Lists the repositories, each found by one step in the index. Returns `None` if there is no
/// repository, if there are more than [`MAX_ARMS`], or if a name is not UTF-8.
fn repos(connection: &Connection) -> rusqlite::Result<Option<Vec<Value>>> {
    let sql = "WITH RECURSIVE r(repo) AS (
                 SELECT min(repo) FROM main.runs
                 UNION ALL
                 SELECT (SELECT min(repo) FROM main.runs WHERE repo > r.repo)
                 FROM r WHERE r.repo IS NOT NULL
               )
               SELECT repo FROM r WHERE repo IS NOT NULL LIMIT ?";
    let limit = as_sql(MAX_ARMS + 1);
    let repo = |row: &Row<'_>| Ok(Value::try_from(row.get_ref(0)?).ok());
    let found: Option<Vec<Value>> =
        connection.prepare(sql)?.query_map([limit], repo)?.collect::<Result<_, _>>()?;
    Ok(found.filter(|found| (1..=MAX_ARMS).contains(&found.len())))
}

fn is_there(connection: &Connection, id: &RunId) -> rusqlite::Result<bool> {
    connection.prepare("SELECT 1 FROM v_runs WHERE id = ?")?.exists([id.as_str()])
}

fn bind(values: &mut Vec<Value>, value: impl Into<Value>) -> String {
    values.push(value.into());
    format!("?{}", values.len())
}

/// The number that stands for no outcome in SQL.
const NO_OUTCOME: i64 = -1;

/// Returns the number of an [`Outcome`] in SQL.
pub(super) const fn outcome_code(outcome: Outcome) -> i64 {
    outcome as i64
}

fn as_sql(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Query {
    /// Returns the values in the order of their numbers.
    pub fn params(&self) -> impl rusqlite::Params + '_ {
        params_from_iter(&self.values)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::dialect::define_views;
    use super::super::read::define_functions;
    use super::super::schema;
    use super::*;

    const QUIRE_2: &str = include_str!("../../fixtures/stores/quire-schema-steps/v02.sql");
    const QUIRE_11: &str = include_str!("../../fixtures/stores/quire-schema-steps/v11.sql");

    /// Opens a database in memory, with its dialect.
    fn opened(sql: &str) -> (Connection, Dialect) {
        let mut connection = Connection::open_in_memory().unwrap();
        if sql.is_empty() {
            schema::migrate(&mut connection, Path::new("ours.db")).unwrap();
        }
        connection.execute_batch(sql).unwrap();
        let dialect = define_views(&connection, Path::new("some.db")).unwrap();
        define_functions(&connection).unwrap();
        (connection, dialect)
    }

    fn ids((connection, dialect): &(Connection, Dialect), page: &RunPage) -> Option<Vec<String>> {
        let query = query(connection, dialect, "id", page).unwrap()?;
        let mut statement = connection.prepare(&query.sql).unwrap();
        let rows = statement.query_map(query.params(), |row| row.get(0)).unwrap();
        Some(rows.collect::<Result<_, _>>().unwrap())
    }

    /// Returns SQLite's query plan, one line per step.
    fn plan((connection, dialect): &(Connection, Dialect), page: &RunPage) -> String {
        let query = query(connection, dialect, "id, repo, ref_name, sha, state, reason", page)
            .unwrap()
            .unwrap();
        let mut statement =
            connection.prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql)).unwrap();
        let steps = statement.query_map(query.params(), |row| row.get::<_, String>(3)).unwrap();
        steps.map(|step| step.unwrap() + "\n").collect()
    }

    fn by_repo(repo: &str) -> RunPage {
        RunPage { repo: Some(repo.into()), ..all() }
    }

    fn all() -> RunPage {
        RunPage { limit: 50, ..RunPage::default() }
    }

    #[test]
    fn no_page_reads_or_sorts_more_rows_than_it_lists() {
        for sql in ["", QUIRE_2, QUIRE_11] {
            let database = opened(sql);
            let before = ids(&database, &all()).unwrap().into_iter().nth(1).map(RunId);
            for page in [
                all(),
                by_repo("demo.git"),
                RunPage { ref_names: vec!["main".into()], ..all() },
                RunPage { commit: Some("dead".into()), ..all() },
                RunPage { outcomes: vec![Some(Outcome::Failed), None], ..all() },
                RunPage { since: Some(Time::from_millis(5)), ..all() },
                RunPage { until: Some(Time::from_millis(5)), ..by_repo("demo.git") },
                RunPage { beside: before.clone().map(Beside::Older), ..all() },
                RunPage { beside: before.clone().map(Beside::Newer), ..all() },
                RunPage { beside: before.map(Beside::Older), ..by_repo("demo.git") },
                RunPage { skip: 7, limit: 1, ..all() },
            ] {
                let plan = plan(&database, &page);
                assert!(plan.contains("USING INDEX runs_"), "{page:?}\n{plan}");
                let side = page
                    .beside
                    .as_ref()
                    .map(|beside| if let Beside::Older(_) = beside { "<?" } else { ">?" });
                assert!(
                    side.is_none_or(|side| plan.contains(&format!("pushed_at_ms{side}"))),
                    "{page:?}\n{plan}"
                );
                let bounds = [(page.since.is_some(), ">?"), (page.until.is_some(), "<?")];
                let is_used = |side| plan.contains(&format!("pushed_at_ms{side}"));
                assert!(
                    bounds.iter().all(|(is_set, side)| !is_set || is_used(side)),
                    "{page:?}\n{plan}"
                );
                let is_bad = |step: &str| {
                    step.contains("SCAN main.runs") && !step.contains("USING INDEX")
                        || step.contains("B-TREE FOR ORDER BY")
                };
                assert!(
                    !plan.lines().any(is_bad) && !plan.contains("MATERIALIZE"),
                    "{page:?}\n{plan}"
                );
            }
        }
    }

    #[test]
    fn repositories_and_ids_are_found_by_their_indexes() {
        let database = opened(QUIRE_11);
        assert_eq!(database.1.walk, Walk::ByRepo);
        assert_eq!(
            repos(&database.0).unwrap().unwrap(),
            ["demo.git", "work/grouped.git"].map(|r| Value::from(r.to_owned()))
        );
        let part = |part: &str| RunPage { id_part: Some(part.into()), ..all() };
        let plan = plan(&database, &part("01a2076e"));
        let steps: Vec<&str> =
            plan.lines().filter(|step| step.contains("SEARCH") || step.contains("SCAN")).collect();
        assert!(steps[0].starts_with("SEARCH") && steps[0].contains("(id>? AND id<?)"), "{plan}");
        assert!(steps[1].contains("COVERING INDEX"), "{plan}");
        assert!(steps[2].starts_with("SEARCH") && steps[2].contains("(id=?)"), "{plan}");
        assert_eq!(ids(&database, &part("01a2076e")).unwrap().len(), 5);
        assert_eq!(
            ids(&database, &part("e1bc42")).unwrap(),
            ["01a2076e-ef8c-71b1-93c7-dab6a7e1bc42"]
        );
    }

    /// Returns SQL that creates 60 runs. Several runs have the same time, and some have no time or
    /// a time that is not a number.
    fn odd_runs(columns: &str, index: &str) -> String {
        let row = |n: i32| {
            let time = match n % 10 {
                8 if !columns.contains("NOT NULL") => "NULL".to_owned(),
                9 => format!("'t{n}'"),
                _ => (1_000 - n / 3).to_string(),
            };
            format!("INSERT INTO runs VALUES ('id-{n:02}', 'repo-{}', {time});", n % 7)
        };
        let rows: Vec<String> = (0..60).map(row).collect();
        format!("CREATE TABLE runs({columns}); {index}; {}", rows.concat())
    }

    #[test]
    fn consecutive_pages_form_the_whole_list_with_any_indexes() {
        let not_null = "id PRIMARY KEY, repo NOT NULL, pushed_at_ms NOT NULL";
        for (columns, index, walk) in [
            (not_null, "CREATE INDEX i ON runs(pushed_at_ms DESC, id DESC)", Walk::ByTime),
            (not_null, "CREATE INDEX i ON runs(REPO, PUSHED_AT_MS DESC)", Walk::ByRepo),
            (not_null, "CREATE INDEX i ON runs(repo, pushed_at_ms) WHERE repo > 'r'", Walk::Scan),
            ("id, Repo, Pushed_At_Ms", "CREATE INDEX i ON runs(repo, pushed_at_ms)", Walk::Scan),
            (
                "id PRIMARY KEY, repo NOT NULL, later",
                "CREATE INDEX i ON runs(repo, later)",
                Walk::Scan,
            ),
        ] {
            let database = opened(&odd_runs(columns, index));
            assert_eq!(database.1.walk, walk, "{index}");
            let whole = "SELECT id FROM v_runs ORDER BY order_ms DESC, id DESC";
            let mut statement = database.0.prepare(whole).unwrap();
            let whole: Vec<String> = statement
                .query_map((), |row| row.get(0))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            assert_eq!(whole.len(), 60);
            let mut listed: Vec<String> = Vec::new();
            loop {
                let beside = listed.last().cloned().map(RunId).map(Beside::Older);
                let page =
                    ids(&database, &RunPage { beside, limit: 7, ..RunPage::default() }).unwrap();
                if page.is_empty() {
                    break;
                }
                listed.extend(page);
            }
            assert_eq!(listed, whole, "{index}");
            let beside = Some(Beside::Newer(RunId(whole[20].clone())));
            let mut newer =
                ids(&database, &RunPage { beside, limit: 7, ..RunPage::default() }).unwrap();
            newer.reverse();
            assert_eq!(newer, whole[13..20], "{index}");
            let nth = RunPage { skip: 20, limit: 1, ..RunPage::default() };
            assert_eq!(ids(&database, &nth).unwrap(), [whole[20].clone()]);
            let of_one: Vec<String> = ids(&database, &by_repo("repo-3")).unwrap();
            assert_eq!(of_one.len(), 9);
        }
    }

    #[test]
    fn a_page_after_a_deleted_run_is_none() {
        let gone = RunPage { beside: Some(Beside::Older(RunId("gone".into()))), ..all() };
        assert_eq!(ids(&opened(QUIRE_2), &gone), None);
    }

    #[test]
    fn runs_of_more_repositories_than_arms_are_listed_by_one_query() {
        let (connection, dialect) = opened(QUIRE_11);
        for n in 0..=as_sql(MAX_ARMS) {
            let sql = "INSERT INTO runs(id, repo, ref_name, sha, pushed_at_ms, created_at) \
                       VALUES (?1, ?1, '', '', ?2, 0)";
            connection.execute(sql, (format!("run-{n:03}"), 2_000_000_000_000 + n)).unwrap();
        }
        assert!(repos(&connection).unwrap().is_none());
        let database = (connection, dialect);
        assert_eq!(ids(&database, &RunPage { limit: 2, ..all() }).unwrap(), ["run-256", "run-255"]);
        database.0.execute_batch("DELETE FROM runs WHERE id < 'run-003' AND id >= 'run'").unwrap();
        assert_eq!(
            repos(&database.0).unwrap().unwrap().len(),
            MAX_ARMS,
            "as many arms as there may be"
        );
        assert_eq!(ids(&database, &RunPage { limit: 2, ..all() }).unwrap(), ["run-256", "run-255"]);
    }
}
