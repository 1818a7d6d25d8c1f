//! What `process` in a configuration says of a container's process, and of further ones in it.

use std::path::Path;

use end_to_end::bundle::Bundle;
use end_to_end::process::{program, run};
use end_to_end::{Context, Result};
use serde_json::{Value, json};

/// Lines of `/proc/self/status` that begin with `Cap`.
const CAPABILITIES: &str = "while read k v; do case $k in Cap*) echo $k $v;; esac; done < /proc/self/status";

/// A shell that prints the values of these lines of `/proc/self/status`.
fn status_of(names: &str) -> String {
    format!("while read k v; do case $k in {names}) echo $v;; esac; done < /proc/self/status")
}

#[test]
fn what_other_runtimes_write_as_a_beginning_runs_here() -> Result {
    for peer in ["runc", "crun"] {
        let mut bundle = Bundle::new()?;
        let (own, cgroups) = (bundle.path().join("config.json"), bundle.config["linux"]["cgroupsPath"].clone());
        std::fs::remove_file(&own)?;
        run(std::process::Command::new(program(peer, peer)?).arg("spec").current_dir(bundle.path()))?.success()?;
        bundle.config = serde_json::from_slice(&std::fs::read(&own)?)?;
        bundle.config["process"]["terminal"] = false.into();
        bundle.config["linux"]["cgroupsPath"] = cgroups;
        bundle.arguments(&["sh", "-c", CAPABILITIES]);
        let ambient = bundle.config["process"]["capabilities"]["ambient"].as_array().map(Vec::len);
        assert!(ambient.is_none_or(|count| count > 0), "{peer}");
        let told = bundle.ok(&["run", "c"]).context(peer)?;
        assert!(told.contains("CapAmb: 0000000000000000\n") && told.contains("CapInh: 0000000000000000\n"), "{told}");
        assert!(!told.contains("CapPrm: 0000000000000000\n"), "{told}");
    }
    Ok(())
}

#[test]
fn scheduling_is_that_of_the_configuration() -> Result {
    let mut bundle = Bundle::new()?;
    let process = &mut bundle.config["process"];
    process["scheduler"] = json!({"policy": "SCHED_BATCH", "nice": 5});
    process["ioPriority"] = json!({"class": "IOPRIO_CLASS_BE", "priority": 3});
    bundle.config["linux"]["personality"] = json!({"domain": "LINUX32", "flags": ["ADDR_NO_RANDOMIZE"]});
    bundle.config["linux"]["memoryPolicy"] = json!({"mode": "MPOL_BIND", "nodes": "0"});
    // Nice and policy are fields 19 and 41 of stat(5); the name of this shell has no space.
    let script = "set -- $(cat /proc/self/stat); shift 18; echo nice $1; shift 22; echo policy $1; \
        busybox ionice; busybox uname -m; cat /proc/self/personality; read a b c < /proc/self/numa_maps; echo $b";
    let expected = "nice 5\npolicy 3\nbest-effort: prio 3\ni686\n00040008\nbind:0\n";
    bundle.arguments(&["sh", "-c", script]);
    assert_eq!(bundle.ok(&["run", "c"])?, expected);
    // A further process is scheduled as the first one is, unless it says otherwise.
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["c"])?;
    assert_eq!(bundle.ok(&["exec", "c", "sh", "-c", script])?, expected);
    Ok(())
}

#[test]
fn a_further_process_runs_on_its_processors() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["c"])?;
    let script = status_of("Cpus_allowed_list:");
    let everywhere = bundle.ok(&["exec", "c", "sh", "-c", &script])?;
    let exec = |affinity: Value| -> Result<String> {
        let mut process = bundle.config["process"].clone();
        process["args"] = json!(["sh", "-c", script]);
        process["execCPUAffinity"] = affinity;
        let path = bundle.path().join("process.json");
        std::fs::write(&path, process.to_string())?;
        let output = bundle.run(&["exec", "--process", &path.display().to_string(), "c"])?;
        Ok(output.stdout + &output.stderr)
    };
    assert_eq!(exec(json!({"final": "0"}))?, "0\n");
    assert_eq!(exec(json!({"initial": "0"}))?, everywhere);
    let absent = exec(json!({"final": "8191"}))?;
    assert!(absent.contains("run on processors 8191: Invalid argument") && absent.contains("hint: "), "{absent}");
    let absent = exec(json!({"initial": "8191"}))?;
    assert!(absent.contains("process.execCPUAffinity.initial: Invalid argument"), "{absent}");
    Ok(())
}

