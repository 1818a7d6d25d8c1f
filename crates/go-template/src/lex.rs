//! Text to tokens. Positions are bytes from the beginning of the text.

use crate::error::Error;

/// Between these stands an action.
const LEFT: &str = "{{";
const RIGHT: &str = "}}";
/// What Go trims and takes as a separator.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Outside of actions.
    Text,
    Left,
    Right,
    /// `.name`, with the dot.
    Field,
    Dot,
    /// `$name`, with the sign.
    Variable,
    /// A function, or a word such as `range`.
    Word,
    Character,
    Quoted,
    Raw,
    Number,
    Bar,
    Assign,
    Declare,
    Comma,
    Open,
    Close,
    /// Any other sign, which nothing begins with.
    Other,
    End,
}

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) position: usize,
    /// In which line it begins.
    pub(crate) line: usize,
    /// Whether a blank stands before it.
    pub(crate) spaced: bool,
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    /// Of open parentheses.
    depth: usize,
    tokens: Vec<Token<'a>>,
}

/// All tokens of a template; the last is [`Kind::End`].
pub(crate) fn lex(text: &str) -> Result<Vec<Token<'_>>, Error> {
    let mut lexer = Lexer { text, at: 0, line: 1, depth: 0, tokens: Vec::new() };
    loop {
        let (copied, trimmed) = lexer.text_before_action();
        lexer.push_text(copied, trimmed);
        if lexer.at == text.len() {
            lexer.push(Kind::End, 0, false);
            return Ok(lexer.tokens);
        }
        lexer.action()?;
    }
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&self, what: impl std::fmt::Display) -> Error {
        Error::parse(self.line, what)
    }

    fn skip(&mut self, bytes: usize) -> &'a str {
        let skipped = &self.rest()[..bytes];
        self.line += skipped.bytes().filter(|byte| *byte == b'\n').count();
        self.at += bytes;
        skipped
    }

    fn push(&mut self, kind: Kind, bytes: usize, spaced: bool) {
        let (position, line) = (self.at, self.line);
        let text = self.skip(bytes);
        self.tokens.push(Token { kind, text, position, line, spaced });
    }

    /// How many bytes stand before the next action, and how many of them stay when it trims.
    fn text_before_action(&self) -> (usize, usize) {
        let rest = self.rest();
        let end = rest.find(LEFT).unwrap_or(rest.len());
        let trims = is_trimming_left(&rest[end..]);
        (end, if trims { rest[..end].trim_end_matches(BLANKS).len() } else { end })
    }

    fn push_text(&mut self, whole: usize, kept: usize) {
        if kept > 0 {
            self.push(Kind::Text, kept, false);
        }
        self.skip(whole - kept);
    }

    /// From `{{` to what follows `}}`.
    fn action(&mut self) -> Result<(), Error> {
        let marker = if is_trimming_left(self.rest()) { 3 } else { 2 };
        let inside = self.rest()[marker..].trim_start_matches(BLANKS);
        let blanks = if marker == 3 { self.rest().len() - marker - inside.len() } else { 0 };
        if self.rest()[marker + blanks..].starts_with("/*") {
            self.skip(marker + blanks);
            return self.comment();
        }
        self.push(Kind::Left, LEFT.len(), false);
        self.skip(marker - LEFT.len());
        self.depth = 0;
        loop {
            let before = self.at;
            self.skip(self.rest().len() - self.rest().trim_start_matches(BLANKS).len());
            let spaced = self.at > before;
            if self.at_right(spaced) {
                return self.right();
            }
            self.token(spaced)?;
        }
    }

    /// Whether the action ends here: with `}}`, or ` -}}`, of which the blank is already behind.
    fn at_right(&self, spaced: bool) -> bool {
        self.rest().starts_with(RIGHT) || (spaced && self.rest().starts_with("-}}"))
    }

    fn right(&mut self) -> Result<(), Error> {
        if self.depth > 0 {
            return Err(self.error("unclosed left paren"));
        }
        let trims = self.rest().starts_with('-');
        self.skip(usize::from(trims));
        self.push(Kind::Right, RIGHT.len(), false);
        self.trim(trims);
        Ok(())
    }

    fn trim(&mut self, trims: bool) {
        if trims {
            self.skip(self.rest().len() - self.rest().trim_start_matches(BLANKS).len());
        }
    }

    fn comment(&mut self) -> Result<(), Error> {
        let Some(end) = self.rest().find("*/") else { return Err(self.error("unclosed comment")) };
        self.skip(end + 2);
        let after = self.rest();
        let blanks = after.len() - after.trim_start_matches(BLANKS).len();
        if blanks > 0 && after[blanks..].starts_with("-}}") {
            self.skip(blanks + 3);
            self.trim(true);
            return Ok(());
        }
        if !after.starts_with(RIGHT) {
            return Err(self.error("comment ends before closing delimiter"));
        }
        self.skip(RIGHT.len());
        Ok(())
    }

    fn token(&mut self, spaced: bool) -> Result<(), Error> {
        let Some(first) = self.peek() else { return Err(self.error("unclosed action")) };
        let (kind, length) = match first {
            '=' => (Kind::Assign, 1),
            ':' if self.rest().starts_with(":=") => (Kind::Declare, 2),
            ':' => return Err(self.error("expected :=")),
            '|' => (Kind::Bar, 1),
            ',' => (Kind::Comma, 1),
            '(' => (Kind::Open, 1),
            ')' => (Kind::Close, 1),
            '"' => (Kind::Quoted, self.closed_by('"', "unterminated quoted string")?),
            '\'' => (Kind::Character, self.closed_by('\'', "unterminated character constant")?),
            '`' => (Kind::Raw, self.raw()?),
            '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => (Kind::Number, self.number()?),
            '.' => self.name(Kind::Field, Kind::Dot)?,
            '$' => self.name(Kind::Variable, Kind::Variable)?,
            '+' | '-' | '0'..='9' => (Kind::Number, self.number()?),
            first if is_letter(first) => self.name(Kind::Word, Kind::Word)?,
            other if other.is_ascii_graphic() => (Kind::Other, 1),
            other => return Err(self.error(format_args!("unrecognized character in action: {}", shown(other)))),
        };
        match kind {
            Kind::Open => self.depth += 1,
            Kind::Close if self.depth == 0 => return Err(self.error("unexpected right paren")),
            Kind::Close => self.depth -= 1,
            _ => {}
        }
        self.push(kind, length, spaced);
        Ok(())
    }

    /// The bytes up to the closing sign, which a backslash takes its meaning from.
    fn closed_by(&self, sign: char, unclosed: &str) -> Result<usize, Error> {
        let mut escaped = false;
        for (index, character) in self.rest().char_indices().skip(1) {
            match character {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if character == sign => return Ok(index + 1),
                _ => {}
            }
        }
        Err(self.error(unclosed))
    }

    fn raw(&self) -> Result<usize, Error> {
        let end = self.rest()[1..].find('`');
        end.map(|end| end + 2).ok_or_else(|| self.error("unterminated raw quoted string"))
    }

    /// The bytes of a number: sign, digits of its base, fraction, exponent.
    fn number(&self) -> Result<usize, Error> {
        let rest = self.rest().as_bytes();
        let mut at = usize::from(matches!(rest[0], b'+' | b'-'));
        let run = |at: usize, is_digit: fn(u8) -> bool| {
            at + rest[at..].iter().take_while(|byte| **byte == b'_' || is_digit(**byte)).count()
        };
        let base = rest.get(at..at + 2).filter(|start| start[0] == b'0').map_or(0, |start| start[1] | 0x20);
        let (skipped, is_digit): (usize, fn(u8) -> bool) = match base {
            b'x' => (2, |byte| byte.is_ascii_hexdigit()),
            b'o' => (2, |byte| matches!(byte, b'0'..=b'7')),
            b'b' => (2, |byte| matches!(byte, b'0' | b'1')),
            _ => (0, |byte| byte.is_ascii_digit()),
        };
        at = run(at + skipped, is_digit);
        if rest.get(at) == Some(&b'.') {
            at = run(at + 1, is_digit);
        }
        if skipped == 0 && matches!(rest.get(at), Some(b'e' | b'E')) {
            at += 1;
            at += usize::from(matches!(rest.get(at), Some(b'+' | b'-')));
            at = run(at, is_digit);
        }
        match self.rest()[at..].chars().next().filter(|next| is_letter(*next)) {
            Some(next) => {
                Err(self.error(format_args!("bad number syntax: {:?}", &self.rest()[..at + next.len_utf8()])))
            }
            None => Ok(at),
        }
    }

    /// A name after its first character; `alone` if there is none.
    fn name(&self, kind: Kind, alone: Kind) -> Result<(Kind, usize), Error> {
        let rest = self.rest();
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let length = first + rest[first..].find(|c: char| !is_letter(c)).unwrap_or(rest.len() - first);
        if !self.ends_word(length) {
            let bad = rest[length..].chars().next().unwrap_or_default();
            return Err(self.error(format_args!("bad character {}", shown(bad))));
        }
        Ok((if length == 1 && first == 1 && alone != Kind::Word { alone } else { kind }, length))
    }

    /// Whether a word may end after so many bytes.
    fn ends_word(&self, length: usize) -> bool {
        let after = &self.rest()[length..];
        let next = after.chars().next();
        next.is_none_or(|next| BLANKS.contains(&next) || matches!(next, '.' | ',' | '|' | ':' | '(' | ')'))
            || after.starts_with(RIGHT)
    }
}

fn is_trimming_left(text: &str) -> bool {
    text.strip_prefix("{{-").is_some_and(|rest| rest.starts_with(BLANKS))
}

fn is_letter(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

/// As Go's `%#U`.
fn shown(character: char) -> String {
    let code = u32::from(character);
    if character.is_control() { format!("U+{code:04X}") } else { format!("U+{code:04X} '{character}'") }
}
