//! Attributes to expressions.

use super::super::expression::{
    Bitwise, Byteorder, Comparison, CtKey, Direction, DynsetOperation, Expression, Extension, FibResult, HeaderBase,
    LimitKind, MetaKey, NatKind, Register, RegisterRange, Reject, Verdict,
};
use super::super::number::{
    bitwise, byteorder, cmp, compat, counter, ct, data, dynset, expression as wrapper, exthdr, fib, immediate, limit,
    log, lookup, masq, meta, nat, objref, payload, queue, range, redir, reject, verdict as code,
};
use crate::netlink::{Attribute, Attributes};

/// `NFT_LOOKUP_F_INV`, `NFT_DYNSET_F_INV`, `NFT_LIMIT_F_INV`.
const INVERTED: u32 = 0x1;

/// The expressions of a list.
pub(in super::super) fn expressions(list: Attributes<'_>, depth: usize) -> Vec<Expression> {
    list.into_iter().filter_map(|item| expression(item.nested(), depth)).collect()
}

/// One expression. What is not understood becomes `Unknown`; None only of what has no name, or lies too deep.
pub(in super::super) fn expression(attributes: Attributes<'_>, depth: usize) -> Option<Expression> {
    let depth = depth.checked_sub(1)?;
    let name = attributes.text(wrapper::NAME)?;
    let inside = attributes.nested(wrapper::DATA);
    Some(known(&name, inside, depth).unwrap_or_else(|| Expression::Unknown { name, data: inside.0.to_vec() }))
}

fn known(name: &str, inside: Attributes<'_>, depth: usize) -> Option<Expression> {
    match name {
        "meta" => meta_(inside),
        "payload" => payload_(inside),
        "cmp" => Some(Expression::Cmp {
            source: register(inside, cmp::SOURCE)?,
            comparison: Comparison::from_number(inside.be32(cmp::OPERATOR)?),
            value: value(inside, cmp::DATA)?,
        }),
        "range" => Some(Expression::Range {
            source: register(inside, range::SOURCE)?,
            inverted: inside.be32(range::OPERATOR) == Some(1),
            from: value(inside, range::FROM)?,
            to: value(inside, range::TO)?,
        }),
        "bitwise" => bitwise_(inside),
        "byteorder" => Some(Expression::Byteorder {
            source: register(inside, byteorder::SOURCE)?,
            destination: register(inside, byteorder::DESTINATION)?,
            operation: Byteorder::from_number(inside.be32(byteorder::OPERATION)?),
            length: inside.be32(byteorder::LENGTH)?,
            size: inside.be32(byteorder::SIZE)?,
        }),
        "immediate" => immediate_(inside),
        "lookup" => lookup_(inside),
        "ct" => ct_(inside),
        "fib" => Some(Expression::Fib {
            result: FibResult::from_number(inside.be32(fib::RESULT)?),
            flags: inside.be32(fib::FLAGS).unwrap_or(0),
            destination: register(inside, fib::DESTINATION)?,
        }),
        "exthdr" => exthdr_(inside),
        "dynset" => dynset_(inside, depth),
        _ => statement(name, inside),
    }
}

