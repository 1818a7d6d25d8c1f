//! Containers on networks from their start to their end, and beyond: what they keep, what follows them, and that whoever is
//! killed on the way leaves nothing. Each test has a host of its own.

use std::collections::BTreeSet;
use std::net::TcpListener;

use end_to_end::faults::networks_are_whole;
use end_to_end::followed::Followed;
use end_to_end::lan::{HOST, Lan};
use end_to_end::namespace::Change;
use end_to_end::{Context, Phial, Result, Stage, supervisor};
use serde_json::Value;

/// Says its host's name to everybody who comes to port 80, and `ready` once it can: the server goes into the background
/// when it listens. Ends with 1 when it is told to.
const SERVER: &str = "mkdir -p /www; hostname > /www/index.html; trap 'exit 1' TERM; httpd -p 80 -h /www; echo ready; \
                      while :; do sleep 1000 & wait; done";

/// A program on a host of its own, with a network `web`.
fn host() -> Result<(Lan, Stage)> {
    let (lan, stage) = Lan::with_stage()?;
    stage.phial.ok(&["network", "create", "--subnet", "10.99.0.0/24", "web"])?;
    Ok((lan, stage))
}

/// A server that is called `name` and has this host name, on the network `web`.
fn serve(stage: &Stage, name: &str, flags: &[&str]) -> Result<String> {
    stage.start_ready(&[&["--name", name, "--hostname", name, "--network", "web"], flags].concat(), SERVER)
}

fn sleeper(stage: &Stage, name: &str, flags: &[&str]) -> Result<String> {
    stage.start(&[&["--name", name], flags].concat(), &["sleep", "1000"])
}

/// The names of interfaces in a container.
fn interfaces(phial: &Phial, container: &str) -> Result<BTreeSet<String>> {
    let listed = phial.ok(&["exec", container, "ls", "/sys/class/net"])?;
    Ok(listed.split_whitespace().filter(|name| *name != "lo").map(str::to_owned).collect())
}

/// What runs in the registers: names of containers, in order.
fn registered(phial: &Phial) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(phial.run_dir().join("networks"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let register: Value = serde_json::from_slice(&std::fs::read(path)?)?;
            let endpoints = register["endpoints"].as_array().context("endpoints are a list")?;
            names.extend(endpoints.iter().filter_map(|endpoint| endpoint["names"][0].as_str().map(str::to_owned)));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether the firewall says anything about a port.
fn is_published(lan: &Lan, port: u16) -> Result<bool> {
    let ruleset = lan.host.sh("nft list ruleset")?;
    Ok(ruleset.contains(&format!(". {port} ")))
}

/// The hosts' ends of attachments to bridges.
fn attachments(lan: &Lan) -> Result<usize> {
    let links = lan.host.ip("-o link show type veth")?;
    Ok(links.lines().filter(|line| line.contains(" master ")).count())
}

/// Waits until there are so many: the kernel removes them a while after the namespace has gone.
fn await_attachments(lan: &Lan, expected: usize) -> Result {
    lan.host.wait_until(Change::Link, || Ok(attachments(lan)? == expected))
}

/// Nothing is left, and nothing is lost.
fn is_whole(lan: &Lan, phial: &Phial) -> Result {
    let checked = phial.ok(&["system", "check"])?;
    assert!(checked.contains("all is well") && !checked.contains("network lease"), "{checked}");
    networks_are_whole(phial)?;
    await_attachments(lan, registered(phial)?.len())
}

#[test]
fn what_a_killed_supervisor_leaves_is_collected_by_the_next_command() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    sleeper(&stage, "peer", &["--network", "web"])?;
    let list = || phial.ok(&["ps"]).map(drop);
    let run = || stage.sh(&["--network", "web"], "true").map(drop);
    let start = || phial.ok(&["start", "dead"]).map(drop);
    let remove = || phial.ok(&["rm", "dead"]).map(drop);
    let inspect = || phial.ok(&["network", "ls"]).map(drop);
    let next: [(&str, &dyn Fn() -> Result); 5] =
        [("ps", &list), ("run", &run), ("start", &start), ("rm", &remove), ("network ls", &inspect)];
    for (words, command) in next {
        let id = serve(&stage, "dead", &["-p", "8080:80"])?;
        assert_eq!(phial.lookup("peer", "dead")?.as_deref(), Some("10.99.0.3"), "before {words}");
        assert!(is_published(&lan, 8080)?);
        supervisor::kill(phial, &id)?;
        command().context(words)?;
        if words == "start" {
            assert_eq!(registered(phial)?, ["dead", "peer"]);
            assert_eq!(phial.lookup("peer", "dead")?.as_deref(), Some("10.99.0.3"));
            phial.ok(&["stop", "-t", "0", "dead"])?;
        }
        assert_eq!(registered(phial)?, ["peer"], "after {words}");
        assert_eq!(phial.lookup("peer", "dead")?, None, "after {words}");
        assert!(!is_published(&lan, 8080)?, "after {words}");
        is_whole(&lan, phial).context(words)?;
        phial.ok(&["rm", "-f", "dead"])?;
    }
    Ok(())
}

#[test]
fn a_start_anew_keeps_addresses_and_ports() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    serve(&stage, "other", &["-p", "80"])?;
    let flags = ["--name", "one", "--hostname", "one", "--network", "web", "-p", "80", "--restart", "always"];
    stage.start_ready(&flags, SERVER)?;
    let port = || phial.ok(&["port", "one", "80"]);
    // The kernel gives the number of a namespace that is gone to the next one.
    let process = || phial.ok(&["inspect", "-f", "{{.State.Pid}}", "one"]);
    let (address, port_before, first) = (phial.address("one", "web")?, port()?, process()?);
    let number: u16 = port_before.rsplit(':').next().and_then(|number| number.parse().ok()).context("a port")?;
    assert_eq!(lan.outside.ask_tcp(HOST.0, number)?, "one");

    // By its policy.
    let mut events = Followed::events(phial, "one")?;
    events.wait_for("start")?;
    phial.ok(&["exec", "-d", "one", "kill", "1"])?;
    events.wait_for("start")?;
    stage.await_ready("one", 2)?;
    assert_eq!((phial.address("one", "web")?, port()?), (address.clone(), port_before.clone()));
    assert_eq!(lan.outside.ask_tcp(HOST.0, number)?, "one");
    let second = process()?;
    assert_ne!(first, second);

    // By hand.
    phial.ok(&["restart", "-t", "0", "one"])?;
    stage.await_ready("one", 3)?;
    assert_eq!(lan.outside.ask_tcp(HOST.0, number)?, "one");
    assert_eq!((phial.address("one", "web")?, port()?), (address, port_before));
    assert_ne!(process()?, second);
    is_whole(&lan, phial)
}

