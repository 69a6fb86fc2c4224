//! Tests in a process of their own: this binary, started again to run one test.
//!
//! All tests are threads of one process. A test that sends signals to itself, limits or measures
//! its memory, or reads its own output would disturb the others, or be disturbed by them.

use std::ffi::OsString;
use std::process::Command;

/// The variable that is set in a process that was started for one test.
const ALONE: &str = "RUNDOWN_TEST_ALONE";

/// Returns true in a process that was started for one test.
pub fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// The arguments after which a process is started: this binary, and options to run one test only.
///
/// The name of the test is the path of its function.
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
