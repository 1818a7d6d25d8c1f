//! The profile of a container that brings none.
//!
//! Owns when a group of calls is let through; the groups themselves are a table. Never reads the running system, except
//! where a function says so.

/// The calls, by name.
mod table;

use oci_spec::runtime::{
    Capabilities, Capability, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompOperator, LinuxSyscall,
};

use super::syscalls::Architecture;

/// What the default profile depends on.
#[derive(Debug, Clone, Copy)]
pub struct ProfileContext<'a> {
    /// The bounding set of the container's first process: what it can ever have.
    pub capabilities: &'a Capabilities,
    /// The architecture of the machine.
    pub architecture: Architecture,
    /// The kernel the container will run on.
    pub kernel: KernelVersion,
}

/// The first two numbers of a kernel's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion {
    /// 6 of 6.12.
    pub major: u32,
    /// 12 of 6.12.
    pub minor: u32,
}

impl KernelVersion {
    /// The running kernel (`uname(2)`); 0.0 if it calls itself something that is not a version.
    pub fn running() -> KernelVersion {
        let uname = rustix::system::uname();
        let release = uname.release().to_str().ok().and_then(KernelVersion::of_release);
        release.unwrap_or(KernelVersion { major: 0, minor: 0 })
    }

    /// The version at the beginning of a release name such as `6.1.0-13-amd64` or `6.18-rc1`.
    pub fn of_release(release: &str) -> Option<KernelVersion> {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        Some(KernelVersion { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
    }
}

/// What lets a group of calls through.
enum Unlock {
    /// The container may have this capability. That the kernel checks it again is no reason to let the call through
    /// without: most of these calls had holes before their check.
    Capability(Capability),
    /// The machine is one of these.
    Architecture(&'static [Architecture]),
    /// The kernel is at least this old.
    Kernel(u32, u32),
}

impl Unlock {
    fn holds(&self, context: &ProfileContext) -> bool {
        match *self {
            Unlock::Capability(capability) => context.capabilities.contains(&capability),
            Unlock::Architecture(architectures) => architectures.contains(&context.architecture),
            Unlock::Kernel(major, minor) => context.kernel >= KernelVersion { major, minor },
        }
    }
}

/// The default profile: the decisions of Docker's (<https://docs.docker.com/engine/security/seccomp/>), by capabilities,
/// architecture and kernel.
///
/// One decision differs, on purpose: `socket` with a family above 63. Docker's profile lets those through, compared as
/// 64 bits, while the kernel looks at 32; so that a family of 2³² + 38 would be an `AF_ALG` socket (see the table).
///
/// As Docker's, it lists the 32-bit sister architectures, and lets i386 programs call `socketcall`, whose arguments no
/// filter can see. So the families that are held back can be had through `int 0x80` where the kernel supports it. Who
/// wants that closed as well removes `SCMP_ARCH_X86` from the profile, at the price that i386 programs do not run.
pub fn default_profile(context: &ProfileContext) -> LinuxSeccomp {
    let mut allowed = Vec::with_capacity(512);
    allowed.extend(table::ALWAYS.iter().flat_map(|group| group.split_ascii_whitespace()));
    let unlocked = table::UNLOCKED.iter().filter(|(unlock, _)| unlock.holds(context));
    allowed.extend(unlocked.flat_map(|(_, group)| group.split_ascii_whitespace()));
    let mut syscalls = Vec::with_capacity(16);
    syscalls.push(rule(allowed, LinuxSeccompAction::ScmpActAllow));
    for (value, mask) in table::SOCKET_FAMILIES {
        syscalls.push(allow_if("socket", masked(mask, value)));
    }
    for personality in table::PERSONALITIES {
        syscalls.push(allow_if("personality", masked(u64::MAX, personality)));
    }
    if !context.capabilities.contains(&Capability::SysAdmin) {
        syscalls.push(allow_if("clone", masked(table::NAMESPACE_FLAGS, 0)));
        // Its flags lie in memory, out of a filter's sight. With ENOSYS the C library falls back to `clone`, with
        // EPERM it gives up.
        let mut clone3 = rule(vec!["clone3"], LinuxSeccompAction::ScmpActErrno);
        clone3.set_errno_ret(Some(super::rules::ENOSYS));
        syscalls.push(clone3);
    }
    let mut profile = LinuxSeccomp::default();
    profile.set_default_action(LinuxSeccompAction::ScmpActErrno);
    profile.set_default_errno_ret(Some(1));
    profile.set_architectures(Some(abis(context.architecture).iter().map(|abi| abi.oci()).collect()));
    profile.set_syscalls(Some(syscalls));
    profile
}

/// The ABIs whose programs run on a machine.
fn abis(machine: Architecture) -> &'static [Architecture] {
    match machine {
        Architecture::X86_64 => &[Architecture::X86_64, Architecture::X86, Architecture::X32],
        Architecture::X32 => &[Architecture::X32],
        Architecture::X86 => &[Architecture::X86],
        Architecture::Aarch64 => &[Architecture::Aarch64, Architecture::Arm],
        Architecture::Arm => &[Architecture::Arm],
    }
}

fn rule(names: Vec<&str>, action: LinuxSeccompAction) -> LinuxSyscall {
    let mut rule = LinuxSyscall::default();
    rule.set_names(names.into_iter().map(str::to_owned).collect());
    rule.set_action(action);
    rule
}

fn allow_if(name: &str, condition: LinuxSeccompArg) -> LinuxSyscall {
    let mut rule = rule(vec![name], LinuxSeccompAction::ScmpActAllow);
    rule.set_args(Some(vec![condition]));
    rule
}

/// The first argument, under a mask, is this value.
fn masked(mask: u64, value: u64) -> LinuxSeccompArg {
    let condition = LinuxSeccompArgBuilder::default().index(0usize);
    let condition = if mask == u64::MAX {
        condition.op(LinuxSeccompOperator::ScmpCmpEq).value(value)
    } else {
        condition.op(LinuxSeccompOperator::ScmpCmpMaskedEq).value(mask).value_two(value)
    };
    condition.build().expect("every field of the builder has a default")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::syscalls;

    #[test]
    fn every_name_in_the_table_is_a_system_call() {
        let groups = table::ALWAYS.iter().chain(table::UNLOCKED.iter().map(|(_, group)| group));
        for name in groups.flat_map(|group| group.split_ascii_whitespace()) {
            // Calls of architectures that there are no numbers for yet.
            let elsewhere = ["riscv_hwprobe", "sync_file_range2"].contains(&name);
            assert!(syscalls::numbers(name).is_some() != elsewhere, "{name}");
        }
    }

    #[test]
    fn no_call_is_listed_twice_as_always_allowed() {
        let mut names: Vec<_> = table::ALWAYS.iter().flat_map(|group| group.split_ascii_whitespace()).collect();
        names.sort_unstable();
        let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn versions_are_read_from_release_names() {
        let of = |release| KernelVersion::of_release(release).map(|version| (version.major, version.minor));
        assert_eq!(of("6.1.0-13-amd64"), Some((6, 1)));
        assert_eq!(of("4.8"), Some((4, 8)));
        assert_eq!(of("6.18-rc1"), Some((6, 18)));
        assert_eq!(of("generic"), None);
        assert!(KernelVersion { major: 4, minor: 10 } > KernelVersion { major: 4, minor: 8 });
        assert!(KernelVersion::running().major >= 4);
    }
}
