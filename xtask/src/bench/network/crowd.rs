//! Many containers on one network, started several at a time; then each is called by name from one of them.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use end_to_end::namespace::Namespace;
use end_to_end::process::run;
use end_to_end::{Context, Failure, Result};

use super::docker;
use super::names::Client;
use super::pair::{nameserver, namespace};
use crate::bench::many::{at_once, milliseconds};
use crate::bench::peer::Peer;
use crate::bench::report::{Series, Table, Unit};
use crate::say;

/// Containers of everybody.
const SOME: usize = 50;
/// Containers of phial alone: so many shims would not fit in the time.
const MANY: usize = 500;
/// A subnet with room for all, which nobody has: a block for benches (RFC 2544).
const SUBNET: &str = "198.18.0.0/20";
const NETWORK: &str = "crowd";
/// What each serves.
const PORT: u16 = 80;
/// How long after its start a container may need to serve.
const PATIENCE: Duration = Duration::from_secs(10);

/// Some of everybody, and many of phial, the first one.
pub(super) fn measure([phial, other]: [&dyn Peer; 2], image: &str) -> Result<Vec<Table>> {
    let some = table(&[phial, other], image, SOME)?;
    let many = table(&[phial], image, MANY)?;
    Ok(some.into_iter().chain(many).collect())
}

fn table(peers: &[&dyn Peer], image: &str, count: usize) -> Result<[Table; 2]> {
    let title = |what: &str| format!("network: {count} containers on one network, {what}");
    let phase = say::Phase::begin(&title("started, then called by name"));
    let (mut started, mut called) = (Vec::new(), Vec::new());
    for peer in peers {
        let times = crowd(*peer, image, count).context(peer.name())?;
        started.push(Series { name: peer.name(), samples: vec![times.0] });
        called.push(Series { name: peer.name(), samples: vec![times.1] });
    }
    phase.end("measured");
    let table = |what: &str, series| Table { title: title(what), unit: Unit::Milliseconds, series };
    Ok([table("started in parallel", started), table("each called by name from one of them", called)])
}

/// How long it took to start them, and to call each.
fn crowd(peer: &dyn Peer, image: &str, count: usize) -> Result<(f64, f64)> {
    docker(peer, &["network", "create", "--subnet", SUBNET, NETWORK])?;
    let names: Vec<String> = (0..count).map(|number| format!("crowd-{number}")).collect();
    let serve = |name: &String| {
        let words = ["run", "-d", "--network", NETWORK, "--name", name, image, "httpd", "-f", "-p"];
        peer.docker(&[&words[..], &[&PORT.to_string()]].concat()).context("has docker's words")
    };
    let commands = names.iter().map(serve).collect::<Result<_>>()?;
    let begun = Instant::now();
    at_once(commands)?;
    let started = milliseconds(begun);
    let begun = Instant::now();
    call(&namespace(peer, &names[0])?, &nameserver(peer, &names[0])?, &names)?;
    let called = milliseconds(begun);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for some in names.chunks(100) {
        let mut remove = peer.docker(&[&["rm", "--force"], some].concat()).context("has docker's words")?;
        run(&mut remove)?.success()?;
    }
    docker(peer, &["network", "rm", NETWORK])?;
    Ok((started, called))
}

/// Asks for the address of each name and connects to it, all of them different ones.
fn call(from: &Namespace, nameserver: &str, names: &[String]) -> Result {
    let client = Client::new(from, nameserver)?;
    let addresses = names.iter().map(|name| client.address(name)).collect::<Result<Vec<Ipv4Addr>>>()?;
    let different = addresses.iter().collect::<BTreeSet<_>>().len();
    if different != names.len() {
        return Err(Failure::new(format!("{} names have {different} addresses", names.len())));
    }
    from.within(|| addresses.iter().zip(names).try_for_each(|(address, name)| reach(*address).context(name)))
}

/// A container that was started a moment ago may refuse at first.
fn reach(address: Ipv4Addr) -> Result {
    let begun = Instant::now();
    loop {
        match TcpStream::connect_timeout(&SocketAddr::from((address, PORT)), PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error).context(address),
            Err(_) => std::thread::yield_now(),
        }
    }
}
