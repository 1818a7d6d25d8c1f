//! `--pid`, `--ipc`, `--uts`, `--userns`, `--cgroupns`: whose namespaces a container lives in; and whether all of them, with
//! the network, go together.
//!
//! A container whose namespaces are shared is named as the user named it when the flag is parsed, and by its id from
//! `create` on, so that it can be renamed.

use std::fmt::{self, Display};

use runtime::plan::namespace_of_sysctl;
use serde::{Deserialize, Serialize};
use sys::clone::namespace;

use super::{ContainerConfig, Network};
use crate::error::{Error, Result};

/// What comes before the name of a container whose namespace is shared.
pub(super) const OF_CONTAINER: &str = "container:";

/// Whose process ids, host name or cgroups a container sees (`--pid`, `--uts`, `--cgroupns`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sharing {
    /// Its own.
    #[default]
    Own,
    /// The host's.
    Host,
    /// Those of this container.
    Container(String),
}

impl Sharing {
    /// Parses `--pid`: `host` or `container:NAME`; empty is its own.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn parse_pid(text: &str) -> Result<Sharing> {
        match text {
            "" | "private" => Ok(Sharing::Own),
            "host" => Ok(Sharing::Host),
            other => match container("--pid", other)? {
                Some(name) => Ok(Sharing::Container(name)),
                None => Err(Error::invalid(format!("--pid {other}: neither host nor container:NAME"))),
            },
        }
    }

    /// Parses `--uts`: `host`; empty is its own.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn parse_uts(text: &str) -> Result<Sharing> {
        match text {
            "" | "private" => Ok(Sharing::Own),
            "host" => Ok(Sharing::Host),
            other => Err(Error::invalid(format!("--uts {other}: not host"))),
        }
    }

    /// Parses `--cgroupns`: `host` or `private`.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn parse_cgroup(text: &str) -> Result<Sharing> {
        match text {
            "" | "private" => Ok(Sharing::Own),
            "host" => Ok(Sharing::Host),
            other => Err(Error::invalid(format!("--cgroupns {other}: neither host nor private"))),
        }
    }

    /// The container whose namespace it is.
    pub fn container(&self) -> Option<&str> {
        match self {
            Sharing::Container(name) => Some(name),
            Sharing::Own | Sharing::Host => None,
        }
    }
}

impl Display for Sharing {
    /// As `inspect` has it, where its own is nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sharing::Own => Ok(()),
            Sharing::Host => f.write_str("host"),
            Sharing::Container(name) => write!(f, "{OF_CONTAINER}{name}"),
        }
    }
}

/// With whom a container shares System V IPC, message queues and `/dev/shm` (`--ipc`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ipc {
    /// With nobody.
    #[default]
    Private,
    /// With nobody, and it has no `/dev/shm`.
    None,
    /// With every container that asks for it.
    Shareable,
    /// With the host.
    Host,
    /// With this container, which must be shareable.
    Container(String),
}

impl Ipc {
    /// Parses `--ipc`.
    ///
    /// # Errors
    /// `Invalid` for anything but docker's modes.
    pub fn parse(text: &str) -> Result<Ipc> {
        match text {
            "" | "private" => Ok(Ipc::Private),
            "none" => Ok(Ipc::None),
            "shareable" => Ok(Ipc::Shareable),
            "host" => Ok(Ipc::Host),
            other => match container("--ipc", other)? {
                Some(name) => Ok(Ipc::Container(name)),
                None => Err(Error::invalid(format!("--ipc {other}: no such mode"))
                    .with_hint("one of none, private, shareable, host, container:NAME")),
            },
        }
    }

    /// The container whose namespace it is.
    pub fn container(&self) -> Option<&str> {
        match self {
            Ipc::Container(name) => Some(name),
            _ => None,
        }
    }

    /// Whether other containers may join.
    pub fn is_shareable(&self) -> bool {
        matches!(self, Ipc::Shareable)
    }
}

impl Display for Ipc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ipc::Private => f.write_str("private"),
            Ipc::None => f.write_str("none"),
            Ipc::Shareable => f.write_str("shareable"),
            Ipc::Host => f.write_str("host"),
            Ipc::Container(name) => write!(f, "{OF_CONTAINER}{name}"),
        }
    }
}

/// Checks `--userns`: `host` is the only one of docker's modes there is, and what every container has.
///
/// # Errors
/// `Unsupported` for the modes of other engines, `Invalid` for the rest.
pub fn parse_userns(text: &str) -> Result<bool> {
    match text {
        "" => Ok(false),
        "host" => Ok(true),
        other => Err(Error::unsupported(format!("--userns {other}: ids of containers are those of the host"))
            .with_hint("use --userns host, or leave it out; -u runs as another user")),
    }
}

