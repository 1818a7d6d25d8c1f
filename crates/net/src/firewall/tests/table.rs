//! The table as the kernel has it, and as `nft(8)` shows it.

use super::{endpoint, network, run};
use crate::firewall::{Firewall, compile};
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
        let mut firewall = Firewall::open("phial").expect("there is nfnetlink");
        firewall.replace(&registers).expect("it is taken");
        let shown = nft::dump_table(&mut firewall.socket, SCOPE).expect("it is there").expect("it is").to_string();
        for (ours, theirs) in shown.lines().zip(run("nft list table inet phial").lines()) {
            assert_eq!(ours, theirs, "as nft(8) shows it");
        }
        let mut found = nft::dump_table(&mut firewall.socket, SCOPE).expect("it is there").expect("it is");
        let mut expected = compile("phial", &registers);
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
