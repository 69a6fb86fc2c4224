//! `--once` and `list` on rundown's own stores, on single logs, on directories of logs, and on
//! other files.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rundown::store::JobEnd;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::built::{self, Built, run_id};
use crate::support::{fixture, json, json_lines, run, rundown, stderr, stdout};

/// Records a run in the store `R`: a command that writes to both streams and fails.
fn failed_run() -> TempDir {
    let dir = TempDir::new().unwrap();
    let script = "echo one; echo two >&2; printf '\\033[31mred\\033[0m \\a'; exit 3";
    let message = stdout(
        dir.path(),
        &["record", "--root", "R", "--job", "test", "--", "sh", "-c", script],
        3,
    );
    assert_eq!(message, "one\n\x1b[31mred\x1b[0m \x07");
    dir
}

#[test]
fn a_command_that_could_not_be_started_has_the_reason() {
    let dir = TempDir::new().unwrap();
    stdout(dir.path(), &["record", "--root", "R", "--", "./missing", "--fast"], 127);
    let text = stdout(dir.path(), &["--root", "R", "--once"], 0);
    let reason = "exit 127 (could not be started: No such file or directory)";
    assert!(text.contains(reason), "{text}");
    let document = json(dir.path(), &["--root", "R", "--once", "--format", "json"], 0);
    let sh = &document["run"]["jobs"][0]["commands"][0];
    assert_eq!(sh["start_error"], "No such file or directory");
}

#[test]
fn a_skipped_job_names_the_jobs_that_may_have_caused_it() {
    let (mut store, run) = (Built::new(), run_id(1));
    store.begin(&run, &["a", "b", "c", "d", "e"], 0);
    store.end_job(&run, "e", JobEnd::Skipped, 50);
    for (job, reason) in [
        ("a", "⊘ skipped  e  (a failed)"),
        ("b", "⊘ skipped  e  (one of a, b failed)"),
        ("c", "⊘ skipped  e  (one of a, b, c failed)"),
        ("d", "⊘ skipped  e  (one of a, b, c, … failed)"),
    ] {
        store.start(&run, job, 1, "x", 10);
        store.end(&run, job, 1, 1, 20);
        store.end_job(&run, job, JobEnd::Failed(1), 30);
        let text = stdout(store.root(), &["--root", ".", "--once"], 0);
        assert!(text.lines().any(|line| line == reason), "{text}");
    }
}

#[test]
fn a_run_in_json_has_the_documented_schema() {
    let dir = failed_run();
    let document =
        json(dir.path(), &["--root", "R", "--once", "--format", "json", "--exit-status"], 1);
    let (run, job) = (&document["run"], &document["run"]["jobs"][0]);
    assert_eq!(
        (&run["state"], &run["phase"], &run["reason"]),
        (&json!("failed"), &json!("finished"), &json!("command-failed"))
    );
    assert_eq!(
        (&run["ref"], &run["sha"]),
        (&Value::Null, &Value::Null),
        "outside a repository, the ref and the commit are null, not empty"
    );
    assert_eq!(
        (&job["id"], &job["state"], &job["exit_code"]),
        (&json!("test"), &json!("failed"), &json!(3))
    );
    let sh = &job["commands"][0];
    assert_eq!(
        (&sh["n"], &sh["join"], &sh["state"], &sh["exit_code"]),
        (&json!(1), &json!("exact"), &json!("failed"), &json!(3))
    );
    assert_eq!(sh["argv"].as_array().unwrap().len(), 3);
    let log = &sh["log"];
    assert_eq!(
        (&log["rows"], &log["stdout_records"], &log["stderr_records"], &log["malformed"]),
        (&json!(3), &json!(2), &json!(1), &json!(0))
    );
    let path = log["path"].as_str().unwrap();
    assert_eq!(fs::metadata(dir.path().join("R").join(path)).unwrap().len(), log["bytes"]);
    let outcomes = [&run["outcome"], &job["outcome"], &sh["outcome"]];
    assert_eq!(outcomes, [&json!("failed"); 3]);
    let cause = &sh["cause"];
    assert_eq!((&cause["matched"], &cause["tool"]), (&json!(false), &json!(null)));
    let rows = cause["rows"].as_array().unwrap();
    let last_words = rows.iter().find(|row| row["row"] == cause["row"]);
    assert_eq!(last_words.map(|row| &row["stream"]), Some(&json!("stderr")));
    assert_eq!(rows.len(), 3, "the last rows");
}

/// The failures are logs without a store.
#[test]
fn the_cause_in_json_has_the_rows_of_jsonl() {
    let mut matched = 0;
    for entry in fs::read_dir(fixture("failures")).unwrap() {
        let log = entry.unwrap().path();
        let (dir, name) = (log.parent().unwrap(), log.to_str().unwrap());
        let document = json(dir, &["--format", "json", name], 0);
        let sh = &document["run"]["jobs"][0]["commands"][0];
        assert_eq!(
            (&document["run"]["outcome"], &sh["outcome"]),
            (&json!("unknown"), &json!("unknown"))
        );
        let cause = &sh["cause"];
        if cause.is_null() {
            continue;
        }
        matched += 1;
        assert_eq!(cause["matched"], true, "{name}: only the log is known");
        let rows = json_lines(dir, &["--format", "jsonl", name]);
        let found = cause["rows"].as_array().unwrap();
        assert!(found.iter().any(|row| row["row"] == cause["row"]), "{name}: {cause}");
        for row in found {
            let at = usize::try_from(row["row"].as_u64().unwrap()).unwrap();
            let whole = &rows[at - 1];
            for key in ["row", "stream", "at", "text"] {
                assert_eq!(row[key], whole[key], "{name}, row {at}");
            }
        }
    }
    assert!(matched > 50, "{matched} causes");
}

