//! Namespaces of a container: made, given offsets, shared with others, entered by their files; and network devices that
//! are moved into one (runtime-spec 1.3).

use std::path::PathBuf;
use std::process::Command;

use end_to_end::bundle::Bundle;
use end_to_end::process::{find, run};
use end_to_end::{Context, Result};
use serde_json::{Value, json};

const KINDS: [&str; 8] = ["user", "pid", "net", "ipc", "uts", "cgroup", "time", "mnt"];

/// Prints the namespaces of the process, in the order of [`KINDS`].
const OWN: &str = "for kind in user pid net ipc uts cgroup time mnt; do readlink /proc/self/ns/$kind; done; id -u";

fn namespaces(bundle: &mut Bundle) -> Result<&mut Vec<Value>> {
    bundle.config["linux"]["namespaces"].as_array_mut().context("namespaces")
}

/// Sets or replaces one.
fn set(bundle: &mut Bundle, kind: &str, path: Option<String>) -> Result {
    let list = namespaces(bundle)?;
    list.retain(|space| space["type"] != kind);
    list.push(path.map_or_else(|| json!({"type": kind}), |path| json!({"type": kind, "path": path})));
    Ok(())
}

fn of_host(kind: &str) -> Result<String> {
    Ok(std::fs::read_link(format!("/proc/self/ns/{kind}"))?.display().to_string())
}

fn program(name: &str) -> Result<PathBuf> {
    find(name).context(format!("{name} is missing"))
}

#[test]
fn clocks_have_the_offsets_of_their_namespace() -> Result {
    for user in [false, true] {
        let mut bundle = Bundle::new()?;
        if user {
            bundle.give_user_namespace()?;
        }
        set(&mut bundle, "time", None)?;
        let uptime = "read up idle < /proc/uptime; echo ${up%%.*}; readlink /proc/self/ns/time";
        bundle.arguments(&["sh", "-c", uptime]);
        let host = of_host("time")?;
        let read = |told: String| -> Result<(u64, String)> {
            let (up, space) = told.split_once('\n').context("two lines")?;
            Ok((up.parse().ok().context("seconds")?, space.trim_end().to_owned()))
        };
        let (up, space) = read(bundle.ok(&["run", "c"])?)?;
        assert!(space != host && up < 1_000_000_000, "{up} {space}");
        bundle.config["linux"]["timeOffsets"] =
            json!({"boottime": {"secs": 2_000_000_000, "nanosecs": 5}, "monotonic": {"secs": 7}});
        let (up, _) = read(bundle.ok(&["run", "c"])?)?;
        assert!(up > 2_000_000_000, "{up}");
        // A further process has the same clocks.
        bundle.arguments(&["sleep", "1000"]);
        bundle.create(&["c"])?;
        bundle.ok(&["start", "c"])?;
        let (up, _) = read(bundle.ok(&["exec", "c", "sh", "-c", uptime])?)?;
        assert!(up > 2_000_000_000, "{up}");
        bundle.ok(&["delete", "--force", "c"])?;

        bundle.config["linux"]["timeOffsets"] = json!({"monotonic": {"secs": -4_000_000_000_i64}});
        let refused = bundle.run(&["run", "c"])?.exited(1)?.stderr;
        assert!(refused.contains("linux.timeOffsets monotonic -4000000000 0: "), "{refused}");
        bundle.config["linux"]["timeOffsets"] = json!({"tai": {"secs": 1}});
        assert!(bundle.run(&["run", "c"])?.exited(1)?.stderr.contains("\"tai\": is neither monotonic nor boottime"));
        namespaces(&mut bundle)?.retain(|space| space["type"] != "time");
        assert!(bundle.run(&["run", "c"])?.exited(1)?.stderr.contains("linux.timeOffsets: needs a new time namespace"));
    }
    Ok(())
}

/// Gives each container of a bundle a cgroup of its own.
fn in_cgroup(bundle: &mut Bundle, name: &str) {
    bundle.config["linux"]["cgroupsPath"] = json!(format!("/{}-{name}", bundle.id()));
}

