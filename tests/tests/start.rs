//! Containers that exist are started: `create` and `start`, `restart`, and what kill -9 in between leaves.

use std::io::Write;
use std::process::Stdio;

use end_to_end::followed::Followed;
use end_to_end::process::Running;
use end_to_end::pty::Pty;
use end_to_end::{Phial, Result, Stage};
use rustix::process::Signal;

fn state(phial: &Phial, name: &str) -> Result<String> {
    Ok(phial.inspect(name)?["State"]["Status"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn what_was_created_starts_and_starts_again() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let script = "echo run; cat /kept 2>/dev/null; echo before > /kept; exit 3";
    phial.ok(&["create", "--name", "box", &stage.image, "sh", "-c", script])?;
    assert_eq!(state(phial, "box")?, "created");
    assert_eq!(phial.ok(&["start", "box"])?, "box");
    assert_eq!(phial.ok(&["wait", "box"])?, "3");
    // What it has written stays, and its log goes on.
    let output = phial.run(&["start", "-a", "box"])?.exited(3)?;
    assert_eq!(output.stdout, "run\nbefore\n");
    assert_eq!(phial.ok(&["logs", "box"])?, "run\nrun\nbefore");
    let inspected = phial.inspect("box")?;
    assert_eq!((&inspected["State"]["ExitCode"], &inspected["RestartCount"]), (&3.into(), &0.into()));
    Ok(())
}

#[test]
fn streams_of_a_start() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    phial.ok(&["create", "-i", "--name", "echoes", &stage.image, "sh", "-c", "read line; echo got $line"])?;
    let output = phial.run_with_input(&["start", "-ai", "echoes"], b"this\n")?.success()?;
    assert_eq!(output, "got this\n");
    phial.ok(&["create", "-it", "--name", "shell", &stage.image, "sh"])?;
    for _ in 0..2 {
        let mut pty = Pty::start(&phial.command(&["start", "-ai", "shell"]), 30, 100)?;
        pty.send("stty size\n")?;
        pty.wait_for("30 100")?;
        pty.send("exit 4\n")?;
        let (code, output) = pty.finish()?;
        assert_eq!(code, 4, "{output}");
    }
    let mut pty = Pty::start(&phial.command(&["start", "-ai", "--detach-keys", "ctrl-x,y", "shell"]), 30, 100)?;
    pty.send("echo re''ady\n")?;
    pty.wait_for("ready")?;
    pty.send("\x18y")?;
    assert_eq!(pty.finish()?.0, 0);
    assert_eq!(state(phial, "shell")?, "running");
    Ok(())
}

#[test]
fn words_about_what_cannot_be_started() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let id = stage.start(&["--name", "one"], &["sleep", "1000"])?;
    // As docker: it is what was wanted.
    assert_eq!(phial.ok(&["start", "one"])?, "one");
    phial.ok(&["pause", "one"])?;
    let refused = phial.run(&["start", "one"])?.exited(1)?;
    assert!(refused.stderr.contains("cannot start a paused container, try unpause instead"), "{refused:?}");
    let several = phial.run(&["start", "-a", "one", "two"])?.exited(1)?;
    assert!(several.stderr.contains("cannot start and attach multiple containers at once"), "{several:?}");
    let absent = phial.run(&["start", "one", "nobody"])?.exited(1)?;
    assert!(absent.stderr.contains("no such container: nobody"), "{absent:?}");
    assert_eq!(phial.inspect(&id)?["State"]["Status"], "paused");

    // What it needs is no longer there: it says so, and stays what it was.
    let source = phial.scratch().join("source");
    std::fs::create_dir(&source)?;
    let mount = format!("type=bind,source={},target=/mnt", source.display());
    phial.ok(&["create", "--name", "bound", "--mount", &mount, &stage.image, "true"])?;
    std::fs::remove_dir(&source)?;
    let refused = phial.run(&["start", "bound"])?.exited(1)?;
    assert!(refused.stderr.contains("source") && refused.stderr.contains("does not exist"), "{refused:?}");
    assert_eq!(state(phial, "bound")?, "created");
    std::fs::create_dir(&source)?;
    phial.ok(&["start", "-a", "bound"])?;
    // So does one whose program is not there, which had run.
    phial.ok(&["create", "--name", "gone", &stage.image, "/tmp/program"])?;
    phial.run(&["start", "-a", "gone"])?.exited(1)?;
    assert_eq!(state(phial, "gone")?, "created");
    assert_eq!(phial.inspect("gone")?["State"]["ExitCode"], 127);
    Ok(())
}

