//! Credentials of a role, for a token that another service has signed: for example the token of a
//! CI job, or of a pod in Kubernetes.

use std::io::Read;
use std::path::Path;

use ureq::http::Uri;

use super::chain::Context;
use super::{Credentials, Result, fetch};
use crate::file;
use crate::s3::Body;
use crate::s3::exchange::Outgoing;
use crate::s3::place::{domain, encoded};
use crate::s3::xml;
use crate::sanitize;

/// The size of a token that is accepted.
const MAX_TOKEN_BYTES: u64 = 64 << 10;

const SERVICE: &str = "the token service (STS)";

/// Returns the credentials for the token that variables name; `None` if they name none.
pub(super) fn load(context: &Context) -> Result<Option<Credentials>> {
    let variables = &context.variables;
    let Some(file) = variables.get("AWS_WEB_IDENTITY_TOKEN_FILE") else { return Ok(None) };
    let help = "AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN";
    let role = variables.get("AWS_ROLE_ARN").ok_or(help)?;
    let session = variables.get("AWS_ROLE_SESSION_NAME");
    assume(context, "the web identity", role, Path::new(file), session).map(Some)
}

/// Exchanges a token for the credentials of a role. The token is read each time, because it is
/// replaced before it expires.
pub(super) fn assume(
    context: &Context,
    source: &str,
    role: &str,
    file: &Path,
    session: Option<&str>,
) -> Result<Credentials> {
    let token = file::open_regular(file).and_then(|file| {
        let mut token = String::new();
        file.take(MAX_TOKEN_BYTES).read_to_string(&mut token)?;
        Ok(token)
    });
    let token = token.map_err(|error| {
        format!("cannot read the web identity token {}: {error}", file.display())
    })?;
    let form = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("RoleSessionName", session.unwrap_or("rundown")),
        ("WebIdentityToken", token.trim()),
    ];
    let form: Vec<String> =
        form.iter().map(|(name, value)| format!("{name}={}", encoded(value, false))).collect();
    let (form, url) = (form.join("&"), url(context)?);
    let outgoing = Outgoing {
        method: "POST",
        url: &url,
        headers: &[("content-type", "application/x-www-form-urlencoded".to_owned())],
        body: Body::Bytes(form.as_bytes()),
    };
    let answer = fetch::send(&context.agent, &outgoing, fetch::REMOTE)
        .map_err(|failure| format!("{SERVICE} gave no credentials: {}", failure.why))?;
    let fields = xml::parse_fields(&answer.body);
    let field = |name| fields.get(name).map(String::as_str);
    if !answer.status.is_success() {
        // The message may quote the token.
        let code = sanitize::name(field("Code").unwrap_or_default());
        return Err(format!("{SERVICE} refused the token: {} {code}", answer.status));
    }
    let (Some(id), Some(secret)) = (field("AccessKeyId"), field("SecretAccessKey")) else {
        return Err(format!("the answer of {SERVICE} contains no credentials"));
    };
    let end = field("Expiration").and_then(|text| text.parse().ok());
    let token = field("SessionToken").map(str::to_owned);
    Ok(Credentials::new(source, id, secret).with_token(token).with_end(end))
}

/// Returns the address of the service in the region.
fn url(context: &Context) -> Result<String> {
    let region = &context.region;
    let named = context.variables.get("AWS_ENDPOINT_URL_STS");
    let url = named.map(str::to_owned);
    let url = url.unwrap_or_else(|| format!("https://sts.{region}.{}", domain(region)));
    url.parse::<Uri>().map_err(|_| "AWS_ENDPOINT_URL_STS is not a valid address")?;
    Ok(format!("{}/", url.trim_end_matches('/')))
}