/// What `OWN` prints in a container of this bundle.
fn own(bundle: &mut Bundle) -> Result<Vec<String>> {
    bundle.arguments(&["sh", "-c", OWN]);
    in_cgroup(bundle, "member");
    Ok(bundle.ok(&["run", "member"])?.lines().map(str::to_owned).collect())
}

/// A container that sleeps, and its pid.
fn first(bundle: &mut Bundle) -> Result<u64> {
    bundle.arguments(&["sleep", "1000"]);
    in_cgroup(bundle, "first");
    bundle.create(&["first"])?;
    bundle.ok(&["start", "first"])?;
    bundle.state("first")?["pid"].as_u64().context("pid")
}

#[test]
fn containers_of_a_pod_share_namespaces() -> Result {
    for user in [false, true] {
        let mut bundle = Bundle::new()?;
        if user {
            bundle.give_user_namespace()?;
        }
        set(&mut bundle, "time", None)?;
        let pid = first(&mut bundle)?;
        let of_first = |kind: &str| -> Result<String> {
            Ok(std::fs::read_link(format!("/proc/{pid}/ns/{kind}"))?.display().to_string())
        };
        let path = |kind: &str| Some(format!("/proc/{pid}/ns/{kind}"));
        let shared: &[&str] =
            if user { &["user", "net", "ipc", "uts", "time"] } else { &["net", "ipc", "uts", "time"] };
        for kind in shared {
            set(&mut bundle, if *kind == "net" { "network" } else { kind }, path(kind))?;
        }
        // Without pids in common, and then with them.
        for pids in [false, true] {
            if pids {
                set(&mut bundle, "pid", path("pid"))?;
            }
            let member = own(&mut bundle)?;
            for (kind, space) in KINDS.iter().zip(&member) {
                let same = shared.contains(kind) || (*kind == "pid" && pids);
                let hosts = *kind == "user" && !user || *kind == "cgroup" && *space == of_host("cgroup")?;
                assert_eq!(*space == of_first(kind)?, same || hosts, "{kind}, user: {user}, pids: {pids}");
            }
            assert_eq!(member.last().map(String::as_str), Some("0"));
        }
        // A further process of the member enters what the member has.
        bundle.arguments(&["sleep", "1000"]);
        in_cgroup(&mut bundle, "second");
        bundle.create(&["second"])?;
        bundle.ok(&["start", "second"])?;
        let told = bundle.ok(&["exec", "second", "sh", "-c", OWN])?;
        assert_eq!(told.lines().next().map(str::to_owned), Some(of_first("user")?));
        assert_eq!(told.lines().nth(2).map(str::to_owned), Some(of_first("net")?));
        bundle.ok(&["kill", "second", "KILL"])?;
        while bundle.state("second")?["status"] != "stopped" {}
        bundle.ok(&["delete", "second"])?;
        bundle.ok(&["delete", "--force", "first"])?;
    }
    Ok(())
}

#[test]
fn a_new_user_namespace_beside_a_network_that_exists() -> Result {
    let mut other = Bundle::new()?;
    let pid = first(&mut other)?;
    let mut bundle = Bundle::new()?;
    bundle.give_user_namespace()?;
    set(&mut bundle, "network", Some(format!("/proc/{pid}/ns/net")))?;
    let mounts = bundle.config["mounts"].as_array_mut().context("mounts")?;
    // sysfs is the network namespace's, and that is not the user namespace's.
    mounts.retain(|mount| mount["type"] != "sysfs" && mount["destination"] != "/sys/fs/cgroup");
    let member = own(&mut bundle)?;
    let expected = std::fs::read_link(format!("/proc/{pid}/ns/net"))?.display().to_string();
    assert!(member[2] == expected && member[0] != of_host("user")?, "{member:?}");
    Ok(())
}

