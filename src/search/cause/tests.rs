use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::tests::Growing;
use super::*;
use crate::log::LogPath;

/// The log of a failed command, its exit code if that matters, and the rows (counted from 1) that
/// are valid causes; empty if no row explains the failure.
type Failure = (&'static str, Option<i64>, &'static [usize]);

#[rustfmt::skip]
const FAILURES: &[Failure] = &[
    ("asan-overflow", None, &[2]),
    // The last row is the cause if the shell stops at the first failure. The row with `Killed` is
    // also valid, because it explains most.
    ("bash-messages", None, &[8, 15]),
    ("bats-fail", None, &[4, 6]),
    ("cmake-error", None, &[9, 10]),
    ("cpp-terminate", Some(134), &[2, 3]),
    ("ctest-failure", None, &[56, 57]),
    ("ctest-output", None, &[12, 13]),
    ("docker-build-gcc", None, &[4]),
    ("eslint-errors", None, &[4]),
    // The cause is in the last of four attempts.
    ("flaky-retry", None, &[63]),
    ("gcc-nested-make", None, &[23]),
    ("gcc-probe-then-import", None, &[51]),
    ("gcc-template-cascade", None, &[19]),
    ("gcc-then-cleanup", None, &[3]),
    ("gcc-undefined-reference", None, &[21]),
    ("git-fatal", None, &[1]),
    ("git-push-rejected", None, &[2]),
    ("go-build-error", None, &[6]),
    ("go-race", None, &[2]),
    ("go-test-fail", None, &[42]),
    ("go-test-logs", None, &[67]),
    ("go-test-panic", None, &[2]),
    // The log of two commands that failed, one after the other.
    ("javac-and-java", None, &[1, 12]),
    ("jest-fail", None, &[18, 20]),
    ("jest-suite-fails-to-run", None, &[4]),
    ("jest-throws", None, &[12]),
    ("json-log", None, &[51]),
    ("long-log-middle", None, &[11]),
    ("make-keep-going", None, &[10]),
    ("maven-surefire-failure", None, &[33]),
    ("minitest-fail", None, &[9, 11]),
    ("mocha-fail", None, &[16]),
    ("ninja-fail", None, &[5]),
    ("node-test", None, &[3, 34]),
    // The log of two commands that failed.
    ("npm-404", None, &[6, 11, 12]),
    ("npm-eresolve", None, &[2, 10]),
    ("npm-tsc", None, &[9]),
    ("precommit-wrapper", None, &[5]),
    // In a chain, the cause is the exception raised while another was handled. With a direct cause,
    // it is the exception that caused the other.
    ("py-traceback-chained", None, &[29]),
    ("py-traceback-direct-cause", None, &[5]),
    ("py-traces-logged", None, &[36]),
    ("pytest-assert-diff", None, &[69]),
    ("pytest-collection-error", None, &[19]),
    ("pytest-fixtures", None, &[8]),
    ("retry-then-other", None, &[]),
    ("rust-cascade", None, &[2]),
    ("rust-test-assert-eq", None, &[238]),
    ("rust-test-harmless-errors", None, &[66]),
    ("rust-test-nocapture", None, &[116]),
    ("segfault", None, &[16]),
    ("sh-command-not-found", Some(127), &[5]),
    ("sh-set-e-silent", None, &[]),
    ("sh-survived-error", None, &[54]),
    ("timeout-124-hang", Some(124), &[]),
    ("tsc-errors", None, &[5]),
    ("unittest-fail", None, &[14]),
    ("unittest-prints-traces", None, &[24]),
    ("vitest-fail", None, &[12]),
];

fn fixture(name: &str) -> LogFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/failures/{name}.log"));
    LogFile::open(&LogPath::named(&path)).unwrap()
}

fn rows(log: &LogFile) -> Vec<Row> {
    log.window_rows(0, 1 << 20, Tail::Emit).unwrap().map(|row| row.unwrap()).collect()
}

fn text(row: &Row) -> String {
    plain(&row.text, Progress::Last).into_owned()
}