#[test]
fn a_stopped_container_gives_back_and_gets_anew_what_it_has_asked_for() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    serve(&stage, "fixed", &["--ip", "10.99.0.77", "-p", "8080:80"])?;
    phial.ok(&["stop", "-t", "0", "fixed"])?;
    assert_eq!(registered(phial)?, Vec::<String>::new());
    assert!(!is_published(&lan, 8080)?);
    // Both are free for others meanwhile.
    serve(&stage, "guest", &["--ip", "10.99.0.77", "-p", "8080:80"])?;
    let refused = phial.run(&["start", "fixed"])?.exited(1)?;
    assert!(refused.stderr.contains("10.99.0.77") && refused.stderr.contains("guest"), "{refused:?}");
    phial.ok(&["rm", "-f", "guest"])?;
    phial.ok(&["start", "fixed"])?;
    assert_eq!(phial.address("fixed", "web")?, "10.99.0.77");
    stage.await_ready("fixed", 2)?;
    assert_eq!(lan.outside.ask_tcp(HOST.0, 8080)?, "fixed");
    is_whole(&lan, phial)
}

#[test]
fn of_two_who_want_one_port_one_gets_it() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    let words = ["run", "-d", "--network", "web", "-p", "8080:80", &stage.image, "sleep", "1000"];
    let outputs: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| phial.run(&words))).collect();
        threads.into_iter().map(|thread| thread.join().expect("does not panic")).collect::<Result<_>>()
    })?;
    let lost: Vec<_> = outputs.iter().filter(|output| output.code != 0).collect();
    assert_eq!(lost.len(), 1, "{outputs:?}");
    assert_eq!(lost[0].code, 125, "{lost:?}");
    let error: Vec<&str> = lost[0].stderr.lines().filter(|line| line.contains("8080")).collect();
    assert!(error.len() == 1 && error[0].starts_with("phial: "), "{lost:?}");
    assert_eq!(registered(phial)?.len(), 1);
    is_whole(&lan, phial)
}

