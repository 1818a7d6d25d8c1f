//! One rule: its expressions, one behind the other.

use std::net::IpAddr;

use super::super::super::nft::{
    Bitwise, Byteorder, Comparison, CtKey, Data, Expression, HeaderBase, MetaKey, NatKind, RegisterRange, Rule, Table,
    Verdict,
};
use super::super::connection::End;
use super::super::packet::Packet;
use super::super::xt::{self, Target};
use super::effect::{self, To, Translated};
use super::load::{self, Loaded};
use super::register::Registers;
use super::{Hooked, Judgement, Surroundings, set};

/// `NFT_EXTHDR_F_PRESENT`.
const PRESENT: u32 = 1;

/// What became of a packet at a rule.
#[derive(Debug, Default)]
pub(super) struct Ran {
    /// Whether it came to its end, or to a decision.
    pub(super) matched: bool,
    /// What the rule decides.
    pub(super) decided: Option<Decided>,
    /// What the rule changed, in words.
    pub(super) effects: Vec<String>,
    /// Why it cannot be told whether the rule matches, and what it would do if it did.
    pub(super) doubt: Option<(String, String)>,
    /// What was taken for granted.
    pub(super) assumed: Vec<&'static str>,
}

/// What a rule decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decided {
    /// As one of nftables.
    Verdict(Verdict),
    /// Dropped, and said so.
    Reject(String),
    /// Dropped, because there is no way to do what the rule says.
    Impossible(&'static str),
}

