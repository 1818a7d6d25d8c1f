//! Words: quotes, escapes and variables, as a shell has them, with the modifiers that a Dockerfile takes.
//!
//! Nothing is run and no file name is matched. Source: "Environment replacement" of the Dockerfile reference, and POSIX,
//! Shell Command Language, 2.6.2.

/// `$name`, and `${name}` with all that can stand before the brace.
mod dollar;
/// Patterns of modifiers.
mod pattern;

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::str::Chars;

use crate::error::{Error, Result};

/// How deep a substitution may stand in others: nobody writes that, and each takes a frame of the stack.
const DEEPEST: usize = 64;

/// Bytes that substitutions put into a word: no command takes more in one, and a few lines that each name a variable twice
/// make more of it than there is memory.
const LONGEST: usize = 1 << 20;

/// Where values of variables are looked up.
pub trait Variables {
    /// The value, if it is set.
    fn value(&self, name: &str) -> Option<&str>;
}

impl Variables for BTreeMap<String, String> {
    fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(String::as_str)
    }
}

/// No variable is set.
pub(crate) struct NoVariables;

impl Variables for NoVariables {
    fn value(&self, _name: &str) -> Option<&str> {
        None
    }
}

/// What becomes of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotes {
    /// They group, and are gone afterwards.
    Removed,
    /// They group, and stay.
    Kept,
    /// They are characters as others.
    Literal,
}

/// How words are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lexer {
    escape: char,
    quotes: Quotes,
    keeps_escapes: bool,
    keeps_unset: bool,
}

/// What came of a word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The word, with its blanks.
    pub text: String,
    /// The same, split at blanks that are not quoted.
    pub words: Vec<String>,
    /// Which variables it names that are set.
    pub set: BTreeSet<String>,
    /// Which variables it names that are not.
    pub unset: BTreeSet<String>,
}

impl Lexer {
    /// Quotes and escapes are removed, and a variable that is not set is empty.
    pub fn new(escape: char) -> Lexer {
        Lexer { escape, quotes: Quotes::Removed, keeps_escapes: false, keeps_unset: false }
    }

    /// The same, with quotes treated otherwise.
    #[must_use]
    pub fn with_quotes(self, quotes: Quotes) -> Lexer {
        Lexer { quotes, ..self }
    }

    /// The same, where characters that escape others stay.
    #[must_use]
    pub fn keeping_escapes(self) -> Lexer {
        Lexer { keeps_escapes: true, ..self }
    }

    /// The same, where what names a variable that is not set stays as it is.
    #[must_use]
    pub fn keeping_unset(self) -> Lexer {
        Lexer { keeps_unset: true, ..self }
    }

    /// Reads a word.
    ///
    /// # Errors
    /// `Expansion` for a quote or brace that nothing closes, a modifier that there is not, a variable of `${name:?}` that is
    /// not set, and for more than anybody can use.
    pub fn expand(&self, word: &str, variables: &dyn Variables) -> Result<Expansion> {
        let mut reader = Reader {
            lexer: *self,
            rest: word.chars().peekable(),
            variables,
            keeps_escapes: self.keeps_escapes,
            depth: 0,
            substituted: 0,
            found: Expansion::default(),
        };
        let (text, words) = reader.until(None, self.keeps_escapes)?;
        Ok(Expansion { text, words, ..reader.found })
    }
}

/// Reads one word.
struct Reader<'a> {
    lexer: Lexer,
    rest: Peekable<Chars<'a>>,
    variables: &'a dyn Variables,
    keeps_escapes: bool,
    depth: usize,
    /// Bytes that came of variables so far.
    substituted: usize,
    found: Expansion,
}

/// Splits what it is given at blanks.
#[derive(Default)]
struct Words {
    done: Vec<String>,
    word: String,
}

impl Words {
    fn add(&mut self, character: char) {
        if !character.is_whitespace() {
            self.word.push(character);
        } else if !self.word.is_empty() {
            self.done.push(std::mem::take(&mut self.word));
        }
    }

    fn all(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.done.push(self.word);
        }
        self.done
    }
}

