//! The real binary in a pseudo-terminal: its screens, the editors and pagers that it starts, and
//! the state of the terminal after it exits.

use std::fs;

use rundown::cri::Stream;
use rustix::process::Signal;
use vt100::Screen;

use crate::support::built::{Built, passed_run, run_id, running};
use crate::support::session::Session;
use crate::support::{TIMEOUT, script};

#[test]
fn quitting_restores_the_terminal() {
    let store = running();
    for keys in ["q", "\x03"] {
        let session = Session::start(&store, &[]);
        session.shown.wait_for_text("the first row");
        session.shown.wait_for("the alternate screen", Screen::alternate_screen);
        session.press(keys);
        assert_eq!(session.exit().code(), Some(0));
        session.assert_given_back();
    }
}

#[test]
fn signals_restore_the_terminal() {
    let store = running();
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let session = Session::start(&store, &[]);
        session.shown.wait_for_text("the first row");
        session.kill(signal);
        session.exit();
        session.assert_given_back();
    }
}

#[test]
fn a_closed_terminal_ends_the_program() {
    let store = running();
    let session = Session::start(&store, &[]);
    session.shown.wait_for_text("the first row");
    let exits = session.close();
    exits.recv_timeout(TIMEOUT).unwrap();
}

#[test]
fn new_rows_commands_and_runs_appear_without_a_key_press() {
    let mut store = running();
    let run = run_id(1);
    let session = Session::start(&store, &[]);
    session.shown.wait_for_text("the first row");
    store.print(&run, "build", 1, 30, Stream::Stdout, "the second row\n");
    session.shown.wait_for_text("the second row");
    store.end(&run, "build", 1, 0, 40);
    store.start(&run, "build", 2, "make install", 50);
    session.shown.wait_for_text("$ make install");
    store.print(&run, "build", 2, 60, Stream::Stdout, "installing\n");
    session.shown.wait_for_text("installing");
    session.press("r");
    session.shown.wait_for_text("00000001");
    store.begin(&run_id(2), &["build"], 70);
    session.shown.wait_for_text("00000002");
}

#[test]
fn ctrl_z_restores_the_terminal_and_fg_redraws_the_screen() {
    let store = running();
    let session = Session::start(&store, &[]);
    session.shown.wait_for_text("the first row");
    session.press("\x1a");
    session.wait_until_stopped();
    session.assert_given_back();
    session.kill(Signal::CONT);
    session.shown.wait_for("the alternate screen", Screen::alternate_screen);
    session.shown.wait_for_text("the first row");
    session.press("q");
    assert_eq!(session.exit().code(), Some(0));
    session.assert_given_back();
}

#[test]
fn an_editor_gets_the_terminal_and_a_copy_of_the_rows() {
    let (dir, store) = (tempfile::tempdir().unwrap(), running());
    store.print(&run_id(1), "build", 1, 30, Stream::Stderr, "\x1b[31mthe second row\n");
    // The editor gets all keys of a line, even `q`, and Ctrl-C. rundown gets none of them.
    let text = r#"trap 'echo interrupted' INT
        echo "begin $1"; cat "$2"
        while [ "$line" != "the end" ]; do read line; echo "got $line"; done"#;
    let editor = script(dir.path(), "nano", text);
    let copies = dir.path().join("copies");
    fs::create_dir(&copies).unwrap();
    let env = [
        ("EDITOR", editor.as_str()),
        ("TMPDIR", copies.to_str().unwrap()),
        ("PATH", "/usr/bin:/bin"),
    ];
    let session = Session::start(&store, &env);
    session.shown.wait_for_text("the second row");
    session.press("kv");
    session.shown.wait_for("the editor", |screen| {
        let contents = screen.contents();
        !screen.alternate_screen() && contents.contains("begin +1\nthe first row\nthe second row")
    });
    assert_eq!(fs::read_dir(&copies).unwrap().count(), 1);
    session.press("quite a line\n");
    session.shown.wait_for_text("got quite a line");
    session.press("\x03");
    session.shown.wait_for_text("interrupted");
    session.press("the end\n");
    session.shown.wait_for("the screen of rundown", |screen| {
        screen.alternate_screen() && screen.contents().contains("the second row")
    });
    assert_eq!(fs::read_dir(&copies).unwrap().count(), 0, "the copy is removed");
    session.press("?");
    session.shown.wait_for_text("╭ Keys");
    session.press("\x03");
    assert_eq!(session.exit().code(), Some(0));
    session.assert_given_back();
}

#[test]
fn a_signal_removes_the_copy_of_an_editor_that_ignores_it() {
    let (dir, store) = (tempfile::tempdir().unwrap(), running());
    let copies = dir.path().join("copies");
    fs::create_dir(&copies).unwrap();
    let count = || fs::read_dir(&copies).unwrap().count();
    // With `nano`, rundown waits for the editor. With `vi`, it first runs `vi --version` to detect
    // Vim, and waits for that: the script blocks there, too.
    for name in ["nano", "vi"] {
        let editor = script(dir.path(), name, "trap '' TERM HUP; read line </dev/tty");
        let env = [
            ("EDITOR", editor.as_str()),
            ("TMPDIR", copies.to_str().unwrap()),
            ("PATH", "/usr/bin:/bin"),
        ];
        for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
            let session = Session::start(&store, &env);
            session.shown.wait_for_text("the first row");
            session.press("v");
            session.shown.wait_for("the editor", |screen| !screen.alternate_screen());
            assert_eq!(count(), 1, "{name}");
            session.kill(signal);
            assert_eq!(session.exit().code(), Some(code), "{name}");
            assert_eq!(count(), 0, "{name}, {code}: the copy is removed");
            session.assert_given_back();
        }
    }
}

