//! Names, properties, and the bytes of D-Bus; a real systemd where there is one.

use std::collections::HashMap;

use oci_spec::runtime::LinuxResources;
use serde_json::{Value as Json, json};

use super::bus::{Value, Writer};
use super::{annotations, devices, name, properties};
use crate::cgroup::limits::{Present, Version};

#[test]
fn paths_are_units() {
    let check = |path: &str, slice: Option<&str>, unit: &str| {
        let found = name::parse(path, "id").expect("a path");
        assert_eq!((found.slice.as_deref(), found.unit.as_str()), (slice, unit), "{path:?}");
    };
    check("", None, "phial-id.scope");
    check("system.slice:docker:1234", Some("system.slice"), "docker-1234.scope");
    check(":cri:x", None, "cri-x.scope");
    check("a-b.slice::x", Some("a-b.slice"), "x.scope");
    check("-.slice:p:x", Some("-.slice"), "p-x.scope");
    for path in ["/a/b", "a:b", "a.slice:b:c:d", "a.slice:b:", "a:b:c", "a.slice:b:c/d", "a.slice:b:x.slice"] {
        assert!(name::parse(path, "id").is_err(), "{path:?}");
    }
}

#[test]
fn slices_have_levels() {
    for (slice, path) in [
        ("system.slice", Some("/system.slice")),
        ("a-b-c.slice", Some("/a.slice/a-b.slice/a-b-c.slice")),
        ("-.slice", Some("/")),
        (".slice", None),
        ("a--b.slice", None),
        ("-a.slice", None),
        ("a-.slice", None),
        ("a/b.slice", None),
        ("a.scope", None),
    ] {
        assert_eq!(name::expand(slice).as_deref(), path, "{slice}");
    }
}

fn listed(list: &[(String, Value)]) -> Vec<String> {
    list.iter().map(|(name, value)| format!("{name}={value:?}")).collect()
}

fn check(resources: Json, version: Version, systemd: u32, expected: &[&str]) {
    let words = resources.to_string();
    let resources: LinuxResources = serde_json::from_value(resources).expect("valid JSON");
    let list = properties::properties(&resources, version, systemd, &Present::default()).expect("possible");
    assert_eq!(listed(&list), expected, "{version:?} {systemd} {words}");
}

#[test]
fn limits_are_properties() {
    use Version::{V1, V2};
    let all = json!({
        "memory": {"limit": 100, "swap": 150, "reservation": 50},
        "cpu": {"shares": 1024, "quota": 50000, "period": 200_000, "cpus": "0-2,9", "mems": "0"},
        "pids": {"limit": 0}, "blockIO": {"weight": 500},
    });
    check(
        all.clone(),
        V2,
        252,
        &[
            "MemoryMax=U64(100)",
            "MemoryLow=U64(50)",
            "MemorySwapMax=U64(50)",
            "CPUWeight=U64(100)",
            "CPUQuotaPeriodUSec=U64(200000)",
            "CPUQuotaPerSecUSec=U64(250000)",
            "AllowedCPUs=Bytes([7, 2])",
            "AllowedMemoryNodes=Bytes([1])",
            "TasksMax=U64(1)",
            "IOWeight=U64(4950)",
        ],
    );
    check(
        all.clone(),
        V1,
        239,
        &[
            "MemoryLimit=U64(100)",
            "CPUShares=U64(1024)",
            "CPUQuotaPerSecUSec=U64(250000)",
            "TasksMax=U64(1)",
            "BlockIOWeight=U64(500)",
        ],
    );
    let infinity = format!("U64({})", u64::MAX);
    let expected =
        ["MemoryMax", "MemorySwapMax", "CPUQuotaPerSecUSec", "TasksMax"].map(|name| format!("{name}={infinity}"));
    let none = json!({"memory": {"limit": -1}, "cpu": {"quota": -1}, "pids": {"limit": -1}});
    check(none, V2, 252, &expected.each_ref().map(String::as_str));
    check(json!({"cpu": {"idle": 1, "shares": 5}}), V2, 252, &["CPUWeight=U64(0)"]);
    check(json!({"cpu": {"idle": 1, "shares": 1024}}), V2, 251, &["CPUWeight=U64(100)"]);
    check(json!({}), V2, 252, &[]);
}