/// Returns the cause card of a log with these rows. Each row begins with `o` or `e`, its stream.
/// The cause is marked with `> `.
fn card(log: &str, exit_code: Option<i64>) -> Vec<String> {
    let lines = log.lines().map(|line| {
        let stream = if line.starts_with('o') { "stdout" } else { "stderr" };
        format!("2026-01-02T03:04:05Z {stream} F {}\n", line.get(2..).unwrap_or_default())
    });
    let growing = Growing::new(lines.collect::<String>().as_bytes());
    let cause = find_cause(&growing.log, exit_code, Tail::Emit).unwrap();
    let mark = |row: &Row| if Some(row.offset) == cause.at { "> " } else { "" };
    cause.rows.iter().map(|row| format!("{}{}", mark(row), text(row))).collect()
}

/// Returns the row that is the cause in such a log.
fn at(log: &str, exit_code: Option<i64>) -> Option<String> {
    card(log, exit_code).iter().find_map(|row| row.strip_prefix("> ").map(str::to_owned))
}

#[test]
fn the_cause_of_real_failures_is_found_inside_its_rows() {
    let mut wrong = Vec::new();
    for (name, exit_code, labels) in FAILURES {
        let log = fixture(name);
        let cause = find_cause(&log, *exit_code, Tail::Emit).unwrap();
        let found = cause
            .at
            .and_then(|at| rows(&log).iter().position(|row| row.offset == at))
            .map(|row| row + 1);
        if found.map_or(!labels.is_empty(), |found| !labels.contains(&found)) {
            wrong.push(format!("{name}: found {found:?}, expected one of {labels:?}"));
        }
        let is_shown = cause.at.is_none_or(|at| cause.rows.iter().any(|row| row.offset == at));
        assert!(
            is_shown && cause.rows.len() <= MAX_CAUSE_ROWS,
            "{name}: {} rows",
            cause.rows.len()
        );
        assert!(cause.rule.is_none() || cause.at.is_some(), "{name}");
        assert_eq!(cause.searched_bytes, log.bytes(), "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_failure_fixture_is_in_the_table() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/failures");
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut stored: Vec<String> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().into()).collect();
    stored.sort();
    assert_eq!(stored, FAILURES.iter().map(|(name, ..)| (*name).to_owned()).collect::<Vec<_>>());
}

#[test]
fn a_cause_takes_precedence_over_its_consequences() {
    for (log, cause) in [
        (
            "e make[1]: *** [lib.o] Error 1\ne x.c:3:5: error: expected ';'\n\
             e make: *** [all] Error 2",
            "x.c:3:5: error: expected ';'",
        ),
        (
            "e error: could not compile `shop` (lib)\ne error: no such target",
            "error: no such target",
        ),
        ("e cat: VERSION: No such file or directory\ne fatal: no tags", "fatal: no tags"),
        (
            "o test cart ... FAILED\ne error: test failed, to rerun pass `--lib`",
            "test cart ... FAILED",
        ),
        (
            "e npm error code ELIFECYCLE\ne npm error Missing script: \"x\"",
            "npm error Missing script: \"x\"",
        ),
        (
            "e make: *** No rule to make target 'a'.  Stop.\ne make[1]: *** [b] Error 1",
            "make: *** No rule to make target 'a'.  Stop.",
        ),
        (
            "o ERROR: process \"sh\" did not complete successfully: exit code: 2\n\
             o sh: 1: frob: not found",
            "sh: 1: frob: not found",
        ),
    ] {
        assert_eq!(at(log, None).as_deref(), Some(cause), "{log}");
    }
}

#[test]
fn the_end_of_a_command_decides_which_of_its_errors_counts() {
    let log = "e ./d.sh: line 3: frob: command not found\ne error: no cache\n\
               e cat: a: Permission denied\n";
    assert_eq!(at(log, None).as_deref(), Some("error: no cache"));
    assert_eq!(at(log, Some(127)).as_deref(), Some("./d.sh: line 3: frob: command not found"));
    assert_eq!(at(log, Some(126)).as_deref(), Some("cat: a: Permission denied"));
}

#[test]
fn errors_long_before_a_timeout_are_not_its_cause() {
    let log = format!(
        "e Error: no cache yet\n{}",
        "o waiting for the lock of process 4242\n".repeat(100)
    );
    assert_eq!(at(&log, Some(1)).as_deref(), Some("Error: no cache yet"));
    assert_eq!(at(&log, Some(124)), None);
}

