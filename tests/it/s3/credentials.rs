//! The sources of credentials.

use std::fs;
use std::time::Duration;

use rundown::s3::{Bucket, Range, Settings};
use tempfile::TempDir;

use super::{KEYS, OK, bucket_with, lines, message};
use crate::support::script;
use crate::support::server::Server;

const TIMEOUT: Duration = Duration::from_secs(20);

/// Credentials in JSON with a key.
fn json(key: &str) -> String {
    format!(
        r#"{{"Version":1,"Code":"Success","AccessKeyId":"{key}","SecretAccessKey":"SECRETKEY",
        "Token":"SECRETTOKEN","Expiration":"2099-01-02T03:04:05Z"}}"#
    )
}

/// Reads an object, and returns the key that signed the last request.
fn key_of(bucket: &Bucket, server: Server) -> String {
    bucket.get("a", &Range::All, 99).unwrap();
    let requests = server.requests();
    let header = requests.last().unwrap().header("authorization").unwrap();
    header.split(['=', '/']).nth(1).unwrap().to_owned()
}

#[test]
fn the_environment_comes_before_a_profile() {
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    let config = "[default]\nregion = eu-north-1\naws_access_key_id = FROMCONFIG\n\
                  aws_secret_access_key = SECRETKEY\n[profile ci]\nregion = eu-west-3\n";
    fs::write(home.path().join(".aws/config"), config).unwrap();
    let credentials = "[ci]\naws_access_key_id = FROMFILE\naws_secret_access_key = SECRETKEY\n";
    fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
    let home = ("HOME", home.path().to_str().unwrap());
    for (variables, key, region) in [
        (&[KEYS[0], KEYS[1], home][..], "KEYID", "eu-north-1"),
        (&[home], "FROMCONFIG", "eu-north-1"),
        (&[home, ("AWS_PROFILE", "ci")], "FROMFILE", "eu-west-3"),
        (&[home, ("AWS_PROFILE", "ci"), ("AWS_REGION", "eu-west-2")], "FROMFILE", "eu-west-2"),
    ] {
        let server = Server::start(&[OK]);
        let bucket = bucket_with(&server.address, variables, TIMEOUT);
        bucket.get("a", &Range::All, 99).unwrap();
        let requests = server.requests();
        let header = requests[0].header("authorization").unwrap();
        assert!(header.contains(&format!("Credential={key}/")), "{header}");
        assert!(header.contains(&format!("/{region}/s3/")), "{header}");
    }
    let settings = Settings {
        variables: [("AWS_PROFILE".to_owned(), "none".to_owned())].into_iter().collect(),
        ..Settings::default()
    };
    let url = rundown::s3::S3Url::parse("s3://runs").unwrap().unwrap();
    let error = Bucket::new(url, &settings).map(drop);
    assert!(message(error).contains("there is no profile `none`"));
}

#[test]
fn expired_credentials_of_a_program_are_renewed_once() {
    let dir = TempDir::new().unwrap();
    // Each call prints another key.
    let text = format!(
        "cd '{}'; echo x >> calls; n=$(wc -l < calls | tr -d ' ')\nprintf '%s' '{}' | sed \
         \"s/KEYN/KEY$n/\"",
        dir.path().display(),
        json("KEYN")
    );
    let program = script(dir.path(), "program", &text);
    let config = dir.path().join("config");
    fs::write(&config, format!("[default]\ncredential_process = '{program}' 'two words'\n"))
        .unwrap();
    let expired = "400 Bad Request\r\n\r\n<Error><Code>ExpiredToken</Code></Error>";
    let server = Server::start(&[expired, OK, expired, expired]);
    let variables = [("AWS_CONFIG_FILE", config.to_str().unwrap())];
    let bucket = bucket_with(&server.address, &variables, TIMEOUT);
    bucket.get("a", &Range::All, 99).unwrap();
    let error = message(bucket.get("a", &Range::All, 99));
    assert!(
        error.contains("from the credential_process of the profile `default` have expired"),
        "{error}"
    );
    let requests = server.requests();
    let keys = requests.iter().map(|request| request.header("authorization").unwrap());
    let keys: Vec<&str> = keys.map(|header| header.split(['=', '/']).nth(1).unwrap()).collect();
    assert_eq!(keys, ["KEY1", "KEY2", "KEY2", "KEY3"]);
}

