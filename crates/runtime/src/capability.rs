//! Capabilities as bit sets (`capabilities(7)`).

use oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities};

/// The kernel's order: the position is the number in `linux/capability.h`.
const BY_NUMBER: [Capability; 41] = [
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

/// The five sets of a process, as bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sets {
    /// What the process and what it executes can ever have.
    pub bounding: u64,
    /// What counts in permission checks.
    pub effective: u64,
    /// What effective may be raised to.
    pub permitted: u64,
    /// What passes through the execution of a file with inheritable capabilities.
    pub inheritable: u64,
    /// What passes through the execution of any file.
    pub ambient: u64,
}

impl Sets {
    /// The sets of an OCI configuration; an absent set is empty.
    pub fn of(capabilities: &LinuxCapabilities) -> Sets {
        let bits = |set: &Option<Capabilities>| set.as_ref().map_or(0, |set| set.iter().copied().map(bit).sum());
        Sets {
            bounding: bits(capabilities.bounding()),
            effective: bits(capabilities.effective()),
            permitted: bits(capabilities.permitted()),
            inheritable: bits(capabilities.inheritable()),
            ambient: bits(capabilities.ambient()),
        }
    }
}

/// The bit of one capability.
pub fn bit(capability: Capability) -> u64 {
    BY_NUMBER.iter().position(|known| *known == capability).map_or(0, |number| 1 << number)
}

/// The capabilities of a bit set, in the kernel's order; bits this build does not know are left out.
pub fn from_bits(bits: u64) -> Vec<Capability> {
    BY_NUMBER.iter().enumerate().filter(|(number, _)| bits >> number & 1 == 1).map(|(_, known)| *known).collect()
}

/// What the calling process may hand to a container: its own permitted and bounding set.
///
/// # Errors
/// Those of `capget(2)`.
pub fn available() -> rustix::io::Result<u64> {
    let own = rustix::thread::capabilities(None)?.permitted.bits();
    let in_bounding = |capability: &Capability| {
        rustix::thread::CapabilitySet::from_bits(bit(*capability))
            .is_some_and(|set| rustix::thread::capability_is_in_bounding_set(set).unwrap_or(false))
    };
    Ok(from_bits(own).iter().filter(|capability| in_bounding(capability)).copied().map(bit).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_kernel() {
        for (capability, number) in [
            (Capability::Chown, 0),
            (Capability::NetAdmin, 12),
            (Capability::SysAdmin, 21),
            (Capability::Mknod, 27),
            (Capability::AuditRead, 37),
            (Capability::CheckpointRestore, 40),
        ] {
            assert_eq!(bit(capability), 1 << number, "{capability}");
            assert_eq!(from_bits(1 << number), [capability]);
        }
    }
}
