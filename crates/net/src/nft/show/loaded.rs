//! What a register has, as words, until something compares it, looks it up or uses it.

use super::super::expression::{Comparison, CtKey, Extension, FibResult, MetaKey};
use super::super::set::DataType;
use super::{set, value};

/// What a route is looked up by (`NFTA_FIB_F_*`).
const FIB_FLAGS: [(u32, &str); 5] = [(0x1, "saddr"), (0x2, "daddr"), (0x4, "mark"), (0x8, "iif"), (0x10, "oif")];
/// Numbers of the host's order.
const HOST_NUMBER: DataType = DataType::DEVICE_GROUP;
/// `NFTA_FIB_F_PRESENT`.
const FIB_PRESENT: u32 = 0x20;

/// Which layer something settles the protocol of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// Of Ethernet.
    Link,
    /// Of IP.
    Network,
    /// Above IP.
    Transport,
}

/// What is in a register.
#[derive(Debug, Clone, Default)]
pub(super) struct Loaded {
    /// The words.
    pub(super) text: String,
    /// What its values are.
    pub(super) kind: DataType,
    /// What it cannot be without.
    pub(super) needs: Vec<Layer>,
    /// Which of its bits are left.
    pub(super) mask: Option<Vec<u8>>,
    /// A value that the rule says itself.
    pub(super) literal: Option<Vec<u8>>,
    /// What it settles, if it is compared.
    pub(super) settles: Option<Layer>,
    /// Whether it is of what the register before has, and says nothing of its own.
    pub(super) continues: bool,
}

impl Loaded {
    /// One without any more about it.
    pub(super) fn new(text: String, kind: DataType) -> Loaded {
        Loaded { text, kind, ..Loaded::default() }
    }
}

/// The words, with the bits that are left.
pub(super) fn masked(loaded: &Loaded) -> String {
    match &loaded.mask {
        Some(mask) => format!("{} & {}", loaded.text, value::show(loaded.kind, mask)),
        None => loaded.text.clone(),
    }
}

/// A comparison.
pub(super) fn compared(loaded: &Loaded, comparison: Comparison, bytes: &[u8]) -> String {
    let word = if comparison == Comparison::Equal { String::new() } else { format!("{} ", comparison.name()) };
    let is_zero = bytes.iter().all(|byte| *byte == 0);
    let is_address = matches!(loaded.kind, DataType::IPV4 | DataType::IPV6);
    let whole = usize::try_from(loaded.kind.width()).unwrap_or(0);
    match &loaded.mask {
        None if is_address && bytes.len() < whole => {
            let prefix = u32::try_from(8 * bytes.len()).unwrap_or(0);
            format!("{} {word}{}", loaded.text, set::subnet(loaded.kind, bytes, prefix))
        }
        None => format!("{} {word}{}", loaded.text, value::show(loaded.kind, bytes)),
        // The code point is the upper six bits of its byte.
        Some(mask) if loaded.kind == DataType::DSCP && mask[..] == [0xfc] && bytes.len() == 1 => {
            format!("{} {word}{}", loaded.text, value::show(loaded.kind, &[bytes[0] >> 2]))
        }
        Some(mask) if is_address && is_prefix(mask) => {
            let prefix = mask.iter().map(|byte| byte.count_ones()).sum();
            format!("{} {word}{}", loaded.text, set::subnet(loaded.kind, bytes, prefix))
        }
        Some(mask) if value::is_flags(loaded.kind) && is_zero => {
            let not = if comparison == Comparison::Equal { "! " } else { "" };
            format!("{} {not}{}", loaded.text, value::flags(loaded.kind, mask))
        }
        Some(mask) if value::is_flags(loaded.kind) => {
            let (set, of) = (value::flags(loaded.kind, bytes), value::flags(loaded.kind, mask));
            format!("{} {word}{set} / {of}", loaded.text)
        }
        Some(_) => {
            format!("{} {} {}", masked(loaded), comparison.name(), value::show(loaded.kind, bytes))
        }
    }
}

