//! Tests in a process of their own: this binary, started again to run one test.
//!
//! All tests are threads of one process. A test that sends signals to itself, limits or measures
//! its memory, or reads its own output would disturb the others, or be disturbed by them.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use wait4::Wait4;

use super::rundown;

/// The variable that is set in a process that was started for one test.
const ALONE: &str = "RUNDOWN_TEST_ALONE";

/// Returns true in a process that was started for one test.
pub fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// Returns the arguments for a process that runs one test: this binary, and options to select the
/// test.
///
/// The name of the test is derived from the path of the function `_test`.
pub fn argv<T: Fn()>(_test: T) -> Vec<OsString> {
    let path = std::any::type_name::<T>();
    let (_crate, name) = path.split_once("::").unwrap();
    let program = std::env::current_exe().unwrap().into_os_string();
    let options = ["--exact", name, "--include-ignored", "--nocapture"].map(OsString::from);
    [vec![program], options.to_vec()].concat()
}

/// Returns a command for a process in which [`is_alone`] is true. Its arguments start with the
/// program, as those of [`argv`] do.
pub fn command(argv: &[OsString]) -> Command {
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).env(ALONE, "1");
    command
}

/// Runs the body of a test in a process of its own, and fails if that process fails.
pub fn alone<T: Fn()>(test: T, body: impl FnOnce()) {
    if is_alone() {
        return body();
    }
    let output = command(&argv(test)).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let has_passed = output.status.success() && out.contains("1 passed");
    assert!(has_passed, "{}\n--- stdout\n{out}\n--- stderr\n{err}", output.status);
    print!("{out}");
    eprint!("{err}");
}

/// The cost and the result of a process.
pub struct Cost {
    /// The CPU time, which unlike the elapsed time does not depend on other processes.
    pub time: Duration,
    /// The peak memory.
    pub bytes: u64,
    /// The exit code, or `None` if a signal ended the process.
    pub code: Option<i32>,
    pub stderr: String,
}

/// Runs the binary on the store in `dir` and measures it.
///
/// The system counts the memory of this process when it starts the child as memory of the child. So
/// a test that checks the memory runs [`alone`] and needs little memory itself.
pub fn cost(dir: &Path, args: &[&str]) -> Cost {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("stderr");
    let mut command = rundown(dir);
    command.args(["--root", "."]).args(args).stdout(Stdio::null());
    command.stderr(fs::File::create(&path).unwrap());
    let used = command.spawn().unwrap().wait4().unwrap();
    let rusage = &used.rusage;
    let (time, bytes) = (rusage.utime + rusage.stime, rusage.maxrss);
    Cost { time, bytes, code: used.status.code(), stderr: fs::read_to_string(path).unwrap() }
}
