//! nftables as plain data: the model, and its three forms: netlink messages to the kernel ([`Batch`]), netlink messages from
//! the kernel ([`dump`]), and the words of `nft(8)` (`Display`).
//!
//! The model has what the kernel has, not what `nft(8)` has: a rule is a list of [`Expression`]s that work on registers.
//! So a rule can be evaluated for a packet that exists on paper only:
//!
//! * There are sixteen words of four bytes, which [`Register`] counts; longer values go on in the words behind. A load fills
//!   the last word that it touches up with zeros.
//! * Values are bytes as they stand in the registers: what comes from a packet is big-endian ("network order"); what the kernel knows
//!   itself (marks, interface indices, states, lengths) has the order of the host; names of interfaces are sixteen bytes with NULs behind.
//! * An expression that does not match, or has nothing to load, ends its rule; the next rule is looked at.
//! * A [`Verdict`] ends the rule as well: `accept` and `drop` end the hook's chain, `jump`, `goto` and `return` do what they say.
//!   `accept` ends this base chain only: others on the same hook still see the packet; `drop` is final.

/// Messages to models; hostile input.
mod decode;
/// Whole rulesets of the kernel.
mod dump;
/// Models to messages.
mod encode;
/// What rules are made of.
mod expression;
/// Tables, chains, rules.
mod model;
/// Numbers of the kernel's interface.
mod number;
/// Sets, maps and what is in them.
mod set;
/// Models in the words of `nft(8)`.
mod show;
/// The connection to the kernel.
mod socket;
#[cfg(test)]
mod tests;

pub(crate) use dump::{dump, dump_rules, dump_table, get_chain, get_elements};
pub(crate) use encode::{Batch, Position, Scope};
pub(crate) use expression::{
    Bitwise, Byteorder, CT_STATUS_DNAT, Comparison, CtKey, Direction, Expression, Extension, FibResult, HeaderBase,
    MetaKey, NatKind, Register, RegisterRange, Reject, Verdict,
};
pub(crate) use model::{Base, Chain, Family, Hook, Rule, Ruleset, Table};
pub(crate) use set::{Data, DataKind, DataType, Element, Set};
pub(crate) use socket::{Answer, Socket};
