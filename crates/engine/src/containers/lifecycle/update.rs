//! Changes of a container that is there: another name, other limits, another restart policy.

use std::fs;

use oci_spec::runtime::{LinuxResources, Spec};
use runtime::protocol::{CONFIG_FILE, NAME_FILE, Phase, policy};
use serde::Deserialize;

use super::state::{Container, State, read};
use crate::config::{ContainerConfig, RestartPolicy};
use crate::engine::Engine;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::spec;

/// What `update` changes: what is not given stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Update {
    /// Limits. Of this configuration nothing else counts.
    pub limits: ContainerConfig,
    /// `--pids-limit`; `Some(None)` lifts the limit.
    pub pids_limit: Option<Option<u32>>,
    /// `--restart`.
    pub restart: Option<RestartPolicy>,
}

impl Update {
    fn apply(&self, config: &mut ContainerConfig) -> Result<()> {
        fn set<T: Clone>(to: &mut Option<T>, from: Option<&T>) {
            if let Some(value) = from {
                *to = Some(value.clone());
            }
        }
        let limits = &self.limits;
        set(&mut config.block_io.weight, limits.block_io.weight.as_ref());
        set(&mut config.cpu_period, limits.cpu_period.as_ref());
        set(&mut config.cpu_quota, limits.cpu_quota.as_ref());
        set(&mut config.cpu_rt_period, limits.cpu_rt_period.as_ref());
        set(&mut config.cpu_rt_runtime, limits.cpu_rt_runtime.as_ref());
        set(&mut config.cpu_shares, limits.cpu_shares.as_ref());
        set(&mut config.nano_cpus, limits.nano_cpus.as_ref());
        set(&mut config.cpuset_cpus, limits.cpuset_cpus.as_ref());
        set(&mut config.cpuset_mems, limits.cpuset_mems.as_ref());
        set(&mut config.memory, limits.memory.as_ref());
        set(&mut config.memory_reservation, limits.memory_reservation.as_ref());
        set(&mut config.memory_swap, limits.memory_swap.as_ref());
        config.pids_limit = self.pids_limit.unwrap_or(config.pids_limit);
        config.restart = self.restart.unwrap_or(config.restart);
        if config.auto_remove && config.restart != RestartPolicy::No {
            return Err(Error::conflict("restart policy cannot be updated because --rm is set for the container"));
        }
        config.check_limits()
    }

    fn changes_limits(&self) -> bool {
        self.pids_limit.is_some() || self.limits != ContainerConfig::default()
    }
}

impl Engine {
    /// Gives a container another name. It keeps the host name that it was made with.
    ///
    /// # Errors
    /// `Conflict` for a name in use, `Invalid` for what cannot be one.
    pub fn rename(&self, container: &Container, name: &str) -> Result<()> {
        let name = name.strip_prefix('/').unwrap_or(name);
        let old = &container.record.name;
        if name == old {
            return Err(Error::invalid(format!("the container is called {name} already")));
        }
        let id = &container.record.id;
        let renamed = match self.store.rename_container(id, name) {
            // The holder of the name may be a container that was to go, and has: then its row is all that is left.
            Err(error) if error.kind() == store::ErrorKind::Conflict => {
                self.store.collect_ended();
                self.store.collect_containers();
                self.store.rename_container(id, name)
            }
            other => other,
        };
        renamed?;
        sys::fault::point("rename: row changed");
        self.rename_on_networks(id)?;
        // Its supervisor tells events and has the name it was started with. Without a run directory there is none.
        std::fs::write(self.paths().run_container(id).join(NAME_FILE), name).ok();
        let mut after = container.clone();
        name.clone_into(&mut after.record.name);
        self.tell_container(&after, "rename", &[("oldName", &format!("/{old}"))]);
        Ok(())
    }

    /// Changes limits and restart policy of a container. One that runs has them at once; if that does not work, nothing
    /// is noted.
    ///
    /// # Errors
    /// `Invalid` for limits that contradict one another, `System` when the kernel refuses one.
    pub fn update(&self, container: &Container, update: &Update) -> Result<()> {
        let container = &*self.settled(container)?;
        if let State::Lost(_) = container.state {
            return Err(Error::conflict(format!("container {} is dead", container.record.name)));
        }
        // Before the row is held: what is asked of the host may need rows of other containers.
        let mut wanted = container.config.clone();
        update.apply(&mut wanted)?;
        let host = self.host(&wanted)?;
        let changed = self.store.change_container(&container.record.id, |row| {
            let unreadable = |error| Error::new(ErrorKind::Store, format!("its configuration: {error}"));
            let mut config = ContainerConfig::deserialize(&*row).map_err(unreadable)?;
            update.apply(&mut config)?;
            if update.changes_limits() {
                // Also of one that does not run: what this host cannot give is said now.
                let mut resources = spec::resources(&config, &host)?;
                if update.pids_limit == Some(None) {
                    resources.set_pids(Some(unlimited()));
                }
                if let Some(status) = container.state.status() {
                    // Between two runs there are no cgroups; the next one is made with these.
                    if status.phase != Phase::Restarting {
                        runtime::cgroup::Cgroups::open(&status.cgroups)?.update(&resources)?;
                    }
                    self.keep_resources(container, resources)?;
                }
            }
            *row = config.stored();
            Ok::<(), Error>(())
        });
        changed??;
        let told = policy::Update { restart: update.restart, memory: update.limits.memory.is_some() };
        if container.state.is_running() && (told.restart.is_some() || told.memory) {
            self.tell_update(container, told)?;
        }
        self.tell_container(container, "update", &[]);
        Ok(())
    }
}

impl Engine {
    /// Puts other limits into the configuration that a supervisor reads when the policy has it start the container again.
    fn keep_resources(&self, container: &Container, resources: LinuxResources) -> Result<()> {
        let path = self.bundle(&container.record).join(CONFIG_FILE);
        let Some(mut spec) = read::<Spec>(&path)? else { return Ok(()) };
        if let Some(linux) = spec.linux_mut() {
            linux.set_resources(Some(resources));
        }
        let json = serde_json::to_vec(&spec).map_err(|error| Error::invalid(format!("the configuration: {error}")))?;
        let beside = path.with_file_name(".config.json");
        fs::write(&beside, json).and_then(|()| fs::rename(&beside, &path)).context(|| path.display())
    }
}

fn unlimited() -> oci_spec::runtime::LinuxPids {
    let mut pids = oci_spec::runtime::LinuxPids::default();
    pids.set_limit(-1);
    pids
}
