//! A Dockerfile as statements: what stands in it, before it is asked what that means.

/// What follows an instruction's name, by the shape that instruction has.
mod arguments;
/// Comments at the top that say how to read the rest.
mod directives;
/// Here-documents.
mod heredoc;
/// Lines, and those that are continued.
mod lines;
/// Text split into words with their quotes.
mod split;

pub use arguments::{Arguments, Pair, Separator};
pub use directives::{Directive, Directives, syntax};
pub use heredoc::Heredoc;

use std::fmt::{self, Display};

use crate::error::{Error, Result};
use lines::Reader;

/// Lines of the file, from one to another and both included; the first has the number 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lines {
    /// Where it begins.
    pub first: usize,
    /// Where it ends.
    pub last: usize,
}

impl Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// A Dockerfile that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    /// What its first comments say.
    pub directives: Directives,
    /// Everything else, in its order. There is at least one.
    pub statements: Vec<Statement>,
    /// Lines that are empty although the one before them is continued, each with the statement's last line.
    pub empty_continuations: Vec<EmptyContinuation>,
}

/// A statement with an empty line in its middle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmptyContinuation {
    /// The statement, joined.
    pub text: String,
    /// Its last line.
    pub line: usize,
}

/// An instruction as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The first word: an instruction's name, in whatever case, or something that is none.
    pub name: String,
    /// Words after it that begin with `--`, without their quotes.
    pub flags: Vec<String>,
    /// What follows.
    pub arguments: Arguments,
    /// Bodies of here-documents, in the order in which they are named.
    pub heredocs: Vec<Heredoc>,
    /// All of it but these bodies, joined.
    pub text: String,
    /// Where it stands.
    pub lines: Lines,
    /// Comments directly before it, without `#`.
    pub comments: Vec<String>,
}

impl Dockerfile {
    /// Reads one.
    ///
    /// # Errors
    /// `Syntax` with the lines, for what the reference does not allow, and when there is no statement.
    pub fn parse(bytes: &[u8]) -> Result<Dockerfile> {
        let mut reader = Reader::new(bytes);
        let directives = Directives::read(&mut reader)?;
        let escape = directives.escape;
        let mut statements = Vec::new();
        let mut empty_continuations = Vec::new();
        while let Some(line) = reader.next_logical(escape)? {
            if line.has_empty_continuation {
                let text = line.text.clone();
                empty_continuations.push(EmptyContinuation { text, line: line.lines.last });
            }
            let mut statement =
                Statement::parse(&line.text, escape, line.lines).map_err(|error| error.in_lines(line.lines))?;
            statement.comments = line.comments;
            statement.read_heredocs(&mut reader)?;
            statements.push(statement);
        }
        if statements.is_empty() {
            return Err(Error::syntax("the file has no instructions").with_hint("begin with FROM"));
        }
        Ok(Dockerfile { directives, statements, empty_continuations })
    }
}

impl Statement {
    /// Reads a line, which has no line breaks any more.
    fn parse(text: &str, escape: char, lines: Lines) -> Result<Statement> {
        let (name, rest) = split::first_word(text.trim());
        let (flags, rest) = split::flags(rest, escape);
        let arguments = Arguments::parse(name, rest.trim(), escape, lines)?;
        Ok(Statement {
            name: name.to_owned(),
            flags,
            arguments,
            heredocs: Vec::new(),
            text: text.to_owned(),
            lines,
            comments: Vec::new(),
        })
    }

    /// The one that an image keeps for whoever builds upon it (`ONBUILD`), with the bodies of its here-documents.
    ///
    /// # Errors
    /// As of [`Dockerfile::parse`].
    pub fn parse_trigger(text: &str) -> Result<Statement> {
        let parsed = Dockerfile::parse(text.as_bytes())?;
        match <[Statement; 1]>::try_from(parsed.statements) {
            Ok([statement]) => statement.refuse_as_trigger().map(|()| statement),
            Err(all) => Err(Error::syntax(format!("a trigger is one instruction, and these are {}", all.len()))),
        }
    }

    /// An image cannot begin a stage of whoever builds upon it, nor trigger triggers.
    pub(crate) fn refuse_as_trigger(&self) -> Result<()> {
        match ["FROM", "MAINTAINER", "ONBUILD"].into_iter().find(|name| self.is(name)) {
            Some(name) => Err(Error::syntax(format!("{name} cannot be a trigger of ONBUILD")).at_word(&self.name)),
            None => Ok(()),
        }
    }

    /// Reads what its here-documents contain.
    fn read_heredocs(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        if !self.may_have_heredocs() || !self.text.contains("<<") {
            return Ok(());
        }
        for mut heredoc in Heredoc::all_of(&self.text).map_err(|error| error.in_lines(self.lines))? {
            let body = reader.heredoc(&heredoc);
            self.lines.last = reader.line();
            heredoc.body = body?.ok_or_else(|| {
                Error::syntax(format!("no line ends the heredoc {:?}", heredoc.name))
                    .with_hint(format!("write {} alone on the line after its text", heredoc.name))
                    .at_word(format!("<<{}", heredoc.name))
                    .in_lines(self.lines)
            })?;
            self.heredocs.push(heredoc);
        }
        Ok(())
    }

    fn may_have_heredocs(&self) -> bool {
        match &self.arguments {
            Arguments::Trigger(trigger) if self.is("ONBUILD") => trigger.may_have_heredocs(),
            Arguments::Exec(_) => false,
            _ => self.is("ADD") || self.is("COPY") || self.is("RUN"),
        }
    }

    /// Whether it is this instruction, in whatever case it is written.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

#[cfg(test)]
mod tests;
