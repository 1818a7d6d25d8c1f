//! What commands may have: secrets, agents, networks, and what has to be allowed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::config::{Device, NetworkFlags};

use crate::error::{Error, ErrorKind, Result};
use crate::options::{Limits, Options, SecretSource};

/// A secret is not larger: what is larger belongs into a file of the context, or to another machine.
const MOST_SECRET: usize = 500 * 1024;

/// What commands may have.
#[derive(Default)]
pub(crate) struct Grants {
    secrets: BTreeMap<String, SecretSource>,
    agents: BTreeMap<String, PathBuf>,
    /// Whom commands reach that do not say it: one of our networks, by name.
    pub(crate) network: engine::config::Network,
    /// Whether the user has said that all commands are in the host's network.
    pub(crate) is_host_network: bool,
    /// What was allowed.
    allowed: Vec<String>,
    /// What each command may use up.
    pub(crate) limits: Limits,
    /// Whether a shell is opened where a command has failed.
    pub(crate) shell_on_error: bool,
}

/// Whoever runs something that needs to be allowed.
pub(crate) const INSECURE: &str = "security.insecure";
pub(crate) const HOST_NETWORK: &str = "network.host";
const DEVICE: &str = "device";

impl Grants {
    /// What the options give.
    ///
    /// # Errors
    /// `Invalid` for an agent without a socket, and for a network that cannot be; `System` for the file of a secret that is not
    /// there, whoever wants it.
    pub(crate) fn of(options: &Options) -> Result<Grants> {
        for secret in &options.secrets {
            if let SecretSource::File(path) = &secret.source {
                std::fs::metadata(path).map_err(|error| {
                    Error::system(format!("--secret id={},src={}", secret.id, path.display()), error)
                })?;
            }
        }
        let secrets = options.secrets.iter().map(|secret| (secret.id.clone(), secret.source.clone())).collect();
        let mut agents = BTreeMap::new();
        for agent in &options.agents {
            let socket = agent.socket.clone().or_else(|| std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from));
            let socket = socket.ok_or_else(|| {
                Error::invalid(format!("--ssh {}: no agent runs: SSH_AUTH_SOCK is not set", agent.id))
                    .with_hint("eval $(ssh-agent); ssh-add, or name a socket: --ssh ID=/path/of/socket")
            })?;
            agents.insert(agent.id.clone(), socket);
        }
        let network = match options.network.as_deref() {
            None | Some("" | "default") => engine::config::Network::default(),
            Some(name) => NetworkFlags { networks: vec![name.to_owned()], ..NetworkFlags::default() }.parse()?,
        };
        let allowed = options.allowed.clone();
        let is_host_network = network == engine::config::Network::Host;
        let (limits, shell_on_error) = (options.limits.clone(), options.shell_on_error);
        Ok(Grants { secrets, agents, network, is_host_network, allowed, limits, shell_on_error })
    }

    /// The content of a secret; None if there is none of that name.
    ///
    /// # Errors
    /// `System` for one that cannot be read, `Invalid` for one that is too large. Neither says what is in it.
    pub(crate) fn secret(&self, id: &str) -> Result<Option<Vec<u8>>> {
        let content = match self.secrets.get(id) {
            None => return Ok(None),
            Some(SecretSource::File(path)) => std::fs::read(path)
                .map_err(|error| Error::system(format!("the secret {id}: {}", path.display()), error))?,
            Some(SecretSource::Variable(name)) => match std::env::var_os(name) {
                Some(value) => value.into_encoded_bytes(),
                None => return Ok(None),
            },
        };
        if content.len() > MOST_SECRET {
            return Err(Error::invalid(format!(
                "the secret {id} has {} bytes: more than {MOST_SECRET}",
                content.len()
            )));
        }
        Ok(Some(content))
    }

    /// The socket of an agent; None if there is none of that name.
    pub(crate) fn agent(&self, id: &str) -> Option<&PathBuf> {
        self.agents.get(if id.is_empty() { "default" } else { id })
    }

    /// Refuses a device that was not allowed, by its name, by its kind or with all others, and what is none: a path of the host is
    /// nothing that a Dockerfile can ask for.
    ///
    /// # Errors
    /// `Invalid`.
    pub(crate) fn check_device(&self, name: &str) -> Result<()> {
        if !matches!(Device::parse(name), Ok(Device::Cdi(_))) {
            return Err(Error::invalid(format!("RUN --device={name}: it is no device of a CDI specification"))
                .with_hint("write --device=vendor.com/class=name"));
        }
        let kind = name.split('=').next().unwrap_or(name);
        let is_it = |allowed: &String| {
            allowed
                .strip_prefix(DEVICE)
                .and_then(|rest| rest.strip_prefix('='))
                .is_some_and(|it| it == name || it == kind)
        };
        if self.allowed.iter().any(is_it) { Ok(()) } else { self.check(DEVICE, &format!("RUN --device={name}")) }
    }

    /// Refuses what was not allowed.
    ///
    /// # Errors
    /// `Invalid`.
    pub(crate) fn check(&self, what: &str, instruction: &str) -> Result<()> {
        if self.allowed.iter().any(|allowed| allowed == what) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Invalid, format!("{instruction} has to be allowed"))
            .with_hint(format!("phial build --allow {what} …, if the Dockerfile is one that you trust")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_to_be_allowed() {
        let check = |allowed: &[&str], name: &str| {
            let allowed = allowed.iter().map(ToString::to_string).collect();
            Grants { allowed, ..Grants::default() }.check_device(name)
        };
        let name = "vendor.com/class=one";
        for allowed in ["device", "device=vendor.com/class=one", "device=vendor.com/class"] {
            check(&[allowed], name).expect(allowed);
        }
        for allowed in ["device=vendor.com/class=other", "device=vendor.com", "network.host"] {
            check(&[allowed], name).expect_err(allowed);
        }
        for name in ["/dev/null", "vendor.com/class", "null"] {
            let error = check(&["device"], name).expect_err(name);
            assert_eq!(error.to_string(), format!("RUN --device={name}: it is no device of a CDI specification"));
        }
    }
}
