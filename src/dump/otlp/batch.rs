//! The lines of a signal: each is a complete document with records of one resource.

use serde::Serialize;

use super::wire::Attributes;
use super::{MAX_BYTES, MAX_RECORDS, OtlpLine, Signal, WriteLine};
use crate::dump::printing::write_harmless;
use crate::error::{Error, Result};

/// The document after the records, with the version of the semantic conventions.
const TAIL: &str = concat!(
    "],\"schemaUrl\":\"https://opentelemetry.io/schemas/1.43.0\"}],",
    "\"schemaUrl\":\"https://opentelemetry.io/schemas/1.43.0\"}]}"
);

/// Records that are collected for a line.
pub(super) struct Batch<'b, 'w> {
    signal: Signal,
    /// The document before the records.
    head: Vec<u8>,
    /// The document so far.
    line: Vec<u8>,
    /// The object that is being added.
    object: Vec<u8>,
    records: u64,
    write: &'b mut WriteLine<'w>,
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: &'a Attributes<'a>,
}

impl<'b, 'w> Batch<'b, 'w> {
    pub fn new(
        signal: Signal,
        resource: &Attributes<'_>,
        write: &'b mut WriteLine<'w>,
    ) -> Result<Self> {
        let (resources, scopes, records) = match signal {
            Signal::Traces => ("resourceSpans", "scopeSpans", "spans"),
            Signal::Logs => ("resourceLogs", "scopeLogs", "logRecords"),
            Signal::Metrics => ("resourceMetrics", "scopeMetrics", "metrics"),
        };
        let version = env!("CARGO_PKG_VERSION");
        let mut head = format!("{{\"{resources}\":[{{\"resource\":").into_bytes();
        push(&Resource { attributes: resource }, &mut head)?;
        let scope = format!(
            ",\"{scopes}\":[{{\"scope\":{{\"name\":\"rundown\",\"version\":\"{version}\"}},\
             \"{records}\":["
        );
        head.extend_from_slice(scope.as_bytes());
        Ok(Self { signal, head, line: Vec::new(), object: Vec::new(), records: 0, write })
    }

    /// Adds an object that counts as one record.
    pub fn push(&mut self, record: &impl Serialize) -> Result<()> {
        self.push_many(record, 1)
    }

    /// Adds an object with several records. Writes the line first if the object does not fit.
    pub fn push_many(&mut self, object: &impl Serialize, records: u64) -> Result<()> {
        self.object.clear();
        push(object, &mut self.object)?;
        let bytes = self.line.len() + 1 + self.object.len() + TAIL.len();
        if !self.line.is_empty() && (self.records + records > MAX_RECORDS || bytes > MAX_BYTES) {
            self.flush()?;
        }
        if self.line.is_empty() {
            self.line.extend_from_slice(&self.head);
        } else {
            self.line.push(b',');
        }
        self.line.extend_from_slice(&self.object);
        self.records += records;
        Ok(())
    }

    /// Writes the last line, unless it is empty.
    pub fn finish(mut self) -> Result<()> {
        if self.line.is_empty() { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        self.line.extend_from_slice(TAIL.as_bytes());
        let line = OtlpLine { signal: self.signal, json: &self.line, records: self.records };
        (self.write)(&line)?;
        self.line.clear();
        self.records = 0;
        Ok(())
    }
}

fn push(value: &impl Serialize, line: &mut Vec<u8>) -> Result<()> {
    let json = serde_json::to_string(value).map_err(|error| Error::Internal(error.to_string()))?;
    write_harmless(&json, line).map_err(Error::Output)
}
