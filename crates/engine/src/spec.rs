//! From what was asked for to an OCI configuration: pure, so that it can be printed, tested and drawn.
//!
//! Nothing here touches the host: what depends on it comes in as [`Host`], what depends on the image's files as
//! [`Identity`]. Field by field it follows what docker gives its runtime, runtime-spec 1.3.

mod defaults;
mod host;
mod mounts;
mod process;
mod resources;
mod seccomp;
mod user;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, LinuxNamespace, LinuxNamespaceType, Root, Spec};

pub(crate) use host::Host;
pub(crate) use process::{arguments, exec_process};
pub(crate) use user::{Identity, MOST_BYTES};

use crate::config::{ContainerConfig, Network, capability};
use crate::error::Result;

/// Version of runtime-spec that configurations are written for.
const OCI_VERSION: &str = "1.3.0";

/// Everything a configuration is made of.
pub(crate) struct Inputs<'a> {
    /// The container's id, 64 hex digits.
    pub(crate) id: &'a str,
    /// What the user asked for.
    pub(crate) config: &'a ContainerConfig,
    /// What the image says.
    pub(crate) image: &'a image::Config,
    /// Who the process is, as found in the image.
    pub(crate) identity: &'a Identity,
    /// What the host has.
    pub(crate) host: &'a Host,
    /// The container's directory, where its `hosts`, `hostname` and `resolv.conf` lie.
    pub(crate) directory: &'a Path,
}

impl Inputs<'_> {
    /// The container's host name: the one asked for, else that of the host in its network, else the short id.
    pub(crate) fn hostname(&self) -> &str {
        match (&self.config.hostname, &self.config.network) {
            (Some(name), _) => name,
            (None, Network::Host) => &self.host.hostname,
            (None, Network::None | Network::Container(_)) => self.id.get(..12).unwrap_or(self.id),
        }
    }
}

/// The configuration of one container.
///
/// # Errors
/// `Invalid` for what cannot be: nothing to run, a capability or CPUs the host has not, a profile that is none.
pub(crate) fn build(inputs: &Inputs<'_>) -> Result<Spec> {
    let config = inputs.config;
    let capabilities = capability::resolve(&config.cap_add, &config.cap_drop, inputs.host.capabilities)?;
    let process = process::process(inputs, capabilities)?;
    let mut root = Root::default();
    // The supervisor mounts the root from the layers in the request; the field is for other readers of the file.
    root.set_path(PathBuf::from("rootfs")).set_readonly(Some(config.read_only));
    let mut spec = Spec::default();
    spec.set_version(OCI_VERSION.to_owned())
        .set_root(Some(root))
        .set_mounts(Some(mounts::mounts(inputs)))
        .set_hostname(Some(inputs.hostname().to_owned()))
        .set_linux(Some(linux(inputs, capabilities)?))
        .set_process(Some(process))
        .set_annotations(None);
    Ok(spec)
}

fn linux(inputs: &Inputs<'_>, capabilities: u64) -> Result<Linux> {
    let mut linux = Linux::default();
    linux
        .set_namespaces(Some(namespaces(&inputs.config.network)))
        .set_resources(Some(resources::resources(inputs.config, inputs.host)?))
        .set_cgroups_path(Some(PathBuf::from(format!("/phial-{}", inputs.id))))
        .set_seccomp(seccomp::profile(&inputs.config.security_opt, capabilities, inputs.host.kernel)?)
        .set_masked_paths(Some(defaults::masked_paths(inputs.host.throttled_cpus)))
        .set_readonly_paths(Some(defaults::READONLY_PATHS.map(str::to_owned).to_vec()))
        .set_sysctl(defaults::sysctl(&inputs.config.network))
        .set_devices(None)
        .set_uid_mappings(None)
        .set_gid_mappings(None)
        .set_rootfs_propagation(None);
    Ok(linux)
}

fn namespaces(network: &Network) -> Vec<LinuxNamespace> {
    let own = [
        LinuxNamespaceType::Mount,
        LinuxNamespaceType::Uts,
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Ipc,
        LinuxNamespaceType::Cgroup,
    ];
    let own = own.into_iter().chain((*network == Network::None).then_some(LinuxNamespaceType::Network));
    own.map(|kind| {
        let mut namespace = LinuxNamespace::default();
        namespace.set_typ(kind).set_path(None);
        namespace
    })
    .collect()
}