/// What became of a packet at an expression.
enum Step {
    /// The next one.
    Next,
    /// It does not match.
    Break,
    /// It changed something.
    Did(String),
    /// It changed something, if this is so.
    Guessed(String, &'static str),
    /// It matches, if this is so.
    Assumed(&'static str),
    /// It decides.
    Decided(Decided),
    /// Changed and decided.
    Translated(String),
    /// Who knows: why.
    Unknown(String),
    /// It would change or decide, but who knows what.
    UnknownEffect(String),
}

/// A rule that is being run.
struct Run<'a> {
    table: &'a Table,
    hooked: &'a Hooked<'a>,
    around: &'a dyn Surroundings,
    registers: Registers,
}

/// Runs a rule.
pub(super) fn run(
    table: &Table,
    rule: &Rule,
    packet: &mut Packet,
    hooked: &Hooked<'_>,
    around: &dyn Surroundings,
) -> Ran {
    let mut state = Run { table, hooked, around, registers: Registers::default() };
    let mut ran = Ran::default();
    // Why it is not known whether what was seen so far matches.
    let mut unsure: Option<String> = None;
    for expression in &rule.expressions {
        if let Some(why) = &unsure
            && let Some(would) = would_do(expression)
        {
            ran.doubt = Some((why.clone(), would));
            return ran;
        }
        match state.step(expression, packet) {
            Step::Next => {}
            Step::Break => return Ran::default(),
            Step::Did(effect) => ran.effects.push(effect),
            Step::Guessed(effect, why) => {
                ran.effects.push(effect);
                ran.assumed.push(why);
                ran.matched = true;
                ran.decided = Some(Decided::Verdict(Verdict::Accept));
                return ran;
            }
            Step::Assumed(why) => ran.assumed.push(why),
            Step::Translated(effect) => {
                ran.effects.push(effect);
                ran.matched = true;
                ran.decided = Some(Decided::Verdict(Verdict::Accept));
                return ran;
            }
            Step::Decided(decided) => {
                ran.matched = true;
                ran.decided = Some(decided);
                return ran;
            }
            Step::Unknown(why) => {
                unsure.get_or_insert(why);
            }
            Step::UnknownEffect(why) => {
                ran.doubt = Some((why, "it would change the packet, or decide".to_owned()));
                return ran;
            }
        }
    }
    ran.matched = unsure.is_none();
    ran
}

/// What an expression would do if the rule came to it; None of those that only look, or matter to nobody.
fn would_do(expression: &Expression) -> Option<String> {
    match expression {
        Expression::Verdict(Verdict::Continue) => None,
        Expression::Verdict(Verdict::Jump(chain) | Verdict::Goto(chain)) => {
            Some(format!("it would go on in chain {chain}"))
        }
        Expression::Verdict(Verdict::Accept) => Some("it would accept the packet".to_owned()),
        Expression::Verdict(Verdict::Drop) => Some("it would drop the packet".to_owned()),
        Expression::Verdict(Verdict::Return) => Some("it would end this chain".to_owned()),
        Expression::Verdict(_) | Expression::VerdictMap { .. } | Expression::Queue { .. } => {
            Some("it would decide".to_owned())
        }
        Expression::Reject(_) => Some("it would reject the packet".to_owned()),
        Expression::Nat { .. } | Expression::Masquerade { .. } | Expression::Redirect { .. } => {
            Some("it would translate addresses".to_owned())
        }
        Expression::MetaSet { key: MetaKey::Mark, .. } | Expression::CtSet { key: CtKey::Mark, .. } => {
            Some("it would set a mark".to_owned())
        }
        Expression::PayloadSet { .. } => Some("it would change the packet".to_owned()),
        Expression::Notrack => Some("it would keep the packet from being tracked".to_owned()),
        Expression::Target { name, .. } if !xt::is_harmless(name) => {
            Some(format!("it would do what the target {name} does"))
        }
        _ => None,
    }
}

impl Run<'_> {
    fn step(&mut self, expression: &Expression, packet: &mut Packet) -> Step {
        match expression {
            Expression::Meta { key, destination } => self.store(*destination, load::meta(*key, packet, self.hooked)),
            Expression::Payload { base, offset, length, destination } => {
                self.store(*destination, load::payload(*base, *offset, *length, packet))
            }
            Expression::Ct { key, direction, destination } => {
                self.store(*destination, load::connection(*key, *direction, packet))
            }
            Expression::Fib { result, flags, destination } => {
                self.store(*destination, load::fib(*result, *flags, packet, self.hooked, self.around))
            }
            Expression::Exthdr { extension, kind, offset, length, flags, destination } => {
                let present = flags & PRESENT != 0;
                self.store(*destination, load::extension(*extension, *kind, *offset, *length, present, packet))
            }
            Expression::Immediate { destination, value } => self.store(*destination, Loaded::Value(value.clone())),
            Expression::Cmp { .. }
            | Expression::Range { .. }
            | Expression::Bitwise { .. }
            | Expression::Byteorder { .. } => self.compute(expression).unwrap_or_else(Step::Unknown),
            Expression::Lookup { .. } | Expression::VerdictMap { .. } | Expression::ObjectMap { .. } => {
                self.look_up(expression).unwrap_or_else(Step::Unknown)
            }
            Expression::MetaSet { .. } | Expression::CtSet { .. } | Expression::PayloadSet { .. } => {
                self.set(expression, packet).unwrap_or_else(Step::UnknownEffect)
            }
            Expression::Verdict(verdict) => verdict_step(verdict),
            Expression::Nat { .. } | Expression::Masquerade { .. } | Expression::Redirect { .. } => {
                self.translate(expression, packet).unwrap_or_else(Step::UnknownEffect)
            }
            Expression::Reject(how) => Step::Decided(Decided::Reject(how.words(packet.is_ipv4()))),
            Expression::Limit { inverted: true, .. } | Expression::Dynset { inverted: true, .. } => Step::Break,
            Expression::Limit { .. } => Step::Assumed("the limit is not reached"),
            Expression::Dynset { expressions, .. } => self.dynset(expressions),
            Expression::Notrack => effect::notrack(packet).map_or(Step::Next, Step::Did),
            Expression::Queue { number, .. } => Step::Decided(Decided::Verdict(Verdict::Queue(*number))),
            Expression::Match { name, revision, info } => judged(xt::judge(name, *revision, info, packet, self.around)),
            Expression::Target { name, revision, info } => self.target(name, *revision, info, packet),
            Expression::Object { .. }
            | Expression::Counter { .. }
            | Expression::Log { .. }
            | Expression::ExthdrSet { .. } => Step::Next,
            Expression::Unknown { name, .. } => unknown_expression(name),
        }
    }

    /// A loaded value goes into a register; without one, the rule ends.
    fn store(&mut self, destination: super::super::super::nft::Register, loaded: Loaded) -> Step {
        match loaded {
            Loaded::Value(value) => self.registers.store(destination, &value),
            Loaded::Nothing => return Step::Break,
            Loaded::Unknown(length, why) => self.registers.store_unknown(destination, length, why),
        }
        Step::Next
    }

