//! A client of S3: objects of one bucket, at AWS or at any other server with this protocol.
//!
//! All calls block, and each ends: a request is repeated until [`Settings::timeout`] has passed,
//! and a server that is silent for a third of this time has failed. A [`Bucket`] is shared by
//! threads.
//!
//! ```text
//! Bucket          list, get, put, delete; keys are relative to the prefix of the URL
//!   place         the URL of a key: a host per bucket, or the bucket in the path
//!   credentials   environment → profile → web identity → container → instance metadata
//!   sign          AWS Signature Version 4 in headers, with the hash of the body
//!   exchange      one request: connect, send, receive within limits
//!   failure       an answer → its reason, a remedy, and whether to repeat the request
//!   xml           answers with a list, an error or credentials
//! ```
//!
//! # Trust
//!
//! A server may send anything. Answers are limited in size, texts in messages are sanitized, keys
//! outside of the prefix are errors, and so are bodies whose length contradicts their headers.
//! Credentials are held in memory only. They appear in no message and no `Debug` output.
//!
//! # Signatures
//!
//! The signer and the XML reader are part of this module, because they need no further crate:
//! `ring` and `quick-xml` are used by other modules. The crate `rusty-s3` only signs URLs. A
//! session token would then be part of URLs, which proxies and servers write to their logs, and
//! keys such as `a/../b` would change the object.

mod bucket;
mod conditions;
mod credentials;
mod exchange;
mod failure;
mod get;
mod list;
mod place;
mod put;
mod settings;
mod sign;
mod url;
mod xml;

pub use bucket::Bucket;
pub use get::{Changed, Got, Range};
pub use list::{Listed, Object};
pub use put::{Body, Condition, Put};
pub use settings::{Settings, Variables};
pub use url::S3Url;
