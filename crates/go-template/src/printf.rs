//! `print`, `println` and `printf`, as Go's package `fmt` has them.

use std::str::Chars;

use serde_json::{Number, Value as Json};

use crate::functions::{LARGEST, type_of};
use crate::value::{exponent_text, plain, push_escaped, quoted, shortest};

/// The widest field and the highest precision.
const WIDEST: usize = 1_000_000;

/// What stands between `%` and the verb.
#[derive(Debug, Default, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a sign of its own in the format")]
struct Flags {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Texts next to each other; a space between two of which neither is a string.
pub(crate) fn print(arguments: &[&Json]) -> Result<String, String> {
    let mut out = String::new();
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 && !argument.is_string() && !arguments[index - 1].is_string() {
            out.push(' ');
        }
        append(&mut out, &plain(argument))?;
    }
    Ok(out)
}

/// Texts with spaces between them, and a line end.
pub(crate) fn print_line(arguments: &[&Json]) -> Result<String, String> {
    let mut out = String::new();
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        append(&mut out, &plain(argument))?;
    }
    out.push('\n');
    Ok(out)
}

/// A format with its arguments. What does not fit together is said in the text.
pub(crate) fn printf(format: &str, arguments: &[&Json]) -> Result<String, String> {
    let mut out = String::new();
    let (mut rest, mut unused) = (format.chars(), arguments.iter().copied());
    while let Some(character) = rest.next() {
        if character == '%' {
            let text = verb(&mut rest, &mut unused);
            append(&mut out, &text)?;
        } else {
            out.push(character);
        }
    }
    let extra: Vec<String> = unused
        .map(|argument| match argument {
            Json::Null => "<nil>".to_owned(),
            other => format!("{}={}", type_of(other), plain(other)),
        })
        .collect();
    if !extra.is_empty() {
        append(&mut out, &format!("%!(EXTRA {})", extra.join(", ")))?;
    }
    Ok(out)
}

fn append(out: &mut String, text: &str) -> Result<(), String> {
    if out.len() + text.len() > LARGEST {
        return Err("the text becomes too long".to_owned());
    }
    out.push_str(text);
    Ok(())
}

/// What the verb after a `%` writes.
fn verb<'a>(format: &mut Chars<'_>, arguments: &mut impl Iterator<Item = &'a Json>) -> String {
    let mut flags = Flags::default();
    let mut complaints = String::new();
    loop {
        match format.clone().next() {
            Some('-') => (flags.minus, flags.zero) = (true, false),
            Some('+') => flags.plus = true,
            Some('#') => flags.sharp = true,
            Some(' ') => flags.space = true,
            Some('0') => flags.zero = !flags.minus,
            _ => break,
        }
        format.next();
    }
    match amount(format, arguments) {
        Ok(width) => flags.width = width,
        Err(()) => complaints.push_str("%!(BADWIDTH)"),
    }
    if format.clone().next() == Some('.') {
        format.next();
        match amount(format, arguments) {
            Ok(precision) => flags.precision = Some(precision.unwrap_or(0)),
            Err(()) => complaints.push_str("%!(BADPREC)"),
        }
    }
    let text = match format.next() {
        None => "%!(NOVERB)".to_owned(),
        Some('%') => "%".to_owned(),
        Some(verb) => match arguments.next() {
            None => format!("%!{verb}(MISSING)"),
            Some(argument) => written(verb, argument, flags),
        },
    };
    complaints + &text
}

/// A number in the format, or the next argument for `*`. An error: it is no number, or too large.
fn amount<'a>(format: &mut Chars<'_>, arguments: &mut impl Iterator<Item = &'a Json>) -> Result<Option<usize>, ()> {
    if format.clone().next() == Some('*') {
        format.next();
        let number = arguments.next().and_then(Json::as_u64).and_then(|number| usize::try_from(number).ok());
        return number.filter(|number| *number <= WIDEST).map(Some).ok_or(());
    }
    let digits: String = format.clone().take_while(char::is_ascii_digit).collect();
    if digits.is_empty() {
        return Ok(None);
    }
    *format = format.as_str()[digits.len()..].chars();
    digits.parse().ok().filter(|number| *number <= WIDEST).map(Some).ok_or(())
}

fn written(verb: char, argument: &Json, flags: Flags) -> String {
    if verb == 'T' {
        return padded(type_of(argument), Flags { zero: false, ..flags });
    }
    match argument {
        Json::Null if verb == 'v' => padded("<nil>", flags),
        Json::Null => format!("%!{verb}(<nil>)"),
        Json::Bool(value) if matches!(verb, 't' | 'v') => padded(if *value { "true" } else { "false" }, flags),
        Json::String(text) => string(verb, text, flags).unwrap_or_else(|| bad(verb, argument)),
        Json::Number(number) if number.is_f64() => float(verb, number, flags).unwrap_or_else(|| bad(verb, argument)),
        Json::Number(number) => whole(verb, number, flags).unwrap_or_else(|| bad(verb, argument)),
        Json::Array(items) if verb != 'v' || flags.width.is_some() => {
            let items: Vec<String> = items.iter().map(|item| written(verb, item, flags)).collect();
            format!("[{}]", items.join(" "))
        }
        Json::Object(fields) if verb != 'v' => {
            let key = |key: &str| string(verb, key, flags).unwrap_or_else(|| format!("%!{verb}(string={key})"));
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{}:{}", key(name), written(verb, value, flags))).collect();
            format!("map[{}]", fields.join(" "))
        }
        Json::Array(_) | Json::Object(_) => plain(argument),
        Json::Bool(_) => bad(verb, argument),
    }
}

