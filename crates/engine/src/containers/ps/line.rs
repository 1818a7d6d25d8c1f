//! Lists for people: what `ps` shows of a container. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use runtime::protocol::Status;
use runtime::protocol::policy::HealthStatus;

use crate::config::{Mount, MountKind, Network};
use crate::containers::lifecycle::{Container, State};
use crate::inspect::{exposed_ports, labels};
use crate::networks::live::Live;
use crate::networks::ports::Ports;
use crate::words::ago;

/// One line of `ps`, with docker's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSummary {
    /// All 64 digits.
    pub id: String,
    /// As the user typed it.
    pub image: String,
    /// Program and arguments, separated by blanks.
    pub command: String,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// `2 minutes ago`.
    pub created: String,
    /// `created`, `running`, `paused`, `restarting`, `exited` or `dead`.
    pub state: &'static str,
    /// `Up 3 seconds`, `Exited (0) 5 minutes ago`.
    pub status: String,
    /// `starting`, `healthy`, `unhealthy`, or empty where nobody looks.
    pub health: &'static str,
    /// Where its ports are published, and those that are exposed only; empty of one that does not run.
    pub ports: String,
    /// The name.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Names of volumes, and paths of the host, that are mounted.
    pub mounts: Vec<String>,
    /// How many of them are volumes.
    pub local_volumes: usize,
    /// The networks it is in.
    pub networks: Vec<String>,
    /// Its addresses in them, with their names: `bridge:172.17.0.2`.
    pub ip_addresses: String,
    /// What its image runs on.
    pub platform: &'static str,
    /// Bytes that it has written, and those together with its image; None if nobody asked.
    pub size: Option<(u64, u64)>,
}

/// The line of a container of an image that says `image`, which is on the networks that `live` says, and whose health checks say `health`.
pub(crate) fn summary(
    container: &Container,
    image: &image::Config,
    live: &Live,
    health: Option<HealthStatus>,
    now: Timestamp,
) -> ContainerSummary {
    let record = &container.record;
    let endpoints = if container.state.is_running() { live.of(&record.id) } else { Vec::new() };
    let addresses = endpoints.iter().flat_map(|(network, endpoint)| {
        let addresses = [endpoint.ipv4.map(IpAddr::V4), endpoint.ipv6.map(IpAddr::V6)].into_iter().flatten();
        addresses.map(|address| format!("{}:{address}", network.name))
    });
    ContainerSummary {
        id: record.id.hex(),
        image: record.image_name.clone(),
        command: container.arguments(image).into_iter().map(quoted).collect::<Vec<_>>().join(" "),
        created_at: record.created.clone(),
        created: format!("{} ago", ago::since(&record.created, now)),
        state: container.state.name(),
        status: status(&container.state, now),
        health: health.map_or("", HealthStatus::name),
        ports: ports(container, image, &endpoints),
        name: record.name.clone(),
        labels: labels(&container.config, image),
        mounts: container.config.mounts.iter().filter_map(mount).collect(),
        local_volumes: container.config.mounts.iter().filter(|mount| is_volume(mount)).count(),
        networks: live.names(&container.config),
        ip_addresses: addresses.collect::<Vec<_>>().join(", "),
        platform: "linux",
        size: None,
    }
}

/// What leads to a running container with ports of its own.
fn ports(container: &Container, image: &image::Config, endpoints: &[(&net::Network, &net::Endpoint)]) -> String {
    if !container.state.is_running() || !matches!(container.config.network, Network::Own(_)) {
        return String::new();
    }
    let exposed = exposed_ports(&container.config, image);
    Ports::new(endpoints.iter().map(|(_, endpoint)| *endpoint), exposed.iter().map(String::as_str)).text()
}

/// What is mounted; None for what is in memory only.
fn mount(mount: &Mount) -> Option<String> {
    match &mount.kind {
        MountKind::Bind { source, .. } => Some(source.display().to_string()),
        MountKind::Volume(volume) => Some(volume.name.clone()),
        MountKind::Image(image) => Some(image.image.clone()),
        MountKind::Tmpfs { .. } => None,
    }
}

fn is_volume(mount: &Mount) -> bool {
    matches!(mount.kind, MountKind::Volume(_))
}

/// A word as docker shows it among others: quoted if it has a space.
fn quoted(word: String) -> String {
    if word.contains(' ') { format!("'{word}'") } else { word }
}

fn status(state: &State, now: Timestamp) -> String {
    let up = |status: &Status| format!("Up {}", ago::since(&status.started_at, now));
    match state {
        State::Created(_) => "Created".to_owned(),
        State::Running(status) => match status.health {
            None => up(status),
            Some(HealthStatus::Starting) => format!("{} (health: starting)", up(status)),
            Some(health) => format!("{} ({})", up(status), health.name()),
        },
        State::Paused(status) => format!("{} (Paused)", up(status)),
        State::Restarting(status) => {
            let (code, at) = status.last.as_ref().map_or((0, ""), |last| (last.exit_code, &last.finished_at));
            format!("Restarting ({code}) {} ago", ago::since(at, now))
        }
        State::Exited(exit) => format!("Exited ({}) {} ago", exit.exit_code, ago::since(&exit.finished_at, now)),
        State::Lost(_) => "Dead".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use runtime::protocol::{ExitRecord, Phase, VERSION};

    use super::*;

    #[test]
    fn words_of_each_state() {
        let now: Timestamp = "2026-08-05T12:00:00Z".parse().expect("is a time");
        let exit = |started_at: &str| ExitRecord {
            version: VERSION,
            exit_code: 137,
            oom_killed: false,
            error: None,
            started_at: started_at.to_owned(),
            finished_at: "2026-08-05T11:55:00Z".to_owned(),
            restarts: 0,
        };
        let running = Status {
            version: VERSION,
            pid: 7,
            supervisor: 6,
            started_at: "2026-08-05T11:59:57Z".to_owned(),
            ..Status::default()
        };
        let well = Status { health: Some(HealthStatus::Healthy), ..running.clone() };
        let starting = Status { health: Some(HealthStatus::Starting), ..running.clone() };
        let last = Some(exit("2026-08-05T11:54:00Z"));
        let restarting = Status { phase: Phase::Restarting, last, ..running.clone() };
        let cases = [
            (State::Paused(running.clone()), "paused", "Up 3 seconds (Paused)"),
            (State::Running(well), "running", "Up 3 seconds (healthy)"),
            (State::Running(starting), "running", "Up 3 seconds (health: starting)"),
            (State::Restarting(restarting), "restarting", "Restarting (137) 5 minutes ago"),
            (State::Created(None), "created", "Created"),
            (State::Created(Some(exit(""))), "created", "Created"),
            (State::Running(running), "running", "Up 3 seconds"),
            (State::Exited(exit("2026-08-05T11:54:00Z")), "exited", "Exited (137) 5 minutes ago"),
            (State::Lost(None), "dead", "Dead"),
        ];
        for (state, name, words) in cases {
            assert_eq!((state.name(), status(&state, now).as_str()), (name, words));
        }
    }
}
