//! Whole rulesets of the kernel.

use rustix::io::Errno;

use super::decode;
use super::encode::{self, Scope};
use super::model::{Chain, Family, Rule, Ruleset, Table};
use super::number::{chain, elements, message, rule, set};
use super::set::{Element, Set};
use super::socket::{Answer, Socket};
use crate::error::{Error, Result};
use crate::netlink::{Attribute, Writer};

/// How often all is asked for anew because it changes meanwhile.
const TRIES: usize = 16;
/// How many elements are asked for by their keys: each is answered with a datagram of its own, which takes as long as telling
/// ten of all.
const ASKED_AT_ONCE: usize = 16;

/// All tables, as they are at one instant.
pub(crate) fn dump(socket: &mut Socket) -> Result<Ruleset> {
    consistent(socket, |socket| {
        let tables = headers(socket)?;
        let mut chains = chains(socket, None)?;
        let mut rules = rules(socket, None, None)?;
        let mut all = Ruleset { tables };
        for table in &mut all.tables {
            table.chains = chains.extract_if(.., |(owner, _)| owner.is(table)).map(|(_, chain)| chain).collect();
            let own = rules.extract_if(.., |(owner, ..)| owner.is(table)).map(|(_, chain, rule)| (chain, rule));
            give(own.collect(), &mut table.chains);
            table.sets = sets(socket, table.scope())?;
        }
        Ok(all)
    })
}

/// One table with all that is in it; None if there is none.
pub(crate) fn dump_table(socket: &mut Socket, scope: Scope<'_>) -> Result<Option<Table>> {
    consistent(socket, |socket| {
        let Some(mut table) = headers(socket)?.into_iter().find(|table| table.scope() == scope) else {
            return Ok(None);
        };
        table.chains = chains(socket, Some(scope))?.into_iter().map(|(_, chain)| chain).collect();
        let own = rules(socket, Some(scope), None)?.into_iter().map(|(_, chain, rule)| (chain, rule)).collect();
        give(own, &mut table.chains);
        table.sets = sets(socket, scope)?;
        Ok(Some(table))
    })
}

/// The rules of a table, or of one chain of it, with the names of their chains; none if there is no such table.
pub(crate) fn dump_rules(socket: &mut Socket, scope: Scope<'_>, chain: Option<&str>) -> Result<Vec<(String, Rule)>> {
    match rules(socket, Some(scope), chain) {
        Ok(rules) => Ok(rules.into_iter().map(|(_, chain, rule)| (chain, rule)).collect()),
        Err(Errno::NOENT) => Ok(Vec::new()),
        Err(errno) => Err(Error::system(format!("nftables: rules of {scope}"), errno)),
    }
}

/// A chain, without its rules; None if there is none.
pub(crate) fn get_chain(socket: &mut Socket, scope: Scope<'_>, name: &str) -> Result<Option<Chain>> {
    let mut found = None;
    let fill = |writer: &mut Writer| {
        writer.text(chain::TABLE, scope.table);
        writer.text(chain::NAME, name);
    };
    let take = |answer: Answer<'_>| found = decode::chain(scope.family, answer.attributes);
    match socket.request(message::GET_CHAIN, scope.family.number(), fill, take) {
        Ok(()) => Ok(found),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(Error::system(format!("nftables: chain {name} of {scope}"), errno)),
    }
}

/// Elements of a set, those with these keys among them, unless one is not there: then it is None, or without that one.
pub(crate) fn get_elements(
    socket: &mut Socket,
    scope: Scope<'_>,
    set: &str,
    keys: &[Element],
) -> Result<Option<Vec<Element>>> {
    if keys.len() > ASKED_AT_ONCE {
        return list_elements(socket, scope, set)
            .map(Some)
            .map_err(|errno| Error::system(format!("nftables: elements of set {set} of {scope}"), errno));
    }
    let mut found = Vec::new();
    let asked: Vec<Element> = keys.iter().map(|element| Element::new(element.key.clone())).collect();
    let answer = socket.request(
        message::GET_ELEMENT,
        scope.family.number(),
        |writer| encode::elements(writer, scope.table, set, &asked),
        |answer| found.extend(elements_of(answer)),
    );
    match answer {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(Error::system(format!("nftables: elements of set {set} of {scope}"), errno)),
    }
    Ok(Some(found))
}

/// Asks until nothing has changed between the first answer and the last.
fn consistent<T>(socket: &mut Socket, ask: impl Fn(&mut Socket) -> std::result::Result<T, Errno>) -> Result<T> {
    let mut before = socket.generation()?;
    for _ in 0..TRIES {
        let answer = ask(socket);
        let after = socket.generation()?;
        if before == after {
            return answer.map_err(|errno| Error::system("nftables: reading the ruleset", errno));
        }
        before = after;
    }
    Err(Error::system("nftables: reading the ruleset, which does not stop to change", Errno::AGAIN))
}

