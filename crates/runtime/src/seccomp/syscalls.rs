//! Names of system calls to numbers, per architecture. Owns the tables and the peculiarities of an architecture that
//! a filter must know: its audit token, the width of its arguments, the calls that hide behind `socketcall` and `ipc`.
//!
//! Knows nothing of rules and actions.

/// The numbers themselves.
mod table;

use oci_spec::runtime::Arch;

/// A name, and its number in the order of [`Architecture`]'s variants; negative where there is none.
type Row = (&'static str, [i32; 5]);

/// An architecture whose calls can be filtered. The order is that of the table's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86: `int 0x80` and everything it leads to, also from 64-bit programs.
    X86,
    /// 32-bit pointers on 64-bit x86. Shares the audit token of [`Architecture::X86_64`]; its numbers have bit 30 set.
    X32,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM, EABI.
    Arm,
}

/// The bit that tells an x32 call from an x86-64 call (`__X32_SYSCALL_BIT`).
pub const X32_BIT: u32 = 0x4000_0000;

/// Numbers from here on are private calls of the arm architecture, outside of the common numbering
/// (`__ARM_NR_BASE`, `asm/unistd.h`).
pub const ARM_PRIVATE: u32 = 0x000f_0000;

impl Architecture {
    /// The architecture that this program was built for.
    #[cfg(target_arch = "aarch64")]
    pub const NATIVE: Architecture = Architecture::Aarch64;
    /// The architecture that this program was built for.
    #[cfg(not(target_arch = "aarch64"))]
    pub const NATIVE: Architecture = Architecture::X86_64;

    /// The architecture that an OCI profile names; nothing if there is no table for it.
    pub fn of(arch: Arch) -> Option<Architecture> {
        match arch {
            Arch::ScmpArchNative => Some(Architecture::NATIVE),
            Arch::ScmpArchX86_64 => Some(Architecture::X86_64),
            Arch::ScmpArchX86 => Some(Architecture::X86),
            Arch::ScmpArchX32 => Some(Architecture::X32),
            Arch::ScmpArchAarch64 => Some(Architecture::Aarch64),
            Arch::ScmpArchArm => Some(Architecture::Arm),
            _ => None,
        }
    }

    /// The name in OCI profiles.
    pub fn oci(self) -> Arch {
        match self {
            Architecture::X86_64 => Arch::ScmpArchX86_64,
            Architecture::X86 => Arch::ScmpArchX86,
            Architecture::X32 => Arch::ScmpArchX32,
            Architecture::Aarch64 => Arch::ScmpArchAarch64,
            Architecture::Arm => Arch::ScmpArchArm,
        }
    }

    /// What the kernel puts into `seccomp_data.arch` (`AUDIT_ARCH_…`, `linux/audit.h`).
    pub fn audit_token(self) -> u32 {
        match self {
            Architecture::X86_64 | Architecture::X32 => 0xc000_003e,
            Architecture::X86 => 0x4000_0003,
            Architecture::Aarch64 => 0xc000_00b7,
            Architecture::Arm => 0x4000_0028,
        }
    }

    /// Whether arguments are 64 bits wide. On the others only the low half of a rule's value is compared: the kernel
    /// hands a 32-bit program's arguments to the filter with an upper half of zero, and x32 counts as 32-bit as well.
    pub fn wide(self) -> bool {
        matches!(self, Architecture::X86_64 | Architecture::Aarch64)
    }
}

/// The numbers of one call on every architecture.
#[derive(Debug, Clone, Copy)]
pub struct Numbers(&'static [i32; 5]);

impl Numbers {
    /// The number as `seccomp_data.nr` shows it, x32's bit included.
    pub fn on(self, architecture: Architecture) -> Option<u32> {
        let number = u32::try_from(self.0[architecture as usize]).ok()?;
        Some(if architecture == Architecture::X32 { number | X32_BIT } else { number })
    }
}

/// Looks a call up by its name in the kernel.
pub fn numbers(name: &str) -> Option<Numbers> {
    static PREFIXES: [u64; table::TABLE.len()] = prefixes(table::TABLE);
    find(table::TABLE, &PREFIXES, name).map(Numbers)
}

/// The first eight bytes of a name as a number that sorts as the name does.
///
/// A profile has hundreds of names, and comparing strings is slow with musl, byte by byte: searching by prefixes takes
/// a third off the time that a profile takes to compile.
const fn prefix(name: &str) -> u64 {
    let name = name.as_bytes();
    let (mut prefix, mut at) = (0, 0);
    while at < 8 {
        prefix = prefix << 8 | if at < name.len() { name[at] as u64 } else { 0 };
        at += 1;
    }
    prefix
}

const fn prefixes<T, const LENGTH: usize>(rows: &[(&str, T)]) -> [u64; LENGTH] {
    let mut prefixes = [0; LENGTH];
    let mut at = 0;
    while at < LENGTH {
        prefixes[at] = prefix(rows[at].0);
        at += 1;
    }
    prefixes
}

/// The row of a name in a table sorted by name.
fn find<T>(rows: &'static [(&str, T)], prefixes: &[u64], name: &str) -> Option<&'static T> {
    let prefix = prefix(name);
    let first = prefixes.partition_point(|known| *known < prefix);
    let candidates = prefixes[first..].iter().take_while(|known| **known == prefix);
    rows[first..].iter().zip(candidates).find(|((known, _), _)| *known == name).map(|((_, row), _)| row)
}

/// All names there are numbers for.
pub fn names() -> impl Iterator<Item = &'static str> {
    table::TABLE.iter().map(|(name, _)| *name)
}

/// A call that i386 programs also (or only) reach through a multiplexer, whose first argument says which call is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multiplexed {
    /// Number of the multiplexer: `socketcall` or `ipc`.
    pub number: u32,
    /// What its first argument must be.
    pub selector: u32,
    /// Which bits of the first argument select. `ipc(2)` keeps a version in the upper half and ignores it for most
    /// calls, so that it must not decide.
    pub mask: u32,
}

