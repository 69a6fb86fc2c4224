//! Reads of objects, as a whole or in part.

use std::time::Duration;

use ureq::http::StatusCode;

use super::Bucket;
use super::bucket::Operation;
use super::exchange::Answer;
use super::list::age;
use crate::error::{Error, Result};
use crate::http;

/// The part of an object to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Range {
    /// The whole object.
    All,
    /// The bytes in a range, or fewer if the object ends before. The range must not be empty.
    Part(std::ops::Range<u64>),
    /// This many bytes at the end, at least 1, or the whole object if it is smaller.
    Suffix(u64),
}

/// The bytes of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Got {
    /// The requested bytes. Empty if the range begins behind the end of the object.
    pub bytes: Vec<u8>,
    /// The size of the whole object.
    pub total_bytes: u64,
    /// The version of the content, as the server wrote it.
    pub etag: Option<String>,
    /// The time since the last change of the object, by the clock of the server; `None` if the
    /// server states no time.
    pub age: Option<Duration>,
}

/// An object that was read before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Changed {
    /// It has the same version.
    No,
    /// It has another version.
    To(Got),
}

impl Bucket {
    /// Reads an object, or a part of it. Returns `None` if the object does not exist.
    ///
    /// # Errors
    /// If the part is larger than `limit_bytes`, or if the server does not return exactly this part
    /// of the object.
    pub fn get(&self, key: &str, range: &Range, limit_bytes: u64) -> Result<Option<Got>> {
        let headers = range.header().map(|value| ("range", value)).into_iter().collect();
        let get = Operation { headers, limit_bytes, ..self.operation(key) };
        if *range == Range::Suffix(0) || matches!(range, Range::Part(part) if part.is_empty()) {
            return Err(Error::Internal("the range of a read is empty".into()));
        }
        let answer = self.perform(&get)?.answer;
        let got = match answer.status {
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::RANGE_NOT_SATISFIABLE if *range != Range::All => {
                let total_bytes = stated_size(&answer).map_or_else(|| self.size(key), Ok)?;
                if total_bytes > 0 && matches!(range, Range::Suffix(_)) {
                    // `rclone serve s3` refuses a suffix that is longer than the object.
                    return self.get(key, &Range::All, limit_bytes);
                }
                Ok(Got { bytes: Vec::new(), total_bytes, etag: None, age: None })
            }
            // `rclone serve s3` returns parts with the status 200.
            StatusCode::OK if answer.header("content-range").is_none() => Ok(whole(answer, range)),
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => part(answer, range),
            status => Err(format!("the server answered {status}")),
        };
        got.map(Some).map_err(|why| self.error(&get, why))
    }

    /// Reads an object, unless it has the version `etag`. Returns `None` if it does not exist.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn get_if_changed(
        &self,
        key: &str,
        etag: Option<&str>,
        limit_bytes: u64,
    ) -> Result<Option<Changed>> {
        let headers = etag.map(|etag| ("if-none-match", etag.to_owned())).into_iter().collect();
        let get = Operation { headers, limit_bytes, ..self.operation(key) };
        let answer = self.perform(&get)?.answer;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::NOT_MODIFIED => Ok(Some(Changed::No)),
            StatusCode::OK => Ok(Some(Changed::To(whole(answer, &Range::All)))),
            status => Err(self.error(&get, format!("the server answered {status}"))),
        }
    }

    /// Requests the size of an object.
    fn size(&self, key: &str) -> Result<u64> {
        let head = Operation { method: "HEAD", ..self.operation(key) };
        let answer = self.perform(&head)?.answer;
        let size = answer.header("content-length").and_then(|size| size.parse().ok());
        size.filter(|_| answer.status.is_success())
            .ok_or_else(|| self.error(&head, "the server does not state the size".into()))
    }
}

impl Range {
    fn header(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Part(part) => {
                Some(format!("bytes={}-{}", part.start, part.end.saturating_sub(1)))
            }
            Self::Suffix(bytes) => Some(format!("bytes=-{bytes}")),
        }
    }

    /// Returns the range in an object of a size.
    fn within(&self, total_bytes: u64) -> std::ops::Range<u64> {
        match self {
            Self::All => 0..total_bytes,
            Self::Part(part) => part.start.min(total_bytes)..part.end.min(total_bytes),
            Self::Suffix(bytes) => total_bytes.saturating_sub(*bytes)..total_bytes,
        }
    }
}

/// Checks an answer with a part of an object.
fn part(answer: Answer, range: &Range) -> std::result::Result<Got, String> {
    let stated = answer.header("content-range").and_then(content_range);
    let Some((first, end, total_bytes)) = stated else {
        return Err("the answer does not state its range".into());
    };
    if range.within(total_bytes) != (first..end) || end - first != answer.body.len() as u64 {
        return Err("the server returned another range than the requested one".into());
    }
    let (etag, age) = (etag(&answer), age_of(&answer));
    Ok(Got { total_bytes, etag, age, bytes: answer.body })
}

/// Takes the requested part of a whole object, which a server without ranges returns.
fn whole(answer: Answer, range: &Range) -> Got {
    let total_bytes = answer.body.len() as u64;
    let (etag, age) = (etag(&answer), age_of(&answer));
    if *range == Range::All {
        return Got { bytes: answer.body, total_bytes, etag, age };
    }
    let part = range.within(total_bytes);
    // Both ends are at most the length of the body.
    let place = |at| usize::try_from(at).unwrap_or(usize::MAX);
    let bytes = answer.body.get(place(part.start)..place(part.end)).unwrap_or_default();
    Got { bytes: bytes.to_vec(), total_bytes, etag, age }
}

/// Returns the size of the object in the answer to a range behind its end. AWS states it in the
/// XML.
fn stated_size(answer: &Answer) -> Option<u64> {
    let total = answer.header("content-range").and_then(|value| value.strip_prefix("bytes */"));
    let fields = super::xml::parse_fields(&answer.body);
    let total = total.or_else(|| fields.get("ActualObjectSize").map(String::as_str));
    total.and_then(|total| total.trim().parse().ok())
}

/// Parses `bytes FIRST-LAST/TOTAL`. Returns the first byte, the end and the total.
fn content_range(value: &str) -> Option<(u64, u64, u64)> {
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total) =
        (first.parse().ok()?, last.parse::<u64>().ok()?, total.parse().ok()?);
    let end = last.checked_add(1)?;
    (first < end && end <= total).then_some((first, end, total))
}

/// Returns the time between the last change of the object and the answer.
fn age_of(answer: &Answer) -> Option<Duration> {
    age(answer.header("last-modified").and_then(http::date), answer.date())
}

fn etag(answer: &Answer) -> Option<String> {
    answer.header("etag").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_within_the_object() {
        assert_eq!(Range::All.within(5), 0..5);
        assert_eq!(Range::Part(2..9).within(5), 2..5);
        assert_eq!(Range::Part(7..9).within(5), 5..5);
        assert_eq!(Range::Suffix(9).within(5), 0..5);
        assert_eq!(Range::Suffix(2).within(5), 3..5);
        assert_eq!(Range::Part(2..9).header().as_deref(), Some("bytes=2-8"));
    }

    #[test]
    fn the_stated_range_is_checked() {
        assert_eq!(content_range("bytes 2-4/10"), Some((2, 5, 10)));
        for value in [
            "bytes 2-4/*",
            "bytes 4-2/10",
            "bytes 2-10/10",
            "bytes 0-18446744073709551615/18446744073709551615",
            "2-4/10",
            "",
        ] {
            assert_eq!(content_range(value), None, "{value}");
        }
    }
}
