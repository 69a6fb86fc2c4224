//! The objects of OTLP/JSON, as far as rundown writes them. 64-bit integers are decimal strings,
//! enums are integers, and ids are hexadecimal.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding> and the messages of
//! <https://github.com/open-telemetry/opentelemetry-proto>.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::time::Time;

/// The maximum length of a text in an attribute, in bytes. Longer texts are cut.
const MAX_TEXT_BYTES: usize = 16 << 10;

/// A 64-bit integer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Int64<N>(pub N);

impl<N: ToString> Serialize for Int64<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_string())
    }
}

/// Nanoseconds since 1970.
pub(super) type Nanos = Int64<u64>;

/// Converts a time; `None` if it is before 1970 or after 2554.
pub(super) fn nanos(at: Time) -> Option<Nanos> {
    u64::try_from(at.as_nanos()).ok().map(Int64)
}

/// Cuts a text that is too long for an attribute.
pub(super) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default()
}

/// The value of an attribute.
#[derive(Clone, Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) enum Value<'a> {
    #[serde(rename = "stringValue")]
    Text(Cow<'a, str>),
    #[serde(rename = "intValue")]
    Int(Int64<i64>),
    #[serde(rename = "boolValue")]
    Bool(bool),
}

#[derive(Clone, Serialize, Debug)]
struct Attribute<'a> {
    key: &'static str,
    value: Value<'a>,
}

/// A list of attributes. Unknown values are left out.
#[derive(Clone, Default, Serialize, Debug)]
#[serde(transparent)]
pub(super) struct Attributes<'a>(Vec<Attribute<'a>>);

impl<'a> Attributes<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Removes the attributes after the first `len` ones.
    pub fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// Adds a text, unless it is unknown or empty.
    pub fn text<T: Into<Cow<'a, str>>>(&mut self, key: &'static str, text: Option<T>) {
        let text = text.map(Into::into).filter(|text| !text.is_empty());
        let text = text.map(|text| match text {
            Cow::Borrowed(text) => Cow::Borrowed(cut(text)),
            Cow::Owned(text) => Cow::Owned(cut(&text).to_owned()),
        });
        self.add(key, text.map(Value::Text));
    }

    /// Adds a number, unless it is unknown.
    pub fn int(&mut self, key: &'static str, number: Option<i64>) {
        self.add(key, number.map(|number| Value::Int(Int64(number))));
    }

    /// Adds `true` if a fact holds.
    pub fn flag(&mut self, key: &'static str, holds: bool) {
        self.add(key, holds.then_some(Value::Bool(true)));
    }

    fn add(&mut self, key: &'static str, value: Option<Value<'a>>) {
        self.0.extend(value.map(|value| Attribute { key, value }));
    }
}

/// The kind of a span of a run.
pub(super) const SERVER: u8 = 2;

/// The kind of a span within a run.
pub(super) const INTERNAL: u8 = 1;

#[expect(clippy::struct_field_names, reason = "the keys of the format")]
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span<'a> {
    pub trace_id: &'a str,
    pub span_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<&'a str>,
    pub name: &'a str,
    pub kind: u8,
    pub start_time_unix_nano: Nanos,
    pub end_time_unix_nano: Nanos,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Link<'a> {
    pub trace_id: &'a str,
    pub span_id: String,
}

#[derive(Serialize, Debug)]
pub(super) struct Status {
    code: u8,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
}

impl Status {
    /// Creates the status of a failure.
    pub fn error(message: Option<&str>) -> Self {
        Self { code: 2, message: message.map(cut).unwrap_or_default().to_owned() }
    }
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_unix_nano: Option<Nanos>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_time_unix_nano: Option<Nanos>,
    pub body: Body<'a>,
    pub attributes: &'a Attributes<'a>,
    pub trace_id: &'a str,
    pub span_id: &'a str,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    pub string_value: &'a str,
}

/// The value of `aggregationTemporality` for points that each cover a time of their own.
pub(super) const DELTA: u8 = 1;

#[derive(Serialize, Debug)]
pub(super) struct Metric<'a> {
    pub name: &'static str,
    pub description: &'static str,
    pub unit: &'static str,
    #[serde(flatten)]
    pub points: Points<'a>,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) enum Points<'a> {
    #[serde(rename_all = "camelCase")]
    Histogram { aggregation_temporality: u8, data_points: Vec<HistogramPoint<'a>> },
    #[serde(rename_all = "camelCase")]
    Sum { aggregation_temporality: u8, is_monotonic: bool, data_points: Vec<NumberPoint<'a>> },
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistogramPoint<'a> {
    pub attributes: Attributes<'a>,
    pub start_time_unix_nano: Nanos,
    pub time_unix_nano: Nanos,
    pub count: Int64<u64>,
    pub sum: f64,
    pub bucket_counts: Vec<Int64<u64>>,
    pub explicit_bounds: &'static [f64],
    pub min: f64,
    pub max: f64,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct NumberPoint<'a> {
    pub attributes: Attributes<'a>,
    pub start_time_unix_nano: Nanos,
    pub time_unix_nano: Nanos,
    pub as_int: Int64<i64>,
}
