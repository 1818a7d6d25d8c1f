//! `phial update`: of containers that run, in their cgroups and at once; of others, when they are started.

use std::fs;
use std::path::PathBuf;

use end_to_end::followed::Followed;
use end_to_end::{Context, Phial, Result, Stage};

/// A file of the container's cgroup, whichever version the host has.
fn limit(phial: &Phial, id: &str, v1: &str, v2: &str) -> Result<String> {
    let status = fs::read_to_string(phial.run_dir().join("containers").join(id).join("status.json"))?;
    let status: serde_json::Value = serde_json::from_str(&status)?;
    let cgroups = status["cgroups"].as_array().context("status names cgroups")?;
    let directories = cgroups.iter().filter_map(|path| path.as_str().map(PathBuf::from));
    let mut files = directories.flat_map(|directory| [directory.join(v2), directory.join(v1)]);
    let found = files.find(|file| file.exists()).context(format!("no cgroup has {v1} or {v2}"))?;
    Ok(fs::read_to_string(found)?.trim().to_owned())
}

#[test]
fn limits_of_a_running_container_change_at_once() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let id = stage.start(&["--name", "box", "-m", "64m", "--pids-limit", "50"], &["sleep", "1000"])?;
    assert_eq!(limit(phial, &id, "memory.limit_in_bytes", "memory.max")?, (64 << 20).to_string());
    assert_eq!(phial.ok(&["update", "-m", "96m", "--pids-limit", "70", "--cpus", "0.5", "box"])?, "box");
    assert_eq!(limit(phial, &id, "memory.limit_in_bytes", "memory.max")?, (96 << 20).to_string());
    assert_eq!(limit(phial, &id, "pids.max", "pids.max")?, "70");
    let quota = limit(phial, &id, "cpu.cfs_quota_us", "cpu.max")?;
    assert!(quota == "50000" || quota == "50000 100000", "{quota}");
    phial.ok(&["update", "--pids-limit", "-1", "box"])?;
    assert_eq!(limit(phial, &id, "pids.max", "pids.max")?, "max");
    let inspected = phial.inspect("box")?;
    assert_eq!(inspected["HostConfig"]["Memory"], 96 << 20);
    assert_eq!(inspected["HostConfig"]["NanoCpus"], 500_000_000);
    // What is refused changes nothing.
    let cases: [(&[&str], &str); 6] = [
        (&["-m", "much"], "much"),
        (&["-m", "96m", "--memory-swap", "8m"], "--memory-swap"),
        (&["--cpus", "9999"], "9999"),
        (&["--cpu-quota", "5"], "5"),
        (&["--restart", "sometimes"], "sometimes"),
        (&[], "one or more flags"),
    ];
    for (flags, named) in cases {
        let output = phial.run(&[&["update"], flags, &["box"]].concat())?;
        assert!(output.code != 0 && output.stderr.contains(named), "{output:?}");
    }
    assert_eq!(phial.inspect("box")?["HostConfig"]["Memory"], 96 << 20);
    let output = phial.run(&["update", "-m", "32m", "absent"])?.exited(1)?;
    assert!(output.stderr.contains("absent"), "{output:?}");
    Ok(())
}

#[test]
fn a_memory_limit_set_later_is_watched() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    stage.start(&["--name", "box"], &["sleep", "1000"])?;
    phial.ok(&["update", "-m", "16m", "--memory-swap", "16m", "box"])?;
    phial.run(&["exec", "box", "tail", "/dev/zero"])?.exited(137)?;
    Followed::events(phial, "box")?.wait_for("oom")?;
    assert_eq!(phial.inspect("box")?["State"]["OOMKilled"], true);
    Ok(())
}

#[test]
fn a_container_that_does_not_run_has_them_when_it_does() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    phial.ok(&["create", "--name", "later", &stage.image, "sleep", "1000"])?;
    let id = phial.ok(&["inspect", "-f", "{{.Id}}", "later"])?;
    phial.ok(&["update", "--pids-limit", "33", "--restart", "on-failure:2", "later"])?;
    phial.ok(&["start", "later"])?;
    assert_eq!(limit(phial, &id, "pids.max", "pids.max")?, "33");
    assert_eq!(phial.inspect("later")?["HostConfig"]["RestartPolicy"]["Name"], "on-failure");
    Ok(())
}

#[test]
fn the_policy_of_a_running_container_is_that_of_its_next_end() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    // It ends by itself, as nothing is started again that somebody has stopped.
    stage.start(&["--name", "again"], &["sh", "-c", "test -p /go || mkfifo /go; cat /go; exit 3"])?;
    let mut events = Followed::events(phial, "again")?;
    // Nobody waits for what ends the container: it may be killed with it before it has ended itself.
    let end_it =
        || phial.ok(&["exec", "-d", "again", "sh", "-c", "until test -p /go; do :; done; echo > /go"]).map(drop);
    events.wait_for("start")?;
    phial.ok(&["update", "--restart", "on-failure", "again"])?;
    end_it()?;
    events.wait_for("die")?;
    events.wait_for("start")?;
    assert_eq!(phial.inspect("again")?["RestartCount"], 1);
    phial.ok(&["update", "--restart", "no", "again"])?;
    end_it()?;
    assert_eq!(phial.ok(&["wait", "again"])?, "3");
    let ended = phial.inspect("again")?;
    assert_eq!((&ended["State"]["Status"], &ended["RestartCount"]), (&"exited".into(), &1.into()));
    Ok(())
}

#[test]
fn what_goes_with_its_end_cannot_come_back() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    stage.start(&["--name", "gone", "--rm"], &["sleep", "1000"])?;
    let output = phial.run(&["update", "--restart", "always", "gone"])?.exited(1)?;
    assert!(output.stderr.contains("--rm"), "{output:?}");
    Ok(())
}
