//! What the flags about networks mean, and which of them contradict one another.

use super::*;

/// Values of `--network`, other flags, a part of what is said about them.
type Case<'a> = (&'a [&'a str], fn(&mut NetworkFlags), &'a str);

fn flags(networks: &[&str], change: impl FnOnce(&mut NetworkFlags)) -> NetworkFlags {
    let mut flags =
        NetworkFlags { networks: networks.iter().map(ToString::to_string).collect(), ..NetworkFlags::default() };
    change(&mut flags);
    flags
}

fn check(networks: &[&str], expected: Result<Network, &str>) {
    let found = flags(networks, |_| {}).parse().map_err(|error| error.to_string());
    assert_eq!(found, expected.map_err(str::to_owned), "{networks:?}");
}

fn own(names: &[&str]) -> Network {
    Network::Own(names.iter().map(|name| Connection::to(*name)).collect())
}

#[test]
fn modes_and_networks() {
    check(&[], Ok(Network::Own(Vec::new())));
    check(&["bridge"], Ok(Network::Own(Vec::new())));
    check(&["default"], Ok(Network::Own(Vec::new())));
    check(&["none"], Ok(Network::None));
    check(&["host"], Ok(Network::Host));
    check(&["container:web"], Ok(Network::Container("web".to_owned())));
    check(&["name=host"], Ok(Network::Host));
    check(&["web"], Ok(own(&["web"])));
    check(&["web", "default", "name=db"], Ok(own(&["web", "bridge", "db"])));
    check(&[""], Err("--network: the value is empty"));
    check(&["container:"], Err("--network container:: the name of the container is missing"));
    check(&["web", "name=web"], Err("network web is specified multiple times"));
    check(&["bridge", "default"], Err("network bridge is specified multiple times"));
    check(&["web", "host"], Err("conflicting options: cannot attach a container to networks and to --network host"));
}

#[test]
fn what_is_said_of_a_connection() {
    let text = "name=web,alias=a,alias=b,ip=10.0.0.5,ip6=fd00::5,mac-address=02-00-00-00-00-01,gw-priority=-3,\
                driver-opt=com.docker.network.endpoint.ifname=eth7,\
                \"driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.forwarding=1,net.ipv6.neigh.IFNAME.x=2\"";
    let expected = Connection {
        network: "web".to_owned(),
        aliases: vec!["a".to_owned(), "b".to_owned()],
        ipv4: Some(Ipv4Addr::new(10, 0, 0, 5)),
        ipv6: "fd00::5".parse().ok(),
        mac: Some(Mac([2, 0, 0, 0, 0, 1])),
        gateway_priority: -3,
        options: BTreeMap::from([
            (IFNAME.to_owned(), "eth7".to_owned()),
            (SYSCTLS.to_owned(), "net.ipv4.conf.IFNAME.forwarding=1,net.ipv6.neigh.IFNAME.x=2".to_owned()),
        ]),
        links: Vec::new(),
    };
    assert_eq!(Connection::parse(text).expect("is one"), expected);
    let json = serde_json::to_string(&Network::Own(vec![expected.clone()])).expect("is JSON");
    assert_eq!(serde_json::from_str::<Network>(&json).expect("is one"), Network::Own(vec![expected]));
    for (wrong, named) in [
        ("alias=a", "the name of the network is missing"),
        ("name=web,color=red", "unknown key 'color'"),
        ("name=web,ip", "'ip' is not KEY=VALUE"),
        ("name=web,ip=fd00::1", "ip=fd00::1: not an address of IPv4"),
        ("name=web,ip6=10.0.0.1", "ip6=10.0.0.1: not an address of IPv6"),
        ("name=web,mac-address=01:00:00:00:00:01", "not the hardware address of an interface"),
        ("name=web,alias=a b", "not a name of a host"),
        ("name=web,gw-priority=x", "gw-priority=x: not a whole number"),
        ("name=web,link-local-ip=169.254.0.1", "link-local addresses are the kernel's"),
        ("name=web,driver-opt=com.docker.network.endpoint.ifnam=x", "unknown option"),
        ("name=web,driver-opt=com.docker.network.endpoint.ifname=a/b", "'a/b' is no name of an interface"),
        ("name=web,driver-opt=com.docker.network.endpoint.sysctls=vm.swappiness=1", "no parameter of an interface"),
        ("name=\"web", "quote"),
    ] {
        let error = Connection::parse(wrong).expect_err(wrong).to_string();
        assert!(error.contains(named) && error.starts_with("--network "), "{wrong}: {error}");
    }
}

#[test]
fn flags_of_their_own_are_said_of_the_first_network() {
    let all = |flags: &mut NetworkFlags| {
        flags.aliases = vec!["a".to_owned()];
        (flags.ip, flags.ip6) = (Some("10.0.0.5".to_owned()), Some("fd00::5".to_owned()));
        flags.mac = Some("02:00:00:00:00:01".to_owned());
    };
    let Ok(Network::Own(connections)) = flags(&["web", "db"], all).parse() else { panic!("they are networks") };
    assert!(connections[0].ipv4.is_some() && connections[0].mac.is_some() && connections[1].is_plain());
    let errors: [Case<'_>; 9] = [
        (&["name=web,ip=10.0.0.1"], |f| f.ip = Some("10.0.0.2".into()), "both --ip and per-network IPv4"),
        (&["name=web,alias=a"], |f| f.aliases = vec!["b".into()], "both --network-alias and per-network alias"),
        (&["host"], |f| f.ip = Some("10.0.0.2".into()), "--ip and --network host"),
        (&["container:x"], |f| f.mac = Some("02:00:00:00:00:01".into()), "--mac-address and --network container:x"),
        (&[], |f| f.ip = Some("10.0.0.2".into()), "supported on user defined networks only"),
        (&[], |f| f.aliases = vec!["a".into()], "only supported for user-defined networks"),
        (&["web"], |f| f.ip = Some("x".into()), "--ip x: not an address of IPv4"),
        (&["web"], |f| f.mac = Some("x".into()), "--mac-address x: not the hardware address"),
        (&["web"], |f| f.link_local = vec!["169.254.1.1".into()], "--link-local-ip 169.254.1.1"),
    ];
    for (networks, change, named) in errors {
        let error = flags(networks, change).parse().expect_err(named).to_string();
        assert!(error.contains(named), "{error}");
    }
    let mac = flags(&[], |f| f.mac = Some("02:00:00:00:00:01".into())).parse().expect("goes with any network");
    assert!(matches!(mac, Network::Own(all) if all[0].network == DEFAULT_NETWORK && all[0].mac.is_some()));
}

#[test]
fn links() {
    for (text, expected) in [
        ("db", Some(("db", "db"))),
        ("db:database", Some(("db", "database"))),
        ("/db:/database", Some(("db", "database"))),
        ("", None),
        (":a", None),
        ("db:", None),
        ("db:a b", None),
    ] {
        let found = Link::parse(text).ok().map(|link| (link.container, link.alias));
        assert_eq!(found, expected.map(|(name, alias)| (name.to_owned(), alias.to_owned())), "{text}");
    }
}

#[test]
fn rows_of_older_versions_are_read() {
    for (text, expected) in [("\"host\"", Network::Host), ("\"none\"", Network::None), ("{\"own\":[]}", own(&[]))] {
        assert_eq!(serde_json::from_str::<Network>(text).expect("is a mode"), expected);
    }
}
