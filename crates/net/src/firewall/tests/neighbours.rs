//! Chains of others, made by `iptables-nft` as Docker does.

use super::run;
use super::world::{Outcome, Server, Way, World, address, from};
use crate::testing::Namespace;
use crate::{Endpoint, Network};

const ADMITTED: [&str; 2] = ["-i phial0", "-o phial0"];

struct Neighbours {
    world: World,
    container: Namespace,
    outside: Server,
}

impl Neighbours {
    fn new(way: Way) -> Neighbours {
        let world = World::new(way);
        let container = world.container(0, &["172.17.0.2/16", "fd00:1::2/64"]);
        let outside = Server::new(&world.outside, "0.0.0.0:80");
        Neighbours { world, container, outside }
    }

    fn registers(&self) -> Vec<(&Network, &[Endpoint])> {
        self.world.networks.iter().map(|network| (network, &[][..])).collect()
    }

    fn replace(&self) {
        self.world.firewall(|firewall| firewall.replace(&self.registers())).expect("it is taken");
    }

    fn is_intact(&self) -> bool {
        self.world.firewall(|firewall| firewall.is_intact(&self.registers())).expect("it answers")
    }

    fn listed(&self) -> String {
        self.world.host.run(|| run("iptables-nft -S FORWARD"))
    }

    fn count(&self) -> usize {
        self.listed().lines().filter(|line| ADMITTED.iter().any(|name| line.contains(name))).count()
    }
}

#[test]
fn packets_pass_a_chain_that_drops() {
    let here = Neighbours::new(Way::Nftables);
    here.replace();
    here.world.host.run(|| run("iptables-nft -P FORWARD DROP"));
    assert_eq!(here.outside.missed(&here.container, "192.0.2.9:80"), Outcome::Silence);
    assert!(!here.is_intact());
    here.replace();
    assert!(here.is_intact());
    assert_eq!(here.outside.reached(&here.container, "192.0.2.9:80"), from("192.0.2.1"));
    here.replace();
    assert_eq!(here.count(), 2, "once each:\n{}", here.listed());
    let saved = here.world.host.run(|| run("iptables-nft-save"));
    assert!(saved.contains("-A FORWARD -i phial0") && saved.contains("-A FORWARD -o phial0"), "{saved}");
    here.world.host.run(|| run("iptables-nft -D FORWARD 1"));
    assert!(!here.is_intact());
    here.replace();
    here.world.firewall(|firewall| firewall.remove_network(&here.world.networks[0])).expect("it is taken");
    assert_eq!(here.count(), 0, "{}", here.listed());
    assert!(here.listed().contains("-i br-other"), "{}", here.listed());
}

#[test]
fn what_our_chain_drops_stays_dropped() {
    let here = Neighbours::new(Way::Nftables);
    here.world.host.run(|| run("iptables-nft -P FORWARD DROP"));
    here.replace();
    let inside = Server::new(&here.container, "0.0.0.0:80");
    assert_eq!(inside.missed(&here.world.outside, "172.17.0.2:80"), Outcome::Silence);
}

#[test]
fn packets_pass_before_a_rule_that_drops_the_rest() {
    let here = Neighbours::new(Way::Nftables);
    here.world.host.run(|| run("iptables-nft -A FORWARD -j REJECT --reject-with icmp-host-prohibited"));
    here.replace();
    assert_eq!(here.outside.reached(&here.container, "192.0.2.9:80"), from("192.0.2.1"));
    assert!(here.listed().trim_end().ends_with("-j REJECT --reject-with icmp-host-prohibited"), "{}", here.listed());
}

#[test]
fn a_chain_that_does_not_drop_is_left_alone() {
    let here = Neighbours::new(Way::Nftables);
    here.world.host.run(|| run("iptables-nft -A FORWARD -s 198.51.100.1 -j DROP"));
    here.replace();
    assert_eq!(here.count(), 0, "{}", here.listed());
    assert!(here.is_intact());
    let other = Neighbours::new(Way::Nftables);
    other.replace();
    let tables = other.world.host.run(|| run("nft list tables"));
    assert_eq!(tables, "table inet phial\n", "no table of others is made");
}

/// With chains of `iptables`, what passes is said there once for all, and does not depend on what others say later.
#[test]
fn packets_pass_a_chain_that_drops_by_iptables_as_well() {
    for (way, program) in [(Way::Iptables, "iptables-nft"), (Way::Legacy, "iptables-legacy")] {
        let here = Neighbours::new(way);
        here.replace();
        here.world.host.run(|| run(&format!("{program} -P FORWARD DROP")));
        assert!(here.is_intact());
        assert_eq!(here.outside.reached(&here.container, "192.0.2.9:80"), from("192.0.2.1"), "{way:?}");
        here.world.host.run(|| run(&format!("{program} -A FORWARD -j REJECT")));
        here.replace();
        assert_eq!(here.outside.reached(&here.container, "192.0.2.9:80"), from("192.0.2.1"), "{way:?}");
        let inside = Server::new(&here.container, "0.0.0.0:80");
        assert_eq!(inside.missed(&here.world.outside, "172.17.0.2:80"), Outcome::Silence, "{way:?}");
        here.world.firewall(|firewall| firewall.remove(&[])).expect("it is taken");
        let saved = here.world.host.run(|| run(&format!("{program}-save")));
        assert!(!saved.contains("PHIAL"), "{way:?}: {saved}");
    }
}

#[test]
fn containers_of_another_engine_are_reached_where_they_are_published() {
    for way in [Way::Nftables, Way::Iptables, Way::Legacy] {
        let here = Neighbours::new(way);
        here.replace();
        for (number, bridge) in (30..).zip(["docker0", "br-0123456789ab"]) {
            let at = |last: u8| format!("10.{number}.0.{last}");
            here.world.bridge(bridge, &[address(&format!("{}/24", at(1)))]);
            let other = Namespace::new();
            here.world.attach(&other, bridge, &[&format!("{}/24", at(2))], &[&at(1)]);
            let (server, ours) = (Server::new(&other, "0.0.0.0:80"), Server::new(&here.container, "0.0.0.0:80"));
            assert_eq!(here.is_intact(), bridge == "docker0", "{way:?}: {bridge} is known before it is there");
            here.replace();
            let to = format!("{}:80", at(2));
            assert_eq!(server.missed(&here.container, &to), Outcome::Silence, "{way:?} {bridge}");
            assert_eq!(ours.missed(&other, "172.17.0.2:80"), Outcome::Silence, "{way:?} {bridge}");
            let program = if way == Way::Legacy { "iptables-legacy" } else { "iptables-nft" };
            let publish = format!("-t nat -A PREROUTING -p tcp --dport 90{number} -j DNAT --to-destination {to}");
            here.world.host.run(|| run(&format!("{program} {publish}")));
            let published = format!("192.0.2.1:90{number}");
            assert_eq!(server.reached(&here.container, &published), from(&at(1)), "{way:?} {bridge}");
        }
    }
}
