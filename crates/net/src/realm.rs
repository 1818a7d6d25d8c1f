//! The networks of one store on this host: where its registers are, and which part of the host's firewall is its own.

use std::path::PathBuf;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::attach::{ensure_bridge, port};
use crate::firewall::{Backend, Firewall};
use crate::lease::{Lease, Wish, lease};
use crate::link::Links;
use crate::register::{Locked, Register, Registers};
use crate::whole::Whole;
use crate::{Endpoint, Error, Network, Result};

/// File among the registers that says that this kernel's nftables is not enough. It goes with the boot.
const WITHOUT_NFTABLES: &str = "without-nftables";

/// Where the networks of a store are on this host. Several stores on one host know nothing of one another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Realm {
    /// The directory of its registers.
    pub registers: PathBuf,
    /// Its table of the firewall.
    pub table: String,
    /// By what its rules come into the kernel; by nftables if that is there and nobody has chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall: Option<Backend>,
}

impl Realm {
    /// Its registers.
    pub fn registers(&self) -> Registers {
        Registers::new(&self.registers)
    }

    /// Its part of the firewall of this host.
    ///
    /// # Errors
    /// Those of netlink.
    pub fn firewall(&self) -> Result<Firewall> {
        let found = || self.registers.join(WITHOUT_NFTABLES).exists().then_some(Backend::Iptables);
        Firewall::open(&self.table, self.firewall.or_else(found))
    }

    /// Puts all rules there. A kernel may have nftables and lack a part of it that is needed, such as translation in the family
    /// `inet` (Linux 5.2): that shows here, and is noted for everybody else.
    pub(crate) fn replace(&self, firewall: &mut Firewall, registers: &[(&Network, &[Endpoint])]) -> Result<()> {
        let Err(error) = firewall.replace(registers) else { return Ok(()) };
        if self.firewall.is_some() || firewall.backend() != Backend::Nftables || !is_lack(&error) {
            return Err(error);
        }
        *firewall = Firewall::open(&self.table, Some(Backend::Iptables))?;
        // What kept nftables from working is the better error of the two.
        firewall.replace(registers).map_err(|_| error)?;
        let path = self.registers.join(WITHOUT_NFTABLES);
        std::fs::write(&path, "").map_err(|error| Error::io(path.display(), &error))
    }

    /// Gives a container addresses on a network, and notes that in the register: what it had there before is given back, and
    /// what some of the dead have left.
    ///
    /// # Errors
    /// As of [`check`](crate::lease::check); `Conflict` when an address is taken, or none is left; those of links, of the
    /// firewall and of the register.
    pub fn lease(
        &self,
        locked: &Locked<'_>,
        network: &Network,
        wish: &Wish,
        is_dead: &dyn Fn(&str) -> bool,
    ) -> Result<Endpoint> {
        let mut register = locked.of(network)?;
        let Lease { endpoint, evicted } = lease(&mut register, wish, is_dead)?;
        self.bury(locked, network, &evicted)?;
        locked.write(&register)?;
        Ok(endpoint)
    }

    /// Takes a container that has ended off all networks: its addresses are free, and nothing leads to it. The kernel
    /// removes its links together with its network namespace, a while later; to ask for that would take 20 ms. What cannot
    /// be done does not keep the rest from being done.
    ///
    /// # Errors
    /// The first of them.
    pub fn release(&self, container: &str) -> Result<()> {
        let registers = self.registers();
        let locked = registers.lock()?;
        self.take_out(&locked, &registers.ids()?, &|other| other == container, &|_| Ok(()), &mut None)
    }

    /// The same for somebody who knows which networks it is on. He gets the firewall, if it was needed.
    ///
    /// # Errors
    /// As of [`Realm::release`].
    pub(crate) fn release_from(
        &self,
        networks: &[String],
        container: &str,
        firewall: &mut Option<Firewall>,
    ) -> Result<()> {
        let registers = self.registers();
        self.take_out(&registers.lock()?, networks, &|other| other == container, &|_| Ok(()), firewall)
    }

