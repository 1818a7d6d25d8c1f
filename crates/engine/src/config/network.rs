//! `--network`, `--network-alias`, `--ip`, `--ip6`, `--mac-address`, `--link`: which networks a container is on, and what it
//! is there. Pure.
//!
//! Networks and containers are named as the user named them when the flags are parsed, and by their ids from `create` on.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use net::address::Mac;
use serde::{Deserialize, Serialize};

use super::names::is_name;
use super::namespace::{OF_CONTAINER, container};
use crate::error::{Error, Result};
use notation::similar;

/// What the default network is called.
pub const DEFAULT_NETWORK: &str = "bridge";

/// Options of a connection to a network (`driver-opt=`).
const ENDPOINT_OPTIONS: [&str; 2] = [IFNAME, SYSCTLS];
/// What the container calls the interface.
pub(crate) const IFNAME: &str = "com.docker.network.endpoint.ifname";
/// Parameters of the interface, which is `IFNAME` in their names: `net.ipv4.conf.IFNAME.log_martians=1,…`.
pub(crate) const SYSCTLS: &str = "com.docker.network.endpoint.sysctls";

/// Longest name of an interface: `IFNAMSIZ` without the byte that ends it.
const LONGEST_INTERFACE: usize = 15;

/// Which network namespace a container gets, and what is in it (`--network`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// One of its own with nothing but a loopback interface.
    None,
    /// The host's.
    Host,
    /// That of this container.
    Container(String),
    /// One of its own, connected to these networks; to the default network if there are none.
    Own(Vec<Connection>),
}

/// That a container is on a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Connection {
    /// The network: as typed, and its id once the container is created.
    pub network: String,
    /// Further names that the container has on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The address of IPv4 that it must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<Ipv4Addr>,
    /// The address of IPv6 that it must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Addr>,
    /// The hardware address that it must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// The network with the highest one is the way out.
    pub gateway_priority: i32,
    /// Docker's options of an endpoint.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// Names for other containers that only this one uses (`network connect --link`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
}

/// `--link`: a name that another container has for this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The other container: as typed, and its id once this one is created.
    pub container: String,
    /// What this one calls it.
    pub alias: String,
}

/// The flags about networks, before they are put together.
#[derive(Debug, Clone, Default)]
pub struct NetworkFlags {
    /// `--network`, any number.
    pub networks: Vec<String>,
    /// `--network-alias`.
    pub aliases: Vec<String>,
    /// `--ip`.
    pub ip: Option<String>,
    /// `--ip6`.
    pub ip6: Option<String>,
    /// `--mac-address`.
    pub mac: Option<String>,
    /// `--link-local-ip`.
    pub link_local: Vec<String>,
}

impl Default for Network {
    fn default() -> Network {
        Network::Own(Vec::new())
    }
}

impl Network {
    /// The container whose namespace it is.
    pub fn container(&self) -> Option<&str> {
        match self {
            Network::Container(name) => Some(name),
            _ => None,
        }
    }

    /// The networks that are named: none, also where none means the default one.
    pub fn connections(&self) -> &[Connection] {
        match self {
            Network::Own(connections) => connections,
            _ => &[],
        }
    }

    /// Whether a network is one of them: by its id, and without any, the default one.
    pub(crate) fn is_on(&self, network: &net::Network) -> bool {
        match self {
            Network::Own(connections) if connections.is_empty() => network.name == DEFAULT_NETWORK,
            _ => self.names(&network.id),
        }
    }

    /// Whether the network with this id is named, which may be gone.
    pub(crate) fn names(&self, id: &str) -> bool {
        self.connections().iter().any(|connection| connection.network == id)
    }

    /// Whether the namespace is the container's own.
    pub fn is_own(&self) -> bool {
        matches!(self, Network::None | Network::Own(_))
    }
}

impl Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Network::None => f.write_str("none"),
            Network::Host => f.write_str("host"),
            Network::Container(name) => write!(f, "{OF_CONTAINER}{name}"),
            Network::Own(connections) => {
                f.write_str(connections.first().map_or(DEFAULT_NETWORK, |connection| &connection.network))
            }
        }
    }
}

impl Connection {
    /// A connection to the network of this name, with nothing asked for.
    pub fn to(network: impl Into<String>) -> Connection {
        Connection { network: network.into(), ..Connection::default() }
    }