#[test]
fn a_failed_command_has_its_cause_in_json_and_a_passed_one_has_none() {
    let dir = TempDir::new().unwrap();
    let pipeline = "[jobs.a]
        commands = ['echo error: no failure', 'echo start; echo error: no such file >&2; exit 4']";
    fs::write(dir.path().join("p.toml"), pipeline).unwrap();
    run(dir.path(), &["exec", "--root", "R", "--quiet", "--merge", "p.toml"]);
    let document = json(dir.path(), &["--root", "R", "--format", "json"], 0);
    let [passed, failed] = &document["run"]["jobs"][0]["commands"].as_array().unwrap()[..] else {
        panic!("{document}")
    };
    assert_eq!((&passed["outcome"], &passed["cause"]), (&json!("passed"), &json!(null)));
    let cause = &failed["cause"];
    assert_eq!((&cause["matched"], &cause["row"]), (&json!(true), &json!(2)), "{cause}");
    assert_eq!(cause["rows"][1]["text"], "error: no such file");
}

#[test]
fn text_output_is_readable_and_harmless() {
    let dir = failed_run();
    let text = stdout(dir.path(), &["--root", "R", "--once"], 0);
    assert!(text.starts_with("✗ failed  (command-failed)  "), "{text}");
    assert!(text.contains("  ✗ failed  1  sh -c "), "{text}");
    let is_row = |line: &&str| line.starts_with("    ") || line.starts_with("  E ");
    let (cause, commands) = text.split_once("\n\n✗ failed  ").unwrap();
    for part in [cause, commands] {
        let mut rows: Vec<&str> = part.lines().filter(is_row).collect();
        rows.sort_unstable();
        assert_eq!(rows, ["    one", "    red ␇", "  E two"]);
    }
    let colored = stdout(dir.path(), &["--root", "R", "--once", "--color", "always"], 0);
    assert!(
        colored.contains("\x1b[0;31mred\x1b[0m ␇") && colored.contains("\x1b[0;33mtwo\x1b[0m"),
        "{colored:?}"
    );
}

