//! `phial info`.

use std::fs;
use std::process::ExitCode;

use clap::Args;
use engine::Info as Facts;
use serde_json::json;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::format::FormatFlag;
use crate::output::{human, print};

const EXAMPLES: &str = "\
Examples:
  phial info
  phial info --format '{{.NCPU}} CPUs'";

/// What `phial info` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Info {
    #[command(flatten)]
    format: FormatFlag,
}

impl Execute for Info {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let format = self.format.object()?;
        let info = context.engine()?.info().cannot(|| "describe this host")?;
        if let Some(format) = format {
            print(&format.line(&json!(info))?)?;
            return Ok(ExitCode::SUCCESS);
        }
        print(&text(&info))?;
        for warning in warnings(&info) {
            crate::failure::say(&format!("WARNING: {warning}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Docker's layout.
fn text(info: &Facts) -> String {
    let security: String = info.security_options.iter().map(|option| security_option(option)).collect();
    let plugins =
        ["Volume", "Network", "Log"].map(|kind| format!("  {kind}: {}\n", info.plugins[kind].join(" "))).concat();
    let runtimes = info.runtimes.keys().copied().collect::<Vec<_>>().join(" ");
    format!(
        "\
Client: Phial
 Version:    {version}

Engine: Phial, in the same program
 Containers: {}
  Running: {}
  Paused: {}
  Stopped: {}
 Images: {}
 Server Version: {version}
 Storage Driver: {}
 Logging Driver: {}
 Cgroup Driver: {}
 Cgroup Version: {}
 Security Options:
{security} Plugins:
{plugins} Runtimes: {runtimes}
 Default Runtime: {}
 Init Binary: {}
 Kernel Version: {}
 Operating System: {}
 OSType: {}
 Architecture: {}
 CPUs: {}
 Total Memory: {}
 Name: {}
 Phial Root Dir: {}
 Phial Run Dir: {}
 Live Restore Enabled: {}
",
        info.containers,
        info.containers_running,
        info.containers_paused,
        info.containers_stopped,
        info.images,
        info.driver,
        info.logging_driver,
        info.cgroup_driver,
        info.cgroup_version,
        info.default_runtime,
        info.init_binary,
        info.kernel_version,
        info.operating_system,
        info.os_type,
        info.architecture,
        info.cpus,
        human::binary_size(info.mem_total),
        info.name,
        info.docker_root_dir,
        info.run_dir,
        info.live_restore_enabled,
        version = info.server_version,
    )
}

/// `name=seccomp,profile=builtin` as docker lists it.
fn security_option(option: &str) -> String {
    let lines = option.split(',').filter_map(|part| match part.split_once('=')? {
        ("name", name) => Some(format!("  {name}\n")),
        (key, value) => Some(format!("   {}: {value}\n", capitalised(key))),
    });
    lines.collect()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What this host lacks.
fn warnings(info: &Facts) -> Vec<&'static str> {
    let mut list = Vec::new();
    let modules = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    if !modules.split(',').any(|module| matches!(module.trim(), "apparmor" | "selinux")) {
        list.push("No security module (AppArmor, SELinux) confines containers on this host");
    }
    if info.cgroup_version == "1" {
        list.push("The controllers are those of cgroup v1, which is deprecated");
    }
    list
}
