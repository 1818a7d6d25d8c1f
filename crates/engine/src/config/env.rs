//! Environment variables: `-e`, `--env-file`, and how lists of them are put together.

use crate::error::{Error, Result};

/// Parses `-e KEY=VALUE` or `-e KEY`. The latter takes the value from `host`; where that has none, the bare `KEY` is
/// kept, which removes the variable from what the image sets.
///
/// # Errors
/// `Invalid` for an empty name or a NUL.
pub fn parse(text: &str, host: impl Fn(&str) -> Option<String>) -> Result<String> {
    if text.contains('\0') {
        return Err(Error::invalid(format!("--env {text:?}: contains a NUL")));
    }
    match text.split_once('=') {
        Some(("", _)) => Err(Error::invalid(format!("--env {text}: the name is empty"))),
        None if text.is_empty() => Err(Error::invalid("--env: the name is empty")),
        Some(_) => Ok(text.to_owned()),
        None => Ok(host(text).map_or_else(|| text.to_owned(), |value| format!("{text}={value}"))),
    }
}

/// Parses the content of the file `name` given with `--env-file`: one `KEY=VALUE` a line, the value as it stands, no
/// quotes and no expansion; blank lines and lines whose first character is `#` are skipped; `KEY` alone takes the value
/// from `host`, and is left out where that has none.
///
/// # Errors
/// `Invalid`, with the line's number, for a name that is empty or holds white space, and for what is not UTF-8.
pub fn parse_file(name: &str, content: &[u8], host: impl Fn(&str) -> Option<String>) -> Result<Vec<String>> {
    let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
    let mut variables = Vec::new();
    for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let invalid = |why: &str| Error::invalid(format!("--env-file {name}: line {}: {why}", index + 1));
        let line = str::from_utf8(line).map_err(|_| invalid("not UTF-8"))?;
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = line.split_once('=').map_or(line, |(key, _)| key);
        if key.is_empty() {
            return Err(invalid("the name of the variable is empty"));
        }
        if key.contains(char::is_whitespace) {
            return Err(invalid(&format!("the name of the variable has white space: '{key}'")));
        }
        if key.len() < line.len() {
            variables.push(line.to_owned());
        } else if let Some(value) = host(key) {
            variables.push(format!("{key}={value}"));
        }
    }
    Ok(variables)
}

/// Adds `changes` to `variables`: the last value of a name wins, at the place where the name first stood; a bare name
/// removes the variable.
pub(crate) fn merge(variables: &mut Vec<String>, changes: impl IntoIterator<Item = String>) {
    for change in changes {
        let name = change.split_once('=').map(|(name, _)| name);
        let place = variables.iter().position(|variable| key(variable) == name.unwrap_or(&change));
        match (name, place) {
            (Some(_), Some(place)) => variables[place] = change,
            (Some(_), None) => variables.push(change),
            (None, Some(place)) => drop(variables.remove(place)),
            (None, None) => {}
        }
    }
}

/// The value of `name` in a list of `KEY=VALUE`.
pub(crate) fn value<'a>(variables: &'a [String], name: &str) -> Option<&'a str> {
    variables.iter().find_map(|variable| variable.strip_prefix(name)?.strip_prefix('='))
}

fn key(variable: &str) -> &str {
    variable.split_once('=').map_or(variable, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Option<String> {
        (name == "HOST").then(|| "from the host".to_owned())
    }

    #[test]
    fn single_variables() {
        let cases = [
            ("A=b", Some("A=b")),
            ("A=", Some("A=")),
            ("A=b=c", Some("A=b=c")),
            ("HOST", Some("HOST=from the host")),
            ("UNSET", Some("UNSET")),
            ("=b", None),
            ("", None),
            ("A=\0", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text, host).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn files() {
        type Case<'a> = (&'a [u8], Result<&'a [&'a str], &'a str>);
        let cases: [Case<'_>; 11] = [
            (b"A=b\nC=d", Ok(&["A=b", "C=d"])),
            (b"\xef\xbb\xbfA=b\n", Ok(&["A=b"])),
            (b"# no\n\n  \n  A=b # yes \n", Ok(&["A=b # yes "])),
            (b"A=b\r\nC=d\r\n", Ok(&["A=b", "C=d"])),
            (b"A=\"b\"\n", Ok(&["A=\"b\""])),
            (b"HOST\nUNSET\n", Ok(&["HOST=from the host"])),
            (b"A=\n", Ok(&["A="])),
            (b"A=b\n=c\n", Err("--env-file f: line 2: the name of the variable is empty")),
            (b"A b=c\n", Err("--env-file f: line 1: the name of the variable has white space: 'A b'")),
            (b"A =c\n", Err("--env-file f: line 1: the name of the variable has white space: 'A '")),
            (b"A=b\nC=\xff\n", Err("--env-file f: line 2: not UTF-8")),
        ];
        for (content, expected) in cases {
            let found = parse_file("f", content, host).map_err(|error| error.to_string());
            let expected = expected.map(|lines| lines.iter().map(ToString::to_string).collect()).map_err(str::to_owned);
            assert_eq!(found, expected, "{content:?}");
        }
    }

    #[test]
    fn merging() {
        let mut variables = vec!["PATH=/bin".to_owned(), "A=1".to_owned(), "B=2".to_owned()];
        merge(&mut variables, ["A=3", "B", "C=4", "C=5", "D"].map(str::to_owned));
        assert_eq!(variables, ["PATH=/bin", "A=3", "C=5"]);
        assert_eq!((value(&variables, "C"), value(&variables, "PAT")), (Some("5"), None));
    }
}
