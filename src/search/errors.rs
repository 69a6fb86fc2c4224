//! Error rules: patterns for the error rows of compilers, test runners, build tools and shells.
//!
//! A row is judged by its text alone, without its stream and the rows around it. So no rule matches
//! texts that are harmless in one place and the cause in another: entries of level ERROR in a
//! program's own log (tests print them on purpose), and everything that merely mentions errors. The
//! rule of an error row determines its weight as a cause; [`super::cause`] also considers the rows
//! around it. To add a tool, add a line to `RULES` and, if no literal fits yet, a word to
//! [`LITERALS`].

mod few;
mod prefix;

use std::cmp::Reverse;
use std::sync::LazyLock;

use Weight::{
    Aftermath, Again, Aside, Fault, Heading, Ignored, Logged, Message, Name, Passed, Place,
    Started, Succeeded, Task,
};
use regex::bytes::{RegexSet, RegexSetBuilder};

use prefix::without_prefix;

/// Every text that reports an error contains one of these literals, case-sensitive, so bytes
/// without any of them need no closer look. Most are a word or a part of one, because tools switch
/// colors between words. All have at least three bytes: a literal of two bytes would make the
/// search take three times as long.
#[rustfmt::skip]
pub static LITERALS: &[&str] = &[
    "rror", "ERR", "FAIL", "ailed", "ailure", "ailing", "atal", "FATAL", "panic", "xception",
    "raceback", "Sanitizer", "***", "SEGFAULT", "aborted)", "not ok", "not found",
    "parameter not set", "can't cd", "E   ", "undefined ", "multiple definition", "uplicate symbol",
    "annot ", "ould not ", "nable to", "No such file", "enied", "refused", "space left",
    "ut of memory", "Killed", "Aborted", "egmentation fault", "core dumped", "llegal instruction",
    "timed out", ": line ", "d option", "curl: (", ".go:", ".py:", "e: file://", "CONFLICT (",
    "exited with", "BackOff", "(): ", "corrupt", "type mismatch", "●", "✕", "✖", "✗", "✘", "× ",
];

/// Returns true if a row's displayed text, without escapes, reports an error.
#[must_use]
pub fn is_error(text: &str) -> bool {
    RULE_SET.is_match(without_prefix(text).as_bytes()) && !is_harmless(text)
}

/// Returns true if a row's displayed text looks like a report of an error, but is harmless: a
/// warning, a note, or a message of a passed test.
pub(super) fn is_harmless(text: &str) -> bool {
    let is_match =
        |text| few::is_harmless(text).unwrap_or_else(|| HARMLESS_SET.is_match(text.as_bytes()));
    let bare = without_prefix(text);
    is_match(text) || (bare.len() < text.len() && is_match(bare))
}

/// Returns the weight of a row as the cause of a failure, and the name of the rule that matched.
/// `None` if no rule or clue matches, or if a harmless pattern overrides all matches.
pub(super) fn judge(text: &str) -> Option<(Weight, &'static str)> {
    let bare = without_prefix(text);
    let matches = few::matches(bare)
        .unwrap_or_else(|| WEIGHED.matches(bare.as_bytes()).into_iter().collect());
    let is_harmless = !matches.is_empty() && is_harmless(text);
    // A harmless pattern overrides the rules, but not all clues. Some clues match rows that are not
    // errors but affect the choice of the cause: reports of passed tests, and the report of a data
    // race.
    let spares = |n, weight| {
        is_harmless && (n < RULES.len() || matches!(weight, Again | Aftermath | Logged | Message))
    };
    let found = matches.into_iter().filter_map(|n| Some((n, RULES.iter().chain(CLUES).nth(n)?)));
    let found = found.filter(|(n, rule)| !spares(*n, rule.0)).map(|(_, rule)| (rule.0, rule.1));
    // Of several matches with the same weight, the first one in the tables wins.
    found.min_by_key(|(weight, _)| (*weight != Aftermath, Reverse(*weight)))
}

/// The weight of a row as the cause of a failure, in ascending order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Weight {
    /// Not an error: a retry after the failure above it.
    Again,
    /// Not an error: the failure above it does not count.
    Ignored,
    /// The start of a task, whose failure may be ignored.
    Task,
    /// The verdict of a test runner or a build tool that nothing failed: exceptions and messages
    /// above it were survived.
    Succeeded,
    /// The start of a test.
    Started,
    /// A passed test.
    Passed,
    /// The source location of the message above.
    Place,
    /// An error entry of a program's own log. It does not always stop the program.
    Logged,
    /// A consequence: a report of a failure that other rows describe. Takes precedence over all
    /// other rules that match the same row.
    Aftermath,
    /// The name of a failed test or step.
    Name,
    /// A problem that does not always stop the program.
    Aside,
    /// A problem, in a program's own words.
    Message,
    /// A defect, often with its location. A program that reports one has failed.
    Fault,
    /// The name of a failed test or step, printed above its details.
    Heading,
}

