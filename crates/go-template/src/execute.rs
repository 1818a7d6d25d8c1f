//! Applies a parsed template to a value.

use std::borrow::Cow;
use std::fmt::Display;

use serde_json::{Map, Value as Json};

use crate::Missing;
use crate::error::Error;
use crate::functions::{self, Failure, LARGEST};
use crate::node::{Branch, Command, Kind, Node, Operand, Pipe, Term};
use crate::value::{Value, plain, printed};

/// How many nodes and words are evaluated at most: loops within loops over large values end.
const MOST_STEPS: u32 = 10_000_000;

struct Run<'t, 'v> {
    text: &'t str,
    missing: Missing,
    variables: Vec<(&'t str, Value<'v>)>,
    steps: u32,
    out: String,
}

/// What a loop does after a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// What the template makes of `value`.
pub(crate) fn execute(text: &str, nodes: &[Node], value: &Value<'_>, missing: Missing) -> Result<String, Error> {
    let mut run = Run { text, missing, variables: vec![("$", value.clone())], steps: 0, out: String::new() };
    run.list(nodes, value)?;
    Ok(run.out)
}

impl<'t, 'v> Run<'t, 'v> {
    fn error(&self, position: usize, node: &dyn Display, what: impl Display) -> Error {
        Error::execute(self.text, position, node, what)
    }

    fn step(&mut self, position: usize, node: &dyn Display) -> Result<(), Error> {
        self.steps += 1;
        if self.steps > MOST_STEPS || self.out.len() > LARGEST {
            return Err(self.error(position, node, "the template does too much"));
        }
        Ok(())
    }

