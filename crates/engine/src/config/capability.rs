//! Capabilities: the names of `--cap-add` and `--cap-drop`, docker's default set, and what comes out of the three.
//!
//! Source: capabilities(7).

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use oci_spec::runtime::{Capabilities, Capability};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Every capability Linux has, by number (linux/capability.h); the place in this list is the number.
pub(crate) const ALL: [Capability; 41] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::DacReadSearch,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setpcap,
    Capability::LinuxImmutable,
    Capability::NetBindService,
    Capability::NetBroadcast,
    Capability::NetAdmin,
    Capability::NetRaw,
    Capability::IpcLock,
    Capability::IpcOwner,
    Capability::SysModule,
    Capability::SysRawio,
    Capability::SysChroot,
    Capability::SysPtrace,
    Capability::SysPacct,
    Capability::SysAdmin,
    Capability::SysBoot,
    Capability::SysNice,
    Capability::SysResource,
    Capability::SysTime,
    Capability::SysTtyConfig,
    Capability::Mknod,
    Capability::Lease,
    Capability::AuditWrite,
    Capability::AuditControl,
    Capability::Setfcap,
    Capability::MacOverride,
    Capability::MacAdmin,
    Capability::Syslog,
    Capability::WakeAlarm,
    Capability::BlockSuspend,
    Capability::AuditRead,
    Capability::Perfmon,
    Capability::Bpf,
    Capability::CheckpointRestore,
];

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

/// The capabilities of a container on a host whose kernel knows the first `known` ones. Docker's rules: what is dropped
/// one by one goes even with `--cap-add ALL`, and what is added one by one stays even with `--cap-drop ALL`.
///
/// # Errors
/// `Invalid` for adding one that the kernel does not know.
pub(crate) fn resolve(add: &[CapabilityChoice], drop: &[CapabilityChoice], known: usize) -> Result<Capabilities> {
    let kernel: BTreeSet<usize> = (0..ALL.len().min(known)).collect();
    let ones = |choices: &[CapabilityChoice]| -> BTreeSet<usize> {
        choices
            .iter()
            .filter_map(|choice| if let CapabilityChoice::One(one) = choice { number(*one) } else { None })
            .collect()
    };
    if let Some(unknown) = ones(add).difference(&kernel).next() {
        let name = ALL[*unknown];
        return Err(Error::invalid(format!("--cap-add {name}: this kernel has no such capability")));
    }
    let all = |choices: &[CapabilityChoice]| choices.contains(&CapabilityChoice::All);
    let base: BTreeSet<usize> = match (all(add), all(drop)) {
        (true, _) => kernel.clone(),
        (false, true) => BTreeSet::new(),
        (false, false) => DEFAULT.into_iter().filter_map(number).collect(),
    };
    let dropped = ones(drop);
    let mut numbers: BTreeSet<usize> = base.difference(&dropped).copied().collect();
    if !all(add) {
        numbers.extend(ones(add));
    }
    Ok(numbers.intersection(&kernel).map(|number| ALL[*number]).collect())
}

fn number(capability: Capability) -> Option<usize> {
    ALL.iter().position(|one| *one == capability)
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
    ALL.into_iter().find(|one| one.to_string() == name).map(CapabilityChoice::One)
}

/// The capability whose name is at most three edits away from `name`.
fn nearest(name: &str) -> Option<String> {
    let distances = ALL.iter().map(|one| (distance(name, &one.to_string()), one.to_string()));
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
        for one in ALL {
            assert_eq!(find(&format!("CAP_{one}")), Some(CapabilityChoice::One(one)));
        }
    }

    #[test]
    fn what_comes_out() {
        let parse = |words: &[&str]| -> Vec<CapabilityChoice> {
            words.iter().map(|word| CapabilityChoice::parse("--cap", word).expect("is a capability")).collect()
        };
        let set = |ones: &[Capability]| ones.iter().copied().collect::<Capabilities>();
        let check = |add: &[&str], drop: &[&str], known: usize, expected: Capabilities| {
            assert_eq!(resolve(&parse(add), &parse(drop), known).expect("resolves"), expected, "+{add:?} -{drop:?}");
        };
        check(&[], &[], 41, set(&DEFAULT));
        check(&[], &["ALL"], 41, set(&[]));
        check(&["CHOWN"], &["ALL"], 41, set(&[Capability::Chown]));
        check(&["ALL"], &[], 41, set(&ALL));
        check(&["ALL"], &[], 38, set(&ALL[..38]));
        check(&["ALL"], &["KILL"], 41, ALL.into_iter().filter(|one| *one != Capability::Kill).collect());
        check(&["SYS_TIME"], &["KILL"], 41, {
            let mut expected = set(&DEFAULT);
            expected.remove(&Capability::Kill);
            expected.insert(Capability::SysTime);
            expected
        });
        let error = resolve(&parse(&["BPF"]), &[], 38).expect_err("unknown to this kernel");
        assert_eq!(error.to_string(), "--cap-add BPF: this kernel has no such capability");
    }
}
