//! Containers attached to bridges, by a pair of virtual Ethernet devices (`veth(4)`).

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use super::bridge::is_bridge;
use super::list::{ask_for, read_link};
use super::numbers::{
    ADDR_GEN_MODE_NONE, AF_INET6, BRPORT_HAIRPIN, BRPORT_ISOLATED, F_CREATE, F_EXCL, IFF_UP, IFLA_ADDRESS,
    IFLA_AF_SPEC, IFLA_IFNAME, IFLA_LINKINFO, IFLA_MASTER, IFLA_MTU, IFLA_NET_NS_FD, IFLA_NUM_RX_QUEUES,
    IFLA_NUM_TX_QUEUES, INET6_ADDR_GEN_MODE, INFO_DATA, INFO_KIND, INFO_SLAVE_DATA, INFO_SLAVE_KIND, NEWLINK, SETLINK,
    VETH_INFO_PEER,
};
use super::{Interface, Links, check_name, link_header, without_kind};
use crate::error::{Error, ErrorKind, Result};
use crate::netlink::{Batch, Request};

/// What the kernel calls an end of a pair.
const KIND: &str = "veth";

/// How a container is attached to a bridge.
#[derive(Debug, Clone, Copy)]
pub struct Attach<'a> {
    /// The container's network namespace.
    pub namespace: BorrowedFd<'a>,
    /// The container's end.
    pub interface: Interface<'a>,
    /// The bridge.
    pub bridge: &'a str,
    /// The host's end. Its name is the attachment's own, and whatever pair has it is replaced.
    pub port: Port<'a>,
}

/// The host's end, a port of a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether the bridge passes nothing from this port to others that are isolated as well.
    pub isolated: bool,
    /// Whether the bridge passes on what came from this port to this port.
    pub hairpin: bool,
}

impl Links {
    /// Attaches a container to a bridge: when this returns, it can talk. Returns the number of the host's end.
    ///
    /// # Errors
    /// `Invalid` for names and addresses that cannot be, `NotFound` without the bridge, `System`. Nothing is left then.
    pub fn attach(&mut self, attach: &Attach<'_>) -> Result<u32> {
        check_name(attach.port.name)?;
        attach.interface.check()?;
        let bridge = self.index(attach.bridge)?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no bridge {} on this host", attach.bridge))
        })?;
        match self.socket.apply(attach.pair(bridge)) {
            // The name is that of an earlier run of the same container, whose namespace the kernel has not cleared away yet.
            Err(error) if error.errno() == Some(Errno::EXIST) && self.is_pair(attach.port.name)? => {
                self.delete(attach.port.name)?;
                self.socket.apply(attach.pair(bridge))
            }
            // Either the kernel has no pairs, or this is not a bridge.
            Err(error) if error.errno() == Some(Errno::OPNOTSUPP) => {
                self.find(attach.bridge)?.map_or(Ok(()), |found| is_bridge(&found))?;
                Err(without_kind(error, KIND, KIND))
            }
            other => other,
        }?;
        let done = self
            .socket
            .apply(attach.port.settings(Batch::default()))
            .and_then(|()| attach.interface.configure(attach.namespace))
            .and_then(|()| self.settle(attach));
        if done.is_err() {
            // The error that is returned is the one that matters.
            let _ = self.delete(attach.port.name);
        }
        done
    }

    /// Makes links of the host ports of a bridge that are there and are not: others have removed the bridge that was there before.
    /// Those that are gone are left alone.
    ///
    /// # Errors
    /// `System`.
    pub fn rejoin(&mut self, bridge: u32, ports: &[Port<'_>]) -> Result<()> {
        let found = self.found()?;
        for port in ports {
            if let Some(link) = found.iter().map(|found| &found.link).find(|link| link.name == port.name)
                && link.master != Some(bridge)
            {
                let mut batch = Batch::default();
                let what = format!("making {} a port of its bridge again", port.name);
                batch.change(SETLINK, 0, &link_header(link.index, 0), what).u32(IFLA_MASTER, bridge);
                self.socket.apply(port.settings(batch))?;
            }
        }
        Ok(())
    }

    fn is_pair(&mut self, name: &str) -> Result<bool> {
        Ok(self.find(name)?.is_some_and(|found| found.link.kind.as_deref() == Some(KIND)))
    }

    /// Has the host's end ready and the bridge, and returns the number of the former.
    ///
    /// It was up before the other one was, and so had no carrier, nor has a bridge whose first port it is. That there is one now
    /// the kernel notices some time later, in a thread of its own, and drops what is sent until then; asking for a link makes
    /// it notice (Linux 6.9), and it notices the one of the bridge after that of its port.
    fn settle(&mut self, attach: &Attach<'_>) -> Result<u32> {
        let name = attach.port.name;
        let mut batch = Batch::default();
        ask_for(&mut batch, name).tolerate(Errno::NODEV);
        ask_for(&mut batch, attach.bridge).tolerate(Errno::NODEV);
        let mut found = None;
        self.socket.exchange(batch, |step, answer| {
            if step == 0 {
                found = read_link(answer);
            }
        })?;
        let gone = || Error::new(ErrorKind::NotFound, format!("{name} was removed by others"));
        found.map(|found| found.link.index).ok_or_else(gone)
    }
}

