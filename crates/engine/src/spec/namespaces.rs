//! Which namespaces are new. One that is shared with a container is listed as new as well: the supervisor puts that of the
//! other container in its place when it starts this one, and refuses to start it without (`supervise/joins.rs`).

use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType};

use crate::config::{ContainerConfig, Ipc, Network, Sharing};

/// The namespaces that are not the host's.
pub(super) fn namespaces(config: &ContainerConfig) -> Vec<LinuxNamespace> {
    let all = [
        (LinuxNamespaceType::Mount, true),
        (LinuxNamespaceType::Uts, config.uts != Sharing::Host),
        (LinuxNamespaceType::Pid, config.pid != Sharing::Host),
        (LinuxNamespaceType::Ipc, config.ipc != Ipc::Host),
        (LinuxNamespaceType::Cgroup, config.cgroup_namespace != Sharing::Host),
        (LinuxNamespaceType::Network, config.network != Network::Host),
    ];
    let own = all.into_iter().filter(|(_, own)| *own);
    own.map(|(kind, _)| {
        let mut namespace = LinuxNamespace::default();
        namespace.set_typ(kind).set_path(None);
        namespace
    })
    .collect()
}
