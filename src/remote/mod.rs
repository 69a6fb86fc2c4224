//! Runs in object storage. `docs/remote.md` describes the layout for readers and writers.
//!
//! ```text
//! v1/list/all/<key>               an empty object per run; its key contains what a list shows
//! v1/list/repo/<repo>/<key>       the same for the runs of one repository
//! v1/list/ref/<ref>/<key>         the same for the runs of one ref
//! v1/runs/<repo>/<run>/run.json.zst    the run; created once, after everything else
//! v1/runs/<repo>/<run>/live.json.zst   the run so far, while it has no run.json.zst
//! v1/runs/<repo>/<run>/data-<hash>     parts of logs, with their indexes and groups
//! ```
//!
//! Every key is a function of the run, or of the content of the object. Two writers of one run thus
//! write the same objects or different ones, never two contents under one name, except for
//! `live.json.zst`, of which each version is complete.
//!
//! Objects are written by anyone with access to the bucket. Names in documents never become paths
//! of files, and must be of the form above.

pub(crate) mod document;
pub(crate) mod key;
mod list;
mod run;
mod store;

pub(crate) use store::{PAGE_KEYS, RemoteStore};
