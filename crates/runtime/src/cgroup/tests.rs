//! Hierarchies found, real cgroups of this host made, limited, changed, frozen, watched and removed.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxResources, Spec};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, WaitOptions, waitpid};
use serde_json::{Value, json};

use super::create::relative;
use super::{Cgroups, Hierarchy, hierarchy, owner};

fn chosen(table: &str) -> Vec<Hierarchy> {
    hierarchy::chosen(hierarchy::parse(table.as_bytes()))
}

#[test]
fn a_hybrid_host_has_its_v1_hierarchies() {
    let table = "\
30 23 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw,nsdelegate
32 30 0:28 / /sys/fs/cgroup/systemd rw,nosuid - cgroup cgroup rw,xattr,name=systemd
35 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
36 30 0:32 /docker/x /mnt/view rw,nosuid - cgroup cgroup rw,pids
";
    let found = chosen(table);
    let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["name=systemd", "cpu,cpuacct"]);
    assert_eq!(found[1].aliases().collect::<Vec<_>>(), ["cpu", "cpuacct"]);
    assert_eq!(hierarchy::parse(table.as_bytes()).len(), 3);
}

#[test]
fn a_unified_host_has_one() {
    let found = chosen("31 30 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n");
    assert_eq!((found.len(), found[0].unified, &found[0].mount), (1, true, &PathBuf::from("/sys/fs/cgroup")));
}

#[test]
fn paths_out_of_the_hierarchy_are_refused() {
    for path in ["", "/", "/..", "a/../..", "/a/../b"] {
        assert!(relative(Path::new(path)).is_err(), "{path:?}");
    }
    assert_eq!(relative(Path::new("/a/b")).expect("a path below"), Path::new("a/b"));
}

/// Cgroups of a test below a directory of its own, which go with it.
struct Made {
    cgroups: Cgroups,
    parent: String,
}

fn resources(resources: Value) -> LinuxResources {
    serde_json::from_value(resources).expect("valid JSON")
}

impl Made {
    fn new(test: &str, limits: Value) -> Made {
        let parent = format!("phial-test-{}-{test}", std::process::id());
        let hierarchies = super::detect().expect("cgroups are mounted");
        let path = format!("/{parent}/inner/one");
        let cgroups = Cgroups::create(&hierarchies, Path::new(&path), Some(&resources(limits))).expect("made");
        Made { cgroups, parent }
    }

    /// The content of the first file of this name.
    fn get(&self, file: &str) -> Option<String> {
        let text = self.cgroups.paths().find_map(|path| std::fs::read_to_string(path.join(file)).ok());
        text.map(|text| text.trim().to_owned())
    }

    fn is_v1(&self) -> bool {
        self.cgroups.version() == super::Version::V1
    }

    fn update(&self, limits: Value) -> crate::Result<()> {
        self.cgroups.update(&resources(limits))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        self.cgroups.remove().ok();
        for hierarchy in super::detect().unwrap_or_default() {
            super::remove_leftovers(&[hierarchy.mount.join(&self.parent)]).ok();
        }
    }
}

#[test]
fn real_cgroups_are_made_limited_changed_and_removed() {
    let made = Made::new(
        "limits",
        json!({"memory": {"limit": 67_108_864, "swap": 134_217_728}, "pids": {"limit": 100},
        "cpu": {"quota": 50000, "period": 100_000, "cpus": "0", "mems": "0"}}),
    );
    let paths: Vec<PathBuf> = made.cgroups.paths().map(Path::to_owned).collect();
    assert!(paths.iter().all(|path| path.is_dir()));
    assert_eq!(made.get("pids.max").as_deref(), Some("100"));
    assert_eq!(made.get("cpuset.cpus").as_deref(), Some("0"));
    assert_eq!(made.cgroups.oom_kills(), 0);
    // Both limits of memory are raised, and lowered again.
    for bytes in [1_u64 << 30, 1 << 24] {
        made.update(json!({"memory": {"limit": bytes, "swap": 2 * bytes}, "pids": {"limit": -1}})).expect("changed");
        let file = if made.is_v1() { "memory.limit_in_bytes" } else { "memory.max" };
        assert_eq!(made.get(file), Some(bytes.to_string()));
    }
    assert_eq!(made.get("pids.max").as_deref(), Some("max"));
    made.update(json!({"memory": {"limit": -1}})).expect("unlimited");
    let opened = Cgroups::open(&paths).expect("opened");
    opened.update(&resources(json!({"cpu": {"quota": 20000}}))).expect("changed by another");
    let (file, quota) = if made.is_v1() { ("cpu.cfs_quota_us", "20000") } else { ("cpu.max", "20000 100000") };
    assert_eq!(made.get(file).as_deref(), Some(quota));
    opened.update(&resources(json!({"cpu": {"quota": 5000, "period": 10000}}))).expect("a shorter period");
    assert_eq!(serde_json::to_value(opened.stats().expect("read")).expect("serializable")["pids"], json!({}));
    opened.remove().expect("removed");
    assert!(!paths.iter().any(|path| path.exists()));
    assert_eq!(Cgroups::open(&paths).expect("nothing to open").paths().count(), 0);
}

