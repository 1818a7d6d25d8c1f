//! From what was asked for to a network's definition: subnets, ranges, gateways and options checked, and what nobody said
//! chosen. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use net::address::Subnet;
use net::{Driver, Network, Pool};

use super::kernel::Host;
use super::options::{self, Settings};
use super::{NetworkConfig, subnets};
use crate::config::network::DEFAULT_NETWORK;
use crate::error::{Error, Result};

/// What a definition depends on besides what was asked for.
pub(super) struct Facts<'a> {
    /// The id it gets.
    pub(super) id: &'a str,
    /// When it is made.
    pub(super) created: &'a str,
    /// The other networks of the store.
    pub(super) others: &'a [Network],
    /// The host.
    pub(super) host: &'a Host,
    /// The bits of the store's addresses of IPv6.
    pub(super) seed: [u8; 5],
}

/// The definition of a network.
///
/// # Errors
/// `Invalid` for what cannot be, `Conflict` for a subnet or a link in use, `Unsupported` for other drivers.
pub(super) fn define(config: &NetworkConfig, facts: &Facts<'_>) -> Result<Network> {
    let pools = Asked::parse(config)?;
    // Nobody on the parent's own network gives a way out to a subnet that was chosen here.
    let is_bridge = config.driver.as_deref().unwrap_or("bridge") == "bridge";
    let wants = |family: Option<bool>, by_default: bool, is_ipv4: bool| {
        let given = pools.0.iter().any(|pool| pool.subnet.is_ipv4() == is_ipv4);
        match family {
            Some(false) if given => Err(Error::invalid(format!(
                "--ipv{}=false and --subnet: conflicting options",
                if is_ipv4 { 4 } else { 6 }
            ))),
            other => Ok(other.unwrap_or(given || by_default)),
        }
    };
    let ipv4 = wants(config.ipv4, true, true)?;
    let ipv6 = wants(config.ipv6, is_bridge && facts.host.ipv6, false)?;
    if ipv6 && !facts.host.ipv6 {
        return Err(Error::unsupported("--ipv6: this host has no IPv6").with_hint("leave it out"));
    }
    let settings = options::settings(config.driver.as_deref(), &config.options, ipv6)?;
    let pools = pools.complete((ipv4, ipv6), facts)?;
    let link = settings.link.clone().unwrap_or_else(|| format!("br-{}", &facts.id[..12]));
    check_link(&settings, &link, facts.others)?;
    Ok(Network {
        keeps_link: false,
        id: facts.id.to_owned(),
        name: config.name.clone(),
        created: facts.created.to_owned(),
        driver: settings.driver,
        link,
        pools,
        internal: config.internal,
        icc: settings.icc,
        masquerade: settings.masquerade,
        names: true,
        mtu: settings.mtu,
        host_binding: settings.host_binding,
        options: config.options.clone(),
        labels: config.labels.clone(),
    })
}

/// The definition of the default network, whose bridge is `link`.
///
/// # Errors
/// `Conflict` when no subnet is free.
pub(super) fn default(link: &str, facts: &Facts<'_>) -> Result<Network> {
    let config = NetworkConfig { name: DEFAULT_NETWORK.to_owned(), ..NetworkConfig::default() };
    let options = [
        (options::DEFAULT_BRIDGE, "true"),
        (options::ENABLE_ICC, "true"),
        (options::ENABLE_MASQUERADE, "true"),
        (options::HOST_BINDING, "0.0.0.0"),
        (options::BRIDGE_NAME, link),
    ];
    let options = options.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Ok(Network { link: link.to_owned(), names: false, options, ..define(&config, facts)? })
}

/// The subnets that were asked for, each with what was said of it.
#[derive(Debug)]
struct Asked(Vec<AskedPool>);

#[derive(Debug)]
struct AskedPool {
    subnet: Subnet,
    range: Option<Subnet>,
    gateway: Option<IpAddr>,
    aux: BTreeMap<String, IpAddr>,
}