    fn list(&mut self, nodes: &'t [Node], dot: &Value<'v>) -> Result<Flow, Error> {
        for node in nodes {
            let flow = match node {
                Node::Text(text) => {
                    self.out.push_str(text);
                    Flow::Next
                }
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        self.print(&value);
                    }
                    Flow::Next
                }
                Node::Branch(branch) => self.branch(branch, dot)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn print(&mut self, value: &Value<'v>) {
        match value {
            Value::Json(json) => self.out.push_str(&printed(json)),
            Value::Object(object) => self.out.push_str(&plain(&object.json())),
        }
    }

    fn branch(&mut self, branch: &'t Branch, dot: &Value<'v>) -> Result<Flow, Error> {
        let visible = self.variables.len();
        let value = self.pipe(&branch.pipe, dot)?;
        let flow = match branch.kind {
            Kind::Range => self.range(branch, &value, dot),
            _ if !value.is_true() => self.list(&branch.otherwise, dot),
            Kind::With => self.list(&branch.body, &value),
            Kind::If => self.list(&branch.body, dot),
        };
        self.variables.truncate(visible);
        flow
    }

    fn range(&mut self, branch: &'t Branch, value: &Value<'v>, dot: &Value<'v>) -> Result<Flow, Error> {
        let items = self.items(&branch.pipe, value)?;
        if items.is_empty() {
            return self.list(&branch.otherwise, dot);
        }
        for (key, item) in items {
            self.step(branch.pipe.position, &branch.pipe)?;
            let visible = self.variables.len();
            let values = match branch.pipe.variables.len() {
                2 => vec![Value::owned(key), item.clone()],
                _ => vec![item.clone()],
            };
            for (name, value) in branch.pipe.variables.iter().zip(values) {
                self.set(name, value);
            }
            let flow = self.list(&branch.body, &item)?;
            self.variables.truncate(visible);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    /// What a loop goes over, with the keys.
    fn items(&self, pipe: &Pipe, value: &Value<'v>) -> Result<Vec<(Json, Value<'v>)>, Error> {
        let refused = |shown: String| self.error(pipe.position, pipe, format_args!("range can't iterate over {shown}"));
        let json = match value {
            Value::Json(json) => json,
            Value::Object(object) => return Err(refused(plain(&object.json()))),
        };
        match json.as_ref() {
            Json::Null => Ok(Vec::new()),
            Json::Array(items) => {
                let part = |index: usize| child(json, |json| &json[index]);
                Ok((0..items.len()).map(|index| (index.into(), part(index))).collect())
            }
            Json::Object(fields) => {
                let part = |key: &str| child(json, |json| &json[key]);
                Ok(fields.keys().map(|key| (key.as_str().into(), part(key))).collect())
            }
            Json::Number(number) if number.is_u64() || number.is_i64() => {
                let count = number.as_u64().unwrap_or(0);
                if count > u64::from(MOST_STEPS) {
                    return Err(self.error(pipe.position, pipe, "the template does too much"));
                }
                Ok((0..count).map(|index| (index.into(), Value::owned(index.into()))).collect())
            }
            other => Err(refused(plain(other))),
        }
    }

    fn pipe(&mut self, pipe: &'t Pipe, dot: &Value<'v>) -> Result<Value<'v>, Error> {
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(command, dot, value)?);
        }
        let value = value.unwrap_or_else(|| Value::owned(Json::Null));
        for name in &pipe.variables {
            if pipe.assigns {
                self.set(name, value.clone());
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    /// Gives the innermost variable of this name another value.
    fn set(&mut self, name: &str, value: Value<'v>) {
        if let Some(variable) = self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            variable.1 = value;
        }
    }

    /// `last` is what came through the bar, the last argument.
    fn command(&mut self, command: &'t Command, dot: &Value<'v>, last: Option<Value<'v>>) -> Result<Value<'v>, Error> {
        self.step(command.position, command)?;
        let (first, rest) = (&command.operands[0], &command.operands[1..]);
        match &first.term {
            Term::Function(name) => return self.call(name, command, rest, dot, last),
            Term::Field(names) => return self.fields(dot.clone(), names, first, rest, dot, last),
            Term::Chain(operand, names) => {
                let value = self.operand(operand, dot)?;
                return self.fields(value, names, first, rest, dot, last);
            }
            Term::Variable(name, names) if !names.is_empty() => {
                let value = self.variable(name);
                return self.fields(value, names, first, rest, dot, last);
            }
            _ => {}
        }
        if !rest.is_empty() || last.is_some() {
            return Err(self.error(first.position, first, format_args!("can't give argument to non-function {first}")));
        }
        if first.term == Term::Nil {
            return Err(self.error(first.position, first, "nil is not a command"));
        }
        self.operand(first, dot)
    }

    /// A word as an argument.
    fn operand(&mut self, operand: &'t Operand, dot: &Value<'v>) -> Result<Value<'v>, Error> {
        self.step(operand.position, operand)?;
        match &operand.term {
            Term::Dot => Ok(dot.clone()),
            Term::Nil => Ok(Value::owned(Json::Null)),
            Term::Bool(value) => Ok(Value::owned((*value).into())),
            Term::Number(number, _) => Ok(Value::owned(Json::Number(number.clone()))),
            Term::Text(text, _) => Ok(Value::owned(text.as_str().into())),
            Term::Field(names) => self.fields(dot.clone(), names, operand, &[], dot, None),
            Term::Variable(name, names) => {
                let value = self.variable(name);
                self.fields(value, names, operand, &[], dot, None)
            }
            Term::Chain(inner, names) => {
                let value = self.operand(inner, dot)?;
                self.fields(value, names, operand, &[], dot, None)
            }
            Term::Pipe(pipe) => self.pipe(pipe, dot),
            Term::Function(name) => {
                let called = functions::call::<Json>(name, &[]);
                called.map(Value::owned).map_err(|what| self.error(operand.position, operand, what.wording(name)))
            }
        }
    }

    fn variable(&self, name: &str) -> Value<'v> {
        let found = self.variables.iter().rev().find(|(known, _)| *known == name);
        found.map_or_else(|| Value::owned(Json::Null), |(_, value)| value.clone())
    }

    fn call(
        &mut self,
        name: &str,
        command: &'t Command,
        words: &'t [Operand],
        dot: &Value<'v>,
        last: Option<Value<'v>>,
    ) -> Result<Value<'v>, Error> {
        if let ("and" | "or", false) = (name, words.is_empty()) {
            return self.until(name == "or", words, dot, last);
        }
        let mut arguments = Vec::with_capacity(words.len() + 1);
        for word in words {
            arguments.push(self.operand(word, dot)?);
        }
        arguments.extend(last);
        let arguments: Vec<Cow<'_, Json>> = arguments.iter().map(Value::json).collect();
        match functions::call(name, &arguments) {
            Ok(value) => Ok(Value::owned(value)),
            Err(failure) if failure.is_count() => {
                let first = &command.operands[0];
                Err(self.error(first.position, first, failure.wording(name)))
            }
            Err(Failure::Type(index, expected)) if index < words.len() => {
                let word = &words[index];
                let what = match word.term {
                    Term::Number(..) | Term::Text(..) | Term::Bool(_) => format!("expected {expected}; found {word}"),
                    _ => format!("wrong type for value; expected {expected}"),
                };
                Err(self.error(word.position, word, what))
            }
            Err(failure) => Err(self.error(command.position, command, failure.wording(name))),
        }
    }