    /// Takes containers off all networks whose supervisors were killed: those of which `is_dead` says so. Other processes may
    /// keep their network namespaces, so that their links are removed here.
    ///
    /// # Errors
    /// As of [`Realm::release`].
    pub fn collect(&self, is_dead: &dyn Fn(&str) -> bool) -> Result<()> {
        let registers = self.registers();
        let locked = registers.lock()?;
        self.take_out(&locked, &registers.ids()?, is_dead, &remove_links, &mut None)
    }

    /// Lets nothing lead any more to containers whose supervisors were killed. Their entries are still there.
    fn bury(&self, locked: &Locked<'_>, network: &Network, dead: &[Endpoint]) -> Result<()> {
        self.unpublish(locked, network, dead, &mut None).and(remove_links(dead))
    }

    fn take_out(
        &self,
        locked: &Locked<'_>,
        networks: &[String],
        is_gone: &dyn Fn(&str) -> bool,
        besides: &dyn Fn(&[Endpoint]) -> Result<()>,
        firewall: &mut Option<Firewall>,
    ) -> Result<()> {
        let mut result = Ok(());
        for id in networks {
            let taken = locked.registers().read(id).and_then(|register| {
                let Some(mut register) = register else { return Ok(()) };
                let gone: Vec<Endpoint> =
                    register.endpoints.extract_if(.., |endpoint| is_gone(&endpoint.container)).collect();
                if gone.is_empty() {
                    return Ok(());
                }
                // The entry goes last: as long as it is there, whoever comes next finds what is left.
                self.unpublish(locked, &register.network, &gone, firewall)?;
                besides(&gone)?;
                locked.write(&register)
            });
            result = result.and(taken);
        }
        result
    }

    /// Lets no port lead any more to endpoints that are about to leave their register.
    fn unpublish(
        &self,
        locked: &Locked<'_>,
        network: &Network,
        gone: &[Endpoint],
        firewall: &mut Option<Firewall>,
    ) -> Result<()> {
        let publishing = || gone.iter().filter(|endpoint| !endpoint.ports.is_empty());
        if !network.is_bridge() || publishing().next().is_none() {
            return Ok(());
        }
        let (others, _) = locked.registers().readable()?;
        let others = || others.iter().flat_map(|register| &register.endpoints);
        let others = || others().filter(|other| gone.iter().all(|gone| gone.id != other.id));
        let firewall = match firewall {
            Some(firewall) => firewall,
            none => none.insert(self.firewall()?),
        };
        let whole = Whole::look(locked, firewall)?;
        for endpoint in publishing() {
            // The ports of one whose supervisor was killed were free at once, and may be somebody else's by now.
            let mut own = endpoint.clone();
            own.ports.retain(|port| !others().any(|other| other.ports.iter().any(|theirs| theirs.is_same(port))));
            if !own.ports.is_empty() {
                firewall.unpublish(network, &own)?;
                sys::fault::point("network: not published any more");
            }
        }
        if whole.is_known() { whole.note(firewall) } else { Ok(()) }
    }

    /// Puts everything that should be on this host where it should be, whatever is there: bridges and the firewall.
    ///
    /// # Errors
    /// Those of links and of the firewall.
    pub fn reload(&self) -> Result<()> {
        let registers = self.registers();
        let locked = registers.lock()?;
        let all = registers.all()?;
        let mut links = Links::open()?;
        // A container has its ports on one of its networks, and may be called by them from all.
        let endpoints = || all.iter().flat_map(|register| &register.endpoints);
        let publishes =
            |one: &Endpoint| endpoints().any(|other| other.container == one.container && !other.ports.is_empty());
        for register in all.iter().filter(|register| register.network.is_bridge()) {
            let bridge = ensure_bridge(&mut links, &register.network)?;
            let port = |endpoint| port(&register.network, endpoint, publishes(endpoint));
            links.rejoin(bridge, &register.endpoints.iter().map(port).collect::<Vec<_>>())?;
        }
        let (mut firewall, registers) = (self.firewall()?, of_registers(&all));
        let whole = Whole::look(&locked, &mut firewall)?;
        self.replace(&mut firewall, &registers)?;
        whole.note(&mut firewall)?;
        // Whoever has chosen another backend since has the rules of the one before besides. Where there is none, there is
        // nothing to remove.
        let networks: Vec<&Network> = registers.iter().map(|(network, _)| *network).collect();
        Firewall::open(&self.table, Some(firewall.backend().other()))
            .and_then(|mut other| other.remove(&networks))
            .ok();
        Ok(())
    }

