//! Networks as definitions, through the built program: made, listed, described, removed, and named by containers that do not
//! run; in docker's words, and what is wrong told by name.

use std::collections::BTreeSet;

use end_to_end::lan::{Lan, Machine};
use end_to_end::{Context, Phial, Result};
use serde_json::{Value, json};

/// A program on a host of its own: bridges are made there.
fn host() -> Result<(Machine, Phial)> {
    let (host, mut phial) = (Machine::new()?, Phial::new()?);
    phial.enter(&host);
    Ok((host, phial))
}

fn names(phial: &Phial) -> Result<Vec<String>> {
    Ok(phial.ok(&["network", "ls", "--format", "{{.Name}}"])?.lines().map(str::to_owned).collect())
}

fn inspect(phial: &Phial, network: &str) -> Result<Value> {
    let all: Value = serde_json::from_str(&phial.ok(&["network", "inspect", network])?)?;
    all.get(0).cloned().context("there is nothing")
}

/// What `ps` shows of the networks of a container.
fn networks_of(phial: &Phial, container: &str) -> Result<String> {
    phial.ok(&["ps", "-a", "--filter", &format!("name=^{container}$"), "--format", "{{.Networks}}"])
}

#[test]
fn a_network_from_its_creation_to_its_end() -> Result {
    let (_host, phial) = host()?;
    assert_eq!(names(&phial)?, ["bridge", "host", "none"]);
    let id = phial.ok(&["network", "create", "web"])?;
    assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let table = phial.ok(&["network", "ls"])?;
    let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["NETWORK", "ID", "NAME", "DRIVER", "SCOPE"]);
    assert!(words.contains(&vec![&id[..12], "web", "bridge", "local"]), "{table}");
    assert_eq!(phial.ok(&["network", "ls", "-q", "--no-trunc", "-f", "name=we"])?, id);

    for key in ["web", &id, &id[..12]] {
        assert_eq!(inspect(&phial, key)?["Id"], json!(id), "{key}");
    }
    assert_eq!(phial.ok(&["inspect", "--type", "network", "-f", "{{.Name}} {{.Driver}}", "web"])?, "web bridge");
    assert_eq!(phial.ok(&["inspect", "-f", "{{.Scope}}", "web"])?, "local");

    assert_eq!(phial.ok(&["network", "rm", "web"])?, "web");
    let output = phial.run(&["network", "rm", "web"])?.exited(1)?;
    assert!(output.stderr.contains("network web not found"), "{output:?}");
    assert_eq!(phial.ok(&["network", "rm", "-f", "web"])?, "web");
    assert_eq!(names(&phial)?, ["bridge", "host", "none"]);
    let events = phial.ok(&["events", "--since", "1h", "--until", "0s", "--filter", "type=network"])?;
    let told: Vec<&str> = events.lines().filter(|line| line.contains("name=web, type=bridge")).collect();
    assert!(told[0].contains("network create") && told[1].contains("network destroy"), "{events}");
    Ok(())
}

#[test]
fn everything_that_is_said_of_a_network_is_described() -> Result {
    let (_host, phial) = host()?;
    phial.ok(&[
        "network",
        "create",
        "--subnet",
        "10.213.0.0/16",
        "--ip-range",
        "10.213.5.0/24",
        "--gateway",
        "10.213.0.9",
        "--aux-address",
        "router=10.213.0.2",
        "--subnet",
        "fd00:213::/64",
        "--internal",
        "--label",
        "stage=test",
        "-o",
        "com.docker.network.bridge.enable_icc=false",
        "-o",
        "com.docker.network.driver.mtu=1400",
        "apart",
    ])?;
    let found = inspect(&phial, "apart")?;
    let config = json!([
        {
            "Subnet": "10.213.0.0/16", "IPRange": "10.213.5.0/24", "Gateway": "10.213.0.9",
            "AuxiliaryAddresses": {"router": "10.213.0.2"},
        },
        {"Subnet": "fd00:213::/64", "Gateway": "fd00:213::1"},
    ]);
    let options = json!({"com.docker.network.bridge.enable_icc": "false", "com.docker.network.driver.mtu": "1400"});
    for (pointer, expected) in [
        ("/IPAM/Config", config),
        ("/IPAM/Driver", json!("default")),
        ("/EnableIPv4", json!(true)),
        ("/EnableIPv6", json!(true)),
        ("/Internal", json!(true)),
        ("/Options", options),
        ("/Labels", json!({"stage": "test"})),
        ("/Containers", json!({})),
    ] {
        assert_eq!(found.pointer(pointer), Some(&expected), "{pointer}");
    }
    // Networks that say nothing of it do not get the same addresses.
    for name in ["one", "two", "three"] {
        phial.ok(&["network", "create", name])?;
    }
    let mut subnets = BTreeSet::new();
    for name in ["bridge", "apart", "one", "two", "three"] {
        let found = inspect(&phial, name)?;
        for pool in found["IPAM"]["Config"].as_array().context("it has subnets")? {
            assert!(subnets.insert(pool["Subnet"].to_string()), "{name}: {pool}");
        }
    }
    let default = inspect(&phial, "bridge")?;
    assert_eq!(default["Options"]["com.docker.network.bridge.default_bridge"], "true");
    let link = default["Options"]["com.docker.network.bridge.name"].as_str().context("it has a name")?.to_owned();
    assert!(link.starts_with("phial-") && link.len() == 14, "a store elsewhere has a bridge of its own: {link}");
    Ok(())
}

