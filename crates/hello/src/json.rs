//! A JSON value and its text (RFC 8259).
//!
//! Written here because a library for it would be larger than the rest of the program.

use std::fmt::Write;

/// A JSON value. Objects keep the order in which they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(&'static str, Value)>),
}

impl Value {
    /// Text with two spaces of indentation, and a newline at the end. A list of plain values stays on one line.
    pub(crate) fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out.push('\n');
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Number(value) => out.push_str(&value.to_string()),
            Value::Text(value) => quote(value, out),
            Value::List(items) => {
                let breaks = items.iter().any(|item| matches!(item, Value::List(_) | Value::Object(_)));
                let place = if breaks { Place::Lines(depth) } else { Place::OneLine };
                place.write(out, ('[', ']'), items, |item, out| item.write(out, depth + 1));
            }
            Value::Object(fields) => {
                Place::Lines(depth).write(out, ('{', '}'), fields, |(name, value), out| {
                    quote(name, out);
                    out.push_str(": ");
                    value.write(out, depth + 1);
                });
            }
        }
    }
}

/// Where the items of a list or object go.
#[derive(Clone, Copy)]
enum Place {
    OneLine,
    Lines(usize),
}

impl Place {
    fn write<T>(self, out: &mut String, brackets: (char, char), items: &[T], write: impl Fn(&T, &mut String)) {
        out.push(brackets.0);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            match self {
                Place::OneLine if index > 0 => out.push(' '),
                Place::OneLine => {}
                Place::Lines(depth) => new_line(out, depth + 1),
            }
            write(item, out);
        }
        if let (Place::Lines(depth), false) = (self, items.is_empty()) {
            new_line(out, depth);
        }
        out.push(brackets.1);
    }
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            // 0x7f and above 0x7f too: they are allowed, but a terminal that shows the report may obey them.
            control if control.is_control() => {
                // Every control character is below 0x100. Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Value {
        Value::Number(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::Number(value.into())
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Value {
        Value::Number(u64::try_from(value).unwrap_or(u64::MAX))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Value {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn text() {
        let check = |value: Value, want: &str| assert_eq!(value.pretty(), format!("{want}\n"));
        check(Value::Null, "null");
        check(true.into(), "true");
        check(u64::MAX.into(), "18446744073709551615");
        check("a\"b\\c\n\u{1b}[0m\u{9b}é".into(), r#""a\"b\\c\u000a\u001b[0m\u009bé""#);
        check(Value::List(vec![]), "[]");
        check(Value::Object(vec![]), "{}");
        check(vec!["a", "b"].into(), r#"["a", "b"]"#);
        check(Value::Object(vec![("a", 1_u64.into()), ("b", Value::Null)]), "{\n  \"a\": 1,\n  \"b\": null\n}");
        let nested = Value::List(vec![Value::Object(vec![("a", vec![1_u64].into())])]);
        check(nested, "[\n  {\n    \"a\": [1]\n  }\n]");
    }
}
