//! Rules as lines of `iptables-save(8)`, in the order of words in which it prints them itself: so what is there can be compared
//! with what should be.

use std::net::IpAddr;

use crate::endpoint::{Endpoint, Published};
use crate::firewall::ports::is_translated;
use crate::network::{Network, Pool};

/// A chain of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chain {
    Guard,
    Ports,
    Forward,
    Others,
    Admit,
    Source,
}

/// All of them.
pub(super) const CHAINS: [Chain; 6] =
    [Chain::Guard, Chain::Ports, Chain::Source, Chain::Forward, Chain::Others, Chain::Admit];

impl Chain {
    /// The table that it is in.
    pub(super) fn table(self) -> &'static str {
        match self {
            Chain::Guard => "raw",
            Chain::Ports | Chain::Source => "nat",
            Chain::Forward | Chain::Others => "mangle",
            Chain::Admit => "filter",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Chain::Guard => "GUARD",
            Chain::Ports => "PORTS",
            Chain::Forward => "FORWARD",
            Chain::Others => "OTHERS",
            Chain::Admit => "ADMIT",
            Chain::Source => "SOURCE",
        }
    }
}

/// A rule of a chain of ours.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) chain: Chain,
    pub(super) text: String,
    /// Whether it goes before those that are there.
    pub(super) first: bool,
}

impl Line {
    fn new(chain: Chain, text: impl Into<String>) -> Line {
        Line { chain, text: text.into(), first: false }
    }

    /// What makes a published port the same one, wherever it leads: everything but comment and target.
    pub(super) fn key(&self) -> String {
        key(&self.text)
    }

    /// Whether a rule that is there is about the same port.
    pub(super) fn same_key(found: &str, key: &str) -> bool {
        found.contains(" -j DNAT ") && self::key(found) == key
    }
}

fn key(line: &str) -> String {
    let words = line.split(" -m comment ").next().unwrap_or(line);
    words.split(" -j ").next().unwrap_or(words).to_owned()
}

/// A rule of a chain of the kernel that leads to one of ours.
pub(super) struct Jump {
    pub(super) table: &'static str,
    pub(super) from: &'static str,
    condition: &'static str,
    to: Chain,
    /// Whether it goes before everything else there.
    pub(super) first: bool,
}

/// Where the kernel leads to our chains.
pub(super) fn jumps(is_ipv4: bool) -> Vec<Jump> {
    let jump = |from, condition, to: Chain, first| Jump { table: to.table(), from, condition, to, first };
    // A packet for 127.0.0.1 from outside is dropped where it is routed, unless its destination was translated before that; the
    // kernel does not route from ::1 to anywhere else.
    let (incoming, own) = if is_ipv4 {
        ("! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL ", "-m addrtype --dst-type LOCAL ")
    } else {
        ("-m addrtype --dst-type LOCAL ", "! -d ::1/128 -m addrtype --dst-type LOCAL ")
    };
    let mut all = vec![
        jump("PREROUTING", incoming, Chain::Ports, false),
        jump("OUTPUT", own, Chain::Ports, false),
        jump("POSTROUTING", "", Chain::Source, false),
        jump("FORWARD", "", Chain::Forward, true),
        jump("FORWARD", "", Chain::Admit, false),
    ];
    if is_ipv4 {
        all.push(jump("PREROUTING", "", Chain::Guard, true));
    }
    all
}

/// What chains of a store are called.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    /// Those of the store whose table of nftables would have this name. A chain's name has 28 letters at most.
    pub(super) fn of(table: &str) -> Names {
        Names { prefix: table.to_uppercase().chars().take(20).collect() }
    }

    pub(super) fn chain(&self, chain: Chain) -> String {
        format!("{}-{}", self.prefix, chain.suffix())
    }

    /// The chain of ours with this name.
    pub(super) fn find(&self, name: &str) -> Option<Chain> {
        let suffix = name.strip_prefix(&self.prefix)?.strip_prefix('-')?;
        CHAINS.into_iter().find(|chain| chain.suffix() == suffix)
    }

    /// A rule, from the name of its chain on.
    pub(super) fn line(&self, line: &Line) -> String {
        format!("{} {}", self.chain(line.chain), self.filled(&line.text))
    }

    /// A rule that leads to a chain of ours, without the chain that it is in.
    pub(super) fn jump(&self, jump: &Jump) -> String {
        format!("{}-j {}", jump.condition, self.chain(jump.to))
    }

    fn filled(&self, text: &str) -> String {
        text.replace("@OTHERS", &self.chain(Chain::Others))
    }
}

/// Everything, in its order: what leaves an internal network is dropped before another network would let it in.
pub(super) fn all(is_ipv4: bool, registers: &[(&Network, &[Endpoint])], others: &[String]) -> Vec<Line> {
    let mut registers: Vec<_> = registers.iter().filter(|(network, _)| network.is_bridge()).collect();
    registers.sort_by_key(|(network, _)| (!network.internal, &network.link));
    let mut lines: Vec<Line> = registers.iter().flat_map(|(network, _)| of_network(is_ipv4, network)).collect();
    let networks: Vec<&Network> = registers.iter().map(|(network, _)| *network).collect();
    lines.extend(of_others(others, &networks));
    let mut ports: Vec<Line> = registers
        .iter()
        .flat_map(|(network, endpoints)| endpoints.iter().flat_map(|endpoint| of_ports(is_ipv4, network, endpoint)))
        .collect();
    ports.sort_by_key(|line| !line.first);
    lines.extend(ports);
    lines
}

