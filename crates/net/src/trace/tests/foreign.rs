//! Rules as firewalld and others make them with nftables: maps of verdicts, sets of intervals and concatenations, several
//! tables on one hook.

use super::super::Verdict;
use super::stage::Stage;

const ZONES: &str = r#"
table inet firewalld {
    ct helper ftp { type "ftp" protocol tcp; }
    set known {
        type ipv4_addr; flags interval
        elements = { 172.17.0.3-172.17.0.9, 10.0.0.0/8 }
    }
    chain mangle_PREROUTING {
        type filter hook prerouting priority mangle + 10
        icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
        meta nfproto ipv6 fib saddr . mark . iif oif missing drop
    }
    chain filter_INPUT {
        type filter hook input priority filter + 10
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        ct state invalid drop
        meta l4proto { icmp, ipv6-icmp } accept
        jump zones
        reject with icmpx admin-prohibited
    }
    chain filter_FORWARD {
        type filter hook forward priority filter + 10
        ct state vmap { established : accept, related : accept }
        ct status dnat accept
        ct state invalid drop
        iifname vmap { "br0" : goto first, "br1" : goto second }
        meta l4proto ipv6-icmp accept
        reject with tcp reset
    }
    chain first {
        oifname "eth0" accept
        ip saddr @known tcp dport { 80, 1000-2000 } accept
        tcp dport 443 drop
        return
    }
    chain second {
        ip daddr . tcp dport vmap { 172.17.0.2 . 80 : accept, 172.17.0.3 . 80 : drop }
    }
    chain zones {
        iifname vmap { "eth0" : goto public, "br0" : jump trusted }
    }
    chain public {
        tcp dport 80 ct state new,untracked accept
        tcp dport 22 ct helper set "ftp"
        log prefix "no: " reject with tcp reset
    }
    chain trusted {
        tcp dport != 443 accept
    }
}
"#;

#[test]
fn zones_of_firewalld() {
    let stage = Stage::new().listen("web", &[80, 443, 1500]).listen("db", &[80]).listen("host", &[22, 80, 443]);
    stage.nft(ZONES);
    stage.check("outside", "192.0.2.1", "tcp", 80, Verdict::Works);
    stage.check("outside", "192.0.2.1", "tcp", 22, Verdict::Rejected);
    stage.check("outside", "2001:db8::1", "tcp", 80, Verdict::Works);
    stage.check("outside", "172.17.0.2", "tcp", 80, Verdict::Rejected);
    stage.check("db", "192.0.2.1", "tcp", 80, Verdict::Works);
    stage.check("db", "192.0.2.1", "tcp", 443, Verdict::Rejected);
    stage.check("db", "172.17.0.2", "tcp", 1500, Verdict::Works);
    stage.check("db", "172.17.0.2", "tcp", 443, Verdict::Dropped);
    // Whoever was gone to returns to the policy, not to the rule behind.
    stage.check("web", "172.17.0.3", "tcp", 80, Verdict::Works);
    stage.check("other", "172.17.0.2", "tcp", 80, Verdict::Works);
    stage.check("other", "172.17.0.3", "tcp", 80, Verdict::Dropped);
    stage.check("host", "192.0.2.1", "tcp", 443, Verdict::Works);
}

#[test]
fn chains_of_one_priority_are_asked_last_added_first() {
    let stage = Stage::new().listen("web", &[80, 443]);
    stage.nft(
        "
        table ip first {
            chain marks { type filter hook prerouting priority -10; policy accept; meta mark set 7; }
        }
        table ip second {
            chain looks { type filter hook prerouting priority -10; policy accept; meta mark 7 tcp dport 80 drop; }
        }
        table inet third {
            chain looks { type filter hook prerouting priority -9; policy accept; meta mark 7 tcp dport 443 drop; }
        }",
    );
    stage.check("outside", "172.17.0.2", "tcp", 80, Verdict::Works);
    stage.check("outside", "172.17.0.2", "tcp", 443, Verdict::Dropped);
}

#[test]
fn to_accept_in_one_table_is_not_to_accept_in_another() {
    let stage = Stage::new().listen("web", &[80]);
    stage.nft(
        "
        table ip one {
            chain f { type filter hook forward priority 0; policy accept; tcp dport 80 accept; }
        }
        table inet two {
            chain f { type filter hook forward priority 1; policy drop; ip saddr 192.0.2.2 goto g; }
            chain g { tcp dport 80 return; }
        }",
    );
    stage.check("outside", "172.17.0.2", "tcp", 80, Verdict::Dropped);
    stage.nft("flush chain inet two f");
    stage.nft("add chain inet two f { policy accept; }");
    stage.check("outside", "172.17.0.2", "tcp", 80, Verdict::Works);
}