impl Asked {
    fn parse(config: &NetworkConfig) -> Result<Asked> {
        let mut asked = Asked(Vec::new());
        for text in &config.subnets {
            asked.add_subnet(text)?;
        }
        for text in &config.ranges {
            let flag = format!("--ip-range {text}");
            let range = exact(&flag, text)?;
            let pool = asked.of(&flag, |pool| pool.subnet.contains_subnet(range))?;
            if pool.range.replace(range).is_some() {
                return Err(Error::invalid(format!("{flag}: {} has a range already", pool.subnet)));
            }
        }
        for text in &config.gateways {
            let flag = format!("--gateway {text}");
            let gateway = address(&flag, text)?;
            let pool = asked.of(&flag, |pool| pool.subnet.contains(gateway))?;
            check_assignable(&flag, pool.subnet, gateway)?;
            if pool.gateway.replace(gateway).is_some() {
                return Err(Error::invalid(format!("{flag}: {} has a gateway already", pool.subnet)));
            }
        }
        for text in &config.aux {
            let flag = format!("--aux-address {text}");
            let (name, value) = text
                .split_once('=')
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| Error::invalid(format!("{flag}: not NAME=ADDRESS")))?;
            let value = address(&flag, value)?;
            let pool = asked.of(&flag, |pool| pool.subnet.contains(value))?;
            check_assignable(&flag, pool.subnet, value)?;
            if pool.aux.values().any(|other| *other == value) || pool.gateway == Some(value) {
                return Err(Error::conflict(format!("{flag}: {value} is given twice")));
            }
            pool.aux.insert(name.to_owned(), value);
        }
        Ok(asked)
    }

    fn add_subnet(&mut self, text: &str) -> Result<()> {
        let flag = format!("--subnet {text}");
        let subnet = exact(&flag, text)?;
        check_subnet(&flag, subnet)?;
        if let Some(other) = self.0.iter().find(|pool| pool.subnet.is_ipv4() == subnet.is_ipv4()) {
            let family = if subnet.is_ipv4() { 4 } else { 6 };
            return Err(Error::invalid(format!("{flag}: the network has {} of IPv{family} already", other.subnet))
                .with_hint("a network has one subnet of each family"));
        }
        self.0.push(AskedPool { subnet, range: None, gateway: None, aux: BTreeMap::new() });
        Ok(())
    }

    /// The subnet that something belongs to.
    fn of(&mut self, flag: &str, is_it: impl Fn(&AskedPool) -> bool) -> Result<&mut AskedPool> {
        self.0.iter_mut().find(|pool| is_it(pool)).ok_or_else(|| {
            Error::invalid(format!("{flag}: within no --subnet"))
                .with_hint("give the subnet that it is part of as well")
        })
    }

    /// With subnets for the families that have none yet and shall have one, and with gateways.
    fn complete(mut self, (ipv4, ipv6): (bool, bool), facts: &Facts<'_>) -> Result<Vec<Pool>> {
        for pool in &self.0 {
            check_free(pool.subnet, facts.others)?;
        }
        let of_others = facts.others.iter().flat_map(|network| &network.pools).map(|pool| pool.subnet);
        let taken: Vec<Subnet> = of_others.chain(facts.host.subnets.iter().copied()).collect();
        for (is_ipv4, wanted) in [(true, ipv4), (false, ipv6)] {
            if wanted && !self.0.iter().any(|pool| pool.subnet.is_ipv4() == is_ipv4) {
                let found = if is_ipv4 { subnets::free_ipv4(&taken) } else { subnets::free_ipv6(facts.seed, &taken) };
                let subnet = found.ok_or_else(|| none_free(is_ipv4))?;
                self.0.push(AskedPool { subnet, range: None, gateway: None, aux: BTreeMap::new() });
            }
        }
        self.0.sort_by_key(|pool| !pool.subnet.is_ipv4());
        self.0.into_iter().map(AskedPool::pool).collect()
    }
}

