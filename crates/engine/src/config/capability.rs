//! Capabilities: the names of `--cap-add` and `--cap-drop`, docker's default set, and what comes out of the three.
//!
//! Source: capabilities(7).

use std::fmt::{self, Display};

use oci_spec::runtime::Capability;
use runtime::capability::{bit, from_bits};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a container has when nothing is added or dropped: docker's list.
pub(crate) const DEFAULT: [Capability; 14] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fsetid,
    Capability::Fowner,
    Capability::Mknod,
    Capability::NetRaw,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setfcap,
    Capability::Setpcap,
    Capability::NetBindService,
    Capability::SysChroot,
    Capability::Kill,
    Capability::AuditWrite,
];

/// One value of `--cap-add` or `--cap-drop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CapabilityChoice {
    /// Every capability the host's kernel has.
    All,
    /// This one.
    One(Capability),
}

impl CapabilityChoice {
    /// All names that there are, in the order of the alphabet.
    pub fn names() -> Vec<String> {
        let mut names: Vec<String> =
            from_bits(u64::MAX).iter().map(ToString::to_string).chain(["ALL".into()]).collect();
        names.sort_unstable();
        names
    }

    /// Parses a value of `flag` (`--cap-add` or `--cap-drop`): a name in any case, with or without `CAP_`, or `ALL`.
    ///
    /// # Errors
    /// `Invalid` for a name no kernel has, with the nearest one as the hint.
    pub fn parse(flag: &str, text: &str) -> Result<CapabilityChoice> {
        find(text).ok_or_else(|| {
            let error = Error::invalid(format!("{flag} {text}: no such capability"));
            match nearest(&short(text)) {
                Some(name) => error.with_hint(format!("did you mean {name}?")),
                None => error.with_hint("capabilities(7) lists them; ALL is every one"),
            }
        })
    }
}

impl Display for CapabilityChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CapabilityChoice::All => f.write_str("ALL"),
            CapabilityChoice::One(capability) => write!(f, "CAP_{capability}"),
        }
    }
}

impl From<CapabilityChoice> for String {
    fn from(choice: CapabilityChoice) -> String {
        choice.to_string()
    }
}

impl TryFrom<String> for CapabilityChoice {
    type Error = Error;

    fn try_from(text: String) -> Result<CapabilityChoice> {
        CapabilityChoice::parse("capability", &text)
    }
}

/// The capabilities of a container, as bits, where `available` are those that can be given. Docker's rules: what is
/// dropped one by one goes even with `--cap-add ALL`, and what is added one by one stays even with `--cap-drop ALL`.
///
/// # Errors
/// `Invalid` for adding one that cannot be given.
pub(crate) fn resolve(add: &[CapabilityChoice], drop: &[CapabilityChoice], available: u64) -> Result<u64> {
    let (add_all, added) = bits(add);
    let (drop_all, dropped) = bits(drop);
    if let Some(missing) = from_bits(added & !available).first() {
        return Err(Error::invalid(format!("--cap-add {missing}: neither this process nor its kernel has it to give")));
    }
    let base = match (add_all, drop_all) {
        (true, _) => available,
        (false, true) => 0,
        (false, false) => DEFAULT.into_iter().map(bit).sum::<u64>() & available,
    };
    Ok(if add_all { base & !dropped } else { base & !dropped | added })
}

/// Whether `ALL` is among the choices, and the bits of the others.
fn bits(choices: &[CapabilityChoice]) -> (bool, u64) {
    choices.iter().fold((false, 0), |(all, bits), choice| match choice {
        CapabilityChoice::All => (true, bits),
        CapabilityChoice::One(one) => (all, bits | bit(*one)),
    })
}

fn short(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    upper.strip_prefix("CAP_").map(str::to_owned).unwrap_or(upper)
}

fn find(text: &str) -> Option<CapabilityChoice> {
    let name = short(text);
    if name == "ALL" {
        return Some(CapabilityChoice::All);
    }
    from_bits(u64::MAX).into_iter().find(|one| one.to_string() == name).map(CapabilityChoice::One)
}

/// The capability whose name is at most three edits away from `name`.
fn nearest(name: &str) -> Option<String> {
    let distances = from_bits(u64::MAX).into_iter().map(|one| (distance(name, &one.to_string()), one.to_string()));
    distances.filter(|(distance, _)| *distance <= 3).min().map(|(_, name)| name)
}

/// How many insertions, deletions and replacements lead from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, left) in from.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, right) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let cases = [
            ("NET_ADMIN", Ok("CAP_NET_ADMIN")),
            ("cap_net_admin", Ok("CAP_NET_ADMIN")),
            ("CAP_BPF", Ok("CAP_BPF")),
            ("all", Ok("ALL")),
            ("CAP_ALL", Ok("ALL")),
            ("NETADMIN", Err(Some("did you mean NET_ADMIN?"))),
            ("sys_ptrac", Err(Some("did you mean SYS_PTRACE?"))),
            ("everything", Err(Some("capabilities(7) lists them; ALL is every one"))),
            ("", Err(Some("did you mean BPF?"))),
        ];
        for (text, expected) in cases {
            let found = CapabilityChoice::parse("--cap-add", text);
            let found = found.map(|choice| choice.to_string()).map_err(|error| error.hint().map(str::to_owned));
            let expected = expected.map(str::to_owned).map_err(|hint| hint.map(str::to_owned));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn every_capability_is_found_by_its_name() {
        for one in from_bits(u64::MAX) {
            assert_eq!(find(&format!("CAP_{one}")), Some(CapabilityChoice::One(one)));
        }
    }

    #[test]
    fn what_comes_out() {
        let every = from_bits(u64::MAX).into_iter().map(bit).sum::<u64>();
        let default = DEFAULT.into_iter().map(bit).sum::<u64>();
        let old = every & !bit(Capability::Bpf);
        let parse = |words: &[&str]| -> Vec<CapabilityChoice> {
            words.iter().map(|word| CapabilityChoice::parse("--cap", word).expect("is a capability")).collect()
        };
        let check = |add: &[&str], drop: &[&str], available: u64, expected: Result<u64, &str>| {
            let found = resolve(&parse(add), &parse(drop), available).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "+{add:?} -{drop:?}");
        };
        check(&[], &[], every, Ok(default));
        check(&[], &[], bit(Capability::Kill), Ok(bit(Capability::Kill)));
        check(&[], &["ALL"], every, Ok(0));
        check(&["CHOWN"], &["ALL"], every, Ok(bit(Capability::Chown)));
        check(&["ALL"], &[], old, Ok(old));
        check(&["ALL"], &["KILL"], every, Ok(every & !bit(Capability::Kill)));
        check(&["SYS_TIME"], &["KILL"], every, Ok(default & !bit(Capability::Kill) | bit(Capability::SysTime)));
        check(&["BPF"], &[], old, Err("--cap-add BPF: neither this process nor its kernel has it to give"));
    }
}