#[test]
fn rows_have_timestamps_in_the_requested_format() {
    let dir = TempDir::new().unwrap();
    let log = "2026-01-02T03:04:05.5Z stdout F a\n2026-01-02T03:04:07Z stderr F b\nno record\n";
    fs::write(dir.path().join("sh-1.log"), log).unwrap();
    let rows = |style: &str| {
        let text = stdout(
            dir.path(),
            &["--once", "./sh-1.log", "-t", style, "--timezone", "Asia/Kolkata"],
            0,
        );
        text.lines().skip(1).map(|line| line[2..].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(rows("none"), ["  a", "E b", "! no record"]);
    assert_eq!(
        rows("time"),
        ["  08:34:05.500  a", "E 08:34:07.000  b", "!               no record"]
    );
    assert_eq!(
        rows("relative"),
        ["      +0.000s  a", "E     +1.500s  b", "!              no record"]
    );
    assert_eq!(rows("delta"), ["               a", "E     +1.500s  b", "!              no record"]);
    assert_eq!(rows("full")[1], "E 2026-01-02 08:34:07.000000000+05:30  b");
    assert!(
        stderr(dir.path(), &["--once", "./sh-1.log", "--timezone", "Mars"], 2)
            .contains("unknown time zone")
    );
}

#[test]
fn a_tail_reports_omitted_rows_and_keeps_the_row_numbers() {
    let dir = TempDir::new().unwrap();
    let line = |n: u32| {
        format!(
            "2026-01-02T03:04:05Z {} F row {n}\n",
            if n.is_multiple_of(10) { "stderr" } else { "stdout" }
        )
    };
    fs::write(dir.path().join("sh-1.log"), (1..=100).map(line).collect::<String>()).unwrap();
    let text = stdout(dir.path(), &["--once", "./sh-1.log", "--tail", "2"], 0);
    assert!(
        text.contains("  sh-1.log\n    … 3.5 KiB omitted\n    row 99\n  E row 100\n"),
        "{text}"
    );
    let rows =
        json_lines(dir.path(), &["--once", "./sh-1.log", "--tail", "2", "--format", "jsonl"]);
    assert_eq!([&rows[0]["row"], &rows[1]["row"]], [99, 100]);
    let lines =
        json_lines(dir.path(), &["--once", "./sh-1.log", "--tail", "2", "--format", "records"]);
    assert_eq!([&lines[0]["line"], &lines[1]["line"]], [99, 100]);
    assert!(
        stderr(dir.path(), &["--once", "./sh-1.log", "--tail", "2", "--format", "raw"], 0)
            .contains("omitted")
    );
    let raw = ["--once", "./sh-1.log", "--tail", "2", "--format", "raw", "--stream", "stderr"];
    assert_eq!(stdout(dir.path(), &raw, 0), "row 90\nrow 100\n");
}

#[test]
fn a_tail_of_long_and_interleaved_rows_contains_whole_rows() {
    let dir = TempDir::new().unwrap();
    let piece = |tag: &str| format!("2026-01-02T03:04:05Z stdout {tag} {}\n", "x".repeat(16_384));
    let log =
        format!("2026-01-02T03:04:04Z stdout F before\n{}{}", piece("P").repeat(100), piece("F"));
    fs::write(dir.path().join("long.log"), log).unwrap();
    let rows =
        json_lines(dir.path(), &["--once", "./long.log", "--tail", "1", "--format", "jsonl"]);
    assert_eq!((rows.len(), &rows[0]["row"]), (1, &json!(2)));
    assert_eq!(rows[0]["text"].as_str().unwrap().len(), 101 * 16_384);

    let log = "2026-01-02T03:04:05Z stdout P a\n2026-01-02T03:04:05Z stderr F e\n\
               2026-01-02T03:04:05Z stdout F b\n";
    fs::write(dir.path().join("mixed.log"), log).unwrap();
    let raw = |args: &[&str]| {
        stdout(dir.path(), &[&["--once", "./mixed.log", "--format", "raw"], args].concat(), 0)
    };
    assert_eq!(raw(&[]), "ae\nb\n");
    assert_eq!(raw(&["--tail", "1"]), "e\n", "the row `ab` begins before `e`");
    assert_eq!(raw(&["--tail", "5", "--stream", "stdout"]), "ab\n");
    let document = json(dir.path(), &["--once", "./mixed.log", "--format", "json"], 0);
    let log = &document["run"]["jobs"][0]["commands"][0]["log"];
    let counts = ["rows", "stdout_records", "stderr_records", "stdout", "stderr"];
    let counts = counts.map(|key| log[key].as_u64());
    assert_eq!(counts, [Some(2), Some(2), Some(1), None, None], "{log}");
    let message = stderr(
        dir.path(),
        &["--once", "./mixed.log", "--format", "raw", "--tail", "5", "--stream", "stderr"],
        0,
    );
    assert_eq!(message, "", "no row is omitted, so none is reported");
}

#[test]
fn json_contains_no_terminal_control_character() {
    let dir = TempDir::new().unwrap();
    let hostile = "a\u{9b}2Jb\u{202e}c\u{e0041}\u{7f}";
    stdout(
        dir.path(),
        &["record", "--root", "R", "--job", "x\u{9b}y", "--", "printf", "%s\n", hostile],
        0,
    );
    for format in ["json", "jsonl", "records", "text"] {
        let printed = stdout(dir.path(), &["--root", "R", "--once", "--format", format], 0);
        assert!(
            printed.chars().all(|found| found == '\n' || rundown::sanitize::is_harmless(found)),
            "{printed:?}"
        );
    }
    let rows = json_lines(dir.path(), &["--root", "R", "--once", "--format", "jsonl"]);
    assert_eq!(
        (&rows[0]["text"], &rows[0]["job"]),
        (&json!(hostile), &json!("x\u{9b}y")),
        "the escaped text has the same value"
    );
}

#[test]
fn raw_output_equals_the_written_bytes() {
    let dir = TempDir::new().unwrap();
    let script = "printf 'a\\r\\n\\000\\377'; sleep 0.4; printf 'b\\nend'; printf 'err' >&2";
    let output = run(dir.path(), &["record", "--root", "R", "--", "sh", "-c", script]);
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"a\r\n\0\xffb\nend"[..], &b"err"[..]));
    for (stream, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let raw =
            run(dir.path(), &["--root", "R", "--once", "--format", "raw", "--stream", stream]);
        assert_eq!(&raw.stdout, bytes, "{stream}");
    }
    let rows = json_lines(
        dir.path(),
        &["--root", "R", "--once", "--format", "jsonl", "--stream", "stdout"],
    );
    let last = rows.last().unwrap();
    assert_eq!((&last["text"], &last["complete"]), (&json!("end"), &json!(false)));
    assert_eq!(
        rows[1]["bytes"],
        BASE64_STANDARD.encode(b"\0\xffb"),
        "pieces before and after the pause are one row"
    );
}

#[test]
fn text_shows_the_last_state_of_progress_and_data_formats_show_every_state() {
    let dir = TempDir::new().unwrap();
    let frame = |percent: u8, up: &str| {
        format!("{up}\u{1b}[2Kfetch {percent}%\n\u{1b}[2Kbuild {percent}%\n")
    };
    let up = "\u{1b}[2A\u{1b}[33m";
    let redraws = (0..100).map(|percent| frame(percent, up)).collect::<String>();
    let written = format!("start\n{}{redraws}{}1%\r2%\nend\n", frame(0, ""), frame(100, up));
    stdout(dir.path(), &["record", "--root", "R", "--", "printf", "%s", &written], 0);
    let rows = |args: &[&str]| {
        let message = stdout(dir.path(), &[&["--root", "R", "--once"], args].concat(), 0);
        message
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&[]), ["start", "fetch 100%", "build 100%", "2%", "end"]);
    let yellow = |row: &str| format!("\u{1b}[0;33m{row}\u{1b}[0m");
    assert_eq!(
        rows(&["--color", "always"])[1..],
        ["fetch 100%", "build 100%", "2%", "end"].map(yellow)
    );
    assert_eq!(stdout(dir.path(), &["--root", "R", "--once", "--format", "raw"], 0), written);
    assert_eq!(
        json_lines(dir.path(), &["--root", "R", "--once", "--format", "jsonl"]).len(),
        1 + 2 * 102 + 2
    );
}

