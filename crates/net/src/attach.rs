//! A container's networks while it runs: what its supervisor does for them, and gives back.
//!
//! The engine computes a [`Plan`] and has leased the addresses in it. From there on the supervisor is alone: it reserves
//! ports, makes links, tells the firewall, answers names, and does so again whenever the container starts anew. Whoever
//! finds the container after its supervisor was killed calls [`Realm::release`] in its place.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::dns::{self, Outside, Upstream};
use crate::firewall::is_translated;
use crate::lease::{Wish, lease};
use crate::link::{self, Attach, Bridge, Interface, InterfaceAddress, Links, SubLink};
use crate::network::IpvlanMode;
use crate::port::{Proxy, Reservation, Wanted};
use crate::realm::{Realm, of_registers};
use crate::{Driver, Endpoint, Error, Network, Protocol, Published, Result};

/// What a supervisor does about networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The networks of the store.
    pub realm: Realm,
    /// The container's id.
    pub container: String,
    /// Where it is, in the order of its interfaces.
    pub places: Vec<Place>,
    /// Which ports of the host lead to it.
    #[serde(default)]
    pub ports: Vec<Wanted>,
    /// Whom names are asked that are not those of containers, at [`dns::ADDRESS`].
    pub resolver: Resolver,
    /// Whether names are answered there from the beginning, and not only once it is on a network that has names.
    pub answers: bool,
}

/// A container's place on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The network.
    pub network: Network,
    /// What the container has of it.
    pub endpoint: Endpoint,
    /// What its interface is called in the container.
    pub interface: String,
    /// Whether the way out leads over it.
    pub ways_out: WaysOut,
    /// Parameters of the interface: paths below `/proc/sys/net`, in which it is called [`IFNAME`], and what is written there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sysctls: Vec<(String, String)>,
}

/// What a container that runs shall have of a further network.
///
/// Its supervisor leases the addresses: it lives as long as they are used, and who has asked may be killed at any moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joining {
    /// The network.
    pub network: Network,
    /// Which addresses and names.
    pub wish: Wish,
    /// What the interface is called; if there is one of that name, it gets the next number.
    pub interface: String,
    /// As of [`Place::sysctls`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sysctls: Vec<(String, String)>,
}

/// What stands for the name of the interface in the names of its parameters, as docker has it.
pub const IFNAME: &str = "IFNAME";

/// Which families leave a container over a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaysOut {
    /// IPv4.
    pub ipv4: bool,
    /// IPv6.
    pub ipv6: bool,
}

/// Whom a container's names are asked that are not those of containers; nobody as long as it is on internal networks only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolver {
    /// Those whom the host asks, in its name.
    OfHost(Vec<IpAddr>),
    /// Those whom the user named, in the container's name.
    Given(Vec<IpAddr>),
}

/// A container's networks, as its supervisor has them.
#[derive(Debug)]
pub struct Attached {
    plan: Plan,
    /// Its ports of the host, for nobody else.
    reservation: Reservation,
    /// Passes on what comes to them and is not translated by the kernel.
    proxy: Option<Proxy>,
    /// Of a container that runs: its network namespace, and who answers names in it.
    namespace: Option<File>,
    names: Option<dns::Server>,
}

impl Attached {
    /// Reserves the ports of a plan and notes them in the register: from here on nobody else gets them.
    ///
    /// # Errors
    /// `Conflict` for a port in use; those of the register.
    pub fn reserve(mut plan: Plan) -> Result<Attached> {
        let reservation = Reservation::take(&plan.ports)?;
        sys::fault::point("network: ports reserved");
        let proxy = match plan.publish(&reservation)? {
            Some(at) => serve(&reservation, &plan.places[at].endpoint)?,
            None => None,
        };
        Ok(Attached { plan, reservation, proxy, namespace: None, names: None })
    }