    fn compute(&mut self, expression: &Expression) -> Result<Step, String> {
        let holds = match expression {
            Expression::Cmp { source, comparison, value } => {
                let own = self.registers.load(*source, value.len())?;
                let order = own.cmp(value.as_slice());
                match comparison {
                    Comparison::Equal => order.is_eq(),
                    Comparison::NotEqual => order.is_ne(),
                    Comparison::Less => order.is_lt(),
                    Comparison::LessOrEqual => order.is_le(),
                    Comparison::Greater => order.is_gt(),
                    Comparison::GreaterOrEqual => order.is_ge(),
                    Comparison::Other(_) => return Err("it compares in a way that is not known here".to_owned()),
                }
            }
            Expression::Range { source, inverted, from, to } => {
                let own = self.registers.load(*source, from.len())?;
                (from.as_slice() <= own && own <= to.as_slice()) != *inverted
            }
            Expression::Bitwise { source, destination, length, operation } => {
                let length = usize::try_from(*length).unwrap_or(usize::MAX);
                match self.registers.load(*source, length).map(|own| bitwise(own, operation)) {
                    Ok(Some(value)) => self.registers.store(*destination, &value),
                    Ok(None) => self.registers.store_unknown(
                        *destination,
                        length.min(64),
                        "it computes in a way that is not known here",
                    ),
                    Err(why) => self.registers.store_unknown(*destination, length.min(64), &why),
                }
                true
            }
            Expression::Byteorder {
                source,
                destination,
                operation: Byteorder::NetworkToHost | Byteorder::HostToNetwork,
                length,
                size,
            } => {
                let length = usize::try_from(*length).unwrap_or(usize::MAX);
                let size = usize::try_from(*size).unwrap_or(1).max(1);
                match self.registers.load(*source, length).map(<[u8]>::to_vec) {
                    Ok(mut value) => {
                        if cfg!(target_endian = "little") {
                            value.chunks_mut(size).for_each(<[u8]>::reverse);
                        }
                        self.registers.store(*destination, &value);
                    }
                    Err(why) => self.registers.store_unknown(*destination, length.min(64), &why),
                }
                true
            }
            _ => return Err("it computes in a way that is not known here".to_owned()),
        };
        Ok(if holds { Step::Next } else { Step::Break })
    }

    fn look_up(&mut self, expression: &Expression) -> Result<Step, String> {
        let (name, source) = match expression {
            Expression::Lookup { set, source, .. } => (set, *source),
            Expression::VerdictMap { map, source } | Expression::ObjectMap { map, source } => (map, *source),
            _ => return Ok(Step::Next),
        };
        let set = self.table.set(name).ok_or_else(|| format!("the set {name} is not there"))?;
        let key = self.registers.load(source, set::key_length(set))?;
        let found = set::find(set, key);
        Ok(match (expression, found) {
            (Expression::Lookup { inverted: true, .. }, found) => {
                if found.is_some() {
                    Step::Break
                } else {
                    Step::Next
                }
            }
            (_, None) => Step::Break,
            (Expression::Lookup { destination: Some(destination), .. }, Some(element)) => match &element.data {
                Some(Data::Value(value)) => {
                    let value = value.clone();
                    self.registers.store(*destination, &value);
                    Step::Next
                }
                _ => return Err(format!("the map {name} leads to nothing")),
            },
            (Expression::VerdictMap { .. }, Some(element)) => match &element.data {
                Some(Data::Verdict(verdict)) => verdict_step(verdict),
                _ => return Err(format!("the map {name} leads to nothing")),
            },
            (_, Some(_)) => Step::Next,
        })
    }

    fn set(&mut self, expression: &Expression, packet: &mut Packet) -> Result<Step, String> {
        let did = match expression {
            Expression::MetaSet { key: MetaKey::Mark, source } => {
                Some(effect::mark(packet, self.registers.number(*source)?))
            }
            Expression::CtSet { key: CtKey::Mark, source, .. } => {
                effect::connection_mark(packet, self.registers.number(*source)?)
            }
            Expression::PayloadSet { base, offset, length, source, .. } => {
                let length = usize::try_from(*length).unwrap_or(usize::MAX);
                let value = self.registers.load(*source, length)?.to_vec();
                let offset = usize::try_from(*offset).unwrap_or(usize::MAX);
                let before = packet.flow;
                match base {
                    HeaderBase::Network => packet.write_network(offset, &value),
                    HeaderBase::Transport => packet.write_transport(offset, &value),
                    _ => {}
                }
                (before != packet.flow).then(|| format!("the packet becomes {}", packet.flow))
            }
            _ => None,
        };
        Ok(did.map_or(Step::Next, Step::Did))
    }

    fn translate(&self, expression: &Expression, packet: &mut Packet) -> Result<Step, String> {
        let done = match expression {
            Expression::Nat { kind, family, address, port, flags } => {
                let end = match kind {
                    NatKind::Source => End::Source,
                    NatKind::Destination => End::Destination,
                    NatKind::Other(_) => return Err("it translates in a way that is not known here".to_owned()),
                };
                if (*family == 2) != packet.is_ipv4() && matches!(family, 2 | 10) && address.is_some() {
                    return Ok(Step::Break);
                }
                let addresses = match address {
                    Some(range) => Some((self.address(range.min, packet)?, self.address(range.max, packet)?)),
                    None => None,
                };
                effect::translate(packet, end, To { addresses, ports: self.ports(*port)?, flags: *flags })
            }
            Expression::Masquerade { port, flags } => {
                let to = To { addresses: None, ports: self.ports(*port)?, flags: *flags };
                effect::masquerade(packet, to, self.around)
            }
            Expression::Redirect { port, flags } => {
                let to = To { addresses: None, ports: self.ports(*port)?, flags: *flags };
                effect::redirect(packet, to, self.around)
            }
            _ => return Ok(Step::Next),
        };
        Ok(translated(done))
    }

