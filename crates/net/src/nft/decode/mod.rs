//! Messages to models. What they say was written by whoever may change the ruleset, in whatever version: nothing is taken for
//! granted, and what is not understood is kept as it is or left out.

/// Attributes to expressions.
mod expression;
/// Attributes to sets and elements.
mod set;

pub(super) use expression::{expression, expressions, verdict};
pub(super) use set::{element, set};

use super::model::{Base, Chain, Family, Hook, Rule, Table};
use super::number::{chain, hook, rule, table, userdata};
use crate::netlink::{Attribute, Attributes};

/// How deep expressions may lie in one another: a rule adds elements, which count.
pub(super) const DEPTH: usize = 2;

/// A table, without what is in it.
pub(super) fn table(family: Family, attributes: Attributes<'_>) -> Option<Table> {
    Some(Table {
        flags: attributes.be32(table::FLAGS).unwrap_or(0),
        comment: comment(attributes, table::USERDATA, userdata::COMMENT),
        ..Table::new(family, &attributes.text(table::NAME)?)
    })
}

/// A chain, without its rules.
pub(super) fn chain(family: Family, attributes: Attributes<'_>) -> Option<Chain> {
    Some(Chain {
        base: attributes.get(chain::HOOK).map(|inside| base(family, attributes, inside.nested())),
        comment: comment(attributes, chain::USERDATA, userdata::COMMENT),
        ..Chain::new(attributes.text(chain::NAME)?)
    })
}

fn base(family: Family, chain: Attributes<'_>, inside: Attributes<'_>) -> Base {
    let many = inside.nested(hook::DEVICES);
    Base {
        kind: chain.text(chain::TYPE).unwrap_or_default(),
        hook: Hook::from_number(inside.be32(hook::NUMBER).unwrap_or(u32::MAX), family),
        priority: inside.be32(hook::PRIORITY).unwrap_or(0).cast_signed(),
        accept: chain.be32(chain::POLICY) != Some(0),
        devices: inside.text(hook::DEVICE).into_iter().chain(many.into_iter().map(Attribute::text)).collect(),
    }
}

/// A rule.
pub(super) fn rule(attributes: Attributes<'_>) -> Rule {
    Rule {
        handle: attributes.be64(rule::HANDLE),
        comment: comment(attributes, rule::USERDATA, userdata::COMMENT),
        expressions: expressions(attributes.nested(rule::EXPRESSIONS), DEPTH),
    }
}

/// A comment in userdata, which is a list of types, lengths and values.
fn comment(attributes: Attributes<'_>, kind: u16, wanted: u8) -> Option<String> {
    let mut rest = attributes.get(kind)?.bytes;
    while let [found, length, behind @ ..] = rest {
        let value = behind.get(..usize::from(*length))?;
        if *found == wanted {
            return Some(Attribute { kind, bytes: value }.text());
        }
        rest = &behind[value.len()..];
    }
    None
}
