//! What rules are made of: expressions, as the kernel runs them one behind the other (`net/netfilter/nft_*.c`).

/// One step of a rule.
///
/// A step that does not match ends the rule (`NFT_BREAK`), as does one that has nothing to load: a port of a packet without a
/// transport header, the name of an interface that there is none of, the state of a packet that is not tracked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// Loads what the kernel knows about a packet.
    Meta { key: MetaKey, destination: Register },
    /// Sets it.
    MetaSet { key: MetaKey, source: Register },
    /// Loads bytes of the packet.
    Payload { base: HeaderBase, offset: u32, length: u32, destination: Register },
    /// Writes bytes of the packet. `checksum` is its type, offset and flags (`NFT_PAYLOAD_CSUM_*`).
    PayloadSet { base: HeaderBase, offset: u32, length: u32, source: Register, checksum: [u32; 3] },
    /// Matches if the register compares to the value so; as bytes, so that order is that of big-endian numbers.
    Cmp { source: Register, comparison: Comparison, value: Vec<u8> },
    /// Matches if the register lies between both, or outside.
    Range { source: Register, inverted: bool, from: Vec<u8>, to: Vec<u8> },
    /// Computes with bits.
    Bitwise { source: Register, destination: Register, length: u32, operation: Bitwise },
    /// Changes the order of bytes, number by number of `size` bytes.
    Byteorder { source: Register, destination: Register, operation: Byteorder, length: u32, size: u32 },
    /// Loads a value that the rule says.
    Immediate { destination: Register, value: Vec<u8> },
    /// Decides.
    Verdict(Verdict),
    /// Looks a register up in a set: matches if it is in, or if it is not. In a map, loads what it leads to.
    Lookup { set: String, source: Register, inverted: bool, destination: Option<Register> },
    /// Looks a register up in a map of verdicts: matches if it is in, and decides so.
    VerdictMap { map: String, source: Register },
    /// Loads what is known about the packet's connection. `direction` is for what each direction has of its own.
    Ct { key: CtKey, direction: Option<Direction>, destination: Register },
    /// Sets it.
    CtSet { key: CtKey, direction: Option<Direction>, source: Register },
    /// Loads what the routes say about an address of the packet; `flags` says which, and what else counts (`NFTA_FIB_F_*`).
    Fib { result: FibResult, flags: u32, destination: Register },
    /// Translates an address, and the port. Ends the rule with `accept`, as all of its kind do.
    Nat { kind: NatKind, family: u8, address: Option<RegisterRange>, port: Option<RegisterRange>, flags: u32 },
    /// Translates the source to an address of the interface that the packet leaves by.
    Masquerade { port: Option<RegisterRange>, flags: u32 },
    /// Translates the destination to this host.
    Redirect { port: Option<RegisterRange>, flags: u32 },
    /// Drops the packet and says so to its sender.
    Reject(Reject),
    /// Counts; what it has counted so far.
    Counter { packets: u64, bytes: u64 },
    /// Matches as long as there are not more than `rate` per `unit` seconds, or if there are. A burst goes beyond.
    Limit { kind: LimitKind, rate: u64, unit: u64, burst: u32, inverted: bool },
    /// Says to the kernel's log, or to a program, that the packet passed by.
    Log {
        prefix: Option<String>,
        level: Option<u32>,
        flags: Option<u32>,
        group: Option<u16>,
        snaplen: Option<u32>,
        threshold: Option<u16>,
    },
    /// The packet's connection is not to be tracked.
    Notrack,
    /// Gives the packet to a program, which decides.
    Queue { number: u16, total: u16, flags: u16 },
    /// Uses a named object of this type (`NFT_OBJECT_*`): counts with it, limits by it.
    Object { kind: u32, name: String },
    /// Uses the object that a map leads to.
    ObjectMap { map: String, source: Register },
    /// Loads part of an extension header or an option, or whether it is there: `flags` (`NFT_EXTHDR_F_*`).
    Exthdr { extension: Extension, kind: u8, offset: u32, length: u32, flags: u32, destination: Register },
    /// Writes it.
    ExthdrSet { extension: Extension, kind: u8, offset: u32, length: u32, source: Register },
    /// Adds to a set; matches if that is possible.
    Dynset {
        set: String,
        operation: DynsetOperation,
        key: Register,
        data: Option<Register>,
        timeout: Option<u64>,
        inverted: bool,
        expressions: Vec<Expression>,
    },
    /// A match of iptables, as `iptables-nft` has it: its name, its revision, and the bytes that it is configured by.
    Match { name: String, revision: u32, info: Vec<u8> },
    /// A target of iptables.
    Target { name: String, revision: u32, info: Vec<u8> },
    /// One that is not known here: its name and its attributes.
    Unknown { name: String, data: Vec<u8> },
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on: this base chain is done with it.
    Accept,
    /// It is gone.
    Drop,
    /// The next rule looks at it.
    Continue,
    /// Back to the chain that jumped here; of a base chain: its policy.
    Return,
    /// A chain looks at it, and if that comes to its end, the next rule.
    Jump(String),
    /// A chain looks at it, and if that comes to its end, whoever jumped here.
    Goto(String),
    /// A program decides.
    Queue(u16),
    /// A code that is not known here.
    Other(i32),
}