    fn address(&self, register: super::super::super::nft::Register, packet: &Packet) -> Result<IpAddr, String> {
        let length = if packet.is_ipv4() { 4 } else { 16 };
        let bytes = self.registers.load(register, length)?;
        let address = match bytes.first_chunk::<16>() {
            Some(all) => Some(IpAddr::from(*all)),
            None => bytes.first_chunk::<4>().map(|all| IpAddr::from(*all)),
        };
        address.ok_or_else(|| "there is no address to translate to".to_owned())
    }

    fn ports(&self, range: Option<RegisterRange>) -> Result<Option<(u16, u16)>, String> {
        range.map(|range| Ok((self.registers.port(range.min)?, self.registers.port(range.max)?))).transpose()
    }

    /// A set that a rule adds to may carry conditions for each of its elements: limits.
    fn dynset(&self, expressions: &[Expression]) -> Step {
        let _ = self;
        for expression in expressions {
            match expression {
                Expression::Limit { inverted: true, .. } => return Step::Break,
                Expression::Limit { .. } => return Step::Assumed("the limit is not reached"),
                Expression::Counter { .. } => {}
                Expression::Unknown { name, .. } => return unknown_expression(name),
                _ => return Step::Unknown("it depends on what a set remembers".to_owned()),
            }
        }
        Step::Next
    }

    fn target(&self, name: &str, revision: u32, info: &[u8], packet: &mut Packet) -> Step {
        let verdict = |verdict| Step::Decided(Decided::Verdict(verdict));
        let end = self.hooked.end().unwrap_or(End::Destination);
        match xt::target(name, revision, info, packet, end) {
            Target::Nothing => Step::Next,
            Target::Accept => verdict(Verdict::Accept),
            Target::Drop => verdict(Verdict::Drop),
            Target::Return => verdict(Verdict::Return),
            Target::Reject(how) => Step::Decided(Decided::Reject(how.words(packet.is_ipv4()))),
            Target::Translate(end, to) => translated(effect::translate(packet, end, to)),
            Target::Masquerade(to) => translated(effect::masquerade(packet, to, self.around)),
            Target::Redirect(to) => translated(effect::redirect(packet, to, self.around)),
            Target::Notrack => effect::notrack(packet).map_or(Step::Next, Step::Did),
            Target::Unknown(why) => Step::UnknownEffect(why),
            marks => effect::marks(&marks, packet).map_or(Step::Next, Step::Did),
        }
    }
}

fn verdict_step(verdict: &Verdict) -> Step {
    match verdict {
        Verdict::Continue => Step::Next,
        verdict => Step::Decided(Decided::Verdict(verdict.clone())),
    }
}

fn translated(done: Translated) -> Step {
    match done {
        Translated::Done(words) => Step::Translated(words),
        Translated::Guessed(words, why) => Step::Guessed(words, why),
        Translated::Impossible(why) => Step::Decided(Decided::Impossible(why)),
    }
}

fn judged(judgement: Judgement) -> Step {
    match judgement {
        Judgement::Yes => Step::Next,
        Judgement::No => Step::Break,
        Judgement::Assumed(why) => Step::Assumed(why),
        Judgement::Unknown(why) => Step::Unknown(why),
    }
}

/// Of expressions that are not decoded: those that never decide are passed by.
fn unknown_expression(name: &str) -> Step {
    match name {
        "quota" => Step::Assumed("the quota is not used up"),
        "connlimit" => Step::Assumed("there are not as many connections as the limit says"),
        "last" | "flow_offload" | "dup" => Step::Next,
        "tproxy" | "synproxy" | "fwd" => {
            Step::UnknownEffect(format!("what the statement {name} does is not known here"))
        }
        name => Step::Unknown(format!("the expression {name} depends on what is not known here")),
    }
}

/// Bits; None if it is computed in a way that is not known.
fn bitwise(own: &[u8], operation: &Bitwise) -> Option<Vec<u8>> {
    match operation {
        Bitwise::Mask { mask, xor } => {
            Some(own.iter().zip(mask).zip(xor).map(|((own, mask), xor)| own & mask ^ xor).collect())
        }
        Bitwise::ShiftLeft(bits) => shift(own, |number| number.checked_shl(*bits).unwrap_or(0)),
        Bitwise::ShiftRight(bits) => shift(own, |number| number.checked_shr(*bits).unwrap_or(0)),
        Bitwise::Other(_) => None,
    }
}

/// Of one word only; longer values are shifted across words, and nobody does that.
fn shift(own: &[u8], by: impl Fn(u32) -> u32) -> Option<Vec<u8>> {
    let bytes: [u8; 4] = own.try_into().ok()?;
    Some(by(u32::from_ne_bytes(bytes)).to_ne_bytes().to_vec())
}
