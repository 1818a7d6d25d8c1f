//! `phial network trace`: what it says of a packet, and what becomes of a real one.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use end_to_end::lan::{HOST, Lan};
use end_to_end::namespace::Outcome;
use end_to_end::process::Running;
use end_to_end::servers::Listener;
use end_to_end::{Context, Result, Stage};
use serde_json::Value;

/// A host with two networks, a server on the first that is published, and a client on each.
fn host() -> Result<(Lan, Stage, Listener)> {
    let (lan, stage) = Lan::with_stage()?;
    for network in ["one", "two"] {
        stage.phial.ok(&["network", "create", network])?;
    }
    let server = stage.idle(&["--name", "web", "--network", "one", "-p", "8080:80"])?.listen("[::]:80")?;
    stage.idle(&["--name", "near", "--network", "one"])?;
    stage.idle(&["--name", "far", "--network", "two"])?;
    Ok((lan, stage, server))
}

#[test]
fn what_it_says_is_what_happens() -> Result {
    let (lan, stage, _server) = host()?;
    let trace = |words: &[&str]| stage.phial.run(&[&["network", "trace"], words].concat());
    let address = stage.phial.address("web", "one")?;
    for (from, to, port, failure) in [
        ("near", address.as_str(), 80, None),
        ("far", address.as_str(), 80, Some(Outcome::Silence)),
        ("far", HOST.0, 8080, None),
        ("near", HOST.0, 8080, None),
        ("near", address.as_str(), 81, Some(Outcome::Refused)),
    ] {
        let client = stage.phial.namespace(from)?;
        match &failure {
            None => drop(client.ask_tcp(to, port)?),
            Some(failure) => client.check_tcp(to, port, failure)?,
        }
        let said = trace(&["--from", from, "--to", &format!("{to}:{port}")])?;
        assert_eq!(said.code, i32::from(failure.is_some()), "{from} to {to}:{port}\n{}", said.stdout);
    }
    let outside = trace(&["--to", "web"])?.success()?;
    assert!(outside.contains("WORKS") && outside.contains("published"), "{outside}");
    lan.outside.ask_tcp(HOST.0, 8080)?;
    let dropped = trace(&["--from", "far", "--to", "web:80"])?.exited(1)?.stdout;
    assert!(dropped.contains("DROPPED") && dropped.contains("not published"), "{dropped}");
    Ok(())
}

#[test]
fn rules_of_others_are_shown() -> Result {
    let (lan, stage, _server) = host()?;
    let words = ["network", "trace", "--to", "web", "--format", "json"];
    let verdict = || -> Result<String> {
        let said: serde_json::Value = serde_json::from_str(&stage.phial.run(&words)?.stdout)?;
        assert_eq!(said["version"], 1);
        Ok(said["verdict"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(verdict()?, "works");
    let jump = "iptables-nft -N GUARD; iptables-nft -A GUARD -p tcp --dport 80 -m conntrack --ctstate NEW -j DROP";
    lan.host.sh(&format!("{jump}; iptables-nft -I FORWARD -j GUARD"))?;
    assert_eq!(verdict()?, "dropped");
    lan.outside.check_tcp(HOST.0, 8080, &Outcome::Silence)?;
    let text = stage.phial.run(&["network", "trace", "--to", "web"])?.exited(1)?.stdout;
    assert!(text.contains("GUARD"), "{text}");
    let picture = stage.phial.run(&["network", "trace", "--to", "web", "--format", "svg"])?.exited(1)?.stdout;
    assert!(picture.starts_with("<svg") && picture.contains("GUARD") && !picture.contains("<script"), "{picture}");
    Ok(())
}

#[test]
fn real_packets_are_watched() -> Result {
    let (lan, stage, _server) = host()?;
    let words = ["network", "trace", "--from", "outside", "--to", "web", "--live", "--format", "json"];
    let mut command = stage.phial.command(&words);
    let mut watching = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let mut told = String::new();
    BufReader::new(watching.child().stderr.take().context("is piped")?).read_line(&mut told)?;
    assert!(told.starts_with("watching packets"), "{told}");
    let before = lan.host.sh("nft list tables")?;
    assert!(before.contains("phial-trace-"), "{before}");
    // Of another flow nothing is told.
    lan.outside.check_tcp(HOST.0, 8081, &Outcome::Refused)?;
    lan.outside.ask_tcp(HOST.0, 8080)?;
    let mut events = BufReader::new(watching.child().stdout.take().context("is piped")?).lines();
    let mut chains = Vec::new();
    while !chains.iter().any(|chain| chain == "forward") {
        let event: Value = serde_json::from_str(&events.next().context("it goes on")??)?;
        assert!(!event["flow"].to_string().contains("8081"), "{event}");
        chains.push(event["rule"]["chain"].as_str().unwrap_or_default().to_owned());
    }
    // As it went: its port was translated before it was forwarded.
    assert!(chains.iter().any(|chain| chain == "prerouting"), "{chains:?}");
    drop(watching);
    assert!(!lan.host.sh("nft list tables")?.contains("phial-trace-"));
    Ok(())
}

#[test]
fn a_container_named_host_is_not_the_host() -> Result {
    let (_lan, stage, _server) = host()?;
    let named = |name: &str| stage.start(&["--name", name, "--network", "two"], &["sleep", "1000"]);
    for id in [named("host")?, named("outside")?] {
        let words = ["network", "trace", "--from", &id, "--to", "far", "--format", "json"];
        let said: serde_json::Value = serde_json::from_str(&stage.phial.run(&words)?.stdout)?;
        assert_eq!(said["from"].as_str(), id.get(..12), "{said}");
        let source = stage.phial.address(&id, "two")?;
        assert_eq!(said["packet"]["source"], *source, "{said}");
    }
    for word in ["host", "outside"] {
        let words = ["network", "trace", "--from", word, "--to", "web", "--format", "json"];
        let said: serde_json::Value = serde_json::from_str(&stage.phial.run(&words)?.stdout)?;
        assert_eq!(said["from"], word, "{said}");
    }
    Ok(())
}
