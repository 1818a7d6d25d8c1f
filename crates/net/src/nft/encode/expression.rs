//! Expressions to attributes.

use super::super::expression::{Bitwise, Expression, Register, RegisterRange, Reject, Verdict};
use super::super::number::{
    bitwise, byteorder, cmp, compat, counter, ct, data, dynset, expression as wrapper, exthdr, fib, immediate, limit,
    list, log, lookup, masq, meta, nat, objref, payload, queue, range, redir, reject, verdict as code,
};
use crate::netlink::Writer;

/// `NFT_LOOKUP_F_INV`, `NFT_DYNSET_F_INV`, `NFT_LIMIT_F_INV`.
const INVERTED: u32 = 0x1;
/// `NFT_DYNSET_F_EXPR`: there are expressions.
const DYNSET_EXPRESSIONS: u32 = 0x2;
/// `NFT_REG_VERDICT`.
const VERDICT_REGISTER: u32 = 0;

/// An expression: its name, and what is in it.
pub(super) fn expression(writer: &mut Writer, expression: &Expression) {
    writer.text(wrapper::NAME, name(expression));
    if let Expression::Unknown { data, .. } = expression {
        writer.nested(wrapper::DATA, |writer| writer.append(data));
    } else {
        writer.nested(wrapper::DATA, |writer| inside(writer, expression));
    }
}

fn name(expression: &Expression) -> &str {
    match expression {
        Expression::Meta { .. } | Expression::MetaSet { .. } => "meta",
        Expression::Payload { .. } | Expression::PayloadSet { .. } => "payload",
        Expression::Cmp { .. } => "cmp",
        Expression::Range { .. } => "range",
        Expression::Bitwise { .. } => "bitwise",
        Expression::Byteorder { .. } => "byteorder",
        Expression::Immediate { .. } | Expression::Verdict(_) => "immediate",
        Expression::Lookup { .. } | Expression::VerdictMap { .. } => "lookup",
        Expression::Ct { .. } | Expression::CtSet { .. } => "ct",
        Expression::Fib { .. } => "fib",
        Expression::Nat { .. } => "nat",
        Expression::Masquerade { .. } => "masq",
        Expression::Redirect { .. } => "redir",
        Expression::Reject(_) => "reject",
        Expression::Counter { .. } => "counter",
        Expression::Limit { .. } => "limit",
        Expression::Log { .. } => "log",
        Expression::Notrack => "notrack",
        Expression::Queue { .. } => "queue",
        Expression::Object { .. } | Expression::ObjectMap { .. } => "objref",
        Expression::Exthdr { .. } | Expression::ExthdrSet { .. } => "exthdr",
        Expression::Dynset { .. } => "dynset",
        Expression::Match { .. } => "match",
        Expression::Target { .. } => "target",
        Expression::Unknown { name, .. } => name,
    }
}

fn inside(writer: &mut Writer, expression: &Expression) {
    match expression {
        Expression::Meta { key, destination } => {
            writer.be32(meta::KEY, key.number());
            register(writer, meta::DESTINATION, *destination);
        }
        Expression::MetaSet { key, source } => {
            writer.be32(meta::KEY, key.number());
            register(writer, meta::SOURCE, *source);
        }
        Expression::Ct { key, direction, destination } => {
            writer.be32(ct::KEY, key.number());
            register(writer, ct::DESTINATION, *destination);
            optional(direction.as_ref(), |direction| writer.u8(ct::DIRECTION, low_byte(direction.number())));
        }
        Expression::CtSet { key, direction, source } => {
            writer.be32(ct::KEY, key.number());
            register(writer, ct::SOURCE, *source);
            optional(direction.as_ref(), |direction| writer.u8(ct::DIRECTION, low_byte(direction.number())));
        }
        Expression::Fib { result, flags, destination } => {
            register(writer, fib::DESTINATION, *destination);
            writer.be32(fib::RESULT, result.number());
            writer.be32(fib::FLAGS, *flags);
        }
        Expression::Payload { .. }
        | Expression::PayloadSet { .. }
        | Expression::Exthdr { .. }
        | Expression::ExthdrSet { .. } => of_packets(writer, expression),
        Expression::Cmp { .. }
        | Expression::Range { .. }
        | Expression::Bitwise { .. }
        | Expression::Byteorder { .. }
        | Expression::Immediate { .. } => of_values(writer, expression),
        Expression::Lookup { .. }
        | Expression::VerdictMap { .. }
        | Expression::Object { .. }
        | Expression::ObjectMap { .. }
        | Expression::Dynset { .. } => of_sets(writer, expression),
        Expression::Nat { .. } | Expression::Masquerade { .. } | Expression::Redirect { .. } => {
            of_translation(writer, expression);
        }
        _ => statement(writer, expression),
    }
}

