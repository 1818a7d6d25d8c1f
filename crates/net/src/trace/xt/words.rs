//! Matches and targets in the words of `iptables(8)`. Of what is not known here, the name.

use std::fmt::Write;

use super::info::Info;
use super::range::Range;

/// A match, as one writes it on the command line; empty of a comment, which is shown elsewhere.
pub(in super::super) fn match_words(name: &str, revision: u32, info: &[u8], is_ipv4: bool) -> String {
    let info = Info(info);
    let options = match name {
        "comment" => return String::new(),
        "conntrack" => conntrack(revision, info, is_ipv4),
        "state" => info.u32(0).map(|bits| format!(" --state {}", names(bits, &STATES))),
        "addrtype" => addrtype(revision, info),
        "tcp" => tcp(info),
        "udp" => ports(info, 0, "sport").zip(ports(info, 4, "dport")).map(|(from, to)| from + &to),
        "multiport" => multiport(info),
        "mark" | "connmark" => mark(info),
        "iprange" => iprange(info, is_ipv4),
        "physdev" => physdev(info),
        "mac" => mac(info),
        "icmp" | "icmp6" => info.u8(0).zip(info.u8(3)).map(|(kind, inverted)| {
            let option = if name == "icmp" { "icmp-type" } else { "icmpv6-type" };
            format!(
                "{} --{option} {}",
                not(inverted & 1 != 0),
                if kind == 255 { "any".to_owned() } else { kind.to_string() }
            )
        }),
        "rpfilter" => info.u8(0).map(|flags| if flags & 8 != 0 { " --invert".to_owned() } else { String::new() }),
        "pkttype" => info.u32(0).zip(info.u32(4)).map(|(kind, inverted)| {
            let kind =
                ["unicast", "broadcast", "multicast"].get(usize::try_from(kind).unwrap_or(9)).unwrap_or(&"other");
            format!("{} --pkt-type {kind}", not(inverted != 0))
        }),
        _ => None,
    };
    format!("-m {name}{}", options.unwrap_or_default())
}

/// A target.
pub(in super::super) fn target_words(name: &str, revision: u32, info: &[u8], is_ipv4: bool) -> String {
    let bytes = Info(info);
    let options = match name {
        "DNAT" => to(revision, bytes, is_ipv4).map(|to| format!(" --to-destination {to}")),
        "SNAT" => to(revision, bytes, is_ipv4).map(|to| format!(" --to-source {to}")),
        "NETMAP" => to(0, bytes, is_ipv4).map(|to| format!(" --to {to}")),
        "MASQUERADE" | "REDIRECT" => {
            let to = to(0, bytes, is_ipv4).filter(|to| !to.is_empty());
            to.map(|to| format!(" --to-ports {}", to.trim_start_matches(':')))
        }
        "MARK" => bytes.u32(0).zip(bytes.u32(4)).map(|(mark, mask)| format!(" --set-xmark {mark:#x}/{mask:#x}")),
        "CONNMARK" => bytes.u8(if revision == 1 { 12 } else { 14 }).map(|mode| {
            let mode = [" --set-xmark", " --save-mark", " --restore-mark"].get(usize::from(mode)).copied();
            mode.unwrap_or_default().to_owned()
        }),
        "LOG" => text(info, 2).filter(|prefix| !prefix.is_empty()).map(|prefix| format!(" --log-prefix {prefix:?}")),
        "CT" => bytes.u16(0).filter(|flags| flags & 1 != 0).map(|_| " --notrack".to_owned()),
        _ => None,
    };
    format!("-j {name}{}", options.unwrap_or_default())
}

const STATUSES: [(u32, &str); 4] = [(1, "EXPECTED"), (2, "SEEN_REPLY"), (4, "ASSURED"), (8, "CONFIRMED")];
const STATES: [(u32, &str); 6] =
    [(1, "INVALID"), (2, "ESTABLISHED"), (4, "RELATED"), (8, "NEW"), (64, "SNAT"), (128, "DNAT")];

fn names(bits: u32, table: &[(u32, &str)]) -> String {
    let set: Vec<&str> = table.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    set.join(",")
}

fn not(inverted: bool) -> &'static str {
    if inverted { " !" } else { "" }
}

fn text(info: &[u8], from: usize) -> Option<String> {
    let rest = info.get(from..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&rest[..end]).into_owned())
}

fn conntrack(revision: u32, info: Info<'_>, is_ipv4: bool) -> Option<String> {
    const ADDRESSES: [&str; 4] = ["ctorigsrc", "ctorigdst", "ctreplsrc", "ctrepldst"];
    const PORTS: [&str; 4] = ["ctorigsrcport", "ctorigdstport", "ctreplsrcport", "ctrepldstport"];
    let (matches, inverted) = (info.u16(146)?, info.u16(148)?);
    let (states, statuses) =
        if revision == 1 { (info.u8(150)?.into(), info.u8(151)?.into()) } else { (info.u16(150)?, info.u16(152)?) };
    let mut words = String::new();
    let mut add = |bit: u16, option: &str, value: String| {
        if matches & bit != 0 {
            let _ = write!(words, "{} --{option} {value}", not(inverted & bit != 0));
        }
    };
    let mut states_words = names(states.into(), &STATES);
    if states & 256 != 0 {
        states_words.push_str(if states_words.is_empty() { "UNTRACKED" } else { ",UNTRACKED" });
    }
    add(1, "ctstate", states_words);
    add(2, "ctproto", info.u16(136)?.to_string());
    for (at, option) in ADDRESSES.into_iter().enumerate() {
        add(4 << at, option, info.address(32 * at, is_ipv4)?.to_string());
    }
    add(64, "ctstatus", names(statuses.into(), &STATUSES));
    for (at, option) in PORTS.into_iter().enumerate() {
        let low = if revision == 3 { info.u16(138 + 2 * at)? } else { info.port(138 + 2 * at)? };
        add(256 << at, option, low.to_string());
    }
    if matches & (1 << 12) != 0 {
        let direction = if inverted & (1 << 12) != 0 { "REPLY" } else { "ORIGINAL" };
        let _ = write!(words, " --ctdir {direction}");
    }
    Some(words)
}