#[test]
fn groups_and_umask_are_those_of_the_user() -> Result {
    let mut bundle = Bundle::new()?;
    let many: Vec<u32> = (2000..5000).collect();
    bundle.config["process"]["user"] = json!({"uid": 5, "gid": 6, "umask": 0o27, "additionalGids": many});
    bundle.arguments(&["sh", "-c", &format!("set -- $({}); echo $1 $2 $#; umask", status_of("Groups:"))]);
    assert_eq!(bundle.ok(&["run", "c"])?, "2000 2001 3000\n0027\n");
    Ok(())
}

#[test]
fn home_is_found_in_the_container_whatever_its_file_of_users_is() -> Result {
    let mut bundle = Bundle::new()?;
    let etc = bundle.path().join("rootfs/etc");
    let passwd = etc.join("passwd");
    std::fs::create_dir_all(&etc)?;
    std::fs::write(&passwd, "root:x:0:0::/root:/bin/sh\nmany:x:77:7:M:/home/many:/bin/sh\n")?;
    bundle.arguments(&["sh", "-c", "echo $HOME"]);
    assert_eq!(bundle.ok(&["run", "c"])?, "/root\n");
    bundle.config["process"]["user"]["uid"] = json!(77);
    assert_eq!(bundle.ok(&["run", "c"])?, "/home/many\n");
    bundle.config["process"]["env"] = json!(["PATH=/bin", "HOME=/given"]);
    assert_eq!(bundle.ok(&["run", "c"])?, "/given\n");
    bundle.config["process"]["env"] = json!(["PATH=/bin", "HOME="]);
    let set = [
        "mkfifo passwd",
        "truncate -s 1T passwd",
        "ln -s /dev/zero passwd",
        "ln -s /proc/kmsg passwd",
        "ln -s /dev/tty passwd",
        "mkdir passwd",
        "true",
    ];
    for make in set {
        let mut shell = std::process::Command::new("sh");
        run(shell.args(["-c", &format!("rm -rf passwd; {make}")]).current_dir(&etc))?.success()?;
        assert_eq!(bundle.ok(&["run", "c"]).context(make)?, "/\n", "{make}");
    }
    Ok(())
}

#[test]
fn files_of_proc_are_written_whatever_the_container_has_there() -> Result {
    // CVE-2019-16884, CVE-2025-52881: files in the image take no write.
    let mut bundle = Bundle::new()?;
    let rootfs = bundle.path().join("rootfs");
    let decoys = ["proc/self/oom_score_adj", "proc/sys/net/ipv4/ip_forward", "proc/thread-self/attr/exec"];
    for decoy in decoys {
        std::fs::create_dir_all(rootfs.join(decoy).parent().context("a directory")?)?;
        std::fs::write(rootfs.join(decoy), "decoy\n")?;
    }
    std::fs::create_dir(rootfs.join("kernel"))?;
    let mounts = bundle.config["mounts"].as_array_mut().context("mounts")?;
    mounts.retain(|mount| mount["destination"] != "/proc");
    mounts.push(json!({"destination": "/kernel", "type": "proc", "source": "proc"}));
    bundle.config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
    bundle.config["process"]["oomScoreAdj"] = json!(321);
    bundle.arguments(&["cat", "/kernel/self/oom_score_adj", "/kernel/sys/net/ipv4/ip_forward"]);
    assert_eq!(bundle.ok(&["run", "c"])?, "321\n1\n");
    for decoy in decoys {
        assert_eq!(std::fs::read_to_string(rootfs.join(decoy))?, "decoy\n", "{decoy}");
    }
    Ok(())
}

#[test]
fn the_out_of_memory_score_in_a_user_namespace() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.config["linux"]["namespaces"].as_array_mut().context("namespaces")?.push(json!({"type": "user"}));
    for field in ["uidMappings", "gidMappings"] {
        bundle.config["linux"][field] = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
    }
    bundle.config["process"]["oomScoreAdj"] = json!(123);
    let mut shell = std::process::Command::new("sh");
    let script = "chmod 755 . rootfs; chown -R 100000:100000 rootfs";
    run(shell.args(["-c", script]).current_dir(bundle.path()))?.success()?;
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["c"])?;
    let pid = bundle.state("c")?["pid"].to_string();
    assert_eq!(std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj"))?, "123\n");
    assert_eq!(bundle.ok(&["exec", "c", "cat", "/proc/self/oom_score_adj"])?, "123\n");
    Ok(())
}