    /// Makes what the host has of a network, before anybody is on it: its bridge.
    ///
    /// # Errors
    /// Those of links and of the register.
    pub fn make_network(&self, locked: &Locked<'_>, network: &Network) -> Result<()> {
        if locked.registers().read(&network.id)?.is_none() {
            locked.begin(network)?;
        }
        if network.is_bridge() { ensure_bridge(&mut Links::open()?, network).map(drop) } else { Ok(()) }
    }

    /// Removes what the host has of a network that nobody is on any more, which the caller has seen to.
    ///
    /// # Errors
    /// Those of links, of the firewall and of the register.
    pub fn remove_network(&self, locked: &Locked<'_>, network: &Network) -> Result<()> {
        let (all, _) = locked.registers().readable()?;
        if network.is_bridge() {
            let mut firewall = self.firewall()?;
            firewall.remove_network(network)?;
            // The default network cannot be removed. With nothing on it, the host is left as it was found all the same.
            if all.iter().all(|register| register.endpoints.is_empty() || register.network.id == network.id) {
                let idle = of_registers(&all);
                firewall.withdraw(&idle.iter().map(|(network, _)| *network).collect::<Vec<_>>())?;
            }
            sys::fault::point("network: rules gone");
        }
        let is_shared = || all.iter().any(|other| other.network.id != network.id && other.network.link == network.link);
        if !network.keeps_link && !is_shared() {
            let mut links = Links::open()?;
            if network.is_bridge() {
                links.remove_bridge(&network.link)?;
            } else {
                links.remove_vlan(&network.link)?;
            }
            sys::fault::point("network: bridge gone");
        }
        locked.remove(&network.id)
    }
}

/// Whether the kernel refuses because it lacks something: a table that is made whole misses nothing that was there before.
fn is_lack(error: &Error) -> bool {
    matches!(error.errno(), Some(Errno::OPNOTSUPP | Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT | Errno::NOENT))
}

/// Removes the links of these endpoints from the host, and with them the containers' interfaces.
pub(crate) fn remove_links(gone: &[Endpoint]) -> Result<()> {
    if gone.iter().all(|endpoint| endpoint.link.is_empty()) {
        return Ok(());
    }
    let mut links = Links::open()?;
    for endpoint in gone.iter().filter(|endpoint| !endpoint.link.is_empty()) {
        // Most are gone with their namespaces, and to look costs less than a message.
        if links.index(&endpoint.link)?.is_some() {
            links.delete(&endpoint.link)?;
        }
    }
    Ok(())
}

/// Networks and what lives on them, as the firewall takes them.
pub(crate) fn of_registers(registers: &[Register]) -> Vec<(&Network, &[Endpoint])> {
    let bridged = registers.iter().filter(|register| register.network.is_bridge());
    bridged.map(|register| (&register.network, register.endpoints.as_slice())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Namespace;

    #[test]
    fn a_kernel_whose_nftables_is_not_enough_is_remembered() {
        let directory = tempfile::tempdir().expect("a directory");
        let realm = Realm { registers: directory.path().to_owned(), table: "phial".to_owned(), firewall: None };
        Namespace::new().run(|| {
            assert_eq!(realm.firewall().expect("there is one").backend(), Backend::Nftables);
            std::fs::write(directory.path().join(WITHOUT_NFTABLES), "").expect("is written");
            assert_eq!(realm.firewall().expect("there is one").backend(), Backend::Iptables);
            let chosen = Realm { firewall: Some(Backend::Nftables), ..realm.clone() };
            assert_eq!(chosen.firewall().expect("there is one").backend(), Backend::Nftables);
        });
        assert_eq!(realm.registers().all().expect("none"), [], "it is no register");
    }
}