/// Loads from packets and writes to them.
fn of_packets(writer: &mut Writer, expression: &Expression) {
    match expression {
        Expression::Payload { base, offset, length, destination } => {
            register(writer, payload::DESTINATION, *destination);
            writer.be32(payload::BASE, base.number());
            writer.be32(payload::OFFSET, *offset);
            writer.be32(payload::LENGTH, *length);
        }
        Expression::PayloadSet { base, offset, length, source, checksum } => {
            register(writer, payload::SOURCE, *source);
            writer.be32(payload::BASE, base.number());
            writer.be32(payload::OFFSET, *offset);
            writer.be32(payload::LENGTH, *length);
            writer.be32(payload::CHECKSUM_TYPE, checksum[0]);
            writer.be32(payload::CHECKSUM_OFFSET, checksum[1]);
            writer.be32(payload::CHECKSUM_FLAGS, checksum[2]);
        }
        Expression::Exthdr { extension, kind, offset, length, flags, destination } => {
            register(writer, exthdr::DESTINATION, *destination);
            writer.u8(exthdr::TYPE, *kind);
            writer.be32(exthdr::OFFSET, *offset);
            writer.be32(exthdr::LENGTH, *length);
            writer.be32(exthdr::FLAGS, *flags);
            writer.be32(exthdr::OPERATION, extension.number());
        }
        Expression::ExthdrSet { extension, kind, offset, length, source } => {
            register(writer, exthdr::SOURCE, *source);
            writer.u8(exthdr::TYPE, *kind);
            writer.be32(exthdr::OFFSET, *offset);
            writer.be32(exthdr::LENGTH, *length);
            writer.be32(exthdr::OPERATION, extension.number());
        }
        _ => {}
    }
}

/// Comparing and computing.
fn of_values(writer: &mut Writer, expression: &Expression) {
    match expression {
        Expression::Cmp { source, comparison, value: compared } => {
            register(writer, cmp::SOURCE, *source);
            writer.be32(cmp::OPERATOR, comparison.number());
            value(writer, cmp::DATA, compared);
        }
        Expression::Range { source, inverted, from, to } => {
            register(writer, range::SOURCE, *source);
            writer.be32(range::OPERATOR, u32::from(*inverted));
            value(writer, range::FROM, from);
            value(writer, range::TO, to);
        }
        Expression::Bitwise { source, destination, length, operation } => {
            register(writer, bitwise::SOURCE, *source);
            register(writer, bitwise::DESTINATION, *destination);
            writer.be32(bitwise::LENGTH, *length);
            bits(writer, operation);
        }
        Expression::Byteorder { source, destination, operation, length, size } => {
            register(writer, byteorder::SOURCE, *source);
            register(writer, byteorder::DESTINATION, *destination);
            writer.be32(byteorder::OPERATION, operation.number());
            writer.be32(byteorder::LENGTH, *length);
            writer.be32(byteorder::SIZE, *size);
        }
        Expression::Immediate { destination, value: loaded } => {
            register(writer, immediate::DESTINATION, *destination);
            value(writer, immediate::DATA, loaded);
        }
        _ => {}
    }
}