fn addrtype(revision: u32, info: Info<'_>) -> Option<String> {
    const TYPES: [(u32, &str); 9] = [
        (1, "UNSPEC"),
        (2, "UNICAST"),
        (4, "LOCAL"),
        (8, "BROADCAST"),
        (16, "ANYCAST"),
        (32, "MULTICAST"),
        (64, "BLACKHOLE"),
        (128, "UNREACHABLE"),
        (256, "PROHIBIT"),
    ];
    let (source, destination) = (info.u16(0)?, info.u16(2)?);
    let (invert_source, invert_destination) = match revision {
        0 => (info.u32(4)? != 0, info.u32(8)? != 0),
        _ => (info.u32(4)? & 1 != 0, info.u32(4)? & 2 != 0),
    };
    let part = |bits: u16, inverted: bool, option: &str| {
        if bits == 0 { String::new() } else { format!("{} --{option} {}", not(inverted), names(bits.into(), &TYPES)) }
    };
    Some(part(source, invert_source, "src-type") + &part(destination, invert_destination, "dst-type"))
}

fn ports(info: Info<'_>, at: usize, option: &str) -> Option<String> {
    let (low, high) = (info.u16(at)?, info.u16(at + 2)?);
    Some(match (low, high) {
        (0, u16::MAX) => String::new(),
        (low, high) if low == high => format!(" --{option} {low}"),
        (low, high) => format!(" --{option} {low}:{high}"),
    })
}

fn tcp(info: Info<'_>) -> Option<String> {
    const FLAGS: [(u32, &str); 6] = [(1, "FIN"), (2, "SYN"), (4, "RST"), (8, "PSH"), (16, "ACK"), (32, "URG")];
    let (mask, wanted) = (info.u8(9)?, info.u8(10)?);
    let mut words = ports(info, 0, "sport")? + &ports(info, 4, "dport")?;
    if mask != 0 {
        let _ = write!(words, " --tcp-flags {} {}", names(mask.into(), &FLAGS), names(wanted.into(), &FLAGS));
    }
    Some(words)
}

fn multiport(info: Info<'_>) -> Option<String> {
    let (which, count) = (info.u8(0)?, usize::from(info.u8(1)?).min(15));
    let option = ["sports", "dports", "ports"].get(usize::from(which))?;
    let mut words = format!("{} --{option} ", not(info.u8(47)? != 0));
    for at in 0..count {
        let behind = if at + 1 == count {
            ""
        } else if info.u8(32 + at)? != 0 {
            ":"
        } else {
            ","
        };
        let _ = write!(words, "{}{behind}", info.u16(2 + 2 * at)?);
    }
    Some(words)
}

fn mark(info: Info<'_>) -> Option<String> {
    let (value, bits) = (info.u32(0)?, info.u32(4)?);
    let mask = if bits == u32::MAX { String::new() } else { format!("/{bits:#x}") };
    Some(format!("{} --mark {value:#x}{mask}", not(info.u8(8)? != 0)))
}

fn iprange(info: Info<'_>, is_ipv4: bool) -> Option<String> {
    let flags = info.u8(64)?;
    let part = |at: usize, bit: u8, option: &str| {
        let (low, high) = (info.address(at, is_ipv4)?, info.address(at + 16, is_ipv4)?);
        let inverted = not(flags & (bit << 4) != 0);
        Some(if flags & bit == 0 { String::new() } else { format!("{inverted} --{option} {low}-{high}") })
    };
    Some(part(0, 1, "src-range")? + &part(32, 2, "dst-range")?)
}

fn physdev(info: Info<'_>) -> Option<String> {
    let (inverted, asked) = (info.u8(64)?, info.u8(65)?);
    let mut words = String::new();
    for (bit, option) in [(4, "physdev-is-bridged"), (8, "physdev-is-in"), (16, "physdev-is-out")] {
        if asked & bit != 0 {
            let _ = write!(words, "{} --{option}", not(inverted & bit != 0));
        }
    }
    for (bit, option, at) in [(1, "physdev-in", 0), (2, "physdev-out", 32)] {
        if asked & bit != 0 {
            let _ = write!(words, "{} --{option} {}", not(inverted & bit != 0), text(info.0, at)?);
        }
    }
    Some(words)
}

fn mac(info: Info<'_>) -> Option<String> {
    let address = crate::address::Mac(info.bytes(0)?);
    Some(format!("{} --mac-source {address}", not(info.u32(8)? != 0)))
}

fn to(revision: u32, info: Info<'_>, is_ipv4: bool) -> Option<String> {
    Range::read(revision, info, is_ipv4).map(|range| range.words())
}
