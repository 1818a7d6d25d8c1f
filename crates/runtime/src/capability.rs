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
    ///
    /// Ambient capabilities must be permitted and inheritable as well (`capabilities(7)`), else the kernel says `EPERM`.
    /// `runc spec` and `crun spec` write an ambient set without an inheritable one, which is to mean none since
    /// CVE-2022-24769: those that cannot be are left out, so that such a configuration runs with an empty ambient set.
    pub fn of(capabilities: &LinuxCapabilities) -> Sets {
        let bits = |set: &Option<Capabilities>| set.as_ref().map_or(0, |set| set.iter().copied().map(bit).sum());
        let (permitted, inheritable) = (bits(capabilities.permitted()), bits(capabilities.inheritable()));
        Sets {
            bounding: bits(capabilities.bounding()),
            effective: bits(capabilities.effective()),
            permitted,
            inheritable,
            ambient: bits(capabilities.ambient()) & permitted & inheritable,
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
    fn ambient_capabilities_are_permitted_and_inheritable() {
        // As `runc spec` writes it, and as it must be for ambient capabilities to be.
        for (inheritable, ambient) in [(None, 0), (Some(["CAP_KILL"]), 1 << 5)] {
            let json = serde_json::json!({
                "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
                "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
                "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
                "inheritable": inheritable,
                "ambient": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
            });
            let sets = Sets::of(&serde_json::from_value(json).expect("capabilities"));
            assert_eq!((sets.permitted, sets.ambient), (1 << 29 | 1 << 5 | 1 << 10, ambient));
        }
    }

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