#[test]
fn web_links_are_kept_in_colored_output_only() {
    let dir = TempDir::new().unwrap();
    let link = |target: &str| format!("\u{1b}]8;id=1;{target}\u{1b}\\here\u{1b}]8;;\u{7}\n");
    let written = link("https://a.example/?q=1")
        + &link("file:///etc/passwd")
        + "open \u{1b}]8;;http://b\u{7}end\nx\n";
    stdout(dir.path(), &["record", "--root", "R", "--", "printf", "%s", &written], 0);
    let text = |color| stdout(dir.path(), &["--root", "R", "--once", "--color", color], 0);
    assert!(
        text("never").ends_with("\n    here\n    here\n    open end\n    x\n"),
        "{:?}",
        text("never")
    );
    let linked =
        |target: &str, text: &str| format!("\u{1b}]8;;{target}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\");
    let (first, last) = (linked("https://a.example/?q=1", "here"), linked("http://b", "end"));
    let shown = format!("\n    {first}\n    here\n    open {last}\n    x\n");
    assert!(text("always").ends_with(&shown), "{:?}", text("always"));
}

/// Converts a printed record to the form of the corpus.
fn corpus_form(record: &Value) -> Value {
    let content = match (&record["content"], &record["bytes"]) {
        (Value::String(text), _) => BASE64_STANDARD.encode(text),
        (_, bytes) => bytes.as_str().unwrap().to_owned(),
    };
    json!({ "stream": record["stream"], "partial": record["tag"] == "P", "content_b64": content })
}

#[test]
fn every_case_of_the_corpus_is_printed_as_records() {
    let dir = TempDir::new().unwrap();
    let cases = fs::read_to_string(fixture("cri-corpus/cases.jsonl")).unwrap();
    for case in cases.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let name = &case["name"];
        let input = BASE64_STANDARD.decode(case["input_b64"].as_str().unwrap()).unwrap();
        fs::write(dir.path().join("case.log"), &input).unwrap();
        if input.starts_with(b"\x1f\x8b") {
            let message = stderr(dir.path(), &["--once", "./case.log"], 6);
            assert!(message.contains("cannot unpack ./case.log"), "{message}");
            continue;
        }
        let lines = json_lines(dir.path(), &["--once", "./case.log", "--format", "records"]);
        let (bad, good): (Vec<_>, Vec<_>) =
            lines.iter().partition(|line| line.get("malformed").is_some());
        let expected = case["expect"].as_array().unwrap();
        let without_time = |record: &Value| {
            let [stream, partial, content] =
                ["stream", "partial", "content_b64"].map(|key| &record[key]);
            json!({ "stream": stream, "partial": partial, "content_b64": content })
        };
        assert_eq!(
            good.iter().map(|r| corpus_form(r)).collect::<Vec<_>>(),
            expected.iter().map(without_time).collect::<Vec<_>>(),
            "{name}"
        );
        for (record, expected) in good.iter().zip(expected) {
            let at = record["at"].as_str().unwrap();
            if let Ok(at) = at.parse::<jiff::Timestamp>() {
                assert_eq!(at.as_nanosecond().to_string(), expected["ts_ns"].to_string(), "{name}");
            }
            assert_eq!(at.len(), 30, "{name}: {at}");
        }
        let numbers: Vec<&Value> = bad.iter().map(|line| &line["line"]).collect();
        assert_eq!(json!(numbers), case["expect_errors"], "{name}");
        let torn = lines.last().is_some_and(|line| line["unterminated"] == true);
        assert_eq!(torn, case["unterminated_tail"] == true, "{name}");
        for pair in lines.windows(2) {
            assert!(pair[0]["offset"].as_u64() < pair[1]["offset"].as_u64(), "{name}");
        }
    }
}

/// Makes a quire store whose first command has a plain text log. The end of the log looks like a
/// record.
fn plain_log() -> (TempDir, Vec<u8>) {
    let dir = crate::support::store("quire-v2-live");
    let long = vec![b'x'; 64 << 10];
    let text = [
        b"\x1b[31mred\x1b[0m\n\n50%\r100%\r\nbad \xff\n",
        &long[..],
        b"\n2026-01-02T03:04:05Z stderr F no record\nend",
    ];
    let text = text.concat();
    let run = "runs/demo.git/01a2078a-83c0-7cf2-8c6a-6911d61998d3";
    fs::write(dir.path().join(run).join("jobs/setup/sh-1.log"), &text).unwrap();
    (dir, text)
}

