//! What happens to a container after `run`: `ps`, `logs`, `exec`, `attach`, `stop`, `kill`, `wait`, `rm`, `inspect`;
//! and to an image: `images`, `rmi`.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use end_to_end::followed::Followed;
use end_to_end::process::Running;
use end_to_end::pty::Pty;
use end_to_end::{Context, Phial, Result, Stage};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};

/// A script that says that it is there, and ends with 5 when it is asked to.
const POLITE: &str = "trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 1000 & wait; done";

#[test]
fn signals_are_passed_on() -> Result {
    let stage = Stage::busybox()?;
    let mut run = Followed::start(&stage.phial, &["run", "--rm", &stage.image, "sh", "-c", POLITE])?;
    run.wait_for("ready")?;
    run.process.signal(Signal::TERM)?;
    run.wait_for("asked")?;
    assert_eq!(run.process.wait()?, 5);
    Ok(())
}

#[test]
fn a_detached_container_from_start_to_end() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let id = stage.start(&["--name", "polite"], &["sh", "-c", POLITE])?;
    assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");

    let table = phial.ok(&["ps"])?;
    let mut lines = table.lines();
    let header: Vec<&str> =
        lines.next().unwrap_or_default().split("  ").filter(|word| !word.is_empty()).map(str::trim).collect();
    assert_eq!(header, ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]);
    let row = lines.next().context("ps has no row")?;
    assert!(row.starts_with(&id[..12]) && row.ends_with("polite") && row.contains("Up "), "{row}");

    let mut logs = Followed::start(phial, &["logs", "-f", "polite"])?;
    logs.wait_for("ready")?;
    assert_eq!(phial.ok(&["stop", "polite"])?, "polite");
    logs.wait_for("asked")?;
    assert_eq!(logs.process.wait()?, 0);

    assert_eq!(phial.ok(&["ps"])?.lines().count(), 1);
    let all = phial.ok(&["ps", "-a"])?;
    assert!(all.contains("Exited (5)"), "{all}");
    assert_eq!(phial.ok(&["wait", "polite"])?, "5");
    assert_eq!(phial.ok(&["logs", &id[..12]])?, "ready\nasked");
    let inspected = phial.inspect(&id[..7])?;
    assert_eq!((&inspected["Id"], &inspected["State"]["Status"]), (&id.as_str().into(), &"exited".into()));
    assert_eq!(inspected["Config"]["Cmd"][0], "sh");
    assert_eq!(phial.ok(&["rm", "polite"])?, "polite");
    assert_eq!(phial.ok(&["ps", "-a"])?.lines().count(), 1);
    Ok(())
}

#[test]
fn logs_keep_the_streams_apart() -> Result {
    let stage = Stage::busybox()?;
    let id = stage.start(&[], &["sh", "-c", "echo out; echo err >&2; printf unfinished"])?;
    stage.phial.ok(&["wait", &id])?;
    let output = stage.phial.run(&["logs", &id])?.exited(0)?;
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\nunfinished", "err\n"));
    // An attached run is logged as well.
    let both = stage.phial.run(&["run", "--name", "seen", &stage.image, "echo", "once"])?.success()?;
    assert_eq!((both.as_str(), stage.phial.run(&["logs", "seen"])?.success()?.as_str()), ("once\n", "once\n"));
    Ok(())
}