    /// Parses `--network NAME`, or `--network name=NAME,alias=…,ip=…,ip6=…,mac-address=…,driver-opt=…,gw-priority=…`.
    ///
    /// # Errors
    /// `Invalid` for an unknown key and for a value that is none, `Unsupported` for `link-local-ip`.
    pub fn parse(text: &str) -> Result<Connection> {
        let flag = || format!("--network {text}");
        if text.is_empty() {
            return Err(Error::invalid("--network: the value is empty").with_hint(HINT));
        }
        if !text.contains('=') {
            return Ok(Connection::to(text));
        }
        let mut connection = Connection::default();
        for field in notation::fields::split(text).map_err(|why| Error::invalid(format!("{}: {why}", flag())))? {
            let (key, value) = field
                .split_once('=')
                .ok_or_else(|| Error::invalid(format!("{}: '{field}' is not KEY=VALUE", flag())))?;
            connection.set(&flag, key.trim().to_ascii_lowercase().as_str(), value.trim())?;
        }
        if connection.network.is_empty() {
            return Err(Error::invalid(format!("{}: the name of the network is missing", flag()))
                .with_hint("give name=NETWORK as well"));
        }
        Ok(connection)
    }

    fn set(&mut self, flag: &impl Fn() -> String, key: &str, value: &str) -> Result<()> {
        let what = || format!("{}: {key}={value}", flag());
        match key {
            "name" => value.clone_into(&mut self.network),
            "alias" => self.aliases.push(alias(what, value)?),
            "ip" => self.ipv4 = Some(address(what, value, "IPv4")?),
            "ip6" => self.ipv6 = Some(address(what, value, "IPv6")?),
            "mac-address" => self.mac = Some(mac(what, value)?),
            "driver-opt" => {
                let (name, value) = option(&what, value)?;
                self.options.insert(name, value);
            }
            "gw-priority" => {
                self.gateway_priority =
                    value.parse().map_err(|_| Error::invalid(format!("{}: not a whole number", what())))?;
            }
            "link-local-ip" => return Err(link_local(&what())),
            _ => {
                return Err(Error::invalid(format!("{}: unknown key '{key}'", flag()))
                    .with_hint("keys are name, alias, ip, ip6, mac-address, driver-opt and gw-priority"));
            }
        }
        Ok(())
    }

    /// Whether nothing but the network is said.
    fn is_plain(&self) -> bool {
        *self == Connection::to(self.network.clone())
    }

    /// Takes `driver-opt` of `network connect`.
    ///
    /// # Errors
    /// `Invalid` for an unknown option and a value that is none.
    pub fn add_option(&mut self, flag: &str, text: &str) -> Result<()> {
        let (name, value) = option(&|| format!("{flag} {text}"), text)?;
        self.options.insert(name, value);
        Ok(())
    }
}

impl NetworkFlags {
    /// The networks that they ask for.
    ///
    /// # Errors
    /// `Invalid` for a value that makes no sense, or not together with another; `Unsupported` for `--link-local-ip`.
    pub fn parse(&self) -> Result<Network> {
        let mut connections: Vec<Connection> =
            self.networks.iter().map(|text| Connection::parse(text)).collect::<Result<_>>()?;
        if connections.is_empty() {
            connections.push(Connection::to(DEFAULT_NETWORK));
        }
        for connection in &mut connections {
            if connection.network == "default" {
                DEFAULT_NETWORK.clone_into(&mut connection.network);
            }
        }
        // As docker: what has flags of its own is said of the first network.
        self.complete(&mut connections[0])?;
        for (number, connection) in connections.iter().enumerate() {
            if connections[..number].iter().any(|other| other.network == connection.network) {
                return Err(Error::invalid(format!("network {} is specified multiple times", connection.network)));
            }
        }
        let other =
            connections.iter().find_map(|connection| other_mode(&connection.network).transpose()).transpose()?;
        if let Some(mode) = other {
            return alone(mode, &connections);
        }
        connections.iter().try_for_each(check_default)?;
        match connections.as_slice() {
            [only] if only.network == DEFAULT_NETWORK && only.is_plain() => Ok(Network::Own(Vec::new())),
            _ => Ok(Network::Own(connections)),
        }
    }

