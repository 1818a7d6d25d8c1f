//! Many containers: started at once and stopped, and listed among a thousand.

use std::process::{Command, Stdio};
use std::time::Instant;

use end_to_end::process::run;
use end_to_end::{Context, Failure, Result};

use super::peer::Peer;
use super::phial;
use super::report::{Series, Table, Unit};
use super::rounds::{rounds_of, time};
use crate::say;

type Peers = [Box<dyn Peer>];

/// Containers that are started in parallel.
const STARTED: usize = 200;
/// Commands that run at one time.
const AT_ONCE: usize = 16;
/// Containers, and names of images, in a list.
const LISTED: usize = 1000;

/// Each peer starts containers, several commands at a time, and then stops all with one command.
pub(crate) fn parallel(peers: &Peers, image: &str) -> Result<[Table; 2]> {
    let title = |what: &str| format!("{STARTED} containers {what}");
    let phase = say::Phase::begin(&title("started in parallel, then stopped"));
    let (mut started, mut stopped) = (Vec::new(), Vec::new());
    for peer in peers {
        let names: Vec<String> = (0..STARTED).map(|number| format!("parallel-{number}")).collect();
        let sleep =
            |name: &str| peer.docker(&["run", "-d", "--network", "none", "--name", name, image, "sleep", "1000"]);
        let Some(commands) = names.iter().map(|name| sleep(name)).collect::<Option<Vec<Command>>>() else { continue };
        let begun = Instant::now();
        at_once(commands)?;
        started.push(Series { name: peer.name(), samples: vec![milliseconds(begun)] });
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let words = |verb: &[&str]| peer.docker(&[verb, &names].concat()).context("has docker's words");
        stopped.push(Series { name: peer.name(), samples: vec![time(&mut words(&["stop", "--time", "0"])?)?] });
        run(&mut words(&["rm"])?)?.success()?;
    }
    phase.end("measured");
    let table = |what: &str, series| Table { title: title(what), unit: Unit::Milliseconds, series };
    Ok([table("started in parallel", started), table("stopped by one command", stopped)])
}

/// Lists of a thousand, of those who have docker's words: containers that were created, and names of images.
pub(crate) fn lists(peers: &Peers, image: &str, rounds: usize) -> Result<Vec<Table>> {
    let phase = say::Phase::begin(&format!("{LISTED} containers and names of images to list"));
    let mut those = Vec::new();
    for peer in peers {
        let create = |number: usize| {
            let name = format!("listed-{number}");
            peer.docker(&["create", "--network", "none", "--name", &name, image, "sleep", "1000"])
        };
        let Some(commands) = (0..LISTED).map(create).collect::<Option<Vec<Command>>>() else { continue };
        at_once(commands)?;
        let tag = |number: usize| peer.tag(image, &format!("localhost/listed-{number}:latest"));
        at_once((0..LISTED).map(tag).collect())?;
        those.push(peer);
    }
    phase.end("made");
    let list = |title: &str, words: &[&str]| {
        rounds_of(title, rounds, |_, samples| {
            for peer in &those {
                samples(peer.name(), time(&mut peer.docker(words).context("has docker's words")?)?);
            }
            Ok(())
        })
    };
    let mut tables = vec![
        // Nothing is done but that: there are no volumes.
        list("opening the store: volume ls among 1,000 containers and 1,000 names of images", &["volume", "ls"])?,
        list("ps -a among 1,000 containers", &["ps", "-a"])?,
        list("inspect among 1,000 containers", &["inspect", "listed-500"])?,
        list("images among 1,000 names", &["images"])?,
    ];
    tables.extend(running(peers, rounds)?);
    for peer in &those {
        let names: Vec<String> = (0..LISTED).map(|number| format!("listed-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for part in names.chunks(100) {
            run(&mut peer.docker(&[&["rm", "-f"], part].concat()).context("has docker's words")?)?.success()?;
        }
    }
    Ok(tables)
}

/// The same containers, running. Of phial alone: a thousand shims would not fit in memory.
fn running(peers: &Peers, rounds: usize) -> Result<Option<Table>> {
    let Some(peer) = peers.iter().find(|peer| peer.name() == phial::NAME) else { return Ok(None) };
    let start = |number: usize| peer.docker(&["start", &format!("listed-{number}")]);
    at_once((0..LISTED).filter_map(start).collect())?;
    let table = rounds_of("ps among 1,000 running", rounds, |_, samples| {
        samples(peer.name(), time(&mut peer.docker(&["ps"]).context("has docker's words")?)?);
        Ok(())
    });
    table.map(Some)
}

/// Runs commands, several at a time.
pub(super) fn at_once(commands: Vec<Command>) -> Result {
    let commands = std::sync::Mutex::new(commands.into_iter());
    let next = || commands.lock().ok()?.next();
    let work = || {
        while let Some(mut command) = next() {
            command.stdin(Stdio::null()).stdout(Stdio::null());
            let output = command.output()?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(Failure::new(format!("`{}`: {said}", end_to_end::process::words(&command))));
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })
}

/// Since then.
pub(super) fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}
