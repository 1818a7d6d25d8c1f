//! Rounds: each peer once, in turn, as often as asked for.

use std::process::{Command, Stdio};
use std::time::Instant;

use end_to_end::process::{run, words};
use end_to_end::{Failure, Result};

use super::peer::Peer;
use super::report::{Series, Table, Unit};
use crate::say;

type Peers = [Box<dyn Peer>];

/// Makes peers that have seen nothing yet, for the round of this number.
type Fresh<'a> = &'a dyn Fn(usize) -> Result<Vec<Box<dyn Peer>>>;

/// `run --rm --network none IMAGE true`.
pub(crate) fn run_true(peers: &Peers, image: &str, rounds: usize) -> Result<Table> {
    let title = "run --rm --network none IMAGE true";
    interleaved(title, peers, rounds, |peer| time(&mut peer.run_true(image)))
}

/// `exec CONTAINER true`.
pub(crate) fn exec_true(peers: &Peers, image: &str, rounds: usize) -> Result<Table> {
    for peer in peers {
        peer.start(image, "exec")?;
    }
    let table = interleaved("exec CONTAINER true", peers, rounds, |peer| time(&mut peer.exec_true("exec")));
    for peer in peers {
        peer.remove("exec")?;
    }
    table
}

/// A cold pull of a large image. Each round has peers on directories of their own, and nothing is deleted before the
/// end: for minutes after a large tree was deleted, ext4 makes new files many times slower than otherwise.
pub(crate) fn pull(fresh: Fresh<'_>, image: &str, rounds: usize) -> Result<Table> {
    let title = "cold pull of five layers, 800 MB in 34,000 files";
    rounds_of(title, rounds, |round, samples| {
        for peer in fresh(round)? {
            // What others have written must not be written to the disk during this one's turn.
            run(&mut Command::new("sync"))?.success()?;
            samples(peer.name(), time(&mut peer.pull(image))?);
        }
        Ok(())
    })
}

fn interleaved(title: &str, peers: &Peers, rounds: usize, measure: impl Fn(&dyn Peer) -> Result<f64>) -> Result<Table> {
    rounds_of(title, rounds, |_, samples| {
        for peer in peers {
            samples(peer.name(), measure(peer.as_ref())?);
        }
        Ok(())
    })
}

/// One round is not counted: it fills the caches for everybody alike.
pub(super) fn rounds_of(
    title: &str,
    rounds: usize,
    round_of: impl Fn(usize, &mut dyn FnMut(&'static str, f64)) -> Result,
) -> Result<Table> {
    let phase = say::Phase::begin(title);
    let mut series: Vec<Series> = Vec::new();
    for round in 0..=rounds {
        round_of(round, &mut |name, sample| {
            if round == 0 {
                series.push(Series::new(name));
            } else if let Some(of_peer) = series.iter_mut().find(|series| series.name == name) {
                of_peer.samples.push(sample);
            }
        })?;
    }
    phase.end("measured");
    Ok(Table { title: title.to_owned(), unit: Unit::Milliseconds, series })
}

/// Milliseconds from the start of a command to its end.
pub(super) fn time(command: &mut Command) -> Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status()?;
    let milliseconds = begun.elapsed().as_secs_f64() * 1000.0;
    if status.success() {
        return Ok(milliseconds);
    }
    // Once more, for its words.
    let said = run(command)?;
    Err(Failure::new(format!("`{}`: {status}\n{}", words(command), said.stderr)))
}