#[test]
fn the_last_survived_failure_counts_with_its_first_consequence() {
    let log = format!(
        "e rm: cannot remove 'a': No such file or directory\n\
         {}e cp: cannot stat 'b': No such file or directory\ne tar: cannot open 'b'\n",
        "o packed\n".repeat(40)
    );
    assert_eq!(at(&log, None).as_deref(), Some("cp: cannot stat 'b': No such file or directory"));
}

#[test]
fn a_fatal_error_outranks_survived_errors_but_not_verdicts() {
    const TRACE: &str =
        "e Traceback (most recent call last):\ne   File \"x.py\", line 1\ne KeyError: 'a'\n";
    const MISSING: &str = "e cp: cannot stat 'b': No such file or directory\n";
    let after = |first: &str, rows, last: &str| {
        at(&format!("e {first}\n{}{last}", "o step\n".repeat(rows)), None)
    };
    assert_eq!(
        after("error: no cache", 20, MISSING).as_deref(),
        MISSING.trim_end().strip_prefix("e ")
    );
    assert_eq!(
        after("error: no cache", 19, MISSING).as_deref(),
        Some("error: no cache"),
        "it may follow from it"
    );
    assert_eq!(
        after("error: no cache", 20, &format!("{MISSING}o bye\n")).as_deref(),
        Some("error: no cache")
    );
    assert_eq!(after("a.c:1:1: error: bad", 20, TRACE).as_deref(), Some("KeyError: 'a'"));
    assert_eq!(after("a.c:1:1: error: bad", 20, MISSING).as_deref(), Some("a.c:1:1: error: bad"));
    assert_eq!(after("E   assert 1 == 2", 20, TRACE).as_deref(), Some("E   assert 1 == 2"));
    let wrapped = "e Traceback (most recent call last):\ne   x\n\
                   e a.Error: Command 'cc' returned non-zero exit status 1.";
    assert_eq!(after("a.c:1:1: error: bad", 20, wrapped).as_deref(), Some("a.c:1:1: error: bad"));
}

#[test]
fn a_row_that_only_reports_failure_leads_to_the_preceding_message() {
    assert_eq!(
        at("e load config: no such key\ne \ne exit status 1", None).as_deref(),
        Some("load config: no such key")
    );
    assert_eq!(at("e exit status 1", None).as_deref(), Some("exit status 1"), "nothing was said");
}

#[test]
fn a_heading_without_details_is_replaced_by_its_trace() {
    let log = "e ERROR: Exception:\ne Traceback (most recent call last):\ne   File \"x.py\"\n\
               e KeyError: 'a'\n";
    assert_eq!(at(log, None).as_deref(), Some("KeyError: 'a'"));
}

#[test]
fn without_other_evidence_the_last_error_entry_of_a_log_is_the_cause() {
    let log = "o time=1 level=error msg=a\no CRITICAL:etl:b\no time=2 level=info msg=c\n";
    assert_eq!(at(log, None).as_deref(), Some("CRITICAL:etl:b"));
    assert_eq!(
        at(&format!("e cat: d: Permission denied\n{log}"), None).as_deref(),
        Some("cat: d: Permission denied")
    );
}

#[test]
fn a_go_panic_includes_its_trace() {
    let log = "o panic: recovered: x\no error: odd\n";
    assert_eq!(at(log, None).as_deref(), Some("error: odd"));
    let log = "o panic: x\no \no goroutine 1 [running]:\no error: odd\n";
    assert_eq!(at(log, None).as_deref(), Some("panic: x"));
}

#[test]
fn a_failure_followed_closely_by_a_retry_does_not_count() {
    let again = "E   AssertionError: 1\no attempt 1 failed, retrying";
    let log = format!("e {again}\no 3 passed in 0.1s\ne error: no token");
    assert_eq!(at(&log, None).as_deref(), Some("error: no token"));
    let log = format!(
        "e a.c:1:1: error: bad\n{}o retrying the download",
        "o CC a long line of a build that goes on\n".repeat(100)
    );
    assert_eq!(at(&log, None).as_deref(), Some("a.c:1:1: error: bad"));
}

