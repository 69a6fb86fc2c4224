//! Documents: the output of a command, of a job or of a run, read as pages of rows.
//!
//! A [`Document`] is a list of sections, each with a log. `DocumentReader` reads rows of all its
//! logs around an anchor, or around a row that it searches for, and counts rows and matches in the
//! background. It works in slices: the caller polls it, and may replace the request in between.
//! Nothing here depends on a screen.

mod page;
mod reader;
mod request;
mod sections;

pub use page::{Answer, Head, HitCount, Known, Page, RankedGap, Target};
pub(crate) use reader::DocumentReader;
pub use request::{Fold, Folds, Goal, PageRequest, RowsRequest, Sought, Ticket};
pub use sections::{
    Document, RowAddress, Section, jobs, log_bytes, may_grow, own_section, sections, sh_section,
};