/// Returns the arguments that print the log of [`plain_log`].
fn of_plain(args: &[&'static str]) -> Vec<&'static str> {
    [&["--root", ".", "--once", "d61998d3", "--job", "setup", "--sh", "1"], args].concat()
}

#[test]
fn plain_text_is_printed_unchanged() {
    let (dir, text) = plain_log();
    let before = crate::support::bytes_of(dir.path());
    let message = stdout(dir.path(), &of_plain(&["-t", "time"]), 0);
    let rows: Vec<&str> =
        message.lines().filter(|line| line.starts_with("    ") && !line.contains("xxx")).collect();
    let blank = " ".repeat(4 + 12 + 2);
    let shown = ["red", "100%", "bad �", "2026-01-02T03:04:05Z stderr F no record", "end"];
    assert_eq!(rows, shown.map(|row| format!("{blank}{row}")), "{message}");
    assert!(!message.contains("  ! ") && !message.contains("  E "), "{message}");
    assert!(
        stdout(dir.path(), &of_plain(&["--color", "always"]), 0)
            .contains("    \x1b[0;31mred\x1b[0m\n")
    );
    assert_eq!(run(dir.path(), &of_plain(&["--format", "raw"])).stdout, text);
    assert_eq!(stdout(dir.path(), &of_plain(&["--format", "raw", "--tail", "1"]), 0), "end");
    let of_stream = run(dir.path(), &of_plain(&["--format", "raw", "--stream", "stderr"]));
    let message = String::from_utf8(of_stream.stderr).unwrap();
    assert!(
        message.contains("sh-1.log: omitted, as plain text has no streams (--stream)"),
        "{message}"
    );
    assert_eq!((of_stream.status.code(), &of_stream.stdout[..]), (Some(0), &b""[..]));
    assert!(crate::support::bytes_of(dir.path()) == before);
}

#[test]
fn plain_text_in_data_formats_has_no_invented_fields() {
    let (dir, text) = plain_log();
    let document = json(dir.path(), &of_plain(&["--format", "json"]), 0);
    let sh = &document["run"]["jobs"][0]["commands"][0];
    let log = &sh["log"];
    assert_eq!(
        (&log["format"], &log["bytes"], &log["rows"]),
        (&json!("plain"), &json!(text.len()), &json!(7))
    );
    assert_eq!([&log["stdout_records"], &log["stderr_records"], &log["malformed"]], [0, 0, 0]);
    assert_eq!(sh["join"], "position", "a plain log has no times to compare");
    let rows = json_lines(dir.path(), &of_plain(&["--format", "jsonl"]));
    let records = json_lines(dir.path(), &of_plain(&["--format", "records"]));
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    assert_eq!((rows.len(), records.len()), (lines.len(), lines.len()));
    for ((row, record), line) in rows.iter().zip(&records).zip(lines) {
        assert_eq!([&row["at"], &row["stream"], &row["malformed"]], [&Value::Null; 3]);
        assert_eq!([&record["at"], &record["stream"], &record["tag"]], [&Value::Null; 3]);
        assert!(
            record.get("malformed").is_none() && record.as_object().unwrap().contains_key("at"),
            "{record}"
        );
        assert_eq!(row["text"], String::from_utf8_lossy(line).as_ref());
        assert_eq!(corpus_form(record)["content_b64"], BASE64_STANDARD.encode(line));
        assert_eq!(row.get("bytes").is_none(), str::from_utf8(line).is_ok());
    }
    let last = (rows.last().unwrap(), records.last().unwrap());
    assert_eq!((&last.0["complete"], &last.1["unterminated"]), (&json!(false), &json!(true)));
}

#[test]
fn the_name_of_a_single_log_determines_its_format() {
    let dir = TempDir::new().unwrap();
    let text = "2026-05-06T12:00:00.123456Z  INFO quire_ci: compiling\n";
    for (name, format, malformed) in [("quire-ci.log", "plain", 0), ("app.log", "cri", 1)] {
        fs::write(dir.path().join(name), text).unwrap();
        let path = format!("./{name}");
        let document = json(dir.path(), &["--once", &path, "--format", "json"], 0);
        let log = &document["run"]["jobs"][0]["commands"][0]["log"];
        assert_eq!((&log["format"], &log["malformed"]), (&json!(format), &json!(malformed)));
        assert_eq!(stdout(dir.path(), &["--once", &path], 0).contains("  ! 2026"), malformed == 1);
    }
}

#[test]
fn a_full_id_selects_its_run_even_if_it_is_a_prefix_of_others() {
    let dir = TempDir::new().unwrap();
    for run in (1..=12).map(|n| format!("aaaab{n}")).chain(["aaaa".into()]) {
        let job = dir.path().join("runs/demo.git").join(run).join("jobs/build");
        fs::create_dir_all(&job).unwrap();
        fs::write(job.join("sh-1.log"), "").unwrap();
    }
    for id in ["aaaa", "aaaab1"] {
        let document = json(dir.path(), &["--root", ".", "--once", "--format", "json", id], 0);
        assert_eq!(document["run"]["id"], id);
    }
    assert!(
        stderr(dir.path(), &["--root", ".", "--once", "aaaab"], 5)
            .contains("several runs match `aaaab`")
    );
}

#[test]
fn log_directories_open_without_a_database() {
    let dir = TempDir::new().unwrap();
    let log = "2026-01-02T03:04:05Z stdout F hello\n";
    for path in
        ["run/jobs/build/sh-2.log", "run/jobs/build/sh-10.log", "pod/web/0.log", "pod/web/1.log"]
    {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, log).unwrap();
    }
    let run = json(dir.path(), &["--once", "./run", "--format", "json"], 0);
    let numbers: Vec<&Value> =
        run["run"]["jobs"][0]["commands"].as_array().unwrap().iter().map(|sh| &sh["n"]).collect();
    assert_eq!(json!(numbers), json!([2, 10]));
    assert_eq!((&run["run"]["id"], &run["run"]["phase"]), (&Value::Null, &Value::Null));
    let pod = json_lines(dir.path(), &["--once", "pod/", "--format", "jsonl"]);
    assert_eq!((pod.len(), &pod[0]["job"], &pod[0]["text"]), (2, &json!("web"), &json!("hello")));
    let bare = json_lines(dir.path(), &["--once", "pod/web/0.log", "--format", "jsonl"]);
    assert_eq!([&bare[0]["run"], &bare[0]["job"], &bare[0]["n"]], [&Value::Null; 3]);
    let document = json(dir.path(), &["--once", "pod/web/0.log", "--format", "json"], 0);
    assert_eq!(document["run"]["jobs"][0]["id"], Value::Null);
    assert!(
        stderr(dir.path(), &["--once", "./run", "--exit-status"], 2)
            .contains("a log alone has no exit status")
    );
}

#[test]
fn a_store_without_a_database_shows_its_logs() {
    let dir = failed_run();
    fs::remove_file(dir.path().join("R/rundown.db")).unwrap();
    let document = json(dir.path(), &["--root", "R", "--once", "--format", "json"], 0);
    let job = &document["run"]["jobs"][0];
    assert_eq!(
        (&job["id"], &job["state"], &job["commands"][0]["state"]),
        (&json!("test"), &Value::Null, &json!("unknown"))
    );
}

#[test]
fn the_list_has_one_line_per_run() {
    let dir = failed_run();
    stdout(
        dir.path(),
        &[
            "record",
            "--root",
            "R",
            "--repo",
            "org/app",
            "--ref",
            "refs/heads/main",
            "--sha",
            "0123456789",
            "true",
        ],
        0,
    );
    let text = stdout(dir.path(), &["--root", "R", "list"], 0);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("✓ passed")
            && lines[0].contains("  org/app ")
            && lines[0].contains("  main@0123456  "),
        "{text}"
    );
    assert!(lines[1].starts_with("✗ failed"), "{text}");
    let listed =
        json(dir.path(), &["--root", "R", "list", "--format", "json", "--repo", "org/app"], 0);
    assert_eq!(
        (&listed["schema"], listed["runs"].as_array().unwrap().len()),
        (&json!("rundown.runs/1"), 1)
    );
}