#[test]
fn the_output_of_a_go_test_counts_only_if_the_test_fails() {
    let log = "o === RUN   TestA\no     a_test.go:3: too small\no not ok 1\ne error: odd\n\
               o --- FAIL: TestA (0.00s)";
    assert_eq!(at(&format!("{log}\n"), None).as_deref(), Some("error: odd"), "it has a heading");
    let log =
        "o === RUN   TestA\no     a_test.go:3: too small\ne error: odd\no --- FAIL: TestA (0.00s)";
    assert_eq!(at(log, None).as_deref(), Some("    a_test.go:3: too small"));
    let log = log.replace("FAIL", "PASS");
    assert_eq!(at(&log, None).as_deref(), Some("error: odd"));
}

#[test]
fn only_failed_go_subtests_count() {
    let test_output = |name| format!("o === RUN   TestA/{name}\no     a_test.go:3: got {name}\n");
    let log = format!(
        "o === RUN   TestA\n{}{}o --- FAIL: TestA (0.00s)\no     --- PASS: TestA/x (0.00s)\n\
         o     --- FAIL: TestA/y (0.00s)\n",
        test_output("x"),
        test_output("y")
    );
    assert_eq!(at(&log, None).as_deref(), Some("    a_test.go:3: got y"));
}

#[test]
fn the_innermost_of_several_causes_is_shown() {
    let log = "e Exception in thread \"main\" a.B: x\ne \tat a.b\ne Caused by: a.C: y\ne \tat a.c\n\
               e Caused by: a.D: z\ne \tat a.d\n";
    assert_eq!(at(log, None).as_deref(), Some("Caused by: a.D: z"));
}

#[test]
fn a_failure_that_is_ignored_is_not_the_cause() {
    let ansible = "o TASK [probe] ***\no fatal: [web]: FAILED! => {}\no ...ignoring\n\
                   o TASK [copy] ***\no fatal: [web]: FAILED! => {\"msg\": \"no file\"}";
    assert_eq!(
        at(ansible, Some(2)).as_deref(),
        Some("fatal: [web]: FAILED! => {\"msg\": \"no file\"}")
    );
    let make = "e lint.c:1:1: error: style\ne make: [Makefile:7: lint] Error 1 (ignored)\n\
                o CC a.c\ne cc: no such tool\ne make: *** [Makefile:9: a.o] Error 127";
    assert_eq!(at(make, Some(2)).as_deref(), Some("cc: no such tool"));
    let earlier = format!("e a.c:1:1: error: bad\n{}{make}", "o step\n".repeat(600));
    assert_eq!(at(&earlier, Some(2)).as_deref(), Some("a.c:1:1: error: bad"));
}

#[test]
fn what_a_passed_test_prints_is_not_the_cause() {
    let trace =
        "e Traceback (most recent call last):\ne   File \"t.py\", line 3\ne ValueError: bad";
    let panic = "e thread 'tests::deliberate' panicked at src/lib.rs:3:5:\ne no item";
    for (printed, verdict) in [
        (trace, "==== 2 passed, 1 skipped in 0.35s ===="),
        (trace, "OK (expected failures=1)"),
        (panic, "test result: ok. 3 passed; 0 failed"),
        ("e Error: deliberate", "Tests:       2 passed, 2 total"),
        ("e error: cannot open x", "  24 passing (12ms)"),
        ("o #   at t/a.t line 3.", "All tests successful."),
        ("e java.lang.IllegalStateException: handled", "[INFO] BUILD SUCCESS"),
    ] {
        let log = format!("{printed}\no {verdict}\no bye");
        assert_eq!(at(&log, Some(1)), None, "{log}");
        let complaint = "license header missing in a.py";
        assert_eq!(at(&log.replace("bye", complaint), Some(1)).as_deref(), Some(complaint));
        let compiler = format!("e a.c:1:1: error: bad\no {verdict}\no more");
        assert!(at(&compiler, Some(1)).is_some(), "a compiler is not survived: {compiler}");
    }
    let failed = format!("{trace}\no 1 failed, 2 passed in 0.35s\no 2 passed in 0.1s");
    assert_eq!(at(&failed, Some(1)).as_deref(), Some("ValueError: bad"), "an earlier verdict");
}

