//! External programs that use the terminal: the user's editor and pager.
//!
//! Neither gets a file of the store: an editor gets a private read-only copy, or the source file
//! that the cause of a failure names; a pager gets the rows as they are read. The user chooses the
//! program as for any other tool: with `$VISUAL`, `$EDITOR` or `$PAGER`.
//!
//! Vim obeys modelines, so the last lines of a log could set its options. `--cmd 'set nomodeline'`
//! is not enough, because a vimrc can undo it. So Vim starts without a file; a command that runs
//! after every vimrc opens the file without autocommands.

use std::env;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::copies::{Copies, PrivateCopy};
use super::excerpt::Excerpt;
use super::msg::{LogRow, Msg, Source, Work};
use crate::error::{self, Error, Result};
use memchr::memmem;

/// The longest wait for the thread that feeds a pager, once the pager has ended: the thread may
/// hang on a file system.
const PARTING: Duration = Duration::from_millis(300);

/// Runs external commands until one of the channels is closed. Logs are read while rundown still
/// has the screen; then [`Msg::Ready`] is sent. The program has the terminal from the answer,
/// [`ExternalCommand::Go`], until [`Msg::Returned`].
pub(super) fn work(
    external_commands: &Receiver<ExternalCommand>,
    copies: &Arc<Copies>,
    messages: &Sender<Msg>,
) {
    let mut asked = external_commands.iter();
    while let Some(external_command) = asked.next() {
        let done = catch_unwind(AssertUnwindSafe(|| {
            let Some(ready) = external_command.prepare(copies)? else { return Ok(()) };
            let is_ours = messages.send(Msg::Ready).is_ok()
                && matches!(asked.next(), Some(ExternalCommand::Go));
            if is_ours { ready.run() } else { Ok(()) }
        }));
        let failed = done
            .unwrap_or_else(|_| Err("internal error: quit and start rundown again".into()))
            .err();
        let failure = failed.map(|why| Msg::Failed(Work::External, why));
        if failure.into_iter().chain([Msg::Returned]).any(|message| messages.send(message).is_err())
        {
            return;
        }
    }
}

/// A request to show a log in another program, which has the terminal until it ends.
pub(super) enum ExternalCommand {
    /// A source file for the editor or, if there is no such file, a log, at this row.
    Edit(LogRow, Option<Source>),
    /// A log for the pager, at this row; colored if true.
    Page(LogRow, bool),
    /// The permission for the last requested program to take the terminal.
    Go,
}

impl ExternalCommand {
    /// Prepares the data for the program; `None` for [`Self::Go`]. An error is one line for the
    /// user.
    fn prepare(&self, copies: &Arc<Copies>) -> std::result::Result<Option<Ready>, String> {
        Ok(match self {
            Self::Edit(row, source) => {
                let words = words_of(&["VISUAL", "EDITOR"], "vi")?;
                if let Some((source, file)) =
                    source.as_ref().and_then(|source| Some((source, source.file()?)))
                {
                    let line = source.location.line.into();
                    return Ok(Some(Ready::Editor { words, file, copy: None, line }));
                }
                let (copy, line) = Excerpt::around(row)
                    .and_then(|excerpt| copy_of(&excerpt, copies))
                    .map_err(|error| error::line(&error))?;
                let file = copy.path().to_owned();
                Some(Ready::Editor { words, file, copy: Some(copy), line })
            }
            Self::Page(row, color) => {
                let words = words_of(&["PAGER"], "less")?;
                let excerpt = Excerpt::from_before(row).map_err(|error| error::line(&error))?;
                let line = excerpt.line().map_err(|error| error::line(&error))?;
                Some(Ready::Pager { words, excerpt, line, color: *color })
            }
            Self::Go => None,
        })
    }
}

/// A program and the data that it shows.
enum Ready {
    /// An editor with a file; `copy` removes a private copy of a log when the editor has ended.
    Editor {
        words: Vec<String>,
        file: PathBuf,
        copy: Option<PrivateCopy>,
        line: u64,
    },
    Pager {
        words: Vec<String>,
        excerpt: Excerpt,
        line: u64,
        color: bool,
    },
}

impl Ready {
    /// Runs the program until it ends. An error is one line for the user.
    fn run(self) -> std::result::Result<(), String> {
        match self {
            Self::Editor { words, file, copy, line } => {
                let edited = edit(&words, &file, line);
                drop(copy);
                edited
            }
            Self::Pager { words, excerpt, line, color } => page(&words, excerpt, line, color),
        }
    }
}