#[test]
fn no_match_and_no_failure_have_different_messages() {
    let dir = TempDir::new().unwrap();
    stdout(dir.path(), &["record", "--root", "R", "--job", "a", "true"], 0);
    let failed = |args: &[&str], code| {
        stderr(dir.path(), &[&["--root", "R", "--once", "--failed"], args].concat(), code)
    };
    assert!(failed(&["--job", "a"], 0).contains("nothing failed in this run"));
    assert!(failed(&["--job", "b"], 5).contains("no job matches `b`; jobs: "));
    assert!(failed(&["--sh", "2"], 5).contains("no command has the number 2; commands: "));
    assert_eq!(
        stdout(dir.path(), &["--root", "R", "--once", "--sh", "1", "--format", "raw"], 0),
        ""
    );
    fs::create_dir(dir.path().join("empty")).unwrap();
    assert!(stderr(dir.path(), &["--once", "./empty"], 5).contains("no logs under ./empty"));
}

#[test]
fn a_path_of_a_store_is_opened_and_an_archive_is_refused() {
    let dir = failed_run();
    let text = stdout(dir.path(), &["--root", "R", "--once"], 0);
    for store in ["R", "./R/", "R/rundown.db"] {
        assert_eq!(stdout(dir.path(), &["--once", store], 0), text, "{store}");
    }
    assert_eq!(run(dir.path(), &["--exit-status", "R"]).status.code(), Some(1));
    let name = |name: &str| dir.path().join(name);
    for args in [&["czf", "a.tgz", "R"][..], &["cf", "a.log", "R"]] {
        let tar = std::process::Command::new("tar").args(args).current_dir(&dir).status().unwrap();
        assert!(tar.success());
    }
    fs::write(name("a.zip"), b"PK\x03\x04 and more").unwrap();
    fs::write(name("a.xz"), b"\xfd7zXZ\0 and more").unwrap();
    for (archive, what) in [
        ("a.tgz", "a.tgz is a tar archive, not a log\n"),
        ("a.log", "a.log is a tar archive, not a log\n"),
        ("a.zip", "a.zip is a zip archive, not a log\n"),
        ("a.xz", "a.xz is compressed with xz, not a log\n"),
    ] {
        let message = stderr(dir.path(), &["--once", archive], 2);
        assert!(message.contains(what) && message.contains("unpack it (with "), "{message}");
    }
    fs::write(name("other.db"), b"SQLite format 3\0").unwrap();
    assert!(stderr(dir.path(), &["--once", "other.db"], 6).contains("other.db"));
    let clean = stderr(dir.path(), &["doctor", "R"], 0);
    assert_eq!(clean, "rundown: no problems found\n");
}

