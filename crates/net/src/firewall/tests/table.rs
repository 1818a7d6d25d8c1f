//! The table as the kernel has it, and as `nft(8)` shows it.

use super::{endpoint, network, run};
use crate::firewall::nftables::Nftables;
use crate::firewall::{compile, others};
use crate::nft::{self, Family};
use crate::testing::Namespace;
use crate::{Endpoint, Network};

const SCOPE: nft::Scope<'static> = nft::Scope { family: Family::Inet, table: "phial" };

#[test]
fn the_table_is_taken_and_shown() {
    let mut default = network("bridge", "phial0", &["172.17.0.0/16", "fd00:1::/64"]);
    default.icc = false;
    let mut internal = network("inside", "br-0123456789ab", &["10.9.0.0/20"]);
    internal.internal = true;
    let all = [
        endpoint("web", &["172.17.0.2"], &[("0.0.0.0", 8080, 80), ("127.0.0.1", 8081, 81)]),
        endpoint("six", &["fd00:1::2"], &[("::", 8080, 80), ("fd00::9", 8081, 81)]),
    ];
    let registers: [(&Network, &[Endpoint]); 2] = [(&internal, &[]), (&default, &all)];
    Namespace::new().run(|| {
        let mut firewall = Nftables::open("phial").expect("there is nfnetlink");
        firewall.replace(&registers).expect("it is taken");
        let shown = nft::dump_table(&mut firewall.socket, SCOPE).expect("it is there").expect("it is").to_string();
        let theirs = run("nft list table inet phial");
        assert_eq!(shown.lines().collect::<Vec<_>>(), theirs.lines().collect::<Vec<_>>(), "as nft(8) shows it");
        let mut found = nft::dump_table(&mut firewall.socket, SCOPE).expect("it is there").expect("it is");
        let mut expected = compile("phial", &registers);
        let others = others::elements(&others::bridges().expect("links are listed"));
        expected.sets.iter_mut().filter(|set| set.name == others::MAP).for_each(|set| set.elements.clone_from(&others));
        for table in [&mut found, &mut expected] {
            table.sets.sort_by(|one, other| one.name.cmp(&other.name));
            for set in &mut table.sets {
                set.elements.sort_by(|one, other| one.key.cmp(&other.key));
            }
            for rule in table.chains.iter_mut().flat_map(|chain| &mut chain.rules) {
                rule.handle = None;
            }
        }
        assert_eq!(found, expected);
        assert!(firewall.is_intact(&registers).expect("it answers"));
    });
}

/// As many containers, each with a port everywhere and one on loopback.
fn many(count: u16) -> Vec<Endpoint> {
    let container = |number: u16| {
        let (high, low) = (number >> 8, number & 0xff);
        let (four, six) = (format!("172.17.{high}.{low}"), format!("fd00:1::{number:x}"));
        let ports = [("0.0.0.0", number, 80), ("::", number, 80), ("127.0.0.1", number + 30_000, 81)];
        endpoint(&format!("container-{number}"), &[&four, &six], &ports)
    };
    (2..count + 2).map(container).collect()
}

#[test]
fn thousands_of_ports_are_one_transaction() {
    let default = network("bridge", "phial0", &["172.17.0.0/16", "fd00:1::/64"]);
    let endpoints = many(10_000);
    let registers: [(&Network, &[Endpoint]); 1] = [(&default, &endpoints)];
    Namespace::new().run(|| {
        let mut firewall = Nftables::open("phial").expect("there is nfnetlink");
        firewall.replace(&registers).expect("it is taken");
        assert!(firewall.is_intact(&registers).expect("it answers"));
        run("nft delete element inet phial published-everywhere-ip { tcp . 9999 }");
        assert!(!firewall.is_intact(&registers).expect("it answers"));
    });
}

/// `cargo test --release -p net -- --ignored --nocapture how_long`
#[test]
#[ignore = "a measurement"]
#[expect(clippy::print_stderr, reason = "it is there to be read")]
fn how_long_it_takes() {
    let networks: Vec<Network> =
        (0..30).map(|number| network(&format!("n{number}"), &format!("br{number}"), &["10.0.0.0/16"])).collect();
    let default = network("bridge", "phial0", &["172.17.0.0/16", "fd00:1::/64"]);
    let endpoints = many(500);
    let mut registers: Vec<(&Network, &[Endpoint])> = networks.iter().map(|network| (network, &[][..])).collect();
    registers.push((&default, &endpoints));
    let added = endpoint("added", &["172.17.99.2", "fd00:1::9:2"], &[("0.0.0.0", 65_000, 80), ("::", 65_000, 80)]);
    let at_hand = [(&default, &endpoints[..1])];
    Namespace::new().run(|| {
        let mut firewall = Nftables::open("phial").expect("there is nfnetlink");
        let mut measure = |what: &str, work: &mut dyn FnMut(&mut Nftables)| {
            let mut times = [std::time::Duration::ZERO; 21];
            for time in &mut times {
                let start = std::time::Instant::now();
                work(&mut firewall);
                *time = start.elapsed();
            }
            times.sort();
            eprintln!("{what}: {:?}, at best {:?}", times[10], times[0]);
        };
        measure("replace, 31 networks, 500 containers, 1500 ports", &mut |firewall| {
            firewall.replace(&registers).expect("it is taken");
        });
        measure("is_intact, of all", &mut |firewall| assert!(firewall.is_intact(&registers).expect("it answers")));
        measure("is_intact, of one", &mut |firewall| assert!(firewall.is_intact(&at_hand).expect("it answers")));
        measure("publish and unpublish two ports", &mut |firewall| {
            firewall.publish(&default, &added).expect("it is taken");
            firewall.unpublish(&default, &added).expect("it is taken");
        });
        measure("open", &mut |_| drop(Nftables::open("phial").expect("there is nfnetlink")));
    });
    Namespace::new().run(|| {
        let mut firewall = Nftables::open("phial").expect("there is nfnetlink");
        firewall.replace(&at_hand).expect("it is taken");
        let start = std::time::Instant::now();
        assert!(firewall.is_intact(&at_hand).expect("it answers"));
        eprintln!("is_intact, of one that is alone: {:?}", start.elapsed());
        let start = std::time::Instant::now();
        firewall.publish(&default, &added).expect("it is taken");
        eprintln!("publish, once: {:?}", start.elapsed());
    });
}
