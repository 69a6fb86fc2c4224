//! Answers in XML: lists of objects, errors and credentials. Pure.
//!
//! Names are compared without their namespaces, which differ between servers. Entities other than
//! the predefined ones are errors, so a small answer cannot become a large text.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};

/// The deepest nesting of elements.
const MAX_DEPTH: usize = 16;

/// The number of fields that are kept of an answer.
const MAX_FIELDS: usize = 64;

/// A list of objects, as the server wrote it.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct List {
    pub entries: Vec<Entry>,
    pub is_truncated: bool,
}

/// An entry of a list.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    /// The decoded key.
    pub key: String,
    pub bytes: Option<u64>,
    /// The text of the time.
    pub modified: String,
    pub etag: String,
}

/// Parses the answer to a request for a list.
///
/// # Errors
/// Returns the defect.
pub(super) fn parse_list(xml: &[u8]) -> Result<List, String> {
    let (mut list, mut entry, mut is_encoded) = (List::default(), Entry::default(), false);
    let mut is_list = false;
    walk(xml, &mut |path, text| match path {
        ["ListBucketResult"] => is_list = true,
        ["ListBucketResult", "IsTruncated"] => list.is_truncated = text.trim() == "true",
        ["ListBucketResult", "EncodingType"] => is_encoded = text.trim() == "url",
        ["ListBucketResult", "Contents"] => list.entries.push(std::mem::take(&mut entry)),
        ["ListBucketResult", "Contents", "Key"] => text.clone_into(&mut entry.key),
        ["ListBucketResult", "Contents", "Size"] => entry.bytes = text.trim().parse().ok(),
        ["ListBucketResult", "Contents", "LastModified"] => text.clone_into(&mut entry.modified),
        ["ListBucketResult", "Contents", "ETag"] => text.clone_into(&mut entry.etag),
        _ => {}
    })?;
    if !is_list {
        return Err("the answer is not a list of objects".into());
    }
    if is_encoded {
        for entry in &mut list.entries {
            entry.key = decoded(&entry.key).ok_or("a key is not UTF-8")?;
        }
    }
    Ok(list)
}

/// Parses the texts of an answer by the names of their elements; the first one of each name counts.
/// An answer that is not XML has the fields before its defect.
pub(super) fn parse_fields(xml: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let read = walk(xml, &mut |path, text| {
        if let Some(name) = path.last()
            && fields.len() < MAX_FIELDS
        {
            fields.entry((*name).to_owned()).or_insert_with(|| text.trim().to_owned());
        }
    });
    // A proxy may answer with HTML.
    let _ = read;
    fields
}

/// Passes each element to `visit` when it ends: the names from the root on, and the text after its
/// last child.
fn walk(xml: &[u8], visit: &mut dyn FnMut(&[&str], &str)) -> Result<(), String> {
    let defect = "the answer is not valid XML";
    let mut reader = Reader::from_str(std::str::from_utf8(xml).map_err(|_| defect)?);
    let (mut path, mut text) = (Vec::<String>::new(), String::new());
    let mut is_empty = true;
    let mut end = |path: &mut Vec<String>, text: &mut String| {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        visit(&names, text);
        path.pop();
        text.clear();
    };
    loop {
        match reader.read_event().map_err(|_| defect)? {
            Event::Start(element) => {
                if path.len() >= MAX_DEPTH {
                    return Err(defect.into());
                }
                path.push(element.local_name().into_inner().to_owned());
                text.clear();
                is_empty = false;
            }
            Event::Empty(element) => {
                path.push(element.local_name().into_inner().to_owned());
                text.clear();
                end(&mut path, &mut text);
            }
            Event::End(_) => end(&mut path, &mut text),
            Event::Text(part) => text.push_str(&part.xml10_content()),
            Event::CData(part) => text.push_str(&part.xml10_content()),
            Event::GeneralRef(entity) => text.push_str(&resolved(&entity).ok_or(defect)?),
            Event::Eof if path.is_empty() && !is_empty => return Ok(()),
            Event::Eof => return Err(defect.into()),
            _ => {}
        }
    }
}

/// Returns the text of an entity such as `&amp;` or `&#38;`.
fn resolved(entity: &BytesRef<'_>) -> Option<String> {
    match entity.resolve_char_ref().ok()? {
        Some(found) => Some(found.to_string()),
        None => resolve_predefined_entity(entity).map(str::to_owned),
    }
}

/// Decodes a key with `encoding-type=url`: `%XX`, and `+` for a space as AWS writes it. Returns
/// `None` if it is not UTF-8. A `%` without two digits is kept.
fn decoded(key: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        (bytes, rest) = match (first, byte) {
            (b'%', Some(byte)) => (pushed(bytes, byte), after.get(2..).unwrap_or_default()),
            (b'+', _) => (pushed(bytes, b' '), after),
            _ => (pushed(bytes, *first), after),
        };
    }
    String::from_utf8(bytes).ok()
}

fn pushed(mut bytes: Vec<u8>, byte: u8) -> Vec<u8> {
    bytes.push(byte);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_objects() {
        let list = parse_list(
            b"<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/\">\
              <Name>runs</Name><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
              <Contents><Key>a+b%2B%C3%A4%2</Key><Size>3</Size><ETag>&quot;e&#38;&quot;</ETag>\
              <LastModified>2026-01-02T03:04:05.000Z</LastModified><Owner><ID>x</ID></Owner>\
              </Contents><Contents><Key>b</Key><Size>-1</Size></Contents><Contents/>\
              </ListBucketResult>",
        );
        let first = Entry {
            key: "a b+\u{e4}%2".into(),
            bytes: Some(3),
            modified: "2026-01-02T03:04:05.000Z".into(),
            etag: "\"e&\"".into(),
        };
        let second = Entry { key: "b".into(), ..Entry::default() };
        let entries = vec![first, second, Entry::default()];
        assert_eq!(list, Ok(List { entries, is_truncated: true }));
        let plain = b"<ListBucketResult><Contents><Key>a+%41</Key></Contents></ListBucketResult>";
        assert_eq!(parse_list(plain).unwrap().entries[0].key, "a+%41");
    }

    #[test]
    fn broken_answers_are_errors() {
        let deep = format!("{}{}", "<a>".repeat(20), "</a>".repeat(20));
        let key = |key: &str| {
            format!(
                "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>{key}</Key>\
                 </Contents></ListBucketResult>"
            )
        };
        for xml in [
            "",
            "text",
            "<ListBucketResult><Contents>",
            "<html><body>Sign in</body></html>",
            "<a></b>",
            "<a>&unknown;</a>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
            &deep,
            &key("%ff"),
        ] {
            assert!(parse_list(xml.as_bytes()).is_err(), "{xml}");
        }
        assert!(parse_list(b"<a>\xff</a>").is_err());
    }

    #[test]
    fn fields_are_found_at_any_depth() {
        let fields = parse_fields(b"<E><Error><Code> X </Code><Code>Y</Code></Error></E>");
        assert_eq!(fields.get("Code").map(String::as_str), Some("X"));
        assert!(parse_fields(b"<html><body><p>no").is_empty());
    }
}
