//! What `info` and `version` say about the host and this engine.

use serde::Serialize;

use crate::engine::Engine;
use crate::error::Result;
use crate::lifecycle::State;

/// The state of the engine and its host, with docker's names for what both have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Info {
    /// All containers.
    pub containers: usize,
    /// Those that run.
    pub containers_running: usize,
    /// Those that can be paused and are: none yet.
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
        let running = containers.iter().filter(|container| matches!(container.state, State::Running(_))).count();
        let kernel = rustix::system::uname();
        let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
        Ok(Info {
            containers: containers.len(),
            containers_running: running,
            containers_paused: 0,
            containers_stopped: containers.len() - running,
            images: self.store.images()?.len(),
            server_version: VERSION,
            driver: "overlay2",
            logging_driver: "json-file",
            cgroup_driver: "cgroupfs",
            cgroup_version: cgroup_version(),
            security_options: vec!["name=seccomp,profile=builtin", "name=cgroupns"],
            kernel_version: text(kernel.release()),
            operating_system: operating_system(),
            os_type: "linux",
            architecture: text(kernel.machine()),
            cpus: rustix::thread::sched_getaffinity(None).map_or(0, |set| set.count()),
            mem_total: memory(),
            name: text(kernel.nodename()),
            docker_root_dir: self.paths().root().display().to_string(),
            run_dir: self.paths().run().display().to_string(),
        })
    }
}

/// The unified hierarchy alone has this file at the usual place; on a hybrid host the controllers are those of v1.
fn cgroup_version() -> &'static str {
    if std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() { "2" } else { "1" }
}

fn operating_system() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}

fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram.saturating_mul(u64::from(info.mem_unit))
}
