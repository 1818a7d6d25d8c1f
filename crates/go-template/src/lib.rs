//! Go's `text/template` with the functions that docker adds, over JSON: what `--format` takes.
//!
//! Templates are typed by users and copied from scripts that were written for docker, so what is printed for a value, and
//! the text of an error with its position, are Go's. A template is bounded: in nesting, in steps, and in what it writes;
//! none makes this crate panic. Not here: `define`, `block` and `template`, because docker's formats have one template.
//!
//! Source: the documentation of Go's packages `text/template` and `fmt`, and of docker's "Format command and log output".

/// Why a template is wrong, or cannot be applied to a value.
mod error;
/// Applies a parsed template to a value.
mod execute;
/// What a template may call.
mod functions;
/// Text to tokens.
mod lex;
/// What a parsed template consists of.
mod node;
/// Tokens to nodes.
mod parse;
/// `printf` and its verbs.
mod printf;
/// Values, and how they are printed.
mod value;

pub use error::Error;
pub use value::{Object, Value, quoted};

/// What a field that a JSON object lacks is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// Printed as `<no value>`.
    #[default]
    NoValue,
    /// An error, unless all values of the object are strings: then it is a map and not a structure, such as one of labels.
    Error,
}

/// A template that was parsed.
#[derive(Debug, Clone)]
pub struct Template {
    text: String,
    nodes: Vec<node::Node>,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// What is wrong with it and in which line, in Go's words.
    pub fn parse(text: &str) -> Result<Template, Error> {
        Ok(Template { text: text.to_owned(), nodes: parse::parse(text)? })
    }

    /// What the template makes of a value.
    ///
    /// # Errors
    /// What cannot be done with the value and where, in Go's words.
    pub fn render(&self, value: &Value<'_>, missing: Missing) -> Result<String, Error> {
        execute::execute(&self.text, &self.nodes, value, missing)
    }
}
