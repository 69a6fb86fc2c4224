//! Pipelines: the order of their jobs, the states of the jobs, and stopping a pipeline.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rundown::cri::Stream;
use rundown::record::{DEMO, Recording, Stop, load_pipeline, parse_pipeline, run_pipeline};

use super::store::{Store, joined, pipeline};
use crate::support::wait_until;

fn states(store: &Store) -> Vec<String> {
    store.sql("SELECT job_id || ' ' || state FROM jobs ORDER BY rowid")
}

#[test]
fn a_failed_command_ends_its_job_and_skips_only_dependent_jobs() {
    let store = Store::new();
    let text = "
        [jobs.build]\ncommands = ['echo built', ['sh', '-c', 'exit 3'], 'echo never']
        [jobs.test]\nneeds = ['build']\ncommands = ['echo never']
        [jobs.deploy]\nneeds = ['test']\ncommands = ['echo never']
        [jobs.lint]\ncommands = ['echo clean', 'echo very']";
    let ended = run_pipeline(&store.options, &pipeline(text), &Stop::new()).unwrap();
    assert_eq!((ended.exit_code, ended.warnings.as_slice()), (1, &[][..]));
    assert_eq!(states(&store), ["build failed", "test skipped", "deploy skipped", "lint complete"]);
    assert_eq!(
        store.sql::<String>("SELECT state || ' ' || failure_kind FROM runs"),
        ["failed command-failed"]
    );
    let calls = "SELECT job_id || ' ' || n || ' ' || cmd FROM sh_calls ORDER BY rowid";
    assert_eq!(
        store.sql::<String>(calls),
        [
            "build 1 echo built",
            r#"build 2 ["sh","-c","exit 3"]"#,
            "lint 1 echo clean",
            "lint 2 echo very"
        ]
    );
    assert_eq!(store.written(&ended.run, "lint", 2, Stream::Stdout), b"very\n");
    assert!(!store.run_dir(&ended.run).join("jobs/test").exists());
}

#[test]
fn a_passed_pipeline_is_complete() {
    let store = Store::new();
    let text =
        "[jobs.b]\nneeds = ['a']\ncommands = ['test -e made']\n[jobs.a]\ncommands = ['touch made']";
    let ended = run_pipeline(&store.options, &pipeline(text), &Stop::new()).unwrap();
    assert_eq!(ended.exit_code, 0);
    assert_eq!(states(&store), ["a complete", "b complete"]);
    assert_eq!(
        store.sql::<String>("SELECT state FROM runs WHERE failure_kind IS NULL"),
        ["complete"]
    );
}

#[test]
fn the_sample_pipelines_behave_as_documented() {
    let sample = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pipelines").join(name);
        let pipeline = load_pipeline(&path);
        pipeline.map(|pipeline| {
            let store = Store::new();
            let ended = run_pipeline(&store.options, &pipeline, &Stop::new()).unwrap();
            (ended.exit_code, states(&store).join(", "))
        })
    };
    assert_eq!(
        sample("passes.toml").unwrap(),
        (0, "build complete, test complete, lint complete".into())
    );
    let failed = "build complete, test failed, deploy skipped, docs complete";
    assert_eq!(sample("fails.toml").unwrap(), (1, failed.into()));
    let refused = sample("circle.toml").unwrap_err();
    assert_eq!(refused.exit_code(), 2);
    assert!(
        refused
            .to_string()
            .contains("circle.toml:2: dependency cycle: `a` needs `c` needs `b` needs `a`")
    );
}

#[test]
fn pipeline_commands_have_no_stdin() {
    let store = Store::new();
    let ended =
        run_pipeline(&store.options, &pipeline("[jobs.a]\ncommands = ['cat']"), &Stop::new())
            .unwrap();
    assert_eq!(ended.exit_code, 0);
}

