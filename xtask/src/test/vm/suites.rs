//! What is tested in the virtual machine: test programs that a nextest on the host has built, Phial, and the images
//! that they use, on a disk. All programs are static, so they run in any Linux as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::process::{program, run};
use end_to_end::{Context, Result, images};
use serde_json::Value;

use super::debian::ext4;
use crate::test::nextest;

/// Package and program. Left out of the end-to-end tests is `kill9`, whose 120 rounds take too long here. Of the other
/// packages those are here that ask the kernel for what differs between kernels: cgroups, and layers under an overlay.
const SUITES: &[(&str, &str)] = &[
    ("end-to-end", "boot"),
    ("end-to-end", "debian"),
    ("end-to-end", "drop_in"),
    ("end-to-end", "errors"),
    ("end-to-end", "flags_limits"),
    ("end-to-end", "harness"),
    ("end-to-end", "health"),
    ("end-to-end", "hints"),
    ("end-to-end", "landlock"),
    ("end-to-end", "leftovers"),
    ("end-to-end", "lifecycle"),
    ("end-to-end", "limits"),
    ("end-to-end", "network_isolation"),
    ("end-to-end", "network_macvlan"),
    ("end-to-end", "network_names"),
    ("end-to-end", "network_traffic"),
    ("end-to-end", "networks"),
    ("end-to-end", "notify"),
    ("end-to-end", "oci"),
    ("end-to-end", "oci_cgroup"),
    ("end-to-end", "oci_mounts"),
    ("end-to-end", "oci_namespaces"),
    ("end-to-end", "oci_checkpoint"),
    ("end-to-end", "oci_systemd"),
    ("end-to-end", "oci_update"),
    ("end-to-end", "pause"),
    ("end-to-end", "process"),
    ("end-to-end", "program"),
    ("end-to-end", "pull"),
    ("end-to-end", "restart"),
    ("end-to-end", "run"),
    ("end-to-end", "stats"),
    ("end-to-end", "update"),
    ("runtime", "runtime"),
];

/// Tests of these suites that cannot be run there, or whose time is not worth what they tell.
const LEFT_OUT: &[&str] = &[
    // It takes strace, which the machine does not have.
    "a_root_that_cannot_be_exchanged_is_moved_if_that_is_allowed",
    // Asks runc and crun, which the machine does not have.
    "what_other_runtimes_write_as_a_beginning_runs_here",
    // Ask engines, which the machine does not have.
    "nothing_is_left_of_what_containerd_and_podman_did_with_it",
    "nothing_is_left_of_what_docker_did_with_it",
    // The cases stand in files of the project, which the machine does not have.
    "cases_are_read_and_laid_out",
    // Its server, dnsmasq, is not there.
    "a_real_server_is_asked",
    // Takes packages from apt's servers; the machine has no network.
    "a_shell_where_no_registry_is",
    // The other backend of the firewall, whose programs take most of the time of these tests.
    "iptables::",
    // 150 containers one after the other: four minutes.
    "an_end_is_seen_at_whatever_moment_one_asks",
    // Pulls a Debian twice, which has little to do with the kernel: a minute.
    "broken_connections_are_resumed",
];

/// An ext4 image below `work` with everything that the machine runs.
pub(super) fn disk(program: &Path, filter: &[String], work: &Path) -> Result<PathBuf> {
    let tree = work.join("tree");
    let programs = tree.join("programs");
    fs::create_dir_all(&programs)?;
    for (name, file) in built()? {
        link(&file, &programs.join(name))?;
    }
    link(program, &tree.join("phial"))?;
    link(&program.with_file_name("phial-runtime"), &tree.join("phial-runtime"))?;
    let images = images::prepare()?;
    let same = tree.join("test-images").join(images.file_name().context("the images have no directory")?);
    fs::create_dir_all(tree.join("test-images"))?;
    link(&images, &same)?;
    fs::write(tree.join("run"), include_str!("run.sh"))?;
    fs::write(tree.join("arguments"), arguments(filter))?;
    let image = work.join("tests.ext4");
    ext4(&tree, &image)?;
    Ok(image)
}

/// Names and files of the test programs.
fn built() -> Result<Vec<(String, PathBuf)>> {
    let list = nextest::list()?;
    let suites = list["rust-suites"].as_object().context("nextest list has no rust-suites")?;
    let find = |(package, name): (&str, &str)| {
        let is = |suite: &&Value| suite["package-name"] == package && suite["binary-name"] == name;
        let path = suites.values().find(is).and_then(|suite| suite["binary-path"].as_str());
        let path = path.context(format!("package {package} has no tests named {name}"))?;
        Ok((format!("{package}-{name}"), PathBuf::from(path)))
    };
    SUITES.iter().copied().map(find).collect()
}

/// For libtest, one word a line.
fn arguments(filter: &[String]) -> String {
    let skipped = LEFT_OUT.iter().flat_map(|name| ["--skip", name]);
    let words: Vec<&str> = skipped.chain(filter.iter().map(String::as_str)).collect();
    words.join("\n") + "\n"
}

/// A file or directory once more, without a copy of its content.
fn link(from: &Path, to: &Path) -> Result {
    let mut cp = Command::new(self::program("cp", "coreutils")?);
    run(cp.args(["--archive", "--link", "--"]).arg(from).arg(to))?.success().map(drop)
}