#[test]
fn a_report_of_a_failure_never_leads_to_a_passed_step() {
    for passed in
        ["1/2 x:good OK              0.03s", "build: PASSED", "test c ... ok", "$ sh -c x"]
    {
        let log = format!("o drift: 2 routes\no {passed}\no Process completed with exit code 1.");
        assert_eq!(at(&log, Some(1)).as_deref(), Some("drift: 2 routes"), "{passed}");
    }
}

#[test]
fn a_report_of_make_leads_to_the_last_words_of_its_command() {
    let make = "make: *** [Makefile:5: b] Error 1";
    let said = |rows: &str| at(&format!("{rows}\ne {make}"), Some(2));
    assert_eq!(
        said("o gen b\ne b.proto:3:1: Expected \";\".").as_deref(),
        Some("b.proto:3:1: Expected \";\".")
    );
    let nested =
        "e no template\ne make[1]: *** [Makefile:2: all] Error 3\no make[1]: Leaving directory 'x'";
    assert_eq!(said(nested).as_deref(), Some("no template"));
    for silent in
        ["o test -f b", "e a.c:1:1: warning: odd\ne  1 | f", "e ok 1 - it works\no test -f b"]
    {
        assert_eq!(said(silent).as_deref(), Some(make), "{silent}");
    }
}

#[test]
fn a_traced_command_that_may_fail_is_not_the_cause() {
    let log = "e + git describe\ne fatal: not a git repository\ne + true\no built";
    assert_eq!(at(log, Some(1)), None);
    let failed = log.replace("o built", "e + test -d out");
    assert_eq!(at(&failed, Some(1)).as_deref(), Some("+ test -d out"), "the last command");
}

#[test]
fn the_last_row_is_shown_with_a_cause_that_a_program_may_survive() {
    let log = format!(
        "e rm: cannot remove 'x': No such file or directory\n{}o license header",
        "o step\n".repeat(30)
    );
    assert_eq!(card(&log, Some(1)).last().map(String::as_str), Some("license header"));
}

#[test]
fn a_complaint_at_the_end_outranks_an_error_that_the_command_survived() {
    let survived = "e rm: cannot remove 'x': No such file or directory\no step\no step\n";
    for (last, expected) in [
        ("o license header missing", "license header missing"),
        ("o license header written", "rm: cannot remove 'x': No such file or directory"),
        ("o the build failed", "rm: cannot remove 'x': No such file or directory"),
    ] {
        let found = at(&format!("{survived}{last}"), Some(1));
        assert_eq!(found.as_deref(), Some(expected), "{last}");
    }
    let fault = "e a.c:1:1: error: bad\no step\no license header missing";
    assert_eq!(at(fault, Some(1)).as_deref(), Some("a.c:1:1: error: bad"), "not survived");
}

#[test]
fn a_complaint_at_the_end_is_the_last_words_of_a_command() {
    let end = "o cleanup\no removed 3 files";
    for (rows, expected) in [
        ("o a.md: 2 broken links", Some("a.md: 2 broken links")),
        ("o Linted 3 files, found 2 errors.", None),
        ("o docs: no errors, 3 pages", None),
        ("e using config x.toml\no src/a.py:3: tab", Some("src/a.py:3: tab")),
        ("o   a.json::$: 'name' is required", Some("  a.json::$: 'name' is required")),
        ("o   File \"x.py\", line 1, in missing", None),
    ] {
        assert_eq!(at(&format!("{rows}\n{end}"), Some(1)).as_deref(), expected, "{rows}");
    }
}

#[test]
fn a_heading_leads_to_the_next_row_with_content() {
    for (rows, expected) in [
        ("o Validation Error:\no \no   Preset x not found", "  Preset x not found"),
        ("o error during build:\no Build failed with 1 error:\no \no [X] no a.js", "[X] no a.js"),
        ("e npm error Could not resolve dependency:\ne npm error peer a@1", "npm error peer a@1"),
        ("o check json....Failed\no - hook id: x\no - exit code: 1\no a.json: bad", "a.json: bad"),
        ("o error: unexpected end, line 1:\no x", "error: unexpected end, line 1:"),
    ] {
        assert_eq!(at(rows, Some(1)).as_deref(), Some(expected), "{rows}");
    }
}

