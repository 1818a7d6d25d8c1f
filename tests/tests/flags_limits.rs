//! `phial run`: what each flag about resources does to the container's cgroups, limits and kernel parameters.

use end_to_end::{Result, Stage};

/// A script that prints a file of the container's own cgroup, whatever the hierarchy.
fn cgroup(v1: &str, v2: &str) -> String {
    format!("cat /sys/fs/cgroup/{v1} 2>/dev/null || cat /sys/fs/cgroup/{v2}")
}

fn is_v2() -> bool {
    std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

#[test]
fn shares_of_cpus() -> Result {
    let stage = Stage::busybox()?;
    let quota = cgroup("cpu/cpu.cfs_quota_us", "cpu.max");
    stage.check(&[
        (&["--cpuset-cpus", "0"], &cgroup("cpuset/cpuset.cpus", "cpuset.cpus"), "0"),
        (&["--cpuset-cpus", "0"], "grep -o '^Cpus_allowed_list.*' /proc/self/status | awk '{print $2}'", "0"),
        (&["--cpuset-mems", "0"], &cgroup("cpuset/cpuset.mems", "cpuset.mems"), "0"),
        (&["--cpu-quota", "30000"], &format!("({quota}) | cut -d' ' -f1"), "30000"),
    ])?;
    let period =
        stage.sh(&["--cpu-period", "50000", "--cpu-quota", "20000"], &cgroup("cpu/cpu.cfs_period_us", "cpu.max"))?;
    assert!(period == "50000" || period == "20000 50000", "{period}");
    let shares = stage.sh(&["-c", "512"], &cgroup("cpu/cpu.shares", "cpu.weight"))?;
    assert!(shares == "512" || (is_v2() && shares != "100"), "{shares}");
    Ok(())
}

#[test]
fn memory_and_swap() -> Result {
    let stage = Stage::busybox()?;
    let reserved = cgroup("memory/memory.soft_limit_in_bytes", "memory.low");
    stage.check(&[
        (&["--memory-reservation", "16m"], &reserved, "16777216"),
        (&["--oom-score-adj", "321"], "cat /proc/self/oom_score_adj", "321"),
        (&["--shm-size", "1m"], "df -k /dev/shm | tail -n 1 | awk '{print $2}'", "1024"),
        (&[], "df -k /dev/shm | tail -n 1 | awk '{print $2}'", "65536"),
    ])?;
    if is_v2() {
        let output = stage.run(&["--memory-swappiness", "10"], &["true"])?.exited(125)?;
        assert!(output.stderr.contains("--memory-swappiness: cgroups of version 2"), "{output:?}");
        return Ok(());
    }
    stage.check(&[
        (&["--memory-swappiness", "10"], "cat /sys/fs/cgroup/memory/memory.swappiness", "10"),
        (
            &["--oom-kill-disable", "-m", "32m"],
            "head -n 1 /sys/fs/cgroup/memory/memory.oom_control",
            "oom_kill_disable 1",
        ),
        (
            &["-m", "32m", "--memory-swap", "48m"],
            "f=/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes; test -e $f || echo 50331648; cat $f",
            "50331648",
        ),
    ])
}

#[test]
fn limits_of_disks() -> Result {
    let stage = Stage::busybox()?;
    // Loop devices are disks that every kernel of the tests has.
    let Ok(metadata) = std::fs::metadata("/dev/loop0") else { return Ok(()) };
    let number = std::os::unix::fs::MetadataExt::rdev(&metadata);
    let number = format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number));
    if is_v2() {
        let limits = ["--device-read-bps", "/dev/loop0:1m", "--device-write-iops", "/dev/loop0:100"];
        let expected = format!("{number} rbps=1048576 wbps=max riops=max wiops=100");
        return stage.check(&[(&limits, "cat /sys/fs/cgroup/io.max", &expected)]);
    }
    for (flag, value, file, expected) in [
        ("--device-read-bps", "/dev/loop0:1m", "read_bps_device", "1048576"),
        ("--device-write-bps", "/dev/loop0:2m", "write_bps_device", "2097152"),
        ("--device-read-iops", "/dev/loop0:100", "read_iops_device", "100"),
        ("--device-write-iops", "/dev/loop0:200", "write_iops_device", "200"),
    ] {
        let script = format!("cat /sys/fs/cgroup/blkio/blkio.throttle.{file}");
        stage.check(&[(&[flag, value], &script, &format!("{number} {expected}"))])?;
    }
    let weight = "cat /sys/fs/cgroup/blkio/blkio.weight 2>/dev/null || cat /sys/fs/cgroup/blkio/blkio.bfq.weight";
    stage.check(&[(&["--blkio-weight", "300"], weight, "300")])
}

