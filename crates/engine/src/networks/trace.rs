//! From the words of `network trace` to what [`net::trace`] asks: who sends, where to, and which namespaces there are.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use net::trace::{Place, Places, Question, Role, Sender, Trace, Transport, Watch, Watched};
use net::{Endpoint, Published};

use crate::containers::lifecycle::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};

/// Where packets of containers go if nobody says: a machine of the internet that answers.
const INTERNET: (&str, u16) = ("1.1.1.1", 443);
/// The port of a container that is meant if nobody says and it publishes none.
const PORT: u16 = 80;
/// Words that stand for no container, whatever containers are called.
const HOST: &str = "host";
const OUTSIDE: &str = "outside";

/// What `network trace` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceOptions {
    /// `--from`: `host`, `outside`, a container, or the address of another machine.
    pub from: String,
    /// `--to`: a container, `host`, a name or an address, each with or without a port.
    pub to: Option<String>,
    /// `--proto`.
    pub protocol: String,
}

/// What is known of the host's containers when a trace begins.
struct Scene {
    places: Places,
    /// Containers that run, with their places on networks.
    containers: Vec<(Container, Vec<Endpoint>)>,
}

impl Engine {
    /// Follows a packet through the host, as its rules and routes are now.
    ///
    /// # Errors
    /// `NotFound` and `Invalid` for ends that there are not; `System` if the host cannot be read.
    pub fn trace_network(&self, options: &TraceOptions) -> Result<Trace> {
        let scene = self.scene()?;
        let question = self.question(&scene, options)?;
        Ok(net::trace::trace(&scene.places, &question)?)
    }

    /// Watches real packets of the same kind in the host's namespace.
    ///
    /// # Errors
    /// As [`Engine::trace_network`].
    pub fn watch_network(&self, options: &TraceOptions) -> Result<Watch> {
        let scene = self.scene()?;
        let question = self.question(&scene, options)?;
        let from = match question.from {
            Sender::Namespace(0, source) | Sender::Outside(source, _) => source,
            Sender::Namespace(number, source) => source.or_else(|| scene.address_of(number, question.to)),
        };
        let port = question.protocol.has_ports().then_some(question.port);
        Ok(Watch::begin(&Watched { from, to: question.to, protocol: question.protocol, port })?)
    }

    fn scene(&self) -> Result<Scene> {
        let host = Place::open(HOST, Role::Host, Path::new("/proc/thread-self/ns/net"))?;
        let mut containers = Vec::new();
        let mut places = Vec::new();
        for container in self.containers(false)? {
            let Some(pid) = container.state.status().map(|status| status.pid) else { continue };
            // One that ends meanwhile is not there any more.
            let path = namespace_of(pid);
            let Ok(place) = Place::open(shown_as(&container), Role::Container, &path) else { continue };
            let endpoints = self.endpoints_of(&container.record.id)?;
            places.push(place);
            containers.push((container, endpoints.into_iter().map(|(_, endpoint)| endpoint).collect()));
        }
        Ok(Scene { places: Places::new(host, places), containers })
    }

    fn question(&self, scene: &Scene, options: &TraceOptions) -> Result<Question> {
        let protocol = Transport::from_name(&options.protocol).ok_or_else(|| {
            Error::invalid(format!("{}: not a protocol that can be traced", options.protocol))
                .with_hint("tcp, udp, sctp or icmp")
        })?;
        let from = self.sender(scene, &options.from)?;
        let (to, port) = match &options.to {
            Some(to) => self.target(scene, &from, to, protocol)?,
            None if matches!(from, Sender::Namespace(..)) => {
                (INTERNET.0.parse().expect("it is an address"), INTERNET.1)
            }
            None => {
                return Err(Error::invalid("a packet from outside needs a target")
                    .with_hint("--to CONTAINER, --to host:8080; or --from CONTAINER for the way out"));
            }
        };
        Ok(Question { from, to, protocol, port, source_port: None })
    }

    fn sender(&self, scene: &Scene, from: &str) -> Result<Sender> {
        match from {
            OUTSIDE => return Ok(Sender::Outside(None, None)),
            HOST => return Ok(Sender::Namespace(0, None)),
            _ => {}
        }
        if let Ok(address) = from.parse() {
            return Ok(match scene.places.with_address(address) {
                Some(number) => Sender::Namespace(number, Some(address)),
                None => Sender::Outside(Some(address), None),
            });
        }
        let container = self.running(from)?;
        scene.number(&container).map(|number| Sender::Namespace(number, None)).ok_or_else(|| gone(&container))
    }

    /// A container that runs.
    fn running(&self, key: &str) -> Result<Container> {
        let container = self.container(key)?;
        if container.state.is_running() {
            return Ok(container);
        }
        Err(Error::conflict(format!("container {} is not running", container.record.name))
            .with_hint("only what runs has a network to look at"))
    }