impl ContainerConfig {
    /// Whether names, addresses and namespaces go together: what belongs to a namespace is set by whoever it belongs to.
    ///
    /// # Errors
    /// `Invalid`, naming the two that contradict each other.
    pub fn check_namespaces(&self) -> Result<()> {
        let conflict = |one: &str, other: String| {
            Err(Error::invalid(format!("{one} and {other}: conflicting options"))
                .with_hint(format!("leave {one} out, or give the container a namespace of its own")))
        };
        if let Network::Container(_) = self.network {
            let network = || format!("--network {}", self.network);
            let given = [
                ("--hostname", self.hostname.is_some()),
                ("--dns", !self.dns.is_empty()),
                ("--add-host", !self.extra_hosts.is_empty()),
                ("--expose", !self.exposed_ports.is_empty()),
                ("--publish", !self.ports.is_empty()),
                ("--publish-all", self.publish_all),
                ("--link", !self.links.is_empty()),
            ];
            if let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) {
                return conflict(flag, network());
            }
        }
        if self.network == Network::Host && !self.links.is_empty() {
            return conflict("--link", "--network host".to_owned());
        }
        if self.uts == Sharing::Host {
            let given = [("--hostname", self.hostname.is_some()), ("--domainname", self.domainname.is_some())];
            if let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) {
                return conflict(flag, "--uts host".to_owned());
            }
        }
        if let Some(sysctl) = self.sysctls.keys().find(|key| !self.owns(key)) {
            return conflict(&format!("--sysctl {sysctl}"), self.owner_of(sysctl));
        }
        Ok(())
    }

    /// Whether a parameter is one of the container's own namespaces.
    fn owns(&self, sysctl: &str) -> bool {
        match namespace_of_sysctl(sysctl) {
            Some(namespace::NETWORK) => self.network.is_own(),
            Some(namespace::IPC) => matches!(self.ipc, Ipc::Private | Ipc::None | Ipc::Shareable),
            Some(namespace::UTS) => self.uts == Sharing::Own,
            _ => false,
        }
    }

    /// The flag that says whose the namespace of a parameter is.
    fn owner_of(&self, sysctl: &str) -> String {
        match namespace_of_sysctl(sysctl) {
            Some(namespace::NETWORK) => format!("--network {}", self.network),
            Some(namespace::IPC) => format!("--ipc {}", self.ipc),
            _ => format!("--uts {}", self.uts),
        }
    }
}

/// The name in `container:NAME`; None for something else.
pub(super) fn container(flag: &str, text: &str) -> Result<Option<String>> {
    match text.strip_prefix(OF_CONTAINER) {
        Some("") => Err(Error::invalid(format!("{flag} {text}: the name of the container is missing"))),
        name => Ok(name.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What a parser makes of a text, as `inspect` says it; None for an error.
    fn check<T: Display>(parse: fn(&str) -> Result<T>, cases: &[(&str, Option<&str>)]) {
        for (text, expected) in cases {
            assert_eq!(parse(text).ok().map(|value| value.to_string()).as_deref(), *expected, "{text}");
        }
    }

    #[test]
    fn modes() {
        let container = ("container:web", Some("container:web"));
        check(
            Sharing::parse_pid,
            &[("", Some("")), ("host", Some("host")), container, ("container:", None), ("x", None)],
        );
        check(Sharing::parse_uts, &[("host", Some("host")), ("container:web", None)]);
        check(Sharing::parse_cgroup, &[("private", Some("")), ("host", Some("host")), ("x", None)]);
        let same = ["none", "private", "shareable", "host", "container:web"].map(|mode| (mode, Some(mode)));
        check(Ipc::parse, &same);
        check(Ipc::parse, &[("", Some("private")), ("x", None), ("container:", None)]);
        check(parse_userns, &[("host", Some("true")), ("keep-id", None)]);
    }

    #[test]
    fn what_belongs_to_a_namespace_of_another_is_refused() {
        fn own(key: &str) -> BTreeMap<String, String> {
            [(key.to_owned(), "1".to_owned())].into_iter().collect()
        }
        fn shared() -> Network {
            Network::Container("x".to_owned())
        }
        let fits = |change: fn(&mut ContainerConfig)| {
            let mut config = ContainerConfig::default();
            change(&mut config);
            config.check_namespaces().is_ok()
        };
        assert!(fits(|config| config.hostname = Some("a".to_owned())));
        assert!(!fits(|config| (config.network, config.hostname) = (shared(), Some("a".to_owned()))));
        assert!(!fits(|config| (config.network, config.exposed_ports) = (shared(), vec!["80/tcp".to_owned()])));
        assert!(!fits(|config| (config.uts, config.hostname) = (Sharing::Host, Some("a".to_owned()))));
        assert!(fits(|config| config.sysctls = own("net.ipv4.ip_forward")));
        assert!(!fits(|config| (config.network, config.sysctls) = (Network::Host, own("net.ipv4.ip_forward"))));
        assert!(!fits(|config| (config.ipc, config.sysctls) = (Ipc::Host, own("kernel.shmmax"))));
    }
}
