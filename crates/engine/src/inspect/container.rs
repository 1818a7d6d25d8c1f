//! `inspect` of a container.

use std::collections::{BTreeMap, BTreeSet};

use ::image::Config;
use runtime::protocol::policy::{HEALTH_FILE, Health, HealthStatus};
use serde_json::{Map, Value, json};

use super::mounts;
use crate::config::{
    Attached, ContainerConfig, Device, ExtraHost, Healthcheck, Ipc, OfDisk, RestartPolicy, Seccomp, SecurityOption,
    Sharing, env,
};
use crate::containers::create::{LOG_FILE, UPPER, WORK};
use crate::containers::lifecycle::{Container, State, read};
use crate::engine::Engine;
use crate::error::Result;
use crate::inspect::state::{restarts, state};
use crate::spec;

/// Bytes of `/dev/shm` when nothing is said.
const SHM_SIZE: u64 = 64 * 1024 * 1024;

impl Engine {
    /// A container in docker's shape.
    ///
    /// # Errors
    /// `Store` when its image's configuration is not there.
    pub fn inspect_container(&self, container: &Container) -> Result<Value> {
        let record = &container.record;
        let image = self.image_config(container)?;
        let arguments = container.arguments(&image);
        let (bundle, directory) = (self.bundle(record), self.paths().container(&record.id));
        let lower = self.lower(self.layers(&self.store.image(&record.image)?))?;
        let lower: Vec<String> = lower.iter().map(|path| path.display().to_string()).collect();
        let process = self.process(container)?;
        Ok(json!({
            "Id": record.id.hex(),
            "Created": record.created,
            "Path": arguments.first(),
            "Args": arguments.get(1..).unwrap_or_default(),
            "State": state(&container.state, self.health(container)?),
            "Image": record.image.to_string(),
            "ResolvConfPath": bundle.join("resolv.conf"),
            "HostnamePath": bundle.join("hostname"),
            "HostsPath": bundle.join("hosts"),
            "LogPath": directory.join(LOG_FILE),
            "Name": format!("/{}", record.name),
            "RestartCount": restarts(&container.state),
            "Driver": "overlay2",
            "Platform": "linux",
            "MountLabel": "",
            "ProcessLabel": process.selinux_label().as_deref().unwrap_or_default(),
            "AppArmorProfile": process.apparmor_profile().as_deref().unwrap_or_default(),
            "ExecIDs": null,
            "HostConfig": host_config(&container.config, self.network_config(container)),
            "GraphDriver": {
                "Name": "overlay2",
                "Data": {
                    "LowerDir": lower.join(":"),
                    "UpperDir": directory.join(UPPER),
                    "WorkDir": directory.join(WORK),
                },
            },
            "Mounts": mounts::mounts(&container.config, self.paths()),
            "Config": config(container, &image, process.env().as_deref().unwrap_or_default()),
            "NetworkSettings": self.network_settings(container, &image)?,
        }))
    }
}

impl Engine {
    /// What the health checks of a container say, if it has any and has run in this boot.
    fn health(&self, container: &Container) -> Result<Option<Health>> {
        if container.config.health.is_none() {
            return Ok(None);
        }
        let mut health: Option<Health> = read(&self.paths().run_container(&container.record.id).join(HEALTH_FILE))?;
        // Its supervisor could not say so any more.
        if let (State::Lost(_), Some(health)) = (&container.state, &mut health) {
            health.status = HealthStatus::Unhealthy;
        }
        Ok(health)
    }

    /// The word for it, which the supervisor of a running one has said as well. What cannot be read is not known.
    pub(crate) fn health_status(&self, container: &Container) -> Option<HealthStatus> {
        match container.state.status() {
            Some(status) => status.health,
            None => self.health(container).ok().flatten().map(|health| health.status),
        }
    }
}

/// The labels of a container: the image's, and its own in their place.
pub(crate) fn labels(config: &ContainerConfig, image: &Config) -> BTreeMap<String, String> {
    let mut labels = image.labels.clone();
    labels.extend(config.labels.clone());
    labels
}

