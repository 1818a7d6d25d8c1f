//! The rules as chains of `iptables`, for kernels without nftables and for who chooses them: the same policy, with one list of
//! rules where nftables looks names and ports up.
//!
//! | chain | hook and table | what it decides |
//! |---|---|---|
//! | `PHIAL-GUARD` | `PREROUTING` of `raw` | what comes from a bridge has nothing to do with 127.0.0.0/8 |
//! | `PHIAL-PORTS` | `PREROUTING` and `OUTPUT` of `nat` | a published port leads to its container |
//! | `PHIAL-FORWARD`, `PHIAL-OTHERS` | `FORWARD` of `mangle` | what may come to a bridge, and what may leave one |
//! | `PHIAL-ADMIT` | `FORWARD` of `filter` | the rest passes where others would drop it |
//! | `PHIAL-SOURCE` | `POSTROUTING` of `nat` | who comes from a container has this host's address outside |
//!
//! What must not pass is dropped in `mangle`, which is before `filter`, as others put rules that accept before ours there:
//! Docker does for every network. Stores that are not the default one have a few digits in the names of their chains.
//!
//! What is there is read with `iptables-save` and changed with `iptables-restore`, by a transaction per table. That takes a few
//! milliseconds for each of IPv4 and IPv6. Between reading and writing nobody else changes these chains: callers have the
//! registers of the store locked.

/// The programs that read and change the rules.
mod program;
/// Rules as lines.
mod rules;
/// What `iptables-save` says.
mod saved;

use std::fmt::Write as _;

use rustix::io::Errno;

use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::firewall::{others, zones};
use crate::network::Network;
use crate::nft::Socket;

use program::Programs;
use rules::{CHAINS, Chain, Jump, Line, Names};
use saved::Saved;

/// Chains of `iptables` in the network namespace of the calling thread.
#[derive(Debug)]
pub struct Iptables {
    names: Names,
}

