//! `--format gitlab`: the log in sections, for the page of a GitLab job.
//!
//! ```text
//! ESC[0Ksection_start:1780000000:build.1[collapsed=true]CR ESC[0K✓ passed  1  cargo build  9ms
//!     Compiling demo
//! ESC[0Ksection_end:1780000009:build.1CR ESC[0K
//! ```
//!
//! Each command is a section; those that passed are collapsed. The page shows the duration of a
//! section, so the times are those of the command.

use std::io::{self, Write};

use super::ci_log::{Fold, FoldSyntax, write_log};
use super::printing::Printing;
use crate::ci::{Markers, Output, Reader};

const SECTIONS: FoldSyntax = FoldSyntax {
    begin: |fold| {
        let (began_at, _) = times(fold);
        let (name, title) = (&fold.name, fold.title);
        let collapsed = if fold.is_folded { "[collapsed=true]" } else { "" };
        Some(format!("\x1b[0Ksection_start:{began_at}:{name}{collapsed}\r\x1b[0K{title}"))
    },
    end: |fold| format!("\x1b[0Ksection_end:{}:{}\r\x1b[0K", times(fold).1, fold.name),
};

/// Returns the start and the end of a section in seconds since 1970. The duration is 0 if one of
/// them is unknown or if the clock was set back.
fn times(fold: &Fold<'_>) -> (i64, i64) {
    let secs = |at: Option<crate::time::Time>| at.map(|at| at.unix_secs().max(0));
    let began_at = secs(fold.began_at).unwrap_or(0);
    (began_at, secs(fold.ended_at).filter(|_| began_at > 0).unwrap_or(began_at).max(began_at))
}

pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    let markers = Markers::of_reader(Reader::GitLab);
    let mut out = Output::with_markers(out, &markers);
    out.stop_commands();
    write_log(printing, &SECTIONS, &mut out)?;
    out.resume_commands()?;
    out.flush()
}