#[test]
fn restart_is_another_process_in_the_same_container() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    stage.start_ready(&["--name", "web"], "trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done")?;
    let pid = |phial: &Phial| Ok::<_, end_to_end::Failure>(phial.inspect("web")?["State"]["Pid"].clone());
    let before = pid(phial)?;
    phial.ok(&["exec", "web", "touch", "/kept"])?;
    assert_eq!(phial.ok(&["restart", "web"])?, "web");
    assert_ne!(pid(phial)?, before);
    phial.ok(&["exec", "web", "test", "-e", "/kept"])?;
    // Also of one that is paused, one that has ended, and one that goes with its end.
    phial.ok(&["pause", "web"])?;
    phial.ok(&["restart", "-t", "0", "web"])?;
    phial.ok(&["stop", "-t", "0", "web"])?;
    phial.ok(&["restart", "web"])?;
    assert_eq!(state(phial, "web")?, "running");
    let brief = stage.start(&["--rm", "--name", "brief"], &["sleep", "1000"])?;
    phial.ok(&["exec", "brief", "touch", "/kept"])?;
    phial.ok(&["restart", "-t", "0", "brief"])?;
    phial.ok(&["exec", "brief", "test", "-e", "/kept"])?;
    phial.ok(&["stop", "-t", "0", "brief"])?;
    assert!(!phial.containers()?.contains(&brief[..12].to_owned()));
    Ok(())
}

#[test]
fn stop_takes_a_signal_and_needs_nobody() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let script = "trap 'echo hup; exit 9' HUP; trap '' TERM; echo ready; while :; do sleep 1000 & wait; done";
    let ready = |name: &str| stage.start_ready(&["--name", name], script);
    ready("asked")?;
    phial.ok(&["stop", "-s", "HUP", "asked"])?;
    assert_eq!(phial.ok(&["wait", "asked"])?, "9");
    // Whoever has asked is killed: SIGKILL comes all the same.
    ready("deaf")?;
    let mut stop = Running::start(&mut phial.command(&["stop", "-t", "1", "deaf"]))?;
    Followed::events(phial, "deaf")?.wait_for("kill")?;
    stop.signal(Signal::KILL)?;
    stop.wait()?;
    assert_eq!(phial.ok(&["wait", "deaf"])?, "137");
    Ok(())
}

#[test]
fn a_restart_and_an_end_at_once() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    for words in [&["stop", "-t", "0", "web"] as &[&str], &["rm", "-f", "web"]] {
        let script = "trap '' TERM; echo ready; while :; do sleep 1000 & wait; done";
        let id = stage.start_ready(&["--name", "web"], script)?;
        let mut restart = Running::start(&mut phial.command(&["restart", "-t", "60", "web"]))?;
        Followed::events(phial, &id)?.wait_for("kill")?;
        // It waits for the end that comes by this, and runs again after that.
        phial.ok(words)?;
        restart.wait()?;
        if words[0] == "stop" {
            assert_eq!(state(phial, "web")?, "running");
            let seen = phial.inspect("web")?["State"].clone();
            assert!(seen["FinishedAt"].as_str() > Some("2"), "{seen}");
            phial.ok(&["rm", "-f", "web"])?;
        }
        assert_eq!(phial.containers()?, Vec::<String>::new());
    }
    Ok(())
}

