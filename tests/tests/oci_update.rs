//! `phial-runtime update`, `events` and `features`: limits of a running container, what it uses, what the program can do.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use end_to_end::bundle::Bundle;
use end_to_end::process::{Running, run_with_input};
use end_to_end::{Context, Result};
use serde_json::{Value, json};

fn sleeping() -> Result<Bundle> {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["c"])?;
    bundle.ok(&["start", "c"])?;
    Ok(bundle)
}

fn memory(bundle: &Bundle) -> Result<String> {
    bundle.cgroup_file("c", "memory.limit_in_bytes", "memory.max")
}

fn pids(bundle: &Bundle) -> Result<String> {
    bundle.cgroup_file("c", "pids.max", "pids.max")
}

#[test]
fn limits_change_and_the_others_stay() -> Result {
    let bundle = sleeping()?;
    bundle.ok(&["update", "--memory", "20m", "--pids-limit", "17", "c"])?;
    assert_eq!((memory(&bundle)?, pids(&bundle)?), ((20 << 20).to_string(), "17".to_owned()));
    bundle.ok(&["update", "--memory", "16777216", "c"])?;
    assert_eq!((memory(&bundle)?, pids(&bundle)?), ((16 << 20).to_string(), "17".to_owned()));

    bundle.ok(&["update", "--cpu-quota", "50000", "--cpu-period", "200000", "c"])?;
    bundle.ok(&["update", "--cpu-quota", "60000", "--cpu-share", "512", "c"])?;
    let quota = bundle.cgroup_file("c", "cpu.cfs_quota_us", "cpu.max")?;
    assert!(quota == "60000" || quota == "60000 200000", "{quota}");
    let weight = bundle.cgroup_file("c", "cpu.shares", "cpu.weight")?;
    assert!(weight == "512" || weight == "59", "{weight}");

    // -1 takes a limit away.
    bundle.ok(&["update", "--memory", "-1", "--pids-limit", "-1", "c"])?;
    assert_ne!(memory(&bundle)?, (16 << 20).to_string());
    assert_eq!(pids(&bundle)?, "max");
    Ok(())
}

