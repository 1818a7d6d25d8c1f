//! What a template may call: Go's own functions, and docker's.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt::Write;

use serde_json::Value as Json;

use crate::printf::{print, print_line, printf};
use crate::value::{is_true, plain};

/// Bytes of the longest text that a function or a template makes.
pub(crate) const LARGEST: usize = 16 << 20;
/// Pieces that `split` makes at most.
const MOST_PIECES: usize = 1 << 20;

/// Names, and how many arguments each takes at least and at most.
const FUNCTIONS: &[(&str, usize, usize)] = &[
    ("and", 1, usize::MAX),
    ("or", 1, usize::MAX),
    ("not", 1, 1),
    ("len", 1, 1),
    ("index", 1, usize::MAX),
    ("slice", 1, 4),
    ("print", 0, usize::MAX),
    ("println", 0, usize::MAX),
    ("printf", 1, usize::MAX),
    ("eq", 1, usize::MAX),
    ("ne", 2, 2),
    ("lt", 2, 2),
    ("le", 2, 2),
    ("gt", 2, 2),
    ("ge", 2, 2),
    ("html", 0, usize::MAX),
    ("js", 0, usize::MAX),
    ("urlquery", 0, usize::MAX),
    ("json", 1, 1),
    ("join", 2, 2),
    ("split", 2, 2),
    ("lower", 1, 1),
    ("upper", 1, 1),
    ("title", 1, 1),
    ("pad", 3, 3),
    ("truncate", 2, 2),
];

/// Why a call did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Too few or too many arguments.
    Count(String),
    /// The argument at this position is of another type than this one.
    Type(usize, &'static str),
    /// The function does not like one.
    Called(String),
}

impl Failure {
    pub(crate) fn is_count(&self) -> bool {
        matches!(self, Failure::Count(_))
    }

    /// In Go's words.
    pub(crate) fn wording(&self, name: &str) -> String {
        match self {
            Failure::Count(what) => format!("wrong number of args for {name}: {what}"),
            Failure::Type(_, expected) => format!("wrong type for value; expected {expected}"),
            Failure::Called(what) => format!("error calling {name}: {what}"),
        }
    }
}

/// Whether there is a function of this name.
pub(crate) fn is_known(name: &str) -> bool {
    FUNCTIONS.iter().any(|(known, ..)| *known == name)
}

/// Calls a function.
pub(crate) fn call<T: Borrow<Json>>(name: &str, arguments: &[T]) -> Result<Json, Failure> {
    let arguments: Vec<&Json> = arguments.iter().map(Borrow::borrow).collect();
    check_count(name, arguments.len())?;
    check_types(name, &arguments)?;
    let value = apply(name, &arguments).map_err(Failure::Called)?;
    match &value {
        Json::String(text) if text.len() > LARGEST => Err(Failure::Called("the text becomes too long".to_owned())),
        _ => Ok(value),
    }
}

fn check_count(name: &str, given: usize) -> Result<(), Failure> {
    let Some((_, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
        return Err(Failure::Called("not defined".to_owned()));
    };
    if (*least..=*most).contains(&given) {
        return Ok(());
    }
    let bound = if *most == usize::MAX { "at least " } else { "" };
    let wanted = if given < *least { least } else { most };
    Err(Failure::Count(format!("want {bound}{wanted} got {given}")))
}

/// What Go's compiler knows of the functions' parameters.
fn check_types(name: &str, arguments: &[&Json]) -> Result<(), Failure> {
    let is_list = |json: &Json| json.is_array() || json.is_null();
    let expected: &[&'static str] = match name {
        "printf" | "lower" | "upper" | "title" => &["string"],
        "split" => &["string", "string"],
        "join" => &["[]string", "string"],
        "pad" => &["string", "integer", "integer"],
        "truncate" => &["string", "integer"],
        _ => &[],
    };
    let fits = |(argument, expected): (&&Json, &&str)| match *expected {
        "string" => argument.is_string(),
        "integer" => argument.as_i64().is_some(),
        _ => is_list(argument),
    };
    match arguments.iter().zip(expected).position(|pair| !fits(pair)) {
        Some(index) => Err(Failure::Type(index, expected[index])),
        None => Ok(()),
    }
}

fn apply(name: &str, arguments: &[&Json]) -> Result<Json, String> {
    let first = arguments.first().copied().unwrap_or(&Json::Null);
    let text = |index: usize| arguments.get(index).map_or_else(|| Err(String::new()), |value| string(value));
    Ok(match name {
        "and" => decided(arguments, false).clone(),
        "or" => decided(arguments, true).clone(),
        "not" => (!is_true(first)).into(),
        "len" => length(first)?.into(),
        "index" => index(first, &arguments[1..])?,
        "slice" => slice(first, &arguments[1..])?,
        "print" => print(arguments)?.into(),
        "println" => print_line(arguments)?.into(),
        "printf" => printf(string(first)?, &arguments[1..])?.into(),
        "eq" => equals_any(first, &arguments[1..])?.into(),
        "ne" => (!equal(first, arguments[1])?).into(),
        "lt" => ordered(first, arguments[1])?.is_lt().into(),
        "le" => ordered(first, arguments[1])?.is_le().into(),
        "gt" => ordered(first, arguments[1])?.is_gt().into(),
        "ge" => ordered(first, arguments[1])?.is_ge().into(),
        "html" => escaped(&print(arguments)?, html).into(),
        "js" => escaped(&print(arguments)?, js).into(),
        "urlquery" => url_query(&print(arguments)?).into(),
        "json" => first.to_string().into(),
        "join" => join(first, text(1)?)?.into(),
        "split" => split(text(0)?, text(1)?)?,
        "lower" => text(0)?.to_lowercase().into(),
        "upper" => text(0)?.to_uppercase().into(),
        "title" => title(text(0)?).into(),
        "pad" => pad(text(0)?, arguments[1], arguments[2])?.into(),
        "truncate" => truncate(text(0)?, arguments[1])?.into(),
        _ => return Err("not defined".to_owned()),
    })
}

/// Go's name of a value's type.
pub(crate) fn type_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "<nil>",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float64",
        Json::Number(_) => "int",
        Json::String(_) => "string",
        Json::Array(_) => "[]interface {}",
        Json::Object(_) => "map[string]interface {}",
    }
}

