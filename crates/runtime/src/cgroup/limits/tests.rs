//! Every field of `linux.resources` on both versions: what is written where, and what is refused with which words.

use oci_spec::runtime::LinuxResources;
use serde_json::{Value, json};

use super::{Missing, Order, Present, Version, weight_of_shares, writes};
use crate::error::ErrorKind;

fn parse(resources: Value) -> LinuxResources {
    serde_json::from_value(resources).expect("valid JSON")
}

fn written(resources: &Value, version: Version, present: &Present) -> Result<Vec<String>, crate::Error> {
    let list = writes(&parse(resources.clone()), version, present)?;
    Ok(list.iter().map(|write| format!("{}={}", write.file, write.value)).collect())
}

fn check(resources: &Value, version: Version, expected: &[&str]) {
    let found = written(resources, version, &Present::default()).expect("possible");
    assert_eq!(found, expected, "{version:?} {resources}");
}

fn check_refused(resources: &Value, version: Version, kind: ErrorKind, words: &str) {
    let error = written(resources, version, &Present::default()).expect_err("impossible");
    assert_eq!((error.kind(), error.to_string().as_str()), (kind, words), "{version:?} {resources}");
}

use ErrorKind::{Invalid, Unsupported};
use Version::{V1, V2};

#[test]
fn memory() {
    let all = json!({"memory": {"limit": 100, "swap": 150, "reservation": 50}});
    check(&all, V1, &["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=150", "memory.soft_limit_in_bytes=50"]);
    check(&all, V2, &["memory.swap.max=50", "memory.max=100", "memory.low=50"]);
    let none = json!({"memory": {"limit": -1, "reservation": -1}});
    check(&none, V1, &["memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1", "memory.soft_limit_in_bytes=-1"]);
    check(&none, V2, &["memory.swap.max=max", "memory.max=max", "memory.low=max"]);
    for unset in [json!({}), json!({"limit": 0, "swap": 0, "reservation": 0}), json!({"kernel": 5, "kernelTCP": 5})] {
        check(&json!({"memory": unset}), V1, &[]);
        check(&json!({"memory": unset}), V2, &[]);
    }
    check(&json!({"memory": {"limit": 100, "swap": 100}}), V2, &["memory.swap.max=0", "memory.max=100"]);
    check(&json!({"memory": {"limit": 100, "swap": -1}}), V2, &["memory.swap.max=max", "memory.max=100"]);
    check(&json!({"memory": {"limit": -1, "swap": 70}}), V2, &["memory.swap.max=70", "memory.max=max"]);
}

#[test]
fn memory_that_cannot_be() {
    let together = "linux.resources.memory.swap 50: is memory and swap together, so not below memory.limit 100";
    for version in [V1, V2] {
        check_refused(&json!({"memory": {"limit": 100, "swap": 50}}), version, Invalid, together);
        let words = "linux.resources.memory.limit -2: is no number of bytes, and not -1";
        check_refused(&json!({"memory": {"limit": -2}}), version, Invalid, words);
        let words = "linux.resources.memory.swappiness 101: is not between 0 and 100";
        check_refused(&json!({"memory": {"swappiness": 101}}), version, Invalid, words);
    }
    let words = "linux.resources.memory.swap 50: is memory and swap together, so it needs memory.limit";
    check_refused(&json!({"memory": {"swap": 50}}), V2, Invalid, words);
}

#[test]
fn behaviour_of_memory_is_of_v1() {
    let all = json!({"memory": {"swappiness": 7, "disableOOMKiller": true, "useHierarchy": true}});
    check(&all, V1, &["memory.use_hierarchy=1", "memory.swappiness=7", "memory.oom_control=1"]);
    check(&json!({"memory": {"swappiness": u64::MAX}}), V1, &[]);
    check(&json!({"memory": {"swappiness": u64::MAX, "disableOOMKiller": false, "useHierarchy": true}}), V2, &[]);
    for (field, value, words) in [
        ("swappiness", json!(7), "7: cgroup v2 has no swappiness; memory.swap limits swap"),
        ("disableOOMKiller", json!(true), "true: cgroup v2 cannot"),
        ("useHierarchy", json!(false), "false: cgroup v2 is always hierarchical"),
    ] {
        let words = format!("linux.resources.memory.{field} {words}");
        check_refused(&json!({"memory": {field: value}}), V2, Unsupported, &words);
    }
}

