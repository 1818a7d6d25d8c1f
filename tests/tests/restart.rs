//! Restart policies: a container that ends is started again by its supervisor, with nobody else there.

use std::time::Duration;

use end_to_end::followed::Followed;
use end_to_end::{Context, Phial, Result, Stage, supervisor};
use rustix::process::Signal;
use serde_json::Value;

fn inspect(phial: &Phial, name: &str, pointer: &str) -> Result<Value> {
    phial.inspect(name)?.pointer(pointer).cloned().context(format!("inspect has no {pointer}"))
}

#[test]
fn what_fails_is_started_so_many_times() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    stage.start(&["--name", "fails", "--restart", "on-failure:2"], &["sh", "-c", "echo run; exit 3"])?;
    let mut events = Followed::events(phial, "fails")?;
    for _ in 0..3 {
        events.wait_for("die")?;
    }
    assert_eq!(phial.ok(&["wait", "fails"])?, "3");
    assert_eq!(phial.ok(&["logs", "fails"])?, "run\nrun\nrun");
    let inspected = phial.inspect("fails")?;
    assert_eq!((&inspected["RestartCount"], &inspected["State"]["Status"]), (&2.into(), &"exited".into()));
    let policy = &inspected["HostConfig"]["RestartPolicy"];
    assert_eq!((&policy["Name"], &policy["MaximumRetryCount"]), (&"on-failure".into(), &2.into()));
    // What ends well is left alone; and by hand it begins anew.
    stage.start(&["--name", "well", "--restart", "on-failure"], &["true"])?;
    Followed::events(phial, "well")?.wait_for("die")?;
    assert_eq!(phial.ok(&["wait", "well"])?, "0");
    assert_eq!(inspect(phial, "well", "/RestartCount")?, 0);
    phial.ok(&["start", "fails"])?;
    for _ in 0..3 {
        events.wait_for("die")?;
    }
    assert_eq!(phial.ok(&["wait", "fails"])?, "3");
    assert_eq!(inspect(phial, "fails", "/RestartCount")?, 2);
    Ok(())
}

#[test]
fn the_pause_between_two_runs_grows() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let id = stage.start(&["--name", "again", "--restart", "always"], &["sh", "-c", "exit 7"])?;
    let mut events = Followed::events(phial, "again")?;
    for _ in 0..7 {
        events.wait_for("die")?;
    }
    // Now it waits for more than six seconds, in which everything here is done even by an emulated processor.
    assert!(phial.ok(&["ps"])?.contains("Restarting (7) "), "{}", phial.ok(&["ps"])?);
    let seen = phial.inspect("again")?["State"].clone();
    assert_eq!(
        (&seen["Status"], &seen["Running"], &seen["Restarting"]),
        (&"restarting".into(), &true.into(), &true.into())
    );
    assert_eq!((&seen["Pid"], &seen["ExitCode"]), (&0.into(), &7.into()));
    for words in [&["exec", "again", "true"] as &[&str], &["attach", "again"], &["pause", "again"]] {
        let refused = phial.run(words)?.exited(1)?;
        assert!(refused.stderr.contains("restarting"), "{refused:?}");
    }
    assert_eq!(phial.ok(&["start", "again"])?, "again");
    phial.ok(&["stop", "again"])?;
    assert_eq!(inspect(phial, "again", "/State/Status")?, "exited");
    assert_eq!(phial.ok(&["wait", "again"])?, "7");

    let journal = std::fs::read_to_string(phial.root().join("events/v1.jsonl"))?;
    let events: Vec<Value> = journal.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let times = |action: &str| -> Vec<i64> {
        let of = |event: &&Value| event["Action"] == action && event["Actor"]["ID"] == id;
        events.iter().filter(of).filter_map(|event| event["timeNano"].as_i64()).collect()
    };
    let (ends, starts) = (times("die"), times("start"));
    for (least, (end, start)) in [100_000_000, 200_000_000, 400_000_000, 800_000_000, 1_600_000_000, 3_200_000_000]
        .iter()
        .zip(ends.iter().zip(&starts[1..]))
    {
        assert!(start - end >= *least, "{} ns instead of {least}", start - end);
    }
    Ok(())
}

