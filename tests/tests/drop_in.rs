//! What callers of runc rely on without its being written down: who is in which group, when a root may still be written,
//! what an older configuration means.

use std::os::unix::fs::symlink;

use end_to_end::bundle::Bundle;
use end_to_end::{Context, Result};
use serde_json::json;

#[test]
fn supplementary_groups_are_those_of_the_configuration() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["sh", "-c", "while read k v; do test $k = Groups: && echo $v; done < /proc/self/status; true"]);
    for (groups, expected) in [(json!([]), "\n"), (json!([20, 30]), "20 30\n"), (json!([10, 20]), "10 20\n")] {
        bundle.config["process"]["user"] = json!({"uid": 10, "gid": 10, "additionalGids": groups});
        assert_eq!(bundle.ok(&["run", "c"])?, expected);
    }
    Ok(())
}

#[test]
fn hooks_put_files_into_a_read_only_root() -> Result {
    // What drivers of graphics cards do.
    let mut bundle = Bundle::new()?;
    let hook = |name: &str| {
        let file = bundle.path().join("rootfs/tmp").join(name);
        json!([{"path": "/bin/touch", "args": ["touch", file]}])
    };
    bundle.config["hooks"] = json!({"createRuntime": hook("runtime"), "createContainer": hook("container")});
    bundle.arguments(&["sh", "-c", "ls /tmp; echo > /tmp/more || echo refused"]);
    let output = bundle.run(&["run", "c"])?.exited(0)?;
    assert_eq!(output.stdout, "container\nruntime\nrefused\n", "{output:?}");
    Ok(())
}

#[test]
fn a_hook_in_the_container_has_its_programs_environment_unless_it_has_one() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.config["root"]["readonly"] = json!(false);
    let hook = |environment: serde_json::Value| {
        let script = "echo \"$ONE$TWO\" >> /tmp/told";
        let mut hook = json!({"path": "/bin/sh", "args": ["sh", "-c", script]});
        if !environment.is_null() {
            hook["env"] = environment;
        }
        hook
    };
    bundle.config["hooks"] = json!({"startContainer": [hook(json!(null)), hook(json!([])), hook(json!(["TWO=own"]))]});
    bundle.config["process"]["env"] = json!(["PATH=/bin", "ONE=programs"]);
    bundle.arguments(&["cat", "/tmp/told"]);
    assert_eq!(bundle.ok(&["run", "c"])?, "programs\n\nown\n");
    Ok(())
}

#[test]
fn zero_processes_are_no_limit_before_version_1_3() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.config["linux"]["resources"]["pids"] = json!({"limit": 0});
    let limit = |bundle: &Bundle| -> Result<String> {
        bundle.create(&["c"])?;
        let pid = bundle.state("c")?["pid"].to_string();
        let cgroups = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
        let line = cgroups.lines().find(|line| line.contains(":pids:") || line.starts_with("0::"));
        let path = line.and_then(|line| line.rsplit(':').next()).context("no cgroup")?;
        let bases = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"];
        let read = |base: &&str| std::fs::read_to_string(format!("{base}{path}/pids.max")).ok();
        let limit = bases.iter().find_map(read).context("no pids.max")?;
        bundle.ok(&["delete", "--force", "c"])?;
        Ok(limit)
    };
    bundle.config["ociVersion"] = json!("1.0.2-dev");
    assert_eq!(limit(&bundle)?, "max\n");
    bundle.config["ociVersion"] = json!("1.3.0");
    assert_eq!(limit(&bundle)?, "1\n");
    Ok(())
}

#[test]
fn proc_is_mounted_on_a_directory_only() -> Result {
    let bundle = Bundle::new()?;
    let proc = bundle.path().join("rootfs/proc");
    std::fs::remove_dir(&proc)?;
    symlink("tmp", &proc)?;
    let output = bundle.run(&["run", "c"])?.exited(1)?;
    // By these words tools tell it from other errors.
    assert!(output.stderr.contains("must be mounted on ordinary directory"), "{output:?}");
    assert!(output.stderr.contains("error"), "{output:?}");
    Ok(())
}

#[test]
fn a_container_among_the_hosts_mounts_takes_its_own_away() -> Result {
    let mut bundle = Bundle::new()?;
    let namespaces = json!([{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}]);
    bundle.config["linux"]["namespaces"] = namespaces;
    if let Some(mounts) = bundle.config["mounts"].as_array_mut() {
        // They would need a network and a cgroup namespace.
        mounts.retain(|mount| !matches!(mount["destination"].as_str(), Some("/sys" | "/sys/fs/cgroup")));
    }
    bundle.arguments(&["sleep", "1000"]);
    let program = bundle.command(&[])?;
    // In a copy of the host's mounts, so that a failure leaves nothing in those of the host.
    let script = "set -e; r() { \"$0\" --root state \"$@\"; }; r create c </dev/null >/dev/null 2>&1; r start c; \
                  readlink /proc/self/ns/mnt /proc/$(cat pid)/ns/mnt | uniq | wc -l; grep -c \"$PWD/rootfs\" /proc/self/mounts; \
                  r exec c ls /; r delete --force c; grep -c \"$PWD/rootfs\" /proc/self/mounts || true; \
                  r run --config failing.json c 2>/dev/null || echo failed; grep -c \"$PWD/rootfs\" /proc/self/mounts || true";
    let mut failing = bundle.config.clone();
    failing["process"]["args"] = json!(["no-such-program"]);
    std::fs::write(bundle.path().join("failing.json"), failing.to_string())?;
    let script = script.replace("r create c", "r create --pid-file pid c");
    let mut shell = std::process::Command::new("unshare");
    shell.args(["--mount", "--propagation", "private", "sh", "-c", &script]).arg(program.get_program());
    let told = end_to_end::process::run(shell.current_dir(bundle.path()))?.success()?;
    let lines: Vec<&str> = told.lines().collect();
    let (first, inside) = (lines.first().copied(), lines.get(2..7));
    assert_eq!((first, inside), (Some("1"), Some(&["bin", "dev", "proc", "sys", "tmp"][..])), "{told}");
    assert_ne!(lines[1], "0", "{told}");
    assert_eq!(lines.get(7..), Some(&["0", "failed", "0"][..]), "{told}");
    Ok(())
}

#[test]
fn values_for_a_file_system_say_nothing_of_a_bind_mount() -> Result {
    let mut bundle = Bundle::new()?;
    let mount =
        |options: &[&str]| json!([{"destination": "/mnt", "type": "bind", "source": "/usr", "options": options}]);
    bundle.arguments(&["test", "-d", "/mnt/bin"]);
    bundle.config["mounts"] = mount(&["bind", "mode=755", "size=1k", "nosuid"]);
    bundle.ok(&["run", "c"])?;
    bundle.config["mounts"] = mount(&["bind", "nosiud"]);
    let refused = bundle.run(&["run", "c"])?.exited(1)?;
    assert!(refused.stderr.contains("mount on /mnt: nosiud is no option of a bind mount"), "{refused:?}");
    Ok(())
}

#[test]
fn a_configuration_says_what_it_is() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["true"]);
    for version in ["1.0.0", "1.0.2-dev", "1.2.1+dev", "1.9.0"] {
        bundle.config["ociVersion"] = json!(version);
        bundle.ok(&["run", "c"])?;
    }
    for version in ["invalid", "", "1", "0.5.0", "2.0.0"] {
        bundle.config["ociVersion"] = json!(version);
        let refused = bundle.run(&["run", "c"])?.exited(1)?;
        assert!(refused.stderr.contains(&format!("ociVersion {version:?}")), "{refused:?}");
    }
    Ok(())
}