    fn complete(&self, first: &mut Connection) -> Result<()> {
        fn twice(flag: &str, key: &str) -> Error {
            Error::invalid(format!("conflicting options: cannot specify both {flag} and per-network {key}"))
        }
        fn fill<T>(to: &mut Option<T>, value: Option<T>, flag: &str, key: &str) -> Result<()> {
            if value.is_some() && to.is_some() {
                return Err(twice(flag, key));
            }
            *to = value.or(to.take());
            Ok(())
        }
        if let Some(address) = self.link_local.first() {
            return Err(link_local(&format!("--link-local-ip {address}")));
        }
        if !self.aliases.is_empty() {
            if !first.aliases.is_empty() {
                return Err(twice("--network-alias", "alias"));
            }
            let aliases = self.aliases.iter().map(|text| alias(|| format!("--network-alias {text}"), text));
            first.aliases = aliases.collect::<Result<_>>()?;
        }
        fill(&mut first.ipv4, self.ip.as_deref().map(parse_ip).transpose()?, "--ip", "IPv4 address")?;
        fill(&mut first.ipv6, self.ip6.as_deref().map(parse_ip6).transpose()?, "--ip6", "IPv6 address")?;
        fill(&mut first.mac, self.mac.as_deref().map(parse_mac).transpose()?, "--mac-address", "MAC address")
    }
}

impl Link {
    /// Parses `--link NAME[:ALIAS]`.
    ///
    /// # Errors
    /// `Invalid` for an empty name and for what cannot be the name of a host.
    pub fn parse(text: &str) -> Result<Link> {
        let (name, alias) = text.split_once(':').unwrap_or((text, text));
        let name = name.strip_prefix('/').unwrap_or(name);
        let alias = alias.strip_prefix('/').unwrap_or(alias);
        if name.is_empty() || !is_name(alias) {
            return Err(Error::invalid(format!(
                "--link {text}: not CONTAINER[:ALIAS], where ALIAS is the name of a host"
            )));
        }
        Ok(Link { container: name.to_owned(), alias: alias.to_owned() })
    }
}

/// What to give.
const HINT: &str = "give none, host, container:NAME, or the name of a network: phial network ls";

/// A mode that is no network; None for a network.
fn other_mode(text: &str) -> Result<Option<Network>> {
    match text {
        "none" => Ok(Some(Network::None)),
        "host" => Ok(Some(Network::Host)),
        other => Ok(container("--network", other)?.map(Network::Container)),
    }
}

/// A mode that is no network goes with nothing else.
fn alone(mode: Network, connections: &[Connection]) -> Result<Network> {
    let conflict = |flag: &str| Error::invalid(format!("conflicting options: {flag} and --network {mode}"));
    match connections {
        [only] => match asked(only) {
            Some(flag) => Err(conflict(flag).with_hint("only a container on a network has names and addresses there")),
            None => Ok(mode),
        },
        _ => Err(Error::invalid(format!(
            "conflicting options: cannot attach a container to networks and to --network {mode}"
        ))),
    }
}

/// The first thing that is asked of a connection, by its flag.
fn asked(connection: &Connection) -> Option<&'static str> {
    let all = [
        ("--network-alias", !connection.aliases.is_empty()),
        ("--ip", connection.ipv4.is_some()),
        ("--ip6", connection.ipv6.is_some()),
        ("--mac-address", connection.mac.is_some()),
        ("driver-opt", !connection.options.is_empty()),
        ("gw-priority", connection.gateway_priority != 0),
    ];
    all.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
}

/// What the default network does not have.
///
/// # Errors
/// `Invalid`, in docker's words.
pub(crate) fn check_default(connection: &Connection) -> Result<()> {
    if connection.network != DEFAULT_NETWORK {
        return Ok(());
    }
    let refused = if !connection.aliases.is_empty() {
        "network-scoped aliases are only supported for user-defined networks"
    } else if connection.ipv4.is_some() || connection.ipv6.is_some() {
        "user specified IP address is supported on user defined networks only"
    } else {
        return Ok(());
    };
    Err(Error::invalid(refused).with_hint("make a network, and use it: phial network create web; --network web"))
}

/// Parses `--ip`.
///
/// # Errors
/// `Invalid` for what is not an address of IPv4.
pub fn parse_ip(text: &str) -> Result<Ipv4Addr> {
    address(|| format!("--ip {text}"), text, "IPv4")
}

