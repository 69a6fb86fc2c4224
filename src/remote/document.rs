//! The document of a run in object storage: that of a bundle, with the objects of its logs.

use serde::{Deserialize, Serialize};

use crate::bundle::RunDocument;
use crate::time::Time;

/// The version of the document.
pub(crate) const SCHEMA: &str = "rundown.remote/1";

/// A run: `run.json.zst` and `live.json.zst`, a JSON document in one frame of zstd.
#[derive(Serialize, Deserialize)]
pub(crate) struct RemoteDocument {
    pub schema: String,
    /// The time at which it was written, by the clock of the writer.
    pub written_at: Time,
    /// The objects that its logs are in.
    pub objects: Vec<ObjectDocument>,
    /// The run.
    pub run: RunDocument,
}

/// An object that contains parts of logs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct ObjectDocument {
    /// Its name in the directory of the run.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}
