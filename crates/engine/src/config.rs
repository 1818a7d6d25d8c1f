//! What a container was asked to be: docker's flags as typed, serializable data, and their parsers.
//!
//! Parsers are pure: text in, value or an error that names the flag and the value out. Nothing here looks at the host,
//! but for [`env::parse`] and [`env::parse_file`], which are handed the host's environment as a function.

pub mod block_io;
pub mod capability;
pub mod change;
pub mod device;
pub mod env;
pub mod health;
pub mod limits;
pub mod logging;
pub mod mount;
pub mod names;
pub mod namespace;
pub mod network;
pub mod port;
pub mod restart;
pub mod security;
pub mod signal;
pub mod size;
pub mod ulimit;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use block_io::{BlockIo, OfDisk};
pub use capability::CapabilityChoice;
pub use device::{Device, DeviceRule, Gpus};
pub use health::Healthcheck;
pub use limits::parse_pids_limit;
pub use logging::Logging;
pub use mount::{ImageMount, Mount, MountKind, Origin, Propagation, RecursiveReadOnly, VolumeMount, VolumesFrom};
pub use names::{Dns, ExtraHost, HostAddress, parse_hostname};
pub use namespace::{Ipc, Sharing};
pub use network::{Connection, Link, Network, NetworkFlags};
pub use port::PortMapping;
pub use restart::RestartPolicy;
pub(crate) use security::Apparmor;
pub use security::{Seccomp, SecurityOption};
pub use signal::Signal;
pub use ulimit::Ulimit;

use crate::error::{Context, Error, Result};

