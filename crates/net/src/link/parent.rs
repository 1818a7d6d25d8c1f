//! Links on top of a link of the host: macvlan and ipvlan for containers, 802.1Q below them.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use super::numbers::{
    F_CREATE, F_EXCL, IFLA_ADDRESS, IFLA_IFNAME, IFLA_LINK, IFLA_LINKINFO, IFLA_MTU, IFLA_NET_NS_FD, INFO_DATA,
    INFO_KIND, IPVLAN_MODE, MACVLAN_MODE, NEWLINK, SETLINK, VLAN_ID,
};
use super::{Interface, Links, check_name, link_header, set_up, without_kind};
use crate::error::{Error, ErrorKind, Result};
use crate::netlink::{Batch, Request};
use crate::network::{IpvlanMode, MacvlanMode};

/// What the kernel calls a VLAN.
const VLAN: &str = "vlan";
/// Numbers that a VLAN may have (IEEE 802.1Q, 9.6).
const VLANS: std::ops::RangeInclusive<u16> = 1..=4094;

/// What a container gets on top of a link of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubLink {
    /// A link with a hardware address of its own.
    Macvlan(MacvlanMode),
    /// A link with the parent's hardware address.
    Ipvlan(IpvlanMode),
}

impl Links {
    /// The link of the host with this name. One such as `eth0.10` is made if it is not there: VLAN 10 of `eth0`.
    ///
    /// # Errors
    /// `NotFound` if there is no such link, nor one to make it of; `Invalid` for names and VLANs that cannot be; `System`.
    pub fn ensure_parent(&mut self, name: &str) -> Result<u32> {
        check_name(name)?;
        if let Some(index) = self.index(name)? {
            return Ok(index);
        }
        let missing = || {
            Error::new(ErrorKind::NotFound, format!("there is no link {name} on this host"))
                .with_hint("the option parent names one, such as eth0, or eth0.10 for a VLAN of it")
        };
        let (below, vlan) = name.rsplit_once('.').ok_or_else(missing)?;
        let vlan: u16 = vlan.parse().map_err(|_| missing())?;
        if !VLANS.contains(&vlan) {
            return Err(Error::invalid(format!("{name}: a VLAN has a number from 1 to 4094")));
        }
        let below = self.index(below)?.ok_or_else(missing)?;
        self.make_vlan(name, below, vlan)
    }

    /// Removes a VLAN that was made for a network. That there is none is no error, and what is none stays.
    ///
    /// # Errors
    /// `System`.
    pub fn remove_vlan(&mut self, name: &str) -> Result<()> {
        match self.find(name)? {
            Some(found) if found.link.kind.as_deref() == Some(VLAN) => self.delete(name),
            _ => Ok(()),
        }
    }

    /// Makes a VLAN of a link and brings it up. Another process may be doing the same.
    fn make_vlan(&mut self, name: &str, below: u32, number: u16) -> Result<u32> {
        let mut batch = Batch::default();
        let what = format!("making {VLAN} link {name}");
        let mut request = batch.change(NEWLINK, F_CREATE | F_EXCL, &link_header(0, 0), what);
        request.tolerate(Errno::EXIST).text(IFLA_IFNAME, name).u32(IFLA_LINK, below);
        request.nested(IFLA_LINKINFO, |info| {
            info.text(INFO_KIND, VLAN).nested(INFO_DATA, |data| {
                data.u16(VLAN_ID, number);
            });
        });
        set_up(&mut batch, 0, name, None).text(IFLA_IFNAME, name);
        self.socket.apply(batch).map_err(|error| without_kind(error, VLAN, "8021q"))?;
        let gone = || Error::new(ErrorKind::NotFound, format!("{name} was removed by others"));
        self.index(name)?.ok_or_else(gone)
    }