#[test]
fn an_update_builds_on_what_is_there() {
    let limited = Present { memory_limit: Some(100), memory_usage: Some(80), ..Present::default() };
    let check = |resources: Value, present: &Present, expected: &[&str]| {
        assert_eq!(written(&resources, V2, present).expect("possible"), expected, "{resources}");
    };
    check(json!({"memory": {"swap": 150}}), &limited, &["memory.swap.max=50"]);
    check(json!({"memory": {"limit": 120, "swap": 150}}), &limited, &["memory.swap.max=30", "memory.max=120"]);
    let unlimited = Present { memory_limit: Some(-1), ..Present::default() };
    check(json!({"memory": {"swap": 150}}), &unlimited, &["memory.swap.max=150"]);
    let quota = Present { quota: Some("50000".into()), period: Some(100_000), ..Present::default() };
    check(json!({"cpu": {"period": 200_000}}), &quota, &["cpu.max=50000 200000"]);
    check(json!({"cpu": {"quota": 20_000}}), &quota, &["cpu.max=20000"]);
    check(json!({"memory": {"limit": 70}}), &limited, &["memory.max=70"]);
    let refused = written(&json!({"memory": {"limit": 70, "checkBeforeUpdate": true}}), V2, &limited);
    let words = "linux.resources.memory.limit 70: is not above the 80 bytes in use";
    assert_eq!(refused.expect_err("below the usage").to_string(), words);
}

#[test]
fn cpu() {
    let all = json!({"cpu": {"shares": 1024, "quota": 50000, "period": 100_000, "burst": 10000, "idle": 0,
        "realtimeRuntime": 5, "realtimePeriod": 9, "cpus": "0-3,7", "mems": "0"}});
    check(
        &all,
        V1,
        &[
            "cpu.shares=1024",
            "cpu.idle=0",
            "cpu.cfs_period_us=100000",
            "cpu.cfs_burst_us=10000",
            "cpu.cfs_quota_us=50000",
            "cpu.rt_period_us=9",
            "cpu.rt_runtime_us=5",
            "cpuset.cpus=0-3,7",
            "cpuset.mems=0",
        ],
    );
    let all = json!({"cpu": {"shares": 1024, "quota": 50000, "period": 100_000, "burst": 10000, "idle": 1,
        "cpus": "0-6:2/4", "mems": "0"}});
    check(
        &all,
        V2,
        &[
            "cpu.weight=100",
            "cpu.idle=1",
            "cpu.max.burst=10000",
            "cpu.max=50000 100000",
            "cpuset.cpus=0-6:2/4",
            "cpuset.mems=0",
        ],
    );
    let zero = json!({"cpu": {"shares": 0, "quota": 0, "period": 0, "realtimeRuntime": 0, "cpus": "", "mems": " "}});
    for version in [V1, V2] {
        check(&zero, version, &[]);
    }
    check(&json!({"cpu": {"quota": -1}}), V1, &["cpu.cfs_quota_us=-1"]);
    check(&json!({"cpu": {"quota": -1}}), V2, &["cpu.max=max"]);
    check(&json!({"cpu": {"period": 5000}}), V2, &["cpu.max=max 5000"]);
}

#[test]
fn cpu_that_cannot_be() {
    for version in [V1, V2] {
        for (cpu, words) in [
            (json!({"quota": 999}), "quota 999: is neither -1 nor at least 1000 microseconds"),
            (json!({"quota": -2}), "quota -2: is neither -1 nor at least 1000 microseconds"),
            (json!({"period": 999}), "period 999: is not between 1000 and 1000000 microseconds"),
            (json!({"period": 1_000_001}), "period 1000001: is not between 1000 and 1000000 microseconds"),
            (json!({"quota": 5000, "burst": 5001}), "burst 5001: is more than cpu.quota 5000"),
            (json!({"idle": 2}), "idle 2: is neither 0 nor 1"),
            (json!({"cpus": "3-1"}), "cpus \"3-1\": is no list such as 0-3,7"),
            (json!({"mems": "0;1"}), "mems \"0;1\": is no list such as 0-3,7"),
        ] {
            check_refused(&json!({"cpu": cpu}), version, Invalid, &format!("linux.resources.cpu.{words}"));
        }
    }
    for shares in [1_u64, 262_145] {
        let words = format!("linux.resources.cpu.shares {shares}: is not between 2 and 262144");
        check_refused(&json!({"cpu": {"shares": shares}}), V1, Invalid, &words);
    }
    let words = "linux.resources.cpu.realtimeRuntime 5: cgroup v2 does not divide real-time CPU time";
    check_refused(&json!({"cpu": {"realtimeRuntime": 5}}), V2, Unsupported, words);
}