/// Everything `create` and `run` take, as docker's flags have it. Kept in the store as JSON: fields are only ever added.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own, which is there or not")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerConfig {
    /// The image, as the user typed it.
    pub image: String,
    /// What stands after the image on the command line; replaces the image's command if not empty.
    pub command: Vec<String>,
    /// `--entrypoint`. `Some` of an empty list or of one empty string drops the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// `--env-file`, then `-e`: `KEY=VALUE`, or `KEY` alone, which removes the image's variable.
    pub env: Vec<String>,
    /// `-w`.
    pub working_dir: Option<String>,
    /// `-u`: `user[:group]`, names or numbers.
    pub user: Option<String>,
    /// `--group-add`: names or numbers.
    pub group_add: Vec<String>,
    /// `--hostname`; the first twelve digits of the id otherwise.
    pub hostname: Option<String>,
    /// `--domainname`.
    pub domainname: Option<String>,
    /// `-t`.
    pub tty: bool,
    /// `-i`.
    pub open_stdin: bool,
    /// `-d`.
    pub detach: bool,
    /// `-a`: which streams a foreground command is connected to; empty is all of them.
    pub attach: Vec<Attached>,
    /// `--name`; a random one otherwise.
    pub name: Option<String>,
    /// `--rm`.
    pub auto_remove: bool,
    /// `-v`, `--mount` and `--tmpfs`, in the order given. Of a container that was created also those that come from other
    /// containers and from the image, and every volume has its name.
    pub mounts: Vec<Mount>,
    /// `--volumes-from`.
    pub volumes_from: Vec<VolumesFrom>,
    /// `--volume-driver`: the driver of volumes that have to be made and name no other.
    pub volume_driver: Option<String>,
    /// `--read-only`.
    pub read_only: bool,
    /// `--network`, with `--network-alias`, `--ip`, `--ip6` and `--mac-address`.
    pub network: Network,
    /// `--link`.
    pub links: Vec<Link>,
    /// `-p`.
    pub ports: Vec<PortMapping>,
    /// `-P`: every port that is exposed has one of the host.
    pub publish_all: bool,
    /// `--pid`.
    pub pid: Sharing,
    /// `--ipc`.
    pub ipc: Ipc,
    /// `--uts`.
    pub uts: Sharing,
    /// `--cgroupns`.
    pub cgroup_namespace: Sharing,
    /// `--userns host`, which is what every container has.
    pub userns_host: bool,
    /// `--add-host`.
    pub extra_hosts: Vec<ExtraHost>,
    /// `--dns`, `--dns-search`, `--dns-option`.
    pub dns: Dns,
    /// `--expose`, as `port/protocol`.
    pub exposed_ports: Vec<String>,
    /// `-m`, bytes.
    pub memory: Option<u64>,
    /// `--memory-reservation`, bytes.
    pub memory_reservation: Option<u64>,
    /// `--memory-swap`: memory and swap together, bytes; -1 is no limit, None twice the memory.
    pub memory_swap: Option<i64>,
    /// `--memory-swappiness`, 0 to 100.
    pub memory_swappiness: Option<u64>,
    /// `--oom-kill-disable`.
    pub oom_kill_disable: bool,
    /// `--oom-score-adj`.
    pub oom_score_adj: Option<i32>,
    /// `--shm-size`, bytes.
    pub shm_size: Option<u64>,
    /// `--cpus`, billionths of a CPU.
    pub nano_cpus: Option<u64>,
    /// `--cpu-shares`.
    pub cpu_shares: Option<u64>,
    /// `--cpu-period`, microseconds.
    pub cpu_period: Option<u64>,
    /// `--cpu-quota`, microseconds in each period.
    pub cpu_quota: Option<i64>,
    /// `--cpu-rt-period`, microseconds.
    pub cpu_rt_period: Option<u64>,
    /// `--cpu-rt-runtime`, microseconds in each period.
    pub cpu_rt_runtime: Option<u64>,
    /// `--cpuset-cpus`.
    pub cpuset_cpus: Option<String>,
    /// `--cpuset-mems`.
    pub cpuset_mems: Option<String>,
    /// `--blkio-weight`, `--device-read-bps` and the like.
    pub block_io: BlockIo,
    /// `--pids-limit`; None is no limit.
    pub pids_limit: Option<u32>,
    /// `--cgroup-parent`.
    pub cgroup_parent: Option<String>,
    /// `--device`.
    pub devices: Vec<Device>,
    /// `--device-cgroup-rule`.
    pub device_rules: Vec<DeviceRule>,
    /// `--gpus`.
    pub gpus: Option<Gpus>,
    /// `--privileged`.
    pub privileged: bool,
    /// `--cap-add`.
    pub cap_add: Vec<CapabilityChoice>,
    /// `--cap-drop`.
    pub cap_drop: Vec<CapabilityChoice>,
    /// `--security-opt`.
    pub security_opt: Vec<SecurityOption>,
    /// `--ulimit`.
    pub ulimits: Vec<Ulimit>,
    /// `--sysctl`.
    pub sysctls: BTreeMap<String, String>,
    /// `--annotation`.
    pub annotations: BTreeMap<String, String>,
    /// `--init`.
    pub init: bool,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--cidfile`.
    pub cidfile: Option<String>,
    /// `--log-driver` and `--log-opt`.
    pub logging: Logging,
    /// `--stop-signal`; the image's, or SIGTERM, otherwise.
    pub stop_signal: Option<Signal>,
    /// `--stop-timeout`, seconds; 10 otherwise.
    pub stop_timeout: Option<u32>,
    /// `--restart`.
    pub restart: RestartPolicy,
    /// `--health-cmd` and the rest; once it is created, with what the image says.
    pub health: Option<Healthcheck>,
}

impl ContainerConfig {
    /// As the store keeps it: without what is as it is by default. That is most of it, and lists read all of them.
    pub(crate) fn stored(&self) -> serde_json::Value {
        let value = |config: &ContainerConfig| {
            serde_json::to_value(config).expect("a configuration has string keys and nothing else that JSON lacks")
        };
        let (mut stored, default) = (value(self), value(&ContainerConfig::default()));
        if let Some(fields) = stored.as_object_mut() {
            fields.retain(|name, field| default.get(name) != Some(field));
        }
        stored
    }
}

/// Everything `exec` takes.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own, which is there or not")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecConfig {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// `-e` and `--env-file`, as in [`ContainerConfig::env`].
    pub env: Vec<String>,
    /// `-w`; the container's otherwise.
    pub working_dir: Option<String>,
    /// `-u`; the container's otherwise.
    pub user: Option<String>,
    /// `-t`.
    pub tty: bool,
    /// `-i`.
    pub open_stdin: bool,
    /// `-d`.
    pub detach: bool,
    /// `--privileged`: every capability of the host.
    pub privileged: bool,
}

/// One of a process's three streams (`-a`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attached {
    /// What it reads.
    Stdin,
    /// What it writes.
    Stdout,
    /// What it complains with.
    Stderr,
}

impl Attached {
    /// Parses `-a`.
    ///
    /// # Errors
    /// `Invalid` for anything but the three.
    pub fn parse(text: &str) -> Result<Attached> {
        match text.to_ascii_lowercase().as_str() {
            "stdin" => Ok(Attached::Stdin),
            "stdout" => Ok(Attached::Stdout),
            "stderr" => Ok(Attached::Stderr),
            _ => Err(Error::invalid(format!("--attach {text}: none of stdin, stdout and stderr"))),
        }
    }
}

/// Parses `--label KEY[=VALUE]`.
///
/// # Errors
/// `Invalid` for an empty key.
pub fn parse_label(text: &str) -> Result<(String, String)> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() {
        return Err(Error::invalid(format!("--label {text}: the name is empty")));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Parses the file `name` of `--label-file`: one label a line; blank lines and those that begin with `#` are skipped.
