//! `$name`, and `${name}` with the modifiers that may stand before the brace.

use super::pattern::{Pattern, Reach};
use super::{LONGEST, Reader};
use crate::error::{Error, Result};

impl Reader<'_> {
    /// What follows a dollar, which was taken.
    pub(super) fn dollar(&mut self) -> Result<String> {
        let value = self.substitution()?;
        self.substituted += value.len();
        if self.substituted > LONGEST { Err(too_long()) } else { Ok(value) }
    }

    fn substitution(&mut self) -> Result<String> {
        if self.rest.next_if_eq(&'{').is_some() {
            return self.braces();
        }
        let name = self.name();
        if name.is_empty() {
            return Ok("$".to_owned());
        }
        Ok(self.value(&name).unwrap_or_else(|| self.unset(|| format!("${name}"))))
    }

    /// What follows `${`.
    fn braces(&mut self) -> Result<String> {
        match self.rest.peek() {
            None => return Err(missing_brace()),
            Some('{' | '}' | ':') => return Err(Error::expansion("bad substitution: no name after '${'")),
            Some(_) => {}
        }
        let name = self.name();
        match self.rest.next() {
            None => Err(missing_brace()),
            Some('}') => Ok(self.value(&name).unwrap_or_else(|| self.unset(|| format!("${{{name}}}")))),
            Some(modifier @ ('+' | '-' | '?')) => self.by_state(&name, modifier, false),
            Some(modifier @ ('#' | '%')) => self.without_end(&name, modifier),
            Some('/') => self.replaced(&name),
            Some(':') => match self.rest.next() {
                None => Err(missing_brace()),
                Some(modifier @ ('+' | '-' | '?')) => self.by_state(&name, modifier, true),
                Some(other) => Err(no_modifier(&name, &format!(":{other}"))),
            },
            Some(other) => Err(no_modifier(&name, &other.to_string())),
        }
    }

    /// What depends on whether the variable is set; with a colon, an empty one is not.
    fn by_state(&mut self, name: &str, modifier: char, empty_is_unset: bool) -> Result<String> {
        let (word, _) = self.until(Some('}'), false)?;
        let value = self.value(name);
        if value.is_none() && self.lexer.keeps_unset {
            let colon = if empty_is_unset { ":" } else { "" };
            return Ok(format!("${{{name}{colon}{modifier}{word}}}"));
        }
        let is_unset = value.is_none();
        let value = value.filter(|value| !(empty_is_unset && value.is_empty()));
        match (modifier, value) {
            ('+', Some(_)) | ('-', None) => Ok(word),
            ('+', None) => Ok(String::new()),
            (_, Some(value)) => Ok(value),
            (_, None) if !word.is_empty() => Err(Error::expansion(format!("{name}: {word}"))),
            (_, None) if is_unset => Err(Error::expansion(format!("{name}: is not allowed to be unset"))),
            (_, None) => Err(Error::expansion(format!("{name}: is not allowed to be empty"))),
        }
    }

    /// `#` takes away from the beginning, `%` from the end, and twice the sign the most of it.
    fn without_end(&mut self, name: &str, modifier: char) -> Result<String> {
        let (word, _) = self.until(Some('}'), true)?;
        let Some(value) = self.value(name) else {
            return Ok(self.unset(|| format!("${{{name}{modifier}{word}}}")));
        };
        let longest = word.strip_prefix(modifier);
        let reach = if longest.is_some() { Reach::Longest } else { Reach::Shortest };
        let pattern = Pattern::parse(longest.unwrap_or(&word)).map_err(Error::expansion)?;
        let cut = if modifier == '#' { Pattern::without_prefix } else { Pattern::without_suffix };
        cut(&pattern, &value, reach).map_err(Error::expansion)
    }

    /// `/pattern/replacement`, and with two slashes wherever it matches.
    fn replaced(&mut self, name: &str) -> Result<String> {
        let all = self.rest.next_if_eq(&'/').is_some();
        let (pattern, _) = self.until(Some('/'), true)?;
        let (by, _) = self.until(Some('}'), true)?;
        let Some(value) = self.value(name) else {
            let slash = if all { "//" } else { "/" };
            return Ok(self.unset(|| format!("${{{name}{slash}{pattern}/{by}}}")));
        };
        let pattern = Pattern::parse(&pattern).map_err(Error::expansion)?;
        let times = pattern.matches(&value, all).map_err(Error::expansion)?;
        if times.saturating_mul(by.len()) > LONGEST {
            return Err(too_long());
        }
        pattern.replaced(&value, &by, all).map_err(Error::expansion)
    }

    /// A name: letters, digits and `_`; or digits alone, or one of the characters that a shell's special parameters have.
    fn name(&mut self) -> String {
        let mut name = String::new();
        if let Some(special) = self.rest.next_if(|next| "@*#?-$!".contains(*next)) {
            name.push(special);
            return name;
        }
        let is_number = self.rest.peek().is_some_and(|next| next.is_numeric());
        let belongs = |next: &char| if is_number { next.is_numeric() } else { next.is_alphanumeric() || *next == '_' };
        while let Some(next) = self.rest.next_if(belongs) {
            name.push(next);
        }
        name
    }

    fn value(&mut self, name: &str) -> Option<String> {
        let value = self.variables.value(name);
        let names = if value.is_some() { &mut self.found.set } else { &mut self.found.unset };
        names.insert(name.to_owned());
        value.map(ToOwned::to_owned)
    }

    /// What stands for a variable that is not set.
    fn unset(&self, as_written: impl FnOnce() -> String) -> String {
        if self.lexer.keeps_unset { as_written() } else { String::new() }
    }
}

fn too_long() -> Error {
    Error::expansion(format!("variables make more than {LONGEST} bytes of a word"))
}

fn missing_brace() -> Error {
    Error::expansion("missing '}'")
}

fn no_modifier(name: &str, modifier: &str) -> Error {
    Error::expansion(format!("${{{name}{modifier}…}}: there is no modifier '{modifier}'"))
        .with_hint("modifiers are :- - :+ + :? ? # ## % %% / //")
}