/// Whether all ones are in front.
fn is_prefix(mask: &[u8]) -> bool {
    let ones: u32 = mask.iter().map(|byte| byte.leading_ones()).sum();
    let behind = mask.iter().skip_while(|byte| **byte == u8::MAX).skip(1);
    ones == mask.iter().map(|byte| byte.count_ones()).sum::<u32>() && { behind }.all(|byte| *byte == 0)
}

/// What the kernel knows about a packet.
pub(super) fn meta(key: MetaKey) -> Loaded {
    let kind = match key {
        MetaKey::Protocol => DataType::ETHER_TYPE,
        MetaKey::Mark => DataType::MARK,
        MetaKey::Iif | MetaKey::Oif | MetaKey::Sdif => DataType::INTERFACE_INDEX,
        MetaKey::IifName | MetaKey::OifName | MetaKey::BridgeIifName | MetaKey::BridgeOifName | MetaKey::SdifName => {
            DataType::INTERFACE_NAME
        }
        MetaKey::IifKind | MetaKey::OifKind => DataType::STRING,
        MetaKey::IifType | MetaKey::OifType => DataType::INTERFACE_TYPE,
        MetaKey::SkUid => DataType::UID,
        MetaKey::SkGid => DataType::GID,
        MetaKey::NfProto => DataType::NFPROTO,
        MetaKey::L4Proto => DataType::INET_PROTOCOL,
        MetaKey::PacketType => DataType::PACKET_TYPE,
        MetaKey::IifGroup
        | MetaKey::OifGroup
        | MetaKey::Length
        | MetaKey::Priority
        | MetaKey::Cpu
        | MetaKey::Cgroup => HOST_NUMBER,
        _ => DataType::INTEGER,
    };
    let is_plain = matches!(
        key,
        MetaKey::Iif | MetaKey::Oif | MetaKey::IifName | MetaKey::OifName | MetaKey::IifGroup | MetaKey::OifGroup
    );
    let text = if is_plain { key.name().to_owned() } else { format!("meta {}", key.name()) };
    let settles = match key {
        MetaKey::NfProto | MetaKey::Protocol => Some(Layer::Network),
        MetaKey::L4Proto => Some(Layer::Transport),
        MetaKey::IifType => Some(Layer::Link),
        _ => None,
    };
    Loaded { settles, ..Loaded::new(text, kind) }
}

/// What values of connections are.
pub(super) fn ct_kind(key: CtKey) -> DataType {
    match key {
        CtKey::State => DataType::CT_STATE,
        CtKey::Status => DataType::CT_STATUS,
        CtKey::Mark => DataType::MARK,
        CtKey::Direction => DataType::CT_DIRECTION,
        CtKey::Protocol => DataType::INET_PROTOCOL,
        CtKey::L3Protocol => DataType::NFPROTO,
        CtKey::SourcePort | CtKey::DestinationPort => DataType::INET_SERVICE,
        CtKey::SourceIp | CtKey::DestinationIp => DataType::IPV4,
        CtKey::SourceIp6 | CtKey::DestinationIp6 => DataType::IPV6,
        CtKey::Helper => DataType::STRING,
        _ => DataType::INTEGER,
    }
}

/// What routes say.
pub(super) fn fib(result: FibResult, flags: u32) -> Loaded {
    let by: Vec<&str> = FIB_FLAGS.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| *name).collect();
    let text = format!("fib {} {}", by.join(" . "), result.name());
    let kind = match result {
        _ if flags & FIB_PRESENT != 0 => DataType::INTEGER,
        FibResult::Type => DataType::FIB_ADDRESS,
        FibResult::Oif => DataType::INTERFACE_INDEX,
        FibResult::OifName => DataType::INTERFACE_NAME,
        FibResult::Other(_) => DataType::INTEGER,
    };
    Loaded::new(text, kind)
}

/// A field of an extension.
pub(super) fn extension_name(extension: Extension, kind: u8, offset: u32, length: u32) -> String {
    match (extension, kind, offset, length) {
        (Extension::TcpOption, 2, 2, 2) => "tcp option maxseg size".to_owned(),
        (Extension::TcpOption, 2, ..) => "tcp option maxseg".to_owned(),
        _ => format!("{} @{kind},{},{}", extension.name(), u64::from(offset) * 8, u64::from(length) * 8),
    }
}