#[test]
fn shares_become_weights() {
    for (shares, weight) in
        [(1, 1), (2, 1), (3, 2), (512, 59), (1024, 100), (2048, 174), (262_143, 10_000), (262_144, 10_000)]
    {
        assert_eq!(weight_of_shares(shares), weight, "{shares}");
    }
    assert!((2..4096).all(|shares| weight_of_shares(shares) <= weight_of_shares(shares + 1)));
}

#[test]
fn pids() {
    for version in [V1, V2] {
        for (limit, expected) in [(7, "pids.max=7"), (0, "pids.max=1"), (-1, "pids.max=max"), (-5, "pids.max=max")] {
            check(&json!({"pids": {"limit": limit}}), version, &[expected]);
        }
    }
}

#[test]
fn block_io() {
    let device = |rate: u64| json!([{"major": 8, "minor": 0, "rate": rate}]);
    let all = json!({"blockIO": {"weight": 500, "throttleReadBpsDevice": device(1), "throttleWriteBpsDevice": device(2),
        "throttleReadIOPSDevice": device(3), "throttleWriteIOPSDevice": device(0),
        "weightDevice": [{"major": 8, "minor": 16, "weight": 10}]}});
    check(
        &all,
        V1,
        &[
            "blkio.weight=500",
            "blkio.weight_device=8:16 10",
            "blkio.throttle.read_bps_device=8:0 1",
            "blkio.throttle.write_bps_device=8:0 2",
            "blkio.throttle.read_iops_device=8:0 3",
            "blkio.throttle.write_iops_device=8:0 0",
        ],
    );
    check(
        &all,
        V2,
        &[
            "io.bfq.weight=500",
            "io.bfq.weight=8:16 10",
            "io.max=8:0 rbps=1",
            "io.max=8:0 wbps=2",
            "io.max=8:0 riops=3",
            "io.max=8:0 wiops=max",
        ],
    );
    let otherwise = |version| {
        let list = writes(&parse(all.clone()), version, &Present::default()).expect("possible");
        list.into_iter().filter_map(|write| write.otherwise).collect::<Vec<_>>()
    };
    let pair = |file: &str, value: &str| (file.to_owned(), value.to_owned());
    let weights = [pair("blkio.bfq.weight", "500"), pair("blkio.bfq.weight_device", "8:16 10")];
    assert_eq!(otherwise(V1), weights);
    assert_eq!(otherwise(V2), [pair("io.weight", "4950"), pair("io.weight", "8:16 1")]);
    let leaves = json!({"blockIO": {"leafWeight": 20, "weightDevice": [{"major": 8, "minor": 0, "leafWeight": 30}]}});
    check(&leaves, V1, &["blkio.leaf_weight=20", "blkio.leaf_weight_device=8:0 30"]);
    check(&json!({"blockIO": {"weight": 0, "leafWeight": 0}}), V2, &[]);
}

#[test]
fn block_io_that_cannot_be() {
    let refused = |block_io: Value, version, kind, words: &str| {
        let words = format!("linux.resources.blockIO.{words}");
        check_refused(&json!({"blockIO": block_io}), version, kind, &words);
    };
    for weight in [9, 1001] {
        refused(json!({"weight": weight}), V1, Invalid, &format!("weight {weight}: is not between 10 and 1000"));
    }
    refused(json!({"leafWeight": 20}), V2, Unsupported, "leafWeight 20: cgroup v2 has no weight of leaves");
    let device = json!([{"major": 8, "minor": 0}]);
    refused(json!({"weightDevice": device}), V1, Invalid, "weightDevice 8:0: has neither weight nor leafWeight");
    let device = json!([{"major": -1, "minor": 0, "rate": 5}]);
    refused(json!({"throttleReadBpsDevice": device}), V2, Invalid, "throttleReadBpsDevice -1:0: is no device");
}