/// The ports that a container says it listens on: the image's, those of `--expose`, and those that are published.
pub(crate) fn exposed_ports(config: &ContainerConfig, image: &Config) -> BTreeSet<String> {
    let published = config
        .ports
        .iter()
        .flat_map(|mapping| mapping.container_ports().map(|port| format!("{port}/{}", mapping.protocol)));
    image.exposed_ports.iter().chain(&config.exposed_ports).cloned().chain(published).collect()
}

fn config(container: &Container, image: &Config, variables: &[String]) -> Value {
    let config = &container.config;
    let mut own = image.env.clone();
    env::merge(&mut own, config.env.iter().cloned());
    let wants = |stream| !config.detach && (config.attach.is_empty() || config.attach.contains(&stream));
    let attached = wants(Attached::Stdin);
    let command = if config.command.is_empty() && config.entrypoint.is_none() {
        image.cmd.clone()
    } else {
        Some(config.command.clone())
    };
    let ports: Map<String, Value> = exposed_ports(config, image).into_iter().map(|port| (port, json!({}))).collect();
    let mut value = json!({
        "Hostname": env::value(variables, "HOSTNAME").unwrap_or_default(),
        "Domainname": config.domainname.as_deref().unwrap_or_default(),
        "User": config.user.as_deref().unwrap_or(&image.user),
        "AttachStdin": attached && config.open_stdin,
        "AttachStdout": wants(Attached::Stdout),
        "AttachStderr": wants(Attached::Stderr),
        "Tty": config.tty,
        "OpenStdin": config.open_stdin,
        "StdinOnce": attached && config.open_stdin,
        "Env": own,
        "Cmd": command.filter(|command| !command.is_empty()),
        "Image": container.record.image_name,
        "Volumes": mounts::paths_of_volumes(config, &image.volumes),
        "WorkingDir": config.working_dir.as_deref().unwrap_or(&image.working_dir),
        "Entrypoint": config.entrypoint.clone().or_else(|| image.entrypoint.clone()),
        "OnBuild": null,
        "Labels": labels(config, image),
    });
    let mut add =
        |key: &str, field: Value| value.as_object_mut().and_then(|object| object.insert(key.to_owned(), field));
    if !ports.is_empty() {
        add("ExposedPorts", Value::Object(ports));
    }
    if let Some(signal) = config.stop_signal {
        add("StopSignal", signal.to_string().into());
    }
    if let Some(seconds) = config.stop_timeout {
        add("StopTimeout", seconds.into());
    }
    if let Some(check) = &config.health {
        add("Healthcheck", healthcheck(check));
    }
    value
}

fn healthcheck(check: &Healthcheck) -> Value {
    let mut value = json!({"Test": check.test});
    let times = [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
        ("Retries", check.retries.into()),
    ];
    for (name, number) in times.into_iter().filter(|(_, number)| *number != 0) {
        value[name] = number.into();
    }
    value
}

fn restart_policy(policy: RestartPolicy) -> Value {
    let most = if let RestartPolicy::OnFailure(most) = policy { most } else { 0 };
    json!({"Name": policy.name(), "MaximumRetryCount": most})
}