impl Attach<'_> {
    /// Makes the pair, the host's end a port of the bridge, the container's end where it belongs, both down. It is sent
    /// alone: requests behind it would be carried out even if the name is somebody else's.
    fn pair(&self, bridge: u32) -> Batch {
        let name = self.port.name;
        let mut batch = Batch::default();
        let what = format!("making {name} and {} in the container", self.interface.name);
        let mut request = batch.change(NEWLINK, F_CREATE | F_EXCL, &link_header(0, 0), what);
        one_queue(request.text(IFLA_IFNAME, name).u32(IFLA_MASTER, bridge));
        if let Some(mtu) = self.interface.mtu {
            request.u32(IFLA_MTU, mtu);
        }
        request.nested(IFLA_LINKINFO, |info| {
            info.text(INFO_KIND, KIND);
            info.nested(INFO_DATA, |data| {
                data.nested(VETH_INFO_PEER, |peer| self.peer(peer));
            });
        });
        batch
    }

    /// The container's end.
    fn peer(&self, peer: &mut Request<'_>) {
        peer.header(&link_header(0, 0));
        one_queue(peer.text(IFLA_IFNAME, self.interface.name).bytes(IFLA_ADDRESS, &self.interface.mac.0));
        if let Some(mtu) = self.interface.mtu {
            peer.u32(IFLA_MTU, mtu);
        }
        peer.bytes(IFLA_NET_NS_FD, &self.namespace.as_raw_fd().to_ne_bytes());
    }
}

impl Port<'_> {
    /// What the kernel takes only once the link is there, and that it is up only then: settings of the port, and that the
    /// host has no address on it.
    fn settings(&self, mut batch: Batch) -> Batch {
        let name = self.name;
        let mut request = batch.change(NEWLINK, 0, &link_header(0, 0), format!("settings of {name}"));
        request.text(IFLA_IFNAME, name);
        if self.isolated || self.hairpin {
            request.nested(IFLA_LINKINFO, |info| {
                info.text(INFO_SLAVE_KIND, "bridge");
                info.nested(INFO_SLAVE_DATA, |data| {
                    data.u8(BRPORT_ISOLATED, self.isolated.into()).u8(BRPORT_HAIRPIN, self.hairpin.into());
                });
            });
        }
        request.nested(IFLA_AF_SPEC, |families| {
            families.nested(AF_INET6.into(), |ipv6| {
                ipv6.u8(INET6_ADDR_GEN_MODE, ADDR_GEN_MODE_NONE);
            });
        });
        batch.change(SETLINK, 0, &link_header(0, IFF_UP), format!("bringing {name} up")).text(IFLA_IFNAME, name);
        batch
    }
}

/// One queue each way, as pairs had before Linux 5.15. It is one for each processor otherwise, each with directories and files
/// in /sys: on two processors, a fifth of the time that an attachment takes. Packets wait in none of them, and as many pass
/// (two streams of TCP, two processors: 15 Gbit/s either way).
fn one_queue(request: &mut Request<'_>) {
    request.u32(IFLA_NUM_TX_QUEUES, 1).u32(IFLA_NUM_RX_QUEUES, 1);
}
