//! The URL of an object: a host per bucket for AWS, or the bucket in the path. Pure.

use std::fmt::{self, Display, Formatter, Write};

use ureq::http::Uri;

use super::S3Url;
use crate::error::{Error, Result};

/// A server that is not AWS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Endpoint {
    /// `http` or `https`.
    scheme: String,
    /// The host, with its port unless that is the default one.
    host: String,
    /// A path below which all buckets are, without a slash at its end.
    path: String,
}

/// The place of a bucket.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// `http` or `https`.
    pub scheme: String,
    /// The host with its port, as in the header `Host`.
    pub host: String,
    /// The path of the bucket, without a slash at its end.
    path: String,
}

impl Endpoint {
    /// Parses an address. `source` is the option or variable that contains it.
    pub fn parse(text: &str, source: &str) -> Result<Self> {
        let error = |why: &str| {
            let help = "use an address such as https://s3.example.com or http://localhost:9000";
            Error::Usage(format!("the address of the S3 server in {source} {why}\n{help}"))
        };
        let uri: Uri = text.parse().map_err(|_| error("is not valid"))?;
        let (Some(scheme @ ("http" | "https")), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(error("does not begin with http:// or https://"));
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(error("must not contain credentials"));
        }
        if uri.query().is_some() {
            return Err(error("must not contain a query"));
        }
        let default = if scheme == "http" { 80 } else { 443 };
        let port = uri.port_u16().filter(|port| *port != default);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self {
            scheme: scheme.to_owned(),
            host: format!("{}{port}", host.to_ascii_lowercase()),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl Display for Endpoint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.host, self.path)
    }
}

impl Place {
    /// Chooses the address of a bucket.
    pub fn of(url: &S3Url, endpoint: Option<&Endpoint>, region: &str, path_style: bool) -> Self {
        let bucket = url.bucket();
        if let Some(Endpoint { scheme, host, path }) = endpoint {
            let path = format!("{path}/{bucket}");
            return Self { scheme: scheme.clone(), host: host.clone(), path };
        }
        let host = format!("s3.{region}.{}", domain(region));
        let scheme = "https".to_owned();
        if path_style || !is_label(bucket) {
            Self { scheme, host, path: format!("/{bucket}") }
        } else {
            Self { scheme, host: format!("{bucket}.{host}"), path: String::new() }
        }
    }

    /// Returns the path of an object, or that of the bucket if the key is empty.
    pub fn path(&self, key: &str) -> String {
        format!("{}/{}", self.path, encoded(key, true))
    }
}

/// Returns the domain of AWS in a region.
pub(super) fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// Returns true if a name can be a part of a host: certificates do not cover names with dots.
fn is_label(bucket: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    bucket.len() <= 63 && bucket.bytes().all(is_valid) && !bucket.ends_with('-')
}

/// Returns true if a text may be the name of a region, which becomes a part of a host.
pub(super) fn is_region(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Percent-encodes all bytes but letters, digits and `-._~`, as signatures require. A slash remains
/// in paths only.
pub(super) fn encoded(text: &str, is_path: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (is_path && byte == b'/') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(place: &Place, key: &str) -> String {
        format!("{}://{}{}", place.scheme, place.host, place.path(key))
    }

    #[test]
    fn aws_has_a_host_per_bucket_unless_its_name_forbids_it() {
        for (bucket, region, path_style, expected) in [
            ("runs", "eu-west-1", false, "https://runs.s3.eu-west-1.amazonaws.com/a/b"),
            ("runs", "eu-west-1", true, "https://s3.eu-west-1.amazonaws.com/runs/a/b"),
            ("ci.runs", "us-east-1", false, "https://s3.us-east-1.amazonaws.com/ci.runs/a/b"),
            ("CI_runs", "us-east-1", false, "https://s3.us-east-1.amazonaws.com/CI_runs/a/b"),
            ("runs", "cn-north-1", false, "https://runs.s3.cn-north-1.amazonaws.com.cn/a/b"),
        ] {
            let bucket = S3Url::parse(&format!("s3://{bucket}")).unwrap().unwrap();
            let place = Place::of(&bucket, None, region, path_style);
            assert_eq!(url(&place, "a/b"), expected);
        }
    }

    #[test]
    fn other_servers_have_the_bucket_in_the_path() {
        let bucket = S3Url::parse("s3://runs").unwrap().unwrap();
        for (endpoint, expected) in [
            ("http://localhost:9000", "http://localhost:9000/runs/"),
            ("https://S3.example.com:443/", "https://s3.example.com/runs/"),
            ("https://a.example:80/base/", "https://a.example:80/base/runs/"),
            ("http://[::1]:80", "http://[::1]/runs/"),
        ] {
            let endpoint = Endpoint::parse(endpoint, "--endpoint").unwrap();
            let place = Place::of(&bucket, Some(&endpoint), "eu-west-1", false);
            assert_eq!(url(&place, ""), expected);
        }
        for endpoint in
            ["localhost:9000", "ftp://a", "http://", "http://k:secret@a", "http://a?x", "a b"]
        {
            let error = Endpoint::parse(endpoint, "--endpoint").unwrap_err().to_string();
            assert!(error.contains("in --endpoint") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn keys_are_encoded_as_signatures_require() {
        assert_eq!(encoded("a/b c+ä~%.?", true), "a/b%20c%2B%C3%A4~%25.%3F");
        assert_eq!(encoded("a/b", false), "a%2Fb");
    }
}