    /// Attaches a container that is about to run, whose network namespace this is.
    ///
    /// # Errors
    /// Those of links, of the firewall, and of the sockets for names.
    pub fn attach(&mut self, namespace: File) -> Result<()> {
        let mut links = Links::open()?;
        for place in &self.plan.places {
            place.attach(&mut links, namespace.as_fd())?;
            sys::fault::point("network: link made");
        }
        self.plan.tell_firewall(&self.plan.places)?;
        sys::fault::point("network: firewall told");
        if self.plan.answers {
            let (registers, outside) = (self.plan.registers_of_names(), self.plan.outside());
            self.names = Some(dns::Server::open(namespace.as_fd(), registers, outside)?);
        }
        self.namespace = Some(namespace);
        Ok(())
    }

    /// A run of the container has ended. It may start anew, with what it has leased.
    ///
    /// The kernel removes the links with the namespace. It takes its time, which attaching anew does not wait for. Where others
    /// are in the namespace as well, it stays, and the addresses with it, which are about to be somebody else's: `is_shared`
    /// has the links removed at once, which takes 20 ms. As in docker, the others have no network from then on.
    pub fn detach(&mut self, is_shared: bool) {
        self.names = None;
        let Some(namespace) = self.namespace.take().filter(|_| is_shared) else { return };
        for place in &self.plan.places {
            // Somebody in there may have removed it.
            link::detach(namespace.as_fd(), &place.interface).ok();
        }
    }

    /// The container has ended and stays so: everything is given back.
    ///
    /// # Errors
    /// As [`Realm::release`].
    pub fn release(self) -> Result<()> {
        let released = self.plan.realm.release(&self.plan.container);
        // Who gets the ports from here on finds nothing of ours in the firewall.
        drop(self.reservation);
        released
    }

    /// Attaches the running container to a further network. If it is on it already, who asked before was killed before he
    /// heard of it.
    ///
    /// # Errors
    /// As [`crate::lease::lease`] and [`Attached::attach`].
    pub fn connect(&mut self, joining: Joining) -> Result<()> {
        let Joining { network, wish, interface, sysctls } = joining;
        if self.plan.places.iter().any(|place| place.network.id == network.id) {
            return Ok(());
        }
        let registers = self.plan.realm.registers();
        // Who is dead is for the engine to know, which has looked.
        let endpoint = lease(&registers.lock()?, &network, &wish, &|_| false)?.endpoint;
        sys::fault::point("network: address leased");
        let (interface, ways_out) = (self.plan.free_interface(&interface), WaysOut::default());
        self.plan.answers |= network.names;
        let id = network.id.clone();
        self.plan.places.push(Place { network, endpoint, interface, ways_out, sysctls });
        let joined = self.join_last().and_then(|()| self.publish_anew()).and_then(|()| self.follow());
        if joined.is_err() {
            // The error that matters is why it could not be connected.
            self.disconnect(&id).ok();
        }
        joined
    }

    fn join_last(&self) -> Result<()> {
        let (Some(namespace), Some(place)) = (&self.namespace, self.plan.places.last()) else { return Ok(()) };
        place.attach(&mut Links::open()?, namespace.as_fd())?;
        sys::fault::point("network: link made");
        self.plan.tell_firewall(std::slice::from_ref(place))
    }

    /// Takes the running container off a network. If it is not on it, who asked before was killed before he heard of it.
    ///
    /// # Errors
    /// Those of links, of the firewall and of the register.
    pub fn disconnect(&mut self, network: &str) -> Result<()> {
        let Some(at) = self.plan.places.iter().position(|place| place.network.id == network) else { return Ok(()) };
        if let Some(namespace) = &self.namespace {
            link::detach(namespace.as_fd(), &self.plan.places[at].interface)?;
            sys::fault::point("network: link gone");
        }
        self.plan.realm.leave(network, &self.plan.container)?;
        self.plan.places.remove(at);
        self.publish_anew()?;
        self.follow()
    }

