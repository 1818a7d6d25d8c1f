//! Here-documents: `<<NAME` in a line, a body below it, and a line that is nothing but the name.

use std::borrow::Cow;

use crate::error::Result;
use crate::word::{Expansion, Lexer, NoVariables, Quotes, Variables};

/// A here-document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// The line that ends it.
    pub name: String,
    /// The number before `<<`, for a shell: which file descriptor reads it.
    pub descriptor: Option<u32>,
    /// Whether variables in it are replaced: not where any part of the name is quoted.
    pub expands: bool,
    /// `<<-`: tabs at the beginning of its lines are no part of it.
    pub strips_tabs: bool,
    /// Everything between, with these tabs.
    pub body: String,
}

impl Heredoc {
    /// All that a line names.
    pub(super) fn all_of(line: &str) -> Result<Vec<Heredoc>> {
        let lexer = Lexer::new('\\').with_quotes(Quotes::Kept).keeping_escapes().keeping_unset();
        // What is no line of a shell has no here-documents that anybody could mean.
        let words = lexer.expand(line, &NoVariables).map(|expansion| expansion.words).unwrap_or_default();
        words.iter().filter_map(|word| Heredoc::parse(word).transpose()).collect()
    }

    /// The here-document that a word names, if it names one: digits, `<<`, perhaps `-`, and one word of a shell.
    ///
    /// # Errors
    /// `Expansion` for a name with a quote that nothing closes.
    pub fn parse(word: &str) -> Result<Option<Heredoc>> {
        let digits = word.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let descriptor = &word[..word.len() - digits.len()];
        let Some(rest) = digits.strip_prefix("<<") else { return Ok(None) };
        let (strips_tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
        let rest = rest.trim_start();
        if rest.is_empty() || rest.contains('<') {
            return Ok(None);
        }
        let lexer = Lexer::new('\\').keeping_unset();
        let [name] = lexer.expand(rest, &NoVariables)?.words.try_into().unwrap_or_default();
        let quoted = lexer.with_quotes(Quotes::Kept).expand(rest, &NoVariables)?.text;
        let count = |text: &str| text.matches(['\'', '"']).count();
        let expands = count(&name) == count(&quoted);
        let is_one = !name.is_empty();
        let heredoc = Heredoc { name, descriptor: descriptor.parse().ok(), expands, strips_tabs, body: String::new() };
        Ok(is_one.then_some(heredoc))
    }

    /// What a file of this body has: variables replaced, unless the delimiter is quoted.
    ///
    /// # Errors
    /// `Expansion`.
    pub fn expanded(&self, variables: &dyn Variables) -> Result<Expansion> {
        let body = self.without_tabs();
        if !self.expands {
            return Ok(Expansion { text: body.into_owned(), ..Expansion::default() });
        }
        // Whatever escapes elsewhere in the file, in a body it is a backslash.
        Lexer::new('\\').with_quotes(Quotes::Literal).expand(&body, variables)
    }

    /// The body, without the tabs that are no part of it.
    pub fn without_tabs(&self) -> Cow<'_, str> {
        if !self.strips_tabs {
            return Cow::Borrowed(&self.body);
        }
        Cow::Owned(self.body.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_words_are_heredocs() {
        let cases = [
            ("<<EOF", Some(("EOF", true, false))),
            ("<<-EOF", Some(("EOF", true, true))),
            ("<<'EOF'", Some(("EOF", false, false))),
            ("<<\"EOF\"", Some(("EOF", false, false))),
            ("<<E'O'F", Some(("EOF", false, false))),
            ("<<- EOF", Some(("EOF", true, true))),
            ("<< EOF", Some(("EOF", true, false))),
            ("3<<EOF", Some(("EOF", true, false))),
            ("<<'E F'", Some(("E F", false, false))),
            ("<<$EOF", Some(("$EOF", true, false))),
            ("<<E\\'F", Some(("E'F", true, false))),
            ("<<<EOF", None),
            ("<EOF", None),
            ("x<<EOF", None),
            ("<<", None),
            ("<<-", None),
            ("<<a b", None),
            ("<<a<b", None),
        ];
        for (word, expected) in cases {
            let heredoc = Heredoc::parse(word).expect("its quotes are closed");
            let found = heredoc.as_ref().map(|heredoc| (&*heredoc.name, heredoc.expands, heredoc.strips_tabs));
            assert_eq!(found, expected, "{word}");
        }
        assert!(Heredoc::parse("<<'a").is_err());
        assert_eq!(Heredoc::parse("3<<a").expect("it is one").and_then(|heredoc| heredoc.descriptor), Some(3));
    }

    #[test]
    fn what_a_line_names() {
        let names = |line| {
            let all = Heredoc::all_of(line).expect("they are whole");
            all.into_iter().map(|heredoc| heredoc.name).collect::<Vec<_>>()
        };
        assert_eq!(names("COPY <<a <<-'b c' /x"), ["a", "b c"]);
        assert_eq!(names("RUN cat << a && cat <<b"), ["a", "b"]);
        assert_eq!(names("RUN echo \"<<X\" '<<Y' <<<Z $((1<<2))"), Vec::<String>::new());
    }
}
