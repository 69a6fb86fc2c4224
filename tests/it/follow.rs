//! Logs that rundown follows while their writers append to, truncate, rename, delete and recreate
//! them. The screen always matches the file.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rundown::catalog::Catalog;
use rundown::cri::Stream;
use rundown::log::{LogFile, LogPath, Tail};
use rundown::tui::msg::WorkerRequest;
use rundown::tui::sim::Sim;

use crate::support::built::{Built, run_id};
use crate::support::screen::{SMALL, open, open_catalog};
use crate::support::session::Session;

fn append(path: &Path, bytes: impl AsRef<[u8]>) {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap()
        .write_all(bytes.as_ref())
        .unwrap();
}

fn line(text: &str) -> String {
    format!("2026-05-06T12:00:00.000000000Z stdout F {text}\n")
}

/// Returns the texts of the rows on screen.
fn shown(sim: &Sim) -> Vec<String> {
    let rows =
        sim.model.log.window.rows.iter().skip(sim.model.log.top).take(sim.model.log.height());
    rows.map(|row| String::from_utf8_lossy(&row.text).into_owned()).collect()
}

fn badge(sim: &mut Sim) -> String {
    sim.screen().lines().next().unwrap().split_whitespace().last().unwrap_or_default().to_owned()
}

// ---- random actions of a writer ----

#[derive(Clone, Debug)]
enum Act {
    /// Appends the next `n` bytes, also in the middle of a line.
    Append(usize),
    /// Notifies the follower of a change on disk, and then checks the screen.
    Hint,
    /// Truncates the file to zero bytes.
    CutOff,
    CutInHalf,
    /// Overwrites the file with other bytes, more than before.
    Rewrite,
    /// Renames the file, which the writer keeps open.
    Rename,
    /// Deletes the file, which the writer keeps open.
    Delete,
    /// Opens the file at the path of the log, or creates it.
    Reopen,
    /// Renames another file with some rows to the path of the log, and opens it.
    Replace,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => (1_usize..400).prop_map(Act::Append),
        6 => Just(Act::Hint),
        1 => Just(Act::CutOff),
        1 => Just(Act::CutInHalf),
        1 => Just(Act::Rewrite),
        2 => Just(Act::Rename),
        1 => Just(Act::Delete),
        3 => Just(Act::Reopen),
        1 => Just(Act::Replace),
    ]
}

/// A writer of a log. It keeps track of the file that a follower should show.
struct Writer {
    path: PathBuf,
    /// The directory for renamed and deleted files, which the follower does not read.
    aside: tempfile::TempDir,
    moved: usize,
    written: usize,
    pending: Vec<u8>,
    /// The current path of the file that is written to.
    writing: PathBuf,
    /// The current path of the file that should be on screen.
    followed: PathBuf,
}

impl Writer {
    fn new(path: PathBuf) -> Self {
        let aside = tempfile::tempdir_in(path.parent().unwrap().parent().unwrap()).unwrap();
        Self {
            aside,
            moved: 0,
            written: 0,
            pending: Vec::new(),
            writing: path.clone(),
            followed: path.clone(),
            path,
        }
    }

