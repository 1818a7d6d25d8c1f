//! `phial-runtime` and cgroups: who makes them, and further processes in those that a container has made itself.

use std::path::{Path, PathBuf};

use end_to_end::bundle::Bundle;
use end_to_end::{Context, Result};
use serde_json::{Value, json};

/// The directories that a container's state has.
fn directories(bundle: &Bundle, id: &str) -> Result<Vec<PathBuf>> {
    let saved: Value =
        serde_json::from_slice(&std::fs::read(bundle.path().join("state").join(id).join("state.json"))?)?;
    let list = saved["cgroups"].as_array().context("cgroups")?;
    Ok(list.iter().filter_map(Value::as_str).map(PathBuf::from).collect())
}

fn sleeping(options: &[&str]) -> Result<Bundle> {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["sleep", "1000"]);
    bundle.config["linux"]["resources"] = json!({});
    bundle.quiet(&[options, &["create", "c"]].concat())?;
    bundle.ok(&["start", "c"])?;
    Ok(bundle)
}

#[test]
fn a_further_process_joins_a_cgroup_below() -> Result {
    let bundle = sleeping(&[])?;
    let own = directories(&bundle, "c")?;
    let first = own.first().context("no cgroup")?;
    let below: Vec<PathBuf> = own.iter().map(|directory| directory.join("below")).collect();
    for (directory, below) in own.iter().zip(&below) {
        std::fs::create_dir(below)?;
        // A cpuset of v1 takes nobody before it has processors and memory.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if below.join(file).exists() && below.join("cgroup.clone_children").exists() {
                std::fs::write(below.join(file), std::fs::read(directory.join(file))?)?;
            }
        }
    }
    let members = |directory: &Path| std::fs::read_to_string(directory.join("cgroup.procs"));
    for (number, (arguments, all)) in
        [(["--cgroup", "below"], true), (["--cgroup", "/below"], true), (["--cgroup", "/"], false)].iter().enumerate()
    {
        let pid_file = format!("pid{number}");
        let options = ["exec", "-d", "--pid-file", &pid_file];
        bundle.quiet(&[&options, &arguments[..], &["c", "sleep", "1000"]].concat())?;
        let pid = std::fs::read_to_string(bundle.path().join(&pid_file))?;
        let place = if *all { &below[0] } else { first };
        assert!(members(place)?.lines().any(|line| line == pid), "{arguments:?}: {}", members(place)?);
    }
    // On v1 each controller may have its own.
    let memory = own.iter().position(|directory| directory.join("memory.limit_in_bytes").exists());
    if let Some(memory) = memory {
        bundle.quiet(&["exec", "-d", "--pid-file", "pid", "--cgroup", "memory:below", "c", "sleep", "1000"])?;
        let pid = std::fs::read_to_string(bundle.path().join("pid"))?;
        let is_in = |directory: &Path| members(directory).is_ok_and(|list| list.lines().any(|line| line == pid));
        assert!(below.iter().enumerate().all(|(number, directory)| is_in(directory) == (number == memory)));
    }
    // Out of the container leads nothing.
    for path in ["..", "../..", "below/../..", "/..", "nowhere", "no-such:below", "a:b:c"] {
        let refused = bundle.run(&["exec", "--cgroup", path, "c", "true"])?.exited(255)?;
        assert!(refused.stderr.contains("below") || refused.stderr.contains(path), "{refused:?}");
    }
    bundle.ok(&["delete", "--force", "c"])?;
    assert!(!first.exists());
    Ok(())
}

#[test]
fn a_container_without_a_cgroup() -> Result {
    let bundle = sleeping(&["--cgroup-manager", "disabled"])?;
    assert_eq!(directories(&bundle, "c")?, [] as [PathBuf; 0]);
    let outside = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/cgroup"));
    let pid = bundle.state("c")?["pid"].to_string();
    assert_eq!(outside(&pid)?, outside("self")?);
    bundle.ok(&["exec", "c", "true"])?;
    assert!(bundle.run(&["pause", "c"])?.exited(1)?.stderr.contains("freezer"));
    bundle.ok(&["kill", "--all", "c", "KILL"])?;
    while bundle.state("c")?["status"] != "stopped" {}
    bundle.ok(&["delete", "c"])?;

    let mut bundle = Bundle::new()?;
    bundle.config["linux"]["resources"]["memory"] = json!({"limit": 1 << 26});
    let refused = bundle.run(&["--cgroup-manager", "disabled", "run", "c"])?.exited(1)?;
    assert!(refused.stderr.contains("linux.resources.memory {\"limit\":67108864}: needs a cgroup"), "{refused:?}");
    Ok(())
}

#[test]
fn who_makes_cgroups_is_one_of_three() -> Result {
    let bundle = Bundle::new()?;
    let check = |words: &[&str], said: &str| -> Result {
        let refused = bundle.run(words)?.exited(1)?;
        assert!(refused.stderr.contains(said), "{refused:?}");
        Ok(())
    };
    check(&["--cgroup-manager", "other", "list"], "--cgroup-manager other: is none of cgroupfs, systemd and disabled")?;
    check(&["--cgroup-manager", "disabled", "--systemd-cgroup", "list"], "contradicts --systemd-cgroup")?;
    bundle.ok(&["--cgroup-manager", "systemd", "--systemd-cgroup", "--log-level", "warning", "list"])?;
    if !Path::new("/run/systemd/system").exists() {
        check(&["--systemd-cgroup", "run", "c"], "linux.cgroupsPath")?;
    }
    Ok(())
}

#[test]
fn a_further_process_finds_its_way_into_a_divided_cgroup() -> Result {
    let bundle = sleeping(&[])?;
    let own = directories(&bundle, "c")?;
    // As systemd does in a container; v1 has no such rule.
    let Some(own) = own.iter().find(|directory| directory.join("cgroup.subtree_control").exists()) else {
        return Ok(());
    };
    let first = own.join("init.scope");
    std::fs::create_dir(&first)?;
    std::fs::write(first.join("cgroup.procs"), bundle.state("c")?["pid"].to_string())?;
    std::fs::write(own.join("cgroup.subtree_control"), "+memory")?;
    bundle.quiet(&["exec", "-d", "--pid-file", "pid", "c", "sleep", "1000"])?;
    let pid = std::fs::read_to_string(bundle.path().join("pid"))?;
    let members = std::fs::read_to_string(first.join("cgroup.procs"))?;
    assert!(members.lines().any(|line| line == pid), "{members}");
    // Who names a cgroup gets that one, or is told why not.
    let refused = bundle.run(&["exec", "--cgroup", "/", "c", "true"])?.exited(255)?;
    assert!(refused.stderr.contains("clone3"), "{refused:?}");
    Ok(())
}