    /// Ports that lead nowhere, because the network that they led over was left, or there was none, lead over another one.
    fn publish_anew(&mut self) -> Result<()> {
        if self.plan.places.iter().any(|place| !place.endpoint.ports.is_empty()) {
            return Ok(());
        }
        self.plan.keep_a_way_out();
        self.proxy = None;
        let Some(at) = self.plan.publish(&self.reservation)? else { return Ok(()) };
        let place = &self.plan.places[at];
        self.proxy = serve(&self.reservation, &place.endpoint)?;
        match self.namespace {
            Some(_) => self.plan.tell_firewall(std::slice::from_ref(place)),
            None => Ok(()),
        }
    }

    /// Writes down once more where the container is: the registers were lost, or damaged.
    ///
    /// # Errors
    /// Those of the registers.
    pub fn note_anew(&self) -> Result<()> {
        let registers = self.plan.realm.registers();
        let locked = registers.lock()?;
        self.plan.places.iter().try_for_each(|place| locked.note(&place.network, &place.endpoint))
    }

    /// The names that are answered, and the ways out, follow from where the container is.
    fn follow(&mut self) -> Result<()> {
        self.plan.keep_a_way_out();
        let Some(namespace) = &self.namespace else { return Ok(()) };
        let (registers, outside) = (self.plan.registers_of_names(), self.plan.outside());
        match &mut self.names {
            Some(names) => names.change(namespace.as_fd(), registers, outside)?,
            None if self.plan.answers => {
                self.names = Some(dns::Server::open(namespace.as_fd(), registers, outside)?);
            }
            None => {}
        }
        for place in &self.plan.places {
            link::set_gateways(namespace.as_fd(), &place.interface, &place.gateways())?;
        }
        Ok(())
    }

    /// Where it is noted what the container has: who finds that can give it back.
    pub fn realm(&self) -> &Realm {
        &self.plan.realm
    }

    /// Descriptors that are readable when there is something to do ([`Attached::serve`]): of names and of ports.
    pub fn descriptors(&self) -> [Option<BorrowedFd<'_>>; 2] {
        [self.names.as_ref().map(AsFd::as_fd), self.proxy.as_ref().map(AsFd::as_fd)]
    }

    /// When there is something to do although no descriptor says so.
    pub fn deadline(&self) -> Option<Instant> {
        let names = self.names.as_ref().and_then(dns::Server::deadline);
        let proxy = self.proxy.as_ref().and_then(Proxy::deadline);
        names.into_iter().chain(proxy).min()
    }

    /// Does what there is to do.
    pub fn serve(&mut self) {
        if let Some(names) = &mut self.names {
            names.ready();
        }
        if let Some(proxy) = &mut self.proxy {
            proxy.ready();
        }
    }

    /// Does what is due.
    pub fn due(&mut self, now: Instant) {
        if let Some(names) = &mut self.names {
            names.due(now);
        }
        if let Some(proxy) = &mut self.proxy {
            proxy.due(now);
        }
    }
}

