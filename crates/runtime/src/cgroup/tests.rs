//! What is written where, for both versions; finding hierarchies; real cgroups of this host.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};

use super::{Cgroups, hierarchy, limits, relative};

fn resources() -> LinuxResources {
    let mut memory = LinuxMemory::default();
    memory.set_limit(Some(64 << 20)).set_swap(Some(128 << 20));
    let mut cpu = LinuxCpu::default();
    cpu.set_quota(Some(50_000)).set_period(Some(100_000)).set_shares(Some(1024));
    let mut pids = LinuxPids::default();
    pids.set_limit(100);
    let mut resources = LinuxResources::default();
    resources.set_memory(Some(memory)).set_cpu(Some(cpu)).set_pids(Some(pids)).set_devices(None);
    resources
}

fn written(unified: bool) -> Vec<String> {
    let list = limits::writes(&resources(), unified).expect("valid limits");
    list.iter().map(|write| format!("{}={}", write.file, write.value)).collect()
}

#[test]
fn limits_become_files_of_v2() {
    assert_eq!(
        written(true),
        ["memory.max=67108864", "memory.swap.max=67108864", "cpu.weight=39", "cpu.max=50000 100000", "pids.max=100"]
    );
}

#[test]
fn limits_become_files_of_v1() {
    assert_eq!(
        written(false),
        [
            "memory.limit_in_bytes=67108864",
            "memory.memsw.limit_in_bytes=134217728",
            "cpu.shares=1024",
            "cpu.cfs_period_us=100000",
            "cpu.cfs_quota_us=50000",
            "pids.max=100"
        ]
    );
}

#[test]
fn swap_below_memory_is_refused() {
    let mut memory = LinuxMemory::default();
    memory.set_limit(Some(100)).set_swap(Some(50));
    let mut resources = LinuxResources::default();
    resources.set_memory(Some(memory));
    assert!(limits::writes(&resources, true).is_err());
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
    let found = hierarchy::parse(table);
    let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["name=systemd", "cpu,cpuacct"]);
    assert_eq!(found[1].aliases().collect::<Vec<_>>(), ["cpu", "cpuacct"]);
}

#[test]
fn a_unified_host_has_one() {
    let found = hierarchy::parse("31 30 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n");
    assert_eq!((found.len(), found[0].unified, &found[0].mount), (1, true, &PathBuf::from("/sys/fs/cgroup")));
}

#[test]
fn paths_out_of_the_hierarchy_are_refused() {
    for path in ["", "/", "/..", "a/../..", "/a/../b"] {
        assert!(relative(Path::new(path)).is_err(), "{path:?}");
    }
    assert_eq!(relative(Path::new("/a/b")).expect("a path below"), Path::new("a/b"));
}

#[test]
fn real_cgroups_are_made_limited_and_removed() {
    let hierarchies = hierarchy::detect().expect("cgroups are mounted");
    let name = format!("/phial-test-{}", std::process::id());
    let made = Cgroups::create(&hierarchies, Path::new(&name), Some(&resources())).expect("made");
    let paths: Vec<PathBuf> = made.paths().map(Path::to_owned).collect();
    assert!(paths.iter().all(|path| path.is_dir()));
    let limit = |file: &str| paths.iter().find_map(|path| std::fs::read_to_string(path.join(file)).ok());
    assert_eq!(limit("pids.max").as_deref(), Some("100\n"));
    assert_eq!(made.oom_kills(), 0);
    made.remove().expect("removed");
    assert!(!paths.iter().any(|path| path.exists()));
}
