//! Annotations `org.systemd.property.NAME` as properties of the unit: what runc and crun read, with values in the text
//! form of GVariant (`gvariant-text`): `'text'`, `true`, `uint64 5`, `['a', 'b']`.

use std::collections::HashMap;

use super::bus::Value;
use crate::error::{Error, ErrorKind, Result};

const PREFIX: &str = "org.systemd.property.";

/// The properties, by name.
///
/// # Errors
/// `Invalid`, naming annotation and value.
pub(super) fn properties(annotations: Option<&HashMap<String, String>>) -> Result<Vec<(String, Value)>> {
    let mut found: Vec<_> = annotations.into_iter().flatten().collect();
    found.sort_unstable();
    let named = found.into_iter().filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value)));
    named.map(|(name, text)| property(name, text)).collect()
}

fn property(name: &str, text: &str) -> Result<(String, Value)> {
    let invalid = |why: &str| Error::new(ErrorKind::Invalid, format!("annotation {PREFIX}{name} {text:?}: {why}"));
    if name.len() < 3 || !name.chars().all(|letter| letter.is_ascii_alphabetic()) {
        return Err(invalid("is no name of a property"));
    }
    let value =
        parse(text.trim()).ok_or_else(|| invalid("is no value such as 'text', true, uint64 5 or ['a', 'b']"))?;
    // Documented in seconds, passed in microseconds: TimeoutStopSec is TimeoutStopUSec.
    match name.strip_suffix("Sec").filter(|stem| stem.ends_with(|letter: char| letter.is_ascii_lowercase())) {
        None => Ok((name.to_owned(), value)),
        Some(stem) => {
            let microseconds = microseconds(&value).ok_or_else(|| invalid("is no number of seconds"))?;
            Ok((format!("{stem}USec"), Value::U64(microseconds)))
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float is cast to the nearest number")]
fn microseconds(value: &Value) -> Option<u64> {
    let seconds = match *value {
        Value::Byte(number) => number.into(),
        Value::U16(number) => number.into(),
        Value::U32(number) => number.into(),
        Value::U64(number) => number,
        Value::I16(number) => number.try_into().ok()?,
        Value::I32(number) => number.try_into().ok()?,
        Value::I64(number) => number.try_into().ok()?,
        Value::Double(number) => return Some((number * 1_000_000.0) as u64),
        _ => return None,
    };
    seconds.checked_mul(1_000_000)
}

fn parse(text: &str) -> Option<Value> {
    if let Some((kind, rest)) = text.split_once(char::is_whitespace) {
        let rest = rest.trim();
        match kind {
            "byte" => return rest.parse().ok().map(Value::Byte),
            "int16" => return rest.parse().ok().map(Value::I16),
            "uint16" => return rest.parse().ok().map(Value::U16),
            "int32" => return rest.parse().ok().map(Value::I32),
            "uint32" => return rest.parse().ok().map(Value::U32),
            "int64" => return rest.parse().ok().map(Value::I64),
            "uint64" => return rest.parse().ok().map(Value::U64),
            "double" => return rest.parse().ok().map(Value::Double),
            "boolean" => return rest.parse().ok().map(Value::Bool),
            "string" => return parse(rest).filter(|value| matches!(value, Value::Text(_))),
            _ => {}
        }
    }
    let list = text.strip_prefix("@as").map_or(text, str::trim_start);
    if let Some(list) = list.strip_prefix('[') {
        return texts(list).map(Value::Texts);
    }
    if text.starts_with(['\'', '"']) {
        return quoted(text).filter(|(_, rest)| rest.is_empty()).map(|(text, _)| Value::Text(text));
    }
    let number = text.parse().map(Value::I32).or_else(|_| text.parse().map(Value::Bool));
    number.ok().or_else(|| text.contains('.').then(|| text.parse().ok().map(Value::Double)).flatten())
}

fn texts(mut rest: &str) -> Option<Vec<String>> {
    let mut list = Vec::new();
    rest = rest.trim_start();
    while rest != "]" {
        let (text, after) = quoted(rest)?;
        list.push(text);
        rest = after.trim_start();
        rest = rest.strip_prefix(',').map(str::trim_start).or_else(|| (rest == "]").then_some(rest))?;
    }
    Some(list)
}

/// A text in quotes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    let mut content = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return Some((content, &text[at + 1..])),
            '\\' => content.push(match letters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                other => other,
            }),
            other => content.push(other),
        }
    }
    None
}
