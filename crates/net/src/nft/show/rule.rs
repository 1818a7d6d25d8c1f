//! Rules: what was loaded into which register is remembered as words, until something compares it, looks it up or uses it.

use super::super::expression::{Bitwise, Comparison, Expression, HeaderBase, NatKind, Register, RegisterRange};
use super::super::model::{Family, Rule, Table};
use super::super::set::{DataKind, DataType, Set};
use super::field::{self, IPV4, IPV6};
use super::loaded::{Layer, Loaded, compared, ct_kind, extension_name, fib, masked, meta};
use super::{set, statement, value};

/// Flags of translations (`NF_NAT_RANGE_*`).
const NAT_FLAGS: [(u32, &str); 3] = [(0x4, "random"), (0x8, "persistent"), (0x10, "fully-random")];
/// The parts of a rule.
pub(super) fn words(table: &Table, rule: &Rule) -> Vec<String> {
    let network = match table.family {
        Family::Ip => Some(IPV4),
        Family::Ip6 => Some(IPV6),
        _ => None,
    };
    let mut reader = Reader { table, registers: Default::default(), said: Vec::new(), network, transport: None };
    let mut rest = rule.expressions.as_slice();
    while let Some((expression, behind)) = rest.split_first() {
        let used = reader.read(expression, behind);
        rest = behind.get(used..).unwrap_or_default();
    }
    reader.said.into_iter().map(|said| said.text).collect()
}

/// A part of the rule.
struct Said {
    text: String,
    /// What it settles. It goes without saying if a field of that protocol is named later.
    settles: Option<Layer>,
}

struct Reader<'a> {
    table: &'a Table,
    registers: [Option<Loaded>; 16],
    said: Vec<Said>,
    network: Option<u8>,
    transport: Option<u8>,
}

