//! Matches and targets of iptables (`xtables-addons(8)`, `iptables-extensions(8)`), which `iptables-nft` puts into rules of
//! nftables as bytes: the structures of `linux/netfilter/xt_*.h`. Foreign bytes: what is too short for its structure, or has a
//! revision that is not known here, "cannot be told".

/// Matches on connections.
mod conntrack;
/// Matches on headers.
mod header;
/// Bytes of structures.
mod info;
/// Matches on how much there is.
mod limit;
/// Matches on interfaces, hardware addresses and routes.
mod place;
/// What addresses and ports are translated to.
mod range;
/// Targets.
mod target;
/// Both in the words of `iptables(8)`.
mod words;

use super::evaluate::{Judgement, Surroundings};
use super::packet::Packet;
use info::Info;

pub(super) use target::{Target, is_harmless, target};
pub(super) use words::{match_words, target_words};

/// Whether a match matches.
pub(super) fn judge(name: &str, revision: u32, info: &[u8], packet: &Packet, around: &dyn Surroundings) -> Judgement {
    let info = Info(info);
    let judged = match name {
        "comment" => Some(Judgement::Yes),
        "state" => conntrack::state(info, packet),
        "conntrack" => conntrack::conntrack(revision, info, packet),
        "connmark" => conntrack::connmark(info, packet),
        "helper" => conntrack::helper(info),
        "addrtype" => place::addrtype(revision, info, packet, around),
        "rpfilter" => place::rpfilter(info, packet, around),
        "physdev" => place::physdev(info, packet),
        "mac" => place::mac(info, packet),
        "pkttype" => place::pkttype(info),
        "devgroup" => place::devgroup(info, packet),
        "tcp" => header::tcp(info, packet),
        "udp" | "udplite" => header::udp(info, packet),
        "sctp" => header::sctp(info, packet),
        "multiport" => header::multiport(info, packet),
        "icmp" | "icmp6" => header::icmp(info, packet),
        "iprange" => header::iprange(info, packet),
        "mark" => header::mark(info, packet),
        "length" => header::length(info, packet),
        "ttl" | "hl" => header::hops(info, packet),
        "dscp" => header::dscp(info),
        "owner" => header::owner(info, packet),
        "limit" => Some(limit::limit()),
        "hashlimit" => limit::hashlimit(revision, info),
        "connlimit" => limit::connlimit(info),
        "policy" => place::policy(info),
        // Matches on protocols that no traced packet has.
        "ah" | "esp" | "ipcomp" | "dccp" | "l2tp" | "mh" | "frag" | "rt" | "hbh" | "dst" => Some(Judgement::No),
        _ => return Judgement::Unknown(format!("the match {name} of iptables depends on what is not known here")),
    };
    judged.unwrap_or_else(|| {
        Judgement::Unknown(format!("revision {revision} of the match {name} of iptables is not known here"))
    })
}

#[cfg(test)]
mod tests;