fn bad(verb: char, argument: &Json) -> String {
    format!("%!{verb}({}={})", type_of(argument), plain(argument))
}

fn string(verb: char, text: &str, flags: Flags) -> Option<String> {
    let cut = |text: &str| match flags.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    };
    let text = match verb {
        'v' if flags.sharp => quoted(&cut(text)),
        's' | 'v' => cut(text),
        'q' if flags.sharp && !text.contains('`') => format!("`{}`", cut(text)),
        'q' => quoted(&cut(text)),
        'x' | 'X' => {
            let separator = if flags.space { " " } else { "" };
            let bytes = text.bytes().take(flags.precision.unwrap_or(usize::MAX));
            let digits: Vec<String> =
                bytes.map(|byte| if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") }).collect();
            digits.join(separator)
        }
        _ => return None,
    };
    Some(padded(&text, flags))
}

fn whole(verb: char, number: &Number, flags: Flags) -> Option<String> {
    let value = number.as_i128()?;
    let magnitude = value.unsigned_abs();
    let (digits, prefix) = match verb {
        'd' | 'v' => (magnitude.to_string(), ""),
        'x' => (format!("{magnitude:x}"), "0x"),
        'X' => (format!("{magnitude:X}"), "0X"),
        'o' => (format!("{magnitude:o}"), "0"),
        'O' => (format!("0o{magnitude:o}"), ""),
        'b' => (format!("{magnitude:b}"), "0b"),
        'c' => {
            let character = u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
            return Some(padded(&character.to_string(), flags));
        }
        'q' => {
            let character = u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
            let mut text = String::from("'");
            match character {
                '\'' | '\\' => text.extend(['\\', character]),
                other => push_escaped(&mut text, other),
            }
            text.push('\'');
            return Some(padded(&text, flags));
        }
        'U' => return Some(padded(&format!("U+{magnitude:04X}"), flags)),
        _ => return None,
    };
    let prefix = if flags.sharp { prefix } else { "" };
    let digits = match flags.precision {
        Some(0) if value == 0 => return Some(padded("", Flags { zero: false, ..flags })),
        Some(precision) => format!("{digits:0>precision$}"),
        None => digits,
    };
    let flags = Flags { zero: flags.zero && flags.precision.is_none(), ..flags };
    Some(signed(value < 0, prefix, &digits, flags))
}

fn float(verb: char, number: &Number, flags: Flags) -> Option<String> {
    let value = number.as_f64()?;
    let magnitude = value.abs();
    let precision = flags.precision;
    let digits = match verb {
        'f' | 'F' => format!("{magnitude:.*}", precision.unwrap_or(6)),
        'e' | 'E' => scientific(magnitude, precision.unwrap_or(6)),
        'g' | 'G' | 'v' => match precision {
            Some(precision) => general(magnitude, precision.max(1)),
            None => shortest(magnitude, 21),
        },
        _ => return None,
    };
    let digits = if verb.is_ascii_uppercase() { digits.to_uppercase() } else { digits };
    Some(signed(value.is_sign_negative(), "", &digits, flags))
}

fn scientific(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    match text.split_once('e') {
        Some((digits, exponent)) => format!("{digits}{}", exponent_text(exponent.parse().unwrap_or(0))),
        None => text,
    }
}

/// So many digits, without zeros at the end.
fn general(value: f64, digits: usize) -> String {
    let text = format!("{value:.*e}", digits - 1);
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    if exponent < -4 || usize::try_from(exponent).is_ok_and(|exponent| exponent >= digits) {
        return format!("{}{}", trim(mantissa), exponent_text(exponent));
    }
    let decimals = i64::try_from(digits).unwrap_or(i64::MAX).saturating_sub(1).saturating_sub(i64::from(exponent));
    trim(&format!("{value:.*}", usize::try_from(decimals).unwrap_or(0)))
}

/// A number with its sign, before which or after which it is filled up.
fn signed(negative: bool, prefix: &str, digits: &str, flags: Flags) -> String {
    let sign = match (negative, flags.plus, flags.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        _ => "",
    };
    match flags.width {
        Some(width) if flags.zero => {
            let zeros = width.saturating_sub(sign.len() + digits.len());
            format!("{sign}{prefix}{}{digits}", "0".repeat(zeros))
        }
        _ => padded(&format!("{sign}{prefix}{digits}"), flags),
    }
}

fn padded(text: &str, flags: Flags) -> String {
    let Some(width) = flags.width else { return text.to_owned() };
    let missing = width.saturating_sub(text.chars().count());
    match (flags.minus, flags.zero) {
        (true, _) => format!("{text}{}", " ".repeat(missing)),
        (false, true) => format!("{}{text}", "0".repeat(missing)),
        (false, false) => format!("{}{text}", " ".repeat(missing)),
    }
}