const NAT: &str = "
table inet nat {
    map ports {
        type inet_service : ipv4_addr . inet_service
        elements = { 8081 : 172.17.0.2 . 80, 8082 : 172.18.0.2 . 443, 8083 : 172.17.0.2 . 99 }
    }
    map decided {
        type inet_service : verdict
        elements = { 8090 : drop, 8091 : accept }
    }
    chain pre {
        type nat hook prerouting priority dstnat
        fib daddr type local tcp dport vmap @decided
        fib daddr type local dnat ip to tcp dport map @ports
        fib daddr type local tcp dport 8100 redirect to :80
        ip6 daddr 2001:db8::1 tcp dport 8081 dnat ip6 to [fd00:17::2]:80
        ip daddr 192.0.2.1 udp dport 5353 dnat ip to 172.17.0.3:53
    }
    chain out {
        type nat hook output priority -100
        fib daddr type local ip daddr != 127.0.0.0/8 dnat ip to tcp dport map @ports
        tcp dport 8100 redirect to :80
    }
    chain post {
        type nat hook postrouting priority srcnat
        ip saddr 172.16.0.0/12 ip daddr 172.16.0.0/12 masquerade
        ip6 saddr fd00::/16 oifname \"eth0\" masquerade
        oifname \"eth0\" ip saddr 172.17.0.3 snat ip to 192.0.2.1
        oifname \"eth0\" ip saddr 172.17.0.2 snat ip to 192.0.2.99
    }
}
";

#[test]
fn translation_by_maps_and_back() {
    let stage =
        Stage::new().listen("web", &[80]).listen("other", &[443]).listen("host", &[80]).listen("outside", &[80]);
    stage.nft(NAT);
    for from in ["outside", "other", "host", "db"] {
        stage.check(from, "192.0.2.1", "tcp", 8081, Verdict::Works);
        stage.check(from, "192.0.2.1", "tcp", 8083, Verdict::Refused);
        stage.check(from, "192.0.2.1", "tcp", 8100, Verdict::Works);
    }
    // Back to where it came from, which a port of a bridge does not do by itself.
    stage.check("web", "192.0.2.1", "tcp", 8081, Verdict::Dropped);
    stage.on_host("bridge link set dev web hairpin on");
    stage.check("web", "192.0.2.1", "tcp", 8081, Verdict::Works);
    stage.check("outside", "192.0.2.1", "tcp", 8082, Verdict::Works);
    stage.check("outside", "192.0.2.1", "tcp", 8090, Verdict::Dropped);
    stage.check("outside", "192.0.2.1", "tcp", 8091, Verdict::Refused);
    stage.check("outside", "192.0.2.1", "udp", 5353, Verdict::Works);
    stage.check("outside", "2001:db8::1", "tcp", 8081, Verdict::Works);
    stage.check("host", "127.0.0.1", "tcp", 8100, Verdict::Works);
    stage.check("db", "192.0.2.2", "tcp", 80, Verdict::Works);
    stage.check("db", "2001:db8::2", "tcp", 80, Verdict::Works);
    stage.check("web", "192.0.2.2", "tcp", 80, Verdict::Unanswered);
}

#[test]
fn a_port_that_is_in_the_range_stays_and_another_becomes_the_lowest() {
    let stage = Stage::new().listen("web", &[8080, 8085]).listen("outside", &[80]);
    stage.nft(
        "
        table ip t {
            chain pre {
                type nat hook prerouting priority dstnat; policy accept;
                fib daddr type local tcp dport { 80, 8083, 8085 } dnat to 172.17.0.2:8080-8090
            }
            chain post {
                type nat hook postrouting priority srcnat; policy accept;
                oifname eth0 ip saddr 172.17.0.0/16 meta l4proto tcp masquerade to :1024-65535
            }
        }",
    );
    stage.check("outside", "192.0.2.1", "tcp", 8085, Verdict::Works);
    stage.check("outside", "192.0.2.1", "tcp", 8083, Verdict::Refused);
    stage.check("outside", "192.0.2.1", "tcp", 80, Verdict::Works);
    stage.check("db", "192.0.2.2", "tcp", 80, Verdict::Works);
    // Also where `iptables` says it.
    stage.on_host(
        "nft flush ruleset; iptables-nft -t nat -A PREROUTING -d 192.0.2.1 -p tcp -j DNAT --to-destination 172.17.0.2:8084-8086",
    );
    stage.check("outside", "192.0.2.1", "tcp", 8085, Verdict::Works);
    stage.check("outside", "192.0.2.1", "tcp", 80, Verdict::Refused);
}

#[test]
fn what_is_forwarded_belongs_to_no_group_of_this_host() {
    let stage = Stage::new().listen("web", &[80]);
    stage.nft(
        "
        table ip t {
            chain f { type filter hook forward priority 0; policy accept; meta cgroup 0 drop; meta cgroup != 7 drop; }
            chain o { type filter hook output priority 0; policy accept; meta cgroup 0 drop; }
        }",
    );
    stage.check("outside", "172.17.0.2", "tcp", 80, Verdict::Works);
    stage.check("other", "172.17.0.2", "tcp", 80, Verdict::Works);
    stage.check("host", "172.17.0.2", "tcp", 80, Verdict::Dropped);
}

#[test]
fn what_is_not_tracked_is_not_translated() {
    let stage = Stage::new().listen("web", &[80, 443]);
    stage.nft(
        "
        table ip t {
            chain raw { type filter hook prerouting priority raw; policy accept; tcp dport 443 notrack; }
            chain f { type filter hook forward priority 0; policy accept; ct state untracked drop; }
            chain n { type nat hook prerouting priority dstnat; policy accept; tcp dport 8080 dnat to 172.17.0.2:80; }
        }",
    );
    stage.check("outside", "172.17.0.2", "tcp", 443, Verdict::Dropped);
    stage.check("outside", "192.0.2.1", "tcp", 8080, Verdict::Works);
    stage.check("outside", "172.17.0.2", "tcp", 80, Verdict::Works);
}