/// What a network adds.
pub(super) fn of_network(is_ipv4: bool, network: &Network) -> Vec<Line> {
    let mut lines = Vec::new();
    if !network.is_bridge() {
        return lines;
    }
    let bridge = &network.link;
    if is_ipv4 {
        lines.push(Line::new(Chain::Guard, format!("-d 127.0.0.0/8 -i {bridge} -j DROP")));
        lines.push(Line::new(Chain::Guard, format!("-s 127.0.0.0/8 -i {bridge} -j DROP")));
    }
    lines.extend(forward(network));
    lines.push(Line::new(Chain::Admit, format!("-i {bridge} -j ACCEPT")));
    lines.push(Line::new(Chain::Admit, format!("-o {bridge} -j ACCEPT")));
    lines.extend(source(network, if is_ipv4 { network.ipv4() } else { network.ipv6() }));
    lines
}

/// What may come to a bridge, and what may leave one: see `network::chains` of nftables.
fn forward(network: &Network) -> Vec<Line> {
    const OF_KNOWN_CONNECTIONS_OR_PUBLISHED: &str = "-m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j RETURN";
    const NOT_PUBLISHED: &str = r#"-m comment --comment "not published" -j DROP"#;
    const INTERNAL: &str = r#"-m comment --comment "internal network" -j DROP"#;
    let bridge = &network.link;
    let mut texts = Vec::new();
    if network.internal {
        texts.push(format!("-i {bridge} ! -o {bridge} {INTERNAL}"));
        texts.push(format!("! -i {bridge} -o {bridge} {INTERNAL}"));
        let then = if network.icc { "RETURN" } else { "DROP" };
        texts.push(format!("-i {bridge} -o {bridge} -j {then}"));
        return texts.into_iter().map(|text| Line::new(Chain::Forward, text)).collect();
    }
    texts.push(format!("-o {bridge} {OF_KNOWN_CONNECTIONS_OR_PUBLISHED}"));
    if network.icc {
        texts.push(format!("-i {bridge} -o {bridge} -j RETURN"));
    }
    texts.push(format!("-o {bridge} {NOT_PUBLISHED}"));
    texts.into_iter().map(|text| Line::new(Chain::Forward, text)).collect()
}

/// With which source packets come to a bridge and leave it.
fn source(network: &Network, pool: Option<&Pool>) -> Vec<Line> {
    let (Some(pool), false) = (pool, network.internal) else { return Vec::new() };
    let (bridge, subnet) = (&network.link, pool.subnet);
    let mut texts = Vec::new();
    if pool.gateway.is_ipv4() {
        texts.push(format!("-s 127.0.0.0/8 -o {bridge} -j MASQUERADE"));
    }
    texts.push(format!("-s {subnet} -o {bridge} -m conntrack --ctstate DNAT -j MASQUERADE"));
    if network.masquerade {
        texts.push(format!("-s {subnet} ! -o {bridge} -j MASQUERADE"));
    }
    texts.into_iter().map(|text| Line::new(Chain::Source, text)).collect()
}

/// What may go from our bridges to those of other engines. What comes to one of ours has been decided about before.
pub(super) fn of_others(others: &[String], networks: &[&Network]) -> Vec<Line> {
    let bridges = networks.iter().filter(|network| network.is_bridge()).map(|network| &network.link);
    let mut lines: Vec<Line> =
        bridges.map(|bridge| Line::new(Chain::Forward, format!("-i {bridge} -j @OTHERS"))).collect();
    lines.push(Line::new(Chain::Others, "-m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j RETURN"));
    lines.extend(others.iter().map(|bridge| Line::new(Chain::Others, format!("-o {bridge} -j DROP"))));
    lines
}

/// What an endpoint's published ports add. One on a single address goes before one on all.
pub(super) fn of_ports(is_ipv4: bool, network: &Network, endpoint: &Endpoint) -> Vec<Line> {
    if network.internal || !network.is_bridge() {
        return Vec::new();
    }
    let published = endpoint.ports.iter();
    let mut lines: Vec<Line> = published
        .filter(|published| published.host.is_ipv4() == is_ipv4 && is_translated(published, endpoint))
        .filter_map(|published| of_port(published, endpoint))
        .collect();
    lines.sort_by(|one, other| one.text.cmp(&other.text));
    lines.dedup_by(|one, other| one.key() == other.key());
    lines
}

fn of_port(published: &Published, endpoint: &Endpoint) -> Option<Line> {
    let (target, protocol, port) = (endpoint.address_like(published.host)?, published.protocol, published.port);
    let is_any = published.host.is_unspecified();
    let length = if published.host.is_ipv4() { 32 } else { 128 };
    let on = if is_any { String::new() } else { format!("-d {}/{length} ", published.host) };
    let to = match target {
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
    };
    let name: String = endpoint
        .names
        .first()
        .map(String::as_str)
        .unwrap_or_default()
        .chars()
        .filter(|letter| is_plain(*letter))
        .collect();
    let comment = if name.is_empty() { String::new() } else { format!("-m comment --comment {name} ") };
    let host_port = published.host_port;
    let text = format!("{on}-p {protocol} -m {protocol} --dport {host_port} {comment}-j DNAT --to-destination {to}");
    Some(Line { first: !is_any, ..Line::new(Chain::Ports, text) })
}

/// Whether a letter of a comment is printed as it is.
fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')
}
