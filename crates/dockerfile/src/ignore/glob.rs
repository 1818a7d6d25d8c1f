//! One pattern: `*` and `?` within a part of a path, `[…]` for one of several characters, `**` for any number of parts, and a
//! backslash before what is meant as it is.
//!
//! Ten thousand files are matched against dozens of these at every build, so no expression is compiled and nothing is
//! allocated. What can be matched in several ways is tried again from the last `*` and the last `**` only: what stands
//! before them cannot fail because of what stands after.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(char),
    /// `?`: one character of a part.
    One,
    /// `[…]`: one of these, or one of no others.
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// `*`: characters of a part.
    Many,
    /// `**/`: parts with what follows each, or nothing.
    Parts,
    /// `**`: everything.
    All,
}

impl Glob {
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(text: &str) -> Result<Glob, String> {
        let mut pieces = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            pieces.push(match character {
                '*' if rest.next_if_eq(&'*').is_some() => {
                    let has_slash = rest.next_if_eq(&'/').is_some();
                    let is_last = rest.peek().is_none();
                    // One that begins the pattern, and is followed by a name at once, is any beginning of that name.
                    let begins_name = pieces.is_empty() && !has_slash && is_literal(&text[2..]);
                    if is_last || begins_name { Piece::All } else { Piece::Parts }
                }
                '*' => Piece::Many,
                '?' => Piece::One,
                '[' => set(&mut rest)?,
                // One that is the last means itself: names from Windows end so.
                '\\' => Piece::Literal(rest.next().unwrap_or('\\')),
                other => Piece::Literal(other),
            });
        }
        Ok(Glob(pieces))
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        let (mut piece, mut rest) = (0, path);
        // Where to go on after a mismatch: the piece after a star, and what it has not taken yet.
        let mut after_many: Option<(usize, &str)> = None;
        let mut after_parts: Option<(usize, &str)> = None;
        loop {
            match self.0.get(piece) {
                None if rest.is_empty() => return true,
                Some(Piece::All) if piece + 1 == self.0.len() => return true,
                Some(Piece::All) => return self.ends(piece + 1, rest),
                Some(Piece::Many) => {
                    piece += 1;
                    after_many = Some((piece, rest));
                    continue;
                }
                Some(Piece::Parts) => {
                    piece += 1;
                    (after_many, after_parts) = (None, Some((piece, rest)));
                    continue;
                }
                Some(one) => {
                    let mut characters = rest.chars();
                    if characters.next().is_some_and(|character| one.takes(character)) {
                        (piece, rest) = (piece + 1, characters.as_str());
                        continue;
                    }
                }
                None => {}
            }
            if let Some((next, from)) = after_many {
                let mut characters = from.chars();
                if characters.next().is_some_and(|character| character != '/') {
                    after_many = Some((next, characters.as_str()));
                    (piece, rest) = (next, characters.as_str());
                    continue;
                }
            }
            let Some((next, from)) = after_parts else { return false };
            let Some((_, below)) = from.split_once('/') else { return false };
            (after_many, after_parts) = (None, Some((next, below)));
            (piece, rest) = (next, below);
        }
    }

    /// Whether the path ends with what the pieces are, all of which are characters.
    fn ends(&self, first: usize, path: &str) -> bool {
        let name: String = self.0[first..].iter().filter_map(Piece::literal).collect();
        path.ends_with(&name)
    }
}

impl Piece {
    fn takes(&self, character: char) -> bool {
        match self {
            Piece::Literal(literal) => *literal == character,
            Piece::Set { negated, ranges } => {
                *negated != ranges.iter().any(|(first, last)| (*first..=*last).contains(&character))
            }
            _ => character != '/',
        }
    }

    fn literal(&self) -> Option<char> {
        match self {
            Piece::Literal(character) => Some(*character),
            _ => None,
        }
    }
}

/// Whether everything in it means itself.
fn is_literal(text: &str) -> bool {
    !text.contains(['*', '?', '[', ']', '\\'])
}