impl Source {
    /// Returns the file, if it is a regular file below the directory of the command.
    fn file(&self) -> Option<PathBuf> {
        let dir = fs::canonicalize(&self.dir).ok().filter(|_| self.dir.is_absolute())?;
        let file = fs::canonicalize(dir.join(&self.location.path)).ok()?;
        (file.starts_with(&dir) && file.is_file()).then_some(file)
    }
}

fn edit(words: &[String], file: &Path, line: u64) -> std::result::Result<(), String> {
    let arguments = editor_arguments(words, is_vim(words), file, line);
    let mut command = command(words, &arguments);
    command.stdin(terminal().map_err(|error| format!("cannot open the terminal: {error}"))?);
    let failed =
        |error| format!("cannot run the editor {}: {error}; set $VISUAL or $EDITOR", named(words));
    command.status().map(drop).map_err(failed)
}

/// Runs the pager. A pager may end before everything was written, or may never begin to read.
fn page(
    words: &[String],
    excerpt: Excerpt,
    line: u64,
    color: bool,
) -> std::result::Result<(), String> {
    let arguments = pager_arguments(words, line);
    let failed = |error| format!("cannot run the pager {}: {error}; set $PAGER", named(words));
    let mut child = command(words, &arguments).stdin(Stdio::piped()).spawn().map_err(failed)?;
    let (done, written) = channel();
    let stdin = child.stdin.take();
    let write = move || {
        let mut out = BufWriter::new(stdin?);
        let _ = done.send(excerpt.write(color, &mut out).and_then(|()| out.flush()));
        Some(())
    };
    let writer = thread::Builder::new().name("pager".into()).spawn(write).map_err(failed);
    child.wait().map_err(failed)?;
    writer?;
    match written.recv_timeout(PARTING).unwrap_or(Ok(())) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("the pager did not receive the whole log: {error}"))
        }
        _ => Ok(()),
    }
}

/// Makes a private read-only copy, and returns it with the line number of the row.
fn copy_of(excerpt: &Excerpt, copies: &Arc<Copies>) -> Result<(PrivateCopy, u64)> {
    let dir = env::temp_dir();
    let failed = || Error::io("make a copy of the log in", &dir);
    let (file, copy) = copies.create(&dir).map_err(failed())?;
    let mut out = BufWriter::with_capacity(1 << 18, &file);
    excerpt.write(false, &mut out).and_then(|()| out.flush()).map_err(failed())?;
    file.set_permissions(Permissions::from_mode(0o400)).map_err(failed())?;
    Ok((copy, excerpt.line()?))
}

/// Splits the value of the first variable that is set into words. Returns `default` as the only
/// word if none of the variables is set. The result is never empty.
fn words_of(variables: &[&str], default: &str) -> std::result::Result<Vec<String>, String> {
    let set = variables.iter().find_map(|name| {
        Some((*name, env::var(name).ok().filter(|value| !value.trim().is_empty())?))
    });
    let Some((name, value)) = set else { return Ok(vec![default.to_owned()]) };
    split(name, &value)
}

/// Splits a command line as a shell would, without expansions.
fn split(name: &str, value: &str) -> std::result::Result<Vec<String>, String> {
    let words = shlex::split(value).filter(|words| !words.is_empty());
    words.ok_or_else(|| format!("${name} is not a command: {value}"))
}

/// Returns the last part of the program's path: the name familiar to the user.
fn named(words: &[String]) -> &str {
    let first = words.first().map_or("", String::as_str);
    Path::new(first).file_name().and_then(|name| name.to_str()).unwrap_or(first)
}

/// Returns true if an editor is Vim or Neovim. For a name such as `vi`, its `--version` decides: it
/// may also be nvi or busybox, which have neither modelines nor Vim's commands.
fn is_vim(words: &[String]) -> bool {
    match named(words).split('.').next().unwrap_or_default() {
        "vim" | "nvim" | "gvim" | "rvim" | "vimdiff" | "rview" | "gview" => true,
        "vi" | "view" | "ex" => {
            let version = command(words.get(..1).unwrap_or_default(), &["--version".to_owned()])
                .stdin(Stdio::null())
                .output()
                .map(|output| output.stdout);
            version.is_ok_and(|version| memmem::find(&version, b"VIM").is_some())
        }
        _ => false,
    }
}

