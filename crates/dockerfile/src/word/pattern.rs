//! Patterns of `${name#…}`, `${name%…}` and `${name/…/…}`: `*`, `?`, and a backslash before these and itself. There are no
//! sets of characters.

use regex_lite::{NoExpand, Regex};

/// How much of a value a `*` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Shortest,
    Longest,
}

enum Piece {
    /// `*`
    Many,
    /// `?`
    One,
    Literal(char),
}

/// A pattern that was read.
pub(super) struct Pattern(Vec<Piece>);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(text: &str) -> Result<Pattern, String> {
        let mut pieces = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            pieces.push(match character {
                '*' => Piece::Many,
                '?' => Piece::One,
                '\\' => match characters.next() {
                    // The last two would otherwise end the pattern.
                    Some(escaped @ ('*' | '?' | '\\' | '}' | '/')) => Piece::Literal(escaped),
                    Some(other) => return Err(format!("invalid escape '\\{other}' in pattern {text:?}")),
                    None => return Err(format!("pattern {text:?} ends with an escape")),
                },
                other => Piece::Literal(other),
            });
        }
        Ok(Pattern(pieces))
    }

    /// The value without what it begins with.
    pub(super) fn without_prefix(&self, value: &str, reach: Reach) -> Result<String, String> {
        let regex = compile("^", self.0.iter(), reach)?;
        let cut = regex.find(value).map_or(0, |found| found.end());
        Ok(value[cut..].to_owned())
    }

    /// The value without what it ends with.
    pub(super) fn without_suffix(&self, value: &str, reach: Reach) -> Result<String, String> {
        // An expression finds the leftmost match and not the shortest one at the end, so both are turned round.
        let regex = compile("^", self.0.iter().rev(), reach)?;
        let turned: String = value.chars().rev().collect();
        let cut = regex.find(&turned).map_or(0, |found| found.end());
        Ok(value[..value.len() - cut].to_owned())
    }

    /// How often it matches: once at most, unless all matches are wanted.
    pub(super) fn matches(&self, value: &str, all: bool) -> Result<usize, String> {
        let regex = compile("", self.0.iter(), Reach::Longest)?;
        Ok(regex.find_iter(value).take(if all { usize::MAX } else { 1 }).count())
    }

    /// The value with the first match, or all, replaced.
    pub(super) fn replaced(&self, value: &str, by: &str, all: bool) -> Result<String, String> {
        let regex = compile("", self.0.iter(), Reach::Longest)?;
        let limit = usize::from(!all);
        Ok(regex.replacen(value, limit, NoExpand(by)).into_owned())
    }
}

fn compile<'a>(start: &str, pieces: impl Iterator<Item = &'a Piece>, reach: Reach) -> Result<Regex, String> {
    let many = if reach == Reach::Shortest { ".*?" } else { ".*" };
    let mut expression = start.to_owned();
    for piece in pieces {
        match piece {
            Piece::Many => expression.push_str(many),
            Piece::One => expression.push('.'),
            Piece::Literal(character) => expression.push_str(&regex_lite::escape(character.encode_utf8(&mut [0; 4]))),
        }
    }
    Regex::new(&expression).map_err(|error| format!("the pattern is too large: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pattern_takes_away() {
        use Reach::{Longest, Shortest};
        let cases = [
            ("*/", "/usr/local/bin", Shortest, "usr/local/bin"),
            ("*/", "/usr/local/bin", Longest, "bin"),
            ("?usr", "/usr/local/bin", Longest, "/local/bin"),
            ("usr", "/usr", Longest, "/usr"),
            (r"\*", "*star", Longest, "star"),
            ("한*", "한국어", Longest, ""),
        ];
        for (pattern, value, reach, expected) in cases {
            let pattern = Pattern::parse(pattern).expect("it is one");
            assert_eq!(pattern.without_prefix(value, reach).as_deref(), Ok(expected));
        }
        let cases = [
            (".*", "a.tar.gz", Shortest, "a.tar"),
            (".*", "a.tar.gz", Longest, "a"),
            ("?", "어국한", Shortest, "어국"),
            ("b", "abc", Shortest, "abc"),
            ("*", "a\nb", Longest, "a\n"),
        ];
        for (pattern, value, reach, expected) in cases {
            let pattern = Pattern::parse(pattern).expect("it is one");
            assert_eq!(pattern.without_suffix(value, reach).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_replaced() {
        let cases = [("o", "foo", "0", false, "f0o"), ("o", "foo", "0", true, "f00"), ("*", "foo", "$0", false, "$0")];
        for (pattern, value, by, all, expected) in cases {
            let pattern = Pattern::parse(pattern).expect("it is one");
            assert_eq!(pattern.replaced(value, by, all).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn wrong_patterns() {
        assert!(Pattern::parse(r"a\b").is_err());
        assert!(Pattern::parse("a\\").is_err());
    }
}
