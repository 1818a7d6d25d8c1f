//! `phial create`, and flags of `run` about the process, its groups, its streams and its image.

use end_to_end::followed::Followed;
use end_to_end::pty::Pty;
use end_to_end::{Result, Stage, images, process};

#[test]
fn a_created_container_waits() -> Result {
    let stage = Stage::busybox()?;
    let id = stage.phial.ok(&["create", "--name", "waiting", &stage.image, "echo", "hi"])?;
    assert_eq!(id.len(), 64, "{id}");
    let inspected = stage.phial.inspect("waiting")?;
    assert_eq!((&inspected["State"]["Status"], &inspected["Id"]), (&"created".into(), &id.as_str().into()));
    assert_eq!(stage.phial.ok(&["ps", "-q"])?, "");
    stage.phial.ok(&["container", "create", &stage.image])?;
    assert_eq!(stage.phial.containers()?.len(), 2);
    assert_eq!(stage.phial.ok(&["start", "-a", "waiting"])?, "hi");
    Ok(())
}

#[test]
fn groups() -> Result {
    let stage = Stage::busybox()?;
    stage.check(&[
        (
            &["--group-add", "777", "--group-add", "teachers", "-u", "12345:678"],
            "id -G | tr ' ' '\\n' | sort -n | xargs",
            "678 777 2000",
        ),
        (&["--group-add", "777", "-u", "reader"], "id -G | tr ' ' '\\n' | sort -n | xargs", "777 1000 2000"),
    ])?;
    let id = stage.start(&["--group-add", "777"], &["sleep", "1000"])?;
    assert_eq!(stage.phial.ok(&["exec", "-u", "12345:678", &id, "id", "-G"])?, "678 777");
    Ok(())
}

#[test]
fn the_id_is_written_into_a_file() -> Result {
    let stage = Stage::busybox()?;
    let file = stage.phial.scratch().join("cid");
    let path = file.display().to_string();
    let id = stage.phial.ok(&["run", "-d", "--cidfile", &path, &stage.image, "true"])?;
    assert_eq!(std::fs::read_to_string(&file)?, id);
    let output = stage.run(&["--cidfile", &path], &["true"])?.exited(125)?;
    assert!(output.stderr.contains("container ID file found"), "{output:?}");
    std::fs::remove_file(&file)?;
    stage.run(&["--cidfile", &path, "-u", "nobody-here"], &["true"])?.exited(125)?;
    assert!(!file.exists(), "a file tells of a container that there is not");
    Ok(())
}

#[test]
fn labels_and_annotations() -> Result {
    let stage = Stage::busybox()?;
    let file = stage.phial.scratch().join("labels");
    std::fs::write(&file, "# mine\none=1\nboth=file\n")?;
    let flags = ["--label-file", &file.display().to_string(), "-l", "both=flag", "--annotation", "org.x=y"];
    stage.phial.ok(&[&["create", "--name", "noted"], &flags[..], &[&stage.image]].concat())?;
    let inspected = stage.phial.inspect("noted")?;
    let labels = &inspected["Config"]["Labels"];
    assert_eq!((&labels["one"], &labels["both"]), (&"1".into(), &"flag".into()), "{labels}");
    assert_eq!(inspected["HostConfig"]["Annotations"]["org.x"], "y");
    Ok(())
}

#[test]
fn one_stream_alone() -> Result {
    let stage = Stage::busybox()?;
    let script = ["sh", "-c", "echo out; echo err >&2"];
    let both = |flags: &[&str]| stage.run(flags, &script).map(|output| (output.code, output.stdout, output.stderr));
    let texts = |out: &str, err: &str| (0, out.to_owned(), err.to_owned());
    assert_eq!(both(&["-a", "stdout"])?, texts("out\n", ""));
    assert_eq!(both(&["-a", "stderr"])?, texts("", "err\n"));
    assert_eq!(both(&["-a", "stdout", "-a", "STDERR"])?, texts("out\n", "err\n"));
    let output = stage.phial.run(&["run", "-d", "-a", "stdout", &stage.image])?.exited(125)?;
    assert!(output.stderr.contains("conflicting options"), "{output:?}");
    Ok(())
}

#[test]
fn signals_that_are_not_passed_on_end_the_command_alone() -> Result {
    let stage = Stage::busybox()?;
    let flags = ["run", "--name", "deaf", "--sig-proxy=false", &stage.image, "sh", "-c", "echo up; sleep 1000"];
    let mut run = Followed::start(&stage.phial, &flags)?;
    run.wait_for("up")?;
    run.process.signal(rustix::process::Signal::TERM)?;
    let status = run.process.child().wait()?;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15), "{status}");
    assert_eq!(stage.phial.inspect("deaf")?["State"]["Running"], true);
    Ok(())
}

#[test]
fn images_of_other_platforms() -> Result {
    let stage = Stage::busybox()?;
    let index = stage.registry.name(images::BUSYBOX_INDEX);
    let create = |platform: &str, image: &str| stage.phial.run(&["create", "--platform", platform, image]);
    create("linux/arm64", &index)?.success()?;
    let inspected: serde_json::Value = serde_json::from_str(&stage.phial.ok(&["inspect", &index])?)?;
    assert_eq!(inspected[0]["Architecture"], "arm64");
    create("linux/arm64", &index)?.success()?;
    let output = create("linux/amd64", &index)?.exited(125)?;
    assert!(output.stderr.contains("is for linux/arm64"), "{output:?}");
    let output = create("linux/riscv64", &stage.image)?.exited(125)?;
    assert!(output.stderr.contains("riscv64") && output.stderr.contains("linux/amd64"), "{output:?}");
    let quiet = ["run", "--rm", "-q", "--pull", "always", "--platform", "linux/amd64", &index, "cat", "/etc/motd"];
    let output = process::run(&mut stage.phial.command(&quiet))?.exited(0)?;
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("a small vessel for amd64\n", ""));
    Ok(())
}

#[test]
fn keys_of_ones_own_leave_the_terminal() -> Result {
    let stage = Stage::busybox()?;
    let keys = ["run", "-it", "--name", "left", "--detach-keys", "ctrl-a,d", &stage.image, "sh"];
    let mut pty = Pty::start(&stage.phial.command(&keys), 24, 80)?;
    // What is no longer the keys is passed on.
    pty.send("echo up$((1+1))\x10\x11\n")?;
    pty.wait_for("up2")?;
    pty.send("\x01d")?;
    let (code, output) = pty.finish()?;
    assert_eq!(code, 0, "{output}");
    assert_eq!(stage.phial.inspect("left")?["State"]["Running"], true);
    Ok(())
}
