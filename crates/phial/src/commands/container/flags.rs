//! The flags of `run` and `create`, in groups; each group writes its part of the configuration.

/// Limits that can be changed afterwards.
mod changeable;
/// `--cidfile`.
mod cidfile;
/// Devices.
mod devices;
/// Where the image comes from.
mod fetch;
/// From the first start to the last end: name, labels, stopping.
mod life;
/// Resources.
mod limits;
/// Where the output is kept.
mod logging;
/// Mounts.
mod mounts;
/// Namespaces, and names in them.
mod namespaces;
/// Networks and ports.
mod networks;
/// Restart policy and health check.
mod policies;
/// The process: environment, directory, user, terminal.
mod process;
/// What the container may do.
mod security;

use clap::Args;
use engine::config::{ContainerConfig, Network};

pub(super) use changeable::Limits;
pub(super) use process::Environment;

use crate::failure::{Cannot, Result, say};

/// What `run` and `create` take alike.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    #[command(flatten, next_help_heading = "Process")]
    process: process::Flags,
    #[command(flatten, next_help_heading = "Container")]
    life: life::Flags,
    #[command(flatten, next_help_heading = "Image")]
    pub(super) fetch: fetch::Flags,
    #[command(flatten, next_help_heading = "Mounts")]
    mounts: mounts::Flags,
    #[command(flatten, next_help_heading = "Networks")]
    networks: networks::Flags,
    #[command(flatten, next_help_heading = "Names and namespaces")]
    namespaces: namespaces::Flags,
    #[command(flatten, next_help_heading = "Limits")]
    limits: limits::Flags,
    #[command(flatten, next_help_heading = "Security")]
    security: security::Flags,
    #[command(flatten, next_help_heading = "Devices")]
    devices: devices::Flags,
    #[command(flatten, next_help_heading = "Restarts and health")]
    policies: policies::Flags,
    #[command(flatten, next_help_heading = "Logs")]
    logging: logging::Flags,
    /// The image, then the command and its arguments
    #[arg(value_name = "IMAGE", required = true, num_args = 1.., trailing_var_arg = true, hide = true)]
    words: Vec<String>,
}

impl Flags {
    /// The image, as the user typed it.
    pub(super) fn image(&self) -> &str {
        &self.words[0]
    }

    /// Where the container's id shall be written.
    pub(super) fn cidfile(&self) -> Option<cidfile::CidFile> {
        self.life.cidfile.clone().map(cidfile::CidFile)
    }

    /// What the flags ask for.
    ///
    /// # Errors
    /// For a value that makes no sense; `doing` says what for.
    pub(super) fn config(self, doing: impl Fn() -> String) -> Result<ContainerConfig> {
        let mut words = self.words.into_iter();
        let image = words.next().unwrap_or_default();
        let mut config = ContainerConfig { image, command: words.collect(), ..ContainerConfig::default() };
        self.process.apply(&mut config, &doing)?;
        self.life.apply(&mut config).cannot(&doing)?;
        self.policies.apply(&mut config, &doing)?;
        self.devices.apply(&mut config).cannot(&doing)?;
        self.limits.apply(&mut config).cannot(&doing)?;
        self.logging.apply(&mut config).cannot(&doing)?;
        self.mounts.apply(&mut config).cannot(&doing)?;
        // Before those that have to go with them.
        self.networks.apply(&mut config).cannot(&doing)?;
        self.namespaces.apply(&mut config).cannot(&doing)?;
        self.security.apply(&mut config).cannot(&doing)?;
        if config.network == Network::Host && (config.publish_all || !config.ports.is_empty()) {
            say("WARNING: Published ports are discarded when using host network mode");
        }
        Ok(config)
    }
}
