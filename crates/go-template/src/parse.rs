//! Tokens to nodes.

use serde_json::Number;

use crate::error::Error;
use crate::functions;
use crate::lex::{Kind, Token, lex};
use crate::node::{Branch, Command, Kind as BranchKind, Node, Operand, Pipe, Term, text_term};
use crate::value::{quoted, unquoted};

/// How deep blocks and parentheses may nest: each level is one of the stack, here and when the template is applied.
const DEEPEST: usize = 100;

/// What Go has and a template of one piece has no use for.
const UNSUPPORTED: [&str; 3] = ["block", "define", "template"];

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    /// How many loops are open.
    loops: usize,
    /// Variables that can be seen here.
    variables: Vec<&'a str>,
}

/// What ends a list of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The end of the text.
    Text,
    /// `{{end}}`.
    End,
    /// `{{else`, of which what follows is still to be read.
    Else,
}

/// Parses a template.
pub(crate) fn parse(text: &str) -> Result<Vec<Node>, Error> {
    let mut parser = Parser { tokens: lex(text)?, at: 0, depth: 0, loops: 0, variables: vec!["$"] };
    let (nodes, ending) = parser.list()?;
    match ending {
        Ending::Text => Ok(nodes),
        Ending::End => Err(parser.error("unexpected {{end}}")),
        Ending::Else => Err(parser.error("unexpected {{else}}")),
    }
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        // The last token is the end, which is never passed.
        self.tokens[self.at]
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        if token.kind != Kind::End {
            self.at += 1;
        }
        token
    }

    /// About the token that was taken last.
    fn error(&self, what: impl std::fmt::Display) -> Error {
        Error::parse(self.tokens[self.at.saturating_sub(1)].line, what)
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == DEEPEST {
            return Err(self.error(format_args!("nested deeper than {DEEPEST}")));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn list(&mut self) -> Result<(Vec<Node>, Ending), Error> {
        let mut nodes = Vec::new();
        loop {
            let token = self.next();
            match token.kind {
                Kind::End => return Ok((nodes, Ending::Text)),
                Kind::Text => nodes.push(Node::Text(token.text.to_owned())),
                Kind::Left => match self.peek() {
                    word if word.kind == Kind::Word && word.text == "end" => {
                        self.next();
                        self.right("end")?;
                        return Ok((nodes, Ending::End));
                    }
                    word if word.kind == Kind::Word && word.text == "else" => {
                        self.next();
                        return Ok((nodes, Ending::Else));
                    }
                    _ => nodes.push(self.action()?),
                },
                _ => return Err(unexpected(token, "input")),
            }
        }
    }

    fn right(&mut self, context: &str) -> Result<(), Error> {
        match self.next() {
            token if token.kind == Kind::Right => Ok(()),
            token => Err(unexpected(token, context)),
        }
    }

    fn action(&mut self) -> Result<Node, Error> {
        let word = self.peek();
        if word.kind == Kind::Word {
            let branch = match word.text {
                "if" => Some(BranchKind::If),
                "with" => Some(BranchKind::With),
                "range" => Some(BranchKind::Range),
                _ => None,
            };
            if let Some(kind) = branch {
                self.next();
                return self.deeper(|parser| parser.branch(kind)).map(Node::Branch);
            }
            if matches!(word.text, "break" | "continue") {
                self.next();
                return self.leave(word);
            }
            if UNSUPPORTED.contains(&word.text) {
                return Err(Error::parse(word.line, format_args!("{{{{{}}}}} is not supported", word.text)));
            }
        }
        self.pipe("command", Kind::Right).map(Node::Action)
    }

    fn leave(&mut self, word: Token<'_>) -> Result<Node, Error> {
        if self.loops == 0 {
            return Err(Error::parse(word.line, format_args!("{{{{{}}}}} outside {{{{range}}}}", word.text)));
        }
        self.right(&format!("{{{{{}}}}}", word.text))?;
        Ok(if word.text == "break" { Node::Break } else { Node::Continue })
    }

    /// What follows `{{if`, `{{with` or `{{range`, up to its `{{end}}`.
    fn branch(&mut self, kind: BranchKind) -> Result<Branch, Error> {
        let (visible, name) = (self.variables.len(), word_of(kind));
        let pipe = self.pipe(name, Kind::Right)?;
        self.loops += usize::from(kind == BranchKind::Range);
        let (body, ending) = self.list()?;
        self.loops -= usize::from(kind == BranchKind::Range);
        let otherwise = match ending {
            Ending::End => Vec::new(),
            Ending::Else => self.otherwise(kind)?,
            Ending::Text => return Err(self.error("unexpected EOF")),
        };
        self.variables.truncate(visible);
        Ok(Branch { kind, pipe, body, otherwise })
    }

    /// What follows `{{else`: `if` and `with` take another condition, which shares the `{{end}}`.
    fn otherwise(&mut self, kind: BranchKind) -> Result<Vec<Node>, Error> {
        let word = self.peek();
        if kind != BranchKind::Range && word.kind == Kind::Word && word.text == word_of(kind) {
            self.next();
            return Ok(vec![Node::Branch(self.deeper(|parser| parser.branch(kind))?)]);
        }
        self.right("else")?;
        match self.list()? {
            (nodes, Ending::End) => Ok(nodes),
            (_, Ending::Else) => Err(self.error("expected end; found {{else}}")),
            (_, Ending::Text) => Err(self.error("unexpected EOF")),
        }
    }

    fn pipe(&mut self, context: &str, end: Kind) -> Result<Pipe, Error> {
        let position = self.peek().position;
        let mut pipe = Pipe { position, variables: Vec::new(), assigns: false, commands: Vec::new() };
        self.variables_of(&mut pipe, context)?;
        loop {
            let token = self.peek();
            if token.kind == end {
                self.next();
                self.check(&pipe, context)?;
                return Ok(pipe);
            }
            if !begins_operand(token) {
                return Err(unexpected(token, context));
            }
            pipe.commands.push(self.command()?);
        }
    }

    /// `$v :=`, `$v =`, or `$i, $v :=` of a `range`.
    fn variables_of(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), Error> {
        let (start, first) = (self.at, self.peek());
        if first.kind != Kind::Variable {
            return Ok(());
        }
        self.next();
        let mut names = vec![first.text];
        if self.peek().kind == Kind::Comma {
            self.next();
            let second = self.next();
            let declares = matches!(self.peek().kind, Kind::Declare | Kind::Assign);
            if context != "range" || second.kind != Kind::Variable || !declares {
                return Err(Error::parse(second.line, format_args!("too many declarations in {context}")));
            }
            names.push(second.text);
        }
        match self.peek().kind {
            Kind::Declare => self.variables.extend(&names),
            Kind::Assign => names.iter().try_for_each(|name| self.known(name))?,
            _ => {
                self.at = start;
                return Ok(());
            }
        }
        pipe.assigns = self.next().kind == Kind::Assign;
        pipe.variables = names.into_iter().map(str::to_owned).collect();
        Ok(())
    }

    fn known(&self, name: &str) -> Result<(), Error> {
        if self.variables.contains(&name) {
            return Ok(());
        }
        Err(self.error(format_args!("undefined variable \"{name}\"")))
    }

    fn check(&self, pipe: &Pipe, context: &str) -> Result<(), Error> {
        if pipe.commands.is_empty() {
            return Err(self.error(format_args!("missing value for {context}")));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            let first = &command.operands[0];
            if matches!(first.term, Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(..) | Term::Text(..)) {
                return Err(self.error(format_args!("non executable command in pipeline stage {}", index + 1)));
            }
        }
        Ok(())
    }

    /// Operands up to a bar, which is taken, or to what ends the pipeline, which is not.
    fn command(&mut self) -> Result<Command, Error> {
        let mut command = Command { position: self.peek().position, operands: Vec::new() };
        loop {
            if let Some(operand) = self.operand()? {
                command.operands.push(operand);
                if self.peek().spaced && !matches!(self.peek().kind, Kind::Right | Kind::Close | Kind::Bar) {
                    continue;
                }
            }
            let token = self.peek();
            match token.kind {
                Kind::Right | Kind::Close => break,
                Kind::Bar => {
                    self.next();
                    let after = self.peek();
                    if matches!(after.kind, Kind::Right | Kind::Close) {
                        return Err(Error::parse(after.line, "missing value for command"));
                    }
                    break;
                }
                _ => return Err(unexpected(token, "operand")),
            }
        }
        if command.operands.is_empty() {
            return Err(self.error("empty command"));
        }
        Ok(command)
    }

    fn operand(&mut self) -> Result<Option<Operand>, Error> {
        let Some(mut operand) = self.term()? else { return Ok(None) };
        let first = self.peek();
        if first.kind != Kind::Field || first.spaced {
            return Ok(Some(operand));
        }
        let mut names = Vec::new();
        while self.peek().kind == Kind::Field && !self.peek().spaced {
            names.push(self.next().text[1..].to_owned());
        }
        match &mut operand.term {
            Term::Field(before) | Term::Variable(_, before) => {
                before.extend(names);
                operand.position = first.position;
                Ok(Some(operand))
            }
            Term::Bool(_) | Term::Text(..) | Term::Number(..) | Term::Nil | Term::Dot => {
                Err(self.error(format_args!("unexpected . after term {}", quoted(&operand.to_string()))))
            }
            _ => Ok(Some(Operand { position: first.position, term: Term::Chain(Box::new(operand), names) })),
        }
    }

    fn term(&mut self) -> Result<Option<Operand>, Error> {
        let token = self.peek();
        let term = match token.kind {
            Kind::Dot => Term::Dot,
            Kind::Field => Term::Field(vec![token.text[1..].to_owned()]),
            Kind::Variable => {
                self.next();
                self.known(token.text)?;
                return Ok(Some(Operand {
                    position: token.position,
                    term: Term::Variable(token.text.to_owned(), Vec::new()),
                }));
            }
            Kind::Word => word(token)?,
            Kind::Character | Kind::Number => number_term(token)?,
            Kind::Quoted => {
                let text = unquoted(token.text).ok_or_else(|| Error::parse(token.line, "invalid syntax"))?;
                text_term(text, Some(token.text))
            }
            Kind::Raw => text_term(token.text[1..token.text.len() - 1].replace('\r', ""), Some(token.text)),
            Kind::Open => {
                self.next();
                let pipe = self.deeper(|parser| parser.pipe("parenthesized pipeline", Kind::Close))?;
                return Ok(Some(Operand { position: token.position, term: Term::Pipe(Box::new(pipe)) }));
            }
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(Operand { position: token.position, term }))
    }
}

fn word_of(kind: BranchKind) -> &'static str {
    match kind {
        BranchKind::If => "if",
        BranchKind::With => "with",
        BranchKind::Range => "range",
    }
}

