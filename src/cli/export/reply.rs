//! The parts of a server's reply: its message, and the records that were rejected. Pure.

use serde::Deserialize;

use crate::display;

/// The records of a request that a server rejected, and its reason or warning.
#[derive(PartialEq, Eq, Default, Debug)]
pub(super) struct Rejected {
    pub records: u64,
    pub message: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Response {
    partial_success: PartialSuccess,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PartialSuccess {
    rejected_spans: Count,
    rejected_log_records: Count,
    rejected_data_points: Count,
    error_message: String,
}

/// A 64-bit integer, which is a text in JSON; some servers write a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Count {
    Text(String),
    Number(u64),
}

impl Default for Count {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Count {
    fn number(&self) -> u64 {
        match self {
            Self::Text(text) => text.parse().unwrap_or_default(),
            Self::Number(number) => *number,
        }
    }
}

impl Rejected {
    /// Parses the body of a successful reply. A body that is not JSON reports nothing: a server may
    /// send an empty one.
    pub fn parse(body: &[u8]) -> Self {
        let found = serde_json::from_slice::<Response>(body).unwrap_or_default().partial_success;
        let counts =
            [&found.rejected_spans, &found.rejected_log_records, &found.rejected_data_points];
        let records = counts.into_iter().map(Count::number).fold(0, u64::saturating_add);
        Self { records, message: display::first_line(&found.error_message) }
    }
}

/// Returns the message of a failure: that of a status in JSON, or the first line of a text.
pub(super) fn failure(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    let status = serde_json::from_slice::<Status>(body).map(|status| status.message);
    display::first_line(&status.unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_records_are_numbers_or_texts() {
        for (body, records, message) in [
            (r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#, 3, "too old"),
            (r#"{"partialSuccess":{"rejectedLogRecords":2}}"#, 2, ""),
            (r#"{"partialSuccess":{"rejectedDataPoints":"x"}}"#, 0, ""),
            (r#"{"partialSuccess":{"errorMessage":"slow\nsecond line"}}"#, 0, "slow …"),
            ("{}", 0, ""),
            ("", 0, ""),
        ] {
            let expected = Rejected { records, message: message.into() };
            assert_eq!(Rejected::parse(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn a_failure_has_the_message_of_its_status_or_text() {
        for (body, message) in [
            (r#"{"code":3,"message":"bad id"}"#, "bad id"),
            ("\n<html>\nno\n", "<html> …"),
            ("", ""),
        ] {
            assert_eq!(failure(body.as_bytes()), message);
        }
    }
}