/// What follows `[`.
fn set(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Piece, String> {
    const OPEN: &str = "a '[' is not closed";
    let negated = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while rest.peek() != Some(&']') || ranges.is_empty() {
        let mut character = || match rest.next().ok_or(OPEN)? {
            '\\' => rest.next().ok_or(OPEN),
            // Neither stands for itself in a set.
            ']' if ranges.is_empty() => Err(OPEN),
            '-' => Err("a '-' in a set stands between two characters"),
            other => Ok(other),
        };
        let first = character()?;
        let last = if rest.next_if_eq(&'-').is_some() {
            match rest.next().ok_or(OPEN)? {
                '\\' => rest.next().ok_or(OPEN)?,
                other => other,
            }
        } else {
            first
        };
        ranges.push((first, last));
    }
    rest.next();
    Ok(Piece::Set { negated, ranges })
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn what_a_pattern_matches() {
        let cases: [(&str, &[&str], &[&str]); 24] = [
            ("a", &["a"], &["b", "a/b", "aa", ""]),
            ("a/b", &["a/b"], &["a", "b"]),
            ("*", &["a", ""], &["a/b"]),
            ("*.go", &["a.go", ".go", "a.go.go"], &["a/b.go", "a.goo"]),
            ("a*b*c", &["abc", "axbxc", "abbcc"], &["ab", "a/bc", "abcd"]),
            ("a?c", &["abc", "a한c"], &["ac", "a/c", "abbc"]),
            ("?", &["a"], &["", "ab", "/"]),
            ("**", &["a", "a/b/c", ""], &[]),
            ("**/a", &["a", "b/a", "b/c/a"], &["ba", "a/b", "b/ba"]),
            ("**/*.go", &["a.go", "b/a.go", "b/c/a.go"], &["a.goo", "a.go/b"]),
            ("a/**", &["a/b", "a/b/c"], &["a", "ab"]),
            ("a/**/b", &["a/b", "a/c/b", "a/c/d/b"], &["a", "b", "ab", "a/cb", "xa/b"]),
            ("a**", &["a", "ab", "a/b", "ab/c"], &["b"]),
            ("**a", &["a", "ba", "b/a", "b/ca"], &["ab"]),
            ("****a", &["a", "b/a"], &["ba", "b/ca"]),
            ("**a*", &["a", "ab", "b/ac"], &["ba"]),
            ("a/**/b/*.c", &["a/b/x.c", "a/d/b/x.c", "a/b/b/x.c"], &["a/b/d/x.c"]),
            ("**/b/**/c", &["b/c", "a/b/d/c", "b/b/c"], &["a/c", "b/a"]),
            ("[a-c]x", &["ax", "bx", "cx"], &["dx", "x", "-x"]),
            ("[^a-c]x", &["dx"], &["ax", "x"]),
            ("[ab\\]]", &["a", "]"], &["\\", "c"]),
            ("a\\", &["a\\"], &["a"]),
            ("a\\*b", &["a*b"], &["axb", "a\\*b"]),
            ("(a).{b}+$|^", &["(a).{b}+$|^"], &["a", "(a)x{b}+$|^"]),
        ];
        for (pattern, matching, others) in cases {
            let glob = Glob::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            for path in matching {
                assert!(glob.matches(path), "{pattern} matches {path}");
            }
            for path in others {
                assert!(!glob.matches(path), "{pattern} does not match {path}");
            }
        }
    }

    #[test]
    fn wrong_patterns() {
        for pattern in ["[", "[a", "[]", "[]a]", "[^", "[a-", "[-a]", "[a-]", "[\\"] {
            assert!(Glob::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn many_stars_take_no_more_time_than_their_number() {
        let pattern = format!("**/{}b", "*a".repeat(200));
        let path = format!("{}/c", "a".repeat(20_000));
        assert!(!Glob::parse(&pattern).expect("it is one").matches(&path));
    }
}
