//! Sets and elements.

use std::cmp::Ordering;
use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::set::{DataKind, DataType, Element, Set};
use super::value;

/// Flags by their names.
const FLAGS: [(u32, &str); 4] =
    [(Set::CONSTANT, "constant"), (Set::INTERVAL, "interval"), (Set::DYNAMIC, "dynamic"), (Set::TIMEOUT, "timeout")];
/// What `nft(8)` calls types.
const TYPES: [(DataType, &str); 25] = [
    (DataType::VERDICT, "verdict"),
    (DataType::NFPROTO, "nf_proto"),
    (DataType::BITMASK, "bitmask"),
    (DataType::INTEGER, "integer"),
    (DataType::STRING, "string"),
    (DataType::LINK_ADDRESS, "ll_addr"),
    (DataType::IPV4, "ipv4_addr"),
    (DataType::IPV6, "ipv6_addr"),
    (DataType::ETHER_ADDRESS, "ether_addr"),
    (DataType::ETHER_TYPE, "ether_type"),
    (DataType::INET_PROTOCOL, "inet_proto"),
    (DataType::INET_SERVICE, "inet_service"),
    (DataType::ICMP_TYPE, "icmp_type"),
    (DataType::TCP_FLAGS, "tcp_flag"),
    (DataType::MARK, "mark"),
    (DataType::INTERFACE_INDEX, "iface_index"),
    (DataType::INTERFACE_TYPE, "iface_type"),
    (DataType::UID, "uid"),
    (DataType::GID, "gid"),
    (DataType::CT_STATE, "ct_state"),
    (DataType::CT_STATUS, "ct_status"),
    (DataType::ICMPV6_TYPE, "icmpv6_type"),
    (DataType::PACKET_TYPE, "pkt_type"),
    (DataType::INTERFACE_NAME, "ifname"),
    (DataType::FIB_ADDRESS, "fib_addrtype"),
];

impl Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = match self.data {
            None => String::new(),
            Some(DataKind::Verdict) => " : verdict".to_owned(),
            Some(DataKind::Value(kind, _)) => format!(" : {}", type_name(kind)),
            Some(DataKind::Object(kind)) => format!(" : {}", super::statement::object_kind(kind)),
        };
        writeln!(f, "\t{} {} {{", if self.is(Set::MAP | Set::OBJECT) { "map" } else { "set" }, self.name)?;
        writeln!(f, "\t\ttype {}{data}", type_name(self.key))?;
        if let Some(size) = self.size {
            writeln!(f, "\t\tsize {size}")?;
        }
        let flags: Vec<&str> = FLAGS.iter().filter(|(flag, _)| self.is(*flag)).map(|(_, name)| *name).collect();
        // That elements go after a time is said by the time.
        if !(flags.is_empty() || flags == ["timeout"] && self.timeout.is_some()) {
            writeln!(f, "\t\tflags {}", flags.join(","))?;
        }
        if let Some(timeout) = self.timeout {
            writeln!(f, "\t\ttimeout {}", duration(timeout))?;
        }
        if let Some(comment) = &self.comment {
            writeln!(f, "\t\tcomment \"{comment}\"")?;
        }
        let elements = elements(self);
        if !elements.is_empty() {
            writeln!(f, "\t\telements = {{ {} }}", lines(&elements, per_line(self.key)))?;
        }
        writeln!(f, "\t}}")
    }
}

/// The elements of a set that a rule has for itself.
pub(super) fn inline(set: &Set) -> String {
    format!("{{ {} }}", elements(set).join(", "))
}

fn lines(elements: &[String], per_line: usize) -> String {
    let lines: Vec<String> = elements.chunks(per_line).map(|line| line.join(", ")).collect();
    lines.join(",\n\t\t\t     ")
}

/// How many elements go into a line.
fn per_line(key: DataType) -> usize {
    match key {
        DataType::INET_SERVICE
        | DataType::INTEGER
        | DataType::MARK
        | DataType::NFPROTO
        | DataType::INET_PROTOCOL
        | DataType::ICMP_TYPE
        | DataType::ICMPV6_TYPE => 5,
        DataType::IPV4 => 2,
        _ => 1,
    }
}

fn type_name(kind: DataType) -> String {
    let name = |part: DataType| {
        let known = TYPES.iter().find(|(known, _)| *known == part).map(|(_, name)| (*name).to_owned());
        known.unwrap_or_else(|| format!("type-{}", part.0))
    };
    if kind.is_concatenation() {
        kind.parts().into_iter().map(name).collect::<Vec<_>>().join(" . ")
    } else {
        name(kind)
    }
}