/// The table that something belongs to.
#[derive(Debug)]
struct Owner {
    family: Family,
    table: String,
}

impl Owner {
    fn of(answer: Answer<'_>, kind: u16) -> Option<Owner> {
        let family = Family::from_number(answer.family);
        answer.attributes.text(kind).map(|table| Owner { family, table })
    }

    fn is(&self, table: &Table) -> bool {
        self.family == table.family && self.table == table.name
    }
}

fn headers(socket: &mut Socket) -> std::result::Result<Vec<Table>, Errno> {
    let take = |all: &mut Vec<Table>, answer: Answer<'_>| {
        let family = Family::from_number(answer.family);
        all.extend(decode::table(family, answer.attributes));
    };
    socket.dump(message::GET_TABLE, 0, |_| (), take, Vec::new)
}

fn chains(socket: &mut Socket, scope: Option<Scope<'_>>) -> std::result::Result<Vec<(Owner, Chain)>, Errno> {
    let family = scope.map_or(0, |scope| scope.family.number());
    // Older kernels ignore which table is meant, and answer with the chains of all.
    let take = |all: &mut Vec<(Owner, Chain)>, answer: Answer<'_>| {
        let Some(owner) = Owner::of(answer, chain::TABLE) else { return };
        if scope.is_none_or(|scope| scope.family == owner.family && scope.table == owner.table) {
            all.extend(decode::chain(owner.family, answer.attributes).map(|chain| (owner, chain)));
        }
    };
    let fill = |writer: &mut Writer| {
        if let Some(scope) = scope {
            writer.text(chain::TABLE, scope.table);
        }
    };
    socket.dump(message::GET_CHAIN, family, fill, take, Vec::new)
}

type OwnedRule = (Owner, String, Rule);

fn rules(
    socket: &mut Socket,
    scope: Option<Scope<'_>>,
    chain: Option<&str>,
) -> std::result::Result<Vec<OwnedRule>, Errno> {
    let family = scope.map_or(0, |scope| scope.family.number());
    let take = |all: &mut Vec<OwnedRule>, answer: Answer<'_>| {
        let attributes = answer.attributes;
        if let Some((owner, chain)) = Owner::of(answer, rule::TABLE).zip(attributes.text(rule::CHAIN)) {
            all.push((owner, chain, decode::rule(attributes)));
        }
    };
    let fill = |writer: &mut Writer| {
        if let Some(scope) = scope {
            writer.text(rule::TABLE, scope.table);
        }
        if let Some(chain) = chain {
            writer.text(rule::CHAIN, chain);
        }
    };
    socket.dump(message::GET_RULE, family, fill, take, Vec::new)
}

/// Gives rules, which come chain by chain and in their order, to their chains.
fn give(rules: Vec<(String, Rule)>, chains: &mut [Chain]) {
    let mut at = 0;
    for (name, rule) in rules {
        if chains.get(at).is_none_or(|chain| chain.name != name) {
            let Some(found) = chains.iter().position(|chain| chain.name == name) else { continue };
            at = found;
        }
        chains[at].rules.push(rule);
    }
}

fn sets(socket: &mut Socket, scope: Scope<'_>) -> std::result::Result<Vec<Set>, Errno> {
    let take = |all: &mut Vec<Set>, answer: Answer<'_>| {
        if Owner::of(answer, set::TABLE).is_some_and(|owner| owner.table == scope.table) {
            all.extend(decode::set(answer.attributes));
        }
    };
    let fill = |writer: &mut Writer| writer.text(set::TABLE, scope.table);
    let mut all = socket.dump(message::GET_SET, scope.family.number(), fill, take, Vec::new)?;
    for set in &mut all {
        set.elements = list_elements(socket, scope, &set.name)?;
    }
    Ok(all)
}

fn list_elements(socket: &mut Socket, scope: Scope<'_>, set: &str) -> std::result::Result<Vec<Element>, Errno> {
    let take = |all: &mut Vec<Element>, answer: Answer<'_>| all.extend(elements_of(answer));
    let fill = |writer: &mut Writer| {
        writer.text(elements::TABLE, scope.table);
        writer.text(elements::SET, set);
    };
    socket.dump(message::GET_ELEMENT, scope.family.number(), fill, take, Vec::new)
}

fn elements_of(answer: Answer<'_>) -> impl Iterator<Item = Element> {
    answer.attributes.nested(elements::ELEMENTS).into_iter().map(Attribute::nested).map(decode::element)
}