#[test]
fn filters_of_lists() -> Result {
    let (_host, phial) = host()?;
    phial.ok(&["network", "create", "--label", "stage=test", "web"])?;
    let id = phial.ok(&["network", "create", "-d", "macvlan", "-o", "parent=lo0", "lan"])?;
    let cases: [(&[&str], &[&str]); 10] = [
        (&["driver=macvlan"], &["lan"]),
        (&["driver=null"], &["none"]),
        (&["label=stage"], &["web"]),
        (&["label=stage=other"], &[]),
        (&["name=n"], &["lan", "none"]),
        (&["type=custom"], &["lan", "web"]),
        (&["type=builtin"], &["bridge", "host", "none"]),
        (&["dangling=true"], &["lan", "web"]),
        (&["dangling=false"], &["bridge", "host", "none"]),
        (&["scope=local", "name=web"], &["web"]),
    ];
    for (filters, expected) in cases {
        let flags: Vec<&str> = filters.iter().flat_map(|filter| ["-f", filter]).collect();
        let found = phial.ok(&[&["network", "ls", "--format", "{{.Name}}"], flags.as_slice()].concat())?;
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{filters:?}");
    }
    assert_eq!(phial.ok(&["network", "ls", "-q", "-f", &format!("id={}", &id[..8])])?, id[..12]);
    assert_eq!(
        phial.ok(&["network", "ls", "-f", "name=web", "--format", "{{.Label \"stage\"}} {{.IPv4}}"])?,
        "test true"
    );
    Ok(())
}

#[test]
fn wrong_networks_are_refused_and_leave_nothing() -> Result {
    let (_host, phial) = host()?;
    phial.ok(&["network", "create", "--subnet", "10.214.0.0/16", "web"])?;
    let before = names(&phial)?;
    let create: [(&[&str], &str); 27] = [
        (&["web"], "network with name web already exists"),
        (&["--", "-web"], "-web"),
        (&["a b"], "a b"),
        (&["host"], "predefined host network"),
        (&["bridge"], "predefined bridge network"),
        (&["--subnet", "x", "n"], "--subnet x: not a subnet"),
        (&["--subnet", "10.215.1.0/16", "n"], "it should be 10.215.0.0/16"),
        (&["--subnet", "10.214.7.0/24", "n"], "overlaps with 10.214.0.0/16, the subnet of network web"),
        (&["--subnet", "10.215.0.0/16", "--subnet", "10.216.0.0/16", "n"], "has 10.215.0.0/16 of IPv4 already"),
        (&["--gateway", "10.215.0.1", "n"], "--gateway 10.215.0.1: within no --subnet"),
        (&["--subnet", "10.215.0.0/16", "--ip-range", "10.216.0.0/24", "n"], "--ip-range 10.216.0.0/24: within no"),
        (&["--subnet", "10.215.0.0/16", "--aux-address", "10.215.0.5", "n"], "not NAME=ADDRESS"),
        (&["--subnet", "127.0.0.0/8", "n"], "not those of hosts"),
        (&["--ipv4=false", "--subnet", "10.215.0.0/16", "n"], "--ipv4=false"),
        (&["-d", "overlay", "n"], "driver overlay"),
        (&["-d", "host", "n"], "only one instance"),
        (&["-d", "weave", "n"], "weave"),
        (&["-d", "macvlan", "n"], "the option parent is missing"),
        (&["-o", "com.docker.network.bridge.enable_ic=true", "n"], "no such option"),
        (&["-o", "com.docker.network.driver.mtu=9", "n"], "not within"),
        (&["-o", "com.docker.network.bridge.name=a/b", "n"], "no name of a link"),
        (&["-o", "com.docker.network.bridge.gateway_mode_ipv4=routed", "n"], "there is only nat"),
        (&["--label", "=x", "n"], "--label =x"),
        (&["--scope", "swarm", "n"], "--scope is not supported"),
        (&["--ingress", "n"], "--ingress is not supported"),
        (&["--config-only", "n"], "--config-only is not supported"),
        (&["--ipam-driver", "x", "n"], "--ipam-driver is not supported"),
    ];
    for (arguments, named) in create {
        let output = phial.run(&[&["network", "create"], arguments].concat())?;
        assert!(output.stderr.contains(named) && output.stderr.starts_with("phial: "), "{arguments:?}: {output:?}");
        assert_eq!(output.code, 1, "{arguments:?}: {output:?}");
    }
    let others: [(&[&str], &str); 8] = [
        (&["network", "rm", "bridge"], "bridge is a pre-defined network and cannot be removed"),
        (&["network", "rm", "none"], "none is a pre-defined network and cannot be removed"),
        (&["network", "rm", "wbe"], "did you mean web?"),
        (&["network", "inspect", "absent"], "no such network: absent"),
        (&["network", "ls", "-f", "color=red"], "color"),
        (&["network", "ls", "-f", "type=other"], "type=other"),
        (&["network", "connect", "web", "absent"], "no such container: absent"),
        (&["network", "prune", "-f", "--filter", "until=x"], "until=x"),
    ];
    for (arguments, named) in others {
        let output = phial.run(arguments)?.exited(1)?;
        assert!(output.stderr.contains(named), "{arguments:?}: {output:?}");
    }
    assert_eq!(names(&phial)?, before);
    Ok(())
}