#[test]
fn exec_is_in_the_container() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let id = stage.start(&["--hostname", "vessel", "-e", "A=1", "-w", "/tmp", "-m", "64m"], &["sleep", "1000"])?;
    let exec = |flags: &[&str], command: &[&str]| phial.run(&[&["exec"], flags, &[id.as_str()], command].concat());
    let sh = |flags: &[&str], script: &str| exec(flags, &["sh", "-c", script])?.success();
    assert_eq!(sh(&[], "hostname; pwd; echo $A")?, "vessel\n/tmp\n1\n");
    assert_eq!(sh(&["-e", "A=2", "-w", "/etc", "-u", "reader"], "id -un; pwd; echo $A")?, "reader\n/etc\n2\n");
    assert_eq!(sh(&[], "sed -n 's/^CapEff:\\t//p' /proc/self/status")?, "00000000a80425fb\n");
    assert_eq!(sh(&[], "sed -n 's/^Seccomp:\\t//p' /proc/self/status")?, "2\n");
    let kinds = "for k in cgroup ipc mnt net pid uts; do test $(readlink /proc/1/ns/$k) = $(readlink /proc/self/ns/$k) || echo $k; done";
    assert_eq!(sh(&[], kinds)?, "");
    assert_eq!(sh(&[], "diff /proc/1/cgroup /proc/self/cgroup && echo same")?, "same\n");

    exec(&[], &["sh", "-c", "exit 7"])?.exited(7)?;
    exec(&[], &["no-such-program"])?.exited(127)?;
    exec(&[], &["/etc/passwd"])?.exited(126)?;
    let output = exec(&[], &["sh", "-c", "echo out; echo err >&2"])?.exited(0)?;
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
    let echoed = phial.run_with_input(&["exec", "-i", &id, "cat"], b"through\n")?.success()?;
    assert_eq!(echoed, "through\n");

    phial.ok(&["rm", "-f", &id])?;
    exec(&[], &["true"])?.exited(1)?;
    Ok(())
}

#[test]
fn exec_on_a_terminal() -> Result {
    let stage = Stage::busybox()?;
    let id = stage.start(&[], &["sleep", "1000"])?;
    let mut pty = Pty::start(&stage.phial.command(&["exec", "-it", &id, "sh"]), 30, 100)?;
    pty.send("tty; stty size\n")?;
    pty.wait_for("/dev/pts/")?;
    pty.wait_for("30 100")?;
    pty.send("exit 6\n")?;
    let (code, output) = pty.finish()?;
    assert_eq!(code, 6, "{output}");
    assert_eq!(stage.phial.inspect(&id)?["State"]["Running"], true);
    Ok(())
}

#[test]
fn detaching_from_an_exec_leaves_it_running() -> Result {
    let stage = Stage::busybox()?;
    let id = stage.start(&[], &["sleep", "1000"])?;
    // More than a terminal's buffer holds: the process gets to its end only if somebody still takes what it writes.
    let script = "trap 'exit 1' HUP; echo ready; read go < /tmp/go; seq 100000; echo done > /tmp/done";
    stage.phial.ok(&["exec", &id, "mkfifo", "/tmp/go", "/tmp/done"])?;
    let mut pty = Pty::start(&stage.phial.command(&["exec", "-it", &id, "sh", "-c", script]), 30, 100)?;
    pty.wait_for("ready")?;
    pty.send("\x10\x11")?;
    let (code, output) = pty.finish()?;
    assert_eq!(code, 0, "{output}");
    assert_eq!(stage.phial.ok(&["exec", &id, "sh", "-c", "echo go > /tmp/go; cat /tmp/done"])?, "done");
    Ok(())
}

#[test]
fn attach_joins_the_streams() -> Result {
    let stage = Stage::busybox()?;
    let id = stage.start(&["-i"], &["sh", "-c", "while read line; do echo \"got $line\"; done; exit 4"])?;
    let mut command = stage.phial.command(&["attach", &id]);
    let mut attached = Running::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    let mut stdin = attached.child().stdin.take().context("stdin is piped")?;
    let mut stdout = BufReader::new(attached.child().stdout.take().context("stdout is piped")?);
    stdin.write_all(b"one\n")?;
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    assert_eq!(line, "got one\n");
    // A signal to the client goes to the container's process, as docker's --sig-proxy does.
    attached.signal(Signal::TERM)?;
    stage.phial.ok(&["kill", &id])?;
    let mut rest = String::new();
    stdout.read_to_string(&mut rest)?;
    assert_eq!((attached.wait()?, rest.as_str()), (137, ""));
    Ok(())
}

