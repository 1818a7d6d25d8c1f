//! `phial rename`, `port` and `wait`.

use std::process::Stdio;

use end_to_end::process::Running;
use end_to_end::{Result, Stage};

#[test]
fn a_container_gets_another_name() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let id = stage.start(&["--name", "one"], &["sleep", "1000"])?;
    assert_eq!(phial.ok(&["rename", "one", "two"])?, "");
    assert_eq!(phial.ok(&["ps", "--format", "{{.Names}}"])?, "two");
    assert_eq!(phial.inspect("two")?["Name"], "/two");
    phial.run(&["inspect", "one"])?.exited(1)?;
    phial.ok(&["container", "rename", &id[..12], "three"])?;
    assert_eq!(phial.ok(&["exec", "three", "echo", "alive"])?, "alive");
    // The old name is free, and may be taken.
    phial.ok(&["create", "--name", "one", &stage.image, "true"])?;
    for (new, why) in [("one", "already in use"), (".x", ".x"), ("a/b", "a/b"), ("three", "already")] {
        let output = phial.run(&["rename", "three", new])?.exited(1)?;
        assert!(
            output.stderr.starts_with("phial: cannot rename three to ") && output.stderr.contains(why),
            "{output:?}"
        );
    }
    let output = phial.run(&["rename", "absent", "other"])?.exited(1)?;
    assert!(output.stderr.contains("no such container: absent"), "{output:?}");
    let events = phial.ok(&[
        "events",
        "--since",
        "1h",
        "--until",
        "0s",
        "--filter",
        "event=rename",
        "--format",
        "{{.Actor.Attributes.oldName}}",
    ])?;
    assert_eq!(events, "/one\n/two");
    Ok(())
}

#[test]
fn no_port_is_published() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    stage.start(&["--name", "web"], &["sleep", "1000"])?;
    assert_eq!(phial.ok(&["port", "web"])?, "");
    let output = phial.run(&["port", "web", "80"])?.exited(1)?;
    assert!(output.stderr.contains("no public port '80/tcp' published for web"), "{output:?}");
    for (container, port, named) in [("web", "http", "http"), ("web", "80/icmp", "80/icmp"), ("absent", "80", "absent")]
    {
        let output = phial.run(&["port", container, port])?.exited(1)?;
        assert!(output.stderr.contains(named), "{output:?}");
    }
    Ok(())
}

#[test]
fn several_are_waited_for() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    for (name, code) in [("three", "3"), ("four", "4")] {
        stage.start(&["--name", name, "-i"], &["sh", "-c", &format!("read x; exit {code}")])?;
    }
    let waiting = Running::spawn(phial.command(&["wait", "three", "four"]).stdin(Stdio::null()).stdout(Stdio::piped()));
    let mut waiting = waiting?;
    let mut stdout = waiting.child().stdout.take().expect("is piped");
    for name in ["four", "three"] {
        phial.run_with_input(&["attach", name], b"go\n")?;
    }
    assert_eq!(waiting.wait()?, 0);
    let mut printed = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut printed)?;
    assert_eq!(printed, "3\n4\n");
    // One that has ended is not waited for; what is not there is said, and the others are waited for all the same.
    let output = phial.run(&["wait", "three", "absent", "four"])?.exited(1)?;
    assert_eq!(output.stdout, "3\n4\n");
    assert!(output.stderr.contains("absent"), "{output:?}");
    Ok(())
}