#[test]
fn an_unreadable_directory_of_a_job_hides_no_other_job() {
    let dir = TempDir::new().unwrap();
    fs::write(
        dir.path().join("p.toml"),
        "[jobs.a]\ncommands = [\"echo first\"]\n[jobs.b]\ncommands = [\"echo second\"]\n",
    )
    .unwrap();
    stdout(dir.path(), &["exec", "--root", "R", "--quiet", "p.toml"], 0);
    let logs: Vec<_> = crate::support::bytes_of(&dir.path().join("R"))
        .into_keys()
        .filter(|path| path.ends_with("a/sh-1.log"))
        .collect();
    let job = logs[0].parent().unwrap();
    fs::remove_dir_all(job).unwrap();
    std::os::unix::fs::symlink("a", job).unwrap();
    let text = stdout(dir.path(), &["--root", "R", "--once"], 6);
    assert!(
        text.contains("echo first  ") && text.contains("(no log)") && text.contains("    second"),
        "{text}"
    );
    assert!(stderr(dir.path(), &["--root", "R", "--once"], 6).contains("jobs/a"));
}

#[test]
fn a_log_outside_of_the_run_is_reported_and_not_shown() {
    let dir = TempDir::new().unwrap();
    stdout(dir.path(), &["record", "--root", "R", "--job", "a", "--", "echo", "inside"], 0);
    let logs: Vec<_> = crate::support::bytes_of(&dir.path().join("R"))
        .into_keys()
        .filter(|path| path.ends_with("sh-1.log"))
        .collect();
    fs::write(dir.path().join("secret"), "2026-01-02T03:04:05Z stdout F secret\n").unwrap();
    fs::remove_file(&logs[0]).unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret"), &logs[0]).unwrap();
    let text = stdout(dir.path(), &["--root", "R", "--once"], 0);
    assert!(text.contains("(no log)") && !text.contains("secret"), "{text}");
    let message = stderr(dir.path(), &["--root", "R", "--once"], 0);
    assert!(
        message.contains("sh-1.log is not read: it links outside the run's directory"),
        "{message}"
    );
}

#[test]
fn a_store_is_found_by_option_variable_and_directory() {
    let dir = TempDir::new().unwrap();
    let root_of = |change: &dyn Fn(&mut std::process::Command)| {
        let mut command = rundown(dir.path());
        command.args(["--once"]);
        change(&mut command);
        String::from_utf8(command.output().unwrap().stderr)
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    let home = dir.path().join(".local/share/rundown");
    assert_eq!(
        root_of(&|_| ()),
        format!("rundown: no store at {}: the directory does not exist", home.display())
    );
    assert_eq!(
        root_of(&|command| _ = command.env("XDG_DATA_HOME", "/x")),
        "rundown: no store at /x/rundown: the directory does not exist"
    );
    fs::create_dir_all(dir.path().join(".rundown")).unwrap();
    fs::create_dir_all(dir.path().join("deep/er")).unwrap();
    let near = dir.path().join(".rundown").canonicalize().unwrap();
    let near = format!(
        "rundown: no store at {}: the directory contains no rundown.db, quire.db or runs/",
        near.display()
    );
    assert_eq!(root_of(&|command| _ = command.current_dir(dir.path().join("deep/er"))), near);
    assert_eq!(
        root_of(&|command| _ = command.env("RUNDOWN_ROOT", "/y")),
        "rundown: no store at /y: the directory does not exist"
    );
    assert_eq!(
        root_of(&|command| _ = command.env("RUNDOWN_ROOT", "/y").args(["--root", "/z"])),
        "rundown: no store at /z: the directory does not exist"
    );
}

#[test]
fn blocking_special_files_are_not_opened() {
    let dir = TempDir::new().unwrap();
    let fifo = |path: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
    };
    fifo("R/rundown.db");
    assert!(stderr(dir.path(), &["--root", "R", "--once"], 6).contains("it is not a regular file"));
    fifo("sh-1.log");
    assert!(stderr(dir.path(), &["--once", "./sh-1.log"], 6).contains("it is not a regular file"));
}

#[test]
fn a_path_that_is_not_a_store_is_rejected_with_a_clear_message() {
    let dir = TempDir::new().unwrap();
    assert!(
        stderr(dir.path(), &["--root", "nowhere", "--once"], 6)
            .contains("no store at nowhere: the directory does not exist\n")
    );
    let refused = |name: &str, content: &[u8], why: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("rundown.db"), content).unwrap();
        let message = stderr(dir.path(), &["--root", name, "--once"], 6);
        assert!(message.contains(why) && message.contains("rundown.db"), "{message}");
    };
    refused("empty", b"", "the file is empty");
    refused("text", b"hello, I am a text\n", "it is not an SQLite file");
    let other = rusqlite::Connection::open(dir.path().join("other.db")).unwrap();
    other.execute_batch("CREATE TABLE songs(title)").unwrap();
    drop(other);
    refused(
        "other",
        &fs::read(dir.path().join("other.db")).unwrap(),
        "no table `runs` (its tables: songs)",
    );
    let mut torn = fs::read(dir.path().join("other.db")).unwrap();
    torn.truncate(1000);
    refused("torn", &torn, "cannot");
    fs::create_dir_all(dir.path().join("dir/rundown.db")).unwrap();
    assert!(stderr(dir.path(), &["--root", "dir", "--once"], 6).contains("it is a directory"));
}