/// Returns the name of a rule if it is the name of one tool; `None` for a family of tools.
pub(super) fn tool(rule: &'static str) -> Option<&'static str> {
    const FAMILIES: [&str; 7] =
        ["most tools", "compilers", "any", "errno", "getopt", "wrappers", "logs"];
    Some(rule).filter(|rule| !FAMILIES.contains(rule) && !rule.contains(", "))
}

/// The rules; compiled only to count and to filter error rows.
static RULE_SET: LazyLock<RegexSet> =
    LazyLock::new(|| set(RULES.iter().map(|(_, _, pattern, _)| pattern)));

static HARMLESS_SET: LazyLock<RegexSet> =
    LazyLock::new(|| set(HARMLESS.iter().map(|(pattern, _)| pattern)));

/// The rules, followed by the clues.
static WEIGHED: LazyLock<RegexSet> =
    LazyLock::new(|| set(RULES.iter().chain(CLUES).map(|(_, _, pattern, _)| pattern)));

/// Compiles patterns. ASCII classes make small automata that compile quickly; without Unicode, `.`
/// matches one byte.
#[expect(clippy::expect_used, reason = "constants, all compiled by the first test")]
fn set<'p>(patterns: impl Iterator<Item = &'p &'p str>) -> RegexSet {
    RegexSetBuilder::new(patterns).unicode(false).build().expect("a table of expressions")
}

