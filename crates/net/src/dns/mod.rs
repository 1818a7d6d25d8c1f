//! Answering names of containers, and forwarding the rest: a name server per container, at 127.0.0.11 in its network
//! namespace.
//!
//! Names come from the registers of the container's networks, at the moment of each question, so that nobody has to tell
//! the server that a container came or went. Everything else is asked of other servers, unless nothing may leave.

mod answer;
mod exchange;
mod forward;
mod listen;
mod message;
mod name;
mod server;
mod steer;
mod stream;
#[cfg(test)]
mod tests;
mod upstream;
mod zone;

pub use listen::ADDRESS;
pub(crate) use server::{Outside, Server};
pub(crate) use upstream::{Place, Upstream};

/// What can be ready, as a number for [`crate::watch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// Questions by UDP.
    Datagrams,
    /// Connections that wait to be accepted.
    Connections,
    /// The connection of this number.
    Stream(u64),
    /// A server that was asked.
    Forwarded(u64),
}

impl Token {
    /// Where the numbers begin that are counted, the even ones of connections, the odd ones of questions.
    const COUNTED: u64 = 2;

    fn number(self) -> u64 {
        match self {
            Token::Datagrams => 0,
            Token::Connections => 1,
            Token::Stream(number) => Token::COUNTED + 2 * number,
            Token::Forwarded(number) => Token::COUNTED + 2 * number + 1,
        }
    }

    fn from_number(number: u64) -> Token {
        match number {
            0 => Token::Datagrams,
            1 => Token::Connections,
            number if number % 2 == 0 => Token::Stream((number - Token::COUNTED) / 2),
            number => Token::Forwarded((number - Token::COUNTED) / 2),
        }
    }
}