fn statement(name: &str, inside: Attributes<'_>) -> Option<Expression> {
    Some(match name {
        "nat" => Expression::Nat {
            kind: NatKind::from_number(inside.be32(nat::TYPE)?),
            family: u8::try_from(inside.be32(nat::FAMILY)?).ok()?,
            address: registers(inside, [nat::ADDRESS_MIN, nat::ADDRESS_MAX])?,
            port: registers(inside, [nat::PORT_MIN, nat::PORT_MAX])?,
            flags: inside.be32(nat::FLAGS).unwrap_or(0),
        },
        "masq" => Expression::Masquerade {
            port: registers(inside, [masq::PORT_MIN, masq::PORT_MAX])?,
            flags: inside.be32(masq::FLAGS).unwrap_or(0),
        },
        "redir" => Expression::Redirect {
            port: registers(inside, [redir::PORT_MIN, redir::PORT_MAX])?,
            flags: inside.be32(redir::FLAGS).unwrap_or(0),
        },
        "reject" => {
            let number = inside.get(reject::CODE).and_then(Attribute::u8).unwrap_or(0);
            Expression::Reject(match inside.be32(reject::TYPE)? {
                0 => Reject::Icmp(number),
                1 => Reject::TcpReset,
                2 => Reject::Icmpx(number),
                kind => Reject::Other(kind, number),
            })
        }
        "counter" => Expression::Counter {
            packets: inside.be64(counter::PACKETS).unwrap_or(0),
            bytes: inside.be64(counter::BYTES).unwrap_or(0),
        },
        "limit" => Expression::Limit {
            kind: LimitKind::from_number(inside.be32(limit::TYPE).unwrap_or(0)),
            rate: inside.be64(limit::RATE)?,
            unit: inside.be64(limit::UNIT)?,
            burst: inside.be32(limit::BURST).unwrap_or(0),
            inverted: inside.be32(limit::FLAGS).unwrap_or(0) & INVERTED != 0,
        },
        "log" => Expression::Log {
            prefix: inside.text(log::PREFIX),
            level: inside.be32(log::LEVEL),
            flags: inside.be32(log::FLAGS),
            group: inside.get(log::GROUP).and_then(Attribute::be16),
            snaplen: inside.be32(log::SNAPLEN),
            threshold: inside.get(log::THRESHOLD).and_then(Attribute::be16),
        },
        "notrack" => Expression::Notrack,
        // The number may come from a register instead, which is not understood here.
        "queue" => Expression::Queue {
            number: inside.get(queue::NUMBER).and_then(Attribute::be16)?,
            total: inside.get(queue::TOTAL).and_then(Attribute::be16).unwrap_or(1),
            flags: inside.get(queue::FLAGS).and_then(Attribute::be16).unwrap_or(0),
        },
        "objref" => match inside.text(objref::SET) {
            Some(map) => Expression::ObjectMap { map, source: register(inside, objref::SOURCE)? },
            None => Expression::Object { kind: inside.be32(objref::TYPE)?, name: inside.text(objref::NAME)? },
        },
        "match" => Expression::Match {
            name: inside.text(compat::NAME)?,
            revision: inside.be32(compat::REVISION).unwrap_or(0),
            info: inside.get(compat::INFO).map(|info| info.bytes.to_vec()).unwrap_or_default(),
        },
        "target" => Expression::Target {
            name: inside.text(compat::NAME)?,
            revision: inside.be32(compat::REVISION).unwrap_or(0),
            info: inside.get(compat::INFO).map(|info| info.bytes.to_vec()).unwrap_or_default(),
        },
        _ => return None,
    })
}

fn meta_(inside: Attributes<'_>) -> Option<Expression> {
    let key = MetaKey::from_number(inside.be32(meta::KEY)?);
    match register(inside, meta::DESTINATION) {
        Some(destination) => Some(Expression::Meta { key, destination }),
        None => Some(Expression::MetaSet { key, source: register(inside, meta::SOURCE)? }),
    }
}

fn payload_(inside: Attributes<'_>) -> Option<Expression> {
    let base = HeaderBase::from_number(inside.be32(payload::BASE)?);
    let (offset, length) = (inside.be32(payload::OFFSET)?, inside.be32(payload::LENGTH)?);
    match register(inside, payload::DESTINATION) {
        Some(destination) => Some(Expression::Payload { base, offset, length, destination }),
        None => Some(Expression::PayloadSet {
            base,
            offset,
            length,
            source: register(inside, payload::SOURCE)?,
            checksum: [payload::CHECKSUM_TYPE, payload::CHECKSUM_OFFSET, payload::CHECKSUM_FLAGS]
                .map(|kind| inside.be32(kind).unwrap_or(0)),
        }),
    }
}

fn bitwise_(inside: Attributes<'_>) -> Option<Expression> {
    // Two registers are combined since Linux 6.13, which is not understood here.
    if inside.get(bitwise::SOURCE2).is_some() {
        return None;
    }
    let shift = || value(inside, bitwise::DATA)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    let operation = match inside.be32(bitwise::OPERATION).unwrap_or(0) {
        0 => Bitwise::Mask { mask: value(inside, bitwise::MASK)?, xor: value(inside, bitwise::XOR)? },
        1 => Bitwise::ShiftLeft(shift()?),
        2 => Bitwise::ShiftRight(shift()?),
        _ => return None,
    };
    Some(Expression::Bitwise {
        source: register(inside, bitwise::SOURCE)?,
        destination: register(inside, bitwise::DESTINATION)?,
        length: inside.be32(bitwise::LENGTH)?,
        operation,
    })
}

fn immediate_(inside: Attributes<'_>) -> Option<Expression> {
    if inside.be32(immediate::DESTINATION)? == 0 {
        return verdict(inside.nested(immediate::DATA).nested(data::VERDICT)).map(Expression::Verdict);
    }
    Some(Expression::Immediate {
        destination: register(inside, immediate::DESTINATION)?,
        value: value(inside, immediate::DATA)?,
    })
}