/// Returns the arguments that make an editor open at the line and stay in the foreground.
fn editor_arguments(words: &[String], is_vim: bool, file: &Path, line: u64) -> Vec<String> {
    let path = file.to_string_lossy().into_owned();
    if is_vim {
        let stays = named(words).starts_with('g').then(|| "-f".to_owned());
        let read = format!("noautocmd args +{line} {}", escaped(&path));
        let commands = ["-c", "set nomodeline modelines=0", "-c", &read].map(str::to_owned);
        return stays.into_iter().chain(commands).collect();
    }
    match named(words) {
        "vi" | "view" | "ex" | "nano" | "pico" | "emacs" | "emacsclient" | "less" | "more"
        | "kak" | "micro" | "joe" | "mg" | "ne" | "jed" => vec![format!("+{line}"), path],
        "hx" | "helix" => vec![format!("{path}:{line}")],
        "subl" | "zed" => vec!["--wait".into(), format!("{path}:{line}")],
        "code" | "code-insiders" | "codium" | "cursor" => {
            vec!["--wait".into(), "--goto".into(), format!("{path}:{line}")]
        }
        "idea" | "pycharm" | "clion" | "goland" | "webstorm" | "rubymine" | "phpstorm"
        | "rustrover" | "rider" => {
            vec!["--wait".into(), "--line".into(), line.to_string(), path]
        }
        _ => vec![path],
    }
}

/// Escapes a path for a Vim command.
fn escaped(path: &str) -> String {
    let is_plain =
        |found: char| found.is_alphanumeric() || !found.is_ascii() || "/._-".contains(found);
    path.chars()
        .flat_map(|found| (!is_plain(found)).then_some('\\').into_iter().chain([found]))
        .collect()
}

/// Returns the arguments that make `less` show colors and begin at the line; other pagers get none.
fn pager_arguments(words: &[String], line: u64) -> Vec<String> {
    if named(words) == "less" { vec!["-R".into(), format!("+{line}g")] } else { Vec::new() }
}

fn command(words: &[String], arguments: &[String]) -> Command {
    let mut command = Command::new(words.first().map_or("", String::as_str));
    command.args(words.get(1..).unwrap_or_default()).args(arguments);
    command
}

