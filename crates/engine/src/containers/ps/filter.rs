//! The filters of `ps`.

use std::path::Path;

use regex_lite::Regex;
use runtime::protocol::policy::HealthStatus;
use store::{Digest, ImageRecord};

use super::ListOptions;
use crate::config::network::DEFAULT_NETWORK;
use crate::config::{ContainerConfig, MountKind, Network, PortMapping};
use crate::containers::lifecycle::{Container, State, UNKNOWN};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::words::filter::Filters;

/// What `ps --filter` takes.
pub const CONTAINER_FILTERS: &[&str] = &[
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "label", "name", "network", "publish",
    "since", "status", "volume",
];

/// Docker's words for how a container fares.
pub const CONTAINER_STATES: [&str; 7] = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];
/// Docker's words for how well it is.
const HEALTH: [&str; 4] = ["starting", "healthy", "unhealthy", "none"];

/// The filters, with what they name looked up.
pub(super) struct Filter<'a> {
    engine: &'a Engine,
    filters: &'a Filters,
    all: bool,
    names: Vec<Pattern>,
    ids: Vec<Pattern>,
    exited: Vec<i32>,
    /// Images of which a container may be made.
    ancestors: Option<Vec<Digest>>,
    /// Created before this, and after that.
    before: Option<String>,
    since: Option<String>,
    is_task: Option<bool>,
    expose: Vec<Ports>,
    publish: Vec<Ports>,
    /// Ids of networks, and modes that are none.
    networks: Vec<String>,
}

/// Docker takes names and ids as regular expressions; what is none is a plain text.
enum Pattern {
    Expression(Box<Regex>),
    Text(String),
}

/// `80`, `80/tcp`, `8000-8080/udp`.
#[derive(Debug, PartialEq, Eq)]
struct Ports {
    first: u16,
    last: u16,
    protocol: String,
}

impl<'a> Filter<'a> {
    pub(super) fn new(engine: &'a Engine, options: &'a ListOptions) -> Result<Filter<'a>> {
        let filters = &options.filters;
        check_words(filters, "status", &CONTAINER_STATES)?;
        check_words(filters, "health", &HEALTH)?;
        let created = |key| {
            let last = filters.last(key).map(|name| engine.container(name).map(|found| found.record.created));
            last.transpose()
        };
        Ok(Filter {
            engine,
            filters,
            all: options.all || options.last.is_some() || filters.has("status"),
            names: filters.values("name").map(Pattern::new).collect(),
            ids: filters.values("id").map(Pattern::new).collect(),
            exited: filters.values("exited").map(exit_code).collect::<Result<_>>()?,
            ancestors: ancestors(engine, filters)?,
            before: created("before")?,
            since: created("since")?,
            is_task: filters.switch("is-task")?,
            expose: ports(filters, "expose")?,
            publish: ports(filters, "publish")?,
            networks: networks(engine, filters)?,
        })
    }

    /// Whether those that do not run are asked for as well.
    pub(super) fn shows_all(&self) -> bool {
        self.all
    }

    pub(super) fn matches(&self, container: &Container) -> bool {
        let (record, config) = (&container.record, &container.config);
        let named = |patterns: &[Pattern], text: &str| patterns.is_empty() || patterns.iter().any(|p| p.matches(text));
        let slashed = format!("/{}", record.name);
        (named(&self.names, &record.name) || named(&self.names, &slashed))
            && named(&self.ids, &record.id.hex())
            && self.filters.labels(&config.labels)
            && self.filters.any("status", |status| status == container.state.name())
            && self.matches_health(container)
            && (self.networks.is_empty() || self.matches_network(&config.network))
            && self.filters.any("volume", |volume| has_volume(container, volume))
            && self.matches_exit(container)
            && self.ancestors.as_ref().is_none_or(|images| images.contains(&record.image))
            && self.before.as_ref().is_none_or(|before| record.created < *before)
            && self.since.as_ref().is_none_or(|since| record.created > *since)
            && self.is_task != Some(true)
            && (self.publish.is_empty() || config.ports.iter().any(|mapping| meets(&self.publish, mapping)))
            && (self.expose.is_empty() || self.exposes(config))
    }

    fn matches_health(&self, container: &Container) -> bool {
        if !self.filters.has("health") {
            return true;
        }
        let found = self.engine.health_status(container).map_or("none", HealthStatus::name);
        self.filters.any("health", |health| health == found)
    }

    fn matches_exit(&self, container: &Container) -> bool {
        if self.exited.is_empty() {
            return true;
        }
        match &container.state {
            State::Exited(exit) => self.exited.contains(&exit.exit_code),
            State::Lost(_) => self.exited.contains(&UNKNOWN),
            _ => false,
        }
    }

    /// What is published is exposed as well.
    fn exposes(&self, config: &ContainerConfig) -> bool {
        let exposed = config.exposed_ports.iter().filter_map(|port| Ports::parse(port));
        let meets_any = |port: Ports| self.expose.iter().any(|wanted| wanted.meets(&port));
        exposed.into_iter().any(meets_any) || config.ports.iter().any(|mapping| meets(&self.expose, mapping))
    }

    fn matches_network(&self, network: &Network) -> bool {
        let is = |key: &str| self.networks.iter().any(|wanted| wanted == key);
        match network {
            Network::Own(connections) if connections.is_empty() => is(DEFAULT_NETWORK),
            Network::Own(connections) => connections.iter().any(|connection| is(&connection.network)),
            other => is(&other.to_string()),
        }
    }
}

