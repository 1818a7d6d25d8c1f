//! What `iptables-save(8)` says: our own chains, and of the kernel's what leads there. Lines that are not understood are those of
//! others.

use std::collections::HashMap;

use super::rules::{Chain, Names};

/// Rules as they are.
#[derive(Debug, Default)]
pub(super) struct Saved {
    /// Rules of our chains, without the names of their chains. A chain that is there has an entry.
    ours: HashMap<&'static str, Vec<String>>,
    /// Rules of the kernel's chains, by table and chain.
    theirs: HashMap<(String, String), Vec<String>>,
}

impl Saved {
    /// Reads it.
    pub(super) fn read(text: &str, names: &Names) -> Saved {
        let mut saved = Saved::default();
        let mut table = "";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('*') {
                table = name;
            } else if let Some(declared) = line.strip_prefix(':') {
                let name = declared.split(' ').next().unwrap_or_default();
                if let Some(chain) = names.find(name).filter(|chain| chain.table() == table) {
                    saved.ours.entry(key(chain)).or_default();
                }
            } else if let Some((name, rule)) = line.strip_prefix("-A ").and_then(|rule| rule.split_once(' ')) {
                saved.take(table, name, rule, names);
            }
        }
        saved
    }

    fn take(&mut self, table: &str, name: &str, rule: &str, names: &Names) {
        match names.find(name).filter(|chain| chain.table() == table) {
            Some(chain) => self.ours.entry(key(chain)).or_default().push(rule.to_owned()),
            None if matches!(name, "PREROUTING" | "OUTPUT" | "FORWARD" | "POSTROUTING") => {
                let chain = (table.to_owned(), name.to_owned());
                self.theirs.entry(chain).or_default().push(rule.to_owned());
            }
            None => {}
        }
    }

    /// Whether a chain of ours is there.
    pub(super) fn has_chain(&self, chain: Chain) -> bool {
        self.ours.contains_key(key(chain))
    }

    /// The rules of a chain of ours.
    pub(super) fn lines(&self, chain: Chain) -> impl Iterator<Item = &str> {
        self.ours.get(key(chain)).into_iter().flatten().map(String::as_str)
    }

    /// Whether a rule is there; it begins with the name of its chain.
    pub(super) fn has(&self, chain: Chain, line: &str) -> bool {
        let rule = line.split_once(' ').map_or(line, |(_, rule)| rule);
        self.lines(chain).any(|found| found == rule)
    }

    /// Whether our chains have only rules that we make: one of another would decide before ours do.
    pub(super) fn only_known(&self, names: &Names) -> bool {
        let is_known = |rule: &str| {
            let target = rule.rsplit_once("-j ").map_or("", |(_, target)| target);
            let target = target.split(' ').next().unwrap_or_default();
            names.find(target).is_some() || matches!(target, "DNAT" | "MASQUERADE" | "RETURN" | "DROP" | "ACCEPT")
        };
        let is_about_all = |rule: &str| matches!(rule, "-j ACCEPT" | "-j RETURN" | "-j DROP");
        self.ours.values().flatten().all(|rule| is_known(rule) && !is_about_all(rule))
    }

    /// The rules of a chain of the kernel that are this one.
    pub(super) fn jumps<'a>(&'a self, table: &str, from: &str, text: &'a str) -> impl Iterator<Item = &'a str> {
        let rules = self.theirs.get(&(table.to_owned(), from.to_owned()));
        rules.into_iter().flatten().map(String::as_str).filter(move |rule| *rule == text)
    }

    /// The number, from 1, that the first rule which decides about every packet has in a chain of the kernel without this rule.
    pub(super) fn end_of(&self, table: &str, from: &str, without: &str) -> Option<usize> {
        let rules = self.theirs.get(&(table.to_owned(), from.to_owned()))?;
        let mut others = rules.iter().filter(|rule| *rule != without);
        others
            .position(|rule| {
                let target = rule.strip_prefix("-j ").and_then(|rule| rule.split(' ').next());
                matches!(target, Some("DROP" | "ACCEPT" | "REJECT"))
            })
            .map(|at| at + 1)
    }
}

fn key(chain: Chain) -> &'static str {
    match chain {
        Chain::Guard => "guard",
        Chain::Ports => "ports",
        Chain::Forward => "forward",
        Chain::Others => "others",
        Chain::Admit => "admit",
        Chain::Source => "source",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_chain_is_a_rule_about_all_packets_and_not_a_chain_of_a_like_name() {
        let end = |rules: &[&str]| {
            let lines: Vec<String> = rules.iter().map(|rule| format!("-A FORWARD {rule}\n")).collect();
            let text = format!("*filter\n:FORWARD ACCEPT [0:0]\n{}COMMIT\n", lines.concat());
            Saved::read(&text, &Names::of("phial")).end_of("filter", "FORWARD", "-j PHIAL-ADMIT")
        };
        assert_eq!(end(&["-j DROP-INVALID", "-j ACCEPTED", "-i eth0 -j DROP"]), None);
        assert_eq!(end(&["-j DROP-INVALID", "-j PHIAL-ADMIT", "-j DROP"]), Some(2));
        assert_eq!(end(&["-j REJECT --reject-with icmp-port-unreachable"]), Some(1));
        assert_eq!(end(&["-j ACCEPT"]), Some(1));
    }
}
