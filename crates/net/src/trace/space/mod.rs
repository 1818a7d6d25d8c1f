//! Network namespaces, read from the living kernel: links, addresses, routes, rules, listening sockets, settings.
//!
//! Reading changes nothing. Links are read when a namespace is first come by; rules and sockets when a packet gets to where
//! they matter. Routes are never computed here: the kernel is asked, with the packet's interface and mark, so that rules of
//! policy routing, reverse path filters and martian addresses are what they are.

/// All namespaces of this host.
mod places;
/// Sockets that wait for packets.
mod socket;

use std::cell::{OnceCell, RefCell};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;

use crate::error::Result;
use crate::link::{Detail, Link, Links, Neighbour, NeighbourState, Route, RouteKind, Way, in_namespace};
use crate::nft::{self, Ruleset};

use super::evaluate::Surroundings;
use super::packet::{Device, Flow, octets};

pub use places::{Place, Places, Role};
pub(super) use socket::Listener;

/// A network namespace.
#[derive(Debug)]
pub struct Space {
    /// What it is.
    pub place: Place,
    /// Its links.
    pub links: Vec<Link>,
    /// What those links say beyond that, in the same order.
    details: Vec<Detail>,
    neighbours: Vec<Neighbour>,
    /// What files below /proc say.
    pub settings: Settings,
    rules: OnceCell<std::result::Result<Ruleset, String>>,
    listeners: OnceCell<Vec<Listener>>,
    asking: RefCell<Links>,
}

/// What files below /proc say.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of the kernel's")]
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whether IPv4 is forwarded (`net.ipv4.ip_forward`).
    pub forwards_ipv4: bool,
    /// Whether IPv6 is forwarded (`net.ipv6.conf.all.forwarding`).
    pub forwards_ipv6: bool,
    /// Whether what bridges forward passes the hooks of IP as well (`net.bridge.bridge-nf-call-iptables`).
    pub bridges_ipv4: bool,
    /// The same of IPv6 (`net.bridge.bridge-nf-call-ip6tables`).
    pub bridges_ipv6: bool,
    /// Whether pings are not answered (`net.ipv4.icmp_echo_ignore_all`).
    pub silent_ipv4: bool,
    /// The same of IPv6 (`net.ipv6.icmp.echo_ignore_all`).
    pub silent_ipv6: bool,
    /// Tables of the older iptables that are in use (`/proc/net/ip_tables_names`).
    pub legacy_tables: Vec<String>,
}

impl Space {
    /// Reads a namespace.
    ///
    /// # Errors
    /// `System`.
    pub fn read(place: Place) -> Result<Space> {
        let (mut asking, settings) = in_namespace(place.fd(), || Ok((Links::open()?, Settings::read())))?;
        let links = asking.list()?;
        let details = asking.details(&links)?;
        let neighbours = asking.neighbours()?;
        Ok(Space {
            place,
            links,
            details,
            neighbours,
            settings,
            rules: OnceCell::new(),
            listeners: OnceCell::new(),
            asking: RefCell::new(asking),
        })
    }