/// The way around through `socketcall(2)` or `ipc(2)` on i386, if the call has one (`linux/net.h`, `linux/ipc.h`).
pub fn multiplexed(name: &str) -> Option<Multiplexed> {
    static PREFIXES: [u64; MULTIPLEXED.len()] = prefixes(&MULTIPLEXED);
    let (socketcall, ipc) = (102, 117);
    Some(match *find(&MULTIPLEXED, &PREFIXES, name)? {
        Selector::Socket(selector) => Multiplexed { number: socketcall, selector, mask: u32::MAX },
        Selector::Ipc(selector) => Multiplexed { number: ipc, selector, mask: 0xffff },
    })
}

enum Selector {
    Socket(u32),
    Ipc(u32),
}

/// Sorted by name.
static MULTIPLEXED: [(&str, Selector); 32] = [
    ("accept", Selector::Socket(5)),
    ("accept4", Selector::Socket(18)),
    ("bind", Selector::Socket(2)),
    ("connect", Selector::Socket(3)),
    ("getpeername", Selector::Socket(7)),
    ("getsockname", Selector::Socket(6)),
    ("getsockopt", Selector::Socket(15)),
    ("listen", Selector::Socket(4)),
    ("msgctl", Selector::Ipc(14)),
    ("msgget", Selector::Ipc(13)),
    ("msgrcv", Selector::Ipc(12)),
    ("msgsnd", Selector::Ipc(11)),
    ("recv", Selector::Socket(10)),
    ("recvfrom", Selector::Socket(12)),
    ("recvmmsg", Selector::Socket(19)),
    ("recvmsg", Selector::Socket(17)),
    ("semctl", Selector::Ipc(3)),
    ("semget", Selector::Ipc(2)),
    ("semop", Selector::Ipc(1)),
    ("semtimedop", Selector::Ipc(4)),
    ("send", Selector::Socket(9)),
    ("sendmmsg", Selector::Socket(20)),
    ("sendmsg", Selector::Socket(16)),
    ("sendto", Selector::Socket(11)),
    ("setsockopt", Selector::Socket(14)),
    ("shmat", Selector::Ipc(21)),
    ("shmctl", Selector::Ipc(24)),
    ("shmdt", Selector::Ipc(22)),
    ("shmget", Selector::Ipc(23)),
    ("shutdown", Selector::Socket(13)),
    ("socket", Selector::Socket(1)),
    ("socketpair", Selector::Socket(8)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_no_number_is_given_twice() {
        assert!(table::TABLE.is_sorted_by(|a, b| a.0 < b.0));
        assert!(MULTIPLEXED.is_sorted_by(|a, b| a.0 < b.0));
        for column in 0..5 {
            let mut seen = std::collections::HashMap::new();
            for (name, numbers) in table::TABLE.iter().filter(|(_, numbers)| numbers[column] >= 0) {
                let before = seen.insert(numbers[column], *name);
                assert!(before.is_none(), "{name} and {before:?} have number {} in column {column}", numbers[column]);
            }
        }
    }

    #[test]
    fn some_numbers_everyone_knows() {
        let on = |name, architecture| numbers(name).and_then(|numbers| numbers.on(architecture));
        assert_eq!(on("read", Architecture::X86_64), Some(0));
        assert_eq!(on("execve", Architecture::X86), Some(11));
        assert_eq!(on("execve", Architecture::X32), Some(0x4000_0208));
        assert_eq!(on("openat2", Architecture::Aarch64), Some(437));
        assert_eq!(on("open", Architecture::Aarch64), None);
        assert_eq!(on("set_tls", Architecture::Arm), Some(0x000f_0005));
        assert!(numbers("no_such_call").is_none());
    }

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn the_c_library_agrees_about_the_native_numbers() {
        for (name, number) in [
            ("clone3", libc::SYS_clone3),
            ("openat2", libc::SYS_openat2),
            ("ptrace", libc::SYS_ptrace),
            ("seccomp", libc::SYS_seccomp),
            ("socket", libc::SYS_socket),
        ] {
            assert_eq!(numbers(name).and_then(|n| n.on(Architecture::NATIVE)).map(i64::from), Some(number), "{name}");
        }
    }
}
