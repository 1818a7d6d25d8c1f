//! `--network`, `--pid`, `--ipc`, `--uts`, `--cgroupns`: whose namespaces a container lives in, and the names in them.

use end_to_end::{Result, Stage};

/// The namespace of that kind which the container's shell is in.
fn inside(stage: &Stage, flags: &[&str], kind: &str) -> Result<String> {
    stage.sh(flags, &format!("readlink /proc/self/ns/{kind}"))
}

fn outside(kind: &str) -> Result<String> {
    Ok(std::fs::read_link(format!("/proc/self/ns/{kind}"))?.display().to_string())
}

#[test]
fn namespaces_of_the_host() -> Result {
    let stage = Stage::busybox()?;
    for (flags, kind) in [
        (["--pid", "host"], "pid"),
        (["--ipc", "host"], "ipc"),
        (["--uts", "host"], "uts"),
        (["--cgroupns", "host"], "cgroup"),
        (["--network", "host"], "net"),
    ] {
        assert_eq!(inside(&stage, &flags, kind)?, outside(kind)?, "{flags:?}");
        assert_ne!(inside(&stage, &[], kind)?, outside(kind)?, "{kind}");
    }
    assert_eq!(inside(&stage, &["--userns", "host"], "user")?, outside("user")?);
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    stage.check(&[
        (&["--uts", "host"], "hostname; echo $HOSTNAME", &format!("{name}\n{name}")),
        (&["--ipc", "none"], "test -e /dev/shm || echo none", "none"),
    ])
}

#[test]
fn what_outlives_a_container_that_sees_the_hosts_processes_is_killed() -> Result {
    let stage = Stage::busybox()?;
    let pid = stage.sh(&["--pid", "host"], "sleep 100000 >/dev/null 2>&1 & echo $!")?;
    // Somebody else reaps it, in his own time.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let is_dead = stat.is_empty() || stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['Z', 'X']));
    assert!(is_dead, "process {pid} is still there: {stat}");
    // Also what writes without end.
    let flags = ["--pid", "host", "--name", "writes", "--log-opt", "max-size=1m"];
    stage.start(&flags, &["sh", "-c", "yes & yes & yes & exit 3"])?;
    assert_eq!(stage.phial.ok(&["wait", "writes"])?, "3");
    Ok(())
}

#[test]
fn namespaces_of_another_container() -> Result {
    let stage = Stage::busybox()?;
    let names = ["--name", "donor", "--ipc", "shareable", "--hostname", "giver", "--add-host", "db:10.0.0.5"];
    stage.start(&names, &["sh", "-c", "echo given > /dev/shm/x; sleep 1000"])?;
    let own = |kind: &str| stage.phial.ok(&["exec", "donor", "readlink", &format!("/proc/self/ns/{kind}")]);
    let all = ["--network", "container:donor", "--pid", "container:donor", "--ipc", "container:donor"];
    for kind in ["net", "pid", "ipc"] {
        assert_eq!(inside(&stage, &all, kind)?, own(kind)?, "{kind}");
    }
    for kind in ["mnt", "uts"] {
        assert_ne!(inside(&stage, &all, kind)?, own(kind)?, "{kind}");
    }
    stage.check(&[
        // Who is one's own pid 1 has no part of it.
        (&all, "cat /proc/1/comm", "sleep"),
        (&all, "until cat /dev/shm/x 2>/dev/null; do :; done; echo back > /dev/shm/y", "given"),
        (&all, "hostname; cat /etc/hostname; grep -c 10.0.0.5 /etc/hosts", "giver\ngiver\n1"),
    ])?;
    assert_eq!(stage.phial.ok(&["exec", "donor", "cat", "/dev/shm/y"])?, "back");
    Ok(())
}

#[test]
fn who_does_not_run_or_does_not_share_is_not_joined() -> Result {
    let stage = Stage::busybox()?;
    stage.phial.ok(&["create", "--name", "idle", &stage.image, "true"])?;
    stage.start(&["--name", "private"], &["sleep", "1000"])?;
    for (flags, words) in [
        (["--network", "container:absent"], "no such container: absent"),
        (["--pid", "container:idle"], "container idle is not running"),
        (["--network", "container:idle"], "container idle is not running"),
        (["--ipc", "container:private"], "non-shareable IPC"),
    ] {
        let output = stage.run(&flags, &["true"])?.exited(125)?;
        assert!(output.stderr.contains(words), "{output:?}");
    }
    assert_eq!(stage.phial.containers()?.len(), 2, "something was left behind");
    // Whom it joins is asked when it starts, and by its id: it may be called something else by then.
    stage.phial.ok(&["create", "--name", "later", "--network", "container:idle", &stage.image, "true"])?;
    let mode = stage.phial.inspect("later")?["HostConfig"]["NetworkMode"].as_str().unwrap_or_default().to_owned();
    assert_eq!(mode, format!("container:{}", stage.phial.inspect("idle")?["Id"].as_str().unwrap_or_default()));
    let output = stage.phial.run(&["start", "later"])?;
    assert!(output.code != 0 && output.stderr.contains("container idle is not running"), "{output:?}");
    Ok(())
}

#[test]
fn a_container_that_starts_again_joins_whoever_is_there_then() -> Result {
    let stage = Stage::busybox()?;
    stage.start(&["--name", "donor"], &["sleep", "1000"])?;
    stage.start(&["--name", "guest", "--network", "container:donor"], &["sleep", "1000"])?;
    let namespace = |name: &str| stage.phial.ok(&["exec", name, "readlink", "/proc/self/ns/net"]);
    assert_eq!(namespace("guest")?, namespace("donor")?);
    stage.phial.ok(&["stop", "-t", "0", "guest", "donor"])?;
    stage.phial.ok(&["start", "donor", "guest"])?;
    assert_eq!(namespace("guest")?, namespace("donor")?);
    Ok(())
}

#[test]
fn names_and_who_resolves_them() -> Result {
    let stage = Stage::busybox()?;
    stage.check(&[
        (&["--domainname", "example"], "cat /proc/sys/kernel/domainname", "example"),
        (
            &["--add-host", "db:10.0.0.5", "--add-host", "six=[::1]"],
            "grep -we db -we six /etc/hosts",
            "10.0.0.5\tdb\n::1\tsix",
        ),
        (
            &["--dns", "9.9.9.9", "--dns-search", "a.example", "--dns-option", "ndots:2"],
            "cat /etc/resolv.conf",
            "nameserver 9.9.9.9\nsearch a.example\noptions ndots:2",
        ),
        (&["--network", "host", "--dns-search", "."], "grep -c search /etc/resolv.conf || true", "0"),
    ])
}
