//! What rules do, word for word: statements that need nothing from registers.

use super::super::expression::{Expression, LimitKind, Reject};
use super::super::model::Family;
use super::value;

/// Units of limits, seconds.
const UNITS: [(u64, &str); 5] = [(1, "second"), (60, "minute"), (3600, "hour"), (86400, "day"), (604_800, "week")];
/// A burst that is not worth a word.
const DEFAULT_BURST: u32 = 5;
/// Levels of the kernel's log.
const LEVELS: [&str; 9] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"];
const DEFAULT_LEVEL: u32 = 4;
const ICMP_CODES: [(u8, &str); 7] = [
    (0, "net-unreachable"),
    (1, "host-unreachable"),
    (2, "prot-unreachable"),
    (3, "port-unreachable"),
    (9, "net-prohibited"),
    (10, "host-prohibited"),
    (13, "admin-prohibited"),
];
const ICMPV6_CODES: [(u8, &str); 6] = [
    (0, "no-route"),
    (1, "admin-prohibited"),
    (3, "addr-unreachable"),
    (4, "port-unreachable"),
    (5, "policy-fail"),
    (6, "reject-route"),
];
const ICMPX_CODES: [(u8, &str); 4] =
    [(0, "no-route"), (1, "port-unreachable"), (2, "host-unreachable"), (3, "admin-prohibited")];

/// A statement.
pub(super) fn show(expression: &Expression) -> String {
    match expression {
        Expression::Verdict(verdict) => value::verdict(verdict),
        Expression::Counter { packets, bytes } => format!("counter packets {packets} bytes {bytes}"),
        Expression::Limit { kind, rate, unit, burst, inverted } => limit(*kind, *rate, *unit, *burst, *inverted),
        Expression::Log { .. } => log(expression),
        Expression::Notrack => "notrack".to_owned(),
        Expression::Queue { number, total, .. } if *total > 1 => {
            format!("queue num {number}-{}", number.saturating_add(total - 1))
        }
        Expression::Queue { number, .. } => format!("queue num {number}"),
        Expression::Object { kind: 3, name } => format!("ct helper set \"{name}\""),
        Expression::Object { kind, name } => format!("{} name \"{name}\"", object_kind(*kind)),
        Expression::Match { name, .. } => format!("xt match \"{name}\""),
        Expression::Target { name, .. } => format!("xt target \"{name}\""),
        Expression::Unknown { name, .. } => format!("unknown \"{name}\""),
        _ => "unknown".to_owned(),
    }
}

/// What kinds of objects are called (`NFT_OBJECT_*`).
pub(super) fn object_kind(kind: u32) -> &'static str {
    match kind {
        1 => "counter",
        2 => "quota",
        3 => "ct helper",
        4 => "limit",
        7 => "ct timeout",
        8 => "secmark",
        9 => "ct expectation",
        10 => "synproxy",
        _ => "object",
    }
}

fn limit(kind: LimitKind, rate: u64, unit: u64, burst: u32, inverted: bool) -> String {
    let over = if inverted { "over " } else { "" };
    let per = UNITS.iter().find(|(seconds, _)| *seconds == unit).map_or("unknown", |(_, name)| *name);
    if kind != LimitKind::Bytes {
        let burst = if burst == DEFAULT_BURST { String::new() } else { format!(" burst {burst} packets") };
        return format!("limit rate {over}{rate}/{per}{burst}");
    }
    let (rate, name) = bytes(rate);
    let burst =
        if burst == 0 { String::new() } else { format!(" burst {} {}", bytes(burst.into()).0, bytes(burst.into()).1) };
    format!("limit rate {over}{rate} {name}/{per}{burst}")
}

fn bytes(count: u64) -> (u64, &'static str) {
    match count {
        0 => (0, "bytes"),
        count if count.is_multiple_of(1 << 20) => (count >> 20, "mbytes"),
        count if count.is_multiple_of(1 << 10) => (count >> 10, "kbytes"),
        count => (count, "bytes"),
    }
}

fn log(expression: &Expression) -> String {
    let Expression::Log { prefix, level, flags, group, snaplen, threshold } = expression else { return String::new() };
    let mut words = vec!["log".to_owned()];
    if let Some(prefix) = prefix {
        words.push(format!("prefix \"{prefix}\""));
    }
    if let Some(group) = group {
        words.push(format!("group {group}"));
        if let Some(snaplen) = snaplen.filter(|length| *length != 0) {
            words.push(format!("snaplen {snaplen}"));
        }
        if let Some(threshold) = threshold.filter(|count| *count != 0) {
            words.push(format!("queue-threshold {threshold}"));
        }
    } else if let Some(level) = level.filter(|level| *level != DEFAULT_LEVEL) {
        let name = usize::try_from(level).ok().and_then(|level| LEVELS.get(level));
        words.push(format!("level {}", name.unwrap_or(&"unknown")));
    }
    if let Some(flags) = flags.filter(|flags| *flags != 0) {
        words.push(log_flags(flags));
    }
    words.join(" ")
}

/// `NF_LOG_*`.
fn log_flags(flags: u32) -> String {
    let names = [(0x01, "tcp sequence"), (0x02, "tcp options"), (0x04, "ip options"), (0x08, "skuid"), (0x20, "ether")];
    if flags & 0x2f == 0x2f {
        return "flags all".to_owned();
    }
    let names: Vec<&str> = names.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    format!("flags {}", names.join(","))
}

/// A rejection, which needs no words if it is the usual one of the family.
pub(super) fn reject(how: Reject, family: Family, network: Option<u8>) -> String {
    match how {
        Reject::Icmpx(1) => "reject".to_owned(),
        Reject::Icmp(3) if family == Family::Ip => "reject".to_owned(),
        Reject::Icmp(4) if family == Family::Ip6 => "reject".to_owned(),
        how => {
            let is_ipv6 = family == Family::Ip6 || network == Some(super::field::IPV6);
            format!("reject with {}", how.words(!is_ipv6))
        }
    }
}

impl Reject {
    /// With what, to a packet of this family.
    pub fn words(self, is_ipv4: bool) -> String {
        let name = |codes: &[(u8, &'static str)], code: u8| {
            let known = codes.iter().find(|(known, _)| *known == code);
            known.map_or_else(|| code.to_string(), |(_, name)| (*name).to_owned())
        };
        match self {
            Reject::TcpReset => "tcp reset".to_owned(),
            Reject::Icmpx(code) => format!("icmpx {}", name(&ICMPX_CODES, code)),
            Reject::Icmp(code) if is_ipv4 => format!("icmp {}", name(&ICMP_CODES, code)),
            Reject::Icmp(code) => format!("icmpv6 {}", name(&ICMPV6_CODES, code)),
            Reject::Other(kind, code) => format!("type {kind} code {code}"),
        }
    }
}
