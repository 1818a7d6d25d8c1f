//! Models to messages: one batch is one transaction (`nfnetlink(7)`), which the kernel carries out whole or not at all.

/// Expressions to attributes.
mod expression;
/// Sets and elements to attributes.
mod members;

pub(super) use members::elements;

use super::model::{Base, Chain, Family, Rule, Table};
use super::number::{batch, chain, flag, hook, list, message, rule, table, userdata};
use super::set::{Element, Set};
use crate::netlink::{self, Writer};

/// The subsystem that a batch is for (`NFNL_SUBSYS_NFTABLES`).
const SUBSYSTEM: u16 = 10;
/// Longest comment, bytes: what `nft(8)` accepts, and what the kernel takes with all that is around it.
const MAX_COMMENT: usize = 127;

/// Changes that are carried out together.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    writer: Writer,
    /// What each message is about; the first message has number 1.
    subjects: Vec<String>,
    sets: u32,
}

/// The table that a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope<'a> {
    /// Its family.
    pub family: Family,
    /// Its name.
    pub table: &'a str,
}

/// Where in its chain a rule is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// Behind all others.
    Last,
    /// Before the rule with this handle.
    Before(u64),
}

impl Batch {
    /// One without changes.
    pub(crate) fn new() -> Batch {
        Batch::begin(None)
    }

    /// One that the kernel refuses with ERESTART if the ruleset has changed since it had this generation.
    pub(crate) fn since(generation: u32) -> Batch {
        Batch::begin(Some(generation))
    }

    fn begin(generation: Option<u32>) -> Batch {
        let mut writer = Writer::default();
        let start = writer.begin(message::BATCH_BEGIN, netlink::REQUEST, 0, &header(0, SUBSYSTEM));
        if let Some(generation) = generation {
            writer.be32(batch::GENERATION, generation);
        }
        writer.end(start);
        Batch { writer, subjects: Vec::new(), sets: 0 }
    }

    /// Whether it has no changes.
    pub(crate) fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    /// Adds a table, if it is not there, without what is in it.
    pub(crate) fn add_table(&mut self, table: &Table) -> &mut Batch {
        let subject = format!("table {} {}", table.family.name(), table.name);
        self.message(message::NEW_TABLE, flag::CREATE, table.family, subject, |writer| {
            writer.text(table::NAME, &table.name);
            writer.be32(table::FLAGS, table.flags);
            comment(writer, table::USERDATA, table.comment.as_deref());
        })
    }

    /// Adds a table with all that is in it: sets, then chains, then elements, which may lead to chains, then rules.
    pub(crate) fn add_whole_table(&mut self, table: &Table) -> &mut Batch {
        let scope = table.scope();
        self.add_table(table);
        for set in &table.sets {
            self.add_set(scope, set);
        }
        for chain in &table.chains {
            self.add_chain(scope, chain);
        }
        for set in &table.sets {
            self.add_elements(scope, &set.name, &set.elements);
        }
        for chain in &table.chains {
            for rule in &chain.rules {
                self.add_rule(scope, &chain.name, rule, Position::Last);
            }
        }
        self
    }

    /// Deletes a table with all that is in it.
    pub(crate) fn delete_table(&mut self, scope: Scope<'_>) -> &mut Batch {
        let subject = scope.to_string();
        self.message(message::DELETE_TABLE, 0, scope.family, subject, |writer| writer.text(table::NAME, scope.table))
    }

    /// Adds a chain, if it is not there, without rules.
    pub(crate) fn add_chain(&mut self, scope: Scope<'_>, added: &Chain) -> &mut Batch {
        self.message(message::NEW_CHAIN, flag::CREATE, scope.family, scope.chain(&added.name), |writer| {
            writer.text(chain::TABLE, scope.table);
            writer.text(chain::NAME, &added.name);
            if let Some(base) = &added.base {
                base_chain(writer, base, scope.family);
            }
            comment(writer, chain::USERDATA, added.comment.as_deref());
        })
    }

    /// Deletes a chain. The kernel refuses with EBUSY while something jumps to it.
    pub(crate) fn delete_chain(&mut self, scope: Scope<'_>, name: &str) -> &mut Batch {
        self.message(message::DELETE_CHAIN, 0, scope.family, scope.chain(name), |writer| {
            writer.text(chain::TABLE, scope.table);
            writer.text(chain::NAME, name);
        })
    }

    /// Deletes all rules of a chain.
    pub(crate) fn flush_chain(&mut self, scope: Scope<'_>, name: &str) -> &mut Batch {
        self.message(message::DELETE_RULE, 0, scope.family, scope.chain(name), |writer| {
            writer.text(rule::TABLE, scope.table);
            writer.text(rule::CHAIN, name);
        })
    }

    /// Adds a rule.
    pub(crate) fn add_rule(&mut self, scope: Scope<'_>, chain: &str, added: &Rule, position: Position) -> &mut Batch {
        let subject = match &added.comment {
            Some(comment) => format!("rule \"{comment}\" of {}", scope.chain(chain)),
            None => format!("rule of {}", scope.chain(chain)),
        };
        let flags = if position == Position::Last { flag::CREATE | flag::APPEND } else { flag::CREATE };
        self.message(message::NEW_RULE, flags, scope.family, subject, |writer| {
            writer.text(rule::TABLE, scope.table);
            writer.text(rule::CHAIN, chain);
            if let Position::Before(handle) = position {
                writer.be64(rule::POSITION, handle);
            }
            writer.nested(rule::EXPRESSIONS, |writer| {
                for item in &added.expressions {
                    writer.nested(list::ITEM, |writer| expression::expression(writer, item));
                }
            });
            comment(writer, rule::USERDATA, added.comment.as_deref());
        })
    }

