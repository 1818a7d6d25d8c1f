//! Rules, run as the kernel runs them (`net/netfilter/nf_tables_core.c`): registers, chains that jump to others, verdicts.
//!
//! What cannot be computed on paper is never guessed: a rule that depends on it is passed over, and what it might have done
//! is noted ([`Walked::doubts`]). Rules whose other conditions fail anyway, or that decide nothing, leave no doubt.

/// Chains, and what follows from rules.
mod chain;
/// What rules do to a packet.
mod effect;
/// Values that rules load.
mod load;
/// Registers.
mod register;
/// One rule.
mod rule;
/// Sets and maps.
mod set;

use std::net::IpAddr;

use super::packet::Device;

pub(super) use chain::{Decision, Hooked, Walked, run};
pub(super) use effect::{To, range};

/// Whether a condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It does, if what this says is true, as it usually is.
    Assumed(&'static str),
    /// Who knows: why not.
    Unknown(String),
}

impl Judgement {
    /// Yes or no.
    pub(super) fn of(holds: bool) -> Judgement {
        if holds { Judgement::Yes } else { Judgement::No }
    }
}

/// What rules ask about the network namespace that they are in, beyond the packet.
pub(super) trait Surroundings {
    /// What kind of address that is (`RTN_*`: 1 unicast, 2 local, 3 broadcast, 5 multicast), of all or as one of a device.
    fn address_type(&self, address: IpAddr, device: Option<&Device>) -> u32;

    /// By which device a packet with this mark would go to an address. None if there is no way, or the address is one of this
    /// namespace.
    fn way(&self, address: IpAddr, mark: u32) -> Option<Device>;

    /// The address of a device that a packet to somewhere is masqueraded with.
    fn masquerade_address(&self, device: &Device, destination: IpAddr) -> Option<IpAddr>;

    /// The first address of a device, of the family of `like`.
    fn first_address(&self, device: &Device, like: IpAddr) -> Option<IpAddr>;
}

#[cfg(test)]
mod tests;