fn word(token: Token<'_>) -> Result<Term, Error> {
    match token.text {
        "true" => Ok(Term::Bool(true)),
        "false" => Ok(Term::Bool(false)),
        "nil" => Ok(Term::Nil),
        name if is_keyword(name) => {
            Err(Error::parse(token.line, format_args!("unexpected {} in operand", shown(token))))
        }
        name if functions::is_known(name) => Ok(Term::Function(name.to_owned())),
        name => Err(Error::parse(token.line, format_args!("function \"{name}\" not defined"))),
    }
}

fn begins_operand(token: Token<'_>) -> bool {
    match token.kind {
        Kind::Word => !is_keyword(token.text),
        Kind::Dot | Kind::Field | Kind::Variable | Kind::Open => true,
        kind => matches!(kind, Kind::Character | Kind::Quoted | Kind::Raw | Kind::Number),
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "if" | "with" | "range" | "else" | "end" | "break" | "continue") || UNSUPPORTED.contains(&word)
}

fn number_term(token: Token<'_>) -> Result<Term, Error> {
    let number = if token.kind == Kind::Character {
        unquoted(token.text).and_then(|text| {
            let mut characters = text.chars();
            let first = characters.next()?;
            characters.next().is_none().then(|| Number::from(u32::from(first)))
        })
    } else {
        number(token.text)
    };
    let what = if token.kind == Kind::Character { "malformed character constant" } else { "bad number syntax" };
    let malformed = || Error::parse(token.line, format_args!("{what}: {}", token.text));
    Ok(Term::Number(number.ok_or_else(malformed)?, token.text.to_owned()))
}

