//! What `info` and `version` say about the host and this engine.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use crate::config::logging::Driver;
use crate::containers::lifecycle::State;
use crate::engine::Engine;
use crate::error::Result;

/// The state of the engine and its host, with docker's names for what both have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of docker's")]
pub struct Info {
    /// All containers.
    pub containers: usize,
    /// Those that run.
    pub containers_running: usize,
    /// Those that are paused.
    pub containers_paused: usize,
    /// The others.
    pub containers_stopped: usize,
    /// Images, each once.
    pub images: usize,
    /// Version of this program.
    pub server_version: &'static str,
    /// How layers become a container's root.
    pub driver: &'static str,
    /// Where logs go.
    pub logging_driver: &'static str,
    /// Who makes cgroups.
    pub cgroup_driver: &'static str,
    /// `1` or `2`.
    pub cgroup_version: &'static str,
    /// What confines containers by default.
    pub security_options: Vec<&'static str>,
    /// Release of the running kernel.
    pub kernel_version: String,
    /// The distribution's name for itself.
    pub operating_system: String,
    /// `linux`.
    #[serde(rename = "OSType")]
    pub os_type: &'static str,
    /// The machine's, as the kernel calls it.
    pub architecture: String,
    /// CPUs that this process may use.
    #[serde(rename = "NCPU")]
    pub cpus: u32,
    /// Bytes of memory.
    pub mem_total: u64,
    /// The host's name.
    pub name: String,
    /// The store's persistent directory.
    pub docker_root_dir: String,
    /// The store's directory for what does not survive a reboot.
    pub run_dir: String,
    /// The distribution's version.
    #[serde(rename = "OSVersion")]
    pub os_version: String,
    /// Drivers by kind, with docker's names of the kinds.
    pub plugins: BTreeMap<&'static str, Vec<&'static str>>,
    /// What runs containers.
    pub runtimes: BTreeMap<&'static str, BTreeMap<&'static str, &'static str>>,
    /// The one that is taken.
    pub default_runtime: &'static str,
    /// What `--init` is.
    pub init_binary: &'static str,
    /// Whether containers go on without this program: always.
    pub live_restore_enabled: bool,
    /// Whether memory can be limited, and so on.
    pub memory_limit: bool,
    /// Likewise.
    pub swap_limit: bool,
    /// Likewise.
    #[serde(rename = "CPUCfsQuota")]
    pub cpu_quota: bool,
    /// Likewise.
    #[serde(rename = "CPUShares")]
    pub cpu_shares: bool,
    /// Likewise.
    #[serde(rename = "CPUSet")]
    pub cpu_set: bool,
    /// Likewise.
    pub pids_limit: bool,
    /// What pulls go through.
    pub http_proxy: String,
    /// Likewise.
    pub https_proxy: String,
    /// What they do not go through it for.
    pub no_proxy: String,
    /// Where images without a registry's name come from.
    pub index_server_address: &'static str,
    /// Where descriptions of devices are looked for.
    #[serde(rename = "CDISpecDirs")]
    pub cdi_spec_dirs: Vec<&'static str>,
    /// Labels of the host: none can be set.
    pub labels: Vec<String>,
    /// Whether there is anything that may change without notice.
    pub experimental_build: bool,
    /// The time, RFC 3339.
    pub system_time: String,
}

/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `version` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Version {
    /// Of this program.
    pub version: &'static str,
    /// Operating system it was built for.
    pub os: &'static str,
    /// Processor it was built for, as `GOARCH`.
    pub arch: &'static str,
    /// Release of the running kernel.
    pub kernel_version: String,
    /// Of the files in the store.
    pub store_format: u32,
}

impl Version {
    /// Of this program on this host.
    pub fn current() -> Version {
        Version {
            version: VERSION,
            os: "linux",
            arch: if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            kernel_version: rustix::system::uname().release().to_string_lossy().into_owned(),
            store_format: store::FORMAT,
        }
    }
}

impl Engine {
    /// Counts and describes.
    ///
    /// # Errors
    /// `Store`.
    pub fn info(&self) -> Result<Info> {
        let containers = self.containers(true)?;
        // As docker counts: what waits to be started again runs.
        let count = |is: fn(&State) -> bool| containers.iter().filter(|container| is(&container.state)).count();
        let running = count(|state| matches!(state, State::Running(_) | State::Restarting(_)));
        let paused = count(|state| matches!(state, State::Paused(_)));
        let kernel = rustix::system::uname();
        let has = |controller: &str| Controllers::read().0.contains(controller);
        let variable = |name: &str| {
            let upper = std::env::var(name).or_else(|_| std::env::var(name.to_lowercase()));
            upper.unwrap_or_default()
        };
        let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
        Ok(Info {
            containers: containers.len(),
            containers_running: running,
            containers_paused: paused,
            containers_stopped: containers.len() - running - paused,
            images: self.store.images()?.len(),
            server_version: VERSION,
            driver: "overlay2",
            logging_driver: "json-file",
            cgroup_driver: "cgroupfs",
            cgroup_version: cgroup_version(),
            security_options: vec!["name=seccomp,profile=builtin", "name=cgroupns"],
            kernel_version: text(kernel.release()),
            operating_system: of_release("PRETTY_NAME").unwrap_or_else(|| "Linux".to_owned()),
            os_type: "linux",
            architecture: text(kernel.machine()),
            cpus: rustix::thread::sched_getaffinity(None).map_or(0, |set| set.count()),
            mem_total: memory(),
            name: text(kernel.nodename()),
            docker_root_dir: self.paths().root().display().to_string(),
            run_dir: self.paths().run().display().to_string(),
            os_version: of_release("VERSION_ID").unwrap_or_default(),
            plugins: BTreeMap::from([
                ("Log", Driver::names()),
                ("Network", vec!["bridge", "host", "ipvlan", "macvlan", "null"]),
                ("Volume", vec!["local"]),
            ]),
            runtimes: BTreeMap::from([("phial-runtime", BTreeMap::from([("path", "phial-runtime")]))]),
            default_runtime: "phial-runtime",
            init_binary: "phial-runtime",
            live_restore_enabled: true,
            memory_limit: has("memory"),
            swap_limit: has("memory"),
            cpu_quota: has("cpu"),
            cpu_shares: has("cpu"),
            cpu_set: has("cpuset"),
            pids_limit: has("pids"),
            http_proxy: variable("HTTP_PROXY"),
            https_proxy: variable("HTTPS_PROXY"),
            no_proxy: variable("NO_PROXY"),
            index_server_address: "https://index.docker.io/v1/",
            cdi_spec_dirs: crate::host::cdi::DIRECTORIES.to_vec(),
            labels: Vec::new(),
            experimental_build: false,
            system_time: crate::words::ago::now(),
        })
    }
}

/// The unified hierarchy alone has this file at the usual place; on a hybrid host the controllers are those of v1.
fn cgroup_version() -> &'static str {
    if std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() { "2" } else { "1" }
}

/// The controllers of cgroups that this kernel has, of whatever version.
struct Controllers(HashSet<String>);

impl Controllers {
    fn read() -> Controllers {
        let text = std::fs::read_to_string("/proc/cgroups").unwrap_or_default();
        let names = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split('\t').next());
        let unified = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        Controllers(names.chain(unified.split_whitespace()).map(str::to_owned).collect())
    }
}

/// A value of os-release(5).
fn of_release(key: &str) -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    value.map(|value| value.trim_matches('"').to_owned())
}

fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram.saturating_mul(u64::from(info.mem_unit))
}
