//! Health checks, carried out by the supervisor.

use end_to_end::followed::Followed;
use end_to_end::{Context, Result, Stage};

#[test]
fn well_then_not_then_well() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let check = "echo looked; test ! -e /sick";
    let flags = ["--name", "web", "--health-cmd", check, "--health-interval", "100ms", "--health-retries", "2"];
    let flags = [&flags[..], &["--network", "none"]].concat();
    stage.start(&flags, &["sleep", "1000"])?;
    let mut events = Followed::events(phial, "web")?;
    events.wait_for("health_status: healthy")?;
    assert!(phial.ok(&["ps"])?.contains("(healthy)"));
    let columns = "table {{.Names}}\\t{{.HealthStatus}}\\t{{.IPAddresses}}";
    let table = phial.ok(&["ps", "--format", columns])?;
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(table.lines().map(words).collect::<Vec<_>>(), ["NAMES HEALTH STATUS IP ADDRESSES", "web healthy"]);
    phial.ok(&["exec", "web", "touch", "/sick"])?;
    events.wait_for("health_status: unhealthy")?;
    assert!(phial.ok(&["ps"])?.contains("(unhealthy)"));
    let inspected = phial.inspect("web")?;
    let health = &inspected["State"]["Health"];
    assert_eq!(health["Status"], "unhealthy");
    assert!(health["FailingStreak"].as_u64() >= Some(2), "{health}");
    let last = health["Log"].as_array().and_then(|log| log.last()).cloned().unwrap_or_default();
    assert_eq!((&last["ExitCode"], &last["Output"]), (&1.into(), &"looked\n".into()));
    assert_eq!(inspected["Config"]["Healthcheck"]["Test"], serde_json::json!(["CMD-SHELL", check]));
    phial.ok(&["exec", "web", "rm", "/sick"])?;
    events.wait_for("health_status: healthy")?;
    // While it stands still nobody asks; when it has ended it is not well.
    phial.ok(&["pause", "web"])?;
    phial.ok(&["unpause", "web"])?;
    phial.ok(&["stop", "-t", "0", "web"])?;
    assert_eq!(phial.inspect("web")?["State"]["Health"]["Status"], "unhealthy");
    let of_health = |health: &str| phial.ok(&["ps", "-af", health, "--format", "{{.Names}} {{.HealthStatus}}"]);
    assert_eq!((of_health("health=unhealthy")?, of_health("health=none")?), ("web unhealthy".into(), String::new()));
    // A new run begins anew.
    phial.ok(&["start", "web"])?;
    events.wait_for("health_status: healthy")?;
    Ok(())
}

#[test]
fn the_check_of_an_image_is_its_containers() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let check = "HEALTHCHECK --interval=100ms --retries=1 CMD echo looked; test ! -e /sick";
    phial.ok(&["create", "--name", "bare", &stage.image])?;
    phial.ok(&["commit", "--change", check, "bare", "checked"])?;
    let tar = phial.scratch().join("bare.tar");
    let tar = tar.to_str().context("a temporary directory has a plain name")?;
    phial.ok(&["export", "-o", tar, "bare"])?;
    phial.ok(&["import", "--change", check, tar, "imported"])?;
    for image in ["checked", "imported"] {
        phial.ok(&["run", "-d", "--name", image, image, "/bin/sleep", "1000"])?;
        let mut events = Followed::events(phial, image)?;
        events.wait_for("health_status: healthy")?;
        let status = || phial.ok(&["ps", "--filter", &format!("name={image}"), "--format", "{{.Status}}"]);
        assert!(status()?.ends_with(" (healthy)"), "{}", status()?);
        phial.ok(&["exec", image, "/bin/touch", "/sick"])?;
        events.wait_for("health_status: unhealthy")?;
        assert!(status()?.ends_with(" (unhealthy)"), "{}", status()?);
        let health = phial.inspect(image)?["State"]["Health"].clone();
        let last = health["Log"].as_array().and_then(|log| log.last()).cloned().unwrap_or_default();
        assert_eq!((&last["ExitCode"], &last["Output"]), (&1.into(), &"looked\n".into()));
    }
    // Who starts it has the last word.
    phial.ok(&["run", "-d", "--name", "unchecked", "--no-healthcheck", "checked", "sleep", "1000"])?;
    assert!(phial.inspect("unchecked")?["State"]["Health"].is_null());
    let flags = ["--health-cmd", "true"];
    phial.ok(&[&["run", "-d", "--name", "otherwise"], &flags[..], &["checked", "sleep", "1000"]].concat())?;
    let mut events = Followed::events(phial, "otherwise")?;
    events.wait_for("health_status: healthy")?;
    let check = phial.inspect("otherwise")?["Config"]["Healthcheck"].clone();
    assert_eq!((&check["Test"], &check["Retries"]), (&serde_json::json!(["CMD-SHELL", "true"]), &1.into()));
    Ok(())
}