fn unexpected(token: Token<'_>, context: &str) -> Error {
    Error::parse(token.line, format_args!("unexpected {} in {context}", shown(token)))
}

/// Go's literals of integers and floating-point numbers.
fn number(text: &str) -> Option<Number> {
    let clean = text.replace('_', "");
    let (negative, digits) = match clean.as_bytes().first()? {
        b'-' => (true, &clean[1..]),
        b'+' => (false, &clean[1..]),
        _ => (false, clean.as_str()),
    };
    let lower = digits.to_ascii_lowercase();
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, radix)| Some((lower.strip_prefix(prefix)?, radix)));
    let (digits, radix) = match radix {
        Some(found) => found,
        // As in C, a leading zero makes it octal.
        None if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|byte| byte.is_ascii_digit()) => {
            (&lower[1..], 8)
        }
        None => (lower.as_str(), 10),
    };
    if let Ok(magnitude) = u64::from_str_radix(digits, radix) {
        return match (negative, i64::try_from(magnitude)) {
            (true, Ok(value)) => Some((-value).into()),
            (false, Ok(value)) => Some(value.into()),
            (false, Err(_)) => Some(magnitude.into()),
            (true, Err(_)) => None,
        };
    }
    if radix != 10 || !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let value: f64 = digits.parse().ok()?;
    let value = if negative { -value } else { value };
    // A constant such as 1e3 is an integer wherever one is wanted.
    #[expect(clippy::cast_possible_truncation, reason = "only whole numbers far below 2^63 are converted")]
    if value.fract() == 0.0 && value.abs() < 1e15 && !digits.contains('.') {
        return Some((value as i64).into());
    }
    Number::from_f64(value)
}

/// A token as Go names it in errors.
fn shown(token: Token<'_>) -> String {
    match token.kind {
        Kind::End => "EOF".to_owned(),
        Kind::Dot => "<.>".to_owned(),
        Kind::Word if is_keyword(token.text) => format!("<{}>", token.text),
        _ if token.text.len() > 10 => format!("{:?}...", token.text.chars().take(10).collect::<String>()),
        _ => format!("{:?}", token.text),
    }
}