    /// Deletes a rule.
    pub(crate) fn delete_rule(&mut self, scope: Scope<'_>, chain: &str, handle: u64) -> &mut Batch {
        self.message(
            message::DELETE_RULE,
            0,
            scope.family,
            format!("rule {handle} of {}", scope.chain(chain)),
            |writer| {
                writer.text(rule::TABLE, scope.table);
                writer.text(rule::CHAIN, chain);
                writer.be64(rule::HANDLE, handle);
            },
        )
    }

    /// Adds a set, if it is not there, without elements.
    pub(crate) fn add_set(&mut self, scope: Scope<'_>, added: &Set) -> &mut Batch {
        // The kernel wants a number of each new set, by which rules of the same batch may call it; ours call it by name.
        self.sets += 1;
        let id = self.sets;
        self.message(message::NEW_SET, flag::CREATE, scope.family, scope.set(&added.name), |writer| {
            members::set(writer, scope.table, added, id);
        })
    }

    /// Adds elements to a set. One that is there already and leads elsewhere is an error (EEXIST or EBUSY).
    pub(crate) fn add_elements(&mut self, scope: Scope<'_>, set: &str, elements: &[Element]) -> &mut Batch {
        self.elements(message::NEW_ELEMENT, flag::CREATE, scope, set, elements)
    }

    /// Deletes elements of a set. One that is not there is an error (ENOENT).
    pub(crate) fn delete_elements(&mut self, scope: Scope<'_>, set: &str, elements: &[Element]) -> &mut Batch {
        self.elements(message::DELETE_ELEMENT, 0, scope, set, elements)
    }

    fn elements(&mut self, kind: u16, flags: u16, scope: Scope<'_>, set: &str, elements: &[Element]) -> &mut Batch {
        for part in members::parts(elements) {
            self.message(kind, flags, scope.family, format!("elements of {}", scope.set(set)), |writer| {
                members::elements(writer, scope.table, set, part);
            });
        }
        self
    }

    fn message(
        &mut self,
        kind: u16,
        flags: u16,
        family: Family,
        subject: String,
        fill: impl FnOnce(&mut Writer),
    ) -> &mut Batch {
        self.subjects.push(subject);
        let sequence = u32::try_from(self.subjects.len()).expect("a batch has fewer messages than memory has bytes");
        let start = self.writer.begin(kind, netlink::REQUEST | flags, sequence, &header(family.number(), 0));
        fill(&mut self.writer);
        self.writer.end(start);
        self
    }

    /// All messages with the last one, which makes the kernel carry them out; None if something was too long.
    pub(super) fn finished(&self) -> Option<Vec<u8>> {
        let mut writer = self.writer.clone();
        let start = writer.begin(message::BATCH_END, netlink::REQUEST, 0, &header(0, SUBSYSTEM));
        writer.end(start);
        (!writer.overflow()).then(|| writer.into_bytes())
    }

    /// What the message with this number is about.
    pub(super) fn subject(&self, sequence: u32) -> Option<&str> {
        let at = usize::try_from(sequence).ok()?.checked_sub(1)?;
        self.subjects.get(at).map(String::as_str)
    }
}

impl Default for Batch {
    fn default() -> Batch {
        Batch::new()
    }
}

impl Scope<'_> {
    fn chain(self, name: &str) -> String {
        format!("chain {name} of {self}")
    }

    fn set(self, name: &str) -> String {
        format!("set {name} of {self}")
    }
}

impl std::fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "table {} {}", self.family.name(), self.table)
    }
}

impl Table {
    /// By what changes call it.
    pub fn scope(&self) -> Scope<'_> {
        Scope { family: self.family, table: &self.name }
    }
}

/// `struct nfgenmsg`.
pub(super) fn header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

fn base_chain(writer: &mut Writer, base: &Base, family: Family) {
    writer.nested(chain::HOOK, |writer| {
        writer.be32(hook::NUMBER, base.hook.number(family));
        writer.be32(hook::PRIORITY, base.priority.cast_unsigned());
        match base.devices.as_slice() {
            [] => {}
            [device] => writer.text(hook::DEVICE, device),
            devices => writer.nested(hook::DEVICES, |writer| {
                for device in devices {
                    writer.text(hook::DEVICE_NAME, device);
                }
            }),
        }
    });
    writer.be32(chain::POLICY, u32::from(base.accept));
    writer.text(chain::TYPE, &base.kind);
}

/// A comment, where `nft(8)` looks for it.
fn comment(writer: &mut Writer, kind: u16, text: Option<&str>) {
    if let Some(text) = text {
        let mut data = Vec::new();
        push_comment(&mut data, userdata::COMMENT, text);
        writer.raw(kind, &data);
    }
}

/// Type, length, text and a NUL, which counts.
fn push_comment(data: &mut Vec<u8>, kind: u8, text: &str) {
    let text = &text[..text.floor_char_boundary(MAX_COMMENT)];
    data.push(kind);
    data.push(u8::try_from(text.len() + 1).expect("it was cut to less than 256 bytes"));
    data.extend(text.bytes().map(|byte| if byte == b'"' || byte < b' ' { b'\'' } else { byte }));
    data.push(0);
}
