//! The address of a store in a bucket: `s3://bucket/prefix`.

use std::fmt::{self, Display, Formatter};

use crate::error::{Error, Result};
use crate::sanitize;

/// The longest key that S3 accepts.
const MAX_KEY_BYTES: usize = 1024;

/// A bucket and a prefix of keys. Displayed as `s3://bucket/prefix`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct S3Url {
    bucket: String,
    /// Without slashes at its ends; may be empty.
    prefix: String,
}

impl S3Url {
    /// Parses an address. Returns `None` if it does not begin with `s3://`.
    ///
    /// # Errors
    /// If the name of the bucket is not valid, if the address contains credentials, or if a part of
    /// the prefix is empty, `.` or `..`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Result<Self>> {
        let scheme = text.get(..5)?;
        let rest = text.get(5..)?;
        scheme.eq_ignore_ascii_case("s3://").then(|| Self::of(rest).map_err(Error::Usage))
    }

    fn of(rest: &str) -> std::result::Result<Self, String> {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.contains('@') {
            return Err("an address in S3 must not contain credentials, which other users could \
                        read\nset AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a profile"
                .into());
        }
        let help = "use s3://BUCKET/PREFIX";
        if !is_bucket(bucket) {
            return Err(format!(
                "`{}` is not the name of a bucket\n{help}",
                sanitize::name(bucket)
            ));
        }
        let prefix = prefix.trim_end_matches('/');
        if !prefix.is_empty() {
            if prefix.split('/').any(str::is_empty) {
                return Err(format!("the prefix of s3://{bucket} has an empty part\n{help}"));
            }
            check_key(prefix)
                .map_err(|why| format!("the prefix of s3://{bucket} {why}\n{help}"))?;
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// Returns the name of the bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Returns the prefix of all keys, without slashes at its ends; may be empty.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the full key of a key relative to the prefix. An empty key is the start of all.
    pub(super) fn full_key(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) }
    }

    /// Returns the key relative to the prefix; `None` if it is outside of the prefix.
    pub(super) fn relative<'k>(&self, full_key: &'k str) -> Option<&'k str> {
        if self.prefix.is_empty() {
            return Some(full_key);
        }
        full_key.strip_prefix(&self.prefix)?.strip_prefix('/')
    }

    /// Describes an object for messages. Sanitized.
    pub(super) fn shown(&self, full_key: &str) -> String {
        let slash = if full_key.is_empty() { "" } else { "/" };
        format!("s3://{}{slash}{}", self.bucket, sanitize::name(full_key))
    }
}

impl Display for S3Url {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(&self.prefix))
    }
}

/// Returns true for names that S3 has ever accepted. Names of new buckets follow stricter rules.
fn is_bucket(name: &str) -> bool {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    (3..=255).contains(&name.len())
        && name.chars().all(is_valid)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !name.contains("..")
}

/// Checks that a key means the same object at every server. Servers and proxies resolve `.` and
/// `..` as in a path.
///
/// # Errors
/// Returns the defect, as the end of a sentence about the key.
pub(super) fn check_key(key: &str) -> std::result::Result<(), String> {
    if key.is_empty() {
        return Err("is empty".into());
    }
    if key.len() > MAX_KEY_BYTES {
        return Err(format!("is longer than {MAX_KEY_BYTES} bytes"));
    }
    match key.split('/').find(|part| matches!(*part, "." | "..")) {
        Some(part) => Err(format!("contains the part `{part}`")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_bucket_and_a_prefix() {
        for (text, bucket, shown) in [
            ("s3://ci-runs", "ci-runs", "s3://ci-runs"),
            ("S3://ci-runs/", "ci-runs", "s3://ci-runs"),
            ("s3://ci.runs/a/b//", "ci.runs", "s3://ci.runs/a/b"),
            ("s3://Legacy_Name/ä b", "Legacy_Name", "s3://Legacy_Name/ä b"),
        ] {
            let url = S3Url::parse(text).unwrap().unwrap();
            assert_eq!((url.bucket(), &url.to_string()[..]), (bucket, shown));
        }
    }

    #[test]
    fn keys_are_relative_to_the_prefix() {
        let url = S3Url::parse("s3://runs/a/b").unwrap().unwrap();
        assert_eq!((url.full_key("c/d"), url.full_key("")), ("a/b/c/d".into(), "a/b/".into()));
        assert_eq!(url.relative("a/b/c"), Some("c"));
        assert_eq!((url.relative("a/bc"), url.relative("x")), (None, None));
        let url = S3Url::parse("s3://runs").unwrap().unwrap();
        assert_eq!((&url.full_key("c")[..], url.relative("c")), ("c", Some("c")));
    }

    #[test]
    fn other_addresses_are_none_and_bad_ones_are_usage_errors() {
        for text in ["", "s3:", "s3:/a", "https://a", ".rundown", "ä3://abc"] {
            assert!(S3Url::parse(text).is_none(), "{text}");
        }
        for (text, why) in [
            ("s3://", "not the name of a bucket"),
            ("s3:///a", "not the name of a bucket"),
            ("s3://a b", "not the name of a bucket"),
            ("s3://a..b", "not the name of a bucket"),
            ("s3://bucket?x", "not the name of a bucket"),
            ("s3://bucket/a//b", "has an empty part"),
            ("s3://bucket/a/../b", "contains the part `..`"),
            ("s3://key:secret@bucket", "must not contain credentials"),
        ] {
            let error = S3Url::parse(text).unwrap().unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let error = error.to_string();
            assert!(error.contains(why) && !error.contains("secret@"), "{error}");
        }
    }
}