impl Pattern {
    fn new(text: &str) -> Pattern {
        Regex::new(text).map_or_else(|_| Pattern::Text(text.to_owned()), |regex| Pattern::Expression(Box::new(regex)))
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Pattern::Expression(regex) => regex.is_match(text),
            Pattern::Text(wanted) => wanted == text,
        }
    }
}

impl Ports {
    fn parse(text: &str) -> Option<Ports> {
        let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last).then(|| Ports { first, last, protocol: protocol.to_lowercase() })
    }

    fn meets(&self, other: &Ports) -> bool {
        self.protocol == other.protocol && self.first <= other.last && other.first <= self.last
    }
}

fn meets(wanted: &[Ports], mapping: &PortMapping) -> bool {
    let (first, last) = mapping.ports;
    let published = Ports { first, last, protocol: mapping.protocol.to_string() };
    wanted.iter().any(|wanted| wanted.meets(&published))
}

/// Networks by name or id. What is none has no containers, as what is not there has none.
fn networks(engine: &Engine, filters: &Filters) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for name in filters.values("network") {
        match engine.store().network(name) {
            // Who names no network is on the default one.
            Ok(network) if network.name == DEFAULT_NETWORK => found.extend([network.id, network.name]),
            Ok(network) => found.push(network.id),
            Err(error) if error.kind() == store::ErrorKind::NotFound => found.push(name.to_owned()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn check_words(filters: &Filters, key: &str, known: &[&str]) -> Result<()> {
    match filters.values(key).find(|value| !known.contains(value)) {
        Some(value) => {
            Err(Error::invalid(format!("invalid filter '{key}={value}'"))
                .with_hint(format!("one of {}", known.join(", "))))
        }
        None => Ok(()),
    }
}

fn exit_code(text: &str) -> Result<i32> {
    text.parse().map_err(|_| Error::invalid(format!("invalid filter 'exited={text}': not a number")))
}

fn ports(filters: &Filters, key: &'static str) -> Result<Vec<Ports>> {
    let parse = |text: &str| {
        Ports::parse(text).ok_or_else(|| Error::invalid(format!("invalid filter '{key}={text}': not a port or range")))
    };
    filters.values(key).map(parse).collect()
}

/// The images that are meant, and those that were built on them. What is not there has no containers.
fn ancestors(engine: &Engine, filters: &Filters) -> Result<Option<Vec<Digest>>> {
    if !filters.has("ancestor") {
        return Ok(None);
    }
    let all = engine.store().all_images()?;
    let mut found = Vec::new();
    for name in filters.values("ancestor") {
        match engine.image(name) {
            Ok(ancestor) => {
                found.extend(all.iter().filter(|image| is_built_on(image, &ancestor)).map(|image| image.id));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(found))
}

fn is_built_on(image: &ImageRecord, ancestor: &ImageRecord) -> bool {
    let own = image.layers.iter().map(|layer| layer.diff_id);
    let base = ancestor.layers.iter().map(|layer| layer.diff_id);
    image.id == ancestor.id || (ancestor.layers.len() < image.layers.len() && own.take(ancestor.layers.len()).eq(base))
}

/// Whether a volume of this name, or anything at or from this path, is mounted.
fn has_volume(container: &Container, wanted: &str) -> bool {
    container.config.mounts.iter().any(|mount| {
        let source = match &mount.kind {
            MountKind::Bind { source, .. } => Some(source.as_path()),
            MountKind::Volume(volume) => Some(Path::new(&volume.name)),
            MountKind::Image(_) | MountKind::Tmpfs { .. } => None,
        };
        mount.target.as_os_str() == wanted || source.is_some_and(|source| source.as_os_str() == wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_meet_where_they_share_one() {
        let cases = [
            ("80", "80/tcp", true),
            ("80/udp", "80/tcp", false),
            ("8000-8080", "8080/tcp", true),
            ("81", "80/tcp", false),
        ];
        for (wanted, port, expected) in cases {
            let (wanted, port) = (Ports::parse(wanted).expect("is one"), Ports::parse(port).expect("is one"));
            assert_eq!(wanted.meets(&port), expected, "{wanted:?} {port:?}");
        }
        for text in ["", "x", "90-80", "70000", "-1"] {
            assert_eq!(Ports::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_expressions_and_what_is_none_is_a_text() {
        for (pattern, name, expected) in
            [("^we", "web", true), ("eb", "web", true), ("^eb$", "web", false), ("a[", "a[", true)]
        {
            assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern}");
        }
    }
}
