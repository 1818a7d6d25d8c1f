//! The rules that Docker 28 makes with `iptables-nft`, as it makes them.

use super::super::Verdict;
use super::stage::Stage;

const FILTER: &str = "*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-BRIDGE - [0:0]
:DOCKER-CT - [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER -d 172.17.0.2/32 ! -i br0 -o br0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER ! -i br0 -o br0 -j DROP
-A DOCKER ! -i br1 -o br1 -j DROP
-A DOCKER-BRIDGE -o br0 -j DOCKER
-A DOCKER-BRIDGE -o br1 -j DOCKER
-A DOCKER-CT -o br0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-CT -o br1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i br0 -j ACCEPT
-A DOCKER-FORWARD -i br1 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i br0 ! -o br0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -i br1 ! -o br1 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-2 -o br1 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -o br0 -j DROP
COMMIT
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o br0 -j MASQUERADE
-A POSTROUTING -s 172.18.0.0/16 ! -o br1 -j MASQUERADE
-A DOCKER ! -i br0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*raw
-A PREROUTING -d 172.17.0.2/32 ! -i br0 -j DROP
COMMIT
";

fn stage() -> Stage {
    let stage = Stage::new().listen("web", &[80, 443]).listen("db", &[80]);
    stage.on_host(&format!("iptables-restore <<'END'\n{FILTER}END\n"));
    stage
}

#[test]
fn a_published_port_and_what_is_not_published() {
    let stage = stage();
    stage.check("outside", "192.0.2.1", "tcp", 8080, Verdict::Works);
    stage.check("outside", "192.0.2.1", "tcp", 8081, Verdict::Refused);
    stage.check("outside", "172.17.0.2", "tcp", 80, Verdict::Dropped);
    stage.check("outside", "172.17.0.3", "tcp", 80, Verdict::Dropped);
    stage.check("host", "192.0.2.1", "tcp", 8080, Verdict::Works);
    stage.check("host", "127.0.0.1", "tcp", 8080, Verdict::Refused);
    stage.check("host", "172.17.0.2", "tcp", 443, Verdict::Works);
    // Docker leaves these to its proxy.
    stage.check("db", "192.0.2.1", "tcp", 8080, Verdict::Refused);
}

#[test]
fn isolation_between_networks_and_traffic_within_one() {
    let stage = stage();
    stage.check("db", "172.17.0.2", "tcp", 80, Verdict::Works);
    stage.check("db", "172.17.0.2", "tcp", 81, Verdict::Refused);
    stage.check("db", "172.17.0.2", "udp", 53, Verdict::Works);
    stage.check("other", "172.17.0.2", "tcp", 80, Verdict::Dropped);
    stage.check("other", "172.17.0.3", "tcp", 80, Verdict::Dropped);
    stage.check("other", "192.0.2.1", "tcp", 8080, Verdict::Dropped);
    stage.check("web", "172.17.0.99", "tcp", 80, Verdict::Unreachable);
}

#[test]
fn rules_of_a_user_in_between() {
    let stage = stage();
    stage.on_host(
        "iptables -I DOCKER-USER -p tcp --dport 443 -j REJECT --reject-with tcp-reset
         iptables -I DOCKER-USER -p tcp -m multiport --dports 70,79:81 -m comment --comment 'no, thanks' -j DROP
         iptables -I DOCKER-USER -m iprange --src-range 172.17.0.3-172.17.0.9 -p udp -j REJECT
         iptables -I DOCKER-USER -m mac --mac-source 00:11:22:33:44:55 -j DROP
         iptables -t mangle -A PREROUTING -p udp --dport 5000 -j MARK --set-xmark 0x7/0xff
         iptables -I DOCKER-USER -m mark --mark 0x7/0x7 -j DROP",
    );
    stage.check("db", "172.17.0.2", "tcp", 443, Verdict::Rejected);
    stage.check("db", "172.17.0.2", "tcp", 80, Verdict::Dropped);
    stage.check("db", "172.17.0.2", "udp", 53, Verdict::Rejected);
    // The answer to this comes from an address that is refused.
    stage.check("web", "172.17.0.3", "udp", 53, Verdict::Unanswered);
    stage.check("web", "172.17.0.3", "udp", 5000, Verdict::Dropped);
    stage.check("outside", "192.0.2.1", "tcp", 8080, Verdict::Dropped);
}

#[test]
fn answers_that_no_rule_lets_through() {
    let stage = stage().listen("outside", &[80]);
    stage.check("web", "192.0.2.2", "tcp", 80, Verdict::Works);
    stage.on_host("iptables -D DOCKER-CT -o br0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    stage.check("web", "192.0.2.2", "tcp", 80, Verdict::Unanswered);
    stage.check("db", "172.17.0.2", "tcp", 80, Verdict::Works);
}
