//! Namespaces: which are this process's own, and what each hides (namespaces(7)).

use std::path::Path;

use crate::seen::{self, Seen, Unseen};

/// A kind of namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Its file below `/proc/self/ns`.
    pub(crate) name: &'static str,
    /// What a process with its own sees.
    pub(crate) own: &'static str,
    /// What a process in the host's sees.
    pub(crate) hosts: &'static str,
    /// Number of the first one, that the machine starts with.
    first: u64,
}

/// All kinds, those that a beginner notices first at the top. The numbers of the first ones are fixed in the kernel
/// (include/uapi/linux/nsfs.h), those of mnt and net since Linux 6.18 only: see [`LOWEST_LATER`].
pub(crate) const KINDS: [Kind; 8] = [
    kind("pid", 0xEFFF_FFFC, "process numbers: mine begin at 1", "process numbers: I see every process"),
    kind("mnt", 0xEFFF_FFF8, "files: another / and other mounts", "files: the host's own tree of mounts"),
    kind("net", 0xEFFF_FFF9, "interfaces, addresses, ports, firewall", "interfaces, addresses, ports, firewall"),
    kind("uts", 0xEFFF_FFFE, "the hostname", "the hostname"),
    kind("ipc", 0xEFFF_FFFF, "shared memory, semaphores, message queues", "shared memory, semaphores, message queues"),
    kind("cgroup", 0xEFFF_FFFB, "my control group looks like the topmost", "the tree of control groups"),
    kind("user", 0xEFFF_FFFD, "user numbers: my 0 is another number outside", "user numbers: my 0 is the host's root"),
    kind("time", 0xEFFF_FFFA, "clocks that count since the start", "clocks that count since the start"),
];

/// Kernels before 6.18 number the first mnt and net namespaces as they come, among a few hundred other things that are
/// made while the machine starts; those of containers come after all of these.
const LOWEST_LATER: u64 = 0xF000_0000 + 180;

const fn kind(name: &'static str, first: u64, own: &'static str, hosts: &'static str) -> Kind {
    Kind { name, own, hosts, first }
}

/// One namespace of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Namespace {
    /// What `lsns` on the host shows as well.
    pub(crate) number: u64,
    /// Not the one that the machine started with.
    pub(crate) own: bool,
}

/// Looks up every kind. A kernel that lacks one has no file for it.
pub(crate) fn all(root: &Path) -> Vec<(Kind, Seen<Namespace>)> {
    KINDS.into_iter().map(|kind| (kind, look(root, &kind))).collect()
}

fn look(root: &Path, kind: &Kind) -> Seen<Namespace> {
    let path = format!("proc/self/ns/{}", kind.name);
    parse(kind, &seen::link(root, &path)?).ok_or_else(|| Unseen::strange(&format!("/{path}")))
}

/// `target` is such as `pid:[4026531836]`.
fn parse(kind: &Kind, target: &str) -> Option<Namespace> {
    let number: u64 = target.strip_prefix(kind.name)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()?;
    let numbered_as_it_came = matches!(kind.name, "mnt" | "net") && number < LOWEST_LATER;
    Some(Namespace { number, own: number != kind.first && !numbered_as_it_came })
}

#[cfg(test)]
mod tests {
    use super::{KINDS, Namespace, parse};

    #[test]
    fn numbers() {
        let check = |name: &str, target: &str, want: Option<(u64, bool)>| {
            let kind = KINDS.into_iter().find(|kind| kind.name == name).expect("one of the kinds");
            assert_eq!(parse(&kind, target), want.map(|(number, own)| Namespace { number, own }), "{target}");
        };
        check("pid", "pid:[4026531836]", Some((4_026_531_836, false)));
        check("pid", "pid:[4026532180]", Some((4_026_532_180, true)));
        check("net", "net:[4026531833]", Some((4_026_531_833, false)));
        check("net", "net:[4026531992]", Some((4_026_531_992, false)));
        check("mnt", "mnt:[4026531841]", Some((4_026_531_841, false)));
        check("mnt", "mnt:[4026532177]", Some((4_026_532_177, true)));
        check("mnt", "net:[4026532177]", None);
        check("mnt", "mnt:[]", None);
        check("mnt", "/somewhere", None);
    }
}
