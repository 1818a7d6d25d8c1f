//! The powers of root by name, and what each would allow (capabilities(7)).

/// One of the parts into which Linux divides what root may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capability {
    /// The kernel's name in lower case, without `CAP_`.
    pub(crate) name: &'static str,
    /// What who has it may do.
    pub(crate) allows: &'static str,
}

/// All that this program knows; the place is the number of the bit.
pub(crate) const ALL: [Capability; 41] = [
    of("chown", "give any file to another user"),
    of("dac_override", "read and write any file, whatever its mode"),
    of("dac_read_search", "read any file and enter any directory"),
    of("fowner", "change the mode of files of other users"),
    of("fsetid", "keep set-user-id bits when a file changes"),
    of("kill", "send signals to processes of other users"),
    of("setgid", "become any group"),
    of("setuid", "become any user"),
    of("setpcap", "hand its own powers on, or drop them for good"),
    of("linux_immutable", "change files that are marked as unchangeable"),
    of("net_bind_service", "listen on ports below 1024"),
    of("net_broadcast", "send to everyone on the network at once"),
    of("net_admin", "change addresses, routes and the firewall"),
    of("net_raw", "send hand-made packets, as ping does"),
    of("ipc_lock", "keep memory from being swapped out"),
    of("ipc_owner", "use shared memory of other users"),
    of("sys_module", "load code into the kernel"),
    of("sys_rawio", "talk to hardware, read the kernel's memory"),
    of("sys_chroot", "take another directory for the root of all files"),
    of("sys_ptrace", "read and change processes of other users"),
    of("sys_pacct", "switch the accounting of processes"),
    of("sys_admin", "mount, enter namespaces, and a hundred things more"),
    of("sys_boot", "restart the machine"),
    of("sys_nice", "take the processor before all others"),
    of("sys_resource", "go beyond quotas and limits"),
    of("sys_time", "set the machine's clock"),
    of("sys_tty_config", "hang up terminals of others"),
    of("mknod", "make device files, the doors to hardware"),
    of("lease", "hold back who wants to open a file"),
    of("audit_write", "write to the kernel's audit log"),
    of("audit_control", "switch the kernel's audit log"),
    of("setfcap", "give powers to a file, for who runs it"),
    of("mac_override", "pass by the rules of Smack"),
    of("mac_admin", "change the rules of Smack"),
    of("syslog", "read the kernel's messages"),
    of("wake_alarm", "wake the machine from its sleep"),
    of("block_suspend", "keep the machine from falling asleep"),
    of("audit_read", "read the kernel's audit log"),
    of("perfmon", "watch what every program does, in detail"),
    of("bpf", "load small programs into the kernel"),
    of("checkpoint_restore", "freeze processes and bring them back"),
];

/// Those whose lack protects the host most, the strongest first.
const FEARED: [&str; 8] =
    ["sys_admin", "sys_module", "sys_ptrace", "net_admin", "sys_boot", "sys_rawio", "sys_time", "mknod"];

const fn of(name: &'static str, allows: &'static str) -> Capability {
    Capability { name, allows }
}

/// A set of capabilities, as the kernel writes it: one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Set {
    bits: u64,
    /// How many this kernel has.
    pub(crate) of: u32,
}

impl Set {
    /// `last` is the text of `/proc/sys/kernel/cap_last_cap`; where that cannot be read, the kernel is taken to have
    /// all that are known here.
    pub(crate) fn new(bits: u64, last: Option<&str>) -> Set {
        let last = last.and_then(|text| text.trim().parse::<u32>().ok()).filter(|last| *last < 64);
        let of = last.map_or(u32::try_from(ALL.len()).unwrap_or(0), |last| last + 1);
        Set { bits: bits & (u64::MAX >> (64 - of)), of }
    }

    pub(crate) fn count(self) -> u32 {
        self.bits.count_ones()
    }

    /// Names in the order of the bits; one that is newer than this program goes by its number.
    pub(crate) fn names(self) -> Vec<String> {
        (0..self.of).filter(|bit| self.has(*bit)).map(name).collect()
    }

    /// Names of those that the kernel has and the set lacks.
    pub(crate) fn missing(self) -> Vec<String> {
        (0..self.of).filter(|bit| !self.has(*bit)).map(name).collect()
    }

    /// The feared ones that are not in the set, the strongest first.
    pub(crate) fn missing_feared(self) -> impl Iterator<Item = &'static Capability> {
        let position = |name: &str| ALL.iter().position(|capability| capability.name == name);
        let missing = move |bit: &usize| u32::try_from(*bit).is_ok_and(|bit| !self.has(bit));
        FEARED.iter().filter_map(move |name| position(name)).filter(missing).map(|bit| &ALL[bit])
    }

    fn has(self, bit: u32) -> bool {
        self.bits >> bit & 1 == 1
    }
}

fn name(bit: u32) -> String {
    let known = usize::try_from(bit).ok().and_then(|bit| ALL.get(bit));
    known.map_or_else(|| format!("capability {bit}"), |capability| capability.name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{ALL, FEARED, Set};

    #[test]
    fn names() {
        let check = |bits: u64, last: Option<&str>, want: &[&str], of: u32| {
            let set = Set::new(bits, last);
            assert_eq!(
                (set.names(), set.of),
                (want.iter().map(ToString::to_string).collect(), of),
                "{bits:x} {last:?}"
            );
            assert_eq!(set.names().len() + set.missing().len(), usize::try_from(set.of).expect("a small number"));
        };
        check(0, Some("40\n"), &[], 41);
        check(1 << 21 | 1, Some("40"), &["chown", "sys_admin"], 41);
        check(1 << 40, None, &["checkpoint_restore"], 41);
        check(1 << 41 | 1, Some("41"), &["chown", "capability 41"], 42);
        check(u64::MAX, Some("0"), &["chown"], 1);
        check(1, Some("64"), &["chown"], 41);
        check(1 << 63, Some("63"), &["capability 63"], 64);
    }

    #[test]
    fn docker_default_set() {
        let set = Set::new(0xa804_25fb, Some("40"));
        assert_eq!(set.count(), 14);
        let feared: Vec<&str> = set.missing_feared().map(|capability| capability.name).collect();
        assert_eq!(feared, FEARED[..7], "mknod is in the default set");
    }

    #[test]
    fn every_feared_one_is_known() {
        for name in FEARED {
            assert!(ALL.iter().any(|capability| capability.name == name), "{name}");
        }
    }
}