/// Parses `--ip6`.
///
/// # Errors
/// `Invalid` for what is not an address of IPv6.
pub fn parse_ip6(text: &str) -> Result<Ipv6Addr> {
    address(|| format!("--ip6 {text}"), text, "IPv6")
}

/// Parses `--mac-address`.
///
/// # Errors
/// `Invalid` for what is not the hardware address of one interface.
pub fn parse_mac(text: &str) -> Result<Mac> {
    mac(|| format!("--mac-address {text}"), text)
}

/// Parses `--alias` of `network connect`.
///
/// # Errors
/// `Invalid` for what cannot be the name of a host.
pub fn parse_alias(text: &str) -> Result<String> {
    alias(|| format!("--alias {text}"), text)
}

/// Says that addresses of `169.254.0.0/16` and `fe80::/10` are not given by hand.
pub fn link_local(flag: &str) -> Error {
    Error::unsupported(format!("{flag}: link-local addresses are the kernel's"))
        .with_hint("use --ip or --ip6 with an address of the network")
}

fn address<T: FromStr>(what: impl Fn() -> String, text: &str, family: &str) -> Result<T> {
    text.parse().map_err(|_| Error::invalid(format!("{}: not an address of {family}", what())))
}

fn mac(what: impl Fn() -> String, text: &str) -> Result<Mac> {
    let parsed = text.parse::<Mac>().ok();
    // The lowest bit of the first byte is that of groups (IEEE 802); no interface has only zeros.
    parsed.filter(|Mac(bytes)| bytes[0] & 1 == 0 && *bytes != [0; 6]).ok_or_else(|| {
        Error::invalid(format!("{}: not the hardware address of an interface", what()))
            .with_hint("give six pairs of digits, such as 02:42:ac:11:00:02")
    })
}

fn alias(what: impl Fn() -> String, text: &str) -> Result<String> {
    /// Longest name of DNS (RFC 1035, 2.3.4), as text.
    const LONGEST: usize = 253;
    if text.len() > LONGEST || !is_name(text) {
        return Err(Error::invalid(format!("{}: not a name of a host", what())));
    }
    Ok(text.to_owned())
}

/// `KEY=VALUE` with a key of docker's.
fn option(what: &impl Fn() -> String, text: &str) -> Result<(String, String)> {
    let invalid = |why: String| Error::invalid(format!("{}: {why}", what()));
    let (name, value) = text.split_once('=').ok_or_else(|| invalid("not KEY=VALUE".to_owned()))?;
    match name {
        IFNAME if !is_interface(value) => Err(invalid(format!("'{value}' is no name of an interface"))),
        SYSCTLS => value.split(',').try_for_each(|pair| check_sysctl(pair).map_err(&invalid)),
        IFNAME => Ok(()),
        _ => {
            let near = similar(name, ENDPOINT_OPTIONS);
            let hint = near.map_or_else(
                || format!("options are {}", ENDPOINT_OPTIONS.join(" and ")),
                |near| format!("did you mean {near}?"),
            );
            Err(invalid(format!("unknown option '{name}'")).with_hint(hint))
        }
    }?;
    Ok((name.to_owned(), value.to_owned()))
}

/// What the kernel takes (`dev_valid_name`), but for names that would replace the loopback interface.
pub(crate) fn is_interface(name: &str) -> bool {
    !matches!(name, "" | "." | ".." | "lo" | "all" | "default")
        && name.len() <= LONGEST_INTERFACE
        && !name
            .contains(|letter: char| letter == '/' || letter == ':' || letter.is_whitespace() || letter.is_control())
}

/// `net.X.Y.IFNAME.Z=VALUE`, where X is ipv4, ipv6 or mpls.
fn check_sysctl(pair: &str) -> Result<(), String> {
    let (name, _) = pair.split_once('=').ok_or_else(|| format!("'{pair}' is not NAME=VALUE"))?;
    match name.split('.').collect::<Vec<_>>().as_slice() {
        ["net", "ipv4" | "ipv6" | "mpls", "conf" | "neigh", "IFNAME", parameter] if !parameter.is_empty() => Ok(()),
        _ => Err(format!("'{name}' is no parameter of an interface, such as net.ipv4.conf.IFNAME.log_martians")),
    }
}

#[cfg(test)]
mod tests;
