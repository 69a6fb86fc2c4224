//! The output of clap: help, the version, and errors in the arguments.
//!
//! clap repeats arguments unchanged. An argument may contain escape sequences, for example a file
//! name that the shell inserted for `*`. So clap's text passes through the sanitizer, which keeps
//! the styles.

use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};

use crate::ci;
use crate::error::{Error, Result};
use crate::sanitize::{Progress, Sanitizer, Span, Style, sgr};

/// Prints help, the version or an error to the stream that clap would use, and returns the exit
/// code.
///
/// # Errors
/// If stdout cannot be written.
pub fn print_usage(usage: &clap::Error) -> Result<u8> {
    let text = usage.render().ansi().to_string();
    let (stdout, stderr) = (io::stdout(), io::stderr());
    if usage.use_stderr() {
        // An error that cannot be printed to stderr cannot be reported.
        let _ = write(&text, AutoStream::choice(&stderr) != ColorChoice::Never, stderr);
    } else {
        write(&text, AutoStream::choice(&stdout) != ColorChoice::Never, stdout)
            .map_err(Error::Output)?;
    }
    Ok(u8::try_from(usage.exit_code()).unwrap_or(2))
}

/// Writes each line sanitized. Control characters are shown as glyphs: sent to the terminal, they
/// could erase the text before an argument.
fn write(text: &str, colored: bool, out: impl Write) -> io::Result<()> {
    let mut out = ci::Output::new(out);
    for line in text.lines() {
        for Span { text, style, .. } in Sanitizer::new(Progress::All).row(line.as_bytes()) {
            if colored && style != Style::default() {
                write!(out, "{}{text}\x1b[0m", sgr(&style))?;
            } else {
                out.write_all(text.as_bytes())?;
            }
        }
        writeln!(out)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Arguments;

    fn printed(argument: &str, colored: bool) -> String {
        let usage = Arguments::try_parse_from(["rundown", argument]).unwrap_err();
        let mut out = Vec::new();
        write(&usage.render().ansi().to_string(), colored, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn control_characters_of_an_argument_are_escaped() {
        let shown = printed("--x\x1b]0;title\x07\r\x1b[2K\u{9b}2J\u{202e}", false);
        let first = shown.lines().next().unwrap();
        assert_eq!(
            first,
            "error: unexpected argument '--x␛]0;title␇␍␛[2K<U+009B>2J<U+202E>' found"
        );
        assert!(
            shown.chars().all(|found| found == '\n' || crate::sanitize::is_harmless(found)),
            "{shown:?}"
        );
    }

    #[test]
    fn clap_styles_are_kept_if_color_is_enabled() {
        assert!(
            printed("--bogus", true).starts_with("\x1b[0;1;31merror:\x1b[0m "),
            "{:?}",
            printed("--bogus", true)
        );
        assert!(printed("--help", true).contains("\x1b[0;1;4mUsage:\x1b[0m"));
        assert!(!printed("--help", false).contains('\x1b'));
    }
}
