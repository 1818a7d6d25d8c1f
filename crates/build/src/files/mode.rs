//! Permission bits as `chmod(1)` takes them: in octal, or as clauses such as `u=rwX,go=rX`. Pure.
//!
//! Source: POSIX, "chmod", and what GNU's does where POSIX leaves it open: `X` looks at the bits as the clauses before have left them,
//! and of directories `=` keeps the set-id bits unless it names them. Nobody's umask counts.

use crate::error::{Error, Result};

const ALL: u32 = 0o7777;
const EXECUTE: u32 = 0o111;
const SET_ID: u32 = 0o6000;

/// Which permission bits something gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Those that it has.
    Own,
    /// These.
    Bits(u32),
    /// Those that it has, changed by one clause after another.
    Changed(Vec<Clause>),
}

/// One change: `go=u`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    /// The bits of those who are named: all if nobody is.
    who: u32,
    is_anybody: bool,
    operator: u8,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// These bits, and with `X` those of execution if somebody has one or it is a directory.
    Bits { bits: u32, execute: bool },
    /// Those that the user, the group or the others have: `bits` are theirs.
    Copied { bits: u32 },
}

impl Mode {
    pub(super) fn parse(text: &str) -> Result<Mode> {
        let wrong = || {
            Error::invalid(format!("the mode {text:?} is neither octal nor as chmod takes it"))
                .with_hint("0755 and u=rwX,go=rX are modes")
        };
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= ALL);
            return bits.map(Mode::Bits).ok_or_else(wrong);
        }
        let mut clauses = Vec::new();
        for text in text.split(',') {
            parse(text.as_bytes(), &mut clauses).ok_or_else(wrong)?;
        }
        Ok(Mode::Changed(clauses))
    }

    /// The bits of something that has `own`.
    pub(super) fn of(&self, own: u32, is_dir: bool) -> u32 {
        match self {
            Mode::Own => own,
            Mode::Bits(bits) => *bits,
            Mode::Changed(clauses) => clauses.iter().fold(own, |mode, clause| clause.apply(mode, is_dir)),
        }
    }
}

/// Reads what stands between commas: who, and one or more operators each with what it adds, takes or sets.
fn parse(text: &[u8], clauses: &mut Vec<Clause>) -> Option<()> {
    let is_operator = |byte: &u8| matches!(byte, b'+' | b'-' | b'=');
    let first = text.iter().position(is_operator)?;
    let (named, mut rest) = text.split_at(first);
    let mut who = 0;
    for letter in named {
        who |= match letter {
            b'u' => 0o4700,
            b'g' => 0o2070,
            b'o' => 0o1007,
            b'a' => ALL,
            _ => return None,
        };
    }
    let is_anybody = named.is_empty();
    while let Some((operator, after)) = rest.split_first() {
        let end = after.iter().position(is_operator).unwrap_or(after.len());
        let what = what(&after[..end])?;
        clauses.push(Clause { who: if is_anybody { ALL } else { who }, is_anybody, operator: *operator, what });
        rest = &after[end..];
    }
    Some(())
}

fn what(letters: &[u8]) -> Option<What> {
    match letters {
        b"u" => return Some(What::Copied { bits: 0o700 }),
        b"g" => return Some(What::Copied { bits: 0o070 }),
        b"o" => return Some(What::Copied { bits: 0o007 }),
        _ => {}
    }
    let (mut bits, mut execute) = (0, false);
    for letter in letters {
        match letter {
            b'r' => bits |= 0o444,
            b'w' => bits |= 0o222,
            b'x' => bits |= EXECUTE,
            b'X' => execute = true,
            b's' => bits |= SET_ID,
            b't' => bits |= 0o1000,
            _ => return None,
        }
    }
    Some(What::Bits { bits, execute })
}

impl Clause {
    fn apply(&self, mode: u32, is_dir: bool) -> u32 {
        let (value, named) = match self.what {
            What::Bits { bits, execute } => {
                let has_execute = execute && (is_dir || mode & EXECUTE != 0);
                (bits | if has_execute { EXECUTE } else { 0 }, bits)
            }
            What::Copied { bits } => {
                let has = |bit: u32| mode & bits & (bit * EXECUTE) != 0;
                ([4, 2, 1].into_iter().filter(|bit| has(*bit)).map(|bit| bit * EXECUTE).sum(), bits)
            }
        };
        let spared = if is_dir { SET_ID & !(named & self.who) } else { 0 };
        let value = value & self.who & !spared;
        match self.operator {
            b'+' => mode | value,
            b'-' => mode & !value,
            _ => {
                let kept = spared | if self.is_anybody { 0 } else { !self.who };
                mode & kept & ALL | value
            }
        }
    }
}

#[cfg(test)]
mod tests;