/// `read` reads it.
///
/// # Errors
/// What `read` answers; `Invalid`, with the line's number, for a name that is empty or has white space.
pub fn parse_label_file(
    name: &str,
    read: impl Fn(&str) -> std::io::Result<Vec<u8>>,
) -> Result<BTreeMap<String, String>> {
    let flag = || format!("--label-file {name}");
    let content = read(name).context(flag)?;
    let mut labels = BTreeMap::new();
    for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let invalid = |why: &str| Error::invalid(format!("{}: line {}: {why}", flag(), index + 1));
        let line = str::from_utf8(line).map_err(|_| invalid("not UTF-8"))?;
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(invalid(&format!("'{key}' is not the name of a label")));
        }
        labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        let cases = [("a=b", Some(("a", "b"))), ("a", Some(("a", ""))), ("a=b=c", Some(("a", "b=c"))), ("=b", None)];
        for (text, expected) in cases {
            let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
            assert_eq!(parse_label(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn files_of_labels() {
        let check = |text: &str, expected: Option<&[(&str, &str)]>| {
            let found = parse_label_file("f", |_| Ok(text.as_bytes().to_vec())).ok();
            let expected = expected.map(|labels| {
                labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
            });
            assert_eq!(found, expected, "{text:?}");
        };
        check("# first\na=1\n\n  b\r\nc=x=y\n", Some(&[("a", "1"), ("b", ""), ("c", "x=y")]));
        check("=1\n", None);
        check("a b=1\n", None);
    }

    #[test]
    fn what_is_as_by_default_is_not_stored_and_comes_back() {
        let config = ContainerConfig { image: "alpine".to_owned(), tty: true, ..ContainerConfig::default() };
        let stored = config.stored();
        assert_eq!(stored, serde_json::json!({"image": "alpine", "tty": true}));
        assert_eq!(serde_json::from_value::<ContainerConfig>(stored).expect("is one"), config);
    }

    #[test]
    fn a_config_of_an_older_version_is_read() {
        let config: ContainerConfig = serde_json::from_str(r#"{"image":"alpine","memory":1}"#).expect("is JSON");
        assert_eq!((config.image.as_str(), config.memory, config.tty), ("alpine", Some(1), false));
    }

    proptest::proptest! {
        #[test]
        fn no_words_make_a_parser_panic(text in "(.|[:,=./0-9a-zA-Z]){0,30}") {
            let here = std::path::Path::new("/here");
            for mount in [Mount::parse_volume(&text, here), Mount::parse_mount(&text, here), Mount::parse_tmpfs(&text)] {
                proptest::prop_assert!(mount.is_err() || mount.is_ok_and(|mount| mount.target.is_absolute()));
            }
            let _ = (Ulimit::parse(&text), Signal::parse("-s", &text), CapabilityChoice::parse("--cap-add", &text));
            let _ = (size::parse_memory(&text), size::parse_cpus(&text), env::parse(&text, |_| None));
            let _ = (Device::parse(&text), DeviceRule::parse(&text), Gpus::parse(&text), ExtraHost::parse(&text));
            let _ = (names::parse_expose(&text), limits::parse_set("--cpuset-cpus", &text), limits::parse_sysctl(&text));
            let _ = (PortMapping::parse(&text), Link::parse(&text), Connection::parse(&text));
            let _ = (env::parse_file("f", text.as_bytes(), |_| None), parse_hostname(&text), parse_label(&text));
        }
    }
}
