//! `pause` and `unpause`: all processes stand still, and whoever wants something from them is told so.

use end_to_end::{Phial, Result, Stage};

/// How many ticks of processor time the container's first process has used (`proc_pid_stat(5)`, field 14).
fn ticks(pid: i64) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    Ok(rest.split_whitespace().nth(11).and_then(|word| word.parse().ok()).unwrap_or_default())
}

fn pid(phial: &Phial, name: &str) -> Result<i64> {
    Ok(phial.inspect(name)?["State"]["Pid"].as_i64().unwrap_or_default())
}

#[test]
fn nothing_moves_until_it_is_let_go() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    stage.start(&["--name", "busy"], &["sh", "-c", "while :; do :; done"])?;
    let pid = pid(phial, "busy")?;
    assert_eq!(phial.ok(&["pause", "busy"])?, "busy");
    let before = ticks(pid)?;
    let seen = phial.inspect("busy")?["State"].clone();
    assert_eq!((&seen["Status"], &seen["Paused"], &seen["Running"]), (&"paused".into(), &true.into(), &true.into()));
    assert!(phial.ok(&["ps"])?.contains("(Paused)"));
    for (words, why) in [
        (&["exec", "busy", "true"] as &[&str], "is paused, unpause the container before exec"),
        (&["pause", "busy"], "is already paused"),
        (&["attach", "busy"], "you cannot attach to a paused container, unpause it first"),
        (&["rm", "busy"], "is paused"),
    ] {
        let refused = phial.run(words)?.exited(1)?;
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
    assert_eq!(ticks(pid)?, before, "it has gone on");
    assert_eq!(phial.ok(&["unpause", "busy"])?, "busy");
    while ticks(pid)? == before {}
    let refused = phial.run(&["unpause", "busy"])?.exited(1)?;
    assert!(refused.stderr.contains("is not paused"), "{refused:?}");
    phial.ok(&["exec", "busy", "true"])?;
    Ok(())
}

#[test]
fn what_is_paused_can_be_ended() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let polite = "trap 'exit 5' TERM; echo ready; while :; do sleep 1000 & wait; done";
    for (words, code) in [
        (&["kill", "box"] as &[&str], "137"),
        (&["stop", "box"], "5"),
        (&["kill", "-s", "TERM", "box"], "5"),
        (&["stop", "-s", "KILL", "box"], "137"),
    ] {
        stage.start_ready(&["--name", "box"], polite)?;
        phial.ok(&["pause", "box"])?;
        phial.ok(words)?;
        assert_eq!(phial.ok(&["wait", "box"])?, code, "{words:?}");
        phial.ok(&["rm", "box"])?;
    }
    stage.start(&["--name", "box"], &["sleep", "1000"])?;
    phial.ok(&["pause", "box"])?;
    phial.ok(&["rm", "-f", "box"])?;
    Ok(())
}

#[test]
fn what_does_not_run_is_not_paused() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    phial.ok(&["create", "--name", "new", &stage.image, "true"])?;
    let refused = phial.run(&["pause", "new", "nobody"])?.exited(1)?;
    assert!(refused.stderr.contains("container new is not running"), "{refused:?}");
    assert!(refused.stderr.contains("no such container: nobody"), "{refused:?}");
    Ok(())
}