#[test]
fn a_container_that_does_not_run_comes_and_goes() -> Result {
    let (_lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    let id = phial.ok(&["network", "create", "--subnet", "10.217.0.0/16", "web"])?;
    phial.ok(&["network", "create", "db"])?;
    phial.ok(&[
        "create",
        "--name",
        "box",
        "--network",
        "name=web,alias=site,ip=10.217.0.5",
        "--network",
        "db",
        "-p",
        "8080:80",
        "-p",
        "127.0.0.1::53/udp",
        "--expose",
        "9000",
        &stage.image,
        "true",
    ])?;
    let found = phial.inspect("box")?;
    let bindings = json!({
        "80/tcp": [{"HostIp": "", "HostPort": "8080"}],
        "53/udp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
    });
    for (pointer, expected) in [
        ("/HostConfig/NetworkMode", json!("web")),
        ("/HostConfig/PortBindings", bindings),
        ("/HostConfig/PublishAllPorts", json!(false)),
        ("/Config/ExposedPorts", json!({"53/udp": {}, "80/tcp": {}, "9000/tcp": {}})),
        ("/NetworkSettings/Ports", json!({})),
        ("/NetworkSettings/IPAddress", json!("")),
        ("/NetworkSettings/Networks/web/NetworkID", json!(id)),
        ("/NetworkSettings/Networks/web/Aliases", json!(["site"])),
        ("/NetworkSettings/Networks/web/IPAMConfig", json!({"IPv4Address": "10.217.0.5"})),
        ("/NetworkSettings/Networks/db/IPAMConfig", Value::Null),
    ] {
        assert_eq!(found.pointer(pointer), Some(&expected), "{pointer}");
    }
    assert_eq!(networks_of(phial, "box")?, "web,db");
    for (filter, expected) in [
        ("network=web", "box"),
        (&*format!("network={}", &id[..12]), "box"),
        ("network=bridge", ""),
        ("publish=80", "box"),
        ("publish=50-60/udp", "box"),
        ("publish=8080", ""),
        ("publish=9000", ""),
        ("expose=9000", "box"),
        ("expose=80/tcp", "box"),
    ] {
        assert_eq!(phial.ok(&["ps", "-a", "-f", filter, "--format", "{{.Names}}"])?, expected, "{filter}");
    }
    let port = phial.run(&["port", "box", "80"])?.exited(1)?;
    assert!(port.stderr.contains("no public port '80/tcp' published for box"), "{port:?}");
    assert_eq!(phial.ok(&["port", "box"])?, "");

    let again = phial.run(&["network", "connect", "web", "box"])?.exited(1)?;
    assert!(again.stderr.contains("endpoint with name box already exists in network web"), "{again:?}");
    let host = phial.run(&["network", "connect", "host", "box"])?.exited(1)?;
    assert!(host.stderr.contains("cannot be connected to host"), "{host:?}");
    phial.ok(&["network", "disconnect", "web", "box"])?;
    let absent = phial.run(&["network", "disconnect", "web", "box"])?.exited(1)?;
    assert!(absent.stderr.contains("container box is not connected to network web"), "{absent:?}");
    phial.ok(&["network", "disconnect", "-f", "web", "box"])?;
    let alias = phial.run(&["network", "connect", "--alias", "b", "bridge", "box"])?.exited(1)?;
    assert!(alias.stderr.contains("only supported for user-defined networks"), "{alias:?}");
    phial.ok(&["network", "connect", "bridge", "box"])?;
    assert_eq!(networks_of(phial, "box")?, "db,bridge");
    phial.ok(&["network", "disconnect", "db", "box"])?;
    phial.ok(&["network", "disconnect", "bridge", "box"])?;
    assert_eq!(networks_of(phial, "box")?, "none");
    phial.ok(&["network", "connect", "--ip", "10.217.0.7", "web", "box"])?;
    assert_eq!(networks_of(phial, "box")?, "web");

    phial.ok(&["create", "--name", "shared", "--network", "host", &stage.image, "true"])?;
    let shared = phial.run(&["network", "connect", "web", "shared"])?.exited(1)?;
    assert!(shared.stderr.contains("sharing network namespace with another container or host"), "{shared:?}");
    Ok(())
}

#[test]
fn a_container_whose_network_is_gone_can_be_taken_off_it() -> Result {
    let (_lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    let id = phial.ok(&["network", "create", "web"])?;
    phial.ok(&["create", "--name", "box", "--network", "web", &stage.image, "true"])?;
    phial.ok(&["network", "rm", "web"])?;
    let refused = phial.run(&["start", "box"])?.exited(1)?;
    assert!(refused.stderr.contains(&format!("network {id} not found")), "{refused:?}");
    phial.ok(&["network", "disconnect", &id, "box"])?;
    assert_eq!(networks_of(phial, "box")?, "none");
    phial.ok(&["start", "box"]).map(drop)
}

#[test]
fn what_runs_is_shown_where_it_is() -> Result {
    let (_lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    phial.ok(&["network", "create", "--ipv6=false", "--subnet", "10.218.0.0/16", "web"])?;
    let flags = [
        "--name",
        "box",
        "--network",
        "name=web,ip=10.218.0.9",
        "-p",
        "127.0.0.1:8080:80",
        "-p",
        "127.0.0.1:81:81",
        "--expose",
        "90",
    ];
    let id = stage.start(&flags, &["sleep", "1000"])?;
    let shown = phial.ok(&["ps", "--format", "{{.Ports}} in {{.Networks}} as {{.IPAddresses}}"])?;
    assert_eq!(shown, "127.0.0.1:81->81/tcp, 90/tcp, 127.0.0.1:8080->80/tcp in web as web:10.218.0.9");
    assert_eq!(phial.ok(&["port", "box"])?, "80/tcp -> 127.0.0.1:8080\n81/tcp -> 127.0.0.1:81");
    assert_eq!(phial.ok(&["port", "box", "80"])?, "127.0.0.1:8080");
    let found = phial.inspect("box")?;
    for (pointer, expected) in [
        ("/NetworkSettings/Ports/80~1tcp", json!([{"HostIp": "127.0.0.1", "HostPort": "8080"}])),
        ("/NetworkSettings/Ports/90~1tcp", Value::Null),
        ("/NetworkSettings/IPAddress", json!("")),
        ("/NetworkSettings/Networks/web/IPAddress", json!("10.218.0.9")),
        ("/NetworkSettings/Networks/web/Gateway", json!("10.218.0.1")),
        ("/NetworkSettings/Networks/web/IPPrefixLen", json!(16)),
        ("/NetworkSettings/Networks/web/DNSNames", json!(["box", &id[..12]])),
    ] {
        assert_eq!(found.pointer(pointer), Some(&expected), "{pointer}");
    }
    let container = inspect(phial, "web")?["Containers"][&id].clone();
    assert_eq!((&container["Name"], &container["IPv4Address"]), (&json!("box"), &json!("10.218.0.9/16")));
    let used = phial.run(&["network", "rm", "web"])?.exited(1)?;
    let named = format!("network web has active endpoints (name:\"box\" id:\"{}\")", &id[..12]);
    assert!(used.stderr.contains(&named), "{used:?}");
    assert_eq!(phial.ok(&["network", "ls", "-q", "-f", "dangling=true"])?, "");
    assert_eq!(phial.ok(&["network", "prune", "-f"])?, "");
    phial.ok(&["rm", "-f", "box"])?;
    phial.ok(&["network", "rm", "web"]).map(drop)
}

#[test]
fn networks_that_only_stopped_containers_name_are_pruned() -> Result {
    let (_lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    phial.ok(&["network", "create", "--label", "keep", "kept"])?;
    phial.ok(&["network", "create", "web"])?;
    phial.ok(&["create", "--name", "box", "--network", "web", &stage.image, "true"])?;
    let pruned = phial.ok(&["network", "prune", "-f", "--filter", "label!=keep"])?;
    assert_eq!(pruned.lines().collect::<Vec<_>>(), ["Deleted Networks:", "web"]);
    assert_eq!(names(phial)?, ["bridge", "host", "kept", "none"]);
    let all = phial.ok(&["system", "prune", "-f"])?;
    assert!(all.contains("Deleted Networks:\nkept\n"), "{all}");
    assert_eq!(names(phial)?, ["bridge", "host", "none"]);
    Ok(())
}
