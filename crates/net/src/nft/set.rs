//! Sets, maps and what is in them.

use super::expression::{Expression, Verdict};

/// A set, or a map: keys with data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its name. One that a rule has for itself is called `__set0` and the like.
    pub name: String,
    /// `NFT_SET_*`; see the constants.
    pub flags: u32,
    /// What its keys are.
    pub key: DataType,
    /// How long they are, bytes.
    pub key_length: u32,
    /// What a map leads to.
    pub data: Option<DataKind>,
    /// How many elements it may have.
    pub size: Option<u32>,
    /// How long the parts of a key are: of concatenations of intervals only, bytes.
    pub fields: Vec<u32>,
    /// After how long elements go if they do not say, milliseconds.
    pub timeout: Option<u64>,
    /// What its maker says.
    pub comment: Option<String>,
    /// What is in it, in no order.
    pub elements: Vec<Element>,
}

/// What a map leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKind {
    /// What becomes of the packet.
    Verdict,
    /// A value of this type and length in bytes.
    Value(DataType, u32),
    /// Named objects of this type (`NFT_OBJECT_*`).
    Object(u32),
}

/// What an element leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A value.
    Value(Vec<u8>),
    /// What becomes of the packet.
    Verdict(Verdict),
}

/// One element of a set.
///
/// In sets of intervals, one with [`Element::INTERVAL_END`] is the first value that does not belong to the interval which the
/// next lower element begins; of concatenated keys, `end` is the last that does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Its key; empty of the one that stands for all others.
    pub key: Vec<u8>,
    /// The last key, of an interval of concatenations.
    pub end: Option<Vec<u8>>,
    /// What it leads to.
    pub data: Option<Data>,
    /// Which object it leads to.
    pub object: Option<String>,
    /// `NFT_SET_ELEM_*`; see the constants.
    pub flags: u32,
    /// After how long it goes, milliseconds.
    pub timeout: Option<u64>,
    /// How much is left of that.
    pub expiration: Option<u64>,
    /// What its maker says.
    pub comment: Option<String>,
    /// What is done when it is found.
    pub expressions: Vec<Expression>,
}

/// What a value is: the numbers by which `nft(8)` knows them, which the kernel only keeps. Of a concatenation, six bits each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataType(pub u32);

impl Set {
    /// `NFT_SET_ANONYMOUS`: a rule has it for itself.
    pub const ANONYMOUS: u32 = 0x1;
    /// `NFT_SET_CONSTANT`: it does not change.
    pub const CONSTANT: u32 = 0x2;
    /// `NFT_SET_INTERVAL`: its elements are intervals.
    pub const INTERVAL: u32 = 0x4;
    /// `NFT_SET_MAP`: its keys have data.
    pub const MAP: u32 = 0x8;
    /// `NFT_SET_TIMEOUT`: elements go after a time.
    pub const TIMEOUT: u32 = 0x10;
    /// `NFT_SET_EVAL`: rules add elements.
    pub const DYNAMIC: u32 = 0x20;
    /// `NFT_SET_OBJECT`: it leads to objects.
    pub const OBJECT: u32 = 0x40;

    /// A set without elements.
    pub fn new(name: &str, key: DataType, comment: &str) -> Set {
        Set {
            name: name.to_owned(),
            flags: 0,
            key,
            key_length: key.length(),
            data: None,
            size: None,
            fields: Vec::new(),
            timeout: None,
            comment: Some(comment.to_owned()),
            elements: Vec::new(),
        }
    }

    /// A map without elements.
    pub fn map(name: &str, key: DataType, data: DataKind, comment: &str) -> Set {
        Set { flags: Set::MAP, data: Some(data), ..Set::new(name, key, comment) }
    }