#[test]
fn failures_in_the_start_period_do_not_count() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let flags = [
        "--name",
        "slow",
        "--health-cmd",
        "echo >> /tried; test -e /well",
        "--health-interval",
        "1h",
        "--health-start-period",
        "1h",
        "--health-start-interval",
        "50ms",
        "--health-retries",
        "1",
    ];
    stage.start(&flags, &["sleep", "1000"])?;
    while phial.ok(&["exec", "slow", "sh", "-c", "cat /tried 2>/dev/null | wc -l"])?.parse::<u32>().unwrap_or(0) < 5 {}
    assert!(phial.ok(&["ps"])?.contains("(health: starting)"));
    phial.ok(&["exec", "slow", "touch", "/well"])?;
    Followed::events(phial, "slow")?.wait_for("health_status: healthy")?;
    Ok(())
}

#[test]
fn a_check_that_takes_too_long_is_killed() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let flags = [
        "--name",
        "hangs",
        "--health-cmd",
        "echo begun; sleep 1000",
        "--health-interval",
        "50ms",
        "--health-timeout",
        "200ms",
        "--health-retries",
        "1",
    ];
    stage.start(&flags, &["sleep", "2000"])?;
    Followed::events(phial, "hangs")?.wait_for("health_status: unhealthy")?;
    let health = phial.inspect("hangs")?["State"]["Health"].clone();
    assert_eq!(health["Log"][0]["ExitCode"], -1);
    assert_eq!(health["Log"][0]["Output"], "Health check exceeded timeout (200ms): begun\n");
    Ok(())
}

#[test]
fn much_output_is_cut_and_five_checks_are_kept() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let flags = [
        "--name",
        "loud",
        "--health-cmd",
        "echo >> /tried; seq 100000; sleep 0.01; echo err >&2",
        "--health-interval",
        "20ms",
    ];
    stage.start(&flags, &["sleep", "1000"])?;
    while phial.ok(&["exec", "loud", "sh", "-c", "cat /tried 2>/dev/null | wc -l"])?.parse::<u32>().unwrap_or(0) < 8 {}
    let health = phial.inspect("loud")?["State"]["Health"].clone();
    assert_eq!(health["Log"].as_array().map(Vec::len), Some(5));
    let output = health["Log"][0]["Output"].as_str().unwrap_or_default();
    assert!(output.len() == 4096 + 3 && output.starts_with("1\n2\n") && output.ends_with("..."), "{}", output.len());
    Ok(())
}

#[test]
fn a_check_that_cannot_be_started_has_failed() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let flags = ["--name", "web", "--health-cmd", "true", "--health-interval", "50ms", "--health-retries", "1"];
    stage.start(&flags, &["sleep", "1000"])?;
    let mut events = Followed::events(phial, "web")?;
    events.wait_for("health_status: healthy")?;
    phial.ok(&["exec", "web", "rm", "/bin/sh"])?;
    events.wait_for("health_status: unhealthy")?;
    let health = phial.inspect("web")?["State"]["Health"].clone();
    let last = health["Log"].as_array().and_then(|log| log.last()).cloned().unwrap_or_default();
    assert_eq!(last["ExitCode"], -1);
    assert!(last["Output"].as_str().is_some_and(|output| output.contains("/bin/sh")), "{last}");
    Ok(())
}

#[test]
fn words_that_are_no_check() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    for (flags, why) in [
        (&["--no-healthcheck", "--health-cmd", "true"] as &[&str], "conflicting options"),
        (&["--health-cmd", "true", "--health-interval", "5"], "--health-interval 5: not a duration"),
        (&["--health-cmd", "true", "--health-timeout", "-1s"], "--health-timeout -1s: cannot be negative"),
        (&["--health-cmd", "true", "--health-start-period", "1us"], "cannot be less than 1ms"),
        (&["--health-cmd", "true", "--health-retries", "-1"], "--health-retries -1: cannot be negative"),
    ] {
        let output = phial.run(&[&["run"], flags, &[&stage.image, "true"]].concat())?.exited(125)?;
        assert!(output.stderr.contains(why), "{output:?}");
    }
    assert_eq!(phial.containers()?, Vec::<String>::new());
    // None is none.
    stage.start(&["--name", "none", "--no-healthcheck"], &["sleep", "1000"])?;
    assert!(phial.inspect("none")?["State"]["Health"].is_null());
    Ok(())
}

#[test]
fn reaching_the_memory_limit_is_told_at_once() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    // The kernel kills `tail`, and the shell goes on.
    let script = "while read go; do tail /dev/zero; done < /tmp/go; sleep 1000";
    let flags = ["-m", "32m", "--name", "hungry"];
    stage.start(&flags, &["sh", "-c", &format!("mkfifo /tmp/go; {script}")])?;
    assert_eq!(phial.inspect("hungry")?["State"]["OOMKilled"], false);
    while phial.run(&["exec", "hungry", "test", "-p", "/tmp/go"])?.code != 0 {}
    phial.ok(&["exec", "hungry", "sh", "-c", "echo go > /tmp/go"])?;
    Followed::events(phial, "hungry")?.wait_for("oom")?;
    let seen = phial.inspect("hungry")?["State"].clone();
    assert_eq!((&seen["OOMKilled"], &seen["Running"]), (&true.into(), &true.into()), "{seen}");
    // The next run begins with a clean record.
    phial.ok(&["restart", "-t", "0", "hungry"])?;
    assert_eq!(phial.inspect("hungry")?["State"]["OOMKilled"], false);
    Ok(())
}
