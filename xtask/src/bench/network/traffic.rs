//! What goes through a network: bytes, and single ones there and back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use end_to_end::lan::{HOST, Lan};
use end_to_end::process::{Running, run};
use end_to_end::{Context, Failure, Result};
use rustix::net::{Shutdown, shutdown};

use super::pair::{BULK, ECHO, Pair};
use crate::bench::report::{Series, Table, Unit};
use crate::bench::rounds::rounds_of;
use crate::say;

/// Seconds of each stream.
const SECONDS: &str = "3";
/// Connections, and how many an engine has before it is the other one's turn.
const CONNECTIONS: usize = 2_000;
const IN_TURN: usize = 200;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// One TCP stream with iperf3: to the server from the other container, from the host, and from outside through its
/// published port.
pub(super) fn throughput(pairs: &[Pair], lan: &Lan, rounds: usize) -> Result<[Table; 3]> {
    let measured = |way: &str, stream: &dyn Fn(&Pair) -> Result<f64>| {
        let table = rounds_of(&format!("network: throughput {way}"), rounds, |_, samples| {
            for pair in pairs {
                samples(pair.name, stream(pair)?);
            }
            Ok(())
        })?;
        Ok::<Table, Failure>(Table { unit: Unit::Gigabits, ..table })
    };
    let iperf = || Command::new("iperf3");
    Ok([
        measured("from container to container", &|pair| {
            stream(pair, pair.client.command("iperf3", &[]), &pair.address, BULK)
        })?,
        measured("from host to container", &|pair| stream(pair, iperf(), &pair.address, BULK))?,
        measured("from outside to a published port", &|pair| {
            stream(pair, lan.outside.command("iperf3", &[]), HOST.0, pair.bulk)
        })?,
    ])
}

/// Gbit/s that the server has received.
fn stream(pair: &Pair, mut client: Command, address: &str, port: u16) -> Result<f64> {
    let mut server = pair.server.command("iperf3", &[]);
    server.args(["--server", "--one-off", "--forceflush", "--port", &BULK.to_string()]);
    let mut server = Running::spawn(server.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let said = BufReader::new(server.child().stdout.take().context("a pipe")?);
    let mut said = said.lines();
    said.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("Server listening")))
        .context("iperf3 listens")??;
    // What it writes then is read, so that it never waits for a reader.
    let reader = std::thread::spawn(move || said.for_each(drop));
    client.args(["--client", address, "--port", &port.to_string(), "--time", SECONDS, "--json"]);
    let output = run(&mut client)?.success().context(pair.name)?;
    server.wait()?;
    // A thread that only reads does not panic.
    let _ = reader.join();
    let json: serde_json::Value = serde_json::from_str(&output)?;
    let received = json["end"]["sum_received"]["bits_per_second"].as_f64().context("iperf3 shows no sum")?;
    Ok(received / 1e9)
}

/// A connection from outside to a published port, one byte there and back, and the end.
pub(super) fn latency(pairs: &[Pair], lan: &Lan) -> Result<Table> {
    let title =
        format!("network: latency of a published port, connect and one byte there and back, {CONNECTIONS} times");
    let phase = say::Phase::begin(&title);
    // A socket stays in the namespace in which it was made, whoever uses it.
    let listen = |pair: &Pair| pair.server.within(|| Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, ECHO))?));
    let listeners = pairs.iter().map(listen).collect::<Result<Vec<TcpListener>>>()?;
    let mut series: Vec<Series> = pairs.iter().map(|pair| Series::new(pair.name)).collect();
    let result = std::thread::scope(|scope| {
        for listener in &listeners {
            scope.spawn(|| echo(listener));
        }
        let result = lan.outside.within(|| connections(pairs, &mut series));
        // Whoever waits for a connection is told that there will be none (EINVAL of accept(2)).
        listeners.iter().try_for_each(|listener| shutdown(listener, Shutdown::Both))?;
        result
    });
    result?;
    phase.end("measured");
    Ok(Table { title, unit: Unit::Microseconds, series })
}

/// One turn more than is counted: the first one warms everybody's caches.
fn connections(pairs: &[Pair], series: &mut [Series]) -> Result {
    for turn in 0..=CONNECTIONS / IN_TURN {
        for (pair, series) in pairs.iter().zip(series.iter_mut()) {
            let to = SocketAddr::new(HOST.0.parse().context(HOST.0)?, pair.echo);
            for _ in 0..IN_TURN {
                let sample = connection(&to).context(pair.name)?;
                if turn > 0 {
                    series.samples.push(sample);
                }
            }
        }
    }
    Ok(())
}

fn connection(to: &SocketAddr) -> Result<f64> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect_timeout(to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut byte = [7];
    stream.write_all(&byte)?;
    stream.read_exact(&mut byte)?;
    Ok(begun.elapsed().as_secs_f64() * 1e6)
}

fn echo(listener: &TcpListener) {
    for mut stream in listener.incoming().map_while(std::io::Result::ok) {
        let mut byte = [0];
        // A client that goes away is one that reports its own error.
        let _ = stream.read_exact(&mut byte).and_then(|()| stream.write_all(&byte));
    }
}