#[test]
fn a_port_of_a_program_of_the_host_is_refused() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    let listener = lan.host.within(|| Ok(TcpListener::bind("127.0.0.1:8080")?))?;
    let words = ["run", "-d", "--name", "one", "--network", "web", "-p", "8080:80", &stage.image, "sleep", "1000"];
    let refused = phial.run(&words)?.exited(125)?;
    assert!(refused.stderr.contains("8080"), "{refused:?}");
    assert_eq!(registered(phial)?, Vec::<String>::new());
    drop(listener);
    phial.ok(&["rm", "-f", "one"])?;
    phial.ok(&words)?;
    is_whole(&lan, phial)
}

#[test]
fn twenty_who_come_at_once_have_addresses_and_ports_of_their_own() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    let words = ["run", "-d", "--network", "web", "-p", "80", &stage.image, "sleep", "1000"];
    let ids: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(|| phial.ok(&words))).collect();
        threads.into_iter().map(|thread| thread.join().expect("does not panic")).collect::<Result<_>>()
    })?;
    let (mut addresses, mut ports) = (BTreeSet::new(), BTreeSet::new());
    for id in &ids {
        addresses.insert(phial.address(id, "web")?);
        ports.insert(phial.ok(&["port", id, "80"])?.lines().next().unwrap_or_default().to_owned());
    }
    assert_eq!((addresses.len(), ports.len()), (20, 20));
    is_whole(&lan, phial)?;
    phial.remove_containers()?;
    assert_eq!(registered(phial)?, Vec::<String>::new());
    is_whole(&lan, phial)
}

#[test]
fn a_network_that_is_not_there_is_named() -> Result {
    let (lan, stage) = host()?;
    let refused = stage.run(&["--network", "wob"], &["true"])?.exited(125)?;
    assert!(refused.stderr.contains("wob") && refused.stderr.contains("did you mean web?"), "{refused:?}");
    is_whole(&lan, &stage.phial)
}

#[test]
fn networks_come_and_go_while_a_container_runs() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    phial.ok(&["network", "create", "--subnet", "10.98.0.0/24", "back"])?;
    sleeper(&stage, "peer", &["--network", "back"])?;
    serve(&stage, "one", &["-p", "8080:80"])?;
    assert_eq!(phial.lookup("peer", "one")?, None);
    let ask = || lan.outside.ask_tcp(HOST.0, 8080);

    phial.ok(&["network", "connect", "--alias", "uno", "--ip", "10.98.0.50", "back", "one"])?;
    assert_eq!(interfaces(phial, "one")?, ["eth0", "eth1"].map(str::to_owned).into());
    for name in ["one", "uno"] {
        assert_eq!(phial.lookup("peer", name)?.as_deref(), Some("10.98.0.50"), "{name}");
    }
    assert_eq!(phial.lookup("one", "peer")?.as_deref(), Some("10.98.0.2"));
    assert_eq!(ask()?, "one");
    let refused = phial.run(&["network", "connect", "back", "one"])?.exited(1)?;
    assert!(refused.stderr.contains("already exists in network back"), "{refused:?}");

    // The way out moves, and with it the ports.
    let gateway = || phial.ok(&["exec", "one", "sh", "-c", "ip route | grep default"]);
    assert!(gateway()?.contains("10.99.0.1"));
    phial.ok(&["network", "disconnect", "web", "one"])?;
    assert_eq!(interfaces(phial, "one")?, ["eth1".to_owned()].into());
    assert!(gateway()?.contains("10.98.0.1"), "{}", gateway()?);
    assert_eq!(ask()?, "one");
    assert_eq!(phial.ok(&["port", "one", "80"])?.lines().next(), Some("0.0.0.0:8080"));
    is_whole(&lan, phial)?;

    // Back again, and off the other one.
    phial.ok(&["network", "connect", "web", "one"])?;
    phial.ok(&["network", "disconnect", "back", "one"])?;
    assert_eq!(interfaces(phial, "one")?, ["eth0".to_owned()].into());
    assert_eq!((phial.lookup("peer", "one")?, phial.lookup("peer", "uno")?), (None, None));
    assert_eq!(ask()?, "one");

    // It is on what it was on when it stopped.
    phial.ok(&["restart", "-t", "0", "one"])?;
    assert_eq!(interfaces(phial, "one")?, ["eth0".to_owned()].into());
    is_whole(&lan, phial)
}

