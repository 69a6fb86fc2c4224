//! AWS Signature Version 4: a header that proves that a request comes from the holder of a key.
//!
//! The signature covers the method, the path, the query, all headers that this client sets, and the
//! hash of the body. It is valid for 15 minutes, so it depends on the clock. See "Signature
//! Calculations for the Authorization Header" in the API reference of S3. Pure.

use std::fmt::Write;

use jiff::Timestamp;
use ring::{digest, hmac};

use super::credentials::Credentials;
use super::place::encoded;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The header with the hash of the body.
pub(super) const BODY_HASH: &str = "x-amz-content-sha256";

/// The parts of a request that are signed.
pub(super) struct Parts<'a> {
    pub method: &'a str,
    /// The encoded path.
    pub path: &'a str,
    /// The query as [`query`] writes it.
    pub query: &'a str,
    /// The headers, with names in lowercase. [`sign`] adds more.
    pub headers: Vec<(&'static str, String)>,
}

/// Writes a query in the order and encoding of signatures.
pub(super) fn query(parameters: &[(&str, String)]) -> String {
    let mut pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name, false), encoded(value, false)))
        .collect();
    pairs.sort();
    pairs.join("&")
}

/// Returns all headers of a signed request. `parts` must contain those for the host and the hash of
/// the body.
pub(super) fn sign(
    parts: Parts<'_>,
    credentials: &Credentials,
    region: &str,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let scope = format!("{}/{region}/s3/aws4_request", now.strftime("%Y%m%d"));
    let Parts { method, path, query, mut headers } = parts;
    headers.push(("x-amz-date", time.clone()));
    if let Some(token) = credentials.token() {
        headers.push(("x-amz-security-token", token.to_owned()));
    }
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut request = format!("{method}\n{path}\n{query}\n");
    for (name, value) in &headers {
        // Writing to a `String` cannot fail.
        let _ = writeln!(request, "{name}:{}", value.trim());
    }
    let body = headers.iter().find(|(name, _)| *name == BODY_HASH);
    let body = body.map(|(_, hash)| hash.as_str()).unwrap_or_default();
    let _ = write!(request, "\n{names}\n{body}");
    let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", sha256(request.as_bytes()));
    let signature = signature(credentials.secret(), &scope, &text);
    let key = credentials.key_id();
    let value =
        format!("{ALGORITHM} Credential={key}/{scope},SignedHeaders={names},Signature={signature}");
    headers.push(("authorization", value));
    headers
}

/// Signs a text with the key that the secret gives in a scope.
fn signature(secret: &str, scope: &str, text: &str) -> String {
    let of = |key: &[u8], text: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
    };
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in scope.split('/') {
        key = of(&key, part).as_ref().to_vec();
    }
    hex(of(&key, text).as_ref())
}

/// Returns the hash of bytes in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Formats bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples in the API reference of S3.
    #[test]
    fn requests_are_signed_as_in_the_reference() {
        let key = "AKIAIOSFODNN7EXAMPLE";
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("a test", key, secret);
        let now: Timestamp = "2013-05-24T00:00:00Z".parse().unwrap();
        let date = ("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned());
        let class = ("x-amz-storage-class", "REDUCED_REDUNDANCY".to_owned());
        let range = ("range", "bytes=0-9".to_owned());
        let list = query(&[("prefix", "J".into()), ("max-keys", "2".into())]);
        for (method, path, query, headers, body, expected) in [
            (
                "GET",
                "/test.txt",
                "",
                vec![range],
                &b""[..],
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "PUT",
                "/test%24file.text",
                "",
                vec![date, class],
                b"Welcome to Amazon S3.",
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
            (
                "GET",
                "/",
                &list,
                vec![],
                b"",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let mut headers = headers;
            headers.push(("host", "examplebucket.s3.amazonaws.com".into()));
            headers.push((BODY_HASH, sha256(body)));
            let parts = Parts { method, path, query, headers };
            let headers = sign(parts, &credentials, "us-east-1", now);
            let (_, found) = headers.iter().find(|(name, _)| *name == "authorization").unwrap();
            assert!(found.ends_with(&format!("Signature={expected}")), "{found}");
            assert!(found.contains(&format!("Credential={key}/20130524/us-east-1/s3/")));
        }
    }

    #[test]
    fn a_session_token_is_signed() {
        let credentials = Credentials::new("a test", "AKID", "s").with_token(Some("token".into()));
        let headers = vec![("host", "a".into()), (BODY_HASH, sha256(b""))];
        let parts = Parts { method: "GET", path: "/", query: "", headers };
        let headers = sign(parts, &credentials, "us-east-1", Timestamp::UNIX_EPOCH);
        assert!(headers.contains(&("x-amz-security-token", "token".into())));
        let names = "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,";
        assert!(headers.iter().any(|(_, value)| value.contains(names)));
    }
}
