//! Which files are left out: `.dockerignore`, and `--exclude` of `ADD` and `COPY`.
//!
//! Paths are relative to the context, with `/` between their parts and none at their ends. What a pattern excludes is excluded
//! with all that is in it; of several patterns the last one that matches decides; one that begins with `!` brings back.
//!
//! Source: ".dockerignore file" of the Dockerfile reference.

/// One pattern.
mod glob;

use crate::error::{Error, Result};
use crate::path::clean;
use crate::statement::Lines;
use glob::Glob;

/// Patterns in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    glob: Glob,
    /// Whether it brings back what others have excluded.
    is_exception: bool,
}

/// A source of `ADD` or `COPY` with wildcards, or one part of it: `*` and `?` take no slash, and of two stars one means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard(Glob);

impl Wildcard {
    /// Whether the text has wildcards at all.
    pub fn is_in(text: &str) -> bool {
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '*' | '?' | '[' => return true,
                '\\' => drop(characters.next()),
                _ => {}
            }
        }
        false
    }

    /// # Errors
    /// `Syntax` for a pattern that there cannot be.
    pub fn parse(text: &str) -> Result<Wildcard> {
        let mut once = String::with_capacity(text.len());
        for character in text.chars() {
            if character != '*' || !once.ends_with('*') || once.ends_with("\\*") {
                once.push(character);
            }
        }
        Glob::parse(&once).map(Wildcard).map_err(|why| Error::syntax(format!("{text:?}: {why}")).at_word(text))
    }

    /// Whether it means the whole text.
    pub fn matches(&self, text: &str) -> bool {
        self.0.matches(text)
    }
}

/// What patterns say of a path; whoever looks at what is below it says so again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Which patterns match it or something above it.
    matching: Vec<bool>,
    is_excluded: bool,
}

impl Verdict {
    /// Whether the path is left out.
    pub fn is_excluded(&self) -> bool {
        self.is_excluded
    }
}

impl Patterns {
    /// Reads a file of patterns: one in each line, and comments that begin with `#` in the first column.
    ///
    /// # Errors
    /// `Syntax` with the line, for a pattern that there cannot be.
    pub fn parse(bytes: &[u8]) -> Result<Patterns> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
        let mut patterns = Vec::new();
        for (number, line) in lines.filter(|(_, line)| !line.starts_with(b"#")) {
            let here = Lines { first: number, last: number };
            let text = std::str::from_utf8(line).map_err(|_| Error::syntax("the line is not UTF-8").in_lines(here))?;
            let text = text.trim();
            if !text.is_empty() {
                patterns.push(Pattern::parse(text).map_err(|error| error.in_lines(here))?);
            }
        }
        Ok(Patterns(patterns))
    }

    /// Patterns that are given one by one.
    ///
    /// # Errors
    /// `Syntax` for one that there cannot be.
    pub fn of<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Patterns> {
        patterns.into_iter().map(|text| Pattern::parse(text.trim())).collect::<Result<_>>().map(Patterns)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether nothing in an excluded directory can come back, so that nobody has to look into it.
    pub fn excludes_for_good(&self, verdict: &Verdict) -> bool {
        verdict.is_excluded && !self.have_exceptions()
    }

    /// Whether some of them bring back what others exclude.
    pub fn have_exceptions(&self) -> bool {
        self.0.iter().any(|pattern| pattern.is_exception)
    }

    /// Whether one of them excludes all that there can be.
    pub(crate) fn exclude_everything(&self) -> bool {
        let everything = ["*", "**", "**/*"].map(Glob::parse);
        self.0.iter().any(|pattern| !pattern.is_exception && everything.contains(&Ok(pattern.glob.clone())))
    }

    /// What they say of a path, and `above` of the directory it is in; of what is in the context itself, a default verdict.
    pub fn verdict(&self, path: &str, above: &Verdict) -> Verdict {
        let mut verdict = Verdict { matching: Vec::with_capacity(self.0.len()), is_excluded: false };
        for (number, pattern) in self.0.iter().enumerate() {
            let is_below = above.matching.get(number).copied().unwrap_or_default();
            // Also where it changes nothing: below, it may.
            let matches = is_below || pattern.glob.matches(path);
            verdict.matching.push(matches);
            if matches {
                verdict.is_excluded = !pattern.is_exception;
            }
        }
        verdict
    }

    /// The same for a path of which nobody has looked at what is above it.
    pub fn exclude(&self, path: &str) -> bool {
        let mut verdict = Verdict::default();
        let ends = path.match_indices('/').map(|(slash, _)| slash).chain([path.len()]);
        for end in ends {
            verdict = self.verdict(&path[..end], &verdict);
        }
        verdict.is_excluded
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Pattern> {
        let (is_exception, path) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest.trim()));
        if path.is_empty() {
            return Err(Error::syntax(format!("{text:?}: a pattern is missing")).at_word(text));
        }
        let glob = Glob::parse(in_context(path).trim())
            .map_err(|why| Error::syntax(format!("{text:?}: {why}")).at_word(text))?;
        Ok(Pattern { glob, is_exception })
    }
}

