//! The position of an address, in bytes, in the log or in the open sections of the scroll that is
//! shown.

use crate::tui::model::Model;
use crate::tui::scroll::{LogSource, RowAddress, log_bytes};

/// The size of the log, or of the open sections of the scroll, in bytes.
pub(super) struct Extent {
    /// The sizes of the sections of a scroll, 0 for folded ones; `None` for a single log.
    parts: Option<Vec<u64>>,
    /// The total size.
    pub bytes: u64,
}

impl Extent {
    /// Returns the size of the current source.
    pub(super) fn of(model: &Model) -> Self {
        let (Some(LogSource::Scroll(sections)), Some(run), Some(of)) =
            (&model.log.source, &model.run, &model.tree.scroll)
        else {
            return Self { parts: None, bytes: model.log.window.file_bytes };
        };
        let sizes = log_bytes(run, of);
        let parts: Vec<u64> = sizes
            .iter()
            .zip(sections.iter())
            .map(|(bytes, section)| if section.is_open { *bytes } else { 0 })
            .collect();
        Self { bytes: parts.iter().sum(), parts: Some(parts) }
    }

    /// Returns the position of an address on a scale from 0 to `whole`.
    pub(super) fn share(&self, address: u64, whole: u64) -> u64 {
        let share =
            u128::from(self.before(address)) * u128::from(whole) / u128::from(self.bytes.max(1));
        u64::try_from(share).unwrap_or(whole)
    }

    fn before(&self, address: u64) -> u64 {
        let Some(parts) = &self.parts else { return address.min(self.bytes) };
        let row = RowAddress::of(address);
        let above: u64 = parts.iter().take(row.section()).sum();
        above + row.offset().min(parts.get(row.section()).copied().unwrap_or(0))
    }
}
