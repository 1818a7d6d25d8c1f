//! Errors for people: the message, the lines of the file with what is wrong underlined, and what may have been meant.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, Title};

use crate::check::Finding;
use crate::error::Error;
use crate::statement::Lines;

/// How a report looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Signs alone.
    Plain,
    /// With colours as well, for a terminal.
    Colored,
}

impl Error {
    /// The error with what it is about: `text` is the file that was read, and `name` what it is called.
    ///
    /// ```text
    /// error: unknown instruction: COPPY
    ///  --> Dockerfile:2:1
    ///   |
    /// 2 | COPPY . /
    ///   | ^^^^^
    ///   |
    ///   = help: did you mean COPY?
    /// ```
    pub fn report(&self, name: &str, text: &str, look: Look) -> String {
        let message = self.to_string();
        let title = Level::ERROR.primary_title(message.as_str());
        render(title, (name, text), self.lines().map(|lines| (lines, self.word())), self.hint(), look)
    }
}

impl Finding {
    /// The finding with the lines that it is about, as [`Error::report`] shows an error, and where its rule is explained.
    pub fn report(&self, name: &str, text: &str, look: Look) -> String {
        let title = Level::WARNING.primary_title(self.message.as_str()).id(self.rule.name());
        render(title, (name, text), Some((self.lines, None)), Some(&self.rule.url()), look)
    }
}

/// What is wrong, in which lines at which word of the file (its name and its text), and what helps.
fn render(
    title: Title<'_>,
    (name, text): (&str, &str),
    place: Option<(Lines, Option<&str>)>,
    help: Option<&str>,
    look: Look,
) -> String {
    // The renderer makes the title and the file harmless, and these two not.
    let (name, help) = (harmless(name), help.map(harmless));
    let marked = place.and_then(|(lines, word)| marked(text, lines, word));
    let snippet = marked.map(|(lines, span)| {
        Snippet::source(&text[lines.clone()])
            .path(name.as_str())
            .line_start(line_of(text, lines.start))
            .annotation(AnnotationKind::Primary.span(span.start - lines.start..span.end - lines.start))
    });
    let help = help.as_deref().map(|help| Level::HELP.message(help));
    let group = match (snippet, help) {
        (None, None) => annotate_snippets::Group::with_title(title),
        (None, Some(help)) => title.element(help),
        (Some(snippet), None) => title.element(snippet),
        (Some(snippet), Some(help)) => title.element(snippet).element(help),
    };
    let renderer = if look == Look::Colored { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

/// A stranger's text without what a terminal would obey.
fn harmless(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// The bytes of the lines, and of what is wrong in them: the word, or if it stands nowhere as it is, the first line. None for
/// lines that the text has not.
fn marked(text: &str, lines: Lines, word: Option<&str>) -> Option<(Range<usize>, Range<usize>)> {
    let start = lines.first.checked_sub(1).and_then(|before| start_of(text, before))?;
    let end = start_of(text, lines.last).unwrap_or(text.len());
    let of_word = word.filter(|word| !word.is_empty()).and_then(|word| {
        let at = start + text[start..end].find(word)?;
        Some(at..at + word.len())
    });
    let of_line = || {
        let line = text[start..end].lines().next().unwrap_or_default();
        let indent = line.len() - line.trim_start().len();
        start + indent..start + line.trim_end().len().max(indent)
    };
    let span = of_word.unwrap_or_else(of_line);
    Some((start..end, span))
}

/// Where the line begins that has so many before it.
fn start_of(text: &str, before: usize) -> Option<usize> {
    if before == 0 {
        return Some(0);
    }
    text.match_indices('\n').nth(before - 1).map(|(newline, _)| newline + 1)
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str, error: &Error) -> String {
        error.report("Dockerfile", text, Look::Plain)
    }

    #[test]
    fn the_word_is_underlined_where_it_is_wrong() {
        let text = "FROM scratch\nLABEL a=b\nCOPY a b\nCOPY \\\n  --form=b a b\nRUN x\n";
        let error = crate::Stages::parse(text.as_bytes()).expect_err("there is no such flag");
        let expected = "\
error: COPY: unknown flag --form
 --> Dockerfile:5:3
  |
5 |   --form=b a b
  |   ^^^^^^
  |
  = help: did you mean --from?";
        assert_eq!(report(text, &error), expected);
    }

    #[test]
    fn without_a_word_the_line_is() {
        let text = "FROM a\nRUN \"$x\n";
        let error = Error::expansion("missing the second of two double quotes").in_lines(Lines { first: 2, last: 2 });
        let expected = "\
error: missing the second of two double quotes
 --> Dockerfile:2:1
  |
2 | RUN \"$x
  | ^^^^^^^";
        assert_eq!(report(text, &error), expected);
    }

    #[test]
    fn a_finding_has_its_rule_and_where_that_is_explained() {
        let text = "from a AS B\n";
        let finding = Finding {
            lines: Lines { first: 1, last: 1 },
            rule: crate::check::Rule::StageNameCasing,
            message: "upper case".to_owned(),
        };
        let expected = "\
warning[StageNameCasing]: upper case
 --> Dockerfile:1:1
  |
1 | from a AS B
  | ^^^^^^^^^^^
  |
  = help: https://docs.docker.com/go/dockerfile/rule/stage-name-casing/";
        assert_eq!(finding.report("Dockerfile", text, Look::Plain), expected);
    }

    #[test]
    fn who_does_not_know_the_lines_shows_none() {
        assert_eq!(report("", &Error::syntax("what").with_hint("that")), "error: what\n |\n = help: that");
        let nowhere = Error::syntax("what").in_lines(Lines { first: 9, last: 9 });
        assert_eq!(report("FROM a\n", &nowhere), "error: what");
    }

    #[test]
    fn no_terminal_obeys_what_a_stranger_wrote() {
        let text = "FROM a\nCOPPY \u{1b}[2J b\n";
        let error = crate::Stages::parse(text.as_bytes()).expect_err("there is no such instruction");
        let twice = Error::syntax("\u{1b}[2J").with_hint("\u{1b}]0;x\u{7}").in_lines(Lines { first: 2, last: 2 });
        for shown in [error, twice].map(|error| error.report("\u{1b}[2J", text, Look::Plain)) {
            assert!(!shown.contains(|letter: char| letter.is_control() && letter != '\n'), "{shown:?}");
        }
    }

    #[test]
    fn colours_are_for_terminals() {
        assert!(Error::syntax("what").report("Dockerfile", "", Look::Colored).contains('\u{1b}'));
    }
}