fn lookup_(inside: Attributes<'_>) -> Option<Expression> {
    let set = inside.text(lookup::SET)?;
    let source = register(inside, lookup::SOURCE)?;
    let inverted = inside.be32(lookup::FLAGS).unwrap_or(0) & INVERTED != 0;
    if inside.be32(lookup::DESTINATION) == Some(0) {
        return (!inverted).then_some(Expression::VerdictMap { map: set, source });
    }
    let destination = match inside.get(lookup::DESTINATION) {
        Some(_) => Some(register(inside, lookup::DESTINATION)?),
        None => None,
    };
    Some(Expression::Lookup { set, source, inverted, destination })
}

fn ct_(inside: Attributes<'_>) -> Option<Expression> {
    let key = CtKey::from_number(inside.be32(ct::KEY)?);
    let direction =
        inside.get(ct::DIRECTION).and_then(Attribute::u8).map(|number| Direction::from_number(u32::from(number)));
    match register(inside, ct::DESTINATION) {
        Some(destination) => Some(Expression::Ct { key, direction, destination }),
        None => Some(Expression::CtSet { key, direction, source: register(inside, ct::SOURCE)? }),
    }
}

fn exthdr_(inside: Attributes<'_>) -> Option<Expression> {
    let extension = Extension::from_number(inside.be32(exthdr::OPERATION).unwrap_or(0));
    let kind = inside.get(exthdr::TYPE).and_then(Attribute::u8)?;
    let (offset, length) = (inside.be32(exthdr::OFFSET)?, inside.be32(exthdr::LENGTH)?);
    let flags = inside.be32(exthdr::FLAGS).unwrap_or(0);
    if let Some(destination) = register(inside, exthdr::DESTINATION) {
        return Some(Expression::Exthdr { extension, kind, offset, length, flags, destination });
    }
    let source = register(inside, exthdr::SOURCE)?;
    Some(Expression::ExthdrSet { extension, kind, offset, length, source })
}

fn dynset_(inside: Attributes<'_>, depth: usize) -> Option<Expression> {
    let one = inside.get(dynset::EXPRESSION).and_then(|found| expression(found.nested(), depth));
    let mut all: Vec<Expression> = one.into_iter().collect();
    all.extend(expressions(inside.nested(dynset::EXPRESSIONS), depth));
    Some(Expression::Dynset {
        set: inside.text(dynset::SET)?,
        operation: DynsetOperation::from_number(inside.be32(dynset::OPERATION)?),
        key: register(inside, dynset::KEY)?,
        data: register(inside, dynset::DATA),
        timeout: inside.be64(dynset::TIMEOUT).filter(|timeout| *timeout != 0),
        inverted: inside.be32(dynset::FLAGS).unwrap_or(0) & INVERTED != 0,
        expressions: all,
    })
}

/// A verdict, from what is in its attribute.
pub(in super::super) fn verdict(inside: Attributes<'_>) -> Option<Verdict> {
    let number = inside.be32(data::VERDICT_CODE)?.cast_signed();
    Some(match number {
        code::ACCEPT => Verdict::Accept,
        code::DROP => Verdict::Drop,
        code::CONTINUE => Verdict::Continue,
        code::RETURN => Verdict::Return,
        code::JUMP => Verdict::Jump(inside.text(data::VERDICT_CHAIN)?),
        code::GOTO => Verdict::Goto(inside.text(data::VERDICT_CHAIN)?),
        number => match number & 0xffff {
            code::QUEUE if number >= 0 => Verdict::Queue(u16::try_from(number >> 16).ok()?),
            _ => Verdict::Other(number),
        },
    })
}

fn register(inside: Attributes<'_>, kind: u16) -> Option<Register> {
    inside.be32(kind).and_then(Register::from_number)
}

/// Two registers, of which the second is the first if it is not said; None if one of them is none, Some(None) without any.
#[expect(clippy::option_option, reason = "not there and not understood are two things, and both are passed on")]
fn registers(inside: Attributes<'_>, kinds: [u16; 2]) -> Option<Option<RegisterRange>> {
    if inside.get(kinds[0]).is_none() {
        return Some(None);
    }
    let min = register(inside, kinds[0])?;
    let max = if inside.get(kinds[1]).is_some() { register(inside, kinds[1])? } else { min };
    Some(Some(RegisterRange { min, max }))
}

fn value(inside: Attributes<'_>, kind: u16) -> Option<Vec<u8>> {
    inside.get(kind)?.nested().get(data::VALUE).map(|found| found.bytes.to_vec())
}
