//! The form of facts that are stored beside a log, so that they need not be computed from all of
//! it: a JSON document in one frame of zstd. The cause is a part of the document of its run.

use serde::Serialize;
use serde::de::DeserializeOwned;
use zstd_safe::{DCtx, compress, compress_bound, get_frame_content_size};

/// The level of compression: the default of `zstd`.
const LEVEL: i32 = 3;

/// The largest document, in bytes: the index of a log of about 200 GB, or a run with several 100,000
/// commands.
const MAX_BYTES: u64 = 128 << 20;

/// A kind of stored facts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beside {
    /// The [`super::Index`] of the log.
    Index,
    /// Its groups.
    Groups,
    /// The likely cause of the failure of its command, as JSON.
    Cause,
}

/// Returns the stored form of a document; `None` if it is too large, or cannot be compressed.
pub(crate) fn pack(document: &impl Serialize) -> Option<Vec<u8>> {
    let json = serde_json::to_vec(document).ok().filter(|json| json.len() as u64 <= MAX_BYTES)?;
    let mut packed = Vec::with_capacity(compress_bound(json.len()));
    compress(&mut packed, &json, LEVEL).ok()?;
    Some(packed)
}

/// Returns the document of a stored form; `None` if it is damaged or too large.
pub(crate) fn unpack<T: DeserializeOwned>(packed: &[u8]) -> Option<T> {
    serde_json::from_slice(&unpack_json(packed)?).ok()
}

/// Returns the JSON of a stored form; `None` if it is damaged or too large.
pub(crate) fn unpack_json(packed: &[u8]) -> Option<Vec<u8>> {
    let bytes = get_frame_content_size(packed).ok()?.filter(|bytes| *bytes <= MAX_BYTES)?;
    let mut json = Vec::with_capacity(usize::try_from(bytes).ok()?);
    DCtx::try_create()?.decompress(&mut json, packed).ok()?;
    Some(json)
}
