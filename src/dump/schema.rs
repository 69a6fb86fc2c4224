//! `rundown schema`: the JSON Schemas (draft 2020-12) of the JSON formats.
//!
//! A schema is derived from the types that are serialized, when it is requested. It accepts unknown
//! keys, because later versions of a format may have more of them.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

use super::documents::{RunDocument, RunsDocument};
use super::findings::FindingsDocument;
use super::jsonl::RowJson;
use super::records::LineJson;
use super::removals::RemovalsDocument;

/// A JSON format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Document {
    /// The document of `rundown --format json`.
    Run,
    /// The document of `rundown list --format json`.
    List,
    /// The document of `rundown doctor --format json`.
    Doctor,
    /// The document of `rundown prune --format json`.
    Prune,
    /// One line of `rundown --format jsonl`.
    Jsonl,
    /// One line of `rundown --format records`.
    Records,
}

impl Document {
    /// Returns the schema as indented JSON, which is the same every time.
    #[must_use]
    pub fn schema(self) -> String {
        let schema = match self {
            Self::Run => schema_of::<RunDocument<'_>>("run"),
            Self::List => schema_of::<RunsDocument<'_>>("list"),
            Self::Doctor => schema_of::<FindingsDocument<'_>>("doctor"),
            Self::Prune => schema_of::<RemovalsDocument<'_>>("prune"),
            Self::Jsonl => schema_of::<RowJson<'_>>("jsonl"),
            Self::Records => schema_of::<LineJson<'_>>("records"),
        };
        format!("{schema:#}\n")
    }
}

/// The end of each schema's description.
const COMPATIBILITY: &str =
    "Later versions may have more keys and more words: ignore unknown ones.";

/// Returns the schema of a type, with its identity and its description at the start.
fn schema_of<T: JsonSchema>(name: &str) -> Value {
    let settings = SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(RecursiveTransform(remove_integer_format))
        .with_transform(RecursiveTransform(unwrap_description));
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    let mut ordered = Map::new();
    ordered.extend(schema.remove("$schema").map(|draft| ("$schema".to_owned(), draft)));
    ordered.insert("$id".to_owned(), format!("urn:rundown:schema:{name}/1").into());
    ordered.insert("title".to_owned(), format!("rundown {name}").into());
    schema.remove("title");
    let description = schema.remove("description");
    let description = description.as_ref().and_then(Value::as_str).unwrap_or_default();
    ordered.insert("description".to_owned(), format!("{description} {COMPATIBILITY}").into());
    ordered.extend(schema.ensure_object().clone());
    ordered.into()
}

/// Removes the name of a Rust type, such as `uint64`. Strict validators reject unknown formats.
fn remove_integer_format(schema: &mut Schema) {
    let is_integer = |format: &str| format.trim_start_matches('u').starts_with("int");
    if schema.get("format").and_then(Value::as_str).is_some_and(is_integer) {
        schema.remove("format");
    }
}

/// Joins the lines of a description, which is a comment of the source.
fn unwrap_description(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}
