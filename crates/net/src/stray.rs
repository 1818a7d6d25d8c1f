//! What of a realm is on this host and belongs to nobody, or is missing: registers, links and firewall held against one
//! another.
//!
//! Nothing of this is on the way of any other command: killed processes leave only what is in the registers. What is found here
//! was made, changed or removed by others.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::firewall::{Backend, compile};
use crate::link::{Link, Links};
use crate::nft::{self, Family, Scope};
use crate::realm::of_registers;
use crate::register::Register;
use crate::{Realm, Result};

/// How long the kernel may take to remove the links of a network namespace that is gone, and a container to start.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is asked meanwhile.
const PAUSE: Duration = Duration::from_millis(20);

/// What is there of a realm and should not be, and the other way round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strays {
    /// Ports of its bridges that are named as ours, and are nobody's.
    pub links: Vec<String>,
    /// Chains of its table of the firewall that are no network's, and elements that lead to nobody, each with its set.
    pub rules: Vec<String>,
    /// Links of containers that are not on the bridge that they belong to, which is there.
    pub astray: Vec<String>,
    /// Bridges that are missing although containers are on them.
    pub bridges: Vec<String>,
    /// Whether rules or elements of the firewall are missing for what lives.
    pub lacks_rules: bool,
}

impl Strays {
    /// Whether all is as it should be.
    pub fn is_empty(&self) -> bool {
        *self == Strays::default()
    }
}

impl Realm {
    /// Looks for what belongs to nobody. Of registers that cannot be read nothing is known, so nothing is said about links and
    /// firewall then.
    ///
    /// # Errors
    /// Those of the registers, of links and of the firewall.
    pub fn strays(&self) -> Result<Strays> {
        let begun = Instant::now();
        loop {
            let strays = self.look()?;
            if strays.is_empty() || begun.elapsed() > PATIENCE {
                return Ok(strays);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Removes what belongs to nobody, and makes what is missing.
    ///
    /// # Errors
    /// Those of links and of the firewall.
    pub fn put_right(&self, strays: &Strays) -> Result<()> {
        let mut links = Links::open()?;
        strays.links.iter().try_for_each(|link| links.delete(link))?;
        self.reload()
    }

    fn look(&self) -> Result<Strays> {
        let registers = self.registers();
        let _locked = registers.lock()?;
        let all = registers.all()?;
        let links = Links::open()?.list()?;
        let lacks_rules = all.iter().any(|register| !register.endpoints.is_empty())
            && !self.firewall()?.is_intact(&lived_on(&all))?;
        Ok(Strays {
            links: stray_links(&all, &links),
            astray: astray(&all, &links),
            rules: self.stray_rules(&all)?,
            bridges: missing_bridges(&all, &links),
            lacks_rules,
        })
    }

    fn stray_rules(&self, all: &[Register]) -> Result<Vec<String>> {
        if self.firewall()?.backend() != Backend::Nftables {
            return Ok(Vec::new());
        }
        let mut socket = nft::Socket::open()?;
        let found = nft::dump_table(&mut socket, Scope { family: Family::Inet, table: &self.table })?;
        let expected = compile(&self.table, &of_registers(all));
        let is_known = |chain: &&nft::Chain| expected.chains.iter().any(|own| own.name == chain.name);
        let chains = found.iter().flat_map(|table| &table.chains).filter(|chain| !is_known(chain));
        let mut strays: Vec<String> = chains.map(|chain| format!("chain {}", chain.name)).collect();
        // Other sets have what follows from networks of others as well.
        let of_ports = |set: &&nft::Set| set.name.starts_with("published");
        for set in found.iter().flat_map(|table| &table.sets).filter(of_ports) {
            let own = expected.sets.iter().find(|own| own.name == set.name);
            let keys: HashSet<&[u8]> =
                own.into_iter().flat_map(|own| &own.elements).map(|element| element.key.as_slice()).collect();
            for element in set.elements.iter().filter(|element| !keys.contains(element.key.as_slice())) {
                let whose = element.comment.as_deref().unwrap_or("nobody");
                strays.push(format!("an element of {} for {whose}", set.name));
            }
        }
        Ok(strays)
    }
}

/// Those of the networks on which something lives: of others, who comes first makes what is missing.
fn lived_on(all: &[Register]) -> Vec<(&crate::Network, &[crate::Endpoint])> {
    of_registers(all).into_iter().filter(|(_, endpoints)| !endpoints.is_empty()).collect()
}

fn stray_links(all: &[Register], links: &[Link]) -> Vec<String> {
    let bridges: HashSet<u32> = links
        .iter()
        .filter(|link| all.iter().any(|register| register.network.is_bridge() && register.network.link == link.name))
        .map(|link| link.index)
        .collect();
    let known: HashSet<&str> =
        all.iter().flat_map(|register| &register.endpoints).map(|endpoint| endpoint.link.as_str()).collect();
    let is_stray = |link: &&Link| {
        link.kind.as_deref() == Some("veth")
            && link.master.is_some_and(|master| bridges.contains(&master))
            && is_ours(&link.name)
            && !known.contains(link.name.as_str())
    };
    links.iter().filter(is_stray).map(|link| link.name.clone()).collect()
}

/// Whether a name is one that leases give to links.
fn is_ours(name: &str) -> bool {
    name.strip_prefix("veth").is_some_and(|rest| rest.len() == 7 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Links of containers that have lost the bridge that they were on.
fn astray(all: &[Register], links: &[Link]) -> Vec<String> {
    let find = |name: &str| links.iter().find(|link| link.name == name);
    let of_register = |register: &Register| {
        let bridge = find(&register.network.link).map(|bridge| bridge.index);
        let own = register.endpoints.iter().filter_map(|endpoint| find(&endpoint.link));
        own.filter(|link| bridge.is_some() && link.master != bridge).map(|link| link.name.clone()).collect::<Vec<_>>()
    };
    all.iter().filter(|register| register.network.is_bridge()).flat_map(of_register).collect()
}

fn missing_bridges(all: &[Register], links: &[Link]) -> Vec<String> {
    let lived_on = lived_on(all).into_iter().map(|(network, _)| network);
    lived_on
        .filter(|network| !links.iter().any(|link| link.name == network.link))
        .map(|network| network.link.clone())
        .collect()
}
