//! Instructions with the values of their variables.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::instruction::{Kind, Placement};
use crate::statement::Pair;
use crate::word::{Lexer, Variables};

impl Kind {
    /// The same with the values of variables, and which of these are not set. Defaults of `ARG`, which may be of no use, and
    /// mounts of `RUN` stay as they are.
    ///
    /// # Errors
    /// `Expansion`.
    pub fn expanded(&self, escape: char, variables: &dyn Variables) -> Result<(Kind, BTreeSet<String>)> {
        let mut expander = Expander { escape, variables, unset: BTreeSet::new() };
        let kind = expander.kind(self)?;
        Ok((kind, expander.unset))
    }
}

/// Replaces variables, and notes those that are not set.
struct Expander<'a> {
    escape: char,
    variables: &'a dyn Variables,
    unset: BTreeSet<String>,
}

impl Expander<'_> {
    fn word(&mut self, word: &str) -> Result<String> {
        let expanded = Lexer::new(self.escape).expand(word, self.variables)?;
        self.unset.extend(expanded.unset);
        Ok(expanded.text)
    }

    fn kind(&mut self, kind: &Kind) -> Result<Kind> {
        Ok(match kind {
            Kind::Add(add) => {
                let mut add = add.clone();
                self.optional(&mut add.checksum)?;
                self.placement(&mut add.placement)?;
                Kind::Add(add)
            }
            Kind::Copy(copy) => {
                let mut copy = copy.clone();
                self.placement(&mut copy.placement)?;
                Kind::Copy(copy)
            }
            Kind::Env(pairs) => Kind::Env(self.pairs(pairs)?),
            Kind::Label(pairs) => Kind::Label(self.pairs(pairs)?),
            // A variable may have several ports.
            Kind::Expose(words) => {
                let mut ports = Vec::new();
                for word in words {
                    ports.extend(Lexer::new(self.escape).expand(word, self.variables)?.words);
                }
                Kind::Expose(ports)
            }
            Kind::Stopsignal(text) => Kind::Stopsignal(self.word(text)?),
            Kind::User(text) => Kind::User(self.word(text)?),
            Kind::Volume(words) => {
                Kind::Volume(super::volumes(words.iter().map(|word| self.word(word)).collect::<Result<_>>()?)?)
            }
            Kind::Workdir(text) => Kind::Workdir(self.word(text)?),
            other => other.clone(),
        })
    }

    fn optional(&mut self, text: &mut Option<String>) -> Result<()> {
        if let Some(text) = text {
            *text = self.word(text)?;
        }
        Ok(())
    }

    fn pairs(&mut self, pairs: &[Pair]) -> Result<Vec<Pair>> {
        let mut pair = |pair: &Pair| {
            Ok(Pair { name: self.word(&pair.name)?, value: self.word(&pair.value)?, separator: pair.separator })
        };
        pairs.iter().map(&mut pair).collect()
    }

    fn placement(&mut self, placement: &mut Placement) -> Result<()> {
        self.optional(&mut placement.chown)?;
        self.optional(&mut placement.chmod)?;
        for source in &mut placement.sources {
            *source = self.word(source)?;
        }
        placement.destination = self.word(&placement.destination)?;
        for content in &mut placement.contents {
            let expanded = content.expanded(self.variables)?;
            self.unset.extend(expanded.unset);
            content.body = expanded.text;
            (content.expands, content.strips_tabs) = (false, false);
        }
        Ok(())
    }
}
