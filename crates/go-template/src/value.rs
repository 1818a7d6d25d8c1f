//! Values, and how they are printed: as Go's `%v` prints them.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::{Number, Value as Json};

/// What a template is applied to.
#[derive(Clone)]
pub enum Value<'a> {
    /// JSON; `null` is "no value".
    Json(Cow<'a, Json>),
    /// Something that computes its fields when they are asked for.
    Object(&'a dyn Object),
}

/// Something whose fields are computed when they are asked for: a line of a list.
pub trait Object {
    /// What it is called in errors: `container`.
    fn kind(&self) -> &str;

    /// The field, or the method with these arguments. None: there is no such field.
    ///
    /// # Errors
    /// What is wrong with the arguments.
    fn field(&self, name: &str, arguments: &[Json]) -> Option<Result<Json, String>>;

    /// All fields, for `json`.
    fn json(&self) -> Json;
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Value<'a> {
        Value::Json(Cow::Borrowed(json))
    }
}

impl Value<'_> {
    pub(crate) fn owned(json: Json) -> Self {
        Value::Json(Cow::Owned(json))
    }

    /// The JSON of it.
    pub(crate) fn json(&self) -> Cow<'_, Json> {
        match self {
            Value::Json(json) => Cow::Borrowed(json.as_ref()),
            Value::Object(object) => Cow::Owned(object.json()),
        }
    }

    /// What `if` asks.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Value::Json(json) => is_true(json),
            Value::Object(_) => true,
        }
    }
}

/// Anything but false, 0, nothing, and what is empty.
pub(crate) fn is_true(json: &Json) -> bool {
    match json {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(fields) => !fields.is_empty(),
    }
}

/// What an action prints.
pub(crate) fn printed(json: &Json) -> String {
    match json {
        Json::Null => "<no value>".to_owned(),
        other => plain(other),
    }
}

/// Go's `%v`.
pub(crate) fn plain(json: &Json) -> String {
    let mut text = String::new();
    write_plain(&mut text, json);
    text
}

fn write_plain(out: &mut String, json: &Json) {
    match json {
        Json::Null => out.push_str("<nil>"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => out.push_str(&number_text(number)),
        Json::String(text) => out.push_str(text),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                write_plain(out, item);
            }
            out.push(']');
        }
        Json::Object(fields) => {
            out.push_str("map[");
            for (index, (name, value)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                out.push_str(name);
                out.push(':');
                write_plain(out, value);
            }
            out.push(']');
        }
    }
}

/// A number as `%v` writes it.
pub(crate) fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => shortest(value, 21),
        _ => number.to_string(),
    }
}

/// The shortest digits that are this number, with an exponent if it is below -4 or not below `large`.
pub(crate) fn shortest(value: f64, large: i32) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= large {
        return format!("{digits}{}", exponent_text(exponent));
    }
    format!("{value}")
}

/// `e+06`
pub(crate) fn exponent_text(exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("e{sign}{:02}", exponent.abs())
}

/// A string as Go's `%q` and `strconv.Quote` write it: on a terminal nothing of it is obeyed.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            other => push_escaped(&mut out, other),
        }
    }
    out.push('"');
    out
}

/// A character as it stands in a literal, quotes and backslashes aside.
pub(crate) fn push_escaped(out: &mut String, character: char) {
    let code = u32::from(character);
    let named = match character {
        '\x07' => Some('a'),
        '\x08' => Some('b'),
        '\x0c' => Some('f'),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\x0b' => Some('v'),
        _ => None,
    };
    match named {
        Some(letter) => {
            out.push('\\');
            out.push(letter);
        }
        // Writing to a string cannot fail.
        None if code < 0x20 || code == 0x7f => drop(write!(out, "\\x{code:02x}")),
        None if character.is_control() || is_invisible(character) => drop(write!(out, "\\u{code:04x}")),
        None => out.push(character),
    }
}

/// What Unicode has no picture for.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || (character.is_whitespace() && character != ' ')
}

/// What a literal in quotes of either kind means; None if it is not well formed.
pub(crate) fn unquoted(literal: &str) -> Option<String> {
    let quote = literal.chars().next()?;
    let inside = literal.get(1..literal.len().checked_sub(1)?)?;
    let (mut bytes, mut rest) = (Vec::new(), inside.chars());
    while let Some(character) = rest.next() {
        let mut buffer = [0; 4];
        if character != '\\' {
            bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            continue;
        }
        let (digits, radix, is_byte) = match rest.next()? {
            'a' => {
                bytes.push(7);
                continue;
            }
            'b' => {
                bytes.push(8);
                continue;
            }
            'f' => {
                bytes.push(12);
                continue;
            }
            'n' => {
                bytes.push(b'\n');
                continue;
            }
            'r' => {
                bytes.push(b'\r');
                continue;
            }
            't' => {
                bytes.push(b'\t');
                continue;
            }
            'v' => {
                bytes.push(11);
                continue;
            }
            '\\' => {
                bytes.push(b'\\');
                continue;
            }
            same if same == quote => {
                bytes.push(u8::try_from(same).ok()?);
                continue;
            }
            'x' => (take(&mut rest, 2)?, 16, true),
            'u' => (take(&mut rest, 4)?, 16, false),
            'U' => (take(&mut rest, 8)?, 16, false),
            first @ '0'..='7' => (format!("{first}{}", take(&mut rest, 2)?), 8, true),
            _ => return None,
        };
        let code = u32::from_str_radix(&digits, radix).ok()?;
        if is_byte && quote == '"' {
            bytes.push(u8::try_from(code).ok()?);
        } else {
            bytes.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut buffer).as_bytes());
        }
    }
    Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn take(characters: &mut std::str::Chars<'_>, count: usize) -> Option<String> {
    let text: String = characters.take(count).collect();
    // A sign is a digit to nobody but the parser of numbers.
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (value, expected) in [(1.5, "1.5"), (1e21, "1e+21"), (1e20, "100000000000000000000"), (1e-5, "1e-05")] {
            assert_eq!(number_text(&Number::from_f64(value).expect("is finite")), expected);
        }
    }
}