#[test]
fn huge_pages() {
    let limits = json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 4_194_304}, {"pageSize": "1GB", "limit": 0}]});
    check(
        &limits,
        V1,
        &[
            "hugetlb.2MB.limit_in_bytes=4194304",
            "hugetlb.2MB.rsvd.limit_in_bytes=4194304",
            "hugetlb.1GB.limit_in_bytes=0",
            "hugetlb.1GB.rsvd.limit_in_bytes=0",
        ],
    );
    check(
        &limits,
        V2,
        &["hugetlb.2MB.max=4194304", "hugetlb.2MB.rsvd.max=4194304", "hugetlb.1GB.max=0", "hugetlb.1GB.rsvd.max=0"],
    );
    for size in ["", "2", "MB", "2 MB", "2mb", "-2MB", "+2MB", "02MB", "../2MB"] {
        let words = format!("linux.resources.hugepageLimits {size:?}: is no size such as 64KB, 2MB or 1GB");
        check_refused(&json!({"hugepageLimits": [{"pageSize": size, "limit": 1}]}), V2, Invalid, &words);
    }
    let words = "linux.resources.hugepageLimits 2MB -1: is no number of bytes";
    check_refused(&json!({"hugepageLimits": [{"pageSize": "2MB", "limit": -1}]}), V1, Invalid, words);
}

#[test]
fn network_and_rdma() {
    let network = json!({"network": {"classID": 1_048_577, "priorities": [{"name": "eth0", "priority": 500}]}});
    check(&network, V1, &["net_cls.classid=1048577", "net_prio.ifpriomap=eth0 500"]);
    check(&json!({"network": {"classID": 0, "priorities": []}}), V2, &[]);
    let words = "linux.resources.network.classID 1048577: cgroup v2 does not mark packets; \
                 a firewall can tell its cgroups apart";
    check_refused(&network, V2, Unsupported, words);
    let words = "linux.resources.network.priorities \" 5\": has no name of an interface";
    check_refused(&json!({"network": {"priorities": [{"name": "", "priority": 5}]}}), V1, Invalid, words);
    let rdma = json!({"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}, "mlx4_0": {"hcaObjects": 1000}}});
    for version in [V1, V2] {
        check(&rdma, version, &["rdma.max=mlx4_0 hca_object=1000", "rdma.max=mlx5_1 hca_handle=3 hca_object=10000"]);
        let words = "linux.resources.rdma a: has neither hcaHandles nor hcaObjects";
        check_refused(&json!({"rdma": {"a": {}}}), version, Invalid, words);
    }
}

#[test]
fn unified() {
    let files = json!({"memory": {"limit": 100}, "unified": {"memory.max": "50", "io.max": "8:0 rbps=1\n8:1 wbps=2\n",
        "cgroup.max.depth": "3", "cpuset.cpus": ""}});
    check(
        &files,
        V2,
        &[
            "memory.max=100",
            "cgroup.max.depth=3",
            "cpuset.cpus=\n",
            "io.max=8:0 rbps=1",
            "io.max=8:1 wbps=2",
            "memory.max=50",
        ],
    );
    let words = "linux.resources.unified.cgroup.max.depth \"3\": this host has cgroup v1";
    check_refused(&files, V1, Unsupported, words);
    for key in ["", "memory", ".max", "memory.", "../memory.max", "a/b.c", "a.b/../c"] {
        let words = format!("linux.resources.unified.{key} \"1\": is no file name such as memory.high");
        check_refused(&json!({"unified": {key: "1"}}), V2, Invalid, &words);
    }
    let words = "linux.resources.unified.cgroup.procs \"1\": is no limit";
    check_refused(&json!({"unified": {"cgroup.procs": "1"}}), V2, Invalid, words);
}

#[test]
fn what_may_be_missing() {
    let missing = |resources: Value, version| {
        let list = writes(&parse(resources), version, &Present::default()).expect("possible");
        list.into_iter().map(|write| write.missing).collect::<Vec<_>>()
    };
    let (refuse, skip) = (Missing::Refuse, Missing::Skip);
    assert_eq!(missing(json!({"cpu": {"idle": 0, "burst": 0}}), V2), [skip, skip]);
    assert_eq!(missing(json!({"cpu": {"idle": 1, "burst": 5}}), V1), [refuse, refuse]);
    assert_eq!(missing(json!({"memory": {"limit": 9, "swap": 9}}), V2), [skip, refuse]);
    assert_eq!(missing(json!({"memory": {"limit": 9, "swap": 10}}), V2), [Missing::SkipWithoutSwap, refuse]);
    assert_eq!(missing(json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}), V1), [refuse, skip]);
    let list = writes(&parse(json!({"memory": {"limit": 9, "swap": 10}})), V1, &Present::default()).expect("possible");
    assert!(list.iter().all(|write| write.order == Order::Set("memory and swap")));
}