#[test]
fn by_hand_it_is_ended_for_good() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    for policy in ["always", "unless-stopped", "on-failure"] {
        for words in [&["stop", "-t", "0", "web"] as &[&str], &["kill", "web"]] {
            stage.start(&["--name", "web", "--restart", policy], &["sleep", "1000"])?;
            phial.ok(words)?;
            assert_eq!(phial.ok(&["wait", "web"])?, "137", "{policy}");
            let seen = phial.inspect("web")?;
            assert_eq!((&seen["State"]["Status"], &seen["RestartCount"]), (&"exited".into(), &0.into()), "{policy}");
            phial.ok(&["rm", "web"])?;
        }
    }
    // A signal that is not meant to end it, and its own end, forbid nothing.
    let script = "trap 'exit 4' USR1; echo ready; while :; do sleep 1000 & wait; done";
    stage.start_ready(&["--name", "signalled", "--restart", "always"], script)?;
    phial.ok(&["kill", "-s", "USR1", "signalled"])?;
    let mut events = Followed::events(phial, "signalled")?;
    events.wait_for("die")?;
    events.wait_for("start")?;
    assert_eq!(inspect(phial, "signalled", "/RestartCount")?, 1);
    // What ran well begins with a short pause again, and is removed while it runs.
    phial.ok(&["exec", "signalled", "true"])?;
    phial.ok(&["rm", "-f", "signalled"])?;
    assert_eq!(phial.containers()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn who_is_attached_sees_one_end() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let words = ["run", "--name", "once", "--restart", "always", &stage.image, "sh", "-c", "echo run; exit 6"];
    let output = phial.run(&words)?.exited(6)?;
    assert_eq!(output.stdout, "run\n");
    let mut events = Followed::events(phial, "once")?;
    for _ in 0..2 {
        events.wait_for("start")?;
    }
    phial.ok(&["rm", "-f", "once"])?;
    Ok(())
}

/// Runs a container that ends with status 4 when it is interrupted, in the foreground, and interrupts it.
fn interrupt(stage: &Stage, name: &str, flags: &[&str]) -> Result {
    let script = "trap 'exit 4' INT; echo ready; while :; do sleep 1000 & wait; done";
    let words = [&["run", "--name", name], flags, &[&stage.image, "sh", "-c", script]].concat();
    let mut run = Followed::start(&stage.phial, &words)?;
    run.wait_for("ready")?;
    run.process.signal(Signal::INT)?;
    assert_eq!(run.process.wait()?, 4);
    Followed::events(&stage.phial, name)?.wait_for("kill")
}

#[test]
fn who_interrupts_it_in_the_foreground_has_ended_it() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    interrupt(&stage, "plain", &["--restart", "always"])?;
    interrupt(&stage, "own", &["--restart", "unless-stopped", "--stop-signal", "QUIT"])?;
    for name in ["plain", "own"] {
        assert_eq!(phial.ok(&["wait", name])?, "4");
        let seen = phial.inspect(name)?;
        assert_eq!((&seen["State"]["Status"], &seen["RestartCount"]), (&"exited".into(), &0.into()), "{name}");
    }
    // What has a signal of its own for its end minds that one alone.
    interrupt(&stage, "other", &["--restart", "always", "--stop-signal", "QUIT"])?;
    let mut events = Followed::events(phial, "other")?;
    for action in ["start", "die", "start"] {
        events.wait_for(action)?;
    }
    assert_eq!(inspect(phial, "other", "/RestartCount")?, 1);
    phial.ok(&["rm", "-f", "other"])?;
    Ok(())
}

#[test]
fn limits_change_between_two_runs() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    stage.start(&["--name", "again", "--restart", "always"], &["sh", "-c", "exit 7"])?;
    let mut events = Followed::events(phial, "again")?;
    for _ in 0..5 {
        events.wait_for("die")?;
    }
    assert_eq!(inspect(phial, "again", "/State/Status")?, "restarting");
    phial.ok(&["update", "-m", "64m", "again"])?;
    assert_eq!(inspect(phial, "again", "/HostConfig/Memory")?, 64 << 20);
    phial.ok(&["stop", "again"])?;
    Ok(())
}

#[test]
fn what_cannot_be_started_again_says_why() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    stage.start(
        &["--name", "broken", "--restart", "always", "--entrypoint", "/bin/sh"],
        &["-c", "rm -f /bin/sh; exit 1"],
    )?;
    let mut events = Followed::events(phial, "broken")?;
    events.wait_for("die")?;
    while inspect(phial, "broken", "/State/Status")? == "restarting" {}
    let seen = inspect(phial, "broken", "/State")?;
    assert_eq!((&seen["Status"], &seen["ExitCode"]), (&"exited".into(), &127.into()));
    assert!(seen["Error"].as_str().is_some_and(|error| error.contains("/bin/sh")), "{seen}");
    Ok(())
}

