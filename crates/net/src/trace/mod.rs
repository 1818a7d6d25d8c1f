//! The way of a packet, step by step, computed from what the kernel has at this instant: rules of all tables, also those of
//! others, routes, links, addresses.
//!
//! A packet on paper is walked through the host as the kernel would do it ([`trace`]), and then the answer to it, because a
//! connection that nobody can answer is none. What cannot be computed is said, never guessed. Nothing is changed and no
//! packet is sent; `live` watches real ones.

/// Connections and the translation of addresses.
mod connection;
/// Rules.
mod evaluate;
/// The hooks of netfilter.
mod hook;
/// Watching real packets.
mod live;
/// The packet.
mod packet;
/// What is asked, and the answer.
mod question;
/// Namespaces, as the kernel has them.
mod space;
/// What a trace says.
mod step;
/// A trace as a picture.
mod svg;
/// A trace as text.
mod text;
/// The way itself.
mod walk;
/// Rules in words.
mod words;
/// Matches and targets of iptables.
mod xt;

pub use live::{Event, Watch, Watched};
pub use packet::{Flow, Transport};
pub use question::{Question, Sender, trace};
pub use space::{Place, Places, Role, Space};
pub use step::{ChainStep, End, Kind, Path, RuleName, RuleStep, Step, Trace, Verdict, json};
pub use svg::svg;
pub use text::{Colour, text};

#[cfg(test)]
mod tests;