fn string(json: &Json) -> Result<&str, String> {
    json.as_str().ok_or_else(|| "not a string".to_owned())
}

fn whole(json: &Json) -> Result<i64, String> {
    json.as_i64().ok_or_else(|| "not an integer".to_owned())
}

fn decided<'a>(arguments: &[&'a Json], decides: bool) -> &'a Json {
    let found = arguments.iter().find(|value| is_true(value) == decides).or(arguments.last());
    found.copied().unwrap_or(&Json::Null)
}

fn length(json: &Json) -> Result<usize, String> {
    match json {
        Json::String(text) => Ok(text.len()),
        Json::Array(items) => Ok(items.len()),
        Json::Object(fields) => Ok(fields.len()),
        Json::Null => Err("len of nil pointer".to_owned()),
        other => Err(format!("len of type {}", type_of(other))),
    }
}

fn index(json: &Json, indices: &[&Json]) -> Result<Json, String> {
    let mut found = json.clone();
    for index in indices {
        found = match &found {
            Json::Null => return Err("index of untyped nil".to_owned()),
            Json::Array(items) => items[position(index, items.len())?].clone(),
            Json::String(text) => text.as_bytes()[position(index, text.len())?].into(),
            Json::Object(fields) => {
                let Json::String(key) = index else {
                    return Err(format!("value has type {}; should be string", type_of(index)));
                };
                // What a map of strings lacks is the empty string.
                let is_text = !fields.is_empty() && fields.values().all(Json::is_string);
                let zero = if is_text { "".into() } else { Json::Null };
                fields.get(key).cloned().unwrap_or(zero)
            }
            other => return Err(format!("can't index item of type {}", type_of(other))),
        };
    }
    Ok(found)
}

fn position(index: &Json, length: usize) -> Result<usize, String> {
    let Some(number) = index.as_i64() else {
        return Err(format!("cannot index slice/array with type {}", type_of(index)));
    };
    let position = usize::try_from(number).ok().filter(|position| *position < length);
    position.ok_or_else(|| format!("index out of range: {number}"))
}

fn slice(json: &Json, bounds: &[&Json]) -> Result<Json, String> {
    let length = match json {
        Json::String(_) if bounds.len() == 3 => return Err("cannot 3-index slice a string".to_owned()),
        Json::String(text) => text.len(),
        Json::Array(items) => items.len(),
        Json::Null => return Err("slice of untyped nil".to_owned()),
        other => return Err(format!("can't slice item of type {}", type_of(other))),
    };
    let bound =
        |index: usize, default: usize| bounds.get(index).map_or(Ok(default), |bound| position(bound, length + 1));
    let (from, to) = (bound(0, 0)?, bound(1, length)?);
    bound(2, length)?;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    Ok(match json {
        Json::String(text) => String::from_utf8_lossy(&text.as_bytes()[from..to]).into_owned().into(),
        Json::Array(items) => items[from..to].to_vec().into(),
        _ => Json::Null,
    })
}

/// What can be compared.
#[derive(PartialEq, PartialOrd)]
enum Basic<'a> {
    Bool(bool),
    Whole(i128),
    Float(f64),
    Text(&'a str),
}

