//! Bytes that nobody meant, and models that come back as they were.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

use crate::netlink::{Attribute, Attributes, Messages};
use crate::nft::expression::{DynsetOperation, LimitKind};
use crate::nft::number::{elements, message};
use crate::nft::{
    Answer, Base, Batch, Bitwise, Chain, Comparison, CtKey, Data, DataKind, DataType, Direction, Element, Expression,
    Extension, Family, FibResult, HeaderBase, Hook, MetaKey, NatKind, Position, Register, Reject, Rule, Ruleset, Set,
    Table, Verdict, decode,
};

/// What the messages say, as the kernel would say it of a ruleset: a table is followed by what is in it.
fn decoded(bytes: &[u8]) -> Ruleset {
    let mut all = Ruleset::default();
    for one in Messages(bytes).map(Answer::of) {
        let (family, attributes) = (Family::from_number(one.family), one.attributes);
        if one.kind == message::NEW_TABLE {
            all.tables.extend(decode::table(family, attributes));
        }
        let Some(table) = all.tables.last_mut() else { continue };
        match one.kind {
            message::NEW_CHAIN => table.chains.extend(decode::chain(family, attributes)),
            message::NEW_RULE => table.chains.iter_mut().for_each(|chain| chain.rules.push(decode::rule(attributes))),
            message::NEW_SET => table.sets.extend(decode::set(attributes)),
            message::NEW_ELEMENT => {
                let list = attributes.nested(elements::ELEMENTS);
                let found: Vec<Element> = list.into_iter().map(Attribute::nested).map(decode::element).collect();
                table.sets.iter_mut().for_each(|set| set.elements.extend(found.clone()));
            }
            _ => {}
        }
    }
    all
}

/// A table with one chain, one rule and one set.
fn table(expressions: Vec<Expression>, set: Set) -> Table {
    let base =
        Base { kind: "filter".to_owned(), hook: Hook::Forward, priority: -1, accept: false, devices: Vec::new() };
    let rule = Rule::new("what it is for", expressions);
    let chain = Chain { base: Some(base), rules: vec![rule], ..Chain::new("chain") };
    Table { sets: vec![set], chains: vec![chain], ..Table::new(Family::Inet, "table") }
}

fn encoded(table: &Table) -> Vec<u8> {
    let mut batch = Batch::new();
    batch.add_whole_table(table);
    batch.finished().expect("nothing is too long")
}

fn register() -> impl Strategy<Value = Register> {
    (0..16_u8).prop_map(|word| Register::word(word).expect("there are sixteen"))
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_0-9.-]{1,20}"
}

fn loads() -> BoxedStrategy<Expression> {
    let number = any::<u32>;
    prop_oneof![
        (number(), register())
            .prop_map(|(key, destination)| { Expression::Meta { key: MetaKey::from_number(key % 64), destination } }),
        (number(), register())
            .prop_map(|(key, source)| Expression::MetaSet { key: MetaKey::from_number(key % 64), source }),
        (0..4_u32, 0..200_u32, 0..40_u32, register()).prop_map(|(base, offset, length, destination)| {
            Expression::Payload { base: HeaderBase::from_number(base), offset, length, destination }
        }),
        (0..4_u32, number(), number(), register(), any::<[u32; 3]>()).prop_map(
            |(base, offset, length, source, checksum)| {
                Expression::PayloadSet { base: HeaderBase::from_number(base), offset, length, source, checksum }
            }
        ),
        (0..32_u32, option::of(0..2_u32), register()).prop_map(|(key, direction, destination)| {
            let direction = direction.map(Direction::from_number);
            Expression::Ct { key: CtKey::from_number(key), direction, destination }
        }),
        (0..5_u32, number(), register()).prop_map(|(result, flags, destination)| {
            Expression::Fib { result: FibResult::from_number(result), flags, destination }
        }),
        (0..6_u32, any::<u8>(), number(), number(), number(), register()).prop_map(
            |(extension, kind, offset, length, flags, destination)| {
                let extension = Extension::from_number(extension);
                Expression::Exthdr { extension, kind, offset, length, flags, destination }
            }
        ),
        (register(), value()).prop_map(|(destination, value)| Expression::Immediate { destination, value }),
        (register(), register(), number(), value(), value()).prop_map(|(source, destination, length, mask, xor)| {
            Expression::Bitwise { source, destination, length, operation: Bitwise::Mask { mask, xor } }
        }),
        (register(), register(), number(), number()).prop_map(|(source, destination, length, shift)| {
            Expression::Bitwise { source, destination, length, operation: Bitwise::ShiftRight(shift) }
        }),
    ]
    .boxed()
}