/// A path as patterns are matched with it: from the context, which is `.`.
pub(crate) fn in_context(path: &str) -> String {
    match clean(path).trim_start_matches('/') {
        "" => ".".to_owned(),
        path => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(text: &str) -> Patterns {
        Patterns::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    #[test]
    fn the_last_that_matches_decides() {
        let cases = [
            ("*.md\n!README.md", &["a.md"][..], &["README.md", "a", "b/a.md"][..]),
            ("*.md\n!README*.md\nREADME-secret.md", &["a.md", "README-secret.md"], &["README.md", "README-1.md"]),
            ("*.md\nREADME-secret.md\n!README*.md", &["a.md"], &["README-secret.md"]),
            ("*\n!src", &["a", "srcs", "b/src"], &["src", "src/a", "src/a/b"]),
            ("src\n!src/keep", &["src", "src/a", "src/a/keep"], &["src/keep", "src/keep/a"]),
            ("**\n!**/*.go", &["a", "b/a"], &["a.go", "b/c/a.go"]),
            ("a/b\n!a", &[], &["a", "a/b", "a/b/c"]),
            ("a\n!a\na/b", &["a/b", "a/b/c"], &["a", "a/c"]),
        ];
        for (text, excluded, included) in cases {
            let patterns = patterns(text);
            for path in excluded {
                assert!(patterns.exclude(path), "{text:?} excludes {path}");
            }
            for path in included {
                assert!(!patterns.exclude(path), "{text:?} does not exclude {path}");
            }
        }
    }

    #[test]
    fn lines_are_cleaned() {
        let all = patterns("\u{feff}# comment\n /a/ \r\n\n./b/../c//d\n !  /e\n #f\n");
        assert_eq!(all, Patterns::of(["a", "c/d", "!e", "#f"]).expect("they are patterns"));
        assert!(patterns("..").exclude("..") && !patterns("/..").exclude(".."));
    }

    #[test]
    fn a_directory_that_nothing_comes_back_from_is_not_entered() {
        let closed = patterns("a");
        assert!(closed.excludes_for_good(&closed.verdict("a", &Verdict::default())));
        let open = patterns("a\n!a/b");
        assert!(!open.excludes_for_good(&open.verdict("a", &Verdict::default())));
    }

    #[test]
    fn wildcards_of_sources() {
        let cases = [
            ("*", true, "a", true),
            ("**", true, "a/b", false),
            ("a**b", true, "axb", true),
            ("\\**", true, "*a", true),
            ("\\*", false, "*", true),
            ("[a-c]?", true, "bx", true),
            ("a", false, "b", false),
        ];
        for (text, is_one, path, matches) in cases {
            let wildcard = Wildcard::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!((Wildcard::is_in(text), wildcard.matches(path)), (is_one, matches), "{text:?} and {path:?}");
        }
        assert_eq!(Wildcard::parse("[a").expect_err("is not closed").to_string(), "\"[a\": a '[' is not closed");
    }

    #[test]
    fn what_is_no_pattern() {
        let cases = [
            ("a\n!", "\"!\": a pattern is missing"),
            ("a\n[b", "\"[b\": a '[' is not closed"),
            ("a\n[]", "\"[]\": a '[' is not closed"),
        ];
        for (text, message) in cases {
            let error = Patterns::parse(text.as_bytes()).expect_err(text);
            assert_eq!((error.to_string().as_str(), error.lines()), (message, Some(Lines { first: 2, last: 2 })));
        }
    }
}