#[test]
fn expired_credentials_without_others_are_not_repeated() {
    let server = Server::start(&["400 Bad\r\n\r\n<Error><Code>ExpiredToken</Code></Error>"]);
    let bucket = bucket_with(&server.address, &KEYS, TIMEOUT);
    let error = message(bucket.get("a", &Range::All, 99));
    assert!(error.contains("the credentials from the environment have expired"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_web_identity_is_exchanged_for_credentials() {
    let dir = TempDir::new().unwrap();
    let token = dir.path().join("token");
    fs::write(&token, "SECRET+TOKEN\n").unwrap();
    let answer = "200 OK\r\n\r\n<AssumeRoleWithWebIdentityResponse><Result><Credentials>\
                  <AccessKeyId>STSKEY</AccessKeyId><SecretAccessKey>SECRETKEY</SecretAccessKey>\
                  <SessionToken>SECRETTOKEN</SessionToken><Expiration>2099-01-02T03:04:05Z\
                  </Expiration></Credentials></Result></AssumeRoleWithWebIdentityResponse>";
    let sts = Server::start(&[answer]);
    let server = Server::start(&[OK]);
    let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap());
    let role = ("AWS_ROLE_ARN", "arn:aws:iam::1:role/ci");
    let variables = [token, role, ("AWS_ENDPOINT_URL_STS", &sts.address[..])];
    let bucket = bucket_with(&server.address, &variables, TIMEOUT);
    assert_eq!(key_of(&bucket, server), "STSKEY");
    let requests = sts.requests();
    assert_eq!(
        String::from_utf8_lossy(&requests[0].body),
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole\
         %2Fci&RoleSessionName=rundown&WebIdentityToken=SECRET%2BTOKEN"
    );
    let refusal = "403 Forbidden\r\n\r\n<ErrorResponse><Error><Code>InvalidIdentityToken</Code>\
                   <Message>SECRETTOKEN</Message></Error></ErrorResponse>";
    let sts = Server::start(&[refusal]);
    let variables = [token, role, ("AWS_ENDPOINT_URL_STS", &sts.address[..])];
    let error = message(bucket_with("http://127.0.0.1:1", &variables, TIMEOUT).delete("a"));
    assert!(error.contains("refused the token: 403 Forbidden InvalidIdentityToken"), "{error}");
}

#[test]
fn a_container_has_a_service_with_a_token() {
    let service =
        Server::start(&["503 Busy\r\n\r\n", &format!("200 OK\r\n\r\n{}", json("ECSKEY"))]);
    let server = Server::start(&[OK]);
    let url = format!("{}/credentials", service.address);
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url[..]),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AUTHTOKEN"),
    ];
    let bucket = bucket_with(&server.address, &variables, TIMEOUT);
    assert_eq!(key_of(&bucket, server), "ECSKEY");
    let requests = service.requests();
    assert_eq!(lines(&requests), ["GET /credentials", "GET /credentials"]);
    assert_eq!(requests[1].header("authorization"), Some("AUTHTOKEN"));
    let variables = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/"), variables[1]];
    let error = message(bucket_with("http://127.0.0.1:1", &variables, TIMEOUT).delete("a"));
    assert!(error.contains("of the container is not allowed"), "{error}");
}

#[test]
fn an_instance_has_metadata_with_a_session() {
    let answers = [
        "200 OK\r\n\r\nAUTHTOKEN",
        "200 OK\r\n\r\nci-role\n",
        &format!("200 OK\r\n\r\n{}", json("IMDSKEY")),
    ];
    let metadata = Server::start(&answers);
    let server = Server::start(&[OK]);
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.address[..])];
    let bucket = bucket_with(&server.address, &variables, TIMEOUT);
    assert_eq!(key_of(&bucket, server), "IMDSKEY");
    let requests = metadata.requests();
    assert_eq!(
        lines(&requests),
        [
            "PUT /latest/api/token",
            "GET /latest/meta-data/iam/security-credentials/",
            "GET /latest/meta-data/iam/security-credentials/ci-role",
        ]
    );
    assert_eq!(requests[0].header("x-aws-ec2-metadata-token-ttl-seconds"), Some("21600"));
    assert_eq!(requests[2].header("x-aws-ec2-metadata-token"), Some("AUTHTOKEN"));
}

#[test]
fn without_credentials_all_sources_are_named() {
    let variables = [("AWS_EC2_METADATA_DISABLED", "true")];
    let error = message(bucket_with("http://127.0.0.1:1", &variables, TIMEOUT).delete("a"));
    assert_eq!(
        error,
        "cannot delete s3://runs/ci/a: no credentials were found in the environment, the profile \
         `default`, a web identity, a container or the instance metadata (disabled)\n\
         set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    );
}