/// One of sixteen words of four bytes, 0 to 15.
///
/// The kernel also numbers them in steps of sixteen bytes (`NFT_REG_1` to `NFT_REG_4`); both become the same here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Register(u8);

/// Two registers: from and to. Both are the same if there is one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterRange {
    /// The lowest value.
    pub min: Register,
    /// The highest.
    pub max: Register,
}

/// How bits are computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bitwise {
    /// And `mask`, then exclusive or `xor`.
    Mask { mask: Vec<u8>, xor: Vec<u8> },
    /// To the left by so many bits, as a number of the host's order in words of four bytes.
    ShiftLeft(u32),
    /// To the right.
    ShiftRight(u32),
    /// One that is not known here, by its number.
    Other(u32),
}

/// What is rejected how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reject {
    /// With a message of ICMP of this code, of the packet's family.
    Icmp(u8),
    /// With a reset of TCP.
    TcpReset,
    /// With a message of ICMP of this code of `NFT_REJECT_ICMPX_*`, whichever the family.
    Icmpx(u8),
    /// Another way.
    Other(u32, u8),
}

/// The status bit of connections whose destination was translated (`IPS_DST_NAT`).
pub(crate) const CT_STATUS_DNAT: u32 = 0x20;

impl Register {
    /// The first word, where values are that are compared at once.
    pub const FIRST: Register = Register(0);

    /// The word with this number; None if there is none.
    pub fn word(number: u8) -> Option<Register> {
        (number < 16).then_some(Register(number))
    }

    /// Which word it is.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The word behind a value of `length` bytes that begins here; the last one if there is none.
    #[must_use]
    pub fn behind(self, length: u32) -> Register {
        let words = u8::try_from(length.div_ceil(4)).unwrap_or(u8::MAX);
        Register(self.0.saturating_add(words).min(15))
    }

    /// As the kernel says it itself.
    pub(super) fn number(self) -> u32 {
        let word = u32::from(self.0);
        if word.is_multiple_of(4) { 1 + word / 4 } else { 8 + word }
    }

    /// From either way of numbering. Zero is where verdicts are.
    pub(super) fn from_number(number: u32) -> Option<Register> {
        match u8::try_from(number).ok()? {
            number @ 1..=4 => Some(Register((number - 1) * 4)),
            number @ 8..=23 => Some(Register(number - 8)),
            _ => None,
        }
    }
}

impl From<Register> for RegisterRange {
    fn from(register: Register) -> RegisterRange {
        RegisterRange { min: register, max: register }
    }
}