#[test]
fn files_are_properties() {
    let files = json!({"unified": {"memory.max": "max", "memory.high": "7", "pids.max": "0", "cpu.max": "50000 100000",
        "cpu.weight": "33", "cpuset.cpus": "1", "io.max": "8:0 rbps=1", "memory.oom.group": "1"}});
    check(
        files,
        Version::V2,
        252,
        &[
            "CPUQuotaPeriodUSec=U64(100000)",
            "CPUQuotaPerSecUSec=U64(500000)",
            "CPUWeight=U64(33)",
            "AllowedCPUs=Bytes([2])",
            "MemoryHigh=U64(7)",
            &format!("MemoryMax=U64({})", u64::MAX),
            "TasksMax=U64(1)",
        ],
    );
    for (file, value) in [("cpu.max", "a"), ("cpu.max", "5 b"), ("memory.max", "1G")] {
        let resources: LinuxResources = serde_json::from_value(json!({"unified": {file: value}})).expect("valid JSON");
        let refused = properties::properties(&resources, Version::V2, 252, &Present::default());
        let error = refused.expect_err("no value").to_string();
        assert!(error.starts_with(&format!("linux.resources.unified.{file} \"{value}\"")), "{error}");
    }
}

#[test]
fn quotas_are_whole_per_cent() {
    let quota = |quota: i64, present: &Present| {
        let resources = serde_json::from_value(json!({"cpu": {"quota": quota}})).expect("valid JSON");
        properties::rounded(&resources, present).cpu().as_ref().and_then(oci_spec::runtime::LinuxCpu::quota)
    };
    let default = Present::default();
    assert_eq!(quota(50_000, &default), Some(50_000));
    assert_eq!(quota(50_001, &default), Some(51_000));
    assert_eq!(quota(-1, &default), Some(-1));
    assert_eq!(quota(2_001, &Present { period: Some(10_000), ..default }), Some(2_100));
}