    /// `and` and `or`: the first value that decides, or the last; what comes after is not evaluated.
    fn until(
        &mut self,
        decides: bool,
        words: &'t [Operand],
        dot: &Value<'v>,
        last: Option<Value<'v>>,
    ) -> Result<Value<'v>, Error> {
        let mut value = Value::owned(Json::Null);
        for word in words {
            value = self.operand(word, dot)?;
            if value.is_true() == decides {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    /// `.A.B` of a value; only the last of the names can be a method, which takes the arguments.
    fn fields(
        &mut self,
        mut value: Value<'v>,
        names: &[String],
        node: &'t Operand,
        words: &'t [Operand],
        dot: &Value<'v>,
        last: Option<Value<'v>>,
    ) -> Result<Value<'v>, Error> {
        let mut arguments = Vec::new();
        for word in words {
            arguments.push(self.operand(word, dot)?.json().into_owned());
        }
        arguments.extend(last.map(|last| last.json().into_owned()));
        for (index, name) in names.iter().enumerate() {
            let own: &[Json] = if index + 1 == names.len() { &arguments } else { &[] };
            value = self.field(&value, name, own).map_err(|what| self.error(node.position, node, what))?;
        }
        Ok(value)
    }

    fn field(&self, value: &Value<'v>, name: &str, arguments: &[Json]) -> Result<Value<'v>, String> {
        let json = match value {
            Value::Object(object) => {
                let absent = || Err(format!("can't evaluate field {name} in type {}", object.kind()));
                return object.field(name, arguments).unwrap_or_else(absent).map(Value::owned);
            }
            Value::Json(json) => json,
        };
        match json.as_ref() {
            Json::Object(fields) => {
                if !arguments.is_empty() {
                    return Err(format!("{name} is not a method but has arguments"));
                }
                match key(fields, name) {
                    Some(key) => {
                        let key = key.to_owned();
                        Ok(child(json, move |json| &json[key.as_str()]))
                    }
                    None if self.missing == Missing::NoValue || is_map(fields) => Ok(Value::owned(Json::Null)),
                    None => Err(format!("map has no entry for key {name:?}")),
                }
            }
            Json::Null if self.missing == Missing::NoValue => Ok(Value::owned(Json::Null)),
            Json::Null => Err(format!("nil pointer evaluating interface {{}}.{name}")),
            _ => Err(format!("can't evaluate field {name} in type interface {{}}")),
        }
    }
}

/// A part of a JSON value: borrowed if the whole is.
fn child<'v>(json: &Cow<'v, Json>, part: impl FnOnce(&Json) -> &Json) -> Value<'v> {
    match json {
        Cow::Borrowed(json) => Value::Json(Cow::Borrowed(part(json))),
        Cow::Owned(json) => Value::owned(part(json).clone()),
    }
}

/// The key that a field's name means. Docker's structures are called `ID` in Go and `Id` in JSON, and take both.
fn key<'a>(fields: &'a Map<String, Json>, name: &str) -> Option<&'a str> {
    let exact = fields.get_key_value(name);
    let (key, _) = exact.or_else(|| {
        let same = |(key, _): &(&String, &Json)| key.eq_ignore_ascii_case(name);
        fields.iter().find(same).filter(|_| !is_map(fields))
    })?;
    Some(key)
}

/// Whether the keys are not names of fields: all values are strings, as in a map of labels.
fn is_map(fields: &Map<String, Json>) -> bool {
    fields.values().all(Json::is_string)
}