    /// Returns the next bytes of a log without duplicate rows.
    fn next(&mut self, bytes: usize) -> Vec<u8> {
        while self.pending.len() < bytes {
            self.written += 1;
            let (n, time) = (self.written, format!("2026-05-06T12:00:00.{:09}Z", self.written));
            let record = match n % 7 {
                1 => format!("{time} stdout P half of {n}, \n"),
                3 => format!("{time} stderr F error {n}\n"),
                5 => format!("row {n} without a time\n"),
                _ => format!("{time} stdout F row {n}\n"),
            };
            self.pending.extend_from_slice(record.as_bytes());
        }
        self.pending.drain(..bytes).collect()
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Append(bytes) => {
                let bytes = self.next(bytes);
                append(&self.writing, bytes);
            }
            Act::CutOff => self.cut(|_| 0),
            Act::CutInHalf => self.cut(|bytes| bytes / 2),
            Act::Rewrite => {
                let bytes = fs::metadata(&self.writing).unwrap().len() + 10;
                let bytes = self.next(usize::try_from(bytes).unwrap());
                fs::write(&self.writing, bytes).unwrap();
            }
            Act::Rename if self.path.exists() => {
                let to = self.place_aside();
                fs::rename(&self.path, &to).unwrap();
                self.is_at(&to);
            }
            Act::Delete if self.path.exists() => {
                let to = self.place_aside();
                fs::hard_link(&self.path, &to).unwrap();
                fs::remove_file(&self.path).unwrap();
                self.is_at(&to);
            }
            Act::Reopen => {
                append(&self.path, "");
                self.writing = self.path.clone();
            }
            Act::Replace => {
                let (next, bytes) = (self.aside.path().join("next"), self.next(100));
                append(&next, bytes);
                if self.path.exists() {
                    self.act(&Act::Rename);
                }
                fs::rename(next, &self.path).unwrap();
                self.writing = self.path.clone();
            }
            Act::Hint | Act::Rename | Act::Delete => {}
        }
    }

    fn cut(&self, to: impl FnOnce(u64) -> u64) {
        let file = OpenOptions::new().write(true).open(&self.writing).unwrap();
        file.set_len(to(file.metadata().unwrap().len())).unwrap();
    }

    /// Returns a path in a new directory. The file keeps its name, which determines its format.
    fn place_aside(&mut self) -> PathBuf {
        self.moved += 1;
        let dir = self.aside.path().join(self.moved.to_string());
        fs::create_dir(&dir).unwrap();
        dir.join(self.path.file_name().unwrap())
    }

    /// Records the new path of the file that was at the path of the log.
    fn is_at(&mut self, to: &Path) {
        for file in [&mut self.writing, &mut self.followed] {
            if *file == self.path {
                to.clone_into(file);
            }
        }
    }

    /// Records a poll by the follower, which switches to a new file as soon as it is not empty.
    fn mark_followed(&mut self) {
        if fs::metadata(&self.path).is_ok_and(|meta| meta.len() > 0) {
            self.followed = self.path.clone();
        }
    }

    fn assert_seen_by(&self, sim: &mut Sim, tail: Tail) {
        let log = LogFile::open(&LogPath::named(&*self.followed)).unwrap();
        let rows: Vec<_> = log.rows(0, usize::MAX, tail).unwrap().map(Result::unwrap).collect();
        let texts: Vec<_> =
            rows.iter().map(|row| String::from_utf8_lossy(&row.text).into_owned()).collect();
        let last = &texts[texts.len().saturating_sub(sim.model.log.height())..];
        assert_eq!(shown(sim), last);
        assert_eq!(sim.model.log.known.total_rows, Some(rows.len() as u64));
        let screen = sim.screen();
        let fits = |text: &String| text.chars().take(40).collect::<String>();
        assert!(last.iter().all(|text| screen.contains(fits(text).trim_end())), "{screen}");
        let expected = match fs::metadata(&self.path) {
            Err(_) => "deleted",
            Ok(_) if self.followed != self.path => "rotated",
            Ok(_) => "live",
        };
        assert_eq!(badge(sim), expected, "{screen}");
    }
}

fn follow(path: PathBuf, catalog: Catalog, tail: Tail, acts: &[Act]) {
    let mut writer = Writer::new(path);
    let mut sim = open_catalog(catalog, SMALL);
    sim.keys("G");
    for act in acts {
        writer.act(act);
        if matches!(act, Act::Hint) {
            sim.disk();
            writer.mark_followed();
            writer.assert_seen_by(&mut sim, tail);
        }
    }
    sim.disk();
    writer.mark_followed();
    writer.assert_seen_by(&mut sim, tail);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_screen_shows_the_content_of_the_file_after_any_writer_action(acts in vec(act(), 1..60)) {
        let (mut store, run) = (Built::new(), run_id(1));
        store.begin(&run, &["build"], 0);
        store.start(&run, "build", 1, "make all", 100);
        let path = store.log_path(&run, "build", 1);
        follow(path, store.catalog(), Tail::Hold, &acts);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/0.log");
        fs::create_dir(path.parent().unwrap()).unwrap();
        append(&path, "");
        follow(path.clone(), Catalog::of_path(&path), Tail::Emit, &acts);
    }
}

// ---- notices ----