/// `networks` is the part of it about networks.
fn host_config(config: &ContainerConfig, networks: Value) -> Value {
    let none_or = |choices: Vec<String>| if choices.is_empty() { Value::Null } else { json!(choices) };
    let mut security: Vec<String> = config.security_opt.iter().map(security_option).collect();
    // As docker notes it: labels would be in the way of what such a container is for.
    let shares = config.privileged || config.pid == Sharing::Host || config.ipc == Ipc::Host;
    if shares && !config.security_opt.contains(&SecurityOption::LabelDisable) {
        security.push(security_option(&SecurityOption::LabelDisable));
    }
    let names =
        |choices: &[crate::config::CapabilityChoice]| none_or(choices.iter().map(ToString::to_string).collect());
    let ulimits: Vec<Value> = config
        .ulimits
        .iter()
        .map(|limit| {
            // Docker counts in signed numbers, where -1 is unlimited.
            json!({"Name": limit.name(), "Hard": limit.hard.cast_signed(), "Soft": limit.soft.cast_signed()})
        })
        .collect();
    let mut all = json!({
        "Binds": none_or(mounts::binds(config)),
        "ContainerIDFile": config.cidfile.as_deref().unwrap_or_default(),
        "LogConfig": {"Type": config.logging.driver.name(), "Config": config.logging.options},
        "RestartPolicy": restart_policy(config.restart),
        "AutoRemove": config.auto_remove,
        "VolumeDriver": config.volume_driver.as_deref().unwrap_or_default(),
        "VolumesFrom": mounts::volumes_from(config),
        "Mounts": mounts::asked(config),
        "Tmpfs": mounts::tmpfs(config),
        "CapAdd": names(&config.cap_add),
        "CapDrop": names(&config.cap_drop),
        "CgroupnsMode": if config.cgroup_namespace == Sharing::Host { "host" } else { "private" },
        "Dns": config.dns.servers,
        "DnsOptions": config.dns.options,
        "DnsSearch": config.dns.search,
        "ExtraHosts": none_or(config.extra_hosts.iter().map(ExtraHost::text).collect()),
        "GroupAdd": none_or(config.group_add.clone()),
        "IpcMode": config.ipc.to_string(),
        "OomScoreAdj": config.oom_score_adj.unwrap_or(0),
        "PidMode": config.pid.to_string(),
        "Privileged": config.privileged,
        "ReadonlyRootfs": config.read_only,
        "SecurityOpt": none_or(security),
        "UTSMode": config.uts.to_string(),
        "UsernsMode": if config.userns_host { "host" } else { "" },
        "ShmSize": config.shm_size.unwrap_or(SHM_SIZE),
        "Runtime": "phial-runtime",
        "Memory": config.memory.unwrap_or(0),
        "NanoCpus": config.nano_cpus.unwrap_or(0),
        "PidsLimit": config.pids_limit,
        "Ulimits": ulimits,
        "Init": config.init,
    });
    for part in [networks, resources(config), devices(config), paths(config)] {
        if let (Some(all), Value::Object(part)) = (all.as_object_mut(), part) {
            all.extend(part);
        }
    }
    all
}

/// The part of `HostConfig` about limits.
fn resources(config: &ContainerConfig) -> Value {
    let io = &config.block_io;
    let rate = |disk: &OfDisk| json!({"Path": disk.path, "Rate": disk.amount});
    let rates = |list: &[OfDisk]| list.iter().map(rate).collect::<Vec<_>>();
    let weights = io.weight_devices.iter().map(|disk| json!({"Path": disk.path, "Weight": disk.amount}));
    let twice = config.memory.map_or(0, |limit| i64::try_from(limit.saturating_mul(2)).unwrap_or(i64::MAX));
    json!({
        "CgroupParent": config.cgroup_parent.as_deref().unwrap_or_default(),
        "BlkioWeight": io.weight.unwrap_or(0),
        "BlkioWeightDevice": weights.collect::<Vec<_>>(),
        "BlkioDeviceReadBps": rates(&io.read_bps),
        "BlkioDeviceWriteBps": rates(&io.write_bps),
        "BlkioDeviceReadIOps": rates(&io.read_iops),
        "BlkioDeviceWriteIOps": rates(&io.write_iops),
        "CpuShares": config.cpu_shares.unwrap_or(0),
        "CpuPeriod": config.cpu_period.unwrap_or(0),
        "CpuQuota": config.cpu_quota.unwrap_or(0),
        "CpuRealtimePeriod": config.cpu_rt_period.unwrap_or(0),
        "CpuRealtimeRuntime": config.cpu_rt_runtime.unwrap_or(0),
        "CpusetCpus": config.cpuset_cpus.as_deref().unwrap_or_default(),
        "CpusetMems": config.cpuset_mems.as_deref().unwrap_or_default(),
        "MemoryReservation": config.memory_reservation.unwrap_or(0),
        "MemorySwap": config.memory_swap.unwrap_or(twice),
        "MemorySwappiness": config.memory_swappiness,
        "OomKillDisable": config.oom_kill_disable,
        "Cgroup": "",
        "ConsoleSize": [0, 0],
        "Isolation": "",
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
    })
}