fn bits(writer: &mut Writer, operation: &Bitwise) {
    let (number, shift) = match operation {
        Bitwise::Mask { mask, xor } => {
            value(writer, bitwise::MASK, mask);
            value(writer, bitwise::XOR, xor);
            return;
        }
        Bitwise::ShiftLeft(shift) => (1, Some(*shift)),
        Bitwise::ShiftRight(shift) => (2, Some(*shift)),
        Bitwise::Other(number) => (*number, None),
    };
    writer.be32(bitwise::OPERATION, number);
    optional(shift, |shift| value(writer, bitwise::DATA, &shift.to_ne_bytes()));
}

/// Sets, maps and named objects.
fn of_sets(writer: &mut Writer, expression: &Expression) {
    match expression {
        Expression::Lookup { set, source, inverted, destination } => {
            writer.text(lookup::SET, set);
            register(writer, lookup::SOURCE, *source);
            optional(*destination, |destination| register(writer, lookup::DESTINATION, destination));
            writer.be32(lookup::FLAGS, if *inverted { INVERTED } else { 0 });
        }
        Expression::VerdictMap { map, source } => {
            writer.text(lookup::SET, map);
            register(writer, lookup::SOURCE, *source);
            writer.be32(lookup::DESTINATION, VERDICT_REGISTER);
            writer.be32(lookup::FLAGS, 0);
        }
        Expression::Object { kind, name } => {
            writer.be32(objref::TYPE, *kind);
            writer.text(objref::NAME, name);
        }
        Expression::ObjectMap { map, source } => {
            register(writer, objref::SOURCE, *source);
            writer.text(objref::SET, map);
        }
        Expression::Dynset { set, operation, key, data, timeout, inverted, expressions } => {
            writer.text(dynset::SET, set);
            writer.be32(dynset::OPERATION, operation.number());
            register(writer, dynset::KEY, *key);
            optional(*data, |data| register(writer, dynset::DATA, data));
            optional(*timeout, |timeout| writer.be64(dynset::TIMEOUT, timeout));
            let with = if expressions.is_empty() { 0 } else { DYNSET_EXPRESSIONS };
            writer.be32(dynset::FLAGS, with | if *inverted { INVERTED } else { 0 });
            match expressions.as_slice() {
                [] => {}
                [one] => writer.nested(dynset::EXPRESSION, |writer| self::expression(writer, one)),
                several => writer.nested(dynset::EXPRESSIONS, |writer| {
                    for one in several {
                        writer.nested(list::ITEM, |writer| self::expression(writer, one));
                    }
                }),
            }
        }
        _ => {}
    }
}

/// Translating addresses.
fn of_translation(writer: &mut Writer, expression: &Expression) {
    match expression {
        Expression::Nat { kind, family, address, port, flags } => {
            writer.be32(nat::TYPE, kind.number());
            writer.be32(nat::FAMILY, u32::from(*family));
            registers(writer, *address, [nat::ADDRESS_MIN, nat::ADDRESS_MAX]);
            registers(writer, *port, [nat::PORT_MIN, nat::PORT_MAX]);
            flags_if_any(writer, nat::FLAGS, *flags);
        }
        Expression::Masquerade { port, flags } => {
            flags_if_any(writer, masq::FLAGS, *flags);
            registers(writer, *port, [masq::PORT_MIN, masq::PORT_MAX]);
        }
        Expression::Redirect { port, flags } => {
            registers(writer, *port, [redir::PORT_MIN, redir::PORT_MAX]);
            flags_if_any(writer, redir::FLAGS, *flags);
        }
        _ => {}
    }
}

