//! `--watch`: the screen switches to each new run.

use rundown::catalog::RunFilter;
use rundown::tui::Options;
use rundown::tui::sim::Sim;

use crate::support::built::{Built, at, passed_run, run_id, running, running_run};
use crate::support::screen::{SMALL, options};
use crate::support::session::Session;
use crate::support::{run, stderr};

fn watch(store: &Built, filter: RunFilter) -> Sim {
    let options = Options { watch: true, filter, ..options() };
    Sim::new(store.catalog(), None, options, SMALL, at(120_000))
}

fn open_run(sim: &Sim) -> Option<&str> {
    sim.model.run.as_ref().map(|run| run.head.run.id.short())
}

/// Changes columns of the newest run: `changes` is the `SET` list of the SQL statement.
fn update(store: &Built, changes: &str) {
    let connection = rusqlite::Connection::open(store.root().join("rundown.db")).unwrap();
    let sql = format!("UPDATE runs SET {changes} WHERE id = (SELECT max(id) FROM runs)");
    assert_eq!(connection.execute(&sql, ()).unwrap(), 1);
}

#[test]
fn each_new_run_is_opened_as_soon_as_it_begins() {
    let mut store = running();
    let mut sim = watch(&store, RunFilter::default());
    let mut still = Sim::new(store.catalog(), None, options(), SMALL, at(120_000));
    passed_run(&mut store, &run_id(2), 60_000);
    assert_eq!(open_run(sim.disk()), Some("00000002"));
    assert_eq!(sim.model.runs.at, Some(run_id(2)), "the cursor is on the new run");
    assert_eq!(open_run(still.disk()), Some("00000001"), "without --watch, the run stays");
    // The user can look at an older run.
    sim.keys("(");
    assert_eq!(open_run(&sim), Some("00000001"));
    store.print(&run_id(1), "build", 1, 70_000, rundown::cri::Stream::Stdout, "a row\n");
    assert_eq!(open_run(sim.disk()), Some("00000001"));
    running_run(&mut store, &run_id(3));
    update(&store, "state = 'pending', started_at_ms = NULL");
    assert_eq!(open_run(sim.disk()), Some("00000001"), "the new run has not started");
    update(&store, "state = 'active', started_at_ms = queued_at_ms");
    assert_eq!(open_run(sim.disk()), Some("00000003"));
    assert!(sim.screen().contains("the first row"), "{}", sim.screen());
}

#[test]
fn a_key_switches_watching_on_and_off() {
    let mut store = running();
    let mut sim = Sim::new(store.catalog(), None, options(), SMALL, at(120_000));
    passed_run(&mut store, &run_id(2), 60_000);
    sim.keys("W");
    assert!(sim.screen().contains("switching to each new run"), "{}", sim.screen());
    assert_eq!(open_run(sim.disk()), Some("00000001"), "a run from before the key is not new");
    passed_run(&mut store, &run_id(3), 70_000);
    assert_eq!(open_run(sim.disk()), Some("00000003"));
    sim.keys("W");
    assert!(sim.screen().contains("staying at this run"), "{}", sim.screen());
    passed_run(&mut store, &run_id(4), 80_000);
    assert_eq!(open_run(sim.disk()), Some("00000003"));
}

#[test]
fn only_runs_that_match_the_filter_are_opened() {
    let mut store = Built::new();
    let filter = RunFilter { ref_name: Some("main".into()), ..RunFilter::default() };
    let mut sim = watch(&store, filter);
    assert_eq!(open_run(&sim), None);
    passed_run(&mut store, &run_id(1), 0);
    assert_eq!(open_run(sim.disk()), Some("00000001"), "the first run of the store");
    passed_run(&mut store, &run_id(2), 60_000);
    update(&store, "ref_name = 'refs/heads/dev'");
    assert_eq!(open_run(sim.disk()), Some("00000001"));
    passed_run(&mut store, &run_id(3), 70_000);
    assert_eq!(open_run(sim.disk()), Some("00000003"));
}

#[test]
fn watch_switches_to_new_runs_in_a_terminal() {
    let mut store = running();
    let session = Session::start_with(&store, &["--watch"], &[]);
    session.shown.wait_for_text("the first row");
    passed_run(&mut store, &run_id(2), 60_000);
    session.shown.wait_for_text("main@deadbee  ✓ passed");
    session.press("q");
    assert_eq!(session.exit().code(), Some(0));
    session.shown.wait_for_text("passed 00000002");
    // No run matches at first. Then the ref of a run changes to one that matches.
    let session = Session::start_with(&store, &["--watch", "--ref", "dev"], &[]);
    session.shown.wait_for_text("no run matches --repo and --ref yet");
    update(&store, "ref_name = 'refs/heads/dev'");
    session.shown.wait_for_text("✓ passed");
    session.press("q");
    assert_eq!(session.exit().code(), Some(0));
}

#[test]
fn watch_is_rejected_without_a_screen() {
    let store = running();
    let refused =
        |args: &[&str]| stderr(store.root(), &[&["--root", ".", "--watch"], args].concat(), 2);
    for option in ["--once", "--follow"] {
        let error_text = refused(&[option]);
        assert!(
            error_text.contains(&format!("'--watch' cannot be used with '{option}'")),
            "{error_text}"
        );
    }
    assert_eq!(
        refused(&["main"]),
        "rundown: --watch opens the newest run and then each new one, and takes no RUN\n         \
         to watch a ref or a repository, use --ref or --repo\n"
    );
    let prints = "another option prints the run and exits";
    for (args, why) in [
        (&["--failed"][..], prints),
        (&["--format", "json"], prints),
        (&[], "stdout is not a terminal"),
    ] {
        assert_eq!(
            refused(args),
            format!(
                "rundown: --watch needs the screen, but {why}\n         \
                 to print the newest run until it ends, use --follow\n"
            )
        );
    }
    let session = Session::start_with(&store, &["--watch"], &[("TERM", "dumb")]);
    session.shown.wait_for_text("but ACCESSIBLE or TERM=dumb replaces it with plain lines");
    assert_eq!(session.exit().code(), Some(2));
    assert_eq!(run(store.root(), &["list", "--watch"]).status.code(), Some(2));
}
