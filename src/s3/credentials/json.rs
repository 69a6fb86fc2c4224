//! Credentials in JSON, as programs, containers and instances return them. Pure.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Credentials, Result};

/// The document. It has no `Debug`, because its output would contain secrets.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    version: Option<u32>,
    code: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    /// The name of containers and instances.
    token: Option<String>,
    /// The name of programs.
    session_token: Option<String>,
    expiration: Option<String>,
}

/// Parses a document. `version` is the one that it must have.
///
/// # Errors
/// Returns the defect, without any part of the document.
pub(super) fn parse(json: &[u8], source: &str, version: Option<u32>) -> Result<Credentials> {
    // The error of the parser may quote the document.
    let document: Document = serde_json::from_slice(json)
        .map_err(|_| format!("the output of {source} is not JSON with credentials"))?;
    if version.is_some() && document.version != version {
        return Err(format!("the output of {source} does not have the version 1"));
    }
    if document.code.is_some_and(|code| code != "Success") {
        return Err(format!("{source} reports a failure instead of credentials"));
    }
    let (Some(id), Some(secret)) = (document.access_key_id, document.secret_access_key) else {
        return Err(format!("the output of {source} has no AccessKeyId or no SecretAccessKey"));
    };
    let end = document.expiration.map(|text| text.parse::<Timestamp>()).transpose();
    let end = end.map_err(|_| format!("the Expiration in the output of {source} is not a time"))?;
    let token = document.session_token.or(document.token);
    Ok(Credentials::new(source, &id, &secret).with_token(token).with_end(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_parsed_and_errors_do_not_contain_them() {
        let end = "2026-01-02T03:04:05Z";
        let json = format!(
            r#"{{"Version":1,"AccessKeyId":"k","SecretAccessKey":"s","SessionToken":"t",
            "Expiration":"{end}"}}"#
        );
        let expected = Credentials::new("p", "k", "s").with_token(Some("t".into()));
        let expected = expected.with_end(Some(end.parse().unwrap()));
        assert_eq!(parse(json.as_bytes(), "p", Some(1)), Ok(expected));
        for (json, why) in [
            ("secret", "is not JSON"),
            (r#"{"AccessKeyId":"secret"}"#, "version 1"),
            (r#"{"Version":2,"AccessKeyId":"secret","SecretAccessKey":"s"}"#, "version 1"),
            (r#"{"Version":1,"AccessKeyId":"secret"}"#, "no SecretAccessKey"),
            (r#"{"Version":1,"Code":"secret"}"#, "reports a failure"),
            (
                r#"{"Version":1,"AccessKeyId":"k","SecretAccessKey":"s","Expiration":"secret"}"#,
                "is not a time",
            ),
        ] {
            let error = parse(json.as_bytes(), "p", Some(1)).unwrap_err();
            assert!(error.contains(why) && !error.contains("secret"), "{error}");
        }
    }
}
