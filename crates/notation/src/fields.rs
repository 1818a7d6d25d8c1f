//! Lists in a line of CSV.

/// The fields of one line of CSV (RFC 4180): a field in double quotes may hold commas, and quotes doubled.
///
/// # Errors
/// In words, for a quote in the middle of a field and one that nothing closes.
pub fn split(text: &str) -> Result<Vec<String>, String> {
    let mut fields = vec![String::new()];
    let mut characters = text.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        let at_start = fields.last().is_none_or(String::is_empty);
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => push(&mut fields, '"'),
            '"' if quoted => quoted = false,
            '"' if at_start => quoted = true,
            '"' => return Err("a quote within a field".to_owned()),
            ',' if !quoted => fields.push(String::new()),
            other => push(&mut fields, other),
        }
    }
    if quoted { Err("a quote is not closed".to_owned()) } else { Ok(fields) }
}

fn push(fields: &mut [String], character: char) {
    if let Some(last) = fields.last_mut() {
        last.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn fields() {
        let cases: [(&str, &[&str]); 5] = [
            ("a=b,c", &["a=b", "c"]),
            ("\"a,b\",c", &["a,b", "c"]),
            ("\"a\"\"b\"", &["a\"b"]),
            ("", &[""]),
            ("a,", &["a", ""]),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text).expect("it is a list"), expected, "{text}");
        }
        assert!(split("a\"b").is_err());
        assert!(split("\"a").is_err());
    }
}