impl Reader<'_> {
    /// Takes an expression, and says how many of those behind it were taken as well.
    fn read(&mut self, expression: &Expression, behind: &[Expression]) -> usize {
        match expression {
            Expression::Meta { key, destination } => self.load(*destination, meta(*key)),
            Expression::Payload { base, offset, length, destination } => {
                let loaded = self.payload(*base, *offset, *length);
                self.load(*destination, loaded);
            }
            Expression::Ct { key, direction, destination } => {
                let direction = direction.map_or(String::new(), |direction| format!("{} ", direction.name()));
                self.load(*destination, Loaded::new(format!("ct {direction}{}", key.name()), ct_kind(*key)));
            }
            Expression::Fib { result, flags, destination } => self.load(*destination, fib(*result, *flags)),
            Expression::Exthdr { extension, kind, offset, length, destination, .. } => {
                let kind_of_value = if *length == 0 { DataType::UNKNOWN } else { DataType::INTEGER };
                self.load(
                    *destination,
                    Loaded::new(extension_name(*extension, *kind, *offset, *length), kind_of_value),
                );
            }
            Expression::Immediate { destination, value } => {
                self.load(*destination, Loaded { literal: Some(value.clone()), ..Loaded::default() });
            }
            Expression::Bitwise { source, destination, operation, .. } => {
                self.bitwise(*source, *destination, operation);
            }
            Expression::Byteorder { source, destination, .. } => {
                let loaded = self.registers[source.index()].clone().unwrap_or_default();
                self.load(*destination, loaded);
            }
            Expression::Cmp { source, comparison, value } => return self.compare(*source, *comparison, value, behind),
            Expression::Range { source, inverted, from, to } => {
                let loaded = self.use_register(*source);
                let not = if *inverted { "!= " } else { "" };
                let (from, to) = (value::show(loaded.kind, from), value::show(loaded.kind, to));
                self.say(format!("{} {not}{from}-{to}", loaded.text));
            }
            Expression::Lookup { set, source, inverted, destination } => {
                self.lookup(set, *source, *inverted, *destination);
            }
            Expression::VerdictMap { map, source } => {
                let key = self.key(map, *source);
                self.say(format!("{key} vmap {}", self.set(map)));
            }
            _ => self.statement(expression),
        }
        0
    }

    fn statement(&mut self, expression: &Expression) {
        let text = match expression {
            Expression::MetaSet { key, source } => {
                let target = meta(*key);
                format!("{} set {}", target.text, self.value(*source, target.kind))
            }
            Expression::CtSet { key, source, .. } => {
                format!("ct {} set {}", key.name(), self.value(*source, ct_kind(*key)))
            }
            Expression::PayloadSet { base, offset, length, source, .. } => {
                let target = self.payload(*base, *offset, *length);
                self.settled(&target.needs);
                format!("{} set {}", target.text, self.value(*source, target.kind))
            }
            Expression::ExthdrSet { extension, kind, offset, length, source } => {
                let name = extension_name(*extension, *kind, *offset, *length);
                format!("{name} set {}", self.value(*source, DataType::INTEGER))
            }
            Expression::Nat { kind, family, address, port, flags } => self.nat(*kind, *family, *address, *port, *flags),
            Expression::Masquerade { port, flags } => self.translation("masquerade", *port, *flags),
            Expression::Redirect { port, flags } => self.translation("redirect", *port, *flags),
            Expression::Reject(how) => statement::reject(*how, self.table.family, self.network),
            Expression::Dynset { set, operation, key, data, timeout, expressions, .. } => {
                let mut words = vec![self.key(set, *key)];
                if let Some(timeout) = timeout {
                    words.push(format!("timeout {}", set::duration(*timeout)));
                }
                words.extend(expressions.iter().map(statement::show));
                if let Some(data) = data {
                    let kind = match self.table.set(set).and_then(|set| set.data) {
                        Some(DataKind::Value(kind, _)) => kind,
                        _ => DataType::UNKNOWN,
                    };
                    words.push(format!(": {}", self.value(*data, kind)));
                }
                format!("{} @{set} {{ {} }}", operation.name(), words.join(" "))
            }
            Expression::ObjectMap { map, source } => format!("object {} map {}", self.key(map, *source), self.set(map)),
            other => statement::show(other),
        };
        self.say(text);
    }

    fn say(&mut self, text: String) {
        self.said.push(Said { text, settles: None });
    }

    fn load(&mut self, register: Register, loaded: Loaded) {
        self.registers[register.index()] = Some(loaded);
    }

    /// What a register has, to be said now.
    fn use_register(&mut self, register: Register) -> Loaded {
        let unknown = || Loaded::new("unknown".to_owned(), DataType::UNKNOWN);
        let loaded = self.registers[register.index()].clone().unwrap_or_else(unknown);
        self.settled(&loaded.needs);
        loaded
    }

    /// What settled these layers goes without saying.
    fn settled(&mut self, layers: &[Layer]) {
        self.said.retain(|said| !said.settles.is_some_and(|layer| layers.contains(&layer)));
    }

    fn payload(&self, base: HeaderBase, offset: u32, length: u32) -> Loaded {
        let Some(field) = field::find(base, offset, length, self.network, self.transport) else {
            // Both are counted in bits.
            let (at, length) = (u64::from(offset) * 8, u64::from(length) * 8);
            return Loaded::new(format!("@{},{at},{length}", base.name()), DataType::INTEGER);
        };
        let mut loaded = Loaded::new(format!("{} {}", field.header, field.name), field.kind);
        loaded.needs = match base {
            HeaderBase::Link => vec![Layer::Link],
            HeaderBase::Network => vec![Layer::Network],
            _ if matches!(field.header, "icmp" | "icmpv6") => vec![Layer::Network, Layer::Transport],
            _ if self.transport.is_some() => vec![Layer::Transport],
            _ => Vec::new(),
        };
        if matches!((field.header, field.name), ("ip", "protocol") | ("ip6", "nexthdr")) {
            loaded.settles = Some(Layer::Transport);
        }
        loaded
    }

    fn bitwise(&mut self, source: Register, destination: Register, operation: &Bitwise) {
        let mut loaded = self.registers[source.index()].clone().unwrap_or_default();
        match operation {
            Bitwise::Mask { mask, xor } if xor.iter().all(|byte| *byte == 0) => loaded.mask = Some(mask.clone()),
            Bitwise::Mask { mask, xor } => {
                let (kept, set) = (value::show(loaded.kind, mask), value::show(loaded.kind, xor));
                loaded.text = if mask.iter().all(|byte| *byte == u8::MAX) {
                    format!("{} ^ {set}", loaded.text)
                } else if mask.iter().zip(xor).all(|(mask, xor)| mask & xor == 0) {
                    let all = mask.iter().zip(xor).all(|(mask, xor)| mask | xor == u8::MAX);
                    if all { format!("{} | {set}", loaded.text) } else { format!("{} & {kept} | {set}", loaded.text) }
                } else {
                    format!("{} & {kept} ^ {set}", loaded.text)
                };
            }
            Bitwise::ShiftLeft(bits) => loaded.text = format!("{} << {bits}", loaded.text),
            Bitwise::ShiftRight(bits) => loaded.text = format!("{} >> {bits}", loaded.text),
            Bitwise::Other(_) => loaded.text = format!("unknown of {}", loaded.text),
        }
        self.load(destination, loaded);
    }

    fn compare(&mut self, source: Register, comparison: Comparison, bytes: &[u8], behind: &[Expression]) -> usize {
        let loaded = self.use_register(source);
        if let (
            Comparison::GreaterOrEqual,
            Some(Expression::Cmp { source: also, comparison: Comparison::LessOrEqual, value: to }),
        ) = (comparison, behind.first())
            && *also == source
        {
            let (from, to) = (value::show(loaded.kind, bytes), value::show(loaded.kind, to));
            self.say(format!("{} {from}-{to}", loaded.text));
            return 1;
        }
        let settles = loaded.settles.filter(|_| comparison == Comparison::Equal && loaded.mask.is_none());
        match (settles, bytes) {
            (Some(Layer::Network), [number]) => self.network = Some(*number),
            (Some(Layer::Network), [0x08, 0x00]) => self.network = Some(IPV4),
            (Some(Layer::Network), [0x86, 0xdd]) => self.network = Some(IPV6),
            (Some(Layer::Transport), [number]) => self.transport = Some(*number),
            _ => {}
        }
        self.said.push(Said { text: compared(&loaded, comparison, bytes), settles });
        0
    }

    fn lookup(&mut self, name: &str, source: Register, inverted: bool, destination: Option<Register>) {
        let key = self.key(name, source);
        let Some(destination) = destination else {
            let not = if inverted { "!= " } else { "" };
            return self.say(format!("{key} {not}{}", self.set(name)));
        };
        let kind = match self.table.set(name).and_then(|set| set.data) {
            Some(DataKind::Value(kind, _)) => kind,
            _ => DataType::UNKNOWN,
        };
        let text = format!("{key} map {}", self.set(name));
        let mut at = destination;
        for (number, part) in kind.parts().into_iter().enumerate() {
            self.load(at, Loaded { continues: number > 0, ..Loaded::new(text.clone(), part) });
            at = at.behind(part.width());
        }
        if kind.parts().is_empty() {
            self.load(at, Loaded::new(text, kind));
        }
    }

    /// What is looked up: of a concatenation, all of its parts.
    fn key(&mut self, set: &str, source: Register) -> String {
        let kind = self.table.set(set).map_or(DataType::UNKNOWN, |set| set.key);
        if !kind.is_concatenation() {
            return self.value(source, kind);
        }
        let mut at = source;
        let mut parts = Vec::new();
        for part in kind.parts() {
            parts.push(self.value(at, part));
            at = at.behind(part.width());
        }
        parts.join(" . ")
    }

    /// What a register has, of this type.
    fn value(&mut self, register: Register, kind: DataType) -> String {
        let loaded = self.use_register(register);
        let Some(literal) = &loaded.literal else { return masked(&loaded) };
        let kind = if kind == DataType::UNKNOWN { DataType::INTEGER } else { kind };
        value::show(kind, literal)
    }

    fn set(&self, name: &str) -> String {
        match self.table.set(name) {
            Some(set) if set.is(Set::ANONYMOUS) => set::inline(set),
            _ => format!("@{name}"),
        }
    }

    fn nat(
        &mut self,
        kind: NatKind,
        family: u8,
        address: Option<RegisterRange>,
        port: Option<RegisterRange>,
        flags: u32,
    ) -> String {
        let (name, kind_of_address) = if family == IPV6 { ("ip6", DataType::IPV6) } else { ("ip", DataType::IPV4) };
        let of = if self.table.family == Family::Inet { format!(" {name}") } else { String::new() };
        let mut to = address.map_or(String::new(), |range| self.range(range, kind_of_address));
        // A port behind an address of IPv6 would be read as part of it.
        let is_literal = |range: RegisterRange| {
            self.registers[range.min.index()].as_ref().is_some_and(|loaded| loaded.literal.is_some())
        };
        if family == IPV6 && port.is_some() && address.is_some_and(is_literal) {
            to = format!("[{to}]");
        }
        format!("{}{of} to {to}{}{}", kind.name(), self.ports(port), nat_flags(flags))
    }

    fn translation(&mut self, word: &str, port: Option<RegisterRange>, flags: u32) -> String {
        let ports = self.ports(port);
        let to = if ports.is_empty() { "" } else { " to " };
        format!("{word}{to}{ports}{}", nat_flags(flags))
    }

    fn ports(&mut self, port: Option<RegisterRange>) -> String {
        let Some(range) = port else { return String::new() };
        // Address and port that a map leads to are said once.
        if self.registers[range.min.index()].as_ref().is_some_and(|loaded| loaded.continues) {
            return String::new();
        }
        format!(":{}", self.range(range, DataType::INET_SERVICE))
    }

    fn range(&mut self, range: RegisterRange, kind: DataType) -> String {
        let min = self.value(range.min, kind);
        if range.min == range.max { min } else { format!("{min}-{}", self.value(range.max, kind)) }
    }
}

fn nat_flags(flags: u32) -> String {
    let names: Vec<&str> = NAT_FLAGS.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| *name).collect();
    if names.is_empty() { String::new() } else { format!(" {}", names.join(",")) }
}