#[test]
fn many_starts_of_one_container_are_one() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    phial.ok(&["create", "--name", "one", &stage.image, "sh", "-c", "echo run; sleep 1000"])?;
    for round in 1..4 {
        let starts: Vec<Running> = (0..8)
            .map(|_| Running::start(phial.command(&["start", "one"]).stdout(Stdio::null())))
            .collect::<Result<_>>()?;
        for mut start in starts {
            assert_eq!(start.wait()?, 0);
        }
        // The first line is there once the program runs, which may be a moment later.
        phial.ok(&["exec", "one", "true"])?;
        phial.ok(&["stop", "-t", "0", "one"])?;
        assert!(phial.ok(&["logs", "one"])?.lines().count() <= round);
    }
    Ok(())
}

#[test]
fn a_command_killed_while_it_starts_leaves_a_container() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    phial.ok(&["create", "--init", "--name", "one", &stage.image, "sleep", "1000"])?;
    for microseconds in (0..20_000).step_by(1000) {
        // What the next command finds, it waits for.
        for (verb, next) in [("start", "start"), ("restart", "restart"), ("stop", "restart")] {
            let mut command = phial.command(&[verb, "one"]);
            let mut command = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
            command.ends_within(std::time::Duration::from_micros(microseconds))?;
            command.signal(Signal::KILL)?;
            command.wait()?;
            phial.ok(&[next, "one"])?;
            phial.ok(&["exec", "one", "true"])?;
        }
        phial.ok(&["stop", "-t", "0", "one"])?;
        assert_eq!(state(phial, "one")?, "exited", "after {microseconds} µs");
    }
    Ok(())
}

#[test]
fn input_is_for_who_attaches_first() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    phial.ok(&["create", "-i", "--name", "cat", &stage.image, "cat"])?;
    let mut start =
        Running::spawn(phial.command(&["start", "-ai", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    let mut stdin = start.child().stdin.take().expect("is piped");
    stdin.write_all(b"line\n")?;
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(start.child().stdout.take().expect("is piped"));
    std::io::BufRead::read_line(&mut stdout, &mut line)?;
    assert_eq!(line, "line\n");
    drop(stdin);
    assert_eq!(start.wait()?, 0);
    Ok(())
}

#[test]
fn a_containers_own_time_to_stop_in() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    // It would be done before docker's ten seconds are over, and is not given them.
    let script = "trap 'sleep 8; exit 7' TERM; echo ready; while :; do sleep 1000 & wait; done";
    let start = |name: &str, time: &str| stage.start_ready(&["--name", name, "--stop-timeout", time], script);
    start("hasty", "0")?;
    assert_eq!(phial.inspect("hasty")?["Config"]["StopTimeout"], 0);
    phial.ok(&["stop", "hasty"])?;
    assert_eq!(phial.inspect("hasty")?["State"]["ExitCode"], 137);
    // What is said at the stop comes first.
    start("patient", "1000")?;
    phial.ok(&["stop", "-t", "0", "patient"])?;
    assert_eq!(phial.inspect("patient")?["State"]["ExitCode"], 137);
    for time in ["soon", "1.5"] {
        stage.run(&["--stop-timeout", time], &["true"])?.exited(125)?;
    }
    Ok(())
}

#[test]
fn who_watches_a_container_that_goes_with_its_end_leaves_it_to_its_restart() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let script = "echo ready; exec sleep 1000";
    let mut run = Followed::start(phial, &["run", "--rm", "--name", "brief", &stage.image, "sh", "-c", script])?;
    run.wait_for("ready")?;
    phial.ok(&["restart", "--time", "0", "brief"])?;
    assert_eq!(run.process.wait()?, 137);
    assert_eq!(phial.ok(&["ps", "--format", "{{.Names}}"])?, "brief");
    assert_eq!(phial.ok(&["exec", "brief", "echo", "alive"])?, "alive");
    phial.ok(&["stop", "--time", "0", "brief"])?;
    assert_eq!(phial.ok(&["ps", "-aq"])?, "");
    Ok(())
}
