//! Bundles in object storage: their addresses, and the client with the settings of the environment.

use std::ffi::OsStr;
use std::path::Path;
#[cfg(feature = "remote")]
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::log::Container;
#[cfg(feature = "remote")]
use crate::log::Object;
#[cfg(feature = "remote")]
use crate::s3::{Bucket, S3Url, Settings, Variables};

/// The beginning of an address.
const SCHEME: &[u8] = b"s3://";

/// Returns true if a path is the address of an object.
pub(super) fn is_url(path: impl AsRef<OsStr>) -> bool {
    path.as_ref().as_encoded_bytes().starts_with(SCHEME)
}

/// Creates a catalog of the bundle at an address. Sends no request.
pub(super) fn catalog(url: &Path) -> Result<Catalog> {
    Ok(Catalog::of_container(url, container(url)?))
}

/// Returns the bundle at an address. Sends no request.
#[cfg(feature = "remote")]
pub(super) fn container(url: &Path) -> Result<Container> {
    let (bucket, key) = object(url)?;
    Ok(Container::Object(Object::new(Arc::new(bucket), key, None, Arc::default())))
}

#[cfg(not(feature = "remote"))]
pub(super) fn container(url: &Path) -> Result<Container> {
    Err(unsupported(url))
}

/// Returns the error for an address in a program without the client.
#[cfg(not(feature = "remote"))]
pub(super) fn unsupported(url: &Path) -> Error {
    let why = "needs the feature `remote`, without which this rundown was built\n\
               to install it with the feature: cargo install rundown --features remote";
    Error::Usage(format!("{} {why}", url.display()))
}

/// Returns the bucket and the key of an address.
#[cfg(feature = "remote")]
pub(super) fn object(url: &Path) -> Result<(Bucket, String)> {
    let invalid = |why: &str| Error::Usage(format!("{} {why}", url.display()));
    let text = url.to_str().ok_or_else(|| invalid("is not UTF-8"))?;
    let (dir, key) = text.rsplit_once('/').unwrap_or_default();
    let is_key = dir.len() > SCHEME.len() && !key.is_empty();
    let dir = is_key.then(|| S3Url::parse(dir)).flatten();
    let dir = dir.ok_or_else(|| {
        invalid("is not the address of a bundle, such as s3://bucket/run.rundown")
    })??;
    let settings = Settings { variables: Variables::of_process(), ..Settings::default() };
    Ok((Bucket::new(dir, &settings)?, key.to_owned()))
}