fn decides() -> BoxedStrategy<Expression> {
    let range = || option::of((register(), register()).prop_map(|(min, max)| crate::nft::RegisterRange { min, max }));
    prop_oneof![
        (register(), 0..7_u32, value()).prop_map(|(source, comparison, value)| {
            Expression::Cmp { source, comparison: Comparison::from_number(comparison), value }
        }),
        (register(), any::<bool>(), value(), value()).prop_map(|(source, inverted, from, to)| Expression::Range {
            source,
            inverted,
            from,
            to
        }),
        (name(), register(), any::<bool>(), option::of(register()))
            .prop_map(|(set, source, inverted, destination)| Expression::Lookup { set, source, inverted, destination }),
        (Just("set".to_owned()), register()).prop_map(|(map, source)| Expression::VerdictMap { map, source }),
        verdict().prop_map(Expression::Verdict),
        (0..2_u32, any::<u8>(), range(), range(), any::<u32>()).prop_map(|(kind, family, address, port, flags)| {
            Expression::Nat { kind: NatKind::from_number(kind), family, address, port, flags }
        }),
        (range(), any::<u32>()).prop_map(|(port, flags)| Expression::Masquerade { port, flags }),
        (0..3_u8, any::<u8>()).prop_map(|(kind, code)| {
            Expression::Reject(match kind {
                0 => Reject::Icmp(code),
                1 => Reject::TcpReset,
                _ => Reject::Icmpx(code),
            })
        }),
        (any::<u64>(), any::<u64>()).prop_map(|(packets, bytes)| Expression::Counter { packets, bytes }),
        (0..3_u32, any::<u64>(), any::<u64>(), any::<u32>(), any::<bool>()).prop_map(
            |(kind, rate, unit, burst, inverted)| {
                Expression::Limit { kind: LimitKind::from_number(kind), rate, unit, burst, inverted }
            }
        ),
        (any::<u16>(), any::<u16>(), any::<u16>()).prop_map(|(number, total, flags)| Expression::Queue {
            number,
            total,
            flags
        }),
        (name(), any::<u32>(), value()).prop_map(|(name, revision, info)| Expression::Match { name, revision, info }),
        (name(), register(), option::of(1..u64::MAX), any::<bool>()).prop_map(|(set, key, timeout, inverted)| {
            let expressions = vec![Expression::Counter { packets: 1, bytes: 2 }];
            let operation = DynsetOperation::Update;
            Expression::Dynset { set, operation, key, data: None, timeout, inverted, expressions }
        }),
    ]
    .boxed()
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Accept),
        Just(Verdict::Drop),
        Just(Verdict::Continue),
        Just(Verdict::Return),
        name().prop_map(Verdict::Jump),
        name().prop_map(Verdict::Goto),
        any::<u16>().prop_map(|queue| Verdict::Queue(queue & 0x7fff)),
    ]
}

fn set() -> impl Strategy<Value = Set> {
    let key = prop_oneof![
        any::<u32>().prop_map(DataType),
        Just(DataType::IPV4),
        Just(DataType::INTERFACE_NAME),
        Just(DataType::concatenation(&[DataType::IPV6, DataType::INET_SERVICE])),
    ];
    let data = option::of(prop_oneof![
        Just(DataKind::Verdict),
        (any::<u32>(), any::<u32>()).prop_map(|(kind, length)| DataKind::Value(DataType(kind & 0x3fff_ffff), length)),
    ]);
    let element = (value(), option::of(value()), option::of(value()), 0..2_u32, option::of(name()));
    let elements = vec(element, 0..6).prop_map(|all| {
        let element = |(key, end, data, flags, comment): (_, _, Option<Vec<u8>>, _, _)| {
            let data = data.map(Data::Value);
            Element { key, end, data, flags, comment, ..Element::default() }
        };
        all.into_iter().map(element).collect::<Vec<_>>()
    });
    (key, data, any::<u32>(), option::of(any::<u32>()), elements).prop_map(|(key, data, flags, size, elements)| {
        // An anonymous set is shown in the rules that use it.
        Set { flags, data, size, elements, ..Set::new("set", key, "what it is for") }
    })
}

proptest! {
    #[test]
    fn models_come_back_as_they_were(expressions in vec(prop_oneof![loads(), decides()], 0..8), set in set()) {
        let table = table(expressions, set);
        prop_assert_eq!(&decoded(&encoded(&table)).tables, &vec![table]);
    }

    #[test]
    fn whatever_is_decoded_can_be_shown(
        expressions in vec(prop_oneof![loads(), decides()], 0..8),
        set in set(),
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = encoded(&table(expressions, set));
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = decoded(&bytes).to_string();
    }

    #[test]
    fn any_bytes_are_decoded(bytes in vec(any::<u8>(), 0..512)) {
        let attributes = Attributes(&bytes);
        let (table, chain) = (decode::table(Family::Inet, attributes), decode::chain(Family::Inet, attributes));
        let (rule, set, element) = (decode::rule(attributes), decode::set(attributes), decode::element(attributes));
        let _ = (table, chain, rule, set, element, decoded(&bytes));
    }
}

#[test]
fn a_rule_that_is_too_long_is_refused() {
    let long = Expression::Match { name: "long".to_owned(), revision: 0, info: vec![0; 70_000] };
    let mut batch = Batch::new();
    let rule = Rule::new("long", vec![long]);
    batch.add_rule(Table::new(Family::Inet, "table").scope(), "chain", &rule, Position::Last);
    assert!(batch.finished().is_none());
}