#[test]
fn rows_that_only_introduce_a_message_lead_to_it() {
    for (rows, expected) in [
        ("e     RuntimeError:\ne       too small", "      too small"),
        (
            "o Login works      | FAIL |\no No keyword with name 'Open'",
            "No keyword with name 'Open'",
        ),
        (
            "o #   Failed test 'adds'\no #   at t/a.t line 3.\no #          got: '3'",
            "#          got: '3'",
        ),
        ("o --- a\no +++ b\no @@ -1,2 +1,2 @@\no  x\no -y\no +z", "-y"),
        ("o ―――――――――――――――――― ✀  ――――――――――――――――――\no stderr:\no t.c:3: bad", "t.c:3: bad"),
    ] {
        assert_eq!(at(rows, Some(1)).as_deref(), Some(expected), "{rows}");
    }
}

#[test]
fn an_exception_that_reports_a_failed_command_leads_to_its_output() {
    let log = "o checking\ne 2 routes drift\ne Traceback (most recent call last):\n\
               e   File \"a.py\", line 1\n\
               e subprocess.CalledProcessError: Command 'x' returned non-zero exit status 3.";
    assert_eq!(at(log, Some(1)).as_deref(), Some("2 routes drift"));
}

#[test]
fn of_the_entries_of_a_log_the_last_one_with_the_greatest_severity_counts() {
    let entry = |level: &str, text: &str| format!("e 2026-01-02 03:04:05,123 {level} app: {text}");
    let log = [
        entry("ERROR", "a"),
        entry("CRITICAL", "b"),
        entry("FATAL", "c"),
        entry("ERROR", "d"),
        entry("WARNING", "e"),
    ];
    let found = at(&log.join("\n"), Some(1));
    assert!(found.as_deref().is_some_and(|found| found.ends_with("FATAL app: c")), "{found:?}");
    let pino =
        "o {\"level\":60,\"msg\":\"gone\"}\no {\"level\":50,\"msg\":\"late\"}\no {\"level\":30}";
    assert_eq!(at(pino, Some(1)).as_deref(), Some("{\"level\":60,\"msg\":\"gone\"}"));
}

#[test]
fn an_error_after_one_that_does_not_count_is_not_its_fallout() {
    let ignored = "e + rm x\ne rm: cannot remove 'x': No such file or directory\ne + true\n\
                   e curl: (7) Failed to connect";
    assert_eq!(at(ignored, Some(1)).as_deref(), Some("curl: (7) Failed to connect"));
    let survived = "o Error: deliberate\no Tests:       2 passed, 2 total\no error: real";
    assert_eq!(at(survived, Some(1)).as_deref(), Some("error: real"));
}

#[test]
fn an_uncaught_exception_is_not_replaced_by_a_note_of_the_cleanup() {
    let log = "e Traceback (most recent call last):\ne   File \"a.py\", line 1\n\
               e ValueError: bad\no Cleaning up\no Stopping services\no No artifacts to upload";
    assert_eq!(at(log, Some(1)).as_deref(), Some("ValueError: bad"));
}

#[test]
fn an_exception_that_was_ignored_is_not_the_cause() {
    let log = "o checksum of a.bin differs\ne Exception ignored in: cleanup\n\
               e Traceback (most recent call last):\ne   File \"a.py\", line 1\n\
               e OSError: [Errno 9] Bad file descriptor";
    assert_eq!(at(log, Some(1)).as_deref(), Some("checksum of a.bin differs"));
}

#[test]
fn a_row_that_points_at_the_row_above_it_leads_there() {
    let tcl = "e reading\no 3 rows\ne expected integer but got \"x\"\ne     while executing";
    assert_eq!(at(tcl, Some(1)).as_deref(), Some("expected integer but got \"x\""));
    let ruff = "o F821 Undefined name `x`\no  --> a.py:3:5\no   |\no Found 1 error.";
    assert_eq!(at(ruff, Some(1)).as_deref(), Some("F821 Undefined name `x`"));
    let warning = "e warning: unused\ne  --> a.rs:3:5\no done";
    assert_eq!(at(warning, Some(1)), None);
}

#[test]
fn warnings_are_the_cause_if_a_tool_says_that_they_made_it_fail() {
    let log = "e WARNING -  a.md is not found\ne Aborted with 1 warnings in strict mode!";
    assert_eq!(at(log, Some(1)).as_deref(), Some("WARNING -  a.md is not found"));
}

