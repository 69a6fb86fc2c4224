//! The displayed text of a row, as [`crate::sanitize`] defines it, with a fast path for rows whose
//! only escapes are colors. Most rows that a search has to convert are of that kind.

use std::borrow::Cow;

use memchr::memchr;

pub use crate::sanitize::Progress;
use crate::sanitize::{self, is_harmless};

/// Maximum length of the parameters of a color, in bytes: enough for `38;2;255;255;255` and some
/// more. Rows with longer ones are left to `sanitize`, which limits the number of parameters.
const MAX_PARAMS: usize = 24;

/// Returns the displayed text of a row.
pub(super) fn plain(bytes: &[u8], progress: Progress) -> Cow<'_, str> {
    uncolored(bytes).map_or_else(|| sanitize::plain(bytes, progress), Cow::Owned)
}

/// Returns the text of a row that contains colors but no other bytes that are changed for display;
/// `None` for all other rows.
fn uncolored(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let mut escape = memchr(0x1b, bytes)?;
    let mut rest = str::from_utf8(bytes).ok()?;
    let mut text = String::with_capacity(rest.len());
    loop {
        text.push_str(rest.get(..escape)?);
        let params = rest.get(escape..)?.strip_prefix("\x1b[")?;
        let len =
            params.bytes().take(MAX_PARAMS).position(|byte| !matches!(byte, b'0'..=b'9' | b';'))?;
        rest = params.get(len..)?.strip_prefix('m')?;
        let Some(next) = memchr(0x1b, rest.as_bytes()) else { break };
        escape = next;
    }
    text.push_str(rest);
    let is_plain =
        text.bytes().fold(true, |is_plain, byte| is_plain & (b' '..=b'~').contains(&byte));
    (is_plain || text.chars().all(is_harmless)).then_some(text)
}