#[test]
fn words_that_are_no_policy() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    for (flags, why) in [
        (&["--restart", "sometimes"] as &[&str], "unknown policy 'sometimes'"),
        (&["--restart", "always:3"], "maximum retry count can only be used with 'on-failure'"),
        (&["--restart", "on-failure:x"], "maximum retry count must be an integer"),
        (&["--restart", "on-failure:-1"], "negative"),
        (&["--rm", "--restart", "always"], "conflicting options"),
    ] {
        let output = phial.run(&[&["run"], flags, &[&stage.image, "true"]].concat())?.exited(125)?;
        assert!(output.stderr.contains(why) && output.stderr.contains("hint: "), "{output:?}");
    }
    assert_eq!(phial.containers()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_supervisor_that_was_killed_is_seen_to() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let web = stage.start(&["--name", "web", "--restart", "always"], &["sleep", "1000"])?;
    let box_ = stage.start(&["--name", "box"], &["sh", "-c", "echo run; sleep 1000"])?;
    let brief = stage.start(&["--name", "brief", "--rm"], &["sleep", "1000"])?;
    let cgroups: Vec<String> = serde_json::from_value(supervisor::status(phial, &box_)?["cgroups"].clone())?;
    // Whatever stands still does not hear of it.
    phial.ok(&["pause", "box"])?;
    assert!(cgroups.iter().all(|cgroup| std::path::Path::new(cgroup).is_dir()));
    for id in [&web, &box_, &brief] {
        supervisor::kill(phial, id)?;
    }
    let seen = phial.inspect("box")?["State"].clone();
    assert_eq!((&seen["Status"], &seen["Dead"], &seen["Pid"]), (&"dead".into(), &true.into(), &0.into()));
    assert_eq!(seen["ExitCode"], 255);
    // The next command that looks at all of them clears away what is left, and starts what is to run.
    let table = phial.ok(&["ps", "-a"])?;
    assert!(table.lines().any(|line| line.ends_with("web") && line.contains("Up ")), "{table}");
    assert!(table.lines().any(|line| line.ends_with("box") && line.contains("Dead")), "{table}");
    assert!(!table.contains("brief"), "{table}");
    assert_eq!(phial.ok(&["ps", "-af", "exited=255", "--format", "{{.Names}}"])?, "box");
    assert_eq!(inspect(phial, "web", "/RestartCount")?, 1);
    phial.ok(&["exec", "web", "true"])?;
    assert!(!cgroups.iter().any(|cgroup| std::path::Path::new(cgroup).exists()), "{cgroups:?}");
    // By hand as well.
    phial.ok(&["start", "box"])?;
    phial.ok(&["exec", "box", "true"])?;
    assert_eq!(phial.ok(&["logs", "box"])?, "run\nrun");
    Ok(())
}

#[test]
fn a_supervisor_may_be_killed_at_any_moment() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    // It ends and is started all the time.
    let id = stage.start(&["--name", "web", "--restart", "always"], &["sh", "-c", "exit 1"])?;
    for round in 0..20 {
        std::thread::sleep(Duration::from_millis(7 * round));
        supervisor::kill(phial, &id)?;
        let table = phial.ok(&["ps"])?;
        assert!(table.contains("Up ") || table.contains("Restarting "), "round {round}: {table}");
    }
    phial.ok(&["stop", "web"])?;
    phial.ok(&["rm", "web"])?;
    Ok(())
}

#[test]
fn other_limits_outlive_a_restart() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let script = "trap 'exit 4' USR1; echo ready; while :; do sleep 1000 & wait; done";
    stage.start_ready(&["--name", "web", "--restart", "always", "--pids-limit", "70"], script)?;
    phial.ok(&["update", "--pids-limit", "60", "web"])?;
    phial.ok(&["kill", "-s", "USR1", "web"])?;
    let mut events = Followed::events(phial, "web")?;
    for action in ["die", "start"] {
        events.wait_for(action)?;
    }
    let limit = "cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max";
    assert_eq!(phial.ok(&["exec", "web", "sh", "-c", limit])?, "60");
    Ok(())
}