#[test]
fn another_name_is_known_at_once() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    sleeper(&stage, "peer", &["--network", "web"])?;
    sleeper(&stage, "old", &["--network", "web", "--network-alias", "alias"])?;
    let address = phial.lookup("peer", "old")?;
    phial.ok(&["rename", "old", "new"])?;
    assert_eq!((phial.lookup("peer", "new")?, phial.lookup("peer", "old")?), (address.clone(), None));
    assert_eq!(phial.lookup("peer", "alias")?, address);
    assert_eq!(registered(phial)?, ["new", "peer"]);
    phial.ok(&["restart", "-t", "0", "new"])?;
    assert!(phial.lookup("peer", "new")?.is_some());
    is_whole(&lan, phial)
}

#[test]
fn a_paused_container_keeps_what_it_has() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    serve(&stage, "one", &["-p", "8080:80"])?;
    phial.ok(&["pause", "one"])?;
    assert_eq!(registered(phial)?, ["one"]);
    // It is connected and renamed as it stands.
    phial.ok(&["network", "connect", "bridge", "one"])?;
    phial.ok(&["network", "disconnect", "bridge", "one"])?;
    phial.ok(&["unpause", "one"])?;
    assert_eq!(lan.outside.ask_tcp(HOST.0, 8080)?, "one");
    is_whole(&lan, phial)
}

#[test]
fn a_network_that_is_shared_goes_with_its_owner() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    let owner = serve(&stage, "owner", &["-p", "8080:80"])?;
    stage.start(&["--name", "guest", "--network", "container:owner"], &["sleep", "1000"])?;
    assert_eq!(interfaces(phial, "guest")?, ["eth0".to_owned()].into());
    let address = phial.address("owner", "web")?;
    phial.ok(&["stop", "-t", "0", "owner"])?;
    // Its address is somebody else's from now on, so the guest has it no more.
    assert_eq!(interfaces(phial, "guest")?, BTreeSet::new());
    phial.ok(&["exec", "guest", "ping", "-c", "1", "127.0.0.1"])?;
    serve(&stage, "heir", &["--ip", &address])?;
    assert_eq!(lan.host.ask_tcp(&address, 80)?, "heir");
    phial.ok(&["rm", "-f", "heir"])?;
    await_attachments(&lan, 0)?;

    // Also when nobody is there to see to that but the next command.
    phial.ok(&["start", "owner"])?;
    phial.ok(&["restart", "-t", "0", "guest"])?;
    assert_eq!(interfaces(phial, "guest")?, ["eth0".to_owned()].into());
    supervisor::kill(phial, &owner)?;
    phial.ok(&["ps"])?;
    assert_eq!(interfaces(phial, "guest")?, BTreeSet::new());
    await_attachments(&lan, 0)
}

#[test]
fn what_ends_by_itself_leaves_nothing() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    stage.sh(&["--network", "web", "-p", "8080:80"], "true")?;
    assert_eq!(registered(phial)?, Vec::<String>::new());
    assert!(!is_published(&lan, 8080)?);
    // What cannot be executed has had all of it for a moment.
    assert_eq!(stage.run(&["--network", "web", "-p", "8080:80"], &["/nothing"])?.code, 127);
    assert_eq!(registered(phial)?, Vec::<String>::new());
    is_whole(&lan, phial)
}

#[test]
fn a_network_in_use_stays() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    let id = sleeper(&stage, "one", &["--network", "web"])?;
    let refused = phial.run(&["network", "rm", "web"])?.exited(1)?;
    assert!(refused.stderr.contains("has active endpoints") && refused.stderr.contains("one"), "{refused:?}");
    assert!(phial.lookup("one", "one")?.is_some());
    // A dead one does not keep it.
    supervisor::kill(phial, &id)?;
    phial.ok(&["network", "rm", "web"])?;
    assert!(!lan.host.ip("-o link show type bridge")?.contains("br-"));
    let refused = phial.run(&["start", "one"])?;
    assert!(refused.code != 0 && refused.stderr.contains("not found"), "{refused:?}");
    is_whole(&lan, phial)
}

#[test]
fn after_a_boot_everything_is_made_anew() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    serve(&stage, "always", &["-p", "8080:80", "--restart", "always"])?;
    let address = phial.address("always", "web")?;
    supervisor::power_failure(phial)?;
    std::fs::remove_dir_all(phial.run_dir())?;
    lan.host.sh("nft flush ruleset; for link in $(ip -o link show type bridge | cut -d ' ' -f 2); do ip link del ${link%:}; done")?;
    let checked = phial.ok(&["system", "check"])?;
    assert!(checked.contains("all is well"), "{checked}");
    assert_eq!(phial.ok(&["system", "boot"])?, "always");
    assert_eq!(phial.address("always", "web")?, address);
    stage.await_ready("always", 2)?;
    assert_eq!(lan.outside.ask_tcp(HOST.0, 8080)?, "always");
    is_whole(&lan, phial)
}

