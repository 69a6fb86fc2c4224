//! Credentials of a virtual machine, from its instance metadata, version 2.

use super::chain::Context;
use super::{Credentials, Result, fetch, json};
use crate::s3::exchange::Outgoing;
use crate::s3::{Body, Variables};

/// The address of the service.
const ENDPOINT: &str = "http://169.254.169.254";

/// The service in messages.
const SERVICE: &str = "the instance metadata";

/// The path of the list of roles, and of their credentials.
const ROLES: &str = "latest/meta-data/iam/security-credentials/";

/// The path of a token.
const TOKEN: &str = "latest/api/token";

/// Returns true if the user has disabled the service.
pub(super) fn is_disabled(variables: &Variables) -> bool {
    let value = variables.get("AWS_EC2_METADATA_DISABLED");
    value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Returns the credentials of the role of the machine; `None` if it has none, or if this is no such
/// machine, so that there is no answer within a second.
pub(super) fn load(context: &Context) -> Result<Option<Credentials>> {
    if is_disabled(&context.variables) {
        return Ok(None);
    }
    let endpoint = context.variables.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or(ENDPOINT);
    let endpoint = endpoint.trim_end_matches('/');
    let ttl = [("x-aws-ec2-metadata-token-ttl-seconds", "21600".to_owned())];
    let Some(token) = text(context, "PUT", &format!("{endpoint}/{TOKEN}"), &ttl) else {
        return Ok(None);
    };
    let token = [("x-aws-ec2-metadata-token", token)];
    let roles = format!("{endpoint}/{ROLES}");
    let Some(found) = text(context, "GET", &roles, &token) else { return Ok(None) };
    let Some(role) = found.lines().next().map(str::trim).filter(|role| is_role(role)) else {
        return Ok(None);
    };
    let url = format!("{roles}{role}");
    let outgoing = Outgoing { method: "GET", url: &url, headers: &token, body: Body::Bytes(b"") };
    let body = fetch::body(&context.agent, &outgoing, fetch::LOCAL, SERVICE)?;
    json::parse(&body, SERVICE, None).map(Some)
}

/// Returns the text of a successful answer that is not empty.
fn text(
    context: &Context,
    method: &'static str,
    url: &str,
    headers: &[(&'static str, String)],
) -> Option<String> {
    let outgoing = Outgoing { method, url, headers, body: Body::Bytes(b"") };
    let answer = fetch::send(&context.agent, &outgoing, fetch::LOCAL).ok()?;
    let body = String::from_utf8(answer.body).ok()?;
    (answer.status.is_success() && !body.trim().is_empty()).then(|| body.trim().to_owned())
}

/// Returns true for the characters of the name of a role.
fn is_role(name: &str) -> bool {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    !name.is_empty() && name.chars().all(is_valid)
}