#[test]
fn late_bytes_of_the_old_file_are_reported_above_the_rows() {
    let dir = tempfile::tempdir().unwrap();
    let [path, old] = ["0.log", "0.log.1"].map(|name| dir.path().join(name));
    append(&path, line("one"));
    let mut sim = open_catalog(Catalog::of_path(&path), SMALL);
    fs::rename(&path, &old).unwrap();
    append(&path, line("two"));
    sim.disk();
    assert_eq!(shown(&sim), ["two"]);
    append(&old, line("late"));
    assert!(
        sim.disk().screen().contains("! 45 B more were written to the replaced"),
        "{}",
        sim.screen()
    );
    assert_eq!((shown(&sim), badge(&mut sim).as_str()), (vec!["two".to_owned()], "live"));
}

#[test]
fn a_rotation_does_not_interrupt_reading() {
    let dir = tempfile::tempdir().unwrap();
    let [path, old] = ["0.log", "0.log.1"].map(|name| dir.path().join(name));
    append(&path, (1..=500).map(|n| line(&format!("row {n}"))).collect::<String>());
    let mut sim = open_catalog(Catalog::of_path(&path), SMALL);
    sim.keys("G k k");
    let reading = shown(&sim);
    fs::rename(&path, &old).unwrap();
    append(&path, line("new"));
    sim.disk();
    assert_eq!((shown(&sim), badge(&mut sim).as_str()), (reading, "rotated"));
    append(&old, line("late"));
    sim.disk().keys("g");
    assert_eq!(
        (shown(&sim).first().unwrap().as_str(), badge(&mut sim).as_str()),
        ("row 1", "rotated")
    );
    sim.keys("G");
    assert_eq!((shown(&sim), badge(&mut sim).as_str()), (vec!["new".to_owned()], "live"));
}

#[test]
fn a_deleted_log_can_be_read_to_its_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("0.log");
    append(&path, (1..=500).map(|n| line(&format!("row {n}"))).collect::<String>());
    let mut sim = open_catalog(Catalog::of_path(&path), SMALL);
    sim.keys("G");
    fs::remove_file(&path).unwrap();
    sim.disk();
    assert_eq!(
        (shown(&sim).last().unwrap().as_str(), badge(&mut sim).as_str()),
        ("row 500", "deleted")
    );
    sim.keys("g");
    assert_eq!(shown(&sim).first().unwrap(), "row 1");
}

#[test]
fn an_unterminated_row_of_a_killed_writer_is_unfinished() {
    let (mut store, run) = (Built::new(), run_id(1));
    store.begin(&run, &["build"], 0);
    store.start(&run, "build", 1, "make all", 100);
    store.print(&run, "build", 1, 200, Stream::Stdout, "all of it\nhalf");
    let mut sim = open(&store, SMALL);
    assert!(!sim.screen().contains("unfinished"), "{}", sim.screen());
    store.kill_recorder(&run);
    // The end of a recorder changes no file, so only a reload finds it.
    let effects = WorkerRequest::Load(sim.model.wanted.clone()).into();
    sim.perform(effects);
    assert_eq!(badge(&mut sim), "interrupted");
    let screen = sim.screen();
    assert!(
        screen.contains("half  (unfinished)") && !screen.contains("it  (unfinished)"),
        "{screen}"
    );
}

// ---- the real binary, with file notifications and with polling ----

fn follow_in_terminal(path: &Path) -> Session {
    let session = Session::of(&[path.as_os_str()], &[]);
    session.shown.wait_for("the first screen", vt100::Screen::alternate_screen);
    session
}

#[test]
fn a_rotation_is_followed_in_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let [path, old] = ["0.log", "0.log.1"].map(|name| dir.path().join(name));
    append(&path, line("first"));
    let session = follow_in_terminal(&path);
    session.shown.wait_for_text("first");
    fs::rename(&path, &old).unwrap();
    session.shown.wait_for_text("deleted");
    append(&old, line("second"));
    session.shown.wait_for_text("second");
    append(&path, "");
    session.shown.wait_for_text("rotated");
    append(&old, line("third"));
    session.shown.wait_for_text("third");
    append(&path, line("fourth"));
    session.shown.wait_for("the new file", |screen| {
        let contents = screen.contents();
        contents.contains("fourth") && !contents.contains("third") && contents.contains("live")
    });
    append(&old, line("fifth"));
    session.shown.wait_for_text("46 B more were written to the replaced");
}