impl AskedPool {
    /// With the first address that nobody has as the gateway.
    fn pool(self) -> Result<Pool> {
        let AskedPool { subnet, range, gateway, aux } = self;
        let mut taken: Vec<IpAddr> = aux.values().copied().collect();
        taken.sort_unstable();
        let gateway = gateway
            .or_else(|| subnet.lowest_free(subnet, &taken))
            .ok_or_else(|| Error::invalid(format!("--subnet {subnet}: no address is left for the gateway")))?;
        Ok(Pool { subnet, range, gateway, aux })
    }
}

/// A subnet whose address is its first.
fn exact(flag: &str, text: &str) -> Result<Subnet> {
    let subnet: Subnet = text
        .parse()
        .map_err(|_| Error::invalid(format!("{flag}: not a subnet")).with_hint("such as 10.1.0.0/16 or fd00:1::/64"))?;
    let first = text.split('/').next().and_then(|address| address.parse::<IpAddr>().ok());
    if first != Some(subnet.address()) {
        return Err(Error::invalid(format!("{flag}: it should be {subnet}"))
            .with_hint("the bits behind the prefix are zero in a subnet"));
    }
    Ok(subnet)
}

fn address(flag: &str, text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| Error::invalid(format!("{flag}: '{text}' is not an address")))
}

/// Whether a subnet is one that containers can have addresses of.
fn check_subnet(flag: &str, subnet: Subnet) -> Result<()> {
    /// Shorter prefixes are other people's networks as a whole.
    const SHORTEST: u8 = 8;
    // One address for the gateway, one for a container (RFC 3021, RFC 6164).
    let longest = if subnet.is_ipv4() { 31 } else { 127 };
    if !(SHORTEST..=longest).contains(&subnet.prefix()) {
        return Err(Error::invalid(format!("{flag}: the prefix is not within {SHORTEST} and {longest}")));
    }
    let is_of_the_kernel = match subnet.address() {
        IpAddr::V4(first) => {
            first.is_loopback() || first.is_multicast() || first.is_unspecified() || first.octets()[0] >= 240
        }
        IpAddr::V6(first) => {
            first.is_loopback() || first.is_multicast() || first.is_unspecified() || first.is_unicast_link_local()
        }
    };
    if is_of_the_kernel {
        return Err(Error::invalid(format!("{flag}: its addresses are not those of hosts"))
            .with_hint("use private addresses: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fd00::/8"));
    }
    Ok(())
}

fn check_assignable(flag: &str, subnet: Subnet, address: IpAddr) -> Result<()> {
    if subnet.is_assignable(address) {
        return Ok(());
    }
    Err(Error::invalid(format!("{flag}: {address} stands for all of {subnet}, and nobody can have it")))
}

/// Two networks with the same addresses could not be told apart.
fn check_free(subnet: Subnet, others: &[Network]) -> Result<()> {
    for other in others {
        if let Some(pool) = other.pools.iter().find(|pool| pool.subnet.overlaps(subnet)) {
            let message =
                format!("--subnet {subnet}: overlaps with {}, the subnet of network {}", pool.subnet, other.name);
            return Err(Error::conflict(message).with_hint("leave it out, and one that is free is chosen"));
        }
    }
    Ok(())
}

fn check_link(settings: &Settings, link: &str, others: &[Network]) -> Result<()> {
    let Some(other) = others.iter().find(|other| other.link == link) else { return Ok(()) };
    let name = &other.name;
    Err(match settings.driver {
        Driver::Bridge => Error::conflict(format!("bridge {link} is that of network {name}")),
        _ => Error::conflict(format!("network {name} is already using parent interface {link}"))
            .with_hint(format!("connect the containers to {name}, or use another parent, such as a VLAN: {link}.10")),
    })
}

fn none_free(is_ipv4: bool) -> Error {
    let family = if is_ipv4 { 4 } else { 6 };
    Error::conflict(format!("no subnet of IPv{family} is free: networks and routes of the host have all of them"))
        .with_hint("give one: --subnet 10.99.0.0/24; or remove networks that nobody uses: phial network prune")
}

#[cfg(test)]
mod tests;
