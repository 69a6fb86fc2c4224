//! The position of an address, in bytes, in the open sections of the document that is shown.

use crate::document::{Document, log_bytes};
use crate::tui::model::Model;

/// The size of the open sections of the document, in bytes.
pub(super) struct Extent<'a> {
    document: Option<&'a Document>,
    /// The sizes of the sections, 0 for folded ones.
    parts: Vec<u64>,
    /// The total size.
    pub bytes: u64,
}

impl<'a> Extent<'a> {
    /// Returns the size of the current document.
    pub(super) fn of(model: &'a Model) -> Self {
        let document = model.log.document.as_ref();
        let parts = match (document, &model.run) {
            (Some(document), Some(run)) if document.has_headings => {
                let sizes = log_bytes(run, &document.of).into_iter().zip(&*document.sections);
                sizes.map(|(bytes, section)| if section.is_open { bytes } else { 0 }).collect()
            }
            _ => vec![model.log.window.file_bytes],
        };
        Self { document, bytes: parts.iter().sum(), parts }
    }

    /// Returns the position of an address on a scale from 0 to `whole`.
    pub(super) fn share(&self, address: u64, whole: u64) -> u64 {
        let share =
            u128::from(self.before(address)) * u128::from(whole) / u128::from(self.bytes.max(1));
        u64::try_from(share).unwrap_or(whole)
    }

    fn before(&self, address: u64) -> u64 {
        let Some(row) = self.document.map(|document| document.row(address)) else { return 0 };
        let above: u64 = self.parts.iter().take(row.section()).sum();
        above + row.offset().min(self.parts.get(row.section()).copied().unwrap_or(0))
    }
}
