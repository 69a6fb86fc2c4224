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

/// Runs a pipeline whose jobs run at the same time.
fn run_parallel(store: &mut Store, text: &str) -> rundown::record::Ended {
    store.options.jobs = 4;
    run_pipeline(&store.options, &pipeline(text), &Stop::new()).unwrap()
}

#[test]
fn independent_jobs_run_at_the_same_time() {
    let mut store = Store::new();
    // Each job waits for the file of the other one.
    let meet = |mine: &str, other: &str| {
        format!("[jobs.{mine}]\ncommands = ['touch {mine}; until test -e {other}; do :; done']\n")
    };
    let text =
        meet("a", "b") + &meet("b", "a") + "[jobs.c]\nneeds = ['a', 'b']\ncommands = ['true']";
    let ended = run_parallel(&mut store, &text);
    assert_eq!((ended.exit_code, ended.warnings.as_slice()), (0, &[][..]));
    assert_eq!(states(&store), ["a complete", "b complete", "c complete"]);
    let last = "SELECT job_id FROM sh_calls ORDER BY started_at_ms DESC, rowid DESC LIMIT 1";
    assert_eq!(store.sql::<String>(last), ["c"]);
}

#[test]
fn a_stop_reaches_all_running_jobs() {
    let mut store = Store::new();
    store.options.jobs = 2;
    let text = "[jobs.a]\ncommands = ['touch a; exec sleep 60']
        [jobs.b]\ncommands = ['touch b; exec sleep 60']\n[jobs.c]\ncommands = ['true']";
    let recording = Recording::pipeline(&store.options, &pipeline(text)).unwrap();
    let ended = Store::execute_while(recording, |stop| {
        wait_until("both jobs", || {
            ["a", "b"].iter().all(|job| store.dir.path().join(job).exists())
        });
        stop.stop();
    });
    assert_eq!(ended.exit_code, 1);
    assert_eq!(states(&store), ["a aborted", "b aborted", "c aborted"]);
}

#[test]
fn a_job_has_its_own_directory_variables_and_shell() {
    let mut store = Store::new();
    std::fs::create_dir(store.dir.path().join("below")).unwrap();
    let text = r#"
        env = { SHARED = "file", OWN = "file" }
        [jobs.a]
        dir = "below"
        env = { OWN = "job" }
        shell = ["sh", "-c", 'echo "shell: $1"; eval "$1"', "sh"]
        commands = ["echo $SHARED $OWN; basename $PWD", ["echo", "a  b"]]
        [jobs.b]
        dir = "nowhere"
        commands = ["true"]"#;
    let ended = run_parallel(&mut store, text);
    assert_eq!(ended.exit_code, 1);
    assert_eq!(ended.warnings.len(), 1, "{:?}", ended.warnings);
    assert!(ended.warnings[0].contains("nowhere does not exist"), "{:?}", ended.warnings);
    let written = |n| String::from_utf8(store.written(&ended.run, "a", n, Stream::Stdout)).unwrap();
    assert_eq!(written(1), "shell: echo $SHARED $OWN; basename $PWD\nfile job\nbelow\n");
    assert_eq!(written(2), "shell: echo 'a  b'\na  b\n");
    assert_eq!(states(&store), ["a complete", "b failed"]);
}

#[test]
fn a_failed_command_is_repeated_and_each_attempt_is_a_command() {
    let mut store = Store::new();
    let text =
        "[jobs.a]\nretry = 2\ncommands = ['test -e made || { touch made; exit 3; }', 'false']";
    assert_eq!(run_parallel(&mut store, text).exit_code, 1);
    let calls = "SELECT n || ' ' || attempt || ' ' || exit_code
                 FROM sh_calls JOIN sh_events USING (run_id, job_id, started_at_ms) ORDER BY n";
    assert_eq!(store.sql::<String>(calls), ["1 1 3", "2 2 0", "3 1 1", "4 2 1", "5 3 1"]);
}

#[test]
fn a_command_is_ended_with_its_process_group_at_the_time_limit() {
    let mut store = Store::new();
    // The first process ignores SIGTERM, so its child process gets it.
    let text = "[jobs.a]\ntimeout = '200ms'\nallow_failure = true
        commands = ['sleep 60 & echo $! > child; wait', 'echo never']
        [jobs.b]\nneeds = ['a']\ncommands = ['true']";
    let ended = run_parallel(&mut store, text);
    assert_eq!(ended.exit_code, 0, "it is allowed to fail");
    assert_eq!(states(&store), ["a failed", "b complete"]);
    let calls = "SELECT coalesce(ended_by, '-') || ' ' || coalesce(signal, '-') FROM sh_calls
                 ORDER BY job_id";
    assert_eq!(store.sql::<String>(calls), ["timeout 15", "- -"]);
    let child = std::fs::read_to_string(store.dir.path().join("child")).unwrap();
    let proc = Path::new("/proc").join(child.trim_end());
    let is_gone =
        || std::fs::read_to_string(proc.join("stat")).map_or(true, |stat| stat.contains(") Z "));
    wait_until("the end of the child process", is_gone);
}

#[test]
fn a_command_that_exits_with_0_at_its_time_limit_has_failed() {
    let mut store = Store::new();
    let text = "[jobs.a]\ntimeout = '200ms'
        commands = ['trap \"exit 0\" TERM; sleep 60 & wait', 'echo never']";
    assert_eq!(run_parallel(&mut store, text).exit_code, 1);
    assert_eq!(states(&store), ["a failed"]);
    let ends = "SELECT ended_by || ' ' || exit_code
                FROM sh_calls JOIN sh_events USING (run_id, job_id, started_at_ms)";
    assert_eq!(store.sql::<String>(ends), ["timeout 124"]);
}

#[test]
fn jobs_run_after_a_failure_only_if_they_wait_for_one() {
    let mut store = Store::new();
    store.options.fail_fast = true;
    let text = "[jobs.a]\ncommands = ['false']\n[jobs.b]\nneeds = ['a']\ncommands = ['true']
        [jobs.alarm]\nwhen = 'on_failure'\ncommands = ['true']
        [jobs.clean]\nwhen = 'always'\ncommands = ['true']";
    assert_eq!(run_parallel(&mut store, text).exit_code, 1);
    let all = ["a failed", "b skipped", "alarm complete", "clean complete"];
    assert_eq!(states(&store), all);
}
