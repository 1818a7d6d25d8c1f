//! A container's networks while it runs: what its supervisor does for them, and gives back.
//!
//! The engine computes a [`Plan`] and has leased the addresses in it. From there on the supervisor is alone: it reserves
//! ports, makes links, tells the firewall, answers names, and does so again whenever the container starts anew. Whoever
//! finds the container after its supervisor was killed calls [`Realm::collect`] in its place.

mod place;
mod plan;

use std::fs::File;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

pub use self::place::{IFNAME, Joining, Place};
pub(crate) use self::place::{ensure_bridge, port};
pub use self::plan::{Plan, Resolver};
use crate::dns;
use crate::firewall::{Firewall, is_translated};
use crate::lease::Wish;
use crate::link::{self, Links};
use crate::port::{Proxy, Reservation};
use crate::realm::Realm;
use crate::{Endpoint, Error, ErrorKind, Network, Protocol, Result};

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
    /// Open to the end of the process, once rules were deleted: its closing waits until the kernel has freed them, which takes
    /// it 6 ms (`nft_rcv_nl_event`, Linux 6.18).
    firewall: Option<Firewall>,
}

impl Attached {
    /// Reserves the ports of a plan and notes them in the register: from here on nobody else gets them.
    ///
    /// # Errors
    /// `Conflict` for a port in use; those of the register.
    pub fn reserve(mut plan: Plan) -> Result<Attached> {
        let reservation = plan.reserve()?;
        sys::fault::point("network: ports reserved");
        let proxy = match plan.publish(&reservation)? {
            Some(at) => serve(&reservation, &plan.places[at].endpoint)?,
            None => None,
        };
        Ok(Attached { plan, reservation, proxy, namespace: None, names: None, firewall: None })
    }

    /// Attaches a container that is about to run, whose network namespace this is.
    ///
    /// # Errors
    /// Those of links, of the firewall, and of the sockets for names.
    pub fn attach(&mut self, namespace: File) -> Result<()> {
        let mut links = Links::open()?;
        for (place, ways_out) in self.plan.ways() {
            place.attach(&mut links, namespace.as_fd(), ways_out, self.plan.publishes())?;
            sys::fault::point("network: link made");
        }
        self.plan.tell_firewall(&self.plan.places)?;
        sys::fault::point("network: firewall told");
        if self.plan.answers() {
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
            place.detach(namespace.as_fd()).ok();
        }
    }

    /// The container has ended and stays so: everything is given back.
    ///
    /// # Errors
    /// As [`Realm::release`].
    pub fn release(&mut self) -> Result<()> {
        (self.names, self.proxy, self.namespace) = (None, None, None);
        let networks: Vec<String> = self.plan.places.drain(..).map(|place| place.network.id).collect();
        let released = self.plan.realm.release_from(&networks, &self.plan.container, &mut self.firewall);
        // Who gets the ports from here on finds nothing of ours in the firewall.
        self.reservation = Reservation::default();
        released
    }

    /// Attaches the running container to a further network. If it is on it already, who asked before was killed before he
    /// heard of it.
    ///
    /// # Errors
    /// `NotFound` when the network is gone; as [`Realm::lease`] and [`Attached::attach`].
    pub fn connect(&mut self, joining: Joining) -> Result<()> {
        let Joining { network, wish, interface, priority, sysctls } = joining;
        if self.plan.places.iter().any(|place| place.network.id == network.id) {
            return Ok(());
        }
        let endpoint = self.lease(&network, &wish)?;
        sys::fault::point("network: address leased");
        let interface = self.plan.free_interface(&interface);
        let id = network.id.clone();
        self.plan.places.push(Place { network, endpoint, interface, priority, sysctls });
        let joined = self.join_last().and_then(|()| self.publish_anew()).and_then(|()| self.follow());
        if joined.is_err() {
            // The error that matters is why it could not be connected.
            self.disconnect(&id).ok();
        }
        joined
    }

    fn lease(&self, network: &Network, wish: &Wish) -> Result<Endpoint> {
        let registers = self.plan.realm.registers();
        let locked = registers.lock()?;
        // Who asked has seen to the register with the row in view. Whoever removes the network removes both.
        if registers.read(&network.id)?.is_none() {
            let message = format!("network {} has been removed", network.name);
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        // Who is dead is for the engine to know, which has looked.
        self.plan.realm.lease(&locked, network, wish, &|_| false)
    }

    fn join_last(&self) -> Result<()> {
        let (Some(namespace), Some((place, ways_out))) = (&self.namespace, self.plan.ways().last()) else {
            return Ok(());
        };
        place.attach(&mut Links::open()?, namespace.as_fd(), ways_out, self.plan.publishes())?;
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
            self.plan.places[at].detach(namespace.as_fd())?;
            sys::fault::point("network: link gone");
        }
        self.plan.realm.release_from(&[network.to_owned()], &self.plan.container, &mut self.firewall)?;
        self.plan.places.remove(at);
        self.publish_anew()?;
        self.follow()
    }

    /// Ports that lead nowhere, because the network that they led over was left, or there was none, lead over another one. As
    /// long as there is none, others may have them.
    fn publish_anew(&mut self) -> Result<()> {
        if self.plan.places.iter().any(|place| !place.endpoint.ports.is_empty()) {
            return Ok(());
        }
        self.proxy = None;
        if self.reservation.is_empty() || self.plan.publishing().is_none() {
            self.reservation = self.plan.reserve()?;
        }
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
        let Some(namespace) = &self.namespace else { return Ok(()) };
        let (registers, outside) = (self.plan.registers_of_names(), self.plan.outside());
        match &mut self.names {
            Some(names) => names.change(namespace.as_fd(), registers, outside)?,
            None if self.plan.answers() => {
                self.names = Some(dns::Server::open(namespace.as_fd(), registers, outside)?);
            }
            None => {}
        }
        for (place, ways_out) in self.plan.ways() {
            link::set_gateways(namespace.as_fd(), &place.interface, &place.gateways(ways_out))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::tests::{network, wish};

    #[test]
    fn a_network_that_was_removed_meanwhile_is_not_made_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let realm = Realm { registers: directory.path().to_owned(), table: "phial".to_owned(), firewall: None };
        let registers = realm.registers();
        let plan = Plan {
            realm,
            container: "a".to_owned(),
            places: Vec::new(),
            ports: Vec::new(),
            resolver: Resolver::Given(Vec::new()),
            always_answers: false,
        };
        let mut attached = Attached::reserve(plan).expect("nothing is wanted");
        let joining = || Joining {
            network: network("10.0.0.0/24"),
            wish: wish("a"),
            interface: "eth0".to_owned(),
            priority: 0,
            sysctls: Vec::new(),
        };
        let error = attached.connect(joining()).expect_err("it is gone");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(registers.all().expect("none"), []);
        registers.lock().expect("a lock").begin(&network("10.0.0.0/24")).expect("is written");
        attached.connect(joining()).expect("it is there");
        assert!(registers.all().expect("one")[0].of_container("a").is_some());
    }
}
