//! Numbers of the kernel's interface (`linux/rtnetlink.h`, `if_link.h`, `if_addr.h`, `neighbour.h`, `netconf.h`, `ip.h`,
//! `ipv6.h`).

use std::net::IpAddr;

pub(super) const NEWLINK: u16 = 16;
pub(super) const DELLINK: u16 = 17;
pub(super) const GETLINK: u16 = 18;
pub(super) const SETLINK: u16 = 19;
pub(super) const NEWADDR: u16 = 20;
pub(super) const GETADDR: u16 = 22;
pub(super) const NEWROUTE: u16 = 24;
pub(super) const GETROUTE: u16 = 26;
pub(super) const NEWNEIGH: u16 = 28;
pub(super) const GETNEIGH: u16 = 30;
pub(super) const NEWNETCONF: u16 = 80;
pub(super) const GETNETCONF: u16 = 82;

pub(super) const F_REPLACE: u16 = 0x100;
pub(super) const F_EXCL: u16 = 0x200;
pub(super) const F_CREATE: u16 = 0x400;

pub(super) const AF_INET: u8 = 2;
pub(super) const AF_BRIDGE: u8 = 7;
pub(super) const AF_INET6: u8 = 10;

pub(super) const IFF_UP: u32 = 0x1;
pub(super) const IFF_LOOPBACK: u32 = 0x8;

pub(super) const IFLA_ADDRESS: u16 = 1;
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFLA_MTU: u16 = 4;
pub(super) const IFLA_LINK: u16 = 5;
pub(super) const IFLA_MASTER: u16 = 10;
pub(super) const IFLA_LINKINFO: u16 = 18;
pub(super) const IFLA_AF_SPEC: u16 = 26;
pub(super) const IFLA_GROUP: u16 = 27;
pub(super) const IFLA_NET_NS_FD: u16 = 28;
pub(super) const IFLA_EXT_MASK: u16 = 29;
pub(super) const IFLA_NUM_TX_QUEUES: u16 = 31;
pub(super) const IFLA_NUM_RX_QUEUES: u16 = 32;
pub(super) const IFLA_CARRIER: u16 = 33;
pub(super) const IFLA_LINK_NETNSID: u16 = 37;
pub(super) const IFLA_XDP: u16 = 43;

/// In [`IFLA_EXT_MASK`]: no counters, which are most of an answer.
pub(super) const SKIP_STATS: u32 = 1 << 3;

/// In [`IFLA_LINKINFO`].
pub(super) const INFO_KIND: u16 = 1;
pub(super) const INFO_DATA: u16 = 2;
pub(super) const INFO_SLAVE_KIND: u16 = 4;
pub(super) const INFO_SLAVE_DATA: u16 = 5;

/// In [`IFLA_XDP`].
pub(super) const XDP_ATTACHED: u16 = 2;

/// In [`INFO_DATA`], each of its kind.
pub(super) const VETH_INFO_PEER: u16 = 1;
pub(super) const VLAN_ID: u16 = 1;
pub(super) const MACVLAN_MODE: u16 = 1;
pub(super) const IPVLAN_MODE: u16 = 1;
pub(super) const BRIDGE_VLANS: u16 = 7;
pub(super) const BRIDGE_CALLS_IPTABLES: u16 = 36;
pub(super) const BRIDGE_CALLS_IP6TABLES: u16 = 37;

/// In [`INFO_SLAVE_DATA`] of a bridge.
pub(super) const BRPORT_STATE: u16 = 1;
pub(super) const BRPORT_HAIRPIN: u16 = 4;
pub(super) const BRPORT_ISOLATED: u16 = 33;
/// In [`BRPORT_STATE`].
pub(super) const STATE_FORWARDING: u8 = 3;

/// In [`IFLA_AF_SPEC`], below the number of the family.
pub(super) const INET_CONF: u16 = 1;
pub(super) const INET6_CONF: u16 = 2;
pub(super) const INET6_ADDR_GEN_MODE: u16 = 8;
pub(super) const ADDR_GEN_MODE_NONE: u8 = 1;

/// Places in [`INET_CONF`] and [`INET6_CONF`], which are arrays.
pub(super) const CONF_ROUTE_LOCALNET: usize = 25;
pub(super) const CONF6_ACCEPT_RA: usize = 3;
pub(super) const CONF6_DISABLE_IPV6: usize = 26;

pub(super) const NETCONF_IFINDEX: u16 = 1;
pub(super) const NETCONF_FORWARDING: u16 = 2;
pub(super) const NETCONF_ALL: i32 = -1;

pub(super) const IFA_ADDRESS: u16 = 1;
pub(super) const IFA_LOCAL: u16 = 2;
pub(super) const IFA_BROADCAST: u16 = 4;
pub(super) const IFA_F_NODAD: u8 = 0x02;

pub(super) const RTA_DST: u16 = 1;
pub(super) const RTA_SRC: u16 = 2;
pub(super) const RTA_IIF: u16 = 3;
pub(super) const RTA_OIF: u16 = 4;
pub(super) const RTA_GATEWAY: u16 = 5;
pub(super) const RTA_PREFSRC: u16 = 7;
pub(super) const RTA_TABLE: u16 = 15;
pub(super) const RTA_MARK: u16 = 16;
pub(super) const RTA_VIA: u16 = 18;
pub(super) const RTA_IP_PROTO: u16 = 27;
pub(super) const RTA_SPORT: u16 = 28;
pub(super) const RTA_DPORT: u16 = 29;

pub(super) const TABLE_MAIN: u8 = 254;
pub(super) const PROTOCOL_BOOT: u8 = 3;
pub(super) const SCOPE_UNIVERSE: u8 = 0;
pub(super) const SCOPE_LINK: u8 = 253;

pub(super) const ROUTE_UNICAST: u8 = 1;
pub(super) const ROUTE_LOCAL: u8 = 2;
pub(super) const ROUTE_BROADCAST: u8 = 3;
pub(super) const ROUTE_MULTICAST: u8 = 5;
pub(super) const ROUTE_BLACKHOLE: u8 = 6;
pub(super) const ROUTE_UNREACHABLE: u8 = 7;
pub(super) const ROUTE_PROHIBIT: u8 = 8;

pub(super) const NDA_DST: u16 = 1;
pub(super) const NDA_LLADDR: u16 = 2;
pub(super) const NDA_VLAN: u16 = 5;
pub(super) const NDA_MASTER: u16 = 9;

/// The number of an address's family.
pub(super) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}
