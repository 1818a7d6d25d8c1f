//! Links, bridges, routes and settings, without rules or with few.

use super::super::Verdict;
use super::stage::{Stage, sh};

#[test]
fn settings_that_drop() {
    let stage = Stage::new().listen("web", &[80]);
    stage.check("outside", "172.17.0.2", "tcp", 80, Verdict::Works);
    stage.check("outside", "fd00:17::2", "tcp", 80, Verdict::Works);
    stage.on_host("echo 0 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding");
    stage.check("outside", "172.17.0.2", "tcp", 80, Verdict::Dropped);
    stage.check("outside", "fd00:17::2", "tcp", 80, Verdict::Dropped);
    stage.check("db", "172.17.0.2", "tcp", 80, Verdict::Works);
}

#[test]
fn ports_of_a_bridge() {
    let stage = Stage::new().listen("web", &[80]);
    stage.on_host("bridge link set dev web isolated on");
    stage.check("db", "172.17.0.2", "tcp", 80, Verdict::Works);
    stage.on_host("bridge link set dev db isolated on");
    stage.check("db", "172.17.0.2", "tcp", 80, Verdict::Dropped);
    stage.check("host", "172.17.0.2", "tcp", 80, Verdict::Works);
    stage.on_host("bridge link set dev db isolated off; ip link set web down");
    stage.check("db", "172.17.0.2", "tcp", 80, Verdict::Dropped);
}

#[test]
fn rules_of_bridges_and_of_devices() {
    let stage = Stage::new().listen("web", &[80, 81, 82, 83]);
    stage.nft(
        r#"
        table bridge b {
            chain f {
                type filter hook forward priority 0; policy accept
                iifname "db" tcp dport 80 drop
            }
        }
        table netdev d {
            chain i { type filter hook ingress device "db" priority 0; policy accept; tcp dport 81 drop; }
        }
        table ip i {
            chain f { type filter hook forward priority 0; policy accept; iifname "br0" oifname "br0" tcp dport 82 drop; }
        }"#,
    );
    stage.check("db", "172.17.0.2", "tcp", 80, Verdict::Dropped);
    stage.check("db", "172.17.0.2", "tcp", 81, Verdict::Dropped);
    stage.check("db", "172.17.0.2", "tcp", 83, Verdict::Works);
    stage.on_host("echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables");
    stage.check("db", "172.17.0.2", "tcp", 82, Verdict::Dropped);
    stage.on_host("echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables");
    stage.check("db", "172.17.0.2", "tcp", 82, Verdict::Works);
}

#[test]
fn routes_that_marks_choose() {
    let stage = Stage::new().listen("web", &[80, 443]);
    stage.nft(
        "
        table ip m {
            chain p { type filter hook prerouting priority mangle; policy accept; tcp dport 443 meta mark set 9; }
            chain o { type route hook output priority mangle; policy accept; tcp dport 443 meta mark set 9; }
        }",
    );
    stage.on_host("ip rule add fwmark 9 lookup 99; ip route add blackhole default table 99");
    stage.check("outside", "172.17.0.2", "tcp", 80, Verdict::Works);
    stage.check("outside", "172.17.0.2", "tcp", 443, Verdict::Dropped);
    stage.check("host", "172.17.0.2", "tcp", 80, Verdict::Works);
}

#[test]
fn no_way_out_and_no_way_back() {
    let stage = Stage::new().listen("web", &[80]).listen("outside", &[80]);
    sh(&stage.other, "ip route del default");
    stage.check("other", "192.0.2.2", "tcp", 80, Verdict::Unreachable);
    stage.check("other", "172.17.0.2", "tcp", 80, Verdict::Unreachable);
    sh(&stage.web, "ip route del default");
    stage.check("outside", "172.17.0.2", "tcp", 80, Verdict::Unanswered);
    stage.check("db", "172.17.0.2", "tcp", 80, Verdict::Works);
}

#[test]
fn reverse_paths() {
    let stage = Stage::new().listen("web", &[80]);
    stage.check("outside", "172.17.0.2", "tcp", 80, Verdict::Works);
    stage.on_host("echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter; ip route add 192.0.2.2/32 dev br1");
    stage.check("outside", "172.17.0.2", "tcp", 80, Verdict::Dropped);
}

#[test]
fn rules_in_a_container() {
    let stage = Stage::new().listen("web", &[80, 443]);
    sh(
        &stage.web,
        "nft add table ip own; nft 'add chain ip own in { type filter hook input priority 0; }'
         nft add rule ip own in tcp dport 443 drop",
    );
    stage.check("db", "172.17.0.2", "tcp", 80, Verdict::Works);
    stage.check("db", "172.17.0.2", "tcp", 443, Verdict::Dropped);
}
