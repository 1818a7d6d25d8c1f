//! From what was asked for to an OCI configuration: pure, so that it can be printed, tested and drawn.
//!
//! Nothing here touches the host: what depends on it comes in as [`Host`], what depends on the image's files as
//! [`Identity`]. Field by field it follows what docker gives its runtime, runtime-spec 1.3.

mod defaults;
mod devices;
mod host;
mod mounts;
mod namespaces;
mod process;
mod resources;
mod seccomp;
mod user;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, Root, Spec};

pub(crate) use defaults::{READONLY_PATHS, masked_paths};
pub(crate) use devices::{Found, one as found_device};
pub(crate) use host::Host;
pub(crate) use mounts::{FILES, is_of_every_container};
pub(crate) use process::{arguments, exec_process};
pub(crate) use resources::resources;
pub(crate) use user::{Identity, MOST_BYTES};

use crate::config::{CapabilityChoice, ContainerConfig, Network, Sharing, capability};
use crate::error::Result;
use crate::volumes::Sources;

/// Version of runtime-spec that configurations are written for.
const OCI_VERSION: &str = "1.3.0";

/// The container whose network another one shares: its names are those of both.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Its host name.
    pub(crate) hostname: String,
    /// Its bundle, whose `hosts`, `hostname` and `resolv.conf` are those of both.
    pub(crate) bundle: PathBuf,
}

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
    /// The container's persistent directory.
    pub(crate) directory: &'a Path,
    /// Where its `hosts`, `hostname` and `resolv.conf` lie.
    pub(crate) bundle: &'a Path,
    /// Where volumes and mounted images lie.
    pub(crate) sources: &'a Sources,
}

impl Inputs<'_> {
    /// The container's host name.
    pub(crate) fn hostname(&self) -> &str {
        match &self.host.peer {
            Some(peer) => &peer.hostname,
            None => hostname(self.config, self.id, &self.host.hostname),
        }
    }

    /// The capabilities the container is bounded by.
    fn capabilities(&self) -> Result<u64> {
        let all = self.config.privileged.then_some(CapabilityChoice::All);
        let add: Vec<CapabilityChoice> = self.config.cap_add.iter().copied().chain(all).collect();
        capability::resolve(&add, &self.config.cap_drop, self.host.capabilities)
    }
}

/// The configuration of one container.
///
/// # Errors
/// `Invalid` for what cannot be: nothing to run, a capability or CPUs the host has not, a profile that is none.
pub(crate) fn build(inputs: &Inputs<'_>) -> Result<Spec> {
    let config = inputs.config;
    let capabilities = inputs.capabilities()?;
    let process = process::process(inputs, capabilities)?;
    let mut root = Root::default();
    // The supervisor mounts the root from the layers in the request; the field is for other readers of the file.
    root.set_path(PathBuf::from("rootfs")).set_readonly(Some(config.read_only));
    let mut spec = Spec::default();
    spec.set_version(OCI_VERSION.to_owned())
        .set_root(Some(root))
        .set_mounts(Some(mounts::mounts(inputs)))
        .set_hostname((config.uts == Sharing::Own).then(|| inputs.hostname().to_owned()))
        .set_domainname(config.domainname.clone())
        .set_hooks(inputs.host.edits.hooks.clone())
        .set_linux(Some(linux(inputs, capabilities)?))
        .set_process(Some(process))
        .set_annotations((!config.annotations.is_empty()).then(|| config.annotations.clone().into_iter().collect()));
    Ok(spec)
}

fn linux(inputs: &Inputs<'_>, capabilities: u64) -> Result<Linux> {
    let (config, host) = (inputs.config, inputs.host);
    let hides = !config.shows_system_paths();
    let name = format!("phial-{}", inputs.id);
    let parent = Path::new("/").join(config.cgroup_parent.as_deref().unwrap_or_default());
    let mut linux = Linux::default();
    linux
        .set_namespaces(Some(namespaces::namespaces(config)))
        .set_resources(Some(resources::resources(config, host)?))
        .set_cgroups_path(Some(parent.join(name)))
        .set_seccomp(seccomp::profile(config, capabilities, host.kernel)?)
        .set_masked_paths(Some(if hides { defaults::masked_paths(host.throttled_cpus) } else { Vec::new() }))
        .set_readonly_paths(Some(if hides { defaults::READONLY_PATHS.map(str::to_owned).to_vec() } else { Vec::new() }))
        .set_sysctl(defaults::sysctl(config))
        .set_mount_label(host.selinux.then(|| config.selinux_labels()).flatten().map(|(_, file)| file))
        .set_devices(devices::files(&[host.devices.as_slice(), host.edits.devices.as_slice()].concat()))
        .set_uid_mappings(None)
        .set_gid_mappings(None)
        .set_rootfs_propagation(None);
    Ok(linux)
}

/// The host name of a container that does not share a network: the one asked for, else that of the host where it is in its
/// network or has its name, else the short id.
pub(crate) fn hostname<'a>(config: &'a ContainerConfig, id: &'a str, host: &'a str) -> &'a str {
    match (&config.hostname, &config.network, &config.uts) {
        (Some(name), ..) => name,
        (None, Network::Host, _) | (None, _, Sharing::Host) => host,
        (None, ..) => id.get(..12).unwrap_or(id),
    }
}