    /// Its namespace.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.place.fd()
    }

    /// Its rules.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub fn rules(&self) -> std::result::Result<&Ruleset, String> {
        let read = || {
            let mut socket = in_namespace(self.fd(), nft::Socket::open)?;
            nft::dump(&mut socket)
        };
        self.rules.get_or_init(|| read().map_err(|error| error.to_string())).as_ref().map_err(Clone::clone)
    }

    /// Its sockets that wait for packets.
    pub fn listeners(&self) -> &[Listener] {
        self.listeners.get_or_init(|| socket::listeners(self.fd()))
    }

    /// The link with this number.
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// The link with this name.
    pub fn link_named(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// What a link says beyond that.
    pub fn detail(&self, index: u32) -> Detail {
        let at = self.links.iter().position(|link| link.index == index);
        at.and_then(|at| self.details.get(at)).cloned().unwrap_or_default()
    }

    /// The ports of a bridge.
    pub fn ports(&self, bridge: u32) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |link| link.master == Some(bridge))
    }

    /// A link as rules see it.
    pub fn device(&self, index: u32) -> Device {
        let detail = self.detail(index);
        let link = self.link(index);
        Device {
            index,
            name: link.map_or_else(|| format!("#{index}"), |link| link.name.clone()),
            kind: link.and_then(|link| link.kind.clone()).unwrap_or_default(),
            group: detail.group,
            hardware: detail.hardware,
        }
    }

    /// Whether an address is one of this namespace.
    pub fn has(&self, address: IpAddr) -> bool {
        self.links.iter().any(|link| link.up && link.addresses.iter().any(|own| own.ip == address))
    }

    /// What is known of a neighbour on a link, if it is of use.
    pub fn neighbour(&self, link: u32, address: IpAddr) -> Option<&Neighbour> {
        let useless =
            |state| matches!(state, NeighbourState::Failed | NeighbourState::Incomplete | NeighbourState::None);
        self.neighbours.iter().find(|known| {
            known.link == link && known.address == address && known.mac.is_some() && !useless(known.state)
        })
    }

    /// The port behind which a bridge has seen a hardware address.
    pub fn port_of(&self, bridge: u32, mac: crate::address::Mac) -> Option<u32> {
        let known = self.asking.borrow_mut().forwarding(bridge).ok()?;
        known
            .into_iter()
            .find(|entry| entry.mac == mac && entry.link != bridge && !entry.permanent)
            .map(|entry| entry.link)
    }

    /// Asks the kernel which way a packet goes.
    ///
    /// # Errors
    /// Why it goes no way: the kernel's number.
    pub fn route(&self, way: Way) -> std::result::Result<Route, Errno> {
        self.asking.borrow_mut().route(way).map_err(|error| error.errno().unwrap_or(Errno::PROTO))
    }

    /// The source that a packet of this namespace has if nobody says.
    pub fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        let route = self.route(Way::to(destination)).ok()?;
        route.source.or_else(|| (route.kind == RouteKind::Local).then_some(destination))
    }

    /// How strictly packets must come the way that answers go (`net.ipv4.conf.*.rp_filter`): 0 not, 1 strictly, 2 loosely.
    pub(in crate::trace) fn reverse_path_filter(&self, link: &str) -> u8 {
        let value = |name: &str| {
            let text = std::fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{name}/rp_filter")).unwrap_or_default();
            text.trim().parse().unwrap_or(0)
        };
        let is_name = crate::link::check_name(link).is_ok();
        in_namespace(self.fd(), || Ok(value("all").max(if is_name { value(link) } else { 0 }))).unwrap_or(0)
    }

    /// The next one on the way out.
    pub fn default_gateway(&self) -> Option<IpAddr> {
        self.route(Way::to(IpAddr::from([1, 1, 1, 1]))).ok().and_then(|route| route.gateway)
    }

    /// Whether an address is in the subnet of a link.
    pub fn is_on_link(&self, address: IpAddr) -> bool {
        let within = |own: &crate::link::InterfaceAddress| own.subnet().is_ok_and(|subnet| subnet.contains(address));
        self.links.iter().any(|link| link.addresses.iter().any(within))
    }

    /// Whether bridged packets of a family pass the hooks of IP: of all bridges of the namespace, or of this one.
    pub fn bridge_calls_ip(&self, bridge: u32, is_ipv4: bool) -> bool {
        let (all, detail) = (&self.settings, self.detail(bridge));
        if is_ipv4 { all.bridges_ipv4 || detail.calls_iptables } else { all.bridges_ipv6 || detail.calls_ip6tables }
    }

    /// The socket that takes a packet.
    pub fn listener(&self, flow: Flow, input: Option<&Device>) -> Option<&Listener> {
        let mut found: Vec<&Listener> =
            self.listeners().iter().filter(|listener| listener.takes(flow, input.map(|device| device.index))).collect();
        found.sort_by_key(|listener| listener.address.is_unspecified());
        found.first().copied()
    }
}

