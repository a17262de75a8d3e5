//! Canonical JSON: sorted keys, shortest escapes, integers only.
//!
//! Events are put into this form once, on the way in; everything after that copies slices of it.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};

/// The largest integer that strict canonical JSON allows, 2^53 - 1; the smallest is its negative.
pub const MAX_SAFE_INT: i64 = (1 << 53) - 1;

/// Why a text has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON, or nested deeper than 127 levels.
    #[error("not JSON: {0}")]
    Syntax(#[source] serde_json::Error),
    /// A number is a float, or an integer outside the allowed range.
    #[error("a number is not an integer in the allowed range")]
    Number,
    /// The text is JSON, but not an object.
    #[error("not a JSON object")]
    NotObject,
}

/// Which integers are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integers {
    /// From room version 6 and for signed JSON: within ±(2^53 - 1).
    Strict,
    /// Room versions 1 to 5: whatever fits 64 bits. Floats are refused here too, because how they
    /// were written differs between servers.
    Lenient,
}

/// A JSON value that borrows its strings from the text where it can; object entries are sorted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Any serde error with this text is a number problem; serde has no room for a typed one.
const NUMBER: &str = "number outside canonical JSON";

impl<'a> Json<'a> {
    /// Parses a text; floats and integers beyond 64 bits are [`JsonError::Number`].
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, JsonError> {
        serde_json::from_slice(text).map_err(|error| {
            let number = error.is_data() && error.to_string().starts_with(NUMBER);
            if number { JsonError::Number } else { JsonError::Syntax(error) }
        })
    }

    /// Parses a text that must be an object.
    pub(crate) fn parse_object(text: &'a [u8]) -> Result<Vec<(Cow<'a, str>, Json<'a>)>, JsonError> {
        match Self::parse(text)? {
            Json::Object(entries) => Ok(entries),
            _ => Err(JsonError::NotObject),
        }
    }

    /// Appends the canonical form to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>, integers: Integers) -> Result<(), JsonError> {
        match self {
            Json::Null => out.extend_from_slice(b"null"),
            Json::Bool(true) => out.extend_from_slice(b"true"),
            Json::Bool(false) => out.extend_from_slice(b"false"),
            Json::Int(int) => {
                if integers == Integers::Strict && !(-MAX_SAFE_INT..=MAX_SAFE_INT).contains(int) {
                    return Err(JsonError::Number);
                }
                write_int(out, *int);
            }
            Json::Text(text) => write_str(out, text),
            Json::List(list) => {
                out.push(b'[');
                for (index, value) in list.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    value.write(out, integers)?;
                }
                out.push(b']');
            }
            Json::Object(entries) => write_object(out, entries, integers)?,
        }
        Ok(())
    }
}

/// Appends an object whose entries are sorted already.
pub(crate) fn write_object(
    out: &mut Vec<u8>,
    entries: &[(Cow<'_, str>, Json<'_>)],
    integers: Integers,
) -> Result<(), JsonError> {
    out.push(b'{');
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_str(out, key);
        out.push(b':');
        value.write(out, integers)?;
    }
    out.push(b'}');
    Ok(())
}

/// Appends a JSON string with its quotes, escaping as little as possible.
pub(crate) fn write_str(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else if serde_json::to_writer(&mut *out, text).is_err() {
        // Writing to memory does not fail.
    }
}

/// Appends a decimal integer.
pub(crate) fn write_int(out: &mut Vec<u8>, int: i64) {
    if serde_json::to_writer(&mut *out, &int).is_err() {
        // Writing to memory does not fail.
    }
}

/// The canonical form of any JSON text.
///
/// # Errors
/// [`JsonError`] when the text has none.
pub fn canonicalize(text: &[u8], integers: Integers) -> Result<Vec<u8>, JsonError> {
    let value = Json::parse(text)?;
    let mut out = Vec::with_capacity(text.len());
    value.write(&mut out, integers)?;
    Ok(out)
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
        i64::try_from(value).map(Json::Int).map_err(|_| E::custom(NUMBER))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Err(E::custom(NUMBER))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        let mut sorted = true;
        while let Some(key) = map.next_key()? {
            let Json::Text(key) = key else { return Err(A::Error::custom("object key is not a string")) };
            sorted &= entries.last().is_none_or(|(last, _)| *last < key);
            entries.push((key, map.next_value()?));
        }
        if !sorted {
            // As everywhere in Matrix the last of two equal keys counts: a stable sort of the
            // reversed list puts it first, and `dedup_by` keeps the first.
            entries.reverse();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.dedup_by(|a, b| a.0 == b.0);
        }
        Ok(Json::Object(entries))
    }
}