#[test]
fn maps_beside_a_user_namespace_that_exists_must_be_its_own() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.give_user_namespace()?;
    let pid = first(&mut bundle)?;
    set(&mut bundle, "user", Some(format!("/proc/{pid}/ns/user")))?;
    assert_eq!(own(&mut bundle)?.last().map(String::as_str), Some("0"));
    // A mount can have the ids of that namespace.
    let host = bundle.path().join("host");
    std::fs::create_dir(&host)?;
    std::os::unix::fs::chown(&host, Some(7), Some(8))?;
    std::os::unix::fs::symlink("busybox", bundle.path().join("rootfs/bin/stat"))?;
    let mounts = bundle.config["mounts"].as_array_mut().context("mounts")?;
    mounts.push(json!({"destination": "/mnt", "source": host, "options": ["bind", "idmap"]}));
    std::fs::create_dir(bundle.path().join("rootfs/mnt"))?;
    bundle.arguments(&["stat", "-c", "%u:%g", "/mnt"]);
    in_cgroup(&mut bundle, "member");
    assert_eq!(bundle.ok(&["run", "member"])?, "7:8\n");
    bundle.config["linux"]["gidMappings"] = json!([{"containerID": 0, "hostID": 100_001, "size": 65_535}]);
    let refused = bundle.run(&["run", "member"])?.exited(1)?.stderr;
    assert!(refused.contains("linux.gidMappings: the user namespace has 0 100000 65536"), "{refused}");
    Ok(())
}

#[test]
fn a_mount_namespace_that_exists() -> Result {
    let mut bundle = Bundle::new()?;
    let keeper =
        Command::new(program("unshare")?).args(["--mount", "--propagation", "private", "sleep", "1000"]).spawn()?;
    let keeper = Killed(keeper);
    let file = format!("/proc/{}/ns/mnt", keeper.0.id());
    // It is the host's until unshare(1) has got that far.
    while std::fs::read_link(&file)?.display().to_string() == of_host("mnt")? {}
    set(&mut bundle, "mount", Some(file.clone()))?;
    assert_eq!(own(&mut bundle)?[7], std::fs::read_link(&file)?.display().to_string());
    set(&mut bundle, "mount", Some("/proc/self/ns/mnt".to_owned()))?;
    let refused = bundle.run(&["run", "member"])?.exited(1)?.stderr;
    assert!(refused.contains("linux.namespaces: mount /proc/self/ns/mnt: is the one of the host"), "{refused}");
    Ok(())
}

/// A child that does not outlive the test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn what_is_no_namespace_of_that_kind_is_refused() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["true"]);
    for (kind, path, message) in [
        ("ipc", "/proc/self/ns/net", "linux.namespaces: ipc /proc/self/ns/net: is a network namespace"),
        ("network", "/proc/self/status", "linux.namespaces: network /proc/self/status: is no file of a namespace"),
        ("uts", "/proc/self/ns/no", "linux.namespaces: uts /proc/self/ns/no: No such file or directory"),
        ("user", "/proc/self/ns/user", "linux.namespaces: user /proc/self/ns/user: is the one of the caller"),
    ] {
        let before = namespaces(&mut bundle)?.clone();
        set(&mut bundle, kind, Some(path.to_owned()))?;
        let refused = bundle.run(&["run", "c"])?.exited(1)?.stderr;
        assert!(refused.contains(message), "{refused}");
        *namespaces(&mut bundle)? = before;
    }
    // The host's own may be entered, but then nothing of it is changed.
    let before = namespaces(&mut bundle)?.clone();
    set(&mut bundle, "uts", Some("/proc/self/ns/uts".to_owned()))?;
    let refused = bundle.run(&["run", "c"])?.exited(1)?.stderr;
    assert!(
        refused.contains("the uts namespace in linux.namespaces is the host's, which it would change"),
        "{refused}"
    );
    bundle.config.as_object_mut().context("an object")?.remove("hostname");
    bundle.ok(&["run", "c"])?;
    bundle.config["linux"]["sysctl"] = json!({"kernel.domainname": "glass"});
    let refused = bundle.run(&["run", "c"])?.exited(1)?.stderr;
    assert!(refused.contains("write glass to /proc/sys/kernel/domainname: the uts namespace"), "{refused}");
    bundle.config["linux"]["sysctl"] = json!({});
    *namespaces(&mut bundle)? = before;
    namespaces(&mut bundle)?.push(json!({"type": "pid"}));
    assert!(bundle.run(&["run", "c"])?.exited(1)?.stderr.contains("linux.namespaces: pid is there twice"));
    Ok(())
}