#[test]
fn attach_can_keep_its_stdin() -> Result {
    let stage = Stage::busybox()?;
    let script = "while :; do echo tick; sleep 0.1; done & read line; echo got $line; exit 4";
    let id = stage.start(&["-i"], &["sh", "-c", script])?;
    let attach = |flags: &[&str], input: &[u8]| -> Result<Running> {
        let mut command = stage.phial.command(&[&["attach"], flags, &[&id]].concat());
        let mut attached = Running::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        attached.child().stdin.take().context("stdin is piped")?.write_all(input)?;
        Ok(attached)
    };
    let mut silent = attach(&["--no-stdin"], b"one\n")?;
    let mut stdout = BufReader::new(silent.child().stdout.take().context("stdout is piped")?);
    let mut seen = String::new();
    stdout.read_line(&mut seen)?;
    let mut speaking = attach(&[], b"two\n")?;
    stdout.read_to_string(&mut seen)?;
    assert!(seen.starts_with("tick\n") && seen.ends_with("got two\n"), "{seen}");
    assert_eq!((silent.wait()?, speaking.wait()?), (4, 4));
    Ok(())
}

#[test]
fn stop_kill_and_remove() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    // Deaf to SIGTERM: stop must go on to SIGKILL.
    let deaf = stage.start(&[], &["sh", "-c", "trap '' TERM; while :; do sleep 1000; done"])?;
    phial.ok(&["stop", "-t", "1", &deaf])?;
    assert_eq!(phial.ok(&["wait", &deaf])?, "137");
    // The signal that the container asks for.
    let script = "trap 'exit 8' USR1; while :; do sleep 1000 & wait; done";
    let own = stage.start(&["--init", "-e", "x=1"], &["sh", "-c", script])?;
    phial.ok(&["kill", "-s", "KILL", &own])?;
    assert_eq!(phial.ok(&["wait", &own])?, "137");
    phial.run(&["kill", &own])?.exited(1)?;

    let running = stage.start(&["--name", "running"], &["sleep", "1000"])?;
    let refused = phial.run(&["rm", "running"])?.exited(1)?;
    assert!(refused.stderr.contains("running"), "{refused:?}");
    assert_eq!(phial.ok(&["rm", "-f", "running"])?, "running");
    phial.run(&["inspect", &running])?.exited(1)?;
    // With --rm it is gone as soon as its end can be seen.
    let brief = stage.start(&["--rm"], &["sleep", "1000"])?;
    phial.ok(&["stop", "-t", "0", &brief])?;
    assert!(!phial.containers()?.contains(&brief[..12].to_owned()));
    Ok(())
}

#[test]
fn an_end_waits_for_nobody_outside_who_writes_on() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    for (name, flags) in [("pipe", &[] as &[&str]), ("terminal", &["-t"])] {
        let flags = [&["--name", name, "--log-opt", "max-size=1m"], flags].concat();
        stage.start(&flags, &["sleep", "1000"])?;
        // As it is with a descriptor that was sent to another container.
        let pid = phial.inspect(name)?["State"]["Pid"].to_string();
        let mode = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
        let stdout = rustix::fs::open(format!("/proc/{pid}/fd/1"), mode, Mode::empty())?;
        let write = |stdout| Command::new("yes").stdout(stdout).stderr(Stdio::null()).spawn();
        let mut writers = [write(stdout.try_clone()?)?, write(stdout)?];
        Followed::start(phial, &["logs", "--follow", name])?.wait_for("y")?;
        phial.ok(&["kill", name])?;
        assert_eq!(phial.ok(&["wait", name])?, "137", "{name}");
        // They learn that nobody reads any more.
        for writer in &mut writers {
            assert!(!writer.wait()?.success(), "{name}");
        }
    }
    Ok(())
}

