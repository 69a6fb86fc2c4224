//! Bundles: runs in one portable file, with their rows, logs and causes.
//!
//! ```text
//! run.rundown                                   a zip archive
//!   rundown.json                                the list of its runs: always the first entry
//!   runs/<repo>/<run>/run.json                  the rows of a run, its logs and its causes
//!   runs/<repo>/<run>/jobs/<job>/sh-<n>.log.zst
//!   runs/<repo>/<run>/jobs/<job>/sh-<n>.log.index.zst
//!   runs/<repo>/<run>/jobs/<job>/sh-<n>.log.groups.zst
//! ```
//!
//! Documents are compressed with deflate. Logs are compressed with zstd in frames and stored as
//! they are, so that a row is read where it is. `docs/bundle.md` describes the documents. A bundle
//! is opened in place and never unpacked, so the names in it never become paths of files.

mod check;
mod document;
mod names;
mod read;
mod write;

pub use check::{Checked, check};
#[cfg(feature = "remote")]
pub(crate) use document::{LogDocument, Piece, RunDocument};
pub use read::{Bundle, is_bundle};
pub use write::{Bundled, write};
#[cfg(feature = "remote")]
pub(crate) use write::{causes, document, facts};