#[test]
fn a_pager_gets_the_rows_and_may_exit_early() {
    let (dir, store) = (tempfile::tempdir().unwrap(), running());
    for n in 0..5000 {
        store.print(&run_id(1), "build", 1, 30 + n, Stream::Stdout, "\x1b[32mone of many rows\n");
    }
    let pager =
        script(dir.path(), "less", r#"echo "$*"; head -n 2 | tr '\033' '^'; read key </dev/tty"#);
    let session = Session::start(&store, &[("PAGER", &pager), ("PATH", "/usr/bin:/bin")]);
    session.shown.wait_for_text("one of many rows");
    session.press("g");
    session.shown.wait_for_text("the first row");
    session.press("|");
    session.shown.wait_for_text("-R +1g");
    session.shown.wait_for_text("^[0;32mone of many rows^[0m");
    session.press("\n");
    session.shown.wait_for("the screen of rundown", Screen::alternate_screen);
    session.press("q");
    assert_eq!(session.exit().code(), Some(0));
    session.assert_given_back();
}

#[test]
fn a_missing_editor_is_reported_and_the_screen_returns() {
    let store = running();
    let session = Session::start(&store, &[("VISUAL", "/not/there/vim -R")]);
    session.shown.wait_for_text("the first row");
    session.press("v");
    session.shown.wait_for_text("cannot run the editor vim");
    session.shown.wait_for_text("the first row");
    session.press("q");
    assert_eq!(session.exit().code(), Some(0));
    session.assert_given_back();
}

#[test]
fn rows_and_commands_are_copied_with_osc_52() {
    let store = running();
    store.print(&run_id(1), "build", 1, 30, Stream::Stdout, "\x1b[31mred\x07\n");
    let session = Session::start(&store, &[]);
    session.shown.wait_for_text("red");
    session.press("ky");
    session.shown.wait_for_copy("the first row");
    session.press("c");
    session.shown.wait_for_copy("make all");
    session.press("Y");
    session.shown.wait_for_copy("the first row\nred␇\n");
    session.shown.wait_for_text("copied 21 B");
}

#[test]
fn the_selection_is_visible_without_color() {
    let store = running();
    let session = Session::start(&store, &[("NO_COLOR", "1")]);
    session.shown.wait_for_text("the first row");
    session.press("\t");
    session.shown.wait_for("the selection in reverse video", |screen| {
        (0..24).any(|row| screen.cell(row, 4).is_some_and(vt100::Cell::inverse))
    });
    let parser = session.shown.parser.lock().unwrap();
    let is_plain = |cell: &vt100::Cell| cell.fgcolor() == vt100::Color::Default;
    let mut cells = (0..24).flat_map(|row| (0..80).map(move |column| (row, column)));
    assert!(cells.all(|(row, column)| parser.screen().cell(row, column).is_none_or(is_plain)));
}

#[test]
fn a_resize_redraws_the_screen() {
    let store = running();
    let session = Session::start(&store, &[]);
    session.shown.wait_for_text("the first row");
    session.resize(40, 10);
    session.shown.wait_for("one pane", |screen| {
        let contents = screen.contents();
        contents.contains("the first row") && !contents.contains("Jobs")
    });
}

#[test]
fn a_named_store_is_awaited_and_opens_without_a_key_press() {
    let (dir, store) = (tempfile::tempdir().unwrap(), running());
    let root = dir.path().join("not/yet");
    let session = Session::of(&["--root".as_ref(), root.as_os_str()], &[]);
    session.shown.wait_for_text("the directory does not exist");
    session.press("?");
    session.shown.wait_for_text("╭ Keys");
    session.press("q");
    std::fs::create_dir_all(&root).unwrap();
    session.shown.wait_for_text("the directory contains no rundown.db");
    crate::support::copy_tree(store.root(), &root);
    session.shown.wait_for_text("the first row");
    std::fs::remove_file(root.join("rundown.db")).unwrap();
    session.shown.wait_for_text("rundown.db was removed");
    std::fs::copy(store.root().join("rundown.db"), root.join("rundown.db")).unwrap();
    session
        .shown
        .wait_for("the notice to disappear", |screen| !screen.contents().contains("was removed"));
    session.press("q");
    assert_eq!(session.exit().code(), Some(0));
    session.assert_given_back();
}

#[test]
fn a_missing_default_store_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap();
    let session = Session::of(&[], &[("XDG_DATA_HOME", home)]);
    assert_eq!(session.exit().code(), Some(6));
    session.shown.wait_for_text("no store at");
}

#[test]
fn a_truncated_list_shows_how_to_continue() {
    let mut store = Built::new();
    for n in 1..=3 {
        passed_run(&mut store, &run_id(n), i64::from(n) * 10_000);
    }
    let session = Session::start_with(&store, &["list", "--limit", "2"], &[]);
    session.shown.wait_for_text("older runs: add --before 00000002");
    assert_eq!(session.exit().code(), Some(0));
    let session =
        Session::start_with(&store, &["list", "--limit", "2", "--before", "00000002"], &[]);
    session.shown.wait_for_text("00000001");
    assert_eq!(session.exit().code(), Some(0));
    session
        .shown
        .wait_for("a list without the hint", |screen| !screen.contents().contains("older runs"));
}