/// Each element as text, in the order of `nft(8)`.
fn elements(set: &Set) -> Vec<String> {
    let mut all: Vec<&Element> = set.elements.iter().collect();
    let is_interval = set.is(Set::INTERVAL) && !set.key.is_concatenation();
    all.sort_by(|one, other| {
        // An interval ends before the next one begins at the same key.
        order(set.key, one, other).then_with(|| is_end(other).cmp(&is_end(one)))
    });
    let mut texts = Vec::new();
    for (at, element) in all.iter().enumerate().filter(|(_, element)| !is_end(element)) {
        let behind = all.get(at + 1).filter(|_| is_interval && element.flags & Element::CATCHALL == 0);
        texts.push(text(set, element, behind.map(|next| next.key.as_slice())));
    }
    texts
}

fn is_end(element: &Element) -> bool {
    element.flags & Element::INTERVAL_END != 0
}

/// Numbers by their size; concatenations and what has the host's order as if the last byte counted most.
fn order(kind: DataType, one: &Element, other: &Element) -> Ordering {
    if !kind.is_concatenation() && !kind.is_host_endian() {
        return one.key.cmp(&other.key);
    }
    let flat = |element: &Element| -> Vec<u8> {
        if kind.is_concatenation() {
            value::parts(kind, &element.key).flat_map(|(_, part)| part.to_vec()).collect()
        } else {
            element.key.clone()
        }
    };
    flat(one).iter().rev().cmp(flat(other).iter().rev())
}

fn text(set: &Set, element: &Element, behind: Option<&[u8]>) -> String {
    let mut words = vec![if element.flags & Element::CATCHALL != 0 {
        "*".to_owned()
    } else if let Some(end) = &element.end {
        let ends = value::parts(set.key, end);
        let both = value::parts(set.key, &element.key).zip(ends);
        both.map(|((kind, from), (_, to))| interval(kind, from, to)).collect::<Vec<_>>().join(" . ")
    } else if set.is(Set::INTERVAL) && !set.key.is_concatenation() {
        interval(set.key, &element.key, &last(element.key.len(), behind))
    } else {
        value::show(set.key, &element.key)
    }];
    words.extend(element.expressions.iter().map(super::statement::show));
    if let Some(timeout) = element.timeout {
        words.push(format!("timeout {}", duration(timeout)));
    }
    if let Some(expiration) = element.expiration {
        words.push(format!("expires {}", duration(expiration)));
    }
    if let Some(comment) = &element.comment {
        words.push(format!("comment \"{comment}\""));
    }
    if let Some(data) = &element.data {
        words.push(format!(": {}", value::data(set.data, data)));
    }
    if let Some(object) = &element.object {
        words.push(format!(": \"{object}\""));
    }
    words.join(" ")
}

/// The last value of an interval, given the first one behind it.
fn last(length: usize, behind: Option<&[u8]>) -> Vec<u8> {
    let Some(behind) = behind else { return vec![u8::MAX; length] };
    let mut last = behind.to_vec();
    for byte in last.iter_mut().rev() {
        let (less, borrows) = byte.overflowing_sub(1);
        *byte = less;
        if !borrows {
            break;
        }
    }
    last
}

/// One value, a subnet, or from and to.
fn interval(kind: DataType, from: &[u8], to: &[u8]) -> String {
    if from == to {
        return value::show(kind, from);
    }
    let is_address = matches!(kind, DataType::IPV4 | DataType::IPV6);
    match prefix(from, to).filter(|_| is_address) {
        Some(prefix) => format!("{}/{prefix}", value::show(kind, from)),
        None => format!("{}-{}", value::show(kind, from), value::show(kind, to)),
    }
}

/// How many bits an interval has in common, if it is all that has them.
fn prefix(from: &[u8], to: &[u8]) -> Option<u32> {
    let number = |bytes: &[u8]| match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|four| u128::from(u32::from(Ipv4Addr::from(four)))),
        _ => <[u8; 16]>::try_from(bytes).ok().map(|all| u128::from(Ipv6Addr::from(all))),
    };
    let different = number(from)? ^ number(to)?;
    let is_whole = different & different.wrapping_add(1) == 0 && number(from)? & different == 0;
    let bits = u32::try_from(8 * from.len()).ok()?;
    is_whole.then(|| bits - different.count_ones())
}

/// An address with the length of its prefix.
pub(super) fn subnet(kind: DataType, bytes: &[u8], prefix: u32) -> String {
    let length = if kind == DataType::IPV4 { 4 } else { 16 };
    let mut whole = bytes.to_vec();
    whole.resize(length, 0);
    let address = match <[u8; 4]>::try_from(whole.as_slice()) {
        Ok(four) => IpAddr::from(four),
        Err(_) => return format!("{}/{prefix}", value::show(DataType::IPV6, &whole)),
    };
    format!("{address}/{prefix}")
}

/// Milliseconds in the largest units.
pub(super) fn duration(milliseconds: u64) -> String {
    if milliseconds == 0 {
        return "0s".to_owned();
    }
    let seconds = milliseconds / 1000;
    let units = [
        (seconds / 86400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (milliseconds % 1000, "ms"),
    ];
    let units = units.iter().filter(|(count, _)| *count != 0).map(|(count, unit)| format!("{count}{unit}"));
    units.collect::<Vec<_>>().concat()
}