#[test]
fn limits_come_from_a_file_or_stdin() -> Result {
    let bundle = sleeping()?;
    let limits = bundle.path().join("limits.json");
    // As engines write it: a limit of processes without a number is none.
    std::fs::write(&limits, r#"{"memory":{"limit":33554432},"cpu":{"cpus":"","mems":""},"pids":{}}"#)?;
    // Other options count for nothing beside it.
    bundle.ok(&["update", "--resources", "limits.json", "--memory", "1g", "c"])?;
    assert_eq!((memory(&bundle)?, pids(&bundle)?), ((32 << 20).to_string(), "max".to_owned()));
    let mut command = bundle.command(&["update", "-r", "-", "c"])?;
    run_with_input(&mut command, br#"{"pids": {"limit": 9}}"#)?.success()?;
    assert_eq!((memory(&bundle)?, pids(&bundle)?), ((32 << 20).to_string(), "9".to_owned()));

    let kept = std::fs::read(bundle.path().join("state/c/config.json"))?;
    let kept: Value = serde_json::from_slice(&kept)?;
    let resources = &kept["linux"]["resources"];
    assert_eq!((&resources["memory"]["limit"], &resources["pids"]["limit"]), (&json!(32 << 20), &json!(9)), "{kept}");
    assert!(resources["devices"].is_array(), "{kept}");

    // What was no limit before version 1.3 of the specification is no change for who writes that.
    let mut old = Bundle::new()?;
    old.config["ociVersion"] = json!("1.2.0");
    old.arguments(&["sleep", "1000"]);
    old.config["linux"]["resources"]["pids"] = json!({"limit": 7});
    old.create(&["c"])?;
    run_with_input(&mut old.command(&["update", "-r", "-", "c"])?, br#"{"pids": {"limit": 0}}"#)?.success()?;
    assert_eq!(pids(&old)?, "7");

    for text in ["", "[]", "{\"memory\": 5}"] {
        let mut command = bundle.command(&["update", "-r", "-", "c"])?;
        run_with_input(&mut command, text.as_bytes())?.exited(1)?;
    }
    Ok(())
}

#[test]
fn what_is_no_limit_changes_nothing() -> Result {
    let bundle = sleeping()?;
    let before = (memory(&bundle)?, pids(&bundle)?);
    for (option, value, said) in [
        ("--memory", "much", "invalid value for memory"),
        ("--cpu-share", "x", "invalid value for cpu-share"),
        ("--cpu-quota", "100", "linux.resources.cpu.quota 100: is neither -1 nor at least 1000 microseconds"),
        ("--blkio-weight", "5", "linux.resources.blockIO.weight 5: is not between 10 and 1000"),
        ("--cpuset-cpus", "a", "linux.resources.cpu.cpus"),
        ("--l3-cache-schema", "L3:0=f", "Intel RDT"),
        ("--no-such", "1", "is no option here"),
    ] {
        let refused = bundle.run(&["update", option, value, "c"])?.exited(1)?;
        assert!(refused.stderr.contains(said), "{option}: {refused:?}");
    }
    assert_eq!((memory(&bundle)?, pids(&bundle)?), before);
    bundle.ok(&["kill", "c", "KILL"])?;
    while bundle.state("c")?["status"] != "stopped" {}
    let refused = bundle.run(&["update", "--memory", "20m", "c"])?.exited(1)?;
    assert!(refused.stderr.contains("container not running"), "{refused:?}");
    let refused = bundle.run(&["events", "--stats", "c"])?.exited(1)?;
    assert!(refused.stderr.contains("container with id c is not running"), "{refused:?}");
    Ok(())
}

#[test]
fn what_is_used_is_told_once_or_again_and_again() -> Result {
    let bundle = sleeping()?;
    bundle.ok(&["update", "--memory", "20m", "--pids-limit", "17", "c"])?;
    let event: Value = serde_json::from_str(&bundle.ok(&["events", "--stats", "c"])?)?;
    assert_eq!((&event["type"], &event["id"]), (&json!("stats"), &json!("c")));
    let data = &event["data"];
    assert_eq!(data["pids"], json!({"current": 1, "limit": 17}), "{event}");
    assert_eq!(data["memory"]["usage"]["limit"], 20 << 20, "{event}");
    assert!(data["memory"]["raw"].is_object() && data["cpu"]["usage"]["kernel"].is_u64(), "{event}");
    // Pressure, where the kernel measures it: on the unified hierarchy, unless it was booted without.
    let measured = bundle.cgroup_file("c", "cpu.pressure", "cpu.pressure").is_ok();
    for resource in ["cpu", "memory"] {
        assert_eq!(data[resource]["psi"]["some"]["total"].is_u64(), measured, "{resource}: {event}");
    }

    let mut events = Running::start(bundle.command(&["events", "--interval", "10ms", "c"])?.stdout(Stdio::piped()))?;
    let stdout = events.child().stdout.take().context("stdout")?;
    for line in BufReader::new(stdout).lines().take(3) {
        assert_eq!(serde_json::from_str::<Value>(&line?)?["type"], "stats");
    }
    for (interval, said) in [("0", "duration interval must be greater than 0"), ("often", "is no duration")] {
        let refused = bundle.run(&["events", "--interval", interval, "c"])?.exited(1)?;
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
    Ok(())
}

#[test]
fn who_gets_no_memory_is_told_of_and_the_end_ends_it() -> Result {
    let mut bundle = Bundle::new()?;
    // `tail` keeps what it reads until a line ends, which zeros never do.
    bundle.arguments(&["/bin/busybox", "tail", "/dev/zero"]);
    bundle.config["linux"]["resources"]["memory"] = json!({"limit": 16 << 20, "swap": 16 << 20});
    bundle.create(&["c"])?;
    let mut events = Running::start(bundle.command(&["events", "--interval", "10ms", "c"])?.stdout(Stdio::piped()))?;
    let mut lines = BufReader::new(events.child().stdout.take().context("stdout")?).lines();
    // It watches by now.
    lines.next().context("an event")??;
    bundle.ok(&["start", "c"])?;
    let told = lines.collect::<std::io::Result<Vec<_>>>()?;
    assert!(told.iter().any(|line| line == r#"{"type":"oom","id":"c"}"#), "{told:?}");
    assert_eq!(events.wait()?, 0);
    Ok(())
}

#[test]
fn features_are_what_the_specification_has() -> Result {
    let bundle = Bundle::new()?;
    let features: Value = serde_json::from_str(&bundle.ok(&["features"])?)?;
    assert_eq!((&features["ociVersionMin"], &features["ociVersionMax"]), (&json!("1.0.0"), &json!("1.3.0")));
    assert_eq!(features["linux"]["cgroup"]["systemd"], true);
    let unsafe_annotations = &features["potentiallyUnsafeConfigAnnotations"];
    assert!(unsafe_annotations.to_string().contains("org.systemd.property."), "{features}");
    // What is listed is taken.
    for kind in features["linux"]["namespaces"].as_array().context("namespaces")? {
        let mut bundle = Bundle::new()?;
        let namespaces = &mut bundle.config["linux"]["namespaces"];
        namespaces.as_array_mut().context("namespaces")?.retain(|one| &one["type"] != kind);
        namespaces.as_array_mut().context("namespaces")?.push(json!({"type": kind}));
        if kind == "user" {
            let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
            bundle.config["linux"]["uidMappings"] = map.clone();
            bundle.config["linux"]["gidMappings"] = map;
        }
        bundle.ok(&["plan"])?;
    }
    bundle.run(&["features", "extra"])?.exited(1).map(drop)
}
