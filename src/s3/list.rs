//! Lists of objects in the order of their keys.

use std::time::Duration;

use jiff::Timestamp;

use super::Bucket;
use super::bucket::Operation;
use super::xml::{self, Entry, List};
use crate::error::Result;

/// The size of an answer that is accepted. A page of 1,000 keys of 1,024 bytes, each byte encoded,
/// has 3 MiB.
const MAX_LIST_BYTES: u64 = 8 << 20;

/// A page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The objects in the order of the server: by the bytes of their keys, as AWS specifies, or by
    /// the parts between slashes, as `SeaweedFS` does (`a/b` before `a-b`).
    pub objects: Vec<Object>,
    /// True if there are objects after the last one. The next page starts after its key.
    pub has_more: bool,
}

/// An entry of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// The key, relative to the prefix of the URL. May contain any character.
    pub key: String,
    /// The size.
    pub bytes: u64,
    /// The time of the last change, if it is valid.
    pub modified: Option<Timestamp>,
    /// The time since then, by the clock of the server; `None` if the server states no time.
    pub age: Option<Duration>,
    /// The version of the content, if the server states it.
    pub etag: Option<String>,
}

impl Bucket {
    /// Lists the objects whose keys begin with `prefix` and are greater than `start_after`. Sends
    /// one request, and returns at most `max` objects; servers limit a page to 1,000.
    ///
    /// # Errors
    /// If the list cannot be read, or if its keys are not in order or outside of the prefix.
    pub fn list(&self, prefix: &str, start_after: Option<&str>, max: usize) -> Result<Listed> {
        let prefix = self.url().full_key(prefix);
        let start_after = start_after.map(|key| self.url().full_key(key));
        let mut query = vec![
            ("list-type", "2".to_owned()),
            ("encoding-type", "url".to_owned()),
            ("max-keys", max.to_string()),
            ("prefix", prefix.clone()),
        ];
        query.extend(start_after.clone().map(|key| ("start-after", key)));
        let list = Operation {
            doing: "list",
            action: "s3:ListBucket",
            query,
            limit_bytes: MAX_LIST_BYTES,
            ..self.operation("")
        };
        let answer = self.repeated(&list)?.answer;
        let shown = Operation { key: prefix.clone(), ..list };
        if !answer.status.is_success() {
            return Err(self.refused(&shown, format!("the server answered {}", answer.status)));
        }
        let found = xml::parse_list(&answer.body).map_err(|why| {
            let help = "is the address that of an S3 server? (--endpoint, AWS_ENDPOINT_URL_S3)";
            self.refused(&shown, format!("{why}\n{help}"))
        })?;
        check_order(&found, &prefix, start_after.as_deref())
            .map_err(|why| self.error(&shown, why))?;
        let (has_more, now) = (found.is_truncated, answer.date());
        let objects = found.entries.into_iter().map(|entry| self.object(entry, now)).collect();
        Ok(Listed { objects, has_more })
    }

    /// Returns an entry of a list that the server sent at the time `now`.
    fn object(&self, entry: Entry, now: Option<Timestamp>) -> Object {
        let modified = entry.modified.trim().parse().ok();
        Object {
            // All keys begin with the prefix.
            key: self.url().relative(&entry.key).unwrap_or(&entry.key).to_owned(),
            bytes: entry.bytes.unwrap_or_default(),
            modified,
            age: age(modified, now),
            etag: Some(entry.etag).filter(|etag| !etag.is_empty()),
        }
    }
}

/// Returns the time from a change to the time of an answer. A change in the future has the age 0.
pub(super) fn age(modified: Option<Timestamp>, now: Option<Timestamp>) -> Option<Duration> {
    Some(Duration::try_from(now?.duration_since(modified?)).unwrap_or_default())
}

/// Checks that all keys are after the last one of the page before, in one of the two orders, so
/// that a reader of all pages comes to an end.
fn check_order(found: &List, prefix: &str, after: Option<&str>) -> std::result::Result<(), String> {
    let keys = || after.into_iter().chain(found.entries.iter().map(|entry| entry.key.as_str()));
    let is_by_parts =
        || keys().map(|key| key.split('/')).is_sorted_by(|a, b| a.clone().lt(b.clone()));
    if !keys().is_sorted_by(|a, b| a < b) && !is_by_parts() {
        return Err("the keys of the list are not in ascending order".into());
    }
    for entry in &found.entries {
        if !entry.key.starts_with(prefix) {
            return Err("the list contains a key outside of the prefix".into());
        }
        if entry.bytes.is_none() {
            return Err("the list contains an object without a size".into());
        }
    }
    if found.is_truncated && found.entries.is_empty() {
        return Err("the list has no end".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: &[&str], is_truncated: bool, start_after: Option<&str>) -> Option<String> {
        let entry =
            |key: &&str| Entry { key: (*key).to_owned(), bytes: Some(1), ..Entry::default() };
        let list = List { entries: keys.iter().map(entry).collect(), is_truncated };
        check_order(&list, "a/", start_after).err()
    }

    #[test]
    fn the_keys_of_a_list_are_checked() {
        assert_eq!(check(&["a/1", "a/2"], true, Some("a/")), None);
        assert_eq!(check(&["a/b", "a/b-c"], false, None), None);
        assert_eq!(check(&["a/b-c/d", "a/b/d"], false, Some("a/a")), None, "by bytes");
        assert_eq!(check(&["a/b/d", "a/b-c/d"], false, Some("a/a")), None, "by parts");
        assert!(check(&["a/b/d", "a/b-c/d", "a/b/e"], false, None).unwrap().contains("order"));
        assert_eq!(check(&[], false, None), None);
        assert!(check(&["a/2", "a/1"], false, None).unwrap().contains("order"));
        assert!(check(&["a/1"], false, Some("a/1")).unwrap().contains("order"));
        assert!(check(&["b/1"], false, None).unwrap().contains("outside"));
        assert!(check(&[], true, None).unwrap().contains("no end"));
    }
}