#[test]
fn times_before_each_row_do_not_hide_the_rows_of_a_trace() {
    let rows = [
        "Traceback (most recent call last):",
        "  File \"a.py\", line 1",
        "ValueError: bad",
        "##[error]Process completed with exit code 1.",
    ];
    let rows: Vec<_> =
        (1..).zip(rows).map(|(n, row)| format!("o 2026-01-02T03:04:05.{n}Z {row}")).collect();
    assert_eq!(
        at(&rows.join("\n"), Some(1)).as_deref(),
        Some("2026-01-02T03:04:05.3Z ValueError: bad")
    );
}

#[test]
fn hints_progress_and_totals_are_no_last_words() {
    for row in [
        "Try 'a --help' for usage.",
        "Scanning 3 files...",
        "Finished in 0.3 s",
        "curl: (7) Failed",
    ] {
        let log = format!("o attempt 1\ne {row}\no retrying\n{}", "o done\n".repeat(20));
        assert_eq!(at(&log, Some(1)), None, "{row}");
    }
}

#[test]
fn the_last_exception_of_a_chain_is_shown_with_the_exception_that_caused_it() {
    let trace = |error: &str| {
        let frame = "e   File \"a.py\", line 1, in f\ne     f()\n".repeat(9);
        format!("e Traceback (most recent call last):\n{frame}e {error}\n")
    };
    let chain = "e \ne The above exception was the direct cause of the following exception:\ne \n";
    let log = trace("KeyError: 'url'") + chain + &trace("app.ConfigError: no url");
    let card = card(&log, Some(1));
    assert_eq!(card.len(), MAX_CAUSE_ROWS);
    assert!(card.contains(&"> KeyError: 'url'".to_owned()), "{card:?}");
    assert_eq!(card.last().map(String::as_str), Some("app.ConfigError: no url"));
    let group = "e   + Exception Group Traceback (most recent call last):\ne   |   File \"a.py\"\n\
                 e   | ExceptionGroup: unhandled (1 sub-exception)\ne   +-+---- 1 ----\n\
                 e     | Traceback (most recent call last):\ne     |   File \"b.py\"\n\
                 e     | ConnectionError: db-1 refused\ne     +----";
    assert_eq!(at(group, Some(1)).as_deref(), Some("    | ConnectionError: db-1 refused"));
}

#[test]
fn the_choice_is_explained_by_the_candidates_in_their_order() {
    let log = "o a.c:1:1: error: bad\no sh: no such tool: not found\ne make: *** [a.o] Error 127\n";
    let why = |exit_code| {
        let lines = log.lines().map(|line| {
            format!("2026-01-02T03:04:05Z stdout F {}\n", line.get(2..).unwrap_or_default())
        });
        let growing = Growing::new(lines.collect::<String>().as_bytes());
        let cause = find_cause(&growing.log, exit_code, Tail::Emit).unwrap();
        assert_eq!(cause.at, cause.why.first().map(|why| why.at));
        cause.why.iter().map(|why| (why.score, why.rule)).collect::<Vec<_>>()
    };
    let (compiler, shell, make) = (70, 40, 10);
    assert_eq!(why(Some(2)), [(compiler, None), (shell, Some("sh")), (make, Some("make"))]);
    assert_eq!(why(Some(127)), [(100, Some("sh")), (compiler, None), (make, Some("make"))]);
    assert_eq!(why(Some(0)), []);
}

#[test]
fn each_cause_has_its_context_rows_above_or_below() {
    let (above, below) = ("o step\n".repeat(20), "o detail\n".repeat(20));
    let place = |row: &str| {
        card(&format!("{above}o {row}\n{below}"), None).iter().position(|row| row.starts_with("> "))
    };
    assert_eq!(place("● cart › total"), Some(1), "a heading");
    assert_eq!(place("a.c:1:1: error: bad"), Some(2), "a compiler");
    assert_eq!(place("make: *** [a] Error 1"), Some(7), "a wrapper");
}