    /// Whether it has this flag.
    pub fn is(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

impl Element {
    /// `NFT_SET_ELEM_INTERVAL_END`: the first value behind an interval.
    pub const INTERVAL_END: u32 = 0x1;
    /// `NFT_SET_ELEM_CATCHALL`: all keys that are not in the set.
    pub const CATCHALL: u32 = 0x2;

    /// A key.
    pub fn new(key: Vec<u8>) -> Element {
        Element { key, ..Element::default() }
    }

    /// A key that leads to something.
    pub fn with_data(key: Vec<u8>, data: Data) -> Element {
        Element { key, data: Some(data), ..Element::default() }
    }
}

impl DataKind {
    /// Values of this type.
    pub fn value(data: DataType) -> DataKind {
        DataKind::Value(data, data.length())
    }
}

impl DataType {
    /// One that is not known.
    pub const UNKNOWN: DataType = DataType(0);
    /// What becomes of a packet.
    pub const VERDICT: DataType = DataType(1);
    /// A family (`NFPROTO_*`).
    pub const NFPROTO: DataType = DataType(2);
    /// Bits.
    pub const BITMASK: DataType = DataType(3);
    /// A number.
    pub const INTEGER: DataType = DataType(4);
    /// A text.
    pub const STRING: DataType = DataType(5);
    /// A hardware address of some kind.
    pub const LINK_ADDRESS: DataType = DataType(6);
    /// An address of IPv4.
    pub const IPV4: DataType = DataType(7);
    /// An address of IPv6.
    pub const IPV6: DataType = DataType(8);
    /// A hardware address of Ethernet.
    pub const ETHER_ADDRESS: DataType = DataType(9);
    /// An `EtherType`.
    pub const ETHER_TYPE: DataType = DataType(10);
    /// A protocol above IP.
    pub const INET_PROTOCOL: DataType = DataType(12);
    /// A port.
    pub const INET_SERVICE: DataType = DataType(13);
    /// A type of ICMP.
    pub const ICMP_TYPE: DataType = DataType(14);
    /// Flags of TCP.
    pub const TCP_FLAGS: DataType = DataType(15);
    /// A time, milliseconds.
    pub const TIME: DataType = DataType(18);
    /// A mark of packets or connections.
    pub const MARK: DataType = DataType(19);
    /// The index of an interface.
    pub const INTERFACE_INDEX: DataType = DataType(20);
    /// What kind of link an interface is (`ARPHRD_*`).
    pub const INTERFACE_TYPE: DataType = DataType(21);
    /// A user.
    pub const UID: DataType = DataType(24);
    /// A group.
    pub const GID: DataType = DataType(25);
    /// A state of connection tracking.
    pub const CT_STATE: DataType = DataType(26);
    /// A direction of a connection.
    pub const CT_DIRECTION: DataType = DataType(27);
    /// Status bits of a connection.
    pub const CT_STATUS: DataType = DataType(28);
    /// A type of `ICMPv6`.
    pub const ICMPV6_TYPE: DataType = DataType(29);
    /// To whom a packet is addressed on its link.
    pub const PACKET_TYPE: DataType = DataType(31);
    /// A code of ICMP.
    pub const ICMP_CODE: DataType = DataType(32);
    /// A group of devices.
    pub const DEVICE_GROUP: DataType = DataType(35);
    /// A differentiated services code point.
    pub const DSCP: DataType = DataType(36);
    /// The name of an interface: sixteen bytes.
    pub const INTERFACE_NAME: DataType = DataType(41);
    /// A type of address as routes have it.
    pub const FIB_ADDRESS: DataType = DataType(38);

    /// Several, one behind the other, each beginning at a multiple of four bytes.
    pub const fn concatenation(parts: &[DataType]) -> DataType {
        let mut number = 0;
        let mut at = 0;
        while at < parts.len() {
            number = number << 6 | parts[at].0;
            at += 1;
        }
        DataType(number)
    }

    /// What it consists of: itself, or the parts of a concatenation.
    pub fn parts(self) -> Vec<DataType> {
        let mut parts: Vec<DataType> =
            (0..5).map(|at| DataType(self.0 >> (6 * at) & 0x3f)).take_while(|part| part.0 != 0).collect();
        parts.reverse();
        parts
    }

    /// Whether it is a concatenation.
    pub fn is_concatenation(self) -> bool {
        self.0 >> 6 != 0
    }

    /// How long one value is, bytes; zero where that is not settled by its type.
    pub fn width(self) -> u32 {
        match self {
            DataType::NFPROTO
            | DataType::INET_PROTOCOL
            | DataType::ICMP_TYPE
            | DataType::ICMPV6_TYPE
            | DataType::TCP_FLAGS
            | DataType::CT_DIRECTION
            | DataType::PACKET_TYPE
            | DataType::ICMP_CODE
            | DataType::DSCP => 1,
            DataType::INET_SERVICE | DataType::ETHER_TYPE | DataType::INTERFACE_TYPE => 2,
            DataType::IPV4
            | DataType::MARK
            | DataType::INTERFACE_INDEX
            | DataType::CT_STATE
            | DataType::CT_STATUS
            | DataType::UID
            | DataType::GID
            | DataType::DEVICE_GROUP
            | DataType::TIME
            | DataType::FIB_ADDRESS => 4,
            DataType::ETHER_ADDRESS => 6,
            DataType::IPV6 | DataType::INTERFACE_NAME => 16,
            _ => 0,
        }
    }

    /// How long a key of it is: parts of concatenations begin at multiples of four.
    pub fn length(self) -> u32 {
        if self.is_concatenation() {
            self.parts().into_iter().map(|part| part.width().next_multiple_of(4)).sum()
        } else {
            self.width()
        }
    }

    /// Whether its values have the order of the host.
    pub fn is_host_endian(self) -> bool {
        matches!(
            self,
            DataType::MARK
                | DataType::INTERFACE_INDEX
                | DataType::INTERFACE_NAME
                | DataType::CT_STATE
                | DataType::CT_STATUS
                | DataType::FIB_ADDRESS
                | DataType::CT_DIRECTION
                | DataType::PACKET_TYPE
                | DataType::INTERFACE_TYPE
                | DataType::UID
                | DataType::GID
                | DataType::DEVICE_GROUP
                | DataType::TIME
        )
    }
}
