//! What the kernel's files say, and the shape of the answer.

use serde_json::json;

use super::{block_io, cpuset, pressure};
use crate::cgroup::directory::Directory;
use crate::cgroup::limits::Version;
use crate::cgroup::stats::{Stats, cpu, huge_pages, memory};

/// A directory with these files, as a cgroup of v2.
fn directory(files: &[(&str, &str)]) -> (tempfile::TempDir, Directory) {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    for (name, content) in files {
        std::fs::write(temporary.path().join(name), content).expect("written");
    }
    let directory = Directory::open(temporary.path(), Version::V2, &[]).expect("opened");
    (temporary, directory)
}

#[test]
fn nothing_has_the_shape_of_runc() {
    let entry = json!({"limit": 0, "failcnt": 0});
    let expected = json!({
        "cpu": {"usage": {"kernel": 0, "user": 0}, "throttling": {}},
        "cpuset": {"cpu_exclusive": 0, "mem_hardwall": 0, "mem_exclusive": 0, "memory_migrate": 0,
            "memory_spread_page": 0, "memory_spread_slab": 0, "memory_pressure": 0, "sched_load_balance": 0,
            "sched_relax_domain_level": 0},
        "memory": {"usage": entry, "swap": entry, "kernel": entry, "kernelTCP": entry},
        "pids": {}, "blkio": {}, "hugetlb": {}, "intel_rdt": {}, "network_interfaces": null,
    });
    assert_eq!(serde_json::to_value(Stats::default()).expect("serializable"), expected);
}

#[test]
fn cpu_of_v2() {
    let (_files, directory) = directory(&[
        (
            "cpu.stat",
            "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 4\nnr_throttled 2\nthrottled_usec 7\nnr_bursts 0\n",
        ),
        (
            "cpu.pressure",
            "some avg10=0.10 avg60=2.00 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
        ),
    ]);
    let line =
        |avg10: f64, avg60: f64, total: u64| json!({"avg10": avg10, "avg60": avg60, "avg300": 0.0, "total": total});
    let expected = json!({
        "usage": {"total": 30000, "kernel": 10000, "user": 20000},
        "throttling": {"periods": 4, "throttledPeriods": 2, "throttledTime": 7000},
        "psi": {"some": line(0.1, 2.0, 12), "full": line(0.0, 0.0, 3)},
    });
    assert_eq!(serde_json::to_value(cpu::v2(&directory).expect("read")).expect("serializable"), expected);
}

#[test]
fn memory_of_v2() {
    let (_files, directory) = directory(&[
        ("memory.stat", "anon 5\nfile 7\n"),
        ("memory.current", "12\n"),
        ("memory.max", "100\n"),
        ("memory.peak", "20\n"),
        ("memory.swap.current", "3\n"),
        ("memory.swap.max", "50\n"),
        ("memory.swap.peak", "4\n"),
    ]);
    let entry = json!({"limit": 0, "failcnt": 0});
    let expected = json!({
        "cache": 7,
        "usage": {"limit": 100, "usage": 12, "max": 20, "failcnt": 0},
        "swap": {"limit": 150, "usage": 15, "failcnt": 0},
        "kernel": entry, "kernelTCP": entry,
        "raw": {"anon": 5, "file": 7},
    });
    assert_eq!(serde_json::to_value(memory::v2(&directory).expect("read")).expect("serializable"), expected);
}

#[test]
fn huge_pages_of_v2() {
    let (_files, directory) = directory(&[
        ("hugetlb.2MB.current", "1\n"),
        ("hugetlb.2MB.rsvd.current", "2097152\n"),
        ("hugetlb.2MB.events", "max 3\n"),
        ("hugetlb.1GB.current", "0\n"),
    ]);
    let expected = json!({"2MB": {"usage": 2_097_152, "failcnt": 3}, "1GB": {"failcnt": 0}});
    assert_eq!(serde_json::to_value(huge_pages::all(&directory).expect("read")).expect("serializable"), expected);
}

#[test]
fn block_io_of_both() {
    let stats = block_io::stat_v2("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\nbroken\n254:16 rbytes=9\n");
    let expected = json!({
        "ioServiceBytesRecursive": [{"major": 8, "op": "Read", "value": 1}, {"major": 8, "op": "Write", "value": 2},
            {"major": 254, "minor": 16, "op": "Read", "value": 9}],
        "ioServicedRecursive": [{"major": 8, "op": "Read", "value": 3}, {"major": 8, "op": "Write", "value": 4}],
    });
    assert_eq!(serde_json::to_value(stats).expect("serializable"), expected);
    let rows = block_io::table("8:0 Read 5\n8:0 Total 5\nTotal 5\n8:16 7\n");
    let expected = json!([{"major": 8, "op": "Read", "value": 5}, {"major": 8, "op": "Total", "value": 5},
        {"major": 8, "minor": 16, "value": 7}]);
    assert_eq!(serde_json::to_value(rows).expect("serializable"), expected);
}

#[test]
fn lists_and_pressure() {
    assert_eq!(cpuset::numbers("0-2,7\n"), [0, 1, 2, 7]);
    assert_eq!(cpuset::numbers(""), [0; 0]);
    assert_eq!(pressure::parse("nonsense"), pressure::Pressure::default());
}