    /// The address and port that are meant.
    fn target(&self, scene: &Scene, from: &Sender, to: &str, protocol: Transport) -> Result<(IpAddr, u16)> {
        if let Ok(address) = to.parse::<SocketAddr>() {
            return Ok((address.ip(), address.port()));
        }
        if let Ok(address) = to.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok((address, PORT));
        }
        let (name, port) = match to.rsplit_once(':') {
            Some((name, port)) => {
                let port = port.parse().map_err(|_| Error::invalid(format!("{to}: {port} is not a port")))?;
                (name, Some(port))
            }
            None => (to, None),
        };
        if matches!(name, HOST | "localhost") {
            return Ok((scene.host_as_seen_by(from)?, port.unwrap_or(PORT)));
        }
        match self.running(name) {
            Ok(container) => scene.container_as_seen_by(from, &container, port, protocol),
            Err(error) if error.kind() == crate::ErrorKind::NotFound && name.contains('.') => resolve(name, port),
            Err(error) => Err(error),
        }
    }
}

impl Scene {
    /// The number of a container's namespace, which it may share with others or with the host.
    fn number(&self, container: &Container) -> Option<usize> {
        self.places.of_path(&namespace_of(container.state.status()?.pid))
    }

    fn endpoints(&self, container: &Container) -> &[Endpoint] {
        let found = self.containers.iter().find(|(known, _)| known.record.id == container.record.id);
        found.map_or(&[], |(_, endpoints)| endpoints.as_slice())
    }

    /// The address that a container sends from.
    fn address_of(&self, number: usize, like: IpAddr) -> Option<IpAddr> {
        self.places.space(number).ok()?.source_for(like)
    }

    /// The host's address for a sender: that of its gateway, of loopback, or of the link that leads outside.
    fn host_as_seen_by(&self, from: &Sender) -> Result<IpAddr> {
        let none = || Error::invalid("the host has no address that others reach").with_hint("--to ADDRESS:PORT");
        match from {
            Sender::Namespace(0, _) => Ok(IpAddr::from([127, 0, 0, 1])),
            Sender::Namespace(number, _) => self.places.space(*number)?.default_gateway().ok_or_else(none),
            Sender::Outside(source, _) => {
                let to = source.unwrap_or_else(|| INTERNET.0.parse().expect("it is an address"));
                self.places.space(0)?.source_for(to).ok_or_else(none)
            }
        }
    }

    /// A container's address and port for a sender. From outside, a port that is published is meant as it is published.
    fn container_as_seen_by(
        &self,
        from: &Sender,
        container: &Container,
        port: Option<u16>,
        protocol: Transport,
    ) -> Result<(IpAddr, u16)> {
        let endpoints = self.endpoints(container);
        let is_outside = matches!(from, Sender::Outside(..));
        let mut published = endpoints.iter().flat_map(|endpoint| &endpoint.ports);
        let fits =
            |known: &&Published| known.protocol.name() == protocol.name() && port.is_none_or(|port| known.port == port);
        let published = published.find(fits);
        if let Some(known) = published.filter(|_| is_outside) {
            let address = if known.host.is_unspecified() { self.host_as_seen_by(from)? } else { known.host };
            return Ok((address, known.host_port));
        }
        let port = port.or_else(|| published.map(|known| known.port)).unwrap_or(PORT);
        let near = |endpoint: &&Endpoint| self.reaches_directly(from, endpoint);
        let endpoint = endpoints.iter().find(near).or_else(|| endpoints.first());
        let address =
            endpoint.and_then(|endpoint| endpoint.ipv4.map(IpAddr::V4).or_else(|| endpoint.ipv6.map(IpAddr::V6)));
        let none = || {
            Error::invalid(format!("container {} has no address of its own", container.record.name))
                .with_hint("it shares the network of the host or of another container, or has none")
        };
        Ok((address.ok_or_else(none)?, port))
    }

    /// Whether a sender is on the same network as an endpoint.
    fn reaches_directly(&self, from: &Sender, endpoint: &Endpoint) -> bool {
        let Sender::Namespace(number, _) = from else { return false };
        let (Ok(space), Some(address)) = (self.places.space(*number), endpoint.ipv4.map(IpAddr::V4)) else {
            return false;
        };
        space.is_on_link(address)
    }
}

fn namespace_of(pid: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/ns/net"))
}

/// What a container is called in a trace: by its name, unless that word means something else.
fn shown_as(container: &Container) -> String {
    match container.record.name.as_str() {
        HOST | OUTSIDE => container.record.id.short(),
        name => name.to_owned(),
    }
}

fn resolve(name: &str, port: Option<u16>) -> Result<(IpAddr, u16)> {
    let port = port.unwrap_or(PORT);
    let failed = |why: String| Error::invalid(format!("{name}: {why}")).with_hint("an address does without a resolver");
    let mut all = (name, port).to_socket_addrs().map_err(|error| failed(error.to_string()))?;
    let address = all.next().ok_or_else(|| failed("no address".to_owned()))?;
    Ok((address.ip(), address.port()))
}

fn gone(container: &Container) -> Error {
    Error::conflict(format!("container {} has just ended", container.record.name))
}