#[test]
fn commands_shorter_than_a_millisecond_all_have_a_row() {
    let store = Store::new();
    let commands = vec!["['true']"; 100].join(",");
    let text = format!("[jobs.a]\ncommands = [{commands}]");
    run_pipeline(&store.options, &pipeline(&text), &Stop::new()).unwrap();
    assert_eq!(store.sql::<i64>("SELECT count(DISTINCT started_at_ms) FROM sh_events"), [100]);
    assert_eq!(store.sql::<i64>("SELECT max(n) FROM sh_calls"), [100]);
}

#[test]
fn a_stop_aborts_the_running_job_and_the_pending_jobs() {
    let store = Store::new();
    let text = "
        [jobs.done]\ncommands = ['true']
        [jobs.slow]\ncommands = ['echo ready >&2; exec sleep 60', 'echo never']
        [jobs.later]\ncommands = ['echo never']";
    let started = Instant::now();
    let recording = Recording::pipeline(&store.options, &pipeline(text)).unwrap();
    let log = store.log_path(recording.run(), "slow", 1);
    let ended = Store::execute_while(recording, |stop| {
        wait_until("the slow job", || {
            std::fs::read(&log).is_ok_and(|log| joined(&log, Stream::Stderr) == b"ready\n")
        });
        stop.stop();
    });
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(ended.exit_code, 1);
    assert_eq!(states(&store), ["done complete", "slow aborted", "later aborted"]);
    assert_eq!(
        store.sql::<String>("SELECT state || ' ' || failure_kind FROM runs"),
        ["failed aborted"]
    );
    assert_eq!(store.sql::<i64>("SELECT signal FROM sh_calls WHERE job_id = 'slow'"), [15]);
}

#[test]
fn a_second_stop_kills_a_command_that_ignores_the_first() {
    let store = Store::new();
    let text = "[jobs.deaf]\ncommands = [\"trap '' TERM; echo ready; i=0; \
                while [ $i -lt 400 ]; do sleep 0.05; i=$((i + 1)); done\"]";
    let stop = Stop::new();
    let recording = Recording::pipeline(&store.options, &pipeline(text)).unwrap();
    thread::scope(|scope| {
        let running = scope.spawn(|| recording.execute(&stop));
        wait_until("the job that ignores the first stop", || {
            joined(&store.first_log(), Stream::Stdout) == b"ready\n"
        });
        wait_until("the end of the killed job", || {
            stop.stop();
            running.is_finished()
        });
    });
    assert_eq!(store.sql::<i64>("SELECT signal FROM sh_calls"), [9]);
}

#[test]
fn a_pipeline_stopped_before_its_start_runs_nothing() {
    let store = Store::new();
    let stop = Stop::new();
    stop.stop();
    let ended =
        run_pipeline(&store.options, &pipeline("[jobs.a]\ncommands = ['true']"), &stop).unwrap();
    assert_eq!(ended.exit_code, 1);
    assert_eq!(states(&store), ["a aborted"]);
    assert_eq!(store.sql::<i64>("SELECT count(*) FROM sh_calls"), [0]);
}

#[test]
fn the_demo_fails_in_its_job_test_and_skips_dependent_jobs() {
    let store = Store::new();
    let started = Instant::now();
    let ended = run_pipeline(
        &store.options,
        &parse_pipeline(DEMO, Path::new("demo.toml")).unwrap(),
        &Stop::new(),
    )
    .unwrap();
    assert!(started.elapsed() < Duration::from_mins(1));
    assert_eq!((ended.exit_code, ended.warnings.as_slice()), (1, &[][..]));
    let expected = [
        "build complete",
        "lint complete",
        "test failed",
        "package complete",
        "deploy skipped",
        "report complete",
    ];
    assert_eq!(states(&store), expected);
    let failure = store.written(&ended.run, "test", 2, Stream::Stdout);
    assert!(String::from_utf8(failure).unwrap().contains("panicked at tests/delivery.rs:57:5:"));
    assert_eq!(store.sql::<i64>("SELECT exit_code FROM jobs WHERE job_id = 'test'"), [101]);
}