/// The part of `HostConfig` about devices, parameters and notes.
fn devices(config: &ContainerConfig) -> Value {
    let mut requests = Vec::new();
    let request = |driver: &str, count: i64, ids: Value, capabilities: Value| json!({"Driver": driver, "Count": count, "DeviceIDs": ids, "Capabilities": capabilities, "Options": {}});
    let mut files = Vec::new();
    let mut vendors = Vec::new();
    for device in &config.devices {
        match device {
            Device::Host { source, target, access } => {
                files.push(json!({"PathOnHost": source, "PathInContainer": target, "CgroupPermissions": access}));
            }
            Device::Cdi(name) => vendors.push(name.clone()),
        }
    }
    if !vendors.is_empty() {
        requests.push(request("cdi", 0, json!(vendors), Value::Null));
    }
    if let Some(gpus) = &config.gpus {
        let driver = gpus.driver.as_deref().unwrap_or_default();
        let ids = none_or_all(gpus.devices.iter().map(|id| json!(id)));
        let mut capabilities = gpus.capabilities.clone();
        if !capabilities.iter().any(|capability| capability == "gpu") {
            capabilities.push("gpu".to_owned());
        }
        requests.push(request(driver, gpus.count.unwrap_or(0), ids, json!([capabilities])));
    }
    let mut value = json!({
        "Devices": files,
        "DeviceCgroupRules": none_or_all(config.device_rules.iter().map(|rule| json!(rule.text()))),
        "DeviceRequests": none_or_all(requests.into_iter()),
    });
    let mut add =
        |key: &str, field: Value| value.as_object_mut().and_then(|object| object.insert(key.to_owned(), field));
    if !config.annotations.is_empty() {
        add("Annotations", json!(config.annotations));
    }
    if !config.sysctls.is_empty() {
        add("Sysctls", json!(config.sysctls));
    }
    value
}

/// The part of `HostConfig` about what of /proc and /sys is hidden; null is nothing, as docker has it.
fn paths(config: &ContainerConfig) -> Value {
    if config.shows_system_paths() {
        return json!({"MaskedPaths": null, "ReadonlyPaths": null});
    }
    json!({"MaskedPaths": spec::masked_paths(0), "ReadonlyPaths": spec::READONLY_PATHS})
}

fn none_or_all(list: impl Iterator<Item = Value>) -> Value {
    let list: Vec<Value> = list.collect();
    if list.is_empty() { Value::Null } else { json!(list) }
}

fn security_option(option: &SecurityOption) -> String {
    match option {
        SecurityOption::NoNewPrivileges(true) => "no-new-privileges".to_owned(),
        SecurityOption::NoNewPrivileges(false) => "no-new-privileges=false".to_owned(),
        SecurityOption::Seccomp(Seccomp::Builtin) => "seccomp=builtin".to_owned(),
        SecurityOption::Seccomp(Seccomp::Unconfined) => "seccomp=unconfined".to_owned(),
        SecurityOption::Seccomp(Seccomp::Profile(text)) => format!("seccomp={text}"),
        SecurityOption::ApparmorUnconfined => "apparmor=unconfined".to_owned(),
        SecurityOption::Apparmor(profile) => format!("apparmor={profile}"),
        SecurityOption::LabelDisable => "label=disable".to_owned(),
        SecurityOption::Label(part) => format!("label={part}"),
        SecurityOption::SystempathsUnconfined => "systempaths=unconfined".to_owned(),
        SecurityOption::WritableCgroups(writable) => format!("writable-cgroups={writable}"),
    }
}