#[test]
fn what_the_host_lacks_is_named() {
    let made = Made::new("lacking", json!({}));
    let error = made.update(json!({"rdma": {"mlx9_9": {"hcaHandles": 1}}})).expect_err("there is no such device");
    assert!(error.to_string().starts_with("linux.resources.rdma"), "{error}");
    let error = made.update(json!({"cpu": {"cpus": "4095"}})).expect_err("there is no such processor");
    assert!(error.to_string().starts_with("linux.resources.cpu.cpus: writing 4095 to"), "{error}");
}

#[test]
fn processes_are_found_frozen_and_killed() {
    let made = Made::new("processes", json!({}));
    let child = sys::clone::placeholder().expect("a process");
    made.cgroups.attach(child.pid).expect("moved");
    assert_eq!(made.cgroups.processes().expect("read"), [child.pid]);
    assert_eq!(made.cgroups.stats().expect("read").pids.current, 1);
    assert!(!made.cgroups.is_frozen().expect("read"));
    made.cgroups.freeze().expect("frozen");
    assert!(made.cgroups.is_frozen().expect("read"));
    made.cgroups.thaw().expect("thawed");
    assert!(!made.cgroups.is_frozen().expect("read"));
    made.cgroups.freeze().expect("frozen anew");
    made.cgroups.signal_all(Signal::KILL).expect("killed, although it was frozen");
    let (_, status) = waitpid(Some(child.pid), WaitOptions::empty()).expect("reaped").expect("ended");
    assert_eq!(status.terminating_signal(), Some(Signal::KILL.as_raw()));
    assert_eq!(made.cgroups.processes().expect("read"), []);
}

#[test]
fn devices_are_changed_while_a_process_runs() {
    let made = Made::new("devices", json!({}));
    let child = sys::clone::placeholder().expect("a process");
    made.cgroups.attach(child.pid).expect("moved");
    let rule = json!({"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"});
    made.update(json!({"devices": [rule]})).expect("changed");
    if made.is_v1() {
        let list = made.get("devices.list").expect("a list");
        assert!(
            list.lines().any(|line| line == "c 10:229 rw") && !list.lines().any(|line| line.starts_with('a')),
            "{list}"
        );
    }
    assert!(!made.cgroups.is_frozen().expect("read"));
    made.cgroups.signal_all(Signal::KILL).expect("killed");
    waitpid(Some(child.pid), WaitOptions::empty()).expect("reaped");
}

#[test]
fn a_killed_process_is_heard_of() {
    let made = Made::new("oom", json!({"memory": {"limit": 4_194_304, "swap": 4_194_304}}));
    let mut watch = made.cgroups.watch_oom().expect("watched");
    assert_eq!(watch.read().expect("nothing yet"), 0);
    let members: Vec<PathBuf> = made.cgroups.paths().map(|path| path.join("cgroup.procs")).collect();
    let join: Vec<String> = members.iter().map(|path| format!("echo $$ >{}", path.display())).collect();
    let script = format!("{}; exec tail /dev/zero", join.join("; "));
    let status = std::process::Command::new("sh").args(["-c", &script]).status().expect("sh runs");
    assert!(!status.success());
    poll(&mut [PollFd::from_borrowed_fd(watch.as_fd(), PollFlags::IN)], None).expect("woken");
    assert!(watch.read().expect("read") > 0);
    assert!(made.cgroups.oom_kills() > 0);
    made.cgroups.remove().expect("removed");
    assert!(watch.is_over());
    assert_eq!(watch.read().expect("the end is no event"), 0);
}

#[test]
fn a_writable_cgroup_has_an_owner() {
    let check = |namespaces: Value, options: Value, maps: Value, expected: Option<u32>| {
        let spec: Spec = serde_json::from_value(json!({
            "ociVersion": "1.3.0", "root": {"path": "rootfs"},
            "process": {"cwd": "/", "args": ["a"], "user": {"uid": 5, "gid": 5}},
            "mounts": [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": options}],
            "linux": {"namespaces": namespaces, "uidMappings": maps},
        }))
        .expect("valid JSON");
        assert_eq!(owner(&spec).map(rustix::fs::Uid::as_raw), expected);
    };
    let own = json!([{"type": "cgroup"}]);
    check(own.clone(), json!(["rw"]), json!([]), Some(5));
    check(own.clone(), json!(["nosuid"]), json!([{"containerID": 0, "hostID": 1000, "size": 10}]), Some(1005));
    check(own.clone(), json!([]), json!([{"containerID": 0, "hostID": 1000, "size": 5}]), None);
    check(own, json!(["ro"]), json!([]), None);
    check(json!([{"type": "cgroup", "path": "/proc/1/ns/cgroup"}]), json!(["rw"]), json!([]), None);
    check(json!([]), json!(["rw"]), json!([]), None);
}
