//! The client of S3, against a server on this machine with scripted answers, and against real
//! servers.

mod credentials;
mod faults;
mod servers;
mod stores;

use std::time::Duration;

use rundown::s3::{Bucket, S3Url, Settings, Variables};

use crate::support::server::{Request, Server};

/// An answer without a body.
const OK: &str = "200 OK\r\n\r\n";

/// The answer to a conditional write of an object that exists.
const EXISTS: &str =
    "412 Precondition Failed\r\n\r\n<Error><Code>PreconditionFailed</Code></Error>";

/// The secrets of the tests, which no message may contain.
const SECRETS: [&str; 4] = ["KEYID", "SECRETKEY", "SECRETTOKEN", "AUTHTOKEN"];

/// Variables with static credentials.
const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "KEYID"),
    ("AWS_SECRET_ACCESS_KEY", "SECRETKEY"),
    ("AWS_SESSION_TOKEN", "SECRETTOKEN"),
];

/// Opens `s3://runs/ci` at a server, with variables.
fn bucket_with(endpoint: &str, variables: &[(&str, &str)], timeout: Duration) -> Bucket {
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let settings = Settings {
        endpoint: Some(endpoint.to_owned()),
        timeout,
        variables: variables.collect::<Variables>(),
        ..Settings::default()
    };
    Bucket::new(S3Url::parse("s3://runs/ci").unwrap().unwrap(), &settings).unwrap()
}

fn bucket(server: &Server) -> Bucket {
    bucket_with(&server.address, &KEYS, Duration::from_secs(20))
}

/// Returns the message of a failed call, which contains no secret.
#[track_caller]
fn message<T: std::fmt::Debug>(result: rundown::error::Result<T>) -> String {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.exit_code(), 6);
    let debug = format!("{error:?}");
    for secret in SECRETS {
        assert!(!text.contains(secret) && !debug.contains(secret), "{debug}");
    }
    text
}

/// Returns the methods and paths of requests.
fn lines(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}