#[test]
fn a_pid_is_the_containers_as_long_as_its_status_names_it() -> Result {
    let stage = Stage::busybox()?;
    let flags = ["--name", "ends", "--log-opt", "mode=non-blocking"];
    let id = stage.start(&flags, &["sleep", "1000"])?;
    let path = stage.phial.run_dir().join("containers").join(id).join("status.json");
    let status = std::fs::read(&path)?;
    let numbers: serde_json::Value = serde_json::from_slice(&status)?;
    let (pid, supervisor) = (numbers["pid"].to_string(), &numbers["supervisor"]);
    let children = std::fs::read_to_string(format!("/proc/{supervisor}/task/{supervisor}/children"))?;
    let process = |number: &str| Pid::from_raw(number.parse().unwrap_or_default()).context("is no pid");
    let writer = process(children.split_whitespace().find(|child| *child != pid).context("nobody writes the log")?)?;
    // The end waits a while for the log, and only then the status goes.
    kill_process(writer, Signal::STOP)?;
    kill_process(process(&pid)?, Signal::KILL)?;
    loop {
        let is_there = std::path::Path::new(&format!("/proc/{pid}")).exists();
        if std::fs::read(&path).ok().as_ref() != Some(&status) {
            break;
        }
        assert!(is_there, "process {pid} is anybody's");
    }
    kill_process(writer, Signal::CONT)?;
    assert_eq!(stage.phial.ok(&["wait", "ends"])?, "137");
    Ok(())
}

#[test]
fn images_can_be_listed_and_removed() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let table = phial.ok(&["images"])?;
    let mut lines = table.lines();
    let header: Vec<&str> =
        lines.next().unwrap_or_default().split("  ").filter(|word| !word.is_empty()).map(str::trim).collect();
    assert_eq!(header, ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
    let (repository, tag) = stage.image.rsplit_once(':').context("the image has a tag")?;
    let row = lines.find(|line| line.contains(repository)).context("images lacks the image")?;
    let id = row.split_whitespace().nth(2).context("images has an id")?.to_owned();
    assert!(row.contains(tag) && id.len() == 12, "{row}");
    assert_eq!(phial.inspect(&stage.image)?["Config"]["Cmd"][0], "sh");

    let container = stage.start(&[], &["sleep", "1000"])?;
    let refused = phial.run(&["rmi", &stage.image])?;
    assert!(refused.code == 1 && refused.stderr.contains(&container[..12]), "{refused:?}");
    phial.ok(&["rm", "-f", &container])?;
    let removed = phial.ok(&["rmi", &stage.image])?;
    assert!(removed.contains("Untagged: ") && removed.contains("Deleted: sha256:"), "{removed}");
    assert!(!phial.ok(&["images"])?.contains(repository));
    phial.run(&["rmi", &id])?.exited(1)?;
    // It is pulled again when it is needed.
    stage.check(&[(&[], "echo back", "back")])
}

#[test]
fn version_and_info() -> Result {
    let phial = Phial::new()?;
    let version = phial.ok(&["version"])?;
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    let info = phial.ok(&["info"])?;
    assert!(info.contains(&phial.root().display().to_string()), "{info}");
    Ok(())
}

#[test]
fn an_end_is_seen_at_whatever_moment_one_asks() -> Result {
    let stage = Stage::busybox()?;
    // The container ends while `wait` looks, connects or asks, and its supervisor leaves while `rm` does: each of these
    // moments comes in one of the rounds.
    for round in 0..150 {
        let id = stage.start(&[], &["sh", "-c", "echo brief"])?;
        assert_eq!(stage.phial.ok(&["wait", &id])?, "0", "round {round}");
        assert_eq!(stage.phial.ok(&["logs", &id])?, "brief", "round {round}");
        stage.phial.ok(&["rm", &id])?;
    }
    Ok(())
}

#[test]
fn many_at_once() -> Result {
    let stage = Stage::busybox()?;
    let codes: Vec<Result<i32>> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..12)
            .map(|number| {
                scope.spawn({
                    let stage = &stage;
                    move || Ok(stage.run(&[], &["sh", "-c", &format!("exit {number}")])?.code)
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().expect("the thread does not panic")).collect()
    });
    for (number, code) in (0..).zip(codes) {
        assert_eq!(code?, number);
    }
    assert_eq!(stage.phial.containers()?, Vec::<String>::new());
    Ok(())
}