#[test]
fn an_unreadable_log_is_reported_and_the_others_are_shown() {
    let dir = TempDir::new().unwrap();
    fs::write(
        dir.path().join("p.toml"),
        "[jobs.a]\ncommands = [\"echo first\", \"echo second\"]\n",
    )
    .unwrap();
    stdout(dir.path(), &["exec", "--root", "R", "--quiet", "p.toml"], 0);
    let logs: Vec<_> = crate::support::bytes_of(&dir.path().join("R"))
        .into_keys()
        .filter(|path| path.ends_with("sh-1.log"))
        .collect();
    fs::remove_file(&logs[0]).unwrap();
    fs::create_dir(&logs[0]).unwrap();
    let text = stdout(dir.path(), &["--root", "R", "--once"], 6);
    assert!(
        text.contains("echo first") && text.contains("(no log)") && text.contains("    second"),
        "{text}"
    );
    assert!(
        stderr(dir.path(), &["--root", "R", "--once"], 6)
            .contains("sh-1.log is not read: it is a directory")
    );
    let message = stderr(dir.path(), &["--once", "/dev/null"], 6);
    assert!(message.contains("cannot read /dev/null: it is not a regular file"), "{message}");
    assert!(
        stderr(dir.path(), &["--once", "./no/such.log"], 6).contains("cannot open ./no/such.log")
    );
}

#[test]
fn a_closed_pipe_ends_the_output_silently() {
    let dir = TempDir::new().unwrap();
    let lines = "2026-01-02T03:04:05Z stdout F hello\n".repeat(100_000);
    fs::write(dir.path().join("sh-1.log"), lines).unwrap();
    for format in ["text", "jsonl", "raw", "records"] {
        let mut child = rundown(dir.path())
            .args(["--once", "./sh-1.log", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]), "{format}");
    }
}

#[test]
fn invalid_usage_exits_with_2() {
    let dir = TempDir::new().unwrap();
    for args in [
        &["--no-such-flag"][..],
        &["--once", "--format", "xml"],
        &["record"],
        &["--once", "latest~x"],
        &["exec"],
    ] {
        assert_eq!(run(dir.path(), args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn events_in_a_store_of_rundown_are_ignored() {
    let mut store = Built::new();
    let run = run_id(1);
    built::passed_run(&mut store, &run, 0);
    let document = |store: &Built| {
        crate::support::json(store.root(), &["--root", ".", "--once", "--format", "json"], 0)
    };
    let before = document(&store);
    let strays = r#"{"at_ms":1778068800001,"type":"sh_started","job_id":"build","cmd":"other"}
{"at_ms":1778068800002,"type":"sh_finished","job_id":"build","exit_code":0}
{"at_ms":1778068800010,"type":"sh_started","job_id":"build","cmd":"make"}
"#;
    fs::write(store.run_dir(&run).join("events.jsonl"), strays).unwrap();
    assert_eq!(document(&store), before);
}

#[test]
fn a_job_is_selected_by_its_id_or_else_by_a_glob() {
    let mut store = Built::new();
    let id = run_id(1);
    store.begin(&id, &["a[1]", "a1", "b"], 10);
    for job in ["a[1]", "a1", "b"] {
        store.start(&id, job, 1, "true", 20);
        store.end(&id, job, 1, 0, 25);
        store.end_job(&id, job, JobEnd::Complete, 30);
    }
    let jobs = |args: &[&str]| -> Vec<String> {
        let document =
            json(store.root(), &[&["--root", ".", "--format", "json"], args].concat(), 0);
        let jobs = document["run"]["jobs"].as_array().unwrap();
        jobs.iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(jobs(&["--job", "a[1]"]), ["a[1]"], "not the job that the glob matches");
    assert_eq!(jobs(&["--job", "[ab]1"]), ["a1"]);
    assert_eq!(jobs(&["--job", "a*"]), ["a[1]", "a1"]);
    for (args, why) in [
        (&["--job", "tset"][..], "no job matches `tset`; jobs: a[1], a1, b\n"),
        (&["--job", "["], "no job matches `[`; jobs: a[1], a1, b\n"),
        (&["--sh", "9"], "no command has the number 9; commands: a[1] (1), a1 (1), b (1)\n"),
        (&["--job", "b", "--sh", "9"], "no command has the number 9; commands: b (1)\n"),
    ] {
        for command in [&["--once"][..], &["rerun"]] {
            let args = [command, &["--root", "."], args].concat();
            let refused = stderr(store.root(), &args, 5);
            assert!(refused.ends_with(why), "{args:?}: {refused}");
        }
    }
}