fn basic(json: &Json) -> Result<Option<Basic<'_>>, String> {
    Ok(Some(match json {
        Json::Null => return Ok(None),
        Json::Bool(value) => Basic::Bool(*value),
        Json::Number(number) => match (number.as_i128(), number.as_f64()) {
            (Some(value), _) => Basic::Whole(value),
            (None, Some(value)) => Basic::Float(value),
            (None, None) => return Err("invalid type for comparison".to_owned()),
        },
        Json::String(text) => Basic::Text(text),
        other => return Err(format!("non-comparable type {}: {}", plain(other), type_of(other))),
    }))
}

fn equals_any(first: &Json, others: &[&Json]) -> Result<bool, String> {
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        if equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(left: &Json, right: &Json) -> Result<bool, String> {
    match (basic(left)?, basic(right)?) {
        (None, None) => Ok(true),
        (None, _) | (_, None) => Ok(false),
        (Some(left), Some(right)) => comparable(&left, &right).map(|()| left == right),
    }
}

fn ordered(left: &Json, right: &Json) -> Result<Ordering, String> {
    let invalid = || "invalid type for comparison".to_owned();
    let (left, right) = (basic(left)?.ok_or_else(invalid)?, basic(right)?.ok_or_else(invalid)?);
    comparable(&left, &right)?;
    if matches!(left, Basic::Bool(_)) {
        return Err(invalid());
    }
    left.partial_cmp(&right).ok_or_else(invalid)
}

fn comparable(left: &Basic<'_>, right: &Basic<'_>) -> Result<(), String> {
    if std::mem::discriminant(left) == std::mem::discriminant(right) {
        return Ok(());
    }
    Err("incompatible types for comparison".to_owned())
}

fn join(list: &Json, separator: &str) -> Result<String, String> {
    let items = match list {
        Json::Array(items) => items.iter().map(plain).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    let length =
        items.iter().map(String::len).sum::<usize>().saturating_add(separator.len().saturating_mul(items.len()));
    if length > LARGEST { Err("the text becomes too long".to_owned()) } else { Ok(items.join(separator)) }
}

fn split(text: &str, separator: &str) -> Result<Json, String> {
    let pieces: Vec<Json> = if separator.is_empty() {
        text.chars().take(MOST_PIECES + 1).map(|character| character.to_string().into()).collect()
    } else {
        text.split(separator).take(MOST_PIECES + 1).map(Json::from).collect()
    };
    if pieces.len() > MOST_PIECES { Err("too many pieces".to_owned()) } else { Ok(pieces.into()) }
}

/// The first letter of each word large.
fn title(text: &str) -> String {
    let mut in_word = false;
    let mut letters = String::with_capacity(text.len());
    for character in text.chars() {
        if in_word {
            letters.push(character);
        } else {
            letters.extend(character.to_uppercase());
        }
        in_word =
            character == '_' || character.is_alphanumeric() || (!character.is_ascii() && !character.is_whitespace());
    }
    letters
}

fn pad(text: &str, before: &Json, after: &Json) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let spaces = |count: &Json| {
        let count = usize::try_from(whole(count)?).map_err(|_| "negative count".to_owned())?;
        if count > LARGEST { Err("the text becomes too long".to_owned()) } else { Ok(" ".repeat(count)) }
    };
    Ok(format!("{}{text}{}", spaces(before)?, spaces(after)?))
}

fn truncate(text: &str, most: &Json) -> Result<String, String> {
    let most = usize::try_from(whole(most)?).map_err(|_| "negative length".to_owned())?;
    Ok(if text.len() <= most {
        text.to_owned()
    } else {
        String::from_utf8_lossy(&text.as_bytes()[..most]).into_owned()
    })
}

fn escaped(text: &str, escape: fn(char) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match escape(character) {
            Some(escaped) => out.push_str(&escaped),
            None => out.push(character),
        }
    }
    out
}

fn html(character: char) -> Option<String> {
    let entity = match character {
        '\0' => "\u{fffd}",
        '"' => "&#34;",
        '\'' => "&#39;",
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        _ => return None,
    };
    Some(entity.to_owned())
}

fn js(character: char) -> Option<String> {
    match character {
        '\\' => Some(r"\\".to_owned()),
        '\'' => Some(r"\'".to_owned()),
        '"' => Some("\\\"".to_owned()),
        '<' | '>' | '&' | '=' => Some(format!("\\u{:04X}", u32::from(character))),
        other if other < ' ' => Some(format!("\\u{:04X}", u32::from(other))),
        _ => None,
    }
}

fn url_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            // Writing to a string cannot fail.
            other => drop(write!(out, "%{other:02X}")),
        }
    }
    out
}