/// What is done.
fn statement(writer: &mut Writer, expression: &Expression) {
    match expression {
        Expression::Verdict(decision) => {
            writer.be32(immediate::DESTINATION, VERDICT_REGISTER);
            writer.nested(immediate::DATA, |writer| verdict(writer, decision));
        }
        Expression::Reject(how) => {
            let (kind, code) = match *how {
                Reject::Icmp(code) => (0, code),
                Reject::TcpReset => (1, 0),
                Reject::Icmpx(code) => (2, code),
                Reject::Other(kind, code) => (kind, code),
            };
            writer.be32(reject::TYPE, kind);
            writer.u8(reject::CODE, code);
        }
        Expression::Counter { packets, bytes } => {
            writer.be64(counter::BYTES, *bytes);
            writer.be64(counter::PACKETS, *packets);
        }
        Expression::Limit { kind, rate, unit, burst, inverted } => {
            writer.be64(limit::RATE, *rate);
            writer.be64(limit::UNIT, *unit);
            writer.be32(limit::BURST, *burst);
            writer.be32(limit::TYPE, kind.number());
            writer.be32(limit::FLAGS, if *inverted { INVERTED } else { 0 });
        }
        Expression::Log { prefix, level, flags, group, snaplen, threshold } => {
            optional(prefix.as_ref(), |prefix| writer.text(log::PREFIX, prefix));
            optional(*level, |level| writer.be32(log::LEVEL, level));
            optional(*flags, |flags| writer.be32(log::FLAGS, flags));
            optional(*group, |group| writer.be16(log::GROUP, group));
            optional(*snaplen, |snaplen| writer.be32(log::SNAPLEN, snaplen));
            optional(*threshold, |threshold| writer.be16(log::THRESHOLD, threshold));
        }
        Expression::Queue { number, total, flags } => {
            writer.be16(queue::NUMBER, *number);
            writer.be16(queue::TOTAL, *total);
            writer.be16(queue::FLAGS, *flags);
        }
        Expression::Match { name, revision, info } | Expression::Target { name, revision, info } => {
            writer.text(compat::NAME, name);
            writer.be32(compat::REVISION, *revision);
            writer.raw(compat::INFO, info);
        }
        _ => {}
    }
}

/// A verdict, as data.
pub(super) fn verdict(writer: &mut Writer, verdict: &Verdict) {
    let (number, chain) = match verdict {
        Verdict::Accept => (code::ACCEPT, None),
        Verdict::Drop => (code::DROP, None),
        Verdict::Continue => (code::CONTINUE, None),
        Verdict::Return => (code::RETURN, None),
        Verdict::Jump(chain) => (code::JUMP, Some(chain)),
        Verdict::Goto(chain) => (code::GOTO, Some(chain)),
        // The number of the queue is in the high half (NF_VERDICT_QBITS).
        Verdict::Queue(queue) => (code::QUEUE | i32::from(*queue) << 16, None),
        Verdict::Other(number) => (*number, None),
    };
    writer.nested(data::VERDICT, |writer| {
        writer.be32(data::VERDICT_CODE, number.cast_unsigned());
        optional(chain, |chain| writer.text(data::VERDICT_CHAIN, chain));
    });
}

fn value(writer: &mut Writer, kind: u16, bytes: &[u8]) {
    writer.nested(kind, |writer| writer.raw(data::VALUE, bytes));
}

fn register(writer: &mut Writer, kind: u16, register: Register) {
    writer.be32(kind, register.number());
}

/// The second register only where it differs, which is what the kernel takes if it is not there.
fn registers(writer: &mut Writer, range: Option<RegisterRange>, kinds: [u16; 2]) {
    let Some(range) = range else { return };
    register(writer, kinds[0], range.min);
    if range.max != range.min {
        register(writer, kinds[1], range.max);
    }
}

fn flags_if_any(writer: &mut Writer, kind: u16, flags: u32) {
    if flags != 0 {
        writer.be32(kind, flags);
    }
}

fn optional<T>(value: Option<T>, write: impl FnOnce(T)) {
    if let Some(value) = value {
        write(value);
    }
}

fn low_byte(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}
