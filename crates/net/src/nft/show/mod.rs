//! Models in the words of `nft(8)`: what `nft list` prints of the same ruleset, as far as it is known here; the rest is shown so
//! that a person can read it.

/// What stands where in packets.
mod field;
/// What registers have.
mod loaded;
/// Rules.
mod rule;
/// Sets and elements.
mod set;
/// What rules do, word for word.
mod statement;
/// Values by their types.
mod value;

use std::fmt::{self, Display};

use super::model::{Base, Chain, Family, Hook, Rule, Ruleset, Table};
use super::set::Set;

impl Display for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tables.iter().try_for_each(|table| write!(f, "{table}"))
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table {} {} {{", self.family.name(), self.name)?;
        let mut is_first = true;
        if let Some(comment) = &self.comment {
            writeln!(f, "\tcomment \"{comment}\"")?;
        }
        for set in self.sets.iter().filter(|set| !set.is(Set::ANONYMOUS)) {
            separate(f, &mut is_first)?;
            write!(f, "{set}")?;
        }
        for chain in &self.chains {
            separate(f, &mut is_first)?;
            self.show_chain(chain, f)?;
        }
        writeln!(f, "}}")
    }
}

impl Table {
    /// A rule of this table, as one line.
    pub fn show_rule(&self, rule: &Rule) -> String {
        let mut words = rule::words(self, rule);
        words.extend(rule.comment.as_ref().map(|comment| format!("comment \"{comment}\"")));
        words.join(" ")
    }

    fn show_chain(&self, chain: &Chain, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\tchain {} {{", chain.name)?;
        if let Some(comment) = &chain.comment {
            writeln!(f, "\t\tcomment \"{comment}\"")?;
        }
        if let Some(base) = &chain.base {
            writeln!(f, "\t\t{}", header(base, self.family))?;
        }
        for rule in &chain.rules {
            writeln!(f, "\t\t{}", self.show_rule(rule))?;
        }
        writeln!(f, "\t}}")
    }
}

/// An empty line between objects.
fn separate(f: &mut fmt::Formatter<'_>, is_first: &mut bool) -> fmt::Result {
    if std::mem::take(is_first) { Ok(()) } else { writeln!(f) }
}

fn header(base: &Base, family: Family) -> String {
    let devices = match base.devices.as_slice() {
        [] => String::new(),
        [device] => format!(" device \"{device}\""),
        devices => format!(" devices = {{ \"{}\" }}", devices.join("\", \"")),
    };
    let policy = if base.accept { "accept" } else { "drop" };
    let priority = priority(base, family);
    format!("type {} hook {}{devices} priority {priority}; policy {policy};", base.kind, base.hook.name())
}

/// Priorities have names, and numbers near them are told from there.
fn priority(base: &Base, family: Family) -> String {
    let names: &[(&str, i32)] = match family {
        Family::Bridge => &[("dstnat", -300), ("filter", -200), ("out", 100), ("srcnat", 300)],
        _ => &[("raw", -300), ("mangle", -150), ("dstnat", -100), ("filter", 0), ("security", 50), ("srcnat", 100)],
    };
    let fits = |name: &str| match name {
        "dstnat" => base.hook == Hook::Prerouting,
        "srcnat" => base.hook == Hook::Postrouting,
        "out" => base.hook == Hook::Output,
        _ => true,
    };
    let near = names.iter().find(|(name, at)| fits(name) && (base.priority.saturating_sub(*at)).abs() <= 10);
    match near.map(|(name, at)| (name, base.priority.saturating_sub(*at))) {
        None => base.priority.to_string(),
        Some((name, 0)) => (*name).to_owned(),
        Some((name, more @ 1..)) => format!("{name} + {more}"),
        Some((name, less)) => format!("{name} - {}", less.unsigned_abs()),
    }
}
