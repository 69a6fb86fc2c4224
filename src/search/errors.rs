//! Which rows tell of an error: rules for what compilers, test runners, build tools and shells print.
//!
//! A row is judged by its text alone: no rule knows its stream or the rows around it. So what is harmless in one place and
//! the cause in another is left out: a program's own log lines of level ERROR (tests print them on purpose), and whatever
//! merely speaks of errors. A new tool is a line in `RULES` and, if none fits yet, a word in [`LITERALS`].

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// Every text that tells of an error contains one of these, in these letters: bytes without any of them need no closer look.
/// Each is a word or part of one, since tools switch colours between words; and of three bytes at least, which takes a third of the
/// time that two take.
#[rustfmt::skip]
pub static LITERALS: &[&str] = &[
    "rror", "ERR", "FAIL", "ailed", "ailure", "ailing", "atal", "FATAL", "panic", "xception", "raceback", "Sanitizer", "***",
    "SEGFAULT", "aborted)", "not ok", "not found", "parameter not set", "can't cd", "E   ", "undefined ", "multiple definition",
    "uplicate symbol", "annot ", "ould not ", "nable to", "No such file", "enied", "refused", "space left", "ut of memory",
    "Killed", "Aborted", "egmentation fault", "core dumped", "llegal instruction", "timed out", ": line ", "d option", "curl: (",
    ".go:", ".py:", "e: file://", "CONFLICT (", "exited with", "BackOff", "●", "✕", "✖", "✗", "✘", "× ",
];

/// Whether a row's shown text, without escape sequences, tells of an error.
#[must_use]
pub fn is_error(text: &str) -> bool {
    TABLE.rules.is_match(said(text)) && !TABLE.harmless.is_match(text.as_bytes())
}

/// The text without what stands before the message: indents, frames, times, the name of a container.
fn said(text: &str) -> &[u8] {
    let text = text.as_bytes();
    let start = TABLE.before.find(text).map_or(0, |found| found.end());
    text.get(start..).unwrap_or_default()
}

/// The expressions, compiled once.
struct Table {
    rules: RegexSet,
    harmless: RegexSet,
    before: Regex,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let rules = RULES.iter().map(|(_, pattern, _)| pattern);
    let harmless = HARMLESS.iter().map(|(pattern, _)| pattern);
    Table { rules: set(rules), harmless: set(harmless), before: before() }
});

/// ASCII classes make small automata that are quickly built; without Unicode `.` is a byte.
#[expect(clippy::expect_used, reason = "constants, all compiled by the first test")]
fn set<'p>(patterns: impl Iterator<Item = &'p &'p str>) -> RegexSet {
    RegexSetBuilder::new(patterns).unicode(false).build().expect("a table of expressions")
}

#[expect(clippy::expect_used, reason = "a constant, compiled by the first test")]
fn before() -> Regex {
    RegexBuilder::new(BEFORE).unicode(false).build().expect("an expression")
}

/// Indents and the frames of terraform; times; the steps of a container build; `name | ` of a group of containers.
const BEFORE: &str = r"^(?:\s+|│|╷|╵|#\d+ (?:\d+\.\d+ )?|\[?\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?\]?\s|[A-Za-z][\w.-]*\s+\|\s)*";