/// Lines for `iptables-restore`, by table.
#[derive(Default)]
struct Change(Vec<(&'static str, String)>);

impl Change {
    fn add(&mut self, table: &'static str, line: impl std::fmt::Display) {
        let at = self.0.iter().position(|(name, _)| *name == table).unwrap_or_else(|| {
            self.0.push((table, String::new()));
            self.0.len() - 1
        });
        writeln!(self.0[at].1, "{line}").expect("a string takes everything");
    }

    fn text(&self) -> String {
        let tables: Vec<String> = self.0.iter().map(|(table, lines)| format!("*{table}\n{lines}COMMIT\n")).collect();
        tables.concat()
    }
}

impl Iptables {
    pub(super) fn new(table: &str) -> Iptables {
        Iptables { names: Names::of(table) }
    }

    pub(super) fn replace(&mut self, registers: &[(&Network, &[Endpoint])]) -> Result<()> {
        let others = others::bridges()?;
        self.each_family(|names, is_ipv4, saved| {
            let lines = rules::all(is_ipv4, registers, &others);
            let mut change = Change::default();
            for chain in CHAINS {
                // A chain that is there is emptied by that.
                change.add(chain.table(), format_args!(":{} - [0:0]", names.chain(chain)));
            }
            for jump in rules::jumps(is_ipv4) {
                put_jump(names, &jump, saved, &mut change);
            }
            for line in &lines {
                change.add(line.chain.table(), format_args!("-A {}", names.line(line)));
            }
            Ok(change)
        })?;
        let networks: Vec<&Network> = registers.iter().map(|(network, _)| *network).collect();
        with_nftables(|socket| zones::trust(socket, &networks), ())
    }

    pub(super) fn remove(&mut self) -> Result<()> {
        self.each_family(|names, is_ipv4, saved| Ok(without_all(names, is_ipv4, saved)))
    }

    pub(super) fn remove_network(&mut self, network: &Network) -> Result<()> {
        if !network.is_bridge() {
            return Ok(());
        }
        self.each_family(|names, is_ipv4, saved| {
            let is_last = saved.lines(Chain::Admit).all(|line| mentions(line, &network.link));
            if is_last {
                return Ok(without_all(names, is_ipv4, saved));
            }
            let mut change = Change::default();
            delete(&mut change, names, saved, |line| mentions(line, &network.link));
            Ok(change)
        })
    }

    pub(super) fn publish(&mut self, network: &Network, endpoint: &Endpoint) -> Result<()> {
        self.each_family(|names, is_ipv4, saved| {
            if !saved.has_chain(Chain::Admit) || !saved.has_chain(Chain::Ports) {
                // An error that `replace` puts right.
                let missing = names.chain(Chain::Ports);
                return Err(Error::system(format_args!("chain {missing}"), Errno::NOENT));
            }
            let mut change = Change::default();
            for line in rules::of_ports(is_ipv4, network, endpoint) {
                let key = line.key();
                delete(&mut change, names, saved, |found| Line::same_key(found, &key));
                let command = if line.first { "-I" } else { "-A" };
                change.add(line.chain.table(), format_args!("{command} {}", names.line(&line)));
            }
            Ok(change)
        })
    }

    pub(super) fn unpublish(&mut self, network: &Network, endpoint: &Endpoint) -> Result<()> {
        self.each_family(|names, is_ipv4, saved| {
            let mut change = Change::default();
            for line in rules::of_ports(is_ipv4, network, endpoint) {
                let key = line.key();
                delete(&mut change, names, saved, |found| Line::same_key(found, &key));
            }
            Ok(change)
        })
    }

    pub(super) fn is_intact(&mut self, registers: &[(&Network, &[Endpoint])]) -> Result<bool> {
        let others = others::bridges()?;
        let networks: Vec<&Network> = registers.iter().map(|(network, _)| *network).collect();
        let mut intact = with_nftables(|socket| zones::are_trusted(socket, &networks), true)?;
        self.each_family(|names, is_ipv4, saved| {
            let lines = rules::all(is_ipv4, registers, &others);
            let jumps = rules::jumps(is_ipv4);
            intact &= jumps.iter().all(|jump| saved.jumps(jump.table, jump.from, &names.jump(jump)).count() == 1)
                && lines.iter().all(|line| saved.has(line.chain, &names.line(line)))
                && saved.only_known(names);
            Ok(Change::default())
        })?;
        Ok(intact)
    }

    /// Reads what is there for IPv4, and for IPv6 if the host has it, and carries out what is decided about it.
    fn each_family(&self, mut decide: impl FnMut(&Names, bool, &Saved) -> Result<Change>) -> Result<()> {
        let programs = Programs::choose()?;
        for is_ipv4 in [true, false] {
            if !is_ipv4 && !std::path::Path::new("/proc/sys/net/ipv6").exists() {
                continue;
            }
            let saved = Saved::read(&programs.save(is_ipv4)?, &self.names);
            let change = decide(&self.names, is_ipv4, &saved)?;
            if !change.0.is_empty() {
                programs.restore(is_ipv4, &change.text())?;
            }
        }
        Ok(())
    }
}

/// What concerns the rules of others in nftables; without nftables there are none.
fn with_nftables<T>(work: impl FnOnce(&mut Socket) -> Result<T>, otherwise: T) -> Result<T> {
    let Ok(mut socket) = Socket::open() else { return Ok(otherwise) };
    if socket.generation().is_ok() { work(&mut socket) } else { Ok(otherwise) }
}

/// Whether a rule is about a bridge.
fn mentions(line: &str, bridge: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    words.windows(2).any(|pair| matches!(pair[0], "-i" | "-o") && pair[1] == bridge)
}

/// Deletes the rules of ours that are meant.
fn delete(change: &mut Change, names: &Names, saved: &Saved, is_meant: impl Fn(&str) -> bool) {
    for chain in CHAINS {
        for line in saved.lines(chain).filter(|line| is_meant(line)) {
            change.add(chain.table(), format_args!("-D {} {line}", names.chain(chain)));
        }
    }
}

/// Lets a chain of the kernel lead to one of ours, once, and where it belongs.
fn put_jump(names: &Names, jump: &Jump, saved: &Saved, change: &mut Change) {
    let text = names.jump(jump);
    let present = saved.jumps(jump.table, jump.from, &text).count();
    for _ in 0..present {
        change.add(jump.table, format_args!("-D {} {text}", jump.from));
    }
    if jump.first {
        change.add(jump.table, format_args!("-I {} {text}", jump.from));
        return;
    }
    // What stands behind a rule that drops all that is left is never reached.
    match saved.end_of(jump.table, jump.from, &text) {
        Some(at) => change.add(jump.table, format_args!("-I {} {at} {text}", jump.from)),
        None => change.add(jump.table, format_args!("-A {} {text}", jump.from)),
    }
}

fn without_all(names: &Names, is_ipv4: bool, saved: &Saved) -> Change {
    let mut change = Change::default();
    let there = || CHAINS.into_iter().filter(|chain| saved.has_chain(*chain));
    // They lead to one another: all are emptied before one goes.
    for chain in there() {
        change.add(chain.table(), format_args!(":{} - [0:0]", names.chain(chain)));
    }
    for jump in rules::jumps(is_ipv4) {
        let text = names.jump(&jump);
        for _ in saved.jumps(jump.table, jump.from, &text) {
            change.add(jump.table, format_args!("-D {} {text}", jump.from));
        }
    }
    for chain in there() {
        change.add(chain.table(), format_args!("-X {}", names.chain(chain)));
    }
    change
}
