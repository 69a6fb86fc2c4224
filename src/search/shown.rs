//! The text of a row as it is shown. A stand-in until `sanitise` folds rows itself.

use std::borrow::Cow;

use crate::sanitise::{Sanitiser, Span};

/// Which state of a row that overwrites itself is shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Progress {
    /// The last one.
    #[default]
    Last,
    /// All of them, one behind the other.
    All,
}

/// The shown text of a row.
pub(super) fn plain(bytes: &[u8], _progress: Progress) -> Cow<'_, str> {
    if let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| text.bytes().all(|b| matches!(b, b' '..=b'~'))) {
        return Cow::Borrowed(text);
    }
    let spans: Vec<Span> = Sanitiser::default().row(bytes);
    Cow::Owned(spans.iter().map(|span| span.text.as_str()).collect())
}
