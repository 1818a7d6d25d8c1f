//! Whatever a Dockerfile contains, it is read or refused: in words, with lines that it has, and with an excerpt of them.
//!
//! Each test is a fuzz target of bolero. In an ordinary run it tries a bounded number of inputs; CONTRIBUTING.md says
//! how to let one run for longer.

use std::collections::{BTreeMap, BTreeSet};

use bolero::TypeGenerator;
use dockerfile::evaluate::{Base, Bases, Evaluated, Inputs, Platform, evaluate};
use dockerfile::ignore::Patterns;
use dockerfile::word::{Lexer, Quotes};
use dockerfile::{Dockerfile, Error, Instruction, Look, Stages};

/// Inputs of one run of the tests.
const ITERATIONS: usize = 5000;

/// Of what Dockerfiles are made: most random bytes are refused in their first line.
const PIECES: [&str; 64] = [
    "FROM a",
    "RUN ",
    "COPY ",
    "ADD ",
    "ENV ",
    "ARG ",
    "LABEL ",
    "CMD ",
    "ONBUILD ",
    "HEALTHCHECK ",
    "SHELL ",
    "EXPOSE ",
    "VOLUME ",
    "WORKDIR ",
    "USER ",
    "STOPSIGNAL ",
    "\n",
    "\r\n",
    "\\\n",
    "`\n",
    " ",
    "\t",
    "#",
    "# escape=`",
    "# syntax=a",
    "# check=skip=all",
    "<<",
    "<<-",
    "<<EOF",
    "<<'EOF'",
    "\nEOF\n",
    "EOF",
    "$",
    "${",
    "}",
    "${a:-",
    "${a#",
    "${a%%",
    "${a/",
    "//",
    ":?",
    "\"",
    "'",
    "\\",
    "=",
    "a=b",
    "[\"a\"]",
    "[",
    "]",
    ",",
    "--from=",
    "--mount=type=cache,",
    "target=/a",
    "--chown=",
    "--link",
    "--",
    "AS b",
    "80/udp",
    "NONE",
    "\u{feff}",
    "한",
    "\0",
    "*",
    "?",
];

/// A text of pieces, and of what nobody thought of.
#[derive(Debug, Clone, TypeGenerator)]
struct Text(Vec<Piece>);

#[derive(Debug, Clone, TypeGenerator)]
enum Piece {
    Known(u8),
    Byte(u8),
}

impl Text {
    fn bytes(&self) -> Vec<u8> {
        let piece = |piece: &Piece| match piece {
            Piece::Known(number) => PIECES[usize::from(*number) % PIECES.len()].as_bytes().to_vec(),
            Piece::Byte(byte) => vec![*byte],
        };
        self.0.iter().flat_map(piece).collect()
    }
}

/// Every image is there, and triggers something.
struct Images;

impl Bases for Images {
    fn base(&self, _image: &str, _platform: Option<&str>) -> Result<Base, String> {
        Ok(Base { triggers: vec!["ENV a=$b".to_owned()], ..Base::default() })
    }
}

fn evaluated(file: Dockerfile) -> Result<Evaluated, Error> {
    let arguments = BTreeMap::new();
    let inputs = Inputs {
        arguments: &arguments,
        build_platform: Platform::default(),
        target_platform: Platform::default(),
        target: None,
        all_stages: true,
        ignored: None,
        bases: &Images,
        named_contexts: &BTreeSet::new(),
    };
    evaluate(file, &inputs)
}

fn is_worded(error: &Error, text: &str) {
    assert!(!error.to_string().is_empty());
    if let Some(lines) = error.lines() {
        assert!(1 <= lines.first && lines.first <= lines.last, "{lines}");
        assert!(lines.last <= text.split('\n').count(), "{lines} of {text:?}");
    }
    assert!(error.report("Dockerfile", text, Look::Plain).starts_with("error: "));
}

#[test]
fn a_file_is_read_or_refused() {
    bolero::check!().with_iterations(ITERATIONS).with_type::<Text>().for_each(|text| {
        let bytes = text.bytes();
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = Stages::parse(&bytes) {
            is_worded(&error, &text);
        }
        let Ok(file) = Dockerfile::parse(&bytes) else { return };
        match evaluated(file.clone()) {
            Err(error) => is_worded(&error, &text),
            Ok(evaluated) => {
                assert!(evaluated.target < evaluated.stages.len());
                evaluated.findings.iter().for_each(|finding| assert!(finding.lines.last <= text.split('\n').count()));
            }
        }
        for statement in file.statements {
            let lines = statement.lines;
            if let Err(error) = Instruction::parse(statement) {
                assert_eq!(error.lines(), Some(lines));
                is_worded(&error, &text);
            }
        }
    });
}

#[test]
fn a_word_is_read_or_refused() {
    let variables: BTreeMap<String, String> = [("a".to_owned(), "b/c.d".to_owned())].into();
    bolero::check!().with_iterations(ITERATIONS).with_type::<Text>().for_each(|text| {
        let text = String::from_utf8_lossy(&text.bytes()).into_owned();
        for lexer in [
            Lexer::new('\\'),
            Lexer::new('`').with_quotes(Quotes::Kept).keeping_escapes().keeping_unset(),
            Lexer::new('\\').with_quotes(Quotes::Literal),
        ] {
            match lexer.expand(&text, &variables) {
                Err(error) => is_worded(&error, &text),
                Ok(expansion) => assert!(expansion.words.iter().all(|word| !word.is_empty())),
            }
        }
    });
}

#[test]
fn what_is_literal_stays() {
    let nothing: BTreeMap<String, String> = BTreeMap::new();
    bolero::check!().with_iterations(ITERATIONS).with_type::<String>().for_each(|text| {
        // A pair of single quotes around it makes anything one word.
        if text.contains('\'') || text.is_empty() {
            return;
        }
        let expansion = Lexer::new('\\').expand(&format!("'{text}'"), &nothing).expect("its quotes are closed");
        assert_eq!((&expansion.text, &expansion.words[..]), (text, &[text.clone()][..]));
    });
}

#[test]
fn patterns_are_read_or_refused_and_decide_in_time() {
    let pieces = ["a", "b", "/", "*", "**", "?", "[a-c]", "[^", "]", "\\", "!", "..", ".", "\n", "#", "한"];
    bolero::check!().with_iterations(ITERATIONS).with_type::<(Vec<u8>, Vec<u8>)>().for_each(|(patterns_of, path)| {
        let text = |numbers: &[u8]| -> String {
            numbers.iter().map(|number| pieces[usize::from(*number) % pieces.len()]).collect()
        };
        match Patterns::parse(text(patterns_of).as_bytes()) {
            Err(error) => is_worded(&error, &text(patterns_of)),
            Ok(patterns) => {
                let path = text(path);
                // What is excluded is so with all that is in it, unless something brings that back.
                if patterns.exclude(&path) && !text(patterns_of).contains('!') {
                    assert!(patterns.exclude(&format!("{path}/x")), "{path}");
                }
            }
        }
    });
}