/// The weight, the tool or family of tools, a pattern for the text without its prefixes, and an
/// example row.
type Rule = (Weight, &'static str, &'static str, &'static str);

/// A row is an error row if one of these rules matches, and no pattern in [`HARMLESS`] does. In
/// order: compilers and linkers, panics and exceptions, test runners, build tools, shells and the
/// system, general wordings.
#[rustfmt::skip]
static RULES: &[Rule] = &[
    // Compilers, linkers, and anything that prints "error:".
    (Fault, "compilers", concat!(
        r"^[^\s:]+:\d+:(?:\d+:)?\s(?:fatal |internal compiler )?(?:error|Error|ERROR)",
        r"(?:\[[^\]]+\])?\s?:\s|^error\[E\d+\]:",
    ), "src/mesh.cpp:13:33: error: no match for ‘operator+’"),
    (Message, "most tools", concat!(
        r"^(?:[^\s:]+:(?:\d+:)*\s+){0,3}",
        r"(?:(?:PHP|fatal|Fatal|FATAL|internal|compiler?|compilation|syntax|Syntax|parse|Parse",
        r"|runtime|linker|build|Build|uncaught|Uncaught)\s){0,2}",
        r"(?:error|Error|ERROR)(?:\[[^\]]+\]|\([^)]*\))?\s?:(?:\s|$)",
    ), "src/mesh.cpp:13:33: error: no match for ‘operator+’"),
    (Message, "most tools",
     r"^(?:[^\s:]+:(?:\d+:)*\s+){0,3}(?:fatal|Fatal|FATAL)(?:\s\w+){0,2}:(?:\s|$)",
     "fatal: not a git repository"),
    (Fault, "tsc, msbuild", r"(?:^|:\s+| - )(?:fatal )?error [A-Z]{1,10}\d+\s?:",
     "src/order.ts(3,22): error TS18048: 'o.note' is possibly 'undefined'."),
    (Fault, "ld", concat!(
        r"undefined reference to |undefined symbol: |multiple definition of |[Dd]uplicate symbol",
        r"|cannot find -l",
    ), "main.cpp:(.text+0x394): undefined reference to `engine::replay_name'"),
    (Fault, "go build, go vet", r"^(?:vet: )?[^\s:]+\.go:\d+:\d+: ",
     "internal/orders/orders.go:33:2: count declared but not used"),
    (Fault, "kotlin", r"^e: file://", "e: file:///src/Main.kt:3:5 Unresolved reference: failed"),
    (Aftermath, "clang, javac, tsc, ruff",
     r"^(?:\d+ warnings? and )?[1-9]\d* errors?(?: generated\.)?$|^Found [1-9]\d* errors?\b",
     "Found 2 errors in the same file, starting at: ts/a.ts:1"),
    (Fault, "flake8, ruff", r"^[^\s:]+\.py:\d+:\d+: [A-Z]{1,4}\d{2,4}\b",
     "py/lint.py:1:8: F401 [*] `os` imported but unused"),
    (Fault, "webpack", r"^ERROR in \S|^Module not found: ", "ERROR in ./src/index.js 3:0-28"),
    (Fault, "eslint", r"^\d+:\d+\s+error\s+\S",
     "  2:13  error    'totl' is not defined    no-undef"),
    (Fault, "stylelint", r"^\d+:\d+\s+✖\s+\S", "  1:12  ✖  Invalid hex color \"#ggg\""),
    (Aftermath, "eslint, stylelint", r"^✖ \d+ problems? \([1-9]",
     "✖ 2 problems (2 errors, 0 warnings)"),
    (Fault, "pyright", r"^\S+:\d+:\d+ - error: ",
     "/src/app.py:2:12 - error: Type \"int\" is not assignable to return type \"str\""),
    (Fault, "prettier", r"^\S+: SyntaxError: ",
     "[error] a.js: SyntaxError: Unexpected token (1:11)"),
    (Fault, "ruby", r"^[^\s:]+\.rb:\d+: syntax error",
     "a.rb:2: syntax error, unexpected end-of-input"),
    (Fault, "scala", concat!(
        r"^\S+\.(?:scala|sbt):\d+(?::\d+)?: (?:error|not found|type mismatch)",
        r"|^-- (?:\[E\d+\] )?.*Error: ",
    ), "[error] /src/Main.scala:3:7: not found: value x"),
    (Fault, "sqlite", r"^(?:Runtime|Parse) error near line \d+: ",
     "Runtime error near line 3: NOT NULL constraint failed: a.x (19)"),
    (Fault, "mysql", r"^ERROR \d+ \(\w+\)(?: at line \d+)?: ",
     "ERROR 1146 (42S02) at line 3: Table 'shop.orders' doesn't exist"),

    // Panics, exceptions, sanitizers.
    (Fault, "rust", r"^thread '.*' (?:\(\d+\) )?panicked at ",
     "thread 'merges_lines_108' (21643) panicked at tests/checkout.rs:765:5:"),
    (Fault, "rust, C", r"^assertion .*failed|Assertion .* failed\.?$",
     "assertion `left == right` failed"),
    (Fault, "go", r"^panic: |^fatal error: ", "panic: assignment to entry in nil map"),
    (Fault, "python", r"^(?:[+|] +)*(?:Exception Group )?Traceback \(most recent call last\):",
     "Traceback (most recent call last):"),
    (Fault, "python, java, node", concat!(
        r"^(?:[^\s:]+:\d+: |Caused by: |Uncaught |Unhandled exception[.:] |\[!\] )?",
        r"(?:[A-Za-z_$][\w$]*(?:\.|::))*[A-Z]\w*(?:Error|Exception)(?: \[\w+\])?(?::(?:\s|$)|$)",
    ), "java.lang.AssertionError: expected:<1189> but was:<1199>"),
    (Fault, "node", r"^(?:Uncaught |\[!\] )?Error \[\w+\]: |^\[!\] Error: ",
     "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'left-pad'"),
    (Fault, "java", r#"^Exception in thread ""#,
     "Exception in thread \"main\" java.lang.IllegalStateException: no total"),
    (Fault, "ruby", r"\((?:\w+::)*[A-Z]\w*(?:Error|Exception)\)$",
     "ruby/b.rb:1:in `total': undefined method `sum' for nil:NilClass (NoMethodError)"),
    (Fault, "sanitizers", r"^==\d+==\s?ERROR: |^SUMMARY: \w+Sanitizer: |: runtime error: ",
     "==26327==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602000000014"),

    // Test runners.
    (Name, "cargo test", r"^test .+ \.\.\. FAILED$|^FAILED$", "test merges_lines_108 ... FAILED"),
    (Aftermath, "cargo test", r"^test result: FAILED\b",
     "test result: FAILED. 24 passed; 1 failed; 0 ignored"),
    (Name, "cargo nextest", r"^FAIL \[",
     "        FAIL [   0.005s] shop::checkout merges_lines_108"),
    (Name, "go test", r"^--- FAIL: ", "--- FAIL: TestDiscount (0.00s)"),
    (Heading, "vitest", r"^FAIL +\S+.* > ", " FAIL  vitest/cart.test.js > cart > keeps the total"),
    (Name, "go, jest, vitest", r"^FAIL(?:\s|$)", "FAIL tests/api.test.js"),
    (Fault, "go test", r"^[^\s:]+_test\.go:\d+: .*\b(?:want|wanted|got|unexpected|Error Trace)\b",
     "    orders_test.go:23: Discount(999, 33) = 669, want 670"),
    (Fault, "pytest", concat!(
        r"^E {3,}(?:assert\b|(?:\w+\.)*\w*(?:Error|Exception)\b|(?:\w+\.)+[A-Z]\w*(?::|$)",
        r"|Failed: |fixture ')",
    ), "E       AssertionError: assert {'total': '23'} == {'total': '24'}"),
    (Name, "pytest", r"^(?:FAILED|ERROR) [^\s:]+\.py\b|^\S+::.+ (?:FAILED|ERROR)(?:\s+\[|$)",
     "tests/test_pricing.py::test_order_as_dict FAILED       [ 82%]"),
    (Heading, "pytest", r"^_+ ERROR (?:collecting|at setup of|at teardown of) ",
     "_________ ERROR at setup of test_db _________"),
    (Aftermath, "pytest", r"^!+ .*\b(?:errors?|failures?)\b",
     "!!!!!!! Interrupted: 1 error during collection !!!!!!!"),
    (Aftermath, "pytest",
     r"^(?:=+ )?(?:\d+ \w+, )*[1-9]\d* (?:failed|errors?)\b.* in \d[\d.]*m?s\b",
     "========= 1 failed, 50 passed in 0.17s ========="),
    (Aftermath, "any", r"^(?:ERROR|[Ee]rror): [Uu]sage: ",
     "ERROR: usage: pytest [options] [file_or_dir]"),
    (Heading, "unittest", r"^(?:FAIL|ERROR): \w+ \(",
     "FAIL: test_total (__main__.Cart.test_total)"),
    (Name, "unittest", r"\.\.\. (?:FAIL|ERROR)$", "test_total (__main__.Cart.test_total) ... FAIL"),
    (Aftermath, "unittest", r"^FAILED \(", "FAILED (failures=1, errors=1, skipped=1)"),
    (Heading, "jest", r"^● \S", "  ● cart › keeps the total"),
    (Name, "jest, mocha, vitest", r"^(?:✕|✖|✗|✘|×) \S", "    ✕ keeps the total (3 ms)"),
    (Aftermath, "jest, vitest",
     r"^(?:Tests|Test Suites|Test Files):?\s+(?:\d+ \w+,? )*[1-9]\d* failed\b|\| [1-9]\d* failed\)",
     "Test Suites: 1 failed, 1 passed, 2 total"),
    (Heading, "mocha", r"^[1-9]\d* failing\b", "  2 failing"),
    (Heading, "minitest, rspec", r"^\d+\) (?:Error|Failure):|^Failure/Error: ", "  1) Failure:"),
    (Aftermath, "minitest, rspec", r"^\d+ (?:runs|examples?), .*\b[1-9]\d* (?:failures?|errors?)\b",
     "3 runs, 2 assertions, 1 failures, 1 errors, 0 skips"),
    (Heading, "junit", r"^\[ERROR\] \S+.* <<< (?:FAILURE|ERROR)!| ✘ ",
     "[ERROR] idIsUpper(com.acme.billing.InvoiceTest)  Time elapsed: 0 s  <<< ERROR!"),
    (Aftermath, "junit",
     r"^(?:\[ERROR\] +)?Tests run: .*(?:Failures|Errors): [1-9]|^\[ +[1-9]\d* tests failed",
     "Tests run: 2, Failures: 1, Errors: 0, Skipped: 0"),
    (Heading, "dotnet test", r"^Error Message:$", "  Error Message:"),
    (Name, "dotnet test", r"^Failed \S+ \[.*\d m?s\]$|^\[xUnit\.net .*\[FAIL\]$",
     "  Failed Shop.Tests.CartTests.Totals [4 ms]"),
    (Fault, "dotnet test", r"^Assert\.\w+\(\) Failure|^Assert\.\w+ failed\. ",
     "   Assert.Equal() Failure: Values differ"),
    (Aftermath, "dotnet test", r"^Failed!\s+- Failed: ", "Failed!  - Failed:     1, Passed:    11"),
    (Heading, "doctest", r"^Failed example:$", "Failed example:"),
    (Aftermath, "doctest", r"^\*\*\*Test Failed\*\*\*", "***Test Failed*** 1 failures."),
    (Heading, "phpunit", r"^There (?:was|were) [1-9]\d* (?:failure|error)s?:",
     "There was 1 failure:"),
    (Aftermath, "phpunit", r"^Tests: \d+, .*(?:Failures|Errors): [1-9]",
     "Tests: 2, Assertions: 2, Failures: 1."),
    (Name, "ctest", r"\*\*\*(?:Failed|Exception|Timeout|Not Run)",
     "5/10 Test  #5: input ............................***Exception: SegFault  0.00 sec"),
    (Aftermath, "ctest",
     r"\b[1-9]\d* tests? failed out of |^\d+ - .+ \((?:Failed|SEGFAULT|Subprocess aborted)\)$",
     "80% tests passed, 2 tests failed out of 10"),
    (Name, "gtest", r"^\[  FAILED  \] ", "[  FAILED  ] Geometry.Area (0 ms)"),
    (Fault, "gtest", r": Failure$", "geometry_test.cpp:13: Failure"),
    (Heading, "perl", r"^#\s+Failed test ", "#   Failed test 'adds'"),
    (Heading, "tap, bats", r"^not ok\b", "not ok 3 unknown command fails with error"),

    // Build tools, package managers, containers, deployment tools, git, CI systems.
    (Fault, "make", r"^\w*make(?:\[\d+\])?: \*\*\* ",
     "make: *** No rule to make target 'a.c', needed by 'a.o'.  Stop."),
    (Aftermath, "make", concat!(
        r"^\w*make(?:\[\d+\])?: \*\*\* (?:\[|Waiting)",
        r"|^\w*make(?:\[\d+\])?: .* not remade because of errors",
    ), "make: *** [Makefile:10: build/mesh.o] Error 1"),
    (Heading, "ninja", r"^FAILED: ", "FAILED: CMakeFiles/engine.dir/src/main.cpp.o"),
    (Aftermath, "ninja", r"^ninja: build stopped: .*failed",
     "ninja: build stopped: subcommand failed."),
    (Fault, "cmake", r"^CMake Error\b", "CMake Error at CMakeLists.txt:3 (find_package):"),
    (Aftermath, "cmake", r"^-- Configuring incomplete, errors occurred",
     "-- Configuring incomplete, errors occurred!"),
    (Fault, "maven", r"^\[ERROR\] +\S+\.\w+:\[\d+,\d+\] ",
     "[ERROR] /app/src/main/java/acme/Invoice.java:[12,16] cannot find symbol"),
    (Message, "maven", r"^\[(?:ERROR|FATAL)\] +\S", "[ERROR] Failures: "),
    (Aftermath, "gradle, xcode", concat!(
        r"^FAILURE: Build failed|^(?:\*\* )?\w+ FAILED\b|^(?:> )?Task \S+ FAILED$",
        r"|^Execution failed for task|^Could not resolve all \w+|^There were failing tests\. ",
        r"|^A failure occurred while executing |^Compilation failed; see the compiler ",
    ), "> Task :test FAILED"),
    (Message, "gradle", r"^Could not (?:find|get|resolve|download) \S+:\S+",
     "   > Could not find com.acme:payments:3.1."),
    (Heading, "gradle, xcode", r"^.+ > .+ FAILED$", "InvoiceTest > addsVat FAILED"),
    (Message, "npm, pnpm, yarn", concat!(
        r"^npm (?:error|ERR!) [^\s/]|^ERR_PNPM_|^ELIFECYCLE\s.*failed",
        r"|^error (?:Command failed|Couldn't) ",
    ), "npm error ERESOLVE unable to resolve dependency tree"),
    (Heading, "pre-commit", r"\.{3,}Failed$",
     "check json.............................................................Failed"),
    (Message, "coverage", r"^Coverage failure: |^FAIL Required test coverage",
     "Coverage failure: total of 80 is less than fail-under=99"),
    (Message, "java", r"^Error occurred during initialization of VM",
     "Error occurred during initialization of VM"),
    (Message, "pre-commit", r"^An error has occurred: ",
     "An error has occurred: InvalidConfigError:"),
    (Message, "docker", r"^(?:ERROR: )?failed to solve: |^Error response from daemon: ",
     "Error response from daemon: conflict: unable to delete 1d2e"),
    (Aftermath, "docker", r"\bexited with code [1-9]", "web-1 exited with code 3"),
    (Message, "kubernetes", r"\b(?:OOMKilled|CrashLoopBackOff|ImagePullBackOff)\b",
     "web-5d9c   0/1   CrashLoopBackOff   4   2m"),
    (Fault, "ansible", r"^\[ERROR\]: ",
     "[ERROR]: Task failed: Action failed: app is older than 2.4"),
    (Fault, "ansible", r"^(?:fatal|failed): \[",
     "fatal: [web1]: UNREACHABLE! => {\"changed\": false}"),
    (Message, "git", r"^CONFLICT \(", "CONFLICT (content): Merge conflict in src/lib.rs"),
    (Message, "actions", r"^(?:##\[error\]|::error)", "##[error]The operation was canceled."),
    (Message, "logrus", r"\blevel=(?:fatal|panic)\b",
     "time=\"2026-01-02T03:04:05Z\" level=fatal msg=\"no configuration\""),

    // Shells and the system.
    (Aside, "bash", r"^[^\s:]+: line \d+: +\S|: command not found\b",
     "deploy.sh: line 4: helmfile: command not found"),
    (Aside, "sh", concat!(
        r"^[^\s:]+: (?:\d+: )?(?:[^\s:]+: )?.*",
        r"(?:not found|can't cd to .+|parameter not set|I/O error)$",
    ), "sh: 1: frobnicate: not found"),
    (Aside, "errno", concat!(
        r"^[^\s:]+: .*(?:No such file or directory|Permission denied|Connection refused",
        r"|No space left on device|Cannot allocate memory|Exec format error)",
    ), "cat: missing.txt: No such file or directory"),
    (Aside, "getopt", r"^[^\s:]+: (?:unrecognize|invali)d option\b",
     "ls: unrecognized option '--frob'"),
    (Aside, "curl", r"^curl: \(\d+\) ",
     "curl: (7) Failed to connect to 127.0.0.1 port 1 after 0 ms"),
    (Fault, "signals", concat!(
        r"^(?:Segmentation fault|Aborted|Bus error|Illegal instruction|Floating point exception)",
        r"(?: \(core dumped\))?$",
        r"|^[^\s:]+: line \d+:\s+\d+ ",
        r"(?:Segmentation fault|Aborted|Bus error|Illegal instruction)\b",
        r"|\(core dumped\)",
    ), "Segmentation fault (core dumped)"),
    (Fault, "heap", concat!(
        r"^(?:malloc|free|realloc|munmap_chunk)\(\): |^double free or corruption",
        r"|^corrupted (?:size|double-linked)|\*\*\* stack smashing detected",
    ), "double free or corruption (out) (core dumped)"),
    (Message, "signals", r"^Killed\b|^[^\s:]+: line \d+:\s+\d+ Killed\b",
     "deploy.sh: line 8: 27274 Killed                  ./server"),
    (Fault, "memory", r"\b[Oo]ut of memory\b",
     "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"),
    (Aside, "time", r"\btimed out\b", "The job timed out after 3600 s"),

    // General wordings.
    (Aside, "any", r"^(?:[^\s:]+: ){0,2}(?:[Ff]ailed to|[Uu]nable to|[Cc]annot|[Cc]ould not) \w+",
     "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."),
    (Aside, "any", r"\b(?:cannot|could not|failed to|unable to) [\w ]{1,40}: \S",
     "[23117] doc 824a2b9161 cannot index: invalid JSON"),
];

/// Rules that do not make a row an error row. A match changes the weight of an error row, makes
/// another row a candidate for the cause, or affects the choice between the candidates.
#[rustfmt::skip]
static CLUES: &[Rule] = &[
    (Again, "retries",
     r"\b[Rr]etrying\b|\b(?:[Rr]etry|[Aa]ttempt) #?(?:[2-9]|1\d)(?:\s?(?:/|of)\s?\d+)?\W*$",
     "attempt 1 failed, retrying in 2 s"),
    (Ignored, "ansible", r"^\.\.\.ignoring$", "...ignoring"),
    (Ignored, "make", r"^\w*make(?:\[\d+\])?: \[.*\] Error \d+ \(ignored\)$",
     "make: [Makefile:7: lint] Error 1 (ignored)"),
    (Ignored, "sh", r"^\++ true$|^\++ :$", "+ true"),
    (Succeeded, "pytest",
     r"^(?:=+ )?\d+ passed(?:, \d+ (?:skipped|deselected|xfailed|xpassed|warnings?|rerun))* in \d",
     "===== 41 passed, 2 skipped in 0.35s ====="),
    (Succeeded, "cargo test", r"^test result: ok\.", "test result: ok. 24 passed; 0 failed"),
    (Succeeded, "jest, vitest",
     r"^Tests:?\s+(?:\d+ (?:skipped|todo),? )*\d+ passed, \d+ total|^Test Files\s+\d+ passed \(",
     "Tests:       24 passed, 24 total"),
    (Succeeded, "mocha", r"^\d+ passing \(", "  24 passing (12ms)"),
    (Succeeded, "tap", r"^# fail 0$|^All tests successful\.|^Result: PASS$",
     "All tests successful."),
    (Succeeded, "unittest", r"^OK \((?:skipped|expected failures)=", "OK (skipped=1)"),
    (Succeeded, "maven, gradle", r"^(?:\[INFO\] )?BUILD SUCCESS(?:FUL\b.*)?$",
     "[INFO] BUILD SUCCESS"),
    (Task, "ansible", r"^TASK \[|^RUNNING HANDLER \[", "TASK [copy config] *******"),
    (Aftermath, "wrappers", concat!(
        r"\b(?:exit(?:ed)?|returned|failed|terminated|completed)(?: with)?(?: an?)?",
        r"(?: non-?zero)?(?: exit)?(?: code| status)[: ]+[1-9]|\bld returned \d",
        r"|\blinker command failed|\bdid not complete successfully|\bdid not run successfully",
        r"|\bsubprocess-exited-with-error|\btar: Child returned status \d|^exit status [1-9]\d*$",
        r"|^error: failed to push some refs|^(?:subprocess\.)?CalledProcessError: ",
        r#"|^Error: Command failed: |^ERROR: "[^"]+" exited with \d"#,
        r"|^(?:Error: )?ERR_PNPM_RECURSIVE|^\[ELIFECYCLE\]|^Aborted (?:with|due|because)\b",
        r"|^fatal: Could not read from remote repository|Error is not recoverable: exiting now",
    ), "Process completed with exit code 2."),
    (Aftermath, "cargo", concat!(
        r"^error: (?:could not compile|test failed, to rerun|\d+ targets? failed|aborting due to",
        r"|build failed|bench failed)|^error: \d+ (?:previous )?errors?\b",
    ), "error: could not compile `shop` (lib) due to 2 previous errors"),
    (Aftermath, "npm, pnpm, yarn", concat!(
        r"^npm (?:error|ERR!) (?:code (?:E[A-Z]+|\d+)$|errno|path |command |Lifecycle script",
        r"|workspace |location |\S+@\S+ \S+: `|Exit status|Failed at the|Test failed)",
        r"|^ELIFECYCLE|^error Command failed",
    ), "npm error code ELIFECYCLE"),
    (Fault, "make", r"^[^\s:]+:\d+: \*\*\* ", "Makefile:2: *** missing separator.  Stop."),
    (Fault, "C++", r"^terminate called (?:after throwing|without)",
     "terminate called after throwing an instance of 'std::runtime_error'"),
    (Heading, "sanitizers", r"^WARNING: (?:DATA RACE|ThreadSanitizer|MemorySanitizer)\b",
     "WARNING: DATA RACE"),
    (Heading, "vite", r"^error during build:", "error during build:"),
    (Message, "perl", r" at \S+ line \d+\.$",
     "no prices: No such file or directory at a.pl line 3."),
    (Heading, "cargo test", r"^---- .+ stdout ----$", "---- merges_lines_108 stdout ----"),
    (Place, "rust", r"^--> \S+:\d+", "   --> src/main.rs:3:5"),
    (Fault, "signals", r"\(signal: \d+, SIG",
     "process didn't exit successfully: `target/debug/shop` (signal: 11, SIGSEGV: invalid memory \
      reference)"),
    (Fault, "rust", r"^thread '.*' (?:\(\d+\) )?has overflowed its stack",
     "thread 'deep' has overflowed its stack"),
    (Heading, "node", r"^✖ failing tests:", "✖ failing tests:"),
    (Message, "apt", r"^E: \S", "E: Package 'frobnicate' has no installation candidate"),
    (Started, "go test", r"^=== (?:RUN|CONT|NAME)\s", "=== RUN   TestDiscount/999_33"),
    (Passed, "go test", r"^--- (?:PASS|SKIP): ", "--- PASS: TestDiscount (0.00s)"),
    (Passed, "jest", r"^PASS\s", "PASS ./cart.test.js"),
    (Fault, "ld", r"^= note: (?:[^\s:]+: )+error: \S",
     "  = note: rust-lld: error: unable to find library -lquaggamire"),
    (Fault, "jest", r"^Jest: .* does not meet ",
     "Jest: Coverage for branches (50%) does not meet \"global\" threshold (95%)"),
    (Logged, "logs",
     r"^(?:[\[(<]?[\d:.,TZ/+-]+[\])>]?\s+|[\w.\[\]-]+\s+){0,4}[\[(<]?(?:ERROR|CRITICAL|FATAL)\b",
     "2026-01-02 03:04:05,123 ERROR nightly: column price has 3 nulls"),
    (Logged, "logs", concat!(
        r"\blevel=(?:error|critical|ERROR|CRITICAL)\b",
        r#"|"(?:level|severity)"\s*:\s*"(?:error|critical|fatal|ERROR|CRITICAL|FATAL)""#,
    ), "time=10:01 level=error msg=\"schema drift in orders\""),
    (Fault, "python", r"^\+ Exception Group Traceback \(most recent call last\):",
     "  + Exception Group Traceback (most recent call last):"),
    (Message, "python", r"^[^\s:]+: No module named \S+$",
     "/usr/bin/python3: No module named frobnicate"),
    (Aftermath, "pytest", r"^(?:=+ )?(?:no tests ran|\d+ deselected) in \d",
     "1 deselected in 0.03s"),
    (Fault, "bandit", r"^>?>? ?Issue: \[B\d+", ">> Issue: [B602:subprocess_popen] security issue."),
    (Fault, "shellcheck", r"^\S+:\d+:\d+: \w+: .*\[SC\d+\]$|^\^-+\^? SC\d+ \(\w+\): ",
     "a.sh:2:8: warning: Use \"${var:?}\" to ensure this never expands to /* . [SC2115]"),
    (Fault, "cmp", r"^\S+ \S+ differ: (?:byte|char) \d+, line \d+$", "x y differ: byte 3, line 2"),
    (Fault, "lua", r"^lua[\d.]*: ", "lua5.4: a.lua:3: attempt to index a nil value (local 't')"),
    (Message, "tcl", r#"^can't read "|^invalid command name "|^wrong # args: "#,
     "can't read \"y\": no such variable"),
    (Message, "sed, awk", r"^sed: -e expression #\d+, char \d+: |^[gm]?awk: ",
     "sed: -e expression #1, char 9: unterminated `s' command"),
    (Fault, "checksum", r"^[^\s:]+: FAILED$", "a.bin: FAILED"),
    (Message, "black", r"^would reformat \S", "would reformat src/a.py"),
    (Message, "rustfmt", r"^Diff in \S", "Diff in src/lib.rs:1:"),
    (Message, "rake", r"^rake aborted!", "rake aborted!"),
    (Fault, "valgrind", concat!(
        r"^==\d+== (?:Invalid |Conditional jump or move depends on|Use of uninitialized value",
        r"|Process terminating)",
    ), "==12990== Invalid write of size 4"),
    (Fault, "go test", r"^[^\s:]+_test\.go:\d+: \S",
     "    orders_test.go:23: the discount is too small"),
];

/// Literals for clues, like [`LITERALS`]: every row that matches a clue contains one of these or
/// one of [`LITERALS`].
#[rustfmt::skip]
pub(super) static CLUE_LITERALS: &[&str] = &[
    "etry", "ttempt", "exit", "returned", "erminated", "ompleted", "successfully", "LIFECYCLE",
    "dout ---", "terminate called", "DATA RACE", "--> ", "(signal: ", "overflowed its", "E: ",
    " line ", "_test.go", "== ", "PASS", "SKIP", "does not meet", "CRITICAL", "critical",
    "to push some", "No module named", "would reformat", "Diff in ", "aborted!",
    "...ignoring", "(ignored)", "+ true", "+ :", " passed", "result: ok", " passing", "# fail 0",
    "uccess", "SUCCESS", "Result: PASS", "OK (", "TASK [", "HANDLER [", "Issue: [", " SC", "[SC",
    "differ: ", "lua", "can't read", "invalid command", "wrong # args",
    "expression #", "awk: ", "deselected", "no tests ran",
];

/// Exceptions: patterns for rows that are harmless although a rule matches, each with an example.
#[rustfmt::skip]
static HARMLESS: &[(&str, &str)] = &[
    (concat!(
        r"^(?:[\[(<]?[\d:.,TZ/+-]+[\])>]?\s+|[\w.\[\]-]+\s+){0,4}[\[(<]?",
        r"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING)\b",
    ), "2026-01-02 03:04:05,123 INFO nightly: cannot collect: no disk"),
    (r"\blevel=(?:trace|debug|info|warn|warning)\b",
     "time=\"2026-01-02T03:04:05Z\" level=info msg=\"the last attempt timed out\""),
    (concat!(
        r"^\s*(?:[^\s:]+:(?:\d+:)*\s+|[^\s:]+\(\d+,\d+\): ){0,2}(?:npm )?",
        r"(?:[Ww]arning|warn|[Nn]ote|help|hint|info|debug)\b",
    ), "ld: warning: libfrob.so: undefined reference to `frobnicate'"),
    (concat!(
        r"^Use of uninitialized value|^Argument .* isn't numeric in|^Subroutine \w+ redefined",
        r"|^#\s+at ",
    ), "Use of uninitialized value in addition (+) at a.pl line 4."),
    (r"\bOK\s+[\d.]+ ?s$|: PASSED$", "1/2 x: cannot fail: OK              0.03s"),
    (r"^✖ \d+ problems? \(0 errors|# (?:TODO|SKIP)$", "✖ 1 problem (0 errors, 1 warning)"),
    (r"^(?:[^\s:]+:\d+: )?\w*Warning: ",
     "lib/plugin.py:306: DeprecationWarning: cannot be used: it is unset"),
    (r"^\s*(?:ok\b|PASS\b|✓|✔|√|--- PASS)|\.\.\. ?ok$|\bPASSED(?:$|\s+\[)|\.{3,}Passed$",
     "ok 4 frobnicate: command not found"),
    (r"\b(?:[Ee]rrors?|ERRORS?|[Ff]ailures?)\W{1,3}(?:0|none|None|null|no|false|nil|undefined)\W*$",
     "error: 0"),
    (r"^\s*(?:\++|\$) ", "+ echo 'frobnicate: command not found'"),
    (r"^\s*● (?:Console|\S+\.(?:service|socket|timer))\b", "  ● Console"),
    (r"^\s*not ok\b.*# ?(?:TODO|todo|SKIP|skip)\b", "not ok 5 - the new parser # TODO"),
    (concat!(
        r"^npm (?:error|ERR!) (?:\d+$|404 Note that|404 tarball|node_modules/|To see a list",
        r"|A complete log|For a full report)",
    ), "npm error A complete log of this run can be found in: /root/.npm/_logs/debug-0.log"),
    (concat!(
        r"^\[ERROR\] (?:-> \[Help|\[Help|To see the full|Re-run Maven|For more information",
        r"|Please refer)",
    ), "[ERROR] -> [Help 1]"),
];

#[cfg(test)]
mod tests;