    /// Gives a container a link on top of one of the host, made right in its namespace, with addresses and routes.
    ///
    /// # Errors
    /// `Invalid` for names and addresses that cannot be, `Unsupported` if the kernel lacks this kind of link, `System`.
    /// Nothing is left then.
    pub fn attach_to_parent(
        &mut self,
        namespace: BorrowedFd<'_>,
        interface: &Interface<'_>,
        parent: u32,
        sub: SubLink,
    ) -> Result<()> {
        interface.check()?;
        let name = interface.name;
        match self.make_sub_link(namespace, interface, parent, sub, name) {
            // Before Linux 6.13, the kernel looks for the name among the links of the host, and only then among those of the
            // container: made as what nobody is called, the link gets its name there.
            Err(error) if error.errno() == Some(Errno::EXIST) && self.index(name)?.is_some() => {
                let passing = passing_name(interface);
                self.make_sub_link(namespace, interface, parent, sub, &passing)?;
                let renamed = rename(namespace, &passing, name);
                if renamed.is_err() {
                    // The error that is returned is the one that matters.
                    let _ = super::detach(namespace, &passing);
                }
                renamed
            }
            other => other,
        }?;
        let done = interface.configure(namespace);
        if done.is_err() {
            // The error that is returned is the one that matters.
            let _ = super::detach(namespace, name);
        }
        done
    }

    fn make_sub_link(
        &mut self,
        namespace: BorrowedFd<'_>,
        interface: &Interface<'_>,
        parent: u32,
        sub: SubLink,
        name: &str,
    ) -> Result<()> {
        let mut batch = Batch::default();
        let kind = sub.kind();
        let what = format!("making {kind} link {} in the container", interface.name);
        let mut request = batch.change(NEWLINK, F_CREATE | F_EXCL, &link_header(0, 0), what);
        request
            .text(IFLA_IFNAME, name)
            .u32(IFLA_LINK, parent)
            .bytes(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
        if sub.has_own_mac() {
            request.bytes(IFLA_ADDRESS, &interface.mac.0);
        }
        if let Some(mtu) = interface.mtu {
            request.u32(IFLA_MTU, mtu);
        }
        request.nested(IFLA_LINKINFO, |info| {
            info.text(INFO_KIND, kind).nested(INFO_DATA, |data| sub.mode(data));
        });
        self.socket.apply(batch).map_err(|error| without_kind(error, kind, kind))
    }
}

/// What a link is called until it has its name: its hardware address is nobody else's on the host.
fn passing_name(interface: &Interface<'_>) -> String {
    format!("sub{}", interface.mac.0.map(|byte| format!("{byte:02x}")).concat())
}

/// Gives a link in a namespace another name. It is down.
fn rename(namespace: BorrowedFd<'_>, from: &str, to: &str) -> Result<()> {
    let mut inside = Links::open_in(namespace)?;
    let gone = || Error::new(ErrorKind::NotFound, format!("{from} was removed by others"));
    let index = inside.index(from)?.ok_or_else(gone)?;
    let mut batch = Batch::default();
    batch
        .change(SETLINK, 0, &link_header(index, 0), format!("calling {from} {to} in the container"))
        .text(IFLA_IFNAME, to);
    inside.socket.apply(batch)
}

impl SubLink {
    fn kind(self) -> &'static str {
        match self {
            SubLink::Macvlan(_) => "macvlan",
            SubLink::Ipvlan(_) => "ipvlan",
        }
    }

    /// With passthru and ipvlan, it is the parent's; setting it would change that.
    fn has_own_mac(self) -> bool {
        matches!(self, SubLink::Macvlan(mode) if mode != MacvlanMode::Passthru)
    }

    /// `MACVLAN_MODE_*` are bits, `IPVLAN_MODE_*` are numbers.
    fn mode(self, data: &mut Request<'_>) {
        match self {
            SubLink::Macvlan(mode) => data.u32(
                MACVLAN_MODE,
                match mode {
                    MacvlanMode::Private => 1,
                    MacvlanMode::Vepa => 2,
                    MacvlanMode::Bridge => 4,
                    MacvlanMode::Passthru => 8,
                },
            ),
            SubLink::Ipvlan(mode) => data.u16(
                IPVLAN_MODE,
                match mode {
                    IpvlanMode::L2 => 0,
                    IpvlanMode::L3 => 1,
                    IpvlanMode::L3s => 2,
                },
            ),
        };
    }
}
