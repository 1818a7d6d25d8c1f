//! The part of D-Bus that talking to systemd needs: one connection, method calls one after the other, signals in between
//! (D-Bus specification 0.43). No other types than systemd's properties have, no file descriptors, no threads.
//!
//! The libraries there are need the C library of D-Bus, an asynchronous runtime, or a second crate for system calls; this
//! is smaller than the glue for any of them.

/// A socket with somebody who speaks D-Bus.
mod connection;
/// Messages: header and body.
mod message;
/// Values as bytes.
mod wire;

pub(super) use connection::{Connection, Peer, exists, socket_of};
pub(super) use message::Message;
pub(super) use wire::{Value, Writer};

#[cfg(test)]
mod tests;