impl Surroundings for Space {
    fn address_type(&self, address: IpAddr, device: Option<&Device>) -> u32 {
        const UNICAST: u32 = 1;
        const LOCAL: u32 = 2;
        const BROADCAST: u32 = 3;
        const MULTICAST: u32 = 5;
        if address.is_multicast() {
            return MULTICAST;
        }
        if let IpAddr::V4(v4) = address
            && (v4.is_broadcast() || v4.octets()[0] == 0)
        {
            return BROADCAST;
        }
        let kind = self.route(Way::to(address)).map(|route| route.kind);
        let on_device = |link: &Link| {
            device.is_none_or(|device| device.index == link.index)
                && (link.addresses.iter().any(|own| own.ip == address) || link.loopback && address.is_loopback())
        };
        match kind {
            Ok(RouteKind::Local) if device.is_none() || self.links.iter().any(on_device) => LOCAL,
            Ok(RouteKind::Broadcast) => BROADCAST,
            Ok(RouteKind::Multicast) => MULTICAST,
            _ => UNICAST,
        }
    }

    fn way(&self, address: IpAddr, mark: u32) -> Option<Device> {
        let found = self.route(Way { mark, ..Way::to(address) }).ok()?;
        found.link.filter(|_| found.kind == RouteKind::Unicast).map(|link| self.device(link))
    }

    fn masquerade_address(&self, device: &Device, destination: IpAddr) -> Option<IpAddr> {
        if destination.is_ipv6() {
            let way = Way { through: Some(device.index), ..Way::to(destination) };
            return self.route(way).ok().and_then(|route| route.source);
        }
        let next = self.route(Way::to(destination)).ok().and_then(|route| route.gateway).unwrap_or(destination);
        let own = &self.link(device.index)?.addresses;
        let mut own_ipv4 = own.iter().filter(|own| own.ip.is_ipv4());
        let near = own_ipv4.clone().find(|own| own.subnet().is_ok_and(|subnet| subnet.contains(next)));
        near.or_else(|| own_ipv4.next()).map(|own| own.ip)
    }

    fn first_address(&self, device: &Device, like: IpAddr) -> Option<IpAddr> {
        let link_local = |address: IpAddr| address.is_ipv6() && octets(address).starts_with(&[0xfe, 0x80]);
        let own = &self.link(device.index)?.addresses;
        own.iter().map(|own| own.ip).find(|own| own.is_ipv4() == like.is_ipv4() && !link_local(*own))
    }
}

impl Settings {
    /// Those of the calling thread's namespace. What is not there is off.
    fn read() -> Settings {
        let is_on =
            |path: &str| std::fs::read_to_string(format!("/proc/sys/net/{path}")).is_ok_and(|text| text.trim() != "0");
        let tables = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let legacy =
            tables("/proc/thread-self/net/ip_tables_names") + &tables("/proc/thread-self/net/ip6_tables_names");
        let mut legacy_tables: Vec<String> = legacy.lines().map(str::to_owned).collect();
        legacy_tables.sort_unstable();
        legacy_tables.dedup();
        Settings {
            forwards_ipv4: is_on("ipv4/ip_forward"),
            forwards_ipv6: is_on("ipv6/conf/all/forwarding"),
            bridges_ipv4: is_on("bridge/bridge-nf-call-iptables"),
            bridges_ipv6: is_on("bridge/bridge-nf-call-ip6tables"),
            silent_ipv4: is_on("ipv4/icmp_echo_ignore_all"),
            silent_ipv6: is_on("ipv6/icmp/echo_ignore_all"),
            legacy_tables,
        }
    }
}

impl AsFd for Space {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.place.fd()
    }
}
