//! macvlan, ipvlan and VLANs on links of the host.

use std::net::UdpSocket;

use rustix::io::Errno;

use super::{Host, address, ip, link, links};
use crate::address::Mac;
use crate::error::{ErrorKind, Result};
use crate::link::{Interface, SubLink, in_namespace};
use crate::network::{IpvlanMode, MacvlanMode};
use crate::testing::Namespace;

/// A host with a link that has a carrier: a port of the bridge.
fn uplink() -> (Host, Namespace) {
    let host = Host::new();
    let container = host.container(200);
    (host, container.namespace)
}

fn attach(host: &Namespace, parent: &str, number: u8, sub: SubLink) -> (Namespace, Result<()>) {
    let namespace = Namespace::new();
    let addresses = [address(&format!("10.7.0.{number}/24")), address(&format!("fd07::{number:x}/64"))];
    let interface =
        Interface { name: "eth0", mac: Mac::of(addresses[0].ip), addresses: &addresses, gateways: &[], mtu: None };
    let answer = links(host, |links| {
        let parent = links.ensure_parent(parent)?;
        links.attach_to_parent(namespace.fd(), &interface, parent, sub)
    });
    (namespace, answer)
}

#[test]
fn macvlans_of_one_parent_talk() {
    let (_outside, host) = uplink();
    let made = [2, 3].map(|number| {
        let (namespace, answer) = attach(&host, "eth0", number, SubLink::Macvlan(MacvlanMode::Bridge));
        answer.expect("it is attached");
        namespace
    });
    for addresses in [["10.7.0.2", "10.7.0.3"], ["fd07::2", "fd07::3"]] {
        let bind = |at: usize| made[at].run(|| UdpSocket::bind((addresses[at], 7)).expect("usable at once"));
        let (one, other) = (bind(0), bind(1));
        one.send_to(b"word", (addresses[1], 7)).expect("there is a way");
        let (length, from) = other.recv_from(&mut [0; 8]).expect("it arrives");
        assert_eq!((length, from.ip()), (4, ip(addresses[0])));
    }
    assert_eq!(link(&made[0], "eth0").and_then(|link| link.mac), Some(Mac::of(ip("10.7.0.2"))));
}

#[test]
fn every_mode_of_macvlan_is_the_kernels() {
    let (_outside, host) = uplink();
    let before = link(&host, "eth0").and_then(|link| link.mac);
    for mode in [MacvlanMode::Private, MacvlanMode::Vepa, MacvlanMode::Bridge, MacvlanMode::Passthru] {
        let (namespace, answer) = attach(&host, "eth0", 9, SubLink::Macvlan(mode));
        answer.expect("it is attached");
        let found = link(&namespace, "eth0").expect("it is there");
        assert_eq!((found.kind.as_deref(), found.up), (Some("macvlan"), true), "{mode:?}");
        crate::link::detach(namespace.fd(), "eth0").expect("it is detached");
    }
    assert_eq!(link(&host, "eth0").and_then(|link| link.mac), before);
}

#[test]
fn a_wrong_address_leaves_no_link() {
    let (_outside, host) = uplink();
    let namespace = Namespace::new();
    let parent = links(&host, |links| links.ensure_parent("eth0")).expect("it is there");
    let (addresses, gateways) = ([address("10.7.0.2/24")], [ip("192.0.2.1")]);
    let interface = Interface { name: "eth0", mac: Mac([2; 6]), addresses: &addresses, gateways: &gateways, mtu: None };
    let sub = SubLink::Macvlan(MacvlanMode::Bridge);
    let error = links(&host, |links| links.attach_to_parent(namespace.fd(), &interface, parent, sub));
    assert_eq!(error.expect_err("no way to the gateway").errno(), Some(Errno::NETUNREACH));
    assert_eq!(link(&namespace, "eth0"), None);
}

#[test]
fn a_name_that_host_and_container_have_is_taken() {
    let (_outside, host) = uplink();
    let namespace = Namespace::new();
    let parent = links(&host, |links| links.ensure_parent("eth0")).expect("it is there");
    let addresses = [address("10.7.0.2/24")];
    let interface = Interface { name: "eth0", mac: Mac([2; 6]), addresses: &addresses, gateways: &[], mtu: None };
    let attach = || {
        let sub = SubLink::Macvlan(MacvlanMode::Bridge);
        links(&host, |links| links.attach_to_parent(namespace.fd(), &interface, parent, sub))
    };
    attach().expect("it is the host's name, and not the container's");
    assert_eq!(attach().expect_err("it is the container's as well").errno(), Some(Errno::EXIST));
    // Nothing is left of it: `lo` and the first.
    let there = in_namespace(namespace.fd(), || crate::link::Links::open()?.list()).expect("links are listed");
    assert_eq!(there.len(), 2, "{there:?}");
}

#[test]
fn vlans_are_made_below_and_on_links_that_are_there() {
    let (_outside, host) = uplink();
    let ensure = |name: &'static str| links(&host, |links| links.ensure_parent(name));
    match ensure("eth0.10") {
        Ok(made) => {
            let found = link(&host, "eth0.10").expect("it is there");
            assert_eq!((found.kind.as_deref(), found.up, found.index), (Some("vlan"), true, made));
            assert_eq!(ensure("eth0.10").ok(), Some(made));
            for name in ["eth0", "eth0.10", "eth0.10"] {
                links(&host, |links| links.remove_vlan(name)).expect("it is removed if it is one");
            }
            assert_eq!(link(&host, "eth0.10"), None);
            assert!(link(&host, "eth0").is_some());
        }
        Err(error) => {
            assert_eq!(error.to_string(), "this kernel has no links of kind vlan");
            assert_eq!(error.kind(), ErrorKind::Unsupported);
        }
    }
    for (name, text) in [
        ("eth9.10", "there is no link eth9.10 on this host"),
        ("eth9", "there is no link eth9 on this host"),
        ("eth0.x", "there is no link eth0.x on this host"),
        ("eth0.4095", "eth0.4095: a VLAN has a number from 1 to 4094"),
        ("eth0.0", "eth0.0: a VLAN has a number from 1 to 4094"),
    ] {
        assert_eq!(ensure(name).expect_err("it is wrong").to_string(), text);
    }
}

#[test]
fn what_the_kernel_lacks_is_said() {
    let (_outside, host) = uplink();
    for mode in [IpvlanMode::L2, IpvlanMode::L3, IpvlanMode::L3s] {
        let (namespace, answer) = attach(&host, "eth0", 2, SubLink::Ipvlan(mode));
        let Err(error) = answer else {
            assert_eq!(link(&namespace, "eth0").and_then(|link| link.kind).as_deref(), Some("ipvlan"));
            continue;
        };
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.to_string(), "this kernel has no links of kind ipvlan");
        assert_eq!(error.hint(), Some("`modprobe ipvlan` loads it where it is a module"));
    }
    let error = in_namespace(host.fd(), || crate::link::Links::open()?.ensure_parent("no/name"));
    assert_eq!(error.expect_err("it is no name").kind(), ErrorKind::Invalid);
}