#[test]
fn whoever_starts_puts_back_what_others_have_lost() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    serve(&stage, "one", &["-p", "8080:80"])?;
    phial.ok(&["network", "create", "other"])?;
    sleeper(&stage, "first", &["--network", "other"])?;
    let table = lan.host.sh("nft list tables | sed 's/table inet //'")?;
    let damages = ["flush map inet TABLE published-everywhere-ip", "flush chain inet TABLE forward", "flush ruleset"];
    for (number, damage) in damages.into_iter().enumerate() {
        lan.host.sh(&format!("nft {}", damage.replace("TABLE", &table)))?;
        phial.run(&["system", "check"])?.exited(1)?;
        sleeper(&stage, &format!("starts-{number}"), &["--network", "other"])?;
        phial.ok(&["system", "check"]).context(damage)?;
        assert_eq!(lan.outside.ask_tcp(HOST.0, 8080)?, "one", "{damage}");
    }
    Ok(())
}

#[test]
fn check_finds_what_others_have_done_and_mends_it() -> Result {
    let (lan, stage) = host()?;
    let phial = &stage.phial;
    serve(&stage, "one", &["-p", "8080:80"])?;
    sleeper(&stage, "peer", &["--network", "web"])?;
    let network = phial.ok(&["network", "ls", "-q", "--no-trunc", "--filter", "name=web"])?;
    let register = phial.run_dir().join("networks").join(format!("{network}.json"));
    let before: Value = serde_json::from_slice(&std::fs::read(&register)?)?;
    let table = lan.host.sh("nft list tables | sed 's/table inet //'")?;
    let bridge = format!("br-{}", &network[..12]);
    let unreadable = || Ok(std::fs::write(&register, "{")?);
    let lost = || Ok(std::fs::remove_file(&register)?);
    let flushed = || lan.host.sh(&format!("nft flush table inet {table}")).map(drop);
    let element = || {
        lan.host
            .sh(&format!("nft add element inet {table} published-everywhere-ip '{{ tcp . 9999 : 10.99.0.9 . 80 }}'"))
            .map(drop)
    };
    let chain = || lan.host.sh(&format!("nft add chain inet {table} from-br-0123456789ab")).map(drop);
    let link = || lan.host.ip(&format!("link add veth0abcdef master {bridge} type veth peer name stray0")).map(drop);
    let bridgeless = || lan.host.ip(&format!("link del {bridge}")).map(drop);
    let astray = || {
        let ports = lan.host.sh(&format!("ip -o link show master {bridge} | cut -d: -f2 | cut -d@ -f1"))?;
        ports.split_whitespace().try_for_each(|port| lan.host.ip(&format!("link set {port} nomaster")).map(drop))
    };
    let damages: [(&str, &dyn Fn() -> Result); 8] = [
        ("network web: its register", &unreadable),
        ("the register of network web does not have it", &lost),
        ("rules of networks are missing", &flushed),
        ("an element of published-everywhere-ip", &element),
        ("chain from-br-0123456789ab", &chain),
        ("veth0abcdef", &link),
        ("is missing, and containers are on it", &bridgeless),
        ("is not on its bridge any more", &astray),
    ];
    for (words, damage) in damages {
        damage().context(words)?;
        let found = phial.run(&["system", "check"])?.exited(1)?;
        assert!(found.stdout.contains(words), "{words}: {found:?}");
        let mended = phial.run(&["system", "check", "--repair"])?;
        assert!(mended.code == 0 && mended.stdout.contains("repaired: "), "{words}: {mended:?}");
        is_whole(&lan, phial).context(words)?;
        let after: Value = serde_json::from_slice(&std::fs::read(&register)?)?;
        let containers = |register: &Value| -> BTreeSet<String> {
            register["endpoints"].as_array().into_iter().flatten().map(ToString::to_string).collect()
        };
        assert_eq!(containers(&before), containers(&after), "{words}");
        assert_eq!(lan.outside.ask_tcp(HOST.0, 8080)?, "one", "{words}");
        assert!(phial.lookup("peer", "one")?.is_some(), "{words}");
    }
    Ok(())
}
