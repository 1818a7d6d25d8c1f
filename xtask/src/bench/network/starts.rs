//! What a network adds to a start.

use std::process::Command;

use end_to_end::{Context, Result};

use super::Peers;
use crate::bench::peer::Peer;
use crate::bench::phial;
use crate::bench::report::{Table, WITHOUT_NETWORK};
use crate::bench::rounds::{rounds_of, time};

/// The port of the first peer; each has one of its own, because none of them is asked to wait until another's is free.
const FIRST_PORT: usize = 8100;

/// `run --rm IMAGE true`, and phial's without a network in the same rounds.
pub(super) fn bridge(peers: &Peers, image: &str, rounds: usize) -> Result<Table> {
    rounds_of("network: run --rm IMAGE true on the default bridge", rounds, |_, samples| {
        for peer in peers {
            samples(peer.name(), time(&mut run(peer.as_ref(), &[], image)?)?);
            if peer.name() == phial::NAME {
                samples(WITHOUT_NETWORK, time(&mut run(peer.as_ref(), &["--network", "none"], image)?)?);
            }
        }
        Ok(())
    })
}

/// The same with a published port.
pub(super) fn published(peers: &Peers, image: &str, rounds: usize) -> Result<Table> {
    rounds_of("network: run --rm -p PORT:80 IMAGE true", rounds, |_, samples| {
        for (number, peer) in peers.iter().enumerate() {
            let port = format!("{}:80", FIRST_PORT + number);
            samples(peer.name(), time(&mut run(peer.as_ref(), &["-p", &port], image)?)?);
        }
        Ok(())
    })
}

fn run(peer: &dyn Peer, flags: &[&str], image: &str) -> Result<Command> {
    peer.docker(&[&["run", "--rm"], flags, &[image, "true"]].concat()).context("has docker's words")
}