fn kernel() -> String {
    format!("Linux {}", rustix::system::uname().release().to_string_lossy())
}

/// AppArmor is on: what a profile forbids is forbidden to all processes of a container, and to one that `exec` names it
/// for.
fn a_profile_holds() -> Result {
    let mut bundle = Bundle::new()?;
    let name = format!("phial-test-{}", std::process::id());
    let profile = bundle.path().join("profile");
    let text = format!("profile {name} flags=(attach_disconnected) {{\n file,\n capability,\n deny /secret rw,\n}}\n");
    std::fs::write(&profile, text)?;
    let parser = |action: &str| -> Result {
        let mut parser = std::process::Command::new(program("apparmor_parser", "apparmor")?);
        run(parser.args([action, "--skip-cache"]).arg(&profile))?.success().map(drop)
    };
    parser("--replace")?;
    std::fs::write(bundle.path().join("rootfs/secret"), "secret\n")?;
    let script = "cat /proc/self/attr/current /secret; true";
    let forbidden = |output: end_to_end::process::Output| {
        assert_eq!(output.stdout, format!("{name} (enforce)\n"), "{output:?}");
        assert!(output.stderr.contains("/secret': Permission denied"), "{output:?}");
    };
    bundle.config["process"]["apparmorProfile"] = json!(name);
    bundle.arguments(&["sh", "-c", script]);
    for no_new_privileges in [true, false] {
        bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        forbidden(bundle.run(&["run", "c"])?);
    }
    bundle.config["process"]["apparmorProfile"] = Value::Null;
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["c"])?;
    bundle.ok(&["start", "c"])?;
    assert_eq!(bundle.run(&["exec", "c", "sh", "-c", script])?.stdout, "unconfined\nsecret\n");
    forbidden(bundle.run(&["exec", "--apparmor", &name, "c", "sh", "-c", script])?);
    bundle.ok(&["delete", "--force", "c"])?;
    parser("--remove")
}

#[test]
fn labels_are_used_or_refused_by_field_value_and_kernel() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["true"]);
    bundle.config["process"]["apparmorProfile"] = json!("unconfined");
    bundle.ok(&["run", "c"])?;
    bundle.config["process"]["apparmorProfile"] = json!("no-such-profile");
    let error = bundle.run(&["run", "c"])?.exited(1)?.stderr;
    if std::fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with(b"Y")) {
        assert!(error.contains("use AppArmor profile no-such-profile: No such file"), "{error}");
        assert!(error.contains("hint: the profile is not loaded"), "{error}");
        a_profile_holds()?;
    } else {
        let expected =
            format!("process.apparmorProfile \"no-such-profile\": this kernel ({}) runs without AppArmor", kernel());
        assert!(error.contains(&expected), "{error}");
    }
    bundle.config["process"]["apparmorProfile"] = Value::Null;
    if Path::new("/sys/fs/selinux/enforce").exists() {
        return Ok(());
    }
    let refused = |error: String, field: &str| {
        let expected = format!("{field}: this kernel ({}) runs without SELinux", kernel());
        assert!(error.contains(&expected), "{error}");
    };
    bundle.config["process"]["selinuxLabel"] = json!("a:b:c");
    refused(bundle.run(&["run", "c"])?.exited(1)?.stderr, "process.selinuxLabel \"a:b:c\"");
    bundle.config["process"]["selinuxLabel"] = Value::Null;
    bundle.config["linux"]["mountLabel"] = json!("d:e:f");
    refused(bundle.run(&["run", "c"])?.exited(1)?.stderr, "linux.mountLabel \"d:e:f\" (context=d:e:f)");
    bundle.config["linux"]["mountLabel"] = Value::Null;
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["c"])?;
    let exec = bundle.run(&["exec", "--process-label", "g:h:i", "c", "true"])?.exited(255)?;
    refused(exec.stderr, "process.selinuxLabel \"g:h:i\"");
    let exec = bundle.run(&["exec", "--apparmor", "nothing-such", "c", "true"])?.exited(255)?;
    assert!(exec.stderr.contains("nothing-such"), "{exec:?}");
    Ok(())
}