/// Returns the terminal as the stdin of an editor: rundown's own stdin may be something else.
fn terminal() -> io::Result<Stdio> {
    if io::stdin().is_terminal() {
        Ok(Stdio::inherit())
    } else {
        File::open("/dev/tty").map(Stdio::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogPath;
    use crate::log::Tail;
    use crate::search::Location;

    #[test]
    fn editors_are_told_the_line_in_their_own_way() {
        const VIM: &str = "-c set nomodeline modelines=0 -c noautocmd args +7 /tmp/a\\ b.log";
        let parsed = |spec: &str| {
            let words = split("EDITOR", spec).unwrap();
            // The result must not depend on the `vi` of this machine.
            let is_vim = named(&words) != "vi" && is_vim(&words);
            let arguments = editor_arguments(&words, is_vim, Path::new("/tmp/a b.log"), 7);
            [&words[1..], &arguments[..]].concat().join(" ")
        };
        for (spec, arguments) in [
            ("vi", "+7 /tmp/a b.log".to_owned()),
            ("vim", VIM.to_owned()),
            ("/usr/bin/vim.basic", VIM.to_owned()),
            ("vim.tiny", VIM.to_owned()),
            ("/usr/bin/nvim -u NONE", format!("-u NONE {VIM}")),
            ("gvim", format!("-f {VIM}")),
            ("'/opt/my tools/nano'", "+7 /tmp/a b.log".to_owned()),
            ("hx", "/tmp/a b.log:7".to_owned()),
            ("code", "--wait --goto /tmp/a b.log:7".to_owned()),
            ("/opt/idea/bin/idea", "--wait --line 7 /tmp/a b.log".to_owned()),
            ("some-editor --flag", "--flag /tmp/a b.log".to_owned()),
        ] {
            assert_eq!(parsed(spec), arguments, "{spec}");
        }
        assert_eq!(split("EDITOR", "vi 'x").unwrap_err(), "$EDITOR is not a command: vi 'x");
        assert_eq!(pager_arguments(&["/usr/bin/less".into()], 7), ["-R", "+7g"]);
        assert!(pager_arguments(&["more".into()], 7).is_empty());
    }

    /// Writes an executable script.
    fn program(dir: &Path, name: &str, script: &str) -> Vec<String> {
        let path = dir.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        vec![path.to_str().unwrap().to_owned(), "-u".into(), "NONE".into()]
    }

    #[test]
    fn vi_is_vim_if_its_version_is() {
        let dir = tempfile::tempdir().unwrap();
        let vim = "[ \"$*\" = --version ] && echo 'VIM - Vi IMproved 9.1'";
        let nvi = "echo \"vi: invalid option -- '-'\" >&2; exit 1";
        for name in ["vi", "view", "ex"] {
            assert!(is_vim(&program(dir.path(), name, vim)), "{name}");
            assert!(!is_vim(&program(dir.path(), name, nvi)), "{name}");
        }
        assert!(!is_vim(&program(dir.path(), "nano", vim)));
        assert!(!is_vim(&[dir.path().join("not/there/vi").to_str().unwrap().to_owned()]));
    }

    #[test]
    fn a_path_is_escaped_for_a_command_of_vim() {
        assert_eq!(escaped("/tmp/é-x_1.log"), "/tmp/é-x_1.log");
        assert_eq!(escaped("/a b/%#|$[x]\"'!<*?`{\\"), r#"/a\ b/\%\#\|\$\[x\]\"\'\!\<\*\?\`\{\\"#);
    }

    /// Starts Vim with a vimrc that enables modelines in every way, and with a log that ends in a
    /// modeline. Run by hand: it needs Vim.
    #[test]
    #[ignore = "needs vim, and takes nvim and vim.tiny where they are"]
    fn no_vimrc_switches_modelines_on() {
        let dir = tempfile::tempdir().unwrap();
        let (log, rc, out) =
            (dir.path().join("a b%#.log"), dir.path().join("vimrc"), dir.path().join("out"));
        fs::write(&log, "one\ntwo\n# vim: set sw=7:\n").unwrap();
        let events = "VimEnter,BufReadPre,BufReadPost,BufEnter,BufWinEnter";
        fs::write(&rc, format!("autocmd!\nset ml mls=5\nautocmd {events} * set ml mls=5\n"))
            .unwrap();
        let asked = format!(
            "redir! > {} | set sw? | file | redir END | qa!",
            escaped(out.to_str().unwrap())
        );
        let is_there = |name: &&str| Command::new(name).arg("--version").output().is_ok();
        for name in
            ["vim", "vim.tiny", "nvim"].iter().filter(|name| **name == "vim" || is_there(name))
        {
            let words: Vec<String> =
                [*name, "-u", rc.to_str().unwrap()].map(str::to_owned).to_vec();
            let mut vim = command(&words, &editor_arguments(&words, is_vim(&words), &log, 2));
            vim.args(["-c", &asked])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            vim.status().unwrap();
            let failure = fs::read_to_string(&out).unwrap();
            assert!(
                failure.contains("shiftwidth=8") && failure.contains("a b%#.log"),
                "{name}: {failure}"
            );
        }
    }

    #[test]
    fn a_source_file_is_opened_only_below_the_directory_of_the_command() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("work/src");
        fs::create_dir_all(&inside).unwrap();
        for file in [inside.join("a.c"), dir.path().join("secret.c")] {
            fs::write(file, "x").unwrap();
        }
        std::os::unix::fs::symlink(dir.path().join("secret.c"), inside.join("link.c")).unwrap();
        let opened = |path: &str| {
            let location = Location { path: path.to_owned(), line: 7, column: None };
            Source { dir: dir.path().join("work"), location }.file()
        };
        let absolute = inside.join("a.c");
        let file = fs::canonicalize(&absolute).unwrap();
        for path in ["src/a.c", "./src/../src/a.c", absolute.to_str().unwrap()] {
            assert_eq!(opened(path).as_ref(), Some(&file), "{path}");
        }
        let outside = dir.path().join("secret.c");
        for path in
            ["../secret.c", "src/link.c", outside.to_str().unwrap(), "src", "no.c", "/etc/passwd"]
        {
            assert_eq!(opened(path), None, "{path}");
        }
    }

    #[test]
    fn the_editor_s_copy_is_private_read_only_and_gone_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.log");
        fs::write(
            &log,
            "2026-01-02T03:04:05Z stdout F one\n2026-01-02T03:04:06Z stdout F \x1b[31mtwo\n",
        )
        .unwrap();
        let row = LogRow { log: LogPath::named(&*log), offset: 34, tail: Tail::Emit };
        let copies = Arc::default();
        let (copy, line) = copy_of(&Excerpt::around(&row).unwrap(), &copies).unwrap();
        assert_eq!((fs::read_to_string(copy.path()).unwrap().as_str(), line), ("one\ntwo\n", 2));
        assert_eq!(fs::metadata(copy.path()).unwrap().permissions().mode() & 0o777, 0o400);
        let path = copy.path().to_owned();
        drop(copy);
        assert!(!path.exists());
    }
}