#[test]
fn devices_of_the_host_become_the_containers() -> Result {
    let mut bundle = Bundle::new()?;
    std::os::unix::fs::symlink("busybox", bundle.path().join("rootfs/bin/ip"))?;
    bundle.config["linux"]["netDevices"] = json!({"one": {"name": "eth0"}, "two": {}});
    bundle.arguments(&["ip", "addr"]);
    // The host is a network namespace of the test's own.
    let run_command = bundle.command(&["run", "c"])?;
    let ip = program("ip")?.display().to_string();
    let script = format!(
        "set -e; {ip} link add one type veth peer name two; {ip} addr add 192.0.2.7/24 brd + dev one; \
         {ip} addr add 2001:db8::7/64 dev one nodad; {ip} link set one up; {ip} link set two up; \
         \"$@\"; echo left; {ip} -o link"
    );
    let inside = |script: &str, command: &Command| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "sh", "-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
        unshare.current_dir(bundle.path());
        unshare
    };
    let told = run(&mut inside(&script, &run_command))?.success()?;
    let (container, host) = told.split_once("left\n").context("two parts")?;
    for words in
        ["eth0", "inet 192.0.2.7/24 brd 192.0.2.255 scope global eth0", "inet6 2001:db8::7/64 scope global", "two"]
    {
        assert!(container.contains(words), "{words} is not in {container}");
    }
    assert!(container.contains("UP") && !container.contains("one@"), "{container}");
    assert!(!host.contains("one") && !host.contains("eth0"), "{host}");

    let refused = run(&mut inside("\"$@\"", &run_command))?.exited(1)?.stderr;
    assert!(refused.contains("linux.netDevices one (as eth0): find it: No such device"), "{refused}");
    for (devices, message) in [
        (json!({"one": {"name": "a/b"}}), "linux.netDevices \"a/b\": is no name of a network device"),
        (json!({"a-name-too-long-for-it": {}}), "is no name of a network device"),
        (json!({"one": {"name": "x"}, "two": {"name": "x"}}), "linux.netDevices: two are to be called \"x\""),
    ] {
        bundle.config["linux"]["netDevices"] = devices;
        let refused = bundle.run(&["run", "c"])?.exited(1)?.stderr;
        assert!(refused.contains(message), "{refused}");
    }
    namespaces(&mut bundle)?.retain(|space| space["type"] != "network");
    let refused = bundle.run(&["run", "c"])?.exited(1)?.stderr;
    assert!(refused.contains("linux.netDevices: needs a network namespace"), "{refused}");
    Ok(())
}

#[test]
fn without_an_exchange_of_roots_the_hosts_mounts_are_out_of_reach() -> Result {
    let mut bundle = Bundle::new()?;
    for name in ["mount", "unshare", "mkdir"] {
        std::os::unix::fs::symlink("busybox", bundle.path().join("rootfs/bin").join(name))?;
    }
    // Whoever may mount a bare proc sees what is masked.
    let script =
        "unshare -mrpf sh -c 'mount -t proc none /tmp && cat /tmp/sysrq-trigger' && echo bare; ls /proc/1/root/";
    bundle.arguments(&["sh", "-c", script]);
    let output = bundle.run(&["run", "--no-pivot", "c"])?;
    assert!(!output.stdout.contains("bare") && output.stdout.contains("bin"), "{output:?}");
    assert!(output.stderr.contains("not permitted"), "{output:?}");
    Ok(())
}
