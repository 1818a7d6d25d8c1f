//! What a supervisor does about the networks of its container, as data that an engine computes; and what follows from it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::place::{Place, WaysOut};
use crate::dns::{self, Outside, Upstream};
use crate::port::{Reservation, Wanted};
use crate::realm::{Realm, of_registers};
use crate::register::{Register, Registers};
use crate::whole::Whole;
use crate::{Endpoint, Published, Result};

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
    /// Whether names are answered there also where no network has any: the host asks somebody whom only the host reaches.
    pub always_answers: bool,
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

impl Plan {
    /// Reserves the ports of the host, unless there is no network yet over which they could lead to the container.
    pub(super) fn reserve(&self) -> Result<Reservation> {
        let Some(at) = self.publishing() else { return Ok(Reservation::default()) };
        let everywhere = || vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        let hosts = self.places[at].network.host_binding.map_or_else(everywhere, |host| vec![host]);
        let mut wanted = self.ports.clone();
        for one in wanted.iter_mut().filter(|one| one.hosts.is_empty()) {
            one.hosts.clone_from(&hosts);
        }
        Reservation::take(&wanted)
    }

    /// Notes the ports that are reserved in the register of the network over which they lead to the container: the one of its
    /// way out. Returns the number of its place; None if there are none, or no such network.
    pub(super) fn publish(&mut self, reservation: &Reservation) -> Result<Option<usize>> {
        let ports: Vec<Published> = reservation.published().cloned().collect();
        let Some(at) = self.publishing().filter(|_| !ports.is_empty()) else { return Ok(None) };
        let Place { network, endpoint, .. } = &mut self.places[at];
        endpoint.ports = ports;
        let registers = self.realm.registers();
        registers.lock()?.change(&network.id, |register| {
            let own = register.endpoints.iter_mut().find(|known| known.id == endpoint.id);
            own.map(|known| known.ports.clone_from(&endpoint.ports)).is_some()
        })?;
        Ok(Some(at))
    }

    /// The place that ports of the host lead to: the way out if that can be, or else the first one that can.
    pub(super) fn publishing(&self) -> Option<usize> {
        let can_publish = |place: &Place| place.network.can_publish();
        self.ways()
            .position(|(place, ways)| can_publish(place) && (ways.ipv4 || ways.ipv6))
            .or_else(|| self.places.iter().position(can_publish))
    }

    /// Whether ports of the host lead to the container, over whichever network.
    pub(super) fn publishes(&self) -> bool {
        !self.ports.is_empty()
    }

    /// Whether names are answered in the container.
    pub(super) fn answers(&self) -> bool {
        self.always_answers || self.places.iter().any(|place| place.network.names)
    }

    /// Tells the firewall of these places, and puts it right if somebody has changed it.
    pub(super) fn tell_firewall(&self, places: &[Place]) -> Result<()> {
        let bridged = || places.iter().filter(|place| place.network.is_bridge());
        if bridged().next().is_none() {
            return Ok(());
        }
        let registers = self.realm.registers();
        let locked = registers.lock()?;
        let mut firewall = self.realm.firewall()?;
        let whole = Whole::look(&locked, &mut firewall)?;
        if whole.is_known() || firewall.is_intact(&of_registers(&self.others(&registers)?))? {
            for place in bridged().filter(|place| !place.endpoint.ports.is_empty()) {
                firewall.publish(&place.network, &place.endpoint)?;
            }
        } else {
            self.realm.replace(&mut firewall, &of_registers(&registers.all()?))?;
        }
        whole.note(&mut firewall)
    }

    /// All registers but for the container itself: its ports need not lead to it yet.
    fn others(&self, registers: &Registers) -> Result<Vec<Register>> {
        let (mut all, _) = registers.readable()?;
        for register in &mut all {
            register.endpoints.retain(|endpoint| endpoint.container != self.container);
        }
        Ok(all)
    }

    /// The registers that have the names which are answered.
    pub(super) fn registers_of_names(&self) -> Vec<PathBuf> {
        let registers = self.realm.registers();
        let named = self.places.iter().filter(|place| place.network.names);
        named.map(|place| registers.path(&place.network.id)).collect()
    }

    /// Over which place each family leaves: of those that lead out, the one with the highest priority, the first one of several.
    fn way_out(&self, has: impl Fn(&Endpoint) -> bool) -> Option<usize> {
        let leads_out = |place: &Place| !place.network.internal && has(&place.endpoint);
        let candidates = self.places.iter().enumerate().filter(|(_, place)| leads_out(place));
        candidates.rev().max_by_key(|(_, place)| place.priority).map(|(number, _)| number)
    }

    /// The places, and which families leave over them.
    pub(super) fn ways(&self) -> impl Iterator<Item = (&Place, WaysOut)> {
        let ipv4 = self.way_out(|endpoint| endpoint.ipv4.is_some());
        let ipv6 = self.way_out(|endpoint| endpoint.ipv6.is_some());
        let of = move |number| WaysOut { ipv4: ipv4 == Some(number), ipv6: ipv6 == Some(number) };
        self.places.iter().enumerate().map(move |(number, place)| (place, of(number)))
    }

    /// This name of an interface, or with the next number that none of them has.
    pub(super) fn free_interface(&self, wanted: &str) -> String {
        let is_free = |name: &str| !self.places.iter().any(|place| place.interface == name);
        let prefix = wanted.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let numbered = (0_u32..).map(|number| format!("{prefix}{number}"));
        std::iter::once(wanted.to_owned()).chain(numbered).find(|name| is_free(name)).unwrap_or_default()
    }

    /// Who else is asked for names.
    pub(super) fn outside(&self) -> Outside {
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
