//! Ports of the host that lead to containers: reserving them, so that nobody else listens there, and passing on what the
//! kernel does not.

mod bind;
mod flow;
mod pipes;
mod proxy;
mod relay;
mod reservation;

#[cfg(test)]
mod tests;

pub use proxy::Proxy;
pub use reservation::{Reservation, Wanted};

/// What can be ready, as a number for [`crate::watch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// A port that is served, by its place.
    Service(u64),
    /// The connection of this number, either end.
    Relay(u64),
    /// The container answers the client of this number.
    Flow(u64),
}

impl Token {
    const KINDS: u64 = 3;

    fn number(self) -> u64 {
        match self {
            Token::Service(number) => Token::KINDS * number,
            Token::Relay(number) => Token::KINDS * number + 1,
            Token::Flow(number) => Token::KINDS * number + 2,
        }
    }

    fn from_number(token: u64) -> Token {
        let number = token / Token::KINDS;
        match token % Token::KINDS {
            0 => Token::Service(number),
            1 => Token::Relay(number),
            _ => Token::Flow(number),
        }
    }
}