#[test]
fn a_log_that_appears_later_in_a_new_directory_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("not/yet/0.log");
    let session = follow_in_terminal(&path);
    session.shown.wait_for_text("0.log does not exist yet");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    append(&path, "");
    session.shown.wait_for_text("no output");
    append(&path, line("here it is"));
    session.shown.wait_for_text("here it is");
    fs::remove_file(&path).unwrap();
    session.shown.wait_for_text("deleted");
    append(&path, line("and here again"));
    session.shown.wait_for_text("and here again");
}

#[test]
fn a_link_is_followed_to_its_target() {
    let dir = tempfile::tempdir().unwrap();
    let [path, next, a, b] =
        ["link.log", "next", "a/0.log", "b/0.log"].map(|name| dir.path().join(name));
    for (file, text) in [(&a, "in a"), (&b, "in b")] {
        fs::create_dir(file.parent().unwrap()).unwrap();
        append(file, line(text));
    }
    symlink(&a, &path).unwrap();
    let session = follow_in_terminal(&path);
    session.shown.wait_for_text("in a");
    append(&a, line("more in a"));
    session.shown.wait_for_text("more in a");
    symlink(&b, &next).unwrap();
    fs::rename(&next, &path).unwrap();
    session.shown.wait_for_text("in b");
    append(&b, line("more in b"));
    session.shown.wait_for_text("more in b");
}

/// If the system has no free watch, rundown polls and the screen shows `polling`. It returns to
/// notifications as soon as a watch is free.
#[test]
fn rundown_reports_polling_if_no_watch_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let [path, go] = ["0.log", "go"].map(|name| dir.path().join(name));
    append(&path, line("one"));
    let limit = "/proc/sys/user/max_inotify_instances";
    let script = format!(
        "echo 0 > {limit} || exit; \
         (while ! [ -e \"$2\" ]; do sleep 0.02; done; echo 99 > {limit}) & exec \"$0\" \"$1\""
    );
    // Setting the limit as a user requires a new user namespace, which not every system allows.
    let unshare = |command: &str| {
        let mut unshare = std::process::Command::new("unshare");
        unshare
            .args(["--user", "--map-root-user", "sh", "-c", command])
            .output()
            .is_ok_and(|ran| ran.status.success())
    };
    if !unshare(&format!("echo 0 > {limit}")) {
        return;
    }
    let args = [
        "--user".as_ref(),
        "--map-root-user".as_ref(),
        "sh".as_ref(),
        "-c".as_ref(),
        script.as_ref(),
    ];
    let rest = [env!("CARGO_BIN_EXE_rundown").as_ref(), path.as_os_str(), go.as_os_str()];
    let session = Session::of_program("unshare".as_ref(), &[&args[..], &rest[..]].concat(), &[]);
    session.shown.wait_for_text("polling");
    append(&path, line("two"));
    session.shown.wait_for_text("two");
    append(&go, "");
    session.shown.wait_for_text("live");
    append(&path, line("three"));
    session.shown.wait_for_text("three");
}

/// Kubernetes renames a log and then makes its writer create a new one. In between, there is no
/// file at the path.
#[test]
fn a_pod_log_is_followed_across_a_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let line = |text: &str| format!("2026-01-02T03:04:05Z stdout F {text}\n");
    for container in ["app", "side"] {
        fs::create_dir(dir.path().join(container)).unwrap();
        fs::write(dir.path().join(container).join("0.log"), line("row").repeat(60)).unwrap();
    }
    let log = dir.path().join("app/0.log");
    let mut sim = open_catalog(Catalog::of_path(dir.path()), SMALL);
    sim.keys("G");
    let document = sim.model.log.document.clone();
    fs::rename(&log, dir.path().join("app/0.log.20260102-030405")).unwrap();
    sim.disk();
    sim.disk();
    assert_eq!(sim.model.log.document, document, "the log stays selected");
    assert!(sim.screen().lines().next().unwrap().ends_with("deleted"), "{}", sim.screen());
    fs::write(&log, line("fresh")).unwrap();
    sim.disk();
    sim.disk();
    assert!(sim.screen().contains("▌fresh"), "{}", sim.screen());
    assert!(sim.model.log.follow && sim.model.log.document == document);
}