/// Enums of the kernel's numbers with the words of `nft(8)`.
macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal $word:literal,)* })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// One that is not known here.
            Other(u32),
        }

        impl $name {
            /// The kernel's number of it.
            pub fn number(self) -> u32 {
                match self {
                    $($name::$variant => $number,)*
                    $name::Other(number) => number,
                }
            }

            /// The one with this number.
            pub fn from_number(number: u32) -> $name {
                match number {
                    $($number => $name::$variant,)*
                    number => $name::Other(number),
                }
            }

            /// What `nft(8)` calls it.
            pub fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                    $name::Other(_) => "unknown",
                }
            }
        }
    )* };
}

numbered! {
    /// What the kernel knows about a packet (`NFT_META_*`).
    MetaKey {
        /// Its length.
        Length = 0 "length",
        /// Its `EtherType`.
        Protocol = 1 "protocol",
        /// Its priority.
        Priority = 2 "priority",
        /// Its mark.
        Mark = 3 "mark",
        /// The index of the interface that it came in by.
        Iif = 4 "iif",
        /// The index of the interface that it leaves by.
        Oif = 5 "oif",
        /// The name of the interface that it came in by.
        IifName = 6 "iifname",
        /// The name of the interface that it leaves by.
        OifName = 7 "oifname",
        /// What kind of link it came in by (`ARPHRD_*`).
        IifType = 8 "iiftype",
        /// What kind of link it leaves by.
        OifType = 9 "oiftype",
        /// The user whose socket it is of.
        SkUid = 10 "skuid",
        /// The group whose socket it is of.
        SkGid = 11 "skgid",
        /// Whether it is traced.
        Trace = 12 "nftrace",
        /// Its realm of routing.
        RealmClassId = 13 "rtclassid",
        /// Its mark of security modules.
        SecMark = 14 "secmark",
        /// Its family (`NFPROTO_*`).
        NfProto = 15 "nfproto",
        /// Its protocol above IP.
        L4Proto = 16 "l4proto",
        /// The bridge that it came in by.
        BridgeIifName = 17 "ibrname",
        /// The bridge that it leaves by.
        BridgeOifName = 18 "obrname",
        /// To whom it is addressed on its link (`PACKET_*`).
        PacketType = 19 "pkttype",
        /// Which processor works on it.
        Cpu = 20 "cpu",
        /// The group of the interface that it came in by.
        IifGroup = 21 "iifgroup",
        /// The group of the interface that it leaves by.
        OifGroup = 22 "oifgroup",
        /// The network class of its cgroup v1.
        Cgroup = 23 "cgroup",
        /// A random number.
        Random = 24 "random",
        /// Whether it came by `IPsec`.
        SecPath = 25 "secpath",
        /// The driver of the interface that it came in by.
        IifKind = 26 "iifkind",
        /// The driver of the interface that it leaves by.
        OifKind = 27 "oifkind",
        /// The VLAN that its bridge puts it into.
        BridgeIifPvid = 28 "ibrpvid",
        /// The VLAN protocol of its bridge.
        BridgeIifVlanProtocol = 29 "ibrvproto",
        /// The time, nanoseconds.
        Time = 30 "time",
        /// The day of the week.
        Day = 31 "day",
        /// The time of the day.
        Hour = 32 "hour",
        /// The index of the interface below a VRF.
        Sdif = 33 "sdif",
        /// The name of the interface below a VRF.
        SdifName = 34 "sdifname",
        /// Whether its link header is one of Ethernet to be broken.
        BridgeBroute = 35 "broute",
    }

    /// What is known about a connection (`NFT_CT_*`).
    CtKey {
        /// State bits: 1 invalid, 2 established, 4 related, 8 new, 64 untracked.
        State = 0 "state",
        /// Whether the packet goes as the first one did.
        Direction = 1 "direction",
        /// Status bits (`IPS_*`).
        Status = 2 "status",
        /// Its mark.
        Mark = 3 "mark",
        /// Its mark of security modules.
        SecMark = 4 "secmark",
        /// When it is forgotten.
        Expiration = 5 "expiration",
        /// What helps it.
        Helper = 6 "helper",
        /// Its family.
        L3Protocol = 7 "l3proto",
        /// Its source.
        Source = 8 "saddr",
        /// Its destination.
        Destination = 9 "daddr",
        /// Its protocol above IP.
        Protocol = 10 "protocol",
        /// The port of its source.
        SourcePort = 11 "proto-src",
        /// The port of its destination.
        DestinationPort = 12 "proto-dst",
        /// Its labels.
        Labels = 13 "label",
        /// How many packets it had.
        Packets = 14 "packets",
        /// How many bytes it had.
        Bytes = 15 "bytes",
        /// How long its packets are.
        AveragePacket = 16 "avgpkt",
        /// Its zone.
        Zone = 17 "zone",
        /// Which of its events are told.
        EventMask = 18 "event",
        /// Its source, of IPv4.
        SourceIp = 19 "ip saddr",
        /// Its destination, of IPv4.
        DestinationIp = 20 "ip daddr",
        /// Its source, of IPv6.
        SourceIp6 = 21 "ip6 saddr",
        /// Its destination, of IPv6.
        DestinationIp6 = 22 "ip6 daddr",
        /// Its name.
        Id = 23 "id",
    }

    /// Which of a connection's directions (`IP_CT_DIR_*`).
    Direction {
        /// As its first packet went.
        Original = 0 "original",
        /// The other way.
        Reply = 1 "reply",
    }

    /// Where bytes of a packet are counted from (`NFT_PAYLOAD_*`).
    HeaderBase {
        /// The header of the link.
        Link = 0 "ll",
        /// The header of IP.
        Network = 1 "nh",
        /// The header above IP. There is none in a fragment that is not the first.
        Transport = 2 "th",
        /// What follows that.
        Inner = 3 "ih",
    }

    /// How a register compares to a value (`NFT_CMP_*`).
    Comparison {
        /// It is the same.
        Equal = 0 "==",
        /// It is not.
        NotEqual = 1 "!=",
        /// It is less.
        Less = 2 "<",
        /// It is not more.
        LessOrEqual = 3 "<=",
        /// It is more.
        Greater = 4 ">",
        /// It is not less.
        GreaterOrEqual = 5 ">=",
    }

    /// Which order becomes which (`NFT_BYTEORDER_*`).
    Byteorder {
        /// The network's becomes the host's.
        NetworkToHost = 0 "ntoh",
        /// The host's becomes the network's.
        HostToNetwork = 1 "hton",
    }

    /// What of a route (`NFT_FIB_RESULT_*`).
    FibResult {
        /// The index of the interface that leads there; 0 if there is none.
        Oif = 1 "oif",
        /// Its name.
        OifName = 2 "oifname",
        /// What kind of address it is (`RTN_*`): 1 unicast, 2 local.
        Type = 3 "type",
    }

    /// Which end is translated (`NFT_NAT_*`).
    NatKind {
        /// The source.
        Source = 0 "snat",
        /// The destination.
        Destination = 1 "dnat",
    }

    /// What is limited (`NFT_LIMIT_*`).
    LimitKind {
        /// Packets.
        Packets = 0 "packets",
        /// Bytes.
        Bytes = 1 "bytes",
    }

    /// What is extended (`NFT_EXTHDR_OP_*`).
    Extension {
        /// Headers of IPv6.
        Ipv6 = 0 "exthdr",
        /// Options of TCP.
        TcpOption = 1 "tcp option",
        /// Options of IPv4.
        Ipv4 = 2 "ip option",
        /// Chunks of SCTP.
        Sctp = 3 "sctp chunk",
        /// Options of DCCP.
        Dccp = 4 "dccp option",
    }

    /// What is done with a set (`NFT_DYNSET_OP_*`).
    DynsetOperation {
        /// The element is added if it is not there.
        Add = 0 "add",
        /// It is added, or its time begins anew.
        Update = 1 "update",
        /// It is removed.
        Delete = 2 "delete",
    }
}
