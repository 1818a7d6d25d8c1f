//! Names on a network: how fast the engine's nameserver answers a container's questions. Client and nameserver share two
//! processors, and each uses one.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use end_to_end::namespace::Namespace;
use end_to_end::{Context, Failure, Result};

use super::pair::{Pair, SERVER};
use crate::bench::report::{Series, Table, Unit};
use crate::say;

/// Turns of each engine, and how long or how many questions each lasts.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_secs(1);
const QUESTIONS: usize = 400;
/// Questions under way at most, and when to ask more.
const UNDER_WAY: u16 = 64;
const REFILL: u16 = 32;
/// How long an answer may take: one that was lost is an error.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers per second to many questions at once, and the time of one after the other.
pub(super) fn measure(pairs: &[Pair]) -> Result<[Table; 2]> {
    let phase = say::Phase::begin("network: names");
    let client = |pair: &Pair| Client::new(&pair.client, &pair.nameserver).context(pair.name);
    let clients = pairs.iter().map(client).collect::<Result<Vec<Client>>>()?;
    let series = || pairs.iter().map(|pair| Series::new(pair.name)).collect::<Vec<Series>>();
    let (mut rates, mut times) = (series(), series());
    for turn in 0..=TURNS {
        for (number, client) in clients.iter().enumerate() {
            let name = pairs[number].name;
            let (rate, some) = (client.rate(SERVER).context(name)?, client.times(SERVER).context(name)?);
            if turn > 0 {
                rates[number].samples.push(rate);
                times[number].samples.extend(some);
            }
        }
    }
    phase.end("measured");
    let title = |what: &str| format!("network: name of a container, {what}");
    Ok([
        Table { title: title("answers per second"), unit: Unit::PerSecond, series: rates },
        Table { title: title("time of one question"), unit: Unit::Microseconds, series: times },
    ])
}

/// A resolver in a container's namespace, without a cache.
pub(super) struct Client(UdpSocket);

impl Client {
    /// One that asks this nameserver.
    ///
    /// # Errors
    /// The address is none, or the namespace cannot be entered.
    pub(super) fn new(namespace: &Namespace, nameserver: &str) -> Result<Client> {
        let nameserver: Ipv4Addr = nameserver.parse().context(format!("nameserver `{nameserver}`"))?;
        let socket = namespace.within(|| Ok(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?))?;
        socket.connect((nameserver, 53))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Client(socket))
    }

    /// The IPv4 address of a name.
    ///
    /// # Errors
    /// There is no answer, or none with an address.
    pub(super) fn address(&self, name: &str) -> Result<Ipv4Addr> {
        let mut answer = [0; 512];
        self.0.send(&question(1, name))?;
        let count = self.0.recv(&mut answer).context(format!("asking for {name}"))?;
        address(&answer[..count]).context(format!("no address of {name} in the answer"))
    }

    fn times(&self, name: &str) -> Result<Vec<f64>> {
        let one = |_| {
            let begun = Instant::now();
            self.address(name)?;
            Ok(begun.elapsed().as_secs_f64() * 1e6)
        };
        (0..QUESTIONS).map(one).collect()
    }

    fn rate(&self, name: &str) -> Result<f64> {
        let (question, mut answer) = (question(2, name), [0; 512]);
        let (mut answers, mut under_way, begun) = (0_u32, 0, Instant::now());
        while begun.elapsed() < TURN {
            while under_way < UNDER_WAY {
                self.0.send(&question)?;
                under_way += 1;
            }
            while under_way > REFILL {
                let count = self.0.recv(&mut answer).context("an answer is missing")?;
                is_good(&answer[..count])?;
                under_way -= 1;
                answers += 1;
            }
        }
        let rate = f64::from(answers) / begun.elapsed().as_secs_f64();
        for _ in 0..under_way {
            self.0.recv(&mut answer).context("an answer is missing")?;
        }
        Ok(rate)
    }
}

/// A question for an IPv4 address (RFC 1035, section 4.1).
fn question(id: u16, name: &str) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    // Recursion is desired; one question.
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        bytes.extend(u8::try_from(label.len()));
        bytes.extend(label.as_bytes());
    }
    // The root, type A, class IN.
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

/// Whether it is an answer without an error, and not an empty one.
fn is_good(answer: &[u8]) -> Result {
    match answer {
        [_, _, flags, code, _, _, high, low, ..] if flags & 0x80 != 0 && code % 16 == 0 && high | low != 0 => Ok(()),
        _ => Err(Failure::new(format!("no good answer: {:02x?}", answer.get(..12)))),
    }
}

/// The first address of an answer to a question of ours.
fn address(answer: &[u8]) -> Option<Ipv4Addr> {
    is_good(answer).ok()?;
    let after_name = |at: usize| {
        let mut at = at;
        loop {
            match *answer.get(at)? {
                0 => return Some(at + 1),
                // A pointer is the end of a name.
                length if length & 0xc0 != 0 => return Some(at + 2),
                length => at += usize::from(length) + 1,
            }
        }
    };
    let record = after_name(after_name(12)? + 4)?;
    // Type A, class IN, time to live, four bytes.
    let is_address = answer.get(record..record + 4)? == [0, 1, 0, 1] && answer.get(record + 8..record + 10)? == [0, 4];
    let bytes: [u8; 4] = answer.get(record + 10..record + 14)?.try_into().ok()?;
    is_address.then(|| Ipv4Addr::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_behind_pointers_and_labels() {
        let answer = |name: &[u8]| {
            let mut bytes = question(1, "server");
            bytes[2] = 0x81;
            bytes[7] = 1;
            [&bytes[..], name, &[0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 172, 20, 0, 2]].concat()
        };
        let expected = Some(Ipv4Addr::new(172, 20, 0, 2));
        assert_eq!(address(&answer(&[0xc0, 12])), expected);
        assert_eq!(address(&answer(b"\x06server\0")), expected);
        assert_eq!(address(&question(1, "server")), None);
        let cut = answer(&[0xc0, 12]);
        assert_eq!(address(&cut[..cut.len() - 1]), None);
    }
}