/// Serves the ports that the kernel does not lead to the container: all that comes to `::1`, and what comes by IPv6 to one
/// that has none.
fn serve(reservation: &Reservation, endpoint: &Endpoint) -> Result<Option<Proxy>> {
    let mut proxy = None;
    for published in &endpoint.ports {
        let reaches_loopback = [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let is_served = !is_translated(published, endpoint) || reaches_loopback.contains(&published.host);
        let target = endpoint.address_like(published.host).or(endpoint.ipv4.map(IpAddr::V4));
        let target = target.or(endpoint.ipv6.map(IpAddr::V6));
        let (Some(target), Some(socket)) = (target, reservation.socket(published)) else { continue };
        if !is_served || published.protocol == Protocol::Sctp {
            continue;
        }
        let proxy = match &mut proxy {
            Some(proxy) => proxy,
            none => none.insert(Proxy::new()?),
        };
        proxy.serve(socket, published.protocol, SocketAddr::new(target, published.port))?;
    }
    Ok(proxy)
}

impl Plan {
    /// Notes the ports that are reserved in the register of the network over which they lead to the container: the one of its
    /// way out. Returns the number of its place; None if there are none, or no such network.
    fn publish(&mut self, reservation: &Reservation) -> Result<Option<usize>> {
        let ports: Vec<Published> = reservation.published().cloned().collect();
        let open = |place: &Place| place.network.is_bridge() && !place.network.internal;
        let way_out = |place: &Place| open(place) && (place.ways_out.ipv4 || place.ways_out.ipv6);
        let at = self.places.iter().position(way_out).or_else(|| self.places.iter().position(open));
        let Some(at) = at.filter(|_| !ports.is_empty()) else { return Ok(None) };
        let Place { network, endpoint, .. } = &mut self.places[at];
        endpoint.ports = ports;
        let registers = self.realm.registers();
        registers.lock()?.change(&network.id, |register| {
            let own = register.endpoints.iter_mut().find(|known| known.id == endpoint.id);
            own.map(|known| known.ports.clone_from(&endpoint.ports)).is_some()
        })?;
        Ok(Some(at))
    }

    /// Tells the firewall of these places, and puts it right if somebody has changed it.
    fn tell_firewall(&self, places: &[Place]) -> Result<()> {
        let bridged = || places.iter().filter(|place| place.network.is_bridge());
        if bridged().next().is_none() {
            return Ok(());
        }
        let registers = self.realm.registers();
        let locked = registers.lock()?;
        let mut firewall = self.realm.firewall()?;
        let networks: Vec<(&Network, &[Endpoint])> = bridged().map(|place| (&place.network, &[][..])).collect();
        if !firewall.is_intact(&networks)? {
            return self.realm.replace(&mut firewall, &of_registers(&locked.registers().all()?));
        }
        for place in bridged().filter(|place| !place.endpoint.ports.is_empty()) {
            firewall.publish(&place.network, &place.endpoint)?;
        }
        Ok(())
    }

    /// The registers that have the names which are answered.
    fn registers_of_names(&self) -> Vec<PathBuf> {
        let registers = self.realm.registers();
        let named = self.places.iter().filter(|place| place.network.names);
        named.map(|place| registers.path(&place.network.id)).collect()
    }

    /// Of several networks the first one that leads out is the way out, unless one is that already.
    fn keep_a_way_out(&mut self) {
        let leads_out = |place: &&mut Place| !place.network.internal;
        if !self.places.iter().any(|place| place.ways_out.ipv4) {
            let mut leading = self.places.iter_mut().filter(leads_out);
            if let Some(first) = leading.find(|place| place.endpoint.ipv4.is_some()) {
                first.ways_out.ipv4 = true;
            }
        }
        if !self.places.iter().any(|place| place.ways_out.ipv6) {
            let mut leading = self.places.iter_mut().filter(leads_out);
            if let Some(first) = leading.find(|place| place.endpoint.ipv6.is_some()) {
                first.ways_out.ipv6 = true;
            }
        }
    }

    /// This name of an interface, or with the next number that none of them has.
    fn free_interface(&self, wanted: &str) -> String {
        let is_free = |name: &str| !self.places.iter().any(|place| place.interface == name);
        let prefix = wanted.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let numbered = (0_u32..).map(|number| format!("{prefix}{number}"));
        std::iter::once(wanted.to_owned()).chain(numbered).find(|name| is_free(name)).unwrap_or_default()
    }

    /// Who else is asked for names.
    fn outside(&self) -> Outside {
        const PORT: u16 = 53;
        let servers = |servers: &[IpAddr], from| {
            let upstream = |server: &IpAddr| Upstream { address: SocketAddr::new(*server, PORT), from };
            Outside::Servers(servers.iter().map(upstream).collect())
        };
        match &self.resolver {
            _ if self.places.iter().all(|place| place.network.internal) => Outside::Closed,
            Resolver::OfHost(hosts) => servers(hosts, dns::Place::Host),
            Resolver::Given(given) => servers(given, dns::Place::Container),
        }
    }
}

impl Place {
    /// Makes the container's interface, and what of the host it needs.
    fn attach(&self, links: &mut Links, namespace: BorrowedFd<'_>) -> Result<()> {
        let (network, endpoint) = (&self.network, &self.endpoint);
        let (addresses, gateways) = (self.addresses(), self.gateways());
        let interface = Interface {
            name: &self.interface,
            mac: endpoint.mac,
            addresses: &addresses,
            gateways: &gateways,
            mtu: network.mtu,
        };
        let sub = match network.driver {
            Driver::Bridge => {
                ensure_bridge(links, network)?;
                sys::fault::point("network: bridge there");
                let (host_link, bridge) = (endpoint.link.as_str(), network.link.as_str());
                let isolated = !network.icc;
                links.attach(&Attach { namespace, interface, host_link, bridge, isolated, hairpin: false })?;
                return self.set(namespace);
            }
            Driver::Macvlan(mode) => SubLink::Macvlan(mode),
            Driver::Ipvlan(mode) => SubLink::Ipvlan(mode),
        };
        let parent = if network.options.contains_key(PARENT) {
            links.ensure_parent(&network.link)?
        } else {
            links.ensure_inner_parent(&network.link)?
        };
        links.attach_to_parent(namespace, &interface, parent.index, sub)?;
        self.set(namespace)
    }

    /// Sets the parameters of the interface.
    fn set(&self, namespace: BorrowedFd<'_>) -> Result<()> {
        if self.sysctls.is_empty() {
            return Ok(());
        }
        link::in_namespace(namespace, || {
            self.sysctls.iter().try_for_each(|(path, value)| {
                let file = PathBuf::from("/proc/sys/net").join(path.replace(IFNAME, &self.interface));
                std::fs::write(&file, value).map_err(|error| Error::io(file.display(), &error))
            })
        })
    }

    fn addresses(&self) -> Vec<InterfaceAddress> {
        let address = |ip: Option<IpAddr>, pool: Option<&crate::Pool>| {
            Some(InterfaceAddress { ip: ip?, prefix: pool?.subnet.prefix() })
        };
        let ipv4 = address(self.endpoint.ipv4.map(IpAddr::V4), self.network.ipv4());
        let ipv6 = address(self.endpoint.ipv6.map(IpAddr::V6), self.network.ipv6());
        ipv4.into_iter().chain(ipv6).collect()
    }

    /// Where what leaves goes first.
    fn gateways(&self) -> Vec<IpAddr> {
        let routes = matches!(self.network.driver, Driver::Ipvlan(IpvlanMode::L3 | IpvlanMode::L3s));
        let gateway =
            |pool: Option<&crate::Pool>, any: IpAddr| pool.map(|pool| if routes { any } else { pool.gateway });
        let ipv4 = gateway(self.network.ipv4(), Ipv4Addr::UNSPECIFIED.into()).filter(|_| self.ways_out.ipv4);
        let ipv6 = gateway(self.network.ipv6(), Ipv6Addr::UNSPECIFIED.into()).filter(|_| self.ways_out.ipv6);
        ipv4.into_iter().chain(ipv6).collect()
    }
}

/// Docker's option that names the link below macvlan and ipvlan.
pub const PARENT: &str = "parent";

/// Sees to the bridge of a network.
pub(crate) fn ensure_bridge(links: &mut Links, network: &Network) -> Result<()> {
    let address = |pool: &crate::Pool| InterfaceAddress { ip: pool.gateway, prefix: pool.subnet.prefix() };
    let addresses: Vec<InterfaceAddress> = network.pools.iter().map(address).collect();
    let bridge = Bridge { name: &network.link, addresses: &addresses, mtu: network.mtu, mac: None };
    links.ensure_bridge(&bridge).map(drop)
}