#[test]
fn rows_of_the_other_stream_are_left_out_if_there_is_no_room() {
    let log =
        "e a.c: In function 'f':\no CC b.c\ne a.c:1:1: error: bad\no CC c.c\ne  1 | f\ne    | ^\n";
    assert_eq!(card(log, None).len(), 6);
    let log = format!("{log}{}", "e    | more\n".repeat(9));
    let card = card(&log, None);
    assert_eq!(card.first().map(String::as_str), Some("a.c: In function 'f':"));
    assert!(
        card.len() == MAX_CAUSE_ROWS && !card.iter().any(|row| row.starts_with("CC")),
        "{card:?}"
    );
}

#[test]
fn without_a_matching_rule_the_ends_of_stderr_and_of_the_log_are_shown() {
    let log = "e odd\ne \no step 1\no step 2";
    assert_eq!(card(log, None), ["odd", "step 1", "step 2"]);
    let all = |log: &str, stream| {
        let card = card(log, None);
        assert_eq!((card.len(), at(log, None)), (MAX_CAUSE_ROWS, None));
        card.iter().filter(|row| row.as_str() == stream).count()
    };
    let (out, err) = ("o out\n".repeat(300), "e err\n".repeat(20));
    assert_eq!(all(&format!("{out}{err}"), "err"), 10);
    assert_eq!(all(&format!("{err}{out}"), "err"), 6, "it may have nothing to do with it");
}

#[test]
fn the_last_of_few_rows_on_stderr_is_marked_if_a_command_failed_by_itself() {
    let log = "o reading\ne odd license\ne \ne   2 | x\no done";
    assert_eq!(at(log, Some(1)).as_deref(), Some("odd license"));
    for exit_code in [None, Some(0), Some(124), Some(137)] {
        assert_eq!(at(log, exit_code), None, "{exit_code:?}");
    }
    assert_eq!(at("e a\ne b\ne c\ne d", Some(1)), None, "too many");
    assert_eq!(at("e warning: odd", Some(1)), None, "harmless");
    let old = format!("e odd\n{}", "o step\n".repeat(300));
    assert_eq!(at(&old, Some(1)), None, "long ago");
}

#[test]
fn the_end_of_a_log_is_searched_first() {
    let line = |text| format!("2026-01-02T03:04:05Z stdout F {text}\n");
    let log = line("error: long ago") + &line("step").repeat(100);
    let growing = Growing::new(log.as_bytes());
    let look = |max_bytes| find_within(&growing.log, None, max_bytes, Tail::Emit).unwrap();
    let ((all, none), (end, rest)) = (look(1 << 20), look(100));
    assert!(none.is_none());
    assert_eq!((all.at, all.searched_bytes), (Some(0), log.len() as u64));
    assert_eq!(
        (end.at, end.searched_bytes),
        (None, 2 * line("step").len() as u64),
        "two whole lines"
    );
    for slice in [1, 100, 1 << 20] {
        let mut rest = CauseSearch::of_whole(&growing.log, None).unwrap();
        while !rest.go_on(&growing.log, slice, Tail::Emit).unwrap() {}
        assert_eq!(rest.cause(&growing.log, Tail::Emit).unwrap(), all, "in slices of {slice}");
    }
    assert!(rest.is_some());
}

#[test]
fn an_empty_log_has_no_cause() {
    assert_eq!(card("", Some(1)), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_of_all_rules_in_any_order_have_a_cause_that_can_be_shown(
        picked in vec((any::<Index>(), any::<Index>()), 0..80),
        exit_code in prop::option::of(prop::sample::select(vec![1, 124, 127, 139])),
    ) {
        let log: Vec<Vec<u8>> = picked
            .iter()
            .map(|(file, row)| {
                let (name, ..) = file.get(FAILURES);
                let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join(format!("fixtures/failures/{name}.log"));
                let bytes = std::fs::read(path).unwrap();
                let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
                row.get(&lines).to_vec()
            })
            .collect();
        let growing = Growing::new(&log.concat());
        let cause = find_cause(&growing.log, exit_code, Tail::Emit).unwrap();
        prop_assert!(cause.at.is_none_or(|at| cause.rows.iter().any(|row| row.offset == at)));
        prop_assert!(
            cause.rows.len() <= MAX_CAUSE_ROWS && cause.rows.is_sorted_by_key(|row| row.offset)
        );
    }
}
