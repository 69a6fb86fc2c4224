//! Stores and bundles in object storage: their addresses, and the client with the options of the
//! user and the settings of the environment.

use std::ffi::OsStr;
use std::path::Path;
#[cfg(feature = "remote")]
use std::sync::Arc;
#[cfg(feature = "remote")]
use std::time::Duration;

use super::args::Server;
#[cfg(feature = "remote")]
use super::place::{is_switched_on, path_variable};
use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::log::Container;
#[cfg(feature = "remote")]
use crate::log::{BlockCache, Blocks, Object};
#[cfg(feature = "remote")]
use crate::remote::key::MAX_PREFIX;
#[cfg(feature = "remote")]
use crate::s3::{Bucket, S3Url, Settings, Variables};

/// The beginning of an address, in any case.
const SCHEME: &[u8] = b"s3://";

/// Returns true if a path is the address of an object.
pub(super) fn is_url(path: impl AsRef<OsStr>) -> bool {
    let start = path.as_ref().as_encoded_bytes().get(..SCHEME.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

/// The end of the address of a bundle. Every other address is that of a store.
const BUNDLE: &str = ".rundown";

fn is_bundle(url: &OsStr) -> bool {
    url.as_encoded_bytes().ends_with(BUNDLE.as_bytes())
}

/// The time for a request and its repetitions, for a person who waits for the answer.
#[cfg(feature = "remote")]
const TIMEOUT: Duration = Duration::from_secs(15);

/// The environment variable that switches the cache on disk off.
#[cfg(feature = "remote")]
const NO_CACHE: &str = "RUNDOWN_NO_CACHE";

/// Creates a catalog of the store or the bundle at an address. Sends no request.
pub(super) fn catalog(url: &Path, server: &Server) -> Result<Catalog> {
    if is_bundle(url.as_os_str()) {
        return Ok(Catalog::of_container(url, container(url, server)?));
    }
    store(url, server)
}

/// Creates a catalog of the store at an address.
#[cfg(feature = "remote")]
fn store(url: &Path, server: &Server) -> Result<Catalog> {
    let settings = Settings { timeout: TIMEOUT, ..settings(server) };
    Ok(Catalog::of_bucket(bucket_with(url.as_os_str(), &settings)?, cache()))
}

#[cfg(not(feature = "remote"))]
fn store(url: &Path, _: &Server) -> Result<Catalog> {
    Err(unsupported(url))
}

/// Returns the bundle at an address. Sends no request.
#[cfg(feature = "remote")]
pub(super) fn container(url: &Path, server: &Server) -> Result<Container> {
    let (bucket, key) = object(url, server)?;
    let blocks = Arc::new(Blocks::with(cache()));
    Ok(Container::Object(Object::new(Arc::new(bucket), key, None, blocks)))
}

/// Returns the cache in the user's directory; `None` if there is no such directory, or if the user
/// wants none.
#[cfg(feature = "remote")]
fn cache() -> Option<Arc<BlockCache>> {
    if is_switched_on(NO_CACHE) {
        return None;
    }
    let named = path_variable("XDG_CACHE_HOME").filter(|dir| dir.is_absolute());
    let dir = named.or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
    Some(Arc::new(BlockCache::new(dir.join("rundown"))))
}

#[cfg(not(feature = "remote"))]
pub(super) fn container(url: &Path, _: &Server) -> Result<Container> {
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
pub(super) fn object(url: &Path, server: &Server) -> Result<(Bucket, String)> {
    let invalid = |why| invalid(url, why);
    let text = url.to_str().ok_or_else(|| invalid("is not UTF-8"))?;
    let (dir, key) = text.rsplit_once('/').unwrap_or_default();
    let is_key = dir.len() > SCHEME.len() && !key.is_empty();
    let dir = is_key.then(|| S3Url::parse(dir)).flatten();
    let dir = dir.ok_or_else(|| {
        invalid("is not the address of a bundle, such as s3://bucket/run.rundown")
    })??;
    Ok((Bucket::new(dir, &settings(server))?, key.to_owned()))
}

#[cfg(feature = "remote")]
fn settings(server: &Server) -> Settings {
    Settings {
        endpoint: server.endpoint.clone(),
        path_style: server.path_style,
        variables: Variables::of_process(),
        ..Settings::default()
    }
}

#[cfg(feature = "remote")]
fn invalid(url: &Path, why: &str) -> Error {
    Error::Usage(format!("{} {why}", url.display()))
}

/// Checks the address of a store. Sends no request.
pub(super) fn check(url: &OsStr) -> Result<()> {
    #[cfg(feature = "remote")]
    return bucket(url, &Server::default()).map(drop);
    #[cfg(not(feature = "remote"))]
    Err(unsupported(Path::new(url)))
}

/// Returns the bucket at the address of a store, with the prefix of its keys.
#[cfg(feature = "remote")]
pub(super) fn bucket(url: &OsStr, server: &Server) -> Result<Bucket> {
    bucket_with(url, &settings(server))
}

#[cfg(feature = "remote")]
fn bucket_with(url: &OsStr, settings: &Settings) -> Result<Bucket> {
    let shown = Path::new(url).display();
    let parsed = url.to_str().and_then(S3Url::parse).ok_or_else(|| {
        Error::Usage(format!("{shown} is not an address in object storage: use s3://BUCKET/PREFIX"))
    })??;
    if is_bundle(url) {
        let why = format!("{shown} is the address of a bundle: a store must not end with {BUNDLE}");
        return Err(Error::Usage(why));
    }
    if parsed.prefix().len() > MAX_PREFIX {
        let why = format!("the prefix of {shown} is longer than {MAX_PREFIX} bytes");
        return Err(Error::Usage(why));
    }
    Bucket::new(parsed, settings)
}
