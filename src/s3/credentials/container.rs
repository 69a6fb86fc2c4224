//! Credentials of a container, from a service of its host (ECS, EKS and others).

use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use ureq::http::Uri;

use super::chain::Context;
use super::{Credentials, Result, fetch, json};
use crate::file;
use crate::s3::exchange::Outgoing;
use crate::s3::{Body, Variables};

/// The address of the service of ECS.
const ECS: &str = "http://169.254.170.2";

/// The hosts of ECS and EKS, which are reached without TLS.
const HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

/// The size of a token that is accepted.
const MAX_TOKEN_BYTES: u64 = 64 << 10;

/// Returns the credentials of the container; `None` if no variable names a service.
pub(super) fn load(context: &Context) -> Result<Option<Credentials>> {
    let variables = &context.variables;
    let url = match variables.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        Some(path) => format!("{ECS}{path}"),
        None => match variables.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            Some(url) => url.to_owned(),
            None => return Ok(None),
        },
    };
    if !is_allowed(&url) {
        return Err("the address of the credentials of the container is not allowed\n\
                    use https://, or a loopback, ECS or EKS address in \
                    AWS_CONTAINER_CREDENTIALS_FULL_URI"
            .into());
    }
    let token = token(variables)?.map(|token| ("authorization", token));
    let headers: Vec<(&str, String)> = token.into_iter().collect();
    let outgoing = Outgoing { method: "GET", url: &url, headers: &headers, body: Body::Bytes(b"") };
    let service = "the credential service of the container";
    let body = fetch::body(&context.agent, &outgoing, fetch::LOCAL, service)?;
    json::parse(&body, service, None).map(Some)
}

/// Returns true if an address may get the token: it is encrypted, or does not leave the host.
fn is_allowed(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => {
            host == "localhost"
                || HOSTS.contains(&host)
                || address.is_ok_and(|address| address.is_loopback())
        }
        _ => false,
    }
}

/// Returns the token for the service. A file is read each time, because the token is replaced.
fn token(variables: &Variables) -> Result<Option<String>> {
    let token = match variables.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(path) => {
            let mut token = String::new();
            file::open_regular(Path::new(path))
                .and_then(|file| file.take(MAX_TOKEN_BYTES).read_to_string(&mut token))
                .map_err(|error| {
                    format!("cannot read the token of the container {path}: {error}")
                })?;
            Some(token.trim_end().to_owned())
        }
        None => variables.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(str::to_owned),
    };
    match token {
        Some(token) if token.contains(['\r', '\n']) => {
            Err("the token of the container contains a line break".into())
        }
        token => Ok(token),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_addresses_get_the_token() {
        for url in [
            "https://example.com/x",
            "http://127.0.0.1:80/x",
            "http://localhost/x",
            "http://[::1]:1/x",
            "http://169.254.170.2/x",
            "http://169.254.170.23/x",
            "http://[fd00:ec2::23]/x",
        ] {
            assert!(is_allowed(url), "{url}");
        }
        for url in [
            "http://example.com/x",
            "http://169.254.170.2.example.com/x",
            "http://169.254.170.2@example.com/x",
            "http://127.0.0.1.example.com",
            "ftp://localhost",
            "/x",
            "",
        ] {
            assert!(!is_allowed(url), "{url}");
        }
    }
}