/// Who prints it, what it looks like once [`said`], and a row of that kind.
type Rule = (&'static str, &'static str, &'static str);

/// Any of these makes an error row. Compilers and linkers, then test runners, build tools, shells, the system.
#[rustfmt::skip]
static RULES: &[Rule] = &[
    // Compilers, linkers, whoever says "error:".
    ("most tools", r"^(?:[^\s:]+:(?:\d+:)*\s+){0,3}(?:(?:PHP|fatal|Fatal|FATAL|internal|compiler?|compilation|syntax|Syntax|parse|Parse|runtime|linker|build|Build|uncaught|Uncaught)\s){0,2}(?:error|Error|ERROR)(?:\[[^\]]+\]|\([^)]*\))?\s?:(?:\s|$)", "src/mesh.cpp:13:33: error: no match for ‘operator+’"),
    ("most tools", r"^(?:[^\s:]+:(?:\d+:)*\s+){0,3}(?:fatal|Fatal|FATAL)(?:\s\w+){0,2}:(?:\s|$)", "fatal: not a git repository"),
    ("tsc, msbuild", r"(?:^|:\s+| - )(?:fatal )?error [A-Z]{1,10}\d+\s?:", "src/order.ts(3,22): error TS18048: 'o.note' is possibly 'undefined'."),
    ("ld", r"undefined reference to |undefined symbol: |multiple definition of |[Dd]uplicate symbol|cannot find -l", "main.cpp:(.text+0x394): undefined reference to `engine::replay_name'"),
    ("go build, go vet", r"^(?:vet: )?[^\s:]+\.go:\d+:\d+: ", "internal/orders/orders.go:33:2: count declared but not used"),
    ("kotlin", r"^e: file://", "e: file:///src/Main.kt:3:5 Unresolved reference: failed"),
    ("clang, javac, tsc, ruff", r"^(?:\d+ warnings? and )?[1-9]\d* errors?(?: generated\.)?$|^Found [1-9]\d* errors?\b", "Found 2 errors in the same file, starting at: ts/a.ts:1"),
    ("flake8, ruff", r"^[^\s:]+\.py:\d+:\d+: [A-Z]{1,4}\d{2,4}\b", "py/lint.py:1:8: F401 [*] `os` imported but unused"),
    ("eslint", r"^\d+:\d+\s+error\s+\S|^✖ \d+ problems? \([1-9]", "  2:13  error    'totl' is not defined    no-undef"),

    // Panics, exceptions, sanitizers.
    ("rust", r"^thread '.*' (?:\(\d+\) )?panicked at ", "thread 'merges_lines_108' (21643) panicked at tests/checkout.rs:765:5:"),
    ("rust, C", r"^assertion .*failed|Assertion .* failed\.?$", "assertion `left == right` failed"),
    ("go", r"^panic: |^fatal error: ", "panic: assignment to entry in nil map"),
    ("python", r"^(?:[+|] +)*(?:Exception Group )?Traceback \(most recent call last\):", "Traceback (most recent call last):"),
    ("python, java, node", r"^(?:[^\s:]+:\d+: |Caused by: |Uncaught |Unhandled exception[.:] )?(?:[A-Za-z_$][\w$]*(?:\.|::))*[A-Z]\w*(?:Error|Exception)(?: \[\w+\])?(?::(?:\s|$)|$)", "java.lang.AssertionError: expected:<1189> but was:<1199>"),
    ("java", r"^Exception in thread ", "Exception in thread \"main\" java.lang.IllegalStateException: no total"),
    ("ruby", r"\((?:\w+::)*[A-Z]\w*(?:Error|Exception)\)$", "ruby/b.rb:1:in `total': undefined method `sum' for nil:NilClass (NoMethodError)"),
    ("sanitizers", r"^==\d+==\s?ERROR: |^SUMMARY: \w+Sanitizer: |: runtime error: ", "==26327==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602000000014"),

    // Test runners.
    ("cargo test", r"^test .+ \.\.\. FAILED$|^FAILED$|^test result: FAILED\b", "test merges_lines_108 ... FAILED"),
    ("cargo nextest", r"^FAIL \[", "        FAIL [   0.005s] shop::checkout merges_lines_108"),
    ("go test", r"^--- FAIL: |^FAIL(?:\s|$)", "--- FAIL: TestDiscount (0.00s)"),
    ("go test", r"^[^\s:]+_test\.go:\d+: .*\b(?:want|wanted|got|unexpected|Error Trace)\b", "    orders_test.go:23: Discount(999, 33) = 669, want 670"),
    ("pytest", r"^E {3,}(?:assert\b|(?:\w+\.)*\w*(?:Error|Exception)\b|(?:\w+\.)+[A-Z]\w*(?::|$)|Failed: |fixture ')", "E       AssertionError: assert {'total': '23'} == {'total': '24'}"),
    ("pytest", r"^(?:FAILED|ERROR) [^\s:]+\.py\b|^_+ ERROR (?:collecting|at setup of|at teardown of) |^\S+::.+ (?:FAILED|ERROR)(?:\s+\[|$)|^!+ .*\b(?:errors?|failures?)\b", "tests/test_pricing.py::test_order_as_dict FAILED       [ 82%]"),
    ("pytest", r"^(?:=+ )?(?:\d+ \w+, )*[1-9]\d* (?:failed|errors?)\b.* in \d[\d.]*m?s\b", "========= 1 failed, 50 passed in 0.17s ========="),
    ("unittest", r"^(?:FAIL|ERROR): \w+ \(|\.\.\. (?:FAIL|ERROR)$|^FAILED \(", "test_total (__main__.Cart.test_total) ... FAIL"),
    ("jest", r"^● \S", "  ● cart › keeps the total"),
    ("jest, mocha, vitest", r"^(?:✕|✖|✗|✘|×) \S", "    ✕ keeps the total (3 ms)"),
    ("jest, vitest", r"^(?:Tests|Test Suites|Test Files):?\s+(?:\d+ \w+,? )*[1-9]\d* failed\b|\| [1-9]\d* failed\)", "Test Suites: 1 failed, 1 passed, 2 total"),
    ("mocha", r"^[1-9]\d* failing\b", "  2 failing"),
    ("minitest, rspec", r"^\d+\) (?:Error|Failure):|^Failure/Error: |^\d+ (?:runs|examples?), .*\b[1-9]\d* (?:failures?|errors?)\b", "3 runs, 2 assertions, 1 failures, 1 errors, 0 skips"),
    ("junit", r"<<< (?:FAILURE|ERROR)!|^Tests run: .*(?:Failures|Errors): [1-9]| ✘ |^\[ +[1-9]\d* tests failed", "[ERROR] idIsUpper(com.acme.billing.InvoiceTest)  Time elapsed: 0 s  <<< ERROR!"),
    ("phpunit", r"^There (?:was|were) [1-9]\d* (?:failure|error)s?:|^Tests: \d+, .*(?:Failures|Errors): [1-9]", "There was 1 failure:"),
    ("ctest", r"\*\*\*(?:Failed|Exception|Timeout|Not Run)|\b[1-9]\d* tests? failed out of |^\d+ - .+ \((?:Failed|SEGFAULT|Subprocess aborted)\)$", "5/10 Test  #5: input ............................***Exception: SegFault  0.00 sec"),
    ("gtest", r"^\[  FAILED  \] |: Failure$", "[  FAILED  ] Geometry.Area (0 ms)"),
    ("tap, bats", r"^not ok\b", "not ok 3 unknown command fails with error"),

    // Build tools and what they drive.
    ("make", r"^\w*make(?:\[\d+\])?: \*\*\* |^\w*make(?:\[\d+\])?: .* not remade because of errors", "make: *** [Makefile:10: build/mesh.o] Error 1"),
    ("ninja", r"^FAILED: |^ninja: build stopped: .*failed", "FAILED: CMakeFiles/engine.dir/src/main.cpp.o"),
    ("cmake", r"^CMake Error\b|^-- Configuring incomplete, errors occurred", "CMake Error at CMakeLists.txt:3 (find_package):"),
    ("maven", r"^\[(?:ERROR|FATAL)\] +\S", "[ERROR] Failures: "),
    ("gradle, xcode", r"^FAILURE: Build failed|^(?:\*\* )?\w+ FAILED\b|^> Task \S+ FAILED$|^.+ > .+ FAILED$|^Execution failed for task", "> Task :test FAILED"),
    ("npm, pnpm, yarn", r"^npm (?:error|ERR!) [^\s/]|^ERR_PNPM_|^ELIFECYCLE\s.*failed|^error (?:Command failed|Couldn't) ", "npm error ERESOLVE unable to resolve dependency tree"),
    ("pre-commit", r"\.{3,}Failed$", "check json.............................................................Failed"),
    ("docker", r"^(?:ERROR: )?failed to solve: |^Error response from daemon: |\bexited with code [1-9]", "Error response from daemon: conflict: unable to delete 1d2e"),
    ("kubernetes", r"\b(?:OOMKilled|CrashLoopBackOff|ImagePullBackOff)\b", "web-5d9c   0/1   CrashLoopBackOff   4   2m"),
    ("ansible", r"^(?:fatal|failed): \[", "fatal: [web1]: UNREACHABLE! => {\"changed\": false}"),
    ("git", r"^CONFLICT \(", "CONFLICT (content): Merge conflict in src/lib.rs"),
    ("actions", r"^(?:##\[error\]|::error)", "##[error]The operation was canceled."),
    ("logrus", r"\blevel=(?:fatal|panic)\b", "time=\"2026-01-02T03:04:05Z\" level=fatal msg=\"no configuration\""),

    // Shells, the system.
    ("bash", r"^[^\s:]+: line \d+: +\S|: command not found\b", "deploy.sh: line 4: helmfile: command not found"),
    ("sh", r"^[^\s:]+: (?:\d+: )?(?:[^\s:]+: )?.*(?:not found|can't cd to .+|parameter not set|I/O error)$", "sh: 1: frobnicate: not found"),
    ("errno", r"^[^\s:]+: .*(?:No such file or directory|Permission denied|Connection refused|No space left on device|Cannot allocate memory|Exec format error)", "cat: missing.txt: No such file or directory"),
    ("getopt", r"^[^\s:]+: (?:unrecognized|invalid) option\b", "ls: unrecognized option '--frob'"),
    ("curl", r"^curl: \(\d+\) ", "curl: (7) Failed to connect to 127.0.0.1 port 1 after 0 ms"),
    ("signals", r"^(?:Segmentation fault|Aborted|Killed|Bus error|Illegal instruction|Floating point exception)\b|\(core dumped\)", "Segmentation fault (core dumped)"),
    ("memory", r"\b[Oo]ut of memory\b", "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"),
    ("time", r"\btimed out\b", "The job timed out after 3600 s"),

    // Programs in their own words.
    ("any", r"^(?:[^\s:]+: ){0,2}(?:[Ff]ailed to|[Uu]nable to|[Cc]annot|[Cc]ould not) \w+", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."),
    ("any", r"\b(?:cannot|could not|failed to|unable to) [\w ]{1,40}: \S", "[23117] doc 824a2b9161 cannot index: invalid JSON"),
];

/// What is no error row for all that, and a row of that kind.
#[rustfmt::skip]
static HARMLESS: &[(&str, &str)] = &[
    (r"^(?:[\[(<]?[\d:.,TZ/+-]+[\])>]?\s+|[\w.\[\]-]+\s+){0,4}[\[(<]?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING)\b", "2026-01-02 03:04:05,123 INFO nightly: cannot collect: no disk"),
    (r"\blevel=(?:trace|debug|info|warn|warning)\b", "time=\"2026-01-02T03:04:05Z\" level=info msg=\"the last attempt timed out\""),
    (r"^\s*(?:[^\s:]+:(?:\d+:)*\s+|[^\s:]+\(\d+,\d+\): ){0,2}(?:npm )?(?:[Ww]arning|warn|[Nn]ote|help|hint|info|debug)\b", "ld: warning: libfrob.so: undefined reference to `frobnicate'"),
    (r"^\s*(?:ok\b|PASS\b|✓|✔|√|--- PASS)|\.\.\. ?ok$|\bPASSED(?:$|\s+\[)|\.{3,}Passed$", "ok 4 frobnicate: command not found"),
    (r"\b(?:[Ee]rrors?|ERRORS?|[Ff]ailures?)\W{1,3}(?:0|none|None|null|no|false|nil|undefined)\W*$", "error: 0"),
    (r"^\s*(?:\++|\$) ", "+ echo 'frobnicate: command not found'"),
    (r"^\s*● (?:Console|\S+\.(?:service|socket|timer))\b", "  ● Console"),
    (r"^\s*not ok\b.*# ?(?:TODO|todo|SKIP|skip)\b", "not ok 5 - the new parser # TODO"),
    (r"^npm (?:error|ERR!) (?:\d+$|404 Note that|404 tarball|node_modules/|To see a list|A complete log|For a full report)", "npm error A complete log of this run can be found in: /root/.npm/_logs/debug-0.log"),
    (r"^\[ERROR\] (?:-> \[Help|\[Help|To see the full|Re-run Maven|For more information|Please refer)", "[ERROR] -> [Help 1]"),
];

#[cfg(test)]
mod tests;