impl Reader<'_> {
    /// Up to a character, which is taken, or the end.
    fn until(&mut self, stop: Option<char>, keeps_escapes: bool) -> Result<(String, Vec<String>)> {
        if self.depth == DEEPEST {
            return Err(Error::expansion(format!("more than {DEEPEST} substitutions in one another")));
        }
        self.depth += 1;
        let outside = std::mem::replace(&mut self.keeps_escapes, keeps_escapes);
        let read = self.parts(stop);
        self.keeps_escapes = outside;
        self.depth -= 1;
        read
    }

    fn parts(&mut self, stop: Option<char>) -> Result<(String, Vec<String>)> {
        let mut text = String::new();
        let mut words = Words::default();
        while let Some(character) = self.rest.next() {
            if Some(character) == stop {
                return Ok((text, words.all()));
            }
            let is_grouping = self.lexer.quotes != Quotes::Literal;
            match character {
                '$' => {
                    let value = self.dollar()?;
                    value.chars().for_each(|character| words.add(character));
                    text.push_str(&value);
                }
                '\'' | '"' if is_grouping => {
                    let quoted = if character == '"' { self.double_quoted() } else { self.single_quoted() }?;
                    words.word.push_str(&quoted);
                    text.push_str(&quoted);
                }
                '<' if self.rest.peek() == Some(&'<') => {
                    let heredoc = self.heredoc();
                    words.word.push_str(&heredoc);
                    text.push_str(&heredoc);
                }
                escape if escape == self.lexer.escape => {
                    let escaped: String =
                        self.keeps_escapes.then_some(escape).into_iter().chain(self.rest.next()).collect();
                    words.word.push_str(&escaped);
                    text.push_str(&escaped);
                }
                other => {
                    words.add(other);
                    text.push(other);
                }
            }
        }
        match stop {
            None => Ok((text, words.all())),
            Some(stop) => Err(Error::expansion(format!("missing '{stop}'"))),
        }
    }

    /// `<<`, with the blanks between it and its delimiter: they are one word.
    fn heredoc(&mut self) -> String {
        let mut text = String::from("<");
        text.extend(self.rest.next());
        while let Some(blank) = self.rest.next_if(|next| matches!(next, '\t' | '\r' | ' ')) {
            text.push(blank);
        }
        text
    }

    /// Everything up to the next single quote, as it is.
    fn single_quoted(&mut self) -> Result<String> {
        let mut text = self.quote('\'');
        loop {
            match self.rest.next() {
                None => return Err(Error::expansion("missing the second of two single quotes")),
                Some('\'') => break,
                Some(other) => text.push(other),
            }
        }
        text.push_str(&self.quote('\''));
        Ok(text)
    }

    /// Everything up to the next double quote, in which variables are known, and an escape escapes no more than itself, a
    /// quote and a dollar.
    fn double_quoted(&mut self) -> Result<String> {
        let mut text = self.quote('"');
        loop {
            match self.rest.next() {
                None => return Err(Error::expansion("missing the second of two double quotes")),
                Some('"') => break,
                Some('$') => text.push_str(&self.dollar()?),
                Some(escape) if escape == self.lexer.escape => {
                    if self.keeps_escapes {
                        text.push(escape);
                    }
                    match self.rest.peek().copied() {
                        None => {}
                        Some(next) if next == '"' || next == '$' || next == escape => text.extend(self.rest.next()),
                        Some(_) if self.keeps_escapes => {}
                        Some(_) => text.push(escape),
                    }
                }
                Some(other) => text.push(other),
            }
        }
        text.push_str(&self.quote('"'));
        Ok(text)
    }

    fn quote(&self, quote: char) -> String {
        if self.lexer.quotes == Quotes::Kept { quote.to_string() } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> BTreeMap<String, String> {
        [("PATH", "/usr/local/bin"), ("FILE", "a.tar.gz"), ("EMPTY", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn modifiers() {
        let cases = [
            ("${PATH#*/}", Some("usr/local/bin")),
            ("${PATH##*/}", Some("bin")),
            ("${FILE%.*}", Some("a.tar")),
            ("${FILE%%.*}", Some("a")),
            ("${FILE/./-}", Some("a-tar.gz")),
            ("${FILE//./-}", Some("a-tar-gz")),
            ("${PATH/\\/usr/}", Some("/local/bin")),
            ("${PATH//\\//:}", Some(":usr:local:bin")),
            ("${NONE/a/b}", Some("")),
            ("${FILE#${FILE%%.*}.}", Some("tar.gz")),
            ("${EMPTY:-a}${EMPTY-b}", Some("a")),
            ("${FILE:#a}", None),
            ("${FILE:%a}", None),
            ("${FILE/a}", None),
            ("${FILE#a\\b}", None),
            ("${FILE^^}", None),
            ("${FILE", None),
        ];
        for (word, expected) in cases {
            let expanded = Lexer::new('\\').expand(word, &variables());
            assert_eq!(expanded.as_ref().ok().map(|expanded| &*expanded.text), expected, "{word}: {expanded:?}");
        }
    }

    #[test]
    fn what_must_be_set_says_what_it_is_for() {
        let of = |word| Lexer::new('\\').expand(word, &variables()).expect_err("it is not set").to_string();
        assert_eq!(of("${NONE?}"), "NONE: is not allowed to be unset");
        assert_eq!(of("${NONE:?say which}"), "NONE: say which");
        assert_eq!(of("${EMPTY:?}"), "EMPTY: is not allowed to be empty");
    }

    #[test]
    fn more_than_anybody_can_use_is_refused() {
        let long: BTreeMap<String, String> = [("A".to_owned(), "x".repeat(LONGEST / 4))].into();
        let of = |word: &str| Lexer::new('\\').expand(word, &long).map(|expanded| expanded.text.len());
        assert_eq!(of("$A$A$A$A"), Ok(LONGEST));
        for word in ["$A$A$A$A$A", "\"$A$A$A$A$A\"", "${NONE:-$A$A$A$A$A}", "${A//x/12345}", "${A/x/$A$A$A$A$A}"] {
            let refused = of(word).expect_err(word).to_string();
            assert_eq!(refused, "variables make more than 1048576 bytes of a word", "{word}");
        }
    }

    #[test]
    fn which_variables_a_word_names() {
        let expanded = Lexer::new('\\').expand("$FILE ${NONE:-$OTHER} \"$FILE\"", &variables()).expect("it is one");
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
        assert_eq!(names(&expanded.set), ["FILE"]);
        assert_eq!(names(&expanded.unset), ["NONE", "OTHER"]);
    }

    #[test]
    fn what_is_kept() {
        let lexer = Lexer::new('\\').with_quotes(Quotes::Kept).keeping_escapes().keeping_unset();
        for word in ["'a b' \"c\\\" $d\" \\e ${f:-g} ${h/i/j} $k", "<< a", "${a#b}"] {
            assert_eq!(lexer.expand(word, &NoVariables).expect("it is one").text, word);
        }
        let literal = Lexer::new('\\').with_quotes(Quotes::Literal);
        assert_eq!(
            literal.expand("it's \"$FILE\" \\$FILE", &variables()).expect("it is one").text,
            "it's \"a.tar.gz\" $FILE"
        );
    }

    #[test]
    fn a_quoted_nothing_between_words_is_none() {
        let words = |word| Lexer::new('\\').expand(word, &NoVariables).expect("it is one").words;
        assert_eq!(words("a '' b"), ["a", "b"]);
        assert_eq!(words(" a' 'b  c "), ["a b", "c"]);
    }

    #[test]
    fn substitutions_are_nested_as_deep_as_somebody_writes_them() {
        let nested = |depth: usize| format!("{}x{}", "${A:-".repeat(depth), "}".repeat(depth));
        assert_eq!(Lexer::new('\\').expand(&nested(60), &NoVariables).expect("it is one").text, "x");
        assert!(Lexer::new('\\').expand(&nested(100_000), &NoVariables).is_err());
    }
}
