//! What a parsed template consists of. Everything that can be wrong when it is applied knows its position; `Display`
//! writes it as Go does in errors.

use std::fmt::{self, Display, Write};

use serde_json::Number;

use crate::value::quoted;

/// One piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// Copied as it is.
    Text(String),
    /// `{{pipeline}}`.
    Action(Pipe),
    /// `{{if}}`, `{{with}}` or `{{range}}`.
    Branch(Branch),
    /// `{{break}}`.
    Break,
    /// `{{continue}}`.
    Continue,
}

/// Which branch a [`Branch`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    If,
    With,
    Range,
}

/// A condition or loop, and what depends on it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Branch {
    pub(crate) kind: Kind,
    pub(crate) pipe: Pipe,
    pub(crate) body: Vec<Node>,
    pub(crate) otherwise: Vec<Node>,
}

/// `$v := command | command`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pipe {
    pub(crate) position: usize,
    /// With their dollar signs.
    pub(crate) variables: Vec<String>,
    /// `=` instead of `:=`.
    pub(crate) assigns: bool,
    pub(crate) commands: Vec<Command>,
}

/// What stands between two bars.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Command {
    pub(crate) position: usize,
    /// At least one.
    pub(crate) operands: Vec<Operand>,
}

/// A word of a command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operand {
    pub(crate) position: usize,
    pub(crate) term: Term,
}

/// What a word is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    Dot,
    Nil,
    Bool(bool),
    /// The number, and its text.
    Number(Number, String),
    /// The string, and its text with quotes.
    Text(String, String),
    /// `.A.B`
    Field(Vec<String>),
    /// `$v.A.B`
    Variable(String, Vec<String>),
    Function(String),
    Pipe(Box<Pipe>),
    /// `(…).A.B`
    Chain(Box<Operand>, Vec<String>),
}

impl Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            let sign = if self.assigns { "=" } else { ":=" };
            write!(f, "{} {sign} ", self.variables.join(", "))?;
        }
        separated(f, &self.commands, " | ")
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, operand) in self.operands.iter().enumerate() {
            if index > 0 {
                f.write_char(' ')?;
            }
            match &operand.term {
                Term::Pipe(pipe) => write!(f, "({pipe})")?,
                _ => write!(f, "{operand}")?,
            }
        }
        Ok(())
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields =
            |f: &mut fmt::Formatter<'_>, names: &[String]| names.iter().try_for_each(|name| write!(f, ".{name}"));
        match &self.term {
            Term::Dot => f.write_str("."),
            Term::Nil => f.write_str("nil"),
            Term::Bool(value) => write!(f, "{value}"),
            Term::Number(_, text) | Term::Text(_, text) | Term::Function(text) => f.write_str(text),
            Term::Field(names) => fields(f, names),
            Term::Variable(name, names) => {
                f.write_str(name)?;
                fields(f, names)
            }
            Term::Pipe(pipe) => write!(f, "{pipe}"),
            Term::Chain(operand, names) => {
                match &operand.term {
                    Term::Pipe(pipe) => write!(f, "({pipe})")?,
                    _ => write!(f, "{operand}")?,
                }
                fields(f, names)
            }
        }
    }
}

fn separated<T: Display>(f: &mut fmt::Formatter<'_>, items: &[T], separator: &str) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

/// A string literal of the lexer, as a term.
pub(crate) fn text_term(value: String, raw: Option<&str>) -> Term {
    let shown = raw.map_or_else(|| quoted(&value), str::to_owned);
    Term::Text(value, shown)
}
