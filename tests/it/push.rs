//! Runs are pushed to a bucket: complete ones, and active ones in parts.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rundown::store::RunEnd;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::bucket::{Bucket, LOST};
use crate::support::built::{Built, run_id, running, two_runs};
use crate::support::server::Request;
use crate::support::{wait_for, wait_until};

const URL: &str = "s3://runs/ci";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Pushes with these arguments, and returns stderr.
#[track_caller]
fn push(bucket: &Bucket, store: &Built, args: &[&str], code: i32) -> String {
    let output = bucket.run(store.root(), &[&["push", "--root", "."], args].concat());
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{err}");
    err
}

fn spawn(bucket: &Bucket, store: &Built) -> Child {
    let mut command = bucket.rundown(store.root());
    command.args(["push", "--root", ".", URL]).stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn succeeds(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let err = text(&output.stderr);
    assert!(output.status.success(), "{}: {err}", output.status);
    err
}

/// Returns the names of the objects of a run, without those with data, and the entries in lists.
fn names(bucket: &Bucket) -> (Vec<String>, Vec<String>) {
    // A process that was killed may leave its probe of the server.
    let keys = bucket.keys().into_iter().filter(|key| !key.contains("/.rundown-probe-"));
    let (runs, lists): (Vec<String>, Vec<String>) =
        keys.partition(|key| key.starts_with("ci/v1/runs/"));
    let name = |key: &String| key.rsplit('/').next().unwrap().to_owned();
    let names = runs.iter().map(name).filter(|name| !name.starts_with("data-"));
    (names.collect(), lists.iter().map(name).collect())
}

/// Returns the key of the document with this name.
fn key_of(bucket: &Bucket, name: &str) -> Option<String> {
    bucket.keys().into_iter().find(|key| key.ends_with(&format!("/{name}")))
}

/// Returns a document.
fn document(bucket: &Bucket, name: &str) -> Option<Value> {
    let packed = bucket.get(&key_of(bucket, name)?)?;
    let mut json = vec![0; 1 << 20];
    let len = zstd_safe::decompress(&mut json[..], &packed).unwrap();
    Some(serde_json::from_slice(&json[..len]).unwrap())
}

/// Returns the logs in a document: their names, their generations, and the bytes of their pieces.
fn logs(bucket: &Bucket, document: &Value) -> Vec<(String, u64, Vec<u8>)> {
    let jobs = document["run"]["jobs"].as_array().unwrap().iter();
    let logs = jobs.flat_map(|job| job["logs"].as_array().unwrap());
    let log = |log: &Value| {
        let none = Vec::new();
        let pieces = log["pieces"].as_array().unwrap_or(&none).iter();
        let bytes: Vec<u8> = pieces.flat_map(|piece| piece_of(bucket, document, piece)).collect();
        assert_eq!(log["bytes"], bytes.len());
        let generation = log["generation"].as_u64().unwrap_or_default();
        (log["name"].as_str().unwrap().to_owned(), generation, bytes)
    };
    logs.map(log).collect()
}

fn piece_of(bucket: &Bucket, document: &Value, piece: &Value) -> Vec<u8> {
    let object = &document["objects"][usize::try_from(piece["object"].as_u64().unwrap()).unwrap()];
    let bytes = bucket.get(&key_of(bucket, object["name"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(object["bytes"], bytes.len());
    let place = |name: &str| usize::try_from(piece["range"][name].as_u64().unwrap()).unwrap();
    let mut log = vec![0; usize::try_from(piece["bytes"].as_u64().unwrap()).unwrap()];
    let len = zstd_safe::decompress(&mut log[..], &bytes[place("start")..place("end")]).unwrap();
    assert_eq!(len, log.len());
    log
}

/// Returns records with about this many bytes, which differ by `seed`.
fn records(seed: u64, bytes: usize) -> Vec<u8> {
    let line = |n: u64| {
        let number = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed;
        format!("2026-01-02T03:04:05.000000000Z stdout F {number:016x} of many\n")
    };
    (0..).map(line).take(bytes / 67).collect::<String>().into_bytes()
}

/// The requests of a push, without those of the check of the server.
fn requests(bucket: &Bucket) -> Vec<String> {
    let all = bucket.requests().into_iter();
    all.filter(|request| !request.contains(".rundown-probe-")).collect()
}

/// Checks that the bucket contains exactly one complete run with the logs of the store.
#[track_caller]
fn assert_complete(bucket: &Bucket, store: &Built, n: u32) {
    let (names, entries) = names(bucket);
    assert_eq!(names, ["run.json.zst"]);
    assert_eq!(entries.len(), 3, "{entries:?}");
    assert_eq!(entries.iter().collect::<BTreeSet<_>>().len(), 1);
    let document = document(bucket, "run.json.zst").unwrap();
    let data = bucket.keys().iter().filter(|key| key.contains("/data-")).count();
    assert_eq!(document["objects"].as_array().unwrap().len(), data);
    for (name, _, bytes) in logs(bucket, &document) {
        assert!(bytes == fs::read(store.run_dir(&run_id(n)).join(&name)).unwrap(), "{name}");
    }
}

#[test]
fn a_run_that_has_ended_is_pushed_with_few_requests() {
    let (store, bucket) = (two_runs(), Bucket::start());
    let err = push(&bucket, &store, &[URL], 0);
    assert!(err.starts_with("rundown: run 00000002: pushed to s3://runs/ci: 3 logs of "), "{err}");
    assert_complete(&bucket, &store, 2);
    let requests = requests(&bucket);
    let of = |start: &str| requests.iter().filter(|it| it.starts_with(start)).count();
    assert_eq!((of("GET ?ci/v1/runs/"), of("PUT ci/v1/runs/"), of("PUT ci/v1/list/")), (1, 2, 3));
    assert_eq!(requests.len(), 6, "{requests:#?}");
    let document = document(&bucket, "run.json.zst").unwrap();
    assert_eq!(document["schema"], "rundown.remote/1");
    assert_eq!(document["run"]["causes"][0]["job"], "test");
    assert!(bucket.keys()[0].contains("!failed!job-failed!!0!47020!example!"));
    assert!(bucket.keys().iter().all(|key| !key.contains("probe")));
}

#[test]
fn the_same_run_is_pushed_once_and_repaired_later() {
    let (store, bucket) = (two_runs(), Bucket::start());
    push(&bucket, &store, &["--last", "2", URL], 0);
    let complete = bucket.objects();
    bucket.requests();
    let err = push(&bucket, &store, &["latest-failed", URL], 0);
    assert!(err.contains("run 00000002: already pushed to s3://runs/ci: 3 logs of "), "{err}");
    let again = bucket.requests();
    assert!(again.iter().all(|request| request.starts_with("GET ")), "{again:#?}");
    // A push that was killed leaves objects and entries, and misses others.
    let dir = key_of(&bucket, "run.json.zst").unwrap().replace("run.json.zst", "");
    let dir = dir.replace("00000001", "00000002");
    bucket.put(&format!("{dir}live.json.zst"), b"?");
    bucket.put(&format!("{dir}data-{}", "0".repeat(32)), b"?");
    bucket.put(&format!("{dir}other"), b"?");
    let of_run = |key: &&String| key.contains("/list/all/") && key.contains("00000002!failed");
    let entry = complete.keys().find(of_run).unwrap();
    bucket.delete(entry);
    bucket.put(&entry.replace("!failed!job-failed!", "!active!!a"), b"");
    push(&bucket, &store, &["latest-failed", URL], 0);
    bucket.delete(&format!("{dir}other"));
    assert!(bucket.objects() == complete, "{:#?}", bucket.keys());
}

#[test]
fn processes_that_push_the_same_run_do_not_disturb_each_other() {
    for _ in 0..4 {
        let (store, bucket) = (two_runs(), Bucket::start());
        let pushes = [(); 3].map(|()| spawn(&bucket, &store));
        let errs = pushes.map(succeeds).concat();
        assert!(errs.contains(": pushed to"), "{errs}");
        assert_complete(&bucket, &store, 2);
    }
}

#[test]
fn an_active_run_is_pushed_in_parts_and_then_completed() {
    let (mut store, bucket, id) = (running(), Bucket::start(), run_id(1));
    let push = spawn(&bucket, &store);
    wait_until("the first part", || names(&bucket).1.len() == 3);
    let live = document(&bucket, "live.json.zst").unwrap();
    let log = fs::read(store.log_path(&id, "build", 1)).unwrap();
    assert_eq!(logs(&bucket, &live), [("jobs/build/sh-1.log".to_owned(), 0, log.clone())]);
    assert_eq!(live["run"]["recorder"], "alive");
    assert!(bucket.keys()[0].contains("!active!!a!"), "{:?}", bucket.keys());

    store.append(&id, "build", 1, &records(1, 2_100_000));
    let whole = fs::read(store.log_path(&id, "build", 1)).unwrap();
    let part = |len: usize| {
        wait_for("the next part", || {
            let live = document(&bucket, "live.json.zst").unwrap();
            let logs = logs(&bucket, &live);
            if logs[0].2.len() == len { Ok(logs) } else { Err(format!("{}", logs[0].2.len())) }
        })
    };
    assert!(part(whole.len())[0].2 == whole);

    // The log begins again, as after a limit on its size.
    let again = records(2, 2_200_000);
    fs::write(store.log_path(&id, "build", 1), &again).unwrap();
    let logs_again = part(again.len());
    assert!(logs_again[0].1 == 1 && logs_again[0].2 == again);

    store.end(&id, "build", 1, 1, 50_000);
    store.end_run(&id, RunEnd::Failed("job-failed"), 60_000);
    let err = succeeds(push);
    assert!(err.contains("run 00000001: pushed until it ends; Ctrl-C stops"), "{err}");
    assert_complete(&bucket, &store, 1);
    let complete = document(&bucket, "run.json.zst").unwrap();
    assert_eq!(logs(&bucket, &complete)[0].1, 1, "the generation stays");
    assert!(bucket.keys()[0].contains("!failed!job-failed!!"), "{:?}", bucket.keys());
}

#[test]
fn a_push_that_was_killed_is_continued() {
    let (mut store, bucket, id) = (running(), Bucket::start(), run_id(1));
    let path = store.log_path(&id, "build", 1);
    for round in 0..20 {
        let mut push = spawn(&bucket, &store);
        store.append(&id, "build", 1, &records(round, 30_000 * usize::try_from(round).unwrap()));
        thread::sleep(Duration::from_millis(round * 7 % 60));
        push.kill().unwrap();
        push.wait().unwrap();
        let Some(live) = document(&bucket, "live.json.zst") else { continue };
        let (log, found) = (fs::read(&path).unwrap(), logs(&bucket, &live));
        assert_eq!(found[0].1, 0, "round {round}: the log continues");
        assert!(log.starts_with(&found[0].2), "round {round}");
    }
    let push = spawn(&bucket, &store);
    let log = fs::read(&path).unwrap();
    wait_until("a part", || {
        let live = document(&bucket, "live.json.zst");
        live.is_some_and(|live| logs(&bucket, &live)[0].2 == log)
    });
    // Another process has replaced the log while this one was killed.
    let mut push = push;
    push.kill().unwrap();
    push.wait().unwrap();
    let other = records(99, log.len() + 5000);
    fs::write(&path, &other).unwrap();
    let push = spawn(&bucket, &store);
    wait_until("a new generation", || {
        let live = document(&bucket, "live.json.zst").unwrap();
        let log = logs(&bucket, &live).remove(0);
        log.1 == 1 && log.2 == other
    });
    store.end(&id, "build", 1, 0, 50_000);
    store.end_run(&id, RunEnd::Complete, 60_000);
    succeeds(push);
    assert_complete(&bucket, &store, 1);
}

#[test]
fn a_log_that_is_replaced_before_the_end_gets_another_generation() {
    let (mut store, bucket, id) = (running(), Bucket::start(), run_id(1));
    let mut push = spawn(&bucket, &store);
    wait_until("the first part", || names(&bucket).1.len() == 3);
    push.kill().unwrap();
    push.wait().unwrap();
    store.end(&id, "build", 1, 0, 50_000);
    store.end_run(&id, RunEnd::Complete, 60_000);
    let path = store.log_path(&id, "build", 1);
    let log = fs::read(&path).unwrap();
    fs::write(&path, records(1, 1000)).unwrap();
    self::push(&bucket, &store, &[URL], 0);
    assert_complete(&bucket, &store, 1);
    let generation = |bucket| logs(bucket, &document(bucket, "run.json.zst").unwrap())[0].1;
    assert_eq!(generation(&bucket), 1);
    // The same log in another bucket has its first one.
    fs::write(&path, log).unwrap();
    let other = Bucket::start();
    self::push(&other, &store, &[URL], 0);
    assert_eq!(generation(&other), 0);
}

#[test]
fn a_log_that_cannot_be_read_is_left_out() {
    let (store, bucket) = (two_runs(), Bucket::start());
    let path = store.log_path(&run_id(2), "build", 1);
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
    let err = push(&bucket, &store, &[URL], 6);
    assert!(err.contains(": 2 logs of ") && err.contains("is not read: it links"), "{err}");
    let findings = document(&bucket, "run.json.zst").unwrap()["run"]["findings"].to_string();
    assert!(findings.contains("refused"), "{findings}");
    let again = push(&bucket, &store, &[URL], 6);
    assert!(again.contains("already pushed") && again.contains("is not read: it links"), "{again}");
}

#[test]
fn a_bucket_without_deletions_gets_complete_runs() {
    let (mut store, bucket, id) = (running(), Bucket::start(), run_id(1));
    let deny = |request: &Request| (request.method == "DELETE").then(|| "403 Forbidden".to_owned());
    bucket.fail(deny);
    let push = spawn(&bucket, &store);
    wait_until("the first part", || names(&bucket).1.len() == 3);
    store.end(&id, "build", 1, 0, 50_000);
    store.end_run(&id, RunEnd::Complete, 60_000);
    let err = succeeds(push);
    assert!(err.contains("objects that are not needed any more are left: "), "{err}");
    assert_eq!(names(&bucket).0, ["live.json.zst", "run.json.zst"]);
    assert_eq!(names(&bucket).1.len(), 6);
    assert!(bucket.keys().iter().any(|key| key.contains("probe")), "the probe is left, too");
    bucket.heal();
    self::push(&bucket, &store, &[URL], 0);
    for probe in bucket.keys().iter().filter(|key| key.contains("probe")) {
        bucket.delete(probe);
    }
    assert_complete(&bucket, &store, 1);
}

#[test]
fn a_run_that_is_deleted_while_it_is_pushed_is_an_error() {
    let (store, bucket) = (running(), Bucket::start());
    let push = spawn(&bucket, &store);
    wait_until("the first part", || names(&bucket).1.len() == 3);
    let database = rusqlite::Connection::open(store.root().join("rundown.db")).unwrap();
    database.execute_batch("PRAGMA foreign_keys = ON; DELETE FROM runs").unwrap();
    drop(database);
    let output = push.wait_with_output().unwrap();
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{err}");
    assert!(err.contains(" was deleted"), "{err}");
}

/// A server that fails for each request in turn, in one of several ways.
fn flaky() -> impl FnMut(&Request) -> Option<String> + Send {
    let mut number = 0;
    move |_| {
        number += 1;
        let fault = ["", "503 Slow Down", LOST, "500 Internal Server Error"][number / 2 % 4];
        (number % 2 == 0).then(|| fault.to_owned())
    }
}

#[test]
fn a_push_survives_faults_of_the_network() {
    let (store, bucket) = (two_runs(), Bucket::start());
    bucket.fail(flaky());
    push(&bucket, &store, &[URL], 0);
    bucket.heal();
    push(&bucket, &store, &[URL], 0);
    assert_complete(&bucket, &store, 2);
}

/// Returns the answer to a fault of S3 with this code.
fn fault(status: &str) -> impl FnMut(&Request) -> Option<String> + Send + use<> {
    let status = status.to_owned();
    move |request| (request.method == "PUT").then(|| status.clone())
}

#[test]
fn a_bucket_that_cannot_be_written_is_an_error() {
    let (store, bucket) = (two_runs(), Bucket::start());
    bucket.fail(fault("403 Forbidden"));
    let err = push(&bucket, &store, &[URL], 6);
    assert!(err.contains("s3:PutObject"), "{err}");
    // A server that ignores the condition of a write.
    bucket.fail(fault("200 OK"));
    let err = push(&bucket, &store, &[URL], 6);
    assert!(err.contains("cannot push to s3://runs/ci: the server ignores the condition"), "{err}");
    assert!(bucket.keys().is_empty());
    let err = push(&bucket, &store, &["s3://-/x"], 2);
    assert!(err.contains("is not the name of a bucket"), "{err}");
    let err = push(&bucket, &store, &["latest"], 2);
    assert!(err.contains("name the object storage to push to"), "{err}");
    let err = push(&bucket, &store, &["--failed", "main", URL], 2);
    assert!(err.contains("no RUN can be named"), "{err}");
    let path = store.log_path(&run_id(2), "build", 1);
    let err = push(&bucket, &store, &[path.to_str().unwrap(), URL], 2);
    assert!(err.contains("only runs can be pushed"), "{err}");
    let err = push(&bucket, &store, &["nothing", URL], 5);
    assert!(err.contains("nothing"), "{err}");
}

#[test]
fn the_time_after_the_end_of_a_run_is_limited() {
    let (store, bucket) = (two_runs(), Bucket::start());
    bucket.fail(fault("503 Slow Down"));
    let err = push(&bucket, &store, &["--timeout", "4", URL], 6);
    let wanted = "rundown: cannot push to s3://runs/ci: the time limit of 4 s has passed; ";
    assert!(err.starts_with(wanted) && err.contains(" of logs are left"), "{err}");
    assert!(err.contains("to continue: rundown push --root . 00000002 s3://runs/ci"), "{err}");
}

/// A directory whose store is pushed to a bucket.
struct Recorded {
    dir: TempDir,
    bucket: Bucket,
}

impl Recorded {
    fn new() -> Self {
        Self { dir: TempDir::new().unwrap(), bucket: Bucket::start() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bucket.rundown(self.dir.path());
        // A shorter secret is not masked, with a notice.
        command.env("AWS_SECRET_ACCESS_KEY", "of-the-bucket");
        command.env("RUNDOWN_ROOT", self.dir.path().join("S")).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Returns the state and the reason of the run in the bucket.
    fn state(&self) -> (Value, Value) {
        let document = document(&self.bucket, "run.json.zst").unwrap();
        (document["run"]["run"]["state"].clone(), document["run"]["recorder"].clone())
    }
}

#[test]
fn a_recording_is_pushed() {
    let all = Recorded::new();
    let output = all.run(&["record", "--push", URL, "--", "sh", "-c", "echo out; exit 3"]);
    let err = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(3), "out\n".into()), "{err}");
    assert!(err.contains(": pushed to s3://runs/ci: 1 log of "), "{err}");
    assert_eq!(all.state().0, "failed");
    let (names, entries) = names(&all.bucket);
    assert_eq!((names, entries.len()), (vec!["run.json.zst".to_owned()], 2));
    // The address may also be in the environment.
    let output = all.command(&["sh", "-c", "true"]).env("RUNDOWN_PUSH", URL).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(self::names(&all.bucket).0.len(), 2);
    // An invalid one is only a notice.
    let output = all.run(&["record", "--push", "http://x", "--", "sh", "-c", "exit 4"]);
    let err = text(&output.stderr);
    assert!(output.status.code() == Some(4) && err.contains("the run is not pushed: "), "{err}");
}

#[test]
fn a_recording_does_not_depend_on_the_server() {
    let all = Recorded::new();
    all.bucket.fail(|_| Some("503 Slow Down".into()));
    let args = ["record", "--push", URL, "--push-timeout", "1", "--", "sh", "-c", "exit 3"];
    let output = all.run(&args);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{err}");
    let why = "the time limit of 1 s has passed; the server answered 503 Service Unavailable";
    assert!(err.contains(why) && err.contains("to continue: "), "{err}");
    let command = err.split("to continue: rundown ").nth(1).unwrap().trim();
    all.bucket.heal();
    let output = all.run(&command.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(all.state().0, "failed");
}

#[test]
fn a_recording_does_not_wait_for_a_server_that_refuses_it() {
    let all = Recorded::new();
    all.bucket.fail(|_| Some("403 Forbidden".into()));
    let started = Instant::now();
    let output = all.run(&["record", "--push", URL, "--", "sh", "-c", "exit 3"]);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{err}");
    let wanted = " is not pushed: cannot list s3://runs: access denied: ";
    assert!(err.contains(wanted) && err.contains("s3:ListBucket"), "{err}");
    assert!(started.elapsed() < Duration::from_secs(20), "less than the time limit");
}

#[test]
fn a_run_whose_recorder_is_killed_is_pushed_as_interrupted() {
    let all = Recorded::new();
    let args = ["record", "--push", URL, "--", "sh", "-c", "echo begun; exec sleep 60"];
    let mut recorder =
        all.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let command = wait_for("the first part", || {
        let live = document(&all.bucket, "live.json.zst").ok_or("none")?;
        let pid = live["run"]["jobs"][0]["shs"][0]["pid"].as_u64().ok_or("no process")?;
        Ok(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap())
    });
    recorder.kill().unwrap();
    recorder.wait().unwrap();
    wait_until("the complete run", || names(&all.bucket).0 == ["run.json.zst"]);
    kill_process(command, Signal::KILL).unwrap();
    assert_eq!(all.state(), (json!("active"), json!("gone")));
    assert!(names(&all.bucket).1.iter().all(|entry| entry.contains("!active!!g!")));
}

#[test]
fn a_begun_run_is_pushed_until_it_ends() {
    let all = Recorded::new();
    let output = all.run(&["begin", "--push", URL, "--format", "env"]);
    let variables = text(&output.stdout);
    assert!(variables.contains(&format!("RUNDOWN_PUSH={URL}\n")), "{variables}");
    let variables: Vec<_> = variables.lines().map(|line| line.split_once('=').unwrap()).collect();
    let step = |args: &[&str]| {
        let output = all.command(args).envs(variables.clone()).output().unwrap();
        let err = text(&output.stderr);
        assert!(output.status.success(), "{err}");
        err
    };
    wait_until("the first part", || names(&all.bucket).0 == ["live.json.zst"]);
    assert_eq!(step(&["record", "--", "true"]), "", "the run has its push already");
    let err = step(&["end"]);
    assert!(err.contains("pushed to s3://runs/ci: 1 log of "), "{err}");
    wait_until("the complete run", || names(&all.bucket).0 == ["run.json.zst"]);
    assert_eq!(all.state().0, "complete");
}

#[test]
fn a_step_of_a_run_that_is_not_pushed_reports_it() {
    let all = Recorded::new();
    let run = text(&all.run(&["begin"]).stdout);
    let step = all.run(&["record", "--run", run.trim(), "--push", URL, "--", "true"]);
    assert!(text(&step.stderr).contains("--push is ignored"), "{}", text(&step.stderr));
    assert_eq!(all.bucket.keys(), [""; 0]);
}

#[test]
fn an_active_run_of_a_list_is_left_out() {
    let (store, bucket) = (running(), Bucket::start());
    let err = push(&bucket, &store, &["--last", "5", URL], 0);
    assert!(err.contains(" is left out: it has not ended"), "{err}");
    assert!(push(&bucket, &store, &["--last", "0", URL], 2).contains("expected at least 1"));
}

#[test]
fn an_invalid_address_is_named_with_its_source() {
    let (store, bucket) = (two_runs(), Bucket::start());
    let err = push(&bucket, &store, &["latest", "s3:/runs/ci"], 2);
    assert!(err.contains("s3:/runs/ci is not an address in object storage"), "{err}");
    let all = Recorded::new();
    let output = all.command(&["record", "--", "true"]).env("RUNDOWN_PUSH", "x").output().unwrap();
    let err = text(&output.stderr);
    assert!(output.status.success() && err.contains("RUNDOWN_PUSH: x is not an address"), "{err}");
}

#[test]
fn a_copy_of_an_active_run_is_not_pushed() {
    let (store, bucket) = (running(), Bucket::start());
    let copied = bucket.run(store.root(), &["bundle", "--root", ".", "-o", "x.rundown"]);
    assert!(copied.status.success(), "{}", text(&copied.stderr));
    let err = push(&bucket, &store, &["./x.rundown", URL], 2);
    assert!(err.contains("had not ended when it was copied"), "{err}");
    assert_eq!(bucket.keys(), [""; 0]);
}

#[test]
fn a_run_is_pushed_after_its_last_step() {
    let recorded = Recorded::new();
    let begun = recorded.command(&["begin", "--root", "st"]).output().unwrap();
    let id = text(&begun.stdout).trim().to_owned();
    let gate = recorded.dir.path().join("gate");
    let line = "echo first; while ! [ -e gate ]; do sleep 0.02; done; echo last";
    let step = ["record", "--root", "st", "--run", &id, "--", "sh", "-c", line];
    let mut step = recorded.command(&step).stdout(Stdio::null()).spawn().unwrap();
    let listed = || recorded.command(&["--root", "st", "--once"]).output().unwrap().stdout;
    wait_until("the step runs", || text(&listed()).contains("first"));
    assert!(recorded.command(&["end", "--root", "st", &id]).status().unwrap().success());
    let mut push = recorded.command(&["push", "--root", "st", "--timeout", "30", URL]);
    let mut push = push.stderr(Stdio::piped()).spawn().unwrap();
    // Not to synchronize: a push that does not wait ends within this time.
    thread::sleep(Duration::from_millis(300));
    assert!(push.try_wait().unwrap().is_none(), "it waits for the step");
    fs::write(gate, "").unwrap();
    assert!(step.wait().unwrap().success());
    succeeds(push);
    let document = document(&recorded.bucket, "run.json.zst").unwrap();
    let logs = logs(&recorded.bucket, &document);
    assert!(text(&logs[0].2).contains("last"), "{}", text(&logs[0].2));
}
