//! What others have collected of Dockerfiles: each is read as they say, or refused as they do.
//!
//! The data is not part of this project; where it is absent, the tests say that they were not run.

#![expect(clippy::print_stderr, reason = "a test that could not run says so")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use dockerfile::statement::{Arguments, Separator};
use dockerfile::word::Lexer;
use dockerfile::{Dockerfile, Statement};

fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/dockerfile").join(name);
    if !path.exists() {
        eprintln!("not run: {} is not here", path.display());
        return None;
    }
    Some(path)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn directories(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).expect("it is a directory").map(|entry| entry.expect("it is readable").path());
    let mut found: Vec<PathBuf> = entries.collect();
    found.sort();
    found
}

/// A string as Go quotes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            control if control.is_control() => write!(quoted, "\\x{:02x}", u32::from(control)).expect("it is memory"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A statement as the corpus writes it.
fn tree(statement: &Statement) -> String {
    let mut tree = format!("({}", statement.name.to_lowercase());
    if !statement.flags.is_empty() {
        let flags: Vec<String> = statement.flags.iter().map(|flag| quoted(flag)).collect();
        write!(tree, " [{}]", flags.join(" ")).expect("it is memory");
    }
    arguments(&mut tree, &statement.arguments);
    tree.push(')');
    tree
}

fn arguments(tree: &mut String, given: &Arguments) {
    let mut push = |word: &str| {
        tree.push(' ');
        tree.push_str(&quoted(word));
    };
    match given {
        Arguments::None => {}
        Arguments::Text(text) => push(text),
        Arguments::Words(words) | Arguments::Exec(words) => words.iter().for_each(|word| push(word)),
        Arguments::Pairs(pairs) => pairs.iter().for_each(|pair| {
            push(&pair.name);
            push(&pair.value);
            push(if pair.separator == Separator::Equals { "=" } else { "" });
        }),
        Arguments::Health(kind, command) => {
            push(kind);
            arguments(tree, command);
        }
        Arguments::Trigger(trigger) => {
            tree.push(' ');
            tree.push_str(&self::tree(trigger));
        }
    }
}

#[test]
fn trees() {
    let Some(directory) = data("testfiles") else { return };
    let all = directories(&directory);
    assert_eq!(all.len(), 33);
    for case in all {
        let parsed = Dockerfile::parse(&fs::read(case.join("Dockerfile")).expect("it is there"));
        let parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        let found: Vec<String> = parsed.statements.iter().map(tree).collect();
        let expected = text(&case.join("result"));
        assert_eq!(found.join("\n"), expected.trim_end(), "{}", case.display());
    }
}

#[test]
fn what_must_be_refused() {
    let Some(directory) = data("testfiles-negative") else { return };
    let all = directories(&directory);
    assert_eq!(all.len(), 4);
    for case in all {
        let parsed = Dockerfile::parse(&fs::read(case.join("Dockerfile")).expect("it is there"));
        assert!(parsed.is_err(), "{}: {parsed:?}", case.display());
    }
}

#[test]
fn lines() {
    let Some(directory) = data("testfile-line") else { return };
    let parsed = Dockerfile::parse(text(&directory.join("Dockerfile")).as_bytes()).expect("it is one");
    let lines: Vec<_> = parsed.statements.iter().map(|found| (found.lines.first, found.lines.last)).collect();
    assert_eq!(lines, [(5, 5), (11, 12), (17, 31)]);
}

#[test]
fn single_words() {
    let Some(file) = data("envVarTest") else { return };
    let set = [("PWD", "/home"), ("SHELL", "bash"), ("KOREAN", "한국어"), ("NULL", "")];
    let variables: BTreeMap<String, String> = set.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mut count = 0;
    for line in text(&file).lines() {
        // Those of Windows alone are not ours.
        let Some(case) = line.strip_prefix("A|").or_else(|| line.strip_prefix("U|")) else { continue };
        let (word, expected) = case.split_once('|').expect("it has two columns");
        let found = Lexer::new('\\').expand(word.trim(), &variables).map(|expansion| expansion.text);
        match expected.trim() {
            "error" => assert!(found.is_err(), "{word}: {found:?}"),
            expected => assert_eq!(found.as_deref(), Ok(expected), "{word}"),
        }
        count += 1;
    }
    assert_eq!(count, 228);
}

#[test]
fn many_words() {
    let Some(file) = data("wordsTest") else { return };
    let (mut variables, mut count) = (BTreeMap::new(), 0);
    for line in text(&file).lines() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(pair) = line.strip_prefix("ENV ") {
            let (name, value) = pair.split_once('=').expect("it is a pair");
            variables.insert(name.trim_start().to_owned(), value.to_owned());
            continue;
        }
        let (word, expected) = line.split_once('|').expect("it has two columns");
        let found = Lexer::new('\\').expand(word.trim(), &variables).map(|expansion| expansion.words);
        match expected.strip_prefix(' ').unwrap_or(expected).trim_start() {
            "error" => assert!(found.is_err(), "{word}: {found:?}"),
            expected => {
                let expected: Vec<String> = expected.split(',').map(ToOwned::to_owned).collect();
                assert_eq!(found, Ok(expected), "{word}");
            }
        }
        count += 1;
    }
    assert_eq!(count, 24);
}
