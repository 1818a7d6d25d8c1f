//! Namespaces that a container shares with another one: who that is, whether it may be joined, and whether it runs. The
//! last is asked at each start, not when the container is created; the supervisor asks once more, and then enters.

use oci_spec::runtime::LinuxNamespaceType;
use runtime::protocol::Join;
use store::ContainerId;

use crate::config::{ContainerConfig, Ipc};
use crate::containers::lifecycle::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::spec::{self, Host, Peer};

impl Engine {
    /// The configuration with ids in the place of names of other containers.
    ///
    /// # Errors
    /// `NotFound` for a container that is not there.
    pub(crate) fn with_ids_of_others(&self, mut config: ContainerConfig) -> Result<ContainerConfig> {
        let id = |flag: &str, name: &mut String| -> Result<()> {
            *name = self.other(flag, name)?.record.id.hex();
            Ok(())
        };
        if let crate::config::Network::Container(name) = &mut config.network {
            id("--network", name)?;
        }
        if let crate::config::Sharing::Container(name) = &mut config.pid {
            id("--pid", name)?;
        }
        if let Ipc::Container(name) = &mut config.ipc {
            id("--ipc", name)?;
        }
        Ok(config)
    }

    /// The namespaces that the container shares with others, all of which run now. `own` is the container's id.
    ///
    /// # Errors
    /// `Conflict` when one does not run, does not share its memory, or is the container itself.
    pub(crate) fn joins(&self, own: Option<&ContainerId>, config: &ContainerConfig) -> Result<Vec<Join>> {
        let asked = [
            ("--network", config.network.container(), LinuxNamespaceType::Network),
            ("--pid", config.pid.container(), LinuxNamespaceType::Pid),
            ("--ipc", config.ipc.container(), LinuxNamespaceType::Ipc),
        ];
        let mut joins = Vec::new();
        for (flag, name, namespace) in asked {
            let Some(name) = name else { continue };
            let other = self.other(flag, name)?;
            let shown = format!("{flag} container:{}", other.record.name);
            if own == Some(&other.record.id) {
                return Err(Error::conflict(format!("{shown}: a container cannot join itself")));
            }
            if !other.state.is_running() {
                return Err(Error::conflict(format!("{shown}: container {} is not running", other.record.name))
                    .with_hint(format!("phial start {}", other.record.name)));
            }
            if namespace == LinuxNamespaceType::Ipc && !matches!(other.config.ipc, Ipc::Shareable | Ipc::Host) {
                let name = &other.record.name;
                return Err(Error::conflict(format!("{shown}: container {name} has non-shareable IPC"))
                    .with_hint("create it with --ipc shareable"));
            }
            let name = other.record.name.clone();
            joins.push(Join { namespace, run_dir: self.paths().run_container(&other.record.id), name });
        }
        Ok(joins)
    }

    /// What of the host, and of the container whose network is shared, a configuration depends on.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub(crate) fn host(&self, config: &ContainerConfig) -> Result<Host> {
        let peer = config.network.container().map(|name| self.peer(name)).transpose()?;
        Host::read(config, peer)
    }

    fn peer(&self, name: &str) -> Result<Peer> {
        let other = self.other("--network", name)?;
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        if let Some(further) = other.config.network.container() {
            return self.peer(further);
        }
        let hostname = spec::hostname(&other.config, &other.record.id.hex(), &host).to_owned();
        Ok(Peer { hostname, bundle: self.bundle(&other.record) })
    }

    fn other(&self, flag: &str, name: &str) -> Result<Container> {
        self.container(name).map_err(|error| Error::new(error.kind(), format!("{flag} container:{name}: {error}")))
    }
}
