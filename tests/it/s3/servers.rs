//! Real servers, which `tests/servers.sh` starts.

use std::env;
use std::io::Write;
use std::time::Duration;

use rundown::s3::{Body, Bucket, Changed, Condition, Put, Range, S3Url, Settings, Variables};
use tempfile::tempfile;

/// Keys with characters that need an encoding, in the order of lists.
const KEYS: [&str; 6] = ["a b/c+d", "a%2Fb", "a/1", "a/2", "b&=?#'\"<>", "\u{e4}\u{1f680}"];

/// Returns the value of a variable that the script sets.
pub(super) fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run tests/servers.sh"))
}

fn open(endpoint: &str, bucket: &str, secret: &str) -> Bucket {
    let keys = [("AWS_ACCESS_KEY_ID", "rundown"), ("AWS_SECRET_ACCESS_KEY", secret)];
    let variables = keys.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings {
        endpoint: Some(endpoint.to_owned()),
        timeout: Duration::from_secs(20),
        variables: variables.into_iter().collect::<Variables>(),
        ..Settings::default()
    };
    Bucket::new(S3Url::parse(&format!("s3://{bucket}/ci")).unwrap().unwrap(), &settings).unwrap()
}

/// Opens the bucket of a server that the script created.
fn bucket_of(server: &str) -> Bucket {
    open(&variable(server), "rundown", "secret-of-rundown")
}

/// Writes, lists, reads and deletes objects.
fn check_objects(bucket: &Bucket) {
    for key in KEYS {
        let put = bucket.put(key, Body::Bytes(key.as_bytes()), Condition::Any).unwrap();
        assert_eq!(put, Put::Written, "{key}");
    }
    let mut found = Vec::new();
    loop {
        let listed = bucket.list("", found.last().map(String::as_str), 4).unwrap();
        assert!(listed.objects.len() <= 4);
        assert!(listed.objects.iter().all(|object| object.modified.is_some()));
        assert!(listed.objects.iter().all(|object| object.bytes == object.key.len() as u64));
        found.extend(listed.objects.into_iter().map(|object| object.key));
        if !listed.has_more {
            break;
        }
    }
    // SeaweedFS has an order of its own.
    found.sort();
    assert_eq!(found, KEYS);
    let listed = bucket.list("a/", None, 1000).unwrap();
    let keys: Vec<&str> = listed.objects.iter().map(|object| &object.key[..]).collect();
    assert_eq!((&keys[..], listed.has_more), (&KEYS[2..4], false));
    for key in KEYS {
        let got = bucket.get(key, &Range::All, 99).unwrap().unwrap();
        assert_eq!(got.bytes, key.as_bytes());
        bucket.delete(key).unwrap();
        assert_eq!(bucket.get(key, &Range::All, 99).unwrap(), None, "{key}");
        bucket.delete(key).unwrap();
    }
    assert_eq!(bucket.list("", None, 9).unwrap().objects, []);
}

/// Writes a file, and reads parts of it.
fn check_ranges(bucket: &Bucket) {
    let (mut file, content) = (tempfile().unwrap(), b"0123456789".repeat(100_000));
    file.write_all(&content).unwrap();
    file.write_all(b"more than the object").unwrap();
    let body = Body::File { file: &file, bytes: content.len() as u64 };
    assert_eq!(bucket.put("large", body, Condition::Any).unwrap(), Put::Written);
    for (range, expected) in [
        (Range::All, &content[..]),
        (Range::Part(999_985..999_995), b"5678901234"),
        (Range::Part(999_995..1_000_009), b"56789"),
        (Range::Part(0..1), b"0"),
        (Range::Suffix(3), b"789"),
        (Range::Suffix(2_000_000), &content[..]),
        (Range::Part(1_000_000..1_000_001), b""),
    ] {
        let got = bucket.get("large", &range, 1_000_000).unwrap().unwrap();
        assert!(got.bytes == expected, "{range:?}: {} bytes", got.bytes.len());
        assert_eq!(got.total_bytes, 1_000_000, "{range:?}");
    }
    bucket.delete("large").unwrap();
}

/// Creates an object under a condition.
fn check_conditions(bucket: &Bucket) {
    assert!(bucket.checks_conditions().unwrap());
    let put = |bytes| bucket.put("once", Body::Bytes(bytes), Condition::IfAbsent).unwrap();
    assert_eq!((put(b"first"), put(b"second")), (Put::Written, Put::Exists));
    let got = bucket.get("once", &Range::All, 99).unwrap().unwrap();
    assert_eq!(got.bytes, b"first");
    let again = |etag: Option<&str>| bucket.get_if_changed("once", etag, 99).unwrap();
    assert_eq!(again(got.etag.as_deref()), Some(Changed::No));
    assert!(matches!(again(None), Some(Changed::To(found)) if found.bytes == b"first"));
    bucket.delete("once").unwrap();
    assert_eq!(bucket.list("", None, 9).unwrap().objects, [], "the probe is deleted");
}

/// Reads from a bucket that does not exist.
fn check_missing_bucket(server: &str) {
    let bucket = open(&variable(server), "missing-bucket", "secret-of-rundown");
    let error = bucket.list("", None, 9).unwrap_err().to_string();
    assert!(error.contains("the bucket `missing-bucket` does not exist"), "{error}");
}

#[test]
#[ignore = "needs the servers of tests/servers.sh"]
fn s3_servers_seaweedfs() {
    let bucket = bucket_of("RUNDOWN_TEST_SEAWEEDFS");
    check_objects(&bucket);
    check_ranges(&bucket);
    check_conditions(&bucket);
    check_missing_bucket("RUNDOWN_TEST_SEAWEEDFS");
    // The server checks signatures.
    let bucket = open(&variable("RUNDOWN_TEST_SEAWEEDFS"), "rundown", "wrong");
    let error = bucket.get("a", &Range::All, 9).unwrap_err().to_string();
    assert!(error.contains("the secret key of the credentials from the environment is wrong"));
}

#[test]
#[ignore = "needs the servers of tests/servers.sh"]
fn s3_servers_moto() {
    let bucket = bucket_of("RUNDOWN_TEST_MOTO");
    check_objects(&bucket);
    check_ranges(&bucket);
    check_conditions(&bucket);
    check_missing_bucket("RUNDOWN_TEST_MOTO");
}

#[test]
#[ignore = "needs the servers of tests/servers.sh"]
fn s3_servers_rclone_ignores_conditions() {
    let bucket = bucket_of("RUNDOWN_TEST_RCLONE");
    assert!(!bucket.checks_conditions().unwrap());
    check_objects(&bucket);
    check_ranges(&bucket);
}