#[test]
fn kernel_parameters() -> Result {
    let stage = Stage::busybox()?;
    stage.check(&[
        (&["--sysctl", "net.ipv4.ip_forward=1"], "cat /proc/sys/net/ipv4/ip_forward", "1"),
        (&["--sysctl", "kernel.shmmni=100"], "cat /proc/sys/kernel/shmmni", "100"),
        (
            &["--sysctl", "net.ipv4.ping_group_range=0 5"],
            "awk '{print $1, $2}' /proc/sys/net/ipv4/ping_group_range",
            "0 5",
        ),
        (&[], "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "0"),
    ])
}

#[test]
fn a_cgroup_below_another() -> Result {
    let stage = Stage::busybox()?;
    let parent = format!("phial-test-{}", std::process::id());
    let id = stage.start(&["--cgroup-parent", &format!("/{parent}")], &["sleep", "1000"])?;
    let pid = stage.phial.inspect(&id)?["State"]["Pid"].to_string();
    let cgroups = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    stage.phial.ok(&["rm", "-f", &id])?;
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup")?.flatten() {
        // The parent is whoever named it's own.
        std::fs::remove_dir(hierarchy.path().join(&parent)).ok();
    }
    std::fs::remove_dir(format!("/sys/fs/cgroup/{parent}")).ok();
    assert!(cgroups.lines().any(|line| line.ends_with(&format!("/{parent}/phial-{id}"))), "{cgroups}");
    Ok(())
}

#[test]
fn inspect_shows_what_was_asked_for() -> Result {
    let stage = Stage::busybox()?;
    let flags = [
        "--cpu-shares",
        "512",
        "--cpuset-cpus",
        "0",
        "-m",
        "32m",
        "--memory-swap",
        "-1",
        "--memory-reservation",
        "16m",
        "--oom-score-adj",
        "7",
        "--shm-size",
        "2m",
        "--sysctl",
        "net.ipv4.ip_forward=1",
        "--cgroup-parent",
        "/a",
        "--blkio-weight",
        "20",
        "--device-cgroup-rule",
        "c 1:3 r",
        "--annotation",
        "a.b=c",
        "--group-add",
        "7",
        "--add-host",
        "db:10.0.0.5",
        "--dns",
        "9.9.9.9",
        "--dns-search",
        "x.y",
        "--dns-option",
        "ndots:2",
        "--expose",
        "8080",
        "--domainname",
        "d",
        "--ipc",
        "shareable",
        "--pid",
        "host",
        "--userns",
        "host",
        "--cgroupns",
        "host",
        "--security-opt",
        "systempaths=unconfined",
        "--gpus",
        "2",
        "--device",
        "/dev/null:/dev/x:r",
    ];
    let create = [&["create", "--name", "whole"], &flags[..], &[&stage.image, "true"]].concat();
    // There is no GPU here; what is asked for is kept all the same by whoever leaves that out.
    let without: Vec<&str> = create.iter().copied().filter(|word| *word != "--gpus" && *word != "2").collect();
    stage.phial.ok(&without)?;
    let all = stage.phial.inspect("whole")?;
    let host = &all["HostConfig"];
    for (key, expected) in [
        ("CpuShares", serde_json::json!(512)),
        ("CpusetCpus", "0".into()),
        ("Memory", (32 << 20).into()),
        ("MemorySwap", (-1).into()),
        ("MemoryReservation", (16 << 20).into()),
        ("OomScoreAdj", 7.into()),
        ("ShmSize", (2 << 20).into()),
        ("Sysctls", serde_json::json!({"net.ipv4.ip_forward": "1"})),
        ("CgroupParent", "/a".into()),
        ("BlkioWeight", 20.into()),
        ("DeviceCgroupRules", serde_json::json!(["c 1:3 r"])),
        ("Annotations", serde_json::json!({"a.b": "c"})),
        ("GroupAdd", serde_json::json!(["7"])),
        ("ExtraHosts", serde_json::json!(["db:10.0.0.5"])),
        ("Dns", serde_json::json!(["9.9.9.9"])),
        ("DnsSearch", serde_json::json!(["x.y"])),
        ("DnsOptions", serde_json::json!(["ndots:2"])),
        ("IpcMode", "shareable".into()),
        ("PidMode", "host".into()),
        ("UsernsMode", "host".into()),
        ("CgroupnsMode", "host".into()),
        ("SecurityOpt", serde_json::json!(["systempaths=unconfined", "label=disable"])),
        ("MaskedPaths", serde_json::Value::Null),
        (
            "Devices",
            serde_json::json!([{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}]),
        ),
    ] {
        assert_eq!(host[key], expected, "HostConfig.{key}");
    }
    assert_eq!(all["Config"]["Domainname"], "d");
    assert!(all["Config"]["ExposedPorts"]["8080/tcp"].is_object(), "{}", all["Config"]);
    Ok(())
}