#[test]
fn devices_are_allowed() {
    let check = |rules: Json, expected: &[&str]| {
        let rules: Vec<_> = serde_json::from_value(rules).expect("valid JSON");
        assert_eq!(listed(&devices::properties(&rules)), expected);
    };
    let start = ["DevicePolicy=Text(\"strict\")", "DeviceAllow=Pairs([])"];
    check(json!([{"allow": false, "access": "rwm"}]), &[start[0], start[1], "DeviceAllow=Pairs([])"]);
    check(
        json!([{"allow": true, "type": "c", "major": 9, "minor": 9, "access": "r"}, {"allow": false},
            {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rw"},
            {"allow": true, "type": "b", "major": 8, "access": "r"}, {"allow": true, "type": "a", "access": "m"},
            {"allow": false, "type": "c", "major": 1, "minor": 3, "access": "w"}]),
        &[
            start[0],
            start[1],
            "DeviceAllow=Pairs([(\"/dev/char/1:3\", \"rw\"), (\"block-8\", \"r\"), (\"block-*\", \"m\"), (\"char-*\", \"m\")])",
        ],
    );
    check(json!([{"allow": true, "access": "rwm"}]), &["DevicePolicy=Text(\"auto\")", start[1]]);
}

#[test]
fn annotations_are_properties() {
    let parse = |name: &str, value: &str| {
        let key = format!("org.systemd.property.{name}");
        let annotations = HashMap::from([(key, value.to_owned()), ("other".to_owned(), "x".to_owned())]);
        annotations::properties(Some(&annotations)).map(|list| listed(&list).join(" "))
    };
    for (name, value, expected) in [
        ("CollectMode", "'inactive-or-failed'", "CollectMode=Text(\"inactive-or-failed\")"),
        ("Description", r#""a \"b\"""#, "Description=Text(\"a \\\"b\\\"\")"),
        ("TimeoutStopUSec", "uint64 123456", "TimeoutStopUSec=U64(123456)"),
        ("TimeoutStopSec", "2", "TimeoutStopUSec=U64(2000000)"),
        ("TimeoutStopSec", "1.5", "TimeoutStopUSec=U64(1500000)"),
        ("SendSIGHUP", "true", "SendSIGHUP=Bool(true)"),
        ("CPUWeight", "uint64 5", "CPUWeight=U64(5)"),
        ("KillMode", "string 'mixed'", "KillMode=Text(\"mixed\")"),
        ("Before", "['a.service', 'b.service']", "Before=Texts([\"a.service\", \"b.service\"])"),
        ("Before", "@as []", "Before=Texts([])"),
    ] {
        assert_eq!(parse(name, value).expect("a value"), expected, "{name}={value}");
    }
    for (name, value) in [("A", "1"), ("Foo1", "1"), ("Foo", "bar"), ("Foo", "'a"), ("Foo", "['a'"), ("FooSec", "'a'")]
    {
        assert!(parse(name, value).is_err(), "{name}={value}");
    }
}

#[test]
fn values_are_aligned() {
    let mut writer = Writer::default();
    writer.text("a");
    writer.properties(&[("B".into(), Value::U64(1)), ("C".into(), Value::Pairs(vec![("x".into(), "y".into())]))]);
    let expected: Vec<u8> = [
        &[1, 0, 0, 0, b'a', 0, 0, 0][..],
        // The length of the array, and the gap before its first structure.
        &[61, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 0, 0, b'B', 0, 1, b't', 0, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 0, 0, b'C', 0, 5, b'a', b'(', b's', b's', b')', 0, 0, 0, 0],
        &[14, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 0, 0, b'x', 0, 0, 0, 1, 0, 0, 0, b'y', 0],
    ]
    .concat();
    let bytes = writer.into_bytes();
    assert_eq!(bytes[8], u8::try_from(bytes.len() - 16).expect("short"), "the length of the array");
    assert_eq!(bytes[16..], expected[16..]);
    assert_eq!(bytes[..8], expected[..8]);
}

/// With systemd a unit is made, limited, entered, changed and removed; without it one is told so.
#[test]
fn a_unit_of_systemd_or_a_word_why_not() {
    use super::{Cgroups, Driver, UnitOptions};
    let hierarchies = crate::cgroup::detect().expect("cgroups are mounted");
    let limits = json!({"memory": {"limit": 67_108_864}, "pids": {"limit": 30}, "cpu": {"shares": 1024}});
    let limits: LinuxResources = serde_json::from_value(limits).expect("valid JSON");
    let id = format!("test-{}", std::process::id());
    let annotations = HashMap::from([("org.systemd.property.CollectMode".into(), "'inactive-or-failed'".into())]);
    let options = UnitOptions { id: &id, annotations: Some(&annotations), process: None };
    let path = format!("phialtest-inner.slice:phial:{id}");
    let made = Cgroups::create_with(Driver::Systemd, &hierarchies, path.as_ref(), Some(&limits), &options);
    if !std::path::Path::new("/run/systemd/system").exists() {
        let error = made.expect_err("there is no systemd");
        assert!(error.hint().is_some_and(|hint| hint.contains("cgroupfs")), "{error}");
        return;
    }
    let made = made.expect("made");
    let directory = made.paths().next().expect("one").to_owned();
    assert!(directory.ends_with(format!("phialtest.slice/phialtest-inner.slice/phial-{id}.scope")), "{directory:?}");
    let get = |file: &str| {
        let text = made.paths().find_map(|path| std::fs::read_to_string(path.join(file)).ok());
        text.map(|text| text.trim().to_owned()).unwrap_or_default()
    };
    assert_eq!((get("pids.max"), get("memory.max")), ("30".into(), "67108864".into()));
    // What holds the place goes when another process is there.
    let child = sys::clone::placeholder().expect("a process");
    made.attach(child.pid).expect("moved");
    made.settled();
    assert_eq!(made.processes().expect("read"), [child.pid]);
    let opened = Cgroups::open_with(Driver::Systemd, std::slice::from_ref(&directory)).expect("opened");
    assert_eq!(opened.driver(), Driver::Systemd);
    let change = json!({"pids": {"limit": 40}, "cpu": {"quota": 50_001}});
    opened.update(&serde_json::from_value(change).expect("valid JSON")).expect("changed");
    assert_eq!((get("pids.max"), get("cpu.max")), ("40".into(), "51000 100000".into()));
    opened.signal_all(rustix::process::Signal::KILL).expect("killed");
    rustix::process::waitpid(Some(child.pid), rustix::process::WaitOptions::empty()).expect("reaped");
    opened.remove().expect("removed");
    assert!(!directory.exists());
}
